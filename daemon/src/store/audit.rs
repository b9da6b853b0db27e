//! `command_audit`: the chain, and what identifies somebody beside it.
//!
//! Each row carries `SHA-256(previous hash ‖ canonical row)`. Personal fields enter the row only as salted
//! commitments, so that erasing somebody deletes field and salt, and the chain still verifies.

mod figures;
mod read;
mod verify;

pub use read::{AuditFilter, AuditFrom};
pub use verify::{ChainWalk, Walked};

use super::rows::{Sql, optional};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::value::{ChainMark, ChannelId, GuildId};

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

    /// What can be noted of it.
    pub fn mark(&self) -> Option<ChainMark> {
        ChainMark::new(self.rows, self.hash)
    }
}

/// What of a row enters its hash, as it lies in the columns.
struct Canonical<'a> {
    id: i64,
    at: i64,
    kind: &'a str,
    intent: Option<i64>,
    operation: &'a str,
    family: &'a str,
    surface: &'a str,
    guild: Option<i64>,
    channel: Option<i64>,
    result: Option<&'a str>,
    fault: Option<&'a str>,
    micros: Option<i64>,
    commitments: &'a str,
}

impl Canonical<'_> {
    /// The row's hash behind the one before.
    fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        // Snowflakes are the strings that they are in JSON everywhere.
        let text = |id: Option<i64>| id.map(|id| id.to_string());
        let row = (
            self.id,
            self.at,
            self.kind,
            self.intent,
            self.operation,
            self.family,
            self.surface,
            text(self.guild),
            text(self.channel),
            self.result,
            self.fault,
            self.micros,
            self.commitments,
        );
        // Texts and numbers always have JSON.
        let canonical = serde_json::to_vec(&row).unwrap_or_default();
        Sha256::new().chain_update(previous).chain_update(canonical).finalize().into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `SHA-256(salt ‖ field ‖ 0 ‖ value)`, in hexadecimal.
fn commitment(salt: &[u8], field: &str, value: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(field).chain_update([0]).chain_update(value);
    hex(&digest.finalize())
}

pub(super) fn result_word(result: AuditResult) -> &'static str {
    // The seed's word for what we call denied.
    if result == AuditResult::Denied { "permission_denied" } else { result.word() }
}

fn result_from_word(word: &str) -> Option<AuditResult> {
    if word == "permission_denied" { Some(AuditResult::Denied) } else { AuditResult::from_word(word) }
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
        let canonical = Canonical {
            id: id.cast_signed(),
            at,
            kind,
            intent: row.intent.map(u64::cast_signed),
            operation: row.operation,
            family: row.family,
            surface: row.surface,
            guild: row.guild.map(|guild| guild.get().cast_signed()),
            channel: row.channel.map(|channel| channel.get().cast_signed()),
            result,
            fault: row.fault,
            micros: row.micros.map(u64::cast_signed),
            commitments: &commitments,
        };
        let hash = canonical.hash(&head.hash);

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
