//! Pages of a guild's lists, from Discord, however long they take.

use crate::discord::rest::{ListedMember, Outcome, RestError, TOO_MANY_BAN_LISTS};
use crate::jobs::{Running, Stop};
use crate::sync::backoff;
use std::future::Future;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, UserId};

/// How long a ban list is left alone after Discord has said that it was read too often: it counts for hours (FACTS A9).
const LIST_WAIT: Duration = Duration::from_secs(3_600);

/// How often in a row Discord may fail before the job gives up: with the waits between them about an hour.
const TRIES: u32 = 20;

/// A page of members; nothing where Discord does not let us see them.
///
/// # Errors
/// [`Stop`].
pub(super) async fn members(
    running: &mut Running,
    guild: GuildId,
    after: Option<UserId>,
) -> Result<Option<Vec<ListedMember>>, Stop> {
    let rest = running.daemon.rest().clone();
    match patiently(running, "its members", || rest.members_after(guild, after)).await {
        Ok(page) => Ok(Some(page)),
        Err(Ended::Refused(_)) => Ok(None),
        Err(Ended::Stop(stop)) => Err(stop),
    }
}

/// A page of bans.
///
/// # Errors
/// [`Stop`].
pub(super) async fn bans(
    running: &mut Running,
    guild: GuildId,
    after: Option<UserId>,
) -> Result<Vec<UserId>, Stop> {
    let rest = running.daemon.rest().clone();
    match patiently(running, "its ban list", || rest.bans_after(guild, after)).await {
        Ok(page) => Ok(page.into_iter().map(|ban| ban.user).collect()),
        Err(Ended::Refused(error)) => {
            let fault = Fault::new(
                wayhaven_shared::FaultKind::Unavailable,
                format!("Discord does not give the ban list of guild {guild}: {}", error.reason()),
            );
            Err(Stop::Failed(fault.hint(format!("setup doctor {guild} tells what the bot lacks there"))))
        }
        Err(Ended::Stop(stop)) => Err(stop),
    }
}

enum Ended {
    Refused(RestError),
    Stop(Stop),
}

/// Asks until Discord answers; what it refuses is given back.
async fn patiently<T, F: Future<Output = Result<T, RestError>>>(
    running: &mut Running,
    what: &str,
    ask: impl Fn() -> F,
) -> Result<T, Ended> {
    let mut failures = 0;
    loop {
        let error = match running.unless_cancelled(ask()).await.map_err(Ended::Stop)? {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        let wait = if error.code() == Some(TOO_MANY_BAN_LISTS) {
            running.wait_for(format!("Discord gives {what} again in an hour")).await;
            LIST_WAIT
        } else if matches!(error.outcome(), Outcome::Retry | Outcome::Unknown) && failures < TRIES {
            failures += 1;
            if failures > 3 {
                running.wait_for(format!("Discord does not give {what}: {}", error.reason())).await;
            }
            backoff(failures)
        } else {
            return Err(Ended::Refused(error));
        };
        running.unless_cancelled(tokio::time::sleep(wait)).await.map_err(Ended::Stop)?;
    }
}
