//! Text that somebody else wrote, with one way out per sink.

use super::Malformed;
use crate::redaction::redact;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_segmentation::UnicodeSegmentation;

/// Text from a person or from Discord: a reason, a name, a message.
///
/// It is kept as it was written, but for secrets that somebody pasted into it, which never come in ([`mod@crate::redaction`]).
/// It is cleaned on the way out, by the one method made for that sink. There is no `Display`: whoever prints it has to
/// say where it goes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Untrusted(String);

/// Discord's bound on an audit-log reason, in characters (FACTS A5).
const AUDIT_REASON: usize = 512;

impl Untrusted {
    /// The longest text taken from a request, in characters.
    pub const LONGEST: usize = 4_000;

    /// Text that arrived in an event or was stored before: cut at the bound, never refused.
    pub fn clipped(text: &str) -> Self {
        // Before the cut, which could leave a part of a secret that is known no more.
        Self(redact(text).chars().take(Self::LONGEST).collect())
    }

    /// One clean line for terminals and logs: no control or bidi characters, line ends as spaces.
    pub fn line(&self) -> String {
        clean(&self.0)
    }

    /// Whether nobody would see anything of it.
    pub fn is_blank(&self) -> bool {
        self.line().is_empty()
    }

    /// Like [`line`](Self::line), cut to `width` grapheme clusters with an ellipsis.
    pub fn line_within(&self, width: usize) -> String {
        let line = self.line();
        if line.graphemes(true).count() <= width {
            return line;
        }
        let mut cut: String = line.graphemes(true).take(width.saturating_sub(1)).collect();
        cut.push('…');
        cut
    }

    /// For Discord's messages and embeds, at most `limit` characters: markdown escaped, so that nothing is
    /// formatted, linked or mentioned.
    pub fn markdown(&self, limit: usize) -> String {
        let mut out = String::new();
        let mut count = 0;
        for letter in self.line().chars() {
            let (is_escaped, is_sign) = (letter.is_ascii_punctuation(), letter == '@');
            let width = 1 + usize::from(is_escaped) + usize::from(is_sign);
            if count + width > limit.saturating_sub(1) {
                out.push('…');
                break;
            }
            if is_escaped {
                out.push('\\');
            }
            out.push(letter);
            // A mention is recognised in the raw text, so the sign is also parted from what follows it.
            if is_sign {
                out.push('\u{200b}');
            }
            count += width;
        }
        out
    }

    /// For `X-Audit-Log-Reason`, not yet percent-encoded: one line of at most 512 characters.
    pub fn audit_reason(&self) -> String {
        self.line().chars().take(AUDIT_REASON).collect()
    }

    /// What was written, without secrets, for the store and for JSON, which escape on their own.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

/// Characters that reorder or hide what stands beside them (Unicode's bidi controls, zero-width marks, tags).
fn is_deceptive(letter: char) -> bool {
    matches!(letter,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let breaks = letter.is_whitespace() || letter.is_control();
        if breaks && !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        } else if !breaks && !is_deceptive(letter) {
            out.push(letter);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.line())
    }
}

impl FromStr for Untrusted {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let length = text.chars().count();
        if length > Self::LONGEST {
            return Err(Malformed(format!(
                "a text has at most {} characters, this one {length}",
                Self::LONGEST
            )));
        }
        Ok(Self(redact(text).into_owned()))
    }
}

impl TryFrom<String> for Untrusted {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Untrusted> for String {
    fn from(text: Untrusted) -> String {
        text.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_33_no_secret_comes_in_by_any_way() {
        let hook = "https://discord.com/api/webhooks/1/s3cr3t-s3cr3t-s3cr3t-s3cr3t";
        let clean = "https://discord.com/api/webhooks/1/[redacted]";
        assert_eq!(hook.parse::<Untrusted>().unwrap().raw(), clean);
        assert_eq!(Untrusted::clipped(hook).raw(), clean);
        let read: Untrusted = serde_json::from_str(&format!("\"{hook}\"")).unwrap();
        assert_eq!(read.raw(), clean);
        let cut = format!("{}{hook}", "x".repeat(Untrusted::LONGEST - 45));
        assert!(!Untrusted::clipped(&cut).raw().contains("s3cr3t"));
        assert!(!crate::Fault::usage(hook).hint(hook).to_string().contains("s3cr3t"));
    }

    #[test]
    fn fault_32_hostile_text_is_clean_in_every_sink() {
        let text: Untrusted = "a\u{1b}[2Jb\r\nc\u{202e}d @everyone **x** `y` 👩‍👩‍👧".parse().unwrap();
        assert_eq!(text.line(), "a [2Jb cd @everyone **x** `y` 👩‍👩‍👧");
        let markdown = text.markdown(1024);
        assert!(!markdown.contains("@everyone") && markdown.contains("\\*\\*x\\*\\*"), "{markdown}");
        assert!(!format!("{text:?}").contains('\u{1b}'));
        assert_eq!(text.raw().chars().next(), Some('a'));
    }

    #[test]
    fn lengths_hold_in_every_sink() {
        let long: Untrusted = "@".repeat(4_000).parse().unwrap();
        assert_eq!(long.audit_reason().chars().count(), 512);
        // Where the last letter that fits is one that takes three, too.
        for limit in 1_020..=1_024 {
            assert!(long.markdown(limit).chars().count() <= limit, "{limit}");
        }
        assert!("x".repeat(4_001).parse::<Untrusted>().is_err());
        assert_eq!(Untrusted::clipped(&"x".repeat(9_000)).raw().len(), 4_000);
        let family: Untrusted = "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧".parse().unwrap();
        assert_eq!(family.line_within(2), "👩‍👩‍👧…");
    }
}
