//! The pods that Prometheus scrapes.

use super::measure::labels;
use super::{Labels, Twist};
use crate::demo::pods::{Mood, Sim, Stage};
use crate::demo::world::World;

/// The namespaces whose pods are scraped.
const NAMESPACES: [&str; 3] = ["production", "staging", "development"];

/// A pod as it is scraped.
pub(super) struct Target {
    pub(super) uid: String,
    pub(super) pod: String,
    pub(super) namespace: String,
    pub(super) part: String,
    pub(super) colour: Option<String>,
    pub(super) address: String,
    pub(super) is_up: bool,
    pub(super) is_ready: bool,
    pub(super) is_sick: bool,
    pub(super) restarts: u32,
}

impl Target {
    fn of(world: &World, sim: &Sim) -> Option<Self> {
        let is_scraped = NAMESPACES.contains(&sim.key.0.as_str())
            && matches!(sim.container(), "frontend" | "backend")
            && !sim.address.is_empty();
        let pod = world.store.find(&sim.uid).filter(|_| is_scraped)?;
        let moods = sim.run.as_ref().and_then(|run| run.moods.last());
        let port = if sim.container() == "frontend" {
            3000
        } else {
            8000
        };
        Some(Self {
            uid: sim.uid.clone(),
            pod: sim.key.1.clone(),
            namespace: sim.key.0.clone(),
            part: sim.container().to_owned(),
            colour: pod.label("version").map(str::to_owned),
            address: format!("{}:{port}", sim.address),
            is_up: matches!(sim.stage, Stage::Running | Stage::Ending),
            is_ready: sim.is_ready,
            is_sick: !sim.is_ready && moods.is_some_and(|(_, mood)| *mood == Mood::RedisRefused),
            restarts: sim.restarts,
        })
    }

    /// The labels of its series and of its target.
    pub(super) fn labels(&self) -> Labels {
        let mut labels = labels(&[
            ("namespace", &self.namespace),
            ("service", &self.part),
            ("pod", &self.pod),
            ("instance", &self.address),
            ("job", &format!("digital-wall-{}", self.part)),
        ]);
        if let Some(colour) = &self.colour {
            labels.insert("colour".to_owned(), colour.clone());
        }
        labels
    }

    pub(super) fn suffers(&self, twist: &Twist) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&twist.namespace, &self.namespace)
            && fits(&twist.part, &self.part)
            && fits(&twist.colour, self.colour.as_deref().unwrap_or_default())
    }
}

impl World {
    /// Every pod that is scraped.
    pub(super) fn targets(&self) -> Vec<Target> {
        let mut all: Vec<Target> = self
            .sims
            .values()
            .filter_map(|sim| Target::of(self, sim))
            .collect();
        all.sort_by(|a, b| (&a.namespace, &a.pod).cmp(&(&b.namespace, &b.pod)));
        all
    }
}
