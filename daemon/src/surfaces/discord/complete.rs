//! Completions: which guild, punishment, hold or job a member may mean by what they have typed so far.
//!
//! A completion is answered within three seconds or not at all, so it is made of memory and one bounded read. It shows
//! what the command itself would let this member see, and nothing to somebody who may not use the command.

use crate::authority;
use crate::discord::interaction::Interaction;
use crate::discord::slash::{Open, completes, option_name, takes_several};
use crate::names::{self, Reader};
use crate::network::LinkState;
use crate::services::Services;
use crate::store::View;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use wayhaven_shared::names::{Mentions, beside};
use wayhaven_shared::operations::hold::Hold;
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::operations::punishment::Punishment;
use wayhaven_shared::value::{GuildId, Untrusted};
use wayhaven_shared::{Fault, Names, Surfaces, grammar};

/// How long choices are looked for: Discord takes none after three seconds (FACTS A10).
const WITHIN: Duration = Duration::from_millis(1_500);

/// The most choices that Discord takes, and the longest name and value of one (FACTS A9).
const CHOICES: usize = 25;
const LONGEST: usize = 100;

/// How many of the newest rows are looked through.
const LOOKED_THROUGH: u16 = 100;

/// Something that can be chosen.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    /// What the option becomes.
    value: String,
    /// What the member reads.
    label: String,
}

/// Answers one completion. Where nothing is found in time the member types on without choices.
pub(super) async fn answer(services: &Services, interaction: Interaction) {
    let found = tokio::time::timeout(WITHIN, choices(services, &interaction)).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(fault)) => {
            tracing::warn!("a completion has no choices: {fault}");
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    let found: Vec<Value> =
        found.into_iter().map(|one| json!({ "name": one.label, "value": one.value })).collect();
    let sent = services.rest().complete(interaction.id, &interaction.token, Value::Array(found)).await;
    if let Err(error) = sent {
        tracing::warn!("a completion was not answered: {error}");
    }
}

/// What the option that is being typed is completed with, and the text so far: what stays before the word that is
/// completed, and that word.
fn asked(interaction: &Interaction) -> Option<(Open, String, String)> {
    let definition = grammar::find(&interaction.operation)
        .filter(|definition| definition.surfaces == Surfaces::Everywhere)?;
    let (name, typed) = interaction.focused()?;
    let command = grammar::command(definition);
    let argument = command.get_arguments().find(|argument| option_name(argument) == name)?;
    let open = completes(argument)?;
    // Of a list the last word is completed.
    let split = if takes_several(argument) { typed.rfind([' ', ',']).map_or(0, |at| at + 1) } else { 0 };
    let (before, word) = typed.split_at(split);
    Some((open, before.to_owned(), word.trim().to_lowercase()))
}

async fn choices(services: &Services, interaction: &Interaction) -> Result<Vec<Choice>, Fault> {
    let Some((open, before, word)) = asked(interaction) else { return Ok(Vec::new()) };
    let (Some(guild), Some(member)) = (interaction.guild_id, &interaction.invoker.membership) else {
        return Ok(Vec::new());
    };
    let user = interaction.invoker.user;
    let authority = grammar::find(&interaction.operation).map(|definition| definition.authority);
    let Some(authority) = authority else { return Ok(Vec::new()) };
    let (roles, bits) = (&member.roles, member.permissions);
    if !authority::may(services, Some(guild), authority, user, roles, bits).await? {
        return Ok(Vec::new());
    }
    let all = match open {
        Open::Guild => guilds(services, guild, services.settings().owner_ids.contains(&user), |of| {
            services.directory().owner(of) == Some(user)
        }),
        Open::Punishment => punishments(services, guild).await?,
        Open::Hold => holds(services, guild).await?,
        Open::Job => jobs(services, guild).await?,
    };
    let fits = |one: &Choice| one.value.starts_with(&word) || one.label.to_lowercase().contains(&word);
    let whole = |one: Choice| Choice { value: format!("{before}{}", one.value), ..one };
    let shown = all.into_iter().filter(fits).map(whole);
    Ok(shown.filter(|one| one.value.chars().count() <= LONGEST).take(CHOICES).collect())
}

