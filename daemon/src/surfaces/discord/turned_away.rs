//! Interactions that are not run. Whoever sent one is told so, as far as Discord lets them be told.

use crate::audit::rows::{Unread, audit_unread};
use crate::discord::embed;
use crate::discord::gateway::Arrived;
use crate::discord::interaction::{FirstAnswer, Interaction, Ticket};
use crate::discord::rest::RestError;
use crate::invocation::Surface;
use crate::store::Severity;
use crate::systems::Systems;
use serde_json::json;
use std::sync::Arc;
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Fault, grammar};

/// Answers an interaction that came while the daemon stops.
pub async fn turn_away(systems: Arc<Systems>, arrived: Arrived) {
    let fault = Fault::unavailable("Not done: Wayhaven is stopping").hint("send it again in a minute");
    refuse(&systems, &arrived, &fault).await;
}

/// Answers an interaction that cannot be read.
pub(super) async fn unreadable(systems: &Arc<Systems>, arrived: &Arrived, fault: Fault) {
    tracing::error!("an interaction is not understood: {}", fault.message);
    refuse(systems, arrived, &fault).await;
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert("interaction_not_understood", Severity::Medium, None, None, &fault.message)?)
    };
    systems.services.store().write_later("an alert", work).await;
}

/// Answers an interaction of a kind that no message and no command of Wayhaven's leads to.
pub(super) async fn not_offered(systems: &Arc<Systems>, arrived: &Arrived) {
    tracing::warn!("an interaction of a kind that Wayhaven offers nowhere was not run");
    let fault = Fault::usage("Not done: this version of Wayhaven does not offer this")
        .hint("type / to see the commands that it offers");
    refuse(systems, arrived, &fault).await;
}

/// An interaction whose acknowledgement Discord did not take is not run: whoever sent it sees that it failed, and
/// would send it again.
pub(super) async fn unacknowledged(
    systems: &Arc<Systems>,
    arrived: &Arrived,
    interaction: &Interaction,
    error: &RestError,
) {
    tracing::warn!(
        operation = interaction.operation,
        "an interaction was not acknowledged, and so not run: {error}"
    );
    let fault = Fault::unavailable(format!("Not done: Discord did not take the acknowledgement: {error}"))
        .hint("send it again");
    refuse(systems, arrived, &fault).await;
}

/// Shows the fault and audits it.
async fn refuse(systems: &Arc<Systems>, arrived: &Arrived, fault: &Fault) {
    let data = &arrived.data;
    if let (Some(ticket), Some(first)) = (Ticket::of(data), FirstAnswer::of(data)) {
        let application =
            systems.services.gateway().application().or(ticket.application.map(|id| id.to_string()));
        let application = application.unwrap_or_default();
        let mut message = embed::fault_message(fault);
        message["components"] = json!([]);
        let shown = match first {
            FirstAnswer::Deferred => {
                systems.services.rest().answer(&application, &ticket.token, message).await
            }
            FirstAnswer::Unchanged | FirstAnswer::Form => {
                systems.services.rest().follow_up(&application, &ticket.token, message).await
            }
        };
        if let Err(error) = shown {
            tracing::warn!("why an interaction was not run was not shown: {error}");
        }
    }
    let operation = Interaction::from_value(data)
        .ok()
        .and_then(|interaction| grammar::find(&interaction.operation))
        .map_or("unknown", |found| found.name);
    let id = |of: &serde_json::Value| of.as_str().and_then(|id| id.parse::<u64>().ok());
    let user = [&data["member"]["user"]["id"], &data["user"]["id"]].into_iter().find_map(id);
    let unread = Unread {
        operation,
        surface: Surface::Discord,
        guild: id(&data["guild_id"]).and_then(GuildId::new),
        actor: user.map_or_else(|| "unknown".to_owned(), |user| user.to_string()),
        fault: Some(fault),
    };
    audit_unread(systems.services.store(), unread).await;
}
