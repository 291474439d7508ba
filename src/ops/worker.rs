//! The worker: this same program in a session of its own, without a terminal, that carries an operation out.
//!
//! ```text
//! cockpit ── job (one line of JSON) ──▶ worker
//!         ◀── "up" ──                            connects, reads, plans
//!         ◀── {"ready": hash} or {"refused": …} ──
//!         ── {"go": hash, reason} ──▶            locks, writes the record
//!         ◀── {"began": id} or {"refused": …} ──  and from here on the record is the only channel
//! ```
//!
//! Secrets do not pass here: a job names the kubeconfig and the context.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use super::bastion::{Bastion, Place};
use super::engine::{self, Ended, Refused, Run};
use super::entry::{OperationKind, Outcome};
use super::follow::{self, Followed};
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
    /// It runs, and has its job: the first word of each.
    Up,
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

/// This very program. Where its file was replaced meanwhile, by an update, the running one is still to be had
/// through this process.
///
/// # Errors
/// The system does not say where it is.
pub fn program() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    Ok(match file.exists() {
        true => file,
        false => format!("/proc/{}/exe", std::process::id()).into(),
    })
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
    /// What it said while its first word was waited for, where that was another one.
    first: Option<Said>,
    /// Its process.
    pub pid: Option<u32>,
}

/// How long the user's service manager may take to start a worker; nobody waits with a rollback.
const STARTS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(2)];

/// Starts a worker for `job`: `program` is this very binary. Where the user's service manager gives a rollback none in time, it
/// is started without: one that ends with the logout is better than none (SAFETY, rule 9).
///
/// # Errors
/// It cannot be started, or does not listen.
pub async fn spawn(program: &Path, placement: Placement, job: &Job) -> io::Result<Spawned> {
    spawn_by("systemd-run".as_ref(), program, (placement, STARTS), job).await
}

async fn spawn_by(
    runner: &Path,
    program: &Path,
    (placement, [limit, hurried]): (Placement, [Duration; 2]),
    job: &Job,
) -> io::Result<Spawned> {
    let spawned = start(runner, program, placement, job).await;
    if placement != Placement::Scope {
        return spawned;
    }
    let is_rollback =
        matches!(&job.wanted, Wanted::Start(it) if it.kind == OperationKind::Rollback);
    let limit = if is_rollback { hurried } else { limit };
    // One that ended at once takes no job.
    if let Ok(mut spawned) = spawned {
        if spawned.is_up(limit).await {
            return Ok(spawned);
        }
        // Whatever it still becomes, it is not to act.
        let pid = spawned.pid.and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    if is_rollback {
        tracing::warn!(
            "the user's service manager started no worker: this one ends with the logout"
        );
        return start(runner, program, Placement::Session, job).await;
    }
    Err(io::Error::other(format!(
        "the user's service manager started none within {} s: look at `systemctl --user status`",
        limit.as_secs()
    )))
}

async fn start(
    runner: &Path,
    program: &Path,
    placement: Placement,
    job: &Job,
) -> io::Result<Spawned> {
    let mut command = match placement {
        Placement::Session | Placement::EndsWithLogout => std::process::Command::new(program),
        Placement::Scope => {
            let mut scope = std::process::Command::new(runner);
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
        first: None,
        pid,
    })
}

impl Spawned {
    /// The next thing that it says; a worker that ended without a word is refused in words. May be given up
    /// on and called again.
    pub async fn listen(&mut self) -> Said {
        if let Some(said) = self.first.take() {
            return said;
        }
        loop {
            match self.said.next_line().await {
                Ok(Some(line)) => match serde_json::from_str(&line) {
                    Ok(Said::Up) => {}
                    Ok(said) => return said,
                    Err(_) => {
                        return Said::trouble(
                            "the worker said something that is not understood".into(),
                        );
                    }
                },
                Ok(None) | Err(_) => {
                    return Said::trouble("the worker ended without a word: see the log".into());
                }
            }
        }
    }

    /// Whether it says anything within `limit`.
    async fn is_up(&mut self, limit: Duration) -> bool {
        match tokio::time::timeout(limit, self.said.next_line()).await {
            Ok(Ok(Some(line))) => {
                self.first = serde_json::from_str(&line)
                    .ok()
                    .filter(|said| *said != Said::Up);
                true
            }
            Ok(Ok(None) | Err(_)) | Err(_) => false,
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
    say(&mut stdout, &Said::Up).await;
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
        match follow::clean_up(&bastion, &id, stop).await {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn job(kind: OperationKind) -> Job {
        Job {
            place: Place {
                kubeconfig: None,
                context: None,
                records: None,
                selector: String::new(),
                scope: crate::estate::pods::tests::scope(),
                timing: Default::default(),
                monitors: None,
                journals: None,
                github: None,
                how: Default::default(),
                probes: Vec::new(),
                hooks: Vec::new(),
            },
            wanted: Wanted::Start(Box::new(Request::new(kind))),
        }
    }

    fn script(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        file
    }

    #[tokio::test]
    async fn p08_a_rollback_waits_for_no_service_manager_that_hangs_and_the_others_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(
            folder.path(),
            "program",
            "read job; echo '\"up\"'; echo '{\"began\": \"01op\"}'; sleep 5",
        );
        let hangs = script(folder.path(), "hangs", "sleep 60");
        let ends = script(folder.path(), "ends", "exit 1");
        let works = script(folder.path(), "works", "shift 4; exec \"$@\"");
        let limits = [Duration::from_millis(300), Duration::from_millis(200)];
        let by = async |runner: &Path, kind| {
            let scope = (Placement::Scope, limits);
            spawn_by(runner, &program, scope, &job(kind)).await
        };
        let began = Said::Began("01op".into());
        for runner in [&hangs, &ends] {
            let mut back = by(runner, OperationKind::Rollback).await.unwrap();
            assert_eq!(back.listen().await, began);
            let why = by(runner, OperationKind::Cutover).await.unwrap_err();
            assert!(why.to_string().contains("started none within"), "{why}");
        }
        let limits = [Duration::from_secs(30); 2];
        let scope = (Placement::Scope, limits);
        let job = job(OperationKind::Cutover);
        let mut up = spawn_by(&works, &program, scope, &job).await.unwrap();
        assert_eq!(up.listen().await, began);
    }
}
