//! The one table of keys: dispatch, footer, help, palette, the README's key list and the
//! configuration's remapping all come out of it.

use std::collections::HashMap;

use serde::Serialize;

use super::action::Action::{self, *};
use super::state::Panel;
use super::{Key, KeyCode};

/// Where a binding holds. An inner context hides the same key of an outer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Context {
    /// In every view that is not taking text.
    Anywhere,
    /// On the first screen.
    Home,
    /// In a pod's, Service's or Deployment's detail.
    Detail,
    /// In a log.
    Log,
    /// In a list or text laid over the screen.
    Overlay,
    /// Everywhere in the demo.
    Demo,
}

/// A key, what it means where, and what the help says of it.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// The keys, as the configuration spells them; the first is the one that is shown.
    pub keys: &'static [&'static str],
    /// What they mean.
    pub action: Action,
    /// What the help says.
    pub help: &'static str,
    /// What the footer says; empty: not in the footer.
    pub footer: &'static str,
}

const fn bind(
    context: Context,
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    footer: &'static str,
) -> Binding {
    Binding {
        context,
        keys,
        action,
        help,
        footer,
    }
}

/// The table.
pub const BINDINGS: &[Binding] = &[
    bind(
        Context::Anywhere,
        &["?", "f1"],
        Help,
        "the keys of this view",
        "help",
    ),
    bind(
        Context::Anywhere,
        &["/"],
        Filter,
        "narrow the list by typing; Esc clears",
        "filter",
    ),
    bind(
        Context::Anywhere,
        &[":"],
        Palette,
        "commands by name, with completion and history",
        "palette",
    ),
    bind(
        Context::Home,
        &["tab"],
        NextPanel,
        "the next panel",
        "panel",
    ),
    bind(
        Context::Home,
        &["shift-tab"],
        PreviousPanel,
        "the panel before",
        "",
    ),
    bind(
        Context::Anywhere,
        &["enter"],
        Open,
        "into what is selected",
        "detail",
    ),
    bind(
        Context::Anywhere,
        &["a"],
        Actions,
        "what can be changed here, or why not now",
        "actions",
    ),
    bind(
        Context::Anywhere,
        &["S"],
        Silence,
        "plan a silence of the selected alert",
        "silence",
    ),
    bind(
        Context::Anywhere,
        &["E"],
        ExtendSilence,
        "plan a longer silence of the selected alert",
        "extend",
    ),
    bind(
        Context::Anywhere,
        &["X"],
        ExpireSilence,
        "plan the end of the selected alert's silence",
        "expire",
    ),
    bind(
        Context::Anywhere,
        &["C"],
        Cutover,
        "plan to move traffic to the other colour",
        "",
    ),
    bind(
        Context::Anywhere,
        &["R"],
        Rollback,
        "plan to move traffic back",
        "",
    ),
    bind(
        Context::Anywhere,
        &["P"],
        Repair,
        "plan to make the selectors what was meant",
        "",
    ),
    bind(
        Context::Anywhere,
        &["N"],
        Deploy,
        "plan to deploy new images, to the idle colour",
        "",
    ),
    bind(
        Context::Anywhere,
        &["V"],
        Smoke,
        "plan a smoke test: ask every pod of the idle colour",
        "",
    ),
    bind(
        Context::Anywhere,
        &["U"],
        Release,
        "plan a release: deploy, test, cut over, as one",
        "",
    ),
    bind(
        Context::Anywhere,
        &["5"],
        Operation,
        "the operation, entry by entry",
        "",
    ),
    bind(
        Context::Anywhere,
        &["B"],
        Abort,
        "plan to abort the operation: stop it, undo it",
        "",
    ),
    bind(
        Context::Anywhere,
        &["A"],
        Adopt,
        "plan to adopt an operation whose worker is gone",
        "",
    ),
    bind(
        Context::Anywhere,
        &["D"],
        Abandon,
        "plan to abandon the operation as it stands",
        "",
    ),
    bind(
        Context::Anywhere,
        &["Z"],
        Freeze,
        "plan a freeze: nothing moves forward, until, because",
        "",
    ),
    bind(
        Context::Anywhere,
        &["T"],
        Thaw,
        "plan the end of a freeze",
        "",
    ),
    bind(
        Context::Anywhere,
        &["ctrl-g"],
        BreakGlass,
        "plan a cutover in spite of a freeze",
        "",
    ),
    bind(
        Context::Anywhere,
        &["K"],
        CloseGlass,
        "plan to close a broken glass with a note",
        "",
    ),
    bind(
        Context::Anywhere,
        &["L"],
        Cleanup,
        "plan to let go of the idle colour: scale it to 0",
        "",
    ),
    bind(
        Context::Anywhere,
        &["6"],
        Approvals,
        "what waits for an approval; approve, reject",
        "",
    ),
    bind(
        Context::Anywhere,
        &["H"],
        Warm,
        "plan to say how long the idle colour is kept warm",
        "",
    ),
    bind(
        Context::Anywhere,
        &["W"],
        AskApproval,
        "plan to ask for another person's approval",
        "",
    ),
    bind(
        Context::Overlay,
        &["Y"],
        Approve,
        "plan to approve the selected request",
        "",
    ),
    bind(
        Context::Overlay,
        &["J"],
        Reject,
        "plan to reject the selected request",
        "",
    ),
    bind(
        Context::Detail,
        &["Y"],
        Approve,
        "plan to approve what the run waits for at GitHub",
        "approve",
    ),
    bind(
        Context::Detail,
        &["J"],
        Reject,
        "plan to reject what the run waits for at GitHub",
        "reject",
    ),
    bind(
        Context::Anywhere,
        &["e"],
        Environments,
        "choose an environment",
        "environment",
    ),
    bind(
        Context::Demo,
        &["F"],
        InjectFault,
        "break something in the demo",
        "break it",
    ),
    bind(
        Context::Home,
        &["0"],
        Focus(Panel::Traffic),
        "to Traffic, all of it",
        "",
    ),
    bind(Context::Home, &["1"], Focus(Panel::Runs), "to Runs", ""),
    bind(Context::Home, &["2"], Focus(Panel::Pods), "to Pods", ""),
    bind(Context::Home, &["3"], Focus(Panel::Alerts), "to Alerts", ""),
    bind(
        Context::Home,
        &["4"],
        Focus(Panel::Timeline),
        "to Timeline",
        "",
    ),
    bind(Context::Anywhere, &["k", "up"], Up, "up", ""),
    bind(Context::Anywhere, &["j", "down"], Down, "down", ""),
    bind(
        Context::Anywhere,
        &["h", "left"],
        Left,
        "left, or the first colour",
        "",
    ),
    bind(
        Context::Anywhere,
        &["l", "right"],
        Right,
        "right, or the second colour",
        "",
    ),
    bind(Context::Anywhere, &["g", "home"], Top, "to the first", ""),
    bind(Context::Anywhere, &["G", "end"], Bottom, "to the last", ""),
    bind(Context::Anywhere, &["pgup"], PageUp, "a page up", ""),
    bind(Context::Anywhere, &["pgdn"], PageDown, "a page down", ""),
    bind(Context::Anywhere, &["ctrl-u"], HalfUp, "half a page up", ""),
    bind(
        Context::Anywhere,
        &["ctrl-d"],
        HalfDown,
        "half a page down",
        "",
    ),
    bind(
        Context::Anywhere,
        &["o"],
        Logs,
        "the log of the selected pod or container",
        "log",
    ),
    bind(
        Context::Anywhere,
        &["p"],
        PreviousLogs,
        "the log of its previous run",
        "previous log",
    ),
    bind(
        Context::Log,
        &["f"],
        Follow,
        "follow the log's end, or stop",
        "follow",
    ),
    bind(
        Context::Log,
        &["w"],
        Wrap,
        "wrap the log's long lines, or cut them",
        "wrap",
    ),
    bind(
        Context::Anywhere,
        &["y"],
        Copy,
        "copy the selected name (OSC 52)",
        "",
    ),
    bind(
        Context::Home,
        &["Y"],
        CopyNote,
        "copy the timeline as text (OSC 52)",
        "copy as text",
    ),
    bind(
        Context::Home,
        &["t"],
        Topic,
        "the timeline's topics, one at a time",
        "topic",
    ),
    bind(
        Context::Anywhere,
        &["z"],
        LocalTime,
        "UTC or local time",
        "",
    ),
    bind(
        Context::Anywhere,
        &["ctrl-r"],
        Reconnect,
        "connect anew, with fresh credentials",
        "",
    ),
    bind(
        Context::Anywhere,
        &["ctrl-l"],
        Repaint,
        "draw everything anew",
        "",
    ),
    bind(
        Context::Anywhere,
        &["ctrl-z"],
        Suspend,
        "suspend; fg comes back",
        "",
    ),
    bind(
        Context::Anywhere,
        &["esc"],
        Escape,
        "a level back; clears a filter; never quits",
        "",
    ),
    bind(
        Context::Anywhere,
        &["q"],
        Back,
        "a level back; quits on the first screen",
        "",
    ),
    bind(
        Context::Anywhere,
        &["ctrl-c"],
        Interrupt,
        "close what is open, then quit",
        "",
    ),
];

