//! From the configuration's words to what the source of alerts asks and how its answers are read.

use crate::clients::http::{Bearer, Reach, Target};
use crate::config::{self, Address, Environment, Reference, Replica};
use crate::estate::alerts::AlertScope;
use crate::estate::gates::{DRAINING, Fit, GateScope, Query, Quiet, Traffic};
use crate::estate::{Labels, Safe};
use crate::ops::monitoring::Monitors;
use crate::sources::alerts;

/// What is asked for an environment; none where it has no Prometheus.
pub fn target(environment: &Environment) -> Option<alerts::Target> {
    let prometheus = environment.prometheus.as_ref()?;
    let gates = gates(&environment.gates);
    Some(alerts::Target {
        prometheus: Some(reach(&prometheus.address)),
        alertmanager: environment.alertmanager.as_ref().map(reach),
        belongs: belongs(prometheus),
        watchdog: prometheus.watchdog.as_deref().map(Safe::new),
        queries: gates.asked().cloned().collect(),
        // Without a switch nothing is cut over.
        colours: (environment.traffic.iter())
            .flat_map(|traffic| traffic.colours.iter().map(|c| Safe::new(c)))
            .collect(),
        interval_s: gates.interval_s,
    })
}

/// How the alerts of an environment are read; none where it has no Prometheus.
pub fn scope(environment: &Environment) -> Option<AlertScope> {
    let prometheus = environment.prometheus.as_ref()?;
    Some(AlertScope {
        watchdog: prometheus.watchdog.as_deref().map(Safe::new),
        colour_label: Some(Safe::new(&prometheus.colour_label)),
        service_label: Some(Safe::new(&prometheus.service_label)),
        alertmanager: environment.alertmanager.as_ref().map(named),
        belongs: belongs(prometheus),
        gates: gates(&environment.gates),
    })
}

/// What the workers of an environment ask; none where it has no Prometheus.
pub fn monitors(environment: &Environment) -> Option<Monitors> {
    let asked = target(environment)?;
    Some(Monitors {
        scope: scope(environment)?,
        prometheus: asked.prometheus?,
        alertmanager: asked.alertmanager,
    })
}

/// The labels that tie alerts, targets and rules to the environment.
fn belongs(prometheus: &config::Prometheus) -> Labels {
    let pairs = prometheus.belongs.iter();
    pairs
        .map(|(key, value)| (Safe::new(key), Safe::new(value)))
        .collect()
}

/// Which alerts and queries are gates.
fn gates(said: &config::Gates) -> GateScope {
    let built_in = GateScope::default();
    let texts = |values: &Vec<String>| values.iter().map(|v| Safe::new(v)).collect::<Vec<_>>();
    let fit = |labels: &std::collections::BTreeMap<String, Vec<String>>| {
        let pair = |(key, values): (&String, _)| (Safe::new(key), texts(values));
        Fit(labels.iter().map(pair).collect())
    };
    GateScope {
        alerts: (said.alerts.as_ref()).map_or(built_in.alerts, |all| all.iter().map(fit).collect()),
        queries: said.queries.iter().map(query).collect(),
        interval_s: said.interval.map_or(built_in.interval_s, u64::from),
        draining: said.draining.as_deref().map(|expression| Query {
            name: DRAINING.into(),
            expression: Safe::new(expression),
            below: None,
            above: None,
            traffic: None,
        }),
        unknown_s: said.unknown.map_or(built_in.unknown_s, u64::from),
    }
}

fn query(said: &config::Query) -> Query {
    let traffic = said.requests.as_ref().map(|(expression, least)| Traffic {
        expression: Safe::new(expression),
        least: *least,
        quiet: match said.quiet {
            config::Quiet::Hold => Quiet::Hold,
            config::Quiet::Extend => Quiet::Extend,
            config::Quiet::Pass => Quiet::Pass,
        },
    });
    Query {
        name: Safe::new(&said.name),
        expression: Safe::new(&said.query),
        below: said.below,
        above: said.above,
        traffic,
    }
}

/// Where something is, as the configuration has it.
fn named(address: &Address) -> Safe {
    let names = address.replicas.iter().map(|replica| match replica {
        Replica::Url(url) => url.trim_end_matches('/').to_owned(),
        Replica::Service {
            namespace,
            name,
            port,
            prefix,
        } => format!("{namespace}/{name}:{port}{prefix}"),
    });
    Safe::new(&names.collect::<Vec<_>>().join(", "))
}

fn reach(address: &Address) -> Target {
    let replica = |replica: &Replica| match replica {
        Replica::Url(url) => Reach::Url(url.clone()),
        Replica::Service {
            namespace,
            name,
            port,
            prefix,
        } => Reach::Service {
            namespace: namespace.clone(),
            name: name.clone(),
            port: port.clone(),
            prefix: prefix.clone(),
        },
    };
    let bearer = |token: &Reference| match token {
        Reference::Env(name) => Bearer::Env(name.clone()),
        Reference::File(path) => Bearer::File(path.clone()),
    };
    Target {
        replicas: address.replicas.iter().map(replica).collect(),
        ca_file: address.ca_file.clone(),
        bearer: address.token.as_ref().map(bearer),
    }
}
