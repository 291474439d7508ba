//! Whether the commit that a cutover brings live was found well by the workflow, and whether whoever watches it can
//! show who they are until the end.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::again::running;
use super::deploy::arriving;
use super::monitoring::lasting_soak;
use super::{Finding, Gate, How, Request};
use crate::estate::ci::Built;
use crate::estate::runs::Run;
use crate::estate::{Estate, Now, Safe, TrafficSwitch};

/// The gate of the workflow's run.
pub(super) const CI: &str = "ci";
/// The gate of the credential.
pub(super) const CREDENTIAL: &str = "credential";
/// What a cutover takes besides its soak, and a clock that is wrong.
const SPARE: SignedDuration = SignedDuration::from_mins(2);
/// An end that is further away is not worth a line.
const FAR: SignedDuration = SignedDuration::from_hours(24);

/// The run of the commit that each workload of the colour `to` is tagged by; none where none is demanded.
pub(super) fn ci(estate: &Estate, switch: &TrafficSwitch, to: usize) -> Option<Gate> {
    // The screen does not ask: its dialog has the plan of a worker, which does.
    let is_asked = estate.ci.is_some() || estate.user.is_some();
    if !estate.needs_ci() || !is_asked {
        return None;
    }
    let running = running(estate, to);
    let mut built: Vec<Built> = Vec::new();
    for workload in &estate.scope.workloads {
        if !running.iter().any(|(of, _)| *of == workload.name) {
            let said = format!("{} of {} runs nothing", workload.name, switch.colours[to]);
            built.push(Built::Unknown(said.into()));
        }
    }
    for found in running.iter().map(|(_, image)| estate.built(image)) {
        // Several parts are of one commit as a rule.
        if !built.contains(&found) {
            built.push(found);
        }
    }
    Some(judged(&built))
}

/// The runs of the commits of the images that a deploy in place brings; none where none is demanded, or where what deploys is the
/// workflow's run itself.
pub(super) fn ci_in_place(request: &Request, estate: &Estate) -> Option<Gate> {
    let is_asked = estate.ci.is_some() || estate.user.is_some();
    if !estate.needs_ci() || !is_asked || matches!(request.how, How::Workflow(_)) {
        return None;
    }
    let Some(images) = arriving(request, estate) else {
        let said = "a green run of the commit is demanded, and which images come is not told";
        return Some(Gate::new(CI, Finding::Unknown, said));
    };
    let built: Vec<Built> = images.iter().map(|image| estate.built(image)).collect();
    (!built.is_empty()).then(|| judged(&built))
}

fn judged(built: &[Built]) -> Gate {
    let of = |is: fn(&Built) -> bool| built.iter().filter(move |it| is(it));
    let words = |it: &Built| match it {
        Built::Green(said) | Built::Red(said) | Built::Unknown(said) => said.to_string(),
    };
    let red: Vec<String> = of(|it| matches!(it, Built::Red(_))).map(words).collect();
    let unknown: Vec<String> = of(|it| matches!(it, Built::Unknown(_)))
        .map(words)
        .collect();
    let (finding, said) = match (red.is_empty(), unknown.is_empty(), built.is_empty()) {
        (false, ..) => (Finding::Bad, red),
        (true, false, _) => (Finding::Unknown, unknown),
        (true, true, true) => (Finding::Unknown, vec!["nothing runs there".to_owned()]),
        (true, true, false) => (Finding::Ok, built.iter().map(words).collect()),
    };
    Gate::new(CI, finding, said.join("; "))
}

/// The runs of the commits that the colour `to` is tagged by, as far as they were asked for.
pub(super) fn runs(estate: &Estate, to: usize) -> Vec<Safe> {
    let running = running(estate, to);
    let runs = running.iter().filter_map(|(_, image)| estate.run_of(image));
    let all: BTreeSet<Safe> = runs.map(Run::words).collect();
    all.into_iter().collect()
}

/// Whether our credential outlives what a cutover watches (SAFETY, model 2): when it ends nobody guards. None where it
/// does so by far, or was not looked at.
pub(super) fn credential(estate: &Estate, now: Now) -> Option<Gate> {
    let lasting = estate.credential.as_ref()?;
    let until = lasting.end()?;
    let server: Timestamp = estate.server_time(now);
    let watch = i64::try_from(lasting_soak(estate).watch_s).unwrap_or(i64::MAX);
    let needed = SignedDuration::from_secs(watch).saturating_add(SPARE);
    let left = until.duration_since(server);
    let (way, minutes) = (&lasting.way, needed.as_mins() + 1);
    match (left >= needed, left >= needed.saturating_add(FAR)) {
        (_, true) => None,
        (true, false) => {
            let said = format!("{way}, valid until {until:.0}: longer than it is watched");
            Some(Gate::new(CREDENTIAL, Finding::Ok, said))
        }
        (false, _) => {
            let said = format!(
                "{way} ends at {until:.0}, and this takes up to {minutes} min: nobody would guard it then; renew it, or leave it \
                 to somebody whose credential lasts"
            );
            Some(Gate::new(CREDENTIAL, Finding::Bad, said))
        }
    }
}
