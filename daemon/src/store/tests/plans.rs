//! How SQLite goes about what is asked of two million deliveries.

use super::open;
use crate::store::deliveries::suspects;

#[tokio::test]
async fn a_start_looks_at_what_is_open_or_closing_and_not_at_every_delivery() {
    let (store, _home) = open();
    let plans = store.read(|view| {
        let mut plans = Vec::new();
        for sql in suspects() {
            let mut statement = view.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let lines = statement.query_map([], |row| row.get::<_, String>("detail")).unwrap();
            plans.push(lines.collect::<Result<Vec<_>, _>>().unwrap());
        }
        Ok(plans)
    });
    for plan in plans.await.unwrap() {
        let whole = |line: &&String| {
            line.starts_with("SCAN") && !line.contains("deliveries_open") && !line.contains("CONSTANT")
        };
        let scans: Vec<_> =
            plan.iter().filter(whole).filter(|line| !line.contains("guild_relationships")).collect();
        assert!(scans.is_empty(), "{plan:#?}");
    }
}
