//! Carries out an act: permit, a fresh look, intent on the disk, the request, the read-back, the outcome.
//!
//! The request is sent once. Where its outcome is not known the world is read, and what cannot be read
//! stays UNKNOWN; nothing is sent again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use super::clock;
use super::journal::{self, Line, SCHEMA, What};
use crate::app::{Event, Permit};
use crate::clients::alertmanager::{Alertmanager, Handling, Undone};
use crate::clients::http;
use crate::clients::kubernetes::Cluster;
use crate::estate::act::{Act, Doing, Outcome, Silencing};
use crate::estate::alerts::AlertsSeen;
use crate::estate::{Fault, Observation, Safe, Seen};
use crate::sources;
use crate::sources::kubernetes::Shared;

mod review;

/// For the answer to one request.
const LIMIT: Duration = Duration::from_secs(10);
/// The end of a silence may be rounded on its way.
const ROUNDED_MS: i64 = 1_000;

/// What is to be carried out, and how the world is reached.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub doing: Doing,
    /// The environment's name.
    pub name: Safe,
    /// The right to change it.
    pub permit: Permit,
    /// Where silences are set.
    pub alertmanager: Option<http::Target>,
    /// The environment's connection, for what is reached through its API server.
    pub shared: Option<Shared>,
    /// The repository's connection.
    pub repository: sources::github::Shared,
    /// Where acts are written down; none: nothing may be changed.
    pub journal: Option<PathBuf>,
}

/// Carries out `order` and tells what became of it.
pub async fn carry_out(order: Order, told: Sender<Event>) {
    let number = order.doing.number;
    let outcome = Acting::new(order, told.clone()).run().await;
    let _ = told.send(Event::Acted(number, outcome)).await;
}

struct Acting {
    order: Order,
    told: Sender<Event>,
    /// What finds the act again: in the journal, and in what it made.
    id: String,
    /// The act with its id in the comment.
    act: Act,
}

impl Acting {
    fn new(order: Order, told: Sender<Event>) -> Self {
        let random = RandomState::new().build_hasher().finish();
        let id = format!("{:08x}", random as u32 ^ (random >> 32) as u32);
        let act = signed(order.doing.act.clone(), &id);
        Self {
            order,
            told,
            id,
            act,
        }
    }

    async fn run(&self) -> Outcome {
        if !self.order.permit.holds(&self.order.name, clock::boot()) {
            let said = format!("the write window of {} is closed", self.order.name);
            return Outcome::NotDone(Safe::new(&said));
        }
        match &self.act {
            Act::Silencing(act) => self.silence(act).await,
            Act::Review(review) => self.review(review).await,
        }
    }

    async fn silence(&self, act: &Silencing) -> Outcome {
        let Some(target) = &self.order.alertmanager else {
            return Outcome::NotDone("no Alertmanager is configured".into());
        };
        let alertmanager = Alertmanager::new(target);
        let cluster = self.order.shared.as_ref().and_then(Shared::now);
        let cluster = cluster.as_ref();
        if let Err(why) = self.look(act, &alertmanager, cluster).await {
            return Outcome::NotDone(why);
        }
        if let Err(outcome) = self.intend().await {
            return outcome;
        }
        let outcome = match send(act, &alertmanager, cluster).await {
            Ok(id) => self.read_back(act, &alertmanager, cluster, &id).await,
            Err(Undone {
                fault,
                is_unknown: true,
            }) => {
                let said = format!(
                    "{}; the silences do not show it, nothing is sent again",
                    fault.what
                );
                Outcome::Unknown(Safe::new(&said))
            }
            Err(Undone { fault, .. }) => Outcome::NotDone(fault.what),
        };
        self.ended(outcome).await
    }

    /// Writes down what is about to be sent.
    async fn intend(&self) -> Result<(), Outcome> {
        let written = self.write(What::Intent(&self.act)).await;
        written.map_err(|why| {
            let said = format!("the journal cannot be written, so nothing was sent: {why}");
            Outcome::NotDone(Safe::new(&said))
        })
    }

    /// Writes down what became of it.
    async fn ended(&self, outcome: Outcome) -> Outcome {
        if let Err(why) = self.write(What::Outcome(&outcome)).await {
            tracing::error!(act = %self.id, %why, "the outcome of an act could not be written down");
        }
        outcome
    }

