//! `user_names`: what users are called, for as long as the settings keep that.

use super::rows::{Sql, column};
use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::value::{Timestamp, Untrusted, UserId};

/// How many names are kept; beyond it those go that were seen longest ago.
pub const MOST_NAMES: u64 = 50_000;

/// A user's name, and when Discord gave it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenName {
    /// Whose.
    pub user: UserId,
    /// What they are called.
    pub name: Untrusted,
    /// When that was seen.
    pub seen: Timestamp,
}

impl View<'_> {
    /// The names of these users that are known.
    pub fn user_names(&self, users: &[UserId]) -> Result<Vec<SeenName>, StoreError> {
        let sql = "SELECT user_id, name, seen_at FROM user_names WHERE user_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut found = Vec::new();
        for user in users {
            let mut rows = statement.query([Sql(*user)])?;
            if let Some(row) = rows.next()? {
                found.push(SeenName {
                    user: *user,
                    name: column(row, "name")?,
                    seen: column(row, "seen_at")?,
                });
            }
        }
        Ok(found)
    }

    /// How many names are kept.
    pub fn count_user_names(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM user_names";
        let count: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }
}

impl Change<'_> {
    /// Keeps names that were seen just now, each in the place of the one before.
    pub fn keep_user_names(&self, names: &[(UserId, Untrusted)]) -> Result<(), StoreError> {
        let sql = "INSERT INTO user_names (user_id, name, seen_at) VALUES (?1, ?2, ?3)
                   ON CONFLICT (user_id) DO UPDATE SET name = excluded.name, seen_at = excluded.seen_at";
        let mut statement = self.connection().prepare_cached(sql)?;
        for (user, name) in names {
            statement.execute(params![Sql(*user), name.raw(), self.now().millis()])?;
        }
        Ok(())
    }

    /// Deletes the names that were seen before then, and those beyond the bound that were seen longest ago; how many.
    pub fn forget_user_names(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        let old = "DELETE FROM user_names WHERE seen_at < ?1";
        let old = self.connection().prepare_cached(old)?.execute([before.millis()])?;
        let sql = "DELETE FROM user_names WHERE user_id IN (SELECT user_id FROM user_names
                   ORDER BY seen_at DESC, user_id DESC LIMIT -1 OFFSET ?1)";
        let beyond = self.connection().prepare_cached(sql)?.execute([most.cast_signed()])?;
        Ok((old + beyond) as u64)
    }
}
