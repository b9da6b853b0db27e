//! What `audit verify` says of a store that somebody has been at.

use crate::audit::mark;
use crate::store::{AuditRow, Personal};
use crate::tasks::run_alone;
use crate::testing::{PATIENCE, TestDaemon, by_operator, home, sandbox};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::audit::{AuditResult, AuditVerified, AuditVerify};
use wayhaven_shared::operations::job::{Job, JobResult, JobState};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::ChainMark;
use wayhaven_shared::{Fault, FaultKind};

/// More rows than are read at once, some of them with everything beside them.
async fn fill(test: &TestDaemon) {
    let filled = test.systems.services.store().write(|change| {
        for number in 0..4_500_u32 {
            let personal = Personal { actor: Some(format!("{number}")), ..Personal::default() };
            change.audit(&AuditRow {
                intent: None,
                result: Some(AuditResult::Success),
                operation: "status",
                family: "system",
                surface: "cli",
                guild: None,
                channel: None,
                fault: None,
                micros: Some(7),
                personal,
            })?;
        }
        Ok(())
    });
    filled.await.unwrap();
}

async fn ask(test: &TestDaemon, noted: Option<ChainMark>) -> Result<Job, Fault> {
    let request: Request = AuditVerify { noted }.into();
    let Reply::AuditVerify(job) = test.ask(by_operator(Role::Observer, None, request)).await? else {
        panic!("another reply")
    };
    Ok(job)
}

