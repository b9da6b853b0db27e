//! The grammar of all operations as a clap tree, and back: argv to request, request to argv.
//!
//! The command line, the console's palette and Discord's interactions are all parsed here, so that there is one
//! parser and one error text. So that an interaction turned into argv is never ambiguous, flags are written with
//! their value (`--for=1h`) and positional arguments stand behind `--`; optional ones are flags.

mod free_text;

use crate::operations::{GROUPS, OPERATIONS, Request};
use crate::{Definition, Fault};
use clap::{ArgMatches, Command};
use serde_json::Value;
use std::ffi::OsString;

/// `root` with the operations that `wanted` accepts as its subcommands.
pub fn with_operations(root: Command, wanted: impl Fn(&Definition) -> bool) -> Command {
    OPERATIONS.iter().filter(|definition| wanted(definition)).fold(root, |root, definition| {
        let words: Vec<_> = definition.words().collect();
        insert(root, definition, &words, 0)
    })
}

/// Adds the operation below `parent`, which stands for the first `depth` of its words.
fn insert(parent: Command, definition: &Definition, words: &[&'static str], depth: usize) -> Command {
    let word = words[depth];
    if depth + 1 == words.len() {
        return parent.subcommand(augmented(definition, word));
    }
    if parent.find_subcommand(word).is_some() {
        return parent.mut_subcommand(word, |group| insert(group, definition, words, depth + 1));
    }
    let path = words[..=depth].join(" ");
    let about = GROUPS.iter().find(|(group, _)| *group == path).map_or("", |(_, about)| about);
    let group = Command::new(word).about(about).subcommand_required(true).arg_required_else_help(true);
    parent.subcommand(insert(group, definition, words, depth + 1))
}

/// The operation's own command, for its help and its arguments.
pub fn command(definition: &Definition) -> Command {
    augmented(definition, definition.name)
}

/// A command of this name with the operation's arguments.
fn augmented(definition: &Definition, name: &'static str) -> Command {
    free_text::allow_hyphens((definition.augment)(Command::new(name)))
}

/// The request of words that a person typed, the program's name first, below a root built by [`with_operations`], which
/// gave these matches; nothing where the subcommand is none of ours.
///
/// # Errors
/// What clap says of an argument, and a flag that would be taken for a text.
pub fn typed_request(
    root: &Command,
    words: &[OsString],
    matches: &ArgMatches,
) -> Result<Option<Request>, clap::Error> {
    free_text::check_flags(root, words, matches)?;
    request(matches).transpose()
}

/// The request that was matched below a root built by [`with_operations`]; nothing where the subcommand is none
/// of ours.
///
/// # Errors
/// What clap says of an argument.
pub fn request(root: &ArgMatches) -> Option<Result<Request, clap::Error>> {
    let mut words = Vec::new();
    let mut matches = root;
    while let Some((word, below)) = matches.subcommand() {
        words.push(word);
        matches = below;
    }
    let name = words.join(" ");
    OPERATIONS.iter().find(|definition| definition.name == name).map(|definition| (definition.parse)(matches))
}

/// The definition with these words.
pub fn find(name: &str) -> Option<&'static Definition> {
    OPERATIONS.iter().find(|definition| definition.name == name)
}

/// Parses the arguments of one operation, without its words: what an interaction was turned into.
///
/// # Errors
/// A usage fault with clap's words.
pub fn parse_arguments(definition: &Definition, arguments: &[String]) -> Result<Request, Fault> {
    let argv = std::iter::once(definition.name).chain(arguments.iter().map(String::as_str));
    command(definition)
        .disable_help_flag(true)
        .try_get_matches_from(argv)
        .and_then(|matches| (definition.parse)(&matches))
        .map_err(|error| usage_fault(&error))
}

/// clap's error as a fault: its first line without the label, its tips as hints.
pub fn usage_fault(error: &clap::Error) -> Fault {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let mut hints = Vec::new();
    for line in lines {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        } else {
            message = format!("{message} {line}");
        }
    }
    hints.into_iter().fold(Fault::usage(message), Fault::hint)
}

