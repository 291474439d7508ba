//! Policy beside the target (SAFETY, rule 13): the ConfigMap `wheelhouse-policy`, where records are kept.
//!
//! Its data, read strictly, since a rule that is not understood must not be passed over:
//!
//! | key | value |
//! | --- | --- |
//! | `schema` | `1` |
//! | `freeze` | JSON: `{"who": …, "seat": …, "why": …, "since": …, "until": …}`; `who` and `why` must be there |
//! | `tier` | the least tier: `development`, `staging` or `production` |
//! | `approval` | the least approval of a cutover: `none`, `github review` or `one other person` |
//! | `gates` | JSON, the least gates of a cutover: [`Demanded`] |
//! | `last` | JSON, who changed it last and why; it decides nothing |
//!
//! Several environments may keep their records in one namespace: `freeze.shop` is for what is in namespace
//! `shop` alone, `freeze` for all of them. The same goes for `tier`, `approval`, `gates` and `last`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod gates;

pub use gates::Demanded;

use super::{Approver, Currency, Estate, Keyed, Kind, Now, Safe, Tier};

/// The ConfigMap's name.
pub const NAME: &str = "wheelhouse-policy";
/// The version of its shape.
pub const SCHEMA: u32 = 1;
/// The key of that version.
pub const SCHEMA_KEY: &str = "schema";
/// The key of a freeze.
pub const FREEZE: &str = "freeze";
/// The key of the least tier.
pub const TIER: &str = "tier";
/// The key of the least approval.
pub const APPROVAL: &str = "approval";
/// The key of the least gates.
pub const GATES: &str = "gates";
/// The key of who changed it last.
pub const LAST: &str = "last";

/// The policy as it stands in the cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// Its name: [`NAME`].
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `metadata.resourceVersion`.
    pub resource_version: Safe,
    /// The keys of its data.
    pub keys: Vec<Safe>,
    /// What it says, by namespace; under the empty one what is for all.
    said: BTreeMap<Safe, Result<Said, Safe>>,
    /// Why nothing of it can be believed.
    wrong: Option<Safe>,
}

/// What it says of one namespace, or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Said {
    freeze: Option<Freeze>,
    tier: Option<Tier>,
    approval: Option<Approver>,
    gates: Option<Demanded>,
    last: Option<LastChange>,
}

/// What holds in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Terms {
    /// The freezes, over or not: the namespace's own first.
    pub freezes: Vec<Freeze>,
    /// The least tier.
    pub tier: Option<Tier>,
    /// The least approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approver>,
    /// The least gates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Demanded>,
    /// Who changed it last. Not among the terms that a plan is bound to.
    #[serde(skip)]
    pub last: Option<LastChange>,
}

/// Nothing moves forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Who set it: the API's user, alone, so that an admission policy can compare it.
    pub who: Safe,
    /// OS user and host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<Safe>,
    /// Why.
    pub why: Safe,
    /// Since when, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until when, by the server's clock; none: until somebody thaws it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Who changed it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// The API's user.
    pub who: Safe,
    /// OS user and host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<Safe>,
    /// `freeze` or `thaw`.
    pub what: Safe,
    /// Why.
    pub why: Safe,
    /// When, by the server's clock.
    pub at: Timestamp,
}

/// Whether an environment is frozen now.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It is not.
    Free,
    /// It is.
    Frozen(Freeze),
    /// The policy is there and cannot be believed; why.
    Wrong(Safe),
    /// It is not known; why.
    Unseen(Safe),
}

impl Freeze {
    /// `alice (alice@bastion-2)`
    pub fn by(&self) -> Safe {
        match &self.seat {
            Some(seat) if *seat != self.who => format!("{} ({seat})", self.who).into(),
            _ => self.who.clone(),
        }
    }

    /// `frozen by alice until 2026-11-27T06:00:00Z: Black Friday`
    pub fn words(&self) -> String {
        let until = match self.until {
            Some(until) => format!("until {until:.0}"),
            None => "until somebody thaws it".to_owned(),
        };
        format!("frozen by {} {until}: {}", self.by(), self.why)
    }
}

