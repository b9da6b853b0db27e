//! Messages in channels and DMs (FACTS A6).

use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call, snowflake};
use super::channels::visible;
use crate::permissions::{EMBED_LINKS, MANAGE_MESSAGES, READ_MESSAGE_HISTORY, SEND_MESSAGES};
use crate::{FormErrors, Refusal, World, message};

/// How long a nonce makes a message idempotent.
const NONCE_KEPT: Duration = Duration::from_secs(300);

pub(crate) fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = call.id("channel_id")?;
    message::check(call.body, true)?;
    let nonce = nonce(call.body)?;
    may_send(call.world, id, call.body)?;
    let now = call.world.clock.now();
    if call.body["enforce_nonce"].as_bool() == Some(true)
        && let Some(nonce) = &nonce
        && let Some(first) = earlier(call.world, id, nonce, now)
    {
        return Answer::ok(first);
    }
    let bot = call.world.bot;
    let mut sent = call.world.message(id, bot, call.body);
    if let Some(nonce) = &nonce {
        sent["nonce"] = json!(nonce);
    }
    let message_id = sent["id"].as_str().and_then(snowflake).unwrap_or(0);
    if let Some(channel) = call.world.channels.get_mut(&id) {
        channel.messages.push(sent.clone());
        channel.nonces.retain(|(at, ..)| *at + NONCE_KEPT > now);
        channel.nonces.extend(nonce.map(|nonce| (now, nonce, message_id)));
    }
    Answer::ok(sent)
}

fn nonce(body: &Value) -> Result<Option<String>, Refusal> {
    let text = match &body["nonce"] {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() > 25 {
        return Err(FormErrors::one(
            &["nonce"],
            "NONCE_TYPE_TOO_LONG",
            "Nonce must be 25 or fewer in length.",
        ));
    }
    Ok(Some(text))
}

fn earlier(world: &World, channel: u64, nonce: &str, now: Duration) -> Option<Value> {
    let channel = world.channels.get(&channel)?;
    let known = channel.nonces.iter().find(|(at, known, _)| known == nonce && *at + NONCE_KEPT > now)?;
    let id = known.2.to_string();
    channel.messages.iter().find(|message| message["id"] == id.as_str()).cloned()
}

fn may_send(world: &World, id: u64, body: &Value) -> Result<(), Refusal> {
    let channel = visible(world, id)?;
    if let Some(user) = channel.recipient {
        let mutual = world
            .guilds
            .values()
            .any(|g| g.members.contains_key(&user) && g.members.contains_key(&world.bot));
        if !mutual {
            return Err(Refusal::new(403, 50278, "Cannot send messages to this user without a mutual guild"));
        }
        if !world.users.get(&user).is_some_and(|user| user.accepts_dms) {
            return Err(Refusal::new(403, 50007, "Cannot send messages to this user"));
        }
        return Ok(());
    }
    let bits = world.permissions_in(channel, world.bot);
    let embeds = body["embeds"].as_array().is_some_and(|embeds| !embeds.is_empty());
    let needed = SEND_MESSAGES | if embeds { EMBED_LINKS } else { 0 };
    if bits & needed == needed { Ok(()) } else { Err(Refusal::missing_permissions()) }
}

pub(crate) fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = call.id("channel_id")?;
    let limit = usize::try_from(call.query_number("limit", 1, 100, 50)?).unwrap_or(50);
    let (before, after) = (call.query_id("before")?, call.query_id("after")?);
    let channel = visible(call.world, id)?;
    if call.world.permissions_in(channel, call.world.bot) & READ_MESSAGE_HISTORY == 0 {
        return Answer::ok(json!([]));
    }
    let number = |message: &&Value| message["id"].as_str().and_then(snowflake).unwrap_or(0);
    // Always newest first; `after` takes the oldest of what is newer.
    let page: Vec<Value> = match after {
        Some(after) => {
            let mut page: Vec<_> =
                channel.messages.iter().filter(|m| number(m) > after).take(limit).cloned().collect();
            page.reverse();
            page
        }
        None => {
            let older = |m: &&Value| before.is_none_or(|before| number(m) < before);
            channel.messages.iter().rev().filter(older).take(limit).cloned().collect()
        }
    };
    Answer::ok(Value::Array(page))
}

fn position(call: &Call<'_>) -> Result<(u64, usize), Refusal> {
    let (channel, wanted) = (call.id("channel_id")?, call.id("message_id")?.to_string());
    let found = visible(call.world, channel)?;
    let at = found.messages.iter().position(|message| message["id"] == wanted.as_str());
    at.map(|at| (channel, at)).ok_or_else(|| Refusal::unknown(10008))
}

pub(crate) fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (channel, at) = position(call)?;
    Answer::ok(call.world.channels[&channel].messages[at].clone())
}

pub(crate) fn edit(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (channel, at) = position(call)?;
    message::check(call.body, false)?;
    let now = call.world.clock.unix_ms();
    let bot = call.world.bot.to_string();
    let Some(channel) = call.world.channels.get_mut(&channel) else { return Err(Refusal::unknown(10003)) };
    let found = &mut channel.messages[at];
    if found["author"]["id"] != bot.as_str() {
        return Err(Refusal::new(403, 50005, "Cannot edit a message authored by another user"));
    }
    message::amend(found, call.body, now);
    Answer::ok(found.clone())
}

pub(crate) fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (id, at) = position(call)?;
    let bot = call.world.bot;
    let channel = visible(call.world, id)?;
    let own = channel.messages[at]["author"]["id"] == bot.to_string().as_str();
    if !own && call.world.permissions_in(channel, bot) & MANAGE_MESSAGES == 0 {
        return Err(Refusal::missing_permissions());
    }
    if let Some(channel) = call.world.channels.get_mut(&id) {
        channel.messages.remove(at);
    }
    Answer::nothing()
}
