//! The images of a deploy from the screen: the field that asks for them, what stands there first, and what is known of
//! the runs that built them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Edit, Field, Input, Proposal, Wish, Worker, renumber, want};
use crate::app::dialog::{Dialog, Line};
use crate::app::state::{Environment, State};
use crate::estate::runs::{Conclusion, Progress, Repository, Run, newest_of};
use crate::estate::timeline::{Weight, ending};
use crate::estate::{Image, Safe};
use crate::ops::plan::{How, asked};
use crate::ops::{OperationKind, Plan};

/// The field of the images.
const IMAGES: &str = "images";
/// The images of a deploy as far as they are filled in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Images {
    /// By workload, or why they cannot be read.
    pub read: Result<BTreeMap<Safe, Safe>, Safe>,
    /// Whether they are typed just now: no worker is prepared for half a word.
    pub is_typed: bool,
}

impl Images {
    /// What `fields` say, of which the one at `focus` is typed in.
    pub(super) fn of(environment: &Environment, fields: &[Field], focus: usize) -> Self {
        let Some(place) = fields.iter().position(|field| field.name == IMAGES) else {
            return Self {
                read: Ok(BTreeMap::new()),
                is_typed: false,
            };
        };
        let words: Vec<&str> = fields[place].value().split_whitespace().collect();
        let read = match words.is_empty() && fields[place].is_required {
            true => Err(
                "which images? :TAG for every workload, or WORKLOAD=:TAG, WORKLOAD=REPOSITORY:TAG"
                    .into(),
            ),
            false => asked(&words, &environment.estate.scope),
        };
        Self {
            read,
            is_typed: place == focus,
        }
    }
}

/// The field, if the environment is deployed by images or by a program; a workflow decides for itself.
pub(super) fn field(state: &State) -> Option<Field> {
    let environment = state.environment();
    let is_required = match environment.how {
        How::Image => true,
        How::Command(_) => false,
        How::Workflow(_) => return None,
        // It says by `set` which images it is told.
        How::Helm(ref helm) if helm.wanted().is_empty() => return None,
        How::Helm(_) => true,
    };
    let mut edit = Edit::default();
    edit.suggest(&newest(state).unwrap_or_default());
    Some(Field {
        name: IMAGES,
        input: Input::Text(edit),
        is_required,
    })
}

/// The tag of the newest green run that may go there, if what is live is tagged by commits.
fn newest(state: &State) -> Option<String> {
    let estate = state.estate();
    let view = estate.colour_view(estate.live_colour());
    let mut live = view.images.iter().flat_map(|(_, images)| images);
    let (image, _) = live.next()?;
    let tag = image.tag();
    let hash = image.commit()?;
    let run = newest_run(state.repository.as_ref()?, &estate.scope.name)?;
    let commit = run.sha.get(..hash.len())?;
    Some(format!(":{}{commit}", &tag[..tag.len() - hash.len()]))
}

/// The newest green run that may go to `environment`: of its branch, where one is configured.
fn newest_run<'a>(repository: &'a Repository, environment: &Safe) -> Option<&'a Run> {
    let deploys = &repository.scope.deploys;
    let branch = deploys.iter().find(|d| d.environment == *environment);
    let is_fit = |run: &&Run| {
        let is_built = matches!(run.event.as_str(), "push" | "workflow_dispatch");
        let is_green = run.progress == Progress::Done(Conclusion::Success);
        is_built && is_green && branch.is_none_or(|d| run.branch.as_ref() == Some(&d.branch))
    };
    repository.runs.value.iter().find(is_fit)
}

