//! Leave to identify. Discord takes 1,000 identifies a day, and whoever exceeds that has every session killed and the
//! token reset (FACTS B2); serenity counts none. So each is asked for here and stored before it is made, over all
//! processes.

use crate::discord::gateway::Leave;
use crate::discord::rest::{GatewayBot, SessionStartLimit};
use crate::services::Services;
use crate::store::{Identified, MANY_IDENTIFIES, Severity};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wayhaven_shared::value::Timestamp;

/// Identifies of one shard in ten minutes: a daemon that is killed again and again stays connected, and a loop of
/// invalid sessions ends after three minutes.
const IN_TEN_MINUTES: usize = 30;
const TEN_MINUTES_MS: i64 = 600_000;
const DAY_MS: i64 = 86_400_000;

/// More are not made in a day (FACTS I).
const MOST_IN_A_DAY: usize = 200;

/// One part in so many of what Discord grants is left for somebody who has to begin by hand.
const RESERVE: u32 = 50;

/// How far apart identifies of a bucket are: Discord's 5 s, and a little for the way there.
const PACE_MS: i64 = 5_250;

/// How long what Discord said about its limit is taken for true.
const LIMIT_HOLDS: Duration = Duration::from_secs(60);

/// How long its answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the wait looks at the clock, which may be set.
const LOOK: Duration = Duration::from_secs(1);

/// Why a shard has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wait {
    until: Timestamp,
    /// What is spent; nothing where it is only another shard's turn.
    spent: Option<String>,
}

/// The identifies of one connection.
pub struct Identifies {
    shards: u32,
    limit: Mutex<(Instant, SessionStartLimit)>,
}

impl Identifies {
    /// From what Discord said just now.
    pub fn new(shards: u32, told: &GatewayBot) -> Self {
        Self { shards, limit: Mutex::new((Instant::now(), told.session_start_limit.clone())) }
    }

