//! Alerts that end by themselves: each kind has a condition that ends it (`store/alerts/ending.rs`), and an alert whose
//! condition has come true is resolved, with a note. It is looked for after every change of the store, and once a minute.

use crate::services::Services;
use crate::store::{AlertFilter, Circumstances, View};
use crate::sync::Engine;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::alert::Alert;

/// How long changes of the store gather before it is looked for what they have ended.
pub const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked although the store has not changed: some conditions are a matter of time.
const LOOK: Duration = Duration::from_secs(60);

/// The kind that tells of blocked deliveries. What is tried again is not blocked for a moment, so its outcome is waited for.
const BLOCKED: &str = "delivery_blocked";

/// Resolves alerts that are over: the task `alerts`.
pub struct Alerts {
    services: Services,
    engine: Engine,
    pause: Duration,
    changes: watch::Receiver<u64>,
}

impl Alerts {
    /// Looks at the alerts at most once every `pause`.
    pub fn new(services: Services, engine: Engine, pause: Duration) -> Self {
        let changes = services.store().sequence();
        Self { services, engine, pause, changes }
    }
}

impl Task for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.changes.mark_unchanged();
        resolve_over(&self.services, &self.engine).boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut changes, pause) = (self.changes.clone(), self.pause);
        let change = async move {
            // The store, and with it the sender, lives as long as the daemon.
            let _ = changes.changed().await;
            tokio::time::sleep(pause).await;
        };
        Trigger::EventWithin(change.boxed(), LOOK)
    }
}

/// Resolves the open alerts whose condition has come true.
async fn resolve_over(services: &Services, engine: &Engine) -> Result<(), Fault> {
    let now = circumstances(services);
    let look = move |view: &View<'_>| {
        let mut over = Vec::new();
        for alert in view.alerts(&AlertFilter::default(), u16::MAX)? {
            if view.why_over(&alert, &now)?.is_some() {
                over.push(alert);
            }
        }
        Ok(over)
    };
    let over: Vec<Alert> = services.store().read(look).await?;
    if over.is_empty() {
        return Ok(());
    }
    for guild in over.iter().filter(|alert| alert.kind == BLOCKED).filter_map(|alert| alert.guild_id) {
        engine.landed(guild).await;
    }
    let now = circumstances(services);
    // Judged once more in the transaction: it may have begun anew meanwhile.
    services
        .store()
        .write(move |change| {
            for alert in over {
                change.resolve_over(alert.id, &now)?;
            }
            Ok(())
        })
        .await
}

fn circumstances(services: &Services) -> Circumstances {
    let budget = services.rest().budget();
    let requests = !budget.is_stopped() && budget.paused_for().is_none();
    Circumstances { connected: services.gateway().is_ready(), requests }
}

#[cfg(test)]
mod tests;
