//! A scripted API server on loopback: says exactly the bytes that a test wants said, or nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub head: String,
    pub body: String,
    /// Which request of its kind this is (same path, watch or not), from 1.
    pub count: usize,
}

impl Asked {
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }
    /// Whether it lists `plural`.
    pub fn lists(&self, plural: &str) -> bool {
        !self.is_watch() && self.path.ends_with(&format!("/{plural}"))
    }
    pub fn watches(&self, plural: &str) -> bool {
        self.is_watch() && self.path.ends_with(&format!("/{plural}"))
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// What to say.
pub enum Answer {
    /// Status, extra header lines, body.
    Full(u16, &'static str, String),
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// A watch: these lines, then silence on an open connection.
    Lines(Vec<String>),
    /// A watch: these lines, then a clean end.
    EndedLines(Vec<String>),
    /// These bytes again and again.
    Endless(&'static str, Vec<u8>),
    /// These bytes, then silence on an open connection.
    Stalled(Vec<u8>),
    /// Nothing, on an open connection.
    Silence,
}

pub fn json(body: impl ToString) -> Answer {
    Answer::Full(200, "", body.to_string())
}

/// A refusal with a `Status`.
pub fn refused(code: u16, message: &str) -> Answer {
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message});
    Answer::Full(code, "", status.to_string())
}

/// A list of `items`.
pub fn list(version: &str, items: &[serde_json::Value]) -> Answer {
    json(
        serde_json::json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}),
    )
}

/// A watch event line.
pub fn event(kind: &str, object: &serde_json::Value) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

/// What an untroubled, empty namespace answers.
pub fn calm(asked: &Asked) -> Answer {
    if asked.path == "/version" {
        json(r#"{"major":"1","minor":"37","gitVersion":"v1.37.2"}"#)
    } else if asked.is_watch() {
        Answer::Lines(Vec::new())
    } else {
        list("100", &[])
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), asked.clone());
        tokio::spawn(async move {
            let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen, counts) = (script.clone(), seen.clone(), counts.clone());
                tokio::spawn(async move {
                    let _ = converse(stream, &*script, &seen, &counts).await;
                });
            }
        });
        Self { url, asked }
    }

    /// How many requests `is` holds of.
    pub fn count(&self, is: impl Fn(&Asked) -> bool) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| is(a)).count()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    script: &Script,
    seen: &Mutex<Vec<Asked>>,
    counts: &Mutex<HashMap<String, usize>>,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end);
        let size = (head.lines())
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0);
        while read.len() < size {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        let body = String::from_utf8_lossy(&read[..size]).into_owned();
        read.drain(..size);
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut asked = Asked {
            method,
            path: path.into(),
            query: query.into(),
            head: head.clone(),
            body,
            count: 0,
        };
        let key = format!("{path} {}", asked.is_watch());
        asked.count = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(key).or_default();
            *count += 1;
            *count
        };
        seen.lock().unwrap().push(asked.clone());
        if !say(&mut stream, script(&asked)).await? {
            return Ok(());
        }
    }
}

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Says it. Returns whether the connection can be used again.
async fn say(stream: &mut TcpStream, answer: Answer) -> std::io::Result<bool> {
    match answer {
        Answer::Full(status, headers, body) => {
            let kind = if headers.to_lowercase().contains("content-type") {
                ""
            } else {
                "Content-Type: application/json\r\n"
            };
            let head = format!(
                "HTTP/1.1 {status} Said\r\n{kind}{headers}Date: Mon, 23 Nov 2026 20:00:00 GMT\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
            Ok(true)
        }
        Answer::Raw(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
            Ok(false)
        }
        Answer::Lines(lines) => {
            stream.write_all(STREAM.as_bytes()).await?;
            chunk(stream, &lines).await?;
            hold(stream).await
        }
        Answer::EndedLines(lines) => {
            stream.write_all(STREAM.as_bytes()).await?;
            chunk(stream, &lines).await?;
            stream.write_all(b"0\r\n\r\n").await?;
            Ok(true)
        }
        Answer::Endless(head, bytes) => {
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&bytes).await?;
            }
        }
        Answer::Stalled(bytes) => {
            stream.write_all(&bytes).await?;
            hold(stream).await
        }
        Answer::Silence => hold(stream).await,
    }
}

async fn chunk(stream: &mut TcpStream, lines: &[String]) -> std::io::Result<()> {
    for line in lines {
        let size = format!("{:x}\r\n", line.len());
        stream.write_all(size.as_bytes()).await?;
        stream.write_all(line.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
    }
    stream.flush().await
}

/// Until the client goes.
async fn hold(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(false)
}

/// Waits until `is` holds, for ten seconds at most.
pub async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(tokio::time::Instant::now() < limit, "never: {what}");
        tokio::task::yield_now().await;
    }
}
