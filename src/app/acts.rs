//! Acts about silences that a person may ask for: one set, extended, expired. Whether each may be done, and what
//! exactly; what its plan says is in [`said`]. What is common to all acts is here, too.

mod said;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::dialog::{Dialog, Field, Input};
use super::edit::Edit;
use super::plan::{self, Subject};
use super::state::{Environment, Panel, State};
use super::{Action, Ask, Command, View, lists};
use crate::estate::act::{About, Act, Doing, Outcome, Silencing};
use crate::estate::alerts::{AlertView, Alerts, Silence, Standing};
use crate::estate::silence::Draft;
use crate::estate::{Currency, Labels, Need, Safe, Verdict};

pub use said::{facts, sheet};

/// What is proposed about an alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// What is to be done.
    pub kind: Kind,
    /// The environment's place in the configuration.
    pub environment: usize,
    /// The alert, by its labels.
    pub alert: Labels,
}

/// What is to be done about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// Silence it.
    Silence,
    /// Let this silence of it last longer.
    Extend(Safe),
    /// End this silence of it.
    Expire(Safe),
}

/// How long a silence may last from now on: words, minutes. The second is what stands there first.
const LASTS: [(&str, i64); 6] = [
    ("30m", 30),
    ("1h", 60),
    ("2h", 120),
    ("4h", 240),
    ("8h", 480),
    ("24h", 1_440),
];
const FIRST: usize = 1;
/// Acts that stay on the screen.
const KEPT: usize = 20;

/// What a key asks for: silence the alert here, or change the silence that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Silence it.
    Silence,
    /// Extend its silence.
    Extend,
    /// Expire its silence.
    Expire,
}

/// Opens the plan of what is wished for the alert under the cursor, or says why not.
pub fn propose(state: &mut State, wish: Wish) {
    let Some(alert) = alert_here(state) else {
        state.tell("choose an alert first, in the panel Alerts");
        return;
    };
    // The list is sorted anew by what is done: the cursor stays on what it was done to.
    state.picks.alert = Some(alert.clone());
    let silence = view_of(state.environment(), &alert).and_then(|v| v.silence.cloned());
    let comment = silence
        .as_ref()
        .map_or(String::new(), |s| unsigned(&s.comment));
    let kind = match (wish, silence) {
        (Wish::Silence, _) => Kind::Silence,
        (Wish::Extend, Some(silence)) => Kind::Extend(silence.id),
        (Wish::Expire, Some(silence)) => Kind::Expire(silence.id),
        (Wish::Extend | Wish::Expire, None) => {
            state.tell("no known silence keeps this alert quiet");
            return;
        }
    };
    let proposal = Proposal {
        kind,
        environment: state.selected,
        alert,
    };
    // What is refused is refused in the plan: keys typed after this one are none of the screen's.
    let estate = state.estate();
    let ask = Ask::of(estate.tier(), estate.scope.name.clone());
    let fields = match proposal.kind {
        Kind::Silence => fields(""),
        // Alertmanager keeps one comment: what it says now is the start of the new one.
        Kind::Extend(_) => fields(&comment),
        Kind::Expire(_) => Vec::new(),
    };
    plan::open(state, Subject::Act(proposal), fields, ask);
}

/// A comment without the id that an act put behind it.
fn unsigned(comment: &str) -> String {
    let own = comment.rsplit_once(" (wheelhouse ");
    own.map_or(comment, |(own, _)| own).to_owned()
}

fn fields(comment: &str) -> Vec<Field> {
    let mut edit = Edit::default();
    edit.set(comment);
    vec![
        Field {
            name: "comment",
            input: Input::Text(edit),
            is_required: true,
        },
        Field {
            name: "for",
            input: Input::Choice(LASTS.iter().map(|(words, _)| *words).collect(), FIRST),
            is_required: true,
        },
    ]
}

/// The alert whose page is open, or that the cursor is on.
pub fn alert_here(state: &State) -> Option<Labels> {
    let target = match state.levels.last() {
        Some(level) => level.view.clone(),
        None if state.panel == Panel::Alerts => lists::target(state, Panel::Alerts)?,
        None => return None,
    };
    match target {
        View::Alert(labels) => Some(labels),
        _ => None,
    }
}

fn view_of<'a>(environment: &'a Environment, alert: &Labels) -> Option<AlertView<'a>> {
    let views = environment.estate.alerts.as_ref()?.views();
    views.into_iter().find(|v| v.alert.labels == *alert)
}

/// Whether a known silence keeps the alert quiet.
pub fn is_silenced(state: &State, alert: &Labels) -> bool {
    view_of(state.environment(), alert).is_some_and(|view| view.silence.is_some())
}

