//! `sync export`.

use crate::handlers::Handle;
use crate::invocation::Context;
use crate::lists::export::{self, Export};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::operations::sync::SyncExport;

impl Handle for SyncExport {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        let (format, source) = (self.format.unwrap_or_default(), self.source.unwrap_or_default());
        let export = Export { guild: cx.guild()?, format, source };
        let asked_by = cx.invocation.actor.audit_name();
        export::begin(&cx.daemon, export, asked_by, cx.invocation.dry_run).await
    }
}
