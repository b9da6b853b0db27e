//! What a guild does not apply to somebody, as the gates need it.

use std::collections::HashMap;
use std::fmt;
use wayhaven_shared::operations::exception::ExceptionOrigin;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{ExceptionId, GuildId, Timestamp, UserId};

/// Every exception, by guild, user and measure.
pub type Exceptions = HashMap<(GuildId, UserId, Action), Excepted>;

/// An exception, as a refusal names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excepted {
    /// Its number; nothing where nobody asked for it.
    pub id: Option<ExceptionId>,
    /// How it came to be.
    pub origin: ExceptionOrigin,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Whether what we did there is taken back.
    pub lift: bool,
}

impl Excepted {
    /// One that the guild's own staff made by taking something back.
    pub const BY_STAFF: Self = Self { id: None, origin: ExceptionOrigin::Override, until: None, lift: false };
}

impl fmt::Display for Excepted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.origin, self.id) {
            (ExceptionOrigin::Command, Some(id)) => {
                write!(out, "exception {id} of the guild")?;
                self.until.map_or(Ok(()), |until| write!(out, ", until {} UTC", until.short()))
            }
            _ => out.write_str("an exception: the guild's own staff have taken it back"),
        }
    }
}
