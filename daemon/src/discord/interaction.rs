//! Interactions: read from INTERACTION_CREATE's data, and turned into requests by way of argv and clap.
//!
//! The payload is read field by field and not into serenity's types: what Discord adds or leaves out must never
//! cost a whole interaction, and a fault names the field without repeating what stood in it, which may be the
//! token.

mod first;
pub mod form;
mod options;
mod request;

pub use first::{FirstAnswer, Ticket};
pub use options::{Leaf, OptionValue};

use self::options::{Path, read_options};
use super::attachment::read_all;
use crate::attachment::{Attachment, LIMIT};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId, Untrusted, UserId};
use wayhaven_shared::{Fault, FaultKind};

/// The secret that lets its holder answer one interaction, for 15 minutes. It never prints itself (fault 33).
#[derive(Clone, PartialEq, Eq)]
pub struct InteractionToken(String);

impl InteractionToken {
    /// A token that no interaction brought.
    #[cfg(test)]
    pub fn new(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// The token, for the path of the request that answers, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InteractionToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("InteractionToken(…)")
    }
}

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InteractionKind {
    /// Sent a command: type 2.
    Command,
    /// Pressed a button or chose from a menu: type 3.
    Component,
    /// Is typing an argument: type 4.
    Autocomplete,
    /// Sent a form: type 5.
    Modal,
    /// Something this version does not know.
    Other(u64),
}

/// Roles and permissions in one guild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Roles, without @everyone.
    pub roles: Vec<RoleId>,
    /// The effective permission bits in the interaction's channel.
    pub permissions: u64,
}

/// Who asks, as Discord vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// Their id.
    pub user: UserId,
    /// Their name on Discord.
    pub name: Untrusted,
    /// What they are in the guild; nothing in a direct message.
    pub membership: Option<Membership>,
}

/// One interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// Its snowflake.
    pub id: u64,
    /// The application it is for.
    pub application_id: u64,
    /// What was done.
    pub kind: InteractionKind,
    /// What answers it.
    pub token: InteractionToken,
    /// Where; nothing in a direct message.
    pub guild_id: Option<GuildId>,
    /// The channel.
    pub channel_id: Option<ChannelId>,
    /// Who asks.
    pub invoker: Invoker,
    /// Their language, as in `en-GB`.
    pub locale: Option<Untrusted>,
    /// The operation's words, as in `setup add-child`; empty where it is no command.
    pub operation: String,
    /// The command's type: 1 for a slash command, 2 and 3 for context menus; 0 where it is no command.
    pub command_kind: u64,
    /// The arguments.
    pub options: Vec<Leaf>,
    /// On whom an entry of the users' context menu was used.
    pub target: Option<UserId>,
    /// What they are called.
    pub target_name: Option<Untrusted>,
    /// What a button, a menu or a form of ours is called.
    pub custom_id: Option<String>,
    /// What was filled into a form, by the names of its fields.
    pub fields: Vec<(String, String)>,
    resolved: BTreeMap<UserId, Membership>,
    attachments: BTreeMap<u64, Attachment>,
    /// The most bytes that a file in its answer may have.
    pub attachment_limit: u64,
}

impl Interaction {
    /// Reads `d` of an INTERACTION_CREATE from its text.
    ///
    /// # Errors
    /// Names the field that is missing or malformed, never its value.
    pub fn parse(payload: &str) -> Result<Self, Fault> {
        let payload: Value =
            serde_json::from_str(payload).map_err(|_| unreadable("the payload as a whole"))?;
        Self::from_value(&payload)
    }

    /// Reads `d` of an INTERACTION_CREATE.
    ///
    /// # Errors
    /// Names the field that is missing or malformed, never its value.
    pub fn from_value(payload: &Value) -> Result<Self, Fault> {
        let kind = match payload["type"].as_u64().ok_or_else(|| unreadable("type"))? {
            2 => InteractionKind::Command,
            3 => InteractionKind::Component,
            4 => InteractionKind::Autocomplete,
            5 => InteractionKind::Modal,
            other => InteractionKind::Other(other),
        };
        let token = payload["token"].as_str().filter(|token| is_path_safe(token));
        let data = &payload["data"];
        let is_command = matches!(kind, InteractionKind::Command | InteractionKind::Autocomplete);
        let (Path { words, leaves }, command_kind) = match is_command {
            true => (
                read_options(data)?,
                // Discord always says it; a slash command is what everything was before there were others.
                data.get("type").map_or(Some(1), Value::as_u64).ok_or_else(|| unreadable("data.type"))?,
            ),
            false => (Path::default(), 0),
        };
        let target = match command_kind {
            OF_USER => snowflake(&data["target_id"]).and_then(UserId::new),
            _ => None,
        };
        Ok(Self {
            id: snowflake(&payload["id"]).ok_or_else(|| unreadable("id"))?,
            application_id: snowflake(&payload["application_id"])
                .ok_or_else(|| unreadable("application_id"))?,
            kind,
            token: InteractionToken(token.ok_or_else(|| unreadable("token"))?.to_owned()),
            guild_id: optional(payload, "guild_id")?.and_then(GuildId::new),
            channel_id: optional(payload, "channel_id")?.and_then(ChannelId::new),
            invoker: invoker(payload)?,
            locale: payload["locale"].as_str().map(Untrusted::clipped),
            operation: words.join(" "),
            command_kind,
            options: leaves,
            target,
            target_name: target.and_then(|user| {
                let users = &data["resolved"]["users"];
                users[user.to_string()]["username"].as_str().map(Untrusted::clipped)
            }),
            custom_id: data["custom_id"].as_str().map(str::to_owned),
            fields: fields(data),
            resolved: resolved(&data["resolved"]["members"])?,
            attachment_limit: payload["attachment_size_limit"].as_u64().unwrap_or(LIMIT),
            attachments: read_all(&data["resolved"]["attachments"])?,
        })
    }

