//! Answers that come late, in part or wrong, by the control address.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wayhaven_sandbox::{At, Fault, Sandbox};

use crate::bot::{Bot, Desk, PATIENCE, Socket, unchecked};

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

/// What comes in one piece.
async fn piece(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 65_536];
    let count =
        tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("bytes in time").unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

#[tokio::test]
async fn the_headers_come_and_the_body_does_not() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let hang = desk.inject(json!({"fault": "hang_after_headers", "at": {}})).await;
    let mut stream = bot.by_hand("GET", "/users/@me").await;
    let head = piece(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    let mut bodiless = bot.by_hand("PUT", &format!("/guilds/{guild}/bans/{user}")).await;
    let head = piece(&mut bodiless).await;
    assert!(head.starts_with("HTTP/1.1 204") && !head.ends_with("\r\n\r\n"), "{head}");
    assert!(sandbox.is_banned(guild, user));
    desk.clear(hang).await;
    let me: Value = serde_json::from_str(&piece(&mut stream).await).unwrap();
    assert_eq!(me["id"], sandbox.bot_id().to_string());
    assert_eq!(piece(&mut bodiless).await, "\r\n");
    // The connection is as good as before.
    stream
        .write_all(b"GET /api/v10/gateway HTTP/1.1\r\nHost: x\r\nUser-Agent: DiscordBot (x)\r\n\r\n")
        .await
        .unwrap();
    assert!(piece(&mut stream).await.contains("\"url\""));
}

#[tokio::test]
async fn the_connection_is_reset_inside_the_answer() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    desk.inject(json!({"fault": "reset_in_body", "at": {"times": 2}})).await;
    let mut stream = bot.by_hand("GET", "/users/@me").await;
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let whole = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(body.len(), whole.parse::<usize>().unwrap() / 2);

    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    let path = format!("/guilds/{guild}/bans/{user}");
    assert!(bot.request("PUT", &path).send().await.is_err());
    assert!(sandbox.is_banned(guild, user));
    assert_eq!((sandbox.effects()[0].status, sandbox.effects()[0].applied), (0, true));
    assert_eq!(bot.get(&path).await.status, 200);
}

#[tokio::test]
async fn success_is_answered_and_applied_when_the_fault_is_cleared() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let mut socket = Socket::settled(&sandbox).await;
    let (guild, user, other) =
        (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0], sandbox.stranger());
    let late = desk.inject(json!({"fault": "applied_later", "at": {"user": user.to_string()}})).await;
    let path = format!("/guilds/{guild}/bans/{user}");
    assert_eq!(bot.bare("PUT", &path).await.status, 204);
    assert_eq!(bot.get(&path).await.code(), 10026, "not yet");
    assert!(sandbox.is_member(guild, user));
    assert!(sandbox.audit_log(guild).is_empty());
    assert!(!sandbox.effects()[0].applied);
    assert_eq!(bot.bare("DELETE", &path).await.code(), 10026, "what would be refused is refused at once");
    assert_eq!(bot.bare("PUT", &format!("/guilds/{guild}/bans/{other}")).await.status, 204);
    assert_eq!(socket.event("GUILD_BAN_ADD").await["user"]["id"], other.to_string());
    desk.clear(late).await;
    assert_eq!(socket.event("GUILD_BAN_ADD").await["user"]["id"], user.to_string());
    assert_eq!(bot.get(&path).await.status, 200);
    assert!(!sandbox.is_member(guild, user));
    assert!(sandbox.effects()[0].applied);
}

#[tokio::test]
async fn success_is_applied_after_a_time() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let at = At::route("PUT", BAN).times(1);
    sandbox.inject(Fault::AppliedLater { at, by: Some(Duration::from_secs(60)) });
    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    let path = format!("/guilds/{guild}/bans/{user}");
    assert_eq!(bot.bare("PUT", &path).await.status, 204);
    sandbox.advance(Duration::from_secs(30));
    assert!(!sandbox.is_banned(guild, user));
    sandbox.advance(Duration::from_secs(31));
    assert!(sandbox.is_banned(guild, user));
    // Without anybody who moves the clock, time itself brings it.
    sandbox.inject(Fault::AppliedLater { at: At::anything(), by: Some(Duration::from_millis(5)) });
    let other = sandbox.stranger();
    bot.bare("PUT", &format!("/guilds/{guild}/bans/{other}")).await;
    sandbox.wait_until(|discord| discord.is_banned(guild, other), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_429_blames_as_told_with_right_wrong_or_no_headers() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let limit = |scope: &str, headers: Value| json!({"fault": "rate_limit", "at": {"times": 1}, "scope": scope, "retry_after": 1.5, "headers": headers});
    for (scope, global, remaining) in
        [("user", None, Some("0")), ("shared", None, Some("9")), ("global", Some("true"), None)]
    {
        desk.inject(limit(scope, Value::Null)).await;
        let reply = bot.get("/users/@me").await;
        assert_eq!(reply.status, 429);
        assert_eq!(reply.header("x-ratelimit-scope"), Some(scope));
        assert_eq!(reply.header("x-ratelimit-global"), global);
        assert_eq!(reply.header("retry-after"), Some("2"));
        assert_eq!(
            (&reply.body["retry_after"], &reply.body["global"]),
            (&json!(1.5), &json!(global.is_some()))
        );
        assert_eq!(reply.header("x-ratelimit-remaining"), remaining);
        for header in ["limit", "reset", "reset-after", "bucket"] {
            assert_eq!(
                reply.header(&format!("x-ratelimit-{header}")).is_some(),
                remaining.is_some(),
                "{header}"
            );
        }
    }
    desk.inject(limit("user", json!([["Retry-After", "soon"], ["X-RateLimit-Limit", "5.0"]]))).await;
    let wrong = bot.get("/users/@me").await;
    assert_eq!((wrong.header("retry-after"), wrong.header("x-ratelimit-limit")), (Some("soon"), Some("5.0")));
    assert_eq!(wrong.header("x-ratelimit-scope"), None);
    desk.inject(limit("global", json!([]))).await;
    let none = bot.get("/users/@me").await;
    assert_eq!(
        (none.status, none.header("retry-after"), none.header("x-ratelimit-global")),
        (429, None, None)
    );
}

#[tokio::test]
async fn other_answers_than_expected() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    for status in [502, 503] {
        let page = "<html><h1>Bad</h1></html>";
        desk.inject(json!({"fault": "page", "at": {"times": 1}, "status": status, "body": page})).await;
        let reply = bot.get("/users/@me").await;
        assert_eq!((reply.status, &reply.body), (status, &json!(page)));
        assert_eq!(reply.header("content-type"), Some("text/html; charset=UTF-8"));
        assert_eq!(reply.header("via"), None, "it is the edge that answers");
    }
    for (status, code) in [(401, 0), (404, 10004), (403, 50013)] {
        desk.inject(json!({"fault": "answer", "at": {"times": 1}, "status": status, "code": code})).await;
        let reply = bot.get("/users/@me").await;
        assert_eq!((reply.status, reply.code()), (status, code));
    }
    desk.inject(json!({"fault": "redirect", "at": {}, "status": 302, "location": "http://127.0.0.1:1/"}))
        .await;
    let answer = piece(&mut bot.by_hand("GET", "/users/@me").await).await.to_lowercase();
    assert!(
        answer.starts_with("http/1.1 302") && answer.contains("location: http://127.0.0.1:1/"),
        "{answer}"
    );
}
