//! Freezing and thawing: may I, and what exactly would be written? For the screen and headless alike.

use jiff::Timestamp;
use serde::Serialize;

use super::plan::{Refusal, RefusalKind};
use crate::estate::policy::{self, Freeze, LastChange};
use crate::estate::{Estate, Now, Safe, Standing, Tier};

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Nothing moves forward until then; none: until somebody thaws it.
    Freeze(Option<Timestamp>),
    /// It may again.
    Thaw,
}

/// Who, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Because {
    /// The API's user; empty where it is not known.
    pub who: Safe,
    /// OS user and host.
    pub seat: Safe,
    /// Why.
    pub why: Safe,
}

/// What would be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Draft {
    /// The environment.
    pub environment: Safe,
    /// Its tier, by configuration and policy.
    pub tier: Tier,
    /// The key of the ConfigMap's data.
    pub key: Safe,
    /// What stands there.
    pub before: Option<Freeze>,
    /// What will.
    pub after: Option<Freeze>,
    /// Every freeze that holds or held here, as it was seen.
    #[serde(skip)]
    pub seen: Vec<Freeze>,
    /// Who changes it, and why.
    pub last: LastChange,
    /// The ConfigMap's uid and resourceVersion; none: it is made.
    pub version: Option<(Safe, Safe)>,
}

/// Whether `wanted` may be done to `estate`, and how.
///
/// # Errors
/// Why not.
pub fn check(
    wanted: &Wanted,
    because: &Because,
    estate: &Estate,
    now: Now,
) -> Result<Draft, Refusal> {
    let server = estate.server_time(now);
    let because = Because {
        why: because.why.trim().into(),
        ..because.clone()
    };
    if because.why.is_empty() {
        return Err(Refusal::invalid(
            "it needs a reason: whoever is stopped by it reads it",
        ));
    }
    let standing = estate.standing(now);
    let before = match &standing {
        Standing::Wrong(why) => return Err(Refusal::invalid(why.clone())),
        Standing::Unseen(why) => {
            return Err(Refusal {
                kind: RefusalKind::Unknown,
                why: format!("what the policy says is not known: {why}").into(),
                plan: None,
            });
        }
        Standing::Free | Standing::Frozen(_) => own(estate),
    };
    let after = match wanted {
        Wanted::Freeze(until) => {
            let now = (&standing, before);
            Some(frozen(*until, &because, now, server)?)
        }
        Wanted::Thaw => {
            thawable(estate, before)?;
            None
        }
    };
    let (who, seat) = because.names();
    Ok(Draft {
        environment: estate.scope.name.clone(),
        tier: estate.tier(),
        key: key(policy::FREEZE, estate),
        before: before.cloned(),
        last: LastChange {
            who,
            seat,
            what: wanted.word().into(),
            why: because.why,
            at: server,
        },
        after,
        seen: seen(estate),
        version: (estate.policy()).map(|it| (it.uid.clone(), it.resource_version.clone())),
    })
}

/// Every freeze that holds or held here.
pub fn seen(estate: &Estate) -> Vec<Freeze> {
    let terms = estate.terms().and_then(Result::ok);
    terms.map(|terms| terms.freezes).unwrap_or_default()
}

/// The freeze that is this environment's own.
pub fn own(estate: &Estate) -> Option<&Freeze> {
    estate.policy()?.own_freeze(&estate.scope.namespace)
}

/// The key of a rule that is for this environment's namespace alone: others may keep their records there too.
pub fn key(rule: &str, estate: &Estate) -> Safe {
    format!("{rule}.{}", estate.scope.namespace).into()
}

fn frozen(
    until: Option<Timestamp>,
    because: &Because,
    (standing, before): (&Standing, Option<&Freeze>),
    server: Timestamp,
) -> Result<Freeze, Refusal> {
    if let Some(until) = until.filter(|until| *until <= server) {
        return Err(Refusal::invalid(format!(
            "until {until:.0} is over: the server's clock says {server:.0}"
        )));
    }
    let (who, seat) = because.names();
    let is_mine = |it: &Freeze| match because.who.is_empty() {
        // Who we are to the API is asked when it is done.
        true => it.who == because.seat || it.seat.as_ref() == Some(&because.seat),
        false => it.who == because.who,
    };
    let stands = before.filter(|before| *standing == Standing::Frozen((*before).clone()));
    // A colleague's is shown, never overwritten; one's own may be made longer or shorter.
    if let Some(theirs) = stands.filter(|it| !is_mine(it)) {
        return Err(Refusal {
            kind: RefusalKind::Held,
            why: format!("it is {} already: thaw it first", theirs.words()).into(),
            plan: None,
        });
    }
    Ok(Freeze {
        since: stands.and_then(|it| it.since).or(Some(server)),
        why: because.why.clone(),
        who,
        seat,
        until,
    })
}

fn thawable(estate: &Estate, before: Option<&Freeze>) -> Result<(), Refusal> {
    if before.is_some() {
        return Ok(());
    }
    let all = estate.policy().and_then(|it| it.own_freeze(""));
    Err(Refusal::invalid(match all {
        Some(freeze) => format!(
            "it is {}; that is for every environment whose records are kept there: take the key `{}` out of ConfigMap {}",
            freeze.words(),
            policy::FREEZE,
            policy::NAME
        ),
        None => format!(
            "{} is not frozen: there is nothing to thaw",
            estate.scope.name
        ),
    }))
}

