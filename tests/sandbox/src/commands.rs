//! What Discord accepts as an application command (FACTS A9).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{FormErrors, Refusal};

/// Option types.
pub mod kind {
    /// A subcommand.
    pub const SUB_COMMAND: u64 = 1;
    /// A group of subcommands.
    pub const GROUP: u64 = 2;
    /// Text.
    pub const STRING: u64 = 3;
    /// A whole number within ±(2^53−1).
    pub const INTEGER: u64 = 4;
    /// Yes or no.
    pub const BOOLEAN: u64 = 5;
    /// A user.
    pub const USER: u64 = 6;
    /// A channel.
    pub const CHANNEL: u64 = 7;
    /// A role.
    pub const ROLE: u64 = 8;
    /// A user or a role.
    pub const MENTIONABLE: u64 = 9;
    /// A number.
    pub const NUMBER: u64 = 10;
    /// A file.
    pub const ATTACHMENT: u64 = 11;
}

const MOST_TEXT: usize = 8_000;
const MOST_PER_LEVEL: usize = 25;
const PER_KIND: [(u64, usize); 3] = [(1, 100), (2, 15), (3, 15)];
const LARGEST_INTEGER: f64 = 9_007_199_254_740_991.0;
const REQUIRED: (&str, &str) = ("BASE_TYPE_REQUIRED", "This field is required");
const CHOICES: &str = "BASE_TYPE_CHOICES";
const LENGTH: &str = "BASE_TYPE_BAD_LENGTH";

/// The kind of a command: 1 slash, 2 of a user, 3 of a message.
#[must_use]
pub fn command_type(command: &Value) -> u64 {
    command["type"].as_u64().unwrap_or(1)
}

/// Checks the full set of a scope.
///
/// # Errors
/// 50035 with everything that is wrong, 30032 beyond the counts.
pub fn check_all(commands: &[Value]) -> Result<(), Refusal> {
    let mut errors = FormErrors::default();
    let mut seen = BTreeSet::new();
    for (at, command) in commands.iter().enumerate() {
        let at = at.to_string();
        check_into(command, &[&at], &mut errors);
        if !seen.insert((command_type(command), command["name"].as_str().unwrap_or_default())) {
            errors.add(
                &[&at, "name"],
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            );
        }
    }
    errors.finish()?;
    for (wanted, most) in PER_KIND {
        if commands.iter().filter(|command| command_type(command) == wanted).count() > most {
            let text = format!("Maximum number of application commands reached ({most}).");
            return Err(Refusal::new(400, 30032, &text));
        }
    }
    Ok(())
}

/// Checks a single command.
///
/// # Errors
/// 50035 with everything that is wrong.
pub fn check(command: &Value) -> Result<(), Refusal> {
    let mut errors = FormErrors::default();
    check_into(command, &[], &mut errors);
    errors.finish()
}

fn check_into(command: &Value, path: &[&str], errors: &mut FormErrors) {
    if !command.is_object() {
        errors.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
        return;
    }
    let slash = match command.get("type") {
        None | Some(Value::Null) => true,
        Some(value) => match value.as_u64() {
            Some(1) => true,
            Some(2 | 3) => false,
            _ => {
                errors.add(&join(path, "type"), CHOICES, "Value must be one of {1, 2, 3}.");
                return;
            }
        },
    };
    check_name(command, path, slash, errors);
    if slash {
        check_text(command, path, "description", 1, 100, errors);
    } else if command["description"].as_str().is_some_and(|text| !text.is_empty()) {
        let text = "Context menu commands cannot have description";
        errors.add(&join(path, "description"), "APPLICATION_COMMAND_INVALID_DESCRIPTION", text);
    }
    check_permissions(command, path, errors);
    check_set(command, path, "contexts", 2, errors);
    check_set(command, path, "integration_types", 1, errors);
    match command.get("options") {
        None | Some(Value::Null) => {}
        Some(Value::Array(options)) if slash => check_options(options, &join(path, "options"), 0, errors),
        Some(Value::Array(options)) if options.is_empty() => {}
        Some(_) => {
            errors.add(&join(path, "options"), "LIST_TYPE_CONVERT", "Only slash commands have a list here.")
        }
    }
    if text_size(command) > MOST_TEXT {
        errors.add(
            path,
            "APPLICATION_COMMAND_TOO_LARGE",
            "Command exceeds maximum size (8000): name, description and value text.",
        );
    }
}

