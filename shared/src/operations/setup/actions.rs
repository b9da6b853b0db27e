//! What a link lets through.

use crate::operations::punishment::Action;
use crate::value::{Malformed, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The word for an empty list.
const NONE: &str = "none";

/// The actions that may be delivered along a link: words with commas or blanks between, or `none`. An undo is not
/// named: it is allowed wherever its action is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedActions(Vec<Action>);

text_on_the_wire!(AllowedActions);

impl AllowedActions {
    /// Everything that can be delivered: what a link allows where nobody says otherwise.
    pub fn all() -> Self {
        Self::of(&Action::ALL)
    }

    /// Those of the actions that are no undo, each once and in one order.
    pub fn of(actions: &[Action]) -> Self {
        Self(Action::ALL.into_iter().filter(|action| !action.is_undo() && actions.contains(action)).collect())
    }

    /// The actions.
    pub fn as_slice(&self) -> &[Action] {
        &self.0
    }
}

impl FromStr for AllowedActions {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let words: Vec<&str> = text.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        let known = || Self::all().to_string();
        if words == [NONE] {
            return Ok(Self(Vec::new()));
        }
        if words.is_empty() || words.contains(&NONE) {
            return Err(Malformed(format!("a list of actions is {}, or {NONE} by itself", known())));
        }
        let read = |word: &&str| match Action::from_word(word) {
            Some(action) if action.is_undo() => Err(Malformed(format!(
                "{word} is not listed: it is allowed wherever {} is",
                action.measure()
            ))),
            Some(action) => Ok(action),
            None => Err(Malformed(format!("an action is one of {}, or {NONE} for no action", known()))),
        };
        Ok(Self::of(&words.iter().map(read).collect::<Result<Vec<_>, _>>()?))
    }
}

impl fmt::Display for AllowedActions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return out.write_str(NONE);
        }
        let words: Vec<&str> = self.0.iter().map(|action| action.word()).collect();
        out.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_words_without_undos_or_none_by_itself() {
        let read = |text: &str| text.parse::<AllowedActions>().map(|list| list.to_string());
        for (text, as_read) in
            [("ban", "ban"), (" ban , ban ", "ban"), ("warn kick ban", "ban,kick,warn"), ("none", "none")]
        {
            assert_eq!(read(text).unwrap(), as_read, "{text:?}");
        }
        for (text, why) in [
            ("", "or none by itself"),
            (" , ", "or none by itself"),
            ("none,ban", "or none by itself"),
            ("unban", "wherever ban is"),
            ("ban,unban", "wherever ban is"),
            ("bann", "one of ban"),
            ("Ban", "one of ban"),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains(why), "{text:?}: {refused}");
        }
    }

    #[test]
    fn the_wire_holds_the_same_check() {
        assert_eq!(serde_json::to_string(&AllowedActions::all()).unwrap(), "\"ban,kick,mute,timeout,warn\"");
        assert!(serde_json::from_str::<AllowedActions>("\"unban\"").is_err());
        assert!(serde_json::from_str::<AllowedActions>("\"\"").is_err());
    }
}
