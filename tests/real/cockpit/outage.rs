//! The API server dies and comes back under a running cockpit.

use super::{Cockpit, LONG, SERVICES, line_of, pods_of, row_of, switch};
use crate::plane::Plane;
use kube::ResourceExt as _;
use std::time::Instant;

#[test]
fn a_killed_api_server_leaves_the_screen_stale_with_age_and_cause_and_live_when_it_is_back() {
    let plane = Plane::start();
    let here = "production";
    let mut cockpit = Cockpit::on_digital_wall(&plane, here);
    let pods = pods_of(&plane, here);
    let host = plane.api_url().replace("https://", "");

    let killed = Instant::now();
    plane.stop_api_server();
    let cause = format!("{host} refuses connections");
    cockpit.wait("age and cause", LONG, |text| {
        text.contains("k8s ? STALE ") && text.contains(&cause)
    });
    println!("stale was said after {:?}", killed.elapsed());
    // Its age goes on, and what was seen stays.
    cockpit.wait_words(&["k8s ? STALE 20s", &cause]);
    let text = cockpit.pty.text();
    assert!(
        line_of(&text, "BLUE").contains("● LIVE   ready 5/5"),
        "{text}"
    );
    for pod in &pods {
        assert!(row_of(&text, &pod.name_any()).contains("ready"), "{text}");
    }
    let (status, code) = cockpit.status();
    assert_eq!((status["verdict"].as_str(), code), (Some("UNKNOWN"), 3));
    assert!(!cockpit.pty.is_over());

    plane.start_api_server();
    let back = Instant::now();
    cockpit.wait("the end of it", LONG, |text| {
        text.contains("k8s live") && !text.contains("STALE") && !text.contains("refuses")
    });
    println!("live again {:?} after the server", back.elapsed());
    // A pulse (10 s) finds it; the long pauses of its absence do not count any more.
    assert!(back.elapsed().as_secs() < 30, "{:?}", back.elapsed());
    for service in SERVICES {
        switch(&plane, here, service, "green", "argocd-controller");
    }
    cockpit.wait("a change since", LONG, |text| {
        line_of(text, "GREEN").contains("● LIVE")
    });
    assert_eq!(pods_of(&plane, here).len(), pods.len());
    cockpit.quit();
}
