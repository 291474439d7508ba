//! The gates that a policy demands, whatever the configuration of a bastion says: that may only add to them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::gates::{Fit, GateScope, Query, Quiet, Traffic};
use super::super::{Estate, OnFailure, Safe, Soak};
use super::NAME;

/// Seconds that a policy may demand a cutover to be watched: a day, as the configuration may.
const LONGEST: u64 = 86_400;
/// The longest name of a query.
const NAME_LENGTH: usize = 63;

/// What is demanded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Demanded {
    /// A smoke test of what is there.
    pub smoke: bool,
    /// A green run of the commit.
    pub ci: bool,
    /// A reason for what traffic was brought back from.
    pub returned: bool,
    /// How many restarts a soak bears at most.
    pub restarts: Option<u32>,
    /// Traffic stays when a soak fails, and a person is called.
    pub holds: bool,
    /// Seconds that a cutover is watched at least.
    pub soak_s: u64,
    /// Alerts whose labels fit one of these are gates.
    pub alerts: Vec<Fit>,
    /// Queries that are gates.
    pub queries: Vec<Query>,
    /// No closed gate is passed over, whatever the reason.
    pub is_strict: bool,
}

/// As the ConfigMap spells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    smoke: Option<bool>,
    ci: Option<bool>,
    returned: Option<bool>,
    restarts: Option<u32>,
    on_failure: Option<OnFailureSaid>,
    soak: Option<u64>,
    alerts: Option<Vec<BTreeMap<String, Values>>>,
    queries: Option<Vec<QuerySaid>>,
    overrides: Option<bool>,
}

/// To go back by itself is the lesser demand: it asks for nothing.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnFailureSaid {
    Hold,
    Return,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or an array of texts")]
enum Values {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuerySaid {
    name: String,
    query: String,
    below: Option<f64>,
    above: Option<f64>,
    requests: Option<String>,
    min_requests: Option<f64>,
    quiet: Option<Quiet>,
}

/// What the value of `key` demands.
///
/// # Errors
/// What in it cannot be understood, and what was expected.
pub(super) fn read(key: &str, value: &str) -> Result<Demanded, Safe> {
    let demanded = serde_json::from_str::<Said>(value)
        .map_err(|error| error.to_string())
        .and_then(demanded);
    demanded.map_err(|why| {
        format!(
            "key `{key}` of ConfigMap {NAME} demands no gates ({why}): expected JSON such as \
             {{\"smoke\":true,\"soak\":600,\"alerts\":[{{\"severity\":\"critical\"}}],\
             \"queries\":[{{\"name\":\"errors\",\"query\":\"…\",\"below\":0.05}}],\"overrides\":false}}"
        )
        .into()
    })
}

fn demanded(said: Said) -> Result<Demanded, String> {
    let soak_s = said.soak.unwrap_or(0);
    if soak_s > LONGEST {
        return Err(format!("`soak` is {soak_s}: at most {LONGEST} seconds"));
    }
    let alerts = said.alerts.unwrap_or_default().into_iter().map(fit);
    let queries = said.queries.unwrap_or_default().into_iter().map(query);
    let queries = queries.collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(twin) = queries.iter().find(|query| !names.insert(&query.name)) {
        return Err(format!("two queries are called {:?}", twin.name));
    }
    Ok(Demanded {
        smoke: said.smoke.unwrap_or(false),
        ci: said.ci.unwrap_or(false),
        returned: said.returned.unwrap_or(false),
        restarts: said.restarts,
        holds: matches!(said.on_failure, Some(OnFailureSaid::Hold)),
        soak_s,
        alerts: alerts.collect::<Result<_, _>>()?,
        queries,
        is_strict: said.overrides == Some(false),
    })
}

fn fit(labels: BTreeMap<String, Values>) -> Result<Fit, String> {
    if labels.is_empty() {
        return Err("`alerts` has one without labels: every alert would be a gate".to_owned());
    }
    let values = |(label, values): (String, Values)| {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        match values.is_empty() {
            true => Err(format!("`alerts` has no value for label {label:?}")),
            false => Ok((label.into(), values.into_iter().map(Safe::from).collect())),
        }
    };
    Ok(Fit(labels
        .into_iter()
        .map(values)
        .collect::<Result<_, _>>()?))
}

fn query(said: QuerySaid) -> Result<Query, String> {
    let name = said.name.trim();
    let expression = one_line(&said.query);
    let is_name =
        !name.is_empty() && name.len() <= NAME_LENGTH && !name.contains(char::is_whitespace);
    if !is_name || expression.is_empty() {
        return Err(format!(
            "a query needs a name without blanks, of at most {NAME_LENGTH} characters, and PromQL in `query`"
        ));
    }
    if said.below.is_none() && said.above.is_none() {
        return Err(format!("query {name:?} has neither `below` nor `above`"));
    }
    let traffic = match (said.requests, said.min_requests) {
        (Some(requests), Some(least)) => Some(Traffic {
            expression: one_line(&requests).into(),
            least,
            quiet: said.quiet.unwrap_or(Quiet::Extend),
        }),
        (None, None) if said.quiet.is_none() => None,
        _ => {
            return Err(format!(
                "query {name:?} needs `requests` and `min_requests`, both, for its traffic"
            ));
        }
    };
    Ok(Query {
        name: name.into(),
        expression: expression.into(),
        below: said.below,
        above: said.above,
        traffic,
    })
}

fn fewer(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Demanded {
    /// Both of what is demanded.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            smoke: self.smoke || other.smoke,
            ci: self.ci || other.ci,
            returned: self.returned || other.returned,
            restarts: fewer(self.restarts, other.restarts),
            holds: self.holds || other.holds,
            soak_s: self.soak_s.max(other.soak_s),
            alerts: [self.alerts, other.alerts].concat(),
            queries: joined(self.queries, &other.queries),
            is_strict: self.is_strict || other.is_strict,
        }
    }

