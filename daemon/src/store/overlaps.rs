//! Punishments of one guild, user and measure that overlap in time: which one lasts longest, and which ones a shorter one has
//! replaced.
//!
//! Of several that are active the one that lasts longest is in force; the newest of those that end together. A shorter one
//! replaces a longer one only where somebody has asked for it. What the daemon does by itself replaces nothing.

use super::punishments::{COLUMNS, punishment};
use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{Row, params};
use std::collections::HashSet;
use wayhaven_shared::operations::punishment::{Action, Origin, Punishment};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

/// The end of a punishment `p` as a number: one without an end is later than every other.
pub(super) const END: &str = "coalesce(p.expires_at, 9223372036854775807)";

/// Why a punishment is not carried out that the daemon has decided by itself: one that lasts longer stands. The reason of
/// such a delivery begins so.
pub const OUTLASTED: &str = "a longer punishment stands";

/// The same where what stands in the guild is somebody else's: then the shorter one is a cause there as well.
pub const OUTLASTED_THERE: &str = "a longer punishment stands there";

/// A punishment as its end matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub id: PunishmentId,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Where it came from.
    pub origin: Origin,
}

/// Whether something that ends then lasts longer than something else; nothing is no end.
pub fn lasts_longer(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    match (one, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(one), Some(other)) => one > other,
    }
}

/// Whether several punishments of the measure may overlap: a kick and a warning last no time.
pub fn overlaps(action: Action) -> bool {
    matches!(action, Action::Ban | Action::Mute | Action::Timeout)
}

fn cause(row: &Row<'_>) -> rusqlite::Result<Cause> {
    Ok(Cause {
        id: column(row, "event_id")?,
        until: optional(row, "expires_at")?,
        origin: word(row, "origin", Origin::from_word)?,
    })
}

impl View<'_> {
    /// The guild's punishments of the user of that measure that are active and have not ended; the one that lasts longest
    /// comes last.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn overlapping(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        now: Timestamp,
    ) -> Result<Vec<Cause>, StoreError> {
        let sql = format!(
            "SELECT event_id, expires_at, origin FROM punishments p
              WHERE source_guild = ?1 AND target_user = ?2 AND measure = ?3 AND action = measure AND status = 'active'
                AND (expires_at IS NULL OR expires_at > ?4) ORDER BY {END}, event_id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values = params![Sql(guild), Sql(user), measure.measure().word(), now.millis()];
        Ok(statement.query_map(values, cause)?.collect::<Result<_, _>>()?)
    }

    /// What a punishment that somebody asks for would replace: those of the guild that last longer than it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn would_replace(
        &self,
        guild: GuildId,
        user: UserId,
        action: Action,
        until: Option<Timestamp>,
    ) -> Result<Vec<Punishment>, StoreError> {
        if !overlaps(action) || until.is_none() {
            return Ok(Vec::new());
        }
        let longer = self.overlapping(guild, user, action, self.now())?;
        let longer = longer.into_iter().filter(|one| lasts_longer(one.until, until));
        let found: Vec<_> = longer.map(|one| self.punishment(one.id)).collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What a punishment has replaced and that has not ended, the one that lasts longest last.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn replaced_by(&self, id: PunishmentId) -> Result<Vec<Punishment>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} AS p WHERE replaced_by = ?1 AND status = 'superseded'
                AND (expires_at IS NULL OR expires_at > ?2) ORDER BY {END}, event_id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement
            .query_map(params![Sql(id), self.now().millis()], punishment)?
            .collect::<Result<_, _>>()?)
    }

    /// Whether a shorter punishment has replaced this one.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_replaced(&self, id: PunishmentId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments
             WHERE event_id = ?1 AND status = 'superseded' AND replaced_by IS NOT NULL)";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0))?)
    }

    /// What is active again once this punishment is reverted: what it has replaced, and no other shorter one that somebody
    /// asked for later has replaced too. `gone` are those that are reverted with it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn restored_without(
        &self,
        one: &Punishment,
        gone: &HashSet<PunishmentId>,
    ) -> Result<Vec<PunishmentId>, StoreError> {
        let (mut restored, replaced) = (Vec::new(), self.replaced_by(one.id)?);
        if replaced.is_empty() {
            return Ok(restored);
        }
        let mut gone = gone.clone();
        gone.insert(one.id);
        for replaced in replaced {
            if gone.contains(&replaced.id) {
                restored.extend(self.restored_without(&replaced, &gone)?);
            } else if self.replacement(&replaced, &gone)?.is_none() {
                restored.push(replaced.id);
            }
        }
        Ok(restored)
    }

    /// The punishment that replaces `longer` once those that are `gone` do not any more: one that somebody asked for later,
    /// and that ends earlier.
    fn replacement(
        &self,
        longer: &Punishment,
        gone: &HashSet<PunishmentId>,
    ) -> Result<Option<PunishmentId>, StoreError> {
        let active = self.overlapping(longer.guild_id, longer.user_id, longer.action, self.now())?;
        let replaces = |other: &Cause| {
            other.id > longer.id
                && !gone.contains(&other.id)
                && other.origin != Origin::System
                && lasts_longer(longer.expires_at, other.until)
        };
        Ok(active.into_iter().find(replaces).map(|other| other.id))
    }
}

impl Change<'_> {
    /// Ends what lasts longer than a punishment that somebody has asked for: that one replaces them. What the daemon has
    /// decided by itself replaces nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn replace_longer(&self, new: &Punishment) -> Result<(), StoreError> {
        if new.origin == Origin::System {
            return Ok(());
        }
        for longer in self.would_replace(new.guild_id, new.user_id, new.action, new.expires_at)? {
            self.set_replacement(longer.id, Some(new.id))?;
        }
        Ok(())
    }

    fn set_replacement(&self, id: PunishmentId, by: Option<PunishmentId>) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET replaced_by = ?2, status = iif(?2 IS NULL, 'active', 'superseded')
             WHERE event_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), Sql(by)])?;
        Ok(())
    }

    /// A punishment was reverted, or was never in force: what it has replaced is active again, or another one has replaced
    /// it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn restore_replaced(&self, one: &Punishment) -> Result<(), StoreError> {
        let gone = HashSet::from([one.id]);
        for replaced in self.replaced_by(one.id)? {
            let other = self.replacement(&replaced, &gone)?;
            self.set_replacement(replaced.id, other)?;
        }
        Ok(())
    }

    /// Marks what a punishment has replaced, directly or not, as expired: it has ended with that one.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn expire_replaced(&self, id: PunishmentId) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET status = 'expired' WHERE status = 'superseded' AND event_id IN (
             WITH RECURSIVE chain(id) AS (SELECT ?1 UNION
                 SELECT p.event_id FROM chain CROSS JOIN punishments p ON p.replaced_by = chain.id)
             SELECT id FROM chain WHERE id <> ?1)";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        Ok(())
    }
}
