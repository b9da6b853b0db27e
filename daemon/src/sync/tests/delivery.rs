//! What becomes of a delivery when Discord, or somebody, gets in its way.

use crate::discord::accounts::Account;
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::{At, Fault, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState};
use wayhaven_shared::operations::setup::SetupRemoveChild;
use wayhaven_shared::operations::status::ConnectionState;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

fn bans() -> At {
    At::route("PUT", BAN)
}

/// The states that a delivery went through, as they were told.
async fn states(test: &TestDaemon, delivery: &Delivery) -> Vec<DeliveryState> {
    let told = test.told().await;
    told.into_iter()
        .filter_map(|change| match change {
            wayhaven_shared::event::Change::Delivery { delivery: of } if of.id == delivery.id => {
                Some(of.state)
            }
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_removed_link_stops_its_pending_deliveries() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let hang = sandbox.inject(Fault::Hang { at: bans().guild(child) });
    let (first, second) = (sandbox.stranger(), sandbox.stranger());
    let sent = test.ban(main, first).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
    let waiting = test.ban(main, second).await;
    test.until_counted(waiting, DeliveryState::Applied, 1).await;

    let removal = SetupRemoveChild::new(guild(child)).into();
    test.ask(by_operator(Role::Operator, Some(main), removal)).await.unwrap();
    sandbox.clear(hang);
    test.systems.engine.drain().await;
    for id in [sent, waiting] {
        let delivery = test.delivery(id, child).await;
        assert_eq!(delivery.state, DeliveryState::Skipped);
        assert_eq!(delivery.reason.as_deref(), Some("the link was removed"));
    }
    assert_eq!(sandbox.effects_in(child).len(), 1, "the one that had left already");
    assert!(!sandbox.is_banned(child, second));
}

#[tokio::test]
async fn a_link_that_is_removed_while_a_request_waits_for_its_slot_stops_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    // Otherwise Discord would be asked whether they are a bot.
    let account = Account { id: user(victim), bot: false, name: None };
    test.systems.services.directory().accounts().learn(account);
    // No slot is given out before the link is gone.
    test.systems.services.rest().budget().pause(Duration::from_secs(2));
    let id = test.ban(main, victim).await;
    // The attempt gets as far as it can: it waits for its slot.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let close = test.systems.services.store().write(move |change| {
        let link = change.link(guild(main), guild(child))?.unwrap();
        Ok(change.close_link(link.id, guild(main), guild(child))?)
    });
    close.await.unwrap();
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    assert_eq!(sandbox.effects_in(child).len(), 0, "the permit is of the moment in which it leaves");
}

#[tokio::test]
async fn fault_8_a_missing_permission_blocks_one_child_until_it_returns() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bad) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.people().set_bot_permissions(bad, permissions::VIEW_AUDIT_LOG).unwrap();
    let (first, second) = (sandbox.stranger(), sandbox.stranger());
    let one = test.ban(main, first).await;
    test.until_counted(one, DeliveryState::Applied, 2).await;
    test.until_counted(one, DeliveryState::Blocked, 1).await;
    let reason = test.delivery(one, bad).await.reason.unwrap();
    assert!(reason.contains("missing permission"), "{reason}");

    let two = test.ban(main, second).await;
    test.until_counted(two, DeliveryState::Applied, 2).await;
    test.until_counted(two, DeliveryState::Blocked, 1).await;
    assert_eq!(sandbox.effects_in(bad).len(), 1, "one request, and none for what came later");
    assert_eq!(test.alerts().await, ["delivery_blocked"]);

    sandbox.people().set_bot_permissions(bad, permissions::LEAST_FOR_BOT).unwrap();
    test.until_counted(one, DeliveryState::Applied, 3).await;
    test.until_counted(two, DeliveryState::Applied, 3).await;
    assert!(sandbox.is_banned(bad, first) && sandbox.is_banned(bad, second));
    assert_eq!(sandbox.effects_in(bad).len(), 3);
}

#[tokio::test]
async fn fault_8_a_change_that_does_not_bring_the_permission_back_costs_no_request() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bad) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.people().set_bot_permissions(bad, permissions::VIEW_AUDIT_LOG).unwrap();
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    let regular = sandbox.role(bad, "Regular");
    for position in 1..4 {
        sandbox.people().move_role(bad, regular, position).unwrap();
    }
    // What the child's staff do afterwards is taken in behind the roles.
    let local = sandbox.stranger();
    sandbox.people().ban(bad, sandbox.child_moderator(bad), local, None).unwrap();
    test.until("the ban behind", move |view| {
        view.is_done_locally(guild(bad), user(local), Action::Ban).unwrap()
    })
    .await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effects_in(bad).len(), 1);
    assert_eq!(test.alerts().await, ["delivery_blocked"]);
}

#[tokio::test]
async fn somebody_who_ranks_above_the_bot_blocks_no_other_delivery() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let high = sandbox.child_moderator(child);
    sandbox.people().move_role(child, sandbox.role(child, "Moderator"), 9).unwrap();
    let blocked = test.ban(main, high).await;
    test.until_counted(blocked, DeliveryState::Blocked, 1).await;
    let through = test.ban(main, sandbox.stranger()).await;
    test.until_counted(through, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, high));
}

#[tokio::test]
async fn a_server_error_is_tried_again_until_it_succeeds() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bad, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = bans().guild(bad).times(2);
    sandbox.inject(Fault::Answer { at, status: 502, code: 0, message: String::new() });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let delivery = test.delivery(id, bad).await;
    assert_eq!(delivery.attempts, 3);
    assert_eq!(sandbox.effects_in(bad).len(), 3);
    assert!(sandbox.is_banned(bad, victim));
}

