//! Deliveries as people look at them: pages and counts.

use super::{COLUMNS, OPEN, delivery};
use crate::store::rows::{Sql, column, word};
use crate::store::{StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::operations::punishment::{Delivery, DeliveryCounts, DeliveryState};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId, PunishmentId, Timestamp, UserId};

/// What a guild has open, and what failed there.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// The guild.
    pub guild: GuildId,
    /// By state.
    pub deliveries: DeliveryCounts,
    /// Why one of them does not move.
    pub reason: Option<String>,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only of punishments decided there.
    pub source: Option<GuildId>,
    /// Only to this guild.
    pub child: Option<GuildId>,
    /// Only for this user.
    pub user: Option<UserId>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only of this punishment.
    pub punishment: Option<PunishmentId>,
    /// Only of this hold.
    pub hold: Option<HoldId>,
    /// Only those that changed then or later.
    pub since: Option<Timestamp>,
    /// Only below this one.
    pub before: Option<DeliveryId>,
}

impl DeliveryFilter {
    /// The conditions on `deliveries d` and `punishments p`. Every parameter is in the text, used or not, so that all
    /// forms are bound alike: ?1 to ?8, as in [`Self::bind`].
    fn conditions(&self) -> String {
        let mut sql = String::from("d.delivery_id < ?1");
        for (is_set, condition) in [
            (self.source.is_some(), "p.source_guild = ?2"),
            (self.child.is_some(), "d.guild_id = ?3"),
            (self.user.is_some(), "d.target_user = ?4"),
            (self.state.is_some(), "d.state = ?5"),
            (self.punishment.is_some(), "d.punishment_id = ?6"),
            (self.hold.is_some(), "d.hold_id = ?7"),
            (self.since.is_some(), "d.updated_at >= ?8"),
        ] {
            if is_set {
                sql.push_str(" AND ");
                sql.push_str(condition);
            }
        }
        sql.push_str(
            " AND ?2 IS ?2 AND ?3 IS ?3 AND ?4 IS ?4 AND ?5 IS ?5 AND ?6 IS ?6 AND ?7 IS ?7 AND ?8 IS ?8",
        );
        sql
    }

    /// The values of ?1 to ?8, and of ?9.
    fn bind(&self, limit: u16) -> impl rusqlite::Params + use<> {
        (
            self.before.map_or(i64::MAX, |id| id.get().cast_signed()),
            Sql(self.source),
            Sql(self.child),
            Sql(self.user),
            self.state.map(DeliveryState::word),
            Sql(self.punishment),
            Sql(self.hold),
            self.since.map(Timestamp::millis),
            limit,
        )
    }
}

/// Which deliveries to try again.
#[derive(Clone, Debug)]
pub struct RetryFilter {
    /// Of punishments decided there: to its children, and its own action in itself.
    pub source: GuildId,
    /// Only to this child.
    pub child: Option<GuildId>,
    /// Only for this user.
    pub user: Option<UserId>,
    /// Only of this punishment.
    pub punishment: Option<PunishmentId>,
    /// Also those that failed for good.
    pub failed: bool,
}

/// A delivery that can be tried again.
#[derive(Clone, Copy, Debug)]
pub struct Retriable {
    /// Which.
    pub id: DeliveryId,
    /// Where it goes.
    pub guild: GuildId,
    /// How it stands.
    pub state: DeliveryState,
}

