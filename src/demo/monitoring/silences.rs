//! Silences: made, changed and expired by people; kept for a while after their end.

use super::selector::Matcher;
use super::{Labels, text};
use crate::demo::random::Random;
use crate::demo::tree;
use crate::demo::world::World;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A silence; times are milliseconds since the start.
#[derive(Debug, Clone)]
struct Silence {
    id: String,
    matchers: Vec<Matcher>,
    starts: i64,
    ends: i64,
    updated: i64,
    author: String,
    comment: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Silences {
    all: Vec<Silence>,
    random: Random,
}

/// How a silence or a request for one is refused.
type Refused = (u16, String);

impl Silences {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            all: Vec::new(),
            random: Random::of(seed, "silences"),
        }
    }
}

impl Silence {
    fn state(&self, now: i64) -> &'static str {
        match (now < self.starts, now < self.ends) {
            (_, false) => "expired",
            (true, true) => "pending",
            (false, true) => "active",
        }
    }

    fn fits(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.fits(labels))
    }

    fn shown(&self, world: &World) -> Value {
        let matchers = self.matchers.iter().map(|one| {
            json!({"name": one.name, "value": one.value, "isEqual": one.is_equal, "isRegex": one.is_regex()})
        });
        let time = |at| text::short_time(world, at);
        json!({
            "id": self.id, "status": {"state": self.state(world.now)}, "updatedAt": time(self.updated), "comment": self.comment,
            "createdBy": self.author, "startsAt": time(self.starts), "endsAt": time(self.ends), "matchers": matchers.collect::<Vec<_>>(),
        })
    }

    /// Reads a silence that somebody posts.
    fn read(world: &World, said: &Value) -> Result<Self, Refused> {
        let bad = |why: &str| (400, why.to_owned());
        let time = |key: &str| {
            let said = tree::text(said, &format!("/{key}")).parse::<Timestamp>();
            said.map(|time| time.as_millisecond() - world.epoch.as_millisecond())
                .map_err(|_| (422, format!("{key} in body must be of type date-time")))
        };
        let (starts, ends) = (time("startsAt")?, time("endsAt")?);
        let mut matchers = Vec::new();
        for one in tree::list(said, "/matchers") {
            let (name, value) = (tree::text(one, "/name"), tree::text(one, "/value"));
            let matcher =
                Matcher::new(name, value, one["isEqual"] != false, one["isRegex"] == true);
            let matcher = matcher.ok_or_else(|| {
                bad("failed to create silence: invalid label matcher: error parsing regexp")
            })?;
            if name.is_empty() {
                return Err(bad(
                    "failed to create silence: invalid label matcher 0: invalid label name \"\"",
                ));
            }
            matchers.push(matcher);
        }
        if matchers.is_empty() {
            return Err(bad(
                "failed to create silence: at least one matcher required",
            ));
        }
        if matchers.iter().all(|one| one.fits(&Labels::new())) {
            return Err(bad(
                "failed to create silence: at least one matcher must not match the empty string",
            ));
        }
        if ends <= starts {
            return Err(bad(
                "failed to create silence: start time must be before end time",
            ));
        }
        if ends <= world.now {
            return Err(bad(
                "failed to create silence: end time can't be in the past",
            ));
        }
        Ok(Self {
            id: tree::text(said, "/id").to_owned(),
            matchers,
            starts: starts.max(world.now),
            ends,
            updated: world.now,
            author: tree::text(said, "/createdBy").to_owned(),
            comment: tree::text(said, "/comment").to_owned(),
        })
    }
}

impl World {
    /// The silences whose matchers the filter picks, those that end last first.
    pub(super) fn silences(&self, filter: &[Matcher]) -> Value {
        let picks = |silence: &&Silence| {
            filter.iter().all(|wanted| {
                let mut own = silence.matchers.iter();
                own.any(|one| one.name == wanted.name && one.value == wanted.value)
            })
        };
        let mut all: Vec<&Silence> = self.monitoring.silences.all.iter().filter(picks).collect();
        all.sort_by_key(|silence| (silence.state(self.now) == "expired", silence.ends));
        all.into_iter().map(|silence| silence.shown(self)).collect()
    }

    pub(super) fn silence(&self, id: &str) -> Option<Value> {
        let found = self
            .monitoring
            .silences
            .all
            .iter()
            .find(|silence| silence.id == id);
        found.map(|silence| silence.shown(self))
    }

    /// The ids of the silences that keep an alert quiet now.
    pub(super) fn silenced_by(&self, labels: &Labels) -> Vec<String> {
        let active = self
            .monitoring
            .silences
            .all
            .iter()
            .filter(|silence| silence.state(self.now) == "active");
        active
            .filter(|silence| silence.fits(labels))
            .map(|silence| silence.id.clone())
            .collect()
    }

    /// Makes a silence, or changes the one whose id is given: other matchers make another one of it.
    pub(super) fn make_silence(&mut self, said: &Value) -> Result<String, Refused> {
        let mut made = Silence::read(self, said)?;
        let now = self.now;
        if !made.id.is_empty() {
            let all = &mut self.monitoring.silences.all;
            let Some(known) = all.iter_mut().find(|silence| silence.id == made.id) else {
                return Err((404, format!("silence {} not found", made.id)));
            };
            let is_changeable = known.state(now) != "expired" && known.matchers == made.matchers;
            if is_changeable {
                made.starts = if known.starts <= now {
                    known.starts
                } else {
                    made.starts
                };
                *known = made;
                return Ok(known.id.clone());
            }
            known.ends = known.ends.min(now);
        }
        made.id = self.monitoring.silences.random.uuid();
        let id = made.id.clone();
        self.monitoring.silences.all.push(made);
        Ok(id)
    }

    /// Ends a silence now.
    pub(super) fn expire_silence(&mut self, id: &str) -> Result<(), Refused> {
        let now = self.now;
        let mut all = self.monitoring.silences.all.iter_mut();
        let Some(silence) = all.find(|silence| silence.id == id) else {
            return Err((404, String::new()));
        };
        if silence.state(now) == "expired" {
            return Err((500, format!("silence {id} already expired")));
        }
        (silence.ends, silence.updated) = (now, now);
        silence.starts = silence.starts.min(now);
        Ok(())
    }
}
