//! Traffic: who is live, by the Services' selectors and by what serves. On the screen at every size.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, fit};
use super::theme::{Mark, Role, Theme, colour_role};
use super::words;
use crate::app::operate::{Barred, barred_hint, beside};
use crate::app::{Action, Panel, State, operations};
use crate::estate::gates::Draining;
use crate::estate::{ColourView, Currency, Estate, FieldManager, Kind, Live, ServiceView};
use crate::ops::OperationKind;
use crate::ops::after::follower;
use crate::ops::marks;
use crate::ops::plan::brought_back;
use crate::ops::warm::{Warmth, warmth};

/// The kinds that this panel is made of.
pub(super) const KINDS: [Kind; 4] = [
    Kind::Services,
    Kind::EndpointSlices,
    Kind::Deployments,
    Kind::Pods,
];

/// Columns from which an alarm leaves room for the keys of a selector that never change.
const ROOMY: usize = 98;
/// Columns for a tag of an image.
const TAG: usize = 10;
/// The most columns for why a key is barred.
const BRIEF: usize = 40;
/// Columns from which a line of a Service and one of a colour say everything.
const WHOLE: u16 = 158;
/// Rows that are left to an operation or a panel where Traffic says everything.
const OPENED: u16 = 5;

/// Draws it at the top of `area`; returns the rows used.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let estate = state.estate();
    let theme = canvas.theme;
    let views = estate.service_views();
    // What has no room beside everything else is there as soon as one goes to it.
    let is_opened = is_opened(state, area);
    let is_small = area.height < 18 && !is_opened;
    let mut lines = Vec::new();
    let is_brief = is_small && estate.live_colour().is_some();
    if is_brief {
        lines.push(small(estate, &theme));
    }
    let widest =
        |width: &dyn Fn(&ServiceView<'_>) -> usize| views.iter().map(width).max().unwrap_or(0);
    let key = estate.scope.traffic.as_ref().map_or("", |t| t.key.as_str());
    let name = widest(&|v| super::canvas::width(v.name)).min(32);
    // In a narrow window who changed it says more than the keys that never change.
    let selector = if area.width < 70 && !is_opened {
        0
    } else {
        widest(&|v| rest(v, key).width())
    };
    let mut below = Vec::new();
    if !is_brief {
        let colours: &[Option<usize>] = match estate.scope.traffic {
            Some(_) => &[Some(0), Some(1)],
            None => &[None],
        };
        for colour in colours {
            if is_opened {
                below.extend(opened_colour(state, &views, *colour, area.width, &theme));
            } else {
                below.push(colour_line(state, &views, *colour, area.width, &theme));
            }
        }
    }
    let policy = super::policy::lines(state, usize::from(area.width.saturating_sub(2)), &theme);
    below.extend(policy);
    below.extend(troubles(state, &views, &theme));
    // What the header has no room for.
    let untold = super::frame::untold(state, canvas.area.width, &theme);
    below.extend((untold.into_iter()).map(|(said, role)| Text::default().add(said, role)));
    let most = match is_opened {
        true => usize::from(area.height.saturating_sub(OPENED)),
        false => usize::from(area.height.saturating_sub(6).max(2)),
    };
    let chosen = state.environment().service;
    let room = most.saturating_sub(lines.len() + below.len());
    let mut spelled: Vec<Vec<Text>> = (views.iter())
        .map(|view| match is_opened {
            true => opened_service(state, view, [name, selector], area.width, &theme),
            false => vec![service_line(
                state,
                view,
                [name, selector],
                area.width,
                &theme,
            )],
        })
        .collect();
    let most_of_one = spelled.iter().map(Vec::len).max().unwrap_or(1);
    let count = match spelled.iter().map(Vec::len).sum::<usize>() <= room {
        true => views.len(),
        false => room.saturating_sub(1) / most_of_one,
    };
    let shown = shown(estate, &views, chosen, count);
    let mut chosen_at = 0;
    for at in &shown {
        if *at == chosen {
            chosen_at = lines.len();
        }
        lines.append(&mut spelled[*at]);
    }
    let left_out = views.len() - shown.len();
    if left_out > 0 {
        let said = format!("{} and {left_out} more Services", theme.mark(Mark::More));
        lines.push(Text::default().add(said, Role::Dim));
    }
    lines.extend(below);
    lines.truncate(most);
    for (row, line) in (area.y..).zip(&lines) {
        canvas.text(area.x + 1, row, area.width.saturating_sub(2), line);
    }
    let used = u16::try_from(lines.len()).unwrap_or(area.height);
    if is_stale(state) {
        canvas.dim(Rect {
            height: used,
            ..area
        });
    }
    if state.panel == Panel::Traffic && state.levels.is_empty() && !is_small && !views.is_empty() {
        let chosen = u16::try_from(chosen_at).unwrap_or(0);
        canvas.select(Rect {
            y: area.y + chosen,
            height: 1,
            x: area.x + 1,
            width: area.width.saturating_sub(2),
        });
    }
    used
}

