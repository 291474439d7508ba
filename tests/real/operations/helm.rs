//! Deploys by a real helm, 3 and 4, on the real control plane: an install and an upgrade of the idle colour, a helm that is
//! killed with its worker in mid-upgrade, and a chart that would move traffic.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Stage;
use crate::operator::{Operator, wait};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/helm/install");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/wall");

/// A real helm of that major version.
fn helm(major: u32) -> PathBuf {
    let found = Command::new(INSTALL)
        .arg("--find")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(
        found.status.success(),
        "helm is not built; build it with:\n\n    tests/real/helm/install\n"
    );
    let folder = String::from_utf8(found.stdout).unwrap();
    PathBuf::from(folder.trim_end()).join(format!("helm{major}"))
}

/// Somebody who deploys by that helm, and whom helm may act as.
fn by_helm(stage: &Stage<'_>, who: &str, major: u32, timeout: u32) -> Operator {
    let operator = stage.operator(who);
    stage.plane.grant(who, "admin", stage.namespace);
    operator.edit(
        "[environment.traffic]",
        &format!(
            "[environment.deployment]\nstrategy = \"helm\"\nchart = {CHART:?}\nrelease = \"wall-{{colour}}\"\n\
             program = {:?}\ntimeout = {timeout}\nset = {{ tag = \"{{tag:frontend}}\", colour = \"{{colour}}\" }}\n\
             [environment.traffic]",
            helm(major)
        ),
    );
    operator
}

fn deploy(operator: &Operator, image: &str) -> crate::operator::Said {
    let reason = ["--write", "--yes", "--reason", "v3", "--image"];
    operator.run(&[&["deploy", "production"][..], &reason, &[image]].concat())
}

/// Takes GREEN away, as the pipeline does: helm has to install it.
fn uninstalled(stage: &Stage<'_>) {
    let deployments: Api<Deployment> = Api::namespaced(stage.plane.client(), stage.namespace);
    let of = ListParams::default().labels("version=green");
    stage
        .plane
        .run(async {
            deployments
                .delete_collection(&DeleteParams::default(), &of)
                .await
        })
        .unwrap();
    stage.plane.until("GREEN to be gone", || async {
        deployments
            .list(&of)
            .await
            .ok()?
            .items
            .is_empty()
            .then_some(())
    });
}

/// Scales GREEN to nothing as Wheelhouse's clean-up does.
fn scaled_to_0(stage: &Stage<'_>) {
    let deployments: Api<Deployment> = Api::namespaced(stage.plane.client(), stage.namespace);
    let params = PatchParams {
        field_manager: Some("wheelhouse".into()),
        ..PatchParams::default()
    };
    for part in ["frontend", "backend"] {
        let name = format!("digital-wall-green-{part}");
        let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
        stage
            .plane
            .run(async { deployments.patch(&name, &params, &patch).await })
            .unwrap();
    }
}

/// What helm itself says of GREEN's release.
fn history(operator: &Operator, major: u32, namespace: &str) -> String {
    let said = Command::new(helm(major))
        .args([
            "history",
            "wall-green",
            "--namespace",
            namespace,
            "--kubeconfig",
        ])
        .arg(operator.home.path().join("kubeconfig"))
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap()
}

/// Ends every helm of that operator as the kernel would.
fn kill_helm(operator: &Operator) {
    let home = operator.home.path().display().to_string();
    for pid in std::fs::read_dir("/proc").unwrap().flatten() {
        let of = |file: &str| std::fs::read(pid.path().join(file)).unwrap_or_default();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let is_helm = text(of("cmdline")).contains("upgrade\0--install");
        if is_helm && text(of("environ")).contains(&format!("KUBECONFIG={home}")) {
            let number = pid.file_name().to_string_lossy().parse().unwrap();
            kill_process(Pid::from_raw(number).unwrap(), Signal::KILL).unwrap();
        }
    }
}

