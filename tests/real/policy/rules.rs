//! What the policy beside the target demands, under the admission policy: nobody changes it unnamed.

use super::roles::person;
use crate::plane::Plane;
use crate::shipped;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// A namespace of records of one's own, in which a group may write every ConfigMap.
const HERE: &str = "policy-rules";
const GROUP: &str = "rule-writers";
const NAME: &str = "wheelhouse-policy";

/// Whoever may write there, and what the API server says to what they do; empty: done.
struct Writer {
    plane: &'static Plane,
    maps: Api<ConfigMap>,
}

impl Writer {
    fn new(here: &str, name: &str) -> Self {
        let plane = Plane::shared();
        plane.namespace(here);
        let of = |kind: &str, rest: &str| {
            let head = "apiVersion: rbac.authorization.k8s.io/v1";
            format!("{head}\nkind: {kind}\nmetadata: {{name: {GROUP}}}\n{rest}")
        };
        let rules = "rules: [{apiGroups: [''], resources: [configmaps], verbs: ['*']}]\n";
        let role = format!(
            "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {GROUP}}}\n\
             subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: {GROUP}}}]\n"
        );
        plane.apply_yaml(here, &of("Role", rules));
        plane.apply_yaml(here, &of("RoleBinding", &role));
        let maps = Api::namespaced(person(plane, name, GROUP), here);
        Self { plane, maps }
    }

    fn create(&self, data: Value) -> String {
        let body = json!({"metadata": {"name": NAME}, "data": data});
        let map: ConfigMap = serde_json::from_value(body).unwrap();
        let post = PostParams::default();
        (self.plane).run(async { words(self.maps.create(&post, &map).await) })
    }

    fn patch(&self, data: Value) -> String {
        let patch = Patch::Merge(json!({ "data": data }));
        let params = PatchParams::default();
        (self.plane).run(async { words(self.maps.patch(NAME, &params, &patch).await) })
    }

    fn delete(&self) -> String {
        let params = DeleteParams::default();
        (self.plane).run(async { words(self.maps.delete(NAME, &params).await) })
    }
}

fn words<T>(answer: Result<T, kube::Error>) -> String {
    match answer {
        Ok(_) => String::new(),
        Err(kube::Error::Api(why)) => why.message.clone(),
        Err(other) => panic!("{other}"),
    }
}

/// What `wheelhouse-policy` says of who changed it last.
fn signed(who: &str, minute: u8) -> String {
    let at = format!("2026-01-31T12:{minute:02}:00Z");
    json!({"who": who, "what": "approval", "why": "ticket 7", "at": at}).to_string()
}

#[test]
fn i_48_the_demand_for_an_approval_is_neither_changed_nor_taken_away_unnamed() {
    let rita = Writer::new(HERE, "rita");
    shipped::guard(rita.plane, HERE);
    let mine = |minute| signed("rita", minute);
    let unnamed = "names who changes it, and approval would change without";

    // It may begin empty, as records.yaml has it; with a demand it is somebody's.
    let said = rita.create(json!({"schema": "1", "approval": "one other person"}));
    assert!(said.contains(unnamed), "{said}");
    assert_eq!(rita.create(json!({"schema": "1"})), "");
    assert_eq!(rita.delete(), "");
    let data = json!({"schema": "1", "approval": "one other person", "tier": "production", "last": mine(1)});
    assert_eq!(rita.create(data), "");

    // Lowered or taken away: by no name, by another's, by an old one.
    for (change, word) in [
        (json!({"approval": "none"}), unnamed),
        (json!({"approval": null}), unnamed),
        (
            json!({"approval.shop": "none"}),
            "approval.shop would change",
        ),
        (json!({"tier": "development"}), "tier would change"),
        (json!({"schema": "2"}), "schema would change"),
        (
            json!({"approval": "none", "last": signed("sam", 2)}),
            "\"who\" must be rita",
        ),
        (json!({"approval": "none", "last": mine(1)}), unnamed),
        (json!({"approval": "none", "last": null}), unnamed),
    ] {
        let said = rita.patch(change.clone());
        assert!(said.contains(word), "{change}: {said:?}");
    }
    let said = rita.patch(json!({"tier": null}));
    for part in [
        "in the key last, in the same change: {\"who\":\"rita\"",
        "\"why\":",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    // Nor is the whole of it: a freeze and a demand alike.
    let said = rita.delete();
    // In whichever order.
    for part in [
        "is not deleted while it demands something (",
        "approval",
        "tier",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }

    // By name it is, and the audit log has from what, to what.
    assert_eq!(rita.patch(json!({"approval": "none", "last": mine(3)})), "");
    let key = "policies.wheelhouse.dev/policy";
    let line = rita
        .plane
        .await_audited(("patch", "configmaps", HERE), |it| {
            it.code == 200 && it.annotation(key).is_some()
        });
    assert_eq!(
        line.annotation(key),
        Some("rita: approval from one other person to none")
    );
    // What demands nothing any more may go.
    let nothing = json!({"approval": null, "tier": null, "last": mine(4)});
    assert_eq!(rita.patch(nothing), "");
    assert_eq!(rita.delete(), "");
}

#[test]
fn i_44_whoever_has_a_backslash_and_a_quotation_mark_in_the_name_freezes_and_thaws_under_it() {
    let here = "policy-rules-names";
    let ann = Writer::new(here, r#"CORP\an"n"#);
    shipped::guard(ann.plane, here);
    let freeze = |who: &str| json!({"who": who, "why": "Black Friday"}).to_string();
    let mine = r#"CORP\an"n"#;
    let data = json!({"schema": "1", "freeze": freeze(mine), "last": signed(mine, 1)});
    assert_eq!(ann.create(data), "");
    // Under no other name, be it a part of the own.
    for who in ["n", "ann", r"CORP\an", r#"CORPan"n"#] {
        let said = ann.patch(json!({"freeze": freeze(who)}));
        assert!(
            said.contains("\"who\" must be CORP\\an\"n"),
            "{who}: {said:?}"
        );
    }
    let thaw = json!({"freeze": null, "last": signed(mine, 2)});
    assert_eq!(ann.patch(thaw), "");
}

#[test]
fn a_policy_that_demands_something_goes_with_its_namespace() {
    let plane = Plane::shared();
    let here = "policy-rules-end";
    plane.namespace(here);
    shipped::guard(plane, here);
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(), here);
    let freeze = json!({"who": "nobody", "why": "x"})
        .to_string()
        .replace(' ', "");
    let map: ConfigMap = serde_json::from_value(
        json!({"metadata": {"name": NAME}, "data": {"schema": "1", "freeze": freeze}}),
    )
    .unwrap();
    let said = plane.run(async { words(maps.create(&PostParams::default(), &map).await) });
    assert!(said.contains("\"who\" must be"), "{said}");
    let who = said
        .split("\"who\" must be ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap()
        .to_owned();
    let data = json!({"schema": "1", "tier": "production", "last": signed(&who, 1)});
    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": NAME}, "data": data})).unwrap();
    let said = plane.run(async { words(maps.create(&PostParams::default(), &map).await) });
    assert_eq!(said, "");
    plane.remove_namespace(here);
    plane.until("the namespace's end", || async {
        let gone = maps.get_opt(NAME).await.ok()?;
        gone.is_none().then_some(())
    });
}
