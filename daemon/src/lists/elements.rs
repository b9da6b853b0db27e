//! JSON lists, one element at a time. Where an element ends is told by brackets and quotes alone, so that a malformed one
//! is rejected by itself and its length is bounded; only then is it parsed.

use super::understand::{self, Field, Told};
use super::{LONGEST_ROW, Line, Rejected, Source};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::Read;
use wayhaven_shared::Fault;

/// How deep an element may be nested.
const DEEPEST: usize = 32;

/// The longest name of a list's key that is looked at.
const LONGEST_KEY: usize = 64;

/// The names under which an object holds its list of bans, in small letters.
const LISTS: [&str; 4] = ["bans", "banned", "bannedusers", "banlist"];

/// The elements of a list.
pub(super) struct Elements<R> {
    source: Source<R>,
    /// Whether the list stands in an object.
    wrapped: bool,
    done: bool,
}

/// What stands between two commas.
struct Element {
    line: u64,
    text: Vec<u8>,
    broken: Option<&'static str>,
}

impl<R: Read> Elements<R> {
    /// Goes to the list: the file itself, or the one that an object holds under a name like "bans".
    ///
    /// # Errors
    /// Where the object holds none.
    pub(super) fn open(mut source: Source<R>) -> Result<Self, Fault> {
        let wrapped = source.skip_space()? == Some(b'{');
        source.take()?;
        let mut elements = Self { source, wrapped, done: false };
        if wrapped && !elements.find_list()? {
            return Err(Fault::usage("the file is a JSON object without a list named \"bans\"")
                .hint("a list of user ids, or of objects with a user_id, is understood"));
        }
        Ok(elements)
    }

    /// Goes through an object's keys up to the list of bans; whether there is one. The object is at its end otherwise.
    fn find_list(&mut self) -> Result<bool, Fault> {
        loop {
            match self.source.skip_space()? {
                Some(b',') => drop(self.source.take()?),
                Some(b'}') => {
                    self.source.take()?;
                    return Ok(false);
                }
                Some(b'"') => {
                    let key = self.key()?;
                    if self.source.skip_space()? != Some(b':') {
                        return Err(self.unexpected());
                    }
                    self.source.take()?;
                    if self.source.skip_space()? == Some(b'[') && LISTS.contains(&key.as_str()) {
                        self.source.take()?;
                        return Ok(true);
                    }
                    self.element()?;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// A key's letters and digits, as small ones. What is longer than any that is looked for is not kept.
    fn key(&mut self) -> Result<String, Fault> {
        self.source.take()?;
        let mut key = String::new();
        loop {
            match self.source.take()? {
                Some(b'"') => return Ok(key),
                Some(b'\\') => drop(self.source.take()?),
                Some(byte) if byte.is_ascii_alphanumeric() && key.len() < LONGEST_KEY => {
                    key.push(char::from(byte.to_ascii_lowercase()));
                }
                Some(_) => {}
                None => return Err(self.unexpected()),
            }
        }
    }

    /// What stands before the next comma or closing bracket, which stays the next byte.
    fn element(&mut self) -> Result<Element, Fault> {
        self.source.skip_space()?;
        let mut element = Element { line: self.source.line(), text: Vec::new(), broken: None };
        let (mut depth, mut quoted) = (0_usize, false);
        loop {
            let Some(byte) = self.source.peek()? else { return Err(self.unexpected()) };
            match byte {
                b'\\' if quoted => {
                    keep(&mut element, byte);
                    self.source.take()?;
                    if self.source.peek()?.is_none() {
                        return Err(self.unexpected());
                    }
                }
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'{' => {
                    depth += 1;
                    if depth > DEEPEST {
                        element.broken = Some("it is nested more than 32 deep");
                    }
                }
                b',' | b']' | b'}' if depth == 0 => return Ok(element),
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            if let Some(byte) = self.source.take()? {
                keep(&mut element, byte);
            }
        }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Line>, Fault> {
        while !self.done {
            match self.source.skip_space()? {
                Some(b']') => {
                    self.source.take()?;
                    // A further list of bans in the same object is part of it.
                    let more = self.wrapped && self.find_list()?;
                    if !more && self.source.skip_space()?.is_some() {
                        return Err(self.unexpected());
                    }
                    self.done = !more;
                }
                Some(b',') => drop(self.source.take()?),
                Some(b'}') | None => return Err(self.unexpected()),
                Some(_) => return self.element().map(|element| Some(read(&element))),
            }
        }
        Ok(None)
    }

    fn unexpected(&mut self) -> Fault {
        let line = self.source.line();
        match self.source.peek() {
            Ok(None) => Fault::usage(format!(
                "the JSON ends in line {line} in the middle of the list: the file is cut off"
            ))
            .hint("export it again"),
            Ok(Some(byte)) => {
                Fault::usage(format!("the JSON is malformed in line {line}, at {:?}", char::from(byte)))
                    .hint("a list of user ids, or of objects with a user_id, is understood")
            }
            Err(fault) => fault,
        }
    }
}

fn keep(element: &mut Element, byte: u8) {
    match element.text.len() < LONGEST_ROW {
        true => element.text.push(byte),
        false => element.broken = Some("it is longer than 64 KiB"),
    }
}

/// An element as a row.
fn read(element: &Element) -> Line {
    let reject = |why: String| Line::Rejected(Rejected::new(element.line, &element.text, why));
    if let Some(why) = element.broken {
        return reject(why.into());
    }
    let Ok(text) = std::str::from_utf8(&element.text) else {
        return reject("it is not text in UTF-8".into());
    };
    let mut told = Told::default();
    let said = match text.as_bytes().first() {
        Some(b'{') => object(text, &mut told),
        _ => scalar(text.trim_end()).map(|id| told.say(Field::ID, id.unwrap_or_default())),
    };
    match said {
        Ok(()) => understand::row(element.line, told),
        Err(why) => reject(why),
    }
}

/// Reads an object's fields.
fn object(text: &str, told: &mut Told) -> Result<(), String> {
    let malformed = |error: serde_json::Error| {
        format!("it is malformed JSON: {}", error.to_string().split(" at line").next().unwrap_or_default())
    };
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(malformed)?;
    for (name, value) in fields {
        let Some(field) = Field::named(&name) else { continue };
        let value = value.get();
        if value.starts_with('{') {
            // Discord's own form: {"user":{"id":…},"reason":…}.
            let inner: BTreeMap<String, Box<RawValue>> = serde_json::from_str(value).map_err(malformed)?;
            if let Some(id) = inner.get("id").filter(|_| field.is_user())
                && let Some(id) = scalar(id.get())?
            {
                told.say(Field::STRICT_ID, id);
            }
        } else if let Some(text) = scalar(value).map_err(|why| format!("{name}: {why}"))? {
            told.say(field, text);
        }
    }
    Ok(())
}

/// A string's or number's text; nothing for null.
fn scalar(value: &str) -> Result<Option<String>, String> {
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).map(Some).map_err(|_| "it is malformed JSON".to_owned()),
        Some(b'0'..=b'9' | b'-') => number(value).map(Some),
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
