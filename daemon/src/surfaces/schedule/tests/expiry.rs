//! Punishments that end by themselves.

use super::{configure, end, has_role, set_mute_role};
use crate::clock::Clock;
use crate::failpoint::{Point, arm};
use crate::store::NewPunishment;
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, guild, sandbox, user};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::{PunishmentId, Timestamp, Untrusted};

fn ask(operation: &str, whom: u64, span: Option<&str>) -> Value {
    match span {
        Some(span) => {
            json!({ "operation": operation, "arguments": { "user": whom.to_string(), "for": span } })
        }
        None => json!({ "operation": operation, "arguments": { "user": whom.to_string() } }),
    }
}

/// Asks for it and waits until every child has it.
async fn punish(
    test: &TestDaemon,
    sandbox: &Sandbox,
    operation: &str,
    whom: u64,
    span: Option<&str>,
) -> PunishmentId {
    let punished = test.punish(sandbox.main_guild(), ask(operation, whom, span)).await;
    let id = punished.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Applied, sandbox.children().len()).await;
    id
}

fn banned(sandbox: &Sandbox, whom: u64) -> usize {
    let mut guilds = sandbox.children();
    guilds.push(sandbox.main_guild());
    sandbox.banned_in(&guilds, whom)
}

#[tokio::test]
async fn a_temporary_ban_lifts_itself_everywhere_and_the_audit_says_who_asked() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    let ban = punish(&test, &sandbox, "ban", victim, Some("7d")).await;
    test.systems.engine.drain().await;
    test.advance(&sandbox, "6d").await;
    test.look().await;
    assert_eq!(banned(&sandbox, victim), 4, "its end has not come");
    test.advance(&sandbox, "1d1s").await;
    let unban = test.punishment(victim, 2).await;
    test.until_counted(unban, DeliveryState::Applied, 3).await;
    test.systems.engine.drain().await;
    assert_eq!(banned(&sandbox, victim), 0);
    let stored = test.read(move |view| view.punishment(unban).unwrap().unwrap()).await;
    assert_eq!((stored.origin, stored.because), (Origin::System, Some(ban)));
    assert_eq!(stored.reason.unwrap().raw(), format!("ban #{ban} has ended"));
    let entry = test.until_audited("the unban", |entry| entry.operation == "unban").await;
    assert_eq!(
        (entry.surface.as_str(), entry.actor.as_ref().map(Untrusted::raw), entry.result),
        ("scheduler", Some("wayhaven"), AuditResult::Success)
    );
    assert_eq!(
        test.history(victim).await,
        [(Action::Ban, "expired".to_owned()), (Action::Unban, "active".to_owned())]
    );
    assert_eq!(sandbox.effect_count(), 8, "each guild was asked once for each");
}

#[tokio::test]
async fn a_temporary_mute_ends_and_its_role_is_taken() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let roles = [
        (main, set_mute_role(&test, &sandbox, main).await),
        (child, set_mute_role(&test, &sandbox, child).await),
    ];
    for (of, _) in roles {
        sandbox.people().had_joined(of, victim).unwrap();
    }
    punish(&test, &sandbox, "mute", victim, Some("1h")).await;
    test.systems.engine.drain().await;
    assert!(roles.iter().all(|(of, role)| has_role(&sandbox, *of, victim, *role)));
    test.advance(&sandbox, "61m").await;
    let unmute = test.punishment(victim, 2).await;
    test.until_counted(unmute, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert!(!roles.iter().any(|(of, role)| has_role(&sandbox, *of, victim, *role)));
}

#[tokio::test]
async fn a_timeout_only_ends_and_no_request_is_made_for_that() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    for of in [main, child] {
        sandbox.people().had_joined(of, victim).unwrap();
    }
    punish(&test, &sandbox, "timeout", victim, Some("1h")).await;
    test.systems.engine.drain().await;
    let before = sandbox.effect_count();
    test.advance(&sandbox, "61m").await;
    let entry = test.until_audited("its end", |entry| entry.operation == "untimeout").await;
    assert_eq!((entry.surface.as_str(), entry.result), ("scheduler", AuditResult::Success));
    test.systems.engine.drain().await;
    assert_eq!(test.history(victim).await, [(Action::Timeout, "expired".to_owned())]);
    assert_eq!(sandbox.effect_count(), before);
}

#[tokio::test]
async fn a_timeout_that_ends_before_it_could_be_made_is_not_sent_afterwards() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    for of in [main, child] {
        sandbox.people().had_joined(of, victim).unwrap();
    }
    configure(&test, main, "sync freeze", json!({})).await;
    let id = test.punish(main, ask("timeout", victim, Some("1h"))).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Held, 1).await;
    test.advance(&sandbox, "61m").await;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    configure(&test, main, "sync resume", json!({})).await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effects_in(child).len(), 0);
    assert_eq!(test.delivery(id, child).await.reason.as_deref(), Some("it has ended by now"));
}

