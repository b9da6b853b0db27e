//! Bans, kicks, timeouts, roles: permissions, hierarchy, events, audit entries, the effect log.

use serde_json::{Value, json};
use wayhaven_sandbox::{Options, Sandbox, permissions};

use crate::bot::{Bot, Desk, Socket, unchecked};

#[tokio::test]
async fn a_ban_is_stored_told_and_logged() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, mut socket) = (Bot::of(&sandbox), Socket::settled(&sandbox).await);
    let (guild, user) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let path = format!("/guilds/{guild}/bans/{user}");

    let request = bot.request("PUT", &path).header("X-Audit-Log-Reason", "spam%20%F0%9F%98%80%20%251");
    assert_eq!(bot.send(request.json(&json!({"delete_message_seconds": 3600}))).await.status, 204);

    assert_eq!(
        socket.events(3).await,
        ["GUILD_BAN_ADD", "GUILD_MEMBER_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE"]
    );
    assert!(sandbox.is_banned(guild, user) && !sandbox.is_member(guild, user));
    let ban = bot.get(&path).await;
    assert_eq!((ban.status, ban.body["reason"].as_str()), (200, Some("spam 😀 %1")));
    let page = bot.get(&format!("/guilds/{guild}/audit-logs?action_type=22")).await.body;
    let entry = &page["audit_log_entries"][0];
    assert_eq!(entry["target_id"], user.to_string());
    assert_eq!(entry["user_id"], sandbox.bot_id().to_string());
    assert_eq!(entry["reason"], "spam 😀 %1");

    let effects = sandbox.effects_in(guild);
    assert_eq!(effects.len(), 1, "reads are no effects");
    let only = &effects[0];
    assert_eq!((only.method.as_str(), only.user, only.status, only.applied), ("PUT", Some(user), 204, true));
    assert_eq!(only.reason.as_deref(), Some("spam 😀 %1"));
}

#[tokio::test]
async fn a_second_ban_changes_and_tells_nothing() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    let path = format!("/guilds/{guild}/bans/{user}");
    // Without body and content type, as serenity sends it.
    assert_eq!(bot.bare("PUT", &path).await.status, 204);
    assert_eq!(bot.bare("PUT", &path).await.status, 204);
    assert_eq!(sandbox.audit_log(guild).len(), 1);
    assert_eq!(bot.bare("DELETE", &path).await.status, 204);
    assert_eq!(bot.bare("DELETE", &path).await.code(), 10026);
    assert_eq!(bot.get(&path).await.code(), 10026);
}

