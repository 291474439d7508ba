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
use super::marks;
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
    /// Only where they are free, or as they were left for good, by resourceVersion.
    Free(&'a BTreeSet<Safe>),
    /// Also from whoever has them: a takeover, which somebody confirmed.
    Seize,
}

/// The Leases of an operation, held.
#[derive(Clone, Debug)]
pub struct Lock {
    bastion: Bastion,
    operation: Safe,
    leases: Arc<Mutex<BTreeMap<Safe, Lease>>>,
    /// Epochs by Service.
    pub epochs: BTreeMap<Safe, u64>,
    /// Whether one of them was not released by its holder: the fence must be written first.
    pub was_seized: bool,
    /// Whether another process holds them, for an operation of which this is a part.
    is_borrowed: bool,
    renewed: watch::Sender<Moment>,
    belief: watch::Sender<Belief>,
}

/// Takes the Leases of `services` for `operation`. `floor` are the epochs on the Services: a Lease that was
/// deleted starts above them.
///
/// # Errors
/// Who has one of them, or the API's fault; what was taken is given back.
pub async fn acquire(
    bastion: &Bastion,
    operation: &Safe,
    services: impl IntoIterator<Item = &Safe>,
    floor: &BTreeMap<Safe, u64>,
    taking: Taking<'_>,
) -> Result<Lock, NotLocked> {
    let sorted: BTreeSet<&Safe> = services.into_iter().collect();
    let now = bastion.clock.boot();
    let mut lock = Lock {
        bastion: bastion.clone(),
        operation: operation.clone(),
        leases: Arc::default(),
        epochs: BTreeMap::new(),
        was_seized: false,
        is_borrowed: false,
        renewed: watch::Sender::new(now),
        belief: watch::Sender::new(Belief::Held),
    };
    for service in sorted {
        let least = floor.get(service).copied().unwrap_or(0);
        match take(bastion, operation, service, least, taking).await {
            Ok((lease, was_seized)) => {
                lock.epochs.insert(service.clone(), lease.transitions);
                lock.was_seized |= was_seized;
                lock.leases().insert(service.clone(), lease);
            }
            Err(not) => {
                lock.release().await;
                return Err(not);
            }
        }
    }
    Ok(lock)
}

/// The Leases of `operation` as another process holds them, under the epochs of its record.
///
/// # Errors
/// One of them is not held for it, or under another epoch; or the API's fault.
pub async fn borrow(
    bastion: &Bastion,
    operation: &Safe,
    locks: &[Safe],
    epochs: &BTreeMap<Safe, u64>,
) -> Result<Lock, Safe> {
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
                && marks::is_alive(lease, bastion.clock.wall())
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
        operation: operation.clone(),
        epochs: (leases.iter())
            .map(|(lock, lease)| (lock.clone(), lease.transitions))
            .collect(),
        leases: Arc::new(Mutex::new(leases)),
        was_seized: false,
        is_borrowed: true,
        renewed: watch::Sender::new(bastion.clock.boot()),
        belief: watch::Sender::new(Belief::Held),
    })
}

/// Takes the Leases for a rollback: from whoever has them, in one request each, by what is known of them. One that
/// cannot be had is gone without: the epoch is in the write (SAFETY, rule 9).
pub async fn seize(
    bastion: &Bastion,
    operation: &Safe,
    services: &[Safe],
    known: &BTreeMap<Safe, Lease>,
    epochs: &BTreeMap<Safe, u64>,
) -> Lock {
    let now = bastion.clock.boot();
    let grab = |service: Safe| async move {
        let (known, epoch) = (
            known.get(&service),
            epochs.get(&service).copied().unwrap_or(1),
        );
        let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
        let body = body(bastion, operation, &service, known, epoch);
        let name = bastion.lease_name(&service);
        let taken = match known {
            Some(_) => cluster.replace::<Lease>(&name, body, answer).await,
            None => cluster.create::<Lease>(body, answer).await,
        };
        match taken {
            Ok(lease) => Some((service, lease, false)),
            // What was known of it was old: once more, by a fresh read.
            Err(Unwritten::Refused {
                status: 404 | 409, ..
            }) => {
                let taken = take(bastion, operation, &service, epoch - 1, Taking::Seize).await;
                taken
                    .ok()
                    .map(|(lease, was_held)| (service, lease, was_held))
            }
            Err(_) => ours(bastion, &name)
                .await
                .map(|lease| (service, lease, false)),
        }
    };
    let taken = futures::future::join_all(services.iter().cloned().map(grab)).await;
    let taken: Vec<(Safe, Lease, bool)> = taken.into_iter().flatten().collect();
    let was_held = taken.iter().any(|(.., was_held)| *was_held);
    let leases: BTreeMap<Safe, Lease> = (taken.into_iter())
        .map(|(service, lease, _)| (service, lease))
        .collect();
    let mut epochs = epochs.clone();
    epochs.extend(
        leases
            .iter()
            .map(|(service, lease)| (service.clone(), lease.transitions)),
    );
    let held = |lease: &Lease| {
        lease
            .holder
            .as_ref()
            .is_some_and(|holder| !holder.is_empty())
    };
    Lock {
        bastion: bastion.clone(),
        operation: operation.clone(),
        was_seized: was_held || known.values().any(held),
        leases: Arc::new(Mutex::new(leases)),
        epochs,
        is_borrowed: false,
        renewed: watch::Sender::new(now),
        belief: watch::Sender::new(Belief::Held),
    }
}

