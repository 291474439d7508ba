//! What waits for another person's approval: who asked, what would go live, until when.

use serde_json::{Value, json};

use crate::app::approvals::{Listed, Stands, of};
use crate::estate::{Estate, Kind, Now, Safe};
use crate::ops::Plan;
use crate::ops::approval::Papers;

/// A line each, and why others cannot be told.
pub(super) fn lines(estate: &Estate, now: Now) -> Vec<String> {
    let listed = of(estate, 0, now);
    let lines = listed.iter().map(|it| line(estate, it));
    lines
        .chain(unread(estate).map(|why| format!("UNKNOWN approval: {why}")))
        .collect()
}

fn line(estate: &Estate, listed: &Listed) -> String {
    let (asked, said) = (&listed.asked, &listed.said);
    let to = Plan::colour_in_words(&asked.colour);
    let way_on = match listed.stands {
        Stands::Waits => format!(
            ": `wheelhouse approval approve {} --write --reason …` by one other person",
            estate.scope.name
        ),
        Stands::Approved | Stands::Void => String::new(),
    };
    let passes_over = asked
        .passes_over()
        .map_or_else(String::new, |gates| format!(", passing over {gates}"));
    format!(
        "approval of a cutover to {to} ({}){passes_over}, {}; {said}{way_on}",
        asked.runs,
        asked.words()
    )
}

/// The same for programs; null where nothing was seen yet.
pub(super) fn json(estate: &Estate, now: Now) -> Value {
    if !estate.is_listed(Kind::Records) {
        return Value::Null;
    }
    let lasts_s = estate.scope.approval.lasts_s;
    let row = |it: &Listed| {
        let asked = &it.asked;
        json!({
            "id": asked.id,
            "state": it.stands,
            "words": it.said,
            "requester": asked.requester,
            "seat": asked.seat,
            "to": asked.colour,
            "runs": asked.runs,
            "overrides": asked.overrides,
            "reason": asked.reason,
            "since": asked.created,
            "until": asked.ends(lasts_s),
        })
    };
    json!({
        "requests": of(estate, 0, now).iter().map(row).collect::<Vec<_>>(),
        "unread": unread(estate).collect::<Vec<_>>(),
    })
}

/// Why some of them cannot be read: one of a newer version may wait.
fn unread(estate: &Estate) -> impl Iterator<Item = Safe> {
    let papers = Papers::in_estate(estate).unread.into_iter();
    papers.map(|unread| unread.why)
}
