//! What ails the API itself: refusals, delays, lies and silence, for a while.

use tokio::sync::watch;

/// Whose requests it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Kubernetes,
    GitHub,
    Prometheus,
    Alertmanager,
}

/// What happens to a request instead of an honest answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// This status; the request takes effect all the same where `is_applied`.
    Status {
        code: u16,
        retry_after: Option<u64>,
        is_applied: bool,
    },
    /// The answer comes so many milliseconds late.
    Slow(u64),
    /// 200 and an HTML page, as of a proxy's login form.
    Html,
    /// Half of the answer's body.
    Truncate,
    /// The connection ends without an answer; the request takes effect where `is_applied`.
    Cut { is_applied: bool },
    /// GitHub's limit of the hour is used up.
    Primary,
    /// GitHub's other limit: come back after so many seconds; 0 says nothing.
    Secondary(u64),
}

/// Which requests it happens to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Victims {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`; empty means all.
    pub(super) verbs: Vec<String>,
    /// A plural (`services`); empty means all.
    pub(super) resource: String,
    /// Only so many requests.
    pub(super) times: Option<u32>,
}

#[derive(Debug)]
struct ApiFault {
    side: Side,
    effect: Effect,
    victims: Victims,
    until: i64,
}

/// All faults of the API now.
#[derive(Debug)]
pub(super) struct Faults {
    all: Vec<ApiFault>,
    away_until: watch::Sender<i64>,
    /// Watches with a lower number are silent, ended, or answered 410.
    pub(super) silent_below: u64,
    pub(super) closed_below: u64,
    pub(super) expired_below: u64,
    watches: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            away_until: watch::Sender::new(i64::MIN),
            silent_below: 0,
            closed_below: 0,
            expired_below: 0,
            watches: 0,
        }
    }
}

impl Faults {
    pub(super) fn add(&mut self, side: Side, effect: Effect, victims: Victims, until: i64) {
        self.all.push(ApiFault {
            side,
            effect,
            victims,
            until,
        });
    }

    /// No answer to anybody until then.
    pub(super) fn leave(&mut self, until: i64) {
        self.away_until.send_replace(until);
    }

    /// Until when the API is away; the past where it is there.
    pub(super) fn away(&self) -> watch::Receiver<i64> {
        self.away_until.subscribe()
    }

    pub(super) fn is_away(&self, now: i64) -> bool {
        now < *self.away_until.borrow()
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.away_until.send_replace(i64::MIN);
    }

    pub(super) fn expire(&mut self, now: i64) {
        self.all
            .retain(|fault| fault.until > now && fault.victims.times != Some(0));
    }

    /// What happens to this request; one that only a number of requests meet is used up by it.
    pub(super) fn meet(&mut self, side: Side, verb: &str, resource: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for fault in self.all.iter_mut().filter(|fault| fault.side == side) {
            let victims = &mut fault.victims;
            let fits = (victims.verbs.is_empty()
                || victims.verbs.iter().any(|victim| victim == verb))
                && (victims.resource.is_empty() || victims.resource == resource);
            if fits && victims.times != Some(0) {
                victims.times = victims.times.map(|times| times - 1);
                effects.push(fault.effect.clone());
            }
        }
        effects
    }

    /// The number of a new watch.
    pub(super) fn number_watch(&mut self) -> u64 {
        self.watches += 1;
        self.watches
    }

    /// One more than the newest watch's number.
    pub(super) fn all_watches(&self) -> u64 {
        self.watches + 1
    }
}
