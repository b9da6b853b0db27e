//! What an operation is: the trait every operation implements through the one list in [`mod@crate::operations`].

use crate::fault::Fault;
use crate::operations::{Reply, Request};
use crate::report::Report;
use clap::{ArgMatches, Command};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Who may ask for an operation on Discord. The same permission does the same in Discord's own UI and in ours.
/// ADMINISTRATOR and the guild's owner have all but [`Authority::Owner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authority {
    /// Everybody.
    Anyone,
    /// The guild's staff role, or any of the permissions below.
    Staff,
    /// KICK_MEMBERS.
    Kick,
    /// MODERATE_MEMBERS.
    Moderate,
    /// BAN_MEMBERS.
    Ban,
    /// MANAGE_GUILD.
    Admin,
    /// Listed in `owner_ids`.
    Owner,
}

impl Authority {
    /// What somebody without it is told they need.
    pub fn needs(self) -> &'static str {
        match self {
            Self::Anyone => "nothing",
            Self::Staff => "this guild's staff role or a moderation permission",
            Self::Kick => "the permission Kick Members",
            Self::Moderate => "the permission Timeout Members",
            Self::Ban => "the permission Ban Members",
            Self::Admin => "the permission Manage Server",
            Self::Owner => "to be listed in owner_ids of the settings",
        }
    }

    /// The Discord permission bit it stands for (FACTS A1), where it is one.
    pub fn permission(self) -> Option<u64> {
        match self {
            Self::Kick => Some(1 << 1),
            Self::Ban => Some(1 << 2),
            Self::Admin => Some(1 << 5),
            Self::Moderate => Some(1 << 40),
            Self::Anyone | Self::Staff | Self::Owner => None,
        }
    }
}

/// What an operation changes. The observer role, the console's write mode, the tier of confirmation and the
/// need for a dry run all follow from it; there is no second list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing.
    Read,
    /// Something small and easily put back.
    Mild,
    /// Something people notice.
    Moderate,
    /// Something that cannot be undone, or may affect many users at once: confirmed by name.
    Severe,
}

impl Effect {
    /// Whether anything is changed at all.
    pub fn changes(self) -> bool {
        self != Self::Read
    }
}

/// Where an operation can be asked for. The command line and the console's palette are one surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surfaces {
    /// Discord and the command line.
    Everywhere,
    /// The command line and the console only.
    CommandLine,
}

/// One thing that can be asked of the daemon. Implemented by the `operations!` list only.
pub trait Operation: Sized + Into<Request> + Serialize + DeserializeOwned {
    /// What comes back.
    type Reply: Reported + Serialize + DeserializeOwned;
    /// Its words, as on the command line: `setup add-child`.
    const NAME: &'static str;
    /// Who may ask on Discord.
    const AUTHORITY: Authority;
    /// Where it can be asked for.
    const SURFACES: Surfaces;
    /// What it changes, whatever its arguments: [`Request::effect`] judges them too.
    const EFFECT: Effect;

    /// The reply's own type out of the sum of all; nothing where it belongs to another operation.
    fn reply(reply: Reply) -> Option<Self::Reply>;
}

/// A reply that people can read.
pub trait Reported {
    /// What it looks like to a person.
    fn report(&self) -> Report;

    /// What the reply shows is still going on: the punishment whose deliveries `--wait` waits for.
    fn pending(&self) -> Option<crate::value::PunishmentId> {
        None
    }

    /// The jobs that the reply has begun and that go on: `--wait` waits for them too.
    fn jobs(&self) -> Vec<crate::value::JobId> {
        Vec::new()
    }

    /// What the reply found wrong with what it looked at: the operation was done, and the command line still ends with
    /// that fault's exit code.
    fn verdict(&self) -> Option<Fault> {
        None
    }

    /// Where the next page starts, in words that the operation's `--cursor` takes.
    fn next_cursor(&self) -> Option<String> {
        None
    }

    /// What is worth knowing beside the data.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An operation as data: what sweeps over the whole table read.
pub struct Definition {
    /// Its words.
    pub name: &'static str,
    /// Who may ask on Discord.
    pub authority: Authority,
    /// Where it can be asked for.
    pub surfaces: Surfaces,
    /// What it changes, whatever its arguments: [`Request::effect`] judges them too.
    pub effect: Effect,
    /// Adds its arguments and help to a command.
    pub augment: fn(Command) -> Command,
    /// Makes the request from what clap matched.
    pub parse: fn(&ArgMatches) -> Result<Request, clap::Error>,
}

impl Definition {
    /// Its words one by one.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.name.split(' ')
    }
}
