//! From a configuration to what the cockpit is made of.

use std::path::Path;
use std::time::Duration;

use super::monitoring;
use crate::app::operations::Pace;
use crate::app::{Keymap, Look, Setup, State};
use crate::clients::github;
use crate::clients::kubernetes::{self, Target};
use crate::config::{
    self, Config, Deployment, Environment, Gates, Github, Operations, Problem, Smoke, Token, Ui,
};
use crate::estate::alerts::AlertScope;
use crate::estate::runs::{Deploys, RepositoryScope};
use crate::estate::{
    Approval, Approver, OnFailure, Safe, Scope, Soak, TrafficSwitch, WorkloadScope,
};
use crate::ops::bastion::{Place, Timing, seat};
use crate::ops::hook::{self, Hook};
use crate::ops::monitoring::Monitors;
use crate::ops::placement::{self, Placement};
use crate::ops::plan::{self, Command, Fetch, How, Probe, Question, Trial, Workflow};
use crate::sources::{Selectors, alerts};
use crate::tui::{Outside, Wire};

/// A configuration, checked by everybody who has a say.
pub(super) struct Loaded {
    title: Safe,
    /// Environments, and whether each is read-only.
    environments: Vec<(Scope, bool)>,
    /// How each is reached.
    pub wires: Vec<Wire>,
    /// How each environment's alerts are read, and how they are asked for.
    alerts: Vec<Option<AlertScope>>,
    monitoring: Vec<alerts::Target>,
    /// What the workers of each environment ask.
    monitors: Vec<Option<Monitors>>,
    /// The repository whose workflow runs are shown, and how it is reached.
    repository: Option<RepositoryScope>,
    github: Option<github::Target>,
    keymap: Keymap,
    warnings: Vec<Safe>,
    /// How the screen looks, by the file.
    pub ui: Ui,
    timing: Timing,
    /// How each environment is deployed.
    hows: Vec<How>,
    /// What a smoke test asks in each.
    probes: Vec<Vec<Probe>>,
    /// Who is told of operations in each.
    hooks: Vec<Vec<Hook>>,
}

/// What is wrong with keys and commands, by the table of keys.
pub(super) fn wrong_keys(changes: &[(&str, &str)]) -> Vec<(usize, String)> {
    Keymap::with(changes.iter().copied())
        .err()
        .unwrap_or_default()
}

/// Checks what only the table of keys can check, and takes the rest over. What the current context is is settled here, once
/// for the screen and for what it starts (I-47).
///
/// # Errors
/// Every problem of the keys, a line each, with its place.
pub(super) fn loaded(
    mut config: Config,
    warnings: &[Problem],
    file: &Path,
) -> Result<Loaded, String> {
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
    for environment in &mut config.environments {
        let pinned = kubernetes::pinned(&target(environment));
        (environment.kubeconfig, environment.context) = (pinned.kubeconfig, pinned.context);
    }
    let scopes: Vec<Scope> = (config.environments.iter())
        .map(|e| scope(e, &config.operations))
        .collect();
    Ok(Loaded {
        title: Safe::new(&config.title),
        alerts: config.environments.iter().map(monitoring::scope).collect(),
        monitoring: (config.environments.iter())
            .map(|e| monitoring::target(e).unwrap_or_default())
            .collect(),
        monitors: (config.environments.iter())
            .map(monitoring::monitors)
            .collect(),
        repository: config
            .github
            .as_ref()
            .map(|g| repository(g, &config.environments)),
        github: (config.github.as_ref()).map(|it| github_target(it, &config.environments)),
        wires: (config.environments.iter().zip(&scopes))
            .map(|(e, scope)| wire(e, scope))
            .collect(),
        environments: (scopes.into_iter().zip(&config.environments))
            .map(|(scope, e)| (scope, e.read_only))
            .collect(),
        keymap,
        warnings: warnings.iter().map(|w| Safe::new(&w.to_string())).collect(),
        ui: config.ui,
        timing: timing(&config.operations),
        probes: config.environments.iter().map(probes).collect(),
        hooks: config.environments.iter().map(hooks).collect(),
        hows: config.environments.iter().map(how).collect(),
    })
}

