//! What monitoring says before traffic moves forward: firing alerts, queries, and whether it can be believed.
//! Silence is no good news: what does not answer, is stale, or gives no number is UNKNOWN.

use std::collections::BTreeMap;

use super::{Finding, Gate, Plan};
use crate::estate::alerts::{AlertView, Alerts, Rule, Standing, severity_rank};
use crate::estate::gates::{Query, Quiet, Reading, window_s};
use crate::estate::{Currency, Estate, Labels, Moment, Now, Safe, Soak, TrafficSwitch, Verdict};

/// The gate that says whether monitoring can be believed.
pub(super) const MONITORING: &str = "monitoring";
/// The gate of the alerts, where none stands in the way; one that does has its own name behind it.
const ALERTS: &str = "alerts";
const ALERT: &str = "alert";
const QUERY: &str = "query";
const RULE: &str = "rule";
/// The gate that says what the soak cannot see.
const SOAK: &str = "soak";

/// Whether a gate of that name is one of these.
pub(super) fn is_of_monitoring(name: &str) -> bool {
    [MONITORING, ALERTS, ALERT, QUERY, RULE].contains(&name)
}

/// Every gate that monitoring is asked for, of a cutover to the colour `to`.
pub(super) fn gates(estate: &Estate, switch: &TrafficSwitch, to: usize, now: Now) -> Vec<Gate> {
    let Some(alerts) = &estate.alerts else {
        if estate.demanded().asks_monitoring() {
            return vec![unasked()];
        }
        let said = "no Prometheus is configured: no alert stops this cutover, none brings it back";
        return vec![Gate::new(MONITORING, Finding::Noted, said)];
    };
    if alerts.scope.gates.is_empty() {
        let said = "neither an alert nor a query is a gate, by configuration";
        return vec![Gate::new(MONITORING, Finding::Noted, said)];
    }
    let mut gates = vec![believed(alerts, estate, now)];
    gates.extend(broken(alerts));
    gates.extend(firing(alerts, Some((switch, to)), now));
    let queries = alerts.scope.gates.queries.iter();
    gates.extend(queries.map(|query| queried(query, alerts, &switch.colours[to], now).gate(query)));
    gates.push(soak(alerts, lasting_soak(estate).watch_s));
    gates
}

fn unasked() -> Gate {
    let said =
        "the policy makes gates of alerts or queries, and no Prometheus is configured here to ask";
    Gate::new(MONITORING, Finding::Unknown, said)
}

/// The same of a deploy in place, which changes what takes traffic at once. The screen asks no query without a colour: its dialog
/// has the plan of a worker, which does.
pub(super) fn gates_in_place(estate: &Estate, now: Now) -> Vec<Gate> {
    let Some(alerts) = &estate.alerts else {
        let is_demanded = estate.demanded().asks_monitoring();
        return is_demanded.then(unasked).into_iter().collect();
    };
    if alerts.scope.gates.is_empty() {
        return Vec::new();
    }
    let mut gates = vec![believed(alerts, estate, now)];
    gates.extend(broken(alerts));
    gates.extend(firing(alerts, None, now));
    if estate.user.is_some() {
        let queries = alerts.scope.gates.queries.iter();
        gates.extend(queries.map(|it| queried(it, alerts, &Safe::default(), now).gate(it)));
    }
    gates
}

/// Whether what Prometheus says can be believed at all.
fn believed(alerts: &Alerts, estate: &Estate, now: Now) -> Gate {
    let (finding, said) = match estate.monitoring_verdict(alerts, now) {
        Verdict::Unknown(why) | Verdict::Bad(why) => (Finding::Unknown, why.to_string()),
        Verdict::Ok => match (alerts.rules.value.gaps.first(), &alerts.scope.watchdog) {
            (Some(gap), _) => (Finding::Noted, format!("alive, but {gap}")),
            (None, Some(watchdog)) => (Finding::Ok, format!("alive: {watchdog} fires")),
            (None, None) => (Finding::Ok, "alive: the rules are evaluated".to_owned()),
        },
    };
    Gate::new(MONITORING, finding, said)
}

