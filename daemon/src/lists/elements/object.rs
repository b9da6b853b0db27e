//! One element of a JSON list: an id, or an object with fields.

use super::super::Noted;
use super::super::columns::{Field, clean};
use super::super::understand::Told;
use super::super::values::{self, Banned};
use super::members::Members;
use super::{LISTS, letters};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Untrusted;

/// What the keys of a file mean, each found out once.
#[derive(Default)]
pub(super) struct Names(HashMap<String, (Arc<str>, Field)>);

/// How many keys are remembered at once.
const MOST_NAMES: usize = 1_024;

impl Names {
    fn of(&mut self, name: &str, columns: &mut Noted) -> Result<(Arc<str>, Field), Fault> {
        if let Some((name, field)) = self.0.get(name) {
            return Ok((Arc::clone(name), *field));
        }
        let field = columns.columns().meaning(name);
        let shared = clean(name);
        if let Noted::New(columns) = columns {
            columns.note(&shared, field)?;
        }
        if self.0.len() >= MOST_NAMES {
            self.0.clear();
        }
        self.0.insert(name.to_owned(), (Arc::clone(&shared), field));
        Ok((shared, field))
    }
}

/// A key within an object, by its path: it is never read, so its values have to be harmless.
fn nested(path: &str, field: Field, columns: &mut Noted) -> Result<(Arc<str>, Field), Fault> {
    let field = match field {
        Field::Created(_) => Field::Created(9),
        Field::Reason | Field::Note => Field::Note,
        _ => Field::Unknown,
    };
    let shared = clean(path);
    if let Noted::New(columns) = columns {
        columns.note(&shared, field)?;
    }
    Ok((shared, field))
}

/// Whether a row could be read, and why not.
type Said = Result<(), String>;

/// An element that is no object: an id.
pub(super) fn alone(
    text: &str,
    told: &mut Told,
    names: &mut Names,
    columns: &mut Noted,
) -> Result<Said, Fault> {
    let (name, _) = names.of("id", columns)?;
    Ok(id(text).map(|id| told.say(Field::Id, &name, id.unwrap_or_default(), false)))
}

/// The value of a key that is a user.
pub(super) fn keyed(
    key: &str,
    text: &str,
    told: &mut Told,
    names: &mut Names,
    columns: &mut Noted,
) -> Result<Said, Fault> {
    let (name, _) = names.of("user id", columns)?;
    told.say(Field::User, &name, key.to_owned(), false);
    if text.starts_with('{') {
        return fields(text, told, names, columns);
    }
    Ok(match text.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(text) {
            Ok(text) if !values::limits(&text) && !values::leads_with_limit(&text) => {
                let (name, _) = names.of("reason", columns)?;
                told.say(Field::Reason, &name, text, false);
                Ok(())
            }
            Ok(text) => {
                let text = Untrusted::clipped(&text).line_within(30);
                Err(format!("{text:?} may be an end or a type: name it, like {{\"expires_at\": …}}"))
            }
            Err(_) => Err("it is malformed JSON".to_owned()),
        },
        _ if text == "null" || text == "true" => Ok(()),
        _ => Err("the value beside the user is neither a reason nor an object".to_owned()),
    })
}

/// An object's fields.
pub(super) fn fields(
    text: &str,
    told: &mut Told,
    names: &mut Names,
    columns: &mut Noted,
) -> Result<Said, Fault> {
    let members = match serde_json::from_str::<Members>(text) {
        Ok(members) => members,
        Err(error) => return Ok(Err(malformed(&error))),
    };
    for (key, value) in members.0 {
        if values::id_alone(&key).is_some() {
            return Ok(Err("it holds an id as a key of its own".to_owned()));
        }
        let (name, field) = names.of(&key, columns)?;
        let mut member = Member { told, columns };
        if let Err(why) = member.read(&name, field, value.get())? {
            let name = Untrusted::clipped(&name).line_within(30);
            return Ok(Err(format!("{name}: {why}")));
        }
    }
    if let Noted::Known(columns) = columns
        && columns.has(Field::Type)
        && !told.has(Field::Type)
    {
        return Ok(Err("it has no type, and others have one".to_owned()));
    }
    Ok(Ok(()))
}

fn malformed(error: &serde_json::Error) -> String {
    format!("it is malformed JSON: {}", error.to_string().split(" at line").next().unwrap_or_default())
}

/// What a member of an object is read into.
struct Member<'a> {
    told: &'a mut Told,
    columns: &'a mut Noted,
}

