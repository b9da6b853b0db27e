//! Files and directories that others may read or change are refused, with the command that mends it.

use super::trust;
use rustix::process::geteuid;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Layout;

/// What of a file or directory is to be as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// Which.
    pub path: PathBuf,
    /// The most it may allow.
    pub most: u32,
}

impl Guarded {
    fn directory(path: &Path) -> Self {
        Self { path: path.to_owned(), most: 0o700 }
    }

    fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), most: 0o600 }
    }

    /// Whether it is ours alone; so is one that is not there.
    ///
    /// # Errors
    /// It is a link, somebody else's, or open to others.
    pub fn check(&self) -> Result<(), Fault> {
        let path = self.path.display();
        let Some(found) = existing(std::fs::symlink_metadata(&self.path), &self.path)? else { return Ok(()) };
        if found.is_symlink() {
            return Err(Fault::denied(format!("{path} is a symbolic link"))
                .hint("put what it names in its place, or name another place with WAYHAVEN_HOME"));
        }
        let us = geteuid().as_raw();
        if found.uid() != us {
            let (kind, owner) = (if found.is_dir() { "directory" } else { "file" }, found.uid());
            return Err(Fault::denied(format!(
                "the {kind} {path} belongs to user {owner}, and this runs as user {us}"
            ))
            .hint(format!("run this as its owner, or hand it over: chown {us} {path}")));
        }
        closed(&self.path, &found, self.most)
    }
}

/// What of this layout nobody else may look into.
pub fn guarded(layout: &Layout) -> Vec<Guarded> {
    let mut all: Vec<_> =
        [&layout.data, &layout.state, &layout.logs].map(|path| Guarded::directory(path)).into();
    if let Some(directory) = layout.socket.parent() {
        all.push(Guarded { path: directory.to_owned(), most: 0o750 });
    }
    let beside = |suffix: &str| {
        let mut name = layout.store().into_os_string();
        name.push(suffix);
        Guarded::file(name)
    };
    all.extend(["", "-wal", "-shm"].map(beside));
    let files = [
        layout.sealed_token(),
        layout.seal_key(),
        layout.next_seal_key(),
        layout.lock(),
        layout.audit_mark(),
    ];
    all.extend(files.map(Guarded::file));
    all
}

/// What others could do with log files, one warning each. The directory keeps others away from them, so that a file which
/// logrotate or an older version has left with other modes or another owner never prevents a start.
pub fn loose_logs(layout: &Layout) -> Vec<String> {
    let mut warnings = Vec::new();
    // Whether the directory is there, whose it is and what it is, is said where the directory itself is looked at.
    for entry in std::fs::read_dir(&layout.logs).into_iter().flatten() {
        let found = entry.and_then(|entry| Ok((entry.file_type()?.is_dir(), entry.path())));
        match found {
            Ok((true, _)) => {}
            Ok((false, path)) => {
                warnings.extend(Guarded::file(path).check().err().map(in_one_line));
            }
            Err(error) => warnings.push(format!("{} cannot be listed: {error}", layout.logs.display())),
        }
    }
    warnings
}

/// What a start would refuse or warn of, one warning each, for a daemon that runs already.
pub fn warnings(layout: &Layout) -> Vec<String> {
    let guarded = guarded(layout).into_iter().filter_map(|one| one.check().err());
    let ways = ways(layout).into_iter().filter_map(|path| trust::check_way(path).err());
    let mut faults: Vec<_> = guarded.chain(ways).collect();
    faults.dedup();
    faults.into_iter().map(in_one_line).chain(loose_logs(layout)).collect()
}

fn in_one_line(fault: Fault) -> String {
    [vec![fault.message], fault.hints].concat().join("; ")
}

/// Refuses the first of them that is not as it should.
///
/// # Errors
/// Which, why, and what mends it.
pub fn check(layout: &Layout) -> Result<(), Fault> {
    guarded(layout).iter().try_for_each(Guarded::check)?;
    ways(layout).into_iter().try_for_each(trust::check_way)
}

/// The directories that nobody else may put something in the place of.
pub fn ways(layout: &Layout) -> Vec<&Path> {
    let socket = layout.socket.parent();
    [layout.data.as_path(), &layout.state, &layout.logs].into_iter().chain(socket).collect()
}

/// Whether a file that an operator wrote a secret into is theirs alone. Links are followed, since many ways to hand out
/// secrets make them; what they name is ours or root's.
///
/// # Errors
/// It is somebody else's, or open to others.
pub fn check_secret(path: &Path) -> Result<(), Fault> {
    let Some(found) = existing(std::fs::metadata(path), path)? else { return Ok(()) };
    let us = geteuid().as_raw();
    if found.uid() != us && found.uid() != 0 {
        return Err(Fault::denied(format!(
            "{} holds a secret and belongs to user {}, and this runs as user {us}",
            path.display(),
            found.uid()
        ))
        .hint(format!("chown {us} {}", path.display())));
    }
    closed(path, &found, 0o600)
}

