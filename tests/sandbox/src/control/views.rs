//! Requests of the control address that look at something.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Problem};
use crate::discord::Discord;
use crate::people::People;

fn query_number(query: &str, name: &str) -> u64 {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok()).unwrap_or(0)
}

pub(super) async fn get(discord: &Discord, people: &People, path: &str, query: &str) -> Answer {
    let after = usize::try_from(query_number(query, "after")).unwrap_or(usize::MAX);
    match path {
        "/log" => Ok(json!(discord.log().into_iter().skip(after).collect::<Vec<_>>())),
        "/effects" => Ok(json!(discord.effects().into_iter().skip(after).collect::<Vec<_>>())),
        "/rate" => Ok(json!({
            "max_in_one_second": discord.max_in_one_second(),
            "invalid": discord.invalid_requests(),
            "requests": discord.read(|world| world.log.entries().len()),
        })),
        "/violations" => Ok(json!(discord.violations())),
        "/commands" => Ok(json!(discord.commands())),
        "/guilds" => Ok(guilds(discord)),
        "/addresses" => Ok(json!({
            "api": discord.addresses.api,
            "gateway": discord.addresses.gateway,
            "control": discord.addresses.control,
        })),
        _ => {
            let (what, id) = path.trim_start_matches('/').split_once('/').ok_or(Problem::Missing)?;
            let id: u64 = id.parse().map_err(|_| Problem::Missing)?;
            of(discord, people, what, id, Duration::from_millis(query_number(query, "wait_ms"))).await
        }
    }
}

async fn of(discord: &Discord, people: &People, what: &str, id: u64, wait: Duration) -> Answer {
    match what {
        "reply" => reply(people, id, wait).await,
        "bans" => {
            let bans = discord.bans(id).into_iter();
            Ok(bans.map(|(user, reason)| json!({"user": user.to_string(), "reason": reason})).collect())
        }
        "members" => Ok(discord.members(id).into_iter().map(|user| json!(user.to_string())).collect()),
        "audit" => Ok(json!(discord.audit_log(id))),
        "messages" => Ok(json!(discord.messages(id))),
        _ => Err(Problem::Missing),
    }
}

async fn reply(people: &People, id: u64, wait: Duration) -> Answer {
    let reply = people.reply_within(id, wait).await.map_err(|_| Problem::Missing)?;
    let found = people.interaction(id).ok_or(Problem::Missing)?;
    let original = found.original.map(|id| id.to_string());
    let followups: Vec<&Value> =
        found.messages.iter().filter(|message| message["id"].as_str() != original.as_deref()).collect();
    Ok(json!({
        "reply": reply,
        "history": found.history,
        "followups": followups,
        "deferred": found.was_deferred,
        "answered_after_ms": found.answered_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
    }))
}

fn guilds(discord: &Discord) -> Value {
    discord.read(|world| {
        let guild = |guild: &crate::world::Guild| {
            json!({
                "id": guild.id.to_string(), "name": guild.name, "unavailable": guild.unavailable,
                "main": guild.id == world.main, "members": guild.members.len(), "bans": guild.bans.len(),
                "bot_permissions": world.bot_permissions(guild.id).to_string(),
            })
        };
        world.guilds.values().map(guild).collect()
    })
}
