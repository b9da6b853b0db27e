//! What Discord refuses in guilds although the bot has the permission: taken from the store at the start, and kept there, so
//! that a restart neither forgets it nor tries all of it again.

use super::Lanes;
use crate::discord::directory::Directory;
use crate::store::{Change, GuildRefusal, Queued};
use crate::sync::lane::Refusal;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{DeliveryId, GuildId, Timestamp};

/// What a start goes on with.
pub(super) struct Left {
    /// What is open, and how long each is left alone.
    pub(super) open: Vec<(Queued, Duration)>,
    /// What was blocked because its user ranks above the bot.
    pub(super) ranked: HashSet<DeliveryId>,
    pub(super) refusals: Vec<GuildRefusal>,
    pub(super) now: Timestamp,
}

impl Lanes {
    /// Takes over what the daemon before has left.
    pub(super) async fn take_over(&mut self, left: Left) {
        for refusal in left.refusals {
            let wait = u64::try_from(refusal.probe_at.millis() - left.now.millis()).unwrap_or(0);
            // However the clock was set meanwhile, nothing waits longer than an hour.
            let wait = Duration::from_millis(wait).min(Duration::from_secs(3_600));
            self.lanes.entry(refusal.guild).or_default().restore(Refusal {
                actions: vec![refusal.action],
                reason: refusal.reason,
                footing: refusal.footing,
                bars: refusal.bars,
                strikes: u32::from(refusal.bars),
                probes: refusal.probes,
                probe_at: Some(Instant::now() + wait),
            });
        }
        let mut settled = Vec::new();
        for (mut delivery, left_alone) in left.open {
            if delivery.state == DeliveryState::Blocked {
                // Whether a kick left before the end is asked for.
                delivery.state = match delivery.action {
                    Action::Kick => DeliveryState::Unknown,
                    _ => DeliveryState::Pending,
                };
                let ranked = left.ranked.contains(&delivery.id);
                (delivery.doubt.asks_first, delivery.doubt.told) = (ranked, ranked);
                let guild = delivery.guild;
                // It is tried again when Discord tells of the guild: before that nobody knows whether it would be refused.
                self.lanes.entry(guild).or_default().adopt(delivery);
                self.advance(guild).await;
                continue;
            }
            let deferred = (!left_alone.is_zero()).then(|| Instant::now() + left_alone);
            settled.extend(self.take_in(delivery, deferred).await);
        }
        self.settle(settled, Default::default()).await;
    }

    /// Stores what Discord refuses in the guild, where that has changed.
    pub(super) async fn keep_refusals(&mut self, guild: GuildId) {
        let Some(refusals) = self.lanes.get_mut(&guild).and_then(crate::sync::lane::Lane::changed_refusals)
        else {
            return;
        };
        let (clock, here) = (self.tools.services.clock().now(), Instant::now());
        let at = |instant: Option<Instant>| {
            let wait = instant.map_or(Duration::ZERO, |at| at.saturating_duration_since(here));
            Timestamp::from_millis(
                clock.millis().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(0)),
            )
        };
        let rows: Vec<GuildRefusal> = refusals
            .iter()
            .flat_map(|refusal| {
                refusal.actions.iter().map(|action| GuildRefusal {
                    guild,
                    action: *action,
                    reason: refusal.reason.clone(),
                    footing: refusal.footing.clone(),
                    bars: refusal.bars,
                    probes: refusal.probes,
                    since: clock,
                    probe_at: at(refusal.probe_at),
                })
            })
            .collect();
        let work = move |change: &Change<'_>| Ok(change.replace_refusals(guild, &rows)?);
        self.tools.services.store().write_later("what Discord refuses", work).await;
    }
}

/// Whether the bot may do to the user by now what Discord refused because of their rank.
pub(super) fn reaches(directory: &Directory, delivery: &Queued) -> bool {
    let roles = delivery.doubt.outranked_by.as_deref();
    directory.out_of_reach(delivery.guild, delivery.user, delivery.action, roles).is_none()
}
