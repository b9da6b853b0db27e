//! `command_audit`: the chain, and what identifies somebody beside it.
//!
//! Each row carries `SHA-256(previous hash ‖ canonical row)`. Personal fields enter the row only as salted
//! commitments, so that erasing somebody deletes field and salt, and the chain still verifies.

use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use wayhaven_shared::operations::audit::{AuditEntry, AuditResult};
use wayhaven_shared::value::{ChannelId, GuildId, Timestamp, UserId};

/// What identifies somebody in an audit row; each field is kept beside the chain and can be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Personal {
    /// Who asked: a user's id, or an operator's account.
    pub actor: Option<String>,
    /// To whom it was done.
    pub target: Option<String>,
    /// The operation's arguments as JSON.
    pub parameters: Option<String>,
    /// A fault's message.
    pub message: Option<String>,
}

/// A row about to be chained.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// The row this is the outcome of; nothing in an intent, and in an outcome that had none.
    pub intent: Option<u64>,
    /// How it ended; nothing in an intent.
    pub result: Option<AuditResult>,
    /// The operation's words.
    pub operation: &'static str,
    /// `punishment`, `admin`, `config`, `audit` or `system`, as in the seed.
    pub family: &'static str,
    /// Where it was asked for.
    pub surface: &'static str,
    /// In which guild.
    pub guild: Option<GuildId>,
    /// In which channel.
    pub channel: Option<ChannelId>,
    /// The kind of fault, where there was one.
    pub fault: Option<&'static str>,
    /// How long it took, in microseconds.
    pub micros: Option<u64>,
    /// What identifies somebody.
    pub personal: Personal,
}

/// Where the chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// How many rows it has.
    pub rows: u64,
    /// The last row's hash; zeros before the first.
    pub hash: [u8; 32],
}

impl ChainHead {
    /// The hash in hexadecimal.
    pub fn hex(&self) -> String {
        hex(&self.hash)
    }
}

/// Which audit rows to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Done to this user.
    pub target: Option<UserId>,
    /// Asked for by this user.
    pub actor: Option<UserId>,
    /// Of this operation.
    pub operation: Option<String>,
    /// With this result.
    pub result: Option<AuditResult>,
    /// In this guild.
    pub guild: Option<GuildId>,
    /// Not before.
    pub since: Option<Timestamp>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `SHA-256(salt ‖ field ‖ 0 ‖ value)`, in hexadecimal.
fn commitment(salt: &[u8], field: &str, value: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(field).chain_update([0]).chain_update(value);
    hex(&digest.finalize())
}

fn result_word(result: AuditResult) -> &'static str {
    // The seed's word for what we call denied.
    if result == AuditResult::Denied { "permission_denied" } else { result.word() }
}

fn result_from_word(word: &str) -> Option<AuditResult> {
    if word == "permission_denied" { Some(AuditResult::Denied) } else { AuditResult::from_word(word) }
}

const OUTCOMES: &str =
    "SELECT a.id, a.created_at, a.command_name, a.surface, a.guild_id, a.result_status, a.execution_time_us,
            (SELECT value FROM command_audit_personal WHERE audit_id = a.id AND field = 'actor') AS actor,
            (SELECT value FROM command_audit_personal WHERE audit_id = a.id AND field = 'target') AS target,
            (SELECT value FROM command_audit_personal WHERE audit_id = a.id AND field = 'message') AS message
     FROM command_audit a WHERE a.kind = 'outcome'";

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let target: Option<String> = row.get("target")?;
    let micros: Option<i64> = row.get("execution_time_us")?;
    Ok(AuditEntry {
        sequence: row.get::<_, i64>("id")?.cast_unsigned(),
        at: column(row, "created_at")?,
        operation: row.get("command_name")?,
        surface: row.get("surface")?,
        actor: optional(row, "actor")?,
        guild_id: optional(row, "guild_id")?,
        target: target.and_then(|target| target.parse().ok()),
        result: word(row, "result_status", result_from_word)?,
        message: optional(row, "message")?,
        duration_ms: micros.map(|micros| micros.cast_unsigned() / 1_000),
    })
}

