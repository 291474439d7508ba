//! The configuration: which environments there are, and how the screen looks.
//!
//! It is found ([`find`]), read with limits ([`load`]) and checked as a whole ([`Config::parse`]):
//! every problem of a file is reported at once, each with its place and what was expected there.
//! What an accepted configuration holds is printable and fits the grammar of its use, so that it
//! may go into a request or onto the screen as it stands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

pub use crate::estate::Tier;
pub use find::{Missing, Named, find, standard};
pub use gates::{Approval, Gates, Query, Quiet};
pub use load::load;
pub use monitoring::{Address, Prometheus, Reference, Replica};
pub use problem::{Place, Problem, Problems};

mod deployment;
mod environment;
mod find;
mod gates;
mod github;
mod grammar;
mod helm;
mod hook;
mod load;
mod monitoring;
mod nearest;
mod operations;
mod problem;
mod root;
mod secret;
mod selector;
mod smoke;
mod traffic;
mod walk;
mod workload;

/// A whole configuration file, checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// The name of the product, for the header.
    pub title: String,
    /// How the screen looks.
    pub ui: Ui,
    /// Keys that differ from the built-in ones, in the order of the file.
    pub keys: Vec<KeyBinding>,
    /// Where the workflow runs are; absent where none are shown.
    pub github: Option<Github>,
    /// The environments, in the order of the file; never empty.
    pub environments: Vec<Environment>,
    /// How long what may take in operations.
    pub operations: Operations,
}

/// How the screen looks, where that is not found out by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ui {
    /// Whether borders and marks are plain ASCII.
    pub ascii: Switch,
    /// Whether colours are used.
    pub colour: Switch,
    /// The clock that times are shown in.
    pub time: Time,
    /// Whether the terminal's bell rings where a person is needed.
    pub bell: bool,
}

impl Default for Ui {
    fn default() -> Self {
        Self {
            ascii: Switch::default(),
            colour: Switch::default(),
            time: Time::default(),
            bell: true,
        }
    }
}

/// Something that is found out by itself, or fixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Switch {
    /// As the terminal and its environment say.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// The clock that times are shown in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Time {
    /// Coordinated universal time, marked `Z`.
    #[default]
    Utc,
    /// The time zone of the machine.
    Local,
}

/// A key that is to mean another command; names of keys and commands are checked by their table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyBinding {
    /// The key as it is written, such as `ctrl-l`.
    pub key: String,
    /// The stable name of a command, such as `repaint`.
    pub command: String,
    /// Where the key stands in the file.
    pub place: Place,
}

/// Which workflow's runs are shown, and how they are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Github {
    /// `owner/name`.
    pub repository: String,
    /// The workflow's file name.
    pub workflow: String,
    /// The API, without a slash at the end.
    pub api: String,
    /// Where the token is; none for a public repository.
    pub token: Option<Token>,
    /// Certificates of authorities beside the system's, as PEM; absolute.
    pub ca_file: Option<PathBuf>,
    /// How many of the newest runs are shown: 30; more than 100 in whole hundreds.
    pub runs: u32,
}

/// Where a token is. It never stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Token {
    /// In this variable of the environment.
    Env(String),
    /// In this file, absolute.
    File(PathBuf),
    /// With the gh CLI.
    Gh,
}

/// Which job of the workflow deploys an environment, and from which branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deploy {
    /// The job, as GitHub shows it.
    pub job: String,
    /// The branch whose runs are to deploy.
    pub branch: String,
}

/// How long what may take in operations, in whole seconds; none: the built-in value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Operations {
    /// How long a Lease is good for without renewal: 60.
    pub lease: Option<u32>,
    /// How often it is renewed: 10.
    pub renew: Option<u32>,
    /// After so long without renewal a worker writes nothing more: 40.
    pub give_up: Option<u32>,
    /// For EndpointSlices to say that traffic has moved: 60.
    pub moved: Option<u32>,
    /// How long it is watched after a cutover, where the environment does not say: 30.
    pub watch: Option<u32>,
    /// For a Deployment to roll out: 600.
    pub rollout: Option<u32>,
    /// How long an operation waits for a selector that somebody else changed to be put right: 600.
    pub patience: Option<u32>,
}

impl Operations {
    /// `lease`, `renew` and `give_up`, with the built-in values in place of what is not said.
    pub fn lease_seconds(&self) -> (u32, u32, u32) {
        let or = |said: Option<u32>, built_in| said.unwrap_or(built_in);
        (or(self.lease, 60), or(self.renew, 10), or(self.give_up, 40))
    }
}

