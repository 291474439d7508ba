//! What the people of one seed do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wheelhouse::ops::engine::{self, Ended};
use wheelhouse::ops::plan::Probe;
use wheelhouse::ops::{Entry, OperationKind, Request, Step, What, record};

use super::law::Rule;
use super::process::Process;
use super::world::World;

/// How a process ended.
#[derive(Clone, Debug)]
pub enum End {
    #[expect(dead_code, reason = "shown where a test fails")]
    Refused(String),
    Ended(Ended),
    Died,
    Said,
}

pub fn request(kind: OperationKind, probes: Vec<Probe>) -> Request {
    Request {
        reason: Some("simulated".into()),
        images: match kind {
            OperationKind::Deploy | OperationKind::Release => ["frontend", "backend"]
                .map(|part| (part.into(), ":v9".into()))
                .into(),
            _ => Default::default(),
        },
        probes,
        ..Request::new(kind)
    }
}

/// Begins an operation and carries it out.
pub async fn operate(process: Arc<Process>, kind: OperationKind) -> End {
    operate_after(process, kind, async || {}).await
}

/// As [`operate`], where the person waits with the confirmation.
pub async fn operate_after(
    process: Arc<Process>,
    kind: OperationKind,
    wait: impl AsyncFnOnce(),
) -> End {
    let (_never, stop) = watch::channel(false);
    let bastion = process.bastion();
    let work = async {
        let prepared = engine::prepare(&bastion, request(kind, bastion.probes.clone())).await;
        let prepared = prepared.map_err(|why| format!("{why:?}"))?;
        if let Err(refusal) = prepared.plan() {
            return Err(refusal.why.to_string());
        }
        if let Ok(plan) = prepared.plan() {
            process.state().planned = plan.flips.iter().map(|f| f.service.to_string()).collect();
        }
        wait().await;
        process.enter("lock");
        let run = prepared.start(None, stop).await;
        let run = run.map_err(|why| format!("{why:?}"))?;
        Ok(carry_out(&process, run).await)
    };
    end(&process, kind.word(), process.run(work).await)
}

/// A rollback that nothing stands in the way of goes through at once, whoever holds the Lease.
pub async fn unhindered(process: Arc<Process>) -> End {
    let (world, began) = (process.world.clone(), process.world.now());
    let task = tokio::task::spawn_local(operate(process.clone(), OperationKind::Rollback));
    pause(5).await;
    let is_gone = world.is_scaled_to_0("green").await;
    for service in process.state().planned.clone() {
        let mut law = world.law();
        let is_ours = |(_, number, name): &(u64, usize, String)| {
            *number == process.number && *name == service
        };
        let is_done = law.accepted.iter().any(is_ours);
        let is_changed = law.changed.get(&service).is_some_and(|c| c.at >= began);
        // A clean-up was faster: there is nothing to go back to (I-22).
        let is_changed = is_changed || is_gone;
        if !is_done && !is_changed {
            let words = format!("{process:?} has not rolled {service} back");
            law.breaks(Rule::RollbackGoesThrough, words);
        }
    }
    task.await.unwrap()
}

/// Takes an operation over and carries it out.
pub async fn adopt(process: Arc<Process>, id: String) -> End {
    let (_never, stop) = watch::channel(false);
    let bastion = process.bastion();
    process.enter("adopt");
    let work = async {
        let run = engine::adopt(&bastion, &id, stop).await;
        let run = run.map_err(|why| format!("{why:?}"))?;
        Ok(carry_out(&process, run).await)
    };
    end(&process, "adopt", process.run(work).await)
}

pub async fn abort(process: Arc<Process>, id: String) -> End {
    let bastion = process.bastion();
    process.enter("ask");
    let reason = "it looks wrong".into();
    let work = async {
        let added = record::add(&bastion, &id, What::AbortAsked { reason }).await;
        added.map_err(|why| why.to_string())
    };
    match process.run(work).await {
        Some(Ok(_)) => End::Said,
        Some(Err(why)) => end(&process, "abort", Some(Err(why))),
        None => End::Died,
    }
}

pub async fn abandon(process: Arc<Process>, id: String) -> End {
    let bastion = process.bastion();
    process.enter("abandon");
    let work = async {
        let said = engine::abandon(&bastion, &id, "given up".into()).await;
        said.map_err(|why| wheelhouse::ops::policy::words(&why).to_string())
    };
    match process.run(work).await {
        Some(Ok(_)) => End::Said,
        Some(Err(why)) => end(&process, "abandon", Some(Err(why))),
        None => End::Died,
    }
}

async fn carry_out(process: &Arc<Process>, run: engine::Run) -> Ended {
    process.took(run.kept());
    if run.kept().is_resumed() {
        let epochs = process.state().epochs.clone();
        process.world.law().fence(&epochs);
        if run.kept().operation.open_step() == Some(&Step::Smoke) {
            process.tests_anew();
        }
    }
    let (ear, id) = (process.clone(), run.id().to_string());
    let run = run.told_by(move |entry: &Entry| ear.heard(entry));
    let ended = run.carry_out().await;
    let is_closed = matches!(ended, Ended::Closed(..));
    if is_closed && !process.was_cut_off() && open(&process.world).await.contains(&id) {
        let words = format!("{process:?} says that {id} is over, and its record is open");
        process.world.law().breaks(Rule::EndsTruly, words);
    }
    ended
}

fn end(process: &Process, what: &str, ended: Option<Result<Ended, String>>) -> End {
    let end = match ended {
        None => End::Died,
        Some(Ok(ended)) => End::Ended(ended),
        Some(Err(why)) => End::Refused(why),
    };
    process.world.say(format!("{process:?} {what}: {end:?}"));
    end
}

pub async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The records that are not closed.
pub async fn open(world: &World) -> Vec<String> {
    let path = "/api/v1/namespaces/wheelhouse/configmaps?labelSelector=wheelhouse.dev%2Frecord%3Doperation";
    let is_open = |text: &str| !text.contains("\"closed\"") && !text.contains("\"abandoned\"");
    let records = world.list(path).await;
    let id = |record: &serde_json::Value| {
        let name = record["metadata"]["name"].as_str()?;
        let id = name.strip_prefix("wheelhouse-")?;
        is_open(record["data"]["entries"].as_str()?).then(|| id.to_owned())
    };
    records.iter().filter_map(id).collect()
}
