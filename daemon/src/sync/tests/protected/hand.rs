//! What is done by hand to who is protected, and who is known to hold a protected role.

use super::{BOTH, By, Scene};
use crate::store::PROTECTED;
use crate::testing::{PATIENCE, TestDaemon, sandbox, user};
use serde_json::json;
use std::time::Duration;
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};

#[tokio::test]
async fn by_hand_in_the_main_it_stays_there_is_audited_and_raises_an_alert() {
    for by in BOTH {
        for action in [Action::Ban, Action::Kick, Action::Timeout, Action::Mute] {
            let sandbox = sandbox(2).await;
            // A role with powers is no mute role.
            let mutes = sandbox.role(sandbox.main_guild(), "Moderator");
            sandbox.people().set_role_permissions(sandbox.main_guild(), mutes, 0).unwrap();
            let scene = Scene::of(sandbox).await;
            let (main, whom) = (scene.main, scene.member(scene.main));
            scene.protect(main, whom, by).await;
            let (people, admin) = (scene.sandbox.people(), scene.sandbox.owner());
            scene.ask(main, "config muterole", json!({ "role": mutes.to_string() })).await;
            match action {
                Action::Mute => people.add_role(main, admin, whom, mutes),
                Action::Ban => people.ban(main, admin, whom, Some("mine")),
                Action::Kick => people.kick(main, admin, whom, Some("mine")),
                _ => people.timeout(main, admin, whom, Some(Duration::from_secs(3_600)), Some("mine")),
            }
            .unwrap();
            let id = scene.test.punishment(whom, 1).await;
            let stored = scene.test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
            assert_eq!((stored.action, stored.origin), (action, Origin::Guild), "{by:?}");
            for child in &scene.children {
                let (state, why) = scene.stands(id, *child).await;
                assert_eq!(state, DeliveryState::Skipped, "{by:?} {action}");
                assert!(why.is_some_and(|why| why.starts_with(PROTECTED)), "{by:?} {action}");
            }
            assert_eq!(scene.test.alerts().await, ["protected_punished"], "{by:?} {action}");
            let audited = scene.test.audit().await;
            let audited = audited.iter().find(|entry| entry.surface == "gateway").unwrap();
            assert_eq!((audited.operation.as_str(), audited.target), (action.word(), Some(user(whom))));
            scene.test.until_worked_off().await;
            assert_eq!(scene.sandbox.effect_count(), 0, "{by:?} {action}");
            assert_eq!(scene.test.alerts().await.len(), 1, "told once");
        }
    }
}

#[tokio::test]
async fn by_hand_an_undo_raises_nothing_and_after_removal_a_ban_is_delivered() {
    let scene = Scene::new(1).await;
    let (main, whom) = (scene.main, scene.member(scene.main));
    let line = scene.protect(main, whom, By::User).await;
    let (people, owner) = (scene.sandbox.people(), scene.sandbox.owner());
    people.ban(main, owner, whom, None).unwrap();
    scene.test.punishment(whom, 1).await;
    people.unban(main, owner, whom, None).unwrap();
    scene.test.punishment(whom, 2).await;
    assert_eq!(scene.test.alerts().await, ["protected_punished"]);
    scene.ask(main, "protect remove", line).await;
    people.ban(main, owner, whom, None).unwrap();
    let id = scene.test.punishment(whom, 3).await;
    scene.test.until_counted(id, DeliveryState::Applied, 1).await;
    assert_eq!(scene.test.alerts().await.len(), 1);
}

#[tokio::test]
async fn who_is_given_or_loses_a_protected_role_is_followed() {
    let scene = Scene::new(1).await;
    let (main, holder, other) = (scene.main, scene.member(scene.main), scene.sandbox.members(scene.main)[5]);
    scene.protect(main, holder, By::Role).await;
    scene.until_holds(holder, true).await;
    let role = scene.sandbox.role(main, "Muted");
    let (people, owner) = (scene.sandbox.people(), scene.sandbox.owner());
    people.add_role(main, owner, other, role).unwrap();
    people.remove_role(main, owner, holder, role).unwrap();
    scene.until_holds(other, true).await;
    scene.until_holds(holder, false).await;
    people.ban(main, owner, other, None).unwrap();
    people.ban(main, owner, holder, None).unwrap();
    let delivered = scene.test.punishment(holder, 1).await;
    scene.test.until_counted(delivered, DeliveryState::Applied, 1).await;
    assert_eq!((scene.banned(holder), scene.banned(other)), (1, 0));

    // Who has left held it when they were seen last; who joins again holds what they joined with.
    scene.until_holds(other, true).await;
    people.unban(main, owner, other, None).unwrap();
    people.join(main, other).unwrap();
    scene.until_holds(other, false).await;
}

#[tokio::test]
async fn a_kick_by_hand_while_the_daemon_was_away_is_judged_by_what_was_known_before() {
    let options = Options { children: 1, global_limit: 0, max_concurrency: 10, ..Options::default() };
    let scene = Scene::of(Sandbox::start(options).await.unwrap()).await;
    let (main, whom) = (scene.main, scene.member(scene.main));
    scene.protect(main, whom, By::Role).await;
    scene.until_holds(whom, true).await;
    let Scene { sandbox, test, children, .. } = scene;
    // An entry before the stop, so that the log is read from there on.
    let other = sandbox.stranger();
    sandbox.people().ban(main, sandbox.owner(), other, None).unwrap();
    let id = test.punishment(other, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let home = test.home();
    test.systems.services.lifecycle().stop();
    sandbox.wait_until(|sandbox| sandbox.connected_sessions() == 0, PATIENCE).await.unwrap();
    drop(test);
    sandbox.people().ban(main, sandbox.owner(), whom, Some("while nobody looks")).unwrap();
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    test.punishment(whom, 1).await;
    assert_eq!(test.alerts().await, ["protected_punished"]);
    assert_eq!(sandbox.banned_in(&children, whom), 0);
}
