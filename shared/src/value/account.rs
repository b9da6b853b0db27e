//! Accounts of the daemon's machine.

use super::{Malformed, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An account of the daemon's machine, by its name or its number: `alice` or `1000`. Whether there is such an account is
/// for the daemon to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Account(String);

impl Account {
    /// The longest name, in bytes.
    pub const LONGEST: u16 = 64;

    /// Its number, where it was given by number.
    pub fn number(&self) -> Option<u32> {
        self.0.parse().ok()
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Account {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        let fits = (1..=usize::from(Self::LONGEST)).contains(&text.len());
        let odd = |letter: char| letter.is_control() || letter.is_whitespace() || matches!(letter, ':' | '/');
        match fits && !text.contains(odd) {
            true => Ok(Self(text.to_owned())),
            false => {
                Err(Malformed("an account is its name or its number, as id shows them: alice or 1000".into()))
            }
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

text_on_the_wire!(Account);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_name_or_a_number() {
        let alice: Account = " alice ".parse().unwrap();
        assert_eq!((alice.number(), alice.as_str()), (None, "alice"));
        assert_eq!("1000".parse::<Account>().unwrap().number(), Some(1_000));
        for odd in ["", " ", "a b", "a:b", "../etc", "a\u{1b}[31m", &"x".repeat(65)] {
            assert!(odd.parse::<Account>().is_err(), "{odd:?}");
        }
    }
}
