//! What is asked of Prometheus and Alertmanager: whether they answer as what they are, whether the
//! rules can be believed, and whether alerts can be told apart by colour and service.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::cluster::{certificate, skew, timed};
use super::finding::Finding;
use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::{Reach, Target};
use crate::clients::kubernetes::Cluster;
use crate::clients::prometheus::Prometheus;
use crate::estate::alerts::{AlertScope, Alerts, AlertsSeen, RulesSeen};
use crate::estate::chart::Measured;
use crate::estate::{Fault, FaultKind, Labels, Moment, Safe, Verdict};
use crate::sources::alerts;

/// Rules and alerts that are named one by one.
const NAMED: usize = 8;

/// Prometheus, then Alertmanager, where they are configured.
pub(super) async fn findings(
    target: &alerts::Target,
    scope: &AlertScope,
    cluster: Option<&Cluster>,
    limit: Duration,
) -> Vec<Finding> {
    // Why there is no way to the API server stands beside the kubeconfig.
    let is_lost = |it: &Target| cluster.is_none() && it.needs_cluster();
    let unasked = |name| vec![Finding::unasked(name, "there is no connection")];
    let prometheus = async {
        match &target.prometheus {
            Some(it) if is_lost(it) => unasked("prometheus"),
            Some(it) => prometheus(it, scope, cluster, limit).await,
            None => Vec::new(),
        }
    };
    let alertmanager = async {
        match &target.alertmanager {
            Some(it) if is_lost(it) => unasked("alertmanager"),
            Some(it) => alertmanager(it, cluster, limit).await,
            None => Vec::new(),
        }
    };
    let (mut all, more, certificates) =
        futures::join!(prometheus, alertmanager, certificates(target, limit));
    all.extend(more);
    all.extend(certificates);
    all
}

/// Those of the replicas that are reached by a URL, one of each server.
async fn certificates(target: &alerts::Target, limit: Duration) -> Vec<Finding> {
    let targets = [&target.prometheus, &target.alertmanager];
    let replicas = targets.into_iter().flatten().flat_map(|it| &it.replicas);
    let urls: BTreeSet<&str> = replicas
        .filter_map(|reach| match reach {
            Reach::Url(url) => Some(url.as_str()),
            Reach::Service { .. } => None,
        })
        .collect();
    let found = futures::future::join_all(urls.into_iter().map(|url| certificate(url, limit)));
    found.await.into_iter().flatten().collect()
}

async fn prometheus(
    target: &Target,
    scope: &AlertScope,
    cluster: Option<&Cluster>,
    limit: Duration,
) -> Vec<Finding> {
    let it = Prometheus::new(target);
    let labels: Vec<_> = [&scope.colour_label, &scope.service_label]
        .into_iter()
        .flatten()
        .collect();
    // Of the targets' own series: `up` is there everywhere and small.
    let seen = labels.iter().map(async |label| {
        let expression = format!("count by ({label}) (up{{{label}!=\"\"}})");
        it.query(cluster, &expression, limit).await
    });
    let (versions, (rules, now), time, seen) = futures::join!(
        it.versions(cluster, limit),
        timed(it.rules(cluster, limit)),
        it.query(cluster, "time()", limit),
        futures::future::join_all(seen),
    );
    let mut findings = Vec::new();
    let has_rules = rules.is_ok();
    for (site, version) in &versions {
        findings.push(replica("prometheus", site, version, has_rules));
    }
    let Ok(rules) = rules else {
        // Why stands beside each replica, or else here.
        if let (Err(fault), true) = (&rules, findings.iter().all(|f| f.verdict.is_ok())) {
            findings.push(Finding::fault("rules", "", fault, &on("prometheus", fault)));
        }
        findings.push(Finding::unasked("watchdog", "there are no rules"));
        return findings;
    };
    findings.push(clock_of(&rules, now));
    findings.extend(rule_findings(&rules, &scope.belongs));
    findings.push(watchdog(rules.clone(), scope, now));
    findings.push(query(&time));
    for (label, seen) in labels.iter().zip(seen) {
        findings.push(label_finding(label, seen, &rules));
    }
    findings
}

async fn alertmanager(target: &Target, cluster: Option<&Cluster>, limit: Duration) -> Vec<Finding> {
    let it = Alertmanager::new(target);
    let (versions, handling) =
        futures::join!(it.versions(cluster, limit), it.handling(cluster, limit));
    let has_alerts = handling.is_ok();
    let mut findings: Vec<_> = (versions.iter())
        .map(|(site, version)| replica("alertmanager", site, version, has_alerts))
        .collect();
    match handling {
        Ok(all) => {
            let (alerts, silences) = (all.handled.len(), all.silences.len());
            let value = format!("{alerts} alerts, {silences} silences");
            findings.push(Finding::ok("silences", "", &value));
        }
        Err(fault) if findings.iter().all(|f| f.verdict.is_ok()) => {
            let advice = on("alertmanager", &fault);
            findings.push(Finding::fault("silences", "", &fault, &advice));
        }
        Err(_) => {}
    }
    findings
}

