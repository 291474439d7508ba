//! How far a rollout is: what a Deployment asks for, what there is, and the conditions that say so.

use super::tree;
use serde_json::{Value, json};

/// What a Deployment asks for.
pub(super) struct Wish {
    pub(super) replicas: i64,
    pub(super) surge: i64,
    pub(super) unavailable: i64,
    pub(super) recreates: bool,
}

impl Wish {
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = tree::number(deployment, "/spec/replicas").unwrap_or(1);
        let share = |name: &str, up: bool| {
            let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{name}"));
            match value {
                Some(Value::String(text)) => {
                    let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(25);
                    (replicas * percent + if up { 99 } else { 0 }) / 100
                }
                Some(value) => value.as_i64().unwrap_or(0),
                None => 0,
            }
        };
        let (surge, unavailable) = (share("maxSurge", true), share("maxUnavailable", false));
        // Both zero would stand still for ever; the real controller takes one unavailable then.
        let unavailable = if surge == 0 && unavailable == 0 {
            1
        } else {
            unavailable
        };
        let recreates = tree::text(deployment, "/spec/strategy/type") == "Recreate";
        Self {
            replicas,
            surge,
            unavailable,
            recreates,
        }
    }
}

/// The replicas of a Deployment by state.
pub(super) struct Counts {
    pub(super) wanted: i64,
    pub(super) total: i64,
    pub(super) updated: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
    pub(super) set: String,
}

impl Counts {
    pub(super) fn status(&self, deployment: &Value, now: &str, late: &str) -> Value {
        let wish = Wish::of(deployment);
        let mut status = json!({"observedGeneration": tree::number(deployment, "/metadata/generation").unwrap_or(1)});
        let unavailable = (self.wanted.max(self.total) - self.available).max(0);
        let fields = [
            ("replicas", self.total),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("unavailableReplicas", unavailable),
        ];
        for (field, count) in fields.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        let is_available = self.available >= self.wanted - wish.unavailable;
        let available = match is_available {
            true => (
                "Available",
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.".to_owned(),
            ),
            false => {
                let why = "Deployment does not have minimum availability.".to_owned();
                ("Available", "False", "MinimumReplicasUnavailable", why)
            }
        };
        let old = tree::list(deployment, "/status/conditions");
        let conditions = [available, self.progress(deployment, late)];
        let conditions: Vec<Value> = conditions
            .into_iter()
            .map(|(name, status, reason, message)| {
                let before = old.iter().find(|condition| condition["type"] == name);
                let kept = |field, same: bool| {
                    before
                        .filter(|_| same)
                        .map_or(now, |old| tree::text(old, field))
                };
                let same = before.is_some_and(|old| old["status"] == status);
                let is_still = same
                    && before.is_some_and(|old| old["reason"] == reason)
                    && !self.moved(deployment);
                json!({"type": name, "status": status, "reason": reason, "message": message,
                    "lastTransitionTime": kept("/lastTransitionTime", same),
                    "lastUpdateTime": kept("/lastUpdateTime", is_still)})
            })
            .collect();
        status["conditions"] = json!(conditions);
        status
    }

    /// Whether any count differs from the status as it stands.
    fn moved(&self, deployment: &Value) -> bool {
        let stands =
            |field: &str| tree::number(deployment, &format!("/status/{field}")).unwrap_or(0);
        stands("updatedReplicas") != self.updated
            || stands("readyReplicas") != self.ready
            || stands("availableReplicas") != self.available
    }

    fn progress(
        &self,
        deployment: &Value,
        late: &str,
    ) -> (&'static str, &'static str, &'static str, String) {
        let set = &self.set;
        let is_complete = self.updated == self.wanted
            && self.total == self.wanted
            && self.available == self.wanted;
        let old = tree::list(deployment, "/status/conditions")
            .iter()
            .find(|condition| condition["type"] == "Progressing");
        let observed = tree::number(deployment, "/status/observedGeneration");
        let is_new = observed != tree::number(deployment, "/metadata/generation");
        let reason = old.map_or("", |condition| tree::text(condition, "/reason"));
        let since = old.map_or("", |condition| tree::text(condition, "/lastUpdateTime"));
        // Scaling a finished rollout does not begin another.
        let is_done = reason == "NewReplicaSetAvailable" && self.total == self.updated;
        let is_late = reason == "ProgressDeadlineExceeded" && !is_new
            || matches!(reason, "ReplicaSetUpdated" | "NewReplicaSetCreated")
                && since < late
                && !self.moved(deployment);
        if is_complete || is_done {
            let why = format!("ReplicaSet {set:?} has successfully progressed.");
            ("Progressing", "True", "NewReplicaSetAvailable", why)
        } else if is_late {
            let why = format!("ReplicaSet {set:?} has timed out progressing.");
            ("Progressing", "False", "ProgressDeadlineExceeded", why)
        } else if self.updated == 0 {
            (
                "Progressing",
                "True",
                "NewReplicaSetCreated",
                format!("Created new replica set {set:?}"),
            )
        } else {
            (
                "Progressing",
                "True",
                "ReplicaSetUpdated",
                format!("ReplicaSet {set:?} is progressing."),
            )
        }
    }
}
