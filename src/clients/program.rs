//! A program of the user's: run without a shell, in a clean environment, in a process group of its own.
//!
//! What it prints is kept by its tail, cleaned, with what looks like a secret masked.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::mask::Masks;
use crate::estate::{Fault, FaultKind, Safe};

/// What is kept of what it prints, in bytes.
const TAIL: usize = 8 << 10;
/// Bytes that are read at once.
const READ: usize = 4 << 10;
/// How long its pipes are read after its end: something that it started may hold them.
const DRAIN: Duration = Duration::from_secs(1);
/// How long it is given to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);
/// The variables that are passed on: what a program needs to find its files, and the cluster.
const PASSED: [&str; 8] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TMPDIR",
    "KUBECONFIG",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
];

/// A program that runs. Dropped, it is killed with all that it started.
#[derive(Debug)]
pub struct Program {
    child: Child,
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    heard: Heard,
    leader: Option<u32>,
    /// Whether it is asked to end, before it is killed.
    is_asked: bool,
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, whole.
    pub out: Vec<u8>,
    /// The tail of its complaints, cleaned.
    pub complaints: Vec<Safe>,
}

/// Starts `argv` with `variables` beside those that are passed on.
///
/// # Errors
/// It cannot be started.
pub fn start(argv: &[Safe], variables: &[(String, Safe)]) -> Result<Program, Fault> {
    start_with(argv, variables, |_| false)
}

/// As [`start`]; the variables whose names `also` accepts are passed on, too.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    argv: &[Safe],
    variables: &[(String, Safe)],
    also: fn(&str) -> bool,
) -> Result<Program, Fault> {
    let config = |what: String| Fault {
        kind: FaultKind::Config,
        what: what.into(),
    };
    let Some((name, rest)) = argv.split_first() else {
        return Err(config("no program is named".to_owned()));
    };
    let passed = PASSED.iter().filter_map(|name| {
        let value: OsString = std::env::var_os(name)?;
        Some((*name, value))
    });
    let more = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(also));
    let mut command = Command::new(name.as_str());
    command
        .args(rest.iter().map(Safe::as_str))
        .env_clear()
        .envs(passed)
        .envs(more)
        .envs(variables.iter().map(|(name, value)| (name, value.as_str())))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child =
        (command.spawn()).map_err(|e| config(format!("{name} cannot be started: {e}")))?;
    Ok(Program {
        out: child.stdout.take(),
        err: child.stderr.take(),
        leader: child.id(),
        heard: Heard::default(),
        is_asked: false,
        child,
    })
}

impl Program {
    /// The same, but asked to end before it is killed: what it began it may put in order.
    #[must_use]
    pub fn that_is_asked(mut self) -> Self {
        self.is_asked = true;
        self
    }

    /// Asks it to end, if it is to be asked, and waits for a moment. Dropped afterwards, it is killed.
    pub async fn end(&mut self) {
        if self.is_asked {
            self.signal(rustix::process::Signal::TERM);
            let _ = tokio::time::timeout(GRACE, self.ended()).await;
        }
    }

