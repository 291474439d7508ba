//! The first screen between Traffic and Operation: Runs, Pods, Alerts, Timeline, as the window allows.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, width};
use super::theme::{Mark, Role, Theme};
use super::{alerts, pods, runs, timeline};
use crate::app::{Panel, State, gaps, lists};
use crate::estate::alerts::Standing;
use crate::estate::{Currency, Kind};

/// From here on panels stand beside each other.
const WIDE: (u16, u16) = (120, 30);
/// Rows of Alerts below the panel of choice, where something is loud.
const LOUD_ROWS: u16 = 4;
/// Columns below which a title that is cut says nothing.
const TITLE: usize = 12;

/// Draws them into `area`, whose first row is the divider below Traffic.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    match canvas.area.width >= WIDE.0 && canvas.area.height >= WIDE.1 {
        true => grid(state, canvas, area),
        false => tabs(state, canvas, area),
    }
}

/// A panel's own title.
fn title_of(state: &State, panel: Panel, theme: &Theme) -> Text {
    match panel {
        Panel::Traffic => Text::plain("Traffic"),
        Panel::Runs => runs::title(state, theme),
        Panel::Pods => pods::title(state, theme),
        Panel::Alerts => alerts::title(state, theme),
        Panel::Timeline => timeline::title(state, theme),
    }
}

/// A panel's content.
fn content(state: &State, panel: Panel, canvas: &mut Canvas<'_>, area: Rect) {
    if !lists::is_connected(state, panel) {
        let (name, section) = match panel {
            Panel::Alerts => ("Prometheus", "[prometheus]"),
            _ => ("GitHub", "[github]"),
        };
        let said = format!("not connected: the configuration has no {section} ({name})");
        canvas.text(
            area.x + 2,
            area.y,
            area.width.saturating_sub(3),
            &Text::default().add(said, Role::Dim),
        );
        return;
    }
    match panel {
        Panel::Runs => runs::draw(state, canvas, area),
        Panel::Alerts => alerts::draw(state, canvas, area),
        Panel::Timeline => timeline::draw(state, canvas, area),
        Panel::Pods | Panel::Traffic => pods::draw(state, canvas, area),
    }
}

/// Two columns: Runs over Alerts, Pods over Timeline. A panel without a source shrinks to its reason,
/// and where both of a column have none, Pods and Timeline get the whole width.
fn grid(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let is_on = |panel| lists::is_connected(state, panel);
    if !is_on(Panel::Runs) && !is_on(Panel::Alerts) {
        return stack(state, canvas, area);
    }
    let left = area.width * 48 / 100;
    let x = area.x + left;
    let columns = [
        Rect {
            width: left,
            ..area
        },
        Rect {
            x: x + 1,
            width: area.width - left - 1,
            ..area
        },
    ];
    let split = |upper: Panel, lower: Panel, share: u16| match (is_on(upper), is_on(lower)) {
        (true, true) => area.height * share / 100,
        (false, _) => 2,
        (_, false) => area.height - 2,
    };
    let heights = [
        split(Panel::Runs, Panel::Alerts, 55),
        split(Panel::Pods, Panel::Timeline, 60),
    ];
    canvas.divider(area.y, &Text::default());
    for (column, (height, panels)) in columns.iter().zip([
        (heights[0], [(Panel::Runs, "1"), (Panel::Alerts, "3")]),
        (heights[1], [(Panel::Pods, "2"), (Panel::Timeline, "4")]),
    ]) {
        let parts = [
            (column.y, height),
            (column.y + height, area.height - height),
        ];
        for ((panel, key), (y, height)) in panels.into_iter().zip(parts) {
            let part = Rect {
                y,
                height,
                ..*column
            };
            titled(state, canvas, panel, key, part);
            let inside = Rect {
                y: y + 1,
                height: height.saturating_sub(1),
                ..part
            };
            content(state, panel, canvas, inside);
        }
    }
    border_between(canvas, x, area, heights);
}

/// The line between two columns, and where the panels' own lines meet it.
fn border_between(canvas: &mut Canvas<'_>, x: u16, area: Rect, heights: [u16; 2]) {
    let borders = canvas.theme.borders();
    for y in area.y..area.bottom() {
        canvas.symbol(x, y, borders.inner[1]);
    }
    canvas.symbol(x, area.y, borders.tees[0]);
    let (left, right) = (area.y + heights[0], area.y + heights[1]);
    canvas.symbol(area.x - 1, left, borders.sides[0]);
    canvas.symbol(area.right(), right, borders.sides[1]);
    canvas.symbol(
        x,
        left,
        if left == right {
            borders.cross
        } else {
            borders.joins[1]
        },
    );
    if left != right {
        canvas.symbol(x, right, borders.joins[0]);
    }
}

/// The line above a panel, with its title.
fn titled(state: &State, canvas: &mut Canvas<'_>, panel: Panel, key: &str, part: Rect) {
    let line = canvas.theme.borders().inner[0];
    canvas.across(part.x, part.y, part.width, line);
    let said = title(state, panel, key, title_of(state, panel, &canvas.theme));
    canvas.titled(part.x + 1, part.y, part.width.saturating_sub(2), &said);
}

