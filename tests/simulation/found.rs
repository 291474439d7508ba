//! What the simulation found, each as the shortest story that shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use wheelhouse::ops::OperationKind::{Cutover, Rollback};
use wheelhouse::ops::Outcome;
use wheelhouse::ops::engine::Ended;

use super::end::autoscalers;
use super::fault::{Aimed, Fault};
use super::play::{in_virtual_time, loosen, play};
use super::plot::{Plot, Shape};
use super::process::Process;
use super::release::Meets;
use super::script::{End, adopt, open, operate, operate_after, pause};
use super::world::{NAMESPACE, SERVICES, World};

/// Where records are.
const RECORDS: &str = "/api/v1/namespaces/wheelhouse/configmaps";

fn aimed(fault: Fault, stage: &'static str, after: u64) -> Option<Aimed> {
    Some(Aimed {
        fault,
        stage,
        after,
    })
}

async fn colours(world: &World) -> Vec<String> {
    let mut colours = Vec::new();
    for name in SERVICES {
        let service = world.service(name).await;
        let colour = service["spec"]["selector"]["version"].as_str();
        colours.push(colour.unwrap_or_default().to_owned());
    }
    colours
}

/// A cutover whose worker dies; what it left.
async fn dead(world: &Arc<World>) -> String {
    let process = Process::new(world, "alice");
    assert!(matches!(operate(process, Cutover).await, End::Died));
    world.calm();
    pause(70).await;
    open(world).await.remove(0)
}

async fn rolls_back(world: &Arc<World>) {
    let end = operate(Process::new(world, "bob"), Rollback).await;
    assert!(matches!(end, End::Ended(Ended::Closed(..))), "{end:?}");
}

#[test]
fn i_30_a_rollback_of_a_half_done_cutover_goes_back_and_not_on() {
    in_virtual_time(|| async {
        let world = World::new(1, None, aimed(Fault::CrashAfter, "move", 0), 0);
        dead(&world).await;
        assert_eq!(colours(&world).await, ["green", "blue"]);
        rolls_back(&world).await;
        assert_eq!(colours(&world).await, ["blue", "blue"]);
    });
}

#[test]
fn x03_a_cutover_that_a_rollback_overtook_is_not_gone_on_with() {
    // After eight reads and the patch of a flip: the write of its result.
    for (stage, after) in [("flip", 9), ("watch", 4), ("restore", 1)] {
        in_virtual_time(move || async move {
            let world = World::new(1, None, aimed(Fault::CrashBefore, stage, after), 0);
            let left = dead(&world).await;
            rolls_back(&world).await;
            let end = adopt(Process::new(&world, "alice"), left).await;
            // The rollback ended what it overtook; where it had not, `moved traffic since` is the answer.
            let words = format!("{end:?}");
            let is_told = ["is over: abandoned", "moved traffic since"]
                .iter()
                .any(|part| words.contains(part));
            assert!(is_told, "{stage}: {words}");
            assert_eq!(colours(&world).await, ["blue", "blue"]);
            assert!(open(&world).await.is_empty());
            assert_eq!(world.law().broken, []);
        });
    }
}

#[test]
fn x07_a_watch_that_is_taken_over_goes_on_and_its_old_worker_stops_at_once() {
    in_virtual_time(|| async {
        let world = World::new(1, None, None, 0);
        let first = tokio::task::spawn_local(operate(Process::new(&world, "alice"), Cutover));
        pause(3).await;
        let left = open(&world).await.remove(0);
        let end = adopt(Process::new(&world, "bob"), left).await;
        assert!(
            matches!(end, End::Ended(Ended::Closed(Outcome::Done, _))),
            "{end:?}"
        );
        let first = first.await.unwrap();
        assert!(matches!(first, End::Ended(Ended::Fenced(_))), "{first:?}");
        assert_eq!(colours(&world).await, ["green", "green"]);
        assert_eq!(world.law().broken, []);
    });
}