/// Rules whose alerts would be gates and that are not evaluated: nothing fires of them, whatever is wrong.
pub(super) fn broken(alerts: &Alerts) -> Vec<Gate> {
    let newest = alerts.rules.value.newest();
    let rules = alerts.rules.value.rules.iter();
    let broken = rules
        .filter(|rule| gives_gates(alerts, rule))
        .filter_map(|rule| {
            let why = rule.unevaluated(newest)?;
            Some(Gate::of(RULE, &rule.name, Finding::Unknown, why))
        });
    broken.collect()
}

/// Whether the alerts of `rule` would be gates, as far as its own labels tell: another environment's are none.
fn gives_gates(alerts: &Alerts, rule: &Rule) -> bool {
    let own = rule.labels.with(&"alertname".into(), &rule.name);
    Some(&rule.name) != alerts.scope.watchdog.as_ref()
        && !alerts.is_elsewhere(rule)
        && alerts.scope.gates.takes(&own)
}

/// What an alert is about, by its colour.
#[derive(Clone, Copy, PartialEq)]
enum About {
    /// The colour that traffic is to go to, or everything.
    Target,
    /// The colour that traffic leaves: it is no reason to stay there.
    Left,
    /// Neither colour.
    Elsewhere,
}

/// Where traffic goes; none where there are no colours.
type Target<'a> = Option<(&'a TrafficSwitch, usize)>;

fn about(labels: &Labels, alerts: &Alerts, target: Target<'_>) -> About {
    let Some((switch, to)) = target else {
        return About::Target;
    };
    let label = alerts.scope.colour_label.as_ref();
    match label.and_then(|label| labels.get(label)) {
        None => About::Target,
        Some(value) => match switch.colour(value) {
            Some(colour) if colour == to => About::Target,
            Some(_) => About::Left,
            None => About::Elsewhere,
        },
    }
}

/// The alerts that fire and are gates, by their name.
fn firing(alerts: &Alerts, target: Target<'_>, now: Now) -> Vec<Gate> {
    let mut by_name: BTreeMap<&Safe, Vec<(Finding, String)>> = BTreeMap::new();
    for view in alerts.views() {
        if view.standing == Standing::Pending || !alerts.scope.gates.takes(&view.alert.labels) {
            continue;
        }
        let of = about(&view.alert.labels, alerts, target);
        let judged = judged(&view, of, alerts, now);
        by_name.entry(&view.rule.name).or_default().push(judged);
    }
    if by_name.is_empty() {
        return vec![match &alerts.scope.gates.alerts[..] {
            [] => Gate::new(
                ALERTS,
                Finding::Noted,
                "no alert is a gate, by configuration",
            ),
            _ => {
                let which = alerts.scope.gates.alerts_in_words();
                Gate::new(ALERTS, Finding::Ok, format!("none with {which} fires"))
            }
        }];
    }
    let gate = |(name, mut all): (&Safe, Vec<(Finding, String)>)| {
        all.sort_by_key(|(finding, _)| u8::from(*finding != Finding::Bad));
        let more = match all.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let (finding, said) = all.swap_remove(0);
        Gate::of(ALERT, name, finding, format!("{said}{more}"))
    };
    by_name.into_iter().map(gate).collect()
}

/// Whether Alertmanager kept it quiet when it was last heard, and was not heard lately: a silence may have ended since.
pub(super) fn was_quiet(view: &AlertView<'_>, alerts: &Alerts, now: Now) -> bool {
    matches!(view.standing, Standing::Silenced | Standing::Inhibited)
        && alerts.handling.currency(now.at) != Currency::Live
}

