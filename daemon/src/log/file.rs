//! The log file. It owns the open file. Invariant: lines go to the file that has the log's name at that moment, also
//! after somebody moved, deleted or truncated it, and a full disk never leaves two lines in one.

use super::sink::Destination;
use rustix::fs::OFlags;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wayhaven_shared::paths::{Obstacle, kind_of};

/// The log file, open where that was possible.
pub(super) struct LogFile {
    path: PathBuf,
    open: Option<Open>,
    /// Why lines still go to the file that was open before.
    misplaced: Option<String>,
}

pub(super) struct Open {
    pub(super) file: File,
    device: u64,
    inode: u64,
    /// Whether the last line was cut by an error.
    torn: bool,
}

impl LogFile {
    /// Opens the file, or makes it. What cannot be opened there is set aside, so that it never prevents a start; what was
    /// done about it is returned as warnings.
    pub(super) fn open(path: PathBuf) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let opened = open(&path).or_else(|error| {
            let aside = aside(&path);
            // The directory is ours alone, so that whatever lies in it may be renamed.
            std::fs::rename(&path, &aside)?;
            warnings.push(format!(
                "{} could not be opened ({error}): it was renamed to {}",
                path.display(),
                aside.display()
            ));
            open(&path)
        });
        let open = match opened {
            Ok(open) => Some(open),
            Err(error) => {
                warnings.push(format!("{} cannot be opened: {error}", path.display()));
                None
            }
        };
        (Self { path, open, misplaced: None }, warnings)
    }

    /// Has the file open that has the log's name now.
    fn follow(&mut self) -> io::Result<&mut Open> {
        let is_current = self.open.as_ref().is_some_and(|open| open.has_the_name(&self.path));
        if is_current {
            self.misplaced = None
        } else {
            self.open_new()?
        }
        self.open.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Opens the file that has the log's name. Where that fails, the file that is open stays in use as long as somebody
    /// can read it: one that was moved away can still be read there, and one that was deleted cannot.
    fn open_new(&mut self) -> io::Result<()> {
        let error = match open(&self.path) {
            Ok(new) => {
                (self.open, self.misplaced) = (Some(new), None);
                return Ok(());
            }
            Err(error) => error,
        };
        match self.open.as_ref().filter(|open| open.has_a_name()) {
            None => return Err(explained(&self.path, error)),
            // As where no more files can be opened.
            Some(open) if open.has_the_name(&self.path) => self.misplaced = None,
            Some(open) => {
                let (path, now) = (self.path.display(), open.place());
                let (why, fix) = obstacle(&self.path).unwrap_or_else(|| (error.to_string(), String::new()));
                self.misplaced =
                    Some(format!("the log {path} cannot be opened: {why}; lines go on into {now}{fix}"));
            }
        }
        Ok(())
    }
}

impl Open {
    fn has_a_name(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    fn has_the_name(&self, path: &Path) -> bool {
        std::fs::symlink_metadata(path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (self.device, self.inode))
    }

    /// Where the file is now, as far as the system says it.
    fn place(&self) -> String {
        let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        std::fs::read_link(link)
            .map_or_else(|_| "the previous file".to_owned(), |path| path.display().to_string())
    }
}

impl Destination for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let open = self.follow()?;
        write_whole(&mut open.file, line, &mut open.torn)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open_new()
    }

    fn check(&mut self) -> io::Result<()> {
        self.follow().map(drop)
    }

    fn misplaced(&self) -> Option<&str> {
        self.misplaced.as_deref()
    }
}

/// What lies where the log or its directory should be, and the command that makes room for a new log.
fn obstacle(path: &Path) -> Option<(String, String)> {
    let fix = |command: String| format!(". Move it away, and a new log is made at once: {command}");
    if let Some(obstacle) = path.parent().and_then(Obstacle::at) {
        return Some((obstacle.to_string(), fix(obstacle.fix())));
    }
    let found = std::fs::symlink_metadata(path).ok()?.file_type();
    let shown = path.display();
    let in_the_way = || (format!("it is {}", kind_of(found)), fix(format!("mv {shown} {shown}.aside")));
    (!found.is_file()).then(in_the_way)
}

