//! The context menu on users. *Ban in the network…* opens a form that asks for the reason; the form becomes the request
//! of `ban`, and from there everything is as with the slash command, after a preview with buttons.

use super::{Answer, SlashCommands, actor, confirm};
use crate::discord::interaction::Interaction;
use crate::discord::interaction::form::{PREFIX, REASON, SPAN};
use crate::discord::slash::BAN_MENU;
use crate::invocation::{Invocation, Surface};
use tokio::time::Instant;
use wayhaven_shared::value::{Untrusted, UserId};
use wayhaven_shared::{Fault, Request, grammar};

/// After the form was shown, on the gateway's thread. An entry that leads to no form is of another version.
pub(super) async fn opened(slash: SlashCommands, interaction: Interaction, asked: Instant) {
    if interaction.target.is_some() && interaction.operation == BAN_MENU {
        return;
    }
    let fault = Fault::not_found("this entry of the menu is not known to this version of Wayhaven")
        .hint("the commands were changed: reload Discord and try again");
    let answer = Answer::new(&slash, interaction, "ban".to_owned(), asked);
    answer.audit_unread(&fault).await;
    answer.tell(Err(fault)).await;
}

/// Takes a form that was sent and acknowledged: shows what the ban would do, and asks whether to do it.
pub(super) async fn submitted(slash: SlashCommands, interaction: Interaction, asked: Instant) {
    let invocation = invocation(&interaction);
    let answer = Answer::new(&slash, interaction, "ban".to_owned(), asked);
    match invocation {
        Ok(invocation) => confirm::ask(&answer, invocation).await,
        Err(fault) => {
            answer.audit_unread(&fault).await;
            answer.tell(Err(fault)).await;
        }
    }
}

fn invocation(interaction: &Interaction) -> Result<Invocation, Fault> {
    Ok(Invocation {
        actor: actor(interaction)?,
        surface: Surface::Discord,
        guild: interaction.guild_id,
        channel: interaction.channel_id,
        dry_run: false,
        confirm: None,
        because: None,
        upload: None,
        request: request(interaction)?,
    })
}

/// The request that the form stands for, by way of clap as with every surface.
fn request(interaction: &Interaction) -> Result<Request, Fault> {
    let outdated = || {
        Fault::not_found("this form is not known to this version of Wayhaven")
            .hint("/ban bans a user in the network")
    };
    let user = interaction.custom_id.as_deref().and_then(|name| name.strip_prefix(PREFIX));
    let user: UserId = user.and_then(|user| user.parse().ok()).ok_or_else(outdated)?;
    let definition = grammar::find("ban").ok_or_else(outdated)?;
    let given = |wanted: &str| {
        let field = interaction.fields.iter().find(|(name, _)| name == wanted);
        field.map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
    };
    let mut words: Vec<String> = Vec::new();
    words.extend(given(REASON).map(|text| format!("--{REASON}={text}")));
    words.extend(given(SPAN).map(|text| format!("--{SPAN}={text}")));
    words.extend(["--".to_owned(), user.to_string()]);
    grammar::parse_arguments(definition, &words).map_err(|fault| Fault {
        // clap repeats the argument, which may hold anything.
        message: Untrusted::clipped(&fault.message).line(),
        ..fault
    })
}

#[cfg(test)]
mod tests;
