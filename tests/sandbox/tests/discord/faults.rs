//! Each fault does what it says, where it is told to.

use std::time::Duration;

use serde_json::json;
use wayhaven_sandbox::{Aim, At, EventFate, Fault, Sandbox, Scope, Trouble};

use crate::bot::{Bot, Desk, PATIENCE, Socket, unchecked};

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

#[tokio::test]
async fn one_guild_answers_an_error_and_the_others_do_not() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let children = sandbox.children();
    let at = At::route("PUT", BAN).guild(children[0]).times(1);
    sandbox.inject(Fault::Answer { at, status: 500, code: 0, message: String::new() });
    let ban = |guild: u64| format!("/guilds/{guild}/bans/{}", sandbox.stranger());
    assert_eq!(bot.bare("PUT", &ban(children[1])).await.status, 204);
    assert_eq!(bot.bare("PUT", &ban(children[0])).await.status, 500);
    assert_eq!(bot.bare("PUT", &ban(children[0])).await.status, 204, "only once");
    let applied: Vec<bool> = sandbox.effects().iter().map(|effect| effect.applied).collect();
    assert_eq!(applied, [true, false, true]);
}

#[tokio::test]
async fn the_connection_is_cut_after_the_effect() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.inject(Fault::CutAfter { at: At::anything().user(user).times(1) });
    let path = format!("/guilds/{guild}/bans/{user}");
    assert!(bot.request("PUT", &path).send().await.is_err());
    assert!(sandbox.is_banned(guild, user));
    let effect = &sandbox.effects()[0];
    assert_eq!((effect.status, effect.applied), (0, true));
    assert_eq!(bot.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_request_hangs_until_it_is_let_go() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let (guild, user) = (sandbox.main_guild(), sandbox.stranger());
    let hang = sandbox.inject(Fault::Hang { at: At::route("PUT", BAN) });
    let path = format!("/guilds/{guild}/bans/{user}");
    let request = tokio::spawn(bot.request("PUT", &path).send());
    sandbox.wait_until(|discord| discord.effects().len() == 1, PATIENCE).await.unwrap();
    assert!(!sandbox.is_banned(guild, user));
    assert!(sandbox.clear(hang));
    assert_eq!(request.await.unwrap().unwrap().status(), 204);
    assert!(sandbox.is_banned(guild, user));
}

#[tokio::test]
async fn a_shared_limit_is_long_and_not_held_against_the_client() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    sandbox.inject(Fault::RateLimit {
        at: At::anything().times(1),
        scope: Scope::Shared,
        retry_after: 1_337.0,
        headers: None,
    });
    let limited = bot.get("/users/@me").await;
    assert_eq!((limited.status, limited.header("x-ratelimit-scope")), (429, Some("shared")));
    assert_eq!(limited.header("retry-after"), Some("1337"));
    assert_eq!(sandbox.invalid_requests(), 0);
    let at = At::anything().times(1);
    sandbox.inject(Fault::Page { at, status: 429, body: "<html>".into() });
    let page = bot.get("/users/@me").await;
    assert_eq!(
        (page.body, page.headers["content-type"].to_str().unwrap()),
        (json!("<html>"), "text/html; charset=UTF-8")
    );
}

#[tokio::test]
async fn events_are_lost_doubled_delayed_and_reordered() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (guild, by) = (sandbox.main_guild(), sandbox.moderator());
    let people = sandbox.people();
    let audit = "GUILD_AUDIT_LOG_ENTRY_CREATE";
    let fate =
        |name: &str, fate| Fault::Events { name: Some(name.to_owned()), guild: None, times: Some(1), fate };
    sandbox.inject(fate("GUILD_BAN_ADD", EventFate::Drop));
    sandbox.inject(fate(audit, EventFate::Twice));
    people.ban(guild, by, sandbox.stranger(), None).unwrap();
    assert_eq!(socket.events(2).await, [audit, audit]);

    sandbox.inject(fate("GUILD_BAN_ADD", EventFate::After(Duration::from_secs(60))));
    people.ban(guild, by, sandbox.stranger(), None).unwrap();
    assert_eq!(socket.events(1).await, [audit]);
    sandbox.advance(Duration::from_secs(61));
    assert_eq!(socket.events(1).await, ["GUILD_BAN_ADD"]);

    let names = vec![audit.to_owned(), "GUILD_MEMBER_REMOVE".to_owned()];
    let order = sandbox.inject(Fault::Order { names });
    people.ban(guild, by, sandbox.members(guild)[0], None).unwrap();
    assert_eq!(socket.events(3).await, [audit, "GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD"]);
    assert!(sandbox.clear(order));
}

