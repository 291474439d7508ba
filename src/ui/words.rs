//! Words and numbers as the screen says them.

use jiff::Timestamp;

use super::theme::Mark;
use crate::app::State;
use crate::estate::{Currency, Estate, Fault, FaultKind, Kind, Now, Safe, Tier, Verdict};

/// An age: seconds in steps of ten, then whole minutes, hours, days.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{}s", s / 10 * 10),
        s @ 60..3_600 => format!("{}m", s / 60),
        s @ 3_600..172_800 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

/// How old what is not current is; below the first step of ages that is not known better than `STALE`.
pub fn stale(seconds: i64) -> String {
    match seconds {
        ..10 => "STALE".to_owned(),
        seconds => format!("STALE {}", age(seconds)),
    }
}

/// The age of something that the server dated; `-` where it did not.
pub fn age_of(at: Option<Timestamp>, estate: &Estate, now: Now) -> String {
    at.map_or_else(
        || "-".to_owned(),
        |at| age(estate.server_time(now).as_second() - at.as_second()),
    )
}

/// A sample's value as Prometheus spells it, with four digits where it is a number.
pub fn value(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            let places = if number.abs() >= 100.0 { 1 } else { 4 };
            let short = format!("{number:.places$}");
            let short = short.trim_end_matches('0').trim_end_matches('.');
            if short.is_empty() {
                "0".to_owned()
            } else {
                short.to_owned()
            }
        }
        _ => text.to_owned(),
    }
}

/// `PROD`, `STAGING`, `DEV`.
pub fn tier_badge(tier: Tier) -> &'static str {
    match tier {
        Tier::Production => "PROD",
        Tier::Staging => "STAGING",
        Tier::Development => "DEV",
    }
}

/// A colour's name as a word: BLUE.
pub fn colour_word(estate: &Estate, colour: usize) -> String {
    let switch = estate.scope.traffic.as_ref();
    switch.map_or_else(String::new, |t| t.colours[colour].to_uppercase())
}

/// Who is live, in a word or two.
pub fn live_word(estate: &Estate) -> String {
    match (&estate.scope.traffic, estate.live_colour()) {
        (None, _) => "in place".to_owned(),
        (Some(_), Some(colour)) => format!("{} live", colour_word(estate, colour)),
        (Some(_), None) if estate.is_listed(Kind::Services) => "NO ONE COLOUR LIVE".to_owned(),
        (Some(_), None) => "live unknown".to_owned(),
    }
}

/// How current what is known of `kinds` is, as a mark and words: `live`, `STALE 48s`, `waiting`.
pub fn currency(estate: &Estate, kinds: &[Kind], now: Now) -> (Option<Mark>, String) {
    let worst = kinds
        .iter()
        .max_by_key(|k| match estate.currency(**k, now.at) {
            Currency::Live => 0,
            Currency::Waiting => 1,
            Currency::Stale => 2 + estate.age(**k, now.at).unwrap_or(u64::MAX - 2),
        });
    let Some(kind) = worst else {
        return (None, String::new());
    };
    match (estate.currency(*kind, now.at), estate.age(*kind, now.at)) {
        (Currency::Live, _) => (None, "live".to_owned()),
        (Currency::Waiting, _) => (Some(Mark::Waiting), "waiting".to_owned()),
        (Currency::Stale, Some(ms)) => {
            let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
            (Some(Mark::Unknown), stale(seconds))
        }
        (Currency::Stale, None) => (Some(Mark::Unknown), "NO DATA".to_owned()),
    }
}

/// Whether `kind` was never seen because it is not allowed, or not there: that says nothing about the
/// others, and their place says why.
pub fn is_withheld(estate: &Estate, kind: Kind) -> bool {
    let is_so = |fault: &Fault| matches!(fault.kind, FaultKind::Forbidden | FaultKind::Missing);
    !estate.is_listed(kind) && estate.fault(kind).is_some_and(is_so)
}

/// Why what is known of `kinds` is not current.
pub fn cause<'a>(estate: &'a Estate, kinds: &[Kind]) -> Option<&'a Safe> {
    kinds.iter().find_map(|k| estate.fault(*k)).map(|f| &f.what)
}

/// The mark of a verdict.
pub fn verdict_mark(verdict: &Verdict) -> Mark {
    match verdict {
        Verdict::Ok => Mark::Ok,
        Verdict::Bad(_) => Mark::Bad,
        Verdict::Unknown(_) => Mark::Unknown,
    }
}

/// HH:MM, in UTC with `Z` or in local time.
pub fn clock(state: &State) -> String {
    hour(state.estate().server_time(state.now), state)
}

/// A moment of today, without seconds.
pub fn hour(at: Timestamp, state: &State) -> String {
    if state.look.local_time {
        return at
            .to_zoned(state.zone.clone())
            .strftime("%H:%M")
            .to_string();
    }
    at.strftime("%H:%MZ").to_string()
}

/// A moment in the near future or past: `18:00Z`, on another day `Nov 30 06:00Z`.
pub fn soon(at: Timestamp, state: &State) -> String {
    let zone = match state.look.local_time {
        true => state.zone.clone(),
        false => jiff::tz::TimeZone::UTC,
    };
    let (then, today) = (at.to_zoned(zone.clone()), state.now.wall.to_zoned(zone));
    match then.date() == today.date() {
        true => hour(at, state),
        false => format!("{} {}", then.strftime("%b %-d"), hour(at, state)),
    }
}

/// A moment with seconds, for details.
pub fn moment(at: Timestamp, state: &State) -> String {
    if state.look.local_time {
        let zoned = at.to_zoned(state.zone.clone());
        return zoned.strftime("%Y-%m-%d %H:%M:%S").to_string();
    }
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_what_is_no_number_stays() {
        let said: Vec<_> = [
            "1.9801980198019803e-01",
            "2.4",
            "81",
            "NaN",
            "+Inf",
            "0",
            "12345.678",
        ]
        .map(value)
        .into();
        assert_eq!(said, ["0.198", "2.4", "81", "NaN", "+Inf", "0", "12345.7"]);
    }

    #[test]
    fn ages_go_in_steps() {
        let said: Vec<_> = [-5, 0, 9, 10, 59, 60, 3_599, 3_600, 86_400, 172_800]
            .map(age)
            .into();
        assert_eq!(
            said,
            [
                "0s", "0s", "0s", "10s", "50s", "1m", "59m", "1h", "24h", "2d"
            ]
        );
    }
}
