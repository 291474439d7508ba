//! What must be so when all is over: everything closed, nothing locked, nothing held.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::law::Rule;
use super::process::Process;
use super::script::{self, open, pause};
use super::world::{NAMESPACE, SERVICES, World, scope};

pub fn autoscaler_path(name: &str) -> String {
    format!("/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{name}")
        .trim_end_matches('/')
        .to_owned()
}

pub async fn autoscalers(world: &World) -> Vec<(String, Value, bool)> {
    let all = world.list(&autoscaler_path("")).await;
    let read = |a: &Value| {
        let name = a["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let is_held = !a["metadata"]["annotations"]["wheelhouse.dev/held"].is_null();
        (name, a["spec"]["minReplicas"].clone(), is_held)
    };
    all.iter().map(read).collect()
}

/// The faults are over: what is left is adopted, and must end.
pub async fn clean_up(world: &Arc<World>) {
    while world.late.load(Ordering::SeqCst) > 0 {
        pause(1).await;
    }
    for _ in 0..6 {
        let left = open(world).await;
        let Some(id) = left.first() else { return };
        let process = Process::new(world, "alice");
        process.spare();
        world.say(format!("left: {left:?}"));
        // Whoever cut it off may have died a moment ago: nobody takes that one's Lease in passing.
        if let script::End::Refused(_) = script::adopt(process, id.clone()).await {
            pause(61).await;
        }
    }
    let left = open(world).await;
    if !left.is_empty() {
        let words = format!("{left:?} cannot be brought to an end");
        world.law().breaks(Rule::LeavesNothing, words);
    }
}

impl World {
    /// What must be so when all is over.
    pub async fn end(&self, before: &[(String, Value, bool)]) {
        let after = autoscalers(self).await;
        for (was, is) in before.iter().zip(&after) {
            if was != is && !self.law().is_left.contains(&is.0) {
                let words = format!("autoscaler {was:?} is {is:?}");
                self.law().breaks(Rule::LeavesNothing, words);
            }
        }
        let leases = self.held().await;
        if !leases.is_empty() {
            pause(61).await;
            for lease in self
                .held()
                .await
                .iter()
                .filter(|lease| !leases.contains(lease))
            {
                let words = format!("a Lease is still renewed: {lease}");
                self.law().breaks(Rule::LeavesNothing, words);
            }
        }
        self.watches().await;
        self.agree().await;
    }

    /// Where every operation ended well, all Services are at one colour, unless somebody meddled.
    async fn agree(&self) {
        let mut colours = BTreeSet::new();
        for name in SERVICES {
            colours.insert(self.service(name).await["spec"]["selector"]["version"].to_string());
        }
        let records = self.list("/api/v1/namespaces/wheelhouse/configmaps").await;
        let is_ill = |record: &Value| {
            let text = record["data"]["entries"].as_str().unwrap_or_default();
            let is_overtaken = text.contains("moved traffic since")
                || text.contains("\"abandoned\":{\"reason\":\"cut off by rollback");
            text.contains("\"outcome\":\"failed\"")
                || (text.contains("\"abandoned\"") && !is_overtaken)
        };
        let mut law = self.law();
        if colours.len() > 1 && !law.is_meddled && !records.iter().any(is_ill) {
            law.breaks(
                Rule::LeavesNothing,
                format!("the Services are at {colours:?}"),
            );
        }
    }

    async fn held(&self) -> Vec<Value> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
        let mut all = self.list(&path).await;
        all.retain(|lease| {
            lease["spec"]["holderIdentity"]
                .as_str()
                .is_some_and(|h| !h.is_empty())
        });
        all.iter().map(|lease| lease["spec"].clone()).collect()
    }

    /// Each watch that passed was kept by somebody.
    async fn watches(&self) {
        let records = self.list("/api/v1/namespaces/wheelhouse/configmaps").await;
        for record in records {
            let name = record["metadata"]["name"].as_str().unwrap_or_default();
            let text = record["data"]["entries"].as_str().unwrap_or_default();
            let passed = "\"passed\":{\"step\":\"watch\"";
            let Some(id) = name
                .strip_prefix("wheelhouse-")
                .filter(|_| text.contains(passed))
            else {
                continue;
            };
            let processes = self.processes();
            let workers = processes.iter().filter(|p| p.state().operation == id);
            let kept: u64 = workers.map(|p| p.kept_watch()).sum();
            let wanted = 1_000 * scope("production").soak.watch_s;
            if kept + 2_500 < wanted {
                let words = format!("{id} was watched for {kept} ms of {wanted}");
                self.law().breaks(Rule::ReallyWatched, words);
            }
        }
    }
}
