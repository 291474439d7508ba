//! Records that somebody edited, deleted, or wrote with a newer version; journals that are torn.

use serde_json::json;

use crate::Bench;
use crate::operator::{CUTOVER, ROLLBACK, wait};
use crate::relay::{Asked, Fate};

/// An operation whose worker is dead before its first flip.
pub fn orphan(bench: &Bench) -> String {
    orphan_at(bench, &CUTOVER, Asked::is_flip)
}

/// The operation of `args`, whose worker is dead before the first request that `is_it`, which never arrives.
pub fn orphan_at(bench: &Bench, args: &[&str], is_it: fn(&Asked) -> bool) -> String {
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, is_it);
    let id = bench.dave.detach(args);
    trap.wait("what its worker dies at");
    bench.dave.kill_worker();
    id
}

#[test]
fn p10_a_record_of_a_newer_version_is_shown_and_never_acted_on() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    bench.ask(
        "PATCH",
        &Bench::record_path(&id),
        Some(&json!({"data": {"schema": "2"}})),
    );
    let words = ["is of version 2; this program knows 1: use a newer one"];
    bench.dave.run(&["op", "adopt", &id]).assert(3, &words);
    bench.dave.run(&["op", "list"]).assert(0, &words);
    bench
        .dave
        .run(&["op", "abandon", &id, "--reason", "x"])
        .assert(3, &words);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn p06_a_record_that_was_edited_or_is_too_large_is_told_and_not_believed() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    let path = Bench::record_path(&id);
    let whole = bench.ask("GET", &path, None)["data"]["entries"]
        .as_str()
        .unwrap()
        .to_owned();
    let edited = |entries: &str| {
        bench.ask("PATCH", &path, Some(&json!({"data": {"entries": entries}})));
        bench.dave.run(&["op", "show", &id])
    };
    // A line that is torn is passed over and counted.
    let last = whole.rfind('\n').unwrap() + 9;
    edited(&whole[..last]).assert(0, &["1 lines of the record could not be read"]);
    edited("so long").assert(3, &["holds no plan that can be read: it was edited"]);
    edited(&"x".repeat(300 << 10)).assert(
        3,
        &["bytes, more than 262144: it was not written by Wheelhouse"],
    );
    // Put back, it is what it was.
    edited(&whole).assert(0, &["at flip digital-wall-service"]);
    bench
        .dave
        .run(&["op", "adopt", &id])
        .assert(0, &["done: GREEN is live"]);
}

#[test]
fn p06_a_record_that_cannot_be_read_keeps_nobody_out_for_ever_and_hides_no_open_operation() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    let edited = json!({"data": {"entries": "so long"}});
    bench.ask("PATCH", &Bench::record_path(&id), Some(&edited));
    // Its Lease ran out: whoever is refused is told what to do.
    let way_on = format!("delete it: `kubectl delete configmap wheelhouse-{id}`");
    let said = wait("the end of its Lease", || {
        let run = bench.dave.run(&CUTOVER);
        run.err.contains("was left locked").then_some(run)
    });
    said.assert(6, &["holds no plan that can be read", &way_on]);
    // Its Lease was given back: what it was about nobody can tell.
    for service in ["service", "api"] {
        let path = format!(
            "/apis/coordination.k8s.io/v1/namespaces/production/leases/wheelhouse-service-digital-wall-{service}"
        );
        let free = json!({"spec": {"holderIdentity": ""}});
        bench.ask("PATCH", &path, Some(&free));
    }
    let words = ["whether an operation is under way is not known", &way_on];
    bench.dave.run(&CUTOVER).assert(3, &words);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    bench.ask("DELETE", &Bench::record_path(&id), None);
    bench.dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn o06_a_second_rollback_is_refused_however_long_the_reason_of_the_first_was() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let why = "because ".repeat(480);
    let back = [&ROLLBACK[..], &["--reason", &why]].concat();
    dave.run(&back).assert(0, &["done: BLUE is live"]);
    dave.run(&ROLLBACK).assert(2, &["rolled back to BLUE"]);
    let flip =
        bench.service("digital-wall-service")["metadata"]["annotations"]["wheelhouse.dev/flip"]
            .clone();
    assert!(
        flip.as_str().unwrap().contains("characters more)"),
        "{flip}"
    );
}

