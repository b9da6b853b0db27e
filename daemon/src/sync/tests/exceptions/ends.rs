//! How exceptions end by themselves, once and not before their time.

use super::{add, exception, remove};
use crate::clock::Clock;
use crate::failpoint::{Point, arm};
use crate::store::tests::shell;
use crate::testing::{TestDaemon, guild, sandbox, user};
use std::sync::Arc;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::exception::SyncExceptionAdd;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::Untrusted;

fn until(whom: u64, span: &str) -> SyncExceptionAdd {
    SyncExceptionAdd { until: Some(span.parse().unwrap()), lift: true, ..exception(whom) }
}

async fn until_ended(test: &TestDaemon, child: u64, whom: u64) {
    test.until("the end of an exception", move |view| {
        view.exception(guild(child), user(whom), Action::Ban).unwrap().is_none()
    })
    .await;
    test.settled().await;
}

#[tokio::test]
async fn it_ends_at_its_time_as_the_daemons_own_request_and_what_was_decided_applies_again() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (before, during, forgiven) = (sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    test.ban(main, before).await;
    test.ban(main, forgiven).await;
    test.settled().await;
    for whom in [before, during, forgiven] {
        add(&test, child, until(whom, "3d")).await;
    }
    let skipped = test.ban(main, during).await;
    test.unban(main, forgiven).await;
    test.settled().await;
    let reason = test.delivery(skipped, child).await.reason.unwrap();
    assert!(reason.contains("until 20"), "{reason}");
    test.advance(&sandbox, "2d").await;
    test.look().await;
    assert!(!sandbox.is_banned(child, before) && !sandbox.is_banned(child, during), "its end has not come");
    test.advance(&sandbox, "1d1s").await;
    for whom in [before, during, forgiven] {
        until_ended(&test, child, whom).await;
    }
    assert!(sandbox.is_banned(child, before) && sandbox.is_banned(child, during));
    assert!(!sandbox.is_banned(child, forgiven));
    assert_eq!(test.delivery(skipped, child).await.state, DeliveryState::Applied);
    let entry = test.until_audited("the end", |entry| entry.operation == "sync exception remove").await;
    let actor = entry.actor.as_ref().map(Untrusted::raw);
    assert_eq!(
        (entry.surface.as_str(), actor, entry.result),
        ("scheduler", Some("wayhaven"), AuditResult::Success)
    );
}

#[tokio::test]
async fn one_that_was_replaced_ends_when_the_newer_says_so() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    test.ban(main, victim).await;
    test.settled().await;
    let first = add(&test, child, until(victim, "1h")).await.exception.unwrap();
    let second = add(&test, child, until(victim, "2d")).await;
    assert_eq!(second.before.as_ref().map(|one| one.id), Some(first.id));
    assert_eq!(second.exception.unwrap().id, first.id, "it is the same one");
    test.settled().await;
    test.advance(&sandbox, "2h").await;
    test.look().await;
    assert!(!sandbox.is_banned(child, victim));
    test.advance(&sandbox, "2d").await;
    until_ended(&test, child, victim).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_end_that_failed_half_way_is_done_once_more_and_as_a_whole() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.settled().await;
    add(&test, child, until(victim, "1h")).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
    arm(Point::Exception, user(victim));
    test.advance(&sandbox, "2h").await;
    until_ended(&test, child, victim).await;
    assert!(sandbox.is_banned(child, victim));
    let sql = format!(
        "SELECT count(*) FROM reapplications WHERE delivery_id = {}",
        test.delivery(id, child).await.id
    );
    let again: i64 = shell(test.systems.services.store()).query_row(&sql, [], |row| row.get(0)).unwrap();
    assert_eq!(again, 1, "what the failed try had stored is gone");
}

#[tokio::test]
async fn what_came_due_while_nobody_ran_is_done_at_the_start_and_what_did_not_still_holds() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (due, lasting) = (sandbox.stranger(), sandbox.stranger());
    for whom in [due, lasting] {
        test.ban(main, whom).await;
    }
    test.settled().await;
    add(&test, child, until(due, "1h")).await;
    add(&test, child, SyncExceptionAdd { lift: true, ..exception(lasting) }).await;
    test.settled().await;
    let home = test.home();
    test.systems.services.lifecycle().stop();
    drop(test);
    sandbox.advance(std::time::Duration::from_secs(7_200));
    let clock = Clock::default();
    clock.shift(7_200_000);
    let next = TestDaemon::start_then(&sandbox, Arc::clone(&home), clock, |_| {}).await;
    next.until_ready().await;
    until_ended(&next, child, due).await;
    assert!(sandbox.is_banned(child, due) && !sandbox.is_banned(child, lasting));
    let again = next.ban(main, lasting).await;
    next.settled().await;
    assert_eq!(next.delivery(again, child).await.state, DeliveryState::Skipped);
    assert_eq!(remove(&next, child, lasting).await.again.pending, 1);
    assert!(sandbox.is_banned(child, lasting));
}
