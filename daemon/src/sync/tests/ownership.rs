//! Guilds change hands and names: what is remembered of them follows, and so does what may be done to whom.

use super::hand::{by_hand, set_mute_roles, until_settled};
use crate::testing::{PATIENCE, TestDaemon, by_member, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_sandbox::{EventFate, Fault, Sandbox, Trouble};
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::RoleId;
use wayhaven_shared::{Fault as Refused, FaultKind};

fn request(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
}

async fn until_owned_by(test: &TestDaemon, of: u64, owner: u64) {
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("another owner", move |view| {
        systems.services.directory().owner(guild(of)) == Some(user(owner))
            && view.topology().unwrap().protection().shield(guild(of), guild(of), user(owner)).is_some()
    })
    .await;
}

/// Somebody asks by slash command, with the roles that they have.
async fn ask_as(
    sandbox: &Sandbox,
    test: &TestDaemon,
    who: u64,
    of: u64,
    request: impl Into<Request>,
) -> Result<Reply, Refused> {
    let (roles, permissions) = sandbox.read(|world| {
        let found = &world.guilds[&of];
        (found.members[&who].roles.clone(), found.permissions_of(who))
    });
    let mut invocation = by_member(who, of, permissions, request.into());
    if let crate::invocation::Actor::Member { roles: theirs, .. } = &mut invocation.actor {
        *theirs = roles.into_iter().filter_map(RoleId::new).collect();
    }
    test.ask(invocation).await
}

/// A member of the main without any role that ranks, who is a member of the child too.
fn member_of_both(sandbox: &Sandbox, child: u64) -> u64 {
    let here = sandbox.members(sandbox.main_guild());
    sandbox.members(child).into_iter().find(|member| here.contains(member)).unwrap()
}

#[tokio::test]
async fn after_a_transfer_nobody_bans_the_new_owner_and_the_old_one_is_like_everybody_else() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let (former, heir, moderator) = (sandbox.owner(), sandbox.members(main)[0], sandbox.moderator());
    let refused = ask_as(&sandbox, &test, moderator, main, Ban::new(user(former))).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Denied, "the owner of now");
    people.transfer(main, former, heir).unwrap();
    until_owned_by(&test, main, heir).await;

    for operation in ["ban", "kick", "mute", "timeout", "warn"] {
        let mut arguments = json!({ "user": heir.to_string() });
        if operation == "timeout" {
            arguments["for"] = json!("1h");
        }
        if operation == "warn" {
            arguments["reason"] = json!("x");
        }
        let refused =
            ask_as(&sandbox, &test, moderator, main, request(operation, arguments)).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Denied, "{operation}: {refused}");
        assert!(refused.message.contains("owns"), "{operation}: {refused}");
    }
    assert_eq!(sandbox.effect_count(), 0);

    // The new owner has no role at all, and may do whatever Discord lets an owner do.
    let reply = ask_as(&sandbox, &test, heir, main, Ban::new(user(former))).await.unwrap();
    let id = reply.punished().unwrap().punishment.as_ref().unwrap().id;
    // In the children the former owner owns both: there Discord refuses, and nothing else is told of it.
    test.until_counted(id, DeliveryState::Blocked, 2).await;
    assert!(sandbox.is_banned(main, former));
    let victim = sandbox.moderator();
    ask_as(&sandbox, &test, heir, main, Ban::new(user(victim))).await.unwrap();
    until_settled(&test, victim, 1).await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 2);
}

#[tokio::test]
async fn what_was_blocked_because_of_the_old_owner_goes_on_when_the_guild_changes_hands() {
    let sandbox = sandbox(1).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let (owner, heir) = (sandbox.owner(), member_of_both(&sandbox, child));
    people.transfer(child, owner, heir).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    until_owned_by(&test, child, heir).await;
    let id = test.ban(main, heir).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    assert!(sandbox.is_banned(main, heir) && !sandbox.is_banned(child, heir));
    people.transfer(child, heir, sandbox.child_moderator(child)).unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, heir));
}

#[tokio::test]
async fn a_transfer_and_a_rename_while_nobody_listened_are_known_at_the_start() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let (former, heir) = (sandbox.owner(), sandbox.members(main)[0]);
    until_owned_by(&test, main, former).await;
    let home = test.home();
    test.systems.services.lifecycle().stop();
    sandbox.wait_until(|sandbox| sandbox.connected_sessions() == 0, PATIENCE).await.unwrap();
    drop(test);
    people.transfer(main, former, heir).unwrap();
    people.rename(main, heir, "While nobody looked").unwrap();
    let test = TestDaemon::start_at(&sandbox, home).await;
    // Who owned it when it was told last is known before Discord has told anything.
    assert!(
        test.systems
            .services
            .store()
            .topology()
            .protection()
            .shield(guild(main), guild(main), user(former))
            .is_some()
    );
    test.until_ready().await;
    until_owned_by(&test, main, heir).await;
    let denied = test.ask(by_operator(Role::Owner, Some(main), Ban::new(user(heir)).into())).await;
    assert_eq!(denied.unwrap_err().kind, FaultKind::Denied);
    let name = test.read(move |view| view.guild(guild(main)).unwrap().unwrap().name).await.unwrap();
    assert_eq!(name.raw(), "While nobody looked");
    assert_eq!(test.systems.services.directory().name(guild(main)).unwrap().raw(), "While nobody looked");
    assert!(
        test.systems
            .services
            .store()
            .topology()
            .protection()
            .shield(guild(main), guild(main), user(former))
            .is_none()
    );
}

