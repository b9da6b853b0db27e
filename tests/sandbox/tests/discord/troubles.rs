//! What goes wrong with gateway connections, by code and by the control address.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::tungstenite::Error;
use wayhaven_sandbox::{Aim, Fault, Options, Sandbox, Trouble};

use crate::bot::{Desk, INTENTS, PATIENCE, Socket, identify, members, resume, unchecked};

fn inject(sandbox: &Sandbox, trouble: Trouble) -> u64 {
    sandbox.inject(Fault::Gateway { trouble })
}

fn ban(sandbox: &Sandbox) -> u64 {
    let user = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), user, None).unwrap();
    user
}

/// A session without connection, its READY and the last number it saw.
async fn lost_session(sandbox: &Sandbox) -> (Value, u64) {
    let (mut socket, ready) = Socket::ready(sandbox).await;
    for _ in 0..ready["guilds"].as_array().unwrap().len() {
        socket.event("GUILD_CREATE").await;
    }
    inject(sandbox, Trouble::DropTcp);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    (ready, socket.last)
}

/// Resumes and gives the numbers of the dispatches up to RESUMED, without its own.
async fn replayed(sandbox: &Sandbox, ready: &Value, seen: u64) -> Vec<u64> {
    let mut socket = Socket::greeted(sandbox).await;
    socket.send(resume(sandbox.token(), ready, seen)).await;
    let mut numbers = Vec::new();
    loop {
        let payload = socket.next().await;
        assert_eq!(payload["op"], 0, "{payload}");
        if payload["t"] == "RESUMED" {
            return numbers;
        }
        numbers.push(payload["s"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn a_replay_has_a_hole() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (ready, seen) = lost_session(&sandbox).await;
    for _ in 0..2 {
        ban(&sandbox);
    }
    // Each ban is an event and an audit entry: four were missed.
    Desk::of(&sandbox).trouble(json!({"replay_hole": {"skip": 1, "count": 2}})).await;
    assert_eq!(replayed(&sandbox, &ready, seen).await, [seen + 1, seen + 4]);
}

#[tokio::test]
async fn a_replay_has_duplicates() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (ready, seen) = lost_session(&sandbox).await;
    ban(&sandbox);
    Desk::of(&sandbox).trouble(json!("replay_twice")).await;
    assert_eq!(replayed(&sandbox, &ready, seen).await, [seen + 1, seen + 1, seen + 2, seen + 2]);
}

#[tokio::test]
async fn a_resume_is_refused_once_or_after_a_time() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (ready, seen) = lost_session(&sandbox).await;
    let after = Desk::of(&sandbox).trouble(json!({"refuse_resume_after": 20_000})).await;
    assert_eq!(replayed(&sandbox, &ready, seen).await, [0; 0], "it is not that long yet");
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    sandbox.advance(Duration::from_secs(21));
    let mut socket = Socket::greeted(&sandbox).await;
    socket.send(resume(sandbox.token(), &ready, seen)).await;
    assert_eq!(socket.next().await["op"], 9);
    sandbox.clear(after);

    let once = Fault::Gateway { trouble: Trouble::RefuseResume };
    sandbox.inject(once.only(Aim { times: Some(1), ..Aim::default() }));
    for expected in [9, 0] {
        let (ready, seen) = lost_session(&sandbox).await;
        let mut socket = Socket::greeted(&sandbox).await;
        socket.send(resume(sandbox.token(), &ready, seen)).await;
        assert_eq!(socket.next().await["op"], expected);
    }
}

#[tokio::test]
async fn a_half_open_connection_says_and_hears_nothing_but_a_new_one_does() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (mut dead, ready) = Socket::ready(&sandbox).await;
    for _ in 0..4 {
        dead.event("GUILD_CREATE").await;
    }
    let seen = dead.last;
    inject(&sandbox, Trouble::HalfOpen);
    dead.send(json!({"op": 1, "d": seen})).await;
    ban(&sandbox);
    assert_eq!(sandbox.connected_sessions(), 1, "nobody noticed");
    assert_eq!(replayed(&sandbox, &ready, seen).await, [seen + 1, seen + 2]);
    // The new connection took the session over, so the old one ends; nothing came before that.
    assert_eq!(dead.next().await, json!({"close": null}));
}

