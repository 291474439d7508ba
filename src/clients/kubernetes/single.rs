//! One object or one list, asked for once: for whoever must know how it is now, not how it was last seen.
//!
//! Nothing here is tried again. A read may be repeated by the caller; a write (`write`) never is.

use std::time::Duration;

use http::Request;
use kube::api::{GetParams, ListParams};
use serde::Deserialize;

use super::wire::{Projected, Row};
use super::{Cluster, ask::Answer, fault, watch};
use crate::estate::{
    Autoscaler, Deployment, Fault, FaultKind, Kind, Lease, Pod, Policy, Record, ReplicaSet,
    Service, Slice,
};

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// A type of the estate that single requests are about.
pub trait Kept: sealed::Single {}

impl Kept for Autoscaler {}
impl Kept for Deployment {}
impl Kept for Lease {}
impl Kept for Pod {}
impl Kept for Policy {}
impl Kept for Record {}
impl Kept for ReplicaSet {}
impl Kept for Service {}
impl Kept for Slice {}

pub(super) mod sealed {
    use super::Kind;

    /// What single requests need to know of a type; not for others to implement.
    pub trait Single: Sized + Send {
        /// As which it is watched.
        const KIND: Kind;
        /// `apiVersion` and `kind`, as objects carry them.
        fn type_of() -> (String, &'static str);
        /// The path of its list in `namespace`.
        fn path(namespace: &str) -> String;
        /// An object as it came.
        ///
        /// # Errors
        /// Why it cannot be read.
        fn read(raw: &[u8]) -> Result<Self, String>;
        /// A page of a list, and where to go on.
        ///
        /// # Errors
        /// Why it, or one of its objects, cannot be read.
        fn page(raw: &[u8]) -> Result<(Vec<Self>, Option<String>), String>;
    }
}

impl<P: Projected> sealed::Single for P {
    const KIND: Kind = P::PLACE.watched;

    fn type_of() -> (String, &'static str) {
        (P::PLACE.api_version(), P::PLACE.kind)
    }

    fn path(namespace: &str) -> String {
        <Row<P> as kube::Resource>::url_path(&(), Some(namespace))
    }

    fn read(raw: &[u8]) -> Result<Self, String> {
        let row: Row<P> = serde_json::from_slice(raw).map_err(|e| e.to_string())?;
        whole(row)
    }

    fn page(raw: &[u8]) -> Result<(Vec<Self>, Option<String>), String> {
        let page: Page<P> = serde_json::from_slice(raw).map_err(|e| e.to_string())?;
        let rows = page.items.unwrap_or_default().into_iter();
        let objects = rows.map(whole).collect::<Result<_, _>>()?;
        let next = page.metadata.and_then(|m| m.next);
        Ok((objects, next.filter(|next| !next.is_empty())))
    }
}

fn whole<P>(row: Row<P>) -> Result<P, String> {
    let name = row.name();
    match row.read {
        Ok(Some(object)) => Ok(object),
        Ok(None) => Err(format!("{name} is not of interest")),
        Err(why) => Err(format!("{name}: {why}")),
    }
}

#[derive(Deserialize)]
#[serde(bound = "P: Projected")]
struct Page<P> {
    metadata: Option<PageMeta>,
    items: Option<Vec<Row<P>>>,
}

#[derive(Deserialize)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

impl Cluster {
    /// The object `name` as it is now; none where there is none.
    ///
    /// # Errors
    /// What is wrong with the way, the credential or the answer. `limit` begins once there is a credential. `Busy` where the
    /// server asked to wait for longer than that: then nothing was sent.
    pub async fn get<P: Kept>(&self, name: &str, limit: Duration) -> Result<Option<P>, Fault> {
        check_name(name)?;
        let request = self.requests::<P>().get(name, &GetParams::default());
        let answer = self.read(built(request)?, limit).await?;
        if answer.status == 404 && is_about(&answer.body, name) {
            return Ok(None);
        }
        self.object(&answer).map(Some)
    }

    /// Everything that `selector` selects, all of the namespace where it is empty; of Leases and records
    /// only those of operations. `limit` is for all pages together.
    ///
    /// # Errors
    /// As [`Cluster::get`]; `Expired` where the list changed too much between two pages.
    pub async fn list<P: Kept>(&self, selector: &str, limit: Duration) -> Result<Vec<P>, Fault> {
        self.line.ready().await?;
        self.line.admit(limit)?;
        let selector = watch::selector(P::KIND, selector);
        let pages = self.pages(&selector);
        let slow = || fault::slow(&self.host(), limit);
        (tokio::time::timeout(limit, pages).await).unwrap_or_else(|_| Err(slow()))
    }

