//! The Operation panel: what is under way, whoever runs it, what it waits for, and what can be done about it.
//! It exists while there is an operation to show, at every size; else it shrinks to a line.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, fit, width};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::operations::{self, Hold};
use crate::app::{Action, Keymap, State};
use crate::estate::{Currency, Estate, Kind, Safe};
use crate::ops::plan::{Soaked, soaked};
use crate::ops::{Kept, Next, OperationKind, Outcome, Plan, Step, StepState};

/// Rows of the window from which the panel has its own for steps and for what is awaited.
const ROOMY: u16 = 18;

/// Draws it at the bottom of `area`; returns the rows used. On a level below the first screen it is there only
/// while an operation is under way.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let operations = &state.environment().operations;
    let at = state.estate().server_time(state.now);
    let shown = operations.shown(at);
    let is_open = shown.is_some_and(|kept| kept.operation.closed.is_none());
    if area.height < 4 || (!state.levels.is_empty() && !is_open) {
        return 0;
    }
    let theme = canvas.theme;
    let room = usize::from(area.width.saturating_sub(3));
    let is_roomy = canvas.area.height >= ROOMY;
    let (title, lines) = match shown {
        Some(kept) if is_open && is_roomy => under_way(state, kept, room, &theme),
        Some(kept) if is_open => (Text::default(), vec![brief(state, kept, room, &theme)]),
        Some(kept) if is_roomy => (closed(kept, &theme), Vec::new()),
        None if is_roomy => (nothing(state, &theme), Vec::new()),
        _ => return 0,
    };
    let divider = u16::from(!title.is_empty());
    let used = u16::try_from(lines.len()).unwrap_or(0) + divider;
    let top = area.bottom() - used;
    if divider > 0 {
        canvas.divider(top, &title);
    }
    for (y, line) in (top + divider..area.bottom()).zip(&lines) {
        canvas.text(area.x + 2, y, area.width.saturating_sub(3), line);
    }
    used
}

/// `cutover ▶ flip digital-wall-api`, for a window of one line.
pub fn word(state: &State) -> Option<String> {
    let kept = state.environment().operations.open()?;
    let what = kind(kept);
    let now = match (&kept.operation.paused, hold(state, kept)) {
        (_, Hold::Orphaned { .. }) => "ORPHANED".to_owned(),
        (Some(_), _) => "PAUSED".to_owned(),
        (None, _) => current(kept).map_or("ending".to_owned(), |step| step.word().to_owned()),
    };
    Some(format!("{what}: {now}"))
}

fn hold(state: &State, kept: &Kept) -> Hold {
    operations::hold(state.estate(), kept, state.now)
}

fn kind(kept: &Kept) -> &'static str {
    (kept.operation.plan.as_ref()).map_or("operation", |plan| plan.kind.word())
}

fn by(kept: &Kept) -> &str {
    (kept.operation.by.as_ref()).map_or("somebody", |by| operations::who(by))
}

