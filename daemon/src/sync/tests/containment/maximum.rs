//! Security level *maximum*: nobody propagates anything alone.

use super::*;
use crate::testing::make_second_main;
use serde_json::json;
use wayhaven_shared::operations::reconcile::SyncReconcile;
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::operations::setup::{Mode, SecurityLevel, SetupMode, SetupSecurityLevel};
use wayhaven_shared::operations::sync::{SyncFreeze, SyncResume};

async fn set(test: &TestDaemon, sandbox: &Sandbox, level: SecurityLevel) {
    asked(test, sandbox.main_guild(), SetupSecurityLevel { level }, false).await.unwrap();
}

async fn at_maximum(sandbox: &Sandbox) -> TestDaemon {
    let test = started(sandbox, 30, 100).await;
    set(&test, sandbox, SecurityLevel::Maximum).await;
    test
}

/// A member with every permission asks for the approval.
async fn approves(
    test: &TestDaemon,
    sandbox: &Sandbox,
    who: u64,
    id: Option<HoldId>,
) -> Result<HoldsDecided, wayhaven_shared::Fault> {
    let request = SyncApprove { id, all: id.is_none() };
    let asked = by_member(who, sandbox.main_guild(), permissions::ADMINISTRATOR, request.into());
    let Reply::SyncApprove(decided) = test.ask(confirmed(asked)).await? else { panic!("another reply") };
    Ok(decided)
}

#[tokio::test]
async fn at_maximum_everything_waits_for_another_administrator_than_who_decided_it() {
    let sandbox = sandbox(2).await;
    let test = at_maximum(&sandbox).await;
    let victims = strangers(&sandbox, 2);
    let (first, second) = (sandbox.moderator(), sandbox.admin());
    let asked_for = ban(&test, &sandbox, first, victims[0]).await;
    by_hand(&sandbox, sandbox.main_guild(), first, victims[1], Action::Ban).unwrap();
    let by_hand = test.punishment(victims[1], 1).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &sandbox.children(), &victims), (0, 0));
    assert_eq!(banned(&sandbox, &[sandbox.main_guild()], &victims).0, 2, "in the main it is done");
    let held = holds(&test, &sandbox).await;
    let [hold] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!((hold.kind, hold.moderator_id, hold.users), (HoldKind::Maximum, Some(user(first)), 2));
    assert_eq!(test.alerts().await, ["approval_needed"]);
    for id in [Some(hold.id), None] {
        let fault = approves(&test, &sandbox, first, id).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied);
        assert!(fault.message.contains("another administrator"), "{fault}");
        assert!(fault.hints.iter().any(|hint| hint.contains("sync approve")), "{fault}");
    }
    assert_eq!(holds(&test, &sandbox).await, held);
    approves(&test, &sandbox, second, Some(hold.id)).await.unwrap();
    for id in [asked_for, by_hand] {
        test.until_counted(id, DeliveryState::Applied, 2).await;
    }
}