/// Whether it says everything, on as many lines as that takes, because somebody went to it.
fn is_opened(state: &State, area: Rect) -> bool {
    state.panel == Panel::Traffic && state.levels.is_empty() && area.width < WHOLE
}

/// So many of the Services, in their order: the one under the cursor, those with an alarm, and as many others as fit.
/// What is frozen, broken or stale stands below them, and is never what falls off.
fn shown(estate: &Estate, views: &[ServiceView<'_>], chosen: usize, count: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..views.len()).collect();
    if shown.len() > count {
        let is_well = |view: &ServiceView<'_>| {
            let is_ours = matches!(view.live, Live::Colour(_));
            is_ours && view.reverted().is_none() && mismatch(view, estate).is_none()
        };
        shown.sort_by_key(|at| (*at != chosen, is_well(&views[*at])));
        shown.truncate(count);
        shown.sort_unstable();
    }
    shown
}

fn is_stale(state: &State) -> bool {
    let at = state.now.at;
    KINDS
        .iter()
        .any(|k| state.estate().currency(*k, at) == Currency::Stale)
}

/// `digital-wall-service  part=frontend  version=blue  changed 2d ago by kubectl-patch`
fn service_line(
    state: &State,
    view: &ServiceView<'_>,
    [name, selector]: [usize; 2],
    room: u16,
    theme: &Theme,
) -> Text {
    let estate = state.estate();
    let is_tight = usize::from(room) < ROOMY && view.reverted().is_some();
    let selector = if is_tight { 0 } else { selector };
    let mut text = selected(estate, view, [name, selector], theme);
    let left = usize::from(room).saturating_sub(2 + text.width());
    if let Some(said) = reverted(state, view, left, theme) {
        return text.add(said, Role::Bad);
    }
    if let Some(loud) = view.service.and_then(|_| mismatch(view, estate)) {
        text.push(format!("  {} {loud}", theme.mark(Mark::Bad)), Role::Bad);
    }
    let Some(manager) = view.changed else {
        return text;
    };
    let room = usize::from(room) - 2;
    for said in changed(state, view, manager) {
        let said = Text::default().add(said, Role::Dim);
        if text.width() + said.width() <= room {
            return text.pad(room - said.width()).append(said);
        }
    }
    text
}

/// The same on lines of their own: the whole selector; what is wrong with it; who changed it last, from what to what, and why.
fn opened_service(
    state: &State,
    view: &ServiceView<'_>,
    widths: [usize; 2],
    room: u16,
    theme: &Theme,
) -> Vec<Text> {
    let estate = state.estate();
    let left = usize::from(room).saturating_sub(2);
    let mut lines = vec![selected(estate, view, widths, theme)];
    if let Some(said) = reverted(state, view, left, theme) {
        lines.push(Text::default().add(said, Role::Bad));
        return lines;
    }
    if let Some(loud) = view.service.and_then(|_| mismatch(view, estate)) {
        let said = format!("  {} {loud}", theme.mark(Mark::Bad));
        lines.push(Text::default().add(said, Role::Bad));
    }
    if let Some(manager) = view.changed {
        let forms = changed(state, view, manager);
        let fits = |said: &&String| super::canvas::width(said) <= left;
        let said = forms.iter().find(fits).or(forms.last());
        lines.extend(said.map(|said| Text::default().add(said.as_str(), Role::Dim)));
    }
    lines
}

