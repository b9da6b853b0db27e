//! The socket's file. It is made at the start, looked at again at an interval and on SIGHUP, and made again after somebody
//! removed or replaced it, as systemd-tmpfiles and `rm -rf` do (FAULTS 48). Invariant: a socket on which another process
//! listens is never removed.

use super::give;
use crate::settings::Group;
use rustix::process::geteuid;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use wayhaven_shared::paths::Obstacle;

/// The socket's modes, and the most that those of its directory may be.
const MODE: u32 = 0o660;
const DIRECTORY_MODE: u32 = 0o750;

/// How long a connection is waited for that shows who listens.
const MAX_CONNECT: Duration = Duration::from_secs(1);

/// Opens the socket. What lies at the path is removed: the caller has looked whether somebody listens on it.
///
/// # Errors
/// Where the directory or the socket cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(obstacle) = path.parent().and_then(Obstacle::at) {
        return Err(io::Error::new(ErrorKind::NotADirectory, obstacle.to_string()));
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
        // Once more, whatever the umask took away: the socket's group has to get there.
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(DIRECTORY_MODE))?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// The process that listens at a path; nothing where none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    Nobody,
    This,
    /// Another one, with its id where the system tells it.
    Other(Option<u32>),
}

/// Who listens at a path.
pub(crate) async fn who_listens(path: &Path) -> Listening {
    match tokio::time::timeout(MAX_CONNECT, UnixStream::connect(path)).await {
        Ok(Ok(stream)) => {
            let pid =
                stream.peer_cred().ok().and_then(|peer| peer.pid()).and_then(|pid| u32::try_from(pid).ok());
            match pid {
                Some(pid) if pid == std::process::id() => Listening::This,
                pid => Listening::Other(pid),
            }
        }
        // Somebody listens, and has more connections waiting than they take.
        Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => Listening::Other(None),
        Err(_) => Listening::Other(None),
        Ok(Err(_)) => Listening::Nobody,
    }
}

/// What tells a file from every other, and from itself before somebody changed its modes or owner.
type Identity = (u64, u64, i64, i64);

/// The file as it was made.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Option<Identity>,
    /// What was logged last of the file and of its directory and still holds, so that it is logged once.
    problem: Option<String>,
    directory_problem: Option<String>,
}

impl SocketFile {
    /// The file of this listener.
    pub(super) fn of(listener: &UnixListener) -> Option<Self> {
        let address = listener.local_addr().ok()?;
        let path = address.as_pathname()?.to_owned();
        let identity = identity(&path);
        Some(Self { path, identity, problem: None, directory_problem: None })
    }

    /// Looks at the file and its directory, and corrects what somebody changed. Returns a new listener where the socket had
    /// to be made again.
    pub(super) async fn check(&mut self, group: Option<&Group>) -> Option<UnixListener> {
        if let Some(obstacle) = self.path.parent().and_then(Obstacle::at) {
            let path = self.path.display();
            log_once(
                &mut self.problem,
                format!(
                    "the control socket {path} cannot be made: {obstacle}; move it away: {} && kill -HUP {}",
                    obstacle.fix(),
                    std::process::id()
                ),
            );
            return None;
        }
        self.tighten_directory();
        if identity(&self.path).is_some_and(|found| Some(found) == self.identity) {
            self.problem = None;
            return None;
        }
        let shown = self.path.display().to_string();
        let is_socket = std::fs::symlink_metadata(&self.path).map(|found| found.file_type().is_socket());
        let what = match &is_socket {
            Err(_) => "was removed",
            Ok(false) => "was replaced by another file",
            Ok(true) => match who_listens(&self.path).await {
                Listening::This => return self.correct(group),
                Listening::Other(pid) => {
                    let pid = pid.map_or_else(String::new, |pid| format!(", pid {pid},"));
                    log_once(
                        &mut self.problem,
                        format!(
                            "another process{pid} listens on {shown}: this daemon cannot be reached until that process \
                         ends; stop one of the two, or give it another WAYHAVEN_HOME"
                        ),
                    );
                    return None;
                }
                Listening::Nobody => "was replaced by another socket",
            },
        };
        match bind(&self.path) {
            Ok(listener) => {
                tracing::warn!("the control socket {shown} {what}: it was made again");
                self.correct(group);
                Some(listener)
            }
            Err(error) => {
                log_once(
                    &mut self.problem,
                    format!("the control socket {shown} {what}, and cannot be made again: {error}"),
                );
                None
            }
        }
    }

    /// Gives the file its modes and its group again.
    fn correct(&mut self, group: Option<&Group>) -> Option<UnixListener> {
        let mode = std::fs::metadata(&self.path).map_or(MODE, |found| found.permissions().mode() & 0o777);
        let set = std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(MODE));
        let given = group.map_or(Ok(()), |group| give(&self.path, group));
        match (set, given) {
            (Err(error), _) => log_once(
                &mut self.problem,
                format!("{} keeps the mode {mode:04o}: {error}", self.path.display()),
            ),
            (_, Err(fault)) => log_once(&mut self.problem, fault.message),
            _ => {
                self.problem = None;
                if mode != MODE {
                    let path = self.path.display();
                    tracing::warn!(
                        "the control socket {path} had the mode {mode:04o}: it has {MODE:04o} again"
                    );
                }
            }
        }
        self.identity = identity(&self.path);
        None
    }

    /// Takes away what lets others replace the socket.
    fn tighten_directory(&mut self) {
        let Some(directory) = self.path.parent() else { return };
        let Ok(found) = std::fs::symlink_metadata(directory) else { return };
        if found.uid() != geteuid().as_raw() {
            let (path, owner) = (directory.display(), found.uid());
            let text = format!(
                "the socket's directory {path} belongs to user {owner}, who can replace the socket; hand it over: \
                 chown {} {path}",
                geteuid().as_raw()
            );
            return log_once(&mut self.directory_problem, text);
        }
        let mode = found.permissions().mode() & 0o7777;
        let loose = mode & 0o777 & !DIRECTORY_MODE;
        if loose == 0 {
            self.directory_problem = None;
            return;
        }
        let (shown, tight) = (directory.display(), mode & !loose);
        match std::fs::set_permissions(directory, std::fs::Permissions::from_mode(tight)) {
            Ok(()) => tracing::warn!("{shown} had the mode {mode:04o}: it has {tight:04o} again"),
            Err(error) => {
                let text = format!("others can replace the socket in {shown}, mode {mode:04o}: {error}");
                log_once(&mut self.directory_problem, text);
            }
        }
    }

    /// Removes the file at the end, unless another one is there by now.
    pub(super) fn remove(&self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // Whoever removed it in this moment wanted the same.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let found = std::fs::symlink_metadata(path).ok().filter(|found| found.file_type().is_socket())?;
    Some((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}

fn log_once(logged: &mut Option<String>, problem: String) {
    if logged.as_ref() != Some(&problem) {
        tracing::error!("{problem}");
        *logged = Some(problem);
    }
}
