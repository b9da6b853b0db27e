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

use crate::store::{Ending, View};
use crate::systems::Systems;
use crate::tasks::{Task, Trigger};
use due::{Due, carry_out};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use patience::Patience;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Action, Punishment};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

/// How long events gather before it is looked for what they made due.
pub const PAUSE: Duration = Duration::from_millis(250);

/// How often the wall clock is looked at, at least.
const LOOK: Duration = Duration::from_secs(60);

/// How much is read of the store at once.
const PAGE: u16 = 256;

/// How much is asked for at once: enough to share commits, few enough to leave room for people.
const AT_ONCE: usize = 32;

/// Does what comes due: the task `schedule`.
pub struct Schedule {
    systems: Arc<Systems>,
    pause: Duration,
    events: watch::Receiver<u64>,
    patience: Patience,
    wait: Duration,
}

impl Schedule {
    /// Looks at most once every `pause`.
    pub fn new(systems: Arc<Systems>, pause: Duration) -> Self {
        let events = systems.services.store().sequence();
        Self { systems, pause, events, patience: Patience::default(), wait: Duration::ZERO }
    }

    async fn look(&mut self) -> Result<(), Fault> {
        self.events.mark_unchanged();
        self.wait = round(&self.systems, &mut self.patience).await?;
        Ok(())
    }
}

impl Task for Schedule {
    fn name(&self) -> &'static str {
        "schedule"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.look().boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut events, pause) = (self.events.clone(), self.pause);
        let event = async move {
            // The store, and with it the sender, lives as long as the daemon.
            let _ = events.changed().await;
            tokio::time::sleep(pause).await;
        };
        Trigger::EventWithin(event.boxed(), self.wait.min(LOOK))
    }
}

/// Does what is due. Returns how long nothing else is, as far as is known.
async fn round(systems: &Arc<Systems>, patience: &mut Patience) -> Result<Duration, Fault> {
    let now = systems.services.clock().now();
    patience.begin();
    let mut more = end(systems, patience, now).await?;
    end_exceptions(systems, patience, now).await?;
    escalate(systems, patience).await?;
    more |= renew(systems, now).await?;
    patience.forget_others();
    if more {
        return Ok(Duration::ZERO);
    }
    let next = systems.services.store().read(move |view| {
        let next = [view.next_end(now)?, view.next_renewal(now)?, view.next_exception_end(now)?];
        Ok(next.into_iter().flatten().min())
    });
    let left = |at: Timestamp| Duration::from_millis(u64::try_from(at.millis() - now.millis()).unwrap_or(0));
    let wait = next.await?.map_or(LOOK, left);
    Ok(patience.next().map_or(wait, |again| again.min(wait)))
}

/// Ends what has come to its end; whether there is more of it.
async fn end(systems: &Arc<Systems>, patience: &mut Patience, now: Timestamp) -> Result<bool, Fault> {
    let (mut after, mut more): (Option<Ending>, _) = (None, false);
    loop {
        let page = systems.services.store().read(move |view| Ok(view.ended(now, after, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(more) };
        after = Some((last.expires_at.unwrap_or(now), last.id));
        let found = page.len();
        let newest = newest_of_each(page);
        let put_off = newest.len() < found;
        // Where nothing could be done the others would only be put off once more.
        more |= work(systems, patience, newest.into_iter().map(Due::End)).await && put_off;
    }
}

/// Ends exceptions whose time has come.
async fn end_exceptions(
    systems: &Arc<Systems>,
    patience: &mut Patience,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let page =
            systems.services.store().read(move |view| Ok(view.ended_exceptions(now, after, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        work(systems, patience, page.into_iter().map(Due::Exception)).await;
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
async fn escalate(systems: &Arc<Systems>, patience: &mut Patience) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let page =
            systems.services.store().read(move |view: &View<'_>| Ok(view.escalations(after, PAGE)?)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.warning);
        work(systems, patience, page.into_iter().map(Due::Escalation)).await;
    }
}

/// Opens the deliveries of timeouts again that Discord would end too early; whether there are more. They pass the gates
/// like any other.
async fn renew(systems: &Arc<Systems>, now: Timestamp) -> Result<bool, Fault> {
    let due = systems.services.store().read(move |view| Ok(view.due_renewals(now, PAGE)?)).await?;
    let more = due.len() == usize::from(PAGE);
    if !due.is_empty() {
        let work = move |change: &crate::store::Change<'_>| {
            due.into_iter().try_for_each(|id| change.renew(id).map(drop))?;
            Ok(())
        };
        systems.services.store().write(work).await?;
    }
    Ok(more)
}

/// Carries out what may be tried by now; whether any of it was done. What fails is tried again later, and keeps nothing
/// else waiting.
async fn work(systems: &Arc<Systems>, patience: &mut Patience, due: impl Iterator<Item = Due>) -> bool {
    let tried: Vec<Due> = due.filter(|one| patience.allows(one.key())).collect();
    let carried = tried.into_iter().map(|one| async {
        let key = one.key();
        (key, carry_out(systems, one).await)
    });
    let mut carried = futures::stream::iter(carried).buffer_unordered(AT_ONCE);
    let mut done = false;
    while let Some((key, outcome)) = carried.next().await {
        match outcome {
            Ok(()) => done = true,
            Err(fault) if patience.failed(key) => due::tell(systems, key, &fault).await,
            Err(_) => {}
        }
    }
    done
}

#[cfg(test)]
mod tests;
