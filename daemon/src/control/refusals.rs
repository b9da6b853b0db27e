//! What was refused at the socket: audited once at once, and then counted, so that a flood of refusals is cheap.

use crate::daemon::Daemon;
use crate::invocation::{Surface, operator_name};
use crate::pipeline::{self, Unread};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Fault, FaultKind};

/// Who was refused what, and why: what comes too fast hides nothing that is not allowed.
type Key = (u32, &'static str, FaultKind);

/// The refusals of the last while.
#[derive(Clone)]
pub(super) struct Refusals(Arc<Inner>);

struct Inner {
    daemon: Arc<Daemon>,
    window: Duration,
    counted: Mutex<HashMap<Key, Counted>>,
    dropped: Mutex<Option<u64>>,
}

/// What came after the first.
#[derive(Default)]
struct Counted {
    more: u64,
    last: Option<(Surface, Fault)>,
}

impl Refusals {
    pub(super) fn new(daemon: Arc<Daemon>, window: Duration) -> Self {
        Self(Arc::new(Inner { daemon, window, counted: Mutex::default(), dropped: Mutex::default() }))
    }

    /// Whether this one is to be audited by itself; otherwise it was counted.
    pub(super) fn is_first(
        &self,
        uid: u32,
        operation: &'static str,
        surface: Surface,
        fault: &Fault,
    ) -> bool {
        let key = (uid, operation, fault.kind);
        // Under one lock: of two at the same moment one is the first.
        match self.0.counted().entry(key) {
            Entry::Occupied(mut counted) => {
                let counted = counted.get_mut();
                counted.more += 1;
                counted.last = Some((surface, fault.clone()));
                return false;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Counted::default());
            }
        }
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(inner.window).await;
            inner.tell(key).await;
        });
        true
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
            self.0.audit(uid, operation, surface, guild, fault).await;
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
        let keys: Vec<_> = self.0.counted().keys().copied().collect();
        for key in keys {
            self.0.tell(key).await;
        }
    }
}

impl Inner {
    fn counted(&self) -> MutexGuard<'_, HashMap<Key, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The while is over: what came in it is one row, and the next refusal is a first one again.
    async fn tell(&self, key: Key) {
        let counted = self.counted().remove(&key);
        let Some(Counted { more, last: Some((surface, fault)) }) = counted else { return };
        let (uid, operation, _) = key;
        let fault = Fault { message: format!("{more} more: {}", fault.message), ..fault };
        self.audit(uid, operation, surface, None, &fault).await;
    }

    async fn audit(
        &self,
        uid: u32,
        operation: &'static str,
        surface: Surface,
        guild: Option<GuildId>,
        fault: &Fault,
    ) {
        let actor = operator_name(uid);
        pipeline::audit_unread(&self.daemon, Unread { operation, surface, guild, actor, fault: Some(fault) })
            .await;
    }
}
