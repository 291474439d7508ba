//! The plane itself works: what later tests lean on is seen here once, by itself.

use crate::fleet;
use crate::plane::Plane;
use crate::plane::pods::Health;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{Api, ListParams, LogParams, Patch, PatchParams, PostParams};
use std::io::{BufRead, Write};
use std::net::TcpListener;
use tokio::io::AsyncReadExt;

fn switch(plane: &Plane, namespace: &str, colour: &str) {
    let services: Api<Service> = Api::namespaced(plane.client(), namespace);
    let patch = Patch::Merge(serde_json::json!({"spec": {"selector": {"version": colour}}}));
    let params = PatchParams::default();
    let patched = services.patch("digital-wall-service", &params, &patch);
    plane.run(patched).unwrap();
}

fn first_pod(plane: &Plane, namespace: &str) -> Pod {
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let found = plane.run(async { pods.list(&ListParams::default()).await });
    found.unwrap().items.remove(0)
}

fn name_of(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap()
}

#[test]
fn a_selector_patch_moves_the_traffic_of_digital_wall() {
    let plane = Plane::shared();
    let here = "smoke-traffic";
    fleet::digital_wall(plane, here);
    fleet::wait_available(plane, here);
    fleet::await_traffic(plane, here, "blue");

    switch(plane, here, "green");

    fleet::await_traffic(plane, here, "green");
}

#[test]
fn a_killed_api_server_comes_back_on_its_port_with_its_data() {
    let plane = Plane::start();
    let url = plane.api_url();
    let here = "smoke-kill";
    fleet::digital_wall(&plane, here);
    fleet::wait_available(&plane, here);
    switch(&plane, here, "green");

    plane.stop_api_server();
    let services: Api<Service> = Api::namespaced(plane.client(), here);
    let asked = plane.run(async { services.get("digital-wall-service").await });
    assert!(asked.is_err(), "a dead server answered");
    plane.start_api_server();

    assert_eq!(plane.api_url(), url);
    let service = plane.run(async { services.get("digital-wall-service").await });
    let selector = service.unwrap().spec.unwrap().selector.unwrap();
    assert_eq!(selector["version"], "green");
    // The controllers have found it again, too.
    fleet::await_traffic(&plane, here, "green");
    switch(&plane, here, "blue");
    fleet::await_traffic(&plane, here, "blue");
}

