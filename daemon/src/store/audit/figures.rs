//! The audit in figures.

use super::result_from_word;
use crate::store::rows::{Sql, column, word};
use crate::store::{StoreError, View};
use rusqlite::{Row, params};
use wayhaven_shared::operations::audit::{ActorCount, AuditFigures, AuditResult, DayCount, OperationCount};
use wayhaven_shared::value::{GuildId, Timestamp};

/// How many operations and actors are told.
const MOST: u16 = 10;

/// Which rows count: outcomes since then, of a guild or all. ?1 is where, ?2 since when.
const COUNTED: &str = "FROM command_audit a INDEXED BY command_audit_at
     WHERE a.created_at >= ?2 AND a.kind = 'outcome' AND (?1 IS NULL OR a.guild_id = ?1)";

const DENIED: &str = "sum(a.result_status = 'permission_denied')";
const FAILED: &str = "sum(a.result_status IN ('error', 'interrupted'))";

impl View<'_> {
    /// What was asked for since then, in a guild or everywhere. Where `discreet`, operators stand together: their accounts
    /// are nobody's business in a guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_figures(
        &self,
        guild: Option<GuildId>,
        since: Timestamp,
        days: u16,
        discreet: bool,
    ) -> Result<AuditFigures, StoreError> {
        let counted = self.counted(
            &format!("SELECT a.result_status, count(*) {COUNTED} GROUP BY a.result_status"),
            guild,
            since,
            |row| Ok((word(row, "result_status", result_from_word)?, unsigned(row, 1)?)),
        )?;
        let of = |result| counted.iter().find(|(found, _)| *found == result).map_or(0, |(_, count)| *count);
        let surfaces = format!("SELECT a.surface, count(*) {COUNTED} GROUP BY a.surface ORDER BY 2 DESC, 1");
        let operations = format!(
            "SELECT a.command_name, count(*), {DENIED}, {FAILED}, avg(a.execution_time_us) {COUNTED}
              GROUP BY a.command_name ORDER BY 2 DESC, 1 LIMIT {MOST}"
        );
        let name = match discreet {
            true => "iif(a.surface IN ('cli', 'console'), 'an operator', p.value)",
            false => "p.value",
        };
        let actors = format!(
            "SELECT {name} AS actor, count(*), {DENIED} {} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST}",
            COUNTED.replace(
                "WHERE",
                "JOIN command_audit_personal p ON p.audit_id = a.id AND p.field = 'actor' WHERE"
            )
        );
        let by_day = format!(
            "SELECT a.created_at / 86400000 * 86400000 AS day, count(*), {DENIED}, {FAILED} {COUNTED} GROUP BY 1 ORDER BY 1"
        );
        Ok(AuditFigures {
            guild_id: guild,
            days,
            results: AuditResult::ALL.into_iter().map(|result| (result, of(result))).collect(),
            surfaces: self.counted(&surfaces, guild, since, |row| Ok((row.get(0)?, unsigned(row, 1)?)))?,
            operations: self.counted(&operations, guild, since, |row| {
                Ok(OperationCount {
                    operation: row.get(0)?,
                    requests: unsigned(row, 1)?,
                    denied: unsigned(row, 2)?,
                    failed: unsigned(row, 3)?,
                    mean_us: row.get::<_, Option<f64>>(4)?.map(|mean| mean as u64),
                })
            })?,
            actors: self.counted(&actors, guild, since, |row| {
                Ok(ActorCount {
                    actor: column(row, "actor")?,
                    requests: unsigned(row, 1)?,
                    denied: unsigned(row, 2)?,
                })
            })?,
            by_day: self.counted(&by_day, guild, since, |row| {
                Ok(DayCount {
                    day: column(row, "day")?,
                    requests: unsigned(row, 1)?,
                    denied: unsigned(row, 2)?,
                    failed: unsigned(row, 3)?,
                })
            })?,
        })
    }

    fn counted<T>(
        &self,
        sql: &str,
        guild: Option<GuildId>,
        since: Timestamp,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(guild), since.millis()], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn unsigned(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(at)?.cast_unsigned())
}
