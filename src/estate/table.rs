//! Objects of one kind by name, fed by list pages and watch changes.
//!
//! A new listing never empties the table: what was not in it goes only when it has ended.

use std::collections::BTreeMap;

use super::{Change, Delta, Safe};

/// An object that has a name in its namespace.
pub trait Keyed {
    /// The name.
    fn key(&self) -> &Safe;
}

/// The objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<T> {
    rows: BTreeMap<Safe, Row<T>>,
    /// Counts listings: rows of an older one are dropped when the current one ends.
    listing: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Row<T> {
    value: T,
    listing: u64,
}

/// What one change did to a table.
#[derive(Debug, PartialEq)]
pub struct Turnover<T> {
    /// The row that went, if there was one.
    pub old: Option<T>,
    /// The name of the row that came, if one did.
    pub new: Option<Safe>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            listing: 0,
        }
    }
}

impl<T: Keyed> Table<T> {
    /// Folds `delta` in and tells `each` turnover. Returns whether a whole listing ended.
    pub fn apply(&mut self, delta: Delta<T>, mut each: impl FnMut(&Self, Turnover<T>)) -> bool {
        match delta {
            Delta::Began => self.listing += 1,
            Delta::Page(page) => {
                for value in page {
                    let turnover = self.put(value);
                    each(self, turnover);
                }
            }
            Delta::Ended => {
                let gone: Vec<Safe> = (self.rows.iter())
                    .filter(|(_, row)| row.listing != self.listing)
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in gone {
                    let old = self.rows.remove(&name).map(|row| row.value);
                    each(self, Turnover { old, new: None });
                }
                return true;
            }
            Delta::Changes(changes) => {
                for change in changes {
                    let turnover = match change {
                        Change::Applied(value) => self.put(value),
                        Change::Deleted(name) => Turnover {
                            old: self.rows.remove(&name).map(|row| row.value),
                            new: None,
                        },
                    };
                    each(self, turnover);
                }
            }
        }
        false
    }

    fn put(&mut self, value: T) -> Turnover<T> {
        let name = value.key().clone();
        let row = Row {
            value,
            listing: self.listing,
        };
        let old = self.rows.insert(name.clone(), row).map(|row| row.value);
        Turnover {
            old,
            new: Some(name),
        }
    }

    /// The object of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.rows.get(name).map(|row| &row.value)
    }

    /// All objects, by name.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.rows.values().map(|row| &row.value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Thing(Safe, u32);
    impl Keyed for Thing {
        fn key(&self) -> &Safe {
            &self.0
        }
    }

    fn names(table: &Table<Thing>) -> Vec<String> {
        table.iter().map(|t| format!("{}{}", t.0, t.1)).collect()
    }

    fn thing(name: &str, n: u32) -> Thing {
        Thing(name.into(), n)
    }

    #[test]
    fn a_new_listing_removes_only_when_it_ends() {
        let mut table = Table::default();
        let mut gone = Vec::new();
        table.apply(Delta::Began, |_, _| ());
        table.apply(Delta::Page(vec![thing("a", 1), thing("b", 1)]), |_, _| ());
        assert!(table.apply(Delta::Ended, |_, _| ()));
        table.apply(Delta::Began, |_, _| ());
        table.apply(Delta::Page(vec![thing("b", 2)]), |_, _| ());
        assert_eq!(names(&table), ["a1", "b2"], "missing is not empty");
        table.apply(Delta::Ended, |_, t| gone.extend(t.old));
        assert_eq!(names(&table), ["b2"]);
        assert_eq!(gone, [thing("a", 1)]);
    }

    #[test]
    fn changes_tell_what_they_replaced() {
        let mut table = Table::default();
        let mut seen = Vec::new();
        for change in [
            Change::Applied(thing("a", 1)),
            Change::Applied(thing("a", 2)),
            Change::Deleted("a".into()),
            Change::Deleted("a".into()),
        ] {
            table.apply(Delta::Changes(vec![change]), |_, t| {
                seen.push((t.old.map(|o| o.1), t.new.is_some()));
            });
        }
        assert_eq!(
            seen,
            [
                (None, true),
                (Some(1), true),
                (Some(2), false),
                (None, false)
            ]
        );
    }
}
