//! A link that was closed and made anew, or closed for good: what was taken back along it, and what was left.

use super::hand::until_settled;
use crate::testing::{PATIENCE, TestDaemon, asked, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::operations::setup::{Mode, SetupAddChild, SetupRemoveChild};
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};
use wayhaven_shared::value::PunishmentId;

async fn close(test: &TestDaemon, main: u64, child: u64, undo: bool) {
    let leaving = SetupRemoveChild { undo, keep: !undo, child: guild(child), force: false };
    asked(test, main, leaving, false).await.unwrap();
    test.until("a closed link", move |view| {
        view.link(guild(main), guild(child)).unwrap().unwrap().state == "closed"
    })
    .await;
}

async fn link(test: &TestDaemon, main: u64, child: u64) {
    let link = move |change: &crate::store::Change<'_>| {
        Ok(change.activate_link(guild(main), guild(child), Mode::Active)?)
    };
    test.systems.services.store().write(link).await.unwrap();
}

async fn timeout(test: &TestDaemon, main: u64, whom: u64, span: &str) -> PunishmentId {
    let timeout = Timeout { user: user(whom), span: span.parse().unwrap(), reason: None, evidence: None };
    let id = asked(test, main, timeout, false).await.unwrap().punishment.unwrap().id;
    test.settled().await;
    id
}

async fn revert(test: &TestDaemon, of: u64, id: PunishmentId) {
    let these = PunishmentRevert { punishments: vec![id], ..PunishmentRevert::default() };
    asked(test, of, these, false).await.unwrap();
    test.settled().await;
}

fn is_timed_out(sandbox: &Sandbox, of: u64, whom: u64) -> bool {
    sandbox.member(of, whom)["communication_disabled_until"].is_string()
}

/// Somebody who is a member of the main and of its child.
fn member_of_both(sandbox: &Sandbox) -> u64 {
    let whom = sandbox.stranger();
    for place in [sandbox.main_guild(), sandbox.children()[0]] {
        sandbox.people().had_joined(place, whom).unwrap();
    }
    whom
}

#[tokio::test]
async fn an_older_timeout_that_a_revert_brings_back_behind_an_undo_is_ended_by_the_next_untimeout() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], member_of_both(&sandbox));
    let older = timeout(&test, main, victim, "5h").await;
    close(&test, main, child, true).await;
    assert!(!is_timed_out(&sandbox, child, victim));
    link(&test, main, child).await;
    let newer = timeout(&test, main, victim, "1h").await;
    assert!(is_timed_out(&sandbox, child, victim));
    revert(&test, main, newer).await;
    assert!(is_timed_out(&sandbox, child, victim), "the older one holds again");
    let again = test.read(move |view| view.stand(older, guild(child), Action::Timeout).unwrap()).await;
    assert_eq!(again.unwrap().state, DeliveryState::Applied);

    // The end that the newer one had is over, and the older one goes on.
    test.advance(&sandbox, "2h").await;
    assert!(is_timed_out(&sandbox, child, victim));
    let untimeout = Untimeout { user: user(victim), reason: None };
    let undone = asked(&test, main, untimeout, false).await.unwrap().punishment.unwrap().id;
    until_settled(&test, victim, 3).await;
    assert_eq!(test.delivery(undone, child).await.state, DeliveryState::Applied);
    assert!(!is_timed_out(&sandbox, child, victim));
}

#[tokio::test]
async fn a_revert_of_what_was_taken_back_with_the_link_brings_nothing_into_the_child() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], member_of_both(&sandbox));
    timeout(&test, main, victim, "5h").await;
    let newer = timeout(&test, main, victim, "1h").await;
    close(&test, main, child, true).await;
    link(&test, main, child).await;
    let before = sandbox.effects_in(child).len();
    revert(&test, main, newer).await;
    assert!(is_timed_out(&sandbox, main, victim), "in the main the older one holds again");
    assert!(!is_timed_out(&sandbox, child, victim));
    assert_eq!(sandbox.effects_in(child).len(), before);
}

