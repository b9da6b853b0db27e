//! Why an action cannot be done to somebody in a guild right now, as far as that is known without doing it. Dry runs, drills
//! and direct messages ask here, and so does a real attempt that Discord has refused: they cannot differ.

use super::{NO_MUTE_ROLE, absent};
use crate::discord::directory::{Directory, OutOfReach, Presence, needed};
use crate::discord::mute_role::unfit;
use crate::discord::rest::MemberView;
use crate::network::Refusal;
use crate::store::BOT_ABSENT;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// What is known of a user in a guild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody asked, or Discord did not say.
    Nothing,
    /// They are no member.
    NotThere,
    /// They are a member with these roles.
    Member(Vec<RoleId>),
}

impl Known {
    /// What Discord has said of them: a member, or none.
    pub fn of(member: &Option<MemberView>) -> Self {
        member.as_ref().map_or(Self::NotThere, |member| Self::Member(member.roles.clone()))
    }
}

/// What an obstacle is looked for in.
pub struct Facts<'a> {
    /// The guilds as the gateway tells of them.
    pub directory: &'a Directory,
    /// The guild.
    pub guild: GuildId,
    /// What is to be done there.
    pub action: Action,
    /// The user, where it is about somebody.
    pub user: Option<UserId>,
    /// What is known of them there.
    pub known: &'a Known,
    /// Whether they hold a role that the guild protects.
    pub protected: bool,
    /// The roles of a mute or unmute; none where the guild has no mute role.
    pub mute_roles: &'a [RoleId],
    /// Why deliveries of the action wait there, where Discord refuses it to everybody.
    pub refused: Option<String>,
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The bot is not in the guild.
    Absent,
    /// Discord has an outage of the guild.
    Outage,
    /// Discord refuses the action to everybody there.
    Refused(String),
    /// The guild has no mute role.
    NoMuteRole,
    /// The bot lacks the permission.
    NoPermission(Action),
    /// The user is no member, and the action is only for members.
    NotThere(Action),
    /// The user holds a protected role.
    Protected,
    /// The mute role must not be given, or ranks above the bot; with the reason.
    UnfitMuteRole(String),
    /// Discord lets the bot do nothing to the user.
    OutOfReach(OutOfReach),
}

impl Obstacle {
    /// The state of a delivery that meets it.
    pub fn state(&self) -> DeliveryState {
        match self {
            Self::Outage => DeliveryState::Pending,
            Self::NotThere(_) | Self::Protected => DeliveryState::Skipped,
            _ => DeliveryState::Blocked,
        }
    }

    /// Why, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Absent => BOT_ABSENT.to_owned(),
            Self::Outage => "Discord has an outage for the guild".to_owned(),
            Self::Refused(reason) => reason.clone(),
            Self::NoMuteRole => NO_MUTE_ROLE.to_owned(),
            Self::NoPermission(action) => format!("missing permission {}", needed(*action).1),
            Self::NotThere(action) => absent(*action).to_owned(),
            Self::Protected => Refusal::Protected.to_string(),
            Self::UnfitMuteRole(reason) => reason.clone(),
            Self::OutOfReach(why) => why.words().to_owned(),
        }
    }
}

/// What stands in the way in the guild as a whole.
pub fn of_guild(directory: &Directory, guild: GuildId) -> Option<Obstacle> {
    match directory.presence(guild) {
        Some(Presence::Absent) => Some(Obstacle::Absent),
        Some(Presence::Outage) => Some(Obstacle::Outage),
        Some(Presence::Here) | None => None,
    }
}

/// What stands in the way of the action, in the order in which an attempt meets it.
pub fn obstacle(facts: &Facts<'_>) -> Option<Obstacle> {
    let Facts { directory, guild, action, user, known, .. } = *facts;
    if action == Action::Warn {
        return None;
    }
    let of_members = !matches!(action, Action::Ban | Action::Unban);
    let mutes = action.measure() == Action::Mute;
    if let Some(found) = of_guild(directory, guild) {
        return Some(found);
    }
    if let Some(reason) = &facts.refused {
        return Some(Obstacle::Refused(reason.clone()));
    }
    if mutes && facts.mute_roles.is_empty() {
        return Some(Obstacle::NoMuteRole);
    }
    if let Some(reason) = unfit_mute_role(facts).filter(|_| mutes) {
        return Some(Obstacle::UnfitMuteRole(reason));
    }
    if facts.protected && !action.is_undo() {
        return Some(Obstacle::Protected);
    }
    if directory.may(guild, action) == Some(false) {
        return Some(Obstacle::NoPermission(action));
    }
    if of_members && *known == Known::NotThere {
        return Some(Obstacle::NotThere(action));
    }
    let roles = match known {
        Known::Member(roles) => Some(roles.as_slice()),
        Known::Nothing | Known::NotThere => None,
    };
    directory.out_of_reach(guild, user?, action, roles).map(Obstacle::OutOfReach)
}

/// Why a role of the mute or unmute is in the way. A role that was given while it was fit is taken all the same.
fn unfit_mute_role(facts: &Facts<'_>) -> Option<String> {
    let in_the_way = |role: &RoleId| {
        let unfit = unfit(facts.directory, facts.guild, *role)?;
        (!facts.action.is_undo() || !unfit.is_of_the_role()).then(|| unfit.reason(*role))
    };
    facts.mute_roles.iter().find_map(in_the_way)
}
