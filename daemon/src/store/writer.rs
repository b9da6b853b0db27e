//! The one thread that writes.
//!
//! It takes closures, each in a savepoint, and commits them in groups: one fsync serves many. A caller is
//! answered after its commit, and after the topology and the event sequence of that commit are published.

use super::{Directs, Queued, Shared, StoreError, View};
use crate::clock::Clock;
use crate::network::{Budgets, OwnAccounts, Topology};
use rusqlite::Connection;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot};
use wayhaven_shared::Fault;

/// How many changes one commit carries at most: enough to share an fsync, few enough to answer soon.
const GROUP: usize = 512;

/// How many changes may wait: beyond it, those who submit wait, so that memory is bounded.
const QUEUE: usize = 4_096;

/// A transaction to write in. Reading goes through [`View`]'s methods.
pub struct Change<'c> {
    view: View<'c>,
    topology: &'c TopologyCell,
    /// What the engine is to send once this is committed.
    outbox: RefCell<Vec<Queued>>,
    /// What is propagated before the rest is held.
    budgets: Budgets,
    /// How the direct messages stand with this transaction.
    directs: Cell<Directs>,
    due: Cell<bool>,
    /// What the job that runs has told so far.
    pub(super) told: RefCell<Vec<String>>,
    /// Why the transaction ended before its commit: SQLite rolls all of it back where the disk is full.
    ended: RefCell<Option<Fault>>,
}

/// The topology inside the transaction: read again from the tables after a link has changed.
struct TopologyCell {
    current: RefCell<Arc<Topology>>,
    own: Arc<OwnAccounts>,
    stale: Cell<bool>,
}

impl<'c> Deref for Change<'c> {
    type Target = View<'c>;
    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

impl Change<'_> {
    /// The links as they are inside this transaction.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn topology_here(&self) -> Result<Arc<Topology>, StoreError> {
        if self.topology.stale.replace(false) {
            *self.topology.current.borrow_mut() = {
                let own = Arc::clone(&self.topology.own);
                Arc::new(self.view.topology()?.with_own(own))
            };
        }
        Ok(Arc::clone(&self.topology.current.borrow()))
    }

    /// How much is propagated before the rest is held.
    pub fn budgets(&self) -> Budgets {
        self.budgets
    }

    /// Marks the topology as changed by this transaction.
    pub(super) fn topology_changed(&self) {
        self.topology.stale.set(true);
    }

    /// Hands a delivery to the engine as soon as this is committed, in the order of the commits: whoever asked for
    /// it may be gone by then, and two of one user never change places.
    pub fn send_after_commit(&self, delivery: Queued) {
        self.outbox.borrow_mut().push(delivery);
    }

    /// Tells whoever begins comparisons that one became due, as soon as this is committed.
    pub(super) fn comparison_due(&self) {
        self.due.set(true);
    }

    /// Counts direct messages as this transaction leaves them.
    pub(super) fn count_direct(&self, count: impl FnOnce(&mut Directs)) {
        let mut directs = self.directs.get();
        count(&mut directs);
        self.directs.set(directs);
    }

    pub(super) fn connection(&self) -> &Connection {
        self.view.connection
    }
}

