//! Figures, their limits, and what became of them.

use std::{process::ExitCode, time::Duration};

/// What was measured so far.
#[derive(Default)]
pub struct Report {
    over: Vec<String>,
}

impl Report {
    /// Prints a figure that must not be above `limit`.
    pub fn limit(&mut self, name: &str, figure: f64, limit: f64, unit: &str) {
        let is_over = figure > limit;
        let verdict = if is_over { "OVER" } else { "ok" };
        println!("{name:<52} {figure:>9.2} {unit:<6} limit {limit:>8.2}  {verdict}");
        if is_over {
            self.over.push(name.to_owned());
        }
    }

    /// Prints a figure that has no limit but explains others.
    pub fn note(&self, name: &str, figure: f64, unit: &str) {
        println!("{name:<52} {figure:>9.2} {unit}");
    }

    /// Exit code 1 when a figure was over its limit.
    pub fn end(self) -> ExitCode {
        if self.over.is_empty() {
            println!("all within their limits");
            return ExitCode::SUCCESS;
        }
        println!("over their limits: {}", self.over.join(", "));
        ExitCode::FAILURE
    }
}

/// The value below which `part` of all lie.
pub fn quantile(times: &[Duration], part: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let last = sorted.len() - 1;
    let place = (last as f64 * part).ceil();
    sorted[(place as usize).min(last)]
}

/// The value in the middle.
pub fn median(times: &[Duration]) -> Duration {
    quantile(times, 0.5)
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
