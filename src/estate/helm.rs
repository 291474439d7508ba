//! What helm said of a release: its revisions, and what its chart renders.

use jiff::Timestamp;

use super::{Labels, PortTarget, Safe};

/// What came of asking helm, before a deploy by it.
#[derive(Clone, Debug, PartialEq)]
pub enum AskedHelm {
    /// It answered.
    Said(Box<Helm>),
    /// It cannot be used: it is not there, or too old.
    Unfit(Safe),
    /// It did not answer.
    Silent(Safe),
}

/// What helm said of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Helm {
    /// Its version, such as `v3.19.0`.
    pub version: Safe,
    /// The release.
    pub release: Safe,
    /// The release's revisions, the oldest first; empty where there is no such release.
    pub history: Vec<Revision>,
    /// What would be applied, as far as it matters here; or why that is not known.
    pub renders: Result<Vec<Rendered>, Safe>,
}

/// A revision of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its number, from 1.
    pub number: u32,
    /// How it stands.
    pub status: ReleaseStatus,
    /// When that was written.
    pub updated: Option<Timestamp>,
    /// The chart and its version.
    pub chart: Safe,
    /// What helm noted of it.
    pub description: Safe,
}

/// How a revision of a release stands, in helm's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseStatus {
    /// It is what was applied last, in full.
    Deployed,
    /// A newer one took its place.
    Superseded,
    /// It was applied in part, or not at all.
    Failed,
    /// `pending-install`, `pending-upgrade` or `pending-rollback`: a helm is at it, or died at it.
    Pending(Safe),
    /// It is being removed.
    Uninstalling,
    /// It was removed, and its history kept.
    Uninstalled,
    /// A word that this version does not know, or `unknown`.
    Other(Safe),
}

impl ReleaseStatus {
    /// By helm's word.
    pub fn of(word: &str) -> Self {
        match word {
            "deployed" => Self::Deployed,
            "superseded" => Self::Superseded,
            "failed" => Self::Failed,
            "pending-install" | "pending-upgrade" | "pending-rollback" => {
                Self::Pending(Safe::new(word))
            }
            "uninstalling" => Self::Uninstalling,
            "uninstalled" => Self::Uninstalled,
            other => Self::Other(Safe::new(other)),
        }
    }

    /// Whether a helm is at it, or died at it.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending(_))
    }

    /// Whether it was not applied in full, and nothing else will be before somebody does something.
    pub fn is_stuck(&self) -> bool {
        self.is_pending() || *self == Self::Failed
    }

    /// Whether helm can go back from it to an older one.
    pub fn may_go_back(&self) -> bool {
        self.is_stuck() || *self == Self::Deployed
    }

    /// Helm's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::Uninstalled => "uninstalled",
            Self::Pending(word) | Self::Other(word) => word,
        }
    }
}

/// An object that a chart renders.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// What it is.
    pub kind: RenderedKind,
    /// Its name.
    pub name: Safe,
    /// Its namespace; none for the release's.
    pub namespace: Option<Safe>,
    /// The selector of a Service, the labels of a Deployment's pods.
    pub labels: Labels,
    /// The ports of a Service.
    pub targets: Vec<PortTarget>,
}

/// The kinds of objects that matter to a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderedKind {
    /// It may be one that takes traffic.
    Service,
    /// It may be a part of a colour.
    Deployment,
}

impl Revision {
    /// Whether helm went back to an older one by it, or was to.
    pub fn is_rollback(&self) -> bool {
        // The last is how one ends that waited in vain; an install that does has none before it.
        let begins = ["Rollback to ", "Rollback \"", "Release \""];
        self.status.word() == "pending-rollback"
            || begins.iter().any(|it| self.description.starts_with(it))
    }

    /// Where helm goes back to by it, as long as it has not failed.
    fn goes_to(&self) -> Option<u32> {
        self.description.strip_prefix("Rollback to ")?.parse().ok()
    }

    /// Whether it was applied in full: helm marks as superseded whatever it goes on from, be it that it failed.
    fn was_whole(&self) -> bool {
        !self.description.contains("\" failed: ")
    }
}

impl Helm {
    /// The newest revision.
    pub fn last(&self) -> Option<&Revision> {
        self.history.last()
    }

    /// The newest revision that was applied in full, before the last one. None that a rollback left, be it that the rollback got
    /// half-way, and none newer than where one goes that is pending.
    pub fn good(&self) -> Option<&Revision> {
        let most = self.last()?.goes_to().unwrap_or(u32::MAX);
        let later = self.history.iter().skip(1);
        let before = self.history.iter().zip(later).rev();
        let is_good = |(it, next): &(&Revision, &Revision)| {
            let is_left = next.is_rollback() && next.goes_to() != Some(it.number);
            !is_left && it.was_whole() && it.number <= most
        };
        let good = before.filter(is_good).map(|(it, _)| it);
        let of = |status| good.clone().find(|it| it.status == status);
        of(ReleaseStatus::Deployed).or_else(|| of(ReleaseStatus::Superseded))
    }

    /// The revision that helm was to leave for [`Self::good`] and could not: a rollback failed, or two did not end.
    pub fn stays_at(&self) -> Option<&Revision> {
        let good = self.good()?.number;
        let mut later = self.history.iter().skip_while(|it| it.number <= good);
        let left = later.next()?;
        let tried: Vec<&Revision> = later.collect();
        let is_in_vain = tried.len() > 1 || tried.last()?.status == ReleaseStatus::Failed;
        let is_it = |it: &&Revision| it.is_rollback();
        (is_in_vain && tried.last()?.status.is_stuck() && tried.iter().all(is_it)).then_some(left)
    }
}
