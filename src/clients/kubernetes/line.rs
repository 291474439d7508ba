//! The line to one API server: every request passes here, so that credential, connections and
//! limits are looked after in one place.
//!
//! kube's client is rebuilt underneath when its credential ends or is refused, and watches know
//! nothing of it: they keep their place and do not list again.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use kube::client::{Body, ClientBuilder};
use kube::config::AuthInfo;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tower::BoxError;

use super::body::{Cut, Expect, Guarded, in_kubes_words};
use super::exec::Credential;
use super::fault::{self, Trouble};
use super::kubeconfig::{Loaded, config_fault, load};
use super::peer::Server;
use super::purpose::{Purpose, copy};
use super::{Limits, Target, exec};
use crate::estate::{Fault, FaultKind, Kind};

/// A credential that ends this soon is renewed before use.
const MARGIN: i64 = 60;
/// A plugin that gives what it gave before, although that ends soon, or nothing, is not asked again sooner: some give what
/// they keep until seconds before its end.
const AGAIN: Duration = Duration::from_secs(10);
/// How long the first that asks waits for another credential while one is valid: as long as most plugins need. Whoever
/// comes later looks whether it came, and waits no more.
const PATIENCE: Duration = Duration::from_secs(1);
/// A refused credential is fetched again at once, but not more often than this.
const RENEWAL: Duration = Duration::from_secs(30);
/// A failed attempt to get a credential answers for all who ask so soon after it.
const FAILURE: Duration = Duration::from_secs(15);
/// Bytes read of a refusal.
const REFUSAL: usize = 1 << 20;
/// The longest that a server may make us wait by Retry-After.
const LONGEST_HOLD: Duration = Duration::from_secs(120);

/// The line.
pub(super) struct Line {
    way: Way,
    pub(super) limits: Limits,
    host: StdMutex<String>,
    state: Mutex<State>,
    /// What serves while another credential is got, and until when.
    spare: StdMutex<Option<(kube::Client, u64, Timestamp)>>,
    /// Counts, for each kind, the watches that the server accepted.
    opened: [watch::Sender<u64>; Kind::ALL.len()],
    /// Counts the calls of [`Line::cut`].
    cuts: watch::Sender<u64>,
    /// Reads wait until then, because the server said so.
    hold: StdMutex<Option<Instant>>,
    /// They do not: they are a rollback's.
    is_urgent: AtomicBool,
}

/// The way to the server.
enum Way {
    /// By a kubeconfig, which is read again whenever the credential is renewed.
    Kubeconfig(Target),
    /// Through a service that somebody else made.
    Given(kube::Client),
}

/// Another credential that is being got. It is kept, not given up, when nobody waits for it.
type Pending = Pin<Box<dyn Future<Output = Result<Built, Fault>> + Send>>;

#[derive(Default)]
struct State {
    built: Option<Built>,
    pending: Option<Pending>,
    serial: u64,
    /// The server refused the credential, and no new one was got since.
    refused: bool,
    renewed: Option<Instant>,
    failed: Option<(Instant, Fault)>,
}

#[derive(Clone)]
struct Built {
    client: kube::Client,
    /// What it was built of; none where it was given.
    config: Option<kube::Config>,
    /// The plugin that gave the credential.
    plugin: Option<String>,
    /// What it gave.
    credential: Credential,
    /// The plugin gave the same once more, or has not given another yet, and is not asked before.
    next: Option<Instant>,
}

impl Built {
    /// Whether another credential is to be got before it is used.
    fn is_due(&self) -> bool {
        let soon = Timestamp::now().as_second() + MARGIN;
        let ends = self.credential.expires;
        let is_ending = ends.is_some_and(|at| at.as_second() <= soon);
        is_ending && self.next.is_none_or(|at| at <= Instant::now())
    }
}

impl Line {
    pub(super) async fn open(target: Target, limits: Limits) -> Result<Self, Fault> {
        let line = Self::new(Way::Kubeconfig(target), limits, String::new());
        line.ready().await?;
        Ok(line)
    }

    /// Through what was given, which needs no credential.
    pub(super) fn over(client: kube::Client) -> Self {
        Self::new(
            Way::Given(client),
            Limits::default(),
            "in-process".to_owned(),
        )
    }

    fn new(way: Way, limits: Limits, host: String) -> Self {
        Self {
            way,
            limits,
            host: StdMutex::new(host),
            state: Mutex::default(),
            spare: StdMutex::default(),
            opened: std::array::from_fn(|_| watch::Sender::new(0)),
            cuts: watch::Sender::new(0),
            hold: StdMutex::default(),
            is_urgent: AtomicBool::new(false),
        }
    }

