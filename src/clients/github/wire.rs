//! What GitHub sends, as little of it as is shown, and nothing of it required: a null, a word or a
//! type that is new costs one field, and at worst one run.

use base64::Engine as _;
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, de::Error as _};
use serde_json::value::RawValue;
use serde_json::{Error, Value};

use super::{RepositorySaid, WorkflowSaid};
use crate::estate::Safe;
use crate::estate::review::{Decided, Pending};
use crate::estate::runs::{Conclusion, Job, MADE_UP, Progress, Run, Step};

/// A field that counts as absent when it cannot be understood.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "lenient")]
    total_count: Option<u64>,
    workflow_runs: Option<Vec<Box<RawValue>>>,
    jobs: Option<Vec<Box<RawValue>>>,
    workflows: Option<Vec<Box<RawValue>>>,
}

impl Page {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes)
    }
}

fn each<T: DeserializeOwned>(items: &[Box<RawValue>]) -> impl Iterator<Item = T> {
    items.iter().filter_map(|item| one(item.get()).ok())
}

/// What the text holds, whatever halves of characters stand in it.
fn one<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&whole(text)))
}

/// The text with each half of a surrogate pair that stands alone replaced: JSON allows it, no string holds it, and a title
/// that was cut there costs no run.
fn whole(text: &str) -> String {
    let half = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    while let Some(found) = text[rest..].find('\\') {
        let at = rest + found;
        out.push_str(&text[rest..at]);
        let (first, second) = (half(at), half(at + 6));
        let (shown, length) = match (first, second) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (&text[at..at + 12], 12),
            (Some(0xD800..=0xDFFF), _) => ("\\ufffd", 6),
            // An escaped backslash is not the beginning of another escape.
            _ => {
                let length = 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
                (&text[at..at + length], length)
            }
        };
        out.push_str(shown);
        rest = at + length;
    }
    out.push_str(&text[rest..]);
    out
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireRun {
    #[serde(deserialize_with = "lenient")]
    id: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    run_number: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    run_attempt: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    display_title: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    name: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    head_branch: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    head_sha: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    head_commit: Option<Commit>,
    #[serde(deserialize_with = "lenient")]
    event: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    triggering_actor: Option<Actor>,
    #[serde(deserialize_with = "lenient")]
    actor: Option<Actor>,
    #[serde(deserialize_with = "lenient")]
    status: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    conclusion: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    run_started_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    created_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    updated_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    html_url: Option<Safe>,
}

#[derive(Deserialize)]
struct Actor {
    login: Option<Safe>,
}

#[derive(Deserialize)]
struct Commit {
    message: Option<String>,
}

impl WireRun {
    /// A run without an id, which its page names too, cannot be asked for; it is shown all the same.
    fn into_run(self) -> Run {
        let page = self.html_url.as_ref();
        let told = (self.run_number, &self.display_title, &self.head_sha);
        let id = self.id.or_else(|| of_page(page, "/runs/"));
        let id = id.unwrap_or_else(|| made_up_id(&told));
        let of_commit = || {
            let message = self.head_commit?.message?;
            message.lines().next().map(Safe::from)
        };
        let is_said = |text: &Safe| !text.is_empty();
        let title = (self.display_title.filter(is_said)).or_else(of_commit);
        let login = |actor: Option<Actor>| actor.and_then(|actor| actor.login);
        Run {
            id,
            number: self.run_number.unwrap_or(0),
            attempt: self.run_attempt.unwrap_or(1).max(1),
            title: title.or(self.name).unwrap_or_else(empty),
            branch: self.head_branch.filter(is_said),
            sha: self.head_sha.unwrap_or_else(empty),
            event: self.event.unwrap_or_else(empty),
            actor: login(self.triggering_actor).or_else(|| login(self.actor)),
            progress: progress(self.status, self.conclusion),
            started: self.run_started_at.or(self.created_at),
            updated: self.updated_at,
            url: self.html_url.unwrap_or_else(empty),
        }
    }
}

/// What tells an item that GitHub named no id of from others; nothing at GitHub has it.
fn made_up_id(told: &impl std::hash::Hash) -> u64 {
    use std::hash::BuildHasher as _;
    let keys = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
    keys.hash_one(told) | MADE_UP
}

/// The id that the address of a page names behind `word`.
fn of_page(page: Option<&Safe>, word: &str) -> Option<u64> {
    let (_, id) = page?.rsplit_once(word)?;
    let digits = id.split(['/', '?', '#']).next()?;
    digits.parse().ok()
}

