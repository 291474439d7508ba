//! Operations on the real control plane: cutover, rollback and repair by the program itself, as people with
//! the shipped Roles and nothing else, in a namespace under the shipped admission policy.

mod approval;
mod clash;
mod deploy;
mod freeze;
mod gates;
mod helm;
mod killed;
mod release;
mod speed;
mod there_and_back;
mod trouble;

use crate::fleet;
use crate::operator::{Operator, QUICK, SERVICES};
use crate::plane::Plane;
use crate::plane::audit::Audited;
use crate::shipped::{self, OPERATORS, RECORDS};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// The namespace of records under the policy; the probe of two tests at once would be the same object.
fn keep_records(plane: &Plane) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    shipped::records(plane);
    shipped::guard(plane, RECORDS);
}

/// A Digital Wall on which people operate.
pub struct Stage<'a> {
    pub plane: &'a Plane,
    pub namespace: &'a str,
}

impl Stage<'static> {
    /// On the plane that all share.
    pub fn new(namespace: &'static str) -> Self {
        Stage::on(Plane::shared(), namespace)
    }
}

impl<'a> Stage<'a> {
    /// On a plane: BLUE is live, both colours are whole, and every flip leaves a line in the audit log.
    pub fn on(plane: &'a Plane, namespace: &'a str) -> Self {
        let stage = Self::open(plane, namespace);
        shipped::guard(plane, namespace);
        stage
    }

    /// The same without the admission policy: only the patches themselves stand in the way of a late one.
    pub fn open(plane: &'a Plane, namespace: &'a str) -> Self {
        fleet::digital_wall(plane, namespace);
        shipped::operator_role(plane, namespace);
        keep_records(plane);
        let stage = Self { plane, namespace };
        for service in SERVICES {
            // The admission policy is about Services that Wheelhouse had a hand in.
            let epoch = json!({"wheelhouse.dev/epoch": "1"});
            stage.patch(service, &json!({"metadata": {"annotations": epoch}}));
        }
        fleet::wait_available(plane, namespace);
        stage.await_live("blue");
        stage
    }

    /// An operator at a bastion of their own, with the times of tests.
    pub fn operator(&self, name: &str) -> Operator {
        self.operator_with(name, QUICK)
    }

    /// The same with other times.
    pub fn operator_with(&self, name: &str, times: &str) -> Operator {
        let kubeconfig = self.plane.identity(name, OPERATORS);
        Operator::new(&kubeconfig, self.namespace, RECORDS, times)
    }

    /// Waits until both Services send their traffic to that colour alone.
    pub fn await_live(&self, colour: &str) {
        self.await_live_with(colour, 3);
    }

