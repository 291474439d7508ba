//! A replica by its URL: reqwest, with the proxy, the authorities and the token of the configuration.

use std::error::Error;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Response};
use tokio::sync::Mutex;

use super::{BODY, Bearer, Reply, Target, refusal};
use crate::clients::kubernetes::{Proxies, ask::date, fault, for_reqwest, proxy_for};
use crate::clients::secret;
use crate::estate::{Fault, FaultKind};

/// To a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of a token's file.
const TOKEN: u64 = 64 << 10;

/// One replica by its URL. The client is built once for each token.
#[derive(Debug)]
pub(super) struct Direct {
    base: String,
    target: Target,
    built: Mutex<Option<(Option<String>, reqwest::Client)>>,
}

impl Direct {
    pub(super) fn new(url: &str, target: &Target) -> Self {
        Self {
            base: url.trim_end_matches('/').to_owned(),
            target: target.clone(),
            built: Mutex::default(),
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Host and port; a user's name in the URL is left out.
    pub(super) fn host(&self) -> String {
        let rest = self.base.split("://").nth(1).unwrap_or(&self.base);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        host.to_owned()
    }

    pub(super) async fn client(&self) -> Result<reqwest::Client, Fault> {
        let token = match &self.target.bearer {
            Some(bearer) => Some(token(bearer).await?),
            None => None,
        };
        let mut built = self.built.lock().await;
        if let Some((of, client)) = &*built
            && *of == token
        {
            return Ok(client.clone());
        }
        let (base, target, sent) = (self.base.clone(), self.target.clone(), token.clone());
        // It reads files, the system's certificates among them: not on a worker thread.
        let build = move || build(&base, &target, sent.as_deref());
        let client = (tokio::task::spawn_blocking(build).await)
            .map_err(|e| fault::words(FaultKind::Stopped, e))??;
        *built = Some((token, client.clone()));
        Ok(client)
    }
}

async fn token(bearer: &Bearer) -> Result<String, Fault> {
    let config = |what: String| fault::words(FaultKind::Config, what);
    let text = match bearer {
        Bearer::Env(name) => std::env::var(name)
            .map_err(|_| config(format!("the token's variable {name} is not set")))?,
        Bearer::File(path) => {
            let path = path.clone();
            let read = move || secret::file(&path, TOKEN);
            (tokio::task::spawn_blocking(read).await)
                .map_err(|e| fault::words(FaultKind::Stopped, e))??
        }
    };
    match text.trim() {
        "" => Err(config("the token is empty".to_owned())),
        token => Ok(token.to_owned()),
    }
}

fn build(base: &str, target: &Target, token: Option<&str>) -> Result<reqwest::Client, Fault> {
    let config = |what: String| fault::words(FaultKind::Config, what);
    // Both TLS users of the tree find the same provider; whoever comes second is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server: http::Uri =
        (base.parse()).map_err(|e| config(format!("the address {base:?} is no URL: {e}")))?;
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        // A login page elsewhere is no answer, and the token stays here.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("wheelhouse/", env!("CARGO_PKG_VERSION")));
    if let Some(uri) = proxy_for(&server, None, &Proxies::from_environment()).map_err(config)? {
        let proxy = reqwest::Proxy::all(for_reqwest(&uri));
        builder = builder.proxy(proxy.map_err(|e| config(e.to_string()))?);
    }
    builder = match (&target.ca_file, server.scheme_str()) {
        (Some(path), _) => builder.tls_certs_only(authorities(path)?),
        // Plain HTTP needs no authorities, and a small machine may have none.
        (None, Some("http")) => builder.tls_certs_only([]),
        (None, _) => builder,
    };
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| config("the token holds what no header may hold".to_owned()))?;
        value.set_sensitive(true);
        builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]));
    }
    (builder.build()).map_err(|e| config(format!("no HTTP client for {base:?}: {e}")))
}

fn authorities(path: &std::path::Path) -> Result<Vec<Certificate>, Fault> {
    let config = |e: &dyn std::fmt::Display| {
        let what = format_args!("the authorities in {}: {e}", path.display());
        fault::words(FaultKind::Config, what)
    };
    let pem = std::fs::read(path).map_err(|e| config(&e))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|e| config(&e))?;
    match found.is_empty() {
        true => Err(config(&"there is no certificate")),
        false => Ok(found),
    }
}

/// Reads a whole reply, within `limit` and [`BODY`].
pub(super) async fn take<E: Error + 'static>(
    host: &str,
    limit: Duration,
    sent: impl Future<Output = Result<Response, E>>,
) -> Result<Reply, Fault> {
    within(host, limit, sent, async |response| {
        let (reply, is_whole) = read(host, response, BODY).await?;
        match is_whole {
            true => Ok(reply),
            false => Err(fault::too_large(host, BODY)),
        }
    })
    .await
}

/// Reads a reply within `limit`, and no more than the first `most` bytes of its body; whether that is all of it.
pub(super) async fn beginning<E: Error + 'static>(
    host: &str,
    limit: Duration,
    most: usize,
    sent: impl Future<Output = Result<Response, E>>,
) -> Result<(Reply, bool), Fault> {
    within(host, limit, sent, async |response| {
        read(host, response, most).await
    })
    .await
}

async fn within<E: Error + 'static, T>(
    host: &str,
    limit: Duration,
    sent: impl Future<Output = Result<Response, E>>,
    read: impl AsyncFnOnce(Response) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let reading = async {
        let response = sent
            .await
            .map_err(|e| refusal::hint(fault::of_error(host, &e)))?;
        read(response).await
    };
    (tokio::time::timeout(limit, reading).await).unwrap_or_else(|_| Err(fault::slow(host, limit)))
}

/// A reply with no more than the first `most` bytes of its body, and whether that is all of it.
async fn read(host: &str, mut response: Response, most: usize) -> Result<(Reply, bool), Fault> {
    let (status, server) = (response.status().as_u16(), date(response.headers()));
    if response.status().is_redirection() {
        let to = (response.headers().get(http::header::LOCATION))
            .and_then(|to| to.to_str().ok())
            .unwrap_or("an unnamed place");
        return Err(refusal::hint(fault::words(
            FaultKind::Malformed,
            format_args!("{host} answered {status} and leads to {to}: a login, or another address"),
        )));
    }
    let (mut body, mut is_whole) = (Vec::new(), true);
    while let Some(part) = (response.chunk().await).map_err(|e| fault::of_error(host, &e))? {
        let room = most - body.len();
        body.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            is_whole = false;
            break;
        }
    }
    let reply = Reply {
        status,
        server,
        body,
    };
    Ok((reply, is_whole))
}
