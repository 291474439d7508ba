//! The embedded estate over plain HTTP: what a real API server would answer, byte for byte where it counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use wheelhouse::demo::{self, Fault, Options, Serving, scenarios, serve};

const SERVICES: &str = "/api/v1/namespaces/production/services";
const PODS: &str = "/api/v1/namespaces/production/pods";
const CONFIGS: &str = "/api/v1/namespaces/production/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/production/deployments";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/production/leases";
const LIMIT: Duration = Duration::from_secs(40);

/// A served estate and a client of it.
struct Estate {
    serving: Serving,
    client: Client,
    token: String,
}

impl Drop for Estate {
    fn drop(&mut self) {
        self.serving.stop();
    }
}

impl Estate {
    async fn new() -> Self {
        Self::with(Options {
            scenario_file: Some("tests/data/still.json".into()),
            ..Options::default()
        })
        .await
    }

    async fn with(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let serving = serve(options).await.unwrap();
        let client = Client::builder().tls_certs_only([]).build().unwrap();
        Self {
            token: serving.operator_token.clone(),
            serving,
            client,
        }
    }

    async fn send(&self, method: Method, path: &str, content: &str, body: &Value) -> Response {
        let url = format!("http://{}{path}", self.serving.addr);
        let request = self
            .client
            .request(method, url)
            .bearer_auth(&self.token)
            .header("user-agent", "tester/1.0");
        let request = if body.is_null() {
            request
        } else {
            request
                .header("content-type", content)
                .body(body.to_string())
        };
        timeout(LIMIT, request.send()).await.unwrap().unwrap()
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let response = self.send(method, path, content, body).await;
        (response.status(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        self.json(Method::GET, path, "", &Value::Null).await.1
    }

    async fn refused(&self, path: &str) -> (StatusCode, Value) {
        self.json(Method::GET, path, "", &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.json(Method::POST, path, "application/json", &body)
            .await
    }

    async fn patch(&self, path: &str, kind: &str, body: Value) -> (StatusCode, Value) {
        self.json(Method::PATCH, path, &format!("application/{kind}"), &body)
            .await
    }

    async fn act(&self, action: Value) {
        let (status, answer) = self.post("/demo/fault", action).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Asks again and again until the answer is as wished.
    async fn until(&self, path: &str, wish: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        loop {
            let value = self.get(path).await;
            if wish(&value) {
                return value;
            }
            assert!(Instant::now() < end, "never as wished: {value}");
            pause.tick().await;
        }
    }

    async fn watch(&self, query: &str) -> Events {
        let response = self.send(Method::GET, query, "", &Value::Null).await;
        assert_eq!(response.status(), 200);
        Events {
            response,
            buffer: Vec::new(),
        }
    }
}

/// An open watch, line by line.
struct Events {
    response: Response,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event; nothing where the watch has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let chunk = timeout(LIMIT, self.response.chunk())
                .await
                .expect("no event in time");
            self.buffer.extend_from_slice(&chunk.ok()??);
        }
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

fn version(value: &Value) -> u64 {
    value["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

fn config(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"team": text}}, "data": {"key": text}})
}

#[tokio::test]
async fn blue_is_live_since_two_days_and_green_was_deployed_ten_minutes_ago() {
    let estate = Estate::new().await;
    let service = estate
        .get(&format!("{SERVICES}/digital-wall-service"))
        .await;
    assert_eq!(
        service["spec"]["selector"],
        json!({"part": "frontend", "version": "blue"})
    );
    let fields = service["metadata"]["managedFields"].as_array().unwrap();
    let flip = fields
        .iter()
        .find(|entry| !entry["fieldsV1"]["f:spec"]["f:selector"].is_null())
        .unwrap();
    assert_eq!(flip["manager"], "kubectl-patch");
    let now: jiff::Timestamp = estate.get("/demo/state").await["now"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let age = |time: &Value| {
        now.duration_since(time.as_str().unwrap().parse().unwrap())
            .as_mins()
    };
    assert_eq!(age(&flip["time"]), 2 * 24 * 60);
    let pods = estate
        .get(&format!("{PODS}?labelSelector=version%3Dgreen"))
        .await;
    assert_eq!(pods["items"].as_array().unwrap().len(), 5);
    for pod in pods["items"].as_array().unwrap() {
        assert!(
            (9..=10).contains(&age(&pod["metadata"]["creationTimestamp"])),
            "{pod}"
        );
        assert!(
            pod["status"]["containerStatuses"][0]["imageID"]
                .as_str()
                .unwrap()
                .contains("@sha256:")
        );
    }
    let slices = "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices";
    let slices = estate
        .get(&format!(
            "{slices}?labelSelector=kubernetes.io%2Fservice-name%3Ddigital-wall-service"
        ))
        .await;
    let endpoints = slices["items"][0]["endpoints"].as_array().unwrap();
    assert!(
        endpoints
            .iter()
            .all(|endpoint| endpoint["conditions"]["ready"] == true)
    );
    assert_eq!(endpoints.len(), 3);
}

#[tokio::test]
async fn a_list_goes_on_page_by_page_as_it_stood_at_the_first() {
    let estate = Estate::new().await;
    let first = estate.get(&format!("{PODS}?limit=4")).await;
    assert_eq!(
        (first["kind"].as_str().unwrap(), names(&first).len()),
        ("PodList", 4)
    );
    assert_eq!(first["metadata"]["remainingItemCount"], 6);
    assert!(
        first["items"][0].get("kind").is_none(),
        "members of a list carry no kind"
    );
    let whole = estate.get(PODS).await;
    let gone = names(&whole)[9].to_owned();
    estate
        .json(
            Method::DELETE,
            &format!("{PODS}/{gone}"),
            "application/json",
            &json!({"gracePeriodSeconds": 0}),
        )
        .await;
    let go_on = first["metadata"]["continue"].as_str().unwrap();
    let second = estate
        .get(&format!("{PODS}?limit=500&continue={go_on}"))
        .await;
    assert_eq!(
        names(&second),
        &names(&whole)[4..],
        "the pod deleted since is still on the later page"
    );
    assert_eq!(version(&second), version(&first));
    assert!(second["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn k04_a_page_of_forgotten_history_is_answered_410_and_so_is_a_watch() {
    let estate = Estate::new().await;
    let first = estate.get(&format!("{PODS}?limit=4")).await;
    estate.post(CONFIGS, config("any", "a")).await;
    estate.act(json!({"do": "expire-watches"})).await;
    let go_on = first["metadata"]["continue"].as_str().unwrap();
    let (status, refusal) = estate
        .refused(&format!("{PODS}?limit=4&continue={go_on}"))
        .await;
    assert_eq!(
        (status.as_u16(), refusal["reason"].as_str().unwrap()),
        (410, "Expired")
    );
    let mut events = estate
        .watch(&format!(
            "{PODS}?watch=1&resourceVersion={}",
            version(&first)
        ))
        .await;
    let event = events.next().await.unwrap();
    assert_eq!(event["type"], "ERROR");
    assert_eq!(
        (
            event["object"]["code"].as_u64(),
            event["object"]["kind"].as_str()
        ),
        (Some(410), Some("Status"))
    );
    assert!(events.next().await.is_none(), "the watch ends");
}

#[tokio::test]
async fn a_watch_shows_what_begins_and_ceases_to_match_its_selector() {
    let estate = Estate::new().await;
    let list = estate.get(CONFIGS).await;
    let query = format!(
        "{CONFIGS}?watch=1&resourceVersion={}&labelSelector=team%3Dred",
        version(&list)
    );
    let mut events = estate.watch(&query).await;
    estate.post(CONFIGS, config("one", "red")).await;
    estate.post(CONFIGS, config("other", "blue")).await;
    let label = |team: &str| json!({"metadata": {"labels": {"team": team}}});
    let path = format!("{CONFIGS}/one");
    estate
        .patch(&path, "merge-patch+json", json!({"data": {"key": "2"}}))
        .await;
    let (_, changed) = estate.patch(&path, "merge-patch+json", label("blue")).await;
    estate.patch(&path, "merge-patch+json", label("red")).await;
    estate.json(Method::DELETE, &path, "", &Value::Null).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let event = events.next().await.unwrap();
        if seen.len() == 2 {
            assert_eq!(
                version(&event["object"]),
                version(&changed),
                "under the version of the change"
            );
        }
        seen.push(event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]);
}

#[tokio::test]
async fn a_watch_ends_in_time_with_a_bookmark_from_which_the_next_goes_on() {
    let estate = Estate::new().await;
    let list = estate.get(CONFIGS).await;
    let query = format!(
        "{CONFIGS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion={}",
        version(&list)
    );
    let mut events = estate.watch(&query).await;
    estate
        .post(
            SERVICES,
            json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}),
        )
        .await;
    let last = events.next().await.unwrap();
    assert_eq!(
        (last["type"].as_str(), last["object"]["kind"].as_str()),
        (Some("BOOKMARK"), Some("ConfigMap"))
    );
    assert!(
        version(&last["object"]) > version(&list),
        "other kinds' changes count"
    );
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_watch_from_nowhere_begins_with_what_stands() {
    let estate = Estate::new().await;
    let mut events = estate
        .watch(&format!(
            "{DEPLOYMENTS}?watch=1&fieldSelector=metadata.name%3Ddigital-wall-blue-backend"
        ))
        .await;
    let event = events.next().await.unwrap();
    assert_eq!(
        (event["type"].as_str(), event["object"]["kind"].as_str()),
        (Some("ADDED"), Some("Deployment"))
    );
    assert_eq!(event["object"]["apiVersion"], "apps/v1");
}

#[tokio::test]
async fn k03_a_json_patch_whose_test_fails_is_422_and_changes_nothing() {
    let estate = Estate::new().await;
    let path = format!("{SERVICES}/digital-wall-service");
    let before = estate.get(&path).await;
    let flip = |old: &str| {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": before["metadata"]["uid"]},
            {"op": "test", "path": "/spec/selector", "value": {"part": "frontend", "version": old}},
            {"op": "replace", "path": "/spec/selector", "value": {"part": "frontend", "version": "green"}},
            {"op": "add", "path": "/metadata/annotations/wheelhouse.dev~1epoch", "value": "7"},
        ])
    };
    let (status, refusal) = estate.patch(&path, "json-patch+json", flip("green")).await;
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Invalid", "code": 422,
        "message": "the server rejected our request due to an error in our request", "details": {},
    });
    assert_eq!((status.as_u16(), refusal), (422, expected));
    assert_eq!(estate.get(&path).await, before);
    let (status, after) = estate.patch(&path, "json-patch+json", flip("blue")).await;
    assert_eq!(
        (
            status.as_u16(),
            after["spec"]["selector"]["version"].as_str().unwrap()
        ),
        (200, "green")
    );
    assert_eq!(
        after["metadata"]["annotations"]["wheelhouse.dev/epoch"],
        "7"
    );
    assert_eq!(
        after["metadata"]["annotations"]["meta.helm.sh/release-name"],
        "digital-wall-traffic"
    );
}

