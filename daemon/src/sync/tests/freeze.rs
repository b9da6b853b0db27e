//! `sync freeze`, `resume` and `retry`: what an operator stops, lets go on, and pushes.

use crate::testing::{TestDaemon, by_member, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault, Options, Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::operations::sync::{DeliveriesRetried, FreezeChanged};
use wayhaven_shared::operations::{Reply, Request};

fn request(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
}

async fn freeze(test: &TestDaemon, main: u64, operation: &str, arguments: Value) -> FreezeChanged {
    match test.ask(by_operator(Role::Operator, Some(main), request(operation, arguments))).await.unwrap() {
        Reply::SyncFreeze(changed) | Reply::SyncResume(changed) => changed,
        other => panic!("{other:?}"),
    }
}

async fn retry(test: &TestDaemon, main: u64, arguments: Value) -> DeliveriesRetried {
    match test.ask(by_operator(Role::Operator, Some(main), request("sync retry", arguments))).await.unwrap() {
        Reply::SyncRetry(retried) => retried,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_freeze_holds_what_is_decided_until_it_is_resumed_and_the_main_itself_goes_on() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let frozen = freeze(&test, main, "sync freeze", json!({})).await;
    assert!(frozen.frozen && !frozen.already && !frozen.dry_run);
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Held, 3).await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 0);
    assert!(sandbox.is_banned(main, victim), "what is done in the main itself is no propagation");
    let resumed = freeze(&test, main, "sync resume", json!({})).await;
    assert_eq!((resumed.frozen, resumed.deliveries), (false, 3));
    test.until_counted(id, DeliveryState::Applied, 3).await;
    assert_eq!(sandbox.effect_count(), 4);
}

#[tokio::test]
async fn a_freeze_catches_what_was_on_its_way_and_sends_it_once_afterwards() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, first, second) =
        (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger(), sandbox.stranger());
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Fault::Hang { at });
    let left = test.ban(main, first).await;
    sandbox
        .wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), crate::testing::PATIENCE)
        .await
        .unwrap();
    let waiting = test.ban(main, second).await;
    test.until_counted(waiting, DeliveryState::Applied, 1).await;
    let planned = by_operator(Role::Operator, Some(main), request("sync freeze", json!({})));
    let planned = crate::invocation::Invocation { dry_run: true, ..planned };
    let Reply::SyncFreeze(planned) = test.ask(planned).await.unwrap() else { panic!("another reply") };
    let frozen = freeze(&test, main, "sync freeze", json!({})).await;
    assert_eq!(planned, FreezeChanged { dry_run: true, ..frozen }, "the plan is what happens");
    assert_eq!(test.delivery(waiting, child).await.state, DeliveryState::Held);
    // It ends before the lane has even looked.
    freeze(&test, main, "sync resume", json!({})).await;
    sandbox.clear(hang);
    for id in [left, waiting] {
        test.until_counted(id, DeliveryState::Applied, 2).await;
    }
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effects_in(child).len(), 2, "each once");
}

#[tokio::test]
async fn a_freeze_may_let_through_what_takes_back() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, banned, other) = (sandbox.main_guild(), sandbox.stranger(), sandbox.stranger());
    let id = test.ban(main, banned).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    freeze(&test, main, "sync freeze", json!({})).await;
    let unban = test.unban(main, banned).await;
    let ban = test.ban(main, other).await;
    test.until_counted(unban, DeliveryState::Held, 2).await;
    test.until_counted(ban, DeliveryState::Held, 2).await;
    freeze(&test, main, "sync freeze", json!({ "except_reversals": true })).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), banned), 0);
    assert_eq!(test.delivery(ban, sandbox.children()[0]).await.state, DeliveryState::Held);
    assert_eq!(sandbox.banned_in(&sandbox.children(), other), 0);
}

#[tokio::test]
async fn a_freeze_outlasts_the_daemon() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    freeze(&test, main, "sync freeze", json!({})).await;
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Held, 2).await;
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    next.until_ready().await;
    next.systems.engine.drain().await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 0);
    freeze(&next, main, "sync resume", json!({})).await;
    next.until_counted(id, DeliveryState::Applied, 2).await;
}

#[tokio::test]
async fn a_child_neither_freezes_nor_retries_and_its_reach_is_told() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    for operation in ["sync freeze", "sync resume", "sync retry"] {
        let asked = by_member(7, child, permissions::ADMINISTRATOR, request(operation, json!({})));
        assert_eq!(test.ask(asked).await.unwrap_err().kind, FaultKind::Denied, "{operation}");
    }
    assert!(test.systems.services.store().topology().freeze(guild(sandbox.main_guild())).is_none());
    assert_eq!(test.alerts().await, ["child_reaches_out"; 3]);
}

