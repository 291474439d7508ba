//! Operations in virtual time: two operators on two bastions, faults at every request, and what must
//! never happen.
//!
//! ```text
//! engine ─▶ kube ─▶ wire (faults) ─▶ router of the embedded estate ─▶ law (what must never happen)
//! ```
//!
//! `SIM_SEEDS=10000 cargo test --test simulation -- holds` runs so many; `SIM_SEED=7 cargo test --test
//! simulation -- one --nocapture` tells what happened in one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    dead_code,
    reason = "tests"
)]

#[path = "simulation/asked.rs"]
mod asked;
#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/fault.rs"]
mod fault;
#[path = "simulation/law.rs"]
mod law;
#[path = "simulation/process.rs"]
mod process;
#[path = "simulation/script.rs"]
mod script;
#[path = "simulation/wire.rs"]
mod wire;
#[path = "simulation/world.rs"]
mod world;

use wheelhouse::ops::OperationKind;

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

#[test]
fn a_cutover_without_faults_is_done() {
    let began = std::time::Instant::now();
    let log = in_virtual_time(async {
        let world = world::World::new(1, None, None, 0);
        println!("made in {:?}", began.elapsed());
        let process = process::Process::new(&world, "alice");
        let end = script::operate(process, OperationKind::Cutover).await;
        println!("{end:?}");
        assert!(world.law().broken.is_empty(), "{:?}", world.law().broken);
        world.log()
    });
    println!("{}\n{:?}", log.join("\n"), began.elapsed());
}
