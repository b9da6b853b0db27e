//! Whether a text looks like a bot's token. No fault of this module repeats any of it (fault 33).

use wayhaven_shared::redaction::is_bot_token;

/// Discord's page with the token.
pub(crate) const PAGE: &str = "https://discord.com/developers/applications";

/// Why a text is no token; the caller names where it stands.
///
/// Only the form, as [`is_bot_token`] knows it.
pub(crate) fn check(token: &str) -> Result<(), String> {
    let quoted = ['"', '\'', '`'].iter().any(|quote| token.starts_with(*quote) || token.ends_with(*quote));
    if quoted {
        return Err("is wrapped in quotes: leave them out".into());
    }
    if token.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("bot ")) {
        return Err("begins with the word Bot: leave it out, it is added where it belongs".into());
    }
    if is_bot_token(token) {
        return Ok(());
    }
    Err(format!(
        "does not look like a bot's token, which is three parts with dots between and 50 to 120 characters: \
         copy it again from the page Bot of your application at {PAGE}"
    ))
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
