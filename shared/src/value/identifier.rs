//! Discord's snowflakes and the store's row ids, each kind a type of its own.

use super::{Malformed, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A number from 1 to `i64::MAX`: Discord's ids stay below 2^63, and SQLite's integers are signed.
fn positive(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok().filter(|n| (1..=i64::MAX as u64).contains(n))
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident, $noun:literal, [$($prefix:literal),*];)*) => {$(
        $(#[$doc])*
        ///
        /// A decimal string wherever it leaves the program: JSON numbers end at 2^53.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        impl $name {
            /// The id with this value, or nothing for 0 and for what SQLite could not hold.
            pub fn new(value: u64) -> Option<Self> {
                (1..=i64::MAX as u64).contains(&value).then_some(Self(value))
            }

            /// The value as a number.
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Through `pad`, so that a width in a format string is kept.
                out.pad(&self.0.to_string())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                let text = text.trim();
                let prefixes: &[&str] = &[$($prefix),*];
                let digits = prefixes
                    .iter()
                    .find_map(|prefix| text.strip_prefix(prefix)?.strip_suffix('>'))
                    .unwrap_or(text);
                positive(digits).map(Self).ok_or_else(|| {
                    let article = if $noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
                    Malformed(format!("{article} {} id is a number like {}", $noun, if prefixes.is_empty() {
                        "42"
                    } else {
                        "123456789012345678 (on Discord: Settings, Advanced, Developer Mode, then Copy ID)"
                    }))
                })
            }
        }

        text_on_the_wire!($name);
    )*};
}

identifiers! {
    /// A Discord user; mentions (`<@1>`, `<@!1>`) are understood.
    UserId, "user", ["<@!", "<@"];
    /// A Discord guild, in the user interface a server.
    GuildId, "guild", ["<guild:"];
    /// A role of a guild; mentions (`<@&1>`) are understood.
    RoleId, "role", ["<@&"];
    /// A channel of a guild; mentions (`<#1>`) are understood.
    ChannelId, "channel", ["<#"];
    /// A punishment in the store.
    PunishmentId, "punishment", [];
    /// A delivery in the store.
    DeliveryId, "delivery", [];
    /// A link between a main and a child in the store.
    LinkId, "link", [];
    /// A line of a guild's list of protected users and roles in the store.
    ProtectionId, "protection", [];
    /// A job in the store.
    JobId, "job", [];
    /// An exception in the store: what a guild does not apply to somebody.
    ExceptionId, "exception", [];
    /// An entry of the audit.
    AuditId, "audit entry", [];
    /// A security alert in the store.
    AlertId, "alert", [];
    /// An incident in the store.
    IncidentId, "incident", [];
    /// A drill in the store.
    DrillId, "drill", [];
    /// A hold in the store: deliveries that wait for somebody's approval.
    HoldId, "hold", [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_and_digits_mean_the_same() {
        for text in ["<@123456789012345678>", "<@!123456789012345678>", " 123456789012345678 "] {
            assert_eq!(text.parse::<UserId>().unwrap().get(), 123456789012345678);
        }
        assert_eq!("<@&7>".parse::<RoleId>().unwrap().get(), 7);
        assert_eq!("<#7>".parse::<ChannelId>().unwrap().get(), 7);
    }

    #[test]
    fn what_is_no_id_is_refused_by_parser_and_serde_alike() {
        for text in
            ["", "0", "-1", "+1", "12a", "<@12", "9223372036854775808", "99999999999999999999", "<#7>"]
        {
            assert!(text.parse::<UserId>().is_err(), "{text:?}");
            assert!(serde_json::from_value::<UserId>(text.into()).is_err(), "{text:?}");
        }
        // A number would already have lost digits on its way here.
        assert!(serde_json::from_str::<UserId>("123").is_err());
    }
}
