//! Reads how long what may take in operations.

use super::Operations;
use super::walk::{Node, Walk};

/// The keys, with the fewest and the most seconds of each.
const KEYS: [(&str, u32, u32); 7] = [
    ("lease", 2, 3_600),
    ("renew", 1, 600),
    ("give_up", 1, 3_000),
    ("moved", 1, 3_600),
    ("watch", 0, 86_400),
    ("patience", 1, 86_400),
    ("rollout", 1, 86_400),
];

/// Reads `[operations]`.
pub(super) fn read(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Operations> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &KEYS.map(|(key, ..)| key));
    let mut said = KEYS.map(|(key, least, most)| {
        section.optional(walk, key, |walk, node| walk.number(node, least, most))
    });
    let mut take = |place: usize| said[place].take();
    let read = Operations {
        lease: take(0)?,
        renew: take(1)?,
        give_up: take(2)?,
        moved: take(3)?,
        watch: take(4)?,
        patience: take(5)?,
        rollout: take(6)?,
    };
    let (lease, renew, give_up) = read.lease_seconds();
    if renew >= give_up || give_up >= lease {
        let found = format!("renew {renew}, give_up {give_up}, lease {lease}");
        let expected = "renew below give_up and give_up below lease: a worker must stop before its Lease is anybody's";
        walk.wrong(&node.path, &node.span, found, expected);
        return None;
    }
    Some(read)
}
