//! Whether a workflow can be started by hand, and with which inputs, by its file: GitHub says so only when it refuses.
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#onworkflow_dispatch>

use serde::Deserialize;
use serde_json::Value;

use crate::estate::Safe;

/// The trigger that starts a workflow by hand.
const BY_HAND: &str = "workflow_dispatch";

/// An input that a workflow declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSaid {
    /// Its name.
    pub name: Safe,
    /// Whether it has to be given: it is required, and has no default.
    pub is_needed: bool,
}

#[derive(Deserialize)]
struct Workflow {
    on: Value,
}

/// The inputs that a workflow's file declares in their order; none where nobody may start it by hand.
///
/// # Errors
/// What makes the text no workflow.
pub(super) fn inputs(text: &str) -> Result<Option<Vec<InputSaid>>, serde_saphyr::Error> {
    let Workflow { on } = serde_saphyr::from_str(text)?;
    Ok(match &on {
        Value::String(one) => (one == BY_HAND).then(Vec::new),
        Value::Array(many) => (many.iter().any(|it| it == BY_HAND)).then(Vec::new),
        Value::Object(all) => all.get(BY_HAND).map(declared),
        _ => None,
    })
}

fn declared(trigger: &Value) -> Vec<InputSaid> {
    let inputs = trigger["inputs"].as_object().into_iter().flatten();
    let said = |(name, input): (&String, &Value)| InputSaid {
        name: Safe::new(name),
        is_needed: input["required"] == true && input["default"].is_null(),
    };
    inputs.map(said).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn said(on: &str) -> Option<Vec<(String, bool)>> {
        let inputs = inputs(&format!("name: CI\n{on}\njobs: {{}}\n")).unwrap()?;
        let pair = |it: InputSaid| (it.name.to_string(), it.is_needed);
        Some(inputs.into_iter().map(pair).collect())
    }

    #[test]
    fn a_workflow_is_started_by_hand_where_its_triggers_say_so_in_each_of_their_forms() {
        for on in ["on: push", "on: [push]", "on:\n  push: {}", "on: 7", "on:"] {
            assert_eq!(said(on), None, "{on}");
        }
        for on in [
            "on: workflow_dispatch",
            "on: [push, workflow_dispatch]",
            "on:\n  push:\n  workflow_dispatch:",
            "\"on\": {workflow_dispatch: {inputs: }}",
        ] {
            assert_eq!(said(on), Some(Vec::new()), "{on}");
        }
    }

    #[test]
    fn an_input_has_to_be_given_where_it_is_required_and_has_no_default() {
        let on = "on:\n  workflow_dispatch:\n    inputs:\n      a: {required: true}\n      b: {required: true, default: ''}\n      c: {required: false}\n      d:\n";
        let said: Vec<_> = said(on).unwrap();
        let wanted = [("a", true), ("b", false), ("c", false), ("d", false)];
        assert_eq!(said, wanted.map(|(name, is)| (name.to_owned(), is)));
    }

    #[test]
    fn what_has_no_triggers_is_told() {
        for text in ["", "jobs: {}", "{", "[on]"] {
            assert!(inputs(text).is_err(), "{text:?}");
        }
    }
}