impl Member<'_> {
    /// One member of an object.
    fn read(&mut self, name: &Arc<str>, field: Field, value: &str) -> Result<Said, Fault> {
        if field == Field::Ignored {
            return Ok(Ok(()));
        }
        if value.starts_with(['{', '[']) {
            return self.nested(name, field, value);
        }
        // What is not read may be anything; what limits the ban is read as it stands.
        let text = match field {
            Field::User | Field::Person | Field::Mention | Field::Id => id(value),
            _ => scalar(value),
        };
        let text = match text {
            Ok(text) => text,
            Err(why) => return Ok(Err(why)),
        };
        let known = match self.columns {
            Noted::New(columns) => {
                columns.value(name, text.as_deref().unwrap_or_default());
                false
            }
            Noted::Known(columns) => {
                if columns.selects_rows() {
                    self.told.select(columns, name, text.as_deref().unwrap_or_default());
                }
                field == Field::Person && columns.holds_names(name)
            }
        };
        match text {
            Some(text) => self.told.say(field, name, text, known),
            // Nothing is said, which is not the same as a row without the field.
            None if field.limits() || field == Field::User => {
                self.told.say(field, name, String::new(), false);
            }
            None => {}
        }
        Ok(Ok(()))
    }

    /// A member that holds an object or a list.
    fn nested(&mut self, name: &Arc<str>, field: Field, value: &str) -> Result<Said, Fault> {
        if let Noted::New(columns) = self.columns {
            columns.holds_more(name, value);
        }
        if self.columns.columns().is_of_guild(name) {
            self.guild(name, value);
        }
        self.says_banned(name, value);
        if LISTS.contains(&letters(name).as_str()) {
            return Ok(Err("it holds a list of its own".to_owned()));
        }
        if field.is_user() && value.starts_with('{') {
            // Discord's own form: {"user":{"id":…},"reason":…}.
            let members = match serde_json::from_str::<Members>(value) {
                Ok(members) => members,
                Err(error) => return Ok(Err(malformed(&error))),
            };
            for (key, inner) in &members.0 {
                if key == "id" {
                    match id(inner.get()) {
                        Ok(id) => self.told.say(Field::User, name, id.unwrap_or_default(), false),
                        Err(why) => return Ok(Err(why)),
                    }
                    if let Noted::New(columns) = self.columns {
                        columns.user_is_nested();
                    }
                } else if let Err(why) = self.unread(&format!("{name}.{key}"), key, inner.get(), true)? {
                    return Ok(Err(why));
                }
            }
            return Ok(Ok(()));
        }
        if field.is_user() || field.limits() {
            return Ok(Err("it is a list or an object, and not a value".to_owned()));
        }
        // Somebody else, or a place.
        if field == Field::Irrelevant && self.columns.columns().holds_anything(name) {
            return Ok(Ok(()));
        }
        self.unread(name, name, value, false)
    }

    /// Notes an object or a list about a place or somebody else: roles and the guild tell what kind
    /// of list it is.
    fn elsewhere(&mut self, path: &str, key: &str, value: &str) -> Result<(), Fault> {
        let is_of_kind = |word: &str| key.to_ascii_lowercase().contains(word);
        if !["role", "guild", "server"].into_iter().any(is_of_kind)
            || key.to_ascii_lowercase().contains("primary")
        {
            return Ok(());
        }
        let name = clean(path);
        if let Noted::New(columns) = self.columns {
            columns.note(&name, Field::Irrelevant)?;
            columns.holds_more(&name, value);
        }
        self.guild(&name, value);
        Ok(())
    }

    /// Whether an object such as that of the moderator says that the user of the row is banned.
    fn says_banned(&mut self, name: &Arc<str>, value: &str) {
        let Noted::Known(columns) = self.columns else { return };
        if !columns.needs_proof() {
            return;
        }
        let Ok(members) = serde_json::from_str::<Members>(value) else { return };
        let texts = members.0.iter().filter_map(|(_, value)| scalar(value.get()).ok().flatten());
        for text in texts {
            if columns.says_banned(name, &text) == Banned::Yes {
                self.told.select(columns, name, &text);
            }
        }
    }

    /// The guild that an object stands for.
    fn guild(&mut self, name: &Arc<str>, value: &str) {
        let Ok(members) = serde_json::from_str::<Members>(value) else { return };
        let of = |key: &str| {
            let value = members.0.iter().find(|(one, _)| one == key).map(|(_, value)| value.get());
            value.and_then(|value| scalar(value).ok().flatten())
        };
        let Some(guild) = of("id").or_else(|| of("name")) else { return };
        match self.columns {
            Noted::New(columns) => columns.guild(name, &guild),
            Noted::Known(columns) => self.told.select(columns, name, &guild),
        }
    }

    /// Checks what is nested, and so not read: it holds nothing that may limit the ban, and nobody else's id.
    fn unread(&mut self, path: &str, key: &str, value: &str, is_user: bool) -> Result<Said, Fault> {
        let field = self.columns.columns().meaning(path);
        if field == Field::Ignored {
            return self.columns.note(path, field).map(Ok);
        }
        let field = if path == key { field } else { Field::named(key) };
        // A place, or somebody else.
        if value.starts_with(['{', '[']) && self.columns.columns().is_elsewhere(key) {
            return self.elsewhere(path, key, value).map(Ok);
        }
        if value.starts_with('{') {
            let members = match serde_json::from_str::<Members>(value) {
                Ok(members) => members,
                Err(error) => return Ok(Err(malformed(&error))),
            };
            for (key, inner) in &members.0 {
                if values::id_alone(key).is_some() {
                    return Ok(Err(format!("{} holds an id as a key", shown(path))));
                }
                if let Err(why) = self.unread(&format!("{path}.{key}"), key, inner.get(), is_user)? {
                    return Ok(Err(why));
                }
            }
            return Ok(Ok(()));
        }
        if value.starts_with('[') {
            let inner: Vec<Box<RawValue>> = match serde_json::from_str(value) {
                Ok(inner) => inner,
                Err(error) => return Ok(Err(malformed(&error))),
            };
            for value in &inner {
                let is_other = matches!(field, Field::Irrelevant | Field::Reason);
                if !is_other && values::ids_in(value.get().as_bytes()).next().is_some() {
                    return Ok(Err(format!("{} is a list of ids, which is not read", shown(path))));
                }
                if let Err(why) = self.unread(path, key, value.get(), is_user)? {
                    return Ok(Err(why));
                }
            }
            return Ok(Ok(()));
        }
        let text = match scalar(value) {
            Ok(text) => text.unwrap_or_default(),
            Err(why) => return Ok(Err(why)),
        };
        // The type of a user's object is another type.
        if is_user && field == Field::Type && values::act(&text).is_none() {
            return Ok(Ok(()));
        }
        if field.limits() && !text.is_empty() {
            return Ok(Err(format!("{} stands in an object of its own, where it is not read", shown(path))));
        }
        if !is_user && field.is_user() && values::id_alone(&text).is_some() && !key.eq_ignore_ascii_case("id")
        {
            return Ok(Err(format!("{} names a user, where it is not read", shown(path))));
        }
        let (name, field) = nested(path, field, self.columns)?;
        match self.columns {
            Noted::New(columns) => columns.value(&name, &text),
            Noted::Known(columns) if columns.selects_rows() => self.told.select(columns, &name, &text),
            Noted::Known(_) => {}
        }
        // A date in the future may be an end, also where it is nested, and a note may say that the ban was lifted.
        if matches!(field, Field::Created(_) | Field::Note) {
            self.told.say(field, &name, text, false);
        }
        Ok(Ok(()))
    }
}

