//! Somebody with the operators' Role in a namespace under the admission policy, who patches things.

use crate::fleet;
use crate::plane::Plane;
use crate::shipped::{self, OPERATORS};
use k8s_openapi::api::core::v1::Service;
use kube::api::Api;
use kube::client::Body;
use serde_json::{Value, json};

pub const SERVICE: &str = "services/digital-wall-service";
pub const DEPLOYMENT: &str = "deployments/digital-wall-green-frontend";
pub const MERGE: &str = "application/merge-patch+json";
pub const JSON: &str = "application/json-patch+json";

/// A Digital Wall under the policy, and an operator who has the shipped Role there and nothing else.
pub struct Guarded {
    pub plane: &'static Plane,
    pub namespace: &'static str,
    pub who: &'static str,
    pub client: kube::Client,
}

/// What the API server said.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub message: String,
    pub warnings: Vec<String>,
}

impl Reply {
    pub fn assert_quietly_done(&self) {
        assert!(self.code == 200 && self.warnings.is_empty(), "{self:?}");
    }

    pub fn assert_denied(&self, why: &str) {
        assert!(self.code == 422 && self.message.contains(why), "{self:?}");
        assert!(
            self.message.contains("wheelhouse.dev/guarded-"),
            "no way out: {self:?}"
        );
    }
}

impl Guarded {
    pub fn new(namespace: &'static str, who: &'static str) -> Self {
        let open = Self::open(namespace, who);
        shipped::guard(open.plane, namespace);
        open
    }

    /// Not under the policy yet.
    pub fn open(namespace: &'static str, who: &'static str) -> Self {
        let plane = Plane::shared();
        fleet::digital_wall(plane, namespace);
        shipped::operator_role(plane, namespace);
        plane.identity(who, OPERATORS);
        let client = plane.run(plane.client_for(who));
        Self {
            plane,
            namespace,
            who,
            client,
        }
    }

    /// A patch by the operator, as kubectl sends one: with the headers of the answer.
    pub fn patch(&self, object: &str, kind: &str, body: &Value) -> Reply {
        let group = match object.split('/').next() {
            Some("deployments") => "apis/apps/v1",
            _ => "api/v1",
        };
        let uri = format!("/{group}/namespaces/{}/{object}", self.namespace);
        let request = http::Request::patch(uri)
            .header("content-type", kind)
            .body(Body::from(body.to_string().into_bytes()))
            .unwrap();
        self.plane.run(async {
            let answer = self.client.send(request).await.unwrap();
            let warnings = answer.headers().get_all("warning").iter();
            let warnings = warnings.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
            let (code, warnings) = (answer.status().as_u16(), warnings.collect());
            let body = answer.into_body().collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            Reply {
                code,
                message: body["message"].as_str().unwrap_or_default().to_owned(),
                warnings,
            }
        })
    }

    pub fn annotate(&self, object: &str, annotations: &Value) -> Reply {
        self.patch(
            object,
            MERGE,
            &json!({"metadata": {"annotations": annotations}}),
        )
    }

    pub fn epoch(&self, object: &str, epoch: &Value) -> Reply {
        self.annotate(object, &json!({"wheelhouse.dev/epoch": epoch}))
    }

    pub fn service(&self) -> Service {
        let services: Api<Service> = Api::namespaced(self.client.clone(), self.namespace);
        let read = self
            .plane
            .run(async { services.get("digital-wall-service").await });
        read.unwrap()
    }

    /// A flip as Wheelhouse writes one.
    pub fn flip(&self, from: &str, to: &str, epochs: (&str, &str), operation: &str) -> Reply {
        let selector = |colour| json!({"part": "frontend", "version": colour});
        let ours = "/metadata/annotations/wheelhouse.dev~1";
        let uid = self.service().metadata.uid;
        let account = json!({"from": from, "to": to}).to_string();
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": format!("{ours}epoch"), "value": epochs.0},
            {"op": "test", "path": "/spec/selector", "value": selector(from)},
            {"op": "replace", "path": "/spec/selector", "value": selector(to)},
            {"op": "add", "path": format!("{ours}epoch"), "value": epochs.1},
            {"op": "add", "path": format!("{ours}operation"), "value": operation},
            {"op": "add", "path": format!("{ours}flip"), "value": account},
        ]);
        self.patch(SERVICE, JSON, &patch)
    }

    /// What the policy `of` left in the audit log about the last patch of `resource`.
    pub fn audited(
        &self,
        resource: &str,
        of: &str,
        is_it: impl Fn(&str) -> bool + Send + Sync,
    ) -> Value {
        let which = ("patch", resource, self.namespace);
        let line = self.plane.await_audited(which, |it| {
            it.user == self.who && it.annotation(of).is_some_and(&is_it)
        });
        line.line
    }
}
