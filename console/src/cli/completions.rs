//! `completions`: what a shell needs to complete `wayhaven`, made from the grammar. No daemon is asked.

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

/// The word for it.
const WORD: &str = "completions";

/// The grammar with this command in it, which is no operation: nobody asks the daemon for it.
pub(super) fn with(root: Command) -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .help("The shell they are for")
        .required(true)
        .value_parser(ValueParser::from(value_parser!(Shell)));
    let command = Command::new(WORD)
        .about("Print what a shell completes operations and their arguments with")
        .long_about(
            "Print what a shell completes operations and their arguments with.\n\n\
             It needs no daemon, and is made anew after an update:\n\n\
             \x20 bash: wayhaven completions bash > ~/.local/share/bash-completion/completions/wayhaven\n\
             \x20 zsh: wayhaven completions zsh > a file _wayhaven in a directory of $fpath\n\
             \x20 fish: wayhaven completions fish > ~/.config/fish/completions/wayhaven.fish",
        )
        .arg(shell);
    root.subcommand(command)
}

/// The shell that was asked for; nothing where something else was.
pub(super) fn asked(matches: &ArgMatches) -> Option<Shell> {
    matches.subcommand_matches(WORD)?.get_one("shell").copied()
}

/// What that shell reads.
pub(super) fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "wayhaven", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command as Process, Stdio};

    /// What bash offers after these words, the last of which is not ended.
    fn offered_by_bash(words: &[&str]) -> Option<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("wayhaven.bash");
        std::fs::write(&file, script(Shell::Bash)).unwrap();
        let last = words.len() - 1;
        let line = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let asked = format!(
            "source {}; COMP_WORDS=({line}); COMP_CWORD={last}; _wayhaven wayhaven '{}' '{}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display(),
            words[last],
            words[last - 1],
        );
        let output = Process::new("bash").args(["--norc", "-c", &asked]).stdin(Stdio::null()).output();
        let output = match output {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn bash_completes_operations_flags_and_words_of_choice() {
        for (words, expected) in [
            (&["wayhaven", "ba"][..], &["ban"][..]),
            (&["wayhaven", "setup", "add-"], &["add-child"]),
            (&["wayhaven", "ban", "--delete"], &["--delete-days"]),
            (&["wayhaven", "ban", "--dry"], &["--dry-run"]),
            (&["wayhaven", "config", "audit", "o"], &["on", "off"]),
            (&["wayhaven", "audit", "log", "--result", "d"], &["denied"]),
            (&["wayhaven", "completions", "po"], &["powershell"]),
        ] {
            let Some(offered) = offered_by_bash(words) else { return };
            assert_eq!(offered, expected, "{words:?}");
        }
    }

    #[test]
    fn every_shell_gets_a_script_with_every_operation_in_it() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = script(shell);
            for word in wayhaven_shared::operations::OPERATIONS.iter().flat_map(|one| one.words()) {
                assert!(script.contains(word), "{word} is not in that of {shell}");
            }
        }
    }

    #[test]
    fn the_words_are_understood_and_a_shell_that_nobody_knows_is_told_which_there_are() {
        let parsed = |words: &[&str]| super::super::parse(&words.iter().map(Into::into).collect::<Vec<_>>());
        assert_eq!(parsed(&["wayhaven", "completions", "zsh"]).unwrap().completions, Some(Shell::Zsh));
        assert_eq!(parsed(&["wayhaven", "status"]).unwrap().completions, None);
        let error = parsed(&["wayhaven", "completions", "tcsh"]).unwrap_err().to_string();
        assert!(error.contains("tcsh") && error.contains("elvish"), "{error}");
    }
}
