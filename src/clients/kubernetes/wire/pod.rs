//! Pods: what runs, whether it is ready, and why not.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Interner, Meta, Place, PortName, Projected, WireCondition, empty};
use crate::clients::mask::masked;
use crate::estate::{Container, ContainerState, Ended, Image, Kind, Pod, Safe};

#[derive(Deserialize)]
pub(in super::super) struct WirePod {
    metadata: Option<Meta>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<Safe>,
    containers: Option<Vec<SpecContainer>>,
    init_containers: Option<Vec<SpecContainer>>,
    readiness_gates: Option<Vec<Gate>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecContainer {
    name: Option<Safe>,
    image: Option<Safe>,
    readiness_probe: Option<Probe>,
    ports: Option<Vec<ContainerPort>>,
    restart_policy: Option<Safe>,
}

impl SpecContainer {
    /// Whether an init container goes on beside the others.
    fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPort {
    name: Option<Safe>,
    container_port: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    condition_type: Option<Safe>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    http_get: Option<HttpGet>,
    tcp_socket: Option<Socket>,
    grpc: Option<Socket>,
    exec: Option<Exec>,
    period_seconds: Option<i64>,
}

#[derive(Deserialize)]
struct HttpGet {
    path: Option<Safe>,
    port: Option<PortName>,
    scheme: Option<Safe>,
}

#[derive(Deserialize)]
struct Socket {
    port: Option<PortName>,
}

#[derive(Deserialize)]
struct Exec {
    command: Option<Vec<Safe>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<Safe>,
    reason: Option<Safe>,
    message: Option<Safe>,
    conditions: Option<Vec<WireCondition>>,
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: Option<Safe>,
    ready: Option<bool>,
    restart_count: Option<u32>,
    #[serde(rename = "imageID")]
    image_id: Option<Safe>,
    state: Option<State>,
    last_state: Option<State>,
}

#[derive(Default, Deserialize)]
struct State {
    waiting: Option<Waiting>,
    running: Option<Running>,
    terminated: Option<Terminated>,
}

#[derive(Deserialize)]
struct Waiting {
    reason: Option<Safe>,
    message: Option<Safe>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    started_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    reason: Option<Safe>,
    message: Option<Safe>,
    exit_code: Option<i32>,
    finished_at: Option<Timestamp>,
}

impl Projected for Pod {
    const PLACE: Place = Place {
        group: "",
        version: "v1",
        kind: "Pod",
        watched: Kind::Pods,
    };
    type Wire = WirePod;

    fn meta(wire: &mut WirePod) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(mut meta: Meta, wire: WirePod) -> Option<Self> {
        let annotations = meta.annotations.take().unwrap_or_default();
        let spec = wire.spec.unwrap_or_default();
        let status = wire.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|c| c.kind.as_deref() == Some(kind));
        let is_true = |c: &WireCondition| c.status.as_deref() == Some("True");
        let ready = condition("Ready");
        let gates = spec.readiness_gates.into_iter().flatten();
        let gates = gates.filter_map(|gate| gate.condition_type);
        let unscheduled =
            condition("PodScheduled").filter(|c| c.status.as_deref() == Some("False"));
        let init = spec.init_containers.unwrap_or_default();
        let main = spec.containers.unwrap_or_default();
        // In the order in which the API looks for a name.
        let sidecars = init.iter().filter(|container| container.is_sidecar());
        let ports = main.iter().chain(sidecars).flat_map(named_ports).collect();
        let mut containers = Vec::with_capacity(init.len() + main.len());
        put(&mut containers, true, init, status.init_container_statuses);
        put(&mut containers, false, main, status.container_statuses);
        Some(Self {
            name: meta.name(),
            owner: meta.owner(),
            uid: meta.uid.unwrap_or_else(empty),
            labels: meta.labels.0,
            created: meta.creation_timestamp,
            deleting: meta.deletion_timestamp,
            node: spec.node_name,
            phase: status.phase.unwrap_or_else(empty),
            ready: ready.is_some_and(is_true),
            ready_changed: ready.and_then(|c| c.last_transition_time),
            reason: joined(status.reason, status.message),
            unschedulable: unscheduled.and_then(|c| c.message.clone().or_else(|| c.reason.clone())),
            gates: gates
                .filter(|gate| !condition(gate).is_some_and(is_true))
                .collect(),
            containers,
            default_container: annotations.default_container,
            ports,
        })
    }

