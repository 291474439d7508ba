//! The newest Events only: a namespace may hold ten thousand, and one crash loop must not push out the rest.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::estate::{Change, Event, Safe};

/// Events kept in all.
const ALL: usize = 500;
/// Events kept of one object.
const EACH: usize = 20;

type Age = (Option<Timestamp>, Safe);

/// Which Events are kept, by name and age.
#[derive(Default)]
pub(super) struct Recent {
    by_age: BTreeSet<Age>,
    by_object: HashMap<Safe, BTreeSet<Age>>,
    known: HashMap<Safe, (Option<Timestamp>, Safe)>,
}

impl Recent {
    /// Notes `event` and tells which names have to go for it; it may be its own.
    pub(super) fn admit(&mut self, event: &Event) -> Vec<Safe> {
        self.remove(&event.name);
        let age = (event.last, event.name.clone());
        let object = event.object_uid.clone();
        self.known
            .insert(event.name.clone(), (event.last, object.clone()));
        self.by_age.insert(age.clone());
        let of_object = self.by_object.entry(object).or_default();
        of_object.insert(age);
        let mut gone = Vec::new();
        if of_object.len() > EACH {
            gone.extend(of_object.first().map(|(_, name)| name.clone()));
        } else if self.by_age.len() > ALL {
            gone.extend(self.by_age.first().map(|(_, name)| name.clone()));
        }
        for name in &gone {
            self.remove(name);
        }
        gone
    }

    /// Forgets the Event of that name. Returns whether it was kept.
    pub(super) fn remove(&mut self, name: &Safe) -> bool {
        let Some((at, object)) = self.known.remove(name) else {
            return false;
        };
        let age = (at, name.clone());
        self.by_age.remove(&age);
        if let Some(of_object) = self.by_object.get_mut(&object) {
            of_object.remove(&age);
            if of_object.is_empty() {
                self.by_object.remove(&object);
            }
        }
        true
    }

    /// Keeps of a batch of changes what is recent, with the deletions that make room.
    pub(super) fn sift(&mut self, changes: Vec<Change<Event>>) -> Vec<Change<Event>> {
        let mut kept = Vec::with_capacity(changes.len());
        for change in changes {
            match change {
                Change::Applied(event) => {
                    let gone = self.admit(&event);
                    if !gone.contains(&event.name) {
                        kept.push(Change::Applied(event));
                    }
                    kept.extend(gone.into_iter().map(Change::Deleted));
                }
                Change::Deleted(name) => {
                    if self.remove(&name) {
                        kept.push(Change::Deleted(name));
                    }
                }
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: i64, object: &str) -> Event {
        Event {
            name: format!("e{n}").into(),
            object_kind: "Pod".into(),
            object: object.into(),
            object_uid: object.into(),
            is_warning: true,
            reason: "BackOff".into(),
            message: "again".into(),
            count: 1,
            last: Timestamp::from_second(n).ok(),
        }
    }

    #[test]
    fn the_oldest_events_make_room() {
        let mut recent = Recent::default();
        let many = (0..ALL as i64).map(|n| Change::Applied(event(n, &format!("p{n}"))));
        assert_eq!(recent.sift(many.collect()).len(), ALL);
        let one_more = recent.sift(vec![Change::Applied(event(9_999, "new"))]);
        assert_eq!(one_more.len(), 2);
        assert_eq!(one_more[1], Change::Deleted("e0".into()));
        let too_old = recent.sift(vec![Change::Applied(event(-5, "old"))]);
        assert_eq!(too_old, [Change::Deleted("e-5".into())]);
    }

    #[test]
    fn one_crash_loop_does_not_push_out_the_rest() {
        let mut recent = Recent::default();
        recent.sift(vec![Change::Applied(event(0, "quiet"))]);
        let noise = (1..2_000).map(|n| Change::Applied(event(n, "noisy")));
        let sifted = recent.sift(noise.collect());
        assert!(!sifted.contains(&Change::Deleted("e0".into())));
        assert_eq!(recent.known.len(), 1 + EACH);
    }

    #[test]
    fn an_event_that_counts_up_stays_one() {
        let mut recent = Recent::default();
        let mut again = event(1, "p");
        recent.sift(vec![Change::Applied(again.clone())]);
        again.last = Timestamp::from_second(50).ok();
        recent.sift(vec![Change::Applied(again)]);
        assert_eq!((recent.known.len(), recent.by_age.len()), (1, 1));
        assert_eq!(recent.sift(vec![Change::Deleted("e1".into())]).len(), 1);
        assert!(recent.by_object.is_empty());
    }
}
