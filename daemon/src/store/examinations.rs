//! `examinations`: what the doctor found last in each guild.

use super::deliveries::OPEN;
use super::rows::{Sql, column};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use std::collections::HashSet;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::value::{DeliveryId, GuildId};

impl View<'_> {
    /// The names of what stopped deliveries to the guild when it was looked at last; none where nothing did, or it never was.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn ills(&self, guild: GuildId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT value FROM examinations, json_each(ills) WHERE guild_id = ?1 ORDER BY key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([Sql(guild)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The guilds that were looked at.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn examined(&self) -> Result<Vec<GuildId>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT guild_id FROM examinations")?;
        let rows = statement.query_map([], |row| column(row, "guild_id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many bans of the guild wait where one of them was put off for this reason, and how many of its deliveries are
    /// blocked, with why the newest of those is. A guild that asks about another counts what it has decided itself: what
    /// other mains have there is not its business.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn waits_of(
        &self,
        guild: GuildId,
        asks: Option<GuildId>,
        put_off: &str,
    ) -> Result<(u64, Option<(u64, String)>), StoreError> {
        let source = Sql(asks.filter(|asks| *asks != guild));
        // That it is open is said besides, since that has an index.
        let waiting = format!(
            "deliveries d JOIN punishments p ON p.event_id = d.punishment_id
              WHERE d.guild_id = ?1 AND d.state IN {OPEN} AND (?2 IS NULL OR p.source_guild = ?2)"
        );
        let deferred = format!("{waiting} AND d.state = 'pending' AND d.action = 'ban'");
        let sql = format!(
            "SELECT count(*) FROM {deferred} AND EXISTS (SELECT 1 FROM {deferred} AND d.reason = ?3)"
        );
        let values = params![Sql(guild), source, put_off];
        let deferred: i64 = self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?;
        let sql = format!(
            "SELECT count(*) OVER (), coalesce(d.reason, '') FROM {waiting} AND d.state = 'blocked'
              ORDER BY d.delivery_id DESC LIMIT 1"
        );
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
        let values = params![Sql(guild), source];
        let blocked = self.connection.prepare_cached(&sql)?.query_row(values, read).optional()?;
        Ok((deferred.cast_unsigned(), blocked))
    }
}

impl View<'_> {
    /// Whether a delivery is blocked.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_blocked(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE delivery_id = ?1 AND state = 'blocked')";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0))?)
    }

    /// What is blocked because its user cannot be punished there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn blocked_by_rank(&self) -> Result<HashSet<DeliveryId>, StoreError> {
        let sql = format!(
            "SELECT delivery_id FROM deliveries
              WHERE state IN {OPEN} AND state = 'blocked' AND reason LIKE '403 the user %'"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| column(row, "delivery_id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What is blocked in these guilds of what another has decided, or one of them for itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn blocked_of(
        &self,
        source: GuildId,
        guilds: &[GuildId],
    ) -> Result<Vec<(GuildId, DeliveryId)>, StoreError> {
        let sql = format!(
            "SELECT d.delivery_id FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
              WHERE d.guild_id = ?1 AND d.state IN {OPEN} AND d.state = 'blocked' AND p.source_guild = ?2
              ORDER BY d.delivery_id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut blocked = Vec::new();
        for guild in guilds {
            let rows =
                statement.query_map(params![Sql(*guild), Sql(source)], |row| column(row, "delivery_id"))?;
            let ids = rows.collect::<Result<Vec<DeliveryId>, _>>()?;
            blocked.extend(ids.into_iter().map(|id| (*guild, id)));
        }
        Ok(blocked)
    }

    /// How many punishments are blocked in the guild where they were decided.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn blocked_at_origin(&self) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM deliveries
              WHERE state IN {OPEN} AND state = 'blocked' AND scope = 'origin'"
        );
        let count: i64 = self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }
}

impl Change<'_> {
    /// Remembers the names of what stops deliveries to the guild, and tells of them.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_ills(&self, guild: GuildId, ills: Vec<String>) -> Result<(), StoreError> {
        let sql = "INSERT INTO examinations (guild_id, ills, since) VALUES (?1, ?2, ?3)
             ON CONFLICT (guild_id) DO UPDATE SET ills = excluded.ills, since = excluded.since";
        let list = serde_json::Value::from(ills.as_slice()).to_string();
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), list, self.now().millis()])?;
        self.tell(&Changed::Examined { guild_id: guild, ills })
    }

    /// Forgets what was found in a guild that is in no network any more: should it come back, all of it is news.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn forget_ills(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql = "DELETE FROM examinations WHERE guild_id = ?1";
        match self.connection().prepare_cached(sql)?.execute([Sql(guild)])? {
            0 => Ok(()),
            _ => self.tell(&Changed::Examined { guild_id: guild, ills: Vec::new() }),
        }
    }
}
