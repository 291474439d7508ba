//! What is asked of GitHub: the token and what it opens, the repository, the workflow, and in its file
//! the jobs that deploy.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::cluster::{MONTHS, certificate, ending, skew, timed};
use super::finding::{Finding, Section};
use crate::clients::github::{self, Github, InputSaid, Limits, Target, TokenFrom, TokenSaid};
use crate::clients::kubernetes::Proxies;
use crate::estate::runs::{Deploys, Needs, RepositoryScope};
use crate::estate::{Fault, FaultKind, Safe};
use crate::ops::plan::Workflow;

/// Requests below which polls pause (the client keeps them for what people do).
const FEW: u32 = 50;

/// A workflow that deploys an environment, by the environment's name.
pub(super) type Started = (Safe, Workflow);

/// The repository.
pub(super) async fn section(
    target: &Target,
    scope: &RepositoryScope,
    started: &[Started],
    limit: Duration,
) -> Section {
    Section {
        place: "github".into(),
        title: Safe::new(&format!("github: {} at {}", target.repository, target.api)),
        findings: findings(target, scope, started, limit).await,
    }
}

async fn findings(
    target: &Target,
    scope: &RepositoryScope,
    started: &[Started],
    limit: Duration,
) -> Vec<Finding> {
    let limits = Limits {
        whole: limit,
        gh: limit.min(Limits::default().gh),
        ..Limits::default()
    };
    let github = match github::connect_within(target, limits, Proxies::from_environment()).await {
        Ok(github) => github,
        Err(fault) => {
            return vec![
                Finding::fault("token", "", &fault, &source(target)),
                Finding::unasked("repository", "there is no token"),
                Finding::unasked("workflow", "there is no token"),
            ];
        }
    };
    let deploys = join_all(scope.deploys.iter().map(async |deploy| {
        let needs = github.needs(Some(&deploy.branch)).await;
        job(target, deploy, needs)
    }));
    let started = join_all(started.iter().map(async |(of, workflow)| {
        let inputs = github.inputs(&workflow.file, &workflow.reference).await;
        dispatched(target, of, workflow, inputs)
    }));
    // github.com renews its own.
    let own = async {
        match target.api.contains("://api.github.com") {
            true => None,
            false => certificate(&target.api, limit).await,
        }
    };
    let ((token, now), repository, workflow, deploys, started, own) = futures::join!(
        timed(github.token()),
        github.repository(),
        github.workflow(),
        deploys,
        started,
        own
    );
    let is_away = |fault: &Fault| matches!(fault.kind, FaultKind::Unreachable | FaultKind::Tls);
    let mut findings = token_findings(&token, target, now);
    findings.extend(own);
    if let Err(fault) = &token
        && is_away(fault)
    {
        // One line instead of the same words of every question.
        findings
            .extend(["repository", "workflow"].map(|name| Finding::unasked(name, "see `token`")));
        return findings;
    }
    findings.push(repository_finding(&github, repository, &token, target));
    findings.push(match workflow {
        Ok(said) if said.state.as_str() == "active" => Finding::ok(
            "workflow",
            "",
            &format!("{} ({})", target.workflow, said.name),
        ),
        Ok(said) => {
            let why = format!("{} is {}: it does not run", target.workflow, said.state);
            let advice = format!(
                "`gh workflow enable {} --repo {}`",
                target.workflow, target.repository
            );
            Finding::bad("workflow", "", &why, &advice)
        }
        Err(fault) => {
            let advice = match fault.kind {
                FaultKind::Missing => "correct github.workflow".to_owned(),
                _ => on(&fault, target),
            };
            Finding::fault("workflow", "", &fault, &advice)
        }
    });
    findings.extend(deploys);
    findings.extend(started);
    findings
}