    async fn pages<P: Kept>(&self, selector: &str) -> Result<Vec<P>, Fault> {
        let mut all = Vec::new();
        let mut params = ListParams::default().limit(PAGE);
        if !selector.is_empty() {
            params = params.labels(selector);
        }
        if let Some(name) = P::KIND.only() {
            params = params.fields(&watch::named(name));
        }
        loop {
            let request = built(self.requests::<P>().list(&params))?;
            let answer = self.answer(request).await?;
            self.refuse(&answer)?;
            let (objects, next) = P::page(&answer.body).map_err(|why| self.unreadable::<P>(why))?;
            all.extend(objects);
            match next {
                Some(next) => params = params.continue_token(&next),
                None => return Ok(all),
            }
        }
    }

    pub(super) fn requests<P: Kept>(&self) -> kube::core::Request {
        kube::core::Request::new(P::path(self.namespace_of(P::KIND)))
    }

    /// Sends a request that changes nothing, within `limit`.
    pub(super) async fn read(
        &self,
        request: Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<Answer, Fault> {
        // A plugin may take longer than an answer; it is bounded by itself.
        self.line.ready().await?;
        self.line.admit(limit)?;
        let slow = || fault::slow(&self.host(), limit);
        (tokio::time::timeout(limit, self.answer(request)).await).unwrap_or_else(|_| Err(slow()))
    }

    /// The object that an answer holds.
    pub(super) fn object<P: Kept>(&self, answer: &Answer) -> Result<P, Fault> {
        self.refuse(answer)?;
        P::read(&answer.body).map_err(|why| self.unreadable::<P>(why))
    }

    /// The fault that an answer is, if it is none of success.
    pub(super) fn refuse(&self, answer: &Answer) -> Result<(), Fault> {
        match answer.status {
            200..=299 => Ok(()),
            status => Err(fault::by_body(&self.host(), status, &answer.body)),
        }
    }

    fn unreadable<P: Kept>(&self, why: String) -> Fault {
        let (host, plural) = (self.host(), P::KIND.plural());
        let what = format!("the {plural} of {host} cannot be read: {why}");
        fault::words(FaultKind::Malformed, what)
    }
}

/// A name goes into a path as it is: an empty one would be the list, and `/` or `?` another resource.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let is_name = name.bytes().all(fits) && name.len() <= 253;
    if is_name && ends(name.bytes().next()) && ends(name.bytes().last()) {
        return Ok(());
    }
    let what = format!("{name:?} is no name of an object: a-z, 0-9, - and . are expected");
    Err(fault::words(FaultKind::Config, what))
}

/// Whether a 404 says that the object is absent, not that the resource is unknown or the path wrong.
fn is_about(body: &[u8], name: &str) -> bool {
    #[derive(Deserialize)]
    struct Status {
        details: Option<Details>,
    }
    #[derive(Deserialize)]
    struct Details {
        name: Option<String>,
    }
    let status = serde_json::from_slice::<Status>(body).ok();
    status.and_then(|s| s.details?.name).as_deref() == Some(name)
}

/// A request as kube makes it.
pub(super) fn built(
    request: Result<Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Request<Vec<u8>>, Fault> {
    request.map_err(|e| fault::words(FaultKind::Config, e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_never_becomes_a_path() {
        for name in ["", "a/b", "..", "a?x=y", "-a", "a.", "A", "a b", "a%2fb"] {
            assert_eq!(
                check_name(name).unwrap_err().kind,
                FaultKind::Config,
                "{name}"
            );
        }
        for name in ["digital-wall-service", "op-1.x", "9"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_404_of_another_kind_is_not_an_absent_object() {
        let said = br#"{"kind":"Status","code":404,"reason":"NotFound","details":{"name":"web","kind":"services"}}"#;
        assert!(is_about(said, "web"));
        assert!(!is_about(said, "api"));
        assert!(!is_about(b"404 page not found", "web"));
        assert!(!is_about(br#"{"code":404,"details":{}}"#, "web"));
    }
}
