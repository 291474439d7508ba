//! The API's JSON, with every field of GitHub's schema.

use super::WORKFLOW;
use super::people::{signature, user};
use super::run::{Ending, Job, Run, Standing, Step};
use crate::demo::random::hex_of;
use crate::demo::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The workflow's file name.
pub(super) const FILE: &str = "digital-wall-ci-cd.yml";
const WORKFLOW_ID: u64 = 61_407_233;
const REPOSITORY_ID: u64 = 702_114_096;
const HTML: &str = "https://github.com/acme/digital-wall";
const YEAR: i64 = 365 * 86_400_000;

/// Whether a workflow is ours, by its file name or id.
pub(super) fn is_workflow(name: &str) -> bool {
    name == FILE || name == WORKFLOW_ID.to_string()
}

fn here(base: &str) -> String {
    format!("{base}/repos/acme/digital-wall")
}

/// The links of a repository that are only paths below it.
const LINKS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// The repository as runs carry it.
fn small_repository(base: &str) -> Value {
    let mut repository = json!({
        "id": REPOSITORY_ID, "node_id": "R_kgDOKdl8cA", "name": "digital-wall", "full_name": "acme/digital-wall",
        "private": true, "owner": user("acme"), "html_url": HTML, "description": "A wall for everybody's pictures",
        "fork": false,
    });
    for (name, path) in LINKS {
        repository[name] = json!(format!("{}{path}", here(base)));
    }
    repository
}

/// The repository as `GET /repos/{owner}/{repo}` shows it.
pub(super) fn repository(base: &str) -> Value {
    let mut all = small_repository(base);
    let sites = json!({
        "ssh_url": "git@github.com:acme/digital-wall.git", "clone_url": format!("{HTML}.git"), "git_url": "git://github.com/acme/digital-wall.git",
        "svn_url": HTML, "mirror_url": null, "homepage": "https://digitalwall.app",
        "created_at": "2024-02-11T09:14:02Z", "updated_at": "2026-11-20T16:02:41Z", "pushed_at": "2026-11-23T11:31:05Z",
    });
    let more = json!({
        "default_branch": "main", "visibility": "private", "archived": false, "disabled": false, "size": 48_211,
        "language": "TypeScript", "topics": ["fastapi", "nextjs"], "license": null, "has_issues": true, "has_projects": true, "has_downloads": true, "has_wiki": false,
        "has_pages": false, "has_discussions": false, "forks": 1, "forks_count": 1, "open_issues": 7, "open_issues_count": 7,
        "stargazers_count": 4, "watchers": 4, "watchers_count": 4, "network_count": 1, "subscribers_count": 6,
        "allow_forking": true, "is_template": false, "web_commit_signoff_required": false, "temp_clone_token": "",
        "permissions": {"admin": false, "maintain": false, "push": true, "triage": true, "pull": true},
    });
    for part in [sites, more] {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
    }
    all
}

/// The workflow.
pub(super) fn workflow(world: &World, base: &str) -> Value {
    json!({
        "id": WORKFLOW_ID, "node_id": "W_kwDOKdl8cM4DqPwB", "name": "Digital Wall CI/CD", "path": format!(".github/workflows/{FILE}"),
        "state": "active", "created_at": world.time_at(-2 * YEAR), "updated_at": world.time_at(-YEAR / 4),
        "url": format!("{}/actions/workflows/{WORKFLOW_ID}", here(base)),
        "html_url": format!("{HTML}/blob/main/.github/workflows/{FILE}"),
        "badge_url": format!("{HTML}/workflows/Digital%20Wall%20CI/CD/badge.svg"),
    })
}

/// The workflow's file, with the line breaks that GitHub puts into base64.
pub(super) fn contents(base: &str, reference: &str) -> Value {
    let reference = if reference.is_empty() {
        "main"
    } else {
        reference
    };
    let mut content = String::new();
    for line in STANDARD.encode(WORKFLOW).as_bytes().chunks(60) {
        content.push_str(&String::from_utf8_lossy(line));
        content.push('\n');
    }
    let path = format!(".github/workflows/{FILE}");
    let sha = hex_of(WORKFLOW, 40);
    let (url, html) = (
        format!("{}/contents/{path}?ref={reference}", here(base)),
        format!("{HTML}/blob/{reference}/{path}"),
    );
    let git = format!("{}/git/blobs/{sha}", here(base));
    json!({
        "name": FILE, "path": path, "sha": sha, "size": WORKFLOW.len(), "url": url, "html_url": html, "git_url": git,
        "download_url": format!("https://raw.githubusercontent.com/acme/digital-wall/{reference}/{path}"),
        "type": "file", "content": content, "encoding": "base64", "_links": {"self": url, "git": git, "html": html},
    })
}