/// How long the API is away is the seed's: too long, and what was left is named; but never neither.
#[test]
fn i_5_autoscalers_are_given_back_when_the_api_was_away_meanwhile() {
    let given_back = Arc::new(AtomicU32::new(0));
    for seed in 180..190 {
        let given_back = given_back.clone();
        in_virtual_time(move || async move {
            let world = World::new(seed, None, aimed(Fault::CutOff, "restore", 0), 0);
            loosen(&world).await;
            let before = autoscalers(&world).await;
            let end = operate(Process::new(&world, "alice"), Cutover).await;
            let is_over = matches!(end, End::Ended(Ended::Closed(Outcome::Done, _)));
            let is_left = matches!(end, End::Ended(Ended::Interrupted(_)));
            assert!(is_over || is_left, "{end:?}");
            let records = world.list(RECORDS).await;
            let is_named = records.iter().any(|record| {
                let entries = record["data"]["entries"].as_str().unwrap_or_default();
                entries.contains("left as it is: autoscalers, which could not be listed")
            });
            if is_over && !is_named {
                assert_eq!(autoscalers(&world).await, before, "{seed}");
                given_back.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    assert!(
        given_back.load(Ordering::Relaxed) > 0,
        "never away for a short time"
    );
}

#[test]
fn k10_a_selector_that_was_put_right_is_given_the_time_that_slices_need() {
    in_virtual_time(|| async {
        let world = World::new(1, None, None, 0);
        let worker = tokio::task::spawn_local(operate(Process::new(&world, "alice"), Cutover));
        for colour in ["blue", "green"] {
            pause(4).await;
            let flip = json!({"do": "flip", "to": colour, "manager": "kubectl-patch"});
            world.act(flip).await;
        }
        let end = worker.await.unwrap();
        assert!(
            matches!(end, End::Ended(Ended::Closed(Outcome::Done, _))),
            "{end:?}"
        );
    });
}

#[test]
fn p11_a_wall_clock_that_jumps_an_hour_neither_loses_nor_steals_a_lease() {
    for fault in [Fault::Ahead, Fault::Behind] {
        for stage in ["hold", "flip", "watch"] {
            in_virtual_time(move || async move {
                let world = World::new(1, None, aimed(fault, stage, 0), 0);
                let other = Process::new(&world, "bob");
                let first = operate(Process::new(&world, "alice"), Cutover);
                let late = async {
                    pause(3).await;
                    operate(other, Cutover).await
                };
                let (first, late) = futures::join!(first, late);
                let End::Ended(Ended::Closed(Outcome::Done, _)) = first else {
                    panic!("{fault:?} at {stage}: {first:?}");
                };
                // Whose clock is an hour off still sees that somebody is at it.
                assert!(!matches!(late, End::Ended(Ended::Closed(..))), "{late:?}");
                assert_eq!(colours(&world).await, ["green", "green"]);
            });
        }
    }
}

/// An alarm in the soak, and the API is away when the second Service is to go back: five looks are no reason to leave it.
#[test]
fn i_32_a_way_back_waits_for_an_api_that_is_away() {
    for seed in [14, 15, 42, 50] {
        let shape = Shape {
            plot: Plot::Alarmed,
            aimed: aimed(Fault::CutOff, "undo", 1),
            rate: 0,
            is_loose: false,
            meets: Meets::default(),
        };
        assert_eq!(play(seed, shape, None).broken, [], "seed {seed}");
    }
}

/// The patch of the second Service arrives after the rollback was planned, and before it cuts the cutover off.
#[test]
fn i_30_a_rollback_takes_back_what_was_under_way_when_it_was_confirmed() {
    in_virtual_time(|| async {
        let world = World::new(1, None, aimed(Fault::CrashAfter, "move", 0), 0);
        let left = dead(&world).await;
        assert_eq!(colours(&world).await, ["green", "blue"]);
        // What its worker sent before it died, and a proxy held.
        let arrives = async || {
            let path = format!("/api/v1/namespaces/{NAMESPACE}/services/{}", SERVICES[1]);
            let patch = json!([
                {"op": "add", "path": "/metadata/annotations/wheelhouse.dev~1epoch", "value": "1"},
                {"op": "add", "path": "/metadata/annotations/wheelhouse.dev~1operation", "value": left},
                {"op": "replace", "path": "/spec/selector/version", "value": "green"},
            ]);
            world.ask("PATCH", &path, patch).await;
        };
        let end = operate_after(Process::new(&world, "bob"), Rollback, arrives).await;
        let is_done = matches!(end, End::Ended(Ended::Closed(Outcome::Done, _)));
        assert!(is_done, "{end:?}");
        assert_eq!(colours(&world).await, ["blue", "blue"]);
        assert_eq!(world.law().broken, []);
    });
}

/// A selector that somebody changes while the operation waits for traffic to move is named at once, and waited for. What
/// keeps it waiting is a machine that stands still for as long as the seed says.
#[test]
fn x04_a_selector_that_is_put_elsewhere_while_traffic_moves_pauses_and_is_named() {
    for puts_right in [true, false] {
        let paused = Arc::new(AtomicU32::new(0));
        for seed in 1..12 {
            let paused = paused.clone();
            in_virtual_time(move || async move {
                let world = World::new(seed, None, aimed(Fault::Stop, "move", 1), 0);
                let worker = operate(Process::new(&world, "alice"), Cutover);
                let worker = tokio::task::spawn_local(worker);
                // The first Service alone: the other one was not flipped yet.
                let flip = async |to: &str| {
                    let path = format!("/api/v1/namespaces/{NAMESPACE}/services/{}", SERVICES[0]);
                    let patch =
                        json!([{"op": "replace", "path": "/spec/selector/version", "value": to}]);
                    world.ask("PATCH", &path, patch).await;
                    world.law().meddled(SERVICES[0], world.now());
                };
                pause(1).await;
                flip("blue").await;
                let mut is_paused = false;
                for _ in 0..60 {
                    pause(1).await;
                    let records = world.list(RECORDS).await;
                    let entries = records[0]["data"]["entries"].as_str().unwrap_or_default();
                    let said = entries.lines().find(|line| line.contains("\"paused\""));
                    let Some(said) = said else { continue };
                    let named = format!(
                        "REVERTED: {} selects part=frontend version=blue, by ",
                        SERVICES[0]
                    );
                    assert!(said.contains(&named), "{said}");
                    assert!(
                        !entries.contains("\"passed\":{\"step\":{\"move\""),
                        "{entries}"
                    );
                    paused.fetch_add(1, Ordering::Relaxed);
                    is_paused = true;
                    break;
                }
                if puts_right {
                    flip("green").await;
                }
                let end = worker.await.unwrap();
                let End::Ended(Ended::Closed(outcome, why)) = end else {
                    return;
                };
                match puts_right {
                    true if is_paused => assert_eq!(outcome, Outcome::Done, "{seed}: {why}"),
                    true => {}
                    false => assert!(why.contains("REVERTED"), "{seed}: {outcome:?} {why}"),
                }
            });
        }
        assert!(paused.load(Ordering::Relaxed) > 0, "it never waited");
    }
}
