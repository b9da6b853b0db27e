//! The gateway's address, the bot itself, its guilds, its DMs, other users.

use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call, id};
use crate::world::Channel;
use crate::{FormErrors, Refusal};

pub(crate) fn gateway(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    Answer::ok(json!({"url": call.gateway_url}))
}

pub(crate) fn gateway_bot(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (left, reset_ms) = call.world.session_starts_left();
    Answer::ok(json!({
        "url": call.gateway_url,
        "shards": call.world.options.shards,
        "session_start_limit": {
            "total": call.world.options.session_starts,
            "remaining": left,
            "reset_after": reset_ms,
            "max_concurrency": call.world.options.max_concurrency,
        },
    }))
}

pub(crate) fn me(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let mut me = call.world.user_json(call.world.bot);
    me["mfa_enabled"] = json!(true);
    me["locale"] = json!("en-US");
    me["verified"] = json!(true);
    me["email"] = Value::Null;
    me["premium_type"] = json!(0);
    Answer::ok(me)
}

pub(crate) fn user(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let user = call.id("user_id")?;
    if !call.world.users.contains_key(&user) {
        return Err(Refusal::unknown(10013));
    }
    Answer::ok(call.world.user_json(user))
}

pub(crate) fn my_guilds(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let limit = usize::try_from(call.query_number("limit", 1, 200, 200)?).unwrap_or(200);
    let (before, after) = (call.query_id("before")?, call.query_id("after")?);
    let with_counts = call.query_flag("with_counts");
    let world = &*call.world;
    let mut mine: Vec<_> = world
        .guilds
        .values()
        .filter(|guild| guild.members.contains_key(&world.bot))
        .filter(|guild| before.is_none_or(|before| guild.id < before))
        .filter(|guild| after.is_none_or(|after| guild.id > after))
        .collect();
    if before.is_some() {
        let extra = mine.len().saturating_sub(limit);
        mine.drain(..extra);
    }
    let page = mine.into_iter().take(limit).map(|guild| {
        let mut json = json!({
            "id": guild.id.to_string(), "name": guild.name, "icon": null, "banner": null,
            "owner": guild.owner == world.bot, "features": [],
            "permissions": guild.permissions_of(world.bot).to_string(),
        });
        if with_counts {
            json["approximate_member_count"] = json!(guild.members.len());
            json["approximate_presence_count"] = json!(guild.members.len().div_ceil(3));
        }
        json
    });
    Answer::ok(Value::Array(page.collect()))
}

pub(crate) fn open_dm(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let given = &call.body["recipient_id"];
    if given.is_null() {
        return Err(FormErrors::one(&["recipient_id"], "BASE_TYPE_REQUIRED", "This field is required"));
    }
    let user = id(given).filter(|user| call.world.users.contains_key(user));
    let Some(user) = user.filter(|user| *user != call.world.bot) else {
        return Err(Refusal::new(400, 50033, "Invalid Recipient(s)"));
    };
    let known = call.world.channels.values().find(|channel| channel.recipient == Some(user)).map(|c| c.id);
    let channel = match known {
        Some(known) => known,
        None => {
            spend_dm_open(call)?;
            let fresh = call.world.id();
            call.world.channels.insert(fresh, Channel::empty(fresh, None, Some(user), "", 0));
            fresh
        }
    };
    let channel = call.world.channels.get(&channel).ok_or_else(|| Refusal::unknown(10003))?;
    Answer::ok(call.world.channel_json(channel))
}

/// Opening many new direct messages fast is refused (FACTS A6), whatever the limits say.
fn spend_dm_open(call: &mut Call<'_>) -> Result<(), Refusal> {
    let Some(window) = call.world.options.dm_window else { return Ok(()) };
    let (now, length) = (call.world.clock.now(), Duration::from_secs(u64::from(window.seconds)));
    let opens = &mut call.world.dm_opens;
    opens.retain(|at| *at + length > now);
    if opens.len() >= window.opens {
        let status = call.world.options.guesses.dms_too_fast;
        return Err(Refusal::new(status, 40003, "You are opening direct messages too fast."));
    }
    opens.push_back(now);
    Ok(())
}
