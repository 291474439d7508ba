//! The record of an operation under the policy: whoever may write records is whom it is for.

use super::roles::person;
use crate::plane::Plane;
use crate::shipped::{self, OPERATORS, RECORDS};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

#[test]
fn a_record_only_grows_keeps_its_label_and_may_be_deleted() {
    let plane = Plane::shared();
    shipped::records(plane);
    shipped::guard(plane, RECORDS);
    let niaj = person(plane, "niaj", OPERATORS);
    let maps: Api<ConfigMap> = Api::namespaced(niaj, RECORDS);
    let name = "wheelhouse-01jgrows";
    let entries = |text: &str, label: Value| -> ConfigMap {
        let labels = json!({"wheelhouse.dev/record": label});
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": labels},
            "data": {"entries": text, "progress": text.len().to_string()},
        }))
        .unwrap()
    };
    let ours = || json!("operation");
    let post = PostParams::default();
    let replace = |map: ConfigMap| plane.run(async { maps.replace(name, &post, &map).await });
    let denial = |map: ConfigMap| match replace(map) {
        Err(kube::Error::Api(why)) if why.code == 422 => why.message.clone(),
        other => panic!("not denied: {other:?}"),
    };

    let (one, two) = ("{\"planned\":1}\n", "{\"planned\":1}\n{\"began\":2}\n");
    plane
        .run(async { maps.create(&post, &entries(one, ours())).await })
        .unwrap();
    replace(entries(two, ours())).unwrap();
    // Progress is overwritten, entries are not.
    let mut same = entries(two, ours());
    same.data
        .as_mut()
        .unwrap()
        .insert("progress".into(), "3/5".into());
    replace(same).unwrap();
    assert!(denial(entries(one, ours())).contains("entries are only ever added"));
    let edited = "{\"planned\":1}\n{\"began\":3}\n{\"passed\":3}\n";
    assert!(denial(entries(edited, ours())).contains("wheelhouse op abort"));
    assert!(denial(entries("", ours())).contains("entries are only ever added"));
    assert!(denial(entries(two, json!("other"))).contains("label wheelhouse.dev/record"));
    let gone = DeleteParams::default();
    plane.run(async { maps.delete(name, &gone).await }).unwrap();
}
