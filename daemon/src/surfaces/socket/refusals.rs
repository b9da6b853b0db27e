//! What was refused at the socket: audited once at once, and then counted, so that a flood of refusals is cheap.

use crate::audit::refusals::{self, Kind};
use crate::audit::rows::{Unread, audit_unread};
use crate::invocation::{Surface, operator_name};
use crate::store::Store;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::GuildId;

/// The refusals of the last while.
#[derive(Clone)]
pub(super) struct Refusals(Arc<Inner>);

struct Inner {
    store: Store,
    window: Duration,
    counted: Arc<refusals::Refusals>,
    dropped: Mutex<Option<u64>>,
}

impl Refusals {
    pub(super) fn new(store: Store, window: Duration) -> Self {
        let counted = refusals::Refusals::new(store.clone(), window);
        Self(Arc::new(Inner { store, window, counted, dropped: Mutex::default() }))
    }

    /// Whether this one is to be audited by itself; otherwise it was counted.
    pub(super) fn is_first(
        &self,
        uid: u32,
        operation: &'static str,
        surface: Surface,
        fault: &Fault,
    ) -> bool {
        // Whatever guild they name: they could name ever another.
        let kind = Kind { actor: operator_name(uid), operation, guild: None, fault: fault.kind };
        self.0.counted.is_first(kind, surface, fault)
    }

    /// Audits a refusal, or counts it.
    pub(super) async fn refused(
        &self,
        uid: u32,
        operation: &'static str,
        surface: Surface,
        guild: Option<GuildId>,
        fault: &Fault,
    ) {
        if self.is_first(uid, operation, surface, fault) {
            let unread = Unread { operation, surface, guild, actor: operator_name(uid), fault: Some(fault) };
            audit_unread(&self.0.store, unread).await;
        }
    }

    /// A connection was dropped, since there are enough: one line in the log at once, one for the rest of the while.
    pub(super) fn dropped(&self, uid: u32) {
        let mut dropped = self.0.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = dropped.as_mut() {
            *more += 1;
            return;
        }
        *dropped = Some(0);
        tracing::warn!("there are as many connections as the socket takes: one of user {uid} was dropped");
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(inner.window).await;
            let more = inner.dropped.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(more) = more.filter(|more| *more > 0) {
                tracing::warn!("{more} more connections were dropped");
            }
        });
    }

    /// At the end: what was counted so far is told.
    pub(super) async fn close(&self) {
        self.0.counted.close().await;
    }
}
