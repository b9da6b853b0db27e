//! Changes of a guild itself, and what integrations do: as events, in the log and over REST.

use serde_json::{Value, json};
use wayhaven_sandbox::{Sandbox, permissions};

use crate::bot::{Bot, Desk, Socket, unchecked};

/// The next entry that a session is told of, which the guild's log has too.
async fn entry(sandbox: &Sandbox, socket: &mut Socket, guild: u64) -> Value {
    let told = socket.event("GUILD_AUDIT_LOG_ENTRY_CREATE").await;
    assert_eq!(sandbox.audit_log(guild).last().unwrap()["id"], told["id"]);
    told
}

#[tokio::test]
async fn a_guild_changes_hands_and_its_name_and_everybody_is_told() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people, bot) = (sandbox.main_guild(), sandbox.people(), Bot::of(&sandbox));
    let (owner, heir, stranger) = (sandbox.owner(), sandbox.members(main)[0], sandbox.stranger());
    assert!(people.transfer(main, sandbox.moderator(), heir).unwrap_err().contains("50013"));
    assert!(people.transfer(main, owner, stranger).unwrap_err().contains("50035"), "no member");
    assert!(people.transfer(main, owner, sandbox.bot_id()).unwrap_err().contains("50035"), "a bot");

    people.transfer(main, owner, heir).unwrap();
    let told = socket.event("GUILD_UPDATE").await;
    let shown = bot.get(&format!("/guilds/{main}")).await.body;
    assert_eq!((&told["owner_id"], &told["id"]), (&json!(heir.to_string()), &json!(main.to_string())));
    assert_eq!(shown["owner_id"], told["owner_id"]);
    assert!(told["roles"].as_array().is_some_and(|roles| !roles.is_empty()));
    let entry_of = entry(&sandbox, &mut socket, main).await;
    assert_eq!((&entry_of["action_type"], &entry_of["target_id"]), (&json!(1), &json!(main.to_string())));
    let change = json!([{"key": "owner_id", "old_value": owner.to_string(), "new_value": heir.to_string()}]);
    assert_eq!((&entry_of["changes"], &entry_of["user_id"]), (&change, &json!(owner.to_string())));
    assert!(people.kick(main, sandbox.moderator(), heir, None).is_err(), "nobody punishes an owner");
    people.ban(main, heir, owner, None).unwrap();

    assert!(people.rename(main, sandbox.moderator(), "another name").unwrap_err().contains("50013"));
    assert!(people.rename(main, heir, "x").unwrap_err().contains("50035"), "too short");
    people.rename(main, sandbox.admin(), "another name").unwrap();
    assert_eq!(socket.event("GUILD_UPDATE").await["name"], "another name");
    assert_eq!(bot.get(&format!("/guilds/{main}")).await.body["name"], "another name");

    let desk = Desk::of(&sandbox);
    let back = json!({"guild": main.to_string(), "by": heir.to_string(), "to": sandbox.admin().to_string()});
    assert_eq!(desk.post("/guild/transfer", back.clone()).await.0, 200);
    assert_eq!(desk.post("/guild/transfer", back).await.0, 409, "it is not theirs any more");
    let named = json!({"guild": main.to_string(), "by": sandbox.admin().to_string(), "name": "by the desk"});
    assert_eq!(desk.post("/guild/rename", named).await.0, 200);
    assert_eq!(bot.get(&format!("/guilds/{main}")).await.body["name"], "by the desk");
}

#[tokio::test]
async fn a_channel_that_is_changed_or_deleted_is_told_of() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people, bot) = (sandbox.main_guild(), sandbox.people(), Bot::of(&sandbox));
    let (channel, own) = (sandbox.log_channel(main), sandbox.role(main, "Wayhaven"));
    assert!(people.delete_channel(main, sandbox.moderator(), channel).is_err());
    people.deny_in_channel(main, sandbox.owner(), channel, own, permissions::VIEW_CHANNEL).unwrap();
    let told = socket.event("CHANNEL_UPDATE").await;
    assert_eq!(told["id"], channel.to_string());
    assert_eq!(told["permission_overwrites"][0]["id"], own.to_string());
    assert_eq!(entry(&sandbox, &mut socket, main).await["action_type"], 13);
    assert_eq!(bot.get(&format!("/channels/{channel}")).await.code(), 50001);
    people.deny_in_channel(main, sandbox.owner(), channel, own, 0).unwrap();
    assert_eq!(entry(&sandbox, &mut socket, main).await["action_type"], 14);
    assert_eq!(bot.get(&format!("/channels/{channel}")).await.status, 200);
    people.delete_channel(main, sandbox.owner(), channel).unwrap();
    assert_eq!(socket.event("CHANNEL_DELETE").await["id"], channel.to_string());
    assert_eq!(bot.get(&format!("/channels/{channel}")).await.code(), 10003);
}

#[tokio::test]
async fn an_integration_names_its_kind_and_nobody_or_whoever_set_it_up() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let members = sandbox.members(main);
    for (user, actor) in [(members[0], None), (members[1], Some(sandbox.owner()))] {
        people.integration_kick(main, "twitch", actor, user).unwrap();
        assert_eq!(socket.event("GUILD_MEMBER_REMOVE").await["user"]["id"], user.to_string());
        let entry = entry(&sandbox, &mut socket, main).await;
        assert_eq!(
            (&entry["action_type"], &entry["options"]),
            (&json!(20), &json!({"integration_type": "twitch"}))
        );
        assert_eq!(entry["user_id"], actor.map_or(Value::Null, |actor| json!(actor.to_string())));
    }
    let regular = sandbox.role(main, "Regular");
    people.integration_role(main, "youtube", None, members[2], (regular, false)).unwrap();
    let entry_of = entry(&sandbox, &mut socket, main).await;
    assert_eq!((&entry_of["action_type"], &entry_of["changes"][0]["key"]), (&json!(25), &json!("$remove")));
    assert_eq!(entry_of["options"]["integration_type"], "youtube");
    let application = people.application_kick(main, members[3]).unwrap();
    assert_eq!(entry(&sandbox, &mut socket, main).await["user_id"], application.to_string());
    assert_eq!(Bot::of(&sandbox).get(&format!("/users/{application}")).await.code(), 10013);

    let desk = Desk::of(&sandbox);
    let kick = json!({"guild": main.to_string(), "kind": "twitch", "user": members[4].to_string()});
    assert_eq!(desk.post("/integration/kick", kick.clone()).await.0, 200);
    assert_eq!(desk.post("/integration/kick", kick).await.0, 409, "they are gone");
    let role = json!({"guild": main.to_string(), "kind": "twitch", "user": members[5].to_string(),
        "role": sandbox.role(main, "Muted").to_string(), "give": true});
    assert_eq!(desk.post("/integration/role", role).await.0, 200);
    let kick = json!({"guild": main.to_string(), "user": members[5].to_string()});
    assert_eq!(desk.post("/application/kick", kick).await.0, 200);
}