    /// Waits for its end and for all that it prints, but for no more than `most` bytes and not longer than `limit`.
    ///
    /// # Errors
    /// It prints more, takes longer, or how it ended is not known.
    pub async fn output(mut self, most: usize, limit: Duration) -> Result<Output, Fault> {
        let fault = |kind, what: String| Fault {
            kind,
            what: what.into(),
        };
        let mut out = Vec::new();
        let read = async {
            let (mut chunk, mut err) = ([0; READ], [0; READ]);
            while self.out.is_some() || self.err.is_some() {
                tokio::select! {
                    read = some(&mut self.out, &mut chunk) => out.extend_from_slice(&chunk[..read]),
                    read = some(&mut self.err, &mut err) => self.heard.take(ERR, &err[..read]),
                }
                if out.len() > most {
                    let said = format!("it printed more than {} KiB", most >> 10);
                    return Err(fault(FaultKind::Malformed, said));
                }
            }
            self.heard.is_over();
            let status = self.child.wait().await;
            status.map_err(|e| fault(FaultKind::Server, format!("how it ended is not known: {e}")))
        };
        let slow = || {
            fault(
                FaultKind::Slow,
                format!("no answer within {} s", limit.as_secs()),
            )
        };
        let status = (tokio::time::timeout(limit, read).await).unwrap_or_else(|_| Err(slow()))?;
        Ok(Output {
            status,
            out,
            complaints: self.tail(),
        })
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let leader = self.leader.and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader.and_then(rustix::process::Pid::from_raw) {
            // All of its group may have ended by itself.
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }

    /// Waits for its end. May be given up on and called again.
    ///
    /// # Errors
    /// The system's own.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        let (mut out, mut err) = ([0; READ], [0; READ]);
        let status = loop {
            tokio::select! {
                read = some(&mut self.out, &mut out) => self.heard.take(OUT, &out[..read]),
                read = some(&mut self.err, &mut err) => self.heard.take(ERR, &err[..read]),
                status = self.child.wait() => break status?,
            }
        };
        // What it printed last is still in the pipes.
        let drained = async {
            while self.out.is_some() || self.err.is_some() {
                tokio::select! {
                    read = some(&mut self.out, &mut out) => self.heard.take(OUT, &out[..read]),
                    read = some(&mut self.err, &mut err) => self.heard.take(ERR, &err[..read]),
                }
            }
        };
        if tokio::time::timeout(DRAIN, drained).await.is_ok() {
            self.heard.is_over();
        }
        Ok(status)
    }

