//! The store by itself: what its triggers refuse, how its writer groups, and whether its chain holds.

mod chain;
mod consent;
mod events;
mod insert;
mod jobs;
mod log_file;
mod plans;
mod walls;
mod writing;

use super::{Change, LOG_BYTES, NewPunishment, Store, StoreError, View, migrations};
use crate::clock::Clock;
use crate::testing;
use rusqlite::Connection;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::{GuildId, UserId};

fn guild(id: u64) -> GuildId {
    GuildId::new(id).unwrap()
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// A number of the store at `path` that is another whenever something was written to it.
pub(crate) fn data_version(path: &Path) -> impl Fn() -> i64 + use<> {
    let connection = Connection::open(path).unwrap();
    move || connection.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap()
}

/// Lays an empty store of this schema at `path` where there is none: the file that the migrations leave on a new one,
/// made by them once per process. Hundreds of daemons begin on one, and making it takes longer than all else of a start.
pub(crate) fn lay(path: &Path) {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    let empty = EMPTY.get_or_init(|| {
        let home = testing::home();
        let made = home.path().join("wayhaven.db");
        let mut connection = Connection::open(&made).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        migrations::run(&mut connection).unwrap();
        // Closing it puts everything into the one file.
        connection.close().map_err(|(_, error)| error).unwrap();
        std::fs::read(made).unwrap()
    });
    if !path.exists() {
        std::fs::write(path, empty).unwrap();
    }
}

/// A store in a directory of its own.
fn open() -> (Store, TempDir) {
    let home = testing::home();
    let store = Store::open(&home.path().join("wayhaven.db"), Clock::default()).unwrap();
    (store, home)
}

impl View<'_> {
    /// The one number that a query finds: what no reading of the daemon shows.
    pub(crate) fn number(&self, sql: &str) -> Result<i64, StoreError> {
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Any SQL inside the change: what nobody else in the daemon can write.
    pub(crate) fn raw(&self, sql: &str) -> Result<(), StoreError> {
        self.topology_changed();
        Ok(self.connection().execute_batch(sql)?)
    }

    /// The same with wall 2 out of the way.
    pub(crate) fn without_triggers(&self, sql: &str) -> Result<(), StoreError> {
        let all = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'";
        let mut statement = self.connection().prepare(all)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let triggers: Vec<_> = rows.collect::<Result<_, _>>()?;
        drop(statement);
        triggers.iter().try_for_each(|(name, _)| self.raw(&format!("DROP TRIGGER {name}")))?;
        self.raw(sql)?;
        triggers.iter().try_for_each(|(_, sql)| self.raw(sql))
    }
}

impl View<'_> {
    /// The last delivery that was stored.
    pub(crate) fn latest_delivery(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(delivery_id), 0) FROM deliveries";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// The hold in which a delivery waits that the guild has decided since then.
    pub(crate) fn hold_since(&self, delivery: i64, source: GuildId) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT max(d.hold_id) FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.delivery_id > ?1 AND p.source_guild = ?2
               AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = d.hold_id AND h.kind = 'refused')";
        let of = (delivery, source.get().cast_signed());
        Ok(self
            .connection
            .query_row(sql, of, |row| row.get::<_, Option<i64>>(0).map(|id| id.map(i64::cast_unsigned)))?)
    }

    /// Everything that was delivered to somebody, or was to be, for a test that failed.
    pub(crate) fn history_of(&self, user: UserId) -> Result<String, StoreError> {
        let sql = "SELECT d.delivery_id || ': punishment ' || d.punishment_id || ' of ' || p.source_guild || ' (' || p.status
                      || ') to ' || d.guild_id || ' ' || d.scope || ' ' || d.action || ' ' || d.state || ' ' || coalesce(d.reason, '')
                      || ' sent ' || d.sent || ' attempts ' || d.attempts
             FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id WHERE d.target_user = ?1 ORDER BY 1";
        let mut statement = self.connection.prepare(sql)?;
        let lines = statement.query_map([user.get().cast_signed()], |row| row.get::<_, String>(0))?;
        Ok(lines.collect::<Result<Vec<_>, _>>()?.join("\n"))
    }
}

/// A second way into the file, as somebody with SQLite's shell has.
pub(crate) fn shell(store: &Store) -> Connection {
    let connection = Connection::open(store.path()).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection
}

fn ban(of: u64, whom: u64) -> NewPunishment {
    NewPunishment::new(guild(of), user(whom), Action::Ban, Origin::Operator)
}

/// Main 1 with the children 2 and 3, main 10 with the child 11, a stranger 20, and a ban of user 7 in main 1.
async fn network() -> (Store, TempDir) {
    let (store, home) = open();
    store
        .write(|change| {
            change.make_main(guild(1))?;
            change.make_main(guild(10))?;
            for (main, child) in [(1, 2), (1, 3), (10, 11)] {
                change.activate_link(guild(main), guild(child), Mode::Active)?;
            }
            change.ensure_guild(guild(20))?;
            change.insert_punishment(&ban(1, 7))?;
            Ok(())
        })
        .await
        .unwrap();
    (store, home)
}