impl View<'_> {
    /// Deliveries that are blocked, that wait after a failure, or that have failed where nothing newer would have
    /// superseded them; oldest first. What only waits for its turn is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn retriable(&self, filter: &RetryFilter) -> Result<Vec<Retriable>, StoreError> {
        let sql = "SELECT d.delivery_id, d.guild_id, d.state
             FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE p.source_guild = ?1
               AND (?2 IS NULL OR d.guild_id = ?2) AND (?3 IS NULL OR d.target_user = ?3)
               AND (?4 IS NULL OR d.punishment_id = ?4)
               AND (d.state IN ('blocked', 'unknown') OR (d.state = 'pending' AND d.reason IS NOT NULL)
                    OR (?5 AND d.state = 'failed' AND NOT EXISTS (SELECT 1 FROM deliveries newer
                          WHERE newer.guild_id = d.guild_id AND newer.target_user = d.target_user
                            AND newer.measure = d.measure AND newer.delivery_id > d.delivery_id
                            AND (newer.scope = 'origin' OR ?1 = (SELECT source_guild FROM punishments
                                                                   WHERE event_id = newer.punishment_id))
                            AND NOT (p.status = 'active' AND (SELECT status FROM punishments
                                       WHERE event_id = newer.punishment_id) IN ('reversed', 'expired', 'failed')))))
             ORDER BY d.delivery_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![
            Sql(filter.source),
            Sql(filter.child),
            Sql(filter.user),
            Sql(filter.punishment),
            filter.failed
        ];
        let rows = statement.query_map(values, |row| {
            Ok(Retriable {
                id: column(row, "delivery_id")?,
                guild: column(row, "guild_id")?,
                state: word(row, "state", DeliveryState::from_word)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The deliveries of a punishment to children, those that need a person first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn deliveries_of(&self, punishment: PunishmentId) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE d.punishment_id = ?1 AND d.scope = 'child'
            ORDER BY CASE d.state WHEN 'failed' THEN 0 WHEN 'blocked' THEN 1 WHEN 'held' THEN 2 WHEN 'unknown' THEN 3
                     WHEN 'sending' THEN 4 WHEN 'pending' THEN 5 WHEN 'skipped' THEN 6 WHEN 'superseded' THEN 7
                     ELSE 8 END, d.delivery_id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([Sql(punishment)], delivery)?.collect::<Result<_, _>>()?)
    }

    /// How a punishment went where it was decided; nothing where it was made there by hand.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn origin_of(&self, punishment: PunishmentId) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE d.punishment_id = ?1 AND d.scope = 'origin'");
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(punishment)], delivery).optional()?)
    }

    /// A page of deliveries to children, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn deliveries(&self, filter: &DeliveryFilter, limit: u16) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.scope = 'child' AND {} ORDER BY d.delivery_id DESC LIMIT ?9",
            filter.conditions()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(filter.bind(limit), delivery)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All deliveries that match, counted by state: those to children, and what guilds carry out in themselves.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn count_deliveries(
        &self,
        filter: &DeliveryFilter,
    ) -> Result<(DeliveryCounts, DeliveryCounts), StoreError> {
        let sql = format!(
            "SELECT d.scope = 'child' AS to_child, d.state, count(*) AS n
             FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE {} AND ?9 IS ?9 GROUP BY 1, 2",
            filter.conditions()
        );
        let (mut children, mut own) = (DeliveryCounts::default(), DeliveryCounts::default());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(filter.bind(0))?;
        while let Some(row) = rows.next()? {
            let counts = if row.get("to_child")? { &mut children } else { &mut own };
            let state = word(row, "state", DeliveryState::from_word)?;
            *counts.of(state) += row.get::<_, i64>("n")?.cast_unsigned();
        }
        Ok((children, own))
    }

    /// Deliveries to children, counted by state: all, or those from a guild or to it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn delivery_counts(&self, guild: Option<GuildId>) -> Result<DeliveryCounts, StoreError> {
        let sql = match guild {
            None => "SELECT state, count(*) AS n FROM deliveries WHERE scope = 'child' AND ?1 IS NULL GROUP BY state",
            Some(_) => {
                "SELECT d.state, count(*) AS n FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
                 WHERE d.scope = 'child' AND (p.source_guild = ?1 OR d.guild_id = ?1) GROUP BY d.state"
            }
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut counts = DeliveryCounts::default();
        let rows = statement.query_map([Sql(guild)], |row| {
            Ok((word(row, "state", DeliveryState::from_word)?, row.get::<_, i64>("n")?))
        })?;
        for row in rows {
            let (state, count) = row?;
            *counts.of(state) += count.cast_unsigned();
        }
        Ok(counts)
    }

    /// Deliveries to children that are open or have failed, counted by guild and state, each guild with the reason
    /// of one: all, or those decided in one guild. Of a user whom Discord does not know nothing was to be done in any guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unfinished_by_guild(&self, source: Option<GuildId>) -> Result<Vec<Unfinished>, StoreError> {
        let sql = format!(
            "SELECT d.guild_id, d.state, count(*) AS n, max(d.reason) AS reason
             FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.scope = 'child' AND (d.state IN {OPEN} OR (d.state = 'failed' AND p.status <> 'failed'))
               AND (?1 IS NULL OR p.source_guild = ?1)
             GROUP BY d.guild_id, d.state ORDER BY d.guild_id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut guilds: Vec<Unfinished> = Vec::new();
        let mut rows = statement.query([Sql(source)])?;
        while let Some(row) = rows.next()? {
            let guild = column(row, "guild_id")?;
            if guilds.last().is_none_or(|last| last.guild != guild) {
                guilds.push(Unfinished { guild, deliveries: DeliveryCounts::default(), reason: None });
            }
            let Some(last) = guilds.last_mut() else { continue };
            let state = word(row, "state", DeliveryState::from_word)?;
            *last.deliveries.of(state) += row.get::<_, i64>("n")?.cast_unsigned();
            last.reason = last.reason.take().or(row.get("reason")?);
        }
        Ok(guilds)
    }
}
