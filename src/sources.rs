//! What is watched, and how often it is asked: all of it on this page.
//!
//! | kind | of the namespace | re-opened every |
//! | --- | --- | --- |
//! | Services | all (a selector would miss them; a namespace has few) | 25 s |
//! | EndpointSlices | those of the Services of the switch, by Kubernetes' own label; without a switch all | 25 s |
//! | Deployments, Pods | those with the environment's labels | 35, 40 s |
//! | ReplicaSets | those with the environment's labels | 45 s |
//! | HorizontalPodAutoscalers, Events | all (they carry no labels of the application); the newest 500 Events of our kinds | 50, 55 s |
//! | Leases, records | those of operations, by a label of ours; records in the namespace that the configuration names | 56, 58 s |
//! | the policy | one ConfigMap, by its name, where records are kept | 60 s |
//!
//! Prometheus' rules and targets and Alertmanager's alerts are asked for every 10 s ([`alerts`]); a
//! workflow's runs every 5 s while one goes on and every 30 to 60 s otherwise, with ETags ([`github`]).
//!
//! The periods differ so that re-openings do not meet; a connection that died in silence is found one
//! period and five seconds later, or with the first pulse that fails. The pulse: every 10 s, 5 s to
//! answer. Failures: 0.8 s, doubling to 30 s, with jitter, and at once when the server is back.
//! Rights: every 5 min while the environment may be changed, every 30 s while one is lacking.
//! Alerting rules, scrape targets and what Alertmanager knows: every 10 s, 5 s to answer.

use std::time::Duration;

use crate::estate::Kind;
use crate::estate::feed::PULSE_MS;

pub mod alerts;
pub mod chart;
pub mod github;
pub mod kubernetes;
mod log;
pub mod rights;

/// How often what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two pulses.
    pub pulse: Duration,
    /// For the answer to a pulse.
    pub answer: Duration,
    /// The first and the longest pause after a failure.
    pub pauses: [Duration; 2],
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pulse: Duration::from_millis(PULSE_MS),
            answer: Duration::from_secs(5),
            pauses: [Duration::from_millis(800), Duration::from_secs(30)],
        }
    }
}

/// Seconds after which a watch of `kind` is opened again.
pub fn period(kind: Kind) -> u32 {
    match kind {
        Kind::Services | Kind::EndpointSlices => 25,
        Kind::Deployments => 35,
        Kind::Pods => 40,
        Kind::ReplicaSets => 45,
        Kind::HorizontalPodAutoscalers => 50,
        Kind::Events => 55,
        Kind::Leases => 56,
        Kind::Records => 58,
        Kind::Policy => 60,
    }
}

/// What is watched of an environment, by labels; empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Of its Deployments, Pods and ReplicaSets.
    pub workloads: String,
    /// Of its EndpointSlices.
    pub slices: String,
}

impl Selectors {
    /// The one that applies to `kind`.
    pub fn of(&self, kind: Kind) -> &str {
        match kind {
            Kind::Deployments | Kind::Pods | Kind::ReplicaSets => &self.workloads,
            Kind::EndpointSlices => &self.slices,
            Kind::Services
            | Kind::HorizontalPodAutoscalers
            | Kind::Events
            | Kind::Leases
            | Kind::Records
            | Kind::Policy => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n02_a_watch_whose_connection_died_in_silence_is_opened_anew_within_65_s() {
        let periods = Kind::ALL.map(period);
        // Five seconds after its period it is given up (`clients::kubernetes::watch`).
        assert!(periods.iter().all(|period| period + 5 <= 65), "{periods:?}");
    }
}
