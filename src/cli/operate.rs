//! `cutover`, `rollback`, `repair`, `deploy`, `smoke`, `cleanup`, `release`: the same engine that the cockpit's workers run, in the foreground.
//!
//! The same checks as on the screen, the exit codes of the one table, the plan as text or as JSON of the shape
//! `wheelhouse.plan/v1`. Without `--yes` it asks on the terminal, and without a terminal it refuses.

pub(super) mod ask;
pub(super) mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::exit::Exit;
use super::output::{Voice, complain, say};
use super::runtime;
use super::setup::Loaded;
use crate::estate::{Safe, Tier};
use crate::ops::bastion::{Bastion, Place};
use crate::ops::engine::{self, Ended, Prepared, Refused, Run};
use crate::ops::kept::is_id;
use crate::ops::patch;
use crate::ops::placement::{self, Placement};
use crate::ops::plan::{self, How, OVERRIDABLE, SAME, Within};
use crate::ops::worker::{self, Job, Said, Wanted};
use crate::ops::{Entry, Gate, OperationKind, Outcome, Plan, Refusal, RefusalKind, Request};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// The environment, as the configuration names it.
    environment: String,
    /// The colour that is meant; without it the one that is not live.
    #[arg(long, value_name = "COLOUR")]
    to: Option<String>,
    /// Print what would be done and every check, and do nothing.
    #[arg(long)]
    pub(super) plan: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Why, for the record. Needed in production, but for a rollback.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Go ahead although this gate is closed, and why that does not count; for the record. The plan names the
    /// gates: `monitoring`, `alert:HighErrorRate`, `query:latency`. Once for each.
    #[arg(long = "override", value_name = "GATE=REASON", value_parser = overridden)]
    overrides: Vec<(String, String)>,
    /// Pass over a freeze, and say why: it stands on every screen until somebody follows it up with
    /// `wheelhouse op close-glass`. A rollback needs none.
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    /// A part of this operation: for a job of the workflow run that it dispatched. It acts under that operation's
    /// Leases, and tells its record.
    #[arg(long, value_name = "OPERATION", conflicts_with_all = ["detach", "break_glass"])]
    within: Option<String>,
    /// Leave it to a worker, print its operation's id, and end.
    #[arg(long)]
    detach: bool,
    /// JSON: the plan as `wheelhouse.plan/v1`, what happens as one entry a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    pub(super) common: Arguments,
    /// An image: WORKLOAD=REPOSITORY:TAG (or @DIGEST), WORKLOAD=:TAG for the same repository, WORKLOAD/CONTAINER=… where
    /// a pod has several, :TAG for every part. As often as there are parts; a part that is not named gets what is live.
    #[arg(long, value_name = "WORKLOAD=REF")]
    image: Vec<String>,
    /// The images that it has: brings a colour that was cleaned up back as it was.
    #[arg(long, conflicts_with = "image")]
    same: bool,
    /// Have helm bring a release that is stuck (`pending-…`) or failed back to the last revision that was applied in full:
    /// where the environment is deployed by helm.
    #[arg(long, conflicts_with_all = ["image", "same", "within"])]
    recover: bool,
}

/// Plans a deploy or a release, asks, and does it.
pub(super) fn deploy(
    loaded: &Loaded,
    kind: OperationKind,
    wanted: &Deploy,
    may_write: bool,
) -> Exit {
    let named = place(loaded, &wanted.common.environment).ok();
    let same: Vec<String> = (named.iter().filter(|_| wanted.same))
        .flat_map(|place| &place.scope.workloads)
        .map(|workload| format!("{}={SAME}", workload.name))
        .collect();
    let images = wanted.image.iter().chain(&same);
    let images: Vec<&str> = images.map(String::as_str).collect();
    if wanted.recover && kind != OperationKind::Deploy {
        return usage("--recover is of a deploy: recover first, then release");
    }
    let what = match wanted.recover {
        true => What::Recovery,
        false => What::Images(&images),
    };
    begin(loaded, kind, &wanted.common, what, may_write)
}

