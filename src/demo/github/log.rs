//! What the jobs log: timestamps, groups and colours as the runner writes them.

use super::page::is_over;
use super::run::{Ending, Job, Run, Step};
use crate::demo::clock::wall;
use crate::demo::random::fnv64;
use crate::demo::world::World;
use std::fmt::Write as _;

/// The log of a job; nothing while it runs, and where it ran on no runner.
pub(super) fn of(world: &World, id: u64) -> Option<String> {
    let (run, job) = world.runs().find_map(|run| {
        let all = run.earlier.iter().flatten().chain(&run.jobs);
        all.into_iter()
            .find(|job| job.id == id)
            .map(|job| (run, job))
    })?;
    if !is_over(job.standing(world.now)) || job.steps.is_empty() {
        return None;
    }
    let mut text = String::from("\u{feff}");
    for step in job
        .steps
        .iter()
        .filter(|step| step.ending != Ending::Skipped)
    {
        write_step(&mut text, world, run, job, step);
    }
    Some(text)
}

fn write_step(text: &mut String, world: &World, run: &Run, job: &Job, step: &Step) {
    let lines = lines(run, job, step);
    let count = i64::try_from(lines.len()).unwrap_or(1).max(1);
    for (index, line) in (0..).zip(&lines) {
        let at = step.began + (step.ended - step.began) * index / count;
        let time = wall(world.epoch, at).strftime("%Y-%m-%dT%H:%M:%S.%3f");
        let fraction = fnv64(line.as_bytes()) % 10_000;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{time}{fraction:04}Z {line}");
    }
}

fn lines(run: &Run, job: &Job, step: &Step) -> Vec<String> {
    let mut lines = match step.name {
        "Set up job" => setup(job),
        "Complete job" => vec!["Cleaning up orphan processes".to_owned()],
        "Post Run actions/checkout@v4" => vec![
            "Post job cleanup.".to_owned(),
            "[command]/usr/bin/git version".to_owned(),
        ],
        "Initialize containers" => containers(),
        "Stop containers" => vec![
            "Print service container logs: postgres".to_owned(),
            "Stop and remove container: redis".to_owned(),
        ],
        name if name.starts_with("Run ") => action(name, run),
        name => command(name, job, run),
    };
    if step.ending == Ending::Failure {
        lines.extend(failure(step.name));
        lines.push("##[error]Process completed with exit code 1.".to_owned());
    }
    lines
}

