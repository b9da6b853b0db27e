//! Slash commands and buttons: run through the pipeline and answered when there is something to say. The gateway's
//! thread has acknowledged them before (`gateway/acknowledge.rs`).

mod complete;
mod confirm;
pub mod connection;
mod files;
pub mod identify;
mod jobs;
mod menu;
mod questions;
pub mod registration;
mod turned_away;

pub use questions::Questions;
pub use turned_away::turn_away;

use crate::audit::rows::{Unread, audit_unread};
use crate::discord::budget::Priority;
use crate::discord::embed;
use crate::discord::gateway::Arrived;
use crate::discord::interaction::{Interaction, InteractionKind};
use crate::handlers;
use crate::invocation::{Actor, Invocation, Surface, Upload};
use crate::names::{self, Reader};
use crate::network::GuildChannel;
use crate::pipeline;
use crate::systems::Systems;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::job::{Job, JobResult};
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::told::Told;
use wayhaven_shared::value::{GuildId, PunishmentId};
use wayhaven_shared::{Fault, Report, grammar};

/// How long an interaction's token is good for, with a margin (FACTS A10: 15 minutes).
const TOKEN_LIVES: Duration = Duration::from_secs(14 * 60 + 30);

/// How often an answer is changed at most while deliveries go on.
const BETWEEN_EDITS: Duration = Duration::from_secs(2);

/// What interactions are handled with. Clones share everything.
#[derive(Clone)]
pub struct SlashCommands {
    /// The systems.
    pub systems: Arc<Systems>,
    /// What members were asked and have not answered.
    pub questions: Arc<Questions>,
}

/// Handles one interaction after its acknowledgement.
pub async fn handle(slash: SlashCommands, arrived: Arrived) {
    let systems = &slash.systems;
    let interaction = match Interaction::from_value(&arrived.data) {
        Ok(interaction) => interaction,
        Err(fault) => return turned_away::unreadable(systems, &arrived, fault).await,
    };
    if let Err(error) = &arrived.acknowledged {
        return turned_away::unacknowledged(systems, &arrived, &interaction, error).await;
    }
    match interaction.kind {
        // The form was the first answer.
        InteractionKind::Command if interaction.opens_form() => {
            menu::opened(slash, interaction, arrived.at).await
        }
        InteractionKind::Autocomplete => complete::answer(&systems.services, interaction).await,
        InteractionKind::Command => command(slash, interaction, arrived.at).await,
        InteractionKind::Component => confirm::press(slash, interaction, arrived.at).await,
        InteractionKind::Modal => menu::submitted(slash, interaction, arrived.at).await,
        InteractionKind::Other(_) => {
            turned_away::not_offered(systems, &arrived).await;
        }
    }
}

/// What became of a message to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// They see it.
    Now,
    /// The interaction's token is worth nothing any more.
    TooLate,
    /// They do not see it, and there is no more to be done about it.
    Lost,
}

/// One answer on its way to whoever asked.
struct Answer {
    systems: Arc<Systems>,
    questions: Arc<Questions>,
    interaction: Interaction,
    /// What was asked for, as on the command line.
    operation: String,
    asked: Instant,
}

async fn command(slash: SlashCommands, interaction: Interaction, asked: Instant) {
    let invocation = invocation(&interaction);
    let operation = interaction.operation.clone();
    let answer = Answer::new(&slash, interaction, operation, asked);
    let outcome = match invocation {
        Ok(invocation) if confirm::is_asked_of(&invocation) => {
            return confirm::ask(&answer, invocation).await;
        }
        Ok(invocation) => pipeline::run(slash.systems, invocation).await,
        Err(fault) => {
            answer.audit_unread(&fault).await;
            Err(fault)
        }
    };
    answer.tell(outcome).await;
}

fn invocation(interaction: &Interaction) -> Result<Invocation, Fault> {
    let (request, dry_run) = interaction.request()?;
    Ok(Invocation {
        actor: actor(interaction)?,
        surface: Surface::Discord,
        guild: interaction.guild_id,
        channel: interaction.channel_id,
        dry_run,
        // A severe operation is confirmed by a button on its preview.
        confirm: None,
        because: None,
        upload: interaction.attachment().cloned().map(Upload::Attached),
        request,
    })
}

/// Who asks, as Discord vouches for it in this very interaction.
fn actor(interaction: &Interaction) -> Result<Actor, Fault> {
    let member = interaction.invoker.membership.as_ref();
    let member = member.ok_or_else(|| Fault::usage("this works in a guild, not in direct messages"))?;
    // Whom the request names, with their roles, if they are members: Discord sends them along.
    let resolved = interaction.resolved().map(|(user, member)| (user, member.roles.clone())).collect();
    Ok(Actor::Member {
        user: interaction.invoker.user,
        roles: member.roles.clone(),
        permissions: member.permissions,
        resolved,
    })
}

impl Answer {
    fn new(slash: &SlashCommands, interaction: Interaction, operation: String, asked: Instant) -> Self {
        let SlashCommands { systems, questions } = slash.clone();
        Self { systems, questions, interaction, operation, asked }
    }

    async fn audit_unread(&self, fault: &Fault) {
        let operation = grammar::find(&self.operation).map_or("unknown", |found| found.name);
        let unread = Unread {
            operation,
            surface: Surface::Discord,
            guild: self.interaction.guild_id,
            actor: self.interaction.invoker.user.to_string(),
            fault: Some(fault),
        };
        audit_unread(self.systems.services.store(), unread).await;
    }

