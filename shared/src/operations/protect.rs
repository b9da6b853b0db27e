//! `protect`: users and roles that nobody may punish.

use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, JobId, PageSize, ProtectionId, RoleId, Timestamp, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

// Two options and not one for both: on Discord each is picked from its own list, and on the command line a bare number
// does not say whether it is a user or a role.

/// Protect a user, or whoever holds a role: nobody may punish them here any more
///
/// Of a main nothing is delivered anywhere for them; a child's own list keeps what mains decide out of that child. What
/// takes back is never hindered. What was done to them before stays.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProtectAdd {
    /// Protect this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Protect whoever holds this role of this guild
    #[arg(long, value_name = "ROLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// Why, for those who read the list
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Untrusted>,
}

/// Take a user or a role off the list: they may be punished again
///
/// What was not delivered because of the list stays undelivered: the reply counts it. To deliver it, issue it again.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProtectRemove {
    /// This user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// This role, also where the guild has it no more
    #[arg(long, value_name = "ROLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
}

/// The protected users and roles, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProtectList {
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this line, as the page before said
    #[arg(long, value_name = "PROTECTION")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<ProtectionId>,
}

/// A user or a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Protected {
    /// A user.
    User(UserId),
    /// Whoever holds a role.
    Role(RoleId),
}

impl Protected {
    /// `user` or `role`, as in the store and in JSON.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Role(_) => "role",
        }
    }

    /// Its id, for people.
    pub fn id(self) -> String {
        match self {
            Self::User(user) => user.to_string(),
            Self::Role(role) => role.to_string(),
        }
    }

    fn text(self) -> Text {
        match self {
            Self::User(user) => user.into(),
            Self::Role(role) => role.to_string().into(),
        }
    }
}

/// A line of a guild's list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProtectedLine {
    /// Its number.
    pub id: ProtectionId,
    /// Whose list it stands on.
    pub guild_id: GuildId,
    /// Who is protected.
    pub protected: Protected,
    /// Why.
    pub note: Option<Untrusted>,
    /// Who put it there; nothing for an operator.
    pub by: Option<UserId>,
    /// Since when.
    pub since: Timestamp,
}

/// A page of protected users and roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protections {
    /// Newest first.
    pub protected: Vec<ProtectedLine>,
    /// Where the next page starts.
    pub next: Option<ProtectionId>,
}

impl Reported for Protections {
    fn report(&self) -> Report {
        let headers = ["id", "guild", "kind", "who", "since (UTC)", "by", "note"];
        let mut table = Table::new(headers, "nobody is protected");
        for line in &self.protected {
            table.push([
                line.id.to_string().into(),
                line.guild_id.into(),
                line.protected.kind().into(),
                line.protected.text().into(),
                Text::short(line.since).into(),
                line.by.map_or_else(|| Text::from("operator"), Text::from).into(),
                Cell::from(line.note.as_ref()),
            ]);
        }
        Report::new(format!("{} protected", self.protected.len()), Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}

/// What `protect add` and `protect remove` did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProtectionChanged {
    /// The guild whose list it is.
    pub guild_id: GuildId,
    /// Who it is about.
    pub protected: Protected,
    /// Whether they are protected from now on, or were so already.
    pub is_protected: bool,
    /// Whether that is new.
    pub changed: bool,
    /// Whether the guild is a main: then it holds for everything that it delivers.
    pub network: bool,
    /// Whether it is not known who holds the role, since Discord does not tell: the members intent is not granted.
    #[serde(default)]
    pub holders_unknown: bool,
    /// How many punishments in force stay undelivered because of the line.
    #[serde(default)]
    pub undelivered: u64,
    /// Jobs that compare the guilds where the line was in force, because Discord alone knows who
    /// holds a role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobId>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for ProtectionChanged {
    fn report(&self) -> Report {
        let title = match (self.changed, self.is_protected, self.dry_run) {
            (false, true, _) => "protected already: nothing changed",
            (false, false, _) => "was not protected: nothing changed",
            (true, true, true) => "nothing was changed: it would be protected",
            (true, false, true) => "nothing was changed: it would not be protected any more",
            (true, true, false) => "protected",
            (true, false, false) => "not protected any more",
        };
        let reach = match (self.is_protected, self.network) {
            (true, true) => "nobody may punish them here, and nothing is delivered to any child for them",
            (true, false) => "nobody may punish them here, and nothing of a main reaches them here",
            (false, _) => "they may be punished like everybody",
        };
        let report = Report::new(title, Tone::Good)
            .field("Guild", self.guild_id)
            .field(
                match self.protected {
                    Protected::User(_) => "User",
                    Protected::Role(_) => "Role",
                },
                self.protected.text(),
            )
            .field("From now on", reach);
        let jobs: Vec<String> = self.jobs.iter().map(ToString::to_string).collect();
        let report = match jobs.as_slice() {
            [] => report,
            jobs => report.field("Compared by", format!("job {}", jobs.join(", "))),
        };
        if self.undelivered == 0 {
            return report;
        }
        let (kept, where_to) = match self.network {
            true => (format!("{} punishments, to any child", self.undelivered), "this guild"),
            false => (format!("{} punishments of mains, to this guild", self.undelivered), "its main"),
        };
        report.field("Not delivered", kept).hint(format!(
            "to deliver them, issue each again in {where_to}: `wayhaven ban USER --guild GUILD`, or mute, timeout"
        ))
    }

    fn jobs(&self) -> Vec<JobId> {
        self.jobs.clone()
    }

    fn warnings(&self) -> Vec<String> {
        let warning = "Discord does not tell Wayhaven who holds the role: what is done by hand in Discord cannot be judged \
            by it, and is propagated; switch on Server Members Intent on the application's page Bot";
        self.holders_unknown.then(|| warning.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_is_kind_and_id_on_the_wire() {
        let user = Protected::User(UserId::new(7).unwrap());
        let wire = serde_json::json!({"kind": "user", "id": "7"});
        assert_eq!(serde_json::to_value(user).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Protected>(wire).unwrap(), user);
    }
}
