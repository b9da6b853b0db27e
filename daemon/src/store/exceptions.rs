//! `exceptions`: what a guild does not apply to somebody, and how often we applied it all the same.

use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashSet;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, Timestamp, Untrusted, UserId};

/// What a guild does not apply to somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// The guild.
    pub guild: GuildId,
    /// To whom.
    pub user: UserId,
    /// What.
    pub measure: Action,
    /// When it is to end; nothing for one that does not by itself.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: Untrusted,
    /// Who made it, where that is known.
    pub by: Option<UserId>,
    /// Since when.
    pub since: Timestamp,
}

impl View<'_> {
    /// What a guild does not apply to the user; nothing where it applies it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn exception(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<Exception>, StoreError> {
        let sql = "SELECT guild_id, user_id, measure, until, why, by, since FROM exceptions
             WHERE user_id = ?1 AND guild_id = ?2 AND measure = ?3";
        let read = |row: &Row<'_>| {
            Ok(Exception {
                guild: column(row, "guild_id")?,
                user: column(row, "user_id")?,
                measure: word(row, "measure", Action::from_word)?,
                until: optional(row, "until")?,
                why: column(row, "why")?,
                by: optional(row, "by")?,
                since: column(row, "since")?,
            })
        };
        let values = params![Sql(user), Sql(guild), measure.measure().word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, read).optional()?)
    }

    /// Every exception, as the gates need them.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn exceptions(&self) -> Result<HashSet<(GuildId, UserId, Action)>, StoreError> {
        let sql = "SELECT guild_id, user_id, measure FROM exceptions";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok((column(row, "guild_id")?, column(row, "user_id")?, word(row, "measure", Action::from_word)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How often a delivery was applied once more since then because the guild's staff had taken it back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reapplied_since(&self, delivery: DeliveryId, since: Timestamp) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM reapplications WHERE delivery_id = ?1 AND at > ?2 AND overridden = 1";
        let values = params![Sql(delivery), since.millis()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Notes that a guild does not apply a measure to somebody, from now on and without an end. One that is there stays
    /// as it is.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn except(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        why: &str,
        by: Option<UserId>,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO exceptions (guild_id, user_id, measure, until, why, by, since)
             VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let now = self.now().millis();
        let values = params![Sql(guild), Sql(user), measure.measure().word(), why, Sql(by), now];
        if self.connection().prepare_cached(sql)?.execute(values)? > 0 {
            self.topology_changed();
        }
        Ok(())
    }

    /// Ends an exception; whether there was one.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_exception(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        let sql = "DELETE FROM exceptions WHERE user_id = ?1 AND guild_id = ?2 AND measure = ?3";
        let values = params![Sql(user), Sql(guild), measure.measure().word()];
        let ended = self.connection().prepare_cached(sql)?.execute(values)? > 0;
        if ended {
            self.topology_changed();
        }
        Ok(ended)
    }

    /// Notes that a delivery is applied once more because the guild's staff have taken it back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_reapplication(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        self.note_again(delivery, true)
    }

    /// Notes that a delivery is applied once more because a newer punishment was reverted: it comes behind what took it back
    /// along its link.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_handed_over(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        self.note_again(delivery, false)
    }

    /// Notes that a delivery that a freeze held is applied now: it comes behind what another main took back there
    /// meanwhile, though it was stored before.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_released(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN deliveries later ON later.guild_id = d.guild_id
                AND later.target_user = d.target_user AND later.measure = d.measure AND later.delivery_id > d.delivery_id
              WHERE d.delivery_id = ?1 AND d.action = d.measure
                AND later.action <> later.measure AND later.state = 'applied')";
        let behind: bool =
            self.connection().prepare_cached(sql)?.query_row([Sql(delivery)], |row| row.get(0))?;
        if behind { self.note_handed_over(delivery) } else { Ok(()) }
    }

    fn note_again(&self, delivery: DeliveryId, overridden: bool) -> Result<(), StoreError> {
        let sql = "INSERT INTO reapplications (delivery_id, at, overridden) VALUES (?1, ?2, ?3)";
        let values = params![Sql(delivery), self.now().millis(), overridden];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
