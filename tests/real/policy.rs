//! The shipped admission policy bites, and lets pass what must pass (assets/kubernetes).

mod approvals;
mod guarded;
mod records;
mod roles;
mod rules;

use crate::plane::Plane;
use crate::shipped;
use guarded::{DEPLOYMENT, Guarded, JSON, MERGE, SERVICE};
use serde_json::{Value, json};

fn an_epoch_only_rises(here: &Guarded, object: &str) {
    here.epoch(object, &json!("9")).assert_quietly_done();
    // As a number: as text it would be lower.
    here.epoch(object, &json!("10")).assert_quietly_done();
    here.epoch(object, &json!("10")).assert_quietly_done();
    here.epoch(object, &json!("9"))
        .assert_denied("is 10 and may not be lowered to 9");
    here.epoch(object, &Value::Null)
        .assert_denied("is 10 and may not be removed");
    for garbage in [
        "ten",
        "",
        "11 ",
        "-11",
        "1e9",
        "011",
        "99999999999999999999",
    ] {
        here.epoch(object, &json!(garbage))
            .assert_denied(&format!("must be a decimal number, not \"{garbage}\""));
    }
    // Annotations can be changed through the status as well.
    let status = here.epoch(&format!("{object}/status"), &json!("9"));
    assert!([403, 422].contains(&status.code), "{status:?}");
    // What is not about the epoch is none of the policy's business.
    here.annotate(object, &json!({"note": "of the product's own"}))
        .assert_quietly_done();
    here.epoch(object, &json!("11")).assert_quietly_done();

    let resource = object.split('/').next().unwrap();
    let line = here.audited(resource, "epochs.wheelhouse.dev/epoch", |it| {
        it.ends_with("10 to 9")
    });
    assert_eq!(
        line["annotations"]["epochs.wheelhouse.dev/epoch"],
        format!("{}: from 10 to 9", here.who)
    );
}

#[test]
fn the_epoch_of_a_service_or_a_deployment_only_rises() {
    let here = Guarded::new("policy-epochs", "dave");
    an_epoch_only_rises(&here, SERVICE);
    an_epoch_only_rises(&here, DEPLOYMENT);
}

#[test]
fn even_an_admin_cannot_lower_an_epoch_through_the_status() {
    let mut here = Guarded::new("policy-status", "admin-of-status");
    here.client = here.plane.client();
    for object in [SERVICE, DEPLOYMENT] {
        here.epoch(object, &json!("3")).assert_quietly_done();
        here.epoch(&format!("{object}/status"), &json!("2"))
            .assert_denied("is 3 and may not be lowered to 2");
    }
}

#[test]
fn x08_a_flip_without_epoch_is_done_and_warned_of_and_audited() {
    let here = Guarded::new("policy-flips", "carol");
    let to = |colour| json!({"spec": {"selector": {"version": colour}}});
    // Wheelhouse never had a hand in this one: no business of ours.
    here.patch(SERVICE, MERGE, &to("green"))
        .assert_quietly_done();
    here.patch(SERVICE, MERGE, &to("blue"))
        .assert_quietly_done();
    here.annotate(
        SERVICE,
        &json!({"wheelhouse.dev/epoch": "4", "wheelhouse.dev/operation": "01JCUT"}),
    )
    .assert_quietly_done();

    let flipped = here.patch(SERVICE, MERGE, &to("green"));

    assert_eq!(
        (flipped.code, flipped.warnings.len()),
        (200, 1),
        "{flipped:?}"
    );
    for part in [
        "digital-wall-service changed from version=blue to version=green outside of Wheelhouse",
        "operation 01JCUT had flipped it last",
        "wheelhouse cutover or rollback",
        "wheelhouse repair",
    ] {
        assert!(
            flipped.warnings[0].contains(part),
            "no {part:?}: {flipped:?}"
        );
    }
    assert_eq!(
        here.service().spec.unwrap().selector.unwrap()["version"],
        "green"
    );
    let failure = "validation.policy.admission.k8s.io/validation_failure";
    let line = here.audited("services", failure, |it| {
        it.contains("flips.wheelhouse.dev")
    });
    assert_eq!(
        line["annotations"]["flips.wheelhouse.dev/flip"],
        "carol: from version=blue to version=green outside of Wheelhouse"
    );
    // Ports, labels and other annotations may change without a word.
    let other =
        json!({"metadata": {"labels": {"team": "wall"}}, "spec": {"sessionAffinity": "None"}});
    here.patch(SERVICE, MERGE, &other).assert_quietly_done();
}

