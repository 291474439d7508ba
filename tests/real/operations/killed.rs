//! kill -9 at every write of an operation: before it left, with its answer under way, and with the write
//! itself under way until somebody else has gone on. One act, whatever was killed, and a way on.

use super::Stage;
use super::release::tested;
use crate::operator::{CUTOVER, Operator, PATIENT, QUICK, ROLLBACK, SERVICES, Said, wait};
use crate::relay::{Asked, Fate, Trap};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

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

/// A death at one of the writes that were counted: by its shape, and which of those of that shape it is, from 1. A write that
/// is repeated under load moves none of another shape.
#[derive(Clone, Debug)]
struct Kill {
    write: String,
    nth: usize,
    death: Death,
}

impl std::fmt::Display for Kill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} no. {} ({:?})", self.write, self.nth, self.death)
    }
}

/// One more second of watching for each of some fifty operations is a minute.
fn brief() -> String {
    QUICK.replace("watch = 2", "watch = 0")
}

/// A write that is an operation's and comes whenever it is carried out: the question what one may do changes
/// nothing, a Lease is renewed as often as time passes, and records of long ago are tidied away now and then.
fn is_act(asked: &Asked) -> bool {
    let is_renewal =
        asked.path.contains("/leases") && asked.body.contains("wheelhouse.dev/watched");
    let is_question = asked.path.ends_with("/selfsubjectaccessreviews");
    asked.is_write() && asked.method != "DELETE" && !is_renewal && !is_question
}

/// Two people on a stage, one of whom will not live long.
struct Play {
    stage: Stage<'static>,
    dave: Operator,
    erin: Operator,
}

impl Play {
    fn new(namespace: &'static str) -> Self {
        let stage = Stage::new(namespace);
        stage.shrinking_autoscalers();
        let dave = stage.operator_with("dave", &brief());
        // Nobody waits for erin's Lease, and a busy machine must not cost her it.
        let erin = stage.operator_with("erin", &PATIENT.replace("watch = 2", "watch = 0"));
        Self { stage, dave, erin }
    }

    /// The writes that an operation comes to, from its first Lease to the last one that is given back.
    fn writes(&self, args: &[&str]) -> Vec<Asked> {
        let before = self.dave.relay.count(is_act);
        self.dave.run(args).assert(0, &["done"]);
        let asked = self.dave.relay.asked().into_iter();
        asked.filter(is_act).skip(before).collect()
    }

    /// Kills dave's worker at that write; what was held, where it arrives late. None where there is no such write: one of
    /// those that were counted had been repeated.
    fn strike(
        &self,
        args: &[&str],
        kill: &Kill,
        known: &[String],
        what: &str,
    ) -> Option<Option<Trap>> {
        let fate = match kill.death {
            Death::Before | Death::Late => Fate::HeldBefore,
            Death::After => Fate::HeldAfter,
        };
        let write = kill.write.clone();
        let is_it = move |asked: &Asked| is_act(asked) && asked.shape() == write;
        let trap = self.dave.relay.trap(fate, kill.nth, is_it);
        let launcher = self.dave.start(&[args, &["--detach"]].concat());
        let is_done = |id: &String| !known.contains(id) && self.erin.story(id).contains("  done: ");
        let new = |id: &String| !known.contains(id);
        let is_over = || {
            let is_alone = self.dave.worker().is_none();
            let ended = self.stage.operations().into_iter().find(new);
            if let (true, Some(id)) = (is_alone, &ended) {
                let story = self.erin.story(id);
                assert!(is_done(id), "{what}: it ended otherwise\n{story}");
            }
            is_alone && ended.is_some()
        };
        if !trap.wait_unless(what, is_over) {
            trap.let_go();
            launcher.end();
            return None;
        }
        self.dave.kill_worker();
        launcher.end();
        Some((kill.death == Death::Late).then_some(trap))
    }

    /// Kills dave's worker at that write, has erin go on, and looks at what came of it. False where there is no such write:
    /// one of those that were counted had been repeated.
    fn kill(&self, args: &[&str], to: &str, kill: &Kill) -> bool {
        let what = format!("{} killed at {kill}", args[0]);
        let before = SERVICES.map(|it| self.stage.flips(it).len());
        let known = self.stage.operations();
        let Some(held) = self.strike(args, kill, &known, &what) else {
            return false;
        };
        let new = |it: &String| !known.contains(it);
        let id = self.stage.operations().into_iter().find(new);
        let by = match &id {
            Some(id) => self.go_on(id, args, &what),
            None => self.begin_anew(args, &what),
        };
        if let Some(trap) = held {
            self.arrive(trap, &known, &by, &what);
        }
        self.assert_flipped_once(to, before, &by, &what);
        for service in SERVICES {
            assert_eq!(self.stage.lease(service).unwrap().0, "", "{what}");
        }
        self.stage.assert_autoscalers_restored(&what);
        true
    }

