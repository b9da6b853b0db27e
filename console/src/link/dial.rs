//! `wayhaven dial-stdio`: what comes on standard input goes to the daemon's socket, and back. It is what ssh runs on
//! the other machine.

use shared::Fault;
use shared::client::unreachable_here;
use shared::paths::Layout;
use std::io;
use tokio::io::{AsyncWriteExt, copy, stdin, stdout};
use tokio::net::UnixStream;
use wayhaven_shared as shared;

/// The command's name.
pub(crate) const NAME: &str = "dial-stdio";

/// Carries until the daemon has closed the connection, or nobody takes what it says.
///
/// # Errors
/// The socket cannot be opened, or the connection broke.
pub(crate) fn run(layout: &Layout) -> Result<(), Fault> {
    let broken = |error: io::Error| Fault::unavailable(format!("the connection broke: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let carried = runtime.block_on(async {
        let stream = UnixStream::connect(&layout.socket).await;
        let stream = stream.map_err(|error| unreachable_here(layout, &error))?;
        carry(stream).await.map_err(broken)
    });
    // A read on standard input may still wait in another thread; nobody waits for it.
    runtime.shutdown_background();
    carried
}

async fn carry(stream: UnixStream) -> io::Result<()> {
    let (mut from, mut to) = stream.into_split();
    // What was asked before standard input ended is still answered: the daemon closes once it has.
    let asking = async {
        copy(&mut stdin(), &mut to).await?;
        to.shutdown().await
    };
    let answering = async {
        let mut out = stdout();
        copy(&mut from, &mut out).await?;
        out.flush().await
    };
    tokio::pin!(asking, answering);
    tokio::select! {
        answered = &mut answering => answered,
        // Where that failed the daemon has closed: what it still said comes first.
        _ = &mut asking => answering.await,
    }
}
