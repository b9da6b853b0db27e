//! The control socket, spoken to over a real Unix socket.

mod floods;
mod peers;
mod removed;

use super::limits::{LARGEST_HELLO, Limits};
use super::{bind, serve_within};
use crate::testing::{PATIENCE, TestDaemon, sandbox};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tarpc::tokio_serde::formats::Json;
use tarpc::tokio_util::codec::Framed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use wayhaven_shared::client::Client;
use wayhaven_shared::control::{
    ClientSurface, ControlClient, Envelope, Hello, LARGEST_FRAME, LARGEST_PLAIN_REQUEST, PROTOCOL, codec,
};
use wayhaven_shared::event::{Change, Cursor};
use wayhaven_shared::operations::audit::{AuditEntry, AuditLog, AuditResult};
use wayhaven_shared::operations::daemon::DaemonStop;
use wayhaven_shared::operations::job::JobResult;
use wayhaven_shared::operations::status::Status;
use wayhaven_shared::operations::sync::{Fate, SyncExport, SyncImport};
use wayhaven_shared::{Fault, FaultKind};

async fn client(test: &TestDaemon) -> Client {
    Client::connect(&test.systems.services.layout().socket, ClientSurface::Cli).await.unwrap()
}

async fn stream(test: &TestDaemon) -> UnixStream {
    UnixStream::connect(&test.systems.services.layout().socket).await.unwrap()
}

/// Opens a second socket of the same daemon, with other limits.
fn door(test: &TestDaemon, limits: Limits) -> PathBuf {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let path = test.home().path().join(format!("door-{number}/control.sock"));
    tokio::spawn(serve_within(Arc::clone(&test.systems), bind(&path).unwrap(), limits));
    path
}

/// A request as it travels.
fn frame(id: u64, message: Value) -> Vec<u8> {
    let context = serde_json::to_value(tarpc::context::current()).unwrap();
    let body = json!({ "Request": { "context": context, "id": id, "message": message } }).to_string();
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), body.as_bytes()].concat()
}

fn hello_frame() -> Vec<u8> {
    let hello = Hello { protocol: PROTOCOL, surface: ClientSurface::Cli, version: "0".into() };
    frame(0, json!({ "Hello": { "hello": hello } }))
}

