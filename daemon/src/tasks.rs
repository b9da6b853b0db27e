//! What the daemon does by itself, again and again: one runner for every task.
//!
//! A run that fails, panics or takes too long costs nothing but that run: it is counted, tried again after a wait that
//! doubles, and raises an alert after three failures in a row. The runner ends with the daemon, and is waited for.

mod record;

pub use record::{TaskRecord, TaskState};

use crate::backoff::backoff;
use crate::services::Services;
use crate::store::Severity;
use futures::FutureExt;
use futures::future::BoxFuture;
use record::Records;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wayhaven_shared::Fault;

/// After so many failed runs in a row an alert is raised.
const ALERT_AFTER: u32 = 3;

/// The alert that a task keeps failing.
const FAILING: &str = "task_failing";

/// How long a run may take, unless its task says otherwise. What takes longer has hung.
const LONGEST_RUN: Duration = Duration::from_secs(30 * 60);

/// When a task runs next.
pub enum Trigger {
    /// At once.
    Now,
    /// After so long.
    After(Duration),
    /// Once something has happened.
    Event(BoxFuture<'static, ()>),
    /// Once something has happened, but after so long at the latest.
    EventWithin(BoxFuture<'static, ()>, Duration),
    /// Never again: there is nothing left for it to do.
    Never,
}

/// Until when a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until the daemon is asked to stop.
    Stopping,
    /// Until everything that had begun is finished: other work that is being finished waits for this task.
    Closing,
}

/// Something that the daemon does again and again.
pub trait Task: Send + 'static {
    /// Its name, of one word or several with hyphens. No two tasks have the same.
    fn name(&self) -> &'static str;

    /// Does it once. It may be dropped at any await where the daemon stops or the run takes too long.
    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>>;

    /// When it runs next, asked after each run that succeeded.
    fn next(&mut self) -> Trigger;

    /// Until when it runs.
    fn until(&self) -> Until {
        Until::Stopping
    }

    /// How long a run may take.
    fn longest_run(&self) -> Duration {
        LONGEST_RUN
    }

    /// What is left to do once it runs no more.
    fn end(&mut self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

/// Runs the tasks.
pub struct Tasks {
    services: Services,
    records: Records,
    running: Mutex<JoinSet<()>>,
}

impl Tasks {
    /// Runs no task yet.
    pub fn new(services: Services) -> Self {
        let records = Records::new(services.clock().clone());
        Self { services, records, running: Mutex::default() }
    }

    /// Starts these tasks. Each runs once at the start.
    pub async fn start(&self, tasks: Vec<Box<dyn Task>>) {
        let mut running = self.running.lock().await;
        // Whatever failed before the daemon was restarted is told again where it still fails.
        resolve(&self.services, "the daemon was restarted".to_owned()).await;
        for task in tasks {
            self.records.add(task.name());
            running.spawn(keep(self.services.clone(), self.records.clone(), task));
        }
    }

    /// Every task with what became of its runs, by name.
    pub fn records(&self) -> Vec<TaskRecord> {
        self.records.all()
    }

    /// Waits until all tasks have ended: the daemon was asked to stop, and closes.
    pub async fn ended(&self) {
        let mut running = self.running.lock().await;
        while running.join_next().await.is_some() {}
    }
}

/// Runs a task until it has to end.
async fn keep(services: Services, records: Records, mut task: Box<dyn Task>) {
    let name = task.name();
    let mut until = match task.until() {
        Until::Stopping => services.lifecycle().stopping(),
        Until::Closing => services.lifecycle().closing(),
    };
    tokio::select! {
        biased;
        () = until.raised() => {}
        () = repeat(&services, &records, task.as_mut()) => {}
    }
    if AssertUnwindSafe(task.end()).catch_unwind().await.is_err() {
        tracing::error!(task = name, "the end of a task panicked");
    }
    records.ended(name);
}

/// Runs one task alone, until the daemon ends it.
#[cfg(test)]
pub(crate) async fn run_alone(services: Services, task: impl Task) {
    let records = Records::new(services.clock().clone());
    keep(services, records, Box::new(task)).await;
}

async fn repeat(services: &Services, records: &Records, task: &mut dyn Task) {
    let (name, longest) = (task.name(), task.longest_run());
    let mut failures = 0;
    loop {
        records.begun(name);
        let run = AssertUnwindSafe(task.run()).catch_unwind();
        let outcome = match timeout(longest, run).await {
            Ok(Ok(outcome)) => outcome,
            // The panic's hook has logged where and why.
            Ok(Err(_)) => Err(Fault::internal("it panicked, which the log tells of")),
            Err(_) => Err(Fault::internal(format!("a run took longer than {} s", longest.as_secs()))),
        };
        match outcome {
            Ok(()) => {
                if failures >= ALERT_AFTER {
                    recovered(services, records, name).await;
                }
                failures = 0;
                let next = task.next();
                records.succeeded(name, &next);
                match next {
                    Trigger::Now => tokio::task::yield_now().await,
                    Trigger::After(span) => sleep(span).await,
                    Trigger::Event(event) => event.await,
                    Trigger::EventWithin(event, span) => drop(timeout(span, event).await),
                    Trigger::Never => return,
                }
            }
            Err(fault) => {
                failures += 1;
                let wait = backoff(failures);
                tracing::warn!(task = name, failures, "a task failed and runs again: {fault}");
                records.failed(name, &fault, wait);
                if failures == ALERT_AFTER {
                    alert(services, name, &fault).await;
                }
                sleep(wait).await;
            }
        }
    }
}

async fn alert(services: &Services, name: &'static str, fault: &Fault) {
    let details =
        format!("the task {name} failed {ALERT_AFTER} times in a row, and is tried again: {}", fault.message);
    let raise = move |change: &crate::store::Change<'_>| {
        Ok(change.alert(FAILING, Severity::High, None, None, &details)?)
    };
    services.store().write_later("an alert", raise).await;
}

/// A task that kept failing has succeeded: where it was the last of them, the alert is over.
async fn recovered(services: &Services, records: &Records, name: &'static str) {
    if records.all().iter().any(|other| other.name != name && other.failures_in_a_row >= ALERT_AFTER) {
        return;
    }
    resolve(services, format!("the task {name} succeeded")).await;
}

async fn resolve(services: &Services, note: String) {
    let resolve = move |change: &crate::store::Change<'_>| Ok(change.resolve_kind(FAILING, &note)?);
    services.store().write_later("an alert that is over", resolve).await;
}

#[cfg(test)]
mod tests;
