//! Operations in virtual time: operators on bastions of their own, faults at every request, and what must never happen.
//!
//! ```text
//! engine ─▶ kube ─▶ wire (faults) ─▶ router of the embedded estate ─▶ law (what must never happen)
//! ```
//!
//! What is simulated, each from seeds of its own:
//! - Cutovers, rollbacks, deploys and repairs (`SIM_SEED`): a race, a takeover, an abort, somebody who patches selectors or
//!   deletes Leases and records, a colour that falls ill, alarms in the soak, monitoring that is away or gives NaN; a smoke
//!   test or an approval that a cutover demands and that is there already, and another revision since.
//! - Clean-ups (`SIM_CLEANED`), while somebody brings traffic to what is cleaned up.
//! - Releases (`SIM_RELEASED`): deploy, smoke test, approval, cutover and soak as one operation, with somebody beside it. A
//!   share of them has monitoring; demands an approval, which the release asks for and a third person gives, refuses, never
//!   gives, or gives while another revision is deployed past Wheelhouse; is frozen and thawed on the way; asks its pods,
//!   which answer well, wrongly, slowly, not at all, or change meanwhile. Whoever approves or freezes meets faults, too.
//!
//! Not simulated: deploys by helm, programs and workflows, GitHub, and pods' port-forwards (their answers are values, as
//! monitoring's are).
//!
//! `SIM_SEEDS=10000 cargo test --test simulation -- in_any_seed` runs so many, and as many clean-ups and releases, from
//! `SIM_FIRST` on; `SIM_SEED=7 cargo test --test simulation -- --exact one --nocapture` tells what happened in one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

#[path = "simulation/asked.rs"]
mod asked;
#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/coverage.rs"]
mod coverage;
#[path = "simulation/demand.rs"]
mod demand;
#[path = "simulation/end.rs"]
mod end;
#[path = "simulation/fault.rs"]
mod fault;
#[path = "simulation/found.rs"]
mod found;
#[path = "simulation/law.rs"]
mod law;
#[path = "simulation/planted.rs"]
mod planted;
#[path = "simulation/play.rs"]
mod play;
#[path = "simulation/plot.rs"]
mod plot;
#[path = "simulation/process.rs"]
mod process;
#[path = "simulation/release.rs"]
mod release;
#[path = "simulation/script.rs"]
mod script;
#[path = "simulation/sky.rs"]
mod sky;
#[path = "simulation/wire.rs"]
mod wire;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use coverage::Coverage;
use play::{Played, play};
use plot::{STAGES, STAGES_OF_CLEAN_UP, STAGES_OF_RELEASE, Shape};

/// The story of each seed.
type Shapes = fn(u64) -> Shape;

/// A number from the environment. One that is none is no wish for as many as there are without it.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {text:?}, and no number")))
}

/// Plays seeds on two threads: `SIM_SEEDS` of them, from `SIM_FIRST` on.
fn all(shape: fn(u64) -> Shape) -> Vec<Played> {
    let first = number("SIM_FIRST").unwrap_or(1);
    let seeds = first..first + number("SIM_SEEDS").unwrap_or(300);
    let shard = |odd: u64| {
        let seeds = seeds.clone().filter(move |seed| seed % 2 == odd);
        std::thread::spawn(move || seeds.map(|seed| told(seed, shape(seed))).collect())
    };
    let shards: [std::thread::JoinHandle<Vec<Played>>; 2] = [shard(0), shard(1)];
    let mut played: Vec<Played> = shards.into_iter().flat_map(|s| s.join().unwrap()).collect();
    played.sort_by_key(|played| played.seed);
    played
}

/// Plays `seed`, and tells at once what was broken: ten thousand take their time.
fn told(seed: u64, shape: Shape) -> Played {
    let mut played = play(seed, shape, None);
    // The stories of ten thousand do not fit into memory.
    played.log.retain(|line| line.contains("Ended(Closed("));
    for (rule, words) in &played.broken {
        println!("seed {seed}: {rule:?}: {words}");
    }
    if played.lasted > Duration::from_secs(900) {
        println!("seed {seed} is long: {:?}", played.lasted);
    }
    played
}

/// Tells what was broken, by rule, and how long it took; `var` is what one is replayed by.
fn judge(played: &[Played], began: Instant, var: &str) {
    let mut by_rule: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in played {
        for (rule, words) in &one.broken {
            by_rule.entry(rule).or_default().push((one.seed, words));
        }
    }
    for (rule, all) in &by_rule {
        println!("{rule:?}: {}", all.len());
        for (seed, words) in all.iter().take(6) {
            println!("    seed {seed}: {words}");
        }
    }
    let virtual_s: u64 = played.iter().map(|p| p.lasted.as_secs()).sum();
    let (many, took) = (played.len(), began.elapsed());
    println!("{many} seeds, {virtual_s} virtual s, {took:?}");
    assert!(
        by_rule.is_empty(),
        "replay one: {var}=… cargo test --test simulation -- --exact one --nocapture"
    );
}

