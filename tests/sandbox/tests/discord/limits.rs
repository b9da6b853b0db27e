//! Windows, their headers, and what counts.

use std::time::Duration;

use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault, Options, RouteWindow, Sandbox, permissions};

use crate::bot::{Bot, Desk, unchecked};

#[tokio::test]
async fn a_route_window_counts_down_and_starts_again() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let ban = |guild: u64| format!("/guilds/{guild}/bans/{}", sandbox.stranger());
    let guild = sandbox.main_guild();
    for left in (0..5).rev() {
        let reply = bot.bare("PUT", &ban(guild)).await;
        assert_eq!(reply.status, 204);
        assert_eq!(reply.header("x-ratelimit-limit"), Some("5"));
        assert_eq!(reply.header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
        assert!(reply.header("x-ratelimit-reset-after").unwrap().parse::<f64>().unwrap() <= 5.0);
        assert_eq!(reply.header("x-ratelimit-bucket").unwrap().len(), 32);
        assert!(reply.header("x-ratelimit-reset").unwrap().parse::<f64>().unwrap() > 1.7e9);
    }
    let limited = bot.bare("PUT", &ban(guild)).await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.header("x-ratelimit-scope"), Some("user"));
    assert_eq!(limited.header("x-ratelimit-global"), None);
    assert_eq!(limited.body["global"], false);
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert!(limited.body["retry_after"].as_f64().unwrap() <= 5.0);
    assert_eq!(
        bot.bare("PUT", &ban(sandbox.children()[0])).await.status,
        204,
        "each guild has its own window"
    );
    sandbox.advance(Duration::from_secs(5));
    assert_eq!(bot.bare("PUT", &ban(guild)).await.status, 204);
    assert_eq!(sandbox.invalid_requests(), 1);
}

