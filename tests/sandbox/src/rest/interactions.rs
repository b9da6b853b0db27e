//! The first answer to an interaction (FACTS A10).

use serde_json::{Value, json};

mod form;

use super::call::{Answer, Call, snowflake};
use crate::interaction::{Answered, Interaction};
use crate::message::{self, EPHEMERAL, LOADING};
use crate::{FormErrors, Refusal};

const MESSAGE: u64 = 4;
const DEFERRED: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;
const MODAL: u64 = 9;
const MOST_CHOICES: usize = 25;

pub(crate) fn callback(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let id = call.id("interaction_id")?;
    let token = call.raw("interaction_token").to_owned();
    let now = call.world.clock.now();
    let (kind, channel, from_component) = {
        let found = call.world.open_interaction(id, &token)?;
        (found.kind, found.channel, found.source)
    };
    let answer = call.body["type"].as_u64();
    let Some(answer) = answer.filter(|answer| fits(*answer, kind)) else {
        let text = "Value must be a callback type that fits the interaction.";
        return Err(FormErrors::one(&["type"], "BASE_TYPE_CHOICES", text));
    };
    let data = &call.body["data"];
    let message = first_message(call, answer, data, channel)?;
    match answer {
        CHOICES => check_choices(data)?,
        MODAL => form::check(data)?,
        _ => {}
    }
    let found = call.world.open_interaction(id, &token)?;
    found.answered = if answer == DEFERRED { Answered::Deferred } else { Answered::Done };
    found.was_deferred = answer == DEFERRED;
    found.answered_after = Some(now.saturating_sub(found.at));
    match answer {
        CHOICES => found.choices = Some(data["choices"].clone()),
        MODAL => found.modal = Some(data.clone()),
        _ => {}
    }
    if let Some(message) = &message {
        found.ephemeral = data["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0;
        found.original = message["id"].as_str().and_then(snowflake);
        found.messages.push(message.clone());
        if answer == MESSAGE {
            found.history.push(message.clone());
        }
    }
    if let (UPDATE | DEFERRED_UPDATE, Some((source, original))) = (answer, from_component) {
        link_to_source(call, id, source, original, (answer == UPDATE).then_some(data));
    }
    if !call.query_flag("with_response") {
        return Answer::nothing();
    }
    let found = call.world.interactions.get(&id).ok_or_else(|| Refusal::unknown(10062))?;
    Answer::ok(described(found, message.as_ref(), answer))
}

/// Which answers an interaction of a kind takes.
fn fits(answer: u64, kind: u8) -> bool {
    match answer {
        MESSAGE | DEFERRED => matches!(kind, 2 | 3 | 5),
        DEFERRED_UPDATE | UPDATE => matches!(kind, 3 | 5),
        CHOICES => kind == 4,
        MODAL => matches!(kind, 2 | 3),
        _ => false,
    }
}

/// The message that types 4 and 5 make; a deferred one says that the answer is being worked on.
fn first_message(
    call: &mut Call<'_>,
    answer: u64,
    data: &Value,
    channel: u64,
) -> Result<Option<Value>, Refusal> {
    match answer {
        MESSAGE => message::check(data, true).map_err(below_data)?,
        UPDATE => message::check(data, false).map_err(below_data)?,
        _ => {}
    }
    let bot = call.world.bot;
    Ok(match answer {
        MESSAGE => Some(call.world.message(channel, bot, data)),
        DEFERRED => {
            let flags = data["flags"].as_u64().unwrap_or(0) & EPHEMERAL;
            Some(call.world.message(channel, bot, &json!({"flags": flags | LOADING})))
        }
        _ => None,
    })
}

/// The errors of a callback's message lie below `data`.
fn below_data(mut refusal: Refusal) -> Refusal {
    refusal.errors = refusal.errors.map(|errors| json!({"data": errors}));
    refusal
}

fn check_choices(data: &Value) -> Result<(), Refusal> {
    let Some(choices) = data["choices"].as_array() else {
        return Err(FormErrors::one(&["data", "choices"], "BASE_TYPE_REQUIRED", "This field is required"));
    };
    let mut errors = FormErrors::default();
    if choices.len() > MOST_CHOICES {
        errors.add(&["data", "choices"], "BASE_TYPE_BAD_LENGTH", "Must be 25 or fewer in length.");
    }
    for (at, choice) in choices.iter().enumerate() {
        let at = at.to_string();
        let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        if !(1..=100).contains(&length(&choice["name"])) {
            let path = ["data", "choices", &at, "name"];
            errors.add(&path, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.");
        }
        if choice["value"].is_null() || length(&choice["value"]) > 100 {
            let path = ["data", "choices", &at, "value"];
            errors.add(&path, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.");
        }
    }
    errors.finish()
}

/// A component's answer changes the message the component stands in; that message becomes its original.
fn link_to_source(call: &mut Call<'_>, id: u64, source: u64, original: u64, update: Option<&Value>) {
    let now = call.world.clock.unix_ms();
    let wanted = original.to_string();
    let Some(owner) = call.world.interactions.get_mut(&source) else { return };
    let Some(found) = owner.messages.iter_mut().find(|m| m["id"] == wanted.as_str()) else { return };
    if let Some(data) = update {
        message::amend(found, data, now);
    }
    let current = found.clone();
    if update.is_some() {
        owner.history.push(current.clone());
    }
    if let Some(own) = call.world.interactions.get_mut(&id) {
        own.original = Some(original);
        own.messages.push(current.clone());
        if update.is_some() {
            own.history.push(current);
        }
    }
}

fn described(found: &Interaction, message: Option<&Value>, answer: u64) -> Value {
    let mut interaction = json!({
        "id": found.id.to_string(), "type": found.kind,
        "response_message_loading": answer == DEFERRED, "response_message_ephemeral": found.ephemeral,
    });
    if let Some(original) = found.original {
        interaction["response_message_id"] = json!(original.to_string());
    }
    let mut described = json!({"interaction": interaction});
    // The description knows no resource for a deferral: its message is still to come.
    if let Some(message) = message.filter(|_| answer == MESSAGE) {
        described["resource"] = json!({"type": answer, "message": message});
    }
    described
}
