//! Where one guarantee meets another: what is asked for while its answer is limited, a last word by hand over a
//! request that waits, a freeze that ends while it is being noted.

use crate::network::Freeze;
use crate::store::{Judged, NewPunishment, Settlement};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{PATIENCE, TestDaemon, asked, guild, make_second_main, sandbox, user};
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::{At, Fault, Options, Sandbox, permissions};
use wayhaven_shared::operations::hold::SyncApprove;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::{Mode, SecurityLevel};

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

fn at(method: &str, of: u64) -> At {
    At::route(method, BAN).guild(of).times(1)
}

fn new(main: u64, victim: u64, action: Action) -> NewPunishment {
    NewPunishment::new(guild(main), user(victim), action, Origin::Operator)
}

#[tokio::test]
async fn fault_3_an_unknown_outcome_stays_unknown_while_discord_does_not_say() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.inject(Fault::CutAfter { at: at("PUT", child) });
    sandbox.inject(Fault::RateLimit {
        at: at("GET", child),
        scope: Scope::User,
        retry_after: 0.3,
        headers: None,
    });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let statuses: Vec<_> = sandbox.effects_in(child).iter().map(|effect| effect.status).collect();
    assert_eq!(statuses, [0], "it was done, and is not done again");
}

#[tokio::test]
async fn fault_6_a_shared_limit_of_a_guild_s_bans_does_not_hold_its_unbans() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, first) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let banned = test.ban(main, first).await;
    test.until_counted(banned, DeliveryState::Applied, 1).await;
    let headers = [("Retry-After", "1337"), ("X-RateLimit-Scope", "shared"), ("X-RateLimit-Remaining", "4")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    sandbox.inject(Fault::RateLimit {
        at: at("PUT", child),
        scope: Scope::Shared,
        retry_after: 1_337.0,
        headers: Some(headers.into_iter().collect()),
    });
    let slow = test.ban(main, sandbox.stranger()).await;
    test.until("the limit", move |view| view.deliveries_of(slow).unwrap()[0].attempts == 1).await;
    let unban = test.unban(main, first).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert_eq!(test.delivery(slow, child).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn what_was_overtaken_by_hand_in_the_main_is_not_sent_when_the_main_is_mended() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    sandbox.wait_until(move |sandbox| sandbox.is_banned(main, victim), PATIENCE).await.unwrap();
    // The main's own unban waits for somebody to mend the guild, and somebody decides otherwise by hand.
    sandbox.inject(Fault::Answer {
        at: at("DELETE", main),
        status: 403,
        code: 50013,
        message: String::new(),
    });
    let unban = test.unban(main, victim).await;
    test.until("it waits", move |view| {
        view.origin_of(unban).unwrap().is_some_and(|origin| origin.state == DeliveryState::Blocked)
    })
    .await;
    sandbox.people().unban(main, sandbox.moderator(), victim, None).unwrap();
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    test.until("the last word", move |view| {
        view.origin_of(unban).unwrap().is_some_and(|origin| origin.state == DeliveryState::Superseded)
            && view.last_decision(guild(main), user(victim), Action::Ban).unwrap().map(|(last, _)| last)
                == Some(Action::Ban)
    })
    .await;
    test.until_worked_off().await;
    test.systems.engine.mended(guild(main));
    test.until_worked_off().await;
    assert!(sandbox.is_banned(main, victim), "the last word was a ban");
    assert!(sandbox.is_banned(sandbox.children()[0], victim));
}

#[tokio::test]
async fn an_unban_that_a_held_ban_took_the_place_of_is_not_sent_through_the_freeze() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    sandbox.inject(Fault::Answer {
        at: at("DELETE", child),
        status: 403,
        code: 50013,
        message: String::new(),
    });
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Blocked, 1).await;
    let freeze = test.systems.services.store().write(move |change| {
        change.set_freeze(guild(main), Some(Freeze::ExceptReversals))?;
        Ok(record(change, &new(main, victim, Action::Ban), AtOrigin::Done)?.punishment.id)
    });
    let held = freeze.await.unwrap();
    test.until_counted(held, DeliveryState::Held, 1).await;
    test.systems.engine.mended(guild(child));
    test.systems.engine.drain().await;
    assert!(sandbox.is_banned(child, victim), "a newer ban has superseded the unban");
    assert_eq!(test.delivery(unban, child).await.state, DeliveryState::Superseded);
}

#[tokio::test]
async fn what_is_noted_as_held_after_the_freeze_has_ended_goes_on() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    // The gate was shut when the attempt looked, and open when its outcome is stored.
    let noted = test.systems.services.store().write(move |change| {
        change.set_freeze(guild(main), Some(Freeze::Everything))?;
        let punishment = record(change, &new(main, victim, Action::Ban), AtOrigin::Done)?.punishment.id;
        change.set_freeze(guild(main), None)?;
        let delivery = change.deliveries_of(punishment)?[0].id;
        let held =
            Settlement { state: DeliveryState::Held, reason: None, attempts: 0, wait: None, was_there: None };
        change.settle(delivery, &held)?;
        Ok(punishment)
    });
    let punishment = noted.await.unwrap();
    test.until_counted(punishment, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_page_that_is_not_discord_s_fails_no_delivery_for_good() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    for (child, status) in children.iter().zip([403, 404]) {
        let body = "<html>error code: 1020</html>".to_owned();
        sandbox.inject(Fault::Page { at: at("PUT", *child), status, body });
    }
    let message = "internal network error".to_owned();
    sandbox.inject(Fault::Answer { at: at("PUT", children[2]), status: 403, code: 40333, message });
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 3).await;
}

