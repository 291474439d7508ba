//! A workflow run as a plan in time: when each job is queued, begins and ends is settled when the run is
//! created, so that what the API shows is a function of the plan and the clock.

/// How a job or a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Ending {
    Success,
    Failure,
    Skipped,
    /// It does not: it waits for somebody's approval.
    Waits,
}

/// Where something stands at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Standing {
    Queued,
    Running,
    Waiting,
    Over(Ending),
}

/// A step of a job.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Step {
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) began: i64,
    pub(in crate::demo) ended: i64,
    pub(in crate::demo) ending: Ending,
}

/// A job of a run.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Job {
    pub(in crate::demo) id: u64,
    pub(in crate::demo) name: &'static str,
    pub(in crate::demo) queued: i64,
    pub(in crate::demo) began: i64,
    pub(in crate::demo) ended: i64,
    pub(in crate::demo) ending: Ending,
    pub(in crate::demo) steps: Vec<Step>,
}

/// What a person decided about a job that waited.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Review {
    /// The environment.
    pub(in crate::demo) environment: String,
    /// `approved` or `rejected`.
    pub(in crate::demo) word: &'static str,
    pub(in crate::demo) comment: String,
}

/// A run of the workflow; its jobs are those of the last attempt.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Run {
    pub(in crate::demo) id: u64,
    pub(in crate::demo) number: u64,
    pub(in crate::demo) sha: String,
    /// Nothing where the branch is a fork's that is gone.
    pub(in crate::demo) branch: Option<String>,
    pub(in crate::demo) event: &'static str,
    pub(in crate::demo) title: String,
    pub(in crate::demo) actor: &'static str,
    pub(in crate::demo) created: i64,
    pub(in crate::demo) jobs: Vec<Job>,
    /// The jobs of earlier attempts, the first one first.
    pub(in crate::demo) earlier: Vec<Vec<Job>>,
    /// The parts that the commit changed.
    pub(in crate::demo) parts: Vec<String>,
    /// What was decided about its jobs.
    pub(in crate::demo) reviews: Vec<Review>,
}

impl Ending {
    pub(in crate::demo) fn word(self) -> &'static str {
        match self {
            Ending::Success => "success",
            Ending::Failure => "failure",
            Ending::Skipped => "skipped",
            Ending::Waits => "neutral",
        }
    }
}

impl Standing {
    fn of(now: i64, began: i64, ended: i64, ending: Ending) -> Self {
        match ending {
            Ending::Waits => Standing::Waiting,
            _ if now < began => Standing::Queued,
            _ if now < ended => Standing::Running,
            ending => Standing::Over(ending),
        }
    }

    /// The wire's `status`.
    pub(in crate::demo) fn status(self) -> &'static str {
        match self {
            Standing::Queued => "queued",
            Standing::Running => "in_progress",
            Standing::Waiting => "waiting",
            Standing::Over(_) => "completed",
        }
    }

    /// The wire's `conclusion`.
    pub(in crate::demo) fn conclusion(self) -> Option<&'static str> {
        match self {
            Standing::Over(ending) => Some(ending.word()),
            Standing::Queued | Standing::Running | Standing::Waiting => None,
        }
    }
}

impl Step {
    pub(in crate::demo) fn standing(&self, now: i64) -> Standing {
        Standing::of(now, self.began, self.ended, self.ending)
    }
}

impl Job {
    /// The environment that it deploys to.
    pub(in crate::demo) fn environment(&self) -> &'static str {
        self.name.trim_start_matches("deploy-")
    }

    /// Whether it waits for somebody's approval.
    pub(in crate::demo) fn waits(&self, now: i64) -> bool {
        self.queued <= now && self.standing(now) == Standing::Waiting
    }

    pub(in crate::demo) fn standing(&self, now: i64) -> Standing {
        Standing::of(now, self.began, self.ended, self.ending)
    }
}

impl Run {
    pub(in crate::demo) fn attempt(&self) -> usize {
        self.earlier.len() + 1
    }

    /// The jobs of an attempt, counted from 1.
    pub(in crate::demo) fn jobs_of(&self, attempt: usize) -> Option<&[Job]> {
        match attempt {
            0 => None,
            attempt if attempt == self.attempt() => Some(&self.jobs),
            attempt => self.earlier.get(attempt - 1).map(Vec::as_slice),
        }
    }

    /// When the last attempt began.
    pub(in crate::demo) fn started(&self) -> i64 {
        match self.earlier.is_empty() {
            true => self.created,
            false => self
                .jobs
                .first()
                .map_or(self.created, |job| job.queued - 1_000),
        }
    }

    pub(in crate::demo) fn standing(&self, now: i64) -> Standing {
        let all: Vec<Standing> = self.jobs.iter().map(|job| job.standing(now)).collect();
        let is_any = |wanted| all.contains(&wanted);
        let seen = self.jobs.iter().filter(|job| job.queued <= now);
        if self.jobs.first().is_none_or(|job| now < job.began) {
            Standing::Queued
        } else if seen
            .clone()
            .any(|job| job.standing(now) == Standing::Running)
        {
            Standing::Running
        } else if seen
            .clone()
            .any(|job| job.standing(now) == Standing::Waiting)
        {
            Standing::Waiting
        } else if all.iter().any(|one| !matches!(one, Standing::Over(_))) {
            Standing::Running
        } else if is_any(Standing::Over(Ending::Failure)) {
            Standing::Over(Ending::Failure)
        } else {
            Standing::Over(Ending::Success)
        }
    }

    /// The last time up to `now` at which something about the run changed.
    pub(in crate::demo) fn updated(&self, now: i64) -> i64 {
        let times = self
            .jobs
            .iter()
            .flat_map(|job| [job.queued, job.began, job.ended]);
        times
            .filter(|at| *at <= now)
            .max()
            .unwrap_or(self.created)
            .max(self.created)
    }
}
