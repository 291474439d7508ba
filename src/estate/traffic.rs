//! Who gets the traffic: read from the Services' selectors and from what their EndpointSlices serve.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Deployment, Estate, FieldManager, Group, Image, Kind, Labels, ReplicaSet, Safe, Service,
    TrafficSwitch, mark,
};

/// Seconds in which a pod may have started.
const START: std::ops::Range<i64> = 0..3_600;

/// What a Service's selector says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Live {
    /// It names one of the two colours (its place in the switch).
    Colour(usize),
    /// The colour key has another value.
    Foreign(Safe),
    /// The colour key is missing: both colours, or none, are selected.
    NoKey,
    /// There is no such Service.
    Absent,
    /// Not known yet.
    Unknown,
}

/// A Service of the switch and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceView<'a> {
    /// Its configured name.
    pub name: &'a Safe,
    /// The object, once it was seen.
    pub service: Option<&'a Service>,
    /// What its selector says.
    pub live: Live,
    /// Endpoints that are ready, by colour; a pod with two addresses is one.
    pub ready: [u32; 2],
    /// Endpoints that still serve, by colour (ready, or terminating and draining), counted alike.
    pub serving: [u32; 2],
    /// Ready endpoints whose pod is of no colour, or not known, counted alike.
    pub foreign: u32,
    /// The manager of the selector's colour key, and when it last wrote anything: see [`Self::changed_at`].
    pub changed: Option<&'a FieldManager>,
}

/// A colour of an environment, over all its workloads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColourView {
    /// Its place in the switch.
    pub colour: usize,
    /// Ready pods.
    pub ready: u32,
    /// What the Deployments ask for.
    pub desired: u32,
    /// Restarts.
    pub restarts: u64,
    /// Each workload's images, with the number of pods that run each.
    pub images: Vec<(Safe, Vec<(Image, u32)>)>,
    /// When its newest revision was made.
    pub since: Option<Timestamp>,
}

/// How something is that a Service leads to, over all its endpoints: the more careful of what they say.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// All of them are ready.
    is_ready: bool,
    /// One of them is ready.
    is_ready_anywhere: bool,
    /// One of them serves.
    serves: bool,
}

impl Default for Reached {
    fn default() -> Self {
        Self {
            is_ready: true,
            is_ready_anywhere: false,
            serves: false,
        }
    }
}

impl Estate {
    /// Seconds from its creation until a pod of a colour was ready, of those that are and never restarted the one in
    /// the middle; none where no pod says so.
    pub fn starts_in(&self, colour: usize) -> Option<i64> {
        let switch = self.scope.traffic.as_ref()?;
        let is_of = |pod: &&super::Pod| {
            pod.ready && pod.restarts() == 0 && switch.colour_of(&pod.labels) == Some(colour)
        };
        let pods = self.pods.value.iter().filter(is_of);
        let took = pods.filter_map(|pod| Some(pod.ready_changed?.duration_since(pod.created?)));
        // Readiness that flapped later says when it came back.
        let mut all: Vec<i64> = took
            .map(|it| it.as_secs())
            .filter(|s| START.contains(s))
            .collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }

