//! The worker: this same program in a session of its own, without a terminal, that carries an operation out.
//!
//! ```text
//! cockpit ── job (one line of JSON) ──▶ worker   connects, reads, plans
//!         ◀── {"ready": hash} or {"refused": …} ──
//!         ── {"go": hash, reason} ──▶            locks, writes the record
//!         ◀── {"began": id} or {"refused": …} ──  and from here on the record is the only channel
//! ```
//!
//! Secrets do not pass here: a job names the kubeconfig and the context.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use super::after::{self, Followed};
use super::bastion::{Bastion, Place};
use super::engine::{self, Ended, Refused, Run};
use super::entry::{OperationKind, Outcome};
use super::placement::Placement;
use super::plan::{Plan, RefusalKind, Request};
use crate::estate::Safe;

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Where.
    pub place: Place,
    /// What.
    pub wanted: Wanted,
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// A new operation.
    Start(Box<Request>),
    /// An operation that somebody else began.
    Adopt(Safe),
    /// The clean-up that follows that operation.
    CleanUp(Safe),
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is connected and waits for the confirmation of this plan.
    Ready(Box<Plan>),
    /// The operation's id: it is under way; of a clean-up that follows, the id of what it follows.
    Began(Safe),
    /// There will be no operation.
    Refused {
        /// Why.
        why: Safe,
        /// What kind of reason; none where it is trouble and no refusal.
        kind: Option<RefusalKind>,
        /// What would be planned now, where that can be told.
        plan: Option<Box<Plan>>,
        /// Whether it is because the API server could not be asked.
        #[serde(default)]
        is_away: bool,
    },
}

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// The plan of this hash was confirmed.
    Go {
        /// The hash that the person saw.
        hash: Safe,
        /// Why, where that was said after the worker was started.
        reason: Option<Safe>,
        /// Why the gates that the job overrides do not count, where that was said after it, too.
        #[serde(default)]
        overridden: Option<Safe>,
    },
}

impl Said {
    /// A refusal in words.
    pub fn of(refused: Refused) -> Self {
        match refused {
            Refused::Refusal(refusal) => Self::Refused {
                why: refusal.why,
                kind: Some(refusal.kind),
                plan: refusal.plan,
                is_away: false,
            },
            Refused::Moved(plan) => Self::Refused {
                why: "the facts changed since it was confirmed: look, and confirm again".into(),
                kind: Some(RefusalKind::Gate),
                plan: Some(plan),
                is_away: false,
            },
            Refused::Trouble(why) => Self::trouble(why),
            Refused::Away(why) => Self::unplanned(why, true),
        }
    }

    fn trouble(why: Safe) -> Self {
        Self::unplanned(why, false)
    }

    fn unplanned(why: Safe, is_away: bool) -> Self {
        Self::Refused {
            why,
            kind: None,
            plan: None,
            is_away,
        }
    }
}

/// A worker that was started and is spoken to.
#[derive(Debug)]
pub struct Spawned {
    stdin: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// Its process.
    pub pid: Option<u32>,
}

/// Starts a worker for `job`: `program` is this very binary.
///
/// # Errors
/// It cannot be started, or does not listen.
pub async fn spawn(program: &Path, placement: Placement, job: &Job) -> io::Result<Spawned> {
    let mut command = match placement {
        Placement::Session | Placement::EndsWithLogout => std::process::Command::new(program),
        Placement::Scope => {
            let mut scope = std::process::Command::new("systemd-run");
            scope
                .args(["--user", "--scope", "--quiet", "--collect"])
                .arg(program);
            scope
        }
    };
    command.arg("worker");
    let mut command = Command::from(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(false)
        .spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(io::Error::other("the worker has no pipes"));
    };
    let mut line = serde_json::to_string(job).map_err(io::Error::other)?;
    line.push('\n');
    stdin.write_all(line.as_bytes()).await?;
    let pid = child.id();
    // Somebody has to reap it, or it stays as a zombie for as long as the cockpit runs.
    tokio::spawn(async move { child.wait().await });
    Ok(Spawned {
        stdin,
        said: BufReader::new(stdout).lines(),
        pid,
    })
}

impl Spawned {
    /// The next thing that it says; a worker that ended without a word is refused in words. May be given up
    /// on and called again.
    pub async fn listen(&mut self) -> Said {
        match self.said.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line).unwrap_or_else(|_| {
                Said::trouble("the worker said something that is not understood".into())
            }),
            Ok(None) | Err(_) => {
                Said::trouble("the worker ended without a word: see the log".into())
            }
        }
    }

    /// Confirms the plan of that hash; `reason` and `overridden` where the job did not say them yet.
    ///
    /// # Errors
    /// It is gone.
    pub async fn go(
        &mut self,
        hash: &Safe,
        reason: Option<Safe>,
        overridden: Option<Safe>,
    ) -> io::Result<()> {
        let hash = hash.clone();
        let told = Told::Go {
            hash,
            reason,
            overridden,
        };
        let mut line = serde_json::to_string(&told).map_err(io::Error::other)?;
        line.push('\n');
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.flush().await
    }
}

