//! What people and others do beside plain moderation: prunes, other bots, AutoMod, and what was there before.

use std::time::Duration;

use serde_json::{Value, json};
use wayhaven_sandbox::{At, Changes, DmWindow, Fault, Options, Sandbox, permissions};

use crate::bot::{Bot, Desk, Socket, facts, missing, unchecked};

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn newest(sandbox: &Sandbox, guild: u64) -> Value {
    sandbox.audit_log(guild).last().cloned().unwrap()
}

fn is_timed_out(sandbox: &Sandbox, guild: u64, user: u64) -> bool {
    sandbox.member(guild, user)["communication_disabled_until"].is_string()
}

/// Nothing of the guild's came before this: an event of our own, and what its session got until then.
async fn until_seen(sandbox: &Sandbox, socket: &mut Socket, guild: u64) -> Vec<String> {
    let marker = sandbox.stranger();
    sandbox.people().join(guild, marker).unwrap();
    let marker = marker.to_string();
    let mut names = Vec::new();
    loop {
        let payload = socket.next().await;
        if payload["d"]["user"]["id"] == marker.as_str() {
            return names;
        }
        names.push(payload["t"].as_str().unwrap_or_default().to_owned());
    }
}

#[tokio::test]
async fn a_prune_tells_of_each_member_and_writes_one_entry_that_names_nobody() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people, desk) = (sandbox.main_guild(), sandbox.people(), Desk::of(&sandbox));
    let pruned = sandbox.members(main)[..4].to_vec();
    let moderator = sandbox.role(main, "Moderator");
    let refused = people.prune(main, sandbox.moderator(), &pruned).unwrap_err();
    assert!(refused.contains("50013"), "Kick Members alone is not enough: {refused}");
    people.set_role_permissions(main, moderator, permissions::MANAGE_GUILD).unwrap();
    assert!(people.prune(main, sandbox.moderator(), &pruned).is_err(), "nor is Manage Server alone");
    let both = permissions::KICK_MEMBERS | permissions::MANAGE_GUILD;
    people.set_role_permissions(main, moderator, both).unwrap();
    let with_owner = [pruned[0], sandbox.owner()];
    assert!(people.prune(main, sandbox.moderator(), &with_owner).is_err());
    assert!(sandbox.is_member(main, pruned[0]), "all of them or nobody");

    people.prune(main, sandbox.moderator(), &pruned[..3]).unwrap();
    for user in &pruned[..3] {
        assert_eq!(socket.event("GUILD_MEMBER_REMOVE").await["user"]["id"], user.to_string());
        assert!(!sandbox.is_member(main, *user));
    }
    let told = socket.event("GUILD_AUDIT_LOG_ENTRY_CREATE").await;
    let entry = newest(&sandbox, main);
    assert_eq!((&told["id"], &told["target_id"]), (&entry["id"], &Value::Null));
    assert_eq!(told["action_type"], 21);
    assert_eq!(told["user_id"], sandbox.moderator().to_string());
    assert_eq!(told["options"], json!({"members_removed": "3", "delete_member_days": "7"}));
    for example in facts("GUILD_AUDIT_LOG_ENTRY_CREATE").iter().filter(|one| one["action_type"] == 21) {
        assert_eq!(missing(&told, example), [""; 0]);
    }

    let by_desk = json!({"guild": main.to_string(), "by": sandbox.moderator().to_string(), "users": [pruned[3].to_string()]});
    assert_eq!(desk.post("/prune", by_desk.clone()).await.0, 200);
    assert!(!sandbox.is_member(main, pruned[3]));
    let entries = sandbox.audit_log(main).len();
    assert_eq!(desk.post("/prune", by_desk).await.0, 409, "they are no member any more");
    assert_eq!(sandbox.audit_log(main).len(), entries);
}

