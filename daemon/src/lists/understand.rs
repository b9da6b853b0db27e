//! What the fields of a row mean, whoever wrote it.

use super::{Line, Rejected, Row};
use wayhaven_shared::value::{Timestamp, Untrusted, UserId};

/// A field that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The user, named so that nothing else can be meant; the lower, the clearer.
    User(u8),
    /// The user's id or somebody's name.
    Person,
    /// An id: the user's, where nothing else names them.
    Id,
    /// Why.
    Reason,
    /// When it ends.
    Until,
}

impl Field {
    pub(super) const ID: Self = Self::Id;
    pub(super) const REASON: Self = Self::Reason;
    pub(super) const STRICT_ID: Self = Self::User(0);

    /// What a column or key of this name holds, in whatever way it is written: `userId`, `User ID`, `user_id`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let letters = name.chars().filter(char::is_ascii_alphanumeric).take(32);
        let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        Some(match name.as_str() {
            "userid" => Self::User(1),
            "targetid" | "targetuserid" => Self::User(2),
            "memberid" => Self::User(3),
            "banneduserid" | "banneduser" | "bannedid" => Self::User(4),
            "discordid" | "snowflake" => Self::User(5),
            "user" | "target" | "member" => Self::Person,
            "id" => Self::Id,
            "reason" | "banreason" | "auditreason" | "auditlogreason" => Self::Reason,
            "expiresat" | "expires" | "expiry" | "until" => Self::Until,
            _ => return None,
        })
    }

    pub(super) fn is_user(self) -> bool {
        matches!(self, Self::User(_) | Self::Person | Self::Id)
    }
}

/// What a row says.
#[derive(Debug, Default)]
pub(super) struct Told {
    user: Option<(u8, String)>,
    person: Option<String>,
    id: Option<String>,
    reason: Option<String>,
    until: Option<String>,
}

impl Told {
    /// Takes a field's text.
    pub(super) fn say(&mut self, field: Field, text: String) {
        match field {
            Field::User(rank) if self.user.as_ref().is_none_or(|(other, _)| rank < *other) => {
                self.user = Some((rank, text));
            }
            Field::User(_) => {}
            Field::Person => self.person = Some(text),
            Field::Id => self.id = Some(text),
            Field::Reason => self.reason = Some(text),
            Field::Until => self.until = Some(text),
        }
    }

    /// The text that names the user. A person may be an id or a name: where it is none, the id beside it counts.
    fn whom(&mut self) -> String {
        let person = self.person.take();
        let user = self.user.take().map(|(_, text)| text);
        let is_id = |text: &String| text.parse::<UserId>().is_ok();
        user.or_else(|| person.clone().filter(is_id))
            .or_else(|| self.id.take())
            .or(person)
            .unwrap_or_default()
    }
}

/// The first id that Discord can have made: the first millisecond of 2015. What is smaller counts something else.
const FIRST: u64 = 1 << 22;

/// What a row says as a ban.
pub(super) fn row(line: u64, mut told: Told) -> Line {
    let whom = told.whom();
    // With a quote in front spreadsheets keep digits as they are.
    let whom = whom.trim().trim_start_matches('\'');
    let reject = |value: &str, why: String| Line::Rejected(Rejected::new(line, value.as_bytes(), why));
    let user = match whom.parse::<UserId>() {
        Ok(user) if user.get() >= FIRST => user,
        Ok(_) => return reject(whom, "the number is too small for a user's id".into()),
        Err(_) => return reject(whom, no_id(whom).into()),
    };
    let reason = told.reason.filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.contains('\0')) {
        return reject(whom, "the reason holds a zero byte".into());
    }
    let until = match told.until.as_deref().map(str::trim).filter(|until| !until.is_empty()) {
        None => None,
        Some(text) => match text.parse::<Timestamp>() {
            Ok(until) => Some(until),
            // A ban that was to end must not become one that does not.
            Err(_) => return reject(text, "its end is not written like 2026-01-02T03:04:05Z".into()),
        },
    };
    Line::Row(Row { line, user, reason: reason.as_deref().map(Untrusted::clipped), until })
}

/// What is wrong with text that is no id.
fn no_id(text: &str) -> &'static str {
    let is_rounded = text.starts_with(|first: char| first.is_ascii_digit())
        && text.contains(['.', 'E', 'e'])
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".,+Ee".contains(&byte));
    match text {
        "" => "no user is named",
        _ if is_rounded => "a spreadsheet has rounded the id: format the column as text and export again",
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => "the number is too large for a user's id",
        _ => "it is not a user's id",
    }
}
