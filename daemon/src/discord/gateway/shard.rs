//! One shard, kept connected. serenity resumes by itself; where it would identify, its runner ends and another begins
//! here, with leave.

use super::pulse::{Beating, Life};
use super::{Ended, Hand, Leave, News, Plan, Pulse, Sight, broken};
use crate::backoff::backoff;
use secrecy::{ExposeSecret, SecretString};
use serenity::all::{GatewayIntents, Http, RawEventHandler, ShardId, ShardInfo};
use serenity::gateway::{
    Shard, ShardManager, ShardManagerOptions, ShardMessenger, ShardRunner, ShardRunnerOptions,
};
use serenity::prelude::TypeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, RwLock, mpsc, oneshot};

/// How far apart a shard's connections are at least: serenity resumes without any pause, and a gateway that closes
/// each time would keep it busy.
const BETWEEN_CONNECTIONS: Duration = Duration::from_millis(250);

/// How often a shard may be let go before its session begins, without a reason that serenity passes on.
const REFUSALS: u32 = 2;

/// What all shards of a connection share.
pub(super) struct Shared {
    token: SecretString,
    address: String,
    intents: GatewayIntents,
    shards: u32,
    pulses: Arc<[Pulse]>,
    news: mpsc::UnboundedSender<News>,
    hand: Arc<dyn RawEventHandler>,
    sight: Arc<Sight>,
    http: Arc<Http>,
}

impl Shared {
    pub(super) fn new(
        plan: &Plan,
        pulses: Arc<[Pulse]>,
        news: mpsc::UnboundedSender<News>,
        hand: Hand,
    ) -> Self {
        Self {
            token: plan.token.clone(),
            address: plan.address.clone(),
            intents: GatewayIntents::from_bits_truncate(plan.intents),
            shards: plan.shards.max(1),
            pulses,
            news,
            hand: Arc::new(hand),
            sight: Arc::clone(&plan.sight),
            // serenity's runner wants one; no request is made with it.
            http: Arc::new(Http::new(plan.token.expose_secret())),
        }
    }

    /// Asks for leave to identify; nothing where nobody answers any more.
    async fn leave(&self, number: u32) -> Option<Leave> {
        let (answer, leave) = oneshot::channel();
        self.news.send(News::Identify(number, answer)).ok()?;
        leave.await.ok()
    }
}

/// Keeps a shard connected until that is over.
pub(super) async fn keep(number: u32, shared: Arc<Shared>) -> Ended {
    let Some(pulse) = shared.pulses.get(number as usize) else {
        return Ended::Broken("a shard without a pulse".into());
    };
    let address = Arc::new(Mutex::new(shared.address.clone()));
    let sight = Arc::clone(&shared.sight);
    tokio::spawn(turnstile(Arc::clone(&address), move || sight.connects(number)));
    let manager = idle_manager(&shared).await;
    let (mut refusals, mut failures, mut has_leave) = (0, 0, false);
    loop {
        if !has_leave {
            match shared.leave(number).await {
                Some(Leave::Go) => has_leave = true,
                Some(Leave::Reshard(shards)) => {
                    return Ended::Broken(format!("Discord asks for {shards} shards now"));
                }
                None => return Ended::Asked,
            }
        }
        let info = ShardInfo { id: ShardId(number), total: shared.shards };
        let token = shared.token.expose_secret();
        let Ok(shard) = Shard::new(Arc::clone(&address), token, info, shared.intents, None).await else {
            // Leave that was not used is kept.
            failures += 1;
            let why = "the gateway cannot be reached; it is tried again".to_owned();
            let _ = shared.news.send(News::Down(number, why));
            tokio::time::sleep(backoff(failures)).await;
            continue;
        };
        (failures, has_leave) = (0, false);
        let mut runner = ShardRunner::new(ShardRunnerOptions {
            data: Arc::new(RwLock::new(TypeMap::new())),
            event_handlers: Vec::new(),
            raw_event_handlers: vec![Arc::clone(&shared.hand)],
            manager: Arc::clone(&manager),
            shard,
            http: Arc::clone(&shared.http),
        });
        pulse.begin(ShardMessenger::new(&runner));
        let outcome = tokio::select! {
            outcome = Beating { inner: Box::pin(runner.run()), pulse } => outcome,
            () = pulse.is_to_begin_anew() => Ok(()),
        };
        let life = pulse.end();
        shared.sight.connects(number);
        if let Err(error) = outcome {
            return broken(&error);
        }
        refusals = if life == (Life { ready: false, circled: true }) { refusals + 1 } else { 0 };
        if refusals >= REFUSALS {
            return Ended::Refused(format!(
                "Discord closes shard {number} of {} before its session begins (4010 or 4011): restart the daemon, \
                 which asks for the number of shards anew; if it stays so, this version is too old",
                shared.shards
            ));
        }
    }
}

/// serenity's runner tells a manager that it wants to begin anew, which would start another by itself. This one
/// waits for an address for ever.
async fn idle_manager(shared: &Shared) -> Arc<ShardManager> {
    let nowhere = Arc::new(Mutex::new(String::new()));
    let held = Arc::clone(&nowhere).lock_owned().await;
    tokio::spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    let (manager, _) = ShardManager::new(ShardManagerOptions {
        data: Arc::new(RwLock::new(TypeMap::new())),
        event_handlers: Vec::new(),
        raw_event_handlers: Vec::new(),
        shard_index: 0,
        shard_init: 0,
        shard_total: shared.shards,
        ws_url: nowhere,
        http: Arc::clone(&shared.http),
        intents: shared.intents,
        presence: None,
    });
    // A runner that ends waits five seconds for its manager to say that it has; it need not.
    manager.shutdown_finished(ShardId(0));
    manager
}

/// Whoever connects locks the address first. Held in turns, it lets one through at a time, and tells of each.
async fn turnstile(address: Arc<Mutex<String>>, connects: impl Fn()) {
    loop {
        let held = match address.try_lock() {
            Ok(held) => held,
            // Somebody has waited, and has it now.
            Err(_) => {
                connects();
                address.lock().await
            }
        };
        tokio::time::sleep(BETWEEN_CONNECTIONS).await;
        drop(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn connections_of_a_shard_are_apart() {
        let address = Arc::new(Mutex::new(String::new()));
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        tokio::spawn(turnstile(Arc::clone(&address), move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        for _ in 0..8 {
            drop(address.lock().await);
            tokio::task::yield_now().await;
        }
        assert_eq!(began.elapsed(), BETWEEN_CONNECTIONS * 8);
        assert_eq!(told.load(Ordering::Relaxed), 8, "each is told, and nothing else");
        tokio::time::sleep(BETWEEN_CONNECTIONS * 4).await;
        assert_eq!(told.load(Ordering::Relaxed), 8);
    }
}
