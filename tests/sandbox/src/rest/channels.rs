//! Channels.

use super::call::{Answer, Call};
use crate::permissions::VIEW_CHANNEL;
use crate::world::Channel;
use crate::{Refusal, World};

pub(crate) fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let channel = call.id("channel_id")?;
    let found = visible(call.world, channel)?;
    Answer::ok(call.world.channel_json(found))
}

/// A channel that the bot may see.
pub(crate) fn visible(world: &World, channel: u64) -> Result<&Channel, Refusal> {
    let found = world.channels.get(&channel).ok_or_else(|| Refusal::unknown(10003))?;
    if let Some(guild) = found.guild {
        world.guild(guild)?;
    }
    if world.permissions_in(found, world.bot) & VIEW_CHANNEL == 0 {
        return Err(Refusal::missing_access());
    }
    Ok(found)
}
