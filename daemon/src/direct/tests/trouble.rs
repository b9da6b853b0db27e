//! What stands in a message's way never stands in the punishment's.

use super::{BAN, OPEN, POST, asked, ban, content, kick, places, punish, start, told, warn};
use crate::store::{NewPunishment, Telling};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{PATIENCE, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::{At, Fault};
use wayhaven_shared::operations::ban::Unban;
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::reversal::PunishmentAmend;
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::Untrusted;

#[tokio::test]
async fn what_discord_refuses_is_told_and_the_punishment_goes_on() {
    let sandbox = sandbox(2).await;
    let test = start(&sandbox).await;
    let main = sandbox.main_guild();
    let closed = sandbox.members(main)[0];
    sandbox.people().accept_dms(closed, false);
    for (victim, reason) in [
        (closed, "they take no direct messages from the bot"),
        (sandbox.stranger(), "they share no guild with the bot"),
    ] {
        let id = punish(&test, main, ban(victim)).await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        assert_eq!(told(&test, id).await, Told::new(ToldState::Failed, Some(reason)));
        assert_eq!(sandbox.banned_in(&sandbox.children(), victim), 2);
        assert!(sandbox.is_banned(main, victim) && sandbox.direct_messages(victim).is_empty());
    }
    let id = punish(&test, main, warn(closed)).await;
    assert_eq!(told(&test, id).await.state, ToldState::Failed);
    assert_eq!(test.alerts().await, Vec::<String>::new(), "nobody has to mend anything");
}

#[tokio::test]
async fn once_discord_opens_no_more_channels_nobody_asks_for_a_while() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, members) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild()));
    let at = At::route("POST", OPEN).times(1);
    sandbox.inject(Fault::Answer { at, status: 403, code: 40003, message: "too fast".into() });
    let id = punish(&test, main, ban(members[0])).await;
    assert_eq!(told(&test, id).await.state, ToldState::Failed);
    let next = asked(&test, main, ban(members[1])).await;
    assert_eq!(next.told, Some(Told::new(ToldState::NotTold, Some("too many at once"))));
    for id in [id, next.punishment.unwrap().id] {
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    assert_eq!(places(&sandbox, "POST", OPEN).len(), 1);
}

#[tokio::test]
async fn a_channel_that_does_not_open_keeps_a_ban_two_seconds_at_most() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    sandbox.inject(Fault::Hang { at: At::route("POST", OPEN) });
    let id = punish(&test, main, ban(victim)).await;
    // Who waits until nothing moves waits for this too.
    test.systems.engine.drain().await;
    assert!(sandbox.is_banned(main, victim) && sandbox.is_banned(sandbox.children()[0], victim));
    assert_eq!(told(&test, id).await, Told::new(ToldState::NotTold, Some("Discord took too long")));
}

#[tokio::test]
async fn a_message_that_is_answered_late_is_not_waited_for_and_counts_all_the_same() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    // Taken, and its answer comes by and by.
    let late = sandbox.inject(Fault::HangAfterHeaders { at: At::route("POST", POST) });
    let id = punish(&test, main, kick(victim)).await;
    sandbox.wait_until(|sandbox| !sandbox.is_member(main, victim), PATIENCE).await.unwrap();
    let waiting = test.read(move |view| view.told(id).unwrap().unwrap()).await;
    assert!(waiting.is_waiting(), "{waiting:?}");
    sandbox.clear(late);
    assert_eq!(told(&test, id).await, Told::new(ToldState::Told, None));
    assert_eq!((places(&sandbox, "POST", POST).len(), sandbox.direct_messages(victim).len()), (1, 1));
}

#[tokio::test]
async fn fault_2_an_answer_that_is_lost_costs_a_second_request_and_no_second_message() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    sandbox.inject(Fault::CutAfter { at: At::route("POST", POST).times(1) });
    let id = punish(&test, main, ban(victim)).await;
    assert_eq!(told(&test, id).await.state, ToldState::Told);
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let sent = places(&sandbox, "POST", POST);
    assert_eq!((sent.len(), sandbox.direct_messages(victim).len()), (2, 1));
    assert!(sent[1] < places(&sandbox, "PUT", BAN)[0], "the ban waited for it");
}

#[tokio::test]
async fn a_warning_is_tried_until_discord_is_well_again() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let stumbles = |route: &str| {
        let at = At::route("POST", route).times(2);
        sandbox.inject(Fault::Answer { at, status: 502, code: 0, message: String::new() })
    };
    stumbles(OPEN);
    stumbles(POST);
    let id = punish(&test, main, warn(victim)).await;
    assert_eq!(told(&test, id).await, Told::new(ToldState::Told, None));
    assert_eq!(sandbox.direct_messages(victim).len(), 1);
}

