//! One process of a plane, and the guard that ends all of them when the tests are gone.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A running process of the plane, with a log file; killed when dropped.
pub struct Part {
    name: &'static str,
    child: Child,
    pid_file: PathBuf,
    log: PathBuf,
}

impl Part {
    /// Starts a program of the control plane's folder, its output going to `folder/log/NAME`.
    pub fn start(name: &'static str, bin: &Path, folder: &Path, args: &[String]) -> Part {
        let log = folder.join("log").join(name);
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        // No variable of the caller's: a proxy meant for the internet would swallow loopback.
        let child = Command::new(bin.join(name))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            // A Ctrl-C in the terminal is for the tests; the guard ends the rest.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}", bin.join(name).display()));
        let pid_file = folder.join("pids").join(name);
        fs::write(&pid_file, child.id().to_string()).unwrap();
        Part {
            name,
            child,
            pid_file,
            log,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Why it is no longer there, with the end of its log; nothing while it runs.
    pub fn death(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        Some(format!(
            "{} ended ({status}):\n{}",
            self.name,
            tail(&self.log)
        ))
    }

    /// Asks it to end and waits, so that its files are whole.
    pub fn end(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let limit = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < limit, "{} does not end", self.name);
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The file goes before the process is reaped: the guard must never see a number that the
        // system may have given to somebody else.
        let _ = self.child.kill();
        let _ = fs::remove_file(&self.pid_file);
        let _ = self.child.wait();
    }
}

/// A shell that outlives the tests by a moment. Its stdin is a pipe that only this process holds:
/// however the tests end, even by SIGKILL, the pipe closes, and the guard kills what is left and
/// removes the folder. (Statics are never dropped, so a shared plane always ends this way.)
pub struct Guard {
    shell: Child,
    pipe: Option<ChildStdin>,
    folder: PathBuf,
}

const GUARD: &str = r#"trap '' INT TERM HUP
read -r _
for file in "$1"/pids/*; do [ -e "$file" ] && kill -9 "$(cat "$file")"; done 2>/dev/null
[ -e "$1/keep" ] || rm -rf "$1" || rm -rf "$1""#;

impl Guard {
    /// Starts to guard a folder with `pids/` in it.
    pub fn over(folder: &Path) -> Guard {
        fs::create_dir_all(folder.join("pids")).unwrap();
        fs::create_dir_all(folder.join("log")).unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let pipe = shell.stdin.take();
        Guard {
            shell,
            pipe,
            folder: folder.to_owned(),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = fs::write(self.folder.join("keep"), "");
            eprintln!("what the plane logged: {}/log", self.folder.display());
        }
        self.pipe.take();
        let _ = self.shell.wait();
    }
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
