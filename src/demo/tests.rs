//! The world in virtual time: hours pass in the time that it takes to compute them.

use super::kind::Kind;
use super::store::{Key, Object};
use super::world::World;
use super::{Options, scenarios, tree};
use jiff::Timestamp;
use std::sync::Arc;

const SECOND: i64 = 1_000;

fn world(scenario: &str, seed: u64) -> World {
    let options = Options {
        scenario: scenario.to_owned(),
        seed,
        ..Options::default()
    };
    World::new(
        &options,
        "2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap(),
    )
    .unwrap()
}

fn pods(world: &World, deployment: &str) -> Vec<Arc<Object>> {
    let of = |pod: &&Arc<Object>| {
        world
            .sims
            .get(&pod.uid)
            .is_some_and(|sim| sim.deployment == deployment)
    };
    world
        .store
        .list(Kind::Pod, "production")
        .filter(of)
        .cloned()
        .collect()
}

fn deployment(world: &World, name: &str) -> serde_json::Value {
    let key: Key = ("production".to_owned(), name.to_owned());
    world
        .store
        .get(Kind::Deployment, &key.0, &key.1)
        .unwrap()
        .value()
}

fn everything(world: &World) -> Vec<Vec<u8>> {
    let objects = Kind::ALL
        .into_iter()
        .flat_map(|kind| world.store.list(kind, ""));
    objects.map(|object| object.bytes.to_vec()).collect()
}

#[test]
fn the_same_seed_makes_the_same_world_and_another_does_not() {
    // The path through time does not matter, only where it leads.
    let lived = |seed, stride| {
        let mut world = world("bad-release", seed);
        (0..=90 * SECOND)
            .step_by(stride)
            .for_each(|now| world.advance(now));
        everything(&world)
    };
    let first = lived(1, 10_000);
    assert!(first == lived(1, 250));
    assert!(first != lived(2, 10_000));
}

#[test]
fn every_scenario_changes_pods_within_the_first_minute() {
    for (name, _) in scenarios() {
        let mut world = world(&name, 3);
        let before = world.store.version();
        world.advance(60 * SECOND);
        let changes = world.store.since(Kind::Pod, before).unwrap().count();
        assert!(changes >= 4, "{name}: {changes}");
    }
}

#[test]
fn a_calm_estate_stays_ready_and_costs_little() {
    let mut world = world("calm", 1);
    let before = world.store.version();
    world.advance(600 * SECOND);
    for name in [
        "digital-wall-blue-frontend",
        "digital-wall-blue-backend",
        "digital-wall-green-backend",
    ] {
        let value = deployment(&world, name);
        assert_eq!(
            value["status"]["availableReplicas"], value["spec"]["replicas"],
            "{name}"
        );
    }
    let changes = world.store.version() - before;
    assert!(changes < 3_000, "{changes} writes in ten minutes");
}

#[test]
fn a_bad_release_never_gets_ready_and_is_late_after_its_deadline() {
    let mut world = world("bad-release", 1);
    world.advance(120 * SECOND);
    let events: Vec<_> = world
        .store
        .list(Kind::Event, "production")
        .map(|event| event.value())
        .collect();
    assert!(
        events
            .iter()
            .any(|event| event["reason"] == "Unhealthy" && event["count"].as_i64().unwrap() > 3)
    );
    let killed = |pod: &Arc<Object>| pod.value().to_string().contains("OOMKilled");
    assert!(
        pods(&world, "digital-wall-green-backend")
            .iter()
            .any(killed)
    );
    assert!(
        pods(&world, "digital-wall-blue-backend")
            .iter()
            .all(|pod| pod.is_ready)
    );
    world.advance(700 * SECOND);
    let value = deployment(&world, "digital-wall-green-backend");
    let conditions = tree::list(&value, "/status/conditions");
    let progressing = conditions
        .iter()
        .find(|condition| condition["type"] == "Progressing")
        .unwrap();
    assert_eq!(
        (&progressing["status"], &progressing["reason"]),
        (&"False".into(), &"ProgressDeadlineExceeded".into())
    );
    assert_eq!(value["status"]["availableReplicas"], 2, "the old pods stay");
}

#[test]
fn a_crash_loop_waits_longer_each_time() {
    let mut world = world("crash-loop", 1);
    let mut starts = Vec::new();
    let mut restarts = 0;
    for now in (0..400 * SECOND).step_by(100) {
        world.advance(now);
        let sim = world
            .sims
            .values()
            .find(|sim| sim.deployment == "digital-wall-green-backend")
            .unwrap();
        if sim.restarts > restarts {
            restarts = sim.restarts;
            starts.push(now);
        }
    }
    let waits: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() >= 4, "{waits:?}");
    assert!(
        waits.windows(2).all(|pair| pair[1] > pair[0] * 5 / 4),
        "{waits:?}"
    );
}

#[test]
fn an_autoscaler_follows_the_traffic_up_and_down() {
    let mut world = world("flapping", 1);
    let replicas = |world: &World| {
        deployment(world, "digital-wall-blue-frontend")["spec"]["replicas"]
            .as_i64()
            .unwrap()
    };
    assert_eq!(replicas(&world), 3);
    world.advance(60 * SECOND);
    assert!(replicas(&world) > 3);
    world.advance(185 * SECOND);
    assert_eq!(replicas(&world), 3);
}

#[test]
fn five_thousand_fillers_need_nothing_done() {
    let options = Options {
        pods: 5_000,
        scenario: "crash-loop".to_owned(),
        ..Options::default()
    };
    let mut world = World::new(&options, "2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
    let before = world.store.version();
    world.advance(3 * SECOND);
    let touched = world.store.since(Kind::Deployment, before).unwrap().count();
    assert_eq!(
        (world.store.list(Kind::Pod, "").count(), touched),
        (5_000, 0)
    );
}
