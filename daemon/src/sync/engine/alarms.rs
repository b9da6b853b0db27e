//! What an operator hears of the lanes.

use super::Lanes;
use crate::discord::rest::Trouble;
use crate::store::Severity;
use crate::sync::lane::Alarm;
use tokio::sync::broadcast;
use wayhaven_shared::value::GuildId;

/// So many broken guilds get an alert each; beyond them it is Discord, or the way there, and one alert tells of all.
const BROKEN_ALONE: usize = 5;

impl Lanes {
    pub(super) async fn alert(&mut self, guild: GuildId, alarm: Alarm) {
        let (kind, severity, place, details) = match alarm {
            Alarm::Blocked(reason) => {
                let details = format!("deliveries to guild {guild} are blocked: {reason}");
                ("delivery_blocked", Severity::Medium, Some(guild), details)
            }
            Alarm::Deferred(reason) => {
                let details = format!("bans in guild {guild} wait, an hour at a time: {reason}");
                ("delivery_deferred", Severity::Low, Some(guild), details)
            }
            Alarm::Broken(reason) => {
                self.broken.insert(guild);
                if self.broken.len() <= BROKEN_ALONE {
                    let details = format!("deliveries to guild {guild} fail and are tried again: {reason}");
                    ("delivery_delayed", Severity::Medium, Some(guild), details)
                } else {
                    let guilds = self.broken.len();
                    let details = format!("deliveries to {guilds} guilds fail and are tried again: {reason}");
                    ("delivery_delayed", Severity::High, None, details)
                }
            }
        };
        self.raise(kind, severity, place, details).await;
    }

    pub(super) async fn report(&self, trouble: Result<Trouble, broadcast::error::RecvError>) {
        match trouble {
            Ok(Trouble::Edge(span)) => {
                let details = format!(
                    "the edge in front of Discord refuses this address (HTML 429): nothing is sent for {} s. \
                     Other programs on the same address may be the cause",
                    span.as_secs()
                );
                self.raise("edge_refuses", Severity::Critical, None, details).await;
            }
            Ok(Trouble::Refused(span)) => {
                let details = format!(
                    "Discord has refused too many requests (401, 403, 429): nothing is sent for {} s, long before \
                     it bans this address",
                    span.as_secs()
                );
                self.raise("requests_refused", Severity::Critical, None, details).await;
            }
            // Newer ones follow, and they tell the same.
            Err(_) => {}
        }
    }

    async fn raise(&self, kind: &'static str, severity: Severity, guild: Option<GuildId>, details: String) {
        tracing::warn!(kind, "{details}");
        let alert = move |change: &crate::store::Change<'_>| {
            Ok(change.alert_of_cause(kind, severity, guild, &details)?)
        };
        self.tools.services.store().write_later("an alert", alert).await;
    }
}
