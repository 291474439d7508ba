//! Credentials and the kubeconfig: K01, K16, contexts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wheelhouse::clients::kubernetes::{Limits, Target, connect, pinned};
use wheelhouse::estate::{Delta, FaultKind, Kind, Seen};

use super::cockpit::{Kubeconfig, TOKEN, Telling};
use super::server::{Asked, Server, calm, eventually, refused};

const SECOND: Duration = Duration::from_secs(1);

/// A plugin that counts its runs and gives `token-<run>`.
const COUNTING: &str = r#"echo x >> runs
printf '{"kind":"ExecCredential","status":{"token":"token-%s"}}' $(wc -l < runs)"#;

fn runs(kubeconfig: &Kubeconfig) -> usize {
    std::fs::read_to_string(kubeconfig.folder.path().join("runs"))
        .map_or(0, |text| text.lines().count())
}

fn bears(asked: &Asked, token: &str) -> bool {
    asked.header("authorization") == Some(&format!("Bearer {token}"))
}

#[tokio::test]
async fn a_plugin_runs_once_for_all_requests() {
    let server = Server::start(calm).await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, COUNTING);
    let cluster = kubeconfig.connect().await;
    for kind in Kind::ALL {
        Telling::of(&cluster, kind).opened().await;
    }
    assert_eq!(runs(&kubeconfig), 1);
    assert!(server.asked().iter().all(|a| bears(a, "token-1")));
}

#[tokio::test]
async fn k01_one_401_costs_one_refresh_and_is_not_seen() {
    let server = Server::start(|asked| match bears(asked, "token-1") {
        true => refused(401, "Unauthorized"),
        false => calm(asked),
    })
    .await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, COUNTING);
    let cluster = kubeconfig.connect().await;
    let mut pods = Telling::of(&cluster, Kind::Pods);
    pods.opened().await;
    cluster.pulse(SECOND).await.unwrap();
    assert_eq!(runs(&kubeconfig), 2);
    assert!(!pods.seen.iter().any(|s| matches!(s, Seen::Failed(..))));
}

#[tokio::test]
async fn k01_a_token_that_ends_while_watching_costs_no_new_list() {
    let ended = Arc::new(AtomicBool::new(false));
    let is_ended = ended.clone();
    let server = Server::start(move |asked| {
        match bears(asked, "token-1") && is_ended.load(Ordering::SeqCst) {
            true => refused(401, "Unauthorized"),
            false => calm(asked),
        }
    })
    .await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, COUNTING);
    let cluster = kubeconfig.connect().await;
    let mut pods = Telling::of(&cluster, Kind::Pods);
    pods.opened().await;
    ended.store(true, Ordering::SeqCst);
    cluster.resume_watches();
    pods.opened().await;
    assert_eq!(
        (runs(&kubeconfig), server.count(|a| a.lists("pods"))),
        (2, 1)
    );
}

#[tokio::test]
async fn k01_401_for_ever_is_login_needed_after_one_refresh() {
    let server = Server::start(|_| refused(401, "Unauthorized")).await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, COUNTING);
    let cluster = kubeconfig.connect().await;
    let mut pods = Telling::of(&cluster, Kind::Pods);
    for _ in 0..5 {
        let fault = pods.fault().await;
        assert_eq!(fault.kind, FaultKind::LoginNeeded);
        assert!(fault.what.starts_with("login needed"), "{}", fault.what);
    }
    assert_eq!(
        cluster.pulse(SECOND).await.unwrap_err().kind,
        FaultKind::LoginNeeded
    );
    assert_eq!(
        runs(&kubeconfig),
        2,
        "one refresh, not one for each refusal"
    );
    assert!(!pods.seen.contains(&Seen::Pods(Delta::Ended)));
}

#[tokio::test]
async fn k16_what_looks_like_a_secret_in_what_a_plugin_says_is_masked() {
    let server = Server::start(calm).await;
    let script = r#"echo "refused: token=a1B2c3D4e5F6 for https://me:hunter2@login.example/x" >&2
printf -- '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\nask again\n' >&2
exit 7"#;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, script);
    let connected = kubeconfig.connect_within(Limits::default()).await;
    let fault = connected.unwrap_err();
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    for secret in ["a1B2c3D4e5F6", "hunter2", "MIIEvQIBADANBgkq"] {
        assert!(!fault.what.contains(secret), "{}", fault.what);
    }
    for said in ["refused: token=***", "me:***@login.example", "ask again"] {
        assert!(fault.what.contains(said), "{}", fault.what);
    }
}

