//! One kind of one namespace as a stream of what was seen, for ever.
//!
//! What is told, and when:
//! - `Began`, a `Page` for each page of the list, `Ended`: at the start and after history was lost.
//!   `Began` comes with the first page, so a list that fails at once begins nothing. Events come as
//!   one page, the newest 500 of our kinds.
//! - `Changes`: what happened since, coalesced: the last state of each object, at most 256 at once.
//! - `Failed`: the list or the watch failed, or an object of it cannot be read (the feed stays failed
//!   until it can: a list with a hole is not current). It is tried again after a pause.
//! - `Opened`: the server accepted the watch, and every object that it has was read. It comes on each
//!   re-opening, too: every [`Watch::period`] seconds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::watch::Receiver;

use super::intern::Interner;
use super::recent::Recent;
use super::wire::{Projected, Row};
use super::{Backoff, Cluster, fault};
use crate::estate::{
    Autoscaler, Change, Delta, Deployment, Event, Fault, FaultKind, Keyed, Kind, Lease, Pod,
    Policy, Record, ReplicaSet, Safe, Seen, Service, Slice,
};

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Changes told at once.
const CHANGES: usize = 256;

/// How a kind is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// A label selector; empty for everything in the namespace. Of Leases and records only those of
    /// operations are watched, whatever it says, and of the policy the one object of its name.
    pub selector: String,
    /// Seconds after which the server closes the watch and it is opened again. A connection that died
    /// in silence is found five seconds later.
    pub period: u32,
    /// The first and the longest pause after a failure.
    pub pauses: [Duration; 2],
    /// Whether chance adds to the pauses, so that many do not knock at once; off where time is a test's.
    pub jitter: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            selector: String::new(),
            period: 50,
            pauses: [Duration::from_millis(800), Duration::from_secs(30)],
            jitter: true,
        }
    }
}

/// Watches `kind`. The stream never ends.
pub fn watch(cluster: &Cluster, kind: Kind, how: &Watch) -> BoxStream<'static, Seen> {
    match kind {
        Kind::Services => follow::<Service>(cluster, kind, how, Seen::Services),
        Kind::EndpointSlices => follow::<Slice>(cluster, kind, how, Seen::Slices),
        Kind::Deployments => follow::<Deployment>(cluster, kind, how, Seen::Deployments),
        Kind::Pods => follow::<Pod>(cluster, kind, how, Seen::Pods),
        Kind::ReplicaSets => follow::<ReplicaSet>(cluster, kind, how, Seen::ReplicaSets),
        Kind::HorizontalPodAutoscalers => {
            follow::<Autoscaler>(cluster, kind, how, Seen::Autoscalers)
        }
        Kind::Events => follow::<Event>(cluster, kind, how, Seen::Events),
        Kind::Leases => follow::<Lease>(cluster, kind, how, Seen::Leases),
        Kind::Records => follow::<Record>(cluster, kind, how, Seen::Records),
        Kind::Policy => follow::<Policy>(cluster, kind, how, Seen::Policies),
    }
}

/// What the fold of a stream is fed.
enum Input<P> {
    Event(watcher::Event<Row<P>>),
    Failed(Fault),
    Opened,
}

fn follow<P: Projected>(
    cluster: &Cluster,
    kind: Kind,
    how: &Watch,
    tell: fn(Delta<P>) -> Seen,
) -> BoxStream<'static, Seen> {
    let events = stream::unfold(Patient::new(cluster.clone(), how), Patient::next);
    let openings = stream::unfold(cluster.line.openings(kind), |mut openings| async move {
        openings.changed().await.ok()?;
        Some((Input::Opened, openings))
    });
    let mut telling = Telling::<P>::new(kind, tell);
    // Openings first: a watch that opened and failed at once is told in that order, or it would look
    // open. A later opening cannot overtake: it is asked for only once the failure was taken.
    stream::select_with_strategy(openings, events, |_: &mut ()| stream::PollNext::Left)
        // A page and its end arrive without a pause in between: one batch, one message.
        .ready_chunks(PAGE as usize + 12)
        .flat_map(move |batch| stream::iter(telling.fold(batch)))
        .boxed()
}

/// kube's watcher with a pause after each failure, which ends early when the line is back.
struct Patient<P> {
    cluster: Cluster,
    how: watcher::Config,
    events: BoxStream<'static, watcher::Result<watcher::Event<Row<P>>>>,
    backoff: Backoff,
    pause: Option<Duration>,
    cuts: Receiver<u64>,
}

