//! The attributes without arguments: `#[on_start]`, `#[member_joined]`, `#[bus_connected]`, …

use super::arguments::Arguments;
use crate::mistakes::Mistakes;

/// What a hook reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    OnStart,
    OnStop,
    MemberJoined,
    MemberLeft,
    BusConnected,
    BusDisconnected,
}

impl Hook {
    /// The name of the attribute.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnStart => "on_start",
            Self::OnStop => "on_stop",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::BusConnected => "bus_connected",
            Self::BusDisconnected => "bus_disconnected",
        }
    }
}

/// Checks that there are no arguments.
pub(super) fn check(arguments: Arguments, mistakes: &mut Mistakes) {
    arguments.finish(mistakes);
}
