//! Backfills: what begins them, what they deliver, and what they leave alone.

use super::{compare, compared_by_itself, decided, unlinked, until_over};
use crate::store::{Change, NewProtection, NewPunishment};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, asked, guild, sandbox, user};
use wayhaven_sandbox::{Options, RouteWindow, Sandbox};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::job::{JobCancel, JobKind, JobState};
use wayhaven_shared::operations::protect::Protected;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::reconcile::Difference;
use wayhaven_shared::operations::setup::{
    LinkChanged, Mode, SetupAccept, SetupActions, SetupDashboard, SetupMode, SetupRemoveChild,
};
use wayhaven_shared::value::{JobId, Timestamp};

pub(super) async fn accept(test: &TestDaemon, main: u64, child: u64, dry_run: bool) -> LinkChanged {
    let operation = SetupAccept { main: guild(main), no_backfill: false };
    asked(test, child, operation, dry_run).await.unwrap()
}

/// The job that the child's acceptance begins.
pub(super) async fn accepted(test: &TestDaemon, sandbox: &Sandbox) -> JobId {
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.propose(main, child).await;
    accept(test, main, child, false).await.backfill.unwrap().job.unwrap()
}

#[tokio::test]
async fn a_child_that_accepts_gets_what_stands_and_the_reply_names_the_job() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..5).map(|_| sandbox.stranger()).collect();
    decided(&test, main, &users).await;
    test.propose(main, child).await;
    let plan = accept(&test, main, child, true).await;
    assert_eq!((plan.backfill.as_ref().unwrap().to_deliver, plan.jobs()), (5, Vec::new()));
    assert!(format!("{:?}", plan.report()).contains("up to 5 decided before would be delivered"));
    assert!(test.read(|view| view.jobs(None, false, 10).unwrap()).await.is_empty());

    let done = accept(&test, main, child, false).await;
    let job = done.backfill.as_ref().unwrap().job.unwrap();
    assert_eq!(done.jobs(), [job], "whoever waits, waits for it");
    let job = until_over(&test, job).await;
    assert_eq!((job.kind, job.state, job.done, job.total), (JobKind::Backfill, JobState::Done, 5, Some(5)));
    assert_eq!((job.guild_id, job.main_guild_id), (Some(guild(child)), Some(guild(main))));
    assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
    assert_eq!(sandbox.effects_in(child).len(), 5);
    // It carries all of it now: nothing begins once more.
    let again = SetupMode { child: guild(child), mode: Mode::Active, no_backfill: false };
    assert_eq!(asked(&test, main, again, false).await.unwrap().backfill, None);
}

#[tokio::test]
async fn what_a_link_was_opened_without_stays_out_until_somebody_wants_it() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (old, joins, new) = (sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    decided(&test, main, &[old, joins]).await;
    test.propose(main, child).await;
    let operation = SetupAccept { main: guild(main), no_backfill: true };
    let done = asked(&test, child, operation, false).await.unwrap();
    let backfill = done.backfill.clone().unwrap();
    assert_eq!((backfill.job, backfill.to_deliver, backfill.left_out), (None, 2, true));
    test.ban(main, new).await;
    sandbox.people().join(child, joins).unwrap();
    compared_by_itself(&test, child).await;
    assert!(sandbox.is_banned(child, new), "what is decided from now on is delivered");
    assert!(!sandbox.is_banned(child, old) && !sandbox.is_banned(child, joins));
    // What was delivered along it is kept up.
    sandbox.people().had_lifted(child, new).unwrap();
    compared_by_itself(&test, child).await;
    assert!(sandbox.is_banned(child, new));
    assert_eq!(compare(&test, main, child, false).await.count(Difference::Missing), 2, "a plan shows it");
    compare(&test, main, child, true).await;
    assert!(sandbox.is_banned(child, old) && sandbox.is_banned(child, joins));
    let link = test.systems.services.store().topology();
    assert_eq!(link.link(guild(main), guild(child)).unwrap().begins_after, 0);
}

