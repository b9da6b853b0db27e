//! The context menu on users. *Ban in the network…* opens a form that asks for the reason; the form becomes the request
//! of `ban`, and from there everything is as with the slash command, after a preview with buttons.

use super::{Answer, actor, confirm};
use crate::daemon::Daemon;
use crate::discord::embed;
use crate::discord::interaction::Interaction;
use crate::discord::slash::BAN_MENU;
use crate::invocation::{Invocation, Surface};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;
use wayhaven_shared::value::{Untrusted, UserId};
use wayhaven_shared::{Fault, Request, grammar};

/// What the form's own name begins with; the user's id follows.
const PREFIX: &str = "ban:";

/// The names of the form's fields: the arguments of `ban`.
const REASON: &str = "reason";
const SPAN: &str = "for";

/// The longest title of a form (Discord, Modal).
const TITLE: usize = 45;

/// Discord's numbers for components and the styles of a text input.
const ROW: u8 = 1;
const TEXT_INPUT: u8 = 4;
const SHORT: u8 = 1;
const PARAGRAPH: u8 = 2;

/// Shows the form. It is the interaction's first answer, and so nothing but memory is touched before it.
pub(super) async fn open(daemon: Arc<Daemon>, interaction: Interaction) {
    let (id, token) = (interaction.id, &interaction.token);
    let sent = match interaction.target.filter(|_| interaction.operation == BAN_MENU) {
        Some(user) => {
            let form = form(user, interaction.target_name.as_ref());
            daemon.rest().show_form(id, token, form).await
        }
        None => {
            let fault = Fault::not_found("this entry of the menu is not known to this version of Wayhaven")
                .hint("the commands were changed: reload Discord and try again");
            daemon.rest().reply_beside(id, token, embed::fault_message(&fault)).await
        }
    };
    if let Err(error) = sent {
        tracing::warn!("a form was not shown: {error}");
    }
}

fn form(user: UserId, name: Option<&Untrusted>) -> Value {
    let whom = name.map(|name| name.line_within(TITLE - 4)).filter(|name| !name.is_empty());
    let title = format!("Ban {}", whom.unwrap_or_else(|| user.to_string()));
    let field = |name: &str, style: u8, label: &str, required: bool, longest: u16| {
        json!({ "type": ROW, "components": [{
            "type": TEXT_INPUT, "custom_id": name, "style": style, "label": label, "required": required,
            "max_length": longest,
        }] })
    };
    json!({
        "custom_id": format!("{PREFIX}{user}"),
        "title": title,
        "components": [
            // As long as Discord keeps a reason in its audit log (FACTS A5).
            field(REASON, PARAGRAPH, "Reason", true, 512),
            field(SPAN, SHORT, "Duration, such as 7d. Empty: permanent", false, 20),
        ],
    })
}

/// Takes a form that was sent: acknowledges it, shows what the ban would do, and asks whether to do it.
pub(super) async fn submitted(daemon: Arc<Daemon>, interaction: Interaction) {
    let asked = Instant::now();
    // Before anything touches the store: Discord waits three seconds and no longer.
    if let Err(error) = daemon.rest().defer(interaction.id, &interaction.token).await {
        tracing::warn!("a form was not acknowledged, and so nothing was done: {error}");
        return;
    }
    let invocation = invocation(&interaction);
    let answer = Answer { daemon, interaction, operation: "ban".to_owned(), asked };
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