/// How many of them end so.
fn many(played: &[Played], how: &str) -> usize {
    let ends = |one: &&Played| one.log.iter().any(|line| line.contains(how));
    played.iter().filter(ends).count()
}

#[test]
fn what_must_never_happen_does_not_in_any_seed() {
    let began = Instant::now();
    let played = all(Shape::of);
    let coverage = Coverage::of(&played, &STAGES);
    coverage.tell("in a cutover");
    judge(&played, began, "SIM_SEED");
    if played.len() >= 300 {
        assert_eq!(coverage.missing(), [], "can happen and never did");
    }
}

/// From so many on every fault is met wherever it can happen.
const ENOUGH: usize = 2_000;

/// As many: the colour that is idle is cleaned up, while somebody brings traffic to it.
#[test]
fn i_35_a_colour_that_becomes_live_is_not_cleaned_up_in_any_seed() {
    let began = Instant::now();
    let played = all(Shape::cleaned_up);
    let coverage = Coverage::of(&played, &STAGES_OF_CLEAN_UP);
    coverage.tell("in a clean-up");
    let done = many(&played, "cleanup: Ended(Closed(Done");
    println!("{done} were cleaned up");
    judge(&played, began, "SIM_CLEANED");
    assert!(done * 4 > played.len(), "{done} were cleaned up");
    if played.len() >= ENOUGH {
        assert_eq!(coverage.missing(), [], "can happen and never did");
    }
}

/// As many: a release, with somebody beside it.
#[test]
fn what_must_never_happen_does_not_in_any_seed_of_a_release() {
    let began = Instant::now();
    let played = all(Shape::released);
    let done = many(&played, "release: Ended(Closed(Done");
    let back = many(&played, "Ended(Closed(RolledBack");
    let coverage = Coverage::of(&played, &STAGES_OF_RELEASE);
    coverage.tell("in a release");
    println!("{done} were released, {back} came back by themselves");
    judge(&played, began, "SIM_RELEASED");
    assert!(done * 8 > played.len(), "{done} were released");
    assert!(back * 100 > played.len(), "{back} came back");
    if played.len() >= ENOUGH {
        assert_eq!(coverage.missing(), [], "can happen and never did");
    }
}

/// What ten thousand seeds found and three hundred do not: each was a defect of the engine.
#[test]
fn what_was_broken_once_is_not_any_more() {
    // Autoscalers that were not answered taken for none; a Lease that was deleted and whose epoch stood in a record
    // alone; a rollback without a Lease; a list that hung
    // while health grew old; a Deployment that an autoscaler was still shrinking; a dead holder whose clock ran an hour ahead.
    for seed in [
        283, 289, 315, 2414, 2056, 1878, 3521, 3640, 3782, 3843, 4810, 5952,
    ] {
        let played = play(seed, Shape::of(seed), None);
        assert_eq!(played.broken, [], "SIM_SEED={seed}");
    }
    // Autoscalers left held, because the API was away for longer than traffic takes to move.
    // An end that said "rolled back" while a stranger had the other Service elsewhere; an alarm of GREEN's, in a soak of BLUE.
    for seed in [4904, 5354, 5372] {
        let played = play(seed, Shape::released(seed), None);
        assert_eq!(played.broken, [], "SIM_RELEASED={seed}");
    }
}

#[test]
fn one() {
    let all: [(&str, Shapes); 3] = [
        ("SIM_SEED", Shape::of),
        ("SIM_CLEANED", Shape::cleaned_up),
        ("SIM_RELEASED", Shape::released),
    ];
    for (var, shape) in all {
        let Some(seed) = number(var) else { continue };
        let played = play(seed, shape(seed), None);
        println!(
            "{:?}\n{}\n{:#?}",
            played.shape,
            played.log.join("\n"),
            played.broken
        );
        assert!(played.broken.is_empty());
    }
}

#[test]
fn a_seed_is_the_same_each_time() {
    for seed in [3, 77, 201] {
        let (one, two) = (
            play(seed, Shape::of(seed), None),
            play(seed, Shape::of(seed), None),
        );
        for (a, b) in one.log.iter().zip(&two.log) {
            assert_eq!(a, b, "seed {seed}");
        }
        assert_eq!(one.log.len(), two.log.len());
    }
}
