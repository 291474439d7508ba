//! Somebody at a bastion who runs `wheelhouse cutover` and its like: a home, a configuration, a way to the
//! API server on which a test may interfere. Included by `#[path]` beside `estate` and `relay`.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a harness of tests: a failure is a panic, and not every test uses all of it"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use crate::estate::{Home, program};
use crate::relay::Relay;

/// How long anything may take, on a machine that does other things too.
pub const LONG: Duration = Duration::from_secs(60);
/// Seconds that are short enough for tests, and long enough for a busy machine.
pub const QUICK: &str =
    "[operations]\nlease = 6\nrenew = 1\ngive_up = 4\nmoved = 20\nwatch = 2\npatience = 5\n";
/// For tests in which the API server or the machine is away for a while and nobody takes over.
pub const PATIENT: &str =
    "[operations]\nlease = 60\nrenew = 1\ngive_up = 40\nmoved = 40\nwatch = 2\npatience = 5\n";
/// The Services of Digital Wall, in the order of the configuration.
pub const SERVICES: [&str; 2] = ["digital-wall-service", "digital-wall-api"];
/// A cutover without questions.
pub const CUTOVER: [&str; 6] = [
    "cutover",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v2",
];
/// A deploy of both parts without questions.
pub const DEPLOY: [&str; 10] = [
    "deploy",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v3",
    "--image",
    "frontend=:v3",
    "--image",
    "backend=:v3",
];
/// A request for an approval without questions.
pub const REQUEST: [&str; 7] = [
    "approval",
    "request",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v2 is due",
];
/// A rollback without questions.
pub const ROLLBACK: [&str; 3] = ["rollback", "production", "--yes"];

/// `approve` or `reject`, of the one request that waits.
pub fn decide(who: &Operator, verb: &str, which: &str) -> Said {
    let reason = ["--write", "--yes", "--reason", "looked at it"];
    who.run(&[&["approval", verb, which][..], &reason].concat())
}

/// Somebody at a bastion.
pub struct Operator {
    pub home: Home,
    pub relay: Relay,
    config: PathBuf,
}

/// What a command said, and how it ended.
#[derive(Debug, Default)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Ended so, and said all of that.
    #[track_caller]
    pub fn assert(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self}");
        for part in parts {
            let is_said = self.err.contains(part) || self.out.contains(part);
            assert!(is_said, "{part:?} in {self}");
        }
    }

    /// The id that `--detach` prints, or that the foreground names.
    #[track_caller]
    pub fn id(&self) -> String {
        let named = self
            .out
            .lines()
            .find_map(|it| it.strip_prefix("operation "));
        let id = named.unwrap_or_else(|| self.out.trim());
        assert_eq!(id.len(), 26, "no id: {self}");
        id.to_owned()
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n{}{}", self.code, self.out, self.err)
    }
}

/// A command under way; killed when it is dropped.
pub struct Running {
    child: Child,
    out: PathBuf,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn send(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// What it said so far.
    pub fn so_far(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it complained of so far.
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.out.with_extension("err")).unwrap_or_default()
    }

    /// From now on no file of its can grow.
    pub fn fill_disk(&self) {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        prlimit(Some(self.pid()), Resource::Fsize, none).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Said {
        let limit = Instant::now() + LONG;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < limit, "it does not end: {}", self.so_far());
            std::thread::park_timeout(Duration::from_millis(5));
        };
        if let (Some(mut out), Some(mut err)) = (self.child.stdout.take(), self.child.stderr.take())
        {
            let mut said = Said {
                code: status.code().unwrap_or(-1),
                ..Said::default()
            };
            out.read_to_string(&mut said.out).unwrap();
            err.read_to_string(&mut said.err).unwrap();
            return said;
        }
        Said {
            code: status.code().unwrap_or(-1),
            out: self.so_far(),
            err: self.complaints(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Operator {
    /// Whoever `kubeconfig` names, with an environment `production` in `namespace`.
    pub fn new(kubeconfig: &Path, namespace: &str, records: &str, times: &str) -> Self {
        let (home, relay) = (Home::new(), Relay::to(kubeconfig));
        let leads = home.write("kubeconfig", &relay.kubeconfig());
        let text = config(&leads, namespace, records) + times;
        let config = home.write("config.toml", &text);
        Self {
            home,
            relay,
            config,
        }
    }

    /// The configuration, to be edited.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&self.config, text.replace(from, to)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let config = self.config.to_str().unwrap();
        // Whoever takes an operation over in a story means it.
        let sure: &[&str] = match args {
            ["op", "adopt" | "abandon", ..] => &["--write", "--yes"],
            _ => &[],
        };
        let args: Vec<&str> = args
            .iter()
            .copied()
            .filter(|it| !sure.contains(it))
            .collect();
        self.home
            .command(&[&["--config", config][..], &args, sure].concat())
    }

    /// Runs a command to its end, with no word more than these.
    pub fn run_bare(&self, args: &[&str]) -> Said {
        let config = self.config.to_str().unwrap();
        let command = self.home.command(&[&["--config", config], args].concat());
        self.spawn(command).end()
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        self.start(args).end()
    }

    /// Starts a command.
    pub fn start(&self, args: &[&str]) -> Running {
        self.spawn(self.command(args))
    }

    /// Starts a command with variables in its environment.
    pub fn start_with(&self, env: &[(&str, &str)], args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        self.spawn(command)
    }

    /// Starts a command of the program in another file.
    #[allow(dead_code, reason = "not every test replaces it")]
    pub fn start_by(&self, program: &Path, args: &[&str]) -> Running {
        let inner = self.command(args);
        let mut shell = self.home.shell("exec \"$@\"");
        shell.arg("sh").arg(program).args(inner.get_args());
        self.spawn(shell)
    }

    /// Starts a command whose disk may become full: [`Running::fill_disk`], or at once by `is_full`. (A file
    /// size limit of 0, its signal ignored: every write to a file fails, as with a quota.)
    pub fn start_short_of_room(&self, args: &[&str], is_full: bool) -> Running {
        let inner = self.command(args);
        let limit = if is_full { "ulimit -f 0; " } else { "" };
        let mut shell = self
            .home
            .shell(&format!("trap '' XFSZ; {limit}exec \"$@\""));
        shell.arg("sh").arg(program()).args(inner.get_args());
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            child: shell.spawn().unwrap(),
            out: self.home.path().join("piped.out"),
        }
    }

    /// Starts a command whose output nobody reads yet, through a pipe that is full already.
    pub fn start_unread(&self, args: &[&str]) -> (Running, std::io::PipeReader) {
        let out = self.home.path().join("unread.out");
        let (unread, full) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&full, true).unwrap();
        while (&full).write(&[b'x'; 4_096]).is_ok() {}
        rustix::io::ioctl_fionbio(&full, false).unwrap();
        let mut command = self.command(args);
        let err = File::create(out.with_extension("err")).unwrap();
        let child = command.stdout(full).stderr(err).spawn().unwrap();
        (Running { child, out }, unread)
    }

