//! The middle of a release: its cutover, planned over what was deployed and tested.
//!
//! An approval is asked for by the release itself, and waited for as long as one lasts; a gate that may open is waited
//! for as long as somebody else's repair of a selector would be. Nothing is flipped meanwhile, and an abort is heard.

use std::time::Duration;

use tokio::time::Instant;

use super::flip::failed;
use super::hold::evidence;
use super::wait::Woken;
use super::{Ended, Run};
use crate::estate::{Estate, Safe};
use crate::ops::approval::Papers;
use crate::ops::approve::{self, Wanted};
use crate::ops::engine::Refused;
use crate::ops::entry::{OperationKind, Step, What};
use crate::ops::machine::WAITS;
use crate::ops::plan::{
    Plan, Refusal, RefusalKind, Request, Revisions, Stands, Within, check, revisions,
};

/// The longest between two readings while nothing is seen to change.
const LOOKS: Duration = Duration::from_secs(10);

/// How often it says anew what it waits for: a record has no room for every flutter.
const SAYS: u32 = 20;

/// What is waited for.
#[derive(PartialEq)]
enum For {
    Gate(Safe),
    /// The approval of what has this hash.
    Approval(Safe),
}

/// What is waited for, and until when.
struct Waiting {
    what: For,
    until: Instant,
    /// Whatever comes and goes: the end of all waiting.
    end: Instant,
    said: u32,
    /// Whether an approval was asked for: what failed once is tried again.
    is_asked: bool,
}

impl Run {
    /// Plans the cutover; waits for what may come.
    pub(super) async fn plan_cutover(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let mut waiting: Option<Waiting> = None;
        let mut tested = self.own_test();
        let (mut seen, mut next) = (None, Instant::now());
        loop {
            let sees = self.sees_cutover();
            if seen.as_ref() != Some(&sees) || next <= Instant::now() {
                (seen, next) = (Some(sees), Instant::now() + LOOKS);
                let stands = match self.read_cutover().await {
                    Ok((estate, Ok(plan))) => {
                        return Ok(self.cutover_planned(step, plan, &estate, tested.as_ref()));
                    }
                    Ok((estate, Err(refusal))) => {
                        // Without a test of its own, what was there first is what it goes on with.
                        let stands = Stands::of(&refusal);
                        if refusal.is_settled() {
                            tested.get_or_insert_with(|| self.runs_there(&estate));
                        }
                        if let Stands::Approval(bound, _) = &stands {
                            // What somebody deleted nobody approves: it is asked for anew.
                            let papers = Papers::in_estate(&estate);
                            let user = &self.bastion.person.user;
                            let is_there = papers
                                .requests()
                                .any(|it| it.plan == *bound && it.author == *user);
                            if let Some(it) = &mut waiting {
                                it.is_asked &= is_there;
                            }
                        }
                        stands
                    }
                    Err(why) => Stands::Waits("unknown".into(), why),
                };
                if let Stands::Never(why) = stands {
                    return Ok(vec![failed(step, why)]);
                }
                self.wait_for(stands, &mut waiting).await?;
            }
            if let Some(stopped) = self.stopped(step) {
                return Ok(vec![stopped]);
            }
            let until = waiting.as_ref().map(|it| it.until.min(it.end));
            if let Woken::Late = self.wait(until).await? {
                let why = self.kept.operation.paused.clone().unwrap_or_default();
                let why = why.strip_prefix(WAITS).unwrap_or(&why);
                return Ok(vec![failed(step, format!("waited long enough: {why}"))]);
            }
        }
    }

    /// What its own smoke test was about.
    fn own_test(&self) -> Option<Revisions> {
        let mut entries = self.kept.entries.iter().rev();
        entries.find_map(|entry| match &entry.what {
            What::Tested { revisions } => Some(revisions.clone()),
            _ => None,
        })
    }

    fn runs_there(&self, estate: &Estate) -> Revisions {
        revisions(estate, self.plan().and_then(|plan| plan.place(estate)))
    }

    fn cutover_planned(
        &self,
        step: &Step,
        plan: Plan,
        estate: &Estate,
        tested: Option<&Revisions>,
    ) -> Vec<What> {
        let own = self.plan();
        if let Some(why) = own.and_then(|own| own.breaks_promise(&plan, estate, tested)) {
            return vec![failed(step, why)];
        }
        let passed = What::Passed {
            step: step.clone(),
            evidence: evidence(&plan.gates).into(),
        };
        // The flips are held to what was tested, whether or not a cutover by itself would demand a test.
        let plan = Plan {
            tested: tested.cloned().or(plan.tested),
            ..plan
        };
        vec![What::Cutover(Box::new(plan)), passed]
    }