#[tokio::test]
async fn the_end_of_an_older_ban_changes_nothing_while_a_newer_one_stands() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    punish(&test, &sandbox, "ban", victim, Some("1h")).await;
    punish(&test, &sandbox, "ban", victim, None).await;
    test.systems.engine.drain().await;
    let before = sandbox.effect_count();
    test.advance(&sandbox, "2h").await;
    test.until_audited("its end", |entry| entry.operation == "unban").await;
    test.systems.engine.drain().await;
    assert_eq!((banned(&sandbox, victim), sandbox.effect_count()), (3, before));
    assert_eq!(
        test.history(victim).await,
        [(Action::Ban, "expired".to_owned()), (Action::Ban, "active".to_owned())]
    );
}

#[tokio::test]
async fn the_end_of_the_newest_ban_lifts_it_and_ends_the_older_ones_with_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    punish(&test, &sandbox, "ban", victim, None).await;
    // Two that are due at once: the newest decides.
    punish(&test, &sandbox, "ban", victim, Some("1h")).await;
    punish(&test, &sandbox, "ban", victim, Some("1h")).await;
    test.advance(&sandbox, "2h").await;
    let unban = test.punishment(victim, 4).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;
    assert_eq!(banned(&sandbox, victim), 0);
    let statuses: Vec<_> = test.history(victim).await.into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["expired", "expired", "expired", "active"]);
    test.until_audited("the unban", |entry| entry.surface == "scheduler").await;
    let audit = test.audit().await;
    let asked: Vec<_> = audit.iter().filter(|entry| entry.surface == "scheduler").collect();
    assert!(asked.len() == 1 && asked[0].result == AuditResult::Success, "{asked:?}");
}

#[tokio::test]
async fn an_unban_by_hand_before_the_end_leaves_nothing_to_do_at_the_end() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, by_command, by_hand) = (sandbox.main_guild(), sandbox.stranger(), sandbox.stranger());
    for victim in [by_command, by_hand] {
        punish(&test, &sandbox, "ban", victim, Some("1h")).await;
    }
    test.systems.engine.drain().await;
    test.unban(main, by_command).await;
    sandbox.people().unban(main, sandbox.moderator(), by_hand, None).unwrap();
    for victim in [by_command, by_hand] {
        let unban = test.punishment(victim, 2).await;
        test.until_counted(unban, DeliveryState::Applied, 2).await;
    }
    test.systems.engine.drain().await;
    let before = sandbox.effect_count();
    test.advance(&sandbox, "2h").await;
    // What is due behind it is done: so was everything before.
    let behind = sandbox.stranger();
    punish(&test, &sandbox, "ban", behind, Some("1h")).await;
    test.advance(&sandbox, "2h").await;
    test.until_counted(test.punishment(behind, 2).await, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;
    for victim in [by_command, by_hand] {
        assert_eq!(
            test.history(victim).await,
            [(Action::Ban, "reversed".to_owned()), (Action::Unban, "active".to_owned())]
        );
    }
    assert_eq!(sandbox.effect_count(), before + 6, "the ban behind, and its end");
}

#[tokio::test]
async fn what_came_due_while_nobody_ran_is_done_at_the_start_and_once() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    punish(&test, &sandbox, "ban", victim, Some("1d")).await;
    test.systems.engine.drain().await;
    let home = end(&sandbox, test).await;
    let later = Clock::default();
    later.shift(7 * 86_400_000);
    sandbox.advance(Duration::from_secs(7 * 86_400));
    let test = TestDaemon::start_then(&sandbox, home, later, |_| {}).await;
    let unban = test.punishment(victim, 2).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;
    assert_eq!((banned(&sandbox, victim), sandbox.effect_count()), (0, 6));
    test.look().await;
    assert_eq!(test.punishment(victim, 2).await, unban);
}

#[tokio::test]
async fn a_defect_as_an_end_is_stored_takes_it_back_whole_and_it_is_done_again_once() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (victim, other) = (sandbox.stranger(), sandbox.stranger());
    for whom in [victim, other] {
        punish(&test, &sandbox, "ban", whom, Some("1h")).await;
    }
    arm(Point::Expiry, user(victim));
    test.advance(&sandbox, "2h").await;
    // It does not block the other one.
    test.until_counted(test.punishment(other, 2).await, DeliveryState::Applied, 2).await;
    test.until_counted(test.punishment(victim, 2).await, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;
    assert_eq!((banned(&sandbox, victim), sandbox.effect_count()), (0, 12));
    let theirs = move |entry: &wayhaven_shared::operations::audit::AuditEntry, result| {
        entry.surface == "scheduler" && entry.target == Some(user(victim)) && entry.result == result
    };
    test.until_audited("its success", move |entry| theirs(entry, AuditResult::Success)).await;
    let audit = test.audit().await;
    let of = |result| audit.iter().filter(|entry| theirs(entry, result)).count();
    assert_eq!((of(AuditResult::Error), of(AuditResult::Success)), (1, 1));
}

