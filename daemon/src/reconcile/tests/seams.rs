//! What happens between a comparison's steps, and what it may not show.

use super::*;
use serde_json::json;

/// Whoever joins while nobody listens is on the page of members, and on no event.
#[tokio::test]
async fn a_mute_that_waits_for_somebody_to_join_is_done_where_they_have_joined_unheard() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().had_joined(main, victim).unwrap();
    let request = json!({ "operation": "timeout", "arguments": { "user": victim.to_string(), "for": "1d" } });
    let id = test.punish(main, request).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    sandbox.people().had_joined(child, victim).unwrap();
    let plan = compare(&test, main, child, false).await;
    assert_eq!(counts(&plan), [(Difference::Missing, 1)]);
    test.daemon.store().write(move |change| Ok(change.reconcile_soon(guild(child))?)).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.member(child, victim)["communication_disabled_until"].is_string());
}

#[tokio::test]
async fn an_undo_that_was_kept_back_is_not_made_good_where_the_main_has_decided_anew_meanwhile() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    test.link(&sandbox, Mode::Monitor).await;
    test.unban(main, victim).await;
    test.settled().await;
    test.link(&sandbox, Mode::Active).await;
    let (of, stretch) = ((guild(child), guild(main)), crate::store::Stretch::default());
    let kept = test.read(move |view| view.undos_kept_back(of.0, of.1, Action::Ban, stretch).unwrap()).await;
    let [(_, undo, _)] = kept.as_slice() else { panic!("{kept:?}") };
    let (undo, whom) = (*undo, user(victim));
    let again = test.ban(main, victim).await;
    test.until_counted(again, DeliveryState::Applied, 1).await;
    let late = move |change: &Change<'_>| Ok(change.make_undo_good(of.0, of.1, (whom, Action::Ban), undo)?);
    assert!(!test.daemon.store().write(late).await.unwrap());
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
}
