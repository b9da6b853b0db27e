//! The connection to Discord: made, kept, made again, and given up only where an operator has to do something.

use crate::daemon::{Daemon, Flag};
use crate::discord::event::{self, GatewayEvent, GuildView};
use crate::discord::gateway::{self, Ended, Plan, Raw};
use crate::discord::registration::register;
use crate::discord::rest::RestError;
use crate::store::Severity;
use crate::sync::backoff;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::status::{Connection, ConnectionState};
use wayhaven_shared::value::GuildId;

/// How long after READY the guilds may take to arrive before the connection counts as ready without them.
const GUILDS_COME_WITHIN: Duration = Duration::from_secs(5);

/// How long after its last event the gateway's thread may take to say why it ended.
const GATEWAY_ENDS_WITHIN: Duration = Duration::from_secs(5);

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
                "Discord refused the bot token (401): set BOT_TOKEN to the bot's token of now and restart"
                    .into(),
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
            () = stopping.raised() => break,
        }
    }
    tell(&daemon, ConnectionState::Stopped, Some("the daemon is stopping".into())).await;
}

/// Connects once and stays until it ends.
async fn connect(daemon: &Arc<Daemon>, stopping: &mut Flag, attempts: &mut u32) -> Failure {
    let prepared = tokio::select! {
        prepared = prepare(daemon) => prepared,
        () = stopping.raised() => return Failure::Asked,
    };
    let plan = match prepared {
        Ok(plan) => plan,
        Err(failure) => return failure,
    };
    let (events, inbox) = mpsc::channel(gateway::QUEUE);
    let gap = Arc::new(AtomicBool::new(false));
    let (stop, stopped) = oneshot::channel();
    let (urgent, interactions) = mpsc::channel(gateway::QUEUE);
    let hand = gateway::Hand { events, interactions: urgent, gap: Arc::clone(&gap) };
    let mut ended = gateway::connect(plan, hand, stopped);
    // Told to end by dropping it: the thread ends by itself, and nobody has to wait for it.
    let _stop = stop;
    tokio::select! {
        // Events before the end: what came before the connection broke is still worked.
        biased;
        // The thread is about to say why.
        _ = async { tokio::join!(follow(daemon, inbox, &gap, attempts), answer(daemon, interactions)) } => {}
        outcome = &mut ended => return failure(outcome.ok()),
        // Any request may be the one that learns that the token is refused; the gateway need not.
        () = daemon.rest().budget().stopped() => return RestError::Unauthorised.into(),
        () = stopping.raised() => return Failure::Asked,
    }
    failure(tokio::time::timeout(GATEWAY_ENDS_WITHIN, ended).await.ok().and_then(Result::ok))
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
async fn prepare(daemon: &Arc<Daemon>) -> Result<Plan, Failure> {
    let rest = daemon.rest();
    let me = rest.current_user().await?;
    daemon.directory().set_me(me.id);
    let (application, flags) = rest.application().await?;
    let settings = &daemon.settings().discord;
    if let Some(expected) = settings.application_id
        && expected.to_string() != application
    {
        return Err(Failure::Final(format!(
            "APPLICATION_ID is {expected}, and the token belongs to {application}: correct one of them"
        )));
    }
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

/// The guilds that a session has named and not told of yet. Until it has, nobody can say which guild is there.
#[derive(Default)]
struct Arrivals {
    missing: HashSet<GuildId>,
    patience: Option<Instant>,
}

impl Arrivals {
    fn note(&mut self, event: &GatewayEvent) {
        match event {
            GatewayEvent::Ready { guilds, .. } => {
                self.missing.extend(guilds);
                self.patience = Some(Instant::now() + GUILDS_COME_WITHIN);
            }
            GatewayEvent::GuildHere(GuildView { id: guild, .. }) | GatewayEvent::GuildGone { guild, .. } => {
                self.missing.remove(guild);
            }
            _ => {}
        }
    }

    /// Whether a session has begun and all its guilds are here, or late enough.
    fn complete(&mut self) -> bool {
        let late = self.patience.is_some_and(|patience| patience <= Instant::now());
        let complete = self.patience.is_some() && (self.missing.is_empty() || late);
        if complete {
            *self = Self::default();
        }
        complete
    }
}

/// Works the events of one connection, in order, until it closes.
async fn follow(daemon: &Arc<Daemon>, mut inbox: mpsc::Receiver<Raw>, gap: &AtomicBool, attempts: &mut u32) {
    let mut arrivals = Arrivals::default();
    loop {
        let patience = arrivals.patience;
        let raw = tokio::select! {
            raw = inbox.recv() => match raw {
                Some(raw) => Some(raw),
                None => return,
            },
            () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => None,
        };
        if let Some(raw) = raw {
            work(daemon, raw, gap, &mut arrivals).await;
        }
        if arrivals.complete() {
            *attempts = 0;
            tracing::info!(guilds = daemon.directory().count(), "discord: ready");
            tell(daemon, ConnectionState::Ready, None).await;
        }
    }
}

/// Hands interactions on as they come, however long the events take.
async fn answer(daemon: &Arc<Daemon>, mut inbox: mpsc::Receiver<Raw>) {
    while let Some(raw) = inbox.recv().await {
        drop(tokio::spawn(super::surface::handle(Arc::clone(daemon), raw.data)));
    }
}

async fn work(daemon: &Arc<Daemon>, raw: Raw, gap: &AtomicBool, arrivals: &mut Arrivals) {
    if gap.swap(false, Ordering::AcqRel) {
        tracing::error!("the queue of events overflowed: some are lost");
        alert(daemon, "event_gap", "the queue of gateway events overflowed").await;
    }
    match event::read(&raw.kind, &raw.data) {
        Ok(Some(event)) => {
            arrivals.note(&event);
            daemon.ingest().take(event).await;
        }
        Ok(None) => {}
        Err(error) => {
            tracing::error!("an event is not understood: {error}");
            alert(daemon, "event_not_understood", &error.to_string()).await;
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

#[cfg(test)]
mod tests;
