//! What is done with the audit as a whole: whether it holds, and a copy of it as a file. The chain itself is the store's.

pub mod export;
pub mod mark;
pub mod refusals;
pub mod rows;
mod verify;
mod write;

use crate::jobs::Jobs;
use crate::services::Services;
use crate::uploads::Uploads;
use export::Export;
use mark::Marking;
use refusals::{Refusals, WINDOW};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::value::{ChainMark, GuildId};

/// The audit as a whole.
pub struct Audit {
    services: Services,
    jobs: Jobs,
    uploads: Uploads,
    refusals: Arc<Refusals>,
}

impl Audit {
    /// The audit of these services' store.
    pub fn new(services: Services, jobs: Jobs, uploads: Uploads) -> Self {
        let refusals = Refusals::new(services.store().clone(), WINDOW);
        Self { services, jobs, uploads, refusals }
    }

    /// Refusals of members that come too often to be a row each.
    pub fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    /// Begins to write entries to a file.
    ///
    /// # Errors
    /// Where that is being done for the guild already, or there is no room for a file.
    pub async fn export(&self, export: Export, asked_by: String, dry_run: bool) -> Result<Job, Fault> {
        export::begin((&self.jobs, &self.uploads), export, asked_by, dry_run).await
    }

    /// Begins to verify the chain, from the `noted` end on where one is given.
    ///
    /// # Errors
    /// Where it is being verified already, or the store fails.
    pub async fn verify(
        &self,
        guild: Option<GuildId>,
        noted: Option<ChainMark>,
        asked_by: String,
    ) -> Result<Job, Fault> {
        verify::begin(&self.jobs, guild, noted, asked_by).await
    }

    /// The task that notes where the chain ends.
    pub fn marking(&self, pause: Duration) -> Marking {
        Marking::new(self.services.clone(), pause)
    }

    /// At the daemon's end, once nothing is audited any more: notes where the chain ends.
    pub async fn note_last(&self) {
        mark::note_last(&self.services).await;
    }
}
