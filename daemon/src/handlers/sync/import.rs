//! `sync import`.

use crate::handlers::Handle;
use crate::handlers::setup::main_guild;
use crate::invocation::Context;
use crate::lists::import::{Import, preview};
use crate::lists::running;
use std::time::Duration;
use wayhaven_shared::operations::sync::{Imported, SyncImport};
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Fault, FaultKind};

/// How long whoever asks is kept waiting: a client gives up after a minute.
const PATIENCE: Duration = Duration::from_secs(45);

impl Handle for SyncImport {
    async fn handle(self, cx: &Context) -> Result<Imported, Fault> {
        let main = main_guild(cx).await?;
        if self.apply && cx.is_member() {
            return Err(Fault::denied(
                "apply is for operators: an import is seen before it goes to the children",
            )
            .hint("leave it out: sync holds shows what is held, sync approve sends it")
            .hint("or an operator does it on the command line"));
        }
        let file = cx.invocation.upload.ok_or_else(|| {
            Fault::usage("no file came with the request")
                .hint("wayhaven sync import FILE reads it and sends it")
        })?;
        let import = Import {
            main,
            moderator: cx.invocation.actor.user(),
            name: Untrusted::clipped(&self.file.shown()),
            most: cx.daemon.settings().network.import_cap,
            apply: self.apply,
        };
        if cx.invocation.dry_run {
            return preview(&cx.daemon, &import, cx.daemon.uploads().open(file)?).await;
        }
        let ended = running::begin(&cx.daemon, import, file).await?;
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                Err(Fault::unavailable("the daemon is stopping").hint("the import goes on at its next start"))
            }
            Err(_) => Err(Fault::new(FaultKind::Pending, "the import goes on").hint(
                "punishment list shows what it has done so far; asked for again, it says that it goes on",
            )),
        }
    }
}
