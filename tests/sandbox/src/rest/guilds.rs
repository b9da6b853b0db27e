//! Guilds and their channels (FACTS A4).

use serde_json::Value;

use super::call::{Answer, Call};
use crate::Refusal;
use crate::permissions::VIEW_CHANNEL;

pub(crate) fn guild(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    call.world.guild_of_bot(guild)?;
    Answer::ok(call.world.guild_json(guild, call.query_flag("with_counts")))
}

pub(crate) fn channels(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    let world = &*call.world;
    let found = world.guild_of_bot(guild)?;
    let seen = found
        .channels
        .iter()
        .filter_map(|id| world.channels.get(id))
        .filter(|channel| world.permissions_in(channel, world.bot) & VIEW_CHANNEL != 0);
    Answer::ok(Value::Array(seen.map(|channel| world.channel_json(channel)).collect()))
}
