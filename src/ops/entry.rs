//! What an operation did, entry by entry: the only thing that is ever stored of it.
//!
//! Entries are JSON, one a line, in the record's `entries`. A kind that a newer version writes is kept as it
//! is and means nothing here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::{Plan, Revisions};
use crate::estate::{Need, Safe};

/// The version of the shape of records and entries. A record of a higher one is shown, never acted on.
pub const SCHEMA: u32 = 1;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Traffic goes to the other colour.
    Cutover,
    /// Traffic goes back to the colour that was live before.
    Rollback,
    /// A selector is made what was meant.
    Repair,
    /// The idle colour gets other images; where there are no colours, what runs does.
    Deploy,
    /// Every pod of the idle colour is asked whether it answers as it should.
    Smoke,
    /// The idle colour is scaled to 0.
    Cleanup,
    /// A deploy, a smoke test, what has to be approved, and a cutover, as one.
    Release,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Cutover,
        Self::Rollback,
        Self::Repair,
        Self::Deploy,
        Self::Smoke,
        Self::Cleanup,
        Self::Release,
    ];

    /// The word that people, commands and records use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cutover => "cutover",
            Self::Rollback => "rollback",
            Self::Repair => "repair",
            Self::Deploy => "deploy",
            Self::Smoke => "smoke",
            Self::Cleanup => "cleanup",
            Self::Release => "release",
        }
    }

    /// The kind of that word, as records, Leases and Services carry it.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether it brings traffic to the other colour with every check of a cutover.
    pub fn cuts_over(self) -> bool {
        matches!(self, Self::Cutover | Self::Release)
    }

    /// Whether it changes the Deployments of the idle colour.
    pub fn deploys(self) -> bool {
        matches!(self, Self::Deploy | Self::Cleanup | Self::Release)
    }

    /// Whether a right that is needed by those is needed by it.
    pub fn needs(self, need: Need) -> bool {
        match need {
            Need::Always => true,
            Need::Deploys => self.deploys(),
            Need::CutsOver => self.cuts_over(),
            Need::Smokes => matches!(self, Self::Smoke | Self::Release),
            Need::Silences | Need::Expires => false,
        }
    }
}

/// One thing to do, with an intent before and a result after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The plan is made again from fresh reads and must say the same.
    Check,
    /// Both colours' autoscalers are kept from shrinking them.
    Hold,
    /// A Service's selector is patched.
    Flip(Safe),
    /// Its EndpointSlices say that traffic has moved.
    Move(Safe),
    /// It is watched that it stays so.
    Watch,
    /// The compensation of a flip: the selector is patched back.
    Undo(Safe),
    /// Its EndpointSlices say that traffic is back.
    Return(Safe),
    /// The autoscalers get back what they had.
    Restore,
    /// A program is run.
    Run,
    /// A workflow is started.
    Dispatch,
    /// Its run is followed to its end.
    Follow,
    /// A Deployment's images and replicas are patched.
    Update(Safe),
    /// Its pods are all of the new revision, ready and available.
    RollOut(Safe),
    /// The Services of the switch select what they did before.
    Verify,
    /// Each pod is asked each question.
    Smoke,
    /// The cutover of a release is planned over what was deployed and tested; an approval is waited for.
    Plan,
}