    fn intern(&mut self, interner: &mut Interner) {
        interner.labels(&mut self.labels);
        interner.ports(&mut self.ports);
        interner.text(&mut self.phase);
        interner.maybe(&mut self.node);
        interner.maybe(&mut self.owner);
        interner.maybe(&mut self.default_container);
        interner.maybe(&mut self.reason);
        interner.maybe(&mut self.unschedulable);
        for container in &mut self.containers {
            interner.text(&mut container.name);
            interner.text(&mut container.image.name);
            interner.maybe(&mut container.image.digest);
            interner.maybe(&mut container.probe);
            match &mut container.state {
                ContainerState::Waiting { reason, .. } => interner.text(reason),
                ContainerState::Terminated(ended) => interner.ended(ended),
                ContainerState::Running { .. } | ContainerState::Unknown => {}
            }
            if let Some(last) = &mut container.last {
                interner.ended(last);
            }
        }
    }
}

/// The ports of a container that a Service may name. One without a name, or with an impossible number, is none.
fn named_ports(container: &SpecContainer) -> impl Iterator<Item = (Safe, u16)> {
    let ports = container.ports.iter().flatten();
    ports.filter_map(|port| {
        let number = u16::try_from(port.container_port?).ok()?;
        Some((port.name.clone()?, number))
    })
}

/// Joins the containers of the spec with their statuses, by name.
fn put(
    containers: &mut Vec<Container>,
    init: bool,
    spec: Vec<SpecContainer>,
    statuses: Option<Vec<ContainerStatus>>,
) {
    let mut statuses = statuses.unwrap_or_default();
    for container in spec {
        let sidecar = init && container.is_sidecar();
        let name = container.name.unwrap_or_else(empty);
        let place = statuses.iter().position(|s| s.name.as_ref() == Some(&name));
        let status = place.map(|place| statuses.swap_remove(place));
        containers.push(Container {
            init,
            sidecar,
            image: Image {
                name: container.image.unwrap_or_else(empty),
                digest: status.as_ref().and_then(|s| digest(s.image_id.as_ref()?)),
            },
            ready: status.as_ref().and_then(|s| s.ready).unwrap_or(false),
            restarts: status.as_ref().and_then(|s| s.restart_count).unwrap_or(0),
            probe: container.readiness_probe.and_then(probe),
            last: (status
                .as_ref()
                .and_then(|s| s.last_state.as_ref()?.terminated.as_ref()))
            .map(ended),
            state: status
                .and_then(|s| s.state)
                .map_or(ContainerState::Unknown, state),
            name,
        });
    }
}

fn state(wire: State) -> ContainerState {
    if let Some(terminated) = &wire.terminated {
        ContainerState::Terminated(ended(terminated))
    } else if let Some(running) = wire.running {
        ContainerState::Running {
            since: running.started_at,
        }
    } else if let Some(waiting) = wire.waiting {
        ContainerState::Waiting {
            reason: waiting.reason.unwrap_or_else(empty),
            message: waiting.message.filter(|m| !m.is_empty()),
        }
    } else {
        ContainerState::Unknown
    }
}

fn ended(wire: &Terminated) -> Ended {
    Ended {
        reason: wire.reason.clone().unwrap_or_else(empty),
        exit_code: wire.exit_code.unwrap_or(0),
        at: wire.finished_at,
        // The last words of a program, on the screen and in records.
        message: wire.message.as_ref().filter(|m| !m.is_empty()).map(masked),
    }
}

/// `sha256:…` of an imageID, which may have a registry, a repository or a scheme before it.
fn digest(id: &Safe) -> Option<Safe> {
    let digest = id.rsplit('@').next().unwrap_or_default();
    digest.starts_with("sha256:").then(|| digest.into())
}

fn joined(reason: Option<Safe>, message: Option<Safe>) -> Option<Safe> {
    match (reason, message.filter(|m| !m.is_empty())) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}").into()),
        (reason, message) => reason.or(message).filter(|r| !r.is_empty()),
    }
}

/// A readiness probe in words.
fn probe(probe: Probe) -> Option<Safe> {
    let port = |port: Option<PortName>| port.map_or_else(String::new, |p| format!(" :{p}"));
    let what = if let Some(get) = probe.http_get {
        let https = get.scheme.as_deref() == Some("HTTPS");
        let path = get.path.as_deref().unwrap_or("/").to_owned();
        format!(
            "GET{} {path}{}",
            if https { " https" } else { "" },
            port(get.port)
        )
    } else if let Some(socket) = probe.tcp_socket {
        format!("TCP{}", port(socket.port))
    } else if let Some(socket) = probe.grpc {
        format!("gRPC{}", port(socket.port))
    } else {
        let command = probe.exec?.command.unwrap_or_default();
        format!(
            "exec {}",
            command
                .iter()
                .map(Safe::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        )
    };
    // The API server fills in 10 where nothing is set.
    Some(format!("{what} every {}s", probe.period_seconds.unwrap_or(10)).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn i_60_a_secret_in_the_last_words_of_a_container_is_not_told() {
        let wire =
            r#"{"reason": "Error", "exitCode": 1, "message": "no database: password=hunter2"}"#;
        let ended = ended(&serde_json::from_str(wire).unwrap());
        assert_eq!(ended.message.unwrap().as_str(), "no database: password=***");
    }
}
