//! The colleague of the story `approval`: asks for an approval and cuts over with it, and approves what is asked for.
//!
//! Everything is done as any person does it, by the API as `demo-manager`: the estate itself knows nothing of it.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::setup;
use crate::config::Config;
use crate::estate::Safe;
use crate::ops::OperationKind;
use crate::ops::approval::{Decision, Papers, Standing};
use crate::ops::approve::{self, Wanted};
use crate::ops::bastion::{Bastion, Place};
use crate::ops::engine::{self, Refused};
use crate::ops::plan::Request;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(3);
/// Why the colleague releases what is idle, whatever that is by now.
const REASON: &str = "faster search is due";
/// How long the colleague is there: an estate that somebody asks all the time would never end by itself.
const LASTS: Duration = Duration::from_secs(900);

/// Acts until the time is up; `config` is the configuration that was published.
pub(super) async fn act(config: &Path, kubeconfig: &str) {
    let Some(place) = place(config, kubeconfig) else {
        return;
    };
    let until = Instant::now() + LASTS;
    let mut own = Own::Unasked;
    while Instant::now() < until {
        sleep(PAUSE).await;
        // What fails (the estate is away, nothing is ready yet) is tried again.
        if let Ok(bastion) = Bastion::connect(&place).await
            && let Err(why) = step(&bastion, &mut own).await
        {
            tracing::debug!(?why, "the colleague waits");
        }
    }
}

/// Production, as it is reached by the colleague.
fn place(config: &Path, kubeconfig: &str) -> Option<Place> {
    let file = config.with_file_name("colleague.yaml");
    super::write_private(&file, kubeconfig.as_bytes()).ok()?;
    let text = std::fs::read_to_string(config).ok()?;
    let (parsed, warnings) = Config::parse(&text, "demo").ok()?;
    let loaded = setup::loaded(parsed, &warnings, config).ok()?;
    let place = super::super::operate::place(&loaded, "production").ok()?;
    Some(Place {
        kubeconfig: Some(file),
        journals: None,
        ..place
    })
}

/// How far the colleague's own release is.
enum Own {
    Unasked,
    Asked,
    Over,
}

async fn step(bastion: &Bastion, own: &mut Own) -> Result<(), Refused> {
    let (estate, papers, server) = approve::look(bastion).await?;
    let lasts_s = estate.scope.approval.lasts_s;
    let standing = |id: &Safe| {
        let asked = papers.requests().find(|it| it.id == *id);
        asked.map(|asked| papers.standing(asked, lasts_s, server))
    };
    let mine = newest(&papers, &bastion.person.user);
    match (&own, mine.as_ref().and_then(standing)) {
        (Own::Unasked, _) => {
            ask(bastion).await?;
            *own = Own::Asked;
        }
        (Own::Asked, Some(Standing::Approved(_))) => {
            *own = Own::Over;
            cut_over(bastion).await?;
        }
        (Own::Asked, Some(Standing::Rejected(_) | Standing::Over)) => *own = Own::Over,
        (Own::Asked | Own::Over, _) => {}
    }
    let others = papers.waiting(lasts_s, server);
    for asked in others.iter().filter(|it| it.author != bastion.person.user) {
        let reason = "read the diff, looks good".into();
        let draft = approve::decide(bastion, &asked.id, Decision::Approved, &reason).await?;
        approve::carry_out(bastion, &draft).await?;
    }
    Ok(())
}

fn newest(papers: &Papers, author: &Safe) -> Option<Safe> {
    let mine = papers.requests().filter(|it| it.author == *author);
    mine.last().map(|it| it.id.clone())
}

async fn ask(bastion: &Bastion) -> Result<(), Refused> {
    let wanted = Wanted {
        reason: REASON.into(),
        ..Wanted::default()
    };
    let draft = approve::ask(bastion, &wanted).await?;
    approve::carry_out(bastion, &draft).await.map(drop)
}

async fn cut_over(bastion: &Bastion) -> Result<(), Refused> {
    let request = Request {
        reason: Some(REASON.into()),
        ..Request::new(OperationKind::Cutover)
    };
    let prepared = engine::prepare(bastion, request).await?;
    let (_never, stop) = watch::channel(false);
    let run = prepared.start(None, stop).await?;
    run.carry_out().await;
    Ok(())
}
