//! The one owned state. Views read it, [`update`](super::update()) writes it, nobody else has it.

use jiff::Timestamp;
use serde::Serialize;

use super::bell::Bell;
use super::chart::Charted;
use super::edit::Edit;
use super::operate::{Begun, Hints, Sent};
use super::operations::{Operations, Pace};
use super::palette::Palette;
use super::plan::Plan;
use super::rows::Cursor;
use super::write::Access;
use super::{Context, Keymap, Level, View};
use crate::estate::act::Doing;
use crate::estate::alerts::AlertScope;
use crate::estate::runs::{Repository, RepositoryScope};
use crate::estate::timeline::Topic;
use crate::estate::{Estate, Labels, Moment, Now, Safe, Scope, Tier};
use crate::ops::plan::{How, Probe};

/// The cockpit.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What is being released.
    pub title: Safe,
    /// The environments, in the order of the configuration. Never empty.
    pub environments: Vec<Environment>,
    /// The one on the screen.
    pub selected: usize,
    /// The repository's workflow runs; none where no GitHub is configured.
    pub repository: Option<Repository>,
    /// What the cursor is on in the panels beside Pods.
    pub picks: Picks,
    /// The focused panel of the first screen.
    pub panel: Panel,
    /// Levels below the first screen.
    pub levels: Vec<Level>,
    /// What is laid over the screen.
    pub overlay: Option<Overlay>,
    /// What the list is narrowed to.
    pub filter: Edit,
    /// Whether keys go to the filter.
    pub is_filtering: bool,
    /// Commands chosen in the palette, the latest last.
    pub history: Vec<String>,
    /// A line at the foot of the screen, for a while.
    pub notice: Option<Notice>,
    /// The chart of the alert whose page is open.
    pub chart: Option<Charted>,
    /// Who sits here, as others are told.
    pub author: Safe,
    /// What this cockpit changed, the latest last.
    pub acts: Vec<Doing>,
    /// How many operations were proposed here: the number of the last one.
    pub proposals: u64,
    /// What was confirmed and is not answered: it may end with the cockpit.
    pub sent: Vec<Sent>,
    /// Operations that this cockpit began.
    pub begun: Vec<Begun>,
    /// How long an operation's steps may take.
    pub pace: Pace,
    /// Whether a worker would end with this person's logout.
    pub ends_with_logout: bool,
    /// What the configuration warned of.
    pub warnings: Vec<Safe>,
    /// The present.
    pub now: Now,
    /// Why keys would be refused, as far as that costs to ask.
    pub hints: Hints,
    /// The terminal's columns and rows.
    pub size: (u16, u16),
    /// How it looks.
    pub look: Look,
    /// Local time's zone.
    pub zone: jiff::tz::TimeZone,
    /// The keys.
    pub keymap: Keymap,
    /// Set in the demo only.
    pub demo: Option<Demo>,
}

/// What the cursor is on, by identity; none: the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picks {
    /// A run, by id.
    pub run: Option<u64>,
    /// An alert, by its labels.
    pub alert: Option<Labels>,
    /// A happening, by time and words.
    pub happening: Option<(Timestamp, Safe)>,
    /// The only topic that the timeline shows; none: all.
    pub topic: Option<Topic>,
}

/// An environment and where the eye is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// The world as observed.
    pub estate: Estate,
    /// The operations about it.
    pub operations: Operations,
    /// Whether it is watched: from the first visit on.
    pub is_watched: bool,
    /// Whether it may be changed.
    pub access: Access,
    /// The cursor among its pods.
    pub cursor: Cursor,
    /// The Service under the cursor, by its place in the switch.
    pub service: usize,
    /// Pods that the filter leaves, in order; none: no filter.
    pub narrowed: Option<Vec<Safe>>,
    /// How it is deployed.
    pub how: How,
    /// What a smoke test asks there.
    pub probes: Vec<Probe>,
    /// What the terminal was rung for.
    pub bell: Bell,
}

/// The panels of the first screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Panel {
    /// Who is live. Always on the screen.
    Traffic,
    /// Workflow runs.
    Runs,
    /// Pods.
    Pods,
    /// Alerts.
    Alerts,
    /// What changed.
    Timeline,
}