#[tokio::test]
async fn another_bot_moderates_under_its_own_name_and_is_shown_as_a_bot_everywhere() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people, bot) = (sandbox.main_guild(), sandbox.people(), Bot::of(&sandbox));
    let members = sandbox.members(main);
    let other = people.invite_other_bot(main, permissions::BAN_MEMBERS).unwrap();
    let role = socket.event("GUILD_ROLE_CREATE").await;
    assert_eq!(role["role"]["tags"]["bot_id"], other.to_string());
    assert_eq!(role["role"]["permissions"], permissions::BAN_MEMBERS.to_string());
    let joined = socket.event("GUILD_MEMBER_ADD").await;
    assert_eq!((&joined["user"]["bot"], &joined["roles"]), (&json!(true), &json!([role["role"]["id"]])));
    assert_eq!(newest(&sandbox, main)["action_type"], 28);
    assert!(!sandbox.read(|world| world.ordinary_members(main)).contains(&other));

    people.ban(main, other, members[0], Some("spam")).unwrap();
    people.ban(main, other, sandbox.moderator(), None).unwrap();
    assert!(people.kick(main, other, members[1], None).is_err(), "its role does not grant that");
    assert!(people.ban(main, other, sandbox.bot_id(), None).is_err(), "it ranks below the bot under test");
    people.ban(main, sandbox.admin(), members[2], None).unwrap();

    assert_eq!(bot.get(&format!("/users/{other}")).await.body["bot"], true);
    let shown = bot.get(&format!("/guilds/{main}/members/{other}")).await.body;
    assert_eq!(shown["user"]["bot"], true);
    let page = bot.get(&format!("/guilds/{main}/audit-logs?action_type=22")).await.body;
    let users = page["users"].as_array().unwrap();
    let shown = |id: u64| {
        let id = id.to_string();
        users.iter().find(|user| user["id"] == id.as_str()).map(|user| user["bot"] == true)
    };
    assert_eq!(shown(other), Some(true), "an actor");
    assert_eq!(shown(sandbox.admin()), Some(false), "a person that acted");
    assert_eq!(shown(members[0]), Some(false), "a target");
    assert_eq!(shown(members[1]), None, "nobody of these entries");

    // The bot under test keeps its own role, and no other bot's.
    people.remove_bot(main).unwrap();
    people.invite_bot(main).unwrap();
    let own = sandbox.role(main, "Wayhaven").to_string();
    assert_eq!(sandbox.member(main, sandbox.bot_id())["roles"], json!([own]));
    let desk = Desk::of(&sandbox);
    let (status, answer) =
        desk.post("/bot/other", json!({"guild": main.to_string(), "permissions": "2"})).await;
    assert_eq!(status, 200);
    let second: u64 = answer["user"].as_str().unwrap().parse().unwrap();
    people.kick(main, second, members[1], None).unwrap();
    assert_eq!(newest(&sandbox, main)["user_id"], answer["user"]);
}

#[tokio::test]
async fn what_was_there_before_left_neither_event_nor_entry() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people, desk) = (sandbox.main_guild(), sandbox.people(), Desk::of(&sandbox));
    let (members, muted) = (sandbox.members(main), sandbox.role(main, "Muted"));
    people.had_banned(main, members[0], Some("long ago")).unwrap();
    people.had_given_role(main, members[1], muted).unwrap();
    people.had_timed_out(main, members[2], DAY).unwrap();
    let at_desk = |user: u64, more: (&str, Value)| {
        let mut body = json!({"guild": main.to_string(), "user": user.to_string()});
        body[more.0] = more.1;
        body
    };
    assert_eq!(desk.post("/before/ban", at_desk(members[3], ("reason", json!("raid")))).await.0, 200);
    assert_eq!(
        desk.post("/before/role", at_desk(members[4], ("role", json!(muted.to_string())))).await.0,
        200
    );
    assert_eq!(desk.post("/before/timeout", at_desk(members[5], ("seconds", json!(60)))).await.0, 200);
    assert_eq!(desk.post("/before/timeout", at_desk(members[5], ("reason", Value::Null))).await.0, 400);
    assert_eq!(
        desk.post("/before/role", at_desk(members[3], ("role", json!(muted.to_string())))).await.0,
        409
    );

    assert_eq!(
        sandbox.bans(main),
        [(members[0], Some("long ago".to_owned())), (members[3], Some("raid".to_owned()))]
    );
    assert!(!sandbox.is_member(main, members[0]));
    for with_role in [members[1], members[4]] {
        let roles = sandbox.member(main, with_role)["roles"].clone();
        assert!(roles.as_array().unwrap().contains(&json!(muted.to_string())));
    }
    assert!(is_timed_out(&sandbox, main, members[2]) && is_timed_out(&sandbox, main, members[5]));
    assert_eq!(sandbox.audit_log(main), [Value::Null; 0]);
    assert_eq!(until_seen(&sandbox, &mut socket, main).await, [""; 0]);
    // From here on it is as anything else is.
    people.unban(main, sandbox.moderator(), members[0], None).unwrap();
}

