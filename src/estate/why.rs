//! Why a pod is not ready, in the words of whoever knows: kubelet, scheduler, probe.

use jiff::{SignedDuration, Timestamp};

use super::{Container, ContainerState, Ended, Estate, Event, Pod, Safe};

/// Why a pod is not ready.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// A word or two: `CrashLoopBackOff`, `readiness probe`, `unschedulable`.
    pub short: Safe,
    /// A sentence with the evidence.
    pub detail: Safe,
    /// Since when, where it is known.
    pub since: Option<Timestamp>,
}

impl Estate {
    /// Why `pod` is not ready; none if it is, or if it finished.
    pub fn why_not_ready(&self, pod: &Pod) -> Option<Why> {
        let unsaid = match self.events.listed && self.events.fault.is_none() {
            true => "no event says why",
            false => "its events are not seen",
        };
        not_ready(pod, self.events.value.iter(), (self.cluster.told, unsaid))
    }
}

/// The same; `events` are those of its namespace; the server's clock, where it is known, and what is said where no event says
/// why.
fn not_ready<'a>(
    pod: &Pod,
    events: impl Iterator<Item = &'a Event> + Clone,
    of: (Option<Timestamp>, &str),
) -> Option<Why> {
    if pod.is_finished() || (pod.ready && pod.deleting.is_none()) {
        return None;
    }
    let (short, detail) = leaving(pod)
        .or_else(|| unplaced(pod))
        .or_else(|| failed(pod))
        .or_else(|| pod.containers.iter().find_map(stuck))
        .or_else(|| unready(pod, events.clone(), of))
        .or_else(|| held_up(pod, events))
        .or_else(|| gated(pod))
        .unwrap_or_else(|| starting(pod));
    Some(Why {
        short: Safe::new(&short),
        detail: Safe::new(&detail),
        since: pod.deleting.or(pod.ready_changed).or(pod.created),
    })
}

type Words = (String, String);

fn leaving(pod: &Pod) -> Option<Words> {
    pod.deleting?;
    Some(("terminating".into(), "it was asked to stop".into()))
}

fn unplaced(pod: &Pod) -> Option<Words> {
    let why = pod.unschedulable.as_ref()?;
    Some(("unschedulable".into(), why.to_string()))
}

fn failed(pod: &Pod) -> Option<Words> {
    if pod.phase.as_str() != "Failed" {
        return None;
    }
    let ended = (pod.containers.iter()).find_map(|c| match &c.state {
        ContainerState::Terminated(ended) if ended.exit_code != 0 => Some((c, ended)),
        _ => None,
    });
    let reason = pod.reason.as_ref().map(Safe::to_string);
    Some((
        "failed".into(),
        match (reason, ended) {
            (Some(reason), _) => reason,
            (None, Some((container, ended))) => format!("{} {}", container.name, exit(ended)),
            (None, None) => "the pod failed".into(),
        },
    ))
}

/// A container that waits for something that does not come by itself, or that ended badly.
fn stuck(container: &Container) -> Option<Words> {
    let name = &container.name;
    match &container.state {
        ContainerState::Waiting { reason, message } => {
            if matches!(reason.as_str(), "ContainerCreating" | "PodInitializing") {
                return None;
            }
            let last = container.last.as_ref().map(exit);
            let words = match (reason.as_str(), last, message) {
                ("CrashLoopBackOff", Some(last), _) => {
                    format!("{name} {last}, {} restarts", container.restarts)
                }
                (_, _, Some(message)) => format!("{name}: {message}"),
                (_, Some(last), None) => format!("{name} {last}"),
                (_, None, None) => format!("{name} waits"),
            };
            Some((reason.to_string(), words))
        }
        ContainerState::Terminated(ended) if !(is_step(container) && ended.exit_code == 0) => {
            Some((ended.reason.to_string(), format!("{name} {}", exit(ended))))
        }
        _ => None,
    }
}

/// Whether the containers after it wait for its end; a sidecar is to go on.
fn is_step(container: &Container) -> bool {
    container.init && !container.sidecar
}

/// How a container ended, in words: `OOMKilled (exit 137)`.
pub fn exit(ended: &Ended) -> String {
    let message = ended.message.as_ref().filter(|m| !m.is_empty());
    let tail = message.map(|m| format!(": {m}")).unwrap_or_default();
    format!("{} (exit {}){tail}", ended.reason, ended.exit_code)
}

