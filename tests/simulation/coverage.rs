//! Which fault was met at which step, over all seeds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::fault::Fault;
use super::play::Played;
use super::plot::{STAGES, impossible, possible};

/// How often each fault hit each step.
pub struct Coverage(BTreeMap<(Fault, &'static str), usize>);

impl Coverage {
    pub fn of(played: &[Played]) -> Self {
        let mut met = BTreeMap::new();
        for hit in played.iter().flat_map(|played| &played.hits) {
            *met.entry(*hit).or_default() += 1;
        }
        Self(met)
    }

    /// What can happen and never did.
    pub fn missing(&self) -> Vec<(Fault, &'static str)> {
        let all = possible().into_iter();
        let missing = all.filter(|(fault, stage, _)| !self.0.contains_key(&(*fault, stage)));
        missing.map(|(fault, stage, _)| (fault, stage)).collect()
    }

    /// The table, and why what is empty in it cannot happen.
    pub fn table(&self) -> String {
        let mut text = format!("{:>13}", "");
        for (stage, _) in STAGES {
            let _ = write!(text, "{stage:>8}");
        }
        let mut reasons = BTreeMap::new();
        for fault in Fault::ALL {
            let _ = write!(text, "\n{:>13}", fault.word());
            for (stage, _) in STAGES {
                let many = self.0.get(&(fault, stage)).copied().unwrap_or(0);
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
