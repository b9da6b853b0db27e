//! The JSON envelopes of the command line: one line each, fields only ever added.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wayhaven_shared::Fault;
use wayhaven_shared::control::Outcome;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// The version of the envelopes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct ReplyEnvelope<'a> {
    schema: u32,
    kind: &'a str,
    data: &'a Value,
    next_cursor: Option<&'a str>,
    warnings: &'a [String],
    names: NamesFields<'a>,
}

/// Names by id; both maps are always there, unlike on the wire.
#[derive(Serialize)]
struct NamesFields<'a> {
    users: &'a BTreeMap<UserId, Untrusted>,
    guilds: &'a BTreeMap<GuildId, Untrusted>,
}

#[derive(Serialize)]
struct FaultEnvelope<'a> {
    schema: u32,
    kind: &'static str,
    fault: FaultFields<'a>,
}

#[derive(Serialize)]
struct FaultFields<'a> {
    kind: &'static str,
    message: &'a str,
    // Always there, unlike on the wire: a script need not ask whether.
    hints: &'a [String],
}

/// A reply, its data as the daemon wrote it.
pub(crate) fn reply(outcome: &Outcome) -> String {
    line(&ReplyEnvelope {
        schema: SCHEMA,
        kind: &outcome.operation,
        data: &outcome.data,
        next_cursor: outcome.next_cursor.as_deref(),
        warnings: &outcome.warnings,
        names: NamesFields { users: &outcome.names.users, guilds: &outcome.names.guilds },
    })
}

/// A failure, for standard error.
pub(crate) fn fault(fault: &Fault) -> String {
    let fields = FaultFields { kind: fault.kind.word(), message: &fault.message, hints: &fault.hints };
    line(&FaultEnvelope { schema: SCHEMA, kind: "fault", fault: fields })
}

/// The same JSON in ASCII: what is not ASCII stands only within strings, where it can be escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_ascii() {
            true => out.push(letter),
            false => {
                let mut units = [0; 2];
                out.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    out
}

fn line(envelope: &impl Serialize) -> String {
    // Plain data with string keys: encoding it cannot fail.
    let mut line = serde_json::to_string(envelope).unwrap_or_default();
    line.push('\n');
    line
}
