//! Prometheus: rules with their alerts, scrape targets, and expressions over time.
//!
//! Replicas are asked at once and what they say is merged (`merge`); one that is missing becomes a
//! gap, all that are missing a fault. By URL the questions go through `prometheus-http-query`; its
//! answers are read here (`wire`), because its models are stricter than servers are, and drop warnings.

mod merge;
mod wire;

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use prometheus_http_query::{Client, RuleKind};

use super::http::{Reply, Site, Target, Way, is_no_route, partly, sites, take};
use super::kubernetes::{Cluster, fault};
use crate::estate::alerts::{RulesSeen, Targets, belongs};
use crate::estate::chart::{Chart, Measured};
use crate::estate::safe::LIMIT;
use crate::estate::spells::{REACH_SECONDS, STEP_SECONDS, Spells};
use crate::estate::{Fault, FaultKind, Labels, Safe};

/// What Prometheus writes down of every alert that fires, up to what narrows it.
const FIRED: &str = r#"ALERTS{alertstate="firing""#;
/// Bytes of an expression that an address holds for certain: escaped they may be thrice as many.
const LONG: usize = 2 << 10;
/// Points of a chart.
const POINTS: i64 = 60;

/// A Prometheus, or several that watch the same.
#[derive(Debug)]
pub struct Prometheus {
    sites: Vec<Site>,
}

/// What is asked.
enum Question<'a> {
    Rules,
    Targets,
    Now(&'a str),
    Over {
        expression: &'a str,
        start: i64,
        end: i64,
        step: u32,
    },
}

impl Prometheus {
    /// Of that configuration; nothing is read or asked yet.
    pub fn new(target: &Target) -> Self {
        Self {
            sites: sites(target),
        }
    }

    /// Each replica and its version; none where it answers and does not tell (older Thanos, Mimir).
    pub async fn versions(
        &self,
        cluster: Option<&Cluster>,
        limit: Duration,
    ) -> Vec<(Safe, Result<Option<Safe>, Fault>)> {
        let path = "/api/v1/status/buildinfo";
        join_all(self.sites.iter().map(async |site| {
            let asked = site.ask(cluster, Method::GET, path, Vec::new(), limit);
            let version = asked.await.and_then(|reply| {
                let answer = site.read::<wire::Answer<wire::Built>>(&reply)?;
                answer.version(&site.name)
            });
            (Safe::new(&site.name), version)
        }))
        .await
    }

    /// The alerting rules with their alerts, of every replica.
    ///
    /// # Errors
    /// Where no replica answers: what the first says.
    pub async fn rules(
        &self,
        cluster: Option<&Cluster>,
        limit: Duration,
    ) -> Result<RulesSeen, Fault> {
        let answers = join_all(self.sites.iter().map(async |site| {
            let reply = ask(site, cluster, &Question::Rules, limit).await;
            let rules = reply.and_then(|reply| {
                let answer = site.read::<wire::Answer<wire::Groups>>(&reply)?;
                answer.rules(&site.name, reply.server)
            });
            (site.name.as_str(), rules)
        }));
        let (answers, missing) = partly(answers.await)?;
        let mut seen = merge::rules(answers);
        seen.gaps.extend(missing);
        Ok(seen)
    }

    /// The scrape targets, of every replica that answers; none where those that do have no list of them, as Mimir.
    /// `is_ours` says of a target's labels whether it counts.
    ///
    /// # Errors
    /// Where no replica answers: what the first says.
    pub async fn targets(
        &self,
        cluster: Option<&Cluster>,
        is_ours: impl Fn(&Labels) -> bool,
        limit: Duration,
    ) -> Result<Option<Targets>, Fault> {
        let answers = join_all(self.sites.iter().map(async |site| {
            let targets = match ask(site, cluster, &Question::Targets, limit).await {
                Ok(reply) => (site.read::<wire::Answer<wire::ActiveTargets>>(&reply))
                    .and_then(|answer| answer.targets(&site.name, &is_ours).map(Some)),
                Err(fault) if is_no_route(&fault) => Ok(None),
                Err(fault) => Err(fault),
            };
            (site.name.as_str(), targets)
        }));
        let told: Vec<_> = partly(answers.await)?.0.into_iter().flatten().collect();
        Ok((!told.is_empty()).then(|| merge::targets(told)))
    }

