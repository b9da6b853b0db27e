//! Several shards: who gets which guilds and events, how fast they may start, how many guilds one can have.

use std::time::Duration;

use serde_json::{Value, json};
use wayhaven_sandbox::{Options, Sandbox};

use crate::bot::{Bot, Desk, INTENTS, Socket, identify, unchecked};

fn identify_shard(sandbox: &Sandbox, shard: u64, shards: u64) -> Value {
    let mut payload = identify(sandbox.token(), INTENTS);
    payload["d"]["shard"] = json!([shard, shards]);
    payload
}

/// A session of a shard and the guilds that READY names; their GUILD_CREATEs are taken.
async fn session(sandbox: &Sandbox, shard: u64, shards: u64) -> (Socket, Vec<u64>) {
    let mut socket = Socket::greeted(sandbox).await;
    socket.send(identify_shard(sandbox, shard, shards)).await;
    let ready = socket.event("READY").await;
    assert_eq!(ready["shard"], json!([shard, shards]));
    let mut guilds: Vec<u64> = Vec::new();
    for guild in ready["guilds"].as_array().unwrap() {
        guilds.push(guild["id"].as_str().unwrap().parse().unwrap());
    }
    for guild in &guilds {
        assert_eq!(socket.event("GUILD_CREATE").await["id"], guild.to_string());
    }
    (socket, guilds)
}

#[tokio::test]
async fn guilds_and_their_events_belong_to_one_shard() {
    let sandbox = Sandbox::start(Options { children: 30, shards: 5, ..unchecked() }).await.unwrap();
    assert_eq!(Bot::of(&sandbox).get("/gateway/bot").await.body["shards"], 5);
    let mut sessions = Vec::new();
    for shard in 0..5 {
        let (socket, guilds) = session(&sandbox, shard, 5).await;
        assert!(guilds.iter().all(|guild| (guild >> 22) % 5 == shard), "{shard}: {guilds:?}");
        assert!((6..=7).contains(&guilds.len()), "31 guilds over five shards: {guilds:?}");
        sessions.push((socket, guilds));
    }
    for (_, guilds) in &sessions {
        for guild in guilds {
            sandbox.people().ban(*guild, sandbox.owner(), sandbox.stranger(), None).unwrap();
        }
    }
    for (socket, guilds) in &mut sessions {
        for guild in guilds.iter() {
            for name in ["GUILD_BAN_ADD", "GUILD_AUDIT_LOG_ENTRY_CREATE"] {
                let payload = socket.next().await;
                assert_eq!(
                    (&payload["t"], &payload["d"]["guild_id"]),
                    (&json!(name), &json!(guild.to_string()))
                );
            }
        }
    }
}

#[tokio::test]
async fn each_bucket_of_shards_has_one_identify_in_five_seconds() {
    let options = Options { max_concurrency: 2, shards: 4, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut held = Vec::new();
    // 0 and 1 are of two buckets; 2 is of the same bucket as 0.
    for (shard, welcome) in [(0, true), (1, true), (2, false), (0, false)] {
        let mut socket = Socket::greeted(&sandbox).await;
        socket.send(identify_shard(&sandbox, shard, 4)).await;
        let answer = socket.next().await;
        let expected = if welcome { (json!(0), json!("READY")) } else { (json!(9), Value::Null) };
        assert_eq!((answer["op"].clone(), answer["t"].clone()), expected, "{shard}");
        held.push(socket);
    }
    assert_eq!(sandbox.identifies(), 2, "what is refused costs nothing");
    sandbox.advance(Duration::from_secs(5));
    held[2].send(identify_shard(&sandbox, 2, 4)).await;
    assert_eq!(held[2].next().await["t"], "READY");
    Desk::of(&sandbox).post("/options", json!({"identify_window_ms": 0})).await;
    held[3].send(identify_shard(&sandbox, 0, 4)).await;
    assert_eq!(held[3].next().await["t"], "READY");
}

#[tokio::test]
async fn the_budget_of_identifies_can_be_changed_while_it_runs() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (_socket, _) = session(&sandbox, 0, 1).await;
    Desk::of(&sandbox).post("/options", json!({"session_starts": 1})).await;
    let mut over = Socket::greeted(&sandbox).await;
    over.send(identify_shard(&sandbox, 0, 1)).await;
    assert_eq!(over.closed().await, 4004);
    assert_eq!(Bot::of(&sandbox).get("/users/@me").await.status, 401);
}

#[tokio::test]
async fn a_shard_is_welcomed_with_2500_guilds_and_refused_with_more() {
    let sandbox = Sandbox::start(Options { children: 2_500, members: 0, ..unchecked() }).await.unwrap();
    let mut alone = Socket::greeted(&sandbox).await;
    alone.send(identify_shard(&sandbox, 0, 1)).await;
    assert_eq!(alone.closed().await, 4011, "2,501 guilds");
    sandbox.people().remove_bot(sandbox.children()[7]).unwrap();
    let (mut socket, guilds) = session(&sandbox, 0, 1).await;
    assert_eq!(guilds.len(), 2_500);
    // And once more, as after an outage of everything.
    Desk::of(&sandbox).trouble(json!("guild_storm")).await;
    for guild in &guilds {
        assert_eq!(socket.event("GUILD_CREATE").await["id"], guild.to_string());
    }
}

#[tokio::test]
async fn all_members_are_given_once_in_thirty_seconds() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, child) = (sandbox.main_guild().to_string(), sandbox.children()[0].to_string());
    let all = |guild: &str| json!({"op": 8, "d": {"guild_id": guild, "query": "", "limit": 0, "nonce": "n"}});
    let mut next = async |asked: Value| {
        socket.send(asked).await;
        let payload = socket.next().await;
        (payload["t"].as_str().unwrap().to_owned(), payload["d"].clone())
    };
    assert_eq!(next(all(&main)).await.0, "GUILD_MEMBERS_CHUNK");
    let (name, told) = next(all(&main)).await;
    assert_eq!(name, "RATE_LIMITED");
    assert_eq!((&told["opcode"], &told["meta"]), (&json!(8), &json!({"guild_id": main, "nonce": "n"})));
    let wait = told["retry_after"].as_f64().unwrap();
    assert!(wait > 0.0 && wait <= 30.0, "{wait}");
    assert_eq!(next(all(&child)).await.0, "GUILD_MEMBERS_CHUNK", "another guild");
    let one = json!({"op": 8, "d": {"guild_id": main, "user_ids": [sandbox.owner().to_string()]}});
    assert_eq!(next(one).await.0, "GUILD_MEMBERS_CHUNK", "not all of them");
    sandbox.advance(Duration::from_secs(30));
    assert_eq!(next(all(&main)).await.0, "GUILD_MEMBERS_CHUNK");
}