#[tokio::test]
async fn a_flip_moves_the_endpoints_to_the_other_colour() {
    let estate = Estate::new().await;
    let body = json!({"spec": {"selector": {"version": "green"}}});
    estate
        .patch(
            &format!("{SERVICES}/digital-wall-service?fieldManager=flipper"),
            "merge-patch+json",
            body,
        )
        .await;
    let slices = "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices\
        ?labelSelector=kubernetes.io/service-name%3Ddigital-wall-service";
    let is_green = |slices: &Value| {
        let endpoints = slices["items"][0]["endpoints"].as_array().unwrap();
        let names: Vec<&str> = endpoints
            .iter()
            .map(|endpoint| endpoint["targetRef"]["name"].as_str().unwrap())
            .collect();
        names.len() == 3
            && names
                .iter()
                .all(|name| name.starts_with("digital-wall-green-frontend"))
    };
    estate.until(slices, is_green).await;
    let service = estate
        .get(&format!("{SERVICES}/digital-wall-service"))
        .await;
    let owners: Vec<&str> = service["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| !entry["fieldsV1"]["f:spec"]["f:selector"].is_null())
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["flipper"]);
}

#[tokio::test]
async fn a_stale_resource_version_is_a_conflict_and_a_no_op_keeps_the_version() {
    let estate = Estate::new().await;
    let lease = json!({"metadata": {"name": "lock"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 60}});
    let (status, lease) = estate.post(LEASES, lease).await;
    assert_eq!(status, 201);
    let path = format!("{LEASES}/lock");
    let (status, same) = estate
        .json(Method::PUT, &path, "application/json", &lease)
        .await;
    assert_eq!((status.as_u16(), &same), (200, &lease));
    let mut mine = lease.clone();
    mine["spec"]["holderIdentity"] = json!("b");
    let (status, taken) = estate
        .json(Method::PUT, &path, "application/json", &mine)
        .await;
    assert_eq!(status, 200);
    assert!(version(&taken) > version(&lease));
    let (status, refusal) = estate
        .json(Method::PUT, &path, "application/json", &lease)
        .await;
    assert_eq!(
        (status.as_u16(), refusal["reason"].as_str().unwrap()),
        (409, "Conflict")
    );
    let message = "Operation cannot be fulfilled on leases.coordination.k8s.io \"lock\": the object has been modified; \
        please apply your changes to the latest version and try again";
    assert_eq!(refusal["message"], message);
    mine["metadata"]["resourceVersion"] = Value::Null;
    let (status, refusal) = estate
        .json(Method::PUT, &path, "application/json", &mine)
        .await;
    assert_eq!(
        (status.as_u16(), refusal["reason"].as_str().unwrap()),
        (422, "Invalid"),
        "a Lease is never replaced blindly"
    );
    let stale = json!({"metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]}, "spec": {"holderIdentity": "c"}});
    assert_eq!(estate.patch(&path, "merge-patch+json", stale).await.0, 409);
}

#[tokio::test]
async fn creating_fills_in_identity_and_refuses_a_second_of_the_name() {
    let estate = Estate::new().await;
    let (status, made) = estate
        .post(
            CONFIGS,
            json!({"metadata": {"generateName": "record-"}, "data": {"a": "b"}}),
        )
        .await;
    assert_eq!(status, 201);
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("record-") && name.len() == 12, "{name}");
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "tester");
    let (status, refusal) = estate.post(CONFIGS, config(name, "x")).await;
    assert_eq!(
        (status.as_u16(), refusal["reason"].as_str().unwrap()),
        (409, "AlreadyExists")
    );
    assert_eq!(
        refusal["details"],
        json!({"name": name, "kind": "configmaps"})
    );
    let (status, _) = estate
        .post("/api/v1/namespaces/nowhere/configmaps", config("x", "x"))
        .await;
    assert_eq!(status, 404);
    assert_eq!(
        estate
            .post(CONFIGS, json!({"metadata": {"name": "Not_A_Name"}}))
            .await
            .0,
        422
    );
}