/// A container of that age is not starting any more, where no probe was said to have failed: probes that wait for minutes first
/// say nothing before.
const STARTS: SignedDuration = SignedDuration::from_secs(300);

/// A container runs and is not ready: the newest word of its probe.
fn unready<'a>(
    pod: &Pod,
    events: impl Iterator<Item = &'a Event>,
    (now, unsaid): (Option<Timestamp>, &str),
) -> Option<Words> {
    let (waiting, began) = (pod.containers.iter()).find_map(|c| match c.state {
        ContainerState::Running { since } if !is_step(c) && !c.ready => Some((c, since)),
        _ => None,
    })?;
    let probe = waiting
        .probe
        .as_ref()
        .map_or(String::new(), |p| format!("{p} · "));
    // What was said of the container before this one, or by a probe that decides of no traffic, is not why.
    let is_of_it = |e: &&Event| {
        let is_after = began.is_none_or(|began| e.last.is_none_or(|last| last >= began));
        is_after && !e.message.starts_with("Liveness probe")
    };
    let said = events
        .filter(|e| e.object_uid == pod.uid && e.reason.as_str() == "Unhealthy")
        .filter(is_of_it)
        .max_by_key(|e| e.last);
    let last = waiting.last.as_ref().filter(|_| waiting.restarts > 0);
    let last = last.filter(|it| it.exit_code != 0);
    let last = last.map_or_else(String::new, |it| format!("after {}: ", exit(it)));
    let words = match said {
        Some(event) => event.message.to_string(),
        None if waiting.restarts > 0 => format!("{} restarted, not ready yet", waiting.name),
        None if is_old(pod, began, now) => {
            format!("{} is not ready, and {unsaid}", waiting.name)
        }
        // No probe was said to have failed: it has just started.
        None => {
            let words = format!("{probe}{} is not ready yet", waiting.name);
            return Some(("starting".into(), words));
        }
    };
    let words = words
        .trim_start_matches("Readiness probe failed: ")
        .to_owned();
    Some(("not ready".into(), format!("{last}{probe}{words}")))
}

/// Whether a container that began then is not starting any more: it runs for long, or its pod was ready since.
fn is_old(pod: &Pod, began: Option<Timestamp>, now: Option<Timestamp>) -> bool {
    let Some(began) = began else {
        return false;
    };
    let was_ready = pod.ready_changed.is_some_and(|changed| changed > began);
    was_ready || now.is_some_and(|now| now.duration_since(began) > STARTS)
}

/// Its containers are ready, and a gate is closed: whoever opens that looks at more than the pod.
fn gated(pod: &Pod) -> Option<Words> {
    let mut containers = pod.containers.iter().filter(|c| !is_step(c));
    let gate = pod.gates.first()?;
    (containers.all(|c| c.ready)).then(|| ("readiness gate".into(), format!("{gate} is not True")))
}

/// What the kubelet says of a pod whose containers it cannot make: no status tells that.
const HELD_UP: [&str; 4] = [
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
    "NetworkNotReady",
];

fn held_up<'a>(pod: &Pod, events: impl Iterator<Item = &'a Event>) -> Option<Words> {
    let is_waiting = |c: &Container| matches!(c.state, ContainerState::Waiting { .. });
    if !pod.containers.iter().all(is_waiting) {
        return None;
    }
    let said = events
        .filter(|e| e.object_uid == pod.uid)
        .max_by_key(|e| e.last)
        // What was said before its last word is over.
        .filter(|e| HELD_UP.contains(&e.reason.as_str()))?;
    Some((said.reason.to_string(), said.message.to_string()))
}

