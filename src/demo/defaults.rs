//! What the API server fills in, and what it refuses to store.

use super::kind::Kind;
use super::refusal::Refusal;
use super::tree;
use super::world::World;
use serde_json::{Value, json};

/// The most that a ConfigMap or Secret may hold, in bytes.
const DATA_LIMIT: usize = 1_048_576;

/// `kind` and `apiVersion` must be those of the path; absent ones are filled in.
pub(super) fn check_identity(kind: Kind, body: &mut Value) -> Result<(), Refusal> {
    if !body.is_object()
        || body
            .get("metadata")
            .is_some_and(|metadata| !metadata.is_object())
    {
        return Err(Refusal::bad_request(
            "couldn't get version/kind; json parse error: the body is no object",
        ));
    }
    let (version, name) = (kind.api_version(), kind.facts().kind);
    let said = (
        tree::text(body, "/apiVersion").to_owned(),
        tree::text(body, "/kind").to_owned(),
    );
    if (!said.0.is_empty() && said.0 != version) || (!said.1.is_empty() && said.1 != name) {
        let message = format!(
            "the API version in the data ({}) does not match the expected API version ({version})",
            if said.0.is_empty() { &said.1 } else { &said.0 }
        );
        return Err(Refusal::bad_request(message));
    }
    tree::set(body, "/apiVersion", version);
    tree::set(body, "/kind", name);
    if body.get("metadata").is_none() {
        tree::set(body, "/metadata", json!({}));
    }
    Ok(())
}

/// Names are DNS subdomains, as far as it matters here.
pub(super) fn check_name(kind: Kind, name: &str) -> Result<(), Refusal> {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
    };
    let edges = name.bytes().next().into_iter().chain(name.bytes().last());
    if name.len() <= 253
        && name.bytes().all(fits)
        && edges.into_iter().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Ok(());
    }
    let why = format!(
        "Invalid value: {name:?}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
         '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    );
    Err(Refusal::invalid(kind, name, "metadata.name", &why))
}

