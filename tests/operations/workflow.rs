//! Deploys by a workflow of GitHub's, and jobs of its run that join the operation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, Operator, QUICK, ROLLBACK, Said, wait};
use crate::relay::{Asked, Fate};

/// The run that the workflow is.
const RUN: u64 = 77;
/// A deploy by the workflow, which knows its images itself.
const BY_WORKFLOW: [&str; 6] = ["deploy", "production", "--write", "--yes", "--reason", "v3"];

/// What GitHub does with a dispatch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reply {
    Told,
    /// It is an older one, which refuses to be asked for the run and starts it without a word of it.
    Older,
    /// It starts the run, and the answer gets lost on the way.
    Lost,
    /// It never gets there.
    Away,
}

/// What GitHub does with a cancellation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cancel {
    /// It ends the run.
    Ends,
    /// It takes it, and the run goes on.
    GoesOn,
    /// It has ended by itself a moment before.
    TooLate,
    Forbidden,
    /// It does not even answer sensibly.
    Away,
}

/// A GitHub with one workflow.
struct Hub {
    url: String,
    state: Arc<Mutex<Known>>,
    _runtime: Runtime,
}

#[derive(Debug)]
struct Known {
    reply: Reply,
    cancel: Cancel,
    cancelled: usize,
    dispatched: Vec<Value>,
    /// Its list of runs is away.
    is_deaf: bool,
    /// How often that was asked for.
    listed: usize,
    conclusion: Option<&'static str>,
    is_started: bool,
    /// Its environment's reviewers said yes, or nobody has to.
    is_reviewed: bool,
    /// Its token was revoked.
    is_revoked: bool,
    /// What its reviewers decided.
    decided: Vec<Value>,
    /// Somebody runs it again; GitHub says the end of the attempt before as long as that goes.
    is_run_again: bool,
}

type Shared = Arc<Mutex<Known>>;

fn lock(state: &Shared) -> MutexGuard<'_, Known> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn dispatch(State(state): State<Shared>, body: String) -> Response {
    let mut known = lock(&state);
    known.dispatched.push(serde_json::from_str(&body).unwrap());
    let asks = known
        .dispatched
        .last()
        .is_some_and(|sent| !sent["return_run_details"].is_null());
    if known.reply == Reply::Older && asks {
        let words = json!({"message": "\"return_run_details\" is not a permitted key."});
        return (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(words)).into_response();
    }
    known.is_started |= known.reply != Reply::Away;
    match known.reply {
        Reply::Older => StatusCode::NO_CONTENT.into_response(),
        Reply::Told => axum::Json(json!({"workflow_run_id": RUN, "html_url": "x"})).into_response(),
        Reply::Lost | Reply::Away => (StatusCode::BAD_GATEWAY, "away").into_response(),
    }
}

fn run(known: &Known) -> Value {
    let operation = known
        .dispatched
        .last()
        .map(|sent| sent["inputs"]["operation"].clone());
    let title = format!(
        "Deploy {}",
        operation.unwrap_or_default().as_str().unwrap_or_default()
    );
    json!({
        "id": RUN, "run_number": 7, "display_title": title, "event": "workflow_dispatch",
        "run_attempt": if known.is_run_again { 2 } else { 1 },
        "status": match (known.conclusion, known.is_reviewed) {
            (Some(_), _) if known.is_run_again => "in_progress",
            (Some(_), _) => "completed",
            (None, true) => "in_progress",
            (None, false) => "waiting",
        },
        "conclusion": known.conclusion, "html_url": "https://github.example/runs/77",
    })
}

