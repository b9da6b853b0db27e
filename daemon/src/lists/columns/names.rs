//! Names of columns and their meaning.

use super::words::{
    ACTORS, ACTS, BESIDE, CREATED, DETAILS, ENDS, LENGTHS, LIFTED, NAMES, NOTES, PLACES, STATES, TYPE_OWNERS,
    UNITS, ZONES,
};
use std::sync::Arc;
use wayhaven_shared::value::Untrusted;

/// The longest part of a name that is looked at, in characters.
const LONGEST_NAME: usize = 64;

/// A name from a file as it is shown: one clean line.
pub(in super::super) fn clean(name: &str) -> Arc<str> {
    Arc::from(Untrusted::clipped(name.trim()).line_within(LONGEST_NAME))
}

/// The meaning of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Field {
    /// The id of the banned user.
    User,
    /// The banned user, as an id or as a name.
    Person,
    /// A mention of the banned user.
    Mention,
    /// An id: the id of the user if no other column names the user.
    Id,
    Reason,
    /// When the ban ends.
    Until,
    /// How long the ban lasts, in units of so many seconds if the name says so.
    Length(Option<u64>),
    /// How long the ban still lasted when the file was written.
    Left,
    /// When the row was made. The lowest rank counts.
    Created(u8),
    /// The number of the case.
    Case,
    /// What was done: a ban, a warning, an unban.
    Type,
    /// Whether the ban is in force.
    InForce,
    /// Whether, when or by whom the ban was lifted.
    Lifted,
    /// The status in words.
    Status,
    /// Whether the ban has no end.
    Permanent,
    /// Whether the ban has an end.
    Temporary,
    /// Free text beside the reason: not read, but a state that is its whole text, or begins it, is not passed over.
    Note,
    /// The zone of the row's times.
    Zone,
    /// Known, and of no importance for a ban.
    Irrelevant,
    /// Left out because the operator said so.
    Ignored,
    Unknown,
}

impl Field {
    /// The meaning of a column with this name, in whatever way it is written: `userId`, `User ID`, `user_id`.
    pub(in super::super) fn named(name: &str) -> Self {
        let tokens = tokens(name);
        let joined = tokens.concat();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        // A time in a zone that is not read.
        if tokens.len() > 1 && tokens.iter().any(|token| ZONES.contains(token)) {
            return Self::Unknown;
        }
        exact(&joined).unwrap_or_else(|| by_tokens(&tokens, &joined))
    }

    pub(in super::super) fn is_user(self) -> bool {
        matches!(self, Self::User | Self::Person | Self::Mention | Self::Id)
    }

    /// Whether a missing cell of this column may hide that the ban is limited.
    pub(in super::super) fn limits(self) -> bool {
        matches!(
            self,
            Self::Until
                | Self::Length(_)
                | Self::Left
                | Self::Type
                | Self::InForce
                | Self::Lifted
                | Self::Status
                | Self::Permanent
                | Self::Temporary
        )
    }

    /// The word for it in a report; nothing where it is ignored.
    pub(super) fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::User | Self::Person | Self::Mention | Self::Id => "user",
            Self::Reason => "reason",
            Self::Until => "end",
            Self::Length(_) | Self::Left => "length",
            Self::Created(_) => "date",
            Self::Case => "case number",
            Self::Type => "type",
            Self::InForce | Self::Lifted | Self::Status => "status",
            Self::Permanent | Self::Temporary => "whether it ends",
            Self::Zone => "zone",
            Self::Note | Self::Irrelevant | Self::Ignored | Self::Unknown => return None,
        })
    }
}

/// The words of a name in small letters: `userId`, `User ID` and `user_id` have the same two.
pub(super) fn tokens(name: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let (mut inside, mut lower) = (false, false);
    for letter in name.chars().take(LONGEST_NAME) {
        if !letter.is_alphanumeric() {
            inside = false;
            continue;
        }
        if !inside || (letter.is_uppercase() && lower) {
            tokens.push(String::new());
        }
        (inside, lower) = (true, letter.is_lowercase());
        if let Some(last) = tokens.last_mut() {
            last.extend(letter.to_lowercase());
        }
    }
    tokens
}

