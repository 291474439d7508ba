//! The kinds that the estate serves, and what the API says about each.

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Endpoints,
    Event,
    ConfigMap,
    Secret,
    ServiceAccount,
    Deployment,
    ReplicaSet,
    Autoscaler,
    EndpointSlice,
    Lease,
    Job,
}

/// What discovery tells of a kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) singular: &'static str,
    pub(super) kind: &'static str,
    pub(super) short: &'static [&'static str],
    pub(super) namespaced: bool,
    /// Whether `/status` is a subresource: then writes of the object leave the status alone.
    pub(super) status: bool,
    pub(super) scale: bool,
    /// Whether a change of the spec counts `metadata.generation` up.
    pub(super) generation: bool,
}

impl Kind {
    pub(super) const ALL: [Kind; 15] = [
        Kind::Namespace,
        Kind::Node,
        Kind::Pod,
        Kind::Service,
        Kind::Endpoints,
        Kind::Event,
        Kind::ConfigMap,
        Kind::Secret,
        Kind::ServiceAccount,
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::Autoscaler,
        Kind::EndpointSlice,
        Kind::Lease,
        Kind::Job,
    ];

    /// The kind behind `/apis/{group}/{version}/{plural}`; the core group is empty.
    pub(super) fn find(group: &str, version: &str, plural: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| {
            let facts = kind.facts();
            facts.group == group && facts.version == version && facts.plural == plural
        })
    }

    pub(super) fn facts(self) -> Facts {
        let core = Facts {
            group: "",
            version: "v1",
            plural: "",
            singular: "",
            kind: "",
            short: &[],
            namespaced: true,
            status: false,
            scale: false,
            generation: false,
        };
        let named = |plural, singular, kind, short| Facts {
            plural,
            singular,
            kind,
            short,
            ..core
        };
        match self {
            Kind::Namespace => Facts {
                namespaced: false,
                status: true,
                ..named("namespaces", "namespace", "Namespace", &["ns"])
            },
            Kind::Node => Facts {
                namespaced: false,
                status: true,
                ..named("nodes", "node", "Node", &["no"])
            },
            Kind::Pod => Facts {
                status: true,
                generation: true,
                ..named("pods", "pod", "Pod", &["po"])
            },
            Kind::Service => Facts {
                status: true,
                ..named("services", "service", "Service", &["svc"])
            },
            Kind::Endpoints => named("endpoints", "endpoints", "Endpoints", &["ep"]),
            Kind::Event => named("events", "event", "Event", &["ev"]),
            Kind::ConfigMap => named("configmaps", "configmap", "ConfigMap", &["cm"]),
            Kind::Secret => named("secrets", "secret", "Secret", &[]),
            Kind::ServiceAccount => named(
                "serviceaccounts",
                "serviceaccount",
                "ServiceAccount",
                &["sa"],
            ),
            Kind::Deployment => {
                let facts = named("deployments", "deployment", "Deployment", &["deploy"]);
                Facts {
                    group: "apps",
                    status: true,
                    scale: true,
                    generation: true,
                    ..facts
                }
            }
            Kind::ReplicaSet => {
                let facts = named("replicasets", "replicaset", "ReplicaSet", &["rs"]);
                Facts {
                    group: "apps",
                    status: true,
                    scale: true,
                    generation: true,
                    ..facts
                }
            }
            Kind::Autoscaler => {
                let facts = named(
                    "horizontalpodautoscalers",
                    "horizontalpodautoscaler",
                    "HorizontalPodAutoscaler",
                    &["hpa"],
                );
                Facts {
                    group: "autoscaling",
                    version: "v2",
                    status: true,
                    ..facts
                }
            }
            Kind::EndpointSlice => {
                let facts = named("endpointslices", "endpointslice", "EndpointSlice", &[]);
                Facts {
                    group: "discovery.k8s.io",
                    generation: true,
                    ..facts
                }
            }
            Kind::Lease => Facts {
                group: "coordination.k8s.io",
                ..named("leases", "lease", "Lease", &[])
            },
            Kind::Job => Facts {
                group: "batch",
                status: true,
                generation: true,
                ..named("jobs", "job", "Job", &[])
            },
        }
    }

    /// `v1`, `apps/v1`: as objects carry it.
    pub(super) fn api_version(self) -> String {
        let Facts { group, version, .. } = self.facts();
        if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        }
    }

    /// `pods`, `deployments.apps`: as messages name it.
    pub(super) fn resource(self) -> String {
        let Facts { group, plural, .. } = self.facts();
        if group.is_empty() {
            plural.to_owned()
        } else {
            format!("{plural}.{group}")
        }
    }

    /// `Pod`, `Deployment.apps`: as messages of validation name it.
    pub(super) fn qualified(self) -> String {
        let Facts { group, kind, .. } = self.facts();
        if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        }
    }
}
