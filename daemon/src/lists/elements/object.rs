//! One element of a JSON list: an id, or an object with fields.

use super::super::Noted;
use super::super::columns::{Field, clean};
use super::super::understand::Told;
use super::super::values::{self, Shape};
use super::{LISTS, letters};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
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
        let field = Field::named(name);
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
            Ok(text) if values::shape(&text) == Shape::Text => {
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
    let fields: BTreeMap<String, Box<RawValue>> = match serde_json::from_str(text) {
        Ok(fields) => fields,
        Err(error) => return Ok(Err(malformed(&error))),
    };
    for (key, value) in fields {
        let (name, field) = names.of(&key, columns)?;
        if let Err(why) = one(&name, field, value.get(), told, columns) {
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

/// One field of an object.
fn one(name: &Arc<str>, field: Field, value: &str, told: &mut Told, columns: &mut Noted) -> Said {
    if value.starts_with(['{', '[']) {
        if LISTS.contains(&letters(name).as_str()) {
            return Err("it holds a list of its own".to_owned());
        }
        if field.is_user() && value.starts_with('{') {
            // Discord's own form: {"user":{"id":…},"reason":…}.
            let inner: BTreeMap<String, Box<RawValue>> =
                serde_json::from_str(value).map_err(|error| malformed(&error))?;
            for (key, inner) in &inner {
                if key == "id" {
                    let id = id(inner.get())?;
                    told.say(Field::User, name, id.unwrap_or_default(), false);
                } else if Field::named(key) != Field::Type {
                    limits_nowhere(key, inner.get(), 0)?;
                }
            }
            return Ok(());
        }
        if field == Field::Irrelevant || field == Field::Reason {
            return Ok(());
        }
        if field.is_user() || field.limits() {
            return Err("it is a list or an object, and not a value".to_owned());
        }
        return limits_nowhere(name, value, 0);
    }
    // What is not read may be anything; what limits the ban is read as it stands.
    let text = match field {
        Field::User | Field::Person | Field::Mention | Field::Id => id(value)?,
        _ => scalar(value)?,
    };
    let known = match columns {
        Noted::New(columns) => {
            columns.value(name, field, text.as_deref().unwrap_or_default());
            false
        }
        Noted::Known(columns) => field == Field::Person && columns.holds_names(name),
    };
    match text {
        Some(text) => told.say(field, name, text, known),
        // Nothing is said, which is not the same as a row without the field.
        None if field.limits() || field == Field::User => told.say(field, name, String::new(), false),
        None => {}
    }
    Ok(())
}

/// Refuses what is nested and may limit the ban.
fn limits_nowhere(name: &str, value: &str, depth: usize) -> Said {
    let refuse = || {
        let name = Untrusted::clipped(name).line_within(30);
        Err(format!("{name} stands in an object of its own, where it is not read"))
    };
    if value.starts_with('{') {
        let inner: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(value).map_err(|error| malformed(&error))?;
        return inner.iter().try_for_each(|(name, value)| limits_nowhere(name, value.get(), depth + 1));
    }
    if value.starts_with('[') {
        let inner: Vec<Box<RawValue>> = serde_json::from_str(value).map_err(|error| malformed(&error))?;
        return inner.iter().try_for_each(|value| limits_nowhere(name, value.get(), depth + 1));
    }
    let says_nothing = matches!(value, "null" | "\"\"" | "false");
    if depth > 0 && Field::named(name).limits() && !says_nothing { refuse() } else { Ok(()) }
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