impl Step {
    /// A word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Hold => "hold",
            Self::Flip(_) => "flip",
            Self::Move(_) => "move",
            Self::Watch => "watch",
            Self::Undo(_) => "undo",
            Self::Return(_) => "return",
            Self::Restore => "restore",
            Self::Run => "run",
            Self::Dispatch => "dispatch",
            Self::Follow => "follow",
            Self::Update(_) => "update",
            Self::RollOut(_) => "roll out",
            Self::Verify => "verify",
            Self::Smoke => "smoke",
            Self::Plan => "plan",
        }
    }

    /// The Service that it is about.
    pub fn service(&self) -> Option<&Safe> {
        match self {
            Self::Flip(name) | Self::Move(name) | Self::Undo(name) | Self::Return(name) => {
                Some(name)
            }
            Self::Check
            | Self::Hold
            | Self::Watch
            | Self::Restore
            | Self::Run
            | Self::Dispatch
            | Self::Follow
            | Self::Update(_)
            | Self::RollOut(_)
            | Self::Verify
            | Self::Smoke
            | Self::Plan => None,
        }
    }

    /// The object that it is about: a Service or a Deployment.
    pub fn object(&self) -> Option<&Safe> {
        match self {
            Self::Update(name) | Self::RollOut(name) => Some(name),
            other => other.service(),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.object() {
            Some(name) => write!(f, "{} {name}", self.word()),
            None => f.write_str(self.word()),
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All that was planned is so.
    Done,
    /// A step failed, and nothing of ours is left changed; or what is left is named.
    Failed,
    /// It was stopped before traffic was touched.
    Aborted,
    /// Traffic was moved and is back.
    RolledBack,
    /// Nobody goes on with it; what it left is named.
    Abandoned,
}

impl Outcome {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled back",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written, by the writer's wall clock.
    pub at: Timestamp,
    /// Who wrote it: the API's user and, in brackets, the OS user and host.
    pub by: Safe,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// This is what is to be done.
    Planned(Box<Plan>),
    /// The Leases are ours, under these epochs by Service.
    Locked {
        /// By Service.
        epochs: BTreeMap<Safe, u64>,
        /// Who holds them.
        holder: Safe,
        /// Until when the holder can show who they are; none where that is renewed without a person, or not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Timestamp>,
    },
    /// A step's intent: written before anything is asked of the world.
    Began {
        /// Which.
        step: Step,
        /// From 1.
        attempt: u32,
    },
    /// A workflow run was started for it: its jobs may join.
    Dispatched {
        /// The run's id at GitHub.
        run: u64,
    },
    /// Something worth knowing.
    Noted {
        /// In words.
        fact: Safe,
    },
    /// A smoke test was about this: the templates and digests of each workload's ready pods.
    Tested {
        /// By workload.
        revisions: Revisions,
    },
    /// GitHub's reviewers let the run go on that it started; and, when what that deployed was rolled out, this is what it was.
    Reviewed {
        /// Who approved, by login; nobody, where nobody had to.
        by: Vec<Safe>,
        /// Templates and digests of each workload's ready pods, by workload; none before they are rolled out.
        #[serde(default, skip_serializing_if = "Revisions::is_empty")]
        revisions: Revisions,
    },
    /// This is how a release cuts over: planned over what it deployed and tested.
    Cutover(Box<Plan>),
    /// A step is done.
    Passed {
        /// Which.
        step: Step,
        /// What was seen.
        evidence: Safe,
    },
    /// A step is not done, for sure.
    Failed {
        /// Which.
        step: Step,
        /// Why.
        reason: Safe,
    },
    /// Whether a step is done is not known: the world must be read.
    Unknown {
        /// Which.
        step: Step,
        /// Why.
        reason: Safe,
    },
    /// A gate that said BAD or UNKNOWN was overridden.
    Overridden {
        /// Its name.
        gate: Safe,
        /// Why.
        reason: Safe,
    },
    /// The broken glass was followed up: the only entry that may come after the end.
    GlassClosed {
        /// What was found and done.
        note: Safe,
    },
    /// Somebody wants it stopped.
    AbortAsked {
        /// Why.
        reason: Safe,
    },
    /// It waits for a person: somebody else has changed what it works on.
    Paused {
        /// Who did what.
        reason: Safe,
    },
    /// It goes on.
    Resumed,
    /// Another worker took it over.
    Adopted {
        /// By Service.
        epochs: BTreeMap<Safe, u64>,
        /// Who holds the Leases now.
        holder: Safe,
        /// Until when the holder can show who they are; none where that is renewed without a person, or not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Timestamp>,
    },
    /// Nobody goes on with it.
    Abandoned {
        /// Why.
        reason: Safe,
    },
    /// It ended.
    Closed {
        /// How.
        outcome: Outcome,
        /// In words.
        reason: Safe,
    },
    /// Something that a newer version wrote.
    #[serde(untagged)]
    Newer(Map<String, Value>),
}

/// The entries of a record's text, one a line, and how many of its lines could not be read.
pub fn read(text: &str) -> (Vec<Entry>, usize) {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let (mut entries, mut torn) = (Vec::new(), 0);
    for line in lines {
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(_) => torn += 1,
        }
    }
    (entries, torn)
}

impl What {
    /// Whether an operation goes on and ends without it: it is for people, and the journal has it too.
    pub fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::Noted { .. } | Self::Paused { .. } | Self::Resumed
        )
    }
}

