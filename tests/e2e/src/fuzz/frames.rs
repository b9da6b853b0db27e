//! The control socket of a real daemon: whatever bytes come, before a hello and after one, that connection ends or is
//! answered, everybody else's goes on, and the daemon's memory stays where it was.

use super::engine::Target;
use crate::{DaemonProcess, Home};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::client::Client;
use wayhaven_shared::control::{ClientSurface, LARGEST_FRAME};
use wayhaven_shared::operations::status::Status;

/// Longer than a connection takes to be closed behind its last byte, or an answer to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often somebody else looks whether the daemon answers.
const LOOK_EACH: u64 = 64;

/// How much more memory than at the start the daemon may have at any time, in KiB: what has come of a few frames and the
/// store's own caches.
const MEMORY: u64 = 96 * 1024;

pub(super) struct Frames {
    runtime: Runtime,
    socket: PathBuf,
    /// A client that was there before.
    client: Client,
    daemon: DaemonProcess,
    memory: u64,
    tried: u64,
    /// What the daemon says on standard error, from where it was read to.
    said: File,
    _home: Home,
    _sandbox: Sandbox,
}

impl Frames {
    pub(super) fn start(program: &Path) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let (sandbox, home, daemon, client, said) = runtime
            .block_on(async {
                let sandbox = Sandbox::start(Options { children: 1, ..Options::default() }).await?;
                let home = Home::in_memory(program, &sandbox)?;
                let errors = home.path().join("stderr");
                let mut daemon = home.start_into(File::create(&errors)?)?;
                let client = daemon.ready().await.map_err(std::io::Error::other)?;
                Ok::<_, std::io::Error>((sandbox, home, daemon, client, File::open(errors)?))
            })
            .map_err(|error| error.to_string())?;
        let socket = home.layout().map_err(|error| error.to_string())?.socket;
        let memory = most_memory(daemon.pid())?;
        Ok(Self { runtime, socket, client, daemon, memory, tried: 0, said, _home: home, _sandbox: sandbox })
    }

    /// Whether others are answered, on a connection that was there and on a new one.
    fn others(&mut self) -> Result<(), String> {
        let gone = |fault| format!("the daemon answers no more: {fault}");
        self.runtime.block_on(async {
            self.client.call(Status {}).await.map_err(gone)?;
            let new = Client::connect(&self.socket, ClientSurface::Cli).await.map_err(gone)?;
            new.call(Status {}).await.map_err(gone)
        })?;
        match most_memory(self.daemon.pid())? {
            most if most > self.memory + MEMORY => {
                Err(format!("{most} KiB of memory, {} before", self.memory))
            }
            _ => Ok(()),
        }
    }

    /// Whether the daemon has told of a panic since this was asked: it tells before it closes anything.
    fn heard(&mut self) -> Result<(), String> {
        let mut said = String::new();
        self.said.read_to_string(&mut said).map_err(|error| error.to_string())?;
        match said.lines().find(|line| line.contains("a panic")) {
            Some(line) => Err(format!("the daemon says: {line}")),
            None => Ok(()),
        }
    }

    /// Sends the bytes and their end, and brings what comes back until the daemon closes.
    fn exchange(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        let broken = |error: std::io::Error| format!("the daemon answers no more: {error}");
        let mut stream = UnixStream::connect(&self.socket).map_err(broken)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
        // It need not read to the end what it does not take.
        let is_end = |error: &std::io::Error| {
            matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
            )
        };
        match stream.write_all(input) {
            Err(error) if !is_end(&error) => return Err(format!("it takes nothing more: {error}")),
            _ => {}
        }
        let mut answer = Vec::new();
        // Whoever is to be answered waits for it; behind the end the daemon may drop it.
        for _ in 0..answers(input) {
            let mut length = [0; 4];
            match stream.read_exact(&mut length) {
                Err(error) if is_end(&error) || error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(format!("a call is not answered: {error}")),
                Ok(()) => {}
            }
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if length > LARGEST_FRAME {
                return Err(format!("an answer of {length} bytes"));
            }
            answer.resize(length, 0);
            stream.read_exact(&mut answer).map_err(|error| format!("half an answer: {error}"))?;
        }
        let mut rest = Vec::new();
        match stream.shutdown(Shutdown::Write).and_then(|()| stream.read_to_end(&mut rest)) {
            Err(error) if !is_end(&error) => Err(format!("the connection stays open: {error}")),
            _ => Ok(answer),
        }
    }
}

/// The most memory that a process ever had, in KiB.
fn most_memory(pid: u32) -> Result<u64, String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.map_err(|error| format!("the daemon has ended: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    figure.ok_or_else(|| "the daemon has ended".to_owned())
}

/// The frames that an input begins with, as JSON; what is none ends them.
fn frames(mut input: &[u8]) -> Vec<Value> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(frame) = rest.get(..length) else { break };
        let Ok(value) = serde_json::from_slice(frame) else { break };
        frames.push(value);
        input = &rest[length..];
    }
    frames
}

