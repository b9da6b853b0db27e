//! The user whom a row names. Invariant: a row names exactly one user, or none.

use super::{Cell, Told};
use crate::lists::columns::Field;
use crate::lists::values;
use wayhaven_shared::value::UserId;

impl Told {
    /// The user whom the row names.
    pub(super) fn user(&self) -> Result<UserId, (String, String)> {
        let reject = |text: &str, why: &str| Err((text.to_owned(), why.to_owned()));
        let strict: Vec<&Cell> = self.filled(|field| field == Field::User).collect();
        let is_named = self.of(|field| field == Field::User).next().is_some();
        let mut found: Vec<UserId> = Vec::new();
        let mut refused: Option<(String, String)> = None;
        let is_small = |user: UserId| user.get() < values::LEAST_ID;
        let has_id = strict.iter().any(|cell| is_id(&cell.text));
        for cell in &strict {
            match user_in(&cell.text) {
                // A row number is nobody's id.
                Ok(user) if is_small(user) && has_id => {}
                Ok(user) => found.push(user),
                Err(why) => {
                    refused.get_or_insert((cell.text.clone(), why.to_owned()));
                }
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        if is_named && found.is_empty() {
            return reject("", "no user is named");
        }
        // Beside a column of user ids, `id` is the record's own, and a column of persons may hold names.
        let mut others: Vec<&Cell> =
            self.filled(|field| matches!(field, Field::Person | Field::Mention)).collect();
        if !is_named {
            others.extend(self.filled(|field| field == Field::Id));
        }
        let ids_elsewhere = is_named || self.filled(|field| field == Field::Id).any(|cell| is_id(&cell.text));
        for cell in &others {
            let may_be_name = cell.names && !cell.text.trim().starts_with("<@");
            if may_be_name && ids_elsewhere {
                continue;
            }
            match user_in(&cell.text) {
                // A case number or a name of digits is nobody's id.
                Ok(user) if is_small(user) && others.len() + strict.len() > 1 => {}
                Ok(_) if may_be_name => {
                    return reject(
                        &cell.text,
                        "the column also holds names, so these digits may be a name: name the column of ids user_id",
                    );
                }
                Ok(user) => found.push(user),
                Err(why) if why == SEVERAL => return reject(&cell.text, why),
                Err(_) => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [user] => Ok(*user),
            [] => {
                let text = others.first().map_or("", |cell| cell.text.as_str());
                let why = match user_in(text) {
                    Ok(_) => "the number is too small for a user's id",
                    Err(why) => why,
                };
                reject(text, why)
            }
            several => {
                let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
                reject(&ids.join(" or "), "two columns name different users: remove one of them")
            }
        }
    }
}

const SEVERAL: &str = "several ids in one cell: put each on a line of its own";

fn is_id(text: &str) -> bool {
    values::id_alone(text).is_some()
}

/// The user whom a cell names: an id, a mention, or a name with the id in parentheses behind it.
fn user_in(text: &str) -> Result<UserId, &'static str> {
    let text = values::bare(text);
    if values::begins_part_of_guild(text) {
        return Err("it names a guild, and not a user");
    }
    if let Ok(user) = text.parse::<UserId>() {
        return Ok(user);
    }
    let mut ids = values::ids_in(text.as_bytes());
    match (ids.next(), ids.next()) {
        (Some(_), Some(_)) => Err(SEVERAL),
        (Some(id), None) => {
            let forms = [format!("({id})"), format!("[{id}]"), format!("<@{id}>"), format!("<@!{id}>")];
            let is_named = forms.iter().any(|form| text.ends_with(form.as_str()));
            UserId::new(id).filter(|_| is_named).ok_or("it is not a user's id alone")
        }
        _ => Err(no_id(text)),
    }
}

/// What is wrong with text that is no id.
fn no_id(text: &str) -> &'static str {
    let is_rounded = text.starts_with(|first: char| first.is_ascii_digit())
        && text.contains(['.', 'E', 'e'])
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".,+Ee".contains(&byte));
    let groups: Vec<&str> = text.split(['.', ',', ' ', '\'', '\u{a0}', '\u{202f}', '’', '_']).collect();
    let is_group = |group: &&str| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = groups.len() > 3
        && groups[1..].iter().all(is_group)
        && (1..=3).contains(&groups[0].len())
        && groups[0].bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "" => "no user is named",
        _ if is_grouped => "the id is written with separators between its digits: write the digits only",
        _ if is_rounded => "a spreadsheet has rounded the id: format the column as text and export again",
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => "the number is too large for a user's id",
        _ => "it is not a user's id",
    }
}
