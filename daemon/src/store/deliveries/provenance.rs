//! Whose what stands in a guild is: what an undo may touch.

use super::causes::Causes;
use super::excepted::HAS_ENDED;
use super::{APPLIED_AGAIN, Echo};
use crate::store::local_causes::LocalCause;
use crate::store::rows::{Sql, column};
use crate::store::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, named_params, params};
use wayhaven_shared::operations::exception::ExceptionOrigin;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, Timestamp, UserId};

/// What is to become of an undo in a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is ours, and no other cause remains.
    TakeBack,
    /// It stays, for this reason.
    Leave(String),
    /// Only Discord knows whether we did it.
    Ask(Asked),
}

impl Judged {
    /// That the punishment of another network keeps it there.
    fn left_to_others(measure: Action) -> Self {
        Self::Leave(format!("another network's {measure} remains"))
    }

    /// Whether the punishment of another network keeps it there.
    pub fn is_left_to_others(&self, measure: Action) -> bool {
        *self == Self::left_to_others(measure)
    }
}

/// What Discord is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Our first request that may have done it left no earlier.
    pub since: Timestamp,
    /// And the last was heard of no later.
    pub until: Timestamp,
    /// When Discord said last that it is done, if it did.
    pub applied: Option<Timestamp>,
}

/// The deliveries that may have done what stands there: those since the measure was last taken back whose request left,
/// or may have. One that was refused did nothing, and an undo that was refused, or skipped, has taken nothing back. A
/// timeout ends by itself.
pub(super) fn standing() -> String {
    format!(
        "deliveries d JOIN punishments p ON p.event_id = d.punishment_id
     WHERE d.guild_id = :guild AND d.target_user = :user AND d.measure = :measure AND d.action = d.measure
       AND d.delivery_id < :before AND (d.state = 'applied' OR d.sent = 1)
       AND (d.lifted IS NULL OR d.echo > d.lifted)
       AND NOT EXISTS (SELECT 1 FROM deliveries later
             WHERE later.guild_id = :guild AND later.target_user = :user AND later.measure = :measure
               AND later.action <> later.measure AND later.state = 'applied' AND later.delivery_id < :before
               AND later.delivery_id > d.delivery_id AND NOT {APPLIED_AGAIN})
       AND (d.measure <> 'timeout' OR p.expires_at IS NULL OR p.expires_at > :now)"
    )
}

/// That what the delivery `d` did was taken back along its link since, and not applied again: when the link closed, where its
/// punishment is still active.
pub(super) fn is_taken_back_along_its_link() -> String {
    format!(
        "EXISTS (SELECT 1 FROM deliveries later
          WHERE later.guild_id = d.guild_id AND later.target_user = d.target_user AND later.measure = d.measure
            AND later.link_id = d.link_id AND later.action <> later.measure AND later.state = 'applied'
            AND later.delivery_id > d.delivery_id AND NOT {APPLIED_AGAIN})"
    )
}

/// What is known of those deliveries.
pub(super) struct Standing {
    /// How many there are.
    count: i64,
    /// Of how many Discord has told that we did it.
    pub(super) ours: i64,
    /// Of how many nothing is known.
    unknown: i64,
    pub(super) asked: Option<Asked>,
}

/// A delivery that the guild's own staff have taken back.
#[derive(Clone, Copy, Debug)]
pub struct Overridden {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its punishment.
    pub punishment: PunishmentId,
    /// The main that decided it.
    pub main: GuildId,
}