async fn cancel(State(state): State<Shared>, Path(id): Path<u64>) -> Response {
    assert_eq!(id, RUN);
    let mut known = lock(&state);
    known.cancelled += 1;
    let says =
        |status, words: &str| (status, axum::Json(json!({"message": words}))).into_response();
    match known.cancel {
        Cancel::Ends => {
            known.conclusion = Some("cancelled");
            (StatusCode::ACCEPTED, "{}").into_response()
        }
        Cancel::GoesOn => (StatusCode::ACCEPTED, "{}").into_response(),
        Cancel::TooLate => {
            known.conclusion = Some("failure");
            let words = "Cannot cancel a workflow run that is completed.";
            says(StatusCode::CONFLICT, words)
        }
        Cancel::Forbidden => says(
            StatusCode::FORBIDDEN,
            "Must have admin rights to Repository.",
        ),
        Cancel::Away => says(StatusCode::BAD_GATEWAY, "away"),
    }
}

async fn one(State(state): State<Shared>, Path(id): Path<u64>) -> Response {
    if lock(&state).is_revoked {
        let words = json!({"message": "Bad credentials"});
        return (StatusCode::UNAUTHORIZED, axum::Json(words)).into_response();
    }
    match id {
        RUN => axum::Json(run(&lock(&state))).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn decided(State(state): State<Shared>) -> Response {
    axum::Json(lock(&state).decided.clone()).into_response()
}

async fn all(State(state): State<Shared>) -> Response {
    let mut known = lock(&state);
    known.listed += 1;
    if known.is_deaf {
        return (StatusCode::BAD_GATEWAY, "away").into_response();
    }
    let runs = if known.is_started {
        vec![run(&known)]
    } else {
        Vec::new()
    };
    axum::Json(json!({"total_count": runs.len(), "workflow_runs": runs})).into_response()
}

impl Hub {
    fn new(reply: Reply) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let state = Arc::new(Mutex::new(Known {
            reply,
            cancel: Cancel::Ends,
            cancelled: 0,
            dispatched: Vec::new(),
            is_deaf: false,
            listed: 0,
            conclusion: None,
            is_started: false,
            is_reviewed: true,
            is_revoked: false,
            decided: Vec::new(),
            is_run_again: false,
        }));
        let actions = "/repos/acme/digital-wall/actions";
        let router = Router::new()
            .route(
                &format!("{actions}/workflows/deploy.yml/dispatches"),
                post(dispatch),
            )
            .route(&format!("{actions}/workflows/deploy.yml/runs"), get(all))
            .route(&format!("{actions}/runs/{{id}}"), get(one))
            .route(&format!("{actions}/runs/{{id}}/cancel"), post(cancel))
            .route(&format!("{actions}/runs/{{id}}/approvals"), get(decided))
            .with_state(state.clone());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            state,
            _runtime: runtime,
        }
    }

    fn ends(&self, conclusion: &'static str) {
        lock(&self.state).conclusion = Some(conclusion);
    }

    fn cancelled(&self) -> usize {
        lock(&self.state).cancelled
    }

    fn dispatched(&self) -> Vec<Value> {
        lock(&self.state).dispatched.clone()
    }

    /// Has `operator` deploy by the workflow.
    fn of(&self, operator: &Operator) {
        let github = format!(
            "[github]\nrepository = \"acme/digital-wall\"\nworkflow = \"ci.yml\"\napi = {:?}\n[operations]\n",
            self.url
        );
        operator.edit("[operations]\n", &github);
        operator.edit(
            "[environment.traffic]",
            "[environment.deployment]\nstrategy = \"workflow\"\nworkflow = \"deploy.yml\"\nref = \"main\"\n\
             inputs = { operation = \"{operation}\", colour = \"{colour}\" }\n[environment.traffic]",
        );
        operator.edit("moved = 20", "moved = 3");
    }
}

/// A job of that run, on a machine of its own.
fn job(bench: &Bench) -> Operator {
    let kubeconfig = bench.served.home.path().join("admin.kubeconfig");
    Operator::new(&kubeconfig, "production", "production", QUICK)
}

fn joins(job: &Operator, id: &str, run: Option<u64>) -> Said {
    let args = [&DEPLOY[..], &["--within", id]].concat();
    let run = run.map(|run| run.to_string());
    let env: Vec<_> = run
        .iter()
        .map(|run| ("GITHUB_RUN_ID", run.as_str()))
        .collect();
    job.start_with(&env, &args).end()
}

