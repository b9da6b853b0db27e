//! Roles (FACTS A4).

use serde_json::Value;

use super::call::{Answer, Call};
use crate::permissions::MANAGE_ROLES;
use crate::world::{Role, action};
use crate::{FormErrors, Refusal};

const MOST_ROLES: usize = 250;
const LAST_COLOR: i64 = 0xFF_FFFF;

pub(crate) fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    let found = call.world.guild_of_bot(guild)?;
    Answer::ok(Value::Array(found.roles.keys().map(|role| call.world.role_json(guild, *role)).collect()))
}

pub(crate) fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, role) = (call.id("guild_id")?, call.id("role_id")?);
    call.world.guild_of_bot(guild)?.roles.get(&role).ok_or_else(|| Refusal::unknown(10011))?;
    Answer::ok(call.world.role_json(guild, role))
}

pub(crate) fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    let bot = call.world.bot;
    let found = call.world.guild_of_bot(guild)?;
    found.require(bot, MANAGE_ROLES)?;
    if found.roles.len() >= MOST_ROLES {
        return Err(Refusal::new(400, 30005, "Maximum number of guild roles reached (250)"));
    }
    let default = found.roles.get(&guild).map_or(0, |everyone| everyone.permissions);
    let mut role = Role {
        id: 0,
        name: "new role".to_owned(),
        position: 1,
        permissions: default,
        color: 0,
        bot: None,
        hoist: false,
        mentionable: false,
    };
    apply(call, guild, &mut role)?;
    role.id = call.world.id();
    let id = role.id;
    if let Some(found) = call.world.guilds.get_mut(&guild) {
        // A new role goes to the bottom: everything above `@everyone` moves up by one.
        found.roles.values_mut().filter(|role| role.position > 0).for_each(|role| role.position += 1);
        found.roles.insert(id, role);
    }
    call.world.role_changed(guild, bot, id, action::ROLE_CREATE, call.reason);
    Answer::ok(call.world.role_json(guild, id))
}

pub(crate) fn edit(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, id) = (call.id("guild_id")?, call.id("role_id")?);
    let mut role = editable(call, guild, id)?;
    apply(call, guild, &mut role)?;
    if let Some(found) = call.world.guilds.get_mut(&guild) {
        found.roles.insert(id, role);
    }
    let bot = call.world.bot;
    call.world.role_changed(guild, bot, id, action::ROLE_UPDATE, call.reason);
    Answer::ok(call.world.role_json(guild, id))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (guild, id) = (call.id("guild_id")?, call.id("role_id")?);
    editable(call, guild, id)?;
    if let Some(found) = call.world.guilds.get_mut(&guild) {
        found.roles.remove(&id);
        found.members.values_mut().for_each(|member| member.roles.retain(|role| *role != id));
    }
    let bot = call.world.bot;
    call.world.role_changed(guild, bot, id, action::ROLE_DELETE, call.reason);
    Answer::nothing()
}

/// A role that exists and lies below the bot's. `@everyone` may be edited by rank, being the lowest.
fn editable(call: &Call<'_>, guild: u64, id: u64) -> Result<Role, Refusal> {
    let bot = call.world.bot;
    let found = call.world.guild_of_bot(guild)?;
    found.require(bot, MANAGE_ROLES)?;
    let role = found.roles.get(&id).ok_or_else(|| Refusal::unknown(10011))?;
    if id != guild {
        found.require_role_below(bot, id)?;
    }
    Ok(role.clone())
}

/// Writes the fields of the body into a role. Nobody grants what they do not have.
fn apply(call: &Call<'_>, guild: u64, role: &mut Role) -> Result<(), Refusal> {
    if let Some(name) = call.text("name", 0, 100)? {
        role.name = name.to_owned();
    }
    if let Some(bits) = call.text("permissions", 1, 30)? {
        let bits: u64 = bits.parse().map_err(|_| {
            FormErrors::one(&["permissions"], "NUMBER_TYPE_COERCE", "Value is not a permission set.")
        })?;
        let own = call.world.bot_permissions(guild);
        if (bits & !role.permissions) & !own != 0 {
            return Err(Refusal::missing_permissions());
        }
        role.permissions = bits;
    }
    let plain = call.number("color", 0, LAST_COLOR)?;
    let primary =
        call.body["colors"]["primary_color"].as_i64().filter(|color| (0..=LAST_COLOR).contains(color));
    if let Some(color) = primary.or(plain) {
        role.color = u32::try_from(color).unwrap_or(0);
    }
    if let Some(hoist) = call.body["hoist"].as_bool() {
        role.hoist = hoist;
    }
    if let Some(mentionable) = call.body["mentionable"].as_bool() {
        role.mentionable = mentionable;
    }
    Ok(())
}
