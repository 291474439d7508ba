//! A believable past: runs whose commits are those that the cluster runs, and one of each trouble.

use super::plan::{self, Draft};
use super::story::Repository;
use crate::demo::seed;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How long a unit of work takes where nobody has to sit and watch.
pub(super) const REAL_PACE: i64 = 8_000;

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

pub(super) const BOTH: &[&str] = &["frontend", "backend"];

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
}
