//! JSON lists, one element at a time. Where an element ends is told by brackets and quotes alone, so that a malformed one
//! is rejected by itself and its length is bounded; only then is it parsed.

mod members;
mod object;

use super::columns::Field;
use super::understand::{self, Told};
use super::{LONGEST_ROW, Line, Noted, Rejected, Source, values};
use object::Names;
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{Untrusted, UserId};

/// How deep an element may be nested.
const DEEPEST: usize = 32;

/// The longest name of a list's key that is looked at.
const LONGEST_KEY: usize = 64;

/// The names under which an object holds its list of bans, in small letters.
const LISTS: [&str; 6] = ["bans", "banned", "bannedusers", "banlist", "banentries", "guildbans"];

/// How a JSON file holds its bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A list, or an object that holds one.
    List,
    /// An object whose keys are the users.
    Keyed,
    /// One object behind the other, as in JSON lines.
    Objects,
}

impl Shape {
    /// Told from the first object's keys, as far as the file's beginning shows them.
    pub(super) fn of(head: &[u8]) -> Self {
        let (mut depth, mut at, mut shape) = (0_usize, 0, Self::List);
        while let Some(byte) = head.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let start = at;
                    while head.get(at).is_some_and(|byte| *byte != b'"') {
                        at += if head[at] == b'\\' { 2 } else { 1 };
                    }
                    let text = head.get(start..at).unwrap_or_default();
                    at += 1;
                    let rest = head.get(at..).unwrap_or_default().trim_ascii_start();
                    let Some(value) = rest.strip_prefix(b":").filter(|_| depth == 1) else { continue };
                    let text = String::from_utf8_lossy(text);
                    let begins = value.trim_ascii_start().first();
                    if LISTS.contains(&letters(&text).as_str()) && matches!(begins, Some(b'[' | b'{')) {
                        return Self::List;
                    }
                    if shape == Self::List && values::id_alone(&text).is_some() {
                        shape = Self::Keyed;
                    } else if shape == Self::List && super::columns::Field::named(&text).is_user() {
                        shape = Self::Objects;
                    }
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth <= 1 => break,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
        shape
    }
}

fn letters(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).take(LONGEST_KEY);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The elements of a list.
pub(super) struct Elements<R> {
    source: Source<R>,
    shape: Shape,
    /// Whether the list stands in an object.
    wrapped: bool,
    done: bool,
    names: Names,
    /// Why a list beside the list of bans makes the file unusable.
    beside: Option<Fault>,
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
    pub(super) fn open(mut source: Source<R>, shape: Shape, columns: &mut Noted) -> Result<Self, Fault> {
        let wrapped = source.skip_space()? == Some(b'{');
        let shape = if wrapped { shape } else { Shape::List };
        if shape != Shape::Objects {
            source.take()?;
        }
        let mut elements =
            Self { source, shape, wrapped, done: false, names: Names::default(), beside: None };
        if wrapped && shape == Shape::List && !elements.find_list(columns)? {
            return Err(Fault::usage("the file is a JSON object without a list named \"bans\"")
                .hint("a list of user ids, or of objects with a user_id, is understood"));
        }
        match elements.beside.take() {
            Some(fault) => Err(fault),
            None => Ok(elements),
        }
    }

