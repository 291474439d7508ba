//! The repository's runs: a believable past whose commits are those that the cluster runs, and pushes.

use super::plan::{self, Draft};
use super::run::Run;
use crate::demo::kind::Kind;
use crate::demo::queue::Task;
use crate::demo::random::{Random, fnv64};
use crate::demo::seed;
use crate::demo::store::Key;
use crate::demo::tree;
use crate::demo::world::World;
use crate::demo::write::Door;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How long a unit of work takes in the past, and in the story on the screen.
const REAL_PACE: i64 = 8_000;
const STORY_PACE: i64 = 750;
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
    next_job: u64,
    next_number: u64,
}

/// The commit whose run is described, in one row.
struct Past {
    ago: i64,
    branch: Option<&'static str>,
    event: &'static str,
    commit: &'static str,
    title: &'static str,
    parts: &'static [&'static str],
    fails: Option<(&'static str, &'static str)>,
    waits: bool,
}

const BOTH: &[&str] = &["frontend", "backend"];

const fn past(
    ago: i64,
    branch: &'static str,
    commit: &'static str,
    title: &'static str,
    parts: &'static [&'static str],
) -> Past {
    Past {
        ago,
        branch: Some(branch),
        event: "push",
        commit,
        title,
        parts,
        fails: None,
        waits: false,
    }
}

/// The past, the oldest first. The deploys fit the times at which [`crate::demo::seed`] upgrades.
fn history() -> Vec<Past> {
    let mut all = vec![
        past(
            9 * DAY + 30 * MINUTE,
            "main",
            "3f9a2c4",
            "First release of the wall editor",
            BOTH,
        ),
        past(
            5 * DAY + 2 * HOUR,
            "develop",
            "7c1e5a9",
            "Share walls by link",
            BOTH,
        ),
        past(
            4 * DAY + 20 * HOUR,
            "main",
            "a90c7e2",
            "Correct a typo on the landing page",
            &["frontend"],
        ),
        past(
            2 * DAY + 33 * MINUTE,
            "main",
            "7c1e5a9",
            "Share walls by link",
            BOTH,
        ),
        past(
            30 * HOUR,
            "develop",
            "5b20fd8",
            "Move tiles with the mouse wheel",
            &["frontend", "backend", "mobile"],
        ),
        past(
            27 * HOUR,
            "main",
            "c41f0b7",
            "Enlarge the tap targets of the toolbar",
            &["frontend"],
        ),
        past(
            20 * HOUR,
            "develop",
            "d07aa13",
            "Count views of shared walls",
            BOTH,
        ),
        past(
            8 * HOUR,
            "develop",
            "f3c98e1",
            "Store wall layouts as JSONB",
            &["backend", "frontend"],
        ),
        past(
            3 * HOUR + 8 * MINUTE,
            "develop",
            "e4d909c",
            "Store wall layouts as JSONB, with the migration",
            BOTH,
        ),
        past(
            65 * MINUTE,
            "feature/comments",
            "b6d81b3",
            "Comments on tiles",
            BOTH,
        ),
        past(
            2 * HOUR,
            "main",
            "9d4be06",
            "Crop images in the editor",
            BOTH,
        ),
        past(
            18 * MINUTE,
            "main",
            "e4d909c",
            "Store wall layouts as JSONB, with the migration",
            BOTH,
        ),
        past(
            55 * MINUTE,
            "",
            "1ce77d0",
            "Translate the wall editor to Portuguese",
            &["frontend"],
        ),
        past(
            14 * MINUTE,
            "main",
            "4a6e1d5",
            "Limit uploads to 25 MB",
            BOTH,
        ),
    ];
    for one in &mut all {
        match one.commit {
            "f3c98e1" => one.fails = Some(("backend-ci", "Unit tests")),
            "9d4be06" => one.fails = Some(("integration-tests", "End-to-end tests")),
            "4a6e1d5" => one.waits = true,
            "b6d81b3" => one.event = "workflow_dispatch",
            "1ce77d0" => (one.event, one.branch) = ("pull_request", None),
            _ => {}
        }
    }
    all.sort_by_key(|one| -one.ago);
    all
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
        }
    }

    /// Adds a run, and says at which place.
    fn add(
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
        if self.runs.len() >= KEPT {
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
        });
        // Pushed just above.
        &self.runs[self.runs.len() - 1]
    }

    /// Makes the runs that lie before the start.
    pub(in crate::demo) fn remember(&mut self) {
        for one in history() {
            let draft = Draft {
                branch: one.branch.map(str::to_owned),
                parts: one.parts.iter().map(|part| (*part).to_owned()).collect(),
                fails: one.fails.map(|(job, step)| (job.to_owned(), step)),
                waits: one.waits,
                created: -one.ago,
                pace: REAL_PACE,
            };
            let actor = self.person(one.commit);
            self.add(
                &draft,
                seed::whole(one.commit),
                one.event,
                one.title.to_owned(),
                actor,
            );
            if one.commit == "9d4be06" {
                self.run_again(&draft);
            }
        }
        self.runs.sort_by_key(|run| run.created);
    }

    /// A second attempt of the last run, no luckier than the first.
    fn run_again(&mut self, draft: &Draft) {
        let Some(mut run) = self.runs.pop() else {
            return;
        };
        let ended = run.jobs.iter().map(|job| job.ended).max();
        let again = Draft {
            created: ended.unwrap_or(run.created) + 3 * MINUTE,
            ..draft.clone()
        };
        let jobs = plan::jobs(&again, self.next_job, &mut self.random);
        self.next_job += 100;
        run.earlier.push(std::mem::replace(&mut run.jobs, jobs));
        self.runs.push(run);
    }

    fn person(&self, commit: &str) -> &'static str {
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

    /// The deploy of a run reached the cluster: staging gets the images of its commit.
    pub(in crate::demo) fn deploy(&mut self, id: u64) {
        let Some(run) = self.github.run(id) else {
            return;
        };
        let (sha, parts) = (run.sha.clone(), run.parts.clone());
        for (part, ..) in seed::PARTS {
            if !parts.iter().any(|changed| changed == part) {
                continue;
            }
            let key: Key = ("staging".to_owned(), format!("digital-wall-staging-{part}"));
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
