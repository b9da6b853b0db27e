//! A channel as REST shows it: whose it is, and what the bot may do there.

use crate::discord::directory::ADMINISTRATOR;
use serde::{Deserialize, Deserializer};
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// What posting needs, with the names people know from Discord's own client (FACTS A1).
const NEEDED: [(u64, &str); 3] =
    [(1 << 10, "View Channel"), (1 << 11, "Send Messages"), (1 << 14, "Embed Links")];

/// VIEW_CHANNEL and SEND_MESSAGES (FACTS A1): what a person needs to write in a channel.
pub const WRITES: u64 = 1 << 10 | 1 << 11;

/// Types of channel that take messages for good: text, voice, announcement, stage. Threads close by themselves.
const TAKES_MESSAGES: [u64; 4] = [0, 2, 5, 13];

/// `GET /channels/{channel}`: what is needed of it.
#[derive(Clone, Debug, Deserialize)]
pub struct ChannelView {
    /// The guild it belongs to; nothing for direct messages.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// Its type.
    #[serde(rename = "type")]
    kind: u64,
    #[serde(default)]
    permission_overwrites: Vec<Overwrite>,
}

/// An exception that a channel makes from the guild's permissions.
#[derive(Clone, Debug, Deserialize)]
struct Overwrite {
    #[serde(deserialize_with = "number")]
    id: u64,
    /// 0 for a role, 1 for a member.
    #[serde(rename = "type")]
    kind: u64,
    #[serde(deserialize_with = "number")]
    allow: u64,
    #[serde(deserialize_with = "number")]
    deny: u64,
}

/// Discord writes ids and permission sets as strings.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl ChannelView {
    /// Whether it is of a type that messages can be posted in.
    pub fn takes_messages(&self) -> bool {
        TAKES_MESSAGES.contains(&self.kind)
    }

    /// What somebody with the guild-wide permissions `base` and these roles may do in the channel (FACTS A1).
    pub fn permissions(&self, base: u64, guild: GuildId, user: UserId, roles: &[RoleId]) -> u64 {
        if base & ADMINISTRATOR != 0 {
            return base;
        }
        let of = |kind: u64, ids: &[u64]| {
            let meant =
                self.permission_overwrites.iter().filter(|one| one.kind == kind && ids.contains(&one.id));
            meant.fold((0, 0), |(allow, deny), one| (allow | one.allow, deny | one.deny))
        };
        let roles: Vec<u64> = roles.iter().map(|role| role.get()).collect();
        // @everyone is the role with the guild's own id; what is allowed at a step goes before what is denied there.
        let steps = [of(0, &[guild.get()]), of(0, &roles), of(1, &[user.get()])];
        steps.into_iter().fold(base, |bits, (allow, deny)| (bits & !deny) | allow)
    }
}

/// The names of what posting needs and these permissions lack.
pub fn missing(permissions: u64) -> Vec<&'static str> {
    NEEDED.into_iter().filter(|(bit, _)| permissions & bit == 0).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const VIEW: u64 = 1 << 10;
    const SEND: u64 = 1 << 11;

    fn in_channel(base: u64, overwrites: &Value) -> u64 {
        let view = json!({"type": 0, "guild_id": "100", "permission_overwrites": overwrites});
        let view: ChannelView = serde_json::from_value(view).unwrap();
        let (guild, user) = (GuildId::new(100).unwrap(), UserId::new(7).unwrap());
        view.permissions(base, guild, user, &[RoleId::new(2).unwrap(), RoleId::new(3).unwrap()])
    }

    fn overwrite(id: u64, kind: u64, allow: u64, deny: u64) -> Value {
        json!({"id": id.to_string(), "type": kind, "allow": allow.to_string(), "deny": deny.to_string()})
    }

    #[test]
    fn everyone_then_roles_then_the_member() {
        assert_eq!(in_channel(VIEW | SEND, &json!([])), VIEW | SEND);
        assert_eq!(in_channel(VIEW | SEND, &json!([overwrite(100, 0, 0, SEND)])), VIEW);
        let roles = json!([overwrite(2, 0, 0, SEND), overwrite(3, 0, SEND, 0), overwrite(100, 0, 0, SEND)]);
        assert_eq!(in_channel(VIEW, &roles), VIEW | SEND, "one role's allowance beats another's denial");
        let member = json!([overwrite(3, 0, SEND, 0), overwrite(7, 1, 0, SEND)]);
        assert_eq!(in_channel(VIEW, &member), VIEW, "the member's own comes last");
        let others = json!([overwrite(9, 0, 0, VIEW), overwrite(8, 1, 0, VIEW), overwrite(7, 0, 0, VIEW)]);
        assert_eq!(in_channel(VIEW, &others), VIEW, "what is for others does not count");
        assert_eq!(
            in_channel(u64::MAX, &json!([overwrite(100, 0, 0, u64::MAX)])),
            u64::MAX,
            "administrators"
        );
    }

    #[test]
    fn what_is_missing_has_the_names_of_discords_client() {
        assert_eq!(missing(VIEW | SEND), ["Embed Links"]);
        assert!(missing(u64::MAX).is_empty());
    }
}
