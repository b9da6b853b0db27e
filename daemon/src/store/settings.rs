//! `settings`: what operators have changed while the daemon runs, as it was written.

use super::rows::column;
use super::{Change, StoreError, View};
use crate::settings::Stored;
use rusqlite::params;

impl View<'_> {
    /// Everything that was set at run time, understood or not.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn stored_settings(&self) -> Result<Vec<Stored>, StoreError> {
        let sql = "SELECT key, value, set_by, set_at FROM settings ORDER BY key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Stored {
                key: row.get("key")?,
                value: row.get("value")?,
                by: row.get("set_by")?,
                at: column(row, "set_at")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The schema's version.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn schema(&self) -> Result<u32, StoreError> {
        Ok(self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Stores a setting in the place of what was set before.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn store_setting(&self, stored: &Stored) -> Result<(), StoreError> {
        let sql = "INSERT INTO settings (key, value, set_by, set_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, set_by = excluded.set_by, set_at = excluded.set_at";
        let values = params![stored.key, stored.value, stored.by, stored.at.millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Forgets what was set; whether anything was.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn forget_setting(&self, key: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM settings WHERE key = ?1";
        Ok(self.connection().prepare_cached(sql)?.execute([key])? > 0)
    }
}