impl View<'_> {
    /// Provenance: what is to become of an undo of a measure that was decided in `source`, in the child `guild`. Only
    /// what Wayhaven did is undone, and only when no other cause remains. `undo` is the undo's own delivery, where it
    /// has one already.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn judge_undo(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
        undo: Option<DeliveryId>,
    ) -> Result<Judged, StoreError> {
        let measure = measure.measure();
        let excepted = self.exception(guild, user, measure)?.map(|exception| exception.origin);
        if let Some(undo) = undo
            && excepted != Some(ExceptionOrigin::Command)
            && self.is_for_an_exception(undo)?
        {
            return Ok(Judged::Leave(HAS_ENDED.to_owned()));
        }
        self.judge(guild, user, source, measure, undo, excepted)
    }

    /// The same of what an exception that is asked for is to take back.
    pub(super) fn judge_lift(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
    ) -> Result<Judged, StoreError> {
        self.judge(guild, user, source, measure, None, Some(ExceptionOrigin::Command))
    }

    fn judge(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
        undo: Option<DeliveryId>,
        excepted: Option<ExceptionOrigin>,
    ) -> Result<Judged, StoreError> {
        if let Some(cause) = self.standing_local_cause(guild, user, measure)? {
            return Ok(match self.asked_about_local(guild, user, cause, undo)? {
                Some(asked) => Judged::Ask(asked),
                None => Judged::Leave(done_by_staff(measure)),
            });
        }
        if excepted == Some(ExceptionOrigin::Override) {
            return Ok(Judged::Leave("taken back there by its own staff".to_owned()));
        }
        let standing = self.standing(guild, user, measure, undo)?;
        if standing.count == 0 {
            return Ok(Judged::Leave(format!("Wayhaven has not {} there", measure.done_to("them"))));
        }
        if standing.ours == 0 && standing.unknown == 0 {
            return Ok(Judged::Leave(format!("they were {} there already", measure.past())));
        }
        let causes = match excepted {
            Some(_) => Causes::Kept,
            None => Causes::AndKept,
        };
        if self.has_other_cause(guild, user, source, measure, causes)? {
            return Ok(Judged::left_to_others(measure));
        }
        Ok(match standing.asked.filter(|_| standing.ours == 0) {
            Some(asked) => Judged::Ask(asked),
            None => Judged::TakeBack,
        })
    }

    /// What Discord's log is asked where the guild's own staff have done it: an entry of ours that is later tells that theirs
    /// had ended by then. Nothing where none of ours may be later. A timeout's entry tells itself what was there before.
    fn asked_about_local(
        &self,
        guild: GuildId,
        user: UserId,
        cause: LocalCause,
        undo: Option<DeliveryId>,
    ) -> Result<Option<Asked>, StoreError> {
        if cause.measure == Action::Timeout {
            return Ok(None);
        }
        let made_at = self.skew().made_at(cause.entry);
        let asked = self.standing(guild, user, cause.measure, undo)?.asked;
        Ok(asked.filter(|asked| asked.until >= made_at))
    }

    /// What stands of the measure in the guild because a main's punishment of the user was delivered along a link that is
    /// active still, and nobody has taken it back: what the guild's staff override by lifting it. The newest first, one of
    /// each main. What has ended by itself by `at` is none, and neither is what goes along a link that both sides agreed to
    /// only after that: the guild's log may be read later. What was lifted there before the link was agreed to, and did not come
    /// along it since, is of an earlier link.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn overridden(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        at: Timestamp,
    ) -> Result<Vec<Overridden>, StoreError> {
        let sql = format!(
            "SELECT max(d.delivery_id) AS delivery, p.event_id, p.source_guild FROM deliveries d
              JOIN punishments p ON p.event_id = d.punishment_id AND p.status = 'active'
              JOIN guild_relationships r ON r.id = d.link_id AND r.state = 'active' AND r.accepted_at <= ?4
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.action = ?3 AND d.state = 'applied'
               AND (p.expires_at IS NULL OR p.expires_at > ?4)
               AND (d.lifted IS NULL OR d.updated_at >= r.accepted_at OR (d.lifted >> 22) + ?5 >= r.accepted_at)
               AND NOT {}
             GROUP BY p.source_guild ORDER BY delivery DESC",
            is_taken_back_along_its_link()
        );
        let measure = measure.measure().word();
        let mut statement = self.connection.prepare_cached(&sql)?;
        let read = |row: &Row<'_>| {
            Ok(Overridden {
                delivery: column(row, "delivery")?,
                punishment: column(row, "event_id")?,
                main: column(row, "source_guild")?,
            })
        };
        let epoch = self.skew().made_at(0).millis();
        let rows = statement.query_map(params![Sql(guild), Sql(user), measure, at.millis(), epoch], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether something of ours takes a measure back from the user in the guild, or may have since then: what Discord has shown
    /// of it is of before.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_being_taken_back(
        &self,
        guild: GuildId,
        (user, measure): (UserId, Action),
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3 AND action <> measure
               AND (state IN ('pending', 'sending', 'unknown') OR (state = 'applied' AND updated_at >= ?4)))";
        let values = params![Sql(guild), Sql(user), measure.word(), since.millis()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether the last that counts of the measure for the user in the guild is an undo of ours: nothing of ours is left.
    pub(in crate::store) fn is_taken_back(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT later.action <> later.measure FROM deliveries later
              WHERE later.guild_id = ?1 AND later.target_user = ?2 AND later.measure = ?3
                AND (later.state = 'applied' OR (later.sent = 1 AND later.action = later.measure))
                AND NOT (later.action <> later.measure AND EXISTS (SELECT 1 FROM deliveries d WHERE d.guild_id = ?1
                     AND d.target_user = ?2 AND d.measure = ?3 AND d.delivery_id < later.delivery_id AND {APPLIED_AGAIN}))
              ORDER BY later.delivery_id DESC LIMIT 1"
        );
        let values = params![Sql(guild), Sql(user), measure.measure().word()];
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row(values, |row| row.get(0))
            .optional()?
            .unwrap_or(true))
    }

    /// Whether what a delivery did was taken back along its link, and not applied again since.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_taken_back_along_its_link(&self, delivery: DeliveryId) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM deliveries d WHERE d.delivery_id = ?1 AND {})",
            is_taken_back_along_its_link()
        );
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(delivery)], |row| row.get(0))?)
    }

    /// Whether the guild's own staff have taken back what mains have decided, and it is respected.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_overridden(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        let exception = self.exception(guild, user, measure)?;
        Ok(exception.is_some_and(|one| one.origin == ExceptionOrigin::Override))
    }

    /// How many other kicks of the user were carried out there by requests that left since then: each has an entry of its
    /// own in the guild's audit log.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn other_kicks(
        &self,
        guild: GuildId,
        user: UserId,
        kick: DeliveryId,
        since: Timestamp,
    ) -> Result<usize, StoreError> {
        let sql =
            "SELECT count(*) FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = 'kick'
               AND delivery_id <> ?3 AND sent_at >= ?4
               -- One that was superseded while it was on its way has an entry too.
               AND (state = 'applied' OR (state = 'superseded' AND attempts > 0))";
        let values = params![Sql(guild), Sql(user), Sql(kick), since.millis()];
        let count: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Whether a timeout that was in force in the guild at that time, and that ours took the place of, may have been an
    /// earlier one of ours.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn was_timed_out_by_us(
        &self,
        guild: GuildId,
        user: UserId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        // Not by number alone: what a freeze held is older than an undo of another main, and leaves after it.
        let sql = format!(
            "SELECT count(*) > 1 OR max(d.echo IS NOT NULL OR d.was_there IS 0) IS 1
              FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.measure = 'timeout' AND d.action = d.measure
               AND (d.state IN ('applied', 'pending', 'unknown') OR d.sent = 1)
               AND (d.lifted IS NULL OR d.echo > d.lifted) AND (p.expires_at IS NULL OR p.expires_at > ?3)
               AND NOT EXISTS (SELECT 1 FROM deliveries later
                     WHERE later.guild_id = ?1 AND later.target_user = ?2 AND later.measure = 'timeout'
                       AND later.action <> later.measure AND later.state = 'applied'
                       AND later.delivery_id > d.delivery_id AND later.updated_at >= d.updated_at AND NOT {APPLIED_AGAIN})"
        );
        let values = params![Sql(guild), Sql(user), at.millis()];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }

    pub(super) fn standing(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        before: Option<DeliveryId>,
    ) -> Result<Standing, StoreError> {
        let sql = format!(
            "SELECT count(*) AS count, coalesce(sum(d.was_there = 0), 0) AS ours,
                    coalesce(sum(d.was_there IS NULL), 0) AS unknown,
                    min(iif(d.was_there IS NULL, d.created_at, NULL)) AS since,
                    max(iif(d.was_there IS NULL, d.updated_at, NULL)) AS until,
                    max(iif(d.was_there IS NULL AND d.state = 'applied', d.updated_at, NULL)) AS applied
               FROM {}",
            standing()
        );
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let read = |row: &Row<'_>| {
            let (since, until) = (time(row.get("since")?), time(row.get("until")?));
            let applied = time(row.get("applied")?);
            Ok(Standing {
                count: row.get("count")?,
                ours: row.get("ours")?,
                unknown: row.get("unknown")?,
                asked: since.zip(until).map(|(since, until)| Asked { since, until, applied }),
            })
        };
        let values = named_params! {
            ":guild": Sql(guild), ":user": Sql(user), ":measure": measure.word(), ":before": below(before),
            ":now": self.now().millis(),
        };
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, read)?)
    }
}

impl Change<'_> {
    /// Notes what Discord answered: the entry by which we did it, or that there is none and it was so before.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_provenance(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        undo: DeliveryId,
        entry: Option<u64>,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET was_there = :entry IS NULL, echo = coalesce(:entry, echo)
              WHERE delivery_id IN (SELECT d.delivery_id FROM {} AND d.was_there IS NULL)",
            standing()
        );
        let values = named_params! {
            ":guild": Sql(guild), ":user": Sql(user), ":measure": measure.measure().word(), ":before": below(Some(undo)),
            ":now": self.now().millis(), ":entry": entry.map(u64::cast_signed),
        };
        self.connection().prepare_cached(&sql)?.execute(values)?;
        match entry {
            Some(entry) => self.changed_by_us(Echo::of_entry(guild, user, measure.measure(), entry)),
            None => Ok(()),
        }
    }
}

/// Why an undo leaves what the guild's own staff did.
pub fn done_by_staff(measure: Action) -> String {
    format!("{} there by its own staff", measure.measure().past())
}

pub(super) fn below(delivery: Option<DeliveryId>) -> i64 {
    delivery.map_or(i64::MAX, |id| id.get().cast_signed())
}
