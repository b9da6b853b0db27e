//! Messages beside the one whose button was pressed.

use super::{Call, Rest, RestError};
use crate::discord::interaction::InteractionToken;
use crate::discord::routes::Route;
use reqwest::Method;
use serde_json::{Value, json};

/// The flag of a message that only the user of the interaction sees.
pub(super) const EPHEMERAL: u64 = 64;

impl Rest {
    /// Sends a message beside the one whose button was pressed, after the press was acknowledged. Only who pressed
    /// sees it.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn follow_up(
        &self,
        application: &str,
        token: &InteractionToken,
        mut message: Value,
    ) -> Result<(), RestError> {
        message["flags"] = json!(EPHEMERAL);
        let route = Route { template: "POST /webhooks/{app}/{token}", major: 0 };
        let path = format!("/webhooks/{application}/{}", token.expose());
        let call = Call { method: Method::POST, route, path, body: Some(message), reason: None, bare: true };
        self.send(None, call).await.map(drop)
    }
}
