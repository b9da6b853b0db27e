//! Requests: what the socket takes is what the command line would have asked for, and the other way round.

use super::engine::Target;
use clap::{Arg, Command};
use serde_json::json;
use wayhaven_shared::control::Envelope;
use wayhaven_shared::operations::{OPERATIONS, Request};
use wayhaven_shared::{Definition, Fault, FaultKind, grammar};

/// How often a request goes through the tree of all operations too, and not only its own command: it is large.
const WHOLE_EACH: u64 = 64;

/// Texts of which each argument takes one.
const TEXTS: [&str; 12] = [
    "123456789012345678",
    "7d",
    "7",
    "x",
    "https://example.org/1",
    "csv",
    "ban",
    "high",
    "off",
    "3:timeout:1h,5:kick",
    "1234:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
    "monitor",
];

pub(super) struct Requests {
    tried: u64,
    root: Command,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { tried: 0, root: grammar::with_operations(Command::new("wayhaven"), |_| true) }
    }

    /// The request of the words of a whole command line.
    fn asked(&mut self, words: &[String]) -> Option<Request> {
        let words = std::iter::once("wayhaven".to_owned()).chain(words.iter().cloned());
        let matches = self.root.try_get_matches_from_mut(words).ok()?;
        grammar::request(&matches)?.ok()
    }

    /// Whatever way a request takes, it is the same.
    fn same(&mut self, request: &Request) -> Result<(), String> {
        let wire = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        let back =
            serde_json::from_slice::<Request>(&wire).map_err(|error| format!("its own JSON: {error}"))?;
        if back != *request {
            return Err(format!("{request:?} is {back:?} behind the wire"));
        }
        let definition = request.definition();
        let words = grammar::argv(request);
        let arguments = &words[definition.words().count()..];
        let parsed = grammar::parse_arguments(definition, arguments)
            .map_err(|fault| format!("the command line refuses what the wire takes: {fault}: {words:?}"))?;
        if parsed != *request {
            return Err(format!("{request:?} is {parsed:?} as {words:?}"));
        }
        let line = grammar::shell_line(&words);
        if grammar::split_line(&line).ok().as_ref() != Some(&words) {
            return Err(format!("{words:?} is not read back from {line}"));
        }
        if self.tried.is_multiple_of(WHOLE_EACH) && self.asked(&words).as_ref() != Some(request) {
            return Err(format!("{request:?} is another one among all commands: {words:?}"));
        }
        if grammar::confirmation(request).is_empty() {
            return Err(format!("nothing is typed to confirm {words:?}"));
        }
        Ok(())
    }
}

/// A fault that a caller is at.
fn usual(fault: &Fault) -> Result<String, String> {
    match fault.kind {
        FaultKind::Usage if !fault.message.is_empty() => Ok(said(&fault.message)),
        _ => Err(format!("a fault of another kind: {fault:?}")),
    }
}

/// What an error says, without the value that it names.
fn said(text: &str) -> String {
    let unquoted: String = text.split(['"', '\'', '`']).step_by(2).collect();
    unquoted.chars().filter(|letter| !letter.is_ascii_digit()).take(60).collect()
}

fn parsed(definition: &Definition, words: &[String]) -> Option<Request> {
    grammar::parse_arguments(definition, words).ok()
}

/// An argument with that text, as a word.
fn word(argument: &Arg, text: &str) -> String {
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long}={text}"),
        Some(long) => format!("--{long}"),
        None => text.to_owned(),
    }
}

/// A request with what it needs, and one with everything that goes with that.
fn examples(definition: &Definition) -> Vec<Request> {
    let command = grammar::command(definition);
    let (needed, free): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().partition(|argument| argument.is_required_set());
    // All ways of giving each a text.
    let mut ways: Vec<Vec<String>> = vec![Vec::new()];
    for argument in needed {
        let with = |way: &Vec<String>| {
            TEXTS.map(|text| way.iter().cloned().chain([word(argument, text)]).collect::<Vec<_>>())
        };
        ways = ways.iter().flat_map(with).collect();
    }
    let Some(least) = ways.into_iter().find(|way| parsed(definition, way).is_some()) else {
        return Vec::new();
    };
    let mut all = least.clone();
    for argument in free {
        let with = |text: &&str| {
            std::iter::once(word(argument, text)).chain(all.iter().cloned()).collect::<Vec<_>>()
        };
        let longer = TEXTS.iter().map(with).find(|words| parsed(definition, words).is_some());
        all = longer.unwrap_or(all);
    }
    [least, all].iter().filter_map(|words| parsed(definition, words)).collect()
}

