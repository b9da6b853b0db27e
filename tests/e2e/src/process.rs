//! A daemon as a process, and what a program that has ended left behind.

use serde_json::Value;
use std::fs::File;
use std::io;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use wayhaven_shared::client::Client;
use wayhaven_shared::control::{ClientSurface, Envelope};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::punishment::{PunishmentDetail, PunishmentShow};
use wayhaven_shared::operations::setup::{LinkChanged, Mode, SetupAddChild};
use wayhaven_shared::operations::status::{ConnectionState, Status};
use wayhaven_shared::paths::Layout;
use wayhaven_shared::value::{GuildId, PunishmentId};
use wayhaven_shared::{Fault, Operation, grammar};

/// Longer than anything here takes on a busy machine; only a test that fails waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon. It is killed when it is dropped.
#[derive(Debug)]
pub struct DaemonProcess {
    child: Child,
    layout: Layout,
}

impl DaemonProcess {
    pub(crate) fn spawn(mut command: Command, layout: Layout, output: Option<File>) -> io::Result<Self> {
        match output {
            Some(file) => command.stdout(file.try_clone()?).stderr(file),
            None => command.stdout(Stdio::null()).stderr(Stdio::null()),
        };
        Self::of(command, layout)
    }

    pub(crate) fn of(mut command: Command, layout: Layout) -> io::Result<Self> {
        let child = command.spawn()?;
        Ok(Self { child, layout })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Connects to its socket, as soon as it is there.
    ///
    /// # Errors
    /// Where it has ended, or nobody answers in time.
    pub async fn client(&mut self) -> Result<Client, Fault> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Client::connect(&self.layout.socket, ClientSurface::Cli).await {
                Ok(client) => return Ok(client),
                Err(fault) if Instant::now() > deadline => return Err(fault),
                Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Fault::unavailable(format!("the daemon has ended: {status}")));
            }
            // Another process's socket makes no event that could be waited for.
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Connects and waits until Discord is ready.
    ///
    /// # Errors
    /// Where that does not happen.
    pub async fn ready(&mut self) -> Result<Client, Fault> {
        let client = self.client().await?;
        self.until(&client, ConnectionState::Ready).await?;
        Ok(client)
    }

    /// Waits until the connection to Discord is in this state; returns the reason it tells.
    ///
    /// # Errors
    /// Where that does not happen.
    pub async fn until(&self, client: &Client, state: ConnectionState) -> Result<Option<String>, Fault> {
        watching(client, async |client| {
            let connection = client.call(Status {}).await?.discord;
            Ok((connection.state == state).then_some(connection.reason))
        })
        .await
    }

    /// SIGKILL: it can do nothing more, and is gone when this returns.
    ///
    /// # Errors
    /// Where the process is not there.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// SIGTERM, and waits for its end, on a thread that may block.
    ///
    /// # Errors
    /// Where the process is not there.
    pub async fn terminate(&mut self) -> io::Result<ExitStatus> {
        self.signal(rustix::process::Signal::TERM)?;
        tokio::task::block_in_place(|| self.wait())
    }

    /// Waits for its end; blocks.
    ///
    /// # Errors
    /// Where the process is not there.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where the process is not there.
    pub fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        Ok(rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)?)
    }
}

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again after every event until `look` has found something.
///
/// # Errors
/// `look`'s fault, or that it took too long.
pub async fn watching<T>(
    client: &Client,
    look: impl AsyncFn(&Client) -> Result<Option<T>, Fault>,
) -> Result<T, Fault> {
    let search = async {
        let mut cursor = client.watch(None, Duration::ZERO).await?.cursor;
        loop {
            if let Some(found) = look(client).await? {
                return Ok(found);
            }
            cursor = client.watch(Some(cursor), Duration::from_secs(5)).await?.cursor;
        }
    };
    timeout(PATIENCE, search).await.unwrap_or_else(|_| Err(Fault::unavailable("waited in vain")))
}

/// Waits until nothing of a punishment moves any more.
///
/// # Errors
/// Where that does not happen.
pub async fn settled(client: &Client, id: PunishmentId) -> Result<PunishmentDetail, Fault> {
    let follow = async {
        // The place in the stream first: what changes while the punishment is read is told afterwards.
        let mut cursor = client.watch(None, Duration::ZERO).await?.cursor;
        let mut detail = client.call(PunishmentShow { id }).await?;
        if !detail.is_moving() {
            return Ok(detail);
        }
        while detail.is_moving() {
            let watched = client.watch(Some(cursor), Duration::from_secs(5)).await?;
            cursor = watched.cursor;
            watched.events.into_iter().for_each(|event| apply(&mut detail, event.change));
        }
        // Once more from the store: what the events told is what is stored.
        client.call(PunishmentShow { id }).await
    };
    timeout(PATIENCE, follow).await.unwrap_or_else(|_| Err(Fault::unavailable("it never settled")))
}

fn apply(detail: &mut PunishmentDetail, change: Change) {
    match change {
        Change::Delivery { delivery } => {
            if let Some(known) = detail.deliveries.iter_mut().find(|known| known.id == delivery.id) {
                *known = delivery;
            }
        }
        Change::Origin { delivery } if delivery.punishment_id == detail.punishment.id => {
            detail.origin.state = delivery.state;
            detail.origin.reason = delivery.reason;
        }
        Change::Told { punishment_id, told } if punishment_id == detail.punishment.id => {
            detail.told = Some(told);
        }
        _ => {}
    }
}

/// Waits for the next punishment that is stored after `cursor` was taken.
///
/// # Errors
/// Where none comes.
pub async fn next_punishment(
    client: &Client,
    mut cursor: wayhaven_shared::event::Cursor,
) -> Result<PunishmentId, Fault> {
    let search = async {
        loop {
            let watched = client.watch(Some(cursor), Duration::from_secs(5)).await?;
            for event in watched.events {
                if let Change::Punishment { punishment } = event.change {
                    return Ok(punishment.id);
                }
            }
            cursor = watched.cursor;
        }
    };
    timeout(PATIENCE, search).await.unwrap_or_else(|_| Err(Fault::unavailable("no punishment came")))
}

/// Asks for an operation in a guild, confirmed where that is wanted.
///
/// # Errors
/// The daemon's fault.
pub async fn ask<O: Operation>(client: &Client, guild: GuildId, operation: O) -> Result<O::Reply, Fault> {
    let request = operation.into();
    let confirm = Some(grammar::confirmation(&request));
    let outcome =
        client.run(Envelope { guild: Some(guild.into()), confirm, ..Envelope::new(&request) }).await?;
    let reply =
        Request::read_reply(O::NAME, outcome.data).map_err(|error| Fault::internal(error.to_string()))?;
    O::reply(reply).ok_or_else(|| Fault::internal("a reply of another operation"))
}

/// Links a child to a main.
///
/// # Errors
/// The daemon's fault.
pub async fn link(client: &Client, main: GuildId, child: GuildId, mode: Mode) -> Result<LinkChanged, Fault> {
    ask(client, main, SetupAddChild { child, mode: Some(mode), actions: None, no_backfill: false }).await
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote for other programs and people to read.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl Finished {
    pub(crate) fn of(command: &mut Command) -> io::Result<Self> {
        command.output().map(Self::from)
    }

    /// Its standard output as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_default()
    }
}
