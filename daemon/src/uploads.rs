//! Files on their way in or out: kept in the state directory for the request that uses them, and no longer than an hour.
//!
//! Nothing of them is executed or opened by name: each has a random id, and lies in a directory of its own that only the
//! daemon's user reads. What lies there at the start belongs to nobody any more.

mod cell;
pub mod outgoing;

pub use cell::{DANGEROUS, cell};

use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{Chunk, UploadId, UserId};

/// The most bytes a file may have: a million users with reasons.
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// How long one is kept.
pub const KEPT: Duration = Duration::from_secs(60 * 60);

/// How many there are at once, and of one connection or member; and how many of the daemon's own are being written, which
/// may take hours.
const MOST: usize = 8;
const MOST_OF_ONE: usize = 2;
/// Of these, those of one user's connections and of all connections: the daemon and members find room beside them.
const MOST_OF_USER: usize = 4;
const MOST_OF_CONNECTIONS: usize = MOST - 2;
const MOST_WRITTEN: usize = 4;

/// How often what is too old is looked for.
const PAUSE: Duration = Duration::from_secs(60);

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A connection to the control socket: its files go with it.
    Connection {
        /// The user of this machine whose it is.
        uid: u32,
        /// Its number.
        number: u64,
    },
    /// The daemon: what it wrote for somebody.
    Daemon,
    /// A member on Discord: what was fetched for them, and can be again.
    Member(UserId),
}

struct Kept {
    holder: Holder,
    size: u64,
    since: Instant,
    /// Whether the daemon still writes it: it is neither swept nor given away.
    written: bool,
    /// How many wait for it.
    wanted: u32,
    /// The attachment that it is a whole copy of.
    copy_of: Option<u64>,
    /// Whether some of it was brought to somebody.
    asked: bool,
}

/// A part of a file.
#[derive(Debug)]
pub struct Part {
    /// What it holds; nothing at the end of the file.
    pub chunk: Chunk,
    /// Whether it is the first that is brought, wherever it lies.
    pub first: bool,
}

/// The files that are kept.
#[derive(Clone)]
pub struct Uploads(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    kept: Mutex<HashMap<UploadId, Kept>>,
}

impl Uploads {
    /// Files kept in this directory, which is made when it is needed.
    pub fn at(directory: PathBuf) -> Self {
        Self(Arc::new(Inner { directory, kept: Mutex::default() }))
    }

