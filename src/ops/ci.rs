//! What a worker asks of GitHub before a cutover: the workflow's runs of the commits that it brings live.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::timeout;

use super::bastion::Bastion;
use crate::clients::github;
use crate::estate::ci::Built;
use crate::estate::runs::Run;
use crate::estate::{Estate, Safe};

/// Asks, where a green run is demanded, and puts it down in `estate`.
pub(super) async fn look(bastion: &Bastion, estate: &mut Estate, colour: &Safe) {
    let place = estate
        .scope
        .traffic
        .as_ref()
        .and_then(|it| it.colour(colour));
    let (true, Some(place)) = (estate.needs_ci(), place) else {
        return;
    };
    let view = estate.colour_view(Some(place));
    // What was green stays so: another commit is asked about anew.
    let all = || view.images.iter().flat_map(|(_, images)| images);
    if all().next().is_some()
        && all().all(|(image, _)| matches!(estate.built(image), Built::Green(_)))
    {
        return;
    }
    let images = view.images.iter().flat_map(|(_, images)| images);
    let commits = images.filter_map(|(image, _)| image.commit().map(str::to_owned));
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
