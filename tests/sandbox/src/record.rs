//! The effect log: every request as it was received and answered. Assertions read it.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::rest::Reply;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// Position in the log.
    pub sequence: u64,
    /// When it arrived, on the sandbox's clock since the start (nanoseconds in JSON).
    #[serde(serialize_with = "nanos")]
    pub at: Duration,
    /// The same moment, Unix milliseconds.
    pub unix_ms: u64,
    /// HTTP method.
    pub method: String,
    /// Path as asked, without `/api/v10`; tokens in it are replaced by `…`.
    pub path: String,
    /// Route as Discord writes it, empty if there is none.
    pub route: String,
    /// `guild_id` of the path (a string in JSON).
    #[serde(serialize_with = "text")]
    pub guild: Option<u64>,
    /// `user_id` of the path (a string in JSON).
    #[serde(serialize_with = "text")]
    pub user: Option<u64>,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Body, if it was JSON.
    pub body: Option<Value>,
    /// The audit reason, decoded.
    pub reason: Option<String>,
    /// HTTP status answered; 0 if the connection was cut or reset before the answer was whole.
    pub status: u16,
    /// Discord's error code answered.
    pub code: Option<u32>,
    /// The scope of a 429.
    pub limited: Option<&'static str>,
    /// Whether it counts towards the global limit.
    pub counted: bool,
    /// Whether the state was changed, or would have been but for its refusal.
    pub effect: bool,
    /// Whether the request was carried out (also where the answer was cut).
    pub applied: bool,
}

/// One attempted or successful change of a guild.
#[derive(Debug, Clone, Serialize)]
pub struct Effect {
    /// HTTP method.
    pub method: String,
    /// Route.
    pub route: String,
    /// Where (a string in JSON).
    #[serde(serialize_with = "text")]
    pub guild: Option<u64>,
    /// Whom; of a bulk ban the first (a string in JSON).
    #[serde(serialize_with = "text")]
    pub user: Option<u64>,
    /// All of them (numbers as strings in JSON).
    #[serde(serialize_with = "texts")]
    pub users: Vec<u64>,
    /// When.
    #[serde(serialize_with = "nanos")]
    pub at: Duration,
    /// Answered status.
    pub status: u16,
    /// Answered error code.
    pub code: Option<u32>,
    /// Reason given.
    pub reason: Option<String>,
    /// Whether it was carried out.
    pub applied: bool,
}

fn nanos<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX))
}

fn text<S: Serializer>(id: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(to)
}

fn texts<S: Serializer>(ids: &[u64], to: S) -> Result<S::Ok, S::Error> {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().serialize(to)
}

impl Recorded {
    /// Whom it is about: the user of its path, or the list of a bulk ban.
    #[must_use]
    pub fn users(&self) -> Vec<u64> {
        let listed = self.body.as_ref().and_then(|body| body["user_ids"].as_array());
        let id = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        match listed {
            Some(list) => list.iter().filter_map(id).collect(),
            None => self.user.into_iter().collect(),
        }
    }

    fn effect(&self) -> Effect {
        let users = self.users();
        Effect {
            method: self.method.clone(),
            route: self.route.clone(),
            guild: self.guild,
            user: users.first().copied(),
            users,
            at: self.at,
            status: self.status,
            code: self.code,
            reason: self.reason.clone(),
            applied: self.applied,
        }
    }
}

/// All requests, in the order they arrived.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Recorded>,
}

impl Log {
    /// Adds a request as it arrives and numbers it.
    pub fn open(&mut self, mut recorded: Recorded) -> usize {
        let sequence = self.entries.len();
        recorded.sequence = sequence as u64;
        self.entries.push(recorded);
        sequence
    }

    /// Adds how it was answered; status 0 where the answer was cut.
    pub(crate) fn close(&mut self, sequence: usize, status: u16, reply: &Reply) {
        let Some(entry) = self.entries.get_mut(sequence) else { return };
        entry.status = status;
        entry.code = reply.code;
        entry.limited = reply.limited;
        entry.applied = reply.applied;
    }

    /// A request that was answered before is carried out now.
    pub(crate) fn applied(&mut self, sequence: usize) {
        if let Some(entry) = self.entries.get_mut(sequence) {
            entry.applied = true;
        }
    }

    /// Every request.
    #[must_use]
    pub fn entries(&self) -> &[Recorded] {
        &self.entries
    }

    /// Changes of guilds, attempted or done.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.entries.iter().filter(|entry| entry.effect).map(Recorded::effect).collect()
    }

    /// The most requests that fell into any one second (of those that count towards the global limit).
    #[must_use]
    pub fn max_in_one_second(&self) -> usize {
        let mut times: Vec<Duration> = self.entries.iter().filter(|e| e.counted).map(|e| e.at).collect();
        times.sort_unstable();
        let mut first = 0;
        let mut most = 0;
        for (last, at) in times.iter().enumerate() {
            while times[first] + Duration::from_secs(1) <= *at {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }

    /// Answers that Discord counts as invalid: 401, 403, 429 (not of shared scope).
    #[must_use]
    pub fn invalid(&self) -> usize {
        self.entries
            .iter()
            .filter(|e| matches!(e.status, 401 | 403 | 429) && e.limited != Some("shared"))
            .count()
    }
}
