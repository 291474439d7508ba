//! Deploys by image on the real control plane: to the idle colour, with pods that get well and pods that do not,
//! and killed at each write.

use super::Stage;
use crate::fleet;
use crate::operator::{CUTOVER, DEPLOY, Operator, PATIENT, wait};
use crate::relay::{Asked, Fate};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

const PARTS: [&str; 2] = ["frontend", "backend"];

impl Stage<'_> {
    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.plane.client(), self.namespace)
    }

    fn deployment(&self, colour: &str, part: &str) -> Deployment {
        let name = format!("digital-wall-{colour}-{part}");
        let deployments = self.deployments();
        self.plane
            .run(async { deployments.get(&name).await })
            .unwrap()
    }

    /// Patches each Deployment of a colour past Wheelhouse.
    fn patch_colour(&self, colour: &str, patch: &Value) {
        for part in PARTS {
            self.patch_deployment(&format!("digital-wall-{colour}-{part}"), patch);
        }
    }

    /// The same of one.
    pub(super) fn patch_deployment(&self, name: &str, patch: &Value) {
        let (deployments, params) = (self.deployments(), PatchParams::default());
        let patch = Patch::Merge(patch);
        self.plane
            .run(async { deployments.patch(name, &params, &patch).await })
            .unwrap();
    }

    /// The image of each part of a colour.
    pub(super) fn images(&self, colour: &str) -> [String; 2] {
        PARTS.map(|part| {
            let spec = self.deployment(colour, part).spec.unwrap();
            let pod = spec.template.spec.unwrap();
            pod.containers[0].image.clone().unwrap()
        })
    }

    /// The revision of each part of a colour: it counts how often its template was changed. (The generation of a
    /// Deployment counts annotations, too.)
    pub(super) fn revisions(&self, colour: &str) -> [u64; 2] {
        PARTS.map(|part| {
            let marks = self.deployment(colour, part).metadata.annotations.unwrap();
            marks["deployment.kubernetes.io/revision"].parse().unwrap()
        })
    }
}

#[test]
fn i_2_i_6_a_deploy_rolls_the_idle_colour_out_and_leaves_the_live_one_as_it_is() {
    let stage = Stage::new("ops-deploy");
    stage.patch_colour("green", &json!({"spec": {"replicas": 0}}));
    fleet::wait_available(stage.plane, stage.namespace);
    let dave = stage.operator("dave");
    let (blue, before) = (stage.revisions("blue"), stage.revisions("green"));

    let said = dave.run(&DEPLOY);

    said.assert(
        0,
        &[
            "roll out digital-wall-green-frontend done: 3/3",
            "sha256:",
            "done: GREEN runs frontend v3, backend v3, rolled out; BLUE is live as before",
        ],
    );
    assert!(
        stage
            .images("green")
            .iter()
            .all(|image| image.ends_with(":v3"))
    );
    assert_eq!(stage.revisions("blue"), blue);
    assert_eq!(stage.revisions("green"), before.map(|it| it + 1));
    assert_eq!(dave.relay.count(Asked::is_update), 2, "one write each");
    stage.await_live("blue");
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    stage.await_live("green");
}

#[test]
fn i_40_a_deploy_whose_pods_crash_ends_early_and_traffic_stays_where_it_was() {
    let stage = Stage::new("ops-deploy-crash");
    let dave = stage.operator("dave");
    let fate = json!({"wheelhouse.test/fate": "crash-loop"});
    let patch = json!({"spec": {"template": {"metadata": {"annotations": fate}}, "replicas": 0}});
    stage.patch_colour("green", &patch);
    fleet::wait_available(stage.plane, stage.namespace);

    let said = dave.run(&DEPLOY);

    said.assert(
        1,
        &["FAILED", "CrashLoopBackOff: Error (exit 1), 5 restarts"],
    );
    assert_eq!(stage.colours(), ["blue", "blue"]);
    stage.await_live("blue");
    dave.run(&CUTOVER).assert(5, &["refused"]);
}

