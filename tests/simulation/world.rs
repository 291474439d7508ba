//! One seed's world: the estate, the processes, the log of what was asked, and what was broken by it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::body::Body;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt as _;
use wheelhouse::demo::{Estate, Options, router};
use wheelhouse::estate::{Scope, Soak, Tier, TrafficSwitch, WorkloadScope};
use wheelhouse::ops::bastion::Planted;

use super::chance::Chance;
use super::fault::{Aimed, Fault};
use super::law::Law;
use super::process::Process;
use super::release::Meets;
use super::sky::Sky;

pub const NAMESPACE: &str = "production";
pub const RECORDS: &str = "wheelhouse";
pub const SERVICES: [&str; 2] = ["digital-wall-service", "digital-wall-api"];

/// A world.
pub struct World {
    pub seed: u64,
    pub planted: Option<Planted>,
    pub epoch: Timestamp,
    pub chance: Chance,
    pub router: axum::Router,
    /// What monitoring says; none where there is none.
    pub sky: Option<Sky>,
    began: Instant,
    numbers: AtomicUsize,
    rate: Mutex<u64>,
    aimed: Mutex<Option<Aimed>>,
    processes: Mutex<Vec<Arc<Process>>>,
    log: Mutex<Vec<String>>,
    law: Mutex<Law>,
    hits: Mutex<Vec<(Fault, &'static str)>>,
    /// Requests that arrive later.
    pub late: AtomicUsize,
    /// What a cutover demands, and the templates of GREEN for which it is there.
    pub demands: Mutex<Option<(Demand, BTreeSet<String>)>>,
    /// What a release meets.
    pub meets: Mutex<Meets>,
    /// How many pods were asked.
    pub asks: AtomicU64,
    /// Nobody decides on anything any more.
    pub is_over: AtomicBool,
}

/// What a cutover demands beside all that every one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    Smoke,
    Approval,
}

impl World {
    pub fn new(seed: u64, planted: Option<Planted>, aimed: Option<Aimed>, rate: u64) -> Arc<Self> {
        Self::under(None, seed, planted, aimed, rate)
    }

