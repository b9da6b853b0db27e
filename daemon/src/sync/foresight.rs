//! What an attempt would meet in a guild, found out without making it: for dry runs, drills and direct messages.

use super::attempt::obstacle::{Facts, Known, Obstacle, obstacle};
use crate::discord::budget::Priority;
use crate::discord::directory::Presence;
use crate::discord::rest::{MemberView, Rest, RestError};
use crate::services::Services;
use crate::store::{GuildRefusal, View};
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// How long Discord may take to say whether somebody is a member: a plan is not worth more.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What is known of a guild, and of a user there.
pub struct Foresight {
    guild: GuildId,
    user: Option<UserId>,
    known: Known,
    mute_role: Option<RoleId>,
    former_mute_roles: Vec<RoleId>,
    refusals: Vec<GuildRefusal>,
}

impl Foresight {
    /// What is known of the guild, and of a user there.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn of(
        services: &Services,
        guild: GuildId,
        user: Option<UserId>,
        known: Known,
    ) -> Result<Self, Fault> {
        let read = move |view: &View<'_>| {
            let former = match user {
                Some(user) => view.former_mute_roles(guild, user)?,
                None => Vec::new(),
            };
            Ok((view.config(guild)?.mute_role_id, former, view.refusals(Some(guild))?))
        };
        let (mute_role, former_mute_roles, refusals) = services.store().read(read).await?;
        Ok(Self { guild, user, known, mute_role, former_mute_roles, refusals })
    }

    /// The same with what is known of the user.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// What stands in the way of the action there.
    pub fn obstacle(&self, services: &Services, action: Action) -> Option<Obstacle> {
        let mut mute_roles: Vec<RoleId> = self.mute_role.into_iter().collect();
        if action.is_undo() {
            mute_roles.extend(&self.former_mute_roles);
        }
        let topology = services.store().topology();
        let protected = match &self.known {
            Known::Member(roles) => topology.protection().by_roles(self.guild, roles).is_some(),
            Known::Nothing | Known::NotThere => false,
        };
        let refused = self.refusals.iter().find(|one| one.bars && one.action == action);
        obstacle(&Facts {
            directory: services.directory(),
            guild: self.guild,
            action,
            user: self.user,
            known: &self.known,
            protected,
            mute_roles: &mute_roles,
            refused: refused.map(|one| one.reason.clone()),
        })
    }
}

/// What Discord says of the user in the guild; nothing of those who are no members.
///
/// # Errors
/// Why it does not say.
async fn member(
    services: &Services,
    priority: Priority,
    guild: GuildId,
    user: UserId,
) -> Result<Option<MemberView>, RestError> {
    let rest = services.rest();
    let slot = rest.slot(priority, Rest::member_route(guild)).await?;
    rest.member_now(slot, guild, user).await
}

/// What is known of the user in the guild, once Discord was asked.
///
/// # Errors
/// Why it does not say.
pub async fn ask(
    services: &Services,
    priority: Priority,
    guild: GuildId,
    user: UserId,
) -> Result<Known, RestError> {
    member(services, priority, guild, user).await.map(|member| Known::of(&member))
}

/// What Discord says of the user, for an answer that is of use only if it comes soon; nothing where it does not.
pub async fn member_soon(
    services: &Services,
    priority: Priority,
    guild: GuildId,
    user: UserId,
) -> Option<Option<MemberView>> {
    if services.directory().presence(guild) != Some(Presence::Here) {
        return None;
    }
    tokio::time::timeout(ANSWERS_WITHIN, member(services, priority, guild, user)).await.ok()?.ok()
}

/// As [`ask`], for an answer that is of use only if it comes soon; nothing is known otherwise.
pub async fn ask_soon(services: &Services, priority: Priority, guild: GuildId, user: UserId) -> Known {
    let member = member_soon(services, priority, guild, user).await;
    member.as_ref().map_or(Known::Nothing, Known::of)
}

/// Whether what an action comes to depends on who the user is in the guild.
pub fn depends_on_member(action: Action) -> bool {
    !matches!(action, Action::Unban | Action::Warn)
}
