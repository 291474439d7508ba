//! The pipeline: which jobs of the workflow a commit runs, in which order, and how long they take.
//! The rules are those of `assets/scenarios/digital-wall-ci-cd.yml`, its faults included.

use super::run::{Ending, Job, Step};
use crate::demo::random::Random;

/// The jobs in the order of their needs, each with what it needs and its own steps with their weights.
const JOBS: [Template; 7] = [
    Template {
        name: "detect-changes",
        needs: &[],
        steps: &[("Run dorny/paths-filter@v3", 3)],
    },
    Template {
        name: "frontend-ci",
        needs: &["detect-changes"],
        steps: &[
            ("Run actions/setup-node@v4", 2),
            ("Install dependencies", 4),
            ("Type check", 3),
            ("Lint", 2),
            ("Unit tests", 5),
            ("Upload coverage", 1),
            ("Build", 4),
            ("Build image", 4),
            ("Scan image", 2),
            ("Upload scan", 1),
        ],
    },
    Template {
        name: "backend-ci",
        needs: &["detect-changes"],
        steps: &[
            ("Initialize containers", 3),
            ("Run actions/setup-python@v5", 1),
            ("Install dependencies", 4),
            ("Check format", 1),
            ("Type check", 3),
            ("Security check", 1),
            ("Unit tests", 6),
            ("Upload coverage", 1),
            ("Build image", 4),
            ("Stop containers", 1),
        ],
    },
    Template {
        name: "mobile-ci",
        needs: &["detect-changes"],
        steps: &[
            ("Install dependencies", 5),
            ("Type check", 3),
            ("Lint", 2),
            ("Unit tests", 4),
            ("Build for iOS", 12),
            ("Build for Android", 9),
        ],
    },
    Template {
        name: "integration-tests",
        needs: &["frontend-ci", "backend-ci"],
        steps: &[
            ("Initialize containers", 3),
            ("Start backend", 3),
            ("Start frontend", 3),
            ("End-to-end tests", 6),
            ("Stop containers", 1),
        ],
    },
    Template {
        name: "deploy-staging",
        needs: &["frontend-ci", "backend-ci", "integration-tests"],
        steps: &[(DEPLOY, 9), ("Smoke tests", 3)],
    },
    Template {
        name: "deploy-production",
        needs: &["frontend-ci", "backend-ci", "integration-tests"],
        steps: &[(DEPLOY, 9), ("Smoke tests", 3), (SWITCH, 1), ("Verify", 6)],
    },
];

/// The step that gives the cluster the new image.
pub(super) const DEPLOY: &str = "Deploy with Helm";
/// The step that moves production's traffic.
pub(super) const SWITCH: &str = "Switch traffic";

struct Template {
    name: &'static str,
    needs: &'static [&'static str],
    steps: &'static [(&'static str, i64)],
}

/// What a run is to be.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) branch: Option<String>,
    pub(super) parts: Vec<String>,
    /// The job that fails, and in which step.
    pub(super) fails: Option<(String, &'static str)>,
    /// Whether the production deploy waits for an approval.
    pub(super) waits: bool,
    pub(super) created: i64,
    /// Milliseconds for one unit of weight: real pipelines take minutes, the story cannot.
    pub(super) pace: i64,
}

/// The jobs of a run in the order of their needs; ids go up from `first`.
pub(super) fn jobs(draft: &Draft, first: u64, random: &mut Random) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for (id, template) in (first..).zip(&JOBS) {
        let needed: Vec<&Job> = jobs
            .iter()
            .filter(|job| template.needs.contains(&job.name))
            .collect();
        let ended = needed.iter().map(|job| job.ended).max();
        let queued = ended.map_or(draft.created + 1_000, |ended| ended + 400);
        let ending = ending(draft, template, &needed);
        let job = job(draft, template, ending, id, queued, random);
        jobs.push(job);
    }
    jobs
}

fn ending(draft: &Draft, template: &Template, needed: &[&Job]) -> Ending {
    let are_all = |fits: fn(Ending) -> bool| needed.iter().all(|job| fits(job.ending));
    let is_on = |branch: &str| draft.branch.as_deref() == Some(branch);
    let runs = match template.name {
        "detect-changes" => true,
        // always() && each succeeded or was skipped.
        "integration-tests" => {
            are_all(|ending| matches!(ending, Ending::Success | Ending::Skipped))
        }
        // No status function in the `if`: GitHub adds success(), and a skipped need is no success.
        "deploy-staging" => is_on("develop") && are_all(|ending| ending == Ending::Success),
        "deploy-production" => is_on("main") && are_all(|ending| ending == Ending::Success),
        name => {
            are_all(|ending| ending == Ending::Success)
                && draft.parts.iter().any(|part| name == format!("{part}-ci"))
        }
    };
    let fails = draft
        .fails
        .as_ref()
        .is_some_and(|(job, _)| job == template.name);
    match runs {
        false => Ending::Skipped,
        true if template.name == "deploy-production" && draft.waits => Ending::Waits,
        true if fails => Ending::Failure,
        true => Ending::Success,
    }
}

fn job(
    draft: &Draft,
    template: &Template,
    ending: Ending,
    id: u64,
    queued: i64,
    random: &mut Random,
) -> Job {
    let mut job = Job {
        id,
        name: template.name,
        queued,
        began: queued,
        ended: queued,
        ending,
        steps: Vec::new(),
    };
    if matches!(ending, Ending::Skipped | Ending::Waits) {
        return job;
    }
    job.began = queued + random.range(800, 2_400);
    let mut at = job.began;
    let mut failed = false;
    let own = template.steps.iter().copied();
    let steps = [("Set up job", 1), ("Run actions/checkout@v4", 1)]
        .into_iter()
        .chain(own)
        .chain([("Post Run actions/checkout@v4", 0), ("Complete job", 0)]);
    for (name, weight) in steps {
        let is_last = matches!(
            name,
            "Post Run actions/checkout@v4" | "Complete job" | "Stop containers"
        );
        let fails = ending == Ending::Failure
            && draft.fails.as_ref().is_some_and(|(_, step)| *step == name);
        let ending = match (failed && !is_last, fails) {
            (true, _) => Ending::Skipped,
            (false, true) => Ending::Failure,
            (false, false) => Ending::Success,
        };
        failed |= fails;
        let took = match ending {
            Ending::Skipped => 0,
            _ => weight * draft.pace + random.range(20, 200),
        };
        job.steps.push(Step {
            name,
            began: at,
            ended: at + took,
            ending,
        });
        at += took;
    }
    job.ended = at;
    job
}

/// Lets a job that waited go on, from `draft.created` on.
pub(super) fn go_on(waiting: &mut Job, draft: &Draft, random: &mut Random) {
    let Some(template) = JOBS.iter().find(|it| it.name == waiting.name) else {
        return;
    };
    let (id, queued) = (waiting.id, waiting.queued);
    *waiting = job(draft, template, Ending::Success, id, draft.created, random);
    waiting.queued = queued;
}

/// When the deploy of a branch gives the cluster its image; nothing where it does not.
pub(super) fn deploys(jobs: &[Job], name: &str) -> Option<i64> {
    let job = jobs.iter().find(|job| job.name == name)?;
    began(job, DEPLOY)
}

/// When a step of the job begins that succeeds.
pub(super) fn began(job: &Job, name: &str) -> Option<i64> {
    let step = job.steps.iter().find(|step| step.name == name)?;
    (step.ending == Ending::Success).then_some(step.began)
}
