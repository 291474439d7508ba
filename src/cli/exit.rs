//! What the exit code says, for the whole program in one table.

use std::process::ExitCode;

use crate::estate::Verdict;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: OK, or done.
    Ok,
    /// 1: BAD, or failed.
    Bad,
    /// 2: wrong usage or configuration.
    Usage,
    /// 3: UNKNOWN: what is true could not be found out.
    Unknown,
    /// 4: waiting for approval.
    WaitingForApproval,
    /// 5: refused by a gate.
    Refused,
    /// 6: held by another.
    Held,
    /// 7: interrupted, and resumable.
    Interrupted,
    /// 8: rolled back.
    RolledBack,
    /// 128 + n: ended by signal n (1: the terminal hung up).
    Signal(i32),
}

/// The table, as `--help` prints it.
pub const TABLE: &str = "\
Exit codes:
  0  OK, or done
  1  BAD, or failed
  2  wrong usage or configuration
  3  UNKNOWN: what is true could not be found out
  4  waiting for approval
  5  refused by a gate
  6  held by another
  7  interrupted, and resumable
  8  rolled back
  128 + n  ended by signal n";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Bad => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::WaitingForApproval => 4,
            Self::Refused => 5,
            Self::Held => 6,
            Self::Interrupted => 7,
            Self::RolledBack => 8,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&Verdict> for Exit {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Ok,
            Verdict::Bad(_) => Self::Bad,
            Verdict::Unknown(_) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_help_is_the_table_of_the_code() {
        let all = [
            Exit::Ok,
            Exit::Bad,
            Exit::Usage,
            Exit::Unknown,
            Exit::WaitingForApproval,
            Exit::Refused,
            Exit::Held,
            Exit::Interrupted,
            Exit::RolledBack,
        ];
        for (place, exit) in (0u8..).zip(all) {
            assert_eq!(exit.code(), place);
            assert!(TABLE.contains(&format!("\n  {place}  ")), "{exit:?}");
        }
        assert_eq!(Exit::Signal(1).code(), 129);
    }
}