impl Panel {
    /// In the order of Tab.
    pub const ALL: [Self; 5] = [
        Self::Traffic,
        Self::Runs,
        Self::Pods,
        Self::Alerts,
        Self::Timeline,
    ];
}

/// What is laid over the screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Overlay {
    /// The keys; scrolled by so many lines.
    Help(usize),
    /// Commands by name.
    Palette(Palette),
    /// The environments, with one chosen.
    Environments(usize),
    /// What waits for an approval, with one chosen by its id; none: the first.
    Approvals(Option<Safe>),
    /// What the demo can break, with one chosen.
    Faults(usize),
    /// What would be done, before it is.
    Plan(Box<Plan>),
}

/// A line at the foot of the screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// What it says.
    pub text: Safe,
    /// When it goes.
    pub until: Moment,
    /// Whether it answers a key: it goes with the next one, which it does not answer.
    pub is_answer: bool,
}

impl Notice {
    /// Whether it was told at that moment.
    pub fn is_of(&self, at: Moment) -> bool {
        self.until == Moment(at.0 + NOTICE_MS)
    }
}

/// How the screen looks, as decided once from options, configuration and environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Look {
    /// No glyphs beyond ASCII.
    pub ascii: bool,
    /// No colours (NO_COLOR).
    pub mono: bool,
    /// Local time instead of UTC.
    pub local_time: bool,
}

/// The demo's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Demo {
    /// What its estate can break: name and description.
    pub faults: Vec<(Safe, Safe)>,
}

/// What the state is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What is being released.
    pub title: Safe,
    /// The environments, and whether each is read-only.
    pub environments: Vec<(Scope, bool)>,
    /// How the alerts of each environment are read; none where no Prometheus is configured.
    pub alerts: Vec<Option<AlertScope>>,
    /// How each environment is deployed; by images where nothing is said.
    pub hows: Vec<How>,
    /// What a smoke test asks in each.
    pub probes: Vec<Vec<Probe>>,
    /// The repository whose workflow runs are shown.
    pub repository: Option<RepositoryScope>,
    /// The keys.
    pub keymap: Keymap,
    /// How it looks.
    pub look: Look,
    /// Local time's zone.
    pub zone: jiff::tz::TimeZone,
    /// Whether it is the demo.
    pub is_demo: bool,
    /// Who sits here: user and host.
    pub author: Safe,
    /// How long an operation's steps may take.
    pub pace: Pace,
    /// Whether a worker would end with this person's logout.
    pub ends_with_logout: bool,
    /// What the configuration warned of.
    pub warnings: Vec<Safe>,
}

impl State {
    /// The run whose page is open, or whose job's log is.
    pub fn open_run(&self) -> Option<u64> {
        let mut views = self.levels.iter().rev().map(|level| &level.view);
        views.find_map(|view| match view {
            View::Run(id) => Some(*id),
            _ => None,
        })
    }

    /// A cockpit that has seen nothing yet. The first production environment is on the screen, else the first.
    pub fn new(setup: Setup) -> Self {
        let mut alerts = setup.alerts.into_iter();
        let (mut hows, mut probes) = (setup.hows.into_iter(), setup.probes.into_iter());
        let environments: Vec<Environment> = (setup.environments.into_iter())
            .map(|(scope, is_read_only)| Environment {
                estate: Estate::new(scope, alerts.next().flatten()),
                operations: Operations::default(),
                is_watched: false,
                access: match is_read_only {
                    true => Access::ReadOnly,
                    false => Access::Open,
                },
                cursor: Cursor::default(),
                service: 0,
                narrowed: None,
                how: hows.next().unwrap_or_default(),
                probes: probes.next().unwrap_or_default(),
                bell: Bell::default(),
            })
            .collect();
        let production = |e: &Environment| e.estate.scope.tier == Tier::Production;
        Self {
            title: setup.title,
            selected: environments.iter().position(production).unwrap_or(0),
            environments,
            repository: setup.repository.map(Repository::new),
            hints: Hints::default(),
            picks: Picks::default(),
            panel: Panel::Pods,
            levels: Vec::new(),
            overlay: None,
            filter: Edit::default(),
            is_filtering: false,
            history: Vec::new(),
            notice: None,
            author: setup.author,
            chart: None,
            acts: Vec::new(),
            proposals: 0,
            sent: Vec::new(),
            begun: Vec::new(),
            pace: setup.pace,
            ends_with_logout: setup.ends_with_logout,
            warnings: setup.warnings,
            now: Now {
                wall: Timestamp::UNIX_EPOCH,
                at: Moment(0),
            },
            size: (80, 24),
            look: setup.look,
            zone: setup.zone,
            keymap: setup.keymap,
            demo: setup.is_demo.then(Demo::default),
        }
    }