#[tokio::test]
async fn a_new_name_is_shown_everywhere_and_other_changes_of_a_guild_are_no_news() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    for of in [main, child] {
        sandbox.people().rename(of, sandbox.owner(), "Another name").unwrap();
        test.until("the name", move |view| {
            view.guild(guild(of)).unwrap().unwrap().name.is_some_and(|name| name.raw() == "Another name")
        })
        .await;
    }
    let dashboard = test.ask(by_operator(Role::Observer, None, request("setup dashboard", json!({})))).await;
    let Ok(Reply::SetupDashboard(dashboard)) = dashboard else { panic!("{dashboard:?}") };
    let network = &dashboard.networks[0];
    assert_eq!(network.main_name.as_ref().unwrap().raw(), "Another name");
    assert_eq!(network.children[0].link.child_name.as_ref().unwrap().raw(), "Another name");
    let told = |change: &Change| matches!(change, Change::Guild { name: Some(name), .. } if name.raw() == "Another name");
    assert_eq!(test.told().await.iter().filter(|change| told(change)).count(), 2, "once for each guild");
}

#[tokio::test]
async fn what_waits_for_somebody_who_owns_the_main_by_now_reaches_no_child_then_or_later() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let (owner, heir) = (sandbox.owner(), member_of_both(&sandbox, child));
    test.ask(by_operator(Role::Operator, Some(main), request("sync freeze", json!({})))).await.unwrap();
    let operations = [
        ("mute", json!({ "user": heir.to_string() })),
        ("timeout", json!({ "user": heir.to_string(), "for": "1h" })),
        ("kick", json!({ "user": heir.to_string() })),
    ];
    let mut decided = Vec::new();
    for (operation, arguments) in operations {
        let punished = test.punish(main, json!({ "operation": operation, "arguments": arguments })).await;
        decided.push(punished.punishment.unwrap().id);
    }
    test.until_worked_off().await;
    // They come back, and the guild is given to them.
    people.join(main, heir).unwrap();
    people.transfer(main, owner, heir).unwrap();
    until_owned_by(&test, main, heir).await;
    test.ask(by_operator(Role::Operator, Some(main), request("sync resume", json!({})))).await.unwrap();
    for id in &decided {
        test.until_counted(*id, DeliveryState::Skipped, 1).await;
        let why = test.delivery(*id, child).await.reason.unwrap();
        assert_eq!(why, format!("protected when it was decided: user {heir} owns guild {main}"));
    }
    test.until_worked_off().await;
    assert_eq!(sandbox.effects_in(child).len(), 0);
    assert!(sandbox.is_member(child, heir));

    // It stays so once they are an ordinary member again: a new owner is no decision about it.
    people.transfer(main, heir, owner).unwrap();
    until_owned_by(&test, main, owner).await;
    test.until_worked_off().await;
    for id in &decided {
        assert_eq!(test.delivery(*id, child).await.state, DeliveryState::Skipped);
    }
    assert_eq!(sandbox.effects_in(child).len(), 0);
}

#[tokio::test]
async fn a_session_that_goes_on_brings_what_was_changed_meanwhile() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let heir = sandbox.members(main)[0];
    let identifies = sandbox.identifies();
    sandbox.inject(Fault::Gateway { trouble: Trouble::Reconnect });
    people.transfer(main, sandbox.owner(), heir).unwrap();
    until_owned_by(&test, main, heir).await;
    assert_eq!(sandbox.identifies(), identifies, "it was resumed");
}

#[tokio::test]
async fn a_protected_role_that_is_deleted_protects_nobody_any_more() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (whom, role) = (sandbox.members(main)[0], sandbox.role(main, "Muted"));
    let line = request("protect add", json!({ "role": role.to_string() }));
    test.ask(by_operator(Role::Owner, Some(main), line)).await.unwrap();
    sandbox.people().add_role(main, sandbox.owner(), whom, role).unwrap();
    let holds = move |view: &crate::store::View<'_>| {
        view.topology().unwrap().protection().shield(guild(main), guild(child), user(whom)).is_some()
    };
    test.until("a holder", holds).await;
    sandbox.people().delete_role(main, role).unwrap();
    test.until("no holder", move |view| !holds(view)).await;
    by_hand(&sandbox, main, sandbox.owner(), whom, Action::Ban).unwrap();
    until_settled(&test, whom, 1).await;
    assert!(sandbox.is_banned(child, whom));
}

#[tokio::test]
async fn what_an_owner_of_before_is_punished_with_by_hand_is_delivered_also_where_the_transfer_is_told_late()
{
    let sandbox = sandbox(1).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let (former, heir) = (sandbox.owner(), sandbox.members(main)[0]);
    people.transfer(child, former, sandbox.child_moderator(child)).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    until_owned_by(&test, main, former).await;
    let late = sandbox.inject(Fault::Events {
        name: Some("GUILD_UPDATE".to_owned()),
        guild: Some(main),
        times: None,
        fate: EventFate::After(Duration::from_secs(30)),
    });
    people.transfer(main, former, heir).unwrap();
    people.ban(main, heir, former, Some("by hand")).unwrap();
    let id = test.punishment(former, 1).await;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    sandbox.clear(late);
    sandbox.advance(Duration::from_secs(30));
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, former));
}
