//! Commands by name, with completion and history.

use serde::Serialize;

use super::edit::Edit;
use super::keymap::{BINDINGS, Context, Keymap};
use super::{Action, filter, write};
use crate::estate::Safe;

/// How many commands are remembered.
const HISTORY: usize = 50;

/// Something the palette offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// What is typed for it.
    pub name: String,
    /// What it does.
    pub help: String,
    /// The key that does the same.
    pub key: Option<String>,
    /// What it means.
    pub choice: Choice,
}

/// What choosing an offer means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Choice {
    /// An action.
    Act(Action),
    /// Go to that environment.
    Environment(usize),
    /// Open a window for changes, for so many milliseconds; none: close it.
    Write(Option<u64>),
}

/// The open palette.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Palette {
    /// What was typed.
    pub input: Edit,
    /// The chosen line of the offers that match.
    pub chosen: usize,
    /// Whether it was chosen by hand, and is not merely the best that matches.
    pub is_picked: bool,
    /// Whether it is the menu of what changes something.
    pub is_menu: bool,
}

impl Palette {
    /// The menu of what changes something.
    pub fn menu() -> Self {
        Self {
            is_menu: true,
            ..Self::default()
        }
    }

    /// Chooses that line by hand.
    pub fn choose(&mut self, line: usize) {
        (self.chosen, self.is_picked) = (line, true);
    }

    /// Begins at the best match again: something else was typed.
    pub fn typed(&mut self) {
        (self.chosen, self.is_picked) = (0, false);
    }

    /// The offer that Enter takes.
    ///
    /// # Errors
    /// Why it takes none, and what to type. A window for changes is never opened by the mere beginning of its name.
    pub fn taken(&self, offer: Option<Offer>) -> Result<Offer, String> {
        let typed = self.input.text().trim();
        match offer {
            None => Err(match unmatched(typed) {
                said @ (FORM | NEEDLESS) => format!("refused: {said}"),
                said => format!("{said}: {typed}"),
            }),
            Some(Offer { name, choice, .. })
                if matches!(choice, Choice::Write(Some(_))) && !self.is_picked && name != typed =>
            {
                Err(format!(
                    "type `{name}` whole, or choose it by Tab or the arrows"
                ))
            }
            Some(offer) => Ok(offer),
        }
    }
}

/// What `write` takes.
const FORM: &str = "write takes a time such as 15m or 1h, at most 8h, or off";

/// Why a time that is one is not offered.
const NEEDLESS: &str = "this environment is never read-only: changes are allowed without a window";

/// Why nothing matches what was typed.
pub fn unmatched(typed: &str) -> &'static str {
    match typed.trim().split_once(' ').unwrap_or((typed.trim(), "")) {
        ("write", time) if write::parse(time).is_ok() => NEEDLESS,
        ("write", _) => FORM,
        _ => "no such command",
    }
}

/// What is bound in `context`, as far as it `is_wanted`, in the order of the table.
fn bound(
    keymap: &Keymap,
    context: Context,
    is_demo: bool,
    is_wanted: impl Fn(Action) -> bool,
) -> Vec<Offer> {
    (keymap.bindings(context, is_demo).into_iter())
        .filter(|(b, _)| is_wanted(b.action))
        .map(|(b, keys)| Offer {
            name: b.action.name().to_owned(),
            help: b.help.to_owned(),
            key: keys.first().map(ToString::to_string),
            choice: Choice::Act(b.action),
        })
        .collect()
}

/// What changes something in `context`; decisions only on a run's page, where it is plain what they are about.
pub fn changes(keymap: &Keymap, context: Context, is_run: bool) -> Vec<Offer> {
    let is_decision = |action| matches!(action, Action::Approve | Action::Reject);
    let is_wanted = |action: Action| action.mutates() && (is_run || !is_decision(action));
    bound(keymap, context, false, is_wanted)
}

/// Everything that can be chosen in `context`.
pub fn offers(
    keymap: &Keymap,
    context: Context,
    is_demo: bool,
    environments: &[&Safe],
) -> Vec<Offer> {
    let mut offers = bound(keymap, context, is_demo, Action::is_command);
    offers.extend(environments.iter().enumerate().map(|(place, name)| Offer {
        name: format!("environment {name}"),
        help: format!("go to {name}"),
        key: None,
        choice: Choice::Environment(place),
    }));
    offers.push(Offer {
        name: Action::Quit.name().to_owned(),
        help: "end the cockpit".to_owned(),
        key: (BINDINGS.iter().find(|b| b.action == Action::Back))
            .and_then(|b| keymap.keys_of(b).first().map(ToString::to_string)),
        choice: Choice::Act(Action::Quit),
    });
    offers
}

/// The windows for changes: those in common use, and the one that is typed.
pub fn windows(typed: &str) -> Vec<Offer> {
    let common = ["write 15m", "write 1h", "write off"];
    let own = typed.trim();
    let is_new = !common.contains(&own);
    let names = common.into_iter().chain(is_new.then_some(own));
    let offer = |name: &str| {
        let ms = write::parse(name.strip_prefix("write ")?).ok()?;
        let help = match ms {
            Some(_) => "allow changes here for so long, then read-only again",
            None => "read-only again",
        };
        Some(Offer {
            name: name.to_owned(),
            help: help.to_owned(),
            key: None,
            choice: Choice::Write(ms),
        })
    };
    names.filter_map(offer).collect()
}

/// The offers that match what was typed: the best first; with nothing typed, the latest used first.
pub fn matching(offers: Vec<Offer>, typed: &str, history: &[String]) -> Vec<Offer> {
    if typed.trim().is_empty() {
        let mut offers = offers;
        let used = |o: &Offer| {
            history
                .iter()
                .rev()
                .position(|h| *h == o.name)
                .unwrap_or(usize::MAX)
        };
        offers.sort_by_key(used);
        return offers;
    }
    let names: Vec<(usize, String)> = (offers.iter().enumerate())
        .map(|(n, o)| (n, o.name.clone()))
        .collect();
    let places = filter::ranked(typed, names.iter().map(|(n, name)| (*n, name.as_str())));
    places.into_iter().map(|n| offers[n].clone()).collect()
}

/// Remembers a command, the latest last, once.
pub fn remember(history: &mut Vec<String>, name: &str) {
    history.retain(|h| h != name);
    history.push(name.to_owned());
    if history.len() > HISTORY {
        history.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_one_is_not_called_mistyped_where_no_window_is_needed() {
        for (typed, said) in [
            ("write 15m", NEEDLESS),
            ("write off", NEEDLESS),
            ("write 9h", FORM),
            ("write", FORM),
            ("wirte 15m", "no such command"),
        ] {
            assert_eq!(unmatched(typed), said, "{typed}");
        }
    }

    #[test]
    fn typing_finds_and_history_leads() {
        let production = Safe::new("production");
        let all = || offers(&Keymap::default(), Context::Home, false, &[&production]);
        let found = matching(all(), "prod", &[]);
        assert_eq!(found[0].choice, Choice::Environment(0));
        let mut history = Vec::new();
        remember(&mut history, "repaint");
        remember(&mut history, "help");
        let recent = matching(all(), "", &history);
        assert_eq!(
            (recent[0].name.as_str(), recent[1].name.as_str()),
            ("help", "repaint")
        );
    }
}
