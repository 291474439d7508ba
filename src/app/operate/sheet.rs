//! What the plan of an operation says.

use super::{
    Proposal, Wish, Worker, approval, deploy, freeze, is_awaited, is_old, judged_of, misplaced,
    refused, warm, words,
};
use crate::app::Action;
use crate::app::dialog::{Dialog, Line, Sheet};
use crate::app::operations::{self, Hold};
use crate::app::state::State;
use crate::estate::alerts::Standing;
use crate::estate::{Estate, Safe};
use crate::ops::patch;
use crate::ops::plan::ImageChange;
use crate::ops::{Finding, Flip, Gate, Kept, OperationKind, Plan, Step};

/// What the dialog says.
pub fn sheet(state: &State, proposal: &Proposal, dialog: &Dialog) -> Sheet {
    let mut sheet = match &proposal.wish {
        Wish::Start(kind) => planned(state, proposal, *kind, dialog),
        Wish::Abort(id) => about(state, proposal, id, ("ABORT", "abort it")),
        Wish::Adopt(id) => about(state, proposal, id, ("ADOPT", "take it over")),
        Wish::Abandon(id) => about(state, proposal, id, ("ABANDON", "end it as it stands")),
        Wish::Policy { wanted, .. } => freeze::sheet(state, proposal, wanted, dialog),
        Wish::CloseGlass(id) => freeze::follow_up(state, proposal, id),
        Wish::Warm { .. } => warm::sheet(state, proposal, dialog),
        Wish::AskApproval { .. } => approval::request(state, proposal),
        Wish::Decide { id, decision } => approval::decision(state, proposal, id, *decision),
    };
    sheet.pending = match &proposal.worker {
        Worker::Sent => {
            Some("sent; stay until it is answered, what becomes of it is said here".into())
        }
        _ => sheet.pending.take(),
    };
    sheet
}

