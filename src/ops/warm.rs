//! How long the colour that traffic left is kept warm: by configuration, or by somebody's word, which stands on the
//! first Service of the switch and is about one flip alone (I-39).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::freeze::Because;
use super::marks;
use super::plan::{Refusal, RefusalKind};
use crate::estate::{Estate, Kind, Now, Safe, Service, Tier};

/// On the first Service of a switch: who said how long the idle colour is kept, JSON of [`Word`].
pub const WARM: &str = "wheelhouse.dev/warm";

/// Somebody's word on how long the idle colour is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who: the API's user, or the OS user and host where that is not known.
    pub by: Safe,
    /// Why.
    pub why: Safe,
    /// The operation whose flip it is about: after another one it means nothing.
    pub operation: Safe,
    /// How long.
    pub keep: Keep,
}

/// How long the idle colour is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Until somebody says otherwise.
    Held,
    /// Until then.
    Until(Timestamp),
    /// No longer.
    Released,
}

/// Whether the idle colour is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Warmth {
    /// It is, until then; none: until somebody lets it go.
    Kept(Option<Timestamp>, Option<Word>),
    /// It may be cleaned up; since when traffic is elsewhere, as far as that is known.
    Free(Option<Timestamp>, Option<Word>),
    /// Nobody can tell; why.
    Unknown(Safe),
}

/// The last change of traffic.
struct Last {
    at: Option<Timestamp>,
    /// The operation, where it was one.
    operation: Option<Safe>,
}

/// Whether the colour that no Service of the switch selects is kept, at `now` by the server's clock, where that is told;
/// none where there are no colours, or none of them is idle.
pub fn warmth(estate: &Estate, now: Option<Timestamp>) -> Option<Warmth> {
    let switch = estate.scope.traffic.as_ref()?;
    estate.live_colour()?;
    let last = last(estate);
    let word = word(estate).filter(|word| last.operation.as_ref() == Some(&word.operation));
    let end = match (
        word.as_ref().map(|word| word.keep),
        switch.keep_warm,
        last.at,
    ) {
        (Some(Keep::Held), ..) => return Some(Warmth::Kept(None, word)),
        (Some(Keep::Until(end)), ..) => end,
        (Some(Keep::Released), ..) | (None, None | Some(0), _) => {
            return Some(Warmth::Free(last.at, word));
        }
        (None, Some(_), None) => {
            let said = "when traffic left it is not known: nothing on the Services says so";
            return Some(Warmth::Unknown(said.into()));
        }
        (None, Some(seconds), Some(at)) => at
            .checked_add(SignedDuration::from_secs(i64::from(seconds)))
            .unwrap_or(Timestamp::MAX),
    };
    Some(match now {
        // The bastion's own clock ends nothing.
        None => Warmth::Unknown(
            format!("it is kept until {end:.0}, and the server's clock is not known").into(),
        ),
        Some(now) if now < end => Warmth::Kept(Some(end), word),
        Some(_) => Warmth::Free(last.at, word),
    })
}

/// The operation that changed traffic last, if it was one.
pub(super) fn last_operation(estate: &Estate) -> Option<Safe> {
    last(estate).operation
}

/// Who changed traffic last, of all its Services; somebody who went round Wheelhouse counts too.
fn last(estate: &Estate) -> Last {
    let key = estate.scope.traffic.as_ref().map_or("", |s| s.key.as_str());
    let of = |service: &Service| {
        let owner = service.owner_of(key);
        let flip = marks::flipped(service);
        match flip.filter(|flip| !owner.is_some_and(|m| marks::is_unmanaged(flip, m))) {
            Some(flip) => Last {
                at: Some(flip.at),
                operation: Some(flip.operation),
            },
            None => Last {
                at: owner.and_then(|m| m.at),
                operation: None,
            },
        }
    };
    let none = Last {
        at: None,
        operation: None,
    };
    let all = services(estate).map(of);
    all.max_by_key(|last| last.at).unwrap_or(none)
}

fn services(estate: &Estate) -> impl Iterator<Item = &Service> {
    let names = estate.scope.traffic.iter().flat_map(|s| &s.services);
    names.filter_map(|name| estate.services.value.get(name))
}

/// What was said last, on whichever Service: another bastion may name another one first.
fn word(estate: &Estate) -> Option<Word> {
    let read = |s: &Service| serde_json::from_str::<Word>(s.marks.get(WARM)?).ok();
    services(estate).filter_map(read).max_by_key(|word| word.at)
}

impl Warmth {
    /// In words: `kept until 15:10Z`, `held by dave: …`, `may be cleaned up`.
    pub fn words(&self) -> String {
        let because = |word: &Option<Word>| {
            word.as_ref()
                .map_or_else(String::new, |w| format!(" by {}: {}", w.by, w.why))
        };
        match self {
            Self::Kept(None, word) => format!("held{}", because(word)),
            Self::Kept(Some(end), None) => format!("kept until {end:.0} (keep_warm)"),
            Self::Kept(Some(end), word) => format!("kept until {end:.0}{}", because(word)),
            Self::Free(_, Some(word)) if word.keep == Keep::Released => {
                format!("let go{}", because(&Some(word.clone())))
            }
            Self::Free(Some(since), _) => format!("idle since {since:.0}, and not kept longer"),
            Self::Free(None, _) => "idle, nobody knows since when, and not kept".to_owned(),
            Self::Unknown(why) => format!("not known: {why}"),
        }
    }
}