/// `Operation  cutover to GREEN by alice · worker on bastion-2 · beat 10s`, its steps, and what is awaited.
fn under_way(state: &State, kept: &Kept, room: usize, theme: &Theme) -> (Text, Vec<Text>) {
    let hold = hold(state, kept);
    let shown = operations::shown(state.estate(), kept, state.now, state.pace);
    let mut title = Text::default().add(headline(kept), Role::Focus);
    match &hold {
        Hold::Alive { holder, beat } => {
            let said = format!(" · worker {} · beat {}", seat(holder), exact(*beat));
            title.push(said, Role::Dim);
            // What is too short has a line of its own.
            let lasts = shown.filter(|it| !it.is_short);
            let said = lasts.map(|it| words::soon(it.until, state));
            let said = said.map(|until| format!(" · credential until {until}"));
            if let Some(said) = said.filter(|said| title.width() + width(said) + 2 <= room) {
                title.push(said, Role::Dim);
            }
        }
        Hold::Orphaned { .. } => {
            title.push(format!("  {} ORPHANED", theme.mark(Mark::Bad)), Role::Bad)
        }
        Hold::Unknown(_) => title.push(
            format!("  {} worker not known", theme.mark(Mark::Unknown)),
            Role::Warn,
        ),
    }
    let steps = steps(kept, room, theme);
    let elapsed = kept.operation.since.map_or_else(String::new, |since| {
        let at = state.estate().server_time(state.now);
        format!("elapsed {}", exact(at.duration_since(since).as_secs()))
    });
    let steps = match steps.width() + width(&elapsed) + 2 <= room {
        true => steps.pad(room - width(&elapsed)).add(elapsed, Role::Dim),
        false => steps,
    };
    let keys = keys(&state.keymap, &hold, kept);
    let said = awaited(state, kept, &hold, theme);
    let mut lines = vec![steps];
    if let Some(shown) = shown.filter(|it| it.is_short) {
        let until = words::soon(shown.until, state);
        let look = theme.mark(Mark::Look);
        let said = format!("{look} its credential ends {until}, {}", shown.words());
        lines.insert(0, Text::default().add(fit(&said, room, theme), Role::Warn));
    }
    if said.width() + keys.width() + 2 <= room {
        lines.push(said.pad(room - keys.width()).append(keys));
    } else {
        let text: String = said.0.iter().map(|piece| piece.0.as_str()).collect();
        let role = said.0.first().map_or(Role::Plain, |piece| piece.1);
        let parts = super::canvas::wrapped(&text, room).into_iter().take(2);
        lines.extend(parts.map(|part| Text::default().add(part, role)));
        let pad = room.saturating_sub(keys.width());
        lines.push(Text::default().pad(pad).append(keys));
    }
    (title, lines)
}

/// Everything in one line, for a small window: `cutover: flip ▶ 3/9  waiting: …`.
fn brief(state: &State, kept: &Kept, room: usize, theme: &Theme) -> Text {
    let hold = hold(state, kept);
    let all = kept.operation.steps();
    let passed = all
        .iter()
        .filter(|step| kept.operation.has_passed(step))
        .count();
    let lead = match (&hold, current(kept)) {
        (Hold::Orphaned { .. }, _) | (_, None) => kind(kept).to_owned(),
        (_, Some(step)) => {
            let mark = theme.mark(Mark::Running);
            format!(
                "{}: {} {mark} {}/{}",
                kind(kept),
                step.word(),
                passed + 1,
                all.len()
            )
        }
    };
    let text = Text::default()
        .add(lead, Role::Focus)
        .add("  ", Role::Plain);
    let text = text.append(awaited(state, kept, &hold, theme));
    let mut keys = keys(&state.keymap, &hold, kept);
    // A key and what it does are two pieces; the last ones give way.
    while !keys.is_empty() && text.width() + keys.width() > room {
        keys.0.truncate(keys.0.len().saturating_sub(2));
    }
    match keys.is_empty() {
        true => text,
        false => text.pad(room - keys.width()).append(keys),
    }
}

/// `Operation  cutover to GREEN by alice`
fn headline(kept: &Kept) -> String {
    let to = (kept.operation.plan.as_ref()).map_or_else(String::new, |plan| match plan.kind {
        OperationKind::Cleanup => format!(" of {}", Plan::colour_in_words(&plan.to)),
        OperationKind::Repair => String::new(),
        _ if plan.is_in_place() => String::new(),
        OperationKind::Smoke => format!(" of {}", Plan::colour_in_words(&plan.to)),
        OperationKind::Release => format!(" by {}", Plan::colour_in_words(&plan.to)),
        OperationKind::Cutover | OperationKind::Rollback | OperationKind::Deploy => {
            format!(" to {}", Plan::colour_in_words(&plan.to))
        }
    });
    format!("Operation  {}{to} by {}", kind(kept), by(kept))
}

