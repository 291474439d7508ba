//! A real Kubernetes control plane as a test component: etcd, API server, controllers, scheduler
//! and simulated kubelets, all on 127.0.0.1. Tests share one and take a namespace each; a test
//! that kills parts of it starts its own. Whatever was started ends with the tests, however they end.
//!
//! What a test needs of it, by file: who somebody is and may do ([`people`]: `identity`, `grant`,
//! `client_for`), what was asked and when ([`audit`]: `audited`, `audited_of`), what pods say, where their ports
//! lead and how they fare ([`pods`]: `pod_says`, `pod_leads`, `pod_is`); here the namespaces, the
//! objects, waiting with a limit, and the API server's death and return. What runs on it is in
//! `fleet`: Digital Wall in two colours, with two Services and an autoscaler for each Deployment; what
//! a user would apply of assets/kubernetes is in `shipped`.
//! Whose pods shall be ill from birth have the annotation `wheelhouse.test/fate`
//! (controlplane/kwok/pod-fates.yaml).

pub mod audit;
mod flags;
mod objects;
pub mod part;
mod people;
mod pki;
pub mod pods;
mod settings;

use flags::Ground;
use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use kube::api::{Api, ListParams};
use objects::found;
use part::{Guard, Part};
use people::client_of;
use pki::Pki;
use settings::Ports;
pub use settings::programs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// How long `until` asks: enough for a plane to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A running control plane. Dropped, it is gone; so it is when the test process dies.
pub struct Plane {
    api: Mutex<Option<Part>>,
    others: Mutex<Vec<Part>>,
    etcd: Mutex<Option<Part>>,
    client: kube::Client,
    runtime: Option<Runtime>,
    pki: Pki,
    ports: Ports,
    bin: PathBuf,
    folder: PathBuf,
    // Last: it removes the folder, when nothing writes there any more.
    _guard: Guard,
}

/// What a plane starts with.
pub struct Options {
    /// Simulated nodes, named `node-0` and so on.
    pub nodes: usize,
    /// A packed etcd folder (`Plane::pack`) to begin with, instead of nothing.
    pub data: Option<PathBuf>,
}

