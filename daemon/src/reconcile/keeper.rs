//! Who begins comparisons without being asked: jobs that a restart has left, backfills of new children, guilds of which
//! something says that they may differ, and each child once in a while.

use super::{Cursor, Reconcile, Resolve};
use crate::discord::directory::Presence;
use crate::services::Services;
use crate::store::Change;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use wayhaven_shared::operations::job::{Job, JobKind, JobState};
use wayhaven_shared::value::{GuildId, Timestamp};
use wayhaven_shared::{Fault, FaultKind};

/// How often it is looked for what is due, at least.
const LOOK: Duration = Duration::from_secs(60);

/// How long events gather before it is looked at what they made due.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a guild whose comparison could not be done is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(3_600);

/// How much later than now a comparison has to have been before the clock counts as set back, in milliseconds.
const CLOCK_SET_BACK: i64 = 3_600_000;

/// Begins comparisons that are due: the task `reconcile`.
pub struct Keeper {
    reconcile: Reconcile,
    changes: watch::Receiver<u64>,
    due: watch::Receiver<u64>,
    touched: watch::Receiver<HashSet<GuildId>>,
    patience: Patience,
}

impl Keeper {
    /// Begins comparisons of these.
    pub fn new(reconcile: Reconcile) -> Self {
        let (changes, due) = (reconcile.services.store().sequence(), reconcile.services.store().due());
        let touched = reconcile.services.directory().touched();
        Self { reconcile, changes, due, touched, patience: Patience::default() }
    }
}

impl Task for Keeper {
    fn name(&self) -> &'static str {
        "reconcile"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.changes.mark_unchanged();
        self.due.mark_unchanged();
        self.touched.mark_unchanged();
        round(&self.reconcile, &mut self.patience).boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut changes, mut touched) = (self.changes.clone(), self.touched.clone());
        let mut due = self.due.clone();
        let change = async move {
            tokio::select! {
                // The store, and with it the sender, lives as long as the daemon.
                _ = changes.changed() => {}
                _ = due.changed() => {}
                _ = touched.changed() => {}
            }
            tokio::time::sleep(PAUSE).await;
        };
        Trigger::EventWithin(change.boxed(), LOOK)
    }
}

/// Whose comparison failed of late, and what the bot was allowed to do there then.
#[derive(Default)]
struct Patience(HashMap<GuildId, (Instant, Option<u64>)>);

impl Patience {
    fn note(&mut self, services: &Services, guild: GuildId) {
        self.0.insert(guild, (Instant::now(), services.directory().my_permissions(guild)));
    }

    /// Whether the guild is left alone for now. Where the bot may do something else than then it is worth a try at once.
    fn has(&self, services: &Services, guild: GuildId) -> bool {
        let lasts = |(since, allowed): &(Instant, Option<u64>)| {
            since.elapsed() < AFTER_FAILURE && *allowed == services.directory().my_permissions(guild)
        };
        self.0.get(&guild).is_some_and(lasts)
    }

    fn forget(&mut self, guild: GuildId) {
        self.0.remove(&guild);
    }

