//! What Discord accepts as a message, and what it makes of it (FACTS A6).

use serde_json::{Value, json};

use crate::{FormErrors, Refusal, World, snowflake};

/// Only the user of the interaction sees it.
pub const EPHEMERAL: u64 = 1 << 6;
/// The answer is still to come.
pub const LOADING: u64 = 1 << 7;
/// Components take the place of content and embeds.
pub const COMPONENTS_V2: u64 = 1 << 15;

const MOST_CONTENT: usize = 2_000;
const MOST_EMBEDS: usize = 10;
const MOST_EMBED_TEXT: usize = 6_000;
const LENGTH: &str = "BASE_TYPE_BAD_LENGTH";

/// Checks the fields of a message; `whole` requires that it says anything at all.
///
/// # Errors
/// 50006 for an empty message, 50035 with everything that is wrong.
pub fn check(body: &Value, whole: bool) -> Result<(), Refusal> {
    let mut errors = FormErrors::default();
    if length(&body["content"]) > MOST_CONTENT {
        errors.add(&["content"], LENGTH, "Must be 2000 or fewer in length.");
    }
    let embeds: &[Value] = body["embeds"].as_array().map_or(&[], Vec::as_slice);
    if embeds.len() > MOST_EMBEDS {
        errors.add(&["embeds"], LENGTH, "Must be 10 or fewer in length.");
    }
    for (at, embed) in embeds.iter().enumerate() {
        check_embed(embed, &at.to_string(), &mut errors);
    }
    if embeds.iter().map(embed_text).sum::<usize>() > MOST_EMBED_TEXT {
        errors.add(&["embeds"], "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000");
    }
    check_components(&body["components"], &mut errors);
    check_mentions(&body["allowed_mentions"], &mut errors);
    let v2 = body["flags"].as_u64().unwrap_or(0) & COMPONENTS_V2 != 0;
    if v2 && (length(&body["content"]) > 0 || !embeds.is_empty()) {
        let text =
            "The 'content' and 'embeds' fields cannot be used when using MessageFlags.IS_COMPONENTS_V2";
        errors.add(&["content"], "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text);
    }
    errors.finish()?;
    let lists = ["embeds", "components", "sticker_ids", "attachments"];
    let says = length(&body["content"]) > 0
        || lists.iter().any(|key| body[*key].as_array().is_some_and(|list| !list.is_empty()))
        || body["poll"].is_object();
    if whole && !says {
        return Err(Refusal::new(400, 50006, "Cannot send an empty message"));
    }
    Ok(())
}

/// Length after trimming, as Discord counts.
fn length(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.trim().chars().count())
}

fn check_embed(embed: &Value, at: &str, errors: &mut FormErrors) {
    let mut limit = |path: &[&str], value: &Value, most: usize| {
        if length(value) > most {
            let full: Vec<&str> = ["embeds", at].iter().chain(path).copied().collect();
            errors.add(&full, LENGTH, &format!("Must be {most} or fewer in length."));
        }
    };
    limit(&["title"], &embed["title"], 256);
    limit(&["description"], &embed["description"], 4_096);
    limit(&["url"], &embed["url"], 2_048);
    limit(&["footer", "text"], &embed["footer"]["text"], 2_048);
    limit(&["author", "name"], &embed["author"]["name"], 256);
    let fields: &[Value] = embed["fields"].as_array().map_or(&[], Vec::as_slice);
    for (number, field) in fields.iter().enumerate() {
        let number = number.to_string();
        limit(&["fields", &number, "name"], &field["name"], 256);
        limit(&["fields", &number, "value"], &field["value"], 1_024);
    }
    if fields.len() > 25 {
        errors.add(&["embeds", at, "fields"], LENGTH, "Must be 25 or fewer in length.");
    }
    for (number, field) in fields.iter().enumerate() {
        for key in ["name", "value"] {
            if length(&field[key]) == 0 {
                let path = ["embeds", at, "fields", &number.to_string(), key];
                errors.add(&path, "BASE_TYPE_REQUIRED", "This field is required");
            }
        }
    }
    if !embed["color"].is_null() && embed["color"].as_u64().is_none_or(|color| color > 0xFF_FFFF) {
        errors.add(
            &["embeds", at, "color"],
            "NUMBER_TYPE_MAX",
            "int value should be less than or equal to 16777215.",
        );
    }
}

fn embed_text(embed: &Value) -> usize {
    let fields = embed["fields"].as_array().into_iter().flatten();
    length(&embed["title"])
        + length(&embed["description"])
        + length(&embed["footer"]["text"])
        + length(&embed["author"]["name"])
        + fields.map(|field| length(&field["name"]) + length(&field["value"])).sum::<usize>()
}