impl Binding {
    /// Whether the binding holds in `context` (its own, or everywhere).
    fn holds_in(&self, context: Context) -> bool {
        self.context == context || matches!(self.context, Context::Anywhere | Context::Demo)
    }
}

/// Keys as they are bound for this user.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    keys: HashMap<(Context, Key), Action>,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = BINDINGS.iter().flat_map(|b| {
            let keys = b.keys.iter().filter_map(|k| k.parse().ok());
            keys.map(|key| ((b.context, key), b.action))
        });
        Self {
            keys: keys.collect(),
        }
    }
}

impl Keymap {
    /// The table with the user's changes: pairs of key and command name. Each change replaces what the
    /// table says of that key; the problems are told as place in `changes` and sentence.
    pub fn with<'a>(
        changes: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<(usize, String)>> {
        let mut map = Self::default();
        let mut problems = Vec::new();
        let mut given: HashMap<Key, &str> = HashMap::new();
        for (place, (key, name)) in changes.enumerate() {
            match change(key, name, &given) {
                Ok((key, action)) => {
                    given.insert(key, name);
                    map.rebind(key, action);
                }
                Err(problem) => problems.push((place, problem)),
            }
        }
        if problems.is_empty() {
            Ok(map)
        } else {
            Err(problems)
        }
    }