#[tokio::test]
async fn staff_who_lift_their_own_ban_override_nothing_that_was_taken_back_with_the_link() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (by_hand, by_command, standing) = (sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    for whom in [by_hand, by_command] {
        test.ban(main, whom).await;
    }
    test.settled().await;
    close(&test, main, child, true).await;
    link(&test, main, child).await;
    let kept = test.ban(main, standing).await;
    test.settled().await;
    assert_eq!(test.delivery(kept, child).await.state, DeliveryState::Applied);

    let staff = sandbox.child_moderator(child);
    sandbox.people().ban(child, staff, by_hand, None).unwrap();
    for whom in [by_hand, standing] {
        sandbox.people().unban(child, staff, whom, None).unwrap();
    }
    let excepted = move |view: &crate::store::View<'_>, whom: u64| {
        view.exception(guild(child), user(whom), Action::Ban).unwrap().is_some()
    };
    // What stands is overridden as ever, and came behind the other.
    test.until("an override", move |view| excepted(view, standing)).await;
    test.ban(child, by_command).await;
    test.settled().await;
    test.unban(child, by_command).await;
    test.settled().await;
    assert!(!test.read(move |view| excepted(view, by_hand)).await, "by hand");
    assert!(!test.read(move |view| excepted(view, by_command)).await, "by command");
    // What the main decides anew is delivered.
    let anew = test.ban(main, by_hand).await;
    test.settled().await;
    assert_eq!(test.delivery(anew, child).await.state, DeliveryState::Applied);
}

#[tokio::test]
async fn what_staff_had_lifted_before_the_link_was_undone_is_overridden_no_second_time() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let staff = sandbox.child_moderator(child);
    let excepted = move |view: &crate::store::View<'_>| {
        view.exception(guild(child), user(victim), Action::Ban).unwrap().is_some()
    };
    test.ban(main, victim).await;
    test.settled().await;
    sandbox.people().unban(child, staff, victim, None).unwrap();
    test.until("an override", excepted).await;
    close(&test, main, child, true).await;
    link(&test, main, child).await;
    // Its own ban ends the exception, and what is lifted then is its own.
    test.ban(child, victim).await;
    test.settled().await;
    test.until("no exception", move |view| !excepted(view)).await;
    test.unban(child, victim).await;
    test.settled().await;
    assert!(!test.read(excepted).await);
    let anew = test.ban(main, victim).await;
    test.settled().await;
    assert_eq!(test.delivery(anew, child).await.state, DeliveryState::Applied);
}

#[tokio::test]
async fn a_child_reverts_its_own_ban_whatever_a_former_main_has_left_there() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, former, linked) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let (kept, brief) = (sandbox.stranger(), sandbox.stranger());
    let mut own = Vec::new();
    for child in [former, linked] {
        test.ban(main, kept).await;
        // What is on its way would be superseded by the child's own.
        test.settled().await;
        own.push(test.ban(child, kept).await);
    }
    test.ban(main, brief).await;
    test.settled().await;
    close(&test, main, former, false).await;
    // The link to another main makes it a child still.
    let second = move |change: &crate::store::Change<'_>| {
        let other = wayhaven_shared::value::GuildId::new(main + 1_000_000).unwrap();
        change.make_main(other)?;
        Ok(change.activate_link(other, guild(former), Mode::Active)?)
    };
    test.systems.services.store().write(second).await.unwrap();
    revert(&test, former, own[0]).await;
    assert!(!sandbox.is_banned(former, kept), "its own staff decide there");
    revert(&test, linked, own[1]).await;
    assert!(sandbox.is_banned(linked, kept), "what a main has delivered along its link stays");

    // What ends by itself is nobody's word: what was left there is the guild's own by now.
    let ban =
        serde_json::json!({ "operation": "ban", "arguments": { "user": brief.to_string(), "for": "1h" } });
    test.punish(former, ban).await;
    test.settled().await;
    test.advance(&sandbox, "2h").await;
    until_settled(&test, brief, 3).await;
    assert!(sandbox.is_banned(former, brief));
}

