//! What comes back of our own effects in children: hundreds follow a ban. They are collected while the writer is busy,
//! and noted together.

use super::entry::note_echo;
use crate::discord::event::Entry;
use crate::store::Store;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are noted in one turn of the writer.
const GROUP: usize = 256;

/// How many wait at most. Beyond it the oldest are forgotten: the guild's log has them still.
const MOST: usize = 65_536;

/// What waits to be noted. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Echoes(Arc<Mutex<Vec<Entry>>>);

impl Echoes {
    /// Has an entry noted in the writer's next turn but few.
    pub(super) async fn note(&self, store: &Store, entry: Entry) {
        if !self.add(entry) {
            return;
        }
        let echoes = self.clone();
        let work = move |change: &crate::store::Change<'_>| {
            for entry in echoes.take() {
                note_echo(change, &entry)?;
            }
            Ok(())
        };
        store.write_later("what Discord told of our own effects", work).await;
    }

    /// Whether a turn of the writer has to be asked for: one that is asked for takes what comes until it begins. One
    /// that never began, since the disk was full, is asked for again with the next group.
    fn add(&self, entry: Entry) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            waiting.clear();
        }
        waiting.push(entry);
        waiting.len() % GROUP == 1
    }

    fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
