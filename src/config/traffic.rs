//! Reads how traffic is switched: the key, the two colours and the Services.

use super::Traffic;
use super::environment::unique;
use super::grammar::{LABEL_KEY, LABEL_VALUE, SERVICE};
use super::walk::{Node, Walk};

/// A month: whoever wants it longer holds it.
const LONGEST_WARM: u32 = 31 * 86_400;

/// Reads `[environment.traffic]`.
pub(super) fn read(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Traffic> {
    let section = walk.section(node, "a table")?;
    section.only(
        walk,
        &["key", "colours", "services", "keep_warm", "clean_up"],
    );
    let key = section.required(
        walk,
        "key",
        "the key of the selector that holds the colour",
        |walk, node| walk.text(node, LABEL_KEY),
    );
    let colours = section.required(walk, "colours", "two label values", colours);
    let services = section.required(
        walk,
        "services",
        "the Services to switch, in order",
        |walk, node| {
            let items = walk.items(node, "an array of Services")?;
            if items.is_empty() {
                walk.mismatch(node, "at least one Service");
            }
            unique(walk, &items, "", "each Service once");
            let names: Vec<_> = items.iter().map(|item| walk.text(item, SERVICE)).collect();
            names.into_iter().collect()
        },
    );
    let keep_warm = section.optional(walk, "keep_warm", |walk, node| {
        walk.number(node, 0, LONGEST_WARM)
    });
    let clean_up = section.optional(walk, "clean_up", |walk, node| walk.truth(node));
    let (keep_warm, clean_up) = (keep_warm?, clean_up?.unwrap_or(false));
    if clean_up && keep_warm.is_none() {
        let path = format!("{}.keep_warm", section.path);
        let expected = "for how many seconds the colour is kept, where clean_up ends that by itself (0: not at all)";
        walk.missing(&path, &section.span, expected);
        return None;
    }
    Some(Traffic {
        keep_warm,
        clean_up,
        key: key?,
        colours: colours?,
        services: services?,
    })
}

fn colours(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<[String; 2]> {
    const EXPECTED: &str = "two different label values, such as [\"blue\", \"green\"]";
    let items = walk.items(node, EXPECTED)?;
    let values: Vec<_> = items
        .iter()
        .map(|item| walk.text(item, LABEL_VALUE))
        .collect();
    let values = values.into_iter().collect::<Option<Vec<_>>>()?;
    match <[String; 2]>::try_from(values) {
        // The screen shows them in capitals.
        Ok([first, second]) if !first.eq_ignore_ascii_case(&second) => Some([first, second]),
        Ok(_) | Err(_) => {
            walk.mismatch(node, EXPECTED);
            None
        }
    }
}
