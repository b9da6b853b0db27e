//! Exports as jobs: Discord may show a guild's bans a page a minute, and nothing for hours (FACTS A9).

use super::{Kind, Lists, Writer};
use crate::discord::rest::ListedBan;
use crate::jobs::{Running, Stop};
use crate::pages::{self, Reader, Unreadable};
use crate::store::Entry;
use crate::store::NewJob;
use crate::uploads::LARGEST;
use crate::uploads::outgoing::{self, Bounded, Staged};
use serde::{Deserialize, Serialize};
use std::io::{self, BufWriter};
use wayhaven_shared::operations::job::{Job, JobKind, JobResult};
use wayhaven_shared::operations::sync::{Exported, ListFormat, ListSource};
use wayhaven_shared::value::{GuildId, UploadId};
use wayhaven_shared::{Fault, FaultKind};

/// How many bans are read at once.
const PAGE: u16 = 1_000;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The guild.
    pub guild: GuildId,
    /// How it is written.
    pub format: ListFormat,
    /// Whose list.
    pub source: ListSource,
}

/// What a job of this kind is stored with.
#[derive(Serialize, Deserialize)]
struct Cursor {
    export: Export,
    /// The list, once it is whole.
    file: UploadId,
}

/// Begins an export, or joins the same one that goes on: whoever has lost a connection gets what was read so far.
///
/// # Errors
/// Where another one goes on in that guild, or there is no room for a list.
pub(super) async fn begin(
    lists: &Lists,
    export: Export,
    asked_by: String,
    dry_run: bool,
) -> Result<Job, Fault> {
    if let Some(job) = join(lists, export, dry_run).await? {
        return Ok(job);
    }
    let guild = export.guild;
    let staged = Staged::begin(&lists.uploads)?;
    let cursor = Cursor { export, file: staged.id()? };
    let cursor = serde_json::to_value(cursor).unwrap_or_default();
    let new = NewJob { kind: JobKind::Export, guild: Some(guild), main: None, asked_by, dry_run, cursor };
    let work = move |running, _| async move { work(running, export, staged, dry_run).await };
    match lists.jobs.begin(new, work).await {
        // Somebody asked for the same at the same moment.
        Err(fault) if fault.kind == FaultKind::Conflict => join(lists, export, dry_run).await?.ok_or(fault),
        begun => begun,
    }
}

/// The same export, where it goes on.
async fn join(lists: &Lists, export: Export, dry_run: bool) -> Result<Option<Job>, Fault> {
    let read = lists.services.store().read(move |view| {
        let Some(job) = view.running_job(JobKind::Export, Some(export.guild))? else { return Ok(None) };
        let cursor = serde_json::from_value::<Cursor>(view.job_cursor(job.id)?).ok();
        Ok(cursor.map(|cursor| (job, cursor)))
    });
    let same = |(job, cursor): &(Job, Cursor)| cursor.export == export && job.dry_run == dry_run;
    Ok(read.await?.filter(same).map(|(job, cursor)| {
        lists.uploads.is_wanted_too(cursor.file);
        job
    }))
}

async fn work(
    mut running: Running,
    export: Export,
    staged: Staged,
    dry_run: bool,
) -> Result<JobResult, Stop> {
    let Export { guild, format, source } = export;
    let (bans, bytes, unreadable) = write(&mut running, export, staged.open(LARGEST)?).await?;
    // Our own list says nothing of Discord's.
    if !dry_run && source == ListSource::Discord {
        unreadable.conclude(&running, guild, 0).await;
    }
    let unreadable = unreadable.total();
    let file = if dry_run { None } else { staged.keep() };
    Ok(JobResult::Exported(Exported {
        guild_id: guild,
        format,
        source,
        bans,
        bytes,
        file,
        unreadable,
        dry_run,
    }))
}

/// A list on its way into a file, which does not grow beyond what is kept.
type List = Writer<BufWriter<Bounded>>;

/// Writes the list; its bans, its bytes, and what of Discord's list could not be read.
async fn write(
    running: &mut Running,
    export: Export,
    file: BufWriter<Bounded>,
) -> Result<(u64, u64, Unreadable), Stop> {
    let mut unreadable = Unreadable::default();
    let Export { guild, format, source } = export;
    let kind = match format {
        ListFormat::Csv => Kind::Csv,
        ListFormat::Json => Kind::Json,
    };
    let mut list = Writer::begin(file, kind, guild).map_err(unwritten)?;
    let (mut last, mut user) = (None, None);
    let mut bans = 0;
    loop {
        running.check()?;
        let entries: Vec<Entry> = match source {
            ListSource::Ours => {
                let (store, now) = (running.services.store(), running.services.clock().now());
                let page = store.read(move |view| Ok(view.standing_bans(guild, last, now, PAGE)?)).await?;
                last = page.last().map(|(id, _)| *id);
                page.into_iter().map(|(_, entry)| entry).collect()
            }
            ListSource::Discord => {
                let page = pages::bans(running, guild, user, Reader::List, &mut unreadable).await?;
                user = page.last().map(|ban| ban.user);
                page.into_iter().map(entry).collect()
            }
        };
        // A short page of Discord's proves nothing; an empty one is the end.
        if entries.is_empty() {
            break;
        }
        bans += entries.len() as u64;
        list = append(list, entries).await?;
        running.tell(bans, None, None).await;
    }
    let (written, bytes) = outgoing::end(move || list.end()).await?.map_err(unwritten)?;
    Ok((written, bytes, unreadable))
}

fn entry(ban: ListedBan) -> Entry {
    Entry { user_id: ban.user, reason: ban.reason, expires_at: None, moderator_id: None, created_at: None }
}

/// Writes a page.
async fn append(mut list: List, page: Vec<Entry>) -> Result<List, Fault> {
    let written = tokio::task::spawn_blocking(move || {
        page.iter().try_for_each(|entry| list.push(entry)).map(|()| list)
    });
    written.await.map_err(|_| Fault::internal("writing the list failed"))?.map_err(unwritten)
}

fn unwritten(error: io::Error) -> Fault {
    outgoing::unwritten(&error, LARGEST, "punishment list shows the bans a page at a time")
}

#[cfg(test)]
mod tests;
