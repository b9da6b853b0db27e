//! Files that the daemon writes for somebody, who brings them away within the hour.

use super::{Holder, Uploads};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use wayhaven_shared::Fault;
use wayhaven_shared::value::UploadId;

/// A file that is removed again unless it is kept.
pub struct Staged {
    uploads: Uploads,
    id: Option<UploadId>,
}

impl Staged {
    /// Begins a file.
    ///
    /// # Errors
    /// Where there are too many, or it cannot be made.
    pub fn begin(uploads: &Uploads) -> Result<Self, Fault> {
        Ok(Self { uploads: uploads.clone(), id: Some(uploads.begin(Holder::Daemon)?) })
    }

    /// Its id.
    ///
    /// # Errors
    /// Where it is kept already.
    pub fn id(&self) -> Result<UploadId, Fault> {
        self.id.ok_or_else(|| Fault::internal("a file that is gone"))
    }

    /// Opens it to be written, to at most `largest` bytes.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn open(&self, largest: u64) -> Result<BufWriter<Bounded>, Fault> {
        let file = self.uploads.create(self.id()?)?;
        Ok(BufWriter::new(Bounded { file, bytes: 0, largest }))
    }

    /// Keeps it: it is whole.
    pub fn keep(mut self) -> Option<UploadId> {
        self.id.take().inspect(|id| self.uploads.is_whole(*id))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.uploads.forget(id);
        }
    }
}

/// A file that does not grow beyond what is kept.
pub struct Bounded {
    file: File,
    bytes: u64,
    largest: u64,
}

impl Bounded {
    /// How many bytes were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes + bytes.len() as u64 > self.largest {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Brings a file to its end, beside what waits for nothing: what `end` tells of it, and its length in bytes.
///
/// # Errors
/// What could not be written.
pub async fn end<T: Send + 'static>(
    end: impl FnOnce() -> io::Result<(BufWriter<Bounded>, T)> + Send + 'static,
) -> Result<io::Result<(T, u64)>, Fault> {
    let ended = tokio::task::spawn_blocking(move || {
        let (out, told) = end()?;
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((told, out.bytes()))
    });
    ended.await.map_err(|_| Fault::internal("writing the file failed"))
}

/// What a failure to write means. `smaller` says how less is asked for.
pub fn unwritten(error: &io::Error, largest: u64, smaller: &str) -> Fault {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            Fault::conflict(format!("the file would be larger than {} MiB", largest / 1024 / 1024))
                .hint(smaller)
        }
        _ => Fault::unavailable(format!("the file could not be written: {error}"))
            .hint("make room on the disk that wayhaven paths shows"),
    }
}
