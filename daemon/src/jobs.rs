//! What takes longer than a caller waits: it goes on by itself, tells how far it is, can be ended, and where its kind can
//! goes on after a restart.
//!
//! A job is a row, and what it does is done in steps that are transactions of their own: a kill at any moment costs the
//! step that was not committed. Where it goes on is its cursor, stored with the step that came before.

use crate::services::Services;
use crate::store::{NewJob, STOPPING, StoreError};
use futures::FutureExt;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use wayhaven_shared::operations::job::{Concurrency, Job, JobResult, JobState};
use wayhaven_shared::value::{GuildId, JobId, Untrusted};
use wayhaven_shared::{Fault, FaultKind};

/// How long a caller is kept waiting for the whole answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a job tells how far it is, at most.
const BETWEEN_TELLS: Duration = Duration::from_millis(500);

/// The jobs. Clones are of the same jobs.
#[derive(Clone)]
pub struct Jobs {
    services: Services,
    registry: Arc<Registry>,
}

/// The jobs that are running, and how each is told to end.
#[derive(Default)]
struct Registry(Mutex<HashMap<JobId, watch::Sender<bool>>>);

impl Registry {
    /// Takes a job for oneself, with what tells of its end; nothing where somebody works at it.
    fn take(&self, id: JobId) -> Option<watch::Receiver<bool>> {
        match self.running().entry(id) {
            Entry::Occupied(_) => None,
            Entry::Vacant(vacant) => Some(vacant.insert(watch::Sender::new(false)).subscribe()),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a job's work ends before it is done.
#[derive(Debug)]
pub enum Stop {
    /// It was cancelled.
    Cancelled,
    /// There is nothing left for it to do, for this reason: the guild left the network.
    Over(String),
    /// It cannot go on.
    Failed(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// A job's own hand on itself.
pub struct Running {
    /// The services.
    pub services: Services,
    /// Its number.
    pub id: JobId,
    cancelled: watch::Receiver<bool>,
    told: Option<Instant>,
    noted: Option<String>,
    last: LastWill,
    untold: Untold,
}

/// What is done once a job's end is stored.
type LastWill = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// The latest progress of a job where it came too soon after the one before to be stored by itself. It is stored with the
/// job's end, so that an ended job shows all that was done.
type Untold = Arc<Mutex<Option<Progress>>>;

/// How far a job is.
struct Progress {
    done: u64,
    total: Option<u64>,
    so_far: Option<JobResult>,
}

impl Running {
    /// Ends the work here where the job was cancelled.
    ///
    /// # Errors
    /// [`Stop::Cancelled`].
    pub fn check(&self) -> Result<(), Stop> {
        if *self.cancelled.borrow() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// Does something that takes its time, unless the job is cancelled meanwhile.
    ///
    /// # Errors
    /// [`Stop::Cancelled`].
    pub async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let mut cancelled = self.cancelled.clone();
        tokio::select! {
            biased;
            // The sender lives in the registry as long as the job.
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Stop::Cancelled),
            done = work => Ok(done),
        }
    }

    /// Does something once it is stored that the job is over, however it has ended: not where it goes on after a restart.
    pub fn once_over(&self, then: impl FnOnce() + Send + 'static) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(then));
    }

    /// Tells what it waits for.
    pub async fn wait_for(&mut self, note: String) {
        self.note(Some(note)).await;
    }

    /// Tells that it waits no more.
    pub async fn go_on(&mut self) {
        self.note(None).await;
    }

    async fn note(&mut self, note: Option<String>) {
        if self.noted == note {
            return;
        }
        self.noted.clone_from(&note);
        let id = self.id;
        let work = move |change: &crate::store::Change<'_>| Ok(change.note_job(id, note.as_deref())?);
        self.services.store().write_later("what a job waits for", work).await;
    }

    /// Tells how far it is, whenever it has last.
    pub async fn tell_now(&mut self, done: u64, total: Option<u64>, so_far: Option<JobResult>) {
        self.told = None;
        self.tell(done, total, so_far).await;
    }

    /// Tells how far it is, unless it has just done so.
    pub async fn tell(&mut self, done: u64, total: Option<u64>, so_far: Option<JobResult>) {
        let soon = self.told.is_some_and(|told| told.elapsed() < BETWEEN_TELLS);
        *self.untold.lock().unwrap_or_else(PoisonError::into_inner) =
            soon.then(|| Progress { done, total, so_far: so_far.clone() });
        if soon {
            return;
        }
        self.told = Some(Instant::now());
        let id = self.id;
        let work = move |change: &crate::store::Change<'_>| {
            Ok(change.job_progress(id, done, total, so_far.as_ref())?)
        };
        self.services.store().write_later("a job's progress", work).await;
    }
}

/// The job that keeps a new one from beginning.
fn blocking(change: &crate::store::Change<'_>, new: &NewJob) -> Result<Option<Job>, StoreError> {
    let mut running = change.running_jobs_anywhere(new.kind)?;
    let most = match new.kind.concurrency() {
        Concurrency::OneOverall => 1,
        Concurrency::OnePerGuild => {
            running.retain(|job| job.guild_id == new.guild);
            1
        }
        Concurrency::OnePerGuildAndPlans(plans) => {
            running.retain(|job| job.guild_id == new.guild && job.dry_run == new.dry_run);
            if new.dry_run { plans } else { 1 }
        }
    };
    Ok(if running.len() < most { None } else { running.into_iter().next() })
}

fn is_running(job: &Job, guild: Option<GuildId>) -> Fault {
    if job.kind.concurrency() == Concurrency::OneOverall {
        // Another guild may have asked for that job, so its number is not named.
        return Fault::conflict(format!("another {} job is already running", job.kind.words()))
            .hint("try again when that job has ended");
    }
    let place = guild.map_or_else(String::new, |guild| format!(" in guild {guild}"));
    let (id, kind) = (job.id, job.kind.words());
    let plan = if job.dry_run { ", a dry run," } else { "" };
    Fault::conflict(format!("job {id}{plan} runs already: {kind}{place}"))
        .hint(format!("see how far it is: wayhaven job show {id}"))
        .hint(format!("end it: wayhaven job cancel {id}"))
}

impl Jobs {
    /// The jobs of these services; none is running yet.
    pub fn new(services: Services) -> Self {
        Self { services, registry: Arc::default() }
    }

    /// Whether a job is running in this process.
    pub fn has(&self, id: JobId) -> bool {
        self.registry.running().contains_key(&id)
    }

    /// Tells a job to end. Returns whether it is running in this process.
    pub fn cancel(&self, id: JobId) -> bool {
        self.registry.running().get(&id).is_some_and(|cancelled| {
            cancelled.send_replace(true);
            true
        })
    }

    /// Begins a job, and answers with what came of it where that does not take long, or with how it stands.
    ///
    /// # Errors
    /// Where one of its kind goes on in that guild already, or the store fails.
    pub async fn begin<W, F>(&self, new: NewJob, work: W) -> Result<Job, Fault>
    where
        W: FnOnce(Running, Value) -> F + Send + 'static,
        F: Future<Output = Result<JobResult, Stop>> + Send + 'static,
    {
        let cursor = new.cursor.clone();
        let registry = Arc::clone(&self.registry);
        let taken = Arc::new(OnceLock::new());
        let remember = Arc::clone(&taken);
        let begin = move |change: &crate::store::Change<'_>| {
            if let Some(job) = blocking(change, &new)? {
                return Err(is_running(&job, new.guild));
            }
            let id = change.begin_job(&new)?;
            // Before anybody sees the row: whoever takes up jobs that nobody works at leaves this one alone.
            if let Some(cancelled) = registry.take(id) {
                let _ = remember.set((id, cancelled));
            }
            Ok(id)
        };
        let begun = self.services.store().write(begin).await;
        let taken = taken.get().cloned();
        let id = begun.inspect_err(|_| {
            if let Some((id, _)) = &taken {
                self.registry.running().remove(id);
            }
        })?;
        let ended = self.attend(id, taken.map(|(_, cancelled)| cancelled), cursor, work);
        // Whoever waits longer is told where to look.
        let _ = tokio::time::timeout(PATIENCE, ended).await;
        let job = self.services.store().read(move |view| Ok(view.job(id)?)).await?;
        job.ok_or_else(|| Fault::not_found(format!("job {id} is not there any more")))
    }

    /// Lets a job that is stored as running go on; the future is ready when it is over.
    pub fn go_on<W, F>(&self, id: JobId, cursor: Value, work: W) -> impl Future<Output = ()> + use<W, F>
    where
        W: FnOnce(Running, Value) -> F + Send + 'static,
        F: Future<Output = Result<JobResult, Stop>> + Send + 'static,
    {
        // Whoever began it, and whoever looks for jobs that nobody works at, may both come here.
        let taken = self.registry.take(id);
        self.attend(id, taken, cursor, work)
    }

    /// Works at a job that was taken.
    fn attend<W, F>(
        &self,
        id: JobId,
        taken: Option<watch::Receiver<bool>>,
        cursor: Value,
        work: W,
    ) -> impl Future<Output = ()> + use<W, F>
    where
        W: FnOnce(Running, Value) -> F + Send + 'static,
        F: Future<Output = Result<JobResult, Stop>> + Send + 'static,
    {
        let Self { services, registry } = self.clone();
        let task = tokio::spawn(async move {
            let Some(cancelled) = taken else { return };
            let (last, untold) = (LastWill::default(), Untold::default());
            let running = Running {
                services: services.clone(),
                id,
                cancelled,
                told: None,
                noted: None,
                last: Arc::clone(&last),
                untold: Arc::clone(&untold),
            };
            let mut stopping = services.lifecycle().stopping();
            // A panic costs this job; its hook has logged where and why.
            let working = AssertUnwindSafe(work(running, cursor)).catch_unwind();
            tokio::select! {
                biased;
                // It stays as it is, and the next start decides.
                () = stopping.raised() => {}
                ended = working => {
                    let ended =
                        ended.unwrap_or_else(|_| Err(Stop::Failed(Fault::internal("a defect of Wayhaven"))));
                    // What fails because the daemon goes has not failed.
                    let goes = matches!(&ended, Err(Stop::Failed(fault)) if fault.message == STOPPING);
                    let untold = untold.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if !goes && end(&services, id, ended, untold).await {
                        let then = last.lock().unwrap_or_else(PoisonError::into_inner).take();
                        then.into_iter().for_each(|then| then());
                    }
                }
            }
            registry.running().remove(&id);
        });
        async move {
            let _ = task.await;
        }
    }

    /// A job that somebody names, if it concerns the guild in which they ask.
    ///
    /// # Errors
    /// Where there is none, or none of that guild's.
    pub async fn named(&self, id: JobId, scope: Option<GuildId>) -> Result<Job, Fault> {
        let job = self.services.store().read(move |view| Ok(view.job(id)?)).await?;
        let concerns = |job: &Job| scope.is_none() || job.guild_id == scope || job.main_guild_id == scope;
        job.filter(concerns).ok_or_else(|| {
            Fault::new(FaultKind::NotFound, format!("there is no job {id} here"))
                .hint("job list shows those there are")
        })
    }
}

/// Stores that a job is over, and how far it came; whether that was possible.
async fn end(
    services: &Services,
    id: JobId,
    ended: Result<JobResult, Stop>,
    untold: Option<Progress>,
) -> bool {
    let (state, note, result) = match ended {
        Ok(result) => (JobState::Done, None, Some(result)),
        Err(Stop::Cancelled) => (JobState::Cancelled, None, None),
        Err(Stop::Over(why)) => (JobState::Cancelled, Some(Untrusted::clipped(&why)), None),
        Err(Stop::Failed(fault)) => {
            tracing::warn!(job = %id, "a job could not go on: {fault}");
            (JobState::Failed, Some(Untrusted::clipped(&fault.message)), None)
        }
    };
    let work = move |change: &crate::store::Change<'_>| {
        if let Some(Progress { done, total, so_far }) = &untold {
            change.job_progress(id, *done, *total, so_far.as_ref())?;
        }
        Ok(change.end_job(id, state, note.as_ref(), result.as_ref()).map(drop)?)
    };
    let stored = services.store().write(work).await;
    if let Err(fault) = &stored {
        tracing::error!(job = %id, "that a job is over is not stored: {fault}");
    }
    stored.is_ok()
}

#[cfg(test)]
mod tests;
