//! What Alertmanager sends. <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::estate::alerts::{self, Handled};
use crate::estate::{Labels, Safe};

/// What `/api/v2/status` tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) version_info: Built,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Built {
    pub(super) version: Option<Safe>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Alert {
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    fingerprint: Safe,
    #[serde(deserialize_with = "nullable")]
    status: Standing,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Standing {
    #[serde(deserialize_with = "nullable")]
    state: String,
    #[serde(deserialize_with = "nullable")]
    silenced_by: Vec<Safe>,
    #[serde(deserialize_with = "nullable")]
    inhibited_by: Vec<Safe>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Silence {
    #[serde(deserialize_with = "nullable")]
    id: String,
    #[serde(deserialize_with = "nullable")]
    matchers: Vec<Matcher>,
    #[serde(deserialize_with = "nullable")]
    created_by: String,
    #[serde(deserialize_with = "nullable")]
    comment: String,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    status: Standing,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    /// Missing from Alertmanagers before 0.22.
    #[serde(default = "yes")]
    is_equal: bool,
}

#[derive(Deserialize)]
pub(super) struct Made {
    #[serde(rename = "silenceID")]
    pub(super) silence_id: Safe,
}

fn yes() -> bool {
    true
}

/// Go sends null for what is empty.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// What a replica does with its alerts.
pub(super) fn handled(alerts: Vec<Alert>) -> Vec<Handled> {
    let inhibitors: BTreeSet<Safe> = (alerts.iter())
        .flat_map(|alert| alert.status.inhibited_by.iter().cloned())
        .collect();
    let named: BTreeMap<Safe, Safe> = (alerts.iter())
        .filter(|alert| inhibitors.contains(&alert.fingerprint))
        .map(|alert| (alert.fingerprint.clone(), alert.words()))
        .collect();
    let handled = alerts.into_iter().map(|alert| alert.handled(&named));
    handled.collect()
}

impl Alert {
    /// Its name and its other labels.
    fn words(&self) -> Safe {
        let name = self.labels.get("alertname").map_or("?", String::as_str);
        let rest = self.labels.iter().filter(|(key, _)| *key != "alertname");
        let rest = rest.map(|(key, value)| format!(" {key}={value}"));
        Safe::from(format!("{name}{}", rest.collect::<String>()))
    }

    fn handled(self, named: &BTreeMap<Safe, Safe>) -> Handled {
        let by = self.status.inhibited_by.into_iter();
        Handled {
            // As Prometheus's are read, so that they are found.
            labels: (self.labels.iter())
                .map(|(key, value)| (Safe::exact(key), Safe::exact(value)))
                .collect::<Labels>(),
            silenced_by: self.status.silenced_by,
            inhibited_by: by
                .map(|print| named.get(&print).cloned().unwrap_or(print))
                .collect(),
        }
    }
}

impl Silence {
    pub(super) fn is(&self, id: &str) -> bool {
        self.id == id
    }

    pub(super) fn is_expired(&self) -> bool {
        self.status.state == "expired"
    }

    pub(super) fn silence(self) -> alerts::Silence {
        alerts::Silence {
            id: self.id.into(),
            matchers: self.matchers.iter().map(Matcher::words).collect(),
            author: self.created_by.into(),
            comment: self.comment.into(),
            starts: self.starts_at,
            ends: self.ends_at,
        }
    }

    /// Whether it is the one that was sent: the same matchers and end, by the same author, for the same reason.
    pub(super) fn says(&self, sent: &Value) -> bool {
        let Ok(mut theirs) = Vec::<Matcher>::deserialize(&sent["matchers"]) else {
            return false;
        };
        let mut ours = self.matchers.clone();
        theirs.sort();
        ours.sort();
        let ends: Option<Timestamp> = sent["endsAt"].as_str().and_then(|at| at.parse().ok());
        let millisecond = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        !self.is_expired()
            && ours == theirs
            && sent["createdBy"] == *self.created_by
            && sent["comment"] == *self.comment
            && millisecond(self.ends_at) == millisecond(ends)
    }
}

impl Matcher {
    fn words(&self) -> Safe {
        let sign = match (self.is_equal, self.is_regex) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        Safe::new(&format!("{}{sign}{:?}", self.name, self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::made_up::made_up;

    const BOTH: &str = r#"[{"labels": {"alertname": "A"}, "fingerprint": "f", "status": {"state": "suppressed", "silencedBy": ["s"], "inhibitedBy": []},
        "id": "s", "matchers": [{"name": "alertname", "value": "A", "isRegex": false, "isEqual": true}], "createdBy": "ann",
        "comment": "x", "startsAt": "2026-11-23T20:00:00Z", "endsAt": "2026-11-23T21:00:00Z", "silenceID": "s",
        "versionInfo": {"version": "0.25.0"}}]"#;

    proptest::proptest! {
        #[test]
        fn made_up_answers_of_alertmanager_never_panic(text in made_up(BOTH)) {
            let alerts = serde_json::from_str::<Vec<Alert>>(&text).unwrap_or_default();
            let _ = handled(alerts);
            let sent: Value = serde_json::from_str(&text).unwrap_or_default();
            for silence in serde_json::from_str::<Vec<Silence>>(&text).unwrap_or_default() {
                let _ = (silence.says(&sent), silence.is_expired());
                let _ = silence.silence();
            }
        }
    }
}