    /// Waits until a shard may identify. `waits` is told why it cannot yet.
    pub async fn leave(&self, services: &Services, shard: u32, waits: impl Fn(String)) -> Leave {
        let mut told = None;
        loop {
            let limit = match self.limit(services).await {
                Ok(limit) => limit,
                Err(shards) => return Leave::Reshard(shards),
            };
            let shards = self.shards;
            let decided = services.store().write(move |change| {
                let seen = change.identified(shard, shards, limit.max_concurrency)?;
                let wait = judge(&seen, change.now(), &limit);
                match &wait {
                    Ok(()) => {
                        change.note_identify(shard)?;
                        if seen.day.len() + 1 >= MANY_IDENTIFIES as usize {
                            let details = format!("{} identifies in 24 hours", seen.day.len() + 1);
                            change.alert("identifies_high", Severity::Medium, None, None, &details)?;
                        }
                    }
                    Err(Wait { spent: Some(spent), .. }) if told.as_ref() != Some(spent) => {
                        let details = format!("shard {shard} may not identify: {spent}");
                        change.alert("identify_budget_spent", Severity::High, None, None, &details)?;
                        told = Some(spent.clone());
                    }
                    Err(_) => {}
                }
                Ok((wait, told))
            });
            let wait = match decided.await {
                Ok((Ok(()), _)) => {
                    let mut known = self.limit.lock().await;
                    known.1.remaining = known.1.remaining.saturating_sub(1);
                    return Leave::Go;
                }
                Ok((Err(wait), now_told)) => {
                    told = now_told;
                    wait
                }
                // What cannot be counted is not done: the disk may have room again.
                Err(fault) => {
                    waits(format!("shard {shard} may not identify: {}", fault.message));
                    told = None;
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            if let Some(spent) = wait.spent {
                waits(format!("shard {shard} waits until {} UTC: {spent}", wait.until.short()));
            }
            let left = wait.until.millis() - services.clock().now().millis();
            tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(LOOK)).await;
        }
    }

    /// What Discord grants; an error with the number of shards it wants, where that has changed.
    async fn limit(&self, services: &Services) -> Result<SessionStartLimit, u32> {
        let mut known = self.limit.lock().await;
        if known.0.elapsed() < LIMIT_HOLDS {
            return Ok(known.1.clone());
        }
        // Where Discord does not answer, our own count has to do.
        if let Ok(Ok(told)) = tokio::time::timeout(ANSWER, services.rest().gateway()).await {
            *known = (Instant::now(), told.session_start_limit);
            if told.shards.max(1) != self.shards {
                return Err(told.shards.max(1));
            }
        }
        Ok(known.1.clone())
    }
}

/// Whether a shard may identify now.
fn judge(seen: &Identified, now: Timestamp, limit: &SessionStartLimit) -> Result<(), Wait> {
    let after = |at: Timestamp, millis: i64| Timestamp::from_millis(at.millis() + millis);
    // Of so many that a span takes, the one that has to leave it first.
    let leaves = |all: &[Timestamp], most: usize| all.len().checked_sub(most).map(|first| all[first]);
    let recent: Vec<Timestamp> =
        seen.shard.iter().filter(|at| after(**at, TEN_MINUTES_MS) > now).copied().collect();
    if let Some(first) = leaves(&seen.day, MOST_IN_A_DAY) {
        let spent = format!("{MOST_IN_A_DAY} identifies in 24 hours, after which no more are made");
        return Err(Wait { until: after(first, DAY_MS), spent: Some(spent) });
    }
    if limit.remaining <= limit.total / RESERVE {
        let spent = format!("Discord leaves {} of {} session starts", limit.remaining, limit.total);
        return Err(Wait { until: after(now, limit.reset_after.max(0)), spent: Some(spent) });
    }
    if let Some(first) = leaves(&recent, IN_TEN_MINUTES) {
        let spent = format!("{IN_TEN_MINUTES} identifies in ten minutes, after which no more are made");
        return Err(Wait { until: after(first, TEN_MINUTES_MS), spent: Some(spent) });
    }
    match seen.bucket.map(|at| after(at, PACE_MS)).filter(|until| *until > now) {
        Some(until) => Err(Wait { until, spent: None }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn limit(remaining: u32) -> SessionStartLimit {
        SessionStartLimit { total: 1_000, remaining, reset_after: 3_600_000, max_concurrency: 1 }
    }

    /// Identifies so many milliseconds ago, by one shard.
    fn ago(mut of: Vec<i64>) -> Identified {
        of.sort_unstable_by_key(|ago| std::cmp::Reverse(*ago));
        let day: Vec<_> = of.into_iter().map(|ago| Timestamp::from_millis(NOW - ago)).collect();
        Identified { shard: day.clone(), bucket: day.last().copied(), day }
    }

    fn wait(seen: &Identified, limit: &SessionStartLimit) -> Option<i64> {
        judge(seen, Timestamp::from_millis(NOW), limit).err().map(|wait| wait.until.millis() - NOW)
    }

    #[test]
    fn fault_13_a_shard_identifies_thirty_times_in_ten_minutes() {
        let before: Vec<i64> = (1..30).map(|one| 100_000 + one * 10_000).collect();
        assert_eq!(wait(&ago(before.clone()), &limit(900)), None);
        let full = [before.clone(), vec![100_000]].concat();
        assert_eq!(wait(&ago(full), &limit(900)), Some(210_000), "until the first is ten minutes old");
        let long_ago = [before, vec![600_000]].concat();
        assert_eq!(wait(&ago(long_ago), &limit(900)), None);
    }

    #[test]
    fn fault_13_no_more_than_two_hundred_are_made_in_a_day() {
        let spread = |count: i64| ago((1..=count).map(|one| one * 400_000).collect());
        assert_eq!(wait(&spread(199), &limit(900)), None);
        assert_eq!(wait(&spread(200), &limit(900)), Some(86_400_000 - 200 * 400_000));
    }

    #[test]
    fn fault_13_what_discord_leaves_is_not_used_up() {
        assert_eq!(wait(&ago(vec![]), &limit(21)), None);
        assert_eq!(wait(&ago(vec![]), &limit(20)), Some(3_600_000));
    }

    #[test]
    fn identifies_of_a_bucket_are_five_seconds_apart() {
        assert_eq!(wait(&ago(vec![1_000]), &limit(900)), Some(4_250));
        let other = Identified { bucket: None, ..ago(vec![1_000]) };
        assert_eq!(wait(&other, &limit(900)), None, "another bucket's turn");
    }
}
