//! Lists of bans: whatever a file holds, reading it ends, its rows are bounded and in order, and what was read is written so
//! that it is read again.

use super::engine::Target;
use std::io::{self, Read};
use wayhaven_daemon::lists::{Kind, LONGEST_ROW, Line, ListReader, Rejected, Row, Writer};
use wayhaven_daemon::store::Entry;
use wayhaven_shared::value::{GuildId, Timestamp};
use wayhaven_shared::{Fault, FaultKind};

/// How often an input is repeated until it is a large file.
const LARGE_EACH: u64 = 1_024;

/// How large, in bytes: many times what may be held of it.
const LARGE: u64 = 2 * 1024 * 1024;

/// How much more memory than at the start the process may have at any time, in KiB: the buffers, the corpus, and what the
/// allocator keeps. A reader that held even a few of the large files would be far beyond.
const MEMORY: u64 = 24 * 1024;

pub(super) struct Lists {
    tried: u64,
    /// The process's memory before the first large file, where it is this target's alone.
    memory: Option<Option<u64>>,
}

impl Lists {
    pub(super) fn new(alone: bool) -> Self {
        Self { tried: 0, memory: alone.then_some(None) }
    }

    /// Reads a file that is the input over and over.
    fn large(&mut self, input: &[u8]) -> Result<(), String> {
        if let Some(before @ None) = &mut self.memory {
            *before = Some(most_memory()?);
        }
        let file = Again { input, at: 0 }.take(LARGE);
        let (mut rows, mut last) = (0_u64, 1);
        if let Ok(reader) = ListReader::open(file) {
            for line in reader {
                rows += 1;
                last = judge(&line, last, LARGE + 1)?;
            }
        }
        if rows > LARGE {
            return Err(format!("{rows} rows of {LARGE} bytes"));
        }
        match self.memory.flatten() {
            Some(before) if most_memory()? > before + MEMORY => {
                Err(format!("{} KiB of memory, {before} before", most_memory()?))
            }
            _ => Ok(()),
        }
    }
}

/// The most memory that this process ever had, in KiB.
fn most_memory() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    figure.ok_or_else(|| "no memory in /proc".to_owned())
}

/// A file that never ends.
struct Again<'a> {
    input: &'a [u8],
    at: usize,
}

impl Read for Again<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.input[self.at..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at = (self.at + count) % self.input.len().max(1);
        Ok(count)
    }
}

/// A file that comes in crumbs.
struct Crumbs<'a>(&'a [u8]);

impl Read for Crumbs<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = (self.0.len() % 7 + 1).min(self.0.len()).min(out.len());
        let (crumb, rest) = self.0.split_at(count);
        out[..count].copy_from_slice(crumb);
        self.0 = rest;
        Ok(count)
    }
}

/// What holds of every line; its number.
fn judge(line: &Result<Line, Fault>, last: u64, lines: u64) -> Result<u64, String> {
    let (at, size) = match line {
        Ok(Line::Row(Row { line, reason, .. })) => {
            (*line, reason.as_ref().map_or(0, |reason| reason.raw().len()))
        }
        Ok(Line::Unban(one)) => (one.line, 0),
        Ok(Line::Skipped(one)) => (one.line, one.value.raw().len().max(one.why.len()) * 64),
        // A few letters of it are shown.
        Ok(Line::Rejected(Rejected { line, value, why, .. })) => {
            (*line, value.raw().len().max(why.len()) * 64)
        }
        Err(fault) if fault.kind == FaultKind::Usage && !fault.message.is_empty() => return Ok(last),
        Err(fault) => return Err(format!("a fault of another kind: {fault:?}")),
    };
    if at < last || at > lines {
        return Err(format!("line {at} behind line {last}, of {lines}"));
    }
    if size > LONGEST_ROW {
        return Err(format!("line {at} is {size} bytes long"));
    }
    Ok(at)
}

