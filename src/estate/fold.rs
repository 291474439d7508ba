//! One environment as observed, folded from [`Observation`]s.

use std::collections::BTreeSet;

use super::alerts::{AlertScope, Alerts};
use super::feed::{Currency, Fault, Feed, Moment, Now};
use super::helm::AskedHelm;
use super::{
    Autoscaler, Deployment, Event, Granted, Kind, Lease, Pod, PodIndex, Policy, Record, ReplicaSet,
    Safe, Scope, Seen, Service, Slice, Table, Turn,
};

/// An environment as observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Estate {
    /// What it consists of, by configuration.
    pub scope: Scope,
    /// Services.
    pub services: Feed<Table<Service>>,
    /// EndpointSlices.
    pub slices: Feed<Table<Slice>>,
    /// Deployments.
    pub deployments: Feed<Table<Deployment>>,
    /// Pods.
    pub pods: Feed<Table<Pod>>,
    /// ReplicaSets.
    pub replica_sets: Feed<Table<ReplicaSet>>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Feed<Table<Autoscaler>>,
    /// Events.
    pub events: Feed<Table<Event>>,
    /// Leases of operations.
    pub leases: Feed<Table<Lease>>,
    /// Records of operations, and approvals.
    pub records: Feed<Table<Record>>,
    /// The policy: one object or none.
    pub policies: Feed<Table<Policy>>,
    /// Pods, counted and ordered.
    pub index: PodIndex,
    /// The API server.
    pub cluster: Cluster,
    /// Alerts; none where no Prometheus is configured.
    pub alerts: Option<Alerts>,
    /// What helm said of the release that a deploy is about; none where nobody asked.
    pub helm: Option<AskedHelm>,
    /// The workflow's runs of the commits that are asked for; none where nobody asked.
    pub ci: Option<super::ci::Runs>,
    /// Until when our credential holds; none where nobody looked.
    pub credential: Option<Lasting>,
    /// What we may do, by access reviews; empty where nobody asked.
    pub rights: Vec<Granted>,
    /// Who we are to the API: empty where it does not say; none where nobody asked.
    pub user: Option<Safe>,
    /// Who turned the traffic while it was watched, the newest first: the API knows the last of each Service alone.
    pub turns: Vec<Turn>,
    open: BTreeSet<Kind>,
}

/// The API server as far as it was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// The kube context that it was found by, once it was: what `current` meant then.
    pub context: Option<Safe>,
    /// Its version, such as `v1.37.2`.
    pub version: Option<Safe>,
    /// When it last answered.
    pub answered: Option<Moment>,
    /// Why it does not.
    pub fault: Option<Fault>,
    /// Server clock minus ours in milliseconds, at the last answer that said.
    pub skew_ms: Option<i64>,
    /// The server's clock, at the same answer.
    pub told: Option<jiff::Timestamp>,
}

/// How long the credential holds by which we are known to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// In words: `client certificate`, `token of the plugin aws`.
    pub way: Safe,
    /// Until when, where it says so itself.
    pub until: Option<jiff::Timestamp>,
    /// Whether it is renewed without a person.
    pub is_renewed: bool,
}

impl Lasting {
    /// When it ends, unless it is renewed without a person.
    pub fn end(&self) -> Option<jiff::Timestamp> {
        self.until.filter(|_| !self.is_renewed)
    }
}

impl Estate {
    /// An environment of which nothing was seen yet; without `alerts` it has no Prometheus.
    pub fn new(scope: Scope, alerts: Option<AlertScope>) -> Self {
        Self {
            scope,
            services: Feed::default(),
            slices: Feed::default(),
            deployments: Feed::default(),
            pods: Feed::default(),
            replica_sets: Feed::default(),
            autoscalers: Feed::default(),
            events: Feed::default(),
            leases: Feed::default(),
            records: Feed::default(),
            policies: Feed::default(),
            index: PodIndex::default(),
            cluster: Cluster::default(),
            alerts: alerts.map(Alerts::new),
            helm: None,
            ci: None,
            credential: None,
            rights: Vec::new(),
            user: None,
            turns: Vec::new(),
            open: BTreeSet::new(),
        }
    }

