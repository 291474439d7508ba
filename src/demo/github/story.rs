//! The repository's runs as they grow: pushes, and what they deploy.

use super::past::{BOTH, REAL_PACE};
use super::plan::{self, Draft};
use super::run::{Ending, Review, Run};
use crate::demo::kind::Kind;
use crate::demo::queue::Task;
use crate::demo::random::{Random, fnv64};
use crate::demo::seed;
use crate::demo::store::Key;
use crate::demo::tree;
use crate::demo::world::World;
use crate::demo::write::Door;

const MINUTE: i64 = 60_000;
/// How long a unit of work takes in the story on the screen.
const STORY_PACE: i64 = 750;
/// GitHub's word.
const APPROVED: &str = "approved";
/// The most runs that are kept: the oldest go first.
const KEPT: usize = 240;

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "erin"];
const TITLES: [&str; 12] = [
    "Keep the wall's scroll position after an upload",
    "Cache wall thumbnails in Redis",
    "Retry R2 uploads on 503",
    "Show who is editing a tile",
    "Speed up the wall query with an index",
    "Fix the login redirect on Safari",
    "Validate tile sizes on the server",
    "Let editors reorder tiles by keyboard",
    "Drop the old session cookie",
    "Bump FastAPI to 0.115",
    "Render long captions without a jump",
    "Log slow queries with their wall",
];

/// What a push brings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::demo) struct Push {
    pub(in crate::demo) branch: String,
    /// Empty means one of the usual ones.
    pub(in crate::demo) title: String,
    /// `frontend`, `backend`, `mobile`.
    pub(in crate::demo) changes: Vec<String>,
    /// The job that fails; empty means none.
    pub(in crate::demo) fails: String,
}

/// The runs of the repository, the newest last, and what is known of its commits.
#[derive(Debug)]
pub(in crate::demo) struct Repository {
    pub(in crate::demo) runs: Vec<Run>,
    /// One-time tokens of log downloads, with the job.
    pub(in crate::demo) tickets: Vec<(String, u64)>,
    pub(in crate::demo) random: Random,
    /// Requests counted since the hour of the limit began.
    pub(in crate::demo) used: u64,
    pub(in crate::demo) hour: i64,
    pub(super) next_job: u64,
    next_number: u64,
    /// How many of the runs are fillers.
    pub(super) filled: usize,
}

impl Repository {
    pub(in crate::demo) fn new(seed: u64) -> Self {
        Self {
            runs: Vec::new(),
            tickets: Vec::new(),
            random: Random::of(seed, "github"),
            used: 212,
            hour: 0,
            next_job: 34_120_880_417,
            next_number: 1_471,
            filled: 0,
        }
    }

    /// Adds a run.
    pub(super) fn add(
        &mut self,
        draft: &Draft,
        sha: String,
        event: &'static str,
        title: String,
        actor: &'static str,
    ) -> &Run {
        let jobs = plan::jobs(draft, self.next_job, &mut self.random);
        self.next_job += 100 + self.random.next() % 900;
        let number = self.next_number;
        self.next_number += 1;
        if self.runs.len() >= self.filled + KEPT {
            self.runs.remove(0);
        }
        self.runs.push(Run {
            id: 12_406_000_000 + number * 1_913,
            number,
            sha,
            branch: draft.branch.clone(),
            event,
            title,
            actor,
            created: draft.created,
            jobs,
            earlier: Vec::new(),
            parts: draft.parts.clone(),
            reviews: Vec::new(),
        });
        // Pushed just above.
        &self.runs[self.runs.len() - 1]
    }

    pub(super) fn person(&self, commit: &str) -> &'static str {
        let index = fnv64(commit.as_bytes()) % PEOPLE.len() as u64;
        PEOPLE[usize::try_from(index).unwrap_or(0)]
    }

    pub(in crate::demo) fn run(&self, id: u64) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }
}

