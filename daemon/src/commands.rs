//! `wayhavend`'s command line: what has to work while no daemon runs.

mod answer;
mod check;
mod terminal;
mod token;

use crate::startup;
use clap::{CommandFactory, Parser, Subcommand};
use rustix::fs::Mode;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use wayhaven_shared::Fault;
use wayhaven_shared::paths::{Environment, Layout};
use wayhaven_shared::redaction::redact;
use wayhaven_shared::streams::print_error;

/// The Wayhaven daemon: the Discord bot, the sync engine and the control socket
#[derive(Parser)]
#[command(name = "wayhavend", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run in the foreground until SIGTERM, SIGINT or "wayhaven daemon stop"
    Run {
        #[command(flatten)]
        place: Place,
    },
    /// Look at all that a start needs, and change nothing
    ///
    /// The settings, the token, the directories and who may read them, the lock, the socket's place and the whole store:
    /// one line each. Exit code 1 where one of them would keep the daemon from starting. It needs no running daemon, and
    /// does not disturb one.
    Check {
        #[command(flatten)]
        place: Place,
        /// Ask Discord about the token, too
        #[arg(long)]
        discord: bool,
        /// Write JSON for programs
        #[arg(long)]
        json: bool,
    },
    /// The bot's token, sealed at rest
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Read the bot's token from standard input and seal it
    ///
    /// At a terminal it is asked for, and does not show. It is never an argument, since other users see those. A token
    /// in the environment, in .env, in wayhaven.toml or in a credential of systemd's is stronger than the sealed one.
    Set {
        #[command(flatten)]
        place: Place,
    },
    /// Ask Discord whose the token is, and what its application may
    Check {
        #[command(flatten)]
        place: Place,
        /// Write JSON for programs
        #[arg(long)]
        json: bool,
    },
    /// Seal the token with a new key
    ///
    /// It may be interrupted anywhere: the token opens, and the next start finishes what is left.
    RotateKey,
}

#[derive(clap::Args)]
struct Place {
    /// The settings file, instead of the one that "wayhaven paths" names
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The command line as clap knows it, for the man pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// `wayhavend`: reads the arguments and does what they say. 0 after an orderly end, 1 where it failed, 2 for wrong
/// arguments.
pub fn main() -> ExitCode {
    // Whatever is made from here on, the store and the log among it, is nobody else's.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misread(&error),
    };
    match obey(arguments.command) {
        Ok(code) => code,
        Err(fault) => answer::fault(&fault, false),
    }
}

fn obey(command: Command) -> Result<ExitCode, Fault> {
    let layout = Layout::new(&Environment::of_process())?;
    match command {
        Command::Run { place } => startup::run(layout, place.config.as_deref()).map(|()| ExitCode::SUCCESS),
        Command::Check { place, discord, json } => {
            Ok(check::run(&layout, place.config.as_deref(), discord, json))
        }
        Command::Token(TokenCommand::Set { place }) => token::set(&layout, place.config.as_deref()),
        Command::Token(TokenCommand::Check { place, json }) => {
            Ok(token::check(&layout, place.config.as_deref(), json))
        }
        Command::Token(TokenCommand::RotateKey) => token::rotate_key(&layout),
    }
}

/// Help and version go to standard output and are a success. Anything else repeats what was typed, which may be a token.
fn misread(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    if !error.use_stderr() {
        return answer::print(&[text.trim_end().to_owned()], ExitCode::SUCCESS);
    }
    print_error(&redact(&text));
    let typed: Vec<OsString> = std::env::args_os().collect();
    if typed.iter().any(|word| word.to_str().is_some_and(|word| redact(word) != word)) {
        print_error(
            "hint: a token is no argument, since other users see those: wayhavend token set asks for it, or reads it \
             from standard input. Reset this one on Discord's page, it is known now\n",
        );
    }
    ExitCode::from(2)
}
