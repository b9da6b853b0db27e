//! What is seen of holds in a child, what else stands where something was discarded, and clocks that are set back.

use super::edges::spent;
use super::*;
use serde_json::json;
use wayhaven_shared::operations::exception::{SyncExceptionAdd, SyncExceptionRemove};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::reconcile::SyncReconcile;
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::operations::sync::SyncRetry;

#[tokio::test]
async fn an_administrator_of_a_child_sees_what_is_kept_from_it_and_nothing_of_others() {
    let sandbox = sandbox(2).await;
    let test = started(&sandbox, 1, 100).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let victims = strangers(&sandbox, 3);
    ban(&test, &sandbox, sandbox.moderator(), victims[0]).await;
    ban(&test, &sandbox, sandbox.moderator(), victims[1]).await;
    // The third is kept from the first child alone.
    let work = move |change: &crate::store::Change<'_>| {
        let link = change.link(guild(main), guild(children[1]))?.unwrap();
        Ok(change.close_link(link.id, guild(main), guild(children[1])).map(drop)?)
    };
    test.systems.services.store().write(work).await.unwrap();
    ban(&test, &sandbox, sandbox.moderator(), victims[2]).await;
    let children = sandbox.children();
    let see = async |of: u64| {
        let asked = by_member(7, of, permissions::MANAGE_GUILD, SyncHolds {}.into());
        let Reply::SyncHolds(seen) = test.ask(asked).await.unwrap() else { panic!("another reply") };
        seen
    };
    let whole = see(main).await;
    assert_eq!((whole.holds[0].users, whole.holds[0].guilds, whole.of_child), (2, 2, None));
    let of_first = see(children[0]).await;
    let hold = &of_first.holds[0];
    assert_eq!((hold.users, hold.guilds, hold.deliveries, hold.whom.len()), (2, 1, 2, 2));
    assert_eq!(of_first.of_child, Some(guild(children[0])));
    let words = format!("{:?}", of_first.report());
    assert!(words.contains(&format!("main {main} decides")) && !words.contains("sync approve"), "{words}");
    assert!(!words.contains(&children[1].to_string()), "{words}");
    let not_enough = by_member(7, children[0], permissions::BAN_MEMBERS, SyncHolds {}.into());
    assert_eq!(test.ask(not_enough).await.unwrap_err().kind, FaultKind::Denied);
    assert_eq!(test.alerts().await, ["budget_exceeded"], "whoever looks reaches out for nothing");
}

#[tokio::test]
async fn a_clock_that_is_set_back_gives_nobody_a_fresh_budget_and_does_not_hold_for_ever() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 2, 3).await;
    let (child, victims) = (sandbox.children()[0], strangers(&sandbox, 6));
    ban(&test, &sandbox, sandbox.moderator(), victims[0]).await;
    ban(&test, &sandbox, sandbox.moderator(), victims[1]).await;
    test.settled().await;
    test.systems.services.clock().shift(-86_400_000);
    ban(&test, &sandbox, sandbox.moderator(), victims[2]).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victims[2]), "the moderator has spent theirs");
    ban(&test, &sandbox, sandbox.admin(), victims[3]).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victims[3]), "three of the main within its window");
    // A window later by the clock as it is now.
    test.advance(&sandbox, "5m1s").await;
    ban(&test, &sandbox, sandbox.moderator(), victims[4]).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victims[4]));
}

/// A ban of somebody that was discarded for the only child, and another that came there.
async fn discarded_beside_another(
    test: &TestDaemon,
    sandbox: &Sandbox,
    victim: u64,
    lasts: Option<&str>,
) -> (PunishmentId, PunishmentId) {
    let (child, ban_for) = (sandbox.children()[0], json!({ "user": victim.to_string(), "for": lasts }));
    let request = json!({ "operation": "ban", "arguments": ban_for });
    let request: Request = serde_json::from_value(request).unwrap();
    let applied = by(test, sandbox, sandbox.admin(), request).await.punishment.unwrap().id;
    test.until_counted(applied, DeliveryState::Applied, 1).await;
    let discarded = ban(test, sandbox, sandbox.moderator(), victim).await;
    let hold = holds(test, sandbox).await.remove(0);
    discard(test, sandbox, hold.id).await;
    assert!(sandbox.is_banned(child, victim));
    (applied, discarded)
}