/// A replica by its version. One that does not know the question, while it gives what the cockpit
/// needs, is one of those that speak like it.
fn replica(
    name: &'static str,
    site: &Safe,
    version: &Result<Option<Safe>, Fault>,
    answers: bool,
) -> Finding {
    match version {
        Ok(Some(version)) => Finding::ok(name, site, &format!("answers, {version}")),
        Ok(None) => Finding::ok(name, site, "answers, and does not tell its version"),
        Err(fault) if fault.kind == FaultKind::Missing && answers => {
            Finding::ok(name, site, "answers, and does not tell its version")
        }
        Err(fault) => Finding::fault(name, site, fault, &on(name, fault)),
    }
}

fn clock_of(rules: &RulesSeen, now: Timestamp) -> Finding {
    let finding = skew(rules.server, now);
    Finding {
        of: "prometheus".into(),
        ..finding
    }
}

/// Rules that are not evaluated, alerts that are no numbers, and answers that are partial. A rule that belongs
/// elsewhere is told and is no trouble.
fn rule_findings(seen: &RulesSeen, ours: &Labels) -> Vec<Finding> {
    const NAME: &str = "rules";
    let mut findings = Vec::new();
    let wrong = (seen.rules.iter()).filter(|rule| rule.health.as_str() == "err");
    let (wrong, elsewhere): (Vec<_>, Vec<_>) = wrong.partition(|r| !r.is_elsewhere(ours));
    for rule in wrong.into_iter().take(NAMED) {
        let why = rule
            .error
            .clone()
            .unwrap_or_else(|| "it cannot be evaluated".into());
        let advice = "correct its expression: until then it never fires";
        findings.push(Finding::bad(NAME, &rule.name, &why, advice));
    }
    let newest = seen.newest();
    let late = (seen.rules.iter())
        .filter(|rule| rule.health.as_str() != "err" && !rule.is_elsewhere(ours))
        .filter_map(|rule| Some((rule, rule.unevaluated(newest)?)));
    for (rule, why) in late.take(NAMED) {
        let advice =
            "does its group take longer than its interval? Split it, or give it a longer one";
        findings.push(Finding::unknown(
            NAME,
            &rule.name,
            &format!("it {why}"),
            advice,
        ));
    }
    let odd = |value: &str| value.parse::<f64>().is_ok_and(|number| !number.is_finite());
    let numberless = seen.rules.iter().filter_map(|rule| {
        let alert = rule.alerts.iter().find(|alert| odd(&alert.value))?;
        Some((rule, &alert.value))
    });
    for (rule, value) in numberless.take(NAMED) {
        let why = format!("its expression gives {value}, which is no number");
        let advice = "a division by zero? Guard the expression with `> 0`";
        findings.push(Finding::unknown(NAME, &rule.name, &why, advice));
    }
    for warning in seen.warnings.iter().take(NAMED) {
        let advice = "the answer is partial: alerts may be missing from it";
        findings.push(Finding::unknown(NAME, "", warning, advice));
    }
    for gap in seen.gaps.iter().take(NAMED) {
        let advice = "what the others say is whole, as long as they are there";
        findings.push(Finding::unknown(NAME, "", gap, advice));
    }
    if seen.rules.is_empty() {
        let advice = "load alerting rules, or ask the Prometheus that evaluates them";
        findings.push(Finding::unknown(
            NAME,
            "",
            "there is no alerting rule: no alert can fire",
            advice,
        ));
    }
    if findings.is_empty() {
        let all = seen.rules.len();
        let named = elsewhere.iter().map(|rule| rule.name.as_str());
        let named: Vec<&str> = named.take(NAMED).collect();
        let value = match elsewhere.len() {
            0 => format!("{all} alerting rules, all evaluated"),
            many => format!(
                "{all} alerting rules; {many} cannot be evaluated and belong elsewhere: {}",
                named.join(", ")
            ),
        };
        findings.push(Finding::ok(NAME, "", &value));
    }
    findings
}

