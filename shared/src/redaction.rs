//! Secrets in text that somebody typed: taken out before anybody keeps, sends, logs or shows it (fault 33).
//!
//! People paste webhook addresses into reasons and tokens into the wrong line. What can be told from ordinary text by
//! its form is taken out where the text enters ([`Untrusted`](crate::value::Untrusted), [`Fault`](crate::Fault), the
//! daemon's log): a bot's token, the token in a webhook's or an interaction's address on whatever host, and the path of
//! a Slack hook. The rest of the text stays, the webhook's id among it, so that whoever owns it finds it. A token whose
//! form says nothing (a password) cannot be told, and stays.

use std::borrow::Cow;
use std::ops::Range;

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// No secret part of an address is shorter; Discord's have 68 characters and more.
const SHORTEST: usize = 16;

/// The digits of a snowflake as base64url: 17 to 20 of them.
const ID_IN_BASE64: std::ops::RangeInclusive<usize> = 22..=28;

/// Whether a text is a bot's token by its form: three parts of base64url with dots between, the first the bot's id.
///
/// The lengths of the other two have changed over the years, so just the whole is held to sensible bounds.
pub fn is_bot_token(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    (50..=120).contains(&text.len())
        && parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(is_base64url))
        && parts.first().is_some_and(|part| holds_an_id(part))
}

/// The text without the secrets in it.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut secrets = Vec::new();
    in_addresses(text, &mut secrets);
    bot_tokens(text, &mut secrets);
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    secrets.sort_by_key(|secret: &Range<usize>| (secret.start, secret.end));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for secret in secrets {
        if secret.start >= from {
            out.push_str(text.get(from..secret.start).unwrap_or_default());
            out.push_str(REDACTED);
        }
        from = from.max(secret.end);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// Tokens behind `webhooks/ID/` and `interactions/ID/`, and what stands behind `hooks.slack.com/services/`.
fn in_addresses(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    for slash in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index) {
        let before = bytes.get(..slash).unwrap_or_default();
        let ends = |word: &str| {
            let start = before.len().checked_sub(word.len());
            start
                .and_then(|start| before.get(start..))
                .is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
        };
        let run = |from: usize, belongs: fn(u8) -> bool| {
            from + bytes.get(from..).unwrap_or_default().iter().take_while(|byte| belongs(**byte)).count()
        };
        if ends("webhooks") || ends("interactions") {
            let id = run(slash + 1, |byte| byte.is_ascii_digit());
            let token = run(id + 1, is_base64url);
            if id > slash + 1 && bytes.get(id) == Some(&b'/') && token >= id + 1 + SHORTEST {
                secrets.push(id + 1..token);
            }
        } else if ends("hooks.slack.com/services") {
            let path = run(slash + 1, |byte| byte.is_ascii_alphanumeric() || byte == b'/');
            if path > slash + SHORTEST {
                secrets.push(slash + 1..path);
            }
        }
    }
}

/// Bot tokens, also where letters stand before or behind them without a gap.
fn bot_tokens(text: &str, secrets: &mut Vec<Range<usize>>) {
    let is_part = |byte: u8| is_base64url(byte) || byte == b'.';
    let mut from = 0;
    for run in text.as_bytes().split(|byte| !is_part(*byte)) {
        let start = from;
        from += run.len() + 1;
        // Of characters of one byte each.
        let Some(run) = text.get(start..start + run.len()) else { continue };
        let mut place = start;
        let mut parts = Vec::new();
        for part in run.split('.') {
            parts.push((place, part));
            place += part.len() + 1;
        }
        for three in parts.windows(3) {
            let [(at, first), (_, second), (last_at, last)] = three else { continue };
            let shaped = (4..=12).contains(&second.len()) && last.len() >= 20;
            let id = ID_IN_BASE64
                .rev()
                .filter_map(|length| first.len().checked_sub(length))
                .find(|cut| first.get(*cut..).is_some_and(holds_an_id));
            if let Some(cut) = id.filter(|_| shaped) {
                secrets.push(at + cut..last_at + last.len());
            }
        }
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether the base64url text, without padding, decodes to a snowflake's digits.
fn holds_an_id(part: &str) -> bool {
    let decoded = decode(part).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|text| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok_and(|id| id > 0)
    })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 123456789012345678 in front; the rest is made up.
    const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";
    const SECRET: &str = "s3cr3t_s3cr3t-s3cr3t";

    #[test]
    fn fault_33_tokens_are_taken_out_wherever_they_stand_and_the_rest_stays() {
        for (text, expected) in [
            (TOKEN.to_owned(), "[redacted]".to_owned()),
            (format!("token={TOKEN}, sorry"), "token=[redacted], sorry".into()),
            (format!("“{TOKEN}”."), "“[redacted]”.".into()),
            (format!("see {TOKEN}. And {TOKEN}"), "see [redacted]. And [redacted]".into()),
            (format!("x_{TOKEN}"), "x_[redacted]".into()),
            (
                format!("https://discord.com/api/webhooks/123/{SECRET}"),
                "https://discord.com/api/webhooks/123/[redacted]".into(),
            ),
            (
                format!(
                    "ü https://CANARY.discord.com/api/v10/WebHooks/123/{SECRET}/messages/@original?x=1 ü"
                ),
                "ü https://CANARY.discord.com/api/v10/WebHooks/123/[redacted]/messages/@original?x=1 ü"
                    .into(),
            ),
            (format!("/interactions/5/{SECRET}/callback"), "/interactions/5/[redacted]/callback".into()),
            (
                "https://hooks.slack.com/services/T0000/B0000/s3cr3ts3cr3t ok".into(),
                "https://hooks.slack.com/services/[redacted] ok".into(),
            ),
        ] {
            assert_eq!(redact(&text), expected);
            assert_eq!(redact(&expected), expected, "and once is enough");
        }
    }

    #[test]
    fn ordinary_text_is_left_as_it_is() {
        for text in [
            "",
            "spam. again. and again",
            "https://discord.com/channels/123456789012345678/123456789012345678/123456789012345678",
            "https://discord.com/api/webhooks/123/messages",
            "webhooks/a/b/c interactions//",
            "www.example.org/some.long.path-with-a-name-that-goes-on-and-on.html",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            "é.é.é ...... MTIz.a.b",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
