//! What Wheelhouse writes on objects, and what it reads there: epochs, who flipped, what was meant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{OperationKind, Outcome};
pub use crate::estate::mark::{
    EPOCH, FLIP, LEASE, MANAGER, MEANT, OF_APPROVAL, OF_OPERATION, OPERATION, RECORD, VERIFIED,
};
use crate::estate::{Deployment, FieldManager, Labels, Lease, Safe, Service};

/// On Services and Deployments: which try of which epoch wrote last, where a write had to be voided.
pub const FENCE: &str = "wheelhouse.dev/fence";
/// On HorizontalPodAutoscalers: `minReplicas` before they were held, JSON of [`Held`].
pub const HELD: &str = "wheelhouse.dev/held";
/// On Deployments: who deployed what in place of what, JSON of [`Deployed`].
pub const DEPLOY: &str = "wheelhouse.dev/deploy";
/// What the key of a lock of a Deployment starts with; a Service's key is its name, which has no `/`.
const OF_DEPLOYMENT: &str = "deployment/";
/// On Leases: seconds that the watch after the flip has lasted so far.
pub const WATCHED: &str = "wheelhouse.dev/watched";
/// On Leases: the namespace in which whoever first moved something forward keeps records, policy, freezes and approvals.
pub const RECORDS: &str = "wheelhouse.dev/records";
/// What of a flip's mark says that its own operation brought traffic back.
pub const COMPENSATION: &str = "compensation";
/// Characters of a reason that a mark holds.
const REASON: usize = 1_000;
/// Two clocks may differ by so much.
const CLOCKS_S: i64 = 5;

/// Who flipped a Service, from what to what, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flipped {
    /// When, by the worker's wall clock.
    pub at: Timestamp,
    /// Who.
    pub by: Safe,
    /// The colour before, where there was one.
    pub from: Option<Safe>,
    /// The colour after.
    pub to: Safe,
    /// `cutover`, `release`, `rollback`, `repair`, or the compensation of one.
    pub what: Safe,
    /// Why.
    pub why: Option<Safe>,
    /// The operation.
    pub operation: Safe,
    /// Tag and digest that the colour runs, by workload.
    pub images: Vec<Safe>,
    /// Those that the colour runs which traffic left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Safe>,
    /// The workflow's runs that built them, as `#1482 main`; none where nobody asked GitHub.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Safe>,
}

impl Flipped {
    /// Whether an operation took its own flip back: nobody but itself did that.
    pub fn is_compensation(&self) -> bool {
        self.what.as_str() == COMPENSATION
    }

    /// What it was, in the word that the operation's outcome has for it.
    pub fn word(&self) -> &str {
        match self.is_compensation() {
            true => Outcome::RolledBack.word(),
            false => &self.what,
        }
    }

    /// Who rolled back, as a sentence about a way back begins.
    pub fn subject(&self) -> &str {
        match self.is_compensation() {
            true => "traffic was",
            false => &self.by,
        }
    }

    /// Whether it brought a new colour live, so that the way back is to the one that it left.
    pub fn cut_over(&self) -> bool {
        OperationKind::of(&self.what).is_some_and(OperationKind::cuts_over)
    }
}

/// Which colour was seen to serve, and which one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// The last one.
    pub live: Option<Colour>,
    /// The one before it.
    pub before: Option<Colour>,
}

/// A colour that was seen to serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Colour {
    /// The colour.
    pub colour: Safe,
    /// When.
    pub at: Timestamp,
    /// By which operation.
    pub operation: Safe,
}

impl Verified {
    /// The last colour.
    pub fn colour(&self) -> Option<Safe> {
        self.live.as_ref().map(|live| live.colour.clone())
    }

    /// Whether `colour` is one of the two.
    pub fn knows(&self, colour: &str) -> bool {
        let is = |c: &Option<Colour>| c.as_ref().is_some_and(|c| c.colour.as_str() == colour);
        is(&self.live) || is(&self.before)
    }

    /// The same with `colour` as the last one.
    pub fn followed_by(self, colour: Colour) -> Self {
        match &self.live {
            Some(live) if live.colour == colour.colour => Self {
                live: Some(colour),
                before: self.before,
            },
            _ => Self {
                before: self.live,
                live: Some(colour),
            },
        }
    }
}

/// Who gave a Deployment its images, which it had before, and why: the way back, without any record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// When, by the worker's wall clock.
    pub at: Timestamp,
    /// Who.
    pub by: Safe,
    /// `deploy` or `rollback`.
    pub what: Safe,
    /// Why.
    pub why: Option<Safe>,
    /// The operation.
    pub operation: Safe,
    /// Images before, by container.
    pub from: BTreeMap<Safe, Safe>,
    /// Images after, by container.
    pub to: BTreeMap<Safe, Safe>,
    /// The operation that a rollback takes back, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<Safe>,
}

impl Deployed {
    /// Whether `deployment` has the images that it was given then.
    pub fn stands(&self, deployment: &Deployment) -> bool {
        (deployment.images.iter())
            .all(|(name, image)| self.to.get(name).is_none_or(|to| *to == image.name))
    }

