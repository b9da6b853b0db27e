//! The systems of a daemon: what each does is in its own module, and here is the list of them.

use crate::alerts::Alerts;
use crate::audit::Audit;
use crate::direct::Direct;
use crate::doctor::Visits;
use crate::health::Checks;
use crate::jobs::Jobs;
use crate::lists::Lists;
use crate::names;
use crate::notices::Notices;
use crate::operators::{Lookup, Operators};
use crate::reconcile::Reconcile;
use crate::reload::{Reload, SettingsSource};
use crate::services::Services;
use crate::settings::SettingsWriter;
use crate::store::Change;
use crate::sync::Engine;
use crate::sync::closing::Closing;
use crate::sync::containment::Containment;
use crate::sync::ingest::Ingest;
use crate::tasks::{Task, Tasks};
use crate::uploads::{Sweep, Uploads};
use std::time::Duration;
use wayhaven_shared::operations::job::{AfterRestart, Job, JobKind, JobState};
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Fault, jobs};

/// The systems.
pub struct Systems {
    /// What all of them work with.
    pub services: Services,
    /// The sync engine.
    pub engine: Engine,
    /// What takes in events.
    pub ingest: Ingest,
    /// Direct messages.
    pub direct: Direct,
    /// Files on their way in or out.
    pub uploads: Uploads,
    /// Jobs.
    pub jobs: Jobs,
    /// The audit.
    pub audit: Audit,
    /// Imports and exports of lists.
    pub lists: Lists,
    /// Comparisons.
    pub reconcile: Reconcile,
    /// Changes of the settings.
    pub reload: Reload,
    /// The accounts of operators by name.
    pub operators: Operators,
    /// What runs the tasks.
    pub runner: Tasks,
}

macro_rules! resume {
    ($($(#[$help:meta])+ $kind:ident => $result:ident, $word:literal, $concurrency:ident$(($plans:literal))?,
       $after:ident$(($system:ident))?, $file:ident$(($operation:literal))?;)+) => {
        impl Systems {
            /// Resumes a job in the system that the list of jobs names for its kind.
            async fn resume(&self, job: &Job) -> Result<(), Fault> {
                match job.kind {
                    $(JobKind::$kind => {
                        $(self.$system.resume(job).await?;)?
                    })+
                }
                Ok(())
            }
        }
    };
}

jobs!(resume);

/// How long the tasks gather what happens before they look at it. Tests wait less.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// Of alerts.
    pub alerts: Duration,
    /// Of the mark beside the store.
    pub audit_mark: Duration,
    /// Between two looks at each part of the daemon.
    pub health: Duration,
    /// After how long without a connection that is an error.
    pub away: Duration,
    /// Of names.
    pub names: Duration,
    /// Of notices, and between two in one channel.
    pub notices: Duration,
    /// Of what comes due by itself.
    pub schedule: Duration,
}

impl Systems {
    /// The systems of these services, which read their settings from `source`.
    pub fn new(
        services: Services,
        (engine, ingest): (Engine, Ingest),
        (source, writer): (SettingsSource, SettingsWriter),
    ) -> Self {
        let uploads = Uploads::at(services.layout().state.join("uploads"));
        let jobs = Jobs::new(services.clone());
        Self {
            direct: Direct::new(services.clone()),
            audit: Audit::new(services.clone(), jobs.clone(), uploads.clone()),
            lists: Lists::new(services.clone(), jobs.clone(), uploads.clone()),
            reconcile: Reconcile::new(services.clone(), jobs.clone(), engine.clone()),
            reload: Reload::new(services.clone(), source, writer),
            operators: Operators::new(Lookup::default()),
            runner: Tasks::new(services.clone()),
            engine,
            ingest,
            uploads,
            jobs,
            services,
        }
    }

    /// Resumes the jobs that were running when the daemon stopped, if their kind can. Ends all other
    /// jobs, and all dry runs, as interrupted. Called at the start.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn resume_jobs(&self) -> Result<(), Fault> {
        let store = self.services.store();
        for job in store.read(|view| Ok(view.jobs(None, true, u16::MAX)?)).await? {
            if !job.dry_run && job.kind.after_restart() == AfterRestart::Resumes {
                self.resume(&job).await?;
                continue;
            }
            let note = Untrusted::clipped("the daemon ended before it did: ask for it again");
            let end = move |change: &Change<'_>| {
                Ok(change.end_job(job.id, JobState::Interrupted, Some(&note), None).map(drop)?)
            };
            store.write(end).await?;
        }
        Ok(())
    }

    /// What they do by themselves.
    pub fn tasks(&self, pauses: &Pauses) -> Vec<Box<dyn Task>> {
        let (services, engine) = (|| self.services.clone(), || self.engine.clone());
        let (store, clock) = (self.services.store().clone(), self.services.clock().clone());
        let log = self.reload.log().clone();
        vec![
            Box::new(Closing::new(store.clone(), engine(), clock)),
            Box::new(Containment::new(store)),
            Box::new(self.direct.task()),
            Box::new(Sweep::new(self.uploads.clone())),
            Box::new(self.reconcile.task()),
            Box::new(Notices::new(services(), pauses.notices)),
            Box::new(Visits::new(services(), engine())),
            Box::new(Alerts::new(services(), engine(), pauses.alerts)),
            Box::new(Checks::new(services(), log, pauses.health, pauses.away)),
            Box::new(names::Keeping::new(services(), pauses.names)),
            Box::new(names::Asking::new(services())),
            Box::new(self.audit.marking(pauses.audit_mark)),
        ]
    }
}
