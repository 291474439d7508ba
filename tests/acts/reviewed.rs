//! The review of a deployment at GitHub by key: what is confirmed, what stops it, and what voids its plan.

use wheelhouse::app::{Command, Look, State};
use wheelhouse::estate::act::Act;
use wheelhouse::estate::review::Review;
use wheelhouse::estate::*;

use super::reviews::{ID, RUN, by_erin, pending, reviews};
use super::world::*;
use super::{PRODUCTION, is_open, notice, void};

/// On the page of the run that waits, production writable.
fn on_the_run(may: Option<bool>) -> State {
    let mut state = full(Look::default());
    press(&mut state, ": w r i t e space 1 5 m enter 1 j enter");
    reviews(&mut state, vec![pending("production", may)], Vec::new());
    state
}

fn confirmed(state: &mut State, key: &str) -> Vec<Command> {
    press(state, key);
    press(state, "d u e enter");
    pass(state, 1);
    press(state, PRODUCTION)
}

fn review(commands: &[Command]) -> &Review {
    let [
        Command::Act {
            doing,
            name,
            permit,
        },
    ] = commands
    else {
        panic!("{commands:?}");
    };
    assert!(permit.holds("production", Moment(0)) && name.as_str() == "production");
    match &doing.act {
        Act::Review(review) => review,
        Act::Silencing(_) => panic!("{doing:?}"),
    }
}

fn refusal(state: &State) -> String {
    let Some(wheelhouse::app::Overlay::Plan(plan)) = &state.overlay else {
        panic!("no plan: {}", notice(state));
    };
    let sheet = wheelhouse::app::plan::sheet(state, plan);
    sheet.refusal.map_or(String::new(), |why| why.to_string())
}

#[test]
fn row_10_what_a_run_waits_for_is_approved_or_rejected_by_key_as_production_demands() {
    for (key, is_approved) in [("Y", true), ("J", false)] {
        let mut state = on_the_run(Some(true));
        let commands = confirmed(&mut state, key);
        let review = review(&commands);
        assert_eq!((review.run, review.id), (RUN, ID));
        assert_eq!(review.is_approved, is_approved);
        assert_eq!(review.comment.as_str(), "ann@bastion: due");
        // The same once more, while the first is under way.
        press(&mut state, key);
        assert!(refusal(&state).contains("under way"), "{}", refusal(&state));
    }
    // Not by keys typed ahead, and not by another word.
    let mut state = on_the_run(Some(true));
    press(&mut state, "Y d u e enter");
    assert!(press(&mut state, PRODUCTION).is_empty(), "typed ahead");
    pass(&mut state, 1);
    assert!(press(&mut state, "y enter").is_empty());
}

#[test]
fn i_47_the_keys_of_a_decision_mean_nothing_in_a_list_or_text_over_the_page_of_a_run() {
    for over in ["?", "e", "6"] {
        let mut state = on_the_run(Some(true));
        press(&mut state, over);
        if over == "6" {
            // What the cursor was on is decided meanwhile, by somebody else.
            reviews(&mut state, Vec::new(), vec![by_erin("approved")]);
        }
        press(&mut state, "J");
        assert!(!is_open(&state), "{over}");
    }
}

#[test]
fn a_review_that_is_under_way_is_not_sent_again_from_another_environment() {
    let mut state = on_the_run(Some(true));
    assert_eq!(confirmed(&mut state, "Y").len(), 1);
    state.selected = (state.selected + 1) % state.environments.len();
    press(&mut state, "J");
    assert!(refusal(&state).contains("under way"), "{}", refusal(&state));
}

#[test]
fn what_nobody_here_can_place_needs_every_environment_to_permit_it() {
    let mut state = on_the_run(Some(true));
    state.repository.as_mut().unwrap().scope.deploys.clear();
    let production = state.selected;
    reviews(&mut state, vec![pending("prod", Some(true))], Vec::new());
    // From an environment that may always be changed.
    state.environments[production].access = wheelhouse::app::Access::ReadOnly;
    state.selected = (production + 1) % state.environments.len();
    for place in 0..state.environments.len() {
        if place != production {
            state.environments[place].access = wheelhouse::app::Access::Open;
        }
    }
    press(&mut state, "Y");
    assert!(
        refusal(&state).contains("production is read-only"),
        "{}",
        refusal(&state)
    );
}

#[test]
fn what_is_not_known_of_reviews_is_said_and_is_not_nothing() {
    let mut state = on_the_run(Some(true));
    let unseen = wheelhouse::estate::review::Reviews {
        unseen: Some("github.com forbids it".into()),
        ..Default::default()
    };
    let seen = wheelhouse::estate::runs::RunsSeen::Reviews(RUN, unseen);
    let at = state.now.at;
    wheelhouse::app::update(&mut state, wheelhouse::app::Event::Repository(at, seen));
    press(&mut state, "Y");
    let said = notice(&state);
    assert!(
        said.contains("is not known: github.com forbids it"),
        "{said}"
    );
}

