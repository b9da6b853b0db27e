//! What became of the runs of each task.

use super::Trigger;
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Timestamp;

/// What a task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskState {
    /// It waits for its next run.
    #[default]
    Waiting,
    /// It runs.
    Running,
    /// Its last run failed; it waits to run again.
    Failing,
    /// It has ended, with the daemon or because there is nothing left for it to do.
    Ended,
}

/// What became of the runs of a task since the daemon started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskRecord {
    /// Its name.
    pub name: &'static str,
    /// What it is doing.
    pub state: TaskState,
    /// When its last run began.
    pub last_run: Option<Timestamp>,
    /// When it runs next, at the latest; nothing where it waits for an event alone.
    pub next_run: Option<Timestamp>,
    /// How many runs have ended, failed ones too.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How many of the last ones failed.
    pub failures_in_a_row: u32,
    /// Why the last failed run failed.
    pub last_fault: Option<String>,
    /// How long the last run took.
    pub last_duration: Option<Duration>,
    /// How long all runs took together.
    pub total_duration: Duration,
}

impl TaskRecord {
    /// How long a run took on average.
    pub fn mean_duration(&self) -> Option<Duration> {
        let runs = u32::try_from(self.runs).unwrap_or(u32::MAX);
        self.total_duration.checked_div(runs)
    }
}

/// Each record by its task's name, and when a run of it began that goes on.
type All = BTreeMap<&'static str, (TaskRecord, Option<Instant>)>;

/// The records of all tasks. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Records {
    clock: Clock,
    all: Arc<Mutex<All>>,
}

impl Records {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, all: Arc::default() }
    }

    pub(super) fn add(&self, name: &'static str) {
        self.lock().insert(name, (TaskRecord { name, ..TaskRecord::default() }, None));
    }

    pub(super) fn all(&self) -> Vec<TaskRecord> {
        self.lock().values().map(|(record, _)| record.clone()).collect()
    }

    pub(super) fn begun(&self, name: &'static str) {
        let now = self.clock.now();
        self.change(name, |record, begun| {
            (record.state, record.last_run, record.next_run) = (TaskState::Running, Some(now), None);
            *begun = Some(Instant::now());
        });
    }

    pub(super) fn succeeded(&self, name: &'static str, next: &Trigger) {
        let next = match next {
            Trigger::Now => Some(Duration::ZERO),
            Trigger::After(span) | Trigger::EventWithin(_, span) => Some(*span),
            Trigger::Event(_) | Trigger::Never => None,
        };
        self.over(name, next, |record| {
            (record.state, record.failures_in_a_row) = (TaskState::Waiting, 0);
        });
    }

    pub(super) fn failed(&self, name: &'static str, fault: &Fault, wait: Duration) {
        self.over(name, Some(wait), |record| {
            record.state = TaskState::Failing;
            record.failures += 1;
            record.failures_in_a_row += 1;
            record.last_fault = Some(fault.message.clone());
        });
    }

    pub(super) fn ended(&self, name: &'static str) {
        self.change(name, |record, _| (record.state, record.next_run) = (TaskState::Ended, None));
    }

    fn over(&self, name: &'static str, next: Option<Duration>, how: impl FnOnce(&mut TaskRecord)) {
        let now = self.clock.now();
        self.change(name, |record, begun| {
            let took = begun.take().map(|begun| begun.elapsed());
            record.runs += 1;
            record.last_duration = took;
            record.total_duration += took.unwrap_or_default();
            // What lies beyond the calendar is never.
            record.next_run = next.and_then(|span| {
                let at = now.millis().checked_add(i64::try_from(span.as_millis()).ok()?)?;
                Some(Timestamp::from_millis(at))
            });
            how(record);
        });
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut TaskRecord, &mut Option<Instant>)) {
        if let Some((record, begun)) = self.lock().get_mut(name) {
            change(record, begun);
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
