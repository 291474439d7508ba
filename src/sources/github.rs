//! One workflow's runs, observed for ever.
//!
//! What is asked, and how often: the list of runs every 5 s while one of them goes on, every 15 s while
//! those that are not completed wait for an approval, which may take all night, every 30 s otherwise, every
//! 60 s after ten quiet minutes or while nobody looks; with it the list of each branch that is deployed and of which the first holds fewer than ten; after them the jobs
//! of the newest ten runs, of all and of each such branch: those that go on every time, those that ended once an attempt;
//! what one of these waits for at GitHub, and what was decided, while it waits and once more afterwards;
//! where more than 100 runs are shown the later pages once a minute;
//! the workflow file once for each new commit on top. All but the file and what was decided is asked with the ETag of the last answer,
//! and what did not change costs nothing of the hourly budget.
//!
//! What is sent: `Runs` or `Unchanged` for each list that was answered, `Jobs`, `Reviews`, `Needs` and `Budget`
//! when they changed, `Failed` when something is wrong that was not wrong before. While a rate limit
//! shuts us out nothing is asked. Connected anew it goes on with what it knows.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, sleep_until};

use lists::Lists;
pub use log::log;
pub use shared::Shared;

use crate::clients::github::{self, Answer, Github, Known, PAGE, Target};
use crate::clients::kubernetes::Backoff;
use crate::estate::review::Reviews;
use crate::estate::runs::{Budget, Jobs, Progress, Run, RunsSeen};
use crate::estate::{Fault, FaultKind, Moment};

mod lists;
mod log;
mod shared;

/// Runs whose jobs are looked at, of all and of each branch that is deployed; besides them the one whose page is open.
const LOOKED_AT: usize = 10;

/// It is not connected anew sooner than so long after the last time: a key that is held down repeats itself.
const AGAIN: Duration = Duration::from_secs(5);

/// How often is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// While a run goes on.
    pub busy: Duration,
    /// While those that are not completed wait for a person.
    pub waiting: Duration,
    /// While none does, and while one does but nobody looks.
    pub idle: Duration,
    /// While nothing changed for long, or nobody looks.
    pub quiet: Duration,
    /// How long nothing changed before it counts as quiet.
    pub quiet_after: Duration,
    /// The first and the longest pause after a failure.
    pub pauses: [Duration; 2],
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            busy: Duration::from_secs(5),
            waiting: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            quiet: Duration::from_secs(60),
            quiet_after: Duration::from_secs(600),
            pauses: [Duration::from_secs(2), Duration::from_secs(120)],
        }
    }
}

/// Observes `target` until the receiver is gone or the task is aborted; the connection is shared with
/// the logs of its jobs.
pub async fn run(
    target: Target,
    shared: Shared,
    out: Sender<(Moment, RunsSeen)>,
    clock: fn() -> Moment,
) {
    run_at(Pace::default(), target, shared, out, clock).await;
}

/// As [`run`], at a pace of the caller's.
pub async fn run_at(
    pace: Pace,
    target: Target,
    shared: Shared,
    out: Sender<(Moment, RunsSeen)>,
    clock: fn() -> Moment,
) {
    let backoff = Backoff::new(pace.pauses[0], pace.pauses[1]);
    let mut observing = Observing {
        pace,
        target,
        shared,
        out,
        clock,
        backoff,
        failed: None,
        seen: Memory::default(),
    };
    // Gone: the receiver does not exist any more, and neither does anybody to tell.
    let _ = observing.run().await;
}

/// The receiver is gone.
struct Gone;

struct Observing {
    pace: Pace,
    target: Target,
    shared: Shared,
    out: Sender<(Moment, RunsSeen)>,
    clock: fn() -> Moment,
    backoff: Backoff,
    /// The fault that was told last and still holds.
    failed: Option<Fault>,
    seen: Memory,
}