    /// One in which monitoring says this.
    pub fn under(
        sky: Option<Sky>,
        seed: u64,
        planted: Option<Planted>,
        aimed: Option<Aimed>,
        rate: u64,
    ) -> Arc<Self> {
        let epoch = "2026-11-26T14:00:00Z".parse().unwrap();
        let estate = template(epoch).twin(seed);
        tokio::spawn(estate.clone().drive());
        Arc::new(Self {
            seed,
            planted,
            epoch,
            chance: Chance::of(seed, "world"),
            router: router(&estate),
            sky,
            began: Instant::now(),
            numbers: AtomicUsize::new(0),
            rate: Mutex::new(rate),
            aimed: Mutex::new(aimed),
            processes: Mutex::default(),
            log: Mutex::default(),
            law: Mutex::default(),
            hits: Mutex::default(),
            late: AtomicUsize::new(0),
            demands: Mutex::default(),
            meets: Mutex::default(),
            asks: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// Milliseconds since it began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn number(&self) -> usize {
        1 + self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    pub fn rate(&self) -> u64 {
        *lock(&self.rate)
    }

    /// No more faults, for nobody.
    pub fn calm(&self) {
        *lock(&self.rate) = 0;
        *lock(&self.aimed) = None;
        self.processes().iter().for_each(|process| process.spare());
    }

    pub fn enlist(&self, process: &Arc<Process>) {
        lock(&self.processes).push(process.clone());
    }

    pub fn processes(&self) -> Vec<Arc<Process>> {
        lock(&self.processes).clone()
    }

    /// Lets go of its processes, which have hold of it: a world that is over leaves nothing in memory.
    pub fn disband(&self) {
        lock(&self.processes).clear();
    }

    /// The fault that was aimed at this stage, when its time has come.
    pub fn strike(&self, stage: &str, fits: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut aimed = lock(&self.aimed);
        let here = aimed
            .as_mut()
            .filter(|a| a.stage == stage && fits(a.fault))?;
        if here.after > 0 {
            here.after -= 1;
            return None;
        }
        aimed.take().map(|aimed| aimed.fault)
    }

    pub fn hit(&self, fault: Fault, stage: &'static str) {
        lock(&self.hits).push((fault, stage));
    }

    pub fn hits(&self) -> Vec<(Fault, &'static str)> {
        lock(&self.hits).clone()
    }

    pub fn law(&self) -> MutexGuard<'_, Law> {
        lock(&self.law)
    }

    pub fn say(&self, line: impl Into<String>) {
        let line = format!("{:>9.3} {}", self.now() as f64 / 1_000.0, line.into());
        lock(&self.log).push(line);
    }

    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// Asks the estate itself, past all faults.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let kind = match method {
            "PATCH" => "application/json-patch+json",
            _ => "application/json",
        };
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", kind);
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        let response = self.send(request.body(body).unwrap()).await;
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        serde_json::from_slice(&bytes.unwrap()).unwrap_or(Value::Null)
    }

    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        let mut response = self.router.clone().oneshot(request).await.unwrap();
        // An approval ends by the server's clock, which a server over a socket tells with each answer.
        let needs_clock = lock(&self.meets).needs_clock();
        if needs_clock || lock(&self.demands).is_some() {
            let now =
                self.epoch + SignedDuration::from_millis(i64::try_from(self.now()).unwrap_or(0));
            let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            response.headers_mut().insert("date", date.parse().unwrap());
        }
        response
    }

    /// The items of a list.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let listed = self.ask("GET", path, Value::Null).await;
        listed["items"].as_array().cloned().unwrap_or_default()
    }

    pub async fn service(&self, name: &str) -> Value {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/services/{name}");
        self.ask("GET", &path, Value::Null).await
    }

    /// Whether a Deployment of that colour is to have no pods.
    pub async fn is_scaled_to_0(&self, colour: &str) -> bool {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        let all = self.list(&path).await;
        let mut of = all.iter().filter(|d| {
            let labels = &d["spec"]["template"]["metadata"]["labels"];
            labels["version"] == colour
        });
        of.any(|d| d["spec"]["replicas"] == 0)
    }

    /// How many ready pods `selector` takes.
    pub async fn ready(&self, selector: &Value) -> usize {
        let pods = self
            .list(&format!("/api/v1/namespaces/{NAMESPACE}/pods"))
            .await;
        let takes = |pod: &&Value| {
            let Some(pairs) = selector.as_object() else {
                return false;
            };
            let labels = &pod["metadata"]["labels"];
            let is_ready = (pod["status"]["conditions"].as_array()).is_some_and(|all| {
                all.iter()
                    .any(|c| c["type"] == "Ready" && c["status"] == "True")
            });
            is_ready
                && pod["metadata"]["deletionTimestamp"].is_null()
                && !pairs.is_empty()
                && pairs.iter().all(|(key, value)| labels[key] == *value)
        };
        pods.iter().filter(takes).count()
    }

    /// Breaks something in the estate, by its remote control.
    pub async fn act(&self, action: Value) {
        self.say(format!("the world: {action}"));
        let answer = self.ask("POST", "/demo/fault", action.clone()).await;
        assert_eq!(answer, json!({"done": true}), "{action}");
    }
}

/// The estate that every seed begins with: made once.
fn template(epoch: Timestamp) -> &'static Estate {
    static ESTATE: OnceLock<Estate> = OnceLock::new();
    ESTATE.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let options = Options {
            scenario_file: Some(folder.join("tests/data/still.json")),
            ..Options::default()
        };
        Estate::new(&options, epoch).unwrap()
    })
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The environment as the configuration of one bastion calls it.
pub fn scope(name: &str) -> Scope {
    let part = |part: &str| WorkloadScope {
        name: part.into(),
        labels: [("part".into(), part.into())].into_iter().collect(),
        deployments: Vec::new(),
    };
    Scope {
        name: name.into(),
        tier: Tier::Production,
        context: "prod-eu".into(),
        namespace: NAMESPACE.into(),
        workloads: vec![part("frontend"), part("backend")],
        traffic: Some(TrafficSwitch {
            key: "version".into(),
            colours: ["blue".into(), "green".into()],
            services: SERVICES.map(Into::into).to_vec(),
            keep_warm: None,
            clean_up: false,
        }),
        // Shorter than in production: it only makes a seed longer.
        soak: Soak {
            watch_s: 20,
            ..Soak::default()
        },
        approval: Default::default(),
        needs_smoke: false,
        needs_ci: false,
        holds_returned: false,
    }
}
