//! Files that are the old one or the new one after a crash, and nobody else's.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where a new file is written before it takes its name. One writer at a time: the caller holds the directory's lock.
pub(super) fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Makes the directory where it is not there, for its owner alone.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts `text` in the place of the file, for its owner alone, and returns once the disk has it.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = draft_of(path);
    remove(&draft)?;
    step()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    step()?;
    file.write_all(text.as_bytes())?;
    step()?;
    file.sync_all()?;
    rename(&draft, path)
}

/// Gives a file another name in its directory, and returns once the disk has it.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step()?;
    std::fs::rename(from, to)?;
    sync_directory(to)
}

/// Takes a file away, where it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    step()?;
    match std::fs::remove_file(path) {
        Ok(()) => sync_directory(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_directory(of: &Path) -> io::Result<()> {
    step()?;
    let directory = of.parent().ok_or_else(|| io::Error::other("a file without a directory"))?;
    File::open(directory)?.sync_all()
}

/// Between two things that the disk sees one after the other: where a test lets the process die.
#[cfg(not(test))]
fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use steps::{dies_after, step};

#[cfg(test)]
mod steps {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// From now on this thread dies after so many steps, and does nothing more; never where there is no number.
    pub(in crate::secrets) fn dies_after(steps: Option<usize>) {
        LEFT.set(steps);
    }

    pub(in crate::secrets) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("dead")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}
