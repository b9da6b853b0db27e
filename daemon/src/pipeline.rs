//! The one way from a request to its effect, for every surface, from top to bottom:
//! capture panics and errors { blacklist → rate limit → resolve targets → authority → audit the intent →
//! handler → audit the outcome, analytics, profile }.
//!
//! The steps whose systems come later (blacklist, limits, analytics, profile) take their place in [`run`].

mod authority;
mod folding;

pub(crate) use authority::{check_action, check_role, may};
pub use folding::{Folding, Kind, WINDOW};

use crate::daemon::Daemon;
use crate::handlers;
use crate::invocation::{Context, Invocation, Surface};
use crate::settings;
use crate::store::{AuditRow, Personal};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Fault, FaultKind, redaction};

/// Runs a request to its end. A caller that goes away changes nothing about it.
///
/// # Errors
/// The refusal, the handler's fault, or a defect of ours.
pub async fn run(daemon: Arc<Daemon>, invocation: Invocation) -> Result<Reply, Fault> {
    // On a task of its own: neither a caller that goes away nor tarpc's deadline leaves it half done, and a panic
    // ends the task and not the daemon.
    let task = tokio::spawn(audited(daemon, Arc::new(invocation)));
    task.await.unwrap_or_else(|_| Err(Fault::internal("the request ended without an answer")))
}

async fn audited(daemon: Arc<Daemon>, invocation: Arc<Invocation>) -> Result<Reply, Fault> {
    let started = Instant::now();
    let cx = Context { daemon: Arc::clone(&daemon), invocation: Arc::clone(&invocation) };
    let definition = invocation.request.definition();
    let changes = definition.effect.changes() && !invocation.dry_run;

    let mut intent = None;
    let outcome = match admit_caught(&cx).await {
        Err(fault) if is_counted(&cx, &fault) => return Err(fault),
        Err(fault) => Err(fault),
        Ok(()) if changes => {
            let row = audit_row(&invocation, None, None);
            // What cannot be audited is not done.
            intent = Some(daemon.store().write(move |change| Ok(change.audit(&row)?)).await?);
            handle(cx).await
        }
        Ok(()) => handle(cx).await,
    };

    let result = outcome.as_ref().err().map_or(AuditResult::Success, result_of);
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let row = AuditRow {
        intent,
        micros: Some(micros),
        ..audit_row(&invocation, Some(result), outcome.as_ref().err())
    };
    if changes {
        // What was done was done: should its outcome not be stored, the next start calls it interrupted.
        if let Err(fault) = daemon.store().write(move |change| Ok(change.audit(&row)?)).await {
            tracing::error!(operation = definition.name, "the outcome is not in the audit: {fault}");
        }
    } else {
        // A reading is answered without waiting for the disk: with a full one, reading goes on.
        daemon.store().write_later("an audit row", move |change| Ok(change.audit(&row).map(drop)?)).await;
    }
    outcome
}

/// Whether it is one of many refusals of a member, and was counted with them. Operators' are the socket's.
fn is_counted(cx: &Context, fault: &Fault) -> bool {
    let (daemon, asked) = (&cx.daemon, &cx.invocation);
    let kind = Kind {
        actor: asked.actor.audit_name(),
        operation: asked.request.name(),
        guild: asked.guild,
        fault: fault.kind,
    };
    fault.kind == FaultKind::Denied
        && cx.is_member()
        && !daemon.folding().is_first(daemon, kind, asked.surface, fault)
}

/// Everything that can refuse a request before it is tried.
async fn admit(cx: &Context) -> Result<(), Fault> {
    authority::check_surface(cx)?;
    authority::check_authority(cx).await?;
    cx.invocation.request.check()?;
    authority::check_rank(cx).await?;
    authority::check_protection(cx).await?;
    authority::check_confirmation(cx)
}

/// What can refuse a request, with its panics caught: what was asked for is in the audit all the same.
async fn admit_caught(cx: &Context) -> Result<(), Fault> {
    let admitting = async {
        #[cfg(test)]
        crate::failpoint::reach(crate::failpoint::Point::Admit, cx.invocation.target());
        admit(cx).await
    };
    // The panic hook has logged where and why.
    AssertUnwindSafe(admitting).catch_unwind().await.unwrap_or_else(|_| Err(unexpected(cx)))
}

/// A defect of ours, as its caller hears of it.
fn unexpected(cx: &Context) -> Fault {
    Fault::internal(format!("{} failed unexpectedly", cx.invocation.request.name()))
}

/// The handler, with its panics caught.
async fn handle(cx: Context) -> Result<Reply, Fault> {
    let request = cx.invocation.request.clone();
    let defect = unexpected(&cx);
    let handling = async move {
        #[cfg(test)]
        crate::failpoint::reach(crate::failpoint::Point::Handler, cx.invocation.target());
        handlers::dispatch(request, cx).await
    };
    match tokio::spawn(handling).await {
        Ok(outcome) => outcome,
        // The panic hook has logged where and why.
        Err(error) if error.is_panic() => Err(defect),
        Err(_) => Err(Fault::unavailable(crate::store::STOPPING)),
    }
}

fn result_of(fault: &Fault) -> AuditResult {
    if fault.kind == FaultKind::Denied { AuditResult::Denied } else { AuditResult::Error }
}

fn audit_row(invocation: &Invocation, result: Option<AuditResult>, fault: Option<&Fault>) -> AuditRow {
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
pub async fn audit_unread(daemon: &Arc<Daemon>, unread: Unread<'_>) {
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
    daemon.store().write_later("an audit row", move |change| Ok(change.audit(&row).map(drop)?)).await;
}

#[cfg(test)]
mod panics;
#[cfg(test)]
mod tests;
