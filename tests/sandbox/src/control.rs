//! The control address: what people do, over HTTP and JSON, for those who are not in the sandbox's process.
//!
//! Ids are strings (numbers are taken too). An act that Discord would refuse is answered 409 with
//! `{"error": "…"}`, a malformed request 400, success 200 (`{}` where there is nothing to say).
//!
//! | request | body or query | answer |
//! |--|--|--|
//! | POST /ban, /unban, /kick | `{guild, by, user, reason?}` | `{}` |
//! | POST /bulk-ban | `{guild, by, users, reason?}` | `{}` |
//! | POST /timeout | `{guild, by, user, seconds?, reason?}`; without `seconds` it ends | `{}` |
//! | POST /prune | `{guild, by, users}` | `{}` |
//! | POST /automod/timeout | `{guild, user, rule, seconds}` | `{}` |
//! | POST /before/ban, /before/role, /before/timeout | `{guild, user}` and `reason?`, `role` or `seconds`; no event, no audit entry | `{}` |
//! | POST /join, /leave | `{guild, user}` | `{}` |
//! | POST /role/add, /role/remove | `{guild, by, user, role}` | `{}` |
//! | POST /role/permissions | `{guild, role, permissions}` | `{}` |
//! | POST /role/move | `{guild, role, position}` | `{}` |
//! | POST /role/delete | `{guild, role}` | `{}` |
//! | POST /bot/permissions | `{guild, permissions}` | `{}` |
//! | POST /bot/other | `{guild, permissions}` | `{"user"}` |
//! | POST /bot/remove, /bot/invite, /outage, /restore | `{guild}` | `{}` |
//! | POST /two-factor | `{guild, required}` | `{}` |
//! | POST /owner/two-factor | `{uses}`: whether the bot's owner uses two-factor authentication | `{}` |
//! | POST /token/reset | | `{"token"}` |
//! | POST /dms | `{user, accepts}` | `{}` |
//! | POST /stranger | | `{"user"}` |
//! | POST /slash | `{guild, by, command, options?}` | `{"interaction"}` |
//! | POST /autocomplete | `{guild, by, command, option, typed}` | `{"interaction"}` |
//! | POST /user-command | `{guild, by, command, user}` | `{"interaction"}` |
//! | POST /press | `{interaction, by, custom_id, unseen?}`; `unseen` presses what is not there (any more) for them | `{"interaction"}` |
//! | GET /reply/{interaction} | `wait_ms` (default 0) | `{"reply", "history", "followups", "deferred", "answered_after_ms"}`, 404 without a reply |
//! | GET /log, /effects | `after` (position, default 0) | the entries from there on |
//! | GET /rate | | `{"max_in_one_second", "invalid", "requests"}` |
//! | GET /guilds, /commands | | who and what is there |
//! | GET /bans/{guild}, /members/{guild}, /audit/{guild}, /messages/{channel} | | a list |
//! | POST /faults | a [`Fault`] as JSON, as `{"fault":"answer","at":{"guild":"1","times":1},"status":403,"code":50013}` | `{"fault"}` |
//! | DELETE /faults/{id} | | `{}` or 404 |
//! | POST /options | some of [`Changes`], as `{"non_member_bans":5,"time_factor":60}` | `{}` |
//! | POST /clock/advance | `{ms}` | `{"now_ms"}` |
//! | GET /violations | | what did not fit Discord's description since the last time |
//! | GET /addresses | | as the line that `serve` prints, without the ids |

mod acts;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::discord::Discord;
use crate::people::People;
#[cfg(doc)]
use crate::{fault::Fault, options::Changes};

const LARGEST: usize = 4 * 1024 * 1024;

/// What a request of the control address is answered.
type Answer = Result<Value, Problem>;

/// Why it was not done.
enum Problem {
    /// 400: the request is malformed.
    Malformed(String),
    /// 404: there is no such thing, or not yet.
    Missing,
    /// 409: Discord would refuse it.
    Refused(String),
}

/// Serves until the task is dropped.
pub(crate) async fn serve(discord: Arc<Discord>, listener: TcpListener) {
    let app = Router::new().fallback(handle).with_state(discord);
    if let Err(error) = axum::serve(listener, app).await {
        crate::complain::complain(format!("the control address failed: {error}"));
    }
}

async fn handle(State(discord): State<Arc<Discord>>, request: Request) -> Response {
    let (status, body) = match answer(&discord, request).await {
        Ok(body) => (200, body),
        Err(Problem::Malformed(why)) => (400, json!({"error": why})),
        Err(Problem::Missing) => (404, json!({"error": "there is nothing of the kind"})),
        Err(Problem::Refused(why)) => (409, json!({"error": why})),
    };
    let response = Response::builder().status(status).header("Content-Type", "application/json");
    response.body(Body::from(body.to_string())).unwrap_or_default()
}

async fn answer(discord: &Arc<Discord>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let bytes =
        axum::body::to_bytes(body, LARGEST).await.map_err(|error| Problem::Malformed(error.to_string()))?;
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let people = People::of(Arc::clone(discord));
    match parts.method.as_str() {
        "GET" => views::get(discord, &people, path, query).await,
        "POST" => acts::post(discord, &people, path, if bytes.is_empty() { b"{}" } else { &bytes }),
        "DELETE" => acts::delete(discord, path),
        _ => Err(Problem::Missing),
    }
}
