//! One thing that is due, and the request for it.

use crate::invocation::{Actor, Invocation, Surface};
use crate::pipeline;
use crate::store::{Change, Escalation, Severity};
use crate::systems::Systems;
use std::sync::Arc;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::exception::{Exception, Measure, SyncExceptionRemove};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::punishment::{Action, Punishment};
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};
use wayhaven_shared::value::{ExceptionId, GuildId, PunishmentId, Untrusted};
use wayhaven_shared::{Fault, FaultKind};

/// Something that is due.
pub(super) enum Due {
    /// A punishment has come to its end.
    End(Punishment),
    /// An exception has come to its end.
    Exception(Exception),
    /// A number of warnings was reached.
    Escalation(Escalation),
}

/// Which it is, among all that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The end of a punishment.
    End(PunishmentId),
    /// The end of an exception.
    Exception(ExceptionId),
    /// What follows a warning.
    Escalation(PunishmentId),
}

impl Due {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::End(punishment) => Key::End(punishment.id),
            Self::Exception(exception) => Key::Exception(exception.id),
            Self::Escalation(escalation) => Key::Escalation(escalation.warning),
        }
    }
}

/// Asks for what is due.
///
/// # Errors
/// Where it could not be done, and is to be tried again.
pub(super) async fn carry_out(systems: &Arc<Systems>, due: Due) -> Result<(), Fault> {
    match due {
        Due::End(punishment) => {
            let Some(request) = undo(&punishment) else { return Ok(()) };
            ask(systems, punishment.guild_id, Some(punishment.id), request).await
        }
        Due::Exception(exception) => {
            let Some(measure) = Measure::of(exception.measure) else { return Ok(()) };
            let request = SyncExceptionRemove { user: exception.user_id, measure: Some(measure) }.into();
            ask(systems, exception.guild_id, None, request).await
        }
        Due::Escalation(escalation) => {
            let Some(request) = follow_up(&escalation) else { return Ok(()) };
            match ask(systems, escalation.guild, Some(escalation.warning), request).await {
                Err(fault) if is_final(&fault) => refuse(systems, &escalation, &fault).await,
                outcome => outcome,
            }
        }
    }
}

async fn ask(
    systems: &Arc<Systems>,
    guild: GuildId,
    because: Option<PunishmentId>,
    request: Request,
) -> Result<(), Fault> {
    let invocation = Invocation {
        actor: Actor::System,
        surface: Surface::Scheduler,
        guild: Some(guild),
        channel: None,
        dry_run: false,
        confirm: None,
        because,
        upload: None,
        request,
    };
    pipeline::run(Arc::clone(systems), invocation).await.map(drop)
}

/// What takes a punishment back that has ended.
fn undo(punishment: &Punishment) -> Option<Request> {
    let user = punishment.user_id;
    let reason = Some(Untrusted::clipped(&format!("{} #{} has ended", punishment.action, punishment.id)));
    match punishment.action.undo()? {
        Action::Unban => Some(Unban { user, reason }.into()),
        Action::Unmute => Some(Unmute { user, reason }.into()),
        Action::Untimeout => Some(Untimeout { user, reason }.into()),
        _ => None,
    }
}

/// What a guild's steps say that follows.
fn follow_up(escalation: &Escalation) -> Option<Request> {
    let Escalation { user, warnings, step, .. } = *escalation;
    let last = escalation.reason.as_ref().map_or("", Untrusted::raw);
    let noun = if warnings == 1 { "warning" } else { "warnings" };
    let reason = Some(Untrusted::clipped(&format!("{warnings} {noun}: {last}")));
    let (span, evidence) = (step.span(), None);
    match step.action() {
        Action::Kick => Some(Kick { user, reason, evidence }.into()),
        Action::Mute => Some(Mute { user, span, reason, evidence }.into()),
        Action::Timeout => Some(Timeout { user, span: span?, reason, evidence }.into()),
        Action::Ban => Some(Ban { reason, span, ..Ban::new(user) }.into()),
        _ => None,
    }
}

/// Whether asking once more would get the same answer.
fn is_final(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Denied | FaultKind::Conflict | FaultKind::NotFound | FaultKind::Usage)
}

/// What a warning leads to cannot be done: an operator hears of it, once.
async fn refuse(systems: &Arc<Systems>, escalation: &Escalation, fault: &Fault) -> Result<(), Fault> {
    let Escalation { warning, guild, user, warnings, step, .. } = *escalation;
    let details = format!(
        "{warnings} warnings of {user} should have had them {}, which was refused: {fault} (#{warning})",
        step.words()
    );
    let work = move |change: &Change<'_>| {
        // Where it was carried out, or taken back, meanwhile there is nothing to tell.
        if change.settle_escalation(warning)? {
            change.alert("escalation_refused", Severity::Medium, Some(guild), Some(user), &details)?;
        }
        Ok(())
    };
    systems.services.store().write(work).await
}

/// Tells an operator of what fails again and again.
pub(super) async fn tell(systems: &Arc<Systems>, key: Key, fault: &Fault) {
    let details = match key {
        Key::End(id) => format!("punishment {id} has ended and cannot be taken back yet: {fault}"),
        Key::Exception(id) => {
            format!("exception {id} has ended and what it kept away cannot apply again yet: {fault}")
        }
        Key::Escalation(id) => format!("what follows warning {id} cannot be done yet: {fault}"),
    };
    tracing::warn!("{details}");
    let alert = move |change: &Change<'_>| {
        Ok(change.alert("schedule_delayed", Severity::Medium, None, None, &details)?)
    };
    systems.services.store().write_later("an alert", alert).await;
}