/// `alice@bastion-2` of a holder with boot id and random behind it.
fn seat(holder: &Safe) -> &str {
    holder.split('/').next().unwrap_or(holder)
}

/// Every step with its mark; where there is no room for all, those that passed first are counted: `7 steps ✓  flip ▶  move …`.
fn steps(kept: &Kept, room: usize, theme: &Theme) -> Text {
    let all = kept.operation.steps();
    let passed = all
        .iter()
        .take_while(|step| kept.operation.has_passed(step));
    let most = passed.count().saturating_sub(1);
    let of = |skipped: usize| {
        let mut text = Text::default();
        if skipped > 0 {
            let word = if skipped == 1 { "step" } else { "steps" };
            text.push(
                format!("{skipped} {word} {}", theme.mark(Mark::Ok)),
                Role::Plain,
            );
        }
        marked(text, &all[skipped..], kept, theme)
    };
    let fits = |skipped: &usize| of(*skipped).width() <= room;
    of((0..most).find(fits).unwrap_or(most))
}

fn marked(mut text: Text, steps: &[Step], kept: &Kept, theme: &Theme) -> Text {
    for step in steps {
        let (mark, role) = match kept.operation.state(step) {
            StepState::Waiting => (Mark::Waiting, Role::Dim),
            StepState::Running { .. } => (Mark::Running, Role::Focus),
            StepState::Passed { .. } => (Mark::Ok, Role::Plain),
            StepState::Failed { .. } => (Mark::Bad, Role::Bad),
            StepState::Unknown { .. } => (Mark::Unknown, Role::Warn),
        };
        let gap = if text.is_empty() { "" } else { "  " };
        text.push(gap, Role::Plain);
        text.push(format!("{} {}", step.word(), theme.mark(mark)), role);
    }
    text
}

/// The step that it is at.
fn current(kept: &Kept) -> Option<Step> {
    match kept.operation.next() {
        Next::Begin(step) | Next::Settle(step) => Some(step),
        Next::Close(..) | Next::Nothing => None,
    }
}

/// What it waits for, in words, and until when.
fn awaited(state: &State, kept: &Kept, hold: &Hold, theme: &Theme) -> Text {
    let operation = &kept.operation;
    if let Hold::Orphaned { beat } = hold {
        let since = beat.map_or_else(String::new, |beat| format!(" for {}", words::age(beat)));
        let said = format!(
            "{} ORPHANED{since}: nobody carries it out",
            theme.mark(Mark::Bad)
        );
        return Text::default().add(said, Role::Bad);
    }
    if let Some(why) = operation.awaits() {
        let said = format!("{} waits: {why}", theme.mark(Mark::Look));
        return Text::default().add(said, Role::Warn);
    }
    if let Some(why) = &operation.paused {
        let said = format!("{} paused: {why}", theme.mark(Mark::Bad));
        return Text::default().add(said, Role::Bad);
    }
    let lead = match (&operation.abort, &operation.failure) {
        (Some((by, _)), _) => format!("aborted by {}: ", operations::who(by)),
        (None, Some((step, why))) if operation.is_going_back() => {
            format!("{step} failed ({why}): ")
        }
        _ => String::new(),
    };
    if let Hold::Unknown(why) = hold {
        let said = format!(
            "{} {lead}whether anybody carries it out is not known: {why}",
            theme.mark(Mark::Unknown)
        );
        return Text::default().add(said, Role::Warn);
    }
    let role = if lead.is_empty() {
        Role::Plain
    } else {
        Role::Warn
    };
    let said = current(kept).map_or("it is about to end".to_owned(), |step| {
        now(state, kept, &step)
    });
    Text::default().add(format!("{lead}{said}"), role)
}

