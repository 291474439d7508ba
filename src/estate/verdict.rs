//! Three values for every check: UNKNOWN is never OK (SAFETY, rule 6).

use serde::Serialize;

use super::Safe;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "UPPERCASE")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Wrong, because.
    Bad(Safe),
    /// Not known, because: no data, stale, unreachable.
    Unknown(Safe),
}

impl Verdict {
    /// The graver of two: BAD before UNKNOWN before OK.
    pub fn and(self, other: Self) -> Self {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }

    /// Whether the check passed.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }

    /// The word that stands beside the mark.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Bad(_) => "BAD",
            Self::Unknown(_) => "UNKNOWN",
        }
    }

    /// The reason, where there is one.
    pub fn why(&self) -> Option<&Safe> {
        match self {
            Self::Ok => None,
            Self::Bad(why) | Self::Unknown(why) => Some(why),
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown(_) => 1,
            Self::Bad(_) => 2,
        }
    }
}

/// Which operations, or acts, need a right of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Every one that moves forward.
    Always,
    /// Those that change Deployments.
    Deploys,
    /// Those that bring traffic to another colour.
    CutsOver,
    /// Those that ask pods whether they work.
    Smokes,
    /// Setting or extending a silence, where Alertmanager is reached through the API server.
    Silences,
    /// Expiring one.
    Expires,
}

/// A right of ours, as an access review said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// Who needs it.
    pub need: Need,
    /// Verb, resource, object and namespace, in Kubernetes' words.
    pub of: Safe,
    /// BAD: it is denied. UNKNOWN: it could not be asked, or the server could not tell.
    pub verdict: Verdict,
}

/// A named check and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable name, such as `endpoints`.
    pub name: &'static str,
    /// The object that was checked.
    pub of: Safe,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}
