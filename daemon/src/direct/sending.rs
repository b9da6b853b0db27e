//! One direct message, from its row to Discord's answer.

use super::{Direct, TOO_MANY, TURNED_OFF, until_stored};
use crate::backoff::backoff;
use crate::discord::rest::{DirectChannel, Outcome, RestError};
use crate::store::{DirectMessage, Leaving};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{PunishmentId, Timestamp};

/// How long a ban or kick waits for its message.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// For so long a message that may have left is sent again with its nonce, in milliseconds: Discord knows that for "a few
/// minutes" (FACTS A6).
const NONCE_KNOWN: i64 = 120_000;

/// How long no channel is opened after Discord said that it is too many (40003).
const OPENING_PAUSE: Duration = Duration::from_secs(300);

/// How a message came to its end, or why it did not.
enum Tried {
    /// It is over.
    Ended(Told),
    /// It may be different in a moment.
    Passing(RestError),
    /// Nothing leaves any more.
    Stopped,
}

impl Tried {
    fn failed(reason: &str) -> Self {
        Self::Ended(Told::new(ToldState::Failed, Some(reason)))
    }
}

/// How far a message has come.
#[derive(Default)]
struct Course {
    /// It may have left.
    leaving: AtomicBool,
    /// The punishment waits no longer: what is on its way is answered, and nothing is sent again.
    late: AtomicBool,
}

/// Tells the user; how it ended, or nothing where it goes on at the next start.
pub(super) async fn tell(direct: &Direct, message: DirectMessage, left_behind: bool) -> Option<Told> {
    if !direct.services.settings().moderation.direct_messages {
        return Some(match message.sent_at {
            None => not_told(TURNED_OFF),
            Some(_) => unsure(),
        });
    }
    if message.action == Action::Warn {
        return insist(direct, &message, &Course::default()).await;
    }
    // Those of now have taken their turn when they were asked for.
    if left_behind && message.sent_at.is_none() && !direct.pace().admit() {
        return Some(not_told(TOO_MANY));
    }
    let course = Course::default();
    let mut telling = Box::pin(insist(direct, &message, &course));
    let stopped = || not_told("requests to Discord are stopped");
    match timeout(PATIENCE, &mut telling).await {
        Ok(told) => Some(told.unwrap_or_else(stopped)),
        Err(_) if course.leaving.load(Ordering::Relaxed) => {
            // It is on its way, and may arrive yet; the punishment waits no longer.
            course.late.store(true, Ordering::Relaxed);
            let id = message.punishment;
            until_stored(&direct.services, move |change| Ok(change.release_deliveries(id)?)).await;
            Some(telling.await.unwrap_or_else(stopped))
        }
        Err(_) => Some(not_told("Discord took too long")),
    }
}

fn not_told(reason: &str) -> Told {
    Told::new(ToldState::NotTold, Some(reason))
}

fn unsure() -> Told {
    Told::new(ToldState::Failed, Some("nobody knows whether it arrived, and it is not sent twice"))
}

/// Tries until it is over; nothing where no request leaves any more.
async fn insist(direct: &Direct, message: &DirectMessage, course: &Course) -> Option<Told> {
    let mut channel = None;
    let mut failures = 0;
    let mut sent_at = message.sent_at;
    loop {
        let now = direct.services.clock().now();
        if sent_at.is_some_and(|at| !(0..NONCE_KNOWN).contains(&(now.millis() - at.millis()))) {
            return Some(unsure());
        }
        if sent_at.is_none() && now > message.give_up_at {
            return Some(not_told("there was no way to Discord for too long"));
        }
        match once(direct, message, course, &mut channel, &mut sent_at).await {
            Tried::Ended(told) => return Some(told),
            Tried::Stopped => return None,
            Tried::Passing(error) if course.late.load(Ordering::Relaxed) => {
                return Some(Told::new(ToldState::Failed, Some(&error.to_string())));
            }
            Tried::Passing(error) => {
                failures += 1;
                tracing::debug!(punishment = %message.punishment, "a direct message is tried again: {error}");
                sleep(backoff(failures)).await;
            }
        }
    }
}

/// One try.
async fn once(
    direct: &Direct,
    message: &DirectMessage,
    course: &Course,
    channel: &mut Option<DirectChannel>,
    sent_at: &mut Option<Timestamp>,
) -> Tried {
    let (rest, id) = (direct.services.rest(), message.punishment);
    let to = match *channel {
        Some(known) => known,
        None => {
            if message.action == Action::Warn {
                direct.pace().turn().await;
            }
            match rest.open_direct(message.user).await {
                Ok(opened) => *channel.insert(opened),
                Err(error) => return refused_to_open(direct, error, message.action),
            }
        }
    };
    course.leaving.store(true, Ordering::Relaxed);
    let leaving = until_stored(&direct.services, move |change| Ok(change.mark_direct_message(id)?)).await;
    let Some(Leaving { since, body }) = leaving else {
        return Tried::Ended(not_told("it was taken back before they were told"));
    };
    *sent_at = Some(since);
    match rest.post_direct(to, with_nonce(direct.services.store().epoch(), id, body)).await {
        Ok(()) => Tried::Ended(Told::new(ToldState::Told, None)),
        Err(error) => {
            if error.outcome() == Outcome::Retry {
                // Discord has done nothing with it.
                until_stored(&direct.services, move |change| Ok(change.unmark_direct_message(id)?)).await;
                *sent_at = None;
                course.leaving.store(false, Ordering::Relaxed);
            }
            judge(error)
        }
    }
}

/// The message with what Discord knows it by, should it come twice (FACTS A6: at most 25 characters). Notices use numbers
/// alone.
fn with_nonce(epoch: &str, id: PunishmentId, mut message: Value) -> Value {
    let epoch: String = epoch.chars().take(8).collect();
    message["nonce"] = format!("{epoch}d{id}").into();
    message["enforce_nonce"] = true.into();
    message
}

/// Where no channel is opened: a limit of it is nobody's fault, and holds the others back too.
fn refused_to_open(direct: &Direct, error: RestError, action: Action) -> Tried {
    let pause = match &error {
        RestError::Refused { code: 40003, .. } => Some(OPENING_PAUSE),
        RestError::RateLimited { wait, .. } => Some(*wait),
        _ => None,
    };
    if let Some(pause) = pause {
        direct.pace().pause(pause);
        return match action {
            Action::Warn => Tried::Passing(error),
            _ => Tried::failed("Discord lets no more direct messages begin for now"),
        };
    }
    judge(error)
}

fn judge(error: RestError) -> Tried {
    match (error.outcome(), error.code()) {
        (Outcome::Stopped, _) => Tried::Stopped,
        (_, Some(50007)) => Tried::failed("they take no direct messages from the bot"),
        (_, Some(50278)) => Tried::failed("they share no guild with the bot"),
        (_, Some(10013 | 50033)) => Tried::failed("Discord knows no such user"),
        _ if error.is_passing() => Tried::Passing(error),
        _ => Tried::failed(&error.to_string()),
    }
}