/// A label of ours and others' words on one clean line.
fn label(text: &str) -> String {
    Untrusted::clipped(text).line_within(LONGEST)
}

/// The guilds that people of this one may know of: itself, those it shares an accepted link with, those that propose
/// one to it, and those that the member owns. Somebody who owns Wayhaven knows all.
fn guilds(
    services: &Services,
    guild: GuildId,
    knows_all: bool,
    is_theirs: impl Fn(GuildId) -> bool,
) -> Vec<Choice> {
    let (topology, directory) = (services.store().topology(), services.directory());
    let mut named = BTreeSet::from([guild]);
    let mut nameless = BTreeSet::new();
    for main in topology.mains() {
        for link in topology.links(main) {
            let agreed = matches!(link.state, LinkState::Active | LinkState::Closing);
            if agreed && link.main == guild {
                named.insert(link.child);
            }
            if link.child == guild {
                // Before a link is accepted neither side learns what the other is called.
                if agreed {
                    named.insert(main)
                } else {
                    nameless.insert(main)
                };
            }
        }
    }
    let known = directory.names();
    named.extend(known.iter().map(|(of, _)| *of).filter(|of| knows_all || is_theirs(*of)));
    let name = |of: &GuildId| known.iter().find(|(one, _)| one == of).map(|(_, name)| name);
    let named = named.iter().map(|of| (of, beside(name(of), &of.to_string())));
    let nameless = nameless.iter().map(|of| (of, of.to_string()));
    let mut choices: Vec<Choice> = named
        .chain(nameless)
        .map(|(of, text)| Choice { value: of.to_string(), label: label(&text) })
        .collect();
    choices.sort_by_key(|one| one.label.to_lowercase());
    choices.dedup_by(|one, other| one.value == other.value);
    choices
}

async fn punishments(services: &Services, guild: GuildId) -> Result<Vec<Choice>, Fault> {
    let read = move |view: &View<'_>| Ok(view.punishments(Some(guild), None, None, LOOKED_THROUGH)?);
    let found = services.store().read(read).await?;
    let mut mentions = Mentions::default();
    mentions.users.extend(found.iter().map(|one| one.user_id));
    let names = names::of(services, &mentions, Reader::Member(Some(guild))).await;
    Ok(found
        .iter()
        .map(|one| Choice { value: one.id.to_string(), label: of_punishment(one, &names) })
        .collect())
}

fn of_punishment(one: &Punishment, names: &Names) -> String {
    let reason = one.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", reason.line()));
    label(&format!("{} {} {}, {}{reason}", one.id, one.action, names.user(one.user_id), one.status))
}

/// The holds that `sync holds` shows in this guild.
async fn holds(services: &Services, guild: GuildId) -> Result<Vec<Choice>, Fault> {
    let is_child = services.store().topology().is_child(guild);
    let read = move |view: &View<'_>| match is_child {
        true => Ok(view.open_holds_in(guild)?),
        false => Ok(view.open_holds(Some(guild))?),
    };
    let found = services.store().read(read).await?;
    let mut mentions = Mentions::default();
    mentions.users.extend(found.iter().filter_map(|hold| hold.moderator_id));
    let names = names::of(services, &mentions, Reader::Member(Some(guild))).await;
    let text = |hold: &Hold| {
        let by = hold.moderator_id.map_or_else(|| hold.by_whom(), |user| names.user(user));
        label(&format!("{} {} by {by}, {}", hold.id, hold.what(), hold.kind.why()))
    };
    Ok(found.iter().map(|hold| Choice { value: hold.id.to_string(), label: text(hold) }).collect())
}

async fn jobs(services: &Services, guild: GuildId) -> Result<Vec<Choice>, Fault> {
    let read = move |view: &View<'_>| Ok(view.jobs(Some(guild), false, LOOKED_THROUGH)?);
    let found = services.store().read(read).await?;
    let text = |job: &Job| label(&format!("{} {}, {}", job.id, job.about(), job.state.word()));
    Ok(found.iter().map(|job| Choice { value: job.id.to_string(), label: text(job) }).collect())
}

#[cfg(test)]
mod tests;