impl Loaded {
    /// A cockpit that has seen nothing yet, and how it reaches what it watches.
    pub fn state(self, look: Look, is_demo: bool) -> (State, Outside) {
        let places = self.places();
        let state = State::new(Setup {
            title: self.title,
            alerts: self.alerts,
            hows: self.hows,
            probes: self.probes,
            repository: self.repository,
            environments: self.environments,
            keymap: self.keymap,
            look,
            zone: jiff::tz::TimeZone::system(),
            is_demo,
            author: seat(),
            pace: Pace {
                moved_s: self.timing.moved.as_secs(),
                renew_s: self.timing.renew.as_secs(),
            },
            ends_with_logout: placement::here() == Placement::EndsWithLogout,
            warnings: self.warnings,
        });
        let outside = Outside {
            wires: self.wires,
            places,
            control: None,
            github: self.github,
            monitoring: self.monitoring,
            journal: super::logging::state_dir().map(|dir| dir.join("acts.jsonl")),
        };
        (state, outside)
    }

    /// Where the environment at `at` is, for operations.
    pub fn place(&self, at: usize) -> Place {
        let (wire, (scope, _)) = (&self.wires[at], &self.environments[at]);
        Place {
            kubeconfig: wire.target.kubeconfig.clone(),
            context: wire.target.context.clone(),
            records: wire.target.records.clone(),
            selector: wire.selectors.workloads.clone(),
            scope: scope.clone(),
            timing: self.timing,
            monitors: self.monitors[at].clone(),
            journals: journals(),
            github: self.github.clone(),
            how: self.hows[at].clone(),
            probes: self.probes[at].clone(),
            hooks: self.hooks[at].clone(),
        }
    }

    /// All of them.
    pub fn places(&self) -> Vec<Place> {
        (0..self.environments.len())
            .map(|at| self.place(at))
            .collect()
    }

    /// How that environment is deployed.
    pub fn how(&self, name: &str) -> How {
        let mut all = self.environments.iter();
        let at = all.position(|(scope, _)| scope.name.as_str() == name);
        at.map(|at| self.hows[at].clone()).unwrap_or_default()
    }

    /// What a smoke test of that environment asks.
    pub fn probes(&self, name: &str) -> Vec<Probe> {
        let mut all = self.environments.iter();
        let at = all.position(|(scope, _)| scope.name.as_str() == name);
        at.map(|at| self.probes[at].clone()).unwrap_or_default()
    }

    /// Whether that environment is read-only until somebody says otherwise.
    pub fn is_read_only(&self, name: &str) -> bool {
        let mut all = self.environments.iter();
        all.any(|(scope, is_read_only)| scope.name.as_str() == name && *is_read_only)
    }

    /// How each environment's alerts are read.
    pub fn alert_scopes(&self) -> &[Option<AlertScope>] {
        &self.alerts
    }

    /// How each environment's alerts are asked for.
    pub fn monitoring(&self) -> &[alerts::Target] {
        &self.monitoring
    }

    /// The repository whose workflow runs are shown.
    pub fn repository(&self) -> Option<&RepositoryScope> {
        self.repository.as_ref()
    }