    /// Traffic is at that colour by one flip of each Service, and it was that operation's.
    fn assert_flipped_once(&self, to: &str, before: [usize; 2], by: &str, what: &str) {
        self.stage.await_live(to);
        for (service, before) in SERVICES.iter().zip(before) {
            let flips = self.stage.flips_to(service, by);
            assert_eq!(flips.len() - before, 1, "{what}: {flips:?}");
        }
    }

    /// The record is there: adopted, or over already. Returns whose flips there are.
    fn go_on(&self, id: &str, args: &[&str], what: &str) -> String {
        let story = self.erin.story(id);
        if story.contains("  done: ") {
            // Killed between its end and the release: the next operation must not wait for anybody.
            self.next_one_passes(args, what);
            return id.to_owned();
        }
        self.erin
            .run(&["op", "list"])
            .assert(0, &[&format!("{id}  ")]);
        let adopted = self.erin.run(&["op", "adopt", id]);
        assert!(
            adopted.code == 0 && adopted.err.contains("done: "),
            "{what}: {adopted}"
        );
        id.to_owned()
    }

    /// There is no record: whoever comes next waits for the Lease's end at most.
    fn begin_anew(&self, args: &[&str], what: &str) -> String {
        self.until_done(args, what).id()
    }

    fn until_done(&self, args: &[&str], what: &str) -> Said {
        wait(what, || {
            let said = self.erin.run(args);
            let is_held = said.code == 6 && said.err.contains("is held by");
            assert!(said.code == 0 || is_held, "{what}: {said}");
            (said.code == 0).then_some(said)
        })
    }

    /// A cutover to what is live already is checked, takes the Leases, and flips nothing.
    fn next_one_passes(&self, args: &[&str], what: &str) {
        let to = if args[0] == "cutover" {
            "green"
        } else {
            "blue"
        };
        let again = [&CUTOVER[..], &["--to", to]].concat();
        let said = self.until_done(&again, what);
        assert!(
            said.err.contains("live on") && said.err.contains("already"),
            "{what}: {said}"
        );
    }

    /// What was under way all the while arrives, and changes nothing.
    fn arrive(&self, trap: Trap, known: &[String], by: &str, what: &str) {
        let late = self.dave.relay.asked().into_iter().rev();
        let late = late
            .filter(|it| is_act(it) && it.status == 0)
            .collect::<Vec<_>>();
        trap.let_go();
        let is_answered = || {
            let asked = self.dave.relay.asked();
            let found = asked.into_iter().rev().find(is_act)?;
            (found.status != 0).then_some(found.status)
        };
        let status = wait("its answer", is_answered);
        let is_flip = late.iter().any(Asked::is_flip);
        assert!(!is_flip || status == 422, "{what}: it flipped, {status}");
        // A record that arrives late says of an operation that it is open: nobody holds its Lease.
        let open = self.stage.operations().into_iter();
        for id in open.filter(|it| !known.contains(it) && it != by) {
            let said = self
                .erin
                .run(&["op", "abandon", &id, "--reason", "it came late"]);
            assert!(
                said.code == 0 || said.err.contains("is over: "),
                "{what}: {said}"
            );
        }
    }
}

/// Each death at each flip, and one after the other at the other writes; with KILLS=all each at each.
fn kills(writes: &[Asked]) -> Vec<Kill> {
    let is_all = std::env::var("KILLS").is_ok_and(|it| it == "all");
    let deaths = [Death::Before, Death::After, Death::Late];
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut kills = Vec::new();
    for (place, asked) in writes.iter().enumerate() {
        let write = asked.shape();
        let nth = seen.entry(write.clone()).or_default();
        *nth += 1;
        let those = match is_all || asked.is_flip() {
            true => &deaths[..],
            false => &deaths[place % 3..][..1],
        };
        kills.extend(those.iter().map(|&death| Kill {
            write: write.clone(),
            nth: *nth,
            death,
        }));
    }
    kills
}