impl Policy {
    /// What the ConfigMap `name` with this `data` says.
    pub fn read([name, uid, resource_version]: [Safe; 3], data: &BTreeMap<String, String>) -> Self {
        let mut said: BTreeMap<Safe, Result<Said, Safe>> = BTreeMap::new();
        let mut wrong = schema(data);
        for (key, value) in data {
            let (rule, namespace) = key.split_once('.').unwrap_or((key, ""));
            if rule == SCHEMA_KEY && namespace.is_empty() {
                continue;
            }
            let place = said
                .entry(namespace.into())
                .or_insert_with(|| Ok(Said::default()));
            let Ok(so_far) = place else { continue };
            if let Err(why) = so_far.take(rule, key, value) {
                match namespace.is_empty() {
                    true => wrong = wrong.or(Some(why)),
                    false => *place = Err(why),
                }
            }
        }
        Self {
            name,
            uid,
            resource_version,
            keys: data.keys().map(|key| Safe::new(key)).collect(),
            said,
            wrong,
        }
    }

    /// What holds in `namespace`.
    ///
    /// # Errors
    /// Which key cannot be understood, and what was expected.
    pub fn terms(&self, namespace: &str) -> Result<Terms, Safe> {
        if let Some(why) = &self.wrong {
            return Err(why.clone());
        }
        let of = |place: &str| self.said.get(place).cloned().unwrap_or(Ok(Said::default()));
        let (own, all) = (of(namespace)?, of("")?);
        Ok(Terms {
            freezes: own.freeze.into_iter().chain(all.freeze).collect(),
            tier: own.tier.max(all.tier),
            approval: own.approval.max(all.approval),
            gates: match (own.gates, all.gates) {
                (Some(own), Some(all)) => Some(own.and(all)),
                (own, all) => own.or(all),
            },
            last: own.last.or(all.last),
        })
    }

    /// The freeze that is for `namespace` alone or, where that is empty, for all.
    pub fn own_freeze(&self, namespace: &str) -> Option<&Freeze> {
        self.said.get(namespace)?.as_ref().ok()?.freeze.as_ref()
    }

    /// Whether its data has `key`.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|has| has.as_str() == key)
    }
}

/// Why the version of the shape forbids to go on.
fn schema(data: &BTreeMap<String, String>) -> Option<Safe> {
    let expected = format!("expected `{SCHEMA}`");
    let said = match data.get(SCHEMA_KEY) {
        None => format!("ConfigMap {NAME} has no key `{SCHEMA_KEY}`: {expected}"),
        Some(text) => match text.trim().parse::<u32>() {
            Ok(SCHEMA) => return None,
            Ok(newer) if newer > SCHEMA => format!(
                "key `{SCHEMA_KEY}` of ConfigMap {NAME} is {newer}, of a newer version: {expected}; use a newer wheelhouse"
            ),
            Ok(_) | Err(_) => {
                let text = Safe::new(text);
                format!("key `{SCHEMA_KEY}` of ConfigMap {NAME} is {text:?}: {expected}")
            }
        },
    };
    Some(said.into())
}

impl Said {
    fn take(&mut self, rule: &str, key: &str, value: &str) -> Result<(), Safe> {
        match rule {
            FREEZE => self.freeze = Some(freeze(key, value)?),
            TIER => self.tier = Some(tier(key, value)?),
            APPROVAL => self.approval = Some(approval(key, value)?),
            GATES => self.gates = Some(gates::read(key, value)?),
            // It decides nothing: whatever it is, it stands in nobody's way.
            LAST => self.last = serde_json::from_str(value).ok(),
            _ => {
                let said = format!(
                    "key `{key}` of ConfigMap {NAME} is not known: expected {SCHEMA_KEY}, {FREEZE}, {TIER}, {APPROVAL}, {GATES} or {LAST}, or one of them with .NAMESPACE behind it"
                );
                return Err(said.into());
            }
        }
        Ok(())
    }
}

