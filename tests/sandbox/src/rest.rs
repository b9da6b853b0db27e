//! The REST address: from bytes to an answer, in the order the real one checks: edge, faults, door, limits, form,
//! handler.

mod applications;
mod audit_logs;
mod bans;
mod call;
mod channels;
mod guilds;
mod interactions;
mod later;
pub mod limits;
mod members;
mod messages;
mod reply;
mod request;
mod roles;
mod routes;
mod users;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderValue;
use axum::http::header::DATE;
use axum::response::Response;
use tokio::net::TcpListener;

use crate::Refusal;
use crate::attachment;
use crate::connection::{Door, Line};
use crate::discord::Discord;
use crate::fault::{Fault, Plan};
use crate::snowflake;
use crate::world::World;

use call::Call;
use later::Due;
pub(crate) use later::Late;
use limits::{Limits, Verdict, Wanted};
pub(crate) use reply::Reply;
use request::Incoming;
use routes::Door as Entry;
pub(crate) use routes::{fit, is_bucket};

/// Serves until the task is dropped.
pub(crate) async fn serve(discord: Arc<Discord>, listener: TcpListener) {
    let app = Router::new().fallback(handle).with_state(discord);
    let service = app.into_make_service_with_connect_info::<Line>();
    if let Err(error) = axum::serve(Door(listener), service).await {
        crate::complain::complain(format!("the REST address failed: {error}"));
    }
}

async fn handle(
    State(discord): State<Arc<Discord>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let shown = Arc::clone(&discord);
    let mut response = handle_undated(discord, line, request).await;
    // By the sandbox's own clock, which need not be the machine's.
    if let Ok(date) = HeaderValue::try_from(snowflake::http_date(shown.clock.unix_ms())) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

async fn handle_undated(discord: Arc<Discord>, line: Line, request: Request) -> Response {
    if discord.is_stopped() {
        line.cut();
        return Response::default();
    }
    if request.uri().path().starts_with(attachment::PREFIX) {
        let query = request.uri().query().unwrap_or_default();
        let (response, wrong) =
            discord.read(|world| world.file(request.uri().path(), query, request.headers()));
        discord.note_violations(wrong);
        return response;
    }
    let incoming = match Incoming::receive(&discord.clock, request).await {
        Ok(incoming) => incoming,
        Err(refusal) => return Reply::refused(refusal).into_response(),
    };
    if let Some(description) = &discord.conformance {
        let shown = incoming.path_without_tokens();
        discord.note_violations(description.check_request(&incoming.described(&shown)));
    }
    let (sequence, plan) = discord.change(|world| {
        let sequence = world.log.open(incoming.recorded());
        let asked = incoming.asked(world);
        (sequence, world.faults.plan(&asked))
    });
    if let Some(fault) = plan.hang {
        discord.while_true(|world| world.faults.is_active(fault)).await;
    }
    let cut = plan.cut_after || matches!(plan.instead, Some(Fault::CutBefore { .. }));
    let gateway_url = discord.addresses.gateway.as_str();
    let (reply, latency) = discord.change(|world| {
        let reply = answer(world, &incoming, sequence, &plan, gateway_url);
        let now = world.clock.now();
        if matches!(reply.status, 401 | 403 | 429) && reply.limited != Some("shared") {
            world.limits.count_invalid(now, &world.options);
        }
        world.log.close(sequence, if cut || plan.reset { 0 } else { reply.status }, &reply);
        (reply, world.options.latency + plan.latency)
    });
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    if cut {
        line.cut();
    } else if plan.reset {
        line.reset(reply.part(|body| body / 2));
    } else if let Some(fault) = plan.hold {
        line.hold(reply.part(|_| 0));
        tokio::spawn(async move {
            discord.while_true(|world| world.faults.is_active(fault)).await;
            line.release();
        });
    }
    reply.into_response()
}

/// Decides what a request is answered, and carries it out.
fn answer(world: &mut World, incoming: &Incoming, sequence: usize, plan: &Plan, gateway_url: &str) -> Reply {
    let now = world.clock.now();
    if let Some(retry_after) = world.limits.edge_ban_left(now) {
        return Reply::banned(retry_after);
    }
    if let Some(refusal) = &incoming.edge {
        return Reply::refused(refusal.clone());
    }
    match &plan.instead {
        Some(Fault::Answer { status, code, message, .. }) => {
            return Reply::refused(Refusal::new(*status, *code, message));
        }
        Some(Fault::Page { status, body, .. }) => return Reply::page(*status, body.clone()),
        Some(Fault::RateLimit { scope, retry_after, headers, .. }) => {
            let bucket = incoming.found.as_ref().map(|(endpoint, _)| endpoint.bucket);
            let standing = bucket.and_then(|bucket| Limits::pretend(bucket, *scope, *retry_after));
            return Reply::limited(*scope, *retry_after, standing, world).with_headers(headers.as_ref());
        }
        Some(Fault::Redirect { status, location, .. }) => return Reply::redirect(*status, location),
        Some(_) => return Reply::page(502, String::new()),
        None => {}
    }
    let Some((endpoint, parameters)) = &incoming.found else {
        return Reply::refused(incoming.lost());
    };
    if endpoint.door == Entry::Bot
        && incoming.authorization.as_deref() != Some(&format!("Bot {}", world.token))
    {
        return Reply::refused(Refusal::unauthorized());
    }
    let major = incoming.major();
    let bans = world.guilds.get(&major).map_or(0, |guild| guild.bans.len());
    let big_list = endpoint.is_ban_list() && world.options.big_ban_list.is_some_and(|big| bans >= big);
    let wanted =
        Wanted { counted: endpoint.door != Entry::PathToken, bucket: Some(endpoint.bucket), major, big_list };
    let standing = match world.limits.judge(now, &world.options, &wanted) {
        Verdict::Pass(standing) => standing,
        Verdict::Limited { scope, retry_after, standing } => {
            return Reply::limited(scope, retry_after, standing, world);
        }
    };
    if let Some(refusal) = &incoming.form {
        return Reply::refused(refusal.clone()).standing(standing, world);
    }
    if !incoming.files.is_empty() && endpoint.door != Entry::PathToken {
        let refusal = Refusal::new(400, 50035, "the sandbox takes files in answers to interactions only");
        return Reply::refused(refusal).standing(standing, world);
    }
    if let Some((fault, by)) = plan.late.filter(|_| endpoint.can_be_late()) {
        let due = by.map_or(Due::Cleared(fault), |by| Due::At(now + by));
        let reply = match later::promise(world, incoming, (endpoint, parameters), sequence, due) {
            Ok(answer) => Reply::promised(answer.status, answer.body),
            Err(refusal) => Reply::refused(refusal),
        };
        return reply.standing(standing, world);
    }
    let parameters: Vec<(&'static str, &str)> = parameters.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let mut call = Call {
        world: &mut *world,
        parameters: &parameters,
        query: &incoming.query,
        body: &incoming.json,
        files: &incoming.files,
        reason: incoming.reason.as_deref(),
        gateway_url,
    };
    let reply = match (endpoint.handle)(&mut call) {
        Ok(answer) => Reply::done(answer.status, answer.body),
        Err(refusal) => Reply::refused(refusal),
    };
    reply.standing(standing, world)
}
