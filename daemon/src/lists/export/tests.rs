//! Lists that Discord takes its time for: waited for, joined, cancelled, cut off.

use super::*;
use crate::testing::{PATIENCE, TestDaemon, asked, home, sandbox};
use serde_json::json;
use wayhaven_sandbox::{At, Fault as Trouble, FaultId, Sandbox};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operations::job::{JobCancel, JobState};
use wayhaven_shared::operations::sync::SyncExport;
use wayhaven_shared::value::JobId;

const BANS: &str = "/guilds/{guild_id}/bans";

/// So many bans of the main's own, which Discord does not show until the trouble is cleared.
fn slow(sandbox: &Sandbox, bans: u64) -> FaultId {
    let main = sandbox.main_guild();
    sandbox.change(|world| {
        let listed = &mut world.guilds.get_mut(&main).unwrap().bans;
        listed.extend((0..bans).map(|number| (700_000_000_000_000_000 + number, None)));
    });
    sandbox.inject(Trouble::Hang { at: At::route("GET", BANS).guild(main) })
}

fn of_discord(format: ListFormat) -> SyncExport {
    SyncExport { format: Some(format), source: Some(ListSource::Discord), output: None }
}

async fn over(test: &TestDaemon, id: JobId) -> Job {
    test.until("the export is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    test.read(move |view| view.job(id).unwrap().unwrap()).await
}

#[tokio::test]
async fn a_list_that_discord_takes_long_to_show_is_a_job_and_whoever_asks_again_joins_it() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let hang = slow(&sandbox, 2_300);
    let ask = || asked(&test, main, of_discord(ListFormat::Csv), false);
    // Two at the same moment, who both find nothing that goes on.
    let (first, again) = tokio::join!(ask(), ask());
    let (first, again) = (first.unwrap(), again.unwrap());
    assert_eq!((first.state, first.kind), (JobState::Running, JobKind::Export));
    assert_eq!(again.id, first.id);
    let other = asked(&test, main, of_discord(ListFormat::Json), false).await.unwrap_err();
    assert_eq!(other.kind, FaultKind::Conflict);
    assert!(other.hints.iter().any(|hint| hint.contains("job cancel")), "{other:?}");
    sandbox.clear(hang);
    let job = over(&test, first.id).await;
    let Some(JobResult::Exported(exported)) = job.result else { panic!("{job:?}") };
    assert_eq!((exported.bans, job.state), (2_300, JobState::Done));
    let list = exported.file.unwrap();
    // Each of the two who wait for it brings it, and then nobody does.
    for _ in 0..2 {
        let whole = test.systems.uploads.part(list, 0).unwrap().chunk;
        assert_eq!(whole.bytes().len() as u64, exported.bytes);
        assert!(test.systems.uploads.part(list, exported.bytes).unwrap().chunk.bytes().is_empty());
    }
    assert_eq!(test.systems.uploads.part(list, 0).unwrap_err().kind, FaultKind::NotFound);
}

#[tokio::test]
async fn what_is_cancelled_or_cut_off_leaves_no_list() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start_with(&sandbox, |_| {}).await;
    let main = sandbox.main_guild();
    let hang = slow(&sandbox, 10);
    let job = asked(&test, main, of_discord(ListFormat::Csv), false).await.unwrap();
    asked(&test, main, JobCancel { id: job.id }, false).await.unwrap();
    assert_eq!(over(&test, job.id).await.state, JobState::Cancelled);
    let uploads = test.systems.uploads.clone();
    test.until("its file is gone", move |_| uploads.count() == 0).await;

    let cut_off = asked(&test, main, of_discord(ListFormat::Csv), false).await.unwrap();
    let home = test.home();
    drop(test);
    sandbox.clear(hang);
    let test = TestDaemon::start_at(&sandbox, home).await;
    let job = over(&test, cut_off.id).await;
    assert_eq!(job.state, JobState::Interrupted);
    let verdict = wayhaven_shared::operation::Reported::verdict(&job).unwrap();
    assert!(verdict.message.contains("ask for it again"), "{verdict:?}");
    assert_eq!(test.systems.uploads.count(), 0);
}

/// A plan of an export counts, and writes nothing.
#[tokio::test]
async fn a_plan_counts_and_keeps_no_list() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start_at(&sandbox, std::sync::Arc::new(home())).await;
    test.until_ready().await;
    let hang = slow(&sandbox, 1_001);
    sandbox.clear(hang);
    let job = asked(&test, sandbox.main_guild(), of_discord(ListFormat::Json), true).await.unwrap();
    let job = over(&test, job.id).await;
    let Some(JobResult::Exported(exported)) = job.result else { panic!("{job:?}") };
    assert_eq!((exported.bans, exported.file, exported.dry_run), (1_001, None, true));
    let uploads = test.systems.uploads.clone();
    test.until("its file is gone", move |_| uploads.count() == 0).await;
}

#[tokio::test]
async fn on_discord_the_answer_follows_with_its_file() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let hang = slow(&sandbox, 4);
    let asked_for = json!({ "source": "discord" });
    let id = people.slash(main, sandbox.admin(), "sync export", asked_for).unwrap();
    let latest = || people.replies(id).pop().unwrap_or_default();
    let shows =
        |words: &'static str| sandbox.wait_until(move |_| latest().to_string().contains(words), PATIENCE);
    shows("export of guild").await.unwrap();
    sandbox.clear(hang);
    shows("a list of 4 bans").await.unwrap();
    let answer = latest();
    assert_eq!(answer["attachments"][0]["filename"], format!("bans-{main}.csv"));
    let uploads = test.systems.uploads.clone();
    test.until("nothing of it is left here", move |_| uploads.count() == 0).await;
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}