/// What is done or awaited in `step`.
fn now(state: &State, kept: &Kept, step: &Step) -> String {
    let limit = state.pace.moved_s;
    match (step, kept.operation.state(step)) {
        (_, StepState::Unknown { reason }) => format!("{step}: {reason}; the world is read"),
        (Step::Watch, StepState::Running { .. }) => {
            let needed = (kept.operation.plan.as_ref()).map_or(0, |plan| plan.soak.watch_s);
            let watched = operations::watched(state.estate(), kept, state.now, state.pace);
            let watched = watched.min(needed);
            // As this cockpit sees it; its worker asks for itself.
            let plan = kept.operation.plan.as_ref();
            match plan.map(|plan| soaked(plan, state.estate(), state.now)) {
                Some(Soaked::Unknown(why) | Soaked::Waiting(why)) => {
                    // What its worker counted: the clock would go on.
                    let watched = operations::counted(state.estate(), kept).min(needed);
                    format!("watched {watched} of {needed} s, none counts now: {why}")
                }
                Some(Soaked::Well(_) | Soaked::Bad(_)) | None => {
                    format!("watched {watched} of {needed} s")
                }
            }
        }
        (Step::Move(service) | Step::Return(service), StepState::Running { since, .. }) => {
            let at = state.estate().server_time(state.now);
            let age = u64::try_from(at.duration_since(since).as_secs()).unwrap_or(0);
            let left = limit.saturating_sub(age);
            format!(
                "waiting: {}, gives up in {left} s",
                serving(state.estate(), service)
            )
        }
        (Step::Flip(service) | Step::Undo(service), _) => format!("patching {service}"),
        (Step::Run, _) => "running the program that deploys".to_owned(),
        (Step::Dispatch, _) => "starting the workflow".to_owned(),
        (Step::Follow, _) => match kept.operation.run {
            Some(run) => format!("following run {run}"),
            None => "following its run".to_owned(),
        },
        (Step::Update(name), _) => format!("patching {name}"),
        (Step::RollOut(name), StepState::Running { .. }) => rolling(state.estate(), name),
        (Step::Smoke, _) => "asking every pod what is configured".to_owned(),
        (Step::Plan, _) => "planning the cutover over what is there now".to_owned(),
        (Step::Verify, _) => "reading the live Services once more".to_owned(),
        (Step::Hold, _) => "holding the autoscalers".to_owned(),
        (Step::Restore, _) => "giving the autoscalers back what they had".to_owned(),
        (step, _) => format!("at {step}"),
    }
}

/// `waiting: digital-wall-green-backend: v42 ready 1/2, 1 old pod left`
fn rolling(estate: &Estate, name: &Safe) -> String {
    let Some(d) = estate.deployments.value.get(name) else {
        return format!("waiting: {name} is not seen");
    };
    if d.observed_generation < d.generation {
        return format!("waiting: {name}: its change is not seen by its controller yet");
    }
    let old = match d.replicas.saturating_sub(d.updated) {
        0 => String::new(),
        1 => ", 1 old pod left".to_owned(),
        old => format!(", {old} old pods left"),
    };
    // Old pods count as ready, too.
    let (what, ready) = match estate.revision_of(d) {
        Some(set) => (format!(": {}", set.tag()), set.ready),
        None => (String::new(), d.ready),
    };
    format!("waiting: {name}{what} ready {ready}/{}{old}", d.desired)
}

/// `digital-wall-service serves GREEN 2, BLUE 1`
fn serving(estate: &Estate, service: &Safe) -> String {
    let views = estate.service_views();
    let Some(view) = views.iter().find(|view| view.name == service) else {
        return format!("{service} is not seen");
    };
    let of = |colour: usize| {
        format!(
            "{} {}",
            words::colour_word(estate, colour),
            view.serving[colour]
        )
    };
    format!("{service} serves {}, {}", of(0), of(1))
}

/// Seconds as they are, then minutes: what runs now is not shown in steps of ten.
fn exact(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s}s"),
        s => format!("{}m{:02}s", s / 60, s % 60),
    }
}

