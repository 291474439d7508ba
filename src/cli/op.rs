//! `op`: operations, whoever began them: list, show, journal, watch, abort, adopt, abandon.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use super::exit::Exit;
use super::operate::text::{self, Carried};
use super::operate::{self, carry_out, exit_of_outcome};
use super::output::{complain, say};
use super::runtime;
use super::setup::{Loaded, journals};
use crate::app::operations::{Hold, hold};
use crate::estate::{Fault, Kind, Lease, Safe};
use crate::ops::bastion::{Bastion, Place};
use crate::ops::engine::{self, Refused};
use crate::ops::eyes::Eyes;
use crate::ops::kept::{self, Kept, is_id};
use crate::ops::{Entry, OperationKind, What, journal, lease_selector, marks, policy, record};

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// The operations of an environment, or of all.
    List {
        /// The environment.
        environment: Option<String>,
        /// One JSON object a line, of the shape `wheelhouse.operation/v1`.
        #[arg(long)]
        json: bool,
    },
    /// One operation, entry by entry.
    Show(One),
    /// What its worker wrote down on this machine before it acted: there when the cluster is not.
    Journal(One),
    /// Follow one to its end; the exit code is its outcome's.
    Watch(One),
    /// Ask its worker to stop and to undo what it did.
    Abort(Reasoned),
    /// Take it over and go on: for one whose worker is dead. A worker that lives is cut off.
    Adopt {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        sure: Sure,
    },
    /// End it as it stands, without undoing anything.
    Abandon {
        #[command(flatten)]
        asked: Reasoned,
        #[command(flatten)]
        sure: Sure,
    },
    /// Follow up a broken glass: the red line goes from every screen, the note stays in the record.
    CloseGlass(Reasoned),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct One {
    /// The operation's id.
    id: String,
    /// JSON: one entry a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Reasoned {
    /// The operation's id.
    id: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Sure {
    /// Cut its worker off though that is alive.
    #[arg(long)]
    yes: bool,
}

impl Verb {
    /// Whether nothing but words comes of it.
    pub(super) fn only_tells(&self) -> bool {
        matches!(
            self,
            Self::List { .. } | Self::Show(_) | Self::Journal(_) | Self::Watch(_)
        )
    }
}

/// The shape of an operation in JSON.
const SCHEMA: &str = "wheelhouse.operation/v1";

/// Runs the verb.
pub(super) fn run(loaded: &Loaded, verb: &Verb, may_write: bool) -> Exit {
    let runtime = match runtime(2) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let done = runtime.block_on(perform(loaded, verb, may_write));
    runtime.shutdown_timeout(Duration::from_millis(300));
    done.unwrap_or_else(|(exit, words)| {
        complain(&format!("wheelhouse: {words}\n"));
        exit
    })
}

type Done = Result<Exit, (Exit, Safe)>;

async fn perform(loaded: &Loaded, verb: &Verb, may_write: bool) -> Done {
    match verb {
        Verb::List { environment, json } => list(loaded, environment.as_deref(), *json).await,
        Verb::Show(one) => {
            let (bastion, kept) = find(loaded, &one.id).await?;
            show(&kept, one.json);
            if !one.json {
                let carried = Held::of(&bastion).await.carried(&kept);
                say(&format!("{}\n", text::state(&kept, &carried)));
            }
            Ok(Exit::Ok)
        }
        Verb::Journal(one) => journal(one),
        Verb::Watch(one) => {
            let (bastion, kept) = find(loaded, &one.id).await?;
            follow(&bastion, kept, one.json).await
        }
        Verb::Abort(asked) => {
            let (bastion, _) = find(loaded, &asked.id).await?;
            let reason = Safe::new(&asked.reason);
            let what = What::AbortAsked { reason };
            let kept = record::add(&bastion, &asked.id, what)
                .await
                .map_err(|why| (Exit::Bad, why))?;
            let carried = Held::of(&bastion).await.carried(&kept);
            say(&format!("asked; it is {}\n", text::state(&kept, &carried)));
            match carried {
                Carried::Orphaned => {
                    complain("nobody reads that before somebody adopts it, who undoes it then\n");
                    Ok(Exit::Interrupted)
                }
                Carried::Out | Carried::Unknown(_) => Ok(Exit::Ok),
            }
        }
        Verb::Adopt { one, sure } => {
            let (bastion, kept) = find(loaded, &one.id).await?;
            may_take(loaded, &bastion, &kept, may_write, *sure).await?;
            let place = operate::place(loaded, &bastion.scope.name)
                .map_err(|why| (Exit::Usage, why.into()))?;
            let (asked, stop) = watch::channel(false);
            match engine::adopt(&bastion, &one.id, stop).await {
                Ok(run) => Ok(carry_out(place, run, asked, one.json).await),
                Err(refused) => Ok(operate::told(refused, one.json)),
            }
        }
        Verb::CloseGlass(asked) => {
            let (bastion, _) = find(loaded, &asked.id).await?;
            let note = Safe::new(&asked.reason);
            let closed = policy::close_glass(&bastion, &asked.id, note).await;
            closed.map_err(|why| (Exit::Bad, why))?;
            say("the broken glass is followed up; the note stands in the record\n");
            Ok(Exit::Ok)
        }
        Verb::Abandon { asked, sure } => {
            let (bastion, kept) = find(loaded, &asked.id).await?;
            may_take(loaded, &bastion, &kept, may_write, *sure).await?;
            let reason = Safe::new(&asked.reason);
            let (left, hooks) = match engine::abandon(&bastion, &asked.id, reason).await {
                Ok(left) => left,
                Err(refused) => return Ok(operate::told(refused, false)),
            };
            say(&format!("abandoned as it stands; {left}\n"));
            hooks.end().await;
            Ok(Exit::Ok)
        }
    }
}

/// Whoever takes an operation over changes the environment, and cuts off whoever is at it: what a key asks for, words ask
/// for too. A rollback is never in the way of anybody (SAFETY, rule 9).
async fn may_take(
    loaded: &Loaded,
    bastion: &Bastion,
    kept: &Kept,
    may_write: bool,
    sure: Sure,
) -> Result<(), (Exit, Safe)> {
    let name = &bastion.scope.name;
    let kind = kept.operation.plan.as_ref().map(|plan| plan.kind);
    if kind == Some(OperationKind::Rollback) {
        return Ok(());
    }
    if loaded.is_read_only(name) && !may_write {
        let why = format!("{name} is read-only: say --write too, or look with `op show`");
        return Err((Exit::Usage, why.into()));
    }
    let is_over = kept.operation.closed.is_some();
    let is_dead = matches!(Held::of(bastion).await.carried(kept), Carried::Orphaned);
    if is_over || is_dead || sure.yes {
        return Ok(());
    }
    let holder = kept
        .operation
        .holder
        .as_ref()
        .map_or("somebody", |it| it.as_str());
    let why = format!(
        "{holder} is at it, as far as its Lease tells: `op watch` or `op abort` it, or say --yes to cut that worker off"
    );
    Err((Exit::Held, why.into()))
}

async fn list(loaded: &Loaded, only: Option<&str>, as_json: bool) -> Done {
    let places = match only {
        Some(name) => vec![operate::place(loaded, name).map_err(|why| (Exit::Usage, why.into()))?],
        None => loaded.places(),
    };
    let (mut exit, mut is_empty) = (Exit::Ok, !as_json);
    let (all, mut told) = (loaded.places(), BTreeSet::new());
    let looked = places.iter().map(async |place| {
        let bastion = Bastion::connect(place).await?;
        let read = record::list(&bastion).await?;
        Ok::<_, Fault>((read, Held::of(&bastion).await))
    });
    let looked = join_all(looked).await;
    for (place, read) in places.iter().zip(looked) {
        let name = place.scope.name.clone();
        let ((good, bad), held) = match read {
            Ok(read) => read,
            Err(fault) => {
                complain(&format!("{name}: {}\n", fault.what));
                exit = Exit::Unknown;
                continue;
            }
        };
        // Environments that share their records tell each once.
        let good: Vec<Kept> = (good.into_iter())
            .filter(|kept| is_of(kept, place, &all))
            .collect();
        is_empty &= good.is_empty() && bad.is_empty();
        if let Err(why) = &held.leases {
            complain(&format!("{name}: {why}\n"));
            exit = Exit::Unknown;
        }
        for kept in good.iter().rev() {
            let carried = held.carried(kept);
            match as_json {
                true => say(&format!("{}\n", whole(kept, &name, &carried))),
                false => say(&text::operation(kept, &carried)),
            }
        }
        for unread in bad.into_iter().filter(|it| told.insert(it.why.clone())) {
            complain(&format!("{name}: {}\n", unread.why));
        }
    }
    if is_empty && exit == Exit::Ok {
        say("no operations\n");
    }
    Ok(exit)
}

fn whole(kept: &Kept, environment: &Safe, carried: &Carried) -> serde_json::Value {
    let is_orphaned = match carried {
        Carried::Out => Some(false),
        Carried::Orphaned => Some(true),
        Carried::Unknown(_) => None,
    };
    json!({
        "schema": SCHEMA,
        "environment": environment,
        "id": kept.id,
        "operation": { "kind": kept.operation.plan.as_ref().map(|p| p.kind), "by": kept.operation.by,
            "since": kept.operation.since, "last": kept.operation.last, "state": text::state(kept, carried),
            "orphaned": is_orphaned,
            "outcome": kept.operation.closed.as_ref().map(|(outcome, _)| outcome),
            "glass": kept.operation.glass, "abort": kept.operation.abort, "paused": kept.operation.paused,
            "holder": kept.operation.holder },
        "entries": kept.entries,
    })
}

fn checked(id: &str) -> Result<(), (Exit, Safe)> {
    if is_id(id) {
        return Ok(());
    }
    let why = format!(
        "{:?} is no operation's id: `wheelhouse op list` names them",
        Safe::new(id)
    );
    Err((Exit::Usage, why.into()))
}

/// Tells what the disk of this machine holds of an operation, as far as it can be believed. Asks no cluster.
fn journal(one: &One) -> Done {
    checked(&one.id)?;
    let folder = journals().ok_or((Exit::Usage, "this user has no home for journals".into()))?;
    let all = journal::all(&folder, &one.id).map_err(|error| {
        let why = format!("{}: {error}", folder.display());
        (Exit::Bad, why.into())
    })?;
    if all.is_empty() {
        let why = format!(
            "no journal of operation {} in {}: it is on the machine that its worker ran on",
            one.id,
            folder.display()
        );
        return Err((Exit::Usage, why.into()));
    }
    let mut exit = Exit::Ok;
    for (file, read) in all {
        for (line, _) in &read.lines {
            let entry = serde_json::from_value::<Entry>(line.what.clone()).ok();
            match (one.json, entry) {
                (true, _) => say(&format!("{}\n", json!(line))),
                (false, Some(entry)) if line.phase == "entry" => say(&text::entry(&entry)),
                (false, _) => {
                    let at = line.at.strftime("%H:%M:%SZ");
                    let words = Safe::new(&format!("{}: {}", line.phase, line.what));
                    say(&format!("{at}  {words}\n"));
                }
            }
        }
        if let Some(why) = read.broken {
            let why = Safe::new(&why);
            complain(&format!(
                "{}: {why}: nothing behind it is believed\n",
                file.display()
            ));
            exit = Exit::Bad;
        }
    }
    Ok(exit)
}

/// The operation of that id, in whichever environment it is.
async fn find(loaded: &Loaded, id: &str) -> Result<(Bastion, Kept), (Exit, Safe)> {
    checked(id)?;
    let places = loaded.places();
    let found = find_any(&places, async |place| {
        let bastion = Bastion::connect(place).await?;
        let kept = record::read(&bastion, id).await?;
        let kept = kept.filter(|kept| is_of(kept, place, &places));
        Ok(kept.map(|kept| (bastion, kept)))
    });
    found.await.map_err(|away| match away.is_empty() {
        true => (
            Exit::Usage,
            format!("there is no operation {id} in any environment").into(),
        ),
        false => (
            Exit::Unknown,
            format!("operation {id} was not found; {}", away.join("; ")).into(),
        ),
    })
}

/// Where it is found first: all are asked at once, so that one that is away keeps nobody waiting. Else why some of them
/// could not be asked.
pub(super) async fn find_any<T>(
    places: &[Place],
    look: impl AsyncFn(&Place) -> Result<Option<T>, Refused>,
) -> Result<T, Vec<String>> {
    let asked = places
        .iter()
        .map(async |place| (&place.scope.name, look(place).await));
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut away = Vec::new();
    while let Some((name, found)) = asked.next().await {
        match found {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(refused) => away.push(format!("{name}: {}", policy::words(&refused))),
        }
    }
    Err(away)
}

/// Several environments may keep their records in one namespace, and even their Services: then it is the one that its plan
/// names.
fn is_of(kept: &Kept, place: &Place, places: &[Place]) -> bool {
    let Some(plan) = &kept.operation.plan else {
        return false;
    };
    let is_there = |it: &Place| it.scope.namespace == plan.namespace;
    let is_named = |it: &Place| is_there(it) && it.scope.name == plan.environment;
    is_there(place) && (is_named(place) || !places.iter().any(is_named))
}

fn show(kept: &Kept, as_json: bool) {
    for entry in &kept.entries {
        match as_json {
            true => say(&format!("{}\n", json!(entry))),
            false => say(&text::entry(entry)),
        }
    }
    if kept.torn > 0 {
        complain(&format!(
            "{} lines of the record could not be read\n",
            kept.torn
        ));
    }
}

/// Why it is not known how it stands: whoever does not see the Leases orphans nobody (SAFETY, rule 6).
fn unseen(eyes: &Eyes) -> Option<&Fault> {
    let mut kinds = [Kind::Leases, Kind::Records].into_iter();
    kinds.find_map(|kind| eyes.estate.fault(kind))
}

/// The Leases that operations hold in an environment, or why they cannot be told.
struct Held {
    leases: Result<Vec<Lease>, Safe>,
    /// The server's time; this machine's where the server does not tell it.
    at: Timestamp,
}

impl Held {
    async fn of(bastion: &Bastion) -> Self {
        let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
        let selector = lease_selector();
        let leases = cluster.list::<Lease>(&selector, answer);
        let (leases, pulse) = futures::join!(leases, cluster.pulse(answer));
        let server = pulse.ok().and_then(|pulse| pulse.server);
        Self {
            leases: leases.map_err(|fault| fault.what),
            at: server.unwrap_or_else(|| bastion.clock.wall()),
        }
    }

    /// A Lease that cannot be read is none that is gone (SAFETY, rule 6).
    fn carried(&self, kept: &Kept) -> Carried {
        match &self.leases {
            _ if kept.operation.closed.is_some() => Carried::Out,
            Err(why) => Carried::Unknown(why.clone()),
            Ok(leases) if kept.is_orphaned(leases, self.at) => Carried::Orphaned,
            Ok(_) => Carried::Out,
        }
    }
}

async fn follow(bastion: &Bastion, mut kept: Kept, as_json: bool) -> Done {
    show(&kept, as_json);
    let mut eyes = Eyes::open(bastion);
    let name = marks::record_name(&kept.id);
    let (mut was_orphaned, mut was_blind) = (false, false);
    while kept.operation.closed.is_none() {
        eyes.next().await;
        let fault = unseen(&eyes);
        if let Some(fault) = fault.filter(|_| !was_blind) {
            let (name, why) = (&bastion.scope.name, &fault.what);
            complain(&format!(
                "cannot see {name}: {why}; how the operation stands is UNKNOWN\n"
            ));
        }
        was_blind = fault.is_some();
        let hold = hold(&eyes.estate, &kept, bastion.clock.now());
        let is_orphaned = matches!(hold, Hold::Orphaned { .. });
        if is_orphaned && !was_orphaned {
            complain(&format!("{}\n", text::state(&kept, &Carried::Orphaned)));
        }
        // What is not seen for a while is not told anew.
        was_orphaned = is_orphaned || (was_orphaned && !matches!(hold, Hold::Alive { .. }));
        let table = &eyes.estate.records;
        let Some(record) = table.value.get(name.as_str()) else {
            if table.listed {
                return Err((
                    Exit::Unknown,
                    format!("the record of {} was deleted", kept.id).into(),
                ));
            }
            continue;
        };
        let Ok(read) = kept::read(record) else {
            continue;
        };
        for entry in read.entries.iter().skip(kept.entries.len()) {
            match as_json {
                true => say(&format!("{}\n", json!(entry))),
                false => say(&text::entry(entry)),
            }
        }
        kept = read;
    }
    Ok(kept
        .operation
        .closed
        .map_or(Exit::Unknown, |(outcome, _)| exit_of_outcome(outcome)))
}
