//! What is asked of an environment's API server: the way there, its version and clock, who one is and
//! until when, and whether one may do what the viewer's Role names.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::access::{OPERATOR, Operates, VIEWER, access, rights, writes};
use super::finding::Finding;
use super::span;
use crate::clients::http::Target as Monitored;
use crate::clients::kubernetes::{
    self, Cluster, Credential, Limits, Pulse, Right, Target, certificate_end,
};
use crate::estate::{Fault, FaultKind, SKEW_SHOWN_MS, Safe, Verdict};
use crate::tui::clock;

/// The oldest minor version of Kubernetes 1 that has all that is watched (autoscaling/v2), and the
/// newest that this version was proved against (tests/real).
const OLDEST: u32 = 23;
const PROVED: u32 = 37;

/// Ends that are closer than this are BAD: of what is made for months, and of a token for some hours.
pub(super) const MONTHS: i64 = 7 * 86_400;
const HOURS: i64 = 10 * 60;

/// Connects. The second value is what to tell of the way.
pub(super) async fn connect(
    target: &Target,
    limit: Duration,
) -> (Result<Cluster, Fault>, Vec<Finding>) {
    let limits = Limits {
        plugin: Limits::default().plugin.min(limit),
        ..Limits::default()
    };
    let context = target.context.as_deref().unwrap_or("the current context");
    match kubernetes::connect_within(target, limits).await {
        Ok(cluster) => {
            let value = format!("{context} leads to {}", cluster.host());
            (Ok(cluster), vec![Finding::ok("kubeconfig", "", &value)])
        }
        Err(fault) => {
            let advice = match fault.kind {
                FaultKind::LoginNeeded => login(target),
                _ => "correct the kubeconfig, or the keys `context` and `kubeconfig` of the environment".to_owned(),
            };
            let findings = vec![
                Finding::fault("kubeconfig", "", &fault, &advice),
                Finding::unasked("server", "there is no connection"),
                Finding::unasked("access", "there is no connection"),
            ];
            (Err(fault), findings)
        }
    }
}

/// Asks everything at once; each answer within `limit`. `operates` is what is done in an environment where one may write.
pub(super) async fn findings(
    cluster: &Cluster,
    target: &Target,
    monitored: &[&Monitored],
    operates: Option<Operates<'_>>,
    limit: Duration,
) -> Vec<Finding> {
    let rights = rights(target, monitored);
    let writes = operates.map_or_else(Vec::new, |it| writes(target, it));
    let asked = (rights.iter().chain(&writes)).map(|right| allowed(cluster, right, limit));
    let pulse = timed(cluster.pulse(limit));
    let ((pulse, now), who, may, end) = futures::join!(
        pulse,
        cluster.whoami(limit),
        join_all(asked),
        cluster.certificate_end(limit),
    );
    let mut findings = server(&pulse, cluster, target, now);
    if end.is_some() {
        let advice = "have whoever runs the API server renew its certificate";
        let value = format!("the certificate of {}", cluster.host());
        findings.push(ending("certificate", &value, end, MONTHS, now, advice));
    }
    // Asked last: a plugin may have been run for the questions.
    let credential = cluster.credential().await;
    findings.push(identity(who, credential, target, now));
    let (may, may_write) = may.split_at(rights.len());
    findings.extend(access(VIEWER, &rights, may, target));
    findings.extend(access(OPERATOR, &writes, may_write, target));
    findings
}

/// Whether that is allowed; an authorizer that could not tell is a server that did not say.
async fn allowed(cluster: &Cluster, right: &Right, limit: Duration) -> Result<bool, Fault> {
    match cluster.may(right, limit).await? {
        Verdict::Ok => Ok(true),
        Verdict::Bad(_) => Ok(false),
        Verdict::Unknown(what) => Err(Fault {
            kind: FaultKind::Server,
            what,
        }),
    }
}

/// An answer, and when it came: the server's clock is compared with that.
pub(super) async fn timed<T>(answer: impl Future<Output = T>) -> (T, Timestamp) {
    let answer = answer.await;
    (answer, clock::now().wall)
}

