//! Workflow runs as far as the cockpit looks at them. Words are GitHub's own.
//!
//! Everything that GitHub may leave out is optional, and a word that this version does not know is
//! kept: a null branch or a new conclusion never makes a run vanish.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::review::Reviews;
use super::{Currency, Fault, Feed, Moment, Safe, Verdict};

/// A quiet repository is asked once a minute, at the least.
const PACE_MS: u64 = 60_000;

/// A repository's runs of one workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Which repository and workflow.
    pub scope: RepositoryScope,
    /// The runs, newest first.
    pub runs: Feed<Vec<Run>>,
    /// Jobs by run id.
    pub jobs: BTreeMap<u64, Jobs>,
    /// What runs wait for at GitHub, by run id.
    pub reviews: BTreeMap<u64, Reviews>,
    /// What is left of the account's hourly requests.
    pub budget: Option<Budget>,
    /// Which job needs which, from the workflow file.
    pub needs: Option<Needs>,
}

/// Which repository and workflow, by configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RepositoryScope {
    /// `owner/name`.
    pub name: Safe,
    /// The workflow's file name, such as `digital-wall-ci-cd.yml`.
    pub workflow: Safe,
    /// The job that deploys, and the branch that it deploys, by environment.
    pub deploys: Vec<Deploys>,
}

/// What a run of a branch is expected to deploy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deploys {
    /// The environment.
    pub environment: Safe,
    /// The job.
    pub job: Safe,
    /// The branch whose runs deploy there.
    pub branch: Safe,
}

/// The bit of an id that was made up, as GitHub named none: nothing can be asked of it.
pub const MADE_UP: u64 = 1 << 63;

/// A workflow run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// `id`.
    pub id: u64,
    /// `run_number`.
    pub number: u64,
    /// `run_attempt`, 1 where GitHub does not say.
    pub attempt: u32,
    /// `display_title`, else the commit's first line.
    pub title: Safe,
    /// `head_branch`.
    pub branch: Option<Safe>,
    /// `head_sha`.
    pub sha: Safe,
    /// `event`: `push`, `workflow_dispatch`, …
    pub event: Safe,
    /// `triggering_actor`, else `actor`.
    pub actor: Option<Safe>,
    /// How far it is.
    pub progress: Progress,
    /// `run_started_at`, else `created_at`.
    pub started: Option<Timestamp>,
    /// `updated_at`.
    pub updated: Option<Timestamp>,
    /// `html_url`.
    pub url: Safe,
}

impl Run {
    /// Whether GitHub named its id, by which it can be asked for.
    pub fn has_id(&self) -> bool {
        self.id & MADE_UP == 0
    }

    /// `#1482 main`
    pub fn words(&self) -> Safe {
        format!("#{} {}", self.number, self.origin()).into()
    }

    /// Its branch; where GitHub names none, what began it: `pull request`.
    pub fn origin(&self) -> Safe {
        match &self.branch {
            Some(branch) => branch.clone(),
            None if self.event.is_empty() => "no branch".into(),
            None => self.event.replace('_', " ").into(),
        }
    }
}

/// How far a run, a job or a step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// `queued`, `requested`, `pending`.
    Queued,
    /// `waiting`: for approval, a timer or another protection rule.
    Waiting,
    /// `in_progress`.
    Running,
    /// `completed`, with its conclusion.
    Done(Conclusion),
    /// A word that this version does not know.
    Other(Safe),
}

/// How something ended. Only `Success` is success (I-54).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// `success`.
    Success,
    /// `failure`.
    Failure,
    /// `cancelled`.
    Cancelled,
    /// `skipped`.
    Skipped,
    /// `timed_out`.
    TimedOut,
    /// `action_required`.
    ActionRequired,
    /// `neutral`.
    Neutral,
    /// `stale`.
    Stale,
    /// `startup_failure`.
    StartupFailure,
    /// A word that this version does not know, or none.
    Other(Safe),
}

