//! Reads the file as a whole, and all of its tables but the environments.

use toml::de::DeTable;

use super::grammar::{LINE, TITLE};
use super::monitoring::{self, General};
use super::problem::{Problem, Problems};
use super::walk::{Node, Section, Walk};
use super::{Config, KeyBinding, KeyCheck, Switch, Time, Ui};
use super::{environment, github, operations};

/// Reads the text; `exposure` says who else can read the file, should it hold a secret.
pub(super) fn read(
    text: &str,
    file: &str,
    exposure: Option<&str>,
    of_keys: KeyCheck,
) -> Result<(Config, Vec<Problem>), Problems> {
    let mut walk = Walk::new(file, text, exposure);
    // Recovery keeps what can be read after an error of syntax, and bounds the nesting.
    let (table, errors) = DeTable::parse_recoverable(text);
    walk.syntax(errors);
    let config = config(&mut walk, &Section::root(&table), of_keys);
    match config {
        Some(config) if walk.problems.is_empty() => {
            walk.warnings.sort_by_key(|warning| warning.place);
            Ok((config, walk.warnings))
        }
        _ => Err(Problems::sorted(file, walk.problems)),
    }
}

fn config(walk: &mut Walk<'_>, root: &Section<'_>, of_keys: KeyCheck) -> Option<Config> {
    root.only(
        walk,
        &[
            "title",
            "environment",
            "ui",
            "keys",
            "github",
            "prometheus",
            "alertmanager",
            "operations",
        ],
    );
    let title = root.required(walk, "title", "the name of the product", |walk, node| {
        walk.text(node, TITLE)
    });
    let ui = root.optional(walk, "ui", ui);
    let keys = root.optional(walk, "keys", |walk, node| keys(walk, node, of_keys));
    let github = root.optional(walk, "github", github::read);
    let prometheus = root.optional(walk, "prometheus", |walk, node| {
        Some((node.clone(), monitoring::prometheus(walk, node)?))
    });
    let alertmanager = root.optional(walk, "alertmanager", monitoring::alertmanager);
    let operations = root.optional(walk, "operations", operations::read);
    let general = General {
        is_whole: prometheus.is_some(),
        prometheus: prometheus.clone().flatten().map(|(_, said)| said),
        alertmanager: alertmanager.clone().flatten(),
    };
    let environments = root.required(
        walk,
        "environment",
        "at least one [[environment]]",
        |walk, node| environment::all(walk, node, &general),
    );
    if let (Some(None), Some(all)) = (&github, &environments) {
        github::warn_of_deploys(walk, root, all);
        github::lacks_runs(walk, root, all);
    }
    if let (Some(Some((node, _))), Some(all)) = (&prometheus, &environments)
        && all.iter().any(|one| one.prometheus.is_none())
    {
        monitoring::lacks_address(walk, node);
    }
    prometheus?;
    alertmanager?;
    Some(Config {
        title: title?,
        ui: ui?.unwrap_or_default(),
        keys: keys?.unwrap_or_default(),
        github: github?,
        environments: environments?,
        operations: operations?.unwrap_or_default(),
    })
}

fn ui(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Ui> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &["ascii", "colour", "time", "bell"]);
    let ascii = section.optional(walk, "ascii", ascii);
    let colour = section.optional(walk, "colour", |walk, node| {
        let choices = [
            ("auto", Switch::Auto),
            ("always", Switch::Always),
            ("never", Switch::Never),
        ];
        walk.choice(node, &choices)
    });
    let time = section.optional(walk, "time", |walk, node| {
        walk.choice(node, &[("utc", Time::Utc), ("local", Time::Local)])
    });
    let bell = section.optional(walk, "bell", |walk, node| walk.truth(node));
    Some(Ui {
        ascii: ascii?.unwrap_or_default(),
        colour: colour?.unwrap_or_default(),
        time: time?.unwrap_or_default(),
        bell: bell?.unwrap_or(true),
    })
}

fn ascii(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Switch> {
    match (node.value.as_bool(), node.value.as_str()) {
        (Some(true), _) => Some(Switch::Always),
        (Some(false), _) => Some(Switch::Never),
        (None, Some("auto")) => Some(Switch::Auto),
        (None, _) => {
            walk.mismatch(node, "\"auto\", true or false");
            None
        }
    }
}

fn keys(walk: &mut Walk<'_>, node: &Node<'_>, of_keys: KeyCheck) -> Option<Vec<KeyBinding>> {
    let section = walk.section(node, "a table of keys and commands")?;
    let (mut bindings, mut spans) = (Vec::new(), Vec::new());
    for (key, span, node) in section.entries() {
        if !(LINE.accepts)(key) {
            walk.wrong(
                &node.path,
                &span,
                "not the name of a key".to_owned(),
                LINE.expected,
            );
        }
        bindings.push(walk.text(&node, LINE).map(|command| KeyBinding {
            key: key.to_owned(),
            command,
            place: walk.place(&span),
        }));
        spans.push(span);
    }
    // What is no text at all was told; what the others say counts all the same.
    let said = bindings.iter().enumerate();
    let (places, read): (Vec<usize>, Vec<(&str, &str)>) = said
        .filter_map(|(n, it)| Some((n, it.as_ref()?)))
        .map(|(n, it)| (n, (it.key.as_str(), it.command.as_str())))
        .unzip();
    for (place, words) in of_keys(&read) {
        if let Some(span) = places.get(place).and_then(|n| spans.get(*n)) {
            walk.wrong("keys", span, words, "");
        }
    }
    bindings.into_iter().collect()
}
