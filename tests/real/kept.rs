//! The real plane keeps the contract that the embedded estate keeps; the viewer has the shipped Role.

use crate::contract::{self, Estate};
use crate::fleet;
use crate::plane::Plane;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use std::io::{Read, Write};
use std::net::TcpListener;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// Answers HTTP for the frontends, whose containers are simulated.
fn frontends_answer(plane: &Plane, namespace: &str) {
    let answering = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = answering.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in answering.incoming().flatten() {
            // Each in a thread of its own: one that never asks must not keep the others waiting.
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(ANSWER);
            });
        }
    });
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let frontends = ListParams::default().labels("part=frontend");
    let found = plane.run(async { pods.list(&frontends).await });
    for pod in found.unwrap().items {
        plane.pod_leads(namespace, &pod.metadata.name.unwrap(), address);
    }
}

#[test]
fn the_real_plane_keeps_the_contract() {
    let plane = Plane::shared();
    let here = "contract";
    fleet::digital_wall(plane, here);
    fleet::wait_available(plane, here);
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: sees}\n\
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: wheelhouse-viewer}\n\
        subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]\n";
    plane.apply_yaml(here, binding);
    let records = "contract-records";
    plane.namespace(records);
    plane.apply_yaml(records, &crate::shipped::records_viewer());
    frontends_answer(plane, here);
    let estate = Estate {
        operator: plane.kubeconfig_admin(),
        viewer: plane.kubeconfig_for("viewer"),
        context: None,
        namespace: here.into(),
        records: records.into(),
    };
    let skipped = [
        (
            "an ancient resourceVersion is 410",
            "a plane as young as this has all its history",
        ),
        (
            "a log of no previous run is refused",
            "the simulated kubelet has one log for all runs",
        ),
    ];
    plane.run(contract::run(estate, &skipped));
}
