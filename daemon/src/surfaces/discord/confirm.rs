//! Severe operations on Discord: the preview is shown with two buttons, and only a press by who asked does it.
//!
//! The preview is the very dry run, through the pipeline; what the press does goes through it again, with the
//! presser's permissions as they are then.

use super::questions::{Buttons, Choice, LIVES, Press};
use super::{Answer, Shown, SlashCommands, TOKEN_LIVES, actor, jobs};
use crate::audit::rows::{Unread, audit_unread};
use crate::discord::embed;
use crate::discord::interaction::Interaction;
use crate::invocation::{Invocation, Surface};
use crate::pipeline;
use crate::systems::Systems;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::job::JobState;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::report::{Report, Tone};
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Effect, Fault, FaultKind, grammar};

/// Discord's numbers for components and their styles.
const ROW: u8 = 1;
const BUTTON: u8 = 2;
const SECONDARY: u8 = 2;
const DANGER: u8 = 4;

/// The longest wait for the comparisons of a plan before it is asked about.
const LONGEST_COMPARISON: Duration = Duration::from_secs(10);

/// Whether it is asked about before it is done.
pub(super) fn is_asked_of(invocation: &Invocation) -> bool {
    invocation.request.effect() == Effect::Severe && !invocation.dry_run
}

/// Shows what the request would do, and asks whether to do it.
pub(super) async fn ask(answer: &Answer, invocation: Invocation) {
    let (systems, request) = (&answer.systems, invocation.request.clone());
    let upload = invocation.upload.clone();
    let Some((user, guild)) = invocation.actor.user().zip(invocation.guild) else {
        let fault = Fault::usage("this works in a guild, not in direct messages");
        answer.audit_unread(&fault).await;
        return answer.give(answer.refusal(fault).await).await;
    };
    // The plan of a punishment is about guilds: the question also says about whom it is.
    let whom = invocation.target().filter(|_| invocation.punishes());
    let preview = pipeline::run(Arc::clone(systems), Invocation { dry_run: true, ..invocation }).await;
    let reply = match preview {
        Ok(reply) => reply,
        // What cannot be done is no question.
        Err(fault) => return answer.give(answer.refusal(fault).await).await,
    };
    let Some(mut report) = planned(answer, reply).await else { return };
    let buttons = match answer.questions.put(Instant::now(), user, guild, request.clone(), upload) {
        Ok(buttons) => buttons,
        Err(error) => {
            tracing::error!("a severe operation cannot be asked about: {error}");
            let fault = Fault::internal("this machine gives no random numbers, and so no safe buttons")
                .hint("an operator can do it on the command line");
            answer.audit_unread(&fault).await;
            return answer.give(answer.refusal(fault).await).await;
        }
    };
    if let Some(user) = whom {
        report.fields.insert(0, ("User".to_owned(), user.into()));
    }
    report.fields.extend(asked_for(&request).map(|reason| ("Reason".to_owned(), (&reason).into())));
    report.tone = Tone::Warning;
    let minutes = LIVES.as_secs() / 60;
    let hint = format!("Do it does what is shown here, and can be pressed for {minutes} minutes");
    report.hints.insert(0, hint);
    let mut message = answer.message(report).await;
    message["components"] = row(&buttons);
    // A question that nobody sees any more is not put into a channel, where others would see it.
    if answer.show(message).await != Shown::Now {
        tracing::warn!(operation = answer.operation, "a preview was not shown, and so nobody is asked");
    }
}

/// The plan as it is asked about, once its jobs have ended; nothing where there is nothing to ask.
async fn planned(answer: &Answer, mut reply: Reply) -> Option<Report> {
    let running = reply.jobs();
    if running.is_empty() {
        return Some(reply.preview());
    }
    let _ = answer.show(answer.message(reply.report()).await).await;
    if let Reply::SyncReconcile(plan) = &mut reply {
        // A guild in an outage, or one that cannot be compared, keeps nobody from repairing the
        // others.
        plan.update(&jobs::planned(answer, &running, LONGEST_COMPARISON).await?);
        return Some(reply.preview());
    }
    let left = TOKEN_LIVES.saturating_sub(answer.asked.elapsed());
    let planned = jobs::planned(answer, &running, left).await?;
    if let Some(unfinished) = planned.iter().find(|job| job.state != JobState::Done) {
        answer.give(answer.message(unfinished.report()).await).await;
        return None;
    }
    planned.last().map(Reported::report)
}

/// The reason of a ban that is asked about.
fn asked_for(request: &Request) -> Option<Untrusted> {
    match request {
        Request::Ban(ban) => ban.reason.clone(),
        _ => None,
    }
}

/// Cancel comes first: it is what a hasty thumb meets.
fn row(buttons: &Buttons) -> Value {
    let button = |style: u8, label: &str, name: &str| json!({ "type": BUTTON, "style": style, "label": label, "custom_id": name });
    json!([{
        "type": ROW,
        "components": [button(SECONDARY, "Cancel", &buttons.cancel), button(DANGER, "Do it", &buttons.go)],
    }])
}