#[tokio::test]
async fn what_a_former_main_took_back_or_gave_up_keeps_no_other_main_from_taking_back_its_own() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    close(&test, main, second, false).await;
    let both = move |change: &crate::store::Change<'_>| {
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(child), Mode::Active)?)
    };
    test.systems.services.store().write(both).await.unwrap();
    let (shared, later, left) = (sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    for whom in [shared, later] {
        test.ban(main, whom).await;
    }
    test.ban(second, shared).await;
    test.settled().await;
    close(&test, main, child, true).await;
    assert!(sandbox.is_banned(child, shared) && !sandbox.is_banned(child, later));
    test.ban(second, later).await;
    test.settled().await;
    for whom in [shared, later] {
        test.unban(second, whom).await;
    }
    test.settled().await;
    assert!(!sandbox.is_banned(child, later), "the first main took its own back");
    assert!(!sandbox.is_banned(child, shared), "the first main has given it up");

    // What was kept is the child's own by now, and no main's to lift.
    link(&test, main, child).await;
    test.ban(main, left).await;
    test.ban(second, left).await;
    test.settled().await;
    close(&test, main, child, false).await;
    test.unban(second, left).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, left));
}

#[tokio::test]
async fn what_the_staff_took_back_while_no_link_was_there_is_no_word_against_the_next_one() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    test.ban(main, victim).await;
    test.settled().await;
    close(&test, main, child, false).await;
    sandbox.people().unban(child, sandbox.owner(), victim, None).unwrap();
    // The clock shows milliseconds, and it is about which of the two was first.
    sandbox.advance(Duration::from_millis(5));
    test.systems.services.clock().shift(5);
    link(&test, main, child).await;

    // The next session reads the child's log from where it was.
    let home = test.home();
    drop(test);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    let exception = move |view: &crate::store::View<'_>| {
        view.exception(guild(child), user(victim), Action::Ban).unwrap().is_some()
    };
    assert!(!test.read(exception).await, "the main had nothing to say there");
    test.ban(main, victim).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    sandbox.people().unban(child, sandbox.owner(), victim, None).unwrap();
    test.until("an exception", exception).await;
}

#[tokio::test]
async fn what_the_staff_did_by_themselves_after_an_undo_is_no_word_against_a_backfill() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    // The link to another main makes it a child still, whose staff are listened to.
    let second = move |change: &crate::store::Change<'_>| {
        let other = wayhaven_shared::value::GuildId::new(main + 1_000_000).unwrap();
        change.make_main(other)?;
        Ok(change.activate_link(other, guild(child), Mode::Active)?)
    };
    test.systems.services.store().write(second).await.unwrap();
    let banned = test.ban(main, victim).await;
    test.settled().await;
    close(&test, main, child, true).await;
    assert!(!sandbox.is_banned(child, victim));
    let staff = sandbox.child_moderator(child);
    let is_local =
        |view: &crate::store::View<'_>| view.number("SELECT count(*) FROM local_causes").unwrap() == 1;
    sandbox.people().ban(child, staff, victim, None).unwrap();
    test.until("their ban", is_local).await;
    sandbox.people().unban(child, staff, victim, None).unwrap();
    test.until("their unban", move |view| !is_local(view)).await;

    let add = SetupAddChild { child: guild(child), mode: None, actions: None, no_backfill: false };
    asked(&test, main, add, false).await.unwrap();
    sandbox.wait_until(move |sandbox| sandbox.is_banned(child, victim), PATIENCE).await.unwrap();
    test.settled().await;
    assert_eq!(test.delivery(banned, child).await.state, DeliveryState::Applied);
}

#[tokio::test]
async fn what_a_revert_leaves_of_several_that_came_again_with_the_next_link_stands_there() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let older = test.ban(main, victim).await;
    let newer = test.ban(main, victim).await;
    test.settled().await;
    close(&test, main, child, true).await;
    let add = SetupAddChild { child: guild(child), mode: None, actions: None, no_backfill: false };
    asked(&test, main, add, false).await.unwrap();
    sandbox.wait_until(move |sandbox| sandbox.is_banned(child, victim), PATIENCE).await.unwrap();
    test.settled().await;
    revert(&test, main, newer).await;
    assert!(sandbox.is_banned(child, victim), "the older one goes on");
    // No other main's undo lifts it.
    let is_cause = move |view: &crate::store::View<'_>| {
        let older_stands = view.stand(older, guild(child), Action::Ban).unwrap().unwrap();
        let gone = view.is_taken_back_along_its_link(older_stands.id).unwrap();
        !gone && view.has_mains_cause(guild(child), user(victim), Action::Ban).unwrap()
    };
    assert!(test.read(is_cause).await);
}
