//! The control socket: a Unix socket that only this machine's users reach, and of them only those with a role.

mod accounts;
mod guild;
mod limits;
mod peer;
mod refusals;
mod roles;
mod socket_file;
mod wire;

use crate::invocation::Surface;
use crate::settings::Group;
use crate::systems::Systems;
use crate::uploads::Holder;
use accounts::{Accounts, Place};
use futures::StreamExt;
use limits::{LAST_ANSWERS, LAST_WRITES, LOOKUPS, Limits};
use peer::Peer;
use refusals::Refusals;
use roles::Standing;
use socket_file::SocketFile;
pub use socket_file::bind;
pub(crate) use socket_file::{Listening, who_listens};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tarpc::server::{BaseChannel, Channel, Config};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use wayhaven_shared::Fault;
use wayhaven_shared::control::Control;
use wire::Flow;

/// Gives the socket and its directory to a group, whose members can then open it.
///
/// # Errors
/// The daemon may not.
pub fn give(path: &Path, group: &Group) -> Result<(), Fault> {
    for place in path.parent().into_iter().chain([path]) {
        std::os::unix::fs::chown(place, None, Some(group.id)).map_err(|error| {
            Fault::unavailable(format!(
                "control.group is {}, and {} cannot be given to it: {error}",
                group.name,
                place.display()
            ))
            .hint("make the daemon's user a member of that group, and start it anew: usermod -aG GROUP USER")
            .hint("the daemon's user must own the socket's directory")
        })?;
    }
    Ok(())
}

/// Takes connections until the daemon stops.
pub async fn serve(systems: Arc<Systems>, listener: UnixListener) {
    serve_within(systems, listener, Limits::default()).await;
}

/// Takes connections within these limits.
async fn serve_within(systems: Arc<Systems>, mut listener: UnixListener, limits: Limits) {
    let check_every = limits.socket_check;
    let door = Arc::new(Door {
        accounts: Accounts::new(&limits),
        refusals: Refusals::new(systems.services.store().clone(), limits.refusals),
        lookups: Arc::new(Semaphore::new(LOOKUPS)),
        limits,
    });
    let mut closing = systems.services.lifecycle().closing();
    let mut file = SocketFile::of(&listener);
    let mut interval = tokio::time::interval(check_every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = systems.services.lifecycle().hang_ups();
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
            // Its sender is the daemon, which is there.
            Ok(()) = asked.changed() => {
                listener = checked(&systems, &mut file, listener).await;
                continue;
            }
            _ = interval.tick() => {
                listener = checked(&systems, &mut file, listener).await;
                continue;
            }
        };
        let (uid, gid) = match stream.peer_cred() {
            Ok(credentials) => (credentials.uid(), credentials.gid()),
            Err(error) => {
                tracing::warn!("a peer without credentials was dropped: {error}");
                continue;
            }
        };
        let owner = roles::is_owner(uid, &door.limits);
        let Some(place) = door.accounts.place(uid, owner) else {
            door.refusals.dropped(uid);
            continue;
        };
        tokio::spawn(connection(Arc::clone(&door), Arc::clone(&systems), stream, gid, place));
    }
    let all = door.accounts.gone();
    let _ = tokio::time::timeout(LAST_ANSWERS + LAST_WRITES * 2, all).await;
    door.refusals.close().await;
    if let Some(file) = file {
        file.remove();
    }
}

/// Looks at the socket's file; the listener that is right afterwards.
async fn checked(systems: &Systems, file: &mut Option<SocketFile>, listener: UnixListener) -> UnixListener {
    let Some(file) = file else { return listener };
    let settings = systems.services.settings();
    file.check(settings.control.group.as_ref()).await.unwrap_or(listener)
}

/// What all connections share.
struct Door {
    accounts: Accounts,
    refusals: Refusals,
    lookups: Arc<Semaphore>,
    limits: Limits,
}

async fn connection(door: Arc<Door>, systems: Arc<Systems>, stream: UnixStream, gid: u32, place: Place) {
    let uid = place.account.uid;
    let mut closing = systems.services.lifecycle().closing();
    // Where the machine's directory does not answer, whoever waits for it has no place for ever.
    let standing = tokio::select! {
        standing = Standing::of(uid, gid, &systems, &door) => standing,
        () = tokio::time::sleep(door.limits.hello) => {
            tracing::warn!("the groups of user {uid} were not told in time: their connection was dropped");
            return;
        }
        () = closing.raised() => return,
    };
    // Whoever has no role learns that, and takes no place from those who have one.
    let _stranger = match standing.latest() {
        Some(_) => None,
        None => match door.accounts.stranger() {
            Some(permit) => Some(permit),
            None => return door.refusals.dropped(uid),
        },
    };
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let holder = Holder::Connection { uid, number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
    let _files = Files { systems: Arc::clone(&systems), holder };
    let flow = Arc::new(Flow::new(&place.account, door.accounts.large()));
    let transport = wire::transport(stream, Arc::clone(&flow), &door.limits);
    let peer = Peer::new(
        systems,
        Arc::clone(&door),
        Arc::clone(&place.account),
        standing,
        holder,
        Arc::clone(&flow),
    );
    let surface = peer.surface();
    // An answer that nobody takes is held once, by its handler, which counts as running meanwhile.
    let config = Config { pending_response_buffer: 1 };
    let requests = BaseChannel::new(config, transport).execute(peer.serve()).for_each(|handler| {
        let running = flow.begin();
        drop(tokio::spawn(async move {
            handler.await;
            drop(running);
        }));
        std::future::ready(())
    });
    tokio::pin!(requests);
    // Whoever says nothing holds a place that somebody else may need.
    let silent = async {
        tokio::time::sleep(door.limits.hello).await;
        if surface.get().is_some() {
            std::future::pending::<()>().await;
        }
    };
    let stops = async {
        closing.raised().await;
        // Whoever asked gets an answer, the one who asked for the end among them: first it is made, then written.
        let _ = tokio::time::timeout(LAST_ANSWERS, flow.quiet()).await;
        tokio::time::sleep(LAST_WRITES).await;
    };
    tokio::select! {
        () = &mut requests => {}
        () = silent => {}
        () = stops => {}
    }
    if let Some(why) = flow.broken() {
        // Whatever it was to be, it was asked for.
        let fault = Fault::usage(format!("a frame was refused: {why}"));
        let surface = surface.get().copied().unwrap_or(Surface::Cli);
        door.refusals.refused(uid, "unknown", surface, None, &fault).await;
    }
}

/// The files that a connection has sent: they go with it.
struct Files {
    systems: Arc<Systems>,
    holder: Holder,
}

impl Drop for Files {
    fn drop(&mut self) {
        self.systems.uploads.forget_all(self.holder);
    }
}

#[cfg(test)]
mod tests;
