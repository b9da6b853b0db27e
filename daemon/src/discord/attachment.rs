//! A file that a member attached to a command: where it lies at Discord, and what Discord says of it.

use super::interaction::unreadable;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Untrusted;

/// The most bytes of a file where Discord says nothing else (FACTS A6).
pub const LIMIT: u64 = 10 * 1024 * 1024;

/// A file that came with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its snowflake; what lies behind it never changes.
    pub id: u64,
    /// Its name, as the member gave it.
    pub name: Untrusted,
    /// Its length in bytes.
    pub size: u64,
    /// Where it lies.
    pub link: Link,
}

/// Where a file lies. Whoever has it reads the file, so that it never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// The address, for the request that reads the file, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Link(…)")
    }
}

/// The files of a command's `resolved.attachments`.
///
/// # Errors
/// Where one is not what Discord describes.
pub(crate) fn read_all(attachments: &Value) -> Result<BTreeMap<u64, Attachment>, Fault> {
    let wrong = || unreadable("data.resolved.attachments");
    let attachments = match attachments {
        Value::Null => return Ok(BTreeMap::new()),
        attachments => attachments.as_object().ok_or_else(wrong)?,
    };
    let read = |(id, file): (&String, &Value)| {
        let id = id.parse().map_err(|_| wrong())?;
        let name = Untrusted::clipped(file["filename"].as_str().ok_or_else(wrong)?);
        let size = file["size"].as_u64().ok_or_else(wrong)?;
        let link = Link(file["url"].as_str().ok_or_else(wrong)?.to_owned());
        Ok((id, Attachment { id, name, size, link }))
    };
    attachments.iter().map(read).collect()
}