#[tokio::test]
async fn a_dry_run_answers_as_if_and_leaves_everything_as_it_is() {
    let estate = Estate::new().await;
    assert_eq!(
        estate
            .post(&format!("{CONFIGS}?dryRun=All"), config("ghost", "x"))
            .await
            .0,
        201
    );
    assert_eq!(estate.refused(&format!("{CONFIGS}/ghost")).await.0, 404);
    let path = format!("{DEPLOYMENTS}/digital-wall-green-backend");
    let before = estate.get(&path).await;
    let (_, dry) = estate
        .patch(
            &format!("{path}?dryRun=All"),
            "merge-patch+json",
            json!({"spec": {"replicas": 9}}),
        )
        .await;
    assert_eq!(
        (dry["spec"]["replicas"].as_i64(), &estate.get(&path).await),
        (Some(9), &before)
    );
}

#[tokio::test]
async fn deleting_minds_its_preconditions_and_takes_the_dependents_along() {
    let estate = Estate::new().await;
    let (_, made) = estate.post(CONFIGS, config("c", "x")).await;
    let path = format!("{CONFIGS}/c");
    let wrong = json!({"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}});
    assert_eq!(
        estate
            .json(Method::DELETE, &path, "application/json", &wrong)
            .await
            .0,
        409
    );
    let right = json!({"preconditions": {"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]}});
    let (status, answer) = estate
        .json(Method::DELETE, &path, "application/json", &right)
        .await;
    assert_eq!(
        (status.as_u16(), answer["status"].as_str().unwrap()),
        (200, "Success")
    );
    estate
        .json(
            Method::DELETE,
            &format!("{DEPLOYMENTS}/digital-wall-green-backend"),
            "",
            &Value::Null,
        )
        .await;
    let pods = format!("{PODS}?labelSelector=part%3Dbackend,version%3Dgreen");
    estate.until(&pods, |list| names(list).is_empty()).await;
}

#[tokio::test]
async fn a_new_image_rolls_through_a_new_replica_set_and_counts_the_generation_up() {
    let estate = Estate::new().await;
    let path = format!("{DEPLOYMENTS}/digital-wall-green-backend");
    let before = estate.get(&path).await;
    let image = "ghcr.io/acme/digitalwall-backend:0123abc";
    let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "backend", "image": image}]}}}});
    let (_, after) = estate
        .patch(&path, "strategic-merge-patch+json", body)
        .await;
    let number = |value: &Value| value["metadata"]["generation"].as_i64().unwrap();
    assert_eq!(number(&after), number(&before) + 1);
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"][0]["ports"],
        before["spec"]["template"]["spec"]["containers"][0]["ports"]
    );
    let is_done = |deployment: &Value| {
        let status = &deployment["status"];
        status["observedGeneration"] == deployment["metadata"]["generation"]
            && [
                &status["replicas"],
                &status["updatedReplicas"],
                &status["availableReplicas"],
            ]
            .iter()
            .all(|count| **count == 2)
    };
    let done = estate.until(&path, is_done).await;
    assert_eq!(
        done["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "3"
    );
    let pods = estate
        .until(
            &format!("{PODS}?labelSelector=part%3Dbackend,version%3Dgreen"),
            |list| names(list).len() == 2,
        )
        .await;
    for pod in pods["items"].as_array().unwrap() {
        assert_eq!(pod["status"]["containerStatuses"][0]["image"], image);
    }
}

