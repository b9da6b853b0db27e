//! A guild in which Discord refuses everybody although the bot has the permission.

use crate::discord::directory::Presence;
use crate::health::{self, Checks};
use crate::invocation::Invocation;
use crate::tasks::run_alone;
use crate::testing::{PATIENCE, TestDaemon, asked, by_operator, guild, sandbox, user};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::{At, Changes, Fault, Guesses, Options, Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::job::{Job, JobResult};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reconcile::{Difference, Reconciled, SyncReconcile};
use wayhaven_shared::operations::setup::{CheckResult, SetupDashboard, SetupDoctor, SetupTestConnection};
use wayhaven_shared::operations::status::Health;
use wayhaven_shared::operations::sync::SyncRetry;
use wayhaven_shared::value::PunishmentId;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

fn refuse(method: &str, route: &str, of: u64, status: u16, code: u32) -> Fault {
    Fault::Answer { at: At::route(method, route).guild(of), status, code, message: "No".into() }
}

/// The requests that Discord has refused in a guild.
fn refusals(sandbox: &Sandbox, of: u64) -> usize {
    sandbox.effects_in(of).iter().filter(|effect| effect.status == 403).count()
}

/// Bans so many strangers in the main, and waits until it is known what comes of each in the child.
async fn ban_many(
    sandbox: &Sandbox,
    test: &TestDaemon,
    child: u64,
    count: usize,
    state: DeliveryState,
) -> Vec<(u64, PunishmentId)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let victim = sandbox.stranger();
        all.push((victim, test.ban(sandbox.main_guild(), victim).await));
    }
    for (_, id) in all.clone() {
        test.until("what comes of it there", move |view| {
            let of = view.deliveries_of(id).unwrap();
            of.iter().any(|one| one.guild_id == guild(child) && one.state == state)
        })
        .await;
    }
    test.settled().await;
    all
}

async fn until_banned(sandbox: &Sandbox, child: u64, all: &[(u64, PunishmentId)]) {
    let victims: Vec<u64> = all.iter().map(|(victim, _)| *victim).collect();
    let there = move |sandbox: &wayhaven_sandbox::Discord| {
        victims.iter().all(|victim| sandbox.is_banned(child, *victim))
    };
    sandbox.wait_until(there, PATIENCE).await.unwrap();
}

async fn alert_texts(test: &TestDaemon) -> Vec<String> {
    let told = test.told().await.into_iter();
    told.filter_map(|change| match change {
        wayhaven_shared::event::Change::Alert { details, .. } => Some(details.raw().to_owned()),
        _ => None,
    })
    .collect()
}

/// A sandbox whose first child requires two-factor authentication, which the bot's owner does not use.
async fn two_factor(code: u32) -> Sandbox {
    let sandbox = sandbox(2).await;
    let guesses = Guesses { without_two_factor: code, ..Guesses::default() };
    sandbox.reconfigure(Changes { guesses: Some(guesses), ..Changes::default() }).unwrap();
    sandbox.people().owner_uses_two_factor(false);
    sandbox.people().require_two_factor(sandbox.children()[0], true).unwrap();
    sandbox
}

#[tokio::test]
async fn two_factor_that_the_bots_owner_lacks_blocks_the_guild_once_is_named_and_resumes_with_the_event() {
    for code in [50013, 60003] {
        let sandbox = two_factor(code).await;
        let test = TestDaemon::start(&sandbox).await;
        let bad = sandbox.children()[0];
        let all = ban_many(&sandbox, &test, bad, 20, DeliveryState::Blocked).await;
        assert!((1..=2).contains(&refusals(&sandbox, bad)), "{code}: {}", refusals(&sandbox, bad));
        let alerts = alert_texts(&test).await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert!(alerts[0].contains("two-factor"), "{alerts:?}");
        // Kicks and mutes would be refused for the same cause; a timeout is not.
        let member = sandbox.stranger();
        for place in [bad, sandbox.main_guild()] {
            sandbox.people().had_joined(place, member).unwrap();
        }
        let arguments = serde_json::json!({ "user": member.to_string(), "for": "1h" });
        let request = serde_json::json!({ "operation": "timeout", "arguments": arguments });
        let timeout = test.punish(sandbox.main_guild(), request).await.punishment.unwrap().id;
        test.settled().await;
        assert_eq!(test.delivery(timeout, bad).await.state, DeliveryState::Applied);

        sandbox.people().require_two_factor(bad, false).unwrap();
        until_banned(&sandbox, bad, &all).await;
        test.settled().await;
        assert!(refusals(&sandbox, bad) <= 2);
        assert!(test.read(|view| view.refusals(None).unwrap()).await.is_empty());
    }
}