    /// The environment on the screen.
    pub fn environment(&self) -> &Environment {
        &self.environments[self.selected]
    }

    /// The environment on the screen.
    pub fn environment_mut(&mut self) -> &mut Environment {
        &mut self.environments[self.selected]
    }

    /// The estate on the screen.
    pub fn estate(&self) -> &Estate {
        &self.environment().estate
    }

    /// The level on the screen; none on the first screen.
    pub fn view(&self) -> Option<&View> {
        self.levels.last().map(|l| &l.view)
    }

    /// Where keys are looked up.
    pub fn context(&self) -> Context {
        match (&self.overlay, self.view()) {
            (Some(_), _) => Context::Overlay,
            (None, None) => Context::Home,
            (None, Some(View::Log(_))) => Context::Log,
            (None, Some(_)) => Context::Detail,
        }
    }

    /// Allows changes to the environment on the screen for so many milliseconds, or no more.
    pub fn write(&mut self, lasts: Option<u64>) {
        let until = lasts.map(|ms| Moment(self.now.at.0.saturating_add(ms)));
        let environment = self.environment_mut();
        environment.access.open(until);
        let name = environment.estate.scope.name.clone();
        self.tell(&match until {
            Some(_) => format!("{name} may be changed while the window is open"),
            None => format!("{name} is read-only again"),
        });
    }

    /// Shows `text` at the foot for a while.
    pub fn tell(&mut self, text: &str) {
        self.notice = Some(Notice {
            text: Safe::new(text),
            until: Moment(self.now.at.0 + NOTICE_MS),
            is_answer: false,
        });
    }

    /// The moment at which the screen changes by itself: ages go in steps of 10 s, an operation's of 1 s.
    pub fn wakes_at(&self) -> Moment {
        self.wakes(0)
    }

    /// The moment until which nothing has to be done: an age may wait a second for the pulse of the cluster, which
    /// comes at the same moments and wakes the machine anyway.
    pub fn sleeps_until(&self) -> Moment {
        self.wakes(AGE_WAITS_MS)
    }

    fn wakes(&self, age_waits: u64) -> Moment {
        // What is under way is counted down by the second.
        let (step, wait) = match self.environment().operations.open() {
            Some(_) => (SECOND_MS, 0),
            None => (AGE_STEP_MS, age_waits),
        };
        let step = Moment((self.now.at.0 / step + 1) * step + wait);
        let notice = self.notice.as_ref().map(|n| n.until);
        let plan = match &self.overlay {
            Some(Overlay::Plan(plan)) => plan.dialog.wakes_at(),
            _ => None,
        };
        let window = match self.environment().access {
            Access::Window(until) => Some(until),
            Access::Open | Access::ReadOnly => None,
        };
        // What is past wakes nobody: a prompt that listens already, a window that is over.
        let ahead = |at: &Moment| *at > self.now.at;
        let others = [plan, window].into_iter().flatten().filter(ahead);
        others.chain(notice).fold(step, Moment::min)
    }
}

/// The smallest window that gets more than one line.
pub const SMALLEST: (u16, u16) = (60, 15);
/// How long a notice stays.
const NOTICE_MS: u64 = 6_000;
/// The step in which what is under way is counted.
pub(super) const SECOND_MS: u64 = 1_000;
/// The step in which ages are shown.
const AGE_STEP_MS: u64 = 10_000;
/// How much later than that they may be.
const AGE_WAITS_MS: u64 = 1_000;
