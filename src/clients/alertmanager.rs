//! Alertmanager (its API v2): what it does with the alerts, and the silences: set, extend, expire.
//!
//! Replicas tell each other of silences, so a change goes to the first that answers. It is sent once:
//! where its outcome is not known, the silences are read back, and nothing is sent again.

mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::http::{Site, Target, partly, sites};
use super::kubernetes::{Cluster, fault};
use crate::estate::alerts::{Handled, Silence};
use crate::estate::silence::Draft;
use crate::estate::{Fault, FaultKind, Labels, Safe};

const ALERTS: &str = "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true";
const SILENCES: &str = "/api/v2/silences";

/// Why a change was not done, or may have been.
#[derive(Clone, Debug, PartialEq)]
pub struct Undone {
    /// What went wrong.
    pub fault: Fault,
    /// Whether it may have been done all the same.
    pub is_unknown: bool,
}

impl std::ops::Deref for Undone {
    type Target = Fault;
    fn deref(&self) -> &Fault {
        &self.fault
    }
}

impl From<Fault> for Undone {
    /// Of what went wrong before anything was sent.
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            is_unknown: false,
        }
    }
}

/// An Alertmanager, or several that know of each other.
#[derive(Debug)]
pub struct Alertmanager {
    sites: Vec<Site>,
}

/// What Alertmanager tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Handling {
    /// The alerts that it knows.
    pub handled: Vec<Handled>,
    /// The silences that are active or pending.
    pub silences: Vec<Silence>,
    /// The replicas that are missing from it, in words.
    pub gaps: Vec<Safe>,
}

impl Alertmanager {
    /// Of that configuration; nothing is read or asked yet.
    pub fn new(target: &Target) -> Self {
        Self {
            sites: sites(target),
        }
    }

    /// Each replica and its version; none where it does not tell.
    pub async fn versions(
        &self,
        cluster: Option<&Cluster>,
        limit: Duration,
    ) -> Vec<(Safe, Result<Option<Safe>, Fault>)> {
        join_all(self.sites.iter().map(async |site| {
            let status = get::<wire::Status>(site, cluster, "/api/v2/status", limit).await;
            (
                Safe::new(&site.name),
                status.map(|s| s.version_info.version),
            )
        }))
        .await
    }

    /// Alerts and silences of every replica: what one knows is known.
    ///
    /// # Errors
    /// Where no replica answers: what the first says.
    pub async fn handling(
        &self,
        cluster: Option<&Cluster>,
        limit: Duration,
    ) -> Result<Handling, Fault> {
        let answers = join_all(self.sites.iter().map(async |site| {
            let (alerts, silences) = futures::join!(
                get::<Vec<wire::Alert>>(site, cluster, ALERTS, limit),
                get::<Vec<wire::Silence>>(site, cluster, SILENCES, limit),
            );
            let both = alerts.and_then(|alerts| Ok((alerts, silences?)));
            (site.name.as_str(), both)
        }));
        let (answers, gaps) = partly(answers.await)?;
        let mut all = Handling {
            gaps,
            ..Handling::default()
        };
        // By labels: a storm has thousands of alerts, and each is looked for once a replica.
        let mut handled = BTreeMap::new();
        for (alerts, silences) in answers {
            for alert in wire::handled(alerts) {
                known(&mut handled, alert);
            }
            let live = silences
                .into_iter()
                .filter(|s| !s.is_expired())
                .map(wire::Silence::silence);
            for silence in live {
                if !all.silences.iter().any(|had| had.id == silence.id) {
                    all.silences.push(silence);
                }
            }
        }
        all.handled = handled.into_values().collect();
        Ok(all)
    }

    /// Sets the silence and tells its id.
    ///
    /// # Errors
    /// `Config` where the draft may not be sent, Alertmanager's own words where it refuses, and where
    /// the outcome stayed unknown, that.
    pub async fn silence(
        &self,
        cluster: Option<&Cluster>,
        draft: &Draft,
        limit: Duration,
    ) -> Result<Safe, Undone> {
        draft
            .check()
            .map_err(|why| fault::words(FaultKind::Config, why))?;
        let matchers: Vec<_> = (draft.matchers.iter())
            .map(|(name, value)| {
                json!({"name": name.as_str(), "value": value.as_str(), "isRegex": false, "isEqual": true})
            })
            .collect();
        let body = json!({
            "matchers": matchers,
            "createdBy": draft.author.as_str(),
            "comment": draft.comment.as_str(),
            "startsAt": draft.starts.to_string(),
            "endsAt": draft.ends.to_string(),
        });
        self.post(cluster, &body, limit).await
    }

    /// Lets a silence last until `ends` instead, with who says so and why. Its matchers stay as they
    /// stand in Alertmanager.
    ///
    /// # Errors
    /// As [`Alertmanager::silence`]; `Missing` where there is none, or where it has expired.
    pub async fn extend(
        &self,
        cluster: Option<&Cluster>,
        id: &str,
        ends: Timestamp,
        [author, comment]: [&str; 2],
        limit: Duration,
    ) -> Result<Safe, Undone> {
        let path = by_id(id)?;
        let site = self.answering(cluster, limit).await?;
        let mut silence: Value = get(site, cluster, &path, limit)
            .await
            .map_err(|e| absent(e, id))?;
        if silence["status"]["state"] == "expired" {
            let what = format!("the silence {id} has expired: set a new one");
            return Err(fault::words(FaultKind::Missing, what).into());
        }
        silence["endsAt"] = ends.to_string().into();
        silence["createdBy"] = author.into();
        silence["comment"] = comment.into();
        if let Some(fields) = silence.as_object_mut() {
            fields.retain(|key, _| !["status", "updatedAt"].contains(&key.as_str()));
        }
        self.post(cluster, &silence, limit).await
    }