impl Plane {
    /// The plane that all tests share: never kill a part of this one.
    pub fn shared() -> &'static Plane {
        static SHARED: LazyLock<Plane> = LazyLock::new(Plane::start);
        &SHARED
    }

    /// A plane of one's own, with three nodes.
    pub fn start() -> Plane {
        Plane::start_with(&Options {
            nodes: 3,
            data: None,
        })
    }

    /// A plane of one's own; pods can be made when this returns.
    pub fn start_with(options: &Options) -> Plane {
        let bin = programs();
        let folder = tempfile::Builder::new()
            .prefix("wheelhouse-plane-")
            .tempdir()
            .unwrap()
            .keep();
        let guard = Guard::over(&folder);
        let ports = Ports::free();
        let pki = Pki::new(folder.join("pki"));
        settings::write_settings(&folder, &pki, ports);
        if let Some(data) = &options.data {
            settings::unpack(data, &folder);
        }
        let runtime = runtime();
        let client = apart(|| runtime.block_on(client_of(&folder, "admin")));
        let plane = Plane {
            api: Mutex::new(None),
            others: Mutex::new(Vec::new()),
            etcd: Mutex::new(None),
            client,
            runtime: Some(runtime),
            pki,
            ports,
            bin,
            folder,
            _guard: guard,
        };
        plane.start_parts(options.nodes);
        plane
    }

    /// Where the API server listens, as a kubeconfig names it.
    pub fn api_url(&self) -> String {
        self.ports.api_url()
    }

    /// The certificate of the authority that signed the API server's.
    pub fn ca_pem(&self) -> &str {
        self.pki.authority()
    }

    /// Admin's client on the plane's own runtime: for `run` and `until`.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Every request that the API server answered: one line of JSON each.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// The folder with the logs (`log/`), certificates (`pki/`) and kubeconfigs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a namespace in which pods can be made (it has its default service account).
    pub fn namespace(&self, name: &str) {
        self.apply_yaml(
            "",
            &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"),
        );
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), name);
        self.until(
            &format!("the default service account of {name}"),
            || async { accounts.get_opt("default").await.ok().flatten() },
        );
    }

    /// Asks for a namespace to go; what was in it goes with it, in its own time.
    pub fn remove_namespace(&self, name: &str) {
        let namespaces: Api<Namespace> = Api::all(self.client());
        self.run(async { found(namespaces.delete(name, &Default::default()).await) });
    }

    /// Applies documents of any kind (server-side, as admin); `namespace` is for those that name none.
    pub fn apply_yaml(&self, namespace: &str, yaml: &str) {
        self.run(objects::apply(&self.client, yaml, namespace));
    }

    /// Applies the documents of a file.
    pub fn apply_file(&self, namespace: &str, file: &Path) {
        let yaml =
            std::fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        self.apply_yaml(namespace, &yaml);
    }

    /// Kills the API server as a dying machine would (SIGKILL). For planes of one's own.
    pub fn stop_api_server(&self) {
        let running = self.api.lock().unwrap().take();
        assert!(running.is_some(), "it is not running");
    }

    /// Starts it (again), on the same port, with the same certificates and data.
    pub fn start_api_server(&self) {
        let flags = self.ground().api_server();
        *self.api.lock().unwrap() = Some(self.part("kube-apiserver", &flags));
        self.until("the API server", || async {
            let ready = http::Request::get("/readyz").body(Vec::new()).unwrap();
            self.client.request_text(ready).await.ok()
        });
    }

    /// Runs a future on the plane's own runtime: from anywhere, even from inside another runtime.
    pub fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let runtime = self.runtime.as_ref().unwrap();
        apart(|| runtime.block_on(future))
    }

    /// Asks again and again until there is an answer; panics after `LIMIT`, saying what for, and
    /// at once when a part of the plane has died by itself.
    pub fn until<T: Send, F>(&self, what: &str, ask: impl Fn() -> F + Send + Sync) -> T
    where
        F: Future<Output = Option<T>> + Send,
    {
        self.until_within(LIMIT, what, ask)
    }

    /// `until` with a limit of one's own.
    pub fn until_within<T: Send, F>(
        &self,
        limit: Duration,
        what: &str,
        ask: impl Fn() -> F + Send + Sync,
    ) -> T
    where
        F: Future<Output = Option<T>> + Send,
    {
        let limit = Instant::now() + limit;
        self.run(async {
            loop {
                // A question that hangs must not outlast the limit either.
                match tokio::time::timeout_at(limit, ask()).await {
                    Ok(Some(answer)) => return answer,
                    Ok(None) if Instant::now() < limit => {}
                    Ok(None) | Err(_) => panic!("waited in vain for {what}"),
                }
                if let Some(death) = self.death() {
                    panic!("waited for {what}, but {death}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }

    /// Ends the plane in order and packs its data into a file, for another to begin with.
    pub fn pack(self, into: &Path) {
        self.others.lock().unwrap().clear();
        self.stop_api_server();
        let etcd = self.etcd.lock().unwrap().take();
        etcd.expect("etcd runs as long as the plane").end();
        settings::pack(&self.folder, into);
    }

    fn start_parts(&self, nodes: usize) {
        let ground = self.ground();
        *self.etcd.lock().unwrap() = Some(self.part("etcd", &ground.etcd()));
        self.start_api_server();
        self.apply_file("", &self.bin.join("crds.yaml"));
        *self.others.lock().unwrap() = vec![
            self.part("kube-controller-manager", &ground.controller_manager()),
            self.part("kube-scheduler", &ground.scheduler()),
            self.part("kwok", &ground.kwok()),
        ];
        self.await_nodes(nodes);
        self.speak();
    }

    fn await_nodes(&self, count: usize) {
        let nodes: String = (0..count)
            .map(|n| format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: node-{n}}}\n"))
            .collect();
        self.apply_yaml("", &nodes);
        let nodes: Api<Node> = Api::all(self.client());
        self.until("every node to be ready", || async {
            let list = nodes.list(&ListParams::default()).await.ok()?;
            (list.items.len() >= count && list.items.iter().all(is_ready)).then_some(())
        });
        self.namespace("default");
    }

    fn death(&self) -> Option<String> {
        let (mut api, mut etcd) = (self.api.lock().unwrap(), self.etcd.lock().unwrap());
        let mut others = self.others.lock().unwrap();
        let mut parts = others
            .iter_mut()
            .chain(api.iter_mut())
            .chain(etcd.iter_mut());
        parts.find_map(Part::death)
    }

    fn part(&self, name: &'static str, flags: &[String]) -> Part {
        Part::start(name, &self.bin, &self.folder, flags)
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            folder: &self.folder,
            bin: &self.bin,
            pki: &self.pki,
            ports: self.ports,
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        // Dropped as it is, a runtime panics inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|it| it.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|it| it.type_ == "Ready" && it.status == "True")
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Runs on a thread of its own, because a runtime refuses to block inside another one.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