/// A place that releases go to: a namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Environment {
    /// The name that people use and type; unique in the file.
    pub name: String,
    /// How much care it takes.
    pub tier: Tier,
    /// The kube context; the current one where there is none.
    pub context: Option<String>,
    /// The kubeconfig file, absolute; the usual ones where there is none.
    pub kubeconfig: Option<PathBuf>,
    /// The namespace.
    pub namespace: String,
    /// The namespace that the records of its operations are kept in; its own where there is none.
    pub records: Option<String>,
    /// The label selector of what is watched; empty for everything in the namespace.
    pub selector: String,
    /// Whether changes need a window that is opened on purpose.
    pub read_only: bool,
    /// Which job deploys there; absent where none does, or it is not to be watched.
    pub deploy: Option<Deploy>,
    /// How it is deployed by Wheelhouse; absent: by images.
    pub deployment: Option<Deployment>,
    /// What a smoke test asks, in the order of the file.
    pub smoke: Vec<Smoke>,
    /// What is asked when the soak of a cutover is over, in the order of the file.
    pub verify: Vec<Smoke>,
    /// The programs that are told of its operations, in the order of the file.
    pub hooks: Vec<Hook>,
    /// How traffic is switched between two colours; absent where deploys are in place.
    pub traffic: Option<Traffic>,
    /// The parts that run there, in the order of the file; never empty.
    pub workloads: Vec<Workload>,
    /// How its Prometheus is asked: its own section, and for the rest the one for all.
    pub prometheus: Option<Prometheus>,
    /// Where its Alertmanager is: its own section, or the one for all.
    pub alertmanager: Option<Address>,
    /// What of monitoring stops a cutover, and brings traffic back in its soak.
    pub gates: Gates,
}

/// A program that is told of an environment's operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Of what; never empty.
    pub on: Vec<HookOn>,
    /// The program.
    pub command: Command,
}

/// What a hook is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HookOn {
    /// An operation began.
    Start,
    /// Somebody asked for an approval.
    Approval,
    /// An operation waits for a person.
    Held,
    /// It ended.
    End,
}

/// How an environment is deployed by Wheelhouse itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deployment {
    /// The images of its Deployments are patched.
    Image,
    /// A program is run.
    Command(Command),
    /// A workflow is started, and its run followed.
    Workflow(Workflow),
    /// A release is upgraded by helm.
    Helm(Helm),
}

/// A program that deploys or tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Command {
    /// Its name and its words; no shell reads them.
    pub argv: Vec<String>,
    /// Seconds after which it is killed.
    pub timeout: u32,
}

/// A part of a smoke test, before traffic may go there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Smoke {
    /// A question to every pod of a workload.
    Ask(Question),
    /// A question to an address.
    Fetch(Page),
    /// A program.
    Run {
        /// Which.
        command: Command,
        /// The address that it is told; `{colour}` and the like are filled in.
        url: Option<String>,
    },
}

/// A question to an address, as a user would ask it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The address; `{colour}` and the like are filled in.
    pub url: String,
    /// The status that the answer must have.
    pub status: u16,
    /// Milliseconds that it may take.
    pub within: u32,
    /// What its body must hold.
    pub contains: Vec<String>,
}

/// A question to every pod of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The workload.
    pub workload: String,
    /// The port: a number, or the name of one.
    pub port: String,
    /// The path.
    pub path: String,
    /// The status that the answer must have.
    pub status: u16,
    /// Milliseconds that it may take.
    pub within: u32,
    /// What its body must hold; `{colour}` and `{digest}` are filled in.
    pub contains: Vec<String>,
}

/// A workflow that deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workflow {
    /// Its file's name.
    pub file: String,
    /// The branch or tag that it is started at.
    pub reference: String,
    /// Its inputs, with `{operation}` and the like in them.
    pub inputs: BTreeMap<String, String>,
    /// Seconds after which its run is given up on.
    pub timeout: u32,
}

/// A release that helm upgrades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Helm {
    /// The program: a name that is looked for on PATH, or an absolute path.
    pub program: String,
    /// The chart: an absolute path, or `oci://…`.
    pub chart: String,
    /// The release, with `{colour}` and the like in it.
    pub release: String,
    /// The chart's version.
    pub version: Option<String>,
    /// Files of values, absolute; the last one counts.
    pub values: Vec<PathBuf>,
    /// Values by path, with `{colour}`, `{tag:WORKLOAD}` and the like in them. They are in the argument list: no secrets.
    pub set: BTreeMap<String, String>,
    /// Seconds after which it is ended.
    pub timeout: u32,
}

/// How traffic is switched: one key of the selectors of some Services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// The key of the Services' selectors that holds the colour.
    pub key: String,
    /// The two values of that key.
    pub colours: [String; 2],
    /// The Services that are switched together, in this order; never empty.
    pub services: Vec<String>,
    /// Seconds for which the colour that traffic left is kept as it is; none: nobody said.
    pub keep_warm: Option<u32>,
    /// Whether a clean-up follows a release or a cutover that ended well, when that is over.
    pub clean_up: bool,
}

/// A part of the product: its Deployments and pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// The name that is shown; unique in its environment.
    pub name: String,
    /// The labels which, with the colour, find its Deployments and pods; never empty.
    pub labels: BTreeMap<String, String>,
    /// The names of its Deployments, where the labels do not say enough.
    pub deployments: Vec<String>,
}

/// Judges the keys and commands of `[keys]`, which only the table of keys can: the number of each that is wrong, and why.
pub type KeyCheck = fn(&[(&str, &str)]) -> Vec<(usize, String)>;

impl Config {
    /// Reads a configuration from its text; `file` is only for the messages.
    ///
    /// The second value holds the warnings, by place.
    ///
    /// # Errors
    /// Everything that is wrong with the text, at once.
    pub fn parse(text: &str, file: &str) -> Result<(Self, Vec<Problem>), Problems> {
        root::read(text, file, None, |_| Vec::new())
    }
}