/// What was seen so far.
#[derive(Default)]
struct Memory {
    known: Known,
    lists: Lists,
    /// When the later pages of the list were asked for last; none: they are due.
    older: Option<Instant>,
    runs: Vec<Run>,
    /// Runs and attempts whose jobs have all ended, and were told.
    done: BTreeSet<(u64, u32)>,
    /// Runs of which a job waits for somebody's word.
    waiting: BTreeSet<u64>,
    /// Runs that waited for a review when that was asked last.
    reviewed: BTreeSet<u64>,
    /// Runs whose reviews are not for this token to see.
    hidden: BTreeSet<u64>,
    /// The commit whose workflow file was read, or could not be.
    read: Option<String>,
    budget: Option<Budget>,
    changed: Option<Instant>,
}

/// Why a round ended early.
enum Broken {
    Gone,
    Fault(Fault),
}

impl From<Gone> for Broken {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Observing {
    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let github = self.connect().await?;
            self.shared.publish(&github);
            self.rounds(&github).await?;
            self.start_over();
        }
    }

    /// What is wrong is told once a connection, and another token may see more; what is known stays.
    fn start_over(&mut self) {
        self.failed = None;
        self.backoff.restart();
        self.seen.hidden.clear();
    }

    /// Until it is to be connected anew.
    async fn rounds(&mut self, github: &Github) -> Result<(), Gone> {
        let connected = Instant::now();
        loop {
            let pause = match self.round(github).await {
                Ok(()) => self.pause(),
                Err(Broken::Gone) => return Err(Gone),
                Err(Broken::Fault(fault)) => {
                    self.fail(fault).await?;
                    github.pause().unwrap_or_else(|| self.backoff.pause())
                }
            };
            self.tell_budget(github).await?;
            tokio::select! {
                rested = self.rest(pause, github) => rested?,
                () = self.shared.asked_anew(), if !self.is_limited() => {
                    sleep_until(connected + AGAIN).await;
                    return Ok(());
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Github, Gone> {
        loop {
            match github::connect(&self.target).await {
                Ok(github) => return Ok(github),
                Err(fault) => self.fail(fault).await?,
            }
            tokio::select! {
                () = sleep(self.backoff.pause()) => {}
                () = self.shared.asked_anew() => self.start_over(),
                () = self.out.closed() => return Err(Gone),
            }
        }
    }

    async fn round(&mut self, github: &Github) -> Result<(), Broken> {
        self.lists(github).await?;
        if !self.tell_runs().await? {
            self.send(RunsSeen::Unchanged).await?;
        }
        // The answer has confirmed the feed: what goes wrong from here on is told anew.
        self.failed = None;
        self.tell_budget(github).await?;
        self.needs(github).await?;
        let opened = self.shared.opened();
        let near = self.near();
        let runs = self.seen.runs.iter();
        let is_near = |run: &&Run| near.contains(&run.id) || Some(run.id) == opened;
        let looked_at = runs.filter(|run| run.has_id() && is_near(run));
        let looked_at: Vec<Run> = looked_at.cloned().collect();
        let mut broken: Option<Fault> = None;
        for run in &looked_at {
            let mut asked = self.jobs(github, run).await;
            if asked.is_ok() {
                asked = self.reviews(github, run).await;
            }
            match asked {
                Ok(()) => {}
                // It is told in the end: what is wrong with one run hides nothing of another.
                Err(Broken::Fault(fault)) if is_of_one(&fault, broken.as_ref()) => {
                    broken.get_or_insert(fault);
                }
                Err(all) => return Err(all),
            }
        }
        self.older(github).await?;
        broken.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Tells the runs if there is news of them; whether there was.
    async fn tell_runs(&mut self) -> Result<bool, Gone> {
        if !std::mem::take(&mut self.seen.lists.is_news) {
            return Ok(false);
        }
        let runs = self.seen.lists.merged();
        self.seen.changed = Some(Instant::now());
        let kept: BTreeSet<u64> = runs.iter().map(|run| run.id).collect();
        let is_kept = |id: u64| kept.contains(&id);
        // Whoever is told of them lets go of what was told of a run that is gone: should it come back, all is news.
        for run in &self.seen.runs {
            if !is_kept(run.id) {
                self.seen.known.forget(run.id);
            }
        }
        self.seen.runs.clone_from(&runs);
        self.seen.done.retain(|(id, _)| is_kept(*id));
        for of in [
            &mut self.seen.waiting,
            &mut self.seen.reviewed,
            &mut self.seen.hidden,
        ] {
            of.retain(|id| is_kept(*id));
        }
        self.send(RunsSeen::Runs(runs)).await?;
        Ok(true)
    }

    /// The later pages, where so many runs are shown: once a minute, while the budget is not low.
    async fn older(&mut self, github: &Github) -> Result<(), Broken> {
        let last = self.target.runs.div_ceil(PAGE);
        let is_due = (self.seen.older).is_none_or(|at| at.elapsed() >= self.pace.quiet);
        if last < 2 || !is_due || self.is_low() {
            return Ok(());
        }
        self.seen.older = Some(Instant::now());
        let mut page = 1;
        while page < last && self.seen.lists.goes_on(page) {
            page += 1;
            match github.older_runs(page, &mut self.seen.known).await {
                Ok(Answer::Changed(runs)) => self.seen.lists.put_older(page, runs),
                Ok(Answer::Unchanged) => {}
                Err(fault) if fault.kind == FaultKind::Busy => return Err(fault.into()),
                // The newest are there and current: what was known of the others stays until the next try.
                Err(fault) => {
                    tracing::warn!(page, what = %fault.what, "no older runs");
                    return Ok(());
                }
            }
        }
        self.seen.lists.settle(page);
        self.tell_runs().await?;
        Ok(())
    }

    /// The newest runs of all, and those of the branches that are deployed and that these hold too few of.
    async fn lists(&mut self, github: &Github) -> Result<(), Fault> {
        let seen = &mut self.seen;
        if let Answer::Changed(runs) = github.runs(&mut seen.known).await?
            && !seen.lists.put(runs)
        {
            // Nothing says how many came in between.
            seen.older = None;
        }
        for branch in &self.target.branches {
            // One that was asked for once is kept current: what it holds is shown.
            if !seen.lists.lack(branch) && !seen.lists.hold(branch) {
                continue;
            }
            let answer = github.runs_of_branch(branch, &mut seen.known).await?;
            if let Answer::Changed(runs) = answer {
                seen.lists.put_of(branch, runs);
            }
        }
        Ok(())
    }

    /// The runs whose jobs are looked at unasked: the newest, of all and of each branch that is deployed.
    fn near(&self) -> BTreeSet<u64> {
        let runs = &self.seen.runs;
        let newest = runs.iter().take(LOOKED_AT).map(|run| run.id);
        let of_branches = self.target.branches.iter().flat_map(|branch| {
            let is_of = |run: &&Run| run.branch.as_deref() == Some(branch.as_str());
            runs.iter().filter(is_of).take(LOOKED_AT).map(|run| run.id)
        });
        newest.chain(of_branches).collect()
    }

    /// The jobs of a run, unless they were told and have all ended.
    async fn jobs(&mut self, github: &Github, run: &Run) -> Result<(), Broken> {
        let attempt = (run.id, run.attempt);
        if self.seen.done.contains(&attempt) {
            return Ok(());
        }
        let asked = github.jobs(run.id, run.attempt, &mut self.seen.known).await;
        let jobs = match asked {
            Ok(Answer::Changed(jobs)) => jobs,
            Ok(Answer::Unchanged) => return Ok(()),
            // Deleted since the list was made: the next one will not have it.
            Err(fault) if fault.kind == FaultKind::Missing => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        let waits = (jobs.jobs.iter()).any(|job| job.progress == Progress::Waiting);
        match waits {
            true => self.seen.waiting.insert(run.id),
            false => self.seen.waiting.remove(&run.id),
        };
        // A run may be completed a moment before the last of its jobs is.
        if is_over(&run.progress) && is_whole(&jobs) {
            self.seen.done.insert(attempt);
        }
        self.seen.changed = Some(Instant::now());
        Ok(self.send(RunsSeen::Jobs(run.id, jobs)).await?)
    }

    /// What a run waits for, while it or one of its jobs does, and once more when they do no longer: who decided.
    async fn reviews(&mut self, github: &Github, run: &Run) -> Result<(), Broken> {
        let seen = &mut self.seen;
        let waits = run.progress == Progress::Waiting || seen.waiting.contains(&run.id);
        if !(waits || seen.reviewed.contains(&run.id)) || seen.hidden.contains(&run.id) {
            return Ok(());
        }
        let asked = github.pending(run.id, &mut seen.known).await;
        let pending = match asked {
            Ok(Answer::Unchanged) => return Ok(()),
            Ok(Answer::Changed(pending)) => pending,
            Err(fault) => return self.unreviewed(run, fault).await,
        };
        let decided = match github.decided(run.id).await {
            Ok(decided) => decided,
            Err(fault) => {
                // What waits is asked for once more with it: who decided must not be lost.
                github.forget_pending(run.id, &mut seen.known);
                seen.reviewed.insert(run.id);
                return self.unreviewed(run, fault).await;
            }
        };
        match pending.is_empty() {
            true => seen.reviewed.remove(&run.id),
            false => seen.reviewed.insert(run.id),
        };
        seen.changed = Some(Instant::now());
        let reviews = Reviews {
            pending,
            decided,
            unseen: None,
        };
        Ok(self.send(RunsSeen::Reviews(run.id, reviews)).await?)
    }

    /// The reviews of a run could not be read. That it waits is seen all the same: the runs are no worse for it.
    async fn unreviewed(&mut self, run: &Run, fault: Fault) -> Result<(), Broken> {
        use FaultKind::{Forbidden, Malformed, Missing};
        if !matches!(fault.kind, Forbidden | Malformed | Missing) {
            return Err(fault.into());
        }
        tracing::warn!(run = run.id, what = %fault.what, "no reviews");
        if fault.kind == Forbidden {
            self.seen.hidden.insert(run.id);
        }
        let reviews = Reviews {
            unseen: Some(fault.what),
            ..Reviews::default()
        };
        Ok(self.send(RunsSeen::Reviews(run.id, reviews)).await?)
    }

    /// The needs graph, as of the newest run's commit; the default branch's where that is not readable.
    async fn needs(&mut self, github: &Github) -> Result<(), Broken> {
        let Some(newest) = self.seen.runs.first() else {
            return Ok(());
        };
        let sha = newest.sha.to_string();
        if self.seen.read.as_ref() == Some(&sha) {
            return Ok(());
        }
        let mut asked = github.needs(Some(&sha)).await;
        if matches!(&asked, Err(fault) if fault.kind == FaultKind::Missing) {
            asked = github.needs(None).await;
        }
        use FaultKind::{Forbidden, Malformed, Missing};
        match asked {
            Ok(needs) => self.send(RunsSeen::Needs(needs)).await?,
            // Without it only the reason of a skipped job is unknown: the runs are no worse for it.
            Err(fault) if matches!(fault.kind, Forbidden | Malformed | Missing) => {
                tracing::warn!(what = %fault.what, "no needs graph");
            }
            Err(fault) => return Err(fault.into()),
        }
        self.seen.read = Some(sha);
        Ok(())
    }

    /// Whether little is left of the hourly budget.
    fn is_low(&self) -> bool {
        (self.seen.budget).is_some_and(|b| b.remaining < b.limit / 5)
    }

    /// How long until the next round.
    fn pause(&self) -> Duration {
        // One that was forgotten long ago, and never ends, keeps nobody awake.
        let (near, opened) = (self.near(), self.shared.opened());
        let is_near = |run: &&Run| near.contains(&run.id) || Some(run.id) == opened;
        let near = self.seen.runs.iter().filter(is_near);
        let mut open = near.map(|run| &run.progress);
        let is_waiting = |progress: &Progress| *progress == Progress::Waiting;
        let is_busy = open.clone().any(|it| !is_over(it));
        let only_waits = open.all(|it| is_over(it) || is_waiting(it));
        let is_low = self.is_low();
        let quiet_since = self.seen.changed.map(|at| at.elapsed());
        match (is_busy, self.shared.is_looked_at()) {
            (true, true) if !is_low && only_waits => self.pace.waiting,
            (true, true) if !is_low => self.pace.busy,
            (true, _) => self.pace.idle,
            (false, false) => self.pace.quiet,
            (false, true) => match quiet_since {
                Some(quiet) if quiet >= self.pace.quiet_after => self.pace.quiet,
                _ => self.pace.idle,
            },
        }
    }

    /// Waits, but not on after somebody has come to look.
    async fn rest(&self, pause: Duration, github: &Github) -> Result<(), Gone> {
        let began = Instant::now();
        let mut due = began + pause;
        loop {
            // In steps: a rate limit is over by the wall clock, too, which goes on during a suspend.
            let step = due.min(Instant::now() + self.pace.quiet);
            tokio::select! {
                () = sleep_until(step) => {}
                () = self.out.closed() => return Err(Gone),
                () = self.shared.looked_at() => due = due.min(began + self.pause()),
                () = self.shared.another_opened() => {
                    if self.is_unseen() {
                        due = Instant::now();
                    }
                }
            }
            match github.pause().filter(|_| self.is_limited()) {
                Some(left) => due = Instant::now() + left,
                None if self.is_limited() || Instant::now() >= due => return Ok(()),
                None => {}
            }
        }
    }

    /// Whether the jobs of the run whose page is open are not looked at yet.
    fn is_unseen(&self) -> bool {
        let opened = self.shared.opened();
        let run = self.seen.runs.iter().find(|run| Some(run.id) == opened);
        run.is_some_and(|run| {
            let is_told = self.seen.done.contains(&(run.id, run.attempt));
            !self.near().contains(&run.id) && !is_told
        })
    }

    fn is_limited(&self) -> bool {
        (self.failed.as_ref()).is_some_and(|fault| fault.kind == FaultKind::Busy)
    }

    /// Tells what is wrong, once.
    async fn fail(&mut self, fault: Fault) -> Result<(), Gone> {
        if self.failed.as_ref() == Some(&fault) {
            return Ok(());
        }
        self.failed = Some(fault.clone());
        self.send(RunsSeen::Failed(fault)).await
    }

    async fn tell_budget(&mut self, github: &Github) -> Result<(), Gone> {
        let budget = github.budget();
        if budget == self.seen.budget {
            return Ok(());
        }
        self.seen.budget = budget;
        match budget {
            Some(budget) => self.send(RunsSeen::Budget(budget)).await,
            None => Ok(()),
        }
    }

    async fn send(&self, seen: RunsSeen) -> Result<(), Gone> {
        let sent = self.out.send(((self.clock)(), seen)).await;
        sent.map_err(|_| Gone)
    }
}

/// Whether what is wrong may be with that answer alone, after what was wrong with one `before`: a server that breaks down
/// over two runs has an incident, and is not asked for the others.
fn is_of_one(fault: &Fault, before: Option<&Fault>) -> bool {
    use FaultKind::{Forbidden, Malformed, Missing, Server};
    match fault.kind {
        Forbidden | Malformed | Missing => true,
        Server => before.is_none_or(|before| before.kind != Server),
        _ => false,
    }
}

fn is_over(progress: &Progress) -> bool {
    match progress {
        Progress::Done(_) => true,
        Progress::Queued | Progress::Waiting | Progress::Running | Progress::Other(_) => false,
    }
}

fn is_whole(jobs: &Jobs) -> bool {
    jobs.jobs.iter().all(|job| is_over(&job.progress))
}