#[tokio::test]
async fn a_ban_that_discord_refused_is_not_ours_to_undo() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.inject(Fault::Answer { at: at("PUT", child), status: 403, code: 50013, message: String::new() });
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Blocked, 1).await;
    let unban = test.unban(main, victim).await;
    test.until("the unban has ended", move |view| view.deliveries_of(unban).unwrap()[0].state.is_final())
        .await;
    let delivery = test.delivery(unban, child).await;
    assert_eq!(delivery.state, DeliveryState::Skipped, "no request: there is nothing of ours");
    assert_eq!(sandbox.effects_in(child).len(), 1);
}

#[tokio::test]
async fn what_was_taken_back_in_the_store_is_not_sent() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let refused = test.systems.services.store().write(move |change| {
        record(change, &new(main, victim, Action::Ban), AtOrigin::ToDo)?;
        Err::<(), _>(wayhaven_shared::Fault::usage("no"))
    });
    assert!(refused.await.is_err());
    // One that is taken shares the lanes with it, and comes after it.
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(main, victim) && !sandbox.is_banned(sandbox.children()[0], victim));
    assert_eq!(sandbox.effect_count(), 2);
}

#[tokio::test]
async fn a_child_of_two_mains_keeps_a_ban_until_both_have_lifted_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, other, child).await;
    for of in [main, other] {
        let id = test.ban(of, victim).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    let first = test.unban(main, victim).await;
    test.until_counted(first, DeliveryState::Skipped, 1).await;
    let reason = test.delivery(first, child).await.reason;
    assert_eq!(reason.as_deref(), Some("another network's ban remains"));
    assert!(sandbox.is_banned(child, victim));
    let last = test.unban(other, victim).await;
    test.until_counted(last, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_ban_that_a_freeze_holds_keeps_no_ban_of_another_main_standing() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, other, child).await;
    let first = test.ban(other, victim).await;
    test.until_counted(first, DeliveryState::Applied, 1).await;
    let freeze = |freeze| {
        test.systems.services.store().write(move |change| {
            let moved = change.moved_by_freeze(guild(main), freeze)?;
            change.set_freeze(guild(main), freeze)?;
            Ok(moved.into_iter().try_for_each(|step| step.apply(change))?)
        })
    };
    freeze(Some(Freeze::Everything)).await.unwrap();
    let held = test.ban(main, victim).await;
    test.until_counted(held, DeliveryState::Held, 1).await;
    let lifted = test.unban(other, victim).await;
    test.until_counted(lifted, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim), "what is held is not there yet, and may never be");
    freeze(None).await.unwrap();
    test.until_counted(held, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_ban_that_was_done_before_a_freeze_held_it_keeps_the_user_banned() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, other, child).await;
    // It is done, and neither the answer to it nor the one to the question afterwards comes.
    sandbox.inject(Fault::CutAfter { at: at("PUT", child) });
    let silent = sandbox.inject(Fault::CutBefore { at: At::route("GET", BAN).guild(child) });
    let done = test.ban(main, victim).await;
    test.until_counted(done, DeliveryState::Unknown, 1).await;
    let frozen = |change: &crate::store::Change<'_>, main| {
        change.set_freeze(main, Some(Freeze::Everything)).map_err(Into::into)
    };
    test.systems.services.store().write(move |change| frozen(change, guild(main))).await.unwrap();
    test.until_counted(done, DeliveryState::Held, 1).await;
    sandbox.clear(silent);
    assert!(sandbox.is_banned(child, victim));
    let second = test.ban(other, victim).await;
    test.until_counted(second, DeliveryState::Applied, 1).await;
    let lifted = test.unban(other, victim).await;
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
    let lifted = test.delivery(lifted, child).await;
    assert_eq!(lifted.reason.as_deref(), Some("another network's ban remains"));
    assert!(sandbox.is_banned(child, victim), "it has come there, and its main wants it still");
}