    /// Folds in what was seen at `now`. A log is not the estate's and changes nothing.
    pub fn apply(&mut self, seen: Seen, now: Now) {
        let at = now.at;
        match seen {
            Seen::Pods(delta) => {
                let (index, scope) = (&mut self.index, &self.scope);
                let ended = (self.pods.value)
                    .apply(delta, |table, turnover| index.turn(table, &turnover, scope));
                self.took(Kind::Pods, ended, at);
            }
            Seen::Deployments(delta) => {
                let ended = self.deployments.value.apply(delta, |_, _| ());
                self.took(Kind::Deployments, ended, at);
            }
            Seen::ReplicaSets(delta) => {
                let ended = self.replica_sets.value.apply(delta, |_, _| ());
                self.took(Kind::ReplicaSets, ended, at);
            }
            Seen::Services(delta) => {
                let before = self.turns_now();
                let ended = self.services.value.apply(delta, |_, _| ());
                self.took(Kind::Services, ended, at);
                self.keep_turns(before);
            }
            Seen::Slices(delta) => {
                let ended = self.slices.value.apply(delta, |_, _| ());
                self.took(Kind::EndpointSlices, ended, at);
            }
            Seen::Autoscalers(delta) => {
                let ended = self.autoscalers.value.apply(delta, |_, _| ());
                self.took(Kind::HorizontalPodAutoscalers, ended, at);
            }
            Seen::Events(delta) => {
                let ended = self.events.value.apply(delta, |_, _| ());
                self.took(Kind::Events, ended, at);
            }
            Seen::Leases(delta) => {
                let ended = self.leases.value.apply(delta, |_, _| ());
                self.took(Kind::Leases, ended, at);
            }
            Seen::Records(delta) => {
                let ended = self.records.value.apply(delta, |_, _| ());
                self.took(Kind::Records, ended, at);
            }
            Seen::Policies(delta) => {
                let ended = self.policies.value.apply(delta, |_, _| ());
                self.took(Kind::Policy, ended, at);
                self.tighten();
            }
            Seen::Opened(kind) => {
                self.open.insert(kind);
                self.feed_mut(kind).confirm(at);
            }
            Seen::Failed(kind, fault) => {
                self.open.remove(&kind);
                self.feed_mut(kind).fail(fault);
            }
            Seen::Pulse { server } => self.answered(server.map(|s| (s, now.wall)), at),
            Seen::NoPulse(fault) => {
                for kind in Kind::ALL {
                    self.feed_mut(kind).fail(fault.clone());
                }
                self.cluster.fault = Some(fault);
            }
            Seen::Connected(context) => self.cluster.context = Some(context),
            Seen::Version(version) => self.cluster.version = Some(version),
            Seen::Rights(rights) => self.rights = rights,
            Seen::Alerts(seen) => {
                if let Some(alerts) = &mut self.alerts {
                    alerts.apply(seen, at);
                }
            }
            Seen::Log(..) => {}
        }
    }

    /// The cluster as people call it: the context that the configuration names or, where it names
    /// none, the one that was found to be the current.
    pub fn context(&self) -> &Safe {
        self.cluster.context.as_ref().unwrap_or(&self.scope.context)
    }

    /// A delta of `kind` was folded in.
    fn took(&mut self, kind: Kind, ended: bool, at: Moment) {
        let open = self.open.contains(&kind);
        let feed = self.feed_mut(kind);
        if ended {
            feed.listed();
        }
        if ended || open {
            feed.confirm(at);
        }
    }

