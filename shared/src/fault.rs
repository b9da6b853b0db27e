//! What went wrong, in the shape every surface shows it: a kind, a message, hints.

use crate::redaction::redact;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The kinds of fault. Each has one exit code on the command line; [`FaultKind::exit_code`] is the only place
/// that decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The request itself is wrong: a field is missing, malformed or out of bounds.
    Usage,
    /// The actor may not do that, here or at all.
    Denied,
    /// What was named does not exist.
    NotFound,
    /// It contradicts what is: already so, or locked.
    Conflict,
    /// Too much was asked at once: later it can be asked again.
    RateLimited,
    /// The daemon does not answer.
    Unreachable,
    /// The daemon answers, but something it needs (Discord, its store) does not.
    Unavailable,
    /// It goes on, but did not finish in the time that was given.
    Pending,
    /// Some guilds did it, some did not.
    Partial,
    /// The person did not confirm.
    Declined,
    /// What was looked at is not as it has to be: a checksum, a chain, the connection to a guild.
    Verification,
    /// A defect in Wayhaven; the daemon goes on.
    Internal,
    /// A kind this version does not know, from a newer one.
    #[serde(other)]
    Unknown,
}

impl FaultKind {
    /// The exit code of the command line (design: the CLI contract).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Unavailable | Self::RateLimited | Self::Internal | Self::Unknown => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Denied => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::Unreachable => 7,
            Self::Pending => 8,
            Self::Declined => 9,
            Self::Verification => 10,
        }
    }

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::Pending => "pending",
            Self::Partial => "partial",
            Self::Declined => "declined",
            Self::Verification => "verification",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

/// A message may repeat what somebody typed.
fn without_secrets(text: String) -> String {
    match redact(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(redacted) => redacted,
    }
}

/// A failure a person can act on. The message is one clear line that names what and why; hints are ways out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Fault {
    /// What sort of failure.
    pub kind: FaultKind,
    /// One line, without secrets and without control characters.
    pub message: String,
    /// What to do about it, most useful first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl Fault {
    /// A fault without hints.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: without_secrets(message.into()), hints: Vec::new() }
    }

    /// The same with one more way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(without_secrets(hint.into()));
        self
    }

    /// The request is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Usage, message)
    }

    /// The actor may not.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Denied, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(FaultKind::NotFound, message)
    }

    /// It contradicts what is.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Conflict, message)
    }

    /// Too much was asked at once.
    pub fn rate_limited(message: impl Into<String>) -> Self {
        Self::new(FaultKind::RateLimited, message)
    }

    /// Something needed does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Unavailable, message)
    }

    /// A defect of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Internal, message)
            .hint("this is a defect in Wayhaven; the daemon's log has the details")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| write!(out, "\n  hint: {hint}"))
    }
}
