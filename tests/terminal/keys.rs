//! Names of keys: what a person writes in the config is what the help shows.

use proptest::prelude::*;
use wheelhouse::app::key::{Key, KeyCode};

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

#[test]
fn a_key_is_written_the_way_people_say_it() {
    let written = [
        "g",
        "G",
        "ctrl-l",
        "shift-tab",
        "pgdn",
        "space",
        "f5",
        "-",
        "ctrl--",
        "alt-enter",
        "?",
        "é",
    ];
    for name in written {
        assert_eq!(key(name).to_string(), name);
    }
    assert_eq!(key("ctrl-l"), Key::ctrl('l'));
    assert_eq!(key("Ctrl-L"), Key::ctrl('l'));
    assert_eq!(key("shift-g"), Key::char('G'));
    assert_eq!(key("shift-tab"), Key::new(KeyCode::BackTab));
    assert_eq!(key("PageDown"), Key::new(KeyCode::PageDown));
    assert_eq!(key("f"), Key::char('f'));
}

#[test]
fn what_is_no_key_is_refused_with_an_example() {
    for text in [
        "", "ctrl-", "f0", "f36", "f99", "hyper-x", "gg", " ", "\u{1b}", "ctrl",
    ] {
        let error = text.parse::<Key>().unwrap_err();
        assert_eq!(error.0, text);
        assert!(error.to_string().contains("ctrl-l"), "{error}");
    }
}

#[test]
fn a_key_survives_serde() {
    let key = key("ctrl-alt-f7");
    let text = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key);
}

fn any_code() -> impl Strategy<Value = KeyCode> {
    let named = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::Insert,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
    ];
    prop_oneof![
        proptest::sample::select(named.to_vec()),
        (1..=35_u8).prop_map(KeyCode::F),
        any::<char>()
            .prop_filter("a key shows", |c| !c.is_control())
            .prop_map(KeyCode::Char),
        (b' '..=b'~').prop_map(|c| KeyCode::Char(char::from(c))),
    ]
}

proptest! {
    #[test]
    fn every_key_reads_back_as_itself(code in any_code(), ctrl: bool, alt: bool, shift: bool) {
        let key = Key { code, ctrl, alt, shift }.canonical();
        prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
    }
}
