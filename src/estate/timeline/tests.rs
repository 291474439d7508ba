use super::*;
use crate::estate::spells::{Spell, Spells};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn happening(second: i64, weight: Weight) -> Happening {
    Happening {
        at: at(second),
        weight,
        what: "something".into(),
        note: None,
        after: None,
        source: Source::Pod("p".into()),
    }
}

fn said(causes: &[(i64, Weight)], second: i64) -> Option<String> {
    let causes: Vec<_> = causes.iter().map(|(s, w)| happening(*s, *w)).collect();
    Causes::of(&causes)
        .before(at(second))
        .map(|said| said.to_string())
}

#[test]
fn an_alert_says_how_long_after_the_flip_it_began() {
    let causes = [(100, Weight::Change), (1_000, Weight::Traffic)];
    let after = |second| said(&causes, second);
    assert_eq!(after(1_041).as_deref(), Some("41 s after the flip"));
    assert_eq!(after(400).as_deref(), Some("5 m after the rollout"));
    assert_eq!(after(99), None);
    assert_eq!(after(9_000), None);
}

#[test]
fn a_flip_is_not_hidden_by_a_rollout_that_came_after_it() {
    let causes = [(1_000, Weight::Traffic), (1_017, Weight::Change)];
    let both = "24 s after the rollout, 41 s after the flip";
    assert_eq!(said(&causes, 1_041).as_deref(), Some(both));
    let far = [(1_000, Weight::Traffic), (2_000, Weight::Change)];
    assert_eq!(said(&far, 2_024).as_deref(), Some("24 s after the rollout"));
}

#[test]
fn topics_are_known_by_their_words_in_both_numbers() {
    for topic in Topic::ALL {
        assert_eq!(Topic::named(topic.word()), Some(topic));
    }
    assert_eq!(Topic::named("alert"), Some(Topic::Alerts));
    assert_eq!(Topic::named("s"), None);
}

#[test]
fn a_note_that_is_too_long_says_how_much_is_left_out() {
    let all: Vec<_> = (0..100)
        .map(|n| happening(1_000 - n, Weight::Bad))
        .collect();
    let text = note(&["head".to_owned()], &all, 2_048);
    assert!(text.len() <= 2_048, "{}", text.len());
    let kept = text.lines().filter(|l| l.contains("something")).count();
    let last = format!(
        "({} older entries left out: the clipboard gets 2 KiB at most)",
        100 - kept
    );
    assert_eq!(text.lines().last(), Some(last.as_str()));
    assert!(text.starts_with("head\n\n1970-01-01 00:16:40Z  BAD   pods      something\n"));
}

#[test]
fn an_alert_that_reaches_the_end_of_the_history_is_not_said_to_have_ended() {
    let spell = |from, to| Spell {
        labels: [("alertname".into(), "X".into())].into_iter().collect(),
        from: Some(at(from)),
        to: at(to),
    };
    let all = vec![spell(600, 1_200), spell(5_000, 9_960)];
    let spells = Spells::of(all, Some(at(10_000)), Vec::new());
    let ended: Vec<_> = spells.ended().map(|s| s.to.as_second()).collect();
    assert_eq!(ended, [1_200]);
}
