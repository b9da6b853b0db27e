//! The log shrinks again, and nobody reads for ever.

use super::*;
use std::time::Duration;

/// Bytes in the log's file.
fn log_bytes(store: &Store) -> u64 {
    std::fs::metadata(store.path().with_extension("db-wal")).map_or(0, |file| file.len())
}

/// Fills the log beyond the size that it keeps.
async fn fill(store: &Store) {
    let sql =
        "CREATE TABLE IF NOT EXISTS filling (data BLOB); INSERT INTO filling VALUES (randomblob(8000000))";
    while log_bytes(store) <= LOG_BYTES.unsigned_abs() {
        store.write(move |change| Ok(change.raw(sql)?)).await.unwrap();
    }
}

#[tokio::test]
async fn the_log_shrinks_by_itself_after_a_long_reader() {
    let (store, _home) = network().await;
    let reader = shell(&store);
    reader.execute_batch("BEGIN; SELECT count(*) FROM deliveries").unwrap();
    fill(&store).await;
    store.shrink_log().await.unwrap();
    assert!(log_bytes(&store) > LOG_BYTES.unsigned_abs(), "somebody reads what is in it");
    reader.execute_batch("COMMIT").unwrap();
    // One commit carries it over, and a later one begins it anew.
    let mut commits = 0;
    while log_bytes(&store) > LOG_BYTES.unsigned_abs() {
        commits += 1;
        assert!(commits < 10, "it stays at {} bytes", log_bytes(&store));
        store.write(move |change| Ok(change.set_meta("log", &commits.to_string())?)).await.unwrap();
    }
}

#[tokio::test]
async fn the_log_shrinks_after_a_long_reader_while_nothing_is_written() {
    let (store, _home) = network().await;
    let reader = shell(&store);
    reader.execute_batch("BEGIN; SELECT count(*) FROM deliveries").unwrap();
    fill(&store).await;
    reader.execute_batch("COMMIT").unwrap();
    store.shrink_log().await.unwrap();
    assert_eq!(log_bytes(&store), 0);
    // What it held is in the store.
    assert!(store.read(|view| Ok(view.topology()?.is_main(guild(1)))).await.unwrap());
}

#[tokio::test]
async fn fault_45_a_reading_without_an_end_is_ended_and_the_next_one_goes_on() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("wayhaven.db");
    let store = Store::open_with(&path, Clock::default(), Duration::from_millis(50)).unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    // One statement, and one that swallows its failure and asks again.
    let one = store.read(move |view| Ok(view.number(endless)?)).await.unwrap_err();
    assert!(one.message.contains("took too long"), "{one}");
    let stubborn = store.read(move |view| {
        let _ = view.number(endless);
        Ok(view.number(endless)?)
    });
    assert!(stubborn.await.unwrap_err().message.contains("took too long"));
    assert_eq!(store.read(|view| Ok(view.number("SELECT 1")?)).await.unwrap(), 1);
}