    fn rebind(&mut self, key: Key, action: Action) {
        self.keys.retain(|(_, k), _| *k != key);
        for binding in BINDINGS.iter().filter(|b| b.action == action) {
            self.keys.insert((binding.context, key), action);
        }
    }

    /// What `key` means in `context`.
    pub fn action(&self, context: Context, key: Key, is_demo: bool) -> Option<Action> {
        let of = |context| self.keys.get(&(context, key)).copied();
        of(context)
            .or_else(|| of(Context::Demo).filter(|_| is_demo))
            .or_else(|| of(Context::Anywhere))
    }

    /// The bindings of `context`, inner ones first, each with the keys that this user has for it.
    pub fn bindings(&self, context: Context, is_demo: bool) -> Vec<(&'static Binding, Vec<Key>)> {
        let mut held: Vec<_> = (BINDINGS.iter())
            .filter(|b| b.holds_in(context) && (is_demo || b.context != Context::Demo))
            .map(|b| (b, self.keys_of(b)))
            .filter(|(_, keys)| !keys.is_empty())
            .collect();
        held.sort_by_key(|(b, _)| b.context != context);
        held
    }

    /// How somebody here gets at `action`: its first key, or its name in the palette where it has none.
    pub fn key_of(&self, action: Action) -> String {
        let of = BINDINGS.iter().filter(|b| b.action == action);
        let key = of.flat_map(|b| self.keys_of(b)).next();
        key.map_or_else(|| format!(":{}", action.name()), |key| key.to_string())
    }

    /// The keys of a binding: the table's own first, in its order, then the user's.
    pub fn keys_of(&self, binding: &Binding) -> Vec<Key> {
        let mut keys: Vec<Key> = (binding.keys.iter())
            .filter_map(|k| k.parse().ok())
            .collect();
        keys.retain(|k| self.keys.get(&(binding.context, *k)) == Some(&binding.action));
        let mut own: Vec<Key> = (self.keys.iter())
            .filter(|((context, key), action)| {
                *context == binding.context && **action == binding.action && !keys.contains(key)
            })
            .map(|((_, key), _)| *key)
            .collect();
        own.sort_by_key(ToString::to_string);
        keys.extend(own);
        keys
    }
}

