//! Hello, identify, heartbeats, resume, close codes, who sees what.

use std::time::Duration;

use serde_json::{Value, json};
use wayhaven_sandbox::{Fault, Options, Sandbox, Trouble, permissions};

use crate::bot::{Bot, INTENTS, PATIENCE, Socket, facts, identify, members, missing, unchecked};

#[tokio::test]
async fn ready_is_followed_by_every_guild() {
    let sandbox = Sandbox::start(Options { children: 20, ..unchecked() }).await.unwrap();
    let (mut socket, ready) = Socket::ready(&sandbox).await;
    assert_eq!(ready["guilds"].as_array().unwrap().len(), 21);
    assert!(ready["guilds"].as_array().unwrap().iter().all(|guild| guild["unavailable"] == true));
    let guild = socket.event("GUILD_CREATE").await;
    for (event, payload) in [("READY", &ready), ("GUILD_CREATE", &guild)] {
        for example in facts(event) {
            assert_eq!(missing(payload, &example), Vec::<String>::new(), "{event}");
        }
    }
    for key in ["joined_at", "channels", "roles", "members", "threads", "presences", "stage_instances"] {
        assert!(!guild[key].is_null(), "{key} is missing");
    }
    for _ in 1..21 {
        socket.event("GUILD_CREATE").await;
    }
}

#[tokio::test]
async fn heartbeats_are_acknowledged_and_asked_for() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    socket.send(json!({"op": 1, "d": socket.last})).await;
    assert_eq!(socket.next().await["op"], 11);
    sandbox.inject(Fault::Gateway { trouble: Trouble::AskHeartbeat });
    assert_eq!(socket.next().await["op"], 1);
    let since = json!({"secs_since_epoch": 1, "nanos_since_epoch": 2});
    socket
        .send(json!({"op": 3, "d": {"since": since, "activities": [], "status": "online", "afk": false}}))
        .await;
    let deaf = sandbox.inject(Fault::Gateway { trouble: Trouble::StopAcks });
    socket.send(json!({"op": 1, "d": socket.last})).await;
    socket.send(members(&sandbox)).await;
    assert_eq!(socket.next().await["t"], "GUILD_MEMBERS_CHUNK", "no acknowledgement came before it");
    assert!(sandbox.clear(deaf));
}

