//! A small pool of read-only connections.

use super::{STATEMENTS, StoreError, View};
use crate::clock::Clock;
use rusqlite::{Connection, OpenFlags};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use wayhaven_shared::Fault;

/// Connections at most: reads are short, and each costs a page cache.
const CONNECTIONS: usize = 3;

pub(super) struct Readers {
    path: PathBuf,
    busy: Duration,
    /// Opened as they are needed and kept: each reads the whole schema first.
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    clock: Clock,
}

impl Readers {
    pub(super) fn open(path: &Path, busy: Duration, clock: Clock) -> Result<Self, StoreError> {
        let (idle, free) = (Mutex::default(), Arc::new(Semaphore::new(CONNECTIONS)));
        let readers = Self { path: path.to_owned(), busy, idle, free, clock };
        readers.put(readers.connect()?);
        Ok(readers)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    pub(super) async fn read<T: Send + 'static>(
        readers: Arc<Self>,
        work: impl FnOnce(&View<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let task = async {
            let permit = Arc::clone(&readers.free).acquire_owned().await.map_err(|_| StoreError::Closed)?;
            let lender = Arc::clone(&readers);
            let (now, skew) = (readers.clock.now(), readers.clock.skew());
            let joined = tokio::task::spawn_blocking(move || {
                let connection = lender.take().map_or_else(|| lender.connect(), Ok)?;
                // One transaction for all of `work`, so that what it reads belongs together; it only reads, so
                // how it ends does not matter.
                let outcome = connection
                    .execute_batch("BEGIN")
                    .map_err(|error| Fault::from(StoreError::from(error)))
                    .and_then(|()| {
                        // Caught so that the connection goes back to the pool.
                        catch_unwind(AssertUnwindSafe(|| work(&View { connection: &connection, now, skew })))
                            .unwrap_or_else(|_| Err(Fault::internal("a reading of the store panicked")))
                    });
                let _ = connection.execute_batch("ROLLBACK");
                lender.put(connection);
                // Not before the connection is back, even where the caller went away meanwhile.
                drop(permit);
                outcome
            });
            joined.await.map_err(|_| Fault::from(StoreError::Closed))?
        };
        task.await
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
