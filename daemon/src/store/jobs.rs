//! `jobs`: what takes longer than a caller waits.

use super::rows::{Sql, column, odd, optional, word};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;
use std::collections::HashSet;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::job::{Job, JobKind, JobResult, JobState};
use wayhaven_shared::value::{GuildId, JobId, Timestamp, Untrusted};

/// How many jobs that are over are kept.
const KEPT: u32 = 1_000;

const COLUMNS: &str =
    "id, kind, state, guild_id, main_id, asked_by, dry_run, done, total, note, result, created_at,
    updated_at FROM jobs";

/// A job to begin.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What it does.
    pub kind: JobKind,
    /// The guild that it is about; nothing for the whole of Wayhaven.
    pub guild: Option<GuildId>,
    /// The main that it concerns, where it is one alone.
    pub main: Option<GuildId>,
    /// Who asks, as the audit names them.
    pub asked_by: String,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
    /// What it needs to begin, and to go on with after a restart.
    pub cursor: Value,
}

/// The words of all kinds, as a list for SQL.
fn known_kinds() -> String {
    let quoted: Vec<String> = JobKind::ALL.iter().map(|kind| format!("'{}'", kind.word())).collect();
    quoted.join(", ")
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let result: Option<String> = row.get("result")?;
    let read = |text: String| serde_json::from_str::<JobResult>(&text).map_err(|_| odd("result"));
    Ok(Job {
        id: column(row, "id")?,
        kind: word(row, "kind", JobKind::from_word)?,
        state: word(row, "state", JobState::from_word)?,
        guild_id: optional(row, "guild_id")?,
        main_guild_id: optional(row, "main_id")?,
        asked_by: row.get("asked_by")?,
        dry_run: row.get("dry_run")?,
        done: row.get::<_, i64>("done")?.cast_unsigned(),
        total: row.get::<_, Option<i64>>("total")?.map(i64::cast_unsigned),
        note: optional(row, "note")?,
        result: result.map(read).transpose()?,
        created_at: column(row, "created_at")?,
        updated_at: column(row, "updated_at")?,
    })
}

impl View<'_> {
    /// A job.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE id = ?1 AND kind IN ({})", known_kinds());
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(id)], job).optional()?)
    }

    /// Jobs, newest first: those that concern the guild, or all. Jobs of a kind that this version
    /// does not know are left out: another version has stored them and goes on with them.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn jobs(&self, scope: Option<GuildId>, running: bool, limit: u16) -> Result<Vec<Job>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE (?1 IS NULL OR guild_id = ?1 OR main_id = ?1) AND (?2 = 0 OR state = 'running')
               AND kind IN ({})
              ORDER BY id DESC LIMIT ?3",
            known_kinds()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![Sql(scope), running, limit], job)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The job of that kind that goes on in the guild, or about the whole; for one main or for all.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn running_job(&self, kind: JobKind, guild: Option<GuildId>) -> Result<Option<Job>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} WHERE state = 'running' AND kind = ?1 AND guild_id IS ?2 LIMIT 1");
        let values = params![kind.word(), Sql(guild)];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, job).optional()?)
    }

    /// All jobs of that kind that go on in the guild, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn running_jobs(&self, kind: JobKind, guild: GuildId) -> Result<Vec<Job>, StoreError> {
        let mut jobs = self.running_jobs_anywhere(kind)?;
        jobs.retain(|job| job.guild_id == Some(guild));
        Ok(jobs)
    }

    /// All jobs of that kind that go on, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn running_jobs_anywhere(&self, kind: JobKind) -> Result<Vec<Job>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE state = 'running' AND kind = ?1 ORDER BY id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([kind.word()], job)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Guilds in which the last job of that kind is one of that asker, and has failed, or was ended, since then.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn given_up(
        &self,
        kind: JobKind,
        asked_by: &str,
        since: Timestamp,
    ) -> Result<HashSet<GuildId>, StoreError> {
        let sql = "SELECT guild_id FROM jobs j
             WHERE state IN ('failed', 'cancelled') AND kind = ?1 AND asked_by = ?2 AND updated_at > ?3
               AND id = (SELECT max(id) FROM jobs later WHERE later.guild_id = j.guild_id AND later.kind = ?1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map(params![kind.word(), asked_by, since.millis()], |row| column(row, "guild_id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Where a job goes on.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn job_cursor(&self, id: JobId) -> Result<Value, StoreError> {
        let sql = "SELECT cursor FROM jobs WHERE id = ?1";
        let text: Option<String> =
            self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0)).optional()?.flatten();
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }
}

