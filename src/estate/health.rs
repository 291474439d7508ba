//! Is it well? The checks that `status` prints and the header sums up. UNKNOWN is never OK.

use super::alerts::{Alerts, Standing, severity_rank};
use super::feed::Currency;
use super::{Check, Deployment, Estate, Group, Kind, Live, Now, Safe, ServiceView, Verdict};

/// The kinds without which nothing can be said about health.
const VITAL: [Kind; 4] = [
    Kind::Services,
    Kind::EndpointSlices,
    Kind::Deployments,
    Kind::Pods,
];

/// Alerts up to this rank of severity (critical, page, error, high) make an environment BAD.
const GRAVE: u8 = 1;

impl Estate {
    /// Every check of this environment, in a fixed order.
    pub fn checks(&self, now: Now) -> Vec<Check> {
        let mut checks: Vec<Check> = Kind::ALL
            .iter()
            .map(|kind| self.feed_check(*kind, now))
            .collect();
        for view in self.service_views() {
            checks.push(check("selector", view.name, self.selector_verdict(&view)));
            checks.push(check("endpoints", view.name, self.endpoints_verdict(&view)));
        }
        if let Some(verdict) = self.agreement() {
            checks.push(check("services agree", &self.scope.name, verdict));
        }
        checks.extend(self.workload_checks());
        checks.extend(self.alert_checks(now));
        for check in &mut checks {
            let is_own = matches!(
                check.name,
                "feed" | "monitoring" | "alerts" | "alertmanager"
            );
            let needs_data = !is_own && check.verdict.is_ok();
            if needs_data && let Some(kind) = VITAL.iter().find(|k| !self.is_current(**k, now)) {
                check.verdict =
                    Verdict::Unknown(Safe::new(&format!("{} are not current", kind.plural())));
            }
        }
        checks
    }

    /// The gravest of all checks; feeds that health does not hang on may be away. A target that is down is told and is
    /// no verdict: it may be anybody's; nor is a rule that belongs elsewhere, nor a replica that is missing beside a whole one.
    pub fn verdict(&self, now: Now) -> Verdict {
        let vital = |check: &Check| match check.name {
            "feed" => VITAL.iter().any(|k| k.plural() == check.of.as_str()),
            name => !matches!(name, "targets" | "rules elsewhere" | "replicas"),
        };
        let checks = self.checks(now).into_iter().filter(vital);
        checks.map(|c| c.verdict).fold(Verdict::Ok, Verdict::and)
    }

    fn is_current(&self, kind: Kind, now: Now) -> bool {
        self.currency(kind, now.at) == Currency::Live
    }

    fn feed_check(&self, kind: Kind, now: Now) -> Check {
        let verdict = match (self.currency(kind, now.at), self.fault(kind)) {
            (Currency::Live, _) => Verdict::Ok,
            (_, Some(fault)) => Verdict::Unknown(fault.what.clone()),
            (Currency::Waiting, None) => Verdict::Unknown("not listed yet".into()),
            (Currency::Stale, None) => Verdict::Unknown("no sign of life".into()),
        };
        check("feed", &kind.word().into(), verdict)
    }

    fn selector_verdict(&self, view: &ServiceView<'_>) -> Verdict {
        if let Some((who, at)) = view.reverted() {
            let at = at.map_or_else(String::new, |at| format!(" at {at:.0}"));
            let said = format!("REVERTED by {who}{at}: it is not what was meant");
            return Verdict::Bad(Safe::new(&said));
        }
        match &view.live {
            Live::Colour(_) => Verdict::Ok,
            Live::Foreign(value) => Verdict::Bad(Safe::new(&format!(
                "the selector names neither colour: {value}"
            ))),
            Live::NoKey => Verdict::Bad("the selector lacks the colour key".into()),
            Live::Absent => Verdict::Bad("there is no such Service".into()),
            Live::Unknown => Verdict::Unknown("not seen yet".into()),
        }
    }

