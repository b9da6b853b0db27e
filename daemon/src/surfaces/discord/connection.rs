//! The connection to Discord: made, kept, made again, and given up only where an operator has to do something.
//! `session` works what it brings, `arrivals` says when all of it is there.

mod arrivals;
mod interactions;
mod session;

use crate::backoff::backoff;
use crate::discord::gateway::{self, Ended, Plan};
use crate::discord::rest::RestError;
use crate::lifecycle::Flag;
use crate::services::Services;
use crate::surfaces::discord::SlashCommands;
use crate::surfaces::discord::identify::Identifies;
use crate::surfaces::discord::registration::register;
use arrivals::Arrivals;
use futures::FutureExt;
use interactions::{Interactions, Running};
use session::Session;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::status::{Connection, ConnectionState};

/// How long after its last event the gateway's thread may take to say why it ended.
const GATEWAY_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How long the gateway's thread may take to answer what arrives while the daemon stops.
const LAST_ACKNOWLEDGEMENTS: Duration = Duration::from_secs(2);

/// How long the commands that are being worked on may take while the daemon stops.
const LAST_INTERACTIONS: Duration = Duration::from_secs(2);

/// Why a try to connect ended.
enum Failure {
    /// Worth another try.
    Passing(String),
    /// An operator has to do something first.
    Final(String),
    /// The daemon is stopping.
    Asked,
}

impl From<RestError> for Failure {
    fn from(error: RestError) -> Self {
        match error {
            RestError::Unauthorised | RestError::Stopped => Self::Final(
                "Discord refused the bot token (401): give the bot's token of now to wayhavend token set, or to BOT_TOKEN \
                 where it comes from there, and restart"
                    .into(),
            ),
            RestError::Unreachable(_) | RestError::Lost(_) | RestError::Stumbled(_) => {
                Self::Passing(format!("{error}; it is tried again"))
            }
            error => Self::Passing(error.reason()),
        }
    }
}

/// Keeps the daemon connected until it stops. A defect on the way costs the connection it happened in, and another is
/// made.
pub async fn keep(slash: SlashCommands) {
    let systems = &slash.systems;
    let mut stopping = systems.services.lifecycle().stopping();
    let mut attempts = 0;
    let running = Running::default();
    loop {
        let connecting =
            AssertUnwindSafe(connect(&slash, &mut stopping, &mut attempts, &running)).catch_unwind().await;
        // The panic hook has logged where and why.
        let ended = connecting
            .unwrap_or_else(|_| Failure::Passing("a defect of Wayhaven, which the log tells of".into()));
        match ended {
            Failure::Asked => break,
            Failure::Final(reason) => {
                tracing::error!("discord: {reason}");
                systems.services.rest().budget().stop();
                tell(&systems.services, ConnectionState::Stopped, Some(reason)).await;
                return;
            }
            Failure::Passing(reason) => {
                tracing::warn!("discord: {reason}");
                tell(&systems.services, ConnectionState::Connecting, Some(reason)).await;
            }
        }
        attempts += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff(attempts)) => {}
            () = stopping.raised() => break,
        }
    }
    running.finish(LAST_INTERACTIONS).await;
    tell(&systems.services, ConnectionState::Stopped, Some("the daemon is stopping".into())).await;
}

