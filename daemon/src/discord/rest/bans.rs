//! A guild's ban list.

use super::calls::read;
use super::{LIST_PAGE, Rest, RestError};
use crate::discord::budget::Priority;
use crate::discord::routes::Route;
use serde::Deserialize;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// A ban as Discord lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBan {
    /// Whom.
    pub user: UserId,
    /// Why.
    pub reason: Option<Untrusted>,
    /// What the user is called.
    pub name: Option<String>,
}

impl Rest {
    /// A page of a guild's ban list: those of the least ids behind `after`, in order, none behind the last. Of a long list
    /// Discord shows one page a minute, which the route waits for (FACTS C2).
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn bans_after(
        &self,
        guild: GuildId,
        after: Option<UserId>,
    ) -> Result<Vec<ListedBan>, RestError> {
        #[derive(Deserialize)]
        struct Listed {
            user: ListedUser,
            reason: Option<String>,
        }
        #[derive(Deserialize)]
        struct ListedUser {
            id: UserId,
            #[serde(default)]
            username: Option<String>,
        }
        let route = Route { template: "GET /guilds/{guild}/bans", major: guild.get() };
        let after = after.map_or(0, UserId::get);
        let path = format!("/guilds/{guild}/bans?limit={LIST_PAGE}&after={after}");
        let page: Vec<Listed> = read(self.read(Priority::Backfill, route, &path).await?)?;
        let ban = |one: Listed| ListedBan {
            user: one.user.id,
            reason: one.reason.as_deref().map(Untrusted::clipped),
            name: one.user.username,
        };
        Ok(page.into_iter().map(ban).collect())
    }
}