#[tokio::test]
async fn crashes_loop_with_growing_waits_and_say_why() {
    let estate = Estate::new().await;
    estate.act(json!({"do": "crash", "deployment": "digital-wall-green-backend", "count": 1, "reason": "oom", "after": "100ms"})).await;
    let pods = format!("{PODS}?labelSelector=part%3Dbackend,version%3Dgreen");
    let state = |list: &Value| {
        let pods = list["items"].as_array().unwrap().clone();
        pods.into_iter().find(|pod| {
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
                == "CrashLoopBackOff"
        })
    };
    let list = estate.until(&pods, |list| state(list).is_some()).await;
    let pod = state(&list).unwrap();
    let container = &pod["status"]["containerStatuses"][0];
    assert!(
        container["state"]["waiting"]["message"]
            .as_str()
            .unwrap()
            .starts_with("back-off 10s restarting failed container=backend")
    );
    let last = &container["lastState"]["terminated"];
    assert_eq!(
        (last["reason"].as_str(), last["exitCode"].as_i64()),
        (Some("OOMKilled"), Some(137))
    );
    let uid = pod["metadata"]["uid"].as_str().unwrap();
    let events = estate.get(&format!("/api/v1/namespaces/production/events?fieldSelector=involvedObject.uid%3D{uid},reason%3DBackOff")).await;
    assert_eq!(events["items"][0]["type"], "Warning");
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_and_a_pod_that_fits_nowhere_say_so() {
    let estate = Estate::new().await;
    estate
        .act(json!({"do": "image-pull-failure", "deployment": "digital-wall-green-backend"}))
        .await;
    estate
        .act(json!({"do": "unschedulable", "deployment": "digital-wall-green-frontend"}))
        .await;
    estate
        .act(json!({"do": "set-image", "deployment": "digital-wall-green-backend"}))
        .await;
    estate
        .act(json!({"do": "scale", "deployment": "digital-wall-green-frontend", "replicas": 4}))
        .await;
    let any = |list: &Value, wish: &dyn Fn(&Value) -> bool| {
        list["items"].as_array().unwrap().iter().any(wish)
    };
    let reason = |pod: &Value| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    };
    estate.until(PODS, |list| any(list, &reason)).await;
    let pending = |pod: &Value| {
        pod["status"]["conditions"][0]["message"]
            .as_str()
            .is_some_and(|why| why.starts_with("0/3 nodes are available: 3 Insufficient cpu."))
    };
    estate.until(PODS, |list| any(list, &pending)).await;
}

