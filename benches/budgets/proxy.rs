//! A TCP proxy that counts what the API server sends, and can hang in its place or follow a log that never rests.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A way to a server over which every byte is counted. It ends with the process.
pub struct Proxy {
    pub addr: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    received: AtomicU64,
    hangs: AtomicBool,
    /// Lines a second of every log that is followed; 0: the server's own.
    lines: AtomicU64,
}

impl Proxy {
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let all = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let both = client
                    .try_clone()
                    .and_then(|c| Ok((c, server.try_clone()?)));
                let Ok((back, to)) = both else { continue };
                let seen = Arc::clone(&all);
                thread::spawn(move || asks(client, to, &seen));
                let seen = Arc::clone(&all);
                thread::spawn(move || answers(server, back, &seen));
            }
        });
        Self { addr, seen }
    }

    /// Bytes that the server sent so far, heads of answers included.
    pub fn received(&self) -> u64 {
        self.seen.received.load(Ordering::Relaxed)
    }

    /// From now on nothing that the server says arrives, or everything does again.
    pub fn hang(&self, hangs: bool) {
        self.seen.hangs.store(hangs, Ordering::Relaxed);
    }

    /// From now on every log that is followed has so many lines a second.
    pub fn flood(&self, lines: u64) {
        self.seen.lines.store(lines, Ordering::Relaxed);
    }
}

fn asks(mut from: TcpStream, mut to: TcpStream, seen: &Seen) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let lines = seen.lines.load(Ordering::Relaxed);
        // A request comes in one piece, and the next one behind its answer only.
        if lines > 0 && is_of_a_log(&buffer[..n]) {
            flood(from, lines);
            break;
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn answers(mut from: TcpStream, mut to: TcpStream, seen: &Seen) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        while seen.hangs.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
        seen.received.fetch_add(n as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn is_of_a_log(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    line.starts_with("GET ") && line.contains("/log?") && line.contains("follow=true")
}

/// An answer without end, of so many lines a second in ten pieces.
fn flood(mut to: TcpStream, lines: u64) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut said = to.write_all(head.as_bytes());
    for beat in 0_u64.. {
        if said.is_err() {
            break;
        }
        let first = beat * lines / 10;
        let text: String = (first..(beat + 1) * lines / 10)
            .map(|line| {
                format!(
                    "INFO request {line:08} GET /api/wall 200 in {} ms, user {:x}\n",
                    line % 97,
                    line * 7919
                )
            })
            .collect();
        said = to.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
        thread::sleep(Duration::from_millis(100));
    }
}