    /// Roles and permissions of a member that an argument names, as Discord sent them along; nothing for
    /// somebody who is no member here.
    pub fn resolved_member(&self, user: UserId) -> Option<&Membership> {
        self.resolved.get(&user)
    }

    /// The members that arguments name.
    pub fn resolved(&self) -> impl Iterator<Item = (UserId, &Membership)> {
        self.resolved.iter().map(|(user, member)| (*user, member))
    }

    /// The file that came with it: no operation takes several.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.attachments.values().next()
    }

    /// Whether it is answered by a form: then it must not be deferred.
    pub fn opens_form(&self) -> bool {
        self.kind == InteractionKind::Command && self.command_kind == OF_USER
    }

    /// The argument being typed: its name and the text so far.
    pub fn focused(&self) -> Option<(&str, String)> {
        self.options.iter().find(|leaf| leaf.focused).map(|leaf| (leaf.name.as_str(), leaf.value.text()))
    }
}

/// The type of a command in the context menu on users (FACTS A9).
const OF_USER: u64 = 2;

/// The text inputs of a form: rows with one each, or labels around one.
fn fields(data: &Value) -> Vec<(String, String)> {
    let rows = data["components"].as_array().into_iter().flatten();
    let inputs = rows.flat_map(|row| {
        let in_row = row["components"].as_array().into_iter().flatten();
        in_row.chain(std::iter::once(&row["component"]))
    });
    let field =
        |input: &Value| Some((input["custom_id"].as_str()?.to_owned(), input["value"].as_str()?.to_owned()));
    inputs.filter_map(field).collect()
}

/// A payload that cannot be read. Discord's doing or an attacker's, so no word of it is repeated.
pub(super) fn unreadable(field: &str) -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        format!("Discord sent an interaction that cannot be read: {field} is missing or malformed"),
    )
}

fn snowflake(value: &Value) -> Option<u64> {
    let text = value.as_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    // The bound that every id of ours has: what SQLite can hold.
    text.parse().ok().filter(|id| (1..=i64::MAX as u64).contains(id))
}

/// A snowflake that may be absent or null, but not be anything else.
fn optional(object: &Value, field: &str) -> Result<Option<u64>, Fault> {
    match &object[field] {
        Value::Null => Ok(None),
        value => snowflake(value).map(Some).ok_or_else(|| unreadable(field)),
    }
}

/// The token becomes part of a URL's path, so nothing may be in it that would lead elsewhere.
fn is_path_safe(token: &str) -> bool {
    !token.is_empty()
        && token.len() <= 1_024
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
        && !token.bytes().all(|byte| byte == b'.')
}

fn invoker(payload: &Value) -> Result<Invoker, Fault> {
    let member = &payload["member"];
    let (user, membership) = match member {
        Value::Null => (&payload["user"], None),
        member => (&member["user"], Some(membership(member, "member")?)),
    };
    let name = [&user["global_name"], &user["username"]].into_iter().find_map(Value::as_str);
    Ok(Invoker {
        user: snowflake(&user["id"]).and_then(UserId::new).ok_or_else(|| unreadable("the user's id"))?,
        name: Untrusted::clipped(name.unwrap_or_default()),
        membership,
    })
}

/// Both parts are required: a missing one must not read as *no roles* or *no permissions*, for hierarchy and
/// authority are judged by them.
fn membership(member: &Value, field: &str) -> Result<Membership, Fault> {
    let roles = member["roles"].as_array().and_then(|roles| {
        roles.iter().map(|role| snowflake(role).and_then(RoleId::new)).collect::<Option<Vec<_>>>()
    });
    let permissions = member["permissions"].as_str().and_then(|bits| bits.parse().ok());
    Ok(Membership {
        roles: roles.ok_or_else(|| unreadable(&format!("{field}.roles")))?,
        permissions: permissions.ok_or_else(|| unreadable(&format!("{field}.permissions")))?,
    })
}

fn resolved(members: &Value) -> Result<BTreeMap<UserId, Membership>, Fault> {
    let members = match members {
        Value::Null => return Ok(BTreeMap::new()),
        members => members.as_object().ok_or_else(|| unreadable("data.resolved.members"))?,
    };
    let read = |(id, member): (&String, &Value)| {
        let user = id.parse().map_err(|_| unreadable("data.resolved.members"))?;
        Ok((user, membership(member, "data.resolved.members")?))
    };
    members.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
