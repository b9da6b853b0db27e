//! What a protection kept from a guild stays undelivered, whatever comes after it, until somebody punishes the user anew.

use super::{BOTH, By, Scene};
use crate::store::{Change, PROTECTED, StoreError};
use crate::testing::{TestDaemon, asked, guild, sandbox, user};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_shared::FaultKind;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::job::{Job, JobResult, JobState};
use wayhaven_shared::operations::protect::ProtectionChanged;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reconcile::{Difference, Reconciled, SyncReconcile};
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::operations::setup::{Mode, SetupRemoveChild};
use wayhaven_shared::value::PunishmentId;

const MEASURES: [Action; 3] = [Action::Ban, Action::Mute, Action::Timeout];

/// A network of two children with mute roles, and a member of all its guilds.
async fn network() -> (Scene, u64) {
    let sandbox = sandbox(2).await;
    let guilds: Vec<u64> = std::iter::once(sandbox.main_guild()).chain(sandbox.children()).collect();
    let whom = sandbox.stranger();
    for place in &guilds {
        sandbox.people().had_joined(*place, whom).unwrap();
        // A role with powers is no mute role; the other one is what tests protect.
        let role = sandbox.role(*place, "Moderator");
        sandbox.people().set_role_permissions(*place, role, 0).unwrap();
    }
    let scene = Scene::of(sandbox).await;
    for place in guilds {
        let role = scene.sandbox.role(place, "Moderator").to_string();
        scene.ask(place, "config muterole", json!({ "role": role })).await;
    }
    (scene, whom)
}

fn by_hand(scene: &Scene, whom: u64, action: Action) {
    let (people, main, by) = (scene.sandbox.people(), scene.main, scene.sandbox.owner());
    match action {
        Action::Mute => people.add_role(main, by, whom, scene.sandbox.role(main, "Moderator")),
        Action::Ban => people.ban(main, by, whom, None),
        _ => people.timeout(main, by, whom, Some(Duration::from_secs(36_000)), None),
    }
    .unwrap();
}

async fn by_command(scene: &Scene, whom: u64, action: Action) -> PunishmentId {
    let mut arguments = json!({ "user": whom.to_string() });
    if action == Action::Timeout {
        arguments["for"] = json!("10h");
    }
    let request = json!({ "operation": action.word(), "arguments": arguments });
    scene.test.punish(scene.main, request).await.punishment.unwrap().id
}