    /// How it is reached.
    pub fn github(&self) -> Option<&github::Target> {
        self.github.as_ref()
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

/// Where the journals of operations are.
pub(super) fn journals() -> Option<std::path::PathBuf> {
    super::logging::state_dir().map(|dir| dir.join("operations"))
}

fn timing(said: &Operations) -> Timing {
    let built_in = Timing::default();
    let (lease, renew, give_up) = said.lease_seconds();
    let seconds = |said: u32| Duration::from_secs(u64::from(said));
    Timing {
        lease: seconds(lease),
        renew: seconds(renew),
        give_up: seconds(give_up),
        moved: said.moved.map_or(built_in.moved, seconds),
        patience: said.patience.map_or(built_in.patience, seconds),
        rollout: said.rollout.map_or(built_in.rollout, seconds),
        ..built_in
    }
}

/// What is asked before traffic goes there, and then what is asked when it was there for the soak.
fn probes(environment: &Environment) -> Vec<Probe> {
    let before = environment.smoke.iter().map(|said| probe(said, false));
    let after = environment.verify.iter().map(|said| probe(said, true));
    before.chain(after).collect()
}

fn probe(said: &Smoke, after: bool) -> Probe {
    let texts = |all: &[String]| all.iter().map(|text| Safe::new(text)).collect();
    match said {
        Smoke::Ask(said) => Probe::Ask(Question {
            workload: Safe::new(&said.workload),
            port: Safe::new(&said.port),
            path: Safe::new(&said.path),
            status: said.status,
            within_ms: said.within,
            contains: texts(&said.contains),
        }),
        Smoke::Fetch(said) => Probe::Fetch(Fetch {
            url: Safe::new(&said.url),
            status: said.status,
            within_ms: said.within,
            contains: texts(&said.contains),
            after,
        }),
        Smoke::Run { command, url } => Probe::Run(Trial {
            command: program(command),
            url: url.as_deref().map(Safe::new),
            after,
        }),
    }
}

fn hooks(environment: &Environment) -> Vec<Hook> {
    let event = |on: &config::HookOn| match on {
        config::HookOn::Start => hook::Event::Start,
        config::HookOn::Approval => hook::Event::Approval,
        config::HookOn::Held => hook::Event::Held,
        config::HookOn::End => hook::Event::End,
    };
    let hook = |said: &config::Hook| Hook {
        on: said.on.iter().map(event).collect(),
        command: program(&said.command),
    };
    environment.hooks.iter().map(hook).collect()
}

fn program(said: &config::Command) -> Command {
    Command {
        argv: said.argv.iter().map(|word| Safe::new(word)).collect(),
        timeout_s: said.timeout,
    }
}

fn how(environment: &Environment) -> How {
    match &environment.deployment {
        None | Some(Deployment::Image) => How::Image,
        Some(Deployment::Command(said)) => How::Command(program(said)),
        Some(Deployment::Workflow(said)) => How::Workflow(Workflow {
            file: Safe::new(&said.file),
            reference: Safe::new(&said.reference),
            inputs: (said.inputs.iter())
                .map(|(name, value)| (Safe::new(name), Safe::new(value)))
                .collect(),
            timeout_s: said.timeout,
        }),
        Some(Deployment::Helm(said)) => How::Helm(plan::Helm {
            program: Safe::new(&said.program),
            chart: Safe::new(&said.chart),
            release: Safe::new(&said.release),
            version: said.version.as_deref().map(Safe::new),
            values: (said.values.iter())
                .map(|file| Safe::new(&file.to_string_lossy()))
                .collect(),
            set: (said.set.iter())
                .map(|(path, value)| (Safe::new(path), Safe::new(value)))
                .collect(),
            timeout_s: said.timeout,
            recovers: false,
        }),
    }
}

fn wire(environment: &Environment, scope: &Scope) -> Wire {
    Wire {
        target: target(environment),
        selectors: Selectors {
            workloads: environment.selector.clone(),
            slices: scope.slices(),
        },
    }
}

fn target(environment: &Environment) -> Target {
    Target {
        kubeconfig: environment.kubeconfig.clone(),
        context: environment.context.clone(),
        namespace: environment.namespace.clone(),
        records: environment.records.clone(),
    }
}

fn repository(github: &Github, environments: &[Environment]) -> RepositoryScope {
    let deploys = environments.iter().filter_map(|e| {
        let deploy = e.deploy.as_ref()?;
        Some(Deploys {
            environment: Safe::new(&e.name),
            job: Safe::new(&deploy.job),
            branch: Safe::new(&deploy.branch),
        })
    });
    RepositoryScope {
        name: Safe::new(&github.repository),
        workflow: Safe::new(&github.workflow),
        deploys: deploys.collect(),
    }
}

fn github_target(github: &Github, environments: &[Environment]) -> github::Target {
    let mut branches: Vec<String> = (environments.iter())
        .filter_map(|e| Some(e.deploy.as_ref()?.branch.clone()))
        .collect();
    branches.sort();
    branches.dedup();
    github::Target {
        api: github.api.clone(),
        repository: github.repository.clone(),
        workflow: github.workflow.clone(),
        token: match github.token.clone() {
            Some(Token::Env(name)) => github::TokenFrom::Env(name),
            Some(Token::File(file)) => github::TokenFrom::File(file),
            Some(Token::Gh) => github::TokenFrom::GhCli,
            None => github::TokenFrom::None,
        },
        ca_file: github.ca_file.clone(),
        branches,
        runs: github.runs,
    }
}

fn scope(environment: &Environment, operations: &Operations) -> Scope {
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
        keep_warm: t.keep_warm,
        clean_up: t.clean_up,
    });
    Scope {
        name: Safe::new(&environment.name),
        tier: environment.tier,
        context: Safe::new(environment.context.as_deref().unwrap_or("current context")),
        namespace: Safe::new(&environment.namespace),
        workloads: workloads.collect(),
        traffic,
        soak: soak(environment, operations),
        needs_smoke: environment.gates.smoke,
        needs_ci: environment.gates.ci,
        holds_returned: environment.gates.returned,
        approval: approval(&environment.gates),
    }
}

