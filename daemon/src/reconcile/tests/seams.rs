//! What happens between a comparison's steps, and what it may not show.

use super::*;
use crate::jobs::{Running, Stop};
use crate::pages::Unreadable;
use crate::reconcile::{Cursor, Resolve, new_job};
use crate::testing::{PATIENCE, make_second_main};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, EventFate, Fault as Trouble, Options};
use wayhaven_shared::operations::exception::SyncExceptionRemove;
use wayhaven_shared::operations::job::JobKind;
use wayhaven_shared::operations::reconcile::Differing;
use wayhaven_shared::operations::setup::{SetupAddChild, SetupRemoveChild};

async fn for_ever(mut running: Running, _: Value) -> Result<JobResult, Stop> {
    let guild = guild(1);
    let mut found = Reconciled::new(guild, false);
    let (punishment_id, user_id) = (PunishmentId::new(1).unwrap(), user(4_711));
    let (measure, difference) = (Action::Ban, Difference::Missing);
    found.note(Differing { user_id, measure, main_guild_id: guild, punishment_id, difference });
    running.tell(1, Some(2), Some(JobResult::Reconciled(found))).await;
    running.unless_cancelled(std::future::pending()).await
}

#[tokio::test]
async fn a_main_is_not_shown_what_another_one_finds_in_their_child() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let cursor = Cursor::new(Resolve::Show, Some(guild(987_654)));
    let new = new_job(JobKind::Reconcile, guild(child), "user 5 of another main".into(), &cursor);
    let other = test.systems.jobs.begin(new, for_ever).await.unwrap();
    assert!(other.result.is_some());
    let shown = asked(&test, main, SyncReconcile { child: None, apply: false }, false).await.unwrap();
    assert_eq!(shown.jobs.len(), 2);
    let text = serde_json::to_string(&shown).unwrap();
    assert!(!text.contains("4711") && !text.contains("user 5") && !text.contains("987654"), "{text}");
    assert!(shown.jobs.iter().any(|job| job.id == other.id && job.is_running()));
}

/// Whoever joins while nobody listens is on the page of members, and on no event.
#[tokio::test]
async fn a_mute_that_waits_for_somebody_to_join_is_done_where_they_have_joined_unheard() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().had_joined(main, victim).unwrap();
    let request = json!({ "operation": "timeout", "arguments": { "user": victim.to_string(), "for": "1d" } });
    let id = test.punish(main, request).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    sandbox.people().had_joined(child, victim).unwrap();
    let plan = compare(&test, main, child, false).await;
    assert_eq!(counts(&plan), [(Difference::Missing, 1)]);
    test.systems
        .services
        .store()
        .write(move |change| Ok(change.reconcile_soon(guild(child))?))
        .await
        .unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.member(child, victim)["communication_disabled_until"].is_string());
}

#[tokio::test]
async fn an_undo_that_was_kept_back_is_not_made_good_where_the_main_has_decided_anew_meanwhile() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    test.link(&sandbox, Mode::Monitor).await;
    test.unban(main, victim).await;
    test.settled().await;
    test.link(&sandbox, Mode::Active).await;
    let (of, stretch) = ((guild(child), guild(main)), crate::store::Stretch::default());
    let kept = test.read(move |view| view.undos_kept_back(of.0, of.1, Action::Ban, stretch).unwrap()).await;
    let [(_, undo, _)] = kept.as_slice() else { panic!("{kept:?}") };
    let (undo, whom) = (*undo, user(victim));
    let again = test.ban(main, victim).await;
    test.until_counted(again, DeliveryState::Applied, 1).await;
    let late = move |change: &Change<'_>| Ok(change.make_undo_good(of.0, of.1, (whom, Action::Ban), undo)?);
    assert!(!test.systems.services.store().write(late).await.unwrap());
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_the_log_alone_told_of_an_override_is_forgotten_with_its_exception_like_what_was_heard() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let fate = wayhaven_sandbox::EventFate::Drop;
    let deaf = sandbox.inject(Fault::Events { name: None, guild: Some(child), times: None, fate });
    sandbox.people().unban(child, sandbox.child_moderator(child), victim, None).unwrap();
    assert_eq!(compare(&test, main, child, true).await.count(Difference::Overridden), 1);
    sandbox.clear(deaf);
    assert!(!sandbox.is_banned(child, victim));
    let remove = SyncExceptionRemove { user: user(victim), measure: None };
    let ended = asked(&test, child, remove, false).await.unwrap();
    assert_eq!(ended.again.total(), 1, "what the main has decided applies again");
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    let now = compare(&test, main, child, true).await;
    assert_eq!(counts(&now), [(Difference::InOrder, 1)]);
}

