//! Whether a shard lives. After a close frame without a code, or with 4003, 4010 or 4011, serenity's runner reads an
//! ended connection over and over until its next heartbeat fails, and lets nothing else run on its thread meanwhile
//! (FACTS D2). From outside that shows as one poll without an end, and something to send ends it: sending fails.

use serenity::all::OnlineStatus;
use serenity::gateway::{ShardMessenger, ShardRunnerMessage};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;

/// How often pulses are looked at; a poll that lasts from one look to the next is one too long.
const LOOK: Duration = Duration::from_millis(500);

/// Closes a session for good.
const NORMAL_CLOSE: u16 = 1_000;

/// What is seen of a shard's runner from outside.
#[derive(Default)]
pub struct Pulse {
    /// Counts up when a poll begins and when it ends, so that it is odd during one.
    beats: AtomicU64,
    looked_at: AtomicU64,
    ready: AtomicBool,
    circled: AtomicBool,
    messenger: Mutex<Option<ShardMessenger>>,
    anew: Notify,
}

/// How a runner's life was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// Whether its session began.
    pub(super) ready: bool,
    /// Whether it had to be ended because it turned in circles.
    pub(super) circled: bool,
}

impl Pulse {
    /// A runner begins.
    pub(super) fn begin(&self, messenger: ShardMessenger) {
        self.ready.store(false, Ordering::Relaxed);
        self.circled.store(false, Ordering::Relaxed);
        *self.messenger.lock().unwrap_or_else(PoisonError::into_inner) = Some(messenger);
    }

    /// A runner has ended.
    pub(super) fn end(&self) -> Life {
        self.messenger.lock().unwrap_or_else(PoisonError::into_inner).take();
        Life { ready: self.ready.load(Ordering::Relaxed), circled: self.circled.load(Ordering::Relaxed) }
    }

    /// Its session has begun.
    pub(super) fn is_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    fn send(&self, message: ShardRunnerMessage) {
        if let Some(messenger) = &*self.messenger.lock().unwrap_or_else(PoisonError::into_inner) {
            messenger.send_to_shard(message);
        }
    }

    /// Ends the session, so that Discord shows the bot as offline at once.
    pub(super) fn say_goodbye(&self) {
        self.send(ShardRunnerMessage::Close(NORMAL_CLOSE, None));
    }

    /// Has the shard begin a new session: what is known of its guilds is stale.
    pub fn begin_anew(&self) {
        self.anew.notify_one();
    }

    /// Waits until the shard is to begin anew.
    pub(super) async fn is_to_begin_anew(&self) {
        self.anew.notified().await;
    }

    fn look(&self) {
        let beats = self.beats.load(Ordering::Acquire);
        if self.looked_at.swap(beats, Ordering::Relaxed) == beats && beats % 2 == 1 {
            self.circled.store(true, Ordering::Relaxed);
            // Where the connection stands after all, Discord learns once more that the bot is online.
            self.send(ShardRunnerMessage::SetStatus(OnlineStatus::Online));
        }
    }
}

/// Looks after pulses, on another thread than theirs.
pub async fn watch(pulses: Arc<[Pulse]>) {
    loop {
        tokio::time::sleep(LOOK).await;
        pulses.iter().for_each(Pulse::look);
    }
}

/// A runner whose polls beat a pulse.
pub(super) struct Beating<'p, F> {
    pub(super) inner: Pin<Box<F>>,
    pub(super) pulse: &'p Pulse,
}

impl<F: Future> Future for Beating<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.pulse.beats.fetch_add(1, Ordering::AcqRel);
        let polled = self.inner.as_mut().poll(context);
        self.pulse.beats.fetch_add(1, Ordering::AcqRel);
        polled
    }
}