/// The jobs of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Jobs {
    /// The attempt that they belong to.
    pub attempt: u32,
    /// In GitHub's order.
    pub jobs: Vec<Job>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// `id`.
    pub id: u64,
    /// `name`.
    pub name: Safe,
    /// How far it is.
    pub progress: Progress,
    /// `started_at`.
    pub started: Option<Timestamp>,
    /// `completed_at`.
    pub completed: Option<Timestamp>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// `html_url`.
    pub url: Safe,
}

/// A step of a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// `number`, from 1.
    pub number: u64,
    /// `name`.
    pub name: Safe,
    /// How far it is.
    pub progress: Progress,
    /// `started_at`.
    pub started: Option<Timestamp>,
    /// `completed_at`.
    pub completed: Option<Timestamp>,
}

/// What is left of GitHub's primary rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Requests an hour.
    pub limit: u32,
    /// Requests left.
    pub remaining: u32,
    /// When the hour is over.
    pub reset: Option<Timestamp>,
}

/// Which job needs which: names as in the workflow file, and as shown where `name:` says another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// By job's shown name: the shown names of the jobs that it needs.
    pub of: BTreeMap<Safe, Vec<Safe>>,
    /// The jobs in the order of the file.
    pub order: Vec<Safe>,
}

/// A job's log, or a step's part of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunLog {
    /// The job, with the times of its steps.
    pub job: Job,
    /// The number of the step; none for the whole job.
    pub step: Option<u64>,
}

/// Something seen of the repository.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum RunsSeen {
    /// The newest runs, newest first: the whole list.
    Runs(Vec<Run>),
    /// Nothing changed since the last list (304).
    Unchanged,
    /// The jobs of a run.
    Jobs(u64, Jobs),
    /// What a run waits for, and what was decided.
    Reviews(u64, Reviews),
    /// The needs graph of the workflow.
    Needs(Needs),
    /// What is left of the budget.
    Budget(Budget),
    /// The list failed; it is tried again.
    Failed(Fault),
}

impl Job {
    /// The step that made the job fail: the first that did not end well.
    pub fn failed_step(&self) -> Option<&Step> {
        use Conclusion::{Cancelled, Failure, TimedOut};
        let of = |ends: &[Conclusion]| {
            let is = |s: &&Step| matches!(&s.progress, Progress::Done(c) if ends.contains(c));
            self.steps.iter().find(is)
        };
        of(&[Failure, TimedOut]).or_else(|| of(&[Cancelled]))
    }

    /// Whether this is the job that the workflow file shows as `name`: itself, one of its matrix
    /// (`name (18, linux)`, or any value where `${{ … }}` stands), or one that it calls (`name / …`).
    pub fn is_of(&self, name: &str) -> bool {
        let mut rest = self.name.as_str();
        if let Some(tail) = rest.strip_prefix(name) {
            return tail.is_empty() || tail.starts_with(" (") || tail.starts_with(" / ");
        }
        let mut literals = name.split("${{");
        let first = literals.next().unwrap_or_default();
        let Some(tail) = rest.strip_prefix(first).filter(|_| name.contains("${{")) else {
            return false;
        };
        rest = tail;
        for literal in literals.filter_map(|piece| piece.split_once("}}")) {
            match rest.find(literal.1) {
                Some(at) => rest = &rest[at + literal.1.len()..],
                None => return false,
            }
        }
        rest.is_empty() || name.ends_with("}}") || rest.starts_with(" / ")
    }

    /// The name of the job of `name` that called it, one of a matrix by itself; its own where it was not called.
    fn caller(&self, name: &str) -> &str {
        let literal = name.split("${{").next().unwrap_or_default().len();
        let called = self.name.get(literal..).and_then(|tail| tail.find(" / "));
        called.map_or(self.name.as_str(), |at| &self.name[..literal + at])
    }
}

impl Conclusion {
    /// Whether something failed: what never ran, was ended or waits for a person (every pull request of a fork that may not
    /// run yet) did not.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failure | Self::TimedOut | Self::StartupFailure => true,
            Self::Success
            | Self::Cancelled
            | Self::Skipped
            | Self::ActionRequired
            | Self::Neutral
            | Self::Stale
            | Self::Other(_) => false,
        }
    }
}

