//! `punishments`.

use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, Telling, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::{Action, Origin, Punishment};
use wayhaven_shared::value::{Evidence, GuildId, PunishmentId, Timestamp, Untrusted, UserId};

/// A punishment about to be stored.
#[derive(Clone, Debug)]
pub struct NewPunishment {
    /// Where it was decided.
    pub guild: GuildId,
    /// Whom it is for.
    pub user: UserId,
    /// What it does.
    pub action: Action,
    /// Why.
    pub reason: Option<Untrusted>,
    /// Who decided, where it was a member.
    pub moderator: Option<UserId>,
    /// The account of the operator who issued it, by number.
    pub operator: Option<u32>,
    /// Where it came from.
    pub origin: Origin,
    /// How many seconds of messages a ban deletes.
    pub delete_seconds: u32,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Where what led to it can be looked at.
    pub evidence: Option<Evidence>,
    /// The punishment that led to it.
    pub because: Option<PunishmentId>,
    /// Whether it takes back exactly the punishment that led to it, and leaves others of the measure as they are.
    pub reverts: bool,
    /// Discord's audit entry it was picked up from.
    pub audit_entry: Option<u64>,
    /// Whether the user is known as a bot.
    pub of_bot: bool,
    /// Whether Discord did not tell whether the user is a bot, and nothing is delivered before
    /// somebody has decided.
    pub may_be_bot: bool,
    /// Whether the user is told before it is done; nothing where nobody is told.
    pub tell: Option<Telling>,
}

impl NewPunishment {
    /// One with nothing but guild, user, action and where it came from.
    pub fn new(guild: GuildId, user: UserId, action: Action, origin: Origin) -> Self {
        Self {
            guild,
            user,
            action,
            reason: None,
            moderator: None,
            operator: None,
            origin,
            delete_seconds: 0,
            expires_at: None,
            evidence: None,
            because: None,
            reverts: false,
            audit_entry: None,
            of_bot: false,
            may_be_bot: false,
            tell: None,
        }
    }
}

pub(super) const COLUMNS: &str =
    "event_id, source_guild, target_user, action, reason, moderator_id, origin, created_at, status,
    expires_at, evidence, because
    FROM punishments";

pub(super) fn punishment(row: &Row<'_>) -> rusqlite::Result<Punishment> {
    Ok(Punishment {
        id: column(row, "event_id")?,
        action: word(row, "action", Action::from_word)?,
        guild_id: column(row, "source_guild")?,
        user_id: column(row, "target_user")?,
        moderator_id: optional(row, "moderator_id")?,
        origin: word(row, "origin", Origin::from_word)?,
        reason: optional(row, "reason")?,
        status: row.get("status")?,
        created_at: column(row, "created_at")?,
        expires_at: optional(row, "expires_at")?,
        evidence: optional(row, "evidence")?,
        because: optional(row, "because")?,
        // Read by `operators_of` for those who may know it.
        operator: None,
    })
}

impl View<'_> {
    /// One punishment.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn punishment(&self, id: PunishmentId) -> Result<Option<Punishment>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE event_id = ?1");
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(id)], punishment).optional()?)
    }

    /// Punishments decided in `guild`, or in any where there is none, newest first, below `before`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn punishments(
        &self,
        guild: Option<GuildId>,
        user: Option<UserId>,
        before: Option<PunishmentId>,
        limit: u16,
    ) -> Result<Vec<Punishment>, StoreError> {
        // Written per filter, so that each has its index.
        let mut sql = format!("SELECT {COLUMNS} WHERE event_id < ?1");
        if guild.is_some() {
            sql.push_str(" AND source_guild = ?2");
        }
        if user.is_some() {
            sql.push_str(" AND target_user = ?3");
        }
        sql.push_str(" AND ?2 IS ?2 AND ?3 IS ?3 ORDER BY event_id DESC LIMIT ?4");
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![before, Sql(guild), Sql(user), limit], punishment)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether Discord did not tell whether the user is a bot when the punishment was stored, and
    /// somebody has to decide about it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn may_be_of_bot(&self, id: PunishmentId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments WHERE event_id = ?1 AND may_be_bot = 1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0))?)
    }

    /// Whether the user was known as a bot when something was decided about them.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_known_bot(&self, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments WHERE target_user = ?1 AND of_bot = 1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(user)], |row| row.get(0))?)
    }

    /// The warnings that a user was given in the guild, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn warnings_given(
        &self,
        guild: GuildId,
        user: UserId,
        before: Option<PunishmentId>,
        limit: u16,
    ) -> Result<Vec<Punishment>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE event_id < ?1 AND source_guild = ?2 AND target_user = ?3 AND measure = 'warn'
              ORDER BY event_id DESC LIMIT ?4"
        );
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![before, Sql(guild), Sql(user), limit], punishment)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a moderator punished in the guild since then, oldest first. What takes back is none of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn punished_by(
        &self,
        guild: GuildId,
        moderator: UserId,
        since: Timestamp,
    ) -> Result<Vec<PunishmentId>, StoreError> {
        let sql = "SELECT event_id FROM punishments WHERE source_guild = ?1 AND moderator_id = ?2 AND created_at >= ?3
               AND action = measure ORDER BY event_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![Sql(guild), Sql(moderator), since.millis()];
        Ok(statement.query_map(values, |row| column(row, "event_id"))?.collect::<Result<_, _>>()?)
    }

    /// The guild's punishments of the user of that measure that are active and have not ended: each is a cause. The one
    /// that lasts longest comes last.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn causes(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        now: Timestamp,
    ) -> Result<Vec<PunishmentId>, StoreError> {
        Ok(self.overlapping(guild, user, measure, now)?.into_iter().map(|one| one.id).collect())
    }

    /// Whether a punishment was already made from this audit entry of the guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_recorded(&self, guild: GuildId, audit_entry: u64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments WHERE source_guild = ?1 AND audit_entry = ?2)";
        let values = params![Sql(guild), audit_entry.cast_signed()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether a later audit entry of that measure about the user was already stored.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_overtaken(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        audit_entry: u64,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments
             WHERE source_guild = ?1 AND target_user = ?2 AND measure = ?4 AND audit_entry > ?3)";
        let values = params![Sql(guild), Sql(user), audit_entry.cast_signed(), measure.measure().word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether something of that measure was decided about the user in the guild at that time or later.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn decided_since(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments
             WHERE source_guild = ?1 AND target_user = ?2 AND measure = ?4 AND created_at >= ?3)";
        let values = params![Sql(guild), Sql(user), since.millis(), measure.measure().word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// What the guild's latest punishment of that measure does to the user, with the audit entry it was picked up from.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn last_decision(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<(Action, Option<u64>)>, StoreError> {
        let sql = "SELECT action, audit_entry FROM punishments
             WHERE source_guild = ?1 AND target_user = ?2 AND measure = ?3 ORDER BY event_id DESC LIMIT 1";
        let values = params![Sql(guild), Sql(user), measure.measure().word()];
        let row = self.connection.prepare_cached(sql)?.query_row(values, |row| {
            let entry: Option<i64> = row.get("audit_entry")?;
            Ok((word(row, "action", Action::from_word)?, entry.map(i64::cast_unsigned)))
        });
        Ok(row.optional()?)
    }

    /// The guild's latest punishment of the user with that action that was asked of us.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn last_asked(
        &self,
        guild: GuildId,
        user: UserId,
        action: Action,
    ) -> Result<Option<Punishment>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE source_guild = ?1 AND target_user = ?2 AND action = ?3 AND origin <> 'guild'
             ORDER BY event_id DESC LIMIT 1"
        );
        let values = params![Sql(guild), Sql(user), action.word()];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, punishment).optional()?)
    }
}

