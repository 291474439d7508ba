//! What happens in one seed: who does what and when, and which fault is aimed at which step.

use super::chance::Chance;
use super::fault::{Aimed, Fault};
use super::release::{Answer, Meets, Pods, Thaw};
use super::world::Demand;

/// What the people of a seed do beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// One cuts over.
    Alone,
    /// One cuts over, and rolls back when that is over.
    ThereAndBack,
    /// Both cut over in the same second.
    Race,
    /// The other one rolls back meanwhile.
    RolledBack,
    /// The other one aborts it.
    Aborted,
    /// The other one takes it over.
    Adopted,
    /// The other one abandons it.
    Abandoned,
    /// Somebody patches the selector by hand.
    Meddled,
    /// The colour that traffic went to falls ill.
    Ill,
    /// Somebody deletes a Lease, or the record.
    Bereft,
    /// The other one rolls back while the first one does too, or takes it over.
    Crowd,
    /// An alert begins to fire for the colour that traffic goes to.
    Alarmed,
    /// Monitoring is away, or gives NaN, for a while.
    Blind,
    /// One deploys to the idle colour; the other one may take it over, or abort it.
    Deployed,
    /// One cleans the idle colour up; the other one brings traffic to it meanwhile. Not one of `PLOTS`: its seeds are
    /// its own, so that those of the others stay what they are.
    CleanedUp,
    /// One releases; the other one takes it over, aborts or abandons it, rolls back, meddles, or makes the colour ill.
    /// Its seeds are its own, too.
    Released,
    /// A cutover demands a smoke test, or an approval, which is there; the colour gets another revision meanwhile.
    Demanding(Demand),
}

const PLOTS: [Plot; 14] = [
    Plot::Alone,
    Plot::ThereAndBack,
    Plot::Race,
    Plot::RolledBack,
    Plot::Aborted,
    Plot::Adopted,
    Plot::Abandoned,
    Plot::Meddled,
    Plot::Ill,
    Plot::Bereft,
    Plot::Crowd,
    Plot::Alarmed,
    Plot::Blind,
    Plot::Deployed,
];

/// What a process can be at in `PLOTS`.
pub const STAGES: [&str; 16] = [
    "plan", "lock", "hold", "flip", "move", "watch", "undo", "return", "restore", "close", "adopt",
    "ask", "abandon", "update", "roll out", "verify",
];

/// What one can be at that cleans up.
pub const STAGES_OF_CLEAN_UP: [&str; 5] = ["plan", "lock", "update", "verify", "close"];

/// What one can be at that releases, and whoever approves or freezes that.
pub const STAGES_OF_RELEASE: [&str; 17] = [
    "plan", "lock", "update", "roll out", "verify", "smoke", "middle", "hold", "flip", "move",
    "watch", "undo", "return", "restore", "close", "approve", "freeze",
];

/// In which plots a stage is met.
fn plots(stage: &str) -> &'static [Plot] {
    match stage {
        "undo" | "return" => &[Plot::Aborted, Plot::Ill, Plot::Alarmed],
        "adopt" => &[Plot::Adopted],
        "ask" => &[Plot::Aborted],
        "abandon" => &[Plot::Abandoned],
        "update" | "roll out" | "verify" => &[Plot::Deployed],
        _ => &PLOTS,
    }
}

/// Why a fault cannot happen at a stage; none where it can.
pub fn impossible(fault: Fault, stage: &str) -> Option<&'static str> {
    let patches = [
        "hold", "flip", "undo", "restore", "adopt", "abandon", "update", "freeze",
    ];
    match (fault, stage) {
        (_, "plan") if fault.is_of_writes() => Some("planning writes nothing"),
        (Fault::Invalid, _) if !patches.contains(&stage) => Some("no JSON Patch is sent there"),
        _ => None,
    }
}

/// One seed.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub plot: Plot,
    pub aimed: Option<Aimed>,
    /// Of a thousand requests, so many meet a fault besides.
    pub rate: u64,
    /// Whether the autoscalers would let the colours shrink.
    pub is_loose: bool,
    /// What a release meets besides.
    pub meets: Meets,
}

