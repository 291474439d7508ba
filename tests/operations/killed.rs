//! kill -9 at every write of a clean-up and of a smoke test: before it left, with its answer under way, and with
//! the write itself under way until somebody else has gone on. (Of a cutover and a rollback, on the real control plane:
//! tests/real/operations/killed.rs.)

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::Bench;
use crate::operator::{Operator, PATIENT, SERVICES, Said, wait};
use crate::relay::{Asked, Fate, Trap};

const CLEANUP: [&str; 6] = [
    "cleanup",
    "production",
    "--write",
    "--yes",
    "--reason",
    "over",
];
/// Brings up again what was cleaned up.
const SAME: [&str; 7] = [
    "deploy",
    "production",
    "--write",
    "--yes",
    "--reason",
    "back",
    "--same",
];
const SMOKE: [&str; 3] = ["smoke", "production", "--yes"];

/// How the write met the death of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// It never arrives.
    Before,
    /// It was done; nobody heard of it.
    After,
    /// It arrives when somebody else has gone on.
    Late,
}

/// A write that comes whenever the operation is carried out: questions change nothing, a Lease is renewed as
/// often as time passes, and records of long ago are tidied away now and then.
fn is_act(asked: &Asked) -> bool {
    let is_renewal =
        asked.path.contains("/leases") && asked.body.contains("wheelhouse.dev/watched");
    let is_question = asked.path.ends_with("/selfsubjectaccessreviews");
    asked.is_write() && asked.method != "DELETE" && !is_renewal && !is_question
}

/// Two people, one of whom will not live long.
struct Play {
    bench: Bench,
    erin: Operator,
}

impl Play {
    fn new() -> Self {
        let bench = Bench::ready();
        let kubeconfig = bench.served.home.path().join("admin.kubeconfig");
        // Nobody waits for erin's Lease, and a busy machine must not cost her it.
        let erin = Operator::new(&kubeconfig, "production", "production", PATIENT);
        let play = Self { bench, erin };
        // A program that leaves a line each time that it is started.
        let begun = play.begun();
        let smoke = format!(
            "[[environment.smoke]]\ncommand = [\"sh\", \"-c\", \"echo x >> {}\"]\n[operations]\n",
            begun.display()
        );
        for who in [&play.bench.dave, &play.erin] {
            who.edit("[operations]\n", &smoke);
            who.edit(
                "[environment.traffic]",
                "[environment.gates]\nsmoke = true\n[environment.traffic]",
            );
        }
        play
    }

    fn begun(&self) -> std::path::PathBuf {
        self.bench.served.home.path().join("begun")
    }

    fn programs_begun(&self) -> usize {
        let text = std::fs::read_to_string(self.begun()).unwrap_or_default();
        text.lines().count()
    }

    /// The operations that have a record.
    fn operations(&self) -> Vec<String> {
        let records = "/api/v1/namespaces/production/configmaps?labelSelector=wheelhouse.dev%2Frecord%3Doperation";
        let items = self.bench.ask("GET", records, None)["items"].clone();
        let items = items.as_array().unwrap().iter();
        let names = items.map(|it| it["metadata"]["name"].as_str().unwrap());
        names
            .map(|name| name.strip_prefix("wheelhouse-").unwrap().to_owned())
            .collect()
    }

    /// Kills dave's worker at its write number `nth`; what was held, where it arrives late.
    ///
    /// None where there is no such write: one of those that were counted had been repeated.
    fn kill(&self, args: &[&str], nth: usize, death: Death, what: &str) -> Option<Option<Trap>> {
        let fate = match death {
            Death::Before | Death::Late => Fate::HeldBefore,
            Death::After => Fate::HeldAfter,
        };
        let trap = self.bench.dave.relay.trap(fate, nth, is_act);
        let launcher = self.bench.dave.start(&[args, &["--detach"]].concat());
        let is_over = || {
            let is_done = |id: &String| self.erin.story(id).contains("  done: ");
            self.bench.dave.worker().is_none() && self.operations().iter().any(is_done)
        };
        if !trap.wait_unless(what, is_over) {
            trap.let_go();
            launcher.end();
            return None;
        }
        self.bench.dave.kill_worker();
        launcher.end();
        Some((death == Death::Late).then_some(trap))
    }

    /// As often as the dead one's Lease is in the way.
    fn erin_ends(&self, args: &[&str], what: &str) -> Said {
        wait(what, || {
            let said = self.erin.run(args);
            let is_held = said.code == 6 && said.err.contains("is held by");
            (!is_held).then_some(said)
        })
    }

    /// What was under way all the while arrives. A record that does says of an operation that it is open, and somebody
    /// has to end it.
    fn arrive(&self, trap: Option<Trap>, what: &str) {
        let Some(trap) = trap else { return };
        trap.let_go();
        wait("its answer", || {
            let asked = self.bench.dave.relay.asked();
            let late = asked.into_iter().rev().find(is_act)?;
            (late.status != 0).then_some(())
        });
        for id in self.operations() {
            let abandon = ["op", "abandon", &id, "--reason", "it came late"];
            let said = self.erin.run(&abandon);
            let is_ended = said.code == 0 || said.err.contains("is over: ");
            assert!(is_ended, "{what}: {said}");
        }
    }

    fn generations(&self) -> [Value; 4] {
        let of = |name: &str| {
            let name = format!("digital-wall-{name}");
            self.bench.deployment("production", &name)["metadata"]["generation"].clone()
        };
        [
            "green-frontend",
            "green-backend",
            "blue-frontend",
            "blue-backend",
        ]
        .map(of)
    }

