//! What lasts longer in a guild than a timeout that is about to be sent there. A member has one timeout at a time: a shorter
//! one that is sent cuts the longer one.

use super::provenance::is_taken_back_along_its_link;
use crate::network::authorise_for;
use crate::store::overlaps::OUTLASTED_THERE;
use crate::store::rows::{Sql, column};
use crate::store::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, Timestamp, UserId};

/// How much later an end has to be to count as later, in milliseconds: Discord's clock and ours may differ.
const CLOCKS_DIFFER: i64 = 60_000;

/// For how long a timeout that lasts longer than Discord takes at once is sent, at least, in milliseconds.
const SENT_FOR_AT_LEAST: i64 = 27 * 86_400_000;

/// A timeout that is about to be sent, as far as the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlasting {
    /// Why it is not sent, where something lasts longer.
    pub longer: Option<String>,
    /// Whether the daemon sends it by itself: nobody has just asked for it.
    pub automatic: bool,
}

impl View<'_> {
    /// What is known of a timeout that is about to be sent: whether another punishment of the user, or what the guild's own
    /// staff did, lasts longer there. `recent` is how long ago a command counts as just asked for, in milliseconds.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn outlasting(
        &self,
        id: DeliveryId,
        (guild, user): (GuildId, UserId),
        until: Timestamp,
        recent: i64,
    ) -> Result<Outlasting, StoreError> {
        let sql =
            "SELECT p.because IS NOT NULL OR p.created_at < ?2 OR d.attempts > 0 AS automatic, p.event_id
              FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id WHERE d.delivery_id = ?1";
        let values = params![Sql(id), self.now().millis().saturating_sub(recent)];
        let read = |row: &Row<'_>| Ok((row.get("automatic")?, column(row, "event_id")?));
        let (automatic, own): (bool, PunishmentId) =
            self.connection.prepare_cached(sql)?.query_row(values, read)?;
        let after = until.millis().saturating_add(CLOCKS_DIFFER);
        let sql = "SELECT until FROM local_causes
             WHERE guild_id = ?1 AND user_id = ?2 AND measure = 'timeout' AND until > ?3";
        let read = |row: &Row<'_>| column(row, "until");
        let values = params![Sql(guild), Sql(user), after];
        let local: Option<Timestamp> =
            self.connection.prepare_cached(sql)?.query_row(values, read).optional()?;
        let longer = match local {
            Some(until) => {
                Some(format!("{OUTLASTED_THERE}: the guild's own staff timed them out until {until}"))
            }
            None => self.longer_timeout(own, guild, user, after)?,
        };
        Ok(Outlasting { longer, automatic })
    }

    /// Another active timeout that was decided in the guild, or has come to it, and that ends after that time.
    fn longer_timeout(
        &self,
        own: PunishmentId,
        guild: GuildId,
        user: UserId,
        after: i64,
    ) -> Result<Option<String>, StoreError> {
        let sql = format!(
            "SELECT p.event_id, p.expires_at FROM punishments p
              WHERE p.target_user = ?2 AND p.measure = 'timeout' AND p.action = 'timeout' AND p.status = 'active'
                AND p.event_id <> ?3 AND p.expires_at > ?4
                AND ((p.source_guild = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries own
                        WHERE own.punishment_id = p.event_id AND own.guild_id = ?1 AND own.action = 'timeout'))
                  OR EXISTS (SELECT 1 FROM deliveries d LEFT JOIN guild_relationships r ON r.id = d.link_id
                      WHERE d.punishment_id = p.event_id AND d.guild_id = ?1 AND d.action = 'timeout' AND d.let_go = 0
                        AND (d.state IN ('applied', 'unknown') OR (d.state = 'pending' AND d.sent = 1))
                        AND (r.id IS NULL OR r.state = 'active')
                        -- The guild's own staff have not lifted it since.
                        AND (d.lifted IS NULL OR d.echo > d.lifted) AND NOT {}))
              ORDER BY p.expires_at DESC LIMIT 1",
            is_taken_back_along_its_link()
        );
        let values = params![Sql(guild), Sql(user), Sql(own), after];
        let read = |row: &Row<'_>| {
            let (id, until): (PunishmentId, Timestamp) =
                (column(row, "event_id")?, column(row, "expires_at")?);
            Ok(format!("{OUTLASTED_THERE}: timeout #{id} lasts until {until}"))
        };
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
    }

    /// Whether a timeout that Discord shows until then may be one of ours in the guild that is in force no more, and that may
    /// be cut.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn was_ours_until(&self, guild: GuildId, user: UserId, shown: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments p
              LEFT JOIN deliveries d ON d.punishment_id = p.event_id AND d.guild_id = ?1 AND d.action = 'timeout'
             WHERE p.target_user = ?2 AND p.measure = 'timeout' AND p.action = 'timeout'
               AND (d.delivery_id IS NOT NULL OR p.source_guild = ?1)
               AND p.expires_at >= ?3 - ?4
               AND (p.expires_at <= ?3 + ?4 OR ?3 - coalesce(d.updated_at, p.created_at) >= ?5))";
        let values = params![Sql(guild), Sql(user), shown.millis(), CLOCKS_DIFFER, SENT_FOR_AT_LEAST];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// The timeout of another network keeps an undo from a guild. It may end earlier than what Discord shows there, or was
    /// not sent because of that: it is sent now, until its own end.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn hand_timeout_over(&self, guild: GuildId, user: UserId, from: GuildId) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT d.delivery_id, p.source_guild FROM deliveries d
               JOIN punishments p ON p.event_id = d.punishment_id
               JOIN guild_relationships r ON r.id = d.link_id AND r.state = 'active'
              WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.measure = 'timeout' AND d.action = 'timeout'
                AND (d.state = 'applied' OR (d.state = 'skipped' AND d.reason LIKE '{OUTLASTED_THERE}%'))
                AND d.let_go = 0 AND p.source_guild <> ?3 AND p.status = 'active'
                AND p.expires_at > ?4 AND NOT {} ORDER BY p.expires_at DESC LIMIT 1",
            is_taken_back_along_its_link()
        );
        let values = params![Sql(guild), Sql(user), Sql(from), self.now().millis()];
        let read = |row: &Row<'_>| Ok((column(row, "delivery_id")?, column(row, "source_guild")?));
        let found: Option<(DeliveryId, GuildId)> =
            self.connection().prepare_cached(&sql)?.query_row(values, read).optional()?;
        let Some((delivery, source)) = found else { return Ok(()) };
        let topology = self.topology_here()?;
        // Through the gates, as they are now.
        let (state, reason) = match authorise_for(&topology, source, guild, Action::Timeout, user) {
            Ok(_) => (DeliveryState::Pending, None),
            Err(refusal) => (refusal.state(), Some(refusal.to_string())),
        };
        if state.is_final() {
            return Ok(());
        }
        self.note_handed_over(delivery)?;
        self.apply_again(delivery, state, reason.as_deref()).map(drop)
    }
}
