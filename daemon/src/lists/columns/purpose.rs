//! The kind of list that a column belongs to. A list of members or of levels names users too, and
//! none of them is banned.
//!
//! Invariant: where a column belongs to another kind of list, only rows in which another column
//! says "banned" are bans. A value that denies a ban is no such value, and neither is an empty one.

mod words;

use super::names::Field;
use super::words::{ACTORS, BESIDE, PERSONS, PLACES, TYPE_OWNERS};
use super::{Columns, Kind, Proof, SHOWN_COLUMNS, Seen, flag_value, names, shown};
use crate::lists::values;
use wayhaven_shared::Fault;
use words::{
    BESIDE_BANS, COUNTS, DELETES, LESSER_BANS, MEMBERS, OF_PLACES, OF_PUNISHMENTS, OF_USERS, OTHER_MEASURES,
    RECORD_OWNERS, SAYS_BANNED, SCORES, UNDONE,
};

/// What a column says about the kind of its list, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A value in it says that the user is banned.
    Ban,
    /// The list is about something else: levels, members, tickets.
    Other,
    /// The same, if nothing else in the list belongs to a punishment: bots write it beside bans
    /// too.
    Member,
    /// The same, if the users are named by a column `id` alone, which is then the id of something
    /// else.
    OfRecord,
    /// Nothing.
    Any,
}

impl Purpose {
    /// Of a column with these words in the last part of its name; `in_user` for one within a user's
    /// object.
    pub(super) fn of(field: Field, tokens: &[&str], joined: &str, in_user: bool) -> Self {
        let any = |words: &[&str]| tokens.iter().any(|token| words.contains(token));
        let any_singular = |words: &[&str]| {
            tokens.iter().any(|token| {
                words.contains(token) || token.strip_suffix('s').is_some_and(|one| words.contains(&one))
            })
        };
        if matches!(field, Field::Ignored | Field::Type | Field::Lifted | Field::Permanent | Field::Temporary)
        {
            return Self::Any;
        }
        if any(&DELETES) || joined == "premiumtype" || (in_user && any(&OF_USERS)) {
            return Self::Any;
        }
        let says_ban = any(&SAYS_BANNED) || (tokens.len() == 1 && is_ban_in_one_word(joined));
        if any(&COUNTS) || (says_ban && any(&LESSER_BANS)) {
            return Self::Other;
        }
        if says_ban {
            let is_about_else = any(&UNDONE) || any(&PLACES) || any_singular(&SCORES);
            return if is_about_else { Self::Any } else { Self::Ban };
        }
        if any(&["reporter"]) {
            return Self::Other;
        }
        if any(&["author", "creator"]) {
            return Self::OfRecord;
        }
        if tokens.iter().any(|token| *token != "by" && ACTORS.contains(token)) {
            return Self::Any;
        }
        let is_other = any(&["role", "roles", "messages", "content"])
            || [&OTHER_MEASURES[..], &SCORES, &MEMBERS].into_iter().any(any_singular)
            || is_record_of_another_kind(field, tokens);
        if is_other {
            return Self::Other;
        }
        // The colours of Discord's own user object have two words.
        let is_colour = any(&["color", "colour"]) && tokens.len() > 1;
        match joined {
            _ if any(&BESIDE_BANS) && !is_colour || joined == "membersince" => Self::Member,
            _ if any(&OF_PLACES) => Self::OfRecord,
            _ => Self::Any,
        }
    }
}

/// `bannedat` has no words of its own.
fn is_ban_in_one_word(joined: &str) -> bool {
    (joined.starts_with("banned") && !joined.contains("role"))
        || ["banreason", "bandate", "bantime", "bantimestamp", "banid", "dateofban"].contains(&joined)
}

/// `quest_id`: a number of records that are known for no punishment.
fn is_record_of_another_kind(field: Field, tokens: &[&str]) -> bool {
    let Some((last, owners)) = tokens.split_last().filter(|(_, owners)| !owners.is_empty()) else {
        return false;
    };
    let is_known = |owner: &&str| {
        [&TYPE_OWNERS[..], &PERSONS, &ACTORS, &PLACES, &BESIDE, &RECORD_OWNERS, &BESIDE_BANS]
            .iter()
            .any(|list| list.contains(owner))
    };
    field == Field::Unknown && ["id", "ids", "uuid", "guid"].contains(last) && !owners.iter().all(is_known)
}

/// Whether a text is only a score, or when a member joined: `level 5`, `17 messages, 300 XP`.
pub(in super::super) fn is_score(text: &str) -> bool {
    let words: Vec<String> = text
        .split(|letter: char| letter.is_whitespace() || ",;:=()".contains(letter))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    let is_word = |word: &str| {
        let one = word.strip_suffix('s').unwrap_or(word);
        SCORES.contains(&one) || ["joined", "message", "member", "since", "on", "total"].contains(&one)
    };
    words.iter().any(|word| is_number(word))
        && words.iter().any(|word| is_word(word))
        && words.iter().all(|word| is_number(word) || is_word(word))
}

