//! `config`: what a guild has set.

use super::Handle;
use crate::invocation::Context;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::config::{ConfigLogchannel, GuildConfigured};

impl Handle for ConfigLogchannel {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let guild = cx.guild()?;
        let channel = self.channel;
        // Otherwise one guild could have its alerts posted into another.
        if cx.daemon.rest().channel_guild(channel).await? != Some(guild) {
            return Err(Fault::not_found(format!(
                "guild {guild} has no channel {channel} that the bot sees"
            )));
        }
        if !cx.invocation.dry_run {
            cx.daemon.store().write(move |change| Ok(change.set_log_channel(guild, channel)?)).await?;
        }
        Ok(GuildConfigured { guild_id: guild, log_channel_id: Some(channel), dry_run: cx.invocation.dry_run })
    }
}
