//! Deploys by helm: a script stands for it, which writes its words down and answers from files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;

use crate::Bench;
use crate::kubeconfig;
use crate::operator::{Operator, QUICK, ROLLBACK, wait};

const DEPLOY: [&str; 8] = [
    "deploy",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v3",
    "--image",
    "frontend=:v3",
];
const PLAN: [&str; 5] = ["deploy", "production", "--plan", "--image", "frontend=:v3"];
const RECOVER: [&str; 7] = [
    "deploy",
    "production",
    "--recover",
    "--write",
    "--yes",
    "--reason",
    "stuck",
];

/// The script. `$0`'s folder holds what it answers: `version`, `history`, `template`, `manifest`; and `upgrade` and `rollback`,
/// which are run. Each call is a line of `calls`.
const HELM: &str = r#"#!/bin/sh
# Its worker may be gone.
trap '' PIPE
at=$(dirname "$0")
echo "$*" >>"$at/calls"
case "$1" in
  version) cat "$at/version" ;;
  history)
    # What another helm did since the plan, which asks twice.
    [ -f "$at/later" ] && [ "$(grep -c ^history "$at/calls")" -ge 3 ] && exec cat "$at/later"
    [ -s "$at/history" ] && exec cat "$at/history"
    echo "Error: release: not found" 1>&2; exit 1 ;;
  template) cat "$at/template" ;;
  get) cat "$at/$2" ;;
  upgrade|rollback) export AT="$at"; . "$at/$1" ;;
esac
"#;

/// A revision as helm prints it.
fn revision(number: u32, status: &str, description: &str) -> String {
    format!(
        r#"{{"revision":{number},"updated":"2026-11-27T08:00:0{number}Z","status":"{status}","chart":"wall-0.1.0","app_version":"1","description":"{description}"}}"#
    )
}

fn history(revisions: &[String]) -> String {
    format!("[{}]", revisions.join(","))
}

/// Somebody who deploys by a helm of that kind.
struct Helm {
    at: PathBuf,
}

impl Helm {
    /// A helm whose release stands at revision 7, and whose upgrade goes well.
    fn of(dave: &Operator, timeout: u32) -> Self {
        let at = dave.home.path().join("helm");
        fs::create_dir(&at).unwrap();
        let helm = Self { at };
        helm.says("helm", HELM);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(helm.at.join("helm"), mode).unwrap();
        helm.says("version", "v3.19.0+g3d8990f\n");
        helm.says("history", &history(&[revision(7, "deployed", "by hand")]));
        helm.says("template", "kind: ConfigMap\nmetadata: {name: wall}\n");
        helm.says("manifest", "kind: ConfigMap\nmetadata: {name: wall}\n");
        helm.says("upgrade", &becomes("deployed"));
        helm.says("rollback", "echo Rollback was a success\n");
        dave.edit(
            "[environment.traffic]",
            &format!(
                "[environment.deployment]\nstrategy = \"helm\"\nchart = \"/srv/wall\"\nrelease = \"wall-{{colour}}\"\n\
                 program = \"{}/helm\"\ntimeout = {timeout}\n\
                 set = {{ \"frontend.tag\" = \"{{tag:frontend}}\", \"colour\" = \"{{colour}},a\" }}\n[environment.traffic]",
                helm.at.display()
            ),
        );
        helm
    }

    fn says(&self, file: &str, text: &str) {
        fs::write(self.at.join(file), text).unwrap();
    }

    /// Waits until the upgrade is under way.
    fn await_pending(&self) {
        wait("the upgrade", || {
            let text = fs::read_to_string(self.at.join("history")).ok()?;
            text.contains("pending-upgrade").then_some(())
        });
    }

    fn calls(&self, of: &str) -> Vec<String> {
        let calls = fs::read_to_string(self.at.join("calls")).unwrap_or_default();
        let lines = calls.lines().filter(|line| line.starts_with(of));
        lines.map(str::to_owned).collect()
    }
}

/// A script of an upgrade after which the release stands at revision 8, with helm's own description of it.
fn becomes(status: &str) -> String {
    format!(
        "for word; do case \"$word\" in wheelhouse*) said=$word ;; esac; done\n\
         echo Release has been upgraded\n\
         cat >\"$AT/history\" <<END\n\
         [{{\"revision\":7,\"status\":\"superseded\",\"description\":\"\"}},{{\"revision\":8,\"status\":\"{status}\",\"description\":\"$said\"}}]\nEND\n"
    )
}

