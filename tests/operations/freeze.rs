//! A freeze: by whom, why, until when; what it stops and what never; the glass that is broken all the same.

use serde_json::{Value, json};

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, Operator, QUICK, REQUEST, ROLLBACK, Said, wait};
use crate::relay::{Asked, Fate};

const POLICY: &str = "/api/v1/namespaces/production/configmaps/wheelhouse-policy";
const CONFIGS: &str = "/api/v1/namespaces/production/configmaps";
const FREEZE: [&str; 6] = [
    "freeze",
    "production",
    "--write",
    "--yes",
    "--reason",
    "sale",
];
const THAW: [&str; 6] = ["thaw", "production", "--write", "--yes", "--reason", "over"];
const FORBIDDEN: &str = r#"{"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
    "message": "configmaps \"wheelhouse-policy\" is forbidden"}"#;
const GLASS: [&str; 2] = ["--break-glass", "the till is down"];

/// A freeze of a colleague's.
pub fn by_bob(bench: &Bench, until: Option<&str>) {
    let freeze = json!({"who": "bob", "why": "Black Friday", "until": until});
    let policy = json!({
        "metadata": {"name": "wheelhouse-policy"},
        "data": {"schema": "1", "freeze": freeze.to_string()},
    });
    bench.ask("POST", CONFIGS, Some(&policy));
}

fn set(bench: &Bench, data: Value) {
    bench.ask("PATCH", POLICY, Some(&json!({ "data": data })));
}

#[test]
fn i_44_a_freeze_stops_a_headless_cutover_and_says_who_why_and_until_when() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let frozen = dave.run(&[&FREEZE[..], &["--for", "2h"]].concat());
    frozen.assert(
        0,
        &["production is frozen by", "until 20", ": sale; read back"],
    );
    for args in [&CUTOVER[..], &["cutover", "production", "--plan"]] {
        let said = dave.run(args);
        said.assert(
            5,
            &[
                "refused: freeze: frozen by",
                "until 20",
                ": sale",
                "--break-glass REASON",
            ],
        );
    }
    dave.run(&DEPLOY).assert(5, &["refused: freeze: frozen by"]);
    let detached = dave.run(&[&CUTOVER[..], &["--detach"]].concat());
    detached.assert(5, &["refused: freeze: frozen by"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    dave.run(&["status", "production"])
        .assert(0, &["FROZEN: frozen by", ": sale"]);
    let status = dave.run(&["status", "production", "--json"]).out;
    let status: Value = serde_json::from_str(&status).unwrap();
    let policy = &status["environments"][0]["policy"];
    assert_eq!(
        (&policy["standing"], &policy["freeze"]["why"]),
        (&json!("frozen"), &json!("sale"))
    );
    let journal = dave.journal("policy");
    assert!(
        journal.contains("intent") && journal.contains("outcome"),
        "{journal}"
    );
    dave.run(&THAW)
        .assert(0, &["production is thawed; read back"]);
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_44_a_repair_is_a_forward_move_and_is_stopped() {
    let bench = Bench::ready();
    bench.dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let service = "/api/v1/namespaces/production/services/digital-wall-service";
    let by_hand = json!({"spec": {"selector": {"version": "blue"}}});
    bench.ask("PATCH", service, Some(&by_hand));
    by_bob(&bench, None);
    let repair = ["repair", "production", "--write", "--yes", "--reason", "x"];
    bench.dave.run(&repair).assert(5, &["frozen by bob"]);
    let said = bench.dave.run(&[&repair[..], &GLASS[..]].concat());
    said.assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_24_a_freeze_never_blocks_a_rollback() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    by_bob(&bench, None);
    let asked = dave.relay.asked().len();
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    let reads_policy = |it: &Asked| it.path.ends_with("/wheelhouse-policy");
    let asked = dave.relay.asked().split_off(asked);
    assert!(!asked.iter().any(reads_policy), "it does not even look");
    // Nor does one that nobody understands.
    dave.run(&THAW).assert(2, &["take the key `freeze` out"]);
    set(&bench, json!({"freeze": null, "schema": "9"}));
    dave.run(&["rollback", "production", "--yes", "--to", "green"])
        .assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_44_a_freeze_in_the_middle_is_obeyed_before_the_first_flip() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    // The reads before the first patch: somebody freezes while they are on their way.
    let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let running = dave.start(&CUTOVER);
    trap.wait("the intent of the flip");
    by_bob(&bench, None);
    trap.let_go();
    let said = running.end();
    said.assert(
        1,
        &["flip digital-wall-service FAILED: freeze: frozen by bob"],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // What it held it gave back: nothing is left of it.
    dave.run(&["op", "show", &said.id()])
        .assert(0, &["failed: flip digital-wall-service"]);
}

#[test]
fn i_44_a_freeze_after_the_first_flip_is_announced_and_not_obeyed_half_way() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the first flip");
    by_bob(&bench, None);
    trap.let_go();
    let said = running.end();
    said.assert(
        0,
        &[
            "note: frozen by bob until somebody thaws it: Black Friday: traffic had moved already",
            "done: GREEN is live",
        ],
    );
    let told = said.out.matches("traffic had moved already").count();
    assert_eq!(told, 1, "{said}");
}

#[test]
fn i_44_the_servers_clock_ends_a_freeze() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    by_bob(&bench, Some("2001-01-01T00:00:00Z"));
    dave.run(&["cutover", "production", "--plan"])
        .assert(0, &[]);
    let status = dave.run(&["status", "production"]);
    assert!(!status.out.contains("FROZEN"), "{status}");
    let past = [&FREEZE[..], &["--until", "2001-01-01T00:00Z"]].concat();
    dave.run(&past)
        .assert(2, &["is over: the server's clock says"]);
    // Without the server's time nobody knows.
    let _trap = dave.relay.ever_after(Fate::Said(503, String::new()), |it| {
        it.is("GET", "/version")
    });
    dave.run(&["cutover", "production", "--plan"]).assert(
        3,
        &[
            "policy: whether it is frozen is not known",
            "server's clock",
        ],
    );
}

#[test]
fn i_44_a_colleagues_freeze_in_between_is_shown_and_not_overwritten() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    for made in [false, true] {
        let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
            it.is_write() && it.path.contains("/configmaps")
        });
        let running = dave.start(&FREEZE);
        trap.wait("the write");
        match made {
            false => by_bob(&bench, None),
            true => set(
                &bench,
                json!({"freeze": r#"{"who":"carol","why":"night"}"#}),
            ),
        }
        trap.let_go();
        let said = running.end();
        said.assert(
            6,
            &[
                "changed meanwhile, nothing was written",
                "look, and plan again",
            ],
        );
        let data = &bench.ask("GET", POLICY, None)["data"];
        assert!(data.get("freeze.production").is_none(), "{data}");
        set(&bench, json!({"freeze": null}));
    }
    let freeze = r#"{"who":"carol","why":"night"}"#;
    set(&bench, json!({"freeze.production": freeze}));
    dave.run(&FREEZE)
        .assert(6, &["it is frozen by carol", "thaw it first"]);
    dave.run(&THAW).assert(0, &["production is thawed"]);
}

