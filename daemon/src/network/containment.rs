//! How much is propagated before somebody has to approve it.

use std::fmt;
use std::str::FromStr;
use wayhaven_shared::value::{Malformed, Span};

/// How many punishments within how long: `30/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So many are propagated at most.
    pub most: u32,
    /// Within so many seconds.
    pub seconds: u32,
}

impl Budget {
    /// The most that can be counted anew for every punishment without anybody noticing.
    const MOST: u32 = 10_000;
    /// The longest window, in seconds: an hour.
    const LONGEST: u32 = 3_600;

    /// How long the window is, in milliseconds.
    pub fn window(self) -> i64 {
        i64::from(self.seconds) * 1_000
    }
}

impl FromStr for Budget {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let parse = || {
            let (most, within) = text.trim().split_once('/')?;
            let most = most.trim().parse().ok().filter(|most| (1..=Self::MOST).contains(most))?;
            let seconds = u32::try_from(within.parse::<Span>().ok()?.seconds()).ok()?;
            (seconds <= Self::LONGEST).then_some(Self { most, seconds })
        };
        parse().ok_or_else(|| {
            Malformed("it must be a number and a span, as 30/1m: 1 to 10000 within 1s to 1h".to_owned())
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds % 60 {
            0 => write!(out, "{}/{}m", self.most, self.seconds / 60),
            _ => write!(out, "{}/{}s", self.most, self.seconds),
        }
    }
}

/// What a moderator, and what a whole network, propagates before the rest is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Each moderator.
    pub moderator: Budget,
    /// All moderators of a main together.
    pub network: Budget,
}

impl Budgets {
    /// For most: 30 a minute, and 100 in 5 minutes.
    pub const STANDARD: Self =
        Self { moderator: Budget { most: 30, seconds: 60 }, network: Budget { most: 100, seconds: 300 } };
    /// The seed's: 5 a minute, and 20 in 5 minutes.
    pub const STRICT: Self =
        Self { moderator: Budget { most: 5, seconds: 60 }, network: Budget { most: 20, seconds: 300 } };

    /// Those of this name in the settings.
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "standard" => Some(Self::STANDARD),
            "strict" => Some(Self::STRICT),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_read_as_it_is_shown_and_has_bounds() {
        for text in ["30/1m", "100/5m", "5/1m", "20/5m", "1/1s", "7/90s", "10000/60m"] {
            assert_eq!(text.parse::<Budget>().unwrap().to_string(), text);
        }
        for text in ["", "30", "30/", "/1m", "0/1m", "-1/1m", "10001/1m", "30/2h", "30/0s", "30/60", "x/1m"] {
            assert!(text.parse::<Budget>().is_err(), "{text:?}");
        }
        assert_eq!("30/1m".parse::<Budget>().unwrap().window(), 60_000);
    }
}
