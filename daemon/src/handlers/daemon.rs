//! `daemon`: the daemon itself.

use super::Handle;
use crate::invocation::Context;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::daemon::{DaemonStop, DaemonStopping};

impl Handle for DaemonStop {
    async fn handle(self, cx: &Context) -> Result<DaemonStopping, Fault> {
        let counts = cx.daemon.store().read(|view| Ok(view.delivery_counts(None)?)).await?;
        let dry_run = cx.invocation.dry_run;
        if !dry_run {
            cx.daemon.stop();
        }
        Ok(DaemonStopping { pid: std::process::id(), dry_run, open_deliveries: counts.open() })
    }
}