/// The runs of a page, newest first; the numbers of one workflow only grow.
pub(super) fn runs(bytes: &[u8]) -> Result<Vec<Run>, Error> {
    let page = Page::read(bytes)?;
    let items = page
        .workflow_runs
        .ok_or_else(|| Error::missing_field("workflow_runs"))?;
    let mut runs: Vec<Run> = each(&items).map(WireRun::into_run).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.number));
    Ok(runs)
}

/// One run.
pub(super) fn run(bytes: &[u8]) -> Result<Run, Error> {
    let run: WireRun = one(&String::from_utf8_lossy(bytes))?;
    let run = run.into_run();
    match run.has_id() {
        true => Ok(run),
        false => Err(Error::missing_field("id")),
    }
}

/// The id of the run that a dispatch started, where its answer says it.
pub(super) fn dispatched(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Details {
        workflow_run_id: Option<u64>,
    }
    let details: Details = serde_json::from_slice(bytes).ok()?;
    details.workflow_run_id
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireJob {
    #[serde(deserialize_with = "lenient")]
    id: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    steps: Option<Vec<Value>>,
    #[serde(deserialize_with = "lenient")]
    html_url: Option<Safe>,
    #[serde(flatten)]
    part: Part,
}

/// What a job and a step have in common.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(deserialize_with = "lenient")]
    name: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    number: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    status: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    conclusion: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    started_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    completed_at: Option<Timestamp>,
}

impl WireJob {
    /// As with a run: one without an id that its page does not name either cannot be asked for, and is shown.
    fn into_job(self) -> Job {
        let page = self.html_url.as_ref();
        let id = self.id.or_else(|| of_page(page, "/job/"));
        let id = id.unwrap_or_else(|| made_up_id(&self.part.name));
        let steps = self.steps.unwrap_or_default();
        let steps = (1..).zip(steps).filter_map(|(place, step)| {
            let step: Part = serde_json::from_value(step).ok()?;
            Some(Step {
                number: step.number.unwrap_or(place),
                name: step.name.unwrap_or_else(empty),
                progress: progress(step.status, step.conclusion),
                started: step.started_at,
                completed: step.completed_at,
            })
        });
        Job {
            id,
            name: self.part.name.unwrap_or_else(empty),
            progress: progress(self.part.status, self.part.conclusion),
            started: self.part.started_at,
            completed: self.part.completed_at,
            steps: steps.collect(),
            url: self.html_url.unwrap_or_else(empty),
        }
    }
}

