//! Time that stands still, and time that flies.

use std::time::Duration;

use serde_json::json;
use wayhaven_sandbox::{Options, Sandbox};

use crate::bot::{Bot, Desk, PATIENCE, Socket, unchecked};

/// Commands and an interaction that waits for its answer; gives the address of its callback.
async fn asked(sandbox: &Sandbox, bot: &Bot, socket: &mut Socket) -> String {
    let app = sandbox.application_id();
    let command = json!([{"name": "look", "description": "d", "contexts": [0]}]);
    assert_eq!(bot.with("PUT", &format!("/applications/{app}/commands"), command).await.status, 200);
    sandbox.people().slash(sandbox.main_guild(), sandbox.moderator(), "look", json!({})).unwrap();
    let event = socket.event("INTERACTION_CREATE").await;
    format!("/interactions/{}/{}/callback", event["id"].as_str().unwrap(), event["token"].as_str().unwrap())
}

#[tokio::test]
async fn deadlines_pass_only_when_a_standing_clock_is_advanced() {
    let options = Options { time_factor: 0, non_member_bans: 1, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let now = sandbox.read(|world| world.clock.now());
    let mut socket = Socket::settled(&sandbox).await;
    let callback = asked(&sandbox, &bot, &mut socket).await;
    let guild = sandbox.main_guild();
    let ban = async |user: u64| bot.bare("PUT", &format!("/guilds/{guild}/bans/{user}")).await;
    assert_eq!(ban(sandbox.stranger()).await.status, 204);
    assert_eq!(ban(sandbox.stranger()).await.code(), 30035);
    assert_eq!(sandbox.read(|world| world.clock.now()), now, "it stands still");
    // To the last millisecond of the three seconds, and one over.
    desk.post("/clock/advance", json!({"ms": 3_000})).await;
    assert_eq!(bot.with("POST", &callback, json!({"type": 5})).await.status, 204);
    let late = asked(&sandbox, &bot, &mut socket).await;
    desk.post("/clock/advance", json!({"ms": 3_001})).await;
    assert_eq!(bot.with("POST", &late, json!({"type": 5})).await.code(), 10062);
    // The token is good for 15 minutes, of which the two advances took six seconds and a millisecond.
    let token = callback.split('/').nth(3).unwrap();
    let original = format!("/webhooks/{}/{token}/messages/@original", sandbox.application_id());
    let minutes = Duration::from_secs(15 * 60);
    sandbox.advance(minutes - Duration::from_millis(6_001));
    assert_eq!(bot.with("PATCH", &original, json!({"content": "x"})).await.status, 200);
    sandbox.advance(Duration::from_millis(1));
    assert_eq!(bot.with("PATCH", &original, json!({"content": "y"})).await.code(), 50027);
    sandbox.advance(Duration::from_secs(24 * 3_600) - minutes - Duration::from_millis(2));
    assert_eq!(ban(sandbox.stranger()).await.code(), 30035);
    sandbox.advance(Duration::from_millis(1));
    assert_eq!(ban(sandbox.stranger()).await.status, 204);
}

#[tokio::test]
async fn a_fast_clock_brings_deadlines_by_itself() {
    let options = Options { time_factor: 0, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    desk.inject(json!({"fault": "applied_later", "at": {}, "by_ms": 3_600_000})).await;
    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    assert_eq!(bot.bare("PUT", &format!("/guilds/{guild}/bans/{user}")).await.status, 204);
    // An hour in less than a second of ours.
    assert_eq!(desk.post("/options", json!({"time_factor": 100_000})).await.0, 200);
    sandbox.wait_until(|discord| discord.is_banned(guild, user), PATIENCE).await.unwrap();
}
