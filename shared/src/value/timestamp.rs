//! Wall-clock times: milliseconds since 1970 in UTC, shown as RFC 3339.

use super::{Malformed, Span, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A point in time, as whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// Where Discord's ids begin to count, in milliseconds since 1970 (FACTS 0).
const DISCORD_EPOCH: i64 = 1_420_070_400_000;

/// A date in an HTTP header (RFC 9110, IMF-fixdate).
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

impl Timestamp {
    /// From milliseconds since 1970; what RFC 3339 cannot write (before year 0, after 9999) is clamped.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(-62_167_219_200_000, 253_402_300_799_999))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// When Discord made something with this id.
    pub fn of_snowflake(id: u64) -> Self {
        Self::from_millis((id >> 22).cast_signed() + DISCORD_EPOCH)
    }

    /// The first id that Discord makes at this time; 0 for times before its first.
    pub fn first_snowflake(self) -> u64 {
        self.0.saturating_sub(DISCORD_EPOCH).max(0).cast_unsigned() << 22
    }

    /// Reads a date as HTTP writes it: `Tue, 15 Nov 1994 08:12:31 GMT`. Nothing for anything else.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let at = PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc();
        Some(Self::from_millis(at.unix_timestamp().saturating_mul(1_000)))
    }

    fn date_time(self) -> OffsetDateTime {
        // In range by construction; the epoch stands in for what cannot happen.
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Hours, minutes and seconds in UTC, for narrow columns: `10:31:07`.
    pub fn clock(self) -> String {
        let at = self.date_time();
        format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }

    /// Date and time in UTC to the second, for tables: `2026-01-02 10:31:07`.
    pub fn short(self) -> String {
        format!("{} {}", self.date_time().date(), self.clock())
    }
}

impl std::ops::Add<Span> for Timestamp {
    type Output = Self;

    /// That much later.
    fn add(self, span: Span) -> Self {
        Self::from_millis(self.0.saturating_add_unsigned(span.seconds().saturating_mul(1_000)))
    }
}

impl std::ops::Sub<Span> for Timestamp {
    type Output = Self;

    /// That much earlier.
    fn sub(self, span: Span) -> Self {
        Self::from_millis(self.0.saturating_sub_unsigned(span.seconds().saturating_mul(1_000)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.date_time().format(&Rfc3339).unwrap_or_default())
    }
}

impl FromStr for Timestamp {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|at| i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok())
            .map(Self::from_millis)
            .ok_or_else(|| Malformed("a time is written like 2026-01-02T03:04:05Z".into()))
    }
}

text_on_the_wire!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read_and_nothing_else() {
        let read = |text: &str| Timestamp::from_http_date(text).map(Timestamp::millis);
        assert_eq!(read("Tue, 15 Nov 1994 08:12:31 GMT"), Some(784_887_151_000));
        for other in [
            "",
            "now",
            "1994-11-15T08:12:31Z",
            "Tue, 15 Nov 1994 25:12:31 GMT",
            "Tuesday, 15-Nov-94 08:12:31 GMT",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn times_keep_their_milliseconds_through_text() {
        for millis in [0, 1, 1_767_323_045_678, -1] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        }
        assert_eq!(Timestamp::from_millis(1_767_323_045_678).to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
