//! `exceptions`: what a guild does not apply to somebody, and how often we applied it all the same.

use super::deliveries::APPLIED_AGAIN;
use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use crate::network::{Excepted, Exceptions};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::exception::{Exception, ExceptionOrigin};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, ExceptionId, GuildId, Timestamp, Untrusted, UserId};

const COLUMNS: &str = "id, guild_id, user_id, measure, origin, until, why, by, since FROM exceptions";

fn exception(row: &Row<'_>) -> rusqlite::Result<Exception> {
    Ok(Exception {
        id: column(row, "id")?,
        guild_id: column(row, "guild_id")?,
        user_id: column(row, "user_id")?,
        measure: word(row, "measure", Action::from_word)?,
        origin: word(row, "origin", ExceptionOrigin::from_word)?,
        until: optional(row, "until")?,
        reason: optional(row, "why")?,
        by: optional(row, "by")?,
        since: column(row, "since")?,
    })
}

/// An exception that is asked for.
#[derive(Clone, Debug)]
pub struct NewException {
    /// The guild.
    pub guild: GuildId,
    /// To whom.
    pub user: UserId,
    /// What.
    pub measure: Action,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<Untrusted>,
    /// Who asks; nothing for an operator.
    pub by: Option<UserId>,
    /// Whether what we did there is taken back, also what is still on its way.
    pub lift: bool,
}