#[tokio::test]
async fn automod_times_out_whom_its_rule_hit_and_spares_staff() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, people, desk) = (sandbox.main_guild(), sandbox.people(), Desk::of(&sandbox));
    let members = sandbox.members(main);
    people.automod_timeout(main, members[0], "No slurs", Duration::from_secs(600)).unwrap();
    let update = socket.event("GUILD_MEMBER_UPDATE").await;
    assert_eq!(update["user"]["id"], members[0].to_string());
    assert!(update["communication_disabled_until"].is_string());
    let entry = socket.event("GUILD_AUDIT_LOG_ENTRY_CREATE").await;
    assert_eq!(entry["action_type"], 145);
    assert_eq!((&entry["user_id"], &entry["target_id"]), (&update["user"]["id"], &update["user"]["id"]));
    let channel = sandbox.channel(main, "general").to_string();
    let options = json!({
        "auto_moderation_rule_name": "No slurs", "auto_moderation_rule_trigger_type": "1", "channel_id": channel,
    });
    assert_eq!(entry["options"], options);
    assert!(people.automod_timeout(main, sandbox.owner(), "No slurs", DAY).is_err());
    assert!(people.automod_timeout(main, sandbox.admin(), "No slurs", DAY).is_err());
    assert!(people.automod_timeout(main, members[1], "No slurs", 29 * DAY).is_err());
    let body =
        json!({"guild": main.to_string(), "user": members[1].to_string(), "rule": "Spam", "seconds": 60});
    assert_eq!(desk.post("/automod/timeout", body).await.0, 200);
    assert!(is_timed_out(&sandbox, main, members[1]));
}

#[tokio::test]
async fn a_running_timeout_holds_again_for_whoever_left_and_rejoins() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (main, people, by) = (sandbox.main_guild(), sandbox.people(), sandbox.moderator());
    let user = sandbox.members(main)[0];
    let rejoin = || {
        people.leave(main, user).unwrap();
        people.join(main, user).unwrap();
    };
    people.timeout(main, by, user, Some(DAY), None).unwrap();
    let until = sandbox.member(main, user)["communication_disabled_until"].clone();
    let mut socket = Socket::settled(&sandbox).await;
    rejoin();
    assert_eq!(socket.event("GUILD_MEMBER_ADD").await["communication_disabled_until"], until);
    assert_eq!(sandbox.member(main, user)["communication_disabled_until"], until);
    people.kick(main, by, user, None).unwrap();
    people.join(main, user).unwrap();
    assert_eq!(sandbox.member(main, user)["communication_disabled_until"], until, "kicked, it is the same");
    people.timeout(main, by, user, None, None).unwrap();
    rejoin();
    assert!(!is_timed_out(&sandbox, main, user), "one that was ended stays ended");
    people.timeout(main, by, user, Some(DAY), None).unwrap();
    people.leave(main, user).unwrap();
    sandbox.advance(2 * DAY);
    people.join(main, user).unwrap();
    assert!(!is_timed_out(&sandbox, main, user), "it ran out meanwhile");
    let off = Changes { timeout_survives_rejoin: Some(false), ..Changes::default() };
    sandbox.reconfigure(off).unwrap();
    people.timeout(main, by, user, Some(DAY), None).unwrap();
    rejoin();
    assert!(!is_timed_out(&sandbox, main, user));
}

