//! *May I?*, answered in one place: a plan that says what will change, or a refusal that says why not.
//!
//! The screen asks it to grey keys and to fill the confirmation, `--plan` prints it, and the engine asks it
//! again over an estate of fresh reads. The plan's hash covers the decisive facts alone: what a status change
//! moves every few seconds does not void a confirmation, what would change the decision does.

pub(in crate::ops) mod again;
pub(in crate::ops) mod approval;
mod ci;
pub(in crate::ops) mod cleanup;
mod decisive;
mod deploy;
pub(in crate::ops) mod freeze;
mod gates;
pub(in crate::ops) mod helm;
mod left;
mod monitoring;
mod overridden;
mod release;
mod restore;
mod rollback;
mod smoke;
mod soaked;
mod still;
mod tested;

pub use again::brought_back;
pub(in crate::ops) use approval::demands_review;
pub(in crate::ops) use decisive::digest;
pub use deploy::{SAME, asked};
pub(in crate::ops) use deploy::{arriving, open_in_place, told};
pub use freeze::is_glass;
pub(in crate::ops) use gates::{CAPACITY, flip_of, is_to_come};
pub use helm::{Helm, Release};
pub(in crate::ops) use left::left;
pub use overridden::OVERRIDABLE;
pub use release::Demands;
pub(in crate::ops) use release::Stands;
pub use smoke::{Fetch, Probe, Question, Trial};
pub(in crate::ops) use smoke::{all, ill, pods, port};
pub use soaked::{Restarts, Soaked, asks_nothing, restarted, soaked};
pub use still::{open, still};
pub(in crate::ops) use tested::revisions;
pub use tested::{Revisions, in_words, reviewed};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{OperationKind, Step};
use crate::estate::{Estate, Labels, Now, Safe, Scope, Soak, TrafficSwitch};

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub kind: OperationKind,
    /// The colour that traffic is to go to, as the selector spells it; none: the other one.
    pub to: Option<Safe>,
    /// Whether that is where a rollback's plan said that it goes, and nobody named it: what is asked of such a colour is asked
    /// again.
    #[serde(default)]
    pub is_pinned: bool,
    /// Why, for whoever reads the record.
    pub reason: Option<Safe>,
    /// The operation that is taken over or cut off by this one, if any.
    pub seize: bool,
    /// Gates that are overridden, by id, and why.
    #[serde(default)]
    pub overrides: BTreeMap<Safe, Safe>,
    /// Why a freeze is passed over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Safe>,
    /// The images of a deploy, by `workload`, or by `workload/container` where a pod has several. One that begins with
    /// `:` or `@` is another tag or digest of what is there; [`SAME`] is what is there.
    #[serde(default)]
    pub images: BTreeMap<Safe, Safe>,
    /// How a deploy is done.
    #[serde(default)]
    pub how: How,
    /// The questions and programs of a smoke test.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// The operation that this is a part of.
    #[serde(default)]
    pub within: Option<Within>,
}

impl Request {
    /// One of that kind, of which nothing else is said.
    pub fn new(kind: OperationKind) -> Self {
        Self {
            kind,
            to: None,
            is_pinned: false,
            reason: None,
            seize: false,
            overrides: BTreeMap::new(),
            break_glass: None,
            images: BTreeMap::new(),
            how: How::Image,
            probes: Vec::new(),
            within: None,
        }
    }
}

impl Request {
    /// The operation that it is carried out as a part of. A rollback is a part of none: it waits for no record, Lease or
    /// worker of another one (SAFETY, rule 9).
    pub fn joins(&self) -> Option<&Within> {
        (self.within.as_ref()).filter(|_| self.kind != OperationKind::Rollback)
    }

    /// The same, going where its plan said: whatever is live by the time somebody confirms a rollback (I-47).
    #[must_use]
    pub fn pinned_to(self, to: &Safe) -> Self {
        let is_open = self.kind == OperationKind::Rollback && self.to.is_none() && !to.is_empty();
        match is_open {
            true => Self {
                to: Some(to.clone()),
                is_pinned: true,
                ..self
            },
            false => self,
        }
    }
}

/// How a deploy is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The images of the Deployments are patched.
    #[default]
    Image,
    /// A program is run.
    Command(Command),
    /// A workflow is started.
    Workflow(Workflow),
    /// A release is upgraded by helm.
    Helm(Helm),
}

