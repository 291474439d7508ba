//! Programs that are told of an operation: for chat and pagers. Nothing waits for them, and what becomes of them
//! changes nothing: one that fails or hangs is logged, and killed when its time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::bastion::Bastion;
use super::entry::{Outcome, What};
use super::kept::Kept;
use super::machine::{WAITS, is_review};
use super::plan::Command;
use crate::clients::program;
use crate::estate::Safe;

/// What a hook is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An operation began.
    Start,
    /// Somebody asked for an approval.
    Approval,
    /// An operation waits for a person.
    Held,
    /// It ended.
    End,
}

impl Event {
    /// The word that configuration and programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Approval => "approval",
            Self::Held => "held",
            Self::End => "end",
        }
    }

    /// What an entry of a record means to whoever is told, and in which words.
    pub(super) fn of(what: &What) -> Option<(Self, Safe)> {
        match what {
            What::Paused { reason } => match reason.strip_prefix(WAITS) {
                Some(why) if is_review(why) => Some((Self::Approval, why.into())),
                _ => Some((Self::Held, reason.clone())),
            },
            What::Closed { outcome, reason } => {
                let said = format!("{}: {reason}", outcome.word());
                Some((Self::End, said.into()))
            }
            What::Abandoned { reason } => {
                let said = format!("{}: {reason}", Outcome::Abandoned.word());
                Some((Self::End, said.into()))
            }
            _ => None,
        }
    }
}

/// A program, and of what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Of what.
    pub on: Vec<Event>,
    /// Its words, and the seconds after which it is killed.
    pub command: Command,
}

/// Those that run.
#[derive(Debug, Default)]
pub struct Hooks(JoinSet<()>);

impl Hooks {
    /// Starts those of `hooks` that are told of `event`, with `variables` and the event beside them.
    pub fn tell(&mut self, hooks: &[Hook], event: Event, variables: &[(String, Safe)]) {
        for hook in hooks.iter().filter(|hook| hook.on.contains(&event)) {
            let mut told = variables.to_vec();
            told.push(("WHEELHOUSE_EVENT".to_owned(), event.word().into()));
            let command = hook.command.clone();
            self.0.spawn(async move { run(&command, &told).await });
        }
    }

    /// Waits for those of `others` too.
    pub fn and(&mut self, others: Self) {
        self.0.spawn(others.end());
    }

    /// Waits for those that run, each for its own time at most.
    pub async fn end(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

/// Starts those who are told of what was written to the record `kept` by somebody who does not carry it out.
pub(super) fn tell(bastion: &Bastion, kept: &Kept, what: &What) -> Hooks {
    let mut hooks = Hooks::default();
    if let Some((event, words)) = Event::of(what) {
        hooks.tell(&bastion.hooks, event, &told(bastion, kept, words));
    }
    hooks
}

/// The variables of an operation, for whoever is told of it.
pub(super) fn told(bastion: &Bastion, kept: &Kept, words: Safe) -> Vec<(String, Safe)> {
    let (operation, plan) = (&kept.operation, kept.operation.plan.as_ref());
    let by = operation.by.clone();
    let more = [
        ("KIND", plan.map_or("", |plan| plan.kind.word()).into()),
        ("BY", by.unwrap_or_else(|| bastion.person.words())),
        ("WORDS", words),
    ];
    let more = more.map(|(name, value)| (format!("WHEELHOUSE_{name}"), value));
    about(kept).into_iter().chain(more).collect()
}

/// What a program of an operation knows of it.
pub(super) fn about(kept: &Kept) -> Vec<(String, Safe)> {
    let Some(plan) = &kept.operation.plan else {
        return Vec::new();
    };
    let told = [
        ("OPERATION", &kept.id),
        ("ENVIRONMENT", &plan.environment),
        ("NAMESPACE", &plan.namespace),
        ("COLOUR", &plan.to),
    ];
    let variable = |(name, value): (&str, &Safe)| (format!("WHEELHOUSE_{name}"), value.clone());
    told.map(variable).into()
}

async fn run(command: &Command, variables: &[(String, Safe)]) {
    let name = command.argv.first().cloned().unwrap_or_default();
    let mut running = match program::start(&command.argv, variables) {
        Ok(running) => running,
        Err(fault) => return tracing::warn!(what = %fault.what, "a hook"),
    };
    let limit = Duration::from_secs(u64::from(command.timeout_s));
    match tokio::time::timeout(limit, running.ended()).await {
        Ok(Ok(status)) if status.success() => {}
        Ok(Ok(status)) => tracing::warn!(%name, %status, said = ?running.tail(), "a hook failed"),
        Ok(Err(error)) => tracing::warn!(%name, %error, "a hook"),
        Err(_) => tracing::warn!(%name, "a hook was killed: its time was over"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_githubs_reviewers_asks_for_an_approval_and_what_is_abandoned_is_over() {
        let paused = |reason: &str| What::Paused {
            reason: reason.into(),
        };
        let review = paused("WAITS GitHub's reviewers of run 7: https://github.example/7");
        let abandoned = What::Abandoned {
            reason: "left so".into(),
        };
        for (what, event, words) in [
            (
                review,
                Event::Approval,
                "GitHub's reviewers of run 7: https://github.example/7",
            ),
            (
                paused("WAITS the gate ci"),
                Event::Held,
                "WAITS the gate ci",
            ),
            (paused("HELD: it fires"), Event::Held, "HELD: it fires"),
            (abandoned, Event::End, "abandoned: left so"),
        ] {
            assert_eq!(Event::of(&what), Some((event, words.into())));
        }
        assert_eq!(Event::of(&What::Resumed), None);
    }
}
