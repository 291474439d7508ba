//! Scenarios: what breaks, and when. Files say it, one step a line; all are read before one begins.

use super::Fault;
use super::action::Action;
use super::queue::Task;
use super::tree;
use super::world::World;
use serde_json::Value;
use std::path::Path;

const EMBEDDED: [&str; 10] = [
    include_str!("../../assets/scenarios/calm.json"),
    include_str!("../../assets/scenarios/bad-release.json"),
    include_str!("../../assets/scenarios/bad-colour.json"),
    include_str!("../../assets/scenarios/crash-loop.json"),
    include_str!("../../assets/scenarios/api-down.json"),
    include_str!("../../assets/scenarios/flapping.json"),
    include_str!("../../assets/scenarios/noisy-alerts.json"),
    include_str!("../../assets/scenarios/flaky-github.json"),
    include_str!("../../assets/scenarios/prometheus-away.json"),
    include_str!("../../assets/scenarios/approval.json"),
];

/// One thing that happens, once or again and again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    at: i64,
    every: Option<i64>,
    action: Action,
}

/// A named row of steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) description: String,
    steps: Vec<Step>,
}

impl Scenario {
    /// All that are embedded.
    pub(super) fn embedded() -> Vec<Self> {
        EMBEDDED
            .iter()
            .filter_map(|text| Self::parse(text, "embedded").ok())
            .collect()
    }

    /// The one of that name; a file wins over the name.
    pub(super) fn choose(name: &str, file: Option<&Path>) -> Result<Self, Fault> {
        if let Some(path) = file {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| Fault::BadScenario {
                file: shown.clone(),
                line: 0,
                why: error.to_string(),
            })?;
            return Self::parse(&text, &shown);
        }
        let all = Self::embedded();
        let known = all.iter().map(|scenario| scenario.name.clone()).collect();
        all.into_iter()
            .find(|scenario| scenario.name == name)
            .ok_or_else(|| Fault::UnknownScenario {
                name: name.to_owned(),
                known,
            })
    }

    /// Reads a scenario; `file` is what the fault names.
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, Fault> {
        let bad = |line: usize, why: String| Fault::BadScenario {
            file: file.to_owned(),
            line,
            why,
        };
        let value: Value =
            serde_json::from_str(text).map_err(|error| bad(error.line(), error.to_string()))?;
        for wanted in ["name", "description"] {
            if tree::text(&value, &format!("/{wanted}")).is_empty() {
                return Err(bad(1, format!("{wanted:?} is missing")));
            }
        }
        let steps = value["steps"]
            .as_array()
            .ok_or_else(|| bad(1, "\"steps\" is no list".to_owned()))?;
        let lines = step_lines(text);
        let line = |index: usize| lines.get(index).copied().unwrap_or(1);
        let steps = steps
            .iter()
            .enumerate()
            .map(|(index, step)| read(step).map_err(|why| bad(line(index), why)));
        Ok(Self {
            name: tree::text(&value, "/name").to_owned(),
            description: tree::text(&value, "/description").to_owned(),
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

fn read(step: &Value) -> Result<Step, String> {
    let at = tree::text(step, "/at");
    let at =
        duration(at).ok_or_else(|| format!("\"at\" is no duration such as \"30s\": {at:?}"))?;
    let every = match step.get("every") {
        None => None,
        Some(every) => {
            let every = every
                .as_str()
                .and_then(duration)
                .filter(|every| *every >= 100);
            Some(every.ok_or_else(|| "\"every\" is no duration of at least 100ms".to_owned())?)
        }
    };
    Ok(Step {
        at,
        every,
        action: Action::parse(step)?,
    })
}

/// `250ms`, `30s`, `2m`, `1h` in milliseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let split = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: i64 = text[..split].parse().ok()?;
    let unit = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// The line on which each step begins: the objects two deep, outside of strings.
fn step_lines(text: &str) -> Vec<usize> {
    let (mut lines, mut line, mut depth, mut is_quoted, mut is_escaped) =
        (Vec::new(), 1, 0, false, false);
    for letter in text.chars() {
        match letter {
            '\n' => line += 1,
            '"' if !is_escaped => is_quoted = !is_quoted,
            '{' if !is_quoted => {
                depth += 1;
                if depth == 2 {
                    lines.push(line);
                }
            }
            '}' if !is_quoted => depth -= 1,
            _ => {}
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    lines
}

impl World {
    /// Begins a scenario; what an earlier one broke is mended first.
    pub(super) fn play(&mut self, scenario: Scenario) {
        self.chosen += 1;
        self.faults.clear();
        self.load = 100;
        self.monitoring.calm();
        self.heal(&super::trouble::Patients::default());
        self.scenario_began = self.now;
        for (index, step) in scenario.steps.iter().enumerate() {
            let at = self.now + step.at;
            self.later(at, Task::Step(self.chosen, index));
        }
        self.scenario = scenario;
        self.store.wake();
    }

    /// Does a step of the scenario that was the `chosen`th, unless another was chosen since.
    pub(super) fn play_step(&mut self, chosen: u64, index: usize) {
        if chosen != self.chosen {
            return;
        }
        let Some(step) = self.scenario.steps.get(index).cloned() else {
            return;
        };
        self.act(&step.action);
        if let Some(every) = step.every {
            self.later(self.now + every, Task::Step(chosen, index));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_scenario_reads() {
        for text in EMBEDDED {
            let scenario = Scenario::parse(text, "embedded").unwrap();
            assert!(
                scenario.steps.iter().any(|step| step.at <= 60_000),
                "{} sleeps",
                scenario.name
            );
        }
    }

    #[test]
    fn a_bad_step_is_named_by_its_line() {
        let text = "{\"name\": \"x\", \"description\": \"{\",\n\"steps\": [\n{\"at\": \"1s\", \"do\": \"heal\"},\n\
            {\"at\": \"1s\", \"do\": \"explode\"}]}";
        let fault = Scenario::parse(text, "mine.json").unwrap_err().to_string();
        assert!(
            fault.contains("mine.json") && fault.contains("line 4") && fault.contains("explode"),
            "{fault}"
        );
        let torn = Scenario::parse("{\"name\": \"x\",\n oops}", "mine.json")
            .unwrap_err()
            .to_string();
        assert!(torn.contains("line 2"), "{torn}");
    }
}
