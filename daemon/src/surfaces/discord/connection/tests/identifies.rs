//! Identifies are counted and come to an end, and serenity turns in no circles (FAULTS 13).

use crate::clock::Clock;
use crate::store::Store;
use crate::testing::{self, PATIENCE, TestDaemon, sandbox};
use std::sync::Arc;
use tempfile::TempDir;
use wayhaven_sandbox::{Discord, Fault, Options, Sandbox, Trouble};
use wayhaven_shared::operations::status::{Connection, ConnectionState};
use wayhaven_shared::paths::{Environment, Layout};

fn strike(sandbox: &Sandbox, trouble: Trouble) {
    sandbox.inject(Fault::Gateway { trouble });
}

/// A home whose store has the shard identify so often, so many seconds ago and by another process.
async fn identified_before(times: u32, seconds: i64) -> Arc<TempDir> {
    let home = Arc::new(testing::home());
    let layout = Layout::new(&Environment { home: Some(home.path().into()), runtime: None }).unwrap();
    std::fs::create_dir_all(&layout.data).unwrap();
    let clock = Clock::default();
    clock.shift(-1_000 * seconds);
    let store = Store::open(&layout.store(), clock).unwrap();
    let note = move |change: &crate::store::Change<'_>| {
        for _ in 0..times {
            change.note_identify(0)?;
        }
        Ok(())
    };
    store.write(note).await.unwrap();
    home
}

async fn waits(test: &TestDaemon) -> Connection {
    let systems = Arc::clone(&test.systems);
    test.until("the wait", move |_| {
        let connection = systems.services.gateway().connection();
        connection.reason.is_some_and(|reason| reason.contains("waits until"))
    })
    .await;
    test.systems.services.gateway().connection()
}

async fn identified(sandbox: &Sandbox, times: usize) {
    sandbox.wait_until(|discord: &Discord| discord.identifies() >= times, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn fault_13_a_loop_of_invalid_sessions_ends_at_the_budget_and_goes_on_when_it_allows() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_at(&sandbox, identified_before(28, 30).await).await;
    for times in [1, 2] {
        identified(&sandbox, times).await;
        test.until_ready().await;
        strike(&sandbox, Trouble::InvalidSession(false));
    }
    let connection = waits(&test).await;
    assert_eq!(connection.state, ConnectionState::Connecting);
    assert!(connection.reason.unwrap().contains("30 identifies in ten minutes"));
    assert_eq!(sandbox.identifies(), 2, "those of another process count");
    assert!(test.alerts().await.contains(&"identify_budget_spent".to_owned()));

    test.systems.services.clock().shift(600_000);
    test.until_ready().await;
    assert_eq!(sandbox.identifies(), 3);
}

#[tokio::test]
async fn fault_13_what_discord_leaves_of_its_own_limit_is_kept() {
    let options = Options { children: 1, global_limit: 0, session_starts: 100, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let changes = wayhaven_sandbox::Changes { session_starts: Some(0), ..Default::default() };
    sandbox.reconfigure(changes).unwrap();
    let test = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    assert!(waits(&test).await.reason.unwrap().contains("Discord leaves 0 of"));
    assert_eq!(sandbox.identifies(), 0, "one more would have reset the token");
}

#[tokio::test]
async fn fault_13_many_identifies_in_a_day_are_told() {
    let sandbox = sandbox(1).await;
    let home = identified_before(49, 700).await;
    // Long enough ago for the shard's own ten minutes, and not for the day.
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.systems.services.clock().shift(600_000);
    test.until_ready().await;
    assert!(test.alerts().await.contains(&"identifies_high".to_owned()));
}

#[tokio::test]
async fn fault_13_a_close_that_serenity_turns_in_circles_over_is_one_identify() {
    // Its heartbeat, which ends the circles at last, is 41 s away, and longer than this test waits.
    for trouble in [Trouble::CloseWithoutCode, Trouble::Close(4003)] {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        strike(&sandbox, trouble);
        identified(&sandbox, 2).await;
        let victim = sandbox.stranger();
        sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), victim, None).unwrap();
        test.punishment(victim, 1).await;
        test.until_ready().await;
        assert_eq!(sandbox.identifies(), 2);
    }
}

#[tokio::test]
async fn fault_13_a_shard_of_too_many_guilds_is_given_up_with_a_reason() {
    // The main makes it one more than a shard may have (4011).
    let options = Options { children: 2_500, members: 0, global_limit: 0, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    let systems = Arc::clone(&test.systems);
    test.until("the end", move |_| systems.services.gateway().connection().state == ConnectionState::Stopped)
        .await;
    assert!(test.systems.services.gateway().connection().reason.unwrap().contains("4011"));
    let tries = test
        .systems
        .services
        .store()
        .write(|change| Ok(change.identified(0, 1, 1)?.day.len()))
        .await
        .unwrap();
    assert_eq!(tries, 2);
}
