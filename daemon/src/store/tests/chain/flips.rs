//! Whatever byte of the audit is flipped, `audit verify` finds it.

use super::{chained, row, shell};
use crate::clock::{Clock, Skew};
use crate::store::{ChainWalk, Store, View, Walked};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fs;
use std::path::Path;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::value::Timestamp;

/// What a verification comes to: how many rows hold, and whether all do.
fn walked(connection: &Connection, page: u16) -> (u64, bool) {
    let view = View { connection, now: Timestamp::from_millis(0), skew: Skew::default() };
    let mut walk = ChainWalk::default();
    loop {
        match view.walk_audit(&mut walk, page).unwrap() {
            Walked::On => {}
            Walked::End => return (walk.rows, true),
            Walked::Broken(amiss) => {
                assert_eq!(amiss.row, walk.rows + 1, "{amiss:?}");
                return (walk.rows, false);
            }
        }
    }
}

/// As [`walked`], and the same however many rows are read at once.
fn verified(connection: &Connection) -> (u64, bool) {
    let found = walked(connection, 100);
    for page in [1, 2, 3, 4, 5] {
        assert_eq!(walked(connection, page), found, "{page} rows at once");
    }
    found
}

/// Somebody with other tools, whom neither triggers nor checks stop.
fn burglar(store: &Store) -> Connection {
    let shell = shell(store);
    shell.pragma_update(None, "foreign_keys", false).unwrap();
    shell.pragma_update(None, "ignore_check_constraints", true).unwrap();
    let drop = "DROP TRIGGER command_audit_is_not_changed; DROP TRIGGER command_audit_is_not_deleted;";
    shell.execute_batch(drop).unwrap();
    shell
}

/// The value with one bit flipped, in each way there is.
fn flips(value: &Value) -> Vec<Value> {
    let bytes = |bytes: &[u8], make: fn(Vec<u8>) -> Value| -> Vec<Value> {
        let flip = |at: usize, bit: u8| {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << bit;
            make(flipped)
        };
        (0..bytes.len()).flat_map(|at| [0, 3, 7].map(|bit| flip(at, bit))).collect()
    };
    match value {
        Value::Integer(number) => (0..63).map(|bit| Value::Integer(number ^ (1 << bit))).collect(),
        // As a blob, so that it may be no UTF-8 any more; the column takes it as text.
        Value::Text(text) => bytes(text.as_bytes(), Value::Blob),
        Value::Blob(blob) => bytes(blob, Value::Blob),
        Value::Null => vec![Value::Integer(0), Value::Blob(b"x".to_vec())],
        Value::Real(_) => unreachable!("no column holds one"),
    }
}

#[tokio::test]
async fn any_flipped_bit_of_any_column_is_found() {
    let (store, _home) = chained().await;
    let shell = burglar(&store);
    let mut tried = 0;
    for (table, key, columns) in [
        (
            "command_audit",
            "id = 3",
            "id created_at kind intent_id command_name command_type surface guild_id channel_id result_status
             fault_kind execution_time_us commitments hash",
        ),
        ("command_audit_personal", "audit_id = 3 AND field = 'actor'", "audit_id field value salt"),
    ] {
        for column in columns.split_whitespace() {
            let read = format!("SELECT {column} FROM {table} WHERE {key}");
            let value: Value = shell.query_row(&read, [], |row| row.get(0)).unwrap();
            let kept = matches!(value, Value::Text(_));
            for flipped in flips(&value) {
                let cast = if kept { "CAST(?1 AS TEXT)" } else { "?1" };
                let change = format!("UPDATE {table} SET {column} = {cast} WHERE {key}");
                shell.execute_batch("SAVEPOINT before").unwrap();
                // A number that is another row's, or of another type than the column, is no change at all.
                let done = shell.execute(&change, [&flipped]);
                if done.is_ok() {
                    shell.execute_batch("RELEASE before").unwrap();
                    tried += 1;
                    assert!(!walked(&shell, 100).1, "{table}.{column}: {value:?} → {flipped:?}");
                    restore(&shell, table, column, key, &value, &flipped);
                } else {
                    shell.execute_batch("ROLLBACK TO before; RELEASE before").unwrap();
                }
            }
            assert!(walked(&shell, 100).1, "{column} is as it was");
        }
    }
    assert!(tried > 700, "{tried}");
}

/// Puts a value back where it was; the row may have another key by now.
fn restore(shell: &Connection, table: &str, column: &str, key: &str, value: &Value, flipped: &Value) {
    let of_key = matches!((table, column), ("command_audit", "id") | (_, "audit_id" | "field"));
    let place = match (of_key, column) {
        (false, _) => key.to_owned(),
        (true, "id") => "id = ?2".to_owned(),
        (true, "audit_id") => "audit_id = ?2 AND field = 'actor'".to_owned(),
        (true, _) => "audit_id = 3 AND field = CAST(?2 AS TEXT)".to_owned(),
    };
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {place} AND ?2 IS ?2");
    assert_eq!(shell.execute(&sql, [value, flipped]).unwrap(), 1, "{table}.{column}");
}