impl Wanted {
    /// The word that people and commands use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Freeze(_) => "freeze",
            Self::Thaw => "thaw",
        }
    }
}

impl Because {
    /// The user, and the seat where it says more.
    fn names(&self) -> (Safe, Option<Safe>) {
        match self.who.is_empty() {
            true => (self.seat.clone(), None),
            false => (self.who.clone(), Some(self.seat.clone())),
        }
    }
}

impl Draft {
    /// What is to be done, in a line.
    pub fn title(&self) -> String {
        format!("{} {}", self.last.what, self.environment)
    }

    /// What stands there, and what will.
    pub fn change(&self) -> (String, String) {
        let words = |freeze: &Option<Freeze>| match freeze {
            Some(freeze) => freeze.words(),
            None => "not frozen".to_owned(),
        };
        (words(&self.before), words(&self.after))
    }

    /// What it stops, and what it never does.
    pub fn consequence(&self) -> &'static str {
        match self.after {
            Some(_) => "stops deploys, cutovers, repairs and clean-ups, and never a rollback",
            None => "deploys, cutovers, repairs and clean-ups are possible again",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::estate::fold::tests::now;
    use crate::estate::pods::tests::scope;
    use crate::estate::policy::NAME;
    use crate::estate::{Delta, Kind, Policy, Seen};

    fn estate(pairs: &[(&str, &str)]) -> Estate {
        let mut estate = Estate::new(scope(), None);
        let data = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let policy = Policy::read([NAME.into(), "u".into(), "7".into()], &data.collect());
        let page = match pairs.is_empty() {
            true => Vec::new(),
            false => vec![policy],
        };
        for seen in [
            Seen::Policies(Delta::Began),
            Seen::Policies(Delta::Page(page)),
            Seen::Policies(Delta::Ended),
            Seen::Opened(Kind::Policy),
            Seen::Pulse {
                server: Some(now(0).wall),
            },
        ] {
            estate.apply(seen, now(0));
        }
        estate
    }

    fn by(who: &str, why: &str) -> Because {
        Because {
            who: who.into(),
            seat: "al@b-2".into(),
            why: why.into(),
        }
    }

    fn frozen_by(who: &str) -> Estate {
        let value = format!(r#"{{"who":"{who}","why":"sale","since":"2026-01-01T00:00:00Z"}}"#);
        let key = format!("freeze.{}", scope().namespace);
        estate(&[("schema", "1"), (&key, &value)])
    }

    #[test]
    fn i_44_a_freeze_without_a_reason_is_refused() {
        for why in ["", "  "] {
            let refused = check(&Wanted::Freeze(None), &by("al", why), &estate(&[]), now(1));
            assert!(refused.unwrap_err().why.contains("needs a reason"));
        }
    }

    #[test]
    fn a_freeze_says_who_and_is_for_this_namespace_alone() {
        let draft = check(
            &Wanted::Freeze(None),
            &by("al", "sale"),
            &estate(&[]),
            now(1),
        );
        let draft = draft.unwrap();
        assert_eq!(draft.key.as_str(), format!("freeze.{}", scope().namespace));
        assert_eq!((draft.before, draft.version), (None, None));
        let after = draft.after.unwrap();
        assert_eq!((after.who.as_str(), after.why.as_str()), ("al", "sale"));
    }

    #[test]
    fn a_colleagues_freeze_is_shown_and_not_overwritten() {
        let wanted = Wanted::Freeze(None);
        let refusal = check(&wanted, &by("al", "x"), &frozen_by("bob"), now(1)).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Held);
        assert!(refusal.why.contains("frozen by bob"), "{}", refusal.why);
        let own = check(&wanted, &by("bob", "longer"), &frozen_by("bob"), now(1)).unwrap();
        let since = own.after.unwrap().since.unwrap();
        assert_eq!(since.to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn an_end_that_is_over_by_the_servers_clock_is_refused() {
        let wanted = Wanted::Freeze(Some(now(0).wall));
        let refusal = check(&wanted, &by("al", "x"), &estate(&[]), now(5_000)).unwrap_err();
        assert!(refusal.why.contains("is over"), "{}", refusal.why);
    }

    #[test]
    fn a_thaw_takes_anybodys_freeze_away_and_says_whose_it_was() {
        let draft = check(&Wanted::Thaw, &by("al", "over"), &frozen_by("bob"), now(1)).unwrap();
        assert!(draft.change().0.contains("frozen by bob"));
        assert_eq!(draft.after, None);
        let nothing = check(&Wanted::Thaw, &by("al", "over"), &estate(&[]), now(1));
        assert!(nothing.unwrap_err().why.contains("nothing to thaw"));
        let wide = estate(&[("schema", "1"), ("freeze", r#"{"who":"b","why":"c"}"#)]);
        let refusal = check(&Wanted::Thaw, &by("al", "over"), &wide, now(1)).unwrap_err();
        assert!(refusal.why.contains("take the key `freeze` out"));
    }
}
