//! What a main changes about its links, and what becomes of deliveries on their way.

use super::{add, by_admin, by_owner, kind, link, planned};
use crate::testing::{PATIENCE, TestDaemon, guild, sandbox};
use wayhaven_sandbox::{At, Fault as Trouble};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::{Mode, SetupActions, SetupAddChild, SetupMode};

fn mode(child: u64, mode: Mode) -> SetupMode {
    SetupMode { child: guild(child), mode, no_backfill: false }
}

fn actions(child: u64, words: &str) -> SetupActions {
    SetupActions { child: guild(child), actions: words.parse().unwrap(), no_backfill: false }
}

#[tokio::test]
async fn adding_again_keeps_what_is_not_said_and_says_what_changed() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let again = by_owner(&test, Some(main), add(child)).await.unwrap();
    assert!(again.changes.is_empty() && again.report().title.contains("nothing changed"), "{again:?}");
    let told = *test.systems.services.store().sequence().borrow();
    by_owner(&test, Some(main), add(child)).await.unwrap();
    assert_eq!(*test.systems.services.store().sequence().borrow(), told, "nothing was written");

    let none = SetupAddChild { actions: Some("none".parse().unwrap()), ..add(child) };
    let changed = by_admin(&test, sandbox.admin(), main, none).await.unwrap();
    assert_eq!(changed.changes, ["actions: ban,kick,mute,timeout,warn → none"]);
    let monitor = SetupAddChild { mode: Some(Mode::Monitor), ..add(child) };
    let changed = by_admin(&test, sandbox.admin(), main, monitor).await.unwrap();
    assert_eq!(changed.changes, ["mode: ACTIVE → MONITOR"]);
    let stored = link(&test, main, child).await.unwrap();
    assert_eq!(
        (stored.mode, stored.allowed_actions.len(), stored.state.as_str()),
        (Mode::Monitor, 0, "active")
    );
}

#[tokio::test]
async fn mode_and_actions_are_the_mains_and_a_plan_changes_nothing() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin, child) = (sandbox.main_guild(), sandbox.admin(), sandbox.children()[0]);
    let before = link(&test, main, child).await;
    let plan = planned(&test, main, mode(child, Mode::Monitor)).await.unwrap();
    assert_eq!(plan.changes, ["mode: ACTIVE → MONITOR"]);
    let plan = planned(&test, main, actions(child, "none")).await.unwrap();
    assert_eq!(plan.changes, ["actions: ban,kick,mute,timeout,warn → none"]);
    assert_eq!(link(&test, main, child).await, before);

    by_admin(&test, admin, main, mode(child, Mode::Monitor)).await.unwrap();
    let same = by_admin(&test, admin, main, mode(child, Mode::Monitor)).await.unwrap();
    assert!(same.changes.is_empty());
    by_admin(&test, admin, main, actions(child, "none")).await.unwrap();
    let stored = link(&test, main, child).await.unwrap();
    assert_eq!((stored.mode, stored.allowed_actions.as_slice()), (Mode::Monitor, &[][..]));
    by_admin(&test, admin, main, actions(child, "ban")).await.unwrap();
    by_admin(&test, admin, main, mode(child, Mode::Active)).await.unwrap();
    let stored = link(&test, main, child).await.unwrap();
    assert_eq!((stored.mode, stored.allowed_actions.as_slice()), (Mode::Active, &[Action::Ban][..]));
    assert_eq!(kind(by_admin(&test, admin, main, mode(main, Mode::Active)).await), FaultKind::NotFound);
}

/// What waits for its turn meets the gates as they are when it would leave.
async fn nothing_leaves_after(change: impl AsyncFn(&TestDaemon, u64, u64), why: &str) {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at });
    test.ban(main, sandbox.stranger()).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
    let victim = sandbox.stranger();
    let waiting = test.ban(main, victim).await;
    test.until_counted(waiting, DeliveryState::Applied, 1).await;
    assert_eq!(test.delivery(waiting, child).await.state, DeliveryState::Pending);
    change(&test, main, child).await;
    sandbox.clear(hang);
    test.until_counted(waiting, DeliveryState::Skipped, 1).await;
    assert_eq!(test.delivery(waiting, child).await.reason.as_deref(), Some(why));
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effects_in(child).len(), 1, "the one that had left already");
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_is_pending_when_a_link_becomes_monitor_is_skipped_and_not_sent() {
    let monitor = async |test: &TestDaemon, main: u64, child: u64| {
        by_owner(test, Some(main), mode(child, Mode::Monitor)).await.unwrap();
    };
    nothing_leaves_after(monitor, "monitor mode").await;
}

#[tokio::test]
async fn what_is_pending_when_a_link_loses_the_action_is_skipped_and_not_sent() {
    let lose = async |test: &TestDaemon, main: u64, child: u64| {
        by_owner(test, Some(main), actions(child, "none")).await.unwrap();
    };
    nothing_leaves_after(lose, "the link does not allow this action").await;
}
