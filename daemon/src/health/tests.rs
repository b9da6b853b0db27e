//! Each part's state is a row while it lasts.

use super::*;
use crate::store::Severity;
use crate::store::tests::shell;
use crate::testing::{TestDaemon, sandbox};
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

#[tokio::test]
async fn a_state_is_noted_when_it_begins_and_when_it_ends_and_not_in_between() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let keeping = tokio::spawn(keep(Arc::clone(&test.daemon), Duration::from_millis(5), MAX_AWAY));
    until(&test, "discord", Health::Healthy).await;
    let names: Vec<_> = parts(&test).await.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["audit", "deliveries", "discord", "disk", "log"]);

    let stopped =
        Connection { state: ConnectionState::Stopped, reason: Some("the token was refused".into()) };
    test.daemon.set_connection(stopped);
    test.look().await;
    let discord = until(&test, "discord", Health::Error).await;
    assert_eq!(discord.details.unwrap().raw(), "the token was refused");
    let work = |change: &crate::store::Change<'_>| {
        Ok(change.alert("audit_cut", Severity::Critical, None, None, "rows are gone")?)
    };
    test.daemon.store().write(work).await.unwrap();
    until(&test, "audit", Health::SecurityBreach).await;
    test.daemon.stop();
    keeping.await.unwrap();
    let shell = shell(test.daemon.store());
    let rows: i64 = shell.query_row("SELECT count(*) FROM system_health", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 7, "five parts, two of which have changed");
    let over: String = shell
        .query_row(
            "SELECT status FROM system_health WHERE component = 'discord' AND resolved_at IS NOT NULL",
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
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let away = Connection { state: ConnectionState::Connecting, reason: Some("it is tried again".into()) };
    let pause = Duration::from_millis(5);
    for (max_away, health) in [(MAX_AWAY, Health::Warning), (Duration::ZERO, Health::Error)] {
        let keeping = tokio::spawn(keep(Arc::clone(&test.daemon), pause, max_away));
        until(&test, "discord", Health::Healthy).await;
        test.daemon.set_connection(away.clone());
        test.look().await;
        let discord = until(&test, "discord", health).await;
        assert_eq!(discord.details.unwrap().raw(), "it is tried again");
        test.daemon.set_connection(Connection { state: ConnectionState::Ready, reason: None });
        test.look().await;
        until(&test, "discord", Health::Healthy).await;
        keeping.abort();
    }
}
