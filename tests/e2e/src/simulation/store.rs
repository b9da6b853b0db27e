//! The daemon's file, read beside it: what is still on its way, and whether what must always hold does.

use super::Failure;
use rusqlite::{Connection, OpenFlags, params};
use std::collections::HashMap;
use std::path::PathBuf;

/// What is on its way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// Deliveries that move, or are to.
    pub(super) moving: i64,
    /// Deliveries that wait until something is mended.
    pub(super) blocked: i64,
    /// Ban events that wait for their audit entry.
    pub(super) journalled: i64,
    /// Links that are taking back.
    pub(super) closing: i64,
    /// What waits until somebody was told.
    pub(super) untold: i64,
    /// What should have ended by itself.
    pub(super) due: i64,
    /// Comparisons and backfills that go on.
    pub(super) jobs: i64,
    /// Guilds whose log has not been read since.
    pub(super) unread: i64,
}

impl Open {
    pub(super) fn nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether only audit logs are left to be read.
    pub(super) fn only_reading(&self) -> bool {
        self.unread > 0 && *self == Self { unread: self.unread, ..Self::default() }
    }
}

/// What must hold whenever nothing moves: its name, and how many rows break it.
const ALWAYS: [(&str, &str); 7] = [
    ("what is held is held by a freeze, or is about a bot",
     "SELECT count(*) FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
       JOIN guild_settings g ON g.guild_id = p.source_guild WHERE d.state = 'held' AND g.frozen_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = d.hold_id AND h.kind = 'bot' AND h.decided_at IS NULL)"),
    ("a delivery is its punishment's",
     "SELECT count(*) FROM deliveries d LEFT JOIN punishments p ON p.event_id = d.punishment_id
       WHERE p.event_id IS NULL OR p.target_user <> d.target_user OR p.measure <> d.measure"),
    ("a delivery to a child goes along a link of its punishment's guild to that child, and an own one nowhere",
     "SELECT count(*) FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
       LEFT JOIN guild_relationships r ON r.id = d.link_id
       WHERE (d.scope = 'child' AND (r.main_guild_id IS NOT p.source_guild OR r.child_guild_id IS NOT d.guild_id))
          OR (d.scope = 'origin' AND (d.guild_id <> p.source_guild OR d.link_id IS NOT NULL))"),
    ("no main is a child",
     "SELECT count(*) FROM guild_relationships r JOIN guild_settings g ON g.guild_id = r.child_guild_id
       WHERE r.state <> 'closed' AND g.is_main = 1"),
    ("every intent has one outcome",
     "SELECT count(*) FROM command_audit i WHERE i.kind = 'intent'
       AND (SELECT count(*) FROM command_audit o WHERE o.intent_id = i.id) <> 1"),
    ("the audit has no holes", "SELECT coalesce(max(id), 0) - count(*) FROM command_audit"),
    ("an undo leaves nothing of its guild active",
     "SELECT count(*) FROM punishments p WHERE p.status = 'active' AND p.action = p.measure AND EXISTS
       (SELECT 1 FROM punishments u WHERE u.target_user = p.target_user AND u.source_guild = p.source_guild
         AND u.measure = p.measure AND u.action <> u.measure AND u.event_id > p.event_id)"),
];

/// Bans by guild and user.
pub(super) type ActiveBans = HashMap<(u64, u64), Vec<(u64, bool)>>;

/// The file.
pub(super) struct Store {
    path: PathBuf,
    /// Not while the daemon dies and is born: it shall find the file alone, as after a real end.
    open: Option<Connection>,
}

fn failed(what: &str) -> impl Fn(rusqlite::Error) -> Failure {
    move |error| Failure::broken(format!("{what}: {error}"))
}

impl Store {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    fn connection(&mut self) -> Result<&Connection, Failure> {
        if self.open.is_none() {
            let opened = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(
                |connection| connection.busy_timeout(crate::process::PATIENCE).map(|()| connection),
            );
            self.open = Some(opened.map_err(failed("the store cannot be read"))?);
        }
        self.open.as_ref().ok_or_else(|| Failure::broken("no store".to_owned()))
    }

    /// Lets the file go.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// How many punishments of a user a guild has decided.
    pub(super) fn decided(&mut self, guild: u64, user: u64) -> Result<i64, Failure> {
        let sql = "SELECT count(*) FROM punishments WHERE source_guild = ?1 AND target_user = ?2";
        self.count(sql, params![guild.cast_signed(), user.cast_signed()])
    }

    /// The bans of each guild and user that nobody has lifted, oldest first: their numbers, and whether a shorter one has
    /// replaced each.
    pub(super) fn active_bans(&mut self) -> Result<ActiveBans, Failure> {
        let sql = "SELECT source_guild, target_user, event_id, status = 'superseded' FROM punishments
                    WHERE action = measure AND action <> 'kick' AND action <> 'warn' AND (status = 'active' OR (status = 'superseded' AND replaced_by IS NOT NULL))
                    ORDER BY event_id";
        let mut statement = self.connection()?.prepare_cached(sql).map_err(failed("the store"))?;
        let row = |row: &rusqlite::Row<'_>| {
            let place = (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
            Ok((place, (row.get::<_, i64>(2)?.cast_unsigned(), row.get(3)?)))
        };
        let mut found = ActiveBans::new();
        for row in statement.query_map([], row).map_err(failed("the store"))? {
            let (place, ban) = row.map_err(failed("the store"))?;
            found.entry(place).or_default().push(ban);
        }
        Ok(found)
    }

    /// Whether the daemon knows that a guild's own staff ban a user.
    pub(super) fn knows_local(&mut self, guild: u64, user: u64) -> Result<bool, Failure> {
        let sql = "SELECT count(*) FROM local_causes WHERE guild_id = ?1 AND user_id = ?2";
        Ok(self.count(sql, params![guild.cast_signed(), user.cast_signed()])? > 0)
    }

    /// Whether the daemon takes a user for a holder of a role that the guild protects.
    pub(super) fn holds_protected(&mut self, guild: u64, user: u64) -> Result<bool, Failure> {
        let sql = "SELECT count(*) FROM protected_holders WHERE guild_id = ?1 AND user_id = ?2";
        Ok(self.count(sql, params![guild.cast_signed(), user.cast_signed()])? > 0)
    }

    fn count(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<i64, Failure> {
        let connection = self.connection()?;
        let mut statement = connection.prepare_cached(sql).map_err(failed("the store"))?;
        statement.query_row(values, |row| row.get(0)).map_err(failed("the store"))
    }

    /// What is on its way; each guild's log is to be read since then.
    pub(super) fn open(&mut self, unread_since: &[(u64, i64)]) -> Result<Open, Failure> {
        let sql = "SELECT coalesce(sum(state IN ('pending', 'sending', 'unknown')), 0), coalesce(sum(state = 'blocked'), 0),
              (SELECT count(*) FROM gateway_journal),
              (SELECT count(*) FROM guild_relationships WHERE state = 'closing'),
              (SELECT count(*) FROM direct_messages WHERE holds = 1 AND state IN ('pending', 'sending')),
              (SELECT count(*) FROM punishments WHERE status = 'active' AND expires_at IS NOT NULL AND expires_at <= ?1),
              (SELECT count(*) FROM jobs WHERE state = 'running')
             FROM deliveries WHERE state IN ('pending', 'held', 'sending', 'blocked', 'unknown')";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Open {
                moving: row.get(0)?,
                blocked: row.get(1)?,
                journalled: row.get(2)?,
                closing: row.get(3)?,
                untold: row.get(4)?,
                due: row.get(5)?,
                jobs: row.get(6)?,
                unread: 0,
            })
        };
        let mut statement = self.connection()?.prepare_cached(sql).map_err(failed("the store"))?;
        let mut open = statement.query_row([super::unix_ms()], read).map_err(failed("the store"))?;
        drop(statement);
        for (guild, since) in unread_since {
            let sql = "SELECT count(*) FROM audit_cursors WHERE guild_id = ?1 AND read_at < ?2
                 AND (EXISTS (SELECT 1 FROM guild_settings WHERE guild_id = ?1 AND is_main = 1)
                   OR EXISTS (SELECT 1 FROM guild_relationships WHERE child_guild_id = ?1 AND state IN ('active', 'closing')))";
            open.unread += self.count(sql, params![guild.cast_signed(), since])?;
        }
        Ok(open)
    }

    /// Guilds in which an action of their own waits until something is mended.
    pub(super) fn own_blocked(&mut self) -> Result<Vec<u64>, Failure> {
        let sql = "SELECT DISTINCT guild_id FROM deliveries WHERE state = 'blocked' AND scope = 'origin'";
        let mut statement = self.connection()?.prepare_cached(sql).map_err(failed("the store"))?;
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).map_err(failed("the store"))?;
        rows.map(|row| row.map(i64::cast_unsigned)).collect::<Result<_, _>>().map_err(failed("the store"))
    }

    /// The users of deliveries that are blocked because nobody in the bot's rank can do them.
    pub(super) fn blocked_by_rank(&mut self) -> Result<Vec<u64>, Failure> {
        let sql = "SELECT target_user FROM deliveries WHERE state = 'blocked'
             AND (reason LIKE '%ranks above the bot%' OR reason LIKE '%owns the guild%')";
        let mut statement = self.connection()?.prepare_cached(sql).map_err(failed("the store"))?;
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).map_err(failed("the store"))?;
        rows.map(|row| row.map(i64::cast_unsigned)).collect::<Result<_, _>>().map_err(failed("the store"))
    }

    /// Where the ban of a bot waits for approval: each hold, and the guild.
    pub(super) fn waits_for_approval(&mut self, bot: u64) -> Result<Vec<(u64, u64)>, Failure> {
        let sql = "SELECT h.id, d.guild_id FROM deliveries d JOIN holds h ON h.id = d.hold_id
             WHERE d.target_user = ?1 AND d.state = 'held' AND h.kind = 'bot' AND h.decided_at IS NULL";
        self.pairs(sql, bot)
    }

    /// What a hold keeps back: each guild, and the user.
    pub(super) fn kept_back_by(&mut self, hold: u64) -> Result<Vec<(u64, u64)>, Failure> {
        self.pairs("SELECT guild_id, target_user FROM deliveries WHERE state = 'held' AND hold_id = ?1", hold)
    }

    fn pairs(&mut self, sql: &str, of: u64) -> Result<Vec<(u64, u64)>, Failure> {
        let mut statement = self.connection()?.prepare_cached(sql).map_err(failed("the store"))?;
        let pair = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        };
        let rows = statement.query_map([of.cast_signed()], pair).map_err(failed("the store"))?;
        rows.collect::<Result<_, _>>().map_err(failed("the store"))
    }

    /// What must always hold, and does not.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        for (name, sql) in ALWAYS {
            let broken = self.count(sql, [])?;
            if broken != 0 {
                return Err(Failure::wrong(format!("the store: {name}: not so for {broken}")));
            }
        }
        let told: String = self
            .connection()?
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .map_err(failed("the store"))?;
        let foreign = self.count("SELECT count(*) FROM pragma_foreign_key_check", [])?;
        match (told.as_str(), foreign) {
            ("ok", 0) => Ok(()),
            _ => Err(Failure::wrong(format!("the store: {told}; {foreign} rows point nowhere"))),
        }
    }

    /// What is stored about a user, for people.
    pub(super) fn history(&mut self, user: u64) -> Result<String, Failure> {
        let sql = "SELECT json_group_array(line) FROM (SELECT
              '#' || p.event_id || ' ' || p.action || ' by ' || p.source_guild || ' (' || p.status || ', ' || p.origin || ') -> ' ||
              coalesce(d.delivery_id || ' ' || d.guild_id || ' ' || d.action || ' ' || d.state || ' sent=' || d.sent ||
                ' there=' || coalesce(d.was_there, '?') || ' echo=' || coalesce(d.echo, '-') || ' lifted=' || coalesce(d.lifted, '-')
                || ' at ' || d.created_at || '-' || d.updated_at || ' tries=' || d.attempts || ' ' || coalesce(d.reason, ''), 'nothing') AS line
            FROM punishments p LEFT JOIN deliveries d ON d.punishment_id = p.event_id
            WHERE p.target_user = ?1 ORDER BY p.event_id, d.delivery_id)";
        self.lines(sql, [user.cast_signed()])
    }

    /// The newest comparisons and backfills, for people.
    pub(super) fn jobs(&mut self) -> Result<String, Failure> {
        let sql = "SELECT json_group_array(line) FROM (SELECT
              'job ' || id || ' ' || kind || ' ' || guild_id || ' of ' || coalesce(main_id, 'all') || ' by ' || asked_by || ' ' ||
              state || ' at ' || created_at || '-' || updated_at || ' ' || coalesce(result, '') AS line
            FROM jobs WHERE dry_run = 0 ORDER BY id DESC LIMIT 20)";
        self.lines(sql, [])
    }

    fn lines(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<String, Failure> {
        let told: String =
            self.connection()?.query_row(sql, values, |row| row.get(0)).map_err(failed("the store"))?;
        let lines: Vec<String> = serde_json::from_str(&told).unwrap_or_default();
        Ok(lines.join("\n    "))
    }

    /// While no daemon runs: how soon it may identify again is another test's; and so many days pass.
    pub(super) fn between_lives(&mut self, days: u32) -> Result<(), Failure> {
        self.close();
        let connection = Connection::open(&self.path).map_err(failed("the store cannot be opened"))?;
        let sql = format!(
            "DELETE FROM identifies;
             UPDATE punishments SET expires_at = expires_at - {days} * 86400000
              WHERE expires_at IS NOT NULL AND status IN ('active', 'superseded') AND measure <> 'timeout';"
        );
        connection.execute_batch(&sql).map_err(failed("the store cannot be changed"))
    }
}