/// Rows of at most five buttons, each with an id of its own.
fn check_components(components: &Value, errors: &mut FormErrors) {
    let rows: &[Value] = components.as_array().map_or(&[], Vec::as_slice);
    let mut ids = std::collections::BTreeSet::new();
    for (at, row) in rows.iter().enumerate() {
        let at = at.to_string();
        let children: &[Value] = row["components"].as_array().map_or(&[], Vec::as_slice);
        if row["type"] == 1 && !(1..=5).contains(&children.len()) {
            let text = "Must be between 1 and 5 in length.";
            errors.add(&["components", &at, "components"], LENGTH, text);
        }
        for (number, child) in children.iter().enumerate() {
            let number = number.to_string();
            let path = ["components", &at, "components", &number, "custom_id"];
            let Some(id) = child["custom_id"].as_str() else { continue };
            if !(1..=100).contains(&id.chars().count()) {
                errors.add(&path, LENGTH, "Must be between 1 and 100 in length.");
            }
            if !ids.insert(id) {
                let text = "Component custom id cannot be duplicated";
                errors.add(&path, "COMPONENT_CUSTOM_ID_DUPLICATED", text);
            }
        }
    }
}

fn check_mentions(allowed: &Value, errors: &mut FormErrors) {
    let parse: &[Value] = allowed["parse"].as_array().map_or(&[], Vec::as_slice);
    for (at, word) in parse.iter().enumerate() {
        if !matches!(word.as_str(), Some("users" | "roles" | "everyone")) {
            let text = "Value must be one of ('users', 'everyone', 'roles').";
            errors.add(&["allowed_mentions", "parse", &at.to_string()], "BASE_TYPE_CHOICES", text);
        }
    }
    for key in ["users", "roles"] {
        let listed = allowed[key].as_array().map_or(0, Vec::len);
        if listed > 100 {
            errors.add(&["allowed_mentions", key], LENGTH, "Must be 100 or fewer in length.");
        }
        if listed > 0 && parse.iter().any(|word| word == key) {
            let text = format!("parse:[\"{key}\"] and {key}: [ids...] are mutually exclusive.");
            errors.add(&["allowed_mentions"], "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", &text);
        }
    }
}

/// Changes the fields of a message that a body names.
pub fn amend(message: &mut Value, body: &Value, now_ms: u64) {
    for key in ["content", "embeds", "components"] {
        match body.get(key) {
            None => {}
            Some(Value::Null) if key == "content" => message[key] = json!(""),
            Some(Value::Null) => message[key] = json!([]),
            Some(value) => message[key] = received(key, value),
        }
    }
    message["edited_timestamp"] = json!(snowflake::timestamp(now_ms));
}

/// A field as Discord gives it back: embeds are of a type, their fields inline or not.
fn received(key: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if key == "embeds" {
        for embed in value.as_array_mut().into_iter().flatten().filter(|embed| embed.is_object()) {
            embed["type"] = json!("rich");
            for field in embed["fields"].as_array_mut().into_iter().flatten() {
                if field["inline"].is_null() {
                    field["inline"] = json!(false);
                }
            }
        }
    }
    value
}

impl World {
    /// A new message of somebody in a channel, with a new id. It is not put anywhere yet.
    pub fn message(&mut self, channel: u64, author: u64, body: &Value) -> Value {
        let id = self.id();
        let list = |key: &str| if body[key].is_array() { received(key, &body[key]) } else { json!([]) };
        let mut message = json!({
            "id": id.to_string(), "channel_id": channel.to_string(), "type": 0,
            "author": self.user_json(author),
            "content": body["content"].as_str().unwrap_or_default(),
            "timestamp": snowflake::timestamp(self.clock.unix_ms()), "edited_timestamp": null,
            "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [],
            "attachments": [], "embeds": list("embeds"), "components": list("components"), "pinned": false,
            "flags": body["flags"].as_u64().unwrap_or(0),
        });
        message["mentions"] = json!(self.mentioned(&message["content"], &body["allowed_mentions"]));
        message
    }

    /// The users a text pings, so that a test can see that it pings nobody.
    fn mentioned(&self, content: &Value, allowed: &Value) -> Vec<Value> {
        let text = content.as_str().unwrap_or_default();
        let anyone =
            allowed.is_null() || allowed["parse"].as_array().is_some_and(|p| p.iter().any(|w| w == "users"));
        let listed =
            |id: &str| allowed["users"].as_array().is_some_and(|ids| ids.iter().any(|known| known == id));
        let ids = text.split("<@").skip(1).filter_map(|rest| rest.split_once('>'));
        ids.map(|(id, _)| id.trim_start_matches('!'))
            .filter(|id| anyone || listed(id))
            .filter_map(|id| id.parse().ok())
            .filter(|id| self.users.contains_key(id))
            .map(|id| self.user_json(id))
            .collect()
    }
}
