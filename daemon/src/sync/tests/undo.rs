//! An unban lifts what is ours, also when its first try fails, and its preview is what it does.

use crate::store::{Judged, NewPunishment};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, by_operator, guild, sandbox, user};
use wayhaven_sandbox::{At, Fault};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::ban::Unban;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};

#[tokio::test]
async fn an_unban_whose_first_try_fails_still_lifts_the_ban() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let at = At::route("DELETE", "/guilds/{guild_id}/bans/{user_id}").guild(child).times(1);
    sandbox.inject(Fault::Answer { at, status: 500, code: 0, message: String::new() });
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_unban_that_was_refused_has_lifted_nothing_for_the_next_one() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let at = At::route("DELETE", "/guilds/{guild_id}/bans/{user_id}").guild(child).times(1);
    sandbox.inject(Fault::Answer { at, status: 403, code: 50013, message: String::new() });
    let refused = test.unban(main, victim).await;
    test.until_counted(refused, DeliveryState::Blocked, 1).await;
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_childs_unban_by_command_ends_its_own_ban() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().ban(child, sandbox.child_moderator(child), victim, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    test.unban(child, victim).await;
    test.until("its end", move |view| {
        !view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, victim), "nothing holds it any more");
}

#[tokio::test]
async fn the_preview_of_an_unban_is_what_it_does() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, own, victim) = (sandbox.main_guild(), sandbox.children()[1], sandbox.stranger());
    sandbox.people().ban(own, sandbox.child_moderator(own), victim, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(own), user(victim), Action::Ban).unwrap()
    })
    .await;
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 2).await;

    let request = Unban { user: user(victim), reason: None }.into();
    let preview =
        crate::invocation::Invocation { dry_run: true, ..by_operator(Role::Operator, Some(main), request) };
    let Reply::Unban(preview) = test.ask(preview).await.unwrap() else { panic!("another reply") };
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;
    for planned in preview.plan {
        let done = test.delivery(unban, planned.guild_id.get()).await;
        let same = match planned.state {
            DeliveryState::Pending => done.state == DeliveryState::Applied,
            state => done.state == state && done.reason == planned.reason,
        };
        assert!(same, "{planned:?} became {done:?}");
    }
}

#[tokio::test]
async fn fault_2_a_ban_that_was_overtaken_at_a_kill_is_asked_for_by_the_unban_that_overtook_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) =
        (guild(sandbox.main_guild()), guild(sandbox.children()[0]), user(sandbox.stranger()));
    let new = move |action| NewPunishment::new(main, victim, action, Origin::Operator);
    let why_not = test.systems.services.store().write(move |change| {
        record(change, &new(Action::Ban), AtOrigin::Done)?;
        let unban = record(change, &new(Action::Unban), AtOrigin::Done)?.punishment.id;
        let unban = change.deliveries_of(unban)?[0].id;
        let before = change.judge_undo(child, victim, main, Action::Unban, Some(unban))?;
        change.suspect_open_deliveries()?;
        Ok((before, change.judge_undo(child, victim, main, Action::Unban, Some(unban))?))
    });
    let (before, after) = why_not.await.unwrap();
    assert_eq!(before, Judged::Leave("Wayhaven has not banned them there".to_owned()));
    assert!(matches!(after, Judged::Ask(_)), "nobody knows whether it left: {after:?}");
}

#[tokio::test]
async fn fault_2_what_was_open_at_a_kill_is_asked_for_by_the_unban_that_supersedes_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) =
        (guild(sandbox.main_guild()), guild(sandbox.children()[0]), user(sandbox.stranger()));
    let new = move |action| NewPunishment::new(main, victim, action, Origin::Operator);
    // Stored, asked and taken back: no request leaves here, and nobody can know that after a kill.
    let store = test.systems.services.store();
    let why_not = async |killed: bool| {
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = move |change: &crate::store::Change<'_>| {
            record(change, &new(Action::Ban), AtOrigin::Done)?;
            if killed {
                change.suspect_open_deliveries()?;
            }
            let unban = record(change, &new(Action::Unban), AtOrigin::Done)?;
            let delivery = change.deliveries_of(unban.punishment.id)?[0].id;
            tell.send(change.judge_undo(child, victim, main, Action::Unban, Some(delivery))?).unwrap();
            Err::<(), _>(wayhaven_shared::Fault::usage("taken back"))
        };
        store.write(work).await.unwrap_err();
        told.await.unwrap()
    };
    assert_eq!(why_not(false).await, Judged::Leave("Wayhaven has not banned them there".to_owned()));
    assert!(matches!(why_not(true).await, Judged::Ask(_)), "nobody knows whether it left");
}

#[tokio::test]
async fn a_child_that_lifts_a_delivered_ban_is_respected_and_an_alert_tells_of_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let by = sandbox.child_moderator(child);
    let contained = async |action: &'static str, of: u64| {
        test.until(action, move |view| {
            let (events, _) = view.events_after(0, usize::MAX).unwrap();
            events.iter().any(|event| {
                matches!(&event.change, wayhaven_shared::event::Change::Contained { action: done, user_id, .. }
                    if done == action && *user_id == user(of))
            })
        })
        .await;
    };
    // What they banned themselves is theirs to lift.
    let own = sandbox.stranger();
    sandbox.people().ban(child, by, own, None).unwrap();
    sandbox.people().unban(child, by, own, None).unwrap();
    contained("unban", own).await;
    assert!(test.alerts().await.is_empty());

    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    sandbox.people().unban(child, by, victim, None).unwrap();
    contained("unban", victim).await;
    assert_eq!(test.alerts().await, ["local_override"]);
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, victim), "they have the last word");
    assert_eq!(sandbox.effects_in(child).len(), 1);

    // Our own unban overrides nobody, and what the main has taken back is no override either.
    let undone = sandbox.stranger();
    let id = test.ban(main, undone).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let id = test.unban(main, undone).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    sandbox.people().ban(child, by, undone, None).unwrap();
    sandbox.people().unban(child, by, undone, None).unwrap();
    contained("unban", undone).await;
    assert_eq!(test.alerts().await, ["local_override"]);
}