/// Pods over Timeline over the whole width, and a row for the panels without a source.
fn stack(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let strip = 2;
    let upper = (area.height - strip) * 62 / 100;
    for (panel, key, y, height) in [
        (Panel::Pods, "2", area.y, upper),
        (
            Panel::Timeline,
            "4",
            area.y + upper,
            area.height - strip - upper,
        ),
    ] {
        canvas.divider(
            y,
            &title(state, panel, key, title_of(state, panel, &canvas.theme)),
        );
        let inside = Rect {
            y: y + 1,
            height: height.saturating_sub(1),
            ..area
        };
        content(state, panel, canvas, inside);
    }
    let y = area.bottom() - strip;
    canvas.divider(y, &Text::default());
    let half = area.width / 2;
    let borders = canvas.theme.borders();
    for (panel, key, x) in [
        (Panel::Runs, "1", area.x),
        (Panel::Alerts, "3", area.x + half),
    ] {
        let part = Rect {
            x,
            y,
            width: half,
            height: strip,
        };
        canvas.titled(
            x + 1,
            y,
            half - 2,
            &title(state, panel, key, title_of(state, panel, &canvas.theme)),
        );
        content(
            state,
            panel,
            canvas,
            Rect {
                y: y + 1,
                height: 1,
                ..part
            },
        );
    }
    canvas.symbol(area.x + half, y, borders.tees[0]);
    canvas.symbol(area.x + half, y + 1, borders.inner[1]);
}

/// One panel of choice, the others as tabs in its title; below it what is loud elsewhere.
fn tabs(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let own = match state.panel {
        Panel::Traffic => Panel::Pods,
        other => other,
    };
    tab_row(state, own, canvas, area);
    let loud = match own != Panel::Alerts && area.height >= 16 && is_loud(state) {
        true => LOUD_ROWS + 1,
        false => 0,
    };
    let list = Rect {
        y: area.y + 1,
        height: area.height - 1 - loud,
        ..area
    };
    content(state, own, canvas, list);
    if loud > 0 {
        canvas.divider(
            list.bottom(),
            &title(
                state,
                Panel::Alerts,
                "3",
                alerts::title(state, &canvas.theme),
            ),
        );
        let strip = Rect {
            y: list.bottom() + 1,
            height: LOUD_ROWS,
            ..area
        };
        content(state, Panel::Alerts, canvas, strip);
    }
}

/// The tabs, and the panel's own title beside them: whole, else without its name, which its tab says, else cut.
fn tab_row(state: &State, own: Panel, canvas: &mut Canvas<'_>, area: Rect) {
    canvas.divider(area.y, &Text::default());
    let theme = canvas.theme;
    let room = usize::from(area.width.saturating_sub(2));
    let whole = title_of(state, own, &theme);
    let short = nameless(&whole);
    let tabs = tab_line(state, own, Told::Beside, &theme);
    let left = room.saturating_sub(tabs.width() + 3);
    let fits = |said: &&Text| said.width() + 2 <= left;
    let (tabs, said) = match [&whole, &short].into_iter().find(fits) {
        Some(said) => (tabs, said),
        // The panel's own trouble must not vanish with its title: rows of it may be scrolled away.
        None => {
            let all = tab_line(state, own, Told::Here, &theme);
            let is_wide = all.width() + 2 > room;
            let least = || tab_line(state, own, Told::Least, &theme);
            (if is_wide { least() } else { all }, &short)
        }
    };
    let used = canvas.titled(area.x + 1, area.y, area.width.saturating_sub(2), &tabs);
    let left = room.saturating_sub(usize::from(used) + 1);
    let said = &whole_pieces(said, left.saturating_sub(2), &theme);
    let needs = (said.width() + 2).min(left);
    if !said.is_empty() && needs >= (said.width() + 2).min(TITLE) {
        let needs = u16::try_from(needs).unwrap_or(0);
        let x = area.right().saturating_sub(1 + needs);
        canvas.titled(x, area.y, needs, said);
    }
}

/// As many of its pieces as fit, with a sign that there are more: of a number half of its digits would be another.
fn whole_pieces(title: &Text, room: usize, theme: &Theme) -> Text {
    let mut text = title.clone();
    if text.width() <= room {
        return text;
    }
    let more = format!(" {}", theme.mark(Mark::More));
    while text.0.len() > 1 && text.width() + width(&more) > room {
        text.0.pop();
        // What led to it leads nowhere.
        let is_lead = |piece: &str| piece.trim_matches([' ', '·']).is_empty();
        while text.0.len() > 1 && text.0.last().is_some_and(|piece| is_lead(&piece.0)) {
            text.0.pop();
        }
    }
    match text.width() {
        0 => Text::default(),
        _ => text.add(more, Role::Dim),
    }
}

/// A title without the panel's name, which is its first piece.
fn nameless(title: &Text) -> Text {
    let mut rest = Text(title.0.iter().skip(1).cloned().collect());
    for piece in &mut rest.0 {
        piece.0 = piece.0.trim_start().to_owned();
        if !piece.0.is_empty() {
            break;
        }
    }
    rest
}

