//! Requests of the control address that do something.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Answer, Problem};
use crate::discord::Discord;
use crate::fault::Fault;
use crate::options::Changes;
use crate::people::People;
use crate::wire;

#[derive(Deserialize)]
struct Moderation {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    by: u64,
    #[serde(deserialize_with = "wire::id")]
    user: u64,
    reason: Option<String>,
    seconds: Option<u64>,
}

#[derive(Deserialize)]
struct BulkBan {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    by: u64,
    #[serde(deserialize_with = "wire::ids")]
    users: Vec<u64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Membership {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    user: u64,
}

#[derive(Deserialize)]
struct Place {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
}

#[derive(Deserialize)]
struct OfRole {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(default, deserialize_with = "wire::optional_id")]
    by: Option<u64>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    user: Option<u64>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    role: Option<u64>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    permissions: Option<u64>,
    position: Option<i64>,
}

#[derive(Deserialize)]
struct Command {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    by: u64,
    command: String,
    #[serde(default)]
    options: Value,
    #[serde(default)]
    option: String,
    #[serde(default)]
    typed: String,
    #[serde(default, deserialize_with = "wire::optional_id")]
    user: Option<u64>,
}

#[derive(Deserialize)]
struct Prune {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    by: u64,
    #[serde(deserialize_with = "wire::ids")]
    users: Vec<u64>,
}

#[derive(Deserialize)]
struct AutoModTimeout {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    user: u64,
    rule: String,
    seconds: u64,
}

#[derive(Deserialize)]
struct OtherBot {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    permissions: u64,
}

#[derive(Deserialize)]
struct OfGuild {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    by: u64,
    #[serde(default, deserialize_with = "wire::optional_id")]
    to: Option<u64>,
    name: Option<String>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    channel: Option<u64>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    role: Option<u64>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    deny: Option<u64>,
}

#[derive(Deserialize)]
struct Integration {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    kind: String,
    #[serde(default, deserialize_with = "wire::optional_id")]
    actor: Option<u64>,
    #[serde(deserialize_with = "wire::id")]
    user: u64,
    #[serde(default, deserialize_with = "wire::optional_id")]
    role: Option<u64>,
    #[serde(default)]
    give: bool,
}

#[derive(Deserialize)]
struct Before {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    #[serde(deserialize_with = "wire::id")]
    user: u64,
    reason: Option<String>,
    #[serde(default, deserialize_with = "wire::optional_id")]
    role: Option<u64>,
    seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Press {
    #[serde(deserialize_with = "wire::id")]
    interaction: u64,
    #[serde(deserialize_with = "wire::id")]
    by: u64,
    custom_id: String,
    #[serde(default)]
    unseen: bool,
}

#[derive(Deserialize)]
struct TwoFactor {
    #[serde(deserialize_with = "wire::id")]
    guild: u64,
    required: bool,
}

#[derive(Deserialize)]
struct OwnerTwoFactor {
    uses: bool,
}

#[derive(Deserialize)]
struct Dms {
    #[serde(deserialize_with = "wire::id")]
    user: u64,
    accepts: bool,
}

#[derive(Deserialize)]
struct Advance {
    ms: u64,
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::Malformed(error.to_string()))
}

fn done(outcome: Result<(), String>) -> Answer {
    outcome.map(|()| json!({})).map_err(Problem::Refused)
}

fn begun(outcome: Result<u64, String>) -> Answer {
    outcome.map(|id| json!({"interaction": id.to_string()})).map_err(Problem::Refused)
}

fn needed<T>(value: Option<T>, name: &str) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::Malformed(format!("missing field `{name}`")))
}

