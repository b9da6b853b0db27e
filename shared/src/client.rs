//! The client's end of the control protocol.

use crate::control::{
    ClientSurface, ControlClient, Envelope, Hello, LONGEST_WATCH, Outcome, PROTOCOL, Welcome, codec,
};
use crate::event::{Cursor, Watched};
use crate::names::Names;
use crate::operations::Request;
use crate::paths::{Layout, Obstacle};
use crate::value::{Chunk, UploadId};
use crate::{Fault, FaultKind, Operation};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tarpc::client::RpcError;
use tarpc::context::Context;
use tarpc::tokio_serde::formats::Json;
use tarpc::tokio_util::codec::Framed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// How long an answer is waited for. What takes longer is a job, and answers with its number at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the daemon that has shaken hands.
#[derive(Clone, Debug)]
pub struct Client {
    rpc: ControlClient,
    welcome: Welcome,
    names: Arc<Mutex<Names>>,
}

impl Client {
    /// Connects and shakes hands. Must run inside a tokio runtime, which then carries the connection.
    ///
    /// # Errors
    /// [`FaultKind::Unreachable`] where nobody answers, [`FaultKind::Denied`] where the daemon refuses the peer.
    pub async fn connect(socket: &Path, surface: ClientSurface) -> Result<Self, Fault> {
        let stream = UnixStream::connect(socket).await.map_err(|error| unreachable_fault(socket, &error))?;
        Self::over(stream, surface, Duration::from_secs(10)).await
    }

    /// Connects to the daemon of this machine. Like [`connect`](Self::connect), but where nobody answers it says whether a
    /// daemon runs there whose socket is gone.
    ///
    /// # Errors
    /// Like [`connect`](Self::connect).
    pub async fn connect_here(layout: &Layout, surface: ClientSurface) -> Result<Self, Fault> {
        let stream = UnixStream::connect(&layout.socket).await;
        let stream = stream.map_err(|error| unreachable_here(layout, &error))?;
        Self::over(stream, surface, Duration::from_secs(10)).await
    }

    /// Shakes hands over whatever leads to a daemon's socket, within that time.
    ///
    /// # Errors
    /// Like [`connect`](Self::connect).
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        surface: ClientSurface,
        within: Duration,
    ) -> Result<Self, Fault> {
        let transport = tarpc::serde_transport::new(Framed::new(stream, codec()), Json::default());
        let rpc = ControlClient::new(tarpc::client::Config::default(), transport).spawn();
        let hello = Hello { protocol: PROTOCOL, surface, version: env!("CARGO_PKG_VERSION").into() };
        let welcome = rpc.hello(patient(within), hello).await.map_err(rpc_fault)??;
        Ok(Self { rpc, welcome, names: Arc::default() })
    }

    /// What the daemon said of itself and of us.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The names that came with replies and events since this was asked last.
    pub fn take_names(&self) -> Names {
        std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, names: &Names) {
        if !names.is_empty() {
            self.names.lock().unwrap_or_else(PoisonError::into_inner).add(names.clone());
        }
    }

    /// Runs one operation and reads its reply.
    ///
    /// # Errors
    /// The daemon's fault, or what became of the connection.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Reply, Fault> {
        let outcome = self.run(Envelope::new(&operation.into())).await?;
        let reply =
            Request::read_reply(O::NAME, outcome.data).map_err(|error| shape_fault(O::NAME, &error))?;
        O::reply(reply).ok_or_else(|| Fault::internal("a reply of another operation"))
    }

    /// Sends an envelope; the outcome's data is as the daemon wrote it.
    ///
    /// # Errors
    /// The daemon's fault, or what became of the connection.
    pub async fn run(&self, envelope: Envelope) -> Result<Outcome, Fault> {
        let outcome = self.rpc.run(patient(PATIENCE), envelope).await.map_err(rpc_fault)??;
        self.learn(&outcome.names);
        Ok(outcome)
    }

    /// Waits up to `wait` for events after `cursor`.
    ///
    /// # Errors
    /// The daemon's fault, or what became of the connection.
    pub async fn watch(&self, cursor: Option<Cursor>, wait: Duration) -> Result<Watched, Fault> {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(LONGEST_WATCH);
        let patience = PATIENCE + Duration::from_millis(wait);
        let watched = self.rpc.watch(patient(patience), cursor, wait).await.map_err(rpc_fault)??;
        self.learn(&watched.names);
        Ok(watched)
    }

    /// Sends a file for a request to come, a part at a time; nothing where it is empty.
    ///
    /// # Errors
    /// Where it cannot be read, or the daemon does not take it.
    pub async fn upload(&self, file: impl Read + Send + 'static) -> Result<Option<UploadId>, Fault> {
        let (mut file, mut id, mut offset) = (Box::new(file), None, 0);
        loop {
            // Standard input may wait for a person, and the connection does not wait with it.
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                let read = file.by_ref().take(Chunk::LARGEST as u64).read_to_end(&mut bytes);
                (file, read.map(|_| bytes))
            });
            let (back, read) = read.await.map_err(|_| Fault::internal("reading the file was given up"))?;
            let bytes =
                read.map_err(|error| Fault::unavailable(format!("the file could not be read: {error}")))?;
            if bytes.is_empty() {
                return Ok(id);
            }
            file = back;
            let read = bytes.len() as u64;
            let chunk = Chunk::new(bytes).map_err(|error| Fault::internal(error.to_string()))?;
            let sent = self.rpc.upload(patient(PATIENCE), id, offset, chunk).await;
            id = Some(sent.map_err(rpc_fault)??);
            offset += read;
        }
    }

    /// Brings a file that a reply has named, a part at a time; how many bytes it had.
    ///
    /// # Errors
    /// Where the daemon has it no more, or it cannot be written.
    pub async fn download<W: Write + ?Sized>(&self, id: UploadId, into: &mut W) -> Result<u64, Fault> {
        let mut offset = 0;
        loop {
            let chunk = self.rpc.download(patient(PATIENCE), id, offset).await.map_err(rpc_fault)??;
            if chunk.bytes().is_empty() {
                return Ok(offset);
            }
            into.write_all(chunk.bytes())
                .map_err(|error| Fault::unavailable(format!("the file could not be written: {error}")))?;
            offset += chunk.bytes().len() as u64;
        }
    }
}

