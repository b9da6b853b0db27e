//! `identifies`: when which shard identified, over all processes.

use super::{Change, StoreError};
use rusqlite::params;
use wayhaven_shared::value::Timestamp;

/// Discord counts identifies over a day.
const DAY_MS: i64 = 86_400_000;

/// What was identified of late, as the budget looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// When all shards did in the last 24 hours, oldest first.
    pub day: Vec<Timestamp>,
    /// When this shard did, of these.
    pub shard: Vec<Timestamp>,
    /// When the last one did whose turn has to be over before this shard's.
    pub bucket: Option<Timestamp>,
}

impl Change<'_> {
    /// What was identified in the last 24 hours. `buckets` is Discord's `max_concurrency`: so many identifies it takes
    /// in five seconds, of several shards one of those each whose numbers agree modulo it (FACTS B2).
    ///
    /// # Errors
    /// Where the store fails.
    pub fn identified(&self, shard: u32, shards: u32, buckets: u32) -> Result<Identified, StoreError> {
        let now = self.now().millis();
        // A clock that was ahead and was set back: what seems to lie ahead was just now at the latest.
        self.connection().prepare_cached("UPDATE identifies SET at = ?1 WHERE at > ?1")?.execute([now])?;
        self.connection().prepare_cached("DELETE FROM identifies WHERE at <= ?1")?.execute([now - DAY_MS])?;
        let mut statement =
            self.connection().prepare_cached("SELECT at, shard FROM identifies ORDER BY at, sequence")?;
        let all = statement
            .query_map([], |row| Ok((Timestamp::from_millis(row.get(0)?), row.get::<_, u32>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        let of = |wanted: &dyn Fn(u32) -> bool| -> Vec<Timestamp> {
            all.iter().filter(|(_, shard)| wanted(*shard)).map(|(at, _)| *at).collect()
        };
        let buckets = buckets.max(1);
        let bucket = match shards {
            0 | 1 => all.len().checked_sub(buckets as usize).map(|turn| all[turn].0),
            _ => of(&|other| other % buckets == shard % buckets).last().copied(),
        };
        Ok(Identified { day: of(&|_| true), shard: of(&|other| other == shard), bucket })
    }

    /// Notes that a shard identifies now.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_identify(&self, shard: u32) -> Result<(), StoreError> {
        let sql = "INSERT INTO identifies (at, shard) VALUES (?1, ?2)";
        self.connection().prepare_cached(sql)?.execute(params![self.now().millis(), shard])?;
        Ok(())
    }
}
