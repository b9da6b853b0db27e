//! Whether a text looks like a bot's token. No fault of this module repeats any of it (fault 33).

/// Discord's page with the token.
const PAGE: &str = "https://discord.com/developers/applications";

/// Why a text is no token; the caller names where it stands.
///
/// Only the shape: three parts of base64url with dots between, the first the bot's id. The lengths of the other
/// two have changed over the years, so just the whole is held to sensible bounds.
pub(super) fn check(token: &str) -> Result<(), String> {
    let quoted = ['"', '\'', '`'].iter().any(|quote| token.starts_with(*quote) || token.ends_with(*quote));
    if quoted {
        return Err("is wrapped in quotes: leave them out".into());
    }
    if token.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("bot ")) {
        return Err("begins with the word Bot: leave it out, it is added where it belongs".into());
    }
    let parts: Vec<&str> = token.split('.').collect();
    let shaped = (50..=120).contains(&token.len())
        && parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(is_base64url));
    if shaped && parts.first().is_some_and(|part| holds_an_id(part)) {
        return Ok(());
    }
    Err(format!(
        "does not look like a bot's token, which is three parts with dots between and 50 to 120 characters: \
         copy it again from the page Bot of your application at {PAGE}"
    ))
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

    #[test]
    fn tokens_of_every_age_pass_and_what_is_none_is_told_what_is_wrong() {
        // MTIzNDU2Nzg5MDEyMzQ1Njc4 is 123456789012345678.
        for (second, third) in [(6, 27), (6, 38), (7, 40)] {
            let token = format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.{}.{}", "G".repeat(second), "x".repeat(third));
            assert_eq!(check(&token), Ok(()), "{token}");
            assert_eq!(check(&format!("\"{token}\"")).unwrap_err(), "is wrapped in quotes: leave them out");
            assert!(check(&format!("Bot {token}")).unwrap_err().starts_with("begins with the word Bot"));
        }
        let tail = format!("GGGGGG.{}", "x".repeat(30));
        for wrong in [
            "",
            "your_secret_token_here_really_replace_this",
            &format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.{}", "x".repeat(40)),
            &format!("bm90LWRpZ2l0cy1hdC1hbGw.{tail}"),
            &format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.{tail}.x"),
            &format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.{tail}é"),
            &format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.{tail}{}", "x".repeat(90)),
        ] {
            let reason = check(wrong).unwrap_err();
            assert!(reason.starts_with("does not look like a bot's token"), "{wrong}: {reason}");
            assert!(wrong.is_empty() || !reason.contains(wrong));
        }
    }
}
