//! What was delivered along a link, and what of it is taken back while the link closes.

use super::rows::{Sql, column, optional, word};
use super::{Change, Judged, StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::reversal::{Counted, Counts};
use wayhaven_shared::operations::setup::{Link, LinkUndo};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

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

    /// How many of the undos along a closing link Discord has refused for good.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn not_taken_back(&self, link: &Link) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM deliveries WHERE guild_id = ?1 AND link_id = ?2 AND action <> measure
               AND state = 'failed' AND updated_at >= ?3";
        let values = params![Sql(link.child_guild_id), Sql(link.id), link.updated_at.millis()];
        let count: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The link between the two, where it is closing.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn closing_link(&self, main: GuildId, child: GuildId) -> Result<Option<Link>, StoreError> {
        Ok(self.link(main, child)?.filter(|link| link.state == "closing"))
    }
}

impl Change<'_> {
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
