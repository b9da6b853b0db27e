//! What comes back when Discord does not do it, and what follows from each.

use super::{is_refusal, retry_after};
use crate::delivery::UNKNOWN_USER;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;
use wayhaven_shared::{Fault, FaultKind};

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether the edge in front of Discord answered: its 429 is a page and no JSON (FACTS C1).
    pub(super) fn is_of_the_edge(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            && serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_err()
    }
}

/// Why a ban of somebody who is no member waits (30035), in our words.
pub const BUDGET_SPENT: &str = "the guild's daily budget of bans of non-members is spent";

/// Why a guild that requires two-factor authentication refuses the bot, in our words (FACTS A1).
pub const NO_TWO_FACTOR: &str =
    "403 the guild requires two-factor authentication, and the account that owns the bot does not use it";

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RestError {
    /// Discord refused it: status and JSON code (FACTS A11).
    #[error("{status}/{code} {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Discord's JSON code, 0 where there was none.
        code: u64,
        /// Discord's words, cleaned.
        message: String,
    },
    /// Discord refused it for now; the budget or the route has learned how long.
    #[error("rate limit, {} s", wait.as_secs_f64())]
    RateLimited {
        /// How long.
        wait: Duration,
        /// Whether all requests wait, or only those of this bucket.
        everything: bool,
    },
    /// 401: the token was reset or revoked.
    #[error("Discord refused the bot token (401)")]
    Unauthorised,
    /// Discord stumbled (5xx), or something before it answered: it may or may not have been done.
    #[error("Discord answered {0}")]
    Stumbled(u16),
    /// No connection: nothing was done.
    #[error("Discord cannot be reached: {0}")]
    Unreachable(String),
    /// The request left, and no whole answer came: it may or may not have been done.
    #[error("no answer came: {0}")]
    Lost(String),
    /// Discord took the request, and its answer shows that nothing has changed.
    #[error("Discord answered without applying it")]
    NotApplied,
    /// Requests have been stopped.
    #[error("requests to Discord are stopped")]
    Stopped,
}

/// What follows for a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Try again later.
    Retry,
    /// It may have been done: do it again, which is harmless, or look.
    Unknown,
    /// Nothing before somebody mends the guild; the request would be refused again.
    Blocked,
    /// Never.
    Failed,
    /// Nothing at all leaves any more.
    Stopped,
}

impl RestError {
    /// Whether it may be different in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self.outcome(), Outcome::Retry | Outcome::Unknown)
    }

    /// What follows for a delivery that met it (FACTS A11, "Retry class").
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::RateLimited { .. } | Self::Unreachable(_) | Self::NotApplied => Outcome::Retry,
            Self::Stumbled(_) | Self::Lost(_) => Outcome::Unknown,
            Self::Unauthorised | Self::Stopped => Outcome::Stopped,
            // Without a code Discord, or something before it, gives no reason that concerns the user.
            Self::Refused { status: 403, code: 0, .. } => Outcome::Blocked,
            Self::Refused { code, .. } => match code {
                // 40333 is the edge's, which speaks of us and not of this request (FACTS A11).
                30035 | 30037 | 40062 | 40333 | 130_000 => Outcome::Retry,
                10004 | 10011 | 30005 | 50001 | 50013 | 60003 => Outcome::Blocked,
                _ => Outcome::Failed,
            },
        }
    }

    /// Whether Discord found something wrong with the form of the request: its lengths, its fields.
    pub fn is_about_the_form(&self) -> bool {
        matches!(self, Self::Refused { status: 400, code: 50035, .. })
    }

    /// Discord's JSON code, where it refused.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Why, for an operator, in a few words.
    pub fn reason(&self) -> String {
        match self {
            Self::Refused { code: 50013, .. } => {
                "403 missing permission, or the user ranks above the bot".into()
            }
            Self::Refused { code: 50001, .. } => "403 the bot has no access to the guild".into(),
            Self::Refused { code: 10004, .. } => "404 the bot is not in the guild".into(),
            Self::Refused { code: 10013, .. } => UNKNOWN_USER.into(),
            Self::Refused { code: 30035, .. } => BUDGET_SPENT.into(),
            Self::Refused { code: 60003, .. } => NO_TWO_FACTOR.into(),
            Self::Refused { status: 403, code: 0, .. } => "403 Discord gives no reason".into(),
            other => other.to_string(),
        }
    }
}

impl From<RestError> for Fault {
    fn from(error: RestError) -> Self {
        match &error {
            RestError::Refused { code: 10004 | 10003 | 10007 | 10013, .. } => Self::not_found(error.reason()),
            RestError::Refused { code: 50001 | 50013, .. } => Self::denied(error.reason())
                .hint("the bot's role must stand above the user's and have the permission in that guild"),
            RestError::Unauthorised | RestError::Stopped => Self::unavailable(error.reason())
                .hint("give the bot's token of now to wayhavend token set, or to BOT_TOKEN where it comes from there, and \
                 restart the daemon"),
            RestError::Unreachable(_) | RestError::Lost(_) | RestError::Stumbled(_) => {
                Self::unavailable(error.reason())
                    .hint("try again when wayhaven status says that Discord is ready")
            }
            _ => Self::new(FaultKind::Unavailable, error.reason()),
        }
    }
}

/// reqwest's error without the address, which may hold an interaction's token.
pub(super) fn transport_error(error: &reqwest::Error) -> RestError {
    let what = if error.is_timeout() { "it took too long" } else { "the connection broke" };
    if error.is_connect() { RestError::Unreachable(what.into()) } else { RestError::Lost(what.into()) }
}

/// `bare` is a request that carries a token of its own: refusing that says nothing about the bot's.
pub(super) fn parse_error(answer: &Answer, bare: bool) -> RestError {
    let status = answer.status.as_u16();
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    match (answer.status, body) {
        (StatusCode::UNAUTHORIZED, _) if !bare => RestError::Unauthorised,
        (StatusCode::TOO_MANY_REQUESTS, body) => {
            let json = body.clone().unwrap_or_default();
            let global = answer.headers.contains_key("x-ratelimit-global") || json["global"] == true;
            // Without JSON it came from the edge, which counts everything we do (FACTS C1).
            RestError::RateLimited { wait: retry_after(answer, &json), everything: global || body.is_none() }
        }
        // Nobody of a bulk ban could be banned: what it says for sure is told by its code, not by its status, which is not
        // known (FACTS A3).
        (_, Some(json)) if json["code"] == 500_000 => refused(status, &json),
        // A refusal without JSON is not Discord's but of something before it: it says nothing for good.
        (code, Some(json)) if is_refusal(code) => refused(status, &json),
        _ => RestError::Stumbled(status),
    }
}

fn refused(status: u16, json: &Value) -> RestError {
    let message = json["message"].as_str().unwrap_or("refused");
    let message = wayhaven_shared::value::Untrusted::clipped(message).line_within(120);
    RestError::Refused { status, code: json["code"].as_u64().unwrap_or(0), message }
}
