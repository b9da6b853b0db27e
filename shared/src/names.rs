//! Names of users and guilds, beside the ids that a reply or a page of events mentions.
//!
//! Replies carry ids only. The daemon looks at what a reply's report mentions and sends the names that it knows along
//! with it; [`Report::name`](crate::Report::name) then puts each name beside its id. A name is hostile text.

mod prose;

pub use prose::{quoted, with_names};

use crate::Fault;
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

    /// The fault with names beside the ids in its text.
    pub fn in_fault(&self, fault: Fault) -> Fault {
        if self.is_empty() {
            return fault;
        }
        Fault {
            kind: fault.kind,
            message: with_names(&fault.message, self, false),
            hints: fault.hints.iter().map(|hint| with_names(hint, self, true)).collect(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Outcome;
    use crate::event::Watched;
    use crate::report::{Report, Table, Text, Tone};
    use crate::value::Timestamp;
    use serde_json::json;

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn names() -> Names {
        serde_json::from_value(json!({ "users": { "55": "al\u{202e}ice" }, "guilds": { "100": "Main" } }))
            .unwrap()
    }

    #[test]
    fn every_place_of_a_report_says_what_it_mentions_and_gets_names() {
        let guild = GuildId::new(100).unwrap();
        let mut table = Table::new(["who", "why"], "none").titled(Text::from("main ") + guild);
        table.push([user(55).into(), Text::prose("user 7 in guild 100").into()]);
        let whom = Text::list([user(55), user(56)].map(Text::from));
        let mut report = Report::new(Text::from("banned ") + user(55) + ", done", Tone::Good)
            .field("Guild", guild)
            .field("Whom", whom)
            .table(table)
            .hint("guild 100 wants: wayhaven sync approve 1 --guild 100");
        let mentions = report.mentions();
        assert_eq!(mentions.users, [user(55), user(56)].into());
        assert_eq!((mentions.guilds, mentions.quoted), ([guild].into(), [7, 100].into()));
        report.name(&names());
        assert_eq!(report.title, "banned alice (55), done");
        let fields: Vec<String> = report.fields.iter().map(|(_, cell)| cell.text.line()).collect();
        assert_eq!(fields, ["Main (100)", "alice (55), 56"]);
        let table = &report.tables[0];
        assert_eq!(table.title.as_ref().unwrap().line(), "main Main (100)");
        let row: Vec<String> = table.rows[0].iter().map(|cell| cell.text.line()).collect();
        assert_eq!(row, ["alice (55)", "user 7 in guild Main (100)"]);
        assert_eq!(report.hints, ["guild Main (100) wants: wayhaven sync approve 1 --guild 100"]);
        // Naming it again changes nothing.
        assert_eq!(report.clone().named(&names()), report);
    }

    #[test]
    fn a_daemon_that_sends_no_names_is_understood_and_none_are_sent_where_there_are_none() {
        let old = json!({ "operation": "status", "data": {} });
        let outcome: Outcome = serde_json::from_value(old).unwrap();
        assert!(outcome.names.is_empty());
        assert!(serde_json::to_value(&outcome).unwrap().get("names").is_none());
        let old = json!({ "events": [], "cursor": { "epoch": "e", "sequence": 1 }, "gap": false });
        assert!(serde_json::from_value::<Watched>(old).unwrap().names.is_empty());
        let sent = serde_json::to_value(Outcome { names: names(), ..outcome }).unwrap();
        assert_eq!(sent["names"]["guilds"], json!({ "100": "Main" }));
    }

    #[test]
    fn an_actor_is_a_user_where_the_audit_has_an_id_and_times_have_their_zone() {
        let of = |actor: &str| Text::actor(&Untrusted::clipped(actor));
        assert_eq!(of("55"), Text::from(user(55)));
        assert_eq!(of("unix user 1000").line(), "unix user 1000");
        assert_eq!(of("<@55>").line(), "<@55>");
        let at = Timestamp::from_millis(1_767_323_045_678);
        assert_eq!(Text::short(at).line(), "2026-01-02 03:04:05");
        assert_eq!(Text::from(at).line(), "2026-01-02T03:04:05.678Z");
    }
}
