//! What a request is in the audit, and what was asked for and never became one.

use crate::invocation::{Invocation, Surface};
use crate::settings;
use crate::store::{AuditRow, Personal, Store};
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Fault, FaultKind, redaction};

/// What a fault counts as.
pub(crate) fn result_of(fault: &Fault) -> AuditResult {
    if fault.kind == FaultKind::Denied { AuditResult::Denied } else { AuditResult::Error }
}

/// The row of a request: of its intent where it has no result yet, or of its outcome.
pub(crate) fn audit_row(
    invocation: &Invocation,
    result: Option<AuditResult>,
    fault: Option<&Fault>,
) -> AuditRow {
    let operation = invocation.request.name();
    AuditRow {
        intent: None,
        result,
        operation,
        family: family(operation),
        surface: invocation.surface.word(),
        guild: invocation.guild,
        channel: invocation.channel,
        fault: fault.map(|fault| fault.kind.word()),
        micros: None,
        personal: Personal {
            actor: Some(invocation.actor.audit_name()),
            target: invocation.target().map(|user| user.to_string()),
            parameters: Some(parameters(invocation)),
            message: fault.map(|fault| fault.message.clone()),
        },
    }
}

/// The arguments as versioned JSON, with the punishment that led to it where the daemon asks by itself.
fn parameters(invocation: &Invocation) -> String {
    let encoded = serde_json::to_value(&invocation.request).unwrap_or_default();
    let mut arguments = encoded.get("arguments").cloned().unwrap_or_default();
    redact(&invocation.request, &mut arguments);
    let mut parameters =
        serde_json::json!({ "schema": 1, "arguments": arguments, "dry_run": invocation.dry_run });
    if let Some(because) = invocation.because {
        parameters["because"] = because.to_string().into();
    }
    // And whatever has a secret's form, wherever somebody pasted it by mistake.
    redaction::redact(&parameters.to_string()).into_owned()
}

/// What was to be set as a secret is in no audit, of whatever form it is.
fn redact(request: &Request, arguments: &mut serde_json::Value) {
    let Some(fields) = arguments.as_object_mut() else { return };
    if let Request::SettingsSet(set) = request
        && settings::key(set.key.raw().trim()).is_ok_and(|key| key.secret)
    {
        fields.insert("value".to_owned(), "a secret".into());
    }
}

/// The seed's kind of command.
fn family(operation: &str) -> &'static str {
    match operation.split(' ').next().unwrap_or_default() {
        "ban" | "unban" | "kick" | "mute" | "unmute" | "timeout" | "untimeout" | "warn" | "punishment" => {
            "punishment"
        }
        "config" => "config",
        "audit" => "audit",
        "protect" | "setup" | "settings" | "sync" | "job" | "daemon" | "alert" | "incident" | "drill" => {
            "admin"
        }
        _ => "system",
    }
}

/// What the audit names that is no operation: the socket's other calls, and what could not be read as one.
pub const NO_OPERATIONS: [&str; 5] = ["connect", "watch", "upload", "download", "unknown"];

/// What was asked for and is no operation, or never became one: it is in the audit like any other.
pub struct Unread<'a> {
    /// The operation's words, where they could be told; one of [`NO_OPERATIONS`] otherwise.
    pub operation: &'static str,
    /// Where.
    pub surface: Surface,
    /// In which guild.
    pub guild: Option<GuildId>,
    /// Who, as the audit names them.
    pub actor: String,
    /// Why it was refused, where it was.
    pub fault: Option<&'a Fault>,
}

/// Audits what did not enter the pipeline.
pub async fn audit_unread(store: &Store, unread: Unread<'_>) {
    let Unread { operation, surface, guild, actor, fault } = unread;
    let row = AuditRow {
        intent: None,
        result: Some(fault.map_or(AuditResult::Success, result_of)),
        operation,
        family: family(operation),
        surface: surface.word(),
        guild,
        channel: None,
        fault: fault.map(|fault| fault.kind.word()),
        micros: None,
        personal: Personal {
            actor: Some(actor),
            message: fault.map(|fault| fault.message.clone()),
            ..Personal::default()
        },
    };
    store.write_later("an audit row", move |change| Ok(change.audit(&row).map(drop)?)).await;
}