fn exact(joined: &str) -> Option<Field> {
    Some(match joined {
        "userid" | "targetid" | "targetuserid" | "memberid" | "banneduserid" | "bannedid"
        | "bannedmemberid" | "discordid" | "discorduserid" | "userdiscordid" | "snowflake" | "offenderid"
        | "offenderuserid" | "victimid" | "punishedid" | "punisheduserid" | "subjectid" | "accountid"
        | "uid" | "recipientid" | "usersnowflake" => Field::User,
        "user" | "target" | "member" | "banneduser" | "bannedmember" | "offender" | "victim" | "punished"
        | "punisheduser" | "subject" | "account" | "targetuser" | "who" | "whom" | "recipient" => {
            Field::Person
        }
        "mention" | "usermention" | "membermention" => Field::Mention,
        "id" => Field::Id,
        "reason" | "banreason" | "auditreason" | "auditlogreason" | "grund" | "motivo" | "raison" => {
            Field::Reason
        }
        "case" | "caseid" | "caseno" | "casenum" | "casenumber" | "caseindex" | "no" | "nr" | "num"
        | "number" | "index" => Field::Case,
        "type" | "action" | "kind" | "event" | "punishment" | "sanction" | "penalty" | "infraction"
        | "command" | "operation" | "actiontaken" | "modaction" | "moderationaction" | "auditlogevent"
        | "logevent" | "eventname" | "actionname" | "typ" | "aktion" | "strafe" | "tipo" | "accion"
        | "sancion" | "measure" => Field::Type,
        "active" | "isactive" | "enabled" | "isenabled" | "valid" | "isvalid" | "current" | "iscurrent"
        | "banned" | "isbanned" | "ban" | "inforce" | "ineffect" | "aktiv" => Field::InForce,
        "status" | "state" | "banstatus" | "banstate" | "casestatus" => Field::Status,
        "permanent" | "ispermanent" | "perm" | "isperm" | "perma" | "permaban" | "permban" => {
            Field::Permanent
        }
        "temporary" | "istemporary" | "temp" | "istemp" | "tempban" | "istempban" | "timed" => {
            Field::Temporary
        }
        "bannedat" | "bandate" | "bantime" | "bannedon" | "dateofban" | "bantimestamp" | "issuedat"
        | "issued" | "issuedon" | "punishedat" => Field::Created(0),
        "createdat" | "created" | "createdon" | "datecreated" | "createddate" | "createdtimestamp"
        | "creationdate" | "creation" | "date" | "time" | "datetime" | "timestamp" | "ts" | "when" | "at"
        | "added" | "addedat" | "dateadded" | "start" | "starts" | "startsat" | "startedat" | "startdate"
        | "starttime" | "begin" | "begins" | "since" | "loggedat" | "datum" | "fecha" => Field::Created(1),
        "expires" | "expiresat" | "expiry" | "until" => Field::Until,
        "communicationdisableduntil" => Field::Irrelevant,
        "timezone" | "tz" | "zone" | "utcoffset" | "offset" | "zeitzone" => Field::Zone,
        _ => return None,
    })
}

fn by_tokens(tokens: &[&str], joined: &str) -> Field {
    let any = |words: &[&str]| tokens.iter().any(|token| words.contains(token));
    let unit = || {
        let is_in = |words: &[&str]| tokens.iter().any(|token| words.contains(token));
        UNITS.into_iter().find(|(words, _)| is_in(words)).map(|(_, seconds)| seconds)
    };
    let last = tokens.last().copied().unwrap_or_default();
    let all_of = |lists: &[&[&str]]| tokens.iter().all(|token| lists.iter().any(|list| list.contains(token)));
    let is_about_act = || any(&TYPE_OWNERS) || any(&ACTORS) || any(&["staff", "bot", "last", "auto"]);
    if tokens.len() > 1 && ACTS.contains(&last) && is_about_act() {
        return Field::Type;
    }
    if ["name", "tag", "label", "title", "kind"].contains(&last) && any(&ACTS) {
        return Field::Type;
    }
    if any(&STATES) && all_of(&[&STATES, &BESIDE]) {
        return Field::InForce;
    }
    if any(&["over"]) && all_of(&[&["over"], &BESIDE]) {
        return Field::Lifted;
    }
    let beside_reason = ["for", "of", "the", "mod", "moderator", "staff", "public", "reason"];
    if any(&["reason"]) && all_of(&[&beside_reason, &BESIDE, &TYPE_OWNERS]) {
        return Field::Reason;
    }
    // How much of the messages a ban deleted, or what else the user was given.
    let deletes = any(&["delete", "deleted", "purge", "purged"])
        && (any(&PLACES) || unit().is_some() || any(&["messages", "history"]));
    if deletes || any(&["mute", "muted", "timeout", "communication"]) {
        return Field::Irrelevant;
    }
    // In a name of one word, as `isexpired`: `expire_date` holds these letters too.
    let in_one_word = tokens.len() == 1 && (joined.contains("unbanned") || joined.ends_with("expired"));
    let lifted = any(&LIFTED) || in_one_word;
    let plans = any(&ENDS) && !any(&DETAILS);
    if lifted && !(plans && any(&["unban"]) && tokens.len() > 1) {
        return Field::Lifted;
    }
    let is_time = any(&["time", "duration"]) || unit().is_some();
    if any(&["remaining"])
        || (any(&["left"]) && is_time)
        || (any(&ENDS) && tokens.last() == Some(&"in"))
        || joined == "expiresin"
    {
        return Field::Left;
    }
    if any(&ENDS) && any(&DETAILS) {
        return Field::Lifted;
    }
    let says = |words: &[&str]| words.iter().any(|word| joined.contains(word));
    if any(&ENDS) || says(&["until", "expir", "unban", "enddate", "endtime", "endsat", "banend"]) {
        return Field::Until;
    }
    if any(&LENGTHS) || says(&["duration", "banlength"]) {
        return Field::Length(if any(&["ms", "millis", "milliseconds"]) { Some(0) } else { unit() });
    }
    if tokens.len() == 1 && joined.len() > 1 && unit().is_some() || (any(&["ban"]) && unit().is_some()) {
        return Field::Length(unit());
    }
    if NOTES.contains(&last) && !any(&["type", "status", "state"]) {
        return Field::Note;
    }
    if any(&ACTORS) || any(&PLACES) || any(&NAMES) || says(&["username", "moderator", "nickname"]) {
        return Field::Irrelevant;
    }
    if any(&CREATED) {
        return Field::Created(9);
    }
    Field::Unknown
}
