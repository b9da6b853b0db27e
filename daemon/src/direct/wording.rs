//! What a user is told: what happened, where, why, until when. Nothing of who decided it, and no other guild's name.

use serde_json::{Value, json};
use wayhaven_shared::operations::punishment::{Action, Punishment};
use wayhaven_shared::value::Untrusted;

/// How much of a guild's name is shown: Discord's own bound.
const NAME: usize = 200;

/// How much of a reason is shown, in characters: the whole stays below Discord's 2,000 (FACTS A6).
const REASON: usize = 1_500;

/// The message for a punishment. `network` says that it reaches other guilds too. It is plain text: embeds are not shown to
/// who has turned previews off.
pub fn message(punishment: &Punishment, guild_name: Option<&Untrusted>, network: bool) -> Value {
    let name = guild_name.map(|name| name.markdown(NAME)).filter(|name| !name.is_empty());
    let place = name.map_or_else(|| "a server".to_owned(), |name| format!("**{name}**"));
    let what = match (punishment.action, network) {
        (Action::Warn, false) => format!("You have been warned in {place}."),
        (Action::Warn, true) => {
            format!("You have been warned in {place}. It counts in the servers linked to it too.")
        }
        (action, false) => format!("You have been {} from {place}.", action.past()),
        (action, true) => {
            format!("You have been {} from {place} and from the servers linked to it.", action.past())
        }
    };
    let mut lines = vec![what];
    let reason = punishment.reason.as_ref().map(|reason| reason.markdown(REASON));
    lines.extend(reason.filter(|reason| !reason.is_empty()).map(|reason| format!("Reason: {reason}")));
    // Shown in the reader's own time zone.
    lines.extend(punishment.expires_at.map(|at| format!("It ends <t:{}:f>.", at.millis().div_euclid(1_000))));
    json!({ "content": lines.join("\n"), "allowed_mentions": { "parse": [] } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wayhaven_shared::operations::punishment::Origin;
    use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

    fn punishment(action: Action, reason: Option<&str>, expires_at: Option<Timestamp>) -> Punishment {
        Punishment {
            id: PunishmentId::new(7).unwrap(),
            action,
            guild_id: GuildId::new(100).unwrap(),
            user_id: UserId::new(55).unwrap(),
            moderator_id: UserId::new(9),
            origin: Origin::Command,
            reason: reason.map(Untrusted::clipped),
            status: "active".into(),
            created_at: Timestamp::from_millis(0),
            expires_at,
            evidence: Some("https://example.com/proof".parse().unwrap()),
            because: None,
            operator: None,
        }
    }

    fn content(punishment: &Punishment, name: Option<&str>, network: bool) -> String {
        let name = name.map(Untrusted::clipped);
        let message = message(punishment, name.as_ref(), network);
        assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
        message["content"].as_str().unwrap().to_owned()
    }

    #[test]
    fn it_says_what_where_why_and_until_when_and_nothing_else() {
        let ends = Timestamp::from_millis(1_700_000_000_999);
        let ban = punishment(Action::Ban, Some("spam"), Some(ends));
        assert_eq!(
            content(&ban, Some("Main"), true),
            "You have been banned from **Main** and from the servers linked to it.\nReason: spam\nIt ends <t:1700000000:f>."
        );
        let kick = punishment(Action::Kick, None, None);
        assert_eq!(content(&kick, None, false), "You have been kicked from a server.");
        let warn = punishment(Action::Warn, Some("spam"), None);
        let told = content(&warn, Some("Main"), false);
        assert_eq!(told, "You have been warned in **Main**.\nReason: spam");
        assert!(content(&warn, Some("Main"), true).contains("linked to it"));
    }

    #[test]
    fn fault_32_a_hostile_reason_and_name_are_clean_and_the_whole_is_never_too_long() {
        let hostile = "\u{1b}[31m**bold** @everyone <@55> \u{202e}[x](https://evil.example)\r\n`code`";
        let name = "*x*\n@here";
        let told = content(&punishment(Action::Ban, Some(hostile), None), Some(name), true);
        assert_eq!(told.lines().count(), 2, "{told:?}");
        assert!(!told.contains(['\u{1b}', '\u{202e}', '\r']), "{told:?}");
        for raw in ["@everyone", "@here", "<@55>", "**bold**", "](", "`code`"] {
            assert!(!told.contains(raw), "{raw}: {told:?}");
        }
        for text in ["*".repeat(4_000), "\u{1f600}".repeat(4_000), "@".repeat(4_000)] {
            let told = content(&punishment(Action::Ban, Some(&text), None), Some(&text), true);
            assert!(told.encode_utf16().count() <= 4_000 && told.chars().count() <= 2_000, "{}", told.len());
        }
    }
}
