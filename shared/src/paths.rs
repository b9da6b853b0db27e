//! Where everything lies.
//!
//! `WAYHAVEN_HOME=dir` puts all of it below one directory; otherwise `directories` decides, and the socket goes
//! to `XDG_RUNTIME_DIR`, or to `/run/wayhaven` for a system service.

use crate::Fault;
use std::ffi::OsString;
use std::fs::{File, FileType, TryLockError};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The name of the control socket in its directory.
const SOCKET: &str = "control.sock";

/// The longest path a Unix socket can have on Linux and macOS, in bytes (`sun_path` less the final zero; macOS
/// has the smaller one).
const LONGEST_SOCKET: usize = 103;

/// The environment variables that decide, read once so that tests can give others.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `WAYHAVEN_HOME`.
    pub home: Option<OsString>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<OsString>,
}

impl Environment {
    /// That of this process; empty values count as absent.
    pub fn of_process() -> Self {
        let read = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self { home: read("WAYHAVEN_HOME"), runtime: read("XDG_RUNTIME_DIR") }
    }
}

/// Where everything lies; all absolute where the environment's own paths are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The settings file.
    pub config: PathBuf,
    /// The directory of the store.
    pub data: PathBuf,
    /// The directory of the lock and the log files.
    pub state: PathBuf,
    /// The directory of the log files.
    pub logs: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
}

impl Layout {
    /// The layout for this environment.
    ///
    /// # Errors
    /// Where neither `WAYHAVEN_HOME` nor a home directory is there, or the socket's path would be too long.
    pub fn new(environment: &Environment) -> Result<Self, Fault> {
        let layout = match &environment.home {
            Some(home) => Self::below(&absolute(Path::new(home))?),
            None => Self::of_user(environment)?,
        };
        let length = layout.socket.as_os_str().len();
        if length > LONGEST_SOCKET {
            return Err(Fault::usage(format!(
                "the socket's path is {length} bytes long, and a Unix socket can have {LONGEST_SOCKET}: {}",
                layout.socket.display()
            ))
            .hint("choose a shorter WAYHAVEN_HOME"));
        }
        Ok(layout)
    }

    fn below(home: &Path) -> Self {
        Self {
            config: home.join("wayhaven.toml"),
            data: home.join("data"),
            state: home.join("state"),
            logs: home.join("logs"),
            socket: home.join("run").join(SOCKET),
        }
    }

    fn of_user(environment: &Environment) -> Result<Self, Fault> {
        let user = directories::ProjectDirs::from("", "", "wayhaven").ok_or_else(|| {
            Fault::usage("there is no home directory to keep data in")
                .hint("set WAYHAVEN_HOME to the directory that shall hold everything")
        })?;
        let state = user.state_dir().unwrap_or_else(|| user.data_local_dir());
        let system = PathBuf::from("/run/wayhaven").join(SOCKET);
        let own =
            environment.runtime.as_ref().map(|runtime| Path::new(runtime).join("wayhaven").join(SOCKET));
        // A client finds its user's daemon, and otherwise the system's.
        let socket = match own {
            Some(own) if own.exists() || !system.exists() => own,
            _ => system,
        };
        Ok(Self {
            config: user.config_dir().join("wayhaven.toml"),
            data: user.data_dir().to_owned(),
            state: state.to_owned(),
            logs: state.join("logs"),
            socket,
        })
    }

    /// The store's file.
    pub fn store(&self) -> PathBuf {
        self.data.join("wayhaven.db")
    }

    /// Where the end of the audit is noted beside the store.
    pub fn audit_mark(&self) -> PathBuf {
        self.state.join("audit.mark")
    }

    /// The bot's token, sealed.
    pub fn sealed_token(&self) -> PathBuf {
        self.data.join("token.sealed")
    }

    /// The key that opens it: in another directory, so that a copy of the data is no copy of the token.
    pub fn seal_key(&self) -> PathBuf {
        self.state.join("seal.key")
    }

