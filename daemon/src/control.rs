//! The control socket: a Unix socket that only this machine's users reach, and of them only those with a role.

use crate::daemon::Daemon;
use crate::invocation::{Actor, Invocation, Surface, Upload};
use crate::lists::staging::Holder;
use crate::pipeline::{self, Unread};
use futures::StreamExt;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Json;
use tarpc::tokio_util::codec::Framed;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use wayhaven_shared::control::{
    Control, Envelope, Hello, LONGEST_WATCH, Outcome, PROTOCOL, Role, WATCH_PAGE, Welcome, codec,
};
use wayhaven_shared::event::{Cursor, Watched};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::{OPERATIONS, Request};
use wayhaven_shared::value::{Chunk, GuildId, Untrusted, UploadId};
use wayhaven_shared::{Fault, grammar};

/// Connections at once: each costs a few kilobytes, and nobody needs more.
const CONNECTIONS: usize = 256;

/// How long a connection may stay without its hello.
const HELLO_COMES_WITHIN: Duration = Duration::from_secs(10);

/// How long what was asked before the end may still take, and its answer to be written.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const LAST_WRITES: Duration = Duration::from_millis(50);

/// Opens the socket. The state lock is held, so that whatever lies at the path is left over.
///
/// # Errors
/// Where the directory or the socket cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
        // Once more, whatever the umask took away: the socket's group has to get there.
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o750))?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Takes connections until the daemon stops.
pub async fn serve(daemon: Arc<Daemon>, listener: UnixListener) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut closing = daemon.closing();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of files, most likely: the ones in use come back.
                    tracing::warn!("a connection was not taken: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = closing.raised() => break,
        };
        let Ok(turn) = Arc::clone(&free).try_acquire_owned() else {
            tracing::warn!("more than {CONNECTIONS} connections: one was dropped");
            continue;
        };
        let daemon = Arc::clone(&daemon);
        tokio::spawn(async move {
            connection(daemon, stream).await;
            drop(turn);
        });
    }
    let all = free.acquire_many(u32::try_from(CONNECTIONS).unwrap_or(u32::MAX));
    let _ = tokio::time::timeout(LAST_ANSWERS + LAST_WRITES * 2, all).await;
}

async fn connection(daemon: Arc<Daemon>, stream: UnixStream) {
    let uid = match stream.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(error) => return tracing::warn!("a peer without credentials was dropped: {error}"),
    };
    let mut closing = daemon.closing();
    let (running, _) = watch::channel(0_usize);
    let surface = Arc::new(OnceLock::new());
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let holder = Holder::Connection(NUMBERS.fetch_add(1, Ordering::Relaxed));
    let _files = Files { daemon: Arc::clone(&daemon), holder };
    let peer = Peer { daemon, holder, uid, role: role(uid), surface: Arc::clone(&surface) };
    let transport = tarpc::serde_transport::new(Framed::new(stream, codec()), Json::default());
    let requests = BaseChannel::with_defaults(transport).execute(peer.serve()).for_each(|handler| {
        let running = running.clone();
        running.send_modify(|count| *count += 1);
        drop(tokio::spawn(async move {
            handler.await;
            running.send_modify(|count| *count -= 1);
        }));
        std::future::ready(())
    });
    tokio::pin!(requests);
    // Whoever says nothing holds a place that somebody else may need.
    let silent = async {
        tokio::time::sleep(HELLO_COMES_WITHIN).await;
        if surface.get().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = &mut requests => return,
        () = silent => return,
        () = closing.raised() => {}
    }
    // Whoever asked gets an answer, the one who asked for the end among them: first it is made, then written.
    let quiet = async { drop(running.subscribe().wait_for(|count| *count == 0).await) };
    tokio::select! {
        () = &mut requests => return,
        _ = tokio::time::timeout(LAST_ANSWERS, quiet) => {}
    }
    let _ = tokio::time::timeout(LAST_WRITES, requests).await;
}

/// What a user of this machine may do: root and the daemon's own user own it.
fn role(uid: u32) -> Option<Role> {
    let own = rustix::process::geteuid().as_raw();
    (uid == 0 || uid == own).then_some(Role::Owner)
}

/// The files that a connection has sent: they go with it.
struct Files {
    daemon: Arc<Daemon>,
    holder: Holder,
}

impl Drop for Files {
    fn drop(&mut self) {
        self.daemon.uploads().forget_all(self.holder);
    }
}

#[derive(Clone)]
struct Peer {
    daemon: Arc<Daemon>,
    holder: Holder,
    uid: u32,
    role: Option<Role>,
    surface: Arc<OnceLock<Surface>>,
}

impl Peer {
    /// What the peer has become by its hello.
    fn admitted(&self) -> Result<(Role, Surface), Fault> {
        match (self.role, self.surface.get()) {
            (Some(role), Some(surface)) => Ok((role, *surface)),
            _ => Err(Fault::denied("hello comes first")),
        }
    }

    async fn audit_unread(
        &self,
        operation: &'static str,
        surface: Surface,
        guild: Option<GuildId>,
        fault: &Fault,
    ) {
        let actor = format!("unix user {}", self.uid);
        let unread = Unread { operation, surface, guild, actor, fault };
        pipeline::audit_unread(&self.daemon, unread).await;
    }
}