/// Whether Alerts have something that must be seen from every panel.
fn is_loud(state: &State) -> bool {
    let Some(alerts) = &state.estate().alerts else {
        return false;
    };
    let fires = alerts
        .views()
        .iter()
        .any(|v| v.standing == Standing::Firing);
    fires || alerts.rules.fault.is_some()
}

/// How much the tabs tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The panel's own counts stand in its title beside them.
    Beside,
    /// All of it.
    Here,
    /// What needs a person alone.
    Least,
}

/// `1 Runs ✗1▶1  [2 Pods]  3 Alerts ?  4 Time`
fn tab_line(state: &State, own: Panel, told: Told, theme: &Theme) -> Text {
    let mut tabs = Text::default();
    for (panel, key, name) in [
        (Panel::Runs, "1", "Runs"),
        (Panel::Pods, "2", "Pods"),
        (Panel::Alerts, "3", "Alerts"),
        (Panel::Timeline, "4", "Time"),
    ] {
        let gap = if tabs.is_empty() { "" } else { "  " };
        tabs.push(gap, Role::Dim);
        let is_focused = panel == own && state.panel == own;
        let role = match panel == own {
            true if is_focused => Role::Focus,
            true => Role::Title,
            false => Role::Dim,
        };
        let (open, close) = if panel == own { ("[", "]") } else { ("", "") };
        tabs.push(
            format!("{open}{key} {name}{}", narrowed(state, panel)),
            role,
        );
        if panel != own || told != Told::Beside {
            tabs = tabs.append(counts(state, panel, told, theme));
        }
        tabs.push(close, role);
    }
    tabs
}

/// `: alerts only`: a list of which a part is hidden says so, also where its title has no room.
fn narrowed(state: &State, panel: Panel) -> String {
    let topics = match panel {
        Panel::Timeline => lists::topics(state),
        Panel::Traffic | Panel::Runs | Panel::Pods | Panel::Alerts => Vec::new(),
    };
    let words: Vec<&str> = topics.iter().map(|topic| topic.word()).collect();
    match words.is_empty() {
        true => String::new(),
        false => format!(": {} only", words.join(" ")),
    }
}

/// ` ?✗1▶1‖1`: whether what a panel says is current, what needs a person, and what is under way.
fn counts(state: &State, panel: Panel, told: Told, theme: &Theme) -> Text {
    let mut text = Text::default();
    if let Some(mark) = doubt(state, panel) {
        text.push(theme.mark(mark), Theme::role(mark));
    }
    let busy = |kind| match (panel, told) {
        (Panel::Runs, Told::Beside | Told::Here) => runs_with(state, kind),
        _ => 0,
    };
    for (kind, count) in [
        (Mark::Bad, bad_count(state, panel)),
        (Mark::Running, busy(Mark::Running)),
        (Mark::Approval, busy(Mark::Approval)),
    ] {
        if count > 0 {
            text.push(format!("{}{count}", theme.mark(kind)), Theme::role(kind));
        }
    }
    match text.is_empty() {
        true => text,
        false => Text::plain(" ").append(text),
    }
}

/// The mark of a panel that does not know what is now: a count of nothing must not read as calm.
fn doubt(state: &State, panel: Panel) -> Option<Mark> {
    let at = state.now.at;
    let of = |currency| match currency {
        Currency::Live => None,
        Currency::Waiting => Some(Mark::Waiting),
        Currency::Stale => Some(Mark::Unknown),
    };
    match panel {
        Panel::Runs => of(state.repository.as_ref()?.runs.currency(at)),
        Panel::Pods => of(state.estate().currency(Kind::Pods, at)),
        Panel::Alerts => alerts::doubt(state),
        Panel::Timeline => timeline::doubt(&gaps(state)),
        Panel::Traffic => None,
    }
}

/// How many runs have that mark.
fn runs_with(state: &State, kind: Mark) -> usize {
    let runs = state.repository.iter().flat_map(|it| &it.runs.value);
    runs.filter(|run| runs::mark(&run.progress) == kind).count()
}

/// What needs a person in a panel.
fn bad_count(state: &State, panel: Panel) -> usize {
    let estate = state.estate();
    match panel {
        Panel::Pods => estate.index.trouble(),
        Panel::Alerts => {
            let views = estate
                .alerts
                .as_ref()
                .map(|a| a.views())
                .unwrap_or_default();
            views
                .iter()
                .filter(|v| v.standing == Standing::Firing)
                .count()
        }
        Panel::Runs => runs_with(state, Mark::Bad),
        Panel::Traffic | Panel::Timeline => 0,
    }
}

/// A panel's number and title, bright if it has the focus.
fn title(state: &State, panel: Panel, key: &str, rest: Text) -> Text {
    let role = if state.panel == panel {
        Role::Focus
    } else {
        Role::Title
    };
    let mut pieces = rest.0.into_iter();
    let first = pieces.next().map(|p| p.0).unwrap_or_default();
    let mut text = Text::default().add(format!("{key} {first}"), role);
    text.0.extend(pieces);
    text
}
