//! `sync import`.

use crate::authority;
use crate::context::Context;
use crate::handlers::Handle;
use crate::handlers::setup::main_guild;
use crate::invocation::Upload;
use crate::lists::import::Import;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::sync::SyncImport;
use wayhaven_shared::value::Untrusted;

impl Handle for SyncImport {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        let main = main_guild(cx).await?;
        if self.apply && cx.is_member() {
            return Err(Fault::denied(
                "apply is for operators: an import is seen before it goes to the children",
            )
            .hint("leave it out: sync holds shows what is held, sync approve sends it")
            .hint("or an operator does it on the command line"));
        }
        // It bans here at once, and who may not ban one user bans no list of them.
        authority::check_action(cx, Action::Ban)?;
        let file = match (&cx.invocation.upload, cx.invocation.actor.user()) {
            (Some(Upload::Staged(file)), _) => *file,
            (Some(Upload::Attached(file)), Some(user)) => cx.systems.lists.fetch(user, file).await?,
            _ => {
                return Err(Fault::usage("no file came with the request")
                    .hint("wayhaven sync import FILE reads it and sends it"));
            }
        };
        let import = Import {
            main,
            moderator: cx.invocation.actor.user(),
            operator: cx.invocation.actor.uid(),
            name: Untrusted::clipped(&self.file.shown()),
            most: cx.services.settings().network.import_cap,
            apply: self.apply,
            ignored: self.ignore_column,
        };
        let asked_by = cx.invocation.actor.audit_name();
        cx.systems.lists.import(import, file, asked_by, cx.invocation.dry_run).await
    }
}
