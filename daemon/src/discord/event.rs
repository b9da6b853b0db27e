//! Gateway events as Wayhaven reads them: parsed by us from their JSON, since serenity's own types refuse what
//! Discord really sends (FACTS D4: audit entries of bulk bans have no actor), and hold far more than is needed.

mod entry;
mod guild;
mod member;

pub use entry::{Deed, Entry, entry_kind};
pub use guild::GuildChange;
pub use member::MemberFacts;

use crate::discord::grants::{ChannelGrants, Grants};
use serde::Deserialize;
use serde_json::Value;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId, Untrusted, UserId};

/// What is used of the gateway's events.
#[derive(Clone, Debug)]
pub enum GatewayEvent {
    /// A session began: what happened before it is a gap.
    Ready {
        /// The bot's own id.
        me: UserId,
        /// Which shard this is, and of how many.
        shard: (u32, u32),
        /// The guilds of the shard it is in; each is told of on its own afterwards.
        guilds: Vec<GuildId>,
    },
    /// A session goes on, with what was missed replayed.
    Resumed,
    /// A guild is there, with what is needed of it.
    GuildHere(GuildView),
    /// A guild is gone for now (an outage) or for good.
    GuildGone {
        /// Which.
        guild: GuildId,
        /// Whether it is an outage.
        outage: bool,
    },
    /// A guild was given another owner or name, or something else of it was changed.
    GuildChanged {
        /// Which.
        guild: GuildId,
        /// What of it.
        change: GuildChange,
    },
    /// A channel was made, changed or deleted: what the bot may do in it may have changed.
    Channel {
        /// Where.
        guild: GuildId,
        /// Which.
        channel: ChannelId,
        /// What it allows to roles from now on.
        grants: ChannelGrants,
    },
    /// A role was made or changed.
    Role {
        /// Where.
        guild: GuildId,
        /// As it is now.
        role: RoleView,
    },
    /// A role was deleted.
    RoleGone {
        /// Where.
        guild: GuildId,
        /// Which.
        role: RoleId,
    },
    /// A member's roles, as they are now.
    Member {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
        /// All their roles.
        roles: Vec<RoleId>,
        /// What else is told of them.
        facts: MemberFacts,
    },
    /// Somebody joined, with the roles that they have from the start: told where the application has the members intent.
    Joined {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
        /// All their roles.
        roles: Vec<RoleId>,
        /// What else is told of them.
        facts: MemberFacts,
    },
    /// Somebody left, or was removed: told where the application has the members intent.
    Left {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// Somebody was banned or unbanned; Discord does not say by whom.
    Ban {
        /// Where.
        guild: GuildId,
        /// Who.
        user: UserId,
        /// Banned or unbanned.
        action: Action,
    },
    /// The audit log tells of something that people are punished with.
    Entry(Entry),
}

/// A role: what decides permissions and ranks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RoleView {
    /// Its id.
    pub id: RoleId,
    /// Its place; higher ranks above.
    pub position: i64,
    /// Its permission bits.
    #[serde(deserialize_with = "bits")]
    pub permissions: u64,
    /// Whether a bot or an integration gives and takes it.
    #[serde(default)]
    pub managed: bool,
}

/// A guild: what decides permissions and ranks.
#[derive(Clone, Debug)]
pub struct GuildView {
    /// Its id.
    pub id: GuildId,
    /// Its name.
    pub name: Untrusted,
    /// Its owner.
    pub owner: UserId,
    /// Whether its moderators need two-factor authentication (FACTS A1).
    pub two_factor: bool,
    /// Its roles.
    pub roles: Vec<RoleView>,
    /// What its channels allow to roles.
    pub grants: Grants,
    /// Members that the event names, with their roles; the bot is always one (FACTS B4).
    pub members: Vec<(UserId, Vec<RoleId>)>,
}

fn bits<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    // Discord writes permission sets as strings; serenity writes them back as strings too.
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// The shard that a guild's events come on (FACTS B2).
pub fn shard_of(guild: GuildId, shards: u32) -> u32 {
    u32::try_from((guild.get() >> 22) % u64::from(shards.max(1))).unwrap_or(0)
}

/// Why an event could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {what}")]
pub struct Unreadable {
    /// The event's name.
    pub kind: String,
    /// What is wrong; never the payload, which may hold secrets.
    pub what: String,
    /// Where it happened, if that much can be read.
    pub guild: Option<GuildId>,
}

#[derive(Deserialize)]
struct UserOnly {
    id: UserId,
}

#[derive(Deserialize)]
struct GuildOnly {
    id: GuildId,
}

/// Reads an event by its name; nothing for kinds that are not used.
///
/// # Errors
/// Where a kind that is used does not have the shape it must have.
pub fn read(kind: &str, data: &Value) -> Result<Option<GatewayEvent>, Unreadable> {
    parse(kind, data)
        .map_err(|unreadable| Unreadable { guild: field(kind, data, "guild_id").ok(), ..unreadable })
}

