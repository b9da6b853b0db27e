//! Refusals of members on Discord: the first of a kind is a row at once, and the rest of the minute is counted into one, so
//! that a flood of them costs the store nothing.

use super::{Unread, audit_unread};
use crate::daemon::Daemon;
use crate::invocation::{Invocation, Surface};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::GuildId;

/// How long refusals of one kind are counted before they are told again.
const WINDOW: Duration = Duration::from_secs(60);

/// How many kinds are counted at once: what comes beyond is a row each, so that memory stays bounded.
const MOST: usize = 10_000;

/// Who was refused what, and where.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    actor: String,
    operation: &'static str,
    guild: Option<GuildId>,
}

/// What came after the first.
#[derive(Default)]
struct Counted {
    more: u64,
    last: Option<Fault>,
}

/// The refusals of the last minute.
pub struct Folding {
    window: Duration,
    counted: Mutex<HashMap<Kind, Counted>>,
    /// Whether each is a row, for a test that looks for every one.
    #[cfg(test)]
    each: std::sync::atomic::AtomicBool,
}

impl Default for Folding {
    fn default() -> Self {
        Self {
            window: WINDOW,
            counted: Mutex::default(),
            #[cfg(test)]
            each: std::sync::atomic::AtomicBool::default(),
        }
    }
}

impl Folding {
    /// Whether this refusal is to be audited by itself; otherwise it was counted.
    pub(super) fn is_first(&self, daemon: &Arc<Daemon>, refused: &Invocation, fault: &Fault) -> bool {
        #[cfg(test)]
        if self.each.load(std::sync::atomic::Ordering::Relaxed) {
            return true;
        }
        let actor = refused.actor.audit_name();
        let kind = Kind { actor, operation: refused.request.name(), guild: refused.guild };
        let mut all = self.counted();
        let is_full = all.len() >= MOST;
        match all.entry(kind.clone()) {
            Entry::Occupied(mut counted) => {
                let counted = counted.get_mut();
                counted.more += 1;
                counted.last = Some(fault.clone());
                return false;
            }
            Entry::Vacant(_) if is_full => return true,
            Entry::Vacant(vacant) => {
                vacant.insert(Counted::default());
            }
        }
        // It keeps no daemon alive that has ended: that tells what was counted itself.
        let (daemon, window) = (Arc::downgrade(daemon), self.window);
        tokio::spawn(async move {
            tokio::time::sleep(window).await;
            if let Some(daemon) = daemon.upgrade() {
                daemon.folding().tell(&daemon, kind).await;
            }
        });
        true
    }

    /// At the end: what was counted so far is told.
    pub async fn close(&self, daemon: &Arc<Daemon>) {
        let kinds: Vec<_> = self.counted().keys().cloned().collect();
        for kind in kinds {
            self.tell(daemon, kind).await;
        }
    }

    /// The minute is over: what came in it is one row, and the next refusal is a first one again.
    async fn tell(&self, daemon: &Arc<Daemon>, kind: Kind) {
        let counted = self.counted().remove(&kind);
        let Some(Counted { more, last: Some(fault) }) = counted else { return };
        let Kind { actor, operation, guild } = kind;
        let fault = Fault { message: format!("{more} more: {}", fault.message), ..fault };
        let unread = Unread { operation, surface: Surface::Discord, guild, actor, fault: Some(&fault) };
        audit_unread(daemon, unread).await;
    }

    #[cfg(test)]
    pub(super) fn tell_each(&self) {
        self.each.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<Kind, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
