//! A guild's roles, asked for where the gateway has not described them.

use super::calls::read;
use super::{Call, Rest, RestError};
use crate::discord::budget::Slot;
use crate::discord::event::RoleView;
use crate::discord::routes::Route;
use reqwest::Method;
use wayhaven_shared::value::GuildId;

impl Rest {
    /// A guild's roles, in a slot that was waited for.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn roles_now(&self, slot: Slot, guild: GuildId) -> Result<Vec<RoleView>, RestError> {
        let (path, route) = (format!("/guilds/{guild}/roles"), Self::roles_route(guild));
        let call = Call { method: Method::GET, route, path, body: None, reason: None, bare: false };
        read(self.send(Some(slot), call).await?)
    }

    /// The route of [`roles_now`](Self::roles_now).
    pub fn roles_route(guild: GuildId) -> Route {
        Route { template: "GET /guilds/{guild}/roles", major: guild.get() }
    }
}