/// What of a deploy is wanted.
#[derive(Clone, Copy)]
enum What<'a> {
    /// These images; none where it is no deploy.
    Images(&'a [&'a str]),
    /// A release of helm as it was.
    Recovery,
}

/// How it is done: by the configuration.
fn how(
    loaded: &Loaded,
    place: &Place,
    what: What<'_>,
    images: &BTreeMap<Safe, Safe>,
) -> Result<How, String> {
    let name = &place.scope.name;
    match (what, loaded.how(name)) {
        (What::Images(_), how) => Ok(how.of(images)),
        (What::Recovery, How::Helm(helm)) => Ok(How::Helm(helm.recovering())),
        (What::Recovery, How::Image | How::Command(_) | How::Workflow(_)) => Err(format!(
            "--recover is for releases of helm, and {name} is not deployed by it: its [environment.deployment] says so"
        )),
    }
}

/// Plans, asks, and does it.
pub(super) fn run(
    loaded: &Loaded,
    kind: OperationKind,
    arguments: &Arguments,
    may_write: bool,
) -> Exit {
    begin(loaded, kind, arguments, What::Images(&[]), may_write)
}

fn begin(
    loaded: &Loaded,
    kind: OperationKind,
    arguments: &Arguments,
    what: What<'_>,
    may_write: bool,
) -> Exit {
    let place = match place(loaded, &arguments.environment) {
        Ok(place) => place,
        Err(words) => return usage(&words),
    };
    if let Err(words) = admissible(loaded, kind, arguments, &place, may_write) {
        return usage(&words);
    }
    let words = match what {
        What::Images(words) => words,
        What::Recovery => &[],
    };
    let images = match plan::asked(words, &place.scope) {
        Ok(images) => images,
        Err(words) => return usage(&format!("--image: {words}")),
    };
    let within = match within(kind, arguments) {
        Ok(within) => within,
        Err(words) => return usage(&words),
    };
    let how = match (kind, &within) {
        (OperationKind::Deploy | OperationKind::Release, None) => {
            match how(loaded, &place, what, &images) {
                Ok(how) => how,
                Err(words) => return usage(&words),
            }
        }
        (OperationKind::Rollback, None) => loaded.how(&place.scope.name).back(&place.scope),
        // What joins a workflow's operation is the part that the workflow does.
        _ => How::Image,
    };
    let request = Request {
        to: arguments.to.as_deref().map(Safe::new),
        reason: arguments.reason.as_deref().map(Safe::new),
        overrides: (arguments.overrides.iter())
            .map(|(gate, why)| (Safe::new(gate), Safe::new(why)))
            .collect(),
        break_glass: arguments.break_glass.as_deref().map(Safe::new),
        how,
        probes: match kind {
            OperationKind::Smoke | OperationKind::Release | OperationKind::Cutover => {
                loaded.probes(&place.scope.name)
            }
            _ => Vec::new(),
        },
        images,
        within,
        ..Request::new(kind)
    };
    let runtime = match runtime(2) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(operate(place, request, arguments));
    runtime.shutdown_timeout(Duration::from_millis(300));
    exit
}

/// `GATE=REASON`, neither of them empty, and of a gate that may be overridden.
pub(super) fn overridden(text: &str) -> Result<(String, String), String> {
    let (gate, reason) = text.split_once('=').unwrap_or_default();
    match (gate.trim(), reason.trim()) {
        ("", _) | (_, "") => {
            Err("expected GATE=REASON: which gate, and why it does not count".into())
        }
        (gate, _) if !Gate::may_be_lifted(&Safe::new(gate)) => Err(format!(
            "{} may not be overridden; what may: {OVERRIDABLE}",
            Safe::new(gate)
        )),
        (gate, reason) => Ok((gate.to_owned(), reason.to_owned())),
    }
}