/// An estate at 0, a GitHub that answers so, and a deploy that follows its run.
fn following(reply: Reply) -> (Bench, Hub, String) {
    let bench = Bench::ready();
    bench.idle_at_0();
    let hub = Hub::new(reply);
    hub.of(&bench.dave);
    let id = bench.dave.detach(&BY_WORKFLOW);
    wait("the run to be followed", || {
        bench.dave.story(&id).contains("follow …").then_some(())
    });
    (bench, hub, id)
}

#[test]
fn a_job_of_the_run_joins_the_operation_that_dispatched_it_under_its_lease() {
    let (bench, hub, id) = following(Reply::Told);
    let sent = hub.dispatched();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0],
        json!({"ref": "main", "inputs": {"operation": id, "colour": "green"}, "return_run_details": true})
    );
    let leases = "/apis/coordination.k8s.io/v1/namespaces/production/leases/wheelhouse-service-digital-wall-api";
    let before = bench.ask("GET", leases, None)["spec"].clone();
    let job = job(&bench);

    let said = joins(&job, &id, Some(RUN));

    said.assert(0, &["done: GREEN runs frontend v3, backend v3"]);
    let after = bench.ask("GET", leases, None)["spec"].clone();
    assert_eq!(
        after["holderIdentity"], before["holderIdentity"],
        "it was not taken"
    );
    assert_eq!(after["leaseTransitions"], before["leaseTransitions"]);
    let is_lease = |it: &Asked| it.is_write() && it.path.contains("/leases");
    assert_eq!(job.relay.count(is_lease), 0);
    let story = bench.dave.story(&id);
    for part in [
        "dispatched run 77",
        "note: run 77: deploy to GREEN of production",
        "note: run 77: update digital-wall-green-frontend done",
        "note: run 77: done: GREEN runs",
    ] {
        assert!(story.contains(part), "{part} in {story}");
    }
    let records = bench.ask("GET", "/api/v1/namespaces/production/configmaps", None);
    let ours = |it: &&Value| !it["metadata"]["labels"]["wheelhouse.dev/record"].is_null();
    assert_eq!(
        records["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(ours)
            .count(),
        1
    );
    // The epoch on what it patched is the operation's.
    let deployment = bench.deployment("production", "digital-wall-green-frontend");
    let marks = &deployment["metadata"]["annotations"];
    assert_eq!(marks["wheelhouse.dev/operation"], json!(id));

    hub.ends("success");
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(0, &["follow done: run 77 succeeded", "done: GREEN runs"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn a_run_that_waits_for_githubs_reviewers_says_so_once_and_goes_on_with_it() {
    let (bench, hub, id) = following(Reply::Told);
    let story = || bench.dave.story(&id);
    let waits = "WAITS: GitHub's reviewers of run 77: https://github.example/runs/77";
    lock(&hub.state).is_reviewed = false;
    wait("the review to be told", || {
        story().contains(waits).then_some(())
    });
    lock(&hub.state).is_reviewed = true;
    wait("it to go on", || story().contains("goes on").then_some(()));
    assert_eq!(story().matches(waits).count(), 1, "{}", story());
    hub.ends("failure");
    bench.dave.run(&["op", "watch", &id]);
}

#[test]
fn i_49_githubs_review_is_one_that_somebody_gave_and_of_what_was_deployed_under_it() {
    let demands = json!({
        "metadata": {"name": "wheelhouse-policy"},
        "data": {"schema": "1", "approval.production": "github review"},
    });
    let plan = ["cutover", "production", "--plan"];
    for is_reviewed in [false, true] {
        let (bench, hub, id) = following(Reply::Told);
        bench.ask(
            "POST",
            "/api/v1/namespaces/production/configmaps",
            Some(&demands),
        );
        joins(&job(&bench), &id, Some(RUN)).assert(0, &["done: GREEN runs"]);
        if is_reviewed {
            lock(&hub.state).decided = vec![json!({
                "state": "approved", "comment": "due", "user": {"login": "erin"},
                "environments": [{"id": 7, "name": "production"}],
            })];
        }
        hub.ends("success");
        bench
            .dave
            .run(&["op", "watch", &id])
            .assert(0, &["done: GREEN runs"]);
        bench.dave.await_no_worker();
        if !is_reviewed {
            bench
                .dave
                .run(&plan)
                .assert(3, &["GitHub let run 77 go on without anybody's review"]);
            continue;
        }
        let story = bench.dave.story(&id);
        assert!(
            story.contains("reviewed at GitHub by erin: backend"),
            "{story}"
        );
        bench
            .dave
            .run(&plan)
            .assert(0, &["reviewed at GitHub by erin, run 77"]);
        // By another hand, behind the review.
        let other = json!([{"op": "add", "path": "/spec/template/metadata/annotations", "value": {"by": "hand"}}]);
        bench.patch_json("digital-wall-green-backend", &other);
        wait("its rollout", || {
            let said = bench.dave.run(&plan);
            let is_said = said.code == 3 && said.to_string().contains("changed since run 77");
            is_said.then_some(said)
        })
        .assert(
            3,
            &["backend changed since run 77 was reviewed and deployed it"],
        );
    }
}

#[test]
fn g07_a_run_that_somebody_else_cancels_is_no_deploy() {
    let (bench, hub, id) = following(Reply::Told);
    hub.ends("cancelled");
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(1, &["follow FAILED: run 77 ended cancelled"]);
    assert_eq!(hub.cancelled(), 0, "it was not ours to cancel");
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn g07_a_run_that_is_run_again_is_judged_by_the_attempt_that_runs() {
    let bench = Bench::ready();
    bench.idle_at_0();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    // Before anybody looks the first attempt is over, and the second one begun.
    {
        let mut known = lock(&hub.state);
        (known.conclusion, known.is_run_again) = (Some("success"), true);
    }
    let id = bench.dave.detach(&BY_WORKFLOW);
    wait("the run to be followed", || {
        bench.dave.story(&id).contains("follow …").then_some(())
    });
    let looks = || bench.dave.story(&id).contains("follow done");
    let until = std::time::Instant::now() + Duration::from_secs(8);
    while std::time::Instant::now() < until {
        assert!(!looks(), "judged by the attempt before");
        std::thread::park_timeout(Duration::from_millis(200));
    }
    {
        let mut known = lock(&hub.state);
        (known.conclusion, known.is_run_again) = (Some("failure"), false);
    }
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(1, &["follow FAILED: run 77 ended in failure"]);
}

#[test]
fn whoever_is_no_job_of_that_run_does_not_join() {
    let (bench, hub, id) = following(Reply::Told);
    let job = job(&bench);
    joins(&job, &id, None).assert(2, &["GITHUB_RUN_ID names none here"]);
    joins(&job, "../x", Some(RUN)).assert(2, &["is no operation's id"]);
    joins(&job, &id, Some(78)).assert(6, &["dispatched run 77, and this is run 78"]);
    joins(&job, "01j00000000000000000000000", Some(RUN)).assert(6, &["there is no operation"]);
    hub.ends("success");
    bench.dave.run(&["op", "watch", &id]);
    joins(&job, &id, Some(RUN)).assert(6, &["is over (done): nothing joins it"]);
    assert_eq!(job.relay.count(Asked::is_update), 0);
}

#[test]
fn a_job_that_is_told_off_in_the_words_of_an_end_goes_on_as_long_as_there_is_none() {
    let (bench, hub, id) = following(Reply::Told);
    let job = job(&bench);
    // The API server's words are anybody's: what ends a job is the record.
    let words = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "the quota of this namespace is over: there is no operation left"});
    let fate = Fate::Said(403, words.to_string());
    let trap = job.relay.trap(fate, 1, |it| {
        it.records("run 77: update digital-wall-green-frontend done")
    });
    joins(&job, &id, Some(RUN)).assert(0, &["done: GREEN runs frontend v3, backend v3"]);
    assert!(trap.is_caught());
    hub.ends("success");
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(0, &["done: GREEN runs"]);
}

#[test]
fn k17_a_job_whose_operation_has_no_record_any_more_ends() {
    let (bench, _hub, id) = following(Reply::Told);
    let job = job(&bench);
    let trap = job.relay.trap(Fate::HeldAfter, 1, Asked::is_update);
    let args = [&DEPLOY[..], &["--within", &id]].concat();
    let running = job.start_with(&[("GITHUB_RUN_ID", "77")], &args);
    trap.wait("the patch");
    bench.ask("DELETE", &Bench::record_path(&id), None);
    trap.let_go();
    let said = running.end();
    assert_ne!(said.code, 0, "{said}");
    said.assert(said.code, &["there is no operation", &id]);
    assert_eq!(job.relay.count(Asked::is_update), 1, "{said}");
}

#[test]
fn i_24_a_rollback_is_a_part_of_no_other_operation() {
    let (bench, hub, id) = following(Reply::Told);
    let job = job(&bench);
    let args = [&ROLLBACK[..], &["--within", &id]].concat();
    // Whatever the operation is at, and whoever runs it: `if: failure()` of a job moves traffic back all the same.
    let said = job.start(&args).end();
    let words =
        "a rollback waits for no other operation, and is no part of one: --within is left out";
    assert!(said.err.contains(words), "{said}");
    assert!(!said.err.contains("GITHUB_RUN_ID"), "{said}");
    hub.ends("success");
    bench.dave.run(&["op", "watch", &id]);
}

#[test]
fn p03_a_cutover_that_joined_and_is_interrupted_says_that_nobody_goes_on_with_it() {
    let (bench, hub, id) = following(Reply::Told);
    let job = job(&bench);
    joins(&job, &id, Some(RUN)).assert(0, &["done: GREEN runs"]);
    let half = job.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let args = [&CUTOVER[..], &["--within", &id]].concat();
    let running = job.start_with(&[("GITHUB_RUN_ID", "77")], &args);
    half.wait("the first flip");
    running.send(Signal::TERM);
    wait("the signal to be heard", || {
        running
            .complaints()
            .contains("stops at the next")
            .then_some(())
    });
    half.let_go();

    let said = running.end();

    let way_on = [
        "it was a part of operation",
        "run it again in a job that joins it",
        "`wheelhouse rollback production` brings traffic back",
    ];
    said.assert(7, &way_on);
    assert!(!said.err.contains("op adopt"), "{said}");
    let story = bench.dave.story(&id);
    assert!(
        story.contains("run 77: interrupted: ") && story.contains("what it did stands"),
        "{story}"
    );
    // Half way: the way on that was named is one.
    assert_eq!(bench.colours(), ["green", "blue"]);
    hub.ends("failure");
    bench.dave.run(&["op", "watch", &id]);
    bench.dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_43_a_job_whose_operation_is_taken_over_writes_nothing_more() {
    let (bench, _hub, id) = following(Reply::Told);
    let job = job(&bench);
    let trap = job.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    let args = [&DEPLOY[..], &["--within", &id]].concat();
    let running = job.start_with(&[("GITHUB_RUN_ID", "77")], &args);
    trap.wait("the patch");
    let erin = job_free(&bench);
    erin.run(&["op", "abandon", &id, "--reason", "wrong build"])
        .assert(0, &["abandoned as it stands"]);
    trap.let_go();

    let said = running.end();

    assert_ne!(said.code, 0, "{said}");
    let late = job
        .relay
        .asked()
        .into_iter()
        .find(Asked::is_update)
        .unwrap();
    assert_eq!(late.status, 422, "{said}");
    assert!(
        bench
            .runs("green")
            .iter()
            .all(|(image, _)| !image.ends_with(":v3"))
    );
}

/// Somebody who has nothing to do with the run.
fn job_free(bench: &Bench) -> Operator {
    job(bench)
}

#[test]
fn i_53_a_dispatch_whose_answer_is_lost_is_looked_for_and_never_sent_again() {
    let (bench, hub, id) = following(Reply::Lost);
    let story = bench.dave.story(&id);
    assert!(story.contains("dispatch UNKNOWN"), "{story}");
    assert!(
        story.contains("dispatch done: run 77, found by its name"),
        "{story}"
    );
    assert_eq!(hub.dispatched().len(), 1);
    hub.ends("success");
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(0, &["done: GREEN runs"]);

    let bench = Bench::ready();
    let hub = Hub::new(Reply::Away);
    hub.of(&bench.dave);
    bench.dave.run(&BY_WORKFLOW).assert(
        1,
        &[
            "no run of deploy.yml names operation",
            "it is not dispatched again",
        ],
    );
    assert_eq!(hub.dispatched().len(), 1);
}

#[test]
fn i_53_an_older_server_starts_one_run_which_is_found_by_its_name() {
    let (bench, hub, id) = following(Reply::Older);
    let story = bench.dave.story(&id);
    let found = "dispatch done: run 77, found by its name";
    assert!(story.contains(found), "{story}");
    let asks = |sent: &Value| !sent["return_run_details"].is_null();
    let asked: Vec<bool> = hub.dispatched().iter().map(asks).collect();
    assert_eq!(asked, [true, false]);
    hub.ends("success");
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(0, &["done: GREEN runs"]);
}

#[test]
fn i_53_a_deploy_killed_at_its_dispatch_is_adopted_and_dispatches_once() {
    let bench = Bench::ready();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records(r#""passed":{"step":"dispatch""#)
    });
    let id = bench.dave.detach(&BY_WORKFLOW);
    trap.wait("its result");
    bench.dave.kill_worker();
    hub.ends("success");

    bench.dave.run(&["op", "adopt", &id]).assert(
        0,
        &[
            "dispatch done: run 77, found by its name",
            "done: GREEN runs",
        ],
    );
    assert_eq!(hub.dispatched().len(), 1);
}

fn abort(bench: &Bench, id: &str) {
    let reason = ["--reason", "wrong build"];
    bench
        .colleague()
        .run(&[&["op", "abort", id][..], &reason].concat())
        .assert(0, &["asked; it is"]);
}

#[test]
fn i_32_the_run_of_a_deploy_that_is_aborted_is_cancelled_once_and_what_came_of_it_is_said() {
    for (cancel, words) in [
        (Cancel::Ends, "note: run 77 ended cancelled: https://"),
        (
            Cancel::GoesOn,
            "note: run 77 goes on: cancel it at GitHub (GitHub took it, and it did not end)",
        ),
        (Cancel::TooLate, "note: run 77 ended in failure: https://"),
        (
            Cancel::Forbidden,
            "note: run 77 goes on: cancel it at GitHub (",
        ),
        (Cancel::Away, "note: run 77 goes on: cancel it at GitHub ("),
    ] {
        let (bench, hub, id) = following(Reply::Told);
        lock(&hub.state).cancel = cancel;
        abort(&bench, &id);
        let said = bench.dave.run(&["op", "watch", &id]);
        said.assert(1, &["aborted by", "wrong build"]);
        let story = bench.dave.story(&id);
        for part in ["note: run 77 is to be cancelled at GitHub", words] {
            assert!(story.contains(part), "{cancel:?}: {part} in {story}");
        }
        assert_eq!(hub.cancelled(), 1, "{cancel:?}");
        if cancel == Cancel::Forbidden {
            assert!(story.contains("admin rights"), "{story}");
        }
        assert_eq!(bench.colours(), ["blue", "blue"]);
    }
}

#[test]
fn i_32_a_run_whose_worker_was_killed_behind_its_cancellation_is_not_cancelled_again() {
    let (bench, hub, id) = following(Reply::Told);
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records(r#""failed":{"step":"follow""#)
    });
    abort(&bench, &id);
    trap.wait("its result");
    bench.dave.kill_worker();
    assert_eq!(hub.cancelled(), 1);

    let adopted = bench.dave.run(&["op", "adopt", &id]);

    adopted.assert(1, &["run 77 ended cancelled"]);
    assert_eq!(hub.cancelled(), 1);
}

#[test]
fn i_32_an_abort_while_the_run_is_dispatched_cancels_it_as_soon_as_its_name_is_known() {
    let bench = Bench::ready();
    bench.idle_at_0();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    // The abort is there before the result of the dispatch is.
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records(r#""passed":{"step":"dispatch""#)
    });
    let id = bench.dave.detach(&BY_WORKFLOW);
    trap.wait("its result");
    bench.dave.kill_worker();
    abort(&bench, &id);
    let adopted = bench.dave.run(&["op", "adopt", &id]);
    adopted.assert(1, &["found by its name", "run 77 ended cancelled"]);
    assert_eq!((hub.dispatched().len(), hub.cancelled()), (1, 1));
}