    /// SAFETY, rule 10: the live colour serves, and nothing of another colour does.
    fn endpoints_verdict(&self, view: &ServiceView<'_>) -> Verdict {
        let (Live::Colour(live), Some(switch)) = (&view.live, &self.scope.traffic) else {
            return Verdict::Unknown("no live colour".into());
        };
        let other = 1 - live;
        match () {
            // Whose colour an endpoint is, its pod tells.
            () if !self.is_listed(Kind::Pods) => Verdict::Unknown("the pods were not seen".into()),
            () if !self.knows_endpoints() => Verdict::Unknown("the endpoints were not seen".into()),
            () if view.ready[*live] == 0 => Verdict::Bad(Safe::new(&format!(
                "no ready endpoint of {}",
                switch.colours[*live].to_uppercase()
            ))),
            () if view.serving[other] > 0 => Verdict::Bad(Safe::new(&format!(
                "{} endpoints of {} still serve",
                view.serving[other],
                switch.colours[other].to_uppercase()
            ))),
            () if view.foreign > 0 => Verdict::Bad(Safe::new(&format!(
                "{} endpoints are of no known colour",
                view.foreign
            ))),
            () => Verdict::Ok,
        }
    }

    fn agreement(&self) -> Option<Verdict> {
        let views = self.service_views();
        if views.len() < 2 {
            return None;
        }
        Some(
            match (
                self.live_colour(),
                views.iter().any(|v| v.live == Live::Unknown),
            ) {
                (Some(_), _) => Verdict::Ok,
                (None, true) => Verdict::Unknown("not all Services were seen".into()),
                (None, false) => Verdict::Bad("the Services do not agree on one colour".into()),
            },
        )
    }

    /// Whether monitoring is alive and whole, and whether something grave fires that nobody silenced.
    fn alert_checks(&self, now: Now) -> Vec<Check> {
        let Some(alerts) = &self.alerts else {
            return Vec::new();
        };
        let name = &self.scope.name;
        let alive = self.monitoring_verdict(alerts, now);
        let mut checks = vec![
            check("monitoring", name, alive.clone()),
            check("alerts", name, fires(alerts, alive)),
        ];
        if alerts.scope.alertmanager.is_some() {
            let known = alerts.is_handling_known(now.at);
            checks.push(check("alertmanager", name, known));
        }
        let unknown = |why: Option<Safe>| why.map(Verdict::Unknown);
        let rules = unknown(alerts.broken());
        let elsewhere = unknown(alerts.broken_elsewhere());
        let replicas = unknown(alerts.rules.value.gaps.first().cloned());
        let targets = unknown(alerts.unscraped());
        checks.extend(rules.map(|it| check("rules", name, it)));
        checks.extend(elsewhere.map(|it| check("rules elsewhere", name, it)));
        checks.extend(replicas.map(|it| check("replicas", name, it)));
        checks.extend(targets.map(|it| check("targets", name, it)));
        checks
    }

    /// The workloads that take traffic: of the live colour, or all of an environment of one colour.
    fn workload_checks(&self) -> Vec<Check> {
        let colour = self.live_colour();
        if self.scope.traffic.is_some() && colour.is_none() {
            return Vec::new();
        }
        let mut checks = Vec::new();
        for (place, workload) in self.scope.workloads.iter().enumerate() {
            let group = Group {
                workload: Some(place),
                colour,
            };
            let verdict = (self.deployments_of(group).map(rollout))
                .reduce(Verdict::and)
                .unwrap_or_else(|| match self.is_listed(Kind::Deployments) {
                    true => Verdict::Bad("no Deployment matches".into()),
                    false => Verdict::Unknown("not seen yet".into()),
                });
            checks.push(check("workload", &workload.name, verdict));
        }
        checks
    }
}

