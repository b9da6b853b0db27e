//! What the console told: the last one as a toast that fades, the latest in `:messages`.

use super::input::Moment;
use shared::report::Tone;
use shared::value::Timestamp;
use std::collections::VecDeque;
use wayhaven_shared as shared;

/// How many are kept.
const MOST: usize = 200;

/// How long a toast stands, in milliseconds.
const TOAST: u64 = 6_000;

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Counts up, so that a selection stays on its message.
    pub(crate) number: u64,
    /// When.
    pub(crate) at: Timestamp,
    /// How it stands.
    pub(crate) tone: Tone,
    /// One clean line.
    pub(crate) text: String,
    until: u64,
}

/// The latest messages.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    kept: VecDeque<Message>,
    told: u64,
}

impl Messages {
    /// Tells something.
    pub(crate) fn tell(&mut self, now: Moment, tone: Tone, text: impl Into<String>) {
        self.told += 1;
        // A fault's words may quote what somebody wrote.
        let text = shared::value::Untrusted::clipped(&text.into()).line();
        let (number, until) = (self.told, now.elapsed + TOAST);
        self.kept.push_front(Message { number, at: now.wall, tone, text, until });
        self.kept.truncate(MOST);
    }

    /// The latest one, while it is fresh.
    pub(crate) fn toast(&self, now: Moment) -> Option<&Message> {
        self.kept.front().filter(|message| message.until > now.elapsed)
    }

    /// Takes the toast away; the message stays in the list.
    pub(crate) fn dismiss(&mut self) {
        if let Some(message) = self.kept.front_mut() {
            message.until = 0;
        }
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.kept.iter()
    }
}
