//! `security_alerts`: one row per kind, guild and day, with a count, so that a flood stays readable.

use super::rows::Sql;
use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A day in milliseconds.
const DAY: i64 = 86_400_000;

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
             RETURNING occurrences";
        let now = self.now().millis();
        let values = params![kind, Sql(guild), Sql(user), severity.word(), details, now.div_euclid(DAY), now];
        let count: i64 = self.connection().prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        self.tell(&Changed::Alert {
            kind: kind.to_owned(),
            guild_id: guild,
            details: Untrusted::clipped(details),
            count: count.cast_unsigned(),
        })
    }
}
