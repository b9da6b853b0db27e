//! What is decided and what was delivered, in the order of ban lists: what a comparison with Discord reads.

use super::protected::{PROTECTED, is_kept_from};
use super::provenance::is_taken_back_along_its_link as taken_back_along_its_link;
use super::{OPEN, STOPPED};
use crate::delivery::Scope;
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

/// That a delivery waits for the guild's budget of bans of non-members.
const DEFERRED: &str = "(state = 'pending' AND not_before IS NOT NULL AND not_before > :now)";

/// A stretch of users by their ids, as a page of a list covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Behind this one.
    pub after: Option<UserId>,
    /// Up to this one, itself included; to the end without one.
    pub up_to: Option<UserId>,
}

impl Stretch {
    pub(in crate::store) fn bounds(self) -> (i64, i64) {
        let number = |user: UserId| user.get().cast_signed();
        (self.after.map_or(0, number), self.up_to.map_or(i64::MAX, number))
    }
}

/// How a decision stands in a guild by our own rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// Nothing was ever stored of it there.
    None,
    /// It is open.
    Open(DeliveryId),
    /// It is done once they join.
    WhenTheyJoin(DeliveryId),
    /// It was done there, and is to stand.
    Applied(DeliveryId, Timestamp),
    /// It was not done for a reason that may be over, or was taken back with its link: it may be done again.
    Stopped(DeliveryId),
    /// It stays undelivered because the user was protected when it would have been delivered. The delivery is named whose reason
    /// does not say so yet.
    Protected(Option<DeliveryId>),
    /// It is not to be done: discarded, let go by the guild's staff, or overtaken by what they decided.
    LeftOut,
    /// Discord has refused it for good.
    Refused,
}

/// How a delivery of an older decision leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Like any other: it concerns somebody who is there now.
    Live,
    /// Behind everything that people wait for.
    Behind,
    /// The same, and within what the guild takes of bans of non-members in a day.
    Budgeted,
}

/// What is on its way to a guild, or waits, and how much of its day's budget is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Deliveries that are on their way: neither held nor blocked, nor deferred.
    pub moving: u64,
    /// Bans of non-members that wait for hours, since Discord takes no more for now.
    pub deferred: u64,
    /// Those of either that nobody waits for: what backfills and comparisons have begun.
    pub begun: u64,
    /// Deliveries that are blocked since the given time.
    pub blocked: u64,
    /// Bans that count in the budget and are open.
    pub waiting: u64,
    /// Bans that count in the budget and were sent since the given time.
    pub spent: u64,
    /// When the budget has room again, counted from the oldest ban that fills it.
    pub oldest: Option<Timestamp>,
}

