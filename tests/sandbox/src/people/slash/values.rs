//! Values for a command's options, as Discord's client takes and resolves them.

use super::list;
use crate::commands::kind;
use crate::world::World;
use serde_json::{Map, Value, json};

/// Option values by name, as they are resolved into `data.options`.
pub(super) struct Filled {
    pub(super) options: Vec<Value>,
    pub(super) resolved: Value,
}

/// Uploads the files that are given, as Discord's client does before it sends the command: what stays is their ids.
pub(super) fn upload(world: &mut World, leaf: &Value, mut given: Value) -> Value {
    let files = list(leaf, "options").iter().filter(|option| option["type"] == kind::ATTACHMENT);
    for name in files.filter_map(|option| option["name"].as_str()) {
        let (filename, content) = (given[name]["filename"].as_str(), given[name]["content"].as_str());
        if let Some((filename, content)) = filename.zip(content) {
            let id = world.attach(filename, content.as_bytes().to_vec());
            given[name] = json!(id.to_string());
        }
    }
    given
}

/// The values for a command's options, each checked as Discord's client checks it.
pub(super) fn fill(world: &World, guild: u64, leaf: &Value, given: &Value) -> Result<Filled, String> {
    let nothing = Map::new();
    let given = match given {
        Value::Null => &nothing,
        Value::Object(map) => map,
        _ => return Err("options are given by name".to_owned()),
    };
    let known = list(leaf, "options");
    if let Some(unknown) =
        given.keys().find(|name| !known.iter().any(|option| option["name"] == name.as_str()))
    {
        return Err(format!("{} has no option {unknown}", leaf["name"]));
    }
    let mut filled = Filled { options: Vec::new(), resolved: json!({}) };
    for option in known {
        let name = option["name"].as_str().unwrap_or_default();
        match given.get(name).filter(|value| !value.is_null()) {
            None if option["required"].as_bool() == Some(true) => {
                return Err(format!("option {name} is required"));
            }
            None => {}
            Some(value) => {
                let value = fitting(world, guild, option, value, &mut filled.resolved)
                    .map_err(|why| format!("option {name}: {why}"))?;
                filled.options.push(json!({"name": name, "type": option["type"], "value": value}));
            }
        }
    }
    Ok(filled)
}

/// A value as Discord sends it, if it fits its option.
fn fitting(
    world: &World,
    guild: u64,
    option: &Value,
    value: &Value,
    resolved: &mut Value,
) -> Result<Value, String> {
    let wanted = option["type"].as_u64().unwrap_or(0);
    let choices = list(option, "choices");
    if !choices.is_empty() && !choices.iter().any(|choice| choice["value"] == *value) {
        return Err(format!("{value} is none of the choices"));
    }
    let bound = |key: &str| option[key].as_f64();
    match wanted {
        kind::STRING => {
            let text = value.as_str().ok_or("a text is wanted")?;
            #[expect(clippy::cast_precision_loss, reason = "at most 6,000")]
            let length = text.chars().count() as f64;
            let most = bound("max_length").unwrap_or(6_000.0);
            if length < bound("min_length").unwrap_or(0.0) || length > most {
                return Err(format!("its length does not fit (at most {most})"));
            }
        }
        kind::INTEGER | kind::NUMBER => {
            let whole = value.as_i64().is_some_and(|number| number.unsigned_abs() < 1 << 53);
            if wanted == kind::INTEGER && !whole {
                return Err("a whole number within ±(2^53−1) is wanted".to_owned());
            }
            let number = value.as_f64().ok_or("a number is wanted")?;
            if bound("min_value").is_some_and(|least| number < least)
                || bound("max_value").is_some_and(|m| number > m)
            {
                return Err("it is out of bounds".to_owned());
            }
        }
        kind::BOOLEAN => {
            value.as_bool().ok_or("yes or no is wanted")?;
        }
        kind::USER | kind::CHANNEL | kind::ROLE | kind::MENTIONABLE => {
            let id = value.as_str().and_then(|id| id.parse().ok()).ok_or("an id as a string is wanted")?;
            resolve(world, guild, wanted, id, resolved)?;
        }
        kind::ATTACHMENT => {
            let id = value.as_str().and_then(|id| id.parse().ok());
            let file = id.and_then(|id| world.attachment_json(id)).ok_or("a file is wanted")?;
            resolved["attachments"][value.as_str().unwrap_or_default()] = file;
        }
        _ => return Err("the sandbox cannot fill this type".to_owned()),
    }
    Ok(value.clone())
}

/// Adds what an id stands for to `resolved`. Discord's client offers only what exists.
pub(super) fn resolve(
    world: &World,
    guild: u64,
    wanted: u64,
    id: u64,
    resolved: &mut Value,
) -> Result<(), String> {
    let key = id.to_string();
    let found = world.guilds.get(&guild).ok_or("there is no such guild")?;
    if matches!(wanted, kind::ROLE | kind::MENTIONABLE) && found.roles.contains_key(&id) {
        resolved["roles"][&key] = world.role_json(guild, id);
        return Ok(());
    }
    if wanted == kind::CHANNEL
        && let Some(channel) = world.channels.get(&id).filter(|c| c.guild == Some(guild))
    {
        resolved["channels"][&key] = world.channel_json(channel);
        return Ok(());
    }
    if matches!(wanted, kind::USER | kind::MENTIONABLE) && world.users.contains_key(&id) {
        resolved["users"][&key] = world.user_json(id);
        if found.members.contains_key(&id) {
            let mut member = world.member_json(guild, id);
            if let Some(member) = member.as_object_mut() {
                ["user", "deaf", "mute"].iter().for_each(|key| drop(member.remove(*key)));
            }
            member["permissions"] = json!(found.permissions_of(id).to_string());
            resolved["members"][&key] = member;
        }
        return Ok(());
    }
    Err(format!("{id} does not exist there"))
}
