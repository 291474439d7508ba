//! The frame: which environment, how current, what time, and the keys of the moment.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, width, wrapped_to};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::logs::LogSource;
use crate::app::{Access, Action, Overlay, Panel, State, View, acts, lists, reviews};
use crate::estate::{Kind, SKEW_SHOWN_MS, Tier};

/// Columns of the header that are left to the names of what is looked at.
const NAME: usize = 24;
/// The most lines of a notice.
const NOTICE: usize = 4;

/// Draws the outer border with header and footer.
pub fn draw(state: &State, canvas: &mut Canvas<'_>) {
    border(canvas);
    header(state, canvas);
    footer(state, canvas);
}

fn border(canvas: &mut Canvas<'_>) {
    let (area, borders) = (canvas.area, canvas.theme.borders());
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    canvas.across(area.x, area.y, area.width, borders.outer[0]);
    canvas.across(area.x, bottom, area.width, borders.outer[0]);
    for y in area.y..=bottom {
        canvas.symbol(area.x, y, borders.outer[1]);
        canvas.symbol(right, y, borders.outer[1]);
    }
    canvas.symbol(area.x, area.y, borders.corners[0]);
    canvas.symbol(right, area.y, borders.corners[1]);
    canvas.symbol(area.x, bottom, borders.corners[2]);
    canvas.symbol(right, bottom, borders.corners[3]);
}

/// The tier's word as loud as the tier deserves.
fn badge(state: &State) -> Text {
    let tier = state.estate().tier();
    let word = words::tier_badge(tier);
    match tier {
        Tier::Production => Text::default().add(format!(" {word} "), Role::Badge),
        Tier::Staging | Tier::Development => Text::default().add(format!(" {word} "), Role::Focus),
    }
}

fn header(state: &State, canvas: &mut Canvas<'_>) {
    let area = canvas.area;
    let (y, mut room) = (area.y, area.width.saturating_sub(4));
    let mut left = area.x + 2;
    // From the right: badge, clock, how current. The badge stands on both sides.
    let badge = badge(state);
    room -= canvas.text_right(left, y, room, &badge) + 1;
    let used = canvas.text(left, y, room, &badge) + 1;
    left += used;
    room -= used;
    if state.demo.is_some() {
        let used = canvas.text(left, y, room, &Text::default().add(" DEMO ", Role::Badge)) + 1;
        left += used;
        room = room.saturating_sub(used);
    }
    let clock = Text::plain(format!(" {} ", words::clock(state)));
    room = room.saturating_sub(canvas.text_right(left, y, room, &clock) + 1);
    let (health, _) = health(state, beside(state, area.width), &canvas.theme);
    if let Some(health) = health {
        room = room.saturating_sub(canvas.text_right(left, y, room, &health) + 1);
    }
    canvas.text(left, y, room, &name(state, room));
}

/// Title, environment and where it lives, as far as there is room.
fn name(state: &State, room: u16) -> Text {
    let scope = &state.estate().scope;
    let short = format!(" {} · {} ", state.title, scope.name);
    let long = format!(
        " {} · {} @ {} ",
        state.title,
        scope.name,
        state.estate().context()
    );
    let fits = |text: &String| width(text) <= usize::from(room);
    let least = format!(" {} ", scope.name);
    Text::plain([long, short].into_iter().find(fits).unwrap_or(least))
}

/// The columns of the header between its badges and its clock.
fn beside(state: &State, columns: u16) -> usize {
    let demo = if state.demo.is_some() { 7 } else { 0 };
    let clock = width(&words::clock(state)) + 3;
    let badges = 2 * (badge(state).width() + 1);
    usize::from(columns).saturating_sub(4 + badges + demo + clock)
}

/// What is said behind `k8s live`: in the header's words, in fewer, and in a sentence where there is no room for either.
struct Aside {
    long: String,
    short: String,
    sentence: String,
    role: Role,
}

/// How much is said of each: all, less, one of them alone, nothing.
const FORMS: [fn(usize, &Aside) -> Option<&String>; 6] = [
    |_, aside| Some(&aside.long),
    |_, aside| Some(&aside.short),
    |place, aside| (place == 0).then_some(&aside.long),
    |place, aside| (place == 0).then_some(&aside.short),
    |place, aside| (place == 1).then_some(&aside.short),
    |_, _| None,
];

