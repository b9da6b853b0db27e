//! `incidents`, and what happened during one.

use super::audit::result_word;
use super::rows::{Sql, column, odd, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::incident::{AskedFor, Collected, Incident, Raised};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{GuildId, IncidentId, Timestamp, Untrusted};

/// How many alerts and operations are told.
const MOST: u16 = 25;

const COLUMNS: &str =
    "id, guild_id, reason, froze, opened_by, opened_at, closed_by, closed_at, conclusion FROM incidents";

fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    Ok(Incident {
        id: column(row, "id")?,
        guild_id: column(row, "guild_id")?,
        reason: column(row, "reason")?,
        froze: row.get("froze")?,
        opened_by: column(row, "opened_by")?,
        opened_at: column(row, "opened_at")?,
        closed_by: optional(row, "closed_by")?,
        closed_at: optional(row, "closed_at")?,
        conclusion: optional(row, "conclusion")?,
    })
}

impl View<'_> {
    /// An incident.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE id = ?1");
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(id)], incident).optional()?)
    }

    /// The incident that is open in a guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_incident(&self, guild: GuildId) -> Result<Option<Incident>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE guild_id = ?1 AND closed_at IS NULL");
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(guild)], incident).optional()?)
    }

    /// Incidents, newest first, of a guild or all.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn incidents(
        &self,
        guild: Option<GuildId>,
        before: Option<IncidentId>,
        limit: u16,
    ) -> Result<Vec<Incident>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE (?1 IS NULL OR guild_id = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3"
        );
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![Sql(guild), before, limit], incident)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What happened during an incident: what was kept of it, or what there is so far.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn collected(&self, of: &Incident) -> Result<Collected, StoreError> {
        let sql = "SELECT collected FROM incidents WHERE id = ?1";
        let kept: Option<String> =
            self.connection.prepare_cached(sql)?.query_row([Sql(of.id)], |row| row.get(0))?;
        match kept {
            Some(text) => Ok(serde_json::from_str(&text).map_err(|_| odd("collected"))?),
            None => self.collect(of.guild_id, of.opened_at, self.now),
        }
    }

    fn collect(&self, guild: GuildId, from: Timestamp, until: Timestamp) -> Result<Collected, StoreError> {
        let alerts = self.alerts_between(guild, from, until, MOST)?;
        let alerts = alerts.into_iter().map(|alert| Raised {
            // Of one that went on before it is not known how often it was since then.
            occurrences: if alert.first_at >= from { alert.occurrences } else { 1 },
            kind: alert.kind,
            severity: alert.severity,
            details: alert.details,
        });
        let between = params![Sql(guild), from.millis(), until.millis()];
        let decided = "FROM punishments WHERE source_guild = ?1 AND created_at BETWEEN ?2 AND ?3";
        let sql = format!("SELECT action, count(*) AS n {decided} GROUP BY action ORDER BY n DESC, action");
        let punishments = self
            .connection
            .prepare_cached(&sql)?
            .query_map(between, |row| Ok((word(row, "action", Action::from_word)?, count(row)?)))?
            .collect::<Result<_, _>>()?;
        let sql = format!("SELECT count(DISTINCT target_user) AS n {decided}");
        let people = self.connection.prepare_cached(&sql)?.query_row(between, count)?;
        let sql = format!(
            "SELECT d.state, count(*) AS n FROM deliveries d
              WHERE d.scope = 'child' AND d.punishment_id IN (SELECT event_id {decided}) GROUP BY d.state ORDER BY n DESC, d.state"
        );
        let deliveries = self
            .connection
            .prepare_cached(&sql)?
            .query_map(between, |row| Ok((word(row, "state", DeliveryState::from_word)?, count(row)?)))?
            .collect::<Result<_, _>>()?;
        let sql = "SELECT count(*) AS n FROM holds WHERE main_guild_id = ?1 AND opened_at BETWEEN ?2 AND ?3";
        let holds = self.connection.prepare_cached(sql)?.query_row(between, count)?;
        let audited = "FROM command_audit INDEXED BY command_audit_at
             WHERE guild_id = ?1 AND created_at BETWEEN ?2 AND ?3 AND kind = 'outcome'";
        let success = result_word(AuditResult::Success);
        let sql = format!(
            "SELECT command_name, count(*) AS n, sum(result_status <> '{success}') AS refused {audited}
              GROUP BY command_name ORDER BY n DESC, command_name LIMIT {MOST}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let requests = statement.query_map(between, |row| {
            let refused: i64 = row.get("refused")?;
            Ok(AskedFor {
                operation: row.get("command_name")?,
                requests: count(row)?,
                refused: refused.cast_unsigned(),
            })
        })?;
        let requests = requests.collect::<Result<_, _>>()?;
        let sql = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM command_audit
             WHERE created_at BETWEEN ?2 AND ?3 AND ?1 IS ?1";
        let audit_rows = self.connection.prepare_cached(sql)?.query_row(between, |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(Collected {
            alerts: alerts.collect(),
            punishments,
            people,
            deliveries,
            holds,
            requests,
            audit_rows,
        })
    }
}

fn count(row: &Row<'_>) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>("n")?.cast_unsigned())
}

impl Change<'_> {
    /// Opens an incident. There must be none open in the guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_an_incident(
        &self,
        guild: GuildId,
        reason: &Untrusted,
        froze: bool,
        by: &str,
    ) -> Result<Incident, StoreError> {
        let sql = format!(
            "INSERT INTO incidents (guild_id, reason, froze, opened_by, opened_at) VALUES (?1, ?2, ?3, ?4, ?5)
             RETURNING {}",
            COLUMNS.trim_end_matches(" FROM incidents")
        );
        let values = params![Sql(guild), reason.raw(), froze, by, self.now().millis()];
        let opened = self.connection().prepare_cached(&sql)?.query_row(values, incident)?;
        self.tell(&Changed::Incident { incident: Box::new(opened.clone()) })?;
        Ok(opened)
    }

    /// Closes an incident, and keeps what happened during it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn close_incident(
        &self,
        of: &Incident,
        conclusion: Option<&Untrusted>,
        by: &str,
    ) -> Result<Incident, StoreError> {
        let collected = self.collect(of.guild_id, of.opened_at, self.now())?;
        let kept = serde_json::to_string(&collected).unwrap_or_default();
        let sql = format!(
            "UPDATE incidents SET closed_by = ?2, closed_at = ?3, conclusion = ?4, collected = ?5
              WHERE id = ?1 AND closed_at IS NULL RETURNING {}",
            COLUMNS.trim_end_matches(" FROM incidents")
        );
        let values = params![Sql(of.id), by, self.now().millis(), conclusion.map(Untrusted::raw), kept];
        let closed = self.connection().prepare_cached(&sql)?.query_row(values, incident)?;
        self.tell(&Changed::Incident { incident: Box::new(closed.clone()) })?;
        Ok(closed)
    }
}
