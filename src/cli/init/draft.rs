//! From what was found to what the configuration is to say, with the reasons. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::colours::{self, Switch};
use super::git::Repository;
use super::guess;
use super::monitors::{self, Monitor};
use super::parts::{self, Parts, named};
use crate::clients::kubernetes::{Context, FoundDeployment, FoundService, Survey};
use crate::estate::{Safe, Tier};

/// The most environments that are written.
const MOST: usize = 12;

/// A cluster as one context sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub context: Context,
    pub survey: Survey,
    /// The alert that says that its monitoring is alive.
    pub watchdog: Option<Safe>,
}

/// What the configuration is to say.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub title: String,
    pub title_why: String,
    pub repository: Option<Repository>,
    pub environments: Vec<Place>,
    /// What was found and is not written, in words.
    pub left_out: Vec<String>,
}

/// An environment.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub name: String,
    pub tier: Tier,
    pub tier_why: String,
    pub context: String,
    pub context_why: String,
    pub namespace: String,
    pub namespace_why: String,
    pub switch: Option<Switch>,
    pub parts: Parts,
    pub deploy: Option<Deploy>,
    pub prometheus: Option<Monitor>,
    pub alertmanager: Option<Monitor>,
    pub watchdog: Option<Safe>,
}

/// The job that deploys there.
#[derive(Clone, Debug)]
pub(super) struct Deploy {
    pub job: String,
    /// The branch, and why it is that one; none where nothing tells.
    pub branch: Option<(String, &'static str)>,
}

/// A namespace that may be an environment.
struct Candidate<'s> {
    seen: &'s Seen,
    namespace: &'s Safe,
    /// Other contexts that lead to it.
    others: Vec<&'s str>,
    switch: Option<Switch>,
    parts: Parts,
}

/// Makes a draft; none of the environments where nothing looks like one.
pub(super) fn draft(clusters: &[Seen], repository: Option<Repository>, folder: &str) -> Draft {
    let (taken, mut left_out) = chosen(candidates(clusters));
    let mut places: Vec<Place> = taken
        .into_iter()
        .map(|candidate| place(candidate, repository.as_ref()))
        .collect();
    places.sort_by(|a, b| (a.tier, &a.namespace).cmp(&(b.tier, &b.namespace)));
    name(&mut places);
    for place in &places {
        let names = place.parts.left_out.iter();
        left_out.extend(names.map(|name| format!("the Deployment {}/{name}", place.namespace)));
    }
    let (title, title_why) = title(&places, clusters, repository.as_ref(), folder);
    Draft {
        title,
        title_why,
        repository,
        environments: places,
        left_out,
    }
}

/// Every namespace with Deployments, once, by the context that means it most.
fn candidates(clusters: &[Seen]) -> Vec<Candidate<'_>> {
    let mut by_place: BTreeMap<String, Vec<(&Seen, &Safe)>> = BTreeMap::new();
    for seen in clusters {
        for (namespace, uid) in &seen.survey.namespaces {
            // Two contexts of one cluster see the same namespace: its uid tells, or else the server.
            let place = match uid.as_str() {
                "" => format!("{}/{namespace}", seen.context.server),
                uid => uid.to_owned(),
            };
            by_place.entry(place).or_default().push((seen, namespace));
        }
    }
    let mut all: Vec<Candidate<'_>> = Vec::new();
    for ways in by_place.into_values() {
        let rank = |seen: &Seen, namespace: &Safe| {
            let is_own = seen.context.namespace.as_deref() == Some(namespace.as_str());
            (!is_own, !seen.context.is_current)
        };
        let best = ways
            .iter()
            .min_by_key(|(seen, namespace)| rank(seen, namespace));
        if let Some((seen, namespace)) = best {
            all.extend(candidate(seen, namespace, &ways));
        }
    }
    all
}

fn candidate<'s>(
    seen: &'s Seen,
    namespace: &'s Safe,
    ways: &[(&'s Seen, &'s Safe)],
) -> Option<Candidate<'s>> {
    let survey = &seen.survey;
    let services: Vec<&FoundService> = survey
        .services
        .iter()
        .filter(|s| s.namespace == *namespace)
        .collect();
    let deployments: Vec<&FoundDeployment> = survey
        .deployments
        .iter()
        .filter(|d| d.namespace == *namespace)
        .collect();
    let switch = colours::find(&services, &deployments);
    let parts = parts::find(&deployments, switch.as_ref());
    let others = ways.iter().map(|(seen, _)| seen.context.name.as_str());
    (!parts.all.is_empty()).then(|| Candidate {
        seen,
        namespace,
        others: others.filter(|name| *name != seen.context.name).collect(),
        switch,
        parts,
    })
}