#[tokio::test]
async fn a_retry_tries_what_waits_what_is_blocked_and_on_request_what_has_failed() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children, victim) = (sandbox.main_guild(), sandbox.children(), sandbox.stranger());
    assert_eq!(retry(&test, main, json!({})).await.deliveries.total(), 0, "nothing waits");
    let at = |child| At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let answer = |child, status, code| Fault::Answer { at: at(child), status, code, message: String::new() };
    // One is refused for good, one for what somebody has to mend.
    let failing = sandbox.inject(answer(children[0], 400, 50033));
    let blocking = sandbox.inject(answer(children[1], 403, 60003));
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Failed, 1).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sandbox.clear(failing);
    sandbox.clear(blocking);

    let only_failed = retry(&test, main, json!({ "failed": true, "child": children[0].to_string() })).await;
    assert_eq!((only_failed.deliveries.failed, only_failed.deliveries.total()), (1, 1));
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let blocked = retry(&test, main, json!({ "punishment": id.to_string() })).await;
    assert_eq!((blocked.deliveries.blocked, blocked.deliveries.total()), (1, 1));
    test.until_counted(id, DeliveryState::Applied, 3).await;
    assert_eq!(sandbox.effects_in(children[0]).len(), 2);
    assert_eq!(sandbox.effects_in(children[1]).len(), 2);
}

#[tokio::test]
async fn a_retry_reaches_what_a_guild_could_not_do_in_itself() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, [child, other]) = (sandbox.main_guild(), sandbox.children()[..].try_into().unwrap());
    for guild in [main, child] {
        let victim = sandbox.stranger();
        let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(guild);
        let blocking = sandbox.inject(Fault::Answer { at, status: 403, code: 60003, message: String::new() });
        let id = test.ban(guild, victim).await;
        let own = move |view: &crate::store::View<'_>| view.origin_of(id).unwrap().unwrap().state;
        test.until("it is blocked", move |view| own(view) == DeliveryState::Blocked).await;
        sandbox.clear(blocking);
        let elsewhere = json!({ "child": other.to_string(), "user": victim.to_string() });
        if guild == main {
            assert_eq!(retry(&test, main, elsewhere).await.deliveries.total(), 0, "it is in the main itself");
        }
        let retried = retry(&test, guild, json!({})).await;
        assert_eq!((retried.deliveries.blocked, retried.deliveries.total()), (1, 1));
        test.until("it is done", move |view| own(view) == DeliveryState::Applied).await;
        assert!(sandbox.is_banned(guild, victim));
    }
    let asked = by_member(7, child, permissions::ADMINISTRATOR, request("sync retry", json!({})));
    assert_eq!(test.ask(asked).await.unwrap_err().kind, FaultKind::Denied, "nothing of its own waits");
}

#[tokio::test]
async fn a_retry_does_not_bring_back_what_something_newer_took_the_place_of() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child).times(1);
    sandbox.inject(Fault::Answer { at, status: 400, code: 50033, message: String::new() });
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Failed, 1).await;
    let unban = test.unban(main, victim).await;
    test.systems.engine.drain().await;
    let retried = retry(&test, main, json!({ "failed": true })).await;
    assert_eq!(retried.deliveries.total(), 0);
    test.systems.engine.drain().await;
    assert!(test.delivery(unban, child).await.state.is_final());
    assert_eq!(test.delivery(ban, child).await.state, DeliveryState::Failed);
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_retry_of_what_is_not_there_says_so() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let of_another = test.ban(sandbox.children()[0], sandbox.stranger()).await.to_string();
    for arguments in [
        json!({ "punishment": "999" }),
        json!({ "punishment": of_another }),
        json!({ "child": main.to_string() }),
    ] {
        let asked = by_operator(Role::Operator, Some(main), request("sync retry", arguments.clone()));
        let fault = test.ask(asked).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::NotFound, "{arguments}");
        assert!(!fault.hints.is_empty());
    }
}

#[tokio::test]
async fn the_dashboard_tells_of_a_freeze_and_so_does_a_retry_that_it_holds() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.people().set_bot_permissions(child, permissions::VIEW_CHANNEL).unwrap();
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    let dashboard = async || {
        let asked = by_operator(Role::Operator, Some(main), request("setup dashboard", json!({})));
        let Reply::SetupDashboard(dashboard) = test.ask(asked).await.unwrap() else {
            panic!("another reply")
        };
        let hints = dashboard.report().hints.join("\n");
        (dashboard.networks[0].freeze_word(), hints.contains("sync resume"))
    };
    assert_eq!(dashboard().await, (None, false));
    freeze(&test, main, "sync freeze", json!({})).await;
    assert_eq!(dashboard().await, (Some("frozen"), true));
    freeze(&test, main, "sync freeze", json!({ "except_reversals": true })).await;
    assert_eq!(dashboard().await, (Some("frozen but for unbans"), true));
    let held = retry(&test, main, json!({})).await;
    assert!(held.frozen && held.report().title.contains("freeze"), "{held:?}");
    freeze(&test, main, "sync resume", json!({})).await;
    assert_eq!(dashboard().await, (None, false));
}

