//! Where punishments come from, and how far they reach.

use crate::testing::{TestDaemon, guild, sandbox, user};
use serde_json::json;
use wayhaven_sandbox::{EventFate, Fault, Sandbox};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::Mode;

/// How many requests changed something in a guild, by method.
fn requests(sandbox: &Sandbox, guild: u64, method: &str) -> usize {
    sandbox.effects_in(guild).iter().filter(|effect| effect.method == method).count()
}

#[tokio::test]
async fn fault_18_a_ban_in_the_mains_own_ui_is_one_request_per_child_and_its_echoes_raise_nothing() {
    let sandbox = sandbox(4).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, moderator, victim) = (sandbox.main_guild(), sandbox.moderator(), sandbox.stranger());
    sandbox.people().ban(main, moderator, victim, Some("raid")).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 4).await;

    // A second ban behind the first: once it is through, every echo of the first has been taken in.
    let second = sandbox.stranger();
    sandbox.people().ban(main, moderator, second, None).unwrap();
    let behind = test.punishment(second, 1).await;
    test.until_counted(behind, DeliveryState::Applied, 4).await;

    let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
    assert_eq!((stored.origin, stored.moderator_id), (Origin::Guild, Some(user(moderator))));
    assert_eq!(stored.reason.unwrap().raw(), "raid");
    assert_eq!(sandbox.effect_count(), 8, "one request per child and ban, and none in the main");
    for child in sandbox.children() {
        assert_eq!(requests(&sandbox, child, "PUT"), 2);
        assert!(sandbox.bans(child).contains(&(victim, Some("raid".to_owned()))));
    }
    assert_eq!(test.alerts().await, Vec::<String>::new());
    assert!(!test.told().await.iter().any(|change| matches!(change, Change::Contained { .. })));
    assert_eq!(test.punishment(victim, 1).await, id, "no echo became a punishment");
}

#[tokio::test]
async fn fault_18_a_slash_ban_acts_in_the_main_and_in_every_child_once() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let options = json!({ "user": victim.to_string(), "reason": "spam" });
    let asked = sandbox.people().slash(main, sandbox.moderator(), "ban", options).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 3).await;
    test.until("the main", move |view| {
        view.origin_of(id).unwrap().is_some_and(|origin| origin.state == DeliveryState::Applied)
    })
    .await;
    sandbox.people().reply(asked).await.unwrap();
    assert!(sandbox.is_banned(main, victim));
    assert_eq!(sandbox.effect_count(), 4);

    // The echoes are behind this ban in the stream.
    let second = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), second, None).unwrap();
    test.punishment(second, 1).await;
    let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
    assert_eq!((stored.origin, stored.moderator_id), (Origin::Command, Some(user(sandbox.moderator()))));
    assert_eq!(test.punishment(victim, 1).await, id, "no echo became a punishment");
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn an_operators_ban_reaches_every_child_and_names_no_moderator() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    let id = test.ban(sandbox.main_guild(), victim).await;
    test.until_counted(id, DeliveryState::Applied, 3).await;
    let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
    assert_eq!((stored.origin, stored.moderator_id), (Origin::Operator, None));
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 3);
}

#[tokio::test]
async fn fault_19_a_ban_in_a_child_by_hand_touches_no_guild() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, victim) = (sandbox.children()[0], sandbox.stranger());
    sandbox.people().ban(child, sandbox.child_moderator(child), victim, Some("local")).unwrap();
    test.until("the contained ban", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    assert_eq!(sandbox.effect_count(), 0);
    assert!(test.read(move |view| view.punishments(None, None, None, 9).unwrap()).await.is_empty());
    let contained = test.told().await.into_iter().find_map(|change| match change {
        Change::Contained { guild_id, action, user_id, by } => Some((guild_id, action, user_id, by)),
        _ => None,
    });
    let by = Some(user(sandbox.child_moderator(child)));
    assert_eq!(contained, Some((guild(child), "ban".to_owned(), user(victim), by)));
    assert!(test.alerts().await.is_empty(), "what a child's staff do at home is normal");
}

#[tokio::test]
async fn fault_19_a_ban_in_a_child_by_command_touches_that_child_only() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, victim) = (sandbox.children()[1], sandbox.stranger());
    let options = json!({ "user": victim.to_string() });
    sandbox.people().slash(child, sandbox.child_moderator(child), "ban", options).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until("the child", move |view| {
        view.origin_of(id).unwrap().is_some_and(|origin| origin.state == DeliveryState::Applied)
    })
    .await;
    assert!(test.read(move |view| view.deliveries_of(id).unwrap()).await.is_empty());
    assert_eq!((sandbox.effect_count(), sandbox.effects_in(child).len()), (1, 1));
}

#[tokio::test]
async fn a_child_in_monitor_mode_is_recorded_and_sent_nothing() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, watched, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let link = test
        .systems
        .services
        .store()
        .write(move |change| Ok(change.activate_link(guild(main), guild(watched), Mode::Monitor)?));
    assert_eq!(link.await.unwrap().mode, Mode::Monitor);
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let delivery = test.delivery(id, watched).await;
    assert_eq!((delivery.state, delivery.reason.as_deref()), (DeliveryState::Skipped, Some("monitor mode")));
    assert!(sandbox.effects_in(watched).is_empty());
}

#[tokio::test]
async fn an_unban_lifts_what_we_did_and_leaves_the_childs_own_ban() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, own, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().ban(own, sandbox.child_moderator(own), victim, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(own), user(victim), Action::Ban).unwrap()
    })
    .await;
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 3).await;
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    let delivery = test.delivery(unban, own).await;
    assert_eq!(delivery.state, DeliveryState::Skipped);
    assert_eq!(delivery.reason.as_deref(), Some("banned there by its own staff"));
    assert!(sandbox.is_banned(own, victim));
    assert_eq!(sandbox.bans(own), [(victim, Some("ours".to_owned()))]);
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 1);
    assert_eq!(requests(&sandbox, own, "DELETE"), 0);
}

#[tokio::test]
async fn a_ban_that_was_never_sent_is_not_lifted() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;
    assert!(sandbox.effects_in(child).is_empty());
}

#[tokio::test]
async fn fault_14_a_ban_whose_entry_is_lost_does_not_come_back_after_its_unban() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, moderator, victim) = (sandbox.main_guild(), sandbox.moderator(), sandbox.stranger());
    let entry = Some("GUILD_AUDIT_LOG_ENTRY_CREATE".to_owned());
    sandbox.inject(Fault::Events { name: entry, guild: Some(main), times: Some(1), fate: EventFate::Drop });
    sandbox.people().ban(main, moderator, victim, None).unwrap();
    sandbox.people().unban(main, moderator, victim, None).unwrap();
    let unban = test.punishment(victim, 1).await;
    let action = test.read(move |view| view.punishment(unban).unwrap().unwrap().action).await;
    assert_eq!(action, Action::Unban);
    // The journal is worked off once the log was asked for the lost entry.
    test.until_worked_off().await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 0);
    let active = test
        .read(move |view| {
            view.last_decision(guild(main), user(victim), Action::Ban).unwrap().map(|(last, _)| last)
        })
        .await;
    assert_eq!(active, Some(Action::Unban), "the order in the main guild wins");
}