    /// Goes through an object's keys up to the list of bans; whether there is one. The object is at its end otherwise.
    fn find_list(&mut self, columns: &mut Noted) -> Result<bool, Fault> {
        loop {
            match self.source.skip_space()? {
                Some(b',') => drop(self.source.take()?),
                Some(b'}') => {
                    self.source.take()?;
                    return Ok(false);
                }
                Some(b'"') => {
                    let name = self.key()?;
                    let key = letters(&name);
                    let begins = self.source.skip_space()?;
                    if begins == Some(b'[') && LISTS.contains(&key.as_str()) {
                        self.source.take()?;
                        if let Noted::New(columns) = columns {
                            columns.list_is_named();
                        }
                        return Ok(true);
                    }
                    let element = self.element()?;
                    if matches!(begins, Some(b'[' | b'{')) {
                        let fault = check_beside(&name, &element, columns).err();
                        self.beside = self.beside.take().or(fault);
                    }
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// A key and the colon behind it. What is longer than any that is looked for is not kept.
    fn key(&mut self) -> Result<String, Fault> {
        self.source.take()?;
        let mut key = Vec::new();
        loop {
            match self.source.take()? {
                Some(b'"') => break,
                Some(b'\\') => drop(self.source.take()?),
                Some(byte) if key.len() < LONGEST_KEY => key.push(byte),
                Some(_) => {}
                None => return Err(self.unexpected()),
            }
        }
        if self.source.skip_space()? != Some(b':') {
            return Err(self.unexpected());
        }
        self.source.take()?;
        Ok(String::from_utf8_lossy(&key).into_owned())
    }

    /// What stands before the next comma or closing bracket, which stays the next byte; of objects behind each other, one.
    fn element(&mut self) -> Result<Element, Fault> {
        self.source.skip_space()?;
        let mut element = Element { line: self.source.line(), text: Vec::new(), broken: None };
        let (mut depth, mut quoted) = (0_usize, false);
        let lines = self.shape == Shape::Objects;
        // The last byte outside white space.
        let mut last = 0;
        loop {
            let Some(byte) = self.source.peek()? else {
                if lines {
                    element.broken = Some("it is cut off");
                    return Ok(element);
                }
                return Err(self.unexpected());
            };
            match byte {
                // One object stands on each line: a malformed one ends with its line.
                b'\r' | b'\n' if lines && quoted => {
                    element.broken = Some("a quote in it is not closed");
                    return Ok(element);
                }
                b'{' if lines && depth > 0 && !quoted && !b",:[{".contains(&last) => {
                    element.broken = Some("a bracket in it is not closed");
                    return Ok(element);
                }
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
                b',' | b']' | b'}' if depth == 0 && !lines => return Ok(element),
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    if lines && depth == 0 {
                        self.source.take()?;
                        keep(&mut element, byte);
                        return Ok(element);
                    }
                }
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                last = byte;
            }
            if let Some(byte) = self.source.take()? {
                keep(&mut element, byte);
            }
        }
    }

    /// The next row.
    pub(super) fn next(&mut self, columns: &mut Noted) -> Result<Option<Line>, Fault> {
        match self.shape {
            Shape::List => {}
            Shape::Keyed => return self.next_keyed(columns),
            Shape::Objects => return self.next_object(columns),
        }
        while !self.done {
            match self.source.skip_space()? {
                Some(b']') => {
                    self.source.take()?;
                    // A further list of bans in the same object is part of it.
                    let more = self.wrapped && self.find_list(columns)?;
                    if let Some(fault) = self.beside.take() {
                        return Err(fault);
                    }
                    if !more && self.source.skip_space()?.is_some() {
                        return Err(self.unexpected());
                    }
                    self.done = !more;
                }
                Some(b',') => drop(self.source.take()?),
                Some(b'}') | None => return Err(self.unexpected()),
                Some(_) => {
                    let element = self.element()?;
                    return read(&element, None, &mut self.names, columns).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The next key of an object whose keys are the users.
    fn next_keyed(&mut self, columns: &mut Noted) -> Result<Option<Line>, Fault> {
        while !self.done {
            match self.source.skip_space()? {
                Some(b'}') => {
                    self.source.take()?;
                    if self.source.skip_space()?.is_some() {
                        return Err(self.unexpected());
                    }
                    self.done = true;
                }
                Some(b',') => drop(self.source.take()?),
                Some(b'"') => {
                    let line = self.source.line();
                    let key = self.key()?;
                    let element = Element { line, ..self.element()? };
                    return read(&element, Some(&key), &mut self.names, columns).map(Some);
                }
                _ => return Err(self.unexpected()),
            }
        }
        Ok(None)
    }

    /// The next of the objects behind each other.
    fn next_object(&mut self, columns: &mut Noted) -> Result<Option<Line>, Fault> {
        loop {
            match self.source.skip_space()? {
                None => return Ok(None),
                Some(b',') => drop(self.source.take()?),
                Some(b'{') => {
                    let element = self.element()?;
                    return read(&element, None, &mut self.names, columns).map(Some);
                }
                Some(_) => {
                    // The rest of a line that holds no object.
                    let mut element = Element {
                        line: self.source.line(),
                        text: Vec::new(),
                        broken: Some("it is no JSON object"),
                    };
                    while !matches!(self.source.peek()?, None | Some(b'\r' | b'\n')) {
                        if let Some(byte) = self.source.take()? {
                            keep(&mut element, byte);
                        }
                    }
                    return read(&element, None, &mut self.names, columns).map(Some);
                }
            }
        }
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

/// Refuses a list of other users beside the list of bans: its rows would not be counted.
fn check_beside(name: &str, element: &Element, columns: &mut Noted) -> Result<(), Fault> {
    if columns.columns().meaning(name) == Field::Ignored {
        return columns.note(name, Field::Ignored);
    }
    let holds_ids = || values::ids_in(&element.text).next().is_some() || element.broken.is_some();
    let is_beside = columns.columns().is_beside(name) && !holds_list(&element.text);
    if is_beside || !holds_ids() {
        return Ok(());
    }
    let name = Untrusted::clipped(name).line_within(40);
    Err(Fault::usage(format!(
        "the file holds {name:?} with ids beside its list of bans, from line {}: it is not read, and may say that bans end \
         or were lifted",
        element.line
    ))
    .hint("save each list as a file of its own")
    .hint(format!("or add --ignore-column={name} if it says nothing about who is banned and until when")))
}

/// Whether a key in this text has the name of a list of bans.
fn holds_list(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut quoted = text.split('"').skip(1).step_by(2).zip(text.split('"').skip(2).step_by(2));
    quoted.any(|(key, behind)| {
        let value = behind.trim_start().strip_prefix(':').map(str::trim_start);
        value.is_some_and(|value| value.starts_with(['[', '{'])) && LISTS.contains(&letters(key).as_str())
    })
}

fn keep(element: &mut Element, byte: u8) {
    match element.text.len() < LONGEST_ROW {
        true => element.text.push(byte),
        false => element.broken = Some("it is longer than 64 KiB"),
    }
}

/// An element as a row, of the user who is its key where it has one.
fn read(element: &Element, key: Option<&str>, names: &mut Names, columns: &mut Noted) -> Result<Line, Fault> {
    let reject = |why: String| {
        let of_key = key.map_or(0, |key| values::ids_in(key.as_bytes()).count());
        let ids = values::ids_in(&element.text).count() + of_key;
        let shown = key.map_or(&element.text[..], str::as_bytes);
        let of_key = key.into_iter().flat_map(|key| values::ids_in(key.as_bytes()));
        let users = values::ids_in(&element.text).chain(of_key).filter_map(UserId::new).collect();
        Ok(Line::Rejected(Rejected { ids, users, ..Rejected::new(element.line, shown, why) }))
    };
    if let Some(why) = element.broken {
        return reject(why.into());
    }
    let Ok(text) = std::str::from_utf8(&element.text) else {
        return reject("it is not text in UTF-8".into());
    };
    let mut told = Told::of_list(columns.columns());
    let said = match key {
        Some(key) => object::keyed(key, text.trim_end(), &mut told, names, columns)?,
        None if text.starts_with('{') => object::fields(text, &mut told, names, columns)?,
        None => object::alone(text.trim_end(), &mut told, names, columns)?,
    };
    match said {
        Ok(()) => Ok(understand::row(element.line, told)),
        Err(why) => reject(why),
    }
}
