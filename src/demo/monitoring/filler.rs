//! Thousands of alerts that fire: how a storm weighs on a client.

use super::measure::labels;
use super::{Monitoring, rules};

impl Monitoring {
    /// Has `count` alerts of one rule fire from the start; none where it is 0.
    pub(in crate::demo) fn fill(&mut self, count: usize) {
        self.filled = count;
        if count > 0 {
            self.rules.insert(0, rules::storm());
        }
    }

    /// What the rule of the storm looks at.
    pub(super) fn measure_fillers(&mut self, at: i64) {
        for place in 0..self.filled {
            let instance = format!("10.0.{}.{}:8000", place / 250, place % 250);
            self.series
                .push("filler_is_down", &instance, (at, 1.0), || {
                    labels(&[
                        ("namespace", "production"),
                        ("service", "backend"),
                        ("colour", "green"),
                        ("job", "filler"),
                        ("instance", &instance),
                    ])
                });
        }
    }
}
