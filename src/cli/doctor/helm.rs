//! Whether an environment that is deployed by helm can be: the program, its version, and the chart and values on disk.

use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use crate::clients::helm::Helm;
use crate::clients::kubernetes::Cluster;
use crate::estate::FaultKind;
use crate::ops::helm::{missing, too_old};
use crate::ops::plan::{self, How};

/// The program, then each file.
pub(super) async fn findings(how: &How, cluster: &Cluster, limit: Duration) -> Vec<Finding> {
    let How::Helm(wanted) = how else {
        return Vec::new();
    };
    let mut findings = vec![program(&Helm::of(cluster, &wanted.program), limit).await];
    findings.extend(files(wanted));
    findings
}

const NAME: &str = "helm";

async fn program(helm: &Helm, limit: Duration) -> Finding {
    let advice = "install Helm 3 or newer, or name it by `program` of the environment's deployment";
    match helm.version(limit).await {
        Ok(version) if version.is_at_least(3, 0) => Finding::ok(NAME, "", &version.words),
        Ok(version) => Finding::bad(NAME, "", &too_old(&version), advice),
        Err(fault) if fault.kind == FaultKind::Config => {
            Finding::bad(NAME, "", &missing(&fault), advice)
        }
        Err(fault) => Finding::fault(NAME, "", &fault, advice),
    }
}

/// The chart and the values, as far as they are files whose names are known.
fn files(wanted: &plan::Helm) -> Vec<Finding> {
    let chart = [(&wanted.chart, "chart")];
    let values = wanted.values.iter().map(|file| (file, "values"));
    let are_files = |(file, _): &(&_, &str)| -> bool { is_file(file) };
    let all = chart.into_iter().chain(values).filter(are_files);
    all.map(|(file, of)| match Path::new(file.as_str()).exists() {
        true => Finding::ok(NAME, of, file),
        false => {
            let advice = format!("put it there, or correct `{of}` of the environment's deployment");
            Finding::bad(NAME, of, &format!("{file} is not there"), &advice)
        }
    })
    .collect()
}

/// Not a registry's, and nothing is to be filled in.
fn is_file(name: &crate::estate::Safe) -> bool {
    name.starts_with('/') && !name.contains('{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Verdict;

    #[test]
    fn a_chart_that_is_not_there_is_said_and_a_registry_is_not_asked() {
        let wanted = |chart: &str| plan::Helm {
            program: "helm".into(),
            chart: chart.into(),
            release: "wall-{colour}".into(),
            version: None,
            values: vec!["/nowhere/{colour}.yaml".into(), "/".into()],
            set: Default::default(),
            timeout_s: 60,
            recovers: false,
        };
        let found = files(&wanted("/nowhere/wall"));
        assert!(matches!(found[0].verdict, Verdict::Bad(_)), "{found:?}");
        assert_eq!(found.len(), 2);
        assert!(found[1].verdict.is_ok());
        assert_eq!(files(&wanted("oci://registry.example/wall")).len(), 1);
    }
}
