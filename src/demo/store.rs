//! Objects as the bytes that go over the wire, one resource version for all, and the history that
//! watches and pages read. An object is parsed again when it is changed: 50,000 pods stay small.

use super::kind::Kind;
pub(super) use super::object::{Key, Object};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::watch;

/// How many changes of each kind are kept for watches and pages.
const HISTORY: usize = 8192;

/// One step of history: what stood before, and what stands since.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) before: Option<Arc<Object>>,
    /// Nothing after a deletion.
    pub(super) after: Option<Arc<Object>>,
    /// What a watch shows of a deletion: the last state under the version of the deletion.
    pub(super) last: Option<Arc<Object>>,
}

/// A kind's objects and its history.
#[derive(Debug, Clone)]
struct Shelf {
    objects: BTreeMap<Key, Arc<Object>>,
    changes: VecDeque<Change>,
    /// Up to here history is forgotten.
    floor: u64,
    latest: watch::Sender<u64>,
}

/// All objects.
#[derive(Debug, Clone)]
pub(super) struct Store {
    shelves: BTreeMap<Kind, Shelf>,
    owned: BTreeMap<String, BTreeSet<(Kind, Key)>>,
    places: BTreeMap<String, (Kind, Key)>,
    version: u64,
}

impl Store {
    pub(super) fn new(version: u64) -> Self {
        let shelf = || Shelf {
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            floor: version,
            latest: watch::Sender::new(version),
        };
        let shelves = Kind::ALL.into_iter().map(|kind| (kind, shelf())).collect();
        Self {
            shelves,
            owned: BTreeMap::new(),
            places: BTreeMap::new(),
            version,
        }
    }

    /// The same objects and history, with watches of its own.
    pub(super) fn twin(&self) -> Self {
        let mut twin = self.clone();
        for shelf in twin.shelves.values_mut() {
            shelf.latest = watch::Sender::new(twin.version);
        }
        twin
    }

    fn shelf(&self, kind: Kind) -> &Shelf {
        &self.shelves[&kind]
    }

    /// The version of the last change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The version that the next change will carry.
    pub(super) fn next_version(&self) -> u64 {
        self.version + 1
    }

    pub(super) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Object>> {
        self.shelf(kind)
            .objects
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Objects of a kind; of one namespace, or of all where it is empty.
    pub(super) fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Object>> {
        let start = Bound::Included((namespace.to_owned(), String::new()));
        let within = move |(key, _): &(&Key, _)| namespace.is_empty() || key.0 == namespace;
        self.shelf(kind)
            .objects
            .range((start, Bound::Unbounded))
            .take_while(within)
            .map(|(_, object)| object)
    }

    /// The object with this uid.
    pub(super) fn find(&self, uid: &str) -> Option<Arc<Object>> {
        let (kind, key) = self.places.get(uid)?;
        self.shelf(*kind).objects.get(key).cloned()
    }

    /// Objects that name `uid` as an owner.
    pub(super) fn owned(&self, uid: &str) -> Vec<Arc<Object>> {
        let keys = self.owned.get(uid).into_iter().flatten();
        keys.filter_map(|(kind, key)| self.shelf(*kind).objects.get(key).cloned())
            .collect()
    }

    /// Objects after `after` as they stood at `version`; nothing where history does not reach so far back.
    pub(super) fn list_at(
        &self,
        kind: Kind,
        namespace: &str,
        after: Option<&Key>,
        version: u64,
    ) -> Option<Vec<Arc<Object>>> {
        let shelf = self.shelf(kind);
        if version < shelf.floor {
            return None;
        }
        let start = match after {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Included((namespace.to_owned(), String::new())),
        };
        let within = |key: &Key| {
            (namespace.is_empty() || key.0 == namespace) && after.is_none_or(|after| key > after)
        };
        let range = shelf
            .objects
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| within(key));
        let newer = shelf
            .changes
            .partition_point(|change| change.version <= version);
        if newer == shelf.changes.len() {
            return Some(range.map(|(_, object)| Arc::clone(object)).collect());
        }
        let mut objects: BTreeMap<Key, Arc<Object>> = range
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect();
        for change in shelf.changes.range(newer..).rev() {
            undo(&mut objects, change, &within);
        }
        Some(objects.into_values().collect())
    }

    /// Changes of a kind after `version`; nothing where history does not reach so far back.
    pub(super) fn since(&self, kind: Kind, version: u64) -> Option<impl Iterator<Item = &Change>> {
        let shelf = self.shelf(kind);
        let start = shelf
            .changes
            .partition_point(|change| change.version <= version);
        (version >= shelf.floor).then(|| shelf.changes.range(start..))
    }

    /// Up to which version the history of a kind is forgotten.
    pub(super) fn floor(&self, kind: Kind) -> u64 {
        self.shelf(kind).floor
    }

