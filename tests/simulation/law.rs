//! What must never happen, checked on each write that the API server accepts and on each that is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::asked::Asked;
use super::end::autoscalers;
use super::process::Process;
use super::sky::Says;
use super::world::{NAMESPACE, RECORDS, SERVICES, World, lock};

/// No story of a few minutes has so many entries.
const LONG: usize = 100;

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Two workers changed something in one epoch.
    OneEpochOneWorker,
    /// A write of an earlier epoch went through after one of a later.
    NoLateWrite,
    /// Traffic was sent to a colour without a ready endpoint.
    NeverToNobody,
    /// One intent, two acts.
    OneIntentOneAct,
    /// Sent again without knowing what became of the first.
    NeverBlindly,
    /// A watch passed that nobody kept.
    ReallyWatched,
    /// A rollback did not go through though nothing stood in its way.
    RollbackGoesThrough,
    /// An operation's end says what is not so.
    EndsTruly,
    /// Something was left open, locked or held.
    LeavesNothing,
    /// A rollback went to where nobody had been.
    BackIsBack,
    /// A cutover began though monitoring had said for long that it may not, or had not said anything.
    GatesAreClosed,
    /// An outage of monitoring moved traffic back.
    OutageMovesNothing,
    /// A soak passed under an alert that fired all the while.
    AlarmsAreHeard,
    /// A deploy changed what takes traffic.
    NeverDeploysLive,
    /// A cutover flipped though an autoscaler could shrink one of the colours.
    CapacityIsHeld,
    /// A cutover brought live what was neither tested nor approved, though that is demanded.
    OnlyWhatWasMeant,
    /// A cutover began though a freeze had stood for long.
    FreezeIsObeyed,
    /// A release brought live what did not pass its own test.
    OnlyWhatPassed,
    /// A way back was given up though the API was away for a short time only.
    WayBackIsGone,
}

/// Who sent a request, as it was when it was sent.
#[derive(Clone, Debug)]
pub struct Sender {
    pub number: usize,
    pub words: String,
    pub intent: String,
    /// The same without the attempt.
    pub stage: String,
    pub epochs: BTreeMap<String, u64>,
    is_again: bool,
    is_unread: bool,
}

impl Sender {
    pub fn of(process: &Process, asked: &Asked) -> Self {
        let state = process.state();
        let intent = format!("{}/{}", state.stage, state.attempt);
        Self {
            number: process.number,
            words: format!("{process:?} {intent}"),
            epochs: state.epochs.clone(),
            is_again: state.unsure.get(&asked.name) == Some(&intent),
            is_unread: state.unread.contains(&asked.name),
            stage: state.stage.to_string(),
            intent,
        }
    }
}

/// How it was when a write left its sender.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// How many endpoints were ready where a flip goes to.
    pub ready: usize,
    /// Whether what goes live was what is demanded.
    pub is_meant: bool,
    /// Whether it was what passed the test of its release.
    pub is_tested: bool,
    /// For how many milliseconds the environment had been frozen.
    pub frozen: u64,
    /// Whether a Service selected what is deployed to.
    pub is_live: bool,
}

/// How it was before a write.
pub struct Before {
    ready: usize,
    /// Milliseconds that its sender's machine stood still by a clock that did not count them.
    uncounted: u64,
    /// Whether a Service selected what is deployed to.
    is_live: bool,
    /// The autoscalers that let their colour shrink below what it had in the beginning.
    loose: Vec<String>,
    /// Whether what goes live is what was tested or approved, as far as that is demanded.
    is_meant: bool,
    /// Whether it is what passed the test of its release.
    is_tested: bool,
    /// For how many milliseconds the environment was frozen.
    frozen: u64,
}