/// The operation that this is a part of, and the run that GitHub says this is a job of.
fn within(kind: OperationKind, arguments: &Arguments) -> Result<Option<Within>, String> {
    let Some(operation) = &arguments.within else {
        return Ok(None);
    };
    if kind == OperationKind::Rollback {
        complain(
            "wheelhouse: a rollback waits for no other operation, and is no part of one: --within is left out\n",
        );
        return Ok(None);
    }
    if !is_id(operation) {
        return Err(format!("{:?} is no operation's id", Safe::new(operation)));
    }
    let run = std::env::var("GITHUB_RUN_ID").ok();
    let run = run.and_then(|run| run.parse().ok()).ok_or(
        "--within is for a job of the workflow run that the operation dispatched: GITHUB_RUN_ID names none here",
    )?;
    Ok(Some(Within {
        operation: Safe::new(operation),
        run,
    }))
}

/// The environment's place by its name.
pub(super) fn place(loaded: &Loaded, name: &str) -> Result<Place, String> {
    let found = loaded
        .scopes()
        .position(|scope| scope.name.as_str() == name);
    found.map(|at| loaded.place(at)).ok_or_else(|| {
        let known: Vec<_> = loaded.scopes().map(|s| s.name.to_string()).collect();
        format!(
            "there is no environment {:?}; expected one of {}",
            Safe::new(name),
            known.join(", ")
        )
    })
}

/// What can be said before anything is asked of the cluster.
fn admissible(
    loaded: &Loaded,
    kind: OperationKind,
    arguments: &Arguments,
    place: &Place,
    may_write: bool,
) -> Result<(), String> {
    let may_override = match kind {
        OperationKind::Cutover | OperationKind::Release | OperationKind::Repair => true,
        // In place, where it changes what takes traffic.
        OperationKind::Deploy => place.scope.traffic.is_none(),
        OperationKind::Rollback | OperationKind::Smoke | OperationKind::Cleanup => false,
    };
    if !may_override && !arguments.overrides.is_empty() {
        let word = kind.word();
        return Err(format!(
            "nothing that --override could lift stands in the way of a {word}"
        ));
    }
    let is_empty = |why: &str| why.trim().is_empty();
    if arguments.break_glass.as_deref().is_some_and(is_empty) {
        return Err("--break-glass needs a reason: it is read by whoever follows it up".to_owned());
    }
    if arguments.plan || matches!(kind, OperationKind::Rollback | OperationKind::Smoke) {
        return Ok(());
    }
    let name = &place.scope.name;
    if loaded.is_read_only(name) && !may_write {
        return Err(format!(
            "{name} is read-only: say --write too, or look with --plan"
        ));
    }
    reasoned(name, place.scope.tier, kind, arguments)
}

/// Production asks why; a rollback is never asked, nor is a smoke test, which changes nothing.
fn reasoned(
    name: &Safe,
    tier: Tier,
    kind: OperationKind,
    arguments: &Arguments,
) -> Result<(), String> {
    let has_reason = arguments
        .reason
        .as_deref()
        .is_some_and(|why| !why.trim().is_empty());
    let is_free = matches!(kind, OperationKind::Rollback | OperationKind::Smoke);
    if tier == Tier::Production && !is_free && !has_reason {
        return Err(format!(
            "a {} of {name} needs --reason TEXT: whoever is woken by it reads it",
            kind.word()
        ));
    }
    Ok(())
}

