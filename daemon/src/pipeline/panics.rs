//! Defects in a handler and in the change it makes (FAULTS 42).

use crate::clock::Clock;
use crate::failpoint::{Point, arm};
use crate::log;
use crate::settings::LogLevel;
use crate::testing::{TestDaemon, by_operator, sandbox, user};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::punishment::DeliveryState;

/// Set in the process that a test starts of itself: the hook for panics and the log are a process's own.
const INSIDE: &str = "WAYHAVEN_TEST_FAULT_42";

/// A ban during which a defect happens: its caller learns of it, nothing else does, and the next request works.
async fn a_defect_concerns_its_caller_only(point: Point) {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    arm(point, user(victim));
    let request = || Ban::new(user(victim)).into();
    let fault = test.ask(by_operator(Role::Owner, Some(main), request())).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Internal, "{fault}");
    let audited = test.audit().await;
    assert_eq!((audited[0].operation.as_str(), audited[0].result), ("ban", AuditResult::Error));
    let stored = test.read(move |view| view.punishments(None, Some(user(victim)), None, 9).unwrap()).await;
    assert!(stored.is_empty(), "nothing of it is stored: {stored:?}");
    assert_eq!(sandbox.effect_count(), 0);

    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let audited = test.audit().await;
    assert_eq!((audited[0].operation.as_str(), audited[0].result), ("ban", AuditResult::Success));
    let interrupted =
        test.systems.services.store().write(|change| Ok(change.audit_interrupted()?)).await.unwrap();
    assert_eq!(interrupted, 0, "no intent is left without an outcome");
}

#[tokio::test]
async fn fault_42_a_panic_in_a_handler_is_its_callers_fault_and_the_next_request_works() {
    a_defect_concerns_its_caller_only(Point::Handler).await;
}

#[tokio::test]
async fn fault_42_a_panic_before_the_handler_is_its_callers_fault_and_in_the_audit() {
    a_defect_concerns_its_caller_only(Point::Admit).await;
}

#[tokio::test]
async fn fault_42_a_panic_in_a_change_of_the_store_takes_it_back_and_the_next_request_works() {
    a_defect_concerns_its_caller_only(Point::Record).await;
}

#[test]
fn fault_42_a_panic_is_in_the_log_with_its_place_and_a_backtrace() {
    let name = "pipeline::panics::fault_42_a_panic_is_in_the_log_with_its_place_and_a_backtrace";
    if let Some(logs) = std::env::var_os(INSIDE) {
        let log = log::start(logs.as_ref(), LogLevel::Info, Clock::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(a_defect_concerns_its_caller_only(Point::Handler));
        drop(log);
        return;
    }
    let logs = tempfile::TempDir::new().unwrap();
    let mut inside = std::process::Command::new(std::env::current_exe().unwrap());
    let output = inside.args(["--exact", name]).env(INSIDE, logs.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = std::fs::read_to_string(logs.path().join("wayhaven.log")).unwrap();
    let (before, record) =
        log.split_once("a panic, and the daemon goes on").unwrap_or_else(|| panic!("{log}"));
    assert!(before.ends_with(" - wayhaven - ERROR - "), "{log}");
    assert!(record.contains("failpoint.rs:") && record.contains("a defect that a test placed"), "{record}");
    assert!(
        record.contains("wayhaven_daemon::pipeline::handle"),
        "the backtrace leads to the handler: {record}"
    );
}