/// Takes a press that was acknowledged.
pub(super) async fn press(slash: SlashCommands, interaction: Interaction, asked: Instant) {
    let name = interaction.custom_id.clone().unwrap_or_default();
    let user = interaction.invoker.user;
    let systems = &slash.systems;
    let press = slash.questions.press(Instant::now(), &name, user, interaction.guild_id);
    match press {
        Press::Answer(Choice::Do, request) => carry_out(slash, interaction, request, asked).await,
        Press::Answer(Choice::Cancel, request) => cancel(systems, &interaction, &request).await,
        Press::NotAsked(request) => {
            let asked_for = request.name();
            let fault = Fault::denied(format!("only who asked for {asked_for} answers here"))
                .hint(format!("/{asked_for} asks for it yourself"));
            // Theirs is another's question, which stays as it is.
            refuse(systems, &interaction, asked_for, &fault, Place::Beside).await;
        }
        Press::Answered(choice, request) => {
            let asked_for = request.name();
            let fault = match choice {
                Choice::Do => Fault::conflict(format!("{asked_for} was confirmed here before"))
                    .hint("the message with the button tells what came of it, and so does /audit log"),
                Choice::Cancel => Fault::conflict(format!("{asked_for} was cancelled here before"))
                    .hint(format!("/{asked_for} asks for it again")),
            };
            refuse(systems, &interaction, asked_for, &fault, Place::Beside).await;
        }
        Press::Expired(request) => {
            let (asked_for, minutes) = (request.name(), LIVES.as_secs() / 60);
            let message = format!("{asked_for} was asked for more than {minutes} minutes ago");
            let fault = Fault::new(FaultKind::Declined, format!("{message}, and nothing was changed"))
                .hint(format!("/{asked_for} asks for it again and shows what it would do now"));
            refuse(systems, &interaction, asked_for, &fault, Place::Instead).await;
        }
        Press::Unknown => {
            let fault = Fault::not_found("Wayhaven does not know this question any more")
                .hint("it was restarted since, or it is long ago: use the command again")
                .hint("/audit log tells whether something was done meanwhile");
            refuse(systems, &interaction, "unknown", &fault, Place::Instead).await;
        }
    }
}

/// Does what was asked for, as who pressed it is now.
async fn carry_out(slash: SlashCommands, interaction: Interaction, request: Request, asked: Instant) {
    let name = request.name();
    let report = Report::new(format!("{name}: on its way"), Tone::Waiting)
        .hint("should this not change, audit log tells what came of it");
    show(&slash.systems, &interaction, Place::Instead, alone(&report)).await;
    let upload = interaction.custom_id.as_deref().and_then(|name| slash.questions.upload(name));
    let invocation = actor(&interaction).map(|actor| Invocation {
        actor,
        surface: Surface::Discord,
        guild: interaction.guild_id,
        channel: interaction.channel_id,
        dry_run: false,
        confirm: Some(grammar::confirmation(&request)),
        because: None,
        upload,
        request,
    });
    let answer = Answer::new(&slash, interaction, name.to_owned(), asked);
    let outcome = match invocation {
        Ok(invocation) => pipeline::run(slash.systems, invocation).await,
        Err(fault) => {
            answer.audit_unread(&fault).await;
            Err(fault)
        }
    };
    answer.tell(outcome).await;
}

async fn cancel(systems: &Arc<Systems>, interaction: &Interaction, request: &Request) {
    let name = request.name();
    let report = Report::new(format!("{name} was cancelled: nothing was changed"), Tone::Quiet);
    show(systems, interaction, Place::Instead, alone(&report)).await;
    let fault = Fault::new(FaultKind::Declined, format!("{name} was cancelled at its preview"));
    audit(systems, interaction, name, &fault).await;
}

/// A message without buttons, also in the place of one that has some.
fn alone(report: &Report) -> Value {
    let mut message = embed::message(report);
    message["components"] = json!([]);
    message
}

/// Where an answer to a press is shown.
#[derive(Clone, Copy)]
enum Place {
    /// In place of the question, which nobody can answer any more.
    Instead,
    /// Beside it, to who pressed only.
    Beside,
}

async fn refuse(
    systems: &Arc<Systems>,
    interaction: &Interaction,
    operation: &'static str,
    fault: &Fault,
    place: Place,
) {
    let mut message = embed::fault_message(fault);
    if let Place::Instead = place {
        message["components"] = json!([]);
    }
    show(systems, interaction, place, message).await;
    audit(systems, interaction, operation, fault).await;
}

/// Shows an answer to a press, as far as Discord takes it: the press counts all the same.
async fn show(systems: &Arc<Systems>, interaction: &Interaction, place: Place, message: Value) {
    let (rest, token, application) =
        (systems.services.rest(), &interaction.token, interaction.application_id.to_string());
    let shown = match place {
        Place::Beside => rest.follow_up(&application, token, message).await,
        Place::Instead => rest.answer(&application, token, message).await,
    };
    if let Err(error) = shown {
        tracing::warn!("the answer to a press was not shown: {error}");
    }
}

async fn audit(systems: &Arc<Systems>, interaction: &Interaction, operation: &'static str, fault: &Fault) {
    let unread = Unread {
        operation,
        surface: Surface::Discord,
        guild: interaction.guild_id,
        actor: interaction.invoker.user.to_string(),
        fault: Some(fault),
    };
    audit_unread(systems.services.store(), unread).await;
}

#[cfg(test)]
mod tests;