async fn verified(test: &TestDaemon, noted: Option<ChainMark>) -> (Job, AuditVerified) {
    let id = ask(test, noted).await.unwrap().id;
    test.until("it is verified", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    let Some(JobResult::AuditVerified(found)) = job.result.clone() else { panic!("{job:?}") };
    (job, found)
}

/// Somebody with other tools than ours.
fn burgle(test: &TestDaemon, sql: &str) {
    let shell = Connection::open(test.systems.services.layout().store()).unwrap();
    shell.busy_timeout(Duration::from_secs(5)).unwrap();
    shell.pragma_update(None, "foreign_keys", false).unwrap();
    let drop = "DROP TRIGGER IF EXISTS command_audit_is_not_changed; DROP TRIGGER IF EXISTS command_audit_is_not_deleted;";
    shell.execute_batch(drop).unwrap();
    shell.execute_batch(sql).unwrap();
}

async fn started() -> (Sandbox, TestDaemon) {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    fill(&test).await;
    (sandbox, test)
}

#[tokio::test]
async fn what_was_never_touched_holds_and_its_end_can_be_noted() {
    let (_sandbox, test) = started().await;
    let (job, found) = verified(&test, None).await;
    assert!(found.rows >= 4_500 && found.broken.is_none() && found.cut.is_none(), "{found:?}");
    assert_eq!((job.done, job.verdict()), (found.rows, None));
    let mark = found.mark;
    // What is noted stays true while the chain grows.
    let (_, later) = verified(&test, Some(mark)).await;
    assert!(later.rows > found.rows && later.cut.is_none(), "{later:?}");
}

#[tokio::test]
async fn a_changed_row_is_named_and_the_exit_code_says_so() {
    let (_sandbox, test) = started().await;
    burgle(&test, "UPDATE command_audit SET surface = 'console' WHERE id = 3000");
    let (job, found) = verified(&test, None).await;
    let broken = found.broken.unwrap();
    assert_eq!((broken.row, found.rows), (3_000, 2_999));
    let verdict = job.verdict().unwrap();
    assert_eq!(verdict.kind, FaultKind::Verification);
    assert!(verdict.message.contains("row 3000"), "{verdict:?}");
    assert!(job.report().title.contains("does not hold after 2999 rows"), "{:?}", job.report().title);
}

#[tokio::test]
async fn a_cut_tail_shows_against_what_was_noted_here_and_elsewhere() {
    let (_sandbox, test) = started().await;
    let (_, whole) = verified(&test, None).await;
    let rows = whole.rows;
    burgle(
        &test,
        &format!(
            "DELETE FROM command_audit_personal WHERE audit_id > {0}; DELETE FROM command_audit WHERE id > {0};",
            rows - 10
        ),
    );
    // The chain alone does not know.
    let (_, alone) = verified(&test, None).await;
    assert!(alone.cut.is_none() && alone.broken.is_none(), "{alone:?}");
    let (job, held) = verified(&test, Some(whole.mark)).await;
    assert!(held.broken.is_none(), "{held:?}");
    let cut = held.cut.unwrap();
    assert!(cut.what.contains(&format!("{rows} rows")) || cut.what.contains("written anew"), "{cut:?}");
    assert_eq!(job.verdict().unwrap().kind, FaultKind::Verification);

    // A tail that was written anew, as long as the one before.
    fill(&test).await;
    let (_, anew) = verified(&test, Some(whole.mark)).await;
    assert!(anew.cut.unwrap().what.contains("written anew"));
}

/// Notes the end until the daemon stops, or there is nothing left to vouch for.
fn marks(test: &TestDaemon) -> impl Future<Output = ()> + use<> {
    run_alone(test.systems.services.clone(), test.systems.audit.marking(Duration::from_millis(1)))
}

#[tokio::test]
async fn the_daemon_notes_the_end_itself_and_raises_an_alert_where_it_is_gone() {
    let sandbox = sandbox(0).await;
    let home = Arc::new(home());
    let test = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    fill(&test).await;
    let keeping = tokio::spawn(marks(&test));
    let path = test.systems.services.layout().audit_mark();
    let noted = || mark::read(&path).unwrap().map_or(0, ChainMark::rows);
    let wait = async {
        while noted() < 4_500 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    let (_, held) = verified(&test, None).await;
    assert!(held.noted.is_some_and(|mark| mark.rows() >= 4_500) && held.cut.is_none(), "{held:?}");
    test.systems.services.lifecycle().stop();
    keeping.await.unwrap();
    test.systems.audit.note_last().await;
    let last = mark::read(&path).unwrap().unwrap();
    assert_eq!(test.read(|view| view.chain_head().unwrap().mark()).await, Some(last));

    burgle(
        &test,
        "DELETE FROM command_audit_personal WHERE audit_id > 100; DELETE FROM command_audit WHERE id > 100;",
    );
    drop(test);
    let test = TestDaemon::start_at(&sandbox, home).await;
    marks(&test).await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
    assert!(test.alerts().await.contains(&"audit_cut".to_owned()));
    assert_eq!(mark::read(&path).unwrap(), Some(last), "the proof stays");
    let (_, cut) = verified(&test, None).await;
    assert!(cut.cut.unwrap().what.contains("the mark beside the store has"));
    // Also once the chain has grown past it: what came after the cut is not vouched for.
    fill(&test).await;
    fill(&test).await;
    test.systems.audit.note_last().await;
    assert_eq!(mark::read(&path).unwrap(), Some(last), "at the end too");
    marks(&test).await;
    assert_eq!(mark::read(&path).unwrap(), Some(last), "and at the next start");

    std::fs::write(&path, "no mark").unwrap();
    let (_, odd) = verified(&test, None).await;
    assert!(odd.cut.unwrap().what.contains("was changed"));
}

#[tokio::test]
async fn one_at_a_time_and_a_cancelled_one_says_nothing() {
    let (_sandbox, test) = started().await;
    let stored = test.systems.services.store().write(|change| {
        Ok(change.begin_job(&crate::store::NewJob {
            kind: wayhaven_shared::operations::job::JobKind::AuditVerify,
            guild: None,
            main: None,
            asked_by: "7".into(),
            dry_run: false,
            cursor: serde_json::Value::Null,
        })?)
    });
    let id = stored.await.unwrap();
    let second = ask(&test, None).await.unwrap_err();
    assert_eq!(second.kind, FaultKind::Conflict);
    let end = test
        .systems
        .services
        .store()
        .write(move |change| Ok(change.end_job(id, JobState::Cancelled, None, None)?));
    assert!(end.await.unwrap());
    ask(&test, None).await.unwrap();
}

#[tokio::test]
async fn a_tail_that_is_cut_while_the_daemon_runs_is_found_with_the_next_row() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    fill(&test).await;
    let keeping = tokio::spawn(marks(&test));
    let path = test.systems.services.layout().audit_mark();
    let wait = async {
        while mark::read(&path).unwrap().map_or(0, ChainMark::rows) < 4_500 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    burgle(
        &test,
        "DELETE FROM command_audit_personal WHERE audit_id > 100; DELETE FROM command_audit WHERE id > 100;",
    );
    fill(&test).await;
    tokio::time::timeout(PATIENCE, keeping).await.unwrap().unwrap();
    assert!(test.alerts().await.contains(&"audit_cut".to_owned()));
}