#[test]
fn i_32_i_53_an_abort_while_the_run_is_looked_for_cancels_one_that_shows_late() {
    let bench = Bench::ready();
    bench.idle_at_0();
    let hub = Hub::new(Reply::Away);
    hub.of(&bench.dave);
    bench.dave.edit("moved = 3", "moved = 20");
    let id = bench.dave.detach(&BY_WORKFLOW);
    let listed = || lock(&hub.state).listed;
    wait("a look", || (listed() > 0).then_some(()));
    abort(&bench, &id);
    let before = listed();
    wait("two more", || (listed() > before + 1).then_some(()));
    lock(&hub.state).is_started = true;
    bench.dave.await_no_worker();
    let story = bench.dave.story(&id);
    assert!(story.contains("run 77, found by its name"), "{story}");
    let all = (hub.dispatched().len(), hub.cancelled());
    assert_eq!(all, (1, 1), "{story}");
}

#[test]
fn i_6_a_run_that_outlasts_its_time_is_cancelled_and_the_time_of_its_reviewers_is_not_its_own() {
    let bench = Bench::ready();
    bench.idle_at_0();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    bench
        .dave
        .edit("ref = \"main\"", "ref = \"main\"\ntimeout = 2");
    lock(&hub.state).is_reviewed = false;
    let id = bench.dave.detach(&BY_WORKFLOW);
    let story = || bench.dave.story(&id);
    wait("the review to be told", || {
        story().contains("WAITS").then_some(())
    });
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(hub.cancelled(), 0, "{}", story());
    lock(&hub.state).is_reviewed = true;
    bench.dave.await_no_worker();
    for part in [
        "run 77 not within 2 s: it is under way",
        "note: run 77 ended cancelled: https://",
    ] {
        assert!(story().contains(part), "{part} in {}", story());
    }
    assert_eq!(hub.cancelled(), 1);
}

