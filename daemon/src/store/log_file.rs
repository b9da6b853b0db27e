//! The file of SQLite's log, which grows while somebody reads for long, and shrinks again after that.

use super::{LOG_BYTES, Store, StoreError};
use rusqlite::Connection;
use std::time::Duration;
use wayhaven_shared::Fault;

/// How long it waits for readers and the writer. Those who wait are worth more than a small file.
const WAIT: Duration = Duration::from_millis(500);

impl Store {
    /// Carries the log over into the store and empties its file, as far as nobody reads what is in it. True where the
    /// file is empty.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn empty_log(&self) -> Result<bool, Fault> {
        let path = self.path().to_owned();
        let emptied = tokio::task::spawn_blocking(move || -> Result<bool, StoreError> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(WAIT)?;
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0)
        });
        Ok(emptied.await.map_err(|_| StoreError::Closed)??)
    }

    /// Empties the log's file where it is larger than it needs to be: after a long reading nothing else does, unless
    /// something is written.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn shrink_log(&self) -> Result<(), Fault> {
        let file = self.path().with_extension("db-wal");
        let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
        if bytes > LOG_BYTES.unsigned_abs() && self.empty_log().await? {
            tracing::info!("the store's log has shrunk from {} MiB", bytes >> 20);
        }
        Ok(())
    }
}
