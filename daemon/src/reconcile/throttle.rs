//! How much of a comparison is on its way at once: a hundred thousand bans of a new child are rows only when their turn
//! comes, and of those who are no members a guild takes about a thousand a day (FACTS C2).

use crate::jobs::{Running, Stop};
use crate::store::View;
use std::time::Duration;
use wayhaven_shared::value::{GuildId, Timestamp};

/// How many deliveries of one guild are open at once.
const OPEN: u64 = 200;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// How long at most before it is looked again at a budget that is spent: the clock may be set.
const LOOK: Duration = Duration::from_secs(60);

/// What is told while nothing has room. Without their number, which changes with every one of them.
const ON_THEIR_WAY: &str = "as many deliveries as go at once are on their way to the guild";

/// Waits until deliveries may begin in the guild, and says how many. `others` are bans of those who are no members, or not
/// known to be.
///
/// # Errors
/// Where the job is cancelled, or the store fails.
pub(super) async fn room(running: &mut Running, guild: GuildId, others: bool) -> Result<u64, Stop> {
    let mut changes = running.daemon.store().sequence();
    let mut waited = false;
    loop {
        running.check()?;
        changes.mark_unchanged();
        let budget = running.daemon.settings().network.nonmember_bans_per_day;
        let now = running.daemon.clock().now();
        let since = Timestamp::from_millis(now.millis().saturating_sub(DAY));
        let look = move |view: &View<'_>| {
            let spent = if others { view.trickled_since(guild, since, budget)? } else { (0, None) };
            Ok((view.moving_in(guild)?, spent))
        };
        let (open, (spent, oldest)) = running.daemon.store().read(look).await?;
        let left = if others { budget.saturating_sub(spent + open) } else { u64::MAX };
        let room = OPEN.saturating_sub(open).min(left);
        // In lots, and not one by one as each is settled.
        if room > 0 && (room >= OPEN / 2 || open == 0 || left < OPEN) {
            if waited {
                running.go_on().await;
            }
            return Ok(room);
        }
        let wait = match oldest.filter(|_| spent >= budget) {
            Some(oldest) => {
                let next = Timestamp::from_millis(oldest.millis().saturating_add(DAY));
                let note = format!(
                    "{budget} bans of non-members were sent within a day; the next go at {next} (UTC)"
                );
                running.wait_for(note).await;
                let left = u64::try_from(next.millis().saturating_sub(now.millis())).unwrap_or(0);
                Duration::from_millis(left).clamp(Duration::from_secs(1), LOOK)
            }
            None => {
                if waited {
                    running.wait_for(ON_THEIR_WAY.to_owned()).await;
                }
                LOOK
            }
        };
        waited = true;
        let change = async {
            tokio::select! {
                // The store, and with it the sender, lives as long as the daemon.
                _ = changes.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        };
        running.unless_cancelled(change).await?;
    }
}
