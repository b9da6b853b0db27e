//! The gateway client: serenity, on a single-threaded runtime of its own.
//!
//! Its handlers run unordered on several threads (FACTS D5: up to 244 inversions in 2,000 bans), so it has one
//! thread, and the handler does nothing but hand the event on. It never blocks, because heartbeats live there:
//! where the queue is full the event is dropped, and the gap is noted.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use serenity::all::{Context, Event, GatewayIntents, RawEventHandler};
use serenity::async_trait;
use serenity::gateway::GatewayError;
use serenity::http::HttpBuilder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};

/// How many events may wait: a storm of GUILD_CREATEs of 2,500 guilds fits.
pub const QUEUE: usize = 4_096;

/// An event as it came.
#[derive(Debug)]
pub struct Raw {
    /// Its name, like `GUILD_BAN_ADD`.
    pub kind: String,
    /// Its data.
    pub data: Value,
}

/// How to connect.
#[derive(Debug)]
pub struct Plan {
    /// The bot's token.
    pub token: SecretString,
    /// Like `https://discord.com`.
    pub api_base: String,
    /// What to ask for; an intent that is not granted ends the connection for good (4014).
    pub intents: u64,
    /// How many shards.
    pub shards: u32,
}

/// Why the gateway is not connected any more.
#[derive(Debug)]
pub enum Ended {
    /// It was told to end.
    Asked,
    /// Discord refused it for good: what to tell the operator.
    Refused(String),
    /// Anything else: worth another try.
    Broken(String),
}

/// Where the handler puts events.
pub struct Hand {
    /// Events, to be worked in order.
    pub events: mpsc::Sender<Raw>,
    /// Interactions: a person waits for them, three seconds at most, whatever the events wait for.
    pub interactions: mpsc::Sender<Raw>,
    /// Set where something was dropped.
    pub gap: Arc<AtomicBool>,
}

/// The intents for an application with these flags: bans and audit entries always, members where granted
/// (FACTS B4: GATEWAY_GUILD_MEMBERS is bit 14, its limited form bit 15).
pub fn intents(application_flags: u64) -> u64 {
    let members = application_flags & (1 << 14 | 1 << 15) != 0;
    let wanted = GatewayIntents::GUILDS | GatewayIntents::GUILD_MODERATION;
    (if members { wanted | GatewayIntents::GUILD_MEMBERS } else { wanted }).bits()
}

#[async_trait]
impl RawEventHandler for Hand {
    async fn raw_event(&self, _: Context, event: Event) {
        let Some(raw) = raw(event) else { return };
        let queue = if raw.kind == "INTERACTION_CREATE" { &self.interactions } else { &self.events };
        if queue.try_send(raw).is_err() {
            self.gap.store(true, Ordering::Release);
        }
    }
}

/// serenity's event back as name and data. What it could not parse it hands on as it came; of some that it could
/// it drops a field, which is put back.
fn raw(event: Event) -> Option<Raw> {
    let dropped = match &event {
        Event::GuildRoleCreate(made) => Some(("guild_id", json!(made.role.guild_id))),
        Event::GuildRoleUpdate(changed) => Some(("guild_id", json!(changed.role.guild_id))),
        Event::InteractionCreate(done) => Some(("type", json!(u8::from(done.interaction.kind())))),
        _ => None,
    };
    if let Event::Unknown(unknown) = event {
        return Some(Raw { kind: unknown.kind, data: serde_json::to_value(unknown.value).ok()? });
    }
    let mut encoded = serde_json::to_value(event).ok()?;
    let kind = encoded["t"].as_str()?.to_owned();
    let mut data = encoded["d"].take();
    if let Some((field, value)) = dropped {
        data[field] = value;
    }
    Some(Raw { kind, data })
}

/// Connects on a thread of its own until it ends or `stop` is told.
pub fn connect(plan: Plan, hand: Hand, stop: oneshot::Receiver<()>) -> oneshot::Receiver<Ended> {
    let (tell, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("gateway".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = match runtime {
            Ok(runtime) => {
                let outcome = runtime.block_on(run(plan, hand, stop));
                // serenity leaves tasks behind that wait for the network; the process is not to wait for them.
                runtime.shutdown_background();
                outcome
            }
            Err(error) => Ended::Broken(error.to_string()),
        };
        let _ = tell.send(outcome);
    });
    if let Err(error) = thread {
        tracing::error!("no thread for the gateway: {error}");
    }
    ended
}

async fn run(plan: Plan, hand: Hand, stop: oneshot::Receiver<()>) -> Ended {
    let http_client = match reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(std::time::Duration::from_secs(5))
        .timeout(std::time::Duration::from_secs(15))
        .build()
    {
        Ok(client) => client,
        Err(error) => return Ended::Broken(error.without_url().to_string()),
    };
    // The limiter must be off for `proxy` to be taken at all (FACTS C3), and our own budget is not asked here:
    // serenity makes one request, for the gateway's address.
    let http = HttpBuilder::new(plan.token.expose_secret())
        .client(http_client)
        .proxy(&plan.api_base)
        .ratelimiter_disabled(true)
        .build();
    let intents = GatewayIntents::from_bits_truncate(plan.intents);
    let mut client =
        match serenity::client::ClientBuilder::new_with_http(http, intents).raw_event_handler(hand).await {
            Ok(client) => client,
            Err(error) => return broken(&error),
        };
    // Where GET /gateway failed serenity falls back to Discord's own address in silence (FACTS D2), which must
    // not happen where the settings name another.
    let address = client.ws_url.lock().await.clone();
    if plan.api_base != "https://discord.com" && address.contains("gateway.discord.gg") {
        return Ended::Broken("the gateway's address could not be asked for".into());
    }
    let manager = Arc::clone(&client.shard_manager);
    tokio::select! {
        outcome = client.start_shards(plan.shards.max(1)) => match outcome {
            Ok(()) => Ended::Broken("the gateway closed".into()),
            Err(error) => broken(&error),
        },
        _ = stop => {
            // Five seconds is how long serenity waits for a close that is never answered.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), manager.shutdown_all()).await;
            Ended::Asked
        }
    }
}

fn broken(error: &serenity::Error) -> Ended {
    match error {
        serenity::Error::Gateway(GatewayError::InvalidAuthentication | GatewayError::NoAuthentication) => {
            Ended::Refused("Discord refused the bot token (4004): set BOT_TOKEN to the token of now".into())
        }
        serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents) => Ended::Refused(
            "Discord refused an intent (4014): grant Server Members in the developer portal, or take it away there"
                .into(),
        ),
        serenity::Error::Gateway(GatewayError::InvalidGatewayIntents) => {
            Ended::Refused("Discord knows no such intents (4013): this version is too old or too new".into())
        }
        // Neither the address nor the payload goes into a log: both may hold secrets.
        serenity::Error::Http(_) => Ended::Broken("the gateway's address could not be asked for".into()),
        serenity::Error::Gateway(error) => Ended::Broken(error.to_string()),
        serenity::Error::Tungstenite(_) => Ended::Broken("the gateway cannot be reached".into()),
        _ => Ended::Broken("the gateway ended".into()),
    }
}
