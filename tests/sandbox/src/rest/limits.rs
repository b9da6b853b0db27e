//! Rate limits: the bot's one-second window, windows per (bucket, major id), and the invalid-request counter
//! (FACTS C1).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::fault::Scope;
use crate::options::Options;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// The window that nobody is told of.
const BIG_BAN_LIST: Bucket = Bucket { name: "big-ban-list", limit: 1, seconds: 60 };
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
}

#[derive(Debug)]
struct Window {
    started: Duration,
    used: u32,
}

/// A request as the limits see it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Whether it counts towards the global limit: false for interaction and webhook-token routes.
    pub counted: bool,
    /// The window of its route.
    pub bucket: Option<Bucket>,
    /// The id whose windows are separate.
    pub major: u64,
    /// Whether it reads a ban list that is given slowly.
    pub big_list: bool,
}

/// All windows.
#[derive(Debug, Default)]
pub struct Limits {
    second: Option<Window>,
    windows: HashMap<(&'static str, u64), Window>,
    invalid: VecDeque<Duration>,
    banned_until: Option<Duration>,
}

impl Limits {
    /// Judges a request that arrives now; a global limit of 0 lifts all.
    pub fn judge(&mut self, now: Duration, options: &Options, wanted: &Wanted) -> Verdict {
        if options.global_limit == 0 {
            return Verdict::Pass(None);
        }
        if let Some(retry_after) = self.spend_global(now, options.global_limit, wanted.counted) {
            return Verdict::Limited { scope: Scope::Global, retry_after, standing: None };
        }
        let Some(bucket) = wanted.bucket.filter(|_| options.route_limits) else { return Verdict::Pass(None) };
        let special = options.windows.iter().rev().find(|window| {
            window.bucket == bucket.name && window.guild.is_none_or(|guild| guild == wanted.major)
        });
        let bucket = special.map_or(bucket, |window| Bucket {
            limit: window.limit,
            seconds: window.seconds,
            ..bucket
        });
        let (standing, within) = self.spend_route(now, bucket, wanted.major);
        if !within {
            let (scope, retry_after) = (Scope::User, standing.reset_after);
            return Verdict::Limited { scope, retry_after, standing: Some(standing) };
        }
        if wanted.big_list {
            let (hidden, within) = self.spend_route(now, BIG_BAN_LIST, wanted.major);
            if !within {
                // The people of the guild read the same list, so it is nobody's own limit.
                let (scope, retry_after) = (Scope::Shared, hidden.reset_after);
                return Verdict::Limited { scope, retry_after, standing: Some(standing) };
            }
        }
        Verdict::Pass(Some(standing))
    }

    /// A fixed window of one second that starts with its first request.
    fn spend_global(&mut self, now: Duration, limit: u32, counted: bool) -> Option<f64> {
        if !counted {
            return None;
        }
        let fresh = Window { started: now, used: 0 };
        let window = self.second.get_or_insert(fresh);
        if now >= window.started + SECOND {
            *window = Window { started: now, used: 0 };
        }
        if window.used >= limit {
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
            remaining: bucket.limit.saturating_sub(window.used),
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

    /// Counts an answer that Discord holds against the client; too many in 10 minutes, and the edge takes over.
    pub fn count_invalid(&mut self, now: Duration, options: &Options) {
        self.invalid.push_back(now);
        while self.invalid.front().is_some_and(|at| *at + TEN_MINUTES <= now) {
            self.invalid.pop_front();
        }
        let lifted = options.global_limit == 0;
        if !lifted && self.banned_until.is_none() && self.invalid.len() >= options.invalid_requests {
            self.banned_until = Some(now + options.edge_ban);
        }
    }

    /// Seconds for which the edge still answers everything; after that the count starts anew.
    pub fn edge_ban_left(&mut self, now: Duration) -> Option<f64> {
        let until = self.banned_until?;
        if now < until {
            return Some((until - now).as_secs_f64());
        }
        self.banned_until = None;
        self.invalid.clear();
        None
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

    const WANTED: Wanted = Wanted { counted: true, bucket: None, major: 0, big_list: false };

    #[test]
    fn the_global_window_starts_with_its_first_request() {
        let (mut limits, options) = (Limits::default(), Options::default());
        let start = Duration::from_millis(700);
        for _ in 0..50 {
            assert!(matches!(limits.judge(start, &options, &WANTED), Verdict::Pass(_)));
        }
        let later = Duration::from_millis(1_600);
        let Verdict::Limited { scope: Scope::Global, retry_after, .. } =
            limits.judge(later, &options, &WANTED)
        else {
            panic!("the 51st request of the window passed");
        };
        assert!((retry_after - 0.1).abs() < 1e-9);
        let exempt = Wanted { counted: false, ..WANTED };
        assert!(
            matches!(limits.judge(later, &options, &exempt), Verdict::Pass(_)),
            "interactions are exempt"
        );
        let next = Duration::from_millis(1_700);
        assert!(matches!(limits.judge(next, &options, &WANTED), Verdict::Pass(_)));
    }

    #[test]
    fn ten_thousand_invalid_requests_ban_the_client_for_a_while() {
        let (mut limits, options) = (Limits::default(), Options::default());
        for at in 0..10_000 {
            assert_eq!(limits.edge_ban_left(Duration::from_millis(at)), None);
            limits.count_invalid(Duration::from_millis(at), &options);
        }
        assert!(limits.edge_ban_left(Duration::from_secs(20)).is_some());
        assert_eq!(limits.edge_ban_left(Duration::from_secs(700)), None);
        limits.count_invalid(Duration::from_secs(700), &options);
        assert_eq!(limits.edge_ban_left(Duration::from_secs(700)), None, "the count started anew");
    }
}