#[tokio::test]
async fn the_global_limit_is_one_window_of_a_second() {
    let options = Options { global_limit: 4, route_limits: false, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let bot = Bot::of(&sandbox);
    sandbox.advance(Duration::from_secs(2));
    let mut limited = None;
    for _ in 0..40 {
        let reply = bot.get("/users/@me").await;
        if reply.status == 429 {
            limited = Some(reply);
            break;
        }
    }
    let limited = limited.expect("the limit of 4 a second was never reached");
    assert_eq!(limited.header("x-ratelimit-global"), Some("true"));
    assert_eq!(limited.header("x-ratelimit-scope"), Some("global"));
    assert_eq!(limited.header("x-ratelimit-bucket"), None);
    assert_eq!(limited.body["global"], true);
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(bot.get("/users/@me").await.status, 200);
    assert!(sandbox.max_in_one_second() >= 5);
}

#[tokio::test]
async fn lifted_limits_have_no_headers() {
    let sandbox = Sandbox::start(Options { global_limit: 0, ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    for _ in 0..30 {
        let reply =
            bot.bare("PUT", &format!("/guilds/{}/bans/{}", sandbox.main_guild(), sandbox.stranger())).await;
        assert_eq!(reply.status, 204);
        assert_eq!(reply.header("x-ratelimit-limit"), None);
    }
}

#[tokio::test]
async fn bans_of_non_members_have_a_daily_budget() {
    let options = Options { non_member_bans: 2, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let bot = Bot::of(&sandbox);
    let guild = sandbox.main_guild();
    let member = sandbox.members(guild)[0];
    let ban = async |user: u64| bot.bare("PUT", &format!("/guilds/{guild}/bans/{user}")).await;
    assert_eq!(ban(sandbox.stranger()).await.status, 204);
    assert_eq!(ban(sandbox.stranger()).await.status, 204);
    assert_eq!(ban(sandbox.stranger()).await.code(), 30035);
    assert_eq!(ban(member).await.status, 204, "members cost nothing");
    sandbox.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(ban(sandbox.stranger()).await.status, 204);
}

#[tokio::test]
async fn a_route_window_can_be_another_in_one_guild() {
    let windows = vec![RouteWindow { bucket: "ban-write".into(), guild: None, limit: 2, seconds: 30 }];
    let sandbox = Sandbox::start(Options { windows, ..unchecked() }).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let ban =
        async |guild: u64| bot.bare("PUT", &format!("/guilds/{guild}/bans/{}", sandbox.stranger())).await;
    assert_eq!(ban(main).await.header("x-ratelimit-limit"), Some("2"));
    let windows = json!([{"bucket": "ban-write", "guild": child.to_string(), "limit": 1, "seconds": 60}]);
    assert_eq!(desk.post("/options", json!({"windows": windows})).await.0, 200);
    assert_eq!(ban(child).await.status, 204);
    let limited = ban(child).await;
    assert_eq!((limited.status, limited.header("x-ratelimit-limit")), (429, Some("1")));
    sandbox.advance(Duration::from_secs(31));
    assert_eq!(ban(child).await.status, 429, "its window is a minute long");
    assert_eq!(
        ban(main).await.header("x-ratelimit-limit"),
        Some("5"),
        "that of others is the usual one again"
    );

    let unknown = json!({"windows": [{"bucket": "bains", "limit": 1, "seconds": 1}]});
    let (status, answer) = desk.post("/options", unknown).await;
    assert!(status == 409 && answer["error"].as_str().unwrap().contains("bains"), "{status} {answer}");
    let windows = vec![RouteWindow { bucket: "bains".into(), guild: None, limit: 2, seconds: 30 }];
    assert!(Sandbox::start(Options { windows, ..unchecked() }).await.is_err());
}

#[tokio::test]
async fn a_big_ban_list_gives_a_page_a_minute_whatever_its_headers_say() {
    let sandbox = Sandbox::start(Options { big_ban_list: Some(2), ..unchecked() }).await.unwrap();
    let bot = Bot::of(&sandbox);
    let guild = sandbox.main_guild();
    let page = format!("/guilds/{guild}/bans?limit=1");
    let ban = || sandbox.people().ban(guild, sandbox.owner(), sandbox.stranger(), None).unwrap();
    ban();
    for _ in 0..2 {
        assert_eq!(bot.get(&page).await.status, 200, "one ban is no big list");
    }
    ban();
    assert_eq!(bot.get(&page).await.status, 200);
    let limited = bot.get(&page).await;
    assert_eq!((limited.status, limited.header("x-ratelimit-scope")), (429, Some("shared")));
    assert!(limited.header("x-ratelimit-remaining").unwrap().parse::<u32>().unwrap() > 0);
    let wait = limited.body["retry_after"].as_f64().unwrap();
    assert!(wait > 30.0 && wait <= 60.0, "{wait}");
    assert_eq!(sandbox.invalid_requests(), 0, "it is not held against the client");
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(bot.get(&page).await.status, 200);
    Desk::of(&sandbox).post("/options", json!({"big_ban_list": 0})).await;
    assert_eq!(bot.get(&page).await.status, 200);
}

#[tokio::test]
async fn too_many_invalid_requests_and_the_edge_answers_everything_for_a_while() {
    let options = Options { invalid_requests: 3, edge_ban: Duration::from_secs(3_600), ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let bot = Bot::of(&sandbox);
    sandbox.inject(Fault::Answer {
        at: At::anything().times(3),
        status: 403,
        code: 50013,
        message: String::new(),
    });
    for _ in 0..3 {
        assert_eq!(bot.get("/users/@me").await.status, 403);
    }
    for path in ["/users/@me", "/gateway", "/nothing"] {
        let banned = bot.get(path).await;
        assert_eq!(banned.status, 429, "{path}");
        assert!(banned.body.as_str().unwrap().contains("1015"), "{path}: a page of the edge");
        assert_eq!((banned.header("x-ratelimit-scope"), banned.header("via")), (None, None));
    }
    sandbox.advance(Duration::from_secs(3_599));
    assert_eq!(bot.get("/users/@me").await.status, 429);
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(bot.get("/users/@me").await.status, 200);
}

#[tokio::test]
async fn guessed_statuses_are_switches() {
    let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
    let options = Options { non_member_bans: 0, bot_permissions, ..unchecked() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let (bot, desk) = (Bot::of(&sandbox), Desk::of(&sandbox));
    let (main, child, app) = (sandbox.main_guild(), sandbox.children()[0], sandbox.application_id());
    sandbox.people().outage(child).unwrap();
    let commands = |from: usize| -> Value {
        (from..from + 100).map(|at| json!({"name": format!("c{at}"), "description": "d"})).collect()
    };
    let path = format!("/applications/{app}/commands");
    for from in [0, 100] {
        assert_eq!(bot.with("PUT", &path, commands(from)).await.status, 200);
    }
    let statuses = async || {
        let ban = bot.bare("PUT", &format!("/guilds/{main}/bans/{}", sandbox.stranger())).await;
        let users = json!({"user_ids": [sandbox.owner().to_string()]});
        let bulk = bot.with("POST", &format!("/guilds/{main}/bulk-ban"), users).await;
        let down = bot.get(&format!("/guilds/{child}")).await;
        let create = bot.with("PUT", &path, commands(200)).await;
        assert_eq!([ban.code(), bulk.code(), create.code()], [30035, 500_000, 30034]);
        [ban.status, bulk.status, down.status, create.status]
    };
    assert_eq!(statuses().await, [400, 400, 503, 429]);
    let guesses =
        json!({"non_member_bans": 429, "bulk_ban_failed": 500, "outage": 500, "command_creates": 400});
    assert_eq!(desk.post("/options", json!({"guesses": guesses})).await.0, 200);
    assert_eq!(statuses().await, [429, 500, 500, 400]);
}
