//! Windows, their headers, and what counts.

use std::time::Duration;

use wayhaven_sandbox::{Options, Sandbox};

use crate::bot::{Bot, unchecked};

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