#[tokio::test]
async fn an_operator_may_always_approve_and_who_decided_may_discard_their_own() {
    let sandbox = sandbox(1).await;
    let test = at_maximum(&sandbox).await;
    let victims = strangers(&sandbox, 3);
    let who = sandbox.moderator();
    let by_member_of_main = ban(&test, &sandbox, who, victims[0]).await;
    let by_operator = test.ban(sandbox.main_guild(), victims[1]).await;
    let all = asked(&test, sandbox.main_guild(), SyncApprove { id: None, all: true }, false).await.unwrap();
    assert_eq!((all.holds.len(), all.left.len()), (2, 0));
    for id in [by_member_of_main, by_operator] {
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    let own = ban(&test, &sandbox, who, victims[2]).await;
    let id = Some(holds(&test, &sandbox).await[0].id);
    let request = SyncDiscard { id, all: false };
    let asked = by_member(who, sandbox.main_guild(), permissions::ADMINISTRATOR, request.into());
    test.ask(confirmed(asked)).await.unwrap();
    let reason = test.delivery(own, sandbox.children()[0]).await.reason;
    assert_eq!(reason, Some(format!("discarded by user {who}")));
}

#[tokio::test]
async fn what_nobody_knows_who_did_by_hand_is_no_members_to_approve() {
    let sandbox = sandbox(1).await;
    let test = at_maximum(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().set_bot_permissions(main, permissions::ADMINISTRATOR).unwrap();
    sandbox.people().set_bot_permissions(main, permissions::BAN_MEMBERS).unwrap();
    by_hand(&sandbox, main, sandbox.moderator(), victim, Action::Ban).unwrap();
    let id = test.punishment(victim, 1).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    assert_eq!(hold.moderator_id, None);
    for who in [sandbox.moderator(), sandbox.admin()] {
        let fault = approves(&test, &sandbox, who, Some(hold.id)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied);
        assert!(fault.message.contains("not known"), "{fault}");
    }
    approve(&test, &sandbox, hold.id).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn to_approve_all_leaves_what_the_approver_has_decided() {
    let sandbox = sandbox(1).await;
    let test = at_maximum(&sandbox).await;
    let victims = strangers(&sandbox, 2);
    let (first, second) = (sandbox.moderator(), sandbox.admin());
    ban(&test, &sandbox, first, victims[0]).await;
    ban(&test, &sandbox, second, victims[1]).await;
    let decided = approves(&test, &sandbox, first, None).await.unwrap();
    assert_eq!((decided.holds.len(), decided.holds[0].moderator_id), (1, Some(user(second))));
    assert_eq!(decided.left.len(), 1);
    assert!(decided.report().fields.iter().any(|(name, _)| name == "Not decided"));
    test.settled().await;
    assert!(sandbox.is_banned(sandbox.children()[0], victims[1]));
    assert!(!sandbox.is_banned(sandbox.children()[0], victims[0]));
}

#[tokio::test]
async fn a_level_that_is_lowered_or_raised_changes_nothing_of_what_is_held_or_gone() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 30, 100).await;
    let (child, victims, who) = (sandbox.children()[0], strangers(&sandbox, 3), sandbox.moderator());
    ban(&test, &sandbox, who, victims[0]).await;
    set(&test, &sandbox, SecurityLevel::Maximum).await;
    ban(&test, &sandbox, who, victims[1]).await;
    set(&test, &sandbox, SecurityLevel::Standard).await;
    ban(&test, &sandbox, who, victims[2]).await;
    test.settled().await;
    let is_banned = |whom: u64| sandbox.is_banned(child, whom);
    assert_eq!(victims.iter().map(|whom| is_banned(*whom)).collect::<Vec<_>>(), [true, false, true]);
    let hold = holds(&test, &sandbox).await.remove(0);
    let own = approves(&test, &sandbox, who, Some(hold.id)).await.unwrap_err();
    assert_eq!(own.kind, FaultKind::Denied, "it was decided at maximum");
    approves(&test, &sandbox, sandbox.admin(), Some(hold.id)).await.unwrap();
    test.settled().await;
    assert!(is_banned(victims[1]));
}

#[tokio::test]
async fn what_is_approved_at_maximum_waits_for_the_end_of_a_freeze() {
    let sandbox = sandbox(1).await;
    let test = at_maximum(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    asked(&test, main, SyncFreeze { except_reversals: false }, false).await.unwrap();
    let id = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let hold = holds(&test, &sandbox).await.remove(0);
    assert!(approves(&test, &sandbox, sandbox.admin(), Some(hold.id)).await.unwrap().frozen);
    test.settled().await;
    assert!(!sandbox.is_banned(sandbox.children()[0], victim));
    asked(&test, main, SyncResume {}, false).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn at_maximum_an_end_needs_nobody_and_a_reversal_does_and_its_plan_says_so() {
    let sandbox = sandbox(1).await;
    let test = at_maximum(&sandbox).await;
    let (main, child, victims) = (sandbox.main_guild(), sandbox.children()[0], strangers(&sandbox, 2));
    let brief = json!({ "operation": "ban", "arguments": { "user": victims[0].to_string(), "for": "1h" } });
    by(&test, &sandbox, sandbox.moderator(), serde_json::from_value(brief).unwrap()).await;
    let lasting = ban(&test, &sandbox, sandbox.moderator(), victims[1]).await;
    asked(&test, main, SyncApprove { id: None, all: true }, false).await.unwrap();
    test.settled().await;
    assert_eq!(banned(&sandbox, &[child], &victims).0, 2);
    test.advance(&sandbox, "1h1s").await;
    let end = test.punishment(victims[0], 2).await;
    test.until_counted(end, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victims[0]));
    let revert = || PunishmentRevert { punishments: vec![lasting], ..PunishmentRevert::default() };
    let plan = asked(&test, main, revert(), true).await.unwrap();
    let done = asked(&test, main, revert(), false).await.unwrap();
    assert_eq!((plan.deliveries.held, done.deliveries), (1, plan.deliveries));
    test.settled().await;
    assert!(sandbox.is_banned(child, victims[1]), "one alone does not lift it in the children");
    asked(&test, main, SyncApprove { id: None, all: true }, false).await.unwrap();
    test.settled().await;
    assert!(!sandbox.is_banned(child, victims[1]));
}

async fn set_mode(test: &TestDaemon, sandbox: &Sandbox, mode: Mode, no_backfill: bool) {
    for child in sandbox.children() {
        let request = SetupMode { child: guild(child), mode, no_backfill };
        asked(test, sandbox.main_guild(), request, false).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_only_recorded_waits_for_approval_when_it_would_be_delivered_after_all() {
    let sandbox = sandbox(2).await;
    let test = at_maximum(&sandbox).await;
    let victims = strangers(&sandbox, 1);
    let (first, second) = (sandbox.moderator(), sandbox.admin());
    set_mode(&test, &sandbox, Mode::Monitor, false).await;
    let id = ban(&test, &sandbox, first, victims[0]).await;
    test.settled().await;
    assert_eq!(holds(&test, &sandbox).await, [], "nothing of it leaves the main");

    // By the backfill of one child, and by a comparison of the other that is applied.
    let children = sandbox.children();
    for (child, no_backfill) in [(children[0], false), (children[1], true)] {
        let request = SetupMode { child: guild(child), mode: Mode::Active, no_backfill };
        asked(&test, sandbox.main_guild(), request, false).await.unwrap();
    }
    let request = SyncReconcile { child: Some(guild(children[1])), apply: true };
    asked(&test, sandbox.main_guild(), request, false).await.unwrap();
    test.until_counted(id, DeliveryState::Held, 2).await;
    let held = holds(&test, &sandbox).await;
    let [hold] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!((hold.kind, hold.moderator_id, hold.users), (HoldKind::Maximum, Some(user(first)), 1));
    assert_eq!(test.alerts().await, ["approval_needed"]);
    let fault = approves(&test, &sandbox, first, Some(hold.id)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    assert_eq!(banned(&sandbox, &children, &victims), (0, 0));
    approves(&test, &sandbox, second, Some(hold.id)).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 2).await;
    assert_eq!(banned(&sandbox, &children, &victims).0, 1);

    // And so does what takes it back.
    set_mode(&test, &sandbox, Mode::Monitor, false).await;
    let undone = test.unban(sandbox.main_guild(), victims[0]).await;
    test.settled().await;
    set_mode(&test, &sandbox, Mode::Active, false).await;
    test.until_counted(undone, DeliveryState::Held, 2).await;
    assert_eq!(banned(&sandbox, &children, &victims).0, 1);
    let id = Some(holds(&test, &sandbox).await[0].id);
    approves(&test, &sandbox, second, id).await.unwrap();
    test.until_counted(undone, DeliveryState::Applied, 2).await;
    assert_eq!(banned(&sandbox, &children, &victims).0, 0);
}

#[tokio::test]
async fn what_was_let_out_before_the_level_was_raised_is_made_good_without_approval() {
    let sandbox = sandbox(2).await;
    let test = started(&sandbox, 30, 100).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let request = SetupMode { child: guild(children[1]), mode: Mode::Monitor, no_backfill: false };
    asked(&test, main, request, false).await.unwrap();
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    set(&test, &sandbox, SecurityLevel::Maximum).await;
    let request = SetupMode { child: guild(children[1]), mode: Mode::Active, no_backfill: false };
    asked(&test, main, request, false).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 2).await;
    assert_eq!(holds(&test, &sandbox).await, []);
}

#[tokio::test]
async fn what_a_shorter_one_that_is_held_has_replaced_stands_when_another_main_takes_back_its_own() {
    let sandbox = sandbox(2).await;
    let test = at_maximum(&sandbox).await;
    let (main, child, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    make_second_main(&test, main, second, child).await;
    let victim = sandbox.stranger();
    let longer = test.ban(main, victim).await;
    approves(&test, &sandbox, sandbox.admin(), None).await.unwrap();
    test.until_counted(longer, DeliveryState::Applied, 1).await;
    let brief = json!({ "operation": "ban", "arguments": { "user": victim.to_string(), "for": "1d" } });
    let shorter = test.punish(main, brief).await;
    assert_eq!(shorter.replaces.len(), 1);
    test.until_counted(shorter.punishment.unwrap().id, DeliveryState::Held, 1).await;
    // The other main's comes and goes; nobody has lifted the first one's.
    let other = test.ban(second, victim).await;
    test.until_counted(other, DeliveryState::Applied, 1).await;
    let unban = test.unban(second, victim).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;
    assert!(sandbox.is_banned(child, victim));
}
