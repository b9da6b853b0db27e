//! Why something stays in a guild: whose punishments want it there.

use super::provenance::is_taken_back_along_its_link;
use crate::store::overlaps::OUTLASTED_THERE;
use crate::store::rows::Sql;
use crate::store::{StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::exception::ExceptionOrigin;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, UserId};

/// Which punishments of other mains are causes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Causes {
    /// Those that came along a link that is active.
    OfLinks,
    /// Also those that were left there when their link was closed: nobody but the guild's own staff lifts them. Like what
    /// the staff did themselves they end when they are lifted, or Discord shows them no more.
    AndKept,
    /// Those alone: the guild does not apply what came along its links.
    Kept,
}

impl View<'_> {
    /// Why what a guild decided for itself stays there when it ends by itself: somebody else wants it there too. Its own
    /// staff's word is more than that, and is not asked.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn why_it_stays(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<&'static str>, StoreError> {
        let measure = measure.measure();
        Ok(if self.is_done_locally(guild, user, measure)? {
            Some("what its own staff did remains")
        } else if self.has_other_cause(
            guild,
            user,
            guild,
            measure,
            self.causes_there(guild, user, measure)?,
        )? {
            Some("another network's punishment remains")
        } else {
            None
        })
    }

    /// Whether a main's punishment of the user is active and reaches the guild, beside what the guild decided itself. What a
    /// former main has left there is the guild's own, and its staff's to lift.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn has_mains_cause(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        let measure = measure.measure();
        match self.causes_there(guild, user, measure)? {
            Causes::Kept => Ok(false),
            _ => self.has_other_cause(guild, user, guild, measure, Causes::OfLinks),
        }
    }

    /// Whose punishments are causes in the guild: where it has asked for an exception, none of a main's that it is linked to.
    fn causes_there(&self, guild: GuildId, user: UserId, measure: Action) -> Result<Causes, StoreError> {
        let excepted = self.exception(guild, user, measure)?;
        let asked = excepted.is_some_and(|one| one.origin == ExceptionOrigin::Command);
        Ok(if asked { Causes::Kept } else { Causes::AndKept })
    }

    /// Whether another main's punishment of the user is active and has come to the guild. A timeout that is over is none,
    /// and neither is what was taken back, or given up, with its link. A timeout that was not sent because a longer one stands
    /// there is one, and so is what was skipped or failed at a second attempt after the first one had done it, which Discord
    /// tells later. What a freeze holds has come only where it left, or may have, before that. Nobody may have lifted either
    /// since. What a newer punishment of the main has replaced stays one as long as that is active: the newer one may be held.
    pub(super) fn has_other_cause(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
        causes: Causes,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
              LEFT JOIN guild_relationships r ON r.id = d.link_id
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND p.source_guild <> ?3
               AND p.action = ?4 AND d.action = p.action
               AND (p.status = 'active' OR (p.status = 'superseded' AND (d.lifted IS NULL OR d.echo > d.lifted)
                    AND EXISTS (SELECT 1 FROM punishments newer WHERE newer.source_guild = p.source_guild
                         AND newer.target_user = p.target_user AND newer.action = p.action AND newer.status = 'active')))
               AND (d.state NOT IN ('skipped', 'failed', 'superseded')
                    OR (d.state IN ('skipped', 'failed') AND d.was_there = 0 AND (d.lifted IS NULL OR d.echo > d.lifted))
                    OR (d.action = 'timeout' AND d.state = 'skipped' AND d.reason LIKE '{OUTLASTED_THERE}%'))
               AND (d.state <> 'held' OR (d.sent = 1 AND (d.lifted IS NULL OR d.echo > d.lifted)))
               AND (p.action <> 'timeout' OR p.expires_at IS NULL OR p.expires_at > ?5)
               AND (r.id IS NULL OR (?7 AND r.state = 'active') OR (?6 AND r.state NOT IN ('active', 'closing') AND r.undone = 0
                    AND d.gone = 0 AND (d.lifted IS NULL OR d.echo > d.lifted)))
               AND NOT {})",
            is_taken_back_along_its_link()
        );
        let (kept, linked) = (causes != Causes::OfLinks, causes != Causes::Kept);
        let now = self.now().millis();
        let values = params![Sql(guild), Sql(user), Sql(source), measure.word(), now, kept, linked];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }
}