    /// The value of an expression now, by the server's clock.
    ///
    /// # Errors
    /// What the server says of the expression, or why there is no answer.
    pub async fn query(
        &self,
        cluster: Option<&Cluster>,
        expression: &str,
        limit: Duration,
    ) -> Result<Measured, Fault> {
        whole(expression)?;
        let mut faults = Vec::new();
        for site in &self.sites {
            match value_of(site, cluster, expression, limit).await {
                Ok(measured) => return Ok(measured),
                Err(fault) => faults.push(fault),
            }
        }
        Err(first(faults))
    }

    /// The expression over the `span` that ends now by the server's clock, in 60 steps. Of several
    /// replicas the first that answers is believed; each has the whole.
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub async fn chart(
        &self,
        cluster: Option<&Cluster>,
        expression: &str,
        span: Duration,
        limit: Duration,
    ) -> Result<Chart, Fault> {
        whole(expression)?;
        let mut faults = Vec::new();
        for site in &self.sites {
            match chart_of(site, cluster, expression, span, limit).await {
                Ok(chart) => return Ok(chart),
                Err(fault) => faults.push(fault),
            }
        }
        Err(first(faults))
    }

    /// When alerts fired in the last hours, by the server's clock, of the first replica that answers.
    /// Those count that concern the environment of `ours`, and no others are asked for: a Prometheus may be many people's.
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub async fn spells(
        &self,
        cluster: Option<&Cluster>,
        ours: &Labels,
        limit: Duration,
    ) -> Result<Spells, Fault> {
        let mut first = None;
        let expression = fired(ours);
        // No closure as for charts: a future with a borrowed one in it cannot be spawned.
        for site in &self.sites {
            match spells(site, cluster, &expression, limit).await {
                Ok((mut spells, until, warnings)) => {
                    spells.retain(|spell| belongs(&spell.labels, ours));
                    return Ok(Spells::of(spells, until, warnings));
                }
                Err(fault) => first.get_or_insert(fault),
            };
        }
        Err(first.unwrap_or_else(|| fault::words(FaultKind::Config, "no Prometheus is configured")))
    }
}

/// What the first replica says, where none answers. A refused expression is refused by all.
fn first(faults: Vec<Fault>) -> Fault {
    let none = || fault::words(FaultKind::Config, "no Prometheus is configured");
    faults.into_iter().next().unwrap_or_else(none)
}

async fn value_of(
    site: &Site,
    cluster: Option<&Cluster>,
    expression: &str,
    limit: Duration,
) -> Result<Measured, Fault> {
    let reply = ask(site, cluster, &Question::Now(expression), limit).await?;
    site.read::<wire::Answer<wire::Result>>(&reply)?
        .measured(&site.name)
}

async fn chart_of(
    site: &Site,
    cluster: Option<&Cluster>,
    expression: &str,
    span: Duration,
    limit: Duration,
) -> Result<Chart, Fault> {
    // A bastion's clock that is wrong by minutes would move the window, or empty it.
    let end = server_time(site, cluster, limit).await?;
    let span = i64::try_from(span.as_secs())
        .unwrap_or(i64::MAX)
        .clamp(POINTS, 366 * 86_400);
    let step = u32::try_from(span / POINTS).unwrap_or(1);
    let start = end - i64::from(step) * POINTS;
    let question = Question::Over {
        expression,
        start,
        end,
        step,
    };
    let reply = ask(site, cluster, &question, limit).await?;
    let answer = site.read::<wire::Answer<wire::Result>>(&reply)?;
    let points = usize::try_from(POINTS + 1).unwrap_or(1);
    answer.chart(&site.name, start, step, points)
}

/// What Prometheus writes down of alerts that fire and carry the labels of `ours`, or lack them.
fn fired(ours: &Labels) -> String {
    let mut expression = FIRED.to_owned();
    for (label, value) in ours.iter() {
        let mut exact = String::new();
        for c in value.chars() {
            if r"\.+*?()|[]{}^$".contains(c) {
                exact.push('\\');
            }
            exact.push(c);
        }
        // Strings are quoted as in JSON.
        let pattern = serde_json::Value::from(exact + "|");
        expression += &format!(",{label}=~{pattern}");
    }
    expression + "}"
}

/// When alerts fired in the last hours, until when that was looked at, and warnings.
async fn spells(
    site: &Site,
    cluster: Option<&Cluster>,
    expression: &str,
    limit: Duration,
) -> Result<wire::SpellsRead, Fault> {
    let end = server_time(site, cluster, limit).await?;
    let start = end - i64::from(REACH_SECONDS);
    let question = Question::Over {
        expression,
        start,
        end,
        step: STEP_SECONDS,
    };
    let reply = ask(site, cluster, &question, limit).await?;
    let answer = site.read::<wire::Answer<wire::Result>>(&reply)?;
    answer.spells(&site.name, (start, end))
}

