//! What is decided and what was delivered, in the order of ban lists: what a comparison with Discord reads.

use super::{OPEN, STOPPED, Scope};
use crate::network::Refusal;
use crate::store::deliveries::WHEN_THEY_JOIN;
use crate::store::rows::{Sql, column, word};
use crate::store::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, named_params, params};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, LinkId, PunishmentId, Timestamp, UserId};

/// How the reason of what an operator has discarded begins: it is not delivered by itself any more.
pub const DISCARDED: &str = "discarded";

/// Why what was there already counts as delivered.
const FOUND: &str = "there already when the guild was compared with what is decided";

/// A stretch of users by their ids, as a page of a list covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Behind this one.
    pub after: Option<UserId>,
    /// Up to this one, itself included; to the end without one.
    pub up_to: Option<UserId>,
}

impl Stretch {
    fn bounds(self) -> (i64, i64) {
        let number = |user: UserId| user.get().cast_signed();
        (self.after.map_or(0, number), self.up_to.map_or(i64::MAX, number))
    }
}

/// How a decision stands in a guild by our own rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// Nothing was ever stored of it there.
    None,
    /// It is open, or done once they join.
    Open(DeliveryId),
    /// It was done there, and is to stand.
    Applied(DeliveryId, Timestamp),
    /// It was not done for a reason that may be over, or was taken back with its link: it may be done again.
    Stopped(DeliveryId),
    /// It is not to be done: discarded, let go by the guild's staff, or overtaken by what they decided.
    LeftOut,
    /// Discord has refused it for good.
    Refused,
}

impl View<'_> {
    /// Whom a main has punished so that it is to stand, by their ids: the newest active decision of each.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn decided(
        &self,
        main: GuildId,
        measure: Action,
        stretch: Stretch,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(UserId, PunishmentId)>, StoreError> {
        let sql = "SELECT target_user AS user, max(event_id) AS id FROM punishments
             WHERE source_guild = ?1 AND measure = ?2 AND status = 'active' AND action = measure
               AND target_user > ?3 AND target_user <= ?4 AND (expires_at IS NULL OR expires_at > ?5)
             GROUP BY target_user ORDER BY target_user LIMIT ?6";
        let (after, up_to) = stretch.bounds();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = params![Sql(main), measure.word(), after, up_to, now.millis(), limit];
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, |row| Ok((column(row, "user")?, column(row, "id")?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many a main has punished so that it is to stand.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn count_decided(&self, main: GuildId, measure: Action, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT count(DISTINCT target_user) FROM punishments
             WHERE source_guild = ?1 AND measure = ?2 AND status = 'active' AND action = measure
               AND (expires_at IS NULL OR expires_at > ?3)";
        let values = params![Sql(main), measure.word(), now.millis()];
        let count: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The main's decision of a measure that is to stand for the user.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn decided_for(
        &self,
        main: GuildId,
        measure: Action,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<PunishmentId>, StoreError> {
        let before = UserId::new(user.get() - 1);
        let one = Stretch { after: before, up_to: Some(user) };
        Ok(self.decided(main, measure, one, now, 1)?.pop().map(|(_, id)| id))
    }

    /// Whether any main's decision is to stand for the user. One lookup by index for everybody who joins anywhere, and for
    /// nearly all of them the last.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_wanted_anywhere(&self, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments WHERE target_user = ?1 AND status = 'active'
                AND action = measure AND measure IN ('ban', 'mute', 'timeout'))";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(user)], |row| row.get(0))?)
    }

    /// How a decision stands in the guild by our own rows.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn footing(&self, of: PunishmentId, guild: GuildId, measure: Action) -> Result<Footing, StoreError> {
        let sql = format!(
            "SELECT d.delivery_id, d.state, d.let_go, d.updated_at, d.state IN {OPEN} AS open,
                    coalesce(d.reason = '{WHEN_THEY_JOIN}', 0) AS absent,
                    coalesce(d.reason LIKE '{DISCARDED}%', 0) AS discarded,
                    EXISTS (SELECT 1 FROM deliveries own WHERE own.guild_id = d.guild_id
                        AND own.target_user = d.target_user AND own.measure = d.measure AND own.scope = 'origin'
                        AND own.delivery_id > d.delivery_id) AS overtaken
               FROM deliveries d WHERE d.punishment_id = ?1 AND d.guild_id = ?2 AND d.action = ?3"
        );
        let read = |row: &Row<'_>| {
            let id: DeliveryId = column(row, "delivery_id")?;
            let state = word(row, "state", DeliveryState::from_word)?;
            Ok(match state {
                _ if row.get("open")? => Footing::Open(id),
                DeliveryState::Applied if row.get("let_go")? => Footing::LeftOut,
                DeliveryState::Applied => Footing::Applied(id, column(row, "updated_at")?),
                DeliveryState::Skipped if row.get("absent")? => Footing::Open(id),
                DeliveryState::Skipped if row.get("discarded")? => Footing::LeftOut,
                DeliveryState::Superseded if row.get("overtaken")? => Footing::LeftOut,
                DeliveryState::Failed => Footing::Refused,
                _ => Footing::Stopped(id),
            })
        };
        let values = params![Sql(of), Sql(guild), measure.word()];
        let found = self.connection.prepare_cached(&sql)?.query_row(values, read).optional()?;
        match found {
            Some(Footing::Applied(id, _)) if self.is_taken_back_along_its_link(id)? => {
                Ok(Footing::Stopped(id))
            }
            Some(found) => Ok(found),
            None => Ok(match self.kept_back_anywhere(of)? {
                // It was discarded, and comes to no child later by itself.
                Some((_, Some(_))) => Footing::LeftOut,
                Some((_, None)) | None => Footing::None,
            }),
        }
    }

    /// Undos of mains that gates have kept from a guild, the last word of their main there: of each the user and the undo's
    /// delivery and punishment.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn undos_kept_back(
        &self,
        guild: GuildId,
        main: GuildId,
        measure: Action,
        stretch: Stretch,
    ) -> Result<Vec<(UserId, DeliveryId, PunishmentId)>, StoreError> {
        let sql = "SELECT d.target_user AS user, d.delivery_id AS id, d.punishment_id AS undo
              FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.guild_id = :guild AND d.target_user > :after AND d.target_user <= :up_to AND d.measure = :measure
               AND d.action <> d.measure AND d.scope = 'child' AND d.state = 'skipped' AND p.source_guild = :main
               AND d.reason IN (:stopped, :monitor, :action, :inactive, :unlinked)
               AND NOT EXISTS (SELECT 1 FROM deliveries later JOIN punishments theirs ON theirs.event_id = later.punishment_id
                    WHERE later.guild_id = d.guild_id AND later.target_user = d.target_user AND later.measure = d.measure
                      AND later.delivery_id > d.delivery_id AND theirs.source_guild = p.source_guild)
               AND NOT EXISTS (SELECT 1 FROM punishments active WHERE active.source_guild = p.source_guild
                    AND active.target_user = p.target_user AND active.measure = d.measure
                    AND active.action = active.measure AND active.status = 'active')
             ORDER BY d.target_user";
        let (after, up_to) = stretch.bounds();
        let values = named_params! {
            ":guild": Sql(guild), ":main": Sql(main), ":measure": measure.word(), ":after": after, ":up_to": up_to,
            ":stopped": STOPPED, ":monitor": Refusal::Monitor.to_string(),
            ":action": Refusal::ActionNotAllowed.to_string(), ":inactive": Refusal::LinkNotActive.to_string(),
            ":unlinked": Refusal::NotLinked.to_string(),
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((column(row, "user")?, column(row, "id")?, column(row, "undo")?));
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many deliveries of the guild are open, and not held: what is held moves when somebody says so.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn moving_in(&self, guild: GuildId) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM deliveries WHERE guild_id = ?1 AND state IN {OPEN} AND state <> 'held'"
        );
        let count: i64 = self.connection.prepare_cached(&sql)?.query_row([Sql(guild)], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// When each of the guild's latest `limit` bans that nobody waits for was settled, the oldest of them; nothing where there
    /// were fewer since then.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn trickled_since(
        &self,
        guild: GuildId,
        since: Timestamp,
        limit: u64,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        // Only what left a request has cost something.
        let sql = "SELECT count(*) AS count, min(updated_at) AS oldest FROM (SELECT updated_at FROM deliveries
             WHERE guild_id = ?1 AND trickle = 1 AND updated_at > ?2 AND attempts > 0 ORDER BY updated_at DESC LIMIT ?3)";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = |row: &Row<'_>| {
            let oldest: Option<i64> = row.get("oldest")?;
            Ok((row.get::<_, i64>("count")?.cast_unsigned(), oldest.map(Timestamp::from_millis)))
        };
        let values = params![Sql(guild), since.millis(), limit];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, read)?)
    }
}

