//! Using commands: what Discord's client lets through, and the interaction it makes of it.

mod form;
mod values;

use serde_json::{Map, Value, json};
use values::{Filled, fill, resolve, upload};

use super::People;
use crate::commands::{command_type, kind};
use crate::interaction::{Answered, Interaction, InteractionId};
use crate::permissions::{ADMINISTRATOR, USE_APPLICATION_COMMANDS};
use crate::world::{Event, World};

const SLASH: u64 = 1;
const OF_USER: u64 = 2;

impl People {
    /// Uses a slash command by its full name (`"setup add-child"`) with options by name; ids are strings, and a file is
    /// `{"filename": …, "content": …}`. It is used in the guild's channel `general`.
    ///
    /// # Errors
    /// It is not registered, not allowed to that person, an option is missing, unknown or of another type.
    pub fn slash(&self, guild: u64, by: u64, command: &str, options: Value) -> Result<InteractionId, String> {
        self.discord.change(|world| {
            let chosen = choose(world, guild, by, command, SLASH)?;
            let options = upload(world, chosen.leaf(), options);
            let filled = fill(world, guild, chosen.leaf(), &options)?;
            let data = data_of(&chosen, filled);
            interact(world, guild, by, 2, data, None)
        })
    }

    /// Types into an option of a slash command that completes itself; the reply has `choices`.
    ///
    /// # Errors
    /// It is not registered, not allowed to that person, or the option has no autocomplete.
    pub fn autocomplete(
        &self,
        guild: u64,
        by: u64,
        command: &str,
        option: &str,
        typed: &str,
    ) -> Result<InteractionId, String> {
        self.discord.change(|world| {
            let chosen = choose(world, guild, by, command, SLASH)?;
            let wanted = list(chosen.leaf(), "options").iter().find(|known| known["name"] == option);
            let wanted = wanted.ok_or_else(|| format!("/{command} has no option {option}"))?;
            if wanted["autocomplete"].as_bool() != Some(true) {
                return Err(format!("option {option} of /{command} has no autocomplete"));
            }
            let typed = json!({"name": option, "type": wanted["type"], "value": typed, "focused": true});
            let data = data_of(&chosen, Filled { options: vec![typed], resolved: json!({}) });
            interact(world, guild, by, 4, data, None)
        })
    }

    /// Uses a command of the context menu of a user.
    ///
    /// # Errors
    /// It is not registered, not allowed to that person, or there is no such user.
    pub fn user_command(
        &self,
        guild: u64,
        by: u64,
        command: &str,
        target: u64,
    ) -> Result<InteractionId, String> {
        self.discord.change(|world| {
            let chosen = choose(world, guild, by, command, OF_USER)?;
            let mut resolved = json!({});
            resolve(world, guild, kind::USER, target, &mut resolved)?;
            let mut data = data_of(&chosen, Filled { options: vec![], resolved });
            data["target_id"] = json!(target.to_string());
            interact(world, guild, by, 2, data, None)
        })
    }

    /// Sends the form that an interaction was answered with, filled in by the names of its fields.
    ///
    /// # Errors
    /// It was answered with none, it is another person's, or a field is missing, unknown, too short or too long.
    pub fn submit(&self, on: InteractionId, by: u64, values: Value) -> Result<InteractionId, String> {
        self.discord.change(|world| {
            let source = world.interactions.get(&on).ok_or("there is no such interaction")?;
            if source.user != by {
                return Err("the form is visible to another person only".to_owned());
            }
            let guild = source.guild.ok_or("not in a guild")?;
            let form = source.modal.clone().ok_or("the interaction was not answered with a form")?;
            let components = form::filled(&form, &values)?;
            let data = json!({"custom_id": form["custom_id"], "components": components});
            interact(world, guild, by, 5, data, None)
        })
    }

