//! What Discord, the edge in front of it or the way there does to requests, and what the engine makes of it.

use crate::discord::interaction::{FirstAnswer, InteractionToken, Ticket};
use crate::discord::rest::{RestError, Trouble};
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_sandbox::fault::{EventFate, Scope, Trouble as Gateway};
use wayhaven_sandbox::{At, Fault, Options, Sandbox};
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::sync::SyncStatus;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

fn bans() -> At {
    At::route("PUT", BAN)
}

fn limited(at: At, scope: Scope, retry_after: f64, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault::RateLimit { at, scope, retry_after, headers: Some(headers) }
}

#[tokio::test]
async fn fault_5_a_429_with_broken_headers_is_no_hot_loop() {
    let sandbox = sandbox(4).await;
    let test = TestDaemon::start(&sandbox).await;
    let children = sandbox.children();
    let broken: [&[(&str, &str)]; 3] = [
        &[],
        &[("Retry-After", "soon"), ("X-RateLimit-Scope", "planet"), ("X-RateLimit-Remaining", "5.0")],
        &[("Retry-After", "-1"), ("X-RateLimit-Reset-After", "NaN"), ("X-RateLimit-Remaining", "0")],
    ];
    for (child, headers) in children.iter().zip(broken) {
        sandbox.inject(limited(bans().guild(*child).times(2), Scope::User, 0.0, headers));
    }
    let id = test.ban(sandbox.main_guild(), sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 4).await;
    for child in &children[..3] {
        let tries = sandbox.effects_in(*child);
        assert_eq!(tries.iter().map(|try_| try_.status).collect::<Vec<_>>(), [429, 429, 204]);
        let apart = tries.windows(2).map(|pair| pair[1].at - pair[0].at).min().unwrap();
        assert!(apart >= Duration::from_millis(200), "{apart:?} between two tries");
    }
}

#[tokio::test]
async fn fault_6_a_shared_limit_of_1337_s_holds_one_resource_and_nothing_else() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, slow) = (sandbox.main_guild(), sandbox.children()[0]);
    // Its window says that requests are left, as Discord's does (FACTS C1).
    let headers = [("Retry-After", "1337"), ("X-RateLimit-Scope", "shared"), ("X-RateLimit-Remaining", "4")];
    sandbox.inject(limited(bans().guild(slow).times(1), Scope::Shared, 1_337.0, &headers));
    let (first, second) = (sandbox.stranger(), sandbox.stranger());
    let one = test.ban(main, first).await;
    test.until_counted(one, DeliveryState::Applied, 2).await;
    let two = test.ban(main, second).await;
    test.until_counted(two, DeliveryState::Applied, 2).await;
    assert_eq!(sandbox.effects_in(slow).len(), 1, "that resource waits");
    for id in [one, two] {
        assert_eq!(test.delivery(id, slow).await.state, DeliveryState::Pending);
    }
    assert_eq!(test.alerts().await, Vec::<String>::new());
}

#[tokio::test]
async fn fault_7_a_page_of_the_edge_pauses_everything_and_is_told() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let mut troubles = test.systems.services.rest().troubles();
    // Without Retry-After nobody knows how long: ten minutes, and no request before (FACTS C1).
    let page = "<html>error code: 1015</html>".to_owned();
    sandbox.inject(Fault::Page { at: bans().guild(child).times(1), status: 429, body: page });
    let id = test.ban(main, sandbox.stranger()).await;
    assert_eq!(troubles.recv().await.unwrap(), Trouble::Edge(Duration::from_secs(600)));
    test.until("the alert", |view| view.open_alerts(None).unwrap() == 1).await;
    assert_eq!(test.alerts().await, ["edge_refuses"]);
    let status = test.ask(by_operator(Role::Observer, None, SyncStatus {}.into())).await.unwrap();
    let Reply::SyncStatus(status) = status else { panic!("{status:?}") };
    assert!(status.paused_seconds.unwrap() > 500, "{status:?}");
    // The edge does not know what an interaction is: not even an acknowledgement leaves.
    let before = sandbox.log().len();
    let ticket = Ticket { id: 1, application: None, token: InteractionToken::new("a-token") };
    let answers = test.systems.services.rest().first_answers().unwrap();
    let refused = answers
        .give(&ticket, FirstAnswer::Deferred.body(&serde_json::Value::Null), Instant::now())
        .await
        .unwrap_err();
    assert!(matches!(refused, RestError::RateLimited { everything: true, .. }), "{refused}");
    assert_eq!(sandbox.log().len(), before);
    assert_eq!(test.delivery(id, child).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn two_thousand_refusals_pause_everything_long_before_discord_bans_the_address() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let mut troubles = test.systems.services.rest().troubles();
    let (main, somebody) = (guild(sandbox.main_guild()), user(sandbox.stranger()));
    let at = At::route("GET", "/guilds/{guild_id}/members/{user_id}");
    sandbox.inject(Fault::Answer { at, status: 403, code: 50001, message: "Missing Access".into() });
    let rest = test.systems.services.rest();
    for _ in 0..crate::discord::refusals::ENOUGH {
        assert!(rest.member(main, somebody).await.is_err());
    }
    assert!(matches!(troubles.recv().await.unwrap(), Trouble::Refused(_)));
    assert!(rest.budget().paused_for().is_some());
    test.until("the alert", |view| view.open_alerts(None).unwrap() == 1).await;
    assert_eq!(test.alerts().await, ["requests_refused"]);
}