impl Change<'_> {
    /// Stores a punishment. An undo ends what it takes back, of the same guild and user: all of the measure, or where it
    /// reverts one, that one. Whatever is decided anew ends the undo of it. Several punishments of one measure may be active: each is a cause of its own.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn insert_punishment(&self, new: &NewPunishment) -> Result<Punishment, StoreError> {
        let as_what = match (new.action.is_undo(), new.origin) {
            (false, _) => "superseded",
            (true, Origin::System) => "expired",
            (true, _) => "reversed",
        };
        // An undo ends also what a shorter one has replaced.
        let sql = "UPDATE punishments SET status = ?5
             WHERE source_guild = ?1 AND target_user = ?2 AND measure = ?3
               AND (status = 'active' OR (status = 'superseded' AND replaced_by IS NOT NULL))
               AND (action = measure) = ?4 AND (?6 IS NULL OR event_id = ?6)";
        let measure = new.action.measure().word();
        let only = new.because.filter(|_| new.reverts);
        let values =
            params![Sql(new.guild), Sql(new.user), measure, new.action.is_undo(), as_what, Sql(only)];
        self.connection().prepare_cached(sql)?.execute(values)?;

        let sql = "INSERT INTO punishments (source_guild, target_user, action, reason, moderator_id, origin,
                                    delete_seconds, audit_entry, created_at, expires_at, evidence, because,
                                    operator_uid, of_bot, may_be_bot)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        self.connection().prepare_cached(sql)?.execute(params![
            Sql(new.guild),
            Sql(new.user),
            new.action.word(),
            new.reason.as_ref().map(Untrusted::raw),
            Sql(new.moderator),
            new.origin.word(),
            new.delete_seconds,
            new.audit_entry.map(u64::cast_signed),
            self.now().millis(),
            new.expires_at.map(Timestamp::millis),
            new.evidence.as_ref().map(ToString::to_string),
            Sql(new.because),
            new.operator,
            new.of_bot,
            new.may_be_bot,
        ])?;
        let id = self.connection().last_insert_rowid().cast_unsigned();
        let odd = || StoreError::Row {
            table: "punishments",
            what: "the row that was just written is not there".into(),
        };
        let stored = self.punishment(PunishmentId::new(id).ok_or_else(odd)?)?.ok_or_else(odd)?;
        self.replace_longer(&stored)?;
        Ok(stored)
    }

    /// Marks a punishment as taken back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn mark_reversed(&self, id: PunishmentId) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET status = 'reversed' WHERE event_id = ?1
               AND (status = 'active' OR (status = 'superseded' AND replaced_by IS NOT NULL))";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        Ok(())
    }

    /// Gives the guild's latest punishment of the user the audit entry it was stored without. Whether it was one
    /// of this action, made by hand, that had none.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn adopt_entry(
        &self,
        guild: GuildId,
        user: UserId,
        action: Action,
        audit_entry: u64,
        moderator: Option<UserId>,
        reason: Option<&Untrusted>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE punishments SET audit_entry = ?4, moderator_id = ?5, reason = coalesce(?6, reason)
             WHERE event_id = (SELECT max(event_id) FROM punishments
                                WHERE source_guild = ?1 AND target_user = ?2 AND measure = ?7)
               AND action = ?3 AND origin = 'guild' AND audit_entry IS NULL";
        let values = params![
            Sql(guild),
            Sql(user),
            action.word(),
            audit_entry.cast_signed(),
            Sql(moderator),
            reason.map(Untrusted::raw),
            action.measure().word(),
        ];
        Ok(self.connection().prepare_cached(sql)?.execute(values)? > 0)
    }
}
