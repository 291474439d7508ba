//! A draft as commented TOML: each choice with why it was made and what else there was. Pure.

use super::draft::{Draft, Place};
use super::git::Repository;
use super::monitors::Monitor;
use super::toml::{Toml, bare, quoted};
use crate::estate::{Safe, Tier};

/// Where the token is to be looked for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenChoice {
    /// As TOML: `{ gh = true }`.
    pub reference: &'static str,
    pub why: &'static str,
}

/// The configuration's text.
pub(super) fn render(draft: &Draft, token: &TokenChoice) -> String {
    let mut out = Toml::default();
    out.note("Wheelhouse, made by `wheelhouse init` from what it found: read each reason and correct what is wrong. `wheelhouse doctor` checks it against the real servers. config.example.toml explains every key.");
    if !draft.left_out.is_empty() {
        out.line("#");
        out.note(&format!(
            "Found and left out: {}.",
            draft.left_out.join("; ")
        ));
    }
    out.line("");
    out.note(&format!(
        "The name of the product, for the header: {}.",
        draft.title_why
    ));
    out.pair("title", &draft.title);
    match &draft.repository {
        Some(repository) if repository.origin.may_be_github() => {
            github(&mut out, repository, token)
        }
        Some(repository) => {
            out.line("");
            out.note(&format!(
                "No [github]: {} is another kind of host, so no workflow runs are shown.",
                repository.origin.host
            ));
        }
        None => {
            out.line("");
            out.note("No [github]: there is no git repository here with a remote. Run `wheelhouse init` in yours, or take the section from config.example.toml, and workflow runs are shown.");
        }
    }
    let shared = Shared::of(&draft.environments);
    monitoring(&mut out, &shared, draft);
    for place in &draft.environments {
        environment(&mut out, place, &shared);
    }
    out.text()
}

/// What all environments have in common.
struct Shared<'d> {
    prometheus: Option<&'d Monitor>,
    alertmanager: Option<&'d Monitor>,
}

impl<'d> Shared<'d> {
    fn of(places: &'d [Place]) -> Self {
        let same = |of: fn(&Place) -> Option<&Monitor>| {
            let first = of(places.first()?)?;
            let is_same = |place| of(place).is_some_and(|it| it.address() == first.address());
            places.iter().all(is_same).then_some(first)
        };
        Self {
            prometheus: same(|place| place.prometheus.as_ref()),
            alertmanager: same(|place| place.alertmanager.as_ref()),
        }
    }
}

fn github(out: &mut Toml, repository: &Repository, token: &TokenChoice) {
    out.line("");
    let (remote, origin) = (&repository.remote, &repository.origin);
    let Some(workflow) = repository.workflows.first() else {
        out.note(&format!(
            "No [github]: the remote {remote} leads to {} on {}, but the folder .github/workflows here has no workflow that reads.",
            origin.name, origin.host
        ));
        return;
    };
    out.line("[github]");
    out.note(&format!(
        "The remote {remote} of the git repository here leads to it{}.",
        also(&repository.others)
    ));
    if let Some(why) = &origin.why {
        out.note(why);
    }
    out.pair("repository", &origin.name);
    let deploys = workflow.names();
    let why = match &deploys[..] {
        [] => "the first of the folder .github/workflows; none has a job that looks like a deploy"
            .to_owned(),
        names => format!(
            "of the workflows here it has the most jobs that deploy ({})",
            names.join(", ")
        ),
    };
    let others: Vec<_> = repository
        .workflows
        .iter()
        .skip(1)
        .take(8)
        .map(|w| w.file.clone())
        .collect();
    out.note(&format!("{}{}.", capital(&why), also(&others)));
    out.pair("workflow", &workflow.file);
    if origin.host != "github.com" {
        out.note(&format!(
            "{} is not github.com: taken for a GitHub Enterprise server.",
            origin.host
        ));
        out.pair("api", &origin.api());
    }
    out.note(&format!("{}. Elsewhere: {{ env = \"NAME\" }}, {{ file = \"/path\" }} (mode 0600), {{ gh = true }}. It needs to read Actions and Contents (fine-grained), or the scope `repo` (classic).", capital(token.why)));
    out.line(&format!("token = {}", token.reference));
}

fn monitoring(out: &mut Toml, shared: &Shared<'_>, draft: &Draft) {
    let found =
        |of: fn(&Place) -> Option<&Monitor>| draft.environments.iter().any(|p| of(p).is_some());
    out.line("");
    match shared.prometheus {
        Some(monitor) => {
            out.line("[prometheus]");
            out.note(&format!("The Service of the cluster that is named, labelled and numbered so, for all environments; reached through the API server's proxy, which takes the right to get services/proxy there{}.", also(&monitor.others)));
            out.pair("service", &monitor.address());
            watchdog(out, draft.environments.first().and_then(|p| p.watchdog.as_ref()));
        }
        None if found(|p| p.prometheus.as_ref()) => out.note("The environments have different Prometheus Services: each names its own."),
        None => out.note("No [prometheus]: no Service is called or labelled prometheus. Where it is elsewhere, name it by url, and alerts are shown."),
    }
    out.line("");
    match shared.alertmanager {
        Some(monitor) => {
            out.line("[alertmanager]");
            out.note(&format!("Found like Prometheus{}.", also(&monitor.others)));
            out.pair("service", &monitor.address());
        }
        None if found(|p| p.alertmanager.as_ref()) => out.note("The environments have different Alertmanager Services: each names its own."),
        None => out.note("No [alertmanager]: no Service is called or labelled so. Where it is elsewhere, name it by url, and silences are known."),
    }
}

