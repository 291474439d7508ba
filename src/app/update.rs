//! The fold: what an event does to the state, and what the shell is to do about it.

use super::acts::{self, Wish};
use super::approvals;
use super::bell;
use super::chart;
use super::keymap::Context;
use super::lists;
use super::logs::{LogSource, LogView};
use super::note;
use super::operate;
use super::palette::{self, Choice, Palette};
use super::plan;
use super::reviews;
use super::rows::{self, Row};
use super::state::{Demo, Notice, Overlay, Panel, SECOND_MS, State};
use super::view::{self, Item, Level, View};
use super::{Access, Action, Command, Event, Key, KeyCode};
use crate::estate::runs::RunLog;
use crate::estate::{Currency, Kind, LogTarget, Observation, Safe, Seen};
use crate::ops::OperationKind;
use crate::ops::approval::Decision;
use crate::ops::freeze::Wanted;

/// Folds `event` in.
pub fn update(state: &mut State, event: Event) -> Option<Command> {
    match event {
        Event::Key(key) => narrowing(state, |state| answering(state, key)),
        Event::Paste(text) => narrowing(state, |state| {
            on_paste(state, &text);
            None
        }),
        Event::Resized(columns, rows) => {
            state.size = (columns, rows);
            None
        }
        Event::Tick(now) => {
            let before = std::mem::replace(&mut state.now, now);
            if state.notice.as_ref().is_some_and(|n| n.until <= now.at) {
                state.notice = None;
            }
            // Who is gone tells nobody: the time does, by the second.
            let is_another = now.at.0 / SECOND_MS != before.at.0 / SECOND_MS;
            is_another.then(|| bell::listen(state)).flatten()
        }
        Event::Observed(observation) => {
            let may_ring = bell::is_told_by(&observation.seen);
            observe(state, observation);
            may_ring.then(|| bell::listen(state)).flatten()
        }
        Event::Repository(at, seen) => {
            if let Some(repository) = &mut state.repository {
                repository.apply(seen, at);
            }
            None
        }
        Event::JobLog(job, chunk) => {
            if let Some(View::Log(log)) = state.levels.last_mut().map(|l| &mut l.view)
                && matches!(log.source, LogSource::Job { id, .. } if id == job)
            {
                log.take(chunk);
            }
            None
        }
        Event::Charted(of, at, answer) => {
            chart::take(state, of, at, answer);
            None
        }
        Event::Acted(number, outcome) => {
            acts::ended(state, number, outcome);
            None
        }
        Event::Heard(number, environment, heard) => {
            operate::hear(state, number, environment, heard);
            None
        }
        Event::Told(text) => {
            state.tell(&text);
            None
        }
        Event::Faults(faults) => {
            if let Some(demo) = &mut state.demo {
                demo.faults = faults;
            }
            None
        }
    }
}

/// Narrows the list at once when `act` changed the filter, or whose it is: keys typed ahead of the next frame must
/// find the list that their typing made, not the one on the screen.
fn narrowing(
    state: &mut State,
    act: impl FnOnce(&mut State) -> Option<Command>,
) -> Option<Command> {
    let before = (state.filter.text().to_owned(), state.panel);
    let command = act(state);
    if (state.filter.text(), state.panel) != (before.0.as_str(), before.1) {
        settle(state);
    }
    command
}

/// Derives what depends on more than one event: once before a frame, however many events came.
pub fn settle(state: &mut State) {
    rows::narrow(state);
    state.environment_mut().settle_cursor();
    plan::compare(state);
    operate::ended(state);
    operate::hint(state);
}

fn observe(state: &mut State, observation: Observation) {
    let now = state.now;
    if let Seen::Log(target, chunk) = observation.seen {
        if let Some(View::Log(log)) = state.levels.last_mut().map(|l| &mut l.view)
            && log.source == LogSource::Container(target)
            && observation.environment == state.selected
        {
            log.take(chunk);
        }
        return;
    }
    if let Some(environment) = state.environments.get_mut(observation.environment) {
        let at = crate::estate::Now {
            at: observation.at,
            ..now
        };
        let is_record = matches!(observation.seen, Seen::Records(_));
        environment.estate.apply(observation.seen, at);
        if is_record {
            environment.operations.take(&environment.estate);
        }
    }
}

