//! Bans (FACTS A3).

use serde_json::{Value, json};

use super::call::{Answer, Call, ids};
use crate::permissions::BAN_MEMBERS;
use crate::{FormErrors, Refusal};

const SEVEN_DAYS: i64 = 604_800;
const MOST_IN_BULK: usize = 200;

pub(crate) fn put(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, user) = (call.id("guild_id")?, call.id("user_id")?);
    call.world.guild_of_bot(guild)?;
    call.number("delete_message_seconds", 0, SEVEN_DAYS)?;
    call.number("delete_message_days", 0, 7)?;
    let bot = call.world.bot;
    call.world.ban(guild, bot, user, call.reason)?;
    Answer::nothing()
}

pub(crate) fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, user) = (call.id("guild_id")?, call.id("user_id")?);
    call.world.guild_of_bot(guild)?;
    let bot = call.world.bot;
    call.world.unban(guild, bot, user, call.reason)?;
    Answer::nothing()
}

pub(crate) fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, user) = (call.id("guild_id")?, call.id("user_id")?);
    let bot = call.world.bot;
    let found = call.world.guild_of_bot(guild)?;
    found.require(bot, BAN_MEMBERS)?;
    let reason = found.bans.get(&user).ok_or_else(|| Refusal::unknown(10026))?;
    Answer::ok(json!({"reason": reason, "user": call.world.user_json(user)}))
}

pub(crate) fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    let limit = usize::try_from(call.query_number("limit", 1, 1_000, 1_000)?).unwrap_or(1_000);
    let (before, after) = (call.query_id("before")?, call.query_id("after")?);
    let bot = call.world.bot;
    let found = call.world.guild_of_bot(guild)?;
    found.require(bot, BAN_MEMBERS)?;
    let show = |(user, reason): (&u64, &Option<String>)| -> Value {
        let is_shown = !found.bans_without_user.contains(user);
        json!({"reason": reason, "user": is_shown.then(|| call.world.user_json(*user))})
    };
    // `before` wins if both are given; either way the page is ascending.
    let page: Vec<Value> = match (before, after) {
        (Some(before), _) => {
            let mut page: Vec<_> = found.bans.range(..before).rev().take(limit).collect();
            page.reverse();
            page.into_iter().map(show).collect()
        }
        (None, Some(after)) => found.bans.range(after.saturating_add(1)..).take(limit).map(show).collect(),
        (None, None) => found.bans.iter().take(limit).map(show).collect(),
    };
    Answer::ok(Value::Array(page))
}

pub(crate) fn bulk(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    call.world.guild_of_bot(guild)?;
    call.number("delete_message_seconds", 0, SEVEN_DAYS)?;
    let given = &call.body["user_ids"];
    if given.is_null() {
        return Err(FormErrors::one(&["user_ids"], "BASE_TYPE_REQUIRED", "This field is required"));
    }
    let wrong = |code, message: &str| FormErrors::one(&["user_ids"], code, message);
    let users =
        ids(given).ok_or_else(|| wrong("NUMBER_TYPE_COERCE", "Value is not a list of snowflakes."))?;
    if users.is_empty() || users.len() > MOST_IN_BULK {
        return Err(wrong("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 200 in length."));
    }
    let mut distinct = users.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() != users.len() {
        return Err(wrong("SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains that value."));
    }
    let bot = call.world.bot;
    let (banned, failed) = call.world.bulk_ban(guild, bot, &users, call.reason)?;
    let text = |ids: Vec<u64>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    Answer::ok(json!({"banned_users": text(banned), "failed_users": text(failed)}))
}
