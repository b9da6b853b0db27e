//! Rate limits: the bot's one-second window, windows per (bucket, major id), and the invalid-request counter
//! (FACTS C1).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::fault::Scope;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const INVALID_REQUESTS: usize = 10_000;
/// Closed windows are forgotten when there are more than this.
const WINDOWS_KEPT: usize = 20_000;

/// The window of a route: so many requests in so many seconds. Routes of one name share it.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// Name; its hash is what clients see.
    pub name: &'static str,
    /// Requests.
    pub limit: u32,
    /// Seconds.
    pub seconds: u32,
}

/// The state of a window after a request, for the headers.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Requests a window.
    pub limit: u32,
    /// Left in this one.
    pub remaining: u32,
    /// Seconds until it ends.
    pub reset_after: f64,
    /// What clients know the bucket by.
    pub bucket: String,
}

/// What the limits say to a request.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Go on; headers if the route has a window.
    Pass(Option<Standing>),
    /// 429.
    Limited {
        /// Whose window is spent.
        scope: Scope,
        /// Seconds.
        retry_after: f64,
        /// The route's window, for a 429 of user scope.
        standing: Option<Standing>,
    },
    /// 429 of the edge, in HTML: too many invalid requests. Seconds until it ends.
    Banned(f64),
}

#[derive(Debug)]
struct Window {
    started: Duration,
    used: u32,
}

/// All windows.
#[derive(Debug)]
pub struct Limits {
    global: u32,
    routes: bool,
    second: Option<Window>,
    windows: HashMap<(&'static str, u64), Window>,
    invalid: VecDeque<Duration>,
}

impl Limits {
    /// Windows with that global limit; 0 lifts all of them.
    #[must_use]
    pub fn new(global: u32, routes: bool) -> Self {
        Self {
            global,
            routes: routes && global > 0,
            second: None,
            windows: HashMap::new(),
            invalid: VecDeque::new(),
        }
    }

    /// Judges a request that arrives now. `counted` is false for interaction and webhook-token routes.
    pub fn judge(&mut self, now: Duration, counted: bool, bucket: Option<Bucket>, major: u64) -> Verdict {
        if let Some(until) = self.banned_until(now) {
            return Verdict::Banned((until - now).as_secs_f64());
        }
        if let Some(retry_after) = self.spend_global(now, counted) {
            return Verdict::Limited { scope: Scope::Global, retry_after, standing: None };
        }
        let Some(bucket) = bucket.filter(|_| self.routes) else { return Verdict::Pass(None) };
        let (standing, within) = self.spend_route(now, bucket, major);
        if within {
            return Verdict::Pass(Some(standing));
        }
        Verdict::Limited { scope: Scope::User, retry_after: standing.reset_after, standing: Some(standing) }
    }

    /// A fixed window of one second that starts with its first request.
    fn spend_global(&mut self, now: Duration, counted: bool) -> Option<f64> {
        if self.global == 0 || !counted {
            return None;
        }
        let fresh = Window { started: now, used: 0 };
        let window = self.second.get_or_insert(fresh);
        if now >= window.started + SECOND {
            *window = Window { started: now, used: 0 };
        }
        if window.used >= self.global {
            return Some((window.started + SECOND - now).as_secs_f64());
        }
        window.used += 1;
        None
    }

    fn spend_route(&mut self, now: Duration, bucket: Bucket, major: u64) -> (Standing, bool) {
        let length = Duration::from_secs(u64::from(bucket.seconds));
        if self.windows.len() > WINDOWS_KEPT {
            self.windows.retain(|_, window| window.started + TEN_MINUTES > now);
        }
        let window = self.windows.entry((bucket.name, major)).or_insert(Window { started: now, used: 0 });
        if now >= window.started + length {
            *window = Window { started: now, used: 0 };
        }
        let within = window.used < bucket.limit;
        if within {
            window.used += 1;
        }
        let standing = Standing {
            limit: bucket.limit,
            remaining: bucket.limit - window.used,
            reset_after: (window.started + length - now).as_secs_f64(),
            bucket: hash(bucket.name),
        };
        (standing, within)
    }

    /// What a route's headers say while a fault limits it: of a shared limit, that its own window is not spent.
    #[must_use]
    pub fn pretend(bucket: Bucket, scope: Scope, retry_after: f64) -> Option<Standing> {
        let (remaining, reset_after) = match scope {
            Scope::Global => return None,
            Scope::User => (0, retry_after),
            Scope::Shared => (bucket.limit.saturating_sub(1), f64::from(bucket.seconds)),
        };
        Some(Standing { limit: bucket.limit, remaining, reset_after, bucket: hash(bucket.name) })
    }

    /// Counts an answer that Discord holds against the client.
    pub fn count_invalid(&mut self, now: Duration) {
        self.invalid.push_back(now);
        while self.invalid.front().is_some_and(|at| *at + TEN_MINUTES <= now) {
            self.invalid.pop_front();
        }
    }

    fn banned_until(&mut self, now: Duration) -> Option<Duration> {
        while self.invalid.front().is_some_and(|at| *at + TEN_MINUTES <= now) {
            self.invalid.pop_front();
        }
        if self.global == 0 || self.invalid.len() < INVALID_REQUESTS {
            return None;
        }
        self.invalid.front().map(|at| *at + TEN_MINUTES)
    }
}

/// An opaque name of 32 hexadecimal digits, like Discord's.
fn hash(name: &str) -> String {
    let fold = |seed: u64| {
        name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    };
    format!("{:016x}{:016x}", fold(0xCBF2_9CE4_8422_2325), fold(0x9E37_79B9_7F4A_7C15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_global_window_starts_with_its_first_request() {
        let mut limits = Limits::new(50, true);
        let start = Duration::from_millis(700);
        for _ in 0..50 {
            assert!(matches!(limits.judge(start, true, None, 0), Verdict::Pass(_)));
        }
        let later = Duration::from_millis(1_600);
        let Verdict::Limited { scope: Scope::Global, retry_after, .. } = limits.judge(later, true, None, 0)
        else {
            panic!("the 51st request of the window passed");
        };
        assert!((retry_after - 0.1).abs() < 1e-9);
        assert!(matches!(limits.judge(later, false, None, 0), Verdict::Pass(_)), "interactions are exempt");
        assert!(matches!(limits.judge(Duration::from_millis(1_700), true, None, 0), Verdict::Pass(_)));
    }

    #[test]
    fn ten_thousand_invalid_requests_ban_the_client_for_a_while() {
        let mut limits = Limits::new(50, true);
        for at in 0..10_000 {
            limits.count_invalid(Duration::from_millis(at));
        }
        assert!(matches!(limits.judge(Duration::from_secs(20), true, None, 0), Verdict::Banned(_)));
        assert!(matches!(limits.judge(Duration::from_secs(700), true, None, 0), Verdict::Pass(_)));
    }
}
