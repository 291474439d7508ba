//! What happened while the cockpit could not look, and the server no longer has as history (K04).

use super::truth::is_ready;
use super::{Cockpit, LONG, SERVICES, line_of, names_of, row_of, switch};
use crate::fleet;
use crate::plane::Plane;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, WatchEvent, WatchParams};
use rustix::process::Signal;

/// Whether a watch from there on is refused with 410.
async fn is_lost(pods: &Api<Pod>, version: &str) -> bool {
    let stream = pods.watch(&WatchParams::default(), version).await;
    let answer = match stream {
        Ok(stream) => stream.boxed().try_next().await,
        Err(why) => Err(why),
    };
    match answer {
        Ok(Some(WatchEvent::Error(status))) => status.code == 410,
        Err(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

#[test]
fn k04_a_history_that_is_lost_is_listed_anew_and_leaves_no_phantom() {
    let plane = Plane::start();
    let here = "production";
    let cockpit = Cockpit::on_digital_wall(&plane, here);
    let pods: Api<Pod> = Api::namespaced(plane.client(), here);
    let listed = plane.run(async { pods.list_metadata(&ListParams::default()).await });
    let version = listed.unwrap().metadata.resource_version.unwrap();
    let gone = names_of(&plane, here, "digital-wall-blue-frontend-").remove(0);

    cockpit.pty.signal(Signal::STOP);
    let process = cockpit.pty.process();
    crate::pty::wait_until("the cockpit to stand still", LONG, || process.is_stopped());
    plane.run(async { pods.delete(&gone, &DeleteParams::default()).await.unwrap() });
    for service in SERVICES {
        switch(&plane, here, service, "green", "argocd-controller");
    }
    plane.until("the pod's end", || async {
        pods.get_opt(&gone).await.ok()?.is_none().then_some(())
    });
    // The Deployment's status may still be that from before.
    plane.until("the successor to be ready", || async {
        let all = pods.list(&ListParams::default()).await.ok()?.items;
        (all.len() == 10 && all.iter().all(is_ready)).then_some(())
    });
    fleet::wait_available(&plane, here);
    // A new server keeps no history from before its start.
    plane.stop_api_server();
    plane.start_api_server();
    assert!(
        plane.run(is_lost(&pods, &version)),
        "the history is still there"
    );
    cockpit.pty.signal(Signal::CONT);
    let names = names_of(&plane, here, "digital-wall-");

    cockpit.wait("the present", LONG, |text| {
        let green = line_of(text, "GREEN");
        let is_ready = |name: &String| row_of(text, name).contains("ready");
        text.contains("k8s live")
            && green.contains("● LIVE")
            && row_of(text, &gone).is_empty()
            && text.contains("10 pods")
            && names.iter().all(is_ready)
    });
    cockpit.wait("nothing of the trouble", LONG, |text| {
        !text.contains("STALE") && !text.contains("lost the history")
    });
    cockpit.quit();
}