/// Refuses what a real server refuses to store, as far as clients of ours could send it.
pub(super) fn check(kind: Kind, name: &str, old: &Value, new: &Value) -> Result<(), Refusal> {
    for field in ["labels", "annotations"] {
        check_strings(kind, new, &format!("/metadata/{field}"))?;
    }
    match kind {
        Kind::Deployment | Kind::ReplicaSet => check_workload(kind, name, old, new),
        Kind::Service => {
            check_strings(kind, new, "/spec/selector")?;
            match tree::list(new, "/spec/ports").is_empty()
                && tree::text(new, "/spec/clusterIP") != "None"
            {
                true => Err(Refusal::invalid(kind, name, "spec.ports", "Required value")),
                false => Ok(()),
            }
        }
        Kind::ConfigMap | Kind::Secret => check_data(kind, name, old, new),
        Kind::Lease => match tree::number(new, "/spec/leaseDurationSeconds") {
            Some(seconds) if seconds <= 0 => {
                let why = format!("Invalid value: {seconds}: must be greater than 0");
                Err(Refusal::invalid(
                    kind,
                    name,
                    "spec.leaseDurationSeconds",
                    &why,
                ))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_strings(kind: Kind, new: &Value, pointer: &str) -> Result<(), Refusal> {
    match new.pointer(pointer) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(map)) if map.values().all(Value::is_string) => Ok(()),
        Some(_) => {
            let (name, version) = (kind.facts().kind, kind.api_version());
            let field = pointer.trim_start_matches('/').replace('/', ".");
            let why = format!(
                "{name} in version {version:?} cannot be handled as a {name}: json: cannot unmarshal into Go struct field {name}.{field} of type string"
            );
            Err(Refusal::bad_request(why))
        }
    }
}

fn check_workload(kind: Kind, name: &str, old: &Value, new: &Value) -> Result<(), Refusal> {
    let replicas = tree::number(new, "/spec/replicas").unwrap_or(1);
    if replicas < 0 {
        let why = format!("Invalid value: {replicas}: must be greater than or equal to 0");
        return Err(Refusal::invalid(kind, name, "spec.replicas", &why));
    }
    if !old.is_null() && old["spec"]["selector"] != new["spec"]["selector"] {
        let why = format!(
            "Invalid value: {}: field is immutable",
            new["spec"]["selector"]
        );
        return Err(Refusal::invalid(kind, name, "spec.selector", &why));
    }
    let selector = tree::strings(new, "/spec/selector/matchLabels");
    let labels = tree::strings(new, "/spec/template/metadata/labels");
    if selector.is_empty() {
        return Err(Refusal::invalid(
            kind,
            name,
            "spec.selector",
            "Required value",
        ));
    }
    if !selector.iter().all(|pair| labels.contains(pair)) {
        let shown = json!(
            labels
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>()
        );
        let why = format!("Invalid value: {shown}: `selector` does not match template `labels`");
        return Err(Refusal::invalid(
            kind,
            name,
            "spec.template.metadata.labels",
            &why,
        ));
    }
    let containers = tree::list(new, "/spec/template/spec/containers");
    if containers.is_empty() {
        return Err(Refusal::invalid(
            kind,
            name,
            "spec.template.spec.containers",
            "Required value",
        ));
    }
    match containers
        .iter()
        .position(|container| tree::text(container, "/image").is_empty())
    {
        Some(index) => {
            let field = format!("spec.template.spec.containers[{index}].image");
            Err(Refusal::invalid(kind, name, &field, "Required value"))
        }
        None => Ok(()),
    }
}

fn check_data(kind: Kind, name: &str, old: &Value, new: &Value) -> Result<(), Refusal> {
    if old["immutable"] == true && (old["data"] != new["data"] || new["immutable"] != true) {
        return Err(Refusal::invalid(
            kind,
            name,
            "data",
            "Forbidden: field is immutable when `immutable` is set",
        ));
    }
    check_strings(kind, new, "/data")?;
    let size: usize = tree::strings(new, "/data")
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > DATA_LIMIT {
        let why = format!("Too long: may not be more than {DATA_LIMIT} bytes");
        return Err(Refusal::invalid(kind, name, "data", &why));
    }
    Ok(())
}

impl World {
    /// Fills in what the server would.
    pub(super) fn fill_in(&mut self, kind: Kind, body: &mut Value) {
        match kind {
            Kind::Deployment => {
                tree::default(body, "/spec/replicas", 1);
                tree::default(body, "/spec/revisionHistoryLimit", 10);
                tree::default(body, "/spec/progressDeadlineSeconds", 600);
                tree::default(body, "/spec/strategy/type", "RollingUpdate");
                if tree::text(body, "/spec/strategy/type") == "RollingUpdate" {
                    tree::default(body, "/spec/strategy/rollingUpdate/maxSurge", "25%");
                    tree::default(body, "/spec/strategy/rollingUpdate/maxUnavailable", "25%");
                }
            }
            Kind::Service => {
                let address = format!(
                    "10.96.{}.{}",
                    self.random.range(0, 250),
                    self.random.range(2, 250)
                );
                tree::default(body, "/spec/type", "ClusterIP");
                tree::default(body, "/spec/clusterIP", address);
                tree::default(body, "/spec/sessionAffinity", "None");
                for port in tree::list_mut(body, "/spec/ports") {
                    let number = port["port"].clone();
                    tree::default(port, "/protocol", "TCP");
                    tree::default(port, "/targetPort", number);
                }
                tree::default(body, "/status/loadBalancer", json!({}));
            }
            Kind::Pod => {
                tree::default(body, "/spec/restartPolicy", "Always");
                tree::default(body, "/spec/terminationGracePeriodSeconds", 30);
                tree::set(
                    body,
                    "/status",
                    json!({"phase": "Pending", "qosClass": "Burstable"}),
                );
            }
            Kind::Namespace => tree::default(body, "/status/phase", "Active"),
            _ => {}
        }
    }
}