fn shown(path: &str) -> String {
    Untrusted::clipped(path).line_within(30)
}

/// A value as text; nothing for null.
fn scalar(value: &str) -> Result<Option<String>, String> {
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).map(Some).map_err(|_| "it is malformed JSON".to_owned()),
        _ if value == "null" => Ok(None),
        _ => Ok(Some(value.to_owned())),
    }
}

/// An id as text; nothing for null.
fn id(value: &str) -> Result<Option<String>, String> {
    match value.as_bytes().first() {
        Some(b'0'..=b'9' | b'-') => number(value).map(Some),
        Some(b'"') => scalar(value),
        _ if value == "null" => Ok(None),
        _ => Err("it is neither an id nor an object with one".into()),
    }
}

/// A number's digits. Many programs keep numbers as doubles, which end at 2^53: whoever did has written the shortest
/// decimals of the nearest double, and that user may be somebody else. What is no double was not rounded.
fn number(text: &str) -> Result<String, String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the number is not a whole one, as if a program had rounded an id".into());
    }
    let is_large = text.parse::<u64>().is_ok_and(|value| value > 1 << 53);
    let is_double = text.parse::<f64>().is_ok_and(|value| value.to_string() == text);
    if is_large && is_double {
        return Err("an id written as a number may have been rounded; write it in quotes".into());
    }
    Ok(text.to_owned())
}
