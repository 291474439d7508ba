//! The reference system, Digital Wall, with a past: what stands was made by the same writes and
//! controllers that run later, days ago.

use super::fields::Author;
use super::kind::Kind;
use super::queue::Task;
use super::random::hex_of;
use super::store::Key;
use super::tree;
use super::world::World;
use super::write::Door;
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A part of the system: name, port, replicas, most replicas.
pub(super) const PARTS: [(&str, i64, i64, i64); 2] =
    [("frontend", 3000, 3, 10), ("backend", 8000, 2, 8)];

impl World {
    /// Lives through the days before the start.
    pub(super) fn seed_past(&mut self) {
        self.now = -9 * DAY;
        self.make_cluster();
        for environment in ["production", "staging", "development"] {
            self.make_environment(environment);
        }
        self.make_monitoring();
        for release in ["staging", "development"] {
            self.install(release, &format!("digital-wall-{release}"), None);
        }
        self.install("production", "digital-wall-blue", Some("blue"));
        self.make_switch("green");
        self.advance(-6 * DAY);
        self.install("production", "digital-wall-green", Some("green"));
        self.advance(-2 * DAY - 25 * MINUTE);
        self.upgrade("production", "digital-wall-blue", "7c1e5a9");
        self.advance(-2 * DAY);
        self.act(&super::action::Action::Flip {
            namespace: "production".to_owned(),
            to: "blue".to_owned(),
            manager: "kubectl-patch".to_owned(),
        });
        self.advance(-3 * HOUR);
        self.upgrade("staging", "digital-wall-staging", "e4d909c");
        self.advance(-40 * MINUTE);
        self.upgrade("development", "digital-wall-development", "b6d81b3");
        self.advance(-10 * MINUTE);
        self.upgrade("production", "digital-wall-green", "e4d909c");
        self.advance(-20_000);
        self.later(self.now + 5_000, Task::Traffic);
        self.advance(0);
        self.forget_old_events();
        // For the records of operations, as the shipped example has it. Last: it would shift all chance.
        self.make_namespace("wheelhouse");
    }

    fn helm(&mut self, kind: Kind, namespace: &str, body: Value) {
        // The estate's own manifests are valid; the tests would show one that is not.
        let _ = self.create(kind, namespace, body, &Author::named("helm"));
    }

    fn make_cluster(&mut self) {
        for number in 1..=3 {
            let node = node(&format!("worker-{number}"), number, &self.time());
            self.helm(Kind::Node, "", node);
        }
        for namespace in [
            "default",
            "kube-system",
            "production",
            "staging",
            "development",
            "monitoring",
        ] {
            self.make_namespace(namespace);
        }
    }

    fn make_namespace(&mut self, name: &str) {
        let labels = json!({"kubernetes.io/metadata.name": name});
        let namespace = json!({"metadata": {"name": name, "labels": labels}, "spec": {"finalizers": ["kubernetes"]}});
        self.helm(Kind::Namespace, "", namespace);
        let account = json!({"metadata": {"name": "default"}});
        self.helm(Kind::ServiceAccount, name, account);
    }

    fn make_environment(&mut self, namespace: &str) {
        let keys = [
            "database-url",
            "redis-url",
            "anthropic-api-key",
            "r2-access-key",
            "r2-secret-key",
        ];
        let data: serde_json::Map<String, Value> = keys
            .iter()
            .map(|key| ((*key).to_owned(), json!("ZGVtby1vbmx5")))
            .collect();
        let secret =
            json!({"metadata": {"name": "digitalwall-secrets"}, "type": "Opaque", "data": data});
        self.helm(Kind::Secret, namespace, secret);
        let data = json!({"LOG_LEVEL": "info", "ENVIRONMENT": namespace});
        self.helm(
            Kind::ConfigMap,
            namespace,
            json!({"metadata": {"name": "digital-wall-config"}, "data": data}),
        );
    }

