//! `setup accept`, `decline`, `leave`: what a child has to say about its links.

use crate::value::GuildId;
use clap::Args;
use serde::{Deserialize, Serialize};

/// Accept a main's proposal: its punishments reach this guild from now on
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupAccept {
    /// The main that proposed it
    #[arg(value_name = "MAIN-ID")]
    pub main: GuildId,
}

/// Decline a main's proposal
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupDecline {
    /// The main that proposed it
    #[arg(value_name = "MAIN-ID")]
    pub main: GuildId,
}

/// End this guild's link to a main
///
/// What was delivered stays; what is on its way stops.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupLeave {
    /// The main
    #[arg(value_name = "MAIN-ID")]
    pub main: GuildId,
}
