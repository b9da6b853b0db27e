//! The first answers to interactions. They leave through connections of their own, which belong to the runtime that
//! sends them: work that keeps every other thread busy delays no acknowledgement.

use super::{Call, Rest, RestError, USER_AGENT};
use crate::discord::budget::Priority;
use crate::discord::interaction::{FirstAnswer, Ticket};
use crate::discord::routes::Route;
use reqwest::{Client, Method};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use wayhaven_shared::Fault;

/// Discord takes the first answer to an interaction within this time (FACTS A10).
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The first pause before a repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Discord's code for an interaction that was answered before.
const ALREADY_ACKNOWLEDGED: u64 = 40060;

/// A connection must stand by then: later it is of no use to an interaction.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Sends first answers. To be used on one runtime only, since connections end with the runtime that made them.
#[derive(Clone, Debug)]
pub struct FirstAnswers {
    rest: Arc<Rest>,
    client: Client,
}

impl Rest {
    /// A sender of first answers with no connection yet.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn first_answers(self: &Arc<Self>) -> Result<FirstAnswers, Fault> {
        // An interaction's token is in its path; the bot's is not needed and not known here.
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| Fault::internal(format!("no HTTP client: {}", error.without_url())))?;
        Ok(FirstAnswers { rest: Arc::clone(self), client })
    }
}

impl FirstAnswers {
    /// Sends the first answer to an interaction that arrived at `arrived`. What may pass is repeated while Discord
    /// still takes an answer.
    ///
    /// # Errors
    /// [`RestError`]: Discord refused the answer, or the time was over.
    pub async fn give(&self, ticket: &Ticket, answer: Value, arrived: Instant) -> Result<(), RestError> {
        let (mut pause, mut may_have_arrived) = (FIRST_PAUSE, false);
        loop {
            let left = ANSWER_WITHIN.saturating_sub(arrived.elapsed());
            let sent = timeout(left, self.callback(ticket, answer.clone())).await;
            let error = match sent {
                Ok(Ok(())) => return Ok(()),
                // Discord has it, and only its answer was lost.
                Ok(Err(error)) if may_have_arrived && error.code() == Some(ALREADY_ACKNOWLEDGED) => {
                    return Ok(());
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(RestError::Lost("Discord waits three seconds and no longer".into())),
            };
            may_have_arrived |= matches!(error, RestError::Lost(_) | RestError::Stumbled(_));
            let wait = match &error {
                RestError::RateLimited { wait, everything: false } => *wait,
                RestError::Lost(_) | RestError::Stumbled(_) | RestError::Unreachable(_) => pause,
                _ => return Err(error),
            };
            if arrived.elapsed() + wait >= ANSWER_WITHIN {
                return Err(error);
            }
            sleep(wait).await;
            pause *= 2;
        }
    }

    async fn callback(&self, ticket: &Ticket, body: Value) -> Result<(), RestError> {
        let route = Route { template: "POST /interactions/{id}/{token}/callback", major: ticket.id };
        let path = format!("/interactions/{}/{}/callback", ticket.id, ticket.token.expose());
        let call = Call { method: Method::POST, route, path, body: Some(body), reason: None, bare: true };
        self.rest.send_through(&self.client, None, call, None).await.map(drop)
    }

    /// Tells who waits that an acknowledged interaction is not worked on: in place of the deferred answer, or beside
    /// the message whose button was pressed.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn excuse(
        &self,
        ticket: &Ticket,
        first: FirstAnswer,
        mut message: Value,
    ) -> Result<(), RestError> {
        let Some(application) = ticket.application else {
            return Err(RestError::Lost("the interaction names no application".into()));
        };
        let token = ticket.token.expose();
        let (method, template, path) = match first {
            FirstAnswer::Deferred => (
                Method::PATCH,
                "PATCH /webhooks/{app}/{token}/messages/@original",
                format!("/webhooks/{application}/{token}/messages/@original"),
            ),
            FirstAnswer::Unchanged | FirstAnswer::Form => {
                message["flags"] = super::buttons::EPHEMERAL.into();
                let path = format!("/webhooks/{application}/{token}");
                (Method::POST, "POST /webhooks/{app}/{token}", path)
            }
        };
        let route = Route { template, major: 0 };
        let call = Call { method, route, path, body: Some(message), reason: None, bare: true };
        self.rest.send_through(&self.client, None, call, None).await.map(drop)
    }

    /// Makes sure that a connection stands: connecting takes longer than an answer.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn warm(&self) -> Result<(), RestError> {
        let route = Route { template: "GET /gateway", major: 0 };
        let slot = self.rest.slot(Priority::Upkeep, route).await?;
        let path = "/gateway".to_owned();
        let call = Call { method: Method::GET, route, path, body: None, reason: None, bare: false };
        self.rest.send_through(&self.client, Some(slot), call, None).await.map(drop)
    }
}
