//! The audit as people read it: outcomes.

use super::result_from_word;
use crate::store::rows::{column, optional, word};
use crate::store::{StoreError, View};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use wayhaven_shared::operations::audit::{AuditEntry, AuditResult};
use wayhaven_shared::value::{GuildId, Timestamp, UserId};

/// Which audit rows to read.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Done to this user.
    pub target: Option<UserId>,
    /// Asked for by them, as the audit names them.
    pub actor: Option<String>,
    /// Done to this user, or asked for by them.
    pub about: Option<UserId>,
    /// Of this operation.
    pub operation: Option<String>,
    /// With this result.
    pub result: Option<AuditResult>,
    /// In this guild.
    pub guild: Option<GuildId>,
    /// Not before.
    pub since: Option<Timestamp>,
}

/// Which way to read, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFrom {
    /// Newest first, below this row.
    Below(u64),
    /// Oldest first, above this row.
    Above(u64),
}

/// How far a clock may have been set back so that a window of days still has every row, in milliseconds (FAULTS 21: a day).
const SET_BACK: i64 = 2 * 86_400_000;

const COLUMNS: &str =
    "a.id, a.created_at, a.command_name, a.surface, a.guild_id, a.channel_id, a.result_status, a.fault_kind,
     a.execution_time_us,
     (SELECT value FROM command_audit_personal WHERE audit_id = a.id AND field = 'actor') AS actor,
     (SELECT value FROM command_audit_personal WHERE audit_id = a.id AND field = 'target') AS target,
     (SELECT value FROM command_audit_personal WHERE audit_id = a.id AND field = 'message') AS message,
     (SELECT value FROM command_audit_personal WHERE audit_id = coalesce(a.intent_id, a.id) AND field = 'parameters')
         AS parameters";

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let target: Option<String> = row.get("target")?;
    let micros: Option<i64> = row.get("execution_time_us")?;
    let parameters: Option<String> = row.get("parameters")?;
    let parameters = parameters.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let dry_run = parameters.as_ref().is_some_and(|parameters| parameters["dry_run"] == true);
    Ok(AuditEntry {
        sequence: row.get::<_, i64>("id")?.cast_unsigned(),
        at: column(row, "created_at")?,
        operation: row.get("command_name")?,
        surface: row.get("surface")?,
        actor: optional(row, "actor")?,
        guild_id: optional(row, "guild_id")?,
        channel_id: optional(row, "channel_id")?,
        target: target.and_then(|target| target.parse().ok()),
        result: word(row, "result_status", result_from_word)?,
        fault: row.get("fault_kind")?,
        message: optional(row, "message")?,
        parameters,
        duration_ms: micros.map(|micros| micros.cast_unsigned() / 1_000),
        dry_run,
    })
}

impl View<'_> {
    /// A row before which all are older, but for what a clock that was set back by more than [`SET_BACK`] has left there.
    pub(super) fn audit_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let sql =
            "SELECT id FROM command_audit WHERE created_at < ?1 ORDER BY created_at DESC, id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let before = since.millis().saturating_sub(SET_BACK);
        let last: Option<i64> = statement.query_row([before], |row| row.get(0)).optional()?;
        Ok(last.map_or(1, |last| last.cast_unsigned() + 1))
    }

    /// Outcomes that pass the filter. An intent that never got one gets it at the next start.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_entries(
        &self,
        filter: &AuditFilter,
        from: AuditFrom,
        limit: u16,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (sql, values) = self.audit_query(filter, from, limit)?;
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What asks for those outcomes. An index leads to people, to a guild and to what did not succeed; an operation's rows
    /// are looked for among those of the window.
    pub(in crate::store) fn audit_query(
        &self,
        filter: &AuditFilter,
        from: AuditFrom,
        limit: u16,
    ) -> Result<(String, Vec<Value>), StoreError> {
        let mut bounds = (1, i64::MAX.cast_unsigned());
        if let Some(since) = filter.since {
            // A window of days is one of rows: what lies before it is not even looked at.
            bounds.0 = self.audit_since(since)?;
        }
        let order = match from {
            AuditFrom::Below(row) => {
                bounds.1 = bounds.1.min(row.saturating_sub(1));
                "DESC"
            }
            AuditFrom::Above(row) => {
                bounds.0 = bounds.0.max(row.saturating_add(1));
                "ASC"
            }
        };
        let mut values: Vec<Value> = vec![bounds.0.cast_signed().into(), bounds.1.cast_signed().into()];
        let mut bind = |value: Value| {
            values.push(value);
            values.len()
        };
        let mut conditions = String::new();
        let people = [
            ("p.field = 'target'", filter.target.map(|user| user.to_string())),
            ("p.field = 'actor'", filter.actor.clone()),
            ("p.field IN ('actor', 'target')", filter.about.map(|user| user.to_string())),
        ];
        // Whoever is named leads: the index has their rows in order, and the first page of them is read alone. SQLite takes
        // a partial index only where its own condition stands in the query too, and where it is told to says so if not.
        let (mut source, mut key) = ("command_audit a".to_owned(), "a.id");
        for (which, name) in people {
            let Some(name) = name else { continue };
            let name = bind(name.into());
            if key == "a.id" && !which.contains("IN") {
                source = "command_audit_personal p INDEXED BY command_audit_people
                          CROSS JOIN command_audit a ON a.id = p.audit_id"
                    .to_owned();
                key = "p.audit_id";
                conditions.push_str(&format!(
                    " AND p.field IN ('actor', 'target') AND {which} AND p.value = ?{name}"
                ));
            } else {
                conditions.push_str(&format!(
                    " AND EXISTS (SELECT 1 FROM command_audit_personal p WHERE p.audit_id = a.id AND {which} AND p.value = ?{name})"
                ));
            }
        }
        for (condition, value) in [
            ("a.command_name =", filter.operation.clone().map(Value::from)),
            ("a.result_status =", filter.result.map(|result| super::result_word(result).to_owned().into())),
            ("a.guild_id =", filter.guild.map(|guild| guild.get().cast_signed().into())),
            ("a.created_at >=", filter.since.map(|since| since.millis().into())),
        ] {
            if let Some(value) = value {
                let value = bind(value);
                conditions.push_str(&format!(" AND {condition} ?{value}"));
            }
        }
        if !matches!(filter.result, None | Some(AuditResult::Success)) {
            // The index of what did not succeed is partial.
            conditions.push_str(" AND a.result_status <> 'success'");
        }
        let limit = bind(i64::from(limit).into());
        let sql = format!(
            "SELECT {COLUMNS} FROM {source} WHERE {key} BETWEEN ?1 AND ?2 AND a.kind = 'outcome'{conditions}
              ORDER BY {key} {order} LIMIT ?{limit}"
        );
        Ok((sql, values))
    }

    /// Outcomes after a row and up to another, oldest first, in guilds that have their audit posted: what changed
    /// something, was refused, failed, or was done in a guild's own client. Successful readings are left out.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_to_post(&self, after: u64, up_to: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM command_audit a WHERE a.kind = 'outcome' AND a.id > ?1 AND a.id <= ?2
               AND (a.intent_id IS NOT NULL OR a.result_status <> 'success' OR a.surface = 'gateway')
               AND a.guild_id IN (SELECT guild_id FROM guild_settings WHERE audit_posted = 1) ORDER BY a.id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after.cast_signed(), up_to.cast_signed()], entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The hash of a row, where there is one of that number.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_hash(&self, row: u64) -> Result<Option<[u8; 32]>, StoreError> {
        let sql = "SELECT hash FROM command_audit WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([row.cast_signed()], |row| row.get(0)).optional()?)
    }
}