fn join<'a>(path: &[&'a str], key: &'a str) -> Vec<&'a str> {
    let mut joined = path.to_vec();
    joined.push(key);
    joined
}

fn check_name(holder: &Value, path: &[&str], slash: bool, errors: &mut FormErrors) {
    let path = join(path, "name");
    let Some(name) = holder["name"].as_str() else {
        errors.add(&path, REQUIRED.0, REQUIRED.1);
        return;
    };
    if !(1..=32).contains(&name.chars().count()) {
        errors.add(&path, LENGTH, "Must be between 1 and 32 in length.");
    } else if slash && !is_slash_name(name) {
        errors.add(&path, "STRING_TYPE_REGEX", "String value did not match validation regex.");
    }
}

/// `^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$`, lower case where there is one.
fn is_slash_name(name: &str) -> bool {
    name.chars().all(|c| {
        let letter = matches!(c, '-' | '_' | '\'' | '\u{900}'..='\u{97F}' | '\u{E00}'..='\u{E7F}')
            || c.is_alphanumeric();
        letter && c.to_lowercase().eq([c])
    })
}

fn check_text(holder: &Value, path: &[&str], key: &str, least: usize, most: usize, errors: &mut FormErrors) {
    let path = join(path, key);
    match &holder[key] {
        Value::String(text) if (least..=most).contains(&text.chars().count()) => {}
        Value::String(_) => {
            errors.add(&path, LENGTH, &format!("Must be between {least} and {most} in length."))
        }
        Value::Null => errors.add(&path, REQUIRED.0, REQUIRED.1),
        _ => errors.add(&path, "STRING_TYPE_CONVERT", "Could not interpret value as string."),
    }
}

fn check_permissions(command: &Value, path: &[&str], errors: &mut FormErrors) {
    let path = join(path, "default_member_permissions");
    match &command["default_member_permissions"] {
        Value::Null => {}
        Value::String(bits) if bits.parse::<u64>().is_ok_and(|bits| bits < 1 << 54) => {}
        _ => errors.add(&path, "NUMBER_TYPE_COERCE", "Value is not a permission set in a string."),
    }
}

fn check_set(command: &Value, path: &[&str], key: &str, most: u64, errors: &mut FormErrors) {
    let path = join(path, key);
    let list = match &command[key] {
        Value::Null => return,
        Value::Array(list) if !list.is_empty() => list,
        _ => return errors.add(&path, LENGTH, "Must be a list of 1 or more in length."),
    };
    let mut seen = BTreeSet::new();
    for (at, value) in list.iter().enumerate() {
        let position = at.to_string();
        match value.as_u64().filter(|value| *value <= most) {
            None => errors.add(&join(&path, &position), CHOICES, &format!("Value must be one of 0..{most}.")),
            Some(value) if !seen.insert(value) => {
                errors.add(&path, "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains that value.");
            }
            Some(_) => {}
        }
    }
}

