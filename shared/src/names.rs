//! Names of users and guilds, beside the ids that a reply or a page of events mentions.
//!
//! Replies carry ids only. The daemon looks at what a reply's report mentions and sends the names that it knows along
//! with it; [`Report::name`](crate::Report::name) then puts each name beside its id. A name is hostile text.

mod prose;

pub use prose::{quoted, with_names};

use crate::value::{GuildId, Untrusted, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most characters of a name that are shown: Discord's own bound for users; guilds may have longer names.
pub const SHOWN: usize = 32;

/// Names, by id. An id without an entry has no name that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Of users: the account's unique name, not the display name that anybody can choose.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<UserId, Untrusted>,
    /// Of guilds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guilds: BTreeMap<GuildId, Untrusted>,
}

impl Names {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.guilds.is_empty()
    }

    /// Adds others; of two names of the same id the other one counts.
    pub fn add(&mut self, others: Self) {
        self.users.extend(others.users);
        self.guilds.extend(others.guilds);
    }

    /// A user as `name (id)`, or the id alone.
    pub fn user(&self, user: UserId) -> String {
        beside(self.users.get(&user), &user.to_string())
    }

    /// A guild as `name (id)`, or the id alone.
    pub fn guild(&self, guild: GuildId) -> String {
        beside(self.guilds.get(&guild), &guild.to_string())
    }
}

/// `name (id)` on one clean line; the id alone where there is no name that anybody could see.
pub fn beside(name: Option<&Untrusted>, id: &str) -> String {
    match name.map(|name| name.line_within(SHOWN)).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    }
}

/// The ids that a report mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Users.
    pub users: BTreeSet<UserId>,
    /// Guilds.
    pub guilds: BTreeSet<GuildId>,
    /// Numbers in running text that are a user's or a guild's id. They are looked up among known names, and nobody is
    /// asked for them: people can write any number.
    pub quoted: BTreeSet<u64>,
}

impl Mentions {
    /// Adds the ids in running text.
    pub fn quote(&mut self, text: &str) {
        self.quoted.extend(quoted(text));
    }

    /// Whether nothing is mentioned.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.guilds.is_empty() && self.quoted.is_empty()
    }
}
