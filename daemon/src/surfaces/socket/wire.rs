//! What travels over a connection, and how much of it: frames within their limits, one call after another, and
//! nobody who keeps the daemon waiting.

use super::accounts::Account;
use super::limits::{IN_FLIGHT, LARGEST_HELLO, LONGEST_CALL, Limits};
use futures::task::AtomicWaker;
use futures::{Sink, Stream};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tarpc::tokio_serde;
use tarpc::tokio_util::bytes::{Bytes, BytesMut};
use tarpc::tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec};
use tarpc::{ClientMessage, Response, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;
use wayhaven_shared::control::{
    ControlRequest, ControlResponse, LARGEST_PLAIN_REQUEST, LARGEST_REQUEST, Role, codec,
};

type Asked = ClientMessage<ControlRequest>;
type Answered = Response<ControlResponse>;

/// What a connection's parts know of each other.
pub(super) struct Flow {
    /// How many calls are at work.
    running: watch::Sender<usize>,
    /// Wakes whoever would read the next.
    waker: AtomicWaker,
    /// The largest frame that is taken.
    largest: AtomicUsize,
    /// Whether a frame has begun and not ended.
    half: AtomicBool,
    /// The room that the large frame takes which was read last.
    large: Mutex<Option<Large>>,
    room: [Arc<Semaphore>; 2],
    /// Why a frame was refused, and the connection with it.
    broken: OnceLock<String>,
}

/// Room for a large frame.
type Large = Vec<OwnedSemaphorePermit>;

/// A call at work.
pub(super) struct Running(Arc<Flow>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.send_modify(|count| *count -= 1);
        self.0.waker.wake();
    }
}

impl Flow {
    pub(super) fn new(account: &Account, room: Arc<Semaphore>) -> Self {
        Self {
            running: watch::Sender::new(0),
            waker: AtomicWaker::new(),
            largest: AtomicUsize::new(LARGEST_HELLO),
            half: AtomicBool::new(false),
            large: Mutex::default(),
            room: [account.large(), room],
            broken: OnceLock::new(),
        }
    }

    /// The peer has a role: it may ask, and with the right to send files for larger frames too.
    pub(super) fn admit(&self, role: Role) {
        let largest = if role == Role::Observer { LARGEST_PLAIN_REQUEST } else { LARGEST_REQUEST };
        self.largest.store(largest, Ordering::Relaxed);
    }

    /// Counts a call as at work, until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.running.send_modify(|count| *count += 1);
        Running(Arc::clone(self))
    }

    /// Waits until nothing is at work.
    pub(super) async fn quiet(&self) {
        drop(self.running.subscribe().wait_for(|count| *count == 0).await);
    }

    /// Why a frame was refused, where one was.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// What came of a frame: one that is none is told apart from a peer that went away.
    fn came<T>(&self, message: &Option<io::Result<T>>) {
        if let Some(Err(error)) = message
            && matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::TimedOut)
        {
            let _ = self.broken.set(error.to_string());
        }
    }

    fn running(&self) -> usize {
        *self.running.borrow()
    }

    /// Room for a large frame, where there is some.
    fn room(&self) -> io::Result<Large> {
        let taken = self.room.iter().map(|of| Arc::clone(of).try_acquire_owned());
        taken.collect::<Result<_, _>>().map_err(|_| refused("too many parts of files are sent at once"))
    }

    fn keep(&self, large: Option<Large>) {
        *self.large.lock().unwrap_or_else(PoisonError::into_inner) = large;
    }

    fn take(&self) -> Option<Large> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A connection as calls and answers.
pub(super) fn transport(
    stream: UnixStream,
    flow: Arc<Flow>,
    limits: &Limits,
) -> impl Transport<Answered, Asked, Error = io::Error, TransportError = io::Error> + Unpin + use<> {
    let timed = Timed {
        stream,
        flow: Arc::clone(&flow),
        frame: Deadline::new(limits.frame),
        write: Deadline::new(limits.write),
    };
    let frames = Frames { incoming: codec(), outgoing: codec(), flow: Arc::clone(&flow), begun: None };
    let messages = tokio_serde::Framed::new(Framed::new(timed, frames), Checked);
    Gate { messages, flow, large: None }
}

/// JSON, looked at before tarpc reads it.
struct Checked;

/// The one part of a message that tarpc takes as it comes: a deadline that no clock reaches is a panic of its.
#[derive(Deserialize)]
enum Looked {
    Request(LookedRequest),
    #[allow(dead_code)]
    Cancel(IgnoredAny),
}

/// In tarpc's order, since JSON's lists are read by it.
#[derive(Deserialize)]
struct LookedRequest {
    context: LookedContext,
    #[serde(rename = "id")]
    _id: IgnoredAny,
    #[serde(rename = "message")]
    _message: IgnoredAny,
}

