//! Opcode 8: a guild's members in chunks.

use std::time::Duration;

use serde_json::{Value, json};

use super::connection::{Connection, Next};
use super::intent;
use crate::world::World;

const CHUNK: usize = 1_000;
/// All members of a guild can be asked for once in this time.
const ALL_MEMBERS_EVERY: Duration = Duration::from_secs(30);

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

impl World {
    /// Once per guild in 30 s; otherwise how long until then.
    fn spend_member_request(&mut self, guild: u64) -> Option<Duration> {
        let now = self.clock.now();
        if let Some(last) = self.member_requests.get(&guild).filter(|last| **last + ALL_MEMBERS_EVERY > now) {
            return Some(*last + ALL_MEMBERS_EVERY - now);
        }
        self.member_requests.insert(guild, now);
        None
    }

    fn tell_rate_limited(&mut self, session: &str, data: &Value, retry_after: Duration) {
        let mut meta = json!({"guild_id": id(&data["guild_id"]).unwrap_or(0).to_string()});
        if !data["nonce"].is_null() {
            meta["nonce"] = data["nonce"].clone();
        }
        let told = json!({"opcode": 8, "retry_after": retry_after.as_secs_f64(), "meta": meta});
        let (now, keep) = (self.clock.now(), self.options.replay_buffer);
        if let Some(session) = self.sessions.get_mut(session) {
            session.dispatch("RATE_LIMITED", &told.to_string(), keep, now);
        }
    }
}

fn chunks(world: &mut World, session: &str, data: &Value) {
    let guild = id(&data["guild_id"]).unwrap_or(0);
    let Some(intents) = world.sessions.get(session).map(|session| session.intents) else { return };
    if !world.guilds.get(&guild).is_some_and(|found| found.members.contains_key(&world.bot)) {
        return;
    }
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
    if listed.is_none()
        && prefix.is_empty()
        && let Some(retry_after) = world.spend_member_request(guild)
    {
        return world.tell_rate_limited(session, data, retry_after);
    }
    let Some(found) = world.guilds.get(&guild) else { return };
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