fn on_paste(state: &mut State, text: &Safe) {
    if plan::paste(state, text) {
        return;
    }
    match &mut state.overlay {
        Some(Overlay::Palette(palette)) => {
            palette.input.paste(text);
            palette.typed();
        }
        None if state.is_filtering => state.filter.paste(text),
        _ => state.tell("pasted text is ignored here: it never acts as keys"),
    }
}

/// Does what `key` means. What answered an earlier key is gone then; what was told unasked stays its time.
fn answering(state: &mut State, key: Key) -> Option<Command> {
    let before = state.notice.clone();
    let command = on_key(state, key);
    match &mut state.notice {
        Some(notice) if notice.is_answer => state.notice = None,
        Some(notice) => notice.is_answer = before.as_ref() != Some(notice),
        None => {}
    }
    command
}

fn on_key(state: &mut State, key: Key) -> Option<Command> {
    if let Some(done) = plan::key(state, key) {
        return done;
    }
    if let Some(Overlay::Palette(_)) = state.overlay
        && let Some(done) = palette_key(state, key)
    {
        return done;
    }
    if state.is_filtering && state.overlay.is_none() && filter_key(state, key) {
        return None;
    }
    let action = (state.keymap).action(state.context(), key, state.demo.is_some());
    match action {
        Some(action) => act(state, action),
        None => {
            unbound(state, key);
            None
        }
    }
}

/// Says that a key means nothing here, once for all of a moment: a torn sequence is many keys, and none of them typed.
fn unbound(state: &mut State, key: Key) {
    let said = "does nothing here: ? lists the keys";
    let at = state.now.at;
    let is_told = |notice: &Notice| notice.text.ends_with(said) && notice.is_of(at);
    match &mut state.notice {
        // It answers this key, too.
        Some(notice) if is_told(notice) => notice.is_answer = false,
        _ => state.tell(&format!("`{key}` {said}")),
    }
}

/// Keys that the filter takes for itself while it is typed.
fn filter_key(state: &mut State, key: Key) -> bool {
    match key.code {
        KeyCode::Enter => state.is_filtering = false,
        KeyCode::Esc => {
            state.is_filtering = false;
            state.filter.set("");
        }
        KeyCode::Backspace if state.filter.text().is_empty() => state.is_filtering = false,
        _ => return state.filter.key(key),
    }
    true
}

/// Keys that the palette takes for itself; none: they mean what they mean elsewhere.
fn palette_key(state: &mut State, key: Key) -> Option<Option<Command>> {
    let found = offers(state);
    let Some(Overlay::Palette(palette)) = &mut state.overlay else {
        return None;
    };
    let last = found.len().saturating_sub(1);
    if palette.is_menu
        && let Some(action) = menu_key(state, key)
    {
        state.overlay = None;
        return Some(act(state, action));
    }
    let Some(Overlay::Palette(palette)) = &mut state.overlay else {
        return None;
    };
    match key.code {
        KeyCode::Enter => {
            let offer = found.into_iter().nth(palette.chosen.min(last));
            let offer = match palette.taken(offer) {
                Ok(offer) => offer,
                Err(why) => {
                    state.tell(&why);
                    return Some(None);
                }
            };
            state.overlay = None;
            return Some({
                palette::remember(&mut state.history, &offer.name);
                match offer.choice {
                    Choice::Act(action) => act(state, action),
                    Choice::Environment(place) => go_to(state, place),
                    Choice::Write(lasts) => {
                        state.write(lasts);
                        None
                    }
                }
            });
        }
        KeyCode::Tab => {
            if let Some(offer) = found.get(palette.chosen.min(last)) {
                palette.input.set(&offer.name);
                palette.typed();
            }
        }
        KeyCode::Up => palette.choose(palette.chosen.min(last).saturating_sub(1)),
        KeyCode::Down => palette.choose((palette.chosen + 1).min(last)),
        KeyCode::Backspace if palette.input.text().is_empty() => state.overlay = None,
        _ => {
            if !palette.input.key(key) {
                return None;
            }
            palette.typed();
        }
    }
    Some(None)
}

