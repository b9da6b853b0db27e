//! Arguments that take what a person writes, such as reasons. What they write may begin with a hyphen. Invariant: a flag
//! that was meant as a flag is never taken for such a text, since the operation would then act without it: after
//! `--reason --dry-run` the ban would be real.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, Error};
use std::ffi::OsString;

/// The value names of such arguments. A test holds every argument with text of people in it to this list.
pub(crate) const VALUE_NAMES: [&str; 5] = ["TEXT", "REASON", "CONCLUSION", "VALUE", "FILE"];

/// How many letters may differ in a flag that was mistyped.
const MAX_TYPOS: usize = 2;

/// The shortest flag in which that many letters are a typo and no other word.
const MIN_TYPO_LENGTH: usize = 5;

/// Whether people write what this argument takes.
pub(crate) fn takes(argument: &Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().any(|name| VALUE_NAMES.contains(&name.as_str()))
}

/// The command whose free text may begin with a hyphen.
pub(super) fn allow_hyphens(command: Command) -> Command {
    command.mut_args(|argument| match takes(&argument) {
        true => argument.allow_hyphen_values(true),
        false => argument,
    })
}

/// Refuses words in which a flag became free text.
///
/// # Errors
/// Which, and how it is written where it is meant as text.
pub(crate) fn check_flags(root: &Command, words: &[OsString], matches: &ArgMatches) -> Result<(), Error> {
    let (mut command, mut below) = (root, matches);
    while let Some((word, further)) = below.subcommand() {
        let Some(found) = command.find_subcommand(word) else { return Ok(()) };
        (command, below) = (found, further);
    }
    let texts: Vec<&Arg> = command.get_arguments().filter(|argument| takes(argument)).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let flags: Vec<&Arg> = root.get_arguments().chain(command.get_arguments()).collect();
    let words: Vec<&str> =
        words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    for text in &texts {
        let refused = match text.get_long() {
            Some(long) => {
                let option = format!("--{long}");
                let mut values = words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1]);
                let value = values.rfind(|value| meant(value, &flags).is_some());
                value.map(|value| (value, format!("--{long} needs a text"), format!("{option}={value}")))
            }
            None => {
                let id = text.get_id().as_str();
                let value = below.get_raw(id).and_then(|mut values| values.next_back()?.to_str());
                let value = value.filter(|value| words.contains(value) && meant(value, &flags).is_some());
                let name =
                    text.get_value_names().and_then(|names| names.first()).map_or(id, |name| name.as_str());
                value.map(|value| (value, format!("{name} needs a text"), format!("-- {value}")))
            }
        };
        if let Some((value, needs, written)) = refused {
            let flag = meant(value, &flags).unwrap_or_default();
            let message = format!(
                "{needs}, and {value} looks like the flag {flag}\n\n  tip: if it is the text, write it as {written}\n"
            );
            return Err(command.clone().error(ErrorKind::InvalidValue, message));
        }
    }
    Ok(())
}

/// The flag that a word is, or is a typo of.
fn meant(word: &str, flags: &[&Arg]) -> Option<String> {
    if let Some(typed) = word.strip_prefix("--").and_then(|word| word.split('=').next()) {
        let typed = typed.to_lowercase().replace('_', "-");
        let near = |long: &&str| {
            let distance = strsim::damerau_levenshtein(&typed, long);
            distance == 0 || (distance <= MAX_TYPOS && long.len() >= MIN_TYPO_LENGTH)
        };
        let longs = flags.iter().filter_map(|flag| flag.get_long()).chain(["help", "version"]);
        return longs.filter(|_| !typed.is_empty()).find(near).map(|long| format!("--{long}"));
    }
    let short = word.strip_prefix('-').filter(|short| short.chars().count() == 1)?.chars().next()?;
    let is_known = flags.iter().any(|flag| flag.get_short() == Some(short)) || matches!(short, 'h' | 'V');
    is_known.then(|| format!("-{short}"))
}
