//! What a person can mean: every action, with the stable name that help, palette, config and docs share.

use serde::Serialize;

use super::state::Panel;

/// What a person meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Action {
    /// Ends the cockpit (operations go on in their workers).
    Quit,
    /// One level back; at the root, `q` quits and Esc does nothing.
    Back,
    /// Closes what is open, then detaches.
    Interrupt,
    /// One level back, never further than the root.
    Escape,
    /// The keys of this view.
    Help,
    /// Commands by name.
    Palette,
    /// What changes something, each with why it may not be done now.
    Actions,
    /// Narrow the list.
    Filter,
    /// Choose an environment.
    Environments,
    /// Focus that panel.
    Focus(Panel),
    /// The next panel.
    NextPanel,
    /// The panel before.
    PreviousPanel,
    /// One up.
    Up,
    /// One down.
    Down,
    /// To the left, or to BLUE.
    Left,
    /// To the right, or to GREEN.
    Right,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// A level down, into what is selected.
    Open,
    /// The log of the selected pod or container.
    Logs,
    /// The log of its previous run.
    PreviousLogs,
    /// Follow the log's end, or stop following.
    Follow,
    /// Wrap the log's long lines, or cut them.
    Wrap,
    /// Ask the API again, with new credentials.
    Reconnect,
    /// Copy the selected name.
    Copy,
    /// Copy the timeline as text.
    CopyNote,
    /// The timeline's topics, one at a time.
    Topic,
    /// UTC or local time.
    LocalTime,
    /// Draw everything anew.
    Repaint,
    /// Stop like any job; `fg` comes back.
    Suspend,
    /// Break something in the demo.
    InjectFault,
    /// Plan a silence of the alert here.
    Silence,
    /// Plan a longer silence of it.
    ExtendSilence,
    /// Plan the end of its silence.
    ExpireSilence,
    /// Plan to move traffic to the other colour.
    Cutover,
    /// Plan to move it back.
    Rollback,
    /// Plan to make the selectors what was meant.
    Repair,
    /// Plan to give the idle colour other images.
    Deploy,
    /// Plan to ask each of its pods whether it answers.
    Smoke,
    /// Plan all of it: a deploy, its smoke test, and the cutover.
    Release,
    /// The operation of this environment, entry by entry.
    Operation,
    /// Plan to have it stopped and undone.
    Abort,
    /// Plan to take it over from a worker that is gone.
    Adopt,
    /// Plan to end it as it stands.
    Abandon,
    /// Plan to let nothing move forward here.
    Freeze,
    /// Plan to let it again.
    Thaw,
    /// Plan a cutover that passes over a freeze.
    BreakGlass,
    /// Plan to close a broken glass with a note.
    CloseGlass,
    /// Plan to scale the idle colour to 0.
    Cleanup,
    /// Plan to say how long the idle colour is kept.
    Warm,
    /// What waits for an approval.
    Approvals,
    /// Plan to ask for another person's approval.
    AskApproval,
    /// Plan to approve what the list's cursor is on.
    Approve,
    /// Plan to reject it.
    Reject,
}