/// Whether monitoring is alive, as the cockpit judges it: what fires elsewhere does not count.
fn watchdog(mut rules: RulesSeen, scope: &AlertScope, now: Timestamp) -> Finding {
    let at = rules.server.unwrap_or(now);
    rules.keep(&scope.belongs, scope.watchdog.as_ref());
    let mut alerts = Alerts::new(scope.clone());
    alerts.apply(AlertsSeen::Rules(rules), Moment(0));
    let advice = match &scope.watchdog {
        Some(name) => format!(
            "until an alert {name} always fires, and is evaluated, no alert is believed to be absent: add its rule, see whether Prometheus is stuck, or take the key `watchdog` away"
        ),
        None => "is Prometheus stuck, or is it one that evaluates no rules?".to_owned(),
    };
    match (alerts.is_alive(at), &scope.watchdog) {
        (Verdict::Ok, Some(name)) => Finding::ok("watchdog", "", &format!("{name} fires")),
        (Verdict::Ok, None) => Finding::ok(
            "watchdog",
            "",
            "none configured; the rules were evaluated lately",
        ),
        (Verdict::Bad(why), _) => Finding::bad("watchdog", "", &why, &advice),
        (Verdict::Unknown(why), _) => Finding::unknown("watchdog", "", &why, &advice),
    }
}

/// Whether expressions are answered, with a number, in full.
fn query(time: &Result<Measured, Fault>) -> Finding {
    const NAME: &str = "query";
    match time {
        Err(fault) => Finding::fault(NAME, "", fault, &on("prometheus", fault)),
        Ok(measured) if !measured.warnings.is_empty() => {
            let advice = "answers are partial: is one of its stores away?";
            Finding::unknown(NAME, "", &measured.warnings.join("; "), advice)
        }
        Ok(measured) => match measured.samples.first() {
            Some(sample) if sample.number.is_some() => Finding::ok(NAME, "", "answered in full"),
            Some(sample) => {
                let why = format!("time() gives {}, which is no number", sample.text);
                Finding::unknown(NAME, "", &why, "what stands there is no Prometheus")
            }
            None => Finding::unknown(
                NAME,
                "",
                "time() gives nothing",
                "what stands there is no Prometheus",
            ),
        },
    }
}

/// Whether a label by which alerts are told apart is to be seen anywhere.
fn label_finding(label: &Safe, seen: Result<Measured, Fault>, rules: &RulesSeen) -> Finding {
    const NAME: &str = "label";
    let measured = match seen {
        Ok(measured) => measured,
        Err(fault) => return Finding::fault(NAME, label, &fault, &on("prometheus", &fault)),
    };
    let values: Vec<&str> = (measured.samples.iter())
        .filter_map(|sample| sample.labels.get(label))
        .map(Safe::as_str)
        .take(NAMED)
        .collect();
    if !values.is_empty() {
        return Finding::ok(
            NAME,
            label,
            &format!("on scraped series: {}", values.join(", ")),
        );
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = |text: &str| {
        text.split(|c| !is_word(c))
            .any(|word| word == label.as_str())
    };
    let rule = (seen_in(rules)).find(|(expression, has)| names(expression) || has(label));
    match rule {
        Some(_) => Finding::ok(NAME, label, "named by the alerting rules"),
        None => Finding::unknown(
            NAME,
            label,
            "neither on a scraped series nor in an alerting rule: alerts cannot be told apart by it",
            "set colour_label and service_label to labels that your alerts carry",
        ),
    }
}

/// Expressions of rules, and whether one of their alerts carries a label.
fn seen_in(rules: &RulesSeen) -> impl Iterator<Item = (&Safe, impl Fn(&Safe) -> bool)> {
    rules.rules.iter().map(|rule| {
        let has = |label: &Safe| rule.alerts.iter().any(|a| a.labels.get(label).is_some());
        (&rule.expression, has)
    })
}

/// What to do about a fault of monitoring. What probably helps stands in many faults' own words.
fn on(name: &str, fault: &Fault) -> String {
    match fault.kind {
        FaultKind::LoginNeeded | FaultKind::Forbidden => {
            format!("give [{name}] a token by reference, or the right to services/proxy")
        }
        // The API server's words: the Service itself is not there.
        FaultKind::Missing if fault.what.contains("services \"") => {
            format!(
                "correct the Service of [{name}]: `kubectl get services --all-namespaces` shows them"
            )
        }
        FaultKind::Missing | FaultKind::Malformed if fault.what.contains("refused") => {
            "what it refuses is a plain question: is it of another kind?".to_owned()
        }
        FaultKind::Missing | FaultKind::Malformed => {
            format!("correct the address of [{name}]: with its path prefix, without /api")
        }
        FaultKind::Unreachable | FaultKind::Slow => {
            format!(
                "correct the address of [{name}], or open the way; see HTTPS_PROXY and NO_PROXY"
            )
        }
        FaultKind::Tls => format!("name its authority by ca_file of [{name}]"),
        FaultKind::Config => format!("correct [{name}]"),
        FaultKind::Busy | FaultKind::Server | FaultKind::Expired | FaultKind::Stopped => {
            "ask again later; its own log says why".to_owned()
        }
    }
}
