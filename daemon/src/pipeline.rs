//! The one way from a request to its effect, for every surface, from top to bottom:
//! capture panics and errors { blacklist → rate limit → resolve targets → authority → audit the intent →
//! handler → audit the outcome, analytics, profile }.
//!
//! The steps whose systems come later (blacklist, limits, analytics, profile) take their place in [`run`].

use crate::audit::refusals::Kind;
use crate::audit::rows::{audit_row, result_of};
use crate::authority;
use crate::context::Context;
use crate::handlers;
use crate::invocation::Invocation;
use crate::store::AuditRow;
use crate::systems::Systems;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::{Fault, FaultKind};

/// Runs a request to its end. A caller that goes away changes nothing about it.
///
/// # Errors
/// The refusal, the handler's fault, or a defect of ours.
pub async fn run(systems: Arc<Systems>, invocation: Invocation) -> Result<Reply, Fault> {
    // On a task of its own: neither a caller that goes away nor tarpc's deadline leaves it half done, and a panic
    // ends the task and not the daemon.
    let task = tokio::spawn(audited(systems, Arc::new(invocation)));
    task.await.unwrap_or_else(|_| Err(Fault::internal("the request ended without an answer")))
}

async fn audited(systems: Arc<Systems>, invocation: Arc<Invocation>) -> Result<Reply, Fault> {
    let started = Instant::now();
    let cx = Context::new(Arc::clone(&systems), Arc::clone(&invocation));
    let definition = invocation.request.definition();
    let changes = definition.effect.changes() && !invocation.dry_run;

    let mut intent = None;
    let outcome = match admit_caught(&cx).await {
        Err(fault) if is_counted(&cx, &fault) => return Err(fault),
        Err(fault) => Err(fault),
        Ok(()) if changes => {
            let row = audit_row(&invocation, None, None);
            // What cannot be audited is not done.
            intent = Some(systems.services.store().write(move |change| Ok(change.audit(&row)?)).await?);
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
        if let Err(fault) = systems.services.store().write(move |change| Ok(change.audit(&row)?)).await {
            tracing::error!(operation = definition.name, "the outcome is not in the audit: {fault}");
        }
    } else {
        // A reading is answered without waiting for the disk: with a full one, reading goes on.
        systems
            .services
            .store()
            .write_later("an audit row", move |change| Ok(change.audit(&row).map(drop)?))
            .await;
    }
    outcome
}

/// Whether it is one of many refusals of a member, and was counted with them. Operators' are the socket's.
fn is_counted(cx: &Context, fault: &Fault) -> bool {
    let asked = &cx.invocation;
    let kind = Kind {
        actor: asked.actor.audit_name(),
        operation: asked.request.name(),
        guild: asked.guild,
        fault: fault.kind,
    };
    fault.kind == FaultKind::Denied
        && cx.is_member()
        && !cx.systems.audit.refusals().is_first(kind, asked.surface, fault)
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

#[cfg(test)]
mod panics;
#[cfg(test)]
mod tests;
