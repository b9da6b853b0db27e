//! The lock on the state directory: one daemon at a time, also while one replaces itself.
//!
//! A restart hands the lock over as the new program's standard input, which a daemon does not read: the lock belongs to the
//! open file and not to the process, so that nobody gets it in between.

use rustix::fs::fstat;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::paths::{Layout, Obstacle};

/// How often a lock that somebody has is tried again, and the pause between.
const MAX_TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the state directory for this process alone; whoever comes second is told who was first.
///
/// # Errors
/// Another daemon has it, or the file cannot be used.
pub(crate) fn take(layout: &Layout) -> Result<File, Fault> {
    let path = layout.lock();
    let unusable = |error: &std::io::Error| crate::disk::fault(&path, "cannot be locked", error);
    let mut file = match handed_over(&path) {
        Some(file) => file,
        None => {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            options.open(&path).map_err(|error| unusable(&error))?
        }
    };
    let mut tries = 0;
    let locked = loop {
        match file.try_lock() {
            // A client that looks whether a daemon runs has it for a moment.
            Err(TryLockError::WouldBlock) if tries < MAX_TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            locked => break locked,
        }
    };
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut pid));
            return Err(held(layout, pid.trim()));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(&error)),
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|error| unusable(&error))?;
    Ok(file)
}

/// Another daemon has it: who, and how to reach it where its socket is gone.
fn held(layout: &Layout, pid: &str) -> Fault {
    let state = layout.state.display();
    let fault = Fault::conflict(format!("another daemon, pid {pid}, runs on {state}"))
        .hint("stop it: wayhaven daemon stop")
        .hint("start a second one elsewhere: WAYHAVEN_HOME=/path/to/another wayhavend run");
    let Ok(pid) = pid.parse::<u32>() else { return fault };
    fault.hint(match layout.socket.parent().and_then(Obstacle::at) {
        Some(obstacle) => {
            format!("its socket is not there: {obstacle}; move it away: {} && kill -HUP {pid}", obstacle.fix())
        }
        None => format!(
            "if wayhaven says that no daemon answers at {}, the socket was removed; create it again: kill -HUP {pid}",
            layout.socket.display()
        ),
    })
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
