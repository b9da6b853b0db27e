//! Ends as people write them: after a span (`3d`), or on a date (`2026-12-01`, `2026-12-01T18:30`).

use super::{Malformed, Span, Timestamp, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// When something is to end: so long from now, or at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Until {
    /// So long after it was asked for.
    In(Span),
    /// Then.
    At(Timestamp),
}

impl Until {
    /// The point in time that is meant when it is asked for at `now`.
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(span) => now + span,
            Self::At(at) => at,
        }
    }
}

impl FromStr for Until {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if let Ok(span) = text.parse() {
            return Ok(Self::In(span));
        }
        // The shorter ways of writing a date are in UTC, as everything that is shown is.
        let whole = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            16 => format!("{}:00Z", text.replacen(' ', "T", 1)),
            19 => format!("{}Z", text.replacen(' ', "T", 1)),
            _ => text.to_owned(),
        };
        whole.parse().map(Self::At).map_err(|_| {
            Malformed(
                "an end is a span like 12h, 3d or 2w (ten years at most), or a date in UTC like 2026-12-01 or \
                 2026-12-01T18:30"
                    .into(),
            )
        })
    }
}

impl fmt::Display for Until {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(span) => span.fmt(out),
            Self::At(at) => at.fmt(out),
        }
    }
}

text_on_the_wire!(Until);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_span_or_a_date_and_what_it_means_follows_from_the_clock() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        for (text, end) in [
            ("3d", "2026-01-05T03:04:05Z"),
            ("1h30m", "2026-01-02T04:34:05Z"),
            ("2026-12-01", "2026-12-01T00:00:00Z"),
            ("2026-12-01 18:30", "2026-12-01T18:30:00Z"),
            ("2026-12-01T18:30", "2026-12-01T18:30:00Z"),
            ("2026-12-01T18:30:07", "2026-12-01T18:30:07Z"),
            ("2026-12-01T18:30:00+02:00", "2026-12-01T16:30:00Z"),
        ] {
            let until: Until = text.parse().unwrap();
            assert_eq!(until.from(now).to_string(), end, "{text}");
            assert_eq!(until.to_string().parse::<Until>().unwrap(), until, "{text} through text");
        }
        for text in ["", "3", "tomorrow", "2026-13-01", "2026-02-30", "01.12.2026", "11y", "2026-12-01T25:00"]
        {
            assert!(text.parse::<Until>().is_err(), "{text:?}");
        }
    }
}
