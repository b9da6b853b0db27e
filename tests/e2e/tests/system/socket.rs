//! The control socket under load and in strange hands, with a real daemon behind it.

use crate::room::Beside;
use crate::setting::{Setting, options, program};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use wayhaven_e2e::process::PATIENCE;
use wayhaven_shared::client::Client;
use wayhaven_shared::control::{ClientSurface, Hello, LARGEST_FRAME, LARGEST_REQUEST, PROTOCOL};
use wayhaven_shared::operations::status::Status;

/// Connects, also while more come than the daemon has taken so far.
async fn connect(setting: &Setting) -> UnixStream {
    let socket = setting.home.layout().unwrap().socket;
    loop {
        match UnixStream::connect(&socket).await {
            Ok(stream) => return stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_28_a_flood_on_the_socket_and_idle_connections_leave_slash_commands_their_first_answer() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit }).unwrap();
    let setting = Setting::beside(Beside::Nobody, options(2)).await;
    let socket = setting.home.layout().unwrap().socket;
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(Client::connect(&socket, ClientSurface::Cli).await.unwrap());
    }
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(connect(&setting).await);
    }
    let (answered, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut calls = JoinSet::new();
    for index in 0..10_000 {
        let client = clients[index % clients.len()].clone();
        let (answered, over) = (Arc::clone(&answered), Arc::clone(&over));
        calls.spawn(async move {
            client.call(Status {}).await.unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
            // Some go on until the flood is not needed any more.
            while index < 500 && !over.load(Ordering::Relaxed) {
                client.call(Status {}).await.unwrap();
            }
        });
    }
    let people = setting.sandbox.people();
    for member in 0..3 {
        let user = json!({ "user": setting.member(member).to_string() });
        let asked = people.slash(setting.main.get(), setting.sandbox.moderator(), "ban", user).unwrap();
        people.reply(asked).await.unwrap();
        // The sandbox, like Discord, takes no first answer after three seconds.
        let interaction = people.interaction(asked).unwrap();
        assert!(interaction.answered_after.unwrap() < Duration::from_secs(3));
    }
    over.store(true, Ordering::Relaxed);
    calls.join_all().await;
    assert_eq!(answered.load(Ordering::Relaxed), 10_000, "each call was answered in the end");
}

/// A frame of tarpc's.
fn frame(id: u64, message: &Value) -> Vec<u8> {
    let context = json!({
        "deadline": { "secs": 60, "nanos": 0 },
        "trace_context": { "trace_id": vec![0; 16], "span_id": 0, "sampling_decision": "Unsampled" },
    });
    let body = json!({ "Request": { "context": context, "id": id, "message": message } }).to_string();
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body.as_bytes()].concat()
}

/// A connection that has shaken hands, if there was a place for it.
async fn shaken(setting: &Setting) -> UnixStream {
    let mut stream = connect(setting).await;
    let hello = Hello { protocol: PROTOCOL, surface: ClientSurface::Cli, version: "0".into() };
    stream.write_all(&frame(0, &json!({ "Hello": { "hello": hello } }))).await.unwrap();
    let length = stream.read_u32().await.unwrap();
    let mut answer = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut answer).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(answer["message"]["Ok"]["Hello"]["Ok"].is_object(), "{answer}");
    stream
}

async fn until_closed(mut stream: UnixStream) {
    let mut rest = Vec::new();
    assert!(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok(), "it stays open");
}

/// The daemon's resident memory, in bytes.
fn resident(setting: &Setting) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", setting.daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn fault_29_whatever_comes_in_frames_the_memory_stays_and_others_go_on() {
    let setting = Setting::new(options(1)).await;
    setting.client.call(Status {}).await.unwrap();
    let before = resident(&setting);
    for _ in 0..300 {
        let mut malformed = connect(&setting).await;
        malformed.write_all(b"\0\0\0\x10{\"no\":\"request\"}").await.unwrap();
        until_closed(malformed).await;
        let mut oversized = connect(&setting).await;
        oversized.write_all(&u32::try_from(LARGEST_FRAME).unwrap().to_be_bytes()).await.unwrap();
        until_closed(oversized).await;
    }
    // As many parts of files as there are places, each without its last byte: 120 MB, were they all kept.
    let mut halves = Vec::new();
    let part = vec![b' '; LARGEST_REQUEST - 1];
    for _ in 0..60 {
        let mut half = shaken(&setting).await;
        half.write_all(&u32::try_from(LARGEST_REQUEST).unwrap().to_be_bytes()).await.unwrap();
        // Where it is one too many it is closed before it is written.
        let _ = half.write_all(&part).await;
        halves.push(half);
    }
    setting.client.call(Status {}).await.unwrap();
    let grown = resident(&setting).saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "it grew by {grown} bytes");
}