/// Reads one frame.
async fn answer(stream: &mut UnixStream) -> Value {
    let length = stream.read_u32().await.unwrap();
    let mut body = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// A client that shakes no hands.
async fn bare(test: &TestDaemon) -> ControlClient {
    let transport = tarpc::serde_transport::new(Framed::new(stream(test).await, codec()), Json::default());
    ControlClient::new(tarpc::client::Config::default(), transport).spawn()
}

fn status() -> Envelope {
    Envelope::new(&Status {}.into())
}

/// Waits until the daemon has closed a connection.
async fn until_closed(stream: &mut UnixStream) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn hello_comes_before_anything_else() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let bare = bare(&test).await;
    let context = tarpc::context::current;
    let refused = bare.run(context(), status()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind, FaultKind::Denied);
    assert_eq!(bare.watch(context(), None, 0).await.unwrap().unwrap_err().kind, FaultKind::Denied);
    let hello = |protocol| Hello { protocol, surface: ClientSurface::Cli, version: "0".into() };
    let far = bare.hello(context(), hello(PROTOCOL + 2)).await.unwrap().unwrap_err();
    assert_eq!(far.kind, FaultKind::Conflict);
    assert!(!far.hints.is_empty(), "a way out");
    assert!(bare.run(context(), status()).await.unwrap().is_err(), "a refused hello admits nobody");
    bare.hello(context(), hello(PROTOCOL + 1)).await.unwrap().unwrap();
    bare.run(context(), status()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_unknown_or_odd_is_a_fault_and_the_connection_lives() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let client = client(&test).await;
    let odd = [
        (json!({ "operation": "teapot brew", "arguments": {} }), FaultKind::NotFound),
        (json!({ "operation": "ban", "arguments": { "user": "x" } }), FaultKind::Usage),
        (json!({ "operation": "ban", "arguments": { "user": "1", "delete_days": 8 } }), FaultKind::Usage),
        (json!(null), FaultKind::NotFound),
    ];
    for (request, kind) in odd {
        let envelope =
            Envelope { request: request.clone(), guild: None, dry_run: false, confirm: None, upload: None };
        let fault: Fault = client.run(envelope).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{request}: {fault}");
    }
    let audited: Vec<_> =
        test.audit().await.into_iter().map(|entry| (entry.operation, entry.result)).collect();
    for operation in ["unknown", "ban"] {
        let count = audited.iter().filter(|one| **one == (operation.to_owned(), AuditResult::Error)).count();
        assert_eq!(count, 2, "{operation}: {audited:?}");
    }
    client.call(Status {}).await.unwrap();
}

#[tokio::test]
async fn fault_29_malformed_oversized_and_half_frames_close_only_that_connection() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let good = client(&test).await;

    let mut malformed = stream(&test).await;
    malformed.write_all(b"\0\0\0\x10{\"no\":\"request\"}").await.unwrap();
    until_closed(&mut malformed).await;

    let mut oversized = stream(&test).await;
    // The length alone is enough to be refused: nothing of the frame is waited for.
    oversized.write_all(&u32::try_from(LARGEST_FRAME + 1).unwrap().to_be_bytes()).await.unwrap();
    until_closed(&mut oversized).await;

    // A deadline that no clock reaches is a panic in tarpc: it never gets there.
    for deadline in [
        json!({ "secs": u64::MAX, "nanos": 0 }),
        json!([u64::MAX / 2, 0]),
        json!({ "secs": 90_000, "nanos": 0 }),
    ] {
        let mut endless = stream(&test).await;
        let mut asks: Value = serde_json::from_slice(&hello_frame()[4..]).unwrap();
        asks["Request"]["context"]["deadline"] = deadline;
        let asks = asks.to_string();
        endless.write_u32(u32::try_from(asks.len()).unwrap()).await.unwrap();
        endless.write_all(asks.as_bytes()).await.unwrap();
        until_closed(&mut endless).await;
    }

    // Before its hello nobody sends more than a hello has.
    let mut early = stream(&test).await;
    early.write_all(&u32::try_from(LARGEST_HELLO + 1).unwrap().to_be_bytes()).await.unwrap();
    until_closed(&mut early).await;

    // Afterwards only parts of files are large.
    let mut large = stream(&test).await;
    large.write_all(&hello_frame()).await.unwrap();
    assert!(answer(&mut large).await["message"]["Ok"]["Hello"]["Ok"].is_object());
    let mut envelope = serde_json::to_value(status()).unwrap();
    envelope["request"]["arguments"]["padding"] = "x".repeat(LARGEST_PLAIN_REQUEST).into();
    large.write_all(&frame(1, json!({ "Run": { "envelope": envelope } }))).await.unwrap();
    until_closed(&mut large).await;

    // One that begins and does not end, however often a byte of it comes.
    let path = door(&test, Limits { frame: Duration::from_millis(50), ..Limits::default() });
    let mut endless = UnixStream::connect(path).await.unwrap();
    endless.write_all(&100u32.to_be_bytes()).await.unwrap();
    until_closed(&mut endless).await;

    let mut half = stream(&test).await;
    half.write_all(&100u32.to_be_bytes()).await.unwrap();
    half.write_all(b"{").await.unwrap();
    half.shutdown().await.unwrap();
    until_closed(&mut half).await;

    good.call(Status {}).await.unwrap();
}