fn freeze(key: &str, value: &str) -> Result<Freeze, Safe> {
    let read: Result<Freeze, _> = serde_json::from_str(value);
    let wrong = |why: String| {
        Safe::from(format!(
            "key `{key}` of ConfigMap {NAME} is no freeze ({why}): expected JSON such as \
             {{\"who\":\"alice\",\"why\":\"Black Friday\",\"until\":\"2026-11-30T06:00:00Z\"}}"
        ))
    };
    match read {
        Ok(freeze) if freeze.who.trim().is_empty() => Err(wrong("`who` is empty".to_owned())),
        Ok(freeze) if freeze.why.trim().is_empty() => Err(wrong("`why` is empty".to_owned())),
        Ok(freeze) => Ok(freeze),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn tier(key: &str, value: &str) -> Result<Tier, Safe> {
    match value.trim() {
        "development" => Ok(Tier::Development),
        "staging" => Ok(Tier::Staging),
        "production" => Ok(Tier::Production),
        other => {
            let other = Safe::new(other);
            Err(format!(
                "key `{key}` of ConfigMap {NAME} is {other:?}: expected development, staging or production"
            )
            .into())
        }
    }
}

fn approval(key: &str, value: &str) -> Result<Approver, Safe> {
    let found = Approver::WORDS
        .iter()
        .find(|(word, _)| *word == value.trim());
    found.map(|(_, approver)| *approver).ok_or_else(|| {
        let [none, github, other] = Approver::WORDS.map(|(word, _)| word);
        let value = Safe::new(value);
        format!(
            "key `{key}` of ConfigMap {NAME} is {value:?}: expected {none}, {github} or {other}"
        )
        .into()
    })
}

impl Keyed for Policy {
    fn key(&self) -> &Safe {
        &self.name
    }
}

impl Estate {
    /// The policy, where there is one.
    pub fn policy(&self) -> Option<&Policy> {
        self.policies.value.get(NAME)
    }

    /// What it says of this environment; none where there is none, as far as is known.
    pub fn terms(&self) -> Option<Result<Terms, Safe>> {
        Some(self.policy()?.terms(&self.scope.namespace))
    }

    /// How much friction the environment deserves: the configuration's tier, or the policy's where that is
    /// higher. Local configuration may only tighten it.
    pub fn tier(&self) -> Tier {
        match self.terms() {
            Some(Ok(terms)) => terms.tier.unwrap_or(self.scope.tier).max(self.scope.tier),
            // Whoever cannot tell the floor asks as if it were the highest.
            Some(Err(_)) => Tier::Production,
            None => self.scope.tier,
        }
    }

    /// Whose approval a cutover needs: the configuration's, or the policy's where that asks for more, as far as it was
    /// read. Where it was not ([`Estate::unread`]), nobody knows, and the gate of approvals says so.
    pub fn approver(&self) -> Approver {
        let said = match self.terms() {
            Some(Ok(terms)) => terms.approval.unwrap_or_default(),
            Some(Err(_)) | None => Approver::Nobody,
        };
        said.max(self.scope.approval.by)
    }

    /// Whether it is frozen now, by the server's clock.
    pub fn standing(&self, now: Now) -> Standing {
        let terms = match self.terms() {
            Some(Ok(terms)) => terms,
            Some(Err(why)) => return Standing::Wrong(why),
            None => Terms::default(),
        };
        let server = self.told_time(now);
        for freeze in terms.freezes {
            match (freeze.until, server) {
                (None, _) => return Standing::Frozen(freeze),
                (Some(until), Some(server)) if server < until => return Standing::Frozen(freeze),
                (Some(_), Some(_)) => {}
                (Some(until), None) if now.wall < until => return Standing::Frozen(freeze),
                (Some(until), None) => {
                    let said = format!(
                        "the freeze of {} is over at {until:.0} by the server's clock, which is not known",
                        freeze.by()
                    );
                    return Standing::Unseen(said.into());
                }
            }
        }
        match self.unseen(now) {
            None => Standing::Free,
            Some(why) => Standing::Unseen(why),
        }
    }

    /// Why nobody knows what the policy demands now; none where it was read, or is known to be absent.
    pub fn unread(&self, now: Now) -> Option<Safe> {
        match self.terms() {
            Some(Err(why)) => Some(why),
            Some(Ok(_)) | None => self.unseen(now),
        }
    }

    /// Missing is not empty: what was not seen is not known to be absent.
    fn unseen(&self, now: Now) -> Option<Safe> {
        match self.currency(Kind::Policy, now.at) {
            Currency::Live => None,
            Currency::Waiting => Some("it was not seen yet".into()),
            Currency::Stale => {
                let fault = self.fault(Kind::Policy).map(|fault| fault.what.clone());
                Some(fault.unwrap_or_else(|| "no sign of life".into()))
            }
        }
    }

    /// The server's time where it has told it: the bastion's clock does not end a freeze.
    pub fn told_time(&self, now: Now) -> Option<Timestamp> {
        let skew = jiff::SignedDuration::from_millis(self.cluster.skew_ms?);
        now.wall.checked_add(skew).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::super::fold::tests::now;
    use super::super::pods::tests::scope;
    use super::*;
    use crate::estate::{Delta, Seen};

    fn read(pairs: &[(&str, &str)]) -> Policy {
        let data = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Policy::read([NAME.into(), "u".into(), "7".into()], &data.collect())
    }

    fn estate(pairs: &[(&str, &str)]) -> Estate {
        let mut estate = Estate::new(scope(), None);
        for seen in [
            Seen::Policies(Delta::Began),
            Seen::Policies(Delta::Page(vec![read(pairs)])),
            Seen::Policies(Delta::Ended),
            Seen::Opened(Kind::Policy),
        ] {
            estate.apply(seen, now(0));
        }
        estate
    }

    const FROZEN: &str = r#"{"who":"alice","seat":"al@b-2","why":"Black Friday"}"#;

    #[test]
    fn i_44_a_freeze_says_who_why_and_until_when() {
        let policy = read(&[("schema", "1"), ("freeze", FROZEN)]);
        let freeze = &policy.terms("shop").unwrap().freezes[0];
        assert_eq!(
            freeze.words(),
            "frozen by alice (al@b-2) until somebody thaws it: Black Friday"
        );
        let until = r#"{"who":"al","why":"x","until":"2026-11-30T06:00:00Z"}"#;
        let policy = read(&[("schema", "1"), ("freeze.shop", until)]);
        let freeze = &policy.terms("shop").unwrap().freezes[0];
        assert_eq!(freeze.words(), "frozen by al until 2026-11-30T06:00:00Z: x");
        assert!(policy.terms("other").unwrap().freezes.is_empty());
    }

    #[test]
    fn what_is_not_understood_names_its_key_and_what_was_expected() {
        for (pairs, parts) in [
            (&[][..], ["no key `schema`", "expected `1`"]),
            (&[("schema", "one")], ["\"one\"", "expected `1`"]),
            (&[("schema", "2")], ["newer version", "expected `1`"]),
            (
                &[("schema", "1"), ("freeeze", "")],
                [
                    "`freeeze`",
                    "expected schema, freeze, tier, approval, gates or last",
                ],
            ),
            (
                &[("schema", "1"), ("freeze", "yes")],
                ["`freeze`", "expected JSON such as"],
            ),
            (
                &[("schema", "1"), ("freeze", r#"{"who":"a","why":" "}"#)],
                ["`freeze`", "`why` is empty"],
            ),
            (
                &[
                    ("schema", "1"),
                    ("freeze", r#"{"who":"a","who":"b","why":"c"}"#),
                ],
                ["`freeze`", "duplicate field"],
            ),
            (
                &[
                    ("schema", "1"),
                    ("freeze", r#"{"who":"a","why":"b","til":"c"}"#),
                ],
                ["`freeze`", "unknown field"],
            ),
            (
                &[("schema", "1"), ("tier", "prod")],
                ["`tier`", "expected development, staging or production"],
            ),
            (
                &[("schema", "1"), ("approval", "two")],
                [
                    "`approval`",
                    "expected none, github review or one other person",
                ],
            ),
        ] {
            let why = read(pairs).terms("shop").unwrap_err();
            for part in parts {
                assert!(why.contains(part), "{part:?} in {why}");
            }
            let standing = estate(pairs).standing(now(1));
            assert_eq!(standing, Standing::Wrong(why));
        }
    }

    #[test]
    fn what_is_wrong_for_one_namespace_stops_no_other() {
        let policy = read(&[("schema", "1"), ("freeze.a", "?"), ("tier.b", "staging")]);
        assert!(policy.terms("a").is_err());
        assert_eq!(policy.terms("b").unwrap().tier, Some(Tier::Staging));
    }

    #[test]
    fn local_configuration_only_tightens_the_tier() {
        let of = |tier: &str| estate(&[("schema", "1"), ("tier", tier)]).tier();
        assert_eq!(scope().tier, Tier::Production);
        assert_eq!(of("development"), Tier::Production, "not loosened");
        let mut low = estate(&[("schema", "1"), ("tier", "production")]);
        low.scope.tier = Tier::Development;
        assert_eq!(low.tier(), Tier::Production);
        let mut wrong = estate(&[("schema", "7")]);
        wrong.scope.tier = Tier::Development;
        assert_eq!(wrong.tier(), Tier::Production);
    }

    #[test]
    fn local_configuration_only_tightens_whose_approval_is_needed() {
        let of = |said: &str, by| {
            let mut estate = estate(&[("schema", "1"), ("approval.production", said)]);
            estate.scope.approval.by = by;
            estate.approver()
        };
        assert_eq!(of("one other person", Approver::Nobody), Approver::Other);
        assert_eq!(of("one other person", Approver::Github), Approver::Other);
        assert_eq!(of("none", Approver::Other), Approver::Other);
        assert_eq!(of("github review", Approver::Nobody), Approver::Github);
    }

    #[test]
    fn i_44_the_servers_clock_ends_a_freeze_and_not_the_bastions() {
        let at = now(60_000).wall;
        let value = format!(r#"{{"who":"a","why":"b","until":"{at}"}}"#);
        let mut estate = estate(&[("schema", "1"), ("freeze", &value)]);
        assert!(matches!(estate.standing(now(1_000)), Standing::Frozen(_)));
        // The bastion is past it, but nobody asked the server.
        assert!(matches!(estate.standing(now(70_000)), Standing::Unseen(_)));
        let ours = now(1_000);
        let ahead = ours.wall + jiff::SignedDuration::from_secs(120);
        let server = Some(ahead);
        estate.apply(Seen::Pulse { server }, ours);
        assert_eq!(estate.standing(ours), Standing::Free);
        let behind = ours.wall - jiff::SignedDuration::from_secs(120);
        let server = Some(behind);
        estate.apply(Seen::Pulse { server }, ours);
        assert!(matches!(estate.standing(now(70_000)), Standing::Frozen(_)));
    }

    #[test]
    fn a_policy_that_was_never_listed_is_not_absent() {
        let mut estate = Estate::new(scope(), None);
        assert!(matches!(estate.standing(now(0)), Standing::Unseen(_)));
        estate.apply(Seen::Policies(Delta::Began), now(0));
        estate.apply(Seen::Policies(Delta::Ended), now(0));
        estate.apply(Seen::Opened(Kind::Policy), now(0));
        assert_eq!(estate.standing(now(1)), Standing::Free);
    }

    #[test]
    fn text_from_outside_is_cleaned() {
        let value = "{\"who\":\"a\\u001b[31m\",\"why\":\"x\\u202ey\"}";
        let policy = read(&[("schema", "1"), ("freeze", value)]);
        let freeze = &policy.terms("shop").unwrap().freezes[0];
        assert_eq!(
            (freeze.who.as_str(), freeze.why.as_str()),
            ("a", "x<U+202E>y")
        );
    }
}
