//! Freezes: a main whose propagation is stopped, and what waits until it goes on.

use super::rows::{Sql, column, word};
use super::{Change, Settlement, StoreError, View};
use crate::network::{Freeze, Refusal};
use rusqlite::params;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{DeliveryId, GuildId};

/// A delivery that a freeze, or its end, moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreezeStep {
    /// Which.
    pub delivery: DeliveryId,
    /// To *held*, or back to *pending*.
    pub to: DeliveryState,
}

impl FreezeStep {
    /// Moves it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn apply(self, change: &Change<'_>) -> Result<(), StoreError> {
        match self.to {
            DeliveryState::Pending => change.release(self.delivery),
            state => {
                let reason = Some(Refusal::Frozen.to_string());
                change
                    .settle(
                        self.delivery,
                        &Settlement { state, reason, attempts: 0, wait: None, was_there: None },
                    )
                    .map(drop)
            }
        }
    }
}

impl View<'_> {
    /// What moves if the main's freeze becomes this one: what waits is held, and what is held and may go on is sent.
    /// A request that has left, or may have, is followed to its end.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn moved_by_freeze(
        &self,
        main: GuildId,
        freeze: Option<Freeze>,
    ) -> Result<Vec<FreezeStep>, StoreError> {
        let sql = "SELECT d.delivery_id, d.state, d.action
             FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE p.source_guild = ?1 AND d.scope = 'child' AND d.state IN ('pending', 'held')
               -- What waits for approval goes on waiting for it.
               AND NOT (d.hold_id IS NOT NULL AND (SELECT decision FROM holds WHERE id = d.hold_id) IS NOT 'approved')
             ORDER BY d.delivery_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([Sql(main)], |row| {
            let state = word(row, "state", DeliveryState::from_word)?;
            let action = word(row, "action", Action::from_word)?;
            let held = freeze.is_some_and(|freeze| freeze.holds(action));
            let to = if held { DeliveryState::Held } else { DeliveryState::Pending };
            Ok((to != state).then_some(FreezeStep { delivery: column(row, "delivery_id")?, to }))
        })?;
        rows.filter_map(Result::transpose).collect::<Result<_, _>>().map_err(StoreError::from)
    }
}

impl Change<'_> {
    /// Stops a main's propagation, or changes how; nothing ends it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_freeze(&self, main: GuildId, freeze: Option<Freeze>) -> Result<(), StoreError> {
        let sql = "UPDATE guild_settings SET frozen_at = iif(?2, coalesce(frozen_at, ?4), NULL),
                frozen_except_reversals = ?3, updated_at = ?4 WHERE guild_id = ?1";
        let except = freeze == Some(Freeze::ExceptReversals);
        let values = params![Sql(main), freeze.is_some(), except, self.now().millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.topology_changed();
        self.tell(&Changed::Network { link: None })
    }
}
