//! Registering commands.

use serde_json::{Value, json};
use wayhaven_sandbox::{Options, Sandbox};

use crate::bot::{Bot, unchecked};

#[tokio::test]
async fn a_set_replaces_the_set_before_and_keeps_ids() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let path = format!("/applications/{}/commands", sandbox.application_id());
    let command = |name: &str, text: &str| json!({"name": name, "description": text});
    let first = bot.with("PUT", &path, json!([command("ban", "a"), command("kick", "b")])).await.body;
    let second = bot.with("PUT", &path, json!([command("ban", "c")])).await.body;
    assert_eq!(second[0]["id"], first[0]["id"]);
    assert_ne!(second[0]["version"], first[0]["version"]);
    assert_eq!(sandbox.commands().len(), 1);
    assert_eq!(bot.with("POST", &path, command("ban", "d")).await.status, 200);
    assert_eq!(bot.with("POST", &path, command("warn", "d")).await.status, 201);
    assert_eq!(bot.get(&path).await.body.as_array().unwrap().len(), 2);
    assert_eq!(bot.with("PUT", "/applications/1/commands", json!([])).await.code(), 20012);
    let guild =
        format!("/applications/{}/guilds/{}/commands", sandbox.application_id(), sandbox.main_guild());
    assert_eq!(bot.with("PUT", &guild, json!([command("here", "x")])).await.status, 200);
    assert_eq!(sandbox.guild_commands(sandbox.main_guild())[0]["guild_id"], sandbox.main_guild().to_string());
}

#[tokio::test]
async fn a_wrong_set_changes_nothing_and_the_errors_say_where() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let path = format!("/applications/{}/commands", sandbox.application_id());
    let wrong = json!([{"name": "ok", "description": "fine"},
        {"name": "Bad Name", "description": "", "default_member_permissions": 8, "contexts": [7]}]);
    let refused = bot.with("PUT", &path, wrong).await;
    assert_eq!((refused.status, refused.code()), (400, 50035));
    let codes = |key: &str| refused.body["errors"]["1"][key]["_errors"][0]["code"].clone();
    assert_eq!(codes("name"), "STRING_TYPE_REGEX");
    assert_eq!(codes("description"), "BASE_TYPE_BAD_LENGTH");
    assert_eq!(codes("default_member_permissions"), "NUMBER_TYPE_COERCE");
    assert_eq!(refused.body["errors"]["1"]["contexts"]["0"]["_errors"][0]["code"], "BASE_TYPE_CHOICES");
    assert!(sandbox.commands().is_empty());
    let many: Vec<Value> = (0..101).map(|at| json!({"name": format!("c{at}"), "description": "d"})).collect();
    assert_eq!(bot.with("PUT", &path, json!(many)).await.code(), 30032);
}

#[tokio::test]
async fn two_hundred_new_names_a_day() {
    let sandbox = Sandbox::start(Options { global_limit: 0, ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    let path = format!("/applications/{}/commands", sandbox.application_id());
    let set = |from: usize| -> Value {
        (from..from + 90).map(|at| json!({"name": format!("c{at}"), "description": "d"})).collect()
    };
    assert_eq!(bot.with("PUT", &path, set(0)).await.status, 200);
    assert_eq!(bot.with("PUT", &path, set(0)).await.status, 200, "the same names cost nothing");
    assert_eq!(bot.with("PUT", &path, set(100)).await.status, 200);
    assert_eq!(bot.with("PUT", &path, set(200)).await.code(), 30034);
    sandbox.advance(std::time::Duration::from_secs(24 * 3_600));
    assert_eq!(bot.with("PUT", &path, set(200)).await.status, 200);
}