#[test]
fn i_3_a_deploy_by_helm_is_told_what_to_deploy_and_what_runs_is_judged_afterwards() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    bench.dave.run(&PLAN).assert(
        0,
        &[
            "helm v3.19.0, wall-green revision 7 deployed",
            "leaves the selectors and ports of the switch's Services as they are",
            "it is not fenced: a takeover waits for its end",
            "steps: check · run · roll out",
            "`helm rollback wall-green 7`",
        ],
    );
    assert!(helm.calls("upgrade").is_empty());

    bench.dave.run(&DEPLOY).assert(
        0,
        &[
            "note: output: Release has been upgraded",
            "run done: revision 8 deployed; what runs now is looked at next",
            "roll out digital-wall-green-frontend done",
            "verify done",
        ],
    );
    let upgrades = helm.calls("upgrade");
    let [upgrade] = upgrades.as_slice() else {
        panic!("{upgrades:?}");
    };
    for words in [
        "upgrade --install wall-green /srv/wall --set-string colour=green\\,a --set-string frontend.tag=v3 --reset-values",
        "--timeout 60s --description wheelhouse ",
        "--hide-notes --namespace production --kube-context ",
    ] {
        assert!(upgrade.contains(words), "{words} in {upgrade}");
    }
    for word in ["--wait", "--atomic"] {
        assert!(!upgrade.contains(word), "{upgrade}");
    }
}

#[test]
fn i_49_a_release_by_helm_goes_live_only_if_helm_changed_what_was_asked_for() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    let release = [&["release"][..], &DEPLOY[1..]].concat();
    bench.dave.run(&release).assert(
        1,
        &[
            "run done: revision 8 deployed",
            "plan FAILED: its deploy changed nothing: GREEN runs what it ran before",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    for (tag, code, words) in [
        ("v2", 1, "frontend does not run :v3, which was asked for"),
        ("v3", 0, "done: GREEN is live"),
    ] {
        helm.says("history", &history(&[revision(7, "deployed", "by hand")]));
        let waits = "while [ ! -e \"$AT/go\" ]; do sleep 0.05; done\n";
        helm.says("upgrade", &format!("{waits}{}", becomes("deployed")));
        let releasing = bench.dave.start(&release);
        let upgrades = helm.calls("upgrade").len();
        wait("the upgrade", || {
            (helm.calls("upgrade").len() > upgrades).then_some(())
        });
        // As the chart would.
        let image = format!("ghcr.io/acme/digitalwall-frontend:{tag}");
        let containers = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
        bench.patch_json("digital-wall-green-frontend", &containers);
        helm.says("go", "");
        releasing.end().assert(code, &[words]);
        fs::remove_file(helm.at.join("go")).unwrap();
    }
    assert_eq!(bench.colours(), ["green", "green"]);
    let recover = [&["release"][..], &RECOVER[1..]].concat();
    bench
        .dave
        .run(&recover)
        .assert(2, &["--recover is of a deploy"]);
}

#[test]
fn i_13_a_release_by_helm_from_a_cold_colour_goes_live_with_what_helm_brought() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    bench.idle_at_0();
    let waits = "while [ ! -e \"$AT/go\" ]; do sleep 0.05; done\n";
    helm.says("upgrade", &format!("{waits}{}", becomes("deployed")));
    let release = [&["release"][..], &DEPLOY[1..]].concat();
    let releasing = bench.dave.start(&release);
    wait("the upgrade", || {
        (!helm.calls("upgrade").is_empty()).then_some(())
    });
    // As the chart would, over what was brought up as it was.
    let image = "ghcr.io/acme/digitalwall-frontend:v3";
    let containers = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    bench.patch_json("digital-wall-green-frontend", &containers);
    helm.says("go", "");

    releasing.end().assert(0, &["done: GREEN is live"]);

    assert_eq!(bench.colours(), ["green", "green"]);
}

#[test]
fn i_6_a_release_of_helm_that_the_live_colour_is_of_too_is_never_upgraded() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    // The chart renders GREEN alone: what BLUE is made of helm would delete.
    bench.dave.edit(
        "release = \"wall-{colour}\"",
        "release = \"digital-wall-blue\"",
    );
    for args in [&PLAN[..], &DEPLOY] {
        bench.dave.run(args).assert(
            5,
            &[
                "renders: Deployment digital-wall-blue-",
                "is of release digital-wall-blue too: helm would change or delete it",
            ],
        );
    }
    assert!(helm.calls("upgrade").is_empty());
}