#[test]
fn k17_a_record_that_was_deleted_leaves_a_rollback_and_a_new_beginning() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    bench.ask("DELETE", &Bench::record_path(&id), None);
    bench
        .dave
        .run(&["op", "adopt", &id])
        .assert(2, &["there is no operation", &id]);
    wait("a new beginning", || {
        (bench.dave.run(&CUTOVER).code == 0).then_some(())
    });
    bench.dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
}

#[test]
fn i_24_the_way_back_waits_for_no_service_that_was_deleted() {
    let bench = Bench::ready();
    bench.dave.run(&CUTOVER).assert(0, &["GREEN is live"]);
    let path = "/api/v1/namespaces/production/services/digital-wall-api";
    bench.ask("DELETE", path, None);
    bench.dave.run(&CUTOVER).assert(2, &["create it"]);
    bench
        .dave
        .run(&ROLLBACK)
        .assert(0, &["done: BLUE is live on digital-wall-service"]);
    let selector = &bench.service("digital-wall-service")["spec"]["selector"];
    assert_eq!(selector["version"], "blue");
}

#[test]
fn i_32_an_abort_is_heard_by_whoever_adopts_and_nothing_was_done() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    let asked = bench
        .dave
        .run(&["op", "abort", &id, "--reason", "wrong build"]);
    // Whether its Lease ran out already.
    let code = if asked.out.contains("ORPHANED") { 7 } else { 0 };
    asked.assert(code, &["asked; it is"]);
    bench
        .dave
        .run(&["op", "adopt", &id])
        .assert(1, &["it is not tried again on the way back", "wrong build"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(
        bench.dave.relay.count(Asked::is_flip),
        1,
        "the one that never arrived"
    );
}

#[test]
fn an_abort_that_nobody_reads_says_so_and_the_way_on_works_as_it_is_printed() {
    let bench = Bench::new();
    bench
        .dave
        .run(&["op", "list"])
        .assert(0, &["no operations"]);
    wait("a plan", || {
        let plan = bench.dave.run(&["cutover", "production", "--plan"]);
        (plan.code == 0).then_some(())
    });
    let id = orphan(&bench);
    let dave = &bench.dave;
    let listed = wait("the Lease to run out", || {
        let listed = dave.run(&["op", "list"]);
        listed.out.contains("ORPHANED at flip").then_some(listed)
    });
    // Since when it is under way, beside its id.
    let since = listed.out.split(&id).nth(1).unwrap();
    assert!(
        since.starts_with("  20") && since.contains("Z  cut over"),
        "{since}"
    );

    // Somebody's wish, however often, is no sign of life of its worker.
    wait("the screen's word", || {
        dave.run(&["op", "abort", &id, "--reason", "wrong build"])
            .assert(7, &["asked; it is ORPHANED", "before somebody adopts it"]);
        let status = dave.run(&["status", "production"]);
        status.out.contains("ORPHANED").then_some(())
    });

    let (_, way) = listed.out.split_once("`wheelhouse ").unwrap();
    let way: Vec<&str> = way.split_once('`').unwrap().0.split(' ').collect();
    dave.run_bare(&way)
        .assert(1, &["aborted by demo-operator", "nothing to give back"]);
}

#[test]
fn a_cluster_that_does_not_answer_keeps_nobody_from_an_operation_elsewhere() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let id = orphan(&bench);
    // It takes the connection and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let kubeconfig = std::fs::read_to_string(dave.home.path().join("kubeconfig")).unwrap();
    let there = format!("http://{}", mute.local_addr().unwrap());
    let mute_kubeconfig = kubeconfig.replace(&dave.relay.url, &there);
    let mute_kubeconfig = dave.home.write("mute", &mute_kubeconfig);
    let first = format!(
        "[[environment]]\nname = \"staging\"\ntier = \"staging\"\nkubeconfig = {mute_kubeconfig:?}\nnamespace = \"staging\"\n\
         [[environment.workload]]\nname = \"all\"\nlabels = {{ app = \"all\" }}\n[[environment]]\nname = \"production\""
    );
    dave.edit("[[environment]]\nname = \"production\"", &first);

    let began = std::time::Instant::now();
    dave.run(&["op", "show", &id]).assert(0, &["at flip"]);
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(9), "{took:?}");
    // One that is nowhere is not known to be nowhere.
    let other = "0".repeat(26);
    dave.run(&["op", "show", &other])
        .assert(3, &["was not found; staging: "]);
}