    /// Whether monitoring is to be asked.
    pub fn asks_monitoring(&self) -> bool {
        !self.alerts.is_empty() || !self.queries.is_empty()
    }
}

/// `queries`, and those of `more` that are not among them; of two that share a name and nothing else, the later one is
/// called by another.
fn joined(mut queries: Vec<Query>, more: &[Query]) -> Vec<Query> {
    for query in more {
        if queries.contains(query) {
            continue;
        }
        let mut name = query.name.clone();
        while queries.iter().any(|it| it.name == name) {
            name = format!("{name}'").into();
        }
        queries.push(Query {
            name,
            ..query.clone()
        });
    }
    queries
}

impl GateScope {
    /// With what a policy demands besides: its names stand, a query of the configuration gives way.
    #[must_use]
    pub fn with(&self, demanded: &Demanded) -> Self {
        let more = demanded
            .alerts
            .iter()
            .filter(|fit| !self.alerts.contains(fit));
        Self {
            alerts: self.alerts.iter().chain(more).cloned().collect(),
            queries: joined(demanded.queries.clone(), &self.queries),
            ..self.clone()
        }
    }
}

impl Estate {
    /// What the policy demands of gates, as far as it was read. Where it was not ([`Estate::unread`]) nothing moves forward.
    pub fn demanded(&self) -> Demanded {
        match self.terms() {
            Some(Ok(terms)) => terms.gates.unwrap_or_default(),
            Some(Err(_)) | None => Demanded::default(),
        }
    }

    /// Whether a cutover demands a smoke test of what is there, by the configuration or the policy.
    pub fn needs_smoke(&self) -> bool {
        self.scope.needs_smoke || self.demanded().smoke
    }

    /// Whether what traffic was brought back from goes live again only with a reason.
    pub fn holds_returned(&self) -> bool {
        self.scope.holds_returned || self.demanded().returned
    }

