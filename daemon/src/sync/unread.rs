//! Which guilds' audit logs may hold what the daemon does not know yet: their staff may have banned somebody anew whose
//! ban is about to be lifted.
//!
//! Invariant: nothing is taken back in a guild because of what was decided before, unless the guild's log was read since it
//! was last out of sight. It is out of sight while its shard is not connected, and until a gap is filled. A log that the
//! bot may not view counts as read: nothing more will be known.

use crate::discord::gateway::Sight;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wayhaven_shared::value::GuildId;

/// How long a reading counts from its end on while a guild is out of sight.
const COUNTS_FOR: Duration = Duration::from_secs(5);

/// Which guilds are out of sight, and when their logs were read.
#[derive(Debug)]
pub struct Unread {
    sight: Arc<Sight>,
    state: Mutex<State>,
    wanted: mpsc::UnboundedSender<GuildId>,
}

#[derive(Debug, Default)]
struct State {
    /// Guilds whose gap is not filled, and when it opened last.
    behind: HashMap<GuildId, Instant>,
    /// When the last reading that came to the log's end began and ended.
    read: HashMap<GuildId, (Instant, Instant)>,
    /// Guilds whose log was asked for, and is not read yet.
    asked: HashSet<GuildId>,
}

impl Unread {
    /// Nothing is known yet. Guilds whose logs are wanted come out of the receiver.
    pub fn new(sight: Arc<Sight>) -> (Self, mpsc::UnboundedReceiver<GuildId>) {
        let (wanted, asked) = mpsc::unbounded_channel();
        (Self { sight, state: Mutex::default(), wanted }, asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gap has opened in the guild.
    pub(super) fn opened(&self, guild: GuildId) {
        let mut state = self.state();
        state.behind.insert(guild, Instant::now());
        // What was read before says nothing about it.
        state.read.remove(&guild);
    }

    /// The guild's log was read to its end, by a reading that began then, or the bot may not view it.
    pub(super) fn read(&self, guild: GuildId, began: Instant) {
        let mut state = self.state();
        state.asked.remove(&guild);
        if state.behind.get(&guild).is_some_and(|opened| *opened > began) {
            return;
        }
        state.behind.remove(&guild);
        state.read.insert(guild, (began, Instant::now()));
    }

    /// A reading has failed: the next who needs the log asks once more.
    pub(super) fn failed(&self, guild: GuildId) {
        self.state().asked.remove(&guild);
    }

    /// Whether what the guild's log tells is known. Where it is not, the log is read.
    pub fn is_known(&self, guild: GuildId) -> bool {
        let lost_at = self.sight.lost_at(guild);
        let mut state = self.state();
        let is_behind = state.behind.contains_key(&guild);
        let Some(lost_at) = lost_at else { return !is_behind };
        let counts = |(began, ended): &(Instant, Instant)| *began > lost_at && ended.elapsed() < COUNTS_FOR;
        if !is_behind && state.read.get(&guild).is_some_and(counts) {
            return true;
        }
        if state.asked.insert(guild) {
            // The reader lives as long as the daemon.
            let _ = self.wanted.send(guild);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guild(number: u64) -> GuildId {
        GuildId::new(number).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_guild_is_known_while_connected_and_otherwise_for_a_while_after_a_reading() {
        let sight = Arc::new(Sight::default());
        let (unread, mut wanted) = Unread::new(Arc::clone(&sight));
        assert!(!unread.is_known(guild(1)) && !unread.is_known(guild(1)));
        assert_eq!((wanted.try_recv().unwrap(), wanted.try_recv().is_err()), (guild(1), true), "asked once");
        unread.failed(guild(1));
        assert!(!unread.is_known(guild(1)));
        assert_eq!(wanted.try_recv().unwrap(), guild(1), "asked again");
        unread.read(guild(1), Instant::now());
        assert!(!unread.is_known(guild(1)), "it began no later than the guild was lost");
        tokio::time::advance(Duration::from_millis(1)).await;
        unread.read(guild(1), Instant::now());
        assert!(unread.is_known(guild(1)) && !unread.is_known(guild(2)));
        tokio::time::advance(COUNTS_FOR).await;
        assert!(!unread.is_known(guild(1)), "it is not connected");
        sight.begin(1);
        sight.caught_up(0, 0);
        assert!(unread.is_known(guild(1)) && unread.is_known(guild(2)));
        let before = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        unread.opened(guild(1));
        unread.read(guild(1), before);
        assert!(!unread.is_known(guild(1)), "what was read before the gap opened says nothing of it");
        assert!(unread.is_known(guild(2)));
        unread.read(guild(1), Instant::now());
        assert!(unread.is_known(guild(1)));
    }
}
