//! A repository as GitHub serves it: a script for the server, with ETags and an hourly budget.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use wheelhouse::clients::github::{Github, Limits, Target, TokenFrom, connect_within};
use wheelhouse::clients::kubernetes::Proxies;
use wheelhouse::estate::Fault;

use super::server::{Answer, Asked, Server};

/// The server's clock stands at 2026-11-23T20:00:00Z.
pub const NOW: i64 = 1_795_464_000;
pub const LIST: &str = "/repos/acme/wall/actions/workflows/ci.yml/runs";

/// What the repository has, and what it says of its limits.
pub struct Has {
    pub runs: Vec<Value>,
    /// The jobs of every run.
    pub jobs: Vec<Value>,
    /// What every run waits for, and what was decided.
    pub pending: Vec<Value>,
    pub decided: Vec<Value>,
    pub workflow: String,
    pub remaining: i64,
    /// The only token that is accepted.
    pub token: String,
    /// Said instead of anything else.
    pub instead: Option<fn(&Asked) -> Option<Answer>>,
}

#[derive(Clone)]
pub struct Repository(Arc<Mutex<Has>>);

impl Repository {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Has {
            runs: vec![run(2, "completed"), run(1, "completed")],
            jobs: vec![job(20, "detect"), job(21, "deploy-production")],
            pending: Vec::new(),
            decided: Vec::new(),
            workflow: "jobs:\n  detect: {}\n  deploy-production: {needs: detect}\n".into(),
            remaining: 4_000,
            token: "test-token".into(),
            instead: None,
        })))
    }

    pub fn has(&self) -> MutexGuard<'_, Has> {
        self.0.lock().unwrap()
    }

    pub async fn serve(&self) -> Server {
        let repository = self.clone();
        Server::start(move |asked| repository.answer(asked)).await
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let mut has = self.has();
        if asked.header("authorization") != Some(&format!("Bearer {}", has.token)) {
            return refused(401, "", "Bad credentials");
        }
        if let Some(answer) = has.instead.and_then(|instead| instead(asked)) {
            return answer;
        }
        let last = asked.path.rsplit('/').next().unwrap_or_default();
        let body = match last {
            "runs" => has.page(asked),
            "jobs" => json!({"total_count": has.jobs.len(), "jobs": has.jobs}),
            "pending_deployments" => json!(has.pending),
            "approvals" => json!(has.decided),
            "ci.yml" => {
                use base64::Engine as _;
                let text = base64::engine::general_purpose::STANDARD.encode(&has.workflow);
                json!({"type": "file", "encoding": "base64", "content": text})
            }
            _ => return refused(404, "", "Not Found"),
        };
        let (body, token) = (body.to_string(), has.token.clone());
        has.tagged(asked, body, &token)
    }
}

impl Has {
    /// A page of the runs, of the branch that is asked for.
    fn page(&self, asked: &Asked) -> Value {
        let parameter = |name: &str| {
            let mut all = asked.query.split('&').filter_map(|it| it.split_once('='));
            all.find(|(it, _)| *it == name).map(|(_, value)| value)
        };
        let branch = parameter("branch");
        let number = |name: &str| parameter(name).and_then(|it| it.parse::<usize>().ok());
        let (most, page) = (
            number("per_page").unwrap_or(30),
            number("page").unwrap_or(1),
        );
        let is_of = |run: &&Value| branch.is_none_or(|branch| run["head_branch"] == branch);
        let of_it: Vec<&Value> = self.runs.iter().filter(is_of).collect();
        let shown: Vec<_> = (of_it.iter().skip((page - 1) * most).take(most)).collect();
        json!({"total_count": of_it.len(), "workflow_runs": shown})
    }

    /// As GitHub does it: the tag is of the body and of who asks; a 304 costs nothing.
    fn tagged(&mut self, asked: &Asked, body: String, token: &str) -> Answer {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&body, token).hash(&mut hasher);
        let tag = format!("W/\"{:x}\"", hasher.finish());
        let is_known = asked.header("if-none-match") == Some(&tag);
        self.remaining -= i64::from(!is_known);
        let headers = format!("ETag: {tag}\r\n{}", budget(self.remaining, NOW + 3_600));
        match is_known {
            true => full(304, &headers, ""),
            false => full(200, &headers, &body),
        }
    }
}

/// The headers of the hourly limit.
pub fn budget(remaining: i64, reset: i64) -> String {
    format!(
        "X-RateLimit-Limit: 5000\r\nX-RateLimit-Remaining: {remaining}\r\nX-RateLimit-Reset: {reset}\r\nX-RateLimit-Resource: core\r\n"
    )
}

/// An answer with headers that a test computes, in one write: a second one would wait for the receipt
/// of the first, which time that stands still does not bring.
pub fn full(status: u16, headers: &str, body: &str) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} Said\r\n{headers}Date: Mon, 23 Nov 2026 20:00:00 GMT\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Answer::Raw([head.as_bytes(), body.as_bytes()].concat())
}

pub fn refused(status: u16, headers: &str, message: &str) -> Answer {
    let body = json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
    full(status, headers, &body.to_string())
}

pub fn run(id: u64, status: &str) -> Value {
    let conclusion = (status == "completed").then_some("success");
    json!({
        "id": id, "run_number": 1_480 + id, "run_attempt": 1, "name": "CI/CD", "display_title": format!("Change {id}"),
        "head_branch": "main", "head_sha": format!("{id:040x}"), "event": "push", "status": status, "conclusion": conclusion,
        "created_at": "2026-11-23T19:50:00Z", "updated_at": "2026-11-23T19:55:00Z",
        "html_url": format!("https://github.com/acme/wall/actions/runs/{id}"),
        "actor": {"login": "ann"}, "triggering_actor": {"login": "ben"},
    })
}

pub fn job(id: u64, name: &str) -> Value {
    json!({"id": id, "run_id": 2, "name": name, "status": "completed", "conclusion": "success",
        "started_at": "2026-11-23T19:50:00Z", "completed_at": "2026-11-23T19:51:00Z", "steps": []})
}

/// The token of `target`, in a file of its own.
pub struct Token {
    folder: tempfile::TempDir,
}

impl Token {
    pub fn new(text: &str) -> Self {
        let token = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        token.write(text);
        token
    }

    pub fn write(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(), format!("{text}\n")).unwrap();
        std::fs::set_permissions(self.path(), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    pub fn target(&self, api: &str) -> Target {
        Target {
            api: api.into(),
            repository: "acme/wall".into(),
            workflow: "ci.yml".into(),
            token: TokenFrom::File(self.path()),
            ca_file: None,
            branches: Vec::new(),
            runs: 30,
        }
    }
}

/// A connection with the token of the test, read once.
pub async fn connect(api: &str) -> Github {
    let limits = Limits::default();
    connect_with(api, limits).await.unwrap()
}

pub async fn connect_with(api: &str, limits: Limits) -> Result<Github, Fault> {
    let token = Token::new("test-token");
    connect_within(&token.target(api), limits, Proxies::default()).await
}