impl Progress {
    /// In words: `passed`, `waits for approval`.
    pub fn words(&self) -> String {
        let word = match self {
            Self::Queued => "queued",
            Self::Waiting => "waits for approval",
            Self::Running => "running",
            Self::Other(word) => return format!("unknown state {word}"),
            Self::Done(conclusion) => match conclusion {
                Conclusion::Success => "passed",
                Conclusion::Failure => "failed",
                Conclusion::Cancelled => "cancelled",
                Conclusion::Skipped => "skipped",
                Conclusion::TimedOut => "timed out",
                Conclusion::ActionRequired => "action required",
                Conclusion::Neutral => "neutral",
                Conclusion::Stale => "stale",
                Conclusion::StartupFailure => "failed to start",
                Conclusion::Other(word) => return format!("unknown conclusion {word}"),
            },
        };
        word.to_owned()
    }

    /// In the words of GitHub's API: `in_progress`, `completed timed_out`.
    pub fn api_words(&self) -> String {
        let ended = match self {
            Self::Queued => return "queued".to_owned(),
            Self::Waiting => return "waiting".to_owned(),
            Self::Running => return "in_progress".to_owned(),
            Self::Other(word) => return word.to_string(),
            Self::Done(conclusion) => match conclusion {
                Conclusion::Success => "success",
                Conclusion::Failure => "failure",
                Conclusion::Cancelled => "cancelled",
                Conclusion::Skipped => "skipped",
                Conclusion::TimedOut => "timed_out",
                Conclusion::ActionRequired => "action_required",
                Conclusion::Neutral => "neutral",
                Conclusion::Stale => "stale",
                Conclusion::StartupFailure => "startup_failure",
                Conclusion::Other(word) => word.as_str(),
            },
        };
        format!("completed {ended}")
    }
}

/// The newest of `runs`, which are newest first, of the commit whose hash begins so: one that is over, before one that is
/// under way.
pub fn newest_of<'a>(runs: &'a [Run], commit: &str) -> Option<&'a Run> {
    let of_it = |run: &&Run| run.sha.starts_with(commit);
    let mut over = runs.iter().filter(of_it);
    let over = over.find(|run| matches!(run.progress, Progress::Done(_)));
    over.or_else(|| runs.iter().find(of_it))
}

impl Repository {
    /// A repository of which nothing was seen yet.
    pub fn new(scope: RepositoryScope) -> Self {
        Self {
            scope,
            runs: Feed::every(PACE_MS),
            jobs: BTreeMap::new(),
            reviews: BTreeMap::new(),
            budget: None,
            needs: None,
        }
    }

    /// Folds in what was seen at `at`.
    pub fn apply(&mut self, seen: RunsSeen, at: Moment) {
        match seen {
            RunsSeen::Runs(runs) => {
                let kept: BTreeSet<u64> = runs.iter().map(|r| r.id).collect();
                self.jobs.retain(|id, _| kept.contains(id));
                self.reviews.retain(|id, _| kept.contains(id));
                self.runs.value = runs;
                self.runs.listed = true;
                self.runs.confirm(at);
            }
            RunsSeen::Unchanged => self.runs.confirm(at),
            RunsSeen::Jobs(run, jobs) => {
                self.jobs.insert(run, jobs);
            }
            RunsSeen::Reviews(run, reviews) => {
                self.reviews.insert(run, reviews);
            }
            RunsSeen::Needs(needs) => self.needs = Some(needs),
            RunsSeen::Budget(budget) => self.budget = Some(budget),
            RunsSeen::Failed(fault) => self.runs.fail(fault),
        }
    }

    /// Whether the runs are known, and why not. A red run is no verdict: it may be anybody's branch.
    pub fn verdict(&self, now: Moment) -> Verdict {
        match (self.runs.currency(now), &self.runs.fault) {
            (Currency::Live, _) => Verdict::Ok,
            (_, Some(fault)) => Verdict::Unknown(fault.what.clone()),
            (Currency::Waiting, None) => Verdict::Unknown("no answer yet".into()),
            (Currency::Stale, None) => Verdict::Unknown("no sign of life".into()),
        }
    }

