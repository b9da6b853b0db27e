//! The store looked at without a daemon, and without changing anything.

use super::{BUSY, StoreError, migrations};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many defects are told: one is enough to know.
const DEFECTS: usize = 5;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The file's schema.
    pub version: u32,
    /// The schema of this version of Wayhaven.
    pub known: u32,
    /// What SQLite found wrong, the first few; empty where all is well.
    pub defects: Vec<String>,
}

/// Looks through the whole file. Nothing where there is none.
///
/// # Errors
/// It cannot be read, is not ours, or is a newer version's.
pub fn inspect(path: &Path) -> Result<Option<Inspection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let is_there = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    };
    // SQLite would make a log, or bring the log's index up to date, to read one file.
    let untouched = match (is_there("-wal"), is_there("-shm")) {
        // Without a log nobody has it open.
        (false, _) => "&immutable=1",
        (true, true) => "&readonly_shm=1",
        // What a copy has that left the index behind: only SQLite can make it.
        (true, false) => "",
    };
    let encoded = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{encoded}?mode=ro{untouched}"), flags)?;
    connection.busy_timeout(BUSY)?;
    let version = migrations::version(&connection)?;
    let mut statement = connection.prepare(&format!("PRAGMA quick_check({DEFECTS})"))?;
    let told = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let defects = told.into_iter().filter(|line| line != "ok").collect();
    Ok(Some(Inspection { version, known: migrations::known(), defects }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::lay;
    use std::os::unix::fs::FileExt;

    fn listing(directory: &Path) -> Vec<(std::ffi::OsString, std::time::SystemTime, u64)> {
        let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
        let mut all: Vec<_> = entries
            .map(|entry| {
                let found = entry.metadata().unwrap();
                (entry.file_name(), found.modified().unwrap(), found.len())
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_store_is_looked_through_and_nothing_of_it_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a store?.db");
        assert_eq!(inspect(&path).unwrap(), None);
        lay(&path);
        let known = migrations::known();
        let before = listing(directory.path());
        assert_eq!(
            inspect(&path).unwrap().unwrap(),
            Inspection { version: known, known, defects: Vec::new() }
        );
        assert_eq!(listing(directory.path()), before);

        // The log of a process that was killed is read too, and stays as it is.
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer.execute_batch("CREATE TABLE left_behind (x)").unwrap();
        let copies = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), copies.path().join(entry.file_name())).unwrap();
        }
        drop(writer);
        let before = listing(copies.path());
        assert!(before.len() == 3 && before.iter().all(|(.., length)| *length > 0), "{before:?}");
        let copy = copies.path().join("a store?.db");
        assert!(inspect(&copy).unwrap().unwrap().defects.is_empty());
        assert_eq!(listing(copies.path()), before);

        // One page in the middle is somebody else's.
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0xa5; 4096], 4096 * 5).unwrap();
        assert!(!inspect(&path).is_ok_and(|found| found.unwrap().defects.is_empty()));
    }

    #[test]
    fn a_newer_store_and_somebody_elses_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wayhaven.db");
        lay(&path);
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 9_999).unwrap();
        drop(connection);
        assert!(matches!(inspect(&path), Err(StoreError::Newer { found: 9_999, .. })));
        let other = directory.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(inspect(&other), Err(StoreError::Foreign)));
    }
}