#[tokio::test]
async fn a_frame_that_is_no_call_is_in_the_audit_without_its_words() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let framed = |body: &str| [&u32::try_from(body.len()).unwrap().to_be_bytes(), body.as_bytes()].concat();
    let mut endless: Value = serde_json::from_slice(&hello_frame()[4..]).unwrap();
    endless["Request"]["context"]["deadline"] = json!({ "secs": u64::MAX, "nanos": 0 });
    let broken = [
        (framed("{\"the password\":\"hunter2\"}"), "JSON that is no call"),
        (framed("{hunter2"), "what is not JSON"),
        (framed(&endless.to_string()), "a call that would wait longer than any does"),
        (u32::MAX.to_be_bytes().to_vec(), "frame size too big"),
        (100u32.to_be_bytes().to_vec(), "a frame that does not end"),
    ];
    for (bytes, why) in broken {
        // A door each, since refusals of one kind are one row at each.
        let path = door(&test, Limits { frame: Duration::from_millis(50), ..Limits::default() });
        let mut peer = UnixStream::connect(path).await.unwrap();
        peer.write_all(&bytes).await.unwrap();
        until_closed(&mut peer).await;
        let row = test.audit().await.remove(0);
        let message = row.message.as_ref().map_or("", |message| message.raw());
        assert_eq!((row.operation.as_str(), row.result), ("unknown", AuditResult::Error));
        assert_eq!(message, format!("a frame was refused: {why}"));
    }
    let before = test.audit().await.len();
    // Whoever goes away in the middle of one has asked for nothing.
    let mut half = UnixStream::connect(&test.systems.services.layout().socket).await.unwrap();
    half.write_all(&framed("{}")[..5]).await.unwrap();
    half.shutdown().await.unwrap();
    until_closed(&mut half).await;
    assert_eq!(test.audit().await.len(), before);
}

#[tokio::test]
async fn a_watch_brings_events_in_order_and_goes_on_where_it_was() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let watcher = client(&test).await;
    let start = watcher.watch(None, Duration::ZERO).await.unwrap();
    assert!(start.events.is_empty() && !start.gap);

    // It is asked before anything happens, and answered by what happens.
    let waiting = watcher.watch(Some(start.cursor.clone()), Duration::from_secs(20));
    let victim = sandbox.stranger();
    let (watched, id) = tokio::join!(waiting, test.ban(sandbox.main_guild(), victim));
    let watched = watched.unwrap();
    assert!(!watched.events.is_empty());
    test.until_counted(id, wayhaven_shared::operations::punishment::DeliveryState::Applied, 3).await;
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();

    let mut seen = watched.events;
    // After a reconnect, from the cursor.
    let watcher = client(&test).await;
    let rest = watcher.watch(Some(watched.cursor), Duration::ZERO).await.unwrap();
    assert!(!rest.gap);
    seen.extend(rest.events);
    let told = |event: &wayhaven_shared::event::Event| matches!(&event.change, Change::Punishment { punishment } if punishment.id == id);
    assert_eq!(seen.iter().filter(|event| told(event)).count(), 1);
    let sequences: Vec<_> = seen.iter().map(|event| event.sequence).collect();
    let first = start.cursor.sequence + 1;
    assert_eq!(sequences, (first..first + sequences.len() as u64).collect::<Vec<_>>(), "none is missing");
    let again = watcher.watch(Some(start.cursor), Duration::ZERO).await.unwrap();
    assert_eq!(again.events.len(), seen.len());
}

#[tokio::test]
async fn a_cursor_of_another_store_or_from_the_future_is_a_gap() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let client = client(&test).await;
    let here = client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let foreign = Cursor { epoch: "another".into(), sequence: 1 };
    let ahead = Cursor { sequence: here.sequence + 1_000, ..here.clone() };
    for cursor in [foreign, ahead] {
        let watched = client.watch(Some(cursor), Duration::from_secs(20)).await.unwrap();
        assert!(watched.gap && watched.events.is_empty());
        assert_eq!(watched.cursor.epoch, here.epoch);
    }
}

#[tokio::test]
async fn whoever_stops_the_daemon_gets_an_answer() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let client = client(&test).await;
    let systems = std::sync::Arc::clone(&test.systems);
    // What the end of the daemon's life does, with nothing to drain.
    let end = async {
        systems.services.lifecycle().stopping().raised().await;
        systems.services.lifecycle().close();
    };
    let (answer, ()) = tokio::join!(client.call(DaemonStop {}), end);
    assert_eq!(answer.unwrap().pid, std::process::id());
}