/// Who changed a selector last, and when.
#[derive(Clone, Debug)]
pub struct Changed {
    pub at: u64,
    pub by: String,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Law {
    pub broken: Vec<(Rule, String)>,
    writers: BTreeMap<(String, u64), (usize, String)>,
    highest: BTreeMap<String, u64>,
    /// Epochs below which nothing may write anything: their worker was fenced.
    fenced: BTreeMap<String, u64>,
    acts: BTreeSet<String>,
    pub changed: BTreeMap<String, Changed>,
    /// When an operation last saw that traffic is where it says.
    settled: BTreeMap<String, u64>,
    pub accepted: Vec<(u64, usize, String)>,
    /// Whether traffic was ever meant to be anywhere else than at the beginning.
    has_moved: bool,
    /// The colours that a rollback sent a Service to.
    is_returned: BTreeSet<String>,
    /// Whether somebody who is none of ours had a hand in it.
    pub is_meddled: bool,
    /// Autoscalers that an operation said it left as they are.
    pub is_left: BTreeSet<String>,
    /// The templates that somebody approved, and until when that holds.
    pub approved: Vec<(u64, BTreeSet<String>)>,
    /// What the pods answered, by operation.
    pub tests: BTreeMap<String, Test>,
    /// Since when the environment is frozen, and until when if that ends by itself.
    frozen: Option<(u64, Option<u64>)>,
    /// Whether somebody deployed past Wheelhouse.
    pub is_rebuilt: bool,
}

/// How a smoke test went so far.
#[derive(Debug, Default)]
pub struct Test {
    /// The templates whose pods answered well.
    pub good: BTreeSet<String>,
    /// One did not.
    pub is_bad: bool,
    pub attempt: u32,
}

impl Test {
    /// One that begins.
    pub fn of(attempt: u32) -> Self {
        Self {
            attempt,
            ..Self::default()
        }
    }
}

impl Law {
    pub fn breaks(&mut self, rule: Rule, words: impl Into<String>) {
        self.broken.push((rule, words.into()));
    }

    /// A request leaves its sender.
    pub fn sent(&mut self, sender: &Sender, asked: &Asked) {
        if !asked.is_act() {
            return;
        }
        let words = || format!("{} patches {} again", sender.words, asked.name);
        if sender.is_again {
            self.breaks(Rule::NeverBlindly, words());
        }
        if sender.is_unread {
            self.breaks(Rule::NeverBlindly, format!("{} unread", words()));
        }
    }

    /// A worker has its epochs, and has fenced off those before it.
    pub fn fence(&mut self, epochs: &BTreeMap<String, u64>) {
        for (service, epoch) in epochs {
            let fenced = self.fenced.entry(service.clone()).or_default();
            *fenced = (*fenced).max(*epoch);
        }
    }

    /// Somebody who is none of ours changed a selector.
    pub fn meddled(&mut self, service: &str, at: u64) {
        let by = "somebody".to_owned();
        self.changed.insert(service.to_owned(), Changed { at, by });
        self.has_moved = true;
        self.is_meddled = true;
    }

    fn writes(&mut self, object: &str, epoch: u64, sender: &Sender) {
        let key = (object.to_owned(), epoch);
        let ours = (sender.number, sender.words.clone());
        let first = self.writers.entry(key).or_insert(ours).clone();
        if first.0 != sender.number {
            let words = format!(
                "{object}: {} after {}, both in epoch {epoch}",
                sender.words, first.1
            );
            self.breaks(Rule::OneEpochOneWorker, words);
        }
    }

    fn service(&mut self, sender: &Sender, asked: &Asked) {
        let given = asked.marks("epoch").and_then(|epoch| epoch.parse().ok());
        let Some(epoch) = given.or_else(|| sender.epochs.get(&asked.name).copied()) else {
            return;
        };
        let highest = self.highest.get(&asked.name).copied().unwrap_or(0);
        if epoch < highest {
            let words = format!(
                "{} wrote {} in epoch {epoch} after {highest}",
                sender.words, asked.name
            );
            self.breaks(Rule::NoLateWrite, words);
        }
        self.highest.insert(asked.name.clone(), highest.max(epoch));
        self.writes(&asked.name, epoch, sender);
    }