impl<P: Projected> Patient<P> {
    fn new(cluster: Cluster, how: &Watch) -> Self {
        let mut config = watcher::Config::default()
            .timeout(how.period)
            .page_size(PAGE);
        let selector = selector(P::PLACE.watched, &how.selector);
        if !selector.is_empty() {
            config = config.labels(&selector);
        }
        if let Some(name) = P::PLACE.watched.only() {
            config = config.fields(&named(name));
        }
        Self {
            events: events(&cluster, &config).boxed(),
            how: config,
            backoff: Backoff::new(how.pauses[0], how.pauses[1]).with_jitter(how.jitter),
            pause: None,
            cuts: cluster.line.cuts(),
            cluster,
        }
    }

    async fn next(mut self) -> Option<(Input<P>, Self)> {
        if let Some(pause) = self.pause.take() {
            // Nothing but the end of the pause or the line's return follows: either way, try.
            if (tokio::time::timeout(pause, self.cuts.changed()).await).is_ok() {
                self.backoff.restart();
            }
        }
        let input = match self.events.next().await? {
            Ok(event) => Input::Event(event),
            Err(error) => {
                // The line came back since: a server that has just started refuses for a moment
                // still, and the failures of its absence say nothing about it.
                if self.cuts.has_changed().unwrap_or(false) {
                    self.cuts.mark_unchanged();
                    self.backoff.restart();
                }
                self.pause = Some(self.backoff.pause());
                if loses(&error) {
                    self.events = events(&self.cluster, &self.how).boxed();
                }
                Input::Failed(fault::of_watch(&self.cluster.host(), &error))
            }
        };
        Some((input, self))
    }
}

fn events<P: Projected>(
    cluster: &Cluster,
    how: &watcher::Config,
) -> impl Stream<Item = watcher::Result<watcher::Event<Row<P>>>> + use<P> {
    let namespace = cluster.namespace_of(P::PLACE.watched);
    let api: Api<Row<P>> = Api::namespaced(cluster.client.clone(), namespace);
    watcher(api, how.clone())
}

/// The selector that is sent: the caller's, and of some kinds only what is ours.
pub(super) fn selector(kind: Kind, asked: &str) -> String {
    let own = kind.label().map(|(key, values)| match values {
        [value] => format!("{key}={value}"),
        values => format!("{key} in ({})", values.join(",")),
    });
    let asked = (!asked.is_empty()).then(|| asked.to_owned());
    let all: Vec<String> = own.into_iter().chain(asked).collect();
    all.join(",")
}

/// The field selector of the one object `name`: a right to that name alone is enough for it.
pub(super) fn named(name: &str) -> String {
    format!("metadata.name={name}")
}

