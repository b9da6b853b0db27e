//! `protected` and `protected_holders`: the lists of those whom nobody may punish, and who holds their roles.

use super::rows::{Sql, column, odd, optional};
use super::{Change, StoreError, View};
use crate::network::Protection;
use rusqlite::{Row, params};
use wayhaven_shared::operations::protect::{Protected, ProtectedLine};
use wayhaven_shared::value::{GuildId, ProtectionId, RoleId, Untrusted, UserId};

/// A line to put on a guild's list.
#[derive(Clone, Debug)]
pub struct NewProtection {
    /// Whose list.
    pub guild: GuildId,
    /// Who is protected.
    pub protected: Protected,
    /// Why.
    pub note: Option<Untrusted>,
    /// Who put it there.
    pub by: Option<UserId>,
}

fn protected(row: &Row<'_>) -> rusqlite::Result<Protected> {
    match row.get_ref("kind")?.as_str()? {
        "user" => column(row, "target_id").map(Protected::User),
        "role" => column(row, "target_id").map(Protected::Role),
        _ => Err(odd("kind")),
    }
}

fn target(of: Protected) -> i64 {
    match of {
        Protected::User(user) => user.get(),
        Protected::Role(role) => role.get(),
    }
    .cast_signed()
}

impl View<'_> {
    /// Everybody who is protected, and who was last seen with their roles.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn protection(&self) -> Result<Protection, StoreError> {
        let mut lines = self.connection.prepare_cached("SELECT guild_id, kind, target_id FROM protected")?;
        let lines = lines.query_map([], |row| Ok((column(row, "guild_id")?, protected(row)?)))?;
        let mut holders =
            self.connection.prepare_cached("SELECT guild_id, user_id, role_id FROM protected_holders")?;
        let read =
            |row: &Row<'_>| Ok((column(row, "guild_id")?, column(row, "user_id")?, column(row, "role_id")?));
        let holders = holders.query_map([], read)?.collect::<Result<_, _>>()?;
        Ok(Protection::new(lines.collect::<Result<_, _>>()?, holders).owned_by(self.owners()?))
    }

    /// The lines of a guild's list, or of all where there is none, newest first, below `before`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn protected(
        &self,
        guild: Option<GuildId>,
        before: Option<ProtectionId>,
        limit: u16,
    ) -> Result<Vec<ProtectedLine>, StoreError> {
        let sql = "SELECT id, guild_id, kind, target_id, note, by_user, since FROM protected
             WHERE id < ?1 AND (?2 IS NULL OR guild_id = ?2) ORDER BY id DESC LIMIT ?3";
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![before, Sql(guild), limit], |row| {
            Ok(ProtectedLine {
                id: column(row, "id")?,
                guild_id: column(row, "guild_id")?,
                protected: protected(row)?,
                note: optional(row, "note")?,
                by: optional(row, "by_user")?,
                since: column(row, "since")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether it stands on the guild's list.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_protected(&self, guild: GuildId, protected: Protected) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM protected WHERE guild_id = ?1 AND kind = ?2 AND target_id = ?3)";
        let values = params![Sql(guild), protected.kind(), target(protected)];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    fn held(&self, guild: GuildId, user: UserId) -> Result<Vec<RoleId>, StoreError> {
        let sql = "SELECT role_id FROM protected_holders WHERE guild_id = ?1 AND user_id = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map([Sql(guild).0.get().cast_signed(), user.get().cast_signed()], |row| {
                column(row, "role_id")
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Puts somebody on a guild's list. Whether that is new: a note that was there stays otherwise.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn protect(&self, new: &NewProtection) -> Result<bool, StoreError> {
        self.ensure_guild(new.guild)?;
        let sql = "INSERT INTO protected (guild_id, kind, target_id, note, by_user, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (guild_id, kind, target_id) DO NOTHING";
        let added = self.connection().prepare_cached(sql)?.execute(params![
            Sql(new.guild),
            new.protected.kind(),
            target(new.protected),
            new.note.as_ref().map(Untrusted::raw),
            Sql(new.by),
            self.now().millis(),
        ])?;
        self.topology_changed();
        Ok(added > 0)
    }

    /// Takes somebody off a guild's list. Whether they stood there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unprotect(&self, guild: GuildId, protected: Protected) -> Result<bool, StoreError> {
        let sql = "DELETE FROM protected WHERE guild_id = ?1 AND kind = ?2 AND target_id = ?3";
        let values = params![Sql(guild), protected.kind(), target(protected)];
        let removed = self.connection().prepare_cached(sql)?.execute(values)?;
        if let Protected::Role(role) = protected {
            let sql = "DELETE FROM protected_holders WHERE guild_id = ?1 AND role_id = ?2";
            let values = params![Sql(guild), role.get().cast_signed()];
            self.connection().prepare_cached(sql)?.execute(values)?;
        }
        self.topology_changed();
        Ok(removed > 0)
    }

    /// Remembers which protected roles a member has now, of all that they have.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_holder(&self, guild: GuildId, user: UserId, roles: &[RoleId]) -> Result<(), StoreError> {
        let mut now = self.topology_here()?.protection().protected_of(guild, roles);
        let mut before = self.held(guild, user)?;
        now.sort_unstable();
        before.sort_unstable();
        if now == before {
            return Ok(());
        }
        let sql = "DELETE FROM protected_holders WHERE guild_id = ?1 AND user_id = ?2";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(user)])?;
        self.insert_holder(guild, user, &now)
    }

    /// A role was deleted, so nobody holds it any more.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn forget_holders_of(&self, guild: GuildId, role: RoleId) -> Result<(), StoreError> {
        let sql = "DELETE FROM protected_holders WHERE guild_id = ?1 AND role_id = ?2";
        if self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(role)])? > 0 {
            self.topology_changed();
        }
        Ok(())
    }

    /// Replaces all that is remembered of a guild's holders: these members have these roles.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn replace_holders(
        &self,
        guild: GuildId,
        members: impl IntoIterator<Item = (UserId, Vec<RoleId>)>,
    ) -> Result<(), StoreError> {
        let protection = self.topology_here()?;
        let sql = "DELETE FROM protected_holders WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild)])?;
        for (user, roles) in members {
            self.insert_holder(guild, user, &protection.protection().protected_of(guild, &roles))?;
        }
        self.topology_changed();
        Ok(())
    }

    fn insert_holder(&self, guild: GuildId, user: UserId, roles: &[RoleId]) -> Result<(), StoreError> {
        let sql = "INSERT INTO protected_holders (guild_id, user_id, role_id) VALUES (?1, ?2, ?3)";
        for role in roles {
            self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(user), Sql(*role)])?;
        }
        self.topology_changed();
        Ok(())
    }
}
