//! `deliveries`: the outbox. How it is filled is in `insert`, what is shown of it in `listing`, what Discord tells of it in
//! `echo`, what an undo may touch in `provenance`.

mod again;
mod anew;
mod causes;
mod desired;
mod echo;
mod ending;
mod excepted;
mod former;
mod held;
mod insert;
mod listing;
mod lost;
mod origin_step;
mod outlasting;
mod protected;
mod provenance;
mod settle;

pub use again::{LONGEST_TIMEOUT, WHEN_THEY_JOIN};
pub use anew::Stand;
pub use desired::{DISCARDED, Footing, Pace, Stretch, Traffic};
pub use echo::Echo;
pub use excepted::Stopped;
pub use insert::First;
pub use listing::{DeliveryFilter, RetryFilter, Unfinished};
pub use lost::LostBulkBan;
pub(super) use origin_step::NOTHING_REFUSED;
pub(super) use origin_step::OriginStep;
pub use origin_step::{BOT_ABSENT, ORIGIN_REFUSED, TRIED_ALONE};
pub use protected::{PROTECTED, protected_by};
pub use provenance::{Asked, Judged, Overridden, done_by_staff};

use self::held::NOT_APPROVED;
use self::origin_step::NOT_AWAITED;
use super::overlaps::OUTLASTED;
use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use crate::delivery::{Doubt, Queued, Scope};
use rusqlite::{OptionalExtension, Row, params};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId, LinkId, PunishmentId, Timestamp, UserId};

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Where it stands now.
    pub state: DeliveryState,
    /// Why.
    pub reason: Option<String>,
    /// Requests that left for it so far.
    pub attempts: u32,
    /// How long it is left alone at least, across a restart too.
    pub wait: Option<Duration>,
    /// Whether it was so before we came, where Discord has told.
    pub was_there: Option<bool>,
}

/// Whether a delivery may leave, as the store has it: the engine is not told of everything that
/// ends it, or holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Open,
    /// It waits in this hold for a decision.
    Waits(HoldId),
    /// Something has ended it.
    Ended,
}

/// The states that a delivery has not ended in. One index is of them alone.
pub(super) const OPEN: &str = "('pending', 'held', 'sending', 'blocked', 'unknown')";

/// Not one that waits until the user was told, or until Discord has answered to the main's own step: it has not left, and is
/// the engine's only then (`direct`, `origin_step`).
fn released() -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM direct_messages m
            WHERE m.punishment_id = d.punishment_id AND m.holds = 1 AND d.state = 'pending') AND {NOT_AWAITED}"
    )
}
/// That the delivery `d` was applied once more after `later` was done: it is the last word of the two, whatever their
/// numbers say.
pub(super) const APPLIED_AGAIN: &str = "EXISTS (SELECT 1 FROM reapplications again
    WHERE again.delivery_id = d.delivery_id AND again.at >= later.updated_at)";

/// Why what was open along a link has ended with it.
const STOPPED: &str = "the link was removed";

/// What a changed row is told with.
const RETURNED: &str = "scope, delivery_id, punishment_id, guild_id, action, target_user, state, reason,
    attempts, created_at, updated_at, (SELECT name FROM guild_settings g WHERE g.guild_id = deliveries.guild_id) AS name";

const COLUMNS: &str =
    "d.delivery_id, d.punishment_id, d.guild_id, d.action, d.target_user, d.state, d.reason,
    d.attempts, d.created_at, d.updated_at, g.name
    FROM deliveries d LEFT JOIN guild_settings g ON g.guild_id = d.guild_id";

const QUEUED: &str =
    "d.delivery_id, d.punishment_id, p.source_guild, d.guild_id, d.link_id, d.action, d.target_user,
    iif(d.action = p.action, p.reason,
        iif((SELECT state FROM guild_relationships r WHERE r.id = d.link_id) = 'active',
            'the guild makes an exception, and what the network did is taken back',
            'the link to the network is closed, and what it did is taken back')) AS reason,
    p.delete_seconds, p.expires_at, p.because, d.attempts, d.state, d.not_before, d.trickle, d.hold_id
    FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id";

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: column(row, "delivery_id")?,
        punishment_id: column(row, "punishment_id")?,
        action: word(row, "action", Action::from_word)?,
        guild_id: column(row, "guild_id")?,
        guild_name: optional(row, "name")?,
        user_id: column(row, "target_user")?,
        state: word(row, "state", DeliveryState::from_word)?,
        reason: row.get("reason")?,
        attempts: row.get("attempts")?,
        created_at: column(row, "created_at")?,
        updated_at: column(row, "updated_at")?,
    })
}

fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    Ok(Queued {
        id: column(row, "delivery_id")?,
        punishment: column(row, "punishment_id")?,
        source: column(row, "source_guild")?,
        guild: column(row, "guild_id")?,
        scope: optional(row, "link_id")?.map_or(Scope::Origin, Scope::Child),
        action: word(row, "action", Action::from_word)?,
        user: column(row, "target_user")?,
        reason: optional(row, "reason")?.map(Arc::new),
        delete_seconds: row.get("delete_seconds")?,
        until: optional(row, "expires_at")?,
        attempts: row.get("attempts")?,
        state: word(row, "state", DeliveryState::from_word)?,
        not_before: optional(row, "not_before")?,
        trickle: row.get("trickle")?,
        alone: false,
        because: optional(row, "because")?,
        hold: optional(row, "hold_id")?,
        instead_of: None,
        doubt: Doubt::default(),
    })
}

impl View<'_> {
    /// How many deliveries are open along a link.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_along(&self, link: LinkId) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM deliveries WHERE link_id = ?1 AND state IN {OPEN}");
        let count: i64 = self.connection.prepare_cached(&sql)?.query_row([Sql(link)], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Whether a delivery that is about to leave may.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn may_leave(&self, id: DeliveryId) -> Result<Leave, StoreError> {
        let sql = format!(
            "SELECT iif(d.state = 'held' AND {NOT_APPROVED}, d.hold_id, NULL) AS waits FROM deliveries d
              WHERE d.delivery_id = ?1 AND d.state IN {OPEN}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let waits = statement.query_row([Sql(id)], |row| optional(row, "waits")).optional()?;
        Ok(match waits {
            None => Leave::Ended,
            Some(None) => Leave::Open,
            Some(Some(hold)) => Leave::Waits(hold),
        })
    }

    /// When a request of a delivery that must not be repeated was last marked as about to leave.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn sent_at(&self, id: DeliveryId) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT sent_at FROM deliveries WHERE delivery_id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| optional(row, "sent_at"))?)
    }

    /// Everything open that waits for no direct message, oldest first: what a start goes on with.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_deliveries(&self) -> Result<Vec<Queued>, StoreError> {
        let sql =
            format!("SELECT {QUEUED} WHERE d.state IN {OPEN} AND {} ORDER BY d.delivery_id", released());
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([], queued)?.collect::<Result<_, _>>()?)
    }

    /// What is pending of a punishment and may be sent, in order.
    pub(super) fn pending_deliveries_of(&self, punishment: PunishmentId) -> Result<Vec<Queued>, StoreError> {
        let sql = format!(
            "SELECT {QUEUED} WHERE d.punishment_id = ?1 AND d.state = 'pending' AND {} ORDER BY d.delivery_id",
            released()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([Sql(punishment)], queued)?.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Ends what is open of a measure for the user in the guild, because something newer takes its place: what the same guild
    /// decided before, and where a guild decides for itself (`source` is `guild`), what others have for it too. What
    /// another main decided stands beside it: two networks that share a child have both their say.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn supersede(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = 'a newer punishment took its place', updated_at = ?3
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?5 AND state IN {OPEN}
               AND (?4 = ?1 OR (SELECT source_guild FROM punishments WHERE event_id = punishment_id) = ?4)
             RETURNING {RETURNED}"
        );
        let values =
            params![Sql(guild), Sql(user), self.now().millis(), Sql(source), measure.measure().word()];
        self.update_and_tell(&sql, values)
    }

    /// At the start: what was open when the daemon ended may have been on its way, and so may what something still
    /// open took the place of.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn suspect_open_deliveries(&self) -> Result<(), StoreError> {
        for sql in suspects() {
            self.connection().prepare_cached(&sql)?.execute([])?;
        }
        Ok(())
    }

    /// Ends what is open along a link, because the link is gone.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn stop_link(&self, link: LinkId) -> Result<Vec<DeliveryId>, StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'skipped', updated_at = ?2,
                reason = iif(state = 'held', 'the link was removed while it was held', '{STOPPED}')
             WHERE link_id = ?1 AND state IN {OPEN} RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(link), self.now().millis()])
    }

    /// Opens again what has failed or stands still, for another try; whether it was done. What something newer would
    /// have superseded stays as it is.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reopen(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'pending', reason = NULL, not_before = NULL, updated_at = ?2
             WHERE delivery_id = ?1 AND state IN ('failed', 'held', 'blocked')
               AND NOT ({})
               AND NOT EXISTS (SELECT 1 FROM deliveries d JOIN deliveries later ON later.guild_id = d.guild_id
                       AND later.target_user = d.target_user AND later.measure = d.measure
                       AND later.delivery_id > d.delivery_id
                   WHERE d.delivery_id = ?1
                   AND (later.scope = 'origin'
                        OR (SELECT source_guild FROM punishments WHERE event_id = later.punishment_id)
                         = (SELECT source_guild FROM punishments WHERE event_id = d.punishment_id))
                   -- Where the newer was taken back by itself, the older applies again.
                   AND NOT ((SELECT status FROM punishments WHERE event_id = later.punishment_id)
                             IN ('reversed', 'expired', 'failed')
                        AND (SELECT status FROM punishments WHERE event_id = d.punishment_id) = 'active')
                   -- What was not carried out because of a longer punishment takes nothing's place.
                   AND NOT (later.state = 'skipped' AND coalesce(later.reason, '') LIKE '{OUTLASTED}%')
                   AND NOT {APPLIED_AGAIN}
                   -- What was skipped for this user alone has ended nothing that was held.
                   AND NOT (d.state = 'held' AND later.state = 'skipped')
                   -- What does the same and nobody has approved takes nothing's place.
                   AND NOT (later.action = d.action AND {})
                   -- Nor does what stays undelivered because the user was protected.
                   AND NOT (later.action = later.measure AND {}))
             RETURNING {RETURNED}",
            held::NOT_APPROVED.replace("d.", "deliveries."),
            held::NOT_APPROVED.replace("d.", "later."),
            protected::is_kept_away("later")
        );
        let opened = self.update_and_tell(&sql, params![Sql(id), self.now().millis()])?;
        opened.iter().try_for_each(|id| self.queue(*id))?;
        Ok(!opened.is_empty())
    }

    /// Runs an update that returns [`RETURNED`], and tells of each row.
    fn update_and_tell(
        &self,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let changed: Vec<(bool, Delivery)> = statement
            .query_map(values, |row| Ok((row.get_ref("scope")?.as_str()? == "origin", delivery(row)?)))?
            .collect::<Result<_, _>>()?;
        let mut ids = Vec::with_capacity(changed.len());
        for (origin, delivery) in changed {
            ids.push(delivery.id);
            self.tell(&telling(origin, delivery.clone()))?;
            if origin {
                self.follow_origin(&delivery)?;
            }
        }
        Ok(ids)
    }
}

