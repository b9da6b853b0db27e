//! What is held or discarded, where something else wants it delivered: exceptions, children that are new, comparisons.

use super::edges::{effects_on, spent};
use super::*;
use crate::testing::PATIENCE;
use wayhaven_shared::operations::exception::{Before, SyncExceptionAdd, SyncExceptionRemove};
use wayhaven_shared::operations::reconcile::SyncReconcile;

fn exception(whom: u64, lift: bool) -> SyncExceptionAdd {
    SyncExceptionAdd { user: user(whom), measure: None, until: None, reason: None, lift }
}

/// Has everything that differs in the child made good.
async fn made_good(test: &TestDaemon, sandbox: &Sandbox, child: u64) {
    let all = SyncReconcile { child: Some(guild(child)), apply: true };
    let id = asked(test, sandbox.main_guild(), all, false).await.unwrap().jobs[0].id;
    test.until("the comparison", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    test.settled().await;
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

#[tokio::test]
async fn what_is_held_or_discarded_comes_to_no_child_that_is_linked_later() {
    let sandbox = sandbox(2).await;
    let (test, first, victim) = spent(&sandbox).await;
    let (main, late) = (sandbox.main_guild(), sandbox.children()[1]);
    test.propose(main, late).await;
    let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    assert_eq!(hold.guilds, 1);
    let link = move |change: &crate::store::Change<'_>| {
        Ok(change.activate_link(guild(main), guild(late), Mode::Active)?)
    };
    test.systems.services.store().write(link).await.unwrap();

    made_good(&test, &sandbox, late).await;
    assert_eq!(effects_on(&sandbox, late, victim), 0, "nobody has approved it");
    assert_eq!(test.delivery(held, late).await.state, DeliveryState::Held);
    let joined = holds(&test, &sandbox).await;
    assert_eq!((joined.len(), joined[0].id, joined[0].guilds), (1, hold.id, 2), "it waits with the others");
    discard(&test, &sandbox, hold.id).await;
    made_good(&test, &sandbox, late).await;
    assert_eq!(effects_on(&sandbox, late, victim) + effects_on(&sandbox, first, victim), 0);
}

#[tokio::test]
async fn what_was_discarded_before_a_child_was_linked_meets_nobody_at_its_door() {
    let sandbox = sandbox(2).await;
    let (test, _, victim) = spent(&sandbox).await;
    let (main, late) = (sandbox.main_guild(), sandbox.children()[1]);
    test.propose(main, late).await;
    ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    discard(&test, &sandbox, hold.id).await;
    let (approved, door) = (sandbox.stranger(), sandbox.stranger());
    ban(&test, &sandbox, sandbox.admin(), approved).await;
    ban(&test, &sandbox, sandbox.moderator(), door).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    approve(&test, &sandbox, hold.id).await;
    test.settled().await;
    let link = move |change: &crate::store::Change<'_>| {
        Ok(change.activate_link(guild(main), guild(late), Mode::Active)?)
    };
    test.systems.services.store().write(link).await.unwrap();
    sandbox.people().join(late, victim).unwrap();
    sandbox.people().join(late, door).unwrap();
    sandbox.wait_until(|sandbox| sandbox.is_banned(late, door), PATIENCE).await.unwrap();
    made_good(&test, &sandbox, late).await;
    assert!(sandbox.is_banned(late, approved) && !sandbox.is_banned(late, victim));
}

/// A hold is of the children that its punishment would have reached then; a gate that was shut there is no way around it.
#[tokio::test]
async fn what_a_gate_kept_from_one_child_does_not_come_there_while_it_is_held_or_where_it_was_discarded() {
    for discarded in [true, false] {
        let sandbox = sandbox(2).await;
        let (test, first, victim) = spent(&sandbox).await;
        let (main, late) = (sandbox.main_guild(), sandbox.children()[1]);
        let mode = |mode| {
            test.systems
                .services
                .store()
                .write(move |change| Ok(change.activate_link(guild(main), guild(late), mode)?))
        };
        mode(Mode::Monitor).await.unwrap();
        let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
        asked(&test, late, exception(victim, false), false).await.unwrap();
        let hold = holds(&test, &sandbox).await.remove(0);
        assert_eq!(hold.guilds, 1);
        if discarded {
            discard(&test, &sandbox, hold.id).await;
        }
        mode(Mode::Active).await.unwrap();
        let remove = SyncExceptionRemove { user: user(victim), measure: None };
        let ended = asked(&test, late, remove, false).await.unwrap();
        assert_eq!((ended.again.held, ended.again.total()), (u64::from(!discarded), u64::from(!discarded)));
        sandbox.people().join(late, victim).unwrap();
        made_good(&test, &sandbox, late).await;
        // What waits for approval waits for it here too, from then on.
        let state = if discarded { DeliveryState::Skipped } else { DeliveryState::Held };
        assert_eq!(test.delivery(held, late).await.state, state);
        assert_eq!(effects_on(&sandbox, late, victim), 0, "discarded: {discarded}");
        if !discarded {
            assert_eq!(holds(&test, &sandbox).await.remove(0).guilds, 2);
            approve(&test, &sandbox, hold.id).await;
            test.until_counted(held, DeliveryState::Applied, 2).await;
            assert_eq!((effects_on(&sandbox, late, victim), effects_on(&sandbox, first, victim)), (1, 1));
        }
    }
}