/// `k8s live`, or how stale, and as much else as there is room for; the sentences for what there is none for.
fn health(state: &State, room: usize, theme: &Theme) -> (Option<Text>, Vec<(String, Role)>) {
    let estate = state.estate();
    let (unseen, seen): (Vec<Kind>, Vec<Kind>) =
        (Kind::ALL.into_iter()).partition(|kind| words::is_withheld(estate, *kind));
    let kinds = if seen.is_empty() { &unseen } else { &seen };
    let (mark, said) = words::currency(estate, kinds, state.now);
    let mut lead = Text::plain(" k8s ");
    let role = mark.map_or(Role::Plain, Theme::role);
    if let Some(mark) = mark {
        lead.push(format!("{} ", theme.mark(mark)), role);
    }
    lead.push(format!("{said} "), role);
    let asides: Vec<Aside> = [
        unseen_aside(state, &unseen, theme).filter(|_| !seen.is_empty()),
        skew_aside(state, theme),
    ]
    .into_iter()
    .flatten()
    .collect();
    for form in FORMS {
        let mut text = lead.clone();
        let mut untold = Vec::new();
        for (place, aside) in asides.iter().enumerate() {
            match form(place, aside) {
                Some(words) => text.push(words.as_str(), aside.role),
                None => untold.push((aside.sentence.clone(), aside.role)),
            }
        }
        if room > text.width() + NAME {
            return (Some(text), untold);
        }
    }
    let all = asides.into_iter().map(|it| (it.sentence, it.role));
    (None, all.collect())
}

/// What the header of a window with so many columns has no room for.
pub fn untold(state: &State, columns: u16, theme: &Theme) -> Vec<(String, Role)> {
    health(state, beside(state, columns), theme).1
}

/// The kinds that may not be seen, or are not there.
fn unseen_aside(state: &State, unseen: &[Kind], theme: &Theme) -> Option<Aside> {
    let first = unseen.first()?;
    let more = match unseen.len() {
        1 => String::new(),
        n => format!(" +{}", n - 1),
    };
    let mark = theme.mark(Mark::Unknown);
    let word = first.word();
    // Traffic says by itself why its own kinds are not seen.
    let fault = (state.estate().fault(*first)).filter(|_| !super::traffic::KINDS.contains(first));
    let why = fault.map_or_else(String::new, |fault| format!(": {}", fault.what));
    Some(Aside {
        long: format!("{mark} {word}{more} unseen "),
        short: format!("{mark} {} unseen ", unseen.len()),
        sentence: format!("{mark} {word}{more} unseen{why}"),
        role: Theme::role(Mark::Unknown),
    })
}

/// A clock that differs from the API server's by more than is usual.
fn skew_aside(state: &State, theme: &Theme) -> Option<Aside> {
    let skew = state.estate().cluster.skew_ms?;
    if skew.abs() <= SKEW_SHOWN_MS {
        return None;
    }
    let (seconds, mark) = (skew / 1_000, theme.mark(Mark::Look));
    let side = if skew > 0 { "behind" } else { "ahead of" };
    let off = seconds.abs();
    Some(Aside {
        long: format!("clock off by {seconds} s "),
        short: format!("clock {seconds:+} s "),
        sentence: format!("{mark} the clock here is {off} s {side} the API server's"),
        role: Role::Warn,
    })
}

fn footer(state: &State, canvas: &mut Canvas<'_>) {
    let area = canvas.area;
    let (y, left) = (area.bottom() - 1, area.x + 2);
    let mut room = area.width.saturating_sub(4);
    let said = access(state);
    if !said.is_empty() {
        room = room.saturating_sub(canvas.text_right(left, y, room, &said) + 1);
    }
    // What was told goes before a filter that stands; while that is typed it is told above it.
    let mut told = notice(state, room);
    let is_here = !is_typed(state) && !is_above(state, &told);
    if let Some(last) = told.pop().filter(|_| is_here) {
        canvas.text(left, y, room, &Text::default().add(last, Role::Focus));
        return;
    }
    if state.is_filtering || !state.filter.text().is_empty() {
        canvas.text(left, y, room, &filter(state));
        return;
    }
    // A plan has its own keys at its foot; here they would be typed into it.
    if !matches!(state.overlay, Some(Overlay::Plan(_))) {
        canvas.text(left, y, room, &keys(state, room));
    }
}

/// The notice on as many lines as it needs, up to a limit; its last one stands in the footer.
fn notice(state: &State, room: u16) -> Vec<String> {
    let Some(notice) = &state.notice else {
        return Vec::new();
    };
    let columns = usize::from(room.saturating_sub(2));
    // Over what is laid over the screen there is no room for more than its beginning.
    let most = if state.overlay.is_some() { 1 } else { NOTICE };
    let lines = wrapped_to(&notice.text, columns, most, &Theme::of(state)).into_iter();
    lines.map(|line| format!(" {line} ")).collect()
}

/// Whether the footer is where a filter is being typed.
fn is_typed(state: &State) -> bool {
    state.is_filtering && state.overlay.is_none()
}

