//! The actions of scenarios and of the fault menu: names, parameters, and what each means.

use super::faults::{Effect, Victims};
use super::scenario::duration;
use super::tree;
use super::trouble::{Ailment, Patients};
use serde_json::{Value, json};

/// Something that a scenario or a person does to the estate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    SetImage {
        namespace: String,
        deployment: String,
        image: String,
        manager: String,
    },
    Scale {
        namespace: String,
        deployment: String,
        replicas: i64,
    },
    Flip {
        namespace: String,
        to: String,
        manager: String,
    },
    DeletePod {
        namespace: String,
        deployment: String,
        count: usize,
    },
    Load {
        percent: i64,
    },
    Ail {
        ailment: Ailment,
        patients: Patients,
        lasting: Option<i64>,
    },
    Heal {
        patients: Patients,
    },
    Away {
        lasting: i64,
    },
    Fault {
        effect: Effect,
        victims: Victims,
        lasting: i64,
    },
    ExpireWatches,
    DropWatches,
    CloseWatches,
}

/// The catalogue: name, what it does, and an example whose keys are those allowed.
const CATALOGUE: [(&str, &str, &str); 18] = [
    (
        "set-image",
        "Rolls a Deployment to another image; a new one where none is named",
        r#"{"namespace": "production", "deployment": "digital-wall-green-backend", "image": "", "manager": "helm"}"#,
    ),
    (
        "scale",
        "Sets the replicas of a Deployment",
        r#"{"namespace": "production", "deployment": "digital-wall-green-frontend", "replicas": 5}"#,
    ),
    (
        "flip",
        "Puts the live Services to a colour, the other one where none is named, as a given manager",
        r#"{"namespace": "production", "to": "", "manager": "argocd-controller"}"#,
    ),
    (
        "delete-pod",
        "Deletes pods of a Deployment",
        r#"{"namespace": "production", "deployment": "digital-wall-blue-frontend", "count": 1}"#,
    ),
    (
        "load",
        "Sets the traffic to a percentage of the usual",
        r#"{"percent": 250}"#,
    ),
    (
        "crash",
        "Ends containers soon after they start: reason error or oom",
        r#"{"namespace": "production", "deployment": "digital-wall-green-backend", "image": "", "count": 1, "reason": "error", "after": "4s", "times": 3, "for": "5m"}"#,
    ),
    (
        "image-pull-failure",
        "Makes pulls of the image fail",
        r#"{"namespace": "production", "deployment": "digital-wall-green-frontend", "image": "", "count": 1, "for": "5m"}"#,
    ),
    (
        "readiness-failure",
        "Answers readiness probes with 503",
        r#"{"namespace": "production", "deployment": "digital-wall-green-backend", "image": "", "count": 1, "for": "5m"}"#,
    ),
    (
        "unschedulable",
        "Leaves new pods pending for want of CPU",
        r#"{"namespace": "production", "deployment": "digital-wall-green-frontend", "image": "", "count": 1, "for": "5m"}"#,
    ),
    (
        "heal",
        "Ends what ails the pods of a Deployment, or of all; and the faults of the API",
        r#"{"namespace": "", "deployment": ""}"#,
    ),
    (
        "away",
        "Refuses every connection to the API",
        r#"{"for": "30s"}"#,
    ),
    (
        "status",
        "Answers with a status, after applying the request or without",
        r#"{"code": 503, "verbs": ["patch"], "resource": "services", "times": 1, "retry-after": 2, "applied": false, "for": "30s"}"#,
    ),
    (
        "slow",
        "Answers late",
        r#"{"ms": 3000, "verbs": [], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "html",
        "Answers 200 with an HTML page",
        r#"{"verbs": ["list"], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "truncate",
        "Cuts the answer's body in half",
        r#"{"verbs": ["list"], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "cut",
        "Ends the connection without an answer, after applying the request or without",
        r#"{"verbs": ["patch"], "resource": "services", "times": 1, "applied": true, "for": "30s"}"#,
    ),
    (
        "expire-watches",
        "Forgets history: watches and pages are answered 410",
        "{}",
    ),
    ("drop-watches", "Leaves the open watches silent", "{}"),
];

/// Kept apart from the catalogue's table for its length only.
const CLOSE: (&str, &str, &str) = ("close-watches", "Ends the open watches", "{}");

fn catalogue() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    CATALOGUE.into_iter().chain([CLOSE])
}

/// The menu: each action with its description and an example to send.
pub(super) fn menu() -> Value {
    let items = catalogue().map(|(name, description, example)| {
        let mut example: Value = serde_json::from_str(example).unwrap_or_else(|_| json!({}));
        tree::set(&mut example, "/do", name);
        json!({"name": name, "description": description, "example": example})
    });
    Value::Array(items.collect())
}

impl Action {
    /// Reads `{"do": name, parameters…}`; `status:503` and `slow:250` are short for their parameter.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let said = tree::text(value, "/do");
        let (name, short) = said.split_once(':').unwrap_or((said, ""));
        let Some((_, _, example)) = catalogue().find(|(known, ..)| *known == name) else {
            let known: Vec<&str> = catalogue().map(|(name, ..)| name).collect();
            return Err(format!(
                "\"do\" names no action: {said:?}; known are {}",
                known.join(", ")
            ));
        };
        let example: Value = serde_json::from_str(example).unwrap_or_else(|_| json!({}));
        let params = Params { value, short };
        params.check(name, &example)?;
        params.action(name)
    }
}

struct Params<'a> {
    value: &'a Value,
    short: &'a str,
}

