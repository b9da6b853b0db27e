//! A guild that requires two-factor authentication, which the bot's owner does not use; and a ban that does not exist.

use serde_json::json;
use wayhaven_sandbox::{Changes, Guesses, Sandbox};

use crate::bot::{Bot, Desk, Socket, unchecked};

#[tokio::test]
async fn what_needs_two_factor_is_refused_until_the_guild_or_the_owner_changes_that() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, mut socket) = (Bot::of(&sandbox), Socket::settled(&sandbox).await);
    let (guild, user) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let ban = format!("/guilds/{guild}/bans/{user}");
    sandbox.people().require_two_factor(guild, true).unwrap();
    let update = socket.event("GUILD_UPDATE").await;
    assert_eq!(update["mfa_level"], 1, "{update}");
    assert_eq!(bot.get(&format!("/guilds/{guild}")).await.body["mfa_level"], 1);
    assert_eq!(bot.bare("PUT", &ban).await.status, 204, "the owner uses it");
    assert_eq!(bot.bare("DELETE", &ban).await.status, 204);

    sandbox.people().owner_uses_two_factor(false);
    for code in [60003, 50013] {
        let guesses = Guesses { without_two_factor: code, ..Guesses::default() };
        sandbox.reconfigure(Changes { guesses: Some(guesses), ..Changes::default() }).unwrap();
        sandbox.people().owner_uses_two_factor(false);
        let refused = bot.bare("PUT", &ban).await;
        assert_eq!((refused.status, refused.code()), (403, u64::from(code)));
        let kick = format!("/guilds/{guild}/members/{}", sandbox.members(guild)[0]);
        assert_eq!(bot.bare("DELETE", &kick).await.code(), u64::from(code));
        assert_eq!(bot.get(&ban).await.code(), u64::from(code), "the list of bans too");
    }
    let timeout = format!("/guilds/{guild}/members/{}", sandbox.members(guild)[0]);
    let timed = bot.with("PATCH", &timeout, json!({"communication_disabled_until": null})).await;
    assert_eq!(timed.status, 200, "a timeout does not need it: {}", timed.body);
    // In another guild nothing is required.
    let other = sandbox.children()[0];
    assert_eq!(bot.bare("PUT", &format!("/guilds/{other}/bans/{user}")).await.status, 204);
}

#[tokio::test]
async fn the_control_desk_requires_two_factor_and_lets_the_owner_use_it() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let (guild, user) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let ban = format!("/guilds/{guild}/bans/{user}");
    assert_eq!(desk.post("/owner/two-factor", json!({"uses": false})).await.0, 200);
    assert_eq!(desk.post("/two-factor", json!({"guild": guild.to_string(), "required": false})).await.0, 200);
    assert_eq!(bot.bare("PUT", &ban).await.status, 204);
    assert_eq!(desk.post("/two-factor", json!({"guild": guild.to_string(), "required": true})).await.0, 200);
    let refused = bot.bare("DELETE", &ban).await;
    assert_eq!((refused.status, refused.code()), (403, 60003), "{}", refused.body);
    assert_eq!(desk.post("/owner/two-factor", json!({"uses": true})).await.0, 200);
    assert_eq!(bot.bare("DELETE", &ban).await.status, 204);
}

#[tokio::test]
async fn the_lifting_of_a_ban_that_does_not_exist_can_be_answered_as_in_the_field() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let path = format!("/guilds/{}/bans/{}", sandbox.main_guild(), sandbox.stranger());
    assert_eq!(bot.bare("DELETE", &path).await.code(), 10026);
    let guesses = Guesses { missing_ban: 50013, ..Guesses::default() };
    sandbox.reconfigure(Changes { guesses: Some(guesses), ..Changes::default() }).unwrap();
    assert_eq!(bot.bare("DELETE", &path).await.code(), 50013);
    assert_eq!(bot.get(&path).await.code(), 10026, "asked for, it is not there");
}
