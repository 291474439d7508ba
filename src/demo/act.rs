//! Doing what an [`Action`] says.

use super::action::Action;
use super::fields::Author;
use super::kind::Kind;
use super::queue::Task;
use super::store::Object;
use super::tree;
use super::world::World;
use super::write::{Door, Farewell};
use std::sync::Arc;

/// The Services that are the switch.
const SWITCH: [&str; 2] = ["digital-wall-service", "digital-wall-api"];

impl World {
    /// Does one action now; one that finds nothing to do does nothing.
    pub(super) fn act(&mut self, action: &Action) {
        match action {
            Action::SetImage {
                namespace,
                deployment,
                image,
                manager,
            } => {
                self.set_image(namespace, deployment, image, manager);
            }
            Action::Scale {
                namespace,
                deployment,
                replicas,
            } => {
                let key = (namespace.clone(), deployment.clone());
                self.modify(Kind::Deployment, &key, "kubectl", Door::Scale, |value| {
                    tree::set(value, "/spec/replicas", *replicas);
                });
            }
            Action::Flip {
                namespace,
                to,
                manager,
            } => self.flip(namespace, to, manager),
            Action::DeletePod {
                namespace,
                deployment,
                count,
            } => self.delete_pods(namespace, deployment, *count),
            Action::Load { percent } => self.load = *percent,
            Action::Ail {
                ailment,
                patients,
                lasting,
            } => self.ail(ailment.clone(), patients.clone(), *lasting),
            Action::Heal { patients } => {
                self.heal(patients);
                if patients.deployment.is_empty() {
                    self.faults.clear();
                    self.monitoring.calm();
                }
            }
            // Whoever asked for it is answered first.
            Action::Away { lasting } => self.later(self.now + 50, Task::Leave(*lasting)),
            Action::Fault {
                side,
                effect,
                victims,
                lasting,
            } => {
                let until = self.now + lasting;
                self.faults
                    .add(*side, effect.clone(), victims.clone(), until);
            }
            Action::Push(push) => self.push(push),
            Action::Metric { twist, lasting } => self.twist(twist.clone(), *lasting),
            Action::Stall { lasting } => self.monitoring.stall(self.now + lasting),
            Action::ExpireWatches => {
                self.store.forget();
                self.faults.expired_below = self.faults.all_watches();
            }
            Action::DropWatches => self.faults.silent_below = self.faults.all_watches(),
            Action::CloseWatches => self.faults.closed_below = self.faults.all_watches(),
        }
        self.store.wake();
    }

    /// Refuses connections and breaks those there are.
    pub(super) fn leave(&mut self, lasting: i64) {
        self.faults.leave(self.now + lasting);
        self.store.wake();
    }

    fn set_image(&mut self, namespace: &str, deployment: &str, image: &str, manager: &str) {
        let drawn = self.random.hex(40);
        let tag = image
            .rsplit_once(':')
            .map_or(drawn.as_str(), |(_, tag)| tag);
        self.account_for(namespace, tag);
        let key = (namespace.to_owned(), deployment.to_owned());
        self.modify(Kind::Deployment, &key, manager, Door::Main, |value| {
            let containers = tree::list_mut(value, "/spec/template/spec/containers");
            if let Some(container) = containers.first_mut() {
                let name = tree::text(container, "/image")
                    .rsplit_once(':')
                    .map(|(name, _)| name.to_owned());
                let next = format!("{}:{tag}", name.unwrap_or_default());
                tree::set(
                    container,
                    "/image",
                    if image.is_empty() {
                        next
                    } else {
                        image.to_owned()
                    },
                );
            }
        });
    }

    pub(super) fn flip(&mut self, namespace: &str, to: &str, manager: &str) {
        for name in SWITCH {
            let Some(service) = self.store.get(Kind::Service, namespace, name) else {
                continue;
            };
            let mut value = service.value();
            let other = if tree::text(&value, "/spec/selector/version") == "blue" {
                "green"
            } else {
                "blue"
            };
            tree::set(
                &mut value,
                "/spec/selector/version",
                if to.is_empty() { other } else { to },
            );
            let _ = self.put(&service, value, Door::Main, &Author::named(manager));
        }
    }

    fn delete_pods(&mut self, namespace: &str, deployment: &str, count: usize) {
        let is_of = |pod: &&Arc<Object>| {
            !pod.is_deleting
                && self
                    .sims
                    .get(&pod.uid)
                    .is_some_and(|sim| sim.deployment == deployment)
        };
        let pods: Vec<Arc<Object>> = self
            .store
            .list(Kind::Pod, namespace)
            .filter(is_of)
            .take(count)
            .cloned()
            .collect();
        for pod in pods {
            let _ = self.delete(Kind::Pod, &pod.key(), &Farewell::default());
        }
    }
}