/// Whether the deaths met at `least` so many writes. How often the record is written is the machine's pace, and a write may
/// have been repeated in the play that was counted: such a one may not come again, the first of its shape does.
fn assert_met(kills: Option<Vec<Kill>>, missed: &[Kill], least: usize) {
    let kills = kills.unwrap_or_default();
    let met = kills.len() - missed.len();
    assert!(met >= least, "only {met} of the deaths came: {kills:?}");
    let lacks: Vec<&Kill> = missed.iter().filter(|it| it.nth == 1).collect();
    assert!(lacks.is_empty(), "never came: {lacks:?} of {kills:?}");
}

/// Every write of an operation, each death, spread over several stages. Where it `is_first`, somebody tidied
/// the Leases away before it: it makes them, and fences all that it may touch. At `least` so many deaths.
fn every_write(
    stages: &[&'static str],
    args: &'static [&'static str],
    is_first: bool,
    least: usize,
) {
    let is_cutover = args[0] == "cutover";
    let (to, back): (_, &[&str]) = match is_cutover {
        true => ("green", &ROLLBACK),
        false => ("blue", &CUTOVER),
    };
    let (turn, missed, counted) = (AtomicUsize::new(0), Mutex::new(vec![]), OnceLock::new());
    std::thread::scope(|scope| {
        for namespace in stages {
            let (turn, missed, counted) = (&turn, &missed, &counted);
            scope.spawn(move || {
                let play = Play::new(namespace);
                let prepare = || {
                    play.erin.run(back).assert(0, &["done"]);
                    if is_first {
                        for service in SERVICES {
                            play.stage.delete_lease(service);
                        }
                    }
                };
                play.erin.run(&CUTOVER).assert(0, &["done"]);
                if is_cutover {
                    prepare();
                }
                let mut writes = play.writes(args);
                let flips = writes.iter().filter(|it| it.is_flip()).count();
                assert!(flips >= SERVICES.len(), "{writes:?}");
                if is_first {
                    // What comes behind the fence is as ever.
                    let flip = writes.iter().position(Asked::is_flip).unwrap();
                    writes.truncate(flip);
                }
                // One list for all of them.
                let kills = counted.get_or_init(|| kills(&writes));
                loop {
                    prepare();
                    let Some(kill) = kills.get(turn.fetch_add(1, Ordering::Relaxed)) else {
                        break;
                    };
                    if !play.kill(args, to, kill) {
                        missed.lock().unwrap().push(kill.clone());
                    }
                }
            });
        }
    });
    assert_met(counted.into_inner(), &missed.into_inner().unwrap(), least);
}

#[test]
fn p02_a_cutover_killed_at_any_write_is_gone_on_with_and_no_act_is_done_twice() {
    every_write(
        &[
            "ops-killed-1",
            "ops-killed-2",
            "ops-killed-3",
            "ops-killed-4",
        ],
        &CUTOVER,
        false,
        12,
    );
}

#[test]
fn p02_a_rollback_killed_at_any_write_is_gone_on_with_and_no_act_is_done_twice() {
    every_write(&["ops-killed-5", "ops-killed-6"], &ROLLBACK, false, 8);
}

#[test]
fn p02_a_first_cutover_killed_while_it_fences_is_gone_on_with() {
    every_write(&["ops-killed-7", "ops-killed-8"], &CUTOVER, true, 8);
}

/// Deaths of a release at the least.
const LEAST: usize = 24;

/// A release of that tag.
fn release(tag: &str) -> [String; 8] {
    let image = format!(":{tag}");
    let words = [
        "release",
        "production",
        "--write",
        "--yes",
        "--reason",
        "due",
    ];
    let mut all = words.into_iter().chain(["--image", &image]);
    std::array::from_fn(|_| all.next().unwrap_or_default().to_owned())
}