/// What a cutover would leave behind, or go back to (I-13, I-55): a green commit that is newer than what it brings live,
/// or a live one that is. A run that finished last is not the newest; their numbers tell.
pub(super) fn newer(state: &State, proposal: &Proposal, plan: &Plan) -> Vec<Line> {
    let estate = &state.environments[proposal.environment].estate;
    let (Some(repository), Some(switch)) = (&state.repository, &estate.scope.traffic) else {
        return Vec::new();
    };
    let Some(to) = switch.colour(&plan.to) else {
        return Vec::new();
    };
    let images_in = |colour| {
        let view = estate.colour_view(Some(colour));
        view.images.into_iter().flat_map(|(_, images)| images)
    };
    let run_in = |colour| images_in(colour).find_map(|(image, _)| run_of(repository, &image.name));
    let word = |colour: usize| Plan::colour_in_words(&switch.colours[colour]);
    let Some(brings) = run_in(to) else {
        // What is tagged by no commit is of no run, as the plan's gates say.
        let commit = images_in(to).find_map(|(image, _)| image.commit().map(ToString::to_string));
        let unknown = commit.filter(|_| repository.runs.listed).map(|commit| {
            let said = format!(
                "{commit}, which {} runs, is of none of the {} runs that were asked for: whether a newer one is green is not known",
                word(to),
                repository.runs.value.len()
            );
            Line::Look("newer", said)
        });
        return unknown.into_iter().collect();
    };
    let mut lines = Vec::new();
    if let Some(live) = run_in(1 - to).filter(|live| live.number > brings.number) {
        let (to, from) = (word(to), word(1 - to));
        let said = format!(
            "{to} runs #{}, and {from}, which is live, the newer #{}",
            brings.number, live.number
        );
        lines.push(Line::Look("older", said));
    }
    let newest = newest_run(repository, &estate.scope.name);
    if let Some(run) = newest.filter(|run| run.number > brings.number) {
        let origin = run.origin();
        let said = format!(
            "#{} {origin} is green too, and not in {}: {}",
            run.number,
            word(to),
            run.title
        );
        lines.push(Line::Look("newer", said));
    }
    lines
}

/// Reads the field anew: other images are another worker's.
pub fn refill(state: &mut State, proposal: &mut Proposal, dialog: &Dialog) {
    let (Wish::Start(OperationKind::Deploy) | Wish::Start(OperationKind::Release)) = proposal.wish
    else {
        return;
    };
    let environment = &state.environments[proposal.environment];
    let images = Images::of(environment, &dialog.fields, dialog.focus);
    if images.read != proposal.images.read && proposal.worker != Worker::Absent {
        renumber(state, proposal);
    }
    proposal.images = images;
    want(state, proposal);
}

/// What is known of the runs of the commits that are asked for.
pub(super) fn built(state: &State, proposal: &Proposal) -> Vec<Line> {
    let (Ok(images), Some(repository)) = (&proposal.images.read, &state.repository) else {
        return Vec::new();
    };
    let mut runs: Vec<&Run> = (images.values())
        .filter_map(|image| run_of(repository, image))
        .collect();
    runs.dedup_by_key(|run| run.id);
    let line = |run: &Run| {
        let (weight, word) = ending(repository, run);
        let origin = run.origin();
        let said = format!("#{} {origin} {word}: {}", run.number, run.title);
        match weight {
            Weight::Good => Line::Fact("run", said),
            _ => Line::Look("run", said),
        }
    };
    runs.into_iter().map(line).collect()
}

/// The newest run of the commit that an image is tagged by: one that is over, before one that is under way.
fn run_of<'a>(repository: &'a Repository, image: &Safe) -> Option<&'a Run> {
    let image = Image::named(image.clone());
    newest_of(&repository.runs.value, image.commit()?)
}

/// What is there now and how the field is filled in, while nothing can be planned.
pub(super) fn help(state: &State, proposal: &Proposal) -> Vec<Line> {
    let estate = &state.environments[proposal.environment].estate;
    let idle = match &estate.scope.traffic {
        Some(_) => estate.live_colour().map(|live| 1 - live),
        None => None,
    };
    let has = |(workload, images): &(Safe, Vec<(Image, u32)>)| {
        let tags: Vec<&str> = images.iter().map(|(image, _)| image.short_tag()).collect();
        Line::Words(format!("{workload}   {} now", tags.join(", ")))
    };
    let mut lines: Vec<Line> = estate.colour_view(idle).images.iter().map(has).collect();
    let forms = [
        (":TAG", "that tag for every workload that is not named"),
        (
            "NAME=:TAG",
            "that tag for the workload NAME; @DIGEST as well",
        ),
        ("NAME=IMAGE", "another repository, with its tag or digest"),
        ("NAME/PART=…", "one container, where a pod has several"),
    ];
    lines.push(Line::Blank);
    lines.extend(forms.map(|(form, means)| Line::Fact(form, means.to_owned())));
    lines
}
