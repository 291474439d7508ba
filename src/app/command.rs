//! What the shell is to do: returned by [`update`](super::update()), performed by `tui`.

use serde::Serialize;

use super::Permit;
use super::operate::Wish;
use crate::estate::act::Doing;
use crate::estate::runs::RunLog;
use crate::estate::{LogTarget, Safe};

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Command {
    /// End, leaving the terminal as it was found.
    Quit,
    /// Stop the process like any job.
    Suspend,
    /// Draw everything anew.
    Repaint,
    /// Start watching an environment, if that was not done yet.
    Watch {
        /// Its place in the configuration.
        environment: usize,
    },
    /// Connect to an environment and the repository anew, with fresh credentials.
    Reconnect {
        /// Its place in the configuration.
        environment: usize,
    },
    /// Stream a log; the one streamed before ends.
    OpenLog {
        /// The environment's place in the configuration.
        environment: usize,
        /// Which log.
        target: LogTarget,
    },
    /// Fetch a job's log, or its failed step's; the one streamed before ends.
    OpenJobLog(RunLog),
    /// Stop streaming the log.
    CloseLog,
    /// Carry out an act, if the permit still holds.
    Act {
        /// What.
        doing: Doing,
        /// The environment's name.
        name: Safe,
        /// The right to.
        permit: Permit,
    },
    /// Tell the prepared worker of that number to go, if the permit still holds.
    Go {
        /// The proposal's number.
        number: u64,
        /// The environment's place in the configuration.
        environment: usize,
        /// The environment's name.
        name: Safe,
        /// The plan that the person saw.
        hash: Safe,
        /// Why.
        reason: Option<Safe>,
        /// Why the gates that are closed do not count.
        overridden: Option<Safe>,
        /// The right to; none where none is needed.
        permit: Option<Permit>,
    },
    /// Abort, adopt or abandon an operation, if the permit still holds.
    Operate {
        /// The proposal's number.
        number: u64,
        /// The environment's place in the configuration.
        environment: usize,
        /// The environment's name.
        name: Safe,
        /// Which of them, and to which operation.
        wish: Wish,
        /// Why.
        reason: Safe,
        /// The right to.
        permit: Option<Permit>,
    },
    /// Hand text to the terminal's clipboard.
    Copy(String),
    /// Ring the terminal's bell: a person is needed.
    Ring,
    /// Break something in the demo's estate, by the fault's name there.
    Inject(String),
}
