//! `sync export`.

use crate::daemon::Daemon;
use crate::handlers::Handle;
use crate::invocation::Context;
use crate::lists::staging::{Holder, LARGEST, Uploads};
use crate::lists::{Entry, Kind, Writer};
use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::operations::sync::{Exported, ListFormat, ListSource, SyncExport};
use wayhaven_shared::value::{GuildId, UploadId};
use wayhaven_shared::{Fault, FaultKind};

/// How many bans are read at once.
const PAGE: u16 = 1_000;

/// How long whoever asks is kept waiting: a client gives up after a minute.
const PATIENCE: Duration = Duration::from_secs(45);

impl Handle for SyncExport {
    async fn handle(self, cx: &Context) -> Result<Exported, Fault> {
        let guild = cx.guild()?;
        let (format, source) = (self.format.unwrap_or_default(), self.source.unwrap_or_default());
        let staged = Staged::begin(cx.daemon.uploads())?;
        let writing = write(&cx.daemon, guild, format, source, staged.file()?);
        let (bans, bytes) = tokio::time::timeout(PATIENCE, writing).await.map_err(|_| {
            Fault::new(
                FaultKind::Pending,
                "Discord shows this guild's bans a page a minute: it would take too long",
            )
            .hint("leave out --source discord for the bans that were decided here with Wayhaven")
        })??;
        let dry_run = cx.invocation.dry_run;
        let file = if dry_run { None } else { staged.keep() };
        Ok(Exported { guild_id: guild, format, source, bans, bytes, file, dry_run })
    }
}

/// A file that is removed again unless it is kept.
struct Staged {
    uploads: Uploads,
    id: Option<UploadId>,
}

impl Staged {
    fn begin(uploads: &Uploads) -> Result<Self, Fault> {
        Ok(Self { uploads: uploads.clone(), id: Some(uploads.begin(Holder::Daemon)?) })
    }

    fn file(&self) -> Result<File, Fault> {
        self.uploads.create(self.id.ok_or_else(|| Fault::internal("a file that is gone"))?)
    }

    fn keep(mut self) -> Option<UploadId> {
        self.id.take()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.uploads.forget(id);
        }
    }
}

/// A list on its way into a file, which does not grow beyond what is kept.
type List = Writer<BufWriter<Bounded>>;

async fn write(
    daemon: &Arc<Daemon>,
    guild: GuildId,
    format: ListFormat,
    source: ListSource,
    file: File,
) -> Result<(u64, u64), Fault> {
    let kind = match format {
        ListFormat::Csv => Kind::Csv,
        ListFormat::Json => Kind::Json,
    };
    let mut list =
        Writer::begin(BufWriter::new(Bounded { file, bytes: 0 }), kind, guild).map_err(unwritten)?;
    let (mut last, mut user) = (None, None);
    loop {
        let count;
        (list, count) = match source {
            ListSource::Ours => {
                let now = daemon.clock().now();
                let page =
                    daemon.store().read(move |view| Ok(view.standing_bans(guild, last, now, PAGE)?)).await?;
                last = page.last().map(|(id, _)| *id);
                append(list, page.into_iter().map(|(_, entry)| entry).collect()).await?
            }
            ListSource::Discord => {
                let page = daemon.rest().bans_after(guild, user).await?;
                user = page.last().map(|ban| ban.user);
                let entry = |ban: crate::discord::rest::ListedBan| Entry {
                    user_id: ban.user,
                    reason: ban.reason,
                    expires_at: None,
                    moderator_id: None,
                    created_at: None,
                };
                append(list, page.into_iter().map(entry).collect()).await?
            }
        };
        if count < usize::from(PAGE) {
            break;
        }
    }
    let ended = tokio::task::spawn_blocking(move || {
        let (out, rows) = list.end()?;
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((rows, out.bytes))
    });
    ended.await.map_err(|_| Fault::internal("writing the list failed"))?.map_err(unwritten)
}

/// Writes a page; how many rows it had.
async fn append(mut list: List, page: Vec<Entry>) -> Result<(List, usize), Fault> {
    let written = tokio::task::spawn_blocking(move || {
        page.iter().try_for_each(|entry| list.push(entry)).map(|()| (list, page.len()))
    });
    written.await.map_err(|_| Fault::internal("writing the list failed"))?.map_err(unwritten)
}

fn unwritten(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            Fault::conflict(format!("the list would be larger than {} MiB", LARGEST / 1024 / 1024))
                .hint("punishment list shows the bans a page at a time")
        }
        _ => Fault::unavailable(format!("the list could not be written: {error}"))
            .hint("make room on the disk that wayhaven paths shows"),
    }
}

/// A file that does not grow beyond what is kept.
struct Bounded {
    file: File,
    bytes: u64,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes + bytes.len() as u64 > LARGEST {
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
