//! What a plan was made on: the decisive facts, each with its name, so that a change can be told.

use std::fmt;

use serde::Serialize;

use crate::estate::Safe;

/// The facts that a plan stands on, in their order. What is not decisive (a value that moves, a
/// resourceVersion) stays out, or status churn would void every dialog (O03).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts(Vec<(&'static str, Safe)>);

impl Facts {
    /// The facts with one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.push((name, Safe::new(&value.to_string())));
        self
    }

    /// What is different `now`, in words; none where nothing is.
    pub fn changed(&self, now: &Self) -> Option<Safe> {
        if self == now {
            return None;
        }
        let of = |facts: &Self, name: &str| {
            let found = facts.0.iter().find(|(has, _)| *has == name);
            found.map(|(_, value)| value.clone())
        };
        let names = self.0.iter().chain(&now.0).map(|(name, _)| *name);
        let mut differing = names.filter(|name| of(self, name) != of(now, name));
        let Some(name) = differing.next() else {
            return Some("the order of its facts changed".into());
        };
        let said = |value: Option<Safe>| value.map_or("not known".to_owned(), |v| v.to_string());
        let (was, is) = (said(of(self, name)), said(of(now, name)));
        Some(Safe::new(&format!("{name} was {was}, is now {is}")))
    }

    /// Four digits that stand for the facts: two screens that show the same ones show the same plan.
    pub fn tag(&self) -> String {
        let mut hash: u32 = 0x811c_9dc5;
        for (name, value) in &self.0 {
            for byte in name.bytes().chain([0]).chain(value.bytes()).chain([0]) {
                hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
        }
        format!("{:04x}", (hash >> 16) ^ (hash & 0xffff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_its_name_and_both_values() {
        let before = Facts::default().with("alert", "X").with("state", "firing");
        let after = Facts::default()
            .with("alert", "X")
            .with("state", "silenced");
        assert_eq!(before.changed(&before.clone()), None);
        assert_eq!(
            before.changed(&after).as_deref(),
            Some("state was firing, is now silenced")
        );
        assert_ne!(before.tag(), after.tag());
        assert_eq!(before.tag().len(), 4);
        let gone = Facts::default().with("alert", "X");
        assert_eq!(
            before.changed(&gone).as_deref(),
            Some("state was firing, is now not known")
        );
    }
}
