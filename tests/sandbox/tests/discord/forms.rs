//! What is wrong with a request, in Discord's words.

use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;

use crate::bot::{Bot, unchecked};

#[tokio::test]
async fn the_edge_and_the_door_come_first() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let agent = bot.send(bot.request("GET", "/users/@me").header("User-Agent", "curl/8")).await;
    assert_eq!((agent.status, agent.code()), (403, 40333));
    let client = reqwest::Client::builder().no_proxy().user_agent(crate::bot::AGENT).build().unwrap();
    let url = |rest: &str| format!("{}/api/{rest}", sandbox.api_base());
    assert_eq!(client.get(url("v10/users/@me")).send().await.unwrap().status(), 401);
    assert_eq!(client.get(url("v10/gateway")).send().await.unwrap().status(), 200, "it asks for no token");
    assert_eq!(client.get(url("v6/gateway")).send().await.unwrap().status(), 400);
    assert_eq!(bot.get("/nothing").await.status, 404);
    assert_eq!(bot.bare("DELETE", "/users/@me").await.status, 405);
    assert_eq!(bot.get("/guilds/not-an-id").await.code(), 50035);
}

#[tokio::test]
async fn errors_stand_where_the_mistake_is() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let ban = format!("/guilds/{}/bans/{}", sandbox.main_guild(), sandbox.stranger());
    let refused = bot.with("PUT", &ban, json!({"delete_message_seconds": 604_801})).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body["errors"]["delete_message_seconds"]["_errors"][0]["code"], "NUMBER_TYPE_MAX");
    let garbled = bot.request("PUT", &ban).header("Content-Type", "application/json").body("{");
    assert_eq!(bot.send(garbled).await.code(), 50109);
    let untyped = bot.send(bot.request("PUT", &ban).body("{}")).await;
    assert_eq!((untyped.status, untyped.code()), (400, 50035));
    let long = "%C3%BC".repeat(513);
    let reason = bot.send(bot.request("PUT", &ban).header("X-Audit-Log-Reason", long)).await;
    assert_eq!(reason.code(), 50035);
    let fits = "%C3%BC".repeat(512);
    assert_eq!(bot.send(bot.request("PUT", &ban).header("X-Audit-Log-Reason", fits)).await.status, 204);
}

#[tokio::test]
async fn messages_have_limits_and_nonces() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let path = format!("/channels/{}/messages", sandbox.log_channel(sandbox.main_guild()));
    assert_eq!(bot.with("POST", &path, json!({})).await.code(), 50006);
    let long = bot.with("POST", &path, json!({"content": "x".repeat(2_001)})).await;
    assert_eq!(long.body["errors"]["content"]["_errors"][0]["code"], "BASE_TYPE_BAD_LENGTH");
    let embeds: Vec<Value> = (0..2).map(|_| json!({"description": "d".repeat(3_001)})).collect();
    assert_eq!(
        bot.with("POST", &path, json!({"embeds": embeds})).await.code(),
        50035,
        "6,000 over all embeds"
    );

    sandbox.advance(std::time::Duration::from_secs(60));
    let message = json!({"content": "hi <@1>", "nonce": "n-1", "enforce_nonce": true, "allowed_mentions": {"parse": []}});
    let first = bot.with("POST", &path, message.clone()).await;
    let again = bot.with("POST", &path, message).await;
    assert_eq!(first.body["id"], again.body["id"]);
    assert_eq!(first.body["mentions"], json!([]));
    assert_eq!(sandbox.messages(sandbox.log_channel(sandbox.main_guild())).len(), 1);
}

#[tokio::test]
async fn direct_messages_need_a_mutual_guild_and_an_open_door() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let user = sandbox.members(sandbox.main_guild())[0];
    let open = json!({"recipient_id": user.to_string()});
    let channel = bot.with("POST", "/users/@me/channels", open.clone()).await.body;
    assert_eq!(bot.with("POST", "/users/@me/channels", open).await.body["id"], channel["id"]);
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    assert_eq!(bot.with("POST", &path, json!({"content": "notice"})).await.status, 200);
    assert_eq!(sandbox.direct_messages(user).len(), 1);
    sandbox.people().accept_dms(user, false);
    assert_eq!(bot.with("POST", &path, json!({"content": "notice"})).await.code(), 50007);
    let stranger = json!({"recipient_id": sandbox.stranger().to_string()});
    let channel = bot.with("POST", "/users/@me/channels", stranger).await.body;
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    assert_eq!(bot.with("POST", &path, json!({"content": "notice"})).await.code(), 50278);
}
