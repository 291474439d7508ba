//! What GitHub refuses: wrong, expired, without scope, not authorised; renamed or missing.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::server::{Answer, Asked, json as said};
use super::world::{TOKEN, Told, World, at, file, told};

const REPOSITORY: &str = "/gh/repos/acme/wall";
const WORKFLOW: &str = "/gh/repos/acme/wall/actions/workflows/ci.yml";
const FILE: &str = "/gh/repos/acme/wall/contents/.github/workflows/ci.yml";

fn refused(status: u16, headers: &'static str, message: &str) -> Answer {
    Answer::Full(status, headers, json!({"message": message}).to_string())
}

fn is_github(asked: &Asked) -> bool {
    asked.path.starts_with("/gh/")
}

#[tokio::test]
async fn a_world_that_is_well_is_ok_but_for_the_servers_clock() {
    let told = told(|_| None).await;
    for place in ["machine", "github", "production"] {
        assert_eq!(told.troubled(place), [""; 0], "{:#}", told.all);
    }
    told.check("production", "clock", "")
        .says("BAD", &["s from this machine's"]);
    assert_eq!((told.code, &told.all["verdict"]), (1, &"BAD".into()));
    told.check("production", "credential", "")
        .says("OK", &["token of alice"]);
    told.check("production", "workload", "web")
        .says("OK", &["blue-web, green-web"]);
}

#[tokio::test]
async fn g05_a_wrong_token_is_a_sentence_and_hides_nothing_else() {
    let told = told(|asked| is_github(asked).then(|| refused(401, "", "Bad credentials"))).await;
    let token = told.check("github", "token", "");
    token.says(
        "BAD",
        &[
            "does not accept the token of",
            "Bad credentials",
            "expired?",
            "put a new token into",
        ],
    );
    assert_eq!(told.troubled("production"), [""; 0], "{:#}", told.all);
    assert_eq!(told.code, 1);
}

#[tokio::test]
async fn a_token_that_ends_soon_or_ended_is_bad_before_it_is_refused() {
    const PAST: &str = "github-authentication-token-expiration: 2026-11-20 10:00:00 UTC\r\n";
    let past = told(at("/gh/rate_limit", || {
        Answer::Full(200, PAST, "{}".into())
    }))
    .await;
    past.check("github", "token", "")
        .says("BAD", &["ended", "2026-11-20T10:00:00Z"]);
    const FAR: &str = "github-authentication-token-expiration: 2199-01-01 00:00:00 +0000\r\nX-OAuth-Scopes: repo, read:org\r\n";
    let far = told(at("/gh/rate_limit", || Answer::Full(200, FAR, "{}".into()))).await;
    far.check("github", "token", "")
        .says("OK", &["classic with repo, read:org", "2199-01-01"]);
}

#[tokio::test]
async fn a_token_without_the_scope_or_the_permission_is_told_what_it_lacks() {
    const SCOPES: &str = "X-OAuth-Scopes: gist\r\n";
    let classic = told(|asked| match asked.path.as_str() {
        "/gh/rate_limit" => Some(Answer::Full(200, SCOPES, "{}".into())),
        path if path.starts_with(REPOSITORY) => Some(refused(404, "", "Not Found")),
        _ => None,
    })
    .await;
    classic
        .check("github", "token", "")
        .says("OK", &["classic with gist"]);
    let repository = classic.check("github", "repository", "");
    repository.says(
        "BAD",
        &[
            "no repository acme/wall",
            "hidden from",
            "lacks the scope `repo`",
        ],
    );

    const NEEDS: &str = "X-Accepted-GitHub-Permissions: actions=read\r\n";
    let message = "Resource not accessible by personal access token";
    let fine =
        told(move |asked| (asked.path == WORKFLOW).then(|| refused(403, NEEDS, message))).await;
    fine.check("github", "workflow", "")
        .says("BAD", &["needs the permission actions=read"]);
    fine.check("github", "repository", "")
        .says("OK", &["acme/wall", "private"]);
}

