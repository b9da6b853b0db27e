//! Route limits, learned from the headers of Discord's answers (FACTS C1).
//!
//! A bucket is Discord's hash together with the major parameter (the guild); until the hash of a route is known,
//! the route stands for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
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

#[derive(Debug, Default)]
struct Learned {
    /// The bucket of a template.
    hashes: HashMap<&'static str, String>,
    /// When a bucket that is used up opens again.
    shut: HashMap<(String, u64), Instant>,
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
}

impl Routes {
    /// When a request on this route may leave; nothing where it may now.
    pub fn opens_at(&self, route: Route) -> Option<Instant> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.shut.get(&learned.key(route)).copied().filter(|at| *at > Instant::now())
    }

    /// Learns from an answer.
    pub fn learn(&self, route: Route, told: &Told) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = &told.bucket
            && learned.hashes.get(route.template) != Some(bucket)
        {
            learned.hashes.insert(route.template, bucket.clone());
        }
        if let (Some(0), Some(reset)) = (told.remaining, told.reset_after) {
            let opens = Instant::now() + seconds(reset, Duration::from_secs(1));
            let key = learned.key(route);
            learned.shut.insert(key, opens);
        }
        learned.forget();
    }

    /// Shuts a route after a 429.
    pub fn shut(&self, route: Route, span: Duration) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let key = learned.key(route);
        learned.shut.insert(key, Instant::now() + span);
    }
}

impl Learned {
    fn forget(&mut self) {
        if self.shut.len() > REMEMBERED {
            let now = Instant::now();
            self.shut.retain(|_, opens| *opens > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAN: &str = "PUT /guilds/{guild}/bans/{user}";
    const UNBAN: &str = "DELETE /guilds/{guild}/bans/{user}";

    fn told(remaining: u64) -> Told {
        Told { bucket: Some("b".into()), remaining: Some(remaining), reset_after: Some(2.5) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_bucket_shuts_its_routes_in_that_guild_only() {
        let routes = Routes::default();
        let route = |template, major| Route { template, major };
        routes.learn(route(UNBAN, 1), &told(5));
        routes.learn(route(BAN, 1), &told(0));
        let wait = routes.opens_at(route(BAN, 1)).unwrap() - Instant::now();
        assert_eq!(wait, Duration::from_millis(2_500));
        assert!(routes.opens_at(route(UNBAN, 1)).is_some(), "the same bucket");
        assert!(routes.opens_at(route(BAN, 2)).is_none(), "another guild");
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(routes.opens_at(route(BAN, 1)).is_none());
    }

    #[test]
    fn absurd_headers_fall_back() {
        let second = Duration::from_secs(1);
        for value in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(seconds(value, second), second);
        }
    }
}