#[tokio::test]
async fn a_resume_replays_what_was_missed_in_order() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (mut socket, ready) = Socket::ready(&sandbox).await;
    socket.event("GUILD_CREATE").await;
    let seen = socket.last;
    sandbox.inject(Fault::Gateway { trouble: Trouble::DropTcp });
    assert_eq!(socket.closed().await, Value::Null, "no close frame");
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    let users = [sandbox.stranger(), sandbox.stranger()];
    for user in users {
        sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), user, None).unwrap();
    }
    let mut socket = Socket::greeted(&sandbox).await;
    let resume =
        json!({"op": 6, "d": {"token": sandbox.token(), "session_id": ready["session_id"], "seq": seen}});
    socket.send(resume.clone()).await;
    let mut sequences = Vec::new();
    let mut banned: Vec<u64> = Vec::new();
    loop {
        let payload = socket.next().await;
        sequences.push(payload["s"].as_u64().unwrap());
        match payload["t"].as_str() {
            Some("GUILD_BAN_ADD") => {
                banned.push(payload["d"]["user"]["id"].as_str().unwrap().parse().unwrap())
            }
            Some("RESUMED") => break,
            _ => {}
        }
    }
    assert_eq!(banned, users);
    assert_eq!(sequences, (seen + 1..=seen + sequences.len() as u64).collect::<Vec<_>>());

    // A clean close ends the session: it cannot be resumed.
    socket.close(1000).await;
    sandbox.wait_until(|discord| discord.read(|world| world.sessions.is_empty()), PATIENCE).await.unwrap();
    let mut socket = Socket::greeted(&sandbox).await;
    socket.send(resume).await;
    let answer = socket.next().await;
    assert_eq!((&answer["op"], &answer["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn a_session_expires_and_cannot_be_resumed_from_the_future() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let resume = |ready: &Value, seq: u64| json!({"op": 6, "d": {"token": sandbox.token(), "session_id": ready["session_id"], "seq": seq}});
    let (socket, ready) = Socket::ready(&sandbox).await;
    drop(socket);
    let mut socket = Socket::greeted(&sandbox).await;
    socket.send(resume(&ready, 5_000)).await;
    assert_eq!(socket.closed().await, 4007);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    sandbox.advance(Duration::from_secs(600));
    let mut socket = Socket::greeted(&sandbox).await;
    socket.send(resume(&ready, 1)).await;
    assert_eq!(socket.next().await["op"], 9);
}

#[tokio::test]
async fn wrong_clients_are_closed_with_their_code() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let token = sandbox.token();
    let shard = |id: u64, count: u64| {
        let mut payload = identify(token, 1);
        payload["d"]["shard"] = json!([id, count]);
        payload
    };
    let cases = [
        (identify("wrong", INTENTS), 4004),
        (identify(token, 1 << 40), 4013),
        (identify(token, 1 << 8), 4014),
        (shard(3, 3), 4010),
        (json!({"op": 3, "d": {}}), 4003),
        (json!({"op": 77}), 4001),
        (json!({"op": 1, "d": "x".repeat(5_000)}), 4002),
    ];
    for (payload, code) in cases {
        let mut socket = Socket::greeted(&sandbox).await;
        socket.send(payload).await;
        assert_eq!(socket.closed().await, code);
    }
    let mut old = Socket::connect(&sandbox, "?v=9").await;
    assert_eq!(old.closed().await, 4012);
    let mut twice = Socket::settled(&sandbox).await;
    twice.send(identify(token, INTENTS)).await;
    assert_eq!(twice.closed().await, 4005);
    let mut chatty = Socket::greeted(&sandbox).await;
    for _ in 0..121 {
        chatty.send(json!({"op": 1, "d": null})).await;
    }
    assert_eq!(chatty.closed().await, 4008);
}

#[tokio::test]
async fn identifies_have_a_pace_and_a_daily_budget() {
    let options = Options { max_concurrency: 1, session_starts: 2, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let (_socket, _) = Socket::ready(&sandbox).await;
    let mut hasty = Socket::greeted(&sandbox).await;
    hasty.send(identify(sandbox.token(), INTENTS)).await;
    assert_eq!(hasty.next().await["op"], 9);
    sandbox.advance(Duration::from_secs(5));
    let (mut second, _) = Socket::ready(&sandbox).await;
    let told = Bot::of(&sandbox).get("/gateway/bot").await.body;
    let limit = &told["session_start_limit"];
    assert_eq!(
        (&limit["total"], &limit["remaining"], &limit["max_concurrency"]),
        (&json!(2), &json!(0), &json!(1))
    );
    let reset = limit["reset_after"].as_u64().unwrap();
    let day = 24 * 3_600_000;
    assert!(reset <= day - 5_000 && reset > day - 60_000, "a day after the first, five seconds ago: {reset}");
    sandbox.advance(Duration::from_secs(5));
    let mut third = Socket::greeted(&sandbox).await;
    third.send(identify(sandbox.token(), INTENTS)).await;
    assert_eq!(third.closed().await, 4004);
    assert_eq!(second.closed().await, 4004, "every session ends");
    assert_eq!(Bot::of(&sandbox).get("/users/@me").await.status, 401, "the token was reset");
}

#[tokio::test]
async fn events_need_the_intent_and_the_permission() {
    let blind = permissions::VIEW_AUDIT_LOG;
    let options = Options {
        without_permission: vec![(0, blind), (1, blind | permissions::BAN_MEMBERS)],
        ..unchecked()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut full = Socket::settled(&sandbox).await;
    let mut bare = Socket::greeted(&sandbox).await;
    bare.send(identify(sandbox.token(), 1)).await;
    bare.event("READY").await;
    for _ in 0..4 {
        bare.event("GUILD_CREATE").await;
    }
    let children = sandbox.children();
    for child in &children {
        sandbox.people().ban(*child, sandbox.owner(), sandbox.stranger(), None).unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let payload = full.next().await;
        let guild: u64 = payload["d"]["guild_id"].as_str().unwrap().parse().unwrap();
        seen.push((payload["t"].as_str().unwrap().to_owned(), guild));
    }
    let told = |name: &str, child: usize| (name.to_owned(), children[child]);
    let audit = "GUILD_AUDIT_LOG_ENTRY_CREATE";
    assert_eq!(seen, [told("GUILD_BAN_ADD", 0), told("GUILD_BAN_ADD", 2), told(audit, 2)]);
    sandbox.people().outage(children[0]).unwrap();
    let next = bare.next().await;
    assert_eq!(next["t"], "GUILD_DELETE", "the session without GUILD_MODERATION saw no ban: {next}");
    assert_eq!(next["d"]["unavailable"], true);
}

#[tokio::test]
async fn large_payloads_are_blobs_for_who_asks() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::greeted(&sandbox).await;
    let mut payload = identify(sandbox.token(), INTENTS);
    payload["d"]["compress"] = json!(true);
    socket.send(payload).await;
    socket.event("READY").await;
    socket.event("GUILD_CREATE").await;
    assert!(socket.blobs >= 1);
}
