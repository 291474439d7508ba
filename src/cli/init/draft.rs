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
    // Without a [github] nothing would watch the jobs that deploy.
    let watched = repository.as_ref().filter(|it| it.origin.may_be_github());
    let mut places: Vec<Place> = taken
        .into_iter()
        .map(|candidate| place(candidate, watched))
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
    let job = workflow
        .job(namespace, tier)
        .filter(|job| is_plain(&job.name))?;
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
        branch: asked
            .or(only)
            .or_else(default)
            .filter(|(branch, _)| is_plain(branch)),
    })
}

/// Whether the configuration takes it as it stands: printable, trimmed, of a bearable length.
pub(super) fn is_plain(text: &str) -> bool {
    let is_fit = !text.is_empty() && text.trim() == text && text.chars().count() <= 250;
    is_fit && Safe::new(text).as_str() == text
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
    let (name, why) = match (&products[..], repository) {
        ([Some(product)], _) => (
            product.as_str(),
            "the label app.kubernetes.io/part-of of all Deployments",
        ),
        (_, Some(repository)) => {
            let name = repository.origin.name.rsplit('/').next();
            (name.unwrap_or(folder), "the name of the repository")
        }
        _ => (folder, "the name of this folder"),
    };
    let short: String = Safe::new(name).chars().take(64).collect();
    match short.trim() {
        "" => ("releases".to_owned(), "nothing here has a name".to_owned()),
        name => (name.to_owned(), why.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::colours::tests::{deployment, service};
    use super::super::remote::Origin;
    use super::super::render::{TokenChoice, render};
    use super::super::workflow;
    use super::*;
    use crate::config::{Config, Replica};

    const TOKEN: TokenChoice = TokenChoice {
        reference: "{ gh = true }",
        why: "the gh CLI is here",
    };

    /// A cluster with the blue-green product `shop` in that namespace, and perhaps a Prometheus.
    fn seen(context: &str, namespace: &str, prometheus: &str) -> Seen {
        let server = format!("https://{context}");
        let mut survey = Survey {
            namespaces: vec![
                (namespace.into(), "".into()),
                ("kube-system".into(), "".into()),
            ],
            services: vec![service("web", "part=web,version=blue")],
            deployments: vec![
                deployment("blue-web", "part=web,version=blue", "web:1"),
                deployment("green-web", "part=web,version=green", "web:2"),
                deployment("redis", "part=redis", "redis:7"),
            ],
            unseen: Vec::new(),
        };
        for object in &mut survey.services {
            object.namespace = namespace.into();
        }
        for object in &mut survey.deployments {
            object.namespace = namespace.into();
        }
        if !prometheus.is_empty() {
            survey.services.push(FoundService {
                namespace: "monitoring".into(),
                name: prometheus.into(),
                ports: vec![("web".into(), 9090)],
                ..FoundService::default()
            });
        }
        Seen {
            context: Context {
                name: context.to_owned(),
                namespace: None,
                server,
                is_current: false,
            },
            survey,
            watchdog: None,
        }
    }

    fn repository(host: &str, workflow: &str) -> Repository {
        Repository {
            remote: "origin".to_owned(),
            origin: Origin {
                host: host.to_owned(),
                name: "acme/shop".to_owned(),
                why: None,
            },
            others: Vec::new(),
            workflows: workflow::read("ci.yml", workflow).into_iter().collect(),
            branch: Some("trunk".to_owned()),
        }
    }

    fn config(draft: &Draft) -> (Config, String) {
        let text = render(draft, &TOKEN);
        let parsed = Config::parse(&text, "c.toml");
        let (config, warnings) = parsed.unwrap_or_else(|e| unreachable!("{e}\n{text}"));
        assert_eq!(warnings, [], "{text}");
        (config, text)
    }

    #[test]
    fn clusters_with_a_prometheus_each_name_their_own_and_the_same_names_are_told_apart() {
        let clusters = [
            seen("dev-eu", "shop", "prometheus"),
            seen("prod-eu", "shop", "kps-prometheus"),
        ];
        let (config, text) = config(&draft(&clusters, None, "folder"));
        let names: Vec<_> = config
            .environments
            .iter()
            .map(|e| (e.name.as_str(), e.tier))
            .collect();
        assert_eq!(
            names,
            [
                ("dev-eu-shop", Tier::Development),
                ("prod-eu-shop", Tier::Production)
            ]
        );
        let of = |place: usize| {
            let prometheus = config.environments[place].prometheus.clone().unwrap();
            match &prometheus.address.replicas[0] {
                Replica::Service { name, .. } => name.clone(),
                Replica::Url(url) => url.clone(),
            }
        };
        assert_eq!(
            (of(0).as_str(), of(1).as_str()),
            ("prometheus", "kps-prometheus")
        );
        assert!(text.contains("the Deployment shop/redis"), "{text}");
        assert_eq!(config.title, "folder");
    }

    #[test]
    fn every_kind_of_repository_and_of_monitoring_gives_a_configuration() {
        let job = "jobs: {d: {name: \"deploy \\\"live\\\"\", environment: production}}";
        for (host, workflow, has_github) in [
            ("github.com", job, true),
            ("ghe.acme.example", job, true),
            ("github.com", "no workflow", false),
            ("gitlab.com", job, false),
        ] {
            let found = repository(host, workflow);
            let (config, text) = config(&draft(&[seen("prod", "shop", "")], Some(found), "x"));
            assert_eq!(config.github.is_some(), has_github, "{text}");
            let place = &config.environments[0];
            assert!(place.prometheus.is_none() && place.read_only);
            if has_github {
                let deploy = place.deploy.as_ref();
                let deploy = deploy.map(|d| (d.job.as_str(), d.branch.as_str()));
                assert_eq!(deploy, Some(("deploy \"live\"", "trunk")), "{text}");
            }
        }
    }

    #[test]
    fn c03_two_contexts_of_one_cluster_make_one_environment_by_the_one_whose_own_it_is() {
        let mut other = seen("shop-admin", "shop-prod", "");
        let mut own = seen("eu", "shop-prod", "");
        for seen in [&mut other, &mut own] {
            seen.survey.namespaces[0].1 = "uid-1".into();
        }
        own.context.namespace = Some("shop-prod".to_owned());
        let made = draft(&[other, own], None, "x");
        let places: Vec<_> = made
            .environments
            .iter()
            .map(|p| p.context.as_str())
            .collect();
        assert_eq!(places, ["eu"]);
        assert!(made.environments[0].context_why.contains("shop-admin"));
    }

    #[test]
    fn what_the_cluster_needs_itself_is_no_environment_and_the_rest_is_named() {
        let mut seen = seen("prod", "shop", "");
        for namespace in ["argocd", "tools"] {
            seen.survey.namespaces.push((namespace.into(), "".into()));
            seen.survey.deployments.push(FoundDeployment {
                namespace: namespace.into(),
                ..deployment("x", "app=x", "x:1")
            });
        }
        let made = draft(&[seen], None, "x");
        assert_eq!(made.environments.len(), 1);
        let left = made.left_out.join("; ");
        assert!(
            left.contains("argocd (prod)") && left.contains("tools (prod)"),
            "{left}"
        );
        assert!(draft(&[], None, "x").environments.is_empty());
    }

    #[test]
    fn hostile_names_never_make_a_line_of_their_own() {
        let mut seen = seen("prod\"]\\ x", "shop", "");
        seen.survey.services[0].name = "web\n[evil]\nx = 1".into();
        seen.survey.unseen.push("\u{1b}[2J".into());
        let mut repository = repository("github.com", "jobs: {d: {name: \"deploy\\nprod\"}}");
        repository.others.push("a\nb = 2".to_owned());
        let text = render(&draft(&[seen], Some(repository), "f\n[g]"), &TOKEN);
        let is_known = |line: &str| {
            let heads = [
                "#",
                "[",
                "title",
                "repository",
                "workflow",
                "token",
                "name",
                "tier",
                "context",
                "namespace",
            ];
            let more = ["read_only", "key", "colours", "services", "labels"];
            line.is_empty() || heads.iter().chain(&more).any(|head| line.starts_with(head))
        };
        assert!(text.lines().all(is_known), "{text}");
        assert!(
            !text.contains("\n[evil]") && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}