#[test]
fn a_policy_that_is_not_understood_blocks_forward_moves_and_says_what_was_expected() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    by_bob(&bench, None);
    for (data, words) in [
        (
            json!({"schema": "2"}),
            "is 2, of a newer version: expected `1`",
        ),
        (
            json!({"schema": "1", "freeze": "yes"}),
            "key `freeze` of ConfigMap wheelhouse-policy is no freeze",
        ),
        (
            json!({"freeze": null, "frezee": "x"}),
            "key `frezee` of ConfigMap wheelhouse-policy is not known: expected schema",
        ),
        (
            json!({"frezee": null, "tier": "prod"}),
            "expected development, staging or production",
        ),
    ] {
        set(&bench, data);
        dave.run(&CUTOVER).assert(3, &["refused: policy: ", words]);
        // I-12: nor does the glass, which is before a freeze that is known.
        let glass = dave.run(&[&CUTOVER[..], &GLASS[..]].concat());
        glass.assert(3, &["passes over a freeze that is known", words]);
        dave.run(&FREEZE).assert(2, &[words]);
    }
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn a_policy_that_may_not_be_read_is_not_an_empty_one() {
    let bench = Bench::ready();
    let _trap = bench
        .dave
        .relay
        .ever_after(Fate::Said(403, FORBIDDEN.to_owned()), |it| {
            it.path.ends_with("/wheelhouse-policy")
        });
    bench
        .dave
        .run(&CUTOVER)
        .assert(3, &["whether it is frozen is not known", "forbidden"]);
}

#[test]
fn i_12_a_policy_that_may_not_be_read_may_ask_for_an_approval_and_no_broken_glass_says_otherwise() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let _trap = dave
        .relay
        .ever_after(Fate::Said(403, FORBIDDEN.to_owned()), |it| {
            it.path.ends_with("/wheelhouse-policy")
        });
    let said = dave.run(&[&CUTOVER[..], &GLASS[..], &["--plan"]].concat());
    said.assert(
        3,
        &[
            "UNKNOWN  policy",
            "UNKNOWN  approval     whether the policy asks for one is not known",
            "put ConfigMap wheelhouse-policy right, or let it be read",
        ],
    );
    dave.run(&[&CUTOVER[..], &GLASS[..]].concat())
        .assert(3, &["refused: policy", "forbidden"]);
    dave.run(&REQUEST).assert(
        3,
        &["whether a cutover of production needs an approval is not known"],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
}

/// A cutover over broken glass in which the policy becomes that one just before its first flip.
fn with_glass_until(bench: &Bench, policy: Value) -> Said {
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let running = dave.start(&[&CUTOVER[..], &GLASS[..]].concat());
    trap.wait("the intent of the flip");
    set(bench, policy);
    trap.let_go();
    running.end()
}

