//! Discord's own description of its API, against what is sent here and what is answered.

use std::time::Duration;

use serde_json::{Value, json};
use wayhaven_sandbox::{Conformance, Options, Sandbox};

use crate::bot::{Bot, Socket, unchecked};

/// The description, or the reason why a test has nothing to do.
fn description() -> Option<(std::path::PathBuf, Conformance)> {
    let Some(path) = std::env::var_os("DISCORD_OPENAPI").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: DISCORD_OPENAPI does not name Discord's openapi.json");
        return None;
    };
    let path = std::path::PathBuf::from(path);
    let read = Conformance::read(&path).unwrap();
    Some((path, read))
}

#[tokio::test]
async fn what_the_sandbox_answers_fits_the_description() {
    let Some((path, description)) = description() else { return };
    let bot_permissions =
        wayhaven_sandbox::permissions::LEAST_FOR_BOT | wayhaven_sandbox::permissions::MANAGE_GUILD;
    let options = Options { openapi: Some(path), global_limit: 0, bot_permissions, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let bot = Bot::of(&sandbox);
    let mut socket = Socket::settled(&sandbox).await;
    let (main, app) = (sandbox.main_guild(), sandbox.application_id());
    let members = sandbox.members(main);
    let user = members[0];
    // What others did is in the log that is read below.
    let people = sandbox.people();
    let other = people.invite_other_bot(main, wayhaven_sandbox::permissions::BAN_MEMBERS).unwrap();
    people.ban(main, other, members[1], None).unwrap();
    people.prune(main, sandbox.owner(), &members[2..4]).unwrap();
    people.automod_timeout(main, members[4], "No slurs", Duration::from_secs(60)).unwrap();
    let log = sandbox.log_channel(main);
    let muted = sandbox.role(main, "Muted");
    let command = json!({"name": "sync", "description": "d", "default_member_permissions": "4", "contexts": [0],
        "options": [{"type": 2, "name": "g", "description": "d", "options": [{"type": 1, "name": "s",
        "description": "d", "options": [{"type": 3, "name": "why", "description": "d"}]}]}]});
    let message =
        json!({"content": "x", "embeds": [{"title": "t", "fields": [{"name": "n", "value": "v"}]}]});
    let steps: Vec<(&str, String, Value)> = vec![
        ("GET", "/gateway".into(), Value::Null),
        ("GET", "/gateway/bot".into(), Value::Null),
        ("GET", "/users/@me".into(), Value::Null),
        ("GET", "/users/@me/guilds?with_counts=true&limit=2".into(), Value::Null),
        ("GET", format!("/users/{user}"), Value::Null),
        ("GET", format!("/users/{other}"), Value::Null),
        ("GET", "/applications/@me".into(), Value::Null),
        ("GET", "/oauth2/applications/@me".into(), Value::Null),
        ("PUT", format!("/applications/{app}/commands"), json!([command])),
        ("POST", format!("/applications/{app}/guilds/{main}/commands"), command.clone()),
        ("GET", format!("/applications/{app}/commands"), Value::Null),
        ("GET", format!("/guilds/{main}?with_counts=true"), Value::Null),
        ("GET", format!("/guilds/{main}/roles"), Value::Null),
        ("POST", format!("/guilds/{main}/roles"), json!({"name": "new", "permissions": "0"})),
        ("GET", format!("/guilds/{main}/roles/{muted}"), Value::Null),
        ("PATCH", format!("/guilds/{main}/roles/{muted}"), json!({"name": "Silenced"})),
        ("GET", format!("/guilds/{main}/channels"), Value::Null),
        ("GET", format!("/channels/{log}"), Value::Null),
        ("GET", format!("/guilds/{main}/members?limit=5"), Value::Null),
        ("GET", format!("/guilds/{main}/members/{user}"), Value::Null),
        ("PATCH", format!("/guilds/{main}/members/{user}"), json!({"communication_disabled_until": null})),
        ("PUT", format!("/guilds/{main}/members/{user}/roles/{muted}"), Value::Null),
        ("POST", "/users/@me/channels".into(), json!({"recipient_id": user.to_string()})),
        ("POST", format!("/channels/{log}/messages"), message.clone()),
        ("GET", format!("/channels/{log}/messages?limit=5"), Value::Null),
        ("PUT", format!("/guilds/{main}/bans/{user}"), json!({"delete_message_seconds": 0})),
        ("GET", format!("/guilds/{main}/bans/{user}"), Value::Null),
        ("GET", format!("/guilds/{main}/bans?limit=5&after=0"), Value::Null),
        ("POST", format!("/guilds/{main}/bulk-ban"), json!({"user_ids": [sandbox.stranger().to_string()]})),
        ("GET", format!("/guilds/{main}/audit-logs?limit=50&action_type=22"), Value::Null),
        ("DELETE", format!("/guilds/{main}/bans/{user}"), Value::Null),
        ("GET", format!("/guilds/{main}/audit-logs?after=0"), Value::Null),
        ("GET", format!("/guilds/{main}/audit-logs?user_id={other}&target_id={}", members[1]), Value::Null),
    ];
    let mut wrong = Vec::new();
    for (method, path, body) in steps {
        let request = bot.request(method, &path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let reply = bot.send(request).await;
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
        let bare = path.split('?').next().unwrap();
        if reply.status != 204 {
            wrong.extend(description.check_response(method, bare, reply.status, &reply.body));
        }
    }
    people.slash(main, sandbox.moderator(), "sync g s", json!({"why": "x"})).unwrap();
    let event = socket.event("INTERACTION_CREATE").await;
    let (id, token) = (event["id"].as_str().unwrap(), event["token"].as_str().unwrap());
    let callback = format!("/interactions/{id}/{token}/callback");
    let answer = bot
        .with("POST", &format!("{callback}?with_response=true"), json!({"type": 4, "data": message}))
        .await;
    wrong.extend(description.check_response("POST", &callback, answer.status, &answer.body));
    let original = format!("/webhooks/{app}/{token}/messages/@original");
    let edited = bot.with("PATCH", &original, json!({"content": "y"})).await;
    wrong.extend(description.check_response("PATCH", &original, edited.status, &edited.body));
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_request_that_discord_does_not_describe_is_a_violation() {
    let Some((path, _)) = description() else { return };
    let sandbox = Sandbox::start(Options { openapi: Some(path), ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    let ban = format!("/guilds/{}/bans/{}", sandbox.main_guild(), sandbox.stranger());
    bot.bare("PUT", &ban).await;
    assert_eq!(sandbox.violations(), Vec::<String>::new(), "a body-less ban is a written exception");
    bot.bare("PUT", &format!("{ban}?delete_message_seconds=0")).await;
    bot.with("PUT", &ban, json!({"delete_message_seconds": "1"})).await;
    bot.get("/guilds/x/bans?limit=0").await;
    bot.get("/nothing").await;
    let found = sandbox.violations();
    let expected =
        ["unknown query parameter", "delete_message_seconds", "guild_id=x", "limit=0", "no such path"];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (violation, part) in found.iter().zip(expected) {
        assert!(violation.contains(part), "{violation} lacks {part}");
    }
}

#[tokio::test]
async fn a_violation_nobody_took_fails_the_test_it_happened_in() {
    let Some((path, _)) = description() else { return };
    let failed = tokio::spawn(async move {
        let sandbox = Sandbox::start(Options { openapi: Some(path), ..unchecked() }).await.unwrap();
        Bot::of(&sandbox).get("/nothing").await;
        sandbox.wait_until(|discord| discord.log().len() == 1, Duration::from_secs(60)).await.unwrap();
    });
    assert!(failed.await.unwrap_err().is_panic());
}