#[tokio::test]
async fn rank_and_permission_are_required() {
    let without = vec![(0, permissions::BAN_MEMBERS)];
    let sandbox = Sandbox::start(Options { without_permission: without, ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    let (main, first) = (sandbox.main_guild(), sandbox.children()[0]);
    let ban = |guild: u64, user: u64| {
        bot.bare("PUT", Box::leak(format!("/guilds/{guild}/bans/{user}").into_boxed_str()))
    };

    assert_eq!(ban(first, sandbox.stranger()).await.code(), 50013, "no BAN_MEMBERS there");
    assert_eq!(ban(main, sandbox.owner()).await.code(), 50013, "the owner is never a target");
    assert_eq!(ban(main, sandbox.bot_id()).await.code(), 50013, "nobody bans themselves");
    assert_eq!(ban(main, 12_345).await.code(), 10013);
    assert_eq!(ban(99, sandbox.stranger()).await.code(), 10004);
    assert_eq!(ban(main, sandbox.moderator()).await.status, 204, "the moderator ranks below");

    // A role above the bot's protects whoever has it.
    let admin_role = sandbox.role(main, "Admin");
    sandbox.people().move_role(main, admin_role, 9).unwrap();
    assert_eq!(ban(main, sandbox.admin()).await.code(), 50013);
    // And people are held to the same rules.
    let people = sandbox.people();
    let child = sandbox.children()[1];
    let member = sandbox.members(child)[0];
    assert!(people.ban(child, member, sandbox.child_moderator(child), None).is_err());
    assert!(people.ban(child, sandbox.child_moderator(child), member, Some("rude")).is_ok());
    assert!(people.ban(child, sandbox.child_moderator(child), sandbox.owner(), None).is_err());
}

#[tokio::test]
async fn a_bulk_ban_names_who_failed_and_hides_the_actor() {
    let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
    let sandbox = Sandbox::start(Options { bot_permissions, ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    let guild = sandbox.main_guild();
    let (fresh, known) = (sandbox.stranger(), sandbox.stranger());
    sandbox.people().ban(guild, sandbox.owner(), known, None).unwrap();
    let path = format!("/guilds/{guild}/bulk-ban");
    let users = json!([fresh.to_string(), known.to_string(), sandbox.owner().to_string()]);
    let done = bot.with("POST", &path, json!({"user_ids": users})).await;
    assert_eq!(done.body["banned_users"], json!([fresh.to_string()]));
    assert_eq!(done.body["failed_users"], json!([known.to_string(), sandbox.owner().to_string()]));
    assert_eq!(sandbox.audit_log(guild).last().unwrap()["user_id"], Value::Null);
    assert_eq!(
        bot.with("POST", &path, json!({"user_ids": users})).await.code(),
        500_000,
        "nobody was banned"
    );

    Desk::of(&sandbox).post("/options", json!({"bulk_ban_hides_actor": false})).await;
    let users = json!([sandbox.stranger().to_string()]);
    assert_eq!(bot.with("POST", &path, json!({"user_ids": users})).await.status, 200);
    assert_eq!(sandbox.audit_log(guild).last().unwrap()["user_id"], sandbox.bot_id().to_string());

    let plain = Sandbox::start(unchecked()).await.unwrap();
    let path = format!("/guilds/{}/bulk-ban", plain.main_guild());
    let refused =
        Bot::of(&plain).with("POST", &path, json!({"user_ids": [plain.stranger().to_string()]})).await;
    assert_eq!(refused.code(), 50013, "MANAGE_GUILD is not in the least set");
}

#[tokio::test]
async fn timeouts_end_within_28_days_and_roles_lie_below_the_bot() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let guild = sandbox.main_guild();
    let user = sandbox.members(guild)[0];
    let path = format!("/guilds/{guild}/members/{user}");
    let day = 24 * 3_600_000;
    let now = sandbox.read(|world| world.clock.unix_ms());
    let until = |days: u64| json!({"communication_disabled_until": wayhaven_sandbox::snowflake::timestamp(now + days * day)});
    assert_eq!(bot.with("PATCH", &path, until(29)).await.code(), 50035);
    let set = bot.with("PATCH", &path, until(27)).await;
    assert_eq!(set.body["communication_disabled_until"], until(27)["communication_disabled_until"]);
    assert_eq!(sandbox.audit_log(guild)[0]["changes"][0]["key"], "communication_disabled_until");

    let role = |name: &str| format!("{path}/roles/{}", sandbox.role(guild, name));
    assert_eq!(bot.bare("PUT", &role("Muted")).await.status, 204);
    assert_eq!(sandbox.member(guild, user)["roles"].as_array().unwrap().len(), 2);
    assert_eq!(bot.bare("PUT", &role("Wayhaven")).await.code(), 50013);
    assert_eq!(bot.bare("PUT", &format!("{path}/roles/1")).await.code(), 10011);
    let stranger = format!("/guilds/{guild}/members/{}", sandbox.stranger());
    assert_eq!(bot.bare("DELETE", &stranger).await.code(), 10007);
    assert_eq!(bot.bare("DELETE", &path).await.status, 204);
    assert!(!sandbox.is_member(guild, user));
}

#[tokio::test]
async fn the_ban_list_is_paged_by_user_id() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let guild = sandbox.main_guild();
    let users: Vec<u64> = (0..5).map(|_| sandbox.stranger()).collect();
    for user in users.iter().rev() {
        sandbox.people().ban(guild, sandbox.owner(), *user, None).unwrap();
    }
    let page = async |query: String| -> Vec<u64> {
        let bans = bot.get(&format!("/guilds/{guild}/bans?{query}")).await.body;
        bans.as_array()
            .unwrap()
            .iter()
            .map(|ban| ban["user"]["id"].as_str().unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(page("limit=2".into()).await, users[..2]);
    assert_eq!(page(format!("after={}&limit=2", users[1])).await, users[2..4]);
    assert_eq!(page(format!("before={}&limit=2", users[3])).await, users[1..3]);
    assert_eq!(page(format!("after={}", users[4])).await, [0u64; 0]);
    assert_eq!(bot.get(&format!("/guilds/{guild}/bans?limit=1001")).await.code(), 50035);
}