#[tokio::test]
async fn g05_a_token_that_single_sign_on_does_not_know_is_led_to_where_it_is_authorised() {
    const SSO: &str =
        "X-GitHub-SSO: required; url=https://github.com/orgs/acme/sso?authorization_request=A1\r\n";
    let told = told(|asked| {
        let is_theirs = asked.path.starts_with(REPOSITORY);
        is_theirs.then(|| {
            refused(
                403,
                SSO,
                "Resource protected by organization SAML enforcement.",
            )
        })
    })
    .await;
    for name in ["repository", "workflow"] {
        let check = told.check("github", name, "");
        check.says(
            "BAD",
            &[
                "single sign-on",
                "https://github.com/orgs/acme/sso?authorization_request=A1",
                "authorise the token there",
            ],
        );
    }
    told.check("github", "token", "")
        .says("OK", &["is accepted"]);
}

#[tokio::test]
async fn a_workflow_that_was_renamed_switched_off_or_lost_its_job_is_told() {
    let renamed = told(|asked| match asked.path.as_str() {
        WORKFLOW => Some(refused(404, "", "Not Found")),
        "/gh/repos/acme/wall/actions/workflows" => Some(said(
            json!({"total_count": 1, "workflows": [{"path": ".github/workflows/release.yml"}]}),
        )),
        _ => None,
    })
    .await;
    renamed.check("github", "workflow", "").says(
        "BAD",
        &[
            "no workflow ci.yml (renamed?): it has release.yml",
            "github.workflow",
        ],
    );
    let off = told(at(WORKFLOW, || {
        said(json!({"name": "CI", "state": "disabled_inactivity"}))
    }))
    .await;
    off.check("github", "workflow", "")
        .says("BAD", &["disabled_inactivity", "gh workflow enable ci.yml"]);
    let lost = told(at(FILE, || {
        file("jobs:\n  test: {}\n  ship: {name: \"ship\\e[2J it\"}\n")
    }))
    .await;
    lost.check("github", "deploy", "production")
        .says("BAD", &["no job deploy-production", "test", "deploy.job"]);
    let made = told(at(FILE, || {
        file("jobs:\n  d: {name: 'to ${{ matrix.to }}'}\n")
    }))
    .await;
    made.check("github", "deploy", "production")
        .says("UNKNOWN", &["from expressions"]);
    let branch = told(at(FILE, || refused(404, "", "Not Found"))).await;
    branch
        .check("github", "deploy", "production")
        .says("BAD", &["branch main", "deploy.branch"]);
}

#[tokio::test]
async fn a_repository_that_does_not_exist_moved_or_rests_is_told() {
    let none = told(|asked| {
        asked
            .path
            .starts_with(REPOSITORY)
            .then(|| refused(404, "", "Not Found"))
    })
    .await;
    none.check("github", "repository", "").says(
        "BAD",
        &["there is no repository acme/wall", "github.repository"],
    );
    let moved = told(at(REPOSITORY, || {
        said(json!({"full_name": "acme/big-wall"}))
    }))
    .await;
    moved
        .check("github", "repository", "")
        .says("BAD", &["is called acme/big-wall today"]);
    let rests = told(at(REPOSITORY, || {
        said(json!({"full_name": "acme/wall", "archived": true}))
    }))
    .await;
    rests
        .check("github", "repository", "")
        .says("BAD", &["archived"]);
}