impl View<'_> {
    /// Whom a main has punished so that it is to stand, by their ids: of each the active decision that lasts longest, and
    /// the newest of those that end together. One that a protection keeps from the child counts only where there is no other.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn decided(
        &self,
        (main, child): (GuildId, GuildId),
        measure: Action,
        stretch: Stretch,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(UserId, PunishmentId)>, StoreError> {
        // SQLite takes the other columns from the row that has the maximum.
        let sql = format!(
            "SELECT target_user AS user, event_id AS id,
                max(printf('%d%020d%020d', NOT {}, coalesce(expires_at, 9223372036854775807), event_id))
               FROM punishments p
              WHERE source_guild = ?1 AND measure = ?2 AND status = 'active' AND action = measure
                AND target_user > ?3 AND target_user <= ?4 AND (expires_at IS NULL OR expires_at > ?5)
              GROUP BY target_user ORDER BY target_user LIMIT ?6",
            is_kept_from("p", "?7")
        );
        let (after, up_to) = stretch.bounds();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = params![Sql(main), measure.word(), after, up_to, now.millis(), limit, Sql(child)];
        let mut statement = self.connection.prepare_cached(&sql)?;
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

    /// How many of a main's decisions that are to stand have no delivery in the child that is open or done.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn count_undelivered(
        &self,
        main: GuildId,
        child: GuildId,
        measure: Action,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(DISTINCT p.target_user) FROM punishments p
              WHERE p.source_guild = ?1 AND p.measure = ?3 AND p.status = 'active' AND p.action = p.measure
                AND (p.expires_at IS NULL OR p.expires_at > ?4) AND NOT {}
                AND NOT EXISTS (SELECT 1 FROM exceptions e
                     WHERE e.guild_id = ?2 AND e.user_id = p.target_user AND e.measure = p.measure)
                AND NOT EXISTS (SELECT 1 FROM deliveries d
                     WHERE d.punishment_id = p.event_id AND d.guild_id = ?2 AND d.action = p.action
                       AND (d.state IN {OPEN} OR (d.state = 'applied' AND NOT {})))",
            is_kept_from("p", "?2"),
            taken_back_along_its_link()
        );
        let values = params![Sql(main), Sql(child), measure.word(), now.millis()];
        let count: i64 = self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The main's decision of a measure that is to stand for the user in the child.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn decided_for(
        &self,
        link: (GuildId, GuildId),
        measure: Action,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<PunishmentId>, StoreError> {
        let before = UserId::new(user.get() - 1);
        let one = Stretch { after: before, up_to: Some(user) };
        Ok(self.decided(link, measure, one, now, 1)?.pop().map(|(_, id)| id))
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
                    coalesce(d.reason LIKE '{PROTECTED}%', 0) AS protected,
                    EXISTS (SELECT 1 FROM deliveries own WHERE own.guild_id = d.guild_id
                        AND own.target_user = d.target_user AND own.measure = d.measure AND own.scope = 'origin'
                        AND own.delivery_id > d.delivery_id) AS overtaken
               FROM deliveries d WHERE d.punishment_id = ?1 AND d.guild_id = ?2 AND d.action = ?3"
        );
        let read = |row: &Row<'_>| {
            let id: DeliveryId = column(row, "delivery_id")?;
            let state = word(row, "state", DeliveryState::from_word)?;
            let let_go: bool = row.get("let_go")?;
            let footing = match state {
                _ if row.get("open")? => Footing::Open(id),
                DeliveryState::Applied => Footing::Applied(id, column(row, "updated_at")?),
                DeliveryState::Skipped if row.get("absent")? => Footing::WhenTheyJoin(id),
                DeliveryState::Skipped if row.get("discarded")? => Footing::LeftOut,
                DeliveryState::Skipped if row.get("protected")? => Footing::Protected(None),
                DeliveryState::Superseded if row.get("overtaken")? => Footing::LeftOut,
                DeliveryState::Failed => Footing::Refused,
                _ => Footing::Stopped(id),
            };
            Ok((footing, let_go))
        };
        let values = params![Sql(of), Sql(guild), measure.word()];
        let found = self.connection.prepare_cached(&sql)?.query_row(values, read).optional()?;
        let let_go = found.is_some_and(|(_, let_go)| let_go);
        match found.map(|(footing, _)| footing) {
            // Whatever the guild's staff have taken back since was something else.
            Some(Footing::Applied(id, _)) if self.is_taken_back_along_its_link(id)? => {
                Ok(Footing::Stopped(id))
            }
            Some(Footing::Applied(..)) if let_go => Ok(Footing::LeftOut),
            Some(Footing::Stopped(id) | Footing::WhenTheyJoin(id)) if self.is_discarded_for_others(id)? => {
                Ok(Footing::LeftOut)
            }
            Some(Footing::Stopped(id) | Footing::WhenTheyJoin(id)) if self.is_kept_away(id)? => {
                Ok(Footing::Protected(Some(id)))
            }
            None if self.protection_of(of)?.is_some() => Ok(Footing::Protected(None)),
            found => Ok(found.unwrap_or(Footing::None)),
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

    /// What is on its way to the guild, what was blocked there since `blocked_since`, and what of the `budget` was spent since
    /// `spent_since`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn traffic(
        &self,
        guild: GuildId,
        now: Timestamp,
        blocked_since: Timestamp,
        (spent_since, budget): (Timestamp, u64),
    ) -> Result<Traffic, StoreError> {
        let sql = format!(
            "SELECT count(*) FILTER (WHERE state NOT IN ('held', 'blocked') AND NOT {DEFERRED}) AS moving,
                    count(*) FILTER (WHERE {DEFERRED}) AS deferred,
                    count(*) FILTER (WHERE trickle = 1 AND state NOT IN ('held', 'blocked')) AS begun,
                    count(*) FILTER (WHERE state = 'blocked' AND updated_at >= :since) AS blocked,
                    count(*) FILTER (WHERE budgeted = 1 AND state <> 'held') AS waiting
               FROM deliveries WHERE guild_id = :guild AND state IN {OPEN}"
        );
        let values = named_params! {
            ":guild": Sql(guild), ":now": now.millis(), ":since": blocked_since.millis()
        };
        let open = |row: &Row<'_>| {
            let count = |name| row.get::<_, i64>(name).map(i64::cast_unsigned);
            let (moving, deferred) = (count("moving")?, count("deferred")?);
            Ok(Traffic {
                moving,
                deferred,
                begun: count("begun")?,
                blocked: count("blocked")?,
                waiting: count("waiting")?,
                ..Traffic::default()
            })
        };
        let open = self.connection.prepare_cached(&sql)?.query_row(values, open)?;
        // Only what left a request has cost something.
        let sql = format!(
            "SELECT count(*) AS count, min(updated_at) AS oldest FROM (SELECT updated_at FROM deliveries
              WHERE guild_id = ?1 AND budgeted = 1 AND updated_at > ?2 AND attempts > 0 AND state NOT IN {OPEN}
              ORDER BY updated_at DESC LIMIT ?3)"
        );
        let limit = i64::try_from(budget).unwrap_or(i64::MAX);
        let spent = |row: &Row<'_>| {
            let oldest: Option<i64> = row.get("oldest")?;
            Ok((row.get::<_, i64>("count")?.cast_unsigned(), oldest.map(Timestamp::from_millis)))
        };
        let values = params![Sql(guild), spent_since.millis(), limit];
        let (spent, oldest) = self.connection.prepare_cached(&sql)?.query_row(values, spent)?;
        Ok(Traffic { spent, oldest, ..open })
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
}

