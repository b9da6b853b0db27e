//! How much of a comparison is on its way at once: a hundred thousand bans of a new child are rows only when their turn
//! comes, and of those who are no members a guild takes about a thousand a day (FACTS C2).

use crate::jobs::{Running, Stop};
use crate::pages::{Reader, reach};
use crate::store::{Pace, Traffic, View};
use crate::sync::desired::{LASTING, open_links};
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, Timestamp};

/// How many deliveries of one guild are open at once.
const OPEN: u64 = 200;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// How long at most before it is looked again at a budget that is spent: the clock may be set.
const LOOK: Duration = Duration::from_secs(60);

/// What is told while nothing has room. Without their number, which changes with every one of them.
const ON_THEIR_WAY: &str = "as many deliveries as go at once are on their way to the guild";

async fn traffic(running: &Running, guild: GuildId) -> Result<(Traffic, u64, Timestamp), Stop> {
    let budget = running.services.settings().network.nonmember_bans_per_day;
    let now = running.services.clock().now();
    let since = Timestamp::from_millis(now.millis().saturating_sub(DAY));
    let id = running.id;
    let look = move |view: &View<'_>| {
        let began = view.job(id)?.map_or(now, |job| job.created_at);
        Ok(view.traffic(guild, now, began, (since, budget))?)
    };
    Ok((running.services.store().read(look).await?, budget, now))
}

/// How many bans of non-members the guild still takes today.
///
/// # Errors
/// Where the store fails.
pub(super) async fn budget_left(running: &Running, guild: GuildId) -> Result<u64, Stop> {
    let (traffic, budget, _) = traffic(running, guild).await?;
    Ok(budget.saturating_sub(traffic.spent + traffic.waiting))
}

/// Waits until deliveries may begin in the guild, and says how many.
///
/// # Errors
/// Where the job is cancelled, or the store fails.
pub(super) async fn room(
    running: &mut Running,
    guild: GuildId,
    pace: Pace,
    (reader, main): (Reader, Option<GuildId>),
) -> Result<u64, Stop> {
    let mut changes = running.services.store().sequence();
    let mut waited = false;
    loop {
        running.check()?;
        // What goes to a guild where the bot is not would only be blocked.
        reach(running, guild, reader).await?;
        refuse_unlinked(running, guild, main)?;
        changes.mark_unchanged();
        let (now_there, budget, now) = traffic(running, guild).await?;
        let Traffic { moving, deferred, blocked, waiting, spent, oldest, .. } = now_there;
        let left = match pace {
            Pace::Budgeted if deferred > 0 => 0,
            Pace::Budgeted => budget.saturating_sub(spent + waiting),
            Pace::Live | Pace::Behind => u64::MAX,
        };
        let room = match blocked >= OPEN {
            true => 0,
            false => OPEN.saturating_sub(moving).min(left),
        };
        // In lots, and not one by one as each is settled.
        if room > 0 && (room >= OPEN / 2 || moving == 0 || left < OPEN) {
            running.go_on().await;
            return Ok(room);
        }
        let mut wait = LOOK;
        let note = if blocked >= OPEN {
            Some(format!("{blocked} deliveries are blocked: setup doctor {guild} tells why"))
        } else if pace == Pace::Budgeted && deferred > 0 {
            Some(no_more(deferred))
        } else if let Some(oldest) = oldest.filter(|_| pace == Pace::Budgeted && spent >= budget) {
            let next = Timestamp::from_millis(oldest.millis().saturating_add(DAY));
            let left = u64::try_from(next.millis().saturating_sub(now.millis())).unwrap_or(0);
            wait = Duration::from_millis(left).clamp(Duration::from_secs(1), LOOK);
            Some(format!("{budget} bans of non-members were sent within a day; the next go at {next} (UTC)"))
        } else {
            waited.then(|| ON_THEIR_WAY.to_owned())
        };
        if let Some(note) = note {
            running.wait_for(note).await;
        }
        waited = true;
        change_or(running, &mut changes, wait).await?;
    }
}

/// Waits until what was begun in the guild, and nobody else waits for, is carried out, or somebody has to mend the guild first.
///
/// # Errors
/// Where the job is cancelled, or the store fails.
pub(super) async fn carried_out(running: &mut Running, guild: GuildId) -> Result<(), Stop> {
    let mut changes = running.services.store().sequence();
    loop {
        running.check()?;
        changes.mark_unchanged();
        let (Traffic { begun, deferred, .. }, ..) = traffic(running, guild).await?;
        if begun == 0 {
            running.go_on().await;
            return Ok(());
        }
        if deferred > 0 {
            running.wait_for(no_more(deferred)).await;
        }
        change_or(running, &mut changes, LOOK).await?;
    }
}

fn no_more(deferred: u64) -> String {
    format!("Discord takes no more bans of non-members there for now; {deferred} wait")
}

/// Ends what goes along links that let nothing through any more.
///
/// # Errors
/// [`Stop::Over`].
pub(super) fn refuse_unlinked(running: &Running, guild: GuildId, main: Option<GuildId>) -> Result<(), Stop> {
    let topology = running.services.store().topology();
    let opens = |measure: Action| {
        let links = open_links(&topology, guild, measure);
        links.iter().any(|link| main.is_none_or(|main| main == link.main))
    };
    match LASTING.into_iter().any(opens) {
        true => Ok(()),
        false => Err(Stop::Over("no link lets anything through to the guild any more".to_owned())),
    }
}

async fn change_or(
    running: &Running,
    changes: &mut watch::Receiver<u64>,
    at_most: Duration,
) -> Result<(), Stop> {
    let change = async {
        tokio::select! {
            // The store, and with it the sender, lives as long as the daemon.
            _ = changes.changed() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    };
    running.unless_cancelled(change).await
}
