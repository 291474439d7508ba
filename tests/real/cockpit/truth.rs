//! `status --json` says what the API itself says.

use super::{Cockpit, SERVICES, pods_of};
use crate::fleet::endpoints;
use crate::plane::Plane;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::api::Api;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref().unwrap();
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|it| it.type_ == "Ready" && it.status == "True")
}

/// Workload, tag, digest and number of pods of a colour, from the pods themselves.
fn images_of<'a>(pods: impl Iterator<Item = &'a Pod>) -> BTreeMap<[String; 3], u64> {
    let mut images = BTreeMap::new();
    for pod in pods {
        let status = pod.status.as_ref().unwrap().container_statuses.as_ref();
        let container = &status.unwrap()[0];
        let tag = container.image.rsplit(':').next().unwrap().to_owned();
        let digest = container.image_id.split('@').nth(1).unwrap().to_owned();
        let part = pod.labels()["part"].clone();
        *images.entry([part, tag, digest]).or_default() += 1;
    }
    images
}

fn told_images(colour: &Value) -> BTreeMap<[String; 3], u64> {
    let images = colour["images"].as_array().unwrap().iter();
    let told = images.map(|it| {
        let word = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let key = [word("workload"), word("tag"), word("digest")];
        (key, it["pods"].as_u64().unwrap())
    });
    told.collect()
}

#[test]
fn status_as_json_says_what_the_api_says() {
    let plane = Plane::shared();
    let here = "cockpit-truth";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    let (status, code) = cockpit.status();
    assert_eq!(
        (status["verdict"].as_str(), code),
        (Some("OK"), 0),
        "{status:#}"
    );
    assert_eq!(status["live"], "blue");

    let pods = pods_of(plane, here);
    assert_eq!(status["pods"]["total"], pods.len());
    assert_eq!(status["pods"]["not_ready"], json!([]));
    for (place, colour) in ["blue", "green"].into_iter().enumerate() {
        let told = &status["colours"][place];
        let of_colour = || pods.iter().filter(|it| it.labels()["version"] == colour);
        let ready = of_colour().filter(|it| is_ready(it)).count();
        assert_eq!(told["colour"], colour);
        assert_eq!(told["is_live"], colour == "blue");
        assert_eq!(
            (&told["ready"], &told["desired"]),
            (&json!(ready), &json!(5))
        );
        assert_eq!(told_images(told), images_of(of_colour()), "{told:#}");
    }

    let services: Api<Service> = Api::namespaced(plane.client(), here);
    for (place, name) in SERVICES.into_iter().enumerate() {
        let told = &status["services"][place];
        let service = plane.run(async { services.get(name).await.unwrap() });
        assert_eq!(told["uid"], json!(service.uid()));
        assert_eq!(told["selector"], json!(service.spec.unwrap().selector));
        let endpoints = plane
            .run(endpoints(&plane.client(), here, name))
            .unwrap()
            .len();
        let ready = [
            &told["endpoints"][0]["ready"],
            &told["endpoints"][1]["ready"],
        ];
        assert_eq!(ready, [&json!(endpoints), &json!(0)], "{told:#}");
        assert_eq!(told["changed"]["by"], "tests");
    }
    let version = plane.run(async { plane.client().apiserver_version().await.unwrap() });
    assert_eq!(status["cluster"]["version"], version.git_version);
}