#[test]
fn helm_4_writes_over_fields_of_others_where_the_server_applies_as_helm_3_does() {
    for (method, forces) in [("ssa", true), ("csa", false)] {
        let bench = Bench::ready();
        let helm = Helm::of(&bench.dave, 60);
        helm.says("version", "v4.3.1\n");
        let metadata = format!(r#"{{"name":"wall-green","revision":7,"applyMethod":"{method}"}}"#);
        helm.says("metadata", &metadata);
        bench
            .dave
            .run(&DEPLOY)
            .assert(0, &["run done: revision 8 deployed"]);
        let upgrades = helm.calls("upgrade");
        assert_eq!(
            upgrades[0].contains("--force-conflicts"),
            forces,
            "{upgrades:?}"
        );
    }
}

#[test]
fn an_image_that_helm_is_not_told_of_or_that_nobody_named_is_refused() {
    let bench = Bench::ready();
    let _helm = Helm::of(&bench.dave, 60);
    let plan = |images: &[&str]| bench.dave.run(&[&PLAN[..3], images].concat());
    plan(&[]).assert(2, &["`set` of helm names frontend"]);
    plan(&["--image", ":v3"]).assert(2, &["helm would not be told of backend"]);
    plan(&["--image", "frontend=@sha256:ab"]).assert(2, &["has no tag"]);
}

#[test]
fn i_51_a_release_that_is_pending_is_found_before_and_explained() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    let stuck = [
        revision(7, "deployed", ""),
        revision(8, "pending-upgrade", "Preparing upgrade"),
    ];
    helm.says("history", &history(&stuck));
    for args in [&PLAN[..], &DEPLOY] {
        bench.dave.run(args).assert(
            5,
            &[
                "helm: helm v3.19.0, wall-green revision 8 pending-upgrade since 2026-11-27T08:00:08Z",
                "another helm is at it, or one died at it",
                "`wheelhouse deploy production --recover --write --reason …` goes back to revision 7",
            ],
        );
    }
    helm.says("history", &history(&[revision(1, "pending-install", "")]));
    bench
        .dave
        .run(&PLAN)
        .assert(5, &["`helm uninstall` it by hand"]);
    helm.says("history", &history(&[revision(8, "failed", "no quota")]));
    bench
        .dave
        .run(&PLAN)
        .assert(0, &["revision 8 failed (no quota): it is upgraded over"]);
    helm.says("history", &history(&[revision(8, "uninstalling", "")]));
    bench.dave.run(&PLAN).assert(5, &["wait until it is gone"]);
    helm.says("history", &history(&[revision(8, "odd", "")]));
    bench
        .dave
        .run(&PLAN)
        .assert(3, &["revision 8 odd, which nothing is known of"]);
    helm.says("history", "");
    bench
        .dave
        .run(&PLAN)
        .assert(0, &["is no release yet: it is installed"]);
    assert!(helm.calls("upgrade").is_empty());
}

#[test]
fn i_51_a_release_that_is_stuck_is_brought_back_when_somebody_says_so_and_only_then() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    bench
        .dave
        .run(&RECOVER)
        .assert(5, &["revision 7 deployed: nothing to recover"]);
    let stuck = [
        revision(5, "superseded", ""),
        revision(6, "deployed", ""),
        revision(7, "pending-upgrade", ""),
    ];
    helm.says("history", &history(&stuck));

    bench.dave.run(&RECOVER).assert(
        0,
        &[
            "note: output: Rollback was a success",
            "recover release wall-green of production",
            "roll out digital-wall-green-frontend done",
            "verify done",
        ],
    );
    let rollbacks = helm.calls("rollback");
    assert_eq!(rollbacks.len(), 1, "{rollbacks:?}");
    assert!(
        rollbacks[0].starts_with("rollback wall-green 6 --timeout 60s"),
        "{rollbacks:?}"
    );
    assert!(helm.calls("upgrade").is_empty());
    // What it goes back to is looked at as what it would upgrade to is.
    helm.says("manifest", "kind: Service\nmetadata: {name: digital-wall-service}\nspec: {selector: {version: green}}\n");
    bench.dave.run(&RECOVER).assert(
        5,
        &["renders: the chart renders Service digital-wall-service with version=green"],
    );
}

#[test]
fn recovery_is_for_helm() {
    let bench = Bench::ready();
    bench
        .dave
        .run(&RECOVER)
        .assert(2, &["--recover is for releases of helm"]);
}

