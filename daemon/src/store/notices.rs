//! `notices` and `notices_owed`: what is still to be posted into a guild's own channels.
//!
//! The cursor moves in the transaction that stores the messages made of what it passed, so that each event makes
//! its message once, and what was not posted when the daemon ended is posted after the next start.

use super::rows::{Sql, column, odd, word};
use super::{Change, StoreError, View};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::operations::punishment::{DeliveryCounts, DeliveryState};
use wayhaven_shared::value::{ChannelId, GuildId, PunishmentId, Timestamp};

/// Where the cursor stands among the single values.
const CURSOR: &str = "notices.cursor";

/// How far events and audit were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeCursor {
    /// Which store it counts in.
    pub epoch: String,
    /// The last event.
    pub event: u64,
    /// The last row of the audit.
    pub audit: u64,
}

/// What a message is about, which decides the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Alerts.
    Log,
    /// Punishments.
    Punishments,
    /// The audit.
    Audit,
}

impl Place {
    fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Punishments => "punishments",
            Self::Audit => "audit",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Log, Self::Punishments, Self::Audit].into_iter().find(|place| place.word() == word)
    }

    /// The channel for it, where the guild wants it posted.
    pub fn channel(self, config: &GuildConfig) -> Option<ChannelId> {
        match self {
            Self::Log => config.log_channel_id,
            Self::Punishments => config.notification_channel_id.filter(|_| config.notifications),
            Self::Audit => config.notification_channel_id.filter(|_| config.audit),
        }
    }
}

/// A message that is to be posted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNotice {
    /// Into which guild.
    pub guild: GuildId,
    /// Where there.
    pub place: Place,
    /// The message as Discord takes it.
    pub body: Value,
}

/// A message that waits to be posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// The message.
    pub new: NewNotice,
}

/// A punishment whose guild is still to be told how its deliveries went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Which.
    pub punishment: PunishmentId,
    /// Since when.
    pub since: Timestamp,
}

impl View<'_> {
    /// How far events and audit were read; nothing before the first time.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn notice_cursor(&self) -> Result<Option<NoticeCursor>, StoreError> {
        // One that is not understood is none: then it begins anew with what comes.
        Ok(self.meta(CURSOR)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The cursor behind everything there is now, in the store of this epoch.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn notice_cursor_now(&self, epoch: &str) -> Result<NoticeCursor, StoreError> {
        let (event, audit) = (self.last_event()?, self.chain_head()?.rows);
        Ok(NoticeCursor { epoch: epoch.to_owned(), event, audit })
    }

    /// The oldest message that waits, of each guild and place.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn oldest_notices(&self) -> Result<Vec<Notice>, StoreError> {
        let sql = "SELECT id, guild_id, place, body FROM notices
             WHERE id IN (SELECT min(id) FROM notices GROUP BY guild_id, place) ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let body: String = row.get("body")?;
            Ok(Notice {
                id: row.get("id")?,
                new: NewNotice {
                    guild: column(row, "guild_id")?,
                    place: word(row, "place", Place::from_word)?,
                    body: serde_json::from_str(&body).map_err(|_| odd("body"))?,
                },
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Punishments whose guild is still to be told, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn owed(&self) -> Result<Vec<Owed>, StoreError> {
        let sql = "SELECT punishment_id, since FROM notices_owed ORDER BY punishment_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Owed { punishment: column(row, "punishment_id")?, since: column(row, "since")? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The deliveries of a punishment to children, counted by state.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn counts_of(&self, punishment: PunishmentId) -> Result<DeliveryCounts, StoreError> {
        let sql = "SELECT state, count(*) AS n FROM deliveries WHERE punishment_id = ?1 AND scope = 'child' GROUP BY state";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut counts = DeliveryCounts::default();
        let rows = statement.query_map([Sql(punishment)], |row| {
            Ok((word(row, "state", DeliveryState::from_word)?, row.get::<_, i64>("n")?))
        })?;
        for row in rows {
            let (state, count) = row?;
            *counts.of(state) += count.cast_unsigned();
        }
        Ok(counts)
    }
}

impl Change<'_> {
    /// Moves the cursor.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_notice_cursor(&self, cursor: &NoticeCursor) -> Result<(), StoreError> {
        let text = serde_json::to_string(cursor)
            .map_err(|error| StoreError::Row { table: "store_meta", what: error.to_string() })?;
        self.set_meta(CURSOR, &text)
    }

    /// Stores a message that is to be posted.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn insert_notice(&self, notice: &NewNotice) -> Result<(), StoreError> {
        let sql = "INSERT INTO notices (guild_id, place, body) VALUES (?1, ?2, ?3)";
        let values = params![Sql(notice.guild), notice.place.word(), notice.body.to_string()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Forgets messages: they were posted, or will not be.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn drop_notices(&self, ids: &[i64]) -> Result<(), StoreError> {
        let mut statement = self.connection().prepare_cached("DELETE FROM notices WHERE id = ?1")?;
        ids.iter().try_for_each(|id| statement.execute([id]).map(drop))?;
        Ok(())
    }

    /// Forgets every message for a guild in one place.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn drop_notices_of(&self, guild: GuildId, place: Place) -> Result<(), StoreError> {
        let sql = "DELETE FROM notices WHERE guild_id = ?1 AND place = ?2";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), place.word()])?;
        Ok(())
    }

    /// Remembers that a punishment's guild is still to be told.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn owe(&self, owed: Owed) -> Result<(), StoreError> {
        let sql = "INSERT INTO notices_owed VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection().prepare_cached(sql)?.execute(params![Sql(owed.punishment), owed.since.millis()])?;
        Ok(())
    }

    /// Forgets that a punishment's guild is still to be told.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn settle_owed(&self, punishment: PunishmentId) -> Result<(), StoreError> {
        let sql = "DELETE FROM notices_owed WHERE punishment_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(punishment)])?;
        Ok(())
    }
}
