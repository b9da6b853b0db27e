//! A bot of bare requests and frames.

use std::io::Read;
use std::time::Duration;

use flate2::read::ZlibDecoder;
use futures::{SinkExt, StreamExt};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use wayhaven_sandbox::{Options, Sandbox};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const AGENT: &str = "DiscordBot (https://example.org, 1)";

/// GUILDS, GUILD_MEMBERS, GUILD_MODERATION.
pub(crate) const INTENTS: u64 = 7;

/// Options whose requests are not checked against Discord's description: these tests send wrong ones on purpose.
pub(crate) fn unchecked() -> Options {
    Options { openapi: None, max_concurrency: 100, ..Options::default() }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> u64 {
        self.body["code"].as_u64().unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) struct Bot {
    client: Client,
    base: String,
    token: String,
}

impl Bot {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let client = Client::builder().no_proxy().user_agent(AGENT).timeout(PATIENCE).build().unwrap();
        let base = format!("{}/api/v10", sandbox.api_base());
        Self { client, base, token: sandbox.token().to_owned() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        request.header("Authorization", format!("Bot {}", self.token))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body =
            serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { json!(text) });
        Reply { status, headers, body }
    }

    /// Sends a request without a body by hand, to see the bytes of its answer.
    pub(crate) async fn by_hand(&self, method: &str, path: &str) -> TcpStream {
        let host = self.base.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "{method} /api/v10{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\n\
             Authorization: Bot {}\r\nContent-Length: 0\r\n\r\n",
            self.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request("GET", path)).await
    }

    pub(crate) async fn bare(&self, method: &str, path: &str) -> Reply {
        self.send(self.request(method, path)).await
    }

    pub(crate) async fn with(&self, method: &str, path: &str, body: Value) -> Reply {
        self.send(self.request(method, path).json(&body)).await
    }
}

/// A gateway connection.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    pub(crate) blobs: usize,
    pub(crate) last: u64,
}

impl Socket {
    pub(crate) async fn connect(sandbox: &Sandbox, query: &str) -> Self {
        let address = sandbox.gateway_url().strip_prefix("ws://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (stream, _) = client_async(format!("ws://{address}/{query}"), stream).await.unwrap();
        Self { stream, blobs: 0, last: 0 }
    }

    /// Connects and takes Hello.
    pub(crate) async fn greeted(sandbox: &Sandbox) -> Self {
        let mut socket = Self::connect(sandbox, "?v=10").await;
        let hello = socket.next().await;
        assert_eq!(hello["op"], 10);
        assert_eq!(hello["d"]["heartbeat_interval"], 41_250);
        socket
    }

    /// Connects, identifies, and takes READY.
    pub(crate) async fn ready(sandbox: &Sandbox) -> (Self, Value) {
        let mut socket = Self::greeted(sandbox).await;
        socket.send(identify(sandbox.token(), INTENTS)).await;
        let ready = socket.event("READY").await;
        (socket, ready)
    }

    pub(crate) async fn send(&mut self, payload: Value) {
        self.stream.send(Message::Text(payload.to_string())).await.unwrap();
    }

    /// The next payload; a close frame is `{"close": code}`, a bare end `{"close": null}`.
    pub(crate) async fn next(&mut self) -> Value {
        let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("a frame in time");
        let payload: Value = match message {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Binary(bytes))) => {
                let mut text = String::new();
                ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
                self.blobs += 1;
                serde_json::from_str(&text).unwrap()
            }
            Some(Ok(Message::Close(frame))) => json!({"close": frame.map(|frame| u16::from(frame.code))}),
            Some(Ok(_)) => json!({}),
            Some(Err(_)) | None => json!({"close": null}),
        };
        if let Some(sequence) = payload["s"].as_u64() {
            self.last = sequence;
        }
        payload
    }

    /// What ends the connection, as the library says it; everything before is skipped.
    pub(crate) async fn end(&mut self) -> Result<Option<CloseFrame<'static>>, Error> {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(frame))) => return Ok(frame),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(Error::ConnectionClosed),
            }
        }
    }

    /// The next text frame as it is.
    pub(crate) async fn text(&mut self) -> String {
        match tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("a frame in time") {
            Some(Ok(Message::Text(text))) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    /// The bytes below the frames.
    pub(crate) fn raw(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    /// The next payload that is not an event of the welcome; its code if it is a close.
    pub(crate) async fn closed(&mut self) -> Value {
        loop {
            let payload = self.next().await;
            if let Some(code) = payload.get("close") {
                return code.clone();
            }
        }
    }

    /// The `d` of the next event of that name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let payload = self.next().await;
            assert!(payload.get("close").is_none(), "closed while waiting for {name}: {payload}");
            if payload["t"] == name {
                return payload["d"].clone();
            }
        }
    }

    /// The names and payloads of the next so many events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            names.push(self.next().await["t"].as_str().unwrap_or_default().to_owned());
        }
        names
    }

    /// Takes the GUILD_CREATEs that follow READY.
    pub(crate) async fn settled(sandbox: &Sandbox) -> Self {
        let (mut socket, ready) = Self::ready(sandbox).await;
        for _ in 0..ready["guilds"].as_array().unwrap().len() {
            socket.event("GUILD_CREATE").await;
        }
        socket
    }

    /// Closes with a code.
    pub(crate) async fn close(mut self, code: u16) {
        let _ = self.stream.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}