#[test]
fn i_6_a_rollback_cancels_the_run_of_the_deploy_that_it_cuts_off() {
    let bench = Bench::ready();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    bench.dave.run(&CUTOVER).assert(0, &[]);
    let id = bench.dave.detach(&BY_WORKFLOW);
    wait("the run to be followed", || {
        bench.dave.story(&id).contains("follow …").then_some(())
    });

    let said = bench.dave.run(&ROLLBACK);

    let note = format!("note: run 77 of {id} is cancelled at GitHub");
    said.assert(0, &[&note, "BLUE is live"]);
    assert_eq!(hub.cancelled(), 1);
}

#[test]
fn i_6_whoever_abandons_a_deploy_is_told_of_the_run_that_goes_on() {
    let (bench, hub, id) = following(Reply::Told);
    bench.dave.kill_worker();
    bench
        .dave
        .run(&["op", "abandon", &id, "--reason", "by hand"])
        .assert(0, &["run 77 goes on: cancel it at GitHub"]);
    assert_eq!(hub.cancelled(), 0);
}

/// The abort is written while the worker writes down which run it started.
#[test]
fn i_6_a_run_that_was_started_while_somebody_aborted_is_cancelled() {
    let bench = Bench::ready();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    let is_result = |it: &Asked| it.method == "PUT" && it.body.contains("dispatched");
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, is_result);
    let id = bench.dave.detach(&BY_WORKFLOW);
    trap.wait("the result of the dispatch");
    let abort = ["op", "abort", &id, "--reason", "wrong tag"];
    bench.colleague().run(&abort).assert(0, &[]);
    trap.let_go();
    bench.dave.await_no_worker();
    let story = bench.dave.story(&id);
    for part in ["dispatched run 77", "run 77 ended cancelled", "aborted: "] {
        assert!(story.contains(part), "{part} in {story}");
    }
    assert_eq!((hub.cancelled(), hub.dispatched().len()), (1, 1));
}

