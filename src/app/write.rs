//! Whether an environment may be changed: read-only until a window is opened, for as long as it is open.
//!
//! The gate is a value, not a key (k9s#857, #2604): whoever carries out a change asks for a [`Permit`],
//! which nobody but [`Access::permit`] can make, and looks once more whether it still holds.

use serde::Serialize;

use crate::estate::{Moment, Safe};

/// How long a window stays open unless somebody says otherwise.
pub const WINDOW_MS: u64 = 15 * 60_000;
/// The longest window.
pub const LONGEST_MS: u64 = 8 * 3_600_000;

/// Whether an environment may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Access {
    /// It may.
    Open,
    /// It may not, until a window is opened.
    ReadOnly,
    /// It may until then.
    Window(Moment),
}

/// The right to change one environment, made only while it may be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permit {
    environment: Safe,
    until: Option<Moment>,
}

impl Access {
    /// How it is at `now`: a window that is over is none.
    #[must_use]
    pub fn at(self, now: Moment) -> Self {
        match self {
            Self::Window(until) if until <= now => Self::ReadOnly,
            other => other,
        }
    }

    /// Opens a window for so long, or closes it; an environment that needs none keeps none.
    pub fn open(&mut self, until: Option<Moment>) {
        *self = match (*self, until) {
            (Self::Open, _) => Self::Open,
            (_, Some(until)) => Self::Window(until),
            (_, None) => Self::ReadOnly,
        };
    }

    /// The right to change `environment`.
    ///
    /// # Errors
    /// Why there is none, and how to get it.
    pub fn permit(self, environment: &Safe, now: Moment) -> Result<Permit, Safe> {
        let until = match self.at(now) {
            Self::Open => None,
            Self::Window(until) => Some(until),
            Self::ReadOnly => {
                let said = format!("{environment} is read-only: `:write 15m` opens a window");
                return Err(Safe::new(&said));
            }
        };
        Ok(Permit {
            environment: environment.clone(),
            until,
        })
    }
}

impl Permit {
    /// Whether it is for `environment` and not over.
    pub fn holds(&self, environment: &str, now: Moment) -> bool {
        *self.environment == *environment && self.until.is_none_or(|until| now < until)
    }
}

/// What `write 15m` says: a duration in milliseconds, or none for `write off`.
///
/// # Errors
/// What would have been right.
pub fn parse(typed: &str) -> Result<Option<u64>, &'static str> {
    const WRONG: &str = "write takes a time such as 15m or 1h (at most 8h), or off";
    let typed = typed.trim();
    if typed == "off" {
        return Ok(None);
    }
    let unit = match typed.chars().last() {
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        _ => return Err(WRONG),
    };
    let count: u64 = typed[..typed.len() - 1].parse().map_err(|_| WRONG)?;
    match count.checked_mul(unit) {
        Some(ms @ 1..=LONGEST_MS) => Ok(Some(ms)),
        _ => Err(WRONG),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn o07_a_permit_is_there_only_while_the_window_is_open() {
        let name = Safe::new("production");
        let mut access = Access::ReadOnly;
        let refused = access.permit(&name, Moment(0)).unwrap_err();
        assert!(refused.contains(":write 15m"), "{refused}");
        access.open(Some(Moment(100)));
        let permit = access.permit(&name, Moment(99)).unwrap();
        assert!(permit.holds("production", Moment(99)));
        assert!(
            !permit.holds("production", Moment(100)),
            "the window is over"
        );
        assert!(!permit.holds("staging", Moment(99)), "it is for another");
        assert!(access.permit(&name, Moment(100)).is_err());
        access.open(None);
        assert_eq!(access, Access::ReadOnly);
    }

    #[test]
    fn what_is_always_open_is_not_closed_by_a_window() {
        let mut access = Access::Open;
        access.open(None);
        access.open(Some(Moment(5)));
        assert_eq!(access.at(Moment(9)), Access::Open);
    }

    #[test]
    fn a_window_has_a_length_that_is_said_plainly() {
        assert_eq!(parse("15m"), Ok(Some(900_000)));
        assert_eq!(parse("8h"), Ok(Some(LONGEST_MS)));
        assert_eq!(parse(" off "), Ok(None));
        for wrong in [
            "",
            "15",
            "m",
            "9h",
            "0m",
            "-1m",
            "1d",
            "99999999999999999999m",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