    /// The server answered: what is watched through it is current.
    fn answered(&mut self, clocks: Option<(jiff::Timestamp, jiff::Timestamp)>, at: Moment) {
        for kind in Kind::ALL {
            if self.open.contains(&kind) {
                self.feed_mut(kind).confirm(at);
            }
        }
        self.cluster.answered = Some(at);
        self.cluster.fault = None;
        if let Some((server, ours)) = clocks {
            // The Date header has whole seconds: half of one is its expected error.
            self.cluster.told = Some(server);
            self.cluster.skew_ms = Some(server.as_millisecond() + 500 - ours.as_millisecond());
        }
    }

    fn feed_mut(&mut self, kind: Kind) -> &mut dyn Ageing {
        match kind {
            Kind::Services => &mut self.services,
            Kind::EndpointSlices => &mut self.slices,
            Kind::Deployments => &mut self.deployments,
            Kind::Pods => &mut self.pods,
            Kind::ReplicaSets => &mut self.replica_sets,
            Kind::HorizontalPodAutoscalers => &mut self.autoscalers,
            Kind::Events => &mut self.events,
            Kind::Leases => &mut self.leases,
            Kind::Records => &mut self.records,
            Kind::Policy => &mut self.policies,
        }
    }

    fn feed(&self, kind: Kind) -> &dyn Ageing {
        match kind {
            Kind::Services => &self.services,
            Kind::EndpointSlices => &self.slices,
            Kind::Deployments => &self.deployments,
            Kind::Pods => &self.pods,
            Kind::ReplicaSets => &self.replica_sets,
            Kind::HorizontalPodAutoscalers => &self.autoscalers,
            Kind::Events => &self.events,
            Kind::Leases => &self.leases,
            Kind::Records => &self.records,
            Kind::Policy => &self.policies,
        }
    }

    /// How current what is known of `kind` is.
    pub fn currency(&self, kind: Kind, now: Moment) -> Currency {
        self.feed(kind).currency(now)
    }

    /// Milliseconds since `kind` was current.
    pub fn age(&self, kind: Kind, now: Moment) -> Option<u64> {
        self.feed(kind).age(now)
    }

    /// What is wrong with the feed of `kind`.
    pub fn fault(&self, kind: Kind) -> Option<&Fault> {
        self.feed(kind).fault()
    }

    /// Whether a whole listing of `kind` was ever seen: only then is missing known to be absent.
    pub fn is_listed(&self, kind: Kind) -> bool {
        self.feed(kind).is_listed()
    }

    /// The server's time, as well as it is known.
    pub fn server_time(&self, now: Now) -> jiff::Timestamp {
        let skew = self
            .cluster
            .skew_ms
            .filter(|ms| ms.abs() > SKEW_SHOWN_MS)
            .unwrap_or(0);
        let shifted = now
            .wall
            .checked_add(jiff::SignedDuration::from_millis(skew));
        shifted.unwrap_or(now.wall)
    }
}

/// Clocks that differ by more than this are worth a word (TERMINAL: skew above 2 s is shown).
pub const SKEW_SHOWN_MS: i64 = 2_000;

/// A feed without its value's type.
trait Ageing {
    fn listed(&mut self);
    fn confirm(&mut self, at: Moment);
    fn fail(&mut self, fault: Fault);
    fn currency(&self, now: Moment) -> Currency;
    fn age(&self, now: Moment) -> Option<u64>;
    fn fault(&self) -> Option<&Fault>;
    fn is_listed(&self) -> bool;
}