/// The request as the words that would ask for it again: operation, flags, then positionals after `--`.
///
/// It holds because a field's name in serde is its argument's id in clap, and both read the same text; a test
/// sweeps the whole list for it.
pub fn argv(request: &Request) -> Vec<String> {
    let definition = request.definition();
    let mut words: Vec<String> = definition.words().map(str::to_owned).collect();
    let mut positionals = Vec::new();
    let encoded = serde_json::to_value(request).unwrap_or(Value::Null);
    for argument in command(definition).get_arguments() {
        let texts: Vec<String> = match &encoded["arguments"][argument.get_id().as_str()] {
            Value::Array(values) => values.iter().filter_map(text).collect(),
            value => text(value).into_iter().collect(),
        };
        for text in texts {
            match argument.get_long() {
                None => positionals.push(text),
                Some(long) if argument.get_action().takes_values() => words.push(format!("--{long}={text}")),
                Some(long) if text == "true" => words.push(format!("--{long}")),
                Some(_) => {}
            }
        }
    }
    if positionals.iter().any(|text| text.starts_with('-')) {
        words.push("--".into());
    }
    words.extend(positionals);
    words
}

/// What a person types to confirm a severe operation, the name of what is at stake: the operation's first argument (a
/// backup, a user), how many there are where it takes several, and where that one is left out the first flag that is
/// given in its place (a moderator). Its own words where it takes none.
pub fn confirmation(request: &Request) -> String {
    let definition = request.definition();
    // What an incident came to is a text about it, and no name.
    if let Request::IncidentClose(_) = request {
        return definition.name.to_owned();
    }
    let command = command(definition);
    let Some(first) = command.get_positionals().next() else { return definition.name.to_owned() };
    let encoded = serde_json::to_value(request).unwrap_or_default();
    let given = |argument: &clap::Arg| match &encoded["arguments"][argument.get_id().as_str()] {
        Value::Array(several) => match several.as_slice() {
            [] => None,
            [only] => text(only),
            several => Some(format!("{} {}", several.len(), argument.get_id())),
        },
        // Of a flag it is the name that says something.
        Value::Bool(set) => set.then(|| argument.get_id().to_string()),
        value => text(value),
    };
    given(first)
        .or_else(|| command.get_arguments().filter(|argument| !argument.is_positional()).find_map(given))
        .unwrap_or_else(|| definition.name.to_owned())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The words as one line for a POSIX shell.
pub fn shell_line(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:@,+".contains(c))
    };
    let quoted = words.iter().map(|word| match plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Splits a palette line into words as a shell would: quotes group, a backslash takes the next character.
///
/// # Errors
/// A quote that is not closed.
pub fn split_line(line: &str) -> Result<Vec<String>, Fault> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('\''), letter) => word.get_or_insert_default().push(letter),
            (_, '\\') => word.get_or_insert_default().extend(letters.next()),
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(Fault::usage("a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_line_splits_like_a_shell_and_back() {
        let words = split_line(r#"ban 1 --reason='it''s "bad"' "a b" c\ d"#).unwrap();
        assert_eq!(words, ["ban", "1", r#"--reason=its "bad""#, "a b", "c d"]);
        assert!(split_line("ban 'x").is_err());
        let hostile = vec!["a b".to_owned(), "it's".to_owned(), String::new(), "$(x)".to_owned()];
        assert_eq!(split_line(&shell_line(&hostile)).unwrap(), hostile);
    }

    #[test]
    fn the_first_argument_is_typed_to_confirm_and_without_one_the_operation() {
        let parse = |name: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            parse_arguments(find(name).unwrap(), &words).unwrap()
        };
        assert_eq!(confirmation(&parse("ban", &["--reason=x", "77"])), "77");
        assert_eq!(confirmation(&parse("daemon stop", &[])), "daemon stop");
        assert_eq!(confirmation(&parse("punishment revert", &["42", "--reason=x"])), "42");
        assert_eq!(confirmation(&parse("punishment revert", &["42", "43", "44"])), "3 punishments");
        assert_eq!(confirmation(&parse("punishment revert", &["--since=2h", "--moderator=77"])), "77");
        assert_eq!(confirmation(&parse("sync approve", &["3"])), "3");
        assert_eq!(confirmation(&parse("sync approve", &["--all"])), "all");
        assert_eq!(confirmation(&parse("incident close", &["it is over", "--resume"])), "incident close");
        assert_eq!(confirmation(&parse("sync reconcile", &["--apply"])), "apply");
        assert_eq!(confirmation(&parse("punishment list", &["--user=7"])), "punishment list");
    }

    #[test]
    fn a_wrong_argument_names_the_value_and_the_way_out() {
        let fault = parse_arguments(find("ban").unwrap(), &["nobody".into()]).unwrap_err();
        assert!(
            fault.message.contains("nobody") && fault.message.contains("a user id is"),
            "{}",
            fault.message
        );
        let fault =
            parse_arguments(find("ban").unwrap(), &["--delete-days=9".into(), "5".into()]).unwrap_err();
        assert!(fault.message.contains("from 0 to 7"), "{}", fault.message);
    }
}