/// What marks at the start what may have left before the end: each looks at what is open, or closing, and not at all that was
/// ever delivered, whichever way SQLite would go by itself.
pub(super) fn suspects() -> [String; 3] {
    [
        format!(
            "UPDATE deliveries AS d SET sent = 1
             WHERE d.state IN {OPEN} AND d.state <> 'held' AND d.sent = 0 AND {}",
            released()
        ),
        format!(
            "UPDATE deliveries SET sent = 1 WHERE delivery_id IN (
                 SELECT older.delivery_id FROM deliveries newer CROSS JOIN deliveries older
                     ON older.guild_id = newer.guild_id AND older.target_user = newer.target_user
                    AND older.delivery_id < newer.delivery_id AND older.measure = newer.measure
                  WHERE newer.state IN {OPEN} AND older.state = 'superseded' AND older.action = older.measure
                    AND NOT ({}))",
            held::NOT_APPROVED.replace("d.", "older.")
        ),
        // And so may what ended with a link whose deliveries are being taken back.
        format!(
            "UPDATE deliveries SET sent = 1 WHERE sent = 0 AND state = 'skipped' AND reason = '{STOPPED}' AND action = measure
               AND guild_id IN (SELECT child_guild_id FROM guild_relationships WHERE state = 'closing')
               AND EXISTS (SELECT 1 FROM guild_relationships r WHERE r.id = deliveries.link_id
                              AND r.state = 'closing' AND r.updated_at <= deliveries.updated_at)"
        ),
    ]
}

/// What is told of a delivery, or of what is done where it was decided.
fn telling(origin: bool, delivery: Delivery) -> Changed {
    if origin { Changed::Origin { delivery } } else { Changed::Delivery { delivery } }
}
