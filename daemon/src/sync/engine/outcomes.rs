//! What the lanes hand to the store: how deliveries stand. None of it is waited for; the writer keeps the order.

use super::{Lanes, Message};
use crate::store::{Queued, Settlement};
use crate::sync::lane::Resumed;
use crate::sync::overrides::done_by_command;
use std::collections::HashMap;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::{DeliveryId, PunishmentId};

impl Lanes {
    /// Records what became of deliveries. The lane does not wait for the commit: should it be lost, a restart
    /// does the same once more, which is harmless. `undos` are those by which a guild takes something back in itself.
    pub(super) async fn settle(
        &mut self,
        settlements: Vec<(DeliveryId, Settlement)>,
        undos: HashMap<DeliveryId, PunishmentId>,
    ) {
        if settlements.is_empty() {
            return;
        }
        let work = move |change: &crate::store::Change<'_>| {
            for (id, settlement) in &settlements {
                let ended = change.settle(*id, settlement)?;
                if let Some(undo) = undos.get(id)
                    && ended
                    && settlement.state == DeliveryState::Applied
                {
                    done_by_command(change, *undo)?;
                }
            }
            Ok(())
        };
        // What a main's own outcome lets go is the engine's before it hears that this is committed.
        match self.tools.services.store().submit(work).await {
            Ok(committed) => {
                self.settling += 1;
                let messages = self.messages.clone();
                tokio::spawn(async move {
                    if let Err(fault) = committed.await {
                        tracing::error!("outcomes of deliveries are not stored: {fault}");
                    }
                    let _ = messages.send(Message::Settled);
                });
            }
            Err(fault) => tracing::error!("outcomes of deliveries are not stored: {fault}"),
        }
    }

    /// Records that what was blocked is tried again, before it leaves: what Discord tells of it may be told at once.
    pub(super) async fn resume(&self, resumed: Vec<Resumed>) {
        if resumed.is_empty() {
            return;
        }
        let work = move |change: &crate::store::Change<'_>| {
            resumed.iter().try_for_each(|one| Ok(change.unblock(one.id, one.state)?))
        };
        self.tools.services.store().write_later("what is tried again", work).await;
    }
}

/// Left, perhaps, and the daemon ends before the answer.
pub(super) fn unanswered(delivery: &Queued) -> Settlement {
    Settlement {
        state: DeliveryState::Unknown,
        reason: Some("the daemon ended before the answer came".into()),
        attempts: delivery.attempts.saturating_add(1),
        wait: None,
        was_there: None,
    }
}
