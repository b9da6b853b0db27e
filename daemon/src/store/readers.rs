//! A small pool of read-only connections.

use super::{STATEMENTS, StoreError, View};
use crate::clock::Clock;
use rusqlite::{Connection, InterruptHandle, OpenFlags};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use wayhaven_shared::Fault;

/// Connections at most: reads are short, and each costs a page cache.
const CONNECTIONS: usize = 3;

pub(super) struct Readers {
    path: PathBuf,
    busy: Duration,
    /// How long a reading may hold its transaction.
    limit: Duration,
    /// Opened as they are needed and kept: each reads the whole schema first.
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    clock: Clock,
}

/// How often a reading beyond its limit is interrupted: SQLite forgets that between two statements.
const AGAIN: Duration = Duration::from_millis(200);

/// Interrupts a reading that has not ended after `limit`: its statements fail until it does.
async fn end_after(limit: Duration, begun: oneshot::Receiver<(InterruptHandle, oneshot::Receiver<()>)>) {
    let Ok((reading, mut ended)) = begun.await else { return };
    let mut wait = limit;
    while tokio::time::timeout(wait, &mut ended).await.is_err() {
        if wait == limit {
            tracing::warn!("a reading of the store is ended after {} s", limit.as_secs());
        }
        reading.interrupt();
        wait = AGAIN;
    }
}

impl Readers {
    pub(super) fn open(
        path: &Path,
        (busy, limit): (Duration, Duration),
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let (idle, free) = (Mutex::default(), Arc::new(Semaphore::new(CONNECTIONS)));
        let readers = Self { path: path.to_owned(), busy, limit, idle, free, clock };
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
            let (begin, begun) = oneshot::channel();
            // Also where the caller goes away meanwhile.
            tokio::spawn(end_after(readers.limit, begun));
            let joined = tokio::task::spawn_blocking(move || {
                let connection = lender.take().map_or_else(|| lender.connect(), Ok)?;
                let (end, ended) = oneshot::channel::<()>();
                let _ = begin.send((connection.get_interrupt_handle(), ended));
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
                // Before another reading has the connection, which must not be interrupted for this one.
                drop(end);
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
