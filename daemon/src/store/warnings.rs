//! Warnings that count, and `escalations`: what has to follow a warning and has not yet.

use super::rows::{Sql, column, optional};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::{Escalated, Punishment};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, Untrusted, UserId, WarningStep};

/// What has to follow a warning.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// The warning.
    pub warning: PunishmentId,
    /// Where it was given.
    pub guild: GuildId,
    /// To whom.
    pub user: UserId,
    /// Why.
    pub reason: Option<Untrusted>,
    /// How many warnings there were with it.
    pub warnings: u64,
    /// What follows.
    pub step: WarningStep,
}

impl View<'_> {
    /// How many warnings of the guild count against the user: those that stand, and are not older than `since`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn warnings(
        &self,
        guild: GuildId,
        user: UserId,
        since: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM punishments WHERE target_user = ?2 AND source_guild = ?1 AND measure = 'warn'
               AND status = 'active' AND (?3 IS NULL OR created_at >= ?3)";
        let values = params![Sql(guild), Sql(user), since.map(Timestamp::millis)];
        let count: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// What became of the step that a warning reached: whether it is still due, and the punishment
    /// that it issued. It is neither where no step was reached, or where the step was refused.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn escalation_of(&self, warning: &Punishment) -> Result<Escalated, StoreError> {
        let (id, guild, user) = (warning.id, warning.guild_id, warning.user_id);
        let sql = "SELECT EXISTS (SELECT 1 FROM escalations e JOIN punishments p ON p.event_id = e.warning
                     AND p.status = 'active' WHERE e.warning = ?1)";
        let due = self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0))?;
        let sql =
            "SELECT event_id FROM punishments WHERE target_user = ?3 AND source_guild = ?2 AND because = ?1
              AND action = measure ORDER BY event_id LIMIT 1";
        let read = |row: &Row<'_>| column(row, "event_id");
        let punishment = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![Sql(id), Sql(guild), Sql(user)], read)
            .optional()?;
        Ok(Escalated { due, punishment })
    }

    /// What has to follow warnings, oldest first, after that one. A warning that was taken back leads to nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn escalations(
        &self,
        after: Option<PunishmentId>,
        limit: u16,
    ) -> Result<Vec<Escalation>, StoreError> {
        let sql = "SELECT e.warning, p.source_guild, p.target_user, p.reason, e.warnings, e.step
              FROM escalations e JOIN punishments p ON p.event_id = e.warning AND p.status = 'active'
             WHERE ?1 IS NULL OR e.warning > ?1 ORDER BY e.warning LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(after), limit], |row| {
            Ok(Escalation {
                warning: column(row, "warning")?,
                guild: column(row, "source_guild")?,
                user: column(row, "target_user")?,
                reason: optional(row, "reason")?,
                warnings: row.get::<_, i64>("warnings")?.cast_unsigned(),
                step: column(row, "step")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Notes what has to follow a warning.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn owe_escalation(
        &self,
        warning: PunishmentId,
        warnings: u64,
        step: WarningStep,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO escalations (warning, warnings, step) VALUES (?1, ?2, ?3)";
        let values = params![Sql(warning), warnings.cast_signed(), step.to_string()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Takes what has to follow a warning off the list; whether it stood there, and the warning stands.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn settle_escalation(&self, warning: PunishmentId) -> Result<bool, StoreError> {
        let sql = "DELETE FROM escalations WHERE warning = ?1
             RETURNING (SELECT status = 'active' FROM punishments WHERE event_id = warning)";
        let mut statement = self.connection().prepare_cached(sql)?;
        let stood = statement.query_map([Sql(warning)], |row| row.get(0))?;
        Ok(stood.collect::<Result<Vec<bool>, _>>()?.contains(&true))
    }
}
