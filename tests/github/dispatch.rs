//! Starting a run: what is sent, how often, and what a refusal proves.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wheelhouse::clients::github::Undispatched;

use super::repository::{connect, full, refused};
use super::server::{Answer, Asked, Server};

const KEY: &str = "return_run_details";

/// A server that answers a dispatch that asks which run it started by `known`, and any other by 204.
async fn server(known: impl Fn() -> Answer + Send + Sync + 'static) -> Server {
    Server::start(move |asked| match body(asked)[KEY].is_null() {
        true => full(204, "", ""),
        false => known(),
    })
    .await
}

fn body(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

async fn dispatched(server: &Server) -> Result<Option<u64>, Undispatched> {
    let inputs = BTreeMap::from([("colour".into(), "green".into())]);
    let github = connect(&server.url).await;
    github.dispatch("deploy.yml", "main", &inputs).await
}

#[tokio::test]
async fn a_server_that_does_not_know_the_question_for_the_run_is_told_to_start_it_without() {
    for status in [400, 422] {
        let words = "Invalid request.\n\n\"return_run_details\" is not a permitted key.";
        let server = server(move || refused(status, "", words)).await;
        assert_eq!(dispatched(&server).await, Ok(None), "{status}");
        let asked = server.asked();
        assert!(asked.iter().all(|it| it.method == "POST"));
        let [first, second] = &asked[..] else {
            panic!("{status}: {asked:#?}")
        };
        let plain = json!({"ref": "main", "inputs": {"colour": "green"}});
        let mut asking = plain.clone();
        asking[KEY] = json!(true);
        assert_eq!((body(first), body(second)), (asking, plain), "{status}");
    }
}

#[tokio::test]
async fn a_refusal_of_anything_else_is_one_and_nothing_is_sent_again() {
    for (status, words) in [
        (422, "Workflow does not have 'workflow_dispatch' trigger"),
        (403, "Resource not accessible by personal access token"),
    ] {
        let server = server(move || refused(status, "", words)).await;
        let Err(Undispatched::Refused(fault)) = dispatched(&server).await else {
            panic!("{status}")
        };
        assert!(fault.what.contains(words), "{}", fault.what);
        assert_eq!(server.asked().len(), 1);
    }
    // What is no refusal proves nothing, whatever it names.
    let server = server(|| refused(502, "", "return_run_details")).await;
    let said = dispatched(&server).await;
    assert!(matches!(said, Err(Undispatched::Unknown(_))), "{said:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_repository_that_has_moved_proves_that_nothing_was_started_and_says_where_it_is() {
    let to = "https://api.github.com/repositories/7/actions/workflows/deploy.yml/dispatches";
    for status in [301, 307, 308] {
        for (header, words) in [
            (format!("Location: {to}\r\n"), format!("has moved, to {to}")),
            (String::new(), "has moved: nothing was done".to_owned()),
        ] {
            let server = server(move || full(status, &header, "")).await;
            let Err(Undispatched::Refused(fault)) = dispatched(&server).await else {
                panic!("{status}")
            };
            assert!(fault.what.contains(&words), "{}", fault.what);
            assert!(fault.what.contains("acme/wall"), "{}", fault.what);
            assert!(fault.what.contains("[github] repository"), "{}", fault.what);
            assert_eq!(server.asked().len(), 1);
        }
    }
}