fn starting(pod: &Pod) -> Words {
    let running = |c: &&Container| is_step(c) && matches!(c.state, ContainerState::Running { .. });
    if let Some(init) = pod.containers.iter().find(running) {
        return (
            "starting".into(),
            format!("init container {} runs", init.name),
        );
    }
    let creating =
        (pod.containers.iter()).find(|c| matches!(c.state, ContainerState::Waiting { .. }));
    match creating {
        Some(c) if c.init => (
            "starting".into(),
            format!("init container {} waits", c.name),
        ),
        Some(c) => (
            "starting".into(),
            format!("container {} is being created", c.name),
        ),
        None if pod.node.is_none() => ("pending".into(), "no node yet".into()),
        None => ("starting".into(), format!("phase {}", pod.phase)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::pods::tests::pod;
    use super::*;

    fn words(pod: &Pod, events: &[Event]) -> (String, String) {
        let why = not_ready(pod, events.iter(), (None, "")).unwrap();
        (why.short.to_string(), why.detail.to_string())
    }

    fn ended(reason: &str, exit_code: i32) -> Ended {
        Ended {
            reason: reason.into(),
            exit_code,
            at: None,
            message: None,
        }
    }

    /// The newest word of a probe of that pod.
    fn unhealthy(pod: &Pod) -> Event {
        Event {
            name: "e".into(),
            object_kind: "Pod".into(),
            object: "a".into(),
            object_uid: pod.uid.clone(),
            is_warning: true,
            reason: "Unhealthy".into(),
            message: "Readiness probe failed: 503".into(),
            count: 1,
            last: Timestamp::from_second(1).ok(),
        }
    }

    #[test]
    fn what_ended_the_container_before_is_said_of_one_that_runs_again_and_old_words_are_not() {
        let mut pod = pod("a", "backend", "green", false);
        let container = &mut pod.containers[0];
        container.state = ContainerState::Running {
            since: Timestamp::from_second(100).ok(),
        };
        (container.ready, container.restarts) = (false, 2);
        (container.probe, container.last) = (None, Some(ended("OOMKilled", 137)));
        let at = |second, message: &str| Event {
            last: Timestamp::from_second(second).ok(),
            message: message.into(),
            ..unhealthy(&pod)
        };
        let older = at(99, "Readiness probe failed: refused");
        let (newer, other) = (
            at(105, "Readiness probe failed: 503"),
            at(110, "Liveness probe failed: 500"),
        );
        let events = [older, newer, other];
        assert_eq!(words(&pod, &events).1, "after OOMKilled (exit 137): 503");
        assert_eq!(
            words(&pod, &events[..1]).1,
            "after OOMKilled (exit 137): backend restarted, not ready yet"
        );
    }

    #[test]
    fn a_ready_pod_needs_no_reason() {
        assert_eq!(
            not_ready(&pod("a", "backend", "green", true), [].iter(), (None, "")),
            None
        );
    }

    #[test]
    fn a_crash_loop_says_how_it_ended() {
        let mut pod = pod("a", "backend", "green", false);
        pod.containers[0].state = ContainerState::Waiting {
            reason: "CrashLoopBackOff".into(),
            message: Some("back-off 40s".into()),
        };
        pod.containers[0].last = Some(ended("OOMKilled", 137));
        pod.containers[0].restarts = 4;
        let (short, detail) = words(&pod, &[]);
        assert_eq!(short, "CrashLoopBackOff");
        assert_eq!(detail, "backend OOMKilled (exit 137), 4 restarts");
    }

    #[test]
    fn a_volume_that_cannot_be_mounted_is_said_in_the_kubelets_words() {
        let mut pod = pod("a", "backend", "green", false);
        for container in &mut pod.containers {
            container.state = ContainerState::Waiting {
                reason: "ContainerCreating".into(),
                message: None,
            };
        }
        let event = Event {
            name: "e".into(),
            object_kind: "Pod".into(),
            object: "a".into(),
            object_uid: pod.uid.clone(),
            is_warning: true,
            reason: "FailedMount".into(),
            message: "secret \"tls\" not found".into(),
            count: 1,
            last: Timestamp::from_second(1).ok(),
        };
        let (short, detail) = words(&pod, std::slice::from_ref(&event));
        assert_eq!(
            (short.as_str(), detail.as_str()),
            ("FailedMount", "secret \"tls\" not found")
        );
        let other = Event {
            object_uid: "another".into(),
            ..event
        };
        assert_eq!(words(&pod, &[other]).0, "starting");
        let mut init = pod.containers[0].clone();
        (init.init, init.name) = (true, "migrate".into());
        init.state = ContainerState::Running { since: None };
        pod.containers.insert(0, init);
        assert_eq!(words(&pod, &[]).1, "init container migrate runs");
    }

    #[test]
    fn a_sidecar_that_is_not_ready_is_named_and_one_that_runs_is_no_step() {
        let mut pod = pod("a", "backend", "green", false);
        let mut proxy = pod.containers[0].clone();
        (proxy.init, proxy.sidecar, proxy.name) = (true, true, "proxy".into());
        (proxy.probe, proxy.restarts) = (Some("GET /healthz".into()), 0);
        pod.containers.insert(0, proxy);
        pod.containers[1].ready = true;
        let event = unhealthy(&pod);
        let said = words(&pod, std::slice::from_ref(&event));
        assert_eq!(said, ("not ready".into(), "GET /healthz · 503".into()));
        assert_eq!(words(&pod, &[]).1, "GET /healthz · proxy is not ready yet");
        pod.containers[0].ready = true;
        pod.containers[1].state = ContainerState::Waiting {
            reason: "ContainerCreating".into(),
            message: None,
        };
        assert_eq!(words(&pod, &[]).1, "container backend is being created");
    }

    #[test]
    fn an_image_that_cannot_be_pulled_says_which() {
        let mut pod = pod("a", "backend", "green", false);
        pod.containers[0].state = ContainerState::Waiting {
            reason: "ImagePullBackOff".into(),
            message: Some("Back-off pulling image \"ghcr.io/acme/x:1\"".into()),
        };
        let (short, detail) = words(&pod, &[]);
        assert_eq!(short, "ImagePullBackOff");
        assert!(detail.contains("ghcr.io/acme/x:1"), "{detail}");
    }

    #[test]
    fn a_failing_probe_is_quoted_from_its_newest_event() {
        let mut pod = pod("a", "backend", "green", false);
        pod.containers[0].probe = Some("GET /ready".into());
        let event = |second, message: &str| Event {
            name: format!("e{second}").into(),
            object_kind: "Pod".into(),
            object: "a".into(),
            object_uid: "uid-a".into(),
            is_warning: true,
            reason: "Unhealthy".into(),
            message: message.into(),
            count: 1,
            last: Timestamp::from_second(second).ok(),
        };
        let events = [
            event(2, "Readiness probe failed: 503"),
            event(1, "Readiness probe failed: 500"),
        ];
        assert_eq!(words(&pod, &events).1, "GET /ready · 503");
    }

    #[test]
    fn what_runs_for_long_is_not_starting_and_no_event_that_says_why_is_said() {
        let at = |second| Timestamp::from_second(second).ok();
        let mut pod = pod("a", "backend", "green", false);
        pod.containers[0].probe = Some("GET /ready".into());
        (pod.containers[0].restarts, pod.ready_changed) = (0, at(1_000));
        pod.containers[0].state = ContainerState::Running { since: at(1_000) };
        let words = |pod: &Pod, now| {
            let why = not_ready(pod, [].iter(), (now, "no event says why")).unwrap();
            (why.short.to_string(), why.detail.to_string())
        };
        assert_eq!(words(&pod, None).0, "starting");
        assert_eq!(words(&pod, at(1_300)).0, "starting");
        let unknown = "GET /ready · backend is not ready, and no event says why";
        let said = ("not ready".to_owned(), unknown.to_owned());
        assert_eq!(words(&pod, at(1_301)), said);
        // It was ready, and is not any more.
        pod.ready_changed = at(1_030);
        assert_eq!(words(&pod, at(1_031)), said);
    }

    #[test]
    fn a_gate_is_no_reason_before_the_containers_are_ready() {
        let mut pod = pod("a", "backend", "green", false);
        pod.gates = vec!["target-health".into()];
        pod.containers[0].state = ContainerState::Running { since: None };
        let event = unhealthy(&pod);
        assert!(words(&pod, &[event]).1.ends_with("503"));
        pod.containers[0].ready = true;
        let (short, detail) = words(&pod, &[]);
        assert_eq!(short, "readiness gate");
        assert_eq!(detail, "target-health is not True");
        pod.containers[0].ready = false;
        pod.containers[0].state = ContainerState::Waiting {
            reason: "ContainerCreating".into(),
            message: None,
        };
        assert_eq!(words(&pod, &[]).0, "starting");
    }

    #[test]
    fn an_unschedulable_pod_quotes_the_scheduler() {
        let mut pod = pod("a", "backend", "green", false);
        pod.phase = "Pending".into();
        pod.unschedulable = Some("0/3 nodes are available: 3 Insufficient cpu.".into());
        assert_eq!(words(&pod, &[]).0, "unschedulable");
    }
}
