//! From the configuration's words to what the source of alerts asks and how its answers are read.

use crate::clients::http::{Bearer, Reach, Target};
use crate::config::{Address, Environment, Reference, Replica};
use crate::estate::Safe;
use crate::estate::alerts::AlertScope;
use crate::sources::alerts;

/// What is asked for an environment; none where it has no Prometheus.
pub fn target(environment: &Environment) -> Option<alerts::Target> {
    let prometheus = environment.prometheus.as_ref()?;
    let belongs = prometheus.belongs.iter();
    Some(alerts::Target {
        prometheus: Some(reach(&prometheus.address)),
        alertmanager: environment.alertmanager.as_ref().map(reach),
        belongs: belongs.map(|(k, v)| (Safe::new(k), Safe::new(v))).collect(),
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
    })
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