/// A program that deploys or tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its name and its words, without a shell; `{operation}`, `{colour}`, `{environment}` and `{namespace}` are filled in.
    pub argv: Vec<Safe>,
    /// Seconds after which it is killed.
    pub timeout_s: u32,
}

/// A workflow that deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Its file's name.
    pub file: Safe,
    /// The branch or tag.
    pub reference: Safe,
    /// Its inputs; `{operation}`, `{colour}`, `{environment}` and `{namespace}` are filled in.
    pub inputs: BTreeMap<Safe, Safe>,
    /// Seconds after which its run is given up on.
    pub timeout_s: u32,
}

/// The operation that a job of a workflow run is a part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The operation.
    pub operation: Safe,
    /// The run that the job is of, as GitHub tells it.
    pub run: u64,
}

/// What will change, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is to be done.
    pub kind: OperationKind,
    /// The environment, as this configuration names it.
    pub environment: Safe,
    /// Where its Services are.
    pub namespace: Safe,
    /// The selector key that names the colour.
    pub key: Safe,
    /// The colour that traffic goes to now, where the Services agree on one.
    pub from: Option<Safe>,
    /// The colour that it will go to.
    pub to: Safe,
    /// The patches, in order.
    pub flips: Vec<Flip>,
    /// Every Service that is to serve `to` at the end, with the ready endpoints that it must have.
    pub least: BTreeMap<Safe, u32>,
    /// What runs, by workload.
    pub images: Vec<ImageChange>,
    /// The autoscalers that are held.
    pub holds: Vec<Hold>,
    /// The checks.
    pub gates: Vec<Gate>,
    /// Those of them that say BAD or UNKNOWN and were overridden, by id, and why.
    #[serde(default)]
    pub overridden: BTreeMap<Safe, Safe>,
    /// How a cutover is watched after the flip.
    #[serde(default)]
    pub soak: Soak,
    /// The alerts that fired already and would be gates, by a digest of what identifies each, and how grave each
    /// was; none where no Prometheus is configured, or it could not be asked.
    #[serde(default)]
    pub fired: Option<BTreeMap<Safe, u8>>,
    /// Who else acts on these objects, and who would revert it.
    pub others: Vec<Safe>,
    /// The way back.
    pub back: Safe,
    /// Why, as the request said.
    pub reason: Option<Safe>,
    /// What the smoke test that a cutover stands on was about; none where none is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Revisions>,
    /// The workflow's runs of the commits that it brings live, as `#1482 main`; none where nobody asked GitHub.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Safe>,
    /// How a deploy is done.
    #[serde(default, skip_serializing_if = "How::is_image")]
    pub how: How,
    /// What every pod is asked, and the programs that are run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// What a release will ask, and what stood there when it began, whoever carries it out by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demands: Option<Demands>,
    /// The restarts of the pods that traffic is to go to, by uid, where a soak counts them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: Restarts,
    /// The policy allows to pass over no closed gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_strict: bool,
    /// The release of a deploy by helm, as helm told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// The images as they were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wanted: BTreeMap<Safe, Safe>,
    /// The Deployments that are patched, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Update>,
    /// Every Deployment that is to be rolled out at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rolls: Vec<Safe>,
    /// The selectors that must be the same at the end, by Service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keeps: BTreeMap<Safe, Labels>,
    /// What is locked where it is not the Services of `least`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Safe>,
    /// Of the decisive facts, hexadecimal.
    pub hash: Safe,
    /// Of what an approval is for, hexadecimal: the Services' uids, selectors and epochs, and the templates and
    /// digests that would go live. Empty where nothing is to be approved.
    #[serde(default, skip_serializing_if = "Safe::is_empty")]
    pub bound: Safe,
}

/// A patch of one Service's selector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// The Service.
    pub service: Safe,
    /// Its uid.
    pub uid: Safe,
    /// The whole selector that it must have.
    pub from: Labels,
    /// The whole selector that it gets.
    pub to: Labels,
    /// The epoch that it carries; none where Wheelhouse never wrote to it.
    pub epoch: Option<u64>,
    /// Its resourceVersion, which stands in for the epoch where there is none.
    pub resource_version: Safe,
    /// Whether it has annotations: a JSON Patch must make the map first.
    pub has_annotations: bool,
    /// The operation that wrote to it last when this was planned, where one had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Safe>,
}

