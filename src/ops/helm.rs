//! What a worker asks of helm before a deploy by it: which version, how the release stands, and what would be applied.
//!
//! Only the helm that the configuration here names is asked: a request or a record tells nobody what to run.

use super::bastion::Bastion;
use super::plan::{self, How, Request};
use crate::clients::helm::{Helm, Version};
use crate::clients::{demo, helm};
use crate::estate::helm::AskedHelm;
use crate::estate::{Estate, Fault, FaultKind, Safe};

/// The oldest helm whose `template` sees the cluster.
const LOOKS_UP: (u32, u32) = (3, 13);
/// The oldest that can keep the notes of a chart to itself: they may hold a password.
const HIDES_NOTES: (u32, u32) = (3, 17);

/// Asks helm what the plan of `request` hangs on, where it is by helm, and puts it down in `estate`.
pub async fn look(bastion: &Bastion, estate: &mut Estate, request: &Request) {
    let (How::Helm(wanted), Some((release, words))) = (&request.how, plan::told(request, estate))
    else {
        return;
    };
    let asked = match &bastion.how {
        How::Helm(own) if own.is_same(wanted) => ask(bastion, wanted, release, words).await,
        How::Helm(_) | How::Image | How::Command(_) | How::Workflow(_) => AskedHelm::Unfit(
            "its chart and values are not those that are configured here: nothing is run".into(),
        ),
    };
    estate.helm = Some(asked);
}

/// Helm, as the configuration here names it.
pub(super) fn here(bastion: &Bastion) -> Option<Helm> {
    match &bastion.how {
        How::Helm(own) => Some(Helm::of(&bastion.cluster, &own.program)),
        How::Image | How::Command(_) | How::Workflow(_) => None,
    }
}

async fn ask(bastion: &Bastion, wanted: &plan::Helm, release: Safe, words: Vec<Safe>) -> AskedHelm {
    if bastion.cluster.way().0.is_some_and(demo::is_kubeconfig) {
        let said = "the demo's estate is simulated, and keeps no releases: a deploy by helm needs a cluster";
        return AskedHelm::Unfit(said.into());
    }
    let limit = bastion.timing.answer;
    let helm = Helm::of(&bastion.cluster, &wanted.program);
    let version = match fit(helm.version(limit).await) {
        Ok(version) => version,
        Err(asked) => return asked,
    };
    let (history, renders) = match wanted.recovers {
        false => {
            let words = looking_up(words, &version);
            futures::join!(helm.history(&release, limit), helm.rendered(&words))
        }
        true => (helm.history(&release, limit).await, Ok(Vec::new())),
    };
    let history = match history {
        Ok(history) => history,
        Err(fault) => return AskedHelm::Silent(fault.what),
    };
    let mut said = crate::estate::helm::Helm {
        version: version.words,
        release,
        history,
        renders: renders.map_err(|fault| fault.what),
    };
    if let Some(good) = said.good().filter(|_| wanted.recovers) {
        let number = good.number.to_string();
        let words = ["get", "manifest", &said.release, "--revision", &number];
        let words = words.map(Safe::from);
        said.renders = helm.rendered(&words).await.map_err(|fault| fault.what);
    }
    AskedHelm::Said(Box::new(said))
}

/// The version, if it is one that can be used.
fn fit(version: Result<Version, Fault>) -> Result<Version, AskedHelm> {
    match version {
        Ok(version) if version.is_at_least(3, 0) => Ok(version),
        Ok(version) => Err(AskedHelm::Unfit(too_old(&version))),
        Err(fault) if fault.kind == FaultKind::Config => Err(AskedHelm::Unfit(missing(&fault))),
        Err(fault) => Err(AskedHelm::Silent(fault.what)),
    }
}

/// That helm is too old, and the way on.
pub fn too_old(version: &Version) -> Safe {
    let words = &version.words;
    format!("helm {words} is too old: Helm 3 or newer is needed, or another `program` in the configuration").into()
}

/// That there is no helm, and the way on.
pub fn missing(fault: &Fault) -> Safe {
    let what = &fault.what;
    format!("{what}: install Helm 3 or newer, or name it by `program` in the configuration").into()
}

/// `template`, seeing the cluster where that helm can.
fn looking_up(mut words: Vec<Safe>, version: &helm::Version) -> Vec<Safe> {
    if version.is_at_least(LOOKS_UP.0, LOOKS_UP.1) {
        words.push("--dry-run=server".into());
    }
    words
}

/// What keeps the chart's notes from being printed.
pub(super) const HIDE_NOTES: &str = "--hide-notes";

/// `upgrade`, without the chart's notes where that helm can.
pub(super) fn without_notes(mut words: Vec<Safe>, version: &helm::Version) -> Vec<Safe> {
    if version.is_at_least(HIDES_NOTES.0, HIDES_NOTES.1) {
        words.push(HIDE_NOTES.into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(words: &str, number: (u32, u32)) -> Version {
        Version {
            words: words.into(),
            number,
        }
    }

    #[test]
    fn helm_2_is_refused_and_older_ones_of_3_are_told_what_they_know() {
        let two = fit(Ok(version("v2.17.0", (2, 17))));
        let Err(AskedHelm::Unfit(why)) = two else {
            unreachable!("helm 2 is fit");
        };
        assert!(why.contains("v2.17.0 is too old"), "{why}");
        let told = |number| {
            let version = version("v", number);
            (
                looking_up(Vec::new(), &version).len(),
                without_notes(Vec::new(), &version).len(),
            )
        };
        assert_eq!(told((3, 0)), (0, 0));
        assert_eq!(told((3, 13)), (1, 0));
        assert_eq!(told((3, 22)), (1, 1));
        assert_eq!(told((4, 0)), (1, 1));
    }
}
