//! The Leases of an operation: one for each Service that it may flip, taken in sorted order.
//!
//! A Lease only keeps honest people apart. What stops a worker that was thought dead is the epoch, the
//! Lease's transitions at acquiring, which every write tests ([`super::patch`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::bastion::Bastion;
use super::{OperationKind, kept, marks};
use crate::clients::kubernetes::Unwritten;
use crate::estate::{Fault, Lease, Moment, Safe};

/// What is believed of the Leases.
#[derive(Clone, Debug, PartialEq)]
pub enum Belief {
    /// They are ours.
    Held,
    /// Somebody else has one of them.
    Fenced(Safe),
    /// No renewal went through for too long: they may be anybody's.
    Lost(Safe),
}

/// Why the Leases were not to be had.
#[derive(Clone, Debug, PartialEq)]
pub enum NotLocked {
    /// By whom, and in which operation; whether they renewed it lately.
    Held {
        /// The Service.
        service: Safe,
        /// The holder.
        holder: Safe,
        /// The operation, where it is named.
        operation: Option<Safe>,
        /// Whether it was renewed within its duration.
        is_alive: bool,
    },
    /// The API did not let us.
    Fault(Fault),
}

/// How the Leases are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking<'a> {
    /// Only where they are free.
    Free {
        /// Or as they were left for good, by resourceVersion.
        left: &'a BTreeSet<Safe>,
        /// The server's time.
        server: Timestamp,
    },
    /// Also from whoever has them: a takeover, which somebody confirmed.
    Seize,
}

/// What Leases are held for.
#[derive(Clone, Debug)]
pub struct HeldFor {
    /// The operation.
    pub operation: Safe,
    /// Its kind, for whoever seizes them and has no time to read its record.
    pub kind: OperationKind,
}

/// What a Lease was when it was taken.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    /// Not released by its holder.
    was_held: bool,
    /// And that was at the Deployments of the idle colour.
    was_deploying: bool,
}

impl Before {
    fn of(lease: &Lease) -> Self {
        let kind = lease.marks.get(kept::KIND);
        let kind = kind.and_then(|word| OperationKind::of(word));
        let was_held = (lease.holder.as_ref()).is_some_and(|holder| !holder.is_empty());
        Self {
            was_held,
            was_deploying: was_held && kind.is_some_and(OperationKind::deploys),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            was_held: self.was_held || other.was_held,
            was_deploying: self.was_deploying || other.was_deploying,
        }
    }
}

/// The Leases of an operation, held.
#[derive(Clone, Debug)]
pub struct Lock {
    bastion: Bastion,
    held_for: HeldFor,
    leases: Arc<Mutex<BTreeMap<Safe, Lease>>>,
    /// Epochs by Service.
    pub epochs: BTreeMap<Safe, u64>,
    /// Whether one of them was not released by its holder: the fence must be written first.
    pub was_seized: bool,
    /// Whether whoever held it was at the Deployments of the idle colour, and may have a patch under way.
    pub was_deploying: bool,
    /// Whether another process holds them, for an operation of which this is a part.
    is_borrowed: bool,
    renewed: watch::Sender<Moment>,
    belief: watch::Sender<Belief>,
}

/// Takes the Leases of `services` for an operation. `floor` are the epochs on the Services: a Lease that was
/// deleted starts above them.
///
/// # Errors
/// Who has one of them, or the API's fault; what was taken is given back.
pub async fn acquire(
    bastion: &Bastion,
    held_for: &HeldFor,
    services: impl IntoIterator<Item = &Safe>,
    floor: &BTreeMap<Safe, u64>,
    taking: Taking<'_>,
) -> Result<Lock, NotLocked> {
    let sorted: BTreeSet<&Safe> = services.into_iter().collect();
    let now = bastion.clock.boot();
    let mut lock = Lock {
        bastion: bastion.clone(),
        held_for: held_for.clone(),
        leases: Arc::default(),
        epochs: BTreeMap::new(),
        was_seized: false,
        was_deploying: false,
        is_borrowed: false,
        renewed: watch::Sender::new(now),
        belief: watch::Sender::new(Belief::Held),
    };
    for service in sorted {
        let least = floor.get(service).copied().unwrap_or(0);
        match take(bastion, held_for, service, least, taking).await {
            Ok((lease, before)) => {
                lock.epochs.insert(service.clone(), lease.transitions);
                lock.was_seized |= before.was_held;
                lock.was_deploying |= before.was_deploying;
                lock.leases().insert(service.clone(), lease);
            }
            Err(not) => {
                lock.give_up().await;
                return Err(not);
            }
        }
    }
    Ok(lock)
}