#[tokio::test]
async fn k01_a_kubeconfig_that_was_logged_in_again_is_read_again() {
    let server = Server::start(|asked| match bears(asked, "new") {
        true => calm(asked),
        false => refused(401, "Unauthorized"),
    })
    .await;
    let kubeconfig = Kubeconfig::new(&server.url, "{token: old}");
    let cluster = kubeconfig.connect().await;
    let text = std::fs::read_to_string(kubeconfig.path()).unwrap();
    std::fs::write(kubeconfig.path(), text.replace("token: old", "token: new")).unwrap();
    cluster.pulse(SECOND).await.unwrap();
}

#[tokio::test]
async fn a_credential_that_is_about_to_end_is_renewed_before_it_is_used() {
    let server = Server::start(calm).await;
    let script = r#"echo x >> runs
if [ $(wc -l < runs) = 1 ]; then at=2020-01-01T00:00:00Z; else at=2099-01-01T00:00:00Z; fi
printf '{"status":{"token":"t","expirationTimestamp":"%s"}}' $at"#;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, script);
    let cluster = kubeconfig.connect().await;
    cluster.pulse(SECOND).await.unwrap();
    cluster.pulse(SECOND).await.unwrap();
    assert_eq!(runs(&kubeconfig), 2);
}

/// A plugin that gives a token of 40 more seconds, and the same each time.
fn keeping() -> String {
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(40);
    format!(
        "echo x >> runs\nif [ -e other ]; then token=other; else token=t; fi\n\
         printf '{{\"status\":{{\"token\":\"%s\",\"expirationTimestamp\":\"{ends}\"}}}}' $token"
    )
}

#[tokio::test]
async fn a_plugin_that_gives_the_same_until_its_end_is_not_run_for_each_request() {
    let server = Server::start(calm).await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, &keeping());
    let cluster = kubeconfig.connect().await;
    for _ in 0..50 {
        cluster.pulse(10 * SECOND).await.unwrap();
    }
    // To connect, before the first request, and every ten seconds from then on.
    let runs = runs(&kubeconfig);
    assert!((2..=4).contains(&runs), "{runs}");
}

#[tokio::test]
async fn k01_a_401_refreshes_at_once_although_the_plugin_was_just_asked() {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let server =
        Server::start(
            move |asked| match bears(asked, "t") && over.load(Ordering::SeqCst) {
                true => refused(401, "Unauthorized"),
                false => calm(asked),
            },
        )
        .await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, &keeping());
    let cluster = kubeconfig.connect().await;
    cluster.pulse(10 * SECOND).await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    std::fs::write(kubeconfig.folder.path().join("other"), "").unwrap();
    let before = runs(&kubeconfig);
    cluster.pulse(10 * SECOND).await.unwrap();
    assert_eq!(runs(&kubeconfig), before + 1);
}

/// A plugin that hangs for so many seconds whenever it is asked again, and then does what `script` says.
fn hanging(seconds: u32, script: &str) -> String {
    format!("echo x >> asked\nif [ -e runs ]; then sleep {seconds}; fi\n{script}")
}

#[tokio::test]
async fn rule_9_a_plugin_that_hangs_before_its_time_keeps_nobody_from_a_credential_that_is_valid() {
    let server = Server::start(calm).await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, &hanging(1000, &keeping()));
    let cluster = kubeconfig.connect().await;
    let started = Instant::now();
    let first = cluster.pulse(10 * SECOND);
    let second = async {
        tokio::time::sleep(SECOND / 4).await;
        cluster.pulse(10 * SECOND).await.unwrap();
        started.elapsed()
    };
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    let first = started.elapsed();
    assert!(first < 5 * SECOND, "{first:?}: it waited for the plugin");
    assert!(second < SECOND, "{second:?}: it waited for the first");
    let started = Instant::now();
    for _ in 0..20 {
        cluster.pulse(10 * SECOND).await.unwrap();
    }
    let more = started.elapsed();
    assert!(more < 5 * SECOND, "{more:?}: each waits for it");
    let asked = std::fs::read_to_string(kubeconfig.folder.path().join("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "it was asked again, once");
    assert!(server.asked().iter().all(|asked| bears(asked, "t")));
}

#[tokio::test]
async fn rule_9_what_a_plugin_gives_late_is_used_by_whoever_asks_then() {
    let server = Server::start(calm).await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, &hanging(3, &keeping()));
    let cluster = kubeconfig.connect().await;
    std::fs::write(kubeconfig.folder.path().join("other"), "").unwrap();
    let started = Instant::now();
    cluster.pulse(10 * SECOND).await.unwrap();
    assert!(server.asked().iter().all(|asked| bears(asked, "t")));
    let is_other = || server.asked().iter().any(|asked| bears(asked, "other"));
    while !is_other() && started.elapsed() < 9 * SECOND {
        cluster.pulse(10 * SECOND).await.unwrap();
    }
    assert!(is_other(), "it was given up");
    assert_eq!(runs(&kubeconfig), 2);
}

