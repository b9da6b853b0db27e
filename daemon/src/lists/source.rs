//! The bytes of a file with the line they stand on, and what kind of file they begin.

use super::Kind;
use super::elements::Shape;
use std::io::{BufReader, Chain, Cursor, Read};
use wayhaven_shared::Fault;

/// How much of the beginning is looked at before the first row is read.
const HEAD: u64 = 4 * 1024;

/// UTF-8's byte order mark: spreadsheets write it.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How many bytes are read from the file at once.
const BUFFER: usize = 64 * 1024;

/// Bytes, one at a time, with one byte to look ahead.
pub(super) struct Source<R> {
    bytes: std::io::Bytes<BufReader<Chain<Cursor<Vec<u8>>, R>>>,
    peeked: Option<u8>,
    line: u64,
    after_return: bool,
    delimiter: u8,
}

impl<R: Read> Source<R> {
    /// The line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// What parts the cells of the first line.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The next byte; it stays the next.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Fault> {
        if self.peeked.is_none() {
            self.peeked = self.bytes.next().transpose().map_err(|error| unreadable(&error))?;
        }
        Ok(self.peeked)
    }

    /// Takes the next byte.
    pub(super) fn take(&mut self) -> Result<Option<u8>, Fault> {
        let byte = self.peek()?;
        self.peeked = None;
        // A line ends with LF, CR, or both.
        self.line += match byte {
            Some(b'\r') => 1,
            Some(b'\n') if !self.after_return => 1,
            _ => 0,
        };
        self.after_return = byte == Some(b'\r');
        Ok(byte)
    }

    /// Takes what is white space in JSON; the byte behind it stays the next.
    pub(super) fn skip_space(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => drop(self.take()?),
                other => return Ok(other),
            }
        }
    }
}

fn unreadable(error: &std::io::Error) -> Fault {
    Fault::unavailable(format!("the file could not be read to its end: {error}"))
}

/// Looks at how a file begins.
///
/// # Errors
/// Where it is empty, or begins like something that is no text in UTF-8.
pub(super) fn open<R: Read>(mut file: R) -> Result<(Source<R>, Kind, Shape), Fault> {
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(|error| unreadable(&error))?;
    if let Some(what) = foreign(&head) {
        return Err(Fault::usage(format!("the file is {what}, and not a list of bans as text"))
            .hint("save it as CSV in UTF-8, or as JSON"));
    }
    if head.starts_with(BOM) {
        head.drain(..BOM.len());
    }
    let kind = match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[' | b'{') => Kind::Json,
        Some(_) => Kind::Csv,
        None => {
            return Err(Fault::usage("the file is empty")
                .hint("a list of bans has a user id on each line, or is a JSON list"));
        }
    };
    let (delimiter, shape) = (delimiter(&head), Shape::of(&head));
    let bytes = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(file)).bytes();
    Ok((Source { bytes, peeked: None, line: 1, after_return: false, delimiter }, kind, shape))
}

/// What a file is that cannot be a list, told from its first bytes.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let begins: [(&[u8], &str); 18] = [
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
        (b"PK\x03\x04", "a spreadsheet or another archive"),
        (b"PK\x05\x06", "an empty archive"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet of an old format"),
        (b"\x1f\x8b", "compressed"),
        (b"BZh", "compressed"),
        (b"\xfd7zXZ", "compressed"),
        (b"\x28\xb5\x2f\xfd", "compressed"),
        (b"7z\xbc\xaf", "an archive"),
        (b"Rar!", "an archive"),
        (b"SQLite format 3\0", "a database"),
        (b"%PDF", "a PDF"),
        (b"\x89PNG", "a picture"),
        (b"GIF8", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
        (b"{\\rtf", "a document of a word processor"),
        (b"\x7fELF", "a program"),
    ];
    let known = begins.into_iter().find(|(begin, _)| head.starts_with(begin)).map(|(_, what)| what);
    known.or_else(|| markup(head)).or_else(|| {
        // Text in UTF-16 without a mark is half zeros; most of what is no text has other control characters too.
        let is_control = |byte: &&u8| **byte < 0x20 && !b"\t\n\x0b\x0c\r\x1b".contains(byte);
        let controls = head.iter().filter(is_control).count();
        (head.contains(&0) || (controls >= 8 && controls * 50 > head.len()))
            .then_some("binary, or UTF-16 text")
    })
}

/// A web page. A mention begins with `<` too.
fn markup(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    let next = head.strip_prefix(b"<")?.first()?;
    (next.is_ascii_alphabetic() || b"!?".contains(next)).then_some("a web page")
}

/// What parts the cells of the first line that is not empty: a tab, or whichever occurs most outside quotes.
fn delimiter(head: &[u8]) -> u8 {
    let mut lines = head.split(|byte| matches!(byte, b'\r' | b'\n'));
    // A comment in front says nothing of the rows.
    let is_row = |line: &&[u8]| {
        let line = line.trim_ascii();
        !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b"//")
    };
    let first = lines.find(is_row).unwrap_or_default();
    if let Some(separator) = first.to_ascii_lowercase().strip_prefix(b"sep=").and_then(|rest| rest.first()) {
        return *separator;
    }
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in first {
        quoted ^= *byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(one, _)| one == byte && !quoted) {
            *count += 1;
        }
    }
    // A tab parts cells, and nothing else: commas beside it are text.
    if counts.iter().any(|(byte, count)| *byte == b'\t' && *count > 0) {
        return b'\t';
    }
    // The first of equals, so that a comma is meant where there is nothing.
    let (byte, _) = counts.into_iter().rev().max_by_key(|(_, count)| *count).unwrap_or_default();
    byte
}
