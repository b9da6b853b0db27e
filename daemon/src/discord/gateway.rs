//! The gateway client: serenity's shards, on a single-threaded runtime of their own.
//!
//! Its handlers run unordered on several threads (FACTS D5: up to 244 inversions in 2,000 bans), so it has one
//! thread, and the handler (`hand`) does nothing but hand the event on. It never blocks, because heartbeats live there:
//! where the queue is full the event is dropped, and the gap is noted.
//!
//! Of serenity only the shard and its runner are used, and not the client that starts shards anew by itself: that one
//! counts no identifies (FACTS D2). Each shard has a keeper of ours (`shard`), which asks for leave before each
//! identify, and a pulse that shows when serenity turns in circles (`pulse`).

mod acknowledge;
mod hand;
mod pulse;
mod shard;
mod sight;

pub use acknowledge::{Acknowledger, Arrived};
pub use hand::{Hand, Lost, Seen, What};
pub use pulse::{Pulse, watch};
pub use sight::Sight;

use secrecy::SecretString;
use serenity::all::GatewayIntents;
use serenity::gateway::GatewayError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How many events may wait: a storm of GUILD_CREATEs of 2,500 guilds fits.
pub const QUEUE: usize = 4_096;

/// How long a polite end may take: serenity looks for what it is told twice a second.
const GOODBYE: Duration = Duration::from_millis(700);

/// The niceness of the gateway's thread; others have 0, and lower ones run first.
#[cfg(target_os = "linux")]
const GATEWAY_NICE: i32 = -5;

/// How to connect.
#[derive(Debug)]
pub struct Plan {
    /// The bot's token.
    pub token: SecretString,
    /// The gateway's address, like `wss://gateway.discord.gg`.
    pub address: String,
    /// What to ask for; an intent that is not granted ends the connection for good (4014).
    pub intents: u64,
    /// How many shards.
    pub shards: u32,
    /// What tells which of them are connected.
    pub sight: Arc<Sight>,
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

/// What a shard tells of itself.
#[derive(Debug)]
pub enum News {
    /// It wants to identify, and waits for leave.
    Identify(u32, oneshot::Sender<Leave>),
    /// It has no session, and gets none before something passes: what.
    Down(u32, String),
}

/// What a shard that wants to identify is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may, once.
    Go,
    /// There are to be so many shards now.
    Reshard(u32),
}

/// A gateway that connects, or is connected. Dropping it ends it.
pub struct Line {
    /// Why it ended.
    pub ended: oneshot::Receiver<Ended>,
    /// A pulse for each shard.
    pub pulses: Arc<[Pulse]>,
    stop: oneshot::Sender<()>,
}

impl Line {
    /// Ends it and waits until the last acknowledgements have left, so long at most.
    pub async fn end(self, within: Duration) {
        drop(self.stop);
        let _ = tokio::time::timeout(within, self.ended).await;
    }
}

/// The intent that tells who joins and leaves and who has which role (FACTS B4).
pub const GUILD_MEMBERS: u64 = GatewayIntents::GUILD_MEMBERS.bits();

/// The intents for an application with these flags: bans and audit entries always, members where granted
/// (FACTS B4: GATEWAY_GUILD_MEMBERS is bit 14, its limited form bit 15).
pub fn intents(application_flags: u64) -> u64 {
    let members = application_flags & (1 << 14 | 1 << 15) != 0;
    let wanted = GatewayIntents::GUILDS | GatewayIntents::GUILD_MODERATION;
    (if members { wanted | GatewayIntents::GUILD_MEMBERS } else { wanted }).bits()
}

/// Connects on a thread of its own, until it ends or the line is dropped. `hand` makes the handler from the pulses.
pub fn connect(
    plan: Plan,
    news: mpsc::UnboundedSender<News>,
    hand: impl FnOnce(Arc<[Pulse]>) -> Hand,
) -> Line {
    let pulses: Arc<[Pulse]> = (0..plan.shards.max(1)).map(|_| Pulse::default()).collect();
    plan.sight.begin(plan.shards.max(1));
    let hand = hand(Arc::clone(&pulses));
    let (tell, ended) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let own = Arc::clone(&pulses);
    let thread = std::thread::Builder::new().name("gateway".into()).spawn(move || {
        prefer_this_thread();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = match runtime {
            Ok(runtime) => {
                let outcome = runtime.block_on(run(&plan, &own, news, hand, stopped));
                plan.sight.end();
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
    Line { ended, pulses, stop }
}

async fn run(
    plan: &Plan,
    pulses: &Arc<[Pulse]>,
    news: mpsc::UnboundedSender<News>,
    hand: Hand,
    stop: oneshot::Receiver<()>,
) -> Ended {
    let acknowledger = hand.interactions.clone();
    // Before interactions come. A Discord that does not answer keeps nothing from connecting.
    acknowledger.warm().await;
    tokio::spawn(acknowledger.clone().keep_warm());
    let shared = Arc::new(shard::Shared::new(plan, Arc::clone(pulses), news, hand));
    let mut shards = JoinSet::new();
    for number in 0..plan.shards.max(1) {
        shards.spawn(shard::keep(number, Arc::clone(&shared)));
    }
    let ended = tokio::select! {
        ended = shards.join_next() => match ended {
            Some(Ok(ended)) => ended,
            _ => Ended::Broken("the gateway's client failed".into()),
        },
        _ = stop => {
            pulses.iter().for_each(Pulse::say_goodbye);
            let all = async { while shards.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(GOODBYE, all).await;
            Ended::Asked
        }
    };
    acknowledger.finish().await;
    ended
}

/// Has the machine prefer this thread to the daemon's others, where it may: it works little, and people wait for it.
fn prefer_this_thread() {
    // On Linux a priority is a thread's. Raising it takes CAP_SYS_NICE or a limit (LimitNICE=), and is not needed.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, GATEWAY_NICE) {
        tracing::debug!("the gateway's thread keeps its priority: {error}");
    }
}

fn broken(error: &serenity::Error) -> Ended {
    match error {
        serenity::Error::Gateway(GatewayError::InvalidAuthentication | GatewayError::NoAuthentication) => {
            Ended::Refused(
                "Discord refused the bot token (4004): give the bot's token of now to wayhavend token set, or to BOT_TOKEN \
                 where it comes from there, and restart"
                    .into(),
            )
        }
        serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents) => Ended::Refused(
            "Discord refused an intent (4014): grant Server Members in the developer portal, or take it away there"
                .into(),
        ),
        serenity::Error::Gateway(GatewayError::InvalidGatewayIntents) => {
            Ended::Refused("Discord knows no such intents (4013): this version is too old or too new".into())
        }
        // Neither the address nor the payload goes into a log: both may hold secrets.
        serenity::Error::Gateway(error) => Ended::Broken(error.to_string()),
        _ => Ended::Broken("the gateway ended".into()),
    }
}