#[tokio::test]
async fn fault_10_an_outage_keeps_the_queue_until_the_guild_is_back() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, away) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.people().outage(away).unwrap();
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the outage is known", move |_| {
        systems.services.directory().presence(guild(away))
            == Some(crate::discord::directory::Presence::Outage)
    })
    .await;
    let victim = sandbox.stranger();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert_eq!(test.delivery(id, away).await.state, DeliveryState::Pending);
    assert!(sandbox.effects_in(away).is_empty(), "no request is wasted on it");
    let asked = by_operator(Role::Operator, None, SyncStatus {}.into());
    let Reply::SyncStatus(status) = test.ask(asked).await.unwrap() else { panic!("another reply") };
    assert_eq!(status.lanes[0].reason.as_deref(), Some("Discord has an outage for the guild"));
    sandbox.people().restore(away).unwrap();
    test.until_counted(id, DeliveryState::Applied, 2).await;
    assert!(sandbox.is_banned(away, victim));
    assert_eq!(test.alerts().await, Vec::<String>::new());
}

#[tokio::test]
async fn fault_10_a_guild_that_removed_the_bot_gets_no_request_and_its_queue_is_kept() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, gone) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.people().remove_bot(gone).unwrap();
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the removal is known", move |_| {
        systems.services.directory().presence(guild(gone))
            == Some(crate::discord::directory::Presence::Absent)
    })
    .await;
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    assert!(sandbox.effects_in(gone).is_empty());
    assert_eq!(test.delivery(id, gone).await.reason.as_deref(), Some("the bot is not in the guild"));
    assert_eq!(test.alerts().await, ["delivery_blocked"]);
}