/// The action of the menu whose key that is, as if the menu were not open.
fn menu_key(state: &State, key: Key) -> Option<Action> {
    let action = (state.keymap).action(beneath(state), key, false)?;
    let is_it = |offer: &palette::Offer| offer.choice == Choice::Act(action);
    changes(state).iter().any(is_it).then_some(action)
}

/// Where keys are looked up beneath what is open.
fn beneath(state: &State) -> Context {
    match state.view() {
        None => Context::Home,
        Some(View::Log(_)) => Context::Log,
        Some(_) => Context::Detail,
    }
}

/// What the menu of actions holds here.
fn changes(state: &State) -> Vec<palette::Offer> {
    let is_run = matches!(state.view(), Some(View::Run(_)));
    palette::changes(&state.keymap, beneath(state), is_run)
}

/// What the open palette offers for what was typed.
pub fn offers(state: &State) -> Vec<palette::Offer> {
    let typed = match &state.overlay {
        Some(Overlay::Palette(palette)) if palette.is_menu => {
            // In the order of the table: what is in a place stays there.
            return palette::matching(changes(state), palette.input.text(), &[]);
        }
        Some(Overlay::Palette(palette)) => palette.input.text(),
        _ => "",
    };
    let context = beneath(state);
    let names: Vec<&Safe> = state
        .environments
        .iter()
        .map(|e| &e.estate.scope.name)
        .collect();
    let mut offers = palette::offers(&state.keymap, context, state.demo.is_some(), &names);
    if state.environment().access != Access::Open {
        offers.extend(palette::windows(typed));
    }
    palette::matching(offers, typed, &state.history)
}

/// Does what `action` means here.
fn act(state: &mut State, action: Action) -> Option<Command> {
    match action {
        Action::Quit => return acts::leave(state),
        Action::Back => {
            let is_root = state.overlay.is_none() && state.levels.is_empty();
            return if is_root {
                acts::leave(state)
            } else {
                back(state)
            };
        }
        Action::Interrupt => {
            let is_open = state.overlay.is_some() || state.is_filtering;
            return if is_open {
                back(state)
            } else {
                acts::leave(state)
            };
        }
        Action::Escape => return back(state),
        Action::Help => state.overlay = Some(Overlay::Help(0)),
        Action::Palette => state.overlay = Some(Overlay::Palette(Palette::default())),
        Action::Actions => state.overlay = Some(Overlay::Palette(Palette::menu())),
        Action::Filter => {
            state.overlay = None;
            state.is_filtering = true;
        }
        Action::Environments => state.overlay = Some(Overlay::Environments(state.selected)),
        Action::Focus(panel) => state.panel = panel,
        Action::NextPanel => step_panel(state, 1),
        Action::PreviousPanel => step_panel(state, Panel::ALL.len() - 1),
        Action::Up => travel(state, -1),
        Action::Down => travel(state, 1),
        Action::Top => travel(state, i64::MIN / 2),
        Action::Bottom => travel(state, i64::MAX / 2),
        Action::PageUp => travel(state, -page(state)),
        Action::PageDown => travel(state, page(state)),
        Action::HalfUp => travel(state, -page(state) / 2),
        Action::HalfDown => travel(state, page(state) / 2),
        Action::Left => state.environment_mut().cursor.colour = 0,
        Action::Right => {
            let is_switched = state.estate().scope.traffic.is_some();
            state.environment_mut().cursor.colour = usize::from(is_switched);
        }
        Action::Open => return open(state),
        Action::Logs => return open_log(state, false),
        Action::PreviousLogs => return open_log(state, true),
        Action::Follow => {
            if let Some(View::Log(log)) = state.levels.last_mut().map(|l| &mut l.view) {
                log.follow(!log.is_following);
            }
        }
        Action::Wrap => {
            if let Some(View::Log(log)) = state.levels.last_mut().map(|l| &mut l.view) {
                log.is_wrapped = !log.is_wrapped;
            }
        }
        Action::Reconnect => {
            state.tell("connecting anew, with fresh credentials");
            return Some(Command::Reconnect {
                environment: state.selected,
            });
        }
        Action::Copy => return copy(state),
        Action::CopyNote => return Some(note::copy(state)),
        Action::Topic if state.panel == Panel::Timeline => {
            state.picks.topic = note::next(state.picks.topic);
        }
        Action::Topic => state.panel = Panel::Timeline,
        Action::LocalTime => state.look.local_time = !state.look.local_time,
        Action::Repaint => return Some(Command::Repaint),
        Action::Suspend => return Some(Command::Suspend),
        Action::Silence => acts::propose(state, Wish::Silence),
        Action::ExtendSilence => acts::propose(state, Wish::Extend),
        Action::ExpireSilence => acts::propose(state, Wish::Expire),
        Action::Cutover => operate::propose(state, OperationKind::Cutover),
        Action::Rollback => operate::propose(state, OperationKind::Rollback),
        Action::Repair => operate::propose(state, OperationKind::Repair),
        Action::Deploy => operate::propose(state, OperationKind::Deploy),
        Action::Smoke => operate::propose(state, OperationKind::Smoke),
        Action::Release => operate::propose(state, OperationKind::Release),
        Action::Abort => operate::propose_about(state, operate::Wish::Abort),
        Action::Adopt => operate::propose_about(state, operate::Wish::Adopt),
        Action::Abandon => operate::propose_about(state, operate::Wish::Abandon),
        Action::Freeze => operate::propose_freeze(state, Wanted::Freeze(None)),
        Action::Thaw => operate::propose_freeze(state, Wanted::Thaw),
        Action::BreakGlass => operate::propose_glass(state),
        Action::CloseGlass => operate::propose_follow_up(state),
        Action::Cleanup => operate::propose(state, OperationKind::Cleanup),
        Action::Warm => operate::propose_warm(state),
        Action::Approvals => {
            // By identity from the first: a list that grows under the cursor retargets nothing (I-47).
            let first = approvals::rows(state).first().map(approvals::Row::id);
            state.overlay = Some(Overlay::Approvals(first));
        }
        Action::AskApproval => operate::propose_request(state),
        Action::Approve => return decide(state, true),
        Action::Reject => return decide(state, false),
        Action::Operation => open_operation(state),
        Action::InjectFault => match &state.demo {
            Some(Demo { faults }) if !faults.is_empty() => state.overlay = Some(Overlay::Faults(0)),
            _ => state.tell("the demo's estate has not said yet what it can break"),
        },
    }
    None
}

