//! Whether the chain holds: every row is read as it lies in the file, and hashed again.
//!
//! Nothing of a row is believed to be of the shape that we write: whoever changes a store with other tools is not bound to
//! it. What cannot be read is a row that does not hold, and no fault of the reading.

use super::{Canonical, commitment};
use crate::store::{StoreError, View};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Rows};
use std::collections::BTreeMap;
use wayhaven_shared::operations::audit::Amiss;
use wayhaven_shared::value::ChainMark;

/// How far a walk along the chain has come.
#[derive(Clone, Debug, Default)]
pub struct ChainWalk {
    /// How many rows hold.
    pub rows: u64,
    /// The hash of the last of them; zeros before the first.
    pub hash: [u8; 32],
    /// How many fields beside the chain were erased.
    pub erased: u64,
}

/// What a part of a walk came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked {
    /// There is more.
    On,
    /// All rows hold.
    End,
    /// One does not.
    Broken(Amiss),
}

/// Why a row does not hold, in words.
type Odd = &'static str;

const UNREADABLE: Odd = "it cannot be read";

fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<Option<&'r str>, Odd> {
    match row.get_ref(at) {
        Ok(ValueRef::Null) => Ok(None),
        Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).map(Some).map_err(|_| UNREADABLE),
        _ => Err(UNREADABLE),
    }
}

fn number(row: &Row<'_>, at: usize) -> Result<Option<i64>, Odd> {
    match row.get_ref(at) {
        Ok(ValueRef::Null) => Ok(None),
        Ok(ValueRef::Integer(number)) => Ok(Some(number)),
        _ => Err(UNREADABLE),
    }
}

fn there<T>(value: Option<T>) -> Result<T, Odd> {
    value.ok_or(UNREADABLE)
}

/// What lies beside the chain, row by row.
struct Beside<'r> {
    rows: Rows<'r>,
    /// The next one, where it was read already.
    next: Option<Field>,
    over: bool,
}

struct Field {
    row: i64,
    name: Vec<u8>,
    value: Vec<u8>,
    salt: Vec<u8>,
}

impl Beside<'_> {
    /// The fields of a row. What names a row before it belongs to none that is there.
    fn of(&mut self, id: i64) -> Result<Result<Vec<Field>, Odd>, StoreError> {
        let mut fields = Vec::new();
        loop {
            if self.next.is_none() && !self.over {
                self.next = self.rows.next()?.map(field).transpose()?;
                self.over = self.next.is_none();
            }
            match self.next.take() {
                None => return Ok(Ok(fields)),
                Some(field) if field.row == id => fields.push(field),
                Some(field) if field.row > id => {
                    self.next = Some(field);
                    return Ok(Ok(fields));
                }
                Some(_) => return Ok(Err("a field beside the chain belongs to no row")),
            }
        }
    }
}

fn field(row: &Row<'_>) -> rusqlite::Result<Field> {
    let bytes = |at| -> rusqlite::Result<Vec<u8>> {
        Ok(match row.get_ref(at)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        })
    };
    Ok(Field { row: row.get(0)?, name: bytes(1)?, value: bytes(2)?, salt: bytes(3)? })
}

impl ChainWalk {
    /// The end of what holds.
    pub fn mark(&self) -> Option<ChainMark> {
        ChainMark::new(self.rows, self.hash)
    }

    /// Takes the next row, where it follows.
    fn step(&mut self, row: &Row<'_>, fields: Vec<Field>) -> Result<(), Odd> {
        let id = there(number(row, 0)?)?;
        if id != self.next() {
            return Err("it is missing");
        }
        let commitments = there(text(row, 12)?)?;
        let canonical = Canonical {
            id,
            at: there(number(row, 1)?)?,
            kind: there(text(row, 2)?)?,
            intent: number(row, 3)?,
            operation: there(text(row, 4)?)?,
            family: there(text(row, 5)?)?,
            surface: there(text(row, 6)?)?,
            guild: number(row, 7)?,
            channel: number(row, 8)?,
            result: text(row, 9)?,
            fault: text(row, 10)?,
            micros: number(row, 11)?,
            commitments,
        };
        let hash = canonical.hash(&self.hash);
        if !matches!(row.get_ref(13), Ok(ValueRef::Blob(stored)) if stored == hash) {
            return Err("it, or its hash, was changed");
        }
        let mut promised: BTreeMap<String, String> =
            serde_json::from_str(commitments).map_err(|_| UNREADABLE)?;
        for Field { name, value, salt, .. } in fields {
            let name = std::str::from_utf8(&name).map_err(|_| UNREADABLE)?;
            let value = std::str::from_utf8(&value).map_err(|_| UNREADABLE)?;
            match promised.remove(name) {
                Some(promise) if promise == commitment(&salt, name, value) => {}
                _ => return Err("what it says of who asked, whom, or what for was changed"),
            }
        }
        self.erased += promised.len() as u64;
        self.rows += 1;
        self.hash = hash;
        Ok(())
    }

    fn next(&self) -> i64 {
        self.rows.cast_signed().saturating_add(1)
    }

    fn broken(&self, what: &str) -> Walked {
        Walked::Broken(Amiss { row: self.rows + 1, what: what.to_owned() })
    }
}

impl View<'_> {
    /// Walks on along the chain, `limit` rows at most.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn walk_audit(&self, walk: &mut ChainWalk, limit: u16) -> Result<Walked, StoreError> {
        if walk.rows == 0 && self.audit_has("id < 1")? {
            return Ok(walk.broken("a row lies before it, where none was ever written"));
        }
        let mut fields = self.connection.prepare_cached(
            "SELECT audit_id, field, value, salt FROM command_audit_personal WHERE audit_id BETWEEN ?1 AND ?2
              ORDER BY audit_id",
        )?;
        let last = walk.rows.cast_signed().saturating_add(i64::from(limit));
        let mut beside = Beside { rows: fields.query([walk.next(), last])?, next: None, over: false };
        let mut chain = self.connection.prepare_cached(
            "SELECT id, created_at, kind, intent_id, command_name, command_type, surface, guild_id, channel_id,
                    result_status, fault_kind, execution_time_us, commitments, hash
               FROM command_audit WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        )?;
        let mut rows = chain.query([walk.next(), last])?;
        while let Some(row) = rows.next()? {
            let fields = beside.of(walk.next())?;
            if let Err(odd) = fields.and_then(|fields| walk.step(row, fields)) {
                return Ok(walk.broken(odd));
            }
        }
        if walk.rows == last.cast_unsigned() {
            return Ok(Walked::On);
        }
        // There was no next row: where there is one behind a hole, or something beside it, this one is missing.
        Ok(match self.audit_has(&format!("id > {}", walk.rows))? {
            true => walk.broken("it is missing"),
            false => Walked::End,
        })
    }

    /// Whether there is a row, or something beside one, whose number is so.
    fn audit_has(&self, which: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM command_audit WHERE {which})
                 OR EXISTS (SELECT 1 FROM command_audit_personal WHERE audit_{which})"
        );
        Ok(self.connection.prepare(&sql)?.query_row([], |row| row.get(0))?)
    }

    /// What SQLite itself finds wrong with the pages and indexes of the audit, in its words; nothing where it finds nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_pages(&self) -> Result<Option<String>, StoreError> {
        for table in ["command_audit", "command_audit_personal"] {
            let sql = format!("PRAGMA integrity_check({table})");
            let mut statement = self.connection.prepare(&sql)?;
            let found: String = statement.query_row([], |row| row.get(0))?;
            if found != "ok" {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