fn watchdog(out: &mut Toml, found: Option<&Safe>) {
    match found {
        Some(name) => {
            out.note("An alert of this name fires now, and is one that always does.");
            out.pair("watchdog", name);
        }
        None => {
            out.note("The alert that always fires while monitoring is alive: none was seen, so it counts as alive while its rules are evaluated.");
            out.line("# watchdog = \"Watchdog\"");
        }
    }
}

fn environment(out: &mut Toml, place: &Place, shared: &Shared<'_>) {
    out.line("");
    out.line("[[environment]]");
    out.note(&format!(
        "Namespace {}: {}.",
        place.namespace, place.namespace_why
    ));
    out.pair("name", &place.name);
    let (tier, alternatives) = match place.tier {
        Tier::Development => (
            "development",
            "\"staging\" and \"production\" take more care",
        ),
        Tier::Staging => ("staging", "or \"development\", \"production\""),
        Tier::Production => ("production", "or \"development\", \"staging\""),
    };
    out.note(&format!("{}; {alternatives}.", capital(&place.tier_why)));
    out.pair("tier", tier);
    out.note(&format!("{}.", capital(&place.context_why)));
    out.pair("context", &place.context);
    out.pair("namespace", &place.namespace);
    if place.tier == Tier::Production {
        out.note("Production: changes are off until they are switched on for a while.");
        out.line("read_only = true");
    }
    deploy(out, place);
    traffic(out, place);
    own_monitoring(out, place, shared);
    workloads(out, place);
}

fn deploy(out: &mut Toml, place: &Place) {
    let Some(deploy) = &place.deploy else {
        return;
    };
    let job = quoted(&deploy.job);
    match &deploy.branch {
        Some((branch, why)) => {
            out.note(&format!("The workflow's job for this environment, by its name or `environment:`; {why}. A green run of that branch without the job is called out."));
            out.line(&format!(
                "deploy = {{ job = {job}, branch = {} }}",
                quoted(branch)
            ));
        }
        None => {
            out.note("The workflow has a job for this environment, but nothing tells from which branch: put it in and take the `#` away, and a green run that deployed nothing is called out.");
            out.line(&format!("# deploy = {{ job = {job}, branch = \"main\" }}"));
        }
    }
}

fn traffic(out: &mut Toml, place: &Place) {
    out.line("");
    let Some(switch) = &place.switch else {
        out.note("No [environment.traffic]: no Service here selects one of two values of a key that two sets of Deployments carry, so a deploy replaces what runs.");
        return;
    };
    out.line("[environment.traffic]");
    let why = match switch.is_known {
        true => {
            "the Services' selectors and the pods have it, with two values that people use for colours"
        }
        false => {
            "the Services' selectors and the pods have it, with two values, and both run the same images"
        }
    };
    let others: Vec<String> = switch.others.iter().map(Safe::to_string).collect();
    out.note(&format!("{}{}.", capital(why), also(&others)));
    out.pair("key", &switch.key);
    let list = |names: &[Safe]| {
        names
            .iter()
            .map(|name| quoted(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    out.line(&format!("colours = [{}]", list(&switch.colours)));
    let pinned = match &switch.pinned[..] {
        [] => String::new(),
        names => format!(
            " Not {}: by their names they stay with one colour, or lead to the one that is not live.",
            names.join(", ")
        ),
    };
    out.note(&format!("Every Service whose selector has the key.{pinned} They are switched in this order, and back in the opposite one: put it right."));
    out.line(&format!("services = [{}]", list(&switch.services)));
}

fn own_monitoring(out: &mut Toml, place: &Place, shared: &Shared<'_>) {
    if let Some(monitor) = &place.prometheus {
        out.line("");
        out.line("[environment.prometheus]");
        if shared.prometheus.is_none() {
            out.note(&format!(
                "The Service of this cluster that is named, labelled and numbered so{}.",
                also(&monitor.others)
            ));
            out.pair("service", &monitor.address());
            watchdog(out, place.watchdog.as_ref());
        }
        out.note("An alert with another value belongs elsewhere; one without the label concerns everybody.");
        out.line(&format!(
            "match = {{ namespace = {} }}",
            quoted(&place.namespace)
        ));
    }
    if let (Some(monitor), None) = (&place.alertmanager, shared.alertmanager) {
        out.line("");
        out.line("[environment.alertmanager]");
        out.note(&format!("Found like Prometheus{}.", also(&monitor.others)));
        out.pair("service", &monitor.address());
    }
}

fn workloads(out: &mut Toml, place: &Place) {
    for part in &place.parts.all {
        out.line("");
        out.line("[[environment.workload]]");
        let noun = match part.deployments.len() {
            1 => "The Deployment",
            _ => "The Deployments",
        };
        out.note(&format!("{noun} {}.", part.deployments.join(", ")));
        out.pair("name", &part.name);
        let (key, value) = &part.label;
        out.line(&format!("labels = {{ {} = {} }}", bare(key), quoted(value)));
        if part.is_named {
            out.note("No label tells the parts apart, so they are named.");
            let names: Vec<_> = part.deployments.iter().map(|name| quoted(name)).collect();
            out.line(&format!("deployments = [{}]", names.join(", ")));
        }
    }
}

/// What else there was.
fn also(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!("; there is also {}", others.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
}