/// One level back.
fn back(state: &mut State) -> Option<Command> {
    if state.overlay.take().is_some() {
        return None;
    }
    if state.is_filtering || !state.filter.text().is_empty() {
        state.is_filtering = false;
        state.filter.set("");
        return None;
    }
    let left = state.levels.pop()?;
    matches!(left.view, View::Log(_)).then_some(Command::CloseLog)
}

fn step_panel(state: &mut State, by: usize) {
    let at = Panel::ALL
        .iter()
        .position(|p| *p == state.panel)
        .unwrap_or(0);
    state.panel = Panel::ALL[(at + by) % Panel::ALL.len()];
}

/// Rows of a page: what is left of the screen below Traffic, roughly.
fn page(state: &State) -> i64 {
    i64::from(state.size.1.saturating_sub(10).max(4))
}

/// Moves whatever moves here.
fn travel(state: &mut State, by: i64) {
    let faults = state.demo.as_ref().map_or(0, |d| d.faults.len());
    let environments = state.environments.len();
    match &mut state.overlay {
        Some(Overlay::Help(line)) => *line = shifted(*line, by, HELP_LINES),
        Some(Overlay::Palette(_) | Overlay::Plan(_)) => {}
        Some(Overlay::Environments(chosen)) => *chosen = shifted(*chosen, by, environments),
        Some(Overlay::Approvals(_)) => travel_approvals(state, by),
        Some(Overlay::Faults(chosen)) => *chosen = shifted(*chosen, by, faults),
        None => travel_below(state, by),
    }
}

fn travel_approvals(state: &mut State, by: i64) {
    let rows = approvals::rows(state);
    let at = approvals::chosen(state, &rows).unwrap_or(0);
    let to = shifted(at, by, rows.len());
    let id = rows.get(to).map(approvals::Row::id);
    state.overlay = Some(Overlay::Approvals(id));
}