/// `digital-wall-service  part=frontend  version=blue`: its selector, the colour as a word of its own; or why there is none.
fn selected(
    estate: &Estate,
    view: &ServiceView<'_>,
    [name, selector]: [usize; 2],
    theme: &Theme,
) -> Text {
    let Some(switch) = &estate.scope.traffic else {
        return Text::default();
    };
    let mut text = Text::plain(column(view.name, name, theme)).add("  ", Role::Plain);
    if view.service.is_none() {
        let (mark, said) = match view.live {
            Live::Absent => (Mark::Bad, "there is no such Service"),
            _ => (Mark::Waiting, "waiting for the first answer"),
        };
        return text.add(format!("{} {said}", theme.mark(mark)), Theme::role(mark));
    }
    if selector > 0 {
        text = text.append(rest(view, &switch.key).pad(selector));
    }
    match &view.live {
        Live::Colour(colour) => {
            text.push(format!("{}=", switch.key), Role::Plain);
            text.push(switch.colours[*colour].to_string(), colour_role(*colour));
        }
        Live::Foreign(value) => text.push(
            format!(
                "{} {}={value} is neither colour",
                theme.mark(Mark::Bad),
                switch.key
            ),
            Role::Bad,
        ),
        _ => text.push(
            format!(
                "{} no {} in the selector",
                theme.mark(Mark::Bad),
                switch.key
            ),
            Role::Bad,
        ),
    }
    text
}

/// `  ✗ REVERTED by helm at 14:02Z, 3m ago: P repairs`: who put a selector back that somebody meant otherwise, as long as
/// there is room for.
fn reverted(state: &State, view: &ServiceView<'_>, room: usize, theme: &Theme) -> Option<String> {
    let (who, at) = view.reverted()?;
    let lead = format!("  {} ", theme.mark(Mark::Bad));
    let age = words::age_of(at, state.estate(), state.now);
    let when = at.map_or_else(|| "?".to_owned(), |at| words::hour(at, state));
    let key = state.keymap.key_of(Action::Repair);
    let forms = [
        format!("{lead}REVERTED by {who} at {when}, {age} ago: {key} repairs"),
        format!("{lead}REVERTED by {who} {age} ago"),
        format!("{lead}REVERTED by {who}"),
    ];
    let fits = |form: &&String| super::canvas::width(form) <= room;
    Some(forms.iter().find(fits).unwrap_or(&forms[2]).clone())
}

/// Who flipped it last, from what to what, and why; or who else wrote it since. The longest form first.
fn changed(state: &State, view: &ServiceView<'_>, manager: &FieldManager) -> Vec<String> {
    let estate = state.estate();
    let flipped = view.service.and_then(marks::flipped);
    let ours = flipped.filter(|flip| !marks::is_unmanaged(flip, manager));
    let Some(flip) = ours else {
        let (age, by) = (words::age_of(manager.at, estate, state.now), &manager.name);
        return vec![
            format!("  {} {age} ago by {by}", manager.did()),
            format!("  {age} ago by {by}"),
            format!("  {age} {by}"),
        ];
    };
    let age = words::age_of(Some(flip.at), estate, state.now);
    let (by, what, to) = (operations::who(&flip.by), &flip.what, &flip.to);
    let from = flip.from.as_ref().map_or("unset", |from| from.as_str());
    let why = flip
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!(", {why}"));
    if flip.is_compensation() {
        // Nobody but the operation itself did that.
        let word = flip.word();
        return vec![
            format!("  {word} {age} ago  {from} → {to}{why}"),
            format!("  {word} {age} ago  {from} → {to}"),
            format!("  {word} {age} ago"),
            format!("  {age} {word}"),
        ];
    }
    vec![
        format!("  flipped {age} ago  {from} → {to}  by {by}  {what}{why}"),
        format!("  flipped {age} ago  {from} → {to}  by {by}  {what}"),
        format!("  {age} ago  {from} → {to}  by {by}"),
        format!("  {age} ago by {by}"),
        format!("  {age} {by}"),
    ]
}

/// What the Service's endpoints contradict (SAFETY, rule 10).
fn mismatch(view: &ServiceView<'_>, estate: &Estate) -> Option<String> {
    let Live::Colour(live) = view.live else {
        return None;
    };
    let other = 1 - live;
    let name = |colour| words::colour_word(estate, colour);
    match () {
        () if !estate.knows_endpoints() => None,
        () if view.ready[live] == 0 => Some(format!("no ready endpoint of {}", name(live))),
        () if view.ready[other] > 0 => Some(format!(
            "{} of {} still serve",
            view.ready[other],
            name(other)
        )),
        () if view.serving[other] > 0 => Some(format!("{} draining", name(other))),
        () if view.foreign > 0 => Some(format!("{} endpoints of no colour", view.foreign)),
        () => None,
    }
}

