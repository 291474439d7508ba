//! `freeze` and `thaw`: nothing moves forward, until then, because; by the policy beside the target.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde_json::json;

use super::exit::Exit;
use super::operate::{self, ask, exit_of};
use super::output::{complain, say};
use super::runtime;
use super::setup::Loaded;
use crate::estate::{Safe, Tier};
use crate::ops::bastion::{Bastion, Place};
use crate::ops::engine::Refused;
use crate::ops::freeze::{Draft, Wanted};
use crate::ops::{Refusal, policy};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Freeze {
    #[command(flatten)]
    common: Common,
    /// Until when, by the server's clock: a time such as 2026-11-30T06:00Z, or 18:00 (UTC, the next one).
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    until: Option<String>,
    /// For how long: 2h, 90m, 3d. Without it or --until: until somebody thaws it.
    #[arg(long = "for", id = "lasts", value_name = "TIME")]
    lasts: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// The environment, as the configuration names it.
    environment: String,
    /// Why: whoever is stopped by it, or released, reads it.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    plan: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// JSON of the shape `wheelhouse.freeze/v1`, or `wheelhouse.warm/v1`.
    #[arg(long)]
    pub(super) json: bool,
}

/// The end that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Never,
    At(Timestamp),
    After(SignedDuration),
    /// Minutes of the day, UTC.
    Clock(i64),
}

/// Freezes.
pub(super) fn freeze(loaded: &Loaded, wanted: &Freeze, may_write: bool) -> Exit {
    match end_of(wanted.until.as_deref(), wanted.lasts.as_deref()) {
        Ok(end) => run(loaded, &wanted.common, may_write, Some(end)),
        Err(words) => usage(&words),
    }
}

/// Thaws.
pub(super) fn thaw(loaded: &Loaded, wanted: &Common, may_write: bool) -> Exit {
    run(loaded, wanted, may_write, None)
}

/// The end that `--until` or `--for` says.
pub(super) fn end_of(until: Option<&str>, lasts: Option<&str>) -> Result<End, String> {
    match (until, lasts) {
        (Some(until), _) => until_of(until),
        (None, Some(lasts)) => lasts_of(lasts),
        (None, None) => Ok(End::Never),
    }
}

/// A time, or a time of the day.
fn until_of(text: &str) -> Result<End, String> {
    let wrong = || {
        let text = Safe::new(text);
        format!("--until {text:?} is no time: expected one such as 2026-11-30T06:00Z or 18:00")
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(End::At(at));
    }
    let time: jiff::civil::Time = text.parse().map_err(|_| wrong())?;
    Ok(End::Clock(
        i64::from(time.hour()) * 60 + i64::from(time.minute()),
    ))
}

fn lasts_of(text: &str) -> Result<End, String> {
    let span = text.parse::<Span>().ok();
    let lasts = span.and_then(|span| {
        let days = SpanRelativeTo::days_are_24_hours();
        span.to_duration(days).ok()
    });
    match lasts.filter(|lasts| lasts.is_positive()) {
        Some(lasts) => Ok(End::After(lasts)),
        None => {
            let text = Safe::new(text);
            Err(format!(
                "--for {text:?} is no time: expected one such as 2h, 90m or 3d"
            ))
        }
    }
}

impl End {
    /// When, if it is `server` there now.
    pub(super) fn at(self, server: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(at) => Some(at),
            Self::After(lasts) => server.checked_add(lasts).ok(),
            Self::Clock(minutes) => {
                let day = server.as_second().div_euclid(86_400) * 86_400;
                let at = Timestamp::from_second(day + minutes * 60).ok()?;
                match at > server {
                    true => Some(at),
                    false => at.checked_add(SignedDuration::from_hours(24)).ok(),
                }
            }
        }
    }
}

fn run(loaded: &Loaded, common: &Common, may_write: bool, end: Option<End>) -> Exit {
    reach(loaded, common, may_write, async |place| {
        act(&place, common, end).await
    })
}

/// Finds the environment, and does `work` there if it may be written to.
pub(super) fn reach(
    loaded: &Loaded,
    common: &Common,
    may_write: bool,
    work: impl AsyncFnOnce(Place) -> Exit,
) -> Exit {
    let place = match operate::place(loaded, &common.environment) {
        Ok(place) => place,
        Err(words) => return usage(&words),
    };
    let name = &place.scope.name;
    if loaded.is_read_only(name) && !may_write && !common.plan {
        return usage(&format!(
            "{name} is read-only: say --write too, or look with --plan"
        ));
    }
    let runtime = match runtime(2) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(work(place));
    runtime.shutdown_timeout(Duration::from_millis(300));
    exit
}

/// The cluster, or the exit code after the words why it is not reached.
pub(super) async fn connect(place: &Place, schema: &str, as_json: bool) -> Result<Bastion, Exit> {
    Bastion::connect(place).await.map_err(|fault| {
        undone("change", &fault.what, schema, as_json);
        complain(&format!("wheelhouse: {}\n", fault.what));
        Exit::Unknown
    })
}