    /// Autoscalers carry no epoch; their writers have one.
    fn other(&mut self, sender: &Sender, asked: &Asked) {
        for (service, epoch) in &sender.epochs {
            self.writes(service, *epoch, sender);
            if self
                .fenced
                .get(service)
                .is_some_and(|fenced| fenced > epoch)
            {
                let words = format!("{} wrote {} though fenced off", sender.words, asked.name);
                self.breaks(Rule::NoLateWrite, words);
                return;
            }
        }
    }

    fn deployed(&mut self, sender: &Sender, asked: &Asked, before: &Before) {
        self.other(sender, asked);
        if before.is_live {
            let words = format!("{} changed {}", sender.words, asked.name);
            self.breaks(Rule::NeverDeploysLive, words);
        }
        let operation = asked.marks("operation").unwrap_or_default();
        let act = format!("{operation} {} {}", sender.intent, asked.name);
        if !self.acts.insert(act.clone()) {
            self.breaks(Rule::OneIntentOneAct, act);
        }
    }

    fn flipped(&mut self, sender: &Sender, asked: &Asked, before: &Before, at: u64) {
        if before.ready == 0 {
            let words = format!(
                "{} sent {} to {}",
                sender.words,
                asked.name,
                asked.selector().cloned().unwrap_or_default()
            );
            self.breaks(Rule::NeverToNobody, words);
        }
        let operation = asked.marks("operation").unwrap_or_default();
        // Whatever the attempt: what landed and was taken back by another hand is not sent again.
        let act = format!("{operation} {} {}", sender.stage, asked.name);
        if !self.acts.insert(act.clone()) {
            self.breaks(Rule::OneIntentOneAct, act);
        }
        let flip = asked.marks("flip").unwrap_or_default();
        let version = asked.selector().and_then(|s| s["version"].as_str());
        if let Some(version) = version.filter(|_| flip.contains("\"rollback\"")) {
            self.is_returned.insert(version.to_owned());
        }
        self.changed
            .insert(asked.name.clone(), Changed { at, by: operation });
        self.accepted.push((at, sender.number, asked.name.clone()));
    }
}

impl Law {
    /// The first flip of a cutover or a release: the answers on which it stands may be two intervals old, by its own clock.
    fn gated(&mut self, world: &World, sender: &Sender, asked: &Asked, before: &Before) {
        let Some(sky) = &world.sky else { return };
        let is_first = asked.is_first_forward();
        for says in [Says::Fires, Says::Nan, Says::Away] {
            let oldest = OLDEST + before.uncounted;
            if is_first && sky.has_said(says, world.now(), oldest) {
                let words = format!("{} flipped {} while {says:?}", sender.words, asked.name);
                self.breaks(Rule::GatesAreClosed, words);
            }
        }
    }
}

impl Law {
    /// A cutover or a release holds both colours before its first flip (I-5).
    fn holds(&mut self, sender: &Sender, asked: &Asked, before: &Before) {
        if asked.is_first_forward() && !before.loose.is_empty() {
            let words = format!("{} flipped under {:?}", sender.words, before.loose);
            self.breaks(Rule::CapacityIsHeld, words);
        }
    }
}

/// Milliseconds without a renewal after which a worker stops itself.
const LEASE: u64 = 40_000;

/// Milliseconds that the last answer may be old at a flip: two intervals, and the time to send it.
const OLDEST: u64 = 15_000;

impl World {
    /// How many endpoints are ready where a flip goes to; none for what is no flip.
    pub async fn ready_for(&self, asked: &Asked) -> usize {
        match asked.selector() {
            Some(selector) => self.ready(selector).await,
            None => 0,
        }
    }

