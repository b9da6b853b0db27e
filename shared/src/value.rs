//! Values that arrive from outside, checked once.
//!
//! A request can arrive over the socket without ever passing clap, so a bound that matters lives in a newtype
//! whose `FromStr` and serde `try_from` share one check, never only in a clap attribute.

mod account;
mod days;
mod evidence;
mod file;
mod guild_text;
mod identifier;
mod mark;
mod span;
mod text;
mod timestamp;
mod until;
mod warnings;

pub use account::Account;
pub use days::{DeleteDays, PageSize, WindowDays};
pub use evidence::Evidence;
pub use file::{Chunk, FileName, NewFile, UploadId};
pub use guild_text::{GuildText, fold};
pub use identifier::{
    AlertId, AuditId, ChannelId, DeliveryId, DrillId, ExceptionId, GuildId, HoldId, IncidentId, JobId,
    LinkId, ProtectionId, PunishmentId, RoleId, UserId,
};
pub use mark::ChainMark;
pub use span::Span;
pub use text::Untrusted;
pub use timestamp::Timestamp;
pub use until::Until;
pub use warnings::{WarningStep, WarningSteps};

/// Why a value was refused: what it must look like. The caller knows which field it was for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Implements the conversions that make serde use the same check as `FromStr`, and a string on the wire.
macro_rules! text_on_the_wire {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = $crate::value::Malformed;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}
pub(crate) use text_on_the_wire;
