//! A file that a member attached to a command: where it lies at Discord, and what Discord says of it.

use std::fmt;
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
    /// As Discord sent it.
    pub fn new(address: String) -> Self {
        Self(address)
    }

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
