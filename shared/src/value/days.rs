//! Small bounded numbers.

use super::Malformed;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! bounded {
    ($($(#[$doc:meta])* $name:ident: $lowest:literal ..= $highest:literal, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u16);

        impl $name {
            /// The smallest value allowed.
            pub const LOWEST: u16 = $lowest;
            /// The largest value allowed.
            pub const HIGHEST: u16 = $highest;

            /// The number.
            pub fn get(self) -> u16 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = Malformed;
            fn try_from(value: u64) -> Result<Self, Malformed> {
                u16::try_from(value)
                    .ok()
                    .filter(|n| (Self::LOWEST..=Self::HIGHEST).contains(n))
                    .map(Self)
                    .ok_or_else(|| Malformed(
                        format!(concat!($what, " is a whole number from {} to {}"), Self::LOWEST, Self::HIGHEST)
                    ))
            }
        }

        impl From<$name> for u64 {
            fn from(value: $name) -> u64 {
                value.0.into()
            }
        }

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                // What is no number at all gets the same answer as one out of bounds.
                Self::try_from(text.trim().parse::<u64>().unwrap_or(u64::MAX))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}", self.0)
            }
        }
    )*};
}

bounded! {
    /// How many days of messages a ban deletes: Discord takes at most 604,800 s (FACTS A3).
    DeleteDays: 0..=7, "the days of messages to delete";
    /// How many rows a listing shows at most.
    PageSize: 1..=500, "a page size";
    /// How far back a listing looks; the audit keeps seven years.
    WindowDays: 1..=2557, "a number of days";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_on_both_ways_in() {
        assert_eq!("7".parse::<DeleteDays>().unwrap().get(), 7);
        for text in ["8", "-1", "x", "", "65543"] {
            assert!(text.parse::<DeleteDays>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<DeleteDays>("7").is_ok());
        assert!(serde_json::from_str::<DeleteDays>("8").is_err());
        assert!(serde_json::from_str::<PageSize>("0").is_err());
    }
}