#[derive(Deserialize)]
struct LookedContext {
    #[serde(default)]
    deadline: Duration,
    #[serde(default, rename = "trace_context")]
    _trace_context: IgnoredAny,
}

impl tokio_serde::Deserializer<Asked> for Checked {
    type Error = io::Error;

    fn deserialize(self: Pin<&mut Self>, frame: &BytesMut) -> io::Result<Asked> {
        if let Looked::Request(request) = parsed(frame)?
            && request.context.deadline > LONGEST_CALL
        {
            return Err(refused("a call that would wait longer than any does"));
        }
        parsed(frame)
    }
}

/// What a frame says. Why it says nothing is told without its words: they may be anything.
fn parsed<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    serde_json::from_slice(frame).map_err(|error| {
        refused(match error.classify() {
            Category::Data => "JSON that is no call",
            Category::Io | Category::Syntax | Category::Eof => "what is not JSON",
        })
    })
}

impl tokio_serde::Serializer<Answered> for Checked {
    type Error = io::Error;

    fn serialize(self: Pin<&mut Self>, answer: &Answered) -> io::Result<Bytes> {
        Ok(serde_json::to_vec(answer)?.into())
    }
}

/// Reads the next call only once there is room for it, so that what is too much waits at the client.
struct Gate<T> {
    messages: T,
    flow: Arc<Flow>,
    /// The room of a large frame that is still at work: it travels alone.
    large: Option<Large>,
}

impl<T: Stream<Item = io::Result<Asked>> + Unpin> Stream for Gate<T> {
    type Item = io::Result<Asked>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.flow.waker.register(cx.waker());
        let running = self.flow.running();
        if running >= IN_FLIGHT || (self.large.is_some() && running > 0) {
            return Poll::Pending;
        }
        self.large = None;
        let mut message = ready!(Pin::new(&mut self.messages).poll_next(cx));
        self.large = self.flow.take();
        if let (Some(_), Some(Ok(ClientMessage::Request(request)))) = (&self.large, &message)
            && !matches!(request.message, ControlRequest::Upload { .. })
        {
            message = Some(Err(refused("a request that is larger than any can be")));
        }
        self.flow.came(&message);
        Poll::Ready(message)
    }
}

impl<T: Sink<Answered, Error = io::Error> + Unpin> Sink<Answered> for Gate<T> {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.messages).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Answered) -> io::Result<()> {
        Pin::new(&mut self.messages).start_send(item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.messages).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.messages).poll_close(cx)
    }
}

/// Cuts frames; how large they may be depends on who sends them, and nothing of one that is too large is read.
struct Frames {
    incoming: LengthDelimitedCodec,
    outgoing: LengthDelimitedCodec,
    flow: Arc<Flow>,
    /// The room of the frame whose length was read and whose end was not; empty for a small one.
    begun: Option<Option<Large>>,
}

impl Decoder for Frames {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        self.incoming.set_max_frame_length(self.flow.largest.load(Ordering::Relaxed));
        if let (None, Some(length)) = (&self.begun, bytes.first_chunk::<4>()) {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            // One that is refused for its length takes no room.
            let takes = length > LARGEST_PLAIN_REQUEST && length <= self.incoming.max_frame_length();
            self.begun = Some(if takes { Some(self.flow.room()?) } else { None });
        }
        let frame = self.incoming.decode(bytes)?;
        if frame.is_some() {
            self.flow.keep(self.begun.take().flatten());
        }
        let half = frame.is_none() && (self.begun.is_some() || !bytes.is_empty());
        self.flow.half.store(half, Ordering::Relaxed);
        Ok(frame)
    }
}

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, bytes: &mut BytesMut) -> io::Result<()> {
        self.outgoing.encode(frame, bytes)
    }
}

/// A stream whose peer must end the frames that it begins, and take the answers that it asked for.
struct Timed {
    stream: UnixStream,
    flow: Arc<Flow>,
    frame: Deadline,
    write: Deadline,
}

/// A span that runs from when something is first waited for.
struct Deadline {
    span: Duration,
    runs: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn new(span: Duration) -> Self {
        Self { span, runs: None }
    }

    /// An error once the span is over.
    fn poll<T>(&mut self, cx: &mut Context<'_>, what: &str) -> Poll<io::Result<T>> {
        let runs = self.runs.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.span)));
        ready!(runs.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        // A byte now and then does not begin it anew: it is for the whole frame.
        match (self.flow.half.load(Ordering::Relaxed), read) {
            (true, Poll::Pending) => self.frame.poll(cx, "a frame that does not end"),
            (half, read) => {
                if !half {
                    self.frame.runs = None;
                }
                read
            }
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => self.write.poll(cx, "a peer that takes no answer"),
            written => {
                self.write.runs = None;
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
