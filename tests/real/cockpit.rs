//! The real program on a pseudo-terminal, watching Digital Wall on the real plane.

mod history;
mod load;
mod outage;
mod rollout;
mod traffic;
pub mod trouble;
mod truth;

use crate::estate::{Home, program};
use crate::fleet;
use crate::plane::Plane;
use crate::pty::{Pty, text_of};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The window: ten pods and why they are in trouble have room.
pub const SIZE: (u16, u16) = (120, 50);
/// How long the world may take, on a machine that does other things too.
pub const LONG: Duration = Duration::from_secs(60);
/// The Services of Digital Wall, in the order of the configuration.
pub const SERVICES: [&str; 2] = ["digital-wall-service", "digital-wall-api"];

/// A cockpit on one namespace, with a home of its own.
pub struct Cockpit {
    pub pty: Pty,
    pub home: Home,
    config: PathBuf,
}

impl Cockpit {
    /// On a new Digital Wall, which is on the screen when this returns.
    pub fn on_digital_wall(plane: &Plane, namespace: &str) -> Self {
        fleet::digital_wall(plane, namespace);
        fleet::wait_available(plane, namespace);
        fleet::await_all_traffic(plane, namespace);
        let cockpit = Self::start(&plane.kubeconfig_admin(), namespace);
        cockpit.wait_whole();
        cockpit
    }

    /// Just started, as whoever the kubeconfig names.
    pub fn start(kubeconfig: &Path, namespace: &str) -> Self {
        let home = Home::new();
        let config = home.write("config.toml", &config(kubeconfig, namespace));
        let (name, value) = home.env();
        let args = ["--config", config.to_str().unwrap()];
        let pty = Pty::spawn(&program(), &args, &[(name, &value)], SIZE);
        Self { pty, home, config }
    }

    /// Waits until `is_so` of the screen's text.
    pub fn wait(&self, what: &str, limit: Duration, mut is_so: impl FnMut(&str) -> bool) {
        self.pty
            .wait_for(what, limit, |screen, _| is_so(&text_of(screen)));
    }

    /// Waits until the screen has all of `words` somewhere.
    pub fn wait_words<W: AsRef<str>>(&self, words: &[W]) {
        let words: Vec<&str> = words.iter().map(W::as_ref).collect();
        let what = format!("{words:?}");
        self.wait(&what, LONG, |text| words.iter().all(|it| text.contains(it)));
    }

    /// Waits until every feed is live and both colours of Digital Wall are whole.
    pub fn wait_whole(&self) {
        self.wait("Digital Wall, whole and live", LONG, |text| {
            let is_whole = |word| line_of(text, word).contains("ready 5/5");
            text.contains("k8s live") && is_whole("BLUE") && is_whole("GREEN")
        });
    }

    /// Narrows the list to one pod and goes onto it.
    pub fn select_pod(&self, name: &str) {
        self.pty.send(format!("2/{name}\r"));
        self.wait_words(&[" 1/"]);
        self.pty.send("G");
    }

    /// What `wheelhouse status --json` says of this environment, and its exit code.
    pub fn status(&self) -> (Value, i32) {
        let config = self.config.to_str().unwrap();
        let args = ["--config", config, "status", "--json"];
        let out = self.home.command(&args).output().unwrap();
        let value: Value = serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&out.stderr)));
        (value["environments"][0].clone(), out.status.code().unwrap())
    }

    /// Leaves by the key for it.
    pub fn quit(mut self) {
        self.pty.send("q");
        assert_eq!(self.pty.wait_exit(LONG).code, 0);
    }
}

/// The configuration of a Digital Wall in `namespace`.
fn config(kubeconfig: &Path, namespace: &str) -> String {
    format!(
        "title = \"digital-wall\"\n\
         [[environment]]\nname = \"production\"\ntier = \"production\"\n\
         kubeconfig = {:?}\nnamespace = {namespace:?}\nrecords = {:?}\n\
         selector = \"app.kubernetes.io/part-of=digital-wall\"\nread_only = true\n\
         [environment.traffic]\nkey = \"version\"\ncolours = [\"blue\", \"green\"]\n\
         services = [{:?}, {:?}]\n\
         [[environment.workload]]\nname = \"frontend\"\nlabels = {{ part = \"frontend\" }}\n\
         [[environment.workload]]\nname = \"backend\"\nlabels = {{ part = \"backend\" }}\n",
        kubeconfig.display().to_string(),
        records_of(namespace),
        SERVICES[0],
        SERVICES[1],
    )
}

/// The namespace that the records of a Digital Wall's operations are kept in.
pub fn records_of(namespace: &str) -> String {
    format!("{namespace}-records")
}

/// The line of Traffic that is about a colour, or about a Service.
pub fn line_of(text: &str, word: &str) -> String {
    let start = format!("{word} ");
    let mut lines = text
        .lines()
        .map(|line| line.trim_start_matches(['║', ' ', '┃']));
    let found = lines.find(|line| line.starts_with(&start));
    found.unwrap_or_default().to_owned()
}

/// The row of a pod in the list of Pods.
pub fn row_of(text: &str, pod: &str) -> String {
    let mut lines = text.lines();
    let found = lines.find(|line| line.contains(pod) && line.contains(" ↺ "));
    found.unwrap_or_default().to_owned()
}

/// Every pod of a namespace, as the API says.
pub fn pods_of(plane: &Plane, namespace: &str) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let listed = plane.run(async { pods.list(&ListParams::default()).await });
    listed.unwrap().items
}

/// The names of the pods whose names start so.
pub fn names_of(plane: &Plane, namespace: &str, start: &str) -> Vec<String> {
    let names = pods_of(plane, namespace)
        .into_iter()
        .map(|it| it.name_any());
    names.filter(|name| name.starts_with(start)).collect()
}

/// Switches a Service to a colour, as a manager of that name.
pub fn switch(plane: &Plane, namespace: &str, service: &str, colour: &str, manager: &str) {
    let services: Api<Service> = Api::namespaced(plane.client(), namespace);
    let patch = Patch::Merge(json!({"spec": {"selector": {"version": colour}}}));
    let params = PatchParams {
        field_manager: Some(manager.into()),
        ..PatchParams::default()
    };
    plane.run(services.patch(service, &params, &patch)).unwrap();
}