#[tokio::test]
async fn every_surface_shows_that_discord_refuses_the_guild() {
    let sandbox = two_factor(50013).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bad) = (sandbox.main_guild(), sandbox.children()[0]);
    ban_many(&sandbox, &test, bad, 3, DeliveryState::Blocked).await;
    let named = |what: &wayhaven_shared::operations::setup::Check| {
        what.result == CheckResult::Fail && what.detail.raw().contains("two-factor")
    };
    let doctor = asked(&test, main, SetupDoctor { child: Some(guild(bad)) }, false).await.unwrap();
    assert!(doctor.patients[0].findings.iter().any(named), "{doctor:?}");
    let overview = asked(&test, main, SetupDoctor { child: None }, false).await.unwrap();
    assert!(overview.patients.iter().any(|one| one.guild_id == guild(bad) && one.findings.iter().any(named)));
    let tested = asked(&test, main, SetupTestConnection { child: guild(bad) }, false).await.unwrap();
    assert!(tested.checks.iter().any(named), "{tested:?}");
    let dashboard = asked(&test, main, SetupDashboard {}, false).await.unwrap();
    let children = &dashboard.networks[0].children;
    let child = children.iter().find(|child| child.link.child_guild_id == guild(bad)).unwrap();
    assert!(child.reason.as_deref().unwrap().contains("two-factor"), "{child:?}");
    let (services, log) = (test.systems.services.clone(), test.systems.reload.log().clone());
    let checks = Checks::new(services.clone(), log, Duration::from_millis(5), health::MAX_AWAY);
    let keeping = tokio::spawn(run_alone(services, checks));
    test.until("the state of deliveries", |view| {
        let parts = view.components().unwrap();
        parts.iter().any(|one| one.name == "deliveries" && one.health == Health::Error)
    })
    .await;
    keeping.abort();
    let dry = Invocation {
        dry_run: true,
        ..by_operator(Role::Owner, Some(main), Ban::new(user(sandbox.stranger())).into())
    };
    let planned = test.ask(dry).await.unwrap().punished().cloned().unwrap();
    let planned = planned.plan.into_iter().find(|one| one.guild_id == guild(bad)).unwrap();
    assert_eq!(planned.state, DeliveryState::Blocked);
    assert!(planned.reason.unwrap().contains("two-factor"));
}

#[tokio::test]
async fn a_restart_neither_forgets_the_refusal_nor_tries_everything_again() {
    let sandbox = two_factor(50013).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bad) = (sandbox.main_guild(), sandbox.children()[0]);
    let all = ban_many(&sandbox, &test, bad, 8, DeliveryState::Blocked).await;
    let home = test.home();
    drop(test);
    let mut next = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    for _ in 0..3 {
        next.until_ready().await;
        next.settled().await;
        drop(next);
        next = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    }
    next.until_ready().await;
    let later = next.ban(main, sandbox.stranger()).await;
    next.settled().await;
    assert_eq!(next.delivery(later, bad).await.state, DeliveryState::Blocked);
    assert!(refusals(&sandbox, bad) <= 2, "{}", refusals(&sandbox, bad));
    for (_, id) in &all {
        assert_eq!(next.delivery(*id, bad).await.state, DeliveryState::Blocked);
    }
    // The owner switches it on, of which no event tells: an operator's retry tries one, and all follow.
    sandbox.people().owner_uses_two_factor(true);
    let retry = SyncRetry { child: Some(guild(bad)), ..SyncRetry::default() };
    asked(&next, main, retry, false).await.unwrap();
    until_banned(&sandbox, bad, &all).await;
    assert!(refusals(&sandbox, bad) <= 2);
}

#[tokio::test]
async fn one_route_that_is_refused_blocks_that_action_alone_and_reconcile_apply_retries_it() {
    for (code, most) in [(50013, 2), (50001, 1), (0, 2)] {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        let (main, bad) = (sandbox.main_guild(), sandbox.children()[0]);
        let fault = sandbox.inject(refuse("PUT", BAN, bad, 403, code));
        let all = ban_many(&sandbox, &test, bad, 10, DeliveryState::Blocked).await;
        assert!(refusals(&sandbox, bad) <= most, "{code}: {}", refusals(&sandbox, bad));
        let alerts = alert_texts(&test).await;
        assert_eq!(alerts.len(), 1, "{code}: {alerts:?}");
        assert!(alerts[0].contains("403 Discord"), "{alerts:?}");
        let member = sandbox.stranger();
        for place in [bad, main] {
            sandbox.people().had_joined(place, member).unwrap();
        }
        let request = serde_json::json!({ "operation": "kick", "arguments": { "user": member.to_string() } });
        let kick = test.punish(main, request).await.punishment.unwrap().id;
        test.settled().await;
        assert_eq!(test.delivery(kick, bad).await.state, DeliveryState::Applied, "another route");

        let shown = compare(&test, main, bad, false).await;
        assert_eq!(shown.count(Difference::Blocked), 10, "{shown:?}");
        let title = shown.report().title.line();
        assert!(title.contains("10 blocked") && !title.contains("as decided"), "{title}");
        sandbox.clear(fault);
        compare(&test, main, bad, true).await;
        until_banned(&sandbox, bad, &all).await;
        assert!(refusals(&sandbox, bad) <= most);
    }
}

