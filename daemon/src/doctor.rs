//! The doctor: what a guild lacks so that what is decided reaches it, and what would mend it.
//!
//! [`examine`] only looks at what is known: the gateway tells of roles and permissions, the store of settings and links.
//! [`Visits`] makes it look again whenever one of these has changed, and tells of what stops deliveries.

mod points;
mod rounds;

pub use points::{Chart, clock, examine, members_intent, mute_role, presence, standing, waits};
pub use rounds::{Rounds, Visits};

use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::GuildId;

/// The measures that make requests.
pub const EVERY_MEASURE: [Action; 4] = [Action::Ban, Action::Kick, Action::Mute, Action::Timeout];

/// A permission, and what is missing without it.
#[derive(Clone, Copy, Debug)]
pub struct Needed {
    /// Its bit (FACTS A1).
    pub bit: u64,
    /// Discord's name for it.
    pub name: &'static str,
    /// What is missing without it.
    pub without: &'static str,
    /// What it is for.
    pub need: Need,
}

/// What a permission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Requests of this measure.
    Measure(Action),
    /// To learn who did what.
    Log,
    /// Posting into channels.
    Posting,
}

/// MANAGE_GUILD (FACTS A1): what several bans in one request need besides. No link needs it.
pub const MANAGE_GUILD: u64 = 1 << 5;

/// The least set for a guild of a network (FACTS A1).
pub const LEAST: [Needed; 8] = [
    needed(1 << 2, "Ban Members", "no ban is delivered", Need::Measure(Action::Ban)),
    needed(
        1 << 7,
        "View Audit Log",
        "nobody learns who did what there by hand, and what may not be ours is not undone",
        Need::Log,
    ),
    needed(1 << 1, "Kick Members", "no kick is delivered", Need::Measure(Action::Kick)),
    needed(1 << 40, "Timeout Members", "no timeout is delivered", Need::Measure(Action::Timeout)),
    needed(1 << 28, "Manage Roles", "no mute is delivered", Need::Measure(Action::Mute)),
    needed(1 << 10, "View Channels", "nothing is posted to its channels", Need::Posting),
    needed(1 << 11, "Send Messages", "nothing is posted to its channels", Need::Posting),
    needed(1 << 14, "Embed Links", "what is posted to its channels has no tables", Need::Posting),
];

const fn needed(bit: u64, name: &'static str, without: &'static str, need: Need) -> Needed {
    Needed { bit, name, without, need }
}

/// The least permissions with which these measures reach a guild, and what happens there is learnt and told.
pub fn least(uses: &[Action]) -> u64 {
    let wanted = |needed: &&Needed| match needed.need {
        Need::Measure(measure) => uses.contains(&measure),
        Need::Log | Need::Posting => true,
    };
    LEAST.iter().filter(wanted).fold(0, |bits, needed| bits | needed.bit)
}

/// The address at which an administrator of the guild invites the bot with these permissions, or gives it them.
pub fn invite(application: &str, guild: GuildId, permissions: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands\
         &permissions={permissions}&guild_id={guild}&disable_guild_select=true"
    )
}

#[cfg(test)]
mod tests;