    /// Host and port.
    pub(super) fn host(&self) -> String {
        self.host
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes sure that there is a client with a valid credential.
    pub(super) async fn ready(&self) -> Result<(), Fault> {
        self.current().await.map(|_| ())
    }

    /// Tells when the server accepts a watch of `kind`.
    pub(super) fn openings(&self, kind: Kind) -> watch::Receiver<u64> {
        self.opened[kind as usize].subscribe()
    }

    /// Tells when open watches and logs are cut.
    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// Ends every open watch and every log that is read cleanly.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|n| *n += 1);
    }

    /// Starts a new pool of connections with the same credential.
    pub(super) async fn drop_connections(&self) {
        let mut state = self.state.lock().await;
        if let Some(built) = &mut state.built
            && let Some(config) = &built.config
            && let Ok(client) = client_of(config.clone()).await
        {
            built.client = client;
        }
    }

    /// What the kubeconfig or its plugin gave to show who one is, the plugin, and until when it said.
    pub(super) async fn credential(&self) -> Option<(AuthInfo, Option<String>, Option<Timestamp>)> {
        let state = self.state.lock().await;
        let built = state.built.as_ref()?;
        let auth = built.config.as_ref()?.auth_info.clone();
        Some((auth, built.plugin.clone(), built.credential.expires))
    }

    /// Where the server is; none without TLS, or behind a proxy.
    pub(super) async fn server(&self) -> Option<Server> {
        let state = self.state.lock().await;
        let config = state.built.as_ref()?.config.as_ref()?;
        let url = &config.cluster_url;
        let is_direct = url.scheme_str() == Some("https") && config.proxy_url.is_none();
        let host = url.host().filter(|_| is_direct)?.trim_matches(['[', ']']);
        Some(Server {
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(443),
            name: (config.tls_server_name.clone()).unwrap_or_else(|| host.to_owned()),
        })
    }

    async fn current(&self) -> Result<(kube::Client, u64), Fault> {
        let mut state = match (self.state.try_lock(), self.spare()) {
            (Ok(state), _) => state,
            (Err(_), Some(spare)) => return Ok(spare),
            (Err(_), None) => self.state.lock().await,
        };
        match &state.built {
            Some(built) if !state.refused && !built.is_due() => {
                Ok((built.client.clone(), state.serial))
            }
            _ => self.renew(&mut state).await,
        }
    }

    /// A new client in place of the one of `serial`, whose credential was refused; none if that was
    /// tried just now.
    async fn replace(&self, serial: u64) -> Result<Option<kube::Client>, Fault> {
        let mut state = self.state.lock().await;
        if state.serial == serial {
            if (state.renewed).is_some_and(|at| at.elapsed() < RENEWAL) {
                return Ok(None);
            }
            // Whoever asks next goes on with it, should this one be given up on half-way.
            state.refused = true;
            // What was asked for before may be the same again.
            state.pending = None;
            state.renewed = Some(Instant::now());
            return self.renew(&mut state).await.map(|(client, _)| Some(client));
        }
        Ok(state.built.as_ref().map(|built| built.client.clone()))
    }