fn token_findings(
    said: &Result<TokenSaid, Fault>,
    target: &Target,
    now: Timestamp,
) -> Vec<Finding> {
    let said = match said {
        Ok(said) => said,
        Err(fault) => return vec![Finding::fault("token", "", fault, &on(fault, target))],
    };
    let kind = match (&target.token, &said.scopes) {
        (TokenFrom::None, _) => "none: a public repository, 60 requests an hour".to_owned(),
        (_, Some(scopes)) if scopes.is_empty() => {
            format!("{} is accepted, classic without a scope", said.source)
        }
        (_, Some(scopes)) => format!(
            "{} is accepted, classic with {}",
            said.source,
            scopes.join(", ")
        ),
        (_, None) => format!(
            "{} is accepted, with permissions instead of scopes",
            said.source
        ),
    };
    let advice = source(target);
    let token = match target.token {
        TokenFrom::None => Finding::ok("token", "", &kind),
        _ => ending("token", &kind, said.expires, MONTHS, now, &advice),
    };
    let mut findings = vec![token];
    if let Some(budget) = said.budget {
        let value = format!(
            "{} of {} requests left this hour",
            budget.remaining, budget.limit
        );
        findings.push(match budget.remaining {
            FEW.. => Finding::ok("budget", "", &value),
            _ if budget.limit < 1_000 && budget.remaining > 0 => Finding::ok("budget", "", &value),
            _ => {
                let advice =
                    "runs are not asked for until the hour is over; who else uses this account?";
                Finding::bad("budget", "", &value, advice)
            }
        });
    }
    findings.push(skew(said.server, now));
    findings
}

fn repository_finding(
    github: &Github,
    repository: Result<github::RepositorySaid, Fault>,
    token: &Result<TokenSaid, Fault>,
    target: &Target,
) -> Finding {
    const NAME: &str = "repository";
    match repository {
        Ok(said) if said.is_archived => Finding::bad(
            NAME,
            "",
            &format!("{} is archived: nothing runs there any more", said.name),
            "correct github.repository",
        ),
        Ok(said)
            if !said.name.is_empty() && !said.name.eq_ignore_ascii_case(&target.repository) =>
        {
            let why = format!("{} is called {} today", target.repository, said.name);
            Finding::bad(NAME, "", &why, "correct github.repository")
        }
        Ok(said) => {
            let kind = if said.is_private { "private" } else { "public" };
            Finding::ok(
                NAME,
                "",
                &format!("{} on {}, {kind}", target.repository, github.host()),
            )
        }
        Err(fault) => {
            let scopes = token.as_ref().ok().and_then(|said| said.scopes.as_ref());
            let lacks = scopes.filter(|all| !all.iter().any(|s| s.as_str() == "repo"));
            let advice = match (fault.kind, lacks) {
                (FaultKind::Missing, Some(_)) => {
                    "correct github.repository; if it is private, the token lacks the scope `repo`"
                        .to_owned()
                }
                (FaultKind::Missing, None) => {
                    "correct github.repository, or give the token this repository".to_owned()
                }
                _ => on(&fault, target),
            };
            Finding::fault(NAME, "", &fault, &advice)
        }
    }
}

/// Whether the job that deploys an environment stands in the workflow's file, as its branch has it.
fn job(target: &Target, deploy: &Deploys, needs: Result<Needs, Fault>) -> Finding {
    const NAME: &str = "deploy";
    let (file, branch, of) = (&target.workflow, &deploy.branch, &deploy.environment);
    let needs = match needs {
        Ok(needs) => needs,
        Err(fault) if fault.kind == FaultKind::Missing => {
            let why = format!("the branch {branch} has no {file}, or there is no such branch");
            return Finding::bad(NAME, of, &why, "correct deploy.branch of the environment");
        }
        Err(fault) if fault.what.contains("cannot be read") => {
            let advice = format!("mend {file} in {branch}");
            return Finding::fault(NAME, of, &fault, &advice);
        }
        Err(fault) => return Finding::fault(NAME, of, &fault, &on(&fault, target)),
    };
    // A called workflow's jobs are shown as `caller / job`, those of a matrix as `job (value)`.
    let head = deploy.job.split(" / ").next().unwrap_or_default();
    let bare = head.split(" (").next().unwrap_or_default();
    let is_it = |name: &&Safe| [deploy.job.as_str(), head, bare].contains(&name.as_str());
    match needs.order.iter().find(is_it) {
        Some(name) => Finding::ok(NAME, of, &format!("the job {name} in {file} of {branch}")),
        None if needs.order.iter().any(|name| name.contains("${{")) => {
            let why = format!(
                "{file} of {branch} makes names of jobs from expressions: {} may be one",
                deploy.job
            );
            Finding::unknown(NAME, of, &why, "compare deploy.job with a run's page")
        }
        None => {
            let why = format!(
                "{file} of {branch} has no job {}; it has {}",
                deploy.job,
                needs.order.join(", ")
            );
            Finding::bad(NAME, of, &why, "correct deploy.job of the environment")
        }
    }
}

