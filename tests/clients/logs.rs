//! A container's log.

use futures::StreamExt as _;
use wheelhouse::clients::kubernetes::logs;
use wheelhouse::estate::{FaultKind, LogChunk, LogTarget};

use super::cockpit::{LIMIT, connect};
use super::server::{Answer, Server, refused};

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
