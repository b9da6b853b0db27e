//! Files that decide what the daemon does, such as its settings, are read only where nobody else can write them or put others
//! in their place: every directory on the way to them is ours or root's, and so are the files and links themselves.

use rustix::process::geteuid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use wayhaven_shared::Fault;

/// What of a mode lets the group or everybody write.
const OTHERS_WRITE: u32 = 0o022;
/// In a directory with it nobody renames or removes what belongs to somebody else.
const STICKY: u32 = 0o1000;
/// How many links a path may lead through, as on Linux.
const MOST_LINKS: u32 = 40;

/// Whether nobody else can write the file, or put another in its place; also where it is not there yet.
///
/// # Errors
/// Which file or directory lets others do so, and the command that repairs it.
pub fn check(path: &Path) -> Result<(), Fault> {
    follow(path)
}

/// Whether nobody else can put another directory in the place of this one. What it allows itself its caller judges; links
/// that it leads through are followed.
///
/// # Errors
/// Which directory lets others do so, and the command that repairs it.
pub fn check_way(directory: &Path) -> Result<(), Fault> {
    directory.parent().map_or(Ok(()), follow)
}

/// Walks along the path as the system does, and judges everything that it meets.
fn follow(path: &Path) -> Result<(), Fault> {
    let named = path;
    let path = std::path::absolute(path).map_err(|error| unseen(path, &error))?;
    let mut rest: VecDeque<OsString> = parts(&path);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    judge(&at, &look(&at)?.ok_or_else(|| unseen(&at, &io::ErrorKind::NotFound.into()))?, named)?;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        // Nobody else can make what is not there, since all directories above it are sound.
        let Some(found) = look(&next)? else { return Ok(()) };
        if !found.is_symlink() {
            judge(&next, &found, named)?;
            at = next;
            continue;
        }
        judge_owner(&next, &found, named)?;
        links += 1;
        if links > MOST_LINKS {
            return Err(Fault::usage(format!("{} leads through too many symbolic links", named.display())));
        }
        let target = std::fs::read_link(&next).map_err(|error| unseen(&next, &error))?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for part in parts(&target).into_iter().rev() {
            rest.push_front(part);
        }
    }
    Ok(())
}

/// The names along a path, from its root or from where it is meant.
fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

fn look(path: &Path) -> Result<Option<Metadata>, Fault> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(unseen(path, &error)),
    }
}

fn unseen(path: &Path, error: &io::Error) -> Fault {
    Fault::unavailable(format!("{} cannot be looked at: {error}", path.display()))
        .hint("run this as the daemon's user")
}

/// Whether somebody else can write it. In a sticky directory of root's or ours others may add things, and touch nothing of
/// ours or root's, which everything further along the path is.
fn judge(path: &Path, found: &Metadata, named: &Path) -> Result<(), Fault> {
    judge_owner(path, found, named)?;
    let mode = found.permissions().mode() & 0o7777;
    let shared = found.is_dir() && mode & STICKY != 0;
    if mode & OTHERS_WRITE == 0 || shared {
        return Ok(());
    }
    let shown = path.display();
    let why = match found.is_dir() {
        true => format!("others can write this directory, and so replace {}", named.display()),
        false => "others can write this file".to_owned(),
    };
    Err(Fault::denied(format!("{shown} has the mode {mode:04o}: {why}")).hint(format!("chmod go-w {shown}")))
}

