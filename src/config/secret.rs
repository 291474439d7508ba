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

/// Whether a URL in a text carries a password: `https://user:password@host`.
pub(super) fn is_in_url(text: &str) -> bool {
    // What may stand in a password, as `;`, `&` and `'` do, ends nothing.
    let ends = |c: char| c.is_whitespace() || "/?#\"<>`".contains(c);
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(ends).next().unwrap_or("");
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let password = user.and_then(|user| user.split_once(':'));
        password.is_some_and(|(_, password)| !password.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_in_any_address_of_a_text_and_nowhere_else() {
        for text in [
            "https://me:hunter2@host/",
            "curl http://host/health && curl https://me:hunter2@host",
            "--from=http://host:80 --to=https://me:hunter2@host/",
            "https://me:hunt'er;2&3@host/",
        ] {
            assert!(is_in_url(text), "{text}");
        }
        for text in [
            "https://me@host/",
            "https://me:@host/",
            "http://host:80 and mail me@host",
            "curl \"http://host:80\"@8080",
            "http://host:80/me@host",
            "me:hunter2@host",
        ] {
            assert!(!is_in_url(text), "{text}");
        }
    }
}