#[test]
fn i_12_a_policy_that_becomes_unreadable_before_the_first_flip_stops_it_broken_glass_or_not() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    by_bob(&bench, None);
    with_glass_until(&bench, json!({"schema": "9"})).assert(
        1,
        &[
            "flip digital-wall-service FAILED: policy: ",
            "of a newer version",
        ],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // I-24.
    dave.run(&[&ROLLBACK[..], &["--to", "green"]].concat())
        .assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_44_a_freeze_without_a_reason_is_refused() {
    let bench = Bench::ready();
    let none = ["freeze", "production", "--write", "--yes"];
    bench.dave.run(&none).assert(2, &["--reason"]);
    let empty = [&none[..], &["--reason", " "]].concat();
    bench.dave.run(&empty).assert(2, &["it needs a reason"]);
    let closed = ["freeze", "production", "--yes", "--reason", "x"];
    bench.dave.run(&closed).assert(2, &["is read-only"]);
    let silent = ["freeze", "production", "--write", "--reason", "x"];
    bench
        .dave
        .run(&silent)
        .assert(2, &["there is no terminal to confirm it on"]);
}

#[test]
fn broken_glass_is_loud_recorded_and_stands_until_somebody_closes_it_with_a_note() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    by_bob(&bench, None);
    let glass = [&CUTOVER[..], &GLASS[..]].concat();
    dave.run(&[&CUTOVER[..], &["--break-glass", " "]].concat())
        .assert(2, &["--break-glass needs a reason"]);
    dave.run(&[&glass[..], &["--plan"]].concat()).assert(
        0,
        &["BREAK-GLASS, the till is down; passed over: frozen by bob"],
    );
    let said = dave.run(&glass);
    said.assert(
        0,
        &["freeze overridden by", "the till is down", "done: GREEN"],
    );
    let id = said.id();
    // Another bastion, that knows nothing but the records.
    let carol = bench.colleague();
    let open = format!("wheelhouse op close-glass {id}");
    wait("the line at another bastion", || {
        let status = carol.run(&["status", "production"]);
        (status.out.contains("BREAK-GLASS by") && status.out.contains(&open)).then_some(())
    });
    carol
        .run(&["op", "close-glass", &id, "--reason", " "])
        .assert(1, &["needs a note"]);
    carol
        .run(&["op", "close-glass", &id, "--reason", "reviewed with bob"])
        .assert(0, &["followed up"]);
    carol
        .run(&["op", "close-glass", &id, "--reason", "again"])
        .assert(1, &["closed it already: reviewed with bob"]);
    dave.run(&["op", "show", &id]).assert(
        0,
        &[
            "broken glass followed up by",
            "reviewed with bob",
            "done: GREEN is live",
        ],
    );
    let status = carol.run(&["status", "production"]);
    assert!(!status.out.contains("BREAK-GLASS by"), "{status}");
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    let other = dave.run(&["op", "list", "--json"]).out;
    assert!(other.contains("\"glass\""), "{other}");
}

#[test]
fn the_policys_tier_is_a_floor_under_the_configurations() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.edit("tier = \"production\"", "tier = \"development\"");
    let bare = ["cutover", "production", "--write", "--yes"];
    let policy = json!({"metadata": {"name": "wheelhouse-policy"}, "data": {"schema": "1", "tier": "production"}});
    bench.ask("POST", CONFIGS, Some(&policy));
    dave.run(&bare).assert(2, &["needs --reason TEXT"]);
    set(&bench, json!({"tier": "development"}));
    dave.run(&bare).assert(0, &["done: GREEN is live"]);
}

#[test]
fn rule_13_whoever_looks_for_the_policy_where_nobody_keeps_it_is_told_and_moves_nothing_forward() {
    let bench = Bench::ready();
    let cutover = [&CUTOVER[..], &["--to", "green"]].concat();
    bench.dave.run(&cutover).assert(0, &["done: GREEN is live"]);
    // Another bastion, whose configuration names another namespace: it would see no freeze.
    let erin = Operator::new(
        &bench.served.home.path().join("admin.kubeconfig"),
        "production",
        "staging",
        QUICK,
    );
    let back = [&CUTOVER[..], &["--to", "blue"]].concat();
    erin.run(&back).assert(
        3,
        &[
            "keep their records, policy and freezes in namespace production",
            "set `records = \"production\"`",
        ],
    );
    assert_eq!(bench.colours(), ["green", "green"]);
    // It is in the way of no rollback, which leaves the word where it stands.
    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    erin.run(&cutover)
        .assert(3, &["keep their records, policy and freezes"]);
    bench.dave.run(&cutover).assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_44_glass_that_was_broken_for_one_freeze_passes_no_other_before_the_first_flip() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    by_bob(&bench, None);
    let carols = json!({"freeze": r#"{"who":"carol","why":"the vault is open"}"#});
    with_glass_until(&bench, carols).assert(
        1,
        &["flip digital-wall-service FAILED: freeze: frozen by carol"],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}