#[tokio::test]
async fn a_link_that_only_recorded_makes_good_what_was_decided_and_taken_back_meanwhile() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (lifted, banned) = (sandbox.stranger(), sandbox.stranger());
    let ban = test.ban(main, lifted).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    test.link(&sandbox, Mode::Monitor).await;
    test.unban(main, lifted).await;
    test.ban(main, banned).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, lifted) && !sandbox.is_banned(child, banned));
    let active = SetupMode { child: guild(child), mode: Mode::Active, no_backfill: false };
    let plan = asked(&test, main, active.clone(), true).await.unwrap().backfill.unwrap();
    assert_eq!((plan.to_deliver, plan.to_lift), (1, 1));
    let job = asked(&test, main, active, false).await.unwrap().backfill.unwrap().job.unwrap();
    assert_eq!(until_over(&test, job).await.state, JobState::Done);
    assert!(!sandbox.is_banned(child, lifted) && sandbox.is_banned(child, banned));
}

#[tokio::test]
async fn a_measure_that_is_allowed_anew_is_delivered() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let member = sandbox.stranger();
    sandbox.people().had_joined(child, member).unwrap();
    let only = |words: &str| SetupActions {
        child: guild(child),
        actions: words.parse().unwrap(),
        no_backfill: false,
    };
    assert_eq!(asked(&test, main, only("ban"), false).await.unwrap().backfill, None, "nothing is opened");
    let ends = Timestamp::from_millis(test.systems.services.clock().now().millis() + 3_600_000);
    let decide = move |change: &Change<'_>| {
        let mut new = NewPunishment::new(guild(main), user(member), Action::Timeout, Origin::Guild);
        new.expires_at = Some(ends);
        Ok(record(change, &new, AtOrigin::Done)?.punishment.id)
    };
    test.systems.services.store().write(decide).await.unwrap();
    let job = asked(&test, main, only("ban,timeout"), false).await.unwrap().backfill.unwrap().job.unwrap();
    let job = until_over(&test, job).await;
    assert_eq!((job.state, job.done), (JobState::Done, 1), "{job:?}");
    assert!(sandbox.member(child, member)["communication_disabled_until"].is_string());
}

#[tokio::test]
async fn members_go_first_and_another_mains_backfill_waits_for_its_turn() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let mut users: Vec<u64> = (0..60).map(|_| sandbox.stranger()).collect();
    // Of the highest ids, so that the order of ids is not what puts them first.
    let members = users[57..].to_vec();
    members.iter().for_each(|one| sandbox.people().had_joined(child, *one).unwrap());
    decided(&test, main, &users).await;
    let of_other = sandbox.stranger();
    let make = move |change: &Change<'_>| Ok(change.make_main(guild(other)).map(drop)?);
    test.systems.services.store().write(make).await.unwrap();
    decided(&test, other, &[of_other]).await;
    test.propose(main, child).await;
    test.propose(other, child).await;
    let one = accept(&test, main, child, false).await.backfill.unwrap().job.unwrap();
    let two = accept(&test, other, child, false).await.backfill.unwrap().job.unwrap();
    assert_ne!(one, two, "neither is lost");
    let one = until_over(&test, one).await;
    assert_eq!((one.state, one.done, one.total), (JobState::Done, 60, Some(60)));
    assert_eq!(until_over(&test, two).await.state, JobState::Done);
    let order: Vec<u64> = sandbox.effects_in(child).into_iter().filter_map(|effect| effect.user).collect();
    assert_eq!(order[..3], members[..], "who is there goes first");
    users.push(of_other);
    assert!(users.iter().all(|one| sandbox.is_banned(child, *one)));
    assert_eq!(order.len(), 61, "nobody twice");
}