/// A user and a group that no machine has.
const STRANGER: u32 = 54_322;
const GROUP: u32 = 54_321;

/// Runs `wayhaven` as somebody else: exit code and standard error.
fn as_other(setting: &Setting, gid: u32, arguments: &[&str]) -> (Option<i32>, String) {
    // Where the program was built somebody else may not get to: they run it from where they may.
    let theirs = setting.home.path().join("program");
    if !theirs.exists() {
        let linked = std::fs::hard_link(program(), &theirs);
        linked.or_else(|_| std::fs::copy(program(), &theirs).map(drop)).unwrap();
    }
    let mut command = setting.home.command_at(&theirs, "wayhaven");
    let ran = command.args(arguments).uid(STRANGER).gid(gid).output().unwrap();
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

fn denied(setting: &Setting, operation: &str) -> Vec<Value> {
    let log = setting.home.wayhaven(&["audit", "log", "--result=denied", "--json"]).unwrap().json();
    let entries = log["data"]["entries"].as_array().unwrap().clone();
    entries.into_iter().filter(|entry| entry["operation"] == operation).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_31_another_user_of_the_machine_is_refused_until_the_settings_name_them() {
    if !rustix::process::geteuid().is_root() {
        // Only root can be somebody else; what is behind the peer's credentials is tried in the daemon's own tests.
        eprintln!("not root: nobody else to connect as");
        return;
    }
    let environment = [("WAYHAVEN_CONTROL_GROUP", "54321")];
    let setting = Setting::with(options(1), &environment).await;
    std::fs::set_permissions(setting.home.path(), std::fs::Permissions::from_mode(0o711)).unwrap();

    let (code, said) = as_other(&setting, 1, &["status"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("you may not open the socket") && said.contains("control.group"), "{said}");
    for _ in 0..3 {
        let (code, said) = as_other(&setting, GROUP, &["status"]);
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("control.operators = [\"user:54322\"]"), "{said}");
    }
    let told = denied(&setting, "connect");
    assert_eq!(told.len(), 1, "the others are counted: {told:?}");
    assert_eq!(told[0]["actor"], "unix user 54322");

    let settings = "[control]\nobservers = [\"group:54321\"]\n";
    std::fs::write(setting.home.layout().unwrap().config, settings).unwrap();
    setting.daemon.signal(Signal::HUP).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while as_other(&setting, GROUP, &["status"]).0 != Some(0) {
        assert!(Instant::now() < deadline, "the settings were never taken");
    }
    let (main, user) = (setting.main.to_string(), setting.member(0).to_string());
    let (code, said) = as_other(&setting, GROUP, &["ban", &user, "--guild", &main]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("needs the role operator, and yours is observer"), "{said}");
    assert_eq!(setting.sandbox.effect_count(), 0);
    let told = denied(&setting, "ban");
    assert_eq!((told.len(), &told[0]["actor"]), (1, &json!("unix user 54322")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_39_a_member_who_may_not_is_refused_and_audited_and_costs_nothing_but_the_answer() {
    let mut setting = Setting::new(options(1)).await;
    let (main, member) = (setting.main.get(), setting.member(5));
    let people = setting.sandbox.people();
    let before = setting.sandbox.log().len();
    for _ in 0..20 {
        // Discord offers it to everybody; that it is for staff is for us to say.
        let asked = people.slash(main, member, "punishment list", json!({})).unwrap();
        let reply = people.reply(asked).await.unwrap().to_string();
        assert!(reply.contains("You may not do that"), "{reply}");
    }
    let log = setting.sandbox.log();
    let beside: Vec<_> = log[before..]
        .iter()
        .filter(|one| !one.route.starts_with("/interactions/") && !one.route.starts_with("/webhooks/"))
        .map(|one| (&one.method, &one.route))
        .collect();
    assert!(beside.is_empty(), "{beside:?}");
    let told = denied(&setting, "punishment list");
    assert_eq!(told.len(), 1, "the rest of the minute is counted: {told:?}");
    // At the end of the minute or of the daemon, whichever comes first, the count is told.
    assert_eq!(setting.daemon.terminate().await.unwrap().code(), Some(0));
    setting.daemon = setting.home.start().unwrap();
    setting.daemon.ready().await.unwrap();
    let told = denied(&setting, "punishment list");
    let member = member.to_string();
    assert!(told.iter().all(|entry| entry["actor"] == member.as_str()), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0]["message"].as_str().unwrap().starts_with("19 more: "), "{told:?}");
}