fn judged(view: &AlertView<'_>, of: About, alerts: &Alerts, now: Now) -> (Finding, String) {
    let words = words(view, alerts);
    match (view.standing, of) {
        (_, About::Target) if was_quiet(view, alerts, now) => {
            let unsure =
                "it was quiet when Alertmanager was last heard; whether it still is is not known";
            (Finding::Bad, format!("{words}; {unsure}"))
        }
        (Standing::Silenced, _) => {
            let by = view.silence.map_or_else(String::new, |silence| {
                let until = silence
                    .ends
                    .map_or_else(String::new, |at| format!(" until {}", clock(at)));
                format!(" by {}{until}: {}", silence.author, silence.comment)
            });
            (Finding::Noted, format!("silenced{by}; {words}"))
        }
        (Standing::Inhibited, _) => (Finding::Noted, format!("inhibited by another; {words}")),
        (_, About::Left) => (
            Finding::Noted,
            format!("about the colour that traffic leaves; {words}"),
        ),
        (_, About::Elsewhere) => (Finding::Noted, format!("about neither colour; {words}")),
        (Standing::Firing | Standing::Pending, About::Target) => {
            let unsure = match alerts.handling.fault {
                Some(_) => "; Alertmanager is away: whether it is silenced is not known",
                None if view.is_disputed => {
                    "; Alertmanager has several that may be it, of which only some are quiet"
                }
                None => "",
            };
            (Finding::Bad, format!("{words}{unsure}"))
        }
    }
}

/// `fires: critical GREEN backend since 14:02Z, value 0.31`
pub(super) fn words(view: &AlertView<'_>, alerts: &Alerts) -> String {
    let of = |label: &Option<Safe>| {
        let value = label.as_ref().and_then(|l| view.alert.labels.get(l));
        value.map_or_else(String::new, |v| format!(" {v}"))
    };
    let severity = of(&Some("severity".into()));
    let colour = of(&alerts.scope.colour_label).to_uppercase();
    let since = view
        .since()
        .map_or_else(String::new, |at| format!(" since {}", clock(at)));
    let service = of(&alerts.scope.service_label);
    // Prometheus spells them out to the last digit.
    let number = view.alert.value.parse::<f64>().ok();
    let value = number.map_or_else(|| view.alert.value.to_string(), digits);
    format!("fires:{severity}{colour}{service}{since}, value {value}")
}

fn clock(at: jiff::Timestamp) -> String {
    at.strftime("%H:%MZ").to_string()
}

/// What was found of a query.
pub(super) struct Queried {
    pub(super) finding: Finding,
    pub(super) said: String,
    /// There is too little traffic, and a soak is to wait for it.
    pub(super) is_waiting: bool,
}

impl Queried {
    fn new(finding: Finding, said: impl Into<String>) -> Self {
        Self {
            finding,
            said: said.into(),
            is_waiting: false,
        }
    }

    fn gate(self, query: &Query) -> Gate {
        Gate::of(QUERY, &query.name, self.finding, self.said)
    }
}

/// What `query` gave lately about `colour`, judged.
pub(super) fn queried(query: &Query, alerts: &Alerts, colour: &Safe, now: Now) -> Queried {
    let oldest = 2_000 * alerts.scope.gates.interval_s;
    match alerts.readings.of(query, colour) {
        None => Queried::new(Finding::Unknown, "not asked yet"),
        Some((at, _)) if age(*at, now) > oldest => {
            let said = format!("last answered {} s ago", age(*at, now) / 1_000);
            Queried::new(Finding::Unknown, said)
        }
        Some((_, reading)) => judge(query, reading),
    }
}

fn age(at: Moment, now: Now) -> u64 {
    now.at.since(at)
}

/// Whole ones: `increase` reckons with parts of requests. Cut, as 300 of 300 would be enough.
fn requests_in_words(requests: f64) -> String {
    digits(if requests < 10.0 {
        requests
    } else {
        requests.floor()
    })
}

