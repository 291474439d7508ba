//! What Linux tells about a process: its time, its memory, its calls.

use std::{fs, time::Duration};

use rustix::process::Pid;

/// A running process.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub Pid);

impl Process {
    /// Its processor time so far.
    pub fn cpu(self) -> Duration {
        let stat = self.stat();
        // utime and stime, in the hundredths of a second that Linux promises to programs.
        let ticks = |n: usize| stat[n].parse::<u64>().expect("a number");
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// Its resident memory, in bytes.
    pub fn resident(self) -> u64 {
        self.number("status", "VmRSS:") * 1024
    }

    /// How many write calls it made so far, those to pipes and files included.
    pub fn write_calls(self) -> u64 {
        self.number("io", "syscw:")
    }

    /// How often it woke up by itself so far: what an idle program must not do.
    pub fn wakeups(self) -> u64 {
        self.number("status", "voluntary_ctxt_switches:")
    }

    /// Whether it is stopped, as by Ctrl-Z.
    pub fn is_stopped(self) -> bool {
        self.stat()[0] == "T"
    }

    /// The process ids of its children.
    pub fn children(self) -> Vec<Pid> {
        let pid = self.0.as_raw_nonzero();
        let children = self.file(&format!("task/{pid}/children"));
        children
            .split_whitespace()
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect()
    }

    /// A file of /proc about it.
    pub fn file(self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.0.as_raw_nonzero());
        fs::read_to_string(path).expect("the process is there")
    }

    /// The fields of its stat, from the state on.
    fn stat(self) -> Vec<String> {
        let stat = self.file("stat");
        // Its name comes before and may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        fields.split_whitespace().map(str::to_owned).collect()
    }

    fn number(self, file: &str, label: &str) -> u64 {
        let text = self.file(file);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(label))
            .expect("the line");
        line.split_whitespace()
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number")
    }
}