    fn spare(&self) -> Option<(kube::Client, u64)> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, serial, until) = spare.as_ref()?;
        (*until > Timestamp::now()).then(|| (client.clone(), *serial))
    }

    /// A client with another credential. One that is valid still serves where there is no other, and while it is got: no
    /// rollback waits for a plugin that hangs a minute before its time (SAFETY, rule 9).
    async fn renew(&self, state: &mut State) -> Result<(kube::Client, u64), Fault> {
        if let Some((at, fault)) = &state.failed
            && at.elapsed() < FAILURE
        {
            return Err(fault.clone());
        }
        let before = state.built.as_ref().filter(|_| !state.refused);
        let spare = before.and_then(|built| {
            let until = (built.credential.expires).filter(|at| *at > Timestamp::now())?;
            Some((built.client.clone(), state.serial, until))
        });
        let limit = match (&spare, &state.pending) {
            (None, _) => Duration::MAX,
            (Some(_), None) => PATIENCE,
            (Some(_), Some(_)) => Duration::ZERO,
        };
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = spare;
        let pending = (state.pending.take()).unwrap_or_else(|| self.build(before.cloned()));
        let pending = state.pending.insert(pending);
        let built = match (timeout(limit, &mut *pending).await, self.spare()) {
            (Ok(built), _) => built,
            (Err(_), Some(spare)) => return Ok(spare),
            // It ended meanwhile.
            (Err(_), None) => pending.await,
        };
        let spare = self.spare();
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = None;
        state.pending = None;
        match built {
            Ok(built) => {
                let client = built.client.clone();
                let config = built.config.as_ref();
                if let Some(authority) = config.and_then(|it| it.cluster_url.authority()) {
                    *self.host.lock().unwrap_or_else(PoisonError::into_inner) =
                        authority.to_string();
                }
                // What is the same has the same number: a 401 to it is answered by a refresh.
                state.serial += u64::from(built.next.is_none());
                state.built = Some(built);
                state.refused = false;
                state.failed = None;
                Ok((client, state.serial))
            }
            Err(fault) => match (spare, &mut state.built) {
                (Some(spare), Some(built)) => {
                    tracing::warn!(%fault.what, "the credential is not renewed yet");
                    built.next = Some(Instant::now() + AGAIN);
                    Ok(spare)
                }
                _ => {
                    state.failed = Some((Instant::now(), fault.clone()));
                    Err(fault)
                }
            },
        }
    }

    /// A client with a new credential; the one of `before`, with its connections, where there is no other.
    fn build(&self, before: Option<Built>) -> Pending {
        match &self.way {
            Way::Kubeconfig(target) => Box::pin(of_kubeconfig(target.clone(), self.limits, before)),
            Way::Given(client) => Box::pin(std::future::ready(Ok(Built {
                client: client.clone(),
                config: None,
                plugin: None,
                credential: Credential::default(),
                next: None,
            }))),
        }
    }

    /// Carries one request to the server and guards the reply.
    async fn carry(&self, request: Request<Body>) -> Result<Response<Guarded>, BoxError> {
        let purpose = Purpose::of(&request);
        if purpose != Purpose::Other {
            tokio::time::sleep_until(self.held()).await;
        }
        let cut = self.cut_of(&purpose);
        let again = copy(&request);
        let (client, serial) = self.current().await.map_err(Trouble)?;
        let mut response = self.send(&client, request).await?;
        if response.status() == StatusCode::UNAUTHORIZED
            && purpose != Purpose::Proxied
            && let Some(request) = again
            && let Some(client) = self.replace(serial).await.map_err(login)?
        {
            response = self.send(&client, request).await?;
        }
        self.note(&purpose, &response);
        let is_refused = response.status().is_client_error() || response.status().is_server_error();
        let guarded = self.guard(&purpose, response, cut)?;
        if is_refused {
            in_kubes_words(guarded).await
        } else {
            Ok(guarded)
        }
    }

    async fn send(
        &self,
        client: &kube::Client,
        request: Request<Body>,
    ) -> Result<Response<Body>, BoxError> {
        let limit = self.limits.head;
        match timeout(limit, client.send(request)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Trouble(fault::slow(&self.host(), limit)).into()),
        }
    }

    /// Has no read wait from here on, whatever the server asks: a rollback is not in its own way (SAFETY, rule 9).
    pub(super) fn urge(&self) {
        self.is_urgent.store(true, Ordering::Relaxed);
    }

    /// Whether a read can be sent within `limit`, as far as the server has not asked to wait for longer.
    pub(super) fn admit(&self, limit: Duration) -> Result<(), Fault> {
        let left = self.held().saturating_duration_since(Instant::now());
        if left < limit || left.is_zero() {
            return Ok(());
        }
        let (host, seconds) = (self.host(), left.as_secs().max(1));
        let what = format_args!("{host} is overloaded and asked to wait: {seconds} s more");
        Err(fault::words(FaultKind::Busy, what))
    }

    /// When reads may go on.
    fn held(&self) -> Instant {
        let held = *self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        let is_urgent = self.is_urgent.load(Ordering::Relaxed);
        held.filter(|_| !is_urgent).unwrap_or_else(Instant::now)
    }

    fn cut_of(&self, purpose: &Purpose) -> Option<Cut> {
        let mut cuts = self.cuts();
        match purpose {
            // An error means that the line is gone: then nobody reads any more, either.
            Purpose::Watch(_) | Purpose::Log => Some(Box::pin(async move {
                let _ = cuts.changed().await;
            })),
            Purpose::Read | Purpose::Proxied | Purpose::Other => None,
        }
    }

    fn note(&self, purpose: &Purpose, response: &Response<Body>) {
        match (purpose, response.status()) {
            // What stands behind a Service may be busy while the API server is not.
            (Purpose::Proxied, _) => {}
            (Purpose::Watch(Some(kind)), status) if status.is_success() => {
                self.opened[*kind as usize].send_modify(|n| *n += 1);
            }
            (_, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                let seconds = (response.headers().get(http::header::RETRY_AFTER))
                    .and_then(|value| value.to_str().ok()?.trim().parse().ok());
                if let Some(seconds) = seconds {
                    let pause = Duration::from_secs(seconds).min(LONGEST_HOLD);
                    *(self.hold.lock()).unwrap_or_else(PoisonError::into_inner) =
                        Some(Instant::now() + pause);
                }
            }
            _ => {}
        }
    }

    fn guard(
        &self,
        purpose: &Purpose,
        response: Response<Body>,
        cut: Option<Cut>,
    ) -> Result<Response<Guarded>, BoxError> {
        let (host, limits, status) = (self.host(), &self.limits, response.status());
        let is_page = (response.headers().get(http::header::CONTENT_TYPE))
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().starts_with("text/html"));
        if status.is_success() && is_page {
            return Err(Trouble(fault::web_page(&host, status.as_u16())).into());
        }
        let is_stream = status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS;
        let expect = match purpose {
            Purpose::Watch(_) if is_stream => Expect::Lines {
                size: limits.line,
                too_large: fault::too_large(&host, limits.line),
            },
            Purpose::Log if is_stream => Expect::Anything,
            _ if status == StatusCode::SWITCHING_PROTOCOLS => Expect::Anything,
            _ => {
                let size = if is_stream {
                    limits.body
                } else {
                    limits.body.min(REFUSAL)
                };
                Expect::Document {
                    size,
                    idle: limits.idle,
                    too_large: fault::too_large(&host, size),
                    too_slow: fault::slow(&host, limits.idle),
                }
            }
        };
        Ok(response.map(|body| Guarded::new(body, expect, cut)))
    }
}

