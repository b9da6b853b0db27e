//! Repeated refusals: the first of a kind is a row at once, and the rest of the minute is counted into one, so that a flood of
//! them costs the store nothing. What comes too fast hides nothing that is not allowed: each kind of fault is told.

use super::rows::{Unread, audit_unread};
use crate::invocation::Surface;
use crate::store::Store;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Fault, FaultKind};

/// How long refusals of one kind are counted before they are told again.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many kinds are counted at once: what comes beyond is a row each, so that memory stays bounded.
const MOST: usize = 10_000;

/// Who was refused what, where, and why.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Who, as the audit names them.
    pub actor: String,
    /// The operation's words, or what stands for them.
    pub operation: &'static str,
    /// In which guild, where guilds are told apart.
    pub guild: Option<GuildId>,
    /// Why.
    pub fault: FaultKind,
}

/// What came after the first.
#[derive(Default)]
struct Counted {
    more: u64,
    last: Option<(Surface, Fault)>,
}

/// The refusals of the last while.
pub struct Refusals {
    store: Store,
    window: Duration,
    counted: Mutex<HashMap<Kind, Counted>>,
}

impl Refusals {
    /// Tells after so long what was counted.
    pub fn new(store: Store, window: Duration) -> Arc<Self> {
        Arc::new(Self { store, window, counted: Mutex::default() })
    }

    /// Whether this refusal is to be audited by itself; otherwise it was counted.
    pub fn is_first(self: &Arc<Self>, kind: Kind, surface: Surface, fault: &Fault) -> bool {
        {
            // Under one lock: of two at the same moment one is the first.
            let mut all = self.counted();
            let is_full = all.len() >= MOST;
            match all.entry(kind.clone()) {
                Entry::Occupied(mut counted) => {
                    let counted = counted.get_mut();
                    counted.more += 1;
                    counted.last = Some((surface, fault.clone()));
                    return false;
                }
                Entry::Vacant(_) if is_full => return true,
                Entry::Vacant(vacant) => {
                    vacant.insert(Counted::default());
                }
            }
        }
        // It keeps no store open that the daemon closes: the daemon's end tells what was counted.
        let (refusals, window) = (Arc::downgrade(self), self.window);
        tokio::spawn(async move {
            tokio::time::sleep(window).await;
            if let Some(refusals) = refusals.upgrade() {
                refusals.tell(kind).await;
            }
        });
        true
    }

    /// At the end: what was counted so far is told.
    pub async fn close(&self) {
        let kinds: Vec<_> = self.counted().keys().cloned().collect();
        for kind in kinds {
            self.tell(kind).await;
        }
    }

    /// The while is over: what came in it is one row, and the next refusal is a first one again.
    async fn tell(&self, kind: Kind) {
        let counted = self.counted().remove(&kind);
        let Some(Counted { more, last: Some((surface, fault)) }) = counted else { return };
        let Kind { actor, operation, guild, .. } = kind;
        let fault = Fault { message: format!("{more} more: {}", fault.message), ..fault };
        audit_unread(&self.store, Unread { operation, surface, guild, actor, fault: Some(&fault) }).await;
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<Kind, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