/// Takes one Lease. Returns whether its holder had not released it.
async fn take(
    bastion: &Bastion,
    operation: &Safe,
    service: &Safe,
    floor: u64,
    taking: Taking<'_>,
) -> Result<(Lease, bool), NotLocked> {
    let name = bastion.lease_name(service);
    let answer = bastion.timing.answer;
    // A conflict means that somebody was faster: look again who it is.
    for _ in 0..3 {
        let known: Option<Lease> =
            (bastion.cluster.get(&name, answer).await).map_err(NotLocked::Fault)?;
        let Some(known) = known else {
            let body = body(bastion, operation, service, None, floor + 1);
            match bastion.cluster.create::<Lease>(body, answer).await {
                Ok(lease) => return Ok((lease, floor > 0)),
                Err(Unwritten::Refused { status: 409, .. }) => continue,
                Err(Unwritten::Refused { fault, .. }) => return Err(NotLocked::Fault(fault)),
                Err(Unwritten::Unknown(fault)) => match ours(bastion, &name).await {
                    Some(lease) => return Ok((lease, floor > 0)),
                    None => return Err(NotLocked::Fault(fault)),
                },
            }
        };
        let holder = known.holder.clone().filter(|holder| !holder.is_empty());
        if let Some(holder) = &holder
            && let Taking::Free(left) = taking
            && !left.contains(&known.resource_version)
        {
            return Err(NotLocked::Held {
                service: service.clone(),
                holder: holder.clone(),
                operation: marks::operation(&known.marks),
                is_alive: marks::is_alive(&known, bastion.clock.wall()),
            });
        }
        let epoch = known.transitions.max(floor) + 1;
        let body = body(bastion, operation, service, Some(&known), epoch);
        match bastion.cluster.replace::<Lease>(&name, body, answer).await {
            Ok(lease) => return Ok((lease, holder.is_some())),
            Err(Unwritten::Refused {
                status: 404 | 409, ..
            }) => {}
            Err(Unwritten::Refused { fault, .. }) => return Err(NotLocked::Fault(fault)),
            Err(Unwritten::Unknown(fault)) => match ours(bastion, &name).await {
                Some(lease) => return Ok((lease, holder.is_some())),
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
    operation: &Safe,
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
            "annotations": { marks::OPERATION: operation },
        },
        "spec": {
            "holderIdentity": bastion.person.holder,
            "leaseDurationSeconds": bastion.timing.lease.as_secs().max(1),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": epoch,
        },
    });
    if let Some(known) = known {
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

    /// Renews the Leases until one is somebody else's. `watched` is written beside them: how long the
    /// watch after the flip has lasted. The caller drops it with the operation.
    pub async fn keep(&self, watched: watch::Receiver<u64>) {
        loop {
            tokio::time::sleep(self.bastion.timing.renew).await;
            let seconds = *watched.borrow();
            let began = self.bastion.clock.boot();
            match self.renew(seconds).await {
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

    /// Renews each Lease once. An error names who has one instead, or nobody where the API was away.
    async fn renew(&self, watched: u64) -> Result<(), Option<Safe>> {
        let known: Vec<(Safe, Lease)> = (self.leases().iter())
            .map(|(s, l)| (s.clone(), l.clone()))
            .collect();
        for (service, lease) in known {
            let renewed = self.renew_one(&service, &lease, watched).await?;
            self.leases().insert(service, renewed);
        }
        Ok(())
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
        let mut body = body(
            &self.bastion,
            &self.operation,
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
            Err(Unwritten::Unknown(_)) => self.look(lease).await,
            Err(Unwritten::Refused {
                status: 404 | 409, ..
            }) => self.look(lease).await,
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
                let is_same = marks::operation(&read.marks).as_ref() == Some(&self.operation)
                    && read.transitions == lease.transitions
                    && read.holder == lease.holder;
                match (is_same, marks::is_alive(&read, self.bastion.clock.wall())) {
                    (true, true) => Ok(read),
                    // Not renewed lately: nothing is written until it is.
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
        let (operation, epoch) = (&self.operation, lease.transitions);
        let mut body = body(&self.bastion, operation, service, Some(lease), epoch);
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
