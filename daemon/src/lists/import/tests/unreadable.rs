//! Discord's own ban list with an entry that names no user: it is skipped and counted, wherever the list is read.

use super::*;
use crate::reconcile::{self, Resolve};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::job::{Job, JobState};
use wayhaven_shared::operations::setup::SetupAccept;

/// Bans some of the guild's own, of which Discord does not name the one in the middle and the last.
fn nameless(sandbox: &Sandbox, of: u64) -> [u64; 5] {
    let mut users = [(); 5].map(|()| sandbox.stranger());
    users.sort_unstable();
    sandbox.change(|world| {
        let found = world.guilds.get_mut(&of).unwrap();
        found.bans.extend(users.map(|user| (user, None)));
        found.bans_without_user.extend([users[2], users[4]]);
    });
    users
}

async fn over(test: &TestDaemon, id: JobId) -> Job {
    test.until("the job is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    job
}

async fn alerts(test: &TestDaemon) -> usize {
    test.alerts().await.iter().filter(|kind| *kind == "ban_list_unreadable").count()
}

#[tokio::test]
async fn an_export_skips_and_counts_them() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    nameless(&sandbox, sandbox.main_guild());
    let (exported, text) = export(&test, sandbox.main_guild(), ListFormat::Csv, ListSource::Discord).await;
    assert_eq!((exported.bans, exported.unreadable, text.lines().count()), (3, 2, 4));
    assert!(format!("{:?}", exported.report()).contains("Skipped entries"));
    assert_eq!(alerts(&test).await, 1);
}

#[tokio::test]
async fn an_import_skips_and_counts_them() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let users = nameless(&sandbox, main);
    let last = sandbox.stranger();
    let list = format!("{}\n{}\n{}\n", users[0], users[3], last.max(users[4] + 1));
    let plan = import(&test, main, &list, true).await.unwrap();
    assert_eq!((plan.adopted, plan.unreadable, plan.count(Fate::New)), (2, 2, 3));
    assert_eq!(alerts(&test).await, 0, "a plan raises none");
    let done = import(&test, main, &list, false).await.unwrap();
    assert_eq!((done.adopted, done.unreadable), (2, 2));
    assert!(format!("{:?}", done.report()).contains("Skipped entries"));
    assert_eq!(alerts(&test).await, 1);
}

#[tokio::test]
async fn a_comparison_skips_and_counts_them() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.ban(main, sandbox.stranger()).await;
    test.settled().await;
    nameless(&sandbox, child);
    for (resolve, raised) in [(Resolve::Show, 0), (Resolve::All, 1)] {
        let cursor = reconcile::Cursor::new(resolve, Some(guild(main)));
        let job = test.systems.reconcile.begin(guild(child), "a test".into(), cursor).await.unwrap();
        let Some(JobResult::Reconciled(found)) = over(&test, job.id).await.result else { panic!() };
        assert_eq!(found.unreadable, 2, "{found:?}");
        assert!(format!("{:?}", found.report()).contains("Skipped entries"));
        assert_eq!(alerts(&test).await, raised);
    }
}

#[tokio::test]
async fn a_backfill_ends_and_counts_them() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.propose(main, child).await;
    test.ban(main, sandbox.stranger()).await;
    test.settled().await;
    nameless(&sandbox, child);
    let accept = SetupAccept { main: guild(main), no_backfill: false };
    let accepted = asked(&test, child, accept, false).await.unwrap();
    let job = accepted.backfill.unwrap().job.unwrap();
    let Some(JobResult::Reconciled(found)) = over(&test, job).await.result else { panic!() };
    assert_eq!(found.unreadable, 2, "{found:?}");
    assert_eq!(alerts(&test).await, 1);
}