#[tokio::test]
async fn the_gateway_reconnects_invalidates_and_closes_on_demand() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    sandbox.inject(Fault::Gateway { trouble: Trouble::Reconnect });
    assert_eq!(socket.next().await["op"], 7);
    sandbox.inject(Fault::Gateway { trouble: Trouble::InvalidSession(true) });
    let invalid = socket.next().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(true)));
    sandbox.inject(Fault::Gateway { trouble: Trouble::Close(4009) });
    assert_eq!(socket.closed().await, 4009);
}

#[tokio::test]
async fn a_condition_that_never_holds_tells_what_was_seen() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    Bot::of(&sandbox).get("/users/@me").await;
    let timeout = sandbox.wait_until(|_| false, Duration::from_millis(1)).await.unwrap_err();
    assert!(timeout.to_string().contains("GET /users/@me -> 200"), "{timeout}");
}

#[tokio::test]
async fn events_are_aimed_at_one_user_in_one_guild_so_many_times() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let (main, child, owner) = (sandbox.main_guild(), sandbox.children()[0], sandbox.owner());
    let (user, other) = (sandbox.stranger(), sandbox.stranger());
    let desk = Desk::of(&sandbox);
    let of = json!({"user": user.to_string(), "guild": main.to_string(), "times": 2});
    desk.inject(json!({"fault": "only", "of": of, "what": {"fault": "events", "fate": "drop"}})).await;
    let people = sandbox.people();
    for (guild, user) in [(main, other), (child, user), (main, user)] {
        people.ban(guild, owner, user, None).unwrap();
    }
    people.unban(main, owner, user, None).unwrap();
    let mut seen = Vec::new();
    for _ in 0..6 {
        let payload = socket.next().await;
        let data = &payload["d"];
        let about = data["user"]["id"].as_str().or(data["target_id"].as_str()).unwrap().to_owned();
        seen.push((
            payload["t"].as_str().unwrap().to_owned(),
            data["guild_id"].as_str().unwrap().to_owned(),
            about,
        ));
    }
    let audit = "GUILD_AUDIT_LOG_ENTRY_CREATE";
    let expected = [
        ("GUILD_BAN_ADD", main, other),
        (audit, main, other),
        ("GUILD_BAN_ADD", child, user),
        (audit, child, user),
        ("GUILD_BAN_REMOVE", main, user),
        (audit, main, user),
    ];
    let text = |(name, guild, user): (&str, u64, u64)| (name.to_owned(), guild.to_string(), user.to_string());
    assert_eq!(seen, expected.map(text), "the two of the ban in the main guild were dropped, and no more");
}

#[tokio::test]
async fn one_order_of_events_is_changed_and_the_next_is_not() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let audit = "GUILD_AUDIT_LOG_ENTRY_CREATE";
    let order = Fault::Order { names: vec![audit.to_owned()] };
    let child = sandbox.children()[0];
    sandbox.inject(order.only(Aim { guild: Some(child), times: Some(1), ..Aim::default() }));
    for guild in [sandbox.main_guild(), child, child] {
        sandbox.people().ban(guild, sandbox.owner(), sandbox.stranger(), None).unwrap();
    }
    let usual = ["GUILD_BAN_ADD", audit];
    assert_eq!(socket.events(6).await, [usual, [audit, "GUILD_BAN_ADD"], usual].concat());
}

#[test]
fn a_fault_that_says_nothing_is_refused() {
    for wrong in [
        json!({"fault": "hang"}),
        json!({"fault": "gateway", "trouble": "explode"}),
        json!({"fault": "answer", "at": {"gild": "1"}, "status": 500, "code": 0}),
        json!({"fault": "only", "of": {"time": 1}, "what": {"fault": "hang", "at": {}}}),
        json!({"fault": "applied_later", "at": {}, "by": 5}),
    ] {
        assert!(serde_json::from_value::<Fault>(wrong.clone()).is_err(), "{wrong}");
    }
}
