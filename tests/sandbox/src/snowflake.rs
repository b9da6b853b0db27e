//! Discord's ids and times: 42 bits of milliseconds since 2015, then worker, process and increment.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The first millisecond of 2015 in Unix time.
pub const EPOCH_MS: u64 = 1_420_070_400_000;

/// The millisecond (Unix time) an id was made in.
#[must_use]
pub fn made_at_ms(id: u64) -> u64 {
    (id >> 22) + EPOCH_MS
}

/// The smallest id of a millisecond (Unix time).
#[must_use]
pub fn first_of_ms(unix_ms: u64) -> u64 {
    unix_ms.saturating_sub(EPOCH_MS) << 22
}

/// Makes ids that only ever grow, also when 4,096 of them fall into one millisecond or the clock steps back.
#[derive(Debug, Default)]
pub struct Mint {
    last: u64,
}

impl Mint {
    /// The next id, not below the given moment. None ends in a zero: several zeros would look as if
    /// a spreadsheet had rounded the id, which a multiple of 2^17 has by chance far more often than
    /// an id of Discord's.
    pub fn next(&mut self, unix_ms: u64) -> u64 {
        let fresh = first_of_ms(unix_ms) | (1 << 17);
        self.last = if fresh > self.last { fresh } else { self.last + 1 };
        self.last += u64::from(self.last.is_multiple_of(10));
        self.last
    }
}

/// A moment as Discord writes it: `2026-01-02T03:04:05.678000+00:00`.
#[must_use]
pub fn timestamp(unix_ms: u64) -> String {
    let nanos = i128::from(unix_ms) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}

/// A moment as HTTP writes it in `Date`, to the second: `Tue, 15 Nov 1994 08:12:31 GMT`.
#[must_use]
pub fn http_date(unix_ms: u64) -> String {
    let nanos = i128::from(unix_ms) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let short = |name: String| name.chars().take(3).collect::<String>();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        short(at.weekday().to_string()),
        at.day(),
        short(at.month().to_string()),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Reads an ISO 8601 moment with offset into Unix milliseconds.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<u64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

/// A small deterministic source of noise for tokens and bucket names; nothing here is a secret.
#[derive(Debug)]
pub struct Noise(u64);

impl Noise {
    /// The same seed gives the same sequence.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Text of that many characters from the alphabet of URL-safe base64.
    pub fn text(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..length).map(|_| char::from(ALPHABET[(self.bits() >> 58) as usize])).collect()
    }
}

/// URL-safe base64 without padding, as the first part of a bot token is written.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = 0u32;
        for at in 0..3 {
            group = (group << 8) | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(group >> (18 - 6 * at)) as usize & 63]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_one_millisecond_and_when_the_clock_steps_back() {
        let mut mint = Mint::default();
        let mut last = 0;
        for step in 0..10_000u64 {
            let id = mint.next(1_790_000_000_000 - step % 3);
            assert!(id > last);
            last = id;
        }
        assert!(last > 1 << 53, "realistic ids do not fit a double");
    }

    #[test]
    fn no_id_looks_rounded() {
        let mut mint = Mint::default();
        assert!((0..10_000).all(|at| !mint.next(1_790_000_000_000 + at / 3).is_multiple_of(10)));
    }

    #[test]
    fn timestamps_read_back() {
        let text = timestamp(1_767_323_045_678);
        assert_eq!(text, "2026-01-02T03:04:05.678000+00:00");
        assert_eq!(parse_timestamp(&text), Some(1_767_323_045_678));
    }

    #[test]
    fn a_date_is_cut_to_the_second() {
        assert_eq!(http_date(784_887_151_999), "Tue, 15 Nov 1994 08:12:31 GMT");
    }

    #[test]
    fn base64_matches_the_published_vectors() {
        assert_eq!(base64(b"f"), "Zg");
        assert_eq!(base64(b"fo"), "Zm8");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }
}