    fn spawn(&self, mut command: Command) -> Running {
        let name = format!("said-{:?}.out", Instant::now())
            .replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "");
        let out = self.home.path().join(name);
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(out.with_extension("err")).unwrap())
            .spawn()
            .unwrap();
        Running { child, out }
    }

    /// Starts a worker and returns its operation's id.
    pub fn detach(&self, args: &[&str]) -> String {
        let said = self.run(&[args, &["--detach"]].concat());
        assert_eq!(said.code, 0, "{said}");
        said.id()
    }

    /// The worker of this bastion, if one runs.
    pub fn worker(&self) -> Option<Pid> {
        let home = format!("HOME={}", self.home.path().display());
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = pids.filter_map(|it| it.file_name().to_str()?.parse::<i32>().ok());
        let found = pids.find(|pid| {
            let of = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let has =
                |bytes: &[u8], text: &str| bytes.split(|b| *b == 0).any(|it| it == text.as_bytes());
            has(&of("cmdline"), "worker") && has(&of("environ"), &home)
        });
        Pid::from_raw(found?)
    }

    /// Ends the worker as the kernel would when memory is short.
    pub fn kill_worker(&self) {
        let worker = wait("the worker", || self.worker());
        kill_process(worker, Signal::KILL).unwrap();
        wait("its end", || self.worker().is_none().then_some(()));
    }

    /// Waits until no worker runs.
    pub fn await_no_worker(&self) {
        wait("the worker's end", || self.worker().is_none().then_some(()));
    }

    /// The entries of an operation.
    pub fn entries(&self, id: &str) -> Vec<Value> {
        let said = self.run(&["op", "show", id, "--json"]);
        assert_eq!(said.code, 0, "{said}");
        let lines = said.out.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    /// The text of its entries.
    pub fn story(&self, id: &str) -> String {
        self.run(&["op", "show", id]).out
    }

    /// The journal of an operation on this bastion.
    pub fn journal(&self, id: &str) -> String {
        fs::read_to_string(self.journal_file(id)).unwrap_or_default()
    }

    /// Where that is.
    pub fn journal_file(&self, id: &str) -> PathBuf {
        let folder = self.home.path().join(".local/state/wheelhouse/operations");
        folder.join(format!("{id}.jsonl"))
    }
}

/// Waits until there is an answer.
#[track_caller]
pub fn wait<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(LONG, what, ask)
}

/// The same with a limit of one's own.
#[track_caller]
pub fn wait_within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < limit, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The configuration of a Digital Wall.
fn config(kubeconfig: &Path, namespace: &str, records: &str) -> String {
    format!(
        "title = \"digital-wall\"\n\
         [[environment]]\nname = \"production\"\ntier = \"production\"\n\
         kubeconfig = {:?}\nnamespace = {namespace:?}\nrecords = {records:?}\n\
         selector = \"app.kubernetes.io/part-of=digital-wall\"\nread_only = true\n\
         [environment.traffic]\nkey = \"version\"\ncolours = [\"blue\", \"green\"]\n\
         services = [{:?}, {:?}]\n\
         [[environment.workload]]\nname = \"frontend\"\nlabels = {{ part = \"frontend\" }}\n\
         [[environment.workload]]\nname = \"backend\"\nlabels = {{ part = \"backend\" }}\n",
        kubeconfig.display().to_string(),
        SERVICES[0],
        SERVICES[1],
    )
}