pub(crate) fn identify(token: &str, intents: u64) -> Value {
    json!({"op": 2, "d": {"token": token, "intents": intents,
        "properties": {"os": "linux", "browser": "test", "device": "test"}, "large_threshold": 250}})
}

/// Asks for one member of the main guild: something whose answer tells that what came before was read.
pub(crate) fn members(sandbox: &Sandbox) -> Value {
    json!({"op": 8, "d": {"guild_id": sandbox.main_guild().to_string(), "user_ids": [sandbox.owner().to_string()]}})
}

pub(crate) fn resume(token: &str, ready: &Value, seq: u64) -> Value {
    json!({"op": 6, "d": {"token": token, "session_id": ready["session_id"], "seq": seq}})
}

/// The text of FACTS.md's payload lines of one event; empty where the file is not at hand.
pub(crate) fn facts(event: &str) -> Vec<Value> {
    let Some(text) = std::env::var_os("DISCORD_FACTS").and_then(|path| std::fs::read_to_string(path).ok())
    else {
        return Vec::new();
    };
    let lines = text.lines().filter_map(|line| line.strip_prefix("G> "));
    let of_event = lines.filter_map(|line| line.split_once(' ')).filter(|(name, _)| *name == event);
    of_event.map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
}

/// The keys of an example, through all levels, that a payload lacks. Keys that are ids are not compared.
pub(crate) fn missing(payload: &Value, example: &Value) -> Vec<String> {
    match (payload, example) {
        (Value::Object(payload), Value::Object(example)) => {
            let keys = example.iter().filter(|(key, _)| !key.bytes().all(|byte| byte.is_ascii_digit()));
            let lacking = keys.flat_map(|(key, value)| match payload.get(key) {
                None => vec![key.clone()],
                // The options are those of another command.
                Some(_) if key == "options" => Vec::new(),
                Some(found) => {
                    missing(found, value).into_iter().map(|inner| format!("{key}.{inner}")).collect()
                }
            });
            lacking.collect()
        }
        (Value::Array(payload), Value::Array(example)) => match (payload.first(), example.first()) {
            (Some(payload), Some(example)) => missing(payload, example),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The control address.
pub(crate) struct Desk {
    client: Client,
    base: String,
}

impl Desk {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { client, base: sandbox.control_base().to_owned() }
    }

    /// Status and body of a POST.
    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.client.post(format!("{}{path}", self.base)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Injects a fault as JSON and gives its id.
    pub(crate) async fn inject(&self, fault: Value) -> u64 {
        let (status, answer) = self.post("/faults", fault).await;
        assert_eq!(status, 200, "{answer}");
        answer["fault"].as_u64().unwrap()
    }

    /// The same for a trouble of the gateway.
    pub(crate) async fn trouble(&self, trouble: Value) -> u64 {
        self.inject(json!({"fault": "gateway", "trouble": trouble})).await
    }

    /// Ends a fault.
    pub(crate) async fn clear(&self, fault: u64) {
        let answer = self.client.delete(format!("{}/faults/{fault}", self.base)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }
}