fn parse(kind: &str, data: &Value) -> Result<Option<GatewayEvent>, Unreadable> {
    let event = match kind {
        "READY" => GatewayEvent::Ready {
            me: field::<UserOnly>(kind, data, "user")?.id,
            shard: optional(kind, data, "shard")?.unwrap_or((0, 1)),
            guilds: field::<Vec<GuildOnly>>(kind, data, "guilds")?
                .into_iter()
                .map(|guild| guild.id)
                .collect(),
        },
        "RESUMED" => GatewayEvent::Resumed,
        "GUILD_CREATE" if data["unavailable"] == true => {
            GatewayEvent::GuildGone { guild: field(kind, data, "id")?, outage: true }
        }
        "GUILD_CREATE" => GatewayEvent::GuildHere(guild_view(kind, data)?),
        "GUILD_UPDATE" => {
            let (guild, change) = guild::change(kind, data)?;
            GatewayEvent::GuildChanged { guild, change }
        }
        // Channels of direct messages have no guild.
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "CHANNEL_DELETE" => match optional(kind, data, "guild_id")? {
            Some(guild) => GatewayEvent::Channel {
                guild,
                channel: field(kind, data, "id")?,
                grants: match kind {
                    "CHANNEL_DELETE" => ChannelGrants::default(),
                    _ => ChannelGrants::read(guild, data),
                },
            },
            None => return Ok(None),
        },
        "GUILD_DELETE" => {
            // The flag's presence means an outage; without it the bot was removed (FACTS B5).
            let outage = data["unavailable"].as_bool().unwrap_or(false);
            GatewayEvent::GuildGone { guild: field(kind, data, "id")?, outage }
        }
        "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" => {
            GatewayEvent::Role { guild: field(kind, data, "guild_id")?, role: field(kind, data, "role")? }
        }
        "GUILD_ROLE_DELETE" => GatewayEvent::RoleGone {
            guild: field(kind, data, "guild_id")?,
            role: field(kind, data, "role_id")?,
        },
        "GUILD_MEMBER_ADD" => GatewayEvent::Joined {
            guild: field(kind, data, "guild_id")?,
            user: field::<UserOnly>(kind, data, "user")?.id,
            roles: field(kind, data, "roles")?,
            facts: MemberFacts::of(data),
        },
        "GUILD_MEMBER_REMOVE" => GatewayEvent::Left {
            guild: field(kind, data, "guild_id")?,
            user: field::<UserOnly>(kind, data, "user")?.id,
        },
        "GUILD_MEMBER_UPDATE" => GatewayEvent::Member {
            guild: field(kind, data, "guild_id")?,
            user: field::<UserOnly>(kind, data, "user")?.id,
            roles: field(kind, data, "roles")?,
            facts: MemberFacts::of(data),
        },
        "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" => GatewayEvent::Ban {
            guild: field(kind, data, "guild_id")?,
            user: field::<UserOnly>(kind, data, "user")?.id,
            action: if kind == "GUILD_BAN_ADD" { Action::Ban } else { Action::Unban },
        },
        "GUILD_AUDIT_LOG_ENTRY_CREATE" => {
            return entry::entry(kind, data).map(|entry| entry.map(GatewayEvent::Entry));
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}

fn guild_view(kind: &str, data: &Value) -> Result<GuildView, Unreadable> {
    let name: String = field(kind, data, "name")?;
    let members = data["members"].as_array().into_iter().flatten().filter_map(|member| {
        let user: UserId = serde_json::from_value(member["user"]["id"].clone()).ok()?;
        Some((user, serde_json::from_value(member["roles"].clone()).ok()?))
    });
    let id = field(kind, data, "id")?;
    let channels = data["channels"].as_array().into_iter().flatten().filter_map(|channel| {
        Some((serde_json::from_value(channel["id"].clone()).ok()?, ChannelGrants::read(id, channel)))
    });
    Ok(GuildView {
        id,
        grants: Grants::new(channels),
        name: Untrusted::clipped(&name),
        owner: field(kind, data, "owner_id")?,
        two_factor: guild::two_factor(data).unwrap_or(false),
        roles: field(kind, data, "roles")?,
        members: members.collect(),
    })
}

fn field<T: serde::de::DeserializeOwned>(kind: &str, data: &Value, name: &str) -> Result<T, Unreadable> {
    serde_json::from_value(data[name].clone())
        .map_err(|_| unreadable(kind, &format!("{name} is missing or odd")))
}

fn optional<T: serde::de::DeserializeOwned>(
    kind: &str,
    data: &Value,
    name: &str,
) -> Result<Option<T>, Unreadable> {
    if data[name].is_null() { Ok(None) } else { field(kind, data, name).map(Some) }
}

fn unreadable(kind: &str, what: &str) -> Unreadable {
    Unreadable { kind: kind.to_owned(), what: what.to_owned(), guild: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_join_is_read_down_to_who_and_where() {
        let data =
            json!({"guild_id": "101", "user": {"id": "55", "username": "u"}, "roles": [], "pending": false});
        let Ok(Some(GatewayEvent::Joined { guild, user, .. })) = read("GUILD_MEMBER_ADD", &data) else {
            panic!("not read")
        };
        assert_eq!((guild.get(), user.get()), (101, 55));
        assert!(read("GUILD_MEMBER_ADD", &json!({"user": {"id": "55"}})).is_err());
    }

    #[test]
    fn outages_and_removals_are_told_apart() {
        let outage = |kind, data| match read(kind, &data) {
            Ok(Some(GatewayEvent::GuildGone { outage, .. })) => outage,
            other => panic!("{other:?}"),
        };
        assert!(outage("GUILD_DELETE", json!({"id": "101", "unavailable": true})));
        assert!(outage("GUILD_CREATE", json!({"id": "101", "unavailable": true})));
        assert!(!outage("GUILD_DELETE", json!({"id": "101"})));
    }

    #[test]
    fn what_is_not_used_is_nothing_and_what_is_odd_is_named_without_its_payload() {
        assert!(read("TYPING_START", &json!({})).unwrap().is_none());
        let other = json!({"guild_id": "1", "id": "2", "action_type": 72, "target_id": null});
        assert!(read("GUILD_AUDIT_LOG_ENTRY_CREATE", &other).unwrap().is_none());
        let error = read("GUILD_BAN_ADD", &json!({"guild_id": "1", "user": {"id": "secret"}})).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