    /// The key that takes its place, while it does.
    pub fn next_seal_key(&self) -> PathBuf {
        self.state.join("seal.key.next")
    }

    /// The file whose lock keeps a second daemon away.
    pub fn lock(&self) -> PathBuf {
        self.state.join("wayhavend.lock")
    }

    /// The process id of the daemon that holds the lock; nothing where none does, or where this user may not look.
    pub fn daemon_pid(&self) -> Option<u32> {
        let file = File::open(self.lock()).ok()?;
        // Shared and for a moment: whoever has it keeps it, and whoever wants it tries again.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => std::io::read_to_string(file).ok()?.trim().parse().ok(),
            _ => None,
        }
    }
}

/// What lies where a directory should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    path: PathBuf,
    kind: &'static str,
}

impl Obstacle {
    /// What keeps this directory from being used or made: a symbolic link or a file in its place, or a file in the place of
    /// a directory above it. Links above it are followed.
    pub fn at(directory: &Path) -> Option<Self> {
        let of = |path: &Path, kind| Some(Self { path: path.to_owned(), kind: kind_of(kind) });
        match std::fs::symlink_metadata(directory) {
            Ok(found) if found.is_dir() => None,
            Ok(found) => of(directory, found.file_type()),
            Err(_) => directory.ancestors().skip(1).find_map(|above| {
                let found = std::fs::metadata(above).ok()?;
                if found.is_dir() { None } else { of(above, found.file_type()) }
            }),
        }
    }

    /// The command that moves it away.
    pub fn fix(&self) -> String {
        let path = self.path.display();
        format!("mv {path} {path}.aside")
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} is {}, where a directory should be", self.path.display(), self.kind)
    }
}

/// The kind of a file, with its article.
pub fn kind_of(found: FileType) -> &'static str {
    match found {
        found if found.is_symlink() => "a symbolic link",
        found if found.is_dir() => "a directory",
        found if found.is_fifo() => "a FIFO",
        found if found.is_socket() => "a socket",
        found if found.is_block_device() || found.is_char_device() => "a device",
        _ => "a regular file",
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path).map_err(|error| {
        Fault::usage(format!("WAYHAVEN_HOME is {}, which names no directory: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_where_a_directory_should_be_is_named() {
        let home = std::env::temp_dir().join(format!("wayhaven-obstacle-{}", std::process::id()));
        let (run, below) = (home.join("run"), home.join("run/below"));
        std::fs::create_dir_all(&below).unwrap();
        let link = home.join("link");
        std::os::unix::fs::symlink(&run, &link).unwrap();
        for fine in [&run, &below, &home.join("absent"), &link.join("below"), &link.join("absent")] {
            assert_eq!(Obstacle::at(fine), None, "{fine:?}");
        }
        let found = Obstacle::at(&link).unwrap();
        assert!(
            found.to_string().ends_with("link is a symbolic link, where a directory should be"),
            "{found}"
        );
        std::fs::remove_dir_all(&run).unwrap();
        std::fs::write(&run, "").unwrap();
        for at in [&run, &below] {
            let found = Obstacle::at(at).unwrap();
            assert_eq!(
                found.to_string(),
                format!("{} is a regular file, where a directory should be", run.display())
            );
            assert_eq!(found.fix(), format!("mv {0} {0}.aside", run.display()));
        }
        std::fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_home_holds_everything_and_a_long_one_is_refused_with_a_way_out() {
        let home = |home: &str| Environment { home: Some(home.into()), runtime: None };
        let layout = Layout::new(&home("/srv/wayhaven")).unwrap();
        for path in [&layout.config, &layout.data, &layout.state, &layout.logs, &layout.socket] {
            assert!(path.starts_with("/srv/wayhaven"), "{path:?}");
        }
        let fault = Layout::new(&home(&format!("/{}", "x".repeat(200)))).unwrap_err();
        assert!(fault.to_string().contains("shorter WAYHAVEN_HOME"));
    }
}
