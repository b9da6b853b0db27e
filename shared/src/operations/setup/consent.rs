//! `setup accept`, `decline`, `leave`: what a child has to say about its links.

use crate::value::GuildId;
use clap::Args;
use serde::{Deserialize, Serialize};

/// Accept a main's proposal: its punishments reach this guild from now on
///
/// Where the link is active already, this accepts the wider mode, actions or security level that its main has proposed since.
///
/// Bans, mutes and timeouts that stand in the main are delivered here too, those of members first;
/// --dry-run counts them. With --no-backfill only what is decided from now on is delivered. Without
/// it this is confirmed: --confirm=MAIN-ID, or a button on Discord.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupAccept {
    /// The main that proposed it
    #[arg(value_name = "MAIN-ID")]
    pub main: GuildId,
    /// Do not deliver what was decided before
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_backfill: bool,
}

/// Decline a main's proposal
///
/// Where the link is active already, this declines the wider terms that its main has proposed since, and the link goes on as it
/// is.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupDecline {
    /// The main that proposed it
    #[arg(value_name = "MAIN-ID")]
    pub main: GuildId,
}

/// End this guild's link to a main
///
/// What is on its way stops. With --keep, which is what happens where nothing is said, what was delivered stays. With --undo
/// the link is closing until everything is taken back that Wayhaven did here for that main and for which no other cause
/// remains. --dry-run counts both. --keep, asked for while the link is closing, ends it at once.
///
/// --undo lifts everything at once, so that it is confirmed: --confirm=MAIN-ID, or a button on Discord.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupLeave {
    /// The main
    #[arg(value_name = "MAIN-ID")]
    pub main: GuildId,
    /// Leave what was delivered as it is (default)
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Take back what was delivered, and close the link when that is done
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// With --undo: give up at once what cannot be undone now, for example without a permission
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl SetupLeave {
    /// What was delivered is left as it is.
    pub fn new(main: GuildId) -> Self {
        Self { main, keep: false, undo: false, force: false }
    }
}
