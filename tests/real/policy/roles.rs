//! What the shipped Roles allow, and what not.

use crate::plane::Plane;
use crate::shipped::{self, OPERATORS, RECORDS, VIEWERS};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeSet;

const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// Whatever could be of interest to somebody who goes beyond operating, and what operating needs.
const RESOURCES: [(&str, &str); 27] = [
    ("", "pods"),
    ("", "pods/log"),
    ("", "pods/exec"),
    ("", "pods/attach"),
    ("", "pods/portforward"),
    ("", "pods/eviction"),
    ("", "services"),
    ("", "services/status"),
    ("", "services/proxy"),
    ("", "events"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts"),
    ("", "serviceaccounts/token"),
    ("", "namespaces"),
    ("", "nodes"),
    ("apps", "deployments"),
    ("apps", "deployments/scale"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "jobs"),
    ("discovery.k8s.io", "endpointslices"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("coordination.k8s.io", "leases"),
    ("networking.k8s.io", "ingresses"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
];

/// `get pods`, `list pods`: all that somebody may do in a namespace, as the API server says.
fn rights(plane: &Plane, client: &Client, namespace: &str) -> BTreeSet<String> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    plane.run(async {
        let mut rights = BTreeSet::new();
        for (group, resource) in RESOURCES {
            for verb in VERBS {
                let asked = review(group, resource, verb, namespace);
                let answer = reviews
                    .create(&PostParams::default(), &asked)
                    .await
                    .unwrap();
                if answer.status.unwrap().allowed {
                    rights.insert(format!("{verb} {resource}"));
                }
            }
        }
        rights
    })
}

fn review(group: &str, resource: &str, verb: &str, namespace: &str) -> SelfSubjectAccessReview {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (resource, None),
    };
    let attributes = ResourceAttributes {
        group: Some(group.into()),
        resource: Some(resource.into()),
        subresource,
        verb: Some(verb.into()),
        namespace: Some(namespace.into()),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}

fn each(verbs: &[&str], resources: &[&str]) -> BTreeSet<String> {
    let pairs = resources
        .iter()
        .flat_map(|it| verbs.iter().map(move |verb| (verb, it)));
    pairs.map(|(verb, it)| format!("{verb} {it}")).collect()
}

fn seen() -> BTreeSet<String> {
    let kinds = [
        "pods",
        "services",
        "events",
        "deployments",
        "replicasets",
        "endpointslices",
        "horizontalpodautoscalers",
        "leases",
    ];
    let mut seen = each(&["get", "list", "watch"], &kinds);
    seen.extend(each(&["get"], &["pods/log"]));
    seen
}

fn is_forbidden<T>(answer: Result<T, kube::Error>) -> bool {
    matches!(answer, Err(kube::Error::Api(why)) if why.is_forbidden())
}

/// Somebody of a group, with a certificate of their own.
pub fn person(plane: &Plane, name: &str, group: &str) -> Client {
    plane.identity(name, group);
    plane.run(plane.client_for(name))
}

#[test]
fn an_operator_may_do_what_operations_need_and_nothing_else() {
    let plane = Plane::shared();
    let here = "policy-operator";
    plane.namespace(here);
    shipped::operator_role(plane, here);
    shipped::records(plane);
    let ivan = person(plane, "ivan", OPERATORS);

    let mut wanted = seen();
    wanted.extend(each(
        &["patch"],
        &["services", "deployments", "horizontalpodautoscalers"],
    ));
    wanted.extend(each(&["create", "update"], &["leases"]));
    wanted.extend(each(&["get", "create"], &["pods/portforward"]));
    assert_eq!(rights(plane, &ivan, here), wanted);
    let records = ["get", "list", "watch", "create", "update", "delete"];
    assert_eq!(
        rights(plane, &ivan, RECORDS),
        each(&records, &["configmaps"])
    );
    assert_eq!(rights(plane, &ivan, "kube-system"), BTreeSet::new());
}

#[test]
fn a_viewer_sees_what_operations_do_and_writes_nothing() {
    let plane = Plane::shared();
    let here = "policy-viewer";
    crate::fleet::digital_wall(plane, here);
    shipped::records(plane);
    let judy = person(plane, "judy", VIEWERS);

    assert_eq!(rights(plane, &judy, here), seen());
    let read = each(&["get", "list", "watch"], &["configmaps"]);
    assert_eq!(rights(plane, &judy, RECORDS), read);
}

#[test]
fn an_operator_knows_their_name_holds_a_lease_and_is_refused_secrets_pods_and_deletion() {
    let plane = Plane::shared();
    let here = "policy-requests";
    crate::fleet::digital_wall(plane, here);
    shipped::operator_role(plane, here);
    let mallory = person(plane, "mallory", OPERATORS);
    let (post, patch) = (PostParams::default(), PatchParams::default());
    let nothing = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));

    let who: Api<SelfSubjectReview> = Api::all(mallory.clone());
    let asked = plane.run(async { who.create(&post, &SelfSubjectReview::default()).await });
    let user = asked.unwrap().status.unwrap().user_info.unwrap();
    assert_eq!(user.username.as_deref(), Some("mallory"));
    let leases: Api<Lease> = Api::namespaced(mallory.clone(), here);
    let mut lease = Lease::default();
    lease.metadata.name = Some("wheelhouse-service-digital-wall-service".into());
    let mut made = plane
        .run(async { leases.create(&post, &lease).await })
        .unwrap();
    made.spec.get_or_insert_default().lease_transitions = Some(1);
    let name = made.metadata.name.clone().unwrap();
    plane
        .run(async { leases.replace(&name, &post, &made).await })
        .unwrap();

    let services: Api<Service> = Api::namespaced(mallory.clone(), here);
    let gone = DeleteParams::default();
    assert!(is_forbidden(plane.run(async {
        services.delete("digital-wall-api", &gone).await
    })));
    assert!(is_forbidden(
        plane.run(async { leases.delete(&name, &gone).await })
    ));
    let secrets: Api<Secret> = Api::namespaced(mallory.clone(), here);
    assert!(is_forbidden(plane.run(async { secrets.get("any").await })));
    let pods: Api<Pod> = Api::namespaced(mallory, here);
    assert!(is_forbidden(
        plane.run(async { pods.patch("any", &patch, &nothing).await })
    ));
    assert!(is_forbidden(
        plane.run(async { pods.delete("any", &gone).await })
    ));
}
