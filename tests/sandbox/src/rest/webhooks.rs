//! What follows the first answer to an interaction: the original message and follow-ups, by the token in the
//! path (FACTS A10). Webhooks of channels come with the part of Wayhaven that uses them.

use serde_json::{Value, json};

use super::call::{Answer, Call, snowflake};
use crate::interaction::{Answered, Interaction};
use crate::message::{self, EPHEMERAL, LOADING};
use crate::{Refusal, World};

/// The interaction of the path's token.
fn interaction<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Interaction, Refusal> {
    let token = call.raw("webhook_token").to_owned();
    if call.id("webhook_id")? != call.world.application {
        return Err(Refusal::unknown(10015));
    }
    call.world.answered_interaction(&token)
}

pub(crate) fn follow_up(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (channel, deferred, original) = {
        let found = interaction(call)?;
        (found.channel, found.answered == Answered::Deferred, found.original)
    };
    message::check(call.body, true)?;
    // Right after a deferral this edits the deferred message, which keeps its own ephemeral state.
    if let (true, Some(original)) = (deferred, original) {
        return write(call, original);
    }
    let bot = call.world.bot;
    let sent = call.world.message(channel, bot, call.body);
    let found = interaction(call)?;
    found.messages.push(sent.clone());
    if found.source.is_some() {
        // Who pressed a button sees it as the answer to that.
        found.history.push(sent.clone());
    }
    Answer::ok(sent)
}

pub(crate) fn original(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = original_id(call)?;
    read(call, id)
}

pub(crate) fn edit_original(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = original_id(call)?;
    message::check(call.body, false)?;
    write(call, id)
}

pub(crate) fn delete_original(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = original_id(call)?;
    remove(call, id)
}

pub(crate) fn one(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = call.id("message_id")?;
    read(call, id)
}

pub(crate) fn edit(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = call.id("message_id")?;
    message::check(call.body, false)?;
    write(call, id)
}

pub(crate) fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = call.id("message_id")?;
    remove(call, id)
}

fn original_id(call: &mut Call<'_>) -> Result<u64, Refusal> {
    interaction(call)?.original.ok_or_else(|| Refusal::unknown(10008))
}

fn position(found: &Interaction, id: u64) -> Result<usize, Refusal> {
    let wanted = id.to_string();
    let at = found.messages.iter().position(|message| message["id"] == wanted.as_str());
    at.ok_or_else(|| Refusal::unknown(10008))
}

fn read(call: &mut Call<'_>, id: u64) -> Result<Answer, Refusal> {
    let found = interaction(call)?;
    let at = position(found, id)?;
    Answer::ok(found.messages[at].clone())
}

fn remove(call: &mut Call<'_>, id: u64) -> Result<Answer, Refusal> {
    let found = interaction(call)?;
    let at = position(found, id)?;
    found.messages.remove(at);
    if found.original == Some(id) {
        found.original = None;
    }
    Answer::nothing()
}

fn write(call: &mut Call<'_>, id: u64) -> Result<Answer, Refusal> {
    let now = call.world.clock.unix_ms();
    let body = call.body;
    position(interaction(call)?, id)?;
    let attached = call.world.attach_all(body, call.files)?;
    let found = interaction(call)?;
    let at = position(found, id)?;
    let message = &mut found.messages[at];
    message::amend(message, body, now);
    if let Some(attached) = attached {
        message["attachments"] = attached;
    }
    let flags = message["flags"].as_u64().unwrap_or(0) & !LOADING;
    // What the first answer fixed, no later one changes.
    let fixed = if found.ephemeral && found.original == Some(id) { EPHEMERAL } else { flags & EPHEMERAL };
    message["flags"] = json!((flags & !EPHEMERAL) | fixed);
    let written = message.clone();
    if found.original == Some(id) {
        found.answered = Answered::Done;
        found.history.push(written.clone());
    }
    let source = found.source;
    mirror(call.world, source, &written);
    Answer::ok(written)
}

/// The message of a component is one message, seen from both interactions.
fn mirror(world: &mut World, source: Option<(u64, u64)>, written: &Value) {
    let id = written["id"].as_str().and_then(snowflake);
    let Some((owner, _)) = source.filter(|(_, message)| Some(*message) == id) else { return };
    let Some(owner) = world.interactions.get_mut(&owner) else { return };
    if let Some(message) = owner.messages.iter_mut().find(|message| message["id"] == written["id"]) {
        *message = written.clone();
        owner.history.push(written.clone());
    }
}
