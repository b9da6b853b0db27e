//! What is held or discarded, where something else wants it delivered: exceptions, children that are new, comparisons.

use super::edges::{effects_on, spent};
use super::*;
use wayhaven_shared::operations::exception::{Before, SyncExceptionAdd, SyncExceptionRemove};

fn exception(whom: u64, lift: bool) -> SyncExceptionAdd {
    SyncExceptionAdd { user: user(whom), measure: None, until: None, reason: None, lift }
}

#[tokio::test]
async fn an_exception_is_made_from_what_is_held_and_no_approval_sends_it_there() {
    let sandbox = sandbox(2).await;
    let (test, child, victim) = spent(&sandbox).await;
    let other = sandbox.children()[1];
    let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let changed = asked(&test, child, exception(victim, false), false).await.unwrap();
    assert!(changed.changed && changed.open == 1, "{changed:?}");
    test.settled().await;
    assert_eq!(test.delivery(held, child).await.state, DeliveryState::Skipped);
    let hold = holds(&test, &sandbox).await.remove(0);
    assert_eq!(hold.guilds, 1, "the other child waits on");
    approve(&test, &sandbox, hold.id).await;
    test.settled().await;
    assert_eq!((effects_on(&sandbox, child, victim), effects_on(&sandbox, other, victim)), (0, 1));
}

#[tokio::test]
async fn where_an_exception_ends_what_nobody_has_approved_waits_for_approval_still() {
    let sandbox = sandbox(2).await;
    let (test, child, victim) = spent(&sandbox).await;
    let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    asked(&test, child, exception(victim, false), false).await.unwrap();
    let remove = SyncExceptionRemove { user: user(victim), measure: None };
    let ended = asked(&test, child, remove, false).await.unwrap();
    test.settled().await;
    assert_eq!(ended.again.total(), 1);
    assert_eq!(test.delivery(held, child).await.state, DeliveryState::Held);
    assert_eq!((effects_on(&sandbox, child, victim), holds(&test, &sandbox).await[0].guilds), (0, 2));
}

#[tokio::test]
async fn an_exception_that_lifts_does_not_wait_for_an_approval() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let first = ban(&test, &sandbox, sandbox.admin(), victim).await;
    test.until_counted(first, DeliveryState::Applied, 1).await;
    ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let lifted = asked(&test, child, exception(victim, true), false).await.unwrap();
    assert!(matches!(lifted.done, Some(Before::Lifted { .. })), "{lifted:?}");
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
}
