//! kill -9 in the middle of a backfill: it goes on where it was, whatever it had done by then.

use crate::setting::{Setting, guild, options};
use std::collections::HashMap;
use wayhaven_e2e::process::{PATIENCE, ask, watching};
use wayhaven_sandbox::{Discord, Options};
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::job::{JobKind, JobList, JobState};
use wayhaven_shared::operations::setup::{SetupAddChild, SetupRemoveChild};
use wayhaven_shared::value::UserId;

const BANS: usize = 60;

/// After how many bans in the child each life ends.
const KILLS: [usize; 4] = [1, 15, 30, 45];

/// What may be on its way to one guild at a kill: each user in it is tried once more.
const ON_ITS_WAY: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_goes_on_after_each_kill_and_repeats_only_what_was_on_its_way() {
    let mut setting = Setting::new(Options { global_limit: 0, ..options(1) }).await;
    let child = setting.sandbox.children()[0];
    let (main, id) = (setting.main, guild(child));
    let unlink = SetupRemoveChild { child: id, keep: true, undo: false, force: false };
    ask(&setting.client, main, unlink).await.unwrap();
    let whom: Vec<u64> = (0..BANS).map(|_| setting.sandbox.stranger()).collect();
    for user in &whom {
        ask(&setting.client, main, Ban::new(UserId::new(*user).unwrap())).await.unwrap();
    }
    assert_eq!(banned(&setting.sandbox, child, &whom), 0, "nothing goes where no link is");

    let add = SetupAddChild { child: id, mode: None, actions: None, no_backfill: false };
    ask(&setting.client, main, add).await.unwrap();
    for least in KILLS {
        let (victims, far) = (whom.clone(), least);
        let come = move |sandbox: &Discord| banned(sandbox, child, &victims) >= far;
        setting.sandbox.wait_until(come, PATIENCE).await.unwrap();
        setting.daemon.kill().unwrap();
        setting.restart().await;
    }
    let over = async |client: &Client| {
        let mut jobs = client.call(JobList { running: false, limit: None }).await?.jobs;
        jobs.retain(|job| job.kind == JobKind::Backfill);
        Ok(jobs.iter().all(|job| !job.is_running()).then_some(jobs))
    };
    let jobs = watching(&setting.client, over).await.unwrap();
    let [job] = jobs.as_slice() else { panic!("one, and the same after each kill: {jobs:?}") };
    assert_eq!((job.state, job.done), (JobState::Done, BANS as u64), "{job:?}");
    let victims = whom.clone();
    let all = move |sandbox: &Discord| banned(sandbox, child, &victims) == BANS;
    setting.sandbox.wait_until(all, PATIENCE).await.unwrap();

    let mut asked: HashMap<u64, usize> = HashMap::new();
    for user in setting.sandbox.effects_in(child).iter().flat_map(|effect| effect.users.clone()) {
        *asked.entry(user).or_default() += 1;
    }
    let again: usize = asked.values().map(|count| count - 1).sum();
    assert_eq!(asked.len(), BANS);
    assert!(again <= KILLS.len() * ON_ITS_WAY, "{again} asked for again");
}

fn banned(sandbox: &Discord, child: u64, whom: &[u64]) -> usize {
    whom.iter().filter(|user| sandbox.is_banned(child, **user)).count()
}