#[tokio::test]
async fn an_unready_live_pod_leaves_the_endpoints_and_comes_back() {
    let estate = Estate::new().await;
    estate.act(json!({"do": "readiness-failure", "deployment": "digital-wall-blue-frontend", "count": 1})).await;
    let slices = "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices?labelSelector=kubernetes.io/service-name%3Ddigital-wall-service";
    let ready = |list: &Value| {
        list["items"][0]["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|end| end["conditions"]["ready"] == true)
            .count()
    };
    estate.until(slices, |list| ready(list) == 2).await;
    let events = estate
        .get("/api/v1/events?fieldSelector=reason%3DUnhealthy")
        .await;
    assert!(
        events["items"][0]["count"].as_i64().unwrap() >= 3,
        "{events}"
    );
    assert_eq!(
        events["items"][0]["message"],
        "Readiness probe failed: HTTP probe failed with statuscode: 503"
    );
    estate.act(json!({"do": "heal"})).await;
    estate.until(slices, |list| ready(list) == 3).await;
}

#[tokio::test]
async fn k02_a_viewer_reads_and_is_told_what_he_may_not() {
    let mut estate = Estate::new().await;
    estate.token = estate.serving.viewer_token.clone();
    assert_eq!(estate.refused(PODS).await.0, 200);
    let path = format!("{SERVICES}/digital-wall-service");
    let (status, refusal) = estate
        .patch(&path, "merge-patch+json", json!({"spec": {}}))
        .await;
    let message = "services \"digital-wall-service\" is forbidden: User \"demo-viewer\" cannot patch resource \"services\" \
        in API group \"\" in the namespace \"production\"";
    assert_eq!(
        (status.as_u16(), refusal["message"].as_str().unwrap()),
        (403, message)
    );
    let review = |verb: &str| json!({"spec": {"resourceAttributes": {"verb": verb, "resource": "services", "namespace": "production"}}});
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    assert_eq!(
        estate.post(reviews, review("patch")).await.1["status"]["allowed"],
        false
    );
    assert_eq!(
        estate.post(reviews, review("watch")).await.1["status"]["allowed"],
        true
    );
    let who = estate
        .post(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            json!({}),
        )
        .await
        .1;
    assert_eq!(who["status"]["userInfo"]["username"], "demo-viewer");
    estate.token = "stolen".to_owned();
    let (status, refusal) = estate.refused(PODS).await;
    assert_eq!(
        (status.as_u16(), refusal["reason"].as_str().unwrap()),
        (401, "Unauthorized")
    );
}

#[tokio::test]
async fn metadata_alone_is_answered_where_it_is_asked_for() {
    let estate = Estate::new().await;
    let url = format!(
        "http://{}/api/v1/namespaces/production/secrets",
        estate.serving.addr
    );
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list: Value = estate
        .client
        .get(url)
        .bearer_auth(&estate.token)
        .header("accept", accept)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert!(list["items"][0].get("data").is_none());
    assert_eq!(list["items"][0]["metadata"]["name"], "digitalwall-secrets");
}

#[tokio::test]
async fn the_status_of_an_object_has_a_door_of_its_own() {
    let estate = Estate::new().await;
    let path = format!("{SERVICES}/digital-wall-api");
    let body = json!({"spec": {"sessionAffinity": "ClientIP"}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}});
    let (_, main) = estate.patch(&path, "merge-patch+json", body.clone()).await;
    assert_eq!(
        (
            &main["spec"]["sessionAffinity"],
            &main["status"]["loadBalancer"]
        ),
        (&json!("ClientIP"), &json!({}))
    );
    let body = json!({"spec": {"sessionAffinity": "None"}, "status": body["status"]});
    let (_, status) = estate
        .patch(&format!("{path}/status"), "merge-patch+json", body)
        .await;
    assert_eq!(status["spec"]["sessionAffinity"], "ClientIP");
    assert_eq!(
        status["status"]["loadBalancer"]["ingress"][0]["ip"],
        "1.2.3.4"
    );
}