/// The jobs of page `number` of `size` jobs at the most, and whether there is another: where nothing says how many
/// jobs there are, a full page has one behind it.
pub(super) fn jobs(bytes: &[u8], number: u32, size: u32) -> Result<(Vec<Job>, bool), Error> {
    let page = Page::read(bytes)?;
    let items = page.jobs.ok_or_else(|| Error::missing_field("jobs"))?;
    let jobs = each(&items).map(WireJob::into_job).collect();
    let goes_on = match page.total_count {
        Some(total) => total > u64::from(number) * u64::from(size),
        None => items.len() >= usize::try_from(size).unwrap_or(usize::MAX),
    };
    Ok((jobs, goes_on))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireEnvironment {
    #[serde(deserialize_with = "lenient")]
    id: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    name: Option<Safe>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WirePending {
    #[serde(deserialize_with = "lenient")]
    environment: Option<WireEnvironment>,
    #[serde(deserialize_with = "lenient")]
    wait_timer: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    wait_timer_started_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    current_user_can_approve: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    reviewers: Option<Vec<Value>>,
}

impl WirePending {
    /// One without an id cannot be reviewed, and is shown all the same.
    fn into_pending(self) -> Pending {
        let reviewers = self.reviewers.unwrap_or_default();
        let environment = self.environment.unwrap_or_default();
        Pending {
            id: environment.id.unwrap_or(0),
            environment: environment.name.unwrap_or_else(|| "?".into()),
            may: match environment.id {
                Some(_) => self.current_user_can_approve,
                None => Some(false),
            },
            reviewers: reviewers.iter().filter_map(reviewer).collect(),
            timer_min: self.wait_timer.unwrap_or(0),
            since: self.wait_timer_started_at,
        }
    }
}

/// A login, or `team NAME`.
fn reviewer(said: &Value) -> Option<Safe> {
    let who = &said["reviewer"];
    let text = |key: &str| who[key].as_str().map(Safe::from);
    let text = |key: &str| text(key).filter(|text| !text.trim().is_empty());
    text("login").or_else(|| {
        let name = text("slug").or_else(|| text("name"))?;
        Some(format!("team {name}").into())
    })
}

/// What a run waits for. <https://docs.github.com/rest/actions/workflow-runs#get-pending-deployments-for-a-workflow-run>
pub(super) fn pending(bytes: &[u8]) -> Result<Vec<Pending>, Error> {
    let items: Vec<Box<RawValue>> = serde_json::from_slice(bytes)?;
    Ok(each(&items).map(WirePending::into_pending).collect())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireDecided {
    #[serde(deserialize_with = "lenient")]
    environments: Option<Vec<WireEnvironment>>,
    #[serde(deserialize_with = "lenient")]
    state: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    comment: Option<Safe>,
    #[serde(deserialize_with = "lenient")]
    user: Option<Actor>,
}

/// What was decided. <https://docs.github.com/rest/actions/workflow-runs#get-the-review-history-for-a-workflow-run>
pub(super) fn decided(bytes: &[u8]) -> Result<Vec<Decided>, Error> {
    let items: Vec<Box<RawValue>> = serde_json::from_slice(bytes)?;
    let whole = |it: WireDecided| {
        let environments = it.environments.unwrap_or_default().into_iter();
        let who = it.user.and_then(|user| user.login);
        Decided {
            environments: environments.filter_map(|it| it.name).collect(),
            who: who.unwrap_or_else(|| "somebody".into()),
            word: it.state.unwrap_or_else(|| "decided".into()),
            comment: it.comment.unwrap_or_default(),
        }
    };
    Ok(each(&items).map(whole).collect())
}

/// The file names of the workflows.
pub(super) fn workflows(bytes: &[u8]) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Workflow {
        path: Option<String>,
    }
    let page = Page::read(bytes)?;
    let items = page
        .workflows
        .ok_or_else(|| Error::missing_field("workflows"))?;
    let file = |path: String| path.rsplit('/').next().map(str::to_owned);
    Ok(each(&items)
        .filter_map(|w: Workflow| file(w.path?))
        .collect())
}

/// A repository.
pub(super) fn repository(bytes: &[u8]) -> Result<RepositorySaid, Error> {
    #[derive(Deserialize)]
    struct Repository {
        full_name: Option<Safe>,
        private: Option<bool>,
        archived: Option<bool>,
    }
    let said: Repository = serde_json::from_slice(bytes)?;
    Ok(RepositorySaid {
        name: said.full_name.unwrap_or_default(),
        is_private: said.private.unwrap_or(false),
        is_archived: said.archived.unwrap_or(false),
    })
}

/// A workflow.
pub(super) fn workflow(bytes: &[u8]) -> Result<WorkflowSaid, Error> {
    #[derive(Deserialize)]
    struct Workflow {
        name: Option<Safe>,
        state: Option<Safe>,
    }
    let said: Workflow = serde_json::from_slice(bytes)?;
    Ok(WorkflowSaid {
        name: said.name.unwrap_or_default(),
        state: said.state.unwrap_or_else(|| "unknown".into()),
    })
}

/// The text of a file.
pub(super) fn content(bytes: &[u8]) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct File {
        content: String,
    }
    let file: File = serde_json::from_slice(bytes)?;
    let bare: String = file.content.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(bare);
    let bytes = bytes.map_err(Error::custom)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn empty() -> Safe {
    Safe::new("")
}

/// How far something is, by GitHub's two words for it.
fn progress(status: Option<Safe>, conclusion: Option<Safe>) -> Progress {
    match (status.as_deref(), conclusion) {
        (Some("queued" | "requested" | "pending"), _) => Progress::Queued,
        (Some("waiting"), _) => Progress::Waiting,
        (Some("in_progress"), _) => Progress::Running,
        (Some("completed") | None, Some(word)) => Progress::Done(conclusion_of(word)),
        (Some("completed"), None) => Progress::Done(Conclusion::Other(empty())),
        (_, _) => Progress::Other(status.unwrap_or_else(empty)),
    }
}

fn conclusion_of(word: Safe) -> Conclusion {
    match word.as_str() {
        "success" => Conclusion::Success,
        "failure" => Conclusion::Failure,
        "cancelled" => Conclusion::Cancelled,
        "skipped" => Conclusion::Skipped,
        "timed_out" => Conclusion::TimedOut,
        "action_required" => Conclusion::ActionRequired,
        "neutral" => Conclusion::Neutral,
        "stale" => Conclusion::Stale,
        "startup_failure" => Conclusion::StartupFailure,
        _ => Conclusion::Other(word),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clients::made_up::made_up;

    #[test]
    fn half_a_character_and_an_id_that_is_none_cost_no_run() {
        let page = br#"{"workflow_runs": [
            {"id": 1, "run_number": 2, "display_title": "cut \ud83d"},
            {"id": null, "run_number": 1, "display_title": "\\ud83d \ud83d\ude00 \ude00",
             "html_url": "https://github.example/a/b/actions/runs/77/attempts/2"}]}"#;
        let runs = runs(page).unwrap();
        let told: Vec<_> = runs
            .iter()
            .map(|run| (run.id, run.title.as_str()))
            .collect();
        assert_eq!(
            told,
            [(1, "cut \u{fffd}"), (77, "\\ud83d \u{1f600} \u{fffd}")]
        );
    }

    #[test]
    fn what_is_missing_null_or_new_costs_no_run() {
        let page = br#"{"total_count": "many", "workflow_runs": [
            {"id": 1, "run_number": 1, "status": "completed", "conclusion": "marvellous"},
            {"id": 2, "run_number": 2, "head_branch": null, "display_title": null, "status": null, "actor": null,
             "head_commit": {"message": "Fix the cart\n\nand more"}, "run_attempt": "3"},
            {"id": 3, "run_number": 3, "status": "levitating", "triggering_actor": {"login": "ann"}, "created_at": "yesterday"},
            {"id": "no number"}, null, 7, "x"]}"#;
        let runs = runs(page).unwrap();
        // What is a run and has no id is shown; what is none is none.
        let told: Vec<_> = runs.iter().map(|r| (r.id, r.has_id())).collect();
        assert_eq!(told[..3], [(3, true), (2, true), (1, true)]);
        assert_eq!(
            (told.len(), told[3].1, runs[3].title.as_str()),
            (4, false, "")
        );
        assert_eq!(runs[0].progress, Progress::Other("levitating".into()));
        assert_eq!(runs[0].actor, Some("ann".into()));
        assert_eq!(
            (runs[1].title.as_str(), runs[1].attempt),
            ("Fix the cart", 1)
        );
        assert_eq!(runs[1].branch, None);
        let new = Progress::Done(Conclusion::Other("marvellous".into()));
        assert_eq!(runs[2].progress, new);
    }

    #[test]
    fn what_waits_for_a_review_is_shown_whatever_is_missing() {
        let page = br#"[
            {"environment": {"id": 7, "name": "production"}, "wait_timer": 30, "wait_timer_started_at": "2026-11-23T20:00:00Z",
             "current_user_can_approve": true, "reviewers": [{"type": "User", "reviewer": {"login": "erin"}},
             {"type": "Team", "reviewer": {"slug": "ops", "name": "Ops"}}, {"type": "Robot", "reviewer": null}, 3]},
            {"environment": {"id": 8, "name": "night"}, "wait_timer": 30, "reviewers": []},
            {"environment": null, "reviewers": "many"}, {"environment": {"id": "x", "name": "odd"}, "current_user_can_approve": true}]"#;
        let all = pending(page).unwrap();
        assert_eq!(all[0].reviewers(), "erin, team ops");
        assert_eq!((all[0].id, all[0].may), (7, Some(true)));
        assert_eq!(
            all[1].reviewers(),
            "nobody: it waits for its timer of 30 min"
        );
        // What cannot be named to GitHub cannot be decided here.
        let odd = all.last().unwrap();
        assert_eq!((odd.environment.as_str(), odd.may), ("odd", Some(false)));
        let history = br#"[{"state": "approved", "comment": "v2 is due", "user": {"login": "erin"},
            "environments": [{"id": 7, "name": "production"}]}, {"state": "levitated", "user": null}]"#;
        let all = decided(history).unwrap();
        assert_eq!(all[0].words(), "production approved by erin: v2 is due");
        assert_eq!(all[1].words(), "? levitated by somebody");
    }

    #[test]
    fn every_word_of_githubs_has_its_meaning() {
        let of = |status: &str, conclusion: Option<&str>| {
            progress(Some(status.into()), conclusion.map(Safe::from))
        };
        for word in ["queued", "requested", "pending"] {
            assert_eq!(of(word, None), Progress::Queued);
        }
        assert_eq!(of("waiting", None), Progress::Waiting);
        assert_eq!(of("in_progress", None), Progress::Running);
        for (word, meant) in [
            ("success", Conclusion::Success),
            ("failure", Conclusion::Failure),
            ("cancelled", Conclusion::Cancelled),
            ("skipped", Conclusion::Skipped),
            ("timed_out", Conclusion::TimedOut),
            ("action_required", Conclusion::ActionRequired),
            ("neutral", Conclusion::Neutral),
            ("stale", Conclusion::Stale),
            ("startup_failure", Conclusion::StartupFailure),
            ("abducted", Conclusion::Other("abducted".into())),
        ] {
            assert_eq!(of("completed", Some(word)), Progress::Done(meant));
        }
        assert_ne!(of("completed", None), Progress::Done(Conclusion::Success));
    }

    #[test]
    fn a_job_without_an_id_has_that_of_its_page() {
        let page = br#"{"total_count": 3, "jobs": [
            {"id": 5, "name": "a"},
            {"id": null, "name": "b", "html_url": "https://github.example/a/b/actions/runs/77/job/88?pr=1"},
            {"id": null, "name": "c", "html_url": "https://github.example/a/b/actions/runs/77"}]}"#;
        let (jobs, _) = jobs(page, 1, 100).unwrap();
        let told: Vec<_> = jobs.iter().map(|job| (job.id, job.name.as_str())).collect();
        assert_eq!(told[..2], [(5, "a"), (88, "b")]);
        assert_eq!((told.len(), told[2].1), (3, "c"));
    }

    #[test]
    fn jobs_keep_their_order_and_their_steps() {
        let page = br#"{"total_count": 2, "jobs": [
            {"id": 5, "name": "detect-changes", "status": "completed", "conclusion": "success", "steps": [
                {"name": "Set up job", "status": "completed", "conclusion": "success", "number": 1, "started_at": "2026-11-23T20:00:00Z"},
                {"name": null}, 9]},
            {"id": 4, "name": "backend-ci", "status": "completed", "conclusion": "skipped", "steps": null}]}"#;
        assert!(!jobs(page, 1, 100).unwrap().1);
        assert!(jobs(page, 1, 1).unwrap().1 && !jobs(page, 2, 1).unwrap().1);
        let (jobs, _) = jobs(page, 1, 100).unwrap();
        assert_eq!(jobs.iter().map(|j| j.id).collect::<Vec<_>>(), [5, 4]);
        let numbers: Vec<u64> = jobs[0].steps.iter().map(|s| s.number).collect();
        assert_eq!(numbers, [1, 2]);
        assert!(jobs[0].steps[0].started.is_some());
        assert_eq!(jobs[1].progress, Progress::Done(Conclusion::Skipped));
    }

    const PAGE: &str = r#"{"total_count": 2, "workflow_runs": [{"id": 1, "run_number": 2, "run_attempt": 1, "display_title": "x",
        "head_branch": "main", "head_sha": "9b1e07d", "head_commit": {"message": "a\nb"}, "event": "push", "status": "completed",
        "conclusion": "success", "actor": {"login": "ann"}, "triggering_actor": {"login": "ben"},
        "run_started_at": "2026-11-23T19:50:00Z", "html_url": "https://github.example/a/b/actions/runs/1"}],
        "jobs": [{"id": 5, "name": "ci", "status": "completed", "conclusion": "failure", "started_at": "2026-11-23T19:50:00Z",
        "steps": [{"name": "s", "status": "completed", "conclusion": "success", "number": 1}], "html_url": "x"}],
        "workflows": [{"path": ".github/workflows/ci.yml", "name": "CI", "state": "active"}], "workflow_run_id": 7,
        "full_name": "a/b", "private": true, "content": "eA==", "name": "CI", "state": "active"}"#;
    const REVIEWS: &str = r#"[{"environment": {"id": 7, "name": "production"}, "wait_timer": 30, "current_user_can_approve": true,
        "wait_timer_started_at": "2026-11-23T20:00:00Z", "reviewers": [{"type": "User", "reviewer": {"login": "erin"}}],
        "environments": [{"id": 7, "name": "production"}], "state": "approved", "comment": "x", "user": {"login": "erin"}}]"#;

    proptest::proptest! {
        #[test]
        fn made_up_answers_of_github_never_panic(page in made_up(PAGE), reviews in made_up(REVIEWS)) {
            for bytes in [page.as_bytes(), reviews.as_bytes()] {
                let _ = (runs(bytes), run(bytes), jobs(bytes, 1, 100), workflows(bytes), workflow(bytes));
                let _ = (repository(bytes), content(bytes), dispatched(bytes));
                for it in pending(bytes).unwrap_or_default() {
                    proptest::prop_assert!(!it.reviewers().is_empty());
                }
                for it in decided(bytes).unwrap_or_default() {
                    proptest::prop_assert!(!it.words().is_empty());
                }
            }
        }
    }
}
