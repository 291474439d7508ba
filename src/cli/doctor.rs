//! `doctor`: every connection, permission, version, clock and expiry, each with a verdict and with what
//! to do. Everything is asked at once and in a limit of time: one thing away never hides the others.
//!
//! The JSON is versioned: `"schema": "wheelhouse.doctor/v1"`. Fields may be added to v1, none is
//! renamed or removed; the README documents it.

mod access;
mod cluster;
mod finding;
mod github;
mod helm;
mod json;
mod machine;
mod monitoring;
mod program;
mod shape;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;

use super::exit::Exit;
use super::output::{complain, say};
use super::setup::{self, Loaded};
use super::{runtime, status};
use crate::config::{Config, Problem};
use crate::estate::Safe;
use crate::ops::plan::{How, Probe};
use crate::tui::clock;
use access::Operates;
use finding::{Section, gravest};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these environments (all of them by default).
    environments: Vec<String>,
    /// JSON of the shape `wheelhouse.doctor/v1`.
    #[arg(long)]
    json: bool,
    /// Leave out what is OK (not from the JSON).
    #[arg(short, long)]
    quiet: bool,
    /// Seconds to wait for each answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

/// A configuration as it was read.
pub(super) struct Read {
    pub file: PathBuf,
    pub config: Config,
    pub warnings: Vec<Problem>,
}

/// Checks and prints.
pub(super) fn run(
    all: &super::Arguments,
    read: Result<Read, String>,
    arguments: &Arguments,
) -> Exit {
    let made = read.and_then(|read| {
        let loaded = setup::loaded(read.config.clone(), &read.warnings, &read.file)?;
        Ok((read, loaded))
    });
    let machine = match &made {
        Ok((read, _)) => machine::section(Ok((&read.file, &read.config, &read.warnings)), all),
        Err(problems) => machine::section(Err(problems), all),
    };
    let mut sections = vec![machine];
    if let Ok((_, loaded)) = &made {
        let wanted = match status::chosen(loaded, &arguments.environments) {
            Ok(wanted) => wanted,
            Err(words) => {
                complain(&words);
                return Exit::Usage;
            }
        };
        let runtime = match runtime(2) {
            Ok(runtime) => runtime,
            Err(exit) => return exit,
        };
        let limit = Duration::from_secs(arguments.timeout);
        sections.extend(runtime.block_on(examine(loaded, &wanted, limit)));
        runtime.shutdown_timeout(Duration::from_millis(300));
    }
    match arguments.json {
        true => say(&json::render(&sections, clock::now().wall)),
        false => {
            let manner = text::Manner {
                width: width(),
                is_quiet: arguments.quiet,
            };
            say(&text::render(&sections, manner));
        }
    }
    match made {
        Ok(_) => Exit::from(&gravest(&sections)),
        Err(_) => Exit::Usage,
    }
}

/// The width of the terminal that is printed to, where it is one.
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// GitHub and the environments, all at once.
async fn examine(loaded: &Loaded, wanted: &[usize], limit: Duration) -> Vec<Section> {
    let github = async {
        let (target, scope) = loaded.github().zip(loaded.repository())?;
        Some(github::section(target, scope, &started(loaded), limit).await)
    };
    let environments = join_all(
        wanted
            .iter()
            .map(|place| environment(loaded, *place, limit)),
    );
    let (github, environments) = futures::join!(github, environments);
    github.into_iter().chain(environments).collect()
}

/// The workflows that deploy, by environment.
fn started(loaded: &Loaded) -> Vec<github::Started> {
    let how = |name: &Safe| match loaded.how(name) {
        How::Workflow(workflow) => Some((name.clone(), workflow)),
        How::Image | How::Command(_) | How::Helm(_) => None,
    };
    let scopes = loaded.scopes();
    scopes.filter_map(|scope| how(&scope.name)).collect()
}

/// What an operator does there; none where nothing is to be written.
fn operates(loaded: &Loaded, place: usize) -> Option<Operates<'_>> {
    let scope = loaded.scopes().nth(place)?;
    let monitored = loaded.monitoring().get(place);
    let probes = loaded.probes(&scope.name);
    (!loaded.is_read_only(&scope.name)).then(|| Operates {
        asks_pods: probes.iter().any(Probe::asks_pods),
        services: scope.traffic.as_ref().map_or(&[][..], |it| &it.services),
        alertmanager: monitored.and_then(|it| it.alertmanager.as_ref()),
    })
}

async fn environment(loaded: &Loaded, place: usize, limit: Duration) -> Section {
    let target = &loaded.wires[place].target;
    let monitored = &loaded.monitoring()[place];
    let behind: Vec<_> = [&monitored.prometheus, &monitored.alertmanager]
        .into_iter()
        .flatten()
        .collect();
    let operates = operates(loaded, place);
    let places = [place];
    let looked = status::look::estates(loaded, &places, limit);
    let asked = async {
        let (cluster, mut findings) = cluster::connect(target, limit).await;
        let cluster = cluster.ok();
        let api = async {
            match &cluster {
                Some(it) => cluster::findings(it, target, &behind, operates, limit).await,
                None => Vec::new(),
            }
        };
        let how = loaded.scopes().nth(place).map(|it| loaded.how(&it.name));
        let helm = async {
            match (&cluster, &how) {
                (Some(it), Some(how)) => helm::findings(how, it, limit).await,
                _ => Vec::new(),
            }
        };
        let alerts = async {
            match &loaded.alert_scopes()[place] {
                Some(scope) => {
                    monitoring::findings(monitored, scope, cluster.as_ref(), limit).await
                }
                None => Vec::new(),
            }
        };
        let (api, alerts, helm) = futures::join!(api, alerts, helm);
        findings.extend(api);
        findings.extend(helm);
        (findings, alerts)
    };
    let (estates, (mut findings, alerts)) = futures::join!(looked, asked);
    findings.extend(estates.iter().flat_map(shape::findings));
    findings.extend(alerts);
    findings.extend(program::findings(&loaded.place(place)));
    let scope = loaded.scopes().nth(place);
    let (name, title) = scope.map_or_else(Default::default, |scope| {
        let title = format!(
            "{}: {}, namespace {}",
            scope.name, scope.context, scope.namespace
        );
        (scope.name.clone(), Safe::new(&title))
    });
    Section {
        place: name,
        title,
        findings,
    }
}

/// Seconds as people say them: `3d`, `5h`, `12m`.
fn span(seconds: i64) -> String {
    crate::ui::age(seconds)
}