    /// The Services of the switch, in the order of the configuration.
    pub fn service_views(&self) -> Vec<ServiceView<'_>> {
        let Some(switch) = &self.scope.traffic else {
            return Vec::new();
        };
        (switch.services.iter())
            .map(|name| self.service_view(name, switch))
            .collect()
    }

    /// Whether endpoints can be counted by colour, which their pods tell.
    pub fn knows_endpoints(&self) -> bool {
        self.is_listed(Kind::EndpointSlices) && self.is_listed(Kind::Pods)
    }

    fn service_view<'a>(&'a self, name: &'a Safe, switch: &TrafficSwitch) -> ServiceView<'a> {
        let service = self.services.value.get(name);
        let mut view = ServiceView {
            name,
            service,
            live: self.live(service, switch),
            ready: [0; 2],
            serving: [0; 2],
            foreign: 0,
            changed: service.and_then(|s| s.owner_of(&switch.key)),
        };
        for ((target, _), reached) in self.reached(name) {
            let colour = target
                .and_then(|uid| self.index.name_of(uid))
                .and_then(|pod| self.index.group(pod)?.colour);
            match colour {
                Some(c) => {
                    view.ready[c] += u32::from(reached.is_ready);
                    view.serving[c] += u32::from(reached.serves);
                }
                None => view.foreign += u32::from(reached.is_ready_anywhere),
            }
        }
        view
    }

    /// What a Service leads to, each pod once: where it has two address families, a slice of each names the pod.
    /// By the pod's uid; by its address where no pod is named.
    fn reached(&self, service: &Safe) -> HashMap<(Option<&Safe>, Option<&Safe>), Reached> {
        let slices = self.slices.value.iter().filter(|s| s.service == *service);
        let mut all: HashMap<_, Reached> = HashMap::new();
        for endpoint in slices.flat_map(|slice| &slice.endpoints) {
            let target = endpoint.target.as_ref();
            let address = Some(&endpoint.address).filter(|_| target.is_none());
            let it = all.entry((target, address)).or_default();
            it.is_ready &= endpoint.ready;
            it.is_ready_anywhere |= endpoint.ready;
            it.serves |= endpoint.serving;
        }
        all
    }

    fn live(&self, service: Option<&Service>, switch: &TrafficSwitch) -> Live {
        let Some(service) = service else {
            return match self.is_listed(Kind::Services) {
                true => Live::Absent,
                false => Live::Unknown,
            };
        };
        match service.selector.get(&switch.key) {
            None => Live::NoKey,
            Some(value) => switch
                .colour(value)
                .map_or_else(|| Live::Foreign(value.clone()), Live::Colour),
        }
    }

    /// The live colour, where all Services of the switch agree on one.
    pub fn live_colour(&self) -> Option<usize> {
        let mut views = self.service_views().into_iter();
        let Live::Colour(first) = views.next()?.live else {
            return None;
        };
        views
            .all(|v| v.live == Live::Colour(first))
            .then_some(first)
    }

    /// The Deployments of `group`.
    pub fn deployments_of(&self, group: Group) -> impl Iterator<Item = &Deployment> {
        (self.deployments.value.iter()).filter(move |d| self.deployment_group(d) == group)
    }

    /// The Deployments of a colour, those of no colour for none, each with its workload's place, in the order of the
    /// configuration.
    pub fn deployments_in(
        &self,
        colour: Option<usize>,
    ) -> impl Iterator<Item = (usize, &Deployment)> {
        let of = move |place| {
            let workload = Some(place);
            let group = Group { workload, colour };
            self.deployments_of(group).map(move |d| (place, d))
        };
        (0..self.scope.workloads.len()).flat_map(of)
    }

    /// Which part of the application a Deployment is: by name where configured, else by its pods' labels.
    pub fn deployment_group(&self, deployment: &Deployment) -> Group {
        let labels = &deployment.template_labels;
        let mut workloads = self.scope.workloads.iter();
        let workload = workloads.position(|w| w.takes(labels, Some(&deployment.name)));
        let traffic = self.scope.traffic.as_ref();
        Group {
            workload,
            colour: traffic.and_then(|t| t.colour_of(labels)),
        }
    }

    /// A colour over all configured workloads; `None` for an environment of one colour.
    pub fn colour_view(&self, colour: Option<usize>) -> ColourView {
        let mut view = ColourView {
            colour: colour.unwrap_or(0),
            ready: 0,
            desired: 0,
            restarts: 0,
            images: Vec::new(),
            since: None,
        };
        for (place, workload) in self.scope.workloads.iter().enumerate() {
            let group = Group {
                workload: Some(place),
                colour,
            };
            for deployment in self.deployments_of(group) {
                view.desired += deployment.desired;
                view.since = view.since.max(self.revision_made(deployment));
            }
            if let Some(tally) = self.index.tally(group) {
                view.ready += tally.ready;
                view.restarts += tally.restarts;
                view.images
                    .push((workload.name.clone(), known(&tally.images)));
            }
        }
        view
    }

    /// When `deployment` rolled to the ReplicaSet that it has; its own age where none was seen.
    pub fn revision_made(&self, deployment: &Deployment) -> Option<Timestamp> {
        let owned =
            (self.replica_sets.value.iter()).filter(|r| r.owner.as_ref() == Some(&deployment.name));
        let current = owned.filter(|r| r.revision == deployment.revision);
        current
            .filter_map(|r| deployment.came_back(r).or(r.created))
            .max()
            .or(deployment.created)
    }

    /// Tags that run in a colour, with the number of pods: more than one of a workload is a mixed version.
    pub fn tags(view: &ColourView) -> BTreeMap<String, u32> {
        let mut tags = BTreeMap::new();
        for (image, pods) in view.images.iter().flat_map(|(_, images)| images) {
            *tags.entry(image.short_tag().to_owned()).or_default() += pods;
        }
        tags
    }
}

/// The images with their pods. One that only starts tells no digest yet: it is counted with those of its name that do.
fn known(images: &BTreeMap<Image, u32>) -> Vec<(Image, u32)> {
    let mut known: Vec<(Image, u32)> = images.iter().map(|(i, n)| (i.clone(), *n)).collect();
    for (image, pods) in images.iter().filter(|(image, _)| image.digest.is_none()) {
        let is_told = |it: &&mut (Image, u32)| it.0.name == image.name && it.0.digest.is_some();
        if let Some(told) = known.iter_mut().find(is_told) {
            told.1 += pods;
            known.retain(|it| it.0 != *image);
        }
    }
    known
}

impl ColourView {
    /// Whether a workload runs more than one image at once.
    pub fn is_mixed(&self) -> bool {
        self.images.iter().any(|(_, images)| images.len() > 1)
    }
}

