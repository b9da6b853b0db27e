//! Faults to inject: one enum, one matcher, by code and by the control address (FACTS E3, E6, E7).
//!
//! A new fault is a variant here and a few lines where it acts: requests in [`Faults::plan`], events in
//! [`Faults::fate_of`], connections in `gateway::trouble`.

mod active;
mod aim;
mod at;
mod event;
mod trouble;

use std::time::Duration;

use serde::Deserialize;

use crate::wire;

pub use active::{Faults, Plan};
pub use aim::Aim;
pub use at::{Asked, At, Scope};
pub use event::EventFate;
pub use trouble::Trouble;

/// Names an injected fault.
pub type FaultId = u64;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The answer comes later (`by_ms` in JSON).
    Latency {
        /// Which requests.
        at: At,
        /// How much later.
        #[serde(rename = "by_ms", deserialize_with = "wire::millis")]
        by: Duration,
    },
    /// Not looked at until the fault is cleared.
    Hang {
        /// Which requests.
        at: At,
    },
    /// Refused with that status and code, nothing done.
    Answer {
        /// Which requests.
        at: At,
        /// HTTP status.
        status: u16,
        /// Discord's code.
        code: u32,
        /// Free text.
        #[serde(default)]
        message: String,
    },
    /// Answered with a page that is no JSON, nothing done; 429 looks like the edge's.
    Page {
        /// Which requests.
        at: At,
        /// HTTP status.
        status: u16,
        /// The page.
        body: String,
    },
    /// The effect is applied, the connection cut before the answer.
    CutAfter {
        /// Which requests.
        at: At,
    },
    /// The connection is cut, nothing done.
    CutBefore {
        /// Which requests.
        at: At,
    },
    /// Head and status come, the body only once the fault is cleared. Of an answer without body the head stays
    /// unfinished.
    HangAfterHeaders {
        /// Which requests.
        at: At,
    },
    /// TCP reset in the middle of the body; of an answer without body, of the head. The effect is applied.
    ResetInBody {
        /// Which requests.
        at: At,
    },
    /// Changes of members and bans are answered at once and carried out later, with their events; what would be
    /// refused is refused at once. Other requests are as ever.
    AppliedLater {
        /// Which requests.
        at: At,
        /// How much later by the sandbox's clock (`by_ms` in JSON); without it, when the fault is cleared.
        #[serde(default, rename = "by_ms", deserialize_with = "wire::optional_millis")]
        by: Option<Duration>,
    },
    /// Sent elsewhere, nothing done.
    Redirect {
        /// Which requests.
        at: At,
        /// HTTP status, as 302.
        status: u16,
        /// The Location header.
        location: String,
    },
    /// 429.
    RateLimit {
        /// Which requests.
        at: At,
        /// Whom it blames.
        scope: Scope,
        /// Seconds, in body and header.
        retry_after: f64,
        /// Headers in place of the right ones, for malformed and missing ones; `None` sends the right ones.
        #[serde(default)]
        headers: Option<Vec<(String, String)>>,
    },
    /// Events of a name (all if none), in a guild (all if none).
    Events {
        /// As `GUILD_BAN_ADD`.
        #[serde(default)]
        name: Option<String>,
        /// Guild id.
        #[serde(default, deserialize_with = "wire::optional_id")]
        guild: Option<u64>,
        /// How often; without it, until cleared.
        #[serde(default)]
        times: Option<u32>,
        /// What happens to them.
        fate: EventFate,
    },
    /// The events of one change come in this order of names; others keep theirs, after these.
    Order {
        /// Names.
        names: Vec<String>,
    },
    /// The gateway.
    Gateway {
        /// What goes wrong there.
        trouble: Trouble,
    },
    /// GUILD_CREATE is at least so large, by channels with as many exceptions as Discord allows.
    LargeGuild {
        /// Guild id (all if none).
        #[serde(default, deserialize_with = "wire::optional_id")]
        guild: Option<u64>,
        /// Bytes of its `d`.
        bytes: usize,
    },
    /// Another fault, narrowed. As `{"fault":"only","of":{"user":"1"},"what":{"fault":"order","names":[]}}`.
    Only {
        /// To what.
        of: Aim,
        /// Which fault.
        what: Box<Fault>,
    },
}

impl Fault {
    /// Only where the aim says.
    #[must_use]
    pub fn only(self, of: Aim) -> Self {
        Self::Only { of, what: Box::new(self) }
    }

    /// The fault itself and all that it is narrowed to.
    pub(crate) fn aimed(self) -> (Aim, Self) {
        let (mut aim, mut fault) = (Aim::default(), self);
        while let Self::Only { of, what } = fault {
            aim = aim.narrowed(&of);
            fault = *what;
        }
        (aim, fault)
    }

    /// Which requests it concerns, if it concerns requests.
    fn at(&self) -> Option<&At> {
        match self {
            Self::Latency { at, .. }
            | Self::Hang { at }
            | Self::Answer { at, .. }
            | Self::Page { at, .. }
            | Self::CutAfter { at }
            | Self::CutBefore { at }
            | Self::HangAfterHeaders { at }
            | Self::ResetInBody { at }
            | Self::AppliedLater { at, .. }
            | Self::Redirect { at, .. }
            | Self::RateLimit { at, .. } => Some(at),
            Self::Events { .. }
            | Self::Order { .. }
            | Self::Gateway { .. }
            | Self::LargeGuild { .. }
            | Self::Only { .. } => None,
        }
    }
}