async fn operate(place: Place, request: Request, arguments: &Arguments) -> Exit {
    let kind = request.kind;
    let placement = placement::here();
    if arguments.detach && placement == Placement::EndsWithLogout {
        return usage(
            "a worker would end with your logout here (KillUserProcesses=yes without lingering): run it in the \
             foreground, or have `loginctl enable-linger` run for you",
        );
    }
    let bastion = match Bastion::connect_for(&place, kind).await {
        Ok(bastion) => bastion,
        Err(fault) => return unknown(&fault.what, arguments.json),
    };
    let prepared = match engine::prepare(&bastion, request.clone()).await {
        Ok(prepared) => prepared,
        Err(Refused::Trouble(why) | Refused::Away(why)) => return unknown(&why, arguments.json),
        Err(refused) => return told(refused, arguments.json),
    };
    let plan = match prepared.plan() {
        Ok(plan) => plan.clone(),
        Err(refusal) => return refuse(refusal, arguments.json),
    };
    if arguments.plan {
        show(&plan, None, arguments.json);
        if !arguments.json {
            say(&text::requests(&plan));
        }
        return Exit::Ok;
    }
    // The policy may ask for more than the configuration does.
    if let Err(words) = reasoned(&place.scope.name, prepared.tier(), kind, arguments) {
        return usage(&words);
    }
    if let Some(refusal) = unmeant(arguments, &plan) {
        return refuse(&refusal, arguments.json);
    }
    if !arguments.yes {
        show(&plan, None, false);
        match ask::confirmed(&plan, prepared.tier()) {
            Ok(true) => {}
            Ok(false) => {
                complain("not confirmed: nothing was changed\n");
                return Exit::Refused;
            }
            Err(words) => return usage(words),
        }
    }
    match arguments.detach {
        true => detach(place, prepared.request().clone(), &plan, placement).await,
        false => foreground(place, prepared, &plan, arguments.json).await,
    }
}

/// A job that runs twice would take back what it did: nobody reads the plan, and no colour was said.
fn unmeant(arguments: &Arguments, plan: &Plan) -> Option<Refusal> {
    let is_unsaid = arguments.yes && arguments.to.is_none();
    let gate = plan.way_back().filter(|_| is_unsaid)?;
    let (name, to) = (&plan.environment, &plan.to);
    let why = format!(
        "{}: {}; if that is meant say --to {to}, or `wheelhouse rollback {name}`",
        gate.name, gate.said
    );
    Some(Refusal {
        kind: RefusalKind::Gate,
        why: why.into(),
        plan: Some(Box::new(plan.clone())),
    })
}

/// Leaves it to a worker.
async fn detach(place: Place, request: Request, plan: &Plan, placement: Placement) -> Exit {
    let program = match worker::program() {
        Ok(program) => program,
        Err(error) => {
            return trouble(&format!("cannot tell where this program is: {error}").into());
        }
    };
    let wanted = Wanted::Start(Box::new(request));
    let mut worker = match worker::spawn(&program, placement, &Job { place, wanted }).await {
        Ok(worker) => worker,
        Err(error) => return trouble(&format!("the worker cannot be started: {error}").into()),
    };
    loop {
        match worker.listen().await {
            Said::Up => {}
            Said::Ready(_) => {
                if let Err(error) = worker.go(&plan.hash, None, None).await {
                    return trouble(&format!("the worker is gone: {error}").into());
                }
            }
            Said::Began(id) => {
                say(&format!("{id}\n"));
                complain(&format!(
                    "{} is under way; `wheelhouse op watch {id}` shows it\n",
                    plan.title()
                ));
                return Exit::Ok;
            }
            Said::Refused {
                why, kind, is_away, ..
            } => {
                complain(&format!("wheelhouse: {why}\n"));
                let otherwise = if is_away { Exit::Unknown } else { Exit::Bad };
                return kind.map_or(otherwise, exit_of);
            }
        }
    }
}

async fn foreground(place: Place, prepared: Prepared, plan: &Plan, as_json: bool) -> Exit {
    let (asked, stop) = watch::channel(false);
    let started = prepared.start(Some(&plan.hash), stop).await;
    let run = match started {
        Ok(run) => run,
        Err(refused) => return told(refused, as_json),
    };
    carry_out(place, run, asked, as_json).await
}