fn judge(query: &Query, reading: &Reading) -> Queried {
    let mut tail = String::new();
    match (&query.traffic, &reading.requests) {
        (None, _) => {}
        (Some(_), None) => return Queried::new(Finding::Unknown, "requests were not counted"),
        (Some(_), Some(Err(why))) => {
            return Queried::new(Finding::Unknown, format!("requests: {why}"));
        }
        (Some(traffic), Some(Ok(requests))) if *requests < traffic.least => {
            let said = format!(
                "too little traffic to tell: {} of {} requests",
                requests_in_words(*requests),
                digits(traffic.least)
            );
            return match traffic.quiet {
                Quiet::Hold => Queried::new(Finding::Unknown, said),
                Quiet::Extend => Queried {
                    is_waiting: true,
                    ..Queried::new(Finding::Noted, format!("{said}; the soak waits for more"))
                },
                Quiet::Pass => Queried::new(Finding::Noted, format!("{said}; passed all the same")),
            };
        }
        (Some(_), Some(Ok(requests))) => {
            tail = format!("; {} requests", requests_in_words(*requests))
        }
    }
    let value = match &reading.value {
        Ok(value) => *value,
        Err(why) => return Queried::new(Finding::Unknown, why.as_str()),
    };
    let is_low = query.below.is_none_or(|below| value < below);
    let is_high = query.above.is_none_or(|above| value > above);
    let finding = if is_low && is_high {
        Finding::Ok
    } else {
        Finding::Bad
    };
    Queried::new(
        finding,
        format!("{}, {}{tail}", digits(value), bounds(query)),
    )
}

fn bounds(query: &Query) -> String {
    let bound = |word: &str, bound: Option<f64>| {
        bound.map_or_else(String::new, |bound| format!("{word} {}", digits(bound)))
    };
    let (below, above) = (bound("below", query.below), bound("above", query.above));
    let and = if below.is_empty() || above.is_empty() {
        ""
    } else {
        " and "
    };
    format!("to be {above}{and}{below}")
}

/// As many digits as people read.
fn digits(number: f64) -> String {
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "0" | "-0" if number != 0.0 => format!("{number:e}"),
        text => text.to_owned(),
    }
}

/// The longest soak that nobody asked for, in seconds. What needs more (a disk that fills up within hours) is named by the plan.
const UNSAID_MOST_S: u64 = 900;

/// The soak; as long as every gate needs to be seen where nobody said how long (I-10), within reason.
pub(super) fn lasting_soak(estate: &Estate) -> Soak {
    let soak = estate.soak();
    // It is asked for with every frame.
    if !soak.is_unsaid {
        return soak;
    }
    let needs = estate.alerts.iter().flat_map(needs);
    let longest = needs.map(|(_, seconds)| seconds).fold(0.0, f64::max);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds: a number beyond is as long as can be"
    )]
    let longest = longest.ceil() as u64;
    Soak {
        watch_s: soak.watch_s.max(longest.min(UNSAID_MOST_S)),
        is_unsaid: false,
        ..soak
    }
}

/// How many seconds each gate needs to be seen: its window, its `for`, and two evaluations.
fn needs(alerts: &Alerts) -> impl Iterator<Item = (&Safe, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "seconds between two questions")]
    let interval = alerts.scope.gates.interval_s as f64;
    let rules = alerts.rules.value.rules.iter();
    let rules = rules.filter(|rule| gives_gates(alerts, rule)).map(|rule| {
        let needs = window_s(&rule.expression) + rule.hold + 2.0 * rule.interval;
        (&rule.name, needs)
    });
    let queries = alerts.scope.gates.queries.iter();
    let queries =
        queries.map(move |query| (&query.name, window_s(&query.expression) + 2.0 * interval));
    rules.chain(queries)
}

/// I-10: which alerts and queries a soak of so many seconds cannot see.
fn soak(alerts: &Alerts, watch_s: u64) -> Gate {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a soak")]
    let watch = watch_s as f64;
    let mut rules = alerts.rules.value.rules.iter();
    let gives_none = !rules.any(|rule| gives_gates(alerts, rule));
    let is_blind = gives_none && alerts.rules.listed && !alerts.scope.gates.alerts.is_empty();
    let mut unseen: Vec<(&Safe, f64)> = needs(alerts).filter(|(_, needs)| *needs > watch).collect();
    unseen.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (finding, said) = match (&unseen[..], is_blind) {
        ([], true) => {
            let which = alerts.scope.gates.alerts_in_words();
            (
                Finding::Noted,
                format!("{watch_s} s, but no rule says that it gives {which}"),
            )
        }
        ([], false) => (
            Finding::Ok,
            format!("{watch_s} s: long enough to see every gate"),
        ),
        ([(name, needs), more @ ..], _) => {
            let more = match more.len() {
                0 => String::new(),
                more => format!(" (nor {more} more)"),
            };
            let why = "window, for, and two evaluations";
            let said = format!(
                "{watch_s} s cannot see {name}{more}, which needs {} s: {why}",
                digits(needs.ceil())
            );
            (Finding::Noted, said)
        }
    };
    Gate::new(SOAK, finding, said)
}