    /// Tells of each change of a kind.
    pub(super) fn follow(&self, kind: Kind) -> watch::Receiver<u64> {
        self.shelf(kind).latest.subscribe()
    }

    /// Wakes every watch, so that it looks at faults.
    pub(super) fn wake(&self) {
        for shelf in self.shelves.values() {
            shelf.latest.send_modify(|_| {});
        }
    }

    /// Forgets all history: watches and pages of older versions are answered 410.
    pub(super) fn forget(&mut self) {
        let version = self.version;
        for shelf in self.shelves.values_mut() {
            shelf.changes.clear();
            shelf.floor = version;
        }
    }

    /// Puts `next`, whose version must be [`Store::next_version`].
    pub(super) fn put(&mut self, next: Object) -> Change {
        self.version = next.version;
        let (kind, key, next) = (next.kind, next.key(), Arc::new(next));
        let before = self
            .shelves
            .get_mut(&kind)
            .and_then(|shelf| shelf.objects.insert(key, Arc::clone(&next)));
        self.index(before.as_deref(), false);
        self.index(Some(&next), true);
        let change = Change {
            version: self.version,
            before,
            after: Some(next),
            last: None,
        };
        self.record(kind, change.clone());
        change
    }

    /// Takes out the object that `last` shows for the last time, under [`Store::next_version`].
    pub(super) fn take(&mut self, last: Object) -> Change {
        self.version = last.version;
        let kind = last.kind;
        let before = self
            .shelves
            .get_mut(&kind)
            .and_then(|shelf| shelf.objects.remove(&last.key()));
        self.index(before.as_deref(), false);
        let change = Change {
            version: self.version,
            before,
            after: None,
            last: Some(Arc::new(last)),
        };
        self.record(kind, change.clone());
        change
    }

    fn record(&mut self, kind: Kind, change: Change) {
        if let Some(shelf) = self.shelves.get_mut(&kind) {
            shelf.latest.send_replace(change.version);
            shelf.changes.push_back(change);
            if shelf.changes.len() > HISTORY {
                shelf.floor = shelf
                    .changes
                    .pop_front()
                    .map_or(shelf.floor, |change| change.version);
            }
        }
    }

    fn index(&mut self, object: Option<&Object>, add: bool) {
        let Some(object) = object else { return };
        if add {
            self.places
                .insert(object.uid.clone(), (object.kind, object.key()));
        } else {
            self.places.remove(&object.uid);
        }
        for owner in &object.owners {
            let entry = (object.kind, object.key());
            let set = self.owned.entry(owner.clone()).or_default();
            if add {
                set.insert(entry);
            } else {
                set.remove(&entry);
            }
            if set.is_empty() {
                self.owned.remove(owner);
            }
        }
    }
}

fn undo(objects: &mut BTreeMap<Key, Arc<Object>>, change: &Change, within: &impl Fn(&Key) -> bool) {
    let Some(object) = change.before.as_ref().or(change.after.as_ref()) else {
        return;
    };
    let key = object.key();
    if !within(&key) {
        return;
    }
    match &change.before {
        Some(before) => objects.insert(key, Arc::clone(before)),
        None => objects.remove(&key),
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(store: &Store, name: &str) -> Object {
        let version = store.next_version().to_string();
        Object::new(
            Kind::Pod,
            &json!({"metadata": {"name": name, "namespace": "n", "resourceVersion": version}}),
        )
    }

    #[test]
    fn a_list_at_an_older_version_shows_what_stood_then() {
        let mut store = Store::new(100);
        for name in ["a", "b", "c"] {
            store.put(pod(&store, name));
        }
        let then = store.version();
        store.take(pod(&store, "b"));
        store.put(pod(&store, "a"));
        store.put(pod(&store, "d"));
        let names = |version, after: Option<&Key>| -> Vec<String> {
            let objects = store.list_at(Kind::Pod, "n", after, version).unwrap();
            objects
                .iter()
                .map(|object| format!("{}{}", object.name, object.version))
                .collect()
        };
        assert_eq!(names(then, None), ["a101", "b102", "c103"]);
        assert_eq!(
            names(then, Some(&("n".into(), "a".into()))),
            ["b102", "c103"]
        );
        assert_eq!(names(store.version(), None), ["a105", "c103", "d106"]);
    }

    #[test]
    fn forgotten_history_is_neither_listed_nor_followed() {
        let mut store = Store::new(100);
        store.put(pod(&store, "a"));
        store.forget();
        assert!(store.list_at(Kind::Pod, "n", None, 100).is_none());
        assert!(store.since(Kind::Pod, 100).is_none());
        assert_eq!(store.since(Kind::Pod, 101).unwrap().count(), 0);
    }
}
