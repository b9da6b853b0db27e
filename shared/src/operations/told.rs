//! Whether the user of a punishment was told of it, by direct message before it was done.

use crate::report::{Cell, Tone};
use serde::{Deserialize, Serialize};

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToldState {
    /// The message is about to leave, or its answer is awaited.
    Waiting,
    /// Discord has taken the message.
    Told,
    /// Discord has refused it, or nobody knows whether it arrived.
    Failed,
    /// It was not tried.
    NotTold,
}

/// Whether a user was told, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How far it has come.
    pub state: ToldState,
    /// Why it is not so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Told {
    /// One in this state.
    pub fn new(state: ToldState, reason: Option<&str>) -> Self {
        Self { state, reason: reason.map(str::to_owned) }
    }

    /// Whether the message is still on its way.
    pub fn is_waiting(&self) -> bool {
        self.state == ToldState::Waiting
    }

    /// For people.
    pub fn words(&self) -> String {
        let words = match self.state {
            ToldState::Waiting => "about to be told by direct message",
            ToldState::Told => "told by direct message",
            ToldState::Failed => "could not be told",
            ToldState::NotTold => "not told",
        };
        match &self.reason {
            Some(reason) => format!("{words}: {reason}"),
            None => words.to_owned(),
        }
    }

    /// For a report.
    pub(crate) fn cell(&self) -> Cell {
        let tone = match self.state {
            ToldState::Waiting => Tone::Waiting,
            ToldState::Told => Tone::Good,
            ToldState::Failed | ToldState::NotTold => Tone::Quiet,
        };
        Cell::toned(self.words(), tone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_it_is_and_why() {
        let failed = Told::new(ToldState::Failed, Some("they take no direct messages"));
        assert_eq!(failed.words(), "could not be told: they take no direct messages");
        assert!(!failed.is_waiting());
        let waiting = Told::new(ToldState::Waiting, None);
        assert_eq!(waiting.words(), "about to be told by direct message");
        assert!(waiting.is_waiting());
    }
}
