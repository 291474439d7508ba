//! Writes, each sent once; what a reply means is SAFETY's table "What a reply means to a mutation".
//!
//! The one exception is a 401: it comes before anything is applied, so the line gets a new credential
//! and sends the request once more.

use std::fmt;
use std::time::Duration;

use http::Request;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::Value;

use super::ask::Answer;
use super::single::{Kept, built, check_name};
use super::{Cluster, fault};
pub use crate::estate::mark::MANAGER;
use crate::estate::{Fault, FaultKind};

/// By these the server says that it did not apply a write. Any other is no proof.
const REFUSALS: [u16; 11] = [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429];

/// Why a write is not known to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Unwritten {
    /// It was not applied: the server refused it, or it was never sent (400: it makes no sense; 401: no
    /// credential could be had).
    Refused {
        /// The HTTP status.
        status: u16,
        /// In words.
        fault: Fault,
    },
    /// No answer, a torn one, or one that proves nothing (5xx): it may have been applied. Read the world.
    Unknown(Fault),
}

impl Unwritten {
    /// What went wrong.
    pub fn fault(&self) -> &Fault {
        match self {
            Self::Refused { fault, .. } | Self::Unknown(fault) => fault,
        }
    }
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault().what.fmt(f)
    }
}

impl Cluster {
    /// Applies a JSON Patch to the object `name`. All of it is applied, or nothing.
    ///
    /// # Errors
    /// 422 where one of its tests fails, 404 where there is no such object; see [`Unwritten`].
    pub async fn patch<P: Kept>(
        &self,
        name: &str,
        patch: &json_patch::Patch,
        limit: Duration,
    ) -> Result<P, Unwritten> {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch: Patch<()> = Patch::Json(patch.clone());
        let request = self.requests::<P>().patch(name, &params, &patch);
        self.written(name, request, limit).await
    }

    /// Creates the object that `body` says; its `apiVersion` and `kind` are put in.
    ///
    /// # Errors
    /// 409 where there is one of that name; see [`Unwritten`].
    pub async fn create<P: Kept>(&self, body: Value, limit: Duration) -> Result<P, Unwritten> {
        let body = typed::<P>(body)?;
        let name = (body.pointer("/metadata/name").and_then(Value::as_str)).unwrap_or_default();
        let request = self
            .requests::<P>()
            .create(&by_us(), body.to_string().into());
        self.written(name, request, limit).await
    }

    /// Puts `body` in the place of the object `name`, if that still has the `resourceVersion` of `body`.
    ///
    /// # Errors
    /// 409 where it moved on; 400, unsent, where `body` has no `resourceVersion`; see [`Unwritten`].
    pub async fn replace<P: Kept>(
        &self,
        name: &str,
        body: Value,
        limit: Duration,
    ) -> Result<P, Unwritten> {
        let body = typed::<P>(body)?;
        let version = body.pointer("/metadata/resourceVersion");
        if version
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
        {
            return Err(senseless(
                "a replacement without a resourceVersion would overwrite blindly",
            ));
        }
        let request = self
            .requests::<P>()
            .replace(name, &by_us(), body.to_string().into());
        self.written(name, request, limit).await
    }

    /// Deletes the object `name`, if it still has that uid and that `resourceVersion`, where given.
    ///
    /// # Errors
    /// 409 where it is another one or moved on, 404 where there is none; see [`Unwritten`].
    pub async fn delete<P: Kept>(
        &self,
        name: &str,
        uid: Option<&str>,
        version: Option<&str>,
        limit: Duration,
    ) -> Result<(), Unwritten> {
        let params = DeleteParams::default().preconditions(Preconditions {
            uid: uid.map(str::to_owned),
            resource_version: version.map(str::to_owned),
        });
        let request = self.requests::<P>().delete(name, &params);
        // What stood there, or a Status: either way it is deleted.
        self.write(name, request, limit).await.map(|_| ())
    }

    async fn written<P: Kept>(
        &self,
        name: &str,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
        limit: Duration,
    ) -> Result<P, Unwritten> {
        let answer = self.write(name, request, limit).await?;
        self.object(&answer).map_err(Unwritten::Unknown)
    }

    /// Sends it, and tells refusals from what proves nothing.
    async fn write(
        &self,
        name: &str,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
        limit: Duration,
    ) -> Result<Answer, Unwritten> {
        let unsent = |status| move |fault| Unwritten::Refused { status, fault };
        check_name(name).map_err(unsent(400))?;
        let request = built(request).map_err(unsent(400))?;
        // A plugin may take longer than an answer; it is bounded by itself.
        self.line.ready().await.map_err(unsent(401))?;
        let slow = || fault::slow(&self.host(), limit);
        let answer = tokio::time::timeout(limit, self.answer(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(slow())).map_err(lost)?;
        match self.refuse(&answer) {
            Ok(()) => Ok(answer),
            Err(fault) if REFUSALS.contains(&answer.status) => Err(Unwritten::Refused {
                status: answer.status,
                fault,
            }),
            Err(fault) => Err(Unwritten::Unknown(fault)),
        }
    }
}

/// No answer came. Where a login is needed the server had said 401, or there was nothing to send it with.
fn lost(fault: Fault) -> Unwritten {
    match fault.kind {
        FaultKind::LoginNeeded => Unwritten::Refused { status: 401, fault },
        _ => Unwritten::Unknown(fault),
    }
}

fn senseless(what: &str) -> Unwritten {
    Unwritten::Refused {
        status: 400,
        fault: fault::words(FaultKind::Config, what),
    }
}

fn by_us() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// `body` with its type.
fn typed<P: Kept>(mut body: Value) -> Result<Value, Unwritten> {
    let (version, kind) = P::type_of();
    let map = (body.as_object_mut()).ok_or_else(|| senseless("an object is a JSON map"))?;
    map.insert("apiVersion".to_owned(), version.into());
    map.insert("kind".to_owned(), kind.into());
    Ok(body)
}