#[test]
fn i_2_a_deploy_that_the_quota_refuses_ends_early_in_the_words_of_the_api_server() {
    let stage = Stage::new("ops-deploy-quota");
    stage.patch_colour("green", &json!({"spec": {"replicas": 0}}));
    fleet::wait_available(stage.plane, stage.namespace);
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: \"6\"}}\n";
    stage.plane.apply_yaml(stage.namespace, quota);
    // Until its controller has counted, admission says that nobody knows.
    let quotas: Api<ResourceQuota> = Api::namespaced(stage.plane.client(), stage.namespace);
    stage.plane.until("the quota to be counted", || async {
        let used = quotas.get("small").await.ok()?.status?.used?;
        used.contains_key("pods").then_some(())
    });

    let said = stage.operator("dave").run(&DEPLOY);

    said.assert(1, &["its pods are refused", "exceeded quota: small"]);
    assert_eq!(stage.colours(), ["blue", "blue"]);
}

/// A write of a deploy that comes whenever it is carried out.
fn is_act(asked: &Asked) -> bool {
    let is_renewal =
        asked.path.contains("/leases") && asked.body.contains("wheelhouse.dev/watched");
    let is_question = asked.path.ends_with("/selfsubjectaccessreviews");
    asked.is_write() && asked.method != "DELETE" && !is_renewal && !is_question
}

/// Kills dave's worker at its write number `nth`, has erin go on, and counts what came of it. False where it ended before
/// there was such a write.
fn kill(
    stage: &Stage<'_>,
    (dave, erin): (&Operator, &Operator),
    tag: &str,
    nth: usize,
    fate: Fate,
) -> bool {
    let what = format!("{tag}: killed at write {nth} ({fate:?})");
    let images = [format!("frontend=:{tag}"), format!("backend=:{tag}")];
    let mut args: Vec<&str> = DEPLOY.to_vec();
    (args[7], args[9]) = (&images[0], &images[1]);
    let (known, before) = (stage.operations(), stage.revisions("green"));
    let done = |it: &Asked| it.is_update() && it.status == 200;
    let accepted = || dave.relay.count(done) + erin.relay.count(done);
    let were = accepted();
    let trap = dave.relay.trap(fate, nth, is_act);
    let launcher = dave.start(&[&args[..], &["--detach"]].concat());
    let is_done = |id: &String| !known.contains(id) && erin.story(id).contains("  done: ");
    let is_over = || dave.worker().is_none() && stage.operations().iter().any(is_done);
    if !trap.wait_unless(&what, is_over) {
        trap.let_go();
        launcher.end();
        return false;
    }
    dave.kill_worker();
    launcher.end();
    let id = stage
        .operations()
        .into_iter()
        .find(|it| !known.contains(it));
    match id.filter(|id| !erin.story(id).contains("  done: ")) {
        Some(id) => {
            let said = erin.run(&["op", "adopt", &id]);
            assert!(said.code == 0, "{what}: {said}");
        }
        None => {
            let again = wait(&what, || {
                let said = erin.run(&args);
                assert!(said.code == 0 || said.code == 6, "{what}: {said}");
                (said.code == 0).then_some(said)
            });
            assert!(again.err.contains("done: GREEN runs"), "{what}: {again}");
        }
    }
    // What was under way all the while arrives, and changes nothing.
    trap.let_go();
    wait("its answer", || {
        let open = |it: &Asked| is_act(it) && it.status == 0;
        (dave.relay.count(open) == 0).then_some(())
    });
    assert_eq!(accepted() - were, 2, "{what}: one patch of each Deployment");
    assert!(
        stage.images("green").iter().all(|it| it.ends_with(tag)),
        "{what}"
    );
    assert_eq!(stage.revisions("green"), before.map(|it| it + 1), "{what}");
    assert_eq!(stage.colours(), ["blue", "blue"], "{what}");
    true
}

#[test]
fn p02_a_deploy_killed_at_any_write_is_gone_on_with_and_no_deployment_is_patched_twice() {
    let stage = Stage::new("ops-deploy-killed");
    let dave = stage.operator("dave");
    let erin = stage.operator_with("erin", PATIENT);
    erin.run(&DEPLOY).assert(0, &["done"]);
    // How many there are is the machine's pace: evidence of several moments goes into one write of the record.
    for nth in 1.. {
        let fate = match nth % 2 {
            0 => Fate::HeldBefore,
            _ => Fate::HeldAfter,
        };
        if !kill(&stage, (&dave, &erin), &format!("w{nth}"), nth, fate) {
            // Two Leases taken, the plan, two patches, what came of them, the end, two Leases given back.
            assert!(nth > 9, "it came to {} writes only", nth - 1);
            break;
        }
    }
}
