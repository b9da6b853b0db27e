//! What else happens to what is held: undos, newer punishments, ends, freezes, restarts, forgeries.

use super::super::hand::{muted, set_mute_roles};
use super::*;
use crate::store::{Decided, Reached};
use crate::testing::PATIENCE;
use serde_json::{Value, json};
use wayhaven_shared::operations::protect::ProtectAdd;
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::operations::sync::{SyncFreeze, SyncResume};

/// A daemon whose moderator has spent their budget of one, its only child, and somebody whom they punish beyond it.
pub(super) async fn spent(sandbox: &Sandbox) -> (TestDaemon, u64, u64) {
    let test = started(sandbox, 1, 100).await;
    ban(&test, sandbox, sandbox.moderator(), sandbox.stranger()).await;
    test.settled().await;
    (test, sandbox.children()[0], sandbox.stranger())
}

fn ask(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
}

pub(super) fn effects_on(sandbox: &Sandbox, child: u64, whom: u64) -> usize {
    sandbox.effects_in(child).iter().filter(|effect| effect.user == Some(whom)).count()
}

#[tokio::test]
async fn an_undo_of_what_is_held_has_nothing_to_undo_and_does_not_leave() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let undo = unban(&test, &sandbox, sandbox.admin(), victim).await;
    test.settled().await;
    assert_eq!(test.delivery(held, child).await.state, DeliveryState::Superseded);
    assert_eq!(test.delivery(undo, child).await.state, DeliveryState::Skipped);
    assert_eq!(effects_on(&sandbox, child, victim), 0);
    assert!(holds(&test, &sandbox).await.is_empty(), "and nothing waits for approval any more");
    // What is held later is told of again.
    ban(&test, &sandbox, sandbox.moderator(), sandbox.stranger()).await;
    assert_eq!(holds(&test, &sandbox).await.len(), 1);
    assert_eq!(test.alerts().await, ["budget_exceeded"; 2]);
}

#[tokio::test]
async fn an_undo_beyond_the_budget_is_held_and_lifts_once_it_is_approved() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let banned = ban(&test, &sandbox, sandbox.admin(), victim).await;
    test.until_counted(banned, DeliveryState::Applied, 1).await;
    let undo = unban(&test, &sandbox, sandbox.moderator(), victim).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim) && !sandbox.is_banned(sandbox.main_guild(), victim));
    let hold = holds(&test, &sandbox).await.remove(0);
    assert_eq!(hold.what(), "1 unban");
    approve(&test, &sandbox, hold.id).await;
    test.until_counted(undo, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_discarded_undo_leaves_the_ban_where_it_is_and_is_known_as_discarded() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let banned = ban(&test, &sandbox, sandbox.admin(), victim).await;
    test.until_counted(banned, DeliveryState::Applied, 1).await;
    let undo = unban(&test, &sandbox, sandbox.moderator(), victim).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    discard(&test, &sandbox, hold.id).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    let delivery = test.delivery(undo, child).await;
    assert_eq!(delivery.reason.as_deref(), Some("discarded by an operator"));
    let known = move |view: &crate::store::View<'_>| {
        let of = |id| view.is_discarded(id, guild(child)).unwrap();
        (of(undo), of(banned))
    };
    assert_eq!(test.read(known).await, (true, false));
}

#[tokio::test]
async fn what_does_the_same_and_is_held_takes_nothings_place_unless_it_is_approved() {
    for approved in [false, true] {
        let sandbox = sandbox(1).await;
        let (test, child, victim) = spent(&sandbox).await;
        let bits = permissions::VIEW_CHANNEL | permissions::VIEW_AUDIT_LOG;
        sandbox.people().set_bot_permissions(child, bits).unwrap();
        let first = ban(&test, &sandbox, sandbox.admin(), victim).await;
        test.until_counted(first, DeliveryState::Blocked, 1).await;
        let second = ban(&test, &sandbox, sandbox.moderator(), victim).await;
        test.settled().await;
        assert_eq!(test.delivery(first, child).await.state, DeliveryState::Blocked, "it waits on");
        let hold = holds(&test, &sandbox).await.remove(0);
        let (done, ended) = match approved {
            true => (second, (first, DeliveryState::Superseded)),
            false => (first, (second, DeliveryState::Skipped)),
        };
        match approved {
            true => approve(&test, &sandbox, hold.id).await,
            false => discard(&test, &sandbox, hold.id).await,
        };
        sandbox.people().set_bot_permissions(child, permissions::ADMINISTRATOR).unwrap();
        test.until_counted(done, DeliveryState::Applied, 1).await;
        assert_eq!(test.delivery(ended.0, child).await.state, ended.1);
        assert!(sandbox.is_banned(child, victim));
    }
}

