//! Direct messages: the only requests that reach a user and no guild.

use super::{Call, Rest, RestError};
use crate::discord::budget::Priority;
use crate::discord::routes::Route;
use reqwest::Method;
use serde_json::{Value, json};
use wayhaven_shared::value::{ChannelId, UserId};

/// A user's channel with the bot: only Discord's answer to [`Rest::open_direct`] makes one, so that nothing else is posted
/// to a user, and nothing of a guild's is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectChannel(ChannelId);

impl Rest {
    /// Opens the user's channel with the bot, or finds it (FACTS A6).
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn open_direct(&self, user: UserId) -> Result<DirectChannel, RestError> {
        let route = Route { template: "POST /users/@me/channels", major: 0 };
        let slot = self.slot(Priority::Interactive, route).await?;
        let path = "/users/@me/channels".to_owned();
        let body = Some(json!({ "recipient_id": user }));
        let call = Call { method: Method::POST, route, path, body, reason: None, bare: false };
        let channel = self.send(Some(slot), call).await?;
        // Whatever else was answered is no user's channel.
        let id = channel["id"].as_str().filter(|_| channel["type"] == 1).and_then(|id| id.parse().ok());
        id.map(DirectChannel).ok_or_else(|| RestError::Lost("a channel with a user was not what came".into()))
    }

    /// Posts to a user.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn post_direct(&self, channel: DirectChannel, message: Value) -> Result<(), RestError> {
        let DirectChannel(channel) = channel;
        let route = Route { template: "POST /channels/{channel}/messages", major: channel.get() };
        let slot = self.slot(Priority::Interactive, route).await?;
        let path = format!("/channels/{channel}/messages");
        let call = Call { method: Method::POST, route, path, body: Some(message), reason: None, bare: false };
        self.send(Some(slot), call).await.map(drop)
    }
}