/// `depth`: 0 below the command, 1 below a subcommand group, 2 below a subcommand.
fn check_options(options: &[Value], path: &[&str], depth: u8, errors: &mut FormErrors) {
    if options.len() > MOST_PER_LEVEL {
        errors.add(path, LENGTH, "Must be 25 or fewer in length.");
    }
    let mut names = BTreeSet::new();
    let mut optional_seen = false;
    let nesting = |option: &Value| matches!(option["type"].as_u64(), Some(kind::SUB_COMMAND | kind::GROUP));
    let mixed = options.iter().any(nesting) && !options.iter().all(nesting);
    for (at, option) in options.iter().enumerate() {
        let at = at.to_string();
        let path = join(path, &at);
        check_option(option, &path, depth, errors);
        if !names.insert(option["name"].as_str().unwrap_or_default()) {
            let text = "Option names must be unique in a level.";
            errors.add(&join(&path, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text);
        }
        if mixed {
            let text =
                "Sub-command and sub-command group option types are mutually exclusive to all other types";
            errors.add(&join(&path, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text);
        }
        if nesting(option) {
            continue;
        }
        let required = option["required"].as_bool().unwrap_or(false);
        if required && optional_seen {
            let text = "Required options must be placed before non-required options";
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text);
        }
        optional_seen |= !required;
    }
}

fn check_option(option: &Value, path: &[&str], depth: u8, errors: &mut FormErrors) {
    let type_path = join(path, "type");
    let Some(found) = option["type"].as_u64().filter(|found| (1..=11).contains(found)) else {
        return match &option["type"] {
            Value::Null => errors.add(&type_path, REQUIRED.0, REQUIRED.1),
            _ => errors.add(&type_path, CHOICES, "Value must be one of 1..11."),
        };
    };
    check_name(option, path, true, errors);
    check_text(option, path, "description", 1, 100, errors);
    let allowed = match depth {
        0 => true,
        1 => found == kind::SUB_COMMAND,
        _ => found > kind::GROUP,
    };
    if !allowed {
        let text = "Sub-commands nest as command, group, sub-command and no deeper.";
        errors.add(&type_path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text);
    }
    let children = join(path, "options");
    match (&option["options"], found) {
        (Value::Array(options), kind::GROUP) => check_options(options, &children, 1, errors),
        (Value::Array(options), kind::SUB_COMMAND) => check_options(options, &children, 2, errors),
        (Value::Null, _) => {}
        (Value::Array(options), _) if options.is_empty() => {}
        _ => errors.add(&children, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "This option has no options."),
    }
    check_bounds(option, path, found, errors);
    check_choices(option, path, found, errors);
}

fn check_bounds(option: &Value, path: &[&str], found: u64, errors: &mut FormErrors) {
    for (key, least) in [("min_length", 0), ("max_length", 1)] {
        let value = &option[key];
        if !value.is_null()
            && (found != kind::STRING || !value.as_u64().is_some_and(|v| (least..=6_000).contains(&v)))
        {
            errors.add(&join(path, key), "NUMBER_TYPE_MAX", "Only for text, and at most 6000.");
        }
    }
    for key in ["min_value", "max_value"] {
        let value = &option[key];
        let fits = match found {
            kind::INTEGER => value.as_i64().is_some_and(|v| v.unsigned_abs() < 1 << 53),
            kind::NUMBER => value.as_f64().is_some_and(|v| v.abs() <= LARGEST_INTEGER),
            _ => false,
        };
        if !value.is_null() && !fits {
            errors.add(&join(path, key), "NUMBER_TYPE_MAX", "Only for numbers, and within ±(2^53−1).");
        }
    }
}

fn check_choices(option: &Value, path: &[&str], found: u64, errors: &mut FormErrors) {
    let path = join(path, "choices");
    let choices = match &option["choices"] {
        Value::Null => return,
        Value::Array(choices) => choices,
        _ => return errors.add(&path, "LIST_TYPE_CONVERT", "Must be a list."),
    };
    if choices.len() > MOST_PER_LEVEL {
        errors.add(&path, LENGTH, "Must be 25 or fewer in length.");
    }
    if !choices.is_empty() && option["autocomplete"].as_bool() == Some(true) {
        let text = "Choices and autocomplete exclude each other.";
        errors.add(&path, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", text);
    }
    let mut names = BTreeSet::new();
    for (at, choice) in choices.iter().enumerate() {
        let position = at.to_string();
        let path = join(&path, &position);
        check_text(choice, &path, "name", 1, 100, errors);
        let value = &choice["value"];
        let fits = match found {
            kind::STRING => value.as_str().is_some_and(|text| text.chars().count() <= 100),
            kind::INTEGER => value.as_i64().is_some_and(|v| v.unsigned_abs() < 1 << 53),
            kind::NUMBER => value.is_number(),
            _ => false,
        };
        if !fits {
            errors.add(
                &join(&path, "value"),
                "BASE_TYPE_BAD_VALUE",
                "The value does not fit the option's type.",
            );
        }
        if !names.insert(choice["name"].as_str().unwrap_or_default()) {
            let text = "Choice names must be unique.";
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", text);
        }
    }
}

/// Characters of names, descriptions and choice values, through all levels.
fn text_size(node: &Value) -> usize {
    let length = |key: &str| node[key].as_str().map_or(0, |text| text.chars().count());
    let own = length("name") + length("description") + length("value");
    let list = |key: &str| node[key].as_array().into_iter().flatten().map(text_size).sum::<usize>();
    own + list("options") + list("choices")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code_at(refusal: &Refusal, pointer: &str) -> String {
        let errors = refusal.errors.as_ref().expect("a tree");
        let found = errors.pointer(&format!("{pointer}/_errors/0/code"));
        found.and_then(Value::as_str).unwrap_or_else(|| panic!("nothing at {pointer} in {errors}")).to_owned()
    }

    fn command(options: Value) -> Value {
        json!({"name": "sync", "description": "Synchronise", "options": options})
    }

    #[test]
    fn names_are_lower_case_and_of_few_characters() {
        assert!(is_slash_name("add-child") && is_slash_name("кириллица") && is_slash_name("ไทย"));
        assert!(!is_slash_name("Add") && !is_slash_name("two words") && !is_slash_name("a.b"));
    }

    #[test]
    fn required_options_come_first() {
        let options = json!([
            {"type": 3, "name": "reason", "description": "Why"},
            {"type": 6, "name": "user", "description": "Who", "required": true},
        ]);
        let refusal = check(&command(options)).unwrap_err();
        assert_eq!(code_at(&refusal, "/options/1"), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID");
    }

    #[test]
    fn nothing_nests_deeper_than_group_and_subcommand() {
        let deep = json!([{"type": 2, "name": "policy", "description": "Policy", "options": [
            {"type": 1, "name": "set", "description": "Set", "options": [
                {"type": 1, "name": "deeper", "description": "No"}]}]}]);
        let refusal = check(&command(deep)).unwrap_err();
        assert_eq!(
            code_at(&refusal, "/options/0/options/0/options/0/type"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"
        );
    }

    #[test]
    fn eight_thousand_characters_are_the_ceiling() {
        let options: Vec<Value> = (0..25)
            .map(|group| {
                let subs: Vec<Value> = (0..4)
                    .map(|sub| json!({"type": 1, "name": format!("s{sub}"), "description": "d".repeat(90)}))
                    .collect();
                json!({"type": 2, "name": format!("g{group}"), "description": "g", "options": subs})
            })
            .collect();
        let refusal = check(&command(json!(options))).unwrap_err();
        assert_eq!(code_at(&refusal, ""), "APPLICATION_COMMAND_TOO_LARGE");
    }

    #[test]
    fn a_set_is_refused_at_the_position_of_the_error() {
        let good = command(json!([]));
        let refusal = check_all(&[good.clone(), json!({"name": "Bad", "description": ""})]).unwrap_err();
        assert_eq!(code_at(&refusal, "/1/name"), "STRING_TYPE_REGEX");
        assert_eq!(code_at(&refusal, "/1/description"), "BASE_TYPE_BAD_LENGTH");
        assert!(check_all(&[good]).is_ok());
    }
}