impl Change<'_> {
    /// Begins a delivery of an older decision in a child; `trickle` where nobody waits for it.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn deliver_late(
        &self,
        punishment: &Punishment,
        guild: GuildId,
        link: LinkId,
        (state, reason): (DeliveryState, Option<&str>),
        trickle: bool,
    ) -> Result<DeliveryId, StoreError> {
        let first = self.first_of_late(punishment, guild, Scope::Child(link), state, reason)?;
        let state = first.state;
        let ids = self.insert_deliveries(punishment, &[first])?;
        let id = ids.first().copied();
        let id = id.ok_or(StoreError::Row { table: "deliveries", what: "a row without id".into() })?;
        self.set_trickle(id, trickle)?;
        if state == DeliveryState::Pending {
            self.queue(id)?;
        }
        Ok(id)
    }

    /// Notes that what a decision wants was there already in a child: nothing is sent, and it is nobody's of ours to undo.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn find_there(
        &self,
        punishment: &Punishment,
        guild: GuildId,
        link: LinkId,
    ) -> Result<(), StoreError> {
        let found = (DeliveryState::Applied, Some(FOUND));
        let id = self.insert_action(punishment, punishment.action, guild, Scope::Child(link), found)?;
        let sql = "UPDATE deliveries SET was_there = 1 WHERE delivery_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        Ok(())
    }

    /// Says whether nobody waits for a delivery.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_trickle(&self, id: DeliveryId, trickle: bool) -> Result<(), StoreError> {
        let sql = "UPDATE deliveries SET trickle = ?2 WHERE delivery_id = ?1 AND trickle <> ?2";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), trickle])?;
        Ok(())
    }
}
