//! An approval by another certificate, as the shipped Role of release managers allows it and under the admission policy.

use super::Stage;
use crate::operator::{CUTOVER, Operator, QUICK, REQUEST, ROLLBACK, decide};
use crate::relay::Asked;
use crate::shipped::{MANAGERS, RECORDS};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};

impl Stage<'_> {
    /// Somebody who may see the environment and approve, and nothing else.
    pub(super) fn approver(&self, name: &str) -> Operator {
        let viewer = include_str!("../../../assets/kubernetes/viewer.yaml");
        let viewer = viewer.replace("release-watch", MANAGERS);
        self.plane.apply_yaml(self.namespace, &viewer);
        let kubeconfig = self.plane.identity(name, MANAGERS);
        Operator::new(&kubeconfig, self.namespace, RECORDS, QUICK)
    }
}

#[test]
fn i_48_an_approval_by_another_certificate_lets_a_cutover_through_and_a_forged_one_is_denied() {
    let stage = Stage::new("ops-approval");
    let (dave, judith) = (stage.operator("dave"), stage.approver("judith"));
    for person in [&dave, &judith] {
        person.edit(
            "[environment.traffic]",
            "[environment.gates]\napproval = \"one other person\"\n[environment.traffic]",
        );
    }
    dave.run(&CUTOVER)
        .assert(4, &["one other person's is needed"]);
    dave.run(&REQUEST).assert(0, &["to GREEN waits"]);
    decide(&dave, "approve", "production").assert(5, &["dave asked for it and may not approve it"]);

    // Past our own checks: the API server itself denies it, whichever name is written there.
    let client = stage.plane.run(stage.plane.client_for("dave"));
    let maps: Api<ConfigMap> = Api::namespaced(client, RECORDS);
    let ours = ListParams::default()
        .labels("wheelhouse.dev/record=approval,wheelhouse.dev/namespace=ops-approval");
    let asked = stage.plane.run(maps.list(&ours)).unwrap().items.remove(0);
    for (author, said) in [
        ("judith", "author must be dave, not \"judith\""),
        ("dave", "dave asked for it and may not approve it"),
    ] {
        let mut forged = ConfigMap {
            data: asked.data.clone(),
            ..ConfigMap::default()
        };
        forged.metadata.labels = asked.metadata.labels.clone();
        forged.metadata.name = Some("wheelhouse-approval-01jforgedforgedforgedforg".into());
        let data = forged.data.as_mut().unwrap();
        data.insert("decision".into(), "approved".into());
        data.insert("author".into(), author.into());
        match stage
            .plane
            .run(maps.create(&PostParams::default(), &forged))
        {
            Err(kube::Error::Api(why)) => assert!(why.message.contains(said), "{why:?}"),
            other => panic!("not denied: {other:?}"),
        }
    }
    assert_eq!(dave.relay.count(Asked::is_flip), 0);

    decide(&judith, "approve", "production").assert(0, &["to GREEN is approved until"]);
    let said = dave.run(&CUTOVER);
    said.assert(0, &["done: GREEN is live"]);
    dave.run(&["op", "show", &said.id()])
        .assert(0, &["approval by judith until"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    stage.await_live("blue");
}