impl NewException {
    /// Whether this one says the same already.
    pub fn is(&self, there: &Exception) -> bool {
        there.origin == ExceptionOrigin::Command && (there.until, &there.reason) == (self.until, &self.reason)
    }
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
        let sql = format!("SELECT {COLUMNS} WHERE user_id = ?1 AND guild_id = ?2 AND measure = ?3");
        let values = params![Sql(user), Sql(guild), measure.measure().word()];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, exception).optional()?)
    }

    /// The exceptions of a guild, or of all where there is none, newest first, below `before`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn exceptions_of(
        &self,
        guild: Option<GuildId>,
        user: Option<UserId>,
        before: Option<ExceptionId>,
        limit: u16,
    ) -> Result<Vec<Exception>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE id < ?1 AND (?2 IS NULL OR guild_id = ?2) AND (?3 IS NULL OR user_id = ?3)
              ORDER BY id DESC LIMIT ?4"
        );
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![before, Sql(guild), Sql(user), limit], exception)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Exceptions whose end has come, behind `after`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn ended_exceptions(
        &self,
        now: Timestamp,
        after: Option<ExceptionId>,
        limit: u16,
    ) -> Result<Vec<Exception>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE until IS NOT NULL AND until <= ?1 AND id > ?2 ORDER BY id LIMIT ?3"
        );
        let after = after.map_or(0, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![now.millis(), after, limit], exception)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the next one ends after `now`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn next_exception_end(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(until) AS at FROM exceptions WHERE until IS NOT NULL AND until > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([now.millis()], |row| optional(row, "at"))?)
    }

    /// Every exception, as the gates need them.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn exceptions(&self) -> Result<Exceptions, StoreError> {
        let sql = "SELECT id, guild_id, user_id, measure, origin, until, lift FROM exceptions";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let measure = word(row, "measure", Action::from_word)?;
            let excepted = Excepted {
                id: Some(column(row, "id")?),
                origin: word(row, "origin", ExceptionOrigin::from_word)?,
                until: optional(row, "until")?,
                lift: row.get("lift")?,
            };
            Ok(((column(row, "guild_id")?, column(row, "user_id")?, measure), excepted))
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
    /// Notes that a guild's own staff do not want a measure applied to somebody, from now on and without an end. One that
    /// is there stays as it is.
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
        let sql = "INSERT INTO exceptions (guild_id, user_id, measure, origin, why, by, since)
             VALUES (?1, ?2, ?3, 'override', ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let now = self.now().millis();
        let values = params![Sql(guild), Sql(user), measure.measure().word(), why, Sql(by), now];
        if self.connection().prepare_cached(sql)?.execute(values)? > 0 {
            self.topology_changed();
            if let Some(exception) = self.exception(guild, user, measure)? {
                self.tell(&Changed::Exception { exception, ended: false })?;
            }
        }
        Ok(())
    }

    /// Stores an exception that is asked for, in the place of the one that is there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn put_exception(&self, new: &NewException) -> Result<Exception, StoreError> {
        let sql = format!(
            "INSERT INTO exceptions (guild_id, user_id, measure, origin, until, why, by, since, lift)
             VALUES (?1, ?2, ?3, 'command', ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET origin = excluded.origin, until = excluded.until, why = excluded.why,
                by = excluded.by, since = excluded.since, lift = excluded.lift
             RETURNING {}",
            COLUMNS.trim_end_matches(" FROM exceptions")
        );
        let values = params![
            Sql(new.guild),
            Sql(new.user),
            new.measure.word(),
            new.until.map(Timestamp::millis),
            new.reason.as_ref().map(Untrusted::raw),
            Sql(new.by),
            self.now().millis(),
            new.lift,
        ];
        let exception = self.connection().prepare_cached(&sql)?.query_row(values, exception)?;
        self.topology_changed();
        self.tell(&Changed::Exception { exception: exception.clone(), ended: false })?;
        Ok(exception)
    }

    /// From now on what we did there is taken back too. Whether that is new.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn lift_with_exception(&self, id: ExceptionId) -> Result<bool, StoreError> {
        let sql = "UPDATE exceptions SET lift = 1 WHERE id = ?1 AND lift = 0";
        let is_new = self.connection().prepare_cached(sql)?.execute([Sql(id)])? > 0;
        if is_new {
            self.topology_changed();
        }
        Ok(is_new)
    }

    /// Ends an exception; the one that there was.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_exception(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<Exception>, StoreError> {
        let Some(ended) = self.exception(guild, user, measure)? else { return Ok(None) };
        let sql = "DELETE FROM exceptions WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(ended.id)])?;
        self.topology_changed();
        self.tell(&Changed::Exception { exception: ended.clone(), ended: true })?;
        Ok(Some(ended))
    }

    /// The guild does by itself what it does not apply of others: what its staff's hand has made its staff's hand ends. An
    /// exception that was asked for stays until somebody ends it, or its time has come.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_override(&self, guild: GuildId, user: UserId, measure: Action) -> Result<(), StoreError> {
        let there = self.exception(guild, user, measure)?;
        if there.is_some_and(|one| one.origin == ExceptionOrigin::Override) {
            self.end_exception(guild, user, measure)?;
        }
        Ok(())
    }

    /// Notes that a delivery is applied once more because the guild's staff have taken it back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_reapplication(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        self.note_again(delivery, true)
    }

    /// Notes that a delivery is applied once more because a newer punishment was reverted, or an exception has ended: it
    /// comes behind what took it back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_handed_over(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        self.note_again(delivery, false)
    }

    /// Notes that a delivery that is applied comes behind an undo that was stored after it: a freeze
    /// held it, or it waited for a decision, for the main's own step or for an obstacle to go.
    pub(super) fn note_behind_undo(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN deliveries later ON later.guild_id = d.guild_id
                AND later.target_user = d.target_user AND later.measure = d.measure AND later.delivery_id > d.delivery_id
              WHERE d.delivery_id = ?1 AND d.action = d.measure
                AND later.action <> later.measure AND later.state = 'applied' AND NOT {APPLIED_AGAIN})"
        );
        let behind: bool =
            self.connection().prepare_cached(&sql)?.query_row([Sql(delivery)], |row| row.get(0))?;
        if behind { self.note_handed_over(delivery) } else { Ok(()) }
    }

    fn note_again(&self, delivery: DeliveryId, overridden: bool) -> Result<(), StoreError> {
        let sql = "INSERT INTO reapplications (delivery_id, at, overridden) VALUES (?1, ?2, ?3)";
        let values = params![Sql(delivery), self.now().millis(), overridden];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
