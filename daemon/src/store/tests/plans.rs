//! How SQLite goes about what is asked of two million deliveries, and a million rows of the audit.

use super::{guild, open, user};
use crate::store::audit::{AuditFilter, AuditFrom};
use crate::store::deliveries::suspects;
use rusqlite::params_from_iter;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::value::Timestamp;

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

#[tokio::test]
async fn an_index_leads_to_people_a_guild_and_failures_of_the_audit() {
    let (store, _home) = open();
    let any = AuditFilter::default;
    let wanted = [
        (
            AuditFilter { target: Some(user(1)), ..any() },
            "command_audit_people (field=? AND value=? AND audit_id",
        ),
        (
            AuditFilter { actor: Some("1".into()), ..any() },
            "command_audit_people (field=? AND value=? AND audit_id",
        ),
        (
            AuditFilter {
                target: Some(user(1)),
                guild: Some(guild(1)),
                result: Some(AuditResult::Denied),
                ..any()
            },
            "command_audit_people (field=? AND value=? AND audit_id",
        ),
        (AuditFilter { guild: Some(guild(1)), ..any() }, "command_audit_guild (guild_id=? AND id"),
        (
            AuditFilter { guild: Some(guild(1)), since: Some(Timestamp::from_millis(1)), ..any() },
            "command_audit_guild (guild_id=? AND id",
        ),
        (
            AuditFilter { result: Some(AuditResult::Interrupted), ..any() },
            "command_audit_failures (result_status=? AND id",
        ),
        (
            AuditFilter { result: Some(AuditResult::Success), ..any() },
            "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        ),
        (any(), "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ];
    let plans = store.read(move |view| {
        let mut plans = Vec::new();
        for (filter, index) in wanted {
            for from in [AuditFrom::Below(100), AuditFrom::Above(0)] {
                let (sql, values) = view.audit_query(&filter, from, 25)?;
                let mut statement = view.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let lines =
                    statement.query_map(params_from_iter(values), |row| row.get::<_, String>("detail"));
                plans.push((index, lines.unwrap().collect::<Result<Vec<_>, _>>().unwrap()));
            }
        }
        Ok(plans)
    });
    for (index, plan) in plans.await.unwrap() {
        // What leads stands first; and it has the rows in order, so that a page is read and no more.
        assert!(plan[0].contains(index), "{index}: {plan:#?}");
        assert!(
            !plan.iter().any(|line| line.contains("TEMP B-TREE") || line.starts_with("SCAN")),
            "{plan:#?}"
        );
    }
}