/// Every byte of the row as it lies in the file: its cell ends with its hash, and begins where the cell of the row after it
/// ends, since a page is filled from its end.
#[tokio::test]
async fn any_flipped_byte_of_a_row_in_the_file_is_found() {
    let (store, home) = chained().await;
    let hash = |id: u32| -> Vec<u8> {
        let sql = format!("SELECT hash FROM command_audit WHERE id = {id}");
        shell(&store).query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let (of_three, of_four) = (hash(3), hash(4));
    // Everything into the one file.
    shell(&store).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let path = home.path().join("wayhaven.db");
    let bytes = fs::read(&path).unwrap();
    let end = |hash: &[u8]| bytes.windows(32).position(|window| window == hash).unwrap() + 32;
    let (begins, ends) = (end(&of_four), end(&of_three));
    assert!((200..400).contains(&(ends - begins)), "a cell of {} bytes", ends - begins);
    drop(store);

    let mut quiet = Vec::new();
    for at in begins..ends {
        for bit in [0, 6] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            if !found(&home.path().join("flipped.db"), &flipped) {
                quiet.push((at - begins, bit));
            }
        }
    }
    assert!(quiet.is_empty(), "flipped and not found, of {} bytes: {quiet:?}", ends - begins);
}

/// Whether a verification of a store with these bytes finds something, or cannot even read it.
fn found(path: &Path, bytes: &[u8]) -> bool {
    fs::write(path, bytes).unwrap();
    let connection = Connection::open(path).unwrap();
    let view = View { connection: &connection, now: Timestamp::from_millis(0), skew: Skew::default() };
    let mut walk = ChainWalk::default();
    let holds = matches!(view.walk_audit(&mut walk, 100), Ok(Walked::End)) && walk.erased == 0;
    !(holds && matches!(view.audit_pages(), Ok(None)))
}

#[tokio::test]
async fn rows_that_are_missing_added_or_moved_are_found_wherever_a_page_ends() {
    let forgeries = [
        ("DELETE FROM command_audit WHERE id = 1", (0, false)),
        ("DELETE FROM command_audit WHERE id = 2", (1, false)),
        ("DELETE FROM command_audit WHERE id IN (1, 2, 3)", (0, false)),
        ("DELETE FROM command_audit WHERE id IN (2, 3)", (1, false)),
        ("UPDATE command_audit SET id = 9 WHERE id = 4", (3, false)),
        ("UPDATE command_audit SET id = -4 WHERE id = 4", (0, false)),
        ("UPDATE command_audit SET id = 0 WHERE id = 4", (0, false)),
        ("UPDATE command_audit_personal SET audit_id = 9 WHERE audit_id = 4", (4, false)),
        (
            "UPDATE command_audit_personal SET value = 'somebody else' WHERE audit_id = 2 AND field = 'target'",
            (1, false),
        ),
        ("INSERT INTO command_audit_personal VALUES (2, 'message', 'x', zeroblob(16))", (1, false)),
        // The tail alone: the chain that is left holds, and only the mark tells.
        (
            "DELETE FROM command_audit_personal WHERE audit_id = 4; DELETE FROM command_audit WHERE id = 4",
            (3, true),
        ),
        // What is erased.
        ("DELETE FROM command_audit_personal", (4, true)),
    ];
    for (sql, expected) in forgeries {
        let (store, _home) = chained().await;
        let shell = burglar(&store);
        shell.execute_batch(sql).unwrap();
        assert_eq!(verified(&shell), expected, "{sql}");
    }
    let (store, _home) = super::open();
    assert_eq!(verified(&shell(&store)), (0, true), "an empty one holds");
    store.write(|change| Ok(change.audit(&row(Some(AuditResult::Success)))?)).await.unwrap();
    assert_eq!(verified(&shell(&store)), (1, true));
}

#[tokio::test]
async fn an_index_that_hides_a_row_from_a_search_is_found() {
    let (store, home) = chained().await;
    let shell = burglar(&store);
    // The index is another one, which knows of nobody.
    shell
        .execute_batch(
            "CREATE INDEX empty ON command_audit_personal (field, value, audit_id) WHERE field = 'x'",
        )
        .unwrap();
    shell.pragma_update(None, "writable_schema", true).unwrap();
    let hide = "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'empty')
         WHERE name = 'command_audit_people'";
    assert_eq!(shell.execute(hide, []).unwrap(), 1);
    shell.execute("DELETE FROM sqlite_schema WHERE name = 'empty'", []).unwrap();
    drop((shell, store));
    let store = Store::open(&home.path().join("wayhaven.db"), Clock::default()).unwrap();
    assert!(verified(&super::shell(&store)).1);
    assert!(store.read(|view| Ok(view.audit_pages()?)).await.unwrap().is_some());
}