#[tokio::test]
async fn an_end_while_the_network_is_frozen_is_recorded_and_held_like_any_reversal() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    punish(&test, &sandbox, "ban", victim, Some("1h")).await;
    configure(&test, main, "sync freeze", json!({})).await;
    test.advance(&sandbox, "2h").await;
    let unban = test.punishment(victim, 2).await;
    test.until_counted(unban, DeliveryState::Held, 2).await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 2);
    assert!(!sandbox.is_banned(main, victim), "in the main itself it is no propagation");
    configure(&test, main, "sync resume", json!({})).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    assert_eq!(banned(&sandbox, victim), 0);
}

#[tokio::test]
async fn what_a_childs_own_staff_did_stays_when_ours_ends() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, own, victim) = (sandbox.main_guild(), sandbox.children()[1], sandbox.stranger());
    sandbox.people().ban(own, sandbox.child_moderator(own), victim, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(own), user(victim), Action::Ban).unwrap()
    })
    .await;
    punish(&test, &sandbox, "ban", victim, Some("1h")).await;
    test.advance(&sandbox, "2h").await;
    let unban = test.punishment(victim, 2).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(main, victim) && sandbox.is_banned(own, victim));
}

#[tokio::test]
async fn the_end_of_a_childs_own_ban_lifts_no_ban_of_its_main() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, alone, both) = (sandbox.children()[0], sandbox.stranger(), sandbox.stranger());
    for victim in [alone, both] {
        test.punish(child, ask("ban", victim, Some("1h"))).await;
    }
    punish(&test, &sandbox, "ban", both, None).await;
    test.systems.engine.drain().await;
    test.advance(&sandbox, "2h").await;
    let kept = test.punishment(both, 3).await;
    let lifted = test.punishment(alone, 2).await;
    test.until("the end of the one", move |view| {
        view.origin_of(lifted).unwrap().is_some_and(|origin| origin.state == DeliveryState::Applied)
    })
    .await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, alone), "it was nobody else's");
    assert!(sandbox.is_banned(child, both));
    let origin = test.read(move |view| view.origin_of(kept).unwrap().unwrap()).await;
    assert_eq!(
        (origin.state, origin.reason.as_deref()),
        (DeliveryState::Skipped, Some("another network's punishment remains"))
    );
    let stands =
        test.read(move |view| view.why_it_stays(guild(child), user(alone), Action::Ban).unwrap()).await;
    assert_eq!(stands, None);
    // The main's unban still finds that the ban is ours.
    let unban = test.unban(sandbox.main_guild(), both).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, both));
}

#[tokio::test]
async fn of_two_mains_each_one_ends_its_own_and_the_last_one_lifts() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (first, shared, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let second = sandbox.children()[1];
    let made = test.systems.services.store().write(move |change| {
        let link = change.link(guild(first), guild(second))?.unwrap();
        change.close_link(link.id, guild(first), guild(second))?;
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(shared), Mode::Active)?)
    });
    made.await.unwrap();
    for (main, span) in [(first, "1h"), (second, "3h")] {
        let id = test.punish(main, ask("ban", victim, Some(span))).await.punishment.unwrap().id;
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    test.systems.engine.drain().await;
    test.advance(&sandbox, "2h").await;
    let unban = test.punishment(victim, 3).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(first, victim) && sandbox.is_banned(shared, victim));
    assert_eq!(test.delivery(unban, shared).await.reason.as_deref(), Some("another network's ban remains"));
    test.advance(&sandbox, "2h").await;
    let unban = test.punishment(victim, 4).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(shared, victim) && !sandbox.is_banned(second, victim));
}

#[tokio::test]
async fn fault_21_a_clock_that_is_set_back_moves_no_end() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    let id = punish(&test, &sandbox, "ban", victim, Some("2d")).await;
    test.systems.engine.drain().await;
    let ends = async || test.read(move |view| view.punishment(id).unwrap().unwrap().expires_at).await;
    let before = ends().await;
    test.systems.services.clock().shift(-86_400_000);
    test.look().await;
    // Two days after it was made, by a clock that lost one.
    test.advance(&sandbox, "2d").await;
    assert_eq!((ends().await, banned(&sandbox, victim)), (before, 2));
    test.advance(&sandbox, "1d1s").await;
    test.until_counted(test.punishment(victim, 2).await, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert_eq!(banned(&sandbox, victim), 0);
}

#[tokio::test]
async fn only_what_ends_now_can_be_ended() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (guild(sandbox.main_guild()), user(sandbox.stranger()));
    let mut new = NewPunishment::new(main, victim, Action::Ban, Origin::Operator);
    new.expires_at = Some(Timestamp::from_millis(test.systems.services.clock().now().millis() + 60_000));
    let store = test.systems.services.store();
    let ban = store.write(move |change| Ok(record(change, &new, AtOrigin::Done)?.punishment)).await.unwrap();
    let early = super::super::carry_out(&test.systems, super::super::Due::End(ban)).await.unwrap_err();
    assert_eq!(early.kind, wayhaven_shared::FaultKind::Conflict);
    assert_eq!(test.history(victim.get()).await, [(Action::Ban, "active".to_owned())]);
}
