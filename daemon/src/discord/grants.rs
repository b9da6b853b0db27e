//! What the channels of a guild allow its roles beyond what the guild grants them, as far as people
//! moderate or manage by it.

use super::mute_role::powers_of;
use serde_json::Value;
use std::collections::HashMap;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId};

/// What a channel allows to roles, in permission bits (FACTS A1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelGrants(Vec<(RoleId, u64)>);

impl ChannelGrants {
    /// Of these exceptions of a channel: the role, and what is allowed to it.
    pub fn of(guild: GuildId, allowed: impl IntoIterator<Item = (RoleId, u64)>) -> Self {
        let allowed: Vec<_> = allowed.into_iter().collect();
        let everyone =
            allowed.iter().find(|(role, _)| role.get() == guild.get()).map_or(0, |(_, bits)| *bits);
        // What is allowed to everyone there the role does not add.
        let added = allowed.into_iter().filter(|(role, _)| role.get() != guild.get());
        Self(
            added
                .map(|(role, bits)| (role, powers_of(bits & !everyone)))
                .filter(|(_, bits)| *bits != 0)
                .collect(),
        )
    }

    /// Of a channel as an event shows it. An exception that cannot be read allows nothing.
    pub fn read(guild: GuildId, channel: &Value) -> Self {
        let exceptions = channel["permission_overwrites"].as_array().into_iter().flatten();
        Self::of(
            guild,
            exceptions.filter_map(|one| {
                let is_of_role = one["type"] == 0 || one["type"] == "0" || one["type"] == "role";
                let id = one["id"].as_str()?.parse().ok().and_then(RoleId::new).filter(|_| is_of_role)?;
                Some((id, one["allow"].as_str()?.parse().ok()?))
            }),
        )
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The channels of a guild that allow something to a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(HashMap<ChannelId, ChannelGrants>);

impl Grants {
    /// Those of all channels.
    pub fn new(channels: impl IntoIterator<Item = (ChannelId, ChannelGrants)>) -> Self {
        Self(channels.into_iter().filter(|(_, grants)| !grants.is_empty()).collect())
    }

    /// The channel has changed, or is gone; whether that changes what is allowed.
    pub fn follow(&mut self, channel: ChannelId, grants: &ChannelGrants) -> bool {
        match grants.is_empty() {
            true => self.0.remove(&channel).is_some(),
            false => self.0.insert(channel, grants.clone()).as_ref() != Some(grants),
        }
    }

    /// What channels allow the role, in permission bits.
    pub fn to(&self, role: RoleId) -> u64 {
        let all = self.0.values().flat_map(|grants| &grants.0);
        all.filter(|(of, _)| *of == role).fold(0, |bits, (_, more)| bits | more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_channel_allows_a_role_is_followed() {
        let (guild, role, channel) =
            (GuildId::new(9).unwrap(), RoleId::new(5).unwrap(), ChannelId::new(7).unwrap());
        let shown = |allow: u64| {
            let exceptions = json!([
                { "id": "9", "type": 0, "allow": (1u64 << 24).to_string(), "deny": "0" },
                { "id": "5", "type": 0, "allow": allow.to_string(), "deny": "0" },
                { "id": "5", "type": 1, "allow": "8192", "deny": "0" },
                { "id": "x", "type": 0, "allow": "8192", "deny": "0" },
            ]);
            ChannelGrants::read(guild, &json!({ "permission_overwrites": exceptions }))
        };
        let mut grants = Grants::new([(channel, shown(1 << 10 | 1 << 24))]);
        assert_eq!(grants, Grants::default(), "viewing is no power, and moving members is everyone's there");
        assert!(grants.follow(channel, &shown(1 << 13)));
        assert!(!grants.follow(channel, &shown(1 << 13 | 1 << 10)));
        assert_eq!((grants.to(role), grants.to(RoleId::new(6).unwrap())), (1 << 13, 0));
        assert!(grants.follow(channel, &ChannelGrants::default()));
        assert_eq!(grants.to(role), 0);
    }
}
