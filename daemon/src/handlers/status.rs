//! `status`: the daemon at a glance.

use super::Handle;
use crate::clock::Skew;
use crate::context::Context;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::status::{DaemonStatus, Status};

impl Handle for Status {
    async fn handle(self, cx: &Context) -> Result<DaemonStatus, Fault> {
        let services = &cx.services;
        let read = services.store().read(|view| {
            let counts = (view.delivery_counts(None)?, view.open_alerts(None)?);
            Ok((counts, view.chain_head()?, view.components()?))
        });
        let ((deliveries, alerts), head, components) = read.await?;
        Ok(DaemonStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_seconds: services.lifecycle().uptime().as_secs(),
            discord: services.gateway().connection(),
            guilds: services.directory().count(),
            deliveries,
            alerts,
            audit_rows: head.rows,
            audit_head: head.hex(),
            components,
            clock_offset_ms: services.clock().measured_skew().map(Skew::millis),
        })
    }
}
