//! Who has the last word in a guild where several parts of Wayhaven have done something about somebody: what is applied
//! again stays ours to take back, and what was taken back leaves what remains in force.

use super::overrides::until_overridden;
use crate::discord::event::{Deed, Entry};
use crate::store::NewPunishment;
use crate::sync::ingest::author::Author;
use crate::sync::ingest::entry::work_entry;
use crate::sync::record::{AtOrigin, record};
use crate::testing::{PATIENCE, TestDaemon, asked, guild, sandbox, user};
use wayhaven_sandbox::{At, Fault as Trouble, Options, Sandbox};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::{
    Mode, SecurityLevel, SetupMode, SetupRemoveChild, SetupSecurityLevel,
};
use wayhaven_shared::value::{PunishmentId, Timestamp};

/// A network whose main does not give way, and a user whom it has banned there.
async fn strict(sandbox: &Sandbox) -> (TestDaemon, u64, PunishmentId) {
    let test = TestDaemon::start(sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    asked(&test, main, SetupSecurityLevel { level: SecurityLevel::High }, false).await.unwrap();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, sandbox.children().len()).await;
    test.settled().await;
    (test, victim, id)
}

#[tokio::test]
async fn what_is_applied_again_after_a_childs_own_command_is_taken_back_like_before() {
    let sandbox = sandbox(2).await;
    let (test, victim, _) = strict(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    for child in &children {
        test.unban(*child, victim).await;
    }
    test.settled().await;
    test.settled().await;
    assert_eq!(sandbox.banned_in(&children, victim), 2, "applied again");

    let first = guild(children[0]);
    let leaving = SetupRemoveChild { child: first, keep: false, undo: true, force: false };
    asked(&test, main, leaving, false).await.unwrap();
    test.until("the link is closed", move |view| {
        view.link(guild(main), first).unwrap().is_some_and(|link| link.state == "closed")
    })
    .await;
    assert!(!sandbox.is_banned(children[0], victim), "--undo takes it back");
    test.unban(main, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(children[1], victim), "and so does an unban of the main");
}

#[tokio::test]
async fn what_is_applied_again_follows_a_childs_own_command_that_still_waits() {
    let sandbox = sandbox(1).await;
    let (test, victim, id) = strict(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at });
    let before = sandbox.effects_in(child).len();
    test.ban(main, sandbox.stranger()).await;
    sandbox.wait_until(|sandbox| sandbox.effects_in(child).len() > before, PATIENCE).await.unwrap();
    // The lane is busy: both wait in it.
    test.unban(child, victim).await;
    sandbox.clear(hang);
    until_overridden(&test, 1).await;
    test.settled().await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_is_applied_again_where_only_events_tell_of_it_stays_ours() {
    let view_audit_log = crate::discord::directory::VIEW_AUDIT_LOG;
    let without_permission = vec![(0, view_audit_log)];
    let options = Options { children: 1, global_limit: 0, without_permission, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let (test, victim, id) = strict(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let staff = sandbox.child_moderator(child);
    sandbox.people().unban(child, staff, victim, None).unwrap();
    until_overridden(&test, 1).await;
    test.settled().await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    // What comes behind its event says that it was taken in.
    let behind = sandbox.stranger();
    sandbox.people().ban(child, staff, behind, None).unwrap();
    test.until("what is behind", move |view| {
        view.is_done_locally(guild(child), user(behind), Action::Ban).unwrap()
    })
    .await;
    assert!(sandbox.is_banned(child, victim));
    let theirs = move |view: &crate::store::View<'_>| {
        view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    };
    assert!(!test.read(theirs).await, "it is not the staff's own");
    test.unban(main, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_ban_that_waited_for_a_permission_is_not_sent_after_it_was_taken_back() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let refused = sandbox.inject(Trouble::Answer { at, status: 403, code: 50013, message: "no".into() });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    // Nothing of the undo comes to the lane.
    let mode = |mode| SetupMode { child: guild(child), mode, no_backfill: false };
    asked(&test, main, mode(Mode::Monitor), false).await.unwrap();
    let undone = test.unban(main, victim).await;
    test.until_counted(undone, DeliveryState::Skipped, 1).await;
    asked(&test, main, mode(Mode::Active), false).await.unwrap();
    sandbox.clear(refused);
    test.systems.engine.mended(guild(child));
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_ban_by_hand_never_counts_as_ended_because_an_older_one_has() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = guild(sandbox.main_guild());
    for stands in [true, false] {
        let whom = user(sandbox.stranger());
        let by_hand = test.systems.services.store().write(move |change| {
            let now = change.now();
            let new = |action, origin| NewPunishment::new(main, whom, action, origin);
            let brief = NewPunishment { expires_at: Some(now), ..new(Action::Ban, Origin::Command) };
            let brief = record(change, &brief, AtOrigin::Done)?.punishment.id;
            // Its end is asked for, and Discord tells of it late.
            let end = NewPunishment { because: Some(brief), ..new(Action::Unban, Origin::System) };
            record(change, &end, AtOrigin::Done)?;
            let entry = |action, at: i64, actor| Entry {
                guild: main,
                id: Timestamp::from_millis(now.millis() + at).first_snowflake(),
                user: whom,
                actor,
                reason: None,
                deed: Deed::Done(action),
                integration: None,
                of_bot: Some(false),
            };
            work_entry(change, Author::Somebody, entry(Action::Ban, 2, Some(user(9))))?;
            let later = if stands { 1 } else { 3 };
            work_entry(change, Author::Us, entry(Action::Unban, later, None))?;
            let all = change.punishments(Some(main), Some(whom), None, 50)?;
            let status = |id| all.iter().find(|one| one.id == id).map(|one| one.status.clone());
            assert_eq!(status(brief).as_deref(), Some("expired"));
            let by_hand = all.iter().find(|one| one.origin == Origin::Guild).map(|one| one.status.clone());
            Ok(by_hand)
        });
        // Where it stands no more, our request has taken it back: it had no end of its own.
        let expected = if stands { "active" } else { "reversed" };
        assert_eq!(by_hand.await.unwrap().as_deref(), Some(expected));
    }
}