impl Deployment {
    /// When it came back to `set`, which was made for a revision before, as its condition Progressing tells: the last
    /// word of that. Scaling is none, and another ReplicaSet is named by its name.
    pub fn came_back(&self, set: &ReplicaSet) -> Option<Timestamp> {
        let is_current = set.is_reused && set.owner.as_ref() == Some(&self.name);
        let conditions = self.conditions.iter();
        let mut progress = conditions.filter(|c| c.kind.as_str() == "Progressing");
        let progress = progress.find(|_| is_current && set.revision == self.revision)?;
        let said = progress.message.as_ref()?;
        let names = said.contains(&format!("\"{}\"", set.name));
        (progress.updated).filter(|at| names && set.created.is_none_or(|made| *at > made))
    }
}

impl Service {
    /// The selector that an operation meant for it; none where no operation ever did.
    pub fn meant(&self) -> Option<Labels> {
        let pairs: BTreeMap<Safe, Safe> =
            serde_json::from_str(self.marks.get(mark::MEANT)?).ok()?;
        let meant: Labels = pairs.into_iter().collect();
        (!meant.is_empty()).then_some(meant)
    }

    /// The field manager that wrote the selector last.
    pub fn selector_writer(&self) -> Option<&FieldManager> {
        let writers = self.managers.iter();
        let writers = writers.filter(|m| !m.selector_keys.is_empty());
        writers.max_by_key(|m| m.at)
    }

    /// Who owns the selector's key `key`; where several do, who wrote last.
    pub fn owner_of(&self, key: &str) -> Option<&FieldManager> {
        let owners = self.managers.iter();
        let owners = owners.filter(|m| m.selector_keys.iter().any(|it| it.as_str() == key));
        owners.max_by_key(|m| m.at)
    }
}

/// A change of a Service's colour, as its field managers tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The Service.
    pub service: Safe,
    /// To what.
    pub value: Safe,
    /// When.
    pub at: Timestamp,
    /// The field manager.
    pub manager: Safe,
    /// Whether that manages more of the Service, and may have written anything then.
    pub owns_spec: bool,
}

/// So many changes are kept of all Services.
const TURNS: usize = 40;

impl Estate {
    /// The last change of each Service of the switch.
    pub fn turns_now(&self) -> Vec<Turn> {
        let Some(switch) = &self.scope.traffic else {
            return Vec::new();
        };
        let of = |view: &ServiceView<'_>| {
            let manager = view.changed?;
            Some(Turn {
                service: view.name.clone(),
                value: view.service?.selector.get(&switch.key)?.clone(),
                at: view.changed_at()?,
                manager: manager.name.clone(),
                owns_spec: manager.owns_spec,
            })
        };
        self.service_views().iter().filter_map(of).collect()
    }

    /// Keeps those of `before` that another one followed.
    pub(super) fn keep_turns(&mut self, before: Vec<Turn>) {
        let now = self.turns_now();
        let is_over = |was: &Turn| {
            let mut now = now.iter().filter(|it| it.service == was.service);
            now.any(|it| it.value != was.value && it.at >= was.at)
        };
        let over: Vec<Turn> = (before.into_iter())
            .filter(|was| is_over(was) && !self.turns.contains(was))
            .collect();
        self.turns.splice(0..0, over);
        self.turns.truncate(TURNS);
    }
}

impl ServiceView<'_> {
    /// When the selector was changed last. The API tells when a manager wrote anything, and Wheelhouse writes other things
    /// after a flip, whose own time stands on the Service.
    pub fn changed_at(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Flip {
            at: Timestamp,
            to: Safe,
        }
        let (manager, service) = (self.changed?, self.service?);
        let flip = (service.marks.get(mark::FLIP))
            .filter(|_| manager.name.as_str() == mark::MANAGER)
            .and_then(|text| serde_json::from_str::<Flip>(text).ok())
            .filter(|flip| service.selector.iter().any(|(_, value)| *value == flip.to));
        match (flip, manager.at) {
            (Some(flip), Some(at)) => Some(flip.at.min(at)),
            (Some(flip), None) => Some(flip.at),
            (None, at) => at,
        }
    }

    /// Who put the selector elsewhere than an operation meant it, and when; none while it is as meant
    /// (SAFETY, rule 11).
    pub fn reverted(&self) -> Option<(Safe, Option<Timestamp>)> {
        let service = self.service?;
        service.meant().filter(|meant| *meant != service.selector)?;
        let last = service.selector_writer();
        let who = last.map_or_else(|| "somebody".into(), |m| m.name.clone());
        Some((who, last.and_then(|m| m.at)))
    }

    /// The selector, without the key that names the colour.
    pub fn rest_of_selector(&self, key: &str) -> Labels {
        let pairs = self
            .service
            .map(|s| &s.selector)
            .into_iter()
            .flat_map(Labels::iter);
        pairs.filter(|(k, _)| k.as_str() != key).cloned().collect()
    }
}
