//! What is done with the audit as a whole: whether it holds, and a copy of it as a file. The chain itself is the store's.

pub mod export;
pub mod mark;
pub mod verify;
mod write;

use crate::invocation::is_operator;
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::value::Untrusted;

/// Hides which account of the machine an operator has, and what they typed on the command line: in a guild that is nobody's
/// business, and what is asked for there alone may name other accounts and guilds.
pub fn conceal(entry: &mut AuditEntry) {
    if entry.actor.as_ref().is_some_and(|actor| is_operator(actor.raw())) {
        entry.parameters = None;
        entry.message = None;
    }
    entry.actor = entry.actor.as_ref().map(concealed);
}

/// The name that somebody has in the audit, as it is told in a guild.
pub fn concealed(name: &Untrusted) -> Untrusted {
    match is_operator(name.raw()) {
        true => Untrusted::clipped("an operator"),
        false => name.clone(),
    }
}