/// A patch of one Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The Deployment.
    pub deployment: Safe,
    /// Its uid.
    pub uid: Safe,
    /// The workload that it is of.
    pub workload: Safe,
    /// The revision that it must have: another one is another template.
    pub revision: Option<Safe>,
    /// Every container of its template, in order.
    pub containers: Vec<ContainerImage>,
    /// `spec.replicas` before.
    pub replicas: u32,
    /// `spec.replicas` after.
    pub to_replicas: u32,
}

/// A container and its image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerImage {
    /// The container.
    pub name: Safe,
    /// The image that it must have.
    pub from: Safe,
    /// The image that it gets.
    pub to: Safe,
}

/// What runs of a workload in the colour that traffic leaves, and in the one that it goes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageChange {
    /// The workload.
    pub workload: Safe,
    /// Tag and digest, one for each image.
    pub from: Vec<Safe>,
    /// Tag and digest, one for each image.
    pub to: Vec<Safe>,
}

/// An autoscaler that must not shrink a colour meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The HorizontalPodAutoscaler.
    pub autoscaler: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `minReplicas` before.
    pub from: u32,
    /// `minReplicas` meanwhile.
    pub to: u32,
}

/// Three values, as everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Finding {
    /// As it should be.
    Ok,
    /// As it should be, but somebody should know.
    Noted,
    /// Wrong.
    Bad,
    /// Not known.
    Unknown,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// A stable name, such as `ready`.
    pub name: Safe,
    /// What of several it is about: the alert, the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Safe>,
    /// What was found.
    pub finding: Finding,
    /// The value, in words.
    pub said: Safe,
}

/// Why it is refused; the exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// It cannot be meant: no such colour, no switch, nothing to do.
    Invalid,
    /// A gate says BAD.
    Gate,
    /// A gate says UNKNOWN.
    Unknown,
    /// Somebody else is at it.
    Held,
    /// Another person's approval is all that it lacks.
    Approval,
}

/// Why it may not be done now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// The reason, and the way on.
    pub why: Safe,
    /// What could be planned all the same, to be shown.
    pub plan: Option<Box<Plan>>,
}

impl Refusal {
    pub(in crate::ops) fn invalid(why: impl Into<Safe>) -> Self {
        Self {
            kind: RefusalKind::Invalid,
            why: why.into(),
            plan: None,
        }
    }
}

/// Whether `request` may be done to `estate`, and how.
///
/// # Errors
/// Why not, with the plan as far as there is one.
pub fn check(request: &Request, estate: &Estate, now: Now) -> Result<Plan, Refusal> {
    let plan = match (request.kind, &estate.scope.traffic) {
        (OperationKind::Deploy, switch) => deploy::deploy(request, estate, switch.as_ref(), now),
        (OperationKind::Smoke, switch) => smoke::smoke(request, estate, switch.as_ref(), now),
        (OperationKind::Rollback, None) => restore::restore(request, estate, now),
        (OperationKind::Cutover, Some(switch)) => gates::cutover(request, estate, switch, now),
        (OperationKind::Rollback, Some(switch)) => rollback::rollback(request, estate, switch, now),
        (OperationKind::Repair, Some(switch)) => gates::repair(request, estate, switch, now),
        (OperationKind::Cleanup, Some(switch)) => cleanup::cleanup(request, estate, switch, now),
        (OperationKind::Release, Some(switch)) => release::release(request, estate, switch, now),
        (OperationKind::Release, None) => {
            let name = &estate.scope.name;
            Err(Refusal::invalid(format!(
                "{name} has no [environment.traffic]: nothing is cut over there; deploy it, then smoke test it"
            )))
        }
        (OperationKind::Cutover | OperationKind::Repair | OperationKind::Cleanup, None) => {
            let name = &estate.scope.name;
            Err(Refusal::invalid(format!(
                "{name} has no [environment.traffic]: there is no traffic to move"
            )))
        }
    }?;
    plan.verdict()
}

/// The colour that a cutover would bring traffic to, which is what monitoring is asked about; empty of a deploy in place.
pub fn target(request: &Request, estate: &Estate) -> Option<Safe> {
    let Some(switch) = estate.scope.traffic.as_ref() else {
        let is_asked = request.kind == OperationKind::Deploy && request.within.is_none();
        return is_asked.then(Safe::default);
    };
    let to = match (request.kind, &request.to) {
        (OperationKind::Cutover | OperationKind::Release, Some(wanted)) => {
            colour(wanted, switch).ok()?
        }
        (OperationKind::Cutover | OperationKind::Release, None) => 1 - estate.live_colour()?,
        (
            OperationKind::Rollback
            | OperationKind::Repair
            | OperationKind::Deploy
            | OperationKind::Smoke
            | OperationKind::Cleanup,
            _,
        ) => return None,
    };
    Some(switch.colours[to].clone())
}

