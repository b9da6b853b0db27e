//! Alerts that end by themselves: each kind has a condition that ends it (`store/alerts/ending.rs`), and an alert whose
//! condition has come true is resolved, with a note. It is looked for after every change of the store, and once a minute.

use crate::daemon::Daemon;
use crate::store::{AlertFilter, Circumstances, View};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::alert::Alert;

/// How long changes of the store gather before it is looked for what they have ended.
pub const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked although the store has not changed: some conditions are a matter of time.
const LOOK: Duration = Duration::from_secs(60);

/// The kind that tells of blocked deliveries. What is tried again is not blocked for a moment, so its outcome is waited for.
const BLOCKED: &str = "delivery_blocked";

/// Resolves what is over until the daemon stops, at most once every `pause`.
pub async fn run(daemon: Arc<Daemon>, pause: Duration) {
    let mut stopping = daemon.stopping();
    tokio::select! {
        () = follow(&daemon, pause) => {}
        () = stopping.raised() => {}
    }
}

async fn follow(daemon: &Arc<Daemon>, pause: Duration) {
    let mut sequence = daemon.store().sequence();
    loop {
        sequence.mark_unchanged();
        if let Err(fault) = resolve_over(daemon).await {
            tracing::warn!("alerts that are over stay open: {fault}");
        }
        tokio::select! {
            // The store, and with it the sender, lives as long as the daemon.
            _ = sequence.changed() => tokio::time::sleep(pause).await,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Resolves the open alerts whose condition has come true.
async fn resolve_over(daemon: &Arc<Daemon>) -> Result<(), Fault> {
    let now = circumstances(daemon);
    let look = move |view: &View<'_>| {
        let mut over = Vec::new();
        for alert in view.alerts(&AlertFilter::default(), u16::MAX)? {
            if view.why_over(&alert, &now)?.is_some() {
                over.push(alert);
            }
        }
        Ok(over)
    };
    let over: Vec<Alert> = daemon.store().read(look).await?;
    if over.is_empty() {
        return Ok(());
    }
    for guild in over.iter().filter(|alert| alert.kind == BLOCKED).filter_map(|alert| alert.guild_id) {
        daemon.engine().landed(guild).await;
    }
    let now = circumstances(daemon);
    // Judged once more in the transaction: it may have begun anew meanwhile.
    daemon
        .store()
        .write(move |change| {
            for alert in over {
                change.resolve_over(alert.id, &now)?;
            }
            Ok(())
        })
        .await
}

fn circumstances(daemon: &Daemon) -> Circumstances {
    let budget = daemon.rest().budget();
    let requests = !budget.is_stopped() && budget.paused_for().is_none();
    Circumstances { connected: daemon.is_ready(), requests }
}

#[cfg(test)]
mod tests;
