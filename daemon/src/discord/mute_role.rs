//! Which roles may mute people. `config muterole`, every mute, the plans and the doctor ask here, so that all of them give
//! the same reason. Invariant: no mute gives a role that is managed, or that grants a permission of [`POWERS`].

use super::directory::Directory;
use super::event::RoleView;
use wayhaven_shared::value::{GuildId, RoleId};

/// The permissions with which people moderate or manage a guild, by bit and by the name in Discord's client (FACTS A1).
pub const POWERS: &[(u32, &str)] = &[
    (1, "Kick Members"),
    (2, "Ban Members"),
    (3, "Administrator"),
    (4, "Manage Channels"),
    (5, "Manage Server"),
    (7, "View Audit Log"),
    (13, "Manage Messages"),
    (17, "Mention Everyone"),
    (19, "View Server Insights"),
    (22, "Mute Members"),
    (23, "Deafen Members"),
    (24, "Move Members"),
    (27, "Manage Nicknames"),
    (28, "Manage Roles"),
    (29, "Manage Webhooks"),
    (30, "Manage Expressions"),
    (33, "Manage Events"),
    (34, "Manage Threads"),
    (40, "Timeout Members"),
    (41, "View Creator Monetization Analytics"),
    (51, "Pin Messages"),
    (52, "Bypass Slowmode"),
];

/// Discord's highest published permission bit (FACTS A1). A newer one may be anything.
const HIGHEST_KNOWN: u32 = 52;

/// Why a role cannot mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is @everyone.
    Everyone,
    /// The guild has no such role.
    Gone,
    /// A bot, an integration or Discord itself gives and takes it.
    Managed,
    /// It grants these permissions of [`POWERS`].
    Grants(Vec<&'static str>),
    /// A channel allows it these permissions of [`POWERS`].
    GrantsInChannel(Vec<&'static str>),
    /// The bot's own role does not rank above it.
    AboveBot,
}

/// Those of the bits with which people moderate or manage, and those that this version does not
/// know.
pub fn powers_of(bits: u64) -> u64 {
    let known = POWERS.iter().fold(0, |all, (bit, _)| all | 1u64 << bit);
    bits & (known | u64::MAX << (HIGHEST_KNOWN + 1))
}

/// The names of these permissions, in Discord's client.
fn names_of(bits: u64) -> Vec<&'static str> {
    let mut names: Vec<&'static str> =
        POWERS.iter().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, name)| *name).collect();
    if bits >> (HIGHEST_KNOWN + 1) != 0 {
        names.push("a permission that this version does not know");
    }
    names
}

impl Unfit {
    /// Why the role cannot mute, by a guild's roles as Discord's answer lists them; who ranks above whom is not looked at.
    pub fn among(roles: &[RoleView], guild: GuildId, role: RoleId) -> Option<Self> {
        if role.get() == guild.get() {
            return Some(Self::Everyone);
        }
        let Some(found) = roles.iter().find(|one| one.id == role) else { return Some(Self::Gone) };
        let everyone = roles.iter().find(|one| one.id.get() == guild.get());
        let facts = RoleFacts {
            permissions: found.permissions,
            managed: found.managed,
            everyone: everyone.map_or(0, |role| role.permissions),
            in_channels: 0,
        };
        facts.unfit()
    }

    /// Whether the role itself is the problem, wherever the bot ranks: such a role is never given or read as a mute.
    pub fn is_of_the_role(&self) -> bool {
        matches!(self, Self::Everyone | Self::Managed | Self::Grants(_) | Self::GrantsInChannel(_))
    }

    /// The reason, with the role's id.
    pub fn reason(&self, role: RoleId) -> String {
        match self {
            Self::Everyone => "the mute role is @everyone, which every member has".to_owned(),
            Self::Gone => format!("the mute role {role} no longer exists"),
            Self::Managed => format!("the mute role {role} is managed by a bot or an integration"),
            Self::Grants(names) => format!("the mute role {role} grants {}", names.join(", ")),
            Self::GrantsInChannel(names) => {
                format!("the mute role {role} is allowed {} in a channel", names.join(", "))
            }
            Self::AboveBot => format!("the mute role {role} does not rank below the bot's own role"),
        }
    }