/// The row that the list's cursor is on, with its environment on the screen.
fn row_here(state: &mut State) -> Option<(approvals::Row, Option<Command>)> {
    let mut rows = approvals::rows(state);
    let at = approvals::chosen(state, &rows)?;
    let row = rows.swap_remove(at);
    state.overlay = None;
    let place = match &row {
        approvals::Row::Asked(listed) => Some(listed.environment),
        approvals::Row::Review(waiting) => waiting.environment,
    };
    let command = place.and_then(|place| go_to(state, place));
    Some((row, command))
}

/// Opens the plan of a decision on what the list's cursor is on, or on what the run waits for whose page is open.
fn decide(state: &mut State, is_approved: bool) -> Option<Command> {
    if let Some((row, command)) = row_here(state) {
        match row {
            approvals::Row::Asked(listed) => {
                let decision = match is_approved {
                    true => Decision::Approved,
                    false => Decision::Rejected,
                };
                operate::propose_decision(state, &listed, decision);
            }
            approvals::Row::Review(it) => {
                reviews::propose(state, it.run, Some(it.pending.id), is_approved);
            }
        }
        return command;
    }
    match state.view().filter(|_| state.overlay.is_none()) {
        Some(&View::Run(run)) => reviews::propose(state, run, None, is_approved),
        _ => state.tell("nothing here waits for an approval; 6 lists what does"),
    }
    None
}

/// Goes to what the list's cursor is on: the environment of a request, the page of a run.
fn open_approval(state: &mut State) -> Option<Command> {
    let (row, command) = row_here(state)?;
    if let approvals::Row::Review(waiting) = row {
        let view = View::Run(waiting.run);
        if state.view() != Some(&view) {
            state.levels.push(Level::new(view));
        }
    }
    command
}

/// More lines than any help has.
const HELP_LINES: usize = 200;

fn travel_below(state: &mut State, by: i64) {
    let Some(level) = state.levels.last() else {
        match state.panel {
            Panel::Pods => state.environment_mut().move_cursor(by),
            Panel::Traffic => {
                let services = state
                    .estate()
                    .scope
                    .traffic
                    .as_ref()
                    .map_or(0, |t| t.services.len());
                let environment = state.environment_mut();
                environment.service = shifted(environment.service, by, services);
            }
            panel @ (Panel::Runs | Panel::Alerts | Panel::Timeline) => {
                let (count, at) = lists::place(state, panel);
                lists::pick(state, panel, shifted(at, by, count));
            }
        }
        return;
    };
    let items = view::items(state, &level.view);
    let filter = state.filter.text().to_owned();
    let Some(level) = state.levels.last_mut() else {
        return;
    };
    if let View::Log(log) = &mut level.view {
        if by >= i64::MAX / 4 {
            log.follow(true);
        } else {
            log.scroll(by, &filter);
        }
        return;
    }
    let at = level.position(&items);
    let to = shifted(at, by, items.len());
    if at == to || by.abs() > 1 {
        // At the end of the items the page itself goes on.
        let by = i32::try_from(by.clamp(-10_000, 10_000)).unwrap_or(0);
        level.scroll = if by < -5_000 {
            0
        } else {
            (level.scroll + by).clamp(-10_000, 10_000)
        };
    }
    level.cursor = items.get(to).cloned();
}

fn shifted(at: usize, by: i64, count: usize) -> usize {
    let last = i64::try_from(count.saturating_sub(1)).unwrap_or(0);
    let at = i64::try_from(at)
        .unwrap_or(0)
        .saturating_add(by)
        .clamp(0, last);
    usize::try_from(at).unwrap_or(0)
}