/// The Leases of `operation` as another process holds them, under the epochs of its record. `server` is the server's
/// time.
///
/// # Errors
/// One of them is not held for it, or under another epoch; or the API's fault.
pub async fn borrow(
    bastion: &Bastion,
    held_for: &HeldFor,
    locks: &[Safe],
    epochs: &BTreeMap<Safe, u64>,
    server: Timestamp,
) -> Result<Lock, Safe> {
    let operation = &held_for.operation;
    let mut leases = BTreeMap::new();
    for lock in locks {
        let name = bastion.lease_name(lock);
        let read = bastion.cluster.get::<Lease>(&name, bastion.timing.answer);
        let lease = read.await.map_err(|fault| fault.what)?;
        let is_its = |lease: &Lease| {
            marks::operation(&lease.marks).as_ref() == Some(operation)
                && epochs.get(lock) == Some(&lease.transitions)
                && lease
                    .holder
                    .as_ref()
                    .is_some_and(|holder| !holder.is_empty())
                && marks::is_alive(lease, server)
        };
        match lease.filter(is_its) {
            Some(lease) => leases.insert(lock.clone(), lease),
            None => {
                return Err(format!(
                    "{lock} is not held for operation {operation}: its worker is gone, or it does not lock that"
                )
                .into());
            }
        };
    }
    Ok(Lock {
        bastion: bastion.clone(),
        held_for: held_for.clone(),
        epochs: (leases.iter())
            .map(|(lock, lease)| (lock.clone(), lease.transitions))
            .collect(),
        leases: Arc::new(Mutex::new(leases)),
        was_seized: false,
        was_deploying: false,
        is_borrowed: true,
        renewed: watch::Sender::new(bastion.clock.boot()),
        belief: watch::Sender::new(Belief::Held),
    })
}

/// Takes the Leases for a rollback: from whoever has them, in one request each, by what is known of them. One that
/// cannot be had, or about which nothing is answered soon, is gone without: the epoch is in the write (SAFETY,
/// rule 9).
pub async fn seize(
    bastion: &Bastion,
    held_for: &HeldFor,
    services: &[Safe],
    known: &BTreeMap<Safe, Lease>,
    epochs: &BTreeMap<Safe, u64>,
) -> Lock {
    let now = bastion.clock.boot();
    let hurried = &bastion.hurried();
    let grab = |service: Safe| async move {
        let (known, epoch) = (
            known.get(&service),
            epochs.get(&service).copied().unwrap_or(1),
        );
        let (cluster, answer) = (&hurried.cluster, hurried.timing.answer);
        let body = body(bastion, held_for, &service, known, epoch);
        let name = bastion.lease_name(&service);
        let taken = match known {
            Some(_) => cluster.replace::<Lease>(&name, body, answer).await,
            None => cluster.create::<Lease>(body, answer).await,
        };
        match taken {
            Ok(lease) => Some((service, lease, known.map(Before::of))),
            // What was known of it was old: once more, by a fresh read.
            Err(Unwritten::Refused {
                status: 404 | 409, ..
            }) => {
                let taken = take(hurried, held_for, &service, epoch - 1, Taking::Seize).await;
                let (lease, before) = taken.ok()?;
                Some((service, lease, Some(before)))
            }
            Err(_) => {
                let lease = ours(hurried, &name).await?;
                Some((service, lease, known.map(Before::of)))
            }
        }
    };
    let taken = futures::future::join_all(services.iter().cloned().map(grab)).await;
    // One that could not be had may be held all the same.
    let mut before = (known.values().map(Before::of)).fold(Before::default(), Before::or);
    let mut leases = BTreeMap::new();
    for (service, lease, was) in taken.into_iter().flatten() {
        before = before.or(was.unwrap_or_default());
        leases.insert(service, lease);
    }
    let mut epochs = epochs.clone();
    epochs.extend(
        leases
            .iter()
            .map(|(service, lease)| (service.clone(), lease.transitions)),
    );
    Lock {
        bastion: bastion.clone(),
        held_for: held_for.clone(),
        was_seized: before.was_held,
        was_deploying: before.was_deploying,
        leases: Arc::new(Mutex::new(leases)),
        epochs,
        is_borrowed: false,
        renewed: watch::Sender::new(now),
        belief: watch::Sender::new(Belief::Held),
    }
}

