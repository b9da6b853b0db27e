//! What the channels of a guild allow its roles beyond what the guild grants them, as far as people
//! moderate or manage by it.

use super::mute_role::powers_of;
use serde_json::Value;
use std::collections::HashMap;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId};

/// What a channel allows to roles beyond what it allows to everyone, in permission bits (FACTS A1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelGrants {
    allowed: Vec<(RoleId, u64)>,
    /// What it denies to everyone, whatever the guild grants.
    denied: u64,
}

/// An exception that a channel makes for a role.
#[derive(Clone, Copy, Debug)]
pub struct ForRole {
    /// Whose; the guild's own id stands for everyone.
    pub role: RoleId,
    /// What it allows.
    pub allow: u64,
    /// What it denies.
    pub deny: u64,
}

impl ChannelGrants {
    /// Of these exceptions of a channel.
    pub fn of(guild: GuildId, exceptions: impl IntoIterator<Item = ForRole>) -> Self {
        let (everyone, roles): (Vec<_>, Vec<_>) =
            exceptions.into_iter().partition(|one| one.role.get() == guild.get());
        let (open, denied) = everyone.first().map_or((0, 0), |one| (one.allow, one.deny));
        let allowed = roles.into_iter().map(|one| (one.role, powers_of(one.allow & !open)));
        Self { allowed: allowed.filter(|(_, bits)| *bits != 0).collect(), denied }
    }

    /// Of a channel as an event shows it. An exception that cannot be read allows nothing.
    pub fn read(guild: GuildId, channel: &Value) -> Self {
        let bits = |text: &Value| text.as_str()?.parse().ok();
        let exceptions = channel["permission_overwrites"].as_array().into_iter().flatten();
        let of_roles = exceptions.filter(|one| one["type"] == 0 || one["type"] == "0");
        Self::of(
            guild,
            of_roles.filter_map(|one| {
                let role = RoleId::new(bits(&one["id"])?)?;
                Some(ForRole { role, allow: bits(&one["allow"])?, deny: bits(&one["deny"]).unwrap_or(0) })
            }),
        )
    }

    fn is_empty(&self) -> bool {
        self.allowed.is_empty()
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

    /// What channels allow the role, in permission bits, beyond what the guild grants to everyone.
    pub fn to(&self, role: RoleId, everyone: u64) -> u64 {
        let of_channel = |grants: &ChannelGrants| {
            let own = grants.allowed.iter().find(|(of, _)| *of == role).map_or(0, |(_, bits)| *bits);
            own & !(everyone & !grants.denied)
        };
        self.0.values().map(of_channel).fold(0, |bits, more| bits | more)
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
        assert_eq!((grants.to(role, 0), grants.to(RoleId::new(6).unwrap(), 0)), (1 << 13, 0));
        assert_eq!(grants.to(role, 1 << 13), 0, "everyone has it in the guild");
        let mut denied = json!({ "permission_overwrites": [
            { "id": "9", "type": 0, "allow": "0", "deny": "8192" },
            { "id": "5", "type": 0, "allow": "8192", "deny": "0" },
        ] });
        grants.follow(channel, &ChannelGrants::read(guild, &denied));
        assert_eq!(grants.to(role, 1 << 13), 1 << 13, "but the channel denies it to everyone");
        denied["permission_overwrites"][0]["id"] = "x".into();
        grants.follow(channel, &ChannelGrants::read(guild, &denied));
        assert!(grants.follow(channel, &ChannelGrants::default()));
        assert_eq!(grants.to(role, 0), 0);
    }
}