/// The error with what lies in the way.
fn explained(path: &Path, error: io::Error) -> io::Error {
    match obstacle(path) {
        Some((why, fix)) => io::Error::new(error.kind(), why + &fix),
        None => error,
    }
}

/// Writes a line whole. Where the last one was cut by an error, its part is ended first.
fn write_whole(file: &mut impl Write, line: &[u8], torn: &mut bool) -> io::Result<()> {
    let end: &[u8] = if *torn { b"\n" } else { b"" };
    let whole = [end, line].concat();
    let mut rest = whole.as_slice();
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                *torn = !rest.is_empty();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens the file for appending, for its owner alone. A link, a pipe or a directory is no log.
pub(super) fn open(path: &Path) -> io::Result<Open> {
    let is_link =
        |directory: &Path| std::fs::symlink_metadata(directory).is_ok_and(|found| found.is_symlink());
    if path.parent().is_some_and(is_link) {
        return Err(io::Error::other("its directory is a symbolic link"));
    }
    // Without NONBLOCK a pipe without a reader would never open.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let append = || OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let file = append().or_else(|error| match (error.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(directory)) => {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            append()
        }
        _ => Err(error),
    })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(Open { file, device: found.dev(), inode: found.ino(), torn: false })
}

/// A free name beside the log.
fn aside(path: &Path) -> PathBuf {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".aside-{number}"));
        PathBuf::from(name)
    };
    let free = (1..1_000).map(name).find(|path| path.symlink_metadata().is_err());
    free.unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn log() -> (tempfile::TempDir, PathBuf, LogFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/wayhaven.log");
        let (file, warnings) = LogFile::open(path.clone());
        assert!(warnings.is_empty(), "{warnings:?}");
        (directory, path, file)
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn fault_46_lines_follow_a_log_that_is_moved_deleted_or_truncated() {
        let (_directory, path, mut log) = log();
        let rotated = path.with_extension("log.1");
        log.write(b"one\n").unwrap();
        fs::rename(&path, &rotated).unwrap();
        log.write(b"two\n").unwrap();
        assert_eq!((read(&rotated).as_str(), read(&path).as_str()), ("one\n", "two\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
        log.write(b"three\n").unwrap();
        assert_eq!(read(&path), "three\n");
        // As logrotate's copytruncate does.
        fs::copy(&path, &rotated).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        log.write(b"four\n").unwrap();
        assert_eq!(read(&path), "four\n", "nothing but the line, and no hole before it");
        // As logrotate's create does: another file is there before the daemon looks.
        fs::rename(&path, &rotated).unwrap();
        fs::write(&path, "").unwrap();
        log.write(b"five\n").unwrap();
        log.reopen().unwrap();
        log.write(b"six\n").unwrap();
        assert_eq!((read(&rotated).as_str(), read(&path).as_str()), ("four\n", "five\nsix\n"));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        log.write(b"seven\n").unwrap();
        assert_eq!(read(&path), "seven\n");
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn fault_46_where_no_new_log_can_be_made_lines_go_to_the_old_one_as_long_as_somebody_can_read_it() {
        let (_directory, path, mut log) = log();
        let rotated = path.with_extension("log.1");
        fs::rename(&path, &rotated).unwrap();
        // No file can be opened where a directory has the name.
        fs::create_dir(&path).unwrap();
        log.write(b"one\n").unwrap();
        assert_eq!(read(&rotated), "one\n");
        fs::remove_file(&rotated).unwrap();
        assert!(log.write(b"two\n").is_err(), "nobody could read it");
        fs::remove_dir(&path).unwrap();
        log.write(b"three\n").unwrap();
        assert_eq!(read(&path), "three\n");
    }

    #[test]
    fn fault_46_what_is_no_log_is_set_aside_at_a_start_and_nothing_is_written_through_it() {
        let (directory, path, log) = log();
        drop(log);
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        let pipe = |path: &Path| {
            let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        };
        let link = |path: &Path| std::os::unix::fs::symlink(&elsewhere, path).unwrap();
        let folder = |path: &Path| fs::create_dir(path).unwrap();
        for lay in [&pipe as &dyn Fn(&Path), &link, &folder] {
            fs::remove_file(&path).unwrap();
            lay(&path);
            let (mut log, warnings) = LogFile::open(path.clone());
            assert!(warnings.len() == 1 && warnings[0].contains("renamed"), "{warnings:?}");
            log.write(b"one\n").unwrap();
            assert_eq!(read(&path), "one\n");
        }
        assert_eq!(read(&elsewhere), "");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 4, "three are aside");
        // One of looser modes is one of ours all the same.
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let (mut log, warnings) = LogFile::open(path.clone());
        assert!(warnings.is_empty());
        log.write(b"two\n").unwrap();
        assert_eq!(read(&path), "one\ntwo\n");
    }

    #[test]
    fn fault_46_what_lies_in_the_place_of_the_log_is_named_with_the_command_until_it_is_gone() {
        let (directory, path, mut log) = log();
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        let logs = path.parent().unwrap().to_owned();
        let lay: [(&str, &Path, &dyn Fn()); 4] = [
            ("it is a symbolic link", &path, &|| std::os::unix::fs::symlink(&elsewhere, &path).unwrap()),
            ("it is a FIFO", &path, &|| {
                assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            }),
            ("it is a directory", &path, &|| fs::create_dir(&path).unwrap()),
            ("logs is a regular file, where a directory should be", &logs, &|| fs::write(&logs, "").unwrap()),
        ];
        for (what, place, lay) in lay {
            let aside = place.with_extension("moved");
            fs::rename(place, &aside).unwrap();
            lay();
            log.reopen().unwrap();
            let problem = log.misplaced().unwrap().to_owned();
            let fix = format!("mv {0} {0}.aside", place.display());
            for words in [what, &fix, "lines go on into", "moved"] {
                assert!(problem.contains(words), "{words} in {problem}");
            }
            // It is tried again with every line.
            log.write(b"one\n").unwrap();
            assert_eq!(log.misplaced(), Some(problem.as_str()));
            let moved = std::process::Command::new("sh").args(["-c", &fix]).status().unwrap();
            assert!(moved.success());
            log.write(b"two\n").unwrap();
            assert_eq!((log.misplaced(), read(&path).as_str()), (None, "two\n"));
            let trash = directory.path().join("trash");
            fs::rename(format!("{}.aside", place.display()), &trash).unwrap();
            fs::remove_dir_all(&trash).or_else(|_| fs::remove_file(&trash)).unwrap();
            fs::remove_dir_all(&aside).or_else(|_| fs::remove_file(&aside)).unwrap();
        }
        assert_eq!(read(&elsewhere), "", "nothing is written through a link");
        // A directory that is a link is not followed either.
        let aside = logs.with_extension("moved");
        fs::rename(&logs, &aside).unwrap();
        fs::create_dir(logs.with_extension("other")).unwrap();
        std::os::unix::fs::symlink(logs.with_extension("other"), &logs).unwrap();
        log.write(b"three\n").unwrap();
        assert!(log.misplaced().unwrap().contains("logs is a symbolic link"), "{:?}", log.misplaced());
        assert_eq!(fs::read_dir(logs.with_extension("other")).unwrap().count(), 0);
    }

    /// A disk with so much room.
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.bytes.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fault_46_a_line_that_a_full_disk_has_cut_is_ended_before_the_next_one() {
        let mut disk = Disk { room: 7, bytes: Vec::new() };
        let mut torn = false;
        write_whole(&mut disk, b"one\n", &mut torn).unwrap();
        for _ in 0..3 {
            assert!(write_whole(&mut disk, b"twotwo\n", &mut torn).is_err());
        }
        disk.room = 100;
        write_whole(&mut disk, b"three\n", &mut torn).unwrap();
        write_whole(&mut disk, b"four\n", &mut torn).unwrap();
        assert_eq!(String::from_utf8(disk.bytes).unwrap(), "one\ntwo\nthree\nfour\n");
    }
}