impl Action {
    /// Every action, in the order of the help.
    pub const ALL: &'static [Self] = &[
        Self::Up,
        Self::Down,
        Self::Left,
        Self::Right,
        Self::Top,
        Self::Bottom,
        Self::PageUp,
        Self::PageDown,
        Self::HalfUp,
        Self::HalfDown,
        Self::Open,
        Self::Escape,
        Self::Back,
        Self::Focus(Panel::Traffic),
        Self::Focus(Panel::Runs),
        Self::Focus(Panel::Pods),
        Self::Focus(Panel::Alerts),
        Self::Focus(Panel::Timeline),
        Self::NextPanel,
        Self::PreviousPanel,
        Self::Logs,
        Self::PreviousLogs,
        Self::Follow,
        Self::Wrap,
        Self::Filter,
        Self::Palette,
        Self::Actions,
        Self::Environments,
        Self::Help,
        Self::Reconnect,
        Self::Copy,
        Self::CopyNote,
        Self::Topic,
        Self::LocalTime,
        Self::Repaint,
        Self::Suspend,
        Self::InjectFault,
        Self::Silence,
        Self::ExtendSilence,
        Self::ExpireSilence,
        Self::Cutover,
        Self::Rollback,
        Self::Repair,
        Self::Deploy,
        Self::Smoke,
        Self::Release,
        Self::Operation,
        Self::Abort,
        Self::Adopt,
        Self::Abandon,
        Self::Freeze,
        Self::Thaw,
        Self::BreakGlass,
        Self::CloseGlass,
        Self::Cleanup,
        Self::Warm,
        Self::Approvals,
        Self::AskApproval,
        Self::Approve,
        Self::Reject,
        Self::Interrupt,
        Self::Quit,
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Back => "back",
            Self::Interrupt => "interrupt",
            Self::Escape => "escape",
            Self::Help => "help",
            Self::Palette => "palette",
            Self::Actions => "actions",
            Self::Filter => "filter",
            Self::Environments => "environments",
            Self::Focus(Panel::Traffic) => "traffic",
            Self::Focus(Panel::Runs) => "runs",
            Self::Focus(Panel::Pods) => "pods",
            Self::Focus(Panel::Alerts) => "alerts",
            Self::Focus(Panel::Timeline) => "timeline",
            Self::NextPanel => "next-panel",
            Self::PreviousPanel => "previous-panel",
            Self::Up => "up",
            Self::Down => "down",
            Self::Left => "left",
            Self::Right => "right",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::PageUp => "page-up",
            Self::PageDown => "page-down",
            Self::HalfUp => "half-up",
            Self::HalfDown => "half-down",
            Self::Open => "open",
            Self::Logs => "logs",
            Self::PreviousLogs => "previous-logs",
            Self::Follow => "follow",
            Self::Wrap => "wrap",
            Self::Reconnect => "reconnect",
            Self::Copy => "copy",
            Self::CopyNote => "copy-timeline",
            Self::Topic => "timeline-topic",
            Self::LocalTime => "local-time",
            Self::Repaint => "repaint",
            Self::Suspend => "suspend",
            Self::InjectFault => "inject-fault",
            Self::Silence => "silence",
            Self::ExtendSilence => "extend-silence",
            Self::ExpireSilence => "expire-silence",
            Self::Cutover => "cutover",
            Self::Rollback => "rollback",
            Self::Repair => "repair",
            Self::Deploy => "deploy",
            Self::Smoke => "smoke",
            Self::Release => "release",
            Self::Operation => "operation",
            Self::Abort => "abort",
            Self::Adopt => "adopt",
            Self::Abandon => "abandon",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::BreakGlass => "break-glass",
            Self::CloseGlass => "close-glass",
            Self::Cleanup => "cleanup",
            Self::Warm => "warm",
            Self::Approvals => "approvals",
            Self::AskApproval => "ask-approval",
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }

    /// Whether it opens a plan of something that changes the world outside the cockpit. The table's
    /// test keeps such actions off bare keys.
    pub fn mutates(self) -> bool {
        match self {
            Self::Quit
            | Self::Back
            | Self::Interrupt
            | Self::Escape
            | Self::Help
            | Self::Palette
            | Self::Actions
            | Self::Filter
            | Self::Environments
            | Self::Focus(_)
            | Self::NextPanel
            | Self::PreviousPanel
            | Self::Up
            | Self::Down
            | Self::Left
            | Self::Right
            | Self::Top
            | Self::Bottom
            | Self::PageUp
            | Self::PageDown
            | Self::HalfUp
            | Self::HalfDown
            | Self::Open
            | Self::Logs
            | Self::PreviousLogs
            | Self::Follow
            | Self::Wrap
            | Self::Reconnect
            | Self::Copy
            | Self::CopyNote
            | Self::Topic
            | Self::LocalTime
            | Self::Repaint
            | Self::Suspend
            | Self::Operation
            | Self::Approvals
            // It opens a menu, and only ever reaches the demo's own estate.
            | Self::InjectFault => false,
            Self::Silence
            | Self::ExtendSilence
            | Self::ExpireSilence
            | Self::Cutover
            | Self::Rollback
            | Self::Repair
            | Self::Deploy
            | Self::Smoke
            | Self::Release
            | Self::Abort
            | Self::Adopt
            | Self::Abandon
            | Self::Freeze
            | Self::Thaw
            | Self::BreakGlass
            | Self::CloseGlass
            | Self::Cleanup
            | Self::Warm
            | Self::AskApproval
            | Self::Approve
            | Self::Reject => true,
        }
    }

    /// Whether the palette offers it: what only moves is not worth a name there.
    pub fn is_command(self) -> bool {
        !matches!(
            self,
            Self::Up
                | Self::Down
                | Self::Left
                | Self::Right
                | Self::Top
                | Self::Bottom
                | Self::PageUp
                | Self::PageDown
                | Self::HalfUp
                | Self::HalfDown
                | Self::Open
                | Self::Escape
                | Self::Back
                | Self::Interrupt
                | Self::Palette
                | Self::NextPanel
                | Self::PreviousPanel
                // They are about what the list's cursor is on.
                | Self::Approve
                | Self::Reject
        )
    }
}