#[tokio::test]
async fn what_ends_by_itself_while_it_is_held_is_not_sent_and_its_end_needs_no_approval() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let request = ask("ban", json!({ "user": victim.to_string(), "for": "1h" }));
    let held = by(&test, &sandbox, sandbox.moderator(), request).await.punishment.unwrap().id;
    let hold = holds(&test, &sandbox).await.remove(0);
    test.advance(&sandbox, "1h1s").await;
    let undo = test.punishment(victim, 2).await;
    test.until_counted(undo, DeliveryState::Skipped, 1).await;
    test.settled().await;
    assert!(test.delivery(held, child).await.state.is_final());
    let id = Some(hold.id);
    let fault = asked(&test, sandbox.main_guild(), SyncApprove { id, all: false }, false).await.unwrap_err();
    assert!(fault.message.contains("keeps nothing back any more"), "{fault}");
    test.settled().await;
    assert_eq!(effects_on(&sandbox, child, victim), 0);
    assert!(!sandbox.is_banned(sandbox.main_guild(), victim));
}

#[tokio::test]
async fn what_has_ended_when_it_is_approved_is_not_sent() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let request = ask("timeout", json!({ "user": victim.to_string(), "for": "1h" }));
    sandbox.people().had_joined(child, victim).unwrap();
    let held = by(&test, &sandbox, sandbox.moderator(), request).await.punishment.unwrap().id;
    let hold = holds(&test, &sandbox).await.remove(0);
    // The clock is later, and nobody has looked at it yet: it is approved in the same moment.
    sandbox.advance(std::time::Duration::from_secs(3_601));
    test.systems.services.clock().shift(3_601_000);
    let id = hold.id;
    let decided = move |change: &crate::store::Change<'_>| {
        change.decide_hold(id, Decided::Approved, None)?;
        Ok(change.carry_out_hold(id, Reached::default(), 10)?.0)
    };
    test.systems.services.store().write(decided).await.unwrap();
    test.settled().await;
    assert_eq!(test.delivery(held, child).await.reason.as_deref(), Some("it has ended by now"));
    assert_eq!(effects_on(&sandbox, child, victim), 0);
}

#[tokio::test]
async fn a_freeze_and_a_hold_each_hold_by_themselves() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 1, 100).await;
    let (main, child, victims) = (sandbox.main_guild(), sandbox.children()[0], strangers(&sandbox, 2));
    asked(&test, main, SyncFreeze { except_reversals: false }, false).await.unwrap();
    let mut ids = Vec::new();
    for victim in &victims {
        ids.push(ban(&test, &sandbox, sandbox.moderator(), *victim).await);
    }
    let hold = holds(&test, &sandbox).await.remove(0);
    assert_eq!(hold.users, 1, "what a freeze holds counts, and what goes beyond waits for more than its end");
    let resumed = asked(&test, main, SyncResume {}, false).await.unwrap();
    assert_eq!(resumed.deliveries, 1);
    test.settled().await;
    assert_eq!(banned(&sandbox, &[child], &victims), (1, 1));
    assert_eq!(test.delivery(ids[1], child).await.state, DeliveryState::Held);
    asked(&test, main, SyncFreeze { except_reversals: false }, false).await.unwrap();
    let decided = approve(&test, &sandbox, hold.id).await;
    assert!(decided.frozen && decided.report().title.contains("freeze"), "{decided:?}");
    test.settled().await;
    let waits = test.delivery(ids[1], child).await;
    assert_eq!((waits.state, waits.reason.as_deref()), (DeliveryState::Held, Some("the network is frozen")));
    asked(&test, main, SyncResume {}, false).await.unwrap();
    test.settled().await;
    assert_eq!(banned(&sandbox, &[child], &victims), (2, 2));
}

#[tokio::test]
async fn what_is_held_is_sent_by_no_forged_row_either() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let forge = "UPDATE deliveries SET state = 'pending' WHERE state = 'held'";
    for forged in [forge, "UPDATE deliveries SET hold_id = NULL WHERE state = 'held'"] {
        let refused =
            test.systems.services.store().write(move |change| Ok(change.raw(forged)?)).await.unwrap_err();
        assert!(refused.message.contains("zero-leak"), "{refused}");
    }
    // Without the trigger, and after a restart, the gate is shut still.
    let bare = format!("DROP TRIGGER delivery_waits_for_approval; {forge}");
    test.systems.services.store().write(move |change| Ok(change.raw(&bare)?)).await.unwrap();
    let home = test.home();
    drop(test);
    let test = again(&sandbox, home, 1, 100).await;
    test.until_counted(held, DeliveryState::Held, 1).await;
    test.settled().await;
    assert_eq!(effects_on(&sandbox, child, victim), 0);
}