/// Takes one Lease. Returns what it was before.
async fn take(
    bastion: &Bastion,
    held_for: &HeldFor,
    service: &Safe,
    floor: u64,
    taking: Taking<'_>,
) -> Result<(Lease, Before), NotLocked> {
    let name = bastion.lease_name(service);
    let answer = bastion.timing.answer;
    // A conflict means that somebody was faster: look again who it is.
    for _ in 0..3 {
        let known: Option<Lease> =
            (bastion.cluster.get(&name, answer).await).map_err(NotLocked::Fault)?;
        let Some(known) = known else {
            let body = body(bastion, held_for, service, None, floor + 1);
            // Deleted: whose it was nobody knows.
            let before = Before {
                was_held: floor > 0,
                ..Before::default()
            };
            match bastion.cluster.create::<Lease>(body, answer).await {
                Ok(lease) => return Ok((lease, before)),
                Err(Unwritten::Refused { status: 409, .. }) => continue,
                Err(Unwritten::Refused { fault, .. }) => return Err(NotLocked::Fault(fault)),
                Err(Unwritten::Unknown(fault)) => match ours(bastion, &name).await {
                    Some(lease) => return Ok((lease, before)),
                    None => return Err(NotLocked::Fault(fault)),
                },
            }
        };
        let holder = known.holder.clone().filter(|holder| !holder.is_empty());
        if let Some(holder) = &holder
            && let Taking::Free { left, server } = taking
            && !left.contains(&known.resource_version)
        {
            return Err(NotLocked::Held {
                service: service.clone(),
                holder: holder.clone(),
                operation: marks::operation(&known.marks),
                is_alive: marks::is_alive(&known, server),
            });
        }
        let epoch = known.transitions.max(floor) + 1;
        let before = Before::of(&known);
        let body = body(bastion, held_for, service, Some(&known), epoch);
        match bastion.cluster.replace::<Lease>(&name, body, answer).await {
            Ok(lease) => return Ok((lease, before)),
            Err(Unwritten::Refused {
                status: 404 | 409, ..
            }) => {}
            Err(Unwritten::Refused { fault, .. }) => return Err(NotLocked::Fault(fault)),
            Err(Unwritten::Unknown(fault)) => match ours(bastion, &name).await {
                Some(lease) => return Ok((lease, before)),
                None => return Err(NotLocked::Fault(fault)),
            },
        }
    }
    Err(NotLocked::Held {
        service: service.clone(),
        holder: "somebody who is faster".into(),
        operation: None,
        is_alive: true,
    })
}

/// The Lease, if a read says that it is ours.
async fn ours(bastion: &Bastion, name: &str) -> Option<Lease> {
    let read: Option<Lease> = bastion
        .cluster
        .get(name, bastion.timing.answer)
        .await
        .ok()?;
    read.filter(|lease| lease.holder.as_ref() == Some(&bastion.person.holder))
}