#[test]
fn x05_a_review_by_another_while_the_plan_is_open_is_seen_in_it_and_voids_it() {
    let mut state = on_the_run(Some(true));
    press(&mut state, "Y d u e enter");
    pass(&mut state, 1);
    // The same news again, and another run's jobs: churn.
    reviews(
        &mut state,
        vec![pending("production", Some(true))],
        Vec::new(),
    );
    assert_eq!(void(&state), None);
    reviews(&mut state, Vec::new(), vec![by_erin("approved")]);
    let why = void(&state).unwrap();
    assert!(
        why.contains("is now decided: production approved by erin: read the diff"),
        "{why}"
    );
    assert!(press(&mut state, PRODUCTION).is_empty());
    press(&mut state, "esc Y");
    assert!(!is_open(&state));
    let said = notice(&state);
    assert!(said.contains("production approved by erin"), "{said}");
}

#[test]
fn g08_whoever_may_not_decide_is_told_who_may() {
    let mut state = on_the_run(Some(false));
    press(&mut state, "Y");
    let why = refusal(&state);
    assert!(
        why.contains("others decide") && why.contains("carol, erin"),
        "{why}"
    );
    // Where GitHub does not say it, it is asked.
    let mut state = on_the_run(None);
    assert_eq!(review(&confirmed(&mut state, "Y")).id, ID);
}

#[test]
fn i_44_a_freeze_stops_an_approval_at_github_and_no_rejection() {
    let mut state = on_the_run(Some(true));
    let until = ago(-7_200).unwrap();
    let freeze =
        format!(r#"{{"who":"carol","why":"Black Friday","since":"{until}","until":"{until}"}}"#);
    let data = [("schema", "1"), ("freeze.production", &freeze)];
    let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let name = wheelhouse::estate::policy::NAME;
    let policy = Policy::read([name.into(), "u".into(), "7".into()], &data.into());
    let server = Some(wall());
    let change = Seen::Policies(Delta::Changes(vec![Change::Applied(policy)]));
    observe(&mut state, vec![Seen::Pulse { server }, change]);
    press(&mut state, "Y");
    let why = refusal(&state);
    assert!(
        why.contains("frozen by carol") && why.contains("Black Friday"),
        "{why}"
    );
    press(&mut state, "esc");
    assert!(!review(&confirmed(&mut state, "J")).is_approved);
}

#[test]
fn o07_read_only_and_stale_runs_refuse_a_review() {
    let mut state = on_the_run(Some(true));
    state.write(None);
    press(&mut state, "Y");
    assert!(
        refusal(&state).contains(":write 15m"),
        "{}",
        refusal(&state)
    );
    let mut state = on_the_run(Some(true));
    pass(&mut state, 300);
    press(&mut state, "Y");
    let why = refusal(&state);
    assert!(why.contains("the runs are not current"), "{why}");
}

#[test]
fn what_stands_behind_a_github_environment_that_nobody_here_knows_is_asked_as_production() {
    let mut state = full(Look::default());
    press(&mut state, ": w r i t e space 1 5 m enter 1 j enter");
    state.environment_mut().estate.scope.tier = Tier::Development;
    let mut elsewhere = pending("canary", Some(true));
    elsewhere.id = 9;
    let both = vec![elsewhere.clone(), pending("Production", Some(true))];
    reviews(&mut state, both, Vec::new());
    // That of the environment on the screen comes first, whatever its case.
    press(&mut state, "Y d u e enter");
    pass(&mut state, 1);
    assert_eq!(review(&press(&mut state, "enter")).id, ID);
    state.acts.clear();
    reviews(&mut state, vec![elsewhere], Vec::new());
    // Staging is deployed by the only job that waits, whatever GitHub calls its environment.
    press(&mut state, "Y");
    let Some(wheelhouse::app::Overlay::Plan(plan)) = &state.overlay else {
        panic!("no plan");
    };
    assert_eq!(plan.dialog.confirm.ask, wheelhouse::app::Ask::Yes);
    press(&mut state, "esc");
    let repository = state.repository.as_mut().unwrap();
    repository.scope.deploys.clear();
    press(&mut state, "Y d u e enter");
    pass(&mut state, 1);
    assert!(press(&mut state, "enter").is_empty());
    pass(&mut state, 1);
    assert_eq!(review(&press(&mut state, "c a n a r y enter")).id, 9);
}

#[test]
fn i_47_the_list_of_what_waits_decides_about_the_run_that_its_cursor_is_on() {
    let mut state = full(Look::default());
    press(&mut state, ": w r i t e space 1 5 m enter");
    reviews(
        &mut state,
        vec![pending("production", Some(true))],
        Vec::new(),
    );
    press(&mut state, "6 enter");
    assert_eq!(state.view(), Some(&wheelhouse::app::View::Run(RUN)));
    press(&mut state, "esc 6");
    // Another run begins to wait above it.
    let at = state.now.at;
    let mut other = pending("staging", Some(true));
    other.id = 8;
    let reviews = wheelhouse::estate::review::Reviews {
        pending: vec![other],
        decided: Vec::new(),
        unseen: None,
    };
    let seen = wheelhouse::estate::runs::RunsSeen::Reviews(83, reviews);
    wheelhouse::app::update(&mut state, wheelhouse::app::Event::Repository(at, seen));
    wheelhouse::app::settle(&mut state);
    assert_eq!(review(&confirmed(&mut state, "J")).run, RUN);
}
