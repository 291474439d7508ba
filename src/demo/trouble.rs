//! What ails the simulated pods: troubles are put on by scenarios and end by themselves or by `heal`.

use super::pods::Sim;
use super::queue::Task;
use super::world::World;
use std::collections::BTreeSet;

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ailment {
    /// The container ends `after` milliseconds from its start; `times` times, or again and again.
    Crash {
        is_oom: bool,
        after: i64,
        times: Option<u32>,
    },
    /// The image cannot be pulled.
    Pull,
    /// The readiness probe is answered 503.
    Unready,
    /// No node has room.
    Unschedulable,
}

/// Whom it concerns; empty means any.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Patients {
    pub(super) namespace: String,
    pub(super) deployment: String,
    pub(super) image: String,
    /// How many pods at most; none means all.
    pub(super) count: Option<usize>,
}

/// An ailment of some pods.
#[derive(Debug, Clone)]
struct Trouble {
    number: u64,
    ailment: Ailment,
    patients: Patients,
    /// The pods that have it, where only some may.
    victims: BTreeSet<String>,
}

/// All that is wrong now.
#[derive(Debug, Clone, Default)]
pub(super) struct Troubles {
    all: Vec<Trouble>,
    drawn: u64,
}

/// What one pod suffers from.
#[derive(Debug, Default)]
pub(super) struct Symptoms {
    pub(super) crash: Option<(bool, i64)>,
    pub(super) pull: bool,
    pub(super) unready: bool,
    pub(super) unschedulable: bool,
}

impl Patients {
    fn include(&self, sim: &Sim) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&self.namespace, &sim.key.0)
            && fits(&self.deployment, &sim.deployment)
            && (self.image.is_empty()
                || sim.containers.iter().any(|(_, image)| *image == self.image))
    }
}

impl Troubles {
    /// What `sim` suffers from; a pod may become a victim by being asked about.
    pub(super) fn of(&mut self, sim: &Sim) -> Symptoms {
        let mut symptoms = Symptoms::default();
        for trouble in self
            .all
            .iter_mut()
            .filter(|trouble| trouble.patients.include(sim))
        {
            if let Some(count) = trouble.patients.count
                && !trouble.victims.contains(&sim.uid)
            {
                if trouble.victims.len() >= count {
                    continue;
                }
                trouble.victims.insert(sim.uid.clone());
            }
            match trouble.ailment {
                Ailment::Crash {
                    times: Some(times), ..
                } if sim.crashes >= times => {}
                Ailment::Crash { is_oom, after, .. } => symptoms.crash = Some((is_oom, after)),
                Ailment::Pull => symptoms.pull = true,
                Ailment::Unready => symptoms.unready = true,
                Ailment::Unschedulable => symptoms.unschedulable = true,
            }
        }
        symptoms
    }
}

impl World {
    /// Puts a trouble on, for so many milliseconds or until healed.
    pub(super) fn ail(&mut self, ailment: Ailment, patients: Patients, lasting: Option<i64>) {
        self.troubles.drawn += 1;
        let number = self.troubles.drawn;
        self.poke(&patients);
        self.troubles.all.push(Trouble {
            number,
            ailment,
            patients,
            victims: BTreeSet::new(),
        });
        if let Some(lasting) = lasting {
            self.later(self.now + lasting, Task::Mend(number));
        }
    }

    /// Ends the trouble of this number.
    pub(super) fn mend(&mut self, number: u64) {
        if let Some(index) = self
            .troubles
            .all
            .iter()
            .position(|trouble| trouble.number == number)
        {
            let trouble = self.troubles.all.remove(index);
            self.poke(&trouble.patients);
        }
    }

    /// Ends all troubles of `patients`' deployment, or simply all.
    pub(super) fn heal(&mut self, patients: &Patients) {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        self.troubles.all.retain(|trouble| {
            !(fits(&patients.namespace, &trouble.patients.namespace)
                && fits(&patients.deployment, &trouble.patients.deployment))
        });
        self.poke(patients);
    }

    /// Lets pods look at themselves again soon.
    fn poke(&mut self, patients: &Patients) {
        let uids: Vec<String> = self
            .sims
            .values()
            .filter(|sim| patients.include(sim))
            .map(|sim| sim.uid.clone())
            .collect();
        for uid in uids {
            let at = self.now + self.random.range(40, 600);
            self.later(at, Task::Pod(uid));
        }
    }
}