fn server(
    pulse: &Result<Pulse, Fault>,
    cluster: &Cluster,
    target: &Target,
    now: Timestamp,
) -> Vec<Finding> {
    match pulse {
        Ok(pulse) => {
            let version = pulse.version.clone().unwrap_or_default();
            vec![
                version_of(&cluster.host(), &version),
                skew(pulse.server, now),
            ]
        }
        Err(fault) => {
            let advice = on(fault, target);
            let clock = Finding::unasked("clock", "the server did not answer");
            vec![Finding::fault("server", "", fault, &advice), clock]
        }
    }
}

fn version_of(host: &str, version: &str) -> Finding {
    let minor = version.trim_start_matches('v').split('.').nth(1);
    let minor: Option<u32> = minor.and_then(|text| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    let value = |more: &str| format!("{host} answers, {version}{more}");
    match minor {
        Some(minor) if minor < OLDEST => Finding::bad(
            "server",
            "",
            &value(""),
            &format!("1.{OLDEST} is the oldest that has what is watched (autoscaling/v2)"),
        ),
        Some(minor) if minor > PROVED => {
            let more =
                format!(", newer than 1.{PROVED}, the newest that this version was tried with");
            Finding::ok("server", "", &value(&more))
        }
        Some(_) => Finding::ok("server", "", &value("")),
        None => Finding::ok(
            "server",
            "",
            &format!("{host} answers, and does not tell its version"),
        ),
    }
}

/// Whole seconds: the Date header has no more.
pub(super) fn skew(server: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(server) = server else {
        let why = "the answer has no date";
        return Finding::unknown("clock", "", why, "a proxy that takes the Date header away?");
    };
    let seconds = server.as_second() - now.as_second();
    match seconds.abs() * 1_000 > SKEW_SHOWN_MS {
        false => Finding::ok("clock", "", &format!("{seconds:+} s from this machine's")),
        true => Finding::bad(
            "clock",
            "",
            &format!("{seconds:+} s from this machine's: ages and ends are wrong by as much"),
            "set the clock that is wrong: `timedatectl` says whether this one is synchronised",
        ),
    }
}

fn identity(
    who: Result<Safe, Fault>,
    credential: Option<Credential>,
    target: &Target,
    now: Timestamp,
) -> Finding {
    const NAME: &str = "credential";
    let Some(credential) = credential else {
        return Finding::unasked(NAME, "there is no connection");
    };
    let mut value = credential.way.to_string();
    match who {
        Ok(name) => value = format!("{value} of {name}"),
        // Older servers do not tell.
        Err(fault) if fault.kind == FaultKind::Missing => {}
        Err(fault) => return Finding::fault(NAME, "", &fault, &on(&fault, target)),
    }
    let soon = match (credential.is_renewed, credential.is_certificate) {
        (true, _) => 0,
        (false, true) => MONTHS,
        (false, false) => HOURS,
    };
    if credential.is_renewed {
        value = format!("{value}, renewed by itself");
    }
    ending(NAME, &value, credential.expires, soon, now, &login(target))
}

/// The end of the certificate that the server of `url` shows; none where it shows none: what is wrong then, the other
/// questions tell.
pub(super) async fn certificate(url: &str, limit: Duration) -> Option<Finding> {
    let (end, now) = timed(certificate_end(url, limit)).await;
    let host = url.parse::<http::Uri>().ok()?.host()?.to_owned();
    let value = format!("the certificate of {}", Safe::new(&host));
    let advice = "have whoever runs it renew its certificate";
    Some(ending(
        "certificate",
        &value,
        Some(end?),
        MONTHS,
        now,
        advice,
    ))
}

/// A credential by its end: BAD where that has passed, or comes within `soon` seconds.
pub(super) fn ending(
    name: &'static str,
    value: &str,
    end: Option<Timestamp>,
    soon: i64,
    now: Timestamp,
    advice: &str,
) -> Finding {
    let Some(end) = end else {
        return Finding::ok(name, "", &format!("{value}, no end told"));
    };
    let left = end.as_second() - now.as_second();
    let far = span(left.abs());
    match left {
        ..=0 => Finding::bad(
            name,
            "",
            &format!("{value} ended {far} ago ({end})"),
            advice,
        ),
        _ if left < soon => {
            Finding::bad(name, "", &format!("{value} ends in {far} ({end})"), advice)
        }
        _ => Finding::ok(name, "", &format!("{value}, valid for {far} ({end})")),
    }
}

fn kubectl(target: &Target, rest: &str) -> String {
    let file = target.kubeconfig.as_ref();
    let file = file.map(|file| format!("--kubeconfig {} ", file.display()));
    let context = target.context.as_ref();
    let context = context.map(|context| format!("--context {context} "));
    let (file, context) = (file.unwrap_or_default(), context.unwrap_or_default());
    format!("`kubectl {file}{context}{rest}`")
}

fn login(target: &Target) -> String {
    let get = kubectl(target, "get --raw /version");
    format!("log in anew, until {get} works here without a question")
}

/// What to do about a fault of an API server.
pub(super) fn on(fault: &Fault, target: &Target) -> String {
    let version = kubectl(target, "version");
    match fault.kind {
        FaultKind::LoginNeeded => login(target),
        FaultKind::Unreachable => {
            format!("is the VPN up, are HTTPS_PROXY and NO_PROXY right? {version} must work here")
        }
        FaultKind::Slow => format!("try --timeout with more seconds; does {version} answer?"),
        FaultKind::Tls => {
            "get the kubeconfig anew, or set this machine's clock; never switch the check off"
                .into()
        }
        FaultKind::Malformed => "is there a proxy or login page between? See NO_PROXY".into(),
        FaultKind::Forbidden | FaultKind::Missing => format!("does {version} work here?"),
        FaultKind::Busy | FaultKind::Server | FaultKind::Expired | FaultKind::Stopped => {
            "ask again in a minute; if it stays, tell whoever runs the API server".into()
        }
        FaultKind::Config => "correct the kubeconfig".into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::estate::Verdict;

    #[test]
    fn k15_a_version_is_compared_with_what_is_needed_and_what_was_tried() {
        let verdict = |version: &str| version_of("h:1", version);
        assert!(matches!(verdict("v1.22.17").verdict, Verdict::Bad(_)));
        assert!(verdict("v1.31+").verdict.is_ok());
        assert!(verdict("v1.40.0").value.contains("newer than"));
        assert!(verdict("").verdict.is_ok());
    }

    #[test]
    fn n04_clocks_that_differ_are_bad_and_a_missing_date_is_unknown() {
        let now = Timestamp::from_second(1_795_464_000).unwrap();
        let at = |second: i64| Timestamp::from_second(1_795_464_000 + second).ok();
        assert!(skew(at(1), now).verdict.is_ok());
        assert!(matches!(skew(at(-300), now).verdict, Verdict::Bad(_)));
        assert!(matches!(skew(None, now).verdict, Verdict::Unknown(_)));
    }

    #[test]
    fn an_end_that_is_near_or_past_is_bad() {
        let now = Timestamp::from_second(1_795_464_000).unwrap();
        let end = |left: i64, soon| {
            let end = Timestamp::from_second(1_795_464_000 + left).ok();
            ending("credential", "token", end, soon, now, "log in")
        };
        assert!(end(30 * 86_400, MONTHS).verdict.is_ok());
        let soon = end(2 * 86_400, MONTHS);
        assert!(soon.found().contains("ends in 2d"), "{soon:?}");
        assert!(matches!(soon.verdict, Verdict::Bad(_)));
        assert!(end(3_000, HOURS).verdict.is_ok());
        assert!(matches!(end(500, HOURS).verdict, Verdict::Bad(_)));
        assert!(end(5, 0).verdict.is_ok());
        assert!(matches!(end(-10, 0).verdict, Verdict::Bad(_)));
    }
}
