//! One server that is API server, GitHub, Prometheus and Alertmanager at once, and well but for what a
//! test changes; and what `doctor` says of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use serde_json::{Value, json};

use super::estate::Home;
use super::server::{Answer, Asked, Server, json as said, list};

/// The token that must never be told.
pub const TOKEN: &str = "ghp_never_to_be_told_to_anybody";

/// What `doctor --json` said.
pub struct Told {
    pub all: Value,
    pub code: i32,
    /// All that was printed, and logged.
    pub text: String,
}

/// A check that `doctor` made.
#[derive(Debug)]
pub struct Check {
    pub verdict: String,
    pub value: String,
    pub advice: String,
}

impl Told {
    /// The check of that place, name and object.
    pub fn check(&self, place: &str, name: &str, of: &str) -> Check {
        let found = self
            .checks()
            .find(|check| check["place"] == place && check["name"] == name && check["of"] == of);
        let check = found.unwrap_or_else(|| panic!("no {place} {name} {of} in {:#}", self.all));
        let word = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        Check {
            verdict: word("verdict"),
            value: word("value"),
            advice: word("advice"),
        }
    }

    pub fn checks(&self) -> impl Iterator<Item = &Value> {
        self.all["checks"].as_array().unwrap().iter()
    }

    /// Names of the checks of a place that are not OK, but for the clocks: the server's stands still.
    pub fn troubled(&self, place: &str) -> Vec<&str> {
        let troubled = self.checks().filter(|check| {
            check["place"] == place && check["verdict"] != "OK" && check["name"] != "clock"
        });
        troubled
            .map(|check| check["name"].as_str().unwrap())
            .collect()
    }
}

impl Check {
    /// That verdict, with those words in what was found or in what to do.
    pub fn says(&self, verdict: &str, words: &[&str]) {
        assert_eq!(self.verdict, verdict, "{self:?}");
        for word in words {
            let is_said = self.value.contains(word) || self.advice.contains(word);
            assert!(is_said, "{word:?} in {self:?}");
        }
        assert!(verdict == "OK" || !self.advice.is_empty(), "{self:?}");
    }
}

/// A world that is well, but for what `change` says instead.
pub struct World {
    pub home: Home,
    pub server: Server,
}

impl World {
    pub async fn new(change: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let server = Server::start(move |asked| change(asked).unwrap_or_else(|| well(asked))).await;
        let home = Home::new();
        let token = home.write("token", TOKEN);
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
        home.write("kubeconfig", &kubeconfig(&server.url, "token: opaque"));
        Self { home, server }
    }

    /// The configuration, with its paths; `change` is made to its text.
    pub fn config(&self, change: impl Fn(&str) -> String) -> PathBuf {
        let (url, home) = (&self.server.url, self.home.path().display());
        let text = format!(
            r#"title = "shop"
[github]
repository = "acme/wall"
workflow = "ci.yml"
api = "{url}/gh"
token = {{ file = "{home}/token" }}
[prometheus]
url = "{url}/prom"
watchdog = "Watchdog"
[alertmanager]
url = "{url}/am"
[[environment]]
name = "production"
tier = "production"
context = "shop"
kubeconfig = "{home}/kubeconfig"
namespace = "shop"
deploy = {{ job = "deploy-production", branch = "main" }}
[environment.traffic]
key = "version"
colours = ["blue", "green"]
services = ["wall"]
[[environment.workload]]
name = "web"
labels = {{ part = "web" }}
"#
        );
        self.home.write("config.toml", &change(&text))
    }

    pub async fn doctor(&self) -> Told {
        self.doctor_with(str::to_owned).await
    }

    pub async fn doctor_with(&self, change: impl Fn(&str) -> String) -> Told {
        let config = self.config(change);
        let args = [
            "--config",
            config.to_str().unwrap(),
            "doctor",
            "--json",
            "--timeout",
            "3",
        ];
        let mut command = self.home.command(&args);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let out = run.await.unwrap();
        let printed = String::from_utf8(out.stdout).unwrap();
        let complained = String::from_utf8(out.stderr).unwrap();
        let text = format!("{printed}{complained}{}", self.home.log());
        assert!(!text.contains(TOKEN) && !text.contains('\u{1b}'), "{text}");
        let all = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {text}"));
        Told {
            all,
            code: out.status.code().unwrap(),
            text,
        }
    }
}

