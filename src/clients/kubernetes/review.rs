//! Who we are, what we may, and whether the namespace is the one that was meant.

use std::time::Duration;

use futures::future;
use http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::single::check_name;
use super::{Cluster, Right, fault};
use crate::estate::{Fault, FaultKind, Granted, Need, Safe, Verdict};

#[derive(Deserialize)]
struct Review<S> {
    status: S,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    user_info: User,
}

#[derive(Deserialize)]
struct User {
    username: Safe,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    allowed: bool,
    reason: Option<Safe>,
    evaluation_error: Option<Safe>,
}

#[derive(Deserialize)]
struct Named {
    metadata: Uid,
}

#[derive(Deserialize)]
struct Uid {
    uid: Safe,
}

impl Cluster {
    /// The user that the server takes us for.
    ///
    /// # Errors
    /// What is wrong with the way, the credential or the answer.
    pub async fn whoami(&self, limit: Duration) -> Result<Safe, Fault> {
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let identity: Identity = self.review(path, &body, limit).await?;
        Ok(identity.user_info.username)
    }

    /// Whether we may do that: OK, BAD with the server's reason, or UNKNOWN where its authorizer could not tell.
    ///
    /// # Errors
    /// As [`Cluster::whoami`].
    pub async fn may(&self, right: &Right, limit: Duration) -> Result<Verdict, Fault> {
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": right.namespace, "verb": right.verb,
                "group": right.group, "resource": right.resource, "subresource": right.subresource,
                "name": right.name}}});
        let access: Access = self.review(path, &body, limit).await?;
        let said = |text: Option<Safe>| text.filter(|t| !t.is_empty());
        let denied = || {
            let part = match right.subresource {
                "" => String::new(),
                part => format!("/{part}"),
            };
            format!(
                "forbidden: {} {}{part} in {}",
                right.verb, right.resource, right.namespace
            )
        };
        Ok(match (access.allowed, said(access.evaluation_error)) {
            (true, _) => Verdict::Ok,
            (false, Some(why)) => Verdict::Unknown(why),
            (false, None) => Verdict::Bad(match said(access.reason) {
                Some(why) => format!("{}: {why}", denied()).into(),
                None => denied().into(),
            }),
        })
    }

    /// Whether we may do each of that, asked at once: UNKNOWN where it could not be asked, too.
    pub async fn granted(&self, wanted: &[(Need, Right)], limit: Duration) -> Vec<Granted> {
        let ask = |(need, right): &(Need, Right)| {
            let (need, right) = (*need, right.clone());
            async move {
                let said = self.may(&right, limit).await;
                let resource = match right.subresource {
                    "" => right.resource.to_owned(),
                    part => format!("{}/{part}", right.resource),
                };
                let of = match right.name.as_str() {
                    "" => format!("{} {resource} in {}", right.verb, right.namespace),
                    name => format!("{} {resource} {name} in {}", right.verb, right.namespace),
                };
                Granted {
                    need,
                    of: of.into(),
                    verdict: said.unwrap_or_else(|fault| Verdict::Unknown(fault.what)),
                }
            }
        };
        future::join_all(wanted.iter().map(ask)).await
    }

    /// The uid of our namespace, which tells a cluster that was set up anew under its old names from the one
    /// that was meant; none where we may not see it.
    ///
    /// # Errors
    /// As [`Cluster::whoami`]; `Missing` where there is no such namespace.
    pub async fn namespace_uid(&self, limit: Duration) -> Result<Option<Safe>, Fault> {
        check_name(self.namespace())?;
        let request = Request::get(format!("/api/v1/namespaces/{}", self.namespace()));
        let request = (request.body(Vec::new())).map_err(|e| fault::words(FaultKind::Config, e))?;
        let answer = self.read(request, limit).await?;
        if answer.status == 403 {
            return Ok(None);
        }
        self.refuse(&answer)?;
        let named: Named = self.json(&answer.body)?;
        Ok(Some(named.metadata.uid))
    }

    /// A review is created, but nothing is kept of it.
    async fn review<S: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        limit: Duration,
    ) -> Result<S, Fault> {
        let request = Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
        let request = (request.body(body.to_string().into_bytes()))
            .map_err(|e| fault::words(FaultKind::Config, e))?;
        let answer = self.read(request, limit).await?;
        self.refuse(&answer)?;
        Ok(self.json::<Review<S>>(&answer.body)?.status)
    }

    fn json<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(body).map_err(|e| fault::not_json(&self.host(), &e))
    }
}