/// Whether a deploy of that environment can start its workflow, as the file stands at its reference.
fn dispatched(
    target: &Target,
    of: &Safe,
    workflow: &Workflow,
    inputs: Result<Option<Vec<InputSaid>>, Fault>,
) -> Finding {
    const NAME: &str = "deployment";
    let (file, reference) = (&workflow.file, &workflow.reference);
    let declared = match inputs {
        Ok(Some(declared)) => declared,
        Ok(None) => {
            let why =
                format!("{file} of {reference} has no workflow_dispatch: nobody can start it");
            let advice = "add workflow_dispatch to its `on`, or correct deployment.workflow";
            return Finding::bad(NAME, of, &why, advice);
        }
        Err(fault) if fault.kind == FaultKind::Missing => {
            let why = format!("{reference} has no {file}, or there is no such branch or tag");
            let advice = "correct deployment.workflow or deployment.ref of the environment";
            return Finding::bad(NAME, of, &why, advice);
        }
        Err(fault) if fault.what.contains("cannot be read") => {
            let advice = format!("mend {file} in {reference}");
            return Finding::fault(NAME, of, &fault, &advice);
        }
        Err(fault) => return Finding::fault(NAME, of, &fault, &on(&fault, target)),
    };
    match mistaken(workflow, &declared) {
        Some(why) => {
            let advice = format!("correct deployment.inputs of the environment, or {file}");
            Finding::bad(NAME, of, &format!("{file} of {reference} {why}"), &advice)
        }
        None => Finding::ok(NAME, of, &format!("{file} of {reference} can be started")),
    }
}

/// What is wrong with the inputs that are given: GitHub refuses one that is not declared, and one that is needed and not
/// given.
fn mistaken(workflow: &Workflow, declared: &[InputSaid]) -> Option<String> {
    let given = &workflow.inputs;
    let is_declared = |name: &&Safe| declared.iter().any(|it| it.name == **name);
    let unknown: Vec<_> = given.keys().filter(|name| !is_declared(name)).collect();
    let missing = declared.iter().filter(|it| it.is_needed);
    let missing: Vec<_> = (missing.map(|it| &it.name))
        .filter(|name| !given.contains_key(*name))
        .collect();
    let list = |names: &[&Safe]| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        names.join(", ")
    };
    let mut told = Vec::new();
    if !unknown.is_empty() {
        told.push(format!("declares no input {}", list(&unknown)));
    }
    if !missing.is_empty() {
        told.push(format!("needs {}, which is not given", list(&missing)));
    }
    (!told.is_empty()).then(|| told.join("; it "))
}

/// How to come by a token, by where the configuration looks for it.
fn source(target: &Target) -> String {
    const NEEDS: &str = "fine-grained: read Actions and Contents; write Actions where a deploy starts a workflow and may cancel its run, write Deployments for reviews by `Y` and `J`; classic: the scope `repo`";
    match &target.token {
        TokenFrom::Env(name) => format!("put a new token into ${name} ({NEEDS})"),
        TokenFrom::File(path) => {
            format!(
                "put a new token into {}, mode 0600 ({NEEDS})",
                path.display()
            )
        }
        TokenFrom::GhCli => "`gh auth login`, or `gh auth refresh --scopes repo`".to_owned(),
        TokenFrom::None => format!("name one by github.token ({NEEDS})"),
    }
}

/// What to do about a fault of GitHub.
fn on(fault: &Fault, target: &Target) -> String {
    match fault.kind {
        // The address where that is done stands in the words.
        FaultKind::LoginNeeded if fault.what.contains("single sign-on") => {
            "authorise the token there, then ask again".to_owned()
        }
        FaultKind::LoginNeeded | FaultKind::Forbidden => source(target),
        FaultKind::Unreachable | FaultKind::Slow => {
            "is github.api right, are HTTPS_PROXY and NO_PROXY? Else ask again later".to_owned()
        }
        FaultKind::Tls => {
            "name your authority by github.ca_file; see this machine's clock".to_owned()
        }
        FaultKind::Malformed => {
            "is github.api right? A GitHub Enterprise server has https://HOST/api/v3".to_owned()
        }
        FaultKind::Missing => "correct github.repository and github.workflow".to_owned(),
        FaultKind::Config => "correct [github]".to_owned(),
        FaultKind::Busy | FaultKind::Server | FaultKind::Expired | FaultKind::Stopped => {
            "ask again later; GitHub's own state is on its status page".to_owned()
        }
    }
}