impl Change<'_> {
    /// Begins a job, and forgets the oldest that are over.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn begin_job(&self, new: &NewJob) -> Result<JobId, StoreError> {
        let sql = "INSERT INTO jobs (kind, state, guild_id, main_id, asked_by, dry_run, cursor, created_at, updated_at)
             VALUES (?1, 'running', ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
        let (now, cursor) = (self.now().millis(), new.cursor.to_string());
        let values =
            params![new.kind.word(), Sql(new.guild), Sql(new.main), new.asked_by, new.dry_run, cursor, now];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let id = JobId::new(self.connection().last_insert_rowid().cast_unsigned())
            .ok_or_else(|| StoreError::Row { table: "jobs", what: "a row without id".into() })?;
        let sql = "DELETE FROM jobs WHERE state <> 'running' AND id <= ?1 - ?2";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), KEPT])?;
        self.tell_of_job(id)?;
        Ok(id)
    }

    /// Stores where a job goes on, in the transaction that does what comes before.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn save_job_cursor(&self, id: JobId, cursor: &Value) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET cursor = ?2 WHERE id = ?1 AND state = 'running'";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), cursor.to_string()])?;
        Ok(())
    }

    /// Tells how far a job has come; what is over stays as it is.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn job_progress(
        &self,
        id: JobId,
        done: u64,
        total: Option<u64>,
        result: Option<&JobResult>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET done = ?2, total = ?3, result = coalesce(?4, result), updated_at = ?5
             WHERE id = ?1 AND state = 'running'";
        let result = result.and_then(|result| serde_json::to_string(result).ok());
        let now = self.now().millis();
        let total = total.map(u64::cast_signed);
        let values = params![Sql(id), done.cast_signed(), total, result, now];
        if self.connection().prepare_cached(sql)?.execute(values)? > 0 {
            self.tell_of_job(id)?;
        }
        Ok(())
    }

    /// Notes what a job waits for, or that it waits no more.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_job(&self, id: JobId, note: Option<&str>) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET note = ?2, updated_at = ?3 WHERE id = ?1 AND state = 'running'";
        let values = params![Sql(id), note, self.now().millis()];
        if self.connection().prepare_cached(sql)?.execute(values)? > 0 {
            self.tell_of_job(id)?;
        }
        Ok(())
    }

    /// Ends a job; whether it was running.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_job(
        &self,
        id: JobId,
        state: JobState,
        note: Option<&Untrusted>,
        result: Option<&JobResult>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE jobs SET state = ?2, note = ?3, result = coalesce(?4, result), cursor = NULL, updated_at = ?5,
                done = iif(?2 = 'done', coalesce(total, done), done)
             WHERE id = ?1 AND state = 'running'";
        let result = result.and_then(|result| serde_json::to_string(result).ok());
        let values = params![Sql(id), state.word(), note.map(Untrusted::raw), result, self.now().millis()];
        let ended = self.connection().prepare_cached(sql)?.execute(values)? > 0;
        if ended {
            self.tell_of_job(id)?;
        }
        Ok(ended)
    }

    fn tell_of_job(&self, id: JobId) -> Result<(), StoreError> {
        match self.job(id)? {
            Some(job) => self.tell(&Changed::Job { job: Box::new(job) }),
            None => Ok(()),
        }
    }

    /// Notes that a guild was compared with what its mains have decided. What was said of it after the comparison had begun,
    /// at `since`, is not answered by it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_reconciled(&self, guild: GuildId, since: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO reconciled (guild_id, at, due) VALUES (?1, ?2, 0)
             ON CONFLICT (guild_id) DO UPDATE SET at = excluded.at, due = iif(due_at < ?3, 0, due)";
        let values = params![Sql(guild), self.now().millis(), since.millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Notes when a guild that was never compared counts as compared: from then on its turns are reckoned.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reconciled_first(&self, guild: GuildId, at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO reconciled (guild_id, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), at.millis()])?;
        Ok(())
    }

    /// Something says that the guild may differ from what its mains have decided: it is compared soon.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reconcile_soon(&self, guild: GuildId) -> Result<(), StoreError> {
        self.note_due(guild, self.now())
    }

    /// The same beside a job that is begun in this transaction to compare the guild: it answers for
    /// this, unless it fails.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reconcile_unless_done(&self, guild: GuildId) -> Result<(), StoreError> {
        self.note_due(guild, Timestamp::from_millis(self.now().millis() - 1))
    }

    fn note_due(&self, guild: GuildId, at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO reconciled (guild_id, at, due, due_at) VALUES (?1, 0, 1, ?2)
             ON CONFLICT (guild_id) DO UPDATE SET due = 1, due_at = excluded.due_at";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), at.millis()])?;
        self.comparison_due();
        Ok(())
    }
}

impl View<'_> {
    /// When each guild was compared last, and whether it is to be again soon.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn reconciled(&self) -> Result<Vec<(GuildId, Timestamp, bool)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT guild_id, at, due FROM reconciled")?;
        let read = |row: &Row<'_>| Ok((column(row, "guild_id")?, column(row, "at")?, row.get("due")?));
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
