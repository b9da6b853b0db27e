//! Interactions: the 3 s to answer, the 15 min of their token, and what was replied.

use std::time::Duration;

use serde_json::Value;

use crate::{Refusal, World};

/// Names an interaction.
pub type InteractionId = u64;

/// An interaction must be answered within this.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Its token is good for this.
pub const TOKEN_GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// How an interaction was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Not yet.
    No,
    /// With a message, or an update, or choices, or a modal.
    Done,
    /// Deferred; the message is still to come.
    Deferred,
}

/// One interaction.
#[derive(Debug, Clone)]
pub struct Interaction {
    /// Id.
    pub id: InteractionId,
    /// Its token.
    pub token: String,
    /// 2 command, 3 component, 4 autocomplete, 5 modal.
    pub kind: u8,
    /// Where.
    pub guild: Option<u64>,
    /// Where.
    pub channel: u64,
    /// By whom.
    pub user: u64,
    /// When, on the sandbox's clock.
    pub at: Duration,
    /// The state of its answer.
    pub answered: Answered,
    /// Whether it was deferred at first, whatever came later.
    pub was_deferred: bool,
    /// How long the first answer took.
    pub answered_after: Option<Duration>,
    /// Whether only the user sees the reply; fixed by the first answer.
    pub ephemeral: bool,
    /// The first reply's message id.
    pub original: Option<u64>,
    /// Current messages: the original and follow-ups.
    pub messages: Vec<Value>,
    /// The original as it was after each write.
    pub history: Vec<Value>,
    /// What an autocomplete was answered.
    pub choices: Option<Value>,
    /// What a modal answer showed.
    pub modal: Option<Value>,
    /// The message whose component was used (types 6 and 7 change it): interaction and message id.
    pub source: Option<(InteractionId, u64)>,
}

impl World {
    /// The interaction of a callback, if it may still be answered.
    ///
    /// # Errors
    /// 10062 if it is unknown, its token wrong, or 3 s are over; 40060 if it was answered.
    pub fn open_interaction(&mut self, id: u64, token: &str) -> Result<&mut Interaction, Refusal> {
        let now = self.clock.now();
        let found = self.interactions.get_mut(&id).filter(|found| found.token == token);
        let found = found.ok_or_else(|| Refusal::unknown(10062))?;
        if found.answered != Answered::No {
            return Err(Refusal::new(400, 40060, "Interaction has already been acknowledged."));
        }
        if now > found.at + ANSWER_WITHIN {
            return Err(Refusal::unknown(10062));
        }
        Ok(found)
    }

    /// The interaction of a token, for what comes after the first answer.
    ///
    /// # Errors
    /// 10015 without an answer or for an unknown token, 50027 after 15 min.
    pub fn answered_interaction(&mut self, token: &str) -> Result<&mut Interaction, Refusal> {
        let now = self.clock.now();
        let id = self.interaction_tokens.get(token).copied().ok_or_else(|| Refusal::unknown(10015))?;
        let found = self.interactions.get_mut(&id).ok_or_else(|| Refusal::unknown(10015))?;
        if now > found.at + TOKEN_GOOD_FOR {
            return Err(Refusal::new(401, 50027, "Invalid Webhook Token"));
        }
        if found.answered == Answered::No {
            return Err(Refusal::unknown(10015));
        }
        Ok(found)
    }
}
