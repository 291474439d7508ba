//! What monitoring says of the colour that traffic went to, while that is watched.
//!
//! Only a new or graver alert, or a query out of its bounds, speaks against it. What is not known does not: a
//! Prometheus that is away never moves traffic.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::monitoring::{Against, against, broken, queried, words};
use super::{Finding, Gate, Plan};
use crate::estate::alerts::{AlertView, Alerts};
use crate::estate::{Currency, Estate, Now, Pod, Safe, Verdict, why};

/// How long Prometheus may take to tell Alertmanager of an alert, which may have a silence waiting for it.
const DELIVERY: SignedDuration = SignedDuration::from_secs(15);

/// What monitoring says in a soak.
#[derive(Clone, Debug, PartialEq)]
pub enum Soaked {
    /// Nothing is wrong, as far as the gates go; in words.
    Well(Safe),
    /// There is too little traffic to tell; the soak waits for more.
    Waiting(Safe),
    /// It cannot be told.
    Unknown(Safe),
    /// Something is wrong with the new colour.
    Bad(Safe),
}

/// Whether no gate is monitoring's to decide: then a soak does not wait for it, either.
pub fn asks_nothing(plan: &Plan, alerts: &Alerts) -> bool {
    alerts.scope.gates.is_empty() && plan.fired.is_none()
}

/// What monitoring says of the colour that `plan` brought traffic to.
pub fn soaked(plan: &Plan, estate: &Estate, now: Now) -> Soaked {
    let (alerts, switch) = match (&estate.alerts, &estate.scope.traffic) {
        (Some(alerts), Some(_)) if asks_nothing(plan, alerts) => {
            return Soaked::Well("nothing of monitoring is a gate".into());
        }
        (Some(alerts), Some(switch)) => (alerts, switch),
        // I-12: whoever took it over must be able to ask, too.
        _ if plan.fired.is_some() => {
            let why = "no Prometheus is configured on this bastion, and the plan had one";
            return Soaked::Unknown(why.into());
        }
        _ => return Soaked::Well("no Prometheus is configured".into()),
    };
    // What is stale is not evidence.
    let is_current = alerts.rules.currency(now.at) == Currency::Live;
    let Against { proofs, unsure } = match is_current && plan.kind.cuts_over() {
        true => against(plan, alerts, switch, now),
        false => Against::default(),
    };
    let certain = proofs
        .iter()
        .find(|view| is_certain(view, alerts, estate, now));
    if let Some(view) = certain {
        return Soaked::Bad(format!("{} {}", view.rule.name, words(view, alerts)).into());
    }
    let queries = alerts.scope.gates.queries.iter();
    let read: Vec<(Safe, super::monitoring::Queried)> = queries
        .map(|query| {
            let id = Gate::id_of("query", Some(&query.name));
            (id, queried(query, alerts, &plan.to, now))
        })
        .filter(|(id, it)| counts(plan, id, it.finding))
        .collect();
    let first = |finding| read.iter().find(move |(_, it)| it.finding == finding);
    if let Some((id, bad)) = first(Finding::Bad) {
        return Soaked::Bad(format!("{id} is {}", bad.said).into());
    }
    let is_blind = plan.is_overridden(&Gate::id_of("monitoring", None));
    if let (Verdict::Unknown(why) | Verdict::Bad(why), false) =
        (estate.monitoring_verdict(alerts, now), is_blind)
    {
        return Soaked::Unknown(format!("monitoring: {why}").into());
    }
    let mut broken = broken(alerts).into_iter();
    if let Some(gate) = broken.find(|gate| !plan.is_overridden(&gate.id())) {
        return Soaked::Unknown(format!("{} {}", gate.id(), gate.said).into());
    }
    if let Some(view) = proofs.first() {
        let said = "whether it is silenced is not told yet";
        return Soaked::Unknown(format!("{} fires; {said}", view.rule.name).into());
    }
    if let Some((view, why)) = unsure.first() {
        return Soaked::Unknown(format!("{} fires; {why}", view.rule.name).into());
    }
    if let Some((id, unknown)) = first(Finding::Unknown) {
        return Soaked::Unknown(format!("{id}: {}", unknown.said).into());
    }
    if let Some((id, waiting)) = read.iter().find(|(_, it)| it.is_waiting) {
        return Soaked::Waiting(format!("{id}: {}", waiting.said).into());
    }
    let mut said = vec!["no new alert".to_owned()];
    said.extend(read.iter().map(|(id, it)| format!("{id} {}", it.said)));
    Soaked::Well(said.join("; ").into())
}

/// Whether what a query says counts in the soak. What somebody passed over does not; but an idle colour that had no series yet says
/// nothing of what is measured once it has traffic.
fn counts(plan: &Plan, id: &Safe, finding: Finding) -> bool {
    let was_bad = || {
        let mut gates = plan.gates.iter();
        gates.any(|gate| gate.id() == *id && gate.finding == Finding::Bad)
    };
    !plan.is_overridden(id) || (finding == Finding::Bad && !was_bad())
}

/// Restarts of the containers of each pod, by its uid.
pub type Restarts = BTreeMap<Safe, u32>;

/// The pods of a colour, ready or not.
fn pods(estate: &Estate, place: usize) -> impl Iterator<Item = &Pod> {
    let scope = &estate.scope;
    let is_of = move |pod: &&Pod| {
        let switch = scope.traffic.as_ref();
        let colour = switch.and_then(|switch| switch.colour_of(&pod.labels));
        let is_ours = scope.workloads.iter().any(|it| it.has(pod));
        colour == Some(place) && is_ours && pod.deleting.is_none()
    };
    estate.pods.value.iter().filter(is_of)
}

/// The restarts of a colour's pods, as they are.
pub(super) fn restarts_in(estate: &Estate, place: usize) -> Restarts {
    let of = |pod: &Pod| (pod.uid.clone(), pod.restarts());
    pods(estate, place).map(of).collect()
}

/// More restarts of the colour's pods since `plan` was made than its soak bears: a pod that came since counts whole.
pub fn restarted(plan: &Plan, estate: &Estate) -> Option<Safe> {
    let (most, place) = (plan.soak.restarts?, plan.place(estate)?);
    let more = |pod: &Pod| {
        let was = plan.restarts.get(&pod.uid).copied().unwrap_or(0);
        pod.restarts().saturating_sub(was)
    };
    let sum = pods(estate, place).map(more).fold(0, u32::saturating_add);
    let worst = pods(estate, place).max_by_key(|pod| more(pod))?;
    let why = worst.containers.iter().find_map(|it| it.last.as_ref());
    let why = why.map_or_else(String::new, |last| format!(": {}", why::exit(last)));
    (sum > most).then(|| {
        let to = Plan::colour_in_words(&plan.to);
        format!(
            "restarts: containers of {to} restarted {sum} times since it was planned, and {most} are borne; {}{why}",
            worst.name
        )
        .into()
    })
}

/// Whether nothing can be silencing the alert: Alertmanager knows it, or does not answer, or should know by now.
fn is_certain(view: &AlertView<'_>, alerts: &Alerts, estate: &Estate, now: Now) -> bool {
    if alerts.is_told(&view.alert.labels) || alerts.handling.currency(now.at) != Currency::Live {
        return true;
    }
    view.since()
        .is_none_or(|fires| estate.monitoring_time(alerts, now).duration_since(fires) > DELIVERY)
}
