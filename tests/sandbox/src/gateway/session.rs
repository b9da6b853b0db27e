//! A session: what it asked for, what it was sent, and the connection it has at the moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

/// What the world sends to a connection.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// A payload.
    Payload(Arc<str>),
    /// A close frame; true ends the session too.
    Close(u16, bool),
    /// A close frame without a code.
    CloseWithoutCode,
    /// The connection is dropped without a frame.
    Drop,
    /// The connection is reset.
    Reset,
    /// The connection stays, and nothing is read or written any more.
    HalfOpen,
}

/// A gateway session; it outlives its connections.
#[derive(Debug)]
pub struct Session {
    /// Id.
    pub id: String,
    /// Intents.
    pub intents: u64,
    /// Shard and number of shards.
    pub shard: (u64, u64),
    /// Number of the last dispatch.
    pub sequence: u64,
    /// Dispatches that can be replayed.
    pub buffer: VecDeque<(u64, Arc<str>)>,
    /// Since when it has no connection.
    pub lost_at: Option<Duration>,
    /// The number of the connection that holds it, so that an old one cannot take the link of a new one.
    pub link: Option<(u64, UnboundedSender<Outgoing>)>,
}

impl Session {
    /// Whether events of a guild (or of none) belong to its shard.
    #[must_use]
    pub fn covers(&self, guild: Option<u64>) -> bool {
        Self::is_of(self.shard, guild)
    }

    /// Whether events of a guild (or of none) belong to a shard.
    #[must_use]
    pub fn is_of((id, count): (u64, u64), guild: Option<u64>) -> bool {
        guild.map_or(0, |guild| (guild >> 22) % count.max(1)) == id
    }

    /// Whether somebody listens.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Numbers an event, keeps it for a replay, and sends it if somebody listens.
    pub fn dispatch(&mut self, name: &str, data: &str, keep: usize, now: Duration) {
        self.sequence += 1;
        let payload: Arc<str> = format!(r#"{{"op":0,"s":{},"t":"{name}","d":{data}}}"#, self.sequence).into();
        self.buffer.push_back((self.sequence, Arc::clone(&payload)));
        while self.buffer.len() > keep {
            self.buffer.pop_front();
        }
        self.send(Outgoing::Payload(payload), now);
    }

    /// Sends something that has no number.
    pub fn send(&mut self, outgoing: Outgoing, now: Duration) {
        let gone = self.link.as_ref().is_some_and(|(_, link)| link.send(outgoing).is_err());
        if gone {
            self.link = None;
            self.lost_at = Some(now);
        }
    }

    /// Whether everything after a sequence can still be replayed.
    #[must_use]
    pub fn can_replay_after(&self, sequence: u64) -> bool {
        sequence == self.sequence || self.buffer.front().is_some_and(|(first, _)| *first <= sequence + 1)
    }
}
