//! Requests to Discord: one client, one way out, under the budget and the route limits.
//!
//! serenity's own limiter stays off (FACTS C3: it does not see the global limit and can resend for ever), so REST
//! is ours. Every request that changes something in a guild shows a [`Permit`](crate::network::Permit) and reads its guild from it.

mod audit_logs;
mod bans;
mod bulk;
mod buttons;
mod calls;
mod direct;
mod fault;
mod files;
mod first_answers;
mod lists;
mod roles;

pub use audit_logs::LogOf;
pub use bans::{BanPage, ListedBan};
pub use bulk::MOST_AT_ONCE;
pub use calls::{
    AUDIT_PAGE, AuditLogEntry, AuditPage, CurrentUser, GatewayBot, MemberView, Order, SessionStartLimit,
};
pub use direct::DirectChannel;
pub use fault::{BUDGET_SPENT, NO_TWO_FACTOR, Outcome, RestError};
pub use files::{Incoming, OutgoingFile};
pub use first_answers::FirstAnswers;
pub use lists::{LIST_PAGE, ListedMember, TOO_MANY_BAN_LISTS};

use crate::clock::{Clock, RoundTrip};
use crate::discord::budget::{Budget, Priority, Slot};
use crate::discord::refusals::Refusals;
use crate::discord::routes::{Route, Routes, Told, seconds};
use fault::{Answer, parse_error, transport_error};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};
use wayhaven_shared::Fault;
use wayhaven_shared::value::Timestamp;

/// Discord asks for this form; without it the edge may answer 40333 (FACTS 0).
const USER_AGENT: &str = concat!("DiscordBot (https://wayhaven.example, ", env!("CARGO_PKG_VERSION"), ")");

/// A connection must stand by then.
const CONNECT: Duration = Duration::from_secs(5);
/// How long nothing leaves after the edge has answered instead of Discord without saying how long: its bans last
/// minutes to hours, and what is sent meanwhile prolongs them (FACTS C1).
const EDGE: Duration = Duration::from_secs(600);
/// No 429 waits shorter than this, whatever it says: none can become a hot loop.
const LEAST: Duration = Duration::from_millis(250);
/// An answer larger than this is not Discord's.
const LARGEST: usize = 16 * 1024 * 1024;

/// What `X-Audit-Log-Reason` must escape: everything but unreserved characters and spaces' own escape.
const REASON: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'&')
    .add(b'+')
    .add(b',')
    .add(b';')
    .add(b'=')
    .add(b'\\')
    .add(b'|')
    .add(b'^')
    .add(b'[')
    .add(b']');

/// A request about to be sent.
#[derive(Debug)]
struct Call {
    method: Method,
    route: Route,
    path: String,
    body: Option<Value>,
    /// For the guild's audit log, at most 512 characters, not yet encoded.
    reason: Option<String>,
    /// Interaction replies carry their own token and are not counted (FACTS A10).
    bare: bool,
}

/// What an operator has to hear of, whichever request met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The edge answered instead of Discord: nothing leaves for so long.
    Edge(Duration),
    /// Too many requests were refused: nothing leaves for so long.
    Refused(Duration),
}

/// The way to Discord.
#[derive(Debug)]
pub struct Rest {
    client: Client,
    /// For files: it does not have the token.
    files: Client,
    base: String,
    budget: Budget,
    routes: Routes,
    refusals: Refusals,
    /// Until when the edge lets nothing through, answers to interactions included.
    edge: watch::Sender<Option<Instant>>,
    troubles: broadcast::Sender<Trouble>,
    /// What learns from answers how far Discord's clock is off, and converts what depends on that.
    clock: Clock,
}

