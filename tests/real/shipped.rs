//! What ships in assets/kubernetes, put on a plane as its comments say: the operators' Role, the
//! namespace of records, the admission policy. (The viewers' Role comes with `fleet`.)

use crate::plane::Plane;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use serde_json::json;
use std::path::Path;
use std::sync::Mutex;

/// Whom the shipped Roles of operators are bound to: `plane.identity("dave", OPERATORS)`.
pub const OPERATORS: &str = "release-operators";
/// Whom the shipped Role of those who freeze and thaw is bound to.
pub const MANAGERS: &str = "release-managers";
/// Whom the shipped Roles of viewers are bound to.
pub const VIEWERS: &str = "release-watch";
/// Where the example keeps records.
pub const RECORDS: &str = "wheelhouse";

/// Lets `OPERATORS` operate in a namespace.
pub fn operator_role(plane: &Plane, namespace: &str) {
    plane.apply_file(namespace, &file("operator.yaml"));
}

/// Makes the namespace of records, in which `OPERATORS` write and `VIEWERS` read.
pub fn records(plane: &Plane) {
    once_at_a_time(|| plane.apply_file("", &file("records.yaml")));
}

/// The viewers' part of records.yaml, for records that are kept in the namespace it is applied to.
pub fn records_viewer() -> String {
    let whole = include_str!("../../assets/kubernetes/records.yaml");
    let viewers = whole
        .split("---\n")
        .filter(|part| part.contains("name: wheelhouse-records-viewer"));
    let parts: Vec<String> = viewers
        .map(|part| part.replace("  namespace: wheelhouse\n", ""))
        .collect();
    parts.join("---\n")
}

/// Puts the admission policy on the plane and a namespace under it; it bites when this returns.
pub fn guard(plane: &Plane, namespace: &str) {
    once_at_a_time(|| plane.apply_file("", &file("admission-policy.yaml")));
    plane.apply_yaml(
        "",
        &format!(
            "apiVersion: v1\nkind: Namespace\n\
             metadata: {{name: {namespace}, labels: {{wheelhouse.dev/guarded: 'true'}}}}\n"
        ),
    );
    await_guard(plane, namespace);
}

/// The API server takes policies up within about a second, all that it knows at once: where the last
/// of the file bites, the others do. That is the one of approvals, which denies one without an author.
fn await_guard(plane: &Plane, namespace: &str) {
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(), namespace);
    let probe: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "guard-probe", "labels": {"wheelhouse.dev/record": "approval"}},
    }))
    .unwrap();
    let in_vain = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    plane.until("the admission policy to bite", || async {
        let refused = maps.create(&in_vain, &probe).await;
        matches!(refused, Err(kube::Error::Api(why)) if why.message.contains("wheelhouse.dev"))
            .then_some(())
    });
}

/// Two tests that make the same objects of the whole cluster would make each other fail.
fn once_at_a_time(work: impl FnOnce()) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    work();
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets/kubernetes")
        .join(name)
}