    /// What repairs it.
    pub fn repair(&self, guild: GuildId) -> String {
        match self {
            Self::Everyone | Self::Gone | Self::Managed => {
                format!("wayhaven config muterole ROLE_ID --guild {guild}")
            }
            Self::Grants(_) => {
                "on Discord: Server Settings, Roles, turn these permissions off for the role".to_owned()
            }
            Self::GrantsInChannel(_) => {
                "on Discord: in the permissions of the channels, reset these permissions for the role"
                    .to_owned()
            }
            Self::AboveBot => {
                "on Discord: Server Settings, Roles, drag the bot's role above the mute role".to_owned()
            }
        }
    }
}

/// What decides whether a role may mute.
#[derive(Clone, Copy, Debug)]
pub struct RoleFacts {
    /// Its permission bits.
    pub permissions: u64,
    /// Whether a bot or an integration gives and takes it.
    pub managed: bool,
    /// The permission bits of @everyone.
    pub everyone: u64,
    /// What channels allow it beyond what @everyone has there.
    pub in_channels: u64,
}

impl RoleFacts {
    /// Why the role itself cannot mute, whoever ranks above whom. What @everyone has too the role does not add: Discord
    /// makes a new role with the permissions of @everyone.
    pub fn unfit(self) -> Option<Unfit> {
        if self.managed {
            return Some(Unfit::Managed);
        }
        let added = self.permissions & !self.everyone;
        let grants = names_of(added);
        if !grants.is_empty() {
            return Some(Unfit::Grants(grants));
        }
        let in_channels = names_of(self.in_channels);
        (!in_channels.is_empty()).then_some(Unfit::GrantsInChannel(in_channels))
    }
}

/// Why nobody can be muted in the guild with that role; nothing where it is fit, or Discord has not described the guild's
/// roles yet.
pub fn unfit(directory: &Directory, guild: GuildId, role: RoleId) -> Option<Unfit> {
    directory.judge_mute_role(guild, role)?.err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(permissions: u64) -> RoleFacts {
        RoleFacts { permissions, managed: false, everyone: 1 << 10 | 1 << 11, in_channels: 0 }
    }

    #[test]
    fn a_role_that_grants_any_power_is_unfit_and_the_reason_names_each() {
        assert_eq!(facts(0).unfit(), None);
        // Reading, writing, reacting, speaking: a role that only restricts keeps some of them.
        assert_eq!(facts(1 << 6 | 1 << 10 | 1 << 16 | 1 << 20 | 1 << 31).unfit(), None);
        for (bit, name) in POWERS {
            assert_eq!(facts(1 << bit).unfit(), Some(Unfit::Grants(vec![name])), "{name}");
        }
        let both = facts(1 << 3 | 1 << 2).unfit().unwrap();
        let role = RoleId::new(9).unwrap();
        assert_eq!(both.reason(role), "the mute role 9 grants Ban Members, Administrator");
        assert!(matches!(facts(1 << 53).unfit(), Some(Unfit::Grants(_))), "newer than this version");
    }

    #[test]
    fn a_managed_role_is_unfit_and_what_everyone_has_is_not_granted_by_the_role() {
        assert_eq!(RoleFacts { managed: true, ..facts(0) }.unfit(), Some(Unfit::Managed));
        let copied = RoleFacts { everyone: 1 << 17, ..facts(1 << 17) };
        assert_eq!(copied.unfit(), None, "a new role is a copy of @everyone");
        let more = RoleFacts { everyone: 1 << 17, ..facts(1 << 17 | 1 << 13) };
        assert_eq!(more.unfit(), Some(Unfit::Grants(vec!["Manage Messages"])));
    }
}