/// Carries an operation out in the foreground, telling what happens as it does.
pub(super) async fn carry_out(
    place: Place,
    run: Run,
    asked: watch::Sender<bool>,
    as_json: bool,
) -> Exit {
    let (id, is_followed) = (run.id().clone(), run.is_followed());
    let way_on = way_on(&run);
    let plan = run.kept().operation.plan.as_ref();
    let is_rollback = plan.is_some_and(|plan| plan.kind == OperationKind::Rollback);
    let voice = Voice::new();
    let told = voice.clone();
    let run = run.told_by(move |entry| told.say(in_words(entry, as_json)));
    if !as_json {
        voice.say(format!("operation {id}\n"));
    }
    let ended = tokio::select! {
        ended = run.carry_out() => ended,
        number = interrupted(asked, &voice, is_rollback) => {
            voice.complain(format!("wheelhouse: ended at once; {way_on}\n"));
            voice.settle();
            return Exit::Signal(number);
        }
    };
    let is_said = voice.settle();
    let exit = ending(&id, ended, &way_on);
    if is_followed && exit == Exit::Ok {
        follow_up(place, &id).await;
    }
    if !is_said {
        // Whoever reads slowly is told all of it, unless nobody waits for that.
        let mut signals = Signals::listen();
        tokio::select! {
            () = voice.all_said() => {}
            _ = signals.next() => {}
        }
    }
    exit
}

/// Leaves the clean-up that follows to a worker; the operation itself is over, whatever comes of this.
async fn follow_up(place: Place, id: &Safe) {
    let name = &place.scope.name;
    let by_hand = format!(
        "`wheelhouse cleanup {name} --write --reason …` does it when the colour is kept no longer"
    );
    let kept = format!("`wheelhouse warm hold {name} --write --reason …` keeps it");
    let placement = placement::here();
    if placement == Placement::EndsWithLogout {
        complain(&format!(
            "no clean-up follows by itself: a worker would end with your logout here; {by_hand}\n"
        ));
        return;
    }
    let wanted = Wanted::CleanUp(id.clone());
    let spawned = async {
        let program = worker::program()?;
        worker::spawn(&program, placement, &Job { place, wanted }).await
    };
    let why = match spawned.await {
        Ok(mut worker) => match worker.listen().await {
            Said::Began(_) => {
                complain(&format!(
                    "a worker waits to clean up the colour that traffic left, when it is kept no longer; {kept}\n"
                ));
                return;
            }
            Said::Up | Said::Ready(_) => "it asks for a confirmation".into(),
            Said::Refused { why, .. } => why,
        },
        Err(error) => error.to_string().into(),
    };
    complain(&format!(
        "no clean-up follows by itself: the worker did not begin ({why}); {by_hand}\n"
    ));
}

/// How one goes on with an operation whose worker was interrupted. What joined another one has no record of its own:
/// adopting that one would go on with something else.
fn way_on(run: &Run) -> String {
    let (id, name) = (run.id(), &run.bastion().scope.name);
    match run.is_joined() {
        true => format!(
            "it was a part of operation {id}, and what it did stands: run it again in a job that joins it, or \
             `wheelhouse rollback {name}` brings traffic back"
        ),
        false => format!(
            "operation {id} is resumable: `wheelhouse op adopt {id} --write` goes on with it"
        ),
    }
}

/// What the end of a worker says, and its exit code.
fn ending(id: &str, ended: Ended, way_on: &str) -> Exit {
    match ended {
        Ended::Closed(outcome, why) => {
            complain(&format!("{}: {why}\n", outcome.word()));
            exit_of_outcome(outcome)
        }
        Ended::Interrupted(why) => {
            complain(&format!("interrupted: {why}; {way_on}\n"));
            Exit::Interrupted
        }
        Ended::Fenced(holder) => {
            complain(&format!(
                "fenced: {holder} took operation {id} over; this worker changes nothing more\n"
            ));
            Exit::Held
        }
    }
}

/// The exit code of an operation that is over.
pub(super) fn exit_of_outcome(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Done => Exit::Ok,
        Outcome::RolledBack => Exit::RolledBack,
        Outcome::Failed | Outcome::Aborted | Outcome::Abandoned => Exit::Bad,
    }
}

/// The exit code of a refusal.
pub(super) fn exit_of(kind: RefusalKind) -> Exit {
    match kind {
        RefusalKind::Invalid => Exit::Usage,
        RefusalKind::Gate => Exit::Refused,
        RefusalKind::Unknown => Exit::Unknown,
        RefusalKind::Held => Exit::Held,
        RefusalKind::Approval => Exit::WaitingForApproval,
    }
}