    /// Says what it waits for, once for each, and asks for an approval that is missing.
    async fn wait_for(
        &mut self,
        stands: Stands,
        waiting: &mut Option<Waiting>,
    ) -> Result<(), Ended> {
        let patience = self.bastion.timing.patience;
        let approval = Duration::from_secs(u64::from(self.bastion.scope.approval.lasts_s));
        let (what, why, lasts) = match stands {
            Stands::Approval(bound, why) => (For::Approval(bound), why, approval),
            Stands::Waits(gate, why) => (For::Gate(gate), why, patience),
            Stands::Never(_) => return Ok(()),
        };
        let asks = matches!(what, For::Approval(_));
        let same = waiting.as_ref().filter(|it| it.what == what);
        if same.is_some_and(|it| it.is_asked || !asks) {
            return Ok(());
        }
        let now = Instant::now();
        // What could not be asked for yet is not waited for any longer for that.
        let until = same.map(|it| it.until);
        let (end, said) = (waiting.as_ref()).map_or((now + patience, 0), |it| (it.end, it.said));
        let asked = match asks {
            true => self.ask_for_approval().await,
            false => None,
        };
        let (why, is_asked) = asked.unwrap_or((why, false));
        let reason: Safe = format!("{WAITS}{why}").into();
        let is_said = said >= SAYS || self.kept.operation.paused.as_ref() == Some(&reason);
        *waiting = Some(Waiting {
            what,
            until: until.filter(|_| !is_asked).unwrap_or(now + lasts),
            end: match asks {
                true if until.is_none() => end.max(now + approval + patience),
                _ => end,
            },
            said: said + u32::from(!is_said),
            is_asked,
        });
        match is_said {
            true => Ok(()),
            false => self.write(vec![What::Paused { reason }]).await,
        }
    }

    /// Asks in the name of whoever carries it out; what came of it, in words, and whether somebody is asked now. One that
    /// waits already is not doubled.
    async fn ask_for_approval(&mut self) -> Option<(Safe, bool)> {
        self.believe().ok()?;
        let plan = self.plan()?;
        let title = Safe::from(plan.title());
        let wanted = Wanted {
            to: Some(plan.to.clone()),
            overrides: plan.overridden.clone(),
            reason: plan.reason.clone().unwrap_or(title),
            within: Some(self.id().clone()),
            bound: None,
        };
        let asked = match approve::ask(&self.bastion, &wanted).await {
            Ok(draft) => approve::write(&self.bastion, &draft).await,
            Err(refused) => Err(refused),
        };
        match asked {
            Ok((said, hooks)) => {
                // An abort is heard meanwhile.
                tokio::spawn(hooks.end());
                Some((said, true))
            }
            Err(Refused::Refusal(refusal)) if refusal.kind == RefusalKind::Approval => {
                let said = format!("an approval is waited for: {}", refusal.why);
                Some((said.into(), true))
            }
            Err(Refused::Refusal(refusal)) => Some((refusal.why, false)),
            Err(Refused::Trouble(why) | Refused::Away(why)) => {
                let said = format!("an approval is needed and could not be asked for: {why}");
                Some((said.into(), false))
            }
            Err(Refused::Moved(_)) => None,
        }
    }

    /// What decides of the cutover by the watches; another word of it is worth a reading.
    fn sees_cutover(&self) -> (Option<RefusalKind>, Safe) {
        let Some(request) = self.cutover_wanted() else {
            return (None, Safe::default());
        };
        match check(&request, &self.eyes.estate, self.bastion.clock.now()) {
            Ok(plan) => (None, plan.hash),
            Err(refusal) => {
                let gate = refusal.why.split(':').next().unwrap_or_default();
                (Some(refusal.kind), gate.into())
            }
        }
    }

    /// The plan over fresh reads, or why there is none; the error is that it could not be read.
    async fn read_cutover(&self) -> Result<(Estate, Result<Plan, Refusal>), Safe> {
        let (Some(own), Some(request)) = (self.plan(), self.cutover_wanted()) else {
            return Err("there is no plan".into());
        };
        let estate = self.read_for(own).await?;
        let plan = check(&request, &estate, self.bastion.clock.now());
        Ok((estate, plan))
    }

    fn cutover_wanted(&self) -> Option<Request> {
        let plan = self.plan()?;
        Some(Request {
            to: Some(plan.to.clone()),
            reason: plan.reason.clone(),
            overrides: plan.overridden.clone(),
            break_glass: self.break_glass(),
            probes: plan.probes.clone(),
            within: Some(Within {
                operation: self.id().clone(),
                run: 0,
            }),
            ..Request::new(OperationKind::Cutover)
        })
    }
}