/// The colour that `wanted` names.
fn colour(wanted: &Safe, switch: &TrafficSwitch) -> Result<usize, Refusal> {
    let found = (switch.colours.iter()).position(|c| c.eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| {
        let [a, b] = &switch.colours;
        Refusal::invalid(format!(
            "there is no colour {wanted}; there are {a} and {b}"
        ))
    })
}

impl Plan {
    /// The place of the colour that traffic will go to, in the switch of `estate`.
    pub(in crate::ops) fn place(&self, estate: &Estate) -> Option<usize> {
        estate.scope.traffic.as_ref()?.colour(&self.to)
    }

    /// The steps on the way forward, in order.
    pub fn steps(&self) -> Vec<Step> {
        let flips = self.flips.iter().map(|flip| flip.service.clone());
        let serves = self.least.keys().cloned();
        match self.kind {
            OperationKind::Cutover => {
                let mut steps = vec![Step::Check];
                steps.extend(self.cuts_over());
                steps
            }
            OperationKind::Release => {
                let mut steps = self.deploys();
                if self.probes.iter().any(|probe| !probe.is_after()) {
                    steps.push(Step::Smoke);
                }
                steps.push(Step::Plan);
                steps.extend(self.cuts_over());
                steps
            }
            OperationKind::Rollback => {
                let mut steps: Vec<Step> = flips.map(Step::Flip).collect();
                steps.extend(self.recovers().then_some(Step::Run));
                steps.extend(
                    self.updates
                        .iter()
                        .map(|u| Step::Update(u.deployment.clone())),
                );
                steps.extend(self.rolls.iter().cloned().map(Step::RollOut));
                steps.extend(serves.map(Step::Move));
                steps.push(Step::Restore);
                steps
            }
            OperationKind::Repair => {
                let mut steps = vec![Step::Check];
                for service in flips {
                    steps.extend([Step::Flip(service.clone()), Step::Move(service)]);
                }
                steps
            }
            OperationKind::Smoke => vec![Step::Check, Step::Smoke],
            OperationKind::Cleanup => {
                let updates = self.updates.iter();
                let updates = updates.map(|u| Step::Update(u.deployment.clone()));
                std::iter::once(Step::Check)
                    .chain(updates)
                    .chain([Step::Verify])
                    .collect()
            }
            OperationKind::Deploy => self.deploys(),
        }
    }

    fn deploys(&self) -> Vec<Step> {
        let mut steps = vec![Step::Check];
        // What stands at 0 is lifted first: neither a chart that leaves its replicas to an autoscaler nor that one would.
        let updates = self.updates.iter();
        steps.extend(updates.map(|u| Step::Update(u.deployment.clone())));
        match self.how {
            How::Image => {}
            How::Command(_) | How::Helm(_) => steps.push(Step::Run),
            How::Workflow(_) => steps.extend([Step::Dispatch, Step::Follow]),
        }
        steps.extend(self.rolls.iter().cloned().map(Step::RollOut));
        if !self.keeps.is_empty() {
            steps.push(Step::Verify);
        }
        steps
    }

    fn cuts_over(&self) -> Vec<Step> {
        let mut steps = vec![Step::Hold];
        for flip in &self.flips {
            let service = || flip.service.clone();
            steps.extend([Step::Flip(service()), Step::Move(service())]);
        }
        let moved = |s: &&Safe| self.flips.iter().any(|f| f.service == **s);
        let serves = self.least.keys().filter(|s| !moved(s));
        steps.extend(serves.cloned().map(Step::Move));
        steps.extend([Step::Watch, Step::Restore]);
        steps
    }

    /// Whether a freeze is passed over.
    pub fn breaks_glass(&self) -> bool {
        let is_passed = |gate: &Gate| is_glass(&gate.name) && gate.finding == Finding::Noted;
        self.gates.iter().any(is_passed)
    }

    /// Whether it is a freeze that stands in its way, and nothing before it.
    pub fn is_frozen(&self) -> bool {
        let stops = |gate: &&Gate| gate.finding == Finding::Bad;
        let first = self.gates.iter().find(stops);
        first.is_some_and(|gate| gate.name.as_str() == freeze::FREEZE)
    }

