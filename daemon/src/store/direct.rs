//! `direct_messages`: what the user of a punishment is told before it is done.
//!
//! While a message is open and *holds*, the deliveries of its punishment are stored and not yet the engine's; the change
//! that ends the hold hands over those that are still pending, in one piece.

use super::rows::{Sql, column, odd, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::{Action, Punishment};
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{PunishmentId, Timestamp, Untrusted, UserId};

/// How long a message is tried at most, across restarts, in milliseconds.
const PATIENCE: i64 = 3_600_000;

/// Whether the user of a punishment about to be stored is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telling {
    /// They are, as from the guild of this name.
    Now {
        /// The name, where it is known.
        guild_name: Option<Untrusted>,
    },
    /// They are not, for this reason.
    Not(String),
}

/// A message that is to be sent, or may have been.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectMessage {
    /// The punishment that it tells of.
    pub punishment: PunishmentId,
    /// What that does.
    pub action: Action,
    /// To whom it goes.
    pub user: UserId,
    /// Since when it may have left; nothing where it has not.
    pub sent_at: Option<Timestamp>,
    /// When it is given up at the latest.
    pub give_up_at: Timestamp,
    /// Whether the punishment's deliveries wait for it.
    pub holds: bool,
}

/// A message that is about to leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaving {
    /// Since when it may have left.
    pub since: Timestamp,
    /// The message as Discord takes it.
    pub body: Value,
}

/// How many messages were stored since the start, and how many punishments wait for theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directs {
    /// Stored since the start, for who sends them.
    pub stored: u64,
    /// Punishments whose deliveries are not the engine's yet.
    pub holding: u64,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Sending,
    Sent,
    Failed,
    Dropped,
}

impl State {
    const ALL: [Self; 5] = [Self::Pending, Self::Sending, Self::Sent, Self::Failed, Self::Dropped];

    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    fn told(self) -> ToldState {
        match self {
            Self::Pending | Self::Sending => ToldState::Waiting,
            Self::Sent => ToldState::Told,
            Self::Failed => ToldState::Failed,
            Self::Dropped => ToldState::NotTold,
        }
    }
}

fn message(row: &Row<'_>) -> rusqlite::Result<DirectMessage> {
    Ok(DirectMessage {
        punishment: column(row, "punishment_id")?,
        action: word(row, "action", Action::from_word)?,
        user: column(row, "user_id")?,
        sent_at: optional(row, "sent_at")?,
        give_up_at: column(row, "give_up_at")?,
        holds: row.get("holds")?,
    })
}

impl View<'_> {
    /// The messages behind a punishment that are still to be sent, or may have been, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_direct_messages(
        &self,
        behind: Option<PunishmentId>,
    ) -> Result<Vec<DirectMessage>, StoreError> {
        let sql = "SELECT m.punishment_id, p.action, m.user_id, m.sent_at, m.give_up_at, m.holds
             FROM direct_messages m JOIN punishments p ON p.event_id = m.punishment_id
             WHERE m.state IN ('pending', 'sending') AND m.punishment_id > ?1 ORDER BY m.punishment_id";
        let behind = behind.map_or(0, |id| id.get().cast_signed());
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([behind], message)?.collect::<Result<_, _>>()?)
    }

    /// Whether the user of a punishment was told of it; nothing where there is nothing to tell of.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn told(&self, punishment: PunishmentId) -> Result<Option<Told>, StoreError> {
        let sql = "SELECT state, reason FROM direct_messages WHERE punishment_id = ?1";
        let read = |row: &Row<'_>| {
            let state = word(row, "state", State::from_word)?.told();
            Ok(Told { state, reason: row.get("reason")? })
        };
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(punishment)], read).optional()?)
    }

    /// How many punishments wait for their message.
    pub(super) fn directs(&self) -> Result<Directs, StoreError> {
        let sql = "SELECT count(*) FROM direct_messages WHERE state IN ('pending', 'sending') AND holds = 1";
        let holding: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(Directs { stored: 0, holding: holding.cast_unsigned() })
    }
}