#[tokio::test]
async fn fault_11_a_spent_budget_of_non_members_is_waited_for_across_a_restart() {
    let options = Options { children: 2, non_member_bans: 1, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start_with(&sandbox, |settings| settings.discord.requests_per_second = 49).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (first, second, member) = (sandbox.stranger(), sandbox.stranger(), sandbox.members(child)[0]);
    test.ban(main, first).await;
    let deferred = test.ban(main, second).await;
    test.until("both are deferred", move |view| {
        let of = view.deliveries_of(deferred).unwrap();
        of.iter().all(|one| one.reason.as_deref().is_some_and(|reason| reason.contains("non-members")))
    })
    .await;
    let before = sandbox.effects_in(child).len();
    // A member is banned all the same, and an unban goes.
    let of_member = test.ban(main, member).await;
    test.until_counted(of_member, DeliveryState::Applied, 1).await;
    let unban = test.unban(main, first).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    assert_eq!(test.delivery(deferred, child).await.state, DeliveryState::Pending);
    assert!(sandbox.effects_in(child).len() <= before + 2, "the deferred one is not tried in between");
    let home = test.home();
    drop(test);
    // The next daemon knows that it waits.
    let before = sandbox.effects_in(child).len();
    let next = TestDaemon::start_at(&sandbox, home).await;
    next.until_ready().await;
    next.systems.engine.drain().await;
    assert_eq!(sandbox.effects_in(child).len(), before);
    assert_eq!(next.delivery(deferred, child).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn fault_37_an_answer_that_hangs_or_breaks_in_the_middle_is_given_up_and_asked_for() {
    let sandbox = sandbox(4).await;
    let test = TestDaemon::start_with(&sandbox, |settings| {
        settings.discord.request_timeout = Duration::from_millis(500);
    })
    .await;
    let (main, children, victim) = (sandbox.main_guild(), sandbox.children(), sandbox.stranger());
    let at = |child: usize| bans().guild(children[child]).times(1);
    let faults =
        [Fault::Hang { at: at(0) }, Fault::HangAfterHeaders { at: at(1) }, Fault::ResetInBody { at: at(2) }];
    let hanging = faults.map(|fault| sandbox.inject(fault));
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 4).await;
    for fault in hanging {
        sandbox.clear(fault);
    }
    assert_eq!(sandbox.banned_in(&children, victim), 4);
    let told = test.told().await;
    let unknown = |child: u64| {
        told.iter().find_map(|change| match change {
            Change::Delivery { delivery } if delivery.guild_id == guild(child) => delivery.reason.clone(),
            _ => None,
        })
    };
    let reasons: Vec<_> = children.iter().map(|child| unknown(*child)).collect();
    let (slow, broken) = ("no answer came: it took too long", "no answer came: the connection broke");
    assert_eq!(reasons, [Some(slow), Some(slow), Some(broken), None].map(|reason| reason.map(str::to_owned)));
    // What had been done before the answer broke is not done again.
    assert_eq!(sandbox.effects_in(children[1]).len(), 1);
    assert_eq!(sandbox.effects_in(children[2]).len(), 1);
}

#[tokio::test]
async fn a_reason_that_discord_finds_too_long_is_sent_shorter() {
    let sandbox = sandbox(1).await;
    let _test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = bans().guild(child).times(1);
    sandbox.inject(Fault::Answer { at, status: 400, code: 50035, message: "Invalid Form Body".into() });
    // 400 letters, and 2,400 bytes once they are encoded.
    let reason = "щ".repeat(400);
    sandbox.people().ban(main, sandbox.moderator(), victim, Some(&reason)).unwrap();
    let there = |sandbox: &wayhaven_sandbox::Discord| sandbox.is_banned(child, victim);
    sandbox.wait_until(there, PATIENCE).await.unwrap();
    let victim = victim.to_string();
    let entry =
        sandbox.audit_log(child).into_iter().find(|entry| entry["target_id"] == victim.as_str()).unwrap();
    let told = entry["reason"].as_str().unwrap();
    assert!(reason.starts_with(told) && told.chars().count() == 512 / 6, "{told}");
}

#[tokio::test]
async fn a_broken_child_is_told_of_once_and_keeps_nobody_waiting() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, broken) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.inject(Fault::Answer {
        at: At::anything().guild(broken),
        status: 500,
        code: 0,
        message: String::new(),
    });
    let ids = [test.ban(main, sandbox.stranger()).await, test.ban(main, sandbox.stranger()).await];
    for id in ids {
        test.until_counted(id, DeliveryState::Applied, 2).await;
    }
    // An operator asks again and again, and each time one request tells.
    for tries in 2..=5 {
        let systems = std::sync::Arc::clone(&test.systems);
        test.until("another try", move |view| {
            let of = view.deliveries_of(ids[0]).unwrap();
            systems.engine.retry(of.iter().map(|one| (one.guild_id, one.id)));
            of.iter().any(|one| one.attempts >= tries)
        })
        .await;
    }
    assert!(test.alerts().await.len() <= 1);
    for id in ids {
        assert!(!test.delivery(id, broken).await.state.is_final(), "nothing is given up");
    }
}

#[tokio::test]
async fn events_of_a_gateway_in_trouble_change_nothing_about_what_is_sent() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    sandbox.inject(Fault::Events {
        name: Some("GUILD_BAN_ADD".into()),
        guild: None,
        times: None,
        fate: EventFate::Twice,
    });
    let id = test.ban(main, sandbox.stranger()).await;
    sandbox.inject(Fault::Gateway { trouble: Gateway::DropTcp });
    test.until_counted(id, DeliveryState::Applied, 3).await;
    assert_eq!(sandbox.effect_count(), 4, "one in the main, one in each child");
}
