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

use crate::daemon::Daemon;
use crate::discord::budget::Priority;
use crate::store::{DirectMessage, Telling};
use crate::sync::attempt::obstacle::{self, Known, Obstacle};
use crate::sync::foresight::{self, Foresight};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{GuildId, PunishmentId, UserId};

/// How long to wait after the store failed.
const STORE_MENDS_WITHIN: Duration = Duration::from_secs(4);

/// Why nobody is told, in the answers.
const TURNED_OFF: &str = "direct messages are turned off";
const TOO_MANY: &str = "too many at once";

/// Whether the user of such a punishment is told; nothing where nobody is told of its kind. Nobody is told of what cannot be
/// done as far as that is known: where `known` does not say who they are in the guild, Discord is asked once. `really` takes
/// the message's turn, where it cannot wait for one.
///
/// # Errors
/// Where the store fails.
pub async fn telling(
    daemon: &Daemon,
    guild: GuildId,
    (action, user): (Action, UserId),
    known: Known,
    really: bool,
) -> Result<Option<Telling>, Fault> {
    if !action.is_told() {
        return Ok(None);
    }
    let (pace, directory) = (daemon.pace(), daemon.directory());
    let not = |reason: &str| Ok(Some(Telling::Not(reason.to_owned())));
    if !daemon.settings().moderation.direct_messages {
        return not(TURNED_OFF);
    }
    if action == Action::Warn {
        return match obstacle::of_guild(directory, guild) {
            Some(absent @ Obstacle::Absent) => not(&absent.words()),
            _ => Ok(Some(Telling::Now { guild_name: directory.name(guild) })),
        };
    }
    let is_known = known != Known::Nothing;
    let foresight = Foresight::of(daemon, guild, Some(user), known).await?;
    if let Some(obstacle) = foresight.obstacle(daemon, action) {
        // They would be told of what is not done.
        return not(&obstacle.words());
    }
    if !pace.would_admit() {
        return not(TOO_MANY);
    }
    if !is_known {
        let known = foresight::ask_soon(daemon, Priority::Interactive, guild, user).await;
        if let Some(obstacle) = foresight.knowing(known).obstacle(daemon, action) {
            return not(&obstacle.words());
        }
    }
    if really && !pace.admit() {
        return not(TOO_MANY);
    }
    Ok(Some(Telling::Now { guild_name: directory.name(guild) }))
}

/// Sends what is stored until the daemon closes: while it drains, deliveries still wait for their messages.
pub async fn keep(daemon: Arc<Daemon>) {
    let mut closing = daemon.closing();
    tokio::select! {
        () = follow(&daemon) => {}
        () = closing.raised() => {}
    }
}

async fn follow(daemon: &Arc<Daemon>) {
    let mut directs = daemon.store().directs();
    let mut jobs = JoinSet::new();
    let mut last = None;
    // What the daemon left behind when it ended has had its turn, or has none yet.
    let mut left_behind = true;
    loop {
        let seen = directs.borrow_and_update().stored;
        let open = daemon.store().read(move |view| Ok(view.open_direct_messages(last)?)).await;
        match open {
            Ok(open) => {
                for message in open {
                    last = Some(message.punishment);
                    jobs.spawn(tell(Arc::clone(daemon), message, left_behind));
                }
                left_behind = false;
            }
            Err(fault) => {
                tracing::error!("direct messages wait: {fault}");
                tokio::time::sleep(STORE_MENDS_WITHIN).await;
                continue;
            }
        }
        loop {
            tokio::select! {
                changed = directs.wait_for(|directs| directs.stored != seen) => match changed {
                    Ok(_) => break,
                    Err(_) => return,
                },
                // Ended jobs are let go of.
                Some(_) = jobs.join_next() => {}
            }
        }
    }
}

/// Tells one user, and records how it ended. However it ends, the deliveries go on.
async fn tell(daemon: Arc<Daemon>, message: DirectMessage, left_behind: bool) {
    let id = message.punishment;
    let telling = AssertUnwindSafe(sending::tell(&daemon, message, left_behind)).catch_unwind();
    let told = match telling.await {
        Ok(Some(told)) => told,
        Ok(None) => return,
        // The panic's hook has logged where and why.
        Err(_) => Told::new(ToldState::Failed, Some("a defect of Wayhaven, which the log tells of")),
    };
    end(&daemon, id, told).await;
}

async fn end(daemon: &Daemon, id: PunishmentId, told: Told) {
    tracing::debug!(punishment = %id, "the user is {}", told.words());
    until_stored(daemon, move |change| Ok(change.end_direct_message(id, &told)?)).await;
}

/// Writes until the store takes it: deliveries wait for it.
async fn until_stored<T: Send + 'static>(
    daemon: &Daemon,
    work: impl Fn(&crate::store::Change<'_>) -> Result<T, Fault> + Clone + Send + 'static,
) -> T {
    loop {
        match daemon.store().write(work.clone()).await {
            Ok(value) => return value,
            Err(fault) => tracing::error!("a direct message waits for the store: {fault}"),
        }
        tokio::time::sleep(STORE_MENDS_WITHIN).await;
    }
}

#[cfg(test)]
mod tests;