impl Shape {
    pub fn of(seed: u64) -> Self {
        let chance = Chance::of(seed, "shape");
        let all = possible(&STAGES);
        let place = usize::try_from(seed % all.len() as u64).unwrap_or(0);
        let (fault, stage) = all[place];
        let plots = plots(stage);
        // The first time round nothing else goes wrong, so that what is aimed at is met.
        let is_first = seed < all.len() as u64;
        let most = match (stage, is_first) {
            // Writes are fewer than reads: of a flip the patch and the entry after it.
            ("flip" | "watch" | "update", _) if fault.is_of_writes() => 1,
            ("flip", _) => 7,
            ("watch", _) => 5,
            ("plan" | "lock", false) => 4,
            (_, is_first) => u64::from(!is_first),
        };
        Self {
            plot: match (is_first, stage) {
                (true, _) if plots.len() == PLOTS.len() => {
                    chance.one_of(&[Plot::Alone, Plot::ThereAndBack])
                }
                // An alarm may ring before anything was flipped: then there is no way back to be met on.
                (true, "undo" | "return") => chance.one_of(&[Plot::Aborted, Plot::Ill]),
                _ => chance.one_of(plots),
            },
            aimed: Some(Aimed {
                fault,
                stage,
                after: chance.between(0, most),
            }),
            rate: match is_first {
                true => 0,
                false => chance.one_of(&[5, 20, 60]),
            },
            is_loose: stage == "hold" || chance.permille(400),
            meets: Meets::default(),
        }
    }
}

impl Shape {
    /// One of those in which a colour is cleaned up.
    pub fn cleaned_up(seed: u64) -> Self {
        let chance = Chance::of(seed, "cleaned up");
        let stage = chance.one_of(&STAGES_OF_CLEAN_UP);
        let fault = chance.one_of(&Fault::ALL);
        let aimed = impossible(fault, stage).is_none().then(|| Aimed {
            fault,
            stage,
            after: chance.between(0, 4),
        });
        Self {
            plot: Plot::CleanedUp,
            aimed,
            rate: chance.one_of(&[0, 5, 20, 60]),
            is_loose: chance.permille(400),
            meets: Meets::default(),
        }
    }
}

impl Shape {
    /// One of those in which all of it is one operation.
    pub fn released(seed: u64) -> Self {
        let chance = Chance::of(seed, "released");
        let stages = [
            "lock", "update", "roll out", "verify", "middle", "hold", "flip", "move", "watch",
            "undo", "restore", "close",
        ];
        let stage = chance.one_of(&stages);
        let fault = chance.one_of(&Fault::ALL);
        let aimed = impossible(fault, stage).is_none().then(|| Aimed {
            fault,
            stage,
            after: chance.between(0, 4),
        });
        let shape = Self {
            plot: Plot::Released,
            aimed,
            rate: chance.one_of(&[0, 5, 20, 60]),
            is_loose: chance.permille(400),
            meets: Meets::of(seed),
        };
        shape.in_turn(seed)
    }

    /// Every third seed has a fault and a stage in turn; every other time round nothing else gets in its way.
    fn in_turn(self, seed: u64) -> Self {
        let all = possible(&STAGES_OF_RELEASE);
        let (turn, many) = (seed / 3, all.len() as u64);
        if !seed.is_multiple_of(3) {
            return self;
        }
        let (fault, stage) = all[usize::try_from(turn % many).unwrap_or(0)];
        let is_alone = turn / many % 2 == 0;
        let chance = Chance::of(seed, "released in turn");
        let mut meets = match is_alone {
            true => Meets::default(),
            false => self.meets,
        };
        match stage {
            "smoke" => meets.smoke = Some(chance.one_of(&[Pods::Well, Pods::Rebuilt(3)])),
            "approve" => meets.approval = Some(chance.one_of(&[Answer::Yes, Answer::YesToOther])),
            // The freeze is made, and the thaw is a patch.
            "freeze" => meets.freeze = Some((chance.between(0, 20), Thaw::By(30))),
            "undo" | "return" => meets.comes_back = true,
            _ => {}
        }
        let most = match stage {
            // A single request, or a single write.
            "hold" | "approve" => 0,
            _ if fault.is_of_writes() => 0,
            "smoke" | "middle" | "move" | "return" | "close" | "verify" => 1,
            _ => 4,
        };
        Self {
            aimed: Some(Aimed {
                fault,
                stage,
                after: chance.between(0, most),
            }),
            rate: if is_alone { 0 } else { self.rate },
            is_loose: stage == "hold" || self.is_loose,
            meets: Meets { is_alone, ..meets },
            ..self
        }
    }
}

/// Every fault at every one of `stages` where it can happen.
pub fn possible(stages: &[&'static str]) -> Vec<(Fault, &'static str)> {
    let of = |fault| stages.iter().map(move |stage| (fault, *stage));
    let all = Fault::ALL.into_iter().flat_map(of);
    all.filter(|(fault, stage)| impossible(*fault, stage).is_none())
        .collect()
}