pub(super) fn post(discord: &Discord, people: &People, path: &str, body: &[u8]) -> Answer {
    match path {
        "/ban" | "/unban" | "/kick" | "/timeout" => moderate(people, path, &read(body)?),
        "/bulk-ban" => {
            let BulkBan { guild, by, users, reason } = read(body)?;
            done(people.bulk_ban(guild, by, &users, reason.as_deref()))
        }
        "/prune" => {
            let Prune { guild, by, users } = read(body)?;
            done(people.prune(guild, by, &users))
        }
        "/automod/timeout" => {
            let AutoModTimeout { guild, user, rule, seconds } = read(body)?;
            done(people.automod_timeout(guild, user, &rule, Duration::from_secs(seconds)))
        }
        "/before/ban" | "/before/role" | "/before/timeout" => before(people, path, &read(body)?),
        "/join" | "/leave" => {
            let Membership { guild, user } = read(body)?;
            done(if path == "/join" { people.join(guild, user) } else { people.leave(guild, user) })
        }
        "/role/add" | "/role/remove" | "/role/permissions" | "/role/move" | "/role/delete"
        | "/bot/permissions" => roles(people, path, &read(body)?),
        "/bot/other" => {
            let OtherBot { guild, permissions } = read(body)?;
            let bot = people.invite_other_bot(guild, permissions).map_err(Problem::Refused)?;
            Ok(json!({"user": bot.to_string()}))
        }
        "/guild/transfer" | "/guild/rename" | "/channel/deny" | "/channel/delete" => {
            of_guild(people, path, &read(body)?)
        }
        "/integration/kick" | "/integration/role" => {
            let Integration { guild, kind, actor, user, role, give } = read(body)?;
            done(match path {
                "/integration/kick" => people.integration_kick(guild, &kind, actor, user),
                _ => people.integration_role(guild, &kind, actor, user, (needed(role, "role")?, give)),
            })
        }
        "/application/kick" => {
            let Membership { guild, user } = read(body)?;
            let application = people.application_kick(guild, user).map_err(Problem::Refused)?;
            Ok(json!({"application": application.to_string()}))
        }
        "/bot/remove" => done(people.remove_bot(read::<Place>(body)?.guild)),
        "/bot/invite" => done(people.invite_bot(read::<Place>(body)?.guild)),
        "/outage" => done(people.outage(read::<Place>(body)?.guild)),
        "/restore" => done(people.restore(read::<Place>(body)?.guild)),
        "/two-factor" => {
            let TwoFactor { guild, required } = read(body)?;
            done(people.require_two_factor(guild, required))
        }
        "/owner/two-factor" => {
            people.owner_uses_two_factor(read::<OwnerTwoFactor>(body)?.uses);
            Ok(json!({}))
        }
        "/token/reset" => Ok(json!({"token": people.reset_token()})),
        "/dms" => {
            let Dms { user, accepts } = read(body)?;
            people.accept_dms(user, accepts);
            Ok(json!({}))
        }
        "/stranger" => Ok(json!({"user": discord.change(crate::World::stranger).to_string()})),
        "/slash" | "/autocomplete" | "/user-command" => command(people, path, read(body)?),
        "/press" => {
            let Press { interaction, by, custom_id, unseen } = read(body)?;
            begun(if unseen {
                people.press_unseen(interaction, by, &custom_id)
            } else {
                people.press(interaction, by, &custom_id)
            })
        }
        "/faults" => Ok(json!({"fault": discord.inject(read::<Fault>(body)?)})),
        "/options" => done(discord.reconfigure(read::<Changes>(body)?)),
        "/clock/advance" => {
            discord.advance(Duration::from_millis(read::<Advance>(body)?.ms));
            Ok(json!({"now_ms": discord.clock.unix_ms()}))
        }
        _ => Err(Problem::Missing),
    }
}

fn moderate(people: &People, path: &str, asked: &Moderation) -> Answer {
    let Moderation { guild, by, user, reason, seconds } = asked;
    let reason = reason.as_deref();
    done(match path {
        "/ban" => people.ban(*guild, *by, *user, reason),
        "/unban" => people.unban(*guild, *by, *user, reason),
        "/kick" => people.kick(*guild, *by, *user, reason),
        _ => people.timeout(*guild, *by, *user, seconds.map(Duration::from_secs), reason),
    })
}

fn of_guild(people: &People, path: &str, asked: &OfGuild) -> Answer {
    let (guild, by) = (asked.guild, asked.by);
    let channel = || needed(asked.channel, "channel");
    done(match path {
        "/guild/transfer" => people.transfer(guild, by, needed(asked.to, "to")?),
        "/guild/rename" => people.rename(guild, by, needed(asked.name.as_deref(), "name")?),
        "/channel/deny" => {
            let (role, deny) = (needed(asked.role, "role")?, needed(asked.deny, "deny")?);
            people.deny_in_channel(guild, by, channel()?, role, deny)
        }
        _ => people.delete_channel(guild, by, channel()?),
    })
}

fn before(people: &People, path: &str, asked: &Before) -> Answer {
    let Before { guild, user, reason, role, seconds } = asked;
    done(match path {
        "/before/ban" => people.had_banned(*guild, *user, reason.as_deref()),
        "/before/role" => people.had_given_role(*guild, *user, needed(*role, "role")?),
        _ => people.had_timed_out(*guild, *user, Duration::from_secs(needed(*seconds, "seconds")?)),
    })
}

fn roles(people: &People, path: &str, asked: &OfRole) -> Answer {
    let guild = asked.guild;
    let role = || needed(asked.role, "role");
    done(match path {
        "/role/add" => people.add_role(guild, needed(asked.by, "by")?, needed(asked.user, "user")?, role()?),
        "/role/remove" => {
            people.remove_role(guild, needed(asked.by, "by")?, needed(asked.user, "user")?, role()?)
        }
        "/role/permissions" => {
            people.set_role_permissions(guild, role()?, needed(asked.permissions, "permissions")?)
        }
        "/role/move" => people.move_role(guild, role()?, needed(asked.position, "position")?),
        "/role/delete" => people.delete_role(guild, role()?),
        _ => people.set_bot_permissions(guild, needed(asked.permissions, "permissions")?),
    })
}

fn command(people: &People, path: &str, asked: Command) -> Answer {
    let Command { guild, by, command, options, option, typed, user } = asked;
    begun(match path {
        "/slash" => people.slash(guild, by, &command, options),
        "/autocomplete" => people.autocomplete(guild, by, &command, &option, &typed),
        _ => people.user_command(guild, by, &command, needed(user, "user")?),
    })
}

pub(super) fn delete(discord: &Discord, path: &str) -> Answer {
    let id = path.strip_prefix("/faults/").and_then(|id| id.parse().ok()).ok_or(Problem::Missing)?;
    if discord.clear(id) { Ok(json!({})) } else { Err(Problem::Missing) }
}