#[tokio::test]
async fn fault_3_a_connection_cut_after_the_effect_is_unknown_until_discord_was_asked() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.inject(Fault::CutAfter { at: bans().guild(child).times(1) });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let delivery = test.delivery(id, child).await;
    let expected = [DeliveryState::Pending, DeliveryState::Unknown, DeliveryState::Applied];
    assert_eq!(states(&test, &delivery).await, expected);
    let statuses: Vec<_> = sandbox.effects_in(child).iter().map(|effect| effect.status).collect();
    assert_eq!(statuses, [0], "it was done, and is not done again");
    assert_eq!(delivery.attempts, 1);
}

#[tokio::test]
async fn fault_3_a_connection_cut_before_the_effect_is_unknown_and_then_done() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.inject(Fault::CutBefore { at: bans().guild(child).times(1) });
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let delivery = test.delivery(ban, child).await;
    let expected = [DeliveryState::Pending, DeliveryState::Unknown, DeliveryState::Applied];
    assert_eq!(states(&test, &delivery).await, expected);
    assert!(sandbox.is_banned(child, victim));
    // The same for an unban, whose answer is the other way round.
    let unbans = At::route("DELETE", BAN).guild(child).times(1);
    sandbox.inject(Fault::CutBefore { at: unbans });
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn fault_4_a_global_429_pauses_everything() {
    let sandbox = sandbox(4).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, first) = (sandbox.main_guild(), sandbox.children()[0]);
    let at = bans().guild(first).times(1);
    let refused = Fault::RateLimit { at, scope: Scope::Global, retry_after: 1.0, headers: None };
    sandbox.inject(refused);
    let one = test.ban(main, sandbox.stranger()).await;
    sandbox
        .wait_until(|sandbox| sandbox.log().iter().any(|request| request.status == 429), PATIENCE)
        .await
        .unwrap();
    let two = test.ban(main, sandbox.stranger()).await;
    test.until_counted(one, DeliveryState::Applied, 4).await;
    test.until_counted(two, DeliveryState::Applied, 4).await;
    let log = sandbox.log();
    let at = log.iter().position(|request| request.status == 429).unwrap();
    let paused = log[at].at;
    // What was on its way when the answer came is not called back.
    let grace = Duration::from_millis(150);
    let within: Vec<_> = log
        .iter()
        .filter(|request| request.at > paused + grace && request.at < paused + Duration::from_secs(1))
        .map(|request| request.path.clone())
        .collect();
    assert_eq!(within, Vec::<String>::new(), "no request goes out in the window");
    assert_eq!(log.iter().filter(|request| request.status == 429).count(), 1);
}

#[tokio::test]
async fn fault_9_a_refused_token_stops_everything_and_status_says_what_to_do() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, first) = (sandbox.main_guild(), sandbox.children()[0]);
    // One request is refused, and the gateway stays: nothing but that answer tells.
    sandbox.inject(Fault::Answer {
        at: bans().guild(first),
        status: 401,
        code: 0,
        message: "401: Unauthorized".into(),
    });
    let id = test.ban(main, sandbox.stranger()).await;
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("stopped", move |_| systems.services.gateway().connection().state == ConnectionState::Stopped)
        .await;
    let reason = test.systems.services.gateway().connection().reason.unwrap();
    assert!(reason.contains("BOT_TOKEN"), "{reason}");

    test.systems.engine.drain().await;
    let before = sandbox.log().len();
    let later = test.ban(main, sandbox.stranger()).await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.log().len(), before, "nothing leaves any more");
    assert_eq!(test.delivery(id, first).await.state, DeliveryState::Pending, "the queue is kept");
    assert_eq!(test.delivery(later, first).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn fault_15_the_last_word_wins_while_an_earlier_request_is_on_its_way() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let hang = sandbox.inject(Fault::Hang { at: bans().guild(child) });
    let ban = test.ban(main, victim).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
    let unban = test.unban(main, victim).await;
    assert_eq!(test.delivery(ban, child).await.state, DeliveryState::Superseded);
    sandbox.clear(hang);
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 0, "the ban that had left was lifted");
}

#[tokio::test]
async fn a_ban_in_the_main_is_not_kept_waiting_by_hundreds_of_children() {
    let sandbox = sandbox(300).await;
    // Longer than the test waits: no place becomes free by giving up.
    let test =
        TestDaemon::start_with(&sandbox, |settings| settings.discord.request_timeout = 3 * PATIENCE).await;
    let (main, first, second) = (sandbox.main_guild(), sandbox.stranger(), sandbox.stranger());
    let hang = sandbox.inject(Fault::Hang { at: bans().user(first) });
    sandbox.people().ban(main, sandbox.moderator(), first, None).unwrap();
    // As many as may be on the way at once.
    sandbox.wait_until(|sandbox| sandbox.effect_count() >= 256, PATIENCE).await.unwrap();
    test.ban(main, second).await;
    let there = |sandbox: &wayhaven_sandbox::Discord| sandbox.is_banned(main, second);
    sandbox.wait_until(there, PATIENCE).await.unwrap();
    sandbox.clear(hang);
}

#[tokio::test]
async fn fault_1_what_was_pending_when_the_daemon_ended_goes_on_at_the_next_start() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[2], sandbox.stranger());
    let hang = sandbox.inject(Fault::Hang { at: bans().guild(child) });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let home = test.home();
    // Another daemon on the same store; the first one's request never gets an answer.
    let next = TestDaemon::start_at(&sandbox, home).await;
    drop(test);
    sandbox.clear(hang);
    next.until_counted(id, DeliveryState::Applied, 3).await;
    for other in &sandbox.children()[..2] {
        assert_eq!(sandbox.effects_in(*other).len(), 1, "what was done is not done again");
    }
}
