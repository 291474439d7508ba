//! Releases on the real control plane, with real Prometheus and Alertmanager: one that goes through an approval by
//! another certificate while the live colour grows, and those that come back, hold, or stop before the flip.

use super::Stage;
use super::gates::{await_soak, watched};
use crate::fleet;
use crate::operator::{Operator, decide, wait};
use crate::plane::pods::Health;
use crate::relay::{Asked, Fate};

pub(super) const RELEASE: [&str; 8] = [
    "release",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v3 is due",
    "--image",
    ":v3",
];

/// Releases are tested by a program: kwok's pods answer no connection.
pub(super) fn tested(who: &Operator) {
    let smoke = "[[environment.smoke]]\ncommand = [\"sh\", \"-c\", \"exit 0\"]\n[operations]\n";
    who.edit("[operations]\n", smoke);
}

fn await_said(stage: &Stage<'_>, who: &Operator, words: &str) -> String {
    wait(words, || {
        // An approval stands among the records too.
        let mut all = stage.operations().into_iter();
        all.find(|id| who.story(id).contains(words))
    })
}

#[test]
fn i_5_i_48_a_release_goes_through_an_approval_and_waits_until_it_bears_what_the_live_colour_became()
 {
    let stage = Stage::new("ops-release");
    let (dave, judith) = (stage.operator("dave"), stage.approver("judith"));
    for who in [&dave, &judith] {
        tested(who);
        who.edit(
            "[environment.traffic]",
            "[environment.gates]\napproval = \"one other person\"\n[environment.traffic]",
        );
    }
    dave.edit("patience = 5", "patience = 60");
    let release = dave.start(&RELEASE);
    await_said(
        &stage,
        &dave,
        "WAITS: a cutover of production to GREEN waits for one other person",
    );
    assert_eq!(stage.colours(), ["blue", "blue"]);
    // The autoscaler of the live colour has a word meanwhile.
    stage.autoscale("blue", 4);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    decide(&judith, "approve", "production").assert(0, &["to GREEN is approved until"]);

    // That of GREEN is held at as many, brings them up, and the flip waits for it.
    release.end().assert(
        0,
        &[
            "approval by judith",
            "capacity frontend 3 for 4: held autoscalers bring up the rest before the flip",
            "hold done: minReplicas",
            "digital-wall-green-frontend at 4",
            "done: GREEN is live",
        ],
    );
    stage.await_live_with("green", 4);
    let images = stage.images("green");
    assert!(
        images.iter().all(|image| image.ends_with(":v3")),
        "{images:?}"
    );
}

#[test]
fn i_27_a_release_whose_errors_rise_in_the_soak_comes_back_by_itself() {
    let stage = Stage::new("ops-release-errors");
    let (erin, _monitoring, green) = watched(&stage, "erin", "soak = 60");
    tested(&erin);
    let release = erin.start(&RELEASE);
    await_soak(&stage, &erin);
    stage.await_live("green");

    green.falls_ill();

    release
        .end()
        .assert(8, &["watch FAILED: HighErrorRate fires: critical GREEN"]);
    stage.await_live("blue");
}

#[test]
fn i_23_a_release_whose_new_pods_crash_in_the_soak_comes_back_by_itself() {
    let stage = Stage::new("ops-release-crash");
    let dave = stage.operator("dave");
    tested(&dave);
    dave.edit("watch = 2", "watch = 30");
    let trap = dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":"watch""#)
    });
    let release = dave.start(&RELEASE);
    trap.wait("the watch");
    trap.let_go();
    fleet::colour_is(stage.plane, stage.namespace, "green", Health::Crashing);
    release
        .end()
        .assert(8, &["has no ready endpoint of GREEN left", "rolled back"]);
    stage.await_live("blue");
}

#[test]
fn i_25_a_prometheus_that_is_killed_in_the_soak_of_a_release_holds_and_never_moves_traffic() {
    let stage = Stage::new("ops-release-blind");
    let (mara, mut monitoring, _green) = watched(&stage, "mara", "soak = 8");
    tested(&mara);
    let release = mara.start(&RELEASE);
    let id = await_soak(&stage, &mara);
    monitoring.kill_prometheus();
    wait("the call", || {
        mara.story(&id).contains("PAUSED: UNKNOWN").then_some(())
    });
    assert_eq!(stage.colours(), ["green", "green"]);
    monitoring.start_prometheus();
    release.end().assert(0, &["goes on", "done: GREEN is live"]);
}

#[test]
fn i_44_a_freeze_by_another_operator_in_mid_release_stops_it_before_the_flip() {
    let stage = Stage::new("ops-release-freeze");
    let (dave, mona) = (stage.operator("dave"), stage.manager("mona"));
    tested(&dave);
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    let release = dave.start(&RELEASE);
    trap.wait("the first patch of a Deployment");
    let freeze = [
        "freeze",
        "production",
        "--write",
        "--yes",
        "--reason",
        "sale",
    ];
    mona.run(&freeze).assert(0, &[]);
    trap.let_go();
    release.end().assert(
        1,
        &["plan FAILED: waited long enough: freeze: frozen by mona"],
    );
    assert_eq!(stage.colours(), ["blue", "blue"]);
    stage.await_live("blue");
}