    /// Whether a Service selects the colour of the Deployment that is changed.
    pub async fn is_live(&self, asked: &Asked) -> bool {
        let mut is_live = false;
        for name in SERVICES.iter().filter(|_| asked.kind == "deployments") {
            let selector = &self.service(name).await["spec"]["selector"];
            let colour = selector["version"].as_str().unwrap_or_default();
            is_live |= asked.name.contains(&format!("-{colour}-"));
        }
        is_live
    }

    /// Whether a flip brings live what was tested or approved, where that is demanded. A way back is asked nothing.
    pub async fn is_meant(&self, asked: &Asked) -> bool {
        let was = lock(&self.demands).as_ref().map(|(_, was)| was.clone());
        let is_approved = lock(&self.meets).approval.is_some();
        match was.filter(|_| asked.is_first_forward()) {
            Some(was) => self.templates().await == was,
            None if is_approved && asked.is_first_forward() => {
                let there = self.templates_of(&asked.colour()).await;
                let now = self.now();
                let holds = |(until, was): &(u64, BTreeSet<String>)| {
                    *was == there && now <= *until + OLDEST
                };
                self.law().approved.iter().any(holds)
            }
            None => true,
        }
    }

    /// Whether the first flip of a release brings live what passed its own test, where it has one.
    pub async fn is_tested(&self, asked: &Asked) -> bool {
        let is_asked = lock(&self.meets).smoke.is_some();
        if !is_asked || !asked.is_first_forward() || !asked.is_of_release() {
            return true;
        }
        let there = self.templates_of(&asked.colour()).await;
        let operation = asked.marks("operation").unwrap_or_default();
        let law = self.law();
        let test = law.tests.get(&operation);
        test.is_some_and(|test| !test.is_bad && there.is_subset(&test.good))
    }

    /// For how many milliseconds the environment is frozen at the first flip of what brings a new colour live.
    pub fn frozen_for(&self, asked: &Asked) -> u64 {
        let now = self.now();
        let frozen = self.law().frozen;
        let holds = |(_, until): &(u64, Option<u64>)| until.is_none_or(|until| now < until);
        match frozen.filter(holds) {
            Some((since, _)) if asked.is_first_forward() => now - since,
            _ => 0,
        }
    }

    /// The policy was written.
    async fn froze(&self) {
        let path = format!("/api/v1/namespaces/{RECORDS}/configmaps/wheelhouse-policy");
        let there = self.ask("GET", &path, Value::Null).await;
        let text = there["data"][format!("freeze.{NAMESPACE}")].as_str();
        let freeze: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
        let until = freeze.as_ref().map(|freeze| {
            let until: jiff::Timestamp = freeze["until"].as_str()?.parse().ok()?;
            u64::try_from(until.duration_since(self.epoch).as_millis()).ok()
        });
        let now = self.now();
        let mut law = self.law();
        law.frozen = until.map(|until| (law.frozen.map_or(now, |(since, _)| since), until));
    }

    /// The autoscalers that may take pods away from what their colour has.
    async fn loose(&self) -> Vec<String> {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        let deployments = self.list(&path).await;
        let has = |name: &str| {
            let mut all = deployments.iter();
            let of = all.find(|d| d["metadata"]["name"] == name);
            of.and_then(|d| d["spec"]["replicas"].as_u64()).unwrap_or(0)
        };
        let all = autoscalers(self).await.into_iter();
        all.filter(|(name, least, _)| least.as_u64().unwrap_or(1) < has(name))
            .map(|(name, ..)| name)
            .collect()
    }

    /// What must be known of the world before a write arrives. What happened on its way (`sent` were ready when it
    /// left, and its machine may have stood still) nobody can know.
    pub async fn before(&self, asked: &Asked, sent: Sent, uncounted: u64) -> Before {
        let ready = self.ready_for(asked).await.max(sent.ready);
        // A rollback of ours voids what is under way before it flips; whoever goes round Wheelhouse does not.
        let could_know = sent.is_live || !self.law().is_meddled;
        let is_live = could_know && self.is_live(asked).await;
        let loose = match asked.selector() {
            Some(_) => self.loose().await,
            None => Vec::new(),
        };
        let is_meant = sent.is_meant || self.is_meant(asked).await;
        let is_tested = sent.is_tested || self.is_tested(asked).await;
        let frozen = sent.frozen.min(self.frozen_for(asked));
        Before {
            ready,
            uncounted,
            is_live,
            loose,
            is_meant,
            is_tested,
            frozen,
        }
    }

