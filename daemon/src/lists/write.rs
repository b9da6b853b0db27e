//! Our own lists: what [`ListReader`](super::ListReader) reads back without loss, and a spreadsheet shows without running
//! any of it.

use super::Kind;
use crate::store::Entry;
use crate::uploads::cell;
use std::io::{self, Write};
use wayhaven_shared::value::{GuildId, Timestamp, UserId};

/// Writes a list, one row at a time.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    kind: Kind,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a list of the bans of `guild`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(mut out: W, kind: Kind, guild: GuildId) -> io::Result<Self> {
        match kind {
            Kind::Csv => out.write_all(b"user_id,reason,expires_at,moderator_id,created_at\r\n")?,
            Kind::Json => write!(out, "{{\"guild_id\":\"{guild}\",\"bans\":[")?,
        }
        Ok(Self { out, kind, rows: 0 })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn push(&mut self, entry: &Entry) -> io::Result<()> {
        match self.kind {
            Kind::Csv => {
                let reason = entry.reason.as_ref().map(|reason| cell(reason.raw())).unwrap_or_default();
                let id = |id: Option<UserId>| id.map(|id| id.to_string()).unwrap_or_default();
                let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
                write!(
                    self.out,
                    "{},{reason},{},{},{}\r\n",
                    entry.user_id,
                    time(entry.expires_at),
                    id(entry.moderator_id),
                    time(entry.created_at)
                )?;
            }
            Kind::Json => {
                self.out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.out, entry)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the list; what it was written to, and how many rows it has.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end(mut self) -> io::Result<(W, u64)> {
        if self.kind == Kind::Json {
            self.out.write_all(b"\n]}\n")?;
        }
        self.out.flush()?;
        Ok((self.out, self.rows))
    }
}