/// One change of the user's, checked.
fn change(key: &str, name: &str, given: &HashMap<Key, &str>) -> Result<(Key, Action), String> {
    let parsed: Key = key.parse().map_err(|_| {
        format!("`{key}` is no key; expected one such as `ctrl-l`, `G`, `f5`, `shift-tab`")
    })?;
    let action = Action::named(name).ok_or_else(|| {
        let names: Vec<_> = Action::ALL.iter().map(|a| a.name()).collect();
        format!(
            "`{name}` is no command; expected one of {}",
            names.join(", ")
        )
    })?;
    if let Some(other) = given.get(&parsed) {
        return Err(format!("`{key}` is bound to `{other}` already"));
    }
    if action.mutates() && is_bare(parsed) {
        return Err(format!(
            "`{name}` changes things and may not be on the bare key `{key}`"
        ));
    }
    Ok((parsed, action))
}

/// A key that a torn escape sequence or a slip can produce: a lower-case letter, a digit, Enter.
pub fn is_bare(key: Key) -> bool {
    match key.code {
        KeyCode::Char(c) => !key.ctrl && !key.alt && !c.is_uppercase(),
        _ => !key.ctrl && !key.alt,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn every_key_of_the_table_parses_and_no_two_collide() {
        let mut seen = HashMap::new();
        for b in BINDINGS {
            for k in b.keys {
                let parsed: Key = k.parse().unwrap_or_else(|_| unreachable!("{k}"));
                for context in [
                    Context::Home,
                    Context::Detail,
                    Context::Log,
                    Context::Overlay,
                ] {
                    if b.holds_in(context) {
                        let before = seen.insert((context, parsed), b.action);
                        assert_eq!(before, None, "{k} in {context:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_binding_has_help_and_every_action_a_binding() {
        for b in BINDINGS {
            assert!(!b.help.is_empty() && !b.keys.is_empty(), "{:?}", b.action);
        }
        for action in Action::ALL {
            assert!(
                *action == Quit || BINDINGS.iter().any(|b| b.action == *action),
                "{} has no key",
                action.name()
            );
        }
    }

    #[test]
    fn c06_no_bare_key_mutates() {
        for b in BINDINGS.iter().filter(|b| b.action.mutates()) {
            for k in b.keys {
                assert!(!is_bare(key(k)), "{k}");
            }
        }
        assert!(
            is_bare(key("y"))
                && is_bare(key("enter"))
                && !is_bare(key("R"))
                && !is_bare(key("ctrl-x"))
        );
    }

    #[test]
    fn names_are_unique_and_found_again() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.name()), Some(*action));
        }
    }

    #[test]
    fn a_change_moves_a_key_everywhere() {
        let map = Keymap::with([("x", "help"), ("?", "filter")].into_iter()).unwrap();
        assert_eq!(map.action(Context::Home, key("x"), false), Some(Help));
        assert_eq!(map.action(Context::Log, key("?"), false), Some(Filter));
        assert_eq!(map.action(Context::Log, key("f1"), false), Some(Help));
    }

    #[test]
    fn a_key_that_was_given_away_is_named_by_the_key_that_took_its_place_or_by_its_command() {
        assert_eq!(Keymap::default().key_of(Rollback), "R");
        let moved = [("R", "reconnect"), ("ctrl-b", "rollback")];
        let map = Keymap::with(moved.into_iter()).unwrap();
        assert_eq!(map.key_of(Rollback), "ctrl-b");
        let map = Keymap::with([("R", "reconnect")].into_iter()).unwrap();
        assert_eq!(map.key_of(Rollback), ":rollback");
    }

    #[test]
    fn c06_a_collision_and_unknown_names_are_told() {
        let problems = Keymap::with([("ctrl-l", "help"), ("C-l", "quit")].into_iter());
        let wrong = Keymap::with([("ctrl-ctrl", "help"), ("x", "halp")].into_iter()).unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[1].1.contains("halp") && wrong[1].1.contains("help"));
        // Another spelling of the same key is either no key or a collision; never silently the last.
        assert!(problems.is_err());
    }

    #[test]
    fn keys_of_the_demo_do_nothing_elsewhere() {
        let map = Keymap::default();
        assert_eq!(map.action(Context::Home, key("F"), false), None);
        assert_eq!(map.action(Context::Home, key("F"), true), Some(InjectFault));
    }
}
