//! Opening, the schema, the writer's groups, and the readers beside it.

use super::{ban, guild, open, shell, user};
use crate::clock::Clock;
use crate::network::authorise;
use crate::store::{Store, StoreError};
use crate::testing;
use rusqlite::Connection;
use std::sync::mpsc;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::{Fault, FaultKind};

/// Holds the writer, so that whatever is submitted meanwhile becomes one group.
async fn hold(store: &Store) -> mpsc::Sender<()> {
    let (go_on, wait) = mpsc::channel();
    let (begun, running) = tokio::sync::oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        store
            .write(move |_| {
                let _ = begun.send(());
                let _ = wait.recv();
                Ok(())
            })
            .await
    });
    running.await.unwrap();
    go_on
}

#[tokio::test]
async fn one_failing_and_one_panicking_change_take_back_only_their_own() {
    let (store, _home) = open();
    let go_on = hold(&store).await;
    let outcomes = (0..4u64).map(|at| {
        store.write(move |change| {
            change.make_main(guild(100 + at))?;
            match at {
                1 => Err(Fault::usage("no")),
                2 => panic!("a defect"),
                _ => Ok(at),
            }
        })
    });
    let together = futures::future::join_all(outcomes);
    let release = async {
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
    };
    let (outcomes, ()) = tokio::join!(together, release);
    let kinds: Vec<_> = outcomes.iter().map(|one| one.as_ref().map_err(|fault| fault.kind)).collect();
    assert_eq!(kinds, [Ok(&0), Err(FaultKind::Usage), Err(FaultKind::Internal), Ok(&3)]);
    let mut mains: Vec<_> = store.topology().mains().collect();
    mains.sort();
    assert_eq!(mains, [guild(100), guild(103)], "what is published is what was committed");
    let stored: i64 =
        shell(&store).query_row("SELECT count(*) FROM guild_settings", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 2);
}

#[tokio::test]
async fn a_caller_is_answered_after_the_commit_and_after_what_it_changed_is_published() {
    let (store, _home) = open();
    let mut sequence = store.sequence();
    let before = *sequence.borrow_and_update();
    store.write(|change| Ok(change.make_main(guild(1))?)).await.unwrap();
    assert!(store.topology().is_main(guild(1)));
    assert!(*sequence.borrow_and_update() > before);
    let elsewhere: i64 =
        shell(&store).query_row("SELECT is_main FROM guild_settings", [], |row| row.get(0)).unwrap();
    assert_eq!(elsewhere, 1, "another process sees it");
    store.write(|change| Ok(change.activate_link(guild(1), guild(2), Mode::Active)?)).await.unwrap();
    assert!(store.topology().link(guild(1), guild(2)).is_some());
    let told = store.read(move |view| Ok(view.events_after(before, 10)?)).await.unwrap();
    let sequences: Vec<_> = told.0.iter().map(|event| event.sequence).collect();
    assert_eq!((sequences, told.1), (vec![before + 1, before + 2], false));
    assert_eq!(*sequence.borrow(), before + 2);
}

#[tokio::test]
async fn a_transaction_that_ended_early_commits_nothing_of_its_group() {
    let (store, _home) = open();
    let go_on = hold(&store).await;
    // As SQLite itself does when the disk is full or fails.
    let broken = store.write(|change| {
        change.make_main(guild(1))?;
        change.connection().execute_batch("ROLLBACK").map_err(StoreError::from)?;
        Err::<(), _>(Fault::unavailable("the disk is full"))
    });
    let behind = store.write(|change| Ok(change.make_main(guild(2))?));
    let release = async {
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
    };
    let (broken, behind, ()) = tokio::join!(broken, behind, release);
    assert!(broken.is_err());
    let behind = behind.unwrap_err();
    assert_eq!(behind.kind, FaultKind::Unavailable, "{behind}");
    let stored: i64 =
        shell(&store).query_row("SELECT count(*) FROM guild_settings", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 0, "whoever was told that it failed finds nothing of it");
    assert_eq!(store.topology().mains().count(), 0);
    store.write(|change| Ok(change.make_main(guild(3))?)).await.unwrap();
}

#[tokio::test]
async fn fault_22_a_full_disk_refuses_changes_with_a_way_out_and_reading_goes_on() {
    let (store, _home) = open();
    store.write(|change| Ok(change.make_main(guild(1))?)).await.unwrap();
    store
        .write(|change| {
            let pages: i64 = change
                .connection()
                .pragma_query_value(None, "page_count", |row| row.get(0))
                .map_err(StoreError::from)?;
            let sql = format!("PRAGMA max_page_count = {pages}");
            let set = change.connection().query_row(&sql, [], |row| row.get::<_, i64>(0));
            Ok(set.map(drop).map_err(StoreError::from)?)
        })
        .await
        .unwrap();
    let big = "x".repeat(100_000);
    let fault = store.write(move |change| Ok(change.set_meta("big", &big)?)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.message.contains("disk is full") && !fault.hints.is_empty(), "{fault}");
    let main = store.read(|view| Ok(view.guild(guild(1))?)).await.unwrap().unwrap();
    assert!(main.is_main);
    assert!(store.read(|view| Ok(view.meta("big")?)).await.unwrap().is_none());
}