/// Whether a column that has a value makes its list one of punishments. An end alone does not: a
/// membership has one too.
fn is_of_punishment(name: &str, seen: &Seen) -> bool {
    let lower = name.to_lowercase();
    let is_of_case = ["case", "proof", "evidence"].iter().any(|word| lower.contains(word));
    let names_punishment = || {
        let last = name.rsplit('.').next().unwrap_or(name);
        names::tokens(last).iter().any(|token| OF_PUNISHMENTS.contains(&token.as_str()))
    };
    match seen.field {
        Field::Reason => true,
        Field::Until | Field::Length(_) => seen.purpose == Purpose::Ban || is_of_case || names_punishment(),
        _ => seen.is_of_actors || is_of_case,
    }
}

impl Columns {
    /// Notes that the list itself has a name like "bans".
    pub(in super::super) fn list_is_named(&mut self) {
        self.is_named_bans = true;
    }

    /// Notes that a column holds an object or a list.
    pub(in super::super) fn holds_more(&mut self, name: &str, value: &str) {
        let is_empty = value.bytes().all(|byte| b"[]{} \t\r\n".contains(&byte));
        if let Some(seen) = self.seen.get_mut(name).filter(|_| !is_empty) {
            seen.present += 1;
        }
    }

    /// Whether a value says that the user of its row is banned, or that they are not.
    pub(in super::super) fn says_banned(&self, name: &str, value: &str) -> values::Banned {
        let is_proof = |seen: &&Seen| match self.proof {
            Proof::None => false,
            Proof::Ban => seen.purpose == Purpose::Ban,
            Proof::Punishment => seen.purpose == Purpose::Ban || is_of_punishment(name, seen),
        };
        match self.seen.get(name).filter(is_proof) {
            None => values::Banned::Untold,
            Some(seen) if seen.kind == Kind::Names => values::banned_by(value),
            // Bots write this of a punishment without a reason, and nothing of other members.
            Some(_) if self.proof == Proof::Punishment && values::is_default_reason(value) => {
                values::Banned::Yes
            }
            Some(_) => values::banned(value),
        }
    }

    /// Whether only rows that say so are bans.
    pub(in super::super) fn needs_proof(&self) -> bool {
        self.proof != Proof::None
    }

    /// Refuses a list of another kind; of one that is mixed only rows are taken which say that the
    /// user is banned.
    ///
    /// # Errors
    /// Which columns show it.
    pub(super) fn check_purpose(&mut self) -> Result<(), Fault> {
        if self.is_named_bans || self.has(Field::Type) {
            return Ok(());
        }
        let is_filled = |seen: &Seen| seen.present > 0;
        let (is_punishment, is_record) = (
            self.seen.iter().any(|(name, seen)| is_filled(seen) && is_of_punishment(name, seen)),
            self.has(Field::Id)
                && !self.has(Field::User)
                && !self.has(Field::Person)
                && !self.has_nested_user,
        );
        let dates = self.seen.values().any(|seen| {
            matches!(seen.field, Field::Created(0..=8) | Field::Until | Field::Length(_) | Field::Left)
        });
        let others: Vec<&str> = self
            .in_order()
            .into_iter()
            .filter(|(_, seen)| is_filled(seen))
            .filter(|(_, seen)| match seen.purpose {
                Purpose::Other => true,
                Purpose::Member => !is_punishment,
                Purpose::OfRecord => is_record,
                // A zone of no time belongs to the user.
                Purpose::Any => seen.field == Field::Zone && !dates,
                Purpose::Ban => false,
            })
            .map(|(name, _)| name)
            .collect();
        if others.is_empty() {
            let names_members =
                self.seen.values().any(|seen| seen.purpose == Purpose::Member && is_filled(seen));
            if names_members {
                self.proof = Proof::Punishment;
            }
            return Ok(());
        }
        if self.seen.values().any(|seen| seen.purpose == Purpose::Ban && is_filled(seen)) {
            self.proof = Proof::Ban;
            return Ok(());
        }
        let named: Vec<String> =
            others.iter().take(SHOWN_COLUMNS).map(|name| format!("{:?}", shown(name))).collect();
        let more = others.len().saturating_sub(named.len());
        let named = match named.split_last() {
            Some((last, [])) => format!("{last} is a column"),
            Some((_, _)) if more > 0 => format!("{} and {more} more are columns", named.join(", ")),
            Some((last, first)) => format!("{} and {last} are columns", first.join(", ")),
            None => String::new(),
        };
        let flags: Vec<String> =
            others.iter().map(|name| format!("--ignore-column={}", flag_value(name))).collect();
        Err(Fault::usage(format!(
            "this is no list of bans: {named} of another kind of list, and no column says that a user is banned"
        ))
        .hint("import a list with a column such as banned_at, ban_reason or action, or one of user ids and reasons only")
        .hint(format!("or add {} if each row is a ban", flags.join(" "))))
    }
}
