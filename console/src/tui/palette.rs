//! The palette: the grammar of the command line word for word, and a few words of the console's own.

use super::editor::Editor;
use super::screens::Screen;
use crate::cli;
use crate::link::dial;
use clap::Command;
use shared::{Fault, Request, grammar};
use wayhaven_shared as shared;

/// What the console itself understands.
const OWN: [(&str, &str); 7] = [
    ("network", "The screen of mains and children"),
    ("deliveries", "The screen of punishments on their way"),
    ("messages", "What the console told"),
    ("write", "Arm it for 15 minutes: keys and palette may change things"),
    ("observe", "Disarm it: nothing can be changed"),
    ("keys", "The keys of this screen"),
    ("quit", "Leave the console; the daemon goes on"),
];

/// A line, understood.
#[derive(Debug)]
pub(crate) enum Meant {
    /// Nothing was typed.
    Nothing,
    /// Open a screen.
    Screen(Screen),
    /// Arm.
    Write,
    /// Disarm.
    Observe,
    /// Show the keys.
    Keys,
    /// Leave.
    Quit,
    /// An operation with what stands around it.
    Operation(Box<(Request, cli::Globals)>),
    /// Text to read: a help page.
    Text(String),
}

/// Reads a palette line.
///
/// # Errors
/// A usage fault, in the words of the command line.
pub(crate) fn read(line: &str) -> Result<Meant, Fault> {
    let words = grammar::split_line(line)?;
    let first = words.first().map(String::as_str);
    let own = match (first, words.len()) {
        (None, _) => Some(Meant::Nothing),
        (Some("write"), 1) => Some(Meant::Write),
        (Some("observe"), 1) => Some(Meant::Observe),
        (Some("keys"), 1) => Some(Meant::Keys),
        (Some("quit" | "q"), 1) => Some(Meant::Quit),
        (Some(word), 1) => Screen::ALL.into_iter().find(|screen| screen.word() == word).map(Meant::Screen),
        _ => None,
    };
    if let Some(own) = own {
        return Ok(own);
    }
    let argv: Vec<_> = std::iter::once("wayhaven".to_owned()).chain(words).map(Into::into).collect();
    match cli::parse(&argv) {
        Ok(cli::Asked { request: Some(request), globals, .. }) => {
            if globals.host.is_some() {
                return Err(Fault::usage("the console speaks to one daemon")
                    .hint("leave it, and start it with wayhaven --host ssh://HOST"));
            }
            request.check()?;
            Ok(Meant::Operation(Box::new((request, globals))))
        }
        Ok(cli::Asked { completions: Some(shell), .. }) => {
            Err(Fault::usage("completions are a shell's, and the palette has its own")
                .hint(format!("on the command line: wayhaven completions {shell}")))
        }
        Ok(_) => Err(Fault::usage("an operation is missing").hint("Tab shows what there is")),
        Err(error) if error.use_stderr() => Err(grammar::usage_fault(&error)),
        Err(help) => Ok(Meant::Text(help.to_string())),
    }
}

/// Something that could stand where the cursor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The word, as it would be typed.
    pub(crate) word: String,
    /// What it is for.
    pub(crate) help: String,
}

/// What could come next, and what the operation so far is for.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    /// In the order of the grammar.
    pub(crate) candidates: Vec<Candidate>,
    /// One line on what was typed so far.
    pub(crate) help: String,
}