#[tokio::test]
async fn a_backfill_ends_with_its_link_and_leaves_nothing_running() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    test.systems.reload.put({
        let mut settings = (*test.systems.services.settings()).clone();
        settings.network.nonmember_bans_per_day = 2;
        settings
    });
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..6).map(|_| sandbox.stranger()).collect();
    decided(&test, main, &users).await;
    let job = accepted(&test, &sandbox).await;
    let waits = super::until_waits(&test, job, "were sent within a day").await;
    assert_eq!(waits.state, JobState::Running);
    let seen = asked(&test, main, SetupDashboard {}, false).await.unwrap();
    let shown = seen.networks[0].children[0].job.clone().unwrap();
    assert_eq!((shown.id, shown.total), (job, Some(6)));
    assert!(format!("{:?}", seen.report()).contains("were sent within a day"));
    let leaving = SetupRemoveChild::new(guild(child));
    asked(&test, main, leaving, false).await.unwrap();
    // It learns of it when its budget has room, at the latest.
    test.advance(&sandbox, "25h").await;
    let over = until_over(&test, job).await;
    assert_eq!(over.state, JobState::Cancelled, "{over:?}");
    assert_eq!(sandbox.effects_in(child).len(), 2);
}

#[tokio::test]
async fn what_a_cancelled_backfill_has_done_stays() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    test.systems.reload.put({
        let mut settings = (*test.systems.services.settings()).clone();
        settings.network.nonmember_bans_per_day = 3;
        settings
    });
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..6).map(|_| sandbox.stranger()).collect();
    decided(&test, main, &users).await;
    let job = accepted(&test, &sandbox).await;
    super::until_waits(&test, job, "were sent within a day").await;
    asked(&test, main, JobCancel { id: job }, false).await.unwrap();
    assert_eq!(until_over(&test, job).await.state, JobState::Cancelled);
    test.advance(&sandbox, "25h").await;
    test.settled().await;
    assert_eq!(users.iter().filter(|user| sandbox.is_banned(child, **user)).count(), 3);
}

