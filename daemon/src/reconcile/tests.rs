//! Comparisons: what is found, what is done about it, and what is left alone.

mod alone;
mod backfill;
mod budget;
mod faults;
mod joins;
mod seams;

use crate::store::{Change, NewPunishment};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, asked, guild, sandbox, user};
use wayhaven_sandbox::{Fault, Sandbox, permissions};
use wayhaven_shared::operations::job::{Job, JobResult, JobState};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::reconcile::{Difference, Reconciled, SyncReconcile};
use wayhaven_shared::operations::setup::{Mode, SecurityLevel};
use wayhaven_shared::value::{JobId, PunishmentId};

/// Asks the main to compare a child, and waits for what comes of it.
async fn compare(test: &TestDaemon, main: u64, child: u64, apply: bool) -> Reconciled {
    let operation = SyncReconcile { child: Some(guild(child)), apply };
    let job: Job = asked(test, main, operation, false).await.unwrap().jobs.pop().unwrap();
    let id = job.id;
    test.until("the comparison", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    test.settled().await;
    match job.result.unwrap() {
        JobResult::Reconciled(found) => found,
        other => panic!("{other:?}"),
    }
}

fn counts(found: &Reconciled) -> Vec<(Difference, u64)> {
    found.counts.iter().map(|counted| (counted.difference, counted.count)).collect()
}

/// Bans that were decided in the main before a child was linked, and done there by hand.
async fn decided(test: &TestDaemon, main: u64, users: &[u64]) -> Vec<PunishmentId> {
    let users = users.to_vec();
    let work = move |change: &Change<'_>| {
        let one = |of: u64| {
            let new = NewPunishment::new(guild(main), user(of), Action::Ban, Origin::Guild);
            Ok(record(change, &new, AtOrigin::Done)?.punishment.id)
        };
        users.into_iter().map(one).collect::<Result<Vec<_>, wayhaven_shared::Fault>>()
    };
    test.systems.services.store().write(work).await.unwrap()
}

/// Waits until a job is over, and what it has begun is carried out.
async fn until_over(test: &TestDaemon, id: JobId) -> Job {
    test.until("the end of the job", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    test.settled().await;
    test.read(move |view| view.job(id).unwrap().unwrap()).await
}

/// Waits until a job says that it waits for something of which these are words.
async fn until_waits(test: &TestDaemon, id: JobId, words: &'static str) -> Job {
    test.until(words, move |view| {
        let job = view.job(id).unwrap().unwrap();
        job.note.is_some_and(|note| note.raw().contains(words))
    })
    .await;
    test.read(move |view| view.job(id).unwrap().unwrap()).await
}

/// Has the guild compared without being asked, and waits for the end of it.
async fn compared_by_itself(test: &TestDaemon, child: u64) {
    let is_its_own = move |job: &Job| job.asked_by == "wayhaven" && job.state == JobState::Done;
    let count = move |view: &crate::store::View<'_>| {
        view.jobs(Some(guild(child)), false, 100).unwrap().iter().filter(|job| is_its_own(job)).count()
    };
    let before = test.read(count).await;
    test.systems
        .services
        .store()
        .write(move |change| Ok(change.reconcile_soon(guild(child))?))
        .await
        .unwrap();
    test.until("compared by itself", move |view| count(view) > before).await;
    test.settled().await;
}

async fn unlinked(sandbox: &Sandbox) -> TestDaemon {
    let test = TestDaemon::start_at(sandbox, std::sync::Arc::new(crate::testing::home())).await;
    test.until_ready().await;
    test
}

#[tokio::test]
async fn a_plan_shows_what_is_missing_and_sends_nothing_and_applied_it_is_done() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..5).map(|_| sandbox.stranger()).collect();
    decided(&test, main, &users).await;
    // One is banned there by the guild's own staff, and somebody else too.
    let own = sandbox.stranger();
    for banned in [users[1], own] {
        sandbox.people().had_banned(child, banned, None).unwrap();
    }
    test.link(&sandbox, Mode::Active).await;

    let found = compare(&test, main, child, false).await;
    assert!(!found.applied);
    let expected = [(Difference::Missing, 4), (Difference::Found, 1), (Difference::Theirs, 1)];
    assert_eq!(counts(&found), expected);
    let named: Vec<_> = found.differing.iter().map(|one| one.user_id.get()).collect();
    assert_eq!(named.len(), 5);
    assert!(users.iter().all(|user| named.contains(user)));
    assert!(sandbox.effects_in(child).is_empty(), "a plan sends nothing");

    let done = compare(&test, main, child, true).await;
    assert!(done.applied);
    assert_eq!(counts(&done), expected);
    assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
    assert_eq!(sandbox.effects_in(child).len(), 4, "whoever was banned there is not banned again");

    let now = compare(&test, main, child, false).await;
    assert_eq!(counts(&now), [(Difference::InOrder, 5), (Difference::Theirs, 1)]);
    // What was there before stays when the main takes its own back.
    for of in [users[0], users[1]] {
        test.unban(main, of).await;
    }
    test.settled().await;
    assert!(!sandbox.is_banned(child, users[0]));
    assert!(sandbox.is_banned(child, users[1]), "the guild's own staff banned them");
}

