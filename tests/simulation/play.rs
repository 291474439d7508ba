//! One seed from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wheelhouse::ops::OperationKind::{Cleanup, Cutover, Deploy, Release, Repair, Rollback};
use wheelhouse::ops::bastion::Planted;
use wheelhouse::ops::engine::Ended;

use super::demand::{change, demand};
use super::end::{autoscaler_path, autoscalers, clean_up};
use super::fault::Fault;
use super::law::Rule;
use super::plot::{Plot, Shape};
use super::process::Process;
use super::release::{decide, freeze};
use super::script::{self, End, open, pause};
use super::sky::Sky;
use super::world::{NAMESPACE, SERVICES, World, lock};

/// What came of a seed.
pub struct Played {
    pub seed: u64,
    pub shape: Shape,
    pub broken: Vec<(Rule, String)>,
    pub hits: Vec<(Fault, &'static str)>,
    pub log: Vec<String>,
    pub lasted: Duration,
}

/// Runs `work` where time passes when nothing else is to do, on a stack that bears the futures of a debug build.
pub fn in_virtual_time<T, F>(work: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let here = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work())
    };
    let thread = std::thread::Builder::new().stack_size(32 << 20).spawn(here);
    match thread.unwrap().join() {
        Ok(out) => out,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Plays `seed`.
pub fn play(seed: u64, shape: Shape, planted: Option<Planted>) -> Played {
    in_virtual_time(move || async move {
        let sky = Sky::of(seed, &shape);
        let world = World::under(sky, seed, planted, shape.aimed, shape.rate);
        *lock(&world.meets) = shape.meets;
        let (told, local) = (world.clone(), world.clone());
        let story = tokio::task::spawn_local(async move { story(&local, shape).await });
        let hours = Duration::from_secs(4 * 3_600);
        match tokio::time::timeout(hours, story).await {
            Ok(told) => told.unwrap(),
            Err(_) => told.law().breaks(Rule::LeavesNothing, "it has no end"),
        }
        let broken = world.law().broken.clone();
        world.disband();
        Played {
            seed,
            shape,
            broken,
            hits: world.hits(),
            log: world.log(),
            lasted: Duration::from_millis(world.now()),
        }
    })
}

async fn story(world: &Arc<World>, shape: Shape) {
    let before = autoscalers(world).await;
    if shape.is_loose {
        loosen(world).await;
    }
    let before = match shape.is_loose {
        true => autoscalers(world).await,
        false => before,
    };
    let mut others = Vec::new();
    if let Some(answer) = shape.meets.approval {
        others.push(tokio::task::spawn_local(decide(world.clone(), answer)));
    }
    if let Some((from, thaw)) = shape.meets.freeze {
        others.push(tokio::task::spawn_local(freeze(world.clone(), from, thaw)));
    }
    act(world, shape.plot).await;
    world.calm();
    clean_up(world).await;
    world.is_over.store(true, Ordering::SeqCst);
    for other in others {
        other.await.unwrap();
    }
    world.end(&before).await;
}

/// Autoscalers that would let their colour shrink.
pub async fn loosen(world: &World) {
    for autoscaler in world.list(&autoscaler_path("")).await {
        let name = autoscaler["metadata"]["name"].as_str().unwrap_or_default();
        let patch = json!([{"op": "replace", "path": "/spec/minReplicas", "value": 1}]);
        world.ask("PATCH", &autoscaler_path(name), patch).await;
    }
}

async fn act(world: &Arc<World>, plot: Plot) {
    let kind = match plot {
        Plot::Deployed => Deploy,
        Plot::CleanedUp => Cleanup,
        Plot::Released => Release,
        _ => Cutover,
    };
    if let Plot::Demanding(what) = plot {
        demand(world, what).await;
    }
    let first = begin(world, "alice", 0, What::Operate(kind));
    let soon = match plot {
        // While it lasts; else there is nobody to stop, and nothing to take over.
        Plot::Aborted | Plot::Adopted | Plot::Abandoned => world.chance.between(1, 19),
        // A probe fails three times before anything shows.
        Plot::Ill => world.chance.between(0, 4),
        _ => world.chance.between(0, 24),
    };
    let third = (plot == Plot::Crowd).then(|| {
        let soon = soon + world.chance.between(0, 1);
        let what = world.chance.one_of(&[What::Adopt, What::Operate(Rollback)]);
        begin(world, "alice", soon, what)
    });
    let second = match plot {
        // What monitoring says is written in the sky.
        Plot::Alone | Plot::Alarmed | Plot::Blind => None,
        // The first time round nobody comes between, so that every step is met.
        Plot::Deployed if world.rate() == 0 => None,
        Plot::Deployed => match world.chance.between(0, 3) {
            0 => Some(begin(world, "bob", soon, What::Adopt)),
            1 => Some(begin(world, "bob", soon, What::Abort)),
            _ => None,
        },
        Plot::ThereAndBack => None,
        Plot::Released if lock(&world.meets).is_alone => None,
        Plot::Released => beside(world),
        Plot::CleanedUp => Some(meanwhile(world, soon)),
        Plot::Demanding(_) => {
            pause(soon / 8).await;
            change(world).await;
            None
        }
        Plot::Race => Some(begin(world, "bob", 0, What::Operate(Cutover))),
        Plot::RolledBack | Plot::Crowd => Some(begin(world, "bob", soon, What::Operate(Rollback))),
        Plot::Aborted => Some(begin(world, "bob", soon, What::Abort)),
        Plot::Adopted => Some(begin(world, "bob", soon, What::Adopt)),
        Plot::Abandoned => Some(begin(world, "bob", soon, What::Abandon)),
        Plot::Meddled => {
            pause(soon).await;
            meddle(world).await;
            None
        }
        Plot::Bereft => {
            pause(soon).await;
            bereave(world).await;
            None
        }
        Plot::Ill => {
            pause(soon).await;
            let ill = world.chance.one_of(&["frontend", "backend"]);
            let kind = world.chance.one_of(&["readiness-failure", "crash"]);
            let name = format!("digital-wall-green-{ill}");
            world
                .act(json!({"do": kind, "deployment": name, "for": "2m"}))
                .await;
            None
        }
    };
    let mut ended = first.await.unwrap();
    if matches!(ended, End::Refused(_)) && open(world).await.is_empty() {
        // Whoever is refused tries once more.
        ended = begin(world, "alice", 2, What::Operate(kind)).await.unwrap();
    }
    if plot == Plot::Meddled {
        begin(world, "bob", 0, What::Operate(Repair)).await.unwrap();
    }
    if plot == Plot::ThereAndBack {
        begin(world, "bob", soon, What::Operate(Rollback))
            .await
            .unwrap();
    }
    for other in [second, third].into_iter().flatten() {
        other.await.unwrap();
    }
    after(world, &ended, plot).await;
}

/// What the other one does while a colour is cleaned up. A rollback goes to that colour too, as long as it is whole.
fn meanwhile(world: &Arc<World>, soon: u64) -> JoinHandle<End> {
    let soon = soon / 4;
    let what = match world.chance.between(0, 5) {
        0 => What::Operate(Cutover),
        1 | 2 => What::Operate(Rollback),
        3 => What::Adopt,
        4 => What::Abandon,
        _ => {
            let world = world.clone();
            return tokio::task::spawn_local(async move {
                pause(soon).await;
                meddle(&world).await;
                End::Said
            });
        }
    };
    begin(world, "bob", soon, what)
}

/// What the other one does while a release deploys, flips or watches.
fn beside(world: &Arc<World>) -> Option<JoinHandle<End>> {
    let soon = world.chance.between(0, 60);
    let what = match world.chance.between(0, 7) {
        0 => What::Adopt,
        1 => What::Abort,
        2 => What::Abandon,
        3 => What::Operate(Rollback),
        4 => What::Operate(Cutover),
        5 => {
            let world = world.clone();
            return Some(tokio::task::spawn_local(async move {
                pause(soon).await;
                meddle(&world).await;
                End::Said
            }));
        }
        6 => {
            let (world, kind) = (
                world.clone(),
                world.chance.one_of(&["readiness-failure", "crash"]),
            );
            return Some(tokio::task::spawn_local(async move {
                pause(soon).await;
                let ill =
                    json!({"do": kind, "deployment": "digital-wall-green-backend", "for": "2m"});
                world.act(ill).await;
                End::Said
            }));
        }
        _ => return None,
    };
    Some(begin(world, "bob", soon, what))
}

/// Somebody patches the selectors by hand, and perhaps back.
async fn meddle(world: &Arc<World>) {
    for _ in 0..world.chance.between(1, 2) {
        let manager = world.chance.one_of(&["kubectl-patch", "argocd-controller"]);
        world.act(json!({"do": "flip", "manager": manager})).await;
        let now = world.now();
        for service in SERVICES {
            world.law().meddled(service, now);
        }
        pause(world.chance.between(1, 15)).await;
    }
}

/// Somebody deletes what an operation hangs on.
async fn bereave(world: &Arc<World>) {
    let Some(id) = open(world).await.first().cloned() else {
        return;
    };
    let (namespace, rest) = match world.chance.permille(500) {
        true => ("wheelhouse", format!("configmaps/wheelhouse-{id}")),
        false => (
            NAMESPACE,
            format!("leases/wheelhouse-service-{}", SERVICES[0]),
        ),
    };
    let group = match namespace {
        NAMESPACE => "apis/coordination.k8s.io/v1",
        _ => "api/v1",
    };
    let path = format!("/{group}/namespaces/{namespace}/{rest}");
    world.say(format!("somebody deletes {path}"));
    world.ask("DELETE", &path, Value::Null).await;
    if namespace != NAMESPACE {
        world.law().is_meddled = true;
        // Nobody can know what it held.
        let names = autoscalers(world).await.into_iter().map(|(name, ..)| name);
        world.law().is_left.extend(names);
    }
}

/// What somebody does.
#[derive(Clone, Copy, Debug)]
enum What {
    Operate(wheelhouse::ops::OperationKind),
    Abort,
    Adopt,
    Abandon,
}

fn begin(world: &Arc<World>, who: &'static str, soon: u64, what: What) -> JoinHandle<End> {
    let world = world.clone();
    tokio::task::spawn_local(async move {
        pause(soon).await;
        let process = Process::new(&world, who);
        if let What::Operate(kind) = what {
            if kind == Rollback && world.chance.permille(500) {
                process.spare();
                return script::unhindered(process).await;
            }
            return script::operate(process, kind).await;
        }
        let Some(id) = open(&world).await.first().cloned() else {
            return End::Said;
        };
        world.say(format!("{process:?} {what:?} {id}"));
        match what {
            What::Abort => script::abort(process, id).await,
            What::Adopt => script::adopt(process, id).await,
            _ => script::abandon(process, id).await,
        }
    })
}

/// Somebody finds what a worker left.
async fn after(world: &Arc<World>, ended: &End, plot: Plot) {
    let is_over = matches!(ended, End::Ended(Ended::Closed(..)));
    for _ in 0..2 {
        if is_over || open(world).await.is_empty() {
            return;
        }
        pause(world.chance.between(1, 70)).await;
        let who = world.chance.one_of(&["alice", "bob"]);
        let what = match world.chance.between(0, 9) {
            0..=5 => What::Adopt,
            // A rollback goes to the other colour: where half is deployed nobody means that.
            6..=7 if !matches!(plot, Plot::Deployed | Plot::CleanedUp) => What::Operate(Rollback),
            _ => What::Abandon,
        };
        begin(world, who, 0, what).await.unwrap();
    }
}
