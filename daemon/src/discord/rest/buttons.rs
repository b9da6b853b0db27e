//! The requests that answer a pressed button, or an entry of a menu.

use super::{Rest, RestError};
use crate::discord::interaction::InteractionToken;
use serde_json::{Value, json};

impl Rest {
    /// Acknowledges a press by putting another message in the place of the one that was pressed.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn replace(
        &self,
        interaction: u64,
        token: &InteractionToken,
        message: Value,
    ) -> Result<(), RestError> {
        self.callback(interaction, token, json!({ "type": 7, "data": message })).await
    }

    /// Answers a command, or a press, with a form.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn show_form(
        &self,
        interaction: u64,
        token: &InteractionToken,
        form: Value,
    ) -> Result<(), RestError> {
        self.callback(interaction, token, json!({ "type": 9, "data": form })).await
    }

    /// Answers a press beside the message that was pressed; only who pressed sees it.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn reply_beside(
        &self,
        interaction: u64,
        token: &InteractionToken,
        mut message: Value,
    ) -> Result<(), RestError> {
        message["flags"] = json!(64);
        self.callback(interaction, token, json!({ "type": 4, "data": message })).await
    }
}
