//! The application and its commands (FACTS A9).

use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::commands::{self, command_type};
use crate::{FormErrors, Refusal, World};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const CREATES_A_DAY: usize = 200;
const MOST_IN_A_SET: usize = 130;

pub(crate) fn me(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    Answer::ok(call.world.application_json())
}

/// The scope of a command route: everywhere, or one guild.
fn scope(call: &Call<'_>) -> Result<Option<u64>, Refusal> {
    if call.id("application_id")? != call.world.application {
        return Err(Refusal::new(
            403,
            20012,
            "You are not authorized to perform this action on this application",
        ));
    }
    if call.raw("guild_id").is_empty() {
        return Ok(None);
    }
    let guild = call.id("guild_id")?;
    // Where the bot is not installed commands cannot be written.
    call.world.guild_of_bot(guild).map_err(|_| Refusal::missing_access())?;
    Ok(Some(guild))
}

pub(crate) fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let scope = scope(call)?;
    Answer::ok(Value::Array(call.world.commands.get(&scope).cloned().unwrap_or_default()))
}

pub(crate) fn replace(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let scope = scope(call)?;
    let Some(wanted) = call.body.as_array() else {
        return Err(FormErrors::one(&[], "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"));
    };
    if wanted.len() > MOST_IN_A_SET {
        return Err(FormErrors::one(&[], "BASE_TYPE_BAD_LENGTH", "Must be 130 or fewer in length."));
    }
    commands::check_all(wanted)?;
    let old = call.world.commands.get(&scope).cloned().unwrap_or_default();
    let fresh = wanted.iter().filter(|command| same(&old, command).is_none()).count();
    spend_creates(call.world, scope, fresh)?;
    let new: Vec<Value> =
        wanted.iter().map(|command| call.world.command(scope, command, same(&old, command))).collect();
    call.world.commands.insert(scope, new.clone());
    Answer::ok(Value::Array(new))
}

pub(crate) fn upsert(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let scope = scope(call)?;
    commands::check(call.body)?;
    let mut all = call.world.commands.get(&scope).cloned().unwrap_or_default();
    let position = all.iter().position(|old| is_same(old, call.body));
    let old = position.and_then(|at| all.get(at).cloned());
    let new = call.world.command(scope, call.body, old.as_ref());
    match position {
        Some(at) => all[at] = new.clone(),
        None => all.push(new.clone()),
    }
    commands::check_all(&all)?;
    if old.is_none() {
        spend_creates(call.world, scope, 1)?;
    }
    call.world.commands.insert(scope, all);
    if old.is_none() { Answer::created(new) } else { Answer::ok(new) }
}

fn is_same(old: &Value, new: &Value) -> bool {
    old["name"] == new["name"] && command_type(old) == command_type(new)
}

fn same<'a>(old: &'a [Value], new: &Value) -> Option<&'a Value> {
    old.iter().find(|old| is_same(old, new))
}

/// Only names that were not there count towards the day's 200.
fn spend_creates(world: &mut World, scope: Option<u64>, count: usize) -> Result<(), Refusal> {
    let now = world.clock.now();
    let spent = world.command_creates.entry(scope).or_default();
    while spent.front().is_some_and(|at| *at + DAY <= now) {
        spent.pop_front();
    }
    if spent.len() + count > CREATES_A_DAY {
        let text = "Max number of daily application command creates has been reached (200)";
        let mut refusal = Refusal::new(world.options.guesses.command_creates, 30034, text);
        refusal.retry_after = spent.front().map(|at| (*at + DAY - now).as_secs_f64());
        return Err(refusal);
    }
    spent.extend(std::iter::repeat_n(now, count));
    Ok(())
}

impl World {
    /// A command as Discord answers it; one that was there keeps its id.
    fn command(&mut self, scope: Option<u64>, given: &Value, old: Option<&Value>) -> Value {
        let kind = command_type(given);
        let id = old.map_or_else(|| json!(self.id().to_string()), |old| old["id"].clone());
        let or = |key: &str, default: Value| match &given[key] {
            Value::Null => default,
            value => value.clone(),
        };
        let mut command = json!({
            "id": id,
            "application_id": self.application.to_string(),
            "version": self.id().to_string(),
            "type": kind,
            "name": given["name"],
            "name_localizations": given["name_localizations"],
            "description": or("description", json!("")),
            "description_localizations": given["description_localizations"],
            "default_member_permissions": given["default_member_permissions"],
            "dm_permission": or("dm_permission", json!(true)),
            "contexts": given["contexts"],
            "integration_types": or("integration_types", json!([0])),
            "nsfw": or("nsfw", json!(false)),
        });
        // Discord leaves an empty list of options out.
        if given["options"].as_array().is_some_and(|options| !options.is_empty()) {
            command["options"] = given["options"].clone();
        }
        if let Some(guild) = scope {
            command["guild_id"] = json!(guild.to_string());
        }
        command
    }
}
