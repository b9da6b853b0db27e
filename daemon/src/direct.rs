//! Direct messages: the user of a ban, kick or warning is told of it before it is done.
//!
//! The message is a row stored with its punishment, whose deliveries wait until it has settled, 2 s at most: who is gone
//! from the last guild that they share with the bot can be told nothing any more. Whatever becomes of the message, the
//! punishment goes on. A warning waits for nothing, and its message is tried for an hour.
//!
//! A row is marked before its request leaves. What a crash leaves marked goes out again with the same nonce while Discord
//! knows that, and is not repeated after; what it leaves unmarked is sent after the restart, and the punishment waits
//! for it once more. No more messages begin than the [`Pace`] lets: a ban or kick that has no turn at once is not told, so
//! a raid is never slowed.
//!
//! ZERO-LEAK: nothing of a guild is changed here, and the message names no guild but the one where it was decided.

mod pace;
mod sending;
pub mod wording;

pub use pace::Pace;

use crate::discord::budget::Priority;
use crate::services::Services;
use crate::store::{DirectMessage, Directs, Telling};
use crate::sync::attempt::obstacle::{self, Known, Obstacle};
use crate::sync::foresight::{self, Foresight};
use crate::tasks::{Task, Trigger, Until};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{GuildId, PunishmentId, UserId};

/// How often what has ended is let go of, at least.
const LET_GO: Duration = Duration::from_secs(60);

/// How long to wait after the store failed.
const STORE_MENDS_WITHIN: Duration = Duration::from_secs(4);

/// Why nobody is told, in the answers.
const TURNED_OFF: &str = "direct messages are turned off";
const TOO_MANY: &str = "too many at once";

/// The messages. Clones share everything.
#[derive(Clone)]
pub struct Direct {
    services: Services,
    pace: Arc<Pace>,
}

impl Direct {
    /// The messages of these services.
    pub fn new(services: Services) -> Self {
        Self { services, pace: Arc::default() }
    }

    /// How many messages begin.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The task that sends them.
    pub fn task(&self) -> Sending {
        let stored = self.services.store().directs();
        Sending {
            direct: self.clone(),
            stored,
            seen: 0,
            telling: JoinSet::new(),
            last: None,
            left_behind: true,
        }
    }
}

/// Whether the user of such a punishment is told; nothing where nobody is told of its kind. Nobody is told of what cannot be
/// done as far as that is known: where `known` does not say who they are in the guild, Discord is asked once. `really` takes
/// the message's turn, where it cannot wait for one.
///
/// # Errors
/// Where the store fails.
pub async fn telling(
    direct: &Direct,
    guild: GuildId,
    (action, user): (Action, UserId),
    known: Known,
    really: bool,
) -> Result<Option<Telling>, Fault> {
    if !action.is_told() {
        return Ok(None);
    }
    let Direct { services, pace } = direct;
    let directory = services.directory();
    let not = |reason: &str| Ok(Some(Telling::Not(reason.to_owned())));
    if !services.settings().moderation.direct_messages {
        return not(TURNED_OFF);
    }
    if action == Action::Warn {
        return match obstacle::of_guild(directory, guild) {
            Some(absent @ Obstacle::Absent) => not(&absent.words()),
            _ => Ok(Some(Telling::Now { guild_name: directory.name(guild) })),
        };
    }
    let is_known = known != Known::Nothing;
    let foresight = Foresight::of(services, guild, Some(user), known).await?;
    if let Some(obstacle) = foresight.obstacle(services, action) {
        // They would be told of what is not done.
        return not(&obstacle.words());
    }
    if !pace.would_admit() {
        return not(TOO_MANY);
    }
    if !is_known {
        let known = foresight::ask_soon(services, Priority::Interactive, guild, user).await;
        if let Some(obstacle) = foresight.knowing(known).obstacle(services, action) {
            return not(&obstacle.words());
        }
    }
    if really && !pace.admit() {
        return not(TOO_MANY);
    }
    Ok(Some(Telling::Now { guild_name: directory.name(guild) }))
}

/// Sends what is stored until the daemon closes, since deliveries that are being finished wait for their messages: the
/// task `direct-messages`.
pub struct Sending {
    direct: Direct,
    stored: watch::Receiver<Directs>,
    seen: u64,
    telling: JoinSet<()>,
    last: Option<PunishmentId>,
    /// What the daemon left behind when it ended has had its turn, or has none yet.
    left_behind: bool,
}

impl Sending {
    async fn send(&mut self) -> Result<(), Fault> {
        self.seen = self.stored.borrow_and_update().stored;
        let last = self.last;
        let open =
            self.direct.services.store().read(move |view| Ok(view.open_direct_messages(last)?)).await?;
        for message in open {
            self.last = Some(message.punishment);
            self.telling.spawn(tell(self.direct.clone(), message, self.left_behind));
        }
        self.left_behind = false;
        // Ended ones are let go of.
        while self.telling.try_join_next().is_some() {}
        Ok(())
    }
}

impl Task for Sending {
    fn name(&self) -> &'static str {
        "direct-messages"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.send().boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut stored, seen) = (self.stored.clone(), self.seen);
        // The store, and with it the sender, lives as long as the daemon.
        let more = async move { drop(stored.wait_for(|directs| directs.stored != seen).await.map(drop)) };
        Trigger::EventWithin(more.boxed(), LET_GO)
    }

    fn until(&self) -> Until {
        Until::Closing
    }
}

/// Tells one user, and records how it ended. However it ends, the deliveries go on.
async fn tell(direct: Direct, message: DirectMessage, left_behind: bool) {
    let id = message.punishment;
    let telling = AssertUnwindSafe(sending::tell(&direct, message, left_behind)).catch_unwind();
    let told = match telling.await {
        Ok(Some(told)) => told,
        Ok(None) => return,
        // The panic's hook has logged where and why.
        Err(_) => Told::new(ToldState::Failed, Some("a defect of Wayhaven, which the log tells of")),
    };
    end(&direct.services, id, told).await;
}

async fn end(services: &Services, id: PunishmentId, told: Told) {
    tracing::debug!(punishment = %id, "the user is {}", told.words());
    until_stored(services, move |change| Ok(change.end_direct_message(id, &told)?)).await;
}

/// Writes until the store takes it: deliveries wait for it.
async fn until_stored<T: Send + 'static>(
    services: &Services,
    work: impl Fn(&crate::store::Change<'_>) -> Result<T, Fault> + Clone + Send + 'static,
) -> T {
    loop {
        match services.store().write(work.clone()).await {
            Ok(value) => return value,
            Err(fault) => tracing::error!("a direct message waits for the store: {fault}"),
        }
        tokio::time::sleep(STORE_MENDS_WITHIN).await;
    }
}

#[cfg(test)]
mod tests;