/// Whatever keeps a refused credential from being renewed, the request was refused for want of a login.
fn login(fault: Fault) -> Trouble {
    Trouble(Fault {
        kind: FaultKind::LoginNeeded,
        ..fault
    })
}

/// A client with what the kubeconfig or its plugin gives; that of `before` where it is the same.
async fn of_kubeconfig(
    target: Target,
    limits: Limits,
    before: Option<Built>,
) -> Result<Built, Fault> {
    let read = tokio::task::spawn_blocking(move || load(&target, &limits));
    let Loaded { mut config, plugin } = (timeout(limits.plugin, read).await)
        .map_err(|_| fault::words(FaultKind::Config, "the kubeconfig cannot be read in time"))?
        .map_err(|e| fault::words(FaultKind::Stopped, e))??;
    let mut credential = Credential::default();
    let name = plugin.as_ref().and_then(|plugin| plugin.command.clone());
    if let Some(plugin) = plugin {
        credential = exec::run(&plugin, limits.plugin).await?;
        if let Some(before) = before.filter(|before| before.credential == credential) {
            return Ok(Built {
                next: Some(Instant::now() + AGAIN),
                ..before
            });
        }
        put(&mut config, credential.clone());
    }
    let client = client_of(config.clone()).await?;
    Ok(Built {
        client,
        config: Some(config),
        plugin: name,
        credential,
        next: None,
    })
}

fn put(config: &mut kube::Config, credential: Credential) {
    if let Some((certificate, key)) = credential.certificate {
        let encode = |pem: String| base64::engine::general_purpose::STANDARD.encode(pem);
        config.auth_info.client_certificate_data = Some(encode(certificate));
        config.auth_info.client_key_data = Some(encode(key).into());
    }
    config.auth_info.token = credential.token.map(|token| token.trim().to_owned().into());
}

/// Builds kube's client; it may read the system's certificates: not on a worker thread.
async fn client_of(config: kube::Config) -> Result<kube::Client, Fault> {
    let build = move || ClientBuilder::try_from(config).map(ClientBuilder::build);
    match tokio::task::spawn_blocking(build).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(kube::Error::Service(e))) => Err(fault::words(FaultKind::Config, e)),
        Ok(Err(e)) => Err(config_fault(e)),
        Err(e) => Err(fault::words(FaultKind::Stopped, e)),
    }
}

/// The line as the service under a kube client.
#[derive(Clone)]
pub(super) struct Carrier(pub(super) Arc<Line>);

impl tower::Service<Request<Body>> for Carrier {
    type Response = Response<Guarded>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = self.0.clone();
        Box::pin(async move { line.carry(request).await })
    }
}
