//! Route limits, learned from the headers of Discord's answers (FACTS C1).
//!
//! A bucket is Discord's hash together with the major parameter (the guild); until the hash of a route is known,
//! the route stands for it. What Discord says is left of a window is counted down here with every request that
//! leaves, so that requests which are on their way at once do not spend it twice.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A route: its method and template, and the major parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Like `PUT /guilds/{guild}/bans/{user}`.
    pub template: &'static str,
    /// The guild, channel or webhook it is counted for.
    pub major: u64,
}

/// What an answer's headers say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// `X-RateLimit-Bucket`.
    pub bucket: Option<String>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// `X-RateLimit-Reset-After`, in seconds.
    pub reset_after: Option<f64>,
}

/// How many buckets are remembered; beyond it those whose window is over are forgotten.
const REMEMBERED: usize = 4_096;

/// Two ends of a window that lie closer than this are the same: both are computed from when the answer came.
const SAME_WINDOW: Duration = Duration::from_millis(250);

/// A bucket as far as it is known.
#[derive(Debug, Default)]
struct Bucket {
    /// No request before then: a 429 said so.
    shut: Option<Instant>,
    /// Requests left, and when there are new ones.
    window: Option<(u64, Instant)>,
}

impl Bucket {
    fn opens_at(&self, now: Instant) -> Option<Instant> {
        let spent = self.window.filter(|(left, _)| *left == 0).map(|(_, resets)| resets);
        self.shut.max(spent).filter(|at| *at > now)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.shut.is_none_or(|at| at <= now) && self.window.is_none_or(|(_, resets)| resets <= now)
    }

    /// Discord counts what has arrived, we what has left: within one window the smaller number is the true one.
    fn learn(&mut self, left: u64, resets: Instant) {
        self.window = Some(match self.window {
            Some((ours, until)) if resets < until + SAME_WINDOW => (ours.min(left), until.max(resets)),
            _ => (left, resets),
        });
    }
}

#[derive(Debug, Default)]
struct Learned {
    /// The bucket of a template.
    hashes: HashMap<&'static str, String>,
    buckets: HashMap<(String, u64), Bucket>,
}

/// The route limits learned so far.
#[derive(Debug, Default)]
pub struct Routes {
    learned: Mutex<Learned>,
}

/// Turns seconds from outside into a span: what is absurd or no number becomes `fallback`.
pub fn seconds(value: f64, fallback: Duration) -> Duration {
    // A day is longer than any limit that was ever seen; more is a broken header.
    if (0.0..=86_400.0).contains(&value) { Duration::from_secs_f64(value) } else { fallback }
}

impl Learned {
    fn key(&self, route: Route) -> (String, u64) {
        let hash = self.hashes.get(route.template).map_or(route.template, String::as_str);
        (hash.to_owned(), route.major)
    }

    fn bucket(&mut self, route: Route) -> &mut Bucket {
        let key = self.key(route);
        self.buckets.entry(key).or_default()
    }

    /// The route belongs to this bucket; what was learned under its old name goes along.
    fn name(&mut self, template: &'static str, hash: &str) {
        if self.hashes.get(template).is_some_and(|known| known == hash) {
            return;
        }
        let old = self.hashes.insert(template, hash.to_owned()).unwrap_or_else(|| template.to_owned());
        let moved: Vec<_> = self.buckets.keys().filter(|(name, _)| *name == old).cloned().collect();
        for key in moved {
            let Some(bucket) = self.buckets.remove(&key) else { continue };
            let to = self.buckets.entry((hash.to_owned(), key.1)).or_default();
            to.shut = to.shut.max(bucket.shut);
            to.window = to.window.or(bucket.window);
        }
    }

    fn forget(&mut self) {
        if self.buckets.len() > REMEMBERED {
            let now = Instant::now();
            self.buckets.retain(|_, bucket| !bucket.is_over(now));
        }
    }
}

impl Routes {
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a request on this route may leave; nothing where it may now.
    pub fn opens_at(&self, route: Route) -> Option<Instant> {
        let learned = self.learned();
        learned.buckets.get(&learned.key(route))?.opens_at(Instant::now())
    }

