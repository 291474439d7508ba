//! What happens to a request, and to whoever sent it.

use super::asked::Asked;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It never arrives.
    Lost,
    /// It arrives, and its answer does not.
    LostReply,
    /// 409, and nothing is applied.
    Conflict,
    /// 422, and nothing is applied.
    Invalid,
    /// 429 with Retry-After, and nothing is applied.
    TooMany,
    /// 500, 503 or 504, and nothing is applied.
    Broken,
    /// 500, 503 or 504, and it is applied.
    BrokenApplied,
    /// It arrives long after its sender gave up on it.
    Late,
    /// The sender dies before it is sent.
    CrashBefore,
    /// The sender dies, and it arrives.
    CrashAfter,
    /// The sender is stopped for a while (SIGSTOP, suspend): its clock counts it.
    Stop,
    /// The sender's machine is frozen (a VM paused by its host): its clocks do not count it.
    Freeze,
    /// The wall clock jumps an hour ahead.
    Ahead,
    /// The wall clock jumps an hour back.
    Behind,
    /// Nothing gets through for a while, of this sender.
    CutOff,
}

use Fault::{
    Ahead, Behind, Broken, BrokenApplied, Conflict, CrashAfter, CrashBefore, CutOff, Freeze,
    Invalid, Late, Lost, LostReply, Stop, TooMany,
};

impl Fault {
    pub const ALL: [Self; 15] = [
        Lost,
        LostReply,
        Conflict,
        Invalid,
        TooMany,
        Broken,
        BrokenApplied,
        Late,
        CrashBefore,
        CrashAfter,
        Stop,
        Freeze,
        Ahead,
        Behind,
        CutOff,
    ];

    /// Whether only a write can meet it: a read is never refused so, and applies nothing.
    pub fn is_of_writes(self) -> bool {
        matches!(self, Conflict | Invalid | BrokenApplied | Late)
    }

    /// Whether it can happen to what was asked.
    pub fn fits(self, asked: &Asked) -> bool {
        match self {
            // JSON Patches are what is tested and found wrong.
            Invalid => asked.method == "PATCH",
            Conflict => asked.is_write(),
            _ if self.is_of_writes() => asked.is_write(),
            _ => true,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Lost => "lost",
            LostReply => "lost reply",
            Conflict => "409",
            Invalid => "422",
            TooMany => "429",
            Broken => "5xx",
            BrokenApplied => "5xx, done",
            Late => "late",
            CrashBefore => "crash before",
            CrashAfter => "crash after",
            Stop => "stopped",
            Freeze => "frozen",
            Ahead => "clock +1 h",
            Behind => "clock -1 h",
            CutOff => "cut off",
        }
    }
}

/// A fault that is meant to hit: so every combination is met by some seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aimed {
    pub fault: Fault,
    /// The stage of its sender.
    pub stage: &'static str,
    /// How many requests that it fits are let through before.
    pub after: u64,
}
