//! The mute role is judged at every mute: who set it, and what it was then, does not matter.

use super::hand::{muted, set_mute_roles};
use crate::testing::{PATIENCE, TestDaemon, by_operator, confirmed, guild, home, sandbox, user};
use serde_json::json;
use std::sync::Arc;
use wayhaven_sandbox::{At, Fault as Trouble, Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{PunishmentId, RoleId};

fn mute(whom: u64) -> Request {
    Mute { user: user(whom), span: None, reason: None, evidence: None }.into()
}

fn unmute(whom: u64) -> Request {
    Unmute { user: user(whom), reason: None }.into()
}

async fn ask(test: &TestDaemon, of: u64, request: Request) -> PunishmentId {
    let reply = test.ask(confirmed(by_operator(Role::Owner, Some(of), request))).await.unwrap();
    let id = reply.punished().unwrap().punishment.clone().unwrap().id;
    test.settled().await;
    id
}

/// Somebody who is a member of every guild.
fn member(sandbox: &Sandbox) -> u64 {
    let whom = sandbox.stranger();
    for place in sandbox.children().into_iter().chain([sandbox.main_guild()]) {
        sandbox.people().had_joined(place, whom).unwrap();
    }
    whom
}

fn holds(sandbox: &Sandbox, of: u64, whom: u64, role: u64) -> bool {
    sandbox.read(|world| world.guilds[&of].members.get(&whom).is_some_and(|one| one.roles.contains(&role)))
}

/// Sets what the role grants, and waits until the daemon knows.
async fn grant(test: &TestDaemon, sandbox: &Sandbox, of: u64, role: u64, bits: u64) {
    sandbox.people().set_role_permissions(of, role, bits).unwrap();
    until_fit(test, of, role, bits == 0).await;
}

async fn until_fit(test: &TestDaemon, of: u64, role: u64, fit: bool) {
    let (of, role) = (guild(of), RoleId::new(role).unwrap());
    let seen = async {
        while test.systems.services.directory().judge_mute_role(of, role).map(|judged| judged.is_ok())
            != Some(fit)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
}

/// How it stands in the guild where it was decided.
async fn origin(test: &TestDaemon, of: PunishmentId) -> (DeliveryState, Option<String>) {
    let origin = test.read(move |view| view.origin_of(of).unwrap().unwrap()).await;
    (origin.state, origin.reason)
}

/// Puts a mute role into the store as a version without these checks has left it.
async fn leave_behind(test: &TestDaemon, of: u64, role: u64) {
    let (of, role) = (guild(of), RoleId::new(role));
    let set = move |change: &crate::store::Change<'_>| {
        let config = change.config(of)?;
        Ok(change.configure(of, &GuildConfig { mute_role_id: role, ..config })?)
    };
    test.systems.services.store().write(set).await.unwrap();
}

#[tokio::test]
async fn a_role_that_got_powers_after_it_was_set_is_given_to_nobody_until_it_is_repaired() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (before, victim, second) = (member(&sandbox), member(&sandbox), member(&sandbox));
    let (in_main, in_child) = (muted(&sandbox, main), muted(&sandbox, child));
    ask(&test, main, mute(before)).await;
    assert!(holds(&sandbox, main, before, in_main) && holds(&sandbox, child, before, in_child));

    grant(&test, &sandbox, child, in_child, permissions::KICK_MEMBERS | permissions::MENTION_EVERYONE).await;
    let requests = sandbox.effect_count();
    let id = ask(&test, main, mute(victim)).await;
    let delivery = test.delivery(id, child).await;
    let why = format!("the mute role {in_child} grants Kick Members, Mention Everyone");
    assert_eq!((delivery.state, delivery.reason.as_deref()), (DeliveryState::Blocked, Some(why.as_str())));
    assert_eq!(test.delivery(id, sandbox.children()[1]).await.state, DeliveryState::Applied);
    assert_eq!(sandbox.effect_count(), requests + 2, "Discord is asked for nothing there");
    // What the main itself cannot do goes to no child.
    grant(&test, &sandbox, main, in_main, permissions::ADMINISTRATOR).await;
    let also = ask(&test, main, mute(second)).await;
    let (state, reason) = origin(&test, also).await;
    let why = format!("the mute role {in_main} grants Administrator");
    assert_eq!((state, reason.as_deref()), (DeliveryState::Blocked, Some(why.as_str())));
    for place in [child, sandbox.children()[1]] {
        assert_eq!(test.delivery(also, place).await.state, DeliveryState::Held);
    }
    assert!(!holds(&sandbox, main, second, in_main) && !holds(&sandbox, child, victim, in_child));
    assert_eq!(sandbox.effect_count(), requests + 2, "Discord is asked for nothing there");
    assert!(test.alerts().await.contains(&"delivery_blocked".to_owned()));

    // Who was muted while it was fit loses it all the same.
    let undo = ask(&test, main, unmute(before)).await;
    assert_eq!(origin(&test, undo).await.0, DeliveryState::Applied);
    assert!(!holds(&sandbox, main, before, in_main) && !holds(&sandbox, child, before, in_child));

    grant(&test, &sandbox, main, in_main, 0).await;
    grant(&test, &sandbox, child, in_child, 0).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    test.until_counted(also, DeliveryState::Applied, 2).await;
    test.settled().await;
    assert!(holds(&sandbox, main, victim, in_main) && holds(&sandbox, main, second, in_main));
}

