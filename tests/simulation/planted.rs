//! The simulation catches bugs: ten are planted, each where it matters, and each is found by the rule
//! that it breaks; the same seeds hold without it. Two of them are planted in a release as well. (An approval that is kept
//! is not caught there, since nothing comes of it: a release's flips are held to what ran when it asked, too.)

use wheelhouse::ops::bastion::Planted;

use super::chance::Chance;
use super::fault::{Aimed, Fault};
use super::law::Rule;
use super::play::play;
use super::plot::{Plot, Shape};
use super::release::Meets;
use super::sky::{Says, Sky};
use super::world::Demand;

/// Within so many seeds.
const SEEDS: u64 = 40;

/// Faults of `faults` at `stage` in the plots where the bug shows.
fn shape(seed: u64, plots: &[Plot], faults: &[Fault], stage: &'static str) -> Shape {
    let chance = Chance::of(seed, "planted");
    let aimed = (!faults.is_empty()).then(|| Aimed {
        fault: chance.one_of(faults),
        stage,
        after: chance.between(0, 6),
    });
    Shape {
        plot: chance.one_of(plots),
        aimed,
        rate: 0,
        is_loose: true,
        meets: Meets::default(),
    }
}

fn is_caught(planted: Planted, rule: Rule, shape: impl Fn(u64) -> Shape) {
    for seed in 1..=SEEDS {
        let sound = play(seed, shape(seed), None);
        assert_eq!(sound.broken, [], "seed {seed} without {planted:?}");
        let broken = play(seed, shape(seed), Some(planted)).broken;
        if broken.iter().any(|(broken, _)| *broken == rule) {
            println!("{planted:?} is caught by seed {seed}: {broken:?}");
            return;
        }
    }
    panic!("{planted:?} is not caught by {SEEDS} seeds");
}

#[test]
fn writes_that_do_not_test_the_epoch_are_caught() {
    let faults = [Fault::Stop, Fault::Freeze, Fault::Late];
    let plots = [Plot::Abandoned, Plot::Adopted];
    is_caught(Planted::NoEpochTest, Rule::NoLateWrite, |seed| {
        shape(seed, &plots, &faults, "flip")
    });
}

#[test]
fn a_lost_reply_that_is_answered_by_sending_again_is_caught() {
    let faults = [Fault::Lost, Fault::Late, Fault::Broken];
    is_caught(Planted::BlindResend, Rule::NeverBlindly, |seed| {
        shape(seed, &[Plot::Alone], &faults, "flip")
    });
}

#[test]
fn a_lease_that_is_named_by_the_configuration_is_caught() {
    is_caught(Planted::LeaseByConfig, Rule::OneEpochOneWorker, |seed| {
        shape(seed, &[Plot::Race], &[], "")
    });
}

#[test]
fn a_rollback_that_waits_for_the_lease_is_caught() {
    is_caught(Planted::RollbackWaits, Rule::RollbackGoesThrough, |seed| {
        shape(seed, &[Plot::RolledBack], &[], "")
    });
}

#[test]
fn a_watch_that_counts_time_that_nobody_watched_is_caught() {
    is_caught(Planted::SoakByWallClock, Rule::ReallyWatched, |seed| {
        shape(seed, &[Plot::Alone], &[Fault::Stop], "watch")
    });
}

#[test]
fn i_35_a_clean_up_that_goes_by_the_colour_in_its_record_is_caught() {
    let faults = [Fault::Stop, Fault::Freeze, Fault::Lost];
    is_caught(Planted::RecordedColour, Rule::NeverDeploysLive, |seed| {
        shape(seed, &[Plot::CleanedUp], &faults, "update")
    });
}

#[test]
fn i_13_a_smoke_test_that_is_kept_after_the_pods_changed_is_caught() {
    is_caught(Planted::SmokeKept, Rule::OnlyWhatWasMeant, |seed| {
        changed(seed, Demand::Smoke)
    });
}

#[test]
fn i_13_an_approval_that_is_kept_after_a_new_digest_is_caught() {
    is_caught(Planted::ApprovalKept, Rule::OnlyWhatWasMeant, |seed| {
        changed(seed, Demand::Approval)
    });
}

/// The worker stands still between the check and the first flip, for as long as a rollout takes.
fn changed(seed: u64, demand: Demand) -> Shape {
    let shape = shape(seed, &[Plot::Demanding(demand)], &[Fault::Stop], "hold");
    Shape {
        aimed: shape.aimed.map(|aimed| Aimed {
            after: aimed.after % 3,
            ..aimed
        }),
        ..shape
    }
}

#[test]
fn i_5_a_cutover_that_holds_no_autoscaler_is_caught() {
    is_caught(Planted::NotHeld, Rule::CapacityIsHeld, |seed| {
        shape(seed, &[Plot::Alone], &[], "")
    });
}

#[test]
fn i_9_a_gate_that_passes_on_nan_is_caught() {
    is_caught(Planted::NanPasses, Rule::GatesAreClosed, |seed| {
        shape(seed, &[Plot::Blind], &[], "")
    });
}

/// A release on whose way nobody comes between.
fn released(seed: u64, meets: Meets, faults: &[Fault], stage: &'static str) -> Shape {
    Shape {
        meets,
        ..shape(seed, &[Plot::Released], faults, stage)
    }
}

#[test]
fn i_5_a_release_that_holds_no_autoscaler_is_caught() {
    is_caught(Planted::NotHeld, Rule::CapacityIsHeld, |seed| {
        released(seed, Meets::default(), &[], "")
    });
}

#[test]
fn i_9_a_release_that_passes_on_nan_is_caught() {
    let meets = Meets {
        has_sky: true,
        ..Meets::default()
    };
    let shape = |seed| released(seed, meets, &[], "");
    // One in which nothing else is said when the deploy is done.
    let is_blind = |seed: &u64| {
        let sky = Sky::of(*seed, &shape(*seed));
        sky.is_some_and(|sky| sky.has_said(Says::Nan, 40_000, 35_000))
    };
    let seed = (1..).find(is_blind).unwrap();
    let broken = play(seed, shape(seed), Some(Planted::NanPasses)).broken;
    let is_it = |(rule, _): &(Rule, String)| *rule == Rule::GatesAreClosed;
    assert!(broken.iter().any(is_it), "seed {seed}: {broken:?}");
    assert_eq!(play(seed, shape(seed), None).broken, [], "seed {seed}");
}