async fn compare(test: &TestDaemon, main: u64, child: u64, apply: bool) -> Reconciled {
    let operation = SyncReconcile { child: Some(guild(child)), apply };
    let job: Job = asked(test, main, operation, false).await.unwrap().jobs.pop().unwrap();
    let id = job.id;
    test.until("the comparison", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    match test.read(move |view| view.job(id).unwrap().unwrap()).await.result.unwrap() {
        JobResult::Reconciled(found) => found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_answers_before_discord_is_asked_seldom_and_nothing_is_given_up() {
    let page = |bad| Fault::Page {
        at: At::route("PUT", BAN).guild(bad),
        status: 403,
        body: "<html>Forbidden</html>".into(),
    };
    let edge = |bad| refuse("PUT", BAN, bad, 403, 40333);
    for fault in [page as fn(u64) -> Fault, edge] {
        let sandbox = sandbox(2).await;
        let test = TestDaemon::start(&sandbox).await;
        let bad = sandbox.children()[0];
        let fault = sandbox.inject(fault(bad));
        let (victim, main) = (sandbox.stranger(), sandbox.main_guild());
        let id = test.ban(main, victim).await;
        test.until("two refusals", move |view| {
            let of = view.deliveries_of(id).unwrap();
            of.iter().any(|one| one.guild_id == guild(bad) && one.attempts == 2)
        })
        .await;
        test.until("the alert", |view| view.open_alerts(None).unwrap() == 1).await;
        assert_eq!(test.alerts().await, ["delivery_delayed"]);
        test.settled().await;
        assert_eq!(refusals(&sandbox, bad), 2);
        assert!(!test.delivery(id, bad).await.state.is_final());
        sandbox.clear(fault);
        let delivery = test.delivery(id, bad).await.id;
        test.systems.engine.retry([(guild(bad), delivery)]);
        test.until_counted(id, DeliveryState::Applied, 2).await;
    }
}

#[tokio::test]
async fn a_bulk_ban_that_is_refused_to_everybody_is_one_of_the_two_refusals() {
    let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
    let options = Options { children: 1, global_limit: 0, bot_permissions, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let (main, bad) = (sandbox.main_guild(), sandbox.children()[0]);
    let faults = [
        sandbox.inject(refuse("POST", "/guilds/{guild_id}/bulk-ban", bad, 403, 50013)),
        sandbox.inject(refuse("PUT", BAN, bad, 403, 50013)),
    ];
    let victims: Vec<u64> = (0..20).map(|_| sandbox.stranger()).collect();
    sandbox.people().bulk_ban(main, sandbox.admin(), &victims, None).unwrap();
    let mut all = Vec::new();
    for victim in victims {
        let id = test.punishment(victim, 1).await;
        test.until_counted(id, DeliveryState::Blocked, 1).await;
        all.push((victim, id));
    }
    test.settled().await;
    assert!(refusals(&sandbox, bad) <= 3, "{}", refusals(&sandbox, bad));
    assert_eq!(alert_texts(&test).await.len(), 1);
    for fault in faults {
        sandbox.clear(fault);
    }
    let retry = SyncRetry { child: Some(guild(bad)), ..SyncRetry::default() };
    asked(&test, main, retry, false).await.unwrap();
    until_banned(&sandbox, bad, &all).await;
}

#[tokio::test]
async fn one_user_whom_discord_refuses_for_no_visible_reason_blocks_nobody_else() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, odd) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = At::route("PUT", BAN).guild(child).user(odd);
    sandbox.inject(Fault::Answer { at, status: 403, code: 50013, message: "No".into() });
    for _ in 0..3 {
        let through = test.ban(main, sandbox.stranger()).await;
        test.until_counted(through, DeliveryState::Applied, 1).await;
    }
    let id = test.ban(main, odd).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    let reason = test.delivery(id, child).await.reason.unwrap();
    assert_eq!(reason, "403 Discord refuses although the permission is present: Ban Members");
    for _ in 0..5 {
        let through = test.ban(main, sandbox.stranger()).await;
        test.until_counted(through, DeliveryState::Applied, 1).await;
    }
    assert_eq!(refusals(&sandbox, child), 1, "others that pass are no cause to try it again");
}

#[tokio::test]
async fn the_main_itself_can_be_refused_and_is_shown() {
    let sandbox = sandbox(0).await;
    sandbox.people().owner_uses_two_factor(false);
    sandbox.people().require_two_factor(sandbox.main_guild(), true).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(test.ban(main, sandbox.stranger()).await);
    }
    test.settled().await;
    for id in ids.clone() {
        let origin = test.read(move |view| view.origin_of(id).unwrap().unwrap()).await;
        assert_eq!(origin.state, DeliveryState::Blocked);
    }
    assert!(refusals(&sandbox, main) <= 2);
    let dashboard = asked(&test, main, SetupDashboard {}, false).await.unwrap();
    assert!(dashboard.networks[0].refused.as_deref().unwrap().contains("two-factor"), "{dashboard:?}");
    assert_eq!(test.systems.services.directory().presence(guild(main)), Some(Presence::Here));
    let why = test.read(move |view| view.why_refused(guild(main), Action::Kick).unwrap()).await;
    assert!(why.is_some(), "the same cause");
    sandbox.people().require_two_factor(main, false).unwrap();
    for id in ids {
        test.until("it is done", move |view| {
            view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
        })
        .await;
    }
}