    /// What came of the request, and how its deliveries go on.
    async fn tell(&self, outcome: Result<Reply, Fault>) {
        match outcome {
            Err(fault) => self.give(self.refusal(fault).await).await,
            Ok(Reply::SyncExport(job) | Reply::AuditExport(job)) if !job.is_running() => {
                self.give_job(job).await
            }
            Ok(reply) if !reply.jobs().is_empty() => {
                self.show(self.message(reply.report()).await).await;
                jobs::follow(self, reply).await;
            }
            Ok(reply) => match reply.pending() {
                None => self.give(self.message(reply.report()).await).await,
                Some(punishment) => {
                    self.show(self.message(reply.report()).await).await;
                    self.follow(reply, punishment).await;
                }
            },
        }
    }

    /// A report as a message, with the names that people in this guild may know.
    async fn message(&self, report: Report) -> Value {
        let reader = Reader::Member(self.interaction.guild_id);
        embed::message(&names::report(&self.systems.services, report, reader).await)
    }

    /// A fault as a message, in the same way.
    async fn refusal(&self, fault: Fault) -> Value {
        let reader = Reader::Member(self.interaction.guild_id);
        embed::fault_message(&names::fault(&self.systems.services, fault, reader).await)
    }

    /// What came of a job, with the file that it has written.
    async fn give_job(&self, job: Job) {
        match job.result.as_ref().and_then(JobResult::written) {
            Some(written) => files::give(self, &job, written).await,
            None => self.give(self.message(job.report()).await).await,
        }
    }

    /// The last word: to whoever asked, or in the guild's log channel where that is not possible any more.
    async fn give(&self, message: Value) {
        if self.show(message.clone()).await == Shown::TooLate {
            match self.interaction.guild_id {
                Some(guild) => self.give_late(guild, message).await,
                None => tracing::warn!("an answer came too late to be shown"),
            }
        }
    }

    /// Shows the message to whoever asked, in place of what they saw before.
    async fn show(&self, message: Value) -> Shown {
        if self.asked.elapsed() >= TOKEN_LIVES {
            return Shown::TooLate;
        }
        let Some(application) = self.systems.services.gateway().application() else { return Shown::Lost };
        match self.systems.services.rest().answer(&application, &self.interaction.token, message).await {
            Ok(()) => Shown::Now,
            // They dismissed it: they do not want to see more.
            Err(error) if error.code() == Some(10008) => Shown::Lost,
            Err(error) if matches!(error.code(), Some(10015 | 10062 | 50027)) => Shown::TooLate,
            Err(error) => {
                tracing::warn!("an answer was not shown: {error}");
                Shown::Lost
            }
        }
    }

    async fn give_late(&self, guild: GuildId, mut message: Value) {
        let config = self.systems.services.store().read(move |view| Ok(view.config(guild)?)).await;
        let Some(channel) = config.ok().and_then(|config| config.log_channel_id) else {
            return tracing::warn!(%guild, "an answer came too late, and the guild has no log channel");
        };
        let home = match self.systems.services.rest().channel(Priority::Upkeep, channel).await {
            Ok(view) => view.and_then(|view| view.guild_id),
            Err(error) => return tracing::warn!(%guild, "a late answer was not posted: {error}"),
        };
        let Some(channel) = GuildChannel::of(guild, channel, home) else {
            return tracing::warn!(%guild, "a late answer was not posted: the log channel is not the guild's");
        };
        let operation = &self.operation;
        message["content"] =
            format!("/{operation} of <@{}> has ended.", self.interaction.invoker.user).into();
        if let Err(error) = self.systems.services.rest().post(channel, message).await {
            tracing::warn!(%guild, "a late answer was not posted: {error}");
        }
    }

    /// Changes the answer as the deliveries go on, until nothing moves any more.
    async fn follow(&self, mut reply: Reply, punishment: PunishmentId) {
        let mut changes = self.systems.services.store().sequence();
        let mut stopping = self.systems.services.lifecycle().stopping();
        let mut shown = counts(&reply);
        loop {
            changes.mark_unchanged();
            let detail = self
                .systems
                .services
                .store()
                .read(move |view| handlers::punishment::detail(view, punishment, None))
                .await;
            let Ok(detail) = detail else { return };
            let moving = detail.is_moving();
            if let Some(punished) = reply.punished_mut() {
                punished.deliveries = detail.counts();
                punished.origin = detail.origin;
                punished.told = detail.told;
            }
            let now = counts(&reply);
            // While it goes on the answer shows how far it is; once the token is gone only the end is told.
            let message = || self.message(reply.report());
            match (moving, now != shown) {
                (false, true) => return self.give(message().await).await,
                (false, false) => return,
                (true, true) => drop(self.show(message().await).await),
                (true, false) => {}
            }
            shown = now;
            tokio::select! {
                () = tokio::time::sleep(BETWEEN_EDITS) => {}
                () = stopping.raised() => return,
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = stopping.raised() => return,
            }
        }
    }
}

/// What of a reply changes while deliveries go on.
fn counts(reply: &Reply) -> String {
    let words = |punished: &Punished| {
        let told = punished.told.as_ref().map(Told::words);
        format!("{} {} {told:?}", punished.origin.words(), punished.deliveries.words())
    };
    reply.punished().map(words).unwrap_or_default()
}