/// A run.
pub(super) fn run(world: &World, base: &str, run: &Run) -> Value {
    let (here, id, attempt) = (here(base), run.id, run.attempt());
    let url = format!("{here}/actions/runs/{id}");
    let suite = 30_800_000_000 + run.number * 2_027;
    let before = (attempt > 1).then(|| format!("{url}/attempts/{}", attempt - 1));
    let standing = run.standing(world.now);
    let title = match run.event {
        "workflow_dispatch" => "Digital Wall CI/CD",
        _ => run.title.as_str(),
    };
    json!({
        "id": id, "name": "Digital Wall CI/CD", "node_id": format!("WFR_kwLOKdl8cM8{id:016x}"), "head_branch": run.branch,
        "head_sha": run.sha, "path": format!(".github/workflows/{FILE}"), "display_title": title, "run_number": run.number,
        "event": run.event, "status": standing.status(), "conclusion": standing.conclusion(), "workflow_id": WORKFLOW_ID,
        "check_suite_id": suite, "check_suite_node_id": format!("CS_kwDOKdl8cM8{suite:016x}"), "url": url,
        "html_url": format!("{HTML}/actions/runs/{id}"), "pull_requests": [], "created_at": world.time_at(run.created),
        "updated_at": world.time_at(run.updated(world.now)), "actor": user(run.actor), "run_attempt": attempt,
        "referenced_workflows": [], "run_started_at": world.time_at(run.started()), "triggering_actor": user(run.actor),
        "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"), "check_suite_url": format!("{here}/check-suites/{suite}"),
        "artifacts_url": format!("{url}/artifacts"), "cancel_url": format!("{url}/cancel"), "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": before, "workflow_url": format!("{here}/actions/workflows/{WORKFLOW_ID}"),
        "head_commit": head_commit(world, run), "repository": small_repository(base), "head_repository": head_repository(base, run),
    })
}

/// A fork that is gone is null.
fn head_repository(base: &str, run: &Run) -> Value {
    match run.branch {
        Some(_) => small_repository(base),
        None => Value::Null,
    }
}

fn head_commit(world: &World, run: &Run) -> Value {
    json!({
        "id": run.sha, "tree_id": hex_of(&run.sha, 40), "message": run.title, "timestamp": world.time_at(run.created - 20_000),
        "author": signature(run.actor, None), "committer": {"name": "GitHub", "email": "noreply@github.com"},
    })
}

/// A job of an attempt.
pub(super) fn job(world: &World, base: &str, run: &Run, attempt: usize, job: &Job) -> Value {
    let (here, id, standing) = (here(base), job.id, job.standing(world.now));
    let began = matches!(standing, Standing::Running | Standing::Over(_));
    let has_runner = began && job.ending != Ending::Skipped;
    let is_over = matches!(standing, Standing::Over(_));
    let system = if job.name == "mobile-ci" {
        "macos-latest"
    } else {
        "ubuntu-latest"
    };
    let steps: Vec<Value> = match has_runner {
        true => (1..)
            .zip(&job.steps)
            .map(|(number, one)| step(world, number, one))
            .collect(),
        false => Vec::new(),
    };
    let runner = |value: Value| if has_runner { value } else { Value::Null };
    json!({
        "id": id, "run_id": run.id, "workflow_name": "Digital Wall CI/CD", "head_branch": run.branch,
        "run_url": format!("{here}/actions/runs/{}", run.id), "run_attempt": attempt, "node_id": format!("CR_kwDOKdl8cM8{id:016x}"),
        "head_sha": run.sha, "url": format!("{here}/actions/jobs/{id}"), "html_url": format!("{HTML}/actions/runs/{}/job/{id}", run.id),
        "status": standing.status(), "conclusion": standing.conclusion(), "created_at": world.time_at(job.queued),
        "started_at": world.time_at(if began { job.began } else { job.queued }),
        "completed_at": is_over.then(|| world.time_at(job.ended)), "name": job.name, "steps": steps,
        "check_run_url": format!("{here}/check-runs/{id}"), "labels": [system],
        "runner_id": runner(json!(1_000 + id % 100)), "runner_name": runner(json!(format!("GitHub Actions {}", id % 100))),
        "runner_group_id": runner(json!(0)), "runner_group_name": runner(json!("GitHub Actions")),
    })
}

