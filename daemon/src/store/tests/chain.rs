//! The audit chain, recomputed here by code that knows only the rows and the rule.

mod flips;

use super::{guild, open, shell};
use crate::store::{AuditRow, Personal, Store};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wayhaven_shared::operations::audit::AuditResult;

pub(super) fn row(result: Option<AuditResult>) -> AuditRow {
    AuditRow {
        intent: None,
        result,
        operation: "ban",
        family: "punishment",
        surface: "cli",
        guild: Some(guild(1)),
        channel: None,
        fault: None,
        micros: result.map(|_| 1_500),
        personal: Personal {
            actor: Some("42".into()),
            target: Some("7".into()),
            parameters: Some("{\"user\":\"7\"}".into()),
            message: None,
        },
    }
}

/// Up to which row the chain holds, and whether every personal field that is left fits its commitment.
fn verify(shell: &Connection) -> (u64, bool) {
    let mut statement = shell
        .prepare(
            "SELECT id, created_at, kind, intent_id, command_name, command_type, surface, guild_id, channel_id,
                    result_status, fault_kind, execution_time_us, commitments, hash FROM command_audit ORDER BY id",
        )
        .unwrap();
    let mut previous = vec![0_u8; 32];
    let mut holds = 0;
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let number = |at: usize| row.get::<_, Option<i64>>(at).unwrap();
        let text = |at: usize| row.get::<_, Option<String>>(at).unwrap();
        // Snowflakes stand in the canonical row as the strings they are in JSON everywhere.
        let id = |at: usize| number(at).map(|id| id.to_string());
        let canonical = json!([
            number(0),
            number(1),
            text(2),
            number(3),
            text(4),
            text(5),
            text(6),
            id(7),
            id(8),
            text(9),
            text(10),
            number(11),
            text(12)
        ]);
        let hash: Vec<u8> = row.get(13).unwrap();
        let expected = Sha256::digest([previous.as_slice(), canonical.to_string().as_bytes()].concat());
        if hash != expected.as_slice() || number(0) != Some(i64::try_from(holds).unwrap() + 1) {
            return (holds, false);
        }
        holds += 1;
        previous = hash;
    }
    let mut statement = shell
        .prepare(
            "SELECT p.field, p.value, p.salt, a.commitments FROM command_audit_personal p
             JOIN command_audit a ON a.id = p.audit_id",
        )
        .unwrap();
    let fits = |row: &rusqlite::Row<'_>| {
        let (field, value): (String, String) = (row.get(0)?, row.get(1)?);
        let salt: Vec<u8> = row.get(2)?;
        let commitments: Value = serde_json::from_str(&row.get::<_, String>(3)?).unwrap();
        let digest = Sha256::digest([&salt, field.as_bytes(), &[0], value.as_bytes()].concat());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(commitments[&field] == hex)
    };
    let fit = statement.query_map([], fits).unwrap().all(|fit| fit.unwrap());
    (holds, fit)
}

async fn chained() -> (Store, tempfile::TempDir) {
    let (store, home) = open();
    for result in [None, Some(AuditResult::Success), Some(AuditResult::Denied), Some(AuditResult::Error)] {
        store.write(move |change| Ok(change.audit(&row(result))?)).await.unwrap();
    }
    (store, home)
}

#[tokio::test]
async fn the_chain_follows_from_the_rows_alone() {
    let (store, _home) = chained().await;
    assert_eq!(verify(&shell(&store)), (4, true));
    let head = store.read(|view| Ok(view.chain_head()?)).await.unwrap();
    let last: Vec<u8> =
        shell(&store).query_row("SELECT hash FROM command_audit WHERE id = 4", [], |row| row.get(0)).unwrap();
    assert_eq!((head.rows, head.hash.as_slice()), (4, last.as_slice()));
}

#[tokio::test]
async fn a_change_that_fails_leaves_no_hole_in_the_chain() {
    let (store, _home) = chained().await;
    let failed = store.write(|change| {
        change.audit(&row(None))?;
        Err::<(), _>(wayhaven_shared::Fault::usage("no"))
    });
    assert!(failed.await.is_err());
    store.write(|change| Ok(change.audit(&row(None))?)).await.unwrap();
    assert_eq!(verify(&shell(&store)), (5, true));
}

#[tokio::test]
async fn erasing_what_identifies_somebody_keeps_the_chain() {
    let (store, _home) = chained().await;
    let shell = shell(&store);
    shell.execute("DELETE FROM command_audit_personal WHERE audit_id = 2 AND field = 'actor'", []).unwrap();
    assert_eq!(verify(&shell), (4, true));
    shell.execute("DELETE FROM command_audit_personal", []).unwrap();
    assert_eq!(verify(&shell), (4, true));
    store.write(|change| Ok(change.audit(&row(None))?)).await.unwrap();
    assert_eq!(verify(&shell), (5, true));
}

#[tokio::test]
async fn whatever_is_changed_behind_our_back_is_found() {
    let forgeries = [
        ("UPDATE command_audit SET command_name = 'unban' WHERE id = 3", 2),
        ("UPDATE command_audit SET result_status = 'success' WHERE id = 3", 2),
        ("UPDATE command_audit SET guild_id = 2 WHERE id = 2", 1),
        ("UPDATE command_audit SET hash = zeroblob(32) WHERE id = 4", 3),
        ("DELETE FROM command_audit WHERE id = 2", 1),
    ];
    for (sql, holds) in forgeries {
        let (store, _home) = chained().await;
        let shell = shell(&store);
        shell.pragma_update(None, "foreign_keys", false).unwrap();
        shell
            .execute_batch(
                "DROP TRIGGER command_audit_is_not_changed; DROP TRIGGER command_audit_is_not_deleted;",
            )
            .unwrap();
        shell.execute(sql, []).unwrap();
        assert_eq!(verify(&shell).0, holds, "{sql}");
    }
    let (store, _home) = chained().await;
    let shell = shell(&store);
    shell.execute("UPDATE command_audit_personal SET value = '43' WHERE field = 'actor'", []).unwrap();
    assert_eq!(verify(&shell), (4, false), "another name in an old row");
}

#[tokio::test]
async fn an_intent_without_an_outcome_gets_one_at_the_next_start_and_only_once() {
    let (store, home) = open();
    let answered = store.write(|change| Ok(change.audit(&row(None))?)).await.unwrap();
    let lost = store.write(|change| Ok(change.audit(&row(None))?)).await.unwrap();
    let outcome = AuditRow { intent: Some(answered), ..row(Some(AuditResult::Success)) };
    store.write(move |change| Ok(change.audit(&outcome)?)).await.unwrap();
    drop(store);
    let store = Store::open(&home.path().join("wayhaven.db"), crate::clock::Clock::default()).unwrap();
    assert_eq!(store.write(|change| Ok(change.audit_interrupted()?)).await.unwrap(), 1);
    assert_eq!(store.write(|change| Ok(change.audit_interrupted()?)).await.unwrap(), 0);
    let shell = shell(&store);
    let (intent, status): (u64, String) = shell
        .query_row("SELECT intent_id, result_status FROM command_audit WHERE id = 4", [], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
        })
        .unwrap();
    assert_eq!((intent, status.as_str()), (lost, "interrupted"));
    let who: String = shell
        .query_row(
            "SELECT value FROM command_audit_personal WHERE audit_id = 4 AND field = 'actor'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(who, "42", "whose it was is kept");
    assert_eq!(verify(&shell), (4, true));
}
