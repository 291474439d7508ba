//! Looks around: every context of the kubeconfig at once, each within a limit of time. Only reads.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::draft::Seen;
use super::monitors;
use crate::clients::http::{Reach, Target as Monitored};
use crate::clients::kubernetes::{self, Cluster, Context, Target};
use crate::clients::prometheus::Prometheus;
use crate::estate::{Safe, Tier};

/// Names that people give to the alert that always fires.
const WATCHDOGS: [&str; 4] = ["Watchdog", "DeadMansSwitch", "DeadManSwitch", "Heartbeat"];

/// What was seen of a context, or why nothing was.
pub(super) struct Looked {
    pub context: Context,
    pub seen: Result<Seen, Safe>,
}

/// Looks at the clusters of all contexts.
pub(super) async fn look(contexts: Vec<Context>, limit: Duration) -> Vec<Looked> {
    let looking = contexts.into_iter().map(async |context| {
        let late = |_| {
            let seconds = limit.as_secs();
            Err(Safe::new(&format!("no answer within {seconds} s")))
        };
        let seen = timeout(limit, one(&context, limit)).await;
        Looked {
            seen: seen.unwrap_or_else(late),
            context,
        }
    });
    join_all(looking).await
}

async fn one(context: &Context, limit: Duration) -> Result<Seen, Safe> {
    let target = Target {
        kubeconfig: None,
        context: Some(context.name.clone()),
        namespace: context
            .namespace
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        records: None,
    };
    let cluster = kubernetes::connect(&target)
        .await
        .map_err(|fault| fault.what)?;
    let survey = cluster.survey(limit).await.map_err(|fault| fault.what)?;
    let watchdog = match monitors::prometheus(&survey.services) {
        // Half of the time: what it would say is only a comment's worth.
        Some(monitor) => watchdog(&cluster, &monitor, limit / 2).await,
        None => None,
    };
    Ok(Seen {
        context: context.clone(),
        survey,
        watchdog,
    })
}

/// The alert that fires and is called like one that always does.
async fn watchdog(cluster: &Cluster, monitor: &monitors::Monitor, limit: Duration) -> Option<Safe> {
    let target = Monitored {
        replicas: vec![Reach::Service {
            namespace: monitor.namespace.to_string(),
            name: monitor.name.to_string(),
            port: monitor.port.to_string(),
            prefix: String::new(),
        }],
        ..Monitored::default()
    };
    let seen = Prometheus::new(&target)
        .rules(Some(cluster), limit)
        .await
        .ok()?;
    let fires = seen
        .rules
        .iter()
        .filter(|rule| rule.alerts.iter().any(|alert| alert.is_firing));
    let mut names = fires.map(|rule| &rule.name);
    names
        .find(|name| WATCHDOGS.contains(&name.as_str()))
        .cloned()
}

/// The words for a tier.
pub(super) fn words(tier: Tier) -> &'static str {
    match tier {
        Tier::Development => "development",
        Tier::Staging => "staging",
        Tier::Production => "production",
    }
}