#[tokio::test]
async fn fault_23_a_store_that_another_process_holds_is_a_fault_that_says_so() {
    let (store, _home) = open();
    let other = shell(&store);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = store.write(|change| Ok(change.make_main(guild(1))?)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.message.contains("another process") && !fault.hints.is_empty(), "{fault}");
    other.execute_batch("ROLLBACK").unwrap();
    store.write(|change| Ok(change.make_main(guild(1))?)).await.unwrap();
}

#[tokio::test]
async fn a_reader_whose_caller_went_away_takes_no_connection_along() {
    let (store, _home) = open();
    let (go_on, wait) = mpsc::channel::<()>();
    let (begun, running) = tokio::sync::oneshot::channel();
    let reader = store.clone();
    let task = tokio::spawn(async move {
        reader
            .read(move |_| {
                let _ = begun.send(());
                let _ = wait.recv();
                Ok(())
            })
            .await
    });
    running.await.unwrap();
    task.abort();
    assert!(task.await.is_err());
    let readings = futures::future::join_all((0..8).map(|_| store.read(|view| Ok(view.meta("epoch")?))));
    let release = async {
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
    };
    let (readings, ()) = tokio::join!(readings, release);
    assert!(readings.iter().all(Result::is_ok), "{readings:?}");
}

#[test]
fn fault_40_a_newer_store_and_somebody_elses_file_are_refused() {
    let home = testing::home();
    let path = home.path().join("wayhaven.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    drop(runtime.block_on(async { Store::open(&path, Clock::default()).unwrap() }));
    let shell = Connection::open(&path).unwrap();
    let version: u32 = shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert!(version > 0);
    shell.pragma_update(None, "user_version", version + 1).unwrap();
    let refused = Store::open(&path, Clock::default()).err();
    let newer = |found, known| (found, known) == (version + 1, version);
    assert!(
        matches!(refused, Some(StoreError::Newer { found, known }) if newer(found, known)),
        "{refused:?}"
    );

    let foreign = home.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    let refused = Store::open(&foreign, Clock::default()).err();
    assert!(matches!(refused, Some(StoreError::Foreign)), "{refused:?}");
    let none = home.path().join("text.db");
    std::fs::write(&none, "no database at all, but long enough to be read as the header of one").unwrap();
    assert!(Store::open(&none, Clock::default()).is_err());
}

#[tokio::test]
async fn fault_40_a_store_of_the_first_version_is_migrated_with_what_is_in_it() {
    let home = testing::home();
    let path = home.path().join("wayhaven.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../migrations/0001-foundation.sql")).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 0x57415948; PRAGMA user_version = 1;
         INSERT INTO guild_settings (guild_id, is_main, updated_at) VALUES (1, 1, 5), (2, 0, 5);
         INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, created_at, updated_at)
            VALUES (1, 2, 'active', 5, 5);
         INSERT INTO punishments (source_guild, target_user, action, origin, created_at) VALUES (1, 7, 'ban', 'guild', 5);
         INSERT INTO deliveries (punishment_id, guild_id, scope, link_id, action, target_user, state, created_at, updated_at)
            VALUES (1, 2, 'child', 1, 'ban', 7, 'pending', 5, 5);",
    )
    .unwrap();
    drop(old);
    let store = Store::open(&path, Clock::default()).unwrap();
    let topology = store.topology();
    let link = topology.link(guild(1), guild(2)).unwrap();
    assert_eq!(link.state, crate::network::LinkState::Active, "who agreed once need not agree again");
    assert!(topology.freeze(guild(1)).is_none());
    let open = store.read(|view| Ok(view.open_deliveries()?)).await.unwrap();
    assert_eq!(open.iter().map(|one| (one.guild, one.user)).collect::<Vec<_>>(), [(guild(2), user(7))]);
    assert!(authorise(&topology, guild(1), guild(2), open[0].action).is_ok());
}

#[tokio::test]
async fn a_store_opened_again_goes_on_with_its_epoch_its_links_and_its_sequence() {
    let (store, home) = open();
    store
        .write(|change| {
            change.make_main(guild(1))?;
            change.activate_link(guild(1), guild(2), Mode::Monitor)?;
            change.insert_punishment(&ban(1, 7))?;
            Ok(())
        })
        .await
        .unwrap();
    let again = Store::open(&home.path().join("wayhaven.db"), Clock::default()).unwrap();
    assert_eq!(again.epoch(), store.epoch());
    assert_eq!(*again.sequence().borrow(), *store.sequence().borrow());
    assert_eq!(again.topology().link(guild(1), guild(2)), store.topology().link(guild(1), guild(2)));
    let last = again
        .read(|view| Ok(view.last_decision(guild(1), user(7), Action::Ban)?.map(|(last, _)| last)))
        .await
        .unwrap();
    assert_eq!(last, Some(wayhaven_shared::operations::punishment::Action::Ban));
}