#[tokio::test]
async fn what_is_gone_is_put_back_unless_the_guilds_staff_took_it_back() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (gone, lifted) = (sandbox.stranger(), sandbox.stranger());
    for of in [gone, lifted] {
        let ban = test.ban(main, of).await;
        test.until_counted(ban, DeliveryState::Applied, 1).await;
    }
    test.settled().await;
    sandbox.people().had_lifted(child, gone).unwrap();
    // Nothing of it comes by the gateway: only the log tells.
    let deaf = sandbox.inject(Fault::Events {
        name: None,
        guild: Some(child),
        times: None,
        fate: wayhaven_sandbox::EventFate::Drop,
    });
    sandbox.people().unban(child, sandbox.child_moderator(child), lifted, None).unwrap();
    let effects = sandbox.effects_in(child).len();
    let plan = compare(&test, main, child, false).await;
    assert_eq!(counts(&plan), [(Difference::Gone, 1), (Difference::Overridden, 1)]);
    assert_eq!(sandbox.effects_in(child).len(), effects);
    compare(&test, main, child, true).await;
    assert!(sandbox.is_banned(child, gone));
    assert!(!sandbox.is_banned(child, lifted), "standard respects the guild's own staff");
    sandbox.clear(deaf);
    let now = compare(&test, main, child, false).await;
    assert_eq!(counts(&now), [(Difference::LeftOut, 1), (Difference::InOrder, 1)]);

    // A level that does not give way has it done again.
    let strict = move |change: &Change<'_>| Ok(change.set_security_level(guild(main), SecurityLevel::High)?);
    test.systems.services.store().write(strict).await.unwrap();
    sandbox.inject(Fault::Events {
        name: None,
        guild: Some(child),
        times: None,
        fate: wayhaven_sandbox::EventFate::Drop,
    });
    sandbox.people().unban(child, sandbox.child_moderator(child), gone, None).unwrap();
    let done = compare(&test, main, child, true).await;
    assert_eq!(done.count(Difference::Overridden), 1);
    assert!(sandbox.is_banned(child, gone));
}

#[tokio::test]
async fn where_nobody_can_tell_who_took_it_back_only_a_person_has_it_done_again() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    sandbox.people().set_bot_permissions(child, permissions::BAN_MEMBERS).unwrap();
    sandbox.people().had_lifted(child, victim).unwrap();
    assert_eq!(counts(&compare(&test, main, child, false).await), [(Difference::Unclear, 1)]);

    // By itself it leaves that alone.
    test.systems
        .services
        .store()
        .write(move |change| Ok(change.reconcile_soon(guild(child))?))
        .await
        .unwrap();
    test.until("compared by itself", move |view| {
        let jobs = view.jobs(Some(guild(child)), false, 10).unwrap();
        jobs.iter().any(|job| job.asked_by == "wayhaven" && job.state == JobState::Done)
    })
    .await;
    assert!(!sandbox.is_banned(child, victim));
    compare(&test, main, child, true).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_undo_that_a_gate_kept_back_is_made_good() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    test.link(&sandbox, Mode::Monitor).await;
    test.unban(main, victim).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim), "a monitor link lets nothing through");
    test.link(&sandbox, Mode::Active).await;
    let plan = compare(&test, main, child, false).await;
    assert_eq!(plan.count(Difference::Surplus), 1, "{plan:?}");
    assert!(sandbox.is_banned(child, victim));
    compare(&test, main, child, true).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn whoever_is_banned_by_decision_and_joins_is_banned_at_the_door() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    decided(&test, main, &[victim]).await;
    test.link(&sandbox, Mode::Active).await;
    sandbox.people().join(child, victim).unwrap();
    sandbox.wait_until(|sandbox| sandbox.is_banned(child, victim), crate::testing::PATIENCE).await.unwrap();
}

#[tokio::test]
async fn long_lists_are_read_page_by_page_and_nothing_is_asked_twice() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let mut users: Vec<u64> = (0..40).map(|_| sandbox.stranger()).collect();
    users.sort_unstable();
    decided(&test, main, &users).await;
    for _ in 0..2_500 {
        sandbox.people().had_banned(child, sandbox.stranger(), None).unwrap();
    }
    test.link(&sandbox, Mode::Active).await;
    let found = compare(&test, main, child, true).await;
    assert_eq!(counts(&found), [(Difference::Missing, 40), (Difference::Theirs, 2_500)]);
    assert_eq!(sandbox.effects_in(child).len(), 40);
    assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
}