#[tokio::test]
async fn what_waited_for_an_approval_is_the_later_word_and_its_undo_is_done() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, other, child).await;
    let level = |level| {
        test.systems
            .services
            .store()
            .write(move |change| Ok(change.set_security_level(guild(main), level).map(drop)?))
    };
    let first = test.ban(other, victim).await;
    test.until_counted(first, DeliveryState::Applied, 1).await;
    level(SecurityLevel::Maximum).await.unwrap();
    let held = test.ban(main, victim).await;
    test.until_counted(held, DeliveryState::Held, 1).await;
    let lifted = test.unban(other, victim).await;
    test.until_counted(lifted, DeliveryState::Applied, 1).await;
    level(SecurityLevel::Standard).await.unwrap();
    asked(&test, main, SyncApprove { id: None, all: true }, false).await.unwrap();
    test.until_counted(held, DeliveryState::Applied, 1).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    let undone = test.unban(main, victim).await;
    test.until_counted(undone, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_unban_of_a_guild_s_own_that_stood_still_does_not_lift_what_was_decided_after_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let own = test.ban(child, victim).await;
    test.until("its own ban", move |view| {
        view.origin_of(own).unwrap().is_some_and(|origin| origin.state == DeliveryState::Applied)
    })
    .await;
    let refused = Fault::Answer { at: at("DELETE", child), status: 403, code: 50013, message: String::new() };
    sandbox.inject(refused);
    let unban = test.unban(child, victim).await;
    test.until("its own unban stands still", move |view| {
        view.origin_of(unban).unwrap().is_some_and(|origin| origin.state == DeliveryState::Blocked)
    })
    .await;
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;

    test.systems.engine.mended(guild(child));
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
    assert!(sandbox.is_banned(child, victim), "the main's ban is the later word");
    let left = test.read(move |view| view.origin_of(unban).unwrap().unwrap().state).await;
    assert_eq!(left, DeliveryState::Superseded);
}

#[tokio::test]
async fn a_ban_whose_undo_a_monitor_link_kept_does_not_leave_when_the_link_is_active_again() {
    for together in [false, true] {
        let bits = permissions::LEAST_FOR_BOT | if together { permissions::MANAGE_GUILD } else { 0 };
        let options = Options { children: 1, global_limit: 0, bot_permissions: bits, ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let test = TestDaemon::start(&sandbox).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        let hang = sandbox.inject(Fault::Hang { at: At::route("PUT", BAN).guild(child) });
        test.ban(main, sandbox.stranger()).await;
        sandbox.wait_until(move |sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
        // None of them has left when the one of the first is taken back.
        let victims = [sandbox.stranger(), sandbox.stranger(), sandbox.stranger()];
        let mut bans = Vec::new();
        for victim in victims {
            bans.push(test.ban(main, victim).await);
        }
        let mode = |mode| {
            test.systems
                .services
                .store()
                .write(move |change| Ok(change.activate_link(guild(main), guild(child), mode)?))
        };
        mode(Mode::Monitor).await.unwrap();
        let unban = test.unban(main, victims[0]).await;
        assert_eq!(test.delivery(unban, child).await.state, DeliveryState::Skipped);
        assert_eq!(test.delivery(bans[0], child).await.state, DeliveryState::Superseded);
        mode(Mode::Active).await.unwrap();
        sandbox.clear(hang);
        for id in &bans[1..] {
            test.until_counted(*id, DeliveryState::Applied, 1).await;
        }
        test.systems.engine.drain().await;
        assert!(!sandbox.is_banned(child, victims[0]), "together: {together}");
        assert!(victims[1..].iter().all(|victim| sandbox.is_banned(child, *victim)));
    }
}

#[tokio::test]
async fn what_was_done_at_first_and_skipped_at_the_second_attempt_keeps_another_mains_undo_away() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, other, child).await;
    // It is done, and neither the answer to it nor the one to the question afterwards comes.
    sandbox.inject(Fault::CutAfter { at: at("PUT", child) });
    let silent = sandbox.inject(Fault::CutBefore { at: At::route("GET", BAN).guild(child) });
    let first = test.ban(other, victim).await;
    test.until_counted(first, DeliveryState::Unknown, 1).await;
    test.until("Discord's word that it was us", move |view| {
        let judged = view.judge_undo(guild(child), user(victim), guild(other), Action::Ban, None);
        judged.unwrap() == Judged::TakeBack
    })
    .await;
    let monitor = test
        .systems
        .services
        .store()
        .write(move |change| Ok(change.activate_link(guild(other), guild(child), Mode::Monitor)?));
    monitor.await.unwrap();
    test.until_counted(first, DeliveryState::Skipped, 1).await;
    sandbox.clear(silent);

    let second = test.ban(main, victim).await;
    test.until_counted(second, DeliveryState::Applied, 1).await;
    let undo = test.unban(main, victim).await;
    test.until_counted(undo, DeliveryState::Skipped, 1).await;
    assert!(sandbox.is_banned(child, victim), "the other main's ban stands there");
}

#[tokio::test]
async fn a_ban_whose_replacement_is_held_keeps_another_mains_undo_away() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, other, child).await;
    let first = test.ban(other, victim).await;
    test.until_counted(first, DeliveryState::Applied, 1).await;
    let frozen = test
        .systems
        .services
        .store()
        .write(move |change| Ok(change.set_freeze(guild(other), Some(Freeze::Everything))?));
    frozen.await.unwrap();
    let newer = test.ban(other, victim).await;
    test.until_counted(newer, DeliveryState::Held, 1).await;

    let second = test.ban(main, victim).await;
    test.until_counted(second, DeliveryState::Applied, 1).await;
    let undo = test.unban(main, victim).await;
    test.until_counted(undo, DeliveryState::Skipped, 1).await;
    assert!(sandbox.is_banned(child, victim), "the other main's first ban stands there");
}