/// There is no `what` to show: nothing was written.
pub(super) fn undone(what: &str, why: &Safe, schema: &str, as_json: bool) {
    if as_json {
        let said = json!({ "schema": schema, (what): null, "done": null, "refused": why });
        say(&format!("{said}\n"));
    }
}

async fn act(place: &Place, common: &Common, end: Option<End>) -> Exit {
    let bastion = match connect(place, SCHEMA, common.json).await {
        Ok(bastion) => bastion,
        Err(exit) => return exit,
    };
    let estate = policy::look(&bastion).await;
    let server = estate.server_time(bastion.clock.now());
    let wanted = match end {
        Some(end) => Wanted::Freeze(end.at(server)),
        None => Wanted::Thaw,
    };
    let draft = match policy::plan(&bastion, &wanted, Safe::new(&common.reason)).await {
        Ok(draft) => draft,
        Err(refusal) => return refuse(&refusal, SCHEMA, common.json),
    };
    let shown = Shown {
        schema: SCHEMA,
        tier: draft.tier,
        environment: draft.environment.clone(),
        text: text(&draft),
        change: json!(draft),
    };
    finish(common, &shown, policy::carry_out(&bastion, &draft)).await
}

/// A change that is to be confirmed.
pub(super) struct Shown {
    /// The shape of its JSON.
    pub(super) schema: &'static str,
    pub(super) tier: Tier,
    pub(super) environment: Safe,
    pub(super) text: String,
    pub(super) change: serde_json::Value,
}

/// Shows it, asks, does it, and tells what became of it.
pub(super) async fn finish(
    common: &Common,
    shown: &Shown,
    done: impl Future<Output = Result<Safe, Refused>>,
) -> Exit {
    if common.plan {
        match common.json {
            true => say(&format!("{}\n", shown.object(None, None))),
            false => say(&shown.text),
        }
        return Exit::Ok;
    }
    if !common.yes {
        say(&shown.text);
        match ask::typed(&shown.word()) {
            Ok(true) => {}
            Ok(false) => {
                complain("not confirmed: nothing was changed\n");
                return Exit::Refused;
            }
            Err(words) => return usage(words),
        }
    }
    match done.await {
        Ok(words) if common.json => {
            say(&format!("{}\n", shown.object(Some(&words), None)));
            Exit::Ok
        }
        Ok(words) => {
            say(&format!("{words}\n"));
            Exit::Ok
        }
        Err(Refused::Refusal(refusal)) => refuse(&refusal, shown.schema, common.json),
        Err(refused) => {
            let words = policy::words(&refused);
            if common.json {
                say(&format!("{}\n", shown.object(None, Some(&words))));
            }
            complain(&format!("wheelhouse: {words}\n"));
            Exit::Bad
        }
    }
}

impl Shown {
    /// What has to be typed.
    fn word(&self) -> String {
        match self.tier {
            Tier::Development => String::new(),
            Tier::Staging => "y".to_owned(),
            Tier::Production => self.environment.to_string(),
        }
    }

    fn object(&self, done: Option<&Safe>, refused: Option<&Safe>) -> serde_json::Value {
        json!({ "schema": self.schema, "change": self.change, "done": done, "refused": refused })
    }
}

/// The shape of it in JSON.
const SCHEMA: &str = "wheelhouse.freeze/v1";

fn text(draft: &Draft) -> String {
    let (before, after) = draft.change();
    format!(
        "{}\n\n  is:     {before}\n  then:   {after}\n  {}\n  reason: {}\n\n",
        draft.title(),
        draft.consequence(),
        draft.last.why
    )
}

pub(super) fn refuse(refusal: &Refusal, schema: &str, as_json: bool) -> Exit {
    undone("change", &refusal.why, schema, as_json);
    complain(&format!("refused: {}\n", refusal.why));
    exit_of(refusal.kind)
}

pub(super) fn usage(words: &str) -> Exit {
    complain(&format!("wheelhouse: {words}\n"));
    Exit::Usage
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_end_is_counted_from_the_servers_clock() {
        let server = at("2026-11-27T14:02:00Z");
        let of = |end: Result<End, String>| end.unwrap().at(server).unwrap().to_string();
        assert_eq!(of(lasts_of("2h")), "2026-11-27T16:02:00Z");
        assert_eq!(of(lasts_of("3d")), "2026-11-30T14:02:00Z");
        assert_eq!(of(until_of("2026-11-30T06:00Z")), "2026-11-30T06:00:00Z");
        assert_eq!(of(until_of("18:00")), "2026-11-27T18:00:00Z");
        assert_eq!(of(until_of("06:30")), "2026-11-28T06:30:00Z");
    }

    #[test]
    fn what_is_no_time_is_told_with_what_would_be_one() {
        for wrong in ["", "soon", "-2h", "0s", "25:00"] {
            let why = lasts_of(wrong).unwrap_err();
            assert!(why.contains("such as 2h"), "{why}");
        }
        for wrong in ["", "tomorrow", "25:00"] {
            let why = until_of(wrong).unwrap_err();
            assert!(why.contains("such as 2026-11-30T06:00Z"), "{why}");
        }
    }
}