#[tokio::test]
async fn a_connection_is_accepted_and_not_answered() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let desk = Desk::of(&sandbox);
    let mute = desk.trouble(json!("no_handshake")).await;
    let mut greeted = Box::pin(Socket::greeted(&sandbox));
    // Far more round trips, on the same thread, than a handshake takes.
    let much_else = async {
        for _ in 0..50 {
            desk.post("/stranger", json!({})).await;
        }
    };
    tokio::select! {
        _ = &mut greeted => panic!("the handshake was answered"),
        () = much_else => {}
    }
    desk.clear(mute).await;
    greeted.await;
}

#[tokio::test]
async fn connections_end_without_a_code_and_by_a_reset() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    Desk::of(&sandbox).trouble(json!("close_without_code")).await;
    assert!(matches!(socket.end().await, Ok(None)), "a close frame without a code");
    let mut socket = Socket::settled(&sandbox).await;
    Desk::of(&sandbox).trouble(json!("reset")).await;
    match socket.end().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        other => panic!("no reset: {other:?}"),
    }
    // A drop is an end of file, no reset.
    let mut socket = Socket::settled(&sandbox).await;
    inject(&sandbox, Trouble::DropTcp);
    let end = socket.end().await;
    assert!(matches!(end, Err(Error::Protocol(_))), "{end:?}");
}

#[tokio::test]
async fn a_close_code_that_ends_the_session_leaves_nothing_to_resume() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    for (code, left) in [(4000, 1), (4008, 1), (4007, 0), (4009, 0)] {
        sandbox.change(|world| world.sessions.clear());
        let mut socket = Socket::settled(&sandbox).await;
        Desk::of(&sandbox).trouble(json!({"close": code})).await;
        assert_eq!(socket.closed().await, code);
        sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
        assert_eq!(sandbox.read(|world| world.sessions.len()), left, "{code}");
    }
}

#[tokio::test]
async fn frames_drip_a_few_bytes_at_a_time() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let desk = Desk::of(&sandbox);
    let hour = Duration::from_secs(3_600);
    let drip = desk.trouble(json!({"drip": {"bytes": 4, "every_ms": 3_600_000}})).await;
    let text = json!({"op": 99}).to_string();
    inject(&sandbox, Trouble::Raw(text.clone()));
    // Two bytes of the frame's head, then the text.
    let mut bytes = Vec::new();
    let mut some = [0; 64];
    for _ in 0..2 {
        let count = socket.raw().read(&mut some).await.unwrap();
        assert_eq!(count, 4);
        bytes.extend_from_slice(&some[..count]);
        sandbox.advance(hour);
    }
    desk.clear(drip).await;
    while bytes.len() < text.len() + 2 {
        let count = socket.raw().read(&mut some).await.unwrap();
        bytes.extend_from_slice(&some[..count]);
    }
    assert_eq!(&bytes[2..], text.as_bytes());
}

#[tokio::test]
async fn what_no_discord_documents_is_sent_on_demand() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (desk, before) = (Desk::of(&sandbox), socket.last);
    desk.trouble(json!("unknown_op")).await;
    assert_eq!(socket.next().await["op"], 99);
    desk.trouble(json!("unknown_event")).await;
    let unknown = socket.next().await;
    assert_eq!((&unknown["t"], &unknown["s"]), (&json!("SOMETHING_NEW"), &json!(before + 1)));
    desk.trouble(json!("malformed_json")).await;
    let text = socket.text().await;
    assert!(serde_json::from_str::<Value>(&text).is_err_and(|error| error.is_eof()), "{text}");
}

