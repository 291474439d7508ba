//! Which fault was met at which step, over all seeds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::fault::Fault;
use super::play::Played;
use super::plot::{impossible, possible};

/// How often each fault hit each step.
pub struct Coverage {
    stages: &'static [&'static str],
    met: BTreeMap<(Fault, &'static str), usize>,
}

impl Coverage {
    pub fn of(played: &[Played], stages: &'static [&'static str]) -> Self {
        let mut met = BTreeMap::new();
        for hit in played.iter().flat_map(|played| &played.hits) {
            *met.entry(*hit).or_default() += 1;
        }
        Self { stages, met }
    }

    /// What can happen and never did.
    pub fn missing(&self) -> Vec<(Fault, &'static str)> {
        let mut all = possible(self.stages);
        all.retain(|met| !self.met.contains_key(met));
        all
    }

    /// Prints the table, and leaves it for `.ci/run`: what a test prints that passes is not shown.
    pub fn tell(&self, what: &str) {
        let table = self.table();
        println!("{table}");
        let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/told");
        std::fs::create_dir_all(folder).unwrap();
        let file = format!("{folder}/faults met by step, {what}.txt");
        std::fs::write(file, format!("{table}\n")).unwrap();
    }

    /// The table, and why what is empty in it cannot happen.
    pub fn table(&self) -> String {
        let mut text = format!("{:>13}", "");
        for stage in self.stages {
            let _ = write!(text, "{stage:>8}");
        }
        let mut reasons = BTreeMap::new();
        for fault in Fault::ALL {
            let _ = write!(text, "\n{:>13}", fault.word());
            for stage in self.stages {
                let many = self.met.get(&(fault, stage)).copied().unwrap_or(0);
                let words = match impossible(fault, stage) {
                    Some(why) => {
                        let number = reasons.len() + 1;
                        format!("({})", reasons.entry(why).or_insert(number))
                    }
                    None => many.to_string(),
                };
                let _ = write!(text, "{words:>8}");
            }
        }
        for (why, number) in reasons {
            let _ = write!(text, "\n({number}) {why}");
        }
        text
    }
}
