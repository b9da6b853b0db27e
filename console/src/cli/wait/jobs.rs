//! `--wait` for jobs: follows those that a reply has begun until they are over.

use super::Ended;
use crate::cli::output::Output;
use crate::cli::progress::Ticker;
use serde_json::Value;
use shared::client::Client;
use shared::control::LONGEST_WATCH;
use shared::event::{Change, Cursor};
use shared::operation::Reported;
use shared::operations::job::{Job, JobShow, JobState};
use shared::report::Progress;
use shared::value::JobId;
use shared::{Fault, FaultKind};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared as shared;

/// Follows the jobs for `patience` at most: as they were seen last, and why nobody looked on.
pub(crate) async fn follow(
    client: &Client,
    mut cursor: Cursor,
    ids: Vec<JobId>,
    patience: Duration,
    ticker: &mut Ticker,
    output: &mut Output<'_>,
) -> (Vec<Job>, Ended) {
    let deadline = Instant::now() + patience;
    let mut jobs: Vec<Job> = Vec::new();
    let ended = loop {
        // Read on entry and after a gap.
        match read(client, &ids).await {
            Ok(read) => jobs = read,
            Err(fault) => break Ended::Lost(fault),
        }
        match listen(client, &mut cursor, &mut jobs, deadline, ticker, output).await {
            Ok(Some(ended)) => break ended,
            Ok(None) => {}
            Err(fault) => break Ended::Lost(fault),
        }
    };
    ticker.clear(output);
    (jobs, ended)
}

async fn read(client: &Client, ids: &[JobId]) -> Result<Vec<Job>, Fault> {
    let mut jobs = Vec::with_capacity(ids.len());
    for id in ids {
        jobs.push(client.call(JobShow { id: *id }).await?);
    }
    Ok(jobs)
}

/// Applies events until no job goes on, or time runs out; nothing where a gap makes another reading necessary.
async fn listen(
    client: &Client,
    cursor: &mut Cursor,
    jobs: &mut [Job],
    deadline: Instant,
    ticker: &mut Ticker,
    output: &mut Output<'_>,
) -> Result<Option<Ended>, Fault> {
    loop {
        if !jobs.iter().any(Job::is_running) {
            return Ok(Some(Ended::Settled));
        }
        let total = jobs.iter().map(|job| job.total.unwrap_or(job.done)).sum();
        let done = jobs.iter().map(|job| job.done).sum::<u64>().min(total);
        let note = jobs.iter().find(|job| job.is_running()).and_then(|job| job.note.as_ref());
        let words = note.map_or_else(String::new, shared::value::Untrusted::line);
        ticker.tell(Progress { done, total }, &words, output);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Some(Ended::RanOut));
        }
        let wait = left.min(Duration::from_millis(LONGEST_WATCH));
        let watched = client.watch(Some(cursor.clone()), wait).await?;
        *cursor = watched.cursor;
        for event in watched.events {
            let Change::Job { job } = event.change else { continue };
            if let Some(known) = jobs.iter_mut().find(|known| known.id == job.id) {
                *known = *job;
            }
        }
        if watched.gap {
            return Ok(None);
        }
    }
}

/// Puts the jobs as they are now in the place of those that the reply shows.
pub(crate) fn replace(data: &mut Value, jobs: &[Job]) {
    match data {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, jobs)),
        Value::Object(fields) => {
            let is = |job: &&Job| {
                fields.get("id") == Some(&Value::String(job.id.to_string()))
                    && fields.contains_key("asked_by")
            };
            match jobs.iter().find(is).and_then(|job| serde_json::to_value(job).ok()) {
                Some(now) => *data = now,
                None => fields.values_mut().for_each(|field| replace(field, jobs)),
            }
        }
        _ => {}
    }
}

/// What the exit code says of jobs that did not come to their end: the wait was too short, or one
/// of them failed or was cancelled. What a job has found wrong is its own verdict, which the reply
/// gives.
pub(crate) fn unfinished(ended: &Ended, jobs: &[Job]) -> Option<Fault> {
    let running: Vec<String> =
        jobs.iter().filter(|job| job.is_running()).map(|job| job.id.to_string()).collect();
    match ended {
        Ended::Settled => jobs.iter().filter(|job| job.state != JobState::Done).find_map(Reported::verdict),
        Ended::Lost(fault) => {
            let message = format!("it goes on, but could not be followed: {}", fault.message);
            Some(Fault { message, ..fault.clone() })
        }
        Ended::RanOut => {
            let message = format!("job {} still goes on when the wait ran out", running.join(", "));
            let hint = format!(
                "wayhaven job show {} tells how far it is",
                running.first().cloned().unwrap_or_default()
            );
            Some(Fault::new(FaultKind::Pending, message).hint("it goes on by itself").hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str) -> Job {
        let at = "2026-01-02T03:04:05Z";
        let job = serde_json::json!({"id": "7", "kind": "backfill", "state": state, "asked_by": "uid:0", "dry_run": false,
            "done": 0, "note": "the bot lacks Ban Members", "created_at": at, "updated_at": at});
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn a_job_that_failed_or_was_cancelled_decides_the_exit_code_whatever_the_reply_shows_of_it() {
        assert!(unfinished(&Ended::Settled, &[job("done")]).is_none());
        for state in ["failed", "cancelled", "interrupted"] {
            let fault = unfinished(&Ended::Settled, &[job("done"), job(state)]).unwrap();
            assert_eq!(fault.kind, FaultKind::Partial, "{state}");
            assert!(fault.message.contains("the bot lacks Ban Members"), "{fault}");
        }
        assert_eq!(unfinished(&Ended::RanOut, &[job("running")]).unwrap().kind, FaultKind::Pending);
    }
}
