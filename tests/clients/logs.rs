//! A container's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use wheelhouse::clients::kubernetes::{Cluster, Limits, logs};
use wheelhouse::estate::{FaultKind, LogChunk, LogTarget};

use super::cockpit::{Kubeconfig, LIMIT, TOKEN, connect};
use super::server::{Answer, Server, calm, refused};

fn target(previous: bool) -> LogTarget {
    LogTarget {
        pod: "web-1".into(),
        container: "web".into(),
        previous,
    }
}

async fn read(
    answer: impl Fn() -> Answer + Send + Sync + 'static,
    previous: bool,
) -> (Vec<String>, LogChunk, String) {
    let server = Server::start(move |_| answer()).await;
    let mut chunks = logs(&connect(&server.url).await, &target(previous));
    let mut lines = Vec::new();
    loop {
        let chunk = tokio::time::timeout(LIMIT, chunks.next())
            .await
            .unwrap()
            .unwrap();
        match chunk {
            LogChunk::Lines(more) => lines.extend(more.iter().map(ToString::to_string)),
            LogChunk::Note(note) => panic!("a note: {note}"),
            ended @ LogChunk::Ended(_) => {
                assert!(chunks.next().await.is_none());
                return (lines, ended, server.asked()[0].query.clone());
            }
        }
    }
}

#[tokio::test]
async fn a_log_is_followed_from_its_last_lines() {
    let log = || {
        Answer::EndedLines(vec![
            "one\ntw".into(),
            "o\n\u{1b}[31mred\n".into(),
            "no line break".into(),
        ])
    };
    let (lines, ended, query) = read(log, false).await;
    assert_eq!(lines, ["one", "two", "red", "no line break"]);
    assert_eq!(ended, LogChunk::Ended(None));
    for part in ["container=web", "follow=true", "tailLines=500"] {
        assert!(query.contains(part), "{part} in {query}");
    }
}

#[tokio::test]
async fn the_previous_runs_log_is_not_followed() {
    let (lines, _, query) = read(|| Answer::EndedLines(vec!["last words\n".into()]), true).await;
    assert_eq!(lines, ["last words"]);
    assert!(
        query.contains("previous=true") && !query.contains("follow=true"),
        "{query}"
    );
}

