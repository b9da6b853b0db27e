//! What can be noted of the audit chain.

use super::{Malformed, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The end of the audit chain at some time, as `status` shows it: how many rows it had and the hash of the last, written
/// `1234:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainMark {
    rows: u64,
    hash: [u8; 32],
}

impl ChainMark {
    /// The longest text of one: a number of 19 digits, the colon, the hash.
    pub const LONGEST: u16 = 19 + 1 + 64;

    /// A mark for a chain of so many rows that ends with this hash; nothing for a number that SQLite could not hold.
    pub fn new(rows: u64, hash: [u8; 32]) -> Option<Self> {
        i64::try_from(rows).is_ok().then_some(Self { rows, hash })
    }

    /// How many rows there were.
    pub fn rows(self) -> u64 {
        self.rows
    }

    /// The hash of the last of them.
    pub fn hash(self) -> [u8; 32] {
        self.hash
    }
}

impl FromStr for ChainMark {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let read = || {
            let (rows, hash) = text.trim().split_once(':')?;
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if hash.len() != 64 || !digits(hash) || !rows.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let mut bytes = [0; 32];
            for (byte, pair) in bytes.iter_mut().zip(hash.as_bytes().chunks_exact(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            }
            Self::new(rows.parse().ok()?, bytes)
        };
        read().ok_or_else(|| {
            Malformed("a mark of the audit is the number of rows, a colon, and 64 hexadecimal digits, as status shows it".into())
        })
    }
}

impl fmt::Display for ChainMark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:", self.rows)?;
        self.hash.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainMark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ChainMark({self})")
    }
}

text_on_the_wire!(ChainMark);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_nothing_else_is() {
        let text = format!("1234:{}", "0a".repeat(32));
        let mark: ChainMark = text.parse().unwrap();
        assert_eq!((mark.rows(), mark.hash(), mark.to_string()), (1_234, [10; 32], text.clone()));
        let long = format!("9223372036854775807:{}", "ff".repeat(32));
        assert_eq!(long.parse::<ChainMark>().unwrap().to_string().len(), usize::from(ChainMark::LONGEST));
        let hash = "0a".repeat(32);
        for odd in [
            "".into(),
            "12".into(),
            format!("+1:{hash}"),
            format!("9223372036854775808:{hash}"),
            format!("1:{hash}0"),
            format!("1:é{}", &hash[2..]),
        ] {
            assert!(odd.parse::<ChainMark>().is_err(), "{odd}");
        }
    }
}
