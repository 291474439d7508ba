//! Who is live, and who says so: the screen against what the plane's own controllers make of it.

use super::{Cockpit, LONG, SERVICES, line_of, names_of, row_of, switch};
use crate::estate::is_measured;
use crate::plane::Plane;
use crate::pty::SOON;
use std::time::{Duration, Instant};

#[test]
fn a_fleet_made_on_the_plane_is_right_on_the_screen() {
    let plane = Plane::shared();
    let here = "cockpit-fleet";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    let names = names_of(plane, here, "digital-wall-");
    assert_eq!(names.len(), 10);
    // Deployments, EndpointSlices and pods are watches of their own: each is there when it is
    // there, so the pods that the screen still has as they were are waited for like the endpoints.
    cockpit.wait("the endpoints, the replicas and the pods", LONG, |text| {
        let is_ready = |name: &String| {
            let row = row_of(text, name);
            row.contains('✓') && row.contains("ready")
        };
        line_of(text, "BLUE").contains("endpoints 3+2")
            && ["BLUE", "GREEN"].map(|it| line_of(text, it).contains("ready 5/5")) == [true; 2]
            && text.contains("10 pods")
            && names.iter().all(is_ready)
    });
    let text = cockpit.pty.text();
    let (blue, green) = (line_of(&text, "BLUE"), line_of(&text, "GREEN"));
    for part in ["● LIVE", "frontend v1 ", "backend v1 "] {
        assert!(blue.contains(part), "{part} in {blue}");
    }
    for part in ["○ idle", "endpoints 0+0", " v2 "] {
        assert!(green.contains(part), "{part} in {green}");
    }
    for (service, part) in SERVICES.iter().zip(["part=frontend", "part=backend"]) {
        let line = line_of(&text, service);
        for part in [part, "version=blue", "by tests"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    assert!(!text.contains("not ready"), "{text}");
    cockpit.quit();
}

#[test]
fn a_selector_patch_by_another_flips_the_screen_and_names_the_manager() {
    let plane = Plane::shared();
    let here = "cockpit-flip";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    switch(plane, here, SERVICES[0], "green", "argocd-controller");
    cockpit.wait_words(&["the Services do not agree on one colour"]);
    let text = cockpit.pty.text();
    assert!(!text.contains("LIVE"), "half a flip is nobody's: {text}");
    let (status, code) = cockpit.status();
    assert_eq!((status["verdict"].as_str(), code), (Some("BAD"), 1));

    let flipped = Instant::now();
    switch(plane, here, SERVICES[1], "green", "argocd-controller");
    cockpit.wait("GREEN live", SOON, |text| {
        let green = line_of(text, "GREEN");
        green.contains("● LIVE") && green.contains("endpoints 3+2")
    });
    let took = flipped.elapsed();
    println!("a flip was on the screen after {took:?}");
    assert!(!is_measured() || took < Duration::from_secs(2), "{took:?}");
    let text = cockpit.pty.text();
    assert!(line_of(&text, "BLUE").contains("○ idle"), "{text}");
    for service in SERVICES {
        let line = line_of(&text, service);
        for part in ["version=green", "by argocd-controller"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

#[test]
fn the_detail_of_a_service_names_its_managers_and_its_endpoints() {
    let plane = Plane::shared();
    let here = "cockpit-service";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    switch(plane, here, SERVICES[0], "green", "kubectl-patch");
    cockpit.wait_words(&["by kubectl-patch"]);
    cockpit.pty.send("0g\r");
    cockpit.wait_words(&["─ Service  digital-wall-service", "Field managers"]);
    cockpit.wait_words(&names_of(plane, here, "digital-wall-green-frontend-"));
    let text = cockpit.pty.text();
    let line = |start: &str| line_of(&text, start);
    assert!(line("kubectl-patch").contains("Update"), "{text}");
    assert!(line("kubectl-patch").contains("selector: "), "{text}");
    assert!(line("tests").contains("Apply"), "{text}");
    assert!(
        !line("tests").contains("selector: "),
        "it lost the selector: {text}"
    );
    assert!(line("selector").contains("version=green"), "{text}");
    assert!(!text.contains("blue-frontend-"), "{text}");
}