fn planned(state: &State, proposal: &Proposal, kind: OperationKind, dialog: &Dialog) -> Sheet {
    let estate = &state.environments[proposal.environment].estate;
    let (plan, why) = judged_of(state, proposal, kind);
    let key = |action| state.keymap.key_of(action);
    let title = match &plan {
        Some(plan) if proposal.lifted.glass => format!("BREAK GLASS: {}", title(plan)),
        Some(plan) => title(plan),
        None => format!("{} {}", kind.word().to_uppercase(), estate.scope.name),
    };
    let mut sheet = Sheet {
        title,
        refusal: refused(state, proposal, why),
        verb: match kind {
            OperationKind::Cutover => "cut over",
            OperationKind::Rollback => "roll back",
            OperationKind::Repair => "repair",
            OperationKind::Deploy => "deploy",
            OperationKind::Smoke => "smoke test",
            OperationKind::Cleanup => "clean up",
            OperationKind::Release => "release",
        },
        tag: plan
            .as_ref()
            .map(|plan| plan.hash.chars().take(4).collect()),
        ..Sheet::default()
    };
    if let Worker::Refused(_) = proposal.worker {
        sheet.way_on = Some("Enter plans again.".to_owned());
    }
    // In place: what is closed with other images, or what the worker alone asks, has no field here.
    let is_lifted = !proposal.lifted.overrides.is_empty();
    let is_strict = plan.as_ref().is_some_and(|plan| plan.is_strict);
    if kind == OperationKind::Deploy
        && estate.scope.traffic.is_none()
        && !is_lifted
        && !is_strict
        && matches!(proposal.worker, Worker::Refused(_))
        && (sheet.refusal.as_ref()).is_some_and(Gate::may_be_lifted)
    {
        sheet.way_on = Some(
            "`wheelhouse deploy … --override GATE=REASON` passes over it; Enter plans again."
                .to_owned(),
        );
    }
    // What closed since the dialog was opened has no field for a reason in it.
    let overridable = plan.as_ref().and_then(Plan::overridable);
    let is_new = |ids: Vec<Safe>| !(ids.iter().all(|id| proposal.lifted.overrides.contains(id)));
    if sheet.refusal.is_some()
        && !matches!(proposal.worker, Worker::Refused(_) | Worker::Sent)
        && overridable.is_some_and(is_new)
    {
        let again = key(match kind {
            OperationKind::Cutover => Action::Cutover,
            OperationKind::Rollback => Action::Rollback,
            OperationKind::Repair => Action::Repair,
            OperationKind::Deploy => Action::Deploy,
            OperationKind::Smoke => Action::Smoke,
            OperationKind::Cleanup => Action::Cleanup,
            OperationKind::Release => Action::Release,
        });
        sheet.way_on = Some(format!("Esc, then {again}: there a reason passes over it."));
    }
    if is_awaited(state, proposal) {
        let seen = sheet.refusal.as_ref().map(ToString::to_string);
        sheet
            .lines
            .extend(seen.map(|why| Line::Look("as seen here", why)));
        sheet.pending = Some(match is_old(state, proposal.environment) {
            true => "this screen is not current: what its worker reads now decides".into(),
            false => "helm is asked: what its worker reads now decides".into(),
        });
    }
    let is_frozen =
        plan.as_ref().is_some_and(Plan::is_frozen) && matches!(proposal.worker, Worker::Absent);
    // Against an operation that holds it, the freeze's ways on would not help.
    if is_frozen && !is_held(state, proposal, plan.as_ref()) {
        let thaw = key(Action::Thaw);
        sheet.way_on = Some(match kind {
            OperationKind::Cutover => {
                let glass = key(Action::BreakGlass);
                format!("{thaw} thaws it, {glass} breaks the glass.")
            }
            OperationKind::Repair
            | OperationKind::Rollback
            | OperationKind::Deploy
            | OperationKind::Smoke
            | OperationKind::Cleanup
            | OperationKind::Release => format!("{thaw} thaws it."),
        });
    }
    let lacks = plan.as_ref().is_some_and(Plan::may_be_asked_for);
    if lacks && matches!(proposal.worker, Worker::Absent) {
        let (ask, list) = (key(Action::AskApproval), key(Action::Approvals));
        sheet.way_on = Some(format!(
            "{ask} asks another person, {list} shows what waits."
        ));
    }
    if proposal.lifted.glass {
        let said = "a freeze is passed over: it stands red on every screen until somebody closes it with a note";
        let said = format!("{said} ({})", key(Action::CloseGlass));
        sheet.lines.push(Line::Look("BREAK-GLASS", said));
    }
    if plan.is_none() && matches!(kind, OperationKind::Deploy | OperationKind::Release) {
        sheet.lines.extend(deploy::help(state, proposal));
    }
    if let Some(plan) = &plan {
        if !plan.overridden.is_empty() {
            let gates: Vec<&str> = plan.overridden.keys().map(Safe::as_str).collect();
            let said = format!("{}: say why it does not count, or Esc", gates.join(", "));
            sheet.lines.push(Line::Look("override", said));
        }
        match kind {
            OperationKind::Rollback => brief(&mut sheet, plan),
            OperationKind::Cutover
            | OperationKind::Repair
            | OperationKind::Deploy
            | OperationKind::Smoke
            | OperationKind::Cleanup
            | OperationKind::Release => {
                sheet.lines.extend(deploy::built(state, proposal));
                if kind == OperationKind::Cutover {
                    sheet.lines.extend(deploy::newer(state, proposal, plan));
                }
                full(&mut sheet, plan, estate);
            }
        }
        if state.ends_with_logout {
            let said = "it ends with your logout here: KillUserProcesses=yes, and no lingering";
            sheet.lines.push(Line::Look("worker", said.to_owned()));
        }
        sheet.has_requests =
            !(plan.flips.is_empty() && plan.updates.is_empty() && plan.holds.is_empty());
        if dialog.shows_requests {
            sheet.requests = requests(plan);
        }
    }
    sheet
}

/// What is sent, word for word.
fn requests(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for sent in patch::requests(plan) {
        lines.extend(sent.lines().into_iter().map(Line::Words));
        lines.push(Line::Blank);
    }
    lines
}

/// Whether an operation that is not over stands in the way, whatever else does.
fn is_held(state: &State, proposal: &Proposal, plan: Option<&Plan>) -> bool {
    let is_lock = |gate: &Gate| gate.name.as_str() == "lock" && gate.finding == Finding::Bad;
    let environment = &state.environments[proposal.environment];
    environment.operations.open().is_some() || plan.is_some_and(|p| p.gates.iter().any(is_lock))
}

/// `CUT OVER production to GREEN`
fn title(plan: &Plan) -> String {
    let (name, to) = (&plan.environment, Plan::colour_in_words(&plan.to));
    match plan.kind {
        OperationKind::Cutover => format!("CUT OVER {name} to {to}"),
        OperationKind::Rollback if plan.is_in_place() => {
            format!("ROLL BACK {name} to what ran before")
        }
        OperationKind::Rollback => format!("ROLL BACK {name} to {to}"),
        OperationKind::Repair => format!("REPAIR the selectors of {name}"),
        OperationKind::Deploy if plan.is_in_place() => format!("DEPLOY to {name}"),
        OperationKind::Deploy => format!("DEPLOY to {to} of {name}"),
        OperationKind::Cleanup => format!("CLEAN UP {to} of {name}"),
        OperationKind::Release => format!("RELEASE {name} by {to}"),
        OperationKind::Smoke if plan.is_in_place() => format!("SMOKE TEST {name}"),
        OperationKind::Smoke => format!("SMOKE TEST {to} of {name}"),
    }
}

