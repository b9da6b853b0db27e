//! Reading a request: address, query, reason, body, and what is wrong with it before any handler sees it.

use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::call::snowflake;
use super::routes::{self, Door, Endpoint, Found};
use crate::attachment::{self, Part};
use crate::clock::Clock;
use crate::conformance::DescribedRequest;
use crate::fault::Asked;
use crate::record::Recorded;
use crate::{FormErrors, Refusal, World};

const LARGEST: usize = 25 * 1024 * 1024;
const LONGEST_REASON: usize = 512;

/// A request as read.
pub(crate) struct Incoming {
    at: Duration,
    unix_ms: u64,
    method: String,
    /// Without `/api/v10`.
    path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    /// Decoded audit reason.
    pub(crate) reason: Option<String>,
    /// `{}` where nothing was sent.
    pub(crate) json: Value,
    sent: Option<Value>,
    /// Files that came with it.
    pub(crate) files: Vec<Part>,
    pub(crate) found: Option<(&'static Endpoint, Vec<(&'static str, String)>)>,
    other_method: bool,
    /// What the edge refuses, before anything is asked of Discord.
    pub(crate) edge: Option<Refusal>,
    /// What is wrong with the form, before its fields are looked at.
    pub(crate) form: Option<Refusal>,
}

impl Incoming {
    /// Reads everything.
    pub(crate) async fn receive(clock: &Clock, request: Request) -> Result<Self, Refusal> {
        let (at, unix_ms) = (clock.now(), clock.unix_ms());
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, LARGEST)
            .await
            .map_err(|_| Refusal::new(413, 40005, "Request entity too large"))?;
        let method = parts.method.as_str().to_owned();
        let whole = parts.uri.path();
        let path = whole.strip_prefix("/api/v10").filter(|rest| rest.starts_with('/'));
        let edge = edge(&parts.headers, whole, path.is_some());
        // Some clients write `%40original`.
        let path = percent(path.unwrap_or(whole));
        let (found, other_method) = match routes::find(&method, &path) {
            Found::Endpoint(endpoint, parameters) => {
                let owned = parameters.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
                (Some((endpoint, owned)), false)
            }
            Found::OtherMethod => (None, true),
            Found::Nothing => (None, false),
        };
        let (sent, files, body_error) = body_of(&parts.headers, &bytes);
        let (reason, reason_error) = reason_of(&parts.headers);
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok(Self {
            at,
            unix_ms,
            method,
            path,
            query: query_of(parts.uri.query().unwrap_or_default()),
            authorization: header("authorization"),
            reason,
            json: sent.clone().unwrap_or_else(|| json!({})),
            sent,
            files,
            found,
            other_method,
            edge,
            form: body_error.or(reason_error),
        })
    }

    fn parameter(&self, name: &str) -> Option<u64> {
        let (_, parameters) = self.found.as_ref()?;
        parameters.iter().find(|(key, _)| *key == name).and_then(|(_, value)| snowflake(value))
    }

    /// The parameter whose windows are separate.
    pub(crate) fn major(&self) -> u64 {
        let ids = ["guild_id", "channel_id", "interaction_id"];
        if let Some(id) = ids.iter().find_map(|name| self.parameter(name)) {
            return id;
        }
        let token = self.found.as_ref().and_then(|(_, p)| p.iter().find(|(key, _)| *key == "webhook_token"));
        token.map_or(0, |(_, token)| {
            token.bytes().fold(0, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
        })
    }

    /// Whom it is about, as a fault's matcher sees it: the path's user, whom a direct message is opened to, or the
    /// other person of the channel.
    fn about(&self, world: &World) -> Option<u64> {
        let of_channel = || {
            let channel = self.parameter("channel_id")?;
            world.channels.get(&channel).and_then(|channel| channel.recipient)
        };
        let recipient = || self.json["recipient_id"].as_str().and_then(snowflake);
        self.parameter("user_id").or_else(recipient).or_else(of_channel)
    }

    /// The guild of the path.
    pub(crate) fn guild(&self) -> Option<u64> {
        self.parameter("guild_id")
    }

    /// As a fault's matcher sees it.
    pub(crate) fn asked(&self, world: &World) -> Asked<'_> {
        Asked {
            method: &self.method,
            route: self.found.as_ref().map_or("", |(endpoint, _)| endpoint.template),
            guild: self.parameter("guild_id"),
            user: self.about(world),
            body: self.sent.as_ref(),
        }
    }

    /// As Discord's description sees it.
    pub(crate) fn described<'a>(&'a self, shown: &'a str) -> DescribedRequest<'a> {
        let Self { method, path, query, sent, .. } = self;
        DescribedRequest { method, path, shown, query, body: sent.as_ref() }
    }

    /// The line of the log, before it is answered.
    pub(crate) fn recorded(&self) -> Recorded {
        let endpoint = self.found.as_ref().map(|(endpoint, _)| *endpoint);
        Recorded {
            sequence: 0,
            at: self.at,
            unix_ms: self.unix_ms,
            method: self.method.clone(),
            path: self.path_without_tokens(),
            route: endpoint.map_or_else(String::new, |endpoint| endpoint.template.to_owned()),
            guild: self.parameter("guild_id"),
            user: self.parameter("user_id"),
            query: self.query.clone(),
            body: self.sent.clone(),
            reason: self.reason.clone(),
            status: 0,
            code: None,
            limited: None,
            counted: endpoint.is_none_or(|endpoint| endpoint.door != Door::PathToken),
            effect: endpoint.is_some_and(|endpoint| endpoint.effect),
            applied: false,
        }
    }

    /// The path with `…` in place of tokens.
    pub(crate) fn path_without_tokens(&self) -> String {
        let Some((_, parameters)) = &self.found else { return self.path.clone() };
        let secret = parameters.iter().find(|(key, _)| key.ends_with("_token"));
        secret.map_or_else(|| self.path.clone(), |(_, token)| self.path.replace(token.as_str(), "…"))
    }

    /// The answer to a path or method that does not exist.
    pub(crate) fn lost(&self) -> Refusal {
        if self.other_method {
            Refusal::new(405, 0, "405: Method Not Allowed")
        } else {
            Refusal::new(404, 0, "404: Not Found")
        }
    }
}

