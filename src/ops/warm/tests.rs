use super::*;
use crate::estate::fold::tests::now;
use crate::estate::pods::tests::{labels, scope};
use crate::estate::{Delta, FieldManager, Seen};
use serde_json::json;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// BLUE left at 14:00 by operation `op`.
fn service(keep: Option<(Keep, &str)>) -> Service {
    let flip = r#"{"at":"2026-11-27T14:00:00Z","by":"al","from":"blue","to":"green","what":"cutover","why":null,"operation":"op","images":[]}"#;
    let mut marks = vec![(marks::FLIP, flip.to_owned())];
    if let Some((keep, operation)) = keep {
        let word = Word {
            at: at("2026-11-27T14:10:00Z"),
            by: "dave".into(),
            why: "a demo".into(),
            operation: operation.into(),
            keep,
        };
        marks.push((WARM, json!(word).to_string()));
    }
    let marks: Vec<(&str, &str)> = marks.iter().map(|(k, v)| (*k, v.as_str())).collect();
    Service {
        name: "digital-wall-service".into(),
        uid: "u".into(),
        resource_version: "1".into(),
        selector: labels(&[("version", "green")]),
        kind: "ClusterIP".into(),
        ports: Vec::new(),
        targets: Vec::new(),
        marks: labels(&marks),
        has_annotations: true,
        owners: Vec::new(),
        created: None,
        managers: Vec::new(),
    }
}

fn estate(keep_warm: Option<u32>, service: Service) -> Estate {
    let mut scope = scope();
    scope.traffic.as_mut().unwrap().keep_warm = keep_warm;
    let mut estate = Estate::new(scope, None);
    for delta in [Delta::Began, Delta::Page(vec![service]), Delta::Ended] {
        estate.apply(Seen::Services(delta), now(0));
    }
    estate
}

fn is_kept(keep_warm: Option<u32>, service: Service, time: &str) -> bool {
    let warmth = warmth(&estate(keep_warm, service), Some(at(time))).unwrap();
    matches!(warmth, Warmth::Kept(..))
}

#[test]
fn i_36_unset_nothing_and_a_number_of_seconds_are_three_things_and_the_last_second_counts() {
    let left = "2026-11-27T14:00:00Z";
    assert!(!is_kept(None, service(None), left));
    assert!(!is_kept(Some(0), service(None), left));
    assert!(is_kept(Some(60), service(None), "2026-11-27T14:00:59Z"));
    assert!(!is_kept(Some(60), service(None), "2026-11-27T14:01:00Z"));
    // Nobody knows when traffic left it: a delay that cannot be counted is not over.
    let unmarked = Service {
        marks: labels(&[]),
        ..service(None)
    };
    let unknown = warmth(&estate(Some(60), unmarked.clone()), Some(at(left))).unwrap();
    assert!(matches!(unknown, Warmth::Unknown(_)), "{unknown:?}");
    assert!(!is_kept(None, unmarked, left));
    // Nor is one that the bastion's own clock would have to end.
    let untold = warmth(&estate(Some(60), service(None)), None).unwrap();
    assert!(matches!(untold, Warmth::Unknown(_)), "{untold:?}");
    let unset = warmth(&estate(None, service(None)), None).unwrap();
    assert!(matches!(unset, Warmth::Free(..)), "{unset:?}");
}

#[test]
fn i_39_a_word_is_about_one_flip_and_the_delay_begins_anew_with_the_next() {
    let late = "2026-11-27T23:00:00Z";
    assert!(is_kept(Some(60), service(Some((Keep::Held, "op"))), late));
    assert!(!is_kept(
        Some(60),
        service(Some((Keep::Held, "older"))),
        late
    ));
    let early = "2026-11-27T14:00:30Z";
    assert!(!is_kept(
        Some(60),
        service(Some((Keep::Released, "op"))),
        early
    ));
    assert!(is_kept(
        Some(60),
        service(Some((Keep::Released, "older"))),
        early
    ));
    let until = Keep::Until(at("2026-11-27T20:00:00Z"));
    assert!(is_kept(
        None,
        service(Some((until, "op"))),
        "2026-11-27T19:59:59Z"
    ));
    assert!(!is_kept(
        None,
        service(Some((until, "op"))),
        "2026-11-27T20:00:00Z"
    ));
    // Somebody went round Wheelhouse at 16:00: the delay begins there, and no word is about that.
    let mut meddled = service(Some((Keep::Released, "op")));
    meddled.managers.push(FieldManager {
        name: "kubectl-patch".into(),
        at: Some(at("2026-11-27T16:00:00Z")),
        operation: "Update".into(),
        selector_keys: vec!["version".into()],
        owns_spec: false,
    });
    assert!(is_kept(Some(60), meddled, "2026-11-27T16:00:59Z"));
}

