//! The bytes of a gateway connection, which a fault may let drip.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::discord::Discord;
use crate::fault::Trouble;

/// A TCP connection that writes as slowly as the faults say.
pub(crate) struct Stream {
    tcp: TcpStream,
    discord: Arc<Discord>,
    /// The shard and number of shards of its session, once it has one.
    pub(super) shard: Option<(u64, u64)>,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, discord: Arc<Discord>) -> Self {
        Self { tcp, discord, shard: None, pause: None }
    }

    /// What is dropped after this is reset, not closed.
    pub(super) fn reset_on_drop(&self) {
        // A socket that cannot be told so is closed instead, which the peer sees as well.
        let _ = self.tcp.set_zero_linger();
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let shard = self.shard;
        let drip = move |trouble: &Trouble| match trouble {
            Trouble::Drip { bytes, every } => Some((*bytes, *every)),
            _ => None,
        };
        let Some((most, every)) = self.discord.read(|world| world.faults.trouble(shard, drip)) else {
            return Pin::new(&mut self.tcp).poll_write(cx, bytes);
        };
        // Before the peer can see the bytes: who sees them and moves the clock ends the pause.
        let due = self.discord.clock.now() + every;
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, &bytes[..bytes.len().min(most.max(1))]))?;
        let discord = Arc::clone(&self.discord);
        self.pause = Some(Box::pin(async move {
            tokio::select! {
                () = discord.clock.reach(due) => {}
                () = discord.while_true(|world| world.faults.trouble(shard, drip).is_some()) => {}
            }
        }));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
