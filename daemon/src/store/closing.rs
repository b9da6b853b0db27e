//! What was delivered along a link, and what of it is taken back while the link closes.

use super::rows::{Sql, column, optional, word};
use super::{Change, Judged, Settlement, StoreError, View};
use rusqlite::params;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reversal::{Counted, Counts};
use wayhaven_shared::operations::setup::{Link, LinkUndo};
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, Timestamp, UserId};

/// How many users are looked at in one step of a plan.
const PAGE: u16 = 500;

/// A measure that a main's delivery put on a user in a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Whom.
    pub user: UserId,
    /// What.
    pub measure: Action,
    punishment: PunishmentId,
    /// When it ends by itself.
    until: Option<Timestamp>,
}

/// What is to become of it.
enum Fate {
    /// Nothing of ours stands there any more.
    Gone,
    /// It is taken back.
    Ours,
    /// It stays, for this reason.
    Stays(String),
}

impl View<'_> {
    /// A page of what was delivered along a link, or may have been, behind `after`: the latest of each user and measure.
    fn delivered_along(
        &self,
        link: &Link,
        after: Option<&Delivered>,
        limit: u16,
    ) -> Result<Vec<Delivered>, StoreError> {
        let sql = "SELECT d.target_user, d.measure, max(d.delivery_id), d.punishment_id, p.expires_at
             FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.guild_id = ?1 AND (d.target_user, d.measure) > (?3, ?4) AND d.link_id = ?2
               AND d.action = d.measure AND d.measure IN ('ban', 'mute', 'timeout')
               AND (d.state = 'applied' OR d.sent = 1)
             GROUP BY d.target_user, d.measure ORDER BY d.target_user, d.measure LIMIT ?5";
        let mut statement = self.connection.prepare_cached(sql)?;
        let user = after.map_or(0, |after| after.user.get().cast_signed());
        let measure = after.map_or("", |after| after.measure.word());
        let values = params![Sql(link.child_guild_id), Sql(link.id), user, measure, limit];
        let rows = statement.query_map(values, |row| {
            Ok(Delivered {
                user: column(row, "target_user")?,
                measure: word(row, "measure", Action::from_word)?,
                punishment: column(row, "punishment_id")?,
                until: optional(row, "expires_at")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn fate(&self, link: &Link, one: &Delivered, now: Timestamp) -> Result<Fate, StoreError> {
        let (guild, user, measure) = (link.child_guild_id, one.user, one.measure);
        let ended = measure == Action::Timeout && one.until.is_some_and(|until| until <= now);
        if ended || self.is_taken_back(guild, user, measure)? || self.is_overridden(guild, user, measure)? {
            return Ok(Fate::Gone);
        }
        // Where Discord will have to be asked it is counted as ours: the asking comes with the undo.
        Ok(match self.judge_undo(guild, user, link.main_guild_id, measure, None)? {
            Judged::Leave(reason) => Fate::Stays(reason),
            Judged::TakeBack | Judged::Ask(_) => Fate::Ours,
        })
    }

    /// What taking back everything that was delivered along a link comes to.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn link_undo(&self, link: &Link, now: Timestamp) -> Result<LinkUndo, StoreError> {
        let (mut taken_back, mut stay) = (Counts::default(), Counts::default());
        let mut after = None;
        loop {
            let page = self.delivered_along(link, after.as_ref(), PAGE)?;
            for one in &page {
                match self.fate(link, one, now)? {
                    Fate::Gone => {}
                    Fate::Ours => taken_back.add(one.measure, None),
                    Fate::Stays(reason) => stay.add(one.measure, Some(reason)),
                }
            }
            match page.last() {
                Some(last) => after = Some(*last),
                None => break,
            }
        }
        let (taken_back, stay): (Vec<Counted>, Vec<Counted>) = (taken_back.into(), stay.into());
        Ok(LinkUndo { taken_back, stay })
    }

    /// Whether anything is open along a link.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_open_along(&self, link: &Link) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE guild_id = ?1 AND link_id = ?2
                AND state IN ('pending', 'held', 'sending', 'blocked', 'unknown'))";
        let values = params![Sql(link.child_guild_id), Sql(link.id)];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether the blocked undos of a closing link are given up at once.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_forced(&self, link: &Link) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM forced_closings WHERE link_id = ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(link.id)], |row| row.get(0))?)
    }

    /// Undos along a closing link that Discord has refused for good or that were given up: how many by reason, and the
    /// first users of each.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn failed_undos(&self, link: &Link) -> Result<Vec<FailedUndos>, StoreError> {
        let sql = "SELECT coalesce(reason, 'no reason is known') AS why, count(*) AS n,
                (SELECT group_concat(target_user, ', ') FROM (SELECT target_user FROM deliveries some
                  WHERE some.guild_id = ?1 AND some.link_id = ?2 AND some.action <> some.measure
                    AND some.state = 'failed' AND some.updated_at >= ?3 AND some.reason IS d.reason
                  ORDER BY delivery_id LIMIT 5)) AS users
             FROM deliveries d WHERE guild_id = ?1 AND link_id = ?2 AND action <> measure
               AND state = 'failed' AND updated_at >= ?3 GROUP BY reason ORDER BY n DESC, why LIMIT 5";
        let values = params![Sql(link.child_guild_id), Sql(link.id), link.updated_at.millis()];
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, |row| {
            let count: i64 = row.get("n")?;
            Ok(FailedUndos {
                reason: row.get("why")?,
                count: count.cast_unsigned(),
                users: row.get("users")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The link between the two, where it is closing.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn closing_link(&self, main: GuildId, child: GuildId) -> Result<Option<Link>, StoreError> {
        Ok(self.link(main, child)?.filter(|link| link.state == "closing"))
    }
}

/// Undos that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedUndos {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The ids of the first users, for people.
    pub users: String,
}

impl Change<'_> {
    /// Has the blocked undos of a closing link given up at once.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn force_closing(&self, link: &Link) -> Result<(), StoreError> {
        let sql = "INSERT INTO forced_closings (link_id, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection().prepare_cached(sql)?.execute(params![Sql(link.id), self.now().millis()])?;
        // Whoever closes links looks again.
        self.tell(&Changed::Network { link: None })
    }

    /// Ends the undos along a closing link that do not move: those that are blocked or wait after a failure, or all but
    /// held ones. Each keeps its own reason behind `why`. Returns how many that were.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn give_up_undos(&self, link: &Link, all: bool, why: &str) -> Result<u64, StoreError> {
        let sql = "SELECT delivery_id, reason FROM deliveries WHERE guild_id = ?1 AND link_id = ?2
               AND action <> measure AND state IN ('pending', 'sending', 'blocked', 'unknown')
               AND (?3 OR state = 'blocked' OR reason IS NOT NULL)";
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(link.child_guild_id), Sql(link.id), all], |row| {
            Ok((column::<DeliveryId>(row, "delivery_id")?, row.get::<_, Option<String>>("reason")?))
        })?;
        let given_up: Vec<_> = rows.collect::<Result<_, _>>()?;
        for (id, reason) in &given_up {
            let reason = reason.as_ref().map_or_else(|| why.to_owned(), |reason| format!("{why}: {reason}"));
            let (state, reason) = (DeliveryState::Failed, Some(reason));
            self.settle(*id, &Settlement { state, reason, attempts: 0, wait: None, was_there: None })?;
        }
        Ok(given_up.len() as u64)
    }

    /// Stores the undos of the next of what was delivered along a closing link. Returns where the next step goes on;
    /// nothing where that was all.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn take_back_along(
        &self,
        link: &Link,
        after: Option<&Delivered>,
        limit: u16,
    ) -> Result<Option<Delivered>, StoreError> {
        let page = self.delivered_along(link, after, limit)?;
        for one in &page {
            if !matches!(self.fate(link, one, self.now())?, Fate::Ours) {
                continue;
            }
            let Some(punishment) = self.punishment(one.punishment)? else { continue };
            self.take_back(&punishment, link.id, link.child_guild_id, link.updated_at)?;
        }
        Ok(page.last().copied())
    }
}
