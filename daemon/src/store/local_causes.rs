//! `local_causes`: what a guild's own staff have done to somebody there by hand. No undo of ours touches it.
//!
//! Invariant: a local cause lasts no longer than what it stands for. It ends when the staff take it back, at its time, and
//! when Discord shows, later than the cause was made, that the measure does not stand there: somebody has joined again
//! without the mute role, is not banned, or our own request changed what it would otherwise have found. What is older than
//! the cause ends nothing.

use super::rows::{Sql, column, optional, word};
use super::{Change, Echo, StoreError, Stretch, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, RoleId, Timestamp, UserId};

/// How far Discord's clock and ours may be apart, in milliseconds.
const CLOCKS_DIFFER: i64 = 5_000;

/// Two ends that are closer are the same one, in milliseconds.
const SAME_END: i64 = 1_500;

/// The measures whose cause Discord does not keep with an end of its own.
const WITHOUT_END: [Action; 2] = [Action::Ban, Action::Mute];

/// A member as Discord shows them. Times are this machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownMember {
    /// Their roles.
    pub roles: Vec<RoleId>,
    /// When they joined, where Discord tells.
    pub joined_at: Option<Timestamp>,
    /// When their timeout ends, or that they have none; nothing where Discord does not tell.
    pub timeout: Option<Option<Timestamp>>,
    /// What is shown is not older than this.
    pub as_of: Timestamp,
}

impl ShownMember {
    /// From when on it is sure that they are as they are shown: a member has only what was given since they joined.
    fn since(&self) -> Timestamp {
        let asked = Timestamp::from_millis(self.as_of.millis().saturating_sub(CLOCKS_DIFFER));
        self.joined_at.map_or(asked, |joined| joined.max(asked))
    }
}

/// What a guild's own staff did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalCause {
    pub(super) measure: Action,
    /// When it ends by itself.
    pub(super) until: Option<Timestamp>,
    /// The entry by which it was done.
    pub(super) entry: u64,
}

fn local_cause(row: &Row<'_>) -> rusqlite::Result<LocalCause> {
    Ok(LocalCause {
        measure: word(row, "measure", Action::from_word)?,
        until: optional(row, "until")?,
        entry: row.get::<_, i64>("entry")?.cast_unsigned(),
    })
}

