//! How entries of the audit are written into a file.

use crate::uploads::cell;
use serde::Serialize;
use std::io::{self, Write};
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::operations::sync::ListFormat;
use wayhaven_shared::value::{GuildId, Timestamp};

/// The version of what is written.
const SCHEMA: u32 = 1;

const COLUMNS: &str = "sequence,at,operation,surface,actor,guild_id,channel_id,target,result,fault,message,duration_ms,parameters,dry_run";

/// A file of entries.
pub(super) struct Writer<W> {
    out: W,
    format: ListFormat,
    entries: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file about a guild, or all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn begin(
        mut out: W,
        format: ListFormat,
        guild: Option<GuildId>,
        now: Timestamp,
    ) -> io::Result<Self> {
        match format {
            ListFormat::Csv => write!(out, "{COLUMNS}\r\n")?,
            ListFormat::Json => {
                let guild = guild.map_or_else(|| "null".to_owned(), |guild| format!("\"{guild}\""));
                let head = format!("\"schema\":{SCHEMA},\"exported_at\":\"{now}\",\"guild_id\":{guild}");
                write!(out, "{{{head},\"entries\":[")?;
            }
        }
        Ok(Self { out, format, entries: 0 })
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn push(&mut self, entry: &AuditEntry) -> io::Result<()> {
        match self.format {
            ListFormat::Csv => {
                let id = |id: Option<String>| id.unwrap_or_default();
                let untrusted = |text: Option<&str>| text.map(cell).unwrap_or_default();
                let parameters = entry.parameters.as_ref().map(ToString::to_string);
                write!(
                    self.out,
                    "{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
                    entry.sequence,
                    entry.at,
                    entry.operation,
                    entry.surface,
                    untrusted(entry.actor.as_ref().map(|actor| actor.raw())),
                    id(entry.guild_id.map(|id| id.to_string())),
                    id(entry.channel_id.map(|id| id.to_string())),
                    id(entry.target.map(|id| id.to_string())),
                    entry.result.word(),
                    entry.fault.as_deref().unwrap_or_default(),
                    untrusted(entry.message.as_ref().map(|message| message.raw())),
                    entry.duration_ms.map(|millis| millis.to_string()).unwrap_or_default(),
                    untrusted(parameters.as_deref()),
                    entry.dry_run,
                )?;
            }
            ListFormat::Json => {
                self.out.write_all(if self.entries == 0 { b"\n" } else { b",\n" })?;
                entry.serialize(&mut serde_json::Serializer::new(&mut self.out))?;
            }
        }
        self.entries += 1;
        Ok(())
    }

    /// Ends the file; what it was written to, and how many entries it has.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn end(mut self) -> io::Result<(W, u64)> {
        if self.format == ListFormat::Json {
            self.out.write_all(b"\n]}\n")?;
        }
        self.out.flush()?;
        Ok((self.out, self.entries))
    }
}