/// A level down.
fn open(state: &mut State) -> Option<Command> {
    match &state.overlay {
        Some(Overlay::Environments(chosen)) => {
            let place = *chosen;
            state.overlay = None;
            return go_to(state, place);
        }
        Some(Overlay::Approvals(_)) => {
            return open_approval(state);
        }
        Some(Overlay::Faults(chosen)) => {
            let faults = state.demo.as_ref().map(|d| &d.faults);
            let name = faults
                .and_then(|f| f.get(*chosen))
                .map(|(name, _)| name.to_string());
            state.overlay = None;
            return name.map(Command::Inject);
        }
        Some(Overlay::Help(_) | Overlay::Palette(_) | Overlay::Plan(_)) => {
            state.overlay = None;
            return None;
        }
        None => {}
    }
    let next = match state.levels.last() {
        None => home_target(state),
        Some(level) => match chosen_item(state, level) {
            Some(Item::Container(_)) => return open_log(state, false),
            Some(Item::Pod(name)) => Some(View::Pod(name)),
            Some(Item::Job(_)) => return open_log(state, false),
            None => {
                state.tell("nothing here to go into: Esc is a level back");
                None
            }
        },
    };
    if let Some(view) = next {
        state.levels.push(Level::new(view));
        state.filter.set("");
        state.is_filtering = false;
    }
    None
}

/// A level down into the operation on the screen, or the last one.
fn open_operation(state: &mut State) {
    let operations = &state.environment().operations;
    let Some(kept) = operations.open().or_else(|| operations.last()) else {
        let estate = state.estate();
        let fault = estate.fault(Kind::Records).map(|fault| &fault.what);
        let why = operations.unreadable().next().or(fault);
        let said = match (estate.currency(Kind::Records, state.now.at), why) {
            (Currency::Live, None) => "there is no operation of this environment".to_owned(),
            (_, Some(why)) => format!("whether there is an operation is not known: {why}"),
            (_, None) => "whether there is an operation is not known yet".to_owned(),
        };
        state.tell(&said);
        return;
    };
    let view = View::Operation(kept.id.clone());
    if state.view() != Some(&view) {
        state.overlay = None;
        state.levels.push(Level::new(view));
    }
}

/// What Enter on the first screen goes into.
fn home_target(state: &mut State) -> Option<View> {
    let environment = state.environment();
    let unconnected = match state.panel {
        Panel::Traffic => {
            let switch = environment.estate.scope.traffic.as_ref();
            let service = switch.and_then(|t| t.services.get(environment.service));
            return service.cloned().map(View::Service);
        }
        Panel::Pods => {
            let row = environment.cursor.on.clone().or_else(|| environment.row(0));
            return match row? {
                Row::Pod(name) => Some(View::Pod(name)),
                Row::Workload(workload) => {
                    let group = environment.group_under(workload);
                    let deployment = environment.estate.deployments_of(group).next();
                    deployment.map(|d| View::Deployment(d.name.clone()))
                }
            };
        }
        panel @ (Panel::Runs | Panel::Alerts | Panel::Timeline) => {
            if lists::is_connected(state, panel) {
                let Some(view) = lists::target(state, panel) else {
                    state.tell(&format!("no {} here to go into", row_of(panel)));
                    return None;
                };
                let gone = lists::gone(state, &view);
                if let Some(words) = &gone {
                    state.tell(words);
                }
                return gone.is_none().then_some(view);
            }
            if panel == Panel::Runs {
                "Runs"
            } else {
                "Alerts"
            }
        }
    };
    state.tell(&format!(
        "{unconnected} is not connected: the configuration names no source"
    ));
    None
}

/// What a row of the panel is.
fn row_of(panel: Panel) -> &'static str {
    match panel {
        Panel::Traffic => "Service",
        Panel::Runs => "run",
        Panel::Pods => "pod",
        Panel::Alerts => "alert",
        Panel::Timeline => "entry",
    }
}

fn chosen_item(state: &State, level: &Level) -> Option<Item> {
    let items = view::items(state, &level.view);
    let at = level.position(&items);
    items.into_iter().nth(at)
}

/// Goes to another environment, and has it watched from now on.
fn go_to(state: &mut State, place: usize) -> Option<Command> {
    if place >= state.environments.len() {
        return None;
    }
    let had_log = state.levels.iter().any(|l| matches!(l.view, View::Log(_)));
    if place != state.selected {
        state.levels.clear();
        state.filter.set("");
        state.is_filtering = false;
    }
    state.selected = place;
    let environment = state.environment_mut();
    if !environment.is_watched {
        environment.is_watched = true;
        return Some(Command::Watch { environment: place });
    }
    (had_log && state.levels.is_empty()).then_some(Command::CloseLog)
}

