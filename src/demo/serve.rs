//! The estate on a loopback port, and the ways into it.

use super::estate::Estate;
use super::{Fault, Options, router};
use jiff::Timestamp;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Duration;

/// An estate that is being served; dropping it leaves the server running.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The bearer token of `demo-operator`, who may do everything.
    pub operator_token: String,
    /// The bearer token of `demo-viewer`, who may read.
    pub viewer_token: String,
    estate: Estate,
    server: JoinHandle<()>,
}

/// Serves a new estate on 127.0.0.1.
pub async fn serve(options: Options) -> Result<Serving, Fault> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let bind = |source| Fault::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let estate = Estate::new(&options, Timestamp::now())?;
    let away = estate.with(|world| world.faults.away());
    let gate = Gate {
        listener: Some(listener),
        addr,
        estate: estate.clone(),
        away,
    };
    let server = tokio::spawn(run(estate.clone(), gate, options.idle_exit));
    let (operator_token, viewer_token) = (
        estate.operator_token().to_owned(),
        estate.viewer_token().to_owned(),
    );
    Ok(Serving {
        addr,
        operator_token,
        viewer_token,
        estate,
        server,
    })
}

async fn run(estate: Estate, gate: Gate, idle: Option<Duration>) {
    let server = axum::serve(gate, router(&estate));
    tokio::select! {
        () = estate.over(idle) => {}
        () = estate.clone().drive() => {}
        // `axum::serve` never ends by itself.
        _ = server.into_future() => {}
    }
}

impl Serving {
    /// The base of GitHub's REST API; its token is `demo-github`.
    pub fn github_url(&self) -> String {
        format!("http://{}/github", self.addr)
    }

    /// The token that the estate's GitHub takes.
    pub fn github_token(&self) -> &'static str {
        super::github::TOKEN
    }

    /// The base of Prometheus' API.
    pub fn prometheus_url(&self) -> String {
        format!("http://{}/prometheus", self.addr)
    }

    /// The base of Alertmanager's API.
    pub fn alertmanager_url(&self) -> String {
        format!("http://{}/alertmanager", self.addr)
    }

    /// Ends when the estate ends: when told to quit, or after the idle time of its options.
    pub async fn finished(self) {
        // A server that panicked is finished too.
        let _ = self.server.await;
    }

    /// Ends the estate; connections end with it.
    pub fn stop(&self) {
        self.estate.quit();
    }

    /// The estate behind it.
    pub fn estate(&self) -> &Estate {
        &self.estate
    }

    /// A kubeconfig with the contexts `prod-eu`, `staging-eu` and `dev-eu` for `demo-operator`.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(
            &format!("http://{}", self.addr),
            "demo-operator",
            &self.operator_token,
        )
    }

    /// The same for `demo-manager`, a second person; their URL says who they are.
    pub fn manager_kubeconfig(&self) -> String {
        let server = format!("http://{}/as/demo-manager", self.addr);
        kubeconfig(&server, "demo-manager", "")
    }

    /// As [`Serving::kubeconfig`], for `demo-viewer`; its URL says so too, for clients that send no
    /// token without TLS.
    pub fn viewer_kubeconfig(&self) -> String {
        kubeconfig(
            &format!("http://{}/as/demo-viewer", self.addr),
            "demo-viewer",
            &self.viewer_token,
        )
    }
}

fn kubeconfig(server: &str, user: &str, token: &str) -> String {
    let places = [
        ("prod-eu", "production"),
        ("staging-eu", "staging"),
        ("dev-eu", "development"),
    ];
    let clusters: String = places
        .iter()
        .map(|(name, _)| format!("- name: {name}\n  cluster:\n    server: {server}\n"))
        .collect();
    let contexts: String = places
        .iter()
        .map(|(name, namespace)| {
            format!("- name: {name}\n  context:\n    cluster: {name}\n    namespace: {namespace}\n    user: {user}\n")
        })
        .collect();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod-eu\nclusters:\n{clusters}contexts:\n{contexts}\
         users:\n- name: {user}\n  user:\n    token: {token}\n"
    )
}

/// The door to the server: closed, so that connections are refused, while the API is away.
struct Gate {
    listener: Option<TcpListener>,
    addr: SocketAddr,
    estate: Estate,
    away: watch::Receiver<i64>,
}

impl Gate {
    fn away_until(&mut self) -> Option<i64> {
        let until = *self.away.borrow_and_update();
        Some(until).filter(|until| *until > self.estate.clock().now())
    }

    async fn wait(&mut self, until: i64) {
        let back = self.estate.clock().instant(until);
        tokio::select! {
            () = tokio::time::sleep_until(back) => {}
            _ = self.away.changed() => {}
        }
    }
}

impl axum::serve::Listener for Gate {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            if let Some(until) = self.away_until() {
                self.listener = None;
                self.wait(until).await;
                continue;
            }
            if self.listener.is_none() {
                self.listener = TcpListener::bind(self.addr).await.ok();
            }
            let Some(listener) = &self.listener else {
                // Somebody else has the port for now.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            tokio::select! {
                _ = self.away.changed() => {}
                accepted = listener.accept() => if let Ok((stream, peer)) = accepted {
                    // Small answers must not wait for each other; a socket that cannot say so still works.
                    let _ = stream.set_nodelay(true);
                    let line = Line { stream, away: self.away.clone(), estate: self.estate.clone() };
                    return (line, peer);
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

/// A connection that breaks as soon as the API is away.
struct Line {
    stream: TcpStream,
    away: watch::Receiver<i64>,
    estate: Estate,
}

impl Line {
    fn check(&self) -> io::Result<()> {
        if self.estate.clock().now() < *self.away.borrow() {
            Err(super::stream::reset())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