    /// A write was answered.
    pub async fn judge(
        &self,
        sender: &Sender,
        asked: &Asked,
        before: Before,
        status: u16,
        answer: &Value,
    ) {
        let epoch = answer["metadata"]["annotations"]["wheelhouse.dev/epoch"].as_str();
        self.say(format!(
            "{}: {} {} {}{}{} -> {status}",
            sender.words,
            asked.method,
            asked.kind,
            asked.name,
            epoch.map_or_else(String::new, |epoch| format!(" epoch {epoch}")),
            asked
                .selector()
                .map_or_else(String::new, |selector| format!(" to {selector}")),
        ));
        if !(200..300).contains(&status) {
            return;
        }
        let made = asked.body["metadata"]["name"].as_str();
        if [Some(asked.name.as_str()), made].contains(&Some("wheelhouse-policy")) {
            return self.froze().await;
        }
        if asked.kind == "configmaps" {
            return self.recorded(asked).await;
        }
        let mut law = self.law();
        match asked.kind.as_str() {
            "services" => law.service(sender, asked),
            "horizontalpodautoscalers" => law.other(sender, asked),
            "deployments" if asked.is_act() => law.deployed(sender, asked, &before),
            _ => {}
        }
        if asked.selector().is_some() {
            law.flipped(sender, asked, &before, self.now());
            law.gated(self, sender, asked, &before);
            law.holds(sender, asked, &before);
            if !before.is_meant {
                let words = format!("{} flipped {}", sender.words, asked.name);
                law.breaks(Rule::OnlyWhatWasMeant, words);
            }
            if !before.is_tested {
                let words = format!("{} flipped {}", sender.words, asked.name);
                law.breaks(Rule::OnlyWhatPassed, words);
            }
            if before.frozen > OLDEST + before.uncounted {
                let frozen = before.frozen;
                let words = format!(
                    "{} flipped {}, frozen {frozen} ms",
                    sender.words, asked.name
                );
                law.breaks(Rule::FreezeIsObeyed, words);
            }
        }
    }