impl Params<'_> {
    fn check(&self, name: &str, example: &Value) -> Result<(), String> {
        let keys = self
            .value
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys());
        let is_known = |key: &&String| {
            ["do", "at", "every"].contains(&key.as_str()) || example.get(key.as_str()).is_some()
        };
        match keys.into_iter().find(|key| !is_known(key)) {
            Some(key) => Err(format!(
                "{name} has no parameter {key:?}; an example is {example}"
            )),
            None => Ok(()),
        }
    }

    fn action(&self, name: &str) -> Result<Action, String> {
        let (namespace, deployment) = (
            self.text("namespace", "production"),
            self.text("deployment", ""),
        );
        let manager = self.text("manager", "helm");
        let named = || {
            if deployment.is_empty() {
                Err(format!("{name} needs a deployment"))
            } else {
                Ok(deployment.clone())
            }
        };
        let pods = |ailment| {
            Ok(Action::Ail {
                ailment,
                patients: self.patients()?,
                lasting: self.lasting()?,
            })
        };
        let fault = |effect| {
            Ok(Action::Fault {
                effect,
                victims: self.victims()?,
                lasting: self.lasting()?.unwrap_or(30_000),
            })
        };
        let is_applied = self.value["applied"] == true;
        match name {
            "set-image" => Ok(Action::SetImage {
                namespace,
                deployment: named()?,
                image: self.text("image", ""),
                manager,
            }),
            "scale" => Ok(Action::Scale {
                namespace,
                deployment: named()?,
                replicas: self.number("replicas")?.unwrap_or(1),
            }),
            "flip" => Ok(Action::Flip {
                namespace,
                to: self.text("to", ""),
                manager,
            }),
            "delete-pod" => Ok(Action::DeletePod {
                namespace,
                deployment: named()?,
                count: self.count()?.unwrap_or(1),
            }),
            "load" => Ok(Action::Load {
                percent: self.number("percent")?.unwrap_or(200),
            }),
            "crash" => pods(self.crash()?),
            "image-pull-failure" => pods(Ailment::Pull),
            "readiness-failure" => pods(Ailment::Unready),
            "unschedulable" => pods(Ailment::Unschedulable),
            "heal" => Ok(Action::Heal {
                patients: Patients {
                    namespace: self.text("namespace", ""),
                    deployment,
                    ..Patients::default()
                },
            }),
            "away" => Ok(Action::Away {
                lasting: self.lasting()?.unwrap_or(30_000),
            }),
            "status" => {
                let code = self.number("code")?.or_else(|| self.short.parse().ok());
                let code = code
                    .and_then(|code| u16::try_from(code).ok())
                    .filter(|code| (400..600).contains(code));
                let retry_after = self
                    .number("retry-after")?
                    .and_then(|seconds| u64::try_from(seconds).ok());
                fault(Effect::Status {
                    code: code.ok_or("status needs a code of 400 to 599")?,
                    retry_after,
                    is_applied,
                })
            }
            "slow" => {
                let late = self.number("ms")?.or_else(|| self.short.parse().ok());
                fault(Effect::Slow(
                    late.and_then(|ms| u64::try_from(ms).ok())
                        .ok_or("slow needs ms")?,
                ))
            }
            "html" => fault(Effect::Html),
            "truncate" => fault(Effect::Truncate),
            "cut" => fault(Effect::Cut { is_applied }),
            "expire-watches" => Ok(Action::ExpireWatches),
            "drop-watches" => Ok(Action::DropWatches),
            _ => Ok(Action::CloseWatches),
        }
    }

    fn text(&self, key: &str, default: &str) -> String {
        self.value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or(default)
            .to_owned()
    }

    fn number(&self, key: &str) -> Result<Option<i64>, String> {
        match self.value.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| format!("{key:?} is no whole number")),
        }
    }

    fn count(&self) -> Result<Option<usize>, String> {
        Ok(self
            .number("count")?
            .and_then(|count| usize::try_from(count).ok()))
    }

    fn times(&self) -> Result<Option<u32>, String> {
        Ok(self
            .number("times")?
            .and_then(|times| u32::try_from(times).ok()))
    }

    fn lasting(&self) -> Result<Option<i64>, String> {
        match self.value.get("for") {
            None => Ok(None),
            Some(value) => {
                let lasting = value.as_str().and_then(duration);
                lasting
                    .map(Some)
                    .ok_or_else(|| "\"for\" is no duration such as \"30s\"".to_owned())
            }
        }
    }

    fn crash(&self) -> Result<Ailment, String> {
        let is_oom = match self.text("reason", "error").as_str() {
            "oom" => true,
            "error" => false,
            other => {
                return Err(format!(
                    "a crash is for \"error\" or \"oom\", not {other:?}"
                ));
            }
        };
        let after = duration(&self.text("after", "4s")).ok_or("\"after\" is no duration")?;
        Ok(Ailment::Crash {
            is_oom,
            after,
            times: self.times()?,
        })
    }

    fn patients(&self) -> Result<Patients, String> {
        Ok(Patients {
            namespace: self.text("namespace", "production"),
            deployment: self.text("deployment", ""),
            image: self.text("image", ""),
            count: self.count()?,
        })
    }

    fn victims(&self) -> Result<Victims, String> {
        let verbs = tree::list(self.value, "/verbs")
            .iter()
            .filter_map(|verb| verb.as_str().map(str::to_owned));
        Ok(Victims {
            verbs: verbs.collect(),
            resource: self.text("resource", ""),
            times: self.times()?,
        })
    }
}
