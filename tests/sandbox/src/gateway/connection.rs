//! One WebSocket connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::close;
use super::compress::Writing;
use super::session::Outgoing;
use super::stream::Stream;
use super::trouble::ends_session;
use crate::discord::Discord;
use crate::fault::Trouble;

const LARGEST_PAYLOAD: usize = 4_096;
const EVENTS_A_MINUTE: usize = 120;
const MINUTE: Duration = Duration::from_secs(60);

/// Numbers connections, so that a session knows which of them holds it.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// What a connection wants next.
pub(super) enum Next {
    Go,
    /// Close with that code; whether the session stays resumable is decided by who returns it.
    Close(u16),
}

/// A connection and what it became.
pub(super) struct Connection {
    pub(super) number: u64,
    pub(super) discord: Arc<Discord>,
    /// The session it identified or resumed as.
    pub(super) session: Option<String>,
    /// Its shard and number of shards.
    pub(super) shard: Option<(u64, u64)>,
    /// Given to that session.
    pub(super) link: UnboundedSender<Outgoing>,
    pub(super) writing: Writing,
    events: VecDeque<Duration>,
    heard: Instant,
}

pub(super) async fn run(discord: Arc<Discord>, stream: TcpStream) {
    let gone = Trouble::NoHandshake;
    discord.while_true(|world| world.faults.troubled(None, &gone)).await;
    let mut asked = String::new();
    let stream = Stream::new(stream, Arc::clone(&discord));
    #[expect(clippy::result_large_err, reason = "the shape is the library's")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        request.uri().query().unwrap_or_default().clone_into(&mut asked);
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else { return };
    if let Some(code) = unacceptable(&asked) {
        shut(&mut socket, code).await;
        return;
    }
    let writing = if asked.contains("compress=zlib-stream") { Writing::stream() } else { Writing::Plain };
    let (link, outgoing) = unbounded_channel();
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let (events, heard) = (VecDeque::new(), Instant::now());
    let mut connection =
        Connection { number, discord, session: None, shard: None, link, writing, events, heard };
    connection.converse(&mut socket, outgoing).await;
}

/// The close code for a query Discord would not take. This sandbox has no zstd: a client that asks for it is told.
fn unacceptable(query: &str) -> Option<u16> {
    let value = |key: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key);
    if value("v").is_none_or(|(_, version)| version != "10") {
        return Some(close::INVALID_VERSION);
    }
    let json = value("encoding").is_none_or(|(_, encoding)| encoding == "json");
    let zlib = value("compress").is_none_or(|(_, kind)| kind == "zlib-stream");
    if json && zlib { None } else { Some(close::DECODE) }
}

async fn shut(socket: &mut WebSocketStream<Stream>, code: u16) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
    // The peer may be gone already; nothing is owed to it then.
    let _ = socket.close(Some(frame)).await;
}

