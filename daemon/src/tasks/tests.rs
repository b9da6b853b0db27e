//! What becomes of tasks that panic, fail or hang, and of one that the daemon's end meets.

use super::*;
use crate::testing::{TestDaemon, sandbox};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Notify, watch};

/// How a run ends.
type Run = Box<dyn Fn(u32) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// A task whose runs end as a test says.
struct Scripted {
    name: &'static str,
    run: Run,
    runs: watch::Sender<u32>,
    longest: Duration,
    ended: Arc<AtomicU32>,
}

impl Task for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.runs.send_modify(|runs| *runs += 1);
        (self.run)(*self.runs.borrow())
    }

    fn next(&mut self) -> Trigger {
        Trigger::After(Duration::from_millis(1))
    }

    fn longest_run(&self) -> Duration {
        self.longest
    }

    fn end(&mut self) -> BoxFuture<'_, ()> {
        self.ended.fetch_add(1, Ordering::SeqCst);
        std::future::ready(()).boxed()
    }
}

/// A runner with one scripted task, and how many of its runs have begun.
struct Stage {
    test: TestDaemon,
    tasks: Arc<Tasks>,
    runs: watch::Receiver<u32>,
    ended: Arc<AtomicU32>,
}

impl Stage {
    async fn set(longest: Duration, run: Run) -> Self {
        let test = TestDaemon::start(&sandbox(0).await).await;
        let tasks = Arc::new(Tasks::new(test.systems.services.clone()));
        let (runs, ended) = (watch::Sender::new(0), Arc::default());
        let follow = runs.subscribe();
        let task = Scripted { name: "scripted", run, runs, longest, ended: Arc::clone(&ended) };
        tasks.start(vec![Box::new(task)]).await;
        Self { test, tasks, runs: follow, ended }
    }

    async fn until_run(&mut self, count: u32) {
        let begun = self.runs.wait_for(|runs| *runs >= count);
        tokio::time::timeout(crate::testing::PATIENCE, begun).await.unwrap().unwrap();
    }

    fn record(&self) -> TaskRecord {
        let [record] = self.tasks.records().try_into().unwrap();
        record
    }

    async fn until_alerts(&self, open: bool) {
        self.test
            .until("the alert", move |view| {
                let filter = crate::store::AlertFilter::default();
                view.alerts(&filter, 100).unwrap().iter().any(|alert| alert.kind == FAILING) == open
            })
            .await;
    }
}

fn failure() -> Fault {
    Fault::unavailable("nothing works")
}

#[tokio::test]
async fn a_task_that_always_fails_runs_again_with_longer_waits_and_raises_one_alert() {
    let mut stage = Stage::set(LONGEST_RUN, Box::new(|_| std::future::ready(Err(failure())).boxed())).await;
    stage.until_run(4).await;
    stage.until_alerts(true).await;
    let record = stage.record();
    assert!(record.failures >= 3 && record.failures == record.runs, "{record:?}");
    assert_eq!(u64::from(record.failures_in_a_row), record.failures);
    assert_eq!(record.last_fault.as_deref(), Some("nothing works"));
    assert!(record.last_duration.is_some() && record.mean_duration().is_some() && record.last_run.is_some());
    let alerts = stage.test.alerts().await;
    assert_eq!(alerts.iter().filter(|kind| *kind == FAILING).count(), 1, "{alerts:?}");
}

#[tokio::test]
async fn a_task_that_always_panics_ends_nothing_else() {
    let mut stage = Stage::set(LONGEST_RUN, Box::new(|_| async { panic!("a test's") }.boxed())).await;
    stage.until_run(4).await;
    stage.until_alerts(true).await;
    assert!(stage.record().last_fault.unwrap().contains("panicked"));
    assert_ne!(stage.record().state, TaskState::Ended);
    // Every other task goes on.
    let others = stage.test.systems.runner.records();
    assert!(others.len() > 10 && others.iter().all(|one| one.state != TaskState::Ended), "{others:?}");
}

#[tokio::test]
async fn a_run_that_hangs_is_ended_and_counts_as_failed() {
    let hangs = |_| std::future::pending().boxed();
    let mut stage = Stage::set(Duration::from_millis(5), Box::new(hangs)).await;
    stage.until_run(3).await;
    let record = stage.record();
    assert!(record.failures >= 2 && record.last_fault.unwrap().contains("took longer"));
}

#[tokio::test]
async fn a_task_that_works_again_ends_its_alert() {
    let recovers = |run| std::future::ready(if run <= ALERT_AFTER { Err(failure()) } else { Ok(()) }).boxed();
    let mut stage = Stage::set(LONGEST_RUN, Box::new(recovers)).await;
    stage.until_run(ALERT_AFTER + 2).await;
    stage.until_alerts(false).await;
    let record = stage.record();
    assert_eq!((record.failures, record.failures_in_a_row), (u64::from(ALERT_AFTER), 0));
    assert!(record.runs > record.failures && record.next_run.is_some());
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_run_ends_it_and_is_waited_for() {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let works = move |_| {
        enter.notify_one();
        std::future::pending().boxed()
    };
    let stage = Stage::set(LONGEST_RUN, Box::new(works)).await;
    entered.notified().await;
    assert_eq!((stage.record().state, stage.ended.load(Ordering::SeqCst)), (TaskState::Running, 0));
    stage.test.systems.services.lifecycle().stop();
    tokio::time::timeout(crate::testing::PATIENCE, stage.tasks.ended()).await.unwrap();
    assert_eq!((stage.record().state, stage.ended.load(Ordering::SeqCst)), (TaskState::Ended, 1));
    assert_eq!(stage.record().runs, 0, "a run that was ended by the daemon has not failed");
}

#[tokio::test]
async fn every_task_of_a_daemon_ends_with_it() {
    let test = TestDaemon::start(&sandbox(1).await).await;
    let names: Vec<_> = test.systems.runner.records().into_iter().map(|one| one.name).collect();
    for name in ["health", "audit-mark", "closing", "containment", "uploads", "doctor", "notices", "schedule"]
    {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(names.contains(&"reconcile") && names.contains(&"direct-messages"), "{names:?}");
    let lifecycle = test.systems.services.lifecycle();
    lifecycle.stop();
    lifecycle.close();
    tokio::time::timeout(crate::testing::PATIENCE, test.systems.runner.ended()).await.unwrap();
    assert!(test.systems.runner.records().iter().all(|one| one.state == TaskState::Ended));
}
