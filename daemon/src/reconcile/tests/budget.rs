//! What a guild takes of bans of non-members in a day.

use super::backfill::accepted;
use super::{decided, until_over, until_waits};
use crate::testing::{TestDaemon, guild, sandbox};
use std::sync::Arc;
use wayhaven_sandbox::{Changes, Options, Sandbox};
use wayhaven_shared::operations::job::JobState;
use wayhaven_shared::operations::punishment::DeliveryState;

/// With a budget that a test can spend.
async fn with_budget(sandbox: &Sandbox, home: Arc<tempfile::TempDir>, bans: u64) -> TestDaemon {
    let set = |settings: &mut crate::settings::Settings| settings.network.nonmember_bans_per_day = bans;
    let test = TestDaemon::start_in(sandbox, home, set).await;
    test.until_ready().await;
    test
}

#[tokio::test]
async fn a_day_takes_its_budget_members_cost_nothing_and_the_next_day_goes_on() {
    let sandbox = sandbox(1).await;
    let home = Arc::new(crate::testing::home());
    let test = with_budget(&sandbox, Arc::clone(&home), 10).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..24).map(|_| sandbox.stranger()).collect();
    let members = &users[21..];
    members.iter().for_each(|one| sandbox.people().had_joined(child, *one).unwrap());
    decided(&test, main, &users).await;
    let job = accepted(&test, &sandbox).await;
    until_waits(&test, job, "were sent within a day").await;
    let told = test.read(move |view| view.job(job).unwrap().unwrap()).await;
    assert_eq!((told.done, told.total), (13, Some(24)), "whoever looks meanwhile sees how far it is");
    test.settled().await;
    let banned = || users.iter().filter(|one| sandbox.is_banned(child, **one)).count();
    assert_eq!(banned(), 13, "ten of a day, and three members");
    assert!(members.iter().all(|one| sandbox.is_banned(child, *one)));
    // One who waits joins: they are banned at the door, and cost nothing.
    sandbox.people().join(child, users[15]).unwrap();
    sandbox
        .wait_until(|sandbox| sandbox.is_banned(child, users[15]), crate::testing::PATIENCE)
        .await
        .unwrap();
    // What was spent is known after a restart.
    drop(test);
    let test = with_budget(&sandbox, home, 10).await;
    until_waits(&test, job, "were sent within a day").await;
    test.look().await;
    test.settled().await;
    assert_eq!(banned(), 14);
    test.advance(&sandbox, "24h1s").await;
    let over = until_over(&test, job).await;
    assert_eq!((over.state, over.done, banned()), (JobState::Done, 24, 24), "{over:?}");
}

#[tokio::test]
async fn fault_11_a_backfill_meets_the_end_of_discords_own_budget_and_goes_on_in_order_after_it() {
    let options = Options { children: 2, non_member_bans: 4, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = with_budget(&sandbox, Arc::new(crate::testing::home()), 900).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    test.link(&sandbox, wayhaven_shared::operations::setup::Mode::Active).await;
    let users: Vec<u64> = (0..12).map(|_| sandbox.stranger()).collect();
    let close = move |change: &crate::store::Change<'_>| {
        let link = change.link(guild(main), guild(other))?.unwrap();
        Ok(change.close_link(link.id, guild(main), guild(other)).map(drop)?)
    };
    test.propose(main, child).await;
    test.systems.services.store().write(close).await.unwrap();
    decided(&test, main, &users).await;
    test.link(&sandbox, wayhaven_shared::operations::setup::Mode::Active).await;
    let job = accepted(&test, &sandbox).await;
    until_waits(&test, job, "takes no more bans of non-members").await;
    test.settled().await;
    let banned = || users.iter().copied().filter(|one| sandbox.is_banned(child, *one)).collect::<Vec<_>>();
    assert_eq!(banned(), users[..4], "as many as it takes, in order");
    // The other guild is none of it, and who is a member is banned all the same.
    let (elsewhere, member) = (sandbox.stranger(), sandbox.members(child)[0]);
    let live = test.ban(main, elsewhere).await;
    test.until("banned elsewhere", move |view| {
        let of = view.deliveries_of(live).unwrap();
        of.iter().any(|one| one.guild_id == guild(other) && one.state == DeliveryState::Applied)
    })
    .await;
    let live = test.ban(main, member).await;
    test.until_counted(live, DeliveryState::Applied, 2).await;
    assert!(test.read(move |view| view.job(job).unwrap().unwrap()).await.is_running());
    // The budget is back, and somebody does not wait for the hour's probe.
    sandbox.reconfigure(Changes { non_member_bans: Some(1_000), ..Changes::default() }).unwrap();
    let open = test.read(|view| view.open_deliveries().unwrap()).await;
    assert_eq!(open.iter().filter(|one| one.guild == guild(child)).count(), 9);
    test.systems.engine.retry(open.into_iter().map(|one| (one.guild, one.id)));
    assert_eq!(until_over(&test, job).await.state, JobState::Done);
    assert_eq!(banned(), users);
    let tried: Vec<u64> = sandbox.effects_in(child).into_iter().filter_map(|effect| effect.user).collect();
    assert_eq!(tried[tried.len() - 8..], users[4..], "in order");
}