/// The first signal asks for the next step boundary; the second ends at once.
async fn interrupted(asked: watch::Sender<bool>, voice: &Voice, is_rollback: bool) -> i32 {
    let mut signals = Signals::listen();
    loop {
        let number = signals.next().await;
        if asked.send_replace(true) {
            return number;
        }
        let does = match is_rollback {
            true => "a rollback goes on to its end",
            false => "stops at the next step",
        };
        voice.complain(format!("wheelhouse: {does}; once more ends at once\n"));
    }
}

/// What asks a process to end.
struct Signals(Option<[(Signal, i32); 3]>);

impl Signals {
    fn listen() -> Self {
        let of = |kind: SignalKind| Some((signal(kind).ok()?, kind.as_raw_value()));
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hang_up] = kinds.map(of);
        Self((|| Some([interrupt?, terminate?, hang_up?]))())
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        let Some([a, b, c]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = a.0.recv() => a.1,
            _ = b.0.recv() => b.1,
            _ = c.0.recv() => c.1,
        }
    }
}

/// Says why there is no operation.
pub(super) fn told(refused: Refused, as_json: bool) -> Exit {
    match refused {
        Refused::Refusal(refusal) => refuse(&refusal, as_json),
        Refused::Moved(plan) => {
            complain(
                "wheelhouse: the facts changed since it was confirmed; this is the plan now:\n",
            );
            show(&plan, None, as_json);
            Exit::Refused
        }
        Refused::Trouble(why) => trouble(&why),
        Refused::Away(why) => unknown(&why, as_json),
    }
}

fn refuse(refusal: &Refusal, as_json: bool) -> Exit {
    match &refusal.plan {
        Some(plan) => show(plan, Some(&refusal.why), as_json),
        None => unplanned(&refusal.why, as_json),
    }
    complain(&format!("refused: {}\n", refusal.why));
    let Some(plan) = &refusal.plan else {
        return exit_of(refusal.kind);
    };
    let name = &plan.environment;
    if plan.is_frozen() {
        complain(&format!(
            "`wheelhouse thaw {name} --write --reason …` ends it; --break-glass REASON passes over it, loudly; a rollback is never stopped\n"
        ));
    }
    if refusal.kind == RefusalKind::Approval {
        complain(&format!(
            "`wheelhouse approval request {name} --write --reason …` asks another person; `wheelhouse approval list` says what waits\n"
        ));
    }
    for gate in plan.overridable().unwrap_or_default() {
        complain(&format!(
            "    --override {gate}=REASON goes ahead all the same\n"
        ));
    }
    exit_of(refusal.kind)
}

/// There is no plan to show.
fn unplanned(why: &Safe, as_json: bool) {
    if as_json {
        let said = json!({ "schema": SCHEMA, "plan": null, "refused": why });
        say(&format!("{said}\n"));
    }
}

/// The shape of a plan in JSON.
const SCHEMA: &str = "wheelhouse.plan/v1";

fn show(plan: &Plan, refused: Option<&Safe>, as_json: bool) {
    match as_json {
        true => {
            let requests = match refused {
                None => patch::requests(plan),
                Some(_) => Vec::new(),
            };
            let shown =
                json!({ "schema": SCHEMA, "plan": plan, "refused": refused, "requests": requests });
            say(&format!("{shown}\n"));
        }
        false => say(&text::plan(plan)),
    }
}

fn in_words(entry: &Entry, as_json: bool) -> String {
    match as_json {
        true => format!("{}\n", json!(entry)),
        false => text::entry(entry),
    }
}

fn usage(words: &str) -> Exit {
    complain(&format!("wheelhouse: {words}\n"));
    Exit::Usage
}

/// Nothing was sent, and what is there could not be read.
fn unknown(why: &Safe, as_json: bool) -> Exit {
    unplanned(why, as_json);
    trouble(why);
    Exit::Unknown
}

fn trouble(why: &Safe) -> Exit {
    complain(&format!("wheelhouse: {why}\n"));
    Exit::Bad
}
