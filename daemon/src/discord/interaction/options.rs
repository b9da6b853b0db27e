//! The nested options of a command: group and subcommand become words, what is below them becomes leaves.

use super::unreadable;
use serde_json::Value;
use wayhaven_shared::Fault;

/// Discord's option types that nest (FACTS A9).
const SUBCOMMAND: u64 = 1;
const GROUP: u64 = 2;

/// One argument as Discord sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// The option's name, as in `delete-days`.
    pub name: String,
    /// What was given.
    pub value: OptionValue,
    /// Whether it is being typed right now.
    pub focused: bool,
}

/// What was given for an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// Text, and every id.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// Yes or no.
    Flag(bool),
}

impl OptionValue {
    /// As clap reads it.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Number(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// A command's words and what was given below them.
#[derive(Default)]
pub(super) struct Path {
    pub(super) words: Vec<String>,
    pub(super) leaves: Vec<Leaf>,
}

/// Reads the words and leaves of a command's data.
pub(super) fn read_options(data: &Value) -> Result<Path, Fault> {
    let name = data["name"].as_str().ok_or_else(|| unreadable("data.name"))?;
    let mut path = Path { words: vec![name.to_owned()], leaves: Vec::new() };
    let mut level = list(&data["options"])?;
    // Command, group, subcommand and no deeper: that bounds the loop whatever is sent.
    while let [only] = level {
        let kind = only["type"].as_u64().ok_or_else(|| unreadable("data.options.type"))?;
        if !matches!(kind, SUBCOMMAND | GROUP) {
            break;
        }
        if path.words.len() == 3 {
            return Err(unreadable("data.options"));
        }
        path.words.push(option_name(only)?);
        level = list(&only["options"])?;
    }
    path.leaves = level.iter().map(leaf).collect::<Result<_, _>>()?;
    Ok(path)
}

fn list(options: &Value) -> Result<&[Value], Fault> {
    match options {
        Value::Null => Ok(&[]),
        Value::Array(options) => Ok(options),
        _ => Err(unreadable("data.options")),
    }
}

fn option_name(option: &Value) -> Result<String, Fault> {
    option["name"].as_str().map(str::to_owned).ok_or_else(|| unreadable("data.options.name"))
}

fn leaf(option: &Value) -> Result<Leaf, Fault> {
    let value = match &option["value"] {
        Value::String(text) => OptionValue::Text(text.clone()),
        Value::Number(number) => OptionValue::Number(number.to_string()),
        Value::Bool(flag) => OptionValue::Flag(*flag),
        _ => return Err(unreadable("data.options.value")),
    };
    Ok(Leaf { name: option_name(option)?, value, focused: option["focused"] == Value::Bool(true) })
}