#[test]
fn a_helm_that_is_missing_too_old_hanging_or_flooding_is_said_and_nothing_is_run() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    helm.says("version", "Client: v2.17.0+ga690bad\n");
    bench
        .dave
        .run(&PLAN)
        .assert(5, &["helm v2.17.0 is too old: Helm 3 or newer is needed"]);
    helm.says("version", "what?\n");
    bench
        .dave
        .run(&PLAN)
        .assert(3, &["`helm version` said something that is not understood"]);
    helm.says("version", "v4.3.1\n");
    helm.says("history", "no json\n");
    bench
        .dave
        .run(&PLAN)
        .assert(3, &["`helm history` said something that is not understood"]);
    helm.says("helm", "#!/bin/sh\nyes flood | head -c 3000000\n");
    bench
        .dave
        .run(&PLAN)
        .assert(3, &["`helm version`: it printed more than 1024 KiB"]);
    helm.says("helm", "#!/bin/sh\nsleep 600\n");
    bench
        .dave
        .run(&DEPLOY)
        .assert(3, &["`helm version`: no answer within 10 s"]);
    fs::remove_file(helm.at.join("helm")).unwrap();
    bench
        .dave
        .run(&DEPLOY)
        .assert(5, &["helm cannot be started", "install Helm 3 or newer"]);
}

#[test]
fn an_upgrade_that_floods_fails_or_takes_too_long_is_no_deploy_and_says_how_the_release_was_left() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 3);
    helm.says(
        "upgrade",
        &format!(
            "{}yes flood | head -c 3000000\nsleep 0.2; echo Error: no quota 1>&2; exit 1\n",
            becomes("failed")
        ),
    );
    let said = bench.dave.run(&DEPLOY);
    said.assert(
        1,
        &[
            "Error: no quota",
            "run FAILED: it ended with exit status: 1",
            "note: wall-green is at revision 8 failed: the next deploy upgrades over it",
        ],
    );
    assert!(said.out.len() < 40_000, "{}", said.out.len());
    let stuck = format!("{}sleep 600\n", becomes("pending-upgrade"));
    helm.says("upgrade", &stuck);
    bench.dave.run(&DEPLOY).assert(
        1,
        &[
            "run FAILED: not within 3 s: it was killed",
            "note: wall-green is at revision 8 pending-upgrade: the helm that was at it died",
        ],
    );
}

#[test]
fn i_52_a_chart_that_renders_the_live_service_otherwise_is_refused_before_anything_is_run() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    let service = |selector: &str| {
        format!(
            "kind: Service\nmetadata: {{name: digital-wall-service}}\nspec: {{selector: {selector}}}\n"
        )
    };
    helm.says(
        "template",
        &service("{app.kubernetes.io/name: x, version: green}"),
    );
    for args in [&PLAN[..], &DEPLOY] {
        bench.dave.run(args).assert(
            5,
            &["renders: the chart renders Service digital-wall-service with version=green, and it has version=blue now"],
        );
    }
    helm.says("template", &service("{version: blue}"));
    bench
        .dave
        .run(&PLAN)
        .assert(5, &["with another selector than it has now"]);
    let live = "kind: Deployment\nmetadata: {name: digital-wall-blue-frontend}\nspec: {template: {metadata: {labels: {version: blue}}}}\n";
    helm.says("template", live);
    bench.dave.run(&PLAN).assert(
        5,
        &["renders Deployment digital-wall-blue-frontend, which is of BLUE and live"],
    );
    helm.says("template", "a: [\n");
    bench.dave.run(&PLAN).assert(
        3,
        &["renders: `helm template` said something that is not understood: no YAML"],
    );
    assert!(helm.calls("upgrade").is_empty());
}

#[test]
fn i_51_an_upgrade_whose_worker_was_killed_is_found_as_what_it_became() {
    for (status, code, words) in [
        ("deployed", 0, "run done: found deployed as revision 8"),
        ("failed", 1, "run FAILED: wall-green revision 8 failed"),
        (
            "pending-upgrade",
            1,
            "its time is over: wall-green is at revision 8 pending-upgrade",
        ),
    ] {
        let bench = Bench::ready();
        let dave = &bench.dave;
        let helm = Helm::of(dave, 6);
        // It goes on when its worker is gone, and is through in a while.
        let script = format!("{}sleep 2\n{}", becomes("pending-upgrade"), becomes(status));
        helm.says("upgrade", &script);
        let id = dave.detach(&DEPLOY);
        helm.await_pending();
        dave.kill_worker();

        let adopted = dave.run(&["op", "adopt", &id]);

        adopted.assert(code, &[words]);
        assert_eq!(helm.calls("upgrade").len(), 1, "it is started once");
        if status == "pending-upgrade" {
            adopted.assert(
                code,
                &["`wheelhouse deploy production --recover --write --reason …`"],
            );
        }
    }
}