fn silence_of<'a>(alerts: &'a Alerts, proposal: &Proposal) -> Option<&'a Silence> {
    let (Kind::Extend(id) | Kind::Expire(id)) = &proposal.kind else {
        return None;
    };
    alerts.silences.iter().find(|s| s.id == *id)
}

/// May this be done? Answered in one place, for the key, the dialog and the act itself.
fn check(state: &State, proposal: &Proposal) -> Result<(), Safe> {
    let environment = &state.environments[proposal.environment];
    let now = state.now.at;
    (environment.access).permit(&environment.estate.scope.name, now)?;
    let Some(alerts) = &environment.estate.alerts else {
        return Err("no Prometheus is configured here".into());
    };
    if alerts.scope.alertmanager.is_none() {
        return Err("no Alertmanager is configured here: [alertmanager]".into());
    }
    let need = match &proposal.kind {
        Kind::Silence | Kind::Extend(_) => Need::Silences,
        Kind::Expire(_) => Need::Expires,
    };
    if let Some(why) = denied(environment, need) {
        return Err(why);
    }
    for (feed, name) in [
        (alerts.rules.currency(now), "the alerts"),
        (alerts.handling.currency(now), "the silences"),
    ] {
        if feed != Currency::Live {
            let key = state.keymap.key_of(Action::Reconnect);
            let said = format!("{name} are not current: wait until they are, or {key}");
            return Err(Safe::new(&said));
        }
    }
    let about = About::Alert(proposal.alert.clone());
    if is_under_way(state, proposal.environment, &about) {
        return Err("an act about this alert is under way".into());
    }
    match &proposal.kind {
        Kind::Silence => match view_of(environment, &proposal.alert) {
            None => Err("the alert resolved: there is nothing to silence".into()),
            Some(view) if view.standing == Standing::Silenced => {
                let key = |action| state.keymap.key_of(action);
                let (more, end) = (key(Action::ExtendSilence), key(Action::ExpireSilence));
                Err(
                    format!("it is silenced already: {more} extends its silence, {end} ends it")
                        .into(),
                )
            }
            Some(_) => Ok(()),
        },
        Kind::Extend(_) | Kind::Expire(_) => match silence_of(alerts, proposal) {
            None => Err("the silence is over, or Alertmanager does not know it any more".into()),
            Some(_) => Ok(()),
        },
    }
}

/// K02: why the API server would not let us through to Alertmanager; none where it would, or nobody knows.
pub fn denied(environment: &Environment, need: Need) -> Option<Safe> {
    let rights = environment.estate.rights.iter();
    let mut asked = rights.filter(|it| it.need == need).peekable();
    let first = *asked.peek()?;
    // One replica is enough.
    if !asked.all(|it| matches!(it.verdict, Verdict::Bad(_))) {
        return None;
    }
    let why = first.verdict.why().map_or("", |why| why.as_str());
    let (of, advice) = (
        &first.of,
        "have a Role that allows it, or configure the url of Alertmanager",
    );
    Some(format!("you may not {of}: {why}; {advice}").into())
}

/// The labels that the silence asks for: the alert's own as Alertmanager has them, with Prometheus'
/// external ones, where it has exactly one such alert. Those are more, so the silence is narrower.
fn matchers(alerts: &Alerts, alert: &Labels) -> Labels {
    let mut known = (alerts.handling.value.iter()).filter(|h| alerts.is_it(alert, &h.labels));
    match (known.next(), known.next()) {
        (Some(only), None) => only.labels.clone(),
        _ => alert.clone(),
    }
}

/// The alerts that Alertmanager has now and that those matchers would silence: ours, and other environments'.
fn touched<'a>(alerts: &'a Alerts, matchers: &Labels) -> [Vec<&'a Labels>; 2] {
    [&alerts.handling.value, &alerts.others].map(|all| {
        let all = all.iter().map(|h| &h.labels);
        all.filter(|labels| matchers.selects(labels)).collect()
    })
}

fn at_words(at: Option<Timestamp>) -> String {
    at.map_or("?".to_owned(), |at| format!("{at:.0}"))
}

/// Now and the end that was chosen, by the server's clock.
fn span(environment: &Environment, state: &State, dialog: &Dialog) -> (Timestamp, Timestamp) {
    let from = environment.estate.server_time(state.now);
    let chosen = dialog.value("for");
    let minutes = LASTS.iter().find(|(words, _)| *words == chosen);
    let lasts = SignedDuration::from_mins(minutes.map_or(0, |(_, minutes)| *minutes));
    (from, from.saturating_add(lasts).unwrap_or(from))
}