impl View<'_> {
    /// Whether the guild's own staff have done this to the user there, and it stands: what ends by itself counts until then.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_done_locally(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        Ok(self.standing_local_cause(guild, user, measure)?.is_some())
    }

    /// What the guild's own staff have done to the user there, where it stands.
    pub(super) fn standing_local_cause(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<LocalCause>, StoreError> {
        let sql = "SELECT measure, until, entry FROM local_causes
             WHERE guild_id = ?1 AND user_id = ?2 AND measure = ?3 AND (until IS NULL OR until > ?4)";
        let values = params![Sql(guild), Sql(user), measure.measure().word(), self.now().millis()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, local_cause).optional()?)
    }

    /// Whether anything is known of the user in the guild that what Discord shows may end.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn may_have_ended(&self, guild: GuildId, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM local_causes WHERE guild_id = ?1 AND user_id = ?2)
                OR EXISTS (SELECT 1 FROM former_mute_roles WHERE guild_id = ?1 AND user_id = ?2)
                OR EXISTS (SELECT 1 FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND action = measure
                     AND (was_there = 1 OR (state = 'applied' AND scope = 'child' AND gone = 0)))";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![Sql(guild), Sql(user)], |row| row.get(0))?)
    }

    /// The users in that stretch of whom something is known in the guild that a list of its may end: what its own staff did,
    /// and what was left there when a link was closed.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn may_have_ended_in(&self, guild: GuildId, stretch: Stretch) -> Result<Vec<UserId>, StoreError> {
        let sql =
            "SELECT user_id AS user FROM local_causes WHERE guild_id = ?1 AND user_id > ?2 AND user_id <= ?3
            UNION SELECT d.target_user FROM deliveries d JOIN guild_relationships r ON r.id = d.link_id
             WHERE d.guild_id = ?1 AND d.target_user > ?2 AND d.target_user <= ?3 AND d.action = d.measure
               AND d.state = 'applied' AND d.gone = 0 AND r.state NOT IN ('active', 'closing') ORDER BY 1";
        let (after, up_to) = stretch.bounds();
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(guild), after, up_to], |row| column(row, "user"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether our own request did the measure later than an entry of staff that did it or took it back. A request that finds
    /// it so already changes nothing and has no entry: what the staff's entry tells of was over by then.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_done_by_us_since(&self, told: Echo) -> Result<bool, StoreError> {
        // Over somebody else's timeout ours has an entry all the same.
        if !told.logged || told.action == Action::Timeout {
            return Ok(false);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
             AND action = measure AND echo > ?4)";
        let measure = told.action.measure().word();
        let values = params![Sql(told.guild), Sql(told.user), measure, told.entry.cast_signed()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Remembers what a guild's own staff did, or forgets it where they took it back. What leaves nothing behind (a kick,
    /// a warning) is not remembered, and neither is what had ended before something that is known already.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_local_cause(
        &self,
        told: Echo,
        actor: Option<UserId>,
        until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let Echo { guild, user, action, entry, logged } = told;
        if action.is_undo() {
            // An event comes when it comes, and tells how it is from then on.
            let before = if logged { entry } else { u64::MAX >> 1 };
            return self.end_local_cause(guild, user, action, before);
        }
        if action.undo().is_none() || self.is_done_by_us_since(told)? {
            return Ok(());
        }
        // They do it themselves again.
        self.end_override(guild, user, action)?;
        let sql = "INSERT INTO local_causes (guild_id, user_id, measure, actor_id, since, until, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET until = excluded.until, actor_id = coalesce(excluded.actor_id, actor_id),
                 entry = excluded.entry WHERE excluded.entry >= entry";
        let (now, until) = (self.now().millis(), until.map(Timestamp::millis));
        let values =
            params![Sql(guild), Sql(user), action.word(), Sql(actor), now, until, entry.cast_signed()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Ends what the guild's own staff did before that entry.
    pub(super) fn end_local_cause(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        before: u64,
    ) -> Result<(), StoreError> {
        let sql =
            "DELETE FROM local_causes WHERE guild_id = ?1 AND user_id = ?2 AND measure = ?3 AND entry < ?4";
        let values = params![Sql(guild), Sql(user), measure.measure().word(), before.cast_signed()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Takes in that an entry tells of what we did: it was not so right before. Of a timeout the entry says itself what was
    /// there before ([`timeout_was`](Self::timeout_was)).
    pub(super) fn changed_by_us(&self, told: Echo) -> Result<(), StoreError> {
        let Echo { guild, user, action, entry, logged } = told;
        if !logged || !(action.is_undo() || WITHOUT_END.contains(&action)) {
            return Ok(());
        }
        self.end_local_cause(guild, user, action, entry)
    }

    /// Takes in when the timeout that stood before an entry was to end, where one stood: what the guild's own staff did before
    /// does not last longer.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn timeout_was(
        &self,
        guild: GuildId,
        user: UserId,
        before: u64,
        until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let Some(until) = until.filter(|until| *until > self.now()) else {
            return self.end_local_cause(guild, user, Action::Timeout, before);
        };
        let sql =
            "UPDATE local_causes SET until = ?4 WHERE guild_id = ?1 AND user_id = ?2 AND measure = 'timeout'
             AND entry < ?3 AND (until IS NULL OR until > ?5)";
        let ends = until.millis();
        let values =
            params![Sql(guild), Sql(user), before.cast_signed(), ends, ends.saturating_add(SAME_END)];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Takes in how Discord shows a member: they are not banned, and have or lack the mute role and a timeout.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn take_in_member(
        &self,
        guild: GuildId,
        user: UserId,
        shown: &ShownMember,
    ) -> Result<(), StoreError> {
        if !self.may_have_ended(guild, user)? {
            return Ok(());
        }
        let since = shown.since();
        self.ended_by(guild, user, Action::Ban, since)?;
        let role = self.config(guild)?.mute_role_id;
        if role.is_some_and(|role| !shown.roles.contains(&role)) {
            self.ended_by(guild, user, Action::Mute, since)?;
        }
        if self.configured_at(guild)?.is_some_and(|configured| configured <= since) {
            self.keep_former_roles(guild, user, &shown.roles)?;
        }
        match shown.timeout {
            Some(Some(until)) if until > self.now() => {
                let after = Timestamp::from_millis(since.millis().saturating_add(1));
                self.timeout_was(guild, user, self.skew().first_snowflake(after), Some(until))
            }
            Some(_) => self.ended_by(guild, user, Action::Timeout, since),
            None => Ok(()),
        }
    }

    /// Takes in that the user was not banned in the guild, asked no earlier than that.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn take_in_not_banned(
        &self,
        guild: GuildId,
        user: UserId,
        as_of: Timestamp,
    ) -> Result<(), StoreError> {
        let since = Timestamp::from_millis(as_of.millis().saturating_sub(CLOCKS_DIFFER));
        self.ended_by(guild, user, Action::Ban, since)
    }

    /// A measure does not stand for the user in the guild, and has ended by then if it was done before: whoever did it.
    fn ended_by(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        by: Timestamp,
    ) -> Result<(), StoreError> {
        let first_after = Timestamp::from_millis(by.millis().saturating_add(1));
        self.end_local_cause(guild, user, measure, self.skew().first_snowflake(first_after))?;
        // Once it is done again, it is not known any more whether it is so already.
        let sql =
            "UPDATE deliveries SET was_there = NULL WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
             AND action = measure AND was_there = 1 AND updated_at <= ?4";
        let values = params![Sql(guild), Sql(user), measure.word(), by.millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let sql = "UPDATE deliveries SET gone = 1 WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
             AND action = measure AND scope = 'child' AND state = 'applied' AND gone = 0 AND updated_at <= ?4";
        let values = params![Sql(guild), Sql(user), measure.word(), by.millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Notes that Discord showed that it was so already, right before a delivery's first request was to leave.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_found(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        let sql = "UPDATE deliveries SET was_there = 1
             WHERE delivery_id = ?1 AND was_there IS NULL AND attempts = 0 AND sent = 0";
        self.connection().prepare_cached(sql)?.execute([Sql(delivery)])?;
        Ok(())
    }

    /// A role is deleted: where it was the guild's mute role, nobody has it any more.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn role_deleted(&self, guild: GuildId, role: RoleId) -> Result<(), StoreError> {
        match self.config(guild)?.mute_role_id == Some(role) {
            true => self.end_local_mutes(guild),
            false => Ok(()),
        }
    }

    /// Ends what the guild's own staff did with its mute role, which is another one from now on, or none.
    pub(super) fn end_local_mutes(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql = "DELETE FROM local_causes WHERE guild_id = ?1 AND measure = 'mute'";
        self.connection().prepare_cached(sql)?.execute([Sql(guild)])?;
        Ok(())
    }

    /// A delivery is applied. A guild's own undo by command ends what its staff did like one by hand. What Discord answered to
    /// a request for several was not so before.
    pub(super) fn end_causes_by(
        &self,
        delivery: DeliveryId,
        was_there: Option<bool>,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM local_causes WHERE (guild_id, user_id, measure) =
                       (SELECT guild_id, target_user, measure FROM deliveries
                         WHERE delivery_id = ?1 AND scope = 'origin' AND action <> measure)";
        self.connection().prepare_cached(sql)?.execute([Sql(delivery)])?;
        if was_there != Some(false) {
            return Ok(());
        }
        let sql = "SELECT guild_id, target_user, action, together_at FROM deliveries
             WHERE delivery_id = ?1 AND action = measure AND together_at IS NOT NULL";
        let read = |row: &Row<'_>| {
            let (guild, user) = (column(row, "guild_id")?, column(row, "target_user")?);
            let left: Timestamp = column(row, "together_at")?;
            Ok((guild, user, word(row, "action", Action::from_word)?, left))
        };
        let together = self.connection().prepare_cached(sql)?.query_row([Sql(delivery)], read).optional()?;
        match together {
            Some((guild, user, action, left)) => {
                self.end_local_cause(guild, user, action, self.skew().first_snowflake(left))
            }
            None => Ok(()),
        }
    }
}