fn patient(patience: Duration) -> Context {
    let mut context = tarpc::context::current();
    context.deadline = Instant::now() + patience;
    context
}

/// Why the daemon's socket cannot be opened, and what to do about it.
pub fn unreachable_fault(socket: &Path, error: &io::Error) -> Fault {
    let path = socket.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => Fault::denied(format!("you may not open the socket {path}"))
            .hint("root and the daemon's own user may: sudo -u USER wayhaven …")
            .hint("an owner lets you in with control.group, a group of yours, and control.operators or control.observers, which name you"),
        _ => Fault::new(FaultKind::Unreachable, format!("no daemon answers at {path}"))
            .hint("start it with: wayhavend run")
            .hint("WAYHAVEN_HOME must name the same directory for both")
            .hint(
                "if wayhavend run says that another daemon, pid PID, runs there, its socket was removed; create the \
                 socket again: kill -HUP PID",
            ),
    }
}

/// The same, with what the state directory tells of the daemon: whether one runs there whose socket is gone.
pub fn unreachable_here(layout: &Layout, error: &io::Error) -> Fault {
    let fault = unreachable_fault(&layout.socket, error);
    let pid = layout.daemon_pid().filter(|_| fault.kind == FaultKind::Unreachable);
    let Some(pid) = pid else { return fault };
    let runs = format!("{}, although a daemon, pid {pid}, runs on {}", fault.message, layout.state.display());
    if let Some(obstacle) = layout.socket.parent().and_then(Obstacle::at) {
        return Fault::new(FaultKind::Unreachable, format!("{runs}: {obstacle}")).hint(format!(
            "move it away, and the daemon creates its socket again: {} && kill -HUP {pid}",
            obstacle.fix()
        ));
    }
    let message = format!("{runs}: its socket was removed, or it is starting or stopping");
    Fault::new(FaultKind::Unreachable, message).hint(format!(
        "the daemon creates its socket again within a minute; have it do that now: kill -HUP {pid}"
    ))
}

fn rpc_fault(error: RpcError) -> Fault {
    match error {
        RpcError::DeadlineExceeded => {
            Fault::unavailable("the daemon did not answer in time").hint("wayhaven status tells how it is")
        }
        RpcError::Server(error) => {
            Fault::unavailable(format!("the daemon refused the call: {}", error.detail))
        }
        _ => Fault::new(FaultKind::Unreachable, "the daemon closed the connection")
            .hint("it may be stopping or restarting; wayhaven status tells")
            .hint("it takes a limited number of connections, of each user and of all together"),
    }
}

/// A reply whose shape is another version's.
pub fn shape_fault(operation: &str, error: &serde_json::Error) -> Fault {
    Fault::unavailable(format!("the daemon's reply to {operation} is not understood: {error}"))
        .hint("daemon and client are of different versions; --json shows the reply as it is")
}