#[test]
fn i_51_a_revision_of_somebody_elses_helm_is_not_taken_for_ones_own() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let helm = Helm::of(dave, 20);
    helm.says(
        "upgrade",
        &format!("{}sleep 20\n", becomes("pending-upgrade")),
    );
    let id = dave.detach(&DEPLOY);
    helm.await_pending();
    dave.kill_worker();
    helm.says(
        "history",
        &history(&[
            revision(7, "superseded", ""),
            revision(9, "deployed", "Upgrade complete"),
        ]),
    );
    dave.run(&["op", "adopt", &id])
        .assert(1, &["is not of this operation (Upgrade complete)"]);
}

#[test]
fn doctor_says_whether_helm_and_its_chart_are_there() {
    let bench = Bench::ready();
    let _helm = Helm::of(&bench.dave, 60);
    let said = bench.dave.run(&["doctor"]);
    for part in ["v3.19.0", "/srv/wall is not there"] {
        assert!(said.out.contains(part), "{part} in {said}");
    }
}

#[test]
fn i_45_what_somebody_elses_helm_did_since_the_plan_is_not_upgraded_over() {
    let bench = Bench::ready();
    let helm = Helm::of(&bench.dave, 60);
    helm.says("later", &history(&[revision(8, "deployed", "")]));
    bench.dave.run(&DEPLOY).assert(
        1,
        &["run FAILED: somebody else's helm was at wall-green since the plan: it is at revision 8 deployed"],
    );
    assert!(helm.calls("upgrade").is_empty());
}

#[test]
fn i_32_an_abort_in_mid_upgrade_asks_helm_to_end_so_that_it_can_mark_its_release() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let helm = Helm::of(dave, 60);
    let (pending, failed) = (becomes("pending-upgrade"), becomes("failed"));
    let script =
        format!("ended() {{\n{failed}exit 1\n}}\ntrap 'ended \"$said\"' TERM\n{pending}sleep 30\n");
    helm.says("upgrade", &script);
    let running = dave.start(&DEPLOY);
    helm.await_pending();
    let id = wait("its id", || {
        let said = running.so_far();
        let named = said.lines().find_map(|it| it.strip_prefix("operation "))?;
        (named.len() == 26).then(|| named.to_owned())
    });

    dave.run(&["op", "abort", &id, "--reason", "wrong tag"])
        .assert(0, &[]);

    running.end().assert(
        1,
        &[
            "note: wall-green is at revision 8 failed: the next deploy upgrades over it",
            "run FAILED: aborted by",
        ],
    );
}

/// Somebody who deploys an environment without colours by a helm.
fn in_place(bench: &Bench) -> (Operator, Helm) {
    let erin = Operator::new(&kubeconfig(&bench.served, ""), "staging", "staging", QUICK);
    let helm = Helm::of(&erin, 60);
    let config = fs::read_to_string(erin.home.path().join("config.toml")).unwrap();
    let from = config.find("[environment.traffic]").unwrap();
    let to = config.find("[[environment.workload]]").unwrap();
    erin.edit(&config[from..to], "");
    erin.edit("wall-{colour}", "wall");
    wait("a quiet estate", || {
        (erin.run(&PLAN).code == 0).then_some(())
    });
    (erin, helm)
}

