//! The JSON of `doctor`, shape `wheelhouse.doctor/v1`.

use jiff::Timestamp;
use serde_json::json;

use super::finding::{Section, gravest};

/// The version of the shape.
const SCHEMA: &str = "wheelhouse.doctor/v1";

/// All of it.
pub(super) fn render(sections: &[Section], at: Timestamp) -> String {
    let checks = sections.iter().flat_map(|section| {
        section.findings.iter().map(|finding| {
            json!({
                "place": section.place,
                "name": finding.name,
                "of": finding.of,
                "verdict": finding.verdict.word(),
                "value": finding.found(),
                "advice": finding.advice,
            })
        })
    });
    let value = json!({
        "schema": SCHEMA,
        "at": at.to_string(),
        "verdict": gravest(sections).word(),
        "checks": checks.collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}