/// Whether something grave fires that nobody silenced; as unknown as monitoring is where nothing does.
fn fires(alerts: &Alerts, alive: Verdict) -> Verdict {
    let views = alerts.views();
    let grave = views.iter().find(|view| {
        let severity = severity_rank(view.alert.labels.get("severity"));
        view.standing == Standing::Firing && severity <= GRAVE
    });
    match grave {
        Some(view) => Verdict::Bad(Safe::new(&format!("{} fires", view.rule.name))),
        None => alive,
    }
}

fn check(name: &'static str, of: &Safe, verdict: Verdict) -> Check {
    Check {
        name,
        of: of.clone(),
        verdict,
    }
}

/// Whether a Deployment is rolled out and saturated (I-2): the generation is observed and
/// updated = ready = available = desired, with no pod of an old revision left.
pub fn rollout(d: &Deployment) -> Verdict {
    let bad = |why: String| Verdict::Bad(Safe::new(&why));
    let name = &d.name;
    let stuck =
        (d.conditions.iter()).find(|c| c.reason.as_deref() == Some("ProgressDeadlineExceeded"));
    match () {
        () if d.observed_generation < d.generation => Verdict::Unknown(Safe::new(&format!(
            "{name}: generation {} not observed yet (at {})",
            d.generation, d.observed_generation
        ))),
        () if d.desired == 0 => bad(format!("{name} is scaled to 0")),
        () if stuck.is_some() => bad(format!(
            "{name}: progress deadline exceeded, ready {}/{}",
            d.ready, d.desired
        )),
        () if d.updated < d.desired => bad(format!("{name}: updated {}/{}", d.updated, d.desired)),
        () if d.replicas > d.updated => {
            bad(format!("{name}: {} old pods left", d.replicas - d.updated))
        }
        () if d.ready < d.desired => bad(format!("{name}: ready {}/{}", d.ready, d.desired)),
        () if d.available < d.desired => {
            bad(format!("{name}: available {}/{}", d.available, d.desired))
        }
        () => Verdict::Ok,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::super::fold::tests::now;
    use super::super::pods::tests::{labels, pod, scope};
    use super::*;
    use crate::estate::{Delta, Endpoint, Seen, Service, Slice};

    fn deployment(part: &str, colour: &str, ready: u32) -> Deployment {
        Deployment {
            name: format!("digital-wall-{colour}-{part}").into(),
            uid: "u".into(),
            resource_version: "1".into(),
            marks: labels(&[]),
            has_annotations: false,
            match_labels: labels(&[]),
            template_labels: labels(&[("part", part), ("version", colour)]),
            created: None,
            generation: 3,
            observed_generation: 3,
            desired: 1,
            replicas: 1,
            updated: 1,
            ready,
            available: ready,
            paused: false,
            conditions: Vec::new(),
            images: Vec::new(),
            revision: None,
            helm_release: None,
            owners: Vec::new(),
        }
    }

    pub(crate) fn service(selector: &[(&str, &str)]) -> Service {
        Service {
            name: "digital-wall-service".into(),
            uid: "u".into(),
            resource_version: "1".into(),
            selector: labels(selector),
            kind: "ClusterIP".into(),
            ports: Vec::new(),
            targets: Vec::new(),
            marks: labels(&[]),
            has_annotations: false,
            owners: Vec::new(),
            created: None,
            managers: Vec::new(),
        }
    }

    fn endpoint(pod: &str) -> Endpoint {
        Endpoint {
            ready: true,
            serving: true,
            terminating: false,
            target: Some(format!("uid-{pod}").into()),
            address: "10.0.0.1".into(),
        }
    }

    fn whole(selector: &[(&str, &str)], ready: u32, endpoints: &[&str]) -> Estate {
        let mut estate = Estate::new(scope(), None);
        let pods = vec![
            pod("bf", "frontend", "blue", true),
            pod("bb", "backend", "blue", true),
            pod("gf", "frontend", "green", true),
        ];
        let slice = Slice {
            name: "s".into(),
            service: "digital-wall-service".into(),
            managed_by: None,
            endpoints: endpoints.iter().map(|e| endpoint(e)).collect(),
        };
        let deployments = vec![
            deployment("frontend", "blue", ready),
            deployment("backend", "blue", 1),
        ];
        for seen in [
            Seen::Pods(Delta::Page(pods)),
            Seen::Pods(Delta::Ended),
            Seen::Services(Delta::Page(vec![service(selector)])),
            Seen::Services(Delta::Ended),
            Seen::Slices(Delta::Page(vec![slice])),
            Seen::Slices(Delta::Ended),
            Seen::Deployments(Delta::Page(deployments)),
            Seen::Deployments(Delta::Ended),
        ] {
            estate.apply(seen, now(0));
        }
        estate
    }

    const BLUE: &[(&str, &str)] = &[("part", "frontend"), ("version", "blue")];

    #[test]
    fn a_healthy_estate_is_ok_and_ages_into_unknown() {
        let estate = whole(BLUE, 1, &["bf"]);
        assert_eq!(estate.verdict(now(1)), Verdict::Ok);
        assert!(matches!(estate.verdict(now(60_000)), Verdict::Unknown(_)));
    }

    #[test]
    fn an_estate_of_which_nothing_was_seen_is_unknown() {
        assert!(matches!(
            Estate::new(scope(), None).verdict(now(0)),
            Verdict::Unknown(_)
        ));
    }

    #[test]
    fn i_1_a_live_colour_without_ready_endpoints_is_bad() {
        assert!(
            matches!(whole(BLUE, 1, &[]).verdict(now(1)), Verdict::Bad(w) if w.contains("BLUE"))
        );
    }

    #[test]
    fn rule_6_endpoints_that_were_never_listed_are_unknown_and_not_none() {
        let mut estate = whole(BLUE, 1, &[]);
        estate.slices.listed = false;
        let checks = estate.checks(now(1)).into_iter();
        let told: Vec<_> = checks.filter(|it| !it.verdict.is_ok()).collect();
        let is_said = |it: &Check| matches!(&it.verdict, Verdict::Unknown(why) if why.contains("endpoints were not seen"));
        assert!(told.iter().any(is_said), "{told:?}");
        assert!(matches!(estate.verdict(now(1)), Verdict::Unknown(_)));
    }

    #[test]
    fn i_17_an_endpoint_of_the_other_colour_is_not_moved() {
        assert!(
            matches!(whole(BLUE, 1, &["bf", "gf"]).verdict(now(1)), Verdict::Bad(w) if w.contains("GREEN"))
        );
    }

    #[test]
    fn i_2_ready_fewer_than_desired_is_bad() {
        assert!(
            matches!(whole(BLUE, 0, &["bf"]).verdict(now(1)), Verdict::Bad(w) if w.contains("ready 0/1"))
        );
    }

    #[test]
    fn a_selector_that_names_neither_colour_is_bad() {
        let red = whole(&[("version", "red")], 1, &["bf"]);
        assert!(matches!(red.verdict(now(1)), Verdict::Bad(w) if w.contains("red")));
        let none = whole(&[("part", "frontend")], 1, &["bf"]);
        assert!(matches!(none.verdict(now(1)), Verdict::Bad(w) if w.contains("lacks")));
    }

    #[test]
    fn i_2_an_unobserved_generation_is_unknown_and_an_old_pod_is_bad() {
        let mut d = deployment("frontend", "blue", 1);
        assert_eq!(rollout(&d), Verdict::Ok);
        d.replicas = 2;
        assert!(matches!(rollout(&d), Verdict::Bad(_)));
        d.generation = 4;
        assert!(matches!(rollout(&d), Verdict::Unknown(_)));
    }

    #[test]
    fn what_is_wrong_with_monitoring_is_unknown_with_its_reason() {
        use crate::estate::alerts::{AlertScope, Alerts, AlertsSeen, Rule, RulesSeen, Targets};
        use crate::estate::{Fault, FaultKind, Labels};
        use jiff::SignedDuration;
        let rule = Rule {
            name: "Latency".into(),
            group: "g".into(),
            health: "ok".into(),
            error: None,
            evaluated: Some(now(0).wall),
            interval: 15.0,
            expression: "up".into(),
            hold: 0.0,
            labels: Labels::default(),
            alerts: Vec::new(),
        };
        let mut broken = rule.clone();
        (broken.health, broken.error) = ("err".into(), Some("too many samples".into()));
        let mut foreign = broken.clone();
        foreign.labels = labels(&[("namespace", "billing")]);
        let fault = Fault {
            kind: FaultKind::Unreachable,
            what: "refused".into(),
        };
        let mut stalled = rule.clone();
        stalled.evaluated = stalled
            .evaluated
            .map(|at| at - SignedDuration::from_secs(46));
        let seen = |rules: &[&Rule]| RulesSeen {
            rules: rules.iter().map(|rule| (*rule).clone()).collect(),
            ..RulesSeen::default()
        };
        let rules = |rule: &Rule, warnings: &[&str]| {
            let warnings = warnings.iter().map(|it| (*it).into()).collect();
            AlertsSeen::Rules(RulesSeen {
                warnings,
                ..seen(&[rule])
            })
        };
        let missing = RulesSeen {
            gaps: vec!["of 2 replicas prom-1 is missing".into()],
            ..seen(&[&rule])
        };
        let said = |seen: AlertsSeen| {
            let mut estate = whole(BLUE, 1, &["bf"]);
            let mut alerts = Alerts::new(AlertScope {
                alertmanager: Some("am:9093".into()),
                belongs: labels(&[("namespace", "shop")]),
                ..AlertScope::default()
            });
            alerts.apply(rules(&rule, &[]), now(0).at);
            alerts.apply(AlertsSeen::Handling(Vec::new(), Vec::new()), now(0).at);
            alerts.apply(seen, now(0).at);
            estate.alerts = Some(alerts);
            let checks = estate.checks(now(1)).into_iter();
            let told = checks.filter(|it| matches!(it.verdict, Verdict::Unknown(_)));
            let words = told.filter_map(|it| Some(format!("{}: {}", it.name, it.verdict.why()?)));
            (words.collect::<Vec<_>>().join("; "), estate.verdict(now(1)))
        };
        let targets = Targets {
            up: 1,
            down: vec![("node".into(), "10.0.0.7".into(), "timeout".into())],
        };
        let whole = said(AlertsSeen::HandlingGaps(Vec::new()));
        assert_eq!(whole, (whole.0.clone(), Verdict::Ok));
        for (seen, words, is_grave) in [
            (
                AlertsSeen::HandlingFailed(fault.clone()),
                "alertmanager: silences unknown: refused",
                true,
            ),
            (
                AlertsSeen::HandlingGaps(vec!["am-1 is away".into()]),
                "alertmanager: partial: am-1 is away",
                true,
            ),
            (
                rules(&rule, &["no store"]),
                "monitoring: partial: no store",
                true,
            ),
            (
                rules(&broken, &[]),
                "rules: rule Latency cannot be evaluated: too many samples",
                true,
            ),
            (
                AlertsSeen::Rules(seen(&[&rule, &stalled])),
                "rules: rule Latency was not evaluated for 46 s, while others were",
                true,
            ),
            (
                AlertsSeen::Rules(missing),
                "replicas: of 2 replicas prom-1 is missing",
                false,
            ),
            (
                rules(&foreign, &[]),
                "rules elsewhere: another's rule Latency cannot be evaluated: too many samples",
                false,
            ),
            (
                AlertsSeen::Targets(targets),
                "targets: 1 of 2 targets down: node 10.0.0.7: timeout",
                false,
            ),
            (
                AlertsSeen::TargetsFailed(fault),
                "targets: targets unknown: refused",
                false,
            ),
        ] {
            let (told, verdict) = said(seen);
            assert!(told.contains(words), "{told}");
            assert_eq!(verdict.is_ok(), !is_grave, "{told}");
        }
    }
}