/// Whose approval a cutover needs, and for how long one holds.
fn approval(gates: &Gates) -> Approval {
    let built_in = Approval::default();
    Approval {
        by: match gates.approval {
            config::Approval::None => Approver::Nobody,
            config::Approval::Github => Approver::Github,
            config::Approval::Other => Approver::Other,
        },
        lasts_s: gates.approval_lasts.unwrap_or(built_in.lasts_s),
    }
}

/// How long a cutover is watched: as the environment says, or as all do.
fn soak(environment: &Environment, operations: &Operations) -> Soak {
    let said = environment.gates.soak.or(operations.watch);
    Soak {
        watch_s: said.map_or(Soak::default().watch_s, u64::from),
        is_unsaid: said.is_none(),
        on_failure: match environment.gates.holds {
            true => OnFailure::Hold,
            false => OnFailure::Return,
        },
        restarts: environment.gates.restarts,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use crate::estate::Tier;

    pub(in crate::cli) fn example() -> Loaded {
        let text = include_str!("../../config.example.toml");
        let (config, warnings) = Config::parse(text, "config.example.toml").unwrap();
        loaded(config, &warnings, Path::new("config.example.toml"))
            .unwrap_or_else(|e| unreachable!("{e}"))
    }

    #[test]
    fn the_example_makes_a_cockpit_with_production_on_the_screen() {
        let (state, outside) = example().state(Look::default(), false);
        assert_eq!(outside.wires.len(), state.environments.len());
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

    #[test]
    fn c03_i_47_a_context_that_is_chosen_later_moves_neither_the_screen_nor_what_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        std::fs::write(&file, "current-context: here\n").unwrap();
        let text = include_str!("../../config.example.toml");
        let text = text.replace("context = \"prod-eu\"", &format!("kubeconfig = {file:?}"));
        let (config, warnings) = Config::parse(&text, "c.toml").unwrap();
        let loaded = loaded(config, &warnings, Path::new("c.toml")).unwrap();
        std::fs::write(&file, "current-context: there\n").unwrap();
        let place = loaded.place(2);
        let watched = &loaded.wires[2].target;
        let names = [&watched.context, &place.context].map(|it| it.as_deref());
        assert_eq!(names, [Some("here"); 2]);
        assert_eq!(place.scope.context.as_str(), "here");
        assert_eq!(loaded.places()[0].context.as_deref(), Some("dev-eu"));
    }

    #[test]
    fn a_worker_is_told_where_the_token_of_monitoring_is_and_never_the_token() {
        let text = include_str!("../../config.example.toml").replace(
            "service = \"monitoring/prometheus:9090\"",
            "url = \"https://prometheus.example\"\ntoken = { env = \"PATH\" }",
        );
        let (config, warnings) = Config::parse(&text, "c.toml").unwrap();
        let loaded = loaded(config, &warnings, Path::new("c.toml")).unwrap();
        let told = serde_json::to_string(&loaded.places()).unwrap();
        assert!(told.contains(r#""bearer":{"env":"PATH"}"#), "{told}");
        assert!(!told.contains(&std::env::var("PATH").unwrap()));
        let read: Vec<Place> = serde_json::from_str(&told).unwrap();
        assert_eq!(read, loaded.places());
        let production = &read[2];
        assert_eq!(production.scope.soak.watch_s, 660);
        assert_eq!(read[0].scope.soak.watch_s, 30);
        let monitors = production.monitors.as_ref().unwrap();
        assert_eq!(monitors.scope.gates.queries[0].name.as_str(), "latency");
    }
}
