//! What becomes of a delivery, recorded.

use super::{Leave, OPEN, QUEUED, RETURNED, Settlement, queued};
use crate::store::rows::Sql;
use crate::store::{Change, StoreError};
use rusqlite::params;
use std::collections::HashMap;
use std::time::Duration;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::DeliveryId;

impl Change<'_> {
    /// Records what became of a delivery, unless it has ended already. Whether it was recorded. What a freeze held
    /// that has ended meanwhile is opened again at once: nothing else would.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn settle(&self, id: DeliveryId, settlement: &Settlement) -> Result<bool, StoreError> {
        if settlement.state == DeliveryState::Applied {
            self.end_causes_by(id, settlement.was_there)?;
            self.own_hand_ends_exception(id)?;
            self.end_older_undo(id)?;
            self.note_behind_undo(id)?;
        }
        // What was held while it waited in its lane stays so.
        let waits = !settlement.state.is_final() && matches!(self.may_leave(id)?, Leave::Waits(_));
        let protected = self.remember_protection(id, settlement.state, settlement.reason.as_deref())?;
        let sql = format!(
            "UPDATE deliveries SET attempts = max(attempts, ?5), sent = sent OR ?7, state = ?2, reason = ?3,
                not_before = ?6, updated_at = ?4, was_there = coalesce(?8, was_there),
                delivered = delivered OR ?2 = 'applied'
             WHERE delivery_id = ?1 AND state IN {OPEN} RETURNING {RETURNED}"
        );
        let now = self.now().millis();
        let not_before = settlement.wait.map(|wait| now.saturating_add_unsigned(millis(wait)));
        let (state, attempts) = (settlement.state.word(), settlement.attempts);
        let reason = protected.as_ref().or(settlement.reason.as_ref());
        // What Discord has refused was not done, and is nobody's to undo.
        let sent =
            matches!(settlement.state, DeliveryState::Applied | DeliveryState::Unknown) && attempts > 0;
        let values = params![Sql(id), state, reason, now, attempts, not_before, sent, settlement.was_there];
        if !waits && !self.update_and_tell(&sql, values)?.is_empty() {
            if settlement.state == DeliveryState::Held && !self.is_held_back(id)? {
                self.release(id)?;
            }
            if settlement.state.is_final() {
                self.ended_so(id, settlement.state)?;
                self.follow_exception(id)?;
            }
            return Ok(true);
        }
        // Also of what was superseded or held while its request was on the way: an undo has to know
        // that it left.
        let sql =
            "UPDATE deliveries SET attempts = max(attempts, ?2), sent = sent OR ?3, was_there = coalesce(?4, was_there),
                delivered = delivered OR ?5 WHERE delivery_id = ?1";
        let delivered = settlement.state == DeliveryState::Applied;
        let values = params![Sql(id), attempts, sent, settlement.was_there, delivered];
        self.connection().prepare_cached(sql)?.execute(values)?;
        if settlement.state == DeliveryState::Applied {
            self.follow_exception(id)?;
        }
        Ok(false)
    }

    /// What was blocked waits for its turn again, in this state.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unblock(&self, id: DeliveryId, state: DeliveryState) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = ?2, reason = NULL, updated_at = ?3
             WHERE delivery_id = ?1 AND state = 'blocked' RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(id), state.word(), self.now().millis()]).map(drop)
    }

    /// Notes that somebody has asked for an open delivery to be tried now, whatever becomes of that.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn touch_delivery(&self, id: DeliveryId) -> Result<(), StoreError> {
        let sql = format!("UPDATE deliveries SET updated_at = ?2 WHERE delivery_id = ?1 AND state IN {OPEN}");
        self.connection().prepare_cached(&sql)?.execute(params![Sql(id), self.now().millis()])?;
        Ok(())
    }

    /// Marks a delivery whose request must not be repeated as about to leave; whether it was still open. Once this is
    /// committed, a restart asks what became of it before anything is sent.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn mark_sending(&self, id: DeliveryId) -> Result<Leave, StoreError> {
        let leave = self.may_leave(id)?;
        if leave != Leave::Open {
            return Ok(leave);
        }
        let sql = format!(
            "UPDATE deliveries SET state = 'sending', reason = NULL, sent = 1, sent_at = ?2, updated_at = ?2
             WHERE delivery_id = ?1 AND state IN {OPEN} RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(id), self.now().millis()])?;
        Ok(leave)
    }

    /// Marks deliveries that are about to leave by one request, where they still may; how each
    /// stands. Its audit entries name nobody: once this is committed, they are known for ours
    /// whatever takes a delivery's place meanwhile.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn mark_together(&self, ids: &[DeliveryId]) -> Result<HashMap<DeliveryId, Leave>, StoreError> {
        let sql = "UPDATE deliveries SET together_at = ?2 WHERE delivery_id = ?1";
        let mut statement = self.connection().prepare_cached(sql)?;
        let now = self.now().millis();
        let mut found = HashMap::with_capacity(ids.len());
        for id in ids {
            let leave = self.may_leave(*id)?;
            if leave == Leave::Open {
                statement.execute(params![Sql(*id), now])?;
            }
            found.insert(*id, leave);
        }
        Ok(found)
    }

    /// Whether a freeze holds the delivery, or it waits for approval, as the links are inside this transaction.
    fn is_held_back(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let sql = format!("SELECT {QUEUED} WHERE d.delivery_id = ?1");
        let queued = self.connection().prepare_cached(&sql)?.query_row([Sql(id)], queued)?;
        let topology = self.topology_here()?;
        let waits = queued.hold.is_some_and(|hold| topology.awaits(hold));
        Ok(waits || topology.holds(queued.source, queued.action))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