    /// What says that it takes the last cutover back, where it does.
    pub fn way_back(&self) -> Option<&Gate> {
        let mut gates = self.gates.iter();
        gates.find(|gate| gate.name.as_str() == again::BACK)
    }

    /// Whether nothing is to be patched: it is verified only.
    pub fn is_only_verified(&self) -> bool {
        self.flips.is_empty() && self.updates.is_empty() && self.how == How::Image
    }

    /// Whether it brings a release of helm back to where it was.
    pub fn recovers(&self) -> bool {
        matches!(&self.how, How::Helm(helm) if helm.recovers)
    }

    /// Whether there are no colours: what is changed takes traffic.
    pub fn is_in_place(&self) -> bool {
        self.key.is_empty()
    }

    /// What a rollback without colours brings back, container by container and by helm's revisions: what a person confirmed,
    /// whatever somebody deploys meanwhile. Empty where traffic is what moves.
    pub fn brings_back(&self) -> String {
        if self.kind != OperationKind::Rollback || !self.is_in_place() {
            return String::new();
        }
        let images = self.updates.iter().flat_map(|update| {
            let changed = update.containers.iter().filter(|c| c.from != c.to);
            changed.map(move |c| format!("{} {} {} → {}", update.deployment, c.name, c.from, c.to))
        });
        let revisions = self.release.iter().map(|it| {
            let number = |it: Option<u32>| it.map_or_else(|| "?".to_owned(), |n| n.to_string());
            let (from, to) = (number(it.before), number(it.back_to));
            format!("{} revision {from} → {to}", it.name)
        });
        images.chain(revisions).collect::<Vec<_>>().join(", ")
    }

    /// The keys of the locks that it takes: every Service of the switch, also those that are verified only.
    pub fn locks(&self) -> Vec<Safe> {
        match self.locks.is_empty() {
            true => self.least.keys().cloned().collect(),
            false => self.locks.clone(),
        }
    }

    /// Whether it is about a Service of the switch of `scope`: several environments may share a namespace.
    pub(in crate::ops) fn is_behind(&self, scope: &Scope) -> bool {
        let services = scope.traffic.as_ref().map(|switch| &switch.services);
        let is_its = |key: &Safe| services.is_some_and(|services| services.contains(key));
        self.locks().iter().any(is_its)
    }

    /// The patch of `deployment`.
    pub fn update(&self, deployment: &str) -> Option<&Update> {
        self.updates
            .iter()
            .find(|update| update.deployment.as_str() == deployment)
    }

    /// The patch of `service`.
    pub fn flip(&self, service: &str) -> Option<&Flip> {
        self.flips
            .iter()
            .find(|flip| flip.service.as_str() == service)
    }

    /// The colour as people see it.
    pub fn colour_in_words(colour: &str) -> String {
        colour.to_uppercase()
    }

    /// What is to be done, in a line.
    pub fn title(&self) -> String {
        let (name, to) = (&self.environment, Self::colour_in_words(&self.to));
        match self.kind {
            OperationKind::Cutover => format!("cut over {name} to {to}"),
            OperationKind::Rollback if self.is_in_place() => {
                format!("roll back {name} to what ran before")
            }
            OperationKind::Rollback => format!("roll back {name} to {to}"),
            OperationKind::Repair => format!("repair the selectors of {name}"),
            OperationKind::Deploy if self.recovers() => {
                let release = self.release.as_ref().map_or("", |it| it.name.as_str());
                format!("recover release {release} of {name}")
            }
            OperationKind::Deploy if self.is_in_place() => format!("deploy to {name}"),
            OperationKind::Deploy => format!("deploy to {to} of {name}"),
            OperationKind::Cleanup => format!("clean up {to} of {name}"),
            OperationKind::Release => format!("release {name} by {to}"),
            OperationKind::Smoke if self.is_in_place() => format!("smoke test {name}"),
            OperationKind::Smoke => format!("smoke test {to} of {name}"),
        }
    }