#[tokio::test]
async fn where_all_that_remains_was_discarded_a_reverted_ban_is_lifted_there_and_stands_in_the_main() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let (applied, discarded) = discarded_beside_another(&test, &sandbox, victim, None).await;
    let revert = PunishmentRevert { punishments: vec![applied], ..PunishmentRevert::default() };
    let plan = asked(&test, sandbox.main_guild(), revert.clone(), true).await.unwrap();
    let done = asked(&test, sandbox.main_guild(), revert, false).await.unwrap();
    assert_eq!((done.one_of_several, done.deliveries.pending), (1, 1));
    assert_eq!((plan.one_of_several, plan.deliveries), (done.one_of_several, done.deliveries));
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim), "nothing that is approved bans them there");
    assert!(sandbox.is_banned(sandbox.main_guild(), victim), "and {discarded} stands in the main");
}

#[tokio::test]
async fn where_all_that_remains_was_discarded_a_ban_that_ends_is_lifted_there_and_stands_in_the_main() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let (applied, _) = discarded_beside_another(&test, &sandbox, victim, Some("1h")).await;
    test.advance(&sandbox, "1h1s").await;
    test.until("it has ended", move |view| view.punishment(applied).unwrap().unwrap().status == "expired")
        .await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim) && sandbox.is_banned(sandbox.main_guild(), victim));
}

#[tokio::test]
async fn what_waits_for_approval_keeps_no_reverted_ban_and_comes_once_it_is_approved() {
    let sandbox = sandbox(1).await;
    let (test, child, victim) = spent(&sandbox).await;
    let applied = ban(&test, &sandbox, sandbox.admin(), victim).await;
    test.until_counted(applied, DeliveryState::Applied, 1).await;
    let waiting = ban(&test, &sandbox, sandbox.moderator(), victim).await;
    let revert = PunishmentRevert { punishments: vec![applied], ..PunishmentRevert::default() };
    asked(&test, sandbox.main_guild(), revert, false).await.unwrap();
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim), "what waits is no cause yet");
    let hold = holds(&test, &sandbox).await.remove(0);
    approve(&test, &sandbox, hold.id).await;
    test.until_counted(waiting, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_is_held_or_was_discarded_leaves_by_no_other_way_and_comes_to_no_new_child_either() {
    for discards in [false, true] {
        let sandbox = sandbox(2).await;
        let test = started(&sandbox, 1, 100).await;
        let (main, children, victim) = (sandbox.main_guild(), sandbox.children(), sandbox.stranger());
        let (first, later) = (children[0], children[1]);
        let link = async |on: bool| {
            let work = move |change: &crate::store::Change<'_>| {
                let (main, later) = (guild(main), guild(later));
                match on {
                    true => drop(change.activate_link(main, later, Mode::Active)?),
                    false => {
                        let link = change.link(main, later)?.unwrap();
                        change.close_link(link.id, main, later)?;
                    }
                }
                Ok(())
            };
            test.systems.services.store().write(work).await.unwrap();
        };
        link(false).await;
        ban(&test, &sandbox, sandbox.moderator(), sandbox.stranger()).await;
        ban(&test, &sandbox, sandbox.moderator(), victim).await;
        let hold = holds(&test, &sandbox).await.remove(0);
        if discards {
            discard(&test, &sandbox, hold.id).await;
        }
        link(true).await;
        sandbox.people().join(first, victim).unwrap();
        sandbox.people().join(later, victim).unwrap();
        for child in [first, later] {
            let user = user(victim);
            let add = SyncExceptionAdd { user, measure: None, until: None, reason: None, lift: true };
            asked(&test, child, add, false).await.unwrap();
            asked(&test, child, SyncExceptionRemove { user, measure: None }, false).await.unwrap();
            let apply = SyncReconcile { child: Some(guild(child)), apply: true };
            let id = asked(&test, main, apply, false).await.unwrap().jobs[0].id;
            test.until("the comparison", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
        }
        let retry = json!({ "operation": "sync retry", "arguments": { "failed": true } });
        let Request::SyncRetry(retry) = serde_json::from_value(retry).unwrap() else { panic!("another") };
        let retry: SyncRetry = retry;
        asked(&test, main, retry, false).await.unwrap();
        test.settled().await;
        for child in [first, later] {
            let effects = sandbox.effects_in(child);
            assert!(!effects.iter().any(|effect| effect.user == Some(victim)), "{discards}: {effects:?}");
        }
        if !discards {
            let hold = holds(&test, &sandbox).await.remove(0);
            assert_eq!(hold.actions[0].action, Action::Ban);
            approve(&test, &sandbox, hold.id).await;
            test.settled().await;
            assert!(sandbox.is_banned(later, victim), "what is approved comes to the new child too");
        }
    }
}
