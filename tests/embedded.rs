//! The embedded estate keeps the contract that the real plane keeps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

#[path = "contract/mod.rs"]
mod contract;

use wheelhouse::demo::{Options, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_estate_keeps_the_contract() {
    let serving = serve(Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let estate = contract::Estate {
        operator: folder.path().join("operator"),
        viewer: folder.path().join("viewer"),
        context: Some("prod-eu".into()),
        namespace: "production".into(),
        records: "wheelhouse".into(),
    };
    std::fs::write(&estate.operator, serving.kubeconfig()).unwrap();
    std::fs::write(&estate.viewer, serving.viewer_kubeconfig()).unwrap();
    contract::run(estate, &[]).await;
    serving.stop();
}
