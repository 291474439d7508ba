//! The real program as a user has it: a home of its own, and the embedded estate as a process of
//! its own. Included by `#[path]` where it is needed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a harness of tests: a failure is a panic, and not every test uses all of it"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// The program: the one that cargo built, or the one that BUDGETS_BIN names.
pub fn program() -> PathBuf {
    let named = std::env::var_os("BUDGETS_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_wheelhouse").into())
}

/// Whether it is a release build, whose figures count: a debug build on a busy machine is held to none.
#[allow(dead_code, reason = "not every test measures")]
pub fn is_measured() -> bool {
    !cfg!(debug_assertions) || std::env::var_os("BUDGETS_BIN").is_some()
}

/// A limit of time, where figures count; long enough for any machine where they do not.
#[allow(dead_code, reason = "not every test measures")]
pub fn within(limit: Duration) -> Duration {
    if is_measured() {
        limit
    } else {
        limit + Duration::from_secs(10)
    }
}

/// A home directory in which nobody's settings lie.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What HOME is to be.
    pub fn env(&self) -> (&'static str, String) {
        ("HOME", self.path().display().to_string())
    }

    /// The program with `args`, with nothing in its environment but PATH and this home.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path());
        command
    }

    /// A shell with the same environment that runs `script`.
    pub fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env_clear().stdin(Stdio::null());
        shell.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        shell.env("HOME", self.path());
        shell
    }

    /// Writes a file into it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(&file, text).expect("a file");
        file
    }

    /// Everything that was logged there.
    pub fn log(&self) -> String {
        let dir = self.path().join(".local/state/wheelhouse");
        let files = fs::read_dir(dir).into_iter().flatten().flatten();
        files
            .filter(|file| file.path().extension().is_some_and(|e| e == "log"))
            .map(|file| fs::read_to_string(file.path()).unwrap_or_default())
            .collect()
    }

    /// The API of the estate that `wheelhouse demo` left running here, if one did.
    pub fn demo(&self) -> Option<SocketAddr> {
        let file = self
            .path()
            .join(".local/state/wheelhouse/demo/running.json");
        let running: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
        running["api"]
            .as_str()?
            .strip_prefix("http://")?
            .parse()
            .ok()
    }
}

impl Drop for Home {
    /// The estate of a demo outlives its terminal on purpose; a test must not leave it behind.
    fn drop(&mut self) {
        if let Some(addr) = self.demo() {
            let _ = post(addr, "/demo/quit", "");
        }
    }
}

/// `wheelhouse demo --headless`. Dropping it kills it.
pub struct Served {
    child: Child,
    args: Vec<String>,
    pub home: Home,
    pub addr: SocketAddr,
    pub config: PathBuf,
}

impl Served {
    pub fn start(args: &[&str]) -> Self {
        let home = Home::new();
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let (child, addr, config) = serve(&home, 0, &args);
        Self {
            child,
            args,
            home,
            addr,
            config,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it: from now on its port refuses connections.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it anew where it was.
    pub fn start_again(&mut self) {
        self.end();
        (self.child, _, _) = serve(&self.home, self.addr.port(), &self.args);
    }

    /// Has it break something: an action as in a scenario.
    pub fn act(&self, action: &str) {
        let answer = post(self.addr, "/demo/fault", action).expect("an answer");
        assert!(answer.contains("\"done\":true"), "{answer}");
    }

    /// The configuration as text.
    pub fn config_text(&self) -> String {
        fs::read_to_string(&self.config).expect("a configuration")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(home: &Home, port: u16, args: &[String]) -> (Child, SocketAddr, PathBuf) {
    let mut command = home.command(&["demo", "--headless", "--port", &port.to_string()]);
    command.args(args).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the estate starts");
    let out = BufReader::new(child.stdout.take().expect("its output"));
    let mut said = String::new();
    for line in out.lines() {
        said.push_str(&line.expect("a line"));
        said.push('\n');
        if said.contains("Ctrl-C ends it") {
            break;
        }
    }
    let of = |label: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label} in {said:?}"))
            .trim()
            .to_owned()
    };
    let api = of("Kubernetes API");
    let addr = api.strip_prefix("http://").and_then(|a| a.parse().ok());
    (child, addr.expect("an address"), of("configuration").into())
}

/// A POST to the estate's remote control, and its answer with head and body.
pub fn post(addr: SocketAddr, path: &str, body: &str) -> std::io::Result<String> {
    request(addr, "POST", path, "text/plain", body)
}

/// One request, and its answer with head and body.
pub fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    kind: &str,
    body: &str,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