/// Those that look like environments, and the rest in words.
fn chosen(all: Vec<Candidate<'_>>) -> (Vec<Candidate<'_>>, Vec<String>) {
    let is_own =
        |c: &Candidate<'_>| c.seen.context.namespace.as_deref() == Some(c.namespace.as_str());
    let looks_so = |c: &Candidate<'_>| {
        let has_word = guess::word(c.namespace).is_some();
        c.switch.is_some() || (is_own(c) || has_word) && !guess::is_system(c.namespace)
    };
    let names: BTreeSet<Safe> = all
        .iter()
        .filter(|c| looks_so(c))
        .map(|c| c.namespace.clone())
        .collect();
    let is_wanted = |c: &Candidate<'_>| match names.is_empty() {
        true => !guess::is_system(c.namespace),
        // The same product in another cluster.
        false => looks_so(c) || names.contains(c.namespace),
    };
    let (mut taken, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(is_wanted);
    taken.sort_by_key(|c| (!is_own(c), c.switch.is_none(), c.namespace.clone()));
    let more = taken.split_off(taken.len().min(MOST));
    let words = |c: &Candidate<'_>| {
        format!(
            "the namespace {} ({}), with {} workloads",
            c.namespace,
            c.seen.context.name,
            c.parts.all.len()
        )
    };
    let left_out = more.iter().chain(&rest).map(words).collect();
    (taken, left_out)
}

fn place(candidate: Candidate<'_>, repository: Option<&Repository>) -> Place {
    let (context, namespace) = (&candidate.seen.context, candidate.namespace.to_string());
    let (tier, tier_why) = guess::tier(&namespace, &context.name);
    let is_own = context.namespace.as_deref() == Some(namespace.as_str());
    let context_why = match (is_own, &candidate.others[..]) {
        (_, []) => "the only context that leads there".to_owned(),
        (true, others) => format!(
            "its own namespace is {namespace}; others that lead there: {}",
            others.join(", ")
        ),
        (false, others) => format!("of those that lead there; others: {}", others.join(", ")),
    };
    let namespace_why = match (&candidate.switch, is_own) {
        (Some(switch), _) => format!(
            "Deployments there have pods with {0}={1} and {0}={2}, and Services select one of the two",
            switch.key, switch.colours[0], switch.colours[1]
        ),
        (None, true) => format!("it is the namespace of the context {}", context.name),
        (None, false) => "it has Deployments, and is called as environments are".to_owned(),
    };
    let survey = &candidate.seen.survey;
    Place {
        name: named(&namespace),
        deploy: repository.and_then(|repository| deploy(repository, &namespace, tier)),
        tier,
        tier_why,
        context: context.name.clone(),
        context_why,
        namespace,
        namespace_why,
        switch: candidate.switch,
        parts: candidate.parts,
        prometheus: monitors::prometheus(&survey.services),
        alertmanager: monitors::alertmanager(&survey.services),
        watchdog: candidate.seen.watchdog.clone(),
    }
}

fn deploy(repository: &Repository, namespace: &str, tier: Tier) -> Option<Deploy> {
    let workflow = repository.workflows.first()?;
    let job = workflow.job(namespace, tier)?;
    let asked = job
        .branch
        .clone()
        .map(|branch| (branch, "its `if:` asks for that branch"));
    let only = workflow
        .branch
        .clone()
        .map(|branch| (branch, "no other branch's push starts the workflow"));
    let default = || {
        let branch = repository
            .branch
            .clone()
            .filter(|_| tier == Tier::Production)?;
        Some((branch, "it is the repository's default branch"))
    };
    Some(Deploy {
        job: job.name.clone(),
        branch: asked.or(only).or_else(default),
    })
}

/// Names must differ: where namespaces are called the same, their contexts tell them apart.
fn name(places: &mut [Place]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for place in places.iter() {
        *count.entry(place.name.clone()).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    for place in places {
        if count[&place.name] > 1 {
            place.name = named(&format!("{}-{}", place.context, place.namespace));
        }
        let (bare, mut number) = (place.name.clone(), 2);
        while !seen.insert(place.name.clone()) {
            let head: String = bare.chars().take(60).collect();
            place.name = format!("{head}-{number}");
            number += 1;
        }
    }
}

fn title(
    places: &[Place],
    clusters: &[Seen],
    repository: Option<&Repository>,
    folder: &str,
) -> (String, String) {
    let ours = |d: &&FoundDeployment| places.iter().any(|p| p.namespace == d.namespace.as_str());
    let deployments = clusters.iter().flat_map(|seen| &seen.survey.deployments);
    let mut products = BTreeSet::new();
    for deployment in deployments.filter(ours) {
        products.insert(deployment.pod_labels.get("app.kubernetes.io/part-of"));
    }
    let products: Vec<Option<&Safe>> = products.into_iter().collect();
    match (&products[..], repository) {
        ([Some(product)], _) => (
            (*product).to_string(),
            "the label app.kubernetes.io/part-of of all Deployments".to_owned(),
        ),
        (_, Some(repository)) => {
            let name = repository.origin.name.rsplit('/').next().unwrap_or(folder);
            (name.to_owned(), "the name of the repository".to_owned())
        }
        _ => (
            Safe::new(folder).to_string(),
            "the name of this folder".to_owned(),
        ),
    }
}
