//! What goes back: status, headers of the limits, JSON or a page.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::limits::Standing;
use crate::connection::UpTo;
use crate::fault::Scope;
use crate::{Refusal, World};

const TOO_MANY_PAGE: &str = "<!DOCTYPE html><html><head><title>Access denied | discord.com used Cloudflare to \
    restrict access</title></head><body><h1>Error 1015</h1><p>You are being rate limited.</p></body></html>";

/// An answer before it is written.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Discord's error code.
    pub(crate) code: Option<u32>,
    /// Scope of a 429.
    pub(crate) limited: Option<&'static str>,
    /// Whether the request was carried out.
    pub(crate) applied: bool,
    headers: Vec<(String, String)>,
    content_type: &'static str,
    body: String,
}

impl Reply {
    pub(crate) fn done(status: u16, body: Option<Value>) -> Self {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        Self { applied: true, ..Self::json(status, body) }
    }

    /// Answered as done, and not done yet.
    pub(crate) fn promised(status: u16, body: Option<Value>) -> Self {
        Self { applied: false, ..Self::done(status, body) }
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let mut reply =
            Self { code: Some(refusal.code), ..Self::json(refusal.status, refusal.body().to_string()) };
        if let Some(seconds) = refusal.retry_after {
            reply.header("Retry-After", seconds.ceil());
        }
        reply
    }

    fn json(status: u16, body: String) -> Self {
        Self {
            status,
            code: None,
            limited: None,
            applied: false,
            // Real answers carry the mark of Discord's proxy; some clients take a 429 without it for the edge's.
            headers: vec![("Via".to_owned(), "1.1 google".to_owned())],
            content_type: "application/json",
            body,
        }
    }

    /// A page of the edge, not of Discord.
    pub(crate) fn page(status: u16, body: String) -> Self {
        Self { headers: Vec::new(), content_type: "text/html; charset=UTF-8", ..Self::json(status, body) }
    }

    /// 429 of the edge after too many invalid requests.
    pub(crate) fn banned(retry_after: f64) -> Self {
        let mut reply = Self::page(429, TOO_MANY_PAGE.to_owned());
        reply.header("Retry-After", retry_after.ceil());
        reply.limited = Some("edge");
        reply
    }

    /// 429 of Discord.
    pub(crate) fn limited(scope: Scope, retry_after: f64, standing: Option<Standing>, world: &World) -> Self {
        let global = scope == Scope::Global;
        let text = if scope == Scope::Shared {
            "The resource is being rate limited."
        } else {
            "You are being rate limited."
        };
        let seconds = (retry_after * 1_000.0).ceil() / 1_000.0;
        let body = json!({"message": text, "retry_after": seconds, "global": global});
        let mut reply = Self { limited: Some(scope.name()), ..Self::json(429, body.to_string()) };
        reply.header("Retry-After", retry_after.ceil().max(1.0));
        reply.header("X-RateLimit-Scope", scope.name());
        if global {
            reply.header("X-RateLimit-Global", "true");
        }
        if let Some(standing) = standing {
            reply.window(&standing, unix(world));
        }
        reply
    }

    /// Elsewhere.
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        let mut reply = Self::json(status, String::new());
        reply.header("Location", location);
        reply
    }

    /// How far an answer gets that comes only in part: its head, and so much of the body.
    pub(crate) fn part(&self, of_body: impl Fn(usize) -> usize) -> UpTo {
        if self.body.is_empty() { UpTo::AlmostHead } else { UpTo::Body(of_body(self.body.len())) }
    }

    /// Replaces the headers by what a fault asks for.
    pub(crate) fn with_headers(mut self, headers: Option<&Vec<(String, String)>>) -> Self {
        if let Some(headers) = headers {
            self.headers.clone_from(headers);
        }
        self
    }

    /// Adds the headers of the route's window.
    pub(crate) fn standing(mut self, standing: Option<Standing>, world: &World) -> Self {
        if let Some(standing) = standing {
            self.window(&standing, unix(world));
        }
        self
    }

    fn window(&mut self, standing: &Standing, unix: f64) {
        self.header("X-RateLimit-Limit", standing.limit);
        self.header("X-RateLimit-Remaining", standing.remaining);
        self.header("X-RateLimit-Reset", format!("{:.3}", unix + standing.reset_after));
        self.header("X-RateLimit-Reset-After", format!("{:.3}", standing.reset_after));
        self.header("X-RateLimit-Bucket", &standing.bucket);
    }

    fn header(&mut self, name: &str, value: impl ToString) {
        self.headers.push((name.to_owned(), value.to_string()));
    }

    /// As axum sends it. A fault's malformed header that HTTP itself cannot carry is left out.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        if !self.body.is_empty() {
            response = response.header("Content-Type", self.content_type);
        }
        let name = |name: &str| axum::http::HeaderName::try_from(name).ok();
        let value = |value: &str| axum::http::HeaderValue::try_from(value).ok();
        for (key, text) in &self.headers {
            if let (Some(key), Some(text)) = (name(key), value(text)) {
                response = response.header(key, text);
            }
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}

/// Now in Unix seconds.
fn unix(world: &World) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit a double")]
    let milliseconds = world.clock.unix_ms() as f64;
    milliseconds / 1_000.0
}
