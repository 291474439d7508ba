//! A response body that cannot hang for ever, grow without bound or outlive a renewal.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::client::Body;
use tokio::time::{Instant, Sleep};
use tower::BoxError;

use super::fault::Trouble;
use crate::estate::Fault;

/// Bytes kept of a refusal's words.
const SAID: usize = 4096;

/// What is expected of a body.
pub(super) enum Expect {
    /// One document: at most that many bytes, and something new at least so often.
    Document {
        size: usize,
        idle: Duration,
        too_large: Fault,
        too_slow: Fault,
    },
    /// Lines without end, each at most that long.
    Lines { size: usize, too_large: Fault },
    /// Whatever comes (an upgraded connection, a log: its reader bounds it).
    Anything,
}

/// Resolves when the body has to end.
pub(super) type Cut = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The guarded body.
pub(super) struct Guarded {
    inner: Body,
    expect: Expect,
    /// Bytes of the document, or of the line that is being read.
    read: usize,
    alarm: Option<Pin<Box<Sleep>>>,
    cut: Option<Cut>,
}

impl Guarded {
    pub(super) fn new(inner: Body, expect: Expect, cut: Option<Cut>) -> Self {
        let alarm = match &expect {
            Expect::Document { idle, .. } => Some(Box::pin(tokio::time::sleep(*idle))),
            Expect::Lines { .. } | Expect::Anything => None,
        };
        Self {
            inner,
            expect,
            read: 0,
            alarm,
            cut,
        }
    }

    /// Reads it to its end.
    pub(super) async fn collect(mut self) -> Result<Vec<u8>, BoxError> {
        let mut all = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            if let Ok(data) = frame?.into_data() {
                all.extend_from_slice(&data);
            }
        }
        Ok(all)
    }

    /// Counts `bytes` and tells the fault if they are too many.
    fn count(&mut self, bytes: &[u8]) -> Option<Fault> {
        match &self.expect {
            Expect::Document {
                size, too_large, ..
            } => {
                self.read += bytes.len();
                (self.read > *size).then(|| too_large.clone())
            }
            Expect::Lines { size, too_large } => {
                self.read = match bytes.iter().rposition(|b| *b == b'\n') {
                    Some(end) => bytes.len() - end - 1,
                    None => self.read + bytes.len(),
                };
                (self.read > *size).then(|| too_large.clone())
            }
            Expect::Anything => None,
        }
    }
}

impl HttpBody for Guarded {
    type Data = <Body as HttpBody>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let this = &mut *self;
        if (this.cut.as_mut()).is_some_and(|cut| cut.as_mut().poll(cx).is_ready()) {
            this.cut = None;
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let fault = frame.data_ref().and_then(|data| this.count(data));
                if let (Some(alarm), Expect::Document { idle, .. }) =
                    (&mut this.alarm, &this.expect)
                {
                    alarm.as_mut().reset(Instant::now() + *idle);
                }
                Poll::Ready(Some(match fault {
                    Some(fault) => Err(Trouble(fault).into()),
                    None => Ok(frame),
                }))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|r| r.map_err(BoxError::from))),
            Poll::Pending => {
                let rings = (this.alarm.as_mut()).is_some_and(|a| a.as_mut().poll(cx).is_ready());
                match &this.expect {
                    Expect::Document { too_slow, .. } if rings => {
                        Poll::Ready(Some(Err(Trouble(too_slow.clone()).into())))
                    }
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A refusal as a `Status` that has its code: kube takes any JSON for one, and what a proxy says has none.
pub(super) async fn in_kubes_words(
    response: Response<Guarded>,
) -> Result<Response<Guarded>, BoxError> {
    #[derive(serde::Deserialize)]
    struct Coded {
        code: Option<u16>,
    }
    let (mut parts, body) = response.into_parts();
    let mut said = body.collect().await?;
    let coded = serde_json::from_slice::<Coded>(&said).ok();
    if coded.and_then(|coded| coded.code).unwrap_or(0) == 0 {
        let code = parts.status.as_u16();
        let message = String::from_utf8_lossy(&said[..said.len().min(SAID)]);
        let status = serde_json::json!({"kind": "Status", "status": "Failure", "code": code, "message": message});
        said = status.to_string().into_bytes();
    }
    // It was decompressed, and maybe replaced: what the head says of its length is no more true.
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let body = Guarded::new(Body::from(said), Expect::Anything, None);
    Ok(Response::from_parts(parts, body))
}
