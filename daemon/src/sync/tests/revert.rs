//! Punishments taken back: the plan's counts are what happens, nothing is done twice, and what has another cause stays.

use crate::store::View;
use crate::sync::revert::{Judge, Reverting, revert_some};
use crate::testing::{TestDaemon, asked, by_member, by_operator, guild, sandbox, unconfirmed, user};
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin, PunishmentList};
use wayhaven_shared::operations::reversal::{Counted, PunishmentRevert, Reverted};
use wayhaven_shared::operations::timeout::Timeout;
use wayhaven_shared::operations::warn::Warn;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::{PunishmentId, Untrusted};

fn these(punishments: &[PunishmentId]) -> PunishmentRevert {
    PunishmentRevert { punishments: punishments.to_vec(), ..PunishmentRevert::default() }
}

async fn by_moderator(test: &TestDaemon, sandbox: &Sandbox, request: Request) -> PunishmentId {
    let bits = permissions::BAN_MEMBERS | permissions::KICK_MEMBERS;
    let reply = test.ask(by_member(sandbox.moderator(), sandbox.main_guild(), bits, request)).await.unwrap();
    let (Reply::Ban(done) | Reply::Kick(done) | Reply::Warn(done)) = reply else { panic!("another reply") };
    done.punishment.unwrap().id
}

async fn status(test: &TestDaemon, id: PunishmentId) -> String {
    test.read(move |view| view.punishment(id).unwrap()).await.unwrap().status
}

/// How many punishments took this one back.
fn undos(view: &View<'_>, of: PunishmentId) -> usize {
    let all = view.punishments(None, None, None, 500).unwrap();
    all.into_iter().filter(|one| one.because == Some(of)).count()
}

#[tokio::test]
async fn a_moderators_spree_is_reverted_as_planned_and_asking_again_changes_nothing() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let (first, own) = (children[0], sandbox.stranger());
    sandbox.people().ban(first, sandbox.child_moderator(first), own, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(first), user(own), Action::Ban).unwrap()
    })
    .await;
    let (twice, freed, other) = (sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    let plain: Vec<u64> = (0..3).map(|_| sandbox.stranger()).collect();
    let ban = |whom: u64| Request::from(Ban::new(user(whom)));
    let mut theirs = Vec::new();
    for whom in plain.iter().copied().chain([own, twice, freed]) {
        theirs.push(by_moderator(&test, &sandbox, ban(whom)).await);
    }
    let kick = Kick { user: user(sandbox.stranger()), reason: None, evidence: None };
    let kick = by_moderator(&test, &sandbox, kick.into()).await;
    let warn = Warn { user: user(sandbox.stranger()), reason: Untrusted::clipped("x"), evidence: None };
    let warn = by_moderator(&test, &sandbox, warn.into()).await;
    let remaining = test.ban(main, twice).await;
    test.unban(main, freed).await;
    let elsewhere = test.ban(main, other).await;
    test.settled().await;

    let moderator = Some(user(sandbox.moderator()));
    let spree =
        PunishmentRevert { moderator, since: Some("1h".parse().unwrap()), ..PunishmentRevert::default() };
    let plan = asked(&test, main, spree.clone(), true).await.unwrap();
    let count = |action, count| Counted { action, reason: None, count };
    assert_eq!(plan.found, [count(Action::Ban, 6), count(Action::Kick, 1), count(Action::Warn, 1)]);
    assert_eq!((plan.already, plan.marked, plan.one_of_several, plan.undone), (1, 2, 1, 4));
    assert_eq!((plan.deliveries.pending, plan.deliveries.skipped), (7, 1));
    let stays = Counted { reason: Some("banned there by its own staff".into()), ..count(Action::Ban, 1) };
    assert_eq!(plan.stay, [stays]);
    assert_eq!(status(&test, theirs[0]).await, "active", "a plan changes nothing");

    let bare = unconfirmed(by_operator(Role::Owner, Some(main), spree.clone().into()));
    assert_eq!(test.ask(bare).await.unwrap_err().kind, FaultKind::Declined);
    let done = asked(&test, main, spree.clone(), false).await.unwrap();
    assert_eq!(done, Reverted { dry_run: false, ..plan.clone() }, "the plan is what happens");
    test.settled().await;
    let mut lifted = 0;
    for id in theirs.iter().chain([&kick, &warn]) {
        assert_eq!(status(&test, *id).await, "reversed");
        let id = *id;
        let undo = test.read(move |view| view.punishments(None, None, None, 500).unwrap()).await;
        for undo in undo.into_iter().filter(|one| one.because == Some(id)) {
            assert_eq!((undo.action, undo.moderator_id), (Action::Unban, None));
            let detail = test.read(move |view| view.deliveries_of(undo.id).unwrap()).await;
            lifted += detail.iter().filter(|one| one.state == DeliveryState::Applied).count();
        }
    }
    assert_eq!(lifted as u64, plan.deliveries.pending);
    for whom in &plain {
        assert!(!sandbox.is_banned(main, *whom) && sandbox.banned_in(&children, *whom) == 0);
    }
    assert!(sandbox.is_banned(children[0], own) && !sandbox.is_banned(children[1], own));
    for (whom, cause) in [(twice, remaining), (other, elsewhere)] {
        assert!(sandbox.is_banned(main, whom) && sandbox.banned_in(&children, whom) == 2);
        assert_eq!(status(&test, cause).await, "active");
    }
    let listed = asked(&test, main, PunishmentList::default(), false).await.unwrap();
    assert_eq!(listed.punishments.iter().filter(|one| one.status == "reversed").count(), 8);

    let effects = sandbox.effect_count();
    let again = asked(&test, main, spree, false).await.unwrap();
    assert_eq!((again.changed(), again.already, again.deliveries.total()), (0, 8, 0));
    test.settled().await;
    assert_eq!(sandbox.effect_count(), effects);
}

