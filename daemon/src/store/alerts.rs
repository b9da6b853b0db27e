//! `security_alerts`: one row per kind, guild and day, with a count, so that a flood stays readable.

mod ending;

pub use ending::{BY_ITSELF, Circumstances, MANY_IDENTIFIES};

use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::event::Change as Changed;
pub use wayhaven_shared::operations::alert::Severity;
use wayhaven_shared::operations::alert::{Alert, Resolution};
use wayhaven_shared::value::{AlertId, GuildId, Timestamp, Untrusted, UserId};

/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// The order of severities, as a number that SQL can compare.
const RANK: &str = "instr('low medium high critical', severity)";

/// Which alerts to list.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// About this guild.
    pub guild: Option<GuildId>,
    /// Those that were resolved too.
    pub all: bool,
    /// At least so urgent.
    pub severity: Option<Severity>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Below this one.
    pub before: Option<AlertId>,
}

const COLUMNS: &str =
    "a.id, a.alert_type, a.guild_id, a.user_id, a.severity, a.details, a.action_taken, a.resolved,
     a.resolved_at, a.resolved_by, a.occurrences, a.created_at, a.updated_at,
     (SELECT max(i.id) FROM incidents i WHERE i.guild_id = a.guild_id AND i.opened_at <= a.updated_at
         AND (i.closed_at IS NULL OR i.closed_at >= a.updated_at)) AS incident
     FROM security_alerts a";

fn alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let resolved = match row.get("resolved")? {
        true => Some(Resolution {
            at: optional(row, "resolved_at")?.map_or_else(|| column(row, "updated_at"), Ok)?,
            by: optional(row, "resolved_by")?.unwrap_or_else(|| Untrusted::clipped("unknown")),
            reason: optional(row, "action_taken")?.unwrap_or_else(|| Untrusted::clipped("—")),
        }),
        false => None,
    };
    Ok(Alert {
        id: column(row, "id")?,
        kind: row.get("alert_type")?,
        severity: word(row, "severity", Severity::from_word)?,
        guild_id: optional(row, "guild_id")?,
        user_id: optional(row, "user_id")?,
        details: column(row, "details")?,
        occurrences: row.get::<_, i64>("occurrences")?.cast_unsigned(),
        first_at: column(row, "created_at")?,
        last_at: column(row, "updated_at")?,
        resolved,
        incident_id: optional(row, "incident")?,
    })
}

impl View<'_> {
    /// How many alerts nobody has resolved: all, or those about one guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_alerts(&self, guild: Option<GuildId>) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM security_alerts WHERE resolved = 0 AND (?1 IS NULL OR guild_id = ?1)";
        let count: i64 = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Alerts, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn alerts(&self, filter: &AlertFilter, limit: u16) -> Result<Vec<Alert>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE (?1 IS NULL OR a.guild_id = ?1) AND (?2 OR a.resolved = 0)
                AND {RANK} >= ?3 AND (?4 IS NULL OR a.alert_type = ?4) AND a.id < ?5
              ORDER BY a.id DESC LIMIT ?6"
        );
        let least = filter.severity.map_or(0, rank);
        let before = filter.before.map_or(i64::MAX, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values = params![Sql(filter.guild), filter.all, least, filter.kind, before, limit];
        Ok(statement.query_map(values, alert)?.collect::<Result<_, _>>()?)
    }

    /// An alert.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn alert_of(&self, id: AlertId) -> Result<Option<Alert>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE a.id = ?1");
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(id)], alert).optional()?)
    }

    /// Alerts about a guild that were raised in that time, the most urgent first.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn alerts_between(
        &self,
        guild: GuildId,
        from: Timestamp,
        until: Timestamp,
        limit: u16,
    ) -> Result<Vec<Alert>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE a.guild_id = ?1 AND a.updated_at >= ?2 AND a.created_at <= ?3
              ORDER BY {RANK} DESC, a.id LIMIT ?4"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![Sql(guild), from.millis(), until.millis(), limit], alert)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The place of a severity in [`RANK`].
fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Low => 1,
        Severity::Medium => 5,
        Severity::High => 12,
        Severity::Critical => 17,
    }
}

impl Change<'_> {
    /// Raises an alert, or counts it again, at the higher severity of the two.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn alert(
        &self,
        kind: &str,
        severity: Severity,
        guild: Option<GuildId>,
        user: Option<UserId>,
        details: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO security_alerts (alert_type, guild_id, user_id, severity, details, day, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
             ON CONFLICT (alert_type, coalesce(guild_id, 0), day) WHERE resolved = 0 DO UPDATE
                SET occurrences = occurrences + 1,
                    severity = iif(instr('low medium high critical', excluded.severity)
                                   > instr('low medium high critical', severity), excluded.severity, severity),
                    details = excluded.details, user_id = excluded.user_id,
                    updated_at = excluded.updated_at
             RETURNING id, occurrences, severity";
        let now = self.now().millis();
        let values = params![kind, Sql(guild), Sql(user), severity.word(), details, now.div_euclid(DAY), now];
        let (id, count, severity) = self.connection().prepare_cached(sql)?.query_row(values, |row| {
            let count: i64 = row.get("occurrences")?;
            Ok((column(row, "id")?, count.cast_unsigned(), word(row, "severity", Severity::from_word)?))
        })?;
        self.tell(&Changed::Alert {
            id: Some(id),
            kind: kind.to_owned(),
            severity: Some(severity),
            guild_id: guild,
            details: Untrusted::clipped(details),
            count,
        })
    }

    /// Takes an alert off the list; whether it stood there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn resolve_alert(&self, id: AlertId, by: &str, reason: &Untrusted) -> Result<bool, StoreError> {
        let sql =
            "UPDATE security_alerts SET resolved = 1, resolved_at = ?2, resolved_by = ?3, action_taken = ?4
             WHERE id = ?1 AND resolved = 0";
        let values = params![Sql(id), self.now().millis(), by, reason.raw()];
        let resolved = self.connection().prepare_cached(sql)?.execute(values)? > 0;
        if let Some(alert) = self.alert_of(id)?.filter(|_| resolved) {
            self.tell(&Changed::AlertResolved { alert: Box::new(alert) })?;
        }
        Ok(resolved)
    }

    /// Takes all alerts of that kind about a guild off the list.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn resolve_alerts(
        &self,
        kind: &str,
        guild: GuildId,
        by: &str,
        reason: &Untrusted,
    ) -> Result<(), StoreError> {
        let filter =
            AlertFilter { guild: Some(guild), kind: Some(kind.to_owned()), ..AlertFilter::default() };
        for alert in self.alerts(&filter, u16::MAX)? {
            self.resolve_alert(alert.id, by, reason)?;
        }
        Ok(())
    }
}