#[test]
fn without_colours_helm_upgrades_in_place_and_a_rollback_goes_back_a_revision() {
    let bench = Bench::new();
    let (erin, helm) = in_place(&bench);
    erin.run(&PLAN).assert(
        0,
        &[
            "deploy to production",
            "R, or `rollback production`: revision 7 of wall again, by helm",
        ],
    );

    erin.run(&DEPLOY).assert(
        0,
        &["run done: revision 8 deployed", "done: production runs"],
    );

    assert!(helm.calls("upgrade")[0].contains("--namespace staging"));
    helm.says(
        "history",
        &history(&[
            revision(7, "superseded", "by hand"),
            revision(8, "deployed", "wheelhouse"),
        ]),
    );
    let becomes = history(&[
        revision(8, "superseded", ""),
        revision(9, "deployed", "Rollback to 7"),
    ]);
    helm.says("after", &becomes);
    helm.says(
        "rollback",
        "echo Rollback was a success; cat \"$AT/after\" >\"$AT/history\"\n",
    );
    erin.run(&["rollback", "production", "--plan"])
        .assert(0, &["wall revision 8 deployed: it goes back to revision 7"]);
    erin.run(&ROLLBACK).assert(
        0,
        &[
            "roll back production to what ran before",
            "note: output: Rollback was a success",
            "run done: revision 9 deployed",
            "roll out digital-wall-staging-backend done",
        ],
    );
    let rollbacks = helm.calls("rollback");
    assert_eq!(rollbacks.len(), 1, "{rollbacks:?}");
    assert!(
        rollbacks[0].starts_with("rollback wall 7 --timeout 60s --namespace staging"),
        "{rollbacks:?}"
    );
    // O06: and not a second time.
    erin.run(&ROLLBACK).assert(
        5,
        &["wall revision 9 deployed: is a rollback already (Rollback to 7)"],
    );
    // Rule 9: without helm the images alone go back, by the API, and the plan says so.
    fs::remove_file(helm.at.join("helm")).unwrap();
    erin.run(&["rollback", "production", "--plan"])
        .assert(0, &["the images alone go back, past helm"]);
}

#[test]
fn i_30_a_second_rollback_by_helm_goes_where_the_first_was_to_go() {
    let bench = Bench::new();
    let (erin, helm) = in_place(&bench);
    let stands = |of: &[(u32, &str, &str)]| {
        let all = of
            .iter()
            .map(|(number, status, said)| revision(*number, status, said));
        helm.says("history", &history(&all.collect::<Vec<_>>()));
    };
    // The first one was killed.
    stands(&[
        (7, "superseded", ""),
        (8, "deployed", ""),
        (9, "pending-rollback", "Rollback to 7"),
    ]);
    erin.run(&ROLLBACK)
        .assert(0, &["note: output: Rollback was a success"]);
    // What it was to apply was refused: helm marks the revision that it was to take away as superseded, too.
    let failed = r#"Rollback \"wall\" failed: conflict"#;
    stands(&[
        (7, "superseded", ""),
        (8, "superseded", ""),
        (9, "failed", failed),
    ]);
    erin.run(&RECOVER)
        .assert(0, &["note: output: Rollback was a success"]);
    let rollbacks = helm.calls("rollback");
    assert_eq!(rollbacks.len(), 2, "{rollbacks:?}");
    for it in rollbacks {
        assert!(it.starts_with("rollback wall 7 --timeout 60s"), "{it}");
    }
}

#[test]
fn without_colours_a_rollback_by_helm_waits_for_the_upgrade_that_it_cuts_off() {
    let bench = Bench::new();
    let (erin, helm) = in_place(&bench);
    // Asked to end, it takes a while to mark its release.
    let (pending, failed) = (becomes("pending-upgrade"), becomes("failed"));
    helm.says(
        "upgrade",
        &format!(
            "ended() {{\nsleep 1\n{failed}exit 1\n}}\ntrap ended TERM\n{pending}sleep 60 & wait\n"
        ),
    );
    helm.says(
        "rollback",
        "grep -o 'pending[a-z-]*' \"$AT/history\" && exit 1; echo went back\n",
    );
    erin.detach(&DEPLOY);
    helm.await_pending();
    erin.run(&["rollback", "production", "--plan"])
        .assert(0, &["pending-upgrade", "is at it and will be cut off"]);
    erin.run(&ROLLBACK).assert(0, &["note: output: went back"]);
}

#[test]
fn in_the_demo_a_deploy_by_helm_says_that_it_needs_a_cluster() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let helm = Helm::of(dave, 60);
    let home = dave.home.path();
    let of_demo = home.join("demo/4000");
    fs::create_dir_all(&of_demo).unwrap();
    fs::copy(home.join("kubeconfig"), of_demo.join("kubeconfig.yaml")).unwrap();
    let from = home.join("kubeconfig").display().to_string();
    dave.edit(
        &format!("{from:?}"),
        &format!("\"{}/kubeconfig.yaml\"", of_demo.display()),
    );
    dave.run(&PLAN).assert(
        5,
        &["helm: the demo's estate is simulated, and keeps no releases"],
    );
    assert!(helm.calls("").is_empty());
}