#[test]
fn i_39_our_own_later_writes_are_no_change_of_traffic_and_leave_a_word_standing() {
    // What was verified, a fence, and the word itself each move the time of our own entry, which owns the colour.
    let written = |at: &str, keep| {
        let mut service = service(keep);
        service.managers.push(FieldManager {
            name: "wheelhouse".into(),
            at: Some(self::at(at)),
            operation: "Update".into(),
            selector_keys: vec!["version".into()],
            owns_spec: false,
        });
        service
    };
    let later = "2026-11-27T15:00:00Z";
    let held = written(later, Some((Keep::Held, "op")));
    assert!(is_kept(Some(0), held, "2026-11-27T23:00:00Z"));
    let let_go = written(later, Some((Keep::Released, "op")));
    assert!(!is_kept(Some(7_200), let_go, "2026-11-27T15:00:01Z"));
    // The delay begins with the flip, not with what was written down about it.
    let marked = written(later, None);
    assert!(!is_kept(
        Some(3_600),
        marked.clone(),
        "2026-11-27T15:00:00Z"
    ));
    let because = Because {
        who: "dave".into(),
        seat: "d@b".into(),
        why: "x".into(),
    };
    assert!(check(Wanted::Hold, &because, &estate(None, marked), now(5_000)).is_ok());
}

#[test]
fn what_is_said_needs_a_reason_an_end_to_come_and_an_operation_to_be_about() {
    let because = |why: &str| Because {
        who: "dave".into(),
        seat: "d@b".into(),
        why: why.into(),
    };
    let said = |wanted, why: &str, service| {
        check(wanted, &because(why), &estate(None, service), now(5_000))
    };
    let refused = said(Wanted::Hold, " ", service(None)).unwrap_err();
    assert!(refused.why.contains("needs a reason"), "{}", refused.why);
    let over = Wanted::Extend(now(0).wall);
    let refused = said(over, "x", service(None)).unwrap_err();
    assert!(refused.why.contains("is over"), "{}", refused.why);
    let unmarked = Service {
        marks: labels(&[]),
        ..service(None)
    };
    let refused = said(Wanted::Hold, "x", unmarked).unwrap_err();
    assert!(refused.why.contains("no operation"), "{}", refused.why);
    let draft = said(Wanted::Hold, "x", service(None)).unwrap();
    assert_eq!(
        (draft.colour.as_str(), draft.after.operation.as_str()),
        ("blue", "op")
    );
}

#[test]
fn i_47_what_was_confirmed_of_one_colour_is_not_said_of_another() {
    let because = Because {
        who: "dave".into(),
        seat: "d@b".into(),
        why: "x".into(),
    };
    let drafted = |service| {
        check(
            Wanted::Release,
            &because,
            &estate(None, service),
            now(5_000),
        )
        .unwrap()
    };
    let shown = drafted(service(None)).stands_on();
    assert!(drafted(service(None)).as_shown(&shown).is_ok());
    // A colleague cut over to BLUE meanwhile: now GREEN is idle.
    let moved = Service {
        selector: labels(&[("version", "blue")]),
        marks: labels(&[(
            marks::FLIP,
            r#"{"at":"2026-11-27T14:30:00Z","by":"bo","from":"green","to":"blue","what":"cutover","why":null,"operation":"next","images":[]}"#,
        )]),
        ..service(None)
    };
    let refused = drafted(moved).as_shown(&shown).unwrap_err();
    assert!(
        refused.contains("now it is GREEN, left by next"),
        "{refused}"
    );
    // Somebody holds it meanwhile.
    let held = drafted(service(Some((Keep::Held, "op")))).as_shown(&shown);
    assert!(held.unwrap_err().contains("held by dave: a demo"));
}
