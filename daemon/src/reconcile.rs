//! What guilds' mains have decided, compared with what Discord says: on request, by itself now and then, and where a child
//! is new.
//!
//! A comparison is a job of one guild. It walks through the guild's members and through its ban list page by page, in the
//! order of user ids, and reads of our own store what lies in the same stretch: as much memory as a page takes, however
//! long the lists are. What differs becomes deliveries, a stretch in a transaction with the place where the walk goes on, and
//! these pass the same gates as any other: nothing here sends anything to a guild.

pub mod backfill;
mod keeper;
mod local;
mod step;
mod throttle;
mod walk;

pub use keeper::Keeper;

use crate::discord::directory::Presence;
use crate::jobs::{Jobs, Running, Stop};
use crate::services::Services;
use crate::store::{Change, NewJob, View};
use crate::sync::Engine;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use walk::Walk;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::{Job, JobKind, JobResult, JobState};
use wayhaven_shared::operations::reconcile::Reconciled;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// How much a comparison does about what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolve {
    /// Nothing: it shows it.
    Show,
    /// What is safe to do unasked: what is missing, or gone although nobody took it back.
    ByItself,
    /// All of it: somebody has seen the plan.
    All,
}

/// Where a walk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Among the guild's members.
    #[default]
    Members,
    /// Among those who are to be muted or timed out, where nobody tells who is a member.
    Unseen,
    /// In its ban list.
    Bans,
}

/// What a job of this kind is stored with: what it is to do, how far it has come, and what it has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// How much it does.
    pub resolve: Resolve,
    /// Whether it also takes back what its main has taken back while a gate was shut.
    #[serde(default)]
    pub lifts: bool,
    /// Whether somebody works at it, or has.
    #[serde(default)]
    pub begun_at_all: bool,
    /// Of which main; of all without one.
    #[serde(default)]
    pub main: Option<GuildId>,
    /// Where it is.
    #[serde(default)]
    pub stage: Stage,
    /// Behind whom it goes on.
    #[serde(default)]
    pub after: Option<UserId>,
    /// How many bans of members were begun, which the ban list will show on their way, or done.
    #[serde(default)]
    pub begun: u64,
    /// How many decisions were looked at.
    #[serde(default)]
    pub done: u64,
    /// What was found so far.
    #[serde(default)]
    pub found: Option<Reconciled>,
}

impl Cursor {
    /// From the beginning.
    pub fn new(resolve: Resolve, main: Option<GuildId>) -> Self {
        Self {
            resolve,
            lifts: resolve == Resolve::All,
            begun_at_all: false,
            main,
            stage: Stage::Members,
            after: None,
            begun: 0,
            done: 0,
            found: None,
        }
    }

    /// As it is stored.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A job that compares a guild.
pub fn new_job(kind: JobKind, guild: GuildId, asked_by: String, cursor: &Cursor) -> NewJob {
    NewJob {
        kind,
        guild: Some(guild),
        main: cursor.main,
        asked_by,
        dry_run: cursor.resolve == Resolve::Show,
        cursor: cursor.to_json(),
    }
}

/// Compares guilds with what their mains have decided. Clones share everything.
#[derive(Clone)]
pub struct Reconcile {
    services: Services,
    jobs: Jobs,
    engine: Engine,
}

impl Reconcile {
    /// Compares guilds as jobs of `jobs`.
    pub fn new(services: Services, jobs: Jobs, engine: Engine) -> Self {
        Self { services, jobs, engine }
    }

    /// Begins to compare a guild; answers with what was found where that does not take long.
    ///
    /// # Errors
    /// Where one goes on there already, or the store fails.
    pub async fn begin(&self, guild: GuildId, asked_by: String, cursor: Cursor) -> Result<Job, Fault> {
        let new = new_job(JobKind::Reconcile, guild, asked_by, &cursor);
        let engine = self.engine.clone();
        let work = move |running, cursor| work(running, engine, JobKind::Reconcile, guild, cursor);
        self.jobs.begin(new, work).await
    }

    /// Resumes a stored comparison that is not running in this process: the daemon was restarted, or
    /// a transaction has stored the job.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn resume(&self, job: &Job) -> Result<(), Fault> {
        let (services, id, kind) = (&self.services, job.id, job.kind);
        let Some(guild) = job.guild_id else { return Ok(()) };
        if !services.store().topology().is_child(guild) {
            let note = Untrusted::clipped("the guild is no child any more");
            let end = move |change: &Change<'_>| {
                Ok(change.end_job(id, JobState::Cancelled, Some(&note), None).map(drop)?)
            };
            return services.store().write(end).await;
        }
        // Where the bot is not, nothing can be asked; the keeper tries again.
        if services.directory().presence(guild) != Some(Presence::Here) {
            return Ok(());
        }
        // It may have come to its end since it was seen.
        let read = move |view: &View<'_>| Ok((view.job(id)?, view.job_cursor(id)?));
        let (job, cursor) = services.store().read(read).await?;
        if job.is_some_and(|job| job.is_running()) {
            let engine = self.engine.clone();
            let work = move |running, cursor| work(running, engine, kind, guild, cursor);
            drop(self.jobs.go_on(id, cursor, work));
        }
        Ok(())
    }

    /// The task that begins comparisons by itself.
    pub fn task(&self) -> Keeper {
        Keeper::new(self.clone())
    }
}

async fn work(
    running: Running,
    engine: Engine,
    kind: JobKind,
    guild: GuildId,
    cursor: Value,
) -> Result<JobResult, Stop> {
    let cursor: Cursor = serde_json::from_value(cursor).map_err(|error| {
        Fault::internal(format!("where the comparison goes on is not understood: {error}"))
    })?;
    Walk::new(running, engine, kind, guild, cursor).run().await.map(JobResult::Reconciled)
}

#[cfg(test)]
mod tests;