    /// A record was written: its end must be true.
    async fn recorded(&self, asked: &Asked) {
        let entries = asked.entries();
        let now = self.now();
        let name = match asked.name.is_empty() {
            true => asked.body["metadata"]["name"].as_str().unwrap_or_default(),
            false => &asked.name,
        };
        let id = name.trim_start_matches("wheelhouse-").to_owned();
        let Some(last) = entries.last() else { return };
        if entries.len() == LONG {
            let tail: Vec<String> = entries
                .iter()
                .rev()
                .take(3)
                .map(|e| short(&e["what"]))
                .collect();
            println!(
                "seed {}: the record of {id} has {LONG} entries: {tail:?}",
                self.seed
            );
            let words = format!("the record of {id} has {LONG} entries: {tail:?}");
            self.law().breaks(Rule::LeavesNothing, words);
        }
        for entry in entries.iter().rev().take(3) {
            self.say(format!("    {id}: {}", short(&entry["what"])));
            let what = &entry["what"];
            let words = what["noted"]["fact"].as_str().unwrap_or_default();
            let given_up = what["abandoned"]["reason"].as_str();
            // Whoever overtook it gives back what it held.
            let is_given_up = given_up.is_some_and(|why| !why.contains("moved traffic since"));
            if words.starts_with("left as it is") || is_given_up {
                let plan = &entries[0]["what"]["planned"];
                let holds = plan["holds"].as_array().into_iter().flatten();
                let names = holds.filter_map(|hold| Some(hold["autoscaler"].as_str()?.to_owned()));
                self.law().is_left.extend(names);
            }
            // A rollback holds none by its plan, and gives back what others held: that it could not is said of all.
            if words.contains("autoscalers, which could not be listed") {
                let all = ["blue", "green"].map(|colour| {
                    ["frontend", "backend"].map(|part| format!("digital-wall-{colour}-{part}"))
                });
                self.law().is_left.extend(all.concat());
            }
            if let Some((_, names)) = words.split_once("minReplicas of ") {
                let names = names.split([',', ';', ' ']).filter(|name| !name.is_empty());
                self.law().is_left.extend(names.map(str::to_owned));
            }
            let failed = &what["failed"];
            let reason = failed["reason"].as_str().unwrap_or_default();
            let is_given_up = !failed["step"]["undo"].is_null()
                && (reason.starts_with("nothing was sent")
                    || reason.contains("the selector is still "));
            if is_given_up && !self.was_away(&id) {
                let words = format!("{id}: {}", short(what));
                self.law().breaks(Rule::WayBackIsGone, words);
            }
            let step = &what["passed"]["step"];
            if step == "watch" || !step["move"].is_null() || !step["return"].is_null() {
                self.law()
                    .settled
                    .entry(id.clone())
                    .and_modify(|at| *at = now)
                    .or_insert(now);
            }
        }
        self.starved(&id, &entries).await;
        self.watched_monitoring(&id, &entries);
        let plan = &entries[0]["what"]["planned"];
        let closed = &last["what"]["closed"];
        self.moved(&id, plan, closed);
        if plan["kind"] == "cleanup" && closed["outcome"] == "done" {
            self.is_at_0(&id, plan).await;
        }
        let deploys = plan["kind"] == "deploy" || plan["kind"] == "release";
        if deploys && !self.law().is_rebuilt && closed["outcome"] == "done" {
            self.runs_what_it_says(&id, plan).await;
        }
        // Which Services a release brings where, only its cutover says, which it planned on the way.
        let mut cutovers = entries.iter().rev();
        let cutover = cutovers.find_map(|entry| entry["what"].get("cutover"));
        for service in cutover.unwrap_or(plan)["least"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
        {
            let wanted = match closed["outcome"].as_str() {
                Some("done") => plan["to"].as_str(),
                Some("rolled_back") => plan["from"].as_str(),
                _ => None,
            };
            let Some(wanted) = wanted else { continue };
            let there = self.service(service).await;
            let version = there["spec"]["selector"]["version"]
                .as_str()
                .unwrap_or_default();
            if version != wanted {
                self.untrue(
                    &id,
                    service,
                    format!("{closed}, but {service} selects {version}"),
                );
            }
        }
    }

    /// Whether a worker of `id` was just cut off for so long that it must take its Leases for lost.
    fn was_away(&self, id: &str) -> bool {
        let now = self.now();
        let is_long = |(from, until): &(u64, u64)| {
            *until - *from >= LEASE && *until + LEASE >= now && *from <= now
        };
        let processes = self.processes();
        let mut workers = processes.iter().filter(|p| p.state().operation == id);
        workers.any(|worker| worker.state().cut.iter().any(is_long))
    }

    /// An outage ends no soak, and an alert that fires all the while lets none pass.
    fn watched_monitoring(&self, id: &str, entries: &[Value]) {
        let Some(sky) = &self.sky else { return };
        for entry in entries.iter().rev().take(2) {
            let (failed, passed) = (&entry["what"]["failed"], &entry["what"]["passed"]);
            let reason = failed["reason"].as_str().unwrap_or_default();
            if failed["step"] == "watch" && reason.starts_with("monitoring") {
                let words = format!("{id} goes back: {reason}");
                self.law().breaks(Rule::OutageMovesNothing, words);
            }
            // What fires is GREEN's: it says nothing against BLUE.
            let is_its = entries[0]["what"]["planned"]["to"] == "green";
            if passed["step"] == "watch" && is_its && sky.has_said(Says::Fires, self.now(), OLDEST)
            {
                self.law()
                    .breaks(Rule::AlarmsAreHeard, format!("{id} passed"));
            }
        }
    }

    /// A clean-up that is done left nothing of what it was to scale down.
    async fn is_at_0(&self, id: &str, plan: &Value) {
        for update in plan["updates"].as_array().into_iter().flatten() {
            let name = update["deployment"].as_str().unwrap_or_default();
            let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}");
            let there = self.ask("GET", &path, Value::Null).await;
            if there["spec"]["replicas"] != 0 {
                let words = format!("{id} is done, but {name} has {}", there["spec"]["replicas"]);
                self.law().breaks(Rule::EndsTruly, words);
            }
        }
    }

