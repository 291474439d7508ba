//! The needs graph of a workflow, from its file: the runs API does not tell it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::estate::Safe;
use crate::estate::runs::Needs;

#[derive(Deserialize)]
struct Workflow {
    jobs: InOrder,
}

/// The jobs as they stand in the file.
struct InOrder(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = InOrder;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of jobs")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        from.deserialize_map(Entries)
    }
}

/// Reads the jobs of a workflow's file: their shown names in order, and which needs which.
///
/// # Errors
/// What makes the text no workflow.
pub(super) fn needs(text: &str) -> Result<Needs, serde_saphyr::Error> {
    let workflow: Workflow = serde_saphyr::from_str(text)?;
    let jobs = workflow.jobs.0;
    let shown: BTreeMap<&str, Safe> = (jobs.iter())
        .map(|(id, job)| (id.as_str(), Safe::new(job["name"].as_str().unwrap_or(id))))
        .collect();
    let name = |id: &str| shown.get(id).cloned().unwrap_or_else(|| Safe::new(id));
    let mut graph = Needs::default();
    for (id, job) in &jobs {
        let needed = match &job["needs"] {
            Value::String(one) => vec![name(one)],
            Value::Array(many) => many.iter().filter_map(Value::as_str).map(name).collect(),
            _ => Vec::new(),
        };
        graph.order.push(name(id));
        graph.of.insert(name(id), needed);
    }
    Ok(graph)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn jobs_stand_in_order_with_what_they_need_by_shown_name() {
        let text = "name: CI\non:\n  push: {branches: [main]}\nenv: {A: 1}\njobs:\n  \
            detect-changes: {runs-on: ubuntu-latest, steps: []}\n  \
            frontend-ci:\n    name: Frontend\n    needs: detect-changes\n  \
            build:\n    needs: [detect-changes]\n    strategy: {matrix: {node: [18, 20]}}\n  \
            called: {uses: ./.github/workflows/x.yml, needs: [build, 7]}\n  \
            deploy-production:\n    needs:\n      - frontend-ci\n      - build\n";
        let graph = needs(text).unwrap();
        let order: Vec<&str> = graph.order.iter().map(|n| n.as_str()).collect();
        assert_eq!(
            order,
            [
                "detect-changes",
                "Frontend",
                "build",
                "called",
                "deploy-production"
            ]
        );
        let of = |name: &str| {
            graph.of[name]
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(of("deploy-production"), ["Frontend", "build"]);
        assert_eq!(of("Frontend"), ["detect-changes"]);
        assert_eq!(of("called"), ["build"]);
        assert!(of("detect-changes").is_empty());
    }

    #[test]
    fn what_is_no_workflow_is_told() {
        for text in ["", "jobs: 7", "jobs: [a]", "{", "on: push"] {
            assert!(needs(text).is_err(), "{text:?}");
        }
        assert_eq!(needs("jobs: {}").unwrap(), Needs::default());
    }
}
