//! A silence that is about to be set: prefilled from an alert, and never wider than it is shown.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::alerts::Alert;
use super::{Labels, Safe};

/// How long a silence lasts if nobody says otherwise: long enough for a release, short enough to forget.
pub const SHORT: SignedDuration = SignedDuration::from_hours(1);

/// The most that is asked for here; what is silenced for longer wants a rule that is put right.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// A silence to be set. Every matcher is an equation: what is shown is what is silenced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Draft {
    /// The label values that an alert must have, all of them.
    pub matchers: Labels,
    /// Who sets it.
    pub author: Safe,
    /// Why.
    pub comment: Safe,
    /// From when, by Alertmanager's clock or this one's.
    pub starts: Timestamp,
    /// Until when.
    pub ends: Timestamp,
}

impl Draft {
    /// For exactly this alert, from `now` for [`SHORT`].
    pub fn of(alert: &Alert, author: &str, comment: &str, now: Timestamp) -> Self {
        Self {
            matchers: alert.labels.clone(),
            author: Safe::new(author),
            comment: Safe::new(comment),
            starts: now,
            ends: now.saturating_add(SHORT).unwrap_or(now),
        }
    }

    /// The matchers as they are shown and sent.
    pub fn words(&self) -> Vec<Safe> {
        let one = |(key, value): &(Safe, Safe)| Safe::new(&format!("{key}={:?}", value.as_str()));
        self.matchers.iter().map(one).collect()
    }

    /// Whether it may be sent.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn check(&self) -> Result<(), Safe> {
        let lasts = self.starts.duration_until(self.ends);
        let wrong = if self.matchers.get("alertname").is_none_or(|n| n.is_empty()) {
            "a silence must name its alert"
        } else if (self.matchers.iter()).any(|(k, v)| is_altered(k) || is_altered(v)) {
            "a label of the alert cannot be repeated exactly: set this silence in Alertmanager"
        } else if self.author.trim().is_empty() {
            "a silence needs its author"
        } else if self.comment.trim().is_empty() {
            "a silence needs a comment"
        } else if lasts <= SignedDuration::ZERO {
            "a silence must end after it starts"
        } else if lasts > LONGEST {
            "a silence lasts for 24 hours at most"
        } else {
            return Ok(());
        };
        Err(wrong.into())
    }
}

/// What was cut or cleaned at ingest would silence something else, or nothing; an empty value would
/// match every alert that lacks the label.
fn is_altered(value: &str) -> bool {
    value.is_empty() || value.contains("<U+") || value.ends_with('…')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(labels: &[(&str, &str)]) -> Draft {
        let labels = (labels.iter()).map(|(k, v)| (Safe::exact(k), Safe::exact(v)));
        let alert = Alert {
            labels: labels.collect(),
            annotations: Labels::default(),
            is_firing: true,
            since: None,
            value: "1".into(),
        };
        Draft::of(&alert, "ann", "release 42", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_draft_is_for_exactly_its_alert_and_for_an_hour() {
        let draft = draft(&[("alertname", "HighErrorRate"), ("colour", "green")]);
        let shown: Vec<_> = draft.words().iter().map(Safe::to_string).collect();
        assert_eq!(shown, ["alertname=\"HighErrorRate\"", "colour=\"green\""]);
        assert_eq!(draft.ends.as_second(), 3_600);
        assert_eq!(draft.check(), Ok(()));
    }

    #[test]
    fn what_would_be_wider_than_it_looks_is_refused() {
        for (labels, words) in [
            (&[("colour", "green")][..], "name its alert"),
            (&[("alertname", "X"), ("path", "a\u{202e}b")], "exactly"),
            (
                &[("alertname", "X"), ("colour", "\u{1b}[31mgreen")],
                "exactly",
            ),
            (&[("alertname", "X"), ("error", "a\nb")], "exactly"),
            (&[("alertname", "X"), ("colour", "gr\u{fc}n ")], "exactly"),
            (
                &[("alertname", "X"), ("col\u{1b}[0mour", "green")],
                "exactly",
            ),
            (&[("alertname", "X"), ("colour", "")], "exactly"),
        ] {
            let refused = draft(labels).check().err().unwrap_or("accepted".into());
            assert!(refused.contains(words), "{refused}");
        }
        let forever = Draft {
            ends: Timestamp::MAX,
            ..draft(&[("alertname", "X")])
        };
        assert!(forever.check().is_err());
        let nameless = Draft {
            author: " ".into(),
            ..draft(&[("alertname", "X")])
        };
        assert!(nameless.check().is_err());
    }
}
