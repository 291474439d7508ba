//! From a configuration to what the cockpit is made of.

use std::path::Path;

use crate::app::{Keymap, Look, Setup, State};
use crate::clients::kubernetes::Target;
use crate::config::{Config, Environment, Problem, Ui};
use crate::estate::{Safe, Scope, Tier, TrafficSwitch, WorkloadScope};
use crate::tui::Wire;

/// A configuration, checked by everybody who has a say.
pub(super) struct Loaded {
    title: Safe,
    /// Environments, and whether each is read-only.
    environments: Vec<(Scope, bool)>,
    /// How each is reached.
    pub wires: Vec<Wire>,
    keymap: Keymap,
    warnings: Vec<Safe>,
    /// How the screen looks, by the file.
    pub ui: Ui,
}

/// Checks what only the table of keys can check, and takes the rest over.
///
/// # Errors
/// Every problem of the keys, a line each, with its place.
pub(super) fn loaded(config: Config, warnings: &[Problem], file: &Path) -> Result<Loaded, String> {
    let changes = config
        .keys
        .iter()
        .map(|k| (k.key.as_str(), k.command.as_str()));
    let keymap = Keymap::with(changes).map_err(|problems| {
        let lines = problems.into_iter().map(|(place, words)| {
            let at = &config.keys[place].place;
            format!(
                "{}:{}:{}: keys: {}",
                file.display(),
                at.line,
                at.column,
                Safe::new(&words)
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Loaded {
        title: Safe::new(&config.title),
        wires: config.environments.iter().map(wire).collect(),
        environments: config
            .environments
            .iter()
            .map(|e| (scope(e), e.read_only))
            .collect(),
        keymap,
        warnings: warnings.iter().map(|w| Safe::new(&w.to_string())).collect(),
        ui: config.ui,
    })
}

impl Loaded {
    /// A cockpit that has seen nothing yet, and how it reaches its environments.
    pub fn state(self, look: Look, is_demo: bool) -> (State, Vec<Wire>) {
        let state = State::new(Setup {
            title: self.title,
            alerts: Vec::new(),
            repository: None,
            environments: self.environments,
            keymap: self.keymap,
            look,
            zone: jiff::tz::TimeZone::system(),
            is_demo,
            warnings: self.warnings,
        });
        (state, self.wires)
    }

    /// The environments, in the order of the file.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.environments.iter().map(|(scope, _)| scope)
    }

    /// What is being released.
    pub fn title(&self) -> &Safe {
        &self.title
    }

    /// What the configuration warned of.
    pub fn warnings(&self) -> &[Safe] {
        &self.warnings
    }
}

fn wire(environment: &Environment) -> Wire {
    Wire {
        target: Target {
            kubeconfig: environment.kubeconfig.clone(),
            context: environment.context.clone(),
            namespace: environment.namespace.clone(),
        },
        selector: environment.selector.clone(),
    }
}

fn scope(environment: &Environment) -> Scope {
    let workloads = environment.workloads.iter().map(|w| WorkloadScope {
        name: Safe::new(&w.name),
        labels: w
            .labels
            .iter()
            .map(|(k, v)| (Safe::new(k), Safe::new(v)))
            .collect(),
        deployments: w.deployments.iter().map(|d| Safe::new(d)).collect(),
    });
    let traffic = environment.traffic.as_ref().map(|t| TrafficSwitch {
        key: Safe::new(&t.key),
        colours: [Safe::new(&t.colours[0]), Safe::new(&t.colours[1])],
        services: t.services.iter().map(|s| Safe::new(s)).collect(),
    });
    Scope {
        name: Safe::new(&environment.name),
        tier: match environment.tier {
            crate::config::Tier::Development => Tier::Development,
            crate::config::Tier::Staging => Tier::Staging,
            crate::config::Tier::Production => Tier::Production,
        },
        context: Safe::new(environment.context.as_deref().unwrap_or("current context")),
        namespace: Safe::new(&environment.namespace),
        workloads: workloads.collect(),
        traffic,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli) fn example() -> Loaded {
        let text = include_str!("../../config.example.toml");
        let (config, warnings) = Config::parse(text, "config.example.toml").unwrap();
        loaded(config, &warnings, Path::new("config.example.toml"))
            .unwrap_or_else(|e| unreachable!("{e}"))
    }

    #[test]
    fn the_example_makes_a_cockpit_with_production_on_the_screen() {
        let (state, wires) = example().state(Look::default(), false);
        assert_eq!(wires.len(), state.environments.len());
        assert_eq!(state.estate().scope.tier, Tier::Production);
    }

    #[test]
    fn c06_wrong_keys_are_told_with_their_place() {
        let text = include_str!("../../config.example.toml").replace("[keys]", "#");
        let text = format!("{text}\n[keys]\n\"ctrl-l\" = \"halp\"\n");
        let (config, warnings) = Config::parse(&text, "c.toml").unwrap();
        let problems = loaded(config, &warnings, Path::new("c.toml"))
            .map(drop)
            .unwrap_err();
        assert!(
            problems.contains("c.toml:") && problems.contains("halp"),
            "{problems}"
        );
    }
}