#[tokio::test]
async fn a_decision_that_a_kill_cut_short_is_carried_out_by_the_next_start() {
    for (decided, state) in
        [(Decided::Approved, DeliveryState::Applied), (Decided::Discarded, DeliveryState::Skipped)]
    {
        let sandbox = sandbox(2).await;
        let (test, _, victim) = spent(&sandbox).await;
        let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
        let id = holds(&test, &sandbox).await[0].id;
        let cut_short = move |change: &crate::store::Change<'_>| {
            change.decide_hold(id, decided, None)?;
            Ok(change.carry_out_hold(id, Reached::default(), 1)?.0)
        };
        test.systems.services.store().write(cut_short).await.unwrap();
        let home = test.home();
        drop(test);
        let test = again(&sandbox, home, 1, 100).await;
        test.until_counted(held, state, 2).await;
        test.until("a finished hold", |view| view.unfinished_holds().unwrap().is_empty()).await;
        let expected = if decided == Decided::Approved { 2 } else { 0 };
        assert_eq!(sandbox.banned_in(&sandbox.children(), victim), expected);
    }
}

#[tokio::test]
async fn a_reversal_of_named_punishments_and_warnings_spend_no_budget() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 2, 100).await;
    let (main, child, victims) = (sandbox.main_guild(), sandbox.children()[0], strangers(&sandbox, 4));
    let who = sandbox.moderator();
    sandbox.people().had_joined(main, victims[3]).unwrap();
    by(&test, &sandbox, who, ask("warn", json!({ "user": victims[3].to_string(), "reason": "x" }))).await;
    for victim in &victims[..2] {
        ban(&test, &sandbox, who, *victim).await;
    }
    test.settled().await;
    assert_eq!(banned(&sandbox, &[child], &victims), (2, 2), "a warning reaches nobody");
    let since = Some("1h".parse().unwrap());
    let revert = PunishmentRevert { moderator: Some(user(who)), since, ..PunishmentRevert::default() };
    let asked = by_member(who, main, permissions::ADMINISTRATOR, revert.into());
    test.ask(confirmed(asked)).await.unwrap();
    test.settled().await;
    assert_eq!(banned(&sandbox, &[child], &victims), (0, 0), "though the budget was spent");
    assert!(holds(&test, &sandbox).await.is_empty());
}

#[tokio::test]
async fn what_was_discarded_takes_nobodys_place_when_a_newer_one_is_reverted() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let discarded = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    discard(&test, &sandbox, hold.id).await;
    let bits = permissions::VIEW_CHANNEL | permissions::VIEW_AUDIT_LOG;
    sandbox.people().set_bot_permissions(child, bits).unwrap();
    let newer = ban(&test, &sandbox, sandbox.admin(), victim).await;
    test.until_counted(newer, DeliveryState::Blocked, 1).await;
    let revert = PunishmentRevert { punishments: vec![newer], ..PunishmentRevert::default() };
    asked(&test, sandbox.main_guild(), revert, false).await.unwrap();
    sandbox.people().set_bot_permissions(child, permissions::ADMINISTRATOR).unwrap();
    test.settled().await;
    assert_eq!(test.delivery(discarded, child).await.state, DeliveryState::Skipped);
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn whoever_joins_again_is_muted_again_though_a_newer_mute_was_discarded() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    for of in [sandbox.main_guild(), child] {
        sandbox.people().had_joined(of, victim).unwrap();
    }
    let mute = || ask("mute", json!({ "user": victim.to_string() }));
    let first = by(&test, &sandbox, sandbox.admin(), mute()).await.punishment.unwrap().id;
    test.until_counted(first, DeliveryState::Applied, 1).await;
    let second = by(&test, &sandbox, sandbox.moderator(), mute()).await.punishment.unwrap().id;
    let hold = holds(&test, &sandbox).await.remove(0);
    let role = muted(&sandbox, child).to_string();
    for decided in [false, true] {
        if decided {
            discard(&test, &sandbox, hold.id).await;
        }
        sandbox.people().leave(child, victim).unwrap();
        sandbox.people().join(child, victim).unwrap();
        let muted_again = |discord: &wayhaven_sandbox::Discord| {
            discord.member(child, victim)["roles"]
                .as_array()
                .is_some_and(|roles| roles.contains(&json!(role)))
        };
        sandbox.wait_until(muted_again, PATIENCE).await.unwrap();
        test.settled().await;
    }
    assert_eq!(test.delivery(second, child).await.state, DeliveryState::Skipped);
}

#[tokio::test]
async fn whoever_is_protected_meanwhile_is_not_punished_by_an_approval() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let held = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let add = ProtectAdd { user: Some(user(victim)), role: None, note: None };
    asked(&test, child, add, false).await.unwrap();
    let hold = holds(&test, &sandbox).await.remove(0);
    approve(&test, &sandbox, hold.id).await;
    test.settled().await;
    let ended = test.delivery(held, child).await;
    assert_eq!(ended.state, DeliveryState::Skipped);
    assert!(ended.reason.is_some_and(|reason| reason.starts_with(crate::store::PROTECTED)));
    assert_eq!(effects_on(&sandbox, child, victim), 0);
}