type Lines = Vec<Result<Line, Fault>>;

fn read(file: impl Read) -> Result<(Kind, Lines), Fault> {
    let mut reader = ListReader::open(file)?;
    let lines = reader.by_ref().collect();
    Ok((reader.kind(), lines))
}

/// What is written of rows is read as they were.
fn write(rows: &[&Row], kind: Kind) -> Result<(), String> {
    let broken = |error: io::Error| error.to_string();
    let guild = GuildId::new(5).ok_or("no guild")?;
    let mut writer = Writer::begin(Vec::new(), kind, guild).map_err(broken)?;
    for (place, row) in rows.iter().enumerate() {
        let known = place % 2 == 0;
        let entry = Entry {
            user_id: row.user,
            reason: row.reason.clone(),
            expires_at: row.until,
            moderator_id: known.then_some(row.user),
            created_at: known.then_some(Timestamp::from_millis(5)),
        };
        writer.push(&entry).map_err(broken)?;
    }
    let (file, written) = writer.end().map_err(broken)?;
    let (is, lines) = read(&file[..]).map_err(|fault| format!("our own list is refused: {fault}"))?;
    if is != kind || written != rows.len() as u64 || lines.len() != rows.len() {
        return Err(format!(
            "{} rows as {}: {written} written, {} read",
            rows.len(),
            kind.word(),
            lines.len()
        ));
    }
    for (row, line) in rows.iter().zip(&lines) {
        match line {
            Ok(Line::Row(back))
                if (back.user, &back.reason, back.until) == (row.user, &row.reason, row.until) => {}
            other => return Err(format!("{row:?} is read from {} as {other:?}", kind.word())),
        }
    }
    Ok(())
}

/// Whoever is banned or unbanned stands in the file. JSON may write digits as escapes.
fn names_nobody_else(input: &[u8], lines: &Lines) -> Result<(), String> {
    if input.windows(2).any(|two| two == b"\\u") {
        return Ok(());
    }
    for line in lines {
        let user = match line {
            Ok(Line::Row(row)) => row.user.to_string(),
            Ok(Line::Unban(unban)) => unban.user.to_string(),
            _ => continue,
        };
        if !input.windows(user.len()).any(|part| part == user.as_bytes()) {
            return Err(format!("user {user} does not stand in the file"));
        }
    }
    Ok(())
}

/// What a text says, without what it says it of.
fn plain(text: &str) -> String {
    let unquoted = text.split(':').next().unwrap_or_default().split('"').step_by(2).collect::<String>();
    unquoted.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == ' ').take(80).collect()
}