impl Connection {
    async fn converse(
        &mut self,
        socket: &mut WebSocketStream<Stream>,
        mut outgoing: UnboundedReceiver<Outgoing>,
    ) {
        let interval = self.discord.read(|world| world.options.heartbeat_interval);
        let hello = json!({"op": 10, "s": null, "t": null, "d": {
            "heartbeat_interval": u64::try_from(interval.as_millis()).unwrap_or(u64::MAX), "_trace": []}});
        if !self.write(socket, &hello.to_string()).await {
            return;
        }
        loop {
            let silent_until = self.heard + interval * 2;
            tokio::select! {
                // What the world says goes first, so that events stay in order with what is answered here.
                biased;
                Some(next) = outgoing.recv() => match next {
                    Outgoing::Payload(payload) => {
                        if !self.write(socket, &payload).await {
                            return self.lose(false);
                        }
                    }
                    Outgoing::Close(code, end) => {
                        shut(socket, code).await;
                        return self.lose(end);
                    }
                    Outgoing::CloseWithoutCode => {
                        let _ = socket.close(None).await;
                        return self.lose(false);
                    }
                    Outgoing::Drop => return self.lose(false),
                    Outgoing::Reset => {
                        socket.get_ref().reset_on_drop();
                        return self.lose(false);
                    }
                    Outgoing::HalfOpen => return self.stay_half_open(outgoing, silent_until).await,
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => match self.hear(socket, &text).await {
                        Next::Go => {}
                        Next::Close(code) => {
                            shut(socket, code).await;
                            // Fatal codes and timeouts end the session; a client's mistake keeps it resumable.
                            return self.lose(ends_session(code));
                        }
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(frame))) => {
                        let ended = frame.is_some_and(|frame| matches!(u16::from(frame.code), 1000 | 1001));
                        let _ = socket.flush().await;
                        return self.lose(ended);
                    }
                    Some(Ok(_)) => {
                        shut(socket, close::DECODE).await;
                        return self.lose(false);
                    }
                    Some(Err(_)) | None => return self.lose(false),
                },
                () = tokio::time::sleep_until(silent_until) => {
                    shut(socket, close::SESSION_TIMED_OUT).await;
                    return self.lose(true);
                }
            }
        }
    }

    /// Neither reads nor writes until somebody else holds the session or the sandbox stops. The session times out
    /// as it does when no heartbeat comes, but nobody is told.
    async fn stay_half_open(&mut self, mut outgoing: UnboundedReceiver<Outgoing>, silent_until: Instant) {
        let taken_over = async {
            while let Some(next) = outgoing.recv().await {
                if matches!(next, Outgoing::Drop) {
                    return;
                }
            }
        };
        if tokio::time::timeout_at(silent_until, taken_over).await.is_ok() {
            return self.lose(false);
        }
        self.lose(true);
        let discord = Arc::clone(&self.discord);
        discord.while_true(|_| true).await;
    }

    /// Which session it is now, and of which shard.
    pub(super) fn hold(&mut self, session: String, shard: (u64, u64)) {
        self.session = Some(session);
        self.shard = Some(shard);
    }

    /// Writes a payload; false if the peer is gone.
    pub(super) async fn write(&mut self, socket: &mut WebSocketStream<Stream>, payload: &str) -> bool {
        let shard = self.shard;
        let (silent, zlib) = self.discord.read(|world| {
            let troubled = |trouble| world.faults.troubled(shard, trouble);
            (troubled(&Trouble::Silence), troubled(&Trouble::ZlibFrames))
        });
        if silent {
            return true;
        }
        socket.get_mut().shard = shard;
        match self.writing.frame(payload, zlib) {
            Ok(frame) => socket.send(frame).await.is_ok(),
            Err(_) => false,
        }
    }

    /// The connection is over; the session stays for a resume, or ends.
    fn lose(&mut self, end: bool) {
        let Some(id) = self.session.take() else { return };
        self.discord.change(|world| {
            let now = world.clock.now();
            let Some(session) = world.sessions.get_mut(&id) else { return };
            if session.link.as_ref().is_some_and(|(number, _)| *number != self.number) {
                return;
            }
            session.link = None;
            session.lost_at = Some(now);
            if end {
                world.sessions.remove(&id);
            }
        });
    }

    async fn hear(&mut self, socket: &mut WebSocketStream<Stream>, text: &str) -> Next {
        if text.len() > LARGEST_PAYLOAD {
            return Next::Close(close::DECODE);
        }
        let now = self.discord.clock.now();
        self.events.push_back(now);
        while self.events.front().is_some_and(|at| *at + MINUTE <= now) {
            self.events.pop_front();
        }
        if self.events.len() > EVENTS_A_MINUTE {
            return Next::Close(close::RATE_LIMITED);
        }
        let Ok(payload) = serde_json::from_str::<Value>(text) else { return Next::Close(close::DECODE) };
        let Some(op) = payload["op"].as_u64() else { return Next::Close(close::DECODE) };
        match op {
            1 => {
                self.heard = Instant::now();
                if self.discord.read(|world| world.faults.troubled(self.shard, &Trouble::StopAcks)) {
                    return Next::Go;
                }
                let ack = r#"{"op":11,"d":null,"s":null,"t":null}"#;
                if self.write(socket, ack).await { Next::Go } else { Next::Close(1006) }
            }
            2 if self.session.is_some() => Next::Close(close::ALREADY_AUTHENTICATED),
            6 if self.session.is_some() => Next::Close(close::ALREADY_AUTHENTICATED),
            2 => self.identify(&payload["d"]),
            6 => self.resume(&payload["d"]),
            3 | 4 | 8 | 31 | 43 if self.session.is_none() => Next::Close(close::NOT_AUTHENTICATED),
            8 => self.request_members(&payload["d"]),
            // Presence (whatever `since` is), voice, soundboard, channel info: taken, and nothing comes of them.
            3 | 4 | 31 | 43 => Next::Go,
            _ => Next::Close(close::UNKNOWN_OPCODE),
        }
    }

    /// Sends something through the same queue as events, so that it keeps its place among them.
    pub(super) fn queue(&self, payload: &Value) {
        let _ = self.link.send(Outgoing::Payload(payload.to_string().into()));
    }
}