impl Rest {
    /// A client for `api_base` (like `https://discord.com`), which takes `/api/v10/…` behind it. What has not been
    /// answered to the last byte after `timeout` is given up.
    ///
    /// # Errors
    /// Where the token cannot stand in a header, or TLS cannot be set up.
    pub fn new(
        api_base: &str,
        token: &SecretString,
        budget: Budget,
        timeout: Duration,
    ) -> Result<Self, Fault> {
        let mut bot = HeaderValue::from_str(&format!("Bot {}", token.expose_secret()))
            .map_err(|_| Fault::usage("the bot token holds characters that no token has"))?;
        bot.set_sensitive(true);
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bot)]))
            .user_agent(USER_AGENT)
            // The environment's proxies are for other programs, and a redirect would carry the token away.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .build()
            .map_err(|error| Fault::internal(format!("no HTTP client: {}", error.without_url())))?;
        let files = files::client()
            .map_err(|error| Fault::internal(format!("no HTTP client: {}", error.without_url())))?;
        Ok(Self {
            client,
            files,
            base: api_base.trim_end_matches('/').to_owned(),
            budget,
            routes: Routes::default(),
            refusals: Refusals::default(),
            edge: watch::Sender::new(None),
            troubles: broadcast::Sender::new(16),
            clock: Clock::default(),
        })
    }

    /// With the daemon's clock in place of one of its own.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A reason for the guild's audit log, cut so that its encoded form has at most so many bytes.
    pub fn reason_within(reason: &str, bytes: usize) -> String {
        let mut left = bytes;
        let fits = |letter: &char| {
            let encoded = utf8_percent_encode(letter.encode_utf8(&mut [0; 4]), REASON).map(str::len).sum();
            left.checked_sub(encoded).map(|rest| left = rest).is_some()
        };
        reason.chars().take_while(fits).collect()
    }

    /// Follows what an operator has to hear of.
    pub fn troubles(&self) -> broadcast::Receiver<Trouble> {
        self.troubles.subscribe()
    }

    /// When a request on this route may leave; nothing where the route lets it now.
    pub fn opens_at(&self, route: Route) -> Option<Instant> {
        self.routes.opens_at(route)
    }

    /// The budget that all requests share.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Waits until a request on this route may leave.
    ///
    /// # Errors
    /// Where requests have been stopped.
    pub async fn slot(&self, priority: Priority, route: Route) -> Result<Slot, RestError> {
        loop {
            // First the route, then the budget: a slot is never held while a route is shut.
            while let Some(opens) = self.routes.opens_at(route) {
                sleep_until(opens).await;
            }
            if let Some(slot) = self.slot_now(priority, route).await? {
                return Ok(slot);
            }
        }
    }

    /// Waits for the budget, and not for the route: nothing where the route is shut by then.
    ///
    /// # Errors
    /// Where requests have been stopped.
    pub async fn slot_now(&self, priority: Priority, route: Route) -> Result<Option<Slot>, RestError> {
        let slot = self.budget.slot(priority).await.ok_or(RestError::Stopped)?;
        Ok(self.routes.take(route).is_ok().then_some(slot))
    }

    /// Waits for the budget, and only then asks `decide` what is sent, and along which route: whatever came while the
    /// slot was waited for is part of it. Without a route, or where that is shut by then, there is no slot.
    ///
    /// # Errors
    /// Where requests have been stopped; `decide` was not asked then.
    pub async fn slot_late<T>(
        &self,
        priority: Priority,
        decide: impl FnOnce() -> (Option<Route>, T),
    ) -> Result<(Option<Slot>, T), RestError> {
        let slot = self.budget.slot(priority).await.ok_or(RestError::Stopped)?;
        let (route, decided) = decide();
        let open = route.is_some_and(|route| self.routes.take(route).is_ok());
        Ok((open.then_some(slot), decided))
    }

    /// Sends a request with the slot it was given, and learns from the answer.
    async fn send(&self, slot: Option<Slot>, call: Call) -> Result<Value, RestError> {
        self.send_with(slot, call, None).await
    }

    /// As [`send`](Self::send), with a file beside the body.
    async fn send_with(
        &self,
        slot: Option<Slot>,
        call: Call,
        file: Option<OutgoingFile>,
    ) -> Result<Value, RestError> {
        self.send_through(&self.client, slot, call, file).await
    }

    /// As [`send_with`](Self::send_with), through another client's connections.
    async fn send_through(
        &self,
        client: &Client,
        slot: Option<Slot>,
        call: Call,
        file: Option<OutgoingFile>,
    ) -> Result<Value, RestError> {
        debug_assert!(slot.is_some() || call.bare, "a request without a slot");
        // The budget holds everything else back.
        if let Some(until) = self.edge.borrow().filter(|until| call.bare && *until > Instant::now()) {
            return Err(RestError::RateLimited { wait: until - Instant::now(), everything: true });
        }
        let url = format!("{}/api/v10{}", self.base, call.path);
        let mut request = client.request(call.method.clone(), url);
        if let Some(reason) = &call.reason {
            let encoded = utf8_percent_encode(reason, REASON).to_string();
            // Percent-encoded text is ASCII without controls; where it is empty the header is left out.
            if let Ok(value) = HeaderValue::from_str(&encoded)
                && !encoded.is_empty()
            {
                request = request.header(HeaderName::from_static("x-audit-log-reason"), value);
            }
        }
        if let Some(file) = file {
            let (kind, body) = file.beside(call.body.as_ref());
            request = request.header("content-type", kind).body(body);
        } else if let Some(body) = &call.body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let sent = Instant::now();
        let left = (self.clock.now(), sent);
        let response = request.send().await.map_err(|error| transport_error(&error))?;
        let trip = RoundTrip { sent: left, received: (self.clock.now(), Instant::now()) };
        if let Some(date) = made_at(response.headers()) {
            self.clock.learn(trip, date);
        }
        let status = response.status();
        let headers = response.headers().clone();
        let body = read_body(response).await?;
        tracing::debug!(
            route = call.route.template,
            major = call.route.major,
            status = status.as_u16(),
            ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX),
            "discord answered"
        );
        self.judge(&call, &Answer { status, headers, body })
    }

    /// Learns from an answer and turns it into a result.
    fn judge(&self, call: &Call, answer: &Answer) -> Result<Value, RestError> {
        let route = call.route;
        self.routes.learn(route, &told(&answer.headers));
        if answer.status.is_success() {
            return match answer.body.is_empty() {
                true => Ok(Value::Null),
                // Discord did it, whatever it wrote about it.
                false => Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null)),
            };
        }
        let error = parse_error(answer, call.bare);
        self.count(answer);
        match &error {
            RestError::RateLimited { wait, .. } if answer.is_of_the_edge() => self.stand_still(*wait),
            RestError::RateLimited { wait, everything: true } => self.budget.pause(*wait),
            RestError::RateLimited { wait, everything: false } => self.routes.shut(route, *wait),
            RestError::Unauthorised => self.budget.stop(),
            _ => {}
        }
        Err(error)
    }

    /// Counts a refusal as Discord does: a shared limit is not held against us (FACTS C1).
    fn count(&self, answer: &Answer) {
        let shared = answer.headers.get("x-ratelimit-scope").is_some_and(|scope| scope == "shared");
        if !matches!(answer.status.as_u16(), 401 | 403 | 429) || shared {
            return;
        }
        if let Some(span) = self.refusals.count() {
            self.budget.pause(span);
            self.trouble(Trouble::Refused(span));
        }
    }

    /// The edge lets nothing through, and whatever is sent prolongs it.
    fn stand_still(&self, span: Duration) {
        self.budget.pause(span);
        self.edge.send_replace(Some(Instant::now() + span));
        self.trouble(Trouble::Edge(span));
    }

    fn trouble(&self, trouble: Trouble) {
        // Where nobody follows, nobody is to hear.
        let _ = self.troubles.send(trouble);
    }

    /// A read that is tried again where Discord stumbles.
    async fn read(&self, priority: Priority, route: Route, path: &str) -> Result<Value, RestError> {
        let mut attempt = 0;
        loop {
            let slot = self.slot(priority, route).await?;
            let call =
                Call { method: Method::GET, route, path: path.into(), body: None, reason: None, bare: false };
            attempt += 1;
            match self.send(Some(slot), call).await {
                Err(error) if error.is_passing() && attempt < 4 => {
                    tokio::time::sleep(crate::backoff::backoff(attempt)).await;
                }
                result => return result,
            }
        }
    }
}

async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, RestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(RestError::Lost("the answer has no end".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// When an answer was made, by the clock of whoever made it.
fn made_at(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::from_http_date(headers.get(DATE)?.to_str().ok()?)
}

fn told(headers: &HeaderMap) -> Told {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Told {
        bucket: text("x-ratelimit-bucket").map(str::to_owned),
        remaining: text("x-ratelimit-remaining").and_then(|text| text.parse().ok()),
        reset_after: text("x-ratelimit-reset-after").and_then(|text| text.parse().ok()),
    }
}

/// How long a 429 says to wait: the longer of header and body, and where neither makes sense 5 s, or ten minutes if
/// it is the edge that says nothing (FACTS C1).
fn retry_after(answer: &Answer, body: &Value) -> Duration {
    let conservative = if answer.is_of_the_edge() { EDGE } else { Duration::from_secs(5) };
    let header = answer.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
    let told = [header, body["retry_after"].as_f64()];
    let told = told.into_iter().flatten().map(|value| seconds(value, conservative)).max();
    told.unwrap_or(conservative).max(LEAST)
}

/// Whether a status means that Discord refuses the request for what it is.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests;
