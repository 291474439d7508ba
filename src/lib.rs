//! Wheelhouse: a terminal cockpit for releases.
//!
//! **Code returns a value that says what to do; only the outermost shell does it.**
//!
//! ```text
//!       clients (kube · octocrab · prometheus · alertmanager) KEYMAP
//!           │ domain values                                      │
//!   sources ──Observation──┐                        terminal ──Key──▶ Action
//!                          ▼                                     │
//!              update(&mut State, Event) -> Option<Command> ◀────┘
//!                          │                        │
//!                        State ──ui::draw──▶ frame  └─▶ tui performs: watch · log · act · copy · suspend · quit
//! ```
//!
//! | module | what it is | stays away from |
//! | --- | --- | --- |
//! | [`cli`] | the command line; the only place that names [`demo`], and the only one that prints | – |
//! | [`config`] | a file, checked at once: every problem with its line, column and key | everything but serde and toml |
//! | [`estate`] | pure: the world as observed, with ages; traffic, health, why a pod is not ready | clocks, I/O, ratatui |
//! | [`clients`] | the only place that names the network crates; every error is a `Fault` in words; a write is done, refused or not known to be either | tasks, app, ui |
//! | [`ops`] | operations (deploy, smoke, release, cutover, rollback, repair, clean-up): plan, machine and entries are pure; engine, lock, journal do | app, ui, sources |
//! | [`sources`] | what is watched and how often; sends `Observation`s through a bounded channel | app, ui |
//! | [`app`] | pure: the one state, its fold, the one table of keys and commands | tokio, ratatui, clocks |
//! | [`ui`] | pure: `draw(&State)`; one file a panel, a theme | tokio, clients, clocks |
//! | [`tui`] | the loop, the terminal and what is done to it, signals, supervision of tasks | demo |
//! | [`demo`] | the embedded estate: a loopback server that speaks the APIs of Kubernetes, GitHub, Prometheus and Alertmanager | every other module |
//!
//! `tests/architecture.rs` reads the sources and keeps the last column true.
//!
//! How current something is: a [`estate::Feed`] keeps its last good value. A watch says nothing while
//! nothing changes, so silence proves nothing; what confirms a feed is a *pulse*, a question that the
//! API server answers every 10 s, and only for kinds whose watch is open. Twice as old is stale.
//! Missing is never empty: before a whole listing was seen nothing is said to be absent.
//!
//! How something is changed: [`app::plan`] lays a plan over the screen (`app::dialog`, `app::confirm`,
//! `app::facts`), [`app::write`] gives the permit, `tui` looks once more, writes the intent down, sends it
//! once and reads it back; what cannot be found out stays UNKNOWN ([`estate::act::Outcome`]).
//!
//! How monitoring stops a cutover: [`estate::gates`] says which alerts and queries are gates, [`ops::monitoring`] asks
//! them as a worker, [`ops::check`] judges what they gave before a flip, and `ops::plan::soaked` after it. What is
//! not known closes a gate, and never moves traffic.
//!
//! What a person may begin by a key: [`app::operate`] asks [`ops::check`] with what was filled in, has a worker prepared for
//! it as soon as it is not refused, and sends that worker the hash of what stood on the screen.
//!
//! What a smoke test proves, and for how long: its record names the templates and digests that it was about
//! ([`ops::What::Tested`]); a cutover that demands a test compares them with what is there, in its plan and before each patch. One
//! that demands none is held to what it was planned over in the same way, and a release to what it deployed.
//!
//! What helm may do: a worker has the user's own helm say how a release stands and what a chart renders ([`ops::helm`]),
//! one gate of [`ops::check`] each judges that, and the engine asks once more before the upgrade, or of what became of one.
//!
//! What is forbidden: the policy beside the target ([`estate::policy`]) freezes what moves forward; one gate of
//! [`ops::plan`] asks it, for keys and headless alike, and the engine once more before the first patch.
//!
//! Who must agree: [`ops::approval`] reads requests, approvals and rejections strictly, one gate of [`ops::plan`] says
//! which of them counts for what would go live ([`ops::Plan::bound`]), and the engine asks it again before the first
//! flip. The admission policy in assets/kubernetes proves whom they are of. GitHub's review counts where somebody gave it, for what
//! its run deployed ([`ops::What::Reviewed`]).
//!
//! What comes from outside becomes [`estate::Safe`] text once, at ingest; widgets take nothing else.

pub mod app;
pub mod cli;
pub mod clients;
pub mod config;
pub mod demo;
pub mod estate;
pub mod ops;
pub mod sources;
pub mod tui;
pub mod ui;
