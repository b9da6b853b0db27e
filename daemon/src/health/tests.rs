//! Each part's state is a row while it lasts.

use super::*;
use crate::clock::Clock;
use crate::store::Severity;
use crate::store::tests::shell;
use crate::systems::Pauses;
use crate::testing::{PAUSES, TestDaemon, home, sandbox};
use std::sync::Arc;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::operations::status::{Component, Connection};

async fn parts(test: &TestDaemon) -> Vec<Component> {
    test.read(|view| view.components().unwrap()).await
}

async fn until(test: &TestDaemon, name: &'static str, health: Health) -> Component {
    test.until("a part stands so", move |view| {
        view.components().unwrap().iter().any(|one| one.name == name && one.health == health)
    })
    .await;
    parts(test).await.into_iter().find(|one| one.name == name).unwrap()
}

/// A daemon that looks at each part every few milliseconds.
async fn watched(sandbox: &Sandbox, away: Duration) -> TestDaemon {
    let pauses = Pauses { health: Duration::from_millis(5), away, ..PAUSES };
    let test = TestDaemon::start_paced(sandbox, Arc::new(home()), (Clock::default(), pauses), |_| {}).await;
    test.until_ready().await;
    test
}

#[tokio::test]
async fn a_state_is_noted_when_it_begins_and_when_it_ends_and_not_in_between() {
    let sandbox = sandbox(0).await;
    let test = watched(&sandbox, MAX_AWAY).await;
    until(&test, "discord", Health::Healthy).await;
    let names: Vec<_> = parts(&test).await.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["audit", "deliveries", "discord", "disk", "log"]);
    let rows = |test: &TestDaemon| -> i64 {
        let shell = shell(test.systems.services.store());
        shell.query_row("SELECT count(*) FROM system_health", [], |row| row.get(0)).unwrap()
    };
    let before = rows(&test);

    let stopped =
        Connection { state: ConnectionState::Stopped, reason: Some("the token was refused".into()) };
    test.systems.services.gateway().note(stopped);
    test.look().await;
    let discord = until(&test, "discord", Health::Error).await;
    assert_eq!(discord.details.unwrap().raw(), "the token was refused");
    let work = |change: &crate::store::Change<'_>| {
        Ok(change.alert("audit_cut", Severity::Critical, None, None, "rows are gone")?)
    };
    test.systems.services.store().write(work).await.unwrap();
    until(&test, "audit", Health::SecurityBreach).await;
    test.systems.services.lifecycle().stop();
    test.systems.services.lifecycle().close();
    test.systems.runner.ended().await;
    let shell = shell(test.systems.services.store());
    assert_eq!(rows(&test), before + 2, "two of them have changed");
    let over: String = shell
        .query_row(
            "SELECT status FROM system_health WHERE component = 'discord' AND resolved_at IS NOT NULL
             ORDER BY rowid DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(over, "healthy");
}

#[test]
fn a_disk_that_fills_is_told_before_writes_fail() {
    assert_eq!(judge(u64::MAX).0, Health::Healthy);
    assert_eq!(judge(ROOM.0), (Health::Healthy, None));
    assert_eq!(judge(ROOM.0 - 1).0, Health::Warning);
    assert_eq!(judge(ROOM.1 - 1).0, Health::Error);
    assert!(judge(0).1.unwrap().contains("64 MiB"));
}

#[tokio::test]
async fn a_connection_that_is_down_for_long_is_an_error_until_it_is_back() {
    let away = Connection { state: ConnectionState::Connecting, reason: Some("it is tried again".into()) };
    for (max_away, health) in [(MAX_AWAY, Health::Warning), (Duration::ZERO, Health::Error)] {
        let sandbox = sandbox(0).await;
        let test = watched(&sandbox, max_away).await;
        until(&test, "discord", Health::Healthy).await;
        test.systems.services.gateway().note(away.clone());
        test.look().await;
        let discord = until(&test, "discord", health).await;
        assert_eq!(discord.details.unwrap().raw(), "it is tried again");
        test.systems.services.gateway().note(Connection { state: ConnectionState::Ready, reason: None });
        test.look().await;
        until(&test, "discord", Health::Healthy).await;
    }
}
