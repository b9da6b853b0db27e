//! The form of the context menu on users. It is an interaction's first answer, and so the payload alone makes it.

use super::{Interaction, InteractionKind};
use crate::discord::slash::BAN_MENU;
use serde_json::{Value, json};
use wayhaven_shared::value::{Untrusted, UserId};

/// What the form's own name begins with; the user's id follows.
pub const PREFIX: &str = "ban:";

/// The names of the form's fields: the arguments of `ban`.
pub const REASON: &str = "reason";
/// The field of the duration.
pub const SPAN: &str = "for";

/// The longest title of a form (Discord, Modal).
const TITLE: usize = 45;

/// Discord's numbers for components and the styles of a text input.
const ROW: u8 = 1;
const TEXT_INPUT: u8 = 4;
const SHORT: u8 = 1;
const PARAGRAPH: u8 = 2;

/// The form that an interaction opens; nothing where it opens none.
pub fn of(payload: &Value) -> Option<Value> {
    let interaction = Interaction::from_value(payload).ok()?;
    let opens = interaction.kind == InteractionKind::Command
        && interaction.opens_form()
        && interaction.operation == BAN_MENU;
    let user = interaction.target.filter(|_| opens)?;
    Some(form(user, interaction.target_name.as_ref()))
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