#[tokio::test]
async fn applying_what_another_manager_owns_is_a_conflict_until_forced() {
    let estate = Estate::new().await;
    let path = format!("{SERVICES}/digital-wall-service?fieldManager=gitops");
    let body = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "digital-wall-service"}, "spec": {"selector": {"version": "green"}}});
    let (status, refusal) = estate.patch(&path, "apply-patch+yaml", body.clone()).await;
    assert_eq!(
        (
            status.as_u16(),
            refusal["details"]["causes"][0]["reason"].as_str().unwrap()
        ),
        (409, "FieldManagerConflict")
    );
    let (status, after) = estate
        .patch(&format!("{path}&force=true"), "apply-patch+yaml", body)
        .await;
    assert_eq!(
        (
            status.as_u16(),
            after["spec"]["selector"]["version"].as_str().unwrap()
        ),
        (200, "green")
    );
    let fields = after["metadata"]["managedFields"].as_array().unwrap();
    assert!(
        fields
            .iter()
            .any(|entry| entry["manager"] == "gitops" && entry["operation"] == "Apply")
    );
}

#[tokio::test]
async fn k06_a_503_on_a_patch_may_hide_a_write_that_took_effect() {
    let estate = Estate::new().await;
    let path = format!("{CONFIGS}/digital-wall-config");
    for (value, applied) in [("one", false), ("two", true)] {
        estate.act(json!({"do": "status", "code": 503, "verbs": ["patch"], "times": 1, "applied": applied})).await;
        let (status, _) = estate
            .patch(
                &path,
                "merge-patch+json",
                json!({"data": {"LOG_LEVEL": value}}),
            )
            .await;
        assert_eq!(status, 503);
        assert_eq!(
            estate.get(&path).await["data"]["LOG_LEVEL"] == value,
            applied
        );
    }
    let (status, _) = estate
        .patch(
            &path,
            "merge-patch+json",
            json!({"data": {"LOG_LEVEL": "three"}}),
        )
        .await;
    assert_eq!(status, 200, "the fault was for one request");
}

#[tokio::test]
async fn n03_a_cut_connection_may_hide_a_write_that_took_effect() {
    let estate = Estate::new().await;
    estate
        .act(json!({"do": "cut", "verbs": ["patch"], "times": 1, "applied": true}))
        .await;
    let path = format!("{CONFIGS}/digital-wall-config");
    let request = estate
        .client
        .patch(format!("http://{}{path}", estate.serving.addr))
        .bearer_auth(&estate.token);
    let request = request
        .header("content-type", "application/merge-patch+json")
        .body("{\"data\": {\"LOG_LEVEL\": \"cut\"}}");
    assert!(
        timeout(LIMIT, request.send()).await.unwrap().is_err(),
        "no head was sent"
    );
    assert_eq!(estate.get(&path).await["data"]["LOG_LEVEL"], "cut");
}

