//! Single values: the epoch, hashes of what was registered.

use super::{Change, StoreError, View};
use rusqlite::OptionalExtension;

impl View<'_> {
    /// A single value by its name.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn meta(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM store_meta WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// The store's epoch, made when it is first asked for.
    pub(super) fn epoch(&self) -> Result<String, StoreError> {
        self.connection.execute(
            "INSERT INTO store_meta VALUES ('epoch', lower(hex(randomblob(8)))) ON CONFLICT DO NOTHING",
            [],
        )?;
        Ok(self.meta("epoch")?.unwrap_or_default())
    }
}

impl Change<'_> {
    /// Stores a single value.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_meta(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO store_meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection().prepare_cached(sql)?.execute([name, value])?;
        Ok(())
    }
}
