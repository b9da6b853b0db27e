//! `config`: what a guild has set.

use crate::operation::Reported;
use crate::report::{Report, Tone};
use crate::value::{ChannelId, GuildId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Where this guild's alerts and late results are posted
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigLogchannel {
    /// A text channel that the bot may write to
    #[arg(value_name = "CHANNEL")]
    pub channel: ChannelId,
}

/// A guild's setting as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuildConfigured {
    /// The guild.
    pub guild_id: GuildId,
    /// Where alerts and late results go.
    pub log_channel_id: Option<ChannelId>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for GuildConfigured {
    fn report(&self) -> Report {
        let title = if self.dry_run { "nothing was changed: it would be set" } else { "set" };
        Report::new(title, Tone::Good)
            .field("Guild", self.guild_id.to_string())
            .field("Log channel", self.log_channel_id.map_or_else(|| "none".into(), |id| id.to_string()))
    }
}
