//! The lock on the state directory: one daemon at a time, also while one replaces itself.
//!
//! A restart hands the lock over as the new program's standard input, which a daemon does not read: the lock belongs to the
//! open file and not to the process, so that nobody gets it in between.

use rustix::fs::fstat;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Layout;

/// Takes the state directory for this process alone; whoever comes second is told who was first.
///
/// # Errors
/// Another daemon has it, or the file cannot be used.
pub(crate) fn take(layout: &Layout) -> Result<File, Fault> {
    let path = layout.lock();
    let unusable = |error: &std::io::Error| crate::startup::unusable(&path, "cannot be locked", error);
    let mut file = match handed_over(&path) {
        Some(file) => file,
        None => {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            options.open(&path).map_err(|error| unusable(&error))?
        }
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut pid));
            return Err(Fault::conflict(format!(
                "another daemon, pid {}, runs on {}",
                pid.trim(),
                layout.state.display()
            ))
            .hint("wayhaven daemon stop ends it; WAYHAVEN_HOME names another place for a second one"));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(&error)),
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|error| unusable(&error))?;
    Ok(file)
}

/// The lock file, where this process has it as its standard input. Somebody else who opened it there gets no lock by that.
fn handed_over(path: &Path) -> Option<File> {
    let input = std::io::stdin();
    let (given, wanted) = (fstat(&input).ok()?, std::fs::metadata(path).ok()?);
    let same = (u128::from(given.st_dev), u128::from(given.st_ino))
        == (u128::from(wanted.dev()), u128::from(wanted.ino()));
    // Above the standard streams, and not for programs that are started later.
    same.then(|| rustix::io::fcntl_dupfd_cloexec(&input, 3).ok().map(File::from)).flatten()
}