impl View<'_> {
    /// Where the chain ends.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn chain_head(&self) -> Result<ChainHead, StoreError> {
        let sql = "SELECT id, hash FROM command_audit ORDER BY id DESC LIMIT 1";
        let last = self.connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
        let (id, hash): (i64, [u8; 32]) = last.optional()?.unwrap_or_default();
        Ok(ChainHead { rows: id.cast_unsigned(), hash })
    }

    /// Outcomes, newest first. An intent that never got one gets it at the next start.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_entries(&self, filter: &AuditFilter, limit: u16) -> Result<Vec<AuditEntry>, StoreError> {
        let mut sql = format!("{OUTCOMES} AND a.created_at >= ?1");
        let person = |field, parameter| {
            format!(
                " AND a.id IN (SELECT audit_id FROM command_audit_personal WHERE field = '{field}' AND value = ?{parameter})"
            )
        };
        if filter.target.is_some() {
            sql.push_str(&person("target", 2));
        }
        if filter.actor.is_some() {
            sql.push_str(&person("actor", 3));
        }
        for (given, condition) in [
            (filter.operation.is_some(), " AND a.command_name = ?4"),
            (filter.result.is_some(), " AND a.result_status = ?5"),
            (filter.guild.is_some(), " AND a.guild_id = ?6"),
        ] {
            sql.push_str(if given { condition } else { "" });
        }
        sql.push_str(
            " AND ?2 IS ?2 AND ?3 IS ?3 AND ?4 IS ?4 AND ?5 IS ?5 AND ?6 IS ?6 ORDER BY a.id DESC LIMIT ?7",
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                filter.since.map_or(i64::MIN, Timestamp::millis),
                filter.target.map(|user| user.to_string()),
                filter.actor.map(|user| user.to_string()),
                filter.operation,
                filter.result.map(result_word),
                Sql(filter.guild),
                limit
            ],
            entry,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Outcomes after a row and up to another, oldest first, in guilds that have their audit posted: what changed
    /// something, was refused, failed, or was done in a guild's own client. Successful readings are left out.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_to_post(&self, after: u64, up_to: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = format!(
            "{OUTCOMES} AND a.id > ?1 AND a.id <= ?2
               AND (a.intent_id IS NOT NULL OR a.result_status <> 'success' OR a.surface = 'gateway')
               AND a.guild_id IN (SELECT guild_id FROM guild_settings WHERE audit_posted = 1) ORDER BY a.id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([after.cast_signed(), up_to.cast_signed()], entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Chains a row and returns its number.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit(&self, row: &AuditRow) -> Result<u64, StoreError> {
        let head = self.chain_head()?;
        let id = head.rows + 1;
        let fields = [
            ("actor", &row.personal.actor),
            ("message", &row.personal.message),
            ("parameters", &row.personal.parameters),
            ("target", &row.personal.target),
        ];
        let mut beside = Vec::new();
        let mut commitments = BTreeMap::new();
        for (field, value) in fields {
            let Some(value) = value else { continue };
            let salt: [u8; 16] =
                self.connection().prepare_cached("SELECT randomblob(16)")?.query_row([], |row| row.get(0))?;
            commitments.insert(field, commitment(&salt, field, value));
            beside.push((field, value, salt));
        }
        let commitments = json!(commitments).to_string();
        let kind = if row.result.is_some() { "outcome" } else { "intent" };
        let at = self.now().millis();
        let result = row.result.map(result_word);
        let canonical = json!([
            id,
            at,
            kind,
            row.intent,
            row.operation,
            row.family,
            row.surface,
            row.guild,
            row.channel,
            result,
            row.fault,
            row.micros,
            commitments
        ]);
        let hash: [u8; 32] =
            Sha256::new().chain_update(head.hash).chain_update(canonical.to_string()).finalize().into();

        let sql =
            "INSERT INTO command_audit (id, created_at, kind, intent_id, command_name, command_type, surface,
                 guild_id, channel_id, result_status, fault_kind, execution_time_us, commitments, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        self.connection().prepare_cached(sql)?.execute(params![
            id.cast_signed(),
            at,
            kind,
            row.intent.map(u64::cast_signed),
            row.operation,
            row.family,
            row.surface,
            Sql(row.guild),
            Sql(row.channel),
            result,
            row.fault,
            row.micros.map(u64::cast_signed),
            commitments,
            hash,
        ])?;
        let sql = "INSERT INTO command_audit_personal VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.connection().prepare_cached(sql)?;
        for (field, value, salt) in beside {
            statement.execute(params![id.cast_signed(), field, value, salt])?;
        }
        Ok(id)
    }

    /// Chains an outcome for each intent that has none: the daemon died in between. Returns how many.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_interrupted(&self) -> Result<usize, StoreError> {
        let sql = "SELECT id FROM command_audit a WHERE kind = 'intent'
            AND NOT EXISTS (SELECT 1 FROM command_audit o WHERE o.intent_id = a.id)";
        let ids = self
            .connection()
            .prepare_cached(sql)?
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        for id in &ids {
            let person = |field: &str| -> Result<Option<String>, StoreError> {
                let sql = "SELECT value FROM command_audit_personal WHERE audit_id = ?1 AND field = ?2";
                Ok(self
                    .connection()
                    .prepare_cached(sql)?
                    .query_row(params![id, field], |row| row.get(0))
                    .optional()?)
            };
            let sql = "SELECT command_name, command_type, surface, guild_id, channel_id FROM command_audit WHERE id = ?1";
            let row = self.connection().prepare_cached(sql)?.query_row([id], |row| {
                let known = |name: &'static str, words: &[&'static str]| {
                    let found: String = row.get(name)?;
                    words.iter().copied().find(|word| *word == found).ok_or_else(|| super::rows::odd(name))
                };
                let operation: String = row.get("command_name")?;
                Ok(AuditRow {
                    intent: Some(id.cast_unsigned()),
                    result: Some(AuditResult::Interrupted),
                    // An operation that this version no longer has is still somebody's request.
                    operation: wayhaven_shared::grammar::find(&operation)
                        .map_or("unknown", |found| found.name),
                    family: known("command_type", &["punishment", "admin", "config", "audit", "system"])?,
                    surface: known("surface", &["discord", "cli", "console", "gateway", "scheduler"])?,
                    guild: optional(row, "guild_id")?,
                    channel: optional(row, "channel_id")?,
                    fault: None,
                    micros: None,
                    personal: Personal::default(),
                })
            })?;
            let message = Some("the daemon ended before this did".to_owned());
            let personal =
                Personal { actor: person("actor")?, target: person("target")?, parameters: None, message };
            self.audit(&AuditRow { personal, ..row })?;
        }
        Ok(ids.len())
    }
}