/// Discord tells of a bulk ban without an actor, and what it tells of the second one is no word of the guild's staff.
#[tokio::test]
async fn what_was_undone_with_its_link_and_comes_again_with_the_next_in_bulk_is_ours_to_take_back() {
    comes_again_in_bulk(true).await;
}

/// As in a session that began after the undo, before the guild's log was read.
#[tokio::test]
async fn what_comes_again_in_bulk_is_ours_also_where_nothing_has_told_of_the_undo_yet() {
    comes_again_in_bulk(false).await;
}

async fn comes_again_in_bulk(undo_is_heard: bool) {
    let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
    let options = Options { children: 1, global_limit: 0, bot_permissions, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victims = [sandbox.stranger(), sandbox.stranger(), sandbox.stranger()];
    for victim in victims {
        test.ban(main, victim).await;
    }
    test.settled().await;
    let unheard = (!undo_is_heard).then(|| {
        let name = Some("GUILD_AUDIT_LOG_ENTRY_CREATE".to_owned());
        sandbox.inject(Trouble::Events { name, guild: Some(child), times: None, fate: EventFate::Drop })
    });
    let remove = SetupRemoveChild { child: guild(child), keep: false, undo: true, force: false };
    asked(&test, main, remove, false).await.unwrap();
    test.until("the link is closed", move |view| view.topology().unwrap().links(guild(main)).is_empty())
        .await;
    if let Some(fault) = unheard {
        sandbox.clear(fault);
    }
    assert_eq!(victims.iter().filter(|one| sandbox.is_banned(child, **one)).count(), 0);

    let add = SetupAddChild { child: guild(child), mode: None, actions: None, no_backfill: false };
    asked(&test, main, add, false).await.unwrap();
    test.until("what stood is there", move |view| view.jobs(None, true, 5).unwrap().is_empty()).await;
    test.settled().await;
    let bulk = sandbox.effects_in(child).into_iter().filter(|effect| effect.route.ends_with("/bulk-ban"));
    assert!(bulk.count() > 0 && victims.iter().all(|one| sandbox.is_banned(child, *one)));
    // Whatever Discord tells of it is heard.
    let heard = sandbox.stranger();
    sandbox.people().ban(child, sandbox.owner(), heard, None).unwrap();
    let told = "SELECT count(*) FROM local_causes WHERE user_id = ";
    test.until("what came after it", move |view| view.number(&format!("{told}{heard}")).unwrap() == 1).await;
    for victim in victims {
        assert_eq!(test.read(move |view| view.number(&format!("{told}{victim}")).unwrap()).await, 0);
        test.unban(main, victim).await;
    }
    test.settled().await;
    assert_eq!(victims.iter().filter(|one| sandbox.is_banned(child, **one)).count(), 0);
}

#[tokio::test]
async fn what_another_mains_undo_takes_back_while_the_list_is_read_is_not_found_there() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let victim = sandbox.stranger();
    make_second_main(&test, main, second, child).await;
    let remove = SetupRemoveChild { child: guild(child), keep: true, undo: false, force: false };
    asked(&test, main, remove, false).await.unwrap();
    let wanted = test.ban(main, victim).await;
    test.ban(second, victim).await;
    test.settled().await;

    // On its way, and judged: nobody else wanted it there by then.
    let unban = At::route("DELETE", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at: unban.times(1) });
    let before = sandbox.effects_in(child).len();
    test.unban(second, victim).await;
    let left = move |sandbox: &wayhaven_sandbox::Discord| sandbox.effects_in(child).len() > before;
    sandbox.wait_until(left, PATIENCE).await.unwrap();
    let add = SetupAddChild { child: guild(child), mode: None, actions: None, no_backfill: false };
    asked(&test, main, add, false).await.unwrap();
    test.until("what is wanted", move |view| {
        view.stand(wanted, guild(child), Action::Ban).unwrap().is_some()
    })
    .await;
    sandbox.clear(hang);
    test.until("the end of it", move |view| view.jobs(None, true, 5).unwrap().is_empty()).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_alert_about_unreadable_bans_counts_those_seen_before_a_restart() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = guild(sandbox.children()[0]);
    let cursor = Cursor::new(Resolve::ByItself, None);
    let new = new_job(JobKind::Reconcile, child, "7".into(), &cursor);
    let work = move |running: Running, _: Value| async move {
        Unreadable::default().conclude(&running, child, 3).await;
        Ok(JobResult::Reconciled(Reconciled::new(child, true)))
    };
    test.systems.jobs.begin(new, work).await.unwrap();
    let alerted = |view: &crate::store::View<'_>| {
        let alerts = view.alerts(&crate::store::AlertFilter::default(), 10).unwrap();
        alerts.iter().any(|alert| alert.details.raw().contains("has 3 entries"))
    };
    test.until("the alert", alerted).await;
}
