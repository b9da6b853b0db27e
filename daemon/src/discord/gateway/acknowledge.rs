//! Interactions are acknowledged here, on the gateway's own thread, the moment they arrive: Discord waits three
//! seconds, and everything else of the daemon may be busy for longer. Only then are they handed on.

use super::QUEUE;
use crate::discord::embed;
use crate::discord::interaction::{FirstAnswer, Ticket};
use crate::discord::rest::{FirstAnswers, RestError};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use wayhaven_shared::Fault;

/// How many answers are on their way at once: each takes a connection of its own.
const AT_ONCE: usize = 32;

/// How often a connection to Discord is used, so that one always stands.
const KEEP_WARM: Duration = Duration::from_secs(60);

/// How long the first connection may take before the gateway is connected without it.
const WARM_WITHIN: Duration = Duration::from_secs(2);

/// How long the last acknowledgements may take when the connection to the gateway ends.
const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// An interaction after its first answer. It does not print itself, since its data have the token.
pub struct Arrived {
    /// `d` of the INTERACTION_CREATE.
    pub data: Value,
    /// When it came: its token is good for 15 minutes from then on.
    pub at: Instant,
    /// Whether Discord took the acknowledgement; also success where none is due.
    pub acknowledged: Result<(), RestError>,
}

/// Acknowledges interactions and hands them on. Used on the gateway's runtime only.
#[derive(Clone, Debug)]
pub struct Acknowledger {
    answers: FirstAnswers,
    inbox: mpsc::Sender<Arrived>,
    /// One permit for each interaction that may be on its way through here.
    room: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
}

impl Acknowledger {
    /// Hands acknowledged interactions to `inbox`.
    pub fn new(answers: FirstAnswers, inbox: mpsc::Sender<Arrived>) -> Self {
        let (room, at_once) = (Arc::new(Semaphore::new(QUEUE)), Arc::new(Semaphore::new(AT_ONCE)));
        Self { answers, inbox, room, at_once }
    }

    /// Takes an interaction without waiting.
    pub(super) fn take(&self, data: Value) {
        let at = Instant::now();
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            // As many wait as can wait, and Discord's three seconds are over before this one's turn.
            return tracing::error!("an interaction was dropped: too many wait to be acknowledged");
        };
        let this = self.clone();
        tokio::spawn(async move {
            this.acknowledge(data, at).await;
            drop(place);
        });
    }

    async fn acknowledge(&self, data: Value, at: Instant) {
        let (ticket, first) = (Ticket::of(&data), FirstAnswer::of(&data));
        // The semaphore is never closed.
        let turn = self.at_once.acquire().await;
        let acknowledged = match (&ticket, first) {
            (Some(ticket), Some(first)) => self.answers.give(ticket, first.body(&data), at).await,
            (Some(_), None) => Ok(()),
            (None, _) => Err(RestError::Lost("the interaction has no token that answers it".into())),
        };
        drop(turn);
        let fault = match self.inbox.try_send(Arrived { data, at, acknowledged }) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => Fault::unavailable("Not done: too many commands are waiting"),
            Err(TrySendError::Closed(_)) => {
                Fault::unavailable("Not done: Wayhaven is disconnecting from Discord")
            }
        };
        tracing::error!("an interaction was not worked on: {}", fault.message);
        let message = embed::fault_message(&fault.hint("send it again in a minute"));
        if let (Some(ticket), Some(first)) = (ticket, first)
            && let Err(error) = self.answers.excuse(&ticket, first, message).await
        {
            tracing::warn!("an interaction that was not worked on was not answered: {error}");
        }
    }

    /// Connects before the first interaction comes, or gives up for now.
    pub(super) async fn warm(&self) {
        let _ = tokio::time::timeout(WARM_WITHIN, self.answers.warm()).await;
    }

    /// Keeps a connection open. Ends with its runtime.
    pub(super) async fn keep_warm(self) {
        loop {
            tokio::time::sleep(KEEP_WARM).await;
            if let Err(error) = self.answers.warm().await {
                tracing::debug!("the connection for first answers is not open: {error}");
            }
        }
    }

    /// Waits until what has arrived is answered and handed on.
    pub(super) async fn finish(&self) {
        let all = self.room.acquire_many(u32::try_from(QUEUE).unwrap_or(u32::MAX));
        let _ = tokio::time::timeout(FINISH_WITHIN, all).await;
    }
}

#[cfg(test)]
mod tests;