    /// How long a cutover is watched, and what follows; the policy may demand more seconds.
    pub fn soak(&self) -> Soak {
        let (own, demanded) = (self.scope.soak, self.demanded());
        Soak {
            watch_s: own.watch_s.max(demanded.soak_s),
            is_unsaid: own.is_unsaid && demanded.soak_s == 0,
            restarts: fewer(own.restarts, demanded.restarts),
            on_failure: match demanded.holds {
                true => OnFailure::Hold,
                false => own.on_failure,
            },
        }
    }

    /// Makes gates of what the policy demands, once it was seen: monitoring is asked for those too.
    pub fn tighten(&mut self) {
        // What cannot be understood takes nothing back.
        if self.policies.listed
            && !matches!(self.terms(), Some(Err(_)))
            && let demanded = self.demanded()
            && let Some(alerts) = &mut self.alerts
            && !alerts.is_settled
        {
            alerts.scope.gates = alerts.configured.with(&demanded);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_demanded_is_read_and_added_to_what_is_configured() {
        let said = r#"{"smoke": true, "soak": 600, "overrides": false,
            "alerts": [{"severity": ["critical", "page"], "team": "wall"}],
            "queries": [{"name": "errors", "query": "sum(\n x)", "below": 0.05, "requests": "sum(y)", "min_requests": 50,
                         "quiet": "hold"}]}"#;
        let demanded = read("gates", said).unwrap();
        assert!(demanded.smoke && demanded.is_strict && demanded.asks_monitoring());
        assert_eq!(demanded.soak_s, 600);
        assert_eq!(
            demanded.alerts[0].to_string(),
            "severity=critical|page team=wall"
        );
        let query = &demanded.queries[0];
        assert_eq!(
            (query.expression.as_str(), query.below),
            ("sum( x)", Some(0.05))
        );
        assert_eq!(query.traffic.as_ref().unwrap().quiet, Quiet::Hold);

        let own = GateScope {
            queries: vec![
                Query {
                    below: Some(0.5),
                    ..query.clone()
                },
                Query {
                    name: "latency".into(),
                    ..query.clone()
                },
            ],
            ..GateScope::default()
        };
        let both = own.with(&demanded);
        assert_eq!(
            both.alerts_in_words(),
            "severity=critical or severity=critical|page team=wall"
        );
        let names: Vec<_> = both
            .queries
            .iter()
            .map(|q| (q.name.as_str(), q.below))
            .collect();
        assert_eq!(
            names,
            [
                ("errors", Some(0.05)),
                ("errors'", Some(0.5)),
                ("latency", Some(0.05))
            ],
            "the laxer one of the same name does not take the place of the policy's"
        );
        assert_eq!(
            both.with(&demanded).alerts,
            both.alerts,
            "nothing stands twice"
        );
    }

    #[test]
    fn what_is_not_understood_is_said_and_demands_nothing_less() {
        for (said, why) in [
            ("yes", "expected value"),
            (r#"{"smok": true}"#, "smok"),
            (r#"{"soak": 90000}"#, "at most 86400"),
            (r#"{"soak": -1}"#, "-1"),
            (r#"{"alerts": [{}]}"#, "without labels"),
            (r#"{"alerts": [{"severity": []}]}"#, "no value"),
            (
                r#"{"queries": [{"name": "e", "query": "x"}]}"#,
                "neither `below` nor `above`",
            ),
            (
                r#"{"queries": [{"name": " ", "query": "x", "below": 1}]}"#,
                "needs a name",
            ),
            (
                r#"{"queries": [{"name": "e", "query": "x", "below": 1, "quiet": "pass"}]}"#,
                "`min_requests`",
            ),
            (
                r#"{"queries": [{"name": "e", "query": "x", "below": 1}, {"name": "e", "query": "y", "below": 1}]}"#,
                "two queries",
            ),
        ] {
            let wrong = read("gates.shop", said).unwrap_err();
            assert!(
                wrong.contains(why) && wrong.contains("key `gates.shop`"),
                "{said}: {wrong}"
            );
        }
    }
}
