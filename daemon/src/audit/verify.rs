//! `audit verify` as a job: a few thousand rows at a time, so that neither memory nor writers notice.

use super::mark::{self, NOTED, Unreadable};
use crate::jobs::{Jobs, Running, Stop};
use crate::store::{ChainWalk, NewJob, Walked};
use serde_json::Value;
use wayhaven_shared::Fault;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::audit::{Amiss, AuditVerified};
use wayhaven_shared::operations::job::{Job, JobKind, JobResult};
use wayhaven_shared::value::{ChainMark, GuildId, Untrusted};

/// How many rows are read at once.
const PAGE: u16 = 2_000;

/// Begins to read the audit.
///
/// # Errors
/// Where somebody's verification goes on, or the store fails.
pub(super) async fn begin(
    jobs: &Jobs,
    guild: Option<GuildId>,
    noted: Option<ChainMark>,
    asked_by: String,
) -> Result<Job, Fault> {
    let kind = JobKind::AuditVerify;
    let new = NewJob { kind, guild, main: None, asked_by, dry_run: false, cursor: Value::Null };
    jobs.begin(new, move |running, _| work(running, noted)).await
}

async fn work(mut running: Running, given: Option<ChainMark>) -> Result<JobResult, Stop> {
    let store = running.services.store().clone();
    let total = store.read(|view| Ok(view.chain_head()?.rows)).await?;
    let mut walk = ChainWalk::default();
    let broken = loop {
        running.check()?;
        let on = walk.clone();
        let (come, walked) = store
            .read(move |view| {
                let mut walk = on;
                let walked = view.walk_audit(&mut walk, PAGE)?;
                Ok((walk, walked))
            })
            .await?;
        walk = come;
        running.tell(walk.rows, Some(total.max(walk.rows)), None).await;
        match walked {
            Walked::On => {}
            Walked::End => break None,
            Walked::Broken(amiss) => break Some(amiss),
        }
    };
    // SQLite's own look at the pages: an index that leaves out rows hides them from whoever searches.
    running.check()?;
    let pages = match broken {
        Some(_) => None,
        None => store.read(|view| Ok(view.audit_pages()?)).await?,
    };
    let pages = pages.map(|found| Untrusted::clipped(&found));
    let path = running.services.layout().audit_mark();
    let noted = mark::read(&path);
    let beside = noted.as_ref().ok().copied().flatten();
    let mut cut = match noted {
        Err(Unreadable::Odd) => {
            Some(Amiss { row: walk.rows, what: format!("{NOTED} was changed: it is none any more") })
        }
        _ => None,
    };
    for (mark, name) in [(given, "what you have noted"), (beside, NOTED)] {
        if let (None, Some(mark)) = (&cut, mark) {
            cut = store.read(move |view| mark::amiss(view, mark, name)).await?;
        }
    }
    let mark = walk.mark().ok_or_else(|| Fault::internal("a chain of more rows than there can be"))?;
    let verified =
        AuditVerified { rows: walk.rows, mark, broken, pages, cut, erased: walk.erased, noted: beside };
    if let Some(fault) = verified.verdict() {
        tracing::error!("{fault}");
    }
    Ok(JobResult::AuditVerified(verified))
}

#[cfg(test)]
mod tests;