pub(super) fn full(sheet: &mut Sheet, plan: &Plan, estate: &Estate) {
    if !plan.flips.is_empty() {
        sheet.head = Some(head(plan));
    }
    let lines = &mut sheet.lines;
    lines.extend(
        plan.flips
            .iter()
            .map(|flip| Line::Words(flip_words(plan, flip))),
    );
    if plan.kind == OperationKind::Smoke {
        lines.push(Line::Words("nothing is changed".to_owned()));
    } else if plan.is_only_verified() && plan.kind == OperationKind::Deploy {
        let said = "everything is as it is wanted: it is verified only";
        lines.push(Line::Words(said.to_owned()));
    } else if plan.is_only_verified() {
        let to = Plan::colour_in_words(&plan.to);
        lines.push(Line::Words(format!(
            "{to} is live already: no selector is changed, it is verified only"
        )));
    }
    lines.extend(plan.images.iter().map(|i| Line::Words(image_words(i))));
    if plan.kind != OperationKind::Smoke {
        lines.push(Line::Fact("back", plan.back.to_string()));
    }
    if plan.kind == OperationKind::Release {
        let mut words: Vec<&str> = plan.steps().iter().map(Step::word).collect();
        words.dedup();
        lines.push(Line::Fact("steps", words.join(" · ")));
    }
    lines.push(Line::Blank);
    // What stands in the way or wants a look comes first: a small window hides the rest.
    let mut gates: Vec<_> = plan.gates.iter().collect();
    gates.sort_by_key(|gate| match gate.finding {
        Finding::Bad => 0,
        Finding::Unknown => 1,
        Finding::Noted => 2,
        Finding::Ok => 3,
    });
    let (loud, quiet) = gates.split_at(gates.iter().filter(|g| g.finding != Finding::Ok).count());
    lines.extend(loud.iter().map(|gate| Line::Gate((*gate).clone())));
    if let Some(firing) = firing(estate) {
        lines.push(Line::Look("fires", firing));
    }
    lines.extend(quiet.iter().map(|gate| Line::Gate((*gate).clone())));
    for (place, other) in plan.others.iter().enumerate() {
        let name = if place == 0 { "who" } else { "" };
        lines.push(Line::Fact(name, other.to_string()));
    }
}

/// `BLUE → GREEN  4f2a91c → 9b1e07d`
fn head(plan: &Plan) -> String {
    let colour = |colour: &Safe| Plan::colour_in_words(colour);
    let from = plan.from.as_ref().map_or_else(|| "?".into(), colour);
    let mut tags: Vec<String> = Vec::new();
    for image in &plan.images {
        let tag = |images: &[Safe]| {
            let first = images.first().map_or("nothing", |it| it.as_str());
            first.split(' ').next().unwrap_or_default().to_owned()
        };
        let said = format!("{} → {}", tag(&image.from), tag(&image.to));
        if !tags.contains(&said) {
            tags.push(said);
        }
    }
    format!("{from} → {}  {}", colour(&plan.to), tags.join(", "))
}

/// A rollback's plan is a line, and what somebody should know.
fn brief(sheet: &mut Sheet, plan: &Plan) {
    let services: Vec<&str> = plan.flips.iter().map(|f| f.service.as_str()).collect();
    let from = plan.from.as_ref().map_or("?", |from| from.as_str());
    match plan.is_in_place() {
        true => (sheet.lines).extend(plan.images.iter().map(|i| Line::Words(image_words(i)))),
        false => sheet.lines.push(Line::Words(format!(
            "{}   {}  {from} → {}",
            services.join(", "),
            plan.key,
            plan.to
        ))),
    }
    let is_worth = |finding| finding != Finding::Ok;
    let gates = plan.gates.iter().filter(|gate| is_worth(gate.finding));
    sheet.lines.extend(gates.cloned().map(Line::Gate));
}