fn edge(headers: &HeaderMap, whole: &str, is_v10: bool) -> Option<Refusal> {
    let agent = headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !agent.starts_with("DiscordBot (") {
        return Some(Refusal::new(403, 40333, "internal network error"));
    }
    if !is_v10 && whole.starts_with("/api/") {
        return Some(Refusal::new(400, 50041, "Invalid API version provided"));
    }
    None
}

/// The body's JSON with the files beside it, or what is wrong with it. A request without a body needs no Content-Type.
fn body_of(headers: &HeaderMap, bytes: &[u8]) -> (Option<Value>, Vec<Part>, Option<Refusal>) {
    if bytes.is_empty() {
        return (None, Vec::new(), None);
    }
    let invalid = || Some(Refusal::new(400, 50109, "The request body contains invalid JSON."));
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        let Some(mut parts) = attachment::parts(kind, bytes) else { return (None, Vec::new(), invalid()) };
        let Some(at) = parts.iter().position(|part| part.name == "payload_json") else {
            return (None, parts, invalid());
        };
        let payload = parts.remove(at);
        return match serde_json::from_slice(&payload.bytes) {
            Ok(value) => (Some(value), parts, None),
            Err(_) => (None, parts, invalid()),
        };
    }
    if !kind.starts_with("application/json") {
        let text =
            "Expected \"Content-Type\" header to be one of {'application/json', 'multipart/form-data'}.";
        return (None, Vec::new(), Some(FormErrors::one(&[], "CONTENT_TYPE_INVALID", text)));
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => (Some(value), Vec::new(), None),
        Err(_) => (None, Vec::new(), invalid()),
    }
}

/// The audit reason: percent-encoded UTF-8, at most 512 characters when decoded.
fn reason_of(headers: &HeaderMap) -> (Option<String>, Option<Refusal>) {
    let Some(value) = headers.get("x-audit-log-reason") else { return (None, None) };
    let refuse = |text: &str| Some(FormErrors::one(&["X-Audit-Log-Reason"], "BASE_TYPE_BAD_LENGTH", text));
    let Ok(text) = value.to_str() else { return (None, refuse("Must be percent-encoded UTF-8.")) };
    let Ok(decoded) = percent_decode_str(text).decode_utf8() else {
        return (None, refuse("Must be percent-encoded UTF-8."));
    };
    if decoded.chars().count() > LONGEST_REASON {
        return (Some(decoded.into_owned()), refuse("Must be 512 or fewer in length."));
    }
    (Some(decoded.into_owned()).filter(|reason| !reason.is_empty()), None)
}

fn query_of(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

/// In a query `+` is a blank; in a path it is itself.
fn decode(text: &str) -> String {
    percent(&text.replace('+', " "))
}

fn percent(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