#[tokio::test]
async fn c02_a_token_that_others_may_read_is_refused_with_the_command_and_nothing_is_sent() {
    let world = World::new(|_| None).await;
    let token = world.home.path().join("token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = world.doctor().await;
    told.check("github", "token", "")
        .says("BAD", &["others may read", "chmod 600"]);
    assert_eq!(world.server.count(is_github), 0);
    assert!(
        !world
            .server
            .asked()
            .iter()
            .any(|asked| asked.head.contains(TOKEN))
    );
    let unset = world.doctor_with(|text| {
        text.lines()
            .map(|line| match line.starts_with("token = ") {
                true => "token = { env = \"NO_SUCH_TOKEN\" }\n".to_owned(),
                false => format!("{line}\n"),
            })
            .collect()
    });
    unset.await.check("github", "token", "").says(
        "BAD",
        &[
            "$NO_SUCH_TOKEN is not set",
            "put a new token into $NO_SUCH_TOKEN",
        ],
    );
}

#[tokio::test]
async fn g03_a_budget_that_is_used_up_is_told_and_an_incident_is_unknown() {
    const EMPTY: &str =
        "X-RateLimit-Limit: 5000\r\nX-RateLimit-Remaining: 3\r\nX-RateLimit-Reset: 4000000000\r\n";
    let few = told(at("/gh/rate_limit", || {
        Answer::Full(200, EMPTY, "{}".into())
    }))
    .await;
    few.check("github", "budget", "")
        .says("BAD", &["3 of 5000"]);
    let down = told(|asked| is_github(asked).then(|| refused(502, "", "Server Error"))).await;
    down.check("github", "token", "")
        .says("UNKNOWN", &["failed (502)", "ask again later"]);
}

/// What `doctor` says of a deployment whose workflow has this file, at its reference.
async fn deployed(text: &'static str) -> Told {
    const DEPLOY: &str = "/gh/repos/acme/wall/contents/.github/workflows/deploy.yml";
    let world = World::new(move |asked| {
        let is_it = asked.path == DEPLOY && asked.query.contains("ref=v2");
        is_it.then(|| file(text))
    });
    let deployment = "[environment.deployment]\nstrategy = \"workflow\"\nworkflow = \"deploy.yml\"\nref = \"v2\"\ninputs = { colour = \"{colour}\", operation = \"{operation}\" }\n[environment.traffic]";
    world
        .await
        .doctor_with(|text| text.replace("[environment.traffic]", deployment))
        .await
}

#[tokio::test]
async fn a_workflow_that_a_deploy_starts_is_looked_at_where_it_stands_and_with_what_it_is_given() {
    let check = async |text, verdict: &str, words: &[&str]| {
        let told = deployed(text).await;
        told.check("github", "deployment", "production")
            .says(verdict, words);
    };
    let well = "on:\n  workflow_dispatch:\n    inputs:\n      colour: {required: true}\n      operation: {}\n      speed: {required: true, default: slow}\njobs: {}\n";
    check(well, "OK", &["deploy.yml of v2 can be started"]).await;
    check("on: push\njobs: {}\n", "BAD", &["no workflow_dispatch"]).await;
    let less = "on:\n  workflow_dispatch:\n    inputs:\n      colour: {}\n      to\u{202e}: {required: true}\njobs: {}\n";
    let said = [
        "declares no input operation",
        "needs to<U+202E>, which is not given",
        "deployment.inputs",
    ];
    check(less, "BAD", &said).await;
    check(
        "on: [workflow_dispatch]\njobs: {}\n",
        "BAD",
        &["no input colour, operation"],
    )
    .await;
    check("}", "BAD", &["cannot be read", "mend deploy.yml"]).await;
}

#[tokio::test]
async fn a_workflow_that_a_deploy_starts_and_that_is_not_there_is_told() {
    let world = World::new(|_| None).await;
    let deployment = "[environment.deployment]\nstrategy = \"workflow\"\nworkflow = \"deploy.yml\"\nref = \"v2\"\ninputs = { operation = \"{operation}\" }\n[environment.traffic]";
    let told = world
        .doctor_with(|text| text.replace("[environment.traffic]", deployment))
        .await;
    told.check("github", "deployment", "production").says(
        "BAD",
        &[
            "v2 has no deploy.yml",
            "no such branch or tag",
            "deployment.ref",
        ],
    );
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_what_starting_and_reviewing_need() {
    let told = told(|asked| is_github(asked).then(|| refused(401, "", "Bad credentials"))).await;
    let words = ["write Actions", "cancel its run", "write Deployments"];
    told.check("github", "token", "").says("BAD", &words);
}
