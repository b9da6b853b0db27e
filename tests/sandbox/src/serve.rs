//! `wayhaven-sandbox serve`: the sandbox as a process. It prints one JSON line with its addresses and ids on
//! stdout, and serves until SIGTERM or SIGINT; violations of Discord's description go to stderr.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Options, Sandbox};

/// A strict Discord on loopback.
#[derive(Debug, Parser)]
#[command(name = "wayhaven-sandbox")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve(Serve),
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Child guilds beside the main one.
    #[arg(long, default_value_t = 3)]
    pub children: usize,
    /// Ordinary users.
    #[arg(long, default_value_t = 10)]
    pub members: usize,
    /// REST port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Requests a second for the whole bot; 0 lifts every limit.
    #[arg(long, default_value_t = 50)]
    pub global_limit: u32,
    /// Milliseconds that every answer is held back.
    #[arg(long, default_value_t = 0)]
    pub latency: u64,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let Command::Serve(serve) = Arguments::parse().command;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(self::serve(serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    crate::complain::complain(why.to_owned());
    crate::complain::flush();
    ExitCode::FAILURE
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A port is taken, Discord's description cannot be read, or stdout is closed.
pub async fn serve(arguments: Serve) -> std::io::Result<()> {
    let options = Options {
        children: arguments.children,
        members: arguments.members,
        port: arguments.port,
        global_limit: arguments.global_limit,
        latency: Duration::from_millis(arguments.latency),
        ..Options::default()
    };
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let sandbox = Sandbox::start(options).await?;
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", introduction(&sandbox))?;
        out.flush()?;
    }
    let mut changes = sandbox.changes();
    loop {
        tell(&sandbox);
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            changed = changes.changed() => if changed.is_err() { break },
        }
    }
    tell(&sandbox);
    crate::complain::flush();
    Ok(())
}

fn tell(sandbox: &Sandbox) {
    for violation in sandbox.violations() {
        crate::complain::complain(format!("violation: {violation}"));
    }
}

/// The line that tells a client where and who everything is.
#[must_use]
pub fn introduction(sandbox: &Sandbox) -> Value {
    let texts = |ids: Vec<u64>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let main = sandbox.main_guild();
    json!({
        "api": sandbox.api_base(),
        "gateway": sandbox.gateway_url(),
        "control": sandbox.control_base(),
        "token": sandbox.token(),
        "application_id": sandbox.application_id().to_string(),
        "owner_id": sandbox.owner().to_string(),
        "moderator_id": sandbox.moderator().to_string(),
        "admin_id": sandbox.admin().to_string(),
        "main_guild_id": main.to_string(),
        "child_guild_ids": texts(sandbox.children()),
        "member_ids": texts(sandbox.members(main)),
    })
}