/// What was cut at ingest cannot be asked.
fn whole(expression: &str) -> Result<(), Fault> {
    let is_cut = expression.len() + 16 > LIMIT && expression.ends_with('…');
    match is_cut {
        true => Err(fault::words(
            FaultKind::Malformed,
            "the expression is too long to be shown",
        )),
        false => Ok(()),
    }
}

/// The server's own clock, in whole seconds: a Date header may be that of a proxy.
async fn server_time(
    site: &Site,
    cluster: Option<&Cluster>,
    limit: Duration,
) -> Result<i64, Fault> {
    let reply = ask(site, cluster, &Question::Now("time()"), limit).await?;
    let answer = site.read::<wire::Answer<wire::Result>>(&reply)?;
    let measured = answer.measured(&site.name)?;
    let seconds = measured.samples.first().and_then(|sample| sample.number);
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a clock")]
    let seconds = seconds.map(|seconds| seconds as i64);
    (seconds.filter(|s| Timestamp::from_second(*s).is_ok())).ok_or_else(|| {
        let what = format_args!("{} does not tell its time", site.name);
        fault::words(FaultKind::Malformed, what)
    })
}

async fn ask(
    site: &Site,
    cluster: Option<&Cluster>,
    question: &Question<'_>,
    limit: Duration,
) -> Result<Reply, Fault> {
    let reply = match site.way(cluster).await? {
        Way::Direct(http, base) => {
            let client =
                Client::from(http, base).map_err(|e| fault::words(FaultKind::Config, e))?;
            by_url(site, &client, question, limit).await
        }
        Way::Proxied(cluster, prefix) => {
            let path = format!("{prefix}{}", question.path());
            site.proxied(cluster, Method::GET, &path, Vec::new(), limit)
                .await
        }
    };
    site.accept(reply?)
}

/// Asks by GET, which those who may only read are allowed: POST is `create` for a gateway that asks the cluster who may.
/// Long expressions do not fit into an address: those go by POST.
async fn by_url(
    site: &Site,
    client: &Client,
    question: &Question<'_>,
    limit: Duration,
) -> Result<Reply, Fault> {
    let patience = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    match *question {
        Question::Rules => {
            let rules = client.rules().kind(RuleKind::Alerting);
            take(site, limit, rules.get_raw()).await
        }
        Question::Targets => {
            // The crate has no raw form of it.
            let base = client.base_url().as_str().trim_end_matches('/');
            let request = client.inner().get(format!("{base}{}", question.path()));
            take(site, limit, request.send()).await
        }
        Question::Now(expression) => {
            let query = client.query(expression).timeout(patience);
            match expression.len() > LONG {
                false => take(site, limit, query.get_raw()).await,
                true => take(site, limit, query.post_raw()).await,
            }
        }
        Question::Over {
            expression,
            start,
            end,
            step,
        } => {
            let query = client.query_range(expression, start, end, f64::from(step));
            let query = query.timeout(patience);
            match expression.len() > LONG {
                false => take(site, limit, query.get_raw()).await,
                true => take(site, limit, query.post_raw()).await,
            }
        }
    }
}

impl Question<'_> {
    /// Path and query, for the API server's proxy: GET only, which viewers may be allowed.
    fn path(&self) -> String {
        let with = |path: &str, pairs: &[(&str, String)]| {
            let url = reqwest::Url::parse_with_params("http://here", pairs);
            let query = url.ok().and_then(|url| url.query().map(str::to_owned));
            format!("/api/v1/{path}?{}", query.unwrap_or_default())
        };
        match self {
            Self::Rules => with("rules", &[("type", "alert".into())]),
            Self::Targets => with("targets", &[("state", "active".into())]),
            Self::Now(expression) => with("query", &[("query", (*expression).into())]),
            Self::Over {
                expression,
                start,
                end,
                step,
            } => with(
                "query_range",
                &[
                    ("query", (*expression).into()),
                    ("start", start.to_string()),
                    ("end", end.to_string()),
                    ("step", step.to_string()),
                ],
            ),
        }
    }
}

/// Warnings of a server, with its name where there are several.
fn named(site: &str, warning: &str) -> Safe {
    Safe::new(&format!("{site}: {warning}"))
}
