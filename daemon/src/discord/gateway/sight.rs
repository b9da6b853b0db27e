//! Which shards tell what happens now. A shard whose connection was cut tells it late, and looks as before meanwhile:
//! serenity resumes by itself.

use crate::discord::event::shard_of;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use wayhaven_shared::value::GuildId;

/// Which shards tell what happens now.
#[derive(Debug, Default)]
pub struct Sight(Mutex<Shards>);

#[derive(Debug)]
struct Shards {
    all: Vec<Shard>,
    /// When the gateway began, or ended.
    since: Instant,
}

impl Default for Shards {
    fn default() -> Self {
        Self { all: Vec::new(), since: Instant::now() }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Shard {
    /// How often it has begun to connect.
    connections: u64,
    /// When it did so last.
    connected_at: Option<Instant>,
    /// Of which connection everything that happened before was told and taken in.
    caught_up: Option<u64>,
}

impl Sight {
    fn shards(&self) -> MutexGuard<'_, Shards> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gateway of so many shards begins: none of them has told anything.
    pub fn begin(&self, shards: u32) {
        *self.shards() = Shards { all: (0..shards).map(|_| Shard::default()).collect(), ..Shards::default() };
    }

    /// The gateway has ended.
    pub fn end(&self) {
        *self.shards() = Shards::default();
    }

    /// A shard connects anew, or is about to.
    pub(super) fn connects(&self, number: u32) {
        if let Some(shard) = self.shards().all.get_mut(number as usize) {
            shard.connections += 1;
            shard.connected_at = Some(Instant::now());
        }
    }

    /// Which of its connections the shard has now.
    pub(super) fn connection(&self, number: u32) -> u64 {
        self.shards().all.get(number as usize).map_or(0, |shard| shard.connections)
    }

    /// Everything that happened before this connection began was taken in.
    pub fn caught_up(&self, number: u32, connection: u64) {
        if let Some(shard) = self.shards().all.get_mut(number as usize) {
            shard.caught_up = Some(connection);
        }
    }

    /// Since when what happens in the guild is not told; nothing where it is.
    pub fn lost_at(&self, guild: GuildId) -> Option<Instant> {
        let shards = self.shards();
        let of = u32::try_from(shards.all.len()).unwrap_or(u32::MAX);
        let shard = (of > 0).then(|| shards.all.get(shard_of(guild, of) as usize)).flatten();
        match shard {
            Some(shard) if shard.caught_up == Some(shard.connections) => None,
            Some(shard) => Some(shard.connected_at.unwrap_or(shards.since)),
            None => Some(shards.since),
        }
    }

    /// Whether what happens in the guild is told now.
    #[cfg(test)]
    pub(crate) fn sees(&self, guild: GuildId) -> bool {
        self.lost_at(guild).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_sees_between_what_it_was_told_last_and_its_next_connection() {
        let sight = Sight::default();
        let [first, second] = [0_u64, 1].map(|shard| GuildId::new((shard << 22) + 5).unwrap());
        assert!(!sight.sees(first), "there is no gateway");
        sight.begin(2);
        sight.connects(0);
        assert!(!sight.sees(first));
        let connection = sight.connection(0);
        sight.caught_up(0, connection);
        assert!(sight.sees(first) && !sight.sees(second));
        sight.connects(0);
        assert!(!sight.sees(first));
        sight.caught_up(0, connection);
        assert!(!sight.sees(first), "that was the connection before");
        sight.caught_up(0, sight.connection(0));
        assert!(sight.sees(first));
        sight.end();
        assert!(!sight.sees(first));
    }
}