    /// Takes in what came of beginning a comparison.
    ///
    /// # Errors
    /// Where it could not be begun.
    fn judge(&mut self, services: &Services, guild: GuildId, begun: Result<Job, Fault>) -> Result<(), Fault> {
        match begun {
            Ok(job) if job.state == JobState::Failed => self.note(services, guild),
            Ok(_) => self.forget(guild),
            // Another comparison has begun there meanwhile. That is no failure, and its end starts the
            // next look.
            Err(fault) if fault.kind == FaultKind::Conflict => {
                tracing::debug!(%guild, "not compared now: {fault}");
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// Takes in what failed, or was ended, after it had been begun.
    fn learn(&mut self, services: &Services, given_up: HashSet<GuildId>) {
        self.0.retain(|_, (since, _)| since.elapsed() < AFTER_FAILURE);
        for guild in given_up {
            if !self.0.contains_key(&guild) {
                self.note(services, guild);
            }
        }
    }
}

async fn round(reconcile: &Reconcile, patience: &mut Patience) -> Result<(), Fault> {
    let Reconcile { services, jobs: running, .. } = reconcile;
    let mut jobs = services.store().read(|view| Ok(view.jobs(None, true, u16::MAX)?)).await?;
    // Oldest first: of several jobs of a kind in a guild one goes on at a time, since they would
    // read the same lists.
    jobs.reverse();
    let (mut by_itself, mut filled) = (false, HashSet::new());
    let compared =
        jobs.iter().filter(|job| job.kind == JobKind::Reconcile).filter_map(|job| job.guild_id).collect();
    for job in jobs {
        let alone = job.kind == JobKind::Reconcile && job.asked_by == BY_ITSELF && job.note.is_none();
        // One that somebody began at the same time is at work already; a plan that a restart has
        // left only has to end.
        let queues = matches!(job.kind, JobKind::Backfill | JobKind::Reconcile) && !job.dry_run;
        let (id, waits_its_turn) = (job.id, queues && !filled.insert((job.kind, job.guild_id)));
        if !waits_its_turn && !running.has(id) {
            reconcile.resume(&job).await?;
        }
        // One at a time; but what waits for its guild, for hours or until somebody mends it, holds up no other.
        by_itself |= alone && running.has(id);
    }
    if by_itself || !services.gateway().is_ready() {
        return Ok(());
    }
    if let Some(guild) = due(services, patience, &compared).await? {
        let cursor = Cursor::new(Resolve::ByItself, None);
        let begun = reconcile.begin(guild, BY_ITSELF.to_owned(), cursor).await;
        return patience.judge(services, guild, begun);
    }
    Ok(())
}

/// Who asks where nobody does.
const BY_ITSELF: &str = "wayhaven";

/// The guild that is to be compared next by itself, if one is due. `compared` are those where a comparison goes on.
async fn due(
    services: &Services,
    patience: &mut Patience,
    compared: &HashSet<GuildId>,
) -> Result<Option<GuildId>, Fault> {
    let topology = services.store().topology();
    let every = i64::try_from(services.settings().network.reconcile_every.as_millis()).unwrap_or(i64::MAX);
    let now = services.clock().now();
    // What failed would fail again, and what somebody has ended is not begun anew under their hands.
    let of_late = i64::try_from(AFTER_FAILURE.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp::from_millis(now.millis().saturating_sub(of_late));
    let (reconciled, given_up) = services
        .store()
        .read(move |view| Ok((view.reconciled()?, view.given_up(JobKind::Reconcile, BY_ITSELF, since)?)))
        .await?;
    patience.learn(services, given_up);
    let mut known: HashMap<GuildId, (Timestamp, bool)> =
        reconciled.into_iter().map(|(guild, at, due)| (guild, (at, due))).collect();
    let mut new = Vec::new();
    let mut next: Option<(bool, i64, GuildId)> = None;
    for guild in topology.children() {
        let Some((at, soon)) = known.remove(&guild) else {
            new.push(guild);
            continue;
        };
        let late = now.millis().saturating_sub(at.millis()).saturating_sub(every);
        // A clock that was set back does not put it off.
        let is_due = soon || late >= 0 || at.millis().saturating_sub(now.millis()) > CLOCK_SET_BACK;
        if !is_due
            || compared.contains(&guild)
            || patience.has(services, guild)
            || services.directory().presence(guild) != Some(Presence::Here)
        {
            continue;
        }
        next = next.max(Some((soon, late, guild)));
    }
    if !new.is_empty() {
        let first = move |change: &Change<'_>| {
            for guild in new {
                // Spread, so that not all of them are due at once ever after.
                let share = i64::try_from(guild.get() >> 22).unwrap_or(0) % 1_000;
                change
                    .reconciled_first(guild, Timestamp::from_millis(now.millis() - every / 1_000 * share))?;
            }
            Ok(())
        };
        services.store().write(first).await?;
    }
    Ok(next.map(|(_, _, guild)| guild))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDaemon, guild, sandbox};

    #[tokio::test]
    async fn a_running_comparison_does_not_delay_the_next_by_an_hour() {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        let child = guild(sandbox.children()[0]);
        let (services, mut patience) = (&test.systems.services, Patience::default());
        patience.judge(services, child, Err(Fault::conflict("job 1 runs already"))).unwrap();
        assert!(!patience.has(services, child), "the guild stays due");
        assert!(patience.judge(services, child, Err(Fault::internal("the store fails"))).is_err());
    }
}
