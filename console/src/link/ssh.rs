//! The system's ssh, which knows keys, agents, jump hosts and the user's configuration. What it asks for, it asks on
//! the terminal; what it says comes back in the fault.

use super::Host;
use shared::client::Client;
use shared::control::ClientSurface;
use shared::value::Untrusted;
use shared::{Fault, FaultKind};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use wayhaven_shared as shared;

/// How long the way may take: somebody may have to type a passphrase, or touch a key.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long ssh may take to end once the connection is gone.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How much is kept of what it says.
const KEPT: usize = 4 * 1024;

/// Connects to the daemon on another machine.
pub(super) async fn connect(host: &Host, surface: ClientSurface) -> Result<Client, Fault> {
    let mut command = Command::new("ssh");
    command.args(host.arguments()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut ssh = command.spawn().map_err(|error| not_started(&error))?;
    let (Some(input), Some(output), Some(said)) = (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take())
    else {
        return Err(Fault::internal("ssh was started without its streams"));
    };
    // It is read to its end, so that ssh never waits for us; it ends with ssh, and ssh with the connection.
    let said = tokio::spawn(first_of(said));
    let mut shaking = Box::pin(Client::over(tokio::io::join(output, input), surface, PATIENCE));
    let fault = tokio::select! {
        shaken = &mut shaking => match shaken {
            Ok(client) => {
                tokio::spawn(async move { ssh.wait().await });
                return Ok(client);
            }
            Err(fault) => fault,
        },
        // Where ssh ends first, the connection is gone too.
        _ = ssh.wait() => match shaking.await {
            Ok(_) => Fault::new(FaultKind::Unreachable, "ssh has ended"),
            Err(fault) => fault,
        },
    };
    if fault.kind != FaultKind::Unreachable {
        return Err(fault);
    }
    let Ok(Ok(status)) = tokio::time::timeout(ENDS_WITHIN, ssh.wait()).await else { return Err(fault) };
    let said = tokio::time::timeout(ENDS_WITHIN, said).await;
    let said = said.ok().and_then(Result::ok).unwrap_or_default();
    Err(ended(host, status, &said))
}

fn not_started(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new(FaultKind::Unreachable, "there is no ssh on this machine")
            .hint("install the OpenSSH client, or put it on the PATH"),
        _ => Fault::new(FaultKind::Unreachable, format!("ssh cannot be started: {error}")),
    }
}

/// Why there is no connection, by how ssh ended: 255 is its own trouble, everything else the other machine's.
fn ended(host: &Host, status: ExitStatus, said: &[u8]) -> Fault {
    let unreachable = |message: String| Fault::new(FaultKind::Unreachable, message);
    let fault = match status.code() {
        Some(255) => unreachable(format!("ssh does not reach {host}"))
            .hint(format!("try it by itself: ssh ssh://{host}"))
            .hint("keys, users and ports can stand in ~/.ssh/config"),
        Some(126 | 127) => unreachable(format!("{host} has no wayhaven that can be run"))
            .hint("install it there, on the PATH of a shell that nobody logs in to"),
        Some(4) => Fault::denied(format!("your user on {host} may not open the daemon's socket"))
            .hint("name another user: ssh://USER@HOST"),
        _ => unreachable(format!("no daemon answers on {host}"))
            .hint(format!("on {host}: wayhaven paths tells where it is looked for, wayhavend run starts it")),
    };
    let said = String::from_utf8_lossy(said);
    let said = Untrusted::clipped(said.trim()).line_within(400);
    match said.is_empty() {
        true => fault,
        false => Fault { message: format!("{}: {said}", fault.message), ..fault },
    }
}

/// The first of what a stream brings; the rest is read too.
async fn first_of(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let (mut first, mut part) = (Vec::new(), [0; 1024]);
    while let Ok(read @ 1..) = stream.read(&mut part).await {
        first.extend_from_slice(part.get(..read.min(KEPT.saturating_sub(first.len()))).unwrap_or_default());
    }
    first
}
