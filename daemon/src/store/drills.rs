//! `drills`: dry runs of a network, and what they found.

use super::rows::{Sql, column, odd};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::drill::Drill;
use wayhaven_shared::value::{DrillId, GuildId};

/// How many are kept.
const KEPT: u32 = 200;

fn drill(row: &Row<'_>) -> rusqlite::Result<Drill> {
    let found: String = row.get("found")?;
    let drill: Drill = serde_json::from_str(&found).map_err(|_| odd("found"))?;
    Ok(Drill { id: Some(column(row, "id")?), ..drill })
}

impl View<'_> {
    /// Drills, newest first, of a main or all.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn drills(&self, main: Option<GuildId>, limit: u16) -> Result<Vec<Drill>, StoreError> {
        let sql = "SELECT id, found FROM drills WHERE ?1 IS NULL OR main_id = ?1 ORDER BY id DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(main), limit], drill)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A drill.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn drill(&self, id: DrillId) -> Result<Option<Drill>, StoreError> {
        let sql = "SELECT id, found FROM drills WHERE id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], drill).optional()?)
    }
}

impl Change<'_> {
    /// Keeps a drill, and forgets the oldest; it has a number then.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn keep_drill(&self, drill: Drill) -> Result<Drill, StoreError> {
        let found = serde_json::to_string(&drill).unwrap_or_default();
        let sql = "INSERT INTO drills (main_id, user_id, asked_by, at, found) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (main, user) = (Sql(drill.main_guild_id), Sql(drill.user_id));
        let values = params![main, user, drill.asked_by.raw(), drill.at.millis(), found];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let id = self.connection().last_insert_rowid();
        self.connection()
            .prepare_cached("DELETE FROM drills WHERE id <= ?1")?
            .execute([id - i64::from(KEPT)])?;
        Ok(Drill { id: DrillId::new(id.cast_unsigned()), ..drill })
    }
}