async fn reconcile(test: &TestDaemon, main: u64, child: u64, apply: bool) -> Reconciled {
    // One that the daemon begins by itself goes first.
    let job: Job = loop {
        let operation = SyncReconcile { child: Some(guild(child)), apply };
        match asked(test, main, operation, false).await {
            Ok(mut begun) => break begun.jobs.pop().unwrap(),
            Err(fault) => assert_eq!(fault.kind, FaultKind::Conflict, "{fault:?}"),
        }
        tokio::task::yield_now().await;
    };
    let id = job.id;
    test.until("the comparison", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    test.settled().await;
    match job.result.unwrap() {
        JobResult::Reconciled(found) => found,
        other => panic!("{other:?}"),
    }
}

async fn unprotect(scene: &Scene, of: u64, line: Value) -> ProtectionChanged {
    match scene.ask(of, "protect remove", line).await {
        Reply::ProtectRemove(changed) => changed,
        other => panic!("{other:?}"),
    }
}

/// The link is removed, and made again.
async fn relink(test: &TestDaemon, main: u64, child: u64, undo: bool) {
    let leaving = SetupRemoveChild { undo, keep: !undo, child: guild(child), force: false };
    asked(test, main, leaving, false).await.unwrap();
    test.until("a closed link", move |view| {
        view.link(guild(main), guild(child)).unwrap().unwrap().state == "closed"
    })
    .await;
    let link =
        move |change: &Change<'_>| Ok(change.activate_link(guild(main), guild(child), Mode::Active)?);
    test.systems.services.store().write(link).await.unwrap();
}

/// Everything that may bring a punishment to a child by itself.
async fn whatever_brings_about(scene: &Scene, whom: u64, child: u64, measure: Action) {
    let (test, main) = (&scene.test, scene.main);
    let plan = reconcile(test, main, child, false).await;
    assert_eq!((plan.count(Difference::Protected), plan.count(Difference::Missing)), (1, 0), "{plan:?}");
    assert!(plan.differing.iter().any(|one| one.difference == Difference::Protected), "{plan:?}");
    let done = reconcile(test, main, child, true).await;
    assert_eq!((done.count(Difference::Protected), done.mended()), (1, 0), "{done:?}");
    relink(test, main, child, false).await;
    reconcile(test, main, child, true).await;
    scene.ask(main, "sync freeze", json!({})).await;
    reconcile(test, main, child, true).await;
    scene.ask(main, "sync resume", json!({})).await;
    let people = scene.sandbox.people();
    people.leave(child, whom).unwrap();
    people.join(child, whom).unwrap();
    // An exception that has ended.
    let word = measure.word();
    let exception = json!({ "user": whom.to_string(), "measure": word, "reason": "x" });
    scene.ask(child, "sync exception add", exception).await;
    let ended = json!({ "user": whom.to_string(), "measure": word });
    scene.ask(child, "sync exception remove", ended).await;
    test.systems
        .services
        .store()
        .write(move |change| Ok(change.reconcile_soon(guild(child))?))
        .await
        .unwrap();
    scene.ask(main, "sync retry", json!({})).await;
    test.settled().await;
    reconcile(test, main, child, true).await;
}

#[tokio::test]
async fn by_hand_to_who_the_main_protects_and_nothing_brings_it_to_a_child_later() {
    for by in BOTH {
        for measure in MEASURES {
            let (scene, whom) = network().await;
            let main = scene.main;
            let line = scene.protect(main, whom, by).await;
            by_hand(&scene, whom, measure);
            let id = scene.test.punishment(whom, 1).await;
            scene.test.until_counted(id, DeliveryState::Skipped, 2).await;
            let why = scene.stands(id, scene.children[0]).await.1.unwrap();
            assert!(why.starts_with(PROTECTED) && why.contains(&format!("in guild {main}")), "{why}");
            let alert = scene.test.read(|view| view.alerts(&Default::default(), 5).unwrap()).await.remove(0);
            assert!(format!("{alert:?}").contains(&format!("wayhaven {measure} {whom}")), "{alert:?}");
            let removed = unprotect(&scene, main, line).await;
            assert_eq!((removed.changed, removed.undelivered), (true, 1), "{by:?} {measure}");
            for child in &scene.children {
                whatever_brings_about(&scene, whom, *child, measure).await;
            }
            assert_eq!(scene.sandbox.effect_count(), 0, "{by:?} {measure}");
            // Somebody decides anew.
            let again = by_command(&scene, whom, measure).await;
            scene.test.until_counted(again, DeliveryState::Applied, 2).await;
            for child in &scene.children {
                let found = reconcile(&scene.test, main, *child, true).await;
                assert_eq!((found.count(Difference::InOrder), found.mended()), (1, 0), "{found:?}");
            }
        }
    }
}

#[tokio::test]
async fn by_command_to_who_a_child_protects_and_nothing_brings_it_there_later() {
    for by in BOTH {
        for measure in MEASURES {
            let (scene, whom) = network().await;
            let (main, safe) = (scene.main, scene.children[0]);
            let line = scene.protect(safe, whom, by).await;
            let id = by_command(&scene, whom, measure).await;
            scene.test.until_counted(id, DeliveryState::Applied, 1).await;
            scene.test.until_counted(id, DeliveryState::Skipped, 1).await;
            let why = scene.stands(id, safe).await.1.unwrap();
            assert!(why.starts_with(PROTECTED) && why.contains(&format!("in guild {safe}")), "{why}");
            if by == By::Role {
                let role = scene.sandbox.role(safe, "Muted");
                scene.sandbox.people().remove_role(safe, scene.sandbox.owner(), whom, role).unwrap();
            } else {
                assert_eq!(unprotect(&scene, safe, line).await.undelivered, 1, "{by:?} {measure}");
            }
            whatever_brings_about(&scene, whom, safe, measure).await;
            assert!(scene.sandbox.effects_in(safe).is_empty(), "{by:?} {measure}");
            // An undo finds nothing there; a new punishment comes.
            let undo = by_command(&scene, whom, measure.undo().unwrap()).await;
            scene.test.until_counted(undo, DeliveryState::Applied, 1).await;
            scene.test.settled().await;
            assert!(scene.sandbox.effects_in(safe).is_empty(), "{by:?} {measure}");
            let again = by_command(&scene, whom, measure).await;
            scene.test.until_counted(again, DeliveryState::Applied, 2).await;
            let found = reconcile(&scene.test, main, safe, true).await;
            assert_eq!((found.count(Difference::InOrder), found.mended()), (1, 0), "{found:?}");
        }
    }
}

#[tokio::test]
async fn a_restart_forgets_no_protection() {
    for by in BOTH {
        let (scene, whom) = network().await;
        let main = scene.main;
        scene.protect(main, whom, by).await;
        by_hand(&scene, whom, Action::Ban);
        let id = scene.test.punishment(whom, 1).await;
        scene.test.until_counted(id, DeliveryState::Skipped, 2).await;
        scene.test.settled().await;
        let Scene { sandbox, test, children, .. } = scene;
        let home = test.home();
        test.systems.services.lifecycle().stop();
        sandbox.wait_until(|world| world.connected_sessions() == 0, crate::testing::PATIENCE).await.unwrap();
        drop(test);
        let test = TestDaemon::start_at(&sandbox, home).await;
        test.until_ready().await;
        // Whoever is banned holds no role any more; of a user the line is removed.
        if by == By::User {
            let line = json!({ "operation": "protect remove", "arguments": { "user": whom.to_string() } });
            let request = serde_json::from_value(line).unwrap();
            let role = wayhaven_shared::control::Role::Owner;
            test.ask(crate::testing::by_operator(role, Some(main), request)).await.unwrap();
        }
        for child in &children {
            reconcile(&test, main, *child, true).await;
            relink(&test, main, *child, true).await;
            reconcile(&test, main, *child, true).await;
        }
        assert_eq!(sandbox.banned_in(&children, whom), 0, "{by:?}");
    }
}

#[tokio::test]
async fn what_the_main_protects_while_a_freeze_holds_it_stays_undelivered_after_the_freeze() {
    for (by, in_the_main) in [(By::User, true), (By::User, false), (By::Role, true), (By::Role, false)] {
        let (scene, whom) = network().await;
        let (main, safe) = (scene.main, scene.children[0]);
        scene.ask(main, "sync freeze", json!({})).await;
        let id = by_command(&scene, whom, Action::Timeout).await;
        scene.test.until_counted(id, DeliveryState::Held, 2).await;
        let of = if in_the_main { main } else { safe };
        let line = scene.protect(of, whom, by).await;
        if in_the_main {
            scene.until_holds(whom, true).await;
        }
        scene.ask(main, "sync resume", json!({})).await;
        scene.test.until_counted(id, DeliveryState::Skipped, if in_the_main { 2 } else { 1 }).await;
        scene.test.settled().await;
        unprotect(&scene, of, line).await;
        whatever_brings_about(&scene, whom, safe, Action::Timeout).await;
        assert!(scene.sandbox.effects_in(safe).is_empty(), "{by:?} {in_the_main}");
    }
}

#[tokio::test]
async fn a_longer_punishment_that_was_kept_away_keeps_no_shorter_one_from_ending_in_the_children() {
    let (scene, whom) = network().await;
    let main = scene.main;
    let line = scene.protect(main, whom, By::User).await;
    by_hand(&scene, whom, Action::Timeout);
    let kept = scene.test.punishment(whom, 1).await;
    scene.test.until_counted(kept, DeliveryState::Skipped, 2).await;
    unprotect(&scene, main, line).await;
    // A longer one is delivered; once it is reverted the one by hand stands in the main alone.
    let longer = json!({ "operation": "timeout", "arguments": { "user": whom.to_string(), "for": "5d" } });
    let longer = scene.test.punish(main, longer).await.punishment.unwrap().id;
    scene.test.until_counted(longer, DeliveryState::Applied, 2).await;
    let these = PunishmentRevert { punishments: vec![longer], ..PunishmentRevert::default() };
    asked(&scene.test, main, these, false).await.unwrap();
    scene.test.settled().await;
    let until = |of: u64| scene.sandbox.member(of, whom)["communication_disabled_until"].is_string();
    assert!(until(main));
    assert_eq!(scene.children.iter().filter(|child| until(**child)).count(), 0);
    for child in &scene.children {
        reconcile(&scene.test, main, *child, true).await;
    }
    assert_eq!(scene.children.iter().filter(|child| until(**child)).count(), 0);
}

#[tokio::test]
async fn what_was_delivered_before_the_protection_is_repaired_after_it() {
    for in_the_main in [true, false] {
        let (scene, whom) = network().await;
        let (main, child) = (scene.main, scene.children[0]);
        let id = by_command(&scene, whom, Action::Ban).await;
        scene.test.until_counted(id, DeliveryState::Applied, 2).await;
        let of = if in_the_main { main } else { child };
        let line = scene.protect(of, whom, By::User).await;
        scene.sandbox.people().had_lifted(child, whom).unwrap();
        let found = reconcile(&scene.test, main, child, true).await;
        assert_eq!(found.count(Difference::LeftOut), 1, "{found:?}");
        assert!(!scene.sandbox.is_banned(child, whom));
        assert_eq!(unprotect(&scene, of, line).await.undelivered, 0);
        reconcile(&scene.test, main, child, true).await;
        assert!(scene.sandbox.is_banned(child, whom), "{in_the_main}");
    }
}

#[tokio::test]
async fn who_joins_while_the_child_protects_them_is_not_punished_when_they_join_again() {
    let (scene, _) = network().await;
    let (main, child) = (scene.main, scene.children[0]);
    let whom = scene.sandbox.stranger();
    scene.sandbox.people().join(main, whom).unwrap();
    let id = by_command(&scene, whom, Action::Mute).await;
    scene.test.until_counted(id, DeliveryState::Skipped, 2).await;
    let line = scene.protect(child, whom, By::User).await;
    let people = scene.sandbox.people();
    people.join(child, whom).unwrap();
    scene
        .test
        .until("it is remembered", move |view| {
            let of = view.deliveries_of(id).unwrap();
            of.iter().any(|one| one.reason.as_deref().is_some_and(|reason| reason.starts_with(PROTECTED)))
        })
        .await;
    unprotect(&scene, child, line).await;
    people.leave(child, whom).unwrap();
    people.join(child, whom).unwrap();
    // Where nobody protects them they are muted at the door; it comes behind the other.
    people.join(scene.children[1], whom).unwrap();
    scene.test.until_counted(id, DeliveryState::Applied, 1).await;
    scene.test.settled().await;
    reconcile(&scene.test, main, child, true).await;
    let effects = scene.sandbox.effects_in(child);
    assert!(effects.iter().all(|one| !one.applied), "only the first try, which met no member: {effects:?}");
}

#[tokio::test]
async fn what_a_monitor_link_kept_back_from_who_the_main_protected_stays_back_once_it_is_active() {
    let (scene, whom) = network().await;
    let (main, child) = (scene.main, scene.children[0]);
    scene.test.link(&scene.sandbox, Mode::Monitor).await;
    let line = scene.protect(main, whom, By::User).await;
    by_hand(&scene, whom, Action::Ban);
    scene.test.punishment(whom, 1).await;
    unprotect(&scene, main, line).await;
    scene.test.link(&scene.sandbox, Mode::Active).await;
    let undelivered = scene
        .test
        .read(move |view| {
            let now = view.now();
            Ok::<_, StoreError>(view.count_undelivered(guild(main), guild(child), Action::Ban, now).unwrap())
        })
        .await
        .unwrap();
    assert_eq!(undelivered, 0, "a backfill has nothing to do");
    whatever_brings_about(&scene, whom, child, Action::Ban).await;
    assert_eq!(scene.sandbox.effect_count(), 0);
    // A row says so now, for who looks.
    let row = scene.test.read(move |view| view.deliveries(&Default::default(), 10).unwrap()).await;
    assert!(row.iter().any(|one| one.guild_id == guild(child)
        && one.user_id == user(whom)
        && one.reason.as_deref().is_some_and(|reason| reason.starts_with(PROTECTED))));
}