    /// The jobs of `run`, if those of its current attempt were seen, in the workflow's order.
    pub fn jobs_of(&self, run: &Run) -> Option<Vec<&Job>> {
        let jobs = self
            .jobs
            .get(&run.id)
            .filter(|j| j.attempt == run.attempt)?;
        let mut sorted: Vec<&Job> = jobs.jobs.iter().collect();
        if let Some(needs) = &self.needs {
            let place = |job: &&Job| {
                needs
                    .order
                    .iter()
                    .position(|n| job.is_of(n))
                    .unwrap_or(usize::MAX)
            };
            sorted.sort_by_key(place);
        }
        Some(sorted)
    }

    /// Why a skipped job was skipped: because something that it needs did not succeed, or because its condition was
    /// not met, of which GitHub tells no more. Unknown without the workflow's needs graph.
    pub fn skipped_because(&self, run: &Run, job: &Job) -> Skipped {
        let (Some(jobs), Some(needs)) = (self.jobs_of(run), &self.needs) else {
            return Skipped::Unknown;
        };
        // What it needs, by the name in the workflow file that this job is one of.
        let needed_by = |name: &str| needs.of.get(name).into_iter().flatten();
        let own = needs.order.iter().find(|n| job.is_of(n));
        let mut todo: Vec<&Safe> = own.into_iter().flat_map(|n| needed_by(n)).collect();
        let mut seen = BTreeSet::new();
        let mut was_skipped = false;
        while let Some(name) = todo.pop() {
            if !seen.insert(name) {
                continue;
            }
            let mut found = false;
            for needed in jobs.iter().filter(|j| j.is_of(name)) {
                found = true;
                match &needed.progress {
                    Progress::Done(Conclusion::Success) => {}
                    Progress::Done(Conclusion::Skipped) => {
                        was_skipped = true;
                        todo.extend(needed_by(name));
                    }
                    Progress::Done(_) => return Skipped::Blocked(needed.name.clone()),
                    _ => return Skipped::Unknown,
                }
            }
            if !found {
                return Skipped::Unknown;
            }
        }
        match was_skipped {
            true => Skipped::UnmetOrNeed,
            false => Skipped::Unmet,
        }
    }

    /// The deploy that a green run of this branch should have done and did not (FEATURES, row 3).
    pub fn missing_deploy(&self, run: &Run) -> Option<&Deploys> {
        if run.progress != Progress::Done(Conclusion::Success) {
            return None;
        }
        let jobs = self.jobs_of(run)?;
        let branch = run.branch.as_ref()?;
        let expected = self.scope.deploys.iter().filter(|d| d.branch == *branch);
        let is_done = |d: &&Deploys| succeeded(&jobs, &d.job);
        let is_expected = match run.event.as_str() {
            "push" => true,
            // Its input may have named another environment: one of them is deployed, whichever that is.
            "workflow_dispatch" => !self.scope.deploys.iter().any(|d| is_done(&d)),
            // Runs that never deploy (a pull request's, say) are not expected to.
            _ => false,
        };
        expected.filter(|_| is_expected).find(|d| !is_done(d))
    }
}

/// Whether the job that the workflow file shows as `name` ran and succeeded, with all of its matrix. Of the jobs that
/// one calls (`name / …`) some may be skipped: what goes back after a failure is, where nothing failed.
fn succeeded(jobs: &[&Job], name: &str) -> bool {
    let mut callers: BTreeMap<&str, Vec<&Progress>> = BTreeMap::new();
    for job in jobs.iter().filter(|j| j.is_of(name)) {
        callers
            .entry(job.caller(name))
            .or_default()
            .push(&job.progress);
    }
    let success = Progress::Done(Conclusion::Success);
    let skipped = Progress::Done(Conclusion::Skipped);
    let is_done = |called: &Vec<&Progress>| {
        called.contains(&&success) && called.iter().all(|it| **it == success || **it == skipped)
    };
    !callers.is_empty() && callers.values().all(is_done)
}