/// Tells a caller what became of its change, once the group is committed or not.
type Settle = Box<dyn FnOnce(Result<(), Fault>) + Send>;
/// A change to run, or the reason why no transaction could begin for it.
type Job = Box<dyn FnOnce(Result<&Change<'_>, Fault>) -> Settle + Send>;

#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        clock: Clock,
        shared: Arc<Shared>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&connection, &clock, &shared, queue))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { jobs })
    }

    pub(super) async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Fault>>, Fault> {
        let (answer, receiver) = oneshot::channel();
        let job: Job = Box::new(move |change| {
            let outcome = change.and_then(|change| savepoint(change, work));
            Box::new(move |committed| {
                // The caller may have gone away: its change stands all the same.
                let _ = answer.send(outcome.and_then(|value| committed.map(|()| value)));
            })
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        Ok(receiver)
    }
}

/// Runs `work` so that its failure, or its panic, takes back its own changes and no other's.
fn savepoint<T>(change: &Change<'_>, work: impl FnOnce(&Change<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
    let sql =
        |sql| change.connection().execute_batch(sql).map_err(|error| Fault::from(StoreError::from(error)));
    // Outside a transaction a savepoint would commit by itself.
    if let Some(fault) = change.ended.borrow().clone() {
        return Err(fault);
    }
    sql("SAVEPOINT job")?;
    let (before, directs) = (change.outbox.borrow().len(), change.directs.get());
    let told = |value| Ok(change.store_told().map(|()| value)?);
    let outcome = catch_unwind(AssertUnwindSafe(|| work(change)))
        .unwrap_or_else(|_| Err(Fault::internal("a change of the store panicked")))
        .and_then(told);
    match outcome {
        Ok(value) => sql("RELEASE job").map(|()| value),
        Err(fault) => {
            // What was rolled back may have been a link: read the topology again either way.
            change.topology_changed();
            change.outbox.borrow_mut().truncate(before);
            change.forget_told();
            change.directs.set(directs);
            if change.connection().is_autocommit() {
                change.ended.replace(Some(fault.clone()));
                return Err(fault);
            }
            sql("ROLLBACK TO job; RELEASE job")?;
            Err(fault)
        }
    }
}

fn run(connection: &Connection, clock: &Clock, shared: &Shared, mut queue: mpsc::Receiver<Job>) {
    let published = || Arc::clone(&shared.topology.read().unwrap_or_else(PoisonError::into_inner));
    let topology =
        TopologyCell { current: published().into(), own: Arc::clone(&shared.own), stale: Cell::new(false) };
    let mut group = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while group.len() < GROUP {
            let Ok(job) = queue.try_recv() else { break };
            group.push(job);
        }
        let mut settles = Vec::with_capacity(group.len());
        let before = Before {
            directs: *shared.directs.borrow(),
            budgets: *shared.budgets.read().unwrap_or_else(PoisonError::into_inner),
        };
        let directs = before.directs;
        let mut committed = commit(connection, clock, &topology, &before, group.drain(..), &mut settles);
        match &mut committed {
            Ok(Committed { sequence, audited, directs: left, outbox, due }) => {
                *shared.topology.write().unwrap_or_else(PoisonError::into_inner) =
                    Arc::clone(&topology.current.borrow());
                // Nothing to send is news too, where somebody waits for less or more than before.
                if !outbox.is_empty() || left.holding != directs.holding {
                    let released = Released { deliveries: std::mem::take(outbox), holding: left.holding };
                    // Where the engine is gone the store still has them, and the next start sends them.
                    let _ = shared.outbox.send(released);
                }
                // After that: whoever is woken by these finds the engine told.
                shared.sequence.send_if_modified(|last| std::mem::replace(last, *sequence) != *sequence);
                shared.audited.send_if_modified(|last| std::mem::replace(last, *audited) != *audited);
                shared.directs.send_if_modified(|last| std::mem::replace(last, *left) != *left);
                shared.due.send_if_modified(|times| {
                    *times += u64::from(*due);
                    *due
                });
                #[cfg(test)]
                shared.commits.send_modify(|commits| *commits += 1);
            }
            Err(error) => {
                tracing::error!("a group of {} changes was not committed: {error}", settles.len());
                *topology.current.borrow_mut() = published();
                topology.stale.set(true);
            }
        }
        let committed = committed.map(drop);
        settles.into_iter().for_each(|settle| settle(committed.clone()));
    }
}

/// What a commit hands to the engine.
#[derive(Debug)]
pub struct Released {
    /// What is to be sent, in order.
    pub deliveries: Vec<Queued>,
    /// How many punishments wait by now until somebody was told of them.
    pub holding: u64,
}

/// What a commit leaves behind: where events and audit end, how direct messages stand, and what is to be sent.
struct Committed {
    sequence: u64,
    audited: u64,
    directs: Directs,
    outbox: Vec<Queued>,
    /// Whether a comparison became due.
    due: bool,
}

/// What a group of changes begins with, beside the store itself.
struct Before {
    directs: Directs,
    budgets: Budgets,
}

/// Runs the group in one transaction and returns what its commit leaves behind.
fn commit(
    connection: &Connection,
    clock: &Clock,
    topology: &TopologyCell,
    before: &Before,
    group: impl Iterator<Item = Job>,
    settles: &mut Vec<Settle>,
) -> Result<Committed, Fault> {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    let change = Change {
        view: View { connection, now: clock.now(), skew: clock.skew() },
        topology,
        outbox: RefCell::default(),
        budgets: before.budgets,
        directs: Cell::new(before.directs),
        due: Cell::default(),
        told: RefCell::default(),
        ended: RefCell::new(None),
    };
    // Outside a transaction a savepoint would commit by itself: where none could begin, nothing is run.
    let refusal = begun.err().map(|error| Fault::from(StoreError::from(error)));
    settles.extend(group.map(|job| job(refusal.clone().map_or(Ok(&change), Err))));
    let finish = || -> Result<Committed, StoreError> {
        let (sequence, audited) = (change.last_event()?, change.chain_head()?.rows);
        change.topology_here()?;
        connection.execute_batch("COMMIT")?;
        let (directs, due) = (change.directs.get(), change.due.get());
        Ok(Committed { sequence, audited, directs, outbox: change.outbox.take(), due })
    };
    let ended = refusal.or_else(|| change.ended.borrow_mut().take());
    ended.map_or_else(|| finish().map_err(Fault::from), Err).inspect_err(|_| {
        // A transaction that could not begin has nothing to roll back, and SQLite says so; nothing is lost.
        let _ = connection.execute_batch("ROLLBACK");
    })
}