impl<T> Ageing for Feed<T> {
    fn listed(&mut self) {
        self.listed = true;
    }
    fn confirm(&mut self, at: Moment) {
        Feed::confirm(self, at);
    }
    fn fail(&mut self, fault: Fault) {
        Feed::fail(self, fault);
    }
    fn currency(&self, now: Moment) -> Currency {
        Feed::currency(self, now)
    }
    fn age(&self, now: Moment) -> Option<u64> {
        Feed::age(self, now)
    }
    fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
    fn is_listed(&self) -> bool {
        self.listed
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::pods::tests::{pod, scope};
    use super::*;
    use crate::estate::{Change, Delta, FaultKind};

    pub(crate) fn now(ms: u64) -> Now {
        Now {
            wall: jiff::Timestamp::from_millisecond(
                1_790_000_000_000 + i64::try_from(ms).unwrap_or(0),
            )
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
            at: Moment(ms),
        }
    }

    fn fault() -> Fault {
        Fault {
            kind: FaultKind::Unreachable,
            what: "connection refused".into(),
        }
    }

    fn listed() -> Estate {
        let mut estate = Estate::new(scope(), None);
        for delta in [
            Delta::Began,
            Delta::Page(vec![pod("a", "frontend", "blue", true)]),
            Delta::Ended,
        ] {
            estate.apply(Seen::Pods(delta), now(0));
        }
        estate.apply(Seen::Opened(Kind::Pods), now(1));
        estate
    }

    #[test]
    fn a_pulse_confirms_only_what_is_open() {
        let mut estate = listed();
        estate.apply(Seen::Pulse { server: None }, now(60_000));
        assert_eq!(estate.currency(Kind::Pods, Moment(60_000)), Currency::Live);
        assert_eq!(
            estate.currency(Kind::Services, Moment(60_000)),
            Currency::Waiting
        );
        estate.apply(Seen::Failed(Kind::Pods, fault()), now(61_000));
        estate.apply(Seen::Pulse { server: None }, now(70_000));
        assert_eq!(estate.currency(Kind::Pods, Moment(70_000)), Currency::Stale);
        estate.apply(Seen::Opened(Kind::Pods), now(71_000));
        assert_eq!(estate.currency(Kind::Pods, Moment(71_000)), Currency::Live);
    }

    #[test]
    fn no_pulse_makes_all_stale_and_keeps_the_values() {
        let mut estate = listed();
        estate.apply(Seen::NoPulse(fault()), now(5_000));
        assert_eq!(estate.currency(Kind::Pods, Moment(5_000)), Currency::Stale);
        assert_eq!(estate.pods.value.len(), 1);
        assert_eq!(estate.age(Kind::Pods, Moment(9_000)), Some(8_999));
        estate.apply(Seen::Pulse { server: None }, now(10_000));
        assert_eq!(estate.currency(Kind::Pods, Moment(10_000)), Currency::Live);
    }

    #[test]
    fn a_page_before_the_listing_ended_is_not_live() {
        let mut estate = Estate::new(scope(), None);
        estate.apply(Seen::Pods(Delta::Began), now(0));
        estate.apply(
            Seen::Pods(Delta::Page(vec![pod("a", "frontend", "blue", true)])),
            now(1),
        );
        assert_eq!(estate.currency(Kind::Pods, Moment(2)), Currency::Waiting);
        assert_eq!(estate.pods.value.len(), 1, "shown as it comes");
    }

    #[test]
    fn changes_while_open_confirm_the_feed() {
        let mut estate = listed();
        let change = Change::Applied(pod("a", "frontend", "blue", false));
        estate.apply(Seen::Pods(Delta::Changes(vec![change])), now(19_000));
        assert_eq!(estate.age(Kind::Pods, Moment(19_500)), Some(500));
        assert_eq!(estate.index.trouble(), 1);
    }

    #[test]
    fn m07_a_skewed_clock_is_measured_and_corrected() {
        let mut estate = listed();
        let ours = now(1_000);
        let server = ours.wall + jiff::SignedDuration::from_secs(300);
        estate.apply(
            Seen::Pulse {
                server: Some(server),
            },
            ours,
        );
        assert_eq!(estate.cluster.skew_ms, Some(300_500));
        assert!(estate.server_time(ours) > ours.wall + jiff::SignedDuration::from_secs(299));
    }
}