impl Change<'_> {
    /// Begins a delivery of an older decision in a child.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn deliver_late(
        &self,
        punishment: &Punishment,
        guild: GuildId,
        link: LinkId,
        (state, reason): (DeliveryState, Option<&str>),
        pace: Pace,
    ) -> Result<DeliveryId, StoreError> {
        let (id, state) = self.insert_late(punishment, guild, Scope::Child(link), state, reason)?;
        self.set_pace(id, pace)?;
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

    /// Tries an undo again that a gate has kept from the guild; whether it was done.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn make_undo_good(
        &self,
        guild: GuildId,
        main: GuildId,
        (user, measure): (UserId, Action),
        undo: DeliveryId,
    ) -> Result<bool, StoreError> {
        // What was read is of before: the main may have decided anew since.
        let one = Stretch { after: UserId::new(user.get() - 1), up_to: Some(user) };
        let kept = self.undos_kept_back(guild, main, measure, one)?;
        if kept.iter().all(|(_, delivery, _)| *delivery != undo) {
            return Ok(false);
        }
        self.set_pace(undo, Pace::Behind)?;
        self.apply_again(undo, DeliveryState::Pending, None)
    }

    /// Says how a delivery leaves.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_pace(&self, id: DeliveryId, pace: Pace) -> Result<(), StoreError> {
        let (trickle, budgeted) = (pace != Pace::Live, pace == Pace::Budgeted);
        let sql = "UPDATE deliveries SET trickle = ?2, budgeted = ?3
             WHERE delivery_id = ?1 AND (trickle <> ?2 OR budgeted <> ?3)";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), trickle, budgeted])?;
        Ok(())
    }
}
