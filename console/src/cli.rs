//! The command line: arguments to a request, the reply to text or JSON, and the exit code.
//!
//! The grammar is that of all operations in `shared`; what is added here travels around a request and is the
//! same for each of them.

mod completions;
mod locale;
mod output;
mod progress;
mod run;
mod wait;

use crate::link::{Host, dial};
use crate::render::terminal::Paper;
use clap::{Args, Command, FromArgMatches};
use clap_complete::Shell;
use output::{Output, Surroundings};
use shared::grammar;
use shared::value::{GuildText, Malformed, Span};
use shared::{Fault, Request};
use std::ffi::OsString;
use std::process::ExitCode;
use wayhaven_shared as shared;

/// What stands around a request on the command line and in the console's palette.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Around the operation")]
pub(crate) struct Globals {
    /// Guild to run the command in: its id, its name, or the beginning of its name
    ///
    /// Upper and lower case are the same. Without it the variable WAYHAVEN_GUILD counts, and otherwise the main, where
    /// there is exactly one and the command needs a guild.
    #[arg(long, global = true, value_name = "GUILD")]
    pub(crate) guild: Option<GuildText>,
    /// Show what would happen, and change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Wait until every delivery has settled and every job has ended [default span: 60s]
    ///
    /// A number without a unit means seconds. The exit code is 8 if something still moves when the wait ends (the daemon
    /// continues), and 3 if some guilds did not apply it.
    #[arg(long, global = true, value_name = "SPAN", num_args = 0..=1, require_equals = true,
          default_missing_value = "60s", overrides_with = "no_wait", value_parser = wait_span)]
    pub(crate) wait: Option<Span>,
    /// Answer as soon as it is stored (the default)
    #[arg(long, global = true, overrides_with = "wait")]
    pub(crate) no_wait: bool,
    /// What would be typed to confirm, where nobody can be asked
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// One line of JSON on standard output, and of a failure on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The machine whose daemon is meant: ssh://[USER@]HOST[:PORT]
    ///
    /// The system's ssh connects as your configuration of it says, and runs "wayhaven dial-stdio" there. Without it
    /// the variable WAYHAVEN_HOST counts, and otherwise it is the daemon of this machine.
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) host: Option<Host>,
    /// Draw with nothing but ASCII
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

/// The value of `--wait`: a span, or a number of seconds.
fn wait_span(text: &str) -> Result<Span, Malformed> {
    match text.is_empty() || text.contains(|letter: char| !letter.is_ascii_digit()) {
        true => text.parse(),
        false => format!("{text}s").parse(),
    }
}

