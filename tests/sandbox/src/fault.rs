//! Faults to inject: one enum, one matcher, by code and by the control address (FACTS E6, E7).
//!
//! A new fault is a variant here and a few lines where it acts: requests in [`Faults::plan`], events in
//! [`Faults::fate_of`], connections in `gateway::trouble`.

use std::time::Duration;

use serde::Deserialize;

use crate::wire;
use crate::world::Event;

/// Names an injected fault.
pub type FaultId = u64;

/// Which requests a fault concerns. What is left out matches everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct At {
    /// HTTP method.
    pub method: Option<String>,
    /// Route as Discord writes it, as `/guilds/{guild_id}/bans/{user_id}`.
    pub route: Option<String>,
    /// Guild id.
    #[serde(deserialize_with = "wire::optional_id")]
    pub guild: Option<u64>,
    /// User id.
    #[serde(deserialize_with = "wire::optional_id")]
    pub user: Option<u64>,
    /// How often; without it, until cleared.
    pub times: Option<u32>,
}

impl At {
    /// Every request.
    #[must_use]
    pub fn anything() -> Self {
        Self::default()
    }

    /// Requests of one method and route.
    #[must_use]
    pub fn route(method: &str, route: &str) -> Self {
        Self { method: Some(method.to_owned()), route: Some(route.to_owned()), ..Self::default() }
    }

    /// In one guild only.
    #[must_use]
    pub fn guild(mut self, guild: u64) -> Self {
        self.guild = Some(guild);
        self
    }

    /// About one user only.
    #[must_use]
    pub fn user(mut self, user: u64) -> Self {
        self.user = Some(user);
        self
    }

    /// Only the next so many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, request: &Asked<'_>) -> bool {
        self.method.as_deref().is_none_or(|method| method == request.method)
            && self.route.as_deref().is_none_or(|route| route == request.route)
            && self.guild.is_none_or(|guild| request.guild == Some(guild))
            && self.user.is_none_or(|user| request.user == Some(user))
    }
}

/// The request as a matcher sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Route template.
    pub route: &'a str,
    /// Guild id.
    pub guild: Option<u64>,
    /// User id.
    pub user: Option<u64>,
}

/// Whom a 429 blames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The route's own window.
    User,
    /// The bot as a whole.
    Global,
    /// A resource that others use too.
    Shared,
}

impl Scope {
    /// As in the X-RateLimit-Scope header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Global => "global",
            Self::Shared => "shared",
        }
    }
}

/// What happens to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFate {
    /// Nothing.
    Pass,
    /// It never arrives.
    Drop,
    /// It arrives twice.
    Twice,
    /// It arrives that much later (milliseconds in JSON).
    #[serde(deserialize_with = "wire::millis")]
    After(Duration),
}

/// What goes wrong with gateway connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Every connection is dropped without a close frame; sessions stay resumable.
    DropTcp,
    /// Opcode 7.
    Reconnect,
    /// Opcode 9 with that `d`; on false the sessions end.
    InvalidSession(bool),
    /// A close frame with that code.
    Close(u16),
    /// Text as it is, to send what no Discord documents.
    Raw(String),
    /// Opcode 1: the client is to answer at once.
    AskHeartbeat,
    /// No heartbeat is acknowledged until cleared.
    StopAcks,
    /// Nothing at all is sent until cleared: a half-open connection.
    Silence,
    /// Every resume is answered by opcode 9 false until cleared.
    RefuseResume,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Deserialize)]
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
}

/// What the faults do to one request.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Held back by this much.
    pub latency: Duration,
    /// Held until this fault is cleared.
    pub hang: Option<FaultId>,
    /// Refused like this.
    pub instead: Option<Fault>,
    /// Cut without an answer, after the effect.
    pub cut_after: bool,
}

/// The active faults.
#[derive(Debug, Default)]
pub struct Faults {
    last: FaultId,
    active: Vec<(FaultId, Fault, u32)>,
}

impl Faults {
    /// Makes a fault active.
    pub fn inject(&mut self, fault: Fault) -> FaultId {
        self.last += 1;
        self.active.push((self.last, fault, 0));
        self.last
    }

    /// Ends a fault; says whether it was active.
    pub fn clear(&mut self, id: FaultId) -> bool {
        let before = self.active.len();
        self.active.retain(|(active, ..)| *active != id);
        self.active.len() < before
    }

    /// Whether a fault is active.
    #[must_use]
    pub fn is_active(&self, id: FaultId) -> bool {
        self.active.iter().any(|(active, ..)| *active == id)
    }

    /// Whether the gateway is troubled so.
    #[must_use]
    pub fn troubled(&self, trouble: &Trouble) -> bool {
        self.active.iter().any(|(_, fault, _)| matches!(fault, Fault::Gateway { trouble: t } if t == trouble))
    }

    /// What happens to a request; counts down what is limited in number.
    pub fn plan(&mut self, request: &Asked<'_>) -> Plan {
        let mut plan = Plan::default();
        for (id, fault, used) in &mut self.active {
            let (Fault::Latency { at, .. }
            | Fault::Hang { at }
            | Fault::Answer { at, .. }
            | Fault::Page { at, .. }
            | Fault::CutAfter { at }
            | Fault::CutBefore { at }
            | Fault::RateLimit { at, .. }) = fault
            else {
                continue;
            };
            if !at.matches(request) || at.times.is_some_and(|times| *used >= times) {
                continue;
            }
            *used += 1;
            match fault {
                Fault::Latency { by, .. } => plan.latency += *by,
                Fault::Hang { .. } => plan.hang = Some(*id),
                Fault::CutAfter { .. } => plan.cut_after = true,
                refused => plan.instead = Some(refused.clone()),
            }
        }
        plan
    }

    /// What happens to an event.
    pub fn fate_of(&mut self, event: &str, place: Option<u64>) -> EventFate {
        for (_, fault, used) in &mut self.active {
            let Fault::Events { name, guild, times, fate } = fault else { continue };
            let meant = name.as_deref().is_none_or(|name| name == event)
                && guild.is_none_or(|guild| place == Some(guild))
                && times.is_none_or(|times| *used < times);
            if meant {
                *used += 1;
                return *fate;
            }
        }
        EventFate::Pass
    }

    /// The events of one change, in the order that is asked for.
    #[must_use]
    pub fn reorder(&self, mut events: Vec<Event>) -> Vec<Event> {
        let order = self.active.iter().rev().find_map(|(_, fault, _)| match fault {
            Fault::Order { names } => Some(names),
            _ => None,
        });
        if let Some(names) = order {
            events
                .sort_by_key(|event| names.iter().position(|name| name == event.name).unwrap_or(names.len()));
        }
        events
    }
}
