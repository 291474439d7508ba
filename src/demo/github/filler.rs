//! Hundreds of runs of many jobs: how a busy repository weighs on a client.

use super::past::BOTH;
use super::plan::Draft;
use super::story::Repository;

const MINUTE: i64 = 60_000;
/// The newest is over when the estate starts.
const LATEST: i64 = 25 * MINUTE;
/// Jobs of one filler run.
const JOBS: usize = 20;
/// What a matrix adds to the workflow's own jobs.
const MATRIX: [&str; 13] = [
    "matrix (1)",
    "matrix (2)",
    "matrix (3)",
    "matrix (4)",
    "matrix (5)",
    "matrix (6)",
    "matrix (7)",
    "matrix (8)",
    "matrix (9)",
    "matrix (10)",
    "matrix (11)",
    "matrix (12)",
    "matrix (13)",
];

impl Repository {
    /// Adds `count` runs, one a minute, the newest runs of all but those that are yet to come.
    pub(in crate::demo) fn fill(&mut self, count: usize) {
        self.filled = count;
        for place in (0..count).rev() {
            let before = i64::try_from(place).unwrap_or(0) * MINUTE;
            let draft = Draft {
                branch: Some("develop".to_owned()),
                parts: BOTH.iter().map(|part| (*part).to_owned()).collect(),
                fails: None,
                waits: false,
                created: -LATEST - before,
                pace: 2_000,
            };
            let sha = format!("{:07x}{:033x}", 0x00f1_1e00 + place, place);
            self.add(&draft, sha, "push", format!("Filler {place}"), "alice");
            self.widen();
        }
    }

    /// Gives the last run as many jobs as a wide matrix makes.
    fn widen(&mut self) {
        let next = self.next_job;
        self.next_job += 100;
        let Some(run) = self.runs.last_mut() else {
            return;
        };
        let missing = JOBS.saturating_sub(run.jobs.len());
        let template = run.jobs.get(1).cloned();
        for (id, name) in (next..).zip(MATRIX).take(missing) {
            let job = template
                .clone()
                .map(|job| super::run::Job { id, name, ..job });
            run.jobs.extend(job);
        }
    }
}
