//! The actions of scenarios and of the fault menu: names, parameters, and what each means.

use super::catalogue::catalogue;
use super::faults::{Effect, Side, Victims};
use super::github::Push;
use super::monitoring::Twist;
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
        side: Side,
        effect: Effect,
        victims: Victims,
        lasting: i64,
    },
    ExpireWatches,
    DropWatches,
    CloseWatches,
    Push(Push),
    Metric {
        twist: Twist,
        lasting: Option<i64>,
    },
    /// Prometheus stops evaluating its rules.
    Stall {
        lasting: i64,
    },
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
                side: Side::Kubernetes,
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
            "status" => fault(self.status()?),
            "slow" => fault(self.slow()?),
            "html" => fault(Effect::Html),
            "truncate" => fault(Effect::Truncate),
            "cut" => fault(Effect::Cut { is_applied }),
            "expire-watches" => Ok(Action::ExpireWatches),
            "drop-watches" => Ok(Action::DropWatches),
            "close-watches" => Ok(Action::CloseWatches),
            name => self.outside(name),
        }
    }

    /// What happens outside of the cluster: at GitHub, and in monitoring.
    fn outside(&self, name: &str) -> Result<Action, String> {
        let lasting = self.lasting()?;
        let fault = |side, effect| {
            Ok(Action::Fault {
                side,
                effect,
                victims: self.victims()?,
                lasting: lasting.unwrap_or(30_000),
            })
        };
        match name {
            "push" => Ok(Action::Push(self.push())),
            "metric" => Ok(Action::Metric {
                twist: self.twist()?,
                lasting,
            }),
            "github-status" => fault(Side::GitHub, self.status()?),
            "github-slow" => fault(Side::GitHub, self.slow()?),
            "github-html" => fault(Side::GitHub, Effect::Html),
            "github-cut" => fault(Side::GitHub, Effect::Cut { is_applied: false }),
            "github-primary-limit" => fault(Side::GitHub, Effect::Primary),
            "github-secondary-limit" => {
                let seconds = self.number("retry-after")?.unwrap_or(60);
                let seconds = u64::try_from(seconds).unwrap_or(0);
                fault(Side::GitHub, Effect::Secondary(seconds))
            }
            "prometheus-away" => fault(Side::Prometheus, Effect::Cut { is_applied: false }),
            "prometheus-status" => fault(Side::Prometheus, self.status()?),
            "prometheus-slow" => fault(Side::Prometheus, self.slow()?),
            "prometheus-stall" => Ok(Action::Stall {
                lasting: lasting.unwrap_or(60_000),
            }),
            _ => fault(Side::Alertmanager, Effect::Cut { is_applied: false }),
        }
    }

    fn push(&self) -> Push {
        let changes = tree::list(self.value, "/changes");
        let mut changes: Vec<String> = changes
            .iter()
            .filter_map(|part| part.as_str().map(str::to_owned))
            .collect();
        if changes.is_empty() {
            changes = ["frontend", "backend"].map(str::to_owned).to_vec();
        }
        Push {
            branch: self.text("branch", "develop"),
            title: self.text("title", ""),
            changes,
            fails: self.text("fails", ""),
        }
    }

    fn twist(&self) -> Result<Twist, String> {
        let name = self.text("name", "errors");
        if !Twist::NAMES.contains(&name.as_str()) {
            return Err(format!(
                "metric knows {}, not {name:?}",
                Twist::NAMES.join(", ")
            ));
        }
        Ok(Twist {
            name,
            namespace: self.text("namespace", "production"),
            colour: self.text("colour", ""),
            part: self.text("part", ""),
            value: self.number("value")?.unwrap_or(40),
        })
    }

    fn status(&self) -> Result<Effect, String> {
        let code = self.number("code")?.or_else(|| self.short.parse().ok());
        let code = code
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (400..600).contains(code));
        let retry_after = self
            .number("retry-after")?
            .and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Effect::Status {
            code: code.ok_or("status needs a code of 400 to 599")?,
            retry_after,
            is_applied: self.value["applied"] == true,
        })
    }

    fn slow(&self) -> Result<Effect, String> {
        let late = self.number("ms")?.or_else(|| self.short.parse().ok());
        let late = late.and_then(|ms| u64::try_from(ms).ok());
        Ok(Effect::Slow(late.ok_or("slow needs ms")?))
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
