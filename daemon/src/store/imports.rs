//! `imports`: lists that become bans, and how far each has come.

use super::rows::{Sql, column};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::value::{GuildId, UploadId};

/// An import that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImport {
    /// Its number.
    pub id: i64,
    /// The main.
    pub main: GuildId,
    /// The file in the state directory.
    pub file: UploadId,
    /// What is imported, as JSON.
    pub import: String,
    /// How far it has come, as JSON.
    pub progress: String,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredImport> {
    let file: String = row.get("file")?;
    let unreadable =
        |error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error));
    Ok(StoredImport {
        id: row.get("id")?,
        main: column(row, "main_id")?,
        file: file.parse().map_err(unreadable)?,
        import: row.get("import")?,
        progress: row.get("progress")?,
    })
}

impl View<'_> {
    /// The imports that go on.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn imports(&self) -> Result<Vec<StoredImport>, StoreError> {
        let sql = "SELECT id, main_id, file, import, progress FROM imports ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([], stored)?.collect::<Result<_, _>>()?)
    }

    /// The import that goes on in a main.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn import_in(&self, main: GuildId) -> Result<Option<StoredImport>, StoreError> {
        let sql = "SELECT id, main_id, file, import, progress FROM imports WHERE main_id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(main)], stored).optional()?)
    }
}

impl Change<'_> {
    /// Begins an import of a file; its number.
    ///
    /// # Errors
    /// Where one goes on in that main, or the store fails.
    pub fn begin_import(
        &self,
        main: GuildId,
        file: UploadId,
        import: &str,
        progress: &str,
    ) -> Result<i64, StoreError> {
        let sql =
            "INSERT INTO imports (main_id, file, import, progress, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![Sql(main), file.to_string(), import, progress, self.now().millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(self.connection().last_insert_rowid())
    }

    /// Stores how far an import has come, in the transaction that did it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn save_import(&self, id: i64, progress: &str) -> Result<(), StoreError> {
        let sql = "UPDATE imports SET progress = ?2 WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![id, progress])?;
        Ok(())
    }

    /// An import is over.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_import(&self, id: i64) -> Result<(), StoreError> {
        self.connection().prepare_cached("DELETE FROM imports WHERE id = ?1")?.execute([id])?;
        Ok(())
    }
}