#[test]
fn people_may_do_what_they_were_granted_and_the_audit_log_names_them() {
    let plane = Plane::shared();
    let here = "smoke-people";
    plane.namespace(here);
    plane.grant("viewer", "view", here);
    let made = ConfigMap {
        metadata: kube::core::ObjectMeta {
            name: Some("made".into()),
            ..Default::default()
        },
        ..Default::default()
    };

    let (viewer, other) = plane.run(async {
        (
            plane.client_for("viewer").await,
            plane.client_for("other").await,
        )
    });
    let of_viewer: Api<ConfigMap> = Api::namespaced(viewer, here);
    let of_other: Api<ConfigMap> = Api::namespaced(other, here);
    let all = ListParams::default();
    assert!(plane.run(async { of_viewer.list(&all).await }).is_ok());
    let refused = plane.run(async { of_viewer.create(&PostParams::default(), &made).await });
    assert!(matches!(refused, Err(kube::Error::Api(why)) if why.is_forbidden()));
    let refused = plane.run(async { of_other.list(&all).await });
    assert!(matches!(refused, Err(kube::Error::Api(why)) if why.is_forbidden()));

    plane.until("the viewer's refused write in the audit log", || async {
        let log = std::fs::read_to_string(plane.audit_log()).ok()?;
        let mut lines = log.lines().filter(|line| line.contains(here));
        lines
            .any(|line| {
                line.contains(r#""verb":"create""#)
                    && line.contains(r#""username":"viewer""#)
                    && line.contains(r#""code":403"#)
            })
            .then_some(())
    });
}

#[test]
fn the_shipped_role_lets_the_viewer_see_the_fleet_and_no_more() {
    let plane = Plane::shared();
    let (here, elsewhere) = ("smoke-viewer", "smoke-elsewhere");
    fleet::digital_wall(plane, here);
    plane.namespace(elsewhere);
    let viewer = plane.run(plane.client_for("viewer"));
    let all = ListParams::default();

    let pods: Api<Pod> = Api::namespaced(viewer.clone(), here);
    assert!(plane.run(async { pods.list(&all).await }).is_ok());

    let hidden: Api<ConfigMap> = Api::namespaced(viewer.clone(), here);
    let refused = plane.run(async { hidden.list(&all).await });
    assert!(matches!(refused, Err(kube::Error::Api(why)) if why.is_forbidden()));
    let hidden: Api<Pod> = Api::namespaced(viewer, elsewhere);
    let refused = plane.run(async { hidden.list(&all).await });
    assert!(matches!(refused, Err(kube::Error::Api(why)) if why.is_forbidden()));
}

#[test]
fn pods_have_digests_logs_and_ports() {
    let plane = Plane::shared();
    let here = "smoke-pods";
    fleet::digital_wall(plane, here);
    fleet::wait_available(plane, here);
    let pod = first_pod(plane, here);
    let name = name_of(&pod);
    let status = pod.status.unwrap().container_statuses.unwrap().remove(0);
    assert!(status.image_id.contains("@sha256:"), "{}", status.image_id);

    let pods: Api<Pod> = Api::namespaced(plane.client(), here);
    let usual = plane.run(async { pods.logs(&name, &LogParams::default()).await });
    assert!(usual.unwrap().contains("ready\n"));
    plane.pod_says(here, &name, &["tail of the tale"]);
    plane.until("the pod to say something else", || async {
        let said = pods.logs(&name, &LogParams::default()).await.ok()?;
        (said == "tail of the tale\n").then_some(())
    });

    let answering = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = answering.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in answering.incoming() {
            let _ = stream.unwrap().write_all(b"from behind the pod");
        }
    });
    plane.pod_leads(here, &name, address);
    plane.until("the pod's port to lead there", || async {
        let mut forwarder = pods.portforward(&name, &[8000]).await.ok()?;
        let mut stream = forwarder.take_stream(8000)?;
        // Not to its end: kwok keeps the stream open when the other side has closed.
        let mut text = [0; 19];
        stream.read_exact(&mut text).await.ok()?;
        (&text == b"from behind the pod").then_some(())
    });
}

#[test]
fn a_fate_goes_wrong_and_stays_wrong() {
    let plane = Plane::shared();
    let here = "smoke-fates";
    plane.namespace(here);
    for (fate, reason) in [
        ("unready", None),
        ("crash-loop", Some("CrashLoopBackOff")),
        ("image-missing", Some("ImagePullBackOff")),
    ] {
        plane.apply_yaml(
            here,
            &format!(
                "apiVersion: v1\nkind: Pod\n\
                 metadata: {{name: {fate}, annotations: {{wheelhouse.test/fate: {fate}}}}}\n\
                 spec: {{containers: [{{name: main, image: 'registry:5000/wall:v1'}}]}}\n"
            ),
        );
        let pods: Api<Pod> = Api::namespaced(plane.client(), here);
        plane.until(&format!("a pod that is {fate}"), || async {
            let status = pods.get(fate).await.ok()?.status?;
            let container = status.container_statuses?.into_iter().next()?;
            let waiting = container.state?.waiting.and_then(|it| it.reason);
            (!container.ready && waiting.as_deref() == reason).then_some(())
        });
    }
}

#[test]
fn a_pod_falls_ill_and_recovers_on_demand_and_the_endpoints_follow() {
    let plane = Plane::shared();
    let here = "smoke-health";
    fleet::digital_wall(plane, here);
    fleet::wait_available(plane, here);
    fleet::await_traffic(plane, here, "blue");
    let client = plane.client();
    let served = plane.run(fleet::endpoints(&client, here, "digital-wall-service"));
    let name = served.unwrap().pop_first().unwrap();
    for (health, is_served) in [
        (Health::Unready, false),
        (Health::Ready, true),
        (Health::Crashing, false),
    ] {
        plane.pod_is(here, &name, health);
        plane.until(
            &format!("endpoints of a pod that is {health:?}"),
            || async {
                let served = fleet::endpoints(&client, here, "digital-wall-service");
                (served.await.ok()?.contains(&name) == is_served).then_some(())
            },
        );
    }
}

#[test]
fn an_identity_is_a_person_with_a_certificate_whom_the_audit_log_times() {
    let plane = Plane::shared();
    let here = "smoke-identity";
    plane.namespace(here);
    plane.identity("olga", "smoke-people");
    plane.grant("olga", "edit", here);
    let olga = plane.run(plane.client_for("olga"));
    let maps: Api<ConfigMap> = Api::namespaced(olga, here);
    let mut made = ConfigMap::default();
    made.metadata.name = Some("of-olga".into());

    let before = jiff::Timestamp::now();
    plane
        .run(async { maps.create(&PostParams::default(), &made).await })
        .unwrap();
    let after = jiff::Timestamp::now();

    let line = plane.await_audited(("create", "configmaps", here), |it| it.name == "of-olga");
    assert_eq!((line.user.as_str(), line.code), ("olga", 201));
    assert!(before < line.received && line.received < after, "{line:?}");
    assert!(line.received < line.answered, "{line:?}");
}

#[test]
fn all_pods_of_a_colour_crash_together() {
    let plane = Plane::shared();
    let here = "smoke-crash";
    fleet::digital_wall(plane, here);
    fleet::wait_available(plane, here);
    fleet::await_traffic(plane, here, "blue");

    fleet::colour_is(plane, here, "blue", Health::Crashing);

    let client = plane.client();
    plane.until("no endpoint to be left", || async {
        let served = fleet::endpoints(&client, here, "digital-wall-service").await;
        served.ok()?.is_empty().then_some(())
    });
    fleet::colour_is(plane, here, "blue", Health::Ready);
    fleet::await_traffic(plane, here, "blue");
}

fn running(plane: &Plane, namespace: &str) -> usize {
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let running = ListParams::default().fields("status.phase=Running");
    let found = plane.run(async { pods.list_metadata(&running).await });
    found.unwrap().items.len()
}

#[test]
fn a_packed_fleet_runs_again_on_another_plane() {
    drop(fleet::plane_with_pods("crowd", 300));

    let plane = fleet::plane_with_pods("crowd", 300);

    assert_eq!(running(&plane, "crowd"), 300);
    fleet::await_traffic(&plane, "production", "blue");
    // Not just a picture of pods: the kubelets are at work.
    switch(&plane, "production", "green");
    fleet::await_traffic(&plane, "production", "green");
    fleet::colour(&plane, "production", "blue", "v3");
    fleet::wait_available(&plane, "production");
}

/// Takes a minute the first time on a quiet machine, and seconds from then on.
#[test]
#[ignore = "5,000 pods: for the tests of load, by name"]
fn five_thousand_pods_run() {
    let plane = fleet::plane_with_pods("crowd", 5_000);
    assert_eq!(running(&plane, "crowd"), 5_000);
}

/// For a person who wants to look around: prints a kubeconfig, and holds the plane until Enter.
#[test]
#[ignore = "holds a plane until its stdin ends; see main.rs"]
fn hold_a_plane() {
    let plane = Plane::start();
    fleet::digital_wall(&plane, "production");
    fleet::wait_available(&plane, "production");
    println!(
        "export KUBECONFIG={}\nlogs, audit and the rest: {}\nEnter ends it (process {}).",
        plane.kubeconfig_admin().display(),
        plane.folder().display(),
        std::process::id()
    );
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}
