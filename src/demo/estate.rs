//! The world shared by requests and by the task that moves it on.

use super::clock::{Clock, wall};
use super::random::Random;
use super::world::World;
use super::{Fault, Options};
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};

/// A simulated estate: cheap to clone, all clones are the same one.
#[derive(Clone, Debug)]
pub struct Estate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    moved: Notify,
    clock: Clock,
    operator: String,
    viewer: String,
    quit: watch::Sender<bool>,
    seen: watch::Sender<Instant>,
    open: AtomicU64,
}

/// A client that is being served: while one lives, the estate is not idle.
#[derive(Debug)]
pub(super) struct Visit(Estate);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.0.seen.send_replace(Instant::now());
    }
}

impl Estate {
    /// An estate that begins now; its wall clock stands at `epoch`. Nothing moves by itself until it
    /// is driven; the port of `options` is not used.
    pub fn new(options: &Options, epoch: Timestamp) -> Result<Self, Fault> {
        // First of all: else its wall clock would lag by as long as the making of the world takes.
        let clock = Clock::start();
        let world = World::new(options, epoch)?;
        Ok(Self::of(world, clock, options.seed))
    }

    /// Another estate that stands as this one stood at its beginning, with a chance of its own, and without
    /// what GitHub and Prometheus know: for those who need many. This one must not have been driven.
    #[must_use]
    pub fn twin(&self, seed: u64) -> Self {
        // Not `locked`: time does not pass for the one that all are made of.
        let world = self.0.world.lock().unwrap_or_else(PoisonError::into_inner);
        Self::of(world.twin(seed), Clock::start(), seed)
    }

    fn of(world: World, clock: Clock, seed: u64) -> Self {
        let mut random = Random::of(seed, "tokens");
        Self(Arc::new(Inner {
            world: Mutex::new(world),
            moved: Notify::new(),
            clock,
            operator: format!("demo-operator-{}", random.hex(24)),
            viewer: format!("demo-viewer-{}", random.hex(24)),
            quit: watch::Sender::new(false),
            seen: watch::Sender::new(Instant::now()),
            open: AtomicU64::new(0),
        }))
    }

    /// The bearer token of the user `demo-operator`, who may do everything.
    pub fn operator_token(&self) -> &str {
        &self.0.operator
    }

    /// The bearer token of the user `demo-viewer`, who may read.
    pub fn viewer_token(&self) -> &str {
        &self.0.viewer
    }

    /// Moves the world on whenever something is due; sleeps in between.
    pub async fn drive(self) {
        loop {
            let next = self.locked(|world| world.queue.next());
            let moved = self.0.moved.notified();
            match next {
                None => moved.await,
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(self.0.clock.instant(at)) => {}
                    () = moved => {}
                },
            }
        }
    }

    /// Does something with the world as it is now.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let (before, after, out) = self.locked(|world| {
            let before = world.queue.next();
            let out = act(world);
            (before, world.queue.next(), out)
        });
        if before != after {
            self.0.moved.notify_one();
        }
        out
    }

    fn locked<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.0.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.0.clock.now());
        act(&mut world)
    }

    /// The wall-clock time of the estate.
    pub(super) fn wall(&self) -> Timestamp {
        self.with(|world| wall(world.epoch, world.now))
    }

    pub(super) fn clock(&self) -> Clock {
        self.0.clock
    }

    /// Begins a visit; the estate is idle once all have ended.
    pub(super) fn visit(&self) -> Visit {
        self.0.open.fetch_add(1, Ordering::SeqCst);
        self.0.seen.send_replace(Instant::now());
        Visit(self.clone())
    }

    pub(super) fn quit(&self) {
        self.0.quit.send_replace(true);
    }

    /// Ends when [`Estate::quit`] was called, or after so long without a visit.
    pub(super) async fn over(&self, idle: Option<Duration>) {
        let (mut quit, mut seen) = (self.0.quit.subscribe(), self.0.seen.subscribe());
        loop {
            let is_open = self.0.open.load(Ordering::SeqCst) > 0;
            let end = idle
                .filter(|_| !is_open)
                .map(|idle| *seen.borrow_and_update() + idle);
            let idle_ends = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = quit.wait_for(|quit| *quit) => return,
                _ = seen.changed() => {}
                () = idle_ends => return,
            }
        }
    }
}
