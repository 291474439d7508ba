//! A freeze stops whatever moves forward, by key and headless alike (I-44), unless somebody breaks the glass.
//!
//! The glass is before a freeze that is known. A policy that cannot be read may demand more than to wait, an approval
//! above all, and nobody passes over what nobody knows (I-12).
//!
//! A repair is stopped too: SAFETY, rule 9 exempts a rollback and nothing else, and what was meant may be the
//! colour that somebody left by hand as a rescue. During a freeze a rollback brings traffic to either colour.

use super::{Finding, Gate, Request, digest};
use crate::estate::{Estate, Now, Safe, Standing, Terms};
use crate::ops::OperationKind;

/// The gate that says BAD while the environment is frozen.
pub(in crate::ops) const FREEZE: &str = "freeze";
/// The gate that says UNKNOWN where nobody can tell whether it is.
pub(in crate::ops) const POLICY: &str = "policy";

/// Said between the reason for which the glass is broken and what it passes over.
const OVER: &str = "; passed over: ";

/// Said of a policy that cannot be read: the way on.
pub(super) const WAY_ON: &str =
    "put ConfigMap wheelhouse-policy right, or let it be read (records.yaml); a rollback goes";

/// Whether `gate` is one that breaking the glass may pass.
pub fn is_glass(gate: &str) -> bool {
    matches!(gate, FREEZE | POLICY)
}

/// Why what moves forward is stopped, if it is.
pub(super) fn freeze(request: &Request, estate: &Estate, now: Now) -> Option<Gate> {
    let (name, finding, said) = match estate.standing(now) {
        Standing::Free => return None,
        Standing::Frozen(freeze) => (FREEZE, Finding::Bad, freeze.words()),
        Standing::Wrong(why) => (POLICY, Finding::Unknown, why.to_string()),
        Standing::Unseen(why) => {
            let said = format!("whether it is frozen is not known: {why}");
            (POLICY, Finding::Unknown, said)
        }
    };
    Some(match &request.break_glass {
        Some(reason) if is_known(estate, now) => {
            let said = format!("BREAK-GLASS, {reason}{OVER}{said}");
            Gate::new(name, Finding::Noted, said)
        }
        Some(_) => {
            let said = format!(
                "{said}; break-glass passes over a freeze that is known and over nothing else: {WAY_ON}"
            );
            Gate::new(name, finding, said)
        }
        None => Gate::new(name, finding, said),
    })
}

/// Whether there is a freeze to pass over, be it one whose end nobody knows, and nothing else that may be demanded.
fn is_known(estate: &Estate, now: Now) -> bool {
    matches!(estate.standing(now), Standing::Frozen(_)) || estate.unread(now).is_none()
}

/// Why the first patch may not be sent, though the plan could be made: what came in between. Where the glass is
/// broken, the freeze that `gates` passed over does not count; another one is another one.
///
/// # Errors
/// Whether it is stopped could not be read.
pub(in crate::ops) fn stopped(
    estate: &Estate,
    gates: Option<&[Gate]>,
    now: Now,
) -> Result<Option<Safe>, Safe> {
    match estate.standing(now) {
        Standing::Free => Ok(None),
        Standing::Frozen(freeze) if has_passed(gates, &freeze.words()) => Ok(None),
        // The time alone is not known, by which the one that was passed over may have ended.
        Standing::Unseen(_) if gates.is_some() && is_known(estate, now) => Ok(None),
        Standing::Frozen(freeze) => Ok(Some(format!("{FREEZE}: {}", freeze.words()).into())),
        Standing::Wrong(why) => Ok(Some(format!("{POLICY}: {why}").into())),
        Standing::Unseen(why) => Err(why),
    }
}

/// Whether one of `gates` says that the glass was broken for what has these words.
fn has_passed(gates: Option<&[Gate]>, words: &str) -> bool {
    let end = format!("{OVER}{words}");
    let is_it = |gate: &Gate| is_glass(&gate.name) && gate.said.ends_with(&end);
    gates.is_some_and(|gates| gates.iter().any(is_it))
}

/// The hash of what the policy says of this environment, whatever object says it; none where it says nothing.
pub(super) fn terms(kind: OperationKind, estate: &Estate) -> Option<Safe> {
    let terms = estate.terms().filter(|_| kind != OperationKind::Rollback)?;
    let text = match terms {
        Ok(Terms {
            freezes,
            tier: None,
            approval: None,
            gates: None,
            ..
        }) if freezes.is_empty() => return None,
        Ok(terms) => serde_json::to_vec::<Terms>(&terms).unwrap_or_default(),
        Err(why) => why.as_bytes().to_vec(),
    };
    Some(digest(&text).into())
}