/// Completes what stands before the cursor.
pub(crate) fn complete(editor: &Editor, root: &Command) -> Completion {
    let (before, _) = editor.parts();
    let mut words: Vec<&str> = before.split(' ').filter(|word| !word.is_empty()).collect();
    let partial = if before.ends_with(' ') || before.is_empty() { "" } else { words.pop().unwrap_or("") };
    let mut command = root;
    for word in words.iter().filter(|word| !word.starts_with('-')) {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let mut all: Vec<Candidate> = Vec::new();
    if std::ptr::eq(command, root) {
        all.extend(OWN.map(|(word, help)| Candidate { word: word.into(), help: help.into() }));
    }
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    // What is the command line's alone is nothing for the palette.
    let alone = ["help", "completions", dial::NAME];
    let below = command.get_subcommands().filter(|below| !alone.contains(&below.get_name()));
    all.extend(below.map(|below| Candidate { word: below.get_name().to_owned(), help: about(below) }));
    if !command.has_subcommands() {
        all.extend(flags(command, root, &words, partial));
    }
    let candidates = all.into_iter().filter(|candidate| candidate.word.starts_with(partial)).collect();
    Completion { candidates, help: help(command, root, &words) }
}

fn flags(command: &Command, root: &Command, words: &[&str], partial: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    // What only the command line prints in another way is nothing for the palette.
    let printed = ["json", "ascii", "wait", "no_wait", "help", "version", "confirm", "host"];
    let around = root.get_arguments().filter(|argument| argument.is_global_set());
    // clap hands what is global down to a command that was built, so that it may come twice.
    let own = |id| command.get_arguments().any(|argument| argument.get_id() == id);
    for argument in command.get_arguments().chain(around.filter(|argument| !own(argument.get_id()))) {
        let Some(long) = argument.get_long().filter(|_| !printed.contains(&argument.get_id().as_str()))
        else {
            continue;
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let values = argument.get_possible_values();
        let takes = argument.get_action().takes_values();
        if takes && partial.starts_with(&format!("--{long}=")) {
            found.extend(values.iter().map(|value| Candidate {
                word: format!("--{long}={}", value.get_name()),
                help: value.get_help().map(ToString::to_string).unwrap_or_default(),
            }));
        } else if !words.iter().any(|word| word.split('=').next() == Some(&format!("--{long}"))) {
            found.push(Candidate { word: format!("--{long}{}", if takes { "=" } else { "" }), help });
        }
    }
    found
}

/// The operation's own line, with the arguments that must stand.
fn help(command: &Command, root: &Command, words: &[&str]) -> String {
    if std::ptr::eq(command, root) {
        return "an operation as on the command line, or a word of the console's own".into();
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let depth = words.iter().filter(|word| !word.starts_with('-')).count();
    let positionals: Vec<String> = command
        .get_positionals()
        .map(|argument| {
            let name =
                argument.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            format!("{name}: {help}")
        })
        .collect();
    match positionals.is_empty() || depth == 0 {
        true => about,
        false => format!("{about} · {}", positionals.join(" · ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_way_to_the_daemon_is_nothing_for_the_palette() {
        let fault = read("status --host ssh://box").unwrap_err();
        assert!(fault.message.contains("one daemon") && !fault.hints.is_empty(), "{fault}");
        assert!(read("dial-stdio").is_err());
        let root = cli::command();
        for line in ["d", "status --h"] {
            let found = complete(&Editor::new(line), &root).candidates;
            assert!(found.iter().all(|one| one.word != "dial-stdio" && one.word != "--host="), "{found:?}");
        }
    }

    fn words(line: &str) -> Vec<String> {
        let root = cli::command();
        complete(&Editor::new(line), &root).candidates.into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn operations_groups_flags_and_values_are_completed() {
        assert!(words("").contains(&"network".to_owned()));
        assert_eq!(words("se"), ["setup", "settings"]);
        assert_eq!(words("compl"), [""; 0], "a shell's completions are the command line's alone");
        let fault = read("completions bash").err().unwrap();
        assert!(fault.to_string().contains("wayhaven completions bash"), "{fault}");
        assert_eq!(words("setup re"), ["remove-child"]);
        assert_eq!(words("ban 1 --re"), ["--reason="]);
        assert_eq!(words("ban 1 --reason=x --re"), [""; 0]);
        assert_eq!(words("sync deliveries --state=bl"), ["--state=blocked"]);
        assert_eq!(words("ban 1 --gu"), ["--guild="]);
        assert!(!words("ban 1 --").iter().any(|word| word.starts_with("--json")));
        let mut root = cli::command();
        root.build();
        let flags = complete(&Editor::new("setup remove-child 1 --guild=2 --"), &root).candidates;
        let flags: Vec<_> = flags.into_iter().map(|candidate| candidate.word).collect();
        assert_eq!(flags, ["--keep", "--undo", "--force", "--dry-run"], "each once");
    }

    #[test]
    fn the_help_of_the_operation_is_there_while_it_is_typed() {
        let help = complete(&Editor::new("ban "), &cli::command()).help;
        assert!(help.starts_with("Ban somebody here") && help.contains("USER: Whom to ban"), "{help}");
    }

    #[test]
    fn a_line_means_what_it_means_on_the_command_line() {
        assert!(matches!(read("network").unwrap(), Meant::Screen(Screen::Network)));
        assert!(matches!(read("").unwrap(), Meant::Nothing));
        let Meant::Operation(asked) = read("ban 77 --reason='two words' --guild 5 --dry-run").unwrap() else {
            panic!("an operation")
        };
        assert_eq!(grammar::argv(&asked.0), ["ban", "--reason=two words", "77"]);
        assert_eq!((asked.1.guild.as_ref().unwrap().id().unwrap().get(), asked.1.dry_run), (5, true));
        assert!(read("ban nobody").is_err());
        assert!(read("write now").is_err());
        assert!(matches!(read("ban --help").unwrap(), Meant::Text(_)));
    }
}
