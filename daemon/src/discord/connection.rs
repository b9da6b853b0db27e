//! The connection to Discord: made, kept, made again, and given up only where an operator has to do something.

use crate::daemon::Daemon;
use crate::discord::event;
use crate::discord::gateway::{self, Ended, Plan, Raw};
use crate::discord::registration::register;
use crate::discord::rest::RestError;
use crate::store::Severity;
use crate::sync::backoff;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot, watch};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::status::{Connection, ConnectionState};

/// Event kinds that must be understood: one that is not is alerted.
const USED: [&str; 12] = [
    "READY", "RESUMED", "GUILD_CREATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE",
    "GUILD_ROLE_DELETE", "GUILD_MEMBER_UPDATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE",
    "GUILD_AUDIT_LOG_ENTRY_CREATE", "INTERACTION_CREATE",
];

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
                "Discord refused the bot token (401): set BOT_TOKEN to the bot's token of now and restart".into(),
            ),
            RestError::Unreachable(_) | RestError::Lost(_) | RestError::Stumbled(_) => {
                Self::Passing(format!("{error}; it is tried again"))
            }
            error => Self::Passing(error.reason()),
        }
    }
}

/// Keeps the daemon connected until it stops.
pub async fn keep(daemon: Arc<Daemon>) {
    let mut stopping = daemon.stopping();
    let mut attempts = 0;
    loop {
        match connect(&daemon, &mut stopping, &mut attempts).await {
            Failure::Asked => break,
            Failure::Final(reason) => {
                tracing::error!("discord: {reason}");
                daemon.rest().budget().stop();
                tell(&daemon, ConnectionState::Stopped, Some(reason)).await;
                return;
            }
            Failure::Passing(reason) => {
                tracing::warn!("discord: {reason}");
                tell(&daemon, ConnectionState::Connecting, Some(reason)).await;
            }
        }
        attempts += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff(attempts)) => {}
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    tell(&daemon, ConnectionState::Stopped, Some("the daemon is stopping".into())).await;
}

/// Connects once and stays until it ends.
async fn connect(daemon: &Arc<Daemon>, stopping: &mut watch::Receiver<bool>, attempts: &mut u32) -> Failure {
    let prepared = tokio::select! {
        prepared = prepare(daemon) => prepared,
        _ = stopping.wait_for(|stopping| *stopping) => return Failure::Asked,
    };
    let plan = match prepared {
        Ok(plan) => plan,
        Err(failure) => return failure,
    };
    let (events, inbox) = mpsc::channel(gateway::QUEUE);
    let gap = Arc::new(AtomicBool::new(false));
    let (stop, stopped) = oneshot::channel();
    let mut ended = gateway::connect(plan, events, Arc::clone(&gap), stopped);
    let follow = follow(daemon, inbox, &gap, attempts);
    tokio::pin!(follow);
    loop {
        tokio::select! {
            // Events before the end: what came before the connection broke is still worked.
            biased;
            () = &mut follow => return Failure::Passing("the gateway closed".into()),
            ended = &mut ended => return match ended {
                Ok(Ended::Asked) => Failure::Asked,
                Ok(Ended::Refused(reason)) => Failure::Final(reason),
                Ok(Ended::Broken(reason)) => Failure::Passing(reason),
                Err(_) => Failure::Passing("the gateway's thread ended".into()),
            },
            _ = stopping.wait_for(|stopping| *stopping) => {
                // Told by dropping: the thread ends by itself, and nobody has to wait for it.
                drop(stop);
                return Failure::Asked;
            }
        }
    }
}

/// What has to be known before the gateway is asked: the token is good, the commands are registered.
async fn prepare(daemon: &Arc<Daemon>) -> Result<Plan, Failure> {
    let rest = daemon.rest();
    let me = rest.current_user().await?;
    daemon.directory().set_me(me.id);
    let (application, flags) = rest.application().await?;
    if let Some(expected) = daemon.settings().discord.application_id
        && expected.to_string() != application
    {
        return Err(Failure::Final(format!(
            "APPLICATION_ID is {expected}, and the token belongs to {application}: correct one of them"
        )));
    }
    let settings = &daemon.settings().discord;
    if let Err(error) = register(rest, daemon.store(), &application, settings.operations_guild).await {
        match Failure::from(error) {
            Failure::Passing(reason) => tracing::warn!("slash commands are not registered: {reason}"),
            failure => return Err(failure),
        }
    }
    daemon.set_application(application);
    let shards = rest.gateway().await?.shards;
    let token = settings.token.clone().ok_or_else(|| Failure::Final("there is no bot token".into()))?;
    Ok(Plan { token, api_base: settings.api_base.clone(), intents: gateway::intents(flags), shards })
}

/// Works the events of one connection, in order, until it closes.
async fn follow(daemon: &Arc<Daemon>, mut inbox: mpsc::Receiver<Raw>, gap: &AtomicBool, attempts: &mut u32) {
    while let Some(raw) = inbox.recv().await {
        if gap.swap(false, Ordering::AcqRel) {
            tracing::error!("the queue of events overflowed: some are lost");
            alert(daemon, "event_gap", "the queue of gateway events overflowed").await;
        }
        if raw.kind == "INTERACTION_CREATE" {
            // Not in the queue's order: a person waits three seconds at most.
            drop(tokio::spawn(super::surface::handle(Arc::clone(daemon), raw.data)));
            continue;
        }
        match event::read(&raw.kind, &raw.data) {
            Ok(Some(event)) => {
                if matches!(event, event::GatewayEvent::Ready { .. }) {
                    *attempts = 0;
                    tracing::info!("discord: ready");
                    tell(daemon, ConnectionState::Ready, None).await;
                }
                daemon.ingest().take(event).await;
            }
            Ok(None) => {}
            Err(error) if USED.contains(&raw.kind.as_str()) => {
                tracing::error!("an event is not understood: {error}");
                alert(daemon, "event_not_understood", &error.to_string()).await;
            }
            Err(_) => {}
        }
    }
}

async fn alert(daemon: &Arc<Daemon>, kind: &'static str, details: &str) {
    let details = details.to_owned();
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert(kind, Severity::High, None, None, &details)?)
    };
    daemon.store().write_later("an alert", work).await;
}

/// Publishes where the connection stands.
async fn tell(daemon: &Arc<Daemon>, state: ConnectionState, reason: Option<String>) {
    let connection = Connection { state, reason };
    if !daemon.set_connection(connection.clone()) {
        return;
    }
    let work = move |change: &crate::store::Change<'_>| Ok(change.tell(&Changed::Discord { connection })?);
    daemon.store().write_later("the state of the connection", work).await;
}