fn step(world: &World, number: u64, step: &Step) -> Value {
    let standing = step.standing(world.now);
    let began = matches!(standing, Standing::Running | Standing::Over(_));
    let is_over = matches!(standing, Standing::Over(_));
    let status = if standing == Standing::Queued {
        "pending"
    } else {
        standing.status()
    };
    json!({
        "name": step.name, "status": status, "conclusion": standing.conclusion(), "number": number,
        "started_at": began.then(|| world.time_at(step.began)), "completed_at": is_over.then(|| world.time_at(step.ended)),
    })
}

/// The id of production's environment at GitHub.
pub(super) const PRODUCTION_ID: u64 = 1_161_224_810;

fn environment(base: &str, name: &str) -> Value {
    json!({"id": PRODUCTION_ID, "node_id": "EN_kwDOKdl8cM5FNxMq", "name": name,
        "url": format!("{}/environments/{name}", here(base)), "html_url": format!("{HTML}/deployments/activity_log?environments_filter={name}")})
}

/// What was decided about what a run waited for, as the history of its reviews tells it.
pub(super) fn approvals(world: &World, base: &str, run: &Run) -> Value {
    let all = run.reviews.iter().map(|review| {
        let mut environment = environment(base, &review.environment);
        environment["created_at"] = world.time_at(-YEAR).into();
        environment["updated_at"] = world.time_at(-YEAR / 4).into();
        json!({"environments": [environment], "state": review.word, "user": user("erin"), "comment": review.comment})
    });
    all.collect()
}

/// The deployment of a run to production.
pub(super) fn deployment(world: &World, base: &str, run: &Run) -> Value {
    let (here, id) = (here(base), 1_800_000_000 + run.number);
    let url = format!("{here}/deployments/{id}");
    json!({
        "url": url, "id": id, "node_id": format!("DE_kwDOKdl8cM{id:08x}"), "sha": run.sha, "ref": run.branch, "task": "deploy",
        "payload": {}, "original_environment": "production", "environment": "production", "description": null, "creator": user(run.actor),
        "created_at": world.time_at(run.created), "updated_at": world.time_at(world.now), "statuses_url": format!("{url}/statuses"),
        "repository_url": here, "transient_environment": false, "production_environment": true,
    })
}

/// The environments that wait for somebody's approval.
pub(super) fn pending(world: &World, base: &str, run: &Run) -> Value {
    let waiting = run.jobs.iter().filter(|job| job.waits(world.now));
    let environments = waiting.map(|job| {
        json!({
            "environment": environment(base, job.environment()),
            "wait_timer": 0, "wait_timer_started_at": world.time_at(job.queued), "current_user_can_approve": true,
            "reviewers": [{"type": "User", "reviewer": user("carol")}, {"type": "User", "reviewer": user("erin")}],
        })
    });
    environments.collect()
}

/// The commit of a run.
pub(super) fn commit(world: &World, base: &str, run: &Run, parent: Option<&str>) -> Value {
    let (sha, here) = (&run.sha, here(base));
    let date = world.time_at(run.created - 20_000);
    let tree = hex_of(sha, 40);
    let parents: Vec<Value> = parent
        .iter()
        .map(|sha| json!({"sha": sha, "url": format!("{here}/commits/{sha}"), "html_url": format!("{HTML}/commit/{sha}")}))
        .collect();
    json!({
        "sha": sha, "node_id": format!("C_kwDOKdl8cNoAKD{}", &tree[..32]),
        "commit": {
            "author": signature(run.actor, Some(&date)), "committer": {"name": "GitHub", "email": "noreply@github.com", "date": date},
            "message": run.title, "tree": {"sha": tree, "url": format!("{here}/git/trees/{tree}")},
            "url": format!("{here}/git/commits/{sha}"), "comment_count": 0,
            "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null},
        },
        "url": format!("{here}/commits/{sha}"), "html_url": format!("{HTML}/commit/{sha}"),
        "comments_url": format!("{here}/commits/{sha}/comments"), "author": user(run.actor), "committer": user(run.actor), "parents": parents,
    })
}