/// How many answers must come: one, where all there is are a hello and one call that we know as whole. Of anything
/// else the daemon may refuse the connection at any frame.
fn answers(input: &[u8]) -> usize {
    let mut known = samples().into_iter();
    usize::from(known.any(|sample| sample == input)) * frames(input).len()
}

fn call(id: u64, message: Value) -> Value {
    let context = json!({
        "deadline": {"secs": 10, "nanos": 0},
        "trace_context": {"trace_id": vec![0; 16], "span_id": 1, "sampling_decision": "Unsampled"},
    });
    json!({"Request": {"context": context, "id": id, "message": message}})
}

fn framed(messages: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        let text = message.to_string();
        bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(text.bytes());
    }
    bytes
}

/// A hello, and one call of each kind behind it.
fn samples() -> Vec<Vec<u8>> {
    let hello = || call(0, json!({"Hello": {"hello": {"protocol": 1, "surface": "cli", "version": "0"}}}));
    let run = |operation: &str, arguments: Value| {
        let request = json!({"operation": operation, "arguments": arguments});
        let envelope = json!({"request": request, "guild": null, "dry_run": true, "confirm": null});
        call(1, json!({"Run": {"envelope": envelope}}))
    };
    let calls = [
        run("status", json!({})),
        run("audit log", json!({"user": "123456789012345678", "limit": 3})),
        run("ban", json!({"user": "123456789012345678", "reason": "x", "for": "7d"})),
        run("teapot brew", json!({})),
        call(1, json!({"Watch": {"cursor": null, "wait_ms": 0}})),
        call(1, json!({"Upload": {"id": null, "offset": 0, "chunk": "3132"}})),
        call(1, json!({"Download": {"id": "ab".repeat(16), "offset": 0}})),
    ];
    calls.into_iter().map(|call| framed(&[hello(), call])).chain([framed(&[hello()])]).collect()
}

impl Target for Frames {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = samples();
        let first = call(0, json!({"Run": {"envelope": {"request": null}}}));
        let cancel = json!({"Cancel": {"trace_context": {"trace_id": vec![1; 16], "span_id": 1, "sampling_decision": "Sampled"}, "request_id": 0}});
        seeds.push(framed(&[first.clone(), first.clone(), cancel]));
        // Two calls of one number, and one whose answer nobody waits for.
        seeds.push(framed(&[
            call(7, json!({"Watch": {"cursor": null, "wait_ms": 1}})),
            call(7, json!({"Watch": {}})),
        ]));
        seeds.extend(
            [0, 1, 4_097, 8_388_608, 8_388_609, u32::MAX].map(|length: u32| length.to_be_bytes().to_vec()),
        );
        seeds.push(b"\0\0\0\x10{\"no\":\"request\"}".to_vec());
        seeds.push(b"\0\0\0\x64{".to_vec());
        let deep = "[".repeat(3_000);
        seeds.push([&3_000_u32.to_be_bytes()[..], deep.as_bytes()].concat());
        seeds.push(b"GET / HTTP/1.1\r\n\r\n".to_vec());
        seeds
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "Request",
            "Cancel",
            "context",
            "deadline",
            "secs",
            "nanos",
            "trace_context",
            "trace_id",
            "span_id",
            "sampling_decision",
            "id",
            "message",
            "Hello",
            "Run",
            "Watch",
            "Upload",
            "Download",
            "envelope",
            "request",
            "operation",
            "arguments",
            "cursor",
            "epoch",
            "sequence",
            "wait_ms",
            "offset",
            "chunk",
            "protocol",
            "surface",
            "null",
            "{}",
            "[]",
            "\"",
            ":",
            ",",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "1e400",
            "\\ud800",
            "\0\0\0\0",
            "\0\0\0\x02{}",
        ]
    }

    fn stand(&mut self, input: &[u8]) -> Result<String, String> {
        self.tried += 1;
        let answer = self.exchange(input);
        let others = if self.tried.is_multiple_of(LOOK_EACH) { self.others() } else { Ok(()) };
        // What it says itself names the cause.
        self.heard()?;
        let answer = answer?;
        others?;
        // What a frame's first names and its error are: what the daemon answers to half a connection may vary.
        let frames = frames(input);
        let shape = |value: &Value| {
            let mut names = Vec::new();
            let mut at = value;
            while let Some((name, inner)) = at.as_object().and_then(|fields| fields.iter().next_back()) {
                names.push(name.chars().take(12).collect::<String>());
                at = inner;
            }
            names.into_iter().take(4).collect::<Vec<_>>().join(".")
        };
        let shapes: Vec<String> = frames.iter().take(3).map(shape).collect();
        let rest = input.len() - framed(&frames).len().min(input.len());
        Ok(format!("{} {} {}", shapes.join(" "), rest.min(5), !answer.is_empty()))
    }
}