/// Why a job was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Skipped {
    /// Its condition was not met: nothing changed that it would build, or it is another branch's. Healthy.
    Unmet,
    /// That, or a job that it needs was skipped: nothing that it needs failed.
    UnmetOrNeed,
    /// A job that it needs did not succeed.
    Blocked(Safe),
    /// The needs graph or the jobs are not known.
    Unknown,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn job(name: &str, progress: Progress) -> Job {
        Job {
            id: 1,
            name: name.into(),
            progress,
            started: None,
            completed: None,
            steps: Vec::new(),
            url: "".into(),
        }
    }

    fn done(conclusion: Conclusion) -> Progress {
        Progress::Done(conclusion)
    }

    fn run() -> Run {
        Run {
            id: 7,
            number: 1482,
            attempt: 1,
            title: "Fix cart rounding".into(),
            branch: Some("main".into()),
            sha: "9b1e07d".into(),
            event: "push".into(),
            actor: None,
            progress: done(Conclusion::Success),
            started: None,
            updated: None,
            url: "".into(),
        }
    }

    fn repository(jobs: Vec<Job>) -> Repository {
        let mut repository = Repository::new(RepositoryScope {
            name: "acme/digital-wall".into(),
            workflow: "ci.yml".into(),
            deploys: vec![Deploys {
                environment: "production".into(),
                job: "deploy-production".into(),
                branch: "main".into(),
            }],
        });
        let of = |pairs: &[(&str, &[&str])]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).into(), v.iter().map(|n| (*n).into()).collect()))
                .collect()
        };
        let needs = Needs {
            of: of(&[
                ("front", &["detect"]),
                ("back", &["detect"]),
                ("deploy-production", &["front", "back"]),
            ]),
            order: ["detect", "front", "back", "deploy-production"]
                .map(Safe::from)
                .into(),
        };
        for seen in [
            RunsSeen::Runs(vec![run()]),
            RunsSeen::Needs(needs),
            RunsSeen::Jobs(7, Jobs { attempt: 1, jobs }),
        ] {
            repository.apply(seen, Moment(1));
        }
        repository
    }

    #[test]
    fn skipped_by_a_condition_is_told_from_skipped_because_blocked() {
        let calm = repository(vec![
            job("detect", done(Conclusion::Success)),
            job("back", done(Conclusion::Skipped)),
        ]);
        let back = &calm.jobs[&7].jobs[1];
        assert_eq!(calm.skipped_because(&run(), back), Skipped::Unmet);
        let through = repository(vec![
            job("detect", done(Conclusion::Success)),
            job("front", done(Conclusion::Success)),
            job("back", done(Conclusion::Skipped)),
            job("deploy-production", done(Conclusion::Skipped)),
        ]);
        let deploy = &through.jobs[&7].jobs[3];
        let why = through.skipped_because(&run(), deploy);
        assert_eq!(why, Skipped::UnmetOrNeed, "whether for its own condition");
        let blocked = repository(vec![
            job("detect", done(Conclusion::Success)),
            job("front", done(Conclusion::Failure)),
            job("back", done(Conclusion::Skipped)),
            job("deploy-production", done(Conclusion::Skipped)),
        ]);
        let deploy = &blocked.jobs[&7].jobs[3];
        assert_eq!(
            blocked.skipped_because(&run(), deploy),
            Skipped::Blocked("front".into())
        );
    }

    #[test]
    fn i_54_what_a_deploy_calls_may_be_skipped_and_its_matrix_may_not() {
        let (success, skipped) = (done(Conclusion::Success), done(Conclusion::Skipped));
        let is_missed = |jobs: &[(&str, &Progress)]| {
            let jobs = jobs
                .iter()
                .map(|(name, progress)| job(name, (*progress).clone()));
            let all = repository(jobs.collect());
            all.missing_deploy(&run()).is_some()
        };
        let (apply, back) = ("deploy-production / apply", "deploy-production / rollback");
        assert!(!is_missed(&[(apply, &success), (back, &skipped)]));
        assert!(is_missed(&[(apply, &skipped), (back, &skipped)]));
        assert!(is_missed(&[
            (apply, &success),
            (back, &done(Conclusion::Failure))
        ]));
        let (eu, us) = ("deploy-production (eu)", "deploy-production (us)");
        assert!(is_missed(&[(eu, &success), (us, &skipped)]));
        let called = [
            "deploy-production (eu) / apply",
            "deploy-production (us) / apply",
        ];
        assert!(is_missed(&[(called[0], &success), (called[1], &skipped)]));
        assert!(!is_missed(&[(called[0], &success), (called[1], &success)]));
    }

    #[test]
    fn i_54_a_green_run_without_its_deploy_job_is_called_out() {
        let skipped = repository(vec![
            job("detect", done(Conclusion::Success)),
            job("deploy-production", done(Conclusion::Skipped)),
        ]);
        assert_eq!(
            skipped.missing_deploy(&run()).unwrap().job.as_str(),
            "deploy-production"
        );
        let deployed = repository(vec![job("deploy-production", done(Conclusion::Success))]);
        assert_eq!(deployed.missing_deploy(&run()), None);
        let mut branch = run();
        branch.branch = Some("feat/q".into());
        assert_eq!(skipped.missing_deploy(&branch), None);
        branch.branch = None;
        assert_eq!(skipped.missing_deploy(&branch), None);
        // Whoever dispatched it named staging: that was deployed, and production was not to be.
        let mut staged = repository(vec![
            job("deploy-staging", done(Conclusion::Success)),
            job("deploy-production", done(Conclusion::Skipped)),
        ]);
        staged.scope.deploys.push(Deploys {
            job: "deploy-staging".into(),
            branch: "develop".into(),
            ..staged.scope.deploys[0].clone()
        });
        assert!(staged.missing_deploy(&run()).is_some());
        let mut dispatched = run();
        dispatched.event = "workflow_dispatch".into();
        assert_eq!(staged.missing_deploy(&dispatched), None);
        assert!(skipped.missing_deploy(&dispatched).is_some());
    }

    #[test]
    fn a_job_is_known_by_the_name_that_the_workflow_file_gives_it() {
        for (shown, named, is_of) in [
            ("build", "build", true),
            ("build (18, linux)", "build", true),
            ("build / inner", "build", true),
            ("builder", "build", false),
            (
                "Test 18 on linux",
                "Test ${{ matrix.node }} on ${{ matrix.os }}",
                true,
            ),
            (
                "Test ${{ matrix.node }} on x",
                "Test ${{ matrix.node }} on ${{ matrix.os }}",
                true,
            ),
            ("Lint 18", "Test ${{ matrix.node }}", false),
            (
                "Test 18 on windows",
                "Test ${{ matrix.node }} on linux",
                false,
            ),
        ] {
            assert_eq!(
                job(shown, Progress::Queued).is_of(named),
                is_of,
                "{shown} of {named}"
            );
        }
    }

    #[test]
    fn a_matrix_that_half_failed_blocks_what_needs_it() {
        let repository = repository(vec![
            job("detect", done(Conclusion::Success)),
            job("front (18)", done(Conclusion::Success)),
            job("front (20)", done(Conclusion::Failure)),
            job("back", done(Conclusion::Success)),
            job("deploy-production", done(Conclusion::Skipped)),
        ]);
        let deploy = &repository.jobs[&7].jobs[4];
        let blocked = Skipped::Blocked("front (20)".into());
        assert_eq!(repository.skipped_because(&run(), deploy), blocked);
    }

    #[test]
    fn the_failed_step_is_the_first_that_did_not_end_well() {
        let step = |number, conclusion| Step {
            number,
            name: "x".into(),
            progress: done(conclusion),
            started: None,
            completed: None,
        };
        let mut failed = job("ci", done(Conclusion::Failure));
        failed.steps = vec![
            step(1, Conclusion::Success),
            step(2, Conclusion::Skipped),
            step(3, Conclusion::Failure),
            step(4, Conclusion::Failure),
        ];
        assert_eq!(failed.failed_step().unwrap().number, 3);
        failed.steps.truncate(2);
        assert_eq!(failed.failed_step(), None);
    }

    #[test]
    fn g07_jobs_of_an_older_attempt_are_not_taken_for_the_new_one() {
        let repository = repository(vec![job("deploy-production", done(Conclusion::Success))]);
        let mut again = run();
        again.attempt = 2;
        assert_eq!(repository.jobs_of(&again), None);
    }
}
