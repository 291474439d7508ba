//! A freeze stops whatever moves forward, by key and headless alike (I-44), unless somebody breaks the glass.
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

/// Whether `gate` is one that breaking the glass passes.
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
        Some(reason) => {
            let said = format!("BREAK-GLASS, {reason}; passed over: {said}");
            Gate::new(name, Finding::Noted, said)
        }
        None => Gate::new(name, finding, said),
    })
}

/// Why the first patch may not be sent, though the plan could be made: what came in between.
///
/// # Errors
/// Whether it is stopped could not be read.
pub(in crate::ops) fn stopped(estate: &Estate, now: Now) -> Result<Option<Safe>, Safe> {
    match estate.standing(now) {
        Standing::Free => Ok(None),
        Standing::Frozen(freeze) => Ok(Some(format!("{FREEZE}: {}", freeze.words()).into())),
        Standing::Wrong(why) => Ok(Some(format!("{POLICY}: {why}").into())),
        Standing::Unseen(why) => Err(why),
    }
}

/// The hash of what the policy says of this environment, whatever object says it; none where it says nothing.
pub(super) fn terms(kind: OperationKind, estate: &Estate) -> Option<Safe> {
    let terms = estate.terms().filter(|_| kind != OperationKind::Rollback)?;
    let text = match terms {
        Ok(Terms {
            freezes,
            tier: None,
            approval: None,
            ..
        }) if freezes.is_empty() => return None,
        Ok(terms) => serde_json::to_vec::<Terms>(&terms).unwrap_or_default(),
        Err(why) => why.as_bytes().to_vec(),
    };
    Some(digest(&text).into())
}