#[tokio::test]
async fn a_revert_that_was_interrupted_is_finished_by_asking_again_and_nothing_is_done_twice() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victims: Vec<u64> = (0..5).map(|_| sandbox.stranger()).collect();
    let mut ids = Vec::new();
    for whom in &victims {
        ids.push(test.ban(main, *whom).await);
    }
    test.settled().await;
    let effects = sandbox.effect_count();
    // One step of it, as small as steps get, and then the daemon is gone.
    let first = ids.clone();
    let step = test.systems.services.store().write(move |change| {
        let by = Reverting { moderator: None, operator: None, origin: Origin::Operator, reason: None };
        let mut counted = Reverted::none(guild(main), false);
        let done = revert_some(change, &first, &by, 2, &mut Judge::default(), &mut counted)?;
        Ok((done, counted.undone))
    });
    assert_eq!(step.await.unwrap(), (1, 1));
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    next.until_ready().await;
    let done = asked(&next, main, these(&ids), false).await.unwrap();
    assert_eq!((done.already, done.undone), (1, 4));
    // What was open at the kill waits until the child's log was read.
    next.until("all of it", |view| view.open_deliveries().unwrap().is_empty()).await;
    next.settled().await;
    for (id, whom) in ids.iter().copied().zip(victims) {
        assert_eq!(next.read(move |view| undos(view, id)).await, 1);
        assert!(!sandbox.is_banned(main, whom) && !sandbox.is_banned(child, whom));
    }
    // What was open at the kill may be sent once more, and is harmless.
    assert!(sandbox.effect_count() - effects >= 10);
}

#[tokio::test]
async fn an_undo_ends_exactly_the_one_it_reverts() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let (first, second) = (test.ban(main, victim).await, test.ban(main, victim).await);
    test.settled().await;
    let one = asked(&test, main, these(&[second]), false).await.unwrap();
    assert_eq!((one.one_of_several, one.undone), (1, 0));
    assert_eq!(
        (status(&test, first).await, status(&test, second).await),
        ("active".into(), "reversed".into())
    );
    test.settled().await;
    assert!(sandbox.is_banned(main, victim) && sandbox.is_banned(child, victim));
    let last = asked(&test, main, these(&[first]), false).await.unwrap();
    assert_eq!((last.one_of_several, last.undone), (0, 1));
    test.settled().await;
    assert!(!sandbox.is_banned(main, victim) && !sandbox.is_banned(child, victim));
    assert_eq!(test.read(move |view| undos(view, second)).await, 0);
}

#[tokio::test]
async fn both_of_two_at_once_are_counted_once_as_undone() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let both = [test.ban(main, victim).await, test.ban(main, victim).await];
    test.settled().await;
    let plan = asked(&test, main, these(&both), true).await.unwrap();
    assert_eq!((plan.one_of_several, plan.undone, plan.deliveries.pending), (1, 1, 1));
    let done = asked(&test, main, these(&both), false).await.unwrap();
    assert_eq!(done, Reverted { dry_run: false, ..plan });
    test.settled().await;
    assert!(!sandbox.is_banned(main, victim));
}