/// The selector's other pairs.
fn rest(view: &ServiceView<'_>, key: &str) -> Text {
    let mut text = Text::default();
    for (key, value) in view.rest_of_selector(key).iter() {
        text.push(format!("{key}={value}  "), Role::Dim);
    }
    text
}

/// `BLUE   ● LIVE   ready 5/5   ↺ 0   frontend 4f2a91c   backend 4f2a91c   2d`
fn colour_line(
    state: &State,
    views: &[ServiceView<'_>],
    colour: Option<usize>,
    room: u16,
    theme: &Theme,
) -> Text {
    let estate = state.estate();
    let view = estate.colour_view(colour);
    let (words, role) = under_way(estate, &view, colour, room, theme);
    let has_restarts = usize::from(room) >= ROOMY;
    let text = counted(estate, views, &view, colour, has_restarts, theme).add(words, role);
    let since = since(state, &view, theme);
    let mut left = usize::from(room).saturating_sub(2 + text.width() + since.len() + 2);
    let text = match colour.and_then(|colour| way(state, views, &view, colour, left, theme)) {
        Some(way) => {
            left = left.saturating_sub(way.width() + 2);
            text.append(images(&view, left, theme))
                .add("  ", Role::Plain)
                .append(way)
        }
        None => text.append(images(&view, left, theme)),
    };
    text.pad(usize::from(room).saturating_sub(2 + since.len()))
        .add(since, Role::Dim)
}

/// The same with its images, tag and digest, on a line of their own, and what a key would do with it.
fn opened_colour(
    state: &State,
    views: &[ServiceView<'_>],
    colour: Option<usize>,
    room: u16,
    theme: &Theme,
) -> [Text; 2] {
    let estate = state.estate();
    let view = estate.colour_view(colour);
    let since = since(state, &view, theme);
    let (words, role) = under_way(estate, &view, colour, room, theme);
    let rollout = Text::default().add(words, role);
    let room = usize::from(room).saturating_sub(2);
    let (mut above, mut below) = (
        counted(estate, views, &view, colour, true, theme),
        Text::plain("   "),
    );
    match above.width() + rollout.width() + since.len() <= room {
        true => above = above.append(rollout),
        false => below = below.append(rollout),
    }
    let left = room.saturating_sub(below.width());
    below = below.append(images(&view, left, theme));
    let left = room.saturating_sub(below.width() + 2) + TAG;
    if let Some(way) = colour.and_then(|colour| way(state, views, &view, colour, left, theme)) {
        below = below.add("  ", Role::Plain).append(way);
    }
    let above = above.pad(room.saturating_sub(since.len()));
    [above.add(since, Role::Dim), below]
}

/// How old its oldest pod is, for the end of a line.
fn since(state: &State, view: &ColourView, theme: &Theme) -> String {
    let age = words::age_of(view.since, state.estate(), state.now);
    super::canvas::right(&age, 4, theme)
}

/// `BLUE   ● LIVE   ready 5/5  endpoints 3+2  ↺ 0   `
fn counted(
    estate: &Estate,
    views: &[ServiceView<'_>],
    view: &ColourView,
    colour: Option<usize>,
    has_restarts: bool,
    theme: &Theme,
) -> Text {
    let mut text = Text::plain(" ");
    if let Some(colour) = colour {
        let is_live = estate.live_colour() == Some(colour);
        let name = words::colour_word(estate, colour);
        let widest = (0..2)
            .map(|c| super::canvas::width(&words::colour_word(estate, c)))
            .max();
        text.push(
            column(&name, widest.unwrap_or(0) + 2, theme),
            colour_role(colour),
        );
        let (mark, said) = match (is_live, estate.live_colour()) {
            (true, _) => (Mark::Live, "LIVE"),
            (false, Some(_)) => (Mark::Idle, "idle"),
            (false, None) => (Mark::Unknown, "unknown"),
        };
        let role = if is_live { Role::Focus } else { Role::Plain };
        text.push(format!("{} ", theme.mark(mark)), Role::Plain);
        text.push(said, role);
        text.push("   ", Role::Plain);
    } else {
        text.push("in place   ", Role::Plain);
    }
    text.push("ready ", Role::Dim);
    let ready = column(&ready(estate, view), 5, theme);
    text.push(ready, ready_role(estate, view));
    if let Some(colour) = colour {
        text.push("  endpoints ", Role::Dim);
        text.push(
            column(&endpoints(estate, views, colour), 5, theme),
            Role::Plain,
        );
    }
    if has_restarts {
        text.push(format!("{} ", theme.mark(Mark::Restarts)), Role::Dim);
        text.push(
            column(&known(estate, Kind::Pods, view.restarts), 4, theme),
            if view.restarts > 0 {
                Role::Warn
            } else {
                Role::Dim
            },
        );
    }
    text
}

/// What the colour is about to run, if that is not what it runs: `! rollout of bad5eed not ready 0/2`.
/// Ready pods of the old revision must not hide it.
fn under_way(
    estate: &Estate,
    view: &ColourView,
    colour: Option<usize>,
    room: u16,
    theme: &Theme,
) -> (String, Role) {
    let unfinished = estate.unfinished(colour);
    let stuck = unfinished.iter().find(|rollout| rollout.is_stuck);
    let (look, runs) = (theme.mark(Mark::Look), theme.mark(Mark::Running));
    let is_wide = room >= 98;
    match (stuck, unfinished.first()) {
        (Some(r), _) => {
            let lead = if is_wide { "rollout of " } else { "" };
            let tag = fit(&r.tag, 12, theme);
            let said = format!("{look} {lead}{tag} not ready {}/{}  ", r.ready, r.desired);
            (said, Role::Bad)
        }
        (None, Some(r)) => {
            let lead = if is_wide { "rolls to " } else { "" };
            let tag = fit(&r.tag, 12, theme);
            let said = format!("{runs} {lead}{tag} {}/{}  ", r.ready, r.desired);
            (said, Role::Plain)
        }
        (None, None) if view.is_mixed() => (format!("{look} mixed "), Role::Warn),
        (None, None) => (String::new(), Role::Plain),
    }
}

/// What a key would do with the idle colour: `R rolls back to it: warm 5/5`, `C: not ready 4/5`. Its images keep
/// room for a tag.
fn way(
    state: &State,
    views: &[ServiceView<'_>],
    view: &ColourView,
    colour: usize,
    room: usize,
    theme: &Theme,
) -> Option<Text> {
    let estate = state.estate();
    let live = estate.live_colour().filter(|live| *live != colour)?;
    let switch = estate.scope.traffic.as_ref()?;
    let look = theme.mark(Mark::Look);
    let is_meant = |v: &ServiceView<'_>| {
        let meant = v.service.filter(|_| v.reverted().is_some())?.meant()?;
        Some(meant.get(&switch.key) == Some(&switch.colours[colour]))
    };
    if views.iter().any(|v| is_meant(v) == Some(true)) {
        let key = state.keymap.key_of(Action::Repair);
        let said = Text::default().add(key, Role::Title);
        return Some(said.add(" repairs", Role::Bad)).filter(|said| said.width() + TAG <= room);
    }
    let services: Vec<_> = views.iter().filter_map(|v| v.service).collect();
    if let Some(flip) = brought_back(estate, &services, switch, colour) {
        let age = words::age_of(Some(flip.at), estate, state.now);
        let left = room.saturating_sub(TAG);
        let lead = format!("{look} rolled back");
        let why = flip.why.iter().filter(|_| left >= BRIEF);
        let why = why.map(|why| fit(&format!("{lead} {age} ago: {why}"), left, theme));
        let mut forms = why.chain([format!("{lead} {age} ago"), lead.clone()]);
        let said = forms.find(|said| super::canvas::width(said) <= left);
        return said.map(|said| Text::default().add(said, Role::Warn));
    }
    let kind = beside(state, live);
    let is_back = kind == OperationKind::Rollback;
    let kept = match is_back {
        true => drains(state, estate) + &kept(state, estate),
        false => kept(state, estate),
    };
    let warm = ready(estate, view);
    let is_cold = view.ready == 0 && estate.is_listed(Kind::Pods);
    let key = state.keymap.key_of(match is_back {
        true => Action::Rollback,
        false => Action::Cutover,
    });
    // May it? One answer, the dialog's too.
    let barred = barred_hint(state, kind);
    let short = |it: &Barred| (fit(&it.brief, BRIEF, theme), it.word.to_string());
    let is_whole = view.desired > 0 && view.ready >= view.desired;
    let forms = match (is_back, barred.as_ref().map(short)) {
        (true, Some(_)) if is_cold => [
            "cannot roll back: it is cold, no pod is ready".to_owned(),
            "it is cold".to_owned(),
            "cold".to_owned(),
        ],
        (true, Some((why, word))) => [
            format!("cannot roll back: {why}{kept}"),
            format!("cannot roll back: {why}"),
            word,
        ],
        (true, None) if is_whole => [
            format!("rolls back to it: warm {warm}{kept}"),
            format!("rolls back to it: warm {warm}"),
            "rolls back".to_owned(),
        ],
        (true, None) => [
            format!("rolls back to it: only {warm} warm{kept}"),
            format!("rolls back to it: only {warm} warm"),
            format!("back: {warm}"),
        ],
        (false, None) => [
            format!("cuts over to it{kept}"),
            "cuts over to it".to_owned(),
            "cuts over".to_owned(),
        ],
        (false, Some((why, word))) => [
            format!("cut over: {why}{kept}"),
            format!("cut over: {why}"),
            word,
        ],
    };
    let said = |words: &String| {
        let is_free = is_whole && barred.is_none();
        let role = if is_free { Role::Dim } else { Role::Warn };
        Text::default()
            .add(key.as_str(), Role::Title)
            .add(format!(" {words}"), role)
    };
    forms
        .iter()
        .map(said)
        .find(|said| said.width() + TAG <= room)
}

/// `, kept until 15:10Z`, where the idle colour is kept.
fn kept(state: &State, estate: &Estate) -> String {
    match warmth(estate, Some(estate.server_time(state.now))) {
        Some(Warmth::Kept(Some(end), _)) => {
            let then = follower(estate).map_or("", |_| ", then cleaned up");
            format!(", kept until {}{then}", words::soon(end, state))
        }
        Some(Warmth::Free(..)) if drains_first(state, estate) => {
            ", cleaned up when it is drained".to_owned()
        }
        Some(Warmth::Kept(None, Some(word))) => format!(", held by {}", operations::who(&word.by)),
        Some(Warmth::Kept(None, None) | Warmth::Free(..) | Warmth::Unknown(_)) | None => {
            String::new()
        }
    }
}

/// Whether somebody waits to clean it up until the last requests are gone.
fn drains_first(state: &State, estate: &Estate) -> bool {
    let now = estate.server_time(state.now);
    follower(estate).is_some_and(|it| it.is_draining(now))
}

/// `, draining, 3.2 requests/s`: whether a colour that traffic left still serves.
fn drains(state: &State, estate: &Estate) -> String {
    match estate.draining(state.now.at) {
        Some(Draining::Drained) | None => String::new(),
        Some(drains) => format!(", {drains}"),
    }
}

/// Ready endpoints of a colour, a number a Service: `3+2`.
fn endpoints(estate: &Estate, views: &[ServiceView<'_>], colour: usize) -> String {
    if !estate.knows_endpoints() {
        return "?".to_owned();
    }
    let counts: Vec<_> = views.iter().map(|v| v.ready[colour].to_string()).collect();
    counts.join("+")
}

/// A count, or a question mark where its kind was not listed yet: missing is not zero.
fn known(estate: &Estate, kind: Kind, count: impl ToString) -> String {
    match estate.is_listed(kind) {
        true => count.to_string(),
        false => "?".to_owned(),
    }
}

/// `5/5`, `?/5`
fn ready(estate: &Estate, view: &ColourView) -> String {
    let ready = known(estate, Kind::Pods, view.ready);
    let desired = known(estate, Kind::Deployments, view.desired);
    format!("{ready}/{desired}")
}

fn ready_role(estate: &Estate, view: &ColourView) -> Role {
    match estate.is_listed(Kind::Pods) && view.ready < view.desired {
        true => Role::Bad,
        false => Role::Plain,
    }
}

/// Each workload's tag and digest, as long as there is room for; tags go last.
fn images(view: &ColourView, room: usize, theme: &Theme) -> Text {
    let tags: Vec<String> = Estate::tags(view).into_keys().collect();
    let long = spelled(view, true, true, 12, theme);
    let forms = match tags.as_slice() {
        [tag] => {
            let lead = || Text::plain(format!("{tag} "));
            let digests = |digits| {
                lead()
                    .append(spelled(view, false, false, digits, theme))
                    .trim()
            };
            [long, digests(12), digests(7), Text::plain(tag.clone())]
        }
        _ => [
            long,
            spelled(view, false, true, 7, theme),
            spelled(view, true, true, 0, theme),
            spelled(view, false, true, 0, theme),
        ],
    };
    let fitting = forms.into_iter().find(|form| form.width() <= room);
    fitting.unwrap_or_else(|| Text::plain(fit(&tags.join(" "), room, theme)))
}

/// Images with the workload's name, the tag, and so many digits of the digest.
fn spelled(view: &ColourView, name: bool, tag: bool, digits: usize, theme: &Theme) -> Text {
    let mut text = Text::default();
    for (workload, images) in &view.images {
        if name {
            text.push(format!("{workload} "), Role::Dim);
        }
        for (image, pods) in images {
            if tag {
                let tag = fit(image.short_tag(), 16, theme);
                text.push(format!("{tag} "), Role::Plain);
            }
            if digits > 0
                && let Some(digest) = image.short_digest()
            {
                let digest = digest.get(..digits).unwrap_or(digest);
                text.push(format!("{digest} "), Role::Dim);
            }
            if images.len() > 1 {
                text.push(format!("×{pods} "), Role::Warn);
            }
        }
        if name || tag {
            text.push(" ", Role::Plain);
        }
    }
    text.trim()
}

/// The whole panel in a line: `BLUE ● LIVE 5/5  4f2a91c     GREEN ○ idle 4/5  9b1e07d`.
fn small(estate: &Estate, theme: &Theme) -> Text {
    let mut text = Text::default();
    for colour in 0..2 {
        let view = estate.colour_view(Some(colour));
        let is_live = estate.live_colour() == Some(colour);
        let (mark, said) = if is_live {
            (Mark::Live, "LIVE")
        } else {
            (Mark::Idle, "idle")
        };
        text.push(words::colour_word(estate, colour), colour_role(colour));
        text.push(format!(" {} {said} ", theme.mark(mark)), Role::Plain);
        text.push(ready(estate, &view), ready_role(estate, &view));
        let tags: Vec<_> = Estate::tags(&view).into_keys().collect();
        let tag = match tags.as_slice() {
            [_] if view.is_mixed() => "mixed".to_owned(),
            [tag] => fit(tag, 8, theme),
            [] => String::new(),
            _ => "mixed".to_owned(),
        };
        let unfinished = estate.unfinished(Some(colour));
        match unfinished.iter().find(|r| r.is_stuck) {
            Some(r) => {
                let look = theme.mark(Mark::Look);
                text.push(format!("  {look} new {}/{}", r.ready, r.desired), Role::Bad);
                text.push("     ", Role::Plain);
            }
            None => text.push(format!("  {tag}     "), Role::Plain),
        }
    }
    text.trim()
}

/// What needs a person, in words: Services that disagree, and why data is stale.
fn troubles(state: &State, views: &[ServiceView<'_>], theme: &Theme) -> Vec<Text> {
    let estate = state.estate();
    let mut lines = Vec::new();
    if estate.scope.traffic.is_some()
        && estate.live_colour().is_none()
        && views.len() > 1
        && views.iter().all(|v| v.service.is_some())
    {
        let said = format!(
            "{} the Services do not agree on one colour",
            theme.mark(Mark::Bad)
        );
        lines.push(Text::default().add(said, Role::Bad));
    }
    if is_stale(state)
        && let Some(cause) = words::cause(estate, &KINDS)
    {
        let (_, said) = words::currency(estate, &KINDS, state.now);
        let said = format!("{} {said}: {cause}", theme.mark(Mark::Unknown));
        lines.push(Text::default().add(said, Role::Warn));
    } else {
        lines.extend(stale_beside(state, theme).map(|said| Text::default().add(said, Role::Warn)));
    }
    lines
}

/// Why the header says STALE though traffic is current: the kind that is not, which has no place of its own to say so.
fn stale_beside(state: &State, theme: &Theme) -> Option<String> {
    let (estate, at) = (state.estate(), state.now.at);
    let is_stale = |kind: &Kind| {
        !KINDS.contains(kind)
            && !words::is_withheld(estate, *kind)
            && estate.currency(*kind, at) == Currency::Stale
    };
    let kind = Kind::ALL.into_iter().find(is_stale)?;
    let (_, said) = words::currency(estate, &[kind], state.now);
    let fault = estate.fault(kind).or(estate.cluster.fault.as_ref());
    let why = fault.map_or("no sign of life", |fault| fault.what.as_str());
    let mark = theme.mark(Mark::Unknown);
    Some(format!("{mark} {} {said}: {why}", kind.word()))
}