/// Whether a notice of several lines stands above an operation that is under way, whose rows nothing hides.
fn is_above(state: &State, notice: &[String]) -> bool {
    notice.len() > 1 && state.overlay.is_none() && state.environment().operations.open().is_some()
}

/// Draws what of a long notice has no room in the footer above it and the `foot` rows of an operation, over whatever is
/// there: a reason that is cut is none.
pub fn overflow(state: &State, canvas: &mut Canvas<'_>, foot: u16) {
    if state.overlay.is_some() {
        return;
    }
    let area = canvas.area;
    let room = footer_room(state, area.width);
    let mut lines = notice(state, room);
    let is_above = is_above(state, &lines);
    if !is_typed(state) && !is_above {
        lines.pop();
    }
    let foot = if is_above { foot } else { 0 };
    let used = u16::try_from(lines.len()).unwrap_or(0) + foot;
    let first = (area.bottom() - 1).saturating_sub(used);
    for (y, line) in (first..).zip(lines) {
        let row = Rect::new(area.x + 1, y, area.width.saturating_sub(2), 1);
        canvas.clear(row);
        canvas.text(area.x + 2, y, room, &Text::default().add(line, Role::Focus));
    }
}

/// Columns that the footer has beside what says whether changes are allowed.
fn footer_room(state: &State, width: u16) -> u16 {
    let room = width.saturating_sub(4);
    match u16::try_from(access(state).width()) {
        Ok(0) => room,
        Ok(used) => room.saturating_sub(used + 1),
        Err(_) => 0,
    }
}

/// Whether changes are allowed here, and for how much longer.
fn access(state: &State) -> Text {
    match state.environment().access.at(state.now.at) {
        Access::Open => Text::default(),
        Access::ReadOnly => {
            let text = Text::default().add(" READ-ONLY ", Role::Title);
            match state.size.0 {
                0..100 => text,
                _ => text.add(" :write 15m ", Role::Dim),
            }
        }
        Access::Window(until) => {
            let left = until.0.saturating_sub(state.now.at.0).div_ceil(1_000);
            let left = words::age(i64::try_from(left).unwrap_or(i64::MAX));
            Text::default().add(format!(" WRITE {left} left "), Role::Badge)
        }
    }
}

fn filter(state: &State) -> Text {
    let cursor = if state.is_filtering { "_" } else { "" };
    let mut text = Text::default().add(format!(" /{}{cursor} ", state.filter.text()), Role::Focus);
    if state.levels.is_empty() {
        let (kept, all, what) = lists::counts(state);
        text.push(format!(" {kept}/{all} {what} "), Role::Plain);
    }
    text.add(" Esc clears ", Role::Dim)
}

/// The keys worth a word here, as many as fit.
fn keys(state: &State, room: u16) -> Text {
    let mut text = Text::plain(" ");
    for (binding, keys) in state.keymap.bindings(state.context(), state.demo.is_some()) {
        let (Some(key), false) = (keys.first(), binding.footer.is_empty()) else {
            continue;
        };
        if !applies(state, binding.action) {
            continue;
        }
        let key = if key.to_string() == "enter" {
            "Enter".to_owned()
        } else {
            key.to_string()
        };
        let more = format!("{key} {}  ", binding.footer);
        if text.width() + width(&more) > usize::from(room) {
            break;
        }
        text.push(key, Role::Title);
        text.push(format!(" {}  ", binding.footer), Role::Dim);
    }
    text
}

/// Whether a key of the footer would do anything here.
fn applies(state: &State, action: Action) -> bool {
    match action {
        Action::Environments => state.environments.len() > 1,
        Action::Logs | Action::PreviousLogs => match state.levels.last() {
            None => matches!(
                state.environment().cursor.on,
                Some(crate::app::rows::Row::Pod(_))
            ),
            Some(level) => match &level.view {
                View::Alert(_) | View::Operation(_) => false,
                View::Log(log) => matches!(log.source, LogSource::Container(_)),
                View::Run(_) => action == Action::Logs,
                View::Pod(_) | View::Service(_) | View::Deployment(_) => true,
            },
        },
        Action::Silence => acts::alert_here(state).is_some_and(|a| !acts::is_silenced(state, &a)),
        Action::ExtendSilence | Action::ExpireSilence => {
            acts::alert_here(state).is_some_and(|a| acts::is_silenced(state, &a))
        }
        Action::Approve | Action::Reject => match state.view() {
            Some(View::Run(run)) => reviews::waiting(state).iter().any(|it| it.run == *run),
            _ => false,
        },
        Action::CopyNote | Action::Topic => state.panel == Panel::Timeline,
        Action::Open => !matches!(
            state.view(),
            Some(View::Log(_) | View::Alert(_) | View::Operation(_))
        ),
        _ => true,
    }
}