fn existing(found: io::Result<Metadata>, path: &Path) -> Result<Option<Metadata>, Fault> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::unavailable(format!("{} cannot be looked at: {error}", path.display()))
            .hint("run this as the daemon's user")),
    }
}

fn closed(path: &Path, found: &Metadata, most: u32) -> Result<(), Fault> {
    let mode = found.permissions().mode() & 0o7777;
    // A directory's group and sticky bits let nobody in.
    let open = mode & 0o777 & !most;
    if open == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Fault::denied(format!(
        "{path} has the mode {mode:04o}: others may use it, and {most:04o} is the most it may have"
    ))
    .hint(format!("chmod {most:o} {path}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use wayhaven_shared::paths::Environment;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn whatever_is_looser_is_refused_with_its_path_its_mode_and_the_command() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(&Environment { home: Some(home.path().into()), runtime: None }).unwrap();
        check(&layout).unwrap();
        let run = layout.socket.parent().unwrap();
        for directory in [&layout.data, &layout.state, &layout.logs, run] {
            std::fs::create_dir_all(directory).unwrap();
            set(directory, 0o700);
        }
        let wal = layout.data.join("wayhaven.db-wal");
        let shm = layout.data.join("wayhaven.db-shm");
        let files = [
            layout.store(),
            wal,
            shm,
            layout.sealed_token(),
            layout.seal_key(),
            layout.next_seal_key(),
            layout.lock(),
            layout.audit_mark(),
        ];
        for file in &files {
            std::fs::write(file, "").unwrap();
            set(file, 0o600);
        }
        check(&layout).unwrap();
        let refused = |path: &Path, loose: u32, tight: u32| {
            let before = std::fs::metadata(path).unwrap().permissions();
            set(path, loose);
            let fault = check(&layout).unwrap_err();
            assert!(
                fault.message.contains(&format!("{} has the mode {loose:04o}", path.display())),
                "{fault}"
            );
            assert_eq!(fault.hints, [format!("chmod {tight:o} {}", path.display())]);
            set(path, tight);
            check(&layout).unwrap();
            std::fs::set_permissions(path, before).unwrap();
        };
        for directory in [&layout.data, &layout.state, &layout.logs] {
            for loose in [0o701, 0o710, 0o740, 0o755, 0o777] {
                refused(directory, loose, 0o700);
            }
        }
        refused(run, 0o755, 0o750);
        refused(run, 0o770, 0o750);
        for file in &files {
            for loose in [0o604, 0o640, 0o620, 0o601, 0o700] {
                refused(file, loose, 0o600);
            }
        }
    }

    #[test]
    fn fault_46_a_log_file_of_other_modes_or_kinds_is_a_warning_and_no_refusal() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(&Environment { home: Some(home.path().into()), runtime: None }).unwrap();
        assert!(loose_logs(&layout).is_empty(), "there is no directory yet");
        std::fs::create_dir_all(&layout.logs).unwrap();
        set(&layout.logs, 0o700);
        set(&layout.logs, 0o777);
        let loose = warnings(&layout);
        let chmod = format!("chmod 700 {}", layout.logs.display());
        assert!(
            loose.len() == 1 && loose[0].contains("has the mode 0777") && loose[0].contains(&chmod),
            "{loose:?}"
        );
        set(&layout.logs, 0o700);
        let [now, old, link] =
            ["wayhaven.log", "wayhaven.log.1.gz", "latest"].map(|name| layout.logs.join(name));
        for (file, mode) in [(&now, 0o640), (&old, 0o644)] {
            std::fs::write(file, "").unwrap();
            set(file, mode);
        }
        std::os::unix::fs::symlink(&old, &link).unwrap();
        check(&layout).unwrap();
        assert_eq!(warnings(&layout), loose_logs(&layout));
        let warnings = loose_logs(&layout);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        for words in [
            "wayhaven.log has the mode 0640",
            "chmod 600",
            "gz has the mode 0644",
            "latest is a symbolic link",
        ] {
            assert!(warnings.iter().any(|warning| warning.contains(words)), "{words} in {warnings:?}");
        }
        if geteuid().is_root() {
            std::os::unix::fs::chown(&old, Some(4321), None).unwrap();
            check(&layout).unwrap();
            assert!(loose_logs(&layout).iter().any(|warning| warning.contains("belongs to user 4321")));
        }
        [now, old].iter().for_each(|file| set(file, 0o600));
    }

    #[test]
    fn a_link_is_refused_where_we_write_and_followed_where_an_operator_put_a_secret() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(&Environment { home: Some(home.path().into()), runtime: None }).unwrap();
        let elsewhere = home.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        set(&elsewhere, 0o700);
        std::os::unix::fs::symlink(&elsewhere, &layout.data).unwrap();
        let fault = check(&layout).unwrap_err();
        assert!(fault.message.contains("data is a symbolic link"), "{fault}");

        let (file, link) = (home.path().join("secret"), home.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        set(&file, 0o600);
        check_secret(&link).unwrap();
        set(&file, 0o640);
        assert!(check_secret(&link).unwrap_err().message.contains("0640"));
        check_secret(&home.path().join("absent")).unwrap();
    }
}
