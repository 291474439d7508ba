//! `approval`: ask for one, list what waits, approve, reject.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::exit::Exit;
use super::freeze::undone;
use super::op::find_any;
use super::operate::{self, ask, exit_of, text};
use super::output::{complain, say};
use super::runtime;
use super::setup::Loaded;
use crate::estate::{Safe, Tier};
use crate::ops::approval::{Decision, Paper, Standing, clock};
use crate::ops::approve::{self, Draft};
use crate::ops::bastion::{Bastion, Place};
use crate::ops::engine::Refused;
use crate::ops::kept::is_id;
use crate::ops::{Plan, policy};

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Ask for another person's approval of a cutover, as its plan is now.
    Request(Request),
    /// What was asked for and is not over, in an environment or in all; the exit code is 4 while anything waits.
    List(List),
    /// Approve what somebody else asked for, if it is still what would go live.
    Approve(Decide),
    /// Reject it: that request is ended, whoever approved it.
    Reject(Decide),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Request {
    /// The environment, as the configuration names it.
    environment: String,
    /// The colour that is meant; without it the one that is not live.
    #[arg(long, value_name = "COLOUR")]
    to: Option<String>,
    /// A gate that the cutover will override, and why, as for `cutover`. Once for each.
    #[arg(long = "override", value_name = "GATE=REASON", value_parser = operate::overridden)]
    overrides: Vec<(String, String)>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct List {
    /// The environment.
    environment: Option<String>,
    /// One JSON object a line, of the shape `wheelhouse.approval/v1`.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Decide {
    /// The environment, where one request waits; else the request's id.
    #[arg(value_name = "ENVIRONMENT|ID")]
    which: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// Why: whoever decides, or is told, reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    plan: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// JSON of the shape `wheelhouse.approval/v1`.
    #[arg(long)]
    json: bool,
}

/// The shape of it in JSON.
const SCHEMA: &str = "wheelhouse.approval/v1";

/// Runs the verb.
pub(super) fn run(loaded: &Loaded, verb: &Verb, may_write: bool) -> Exit {
    let runtime = match runtime(2) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        match verb {
            Verb::Request(wanted) => request(loaded, wanted, may_write).await,
            Verb::List(wanted) => list(loaded, wanted).await,
            Verb::Approve(wanted) => decide(loaded, wanted, Decision::Approved, may_write).await,
            Verb::Reject(wanted) => decide(loaded, wanted, Decision::Rejected, may_write).await,
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(300));
    exit.unwrap_or_else(|(exit, words)| {
        complain(&format!("wheelhouse: {words}\n"));
        exit
    })
}

type Done = Result<Exit, (Exit, Safe)>;

async fn request(loaded: &Loaded, wanted: &Request, may_write: bool) -> Done {
    let bastion = connect(loaded, &wanted.environment, wanted.common.json).await?;
    writable(loaded, &bastion, &wanted.common, may_write)?;
    let asked = approve::Wanted {
        to: wanted.to.as_deref().map(Safe::new),
        bound: None,
        overrides: (wanted.overrides.iter())
            .map(|(gate, why)| (Safe::new(gate), Safe::new(why)))
            .collect(),
        reason: Safe::new(&wanted.common.reason),
        within: None,
    };
    let draft = approve::ask(&bastion, &asked).await;
    finish(&bastion, draft, &wanted.common).await
}

async fn decide(loaded: &Loaded, wanted: &Decide, decision: Decision, may_write: bool) -> Done {
    let (bastion, id) = match is_id(&wanted.which) {
        true => (
            owner(loaded, &wanted.which).await?,
            Safe::new(&wanted.which),
        ),
        false => {
            let bastion = connect(loaded, &wanted.which, wanted.common.json).await?;
            let id = only(&bastion).await?;
            (bastion, id)
        }
    };
    writable(loaded, &bastion, &wanted.common, may_write)?;
    let reason = Safe::new(&wanted.common.reason);
    let draft = approve::decide(&bastion, &id, decision, &reason).await;
    finish(&bastion, draft, &wanted.common).await
}

async fn connect(loaded: &Loaded, name: &str, as_json: bool) -> Result<Bastion, (Exit, Safe)> {
    let place = operate::place(loaded, name).map_err(|why| (Exit::Usage, why.into()))?;
    let bastion = Bastion::connect(&place).await;
    bastion.map_err(|fault| {
        undone("approval", &fault.what, SCHEMA, as_json);
        (Exit::Unknown, fault.what)
    })
}

/// A request and a decision let production change: they are changes too.
fn writable(
    loaded: &Loaded,
    bastion: &Bastion,
    common: &Common,
    may_write: bool,
) -> Result<(), (Exit, Safe)> {
    let name = &bastion.scope.name;
    if loaded.is_read_only(name) && !may_write && !common.plan {
        let said = format!("{name} is read-only: say --write too, or look with --plan");
        return Err((Exit::Usage, said.into()));
    }
    Ok(())
}

/// The one request that waits there.
async fn only(bastion: &Bastion) -> Result<Safe, (Exit, Safe)> {
    let looked = approve::look(bastion).await;
    let (estate, papers, server) =
        looked.map_err(|refused| (Exit::Unknown, policy::words(&refused)))?;
    let name = &bastion.scope.name;
    let waiting = papers.waiting(estate.scope.approval.lasts_s, server);
    match &waiting[..] {
        [one] => Ok(one.id.clone()),
        // One that is approved may still be rejected, and one that is over is told as such.
        [] => match papers.requests().last() {
            Some(last) => Ok(last.id.clone()),
            None => Err((
                Exit::Usage,
                format!("nothing in {name} waits for an approval").into(),
            )),
        },
        several => {
            // One of a flip that nobody would make any more, as a takeover leaves it, is no choice.
            let mut live = Vec::new();
            for it in several {
                if !matches!(approve::void(bastion, it).await, Ok(Some(_))) {
                    live.push(it);
                }
            }
            if let [one] = live[..] {
                return Ok(one.id.clone());
            }
            let ids: Vec<String> = several
                .iter()
                .map(|it| format!("{} ({})", it.id, it.words()))
                .collect();
            let said = format!(
                "several requests wait in {name}, name one: {}",
                ids.join("; ")
            );
            Err((Exit::Usage, said.into()))
        }
    }
}

/// Where the request of that id is.
async fn owner(loaded: &Loaded, id: &str) -> Result<Bastion, (Exit, Safe)> {
    let places = loaded.places();
    let found = find_any(&places, async |place| {
        let bastion = Bastion::connect(place).await?;
        let (_, papers, _) = approve::look(&bastion).await?;
        let asked = papers.requests().find(|it| it.id.as_str() == id);
        // Several environments may share a namespace: then it is the one that the request names.
        let is_named = |it: &Place, name: &Safe| it.scope.name == *name;
        let is_here = asked.is_some_and(|it| {
            let name = &it.environment;
            is_named(place, name) || !places.iter().any(|it| is_named(it, name))
        });
        Ok(is_here.then_some(bastion))
    });
    found.await.map_err(|away| match away.is_empty() {
        true => {
            let said = format!("there is no request {id}: `wheelhouse approval list` names them");
            (Exit::Usage, said.into())
        }
        false => {
            let said = format!("request {id} was not found; {}", away.join("; "));
            (Exit::Unknown, said.into())
        }
    })
}

async fn finish(bastion: &Bastion, draft: Result<Draft, Refused>, common: &Common) -> Done {
    let draft = match draft {
        Ok(draft) => draft,
        Err(refused) => return refuse(refused, Exit::Unknown, common.json),
    };
    if common.plan {
        show(&draft, common.json);
        return Ok(Exit::Ok);
    }
    if !common.yes {
        show(&draft, false);
        match ask::typed(&word(&draft)) {
            Ok(true) => {}
            Ok(false) => {
                complain("not confirmed: nothing was changed\n");
                return Ok(Exit::Refused);
            }
            Err(words) => return Err((Exit::Usage, words.into())),
        }
    }
    match approve::carry_out(bastion, &draft).await {
        Ok(words) if common.json => {
            say(&format!("{}\n", object(&draft, Some(&words))));
            Ok(Exit::Ok)
        }
        Ok(words) => {
            say(&format!("{words}\n"));
            Ok(Exit::Ok)
        }
        Err(refused) => refuse(refused, Exit::Bad, common.json),
    }
}

/// What has to be typed.
fn word(draft: &Draft) -> String {
    match draft.tier {
        Tier::Development => String::new(),
        Tier::Staging => "y".to_owned(),
        Tier::Production => draft.paper.environment.to_string(),
    }
}

fn object(draft: &Draft, done: Option<&Safe>) -> Value {
    json!({ "schema": SCHEMA, "approval": draft.paper, "done": done, "refused": null })
}

fn show(draft: &Draft, as_json: bool) {
    if as_json {
        return say(&format!("{}\n", object(draft, None)));
    }
    if let Some(plan) = &draft.plan {
        say(&text::plan(plan));
    }
    let paper = &draft.paper;
    say(&format!(
        "\n{}\n\n  by:     {} ({})\n  of:     {}\n  reason: {}\n  until:  {:.0}\n\n",
        draft.title(),
        paper.author,
        paper.seat,
        paper.runs,
        paper.reason,
        paper.expires
    ));
}

/// `fault` is the end where it was no refusal.
fn refuse(refused: Refused, fault: Exit, as_json: bool) -> Done {
    let words = policy::words(&refused);
    undone("approval", &words, SCHEMA, as_json);
    match refused {
        Refused::Refusal(refusal) => {
            complain(&format!("refused: {words}\n"));
            Ok(exit_of(refusal.kind))
        }
        _ => Err((fault, words)),
    }
}

async fn list(loaded: &Loaded, wanted: &List) -> Done {
    let places = match &wanted.environment {
        Some(name) => {
            vec![operate::place(loaded, name).map_err(|why| (Exit::Usage, why.into()))?]
        }
        None => loaded.places(),
    };
    let (mut exit, mut is_empty) = (Exit::Ok, true);
    let bastions = join_all(places.iter().map(Bastion::connect)).await;
    for (place, bastion) in places.iter().zip(bastions) {
        let name = &place.scope.name;
        let told = match bastion {
            Ok(bastion) => tell(&bastion, wanted.json).await,
            Err(fault) => Err(fault.into()),
        };
        match told {
            Ok(told) => {
                is_empty &= !told.any;
                exit = match exit {
                    _ if !told.is_whole => Exit::Unknown,
                    Exit::Ok if told.waits => Exit::WaitingForApproval,
                    exit => exit,
                };
            }
            Err(refused) => {
                complain(&format!("{name}: {}\n", policy::words(&refused)));
                exit = Exit::Unknown;
            }
        }
    }
    if is_empty && exit == Exit::Ok && !wanted.json {
        say("nothing waits for an approval\n");
    }
    Ok(exit)
}

/// What was told of an environment.
struct Told {
    any: bool,
    waits: bool,
    /// Whether all of them can be read: one of a newer version may wait.
    is_whole: bool,
}

async fn tell(bastion: &Bastion, as_json: bool) -> Result<Told, Refused> {
    let (estate, papers, server) = approve::look(bastion).await?;
    let lasts_s = estate.scope.approval.lasts_s;
    let mut told = Told {
        any: false,
        waits: false,
        is_whole: papers.unread.is_empty(),
    };
    for asked in papers.requests() {
        let standing = papers.standing(asked, lasts_s, server);
        let state = match &standing {
            Standing::Over => continue,
            Standing::Rejected(no) if server >= no.ends(lasts_s) => continue,
            Standing::Rejected(no) => no.words(),
            Standing::Approved(yes) => {
                let said = format!("{}, until {}", yes.words(), clock(yes.ends(lasts_s)));
                stands(bastion, asked, said).await.0
            }
            Standing::Waits => {
                let said = format!("waits until {}", clock(asked.ends(lasts_s)));
                let (state, is_void) = stands(bastion, asked, said).await;
                told.waits |= !is_void;
                state
            }
        };
        told.any = true;
        let word = match &standing {
            _ if state.starts_with(VOID) => "void",
            Standing::Approved(_) => "approved",
            Standing::Rejected(_) => "rejected",
            Standing::Waits | Standing::Over => "waits",
        };
        match as_json {
            true => say(&format!("{}\n", listed(asked, word, &state))),
            false => say(&line(asked, &state)),
        }
    }
    for unread in &papers.unread {
        complain(&format!("{}: {}\n", bastion.scope.name, unread.why));
    }
    Ok(told)
}

/// What starts the line of one that stands for nothing any more.
const VOID: &str = "VOID";

/// How one that is not over stands, and whether it is void: what would go live may be something else by now.
async fn stands(bastion: &Bastion, asked: &Paper, said: String) -> (String, bool) {
    match approve::void(bastion, asked).await {
        Ok(Some(why)) => (format!("{VOID}: {why}"), true),
        Ok(None) => (said, false),
        Err(why) => (
            format!("{said}; whether it is void is not known: {why}"),
            false,
        ),
    }
}

fn listed(asked: &Paper, word: &str, state: &str) -> Value {
    json!({ "schema": SCHEMA, "request": asked, "state": word, "words": Safe::new(state) })
}

fn line(asked: &Paper, state: &str) -> String {
    format!(
        "{}  cut over {} to {}  {}\n    {}\n    {state}\n",
        asked.id,
        asked.environment,
        Plan::colour_in_words(&asked.colour),
        asked.words(),
        asked.runs
    )
}
