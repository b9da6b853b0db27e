//! Opcode 8: a guild's members in chunks.

use serde_json::{Value, json};

use super::connection::{Connection, Next};
use super::intent;
use crate::world::World;

const CHUNK: usize = 1_000;

impl Connection {
    pub(super) fn request_members(&self, data: &Value) -> Next {
        let Some(session) = &self.session else { return Next::Go };
        self.discord.change(|world| chunks(world, session, data));
        Next::Go
    }
}

/// discord.py writes ids as numbers here, and Discord takes them.
fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn chunks(world: &mut World, session: &str, data: &Value) {
    let guild = id(&data["guild_id"]).unwrap_or(0);
    let Some(intents) = world.sessions.get(session).map(|session| session.intents) else { return };
    let Some(found) = world.guilds.get(&guild).filter(|g| g.members.contains_key(&world.bot)) else { return };
    let listed: Option<Vec<u64>> = match &data["user_ids"] {
        Value::Array(ids) => Some(ids.iter().filter_map(id).collect()),
        single @ (Value::String(_) | Value::Number(_)) => Some(id(single).into_iter().collect()),
        _ => None,
    };
    let prefix = data["query"].as_str().unwrap_or_default();
    // The whole list is for those who have the intent.
    if listed.is_none() && prefix.is_empty() && intents & intent::GUILD_MEMBERS == 0 {
        return;
    }
    let most = usize::try_from(data["limit"].as_u64().unwrap_or(0)).unwrap_or(0);
    let named = |user: &u64| world.users.get(user).is_some_and(|u| u.name.starts_with(prefix));
    let chosen: Vec<u64> = match &listed {
        Some(ids) => ids.iter().copied().filter(|id| found.members.contains_key(id)).collect(),
        None => found.members.keys().copied().filter(named).collect(),
    };
    let chosen: Vec<u64> = if most > 0 { chosen.into_iter().take(most).collect() } else { chosen };
    let missing: Vec<String> =
        listed.iter().flatten().filter(|id| !chosen.contains(id)).map(ToString::to_string).collect();
    let count = chosen.len().div_ceil(CHUNK).max(1);
    let mut payloads = Vec::new();
    for index in 0..count {
        let members: Vec<Value> = chosen
            .iter()
            .skip(index * CHUNK)
            .take(CHUNK)
            .map(|user| world.member_json(guild, *user))
            .collect();
        let mut chunk = json!({
            "guild_id": guild.to_string(), "members": members, "chunk_index": index, "chunk_count": count,
            "not_found": missing,
        });
        if !data["nonce"].is_null() {
            chunk["nonce"] = data["nonce"].clone();
        }
        payloads.push(chunk.to_string());
    }
    let (now, keep) = (world.clock.now(), world.options.replay_buffer);
    if let Some(session) = world.sessions.get_mut(session) {
        for payload in payloads {
            session.dispatch("GUILD_MEMBERS_CHUNK", &payload, keep, now);
        }
    }
}
