//! `system_health`: how each part of the daemon stood when. What is open is how it stands now.

use super::rows::{column, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::status::{Component, Health};

/// How many rows are kept of what is over.
const KEPT: u32 = 10_000;

fn component(row: &Row<'_>) -> rusqlite::Result<Component> {
    Ok(Component {
        name: row.get("component")?,
        health: word(row, "status", Health::from_word)?,
        details: optional(row, "details")?,
        since: column(row, "created_at")?,
    })
}

impl View<'_> {
    /// How each part stands, by name.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn components(&self) -> Result<Vec<Component>, StoreError> {
        let sql = "SELECT component, status, details, created_at FROM system_health WHERE resolved_at IS NULL ORDER BY component";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([], component)?.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Notes how a part stands; whether that is another state than before. What is only worded anew takes the words over.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_health(&self, name: &str, health: Health, details: Option<&str>) -> Result<bool, StoreError> {
        let sql = "SELECT status, details FROM system_health WHERE component = ?1 AND resolved_at IS NULL";
        let read = |row: &Row<'_>| {
            Ok((word(row, "status", Health::from_word)?, row.get::<_, Option<String>>("details")?))
        };
        let before = self.connection().prepare_cached(sql)?.query_row([name], read).optional()?;
        match before {
            Some((was, words)) if was == health => {
                if words.as_deref() != details {
                    let sql =
                        "UPDATE system_health SET details = ?2 WHERE component = ?1 AND resolved_at IS NULL";
                    self.connection().prepare_cached(sql)?.execute(params![name, details])?;
                }
                return Ok(false);
            }
            _ => {}
        }
        let now = self.now().millis();
        let sql = "UPDATE system_health SET resolved_at = ?2 WHERE component = ?1 AND resolved_at IS NULL";
        self.connection().prepare_cached(sql)?.execute(params![name, now])?;
        let sql = "INSERT INTO system_health (component, status, details, severity, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![name, health.word(), details, health.severity(), now];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let sql = "DELETE FROM system_health WHERE resolved_at IS NOT NULL AND id <= ?1";
        let oldest = self.connection().last_insert_rowid() - i64::from(KEPT);
        self.connection().prepare_cached(sql)?.execute([oldest])?;
        Ok(true)
    }
}