    /// Presses a button of an interaction's latest reply.
    ///
    /// # Errors
    /// There is no such button, or it is disabled, or the reply is another person's ephemeral one.
    pub fn press(&self, on: InteractionId, by: u64, custom_id: &str) -> Result<InteractionId, String> {
        self.discord.change(|world| {
            let source = world.interactions.get(&on).ok_or("there is no such interaction")?;
            let message = source.history.last().cloned().ok_or("there is no reply to press on")?;
            if source.ephemeral && source.user != by {
                return Err("the reply is visible to another person only".to_owned());
            }
            let pressed = button(&message, custom_id);
            let pressed = pressed.ok_or_else(|| format!("there is no button {custom_id} in {message}"))?;
            if pressed["disabled"].as_bool() == Some(true) {
                return Err(format!("the button {custom_id} is disabled"));
            }
            pressed_on(world, on, by, message, custom_id)
        })
    }

    /// Presses a button that an interaction's reply has or once had, whoever sees it: what a click that was under way
    /// sends, or a client that is not Discord's.
    ///
    /// # Errors
    /// There never was such a button.
    pub fn press_unseen(&self, on: InteractionId, by: u64, custom_id: &str) -> Result<InteractionId, String> {
        self.discord.change(|world| {
            let source = world.interactions.get(&on).ok_or("there is no such interaction")?;
            let message = source.history.iter().rev().find(|message| button(message, custom_id).is_some());
            let message = message.cloned().ok_or_else(|| format!("there never was a button {custom_id}"))?;
            pressed_on(world, on, by, message, custom_id)
        })
    }
}

fn button<'a>(message: &'a Value, custom_id: &str) -> Option<&'a Value> {
    let mut buttons = list(message, "components").iter().flat_map(|row| list(row, "components"));
    buttons.find(|button| button["custom_id"] == custom_id)
}

fn pressed_on(
    world: &mut World,
    on: InteractionId,
    by: u64,
    message: Value,
    custom_id: &str,
) -> Result<InteractionId, String> {
    let source = world.interactions.get(&on).ok_or("there is no such interaction")?;
    let guild = source.guild.ok_or("not in a guild")?;
    // The message belongs to the interaction that first made it.
    let owner = source.source.map_or(on, |(owner, _)| owner);
    let kind = button(&message, custom_id).map(|button| button["type"].clone());
    let data = json!({"custom_id": custom_id, "component_type": kind});
    interact(world, guild, by, 3, data, Some((owner, message)))
}

fn list<'a>(node: &'a Value, key: &str) -> &'a [Value] {
    node[key].as_array().map_or(&[], Vec::as_slice)
}

/// A registered command, and the options that lead from it to the subcommand.
struct Chosen {
    command: Value,
    path: Vec<Value>,
}

impl Chosen {
    /// What takes the option values: the subcommand, or the command itself.
    fn leaf(&self) -> &Value {
        self.path.last().unwrap_or(&self.command)
    }
}

fn choose(world: &World, guild: u64, by: u64, name: &str, wanted: u64) -> Result<Chosen, String> {
    // A context menu's name may have blanks; a slash command's blanks lead to its subcommands.
    let (root, rest) = if wanted == SLASH { name.split_once(' ').unwrap_or((name, "")) } else { (name, "") };
    let of_guild = world.commands.get(&Some(guild)).into_iter().flatten();
    let everywhere = world.commands.get(&None).into_iter().flatten();
    let command = of_guild
        .chain(everywhere)
        .find(|command| command["name"] == root && command_type(command) == wanted)
        .ok_or_else(|| format!("/{name} is not registered"))?
        .clone();
    allowed(world, guild, by, &command)?;
    let mut path: Vec<Value> = Vec::new();
    for step in rest.split_whitespace() {
        let at = path.last().unwrap_or(&command);
        let next = list(at, "options").iter().find(|o| o["name"] == step && is_nesting(o));
        path.push(next.cloned().ok_or_else(|| format!("/{name} is not registered: no {step}"))?);
    }
    let chosen = Chosen { command, path };
    if list(chosen.leaf(), "options").iter().any(is_nesting) {
        return Err(format!("/{name} has subcommands and cannot be called bare"));
    }
    Ok(chosen)
}

fn is_nesting(option: &Value) -> bool {
    matches!(option["type"].as_u64(), Some(kind::SUB_COMMAND | kind::GROUP))
}