fn body(
    bastion: &Bastion,
    held_for: &HeldFor,
    service: &Safe,
    known: Option<&Lease>,
    epoch: u64,
) -> Value {
    let now = micro(bastion.clock.wall());
    let mut body = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": bastion.lease_name(service),
            "labels": { marks::LEASE: marks::OF_OPERATION },
            "annotations": {
                marks::OPERATION: held_for.operation,
                kept::KIND: held_for.kind.word(),
            },
        },
        "spec": {
            "holderIdentity": bastion.person.holder,
            "leaseDurationSeconds": bastion.timing.lease.as_secs().max(1),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": epoch,
        },
    });
    // Whoever looks for them elsewhere is told, and changes nothing about it.
    let told = known.and_then(|lease| lease.marks.get(marks::RECORDS));
    // Whoever rolls back asked nobody where they are.
    let ours = (held_for.kind != OperationKind::Rollback).then(|| bastion.cluster.records());
    if let Some(records) = told.map(Safe::as_str).or(ours) {
        body["metadata"]["annotations"][marks::RECORDS] = json!(records);
    }
    if let Some(known) = known {
        // What was watched for it is not watched anew by whoever goes on.
        let is_its = marks::operation(&known.marks).as_ref() == Some(&held_for.operation);
        if let Some(watched) = known.marks.get(marks::WATCHED).filter(|_| is_its) {
            body["metadata"]["annotations"][marks::WATCHED] = json!(watched);
        }
        body["metadata"]["resourceVersion"] = json!(known.resource_version);
        body["metadata"]["uid"] = json!(known.uid);
    }
    body
}

/// A MicroTime, as the API spells it.
fn micro(at: Timestamp) -> String {
    format!("{at:.6}")
}

impl Lock {
    fn leases(&self) -> std::sync::MutexGuard<'_, BTreeMap<Safe, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is believed now. Asked right before every write: a machine that slept learns of it here.
    pub fn belief(&self) -> Belief {
        let belief = self.belief.borrow().clone();
        if belief != Belief::Held {
            return belief;
        }
        let since = self.bastion.clock.boot().since(*self.renewed.borrow());
        if since >= millis(self.bastion.timing.give_up) {
            let words = format!("the Lease was not renewed for {} s", since / 1_000);
            return Belief::Lost(words.into());
        }
        Belief::Held
    }

    /// Tells when the belief changes by what a renewal found.
    pub fn changes(&self) -> watch::Receiver<Belief> {
        self.belief.subscribe()
    }

    /// Renews the Leases until one is somebody else's, or none was renewed for too long: what was believed lost stays lost,
    /// whatever goes through afterwards (rule 4). `watched` is written beside them: how long the
    /// watch after the flip has lasted. The caller drops it with the operation.
    pub async fn keep(&self, watched: watch::Receiver<u64>) {
        loop {
            tokio::time::sleep(self.bastion.timing.renew).await;
            if self.is_lost_for_good() {
                return;
            }
            let seconds = *watched.borrow();
            let began = self.bastion.clock.boot();
            let renewed = self.renew(seconds).await;
            if self.is_lost_for_good() {
                return;
            }
            match renewed {
                Ok(()) => {
                    self.renewed.send_replace(began);
                }
                Err(Some(holder)) => {
                    self.belief.send_replace(Belief::Fenced(holder));
                    return;
                }
                Err(None) => {}
            }
        }
    }

    /// Whether they are lost; then they are to everybody who asks from here on. Those of a rollback stand in no way.
    fn is_lost_for_good(&self) -> bool {
        let belief = self.belief();
        let is_lost = matches!(belief, Belief::Lost(_)) && !self.is_exempt();
        if is_lost {
            self.belief.send_replace(belief);
        }
        is_lost
    }

    /// Renews each Lease once. An error names who has one instead, or nobody where the API was away.
    async fn renew(&self, watched: u64) -> Result<(), Option<Safe>> {
        let known: Vec<(Safe, Lease)> = (self.leases().iter())
            .map(|(s, l)| (s.clone(), l.clone()))
            .collect();
        let mut renewed = Ok(());
        for (service, lease) in known {
            match self.renew_one(&service, &lease, watched).await {
                Ok(lease) => drop(self.leases().insert(service, lease)),
                // A rollback keeps those that it has.
                Err(None) if self.is_exempt() => renewed = Err(None),
                Err(not) => return Err(not),
            }
        }
        renewed
    }

    /// No Lease stands in the way of a rollback, unless somebody else has it (SAFETY, rule 9).
    fn is_exempt(&self) -> bool {
        self.held_for.kind == OperationKind::Rollback
    }

