//! A temporary WAYHAVEN_HOME with what its daemon is told, and the programs that use it.

use crate::lifeline;
use crate::process::{DaemonProcess, Finished};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::paths::{Environment, Layout};

/// A place for one daemon, with its environment. Nothing else of this process's environment reaches it, but
/// where programs are found.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
    program: PathBuf,
    environment: BTreeMap<String, String>,
    tied: bool,
}

impl Home {
    /// A new place whose daemon speaks to `sandbox`. `program` is the binary that plays all parts.
    ///
    /// # Errors
    /// Where no directory can be made.
    pub fn new(program: &Path, sandbox: &Sandbox) -> io::Result<Self> {
        // Right below /tmp: a Unix socket's path is short.
        Self::within(&std::env::temp_dir(), program, sandbox)
    }

    /// The same in memory where there is a place for it: a commit does not wait for a disk there, and nothing survives
    /// the machine.
    ///
    /// # Errors
    /// Where no directory can be made.
    pub fn in_memory(program: &Path, sandbox: &Sandbox) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Self::within(&directory, program, sandbox)
    }

    fn within(directory: &Path, program: &Path, sandbox: &Sandbox) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("wayhaven-").tempdir_in(directory)?;
        let environment = [
            ("WAYHAVEN_HOME", directory.path().display().to_string()),
            ("BOT_TOKEN", sandbox.token().to_owned()),
            ("BOT_OWNER_ID", sandbox.owner().to_string()),
            ("MAIN_GUILD_ID", sandbox.main_guild().to_string()),
            ("DISCORD_API_BASE", sandbox.api_base().to_owned()),
            // What is tried with it is not how much is propagated before somebody approves it.
            ("WAYHAVEN_NETWORK_MODERATOR_BUDGET", "10000/1s".to_owned()),
            ("WAYHAVEN_NETWORK_NETWORK_BUDGET", "10000/1s".to_owned()),
            ("TERM", std::env::var("TERM").unwrap_or_else(|_| "xterm-256color".into())),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(Self { directory, program: program.to_owned(), environment, tied: false })
    }

    /// The same with one variable set, or taken away.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a variable for what is started from now on, or takes it away.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.environment.insert(name.to_owned(), value.to_owned()),
            None => self.environment.remove(name),
        };
    }

    /// What is started from now on ends with this process, however that ends.
    #[must_use]
    pub fn tied(mut self) -> Self {
        self.tied = true;
        self
    }

    /// The directory stays when this is dropped, for whoever wants to know what happened in it.
    pub fn keep(&mut self) {
        self.directory.disable_cleanup(true);
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where everything lies in it, or in the `WAYHAVEN_HOME` that was set since.
    ///
    /// # Errors
    /// Where the path is too long for a socket.
    pub fn layout(&self) -> io::Result<Layout> {
        let home = self.environment.get("WAYHAVEN_HOME").map_or(self.path(), Path::new);
        let environment = Environment { home: Some(home.into()), runtime: None };
        Layout::new(&environment).map_err(io::Error::other)
    }

    /// A command that plays `part`, in this place's environment.
    pub fn command(&self, part: &str) -> Command {
        self.command_at(&self.program, part)
    }

    /// The same, with the program that lies there.
    pub fn command_at(&self, program: &Path, part: &str) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(program);
        command.arg0(part).env_clear().envs(&self.environment).stdin(Stdio::null());
        if self.tied {
            lifeline::tie(&mut command);
        }
        command
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn start(&self) -> io::Result<DaemonProcess> {
        let mut command = self.command("wayhavend");
        command.arg("run");
        DaemonProcess::spawn(command, self.layout()?, None)
    }

    /// Starts the daemon, and has all it writes on its standard streams in that file.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn start_into(&self, output: File) -> io::Result<DaemonProcess> {
        let mut command = self.command("wayhavend");
        command.arg("run");
        DaemonProcess::spawn(command, self.layout()?, Some(output))
    }

    /// Starts a command that is, or becomes, this place's daemon, with whatever streams it has.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn start_as(&self, command: Command) -> io::Result<DaemonProcess> {
        DaemonProcess::of(command, self.layout()?)
    }

    /// Runs `wayhavend` with these arguments and that standard input to its end.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn wayhavend(&self, arguments: &[&str], input: &str) -> io::Result<Finished> {
        let mut child = self
            .command("wayhavend")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // Whoever wants no input may have ended before it comes.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ok(Finished::from(child.wait_with_output()?))
    }

    /// Runs `wayhaven` with these arguments to its end.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn wayhaven(&self, arguments: &[&str]) -> io::Result<Finished> {
        let mut command = self.command("wayhaven");
        Finished::of(command.args(arguments))
    }
}
