//! `[github]` and `deploy`: what is accepted, and where each wrong value is found.

use std::path::PathBuf;

use wheelhouse::config::{Config, Deploy, Token};

const SMALL: &str = r#"title = "shop"
[[environment]]
name = "production"
tier = "production"
namespace = "shop"
DEPLOY
[[environment.workload]]
name = "web"
labels = { part = "web" }
[github]
repository = "acme/shop"
workflow = "ci.yml"
"#;

fn text(deploy: &str, more: &str) -> String {
    format!("{}{more}\n", SMALL.replace("DEPLOY", deploy))
}

fn refused(text: &str) -> String {
    Config::parse(text, "config.toml").unwrap_err().to_string()
}

#[test]
fn the_example_names_digital_walls_workflow_and_what_it_deploys() {
    let example = include_str!("../../config.example.toml");
    let (config, _) = Config::parse(example, "config.example.toml").unwrap();
    let github = config.github.unwrap();
    assert_eq!(github.repository, "acme/digital-wall");
    assert_eq!(github.workflow, "digital-wall-ci-cd.yml");
    assert_eq!(github.api, "https://api.github.com");
    assert_eq!(github.token, Some(Token::Env("GITHUB_TOKEN".into())));
    let deploys: Vec<_> = config
        .environments
        .iter()
        .map(|e| e.deploy.clone())
        .collect();
    let of = |job: &str, branch: &str| {
        Some(Deploy {
            job: job.into(),
            branch: branch.into(),
        })
    };
    assert_eq!(
        deploys,
        [
            None,
            of("deploy-staging", "develop"),
            of("deploy-production", "main")
        ]
    );
}

#[test]
fn each_reference_to_a_token_is_read_and_the_api_of_an_enterprise_server() {
    let token = |more: &str| {
        let (config, warnings) = Config::parse(&text("", more), "x").unwrap();
        assert_eq!(warnings, []);
        config.github.unwrap().token
    };
    assert_eq!(token(""), None);
    assert_eq!(
        token("token = { env = \"GH_TOKEN\" }"),
        Some(Token::Env("GH_TOKEN".into()))
    );
    let file = PathBuf::from("/run/secrets/gh");
    assert_eq!(
        token("token = { file = \"/run/secrets/gh\" }"),
        Some(Token::File(file))
    );
    assert_eq!(token("token = { gh = true }"), Some(Token::Gh));
    let more = "api = \"https://ghe.acme.example/api/v3/\"\nca_file = \"/etc/ssl/acme.pem\"";
    let github = Config::parse(&text("", more), "x")
        .unwrap()
        .0
        .github
        .unwrap();
    assert_eq!(github.api, "https://ghe.acme.example/api/v3");
    assert_eq!(github.ca_file, Some("/etc/ssl/acme.pem".into()));
}

#[test]
fn each_wrong_value_is_found_where_it_stands() {
    for (more, said) in [
        (
            "api = \"http://ghe.acme.example\"",
            "13:7: github.api: found \"http://ghe.acme.example\", expected an https URL",
        ),
        (
            "api = \"https://me:hunter2@host\"",
            "13:7: github.api: found a string with a password in it",
        ),
        ("api = \"https://host/api?x=1\"", "13:7: github.api: "),
        (
            "token = { gh = false }",
            "13:16: github.token.gh: found false, expected true",
        ),
        (
            "token = { env = \"A B\" }",
            "13:17: github.token.env: found \"A B\", expected the name of an environment variable",
        ),
        (
            "token = { file = \"gh\" }",
            "13:18: github.token.file: found \"gh\", expected an absolute path",
        ),
        (
            "token = { evn = \"A\" }",
            "13:11: github.token.evn: unknown key, expected one of env, file, gh; did you mean `env`?",
        ),
        (
            "token = { env = \"A\", value = \"hunter2\" }",
            "13:9: github.token: an inline secret (not shown)",
        ),
        (
            "token = \"hunter2\"",
            "13:9: github.token: an inline secret (not shown)",
        ),
        (
            "ca_file = \"ca.pem\"",
            "13:11: github.ca_file: found \"ca.pem\", expected an absolute path",
        ),
        ("repo = \"a/b\"", "13:1: github.repo: unknown key"),
    ] {
        let printed = refused(&text("", more));
        assert!(
            printed.starts_with(&format!("config.toml:{said}")),
            "{said}\n{printed}"
        );
        assert_eq!(printed.lines().count(), 1, "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    for (from, to, said) in [
        (
            "acme/shop",
            "shop",
            "11:14: github.repository: found \"shop\", expected a repository as `owner/name`",
        ),
        ("acme/shop", "acme/..", "11:14: github.repository: "),
        (
            "\"ci.yml\"",
            "\".github/workflows/ci.yml\"",
            "12:12: github.workflow: ",
        ),
        (
            "\"ci.yml\"",
            "\"CI\"",
            "12:12: github.workflow: found \"CI\", expected the file name of a workflow",
        ),
        (
            "workflow = \"ci.yml\"",
            "",
            "10:1: github.workflow: missing",
        ),
    ] {
        let printed = refused(&text("", "").replace(from, to));
        assert!(
            printed.starts_with(&format!("config.toml:{said}")),
            "{said}\n{printed}"
        );
    }
    for (deploy, said) in [
        (
            "deploy = \"x\"",
            "6:10: environment[0].deploy: found \"x\", expected a job and a branch",
        ),
        (
            "deploy = { job = \"x\" }",
            "6:10: environment[0].deploy.branch: missing",
        ),
        (
            "deploy = { job = 7, branch = \"main\" }",
            "6:18: environment[0].deploy.job: found the integer",
        ),
        (
            "deploy = { job = \"x\", brunch = \"y\", branch = \"z\" }",
            "6:23: environment[0].deploy.brunch: unknown key",
        ),
    ] {
        let printed = refused(&text(deploy, ""));
        assert!(
            printed.starts_with(&format!("config.toml:{said}")),
            "{said}\n{printed}"
        );
    }
}

#[test]
fn a_deploy_that_nothing_watches_is_a_warning() {
    let whole = text("deploy = { job = \"x\", branch = \"main\" }", "");
    let alone = whole.split("[github]").next().unwrap();
    let (_, warnings) = Config::parse(alone, "config.toml").unwrap();
    let printed: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        printed,
        ["config.toml:6:10: environment[0].deploy: is not watched: there is no [github]"]
    );
}
