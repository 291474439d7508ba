//! Bodies that come piece by piece. The one place that names `futures`: axum takes no other stream.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header;
use axum::response::Response;
use futures::stream::{self, StreamExt};
use std::io;

/// A body made of what `next` yields from one state to the next; an error ends the connection.
pub(super) fn body<S, F>(state: S, next: impl FnMut(S) -> F + Send + 'static) -> Body
where
    S: Send + 'static,
    F: Future<Output = Option<(io::Result<Bytes>, S)>> + Send + 'static,
{
    Body::from_stream(stream::unfold(state, next))
}

/// The error by which a connection is ended.
pub(super) fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

/// A response that never comes: the connection ends first.
pub(super) fn broken() -> Response {
    Response::new(Body::from_stream(stream::once(async {
        Err::<Bytes, _>(reset())
    })))
}

/// The head of `response` and half of its body, then the end of the connection.
pub(super) async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // Watches and logs have no length; they are left as they are by their own faults.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts
        .headers
        .insert(header::CONTENT_LENGTH, bytes.len().into());
    let half = bytes.slice(..bytes.len() / 2);
    // The pause between lets the half out of the server's buffer.
    let cut = stream::once(async {
        tokio::task::yield_now().await;
        Err(reset())
    });
    let torn = stream::once(async { Ok(half) }).chain(cut);
    Response::from_parts(parts, Body::from_stream(torn))
}
