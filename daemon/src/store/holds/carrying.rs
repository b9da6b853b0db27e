//! A decision about a hold, carried out guild by guild as there is room.

use super::Decided;
use crate::store::rows::{Sql, column};
use crate::store::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use std::collections::{HashMap, HashSet};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId};

/// How many deliveries may be open in a guild for more of a hold to be sent there: what is approved waits in the store, and
/// not in memory.
pub const OPEN_IN_A_GUILD: u64 = if cfg!(test) { 100 } else { 500 };

/// How far a decision has reached into its hold.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    behind: HashMap<GuildId, DeliveryId>,
    full: HashSet<GuildId>,
}

impl Reached {
    /// It is looked again whether there is room in guilds that had none.
    pub fn look_again(&mut self) {
        self.full.clear();
    }
}

/// How a step of [`Change::carry_out_hold`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// There may be more that can follow at once.
    More,
    /// What is left waits until less is open in its guilds.
    Waits,
    /// That was all.
    Finished,
}

impl View<'_> {
    /// Holds that were decided, and whose decision has not reached every delivery.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unfinished_holds(&self) -> Result<Vec<HoldId>, StoreError> {
        let sql = "SELECT id FROM holds WHERE decided_at IS NOT NULL AND finished_at IS NULL ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([], |row| column(row, "id"))?.collect::<Result<_, _>>()?)
    }

    /// The guild behind another in which a hold keeps something back.
    fn next_held_guild(&self, id: HoldId, behind: Option<GuildId>) -> Result<Option<GuildId>, StoreError> {
        let sql = "SELECT guild_id FROM deliveries WHERE hold_id = ?1 AND state = 'held' AND guild_id > ?2
             ORDER BY guild_id LIMIT 1";
        let behind = behind.map_or(0, |guild| guild.get().cast_signed());
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![Sql(id), behind], |row| column(row, "guild_id")).optional()?)
    }

    /// The first deliveries that a hold keeps back in a guild, behind one.
    fn held_in(
        &self,
        id: HoldId,
        guild: GuildId,
        behind: Option<DeliveryId>,
        limit: u64,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let sql = "SELECT delivery_id FROM deliveries
             WHERE hold_id = ?1 AND state = 'held' AND guild_id = ?2 AND delivery_id > ?3 ORDER BY delivery_id LIMIT ?4";
        let behind = behind.map_or(0, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![Sql(id), Sql(guild), behind, limit.cast_signed()];
        let rows = statement.query_map(values, |row| column(row, "delivery_id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Lets a decision reach the next of what its hold keeps back, behind what it has reached, each guild's in order. What
    /// is approved goes on where few deliveries are open in its guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn carry_out_hold(
        &self,
        id: HoldId,
        mut reached: Reached,
        limit: u16,
    ) -> Result<(Carried, Reached), StoreError> {
        let Some((decided, by, _)) = self.hold(id)?.and_then(|hold| hold.decided) else {
            return Ok((Carried::Finished, reached));
        };
        let (mut left, mut guild) = (u64::from(limit), None);
        while left > 0 {
            guild = self.next_held_guild(id, guild)?;
            let Some(guild) = guild else { break };
            if reached.full.contains(&guild) {
                continue;
            }
            let room = match decided {
                Decided::Approved => OPEN_IN_A_GUILD.saturating_sub(self.moving_in(guild)?),
                Decided::Discarded => u64::MAX,
            };
            let held = self.held_in(id, guild, reached.behind.get(&guild).copied(), room.min(left) + 1)?;
            let some = held.len().min(usize::try_from(room.min(left)).unwrap_or(usize::MAX));
            if held.len() > some && room <= left {
                reached.full.insert(guild);
            }
            for delivery in &held[..some] {
                match decided {
                    Decided::Approved => self.let_go_on(*delivery)?,
                    Decided::Discarded => self.discard(*delivery, by)?,
                }
                reached.behind.insert(guild, *delivery);
            }
            left -= some as u64;
        }
        if left == 0 {
            return Ok((Carried::More, reached));
        }
        if !reached.full.is_empty() {
            return Ok((Carried::Waits, reached));
        }
        let sql = "UPDATE holds SET finished_at = ?2 WHERE id = ?1 AND finished_at IS NULL";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), self.now().millis()])?;
        Ok((Carried::Finished, reached))
    }
}