fn keys(keymap: &Keymap, hold: &Hold, kept: &Kept) -> Text {
    const ABORT: (Action, &str) = (Action::Abort, "abort");
    const BACK: (Action, &str) = (Action::Rollback, "roll back");
    const ADOPT: (Action, &str) = (Action::Adopt, "adopt");
    const ABANDON: (Action, &str) = (Action::Abandon, "abandon");
    let all: &[(Action, &str)] = match (hold, &kept.operation.paused) {
        (Hold::Orphaned { .. }, _) if moves_nothing(kept) => &[ADOPT, ABANDON],
        (Hold::Orphaned { .. }, _) => &[ADOPT, BACK, ABANDON],
        (_, Some(_)) if kept.operation.awaits().is_some() => {
            &[(Action::Approvals, "approvals"), ABORT]
        }
        (_, Some(_)) if kept.operation.is_for_a_person() => &[ABORT, BACK, ABANDON],
        (_, Some(_)) => &[(Action::Repair, "repair"), ABORT, BACK],
        // A rollback is not undone, and not begun twice.
        _ if moves_nothing(kept) => &[ABORT],
        _ => &[ABORT, BACK],
    };
    let mut text = Text::default();
    for (action, what) in all {
        text.push(format!("  {}", keymap.key_of(*action)), Role::Title);
        text.push(format!(" {what}"), Role::Dim);
    }
    text
}

/// Whether a rollback is no way out of it: it is one, or moves no traffic.
fn moves_nothing(kept: &Kept) -> bool {
    let plan = kept.operation.plan.as_ref();
    plan.is_some_and(|plan| match plan.kind {
        OperationKind::Rollback | OperationKind::Smoke | OperationKind::Cleanup => true,
        OperationKind::Deploy => !plan.is_in_place(),
        // Until something is flipped, an abort is the way out.
        OperationKind::Release | OperationKind::Cutover => {
            let mut steps = kept.operation.states.keys();
            !steps.any(|step| matches!(step, Step::Flip(_)))
        }
        OperationKind::Repair => false,
    })
}

/// One that is over, in a line.
fn closed(kept: &Kept, theme: &Theme) -> Text {
    let Some((outcome, why)) = &kept.operation.closed else {
        return Text::default();
    };
    // In a small window there is room for what was seen, or for where.
    let why = why.strip_prefix("watch failed: ").unwrap_or(why);
    let (mark, role) = match outcome {
        Outcome::Done => (Mark::Ok, Role::Plain),
        Outcome::RolledBack | Outcome::Aborted | Outcome::Abandoned => (Mark::Look, Role::Warn),
        Outcome::Failed => (Mark::Bad, Role::Bad),
    };
    Text::default()
        .add(headline(kept), Role::Title)
        .add(format!("  {} {}", theme.mark(mark), outcome.word()), role)
        .add(format!(": {why}"), Role::Dim)
}

/// Why there is none to show.
fn nothing(state: &State, theme: &Theme) -> Text {
    let estate = state.estate();
    let operations = &state.environment().operations;
    let title = Text::default().add("Operation", Role::Title);
    if let Some(why) = operations.unreadable().next() {
        return title.add(format!("  {} {why}", theme.mark(Mark::Unknown)), Role::Warn);
    }
    match estate.currency(Kind::Records, state.now.at) {
        Currency::Live => {}
        Currency::Waiting => return title.add("  not seen yet", Role::Dim),
        Currency::Stale => {
            let why = estate
                .fault(Kind::Records)
                .map_or("no sign of life", |f| f.what.as_str());
            let said = format!("  {} UNKNOWN: {why}", theme.mark(Mark::Unknown));
            return title.add(said, Role::Warn);
        }
    }
    let last = operations.last();
    let said = last.and_then(|kept| {
        let (outcome, _) = kept.operation.closed.as_ref()?;
        let age = words::age_of(kept.operation.last, estate, state.now);
        Some(format!(
            "  none; the last: {} by {}, {} {age} ago",
            kind(kept),
            by(kept),
            outcome.word()
        ))
    });
    title.add(said.unwrap_or_else(|| "  none".to_owned()), Role::Dim)
}