/// The log of what is selected: a container, or a pod's first container that is no init container.
fn open_log(state: &mut State, previous: bool) -> Option<Command> {
    if let Some(command) = open_job_log(state) {
        return Some(command);
    }
    let Some((pod, container)) = log_target(state) else {
        state.tell(match state.view() {
            Some(View::Log(_)) => "a job has this log alone",
            _ => "choose a pod or a container first",
        });
        return None;
    };
    let target = LogTarget {
        pod,
        container,
        previous,
    };
    state.filter.set("");
    let source = LogSource::Container(target.clone());
    let mut view = LogView::new(source);
    view.is_wrapped = matches!(state.view(), Some(View::Log(log)) if log.is_wrapped);
    let level = Level::new(View::Log(view));
    match state.view() {
        // The log of another run replaces the one on the screen.
        Some(View::Log(_)) => {
            state.levels.pop();
            state.levels.push(level);
        }
        _ => state.levels.push(level),
    }
    Some(Command::OpenLog {
        environment: state.selected,
        target,
    })
}

/// The log of the job under the cursor: of its failed step, where there is one.
fn open_job_log(state: &mut State) -> Option<Command> {
    let level = state.levels.last()?;
    let View::Run(run) = &level.view else {
        return None;
    };
    let (repository, run) = view::run_of(state, *run)?;
    let Some(Item::Job(id)) = chosen_item(state, level) else {
        return None;
    };
    let jobs = repository.jobs_of(run)?;
    let job = jobs.iter().find(|j| j.id == id)?;
    let step = job.failed_step().map(|step| step.number);
    let wanted = RunLog {
        job: (*job).clone(),
        step,
    };
    let source = LogSource::Job {
        id,
        run: run.number,
        name: job.name.clone(),
    };
    state.filter.set("");
    state
        .levels
        .push(Level::new(View::Log(LogView::new(source))));
    Some(Command::OpenJobLog(wanted))
}

fn log_target(state: &State) -> Option<(Safe, Safe)> {
    let pod = match state.levels.last() {
        None => match state.environment().cursor.on.clone()? {
            Row::Pod(name) if state.panel == Panel::Pods => name,
            _ => return None,
        },
        Some(level) => match (&level.view, chosen_item(state, level)) {
            (View::Log(log), _) => {
                let LogSource::Container(target) = &log.source else {
                    return None;
                };
                return Some((target.pod.clone(), target.container.clone()));
            }
            (View::Pod(pod), Some(Item::Container(container))) => {
                return Some((pod.clone(), container));
            }
            (View::Pod(pod), _) => pod.clone(),
            (_, Some(Item::Pod(pod))) => pod,
            _ => return None,
        },
    };
    let container = state
        .estate()
        .pods
        .value
        .get(&pod)?
        .main_container()?
        .name
        .clone();
    Some((pod, container))
}

/// The name that is selected.
fn copy(state: &mut State) -> Option<Command> {
    let text = match state.levels.last() {
        None => {
            let view = home_target(state)?;
            name_of(state, &view)
        }
        Some(level) => match (chosen_item(state, level), &level.view) {
            (Some(Item::Container(name) | Item::Pod(name)), _) => Some(name.to_string()),
            (None, View::Log(log)) => log.lines.back().map(ToString::to_string),
            (_, view) => name_of(state, view),
        },
    };
    let text = text?;
    // With the text: a terminal that ignores OSC 52 still shows it whole (T17).
    state.tell(&format!("sent to the terminal's clipboard: {text}"));
    Some(Command::Copy(text))
}

/// What a view is called elsewhere: an object's name, a run's address, an alert's name.
fn name_of(state: &State, view: &View) -> Option<String> {
    match view {
        View::Pod(name) | View::Service(name) | View::Deployment(name) => Some(name.to_string()),
        View::Run(id) => view::run_of(state, *id).map(|(_, run)| run.url.to_string()),
        View::Alert(labels) => labels.get("alertname").map(ToString::to_string),
        View::Operation(id) => Some(id.to_string()),
        View::Log(_) => None,
    }
}