    /// What is so when all steps passed.
    pub fn done_in_words(&self) -> String {
        if self.kind == OperationKind::Smoke {
            let who = match self.is_in_place() {
                true => self.environment.to_string(),
                false => Self::colour_in_words(&self.to),
            };
            let mut before = self.probes.iter().filter(|probe| !probe.is_after());
            return match before.all(Probe::asks_pods) {
                true => format!("every ready pod of {who} answered as it should"),
                false => format!("{who} passed its smoke test"),
            };
        }
        if self.kind == OperationKind::Cleanup {
            let (to, live) = (Self::colour_in_words(&self.to), self.from.as_ref());
            let live = live.map_or_else(String::new, |c| {
                format!("; {} is live as before", Self::colour_in_words(c))
            });
            return format!("{to} is at 0{live}");
        }
        if self.kind == OperationKind::Deploy || self.is_in_place() {
            return self.runs_in_words();
        }
        let services: Vec<&str> = self.least.keys().map(Safe::as_str).collect();
        let (to, services) = (Self::colour_in_words(&self.to), services.join(", "));
        match self.is_only_verified() {
            true => format!("{to} was live on {services} already, and is verified"),
            false => format!("{to} is live on {services}"),
        }
    }

    /// `GREEN runs frontend v2, backend v1, rolled out; BLUE is live`
    fn runs_in_words(&self) -> String {
        let of = |image: &ImageChange| {
            let words: Vec<&str> = image.to.iter().map(Safe::as_str).collect();
            format!("{} {}", image.workload, words.join(" "))
        };
        let images: Vec<String> = self.images.iter().map(of).collect();
        let who = match self.is_in_place() {
            true => self.environment.to_string(),
            false => Self::colour_in_words(&self.to),
        };
        let live = self.from.as_ref().map_or_else(String::new, |live| {
            format!("; {} is live as before", Self::colour_in_words(live))
        });
        format!("{who} runs {}, rolled out{live}", images.join(", "))
    }

    /// The plan, unless a gate stands in the way.
    fn verdict(self) -> Result<Self, Refusal> {
        let counts = |gate: &&Gate| !self.overridden.contains_key(&gate.id());
        let first = |finding| {
            let mut gates = self.gates.iter().filter(counts);
            gates.find(move |gate| gate.finding == finding)
        };
        let lock = (self.gates.iter())
            .find(|gate| gate.name.as_str() == gates::LOCK && gate.finding == Finding::Bad);
        let (kind, gate) = match (lock, first(Finding::Bad), first(Finding::Unknown)) {
            (Some(lock), ..) => (RefusalKind::Held, lock),
            (None, Some(bad), _) if self.lacks_approval_alone() => match bad.name.as_str() {
                // Nobody is waited for any more.
                approval::REJECTED => (RefusalKind::Gate, bad),
                _ => (RefusalKind::Approval, bad),
            },
            (None, Some(bad), _) => (RefusalKind::Gate, bad),
            // What is not known does not stop a rollback: its own reads decide.
            (None, None, Some(unknown)) if self.kind != OperationKind::Rollback => {
                (RefusalKind::Unknown, unknown)
            }
            _ => return Ok(self),
        };
        Err(Refusal {
            kind,
            why: format!("{}: {}", gate.id(), gate.said).into(),
            plan: Some(Box::new(self)),
        })
    }
}

impl How {
    /// How a deploy of `images` is done where `self` is configured: what only comes back as it was ([`SAME`]) is a patch.
    pub fn of(&self, images: &BTreeMap<Safe, Safe>) -> Self {
        let is_same = !images.is_empty() && images.values().all(|it| it.as_str() == SAME);
        match is_same {
            true => Self::Image,
            false => self.clone(),
        }
    }

    /// How what was deployed in place is rolled back: helm goes back a revision, all others by the images before.
    #[must_use]
    pub fn back(&self, scope: &Scope) -> Self {
        match self {
            Self::Helm(helm) if scope.traffic.is_none() => Self::Helm(helm.recovering()),
            Self::Helm(_) | Self::Image | Self::Command(_) | Self::Workflow(_) => Self::Image,
        }
    }

    /// Whether it is by images, as where nothing is said.
    pub fn is_image(&self) -> bool {
        *self == Self::Image
    }
}

impl Gate {
    pub(super) fn new(name: &str, finding: Finding, said: impl Into<Safe>) -> Self {
        Self {
            name: name.into(),
            of: None,
            finding,
            said: said.into(),
        }
    }

    fn of(name: &str, of: &Safe, finding: Finding, said: impl Into<Safe>) -> Self {
        Self {
            of: Some(of.clone()),
            ..Self::new(name, finding, said)
        }
    }

    /// What it is overridden by: `monitoring`, `alert:HighErrorRate`.
    pub fn id(&self) -> Safe {
        Self::id_of(&self.name, self.of.as_ref())
    }

    fn id_of(name: &str, of: Option<&Safe>) -> Safe {
        match of {
            Some(of) => format!("{name}:{of}").into(),
            None => name.into(),
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]
mod tests;
