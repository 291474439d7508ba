//! Objects of any kind, without kubectl: server-side apply of YAML by the kinds that the API
//! server says it has.

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, Scope, pinned_kind};
use kube::{Client, Error};
use std::collections::HashMap;

/// Applies every document; those of a namespaced kind that name no namespace go to `namespace`.
pub async fn apply(client: &Client, yaml: &str, namespace: &str) {
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(yaml).unwrap_or_else(|why| panic!("{why}\n{yaml}"));
    let mut kinds = HashMap::new();
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        let object: DynamicObject = serde_json::from_value(document).unwrap();
        let (kind, able) = kind_of(client, &object, &mut kinds).await;
        let api = api_of(client, &object, &kind, &able, namespace);
        let name = object.metadata.name.clone().expect("metadata.name");
        let params = PatchParams::apply("tests").force();
        api.patch(&name, &params, &Patch::Apply(&object))
            .await
            .unwrap_or_else(|why| panic!("apply {} {name}: {why}", kind.kind));
    }
}

fn api_of(
    client: &Client,
    object: &DynamicObject,
    kind: &ApiResource,
    able: &ApiCapabilities,
    namespace: &str,
) -> Api<DynamicObject> {
    let client = client.clone();
    match able.scope {
        Scope::Cluster => Api::all_with(client, kind),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
            Api::namespaced_with(client, namespace, kind)
        }
    }
}

type Kinds = HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>;

async fn kind_of(
    client: &Client,
    object: &DynamicObject,
    known: &mut Kinds,
) -> (ApiResource, ApiCapabilities) {
    let types = object.types.as_ref().expect("apiVersion and kind");
    let wanted = GroupVersionKind::try_from(types).unwrap();
    if let Some(found) = known.get(&wanted) {
        return found.clone();
    }
    let found = pinned_kind(client, &wanted)
        .await
        .unwrap_or_else(|why| panic!("no kind {} {}: {why}", types.api_version, types.kind));
    known.insert(wanted, found.clone());
    found
}

/// What a read found, where not to be there is an answer and not a failure.
pub fn found<T>(read: Result<T, Error>) -> Option<T> {
    match read {
        Ok(object) => Some(object),
        Err(Error::Api(status)) if status.is_not_found() => None,
        Err(why) => panic!("{why}"),
    }
}