/// Connects once and stays until it ends.
async fn connect(
    slash: &SlashCommands,
    stopping: &mut Flag,
    attempts: &mut u32,
    running: &Running,
) -> Failure {
    let systems = &slash.systems;
    let prepared = tokio::select! {
        prepared = prepare(&systems.services) => prepared,
        () = stopping.raised() => return Failure::Asked,
    };
    let (plan, identifies) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return failure,
    };
    let (events, inbox) = mpsc::channel(gateway::QUEUE);
    let (acknowledged, inbox_of_interactions) = mpsc::channel(gateway::QUEUE);
    let answers = match systems.services.rest().first_answers() {
        Ok(answers) => answers,
        Err(fault) => return Failure::Passing(fault.message),
    };
    let mut interactions = Interactions::new(slash, inbox_of_interactions, running);
    let (tell_news, news) = mpsc::unbounded_channel();
    let lost = Arc::new(gateway::Lost::default());
    let (shards, own_news) = (plan.shards, tell_news.clone());
    let mut line = gateway::connect(plan, tell_news, |pulses| gateway::Hand {
        events,
        interactions: gateway::Acknowledger::new(answers, acknowledged),
        lost: Arc::clone(&lost),
        accounts: Arc::clone(systems.services.directory().accounts()),
        pulses,
        sight: Arc::clone(systems.services.directory().sight()),
    });
    let session = Session {
        systems: Arc::clone(systems),
        shards,
        arrivals: Mutex::new(Arrivals::new(shards)),
        lost,
        pulses: Arc::clone(&line.pulses),
        identifies,
        news: own_news,
    };
    let session = Arc::new(session);
    let early = tokio::select! {
        // Events before the end: what came before the connection broke is still worked.
        biased;
        // The thread is about to say why.
        _ = async { tokio::join!(session.follow(inbox, attempts), interactions.hand_on()) } => None,
        outcome = &mut line.ended => Some(failure(outcome.ok())),
        // Any request may be the one that learns that the token is refused; the gateway need not.
        () = systems.services.rest().budget().stopped() => Some(RestError::Unauthorised.into()),
        () = stopping.raised() => Some(Failure::Asked),
        () = async { tokio::join!(Arc::clone(&session).hear(news), gateway::watch(Arc::clone(&session.pulses))); } => None,
    };
    // What was acknowledged is answered, however the connection ends.
    drop(interactions);
    if let Some(failure) = early {
        if matches!(failure, Failure::Asked) {
            line.end(LAST_ACKNOWLEDGEMENTS).await;
        }
        return failure;
    }
    failure(tokio::time::timeout(GATEWAY_ENDS_WITHIN, &mut line.ended).await.ok().and_then(Result::ok))
}

/// What the gateway's end means; nothing where its thread said none.
fn failure(ended: Option<Ended>) -> Failure {
    match ended {
        Some(Ended::Asked) => Failure::Asked,
        Some(Ended::Refused(reason)) => Failure::Final(reason),
        Some(Ended::Broken(reason)) => Failure::Passing(reason),
        None => Failure::Passing("the gateway's thread ended".into()),
    }
}

/// What has to be known before the gateway is asked: the token is good, the commands are registered.
async fn prepare(services: &Services) -> Result<(Plan, Identifies), Failure> {
    let rest = services.rest();
    let me = rest.current_user().await?;
    services.directory().set_me(me.id);
    let (application, flags) = rest.application().await?;
    let settings = &services.settings().discord;
    if let Some(expected) = settings.application_id
        && expected.to_string() != application
    {
        return Err(Failure::Final(format!(
            "APPLICATION_ID is {expected}, and the token belongs to {application}: correct one of them"
        )));
    }
    if let Err(error) = register(rest, services.store(), &application, settings.operations_guild).await {
        match Failure::from(error) {
            Failure::Passing(reason) => tracing::warn!("slash commands are not registered: {reason}"),
            failure => return Err(failure),
        }
    }
    services.gateway().note_application(application);
    let told = rest.gateway().await?;
    let shards = told.shards.max(1);
    let token = settings.token.clone().ok_or_else(|| Failure::Final("there is no bot token".into()))?;
    let identifies = Identifies::new(shards, &told);
    let sight = Arc::clone(services.directory().sight());
    Ok((Plan { token, address: told.url, intents: gateway::intents(flags), shards, sight }, identifies))
}

/// Publishes where the connection stands.
async fn tell(services: &Services, state: ConnectionState, reason: Option<String>) {
    let connection = Connection { state, reason };
    if !services.gateway().note(connection.clone()) {
        return;
    }
    let work = move |change: &crate::store::Change<'_>| Ok(change.tell(&Changed::Discord { connection })?);
    services.store().write_later("the state of the connection", work).await;
}

#[cfg(test)]
mod tests;