impl World {
    /// A push now: the pipeline runs, and on `develop` staging gets its images.
    pub(in crate::demo) fn push(&mut self, push: &Push) {
        let sha = self.github.random.hex(40);
        let title = match push.title.as_str() {
            "" => {
                let index = self.github.random.next() % TITLES.len() as u64;
                TITLES[usize::try_from(index).unwrap_or(0)].to_owned()
            }
            title => title.to_owned(),
        };
        let step = match push.fails.as_str() {
            "integration-tests" => "End-to-end tests",
            "deploy-staging" | "deploy-production" => "Smoke tests",
            "detect-changes" => "Run dorny/paths-filter@v3",
            _ => "Unit tests",
        };
        let draft = Draft {
            branch: Some(push.branch.clone()),
            parts: push.changes.clone(),
            fails: Some((push.fails.clone(), step)).filter(|(job, _)| !job.is_empty()),
            waits: true,
            created: self.now,
            pace: STORY_PACE,
        };
        let actor = self.github.person(&sha);
        let run = self.github.add(&draft, sha, "push", title, actor);
        let (id, at) = (run.id, plan::deploys(&run.jobs, "deploy-staging"));
        if let Some(at) = at {
            self.later(at, Task::Deploy(id));
        }
        // What polls want to see changes at these times: the estate must not sleep through them.
        self.store.wake();
    }

    /// A person's decision about what the run waits for, by the environment's name: whether there was anything to decide.
    pub(super) fn review(
        &mut self,
        id: u64,
        environment: &str,
        is_approved: bool,
        comment: &str,
    ) -> bool {
        let now = self.now;
        let repository = &mut self.github;
        let run = repository.runs.iter_mut().find(|run| run.id == id);
        let Some(run) = run else { return false };
        let mut jobs = run.jobs.iter_mut();
        let Some(job) = jobs.find(|job| job.waits(now) && job.environment() == environment) else {
            return false;
        };
        run.reviews.push(Review {
            environment: environment.to_owned(),
            word: if is_approved { APPROVED } else { "rejected" },
            comment: comment.to_owned(),
        });
        if !is_approved {
            (job.ending, job.began, job.ended) = (Ending::Failure, now, now);
            self.store.wake();
            return true;
        }
        let draft = Draft {
            branch: run.branch.clone(),
            parts: run.parts.clone(),
            fails: None,
            waits: false,
            created: now,
            pace: STORY_PACE,
        };
        plan::go_on(job, &draft, &mut repository.random);
        let deploys = plan::began(job, plan::DEPLOY).unwrap_or(now);
        let switches = plan::began(job, plan::SWITCH).unwrap_or(now);
        self.later(deploys, Task::Deploy(id));
        self.later(switches, Task::Switch);
        self.store.wake();
        true
    }

    /// The deploy of a run reached the cluster: staging gets the images of its commit; production, where somebody approved that.
    pub(in crate::demo) fn deploy(&mut self, id: u64) {
        let Some(run) = self.github.run(id) else {
            return;
        };
        // Production's job is there where somebody approved it: it deploys to GREEN, whatever is live (its file's fault).
        let is_production = (run.reviews.iter()).any(|it| it.word == APPROVED);
        let (namespace, release) = match is_production {
            true => ("production", "digital-wall-green"),
            false => ("staging", "digital-wall-staging"),
        };
        let (sha, parts) = (run.sha.clone(), run.parts.clone());
        for (part, ..) in seed::PARTS {
            if !parts.iter().any(|changed| changed == part) {
                continue;
            }
            let key: Key = (namespace.to_owned(), format!("{release}-{part}"));
            self.modify(Kind::Deployment, &key, "helm", Door::Main, |value| {
                let containers = tree::list_mut(value, "/spec/template/spec/containers");
                if let Some(container) = containers.first_mut() {
                    tree::set(
                        container,
                        "/image",
                        format!("ghcr.io/acme/digitalwall-{part}:{sha}"),
                    );
                }
            });
        }
    }

    /// Sees to it that a tag that somebody deploys is a commit that has a run: the images came from one.
    pub(in crate::demo) fn account_for(&mut self, namespace: &str, tag: &str) {
        let is_commit = tag.len() == 40 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit || self.github.runs.iter().any(|run| run.sha == tag) {
            return;
        }
        let (branch, event) = match namespace {
            "production" => ("main", "push"),
            "staging" => ("develop", "push"),
            _ => ("feature/comments", "workflow_dispatch"),
        };
        let draft = Draft {
            branch: Some(branch.to_owned()),
            parts: BOTH.iter().map(|part| (*part).to_owned()).collect(),
            fails: None,
            waits: false,
            created: self.now - 9 * MINUTE,
            pace: REAL_PACE,
        };
        let actor = self.github.person(tag);
        let title =
            TITLES[usize::try_from(fnv64(tag.as_bytes()) % TITLES.len() as u64).unwrap_or(0)];
        self.github
            .add(&draft, tag.to_owned(), event, title.to_owned(), actor);
        self.github.runs.sort_by_key(|run| run.created);
    }

    /// Runs that the API may show now, the newest first.
    pub(in crate::demo) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.github.runs.iter().rev()
    }
}