/// The worker's side, from its first breath to its end. Its standard streams are the pipes; after the
/// handshake they are /dev/null. `stop` says that the process was asked to end.
pub async fn serve(stop: watch::Receiver<bool>) -> Option<Ended> {
    // A session of its own: the terminal's hang-up is none of ours. It fails for the leader of a process
    // group, so nobody may make us one.
    let _ = rustix::process::setsid();
    let (stdin, mut stdout) = pipes().ok()?;
    let mut told = BufReader::new(stdin).lines();
    let line = told.next_line().await.ok().flatten()?;
    let task = match begin(&line, &mut told, &mut stdout, stop.clone()).await {
        Ok(task) => task?,
        Err(said) => {
            say(&mut stdout, &said).await;
            return None;
        }
    };
    let (bastion, id, is_followed) = match &task {
        Task::Carry(run) => (run.bastion().clone(), run.id().clone(), run.is_followed()),
        Task::Follow(bastion, id) => ((**bastion).clone(), id.clone(), true),
    };
    say(&mut stdout, &Said::Began(id.clone())).await;
    drop((told, stdout));
    forget_streams();
    let ended = match task {
        Task::Carry(run) => Some(run.carry_out().await),
        Task::Follow(..) => None,
    };
    if is_followed && matches!(ended, None | Some(Ended::Closed(Outcome::Done, _))) {
        match after::clean_up(&bastion, &id, stop).await {
            Followed::Cleaned(ended) => return Some(ended),
            Followed::Not(why) => tracing::info!(%id, %why, "no clean-up follows"),
        }
    }
    ended
}

/// What a worker does once it is on its own.
enum Task {
    Carry(Box<Run>),
    Follow(Box<Bastion>, Safe),
}

/// From the job to a task; none where nobody confirmed.
async fn begin(
    line: &str,
    told: &mut Lines<BufReader<pipe::Receiver>>,
    stdout: &mut pipe::Sender,
    stop: watch::Receiver<bool>,
) -> Result<Option<Task>, Said> {
    let job: Job = serde_json::from_str(line)
        .map_err(|error| Said::trouble(format!("the worker was given no job: {error}").into()))?;
    let bastion = match &job.wanted {
        Wanted::Start(request) => Bastion::connect_for(&job.place, request.kind).await,
        Wanted::Adopt(_) | Wanted::CleanUp(_) => Bastion::connect(&job.place).await,
    };
    let bastion = bastion.map_err(|fault| Said::of(fault.into()))?;
    let request = match job.wanted {
        Wanted::Adopt(id) => {
            let run = engine::adopt(&bastion, &id, stop).await;
            return run.map(carry).map_err(Said::of);
        }
        Wanted::CleanUp(id) => return Ok(Some(Task::Follow(Box::new(bastion), id))),
        Wanted::Start(request) => *request,
    };
    let is_rollback = request.kind == OperationKind::Rollback;
    let mut prepared = engine::prepare(&bastion, request).await.map_err(Said::of)?;
    match prepared.plan() {
        Ok(plan) => say(stdout, &Said::Ready(Box::new(plan.clone()))).await,
        Err(refusal) => return Err(Said::of(Refused::Refusal(refusal.clone()))),
    }
    let mut warming = std::pin::pin!(engine::warm(&bastion));
    let mut is_warm = !is_rollback;
    let go = loop {
        tokio::select! {
            line = told.next_line() => break line.ok().flatten(),
            () = &mut warming, if !is_warm => is_warm = true,
            () = prepared.look() => {}
        }
    };
    // The dialog was closed, or its process is gone.
    let Some(go) = go else { return Ok(None) };
    let Ok(Told::Go {
        hash,
        reason,
        overridden,
    }) = serde_json::from_str(&go)
    else {
        return Err(Said::trouble(
            "the worker was told something that is not understood".into(),
        ));
    };
    if let Some(reason) = reason {
        prepared.because(reason);
    }
    if let Some(reason) = overridden {
        prepared.override_because(&reason);
    }
    prepared
        .start(Some(&hash), stop)
        .await
        .map(carry)
        .map_err(Said::of)
}

fn carry(run: Run) -> Option<Task> {
    Some(Task::Carry(Box::new(run)))
}

/// One line on standard output. Nobody may be there to read it, which changes nothing.
async fn say(stdout: &mut pipe::Sender, said: &Said) {
    let Ok(mut line) = serde_json::to_string(said) else {
        return;
    };
    line.push('\n');
    let _ = stdout.write_all(line.as_bytes()).await;
}

/// The standard streams as the pipes that they are.
fn pipes() -> io::Result<(pipe::Receiver, pipe::Sender)> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((
        pipe::Receiver::from_owned_fd(stdin)?,
        pipe::Sender::from_owned_fd(stdout)?,
    ))
}

/// Points the standard streams away from whoever started us.
fn forget_streams() {
    let Ok(null) = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
    else {
        return;
    };
    let _ = rustix::stdio::dup2_stdin(&null);
    let _ = rustix::stdio::dup2_stdout(&null);
    let _ = rustix::stdio::dup2_stderr(&null);
}
