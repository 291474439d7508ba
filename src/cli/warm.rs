//! `warm hold|extend|release`: how long the colour that traffic left is kept as it is, for a rollback.

use serde_json::json;

use super::exit::Exit;
use super::freeze::{Common, End, Shown, connect, end_of, finish, reach, refuse, usage};
use super::setup::Loaded;
use crate::estate::Safe;
use crate::ops::bastion::Place;
use crate::ops::keep;
use crate::ops::warm::Wanted;

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Keep it until somebody lets it go.
    Hold(Common),
    /// Keep it until then.
    Extend(Extend),
    /// Let it go: a clean-up may scale it to 0.
    Release(Common),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Extend {
    #[command(flatten)]
    common: Common,
    /// Until when, by the server's clock: a time such as 2026-11-30T06:00Z, or 18:00 (UTC, the next one).
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    until: Option<String>,
    /// For how long from now on: 2h, 90m, 3d.
    #[arg(
        long = "for",
        id = "lasts",
        value_name = "TIME",
        required_unless_present = "until"
    )]
    lasts: Option<String>,
}

/// The shape of it in JSON.
const SCHEMA: &str = "wheelhouse.warm/v1";

/// Says it.
pub(super) fn run(loaded: &Loaded, verb: &Verb, may_write: bool) -> Exit {
    let (common, end) = match verb {
        Verb::Hold(common) => (common, None),
        Verb::Release(common) => (common, Some(End::Never)),
        Verb::Extend(wanted) => match end_of(wanted.until.as_deref(), wanted.lasts.as_deref()) {
            Ok(end) => (&wanted.common, Some(end)),
            Err(words) => return usage(&words),
        },
    };
    reach(loaded, common, may_write, async |place| {
        act(&place, common, end).await
    })
}

/// `end`: none holds, one that never comes lets go.
async fn act(place: &Place, common: &Common, end: Option<End>) -> Exit {
    let bastion = match connect(place, SCHEMA, common.json).await {
        Ok(bastion) => bastion,
        Err(exit) => return exit,
    };
    let wanted = |server| match end {
        Some(End::Never) => Wanted::Release,
        // Beyond all years is until somebody lets it go.
        end => (end.and_then(|end| end.at(server))).map_or(Wanted::Hold, Wanted::Extend),
    };
    let draft = match keep::plan(&bastion, wanted, Safe::new(&common.reason)).await {
        Ok(draft) => draft,
        Err(refusal) => return refuse(&refusal, SCHEMA, common.json),
    };
    let shown = Shown {
        schema: SCHEMA,
        tier: draft.tier,
        environment: draft.environment.clone(),
        text: format!(
            "{}\n\n  is:     {}\n  then:   {}\n  reason: {}\n\n",
            draft.title(),
            draft.before,
            draft.then(),
            draft.after.why
        ),
        change: json!(draft),
    };
    finish(common, &shown, keep::carry_out(&bastion, &draft)).await
}