/// The whole grammar of `wayhaven`: the man pages and completions are made from it too.
pub fn command() -> Command {
    let root = Globals::augment_args(Command::new("wayhaven"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Operate Wayhaven: punishments of a main guild, delivered to its children")
        .long_about(
            "Operate Wayhaven: punishments of a main guild, delivered to its children.\n\n\
             Without arguments, on a terminal, the operator console opens. With arguments one operation is \
             asked of the daemon, over its control socket.",
        )
        .after_help(
            "Exit codes: 0 done, 1 failure, 2 usage, 3 some guilds did not do it, 4 denied, 5 not found, \
             6 conflict or locked, 7 no daemon answers, 8 still pending, 9 not confirmed, \
             10 verification failed, 130 interrupted.\n\n\
             The daemon is looked for below WAYHAVEN_HOME, then XDG_RUNTIME_DIR, then /run/wayhaven; on another \
             machine, where --host or WAYHAVEN_HOST names one.\n\n\
             On a terminal whose locale (LC_ALL, LC_CTYPE, LANG) is not UTF-8, or whose TERM is dumb or not set, \
             output is ASCII, as with --ascii.",
        )
        .max_term_width(100)
        .subcommand(
            Command::new(dial::NAME)
                .about("Connect standard input and output to the daemon's socket")
                .long_about(
                    "Connect standard input and output to the daemon's socket on this machine.\n\n\
                     It is what --host has ssh run on the other machine. A key that shall reach the daemon and \
                     nothing else is restricted to it in authorized_keys: \
                     restrict,command=\"wayhaven dial-stdio\" ssh-ed25519 …",
                ),
        );
    completions::with(grammar::with_operations(root, |_| true))
}

/// Words as somebody typed them, understood.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What stands around the request.
    pub(crate) globals: Globals,
    /// What is asked; nothing for the console.
    pub(crate) request: Option<Request>,
    /// Whether standard input and output are to be connected to the daemon, and nothing is asked.
    pub(crate) dials: bool,
    /// The shell whose completions are asked for, which no daemon needs to know of.
    pub(crate) completions: Option<Shell>,
}

/// Reads words, the program's name first.
///
/// # Errors
/// What clap says of them; help and version are among it.
pub(crate) fn parse(words: &[OsString]) -> Result<Asked, clap::Error> {
    let root = command();
    let matches = root.clone().try_get_matches_from(words)?;
    let globals = Globals::from_arg_matches(&matches)?;
    if matches.subcommand_name() == Some(dial::NAME) {
        return Ok(Asked { globals, request: None, dials: true, completions: None });
    }
    let request = grammar::typed_request(&root, words, &matches)?;
    let completions = completions::asked(&matches);
    Ok(Asked { globals, request, dials: false, completions })
}

/// The binary's `main`, for these words.
pub(crate) fn main(words: Vec<OsString>) -> ExitCode {
    let surroundings = Surroundings::of_process();
    let asked = match parse(&words) {
        Ok(asked) => asked,
        Err(error) => {
            let has =
                |flag: &str| words.iter().skip(1).take_while(|word| *word != "--").any(|word| word == flag);
            let mut output = Output::of_process(&surroundings, has("--json"), has("--ascii"));
            return ExitCode::from(answer_usage(&error, &words, &mut output));
        }
    };
    let mut output = Output::of_process(&surroundings, asked.globals.json, asked.globals.ascii);
    let code = match (asked.request, asked.completions) {
        (Some(request), _) => run::in_runtime(request, &asked.globals, &surroundings, &mut output),
        (None, Some(shell)) => {
            output.data(&completions::script(shell));
            output.finish(0)
        }
        (None, None) if asked.dials => dial_stdio(&asked.globals, &surroundings, &mut output),
        (None, None) => without_operation(&surroundings, &asked.globals, &mut output),
    };
    ExitCode::from(code)
}

/// Connects this process's streams to the daemon of this machine, whatever WAYHAVEN_HOST says.
fn dial_stdio(globals: &Globals, surroundings: &Surroundings, output: &mut Output<'_>) -> u8 {
    let dialled = match &globals.host {
        Some(host) => Err(Fault::usage(format!("{} is of this machine, and --host is {host}", dial::NAME))
            .hint(format!("wayhaven --host ssh://{host} OPERATION runs it there"))),
        None => surroundings.layout.clone().and_then(|layout| dial::run(&layout)),
    };
    dialled.map_or_else(|fault| output.fault(&fault), |()| 0)
}

/// The console, where there is a terminal for it.
fn without_operation(surroundings: &Surroundings, globals: &Globals, output: &mut Output<'_>) -> u8 {
    if surroundings.input_terminal && surroundings.output_terminal && !output.is_json() {
        let colour = !surroundings.no_colour && !surroundings.dumb;
        let meant = surroundings.place(globals).and_then(|place| Ok((place, surroundings.guild(globals)?)));
        return match meant {
            Err(fault) => output.fault(&fault),
            Ok((place, guild)) => {
                let ascii = globals.ascii || surroundings.wants_ascii();
                match crate::tui::main(&place, guild, colour, ascii) {
                    Ok(code) => code,
                    Err(error) => {
                        output.fault(&Fault::unavailable(format!("the terminal cannot be used: {error}")))
                    }
                }
            }
        };
    }
    let fault = Fault::usage("no operation is named, and the console needs a terminal")
        .hint(format!("{}", command().render_usage()).trim().replacen("Usage", "usage", 1))
        .hint("wayhaven --help lists the operations")
        .hint("wayhaven status tells how the daemon is");
    output.fault(&fault)
}

/// Help and version go to standard output and are a success; anything else is a usage fault.
fn answer_usage(error: &clap::Error, words: &[OsString], output: &mut Output<'_>) -> u8 {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.plain(&format!("{}\n", error.to_string().trim_end()));
            output.finish(0)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !output.is_json() => {
            output.aside(&error.to_string());
            2
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output.fault(&Fault::usage("an operation is missing").hint(help_line(words)))
        }
        _ => output.fault(&grammar::usage_fault(error).hint(help_line(words))),
    }
}

/// Where the help of what was meant stands.
fn help_line(words: &[OsString]) -> String {
    let mut command = &command();
    let mut line = String::from("wayhaven");
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        let Some(below) = command.find_subcommand(word) else { continue };
        line.push(' ');
        line.push_str(word);
        command = below;
    }
    format!("{line} --help")
}

/// What a stream of the command line can show.
fn paper(surroundings: &Surroundings, terminal: bool, ascii: bool) -> Paper {
    Paper {
        width: terminal.then_some(surroundings.width),
        colour: terminal && !surroundings.no_colour && !surroundings.dumb,
        signs: crate::render::signs::Signs { ascii: ascii || (terminal && surroundings.wants_ascii()) },
    }
}

#[cfg(test)]
mod tests;
