//! A way to an API server on which a test decides what happens to a request: held before it goes on, held
//! with its answer, answered by the test itself. It speaks plain HTTP on loopback to the program and goes on
//! as whoever the kubeconfig behind it names. Included by `#[path]` where it is needed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a harness of tests: a failure is a panic, and not every test uses all of it"
)]

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The most of a request's body.
const MOST: usize = 4 << 20;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: String,
    /// The status of the answer; 0 while there is none.
    pub status: u16,
}

impl Asked {
    /// Whether it is that verb of an object whose path ends so.
    pub fn is(&self, method: &str, end: &str) -> bool {
        self.method == method && self.path.ends_with(end)
    }

    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.ends_with("/selfsubjectreviews")
    }

    /// Whether it is a patch that changes a selector.
    pub fn is_flip(&self) -> bool {
        let replaces = r#"{"op":"replace","path":"/spec/selector""#;
        self.method == "PATCH" && self.body.contains(replaces)
    }

    /// Whether it is a patch that gives a Deployment other images or replicas.
    pub fn is_update(&self) -> bool {
        let marks = r#""path":"/metadata/annotations/wheelhouse.dev~1deploy""#;
        self.method == "PATCH" && self.path.contains("/deployments/") && self.body.contains(marks)
    }

    /// What kind of write it is, whichever namespace, colour and operation it is of.
    pub fn shape(&self) -> String {
        let inside = self.path.split_once("/namespaces/");
        let object = inside.and_then(|(_, rest)| rest.split_once('/'));
        let mut of = object.map_or_else(|| self.path.clone(), |(_, of)| of.to_owned());
        if let Some((kind @ "configmaps", _)) = of.split_once('/') {
            of = format!("{kind}/…");
        }
        for colour in ["blue", "green"] {
            of = of.replace(colour, "*");
        }
        let flips = if self.is_flip() { " (flip)" } else { "" };
        format!("{} {of}{flips}", self.method)
    }

    /// Whether it writes to a record something that contains `text`.
    pub fn records(&self, text: &str) -> bool {
        let is_record = self.path.contains("/configmaps");
        is_record && self.is_write() && self.body.replace('\\', "").contains(text)
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is held, and goes on when it is let go.
    HeldBefore,
    /// It goes on at once; its answer is held.
    HeldAfter,
    /// It goes on at once; this is said in place of its answer.
    Applied(u16, String),
    /// It does not go on; this is said.
    Said(u16, String),
}

/// One request that a test waits for.
pub struct Trap {
    caught: watch::Receiver<bool>,
    let_go: watch::Sender<bool>,
}

