//! `sync export`.

use crate::context::Context;
use crate::handlers::Handle;
use crate::lists::export::Export;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::operations::sync::SyncExport;

impl Handle for SyncExport {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        let (format, source) = (self.format.unwrap_or_default(), self.source.unwrap_or_default());
        let export = Export { guild: cx.guild()?, format, source };
        let asked_by = cx.invocation.actor.audit_name();
        cx.systems.lists.export(export, asked_by, cx.invocation.dry_run).await
    }
}
