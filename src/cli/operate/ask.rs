//! The confirmation on a terminal, with the friction that the tier deserves (TERMINAL.md, Dangerous acts).

use std::io::BufRead as _;

use rustix::termios::isatty;

use crate::cli::output::say;
use crate::estate::Tier;
use crate::ops::{OperationKind, Plan};

/// Whether somebody at the terminal confirms `plan`.
///
/// # Errors
/// There is no terminal to ask on.
pub(super) fn confirmed(plan: &Plan, tier: Tier) -> Result<bool, &'static str> {
    typed(&word(plan, tier))
}

/// Whether somebody at the terminal types `wanted`; where that is empty, Enter.
///
/// # Errors
/// There is no terminal to ask on.
pub(in crate::cli) fn typed(wanted: &str) -> Result<bool, &'static str> {
    if !isatty(rustix::stdio::stdin()) || !isatty(rustix::stdio::stdout()) {
        return Err("there is no terminal to confirm it on: say --yes, or look with --plan");
    }
    say(&match wanted {
        "" => "Enter to go on, anything else to leave it: ".to_owned(),
        word => format!("type  {word}  to go on: "),
    });
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    // Neither case nor spaces are forgiven; the end of the input is no Enter.
    Ok(read.is_ok_and(|bytes| bytes > 0) && line.trim_end_matches(['\n', '\r']) == wanted)
}

/// What has to be typed.
fn word(plan: &Plan, tier: Tier) -> String {
    match (plan.kind, tier) {
        (OperationKind::Rollback, _) => "rollback".to_owned(),
        // It changes nothing.
        (OperationKind::Smoke, _) => String::new(),
        _ if plan.breaks_glass() => "break-glass".to_owned(),
        (_, Tier::Development) => String::new(),
        (_, Tier::Staging) => "y".to_owned(),
        (_, Tier::Production) => {
            let locks = plan.locks();
            let service = locks.iter().min().map_or("", |lock| lock.as_str());
            let service = plan
                .flips
                .first()
                .map_or(service, |flip| flip.service.as_str());
            format!("{}/{service}", plan.environment)
        }
    }
}
