//! Configuration: every problem at once, each with its place; nothing hangs, nothing leaks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wheelhouse::config::{
    Config, Gates, Missing, Named, Operations, Place, Problem, Problems, Reference, Replica,
    Switch, Tier, Time, find, load, standard,
};

const EXAMPLE: &str = include_str!("../config.example.toml");

/// A whole small file; tests spoil a piece of it.
const SMALL: &str = r#"title = "shop"
[[environment]]
name = "production"
tier = "production"
namespace = "shop"
selector = "app=shop"
[environment.traffic]
key = "version"
colours = ["blue", "green"]
services = ["shop"]
[[environment.workload]]
name = "web"
labels = { part = "web" }
"#;

fn accepted(text: &str) -> (Config, Vec<Problem>) {
    Config::parse(text, "config.toml").unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(text: &str) -> Problems {
    match Config::parse(text, "config.toml") {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(problems) => problems,
    }
}

/// The lines that are printed when one piece of [`SMALL`] is replaced.
fn spoiled(piece: &str, by: &str) -> Vec<String> {
    assert_eq!(SMALL.matches(piece).count(), 1, "{piece}");
    let problems = refused(&SMALL.replace(piece, by));
    problems.to_string().lines().map(str::to_owned).collect()
}

fn user() -> u32 {
    std::fs::metadata("/proc/self").unwrap().uid()
}

#[test]
fn the_example_is_digital_wall_and_has_no_problem_and_no_warning() {
    let (config, warnings) = accepted(EXAMPLE);
    assert_eq!(warnings, []);
    assert_eq!(config.title, "digital-wall");
    let names: Vec<_> = config
        .environments
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.tier,
                one.read_only,
                one.traffic.is_some(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("development", Tier::Development, false, false),
            ("staging", Tier::Staging, false, false),
            ("production", Tier::Production, true, true),
        ]
    );
    let production = &config.environments[2];
    assert_eq!(production.context.as_deref(), Some("prod-eu"));
    assert_eq!(
        production.selector,
        "app.kubernetes.io/part-of=digital-wall"
    );
    let traffic = production.traffic.as_ref().unwrap();
    assert_eq!(traffic.key, "version");
    assert_eq!(traffic.colours, ["blue", "green"]);
    assert_eq!(
        traffic.services,
        ["digital-wall-service", "digital-wall-api"]
    );
    let parts: Vec<_> = production
        .workloads
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(parts, ["frontend", "backend"]);
    assert_eq!(production.workloads[0].labels["part"], "frontend");
}

#[test]
fn the_example_shows_every_key_that_is_known() {
    let known = [
        "title",
        "ui",
        "keys",
        "environment",
        "ascii",
        "colour",
        "time",
        "name",
        "tier",
        "context",
        "kubeconfig",
        "namespace",
        "records",
        "selector",
        "read_only",
        "traffic",
        "workload",
        "key",
        "colours",
        "services",
        "labels",
        "deployments",
        "prometheus",
        "alertmanager",
        "url",
        "urls",
        "service",
        "services",
        "ca_file",
        "runs",
        "token",
        "watchdog",
        "colour_label",
        "service_label",
        "match",
        "github",
        "repository",
        "workflow",
        "api",
        "deploy",
        "operations",
        "lease",
        "renew",
        "give_up",
        "moved",
        "watch",
        "patience",
        "gates",
        "approval",
        "approval_lasts",
        "soak",
        "alerts",
        "interval",
        "unknown",
        "on_failure",
        "query",
        "below",
        "above",
        "requests",
        "min_requests",
        "quiet",
        "rollout",
        "deployment",
        "smoke",
        "verify",
        "url",
        "port",
        "path",
        "status",
        "within",
        "contains",
        "strategy",
        "chart",
        "release",
        "version",
        "values",
        "set",
        "program",
        "command",
        "ref",
        "inputs",
        "keep_warm",
        "clean_up",
        "ci",
        "returned",
        "restarts",
        "draining",
        "hook",
        "on",
        "timeout",
        "bell",
    ];
    for key in known {
        let stands = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            line.starts_with(&format!("{key} = "))
                || line.trim_matches(['[', ']']).split('.').next_back() == Some(key)
        });
        assert!(stands, "{key}");
    }
    // The list above is whole: an unknown key is answered with all that are known beside it.
    let probe = "zzz=1\n[ui]\nzzz=1\n[[environment]]\nzzz=1\n[environment.traffic]\nzzz=1\n[[environment.workload]]\nzzz=1\n[environment.gates]\nzzz=1\n[[environment.gates.query]]\nzzz=1\n[prometheus]\nzzz=1\n[alertmanager]\nzzz=1\n[github]\nzzz=1\n[operations]\nzzz=1\n";
    let answers = refused(probe).problems;
    let answers: Vec<_> = answers
        .iter()
        .filter(|one| one.found == "unknown key")
        .collect();
    assert_eq!(answers.len(), 11);
    for key in answers
        .iter()
        .flat_map(|one| one.expected["one of ".len()..].split(", "))
    {
        assert!(known.contains(&key), "{key}");
    }
}

#[test]
fn what_is_left_out_has_the_default_that_the_example_states() {
    let (config, _) = accepted(SMALL);
    assert_eq!(config.ui.ascii, Switch::Auto);
    assert_eq!(config.ui.colour, Switch::Auto);
    assert_eq!(config.ui.time, Time::Utc);
    assert!(config.keys.is_empty());
    let production = &config.environments[0];
    assert!(production.read_only, "production is read-only by itself");
    assert_eq!(
        (production.context.clone(), production.kubeconfig.clone()),
        (None, None)
    );
    let (staging, _) = accepted(&SMALL.replace("tier = \"production\"", "tier = \"staging\""));
    assert!(!staging.environments[0].read_only);
    let (open, _) = accepted(&SMALL.replace("namespace", "read_only = false\nnamespace"));
    assert!(!open.environments[0].read_only);
    let (all, _) = accepted(&SMALL.replace("selector = \"app=shop\"\n", ""));
    assert_eq!(all.environments[0].selector, "");
    assert_eq!(all.environments[0].records, None);
    let (elsewhere, _) = accepted(&SMALL.replace("namespace", "records = \"ops\"\nnamespace"));
    assert_eq!(elsewhere.environments[0].records.as_deref(), Some("ops"));
}

#[test]
fn operations_have_the_times_that_the_example_states_unless_they_are_said() {
    let (built_in, _) = accepted(SMALL);
    let (example, _) = accepted(EXAMPLE);
    assert_eq!(built_in.operations, Operations::default());
    let said = example.operations;
    assert_eq!(
        said.lease_seconds(),
        Operations::default().lease_seconds(),
        "the example states the defaults"
    );
    let timing = wheelhouse::ops::bastion::Timing::default();
    let seconds = |said: Option<u32>| Duration::from_secs(said.unwrap().into());
    assert_eq!(
        [
            said.lease,
            said.renew,
            said.give_up,
            said.moved,
            said.patience,
            said.rollout
        ]
        .map(seconds),
        [
            timing.lease,
            timing.renew,
            timing.give_up,
            timing.moved,
            timing.patience,
            timing.rollout
        ]
    );
    // Nobody says how long: as long as the gates need.
    assert_eq!(said.watch, None);
    let quick = format!("{SMALL}[operations]\nlease = 3\nrenew = 1\ngive_up = 2\nwatch = 0\n");
    let (quick, _) = accepted(&quick);
    assert_eq!(quick.operations.lease_seconds(), (3, 1, 2));
    assert_eq!(
        (quick.operations.watch, quick.operations.moved),
        (Some(0), None)
    );
}