#[test]
fn g05_a_token_that_is_revoked_while_a_run_is_followed_is_said_and_the_run_is_followed_on() {
    let (bench, hub, id) = following(Reply::Told);
    lock(&hub.state).is_revoked = true;
    wait("the pause", || {
        let story = bench.dave.story(&id);
        story.contains("UNKNOWN how run 77 goes: ").then_some(())
    });
    lock(&hub.state).is_revoked = false;
    wait("it to be followed on", || {
        bench.dave.story(&id).contains("goes on").then_some(())
    });
    hub.ends("success");
    let said = bench.dave.run(&["op", "watch", &id]);
    said.assert(0, &["run 77 succeeded"]);
    assert_eq!(hub.dispatched().len(), 1);
}

#[test]
fn i_54_a_run_that_was_skipped_is_no_deploy() {
    let (bench, hub, id) = following(Reply::Told);
    hub.ends("skipped");
    bench
        .dave
        .run(&["op", "watch", &id])
        .assert(1, &["run 77 ended skipped: nothing was deployed"]);
}

#[test]
fn i_3_a_run_that_succeeded_is_not_readiness() {
    let bench = Bench::ready();
    let hub = Hub::new(Reply::Told);
    hub.of(&bench.dave);
    bench.dave.edit("patience = 5", "patience = 5\nrollout = 2");
    bench
        .served
        .act(r#"{"do": "readiness-failure", "deployment": "digital-wall-green-backend"}"#);
    let path = "/api/v1/namespaces/production/pods?labelSelector=version%3Dgreen,part%3Dbackend";
    wait("an ill backend", || {
        let plan = bench.dave.run(&["cutover", "production", "--plan"]);
        (plan.code == 5).then_some(())
    });
    assert!(
        !bench.ask("GET", path, None)["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    hub.ends("success");

    bench.dave.run(&BY_WORKFLOW).assert(
        1,
        &[
            "follow done: run 77 succeeded",
            "roll out digital-wall-green-backend FAILED: not within 2 s",
        ],
    );
}

#[test]
fn i_53_i_56_a_dispatch_that_github_could_not_be_asked_about_is_asked_about_until_it_can_be() {
    let bench = Bench::ready();
    let hub = Hub::new(Reply::Lost);
    hub.of(&bench.dave);
    lock(&hub.state).is_deaf = true;
    let id = bench.dave.detach(&BY_WORKFLOW);
    // Longer than a list is looked at that names no such run (3 s).
    wait("questions in vain", || {
        (lock(&hub.state).listed > 6).then_some(())
    });
    // Nobody who cannot ask says what became of it.
    let free = bench.colleague();
    bench.dave.kill_worker();
    free.run(&["op", "adopt", &id])
        .assert(7, &["whether the run was started cannot be asked here"]);
    lock(&hub.state).is_deaf = false;
    hub.ends("success");
    bench.dave.run(&["op", "adopt", &id]).assert(
        0,
        &[
            "dispatch done: run 77, found by its name",
            "done: GREEN runs",
        ],
    );
    assert_eq!(hub.dispatched().len(), 1);
}

#[test]
fn i_44_a_job_that_joins_breaks_no_glass() {
    let (bench, id) = (Bench::new(), "0".repeat(26));
    let args = [&DEPLOY[..], &["--within", &id, "--break-glass", "x"]].concat();
    let said = bench.dave.run(&args);
    said.assert(2, &["--break-glass", "cannot be used with"]);
}
