//! `audit export` as a job.

use super::write::Writer;
use crate::invocation::conceal;
use crate::jobs::{Jobs, Running, Stop};
use crate::store::{AuditFilter, AuditFrom, NewJob};
use crate::uploads::Uploads;
use crate::uploads::outgoing::{self, Bounded, Staged};
use serde_json::Value;
use std::io::{self, BufWriter};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::audit::{AuditEntry, AuditExported};
use wayhaven_shared::operations::job::{Job, JobKind, JobResult};
use wayhaven_shared::operations::sync::ListFormat;

/// How many entries are read at once.
const PAGE: u16 = 1_000;

/// The most bytes of a file: some two million entries.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// What is exported.
pub struct Export {
    /// Which entries.
    pub filter: AuditFilter,
    /// How they are written.
    pub format: ListFormat,
    /// Whether operators are not told apart: what accounts they have is nobody's business in a guild.
    pub discreet: bool,
}

/// Begins an export.
///
/// # Errors
/// Where one goes on for that guild, or there is no room for a file.
pub(super) async fn begin(
    (jobs, uploads): (&Jobs, &Uploads),
    export: Export,
    asked_by: String,
    dry_run: bool,
) -> Result<Job, Fault> {
    let staged = Staged::begin(uploads)?;
    let (kind, guild) = (JobKind::AuditExport, export.filter.guild);
    let new = NewJob { kind, guild, main: None, asked_by, dry_run, cursor: Value::Null };
    jobs.begin(new, move |running, _| work(running, export, staged, dry_run)).await
}

async fn work(
    mut running: Running,
    export: Export,
    staged: Staged,
    dry_run: bool,
) -> Result<JobResult, Stop> {
    let (guild_id, format) = (export.filter.guild, export.format);
    let (entries, bytes) = write(&mut running, export, staged.open(LARGEST)?).await?;
    let file = if dry_run { None } else { staged.keep() };
    Ok(JobResult::AuditExported(AuditExported { guild_id, format, entries, bytes, file, dry_run }))
}

/// Writes the entries; how many, and how many bytes.
async fn write(running: &mut Running, export: Export, file: BufWriter<Bounded>) -> Result<(u64, u64), Stop> {
    let Export { filter, format, discreet } = export;
    let now = running.services.clock().now();
    let mut out = Writer::begin(file, format, filter.guild, now).map_err(unwritten)?;
    let (mut last, mut written) = (0, 0);
    // What is asked for meanwhile is not part of it: it would never end.
    let head = running.services.store().read(|view| Ok(view.chain_head()?.rows)).await?;
    loop {
        running.check()?;
        let filter = filter.clone();
        let page = running
            .services
            .store()
            .read(move |view| Ok(view.audit_entries(&filter, AuditFrom::Above(last), PAGE)?));
        let page: Vec<AuditEntry> =
            page.await?.into_iter().take_while(|entry| entry.sequence <= head).collect();
        let Some(end) = page.last() else { break };
        last = end.sequence;
        written += page.len() as u64;
        out = append(out, page, discreet).await?;
        running.tell(written, None, None).await;
    }
    Ok(outgoing::end(move || out.end()).await?.map_err(unwritten)?)
}

/// Writes a page.
async fn append(
    mut out: Writer<BufWriter<Bounded>>,
    page: Vec<AuditEntry>,
    discreet: bool,
) -> Result<Writer<BufWriter<Bounded>>, Fault> {
    let written = tokio::task::spawn_blocking(move || {
        for mut entry in page {
            if discreet {
                conceal(&mut entry);
            }
            out.push(&entry)?;
        }
        Ok(out)
    });
    written.await.map_err(|_| Fault::internal("writing the audit failed"))?.map_err(unwritten)
}

fn unwritten(error: io::Error) -> Fault {
    outgoing::unwritten(&error, LARGEST, "--days takes less of it")
}

#[cfg(test)]
mod tests;