    /// Takes one request of the route's window.
    ///
    /// # Errors
    /// When the route opens, where it is shut.
    pub fn take(&self, route: Route) -> Result<(), Instant> {
        let mut learned = self.learned();
        let key = learned.key(route);
        let Some(bucket) = learned.buckets.get_mut(&key) else { return Ok(()) };
        let now = Instant::now();
        if let Some(opens) = bucket.opens_at(now) {
            return Err(opens);
        }
        match &mut bucket.window {
            Some((left, resets)) if *resets > now => *left -= 1,
            // The next answer tells of the new window.
            window => *window = None,
        }
        Ok(())
    }

    /// Learns from an answer.
    pub fn learn(&self, route: Route, told: &Told) {
        let mut learned = self.learned();
        if let Some(hash) = &told.bucket {
            learned.name(route.template, hash);
        }
        if let (Some(left), Some(reset)) = (told.remaining, told.reset_after) {
            let resets = Instant::now() + seconds(reset, Duration::from_secs(1));
            learned.bucket(route).learn(left, resets);
        }
        learned.forget();
    }

    /// Shuts a route after a 429. A longer one that is already on stays.
    pub fn shut(&self, route: Route, span: Duration) {
        let mut learned = self.learned();
        let bucket = learned.bucket(route);
        bucket.shut = bucket.shut.max(Some(Instant::now() + span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAN: &str = "PUT /guilds/{guild}/bans/{user}";
    const UNBAN: &str = "DELETE /guilds/{guild}/bans/{user}";

    fn route(template: &'static str, major: u64) -> Route {
        Route { template, major }
    }

    fn told(remaining: u64) -> Told {
        Told { bucket: Some("b".into()), remaining: Some(remaining), reset_after: Some(2.5) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_bucket_shuts_its_routes_in_that_guild_only() {
        let routes = Routes::default();
        routes.learn(route(UNBAN, 1), &told(5));
        routes.learn(route(BAN, 1), &told(0));
        let wait = routes.opens_at(route(BAN, 1)).unwrap() - Instant::now();
        assert_eq!(wait, Duration::from_millis(2_500));
        assert!(routes.opens_at(route(UNBAN, 1)).is_some(), "the same bucket");
        assert!(routes.opens_at(route(BAN, 2)).is_none(), "another guild");
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(routes.opens_at(route(BAN, 1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_not_taken_twice_by_requests_on_their_way_at_once() {
        let routes = Routes::default();
        assert!(routes.take(route(BAN, 1)).is_ok(), "nothing is known yet");
        routes.learn(route(BAN, 1), &told(2));
        assert!(routes.take(route(BAN, 1)).is_ok());
        assert!(routes.take(route(BAN, 1)).is_ok());
        let opens = routes.take(route(BAN, 1)).unwrap_err();
        assert_eq!(opens - Instant::now(), Duration::from_millis(2_500));
        // The first of the two is answered: Discord does not know of the second yet.
        routes.learn(route(BAN, 1), &told(1));
        assert!(routes.take(route(BAN, 1)).is_err());
        // Another window begins.
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(routes.take(route(BAN, 1)).is_ok());
        routes.learn(route(BAN, 1), &told(4));
        assert!(routes.take(route(BAN, 1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_pause_outlives_a_shorter_one_and_the_bucket_s_name() {
        let routes = Routes::default();
        routes.shut(route(BAN, 1), Duration::from_secs(1_337));
        routes.shut(route(BAN, 1), Duration::from_secs(1));
        // Headers of an answer that was on its way: another name, and requests left.
        routes.learn(route(BAN, 1), &told(3));
        let wait = routes.opens_at(route(BAN, 1)).unwrap() - Instant::now();
        assert_eq!(wait, Duration::from_secs(1_337));
        assert!(routes.take(route(BAN, 1)).is_err());
    }

    #[test]
    fn absurd_headers_fall_back() {
        let second = Duration::from_secs(1);
        for value in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(seconds(value, second), second);
        }
    }
}