impl Play {
    /// Kills dave's worker at that write of a release to `to`, has erin go on, and looks at what came of it. False where there
    /// is no such write.
    fn kill_release(&self, tag: &str, to: &str, kill: &Kill) -> bool {
        let what = format!("release {tag} killed at {kill}");
        let words = release(tag);
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        let live = self.stage.colours();
        let known = self.stage.operations();
        let before = SERVICES.map(|it| self.stage.flips(it).len());
        let revisions = self.stage.revisions(to);
        let Some(held) = self.strike(&args, kill, &known, &what) else {
            return false;
        };
        let new = |it: &String| !known.contains(it);
        let id = self.stage.operations().into_iter().find(new);
        let mut by = String::new();
        if let Some(id) = id {
            let story = self.erin.story(&id);
            let is_cut = story.contains("smoke …") && !story.contains("smoke done");
            let is_over = story.contains("  done: ");
            let said = (!is_over).then(|| self.erin.run(&["op", "adopt", &id]));
            match (said, is_cut) {
                // I-7: nobody knows what it would have said, and nothing was flipped.
                (Some(said), true) => {
                    let cut = "a test that was cut short is no pass";
                    assert!(said.code == 1 && said.err.contains(cut), "{what}: {said}");
                    assert_eq!(self.stage.colours(), live, "{what}");
                }
                (Some(said), false) => {
                    assert!(
                        said.code == 0 && said.err.contains("done: "),
                        "{what}: {said}"
                    );
                    by = id;
                }
                (None, _) => {
                    // Killed between its end and the release: the next one must not wait for anybody's word.
                    let again = [&CUTOVER[..], &["--to", to]].concat();
                    self.until_done(&again, &what);
                    by = id;
                }
            }
        }
        if by.is_empty() {
            by = self.until_done(&args, &what).id();
        }
        if let Some(trap) = held {
            self.arrive(trap, &known, &by, &what);
        }
        self.assert_flipped_once(to, before, &by, &what);
        // Each Deployment rolled out once: a release that begins anew finds the images there.
        assert_eq!(
            self.stage.revisions(to),
            revisions.map(|it| it + 1),
            "{what}"
        );
        let images = self.stage.images(to);
        assert!(
            images.iter().all(|it| it.ends_with(tag)),
            "{what}: {images:?}"
        );
        self.stage.assert_autoscalers_restored(&what);
        true
    }
}

#[test]
fn p02_a_release_killed_at_any_write_is_gone_on_with_and_no_act_is_done_twice() {
    let stages = ["ops-killed-9", "ops-killed-10", "ops-killed-11"];
    let (turn, missed, counted) = (AtomicUsize::new(0), Mutex::new(vec![]), OnceLock::new());
    std::thread::scope(|scope| {
        for namespace in stages {
            let (turn, missed, counted) = (&turn, &missed, &counted);
            scope.spawn(move || {
                let play = Play::new(namespace);
                for who in [&play.dave, &play.erin] {
                    tested(who);
                }
                // The first release of a stage fences all that it may touch: those behind it do not.
                let counts = |tag: &str| {
                    let words = release(tag);
                    let args: Vec<&str> = words.iter().map(String::as_str).collect();
                    play.writes(&args)
                };
                counts("r0");
                let mut to = ["blue", "green"].into_iter().cycle();
                let kills = counted.get_or_init(|| {
                    to.next();
                    kills(&counts("c0"))
                });
                loop {
                    let place = turn.fetch_add(1, Ordering::Relaxed);
                    let Some(kill) = kills.get(place) else { break };
                    let (tag, to) = (format!("r{}", place + 1), to.next().unwrap_or_default());
                    if !play.kill_release(&tag, to, kill) {
                        missed.lock().unwrap().push(kill.clone());
                    }
                }
            });
        }
    });
    assert_met(counted.into_inner(), &missed.into_inner().unwrap(), LEAST);
}

#[test]
fn p02_an_operation_whose_worker_was_killed_is_shown_orphaned_with_its_step_and_can_be_ended_as_it_stands()
 {
    let stage = Stage::new("ops-orphaned");
    let (dave, erin) = (stage.operator("dave"), stage.operator("erin"));
    let trap = dave.relay.trap(Fate::HeldBefore, 2, Asked::is_flip);
    let id = dave.detach(&CUTOVER);
    trap.wait("the second flip");
    let watcher = erin.start(&["op", "watch", &id]);
    dave.kill_worker();

    wait("it to be orphaned", || {
        let said = erin.run(&["op", "list"]);
        let words = format!(
            "ORPHANED at flip digital-wall-api: nobody carries it out; `wheelhouse op adopt {id} --write`"
        );
        said.out.contains(&words).then_some(())
    });
    wait("whoever watches it to be told", || {
        watcher
            .complaints()
            .contains("ORPHANED at flip digital-wall-api")
            .then_some(())
    });
    // Another forward move is refused, and told what to do; a rollback would not be.
    let to_green = [&CUTOVER[..], &["--to", "green"]].concat();
    erin.run(&to_green).assert(
        6,
        &[
            "was left locked by",
            &id,
            "adopt it, abandon it, or roll back",
        ],
    );
    erin.run(&["op", "abandon", &id, "--reason", "by hand"])
        .assert(
            0,
            &["done and left so: check, hold, flip digital-wall-service"],
        );
    drop(trap);
    assert_eq!(stage.colours(), ["green", "blue"]);
    // Nothing is in the way any more: half a flip is made whole, or taken back.
    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    assert_eq!(watcher.end().code, 1);
}

