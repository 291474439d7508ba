//! Secrets stand in the environment or in a file of their own, never in the configuration.

use toml::de::DeValue;

use super::walk::{Node, Section, Walk};

/// Endings of names of keys that hold secrets, without `-` and `_`.
const ENDINGS: [&str; 10] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "authorization",
    "bearer",
];

/// Whether a key of this name holds its secret in the file itself rather than a reference to it.
pub(super) fn is_inline(name: &str, value: &DeValue<'_>) -> bool {
    let bare: String = name
        .chars()
        .filter(|character| !matches!(character, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect();
    let is_named_so = ENDINGS.iter().any(|ending| bare.ends_with(ending));
    is_named_so && !is_reference(value) || value.as_str().is_some_and(is_in_url)
}

/// `{ env = "NAME" }` or `{ file = "/path" }`, or both, of which a reader says that it is one too many; nothing beside them.
pub(super) fn is_reference(value: &DeValue<'_>) -> bool {
    value.as_table().is_some_and(|table| {
        let mut entries = table.iter();
        let is_known = |key: &str| ["env", "file"].contains(&key);
        !table.is_empty()
            && entries.all(|(key, named)| is_known(key.get_ref()) && named.get_ref().is_str())
    })
}

/// What is expected of a reference that names two places.
pub(super) const ONE: &str = "one of them: { env = \"NAME\" } or { file = \"/path\" }";

/// Whether a URL carries a password: `https://user:password@host`.
pub(super) fn is_in_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    authority.rsplit_once('@').is_some_and(|(user, _)| {
        user.split_once(':')
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// Looks for inline secrets in a section that this version does not read otherwise.
pub(super) fn search(walk: &mut Walk<'_>, section: &Section<'_>) {
    for (name, _, node) in section.entries() {
        if is_inline(name, node.value) {
            walk.inline_secret(&node.path, &node.span);
        } else {
            search_value(walk, &node);
        }
    }
}

/// As [`search`], of one value.
pub(super) fn search_value(walk: &mut Walk<'_>, node: &Node<'_>) {
    match node.value {
        DeValue::Table(_) => {
            if let Some(section) = walk.section(node, "") {
                search(walk, &section);
            }
        }
        DeValue::Array(_) => {
            for item in walk.items(node, "").unwrap_or_default() {
                search_value(walk, &item);
            }
        }
        DeValue::String(text) if is_in_url(text) => walk.inline_secret(&node.path, &node.span),
        _ => {}
    }
}