/// What somebody wants said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Keep it until somebody lets it go.
    Hold,
    /// Keep it until then.
    Extend(Timestamp),
    /// Let it go.
    Release,
}

impl Wanted {
    /// The word that people and commands use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Extend(_) => "extend",
            Self::Release => "release",
        }
    }
}

/// What would be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Draft {
    /// The environment.
    pub environment: Safe,
    /// Its tier, by configuration and policy.
    pub tier: Tier,
    /// The idle colour.
    pub colour: Safe,
    /// The Service that it is written on.
    pub service: Safe,
    /// How it is now, in words.
    pub before: String,
    /// What will be said.
    pub after: Word,
    /// What the Service must be.
    #[serde(skip)]
    pub must: (Safe, Option<u64>, Safe, bool),
}

impl Draft {
    /// What is to be done, in a line.
    pub fn title(&self) -> String {
        let what = match self.after.keep {
            Keep::Held => "hold",
            Keep::Until(_) => "keep",
            Keep::Released => "let go of",
        };
        format!(
            "{what} {} of {}",
            self.colour.to_uppercase(),
            self.environment
        )
    }

    /// What it stands on, in words: the idle colour, the flip that it is about, and how that is kept.
    pub fn stands_on(&self) -> Safe {
        let (colour, operation) = (self.colour.to_uppercase(), &self.after.operation);
        format!("{colour}, left by {operation}, {}", self.before).into()
    }

    /// The same, if it stands on what was `shown` to whoever confirmed it (I-47).
    ///
    /// # Errors
    /// What is so by now.
    pub fn as_shown(self, shown: &Safe) -> Result<Self, Safe> {
        let now = self.stands_on();
        match now == *shown {
            true => Ok(self),
            false => Err(format!(
                "that was changed meanwhile: now it is {now}; look, and plan again"
            )
            .into()),
        }
    }

    /// How it will be, in words.
    pub fn then(&self) -> String {
        match self.after.keep {
            Keep::Held => "held until somebody lets it go".to_owned(),
            Keep::Until(end) => format!("kept until {end:.0}"),
            Keep::Released => "not kept: a clean-up may scale it to 0".to_owned(),
        }
    }
}

/// Whether `wanted` may be said of the idle colour of `estate`.
///
/// # Errors
/// Why not.
pub fn check(
    wanted: Wanted,
    because: &Because,
    estate: &Estate,
    now: Now,
) -> Result<Draft, Refusal> {
    let server = estate.server_time(now);
    let why: Safe = because.why.trim().into();
    if why.is_empty() {
        return Err(Refusal::invalid(
            "it needs a reason: whoever wants to clean up reads it",
        ));
    }
    let name = &estate.scope.name;
    let Some(switch) = &estate.scope.traffic else {
        return Err(Refusal::invalid(format!(
            "{name} has no [environment.traffic]: no colour is kept warm there"
        )));
    };
    if !estate.is_listed(Kind::Services) {
        return Err(Refusal {
            kind: RefusalKind::Unknown,
            why: "which colour is idle is not known: the Services were not read".into(),
            plan: None,
        });
    }
    let (Some(live), Some(service)) = (estate.live_colour(), services(estate).next()) else {
        return Err(Refusal::invalid(
            "which colour is idle? The Services do not agree on one that is live",
        ));
    };
    let Some(operation) = last(estate).operation else {
        return Err(Refusal::invalid(
            "no operation of Wheelhouse moved traffic last, so there is nothing to say it of: a clean-up will say since when it is idle",
        ));
    };
    let keep = match wanted {
        Wanted::Hold => Keep::Held,
        Wanted::Release => Keep::Released,
        Wanted::Extend(end) if end <= server => {
            return Err(Refusal::invalid(format!(
                "until {end:.0} is over: the server's clock says {server:.0}"
            )));
        }
        Wanted::Extend(end) => {
            if let Some(Warmth::Kept(Some(kept), _)) = warmth(estate, Some(server))
                && end < kept
            {
                return Err(Refusal::invalid(format!(
                    "it is kept until {kept:.0} already, which is longer: let it go, or say a later end"
                )));
            }
            Keep::Until(end)
        }
    };
    let by = match because.who.is_empty() {
        true => because.seat.clone(),
        false => because.who.clone(),
    };
    Ok(Draft {
        environment: name.clone(),
        tier: estate.tier(),
        colour: switch.colours[1 - live].clone(),
        service: service.name.clone(),
        before: warmth(estate, Some(server)).map_or_else(String::new, |warmth| warmth.words()),
        after: Word {
            at: server,
            by,
            why: marks::brief(why),
            operation,
            keep,
        },
        must: (
            service.uid.clone(),
            marks::epoch(&service.marks),
            service.resource_version.clone(),
            service.has_annotations,
        ),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