#[tokio::test]
async fn rule_9_whoever_has_no_patience_for_a_plugin_leaves_the_old_credential_to_the_next() {
    let server = Server::start(calm).await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, &hanging(1000, &keeping()));
    let cluster = kubeconfig.connect().await;
    let hurried = tokio::time::timeout(SECOND / 4, cluster.pulse(SECOND)).await;
    assert!(hurried.is_err(), "the plugin hangs");
    let started = Instant::now();
    cluster.pulse(10 * SECOND).await.unwrap();
    assert!(started.elapsed() < 5 * SECOND, "{:?}", started.elapsed());
}

#[tokio::test]
async fn k16_a_plugin_that_hangs_is_ended_with_all_that_it_started() {
    let kubeconfig = Kubeconfig::with_plugin(
        "http://127.0.0.1:9",
        "echo $$ > pid; sleep 1000 & echo $! >> pid; wait",
    );
    let limits = Limits {
        plugin: SECOND,
        ..Limits::default()
    };
    let started = Instant::now();
    let fault = kubeconfig.connect_within(limits).await.unwrap_err();
    assert!(started.elapsed() < 10 * SECOND);
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    assert!(fault.what.contains("within 1 s"), "{}", fault.what);
    let pids = std::fs::read_to_string(kubeconfig.folder.path().join("pid")).unwrap();
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        let status = format!("/proc/{pid}/status");
        let is_gone = || std::fs::read_to_string(&status).map_or(true, |s| s.contains("State:\tZ"));
        eventually("the plugin is gone", is_gone).await;
    }
}

#[tokio::test]
async fn k16_what_a_failing_plugin_says_is_shown_cleaned() {
    let script = r#"printf '\033]0;evil\007\033[31mSSO session expired: run sso login\033[0m Bearer abcdefghijklmnopqrst' >&2; exit 1"#;
    let fault = Kubeconfig::with_plugin("http://127.0.0.1:9", script)
        .connect_within(Limits::default())
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    assert!(
        fault.what.contains("SSO session expired: run sso login"),
        "{}",
        fault.what
    );
    assert!(
        !fault.what.contains("evil") && !fault.what.contains("abcdefghijkl"),
        "{}",
        fault.what
    );
}

#[tokio::test]
async fn k16_a_plugin_that_prompts_meets_the_end_of_input_and_is_told_so() {
    let script = r#"printf "$KUBERNETES_EXEC_INFO" > info; printf 'Password: ' >&2; read -r answer || exit 3; echo "$answer""#;
    let kubeconfig = Kubeconfig::with_plugin("http://127.0.0.1:9", script);
    let fault = kubeconfig
        .connect_within(Limits::default())
        .await
        .unwrap_err();
    assert!(
        fault.what.contains("Password:") && fault.what.contains('3'),
        "{}",
        fault.what
    );
    let info = std::fs::read_to_string(kubeconfig.folder.path().join("info")).unwrap();
    assert!(info.contains(r#""interactive":false"#), "{info}");
}

#[tokio::test]
async fn k16_a_plugin_that_prints_rubbish_does_not_have_it_shown() {
    let fault = Kubeconfig::with_plugin(
        "http://127.0.0.1:9",
        "echo '{\"status\": {\"token\": \"s3cr3t\"'",
    )
    .connect_within(Limits::default())
    .await
    .unwrap_err();
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    assert!(!fault.what.contains("s3cr3t"), "{}", fault.what);
}

#[tokio::test]
async fn k16_a_plugin_that_is_missing_is_named() {
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, installHint: brew install it}}";
    let kubeconfig = Kubeconfig::new("http://127.0.0.1:9", user);
    let fault = kubeconfig
        .connect_within(Limits::default())
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Config);
    assert!(
        fault.what.contains("no-such-plugin") && fault.what.contains("brew install it"),
        "{}",
        fault.what
    );
}

#[tokio::test]
async fn two_contexts_lead_to_two_clusters_and_an_unknown_one_lists_them() {
    let kubeconfig = Kubeconfig::new("http://127.0.0.1:8", TOKEN);
    let mut target = kubeconfig.target();
    assert_eq!(connect(&target).await.unwrap().host(), "127.0.0.1:8");
    target.context = Some("there".into());
    assert_eq!(connect(&target).await.unwrap().host(), "127.0.0.1:9");
    target.context = Some("nowhere".into());
    let fault = connect(&target).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Config);
    assert_eq!(
        fault.what.as_str(),
        "the kubeconfig has no context \"nowhere\"; it has: here, there"
    );
}