    /// The last 8 KiB of what it printed, in whole lines, the oldest first: half of one may be half of a secret, which
    /// nobody knows for one. The last line of what it printed is whole when it ended by itself.
    pub fn tail(&self) -> Vec<Safe> {
        let lines = self.heard.whole.split(|byte| *byte == b'\n');
        let mut cleaned = Masks::all(lines.map(Safe::from_bytes));
        cleaned.retain(|line| !line.trim().is_empty());
        cleaned
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

/// Something of a pipe. At its end the pipe is dropped; without one this waits for ever.
async fn some(pipe: &mut Option<impl AsyncRead + Unpin>, into: &mut [u8]) -> usize {
    let Some(open) = pipe else {
        return std::future::pending().await;
    };
    match open.read(into).await {
        Ok(read) if read > 0 => read,
        Ok(_) | Err(_) => {
            *pipe = None;
            0
        }
    }
}

/// The places of its two pipes in [`Heard`].
const OUT: usize = 0;
const ERR: usize = 1;
/// Stands for a line that is longer than all that is kept.
const TOO_LONG: &[u8] = b"(a line of more than 8 KiB)\n";

/// What it printed last.
#[derive(Debug, Default)]
struct Heard {
    /// Whole lines of both pipes, in the order of their ends.
    whole: Vec<u8>,
    /// The line of each pipe that has no end yet.
    open: [Vec<u8>; 2],
    /// Whether that is too long to be kept.
    is_long: [bool; 2],
}

impl Heard {
    fn take(&mut self, pipe: usize, mut read: &[u8]) {
        while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = read.split_at(end + 1);
            self.open[pipe].extend_from_slice(line);
            self.end(pipe);
            read = rest;
        }
        self.open[pipe].extend_from_slice(read);
        if self.open[pipe].len() > TAIL {
            self.open[pipe].clear();
            self.is_long[pipe] = true;
        }
    }

    /// The line of that pipe is whole.
    fn end(&mut self, pipe: usize) {
        let mut line = std::mem::take(&mut self.open[pipe]);
        if std::mem::take(&mut self.is_long[pipe]) || line.len() > TAIL {
            line = TOO_LONG.to_vec();
        }
        self.whole.append(&mut line);
        let many = self.whole.len().saturating_sub(TAIL);
        if many > 0 {
            // Whole lines only.
            let cut = self.whole[many - 1..]
                .iter()
                .position(|byte| *byte == b'\n');
            self.whole
                .drain(..cut.map_or(self.whole.len(), |at| many + at));
        }
    }

    /// Nothing comes any more: what has no end ends here.
    fn is_over(&mut self) {
        for pipe in [OUT, ERR] {
            if !self.open[pipe].is_empty() || self.is_long[pipe] {
                self.open[pipe].push(b'\n');
                self.end(pipe);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    async fn run(script: &str) -> (Option<i32>, Vec<String>) {
        let argv = ["sh", "-c", script].map(Safe::from);
        let variables = [("WHEELHOUSE_COLOUR".to_owned(), Safe::from("green"))];
        let mut program = start(&argv, &variables).unwrap();
        let status = program.ended().await.unwrap();
        let tail = program.tail().iter().map(ToString::to_string).collect();
        (status.code(), tail)
    }

    #[tokio::test]
    async fn a_program_has_a_clean_environment_and_its_output_is_cleaned_and_capped() {
        let (code, said) = run("echo $WHEELHOUSE_COLOUR; echo bad 1>&2; exit 3").await;
        assert_eq!(code, Some(3));
        assert!(
            said.contains(&"green".to_owned()) && said.contains(&"bad".to_owned()),
            "{said:?}"
        );
        // Cargo sets this for tests; a program of the user's does not see it.
        assert_eq!(run("echo [$CARGO_MANIFEST_DIR]").await.1, ["[]"]);
        let (_, said) = run("printf '\\033[31mred ghp_0123456789abcdefghijklmnopqrstuv\\n'").await;
        assert_eq!(said, ["red ***"]);
        let (_, said) = run("yes x | head -c 100000; echo last").await;
        let bytes: usize = said.iter().map(|line| line.len() + 1).sum();
        assert!(bytes <= TAIL + 1 && said.last().unwrap().ends_with("last"));
    }

    #[test]
    fn i_60_a_secret_that_is_cut_anywhere_is_not_told() {
        let token = "ghp_0123456789abcdefghijklmnopqrstuv";
        let told = |heard: &Heard| String::from_utf8(heard.whole.clone()).unwrap();
        // Between two readings, with a complaint between them.
        let mut heard = Heard::default();
        heard.take(OUT, format!("first\nkey {}", &token[..10]).as_bytes());
        assert_eq!(told(&heard), "first\n");
        heard.take(ERR, b"bad\n");
        heard.take(OUT, format!("{}\n", &token[10..]).as_bytes());
        assert_eq!(told(&heard), format!("first\nbad\nkey {token}\n"));
        // Where what is kept begins.
        for padding in TAIL - 60..TAIL {
            let mut heard = Heard::default();
            heard.take(OUT, format!("password={token}\n").as_bytes());
            heard.take(OUT, format!("{}\n", "x".repeat(padding)).as_bytes());
            assert!(heard.whole.len() <= TAIL);
            let whole = told(&heard);
            let is_whole = whole.contains("password=");
            assert!(is_whole || !whole.contains("uv"), "{padding}");
        }
        // A line that nothing holds, and one that nobody ends.
        let mut heard = Heard::default();
        heard.take(OUT, &vec![b'x'; 3 * TAIL]);
        heard.take(OUT, format!("{token}\nlast").as_bytes());
        heard.is_over();
        assert_eq!(told(&heard), "(a line of more than 8 KiB)\nlast\n");
    }

    #[tokio::test]
    async fn what_a_program_started_does_not_keep_it_waiting() {
        let (code, said) = run("sleep 300 & echo done").await;
        assert_eq!((code, said), (Some(0), vec!["done".to_owned()]));
    }

    #[test]
    fn what_cannot_be_started_is_said() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _in = runtime.enter();
        let fault = start(&["/nowhere/deploy".into()], &[]).unwrap_err();
        assert!(
            fault.what.contains("/nowhere/deploy cannot be started"),
            "{}",
            fault.what
        );
    }
}