    /// The same with so many pods of the frontend.
    pub fn await_live_with(&self, colour: &str, frontends: usize) {
        fleet::await_traffic_of(self.plane, self.namespace, colour, frontends);
        let client = self.plane.client();
        let start = format!("digital-wall-{colour}-backend-");
        self.plane.until(&format!("the API on {colour}"), || async {
            let pods = fleet::endpoints(&client, self.namespace, SERVICES[1])
                .await
                .ok()?;
            (pods.len() == 2 && pods.iter().all(|it| it.starts_with(&start))).then_some(())
        });
    }

    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.plane.client(), self.namespace)
    }

    /// A Service as it is now.
    pub fn service(&self, name: &str) -> Service {
        self.plane.run(self.services().get(name)).unwrap()
    }

    /// The colour that each Service selects.
    pub fn colours(&self) -> [String; 2] {
        SERVICES.map(|name| {
            let spec = self.service(name).spec.unwrap();
            spec.selector.unwrap()["version"].clone()
        })
    }

    /// What our annotation of a Service says.
    pub fn mark(&self, service: &str, key: &str) -> Option<String> {
        let marks = self.service(service).metadata.annotations?;
        marks.get(&format!("wheelhouse.dev/{key}")).cloned()
    }

    /// Patches a Service past Wheelhouse, as an admin whose tool is called `tests`.
    pub fn patch(&self, service: &str, patch: &Value) {
        self.patch_by("tests", service, patch);
    }

    /// The same by another tool.
    pub fn patch_by(&self, manager: &str, service: &str, patch: &Value) {
        let params = PatchParams {
            field_manager: Some(manager.into()),
            ..PatchParams::default()
        };
        let services = self.services();
        let patch = Patch::Merge(patch);
        self.plane
            .run(services.patch(service, &params, &patch))
            .unwrap();
    }

    /// The flips of a Service that the API server did, and by whom, as its admission policy noted them.
    pub fn flips(&self, service: &str) -> Vec<String> {
        let lines = self.plane.audited("patch", "services", self.namespace);
        let done = |it: &&Audited| it.code == 200 && it.name == service;
        let noted = |it: &Audited| Some(it.annotation("flips.wheelhouse.dev/flip")?.to_owned());
        lines.iter().filter(done).filter_map(noted).collect()
    }

    /// Waits until the audit log has every flip up to the one that `is_last`, and returns all.
    pub fn flips_to(&self, service: &str, is_last: &str) -> Vec<String> {
        self.plane
            .until(&format!("the audit line of {is_last}"), || async {
                let flips = self.flips(service);
                flips.last()?.contains(is_last).then_some(flips)
            })
    }

    /// Who holds the Lease of a Service, and how often it changed hands.
    pub fn lease(&self, service: &str) -> Option<(String, i32)> {
        let leases: Api<Lease> = Api::namespaced(self.plane.client(), self.namespace);
        let name = format!("wheelhouse-service-{service}");
        let spec = self.plane.run(leases.get_opt(&name)).unwrap()?.spec?;
        Some((
            spec.holder_identity.unwrap_or_default(),
            spec.lease_transitions.unwrap_or(0),
        ))
    }

    /// The ids of the operations about this namespace, the oldest first.
    pub fn operations(&self) -> Vec<String> {
        let of = format!("wheelhouse.dev/namespace={}", self.namespace);
        let records: Api<ConfigMap> = Api::namespaced(self.plane.client(), RECORDS);
        let found = self
            .plane
            .run(async { records.list(&ListParams::default().labels(&of)).await });
        let names = found
            .unwrap()
            .items
            .into_iter()
            .filter_map(|it| it.metadata.name);
        let mut ids: Vec<String> = names.map(|it| it.replace("wheelhouse-", "")).collect();
        ids.sort();
        ids
    }

    fn autoscalers(&self) -> Api<HorizontalPodAutoscaler> {
        Api::namespaced(self.plane.client(), self.namespace)
    }

    /// Lets the frontends' autoscalers shrink what they scale, so that an operation holds them.
    pub fn shrinking_autoscalers(&self) {
        let patch = Patch::Merge(json!({"spec": {"minReplicas": 2}}));
        for colour in ["blue", "green"] {
            let name = format!("digital-wall-{colour}-frontend");
            let scalers = self.autoscalers();
            let params = PatchParams::default();
            self.plane
                .run(async { scalers.patch(&name, &params, &patch).await })
                .unwrap();
        }
    }

    /// Has the autoscaler of a colour's frontend want so many, and waits until its controller scaled the Deployment.
    pub fn autoscale(&self, colour: &str, replicas: u32) {
        let name = format!("digital-wall-{colour}-frontend");
        let patch = Patch::Merge(json!({"spec": {"minReplicas": replicas}}));
        let (scalers, params) = (self.autoscalers(), PatchParams::default());
        self.plane
            .run(async { scalers.patch(&name, &params, &patch).await })
            .unwrap();
        let deployments: Api<Deployment> = Api::namespaced(self.plane.client(), self.namespace);
        self.plane.until("the autoscaler's word", || async {
            let status = deployments.get(&name).await.ok()?.status?;
            let available = status
                .available_replicas
                .and_then(|it| u32::try_from(it).ok());
            (available == Some(replicas)).then_some(())
        });
    }

    /// None of them is held any more, and each has what it had.
    #[track_caller]
    pub fn assert_autoscalers_restored(&self, what: &str) {
        let scalers = self.autoscalers();
        let all = self
            .plane
            .run(async { scalers.list(&ListParams::default()).await });
        for scaler in all.unwrap().items {
            let marks = scaler.metadata.annotations.unwrap_or_default();
            let held = marks.get("wheelhouse.dev/held");
            let min = scaler.spec.unwrap().min_replicas;
            assert!(
                held.is_none() && min == Some(2),
                "{what}: {min:?}, held {held:?}"
            );
        }
    }

    /// Waits until no pod of a colour is ready any more, as everybody can read.
    pub fn await_unready(&self, colour: &str) {
        let pods: Api<Pod> = Api::namespaced(self.plane.client(), self.namespace);
        let of = ListParams::default().labels(&format!("version={colour}"));
        self.plane.until("ill pods", || async {
            let found = pods.list(&of).await.ok()?.items;
            found.iter().all(|it| !is_ready(it)).then_some(())
        });
    }

    /// Deletes both Services and makes them anew: BLUE is live, by other objects.
    pub fn remake_services(&self) {
        let services = self.services();
        for name in SERVICES {
            self.plane
                .run(async { services.delete(name, &Default::default()).await })
                .unwrap();
        }
        fleet::traffic(self.plane, self.namespace);
    }

    /// Deletes the Lease of a Service, as somebody who tidies up.
    pub fn delete_lease(&self, service: &str) {
        let leases: Api<Lease> = Api::namespaced(self.plane.client(), self.namespace);
        let name = format!("wheelhouse-service-{service}");
        self.plane
            .run(async { leases.delete(&name, &Default::default()).await })
            .unwrap();
    }

    /// Deletes the record of an operation, as somebody who tidies up.
    pub fn delete_record(&self, id: &str) {
        let records: Api<ConfigMap> = Api::namespaced(self.plane.client(), RECORDS);
        let name = format!("wheelhouse-{id}");
        self.plane
            .run(async { records.delete(&name, &Default::default()).await })
            .unwrap();
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|it| it.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|it| it.type_ == "Ready" && it.status == "True")
}