#[tokio::test]
async fn a_role_that_a_channel_gives_powers_to_is_given_to_nobody_until_it_is_repaired() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (victim, role) = (member(&sandbox), muted(&sandbox, child));
    let (channel, owner) =
        sandbox.read(|world| (world.guilds[&child].channels[0], world.guilds[&child].owner));
    let allow = |bits| sandbox.people().allow_in_channel(child, owner, channel, role, bits).unwrap();
    allow(permissions::VIEW_CHANNEL | permissions::MANAGE_MESSAGES);
    until_fit(&test, child, role, false).await;
    let id = ask(&test, main, mute(victim)).await;
    let why = format!("the mute role {role} is allowed Manage Messages in a channel");
    assert_eq!(test.delivery(id, child).await.reason.as_deref(), Some(why.as_str()));
    assert!(!holds(&sandbox, child, victim, role));
    // Known from the description of the guild as well.
    let home = test.home();
    drop(test);
    let test = TestDaemon::start_at(&sandbox, home).await;
    until_fit(&test, child, role, false).await;
    assert!(!holds(&sandbox, child, victim, role));
    allow(permissions::VIEW_CHANNEL);
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(holds(&sandbox, child, victim, role));
}

#[tokio::test]
async fn a_role_that_was_moved_above_the_bot_blocks_mutes_without_asking_discord() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], member(&sandbox));
    let role = muted(&sandbox, child);
    sandbox.people().move_role(child, role, 9).unwrap();
    until_fit(&test, child, role, false).await;
    let id = ask(&test, main, mute(victim)).await;
    let delivery = test.delivery(id, child).await;
    let why = format!("the mute role {role} does not rank below the bot's own role");
    assert_eq!((delivery.state, delivery.reason.as_deref()), (DeliveryState::Blocked, Some(why.as_str())));
    assert!(sandbox.effects_in(child).is_empty());
    sandbox.people().move_role(child, role, 1).unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn an_office_that_was_set_as_mute_role_before_is_neither_given_nor_taken_nor_read_as_a_mute() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child, admin) = (sandbox.main_guild(), sandbox.children()[0], sandbox.admin());
    let office = sandbox.role(main, "Admin");
    leave_behind(&test, main, office).await;
    let (victim, promoted) = (member(&sandbox), member(&sandbox));

    let id = ask(&test, main, mute(victim)).await;
    assert_eq!(origin(&test, id).await.0, DeliveryState::Blocked);
    assert!(!holds(&sandbox, main, victim, office));
    // A mute of them that was refused makes nothing ours either.
    for whom in [admin, victim] {
        ask(&test, main, mute(whom)).await;
        let undo = ask(&test, main, unmute(whom)).await;
        let (state, reason) = origin(&test, undo).await;
        assert_eq!(state, DeliveryState::Blocked);
        assert!(reason.as_deref().is_some_and(|why| why.ends_with("not muted by Wayhaven")), "{reason:?}");
    }
    assert!(holds(&sandbox, main, admin, office), "an unmute strips nobody of an office");

    sandbox.people().add_role(main, sandbox.owner(), promoted, office).unwrap();
    let behind = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), behind, None).unwrap();
    test.punishment(behind, 1).await;
    test.settled().await;
    assert!(test.history(promoted).await.is_empty(), "a promotion by hand mutes nobody");
    assert!(!holds(&sandbox, child, promoted, muted(&sandbox, child)));
}

