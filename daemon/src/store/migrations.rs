//! The schema's history, forward only.
//!
//! To change the schema, add a file `NNNN-name.sql` and a line to [`ALL`]. A migration imports no code that may
//! change later; what it needs, it contains. Its number is SQLite's `user_version` once it has run.

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};

/// "WAYH", so that `file` and we recognise a store.
const APPLICATION_ID: i32 = 0x5741_5948;

/// Every migration, in order; the first makes `user_version` 1.
const ALL: &[&str] = &[
    include_str!("migrations/0001-foundation.sql"),
    include_str!("migrations/0002-consent.sql"),
    include_str!("migrations/0003-notices.sql"),
    include_str!("migrations/0004-gap.sql"),
    include_str!("migrations/0005-freeze.sql"),
    include_str!("migrations/0006-actions.sql"),
    include_str!("migrations/0007-provenance.sql"),
    include_str!("migrations/0008-direct.sql"),
    include_str!("migrations/0009-schedule.sql"),
    include_str!("migrations/0010-undo.sql"),
    include_str!("migrations/0011-protect.sql"),
    include_str!("migrations/0012-seams.sql"),
    include_str!("migrations/0013-doctor.sql"),
    include_str!("migrations/0014-jobs.sql"),
    include_str!("migrations/0015-exceptions.sql"),
    include_str!("migrations/0016-holds.sql"),
    include_str!("migrations/0017-lists.sql"),
    include_str!("migrations/0018-backfill.sql"),
    include_str!("migrations/0019-alone.sql"),
    include_str!("migrations/0020-imports.sql"),
    include_str!("migrations/0021-together.sql"),
    include_str!("migrations/0022-approval.sql"),
    include_str!("migrations/0023-audit.sql"),
    include_str!("migrations/0024-incidents.sql"),
    include_str!("migrations/0025-settings.sql"),
    include_str!("migrations/0026-audit-indexes.sql"),
    include_str!("migrations/0027-terms.sql"),
    include_str!("migrations/0028-overlaps.sql"),
    include_str!("migrations/0029-own-people.sql"),
    include_str!("migrations/0031-refusals.sql"),
    include_str!("migrations/0034-names.sql"),
    include_str!("migrations/0035-operators.sql"),
    include_str!("migrations/0036-forced.sql"),
    include_str!("migrations/0037-shielded.sql"),
    include_str!("migrations/0038-local-causes.sql"),
    include_str!("migrations/0039-origin-stalled.sql"),
];

/// How many there are: the schema of this version.
pub(super) fn known() -> u32 {
    u32::try_from(ALL.len()).unwrap_or(u32::MAX)
}

/// The file's schema.
///
/// # Errors
/// It is not ours, or a newer version's.
pub(super) fn version(connection: &Connection) -> Result<u32, StoreError> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Foreign);
    }
    if version > known() {
        return Err(StoreError::Newer { found: version, known: known() });
    }
    Ok(version)
}

/// Brings the schema up to date, each migration in a transaction of its own.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    run_to(connection, known())
}

/// The same as far as the schema of an older version.
pub(super) fn run_to(connection: &mut Connection, last: u32) -> Result<(), StoreError> {
    let mut version = version(connection)?;
    for migration in ALL.iter().take(last as usize).skip(version as usize) {
        version += 1;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