/// What would be sent.
fn act(state: &State, proposal: &Proposal, dialog: &Dialog) -> Option<Silencing> {
    let environment = &state.environments[proposal.environment];
    let alerts = environment.estate.alerts.as_ref()?;
    let (starts, ends) = span(environment, state, dialog);
    let comment = Safe::new(dialog.value("comment"));
    Some(match &proposal.kind {
        Kind::Silence => Silencing::Silence(Draft {
            matchers: matchers(alerts, &proposal.alert),
            author: state.author.clone(),
            comment,
            starts,
            ends,
        }),
        Kind::Extend(id) => Silencing::Extend {
            silence: id.clone(),
            until: ends,
            author: state.author.clone(),
            comment,
        },
        Kind::Expire(id) => Silencing::Expire {
            silence: id.clone(),
        },
    })
}

/// What the draft itself forbids; an empty comment is the dialog's to say.
fn refused(state: &State, proposal: &Proposal, dialog: &Dialog) -> Option<Safe> {
    if let Err(why) = check(state, proposal) {
        return Some(why);
    }
    match act(state, proposal, dialog)? {
        Silencing::Silence(draft) => {
            let filled = Draft {
                comment: "filled".into(),
                ..draft
            };
            filled.check().err()
        }
        Silencing::Extend { until, .. } => {
            let alerts = state.environments[proposal.environment]
                .estate
                .alerts
                .as_ref()?;
            let ends = silence_of(alerts, proposal)?.ends?;
            (until <= ends).then(|| {
                let said = format!("that is no later than its end, {}", at_words(Some(ends)));
                Safe::new(&said)
            })
        }
        Silencing::Expire { .. } => None,
    }
}

/// Begins what was confirmed.
///
/// # Errors
/// Why not, and how to proceed.
pub fn begin(state: &mut State, proposal: &Proposal, dialog: &Dialog) -> Result<Command, Safe> {
    if let Some(refusal) = refused(state, proposal, dialog) {
        return Err(refusal);
    }
    let act = act(state, proposal, dialog).ok_or_else(|| Safe::new("it is not known any more"))?;
    let about = About::Alert(proposal.alert.clone());
    begun(state, proposal.environment, about, Act::Silencing(act))
}

/// Has `act` carried out where its environment may be changed, takes it down as under way, and says so.
///
/// # Errors
/// The environment may not be changed.
pub(super) fn begun(
    state: &mut State,
    environment: usize,
    about: About,
    act: Act,
) -> Result<Command, Safe> {
    let place = &state.environments[environment];
    let name = place.estate.scope.name.clone();
    let permit = place.access.permit(&name, state.now.at)?;
    let number = state.acts.last().map_or(1, |last| last.number + 1);
    state.tell(&format!("{} is sent, and read back", act.noun()));
    let doing = Doing {
        number,
        environment,
        about,
        act,
        at: environment_time(state, environment),
        outcome: None,
    };
    state.acts.push(doing.clone());
    let over = state.acts.len().saturating_sub(KEPT);
    state.acts.drain(..over);
    Ok(Command::Act {
        doing,
        name,
        permit,
    })
}

/// Whether an act about it is under way in that environment.
fn is_under_way(state: &State, environment: usize, about: &About) -> bool {
    let is_it = |d: &&Doing| d.environment == environment && d.about == *about;
    state.acts.iter().filter(is_it).any(|d| d.outcome.is_none())
}

fn environment_time(state: &State, place: usize) -> Timestamp {
    state.environments[place].estate.server_time(state.now)
}

/// Ends the cockpit; while something is sent and not answered only when it is asked for twice.
pub fn leave(state: &mut State) -> Option<Command> {
    const SAID: &str =
        "what was sent is not answered yet, and may end with this screen; once more leaves";
    let is_under_way = !state.sent.is_empty() || state.acts.iter().any(|d| d.outcome.is_none());
    let is_said = |n: &super::Notice| n.text.as_str() == SAID;
    if !is_under_way || state.notice.as_ref().is_some_and(is_said) {
        return Some(Command::Quit);
    }
    state.tell(SAID);
    None
}

/// Takes the outcome of an act.
pub fn ended(state: &mut State, number: u64, outcome: Outcome) {
    let Some(doing) = state.acts.iter_mut().find(|d| d.number == number) else {
        return;
    };
    let noun = doing.act.noun();
    let said = match &outcome {
        Outcome::Done(words) => words.to_string(),
        Outcome::NotDone(why) => format!("{noun}: not done: {why}"),
        Outcome::Unknown(why) => format!("{noun}: UNKNOWN: {why}"),
    };
    doing.outcome = Some(outcome);
    state.tell(&said);
}