#[tokio::test]
async fn a_ban_list_that_opens_page_by_page_is_waited_for() {
    let window = |seconds| vec![RouteWindow { bucket: "bans".into(), guild: None, limit: 1, seconds }];
    let options = Options { children: 1, windows: window(1), ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    // They lie between the guild's own bans, page by page.
    let mut users = Vec::new();
    for _ in 0..3 {
        (0..900).for_each(|_| sandbox.people().had_banned(child, sandbox.stranger(), None).unwrap());
        users.push(sandbox.stranger());
        sandbox.people().had_joined(child, users[users.len() - 1]).unwrap();
    }
    decided(&test, main, &users).await;
    let job = accepted(&test, &sandbox).await;
    let job = until_over(&test, job).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    assert!(users.iter().all(|one| sandbox.is_banned(child, *one)));
    let pages = sandbox.log().into_iter().filter(|one| one.route == "/guilds/{guild_id}/bans");
    let pages: Vec<u16> = pages.map(|page| page.status).collect();
    assert!(pages.len() >= 4 && pages.iter().all(|status| *status == 200), "{pages:?}");
}

/// A daemon whose death takes all that it had in memory, wherever it was.
struct Life {
    test: TestDaemon,
    runtime: tokio::runtime::Runtime,
}

impl Life {
    fn begin(sandbox: &Sandbox, home: &std::sync::Arc<tempfile::TempDir>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let test = runtime.block_on(TestDaemon::start_at(sandbox, std::sync::Arc::clone(home)));
        Self { test, runtime }
    }

    fn die(self) {
        let writer = self.test.systems.services.store().sequence();
        let systems = std::sync::Arc::clone(&self.test.systems);
        // Its end tells the daemon to stop, which is no kill: the tasks are gone before.
        self.runtime.shutdown_timeout(crate::testing::PATIENCE);
        drop((systems, self.test));
        while writer.has_changed().is_ok() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn kills_at_any_moment_lose_nothing_and_repeat_next_to_nothing() {
    let outside = tokio::runtime::Runtime::new().unwrap();
    let sandbox = outside.block_on(sandbox(1));
    let home = std::sync::Arc::new(crate::testing::home());
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..300).map(|_| sandbox.stranger()).collect();
    (0..40).for_each(|at| sandbox.people().had_joined(child, users[at * 7]).unwrap());
    let mut life = Life::begin(&sandbox, &home);
    let job = life.runtime.block_on(async {
        life.test.until_ready().await;
        decided(&life.test, main, &users).await;
        accepted(&life.test, &sandbox).await
    });
    // The first before anything has left, the others in the middle of it.
    let kills = [0, 3, 41, 97, 150, 222, 299];
    for after in kills {
        let there = |sandbox: &wayhaven_sandbox::Discord| sandbox.effects_in(child).len() >= after;
        outside.block_on(sandbox.wait_until(there, crate::testing::PATIENCE)).unwrap();
        life.die();
        life = Life::begin(&sandbox, &home);
    }
    let over = life.runtime.block_on(until_over(&life.test, job));
    assert_eq!((over.state, over.done), (JobState::Done, 300), "{over:?}");
    assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
    let bans =
        sandbox.log().into_iter().filter(|one| one.method == "PUT" && one.guild == Some(child)).count();
    // What had left when it was killed, or was not stored as done by then, leaves once more.
    assert!((300..=300 + 10 * kills.len()).contains(&bans), "{bans}");
    let again = life.runtime.block_on(compare(&life.test, main, child, false));
    assert_eq!(again.count(Difference::InOrder), 300);
    life.die();
}

#[tokio::test]
async fn what_a_main_protected_when_it_was_decided_comes_to_no_child_that_is_linked_later_or_anew() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (spared, banned) = (sandbox.stranger(), sandbox.stranger());
    let list = Protected::User(user(spared));
    let line = NewProtection { guild: guild(main), protected: list, note: None, by: None };
    test.systems.services.store().write(move |change| Ok(change.protect(&line)?)).await.unwrap();
    decided(&test, main, &[spared, banned]).await;
    let unprotect = move |change: &Change<'_>| Ok(change.unprotect(guild(main), list)?);
    assert!(test.systems.services.store().write(unprotect).await.unwrap());
    test.propose(main, child).await;
    let plan = accept(&test, main, child, true).await;
    assert_eq!(plan.backfill.unwrap().to_deliver, 1, "the plan counts only what comes");
    let job = accepted(&test, &sandbox).await;
    until_over(&test, job).await;
    assert!(sandbox.is_banned(child, banned) && !sandbox.is_banned(child, spared));
    // Once more, behind a link that was removed with what came along it.
    let leaving = SetupRemoveChild { undo: true, keep: false, child: guild(child), force: false };
    asked(&test, main, leaving, false).await.unwrap();
    test.until("a closed link", move |view| {
        view.link(guild(main), guild(child)).unwrap().unwrap().state == "closed"
    })
    .await;
    assert!(!sandbox.is_banned(child, banned));
    let job = accepted(&test, &sandbox).await;
    until_over(&test, job).await;
    assert!(sandbox.is_banned(child, banned) && !sandbox.is_banned(child, spared));
}

#[tokio::test]
async fn whom_a_child_protects_during_a_backfill_no_later_one_bans_there() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (spared, banned) = (sandbox.stranger(), sandbox.stranger());
    decided(&test, main, &[spared, banned]).await;
    let list = Protected::User(user(spared));
    let line = NewProtection { guild: guild(child), protected: list, note: None, by: None };
    test.systems.services.store().write(move |change| Ok(change.protect(&line)?)).await.unwrap();
    let job = accepted(&test, &sandbox).await;
    until_over(&test, job).await;
    let unprotect = move |change: &Change<'_>| Ok(change.unprotect(guild(child), list)?);
    assert!(test.systems.services.store().write(unprotect).await.unwrap());
    compared_by_itself(&test, child).await;
    let found = compare(&test, main, child, true).await;
    assert_eq!((found.count(Difference::Protected), found.count(Difference::InOrder)), (1, 1), "{found:?}");
    assert!(sandbox.is_banned(child, banned) && !sandbox.is_banned(child, spared));
}