    /// Ends a silence now.
    ///
    /// # Errors
    /// `Missing` where there is none, Alertmanager's words where it refuses.
    pub async fn expire(
        &self,
        cluster: Option<&Cluster>,
        id: &str,
        limit: Duration,
    ) -> Result<(), Undone> {
        let path = by_id(id)?;
        let site = self.answering(cluster, limit).await?;
        let done = site
            .ask(cluster, Method::DELETE, &path, Vec::new(), limit)
            .await;
        let Err(fault) = done else { return Ok(()) };
        if !is_unknown(&fault) {
            return Err(absent(fault, id).into());
        }
        let silences: Vec<wire::Silence> =
            get(site, cluster, SILENCES, limit).await.map_err(unknown)?;
        match silences.iter().any(|s| s.is(id) && !s.is_expired()) {
            true => Err(Undone {
                fault,
                is_unknown: true,
            }),
            false => Ok(()),
        }
    }

    /// The first replica that answers a read: what is written is written there, and nowhere else.
    async fn answering(&self, cluster: Option<&Cluster>, limit: Duration) -> Result<&Site, Fault> {
        let mut first = None;
        for site in &self.sites {
            match get::<Value>(site, cluster, "/api/v2/status", limit).await {
                Ok(_) => return Ok(site),
                Err(fault) => first.get_or_insert(fault),
            };
        }
        let none = || fault::words(FaultKind::Config, "no Alertmanager is configured");
        Err(first.unwrap_or_else(none))
    }

    async fn post(
        &self,
        cluster: Option<&Cluster>,
        silence: &Value,
        limit: Duration,
    ) -> Result<Safe, Undone> {
        let site = self.answering(cluster, limit).await?;
        let body = silence.to_string().into_bytes();
        let sent = site.ask(cluster, Method::POST, SILENCES, body, limit).await;
        let fault = match sent.and_then(|reply| site.read::<wire::Made>(&reply)) {
            Ok(made) => return Ok(made.silence_id),
            Err(fault) if !is_unknown(&fault) => return Err(fault.into()),
            Err(fault) => fault,
        };
        let silences: Vec<wire::Silence> =
            get(site, cluster, SILENCES, limit).await.map_err(unknown)?;
        (silences.into_iter().find(|s| s.says(silence)))
            .map(|found| found.silence().id)
            .ok_or(Undone {
                fault,
                is_unknown: true,
            })
    }
}

async fn get<T: serde::de::DeserializeOwned>(
    site: &Site,
    cluster: Option<&Cluster>,
    path: &str,
    limit: Duration,
) -> Result<T, Fault> {
    let reply = site
        .ask(cluster, Method::GET, path, Vec::new(), limit)
        .await?;
    site.read(&reply)
}

/// Adds what a replica knows of an alert.
fn known(all: &mut BTreeMap<Labels, Handled>, alert: Handled) {
    let Some(had) = all.get_mut(&alert.labels) else {
        all.insert(alert.labels.clone(), alert);
        return;
    };
    for (had, more) in [
        (&mut had.silenced_by, alert.silenced_by),
        (&mut had.inhibited_by, alert.inhibited_by),
    ] {
        had.extend(more);
        had.sort();
        had.dedup();
    }
}

/// The path of a silence; an id is put into a path only if it looks like one.
fn by_id(id: &str) -> Result<String, Fault> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    match !id.is_empty() && id.bytes().all(is_plain) {
        true => Ok(format!("/api/v2/silence/{id}")),
        false => Err(fault::words(
            FaultKind::Config,
            format!("{id:?} is no id of a silence"),
        )),
    }
}

/// Whether a change may have happened all the same (SAFETY: what a reply means to a mutation).
fn is_unknown(fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::Unreachable | FaultKind::Slow | FaultKind::Server | FaultKind::Tls => true,
        FaultKind::Malformed => !fault.what.contains(" refused ("),
        FaultKind::LoginNeeded
        | FaultKind::Forbidden
        | FaultKind::Missing
        | FaultKind::Expired
        | FaultKind::Busy
        | FaultKind::Config
        | FaultKind::Stopped => false,
    }
}

/// The read that would have settled it failed.
fn unknown(fault: Fault) -> Undone {
    let what = format!("it is not known whether that was done: {}", fault.what);
    Undone {
        fault: Fault {
            what: Safe::new(&what),
            ..fault
        },
        is_unknown: true,
    }
}

/// A 404 of a silence is not that of a wrong address.
fn absent(fault: Fault, id: &str) -> Fault {
    match fault.kind {
        FaultKind::Missing => fault::words(FaultKind::Missing, format!("there is no silence {id}")),
        _ => fault,
    }
}