#[tokio::test]
async fn nothing_is_asked_for_a_pod_whose_name_is_none() {
    let server = Server::start(|_| Answer::EndedLines(vec!["secret\n".into()])).await;
    let cluster = connect(&server.url).await;
    for name in ["../secrets/x?", "", ".."] {
        let target = LogTarget {
            pod: name.into(),
            ..target(false)
        };
        let mut chunks = logs(&cluster, &target);
        let LogChunk::Ended(Some(why)) = next(&mut chunks).await else {
            panic!("{name:?} was asked for");
        };
        assert_eq!(why.kind, FaultKind::Config, "{name:?}");
        assert!(chunks.next().await.is_none());
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[tokio::test]
async fn a_line_of_64_mebibytes_is_cut_while_it_is_read() {
    let log = || {
        Answer::EndedLines(
            std::iter::repeat_n("x".repeat(1 << 20), 64)
                .chain(["\nnext\n".into()])
                .collect(),
        )
    };
    let (lines, ..) = read(log, false).await;
    assert_eq!(lines.len(), 2);
    assert!(lines[0].len() <= 4096 && lines[0].ends_with('…'));
    assert_eq!(lines[1], "next");
}

/// The next chunk of a log, which must not keep one waiting.
async fn next(chunks: &mut (impl futures::Stream<Item = LogChunk> + Unpin)) -> LogChunk {
    let chunk = tokio::time::timeout(LIMIT, chunks.next()).await;
    chunk.expect("the log hangs").expect("the log is over")
}

fn lines(chunk: &LogChunk) -> Vec<&str> {
    match chunk {
        LogChunk::Lines(lines) => lines.iter().map(|line| line.as_str()).collect(),
        LogChunk::Note(_) | LogChunk::Ended(_) => panic!("{chunk:?}"),
    }
}

/// A server with a log of these lines, then of those when it is asked for again; each time it says no more on an open
/// connection. While `silent` no pulse is answered.
async fn dying(
    silent: &Arc<AtomicBool>,
    first: &'static str,
    again: Option<&'static str>,
) -> Server {
    let is_silent = silent.clone();
    Server::start(move |asked| match asked.path.ends_with("/log") {
        true if asked.count == 1 => Answer::Lines(vec![first.into()]),
        true => again.map_or_else(
            || refused(404, "pods \"web-1\" not found"),
            |again| Answer::Lines(vec![again.into()]),
        ),
        false if is_silent.load(Ordering::SeqCst) => Answer::Silence,
        false => calm(asked),
    })
    .await
}

/// As the source does it: a pulse fails, and a later one is answered.
async fn lost_and_found(cluster: &Cluster, silent: &AtomicBool) {
    silent.store(true, Ordering::SeqCst);
    cluster.pulse(Duration::from_millis(200)).await.unwrap_err();
    cluster.drop_connections().await;
    silent.store(false, Ordering::SeqCst);
    cluster.pulse(LIMIT).await.unwrap();
    cluster.resume_watches();
}

#[tokio::test]
async fn n02_a_log_whose_connection_died_in_silence_goes_on_where_it_stopped() {
    let silent = Arc::default();
    let first =
        "2026-11-23T20:00:00.5Z one\n2026-11-23T20:00:01.5Z two\n2026-11-23T20:00:01.7Z hal";
    let again =
        "2026-11-23T20:00:01.5Z two\n2026-11-23T20:00:01.7Z half\n2026-11-23T20:00:09Z three\n";
    let server = dying(&silent, first, Some(again)).await;
    let cluster = connect(&server.url).await;
    let mut chunks = logs(&cluster, &target(false));
    assert_eq!(lines(&next(&mut chunks).await), ["one", "two"]);
    lost_and_found(&cluster, &silent).await;
    assert_eq!(lines(&next(&mut chunks).await), ["half", "three"]);
    let asked = server.asked();
    let logs: Vec<_> = asked.iter().filter(|a| a.path.ends_with("/log")).collect();
    assert!(
        logs[1].query.contains("sinceTime=2026-11-23T20%3A00%3A01Z"),
        "{}",
        logs[1].query
    );
    assert!(!logs[1].query.contains("tailLines"), "{}", logs[1].query);
}

#[tokio::test]
async fn n02_a_log_that_cannot_go_on_says_that_it_broke_off() {
    for (first, words) in [
        (
            "2026-11-23T20:00:00.5Z one\n",
            "the log broke off: not there",
        ),
        ("one\n", "the log broke off: the connection to 127.0.0.1"),
    ] {
        let silent = Arc::default();
        let server = dying(&silent, first, None).await;
        let cluster = connect(&server.url).await;
        let mut chunks = logs(&cluster, &target(false));
        assert_eq!(lines(&next(&mut chunks).await), ["one"]);
        lost_and_found(&cluster, &silent).await;
        let LogChunk::Ended(Some(fault)) = next(&mut chunks).await else {
            panic!("{first}")
        };
        assert!(fault.what.starts_with(words), "{}", fault.what);
    }
}

/// Opens a log of which the answers are those, one after another, with a fifth of a second for each silence.
async fn quiet(answers: [Answer; 2]) -> (Server, Vec<String>) {
    let answers = std::sync::Mutex::new(Vec::from(answers));
    let server = Server::start(move |asked| match asked.path.ends_with("/log") {
        true => {
            let mut answers = answers.lock().unwrap();
            match answers.len() {
                0 => Answer::Silence,
                _ => answers.remove(0),
            }
        }
        false => calm(asked),
    })
    .await;
    let short = Duration::from_millis(200);
    let limits = Limits {
        head: short,
        quiet: short,
        ..Limits::default()
    };
    let kubeconfig = Kubeconfig::new(&server.url, TOKEN);
    let cluster = kubeconfig.connect_within(limits).await.unwrap();
    let mut chunks = logs(&cluster, &target(false));
    let mut told = Vec::new();
    while !told.iter().any(|line| line == "two") {
        told.extend(
            lines(&next(&mut chunks).await)
                .iter()
                .map(ToString::to_string),
        );
    }
    (server, told)
}

#[tokio::test]
async fn n02_a_log_whose_connection_alone_died_is_opened_anew_and_repeats_nothing() {
    let first = "2026-11-23T20:00:00.5Z one\n2026-11-23T20:00:01.5Z t";
    let again = "2026-11-23T20:00:00.5Z one\n2026-11-23T20:00:01.5Z two\n";
    let all = [first, again].map(|it| Answer::Lines(vec![it.into()]));
    let (server, told) = quiet(all).await;
    assert_eq!(told, ["one", "two"]);
    let asked = server.asked();
    let query = &asked.iter().filter(|a| a.path.ends_with("/log")).nth(1);
    assert!(
        query
            .unwrap()
            .query
            .contains("sinceTime=2026-11-23T20%3A00%3A00Z")
    );
}

#[tokio::test]
async fn a_log_of_which_the_kubelet_sends_nothing_yet_is_no_fault_of_the_api_server() {
    let later = Answer::Lines(vec!["2026-11-23T20:00:01.5Z two\n".into()]);
    let (_server, told) = quiet([Answer::Silence, later]).await;
    assert_eq!(told, ["two"]);
}

#[tokio::test]
async fn a_log_that_a_gateway_refuses_as_slow_is_not_asked_for_again() {
    // The server itself is well.
    let server = Server::start(|asked| match asked.path.ends_with("/log") {
        true => refused(504, "Gateway Timeout"),
        false => calm(asked),
    })
    .await;
    let mut chunks = logs(&connect(&server.url).await, &target(false));
    let LogChunk::Ended(Some(fault)) = next(&mut chunks).await else {
        panic!("it goes on")
    };
    assert_eq!(fault.kind, FaultKind::Slow);
}

#[tokio::test]
async fn a_log_that_breaks_off_or_is_refused_says_why() {
    let broken = || {
        Answer::Raw(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n40\r\nha".to_vec(),
        )
    };
    let (lines, ended, _) = read(broken, false).await;
    assert_eq!(lines, ["one", "ha"]);
    let LogChunk::Ended(Some(fault)) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    let (lines, ended, _) = read(
        || refused(400, "container \"web\" is waiting to start"),
        false,
    )
    .await;
    assert!(lines.is_empty());
    assert!(
        matches!(&ended, LogChunk::Ended(Some(f)) if f.what.contains("waiting to start")),
        "{ended:?}"
    );
}