#[tokio::test]
async fn an_older_timeout_applies_again_when_the_newer_one_is_reverted() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victim = sandbox.members(main)[0];
    if !sandbox.is_member(child, victim) {
        sandbox.people().had_joined(child, victim).unwrap();
    }
    let timeout = |span: &str| Timeout {
        user: user(victim),
        span: span.parse().unwrap(),
        reason: None,
        evidence: None,
    };
    let until = |of: u64| sandbox.member(of, victim)["communication_disabled_until"].clone();
    let older = asked(&test, main, timeout("5h"), false).await.unwrap().punishment.unwrap();
    test.settled().await;
    let first = [until(main), until(child)];
    assert!(first.iter().all(|end| end.is_string()), "{first:?}");
    let newer = asked(&test, main, timeout("1h"), false).await.unwrap().punishment.unwrap();
    test.settled().await;
    assert_ne!([until(main), until(child)], first);
    let done = asked(&test, main, these(&[newer.id]), false).await.unwrap();
    assert_eq!((done.one_of_several, done.undone), (1, 0));
    test.settled().await;
    assert_eq!([until(main), until(child)], first, "until the end of the older one");
    assert_eq!(
        (status(&test, older.id).await, status(&test, newer.id).await),
        ("active".into(), "reversed".into())
    );
    // And held by a freeze it goes on when that ends.
    let newest = asked(&test, main, timeout("2h"), false).await.unwrap().punishment.unwrap();
    test.settled().await;
    let freeze = |operation: &str| -> Request {
        serde_json::from_value(serde_json::json!({"operation": operation, "arguments": {}})).unwrap()
    };
    test.ask(by_operator(Role::Owner, Some(main), freeze("sync freeze"))).await.unwrap();
    asked(&test, main, these(&[newest.id]), false).await.unwrap();
    test.settled().await;
    assert_eq!(until(main), first[0]);
    assert_ne!(until(child), first[1]);
    test.ask(by_operator(Role::Owner, Some(main), freeze("sync resume"))).await.unwrap();
    test.settled().await;
    assert_eq!(until(child), first[1]);
}

#[tokio::test]
async fn what_waits_is_not_sent_any_more_and_the_older_ban_takes_its_place() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().set_bot_permissions(child, permissions::VIEW_CHANNEL).unwrap();
    let first = test.ban(main, victim).await;
    test.until_counted(first, DeliveryState::Blocked, 1).await;
    let second = test.ban(main, victim).await;
    test.until_counted(first, DeliveryState::Superseded, 1).await;
    test.until_counted(second, DeliveryState::Blocked, 1).await;
    asked(&test, main, these(&[second]), false).await.unwrap();
    test.until_counted(second, DeliveryState::Superseded, 1).await;
    test.until_counted(first, DeliveryState::Blocked, 1).await;
    sandbox.people().set_bot_permissions(child, permissions::ADMINISTRATOR).unwrap();
    test.until_counted(first, DeliveryState::Applied, 1).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    let undone = asked(&test, main, these(&[first]), false).await.unwrap();
    assert_eq!(undone.deliveries.pending, 1);
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn only_punishments_of_the_guild_in_which_it_is_asked_for_and_only_in_one_form() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let of_main = test.ban(main, victim).await;
    // What is still open there the child's own ban would end.
    test.settled().await;
    let of_child = test.ban(child, victim).await;
    test.settled().await;
    let fault = asked(&test, main, these(&[of_main, of_child]), false).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(fault.message.contains(&of_child.to_string()), "{fault}");
    assert_eq!(status(&test, of_main).await, "active", "nothing is done of a request that names a wrong one");
    let forms = [
        PunishmentRevert::default(),
        PunishmentRevert { moderator: Some(user(1)), ..these(&[]) },
        PunishmentRevert {
            moderator: Some(user(1)),
            since: Some("1h".parse().unwrap()),
            ..these(&[of_main])
        },
    ];
    for form in forms {
        assert_eq!(asked(&test, main, form, false).await.unwrap_err().kind, FaultKind::Usage);
    }
    // A child takes back its own, and what its main has delivered there stays.
    let done = asked(&test, child, these(&[of_child]), false).await.unwrap();
    assert_eq!((done.one_of_several, done.undone), (1, 0));
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    assert_eq!(status(&test, of_child).await, "reversed");
}
