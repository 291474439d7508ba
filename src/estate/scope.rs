//! What the configuration says an environment consists of, as far as observing it needs.

use serde::{Deserialize, Serialize};

use super::{Labels, Pod, Safe};

/// How much friction an environment deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Break it freely.
    Development,
    /// Colleagues notice.
    Staging,
    /// Customers notice.
    Production,
}

/// One environment: a namespace in a cluster, its workloads and its traffic switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// The environment's name.
    pub name: Safe,
    /// How much friction it deserves.
    pub tier: Tier,
    /// The kube context it is reached by, as named for people.
    pub context: Safe,
    /// The namespace.
    pub namespace: Safe,
    /// The parts that make up the application, in display order.
    pub workloads: Vec<WorkloadScope>,
    /// The blue-green switch; none where the environment has one colour.
    pub traffic: Option<TrafficSwitch>,
    /// How long a cutover is watched, and what follows when something goes wrong meanwhile.
    #[serde(default)]
    pub soak: Soak,
    /// Whether a cutover demands that the colour passed a smoke test as it is.
    #[serde(default)]
    pub needs_smoke: bool,
    /// Whether a cutover demands a green run of the workflow, of the commit that it brings live.
    #[serde(default)]
    pub needs_ci: bool,
    /// Whether what traffic was brought back from goes live again only with a reason, as long as it runs the same images.
    #[serde(default)]
    pub holds_returned: bool,
    /// Whose approval a cutover needs, by configuration; the policy may ask for more.
    #[serde(default)]
    pub approval: Approval,
}

impl Scope {
    /// The label selector of the EndpointSlices that tell where traffic goes: those of the Services of the switch, by the
    /// label that each slice of a Service has. Empty, and so all, without a switch.
    /// <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ownership>
    pub fn slices(&self) -> String {
        let switch = self.traffic.as_ref();
        let services: Vec<&str> = (switch.iter())
            .flat_map(|it| &it.services)
            .map(Safe::as_str)
            .collect();
        match services.is_empty() {
            true => String::new(),
            false => format!("kubernetes.io/service-name in ({})", services.join(",")),
        }
    }
}

/// Whose approval a cutover needs, and for how long one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose.
    pub by: Approver,
    /// Seconds that one holds at most.
    pub lasts_s: u32,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            by: Approver::Nobody,
            lasts_s: 3_600,
        }
    }
}

/// Who must have approved a cutover; the later ones ask for more.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// Nobody.
    #[default]
    Nobody,
    /// GitHub's review of its environment is the approval; it is GitHub's to ask for.
    Github,
    /// One other person than whoever carries it out.
    Other,
}

impl Approver {
    /// As configuration and policy spell them.
    pub const WORDS: [(&str, Self); 3] = [
        ("none", Self::Nobody),
        ("github review", Self::Github),
        ("one other person", Self::Other),
    ];
}

/// The soak: the watch after a cutover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soak {
    /// Seconds that must have been watched.
    pub watch_s: u64,
    /// Whether nobody said how many: then as many as the gates need to be seen, and no fewer than these (I-10).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unsaid: bool,
    /// What follows when something goes wrong.
    pub on_failure: OnFailure,
    /// How many restarts of the new colour's containers are borne meanwhile; none: they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
}

impl Soak {
    /// Whether `other` would watch less, bear more, or leave traffic where this one brings it back.
    pub fn is_stricter_than(&self, other: &Self) -> bool {
        let bears_more = |ours: u32| other.restarts.is_none_or(|theirs| theirs > ours);
        other.watch_s < self.watch_s
            || (self.on_failure == OnFailure::Return && other.on_failure != OnFailure::Return)
            || self.restarts.is_some_and(bears_more)
    }
}

impl Default for Soak {
    fn default() -> Self {
        Self {
            watch_s: 30,
            is_unsaid: false,
            on_failure: OnFailure::Return,
            restarts: None,
        }
    }
}

/// What follows when something goes wrong in a soak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Traffic goes back at once.
    #[default]
    Return,
    /// Traffic stays, and a person is called: going back may be worse (I-34).
    Hold,
}

/// A part of the application, found by labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadScope {
    /// The part's name, such as `frontend`.
    pub name: Safe,
    /// The labels that its pods and Deployments carry, besides the colour.
    pub labels: Labels,
    /// Deployments by name, where labels do not tell.
    pub deployments: Vec<Safe>,
}

impl WorkloadScope {
    /// Whether it takes in what carries `labels` and is of that Deployment, as far as that is known: by name where
    /// Deployments are named, else by labels.
    pub fn takes(&self, labels: &Labels, deployment: Option<&str>) -> bool {
        match deployment {
            Some(name) if !self.deployments.is_empty() => {
                self.deployments.iter().any(|known| known.as_str() == name)
            }
            _ => self.labels.selects(labels),
        }
    }

    /// Whether `pod` is one of its pods.
    pub fn has(&self, pod: &Pod) -> bool {
        self.takes(&pod.labels, pod.deployment())
    }
}

/// The Services whose selectors decide which colour is live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficSwitch {
    /// The selector key that names the colour.
    pub key: Safe,
    /// The two colours.
    pub colours: [Safe; 2],
    /// The Services, in the order in which they are flipped.
    pub services: Vec<Safe>,
    /// Seconds for which the colour that traffic left is kept as it is; none: nobody said.
    #[serde(default)]
    pub keep_warm: Option<u32>,
    /// Whether a clean-up follows a release or a cutover that ended well, when that is over.
    #[serde(default)]
    pub clean_up: bool,
}

impl TrafficSwitch {
    /// Which of the two colours `value` is.
    pub fn colour(&self, value: &str) -> Option<usize> {
        self.colours.iter().position(|c| c.as_str() == value)
    }

    /// The colour of an object with `labels`.
    pub fn colour_of(&self, labels: &Labels) -> Option<usize> {
        self.colour(labels.get(&self.key)?)
    }
}
