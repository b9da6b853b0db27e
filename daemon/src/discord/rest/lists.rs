//! Reading guilds' members, page by page in the order of ids.

use super::calls::read;
use super::{Rest, RestError};
use crate::discord::accounts::Account;
use crate::discord::budget::Priority;
use crate::discord::routes::Route;
use serde::Deserialize;
use serde_json::Value;
use wayhaven_shared::value::{GuildId, RoleId, Timestamp, UserId};

/// The most members, or bans, that Discord gives at once (FACTS A3, A4).
pub const LIST_PAGE: usize = 1_000;

/// Discord has refused a ban list because it was read too often: for hours (FACTS A9).
pub const TOO_MANY_BAN_LISTS: u64 = 30_037;

/// A member as a page of them tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// Who.
    pub user: UserId,
    /// Whether it is a bot.
    pub is_bot: bool,
    /// Their roles.
    pub roles: Vec<RoleId>,
    /// Until when they are timed out, or were, by this machine's clock.
    pub timed_out_until: Option<Timestamp>,
}

impl Rest {
    /// A page of a guild's members: those of the least ids behind `after`, in order, none behind the last. It needs the
    /// members intent.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn members_after(
        &self,
        guild: GuildId,
        after: Option<UserId>,
    ) -> Result<Vec<ListedMember>, RestError> {
        #[derive(Deserialize)]
        struct Listed {
            user: Account,
            roles: Vec<RoleId>,
            #[serde(default)]
            communication_disabled_until: Option<Timestamp>,
        }
        let route = Route { template: "GET /guilds/{guild}/members", major: guild.get() };
        let after = after.map_or(0, UserId::get);
        let path = format!("/guilds/{guild}/members?limit={LIST_PAGE}&after={after}");
        let page: Vec<Value> = read(self.read(Priority::Backfill, route, &path).await?)?;
        let skew = self.clock.skew();
        let listed = |one: Listed| ListedMember {
            user: one.user.id,
            is_bot: one.user.bot,
            roles: one.roles,
            timed_out_until: one.communication_disabled_until.map(|until| skew.to_local(until)),
        };
        // An entry that cannot be read costs no other: a walk through the members would begin again without an end.
        let entries = page.len();
        let page: Vec<ListedMember> =
            page.into_iter().filter_map(|one| Listed::deserialize(one).ok()).map(listed).collect();
        if page.len() < entries {
            tracing::warn!(%guild, "{} members on a page cannot be read: skipped", entries - page.len());
        }
        Ok(page)
    }
}