    /// Prometheus and Alertmanager run elsewhere: Services without a selector, and slices by hand.
    fn make_monitoring(&mut self) {
        for (name, port) in [("prometheus", 9090), ("alertmanager", 9093)] {
            let ports =
                json!([{"name": "http-web", "port": port, "targetPort": port, "protocol": "TCP"}]);
            let labels =
                json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "monitoring"});
            let service =
                json!({"metadata": {"name": name, "labels": labels}, "spec": {"ports": ports}});
            self.helm(Kind::Service, "monitoring", service);
            let slice = json!({
                "metadata": {"name": format!("{name}-1"), "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4", "ports": [{"name": "http-web", "port": port, "protocol": "TCP"}],
                "endpoints": [{"addresses": [format!("10.0.2.{}", port % 100)], "conditions": {"ready": true}}],
            });
            self.helm(Kind::EndpointSlice, "monitoring", slice);
        }
    }

    fn install(&mut self, namespace: &str, release: &str, colour: Option<&str>) {
        for (part, port, replicas, most) in PARTS {
            let name = format!("{release}-{part}");
            let replicas = if colour.is_some() {
                replicas
            } else {
                1 + replicas / 3
            };
            let deployment = deployment(namespace, release, part, port, replicas, colour);
            self.helm(Kind::Deployment, namespace, deployment);
            let least = if colour.is_some() { replicas } else { 1 };
            self.helm(
                Kind::Autoscaler,
                namespace,
                autoscaler(release, &name, part, colour, least, most),
            );
            if colour.is_none() || part == "backend" {
                self.helm(
                    Kind::Service,
                    namespace,
                    service(release, &name, part, port, colour),
                );
            }
        }
    }

    /// The Services that carry the traffic.
    fn make_switch(&mut self, colour: &str) {
        for (name, part, port) in [
            ("digital-wall-service", "frontend", 3000),
            ("digital-wall-api", "backend", 8000),
        ] {
            self.helm(
                Kind::Service,
                "production",
                service("digital-wall-traffic", name, part, port, Some(colour)),
            );
        }
    }

    fn upgrade(&mut self, namespace: &str, release: &str, commit: &str) {
        for (part, ..) in PARTS {
            let key: Key = (namespace.to_owned(), format!("{release}-{part}"));
            self.modify(Kind::Deployment, &key, "helm", Door::Main, |value| {
                if let Some(container) =
                    tree::list_mut(value, "/spec/template/spec/containers").first_mut()
                {
                    tree::set(container, "/image", image(part, commit));
                }
            });
        }
    }

    fn forget_old_events(&mut self) {
        let oldest = self.time_at(self.now - HOUR);
        let is_old = |event: &Value| tree::text(event, "/lastTimestamp") < oldest.as_str();
        let old: Vec<Key> = self
            .store
            .list(Kind::Event, "")
            .filter(|event| is_old(&event.value()))
            .map(|event| event.key())
            .collect();
        for key in old {
            self.remove(Kind::Event, &key);
        }
    }
}

/// The image of a part, tagged with the whole commit that begins with `commit`.
pub(super) fn image(part: &str, commit: &str) -> String {
    format!("ghcr.io/acme/digitalwall-{part}:{}", whole(commit))
}

/// The whole commit that begins with `commit`.
pub(super) fn whole(commit: &str) -> String {
    format!("{commit}{}", hex_of(commit, 40 - commit.len()))
}

pub(super) fn labels(release: &str, part: &str, colour: Option<&str>) -> Value {
    let mut labels = json!({
        "app.kubernetes.io/name": format!("digital-wall-{part}"), "app.kubernetes.io/instance": release,
        "app.kubernetes.io/part-of": "digital-wall", "part": part,
    });
    if let Some(colour) = colour {
        labels["version"] = json!(colour);
    }
    labels
}

fn metadata(release: &str, name: &str, part: &str, colour: Option<&str>) -> Value {
    let mut labels = labels(release, part, colour);
    labels["app.kubernetes.io/managed-by"] = json!("Helm");
    let namespace = if colour.is_some() {
        "production"
    } else {
        release.trim_start_matches("digital-wall-")
    };
    json!({"name": name, "labels": labels, "annotations": {
        "meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace,
    }})
}