    /// Whether it is a way back.
    pub fn is_rollback(&self) -> bool {
        self.what.as_str() == OperationKind::Rollback.word()
    }
}

/// What an autoscaler had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// `minReplicas` before.
    pub min: u32,
    /// What it was set to; none where a version before wrote that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// The operation that holds it.
    pub operation: Safe,
}

impl Held {
    /// Whether `minReplicas` is what it was set to: nobody set it since.
    pub fn stands(&self, min: u32) -> bool {
        self.to.is_none_or(|to| to == min)
    }
}

/// The Lease of a lock: named from the object, never from anybody's configuration.
pub fn lease_name(lock: &str) -> String {
    match locked_deployment(lock) {
        Some(deployment) => format!("wheelhouse-deployment-{deployment}"),
        None => format!("wheelhouse-service-{lock}"),
    }
}

/// The lock of a Deployment that belongs to no Service of a switch.
pub fn lock_of_deployment(name: &str) -> Safe {
    format!("{OF_DEPLOYMENT}{name}").into()
}

/// The Deployment that a lock is of; none where it is a Service's.
pub fn locked_deployment(lock: &str) -> Option<&str> {
    lock.strip_prefix(OF_DEPLOYMENT)
}

/// The record of an operation.
pub fn record_name(id: &str) -> String {
    format!("wheelhouse-{id}")
}

/// A reason as a mark holds it, which shares its room with images: an older version reads 4 KiB of it and no more.
pub fn brief(why: Safe) -> Safe {
    match why.chars().count().saturating_sub(REASON) {
        0 => why,
        more => {
            let head: String = why.chars().take(REASON).collect();
            format!("{head}… ({more} characters more)").into()
        }
    }
}

/// The epoch on an object; none where there is none, or no number.
pub fn epoch(marks: &Labels) -> Option<u64> {
    marks.get(EPOCH)?.parse().ok()
}

/// The operation that a Lease or a Service names.
pub fn operation(marks: &Labels) -> Option<Safe> {
    marks.get(OPERATION).filter(|id| !id.is_empty()).cloned()
}

/// Who flipped `service` last, where Wheelhouse did.
pub fn flipped(service: &Service) -> Option<Flipped> {
    serde_json::from_str(service.marks.get(FLIP)?).ok()
}

/// Who deployed to `deployment` last, where Wheelhouse did.
pub fn deployed(deployment: &Deployment) -> Option<Deployed> {
    serde_json::from_str(deployment.marks.get(DEPLOY)?).ok()
}

/// What was verified live on `service`.
pub fn verified(service: &Service) -> Option<Verified> {
    serde_json::from_str(service.marks.get(VERIFIED)?).ok()
}

/// Whether `manager`, who owns the colour of a Service, went round Wheelhouse after `flip` (X08). Our own entry moves
/// with each later write of ours: what was verified, a fence, a word on the warm colour.
pub fn is_unmanaged(flip: &Flipped, manager: &FieldManager) -> bool {
    let is_later = |at: Timestamp| at.duration_since(flip.at).as_secs() > CLOCKS_S;
    manager.name.as_str() != MANAGER && manager.at.is_none_or(is_later)
}

/// The selector that was meant for `service`.
pub fn meant(service: &Service) -> Option<Labels> {
    service.meant()
}

/// When the holder of `lease` last renewed it: when the server took that, and where it does not say, by the holder's
/// clock, which may be hours off.
pub fn beat(lease: &Lease) -> Option<Timestamp> {
    lease.taken.or(lease.renewed).or(lease.acquired)
}

/// Whether the holder of `lease` renewed it within its duration, by the server's time.
pub fn is_alive(lease: &Lease, now: Timestamp) -> bool {
    let Some(renewed) = beat(lease) else {
        return false;
    };
    let age = now.duration_since(renewed).as_secs();
    age < i64::from(lease.duration_s)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_flipped_is_read_back_whatever_the_reason_and_the_images() {
        let why = Safe::new(&"\u{1f525} \"why\" ".repeat(2_000));
        let images = vec![Safe::from("frontend v1 sha256:0a1b2c3d4e5f"); 40];
        let flipped = Flipped {
            at: "2026-11-26T14:02:00Z".parse().unwrap(),
            by: "alice".into(),
            from: Some("green".into()),
            to: "blue".into(),
            what: "rollback".into(),
            why: Some(brief(why.clone())),
            operation: "01op".into(),
            images: images.clone(),
            left: images,
            runs: Vec::new(),
        };
        let told = flipped.why.as_ref().unwrap();
        let more = why.chars().count() - REASON;
        assert!(
            told.ends_with(&format!("… ({more} characters more)")),
            "{told}"
        );
        let text = serde_json::to_string(&flipped).unwrap();
        assert_eq!(serde_json::from_str::<Flipped>(&text).unwrap(), flipped);
        assert_eq!(brief("short".into()).as_str(), "short");
    }
}
