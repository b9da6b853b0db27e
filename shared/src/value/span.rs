//! Spans of time as people write them: `30m`, `1h`, `2d`, `1w`, `1h30m`. They are shown in days and less, as Discord's own
//! windows have them: whoever wrote `30d` does not look for `4w2d`, and everybody reads `7d` for `1w`.

use super::{Malformed, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A week is read and not shown.
const WEEK: (char, u64) = ('w', 604_800);

/// The unit letters that are shown, with their seconds, largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A span from one second to ten years, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

impl Span {
    /// Ten years, in seconds: longer is *for ever*, which is written by leaving the span out.
    pub const LONGEST: u64 = 10 * 365 * 86_400;

    /// The length in seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Duration {
        Duration::from_secs(span.0)
    }
}

fn malformed() -> Malformed {
    Malformed("a span is written like 45s, 30m, 1h, 2d, 1w or 1h30m, from one second to ten years".into())
}

impl FromStr for Span {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut total: u64 = 0;
        let mut digits = String::new();
        for letter in text.trim().chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let unit = UNITS.into_iter().chain([WEEK]).find(|(unit, _)| *unit == letter);
            let (_, seconds) = unit.ok_or_else(malformed)?;
            let count: u64 = digits.parse().map_err(|_| malformed())?;
            digits.clear();
            total = count.checked_mul(seconds).and_then(|s| total.checked_add(s)).ok_or_else(malformed)?;
        }
        // Digits left over have no unit: "30" could mean minutes or seconds, so nobody guesses.
        (digits.is_empty() && (1..=Self::LONGEST).contains(&total))
            .then_some(Self(total))
            .ok_or_else(malformed)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for (unit, seconds) in UNITS {
            if left >= seconds {
                write!(out, "{}{unit}", left / seconds)?;
                left %= seconds;
            }
        }
        Ok(())
    }
}

text_on_the_wire!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for (text, seconds) in [("45s", 45), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800), ("7d", 604_800)]
        {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.seconds(), seconds);
            assert_eq!(span.to_string(), text);
        }
        for text in ["", "30", "0s", "m", "1y", "-1h", "99999999999999999999s", "11000000w", "1h 30m"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn weeks_are_read_and_days_are_shown() {
        for (text, shown) in [
            ("1w", "7d"),
            ("30d", "30d"),
            ("4w2d", "30d"),
            ("28d", "28d"),
            ("365d", "365d"),
            ("1w12h", "7d12h"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), shown);
        }
    }
}