#[tokio::test]
async fn k05_a_429_says_when_to_come_back_and_n05_lies_are_told() {
    let estate = Estate::new().await;
    estate.act(json!({"do": "status:429", "verbs": ["list"], "resource": "pods", "retry-after": 3, "times": 1})).await;
    let response = estate.send(Method::GET, PODS, "", &Value::Null).await;
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "3")
    );
    estate
        .act(json!({"do": "html", "verbs": ["list"], "times": 1}))
        .await;
    let response = estate.send(Method::GET, PODS, "", &Value::Null).await;
    assert_eq!(response.status(), 200);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
    estate
        .act(json!({"do": "truncate", "verbs": ["list"], "times": 1}))
        .await;
    assert!(
        estate
            .send(Method::GET, PODS, "", &Value::Null)
            .await
            .bytes()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn while_the_api_is_away_connections_are_refused_and_then_it_is_back() {
    let estate = Estate::new().await;
    let mut events = estate
        .watch(&format!(
            "{CONFIGS}?watch=1&resourceVersion={}",
            version(&estate.get(CONFIGS).await)
        ))
        .await;
    estate.act(json!({"do": "away", "for": "2s"})).await;
    assert!(events.next().await.is_none(), "open watches break");
    let end = Instant::now() + LIMIT;
    while tokio::net::TcpStream::connect(estate.serving.addr)
        .await
        .is_ok()
    {
        assert!(Instant::now() < end, "connections are still accepted");
        tokio::task::yield_now().await;
    }
    let url = format!("http://{}{CONFIGS}", estate.serving.addr);
    while estate
        .client
        .get(&url)
        .bearer_auth(&estate.token)
        .send()
        .await
        .is_err()
    {
        assert!(Instant::now() < end, "never back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn dropped_watches_are_silent_and_closed_ones_end() {
    let estate = Estate::new().await;
    let query = format!(
        "{CONFIGS}?watch=1&resourceVersion={}",
        version(&estate.get(CONFIGS).await)
    );
    let mut silent = estate.watch(&query).await;
    estate.act(json!({"do": "drop-watches"})).await;
    let mut open = estate.watch(&query).await;
    estate.post(CONFIGS, config("new", "x")).await;
    assert_eq!(open.next().await.unwrap()["type"], "ADDED");
    assert!(
        timeout(Duration::from_millis(200), silent.next())
            .await
            .is_err(),
        "silence"
    );
    estate.act(json!({"do": "close-watches"})).await;
    assert!(open.next().await.is_none());
}

#[tokio::test]
async fn logs_come_with_tail_times_and_the_run_before() {
    let estate = Estate::new().await;
    let pods = estate
        .get(&format!(
            "{PODS}?labelSelector=part%3Dbackend,version%3Dblue"
        ))
        .await;
    let log = format!("{PODS}/{}/log", names(&pods)[0]);
    let text = |query: &'static str| {
        let (estate, log) = (&estate, &log);
        async move {
            estate
                .send(Method::GET, &format!("{log}?{query}"), "", &Value::Null)
                .await
                .text()
                .await
                .unwrap()
        }
    };
    let tail = text("tailLines=3&timestamps=true").await;
    assert_eq!(tail.lines().count(), 3);
    assert!(
        tail.lines().all(|line| line
            .split_once(' ')
            .unwrap()
            .0
            .parse::<jiff::Timestamp>()
            .is_ok()),
        "{tail}"
    );
    assert!(text("limitBytes=10").await.len() <= 10);
    assert!((10..=60).contains(&text("sinceSeconds=30").await.lines().count()));
    assert_eq!(estate.refused(&format!("{log}?previous=true")).await.0, 400);
    let mut follow = estate
        .send(
            Method::GET,
            &format!("{log}?follow=true&tailLines=1"),
            "",
            &Value::Null,
        )
        .await;
    assert!(
        timeout(LIMIT, follow.chunk())
            .await
            .unwrap()
            .unwrap()
            .is_some()
    );
    assert!(
        timeout(LIMIT, follow.chunk())
            .await
            .unwrap()
            .unwrap()
            .is_some(),
        "a line that was logged since"
    );
    let pod = format!("{PODS}/{}", names(&pods)[0]);
    estate
        .json(
            Method::DELETE,
            &pod,
            "application/json",
            &json!({"gracePeriodSeconds": 0}),
        )
        .await;
    while timeout(LIMIT, follow.chunk())
        .await
        .unwrap()
        .unwrap()
        .is_some()
    {}
}

#[tokio::test]
async fn five_thousand_pods_are_there_at_once_and_churn() {
    let estate = Estate::with(Options {
        pods: 5_000,
        churn: 100,
        scenario_file: Some("tests/data/still.json".into()),
        ..Options::default()
    })
    .await;
    let list = estate
        .get(&format!("{PODS}?limit=500&labelSelector=part%3Dfiller"))
        .await;
    assert_eq!(names(&list).len(), 500);
    let size = list["items"][0].to_string().len();
    assert!((5_000..=9_000).contains(&size), "{size} bytes a pod");
    let all = estate.get("/api/v1/pods").await;
    assert!((4_900..=5_100).contains(&names(&all).len()));
    let mut events = estate
        .watch(&format!("{PODS}?watch=1&resourceVersion={}", version(&all)))
        .await;
    for _ in 0..50 {
        assert_eq!(events.next().await.unwrap()["type"], "MODIFIED");
    }
}

#[tokio::test]
async fn every_scenario_is_alive_within_a_minute_and_can_be_chosen() {
    assert_eq!(scenarios().len(), 10);
    let estate = Estate::new().await;
    for (name, _) in scenarios() {
        let (status, state) = estate
            .post(&format!("/demo/scenario/{name}"), Value::Null)
            .await;
        assert_eq!(
            (status.as_u16(), state["scenario"].as_str().unwrap()),
            (200, name.as_str())
        );
    }
    assert_eq!(estate.post("/demo/scenario/none", Value::Null).await.0, 404);
    let menu = estate.get("/demo/faults").await;
    for item in menu.as_array().unwrap() {
        let (status, answer) = estate.post("/demo/fault", item["example"].clone()).await;
        assert_eq!(status, 200, "{answer}");
        if item["name"] == "away" {
            break;
        }
    }
}

#[tokio::test]
async fn the_control_answers_this_machine_only() {
    let estate = Estate::new().await;
    let url = format!("http://{}/demo/state", estate.serving.addr);
    assert_eq!(estate.client.get(&url).send().await.unwrap().status(), 200);
    let foreign = estate
        .client
        .get(&url)
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
}

#[tokio::test]
async fn faults_of_the_options_are_told_in_words() {
    let unknown = serve(Options {
        scenario: "chaos".into(),
        ..Options::default()
    })
    .await
    .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "there is no scenario \"chaos\"; there are calm, bad-release, bad-colour, crash-loop, api-down, flapping, noisy-alerts, flaky-github, prometheus-away, approval"
    );
    let taken = Estate::new().await;
    let fault = serve(Options {
        port: taken.serving.addr.port(),
        ..Options::default()
    })
    .await
    .unwrap_err();
    assert!(matches!(fault, Fault::Bind { .. }));
}

#[tokio::test]
async fn it_ends_when_told_to_and_when_nobody_comes() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let told = serve(Options::default()).await.unwrap();
    told.stop();
    timeout(LIMIT, told.finished()).await.unwrap();
    let lonely = serve(Options {
        idle_exit: Some(Duration::from_millis(50)),
        ..Options::default()
    })
    .await
    .unwrap();
    timeout(LIMIT, lonely.finished()).await.unwrap();
}