fn deployment(
    namespace: &str,
    release: &str,
    part: &str,
    port: i64,
    replicas: i64,
    colour: Option<&str>,
) -> Value {
    let labels = labels(release, part, colour);
    let mut selector = json!({"app.kubernetes.io/instance": release, "part": part});
    if let Some(colour) = colour {
        selector["version"] = json!(colour);
    }
    let annotations =
        json!({"prometheus.io/scrape": "true", "prometheus.io/port": port.to_string()});
    json!({
        "metadata": metadata(release, &format!("{release}-{part}"), part, colour),
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    "containers": [container(namespace, release, part, port)],
                    "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
                    "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
                },
            },
        },
    })
}

/// The container of a part with the chart's values: resources, probes, environment.
pub(super) fn container(namespace: &str, release: &str, part: &str, port: i64) -> Value {
    let is_backend = part == "backend";
    let (asks, limits) = if is_backend {
        (("500m", "512Mi"), ("1", "1Gi"))
    } else {
        (("250m", "256Mi"), ("500m", "512Mi"))
    };
    let (alive, ready) = if is_backend {
        ("/health", "/ready")
    } else {
        ("/api/health", "/api/ready")
    };
    let secret = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "digitalwall-secrets", "key": key}}});
    let env = if is_backend {
        json!([
            secret("DATABASE_URL", "database-url"), secret("REDIS_URL", "redis-url"),
            secret("ANTHROPIC_API_KEY", "anthropic-api-key"), secret("R2_ACCESS_KEY", "r2-access-key"),
            secret("R2_SECRET_KEY", "r2-secret-key"), {"name": "ENVIRONMENT", "value": namespace},
        ])
    } else {
        json!([{"name": "BACKEND_URL", "value": format!("http://{release}-backend:8000")}, {"name": "ENVIRONMENT", "value": namespace}])
    };
    let probe = |path: &str, delay: i64, period: i64| {
        json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "initialDelaySeconds": delay,
            "periodSeconds": period, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
    };
    json!({
        "name": part, "image": image(part, "3f9a2c4"), "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}], "env": env,
        "resources": {
            "requests": {"cpu": asks.0, "memory": asks.1}, "limits": {"cpu": limits.0, "memory": limits.1},
        },
        "livenessProbe": probe(alive, 30, 10), "readinessProbe": probe(ready, 5, 5),
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    })
}

fn service(release: &str, name: &str, part: &str, port: i64, colour: Option<&str>) -> Value {
    let mut selector = json!({"part": part});
    if let Some(colour) = colour {
        selector["version"] = json!(colour);
    }
    json!({
        "metadata": metadata(release, name, part, colour),
        "spec": {"selector": selector, "ports": [{"name": "http", "port": port, "targetPort": "http", "protocol": "TCP"}]},
    })
}

fn autoscaler(
    release: &str,
    name: &str,
    part: &str,
    colour: Option<&str>,
    least: i64,
    most: i64,
) -> Value {
    let metric = |resource: &str, goal: i64| json!({"type": "Resource", "resource": {"name": resource, "target": {"type": "Utilization", "averageUtilization": goal}}});
    let metrics = if part == "frontend" {
        vec![metric("cpu", 70), metric("memory", 80)]
    } else {
        vec![metric("cpu", 70)]
    };
    json!({
        "metadata": metadata(release, name, part, colour),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least, "maxReplicas": most, "metrics": metrics,
        },
    })
}

fn node(name: &str, number: usize, time: &str) -> Value {
    let room = json!({"cpu": "16", "memory": "65843212Ki", "pods": "250", "ephemeral-storage": "203056560Ki"});
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        json!({"type": kind, "status": if holds { "True" } else { "False" }, "reason": reason, "message": message,
            "lastHeartbeatTime": time, "lastTransitionTime": time})
    };
    json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": format!("eu-central-1{}", ["a", "b", "c"][number % 3]),
        }},
        "spec": {"podCIDR": format!("10.{}.0.0/16", 243 + number)},
        "status": {
            "capacity": room, "allocatable": room,
            "addresses": [{"type": "InternalIP", "address": format!("10.0.1.{}", 10 + number)}, {"type": "Hostname", "address": name}],
            "conditions": [
                condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.33.4", "containerRuntimeVersion": "containerd://2.1.4", "architecture": "amd64",
                "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)", "kernelVersion": "6.1.0-37-amd64",
                "kubeProxyVersion": "", "machineID": "", "systemUUID": "", "bootID": "",
            },
        },
    })
}