impl Target for Requests {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for definition in OPERATIONS {
            for request in examples(definition) {
                let envelope = Envelope { confirm: Some("7".into()), ..Envelope::new(&request) };
                seeds.extend(serde_json::to_vec(&request).ok());
                seeds.extend(serde_json::to_vec(&envelope).ok());
                seeds.push(grammar::shell_line(&grammar::argv(&request)).into_bytes());
            }
        }
        let odd = [
            json!({"operation": "ban", "arguments": ["1", null, null, null, null]}),
            json!({"operation": "ban", "arguments": {"user": "1", "reason": "", "x": 1}}),
            json!({"operation": "ban", "arguments": {"user": 1}}),
            json!({"operation": "teapot brew", "arguments": {}}),
            json!({"arguments": {"user": "-1"}, "operation": "ban"}),
            json!({"request": null, "guild": "0", "upload": "ab".repeat(16)}),
        ];
        seeds.extend(odd.iter().map(|value| value.to_string().into_bytes()));
        seeds.extend([b"ban -- -1".to_vec(), b"ban --reason='' 1".to_vec(), "[".repeat(200).into_bytes()]);
        seeds
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "operation",
            "arguments",
            "request",
            "guild",
            "dry_run",
            "confirm",
            "upload",
            "user",
            "reason",
            "for",
            "limit",
            "cursor",
            "child",
            "delete_days",
            "punishments",
            "true",
            "false",
            "null",
            "[]",
            "{}",
            "[",
            "]",
            "{",
            "}",
            "\"",
            ":",
            ",",
            "\"\"",
            "\"-x\"",
            "\"--\"",
            "\\u0000",
            "\\ud83d\\ude00",
            "\\\"",
            " -- ",
            " --reason=",
            " --for=",
            " --help",
            " -h",
            " --limit=",
            "'",
            "\\",
            "=",
            "ban",
            "setup add-child",
            "sync import",
            "audit log",
            "123456789012345678",
            "7d",
            "1e3",
            "7.0",
        ]
    }

    fn stand(&mut self, input: &[u8]) -> Result<String, String> {
        self.tried += 1;
        if let Ok(envelope) = serde_json::from_slice::<Envelope>(input) {
            let wire = serde_json::to_vec(&envelope).map_err(|error| error.to_string())?;
            let back = serde_json::from_slice::<Envelope>(&wire)
                .map_err(|error| format!("its own JSON: {error}"))?;
            if back != envelope {
                return Err(format!("{envelope:?} is {back:?} behind the wire"));
            }
            let inner = serde_json::from_value::<Request>(envelope.request);
            return match inner {
                Ok(request) => self.same(&request).map(|()| format!("envelope of {}", request.name())),
                Err(error) => Ok(format!("envelope: {}", said(&error.to_string()))),
            };
        }
        let begins = input.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(begins, Some(b'{' | b'[')) {
            return match serde_json::from_slice::<Request>(input) {
                Ok(request) => {
                    self.same(&request)?;
                    let checked =
                        request.check().map_or_else(|fault| usual(&fault), |()| Ok("fits".into()))?;
                    Ok(format!("{}: {checked}", request.name()))
                }
                Err(error) => Ok(said(&error.to_string())),
            };
        }
        let words = match grammar::split_line(&String::from_utf8_lossy(input)) {
            Ok(words) => words,
            Err(fault) => return usual(&fault),
        };
        if grammar::split_line(&grammar::shell_line(&words)).ok().as_ref() != Some(&words) {
            return Err(format!("{words:?} are other words behind a shell"));
        }
        // The operation with most words that the line begins with.
        let named = OPERATIONS
            .iter()
            .filter(|definition| {
                definition.words().eq(words.iter().take(definition.words().count()).map(String::as_str))
            })
            .max_by_key(|definition| definition.words().count());
        let Some(definition) = named else { return Ok("no operation".into()) };
        match grammar::parse_arguments(definition, &words[definition.words().count()..]) {
            Ok(request) => self.same(&request).map(|()| format!("line of {}", definition.name)),
            Err(fault) => usual(&fault).map(|said| format!("{}: {said}", definition.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_example() {
        for definition in OPERATIONS {
            let examples = examples(definition);
            assert_eq!(examples.len(), 2, "{}: none of the texts is what it needs", definition.name);
            let command = grammar::command(definition);
            let optional = command.get_opts().filter(|option| !option.is_required_set()).count();
            assert!(optional == 0 || examples[0] != examples[1], "{}: no option was set", definition.name);
        }
    }
}
