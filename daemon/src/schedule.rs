//! What comes due by itself: punishments and exceptions that end, timeouts to renew, what follows a number of warnings.
//!
//! One task looks into the store for what is due and asks the pipeline for it, as an operator would: there is no second
//! path to an effect. What is due is a row, marked as done in the transaction that records what was done, so that a
//! kill at any moment neither loses nor doubles it, and what came due while nobody ran is done at the start.
//!
//! Ends are points of the wall clock, and waits are monotonic: the clock is looked at once a minute at least, so that one
//! that was set is noticed, and an end stays where it is (FAULTS 21).

mod due;
mod patience;

use crate::daemon::Daemon;
use crate::store::{Ending, View};
use due::{Due, carry_out};
use futures::StreamExt;
use patience::Patience;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Action, Punishment};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

/// How long events gather before it is looked for what they made due.
pub const PAUSE: Duration = Duration::from_millis(250);

/// How often the wall clock is looked at, at least.
const LOOK: Duration = Duration::from_secs(60);

/// How long to wait after the store failed.
const STORE_MENDS_WITHIN: Duration = Duration::from_secs(10);

/// How much is read of the store at once.
const PAGE: u16 = 256;

/// How much is asked for at once: enough to share commits, few enough to leave room for people.
const AT_ONCE: usize = 32;

/// Does what comes due until the daemon stops, at most once every `pause`.
pub async fn keep(daemon: Arc<Daemon>, pause: Duration) {
    let mut stopping = daemon.stopping();
    tokio::select! {
        () = follow(&daemon, pause) => {}
        () = stopping.raised() => {}
    }
}

async fn follow(daemon: &Arc<Daemon>, pause: Duration) {
    let mut events = daemon.store().sequence();
    let mut patience = Patience::default();
    loop {
        events.mark_unchanged();
        let wait = round(daemon, &mut patience).await.unwrap_or_else(|fault| {
            tracing::warn!("what is due waits: {fault}");
            STORE_MENDS_WITHIN
        });
        tokio::select! {
            // The store, and with it the sender, lives as long as the daemon.
            _ = events.changed() => tokio::time::sleep(pause).await,
            () = tokio::time::sleep(wait.min(LOOK)) => {}
        }
    }
}

/// Does what is due. Returns how long nothing else is, as far as is known.
async fn round(daemon: &Arc<Daemon>, patience: &mut Patience) -> Result<Duration, Fault> {
    let now = daemon.clock().now();
    patience.begin();
    let mut more = end(daemon, patience, now).await?;
    end_exceptions(daemon, patience, now).await?;
    escalate(daemon, patience).await?;
    more |= renew(daemon, now).await?;
    patience.forget_others();
    if more {
        return Ok(Duration::ZERO);
    }
    let next = daemon.store().read(move |view| {
        let next = [view.next_end(now)?, view.next_renewal(now)?, view.next_exception_end(now)?];
        Ok(next.into_iter().flatten().min())
    });
    let left = |at: Timestamp| Duration::from_millis(u64::try_from(at.millis() - now.millis()).unwrap_or(0));
    let wait = next.await?.map_or(LOOK, left);
    Ok(patience.next().map_or(wait, |again| again.min(wait)))
}

/// Ends what has come to its end; whether there is more of it.
async fn end(daemon: &Arc<Daemon>, patience: &mut Patience, now: Timestamp) -> Result<bool, Fault> {
    let (mut after, mut more): (Option<Ending>, _) = (None, false);
    loop {
        let page = daemon.store().read(move |view| Ok(view.ended(now, after, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(more) };
        after = Some((last.expires_at.unwrap_or(now), last.id));
        let found = page.len();
        let newest = newest_of_each(page);
        let put_off = newest.len() < found;
        // Where nothing could be done the others would only be put off once more.
        more |= work(daemon, patience, newest.into_iter().map(Due::End)).await && put_off;
    }
}

/// Ends exceptions whose time has come.
async fn end_exceptions(daemon: &Arc<Daemon>, patience: &mut Patience, now: Timestamp) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let page = daemon.store().read(move |view| Ok(view.ended_exceptions(now, after, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        work(daemon, patience, page.into_iter().map(Due::Exception)).await;
    }
}

/// Of several that a guild has decided of one measure about one user only the newest: where that one ends, the others may
/// end with it.
fn newest_of_each(page: Vec<Punishment>) -> Vec<Punishment> {
    let mut newest: HashMap<(GuildId, UserId, Action), PunishmentId> = HashMap::new();
    let of = |one: &Punishment| (one.guild_id, one.user_id, one.action);
    for one in &page {
        let latest = newest.entry(of(one)).or_insert(one.id);
        *latest = one.id.max(*latest);
    }
    page.into_iter().filter(|one| newest.get(&of(one)) == Some(&one.id)).collect()
}

/// Asks for what has to follow warnings.
async fn escalate(daemon: &Arc<Daemon>, patience: &mut Patience) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let page = daemon.store().read(move |view: &View<'_>| Ok(view.escalations(after, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.warning);
        work(daemon, patience, page.into_iter().map(Due::Escalation)).await;
    }
}

/// Opens the deliveries of timeouts again that Discord would end too early; whether there are more. They pass the gates
/// like any other.
async fn renew(daemon: &Arc<Daemon>, now: Timestamp) -> Result<bool, Fault> {
    let due = daemon.store().read(move |view| Ok(view.due_renewals(now, PAGE)?)).await?;
    let more = due.len() == usize::from(PAGE);
    if !due.is_empty() {
        let work = move |change: &crate::store::Change<'_>| {
            due.into_iter().try_for_each(|id| change.renew(id).map(drop))?;
            Ok(())
        };
        daemon.store().write(work).await?;
    }
    Ok(more)
}

/// Carries out what may be tried by now; whether any of it was done. What fails is tried again later, and keeps nothing
/// else waiting.
async fn work(daemon: &Arc<Daemon>, patience: &mut Patience, due: impl Iterator<Item = Due>) -> bool {
    let tried: Vec<Due> = due.filter(|one| patience.allows(one.key())).collect();
    let carried = tried.into_iter().map(|one| async {
        let key = one.key();
        (key, carry_out(daemon, one).await)
    });
    let mut carried = futures::stream::iter(carried).buffer_unordered(AT_ONCE);
    let mut done = false;
    while let Some((key, outcome)) = carried.next().await {
        match outcome {
            Ok(()) => done = true,
            Err(fault) if patience.failed(key) => due::tell(daemon, key, &fault).await,
            Err(_) => {}
        }
    }
    done
}

#[cfg(test)]
mod tests;
