//! Nobody is told of what cannot be done to them, and where Discord refuses after the message, the answer says so.

use super::*;
use crate::invocation::{Actor, Invocation};
use crate::testing::{asked as asked_for, by_member, guild};
use wayhaven_sandbox::{At, Fault};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::punishment::{DeliveryState, PunishmentShow};
use wayhaven_shared::value::RoleId;

const MEMBER: &str = "/guilds/{guild_id}/members/{user_id}";

/// Somebody in the main whose role ranks above the bot.
fn above(sandbox: &Sandbox) -> (u64, u64) {
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let role = sandbox.role(main, "Admin");
    sandbox.people().had_joined(main, victim).unwrap();
    sandbox.people().had_given_role(main, victim, role).unwrap();
    sandbox.people().move_role(main, role, 50).unwrap();
    (victim, role)
}

fn questions(sandbox: &Sandbox, whom: u64) -> usize {
    sandbox.log().iter().filter(|one| one.route == MEMBER && one.user == Some(whom)).count()
}

fn not_told(reason: &str) -> Option<Told> {
    Some(Told::new(ToldState::NotTold, Some(reason)))
}

#[tokio::test]
async fn whom_the_bot_cannot_ban_is_not_told_that_they_were() {
    let sandbox = sandbox(1).await;
    let (victim, role) = above(&sandbox);
    let test = start(&sandbox).await;
    let main = sandbox.main_guild();
    let done = asked(&test, main, ban(victim)).await;
    assert_eq!(done.told, not_told("the user ranks above the bot"));
    // One question for the message. Discord's refusal is explained by another one.
    test.settled().await;
    assert!(questions(&sandbox, victim) <= 2, "{}", questions(&sandbox, victim));
    // Where the interaction has told their roles, nothing has to be asked for the message.
    let (other, before) = (sandbox.stranger(), questions(&sandbox, victim));
    let mut invocation = by_member(sandbox.owner(), main, u64::MAX, kick(other));
    if let Actor::Member { resolved, .. } = &mut invocation.actor {
        resolved.push((user(other), vec![RoleId::new(role).unwrap()]));
    }
    let Reply::Kick(kicked) = test.ask(invocation).await.unwrap() else { panic!("another reply") };
    assert_eq!(kicked.told, not_told("the user ranks above the bot"));
    assert_eq!(questions(&sandbox, victim), before);
    test.settled().await;
    assert!(places(&sandbox, "POST", OPEN).is_empty() && places(&sandbox, "POST", POST).is_empty());
}

#[tokio::test]
async fn a_kick_of_somebody_who_is_no_member_and_a_guild_that_refuses_are_not_told_either() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, gone) = (sandbox.main_guild(), sandbox.stranger());
    let done = asked(&test, main, kick(gone)).await;
    assert_eq!(done.told, not_told("no member there"));
    sandbox.people().owner_uses_two_factor(false);
    sandbox.people().require_two_factor(main, true).unwrap();
    for _ in 0..2 {
        let by_the_way = sandbox.stranger();
        sandbox.people().accept_dms(by_the_way, false);
        let id = punish(&test, main, ban(by_the_way)).await;
        test.until("it is blocked", move |view| {
            view.origin_of(id).unwrap().unwrap().state == DeliveryState::Blocked
        })
        .await;
    }
    let victim = sandbox.members(main)[0];
    let told = asked(&test, main, ban(victim)).await.told.unwrap();
    assert!(told.reason.unwrap().contains("two-factor"));
    test.settled().await;
    assert!(sandbox.direct_messages(victim).is_empty());
}

#[tokio::test]
async fn an_outage_or_a_missing_permission_is_known_before_anybody_is_told() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let lacks = wayhaven_sandbox::permissions::LEAST_FOR_BOT & !wayhaven_sandbox::permissions::BAN_MEMBERS;
    sandbox.people().set_bot_permissions(main, lacks).unwrap();
    let known = async {
        while test
            .systems
            .services
            .directory()
            .may(guild(main), wayhaven_shared::operations::punishment::Action::Ban)
            != Some(false)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::testing::PATIENCE, known).await.unwrap();
    assert_eq!(asked(&test, main, ban(victim)).await.told, not_told("missing permission Ban Members"));
    sandbox.people().outage(main).unwrap();
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the outage", move |_| {
        systems.services.directory().presence(guild(main))
            == Some(crate::discord::directory::Presence::Outage)
    })
    .await;
    let told = asked(&test, main, kick(victim)).await.told;
    assert_eq!(told, not_told("Discord has an outage for the guild"));
}

#[tokio::test]
async fn while_the_network_is_frozen_nobody_is_told_of_the_servers_linked_to_it() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let freeze = wayhaven_shared::operations::sync::SyncFreeze { except_reversals: false };
    asked_for(&test, main, freeze, false).await.unwrap();
    let id = punish(&test, main, ban(victim)).await;
    assert_eq!(told(&test, id).await.state, ToldState::Told);
    let messages = sandbox.direct_messages(victim);
    assert!(!content(&messages[0]).contains("linked to it"), "{messages:?}");
}

#[tokio::test]
async fn a_refusal_after_the_message_is_the_headline_and_the_retry_tells_nobody_twice() {
    let sandbox = sandbox(0).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let at = At::route("PUT", BAN).guild(main);
    let fault = sandbox.inject(Fault::Answer { at, status: 403, code: 50013, message: "No".into() });
    let mut done = asked(&test, main, ban(victim)).await;
    let id = done.punishment.as_ref().unwrap().id;
    test.until("it is blocked", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Blocked
    })
    .await;
    assert_eq!(told(&test, id).await, Told::new(ToldState::Told, None));
    let expected =
        format!("{victim} was notified by direct message, but was not banned: 403 Discord refuses");
    let shown = asked_for(&test, main, PunishmentShow { id }, false).await.unwrap();
    let title = shown.report().title.line();
    assert!(title.contains(&expected), "{title}");
    // The answer that is followed says the same.
    (done.origin, done.told) = (shown.origin.clone(), shown.told.clone());
    let title = done.report().title.line();
    assert!(title.starts_with(&expected), "{title}");

    sandbox.clear(fault);
    let origin = test.read(move |view| view.origin_of(id).unwrap().unwrap()).await;
    test.systems.engine.retry([(guild(main), origin.id)]);
    test.until("it is done", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
    })
    .await;
    test.settled().await;
    assert_eq!(sandbox.direct_messages(victim).len(), 1);
    let shown = asked_for(&test, main, PunishmentShow { id }, false).await.unwrap();
    assert!(!shown.report().title.contains("not banned"));
}

#[tokio::test]
async fn a_dry_run_says_the_same_of_the_message() {
    let sandbox = sandbox(1).await;
    let (victim, _) = above(&sandbox);
    let test = start(&sandbox).await;
    let main = sandbox.main_guild();
    for (request, expected) in
        [(ban(victim), "the user ranks above the bot"), (kick(sandbox.stranger()), "no member there")]
    {
        let dry = Invocation { dry_run: true, ..by_operator(Role::Owner, Some(main), request) };
        let planned = test.ask(dry).await.unwrap().punished().cloned().unwrap();
        assert_eq!(planned.told, not_told(expected));
    }
}
