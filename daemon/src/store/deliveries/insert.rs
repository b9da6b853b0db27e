//! How deliveries begin: stored with their punishment, and told of.

use super::telling;
use crate::delivery::Scope;
use crate::store::rows::{Sql, optional};
use crate::store::{Change, StoreError};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId};

/// A delivery as it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// Where it goes.
    pub guild: GuildId,
    /// Origin or child.
    pub scope: Scope,
    /// The state it starts in.
    pub state: DeliveryState,
    /// Why, where it is not simply sent.
    pub reason: Option<String>,
    /// What it waits for: somebody's approval.
    pub hold: Option<HoldId>,
}

impl Change<'_> {
    /// Whether its user was never punished before, by anybody. Then no delivery of theirs is older than its own: wall 2
    /// lets none be of another user than its punishment.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_first_of(&self, punishment: &Punishment) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM punishments WHERE target_user = ?1 AND event_id <> ?2)";
        let values = params![Sql(punishment.user_id), Sql(punishment.id)];
        Ok(self.connection().prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Stores a delivery in its first state and tells of it.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn insert_delivery(
        &self,
        punishment: &Punishment,
        guild: GuildId,
        scope: Scope,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<DeliveryId, StoreError> {
        self.insert_action(punishment, punishment.action, guild, scope, (state, reason))
    }

    /// Stores a delivery of a punishment that was decided before, and hands it to the engine where it is to be sent at once.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn add_delivery(
        &self,
        punishment: &Punishment,
        guild: GuildId,
        scope: Scope,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let (id, state) = self.insert_late(punishment, guild, scope, state, reason)?;
        if state == DeliveryState::Pending { self.queue(id) } else { Ok(()) }
    }

    /// Stores a delivery of a punishment that was decided before, and how it begins. It waits for approval where the punishment
    /// does elsewhere, and is skipped where that was discarded.
    pub(super) fn insert_late(
        &self,
        punishment: &Punishment,
        guild: GuildId,
        scope: Scope,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<(DeliveryId, DeliveryState), StoreError> {
        let (state, reason, hold) = match scope {
            Scope::Origin => (state, reason.map(ToOwned::to_owned), None),
            Scope::Child(_) => self.begins_later(punishment, state, reason)?,
        };
        let of = (punishment.id, punishment.guild_id);
        let to = (guild, punishment.user_id, punishment.action, scope);
        let protected = self.protection_at_begin(of, to, (state, reason.as_deref()), true)?;
        let first = First { guild, scope, state, reason: protected.or(reason), hold };
        Ok((self.insert_one(punishment, punishment.action, first)?, state))
    }

    /// The same for an action that may be the undo of the punishment's.
    pub(super) fn insert_action(
        &self,
        punishment: &Punishment,
        action: Action,
        guild: GuildId,
        scope: Scope,
        (state, reason): (DeliveryState, Option<&str>),
    ) -> Result<DeliveryId, StoreError> {
        let first = First { guild, scope, state, reason: reason.map(ToOwned::to_owned), hold: None };
        self.insert_one(punishment, action, first)
    }

    fn insert_one(
        &self,
        punishment: &Punishment,
        action: Action,
        first: First,
    ) -> Result<DeliveryId, StoreError> {
        let made = self.insert_all(punishment, action, std::slice::from_ref(&first))?;
        made.first().copied().ok_or(StoreError::Row { table: "deliveries", what: "a row without id".into() })
    }

    /// Stores a punishment's deliveries in their first states and tells of them; their numbers in the same order.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses one of them.
    pub fn insert_deliveries(
        &self,
        punishment: &Punishment,
        firsts: &[First],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        self.insert_all(punishment, punishment.action, firsts)
    }

    pub(super) fn insert_all(
        &self,
        punishment: &Punishment,
        action: Action,
        firsts: &[First],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        // A raid stores tens of thousands of these: nothing is read back that is known here.
        let mut insert = self.connection().prepare_cached(
            "INSERT INTO deliveries (punishment_id, guild_id, scope, link_id, action, target_user, state, reason,
                                     created_at, updated_at, hold_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)",
        )?;
        let mut name =
            self.connection().prepare_cached("SELECT name FROM guild_settings WHERE guild_id = ?1")?;
        let now = self.now();
        let mut ids = Vec::with_capacity(firsts.len());
        for First { guild, scope, state, reason, hold } in firsts {
            let link = match scope {
                Scope::Origin => None,
                Scope::Child(link) => Some(*link),
            };
            let of = (punishment.id, punishment.guild_id);
            let to = (*guild, punishment.user_id, action, *scope);
            let protected = self.protection_at_begin(of, to, (*state, reason.as_deref()), false)?;
            let reason = protected.as_ref().or(reason.as_ref());
            insert.execute(params![
                Sql(punishment.id),
                Sql(*guild),
                scope.word(),
                Sql(link),
                action.word(),
                Sql(punishment.user_id),
                state.word(),
                reason,
                now.millis(),
                Sql(*hold),
            ])?;
            let id = DeliveryId::new(self.connection().last_insert_rowid().cast_unsigned())
                .ok_or_else(|| StoreError::Row { table: "deliveries", what: "a row without id".into() })?;
            ids.push(id);
            let guild_name = name.query_row([Sql(*guild)], |row| optional(row, "name")).optional()?.flatten();
            let delivery = Delivery {
                id,
                punishment_id: punishment.id,
                action,
                guild_id: *guild,
                guild_name,
                user_id: punishment.user_id,
                state: *state,
                reason: reason.cloned(),
                attempts: 0,
                created_at: now,
                updated_at: now,
            };
            self.tell(&telling(*scope == Scope::Origin, delivery))?;
        }
        Ok(ids)
    }
}