/// The first child becomes a main of its own, with the second as its child too.
async fn second_main(sandbox: &Sandbox, test: &TestDaemon) -> (u64, u64) {
    let main = sandbox.main_guild();
    let [other, child] = sandbox.children()[..] else { panic!("two children") };
    let second = move |change: &crate::store::Change<'_>| {
        let link = change.link(guild(main), guild(other))?;
        change.close_link(link.map(|link| link.id).unwrap(), guild(main), guild(other))?;
        change.make_main(guild(other))?;
        change.activate_link(guild(other), guild(child), Mode::Active)?;
        Ok(())
    };
    test.systems.services.store().write(second).await.unwrap();
    (other, child)
}

#[tokio::test]
async fn what_a_freeze_held_while_another_main_took_its_own_back_is_ours_to_take_back() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let (other, child) = second_main(&sandbox, &test).await;
    freeze(&test, main, "sync freeze", json!({})).await;
    let held = test.ban(main, victim).await;
    test.until_counted(held, DeliveryState::Held, 1).await;
    test.ban(other, victim).await;
    test.settled().await;
    test.unban(other, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim), "what is held was never there");

    freeze(&test, main, "sync resume", json!({})).await;
    test.until_counted(held, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_a_freeze_held_goes_on_where_a_newer_one_was_skipped_for_the_user_alone() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let [protects, excepts] = sandbox.children()[..] else { panic!("two children") };
    test.ban(main, victim).await;
    test.settled().await;
    // One child does not apply it from now on.
    sandbox.people().unban(excepts, sandbox.owner(), victim, None).unwrap();
    let excepted = move |view: &crate::store::View<'_>| {
        view.exception(guild(excepts), user(victim), Action::Ban).unwrap().is_some()
    };
    test.until("an exception", excepted).await;
    freeze(&test, main, "sync freeze", json!({})).await;
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Held, 2).await;
    let protect = request("protect add", json!({ "user": victim.to_string() }));
    test.ask(by_operator(Role::Operator, Some(protects), protect)).await.unwrap();
    let again = test.ban(main, victim).await;
    test.until_counted(again, DeliveryState::Skipped, 2).await;
    freeze(&test, main, "sync resume", json!({})).await;
    test.settled().await;
    assert_eq!(test.delivery(unban, protects).await.state, DeliveryState::Applied);
    assert_eq!(test.delivery(unban, excepts).await.state, DeliveryState::Skipped, "there is nothing of ours");
    assert!(sandbox.is_banned(main, victim) && sandbox.banned_in(&[protects, excepts], victim) == 0);
}

#[tokio::test]
async fn what_a_freeze_held_and_left_together_is_not_taken_for_the_staffs_own() {
    for hangs in [false, true] {
        let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
        let options = Options { children: 2, global_limit: 0, bot_permissions, ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let test = TestDaemon::start(&sandbox).await;
        let (main, victims) = (sandbox.main_guild(), [sandbox.stranger(), sandbox.stranger()]);
        let (other, child) = second_main(&sandbox, &test).await;
        freeze(&test, main, "sync freeze", json!({})).await;
        let mut held = Vec::new();
        for victim in victims {
            held.push(test.ban(main, victim).await);
            test.ban(other, victim).await;
            test.settled().await;
            test.unban(other, victim).await;
            test.settled().await;
        }
        // Discord tells of it before it answers, or afterwards; its entry names nobody (FACTS B5).
        let bulk = At::route("POST", "/guilds/{guild_id}/bulk-ban").guild(child).times(1);
        if hangs {
            sandbox.inject(Fault::HangAfterHeaders { at: bulk });
        }
        freeze(&test, main, "sync resume", json!({})).await;
        for id in held {
            test.until_counted(id, DeliveryState::Applied, 1).await;
        }
        let together = sandbox.effects_in(child).into_iter().filter(|one| one.users.len() == 2);
        assert!(together.count() > 0, "they leave together");
        // Whatever came of the child so far is taken in: this ban of its own staff came behind it.
        let marker = sandbox.stranger();
        sandbox.people().ban(child, sandbox.owner(), marker, None).unwrap();
        let heard = move |view: &crate::store::View<'_>| {
            view.is_done_locally(guild(child), user(marker), Action::Ban).unwrap()
        };
        test.until("a marker", heard).await;
        for victim in victims {
            let unban = test.unban(main, victim).await;
            test.settled().await;
            assert_eq!(test.delivery(unban, child).await.reason, None, "hangs: {hangs}");
            assert!(!sandbox.is_banned(child, victim), "hangs: {hangs}");
        }
    }
}
