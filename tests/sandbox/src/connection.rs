//! Accepting HTTP connections that can be cut, held or reset at a place of the answer: outcomes the client then
//! cannot know.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The blank line that ends the head of an answer.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Accepts connections that can be cut.
pub(crate) struct Door(pub(crate) TcpListener);

/// A connection; once cut, nothing more is written and the peer sees it closed.
pub(crate) struct Connection {
    stream: TcpStream,
    line: Line,
}

/// How far an answer gets before it is held or reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpTo {
    /// The head without the end of its last line: for answers that have no body.
    AlmostHead,
    /// The head and that much of the body.
    Body(usize),
}

/// The handle by which a request's handler disturbs its own connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    order: Order,
    waker: Option<Waker>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Order {
    #[default]
    Flow,
    Cut,
    /// The answer gets that far; then the connection waits for [`Line::release`], or is reset.
    Stop {
        up_to: UpTo,
        reset: bool,
    },
    /// The same, once the head was seen: so many bytes are left.
    Left {
        bytes: usize,
        reset: bool,
    },
}

enum Permit {
    Write(usize),
    Wait,
    Cut,
    Reset,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever is answered after this is not sent.
    pub(crate) fn cut(&self) {
        self.give(Order::Cut);
    }

    /// The next answer gets that far and no further until [`Line::release`].
    pub(crate) fn hold(&self, up_to: UpTo) {
        self.give(Order::Stop { up_to, reset: false });
    }

    /// The next answer gets that far, then the connection is reset.
    pub(crate) fn reset(&self, up_to: UpTo) {
        self.give(Order::Stop { up_to, reset: true });
    }

    /// What is held goes on.
    pub(crate) fn release(&self) {
        self.give(Order::Flow);
    }

    fn give(&self, order: Order) {
        let mut state = self.state();
        state.order = order;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// How many of these bytes may be written now.
    fn permit(&self, bytes: &[u8], waker: &Waker) -> Permit {
        let mut state = self.state();
        if let Order::Stop { up_to, reset } = state.order {
            // The head of so small an answer comes in one piece.
            let head = bytes.windows(END_OF_HEAD.len()).position(|four| four == END_OF_HEAD);
            let head = head.map_or(bytes.len(), |at| at + END_OF_HEAD.len());
            let bytes = match up_to {
                UpTo::AlmostHead => head.saturating_sub(2),
                UpTo::Body(more) => head + more,
            };
            state.order = Order::Left { bytes, reset };
        }
        match state.order {
            Order::Cut => Permit::Cut,
            Order::Left { bytes: 0, reset: true } => Permit::Reset,
            Order::Left { bytes: 0, reset: false } => {
                state.waker = Some(waker.clone());
                Permit::Wait
            }
            Order::Left { bytes: left, .. } => Permit::Write(bytes.len().min(left)),
            Order::Flow | Order::Stop { .. } => Permit::Write(bytes.len()),
        }
    }

    fn wrote(&self, count: usize) {
        if let Order::Left { bytes, .. } = &mut self.state().order {
            *bytes = bytes.saturating_sub(count);
        }
    }
}

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, peer) = <TcpListener as Listener>::accept(&mut self.0).await;
        // Small answers must not wait for the peer's acknowledgement; failing to say so only costs time.
        let _ = stream.set_nodelay(true);
        (Connection { stream, line: Line::default() }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().line.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// Not vectored, so that an answer comes in one piece.
impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let most = match self.line.permit(bytes, cx.waker()) {
            Permit::Write(most) => most,
            Permit::Wait => return Poll::Pending,
            Permit::Cut => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Permit::Reset => {
                self.stream.set_zero_linger()?;
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        };
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..most]))?;
        self.line.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
