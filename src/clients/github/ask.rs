//! One question to the API, with its limits, its condition and its refusals.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::PoisonError;

use http::header::{ACCEPT, AUTHORIZATION, ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, Response, Uri};
use http_body::Body;

use super::{Github, Known, fault, token};
use crate::clients::kubernetes::fault as way;
use crate::estate::Fault;

/// GitHub's own word for it, and the one in its description of itself.
pub(super) const JSON: &str = "application/vnd.github+json, application/json;q=0.9";

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The screen keeps itself current: the last of the budget is not for it.
    Poll,
    /// Somebody asked for it.
    Asked,
}

/// What came back.
pub(super) enum Got {
    /// 304.
    Unchanged,
    /// A document.
    Body(Document),
}

/// A document and its ETag.
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: Option<String>,
}

impl Got {
    /// The document of a question without a condition.
    pub(super) fn body(self, host: &str) -> Result<Document, Fault> {
        match self {
            Self::Body(document) => Ok(document),
            Self::Unchanged => Err(way::by_status(host, 304, "though nothing was known")),
        }
    }
}

impl Github {
    /// Gets a document; with `known` only if it is not as it was.
    pub(super) async fn ask(&self, path: &str, known: Option<&mut Known>) -> Result<Got, Fault> {
        let tag = known.and_then(|known| known.tag(path).map(str::to_owned));
        self.ask_as(Purpose::Poll, path, tag).await
    }

    /// The same for whoever it is for; with the tag only if it is not as it was.
    pub(super) async fn ask_as(
        &self,
        purpose: Purpose,
        path: &str,
        tag: Option<String>,
    ) -> Result<Got, Fault> {
        let whole = self.0.limits.whole;
        let asking = self.ask_patiently(path, tag.as_deref(), purpose);
        let slow = |_| Err(way::slow(self.host(), whole));
        (tokio::time::timeout(whole, asking).await).unwrap_or_else(slow)
    }

    async fn ask_patiently(
        &self,
        path: &str,
        tag: Option<&str>,
        purpose: Purpose,
    ) -> Result<Got, Fault> {
        let mut response = self.open(path, tag, purpose).await?;
        // A repository that was renamed answers 301 with its number.
        if response.status().is_redirection() && response.status() != 304 {
            let moved = self.moved(&response)?;
            response = self.open(&moved, tag, purpose).await?;
        }
        if response.status() == 304 {
            return Ok(Got::Unchanged);
        }
        let etag = response.headers().get(ETAG);
        let etag = etag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let status = response.status();
        let bytes = self.collect(response.into_body()).await?;
        if status != 200 {
            return Err(way::by_status(self.host(), status.as_u16(), "no document"));
        }
        if bytes.trim_ascii_start().starts_with(b"<") {
            return Err(way::web_page(self.host(), 200));
        }
        Ok(Got::Body(Document { bytes, etag }))
    }

    /// The head of an answer that is no refusal. A token that is refused is read anew, once: it may
    /// have been replaced where it comes from.
    pub(super) async fn open(
        &self,
        path: &str,
        tag: Option<&str>,
        purpose: Purpose,
    ) -> Result<Response<impl Body<Data: AsRef<[u8]>, Error = octocrab::Error> + use<>>, Fault>
    {
        let used = self.credential();
        let response = self.send(path, tag, used.as_ref(), purpose).await?;
        let response = match response.status().as_u16() {
            401 if self.renewed(used.as_ref()).await => {
                let renewed = self.credential();
                self.send(path, tag, renewed.as_ref(), purpose).await?
            }
            _ => response,
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(self.refusal(response).await);
        }
        self.gate(|gate| gate.passed());
        Ok(response)
    }

    async fn send(
        &self,
        path: &str,
        tag: Option<&str>,
        credential: Option<&HeaderValue>,
        purpose: Purpose,
    ) -> Result<Response<impl Body<Data: AsRef<[u8]>, Error = octocrab::Error> + use<>>, Fault>
    {
        self.gate(|gate| gate.permit(purpose))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(JSON));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            headers.insert(IF_NONE_MATCH, tag);
        }
        // Ours, and not octocrab's, which does not mark it as sensitive.
        if let Some(credential) = credential {
            headers.insert(AUTHORIZATION, credential.clone());
        }
        let sent = (self.0.octocrab)._get_with_headers(path.to_owned(), Some(headers));
        let response = sent.await.map_err(|e| self.broken(&e))?;
        self.gate(|gate| gate.take(response.headers()));
        Ok(response)
    }

    pub(super) fn credential(&self) -> Option<HeaderValue> {
        let kept = &self.0.credential;
        kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is another token than the one that was refused.
    async fn renewed(&self, refused: Option<&HeaderValue>) -> bool {
        if self.credential().as_ref() != refused {
            return true; // somebody else has just read it
        }
        let read = token::credential(&self.0.target, &self.0.limits).await;
        match read {
            Ok(Some(fresh)) if Some(&fresh) != refused => {
                let kept = &self.0.credential;
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    pub(super) async fn refusal(
        &self,
        response: Response<impl Body<Data: AsRef<[u8]>, Error = octocrab::Error>>,
    ) -> Fault {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let bytes = self.collect(body).await.unwrap_or_default();
        let said = fault::message(&bytes);
        self.gate(|gate| gate.refused(status, &head.headers, &said))
            .unwrap_or_else(|| {
                fault::refusal(self.host(), &self.0.target, status, &head.headers, &said)
            })
    }

    /// Where a redirect leads within the API. The token goes nowhere else.
    fn moved<B>(&self, response: &Response<B>) -> Result<String, Fault> {
        let status = response.status().as_u16();
        let location = location(response.headers())
            .filter(|to| to.authority().is_none_or(|a| a.as_str() == self.host()));
        let path = location.and_then(|to| Some(to.path_and_query()?.to_string()));
        path.ok_or_else(|| way::by_status(self.host(), status, "it leads to another host"))
    }

    /// What octocrab or reqwest reports.
    pub(super) fn broken(&self, error: &(dyn std::error::Error + 'static)) -> Fault {
        let mut link = Some(error);
        while let Some(inner) = link {
            if (inner.downcast_ref::<reqwest::Error>()).is_some_and(reqwest::Error::is_timeout) {
                return way::slow(self.host(), self.0.limits.idle);
            }
            link = inner.source();
        }
        way::of_error(self.host(), error)
    }

    pub(super) async fn collect(
        &self,
        body: impl Body<Data: AsRef<[u8]>, Error = octocrab::Error>,
    ) -> Result<Vec<u8>, Fault> {
        let mut body = std::pin::pin!(body);
        let mut bytes = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::as_mut(&mut body).poll_frame(cx)).await {
            let Ok(data) = frame.map_err(|e| self.broken(&e))?.into_data() else {
                continue; // trailers
            };
            bytes.extend_from_slice(data.as_ref());
            if bytes.len() > self.0.limits.body {
                return Err(way::too_large(self.host(), self.0.limits.body));
            }
        }
        Ok(bytes)
    }
}

/// Where a redirect leads.
pub(super) fn location(headers: &HeaderMap) -> Option<Uri> {
    headers.get(LOCATION)?.to_str().ok()?.parse().ok()
}
