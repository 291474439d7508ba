//! What a workflow's file says of deploys: which jobs, to where, from which branch. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::guess::{Word, words};
use crate::estate::{Safe, Tier};

/// A workflow of the repository.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Workflow {
    /// Its file's name.
    pub file: String,
    /// The jobs that look like deploys.
    pub deploys: Vec<Job>,
    /// The only branch that a push starts it from, where that is so.
    pub branch: Option<String>,
}

/// A job that deploys.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    /// As GitHub shows it.
    pub name: String,
    /// Its `environment:`.
    pub environment: Option<String>,
    /// The branch that its `if:` asks for.
    pub branch: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    on: Value,
    jobs: BTreeMap<String, Value>,
}

/// Reads a workflow; none where it is no workflow.
pub(super) fn read(file: &str, text: &str) -> Option<Workflow> {
    let read: File = serde_saphyr::from_str(text).ok()?;
    let mut deploys: Vec<Job> = read
        .jobs
        .iter()
        .filter_map(|(id, job)| deploy(id, job))
        .collect();
    deploys.sort_by(|a, b| a.name.cmp(&b.name));
    let branches = read.on["push"]["branches"].as_array();
    let only = match branches.map(Vec::as_slice) {
        Some([Value::String(one)]) if !one.contains(['*', '!', '?']) => Some(one.clone()),
        _ => None,
    };
    Some(Workflow {
        file: file.to_owned(),
        deploys,
        branch: only,
    })
}

/// A job that has an environment, or is called so.
fn deploy(id: &str, job: &Value) -> Option<Job> {
    let name = job["name"].as_str().unwrap_or(id);
    let environment = (job["environment"].as_str()).or_else(|| job["environment"]["name"].as_str());
    let verbs = ["deploy", "release", "rollout", "promote", "publish", "ship"];
    let is_called_so = words(&format!("{id} {name}"))
        .iter()
        .any(|word| verbs.iter().any(|verb| word.starts_with(verb)));
    (environment.is_some() || is_called_so).then(|| Job {
        name: name.to_owned(),
        environment: environment
            .filter(|e| !e.contains("${{"))
            .map(str::to_owned),
        branch: job["if"].as_str().and_then(branch),
    })
}

/// The branch in `github.ref == 'refs/heads/main'`, or in `github.ref_name == 'main'`; none of several.
fn branch(condition: &str) -> Option<String> {
    let quoted = |text: &str| {
        let end = text.find(['\'', '"', ')', ' '])?;
        Some(text[..end].to_owned()).filter(|name| !name.is_empty())
    };
    let by_ref = condition.split("refs/heads/").skip(1).filter_map(quoted);
    let by_name = condition
        .split("github.ref_name == '")
        .skip(1)
        .filter_map(quoted);
    let mut all: Vec<String> = by_ref.chain(by_name).collect();
    all.dedup();
    match &mut all[..] {
        [one] => Some(std::mem::take(one)),
        _ => None,
    }
}

impl Workflow {
    /// How likely it is the one that releases.
    pub fn score(&self) -> (usize, usize) {
        let environments = self.deploys.iter().filter(|job| job.environment.is_some());
        (environments.count(), self.deploys.len())
    }

    /// The job that deploys an environment of that name and tier.
    pub fn job(&self, environment: &str, tier: Tier) -> Option<&Job> {
        let exact = |job: &&Job| job.environment.as_deref() == Some(environment);
        let says = |text: &str| {
            let found = words(text);
            found.iter().any(|word| word == environment)
                || found.iter().find_map(|word| Word::of(word)).map(Word::tier) == Some(tier)
        };
        let by_environment = |job: &&Job| job.environment.as_deref().is_some_and(says);
        let by_name = |job: &&Job| job.environment.is_none() && says(&job.name);
        let find = |fits: &dyn Fn(&&Job) -> bool| self.deploys.iter().find(|job| fits(job));
        find(&exact)
            .or_else(|| find(&by_environment))
            .or_else(|| find(&by_name))
    }

    /// Names of its jobs that look like deploys.
    pub fn names(&self) -> Vec<Safe> {
        self.deploys
            .iter()
            .map(|job| Safe::new(&job.name))
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const WALL: &str = include_str!("../../../assets/scenarios/digital-wall-ci-cd.yml");

    #[test]
    fn the_deploys_of_digital_wall_are_found_with_environment_and_branch() {
        let workflow = read("ci.yml", WALL).unwrap();
        let of = |name, tier| {
            let job = workflow.job(name, tier)?;
            Some((job.name.as_str(), job.branch.as_deref()))
        };
        let staging = Some(("deploy-staging", Some("develop")));
        assert_eq!(of("staging", Tier::Staging), staging);
        let production = Some(("deploy-production", Some("main")));
        assert_eq!(of("shop", Tier::Production), production);
        assert_eq!(of("development", Tier::Development), None);
        assert_eq!(workflow.branch, None, "two branches are none");
        assert_eq!(workflow.score(), (2, 2));
    }

    #[test]
    fn names_environments_and_branches_are_read_in_each_form() {
        let text = "on: {push: {branches: [trunk]}}\njobs:\n  \
            x: {name: Ship it to prod, if: \"github.ref_name == 'live'\"}\n  \
            y: {environment: {name: uat, url: u}, if: \"contains(github.ref, 'refs/heads/a') || github.ref == 'refs/heads/b'\"}\n  \
            z: {environment: \"${{ inputs.to }}\"}\n  test: {}\n";
        let workflow = read("a.yml", text).unwrap();
        assert_eq!(workflow.branch.as_deref(), Some("trunk"));
        let prod = workflow.job("production", Tier::Production).unwrap();
        assert_eq!(
            (prod.name.as_str(), prod.branch.as_deref()),
            ("Ship it to prod", Some("live"))
        );
        let uat = workflow.job("uat", Tier::Staging).unwrap();
        assert_eq!((uat.name.as_str(), &uat.branch), ("y", &None));
        assert_eq!(workflow.names().len(), 3);
    }

    #[test]
    fn what_is_no_workflow_is_none() {
        for text in ["", "a: 1", "jobs: 7", "{", "jobs: [a]"] {
            assert_eq!(read("x.yml", text), None, "{text}");
        }
    }
}