impl Control for Peer {
    async fn hello(self, _: Context, hello: Hello) -> Result<Welcome, Fault> {
        let surface = Surface::from(hello.surface);
        let Some(role) = self.role else {
            let fault =
                Fault::denied(format!("user {} of this machine may not control the daemon", self.uid))
                    .hint("root and the daemon's own user may");
            self.audit_unread("connect", surface, None, &fault).await;
            return Err(fault);
        };
        // One version of difference is fine; further apart nobody has tried.
        if hello.protocol.abs_diff(PROTOCOL) > 1 {
            return Err(Fault::conflict(format!(
                "this client speaks protocol {}, the daemon {PROTOCOL}",
                hello.protocol
            ))
            .hint("install wayhaven and wayhavend of the same version"));
        }
        let _ = self.surface.set(surface);
        Ok(Welcome {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            role,
            capabilities: OPERATIONS.iter().map(|definition| definition.name.to_owned()).collect(),
            start: self.daemon.start().to_owned(),
        })
    }

    async fn run(self, _: Context, envelope: Envelope) -> Result<Outcome, Fault> {
        let (role, surface) = self.admitted()?;
        let request = match read_request(envelope.request) {
            Ok(request) => request,
            Err((operation, fault)) => {
                self.audit_unread(operation, surface, envelope.guild, &fault).await;
                return Err(fault);
            }
        };
        let operation = request.name().to_owned();
        let invocation = Invocation {
            actor: Actor::Operator { uid: self.uid, role },
            surface,
            guild: envelope.guild,
            channel: None,
            dry_run: envelope.dry_run,
            confirm: envelope.confirm,
            because: None,
            upload: envelope.upload.map(Upload::Staged),
            request,
        };
        let reply = pipeline::run(self.daemon, invocation).await?;
        let (next_cursor, warnings) = (reply.next_cursor(), reply.warnings());
        let data = serde_json::to_value(reply).map_err(|error| Fault::internal(error.to_string()))?;
        Ok(Outcome { operation, data, next_cursor, warnings })
    }

    async fn watch(self, _: Context, cursor: Option<Cursor>, wait_ms: u64) -> Result<Watched, Fault> {
        self.admitted()?;
        let store = self.daemon.store();
        let mut sequence = store.sequence();
        let mut closing = self.daemon.closing();
        let here = |sequence| Cursor { epoch: store.epoch().to_owned(), sequence };
        let now = *sequence.borrow_and_update();
        let after = match cursor {
            None => return Ok(Watched { events: Vec::new(), cursor: here(now), gap: false }),
            // Another store, or a place that this one has not reached: what was seen means nothing here.
            Some(cursor) if cursor.epoch != store.epoch() || cursor.sequence > now => {
                return Ok(Watched { events: Vec::new(), cursor: here(now), gap: true });
            }
            Some(cursor) => cursor.sequence,
        };
        if now == after {
            let wait = Duration::from_millis(wait_ms.min(LONGEST_WATCH));
            tokio::select! {
                _ = sequence.wait_for(|sequence| *sequence > after) => {}
                () = tokio::time::sleep(wait) => {}
                () = closing.raised() => {}
            }
        }
        let (events, gap) = store.read(move |view| Ok(view.events_after(after, WATCH_PAGE)?)).await?;
        let last = events.last().map_or(after, |event| event.sequence);
        Ok(Watched { events, cursor: here(last), gap })
    }

    async fn upload(
        self,
        _: Context,
        id: Option<UploadId>,
        offset: u64,
        chunk: Chunk,
    ) -> Result<UploadId, Fault> {
        let (role, _) = self.admitted()?;
        if role == Role::Observer {
            return Err(Fault::denied("observers send no files"));
        }
        let (uploads, holder) = (self.daemon.uploads().clone(), self.holder);
        let keep = move || {
            let id = id.map_or_else(|| uploads.begin(holder), Ok)?;
            uploads.append(holder, id, offset, chunk.bytes()).map(|()| id)
        };
        tokio::task::spawn_blocking(keep).await.map_err(|_| Fault::internal("keeping the file failed"))?
    }

    async fn download(self, _: Context, id: UploadId, offset: u64) -> Result<Chunk, Fault> {
        let (role, _) = self.admitted()?;
        if role == Role::Observer {
            return Err(Fault::denied("observers bring no files").hint("a list is asked for by an operator"));
        }
        let uploads = self.daemon.uploads().clone();
        let part = tokio::task::spawn_blocking(move || uploads.part(id, offset));
        part.await.map_err(|_| Fault::internal("reading the file failed"))?
    }
}

/// The request in an envelope. What this version does not know is a fault for this call only, with the words of
/// the operation for the audit.
fn read_request(value: serde_json::Value) -> Result<Request, (&'static str, Fault)> {
    let name = value["operation"].as_str().unwrap_or_default().to_owned();
    let Some(definition) = grammar::find(&name) else {
        let shown = Untrusted::clipped(&name).line_within(40);
        let fault = Fault::not_found(format!("this daemon knows no operation \"{shown}\""))
            .hint("install wayhaven and wayhavend of the same version");
        return Err(("unknown", fault));
    };
    serde_json::from_value(value).map_err(|error| {
        (definition.name, Fault::usage(format!("the arguments of {name} are refused: {error}")))
    })
}

#[cfg(test)]
mod tests;
