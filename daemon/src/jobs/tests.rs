//! Jobs that end, are ended, and are left by a daemon that stops.

use super::*;
use crate::testing::{TestDaemon, asked, guild, sandbox};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operations::job::{JobCancel, JobKind, JobList, JobShow};
use wayhaven_shared::operations::reconcile::Reconciled;

fn new(of: u64) -> NewJob {
    NewJob {
        kind: JobKind::Reconcile,
        guild: Some(guild(of)),
        main: None,
        asked_by: "somebody".into(),
        dry_run: true,
        cursor: serde_json::json!({ "at": 7 }),
    }
}

async fn for_ever(running: Running, _: Value) -> Result<JobResult, Stop> {
    running.unless_cancelled(std::future::pending()).await
}

#[tokio::test]
async fn a_job_that_is_quick_answers_with_what_it_found_and_has_its_cursor() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let work = move |_, cursor: Value| async move {
        assert_eq!(cursor["at"], 7);
        Ok(JobResult::Reconciled(Reconciled::new(guild(child), false)))
    };
    let job = test.systems.jobs.begin(new(child), work).await.unwrap();
    assert_eq!(job.state, JobState::Done);
    assert!(job.result.is_some());
    let told = test.told().await;
    let told: Vec<JobState> = told
        .into_iter()
        .filter_map(|change| match change {
            wayhaven_shared::event::Change::Job { job } => Some(job.state),
            _ => None,
        })
        .collect();
    assert_eq!(told, [JobState::Running, JobState::Done]);
}

#[tokio::test]
async fn an_ended_job_shows_its_last_progress_however_soon_that_came() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let end = |stop: Option<&'static str>| {
        move |mut running: Running, _| async move {
            for done in 1..=3 {
                running.tell(done, Some(3), None).await;
            }
            match stop {
                Some(why) => Err(Stop::Over(why.to_owned())),
                None => Ok(JobResult::Reconciled(Reconciled::new(guild(child), false))),
            }
        }
    };
    for (stop, state) in [(None, JobState::Done), (Some("the guild left"), JobState::Cancelled)] {
        let job = test.systems.jobs.begin(new(child), end(stop)).await.unwrap();
        assert_eq!((job.state, job.done, job.total), (state, 3, Some(3)));
    }
}

#[tokio::test]
async fn a_job_that_goes_on_is_shown_ended_by_its_number_and_begun_once_only() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let job = test.systems.jobs.begin(new(child), for_ever).await.unwrap();
    assert_eq!(job.state, JobState::Running, "nobody is kept waiting");
    let fault = test.systems.jobs.begin(new(child), for_ever).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict);
    assert!(fault.message.contains(&format!("job {}", job.id)), "{}", fault.message);

    let list = asked(&test, child, JobList { running: true, limit: None }, false).await.unwrap();
    assert_eq!(list.jobs.iter().map(|one| one.id).collect::<Vec<_>>(), [job.id]);
    // It is not every guild's business.
    let fault = asked(&test, other, JobShow { id: job.id }, false).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(asked(&test, main, JobList::default(), false).await.unwrap().jobs.is_empty());

    let would = asked(&test, child, JobCancel { id: job.id }, true).await.unwrap();
    assert!(would.dry_run && !would.already);
    assert!(asked(&test, child, JobShow { id: job.id }, false).await.unwrap().is_running());
    asked(&test, child, JobCancel { id: job.id }, false).await.unwrap();
    let id = job.id;
    test.until("its end", move |view| view.job(id).unwrap().unwrap().state == JobState::Cancelled).await;
    let again = asked(&test, child, JobCancel { id: job.id }, false).await.unwrap();
    assert!(again.already);
}

#[tokio::test]
async fn plans_of_imports_run_beside_each_other_and_beside_an_import() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let import = |dry_run| NewJob { kind: JobKind::Import, dry_run, ..new(main) };
    let Concurrency::OnePerGuildAndPlans(plans) = JobKind::Import.concurrency() else { panic!("no plans") };
    for _ in 0..plans {
        assert!(test.systems.jobs.begin(import(true), for_ever).await.unwrap().is_running());
    }
    let fault = test.systems.jobs.begin(import(true), for_ever).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict);
    assert!(fault.message.contains("a dry run, runs already"), "{}", fault.message);
    assert!(fault.hints.iter().any(|hint| hint.contains("wayhaven job cancel 1")), "{:?}", fault.hints);
    assert!(test.systems.jobs.begin(import(false), for_ever).await.unwrap().is_running());
    assert!(test.systems.jobs.begin(import(false), for_ever).await.is_err(), "one import at a time");
}

#[tokio::test]
async fn what_fails_because_the_daemon_goes_is_left_to_the_next_start() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    async fn is_shut_out(_: Running, _: Value) -> Result<JobResult, Stop> {
        Err(Fault::from(crate::store::StoreError::Closed).into())
    }
    let job = test.systems.jobs.begin(new(sandbox.children()[0]), is_shut_out).await.unwrap();
    assert_eq!(job.state, JobState::Running);
}

#[tokio::test]
async fn a_panic_costs_the_job_and_a_plan_that_a_stop_has_cut_is_called_interrupted_by_the_next_start() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, other) = (sandbox.children()[0], sandbox.children()[1]);
    async fn panics(_: Running, _: Value) -> Result<JobResult, Stop> {
        panic!("on purpose")
    }
    let job = test.systems.jobs.begin(new(child), panics).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert!(job.note.unwrap().raw().contains("defect"));

    let left = test.systems.jobs.begin(new(other), for_ever).await.unwrap();
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    let id = left.id;
    next.until("the next start has seen it", move |view| {
        view.job(id).unwrap().unwrap().state == JobState::Interrupted
    })
    .await;
}

#[tokio::test]
async fn what_a_job_leaves_to_be_done_is_done_once_its_end_is_stored() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    for fails in [false, true] {
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = move |running: Running, _| async move {
            // On that thread the writer's last commit is already published.
            let store = running.services.store().clone();
            running.once_over(move || tell.send(*store.sequence().borrow()).unwrap());
            match fails {
                false => Ok(JobResult::Reconciled(Reconciled::new(guild(child), false))),
                true => Err(Stop::Failed(Fault::internal("it cannot"))),
            }
        };
        let job = test.systems.jobs.begin(new(child), work).await.unwrap();
        assert!(!job.is_running());
        let (seen, kept) = (told.await.unwrap(), job.id);
        let events = test.read(|view| view.events_after(0, 10_000).unwrap().0).await;
        let ended = events.into_iter().find(|event| match &event.change {
            wayhaven_shared::event::Change::Job { job } => job.id == kept && !job.is_running(),
            _ => false,
        });
        assert!(seen >= ended.unwrap().sequence, "the end is stored by then");
    }
}

/// Another guild may have asked for the running job.
#[tokio::test]
async fn one_audit_verify_job_runs_overall_and_the_refusal_does_not_name_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let verify = |guild| NewJob { kind: JobKind::AuditVerify, guild, dry_run: false, ..new(1) };
    let asker = guild(sandbox.main_guild());
    assert!(test.systems.jobs.begin(verify(None), for_ever).await.unwrap().is_running());
    let fault = test.systems.jobs.begin(verify(Some(asker)), for_ever).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict);
    assert!(fault.message.contains("audit verify"), "{fault}");
    assert!(!fault.message.contains("job 1"), "{fault}");
}