#[tokio::test]
async fn short_payloads_are_blobs_only_for_who_asked() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    Desk::of(&sandbox).trouble(json!("zlib_frames")).await;
    for (asks, blobs) in [(true, 1), (false, 0)] {
        let mut socket = Socket::greeted(&sandbox).await;
        let mut payload = identify(sandbox.token(), INTENTS);
        payload["d"]["compress"] = json!(asks);
        socket.send(payload).await;
        for _ in 0..4 {
            socket.event("GUILD_CREATE").await;
        }
        let before = socket.blobs;
        socket.send(json!({"op": 1, "d": null})).await;
        assert_eq!(socket.next().await["op"], 11);
        assert_eq!(socket.blobs - before, blobs);
    }
}

#[tokio::test]
async fn ready_names_fewer_guilds_once() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let child = sandbox.children()[1].to_string();
    let fault = json!({"fault": "only", "of": {"times": 1},
        "what": {"fault": "gateway", "trouble": {"ready_without": [child]}}});
    Desk::of(&sandbox).inject(fault).await;
    for missing in [true, false] {
        let (mut socket, ready) = Socket::ready(&sandbox).await;
        let named = ready["guilds"].as_array().unwrap();
        assert_eq!(named.iter().any(|guild| guild["id"] == child), !missing);
        for _ in 0..named.len() {
            let created = socket.event("GUILD_CREATE").await;
            assert!(!missing || created["id"] != child);
        }
        socket.close(1000).await;
    }
}

#[tokio::test]
async fn a_guild_of_five_megabytes() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let main = sandbox.main_guild();
    let fault = json!({"fault": "large_guild", "guild": main.to_string(), "bytes": 5_000_000});
    Desk::of(&sandbox).inject(fault).await;
    let (mut socket, _) = Socket::ready(&sandbox).await;
    for _ in 0..4 {
        let guild = socket.event("GUILD_CREATE").await;
        let size = guild.to_string().len();
        assert_eq!(size >= 5_000_000, guild["id"] == json!(main.to_string()), "{size}");
        let channels = guild["channels"].as_array().unwrap();
        assert!(channels.len() <= 500, "as many as Discord allows");
    }
}

#[tokio::test]
async fn one_shard_is_troubled_and_the_others_are_not() {
    let sandbox = Sandbox::start(Options { children: 10, ..unchecked() }).await.unwrap();
    let mut shards = Vec::new();
    for shard in 0..2u64 {
        let mut socket = Socket::greeted(&sandbox).await;
        let mut payload = identify(sandbox.token(), INTENTS);
        payload["d"]["shard"] = json!([shard, 2]);
        socket.send(payload).await;
        let guilds = socket.event("READY").await["guilds"].as_array().unwrap().len();
        for _ in 0..guilds {
            socket.event("GUILD_CREATE").await;
        }
        shards.push((socket, guilds));
    }
    let desk = Desk::of(&sandbox);
    let of = |what: &str| json!({"fault": "only", "of": {"shard": 1}, "what": {"fault": "gateway", "trouble": what}});
    let deaf = desk.inject(of("stop_acks")).await;
    for (number, (socket, _)) in shards.iter_mut().enumerate() {
        socket.send(json!({"op": 1, "d": null})).await;
        socket.send(members(&sandbox)).await;
        if number == 0 {
            assert_eq!(socket.next().await["op"], 11);
        }
        assert_eq!(socket.next().await["t"], "GUILD_MEMBERS_CHUNK");
    }
    desk.clear(deaf).await;
    desk.inject(of("guild_storm")).await;
    desk.inject(of("reconnect")).await;
    let (second, guilds) = &mut shards[1];
    for _ in 0..*guilds {
        assert_eq!(second.next().await["t"], "GUILD_CREATE");
    }
    assert_eq!(second.next().await["op"], 7);
    let (first, _) = &mut shards[0];
    inject(&sandbox, Trouble::AskHeartbeat);
    assert_eq!(first.next().await["op"], 1, "no storm and no reconnect before");
}
