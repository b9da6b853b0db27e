//! What a punishment does.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a punishment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Ban from the guild.
    Ban,
    /// Lift a ban.
    Unban,
    /// Remove from the guild; whoever was kicked may come back.
    Kick,
    /// Give the guild's mute role.
    Mute,
    /// Take the guild's mute role.
    Unmute,
    /// Discord's own timeout: until it ends, they can only read.
    Timeout,
    /// End a timeout.
    Untimeout,
    /// A warning: it is recorded, and changes nothing in a guild.
    Warn,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 8] = [
        Self::Ban,
        Self::Unban,
        Self::Kick,
        Self::Mute,
        Self::Unmute,
        Self::Timeout,
        Self::Untimeout,
        Self::Warn,
    ];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Kick => "kick",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Timeout => "timeout",
            Self::Untimeout => "untimeout",
            Self::Warn => "warn",
        }
    }

    /// What was done: `banned`.
    pub fn past(self) -> &'static str {
        match self {
            Self::Ban => "banned",
            Self::Unban => "unbanned",
            Self::Kick => "kicked",
            Self::Mute => "muted",
            Self::Unmute => "unmuted",
            Self::Timeout => "timed out",
            Self::Untimeout => "no longer timed out",
            Self::Warn => "warned",
        }
    }

    /// What was done to whom: `banned them`, `timed them out`.
    pub fn done_to(self, whom: &str) -> String {
        match self {
            Self::Timeout => format!("timed {whom} out"),
            action => format!("{} {whom}", action.past()),
        }
    }

    /// The measure it is about: itself, or the action that it takes back. Two actions of one measure contradict each
    /// other, so the newer decides; two of different measures stand beside each other. What a link allows is measures:
    /// an undo is allowed wherever its action is.
    pub fn measure(self) -> Self {
        match self {
            Self::Unban => Self::Ban,
            Self::Unmute => Self::Mute,
            Self::Untimeout => Self::Timeout,
            action => action,
        }
    }

    /// What takes it back; nothing for what cannot be taken back, and for an undo.
    pub fn undo(self) -> Option<Self> {
        match self {
            Self::Ban => Some(Self::Unban),
            Self::Mute => Some(Self::Unmute),
            Self::Timeout => Some(Self::Untimeout),
            _ => None,
        }
    }

    /// Whether it takes another action back.
    pub fn is_undo(self) -> bool {
        self.measure() != self
    }

    /// Whether doing it twice is the same as doing it once. A kick is not: who came back would be kicked again.
    pub fn is_idempotent(self) -> bool {
        self != Self::Kick
    }

    /// Whether the user is told of it by direct message: where it takes them away, they could not be told afterwards.
    pub fn is_told(self) -> bool {
        matches!(self, Self::Ban | Self::Kick | Self::Warn)
    }

    /// The action with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn what_was_done_to_somebody_is_a_sentence() {
        let measures = Action::ALL.into_iter().filter(|action| !action.is_undo());
        let said: Vec<_> = measures.map(|measure| measure.done_to("them")).collect();
        assert_eq!(said, ["banned them", "kicked them", "muted them", "timed them out", "warned them"]);
    }
}
