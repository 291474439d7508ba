//! Whether what a colour runs was built and tested: the workflow's runs of the commits that its images are tagged by.

use std::sync::Arc;

use super::runs::{Conclusion, Progress, Run, newest_of};
use super::{Estate, Image, Safe};

/// The workflow's runs as far as they were asked for, newest first, or why they are not known.
pub type Runs = Result<Arc<Vec<Run>>, Safe>;

/// What is known of one image.
#[derive(Clone, Debug, PartialEq)]
pub enum Built {
    /// The newest run of its commit that is over ended well.
    Green(Safe),
    /// It did not.
    Red(Safe),
    /// Nobody can tell.
    Unknown(Safe),
}

impl Estate {
    /// Whether a cutover demands a green run of the commit that it brings live.
    pub fn needs_ci(&self) -> bool {
        self.scope.needs_ci || self.demanded().ci
    }

    /// The newest run of the commit that `image` is tagged by, where the runs were asked for.
    pub fn run_of(&self, image: &Image) -> Option<&Run> {
        let runs = self.ci.as_ref()?.as_ref().ok()?;
        newest_of(runs, image.commit()?)
    }

    /// What the runs say of `image`.
    pub fn built(&self, image: &Image) -> Built {
        let Some(commit) = image.commit() else {
            let said = format!("{} names no commit: its run cannot be found", image.tag());
            return Built::Unknown(said.into());
        };
        let runs = match &self.ci {
            None => return Built::Unknown("GitHub was not asked yet".into()),
            Some(Err(why)) => return Built::Unknown(why.clone()),
            Some(Ok(runs)) => runs,
        };
        let short = image.short_tag();
        let Some(run) = newest_of(runs, commit) else {
            return Built::Unknown(format!("no run of {short} is among the newest").into());
        };
        let said = |word: &str| Safe::from(format!("{short} {} {word}", run.words()));
        match &run.progress {
            Progress::Done(Conclusion::Success) => Built::Green(said("is green")),
            ended @ Progress::Done(_) => Built::Red(said(&ended.words())),
            Progress::Queued | Progress::Waiting | Progress::Running | Progress::Other(_) => {
                Built::Unknown(said("is not over"))
            }
        }
    }
}