/// The whole story with one helm.
fn there_and_back(namespace: &'static str, who: &str, major: u32) {
    let stage = Stage::new(namespace);
    uninstalled(&stage);
    let dave = by_helm(&stage, who, major, 25);
    let image = "frontend=ghcr.io/example/digitalwall-frontend";

    deploy(&dave, &format!("{image}:v3")).assert(
        0,
        &[
            "wall-green is no release yet: it is installed",
            "run done: revision 1 deployed",
            "roll out digital-wall-green-frontend done: 3/3",
            "verify done",
        ],
    );
    deploy(&dave, "frontend=:v4").assert(0, &["run done: revision 2 deployed", "done: 3/3"]);
    stage.await_live("blue");

    let stuck = [
        "--write",
        "--yes",
        "--reason",
        "v5",
        "--image",
        "frontend=:stuck",
    ];
    let id = dave.detach(&[&["deploy", "production"][..], &stuck].concat());
    wait("helm at its hook", || {
        history(&dave, major, namespace)
            .contains("pending-upgrade")
            .then_some(())
    });
    dave.kill_worker();
    kill_helm(&dave);
    dave.run(&["op", "adopt", &id]).assert(
        1,
        &[
            "its time is over: wall-green is at revision 3 pending-upgrade",
            "--recover",
        ],
    );
    deploy(&dave, "frontend=:v6").assert(
        5,
        &[
            "revision 3 pending-upgrade since",
            "`wheelhouse deploy production --recover --write --reason …` goes back to revision 2",
        ],
    );
    let recover = [
        "deploy",
        "production",
        "--recover",
        "--write",
        "--yes",
        "--reason",
        "stuck",
    ];
    dave.run(&recover)
        .assert(0, &["run done: revision 4 deployed", "verify done"]);
    // As a clean-up leaves an idle colour: the replicas are Wheelhouse's by now.
    scaled_to_0(&stage);
    deploy(&dave, "frontend=:v6").assert(0, &["run done: revision 5 deployed", "done: 3/3"]);
    stage.await_live("blue");
    assert_eq!(stage.colours(), ["blue", "blue"]);

    dave.edit("set = { ", "set = { switch = \"{colour}\", ");
    deploy(&dave, "frontend=:v7").assert(
        5,
        &["the chart renders Service digital-wall-service with version=green, and it has version=blue now"],
    );
}

#[test]
fn i_51_i_52_a_helm_3_that_is_killed_in_mid_upgrade_is_found_explained_and_recovered() {
    there_and_back("ops-helm-3", "hanna", 3);
}

#[test]
fn i_51_i_52_a_helm_4_that_is_killed_in_mid_upgrade_is_found_explained_and_recovered() {
    there_and_back("ops-helm-4", "harry", 4);
}

#[test]
fn without_colours_a_real_helm_goes_back_a_revision() {
    let stage = Stage::new("ops-helm-back");
    uninstalled(&stage);
    let hugo = by_helm(&stage, "hugo", 3, 60);
    // What is of GREEN is an environment of its own, without a switch.
    let config = std::fs::read_to_string(hugo.home.path().join("config.toml")).unwrap();
    let from = config.find("[environment.traffic]").unwrap();
    let to = config.find("[[environment.workload]]").unwrap();
    hugo.edit(&config[from..to], "");
    hugo.edit(
        "part-of=digital-wall\"",
        "part-of=digital-wall,version=green\"",
    );
    hugo.edit("wall-{colour}", "wall-green");
    hugo.edit("colour = \"{colour}\"", "colour = \"green\"");
    let image = "frontend=ghcr.io/example/digitalwall-frontend";
    deploy(&hugo, &format!("{image}:v3")).assert(0, &["run done: revision 1 deployed"]);
    deploy(&hugo, &format!("{image}:v4")).assert(0, &["run done: revision 2 deployed"]);

    hugo.run(&["rollback", "production", "--yes"]).assert(
        0,
        &[
            "run done: revision 3 deployed",
            "roll out digital-wall-green-frontend done",
        ],
    );

    let images = stage.images("green");
    assert!(
        images.iter().all(|image| image.ends_with(":v3")),
        "{images:?}"
    );
    let history = history(&hugo, 3, "ops-helm-back");
    assert!(history.contains("Rollback to 1"), "{history}");
    hugo.run(&["rollback", "production", "--yes"])
        .assert(5, &["is a rollback already (Rollback to 1)"]);
}