    fn assert_free(&self, what: &str) {
        for service in SERVICES {
            let path = format!(
                "/apis/coordination.k8s.io/v1/namespaces/production/leases/wheelhouse-service-{service}"
            );
            let holder = &self.bench.ask("GET", &path, None)["spec"]["holderIdentity"];
            assert!(
                holder.is_null() || *holder == json!(""),
                "{what}: {service} is held by {holder}"
            );
        }
    }
}

/// The writes that an operation comes to on a new estate, from its first Lease to the last one that is given back.
fn writes(args: &[&str]) -> Vec<Asked> {
    let play = Play::new();
    play.bench.dave.run(args).assert(0, &["done"]);
    let asked = play.bench.dave.relay.asked().into_iter();
    asked.filter(is_act).collect()
}

/// Each death at each write that changes a Deployment, and one after the other at the other writes; with KILLS=all each
/// at each. `judge` kills one, has somebody else go on, and looks at what came of it; false where it
/// was not killed.
fn every_write(args: &[&str], judge: impl Fn(&Play, usize, Death, &str) -> bool + Sync) {
    let is_all = std::env::var("KILLS").is_ok_and(|it| it == "all");
    let deaths = [Death::Before, Death::After, Death::Late];
    let (writes, mut kills) = (writes(args), Vec::new());
    for (place, write) in writes.iter().enumerate() {
        let those = match is_all || write.is_update() {
            true => &deaths[..],
            false => &deaths[place % 3..][..1],
        };
        kills.extend(those.iter().map(|death| (place + 1, *death)));
    }
    assert!(kills.len() > 5, "{kills:?}");
    let (turn, missed) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((nth, death)) = kills.get(turn.fetch_add(1, Ordering::Relaxed)) {
                    let what = format!("{} killed at write {nth} ({death:?})", args[0]);
                    if !judge(&Play::new(), *nth, *death, &what) {
                        missed.lock().unwrap().push(*nth);
                    }
                }
            });
        }
    });
    // Evidence of several moments goes into one write of the record, or one is repeated: a play comes to a write or two
    // more than another.
    let missed = missed.into_inner().unwrap();
    assert!(
        missed.iter().all(|nth| nth + 2 > writes.len()),
        "of {} writes that were counted these did not come: {missed:?}",
        writes.len()
    );
}

#[test]
fn p02_a_clean_up_killed_at_any_write_is_gone_on_with_and_patches_each_deployment_once() {
    every_write(&CLEANUP, |play, nth, death, what| {
        let [frontend, backend, blue @ ..] = play.generations();
        let Some(held) = play.kill(&CLEANUP, nth, death, what) else {
            return false;
        };
        let id = play.operations().pop();
        let is_over = (id.as_ref()).is_some_and(|id| play.erin.story(id).contains("  done: "));
        let said = match &id {
            Some(id) if !is_over => play.erin_ends(&["op", "adopt", id], what),
            Some(_) | None => play.erin_ends(&CLEANUP, what),
        };
        match is_over {
            false => said.assert(0, &["done: GREEN is at 0"]),
            true => said.assert(2, &["GREEN is at 0 already"]),
        }
        play.arrive(held, what);
        let once = |before: &Value| json!(before.as_i64().unwrap() + 1);
        let [after @ .., blue_frontend, blue_backend] = play.generations();
        assert_eq!(after, [once(&frontend), once(&backend)], "{what}");
        assert_eq!([blue_frontend, blue_backend], blue, "{what}");
        assert_eq!(play.bench.runs("green").map(|it| it.1), [0, 0], "{what}");
        assert_eq!(play.bench.colours(), ["blue", "blue"], "{what}");
        // Killed between its end and the release: the next one need not wait for anybody's word.
        if is_over {
            play.erin_ends(&SAME, what).assert(0, &["done: GREEN runs"]);
        }
        play.assert_free(what);
        true
    });
}

#[test]
fn p02_i_7_a_smoke_test_killed_at_any_write_changes_nothing_is_no_pass_and_another_can_be_run() {
    every_write(&SMOKE, |play, nth, death, what| {
        let before = play.generations();
        let Some(held) = play.kill(&SMOKE, nth, death, what) else {
            return false;
        };
        if let Some(id) = play.operations().pop() {
            let story = play.erin.story(&id);
            let (was_begun, is_over) = (story.contains("smoke …"), story.contains("  done: "));
            let programs = play.programs_begun();
            if !is_over {
                let said = play.erin_ends(&["op", "adopt", &id], what);
                // Begun and without a result it is no pass, and its program is not started again.
                if was_begun {
                    let cut = "a test that was cut short is no pass";
                    assert!(said.code == 1 && said.err.contains(cut), "{what}: {said}");
                    assert_eq!(play.programs_begun(), programs, "{what}");
                    let plan = play.erin.run(&["cutover", "production", "--plan"]);
                    assert_eq!(plan.code, 5, "{what}: {plan}");
                } else {
                    assert_eq!(said.code, 0, "{what}: {said}");
                }
            }
        }
        play.arrive(held, what);
        let again = play.erin_ends(&SMOKE, what);
        assert!(
            again.code == 0 && again.err.contains("done: GREEN passed its smoke test"),
            "{what}: {again}"
        );
        play.erin
            .run(&["cutover", "production", "--plan"])
            .assert(0, &["OK       smoke"]);
        assert_eq!(play.generations(), before, "{what}");
        assert_eq!(play.bench.colours(), ["blue", "blue"], "{what}");
        play.assert_free(what);
        true
    });
}
