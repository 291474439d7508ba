//! GitHub's rate limits: what its answers say of them, and when there may be another request.
//!
//! Whoever keeps on asking while limited is limited for longer, or banned, so the gate is shut here,
//! for everybody who shares the connection.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use tokio::time::Instant;

use super::ask::Purpose;
use super::fault;
use crate::estate::runs::Budget;
use crate::estate::{Fault, FaultKind};

/// Requests that polls leave for what people do.
const RESERVE: u32 = 50;
/// Below such an hourly limit (that of nobody in particular is 60) nothing is left aside.
const SMALL: u32 = 1_000;
/// The shortest and the longest pause after a secondary limit.
const SECONDARY: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(900)];
/// An hourly limit ends within the hour, whatever a clock says.
const HOUR: Duration = Duration::from_secs(3_660);

/// What stands between us and the next request.
#[derive(Debug, Default)]
pub(super) struct Gate {
    budget: Option<Budget>,
    shut: Option<Shut>,
    /// Secondary limits in a row: each waits for twice as long.
    warnings: u32,
}

#[derive(Debug)]
struct Shut {
    until: Instant,
    /// By the wall clock: it passes during a suspend as well.
    reset: Timestamp,
    /// Whether only polls are shut out.
    is_reserve: bool,
    fault: Fault,
}

impl Shut {
    fn left(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (!left.is_zero() && Timestamp::now() < self.reset).then_some(left)
    }
}

impl Gate {
    pub(super) fn budget(&self) -> Option<Budget> {
        self.budget
    }

    pub(super) fn pause(&mut self) -> Option<Duration> {
        let left = self.shut.as_ref()?.left();
        if left.is_none() {
            self.shut = None;
        }
        left
    }

    /// Whether there may be a request now.
    pub(super) fn permit(&mut self, purpose: Purpose) -> Result<(), Fault> {
        if self.pause().is_none() {
            return Ok(());
        }
        match &self.shut {
            Some(shut) if purpose == Purpose::Poll || !shut.is_reserve => Err(shut.fault.clone()),
            _ => Ok(()),
        }
    }

    /// Takes in what the head of an answer says of the hourly budget.
    pub(super) fn take(&mut self, headers: &HeaderMap) {
        let resource = headers.get("x-ratelimit-resource");
        if resource.is_some_and(|name| name != "core") {
            return;
        }
        let (Some(limit), Some(remaining)) = (
            number(headers, "x-ratelimit-limit"),
            number(headers, "x-ratelimit-remaining"),
        ) else {
            return;
        };
        let budget = Budget {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset: reset(headers),
        };
        self.budget = Some(budget);
        if budget.remaining == 0 {
            self.used_up(headers);
        } else if budget.limit >= SMALL && budget.remaining <= RESERVE {
            let left = budget.remaining;
            let what = format!(
                "{left} requests are left of GitHub's hourly budget: kept for what you do; polls go on {}",
                clock(budget.reset)
            );
            self.close(until(headers), true, what);
        }
    }

    /// Reads a refusal: the fault of a rate limit, if it is one.
    pub(super) fn refused(
        &mut self,
        status: u16,
        headers: &HeaderMap,
        message: &str,
    ) -> Option<Fault> {
        if status != 403 && status != 429 {
            return None;
        }
        if number(headers, "x-ratelimit-remaining") == Some(0) {
            return Some(self.used_up(headers));
        }
        let message = message.to_lowercase();
        let after = number(headers, "retry-after").map(Duration::from_secs);
        let says_so = ["rate limit", "abuse", "too many requests"]
            .iter()
            .any(|words| message.contains(words));
        if status == 403 && after.is_none() && !says_so {
            return None;
        }
        let pause = SECONDARY[0] * 2_u32.pow(self.warnings.min(4));
        let pause = pause
            .min(SECONDARY[1])
            .max(after.unwrap_or_default())
            .min(HOUR);
        self.warnings += 1;
        let what = format!(
            "GitHub asks to slow down (secondary rate limit): waiting {} s",
            pause.as_secs()
        );
        Some(self.close(pause, false, what))
    }

    /// An answer came through.
    pub(super) fn passed(&mut self) {
        self.warnings = 0;
    }

    fn used_up(&mut self, headers: &HeaderMap) -> Fault {
        let resets = clock(reset(headers));
        let what = format!("GitHub's hourly budget is used up; resets {resets}");
        self.close(until(headers), false, what)
    }

    fn close(&mut self, pause: Duration, is_reserve: bool, what: String) -> Fault {
        let fault = fault::words(FaultKind::Busy, what);
        self.shut = Some(Shut {
            until: Instant::now() + pause,
            reset: Timestamp::now() + pause,
            is_reserve,
            fault: fault.clone(),
        });
        fault
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn reset(headers: &HeaderMap) -> Option<Timestamp> {
    let seconds = i64::try_from(number(headers, "x-ratelimit-reset")?).ok()?;
    Timestamp::from_second(seconds).ok()
}

/// How long it is until the budget is renewed, by the server's own clock where it tells.
fn until(headers: &HeaderMap) -> Duration {
    let server = headers.get(http::header::DATE);
    let server = server.and_then(|date| jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok());
    let now = server.map_or_else(Timestamp::now, |date| date.timestamp());
    let Some(reset) = reset(headers) else {
        return SECONDARY[0];
    };
    let seconds = u64::try_from(reset.duration_since(now).as_secs()).unwrap_or(0);
    // A second more: both clocks are rounded.
    Duration::from_secs(seconds + 1).min(HOUR)
}

fn clock(reset: Option<Timestamp>) -> String {
    reset.map_or("within the hour".into(), |t| {
        t.strftime("%H:%MZ").to_string()
    })
}
