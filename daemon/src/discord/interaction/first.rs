//! What an interaction is answered with first. The payload alone decides, so that the answer waits for no store, no
//! lock and no other thread.

use super::{InteractionToken, form, is_path_safe, snowflake};
use serde_json::{Value, json};

/// Discord's numbers for kinds of interactions.
const COMPONENT: u64 = 3;
const AUTOCOMPLETE: u64 = 4;

/// A first answer that says that the work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAnswer {
    /// The answer comes later, and only who asked sees it.
    Deferred,
    /// The message whose button was pressed stays as it is for now.
    Unchanged,
    /// A form is shown. What it is filled with comes as an interaction of its own.
    Form,
}

impl FirstAnswer {
    /// The acknowledgement of this interaction. None for an autocompletion: choices are its only answer, and a late
    /// one harms nobody.
    pub fn of(payload: &Value) -> Option<Self> {
        match payload["type"].as_u64() {
            Some(COMPONENT) => Some(Self::Unchanged),
            Some(AUTOCOMPLETE) => None,
            _ if form::of(payload).is_some() => Some(Self::Form),
            _ => Some(Self::Deferred),
        }
    }

    /// As Discord wants it (FACTS A10), for the interaction with this payload.
    pub fn body(self, payload: &Value) -> Value {
        match self {
            Self::Form => json!({ "type": 9, "data": form::of(payload) }),
            Self::Deferred => json!({ "type": 5, "data": { "flags": 64 } }),
            Self::Unchanged => json!({ "type": 6 }),
        }
    }
}

/// What answering takes. It is read before and apart from the rest, which may be malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The interaction's snowflake.
    pub id: u64,
    /// The application it is for; the first answer does without.
    pub application: Option<u64>,
    /// What answers it.
    pub token: InteractionToken,
}

impl Ticket {
    /// Reads it from `d` of an INTERACTION_CREATE. None where id or token is missing or malformed: nothing can be
    /// answered then.
    pub fn of(payload: &Value) -> Option<Self> {
        let token = payload["token"].as_str().filter(|token| is_path_safe(token))?;
        Some(Self {
            id: snowflake(&payload["id"])?,
            application: snowflake(&payload["application_id"]),
            token: InteractionToken(token.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_alone_decides_the_first_answer() {
        let first = |kind: Value| FirstAnswer::of(&json!({ "type": kind }));
        assert_eq!(first(json!(2)), Some(FirstAnswer::Deferred));
        assert_eq!(first(json!(3)), Some(FirstAnswer::Unchanged));
        assert_eq!(first(json!(4)), None);
        // Forms, what later versions of Discord add, and what is malformed: somebody waits all the same.
        for other in [json!(5), json!(77), json!("2"), json!(null)] {
            assert_eq!(first(other.clone()), Some(FirstAnswer::Deferred), "{other}");
        }
    }

    #[test]
    fn a_ticket_is_read_whatever_the_rest_looks_like() {
        let ticket = Ticket::of(&json!({ "id": "7", "token": "abc", "type": "?", "member": 4 })).unwrap();
        assert_eq!((ticket.id, ticket.application, ticket.token.expose()), (7, None, "abc"));
        let ticket = Ticket::of(&json!({ "id": "7", "token": "abc", "application_id": "9" })).unwrap();
        assert_eq!(ticket.application, Some(9));
        for broken in [
            json!({ "id": "7" }),
            json!({ "token": "abc" }),
            json!({ "id": 7, "token": "abc" }),
            json!({ "id": "7", "token": "../../users/@me" }),
            json!({ "id": "7/", "token": "abc" }),
            json!(null),
        ] {
            assert_eq!(Ticket::of(&broken), None, "{broken}");
        }
    }
}