#[test]
fn p01_whoever_started_a_worker_may_be_killed_at_any_time() {
    let stage = Stage::new("ops-ui-killed");
    let dave = stage.operator("dave");
    // Before the confirmation reached it, nothing happens at all.
    let trap = dave
        .relay
        .trap(Fate::HeldBefore, 2, |it| it.path.ends_with("/deployments"));
    let launcher = dave.start(&[&CUTOVER[..], &["--detach"]].concat());
    trap.wait("the worker's first look");
    launcher.send(Signal::KILL);
    launcher.end();
    trap.let_go();
    dave.await_no_worker();
    assert_eq!(
        (stage.colours(), stage.operations()),
        (["blue", "blue"].map(String::from), vec![])
    );
    assert_eq!(stage.lease(SERVICES[0]), None);

    // After it, the worker goes on by itself: at the Lease, at the record, at the flip.
    let writes: [fn(&Asked) -> bool; 3] = [
        |it| it.is_write() && it.path.contains("/leases"),
        |it| it.is_write() && it.path.contains("/configmaps"),
        Asked::is_flip,
    ];
    for (place, is_it) in writes.into_iter().enumerate() {
        let trap = dave.relay.trap(Fate::HeldBefore, 1, is_it);
        let launcher = dave.start(&[&CUTOVER[..], &["--detach"]].concat());
        trap.wait("the write");
        let watcher = stage.operations().into_iter().nth(2 * place);
        let watcher = watcher.map(|id| dave.start(&["op", "watch", &id]));
        for screen in [Some(launcher), watcher].into_iter().flatten() {
            screen.send(Signal::KILL);
            screen.end();
        }
        trap.let_go();
        stage.await_live("green");
        dave.await_no_worker();
        let id = stage.operations().into_iter().next_back().unwrap();
        let story = dave.story(&id);
        assert!(story.contains("done: GREEN is live"), "{story}");
        dave.run(&ROLLBACK).assert(0, &["done"]);
    }
    for service in SERVICES {
        wait("its audit lines", || {
            (stage.flips(service).len() == 6).then_some(())
        });
    }
}

/// The times of everyday: what an operator has who sets none.
const EVERYDAY: &str =
    "[operations]\nlease = 60\nrenew = 10\ngive_up = 40\nmoved = 60\nwatch = 30\npatience = 600\n";

#[test]
#[ignore = "a Lease of 60 s takes its time: .ci/full"]
fn p02_with_the_times_of_everyday_nobody_takes_over_for_a_minute_and_then_somebody_does() {
    let stage = Stage::new("ops-everyday");
    let dave = stage.operator_with("dave", EVERYDAY);
    let erin = stage.operator_with("erin", EVERYDAY);
    let trap = dave.relay.trap(Fate::HeldBefore, 2, Asked::is_flip);
    let id = dave.detach(&CUTOVER);
    trap.wait("the second flip");
    dave.kill_worker();
    let killed = std::time::Instant::now();
    let orphaned = || erin.run(&["op", "list"]).out.contains("ORPHANED at flip");
    assert!(!orphaned(), "it was renewed a moment ago");
    // Half of it is moved: a cutover must name its colour.
    let named = [&CUTOVER[..], &["--to", "green"]].concat();
    erin.run(&named).assert(6, &["is held by"]);
    let limit = std::time::Duration::from_secs(90);
    while !orphaned() {
        assert!(killed.elapsed() < limit, "nobody is told");
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    // The last renewal was 10 s ago at the most when it died.
    assert!(killed.elapsed() > limit / 2, "{:?}", killed.elapsed());
    erin.run(&["op", "adopt", &id])
        .assert(0, &["done: GREEN is live"]);
    drop(trap);
    stage.await_live("green");
    for service in SERVICES {
        assert_eq!(stage.flips_to(service, &id).len(), 1);
    }
}
