//! An interaction as a request: `--reason=…` for what is optional, positionals after `--` in clap's order, and
//! clap parses it. One parser and one error text for every surface.

use super::options::{Leaf, OptionValue};
use super::{Interaction, InteractionKind};
use crate::discord::slash::{DRY_RUN, is_file, option_name, takes_several};
use clap::Arg;
use wayhaven_shared::operation::{Definition, Surfaces};
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Fault, Request, grammar};

impl Interaction {
    /// The request it asks for, and whether only the plan is wanted.
    ///
    /// # Errors
    /// A command or an argument that this version does not offer on Discord, and whatever clap says of the
    /// arguments.
    pub fn request(&self) -> Result<(Request, bool), Fault> {
        if self.kind != InteractionKind::Command || self.command_kind != 1 {
            return Err(Fault::usage("this is no slash command"));
        }
        let definition = grammar::find(&self.operation)
            .filter(|definition| definition.surfaces == Surfaces::Everywhere)
            .ok_or_else(|| outdated(&format!("/{}", shown(&self.operation))))?;
        let (argv, dry_run) = argv(definition, &self.leaves()?)?;
        let request = grammar::parse_arguments(definition, &argv).map_err(|fault| Fault {
            // clap repeats the argument, which may hold anything.
            message: Untrusted::clipped(&fault.message).line(),
            ..fault
        })?;
        Ok((request, dry_run))
    }
}

impl Interaction {
    /// The arguments, with the names of files in place of their ids.
    fn leaves(&self) -> Result<Vec<Leaf>, Fault> {
        let Some(definition) = grammar::find(&self.operation) else { return Ok(self.options.clone()) };
        let command = grammar::command(definition);
        let files: Vec<String> =
            command.get_arguments().filter(|argument| is_file(argument)).map(option_name).collect();
        let named = |leaf: &Leaf| {
            if !files.contains(&leaf.name) {
                return Ok(leaf.clone());
            }
            let file = leaf.value.text().parse().ok().and_then(|id: u64| self.attachments.get(&id));
            let file = file.ok_or_else(|| {
                Fault::usage(format!("no file came for the option {}", leaf.name))
                    .hint("attach the file to the command and send it again")
            })?;
            Ok(Leaf { value: OptionValue::Text(file.name.raw().to_owned()), ..leaf.clone() })
        };
        self.options.iter().map(named).collect()
    }
}

/// Discord shows commands that were registered by another version until it has the new ones.
fn outdated(what: &str) -> Fault {
    Fault::not_found(format!("{what} is not known to this version of Wayhaven"))
        .hint("the commands were changed: reload Discord and try again")
}

fn shown(text: &str) -> String {
    Untrusted::clipped(text).line_within(64)
}

/// The words clap reads, without the operation's own.
fn argv(definition: &Definition, leaves: &[Leaf]) -> Result<(Vec<String>, bool), Fault> {
    let command = grammar::command(definition);
    let mut flags = Vec::new();
    let mut positionals = Vec::new();
    let mut missing: Option<String> = None;
    let known = |name: &str| {
        (name == DRY_RUN && definition.effect.changes())
            || command.get_arguments().any(|argument| option_name(argument) == name)
    };
    for (index, leaf) in leaves.iter().enumerate() {
        if !known(&leaf.name) || leaves[..index].iter().any(|earlier| earlier.name == leaf.name) {
            return Err(outdated(&format!("the option {} of /{}", shown(&leaf.name), definition.name)));
        }
    }
    for argument in command.get_arguments() {
        let name = option_name(argument);
        let given = leaves.iter().find(|leaf| leaf.name == name);
        let values = given.map(|leaf| values(argument, leaf)).unwrap_or_default();
        match argument.get_long() {
            Some(long) if argument.get_action().takes_values() => {
                flags.extend(values.into_iter().map(|value| format!("--{long}={value}")));
            }
            Some(long) => match given.map(|leaf| &leaf.value) {
                Some(OptionValue::Flag(true)) => flags.push(format!("--{long}")),
                Some(OptionValue::Flag(false)) | None => {}
                Some(_) => return Err(Fault::usage(format!("the option {name} is yes or no"))),
            },
            // A gap would move the next positional into its place.
            None if values.is_empty() => missing = missing.or(Some(name)),
            None => match &missing {
                Some(missing) => return Err(Fault::usage(format!("the option {missing} is missing"))),
                None => positionals.extend(values),
            },
        }
    }
    if !positionals.is_empty() {
        flags.push("--".to_owned());
        flags.extend(positionals);
    }
    let dry_run = match leaves.iter().find(|leaf| leaf.name == DRY_RUN).map(|leaf| &leaf.value) {
        Some(OptionValue::Flag(flag)) => *flag,
        None => false,
        // Whatever was meant, it was not a plain no.
        Some(_) => return Err(Fault::usage(format!("the option {DRY_RUN} is yes or no"))),
    };
    Ok((flags, dry_run))
}

fn values(argument: &Arg, leaf: &Leaf) -> Vec<String> {
    let text = leaf.value.text();
    match takes_several(argument) {
        true => text
            .split(|letter: char| letter == ',' || letter.is_whitespace())
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        false => vec![text],
    }
}