/// The text of `entries`, one a line.
///
/// # Errors
/// None in practice: every entry has only texts for keys.
pub fn write(entries: &[Entry]) -> serde_json::Result<String> {
    let lines: Result<Vec<_>, _> = entries.iter().map(serde_json::to_string).collect();
    Ok(lines?.join("\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn entry(what: What) -> Entry {
        Entry {
            at: "2026-11-26T14:02:00Z".parse().unwrap(),
            by: "alice (alice@bastion-2)".into(),
            what,
        }
    }

    #[test]
    fn entries_read_back_as_written() {
        let entries = [
            entry(What::Began {
                step: Step::Flip("shop".into()),
                attempt: 1,
            }),
            entry(What::Passed {
                step: Step::Check,
                evidence: "blue 5/5".into(),
            }),
            entry(What::Resumed),
            entry(What::Closed {
                outcome: Outcome::RolledBack,
                reason: "alerts".into(),
            }),
        ];
        let text = write(&entries).unwrap();
        assert_eq!(read(&text), (entries.to_vec(), 0));
    }

    #[test]
    fn a_record_that_knows_of_no_credential_reads_and_writes_as_before() {
        let old = concat!(
            r#"{"at":"2026-11-26T14:02:00Z","by":"bob","what":{"locked":{"epochs":{"shop":3},"holder":"h"}}}"#,
            "\n",
            r#"{"at":"2026-11-26T14:02:00Z","by":"bob","what":{"adopted":{"epochs":{},"holder":"h"}}}"#,
            "\n",
        );
        let (mut entries, torn) = read(old);
        assert_eq!((entries.len(), torn), (2, 0));
        assert_eq!(write(&entries).unwrap().trim_end(), old.trim_end());
        let ends = "2026-11-26T15:10:00Z".parse().ok();
        for entry in &mut entries {
            if let What::Locked { credential, .. } | What::Adopted { credential, .. } =
                &mut entry.what
            {
                *credential = ends;
            }
            assert!(!matches!(entry.what, What::Newer(_)));
        }
        assert_eq!(read(&write(&entries).unwrap()), (entries, 0));
    }

    #[test]
    fn p10_an_entry_of_a_newer_version_is_kept_as_it_is() {
        let line =
            r#"{"at":"2026-11-26T14:02:00Z","by":"bob","what":{"teleported":{"to":"mars"}}}"#;
        let (entries, torn) = read(line);
        assert_eq!(torn, 0);
        assert!(matches!(&entries[0].what, What::Newer(map) if map.contains_key("teleported")));
        let again: Value = serde_json::from_str(&write(&entries).unwrap()).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(line).unwrap());
    }

    #[test]
    fn p06_torn_lines_are_counted_and_hostile_text_is_cleaned() {
        let text = "{\"at\":\"2026-11\n{\"at\":\"2026-11-26T14:02:00Z\",\"by\":\"\\u001b[31mx\\u202e\",\"what\":{\"noted\":{\"fact\":\"a\"}}}";
        let (entries, torn) = read(text);
        assert_eq!((entries.len(), torn), (1, 1));
        assert_eq!(entries[0].by.as_str(), "x<U+202E>");
    }
}
