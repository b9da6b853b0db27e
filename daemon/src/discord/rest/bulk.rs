//! The bulk ban: many users of one guild by one request (FACTS A3).

use super::{Call, Rest, RestError};
use crate::discord::budget::Slot;
use crate::discord::routes::Route;
use crate::network::BulkPermit;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use wayhaven_shared::value::{GuildId, UserId};

/// How many users one bulk ban takes (FACTS A3).
pub const MOST_AT_ONCE: usize = 200;

/// What Discord answers. Its list of those who failed is not read: it does not say why, and somebody may be in neither.
#[derive(Deserialize)]
struct Answer {
    banned_users: HashSet<UserId>,
}

impl Rest {
    /// The route of a bulk ban.
    pub fn bulk_ban_route(guild: GuildId) -> Route {
        Route { template: "POST /guilds/{guild}/bulk-ban", major: guild.get() }
    }

    /// Bans whom the permit names in the permit's guild, with one reason and one span of deleted messages for all.
    /// Returns whom it has banned; the others were banned already, or the bot cannot ban them.
    ///
    /// # Errors
    /// [`RestError`]. Code 500000 where nobody could be banned, for whatever reasons.
    pub async fn bulk_ban(
        &self,
        slot: Slot,
        permit: &BulkPermit,
        reason: Option<String>,
        delete_seconds: u32,
    ) -> Result<HashSet<UserId>, RestError> {
        let guild = permit.guild();
        let (route, path) = (Self::bulk_ban_route(guild), format!("/guilds/{guild}/bulk-ban"));
        let body = json!({ "user_ids": permit.users(), "delete_message_seconds": delete_seconds });
        let call = Call { method: Method::POST, route, path, body: Some(body), reason, bare: false };
        let answer = self.send(Some(slot), call).await?;
        serde_json::from_value::<Answer>(answer)
            .map(|answer| answer.banned_users)
            .map_err(|error| RestError::Lost(format!("the answer is not understood: {error}")))
    }
}