#[tokio::test]
async fn the_audit_log_is_asked_for_an_actor_and_for_a_target() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (main, people, bot) = (sandbox.main_guild(), sandbox.people(), Bot::of(&sandbox));
    let (moderator, admin) = (sandbox.moderator(), sandbox.admin());
    let victims = sandbox.members(main)[..2].to_vec();
    people.ban(main, moderator, victims[0], None).unwrap();
    people.unban(main, admin, victims[0], None).unwrap();
    people.ban(main, admin, victims[1], None).unwrap();
    let page = async |query: String| {
        let page = bot.get(&format!("/guilds/{main}/audit-logs?{query}")).await.body;
        let entries = page["audit_log_entries"].as_array().unwrap().clone();
        let kinds: Vec<u64> = entries.iter().map(|entry| entry["action_type"].as_u64().unwrap()).collect();
        kinds
    };
    assert_eq!(page(format!("user_id={moderator}")).await, [22]);
    assert_eq!(page(format!("user_id={admin}")).await, [22, 23], "the newest first");
    assert_eq!(page(format!("target_id={}", victims[0])).await, [23, 22]);
    assert_eq!(page(format!("target_id={}&user_id={admin}", victims[0])).await, [23]);
    assert_eq!(page(format!("user_id={}", victims[0])).await, [0u64; 0]);
}

#[tokio::test]
async fn direct_messages_opened_too_fast_are_refused_until_the_window_has_passed() {
    let dm_window = Some(DmWindow { opens: 2, seconds: 60 });
    let sandbox = Sandbox::start(Options { dm_window, time_factor: 0, ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    let users = sandbox.members(sandbox.main_guild());
    let open = async |user: u64| {
        bot.with("POST", "/users/@me/channels", json!({"recipient_id": user.to_string()})).await
    };
    assert_eq!(open(users[0]).await.status, 200);
    assert_eq!(open(users[1]).await.status, 200);
    let refused = open(users[2]).await;
    assert_eq!((refused.status, refused.code()), (403, 40003));
    assert_eq!(open(users[0]).await.status, 200, "what is open already is no opening");
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(open(users[2]).await.status, 200);
    let desk = Desk::of(&sandbox);
    let change = json!({"dm_window": {"opens": 0, "seconds": 60}, "guesses": {"dms_too_fast": 429}});
    assert_eq!(desk.post("/options", change).await.0, 200);
    assert_eq!(open(users[3]).await.status, 429);
    assert_eq!(desk.post("/options", json!({"dm_window": {"opens": 0, "seconds": 0}})).await.0, 200);
    assert_eq!(open(users[3]).await.status, 200);
}

#[tokio::test]
async fn a_fault_can_concern_the_direct_messages_of_one_user() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let users = sandbox.members(sandbox.main_guild());
    let open = async |user: u64| {
        bot.with("POST", "/users/@me/channels", json!({"recipient_id": user.to_string()})).await
    };
    let write = async |channel: &str| {
        bot.with("POST", &format!("/channels/{channel}/messages"), json!({"content": "hello"})).await
    };
    let mut channels = Vec::new();
    for user in &users[..2] {
        channels.push(open(*user).await.body["id"].as_str().unwrap().to_owned());
    }
    let answer = |at: At| Fault::Answer { at, status: 403, code: 50007, message: String::new() };
    let messages = At::route("POST", "/channels/{channel_id}/messages").user(users[0]);
    let fault = sandbox.inject(answer(messages));
    assert_eq!(write(&channels[0]).await.code(), 50007);
    assert_eq!(write(&channels[1]).await.status, 200);
    assert_eq!(open(users[0]).await.status, 200);
    assert!(sandbox.clear(fault));
    // Aimed at the user, whatever of theirs is asked for.
    let aimed = json!({"fault": "only", "of": {"user": users[1].to_string(), "times": 2},
        "what": {"fault": "answer", "at": {}, "status": 400, "code": 40003}});
    Desk::of(&sandbox).inject(aimed).await;
    assert_eq!(open(users[0]).await.status, 200);
    assert_eq!(write(&channels[0]).await.status, 200);
    assert_eq!(open(users[1]).await.code(), 40003);
    assert_eq!(write(&channels[1]).await.code(), 40003);
    assert_eq!(write(&channels[1]).await.status, 200);
}