#[test]
fn a_worker_that_would_stop_after_its_lease_ran_out_is_refused() {
    for (said, found) in [
        ("lease = 3", "renew 10, give_up 40, lease 3"),
        ("renew = 40", "renew 40, give_up 40, lease 60"),
        (
            "lease = 10\nrenew = 2\ngive_up = 10",
            "renew 2, give_up 10, lease 10",
        ),
    ] {
        let problems = refused(&format!("{SMALL}[operations]\n{said}\n")).to_string();
        for part in [
            "14:1: operations: ",
            found,
            "renew below give_up and give_up below lease",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }
    for (said, place) in [
        ("lease = 1", "15:9: operations.lease"),
        ("watch = -1", "15:9: operations.watch"),
        ("moved = \"60s\"", "15:9: operations.moved"),
        ("patience = 90000", "15:12: operations.patience"),
    ] {
        let problems = refused(&format!("{SMALL}[operations]\n{said}\n")).to_string();
        assert!(problems.contains(place), "{place} in {problems}");
    }
}

#[test]
fn keys_and_ui_are_read_in_the_order_of_the_file() {
    let text = format!(
        "{SMALL}[keys]\n\"ctrl-l\" = \"repaint\"\nF5 = \"refresh\"\n[ui]\nascii = true\ncolour = \"never\"\ntime = \"local\"\nbell = false\n"
    );
    let (config, _) = accepted(&text);
    let keys: Vec<_> = config
        .keys
        .iter()
        .map(|one| (one.key.as_str(), one.command.as_str(), one.place))
        .collect();
    assert_eq!(
        keys,
        [
            (
                "ctrl-l",
                "repaint",
                Place {
                    line: 15,
                    column: 1
                }
            ),
            (
                "F5",
                "refresh",
                Place {
                    line: 16,
                    column: 1
                }
            ),
        ]
    );
    assert_eq!(config.ui.ascii, Switch::Always);
    assert_eq!(config.ui.colour, Switch::Never);
    assert_eq!(config.ui.time, Time::Local);
    assert!(!config.ui.bell);
    assert!(accepted(SMALL).0.ui.bell, "it rings where nothing is said");
}

#[test]
fn an_empty_file_says_what_it_lacks() {
    for text in ["", "# nothing\n", "\u{feff}"] {
        assert_eq!(
            refused(text).to_string(),
            "config.toml:1:1: environment: missing, expected at least one [[environment]]\n\
             config.toml:1:1: title: missing, expected the name of the product"
        );
    }
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"titel = "shop"
[ui]
color = "auto"
time = "mars"
[[environment]]
name = "Production"
tier = "prod"
[[environment.workload]]
name = 7
"#;
    let printed = refused(text).to_string();
    let lines: Vec<_> = printed.lines().collect();
    let expected = [
        "config.toml:1:1: titel: unknown key, expected one of title, environment, ui, keys, github, prometheus, alertmanager, operations; did you mean `title`?",
        "config.toml:1:1: title: missing, expected the name of the product",
        "config.toml:3:1: ui.color: unknown key, expected one of ascii, colour, time, bell; did you mean `colour`?",
        "config.toml:4:8: ui.time: found \"mars\", expected one of utc, local",
        "config.toml:5:1: environment[0].namespace: missing, expected the namespace",
        "config.toml:6:8: environment[0].name: found \"Production\", expected lower-case letters, digits and `-`, at most 63, with a letter or digit at both ends",
        "config.toml:7:8: environment[0].tier: found \"prod\", expected one of development, staging, production; did you mean \"production\"?",
        "config.toml:8:1: environment[0].workload[0].labels: missing, expected the labels of its pods, such as { part = \"frontend\" }",
        "config.toml:9:8: environment[0].workload[0].name: found the integer \"7\", expected lower-case letters, digits and `-`, at most 63, with a letter or digit at both ends",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn each_wrong_value_is_found_where_it_stands() {
    for (piece, by, said) in [
        (
            "title = \"shop\"",
            "title = 3",
            "1:9: title: found the integer \"3\"",
        ),
        (
            "title = \"shop\"",
            "title = \" shop\"",
            "1:9: title: found \" shop\"",
        ),
        (
            "[[environment]]",
            "[environment]",
            "2:1: environment: found a table, expected [[environment]]",
        ),
        (
            "tier = \"production\"",
            "tier = true",
            "4:8: environment[0].tier: found true",
        ),
        (
            "namespace = \"shop\"",
            "namespace = \"a.b\"",
            "5:13: environment[0].namespace: found \"a.b\"",
        ),
        (
            "namespace = \"shop\"",
            "namespace = \"shop\"\nrecords = \"a/b\"",
            "6:11: environment[0].records: found \"a/b\"",
        ),
        (
            "namespace = \"shop\"",
            "namespace = \"shop\"\nread_only = 1",
            "6:13: environment[0].read_only: found the integer \"1\", expected true or false",
        ),
        (
            "namespace = \"shop\"",
            "namespace = \"shop\"\nkubeconfig = \"~/.kube/config\"",
            "6:14: environment[0].kubeconfig: found \"~/.kube/config\", expected an absolute path",
        ),
        (
            "namespace = \"shop\"",
            "namespace = \"shop\"\ncontext = \"\"",
            "6:11: environment[0].context: found \"\"",
        ),
        (
            "\"app=shop\"",
            "\"app=shop tier\"",
            "6:22: environment[0].selector: found \"app=shop tier\", expected `,` or the end",
        ),
        (
            "\"app=shop\"",
            "\"\"",
            "6:13: environment[0].selector: found \"\", expected a label key",
        ),
        (
            "\"app=shop\"",
            "\"version in (blue)\"",
            "6:12: environment[0].selector: a selector that hides the colour \"green\"",
        ),
        (
            "\"app=shop\"",
            "\"version!=blue\"",
            "6:12: environment[0].selector: a selector that hides the colour \"blue\"",
        ),
        (
            "key = \"version\"",
            "key = \"a/b/c\"",
            "8:7: environment[0].traffic.key: found \"a/b/c\"",
        ),
        (
            "[\"blue\", \"green\"]",
            "[\"blue\"]",
            "9:11: environment[0].traffic.colours: found an array of 1",
        ),
        (
            "[\"blue\", \"green\"]",
            "[\"blue\", \"Blue\"]",
            "9:11: environment[0].traffic.colours: found an array of 2, expected two different",
        ),
        (
            "[\"blue\", \"green\"]",
            "[\"blue\", \"\"]",
            "9:20: environment[0].traffic.colours[1]: found \"\"",
        ),
        (
            "services = [\"shop\"]",
            "services = []",
            "10:12: environment[0].traffic.services: found an array of 0",
        ),
        (
            "services = [\"shop\"]",
            "services = [\"1shop\"]",
            "10:13: environment[0].traffic.services[0]: found \"1shop\"",
        ),
        (
            "labels = { part = \"web\" }",
            "labels = {}",
            "13:10: environment[0].workload[0].labels: found a table, expected at least one label",
        ),
        (
            "labels = { part = \"web\" }",
            "labels = { version = \"blue\" }",
            "13:12: environment[0].workload[0].labels.version: the key that holds the colour",
        ),
        (
            "labels = { part = \"web\" }",
            "labels = { \"-\" = \"web\" }",
            "13:12: environment[0].workload[0].labels.-: found \"-\"",
        ),
        (
            "name = \"web\"",
            "name = \"web\"\ndeployments = [\"Web\"]",
            "13:16: environment[0].workload[0].deployments[0]: found \"Web\"",
        ),
    ] {
        let lines = spoiled(piece, by);
        assert_eq!(lines.len(), 1, "{by}: {lines:#?}");
        let expected = format!("config.toml:{said}");
        assert!(lines[0].starts_with(&expected), "{expected}\n{}", lines[0]);
    }
}

#[test]
fn a_selector_with_escapes_is_placed_at_its_beginning() {
    let lines = spoiled("\"app=shop\"", "\"\\u0061pp=shop tier\"");
    assert!(
        lines[0].starts_with("config.toml:6:12: environment[0].selector: found \"app=shop tier\""),
        "{lines:?}"
    );
}

#[test]
fn ui_and_keys_of_the_wrong_shape_are_refused() {
    for (section, said) in [
        (
            "[ui]\nascii = \"yes\"",
            "15:9: ui.ascii: found \"yes\", expected \"auto\", true or false",
        ),
        (
            "[ui]\ncolour = true",
            "15:10: ui.colour: found true, expected one of auto, always, never",
        ),
        (
            "[ui]\nbell = \"off\"",
            "15:8: ui.bell: found \"off\", expected true or false",
        ),
        ("[keys]\nx = 1", "15:5: keys.x: found the integer \"1\""),
        ("[keys]\nx = [\"a\"]", "15:5: keys.x: found an array of 1"),
        (
            "[keys]\n\"\" = \"a\"",
            "15:1: keys.\"\": not the name of a key",
        ),
    ] {
        let problems = refused(&format!("{SMALL}{section}\n"));
        let printed = problems.to_string();
        assert_eq!(problems.problems.len(), 1, "{printed}");
        assert!(
            printed.starts_with(&format!("config.toml:{said}")),
            "{said}\n{printed}"
        );
    }
}

#[test]
fn names_that_stand_twice_are_named_where_they_stand_again() {
    let environment = SMALL.split_once('\n').unwrap().1;
    let twice = format!(
        "{SMALL}{}",
        environment.replace("\"shop\"\nselector", "\"other\"\nselector")
    );
    assert_eq!(
        refused(&twice).to_string(),
        "config.toml:15:8: environment[1].name: found \"production\" again, expected another name: an environment above has this one"
    );
    let workloads =
        format!("{SMALL}[[environment.workload]]\nname = \"web\"\nlabels = {{ part = \"api\" }}\n");
    assert_eq!(
        refused(&workloads).to_string(),
        "config.toml:15:8: environment[0].workload[1].name: found \"web\" again, expected another name: a workload above has this one"
    );
    let services = spoiled("[\"shop\"]", "[\"shop\", \"api\", \"shop\"]");
    assert_eq!(
        services,
        [
            "config.toml:10:28: environment[0].traffic.services[2]: found \"shop\" again, expected each Service once"
        ]
    );
    let labels =
        format!("{SMALL}[[environment.workload]]\nname = \"api\"\nlabels = {{ part = \"web\" }}\n");
    assert_eq!(
        refused(&labels).to_string(),
        "config.toml:14:1: environment[0].workload[1]: the labels of the workload \"web\", expected labels that find other pods, or deployments in both"
    );
    let part = |name: &str, deployment: &str| {
        format!(
            "[[environment.workload]]\nname = \"{name}\"\nlabels = {{ part = \"x\" }}\ndeployments = [\"{deployment}\"]\n"
        )
    };
    accepted(&format!("{SMALL}{}{}", part("api", "a"), part("jobs", "b")));
    let bare = part("cron", "c").replace("deployments = [\"c\"]\n", "");
    for text in [
        format!("{SMALL}{}{bare}", part("api", "a")),
        format!("{SMALL}{bare}{}", part("api", "a")),
    ] {
        let printed = refused(&text).to_string();
        assert!(
            printed.contains("environment[0].workload[2]: the labels of the workload"),
            "{printed}"
        );
    }
    assert_eq!(
        refused(&format!("{SMALL}{}{}", part("api", "a"), part("jobs", "a"))).to_string(),
        "config.toml:18:1: environment[0].workload[2]: the Deployment \"a\" of the workload \"api\", expected each Deployment in one workload"
    );
    let key = refused("title = \"a\"\ntitle = \"b\"\n").to_string();
    assert_eq!(key, "config.toml:2:1: duplicate key \"title\"");
}

#[test]
fn what_is_wrong_once_is_told_once_and_by_what_it_is() {
    let both = "token = { env = \"A\", file = \"/b\" }";
    let hub =
        format!("{SMALL}[github]\nrepository = \"acme/wall\"\nworkflow = \"ci.yml\"\n{both}\n");
    let prom = format!("{SMALL}[prometheus]\nurl = \"https://p.example\"\n{both}\n");
    for text in [hub, prom] {
        let printed = refused(&text).to_string();
        assert!(
            printed.contains("token: two references, expected one of them: ")
                && !printed.contains("secret"),
            "{printed}"
        );
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
    // What hangs on a section that is there and wrong is no problem of its own.
    let gates = "[environment.gates]\ninterval = 5\nunknown = 60\n";
    let wrong = format!("{SMALL}{gates}[prometheus]\nurl = \"prometheus:9090\"\n");
    let printed = refused(&wrong).to_string();
    assert!(
        printed.contains("prometheus.url") && printed.lines().count() == 1,
        "{printed}"
    );
}

#[test]
fn two_environments_of_one_target_are_a_warning() {
    let environment = SMALL.split_once('\n').unwrap().1;
    let copy = environment.replace("\"production\"", "\"staging\"");
    let (config, warnings) = accepted(&format!("{SMALL}{copy}"));
    assert_eq!(config.environments.len(), 2);
    let printed: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        printed,
        [
            "config.toml:14:1: environment[1]: has the context, namespace and selector of \"production\": both show and change the same objects"
        ]
    );
}

#[test]
fn an_error_of_syntax_has_its_place_and_does_not_hide_the_rest() {
    let lines = spoiled("title = \"shop\"", "title = \"shop");
    assert_eq!(
        lines,
        ["config.toml:1:14: invalid basic string, expected `\"`"]
    );
    let text = SMALL
        .replace("title = \"shop\"", "title = shop")
        .replace("tier = \"production\"", "tier = \"prod\"");
    let printed = refused(&text).to_string();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(
        lines[0].starts_with("config.toml:1:9: string values must be quoted"),
        "{printed}"
    );
    assert!(
        lines[1].starts_with("config.toml:4:8: environment[0].tier: found \"prod\""),
        "{printed}"
    );
    let array = spoiled(
        "[\"blue\", \"green\"]",
        "[\n\"blue\",\n\"green\"\n\"red\"\n]",
    );
    assert_eq!(
        array.len(),
        1,
        "the array is not judged by what is left of it: {array:#?}"
    );
    assert!(array[0].contains("missing comma"), "{array:#?}");
    let open = refused("title = \"a\"\nx = [1,\n[[environment]]\nname = \"a\"\n").to_string();
    assert!(
        open.contains("is a `[` of an earlier line still open?"),
        "{open}"
    );
}

#[test]
fn deep_nesting_is_a_problem_and_not_a_crash() {
    for text in [
        format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}", "{ a = ".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]\nb = 1", "a.".repeat(100_000)),
        format!("[[{}a]]\nb = 1", "a.".repeat(100_000)),
    ] {
        let printed = refused(&text).to_string();
        assert!(
            printed.contains("nested too deeply, expected at most 80 levels"),
            "{printed}"
        );
        assert!(printed.len() < 100_000, "{}", printed.len());
    }
}

#[test]
fn only_the_first_hundred_problems_are_printed_and_the_rest_are_counted() {
    let text: String = (0..300)
        .map(|number| format!("unknown{number} = 1\n"))
        .collect();
    let problems = refused(&text);
    assert_eq!((problems.problems.len(), problems.more), (100, 202));
    assert!(
        problems
            .to_string()
            .ends_with("\nconfig.toml: and 202 more")
    );
}

#[test]
fn escapes_and_invisible_characters_are_printed_visibly() {
    let lines = spoiled(
        "tier = \"production\"",
        "tier = \"\\u001b[2J\\u202eprod\\u200b\\r\\n\"",
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("config.toml:4:8: environment[0].tier: found \"<U+001B>[2J<U+202E>prod<U+200B><U+000D><U+000A>\""),
        "{}",
        lines[0]
    );
    let key = refused("\"\\u001b]0;x\\u0007\" = 1\n").to_string();
    assert!(
        key.contains("\"<U+001B>]0;x<U+0007>\": unknown key"),
        "{key}"
    );
    let file = Config::parse("", "\u{1b}[31m.toml")
        .unwrap_err()
        .to_string();
    assert!(file.starts_with("<U+001B>[31m.toml:1:1:"), "{file}");
    let title = spoiled("title = \"shop\"", "title = \"sh\\u200bop\"");
    assert!(title[0].contains("found \"sh<U+200B>op\""), "{title:?}");
}

#[test]
fn a_long_value_is_quoted_in_part() {
    let lines = spoiled(
        "tier = \"production\"",
        &format!("tier = \"{}\"", "é".repeat(10_000)),
    );
    assert!(
        lines[0].contains(&format!("found \"{}…\"", "é".repeat(80))),
        "{lines:?}"
    );
}

#[test]
fn columns_count_characters() {
    let lines = spoiled(
        "labels = { part = \"web\" }",
        "labels = { \"é\" = \"web\", part = \"ü\" }",
    );
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("config.toml:13:12: "), "{lines:?}");
    assert!(lines[1].starts_with("config.toml:13:32: "), "{lines:?}");
}

/// [`SMALL`] with these lines at the top level, and these in the environment.
fn monitored(general: &str, own: &str) -> String {
    let workload = "[[environment.workload]]";
    let own = SMALL.replace(workload, &format!("{own}\n{workload}"));
    format!("{own}{general}\n")
}

#[test]
fn monitoring_is_inherited_key_by_key_and_a_token_never_with_another_address() {
    let general = "[prometheus]\nurl = \"https://prometheus.example/p/\"\ntoken = { env = \"TOKEN\" }\nwatchdog = \"Watchdog\"\n[alertmanager]\nservice = \"monitoring/alertmanager:web/alerts/\"";
    let (config, warnings) = accepted(&monitored(
        general,
        "[environment.prometheus]\nmatch = { namespace = \"shop\" }",
    ));
    assert_eq!(warnings, []);
    let shop = &config.environments[0];
    let prometheus = shop.prometheus.clone().unwrap();
    assert_eq!(
        prometheus.address.replicas,
        [Replica::Url("https://prometheus.example/p".into())]
    );
    assert_eq!(
        prometheus.address.token,
        Some(Reference::Env("TOKEN".into()))
    );
    assert_eq!(prometheus.watchdog.as_deref(), Some("Watchdog"));
    assert_eq!(
        (prometheus.colour_label, prometheus.service_label),
        ("colour".into(), "service".into())
    );
    assert_eq!(prometheus.belongs["namespace"], "shop");
    let alertmanager = shop.alertmanager.clone().unwrap();
    assert_eq!(
        alertmanager.replicas,
        [Replica::Service {
            namespace: "monitoring".into(),
            name: "alertmanager".into(),
            port: "web".into(),
            prefix: "/alerts".into(),
        }]
    );
    let (config, _) = accepted(&monitored(
        general,
        "[environment.prometheus]\nurls = [\"http://10.0.0.1:9090\", \"http://[::1]:9090\"]",
    ));
    let own = config.environments[0].prometheus.clone().unwrap();
    assert_eq!((own.address.replicas.len(), own.address.token), (2, None));
    assert_eq!(own.watchdog.as_deref(), Some("Watchdog"));
    let (config, _) = accepted(&monitored(
        "[prometheus]\nservices = [\"m/p-0:9090\", \"m/p-1:web/prom/\"]",
        "",
    ));
    let both = config.environments[0].prometheus.clone().unwrap();
    let replica = |name: &str, port: &str, prefix: &str| Replica::Service {
        namespace: "m".into(),
        name: name.into(),
        port: port.into(),
        prefix: prefix.into(),
    };
    assert_eq!(
        both.address.replicas,
        [replica("p-0", "9090", ""), replica("p-1", "web", "/prom")]
    );
    assert_eq!(accepted(SMALL).0.environments[0].prometheus, None);
}

#[test]
fn each_wrong_value_of_monitoring_is_found_where_it_stands() {
    for (section, said) in [
        (
            "[prometheus]\nurl = \"prometheus:9090\"",
            "16:7: prometheus.url: found \"prometheus:9090\", expected an address",
        ),
        (
            "[prometheus]\nurl = \"https://p/../x\"",
            "16:7: prometheus.url: ",
        ),
        (
            "[prometheus]\nurl = \"https://p/?x=1\"",
            "16:7: prometheus.url: ",
        ),
        (
            "[prometheus]\nurls = []",
            "16:8: prometheus.urls: found an array of 0, expected at least one",
        ),
        (
            "[prometheus]\nurls = [\"http://a\", \"http://a\"]",
            "16:21: prometheus.urls[1]: found \"http://a\" again",
        ),
        (
            "[prometheus]\nservice = \"prometheus:9090\"",
            "16:11: prometheus.service: found \"prometheus:9090\", expected `namespace/service:port`",
        ),
        (
            "[prometheus]\nurl = \"http://a\"\nservice = \"m/p:1\"",
            "17:1: prometheus.service: a second address",
        ),
        (
            "[prometheus]\nservice = \"m/p:1\"\nservices = [\"m/p:1\"]",
            "17:1: prometheus.services: a second address, expected one of url, urls, service and services",
        ),
        (
            "[prometheus]\nservices = []",
            "16:12: prometheus.services: found an array of 0, expected at least one",
        ),
        (
            "[prometheus]\nservices = [\"m/p:1\", \"m/p:1\"]",
            "16:22: prometheus.services[1]: found \"m/p:1\" again",
        ),
        (
            "[prometheus]\nservices = [\"m/p:1\", \"p:1\"]",
            "16:22: prometheus.services[1]: found \"p:1\", expected `namespace/service:port`",
        ),
        (
            "[alertmanager]\nservices = [\"m/a:1\"]\nca_file = \"/ca.pem\"",
            "17:1: alertmanager.ca_file: of no use",
        ),
        (
            "[prometheus]\nservice = \"m/p:1\"\ntoken = { env = \"T\" }",
            "17:1: prometheus.token: of no use",
        ),
        (
            "[prometheus]\nwatchdog = \"Watchdog\"",
            "15:1: prometheus.url: missing, expected url, urls, service or services",
        ),
        (
            "[prometheus]\nurl = \"http://a\"\ncolour_label = \"a-b\"",
            "17:16: prometheus.colour_label: found \"a-b\", expected a label of alerts",
        ),
        (
            "[prometheus]\nurl = \"http://a\"\nmatch = { \"a/b\" = \"c\" }",
            "17:11: prometheus.match.\"a/b\": found \"a/b\"",
        ),
        (
            "[prometheus]\nurl = \"http://a\"\ntoken = { env = \"A B\" }",
            "17:17: prometheus.token.env: found \"A B\"",
        ),
        ("[alertmanager]", "15:1: alertmanager.url: missing"),
        (
            "[alertmanager]\nurl = \"http://a\"\nwatchdog = \"W\"",
            "17:1: alertmanager.watchdog: unknown key",
        ),
        (
            "[alertmanager]\nca_file = \"ca.pem\"\nurl = \"https://a\"",
            "16:11: alertmanager.ca_file: found \"ca.pem\", expected an absolute path",
        ),
    ] {
        let printed = refused(&monitored(section, "")).to_string();
        assert!(
            printed.starts_with(&format!("config.toml:{said}")),
            "{said}\n{printed}"
        );
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
    let own = "[environment.prometheus]\nwatchdog = \"W\"";
    let printed = refused(&monitored("", own)).to_string();
    assert!(
        printed.contains("environment[0].prometheus.url: missing"),
        "{printed}"
    );
    let (_, warnings) = accepted(&monitored(
        "[alertmanager]\nurl = \"http://a\"\ntoken = { file = \"/t\" }",
        "",
    ));
    assert!(
        warnings[0].to_string().contains("the token goes over http"),
        "{warnings:?}"
    );
}

#[test]
fn an_inline_secret_is_refused_and_never_printed() {
    for (text, key) in [
        (
            "[github]\nrepository = \"acme/shop\"\nworkflow = \"ci.yml\"\ntoken = \"hunter2\"",
            "github.token",
        ),
        (
            "[github]\nrepository = \"a/b\"\nworkflow = \"c.yml\"\ntoken = \"hunter2\"",
            "github.token",
        ),
        (
            "[github]\nrepository = \"a/b\"\nworkflow = \"c.yml\"\nprivate_key = '''\nhunter2'''",
            "github.private_key",
        ),
        (
            "[prometheus]\nauth = [{ Password = \"hunter2\" }]",
            "prometheus.auth[0].Password",
        ),
        (
            "[prometheus]\nurl = \"https://me:hunter2@host/\"",
            "prometheus.url",
        ),
        (
            "[prometheus]\nurls = [\"https://me:hunter2@host/\"]",
            "prometheus.urls[0]",
        ),
        (
            "[[environment.smoke]]\nurl = \"https://me:hunter2@host/\"",
            "environment[0].smoke[0].url",
        ),
        (
            "[[environment.smoke]]\ncommand = [\"x\"]\nurl = \"https://me:hunter2@host/\"",
            "environment[0].smoke[0].url",
        ),
        (
            "[[environment.verify]]\nurl = \"https://me:hunter2@host/\"",
            "environment[0].verify[0].url",
        ),
        (
            "[[environment.verify]]\ncommand = [\"x\", \"--of=https://me:hunter2@host/\"]",
            "environment[0].verify[0].command[1]",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nrelease = \"r-{colour}\"\nchart = \"oci://me:hunter2@host/r\"",
            "environment[0].deployment.chart",
        ),
        (
            "[alertmanager]\nbearerToken = { value = \"hunter2\" }",
            "alertmanager.bearerToken",
        ),
        (
            "[alertmanager]\nsecret = { env = \"A\", value = \"hunter2\" }",
            "alertmanager.secret",
        ),
        ("[ui]\napi-key = \"hunter2\"", "ui.api-key"),
    ] {
        let printed = refused(&format!("{SMALL}{text}\n")).to_string();
        let instead = match key.starts_with("environment[") {
            true => "no password in an address: plans and records show it",
            false => "a reference: { env = \"NAME\" } or { file = \"/path\" }",
        };
        let expected = format!("{key}: an inline secret (not shown), expected {instead}");
        assert!(printed.contains(&expected), "{expected}\n{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    // What does nothing is no key.
    let link = refused(&format!("{SMALL}[ui]\nlinks = [\"https://github.com\"]\n")).to_string();
    assert!(link.contains("ui.links: unknown key"), "{link}");
}

/// A directory of its own with a file of this text and mode.
fn written(text: impl AsRef<[u8]>, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    (directory, file)
}

/// Loads with a limit of time, so that a reader that hangs fails instead of hanging the tests.
fn loaded(file: &Path, user: u32) -> Result<(Config, Vec<Problem>), Problems> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let file = file.to_path_buf();
    std::thread::spawn(move || drop(sender.send(load(&file, user, |_| Vec::new()))));
    receiver
        .recv_timeout(Duration::from_secs(20))
        .expect("it hangs")
}

fn message(file: &Path) -> String {
    loaded(file, user()).unwrap_err().to_string()
}

#[test]
fn a_good_file_is_loaded_also_through_a_link() {
    let (directory, file) = written(SMALL, 0o644);
    assert_eq!(loaded(&file, user()).unwrap(), accepted(SMALL));
    let link = directory.path().join("link.toml");
    symlink(&file, &link).unwrap();
    assert_eq!(loaded(&link, user()).unwrap().0, accepted(SMALL).0);
}

#[test]
fn an_inline_secret_that_others_may_read_comes_with_the_chmod_command() {
    let secret = format!("{SMALL}[github]\ntoken = \"hunter2\"\n");
    let (directory, file) = written(&secret, 0o644);
    let open = message(&file);
    let command = format!(
        "run `chmod 600 {}` and replace the secret",
        file.canonicalize().unwrap().display()
    );
    assert!(
        open.contains("others may read it (mode 0644)") && open.ends_with(&command),
        "{open}"
    );

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let closed = message(&file);
    assert!(
        closed.contains("github.token: an inline secret") && !closed.contains("chmod"),
        "{closed}"
    );

    let link = directory.path().join("link.toml");
    symlink(&file, &link).unwrap();
    let linked = message(&link);
    assert!(
        linked.contains("it is a link to") && linked.ends_with(&command),
        "{linked}"
    );

    let foreign = loaded(&file, user() + 1).unwrap_err().to_string();
    let owner = format!("it belongs to user {}, not to {}", user(), user() + 1);
    assert!(
        foreign.contains(&owner) && foreign.ends_with(&command),
        "{foreign}"
    );
}

#[test]
fn the_path_in_the_chmod_command_is_quoted_for_the_shell() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("it's $(mine).toml");
    std::fs::write(
        &file,
        "[github]\nrepository = \"a/b\"\nworkflow = \"c.yml\"\ntoken = \"x\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let printed = message(&file);
    assert!(printed.contains(r"/it'\''s $(mine).toml'`"), "{printed}");
}

#[test]
fn a_file_that_everybody_can_write_is_a_warning() {
    let (_directory, file) = written(SMALL, 0o666);
    let (_, warnings) = loaded(&file, user()).unwrap();
    assert_eq!(warnings.len(), 1);
    let printed = warnings[0].to_string();
    assert!(
        printed.contains("every user of this machine can write the file; run `chmod o-w "),
        "{printed}"
    );
}

#[test]
fn what_is_no_regular_file_is_refused_and_does_not_hang() {
    let directory = tempfile::tempdir().unwrap();
    let place = |file: &Path, found: &str| {
        format!("{}:1:1: {found}, expected a regular file", file.display())
    };
    assert_eq!(
        message(directory.path()),
        place(directory.path(), "a directory")
    );
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(message(&fifo), place(&fifo, "a FIFO"));
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(message(&socket), place(&socket, "a socket"));
    for device in ["/dev/zero", "/dev/null"] {
        assert_eq!(
            message(Path::new(device)),
            place(Path::new(device), "a device")
        );
    }
    let missing = message(&directory.path().join("missing.toml"));
    assert!(
        missing.contains(":1:1: cannot be read: No such file"),
        "{missing}"
    );
}

#[test]
fn a_large_file_is_refused_unread() {
    let (_directory, file) = written("", 0o600);
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(10 << 20)
        .unwrap();
    assert_eq!(
        message(&file),
        format!(
            "{}:1:1: 10485760 bytes or more, expected at most 1048576 bytes",
            file.display()
        )
    );
    let (_directory, full) = written(
        format!("{SMALL}#{}", " ".repeat((1 << 20) - SMALL.len() - 1)),
        0o600,
    );
    assert_eq!(full.metadata().unwrap().len(), 1 << 20);
    assert!(loaded(&full, user()).is_ok());
}

#[test]
fn the_worst_file_of_the_largest_size_is_read_in_time() {
    let fill = |piece: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            let piece = piece(number);
            if text.len() + piece.len() + 2 > 1 << 20 {
                break;
            }
            text.push_str(&piece);
        }
        text
    };
    for text in [
        fill(&|_| "=".to_owned()),
        fill(&|_| "é ".to_owned()),
        fill(&|_| "a=\n".to_owned()),
        fill(&|_| "[".to_owned()),
        fill(&|_| "[[environment]]\n".to_owned()),
        fill(&|number| {
            let head = if number == 0 { SMALL } else { "" };
            format!("{head}[[environment.workload]]\nname='w{number}'\nlabels={{a='b'}}\n")
        }),
        format!("ui = {{{}", fill(&|number| format!("k{number}=1,"))),
        format!("keys={{{}}}", fill(&|number| format!("k{number}='a',"))),
    ] {
        let (_directory, file) = written(&text[..text.len().min(1 << 20)], 0o600);
        assert!(loaded(&file, user()).is_err(), "{}", &text[..20]);
    }
}

#[test]
fn a_byte_that_is_not_utf8_has_its_place() {
    let (_directory, file) = written(b"title = \"\xc3\xa9\"\n# \xc3\xa9\xff\n", 0o600);
    assert_eq!(
        message(&file),
        format!(
            "{}:2:4: the byte 0xff, which is not UTF-8, expected UTF-8",
            file.display()
        )
    );
    let (_directory, windows) = written(b"\xff\xfet\0", 0o600);
    assert!(message(&windows).ends_with(
        ":1:1: the byte 0xff, which is not UTF-8, expected UTF-8; the file was saved as UTF-16"
    ));
}

#[test]
fn the_file_is_the_named_one_and_else_the_standard_one() {
    let (directory, file) = written(SMALL, 0o600);
    let absent = directory.path().join("absent.toml");
    let named = OsStr::new("/absent/variable.toml");
    assert_eq!(
        find(Some(&file), Some(named), Some(&absent)),
        Ok(file.clone())
    );
    assert_eq!(
        find(None, Some(file.as_os_str()), Some(&absent)),
        Ok(file.clone())
    );
    assert_eq!(
        find(None, Some(OsStr::new("")), Some(&file)),
        Ok(file.clone())
    );
    assert_eq!(find(None, None, Some(&file)), Ok(file.clone()));
    let missing = |file: &Path, named| {
        Err(Missing {
            file: Some(file.to_path_buf()),
            named,
        })
    };
    assert_eq!(
        find(Some(&absent), Some(file.as_os_str()), Some(&file)),
        missing(&absent, Named::Option)
    );
    assert_eq!(
        find(None, Some(named), Some(&file)),
        missing(Path::new(named), Named::Variable)
    );
    assert_eq!(
        find(None, None, Some(&absent)),
        missing(&absent, Named::Standard)
    );
    assert_eq!(
        find(None, None, None),
        Err(Missing {
            file: None,
            named: Named::Standard
        })
    );
    let below = file.join("below.toml");
    assert_eq!(
        find(Some(&below), None, None),
        missing(&below, Named::Option)
    );
    let dangling = directory.path().join("dangling");
    symlink(&absent, &dangling).unwrap();
    assert_eq!(
        find(Some(&dangling), None, None),
        missing(&dangling, Named::Option)
    );
}

#[test]
fn a_missing_configuration_names_the_file_and_two_ways_on() {
    let missing = find(None, None, Some(Path::new("/home/\u{1b}me/config.toml"))).unwrap_err();
    let printed = missing.to_string();
    assert!(
        printed.starts_with("no configuration: /home/<U+001B>me/config.toml does not exist\n"),
        "{printed}"
    );
    assert!(
        printed.contains("`wheelhouse init`") && printed.contains("`wheelhouse demo`"),
        "{printed}"
    );
    let named = find(Some(Path::new("/absent")), None, None)
        .unwrap_err()
        .to_string();
    assert!(
        named.contains("/absent does not exist (named by --config)"),
        "{named}"
    );
    assert!(standard().is_none_or(|file| file.ends_with("wheelhouse/config.toml")));
}

mod any_text {
    use super::*;
    use proptest::prelude::*;

    fn holds(text: &str) -> Result<(), TestCaseError> {
        let problems = match Config::parse(text, "config.toml") {
            Ok((_, warnings)) => warnings,
            Err(problems) => {
                prop_assert!(!problems.problems.is_empty(), "refused without a reason");
                problems.problems
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
        for problem in problems {
            let Place { line, column } = problem.place;
            prop_assert!((1..=lines.len()).contains(&line), "{problem}");
            prop_assert!((1..=lines[line - 1] + 1).contains(&column), "{problem}");
            let printed = problem.to_string();
            prop_assert!(!printed.chars().any(char::is_control), "{printed:?}");
        }
        Ok(())
    }

    /// The example with a piece cut out and another put in.
    fn mangled() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[\\[\\]{}=\",.'#\n a-z\\\\é]{0,12}",
            Just("\"\"\"".to_owned()),
            Just("[[environment]]\n".to_owned()),
            Just("\u{1b}\0\u{202e}".to_owned()),
        ];
        let length = EXAMPLE.chars().count();
        (0..length, 0..40_usize, piece).prop_map(|(start, cut, piece)| {
            let before = EXAMPLE.chars().take(start);
            let after = EXAMPLE.chars().skip(start + cut);
            before.chain(piece.chars()).chain(after).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_panics_and_every_place_lies_within(text in "(?s)\u{feff}?.{0,200}") {
            holds(&text)?;
        }

        #[test]
        fn that_looks_like_toml_never_panics(text in "([\\[\\]{}=\",.'#\n\r a-e0-9\\\\é-]|title|environment|workload|traffic|token){0,60}") {
            holds(&text)?;
        }

        #[test]
        fn made_from_the_example_never_panics(text in mangled()) {
            holds(&text)?;
        }
    }
}

#[test]
fn the_gates_of_the_example_are_as_explained_and_the_others_have_none() {
    let (config, _) = accepted(EXAMPLE);
    let [.., production] = &config.environments[..] else {
        panic!("no environment")
    };
    let gates = &production.gates;
    assert_eq!(
        (gates.soak, gates.interval, gates.unknown),
        (Some(660), Some(10), Some(60))
    );
    assert!(!gates.holds);
    let critical = [("severity".to_owned(), vec!["critical".to_owned()])];
    assert_eq!(gates.alerts, Some(vec![critical.into()]));
    let [query] = &gates.queries[..] else {
        panic!("{:?}", gates.queries)
    };
    assert_eq!(
        (query.name.as_str(), query.below, query.above),
        ("latency", Some(1.5), None)
    );
    assert!(
        query
            .query
            .starts_with("histogram_quantile(0.95, sum by (le) (rate("),
        "{}",
        query.query
    );
    assert_eq!(
        query.requests.as_ref().map(|(_, least)| *least),
        Some(300.0)
    );
    assert_eq!(config.environments[0].gates, Gates::default());
}

#[test]
fn what_is_wrong_with_gates_is_told_with_its_place() {
    let prometheus = "[prometheus]\nurl = \"http://a\"\n";
    let query = "[[environment.gates.query]]\nname = \"errors\"\nquery = \"x\"\n";
    for (gates, said) in [
        (
            "[environment.gates]\nsoak = -1\n",
            "17:8: environment[0].gates.soak: found the integer",
        ),
        (
            "[environment.gates]\nalarms = []\n",
            "17:1: environment[0].gates.alarms: unknown key",
        ),
        (
            "[environment.gates]\non_failure = \"page\"\n",
            "17:14: environment[0].gates.on_failure: found \"page\", expected one of return, hold",
        ),
        (
            "[environment.gates]\napproval = \"two people\"\n",
            "17:12: environment[0].gates.approval: found \"two people\", expected one of none, github review, one other person",
        ),
        (
            "[environment.gates]\napproval_lasts = 5\n",
            "17:18: environment[0].gates.approval_lasts: found",
        ),
        (
            "[environment.gates]\nalerts = [{}]\n",
            "17:11: environment[0].gates.alerts[0]: found a table, expected at least one label",
        ),
        (
            "[environment.gates]\nalerts = [{ \"a-b\" = \"c\" }]\n",
            "17:13: environment[0].gates.alerts[0].a-b: found \"a-b\", expected a label of alerts",
        ),
        (
            query,
            "16:1: environment[0].gates.query[0].below: missing, expected below or above",
        ),
        (
            &format!("{query}below = \"low\"\n"),
            "19:9: environment[0].gates.query[0].below: found \"low\", expected a number",
        ),
        (
            &format!("{query}below = 1\nmin_requests = 5\n"),
            "16:1: environment[0].gates.query[0].requests: missing",
        ),
        (
            &format!("{query}below = 1\nquiet = \"pass\"\n"),
            "16:1: environment[0].gates.query[0].requests: missing",
        ),
        (
            &format!("{query}below = 1\n{query}above = 2.5\n"),
            "21:8: environment[0].gates.query[1].name: found \"errors\" again",
        ),
    ] {
        let text = SMALL.replace(
            "[[environment]]\n",
            &format!("{prometheus}[[environment]]\n"),
        );
        let printed = refused(&format!("{text}{gates}")).to_string();
        assert!(
            printed.starts_with(&format!("config.toml:{said}")),
            "{said}\n{printed}"
        );
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
    let alone = refused(&format!(
        "{SMALL}[environment.gates]\nsoak = 5\ninterval = 1\n"
    ))
    .to_string();
    assert!(
        alone.contains("16:1: environment[0].gates.interval: of no use without a Prometheus"),
        "{alone}"
    );
    let (soak, warnings) = accepted(&format!(
        "{SMALL}[environment.gates]\nsoak = 5\non_failure = \"hold\"\n"
    ));
    assert_eq!(warnings, []);
    let from = SMALL.find("[environment.traffic]").unwrap();
    let to = SMALL.find("[[environment.workload]]").unwrap();
    let in_place = format!("{}{}", &SMALL[..from], &SMALL[to..]);
    for (text, found) in [
        (
            format!("{in_place}[environment.gates]\nsoak = 5\n"),
            "without [environment.traffic] nothing is cut over",
        ),
        (
            format!("{SMALL}[environment.gates]\napproval = \"github review\"\n"),
            "nobody reviews what goes live",
        ),
    ] {
        let said = accepted(&text).1[0].to_string();
        assert!(said.contains(found), "{said}");
    }
    assert_eq!(
        (
            soak.environments[0].gates.soak,
            soak.environments[0].gates.holds
        ),
        (Some(5), true)
    );
}

#[test]
fn a_release_of_helm_is_of_a_colour_only_where_there_are_colours() {
    let helm = "[environment.deployment]\nstrategy = \"helm\"\nchart = \"oci://registry.example/wall\"\n\
                release = \"wall-{colour}\"\nset = { \"image.tag\" = \"{tag:web}\" }\n";
    let text = format!("{SMALL}{helm}");
    let (config, _) = accepted(&text);
    let Some(wheelhouse::config::Deployment::Helm(read)) = &config.environments[0].deployment
    else {
        panic!("no helm: {config:?}");
    };
    assert_eq!((read.program.as_str(), read.timeout), ("helm", 1_800));
    assert_eq!(read.set["image.tag"], "{tag:web}");
    let (from, to) = (
        text.find("[environment.traffic]").unwrap(),
        text.find("[[environment.workload]]").unwrap(),
    );
    let without = format!("{}{}", &text[..from], &text[to..]);
    let problems = refused(&without).to_string();
    assert!(
        problems.contains("environment[0].deployment.release")
            && problems.contains("without {colour}: there is no [environment.traffic]"),
        "{problems}"
    );
}

#[test]
fn how_an_environment_is_deployed_and_tested_is_checked_with_its_place() {
    let image = "[environment.deployment]\nstrategy = \"image\"\n";
    assert_eq!(
        accepted(&format!("{SMALL}{image}")).0.environments[0].deployment,
        Some(wheelhouse::config::Deployment::Image)
    );
    let smoke = "[[environment.smoke]]\nworkload = \"web\"\nport = 8000\npath = \"/ready\"\n";
    for (said, key, words) in [
        (
            "[environment.deployment]\n",
            "environment[0].deployment.strategy",
            "missing",
        ),
        (
            "[environment.deployment]\nstrategy = \"imge\"\n",
            "environment[0].deployment.strategy",
            "did you mean \"image\"?",
        ),
        (
            "[environment.deployment]\nstrategy = \"image\"\ncommand = [\"x\"]\n",
            "environment[0].deployment.command",
            "unknown key",
        ),
        (
            "[environment.deployment]\nstrategy = \"command\"\ncommand = \"make deploy\"\n",
            "environment[0].deployment.command",
            "a program and its words",
        ),
        (
            "[environment.deployment]\nstrategy = \"workflow\"\nworkflow = \"d.yml\"\nref = \"main\"\ninputs = { a = \"b\" }\n",
            "environment[0].deployment.inputs",
            "holds {operation}",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nchart = \"charts/wall\"\nrelease = \"wall\"\n",
            "environment[0].deployment.chart",
            "an absolute path of a chart, or `oci://…`",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nchart = \"/srv/wall\"\n",
            "environment[0].deployment.release",
            "missing",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nchart = \"/srv/wall\"\nrelease = \"--wall\"\n",
            "environment[0].deployment.release",
            "the name of a release",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nchart = \"/srv/wall\"\nrelease = \"wall\"\nvalues = [\"v.yaml\"]\n",
            "environment[0].deployment.values[0]",
            "an absolute path",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nchart = \"/srv/wall\"\nrelease = \"wall\"\nset = { tag = \"{tag:wbe}\" }\n",
            "environment[0].deployment.set.tag",
            "found \"wbe\"",
        ),
        (
            "[environment.deployment]\nstrategy = \"helm\"\nchart = \"/srv/wall\"\nrelease = \"wall\"\nset = { \"a=b\" = \"c\" }\n",
            "environment[0].deployment.set.\"a=b\"",
            "the path of a value",
        ),
        (
            &smoke.replace("\"web\"", "\"wbe\""),
            "environment[0].smoke[0].workload",
            "found \"wbe\"",
        ),
        (
            &smoke.replace("/ready", "ready now"),
            "environment[0].smoke[0].path",
            "begins with /",
        ),
        (
            &smoke.replace("8000", "0"),
            "environment[0].smoke[0].port",
            "1 to 65535",
        ),
        (
            "[environment.gates]\nsmoke = true\n",
            "environment[0].gates.smoke",
            "[[environment.smoke]]",
        ),
        (
            "[[environment.smoke]]\ncommand = []\n",
            "environment[0].smoke[0].command",
            "a program and its words",
        ),
        (
            &format!("{smoke}command = [\"x\"]\n"),
            "environment[0].smoke[0].path",
            "unknown key",
        ),
        (
            "[[environment.smoke]]\ncommand = [\"x\"]\nurl = \"preview\"\n",
            "environment[0].smoke[0].url",
            "begins with https://",
        ),
        (
            "[[environment.smoke]]\nurl = \"https://preview.example\"\nport = 80\n",
            "environment[0].smoke[0].port",
            "unknown key",
        ),
        (
            "[[environment.verify]]\nstatus = 200\n",
            "environment[0].verify[0].url",
            "the address that is asked, or `command`",
        ),
        (
            "[[environment.verify]]\nurl = \"ftp://x\"\n",
            "environment[0].verify[0].url",
            "begins with https://",
        ),
        (
            "[[environment.verify]]\nworkload = \"web\"\nport = 80\npath = \"/\"\n",
            "environment[0].verify[0].workload",
            "unknown key",
        ),
    ] {
        let problems = refused(&format!("{SMALL}{said}")).to_string();
        for part in [key, words] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }
}

#[test]
fn a_clean_up_that_follows_needs_to_be_told_for_how_long_the_colour_is_kept() {
    let services = "services = [\"shop\"]";
    let with = |more: &str| SMALL.replace(services, &format!("{services}\n{more}"));
    let lines = refused(&with("clean_up = true")).to_string();
    assert!(
        lines.contains("traffic.keep_warm: missing, expected for how many seconds"),
        "{lines}"
    );
    let (kept, _) = accepted(&with("keep_warm = 0\nclean_up = true"));
    let traffic = kept.environments[0].traffic.clone().unwrap();
    assert_eq!((traffic.keep_warm, traffic.clean_up), (Some(0), true));
    let lines = refused(&with("keep_warm = 0\nclean_up = \"yes\"")).to_string();
    assert!(lines.contains("traffic.clean_up: found \"yes\""), "{lines}");
}

#[test]
fn how_many_runs_are_shown_has_a_default_and_bounds() {
    let of = |more: &str| {
        format!("{SMALL}[github]\nrepository = \"acme/wall\"\nworkflow = \"ci.yml\"\n{more}")
    };
    let runs = |more: &str| accepted(&of(more)).0.github.unwrap().runs;
    assert_eq!(
        (runs(""), runs("runs = 1"), runs("runs = 500")),
        (30, 1, 500)
    );
    for wrong in ["runs = 0", "runs = 501", "runs = \"all\""] {
        let said = refused(&of(wrong)).to_string();
        assert!(said.contains(": github.runs: found "), "{said}");
        assert!(said.contains("1 to 500"), "{said}");
    }
}