    async fn renew_one(
        &self,
        service: &Safe,
        lease: &Lease,
        watched: u64,
    ) -> Result<Lease, Option<Safe>> {
        if self.is_borrowed {
            return self.look_at_borrowed(lease).await;
        }
        let (cluster, answer) = (&self.bastion.cluster, self.bastion.timing.answer);
        let began = self.bastion.clock.wall();
        let mut body = body(
            &self.bastion,
            &self.held_for,
            service,
            Some(lease),
            lease.transitions,
        );
        body["metadata"]["annotations"][marks::WATCHED] = json!(watched.to_string());
        if let Some(acquired) = lease.acquired {
            body["spec"]["acquireTime"] = json!(micro(acquired));
        }
        match cluster.replace::<Lease>(&lease.name, body, answer).await {
            Ok(lease) => Ok(lease),
            Err(
                Unwritten::Unknown(_)
                | Unwritten::Refused {
                    status: 404 | 409, ..
                },
            ) => {
                let read = self.look(lease).await?;
                // As it is spelled there: whole microseconds.
                let is_renewed = (read.renewed).is_some_and(|at| micro(at) >= micro(began));
                if is_renewed {
                    return Ok(read);
                }
                // Ours still, and no younger for that.
                self.leases().insert(service.clone(), read);
                Err(None)
            }
            Err(Unwritten::Refused { .. }) => Err(None),
        }
    }

    /// Whether it is still held for the operation, under the same epoch, by somebody who renews it.
    async fn look_at_borrowed(&self, lease: &Lease) -> Result<Lease, Option<Safe>> {
        let answer = self.bastion.timing.answer;
        match (self.bastion.cluster)
            .get::<Lease>(&lease.name, answer)
            .await
        {
            Err(_) => Err(None),
            Ok(None) => Err(Some("nobody: the Lease was deleted".into())),
            Ok(Some(read)) => {
                let is_same = marks::operation(&read.marks).as_ref()
                    == Some(&self.held_for.operation)
                    && read.transitions == lease.transitions
                    && read.holder == lease.holder;
                match (is_same, read.resource_version != lease.resource_version) {
                    (true, true) => Ok(read),
                    // Not renewed since it was last looked at, whatever any clock says: that is no sign of life.
                    (true, false) => Err(None),
                    (false, _) => Err(Some(read.holder.unwrap_or_else(|| "nobody".into()))),
                }
            }
        }
    }

    /// What became of a Lease whose renewal did not go through. That it was written is no renewal
    /// unless it is still ours; the next one uses its resourceVersion.
    async fn look(&self, lease: &Lease) -> Result<Lease, Option<Safe>> {
        let read = self
            .bastion
            .cluster
            .get::<Lease>(&lease.name, self.bastion.timing.answer)
            .await;
        match read {
            Err(_) => Err(None),
            // Who tidied it away is at nothing.
            Ok(None) if self.is_exempt() => Err(None),
            Ok(None) => Err(Some("nobody: the Lease was deleted".into())),
            Ok(Some(read)) => {
                let is_ours = read.holder.as_ref() == Some(&self.bastion.person.holder);
                match is_ours && read.transitions == lease.transitions {
                    true => Ok(read),
                    false => Err(Some(read.holder.unwrap_or_else(|| "nobody".into()))),
                }
            }
        }
    }

    /// Gives them back where nothing came of it. What was seized runs out held: whoever comes next seizes it, and has to
    /// fence.
    pub async fn give_up(&self) {
        if !self.was_seized {
            self.release().await;
        }
    }

    /// Gives the Leases back, as far as they are still ours and the API is there.
    pub async fn release(&self) {
        if self.is_borrowed {
            return;
        }
        let known: Vec<(Safe, Lease)> = std::mem::take(&mut *self.leases()).into_iter().collect();
        for (service, lease) in known {
            if self.release_one(&service, &lease).await {
                continue;
            }
            // A renewal was under way: it is ours all the same. One that is not given back runs out.
            if let Ok(again) = self.look(&lease).await {
                self.release_one(&service, &again).await;
            }
        }
    }

    async fn release_one(&self, service: &Safe, lease: &Lease) -> bool {
        let (held_for, epoch) = (&self.held_for, lease.transitions);
        let mut body = body(&self.bastion, held_for, service, Some(lease), epoch);
        body["spec"]["holderIdentity"] = json!("");
        let (cluster, answer) = (&self.bastion.cluster, self.bastion.timing.answer);
        cluster
            .replace::<Lease>(&lease.name, body, answer)
            .await
            .is_ok()
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