/// The alerts that fire before a flip, gates or not, since a policy may make gates of them later: what fired before is no
/// proof against the new colour (I-27). By what identifies an alert but for its severity, and the gravest rank of that.
pub(super) fn fired(alerts: &Alerts) -> BTreeMap<Safe, u8> {
    let mut fired = BTreeMap::new();
    for view in alerts.views() {
        if view.standing == Standing::Pending {
            continue;
        }
        let rank = severity_rank(view.alert.labels.get("severity"));
        // A storm of thousands would not fit into a record: of that rule everything fired.
        let key = match fired.len() < MOST_FIRED {
            true => series(&view),
            false => rule_key(&view),
        };
        let known = fired.entry(key).or_insert(rank);
        *known = rank.min(*known);
    }
    fired
}

/// Alerts that a plan remembers one by one.
const MOST_FIRED: usize = 500;

fn series(view: &AlertView<'_>) -> Safe {
    let labels = view.alert.labels.iter();
    let rest: Vec<String> = labels
        .filter(|(key, _)| key.as_str() != "severity")
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    super::digest(rest.join("\n").as_bytes())[..16].into()
}

fn rule_key(view: &AlertView<'_>) -> Safe {
    format!("every {}", view.rule.name).into()
}

/// Whether an alert is new since, or graver.
pub(super) fn is_worse(view: &AlertView<'_>, fired: &BTreeMap<Safe, u8>) -> bool {
    let rank = severity_rank(view.alert.labels.get("severity"));
    let before = [series(view), rule_key(view)];
    let mut before = before.iter().filter_map(|key| fired.get(key));
    !before.any(|known| *known <= rank)
}

/// The alerts that speak against the colour that traffic went to.
#[derive(Default)]
pub(super) struct Against<'a> {
    /// Those that fire and did not before traffic went there, the gravest first.
    pub(super) proofs: Vec<AlertView<'a>>,
    /// Those of which that cannot be told, and why.
    pub(super) unsure: Vec<(AlertView<'a>, &'static str)>,
}

/// What fires against the colour of `plan`.
pub(super) fn against<'a>(
    plan: &Plan,
    alerts: &'a Alerts,
    switch: &TrafficSwitch,
    now: Now,
) -> Against<'a> {
    let mut found = Against::default();
    let Some(to) = switch.colour(&plan.to) else {
        return found;
    };
    let is_about_it = |view: &AlertView<'_>| {
        view.standing != Standing::Pending
            && alerts.scope.gates.takes(&view.alert.labels)
            && about(&view.alert.labels, alerts, Some((switch, to))) == About::Target
    };
    for view in alerts.views().into_iter().filter(is_about_it) {
        // Who planned while nothing was known knew of nothing that fired before, and no hour tells: a Prometheus that starts anew
        // has forgotten since when an alert fires (I-27).
        let is_new = match &plan.fired {
            Some(fired) if is_worse(&view, fired) => true,
            Some(_) => continue,
            None if plan.is_overridden(&Gate::id_of(ALERT, Some(&view.rule.name))) => continue,
            None => false,
        };
        let why = match view.standing {
            _ if was_quiet(&view, alerts, now) => "whether it is still quiet is not known",
            Standing::Firing if is_new => {
                found.proofs.push(view);
                continue;
            }
            Standing::Firing => {
                "whether it did before traffic moved is not known: a silence lets it pass, an abort brings traffic back"
            }
            // Somebody keeps it quiet.
            Standing::Silenced | Standing::Inhibited | Standing::Pending => continue,
        };
        found.unsure.push((view, why));
    }
    found
}