impl Change<'_> {
    /// Stores what the user of a punishment is told, for whoever sends it. A ban and a kick wait for it: who calls this
    /// leaves their deliveries to [`end_direct_message`](Self::end_direct_message).
    ///
    /// # Errors
    /// Where the store fails.
    pub fn insert_direct_message(&self, punishment: &Punishment, body: &Value) -> Result<Told, StoreError> {
        let holds = punishment.action != Action::Warn;
        let sql = "INSERT INTO direct_messages
                 (punishment_id, user_id, body, state, holds, give_up_at, created_at, updated_at)
             VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?6)";
        let now = self.now().millis();
        let (id, user) = (Sql(punishment.id), Sql(punishment.user_id));
        let values = params![id, user, body.to_string(), holds, now.saturating_add(PATIENCE), now];
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.count_direct(|count| {
            count.stored += 1;
            count.holding += u64::from(holds);
        });
        Ok(Told::new(ToldState::Waiting, None))
    }

    /// Remembers that, and why, the user of a punishment is not told.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn tell_nobody(&self, punishment: &Punishment, reason: &str) -> Result<Told, StoreError> {
        let sql = "INSERT INTO direct_messages
                 (punishment_id, user_id, state, reason, holds, give_up_at, created_at, updated_at)
             VALUES (?1, ?2, 'dropped', ?3, 0, ?4, ?4, ?4)";
        let values = params![Sql(punishment.id), Sql(punishment.user_id), reason, self.now().millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(Told::new(ToldState::NotTold, Some(reason)))
    }

    /// What a message that has not left is to say, since its punishment's reason was corrected. One that may have left is not
    /// touched: Discord knows it by its nonce.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reword_direct_message(&self, id: PunishmentId, body: &Value) -> Result<(), StoreError> {
        let sql = "UPDATE direct_messages SET body = ?2, updated_at = ?3 WHERE punishment_id = ?1 AND state = 'pending'";
        let values = params![Sql(id), body.to_string(), self.now().millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Marks a message as about to leave, and returns it as it is to; nothing where it is not to leave any more: it has
    /// ended, or what it tells of was taken back before it was done.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn mark_direct_message(&self, id: PunishmentId) -> Result<Option<Leaving>, StoreError> {
        // The first time counts: from then on Discord knows the nonce.
        let sql =
            "UPDATE direct_messages SET state = 'sending', sent_at = coalesce(sent_at, ?2), updated_at = ?2
             WHERE punishment_id = ?1 AND state IN ('pending', 'sending')
               AND (holds = 0 OR EXISTS (SELECT 1 FROM deliveries d WHERE d.punishment_id = ?1
                    AND d.state IN ('pending', 'held', 'sending', 'blocked', 'unknown')))
             RETURNING sent_at, body";
        let values = params![Sql(id), self.now().millis()];
        let read = |row: &Row<'_>| {
            let body: String = row.get("body")?;
            let body = serde_json::from_str(&body).map_err(|_| odd("body"))?;
            Ok(Leaving { since: column(row, "sent_at")?, body })
        };
        Ok(self.connection().prepare_cached(sql)?.query_row(values, read).optional()?)
    }

    /// Takes the mark back: the request has certainly done nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn unmark_direct_message(&self, id: PunishmentId) -> Result<(), StoreError> {
        let sql = "UPDATE direct_messages SET state = 'pending', sent_at = NULL, updated_at = ?2
             WHERE punishment_id = ?1 AND state = 'sending'";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), self.now().millis()])?;
        Ok(())
    }

    /// Lets the deliveries of a punishment wait no longer: what is still pending goes to the engine with this commit.
    /// What something newer has superseded meanwhile stays where it is. Once is enough; a second time does nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn release_deliveries(&self, id: PunishmentId) -> Result<(), StoreError> {
        let sql =
            "UPDATE direct_messages SET holds = 0, updated_at = ?2 WHERE punishment_id = ?1 AND holds = 1";
        if self.connection().prepare_cached(sql)?.execute(params![Sql(id), self.now().millis()])? == 0 {
            return Ok(());
        }
        self.count_direct(|count| count.holding = count.holding.saturating_sub(1));
        self.pending_deliveries_of(id)?.into_iter().for_each(|delivery| self.send_after_commit(delivery));
        Ok(())
    }

    /// Records how a message ended, and lets the deliveries go that waited for it. Nothing where it has ended already.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_direct_message(&self, id: PunishmentId, told: &Told) -> Result<(), StoreError> {
        self.release_deliveries(id)?;
        let state = match told.state {
            // It goes on at the next start.
            ToldState::Waiting => return Ok(()),
            ToldState::Told => State::Sent,
            ToldState::Failed => State::Failed,
            ToldState::NotTold => State::Dropped,
        };
        let sql = "UPDATE direct_messages SET state = ?2, reason = ?3, body = NULL, updated_at = ?4
             WHERE punishment_id = ?1 AND state IN ('pending', 'sending')";
        let values = params![Sql(id), state.word(), told.reason, self.now().millis()];
        if self.connection().prepare_cached(sql)?.execute(values)? > 0 {
            self.tell(&Changed::Told { punishment_id: id, told: told.clone() })?;
        }
        Ok(())
    }
}
