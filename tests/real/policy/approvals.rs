//! Approvals under the policy: whom they name sent them, and they stand as they were sent.

use super::roles::person;
use crate::plane::Plane;
use crate::shipped::{self, MANAGERS, OPERATORS, RECORDS};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

fn paper(id: char, decision: &str, author: &str, requester: &str) -> ConfigMap {
    let name = format!(
        "wheelhouse-approval-01jguarded{}",
        id.to_string().repeat(16)
    );
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"wheelhouse.dev/record": "approval"}},
        "data": {"decision": decision, "author": author, "requester": requester},
    }))
    .unwrap()
}

/// What the API server said to it; empty: done.
fn words<T>(answer: Result<T, kube::Error>) -> String {
    match answer {
        Ok(_) => String::new(),
        Err(kube::Error::Api(why)) => why.message.clone(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn i_48_an_approval_is_of_whoever_sent_it_is_nobodys_own_and_is_never_changed() {
    let plane = Plane::shared();
    shipped::records(plane);
    shipped::guard(plane, RECORDS);
    let maps = |client| -> Api<ConfigMap> { Api::namespaced(client, RECORDS) };
    let dave = maps(person(plane, "approval-dave", OPERATORS));
    let erin = maps(person(plane, "approval-erin", MANAGERS));
    let (dave_is, erin_is) = ("approval-dave", "approval-erin");
    let post = PostParams::default();
    let create = |by: &Api<ConfigMap>, paper: ConfigMap| {
        plane.run(async { words(by.create(&post, &paper).await) })
    };

    assert_eq!(create(&dave, paper('a', "asked", dave_is, dave_is)), "");
    assert_eq!(create(&erin, paper('b', "approved", erin_is, dave_is)), "");
    assert_eq!(create(&erin, paper('c', "rejected", erin_is, dave_is)), "");
    // Forged: somebody else's name, or none.
    let forged = create(&dave, paper('d', "approved", erin_is, dave_is));
    assert!(
        forged.contains("author must be approval-dave, not \"approval-erin\""),
        "{forged}"
    );
    let nobodys = create(&dave, paper('d', "approved", "", dave_is));
    assert!(
        nobodys.contains("author must be approval-dave"),
        "{nobodys}"
    );
    let asked = create(&erin, paper('d', "asked", erin_is, dave_is));
    assert!(asked.contains("requester must be approval-erin"), "{asked}");
    // One's own.
    let own = create(&dave, paper('d', "approved", dave_is, dave_is));
    assert!(
        own.contains("approval-dave asked for it and may not approve it"),
        "{own}"
    );
    let other = create(&erin, paper('d', "fine", erin_is, dave_is));
    assert!(
        other.contains("one of asked, approved and rejected"),
        "{other}"
    );

    // Changed: by nobody, not even into one, nor out of one.
    let patch = |by: &Api<ConfigMap>, id: char, patch: Value| {
        let name = paper(id, "", "", "").metadata.name.unwrap();
        let patch = Patch::Merge(patch);
        plane.run(async { words(by.patch(&name, &PatchParams::default(), &patch).await) })
    };
    let admin = maps(plane.client());
    for change in [
        json!({"data": {"decision": "approved"}}),
        json!({"metadata": {"labels": {"wheelhouse.dev/record": null}}}),
    ] {
        let said = patch(&admin, 'c', change);
        assert!(said.contains("created once and never changed"), "{said}");
    }
    let mut bare = paper('e', "approved", erin_is, dave_is);
    bare.metadata.labels = None;
    assert_eq!(create(&dave, bare), "");
    let label = json!({"metadata": {"labels": {"wheelhouse.dev/record": "approval"}}});
    let said = patch(&admin, 'e', label);
    assert!(said.contains("created once and never changed"), "{said}");

    // A rejection is not taken away by whom it stops.
    let delete = |by: &Api<ConfigMap>, id: char| {
        let name = paper(id, "", "", "").metadata.name.unwrap();
        plane.run(async { words(by.delete(&name, &DeleteParams::default()).await) })
    };
    let said = delete(&dave, 'c');
    assert!(
        said.contains("taken back by its author alone, approval-erin"),
        "{said}"
    );
    for id in ['a', 'b', 'e'] {
        assert_eq!(delete(&dave, id), "");
    }
}