/// Whether a change may have been lost: the watcher would go on behind a line that it could not read, or ask again and again
/// for what the server has forgotten.
fn loses(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchFailed(kube::Error::SerdeError(_)) => true,
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// The fold from kube's events to what is told.
struct Telling<P> {
    kind: Kind,
    tell: fn(Delta<P>) -> Seen,
    interner: Interner,
    recent: Recent,
    /// A listing began, and nothing of it was told yet.
    is_beginning: bool,
    page: Vec<P>,
    changes: Vec<Change<P>>,
    /// Names of objects that cannot be read, and why.
    unreadable: BTreeMap<Safe, String>,
    is_open: bool,
    out: Vec<Seen>,
}

impl<P: Projected> Telling<P> {
    fn new(kind: Kind, tell: fn(Delta<P>) -> Seen) -> Self {
        Self {
            kind,
            tell,
            interner: Interner::default(),
            recent: Recent::default(),
            is_beginning: false,
            page: Vec::new(),
            changes: Vec::new(),
            unreadable: BTreeMap::new(),
            is_open: false,
            out: Vec::new(),
        }
    }

    fn fold(&mut self, batch: Vec<Input<P>>) -> Vec<Seen> {
        for input in batch {
            match input {
                Input::Event(watcher::Event::Init) => self.begin(),
                Input::Event(watcher::Event::InitApply(row)) => self.list(row),
                Input::Event(watcher::Event::InitDone) => self.end(),
                Input::Event(watcher::Event::Apply(row)) => self.change(row),
                Input::Event(watcher::Event::Delete(row)) => self.delete(&row.name()),
                Input::Opened => self.open(),
                Input::Failed(fault) => self.fail(fault),
            }
        }
        self.flush();
        std::mem::take(&mut self.out)
    }

    fn begin(&mut self) {
        self.flush();
        self.is_beginning = true;
        self.is_open = false;
        self.unreadable.clear();
        self.page.clear();
        if P::IS_SIFTED {
            self.recent = Recent::default();
        }
    }

    fn list(&mut self, row: Row<P>) {
        if let Some(object) = self.read(row) {
            self.page.push(object);
        }
    }

    fn end(&mut self) {
        self.flush_page(true);
        self.out.push((self.tell)(Delta::Ended));
        if !self.unreadable.is_empty() {
            self.tell_unreadable();
        }
    }

    fn change(&mut self, row: Row<P>) {
        let name = row.name();
        let (had, bad) = (!self.unreadable.is_empty(), row.read.is_err());
        if let Some(object) = self.read(row) {
            self.unreadable.remove(&name);
            self.changes.push(Change::Applied(object));
        }
        if bad {
            self.flush();
            self.tell_unreadable();
        } else if had {
            self.heal();
        }
    }

    fn delete(&mut self, name: &Safe) {
        self.changes.push(Change::Deleted(name.clone()));
        if self.unreadable.remove(name).is_some() {
            self.heal();
        }
    }

    /// The last object that could not be read can be read or is gone: the feed is whole again.
    fn heal(&mut self) {
        if self.unreadable.is_empty() && self.is_open {
            self.flush();
            self.out.push(Seen::Opened(self.kind));
        }
    }

    fn open(&mut self) {
        self.is_open = true;
        if self.unreadable.is_empty() {
            self.flush();
            self.out.push(Seen::Opened(self.kind));
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.flush();
        self.is_open = false;
        self.out.push(Seen::Failed(self.kind, fault));
    }

    fn read(&mut self, row: Row<P>) -> Option<P> {
        let name = row.name();
        match row.read {
            Ok(object) => object.map(|mut object| {
                object.intern(&mut self.interner);
                object
            }),
            Err(why) => {
                self.unreadable.insert(name, why);
                None
            }
        }
    }

    fn tell_unreadable(&mut self) {
        let many = self.unreadable.len();
        if let Some((name, why)) = self.unreadable.first_key_value() {
            let plural = self.kind.plural();
            let what = format_args!("{many} of the {plural} cannot be read, such as {name}: {why}");
            let fault = fault::words(FaultKind::Malformed, what);
            self.out.push(Seen::Failed(self.kind, fault));
        }
    }

    fn flush(&mut self) {
        self.flush_page(false);
        let mut changes = P::sift(&mut self.recent, latest(std::mem::take(&mut self.changes)));
        while !changes.is_empty() {
            let rest = changes.split_off(changes.len().min(CHANGES));
            self.out.push((self.tell)(Delta::Changes(changes)));
            changes = rest;
        }
    }

    fn flush_page(&mut self, is_last: bool) {
        if P::IS_SIFTED {
            self.sift_page();
            if !is_last {
                return;
            }
        }
        if self.is_beginning && (is_last || !self.page.is_empty()) {
            self.is_beginning = false;
            self.out.push((self.tell)(Delta::Began));
        }
        if !self.page.is_empty() {
            let page = std::mem::take(&mut self.page);
            self.out.push((self.tell)(Delta::Page(page)));
        }
    }

    /// Keeps of what was listed so far only what is recent.
    fn sift_page(&mut self) {
        let listed = std::mem::take(&mut self.page);
        let mut kept = HashMap::with_capacity(listed.len());
        let listed = listed.into_iter().map(Change::Applied).collect();
        for change in P::sift(&mut self.recent, listed) {
            match change {
                Change::Applied(object) => kept.insert(object.key().clone(), object),
                Change::Deleted(name) => kept.remove(&name),
            };
        }
        self.page = kept.into_values().collect();
    }
}

/// The last change of each object, in order.
fn latest<P: Keyed>(mut changes: Vec<Change<P>>) -> Vec<Change<P>> {
    let mut met = HashSet::new();
    changes.reverse();
    changes.retain(|change| {
        met.insert(match change {
            Change::Applied(object) => object.key().clone(),
            Change::Deleted(name) => name.clone(),
        })
    });
    changes.reverse();
    changes
}