#[tokio::test]
async fn it_lives_for_as_long_as_a_client_watches_and_ends_one_idle_time_later() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let idle = Duration::from_millis(1_500);
    let serving = serve(Options {
        scenario_file: Some("tests/data/still.json".into()),
        idle_exit: Some(idle),
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::builder().tls_certs_only([]).build().unwrap();
    let url = format!("http://{}{CONFIGS}?watch=1", serving.addr);
    let request = client.get(url).bearer_auth(&serving.operator_token);
    let watch = timeout(LIMIT, request.send()).await.unwrap().unwrap();
    assert_eq!(watch.status(), 200);
    let finished = serving.finished();
    tokio::pin!(finished);
    let held = timeout(2 * idle, &mut finished).await;
    assert!(held.is_err(), "it ended under a client");
    let closed = Instant::now();
    drop(watch);
    timeout(LIMIT, finished).await.unwrap();
    assert!(closed.elapsed() >= idle, "{:?}", closed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn in_process_and_in_paused_time_a_rollout_takes_no_time_at_all() {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    let options = Options {
        scenario_file: Some("tests/data/still.json".into()),
        ..Options::default()
    };
    let estate = demo::Estate::new(&options, "2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
    tokio::spawn(estate.clone().drive());
    let router = demo::router(&estate);
    let ask = |method: &str, path: &str, body: Value| {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/merge-patch+json")
            .header(
                "authorization",
                format!("Bearer {}", estate.operator_token()),
            )
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = router.clone().oneshot(request);
        async move {
            let body = answer.await.unwrap().into_body();
            serde_json::from_slice::<Value>(&to_bytes(body, usize::MAX).await.unwrap()).unwrap()
        }
    };
    let path = format!("{DEPLOYMENTS}/digital-wall-green-frontend");
    let body = json!({"spec": {"replicas": 6}});
    assert_eq!(ask("PATCH", &path, body).await["spec"]["replicas"], 6);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(
        ask("GET", &path, Value::Null).await["status"]["availableReplicas"],
        6
    );
    let now = ask("GET", "/demo/state", Value::Null).await["now"].clone();
    assert_eq!(now, "2026-11-23T12:00:40Z");
}
