//! What Wheelhouse asks of Kubernetes, and what it must understand: one suite for the embedded estate
//! and, unchanged, for the real plane.
//!
//! It needs a namespace with a Digital Wall in it (Service `digital-wall-service`, which selects a
//! colour by `version`; frontends of both colours, running) and a kubeconfig each for somebody who may
//! do everything there and for a viewer. What a check makes it removes.

mod flow;
mod hands;
mod reads;
mod rights;
mod writes;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use wheelhouse::clients::kubernetes::{Cluster, Target, connect};

/// How long the estate may take for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Where the suite runs.
#[derive(Clone, Debug)]
pub struct Estate {
    /// Somebody who may do everything in the namespace.
    pub operator: PathBuf,
    /// Somebody who may get, list, watch and read logs.
    pub viewer: PathBuf,
    /// The context in both; none for the current one.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// Another one, which records are kept in: all that viewers may see there.
    pub records: String,
}

impl Estate {
    fn target(&self, kubeconfig: &Path) -> Target {
        Target {
            kubeconfig: Some(kubeconfig.to_owned()),
            context: self.context.clone(),
            namespace: self.namespace.clone(),
            records: Some(self.records.clone()),
        }
    }

    /// Our own client.
    pub async fn cluster(&self) -> Cluster {
        connect(&self.target(&self.operator)).await.unwrap()
    }

    /// Our own client as the viewer has it.
    pub async fn viewing(&self) -> Cluster {
        connect(&self.target(&self.viewer)).await.unwrap()
    }

    /// kube's client, for what Wheelhouse writes.
    pub async fn client(&self) -> kube::Client {
        client(&self.operator, &self.context).await
    }

    pub async fn viewer(&self) -> kube::Client {
        client(&self.viewer, &self.context).await
    }
}

async fn client(kubeconfig: &Path, context: &Option<String>) -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions {
        context: context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    config.default_retry = false;
    config.try_into().unwrap()
}

type Check = fn(Arc<Estate>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every check by its name.
fn checks() -> Vec<(&'static str, Check)> {
    vec![
        ("a pulse tells version and clock", |e| {
            Box::pin(reads::pulse(e))
        }),
        ("every kind is listed and its watch opens", |e| {
            Box::pin(reads::kinds(e))
        }),
        ("a list comes in pages", |e| Box::pin(reads::pages(e))),
        ("labels and fields select", |e| {
            Box::pin(reads::selectors(e))
        }),
        ("an ancient resourceVersion is 410", |e| {
            Box::pin(reads::gone(e))
        }),
        ("a quiet watch gets a bookmark", |e| {
            Box::pin(reads::bookmarks(e))
        }),
        ("what is absent is 404", |e| Box::pin(reads::absent(e))),
        ("a watch tells creation, change and deletion", |e| {
            Box::pin(reads::changes(e))
        }),
        ("a ConfigMap is created once, got and merged", |e| {
            Box::pin(writes::config_map(e))
        }),
        (
            "a failing test of a JSON patch is 422 and changes nothing",
            |e| Box::pin(writes::json_patch(e)),
        ),
        ("a replace of what is not there adds it", |e| {
            Box::pin(writes::replacement(e))
        }),
        ("a stale resourceVersion is 409", |e| {
            Box::pin(writes::conflict(e))
        }),
        ("a dry run changes nothing", |e| {
            Box::pin(writes::dry_run(e))
        }),
        ("a delete keeps its preconditions", |e| {
            Box::pin(writes::preconditions(e))
        }),
        ("a Lease is taken by one of two", |e| {
            Box::pin(writes::lease(e))
        }),
        ("managedFields name who wrote the selector", |e| {
            Box::pin(writes::managers(e))
        }),
        ("the fence of a Service is in the write", |e| {
            Box::pin(hands::fence(e))
        }),
        ("an autoscaler is held by a tested patch", |e| {
            Box::pin(hands::capacity(e))
        }),
        ("our Lease is taken by version and freed", |e| {
            Box::pin(hands::lease(e))
        }),
        ("a record is appended to by version and watched", |e| {
            Box::pin(hands::record(e))
        }),
        ("single reads tell how it is now", |e| {
            Box::pin(hands::now(e))
        }),
        ("we know who we are and what we may", |e| {
            Box::pin(hands::identity(e))
        }),
        ("reviews tell who may what", |e| {
            Box::pin(rights::reviews(e))
        }),
        ("a viewer sees every kind and a log", |e| {
            Box::pin(rights::sight(e))
        }),
        ("a viewer reads and does not write", |e| {
            Box::pin(rights::viewer(e))
        }),
        ("a wrong token is 401", |e| Box::pin(rights::stranger(e))),
        ("a patch of the selector moves the EndpointSlices", |e| {
            Box::pin(flow::flip(e))
        }),
        ("a log is read and followed", |e| Box::pin(flow::logs(e))),
        ("a log of no container is refused", |e| {
            Box::pin(flow::no_container(e))
        }),
        ("a log of no previous run is refused", |e| {
            Box::pin(flow::no_previous(e))
        }),
        ("a forwarded port carries HTTP", |e| {
            Box::pin(flow::forward(e))
        }),
    ]
}

/// Runs every check but those of `skipped` (name, reason), one after the other, and fails with the
/// names of all that did.
pub async fn run(estate: Estate, skipped: &[(&str, &str)]) {
    let estate = Arc::new(estate);
    let checks = checks();
    for (name, _) in skipped {
        assert!(
            checks.iter().any(|(known, _)| known == name),
            "no check {name:?}"
        );
    }
    tell(skipped);
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Some((_, why)) = skipped.iter().find(|(skip, _)| *skip == name) {
            println!("SKIPPED {name}: {why}");
            continue;
        }
        let task = tokio::spawn(tokio::time::timeout(2 * LIMIT, check(estate.clone())));
        match task.await {
            Ok(Ok(())) => println!("ok {name}"),
            Ok(Err(_)) => failed.push(format!("{name} (not within {:?})", 2 * LIMIT)),
            Err(_) => failed.push(name.to_owned()),
        }
    }
    assert!(failed.is_empty(), "broken: {failed:#?}");
}

/// Leaves what is skipped, and why, for `.ci/run`: what a test prints that passes is not shown.
fn tell(skipped: &[(&str, &str)]) {
    if skipped.is_empty() {
        return;
    }
    let lines = skipped.iter().map(|(name, why)| format!("{name}: {why}\n"));
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/told");
    std::fs::create_dir_all(folder).unwrap();
    let file = concat!(
        "skipped of the contract, ",
        env!("CARGO_CRATE_NAME"),
        ".txt"
    );
    std::fs::write(Path::new(folder).join(file), lines.collect::<String>()).unwrap();
}

/// Asks again until it is so, for [`LIMIT`] at most.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let limit = tokio::time::Instant::now() + LIMIT;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < limit, "never: {what}");
        // The question goes over the wire: this does not spin.
        tokio::task::yield_now().await;
    }
}

/// The HTTP status of a refusal.
pub fn code<T: std::fmt::Debug>(answer: kube::Result<T>) -> u16 {
    match answer {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("no refusal: {other:?}"),
    }
}
