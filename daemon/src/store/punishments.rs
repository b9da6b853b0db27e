//! `punishments`, and the bans that a guild's own staff made.

use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::{Action, Origin, Punishment};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, Untrusted, UserId};

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
    /// Where it came from.
    pub origin: Origin,
    /// How many seconds of messages a ban deletes.
    pub delete_seconds: u32,
    /// Discord's audit entry it was picked up from.
    pub audit_entry: Option<u64>,
}

const COLUMNS: &str =
    "event_id, source_guild, target_user, action, reason, moderator_id, origin, created_at, status
    FROM punishments";

fn punishment(row: &Row<'_>) -> rusqlite::Result<Punishment> {
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

    /// Whether a punishment was already made from this audit entry of the guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_recorded(&self, guild: GuildId, audit_entry: u64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments WHERE source_guild = ?1 AND audit_entry = ?2)";
        let values = params![Sql(guild), audit_entry.cast_signed()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether a later audit entry about the user was already stored.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_overtaken(&self, guild: GuildId, user: UserId, audit_entry: u64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments
             WHERE source_guild = ?1 AND target_user = ?2 AND audit_entry > ?3)";
        let values = params![Sql(guild), Sql(user), audit_entry.cast_signed()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether something was decided about the user in the guild at that time or later.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn decided_since(&self, guild: GuildId, user: UserId, since: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments
             WHERE source_guild = ?1 AND target_user = ?2 AND created_at >= ?3)";
        let values = params![Sql(guild), Sql(user), since.millis()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// What the guild's latest punishment of the user does.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn last_action(&self, guild: GuildId, user: UserId) -> Result<Option<Action>, StoreError> {
        Ok(self.punishments(Some(guild), Some(user), None, 1)?.first().map(|punishment| punishment.action))
    }

    /// What the guild's latest punishment of the user does, with the audit entry it was picked up from.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn last_decision(
        &self,
        guild: GuildId,
        user: UserId,
    ) -> Result<Option<(Action, Option<u64>)>, StoreError> {
        let sql = "SELECT action, audit_entry FROM punishments
             WHERE source_guild = ?1 AND target_user = ?2 ORDER BY event_id DESC LIMIT 1";
        let row = self.connection.prepare_cached(sql)?.query_row(params![Sql(guild), Sql(user)], |row| {
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

    /// Whether the guild's own staff banned the user there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_banned_locally(&self, guild: GuildId, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM local_bans WHERE guild_id = ?1 AND user_id = ?2)";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![Sql(guild), Sql(user)], |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Stores a punishment. An unban ends the bans of the same guild and user that were active, and a ban ends
    /// the unbans.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn insert_punishment(&self, new: &NewPunishment) -> Result<Punishment, StoreError> {
        let (ended, as_what) = match new.action {
            Action::Ban => (Action::Unban, "superseded"),
            Action::Unban => (Action::Ban, "reversed"),
        };
        let sql = "UPDATE punishments SET status = ?4
             WHERE source_guild = ?1 AND target_user = ?2 AND action = ?3 AND status = 'active'";
        let values = params![Sql(new.guild), Sql(new.user), ended.word(), as_what];
        self.connection().prepare_cached(sql)?.execute(values)?;

        let sql = "INSERT INTO punishments (source_guild, target_user, action, reason, moderator_id, origin,
                                    delete_seconds, audit_entry, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
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
        ])?;
        let id = self.connection().last_insert_rowid().cast_unsigned();
        let odd = || StoreError::Row {
            table: "punishments",
            what: "the row that was just written is not there".into(),
        };
        self.punishment(PunishmentId::new(id).ok_or_else(odd)?)?.ok_or_else(odd)
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
             WHERE event_id = (SELECT max(event_id) FROM punishments WHERE source_guild = ?1 AND target_user = ?2)
               AND action = ?3 AND origin = 'guild' AND audit_entry IS NULL";
        let values = params![
            Sql(guild),
            Sql(user),
            action.word(),
            audit_entry.cast_signed(),
            Sql(moderator),
            reason.map(Untrusted::raw)
        ];
        Ok(self.connection().prepare_cached(sql)?.execute(values)? > 0)
    }

    /// Remembers a ban that a guild's own staff made, or forgets it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_local_ban(
        &self,
        guild: GuildId,
        user: UserId,
        actor: Option<UserId>,
        action: Action,
    ) -> Result<(), StoreError> {
        match action {
            Action::Ban => {
                let sql = "INSERT INTO local_bans VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
                let values = params![Sql(guild), Sql(user), Sql(actor), self.now().millis()];
                self.connection().prepare_cached(sql)?.execute(values)?;
            }
            Action::Unban => {
                let sql = "DELETE FROM local_bans WHERE guild_id = ?1 AND user_id = ?2";
                self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(user)])?;
            }
        }
        Ok(())
    }
}
