//! The release manager's list: what waits for an approval, in every environment that is watched.

use super::canvas::{Canvas, Text, column, fit};
use super::overlay::list;
use super::theme::{Mark, Role, Theme};
use crate::app::approvals::{self, Listed, Row, Stands};
use crate::app::reviews::Waiting;
use crate::app::{Action, State};
use crate::estate::{Currency, Kind};
use crate::ops::Plan;

/// Columns around a line: the window's borders and what is left beside it.
const AROUND: usize = 8;

/// Draws the list.
pub(super) fn draw(state: &State, canvas: &mut Canvas<'_>) {
    let rows = approvals::rows(state);
    let chosen = approvals::chosen(state, &rows).unwrap_or(0);
    let theme = canvas.theme;
    let room = usize::from(canvas.area.width).saturating_sub(AROUND);
    let of_row = |row: &Row| match row {
        Row::Asked(listed) => line(state, listed, room, &theme),
        Row::Review(waiting) => review(&waiting.pending.environment, &said(waiting), room, &theme),
    };
    let mut lines: Vec<Text> = rows.iter().map(of_row).collect();
    let elsewhere = approvals::reviews(state);
    lines.extend(elsewhere.map(|(name, why)| review(name, &why, room, &theme)));
    for environment in &state.environments {
        let estate = &environment.estate;
        let currency = estate.currency(Kind::Records, state.now.at);
        let is_watched = environment.is_watched || estate.is_listed(Kind::Records);
        if !is_watched || currency == Currency::Live {
            continue;
        }
        let why = match (estate.fault(Kind::Records), currency) {
            (Some(fault), _) => fault.what.as_str(),
            (None, Currency::Stale) => "no sign of life",
            (None, Currency::Live | Currency::Waiting) => "not seen yet",
        };
        let said = format!("not known: {why}");
        lines.push(row(Mark::Unknown, &estate.scope.name, &said, room, &theme));
    }
    if lines.is_empty() {
        lines.push(Text::default().add("nothing waits for an approval", Role::Dim));
    }
    let unseen: Vec<&str> = (state.environments.iter())
        .filter(|it| !it.is_watched && !it.estate.is_listed(Kind::Records))
        .map(|environment| environment.estate.scope.name.as_str())
        .collect();
    if !unseen.is_empty() {
        let key = state.keymap.key_of(Action::Environments);
        let said = format!("not watched yet: {} ({key} goes there)", unseen.join(", "));
        lines.push(Text::default().add(fit(&said, room, &theme), Role::Dim));
    }
    let [yes, no] = [Action::Approve, Action::Reject].map(|it| state.keymap.key_of(it));
    let keys = format!("  {yes} approves, {no} rejects, Enter goes there");
    let title = Text::default()
        .add("Approvals", Role::Focus)
        .add(keys, Role::Dim);
    list(canvas, &title, &lines, chosen);
}

/// `#1482 main at GitHub, by carol, erin`
fn said(waiting: &Waiting) -> String {
    let reviewers = waiting.pending.reviewers();
    format!("{} at GitHub, by {reviewers}", waiting.words)
}

/// `‖ production    GitHub's reviewers of run 77: https://…`
fn review(name: &str, why: &str, room: usize, theme: &Theme) -> Text {
    row(Mark::Approval, name, why, room, theme)
}

fn row(mark: Mark, name: &str, why: &str, room: usize, theme: &Theme) -> Text {
    let lead = Text::default()
        .add(format!("{} ", theme.mark(mark)), Role::Warn)
        .add(column(name, 12, theme), Role::Title);
    let left = room.saturating_sub(lead.width());
    lead.add(fit(&format!("  {why}"), left, theme), Role::Plain)
}

/// `‖ production  to GREEN  dave  waits until 15:02Z  v2 is due`
fn line(state: &State, listed: &Listed, room: usize, theme: &Theme) -> Text {
    let name = &state.environments[listed.environment].estate.scope.name;
    let mark = match listed.stands {
        Stands::Waits => Mark::Approval,
        Stands::Void => Mark::Unknown,
        Stands::Approved => Mark::Ok,
    };
    let asked = &listed.asked;
    let to = format!("to {}", Plan::colour_in_words(&asked.colour));
    let said = format!(
        "  {}  {}  {}: {}",
        to, listed.said, asked.author, asked.reason
    );
    let lead = Text::default()
        .add(format!("{} ", theme.mark(mark)), Theme::role(mark))
        .add(column(name, 12, theme), Role::Title);
    let left = room.saturating_sub(lead.width());
    lead.add(fit(&said, left, theme), Role::Plain)
}
