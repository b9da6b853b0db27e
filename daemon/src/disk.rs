//! Directories that cannot be written, and why: the cause that an operator can do something about.

use rustix::fs::{Access, Mode, OFlags, access, open, statvfs};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Obstacle;

/// How much is written to see whether a disk takes it, in bytes: about what a start writes.
const PROBE: usize = 1 << 20;

/// Whether the directory takes a file; where it is not there, whether the nearest directory above it does. The file has no
/// name, and is gone when this returns.
///
/// # Errors
/// Why it does not.
pub(crate) fn probe(directory: &Path) -> Result<(), Fault> {
    if let Some(obstacle) = Obstacle::at(directory) {
        return Err(obstructed(&obstacle, &directory.display().to_string()));
    }
    let nearest = nearest(directory);
    let written =
        access(&nearest, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from).and_then(|()| {
            let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
            let mut file = match open(&nearest, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => File::from(file),
                Err(error) => return has_none(error.into()),
            };
            file.write_all(&vec![0; PROBE])?;
            file.sync_all()
        });
    written.map_err(|error| fault(&nearest, "cannot be written", &error))
}

/// Where the file system has no files without a name: then nothing is tried.
fn has_none(error: io::Error) -> io::Result<()> {
    let lacks = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::IsADirectory);
    if lacks { Ok(()) } else { Err(error) }
}

fn nearest(directory: &Path) -> PathBuf {
    directory.ancestors().find(|path| path.exists()).map_or_else(PathBuf::new, Path::to_owned)
}

/// How many bytes are free on the disk of a directory, or of the nearest one above it.
pub(crate) fn free(directory: &Path) -> Option<u64> {
    statvfs(nearest(directory)).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A file or directory that is not usable, with its cause and what to do about it. `what` stands behind its path.
pub(crate) fn fault(path: &Path, what: &str, error: &io::Error) -> Fault {
    let shown = path.display();
    if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::AlreadyExists)
        && let Some(obstacle) = [Some(path), path.parent()].into_iter().flatten().find_map(Obstacle::at)
    {
        return obstructed(&obstacle, &format!("{shown} {what}"));
    }
    let (cause, hint) = match error.kind() {
        ErrorKind::StorageFull => (
            "its disk is full".to_owned(),
            format!("make room there; df -h {shown} and df -i {shown} show what is free"),
        ),
        ErrorKind::QuotaExceeded => (
            "the disk quota of this user is used up".to_owned(),
            "make room, or have the quota raised; quota -s shows it".to_owned(),
        ),
        ErrorKind::ReadOnlyFilesystem => (
            "its file system is mounted read-only".to_owned(),
            format!("mount it for writing: findmnt -T {shown} shows which it is"),
        ),
        ErrorKind::PermissionDenied => (
            error.to_string(),
            "the daemon's user must own the directory; WAYHAVEN_HOME names another".to_owned(),
        ),
        _ => (error.to_string(), "WAYHAVEN_HOME names another directory".to_owned()),
    };
    Fault::unavailable(format!("{shown} {what}: {cause}")).hint(hint)
}

fn obstructed(obstacle: &Obstacle, what: &str) -> Fault {
    Fault::unavailable(format!("{what}: {obstacle}")).hint(format!("move it away: {}", obstacle.fix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_and_the_way_out_are_named() {
        let path = Path::new("/srv/data");
        for (error, cause, hint) in [
            (rustix::io::Errno::NOSPC, "its disk is full", "df -h /srv/data"),
            (rustix::io::Errno::DQUOT, "quota of this user is used up", "quota -s"),
            (rustix::io::Errno::ROFS, "mounted read-only", "findmnt -T /srv/data"),
            (rustix::io::Errno::ACCESS, "Permission denied", "the daemon's user must own"),
        ] {
            let fault = fault(path, "cannot be made", &error.into());
            assert!(fault.message.starts_with("/srv/data cannot be made: "), "{fault}");
            assert!(fault.message.contains(cause) && fault.hints[0].contains(hint), "{fault}");
        }
    }

    #[test]
    fn what_lies_in_the_way_is_named_and_a_probe_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        probe(home.path()).unwrap();
        probe(&home.path().join("absent/deeper")).unwrap();
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        let file = home.path().join("data");
        std::fs::write(&file, "").unwrap();
        for place in [file.clone(), file.join("below")] {
            let fault = probe(&place).unwrap_err();
            assert!(fault.message.contains("data is a regular file, where a directory should be"), "{fault}");
            assert_eq!(fault.hints, [format!("move it away: mv {0} {0}.aside", file.display())]);
        }
        let made = std::fs::create_dir(&file).unwrap_err();
        assert!(fault(&file, "cannot be made", &made).message.contains("is a regular file"));
    }
}
