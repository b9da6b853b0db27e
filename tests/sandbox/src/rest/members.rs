//! Members and their roles (FACTS A3, A4).

use serde_json::Value;

use super::call::{Answer, Call, ids};
use crate::permissions::{
    CHANGE_NICKNAME, DEAFEN_MEMBERS, MANAGE_NICKNAMES, MANAGE_ROLES, MOVE_MEMBERS, MUTE_MEMBERS,
};
use crate::{FormErrors, Refusal, snowflake};

pub(crate) fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    let limit = usize::try_from(call.query_number("limit", 1, 1_000, 1)?).unwrap_or(1);
    let after = call.query_id("after")?.unwrap_or(0);
    let found = call.world.guild_of_bot(guild)?;
    // Needs the application's privileged intent, whatever the gateway session asked for.
    if !call.world.options.members_intent {
        return Err(Refusal::missing_access());
    }
    let page = found.members.range(after.saturating_add(1)..).take(limit);
    Answer::ok(Value::Array(page.map(|(user, _)| call.world.member_json(guild, *user)).collect()))
}

pub(crate) fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, user) = (call.id("guild_id")?, call.id("user_id")?);
    let found = call.world.guild_of_bot(guild)?;
    found.members.get(&user).ok_or_else(|| Refusal::unknown(10007))?;
    Answer::ok(call.world.member_json(guild, user))
}

pub(crate) fn kick(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, user) = (call.id("guild_id")?, call.id("user_id")?);
    call.world.guild_of_bot(guild)?;
    let bot = call.world.bot;
    call.world.kick(guild, bot, user, call.reason)?;
    Answer::nothing()
}

pub(crate) fn give_role(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    change_role(call, true)
}

pub(crate) fn take_role(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    change_role(call, false)
}

fn change_role(call: &mut Call<'_>, give: bool) -> Result<Answer, Refusal> {
    let (guild, user, role) = (call.id("guild_id")?, call.id("user_id")?, call.id("role_id")?);
    call.world.guild_of_bot(guild)?;
    let bot = call.world.bot;
    call.world.change_role(guild, bot, user, role, give, call.reason)?;
    Answer::nothing()
}

/// Everything is checked before anything is changed.
pub(crate) fn edit(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, user) = (call.id("guild_id")?, call.id("user_id")?);
    let bot = call.world.bot;
    let nick = call.text("nick", 0, 32)?.map(str::to_owned);
    let until = wanted_timeout(call)?;
    let roles = wanted_roles(call)?;
    let found = call.world.guild_of_bot(guild)?;
    found.members.get(&user).ok_or_else(|| Refusal::unknown(10007))?;
    for (field, bits) in [("mute", MUTE_MEMBERS), ("deaf", DEAFEN_MEMBERS), ("channel_id", MOVE_MEMBERS)] {
        if call.has(field) {
            found.require(bot, bits)?;
            // There are no voice channels here.
            return Err(Refusal::new(400, 40032, "Target user is not connected to voice."));
        }
    }
    if call.has("nick") {
        found.require(bot, if user == bot { CHANGE_NICKNAME } else { MANAGE_NICKNAMES })?;
        if user != bot {
            found.require_above(bot, user)?;
        }
    }
    if let Some(roles) = &roles {
        found.require(bot, MANAGE_ROLES)?;
        let held = found.members.get(&user).map(|m| m.roles.clone()).unwrap_or_default();
        let changed =
            roles.iter().filter(|r| !held.contains(r)).chain(held.iter().filter(|r| !roles.contains(r)));
        for role in changed {
            found.require_role_below(bot, *role)?;
        }
    }
    if let Some(until) = until {
        call.world.timeout(guild, bot, user, until, call.reason)?;
    }
    for (role, give) in role_changes(call, guild, user, roles) {
        call.world.change_role(guild, bot, user, role, give, call.reason)?;
    }
    if call.has("nick") {
        if let Some(member) = call.world.guilds.get_mut(&guild).and_then(|g| g.members.get_mut(&user)) {
            member.nick = nick.filter(|nick| !nick.is_empty());
        }
        let update = call.world.member_update(guild, user);
        call.world.emit(vec![update]);
    }
    Answer::ok(call.world.member_json(guild, user))
}

fn wanted_timeout(call: &Call<'_>) -> Result<Option<Option<u64>>, Refusal> {
    match call.body.get("communication_disabled_until") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(value) => {
            let read = value.as_str().and_then(snowflake::parse_timestamp);
            let wrong = || {
                let text = format!("Could not parse {value}. Should be ISO8601.");
                FormErrors::one(&["communication_disabled_until"], "DATE_TIME_TYPE_PARSE", &text)
            };
            read.map(|until| Some(Some(until))).ok_or_else(wrong)
        }
    }
}

fn wanted_roles(call: &Call<'_>) -> Result<Option<Vec<u64>>, Refusal> {
    match call.body.get("roles") {
        None | Some(Value::Null) => Ok(None),
        Some(list) => {
            let roles = ids(list).filter(|roles| roles.len() <= 350);
            roles.map(Some).ok_or_else(|| {
                FormErrors::one(&["roles"], "BASE_TYPE_BAD_LENGTH", "Must be at most 350 snowflakes.")
            })
        }
    }
}

fn role_changes(call: &Call<'_>, guild: u64, user: u64, wanted: Option<Vec<u64>>) -> Vec<(u64, bool)> {
    let member = call.world.guilds.get(&guild).and_then(|g| g.members.get(&user));
    let (Some(wanted), Some(member)) = (wanted, member) else { return Vec::new() };
    let given = wanted.iter().filter(|role| !member.roles.contains(role)).map(|role| (*role, true));
    let taken = member.roles.iter().filter(|role| !wanted.contains(role)).map(|role| (*role, false));
    given.chain(taken).collect()
}