#[tokio::test]
async fn c03_the_current_context_is_pinned_and_named_though_another_is_chosen_later() {
    let server = Server::start(|asked| match bears(asked, "token-1") {
        true => refused(401, "Unauthorized"),
        false => calm(asked),
    })
    .await;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, COUNTING);
    let cluster = kubeconfig.connect().await;
    assert_eq!(cluster.context(), "here");
    // Somebody's `kubectl config use-context` in another window; then the credential is fetched anew.
    let file = kubeconfig.target().kubeconfig.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let other = text.replace("current-context: here", "current-context: there");
    assert_ne!(text, other);
    std::fs::write(&file, other).unwrap();
    cluster.pulse(SECOND).await.unwrap();
    assert_eq!(runs(&kubeconfig), 2, "the credential is a new one");
    assert_eq!(cluster.host(), server.url.trim_start_matches("http://"));
    assert_eq!(kubeconfig.connect().await.context(), "there");
}

#[test]
fn c03_what_leads_into_the_pods_own_cluster_goes_on_to_where_a_kubeconfig_appears_later() {
    const NAME: &str = "credentials::c03_what_leads_into_the_pods_own_cluster_goes_on_to_where_a_kubeconfig_appears_later";
    let Some(home) = std::env::var_os("HOME_OF_THE_POD").map(std::path::PathBuf::from) else {
        // The same once more, in the environment of a pod.
        let home = tempfile::tempdir().unwrap();
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args([NAME, "--exact"])
            .envs([("HOME", home.path()), ("HOME_OF_THE_POD", home.path())])
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", "9")
            .env_remove("KUBECONFIG");
        let out = test.output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let leads = |target: &Target| match runtime.block_on(connect(target)) {
        Ok(cluster) => cluster.host(),
        Err(fault) => fault.what.to_string(),
    };
    let target = Target::default();
    let of_pod = pinned(&target);
    // Or why it does not: what a pod is given to speak to its API server is hardly here.
    let own = leads(&target);
    assert_eq!(leads(&of_pod), own);
    std::fs::create_dir(home.join(".kube")).unwrap();
    let file = home.join(".kube/config");
    std::fs::write(&file, "clusters: [").unwrap();
    let words = leads(&target);
    assert!(words.contains("YAML"), "it is there: {words}");
    let there = "current-context: there\ncontexts: [{name: there, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:7'}}]";
    std::fs::write(&file, there).unwrap();
    assert_eq!(leads(&target), "127.0.0.1:7");
    assert_eq!(leads(&of_pod), own);
    assert_eq!(pinned(&of_pod), of_pod);
    // Programs of others are led to the same by it.
    assert_eq!(of_pod.kubeconfig, Some("/dev/null".into()));
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let target = Target {
        kubeconfig: Some(path.clone()),
        context: None,
        namespace: "shop".into(),
        records: None,
    };
    let cluster = |cluster: &str| {
        format!(
            "current-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\nclusters: [{cluster}]\n"
        )
    };
    for (text, words) in [
        (None, "No such file"),
        (Some("clusters: [".into()), "YAML"),
        (Some("contexts: []".into()), "no current context"),
        (Some(cluster("")), "which the kubeconfig lacks"),
        (Some(cluster("{name: c, cluster: {}}")), "no server"),
        (
            Some(cluster("{name: c, cluster: {server: 'ftp://x'}}")),
            "neither https nor http",
        ),
        (
            Some(cluster(
                "{name: c, cluster: {server: 'https://x', certificate-authority-data: '!'}}",
            )),
            "authority",
        ),
        (
            Some(cluster(
                "{name: c, cluster: {server: 'https://x', certificate-authority-data: aGk=}}",
            )),
            "no certificate",
        ),
        (
            Some(cluster(
                "{name: c, cluster: {server: 'https://x', proxy-url: 'gopher://p'}}",
            )),
            "proxy",
        ),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let fault = connect(&target).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Config);
        assert!(fault.what.contains(words), "{words:?} in {}", fault.what);
    }
}

#[tokio::test]
async fn a_token_file_is_read() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(|asked| {
        ASKED.fetch_add(usize::from(bears(asked, "of-the-file")), Ordering::SeqCst);
        calm(asked)
    })
    .await;
    let kubeconfig = Kubeconfig::new(&server.url, "{tokenFile: token}");
    std::fs::write(kubeconfig.folder.path().join("token"), "of-the-file").unwrap();
    kubeconfig.connect().await.pulse(SECOND).await.unwrap();
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}