fn judge_owner(path: &Path, found: &Metadata, named: &Path) -> Result<(), Fault> {
    let us = geteuid().as_raw();
    let owner = found.uid();
    if owner == us || owner == 0 {
        return Ok(());
    }
    let (shown, kind) = (path.display(), if found.is_dir() { "directory" } else { "file" });
    let what = match path == named {
        true => String::new(),
        false => format!(", and so can replace {}", named.display()),
    };
    Err(Fault::denied(format!(
        "the {kind} {shown} belongs to user {owner}, who can change it{what}; this runs as user {us}"
    ))
    .hint(format!("chown {us} {shown}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn file(path: &Path) {
        std::fs::write(path, "").unwrap();
        set(path, 0o644);
    }

    fn refused(path: &Path, loose: &Path, mode: u32) {
        let fault = check(path).unwrap_err();
        let words = format!("{} has the mode {mode:04o}", loose.display());
        assert!(fault.message.contains(&words), "{fault}");
        assert_eq!(fault.hints, [format!("chmod go-w {}", loose.display())]);
    }

    #[test]
    fn a_file_that_others_can_write_or_replace_is_refused_with_the_command() {
        let home = tempfile::tempdir().unwrap();
        let (above, below) = (home.path().join("above"), home.path().join("above/below"));
        std::fs::create_dir_all(&below).unwrap();
        for directory in [&above, &below] {
            set(directory, 0o755);
        }
        let settings = below.join("wayhaven.toml");
        check(&settings).unwrap();
        file(&settings);
        check(&settings).unwrap();
        for mode in [0o664, 0o646, 0o666, 0o620, 0o602] {
            set(&settings, mode);
            refused(&settings, &settings, mode);
        }
        // Anybody may read it; whether that is too much is judged where a secret is in it.
        set(&settings, 0o644);
        for directory in [&above, &below] {
            for mode in [0o777, 0o775, 0o757] {
                set(directory, mode);
                refused(&settings, directory, mode);
                // Also what is not there: somebody else could put it there.
                refused(&below.join(".env"), directory, mode);
                assert_eq!(check_way(&below).is_err(), directory == &above, "what holds it is its caller's");
            }
            // As /tmp is: what is ours there stays ours.
            set(directory, 0o1777);
            check(&settings).unwrap();
            set(directory, 0o755);
        }
        check(&below.join("absent/deeper/wayhaven.toml")).unwrap();
    }

    #[test]
    fn a_link_is_followed_and_both_ways_are_judged() {
        let home = tempfile::tempdir().unwrap();
        let (elsewhere, here) = (home.path().join("elsewhere"), home.path().join("here"));
        for directory in [&elsewhere, &here] {
            std::fs::create_dir(directory).unwrap();
            set(directory, 0o755);
        }
        let (target, link) = (elsewhere.join("real.toml"), here.join("wayhaven.toml"));
        file(&target);
        symlink("../elsewhere/real.toml", &link).unwrap();
        check(&link).unwrap();
        set(&target, 0o666);
        refused(&link, &target, 0o666);
        set(&target, 0o644);
        for directory in [&elsewhere, &here] {
            set(directory, 0o777);
            refused(&link, directory, 0o777);
            set(directory, 0o755);
        }
        let around = here.join("around");
        symlink(&around, &around).unwrap();
        assert!(check(&around).unwrap_err().message.contains("too many symbolic links"));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused_wherever_it_stands_on_the_way() {
        // Only root can give things away, and only root's tests can show it.
        if !geteuid().is_root() {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let (directory, settings) = (home.path().join("theirs"), home.path().join("theirs/wayhaven.toml"));
        std::fs::create_dir(&directory).unwrap();
        file(&settings);
        for (theirs, words) in [(&settings, "can change it;"), (&directory, "and so can replace")] {
            std::os::unix::fs::chown(theirs, Some(12_345), None).unwrap();
            let fault = check(&settings).unwrap_err();
            assert!(
                fault.message.contains("belongs to user 12345") && fault.message.contains(words),
                "{fault}"
            );
            assert_eq!(fault.hints, [format!("chown 0 {}", theirs.display())]);
            std::os::unix::fs::chown(theirs, Some(0), None).unwrap();
            check(&settings).unwrap();
        }
        // A link of theirs in a place where anybody may put things.
        set(&directory, 0o1777);
        let link = directory.join(".env");
        symlink(&settings, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
        assert!(check(&link).unwrap_err().message.contains("belongs to user 12345"));
    }
}
