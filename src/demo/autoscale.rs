//! Load, and the HorizontalPodAutoscaler's answer to it; a gentle one, so that screens stay readable.

use super::kind::Kind;
use super::queue::Task;
use super::store::{Key, Object};
use super::tree;
use super::world::World;
use super::write::Door;
use serde_json::{Value, json};
use std::sync::Arc;

/// How often load is measured.
const PERIOD: i64 = 15_000;
/// How long there must be too many replicas before one goes.
const PATIENCE: i64 = 60_000;
const CONTROLLER: &str = "kube-controller-manager";

impl World {
    /// Measures, and scales where an autoscaler says so.
    pub(super) fn move_traffic(&mut self) {
        let scalers: Vec<Arc<Object>> = self.store.list(Kind::Autoscaler, "").cloned().collect();
        for scaler in scalers {
            self.autoscale(&scaler);
        }
        let at = self.now + PERIOD + self.random.range(-500, 500);
        self.later(at, Task::Traffic);
    }

    fn autoscale(&mut self, scaler: &Object) {
        let value = scaler.value();
        let target = tree::text(&value, "/spec/scaleTargetRef/name");
        let Some(deployment) = self.store.get(Kind::Deployment, &scaler.namespace, target) else {
            return;
        };
        let spec = deployment.value();
        let current = tree::number(&spec, "/spec/replicas").unwrap_or(1);
        let ready = tree::number(&spec, "/status/readyReplicas").unwrap_or(0);
        let cpu = self.usage(&deployment, &spec, ready);
        let memory = 52 + self.random.range(0, 4);
        let wanted = self.wanted(scaler, &value, current, cpu);
        let time = self.time();
        let status = status(&value, current, wanted, cpu, memory, &time);
        self.modify(
            Kind::Autoscaler,
            &scaler.key(),
            CONTROLLER,
            Door::Status,
            |value| {
                tree::set(value, "/status", status);
            },
        );
        if wanted != current {
            self.modify(
                Kind::Deployment,
                &deployment.key(),
                CONTROLLER,
                Door::Scale,
                |value| {
                    tree::set(value, "/spec/replicas", wanted);
                },
            );
            let reason = if wanted > current {
                "cpu resource utilization (percentage of request) above target"
            } else {
                "All metrics below target"
            };
            let message = format!("New size: {wanted}; reason: {reason}");
            self.tell(
                scaler,
                "Normal",
                "SuccessfulRescale",
                &message,
                "horizontal-pod-autoscaler",
            );
        }
    }

    /// Average CPU in percent of the request: traffic is shared by the pods that are ready.
    fn usage(&mut self, deployment: &Object, spec: &Value, ready: i64) -> i64 {
        let labels = tree::strings(spec, "/spec/template/metadata/labels");
        let is_live = self
            .store
            .list(Kind::Service, &deployment.namespace)
            .any(|service| {
                let selector = tree::strings(&service.value(), "/spec/selector");
                let is_switch = !service.name.ends_with("-backend")
                    || !selector.iter().any(|(key, _)| key == "version");
                is_switch
                    && !selector.is_empty()
                    && selector.iter().all(|pair| labels.contains(pair))
            });
        let busy = if is_live { 140 * self.load / 100 } else { 0 };
        4 + busy / ready.max(1) + self.random.range(0, 6)
    }

    fn wanted(&mut self, scaler: &Object, value: &Value, current: i64, cpu: i64) -> i64 {
        let least = tree::number(value, "/spec/minReplicas").unwrap_or(1);
        let most = tree::number(value, "/spec/maxReplicas").unwrap_or(10);
        let metrics = tree::list(value, "/spec/metrics");
        let goal = metrics
            .iter()
            .find(|metric| metric["resource"]["name"] == "cpu");
        let goal = goal
            .and_then(|metric| tree::number(metric, "/resource/target/averageUtilization"))
            .unwrap_or(70)
            .max(1);
        if current == 0 {
            return 0;
        }
        let is_near = (cpu * 100 / goal - 100).abs() <= 10;
        let wanted = if is_near {
            current
        } else {
            (current * cpu + goal - 1) / goal
        };
        let wanted = wanted.clamp(least, most.max(least));
        let key: Key = scaler.key();
        if wanted >= current {
            self.scaled.insert(key, self.now);
            return wanted;
        }
        let since = *self.scaled.entry(key).or_insert(self.now);
        let must_grow = current < least;
        if must_grow || self.now - since >= PATIENCE {
            wanted
        } else {
            current
        }
    }
}

fn status(value: &Value, current: i64, wanted: i64, cpu: i64, memory: i64, now: &str) -> Value {
    let metric = |name: &str, usage: i64, unit: &str| {
        json!({"type": "Resource", "resource": {"name": name,
            "current": {"averageUtilization": usage, "averageValue": format!("{}{unit}", usage * 5 / 2)}}})
    };
    let has = |name: &str| {
        tree::list(value, "/spec/metrics")
            .iter()
            .any(|metric| metric["resource"]["name"] == name)
    };
    let mut metrics = vec![metric("cpu", cpu, "m")];
    if has("memory") {
        metrics.push(metric("memory", memory, "Mi"));
    }
    let old = tree::list(value, "/status/conditions");
    let is_disabled = current == 0;
    let conditions = [
        (
            "AbleToScale",
            true,
            "ReadyForNewScale",
            "recommended size matches current size",
        ),
        (
            "ScalingActive",
            !is_disabled,
            if is_disabled {
                "ScalingDisabled"
            } else {
                "ValidMetricFound"
            },
            if is_disabled {
                "scaling is disabled since the replica count of the target is zero"
            } else {
                "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)"
            },
        ),
        (
            "ScalingLimited",
            false,
            "DesiredWithinRange",
            "the desired count is within the acceptable range",
        ),
    ];
    let conditions: Vec<Value> = conditions.into_iter().map(|(name, holds, reason, message)| {
        let status = if holds { "True" } else { "False" };
        let same = old.iter().find(|old| old["type"] == name && old["status"] == status);
        let since = same.map_or(now, |old| tree::text(old, "/lastTransitionTime"));
        json!({"type": name, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
    }).collect();
    let mut status = json!({"currentReplicas": current, "desiredReplicas": wanted, "currentMetrics": metrics, "conditions": conditions});
    let last = if wanted == current {
        value["status"]["lastScaleTime"].clone()
    } else {
        json!(now)
    };
    if !last.is_null() {
        status["lastScaleTime"] = last;
    }
    status
}