fn setup(job: &Job) -> Vec<String> {
    [
        "Current runner version: '2.329.0'",
        "##[group]Operating System",
        if job.name == "mobile-ci" {
            "macOS"
        } else {
            "Ubuntu"
        },
        if job.name == "mobile-ci" {
            "15.7.1"
        } else {
            "24.04.3"
        },
        "##[endgroup]",
        "##[group]GITHUB_TOKEN Permissions",
        "Contents: read",
        "Packages: write",
        "SecurityEvents: write",
        "##[endgroup]",
        "Secret source: Actions",
        "Prepare workflow directory",
        "Prepare all required actions",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn containers() -> Vec<String> {
    [
        "##[group]Starting postgres service container",
        "##[command]/usr/bin/docker pull postgres:15",
        "##[endgroup]",
        "##[group]Starting redis service container",
        "##[command]/usr/bin/docker pull redis:7",
        "##[endgroup]",
        "##[group]Waiting for all services to be ready",
        "postgres service is healthy.",
        "redis service is healthy.",
        "##[endgroup]",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn action(name: &str, run: &Run) -> Vec<String> {
    let mut lines = vec![
        format!("##[group]{name}"),
        "with:".to_owned(),
        "  token: ***".to_owned(),
        "##[endgroup]".to_owned(),
    ];
    if name.contains("checkout") {
        lines.extend([
            "Syncing repository: acme/digital-wall".to_owned(),
            format!(
                "HEAD is now at {} {}",
                run.sha.get(..7).unwrap_or(&run.sha),
                run.title
            ),
        ]);
    }
    if name.contains("paths-filter") {
        for part in ["frontend", "backend", "mobile", "infrastructure"] {
            let is_changed = run.parts.iter().any(|changed| changed == part);
            lines.extend([
                format!("##[group]Filter {part} = {is_changed}"),
                "##[endgroup]".to_owned(),
            ]);
        }
    }
    lines
}

/// The shell's part of a step: what is run, and what it says.
fn command(name: &str, job: &Job, run: &Run) -> Vec<String> {
    let (script, said): (&str, &[&str]) = match (name, job.name) {
        ("Install dependencies", "backend-ci") => (
            "pipx install poetry && poetry install",
            &[
                "Installing dependencies from lock file",
                "Package operations: 84 installs, 0 updates, 0 removals",
            ],
        ),
        ("Install dependencies", _) => (
            "npm ci",
            &[
                "added 1148 packages, and audited 1149 packages in 21s",
                "found \u{1b}[32m\u{1b}[1m0\u{1b}[22m\u{1b}[39m vulnerabilities",
            ],
        ),
        ("Type check", "backend-ci") => (
            "poetry run mypy app",
            &["\u{1b}[1m\u{1b}[32mSuccess: no issues found in 71 source files\u{1b}[m"],
        ),
        ("Type check", _) => ("npm run type-check", &["> tsc --noEmit"]),
        ("Lint", _) => (
            "npm run lint",
            &["\u{1b}[32m✔\u{1b}[39m No ESLint warnings or errors"],
        ),
        ("Check format", _) => (
            "poetry run black --check . && poetry run isort --check .",
            &["All done! ✨ 🍰 ✨", "98 files would be left unchanged."],
        ),
        ("Security check", _) => ("poetry run bandit -r app", &["No issues identified."]),
        ("Unit tests", "backend-ci") => (
            "poetry run pytest --cov=app",
            &[
                "\u{1b}[1m============================= test session starts ==============================\u{1b}[0m",
                "platform linux -- Python 3.11.14, pytest-8.4.2, pluggy-1.6.0",
                "collected 214 items",
                "tests/test_walls.py \u{1b}[32m.\u{1b}[0m\u{1b}[32m.\u{1b}[0m\u{1b}[32m.\u{1b}[0m\u{1b}[32m                                          [ 62%]\u{1b}[0m",
            ],
        ),
        ("Unit tests", _) => (
            "npm run test:coverage",
            &[
                "\u{1b}[0m\u{1b}[7m\u{1b}[1m\u{1b}[32m PASS \u{1b}[39m\u{1b}[22m\u{1b}[27m\u{1b}[0m src/wall/tiles.test.tsx",
                "Tests:       \u{1b}[1m\u{1b}[32m318 passed\u{1b}[39m\u{1b}[22m, 318 total",
            ],
        ),
        ("Build image", _) => (
            "docker build",
            &[
                "#1 [internal] load build definition from Dockerfile",
                "#12 exporting to image",
                "#12 DONE 4.1s",
            ],
        ),
        ("Scan image", _) => (
            "trivy image --format sarif",
            &[
                "\u{1b}[34mINFO\u{1b}[0m\tDetected OS\tfamily=\"alpine\" version=\"3.20.3\"",
                "\u{1b}[34mINFO\u{1b}[0m\tNumber of language-specific files\tnum=1",
            ],
        ),
        ("End-to-end tests", _) => (
            "cd e2e-tests && npm ci && npm test",
            &[
                "Running 46 tests using 2 workers",
                "  \u{1b}[32m✓\u{1b}[39m  1 [chromium] › wall.spec.ts:12:5 › opens a wall (1.8s)",
            ],
        ),
        ("Deploy with Helm", _) => (
            "helm upgrade --install digital-wall ./k8s/digital-wall --wait",
            &[
                "Release \"digital-wall\" has been upgraded. Happy Helming!",
                "STATUS: deployed",
            ],
        ),
        ("Smoke tests", _) => (
            "cd smoke-tests && npm ci && npm run test",
            &[
                "  \u{1b}[32m✓\u{1b}[39m health of the backend (84ms)",
                "  \u{1b}[32m✓\u{1b}[39m the wall opens (412ms)",
            ],
        ),
        ("Switch traffic", _) => (
            "kubectl patch service digital-wall-service",
            &["service/digital-wall-service patched"],
        ),
        _ => ("true", &["done"]),
    };
    let mut lines = vec![
        format!("##[group]Run {script}"),
        format!("\u{1b}[36;1m{script}\u{1b}[0m"),
        "shell: /usr/bin/bash -e {0}".to_owned(),
        "env:".to_owned(),
        "  REGISTRY: ghcr.io".to_owned(),
        "##[endgroup]".to_owned(),
    ];
    lines.extend(said.iter().map(|line| (*line).to_owned()));
    if name == "Build image" {
        lines.push(format!(
            "#12 naming to ghcr.io/acme/digitalwall-{}:{}",
            job.name.trim_end_matches("-ci"),
            run.sha
        ));
    }
    lines
}

/// What a step that fails says last.
fn failure(name: &str) -> Vec<String> {
    let lines: &[&str] = match name {
        "Unit tests" => &[
            "=================================== FAILURES ===================================",
            "\u{1b}[31m\u{1b}[1m_____________________ test_layout_survives_the_migration ______________________\u{1b}[0m",
            "\u{1b}[1m\u{1b}[31mtests/test_layouts.py\u{1b}[0m:48: in test_layout_survives_the_migration",
            "    assert layout.tiles == before.tiles",
            "\u{1b}[1m\u{1b}[31mE   AssertionError: assert [] == [Tile(id=1), Tile(id=2)]\u{1b}[0m",
            "\u{1b}[36m\u{1b}[1m=========================== short test summary info ============================\u{1b}[0m",
            "\u{1b}[31mFAILED\u{1b}[0m tests/test_layouts.py::\u{1b}[1mtest_layout_survives_the_migration\u{1b}[0m - AssertionError: assert [] == [Tile(id=1), Tile(id=2)]",
            "\u{1b}[31mFAILED\u{1b}[0m tests/test_layouts.py::\u{1b}[1mtest_an_empty_layout_is_kept\u{1b}[0m - sqlalchemy.exc.ProgrammingError: column \"layout\" is of type jsonb",
            "\u{1b}[31m================== \u{1b}[31m\u{1b}[1m2 failed\u{1b}[0m, \u{1b}[32m212 passed\u{1b}[0m\u{1b}[31m in 41.87s\u{1b}[0m\u{1b}[31m ==================\u{1b}[0m",
        ],
        "End-to-end tests" => &[
            "  \u{1b}[31m✘\u{1b}[39m  31 [chromium] › crop.spec.ts:27:5 › crops an image (30.0s)",
            "    \u{1b}[31mTest timeout of 30000ms exceeded.\u{1b}[39m",
            "    Error: page.goto: net::ERR_NAME_NOT_RESOLVED at http://backend:8000/api/uploads",
            "  \u{1b}[31m1 failed\u{1b}[39m",
            "  \u{1b}[32m45 passed\u{1b}[39m (1.4m)",
        ],
        _ => &["##[error]The step failed."],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}