/// What `doctor` says of a world that is well but for that.
pub async fn told(change: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Told {
    World::new(change).await.doctor().await
}

pub fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: shop\nclusters: [{{name: shop, cluster: {{server: \"{server}\"}}}}]\n\
         contexts: [{{name: shop, context: {{cluster: shop, user: me, namespace: shop}}}}]\nusers: [{{name: me, user: {{{user}}}}}]\n"
    )
}

fn well(asked: &Asked) -> Answer {
    if let Some(path) = asked.path.strip_prefix("/gh") {
        return github(path);
    }
    if let Some(path) = asked.path.strip_prefix("/prom/api/v1/") {
        return prometheus(path, asked);
    }
    match asked.path.as_str() {
        "/am/api/v2/status" => {
            said(json!({"versionInfo": {"version": "0.28.1"}, "cluster": {"status": "ready"}}))
        }
        "/am/api/v2/alerts" | "/am/api/v2/silences" => said("[]"),
        // Where Alertmanager would be without its prefix.
        path if path.starts_with("/api/v2/") => Answer::Full(
            404,
            "Content-Type: text/plain\r\n",
            "404 page not found\n".into(),
        ),
        _ => kubernetes(asked),
    }
}

fn kubernetes(asked: &Asked) -> Answer {
    let last = asked.path.rsplit('/').next().unwrap_or_default();
    match last {
        "version" => said(r#"{"major":"1","minor":"37","gitVersion":"v1.37.2"}"#),
        "selfsubjectaccessreviews" => said(json!({"status": {"allowed": true}})),
        "selfsubjectreviews" => said(json!({"status": {"userInfo": {"username": "alice"}}})),
        _ if asked.is_watch() => Answer::Lines(Vec::new()),
        "deployments" => list("1", &["blue", "green"].map(deployment)),
        "services" => list(
            "1",
            &[json!({
                "metadata": {"name": "wall", "namespace": "shop", "uid": "s", "resourceVersion": "1"},
                "spec": {"selector": {"part": "web", "version": "blue"}},
            })],
        ),
        _ => list("1", &[]),
    }
}

fn deployment(colour: &str) -> Value {
    let labels = json!({"part": "web", "version": colour});
    json!({
        "metadata": {"name": format!("{colour}-web"), "namespace": "shop", "uid": colour, "resourceVersion": "1", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": []}}},
    })
}

fn github(path: &str) -> Answer {
    match path {
        "/rate_limit" => said("{}"),
        "/repos/acme/wall" => said(json!({"full_name": "acme/wall", "private": true})),
        "/repos/acme/wall/actions/workflows/ci.yml" => {
            said(json!({"name": "CI", "state": "active"}))
        }
        "/repos/acme/wall/contents/.github/workflows/ci.yml" => {
            file("jobs:\n  test: {}\n  deploy-production: {needs: test}\n")
        }
        _ => Answer::Full(404, "", r#"{"message": "Not Found"}"#.to_owned()),
    }
}

/// A file as GitHub has it.
pub fn file(text: &str) -> Answer {
    let content = base64::engine::general_purpose::STANDARD.encode(text);
    said(json!({"type": "file", "encoding": "base64", "content": content}))
}

fn prometheus(path: &str, asked: &Asked) -> Answer {
    match path {
        "status/buildinfo" => success(json!({"version": "3.5.0"})),
        "rules" => rules(&[]),
        _ if asked.query.contains("time%28%29") => {
            success(json!({"resultType": "scalar", "result": [1.0, "1.0"]}))
        }
        _ => success(json!({"resultType": "vector", "result": [
            {"metric": {"colour": "blue", "service": "web"}, "value": [1.0, "1"]}]})),
    }
}

pub fn success(data: Value) -> Answer {
    said(json!({"status": "success", "data": data}))
}

/// The Watchdog, which fires, and those rules.
pub fn rules(more: &[Value]) -> Answer {
    said(all_rules(more))
}

pub fn all_rules(more: &[Value]) -> Value {
    let watchdog = rule("Watchdog", "ok", "", "1e+00");
    let rules: Vec<&Value> = std::iter::once(&watchdog).chain(more).collect();
    json!({"status": "success", "data": {"groups": [{"name": "g", "interval": 15, "rules": rules}]}})
}

/// A rule with an alert that fires with that value.
pub fn rule(name: &str, health: &str, error: &str, value: &str) -> Value {
    json!({
        "name": name, "query": "vector(1)", "health": health, "lastError": error, "type": "alerting",
        "lastEvaluation": "2026-11-23T19:59:50Z",
        "alerts": [{"labels": {"alertname": name}, "state": "firing", "value": value}],
    })
}

/// Its places: only where the path is that.
pub fn at(
    path: &'static str,
    answer: fn() -> Answer,
) -> impl Fn(&Asked) -> Option<Answer> + Send + Sync {
    move |asked| (asked.path == path).then(answer)
}