/// What Discord's client does not even show: commands without the default permissions, or not for guilds.
fn allowed(world: &World, guild: u64, by: u64, command: &Value) -> Result<(), String> {
    let found = world.guild_of_bot(guild).map_err(|refusal| refusal.to_string())?;
    let name = &command["name"];
    if !found.members.contains_key(&by) {
        return Err("they are not a member of the guild".to_owned());
    }
    if command["contexts"].as_array().is_some_and(|contexts| !contexts.iter().any(|context| context == 0)) {
        return Err(format!("{name} is not for guilds"));
    }
    let general = world.channel_named(guild, "general").and_then(|id| world.channels.get(&id));
    let held = general.map_or(0, |channel| world.permissions_in(channel, by));
    // "0" is for administrators only.
    let needed =
        command["default_member_permissions"].as_str().map_or(0, |bits| match bits.parse().unwrap_or(0) {
            0 => ADMINISTRATOR,
            bits => bits,
        });
    if held & (needed | USE_APPLICATION_COMMANDS) != needed | USE_APPLICATION_COMMANDS {
        return Err(format!("{name} is not allowed to them (needs the bits {needed}, they hold {held})"));
    }
    Ok(())
}

fn data_of(chosen: &Chosen, filled: Filled) -> Value {
    let command = &chosen.command;
    let mut options = filled.options;
    for step in chosen.path.iter().rev() {
        options = vec![json!({"name": step["name"], "type": step["type"], "options": options})];
    }
    let mut data = json!({"id": command["id"], "name": command["name"], "type": command_type(command)});
    if !options.is_empty() {
        data["options"] = json!(options);
    }
    if !filled.resolved.as_object().is_none_or(Map::is_empty) {
        data["resolved"] = filled.resolved;
    }
    if !command["guild_id"].is_null() {
        data["guild_id"] = command["guild_id"].clone();
    }
    data
}

/// Makes the interaction and sends INTERACTION_CREATE; `on` is the message of a component and who made it.
fn interact(
    world: &mut World,
    guild: u64,
    by: u64,
    kind: u8,
    data: Value,
    on: Option<(InteractionId, Value)>,
) -> Result<InteractionId, String> {
    let channel = world.channel_named(guild, "general").ok_or("the guild has no channel")?;
    let (id, token) = (world.id(), world.noise.text(180));
    let at = world.clock.now();
    let message_id = on.as_ref().and_then(|(_, message)| message["id"].as_str()?.parse().ok()).unwrap_or(0);
    let source = on.as_ref().map(|(owner, _)| (*owner, message_id));
    let mut event = event_of(world, guild, by, channel, &data);
    event["id"] = json!(id.to_string());
    event["type"] = json!(kind);
    event["token"] = json!(token);
    if let Some((_, message)) = on {
        event["message"] = message;
    }
    let interaction = Interaction {
        id,
        token: token.clone(),
        kind,
        guild: Some(guild),
        channel,
        user: by,
        at,
        answered: Answered::No,
        was_deferred: false,
        answered_after: None,
        ephemeral: false,
        original: None,
        messages: Vec::new(),
        history: Vec::new(),
        choices: None,
        modal: None,
        source,
    };
    world.interactions.insert(id, interaction);
    world.interaction_tokens.insert(token, id);
    world.emit(vec![Event::in_guild("INTERACTION_CREATE", guild, event)]);
    Ok(id)
}

fn event_of(world: &World, guild: u64, by: u64, channel: u64, data: &Value) -> Value {
    let found = world.channels.get(&channel);
    let bits = |user: u64| found.map_or(0, |channel| world.permissions_in(channel, user)).to_string();
    let mut member = world.member_json(guild, by);
    member["permissions"] = json!(bits(by));
    json!({
        "application_id": world.application.to_string(),
        "version": 1,
        "guild_id": guild.to_string(),
        "guild": {"id": guild.to_string(), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "channel_id": channel.to_string(),
        "channel": found.map(|channel| world.channel_json(channel)),
        "member": member,
        "locale": "en-US",
        "app_permissions": bits(world.bot),
        "entitlements": [],
        "authorizing_integration_owners": {"0": guild.to_string()},
        "context": 0,
        "attachment_size_limit": 10_485_760,
        "data": data,
    })
}