    /// What the plan stood on, once more and fresh: the screen's last look may be 10 s old.
    async fn look(
        &self,
        act: &Silencing,
        alertmanager: &Alertmanager,
        cluster: Option<&Cluster>,
    ) -> Result<(), Safe> {
        let all = self
            .handling(alertmanager, cluster)
            .await
            .map_err(|fault| {
                let said = format!(
                    "Alertmanager does not answer, so nothing was sent: {}",
                    fault.what
                );
                Safe::new(&said)
            })?;
        match act {
            Silencing::Silence(draft) => {
                let mut same = all
                    .handled
                    .iter()
                    .filter(|h| draft.matchers.selects(&h.labels));
                let by = same.find_map(|h| h.silenced_by.first());
                let Some(by) = by else { return Ok(()) };
                let silence = all.silences.iter().find(|s| s.id == *by);
                let who = silence.map_or("somebody", |s| s.author.as_str());
                Err(Safe::new(&format!("{who} has silenced it meanwhile")))
            }
            Silencing::Extend { silence, .. } | Silencing::Expire { silence } => {
                let known = all.silences.iter().find(|s| s.id == *silence);
                let Some(known) = known else {
                    return Err("the silence is over already".into());
                };
                match (act, known.ends) {
                    // The later end stays, or the alert would be heard again too early.
                    (Silencing::Extend { until, .. }, Some(ends)) if ends >= *until => {
                        let who = &known.author;
                        Err(format!("{who} has extended it meanwhile, until {ends:.0}").into())
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Alerts and silences now, for us and for the screen.
    async fn handling(
        &self,
        alertmanager: &Alertmanager,
        cluster: Option<&Cluster>,
    ) -> Result<Handling, Fault> {
        let at = clock::boot();
        let all = alertmanager.handling(cluster, LIMIT).await?;
        let seen = AlertsSeen::Handling(all.handled.clone(), all.silences.clone());
        let observation = Observation {
            environment: self.order.doing.environment,
            at,
            seen: Seen::Alerts(seen),
        };
        let _ = self.told.send(Event::Observed(observation)).await;
        Ok(all)
    }

    async fn read_back(
        &self,
        act: &Silencing,
        alertmanager: &Alertmanager,
        cluster: Option<&Cluster>,
        id: &Safe,
    ) -> Outcome {
        let all = match self.handling(alertmanager, cluster).await {
            Ok(all) => all,
            Err(fault) => {
                let said = format!("accepted, but it could not be read back: {}", fault.what);
                return Outcome::Unknown(Safe::new(&said));
            }
        };
        let found = all.silences.iter().find(|s| s.id == *id);
        let (wanted, done) = match act {
            Silencing::Silence(draft) => {
                let sorted = |mut words: Vec<Safe>| {
                    words.sort();
                    words
                };
                let is_same = |s: &&crate::estate::alerts::Silence| {
                    sorted(s.matchers.clone()) == sorted(draft.words())
                };
                let is_so = found
                    .filter(is_same)
                    .is_some_and(|s| ends_at(s.ends, draft.ends));
                (is_so, format!("silenced until {:.0}", draft.ends))
            }
            Silencing::Extend { until, .. } => {
                let is_so = found.is_some_and(|s| ends_at(s.ends, *until));
                (is_so, format!("silenced until {until:.0} now"))
            }
            Silencing::Expire { .. } => (found.is_none(), "the silence is over".to_owned()),
        };
        match wanted {
            true => Outcome::Done(Safe::new(&format!("{done}; read back, act {}", self.id))),
            false => {
                Outcome::Unknown("accepted, but what is read back is not what was sent".into())
            }
        }
    }

    async fn write(&self, what: What<'_>) -> Result<(), String> {
        let Some(file) = self.order.journal.clone() else {
            return Err("no state directory is known (HOME, XDG_STATE_HOME)".to_owned());
        };
        let line = Line {
            schema: SCHEMA,
            at: Timestamp::now(),
            act: &self.id,
            environment: &self.order.name,
            what,
        };
        let bytes = line.bytes().map_err(|error| error.to_string())?;
        let name = file.display().to_string();
        // A disk may take its time; the runtime's threads must not.
        let written = tokio::task::spawn_blocking(move || journal::append(&file, &bytes)).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.map_err(|error| format!("{name}: {error}"))
    }
}

/// Sends the request, once; tells the silence's id.
async fn send(
    act: &Silencing,
    alertmanager: &Alertmanager,
    cluster: Option<&Cluster>,
) -> Result<Safe, Undone> {
    match act {
        Silencing::Silence(draft) => alertmanager.silence(cluster, draft, LIMIT).await,
        Silencing::Extend {
            silence,
            until,
            author,
            comment,
        } => {
            let said = [author.as_str(), comment.as_str()];
            alertmanager
                .extend(cluster, silence, *until, said, LIMIT)
                .await
        }
        Silencing::Expire { silence } => {
            alertmanager.expire(cluster, silence, LIMIT).await?;
            Ok(silence.clone())
        }
    }
}

/// The act with its id where others see it.
fn signed(act: Act, id: &str) -> Act {
    let sign = |comment: &Safe| Safe::new(&format!("{comment} (wheelhouse {id})"));
    match act {
        Act::Silencing(act) => Act::Silencing(match act {
            Silencing::Silence(draft) => {
                let comment = sign(&draft.comment);
                Silencing::Silence(crate::estate::silence::Draft { comment, ..draft })
            }
            Silencing::Extend {
                silence,
                until,
                author,
                comment,
            } => Silencing::Extend {
                silence,
                until,
                author,
                comment: sign(&comment),
            },
            Silencing::Expire { silence } => Silencing::Expire { silence },
        }),
        Act::Review(review) => {
            let comment = sign(&review.comment);
            Act::Review(crate::estate::review::Review { comment, ..review })
        }
    }
}

fn ends_at(found: Option<Timestamp>, wanted: Timestamp) -> bool {
    found.is_some_and(|at| (at.as_millisecond() - wanted.as_millisecond()).abs() <= ROUNDED_MS)
}
