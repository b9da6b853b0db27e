//! `daemon restart`: the process replaces itself by the program at its place, which may be a newer one by then, with the
//! same arguments, the same environment and the same process id.

use rustix::fs::{Access, access};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wayhaven_shared::Fault;

/// What the system adds to a program's path once another file, or none, is there.
const DELETED: &[u8] = b" (deleted)";

/// Where this process's program was when it started: a newer one is put there.
pub(crate) fn program() -> Option<PathBuf> {
    let itself = std::fs::metadata("/proc/self/exe").ok();
    let named = std::env::args_os().next().map(PathBuf::from);
    // As it was called, through whatever links: an update may turn the link.
    let called = named.and_then(|name| match name.components().count() {
        0 => None,
        1 if !name.as_os_str().as_bytes().contains(&b'/') => std::env::var_os("PATH").and_then(|path| {
            std::env::split_paths(&path)
                .map(|directory| directory.join(&name))
                .find(|at| is(at, itself.as_ref()))
        }),
        _ => std::path::absolute(&name).ok().filter(|at| is(at, itself.as_ref())),
    });
    called.or_else(|| std::env::current_exe().ok().map(|path| undeleted(path, itself.as_ref())))
}

/// Whether the file there is this one.
fn is(path: &Path, itself: Option<&std::fs::Metadata>) -> bool {
    let same = |there: std::fs::Metadata| {
        itself.is_some_and(|itself| (there.dev(), there.ino()) == (itself.dev(), itself.ino()))
    };
    std::fs::metadata(path).is_ok_and(same)
}

/// The place of a program that is not there any more; one whose name only looks like that is where it says.
fn undeleted(path: PathBuf, itself: Option<&std::fs::Metadata>) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    match bytes.strip_suffix(DELETED) {
        Some(place) if !is(&path, itself) => std::ffi::OsString::from_vec(place.to_vec()).into(),
        _ => path,
    }
}

/// Whether there is a program that can be started.
///
/// # Errors
/// Why not.
pub(crate) fn check(program: Option<&Path>) -> Result<PathBuf, Fault> {
    let Some(program) = program else {
        return Err(Fault::unavailable("where this daemon's program is cannot be told")
            .hint("stop it with wayhaven daemon stop, and start it anew"));
    };
    let usable = access(program, Access::EXEC_OK).map_err(io::Error::from);
    let usable = usable.and_then(|()| match std::fs::metadata(program)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is no file")),
    });
    match usable {
        Ok(()) => Ok(program.to_owned()),
        Err(error) => Err(Fault::conflict(format!("{} cannot be started: {error}", program.display()))
            .hint("put the program there; the daemon goes on meanwhile")),
    }
}

/// Starts the program in the place of this process, with the lock in its hands. Returns only where that fails.
pub(crate) fn replace(program: &Path, lock: File) -> Fault {
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let error = command.args(arguments).stdin(Stdio::from(lock)).exec();
    Fault::unavailable(format!("{} could not be started in the daemon's place: {error}", program.display()))
        .hint("put the program there, and start it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_replaced_programs_place_is_told_without_the_systems_word_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let odd = directory.path().join("wayhavend (deleted)");
        // Its own name may end like that.
        std::fs::write(&odd, "x").unwrap();
        let itself = std::fs::metadata(&odd).unwrap();
        assert_eq!(undeleted(odd.clone(), Some(&itself)), odd);
        let plain = directory.path().join("wayhavend");
        std::fs::remove_file(&odd).unwrap();
        assert_eq!(undeleted(odd, Some(&itself)), plain);
        assert_eq!(undeleted(plain.clone(), Some(&itself)), plain);
    }

    #[test]
    fn what_cannot_be_started_is_told_before_anything_ends() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("wayhavend");
        for gone in [None, Some(program.as_path()), Some(directory.path())] {
            let fault = check(gone).unwrap_err();
            assert!(!fault.hints.is_empty(), "{fault}");
        }
        std::fs::write(&program, "x").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(check(Some(&program)).unwrap_err().message.contains("wayhavend cannot be started"));
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(check(Some(&program)).unwrap(), program);
        assert!(super::program().is_some_and(|path| path.is_absolute()));
    }
}
