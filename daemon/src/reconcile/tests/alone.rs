//! What begins by itself: one guild's trouble is no other's, and nothing that is due is forgotten.

use super::*;
use crate::jobs::{Running, Stop};
use crate::reconcile::{Cursor, Resolve, new_job};
use crate::store::View;
use crate::testing::by_operator;
use serde_json::Value;
use wayhaven_sandbox::At;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::job::{JobCancel, JobKind};
use wayhaven_shared::value::GuildId;

const BANS: &str = "/guilds/{guild_id}/bans";

async fn for_ever(running: Running, _: Value) -> Result<JobResult, Stop> {
    running.unless_cancelled(std::future::pending()).await
}

/// Keeps the daemon from comparing anything by itself: it is busy with that guild.
async fn busy(test: &TestDaemon, with: u64) -> Job {
    let cursor = Cursor::new(Resolve::ByItself, None);
    let new = new_job(JobKind::Reconcile, guild(with), "wayhaven".into(), &cursor);
    test.systems.jobs.begin(new, for_ever).await.unwrap()
}

async fn soon(test: &TestDaemon, of: u64) {
    test.systems.services.store().write(move |change| Ok(change.reconcile_soon(guild(of))?)).await.unwrap();
}

async fn is_due(test: &TestDaemon, of: u64) -> bool {
    test.read(move |view| view.reconciled().unwrap())
        .await
        .into_iter()
        .any(|(guild, _, due)| guild == GuildId::new(of).unwrap() && due)
}

/// How often the guild's ban list was asked for.
fn asks(discord: &wayhaven_sandbox::Discord, of: u64) -> usize {
    discord.log().iter().filter(|one| one.route == BANS && one.guild == Some(of)).count()
}

/// Waits until the daemon has compared the guild by itself, so many times.
async fn by_itself(test: &TestDaemon, of: u64, times: usize) {
    test.until(&format!("guild {of} compared by itself"), move |view| {
        let jobs = view.jobs(Some(guild(of)), false, 50).unwrap();
        jobs.iter().filter(|job| job.asked_by == "wayhaven" && job.state == JobState::Done).count() == times
    })
    .await;
}

fn list_of(of: u64) -> At {
    At::route("GET", BANS).guild(of)
}

#[tokio::test]
async fn a_plan_and_a_comparison_with_one_main_leave_due_what_is_due() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let second = sandbox.children()[2];
    let two_mains = move |change: &Change<'_>| {
        let link = change.link(guild(main), guild(second))?.unwrap();
        change.close_link(link.id, guild(main), guild(second))?;
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(child), Mode::Active).map(drop)?)
    };
    test.systems.services.store().write(two_mains).await.unwrap();
    let busy = busy(&test, other).await;
    soon(&test, child).await;
    compare(&test, main, child, false).await;
    assert!(is_due(&test, child).await, "a plan makes nothing good");
    compare(&test, main, child, true).await;
    assert!(is_due(&test, child).await, "other mains' decisions were not looked at");
    let cancel = JobCancel { id: busy.id }.into();
    test.ask(by_operator(Role::Owner, None, cancel)).await.unwrap();
    by_itself(&test, child, 1).await;
    assert!(!is_due(&test, child).await);
}

#[tokio::test]
async fn what_becomes_due_while_the_guild_is_compared_is_looked_at_afterwards() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let hang = sandbox.inject(Fault::Hang { at: list_of(child) });
    soon(&test, child).await;
    sandbox.wait_until(|sandbox| asks(sandbox, child) == 1, crate::testing::PATIENCE).await.unwrap();
    soon(&test, child).await;
    sandbox.clear(hang);
    by_itself(&test, child, 2).await;
}

#[tokio::test]
async fn what_waits_for_hours_in_one_guild_holds_up_no_other() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (first, second) = (sandbox.children()[0], sandbox.children()[1]);
    let at = list_of(second);
    sandbox.inject(Fault::Answer { at, status: 400, code: 30_037, message: String::new() });
    soon(&test, second).await;
    test.until("it waits", move |view| {
        view.jobs(Some(guild(second)), true, 10).unwrap().iter().any(|job| job.note.is_some())
    })
    .await;
    soon(&test, first).await;
    by_itself(&test, first, 1).await;
}

#[tokio::test]
async fn what_a_restart_has_left_in_a_guild_without_the_bot_holds_up_no_other() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (first, second) = (sandbox.children()[0], sandbox.children()[1]);
    sandbox.people().remove_bot(second).unwrap();
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the bot is gone", move |_| {
        systems.services.directory().presence(guild(second))
            == Some(crate::discord::directory::Presence::Absent)
    })
    .await;
    let left =
        new_job(JobKind::Reconcile, guild(second), "wayhaven".into(), &Cursor::new(Resolve::ByItself, None));
    test.systems.services.store().write(move |change| Ok(change.begin_job(&left)?)).await.unwrap();
    soon(&test, first).await;
    by_itself(&test, first, 1).await;
}

#[tokio::test]
async fn what_somebody_has_ended_or_what_failed_is_not_begun_anew_at_once() {
    for cancelled in [true, false] {
        let sandbox = sandbox(2).await;
        let test = TestDaemon::start(&sandbox).await;
        let (first, second) = (sandbox.children()[0], sandbox.children()[1]);
        // It stumbles until the one who began it does not wait for its end any more.
        let failing =
            |status, code| Fault::Answer { at: list_of(second), status, code, message: String::new() };
        let stumbling = sandbox.inject(failing(500, 0));
        soon(&test, second).await;
        let waits = move |view: &View<'_>| {
            let jobs = view.jobs(Some(guild(second)), true, 10).unwrap();
            jobs.first().filter(|job| job.note.is_some()).map(|job| job.id)
        };
        test.until("it goes on", move |view| waits(view).is_some()).await;
        let id = test.read(move |view| waits(view).unwrap()).await;
        if cancelled {
            test.ask(by_operator(Role::Owner, None, JobCancel { id }.into())).await.unwrap();
        } else {
            sandbox.inject(failing(403, 50_013));
            sandbox.clear(stumbling);
        }
        test.until("its end", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
        soon(&test, first).await;
        by_itself(&test, first, 1).await;
        let begun = test.read(move |view| view.jobs(Some(guild(second)), false, 10).unwrap().len()).await;
        assert_eq!(begun, 1, "cancelled: {cancelled}");
        assert!(cancelled || is_due(&test, second).await, "it is tried again later");
    }
}