    /// A deploy that is done runs what was planned, whole.
    async fn runs_what_it_says(&self, id: &str, plan: &Value) {
        for update in plan["updates"].as_array().into_iter().flatten() {
            let name = update["deployment"].as_str().unwrap_or_default();
            let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}");
            let there = self.ask("GET", &path, Value::Null).await;
            let image = &there["spec"]["template"]["spec"]["containers"][0]["image"];
            let wanted = &update["containers"][0]["to"];
            let (spec, status) = (&there["spec"]["replicas"], &there["status"]);
            // A release has watched what it runs, for as long as it was to.
            let is_whole = plan["kind"] == "release" || status["availableReplicas"] == *spec;
            if image != wanted || !is_whole {
                let words = format!("{id} is done, but {name} has {image} and {status}");
                self.law().breaks(Rule::EndsTruly, words);
            }
        }
    }

    /// Who goes back for want of ready endpoints had none.
    async fn starved(&self, id: &str, entries: &[Value]) {
        let failed = entries.iter().rev().take(2).find_map(|entry| {
            let reason = entry["what"]["failed"]["reason"].as_str()?;
            reason.split_once(" has no ready endpoint")
        });
        let Some((service, _)) = failed else { return };
        let selector = self.service(service).await["spec"]["selector"].clone();
        if self.ready(&selector).await > 1 {
            let words = format!("{id} goes back from {service}, which has ready endpoints");
            self.law().breaks(Rule::EndsTruly, words);
        }
    }

    /// As long as no operation moved traffic for good, back from half-way is where it was at the beginning, or
    /// where another rollback is half-way to: whoever presses the key again goes on with that.
    fn moved(&self, id: &str, plan: &Value, closed: &Value) {
        let mut law = self.law();
        law.has_moved |=
            closed["outcome"] == "done" && !plan["flips"].as_array().is_none_or(Vec::is_empty);
        if plan["kind"] == "rollback"
            && plan["from"].is_null()
            && plan["to"] != "blue"
            && !law.has_moved
            && !law
                .is_returned
                .contains(plan["to"].as_str().unwrap_or_default())
        {
            law.breaks(Rule::BackIsBack, format!("{id} goes to {}", plan["to"]));
        }
    }

    /// An end that is not so is only excused by somebody who came after the last look.
    fn untrue(&self, id: &str, service: &str, words: String) {
        let mut law = self.law();
        let settled = law.settled.get(id).copied().unwrap_or(0);
        let changed = law.changed.get(service).cloned();
        let is_excused = changed.is_some_and(|c| c.by != id && c.at + 20_000 >= settled);
        if !is_excused {
            law.breaks(Rule::EndsTruly, format!("{id} {words}"));
        }
    }
}

/// An entry in few words.
fn short(what: &Value) -> String {
    let text = match what.get("planned") {
        Some(plan) => format!(
            "planned {} {} -> {}",
            plan["kind"], plan["from"], plan["to"]
        ),
        None => what.to_string(),
    };
    text.chars().take(220).collect()
}