#[tokio::test]
async fn what_is_taken_back_before_it_is_done_is_not_told() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    sandbox.inject(Fault::Latency { at: At::route("POST", OPEN), by: Duration::from_millis(700) });
    let id = punish(&test, main, ban(victim)).await;
    let unban = punish(&test, main, Unban { user: user(victim), reason: None }.into()).await;
    let reason = "it was taken back before they were told";
    assert_eq!(told(&test, id).await, Told::new(ToldState::NotTold, Some(reason)));
    test.systems.engine.drain().await;
    assert_eq!(test.delivery(id, sandbox.children()[0]).await.state, DeliveryState::Superseded);
    assert!(test.delivery(unban, sandbox.children()[0]).await.state.is_final());
    assert!(places(&sandbox, "PUT", BAN).is_empty() && sandbox.direct_messages(victim).is_empty());
}

#[tokio::test]
async fn a_change_that_is_taken_back_leaves_nothing_that_waits() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let new = NewPunishment {
        tell: Some(Telling::Now { guild_name: None }),
        ..NewPunishment::new(guild(main), user(victim), Action::Ban, Origin::Operator)
    };
    let failing = test.systems.services.store().write(move |change| {
        assert!(record(change, &new, AtOrigin::ToDo)?.told.is_some_and(|told| told.is_waiting()));
        Err::<(), _>(wayhaven_shared::Fault::internal("what comes after it fails"))
    });
    assert!(failing.await.is_err());
    assert_eq!(test.systems.services.store().directs().borrow().holding, 0);
    test.systems.engine.drain().await;
    assert!(places(&sandbox, "POST", OPEN).is_empty() && !sandbox.is_banned(main, victim));
}

#[tokio::test]
async fn neither_a_corrected_reason_nor_the_end_of_a_freeze_sends_a_ban_before_its_message() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, members) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild()));
    let at = At::route("POST", POST);
    let hang = sandbox.inject(Fault::Hang { at });
    let operator = |operation: &str, arguments: serde_json::Value| {
        let request = serde_json::json!({ "operation": operation, "arguments": arguments });
        test.ask(crate::testing::by_operator(
            wayhaven_shared::control::Role::Owner,
            Some(main),
            serde_json::from_value(request).unwrap(),
        ))
    };
    for (at, victim) in members[..2].iter().copied().enumerate() {
        let id = punish(&test, main, ban(victim)).await;
        if at == 0 {
            operator("punishment amend", serde_json::json!({ "id": id.to_string(), "reason": "other" }))
                .await
                .unwrap();
        } else {
            operator("sync freeze", serde_json::json!({})).await.unwrap();
            operator("sync resume", serde_json::json!({})).await.unwrap();
        }
        let waits = test.read(move |view| view.open_deliveries().unwrap()).await;
        assert!(waits.iter().all(|one| one.punishment != id), "it still waits for its message");
        // Whatever comes to the engine behind it has left before.
        let behind = sandbox.stranger();
        sandbox.people().ban(main, sandbox.moderator(), behind, None).unwrap();
        let behind = test.punishment(behind, 1).await;
        test.until_counted(behind, DeliveryState::Applied, 1).await;
        assert!(!sandbox.is_banned(sandbox.children()[0], victim), "{at}");
    }
    sandbox.clear(hang);
}

#[tokio::test]
async fn a_message_that_waits_gives_the_corrected_reason_and_one_that_may_have_left_the_former() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, members) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild()));
    let reason = Some(Untrusted::clipped("be kind"));
    let kick = Kick { reason, evidence: None, user: user(members[1]) };
    for (at, request) in [warn(members[0]), kick.into(), warn(members[2])].into_iter().enumerate() {
        let (may_have_left, victim) = (at == 2, members[at]);
        let before = places(&sandbox, "POST", OPEN).len();
        let hang = sandbox.inject(Fault::Hang { at: At::route("POST", OPEN).times(1) });
        let id = punish(&test, main, request).await;
        let asked_for = move |sandbox: &wayhaven_sandbox::Discord| {
            sandbox.log().iter().filter(|one| one.route == OPEN).count() > before
        };
        sandbox.wait_until(asked_for, PATIENCE).await.unwrap();
        if may_have_left {
            let mark = move |change: &crate::store::Change<'_>| Ok(change.mark_direct_message(id)?);
            test.systems.services.store().write(mark).await.unwrap().unwrap();
        }
        let amend = PunishmentAmend { id, reason: Untrusted::clipped("be *kinder*") };
        crate::testing::asked(&test, main, amend, false).await.unwrap();
        sandbox.clear(hang);
        assert_eq!(told(&test, id).await.state, ToldState::Told);
        let messages = sandbox.direct_messages(victim);
        let text = content(&messages[0]);
        let reason = if may_have_left { "Reason: be kind" } else { "Reason: be \\*kinder\\*" };
        assert!(text.contains(reason) && text.contains("linked to it"), "{at}: {text}");
    }
}