impl Trap {
    /// Waits until the request is there.
    pub fn wait(&self, what: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !self.is_caught() {
            assert!(Instant::now() < limit, "no such request: {what}");
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// The same, unless all is over before it: then there is no such request, and false is the answer.
    pub fn wait_unless(&self, what: &str, is_over: impl Fn() -> bool) -> bool {
        let mut looks = 0_u32;
        let limit = Instant::now() + Duration::from_secs(60);
        while !self.is_caught() {
            assert!(Instant::now() < limit, "no such request: {what}");
            std::thread::park_timeout(Duration::from_millis(5));
            looks += 1;
            if looks.is_multiple_of(400) && is_over() {
                return self.is_caught();
            }
        }
        true
    }

    pub fn is_caught(&self) -> bool {
        *self.caught.borrow()
    }

    /// Lets it go on its way. Dropped without, it never does.
    pub fn let_go(self) {
        self.let_go.send_replace(true);
    }
}

struct Set {
    is_it: Box<dyn Fn(&Asked) -> bool + Send>,
    /// How many such requests pass before it, and whether all those after it meet the same fate.
    before: usize,
    is_for_ever: bool,
    fate: Fate,
    caught: watch::Sender<bool>,
    go: watch::Receiver<bool>,
}

struct Inner {
    client: kube::Client,
    asked: Mutex<Vec<Asked>>,
    traps: Mutex<Vec<Set>>,
}

/// The way. Dropped, it is closed.
pub struct Relay {
    pub url: String,
    inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

impl Relay {
    /// A way to where `kubeconfig` leads, as whom it names.
    pub fn to(kubeconfig: &Path) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let (url, inner) = runtime.block_on(serve(kubeconfig));
        Self {
            url,
            inner,
            runtime: Some(runtime),
        }
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: relay\n\
             contexts:\n- name: relay\n  context: {{cluster: relay, user: relay}}\n\
             clusters:\n- name: relay\n  cluster: {{server: {:?}}}\n\
             users:\n- name: relay\n  user: {{}}\n",
            self.url
        )
    }

    /// Sets a trap for the request number `nth`, from 1, of those that `is_it`.
    pub fn trap(
        &self,
        fate: Fate,
        nth: usize,
        is_it: impl Fn(&Asked) -> bool + Send + 'static,
    ) -> Trap {
        self.set(fate, nth, false, is_it)
    }

    /// The same for that request and all after it; what is said to them needs no letting go.
    pub fn ever_after(&self, fate: Fate, is_it: impl Fn(&Asked) -> bool + Send + 'static) -> Trap {
        self.set(fate, 1, true, is_it)
    }

    fn set(
        &self,
        fate: Fate,
        nth: usize,
        is_for_ever: bool,
        is_it: impl Fn(&Asked) -> bool + Send + 'static,
    ) -> Trap {
        let (caught, go) = (watch::Sender::new(false), watch::Sender::new(false));
        let trap = Trap {
            caught: caught.subscribe(),
            let_go: go.clone(),
        };
        self.inner.traps().push(Set {
            is_it: Box::new(is_it),
            before: nth - 1,
            is_for_ever,
            fate,
            caught,
            go: go.subscribe(),
        });
        trap
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked().clone()
    }

    /// How many requests `is` holds of.
    pub fn count(&self, is: impl Fn(&Asked) -> bool) -> usize {
        self.inner.asked().iter().filter(|a| is(a)).count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    fn traps(&self) -> MutexGuard<'_, Vec<Set>> {
        self.traps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fate of a request, if a trap was set for it.
    fn fate(&self, asked: &Asked) -> Option<(Fate, watch::Sender<bool>, watch::Receiver<bool>)> {
        let mut traps = self.traps();
        let place = traps.iter().position(|set| (set.is_it)(asked))?;
        let set = &mut traps[place];
        if set.before > 0 {
            set.before -= 1;
            return None;
        }
        let found = (set.fate.clone(), set.caught.clone(), set.go.clone());
        if !set.is_for_ever {
            traps.remove(place);
        }
        Some(found)
    }
}

async fn serve(kubeconfig: &Path) -> (String, Arc<Inner>) {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    let mut config = config.unwrap();
    // What comes is passed on once.
    config.default_retry = false;
    config.proxy_url = None;
    let inner = Arc::new(Inner {
        client: kube::Client::try_from(config).unwrap(),
        asked: Mutex::default(),
        traps: Mutex::default(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new()
        .fallback(pass)
        .with_state(Arc::clone(&inner));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, inner)
}

async fn pass(State(inner): State<Arc<Inner>>, request: axum::extract::Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MOST).await.unwrap_or_default();
    let asked = Asked {
        at: Timestamp::now(),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: 0,
    };
    let place = {
        let mut all = inner.asked();
        all.push(asked.clone());
        all.len() - 1
    };
    // In a task of its own: a request that left its sender arrives, whatever becomes of the sender.
    let task = tokio::spawn(async move {
        let answer = meet(&inner, asked, head, body).await;
        inner.asked()[place].status = answer.status().as_u16();
        answer
    });
    task.await.unwrap_or_else(|_| away("the way broke"))
}

async fn meet(
    inner: &Inner,
    asked: Asked,
    head: axum::http::request::Parts,
    body: Bytes,
) -> Response {
    let Some((fate, caught, mut go)) = inner.fate(&asked) else {
        return forward(&inner.client, head, body).await;
    };
    // What is held with its answer is caught when it has one: whoever waits for that knows that it was done.
    if fate != Fate::HeldAfter {
        caught.send_replace(true);
    }
    let say = |status: u16, text: String| {
        let status = axum::http::StatusCode::from_u16(status).unwrap();
        (status, [("content-type", "application/json")], text).into_response()
    };
    match fate {
        Fate::Said(status, text) => say(status, text),
        Fate::Applied(status, text) => {
            let _ = forward(&inner.client, head, body).await;
            say(status, text)
        }
        Fate::HeldBefore => {
            let is_let_go = go.wait_for(|go| *go).await.is_ok();
            match is_let_go {
                true => forward(&inner.client, head, body).await,
                false => away("held for ever"),
            }
        }
        Fate::HeldAfter => {
            let answer = forward(&inner.client, head, body).await;
            caught.send_replace(true);
            let is_let_go = go.wait_for(|go| *go).await.is_ok();
            match is_let_go {
                true => answer,
                false => away("held for ever"),
            }
        }
    }
}

async fn forward(client: &kube::Client, head: axum::http::request::Parts, body: Bytes) -> Response {
    let target = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut request = http::Request::builder()
        .method(head.method.clone())
        .uri(target);
    for (name, value) in &head.headers {
        let is_ways = [
            "host",
            "connection",
            "content-length",
            "accept-encoding",
            "authorization",
        ];
        if !is_ways.contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let request = request
        .body(kube::client::Body::from(body.to_vec()))
        .unwrap();
    match client.send(request).await {
        Ok(answer) => {
            let (mut head, body) = answer.into_parts();
            for name in ["content-length", "transfer-encoding", "connection"] {
                head.headers.remove(name);
            }
            Response::from_parts(head, Body::new(body))
        }
        Err(error) => away(&error.to_string()),
    }
}

/// The server behind it is not there, or its answer is lost: 502 says no more than a cut connection does.
fn away(why: &str) -> Response {
    (axum::http::StatusCode::BAD_GATEWAY, why.to_owned()).into_response()
}
