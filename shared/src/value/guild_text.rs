//! How somebody names a guild.

use super::{GuildId, Malformed, Untrusted, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A guild's id, its name, or the beginning of its name. The daemon knows the guilds, and finds out which one is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuildText(String);

impl GuildText {
    /// The longest text, in characters: Discord's own bound for a guild's name.
    pub const LONGEST: usize = 100;

    /// The id, where the text is one.
    pub fn id(&self) -> Option<GuildId> {
        self.0.parse().ok()
    }

    /// The text as names are compared: without regard to upper and lower case.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// A name as names are compared.
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}

impl From<GuildId> for GuildText {
    fn from(guild: GuildId) -> Self {
        Self(guild.to_string())
    }
}

impl FromStr for GuildText {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        // Clean as it is shown: a guild's name is compared as people see it.
        let line = Untrusted::clipped(text).line();
        let length = line.chars().count();
        if (1..=Self::LONGEST).contains(&length) {
            return Ok(Self(line));
        }
        Err(Malformed(format!("a guild is its id, or up to {} characters of its name", Self::LONGEST)))
    }
}

impl fmt::Display for GuildText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

text_on_the_wire!(GuildText);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_taken_and_nothing_empty_or_endless() {
        let read = |text: &str| text.parse::<GuildText>();
        assert_eq!(read(" 100 ").unwrap().id().unwrap().get(), 100);
        assert_eq!(read("<guild:100>").unwrap().id().unwrap().get(), 100);
        let name = read("Pixel\u{202e} Forge").unwrap();
        assert_eq!((name.id(), name.folded()), (None, "pixel forge".to_owned()));
        assert!(read(" \u{200b}").is_err() && read(&"x".repeat(101)).is_err());
        assert!(serde_json::from_str::<GuildText>("\"\"").is_err());
        let sent = serde_json::to_value(GuildText::from(GuildId::new(100).unwrap())).unwrap();
        assert_eq!(sent, "100", "as a client sends it that knows no names");
    }
}