impl Target for Lists {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let id = "123456789012345678";
        let texts = [
            String::new(),
            id.to_owned(),
            format!("{id}\n{id}\r\n{id}\r"),
            format!("user_id,reason,expires_at\n{id},spam,2026-01-02T03:04:05Z\n"),
            format!("user_id,reason\r\n{id},\"it's \"\"bad\"\"\nand worse\"\r\n{id},'=1+1\r\n{id},''x\r\n"),
            format!("\u{feff}User ID;Reason;Until\n'{id};a,b;\n<@{id}>;c;x\n"),
            format!("id\tname\n{id}\tx\n1.23457E+17\ty\n"),
            format!("name,reason\nx,y\n{id}"),
            format!("user_id,reason\n{id},\"never closed\n"),
            format!("{id},\"closed\" behind\n"),
            format!(
                "[\"{id}\",{id},null,1,-1,1.5,{{\"user_id\":\"{id}\",\"reason\":\"x\",\"expires_at\":null}}]"
            ),
            format!(
                "{{\"guild_id\":\"5\",\"bans\":[{{\"user\":{{\"id\":\"{id}\"}},\"reason\":\"\\ud83d\\ude00\\u0000\"}}]}}"
            ),
            format!("{{\"x\":{{\"bans\":[]}},\"bans\":[\"{id}\"],\"users\":[\"{id}\"]}}"),
            format!("[[[[\"{id}\"]]],{}", "[".repeat(40)),
            format!("{{\"bans\":[\"{id}\\"),
            "PK\u{3}\u{4}".to_owned(),
            format!("user_id,type,created_at\n{id},Ban,2026-01-02\n{id},Unban,2026-01-03\n{id},Warn,\n"),
            format!("user_id,duration,created_at,active\n{id},7d,1767323045,true\n{id},,,false\n"),
            format!("{{\"{id}\":{{\"reason\":\"x\",\"expires\":\"never\"}},\"5\":null}}"),
            format!("{{\"user_id\":\"{id}\"}}\n{{\"user\":{{\"id\":\"{id}\"}},\"until\":0}}\n"),
            format!("{id},{id}\n# {id}\n{id} spam\n"),
        ];
        let wide = format!("user_id,reason\n{id}{}\n", ",".repeat(300));
        texts.into_iter().chain([wide]).map(String::into_bytes).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "user_id",
            "reason",
            "expires_at",
            "user",
            "id",
            "until",
            "bans",
            "users",
            "123456789012345678",
            "2026-01-02T03:04:05Z",
            "\"",
            "\"\"",
            "\r\n",
            "\n",
            "\r",
            ",",
            ";",
            "\t",
            "'",
            "'=",
            "''",
            "=1+1",
            "[",
            "]",
            "{",
            "}",
            "{\"user_id\":\"123456789012345678\",\"reason\":\"",
            "\":",
            "null",
            "\\u0000",
            "\\ud800",
            "\\",
            "\u{feff}",
            "9007199254740993",
            "1e17",
            "type",
            "Ban",
            "Unban",
            "duration",
            "7d",
            "never",
            "active",
            "false",
        ]
    }

    fn stand(&mut self, input: &[u8]) -> Result<String, String> {
        self.tried += 1;
        if self.tried.is_multiple_of(LARGE_EACH) {
            self.large(input)?;
        }
        let whole = read(input);
        if read(Crumbs(input)) != whole {
            return Err("it is read differently where it comes in crumbs".into());
        }
        let (kind, lines) = match whole {
            Ok(read) => read,
            Err(fault) if fault.kind == FaultKind::Usage => return Ok(plain(&fault.message)),
            Err(fault) => return Err(format!("a fault of another kind: {fault:?}")),
        };
        let most = input.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count() as u64 + 1;
        let mut last = 1;
        for line in &lines {
            last = judge(line, last, most)?;
        }
        if lines.len() > input.len() {
            return Err(format!("{} rows of {} bytes", lines.len(), input.len()));
        }
        let rows: Vec<&Row> = lines
            .iter()
            .filter_map(|line| match line {
                Ok(Line::Row(row)) => Some(row),
                _ => None,
            })
            .collect();
        names_nobody_else(input, &lines)?;
        write(&rows, Kind::Csv)?;
        write(&rows, Kind::Json)?;
        // What was wrong, and whether there were rows with reasons and ends: how many of each is not another kind.
        let mut wrong: Vec<String> = lines
            .iter()
            .filter_map(|line| match line {
                Ok(Line::Row(_)) => None,
                Ok(Line::Unban(_)) => Some("an unban".to_owned()),
                Ok(Line::Skipped(one)) => Some(plain(&format!("skipped: {}", one.fate.words()))),
                Ok(Line::Rejected(one)) => Some(plain(&one.why)),
                Err(fault) => Some(plain(&fault.message)),
            })
            .take(4)
            .collect();
        wrong.sort();
        wrong.dedup();
        let reasons = rows.iter().any(|row| row.reason.is_some());
        let ends = rows.iter().any(|row| row.until.is_some());
        Ok(format!("{} {} {reasons} {ends} {}", kind.word(), rows.len().min(3), wrong.join(", ")))
    }
}