/// `digital-wall-service   part=frontend  version  blue → green`
fn flip_words(plan: &Plan, flip: &Flip) -> String {
    let rest = flip.from.iter().filter(|(k, _)| *k != plan.key);
    let rest: Vec<String> = rest.map(|(k, v)| format!("{k}={v}")).collect();
    let of = |labels: &crate::estate::Labels| {
        labels
            .get(&plan.key)
            .map_or_else(|| "unset".to_owned(), ToString::to_string)
    };
    format!(
        "{}   {}  {}  {} → {}",
        flip.service,
        rest.join(" "),
        plan.key,
        of(&flip.from),
        of(&flip.to)
    )
}

fn image_words(change: &ImageChange) -> String {
    if change.from == change.to {
        return format!("{}   {}", change.workload, words(&change.to));
    }
    format!(
        "{}   {} → {}",
        change.workload,
        words(&change.from),
        words(&change.to)
    )
}

/// What fires in the environment and is no gate, by name.
fn firing(estate: &Estate) -> Option<String> {
    let alerts = estate.alerts.as_ref()?;
    let views = alerts.views();
    let firing = views.iter().filter(|view| {
        view.standing == Standing::Firing && !alerts.scope.gates.takes(&view.alert.labels)
    });
    let mut names: Vec<&str> = firing.map(|view| view.rule.name.as_str()).collect();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What is said of an operation before something is done to it.
fn about(
    state: &State,
    proposal: &Proposal,
    id: &Safe,
    (word, verb): (&str, &'static str),
) -> Sheet {
    let environment = &state.environments[proposal.environment];
    let kept = environment.operations.get(id);
    let name = &environment.estate.scope.name;
    let what = kept
        .and_then(|k| k.operation.plan.as_ref())
        .map_or("the operation", |p| p.kind.word());
    let mut sheet = Sheet {
        title: format!("{word} the {what} of {name}"),
        refusal: refused(state, proposal, misplaced(state, proposal)),
        verb,
        ..Sheet::default()
    };
    let Some(kept) = kept else { return sheet };
    sheet.lines.push(Line::Fact("operation", id.to_string()));
    if let Some(plan) = &kept.operation.plan {
        let by = kept.operation.by.as_ref().map_or("?", |by| by.as_str());
        sheet
            .lines
            .push(Line::Fact("what", format!("{}, by {by}", plan.title())));
    }
    let worker = match operations::hold(&environment.estate, kept, state.now) {
        Hold::Alive { holder, beat } => format!("{holder}, beat {beat}s ago"),
        Hold::Orphaned { beat: Some(beat) } => format!("gone: last beat {beat}s ago"),
        Hold::Orphaned { beat: None } => "gone: nobody holds its Leases".to_owned(),
        Hold::Unknown(why) => format!("not known: {why}"),
    };
    sheet.lines.push(Line::Fact("worker", worker));
    sheet.lines.push(Line::Blank);
    let said = consequence(&proposal.wish, kept);
    sheet.lines.push(Line::Words(said));
    sheet
}

/// What follows, in words.
fn consequence(wish: &Wish, kept: &Kept) -> String {
    let plan = kept.operation.plan.as_ref();
    let passed: Vec<String> = (kept.operation.steps().iter())
        .filter(|step| kept.operation.has_passed(step))
        .map(ToString::to_string)
        .collect();
    let done = match passed.is_empty() {
        true => "Nothing is done yet.".to_owned(),
        false => format!("Done so far: {}.", passed.join(", ")),
    };
    let then = match wish {
        Wish::Abort(_) => {
            "It stops at the next boundary; flips that it made are patched back, the autoscalers get back what they had."
        }
        Wish::Adopt(_) => {
            "A worker here goes on from there, under a new epoch: the old one can write nothing more."
        }
        Wish::Abandon(_) => "Nobody goes on with it and nothing is undone: what it did stays so.",
        Wish::Start(_)
        | Wish::Policy { .. }
        | Wish::CloseGlass(_)
        | Wish::Warm { .. }
        | Wish::AskApproval { .. }
        | Wish::Decide { .. } => "",
    };
    let has_flipped =
        |step: &Step| matches!(step, Step::Flip(_)) && kept.operation.has_passed(step);
    let is_back = matches!(wish, Wish::Abort(_)) && kept.operation.states.keys().any(has_flipped);
    let from = plan.and_then(|plan| Some((plan.from.as_ref()?, plan)));
    match from.filter(|_| is_back) {
        Some((from, plan)) => {
            let [from, to] = [from, &plan.to].map(|it| Plan::colour_in_words(it));
            format!("Traffic goes back: {to} → {from}. {then} {done}")
        }
        None => format!("{then} {done}"),
    }
}