#[tokio::test]
async fn no_path_leads_to_an_unfit_role_neither_escalation_nor_rejoin_nor_comparison() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (rejoins, warned, missing) = (member(&sandbox), member(&sandbox), member(&sandbox));
    for whom in [rejoins, missing] {
        ask(&test, main, mute(whom)).await;
    }
    let request = |operation: &str, arguments| {
        serde_json::from_value::<Request>(json!({ "operation": operation, "arguments": arguments })).unwrap()
    };
    let owner = |of, request| confirmed(by_operator(Role::Owner, Some(of), request));
    test.ask(owner(main, request("config warnings", json!({ "steps": "1:mute:1d" })))).await.unwrap();
    for of in [main, child] {
        grant(&test, &sandbox, of, muted(&sandbox, of), permissions::MANAGE_GUILD).await;
    }
    let given = || {
        let all = [main, child].into_iter().flat_map(|of| sandbox.effects_in(of));
        all.filter(|effect| effect.method == "PUT" && effect.route.contains("/roles/")).count()
    };
    let before = given();
    test.ask(owner(main, request("warn", json!({ "user": warned.to_string(), "reason": "x" }))))
        .await
        .unwrap();
    let escalated = test.punishment(warned, 2).await;
    sandbox.people().leave(child, rejoins).unwrap();
    sandbox.people().join(child, rejoins).unwrap();
    sandbox.people().remove_role(child, sandbox.owner(), missing, muted(&sandbox, child)).unwrap();
    let compare = json!({ "child": child.to_string(), "apply": true });
    let _ = test.ask(owner(main, request("sync reconcile", compare))).await;
    // The main cannot do it itself, so that its children wait.
    test.until_counted(escalated, DeliveryState::Held, 1).await;
    test.settled().await;
    assert_eq!(origin(&test, escalated).await.0, DeliveryState::Blocked);
    assert_eq!(given(), before);
    for of in [main, child] {
        assert!(!holds(&sandbox, of, warned, muted(&sandbox, of)));
    }
    assert!(!holds(&sandbox, child, rejoins, muted(&sandbox, child)));
}

#[tokio::test]
async fn before_the_gateway_has_described_the_roles_discord_is_asked_for_them() {
    let sandbox = sandbox(0).await;
    let (main, whom) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().had_joined(main, whom).unwrap();
    let role = muted(&sandbox, main);
    sandbox.people().set_role_permissions(main, role, permissions::BAN_MEMBERS).unwrap();
    // Without a gateway nothing is told.
    let at = At::route("GET", "/gateway/bot");
    let hang = sandbox.inject(Trouble::Hang { at });
    let test = TestDaemon::start_at(&sandbox, Arc::new(home())).await;
    leave_behind(&test, main, role).await;
    let id = ask(&test, main, mute(whom)).await;
    let why = format!("the mute role {role} grants Ban Members");
    test.until("it is blocked", move |view| {
        view.origin_of(id).unwrap().is_some_and(|one| one.reason.as_deref() == Some(why.as_str()))
    })
    .await;
    assert!(!holds(&sandbox, main, whom, role));
    let asked = sandbox.log().iter().filter(|one| one.path.ends_with("/roles")).count();
    assert_eq!(asked, 1);
    sandbox.people().set_role_permissions(main, role, 0).unwrap();
    sandbox.clear(hang);
    test.until("it is done", move |view| {
        view.origin_of(id).unwrap().is_some_and(|one| one.state == DeliveryState::Applied)
    })
    .await;
    assert_eq!(test.history(whom).await.len(), 1, "{:?}", Action::Mute);
}