    /// At the start: removes what another life has left.
    ///
    /// # Errors
    /// Where something cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.0.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Begins a file.
    ///
    /// # Errors
    /// Where there are too many, or it cannot be made.
    pub fn begin(&self, holder: Holder) -> Result<UploadId, Fault> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(|error| Fault::internal(format!("no random numbers: {error}")))?;
        let id = UploadId::new(bits);
        let mut kept = self.kept();
        if !matches!(holder, Holder::Connection { .. }) {
            self.make_room(&mut kept, holder);
        }
        let own = kept.values().filter(|one| one.holder == holder);
        let of_connections = || {
            kept.values().filter_map(|one| match one.holder {
                Holder::Connection { uid, .. } => Some(uid),
                Holder::Daemon | Holder::Member(_) => None,
            })
        };
        let is_full = match holder {
            Holder::Daemon => own.filter(|one| one.written).count() >= MOST_WRITTEN,
            Holder::Member(_) => own.count() >= MOST_OF_ONE,
            Holder::Connection { uid, .. } => {
                own.count() >= MOST_OF_ONE
                    || of_connections().filter(|of| *of == uid).count() >= MOST_OF_USER
                    || of_connections().count() >= MOST_OF_CONNECTIONS
            }
        };
        if kept.len() >= MOST || is_full {
            return Err(Fault::conflict("too many files are on their way in or out").hint(
                "wait until another import or export has ended; what is left over goes after an hour",
            ));
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0.directory);
        let made = made
            .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path(id)));
        made.map_err(|error| self.failed(&error))?;
        let written = holder == Holder::Daemon;
        kept.insert(
            id,
            Kept { holder, size: 0, since: Instant::now(), written, wanted: 1, copy_of: None, asked: false },
        );
        Ok(id)
    }

    /// Removes the oldest of what can be had again: copies of what lies at Discord too, this holder's own before any other,
    /// and lists that the daemon has written.
    fn make_room(&self, kept: &mut HashMap<UploadId, Kept>, holder: Holder) {
        let own = kept.values().filter(|one| one.holder == holder).count();
        let too_many = matches!(holder, Holder::Member(_)) && own >= MOST_OF_ONE;
        let may_go = |one: &Kept| match (too_many, one.holder) {
            (true, of) => of == holder,
            (false, Holder::Connection { .. }) => false,
            (false, _) => !one.written && kept.len() >= MOST,
        };
        let oldest = kept.iter().filter(|(_, one)| may_go(one)).min_by_key(|(_, one)| one.since);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.remove(kept, id);
        }
    }

    /// The daemon has written a file to its end: from now on it is kept as long as any other.
    pub fn is_whole(&self, id: UploadId) {
        if let Some(file) = self.kept().get_mut(&id) {
            (file.written, file.since) = (false, Instant::now());
        }
    }

    /// Somebody else waits for a file that the daemon writes.
    pub fn is_wanted_too(&self, id: UploadId) {
        if let Some(file) = self.kept().get_mut(&id) {
            file.wanted += 1;
        }
    }

    /// Somebody has a file that they waited for: it is removed with the last of them.
    pub fn was_brought(&self, id: UploadId) {
        self.brought(&mut self.kept(), id);
    }

    fn brought(&self, kept: &mut HashMap<UploadId, Kept>, id: UploadId) {
        if let Some(file) = kept.get_mut(&id) {
            file.wanted -= 1;
            if file.wanted == 0 {
                self.remove(kept, id);
            }
        }
    }

    /// Remembers what a file is a whole copy of.
    pub fn is_copy_of(&self, id: UploadId, attachment: u64) {
        if let Some(file) = self.kept().get_mut(&id) {
            file.copy_of = Some(attachment);
        }
    }

    /// The copy of an attachment that was fetched for this holder before.
    pub fn copy_for(&self, holder: Holder, attachment: u64) -> Option<UploadId> {
        let kept = self.kept();
        kept.iter()
            .find(|(_, file)| file.holder == holder && file.copy_of == Some(attachment))
            .map(|(id, _)| *id)
    }

    /// Adds a part behind what there is. A file that could not be written, or grows too large, is removed.
    ///
    /// # Errors
    /// Where it is not this holder's, `offset` is another place than its end, or it cannot be written.
    pub fn append(&self, holder: Holder, id: UploadId, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let mut kept = self.kept();
        let file = kept.get_mut(&id).filter(|file| file.holder == holder).ok_or_else(gone)?;
        if file.size != offset {
            let size = file.size;
            return Err(Fault::usage(format!(
                "the file has {size} bytes so far, and a part came for {offset}"
            ))
            .hint("send the parts one after the other"));
        }
        let size = file.size + bytes.len() as u64;
        if size > LARGEST {
            self.remove(&mut kept, id);
            return Err(too_large());
        }
        let written =
            OpenOptions::new().append(true).open(self.path(id)).and_then(|mut file| file.write_all(bytes));
        match written {
            Ok(()) => file.size = size,
            Err(error) => {
                self.remove(&mut kept, id);
                return Err(self.failed(&error));
            }
        }
        Ok(())
    }

    /// A part of a file that was written for whoever knows its id; at its end it is empty, and the file is removed
    /// unless somebody else waits for it.
    ///
    /// # Errors
    /// Where there is no such file, or it cannot be read.
    pub fn part(&self, id: UploadId, offset: u64) -> Result<Part, Fault> {
        let mut kept = self.kept();
        if kept.get(&id).is_none_or(|file| file.written) {
            return Err(gone());
        }
        let mut bytes = Vec::new();
        let read = File::open(self.path(id)).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(Chunk::LARGEST as u64).read_to_end(&mut bytes)
        });
        read.map_err(|error| self.failed(&error))?;
        let first = kept.get_mut(&id).is_some_and(|file| !std::mem::replace(&mut file.asked, true));
        if bytes.is_empty() {
            self.brought(&mut kept, id);
        }
        let chunk = Chunk::new(bytes).map_err(|error| Fault::internal(error.to_string()))?;
        Ok(Part { chunk, first })
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn open(&self, id: UploadId) -> Result<File, Fault> {
        match self.kept().contains_key(&id) {
            true => File::open(self.path(id)).map_err(|error| self.failed(&error)),
            false => Err(gone()),
        }
    }

    /// Opens a file that the daemon has begun, to be written.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn create(&self, id: UploadId) -> Result<File, Fault> {
        match self.kept().contains_key(&id) {
            true => OpenOptions::new().write(true).open(self.path(id)).map_err(|error| self.failed(&error)),
            false => Err(gone()),
        }
    }

    /// Moves a file to where the daemon goes on keeping it.
    ///
    /// # Errors
    /// Where there is no such file, or it cannot be moved.
    pub fn take(&self, id: UploadId, to: &Path) -> Result<(), Fault> {
        let mut kept = self.kept();
        kept.contains_key(&id).then_some(()).ok_or_else(gone)?;
        std::fs::rename(self.path(id), to).map_err(|error| self.failed(&error))?;
        kept.remove(&id);
        Ok(())
    }

    /// Removes a file, if it is still there.
    pub fn forget(&self, id: UploadId) {
        self.remove(&mut self.kept(), id);
    }

    /// Removes the files of a holder that is gone.
    pub fn forget_all(&self, holder: Holder) {
        self.forget_where(|file| file.holder == holder);
    }

    /// Removes what is kept too long.
    pub fn sweep(&self, now: Instant) {
        self.forget_where(|file| !file.written && now.duration_since(file.since) >= KEPT);
    }

    /// How many files are kept.
    pub fn count(&self) -> usize {
        self.kept().len()
    }

    fn forget_where(&self, is: impl Fn(&Kept) -> bool) {
        let mut kept = self.kept();
        let old: Vec<_> = kept.iter().filter(|(_, file)| is(file)).map(|(id, _)| *id).collect();
        old.into_iter().for_each(|id| self.remove(&mut kept, id));
    }

    fn remove(&self, kept: &mut HashMap<UploadId, Kept>, id: UploadId) {
        if kept.remove(&id).is_none() {
            return;
        }
        match std::fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("a file that nobody needs any more is not removed: {error}");
            }
            _ => {}
        }
    }

    fn path(&self, id: UploadId) -> PathBuf {
        self.0.directory.join(id.to_string())
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<UploadId, Kept>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &io::Error) -> Fault {
        let fault = Fault::unavailable(format!("the file cannot be kept for this request: {error}"));
        fault.hint(format!("the daemon keeps it in {}: make room there", self.0.directory.display()))
    }
}

/// Removes what is kept too long: the task `uploads`.
pub struct Sweep(Uploads);

impl Sweep {
    /// Of these files.
    pub fn new(uploads: Uploads) -> Self {
        Self(uploads)
    }
}

impl Task for Sweep {
    fn name(&self) -> &'static str {
        "uploads"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.sweep(Instant::now());
        std::future::ready(Ok(())).boxed()
    }

    fn next(&mut self) -> Trigger {
        Trigger::After(PAUSE)
    }
}

fn gone() -> Fault {
    Fault::not_found("the daemon does not have that file")
        .hint("a file is kept for an hour, and as long as the connection that sent it: send it again")
}

/// A file beyond [`LARGEST`].
pub fn too_large() -> Fault {
    Fault::usage(format!("the file is larger than {} MiB", LARGEST / 1024 / 1024))
        .hint("split it: a list is read row by row, and several are imported one after the other")
}

#[cfg(test)]
mod tests;