#[tokio::test]
async fn a_file_goes_over_the_socket_in_parts_and_comes_back_whole() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let guild = Some(crate::testing::guild(sandbox.main_guild()).into());
    let mine = client(&test).await;
    // A mebibyte and a rest: one row and much air.
    let mut list = b"700000000000000001,why\n".to_vec();
    list.resize(1024 * 1024 + 7, b'\n');
    let upload = mine.upload(std::io::Cursor::new(list)).await.unwrap();
    let import: wayhaven_shared::Request =
        SyncImport { file: "bans.csv".parse().unwrap(), apply: false, ignore_column: Vec::new() }.into();
    let dry = Envelope { guild: guild.clone(), dry_run: true, upload, ..Envelope::new(&import) };
    let outcome = mine.run(dry).await.unwrap();
    let job = outcome.data["id"].as_str().unwrap().parse().unwrap();
    test.until("the plan is there", move |view| !view.job(job).unwrap().unwrap().is_running()).await;
    let planned = test.read(move |view| view.job(job).unwrap().unwrap()).await;
    let Some(JobResult::Imported(plan)) = planned.result else { panic!("{planned:?}") };
    assert_eq!(plan.count(Fate::New), 1);
    // It is nobody else's to add to, and it goes with its connection.
    let other = bare(&test).await;
    let hello = Hello { protocol: PROTOCOL, surface: ClientSurface::Cli, version: "0".into() };
    other.hello(tarpc::context::current(), hello).await.unwrap().unwrap();
    let chunk = wayhaven_shared::value::Chunk::new(b"x".to_vec()).unwrap();
    let refused = other.upload(tarpc::context::current(), upload, 1024 * 1024 + 7, chunk).await.unwrap();
    assert_eq!(refused.unwrap_err().kind, FaultKind::NotFound);
    // Its parts are one file, and one row; what was refused of it is another.
    let rows = |audited: Vec<AuditEntry>, operation: &str| -> Vec<AuditResult> {
        audited.iter().filter(|row| row.operation == operation).map(|row| row.result).collect()
    };
    assert_eq!(rows(test.audit().await, "upload"), [AuditResult::Error, AuditResult::Success]);
    drop(mine);
    let gone = async {
        while test.systems.uploads.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, gone).await.is_ok(), "it outlives its connection");

    test.ban(sandbox.main_guild(), sandbox.stranger()).await;
    let mine = client(&test).await;
    let export: wayhaven_shared::Request = SyncExport::default().into();
    let outcome = mine.run(Envelope { guild, ..Envelope::new(&export) }).await.unwrap();
    let list = &outcome.data["result"];
    let id = list["file"].as_str().unwrap().parse().unwrap();
    let mut held = Vec::new();
    let bytes = mine.download(id, &mut held).await.unwrap();
    assert_eq!((Some(bytes), bytes), (list["bytes"].as_u64(), held.len() as u64));
    assert!(held.starts_with(b"user_id,reason"), "{held:?}");
    assert_eq!(test.systems.uploads.count(), 0, "what was brought is not kept");
    assert_eq!(rows(test.audit().await, "download"), [AuditResult::Success]);
    assert_eq!(mine.download(id, &mut held).await.unwrap_err().kind, FaultKind::NotFound);
    assert_eq!(rows(test.audit().await, "download"), [AuditResult::Error, AuditResult::Success]);
    // However often it is asked again what happens, it was asked for once.
    for _ in 0..3 {
        mine.watch(None, Duration::ZERO).await.unwrap();
    }
    assert_eq!(rows(test.audit().await, "watch"), [AuditResult::Success]);
    for operation in crate::audit::rows::NO_OPERATIONS {
        let log = AuditLog { operation: operation.parse().ok(), ..AuditLog::default() };
        let found = mine.call(log).await.unwrap().entries;
        assert_eq!(found.is_empty(), matches!(operation, "connect" | "unknown"), "{operation}: {found:?}");
    }
}
