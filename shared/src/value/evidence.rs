//! Where what led to a punishment can be looked at.

use super::{Malformed, text_on_the_wire};
use crate::redaction::redact;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A web address that a moderator gives as evidence: `http` or `https`, with a host, without blanks and controls, at
/// most 500 characters. It is shown and never opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Evidence(String);

impl Evidence {
    /// The longest address, in characters: a message link has about a hundred.
    pub const LONGEST: u16 = 500;
}

impl FromStr for Evidence {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        let fits = text.len() <= usize::from(Self::LONGEST)
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains(['<', '>', '"', '`', '\\', '(', ')', '[', ']'])
            // Whoever reads it would take what stands before the sign for the host.
            && host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
        if redact(text) != text {
            return Err(Malformed(
                "this address holds a token, with which whoever reads it could post: evidence is an address like \
                 https://example.org/x"
                    .into(),
            ));
        }
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed(format!(
            "evidence is a web address like https://example.org/x, at most {} characters and without blanks",
            Self::LONGEST
        )))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

text_on_the_wire!(Evidence);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_a_web_address_and_nothing_else() {
        for text in ["https://discord.com/channels/1/2/3", "http://x.org", " https://x.org/?a=b#c "] {
            assert_eq!(text.parse::<Evidence>().unwrap().to_string(), text.trim());
        }
        let hook = format!("https://discord.com/api/webhooks/1/{}", "s3cr3t".repeat(6));
        let refused = hook.parse::<Evidence>().unwrap_err().to_string();
        assert!(refused.contains("holds a token") && !refused.contains("s3cr3t"), "{refused}");
        let long = format!("https://x.org/{}", "a".repeat(500));
        for text in [
            "",
            "x.org",
            "ftp://x.org",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://good.org@bad.org/",
            "https://x.org/a b",
            "https://x.org/\u{202e}",
            "https://x.org/[a](b)",
            &long,
        ] {
            assert!(text.parse::<Evidence>().is_err(), "{text:?}");
            assert!(serde_json::from_value::<Evidence>(text.into()).is_err(), "{text:?}");
        }
    }
}
