//! What a worker asks of those outside of the cluster before a cutover: monitoring, and of GitHub the workflow's runs of the
//! commits that it brings live.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::timeout;

use super::bastion::Bastion;
use super::monitoring;
use super::plan::again::running;
use super::plan::{Request, arriving};
use crate::clients::github;
use crate::estate::ci::Built;
use crate::estate::runs::Run;
use crate::estate::{Estate, Image, Safe};

/// The same for `request`, which may be a deploy in place: then it is the images that come.
pub(super) async fn look_for(
    bastion: &Bastion,
    estate: &mut Estate,
    request: &Request,
    colour: &Safe,
) {
    look(bastion, estate, colour).await;
    if estate.needs_ci() && estate.scope.traffic.is_none() {
        let images = arriving(request, estate).unwrap_or_default();
        ask_for_runs(bastion, estate, &images).await;
    }
}

/// Asks monitoring and GitHub what the gates of traffic to `colour` stand on, and puts it down in `estate`.
pub(super) async fn look(bastion: &Bastion, estate: &mut Estate, colour: &Safe) {
    monitoring::look(bastion, estate, colour).await;
    look_at_runs(bastion, estate, colour).await;
}

/// Asks GitHub, where a green run is demanded, and puts it down in `estate`.
async fn look_at_runs(bastion: &Bastion, estate: &mut Estate, colour: &Safe) {
    let place = estate
        .scope
        .traffic
        .as_ref()
        .and_then(|it| it.colour(colour));
    let (true, Some(place)) = (estate.needs_ci(), place) else {
        return;
    };
    let running = running(estate, place).into_iter();
    let images: Vec<Image> = running.map(|(_, image)| image).collect();
    ask_for_runs(bastion, estate, &images).await;
}

async fn ask_for_runs(bastion: &Bastion, estate: &mut Estate, images: &[Image]) {
    // What was green stays so: another commit is asked about anew.
    let is_green = |image: &Image| matches!(estate.built(image), Built::Green(_));
    if !images.is_empty() && images.iter().all(is_green) {
        return;
    }
    let commits = images
        .iter()
        .filter_map(|image| image.commit().map(str::to_owned));
    let asked = runs(bastion, commits.collect());
    let limit = bastion.timing.answer;
    let answered = timeout(limit, asked).await;
    let late = || Err(format!("GitHub did not answer within {} s", limit.as_secs()).into());
    estate.ci = Some(answered.unwrap_or_else(|_| late()).map(Arc::new));
}

async fn runs(bastion: &Bastion, commits: BTreeSet<String>) -> Result<Vec<Run>, Safe> {
    let Some(target) = &bastion.github else {
        return Err("no [github] is configured here, whose workflow's runs would tell".into());
    };
    let github = github::connect(target).await.map_err(|fault| fault.what)?;
    let mut all = Vec::new();
    for commit in commits {
        let runs = github.runs_of(&commit).await;
        all.extend(runs.map_err(|fault| fault.what)?);
    }
    Ok(all)
}