#[test]
fn a_flip_by_wheelhouse_passes_without_a_word_and_so_does_its_undoing() {
    let here = Guarded::new("policy-managed", "frank");
    here.epoch(SERVICE, &json!("9")).assert_quietly_done();

    here.flip("blue", "green", ("9", "10"), "01JCUT")
        .assert_quietly_done();
    // The same operation takes its own flip back, under the same epoch.
    here.flip("green", "blue", ("10", "10"), "01JCUT")
        .assert_quietly_done();
    here.flip("blue", "green", ("10", "11"), "01JROLL")
        .assert_quietly_done();

    let by = |operation: &'static str| {
        here.audited("services", "flips.wheelhouse.dev/flip", move |it| {
            it.ends_with(operation)
        })
    };
    for operation in ["01JCUT", "01JROLL"] {
        assert_eq!(
            by(operation)["annotations"]["flips.wheelhouse.dev/flip"],
            format!("frank: from version=blue to version=green by operation {operation}")
        );
    }
    // The fence is the patch's own, policy or not.
    let fenced = here.flip("green", "blue", ("10", "10"), "01JCUT");
    let is_policy = fenced.message.contains("ValidatingAdmissionPolicy");
    assert!(fenced.code == 422 && !is_policy, "{fenced:?}");
    let selector = here.service().spec.unwrap().selector.unwrap();
    assert_eq!(selector["version"], "green");
}

/// `kubectl rollout undo` sends exactly this. A guard that refused it at night would be in the way.
#[test]
fn a_rollout_undo_passes_with_the_epoch_of_its_revision_and_the_audit_log_has_it() {
    let here = Guarded::new("policy-undo", "grace");
    here.epoch(DEPLOYMENT, &json!("6")).assert_quietly_done();
    let image = "/spec/template/spec/containers/0/image";

    let undone = here.patch(
        DEPLOYMENT,
        JSON,
        &json!([
            {"op": "replace", "path": image, "value": "ghcr.io/example/digitalwall-frontend:v1"},
            {"op": "replace", "path": "/metadata/annotations", "value": {"wheelhouse.dev/epoch": "5"}},
        ]),
    );

    undone.assert_quietly_done();
    let audited = "epochs.wheelhouse.dev/epoch";
    let line = here.audited("deployments", audited, |it| it.contains("6 to 5"));
    assert_eq!(
        line["annotations"][audited],
        "grace: from 6 to 5, with the template"
    );
    here.epoch(DEPLOYMENT, &json!("4"))
        .assert_denied("may not be lowered");
    // No undo brings what never was.
    let garbage = here.patch(
        DEPLOYMENT,
        JSON,
        &json!([
            {"op": "replace", "path": image, "value": "ghcr.io/example/digitalwall-frontend:v2"},
            {"op": "replace", "path": "/metadata/annotations/wheelhouse.dev~1epoch", "value": "old"},
        ]),
    );
    garbage.assert_denied("must be a decimal number");
}

#[test]
fn what_was_garbage_before_the_policy_came_can_be_put_right_and_a_namespace_without_the_label_is_free()
 {
    let here = Guarded::open("policy-label", "heidi");
    here.epoch(SERVICE, &json!("garbage")).assert_quietly_done();
    shipped::guard(here.plane, here.namespace);
    here.epoch(SERVICE, &json!("5")).assert_quietly_done();
    here.epoch(SERVICE, &json!("4"))
        .assert_denied("may not be lowered");

    // The way out that every refusal names.
    here.plane.apply_yaml(
        "",
        "apiVersion: v1\nkind: Namespace\n\
         metadata: {name: policy-label, labels: {wheelhouse.dev/guarded: 'false'}}\n",
    );

    here.plane
        .until("the label's absence to be seen", || async {
            (here.epoch(SERVICE, &json!("4")).code == 200).then_some(())
        });
}

#[test]
fn every_policy_fits_the_types_of_this_kubernetes_and_none_stands_in_the_way_when_it_fails() {
    let plane = Plane::shared();
    plane.namespace("policy-types");
    shipped::guard(plane, "policy-types");
    let policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    let names = ["epochs", "flips", "records", "policies"].map(|it| format!("{it}.wheelhouse.dev"));
    for name in names {
        let checked = plane.until(&format!("the types of {name}"), || async {
            let get = http::Request::get(format!("{policies}/{name}")).body(Vec::new());
            let policy: Value = plane.client().request(get.unwrap()).await.ok()?;
            assert_eq!(policy["spec"]["failurePolicy"], "Ignore", "{name}");
            let status = &policy["status"];
            status["typeChecking"].is_object().then(|| status.clone())
        });
        assert!(
            checked["typeChecking"]["expressionWarnings"].is_null(),
            "{checked:#}"
        );
    }
}
