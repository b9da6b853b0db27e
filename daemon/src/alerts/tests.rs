//! Alerts end when what they tell of does, each by its own condition.

mod endings;

use super::*;
use crate::clock::Clock;
use crate::discord::directory::Presence;
use crate::store::{BY_ITSELF, Change};
use crate::systems::Pauses;
use crate::testing::{PAUSES, TestDaemon, asked, by_operator, confirmed, guild, home, sandbox, user};
use serde_json::{Value, json};
use std::sync::Arc;
use wayhaven_sandbox::{At, Fault as Injected, Options, Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::alert::Severity;
use wayhaven_shared::operations::config::ConfigMuterole;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::RoleId;

/// A daemon that resolves what is over, and whose doctor looks at guilds.
async fn watched(sandbox: &Sandbox) -> TestDaemon {
    TestDaemon::start(sandbox).await
}

async fn ask(test: &TestDaemon, of: u64, operation: &str, arguments: Value) {
    let request: Request =
        serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap();
    test.ask(confirmed(by_operator(Role::Owner, Some(of), request))).await.unwrap();
}

/// Every alert of a kind, oldest first: whether it is open, and what it tells.
fn of_kind(view: &View<'_>, kind: &str) -> Vec<(bool, String)> {
    let filter = AlertFilter { all: true, kind: Some(kind.to_owned()), ..AlertFilter::default() };
    let alerts = view.alerts(&filter, 100).unwrap();
    alerts.into_iter().rev().map(|one| (one.resolved.is_none(), one.details.raw().to_owned())).collect()
}

async fn until_raised(test: &TestDaemon, kind: &'static str, about: &'static str) {
    test.until(&format!("{kind} about {about}"), move |view| {
        of_kind(view, kind).iter().any(|(open, details)| *open && details.contains(about))
    })
    .await;
}

/// Waits until no alert of the kind is open, and says how each was resolved.
async fn until_over(test: &TestDaemon, kind: &'static str) {
    test.until(&format!("{kind} is over"), move |view| {
        let all = of_kind(view, kind);
        !all.is_empty() && all.iter().all(|(open, _)| !open)
    })
    .await;
    let filter = AlertFilter { all: true, kind: Some(kind.to_owned()), ..AlertFilter::default() };
    for alert in test.read(move |view| view.alerts(&filter, 100).unwrap()).await {
        let resolution = alert.resolved.unwrap();
        assert_eq!(resolution.by.raw(), BY_ITSELF, "{kind}");
        assert!(!resolution.reason.raw().is_empty() && resolution.at >= alert.first_at, "{kind}");
    }
}

async fn raise(test: &TestDaemon, kind: &'static str, severity: Severity, of: Option<u64>) {
    let work =
        move |change: &Change<'_>| Ok(change.alert(kind, severity, of.map(guild), None, "as a test says")?);
    test.systems.services.store().write(work).await.unwrap();
}

#[tokio::test]
async fn the_present_cause_is_told_when_the_mute_role_the_permission_and_the_bot_go_one_after_the_other() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let victim = sandbox.members(main).into_iter().find(|one| sandbox.is_member(child, *one)).unwrap();
    let role = sandbox.role(main, "Muted");
    ask(&test, main, "config muterole", json!({ "role": role.to_string() })).await;
    let id =
        test.punish(main, json!({ "operation": "mute", "arguments": { "user": victim.to_string() } })).await;
    let id = id.punishment.unwrap().id;
    let says = |what: &'static str| {
        let of = guild(child);
        move |view: &View<'_>| {
            let all = view.deliveries_of(id).unwrap();
            let one = all.iter().find(|one| one.guild_id == of).unwrap();
            one.state == DeliveryState::Blocked && one.reason.as_ref().is_some_and(|why| why.contains(what))
        }
    };
    test.until("no mute role", says("no mute role")).await;
    until_raised(&test, "delivery_blocked", "no mute role").await;

    people.set_bot_permissions(child, permissions::LEAST_FOR_BOT & !permissions::MANAGE_ROLES).unwrap();
    test.until("no permission", says("Manage Roles")).await;
    until_raised(&test, "delivery_blocked", "Manage Roles").await;

    people.remove_bot(child).unwrap();
    test.until("no bot", says("the bot is not in the guild")).await;
    until_raised(&test, "delivery_blocked", "the bot is not in the guild").await;
    until_raised(&test, "guild_unwell", "the bot is not in the guild").await;
    let told = test.read(|view| of_kind(view, "delivery_blocked")).await;
    let open: Vec<_> = told.iter().filter(|(open, _)| *open).collect();
    assert_eq!(open.len(), 1, "one alert, which tells the present cause: {told:?}");
    assert!(!open[0].1.contains("mute role") && !open[0].1.contains("Manage Roles"), "{told:?}");
    let dashboard = test
        .ask(by_operator(
            Role::Observer,
            Some(main),
            serde_json::from_value(json!({ "operation": "setup dashboard", "arguments": {} })).unwrap(),
        ))
        .await
        .unwrap();
    let wayhaven_shared::operations::Reply::SetupDashboard(dashboard) = dashboard else {
        panic!("{dashboard:?}")
    };
    let reason = dashboard.networks[0].children[0].reason.clone().unwrap();
    assert!(reason.contains("the bot is not in the guild"), "{reason:?}");

    // Back again, with everything: what was blocked goes, and nothing is left to look at.
    people.invite_bot(child).unwrap();
    let systems = Arc::clone(&test.systems);
    test.until("it is back", move |_| {
        systems.services.directory().presence(guild(child)) == Some(Presence::Here)
    })
    .await;
    people.set_bot_permissions(child, permissions::LEAST_FOR_BOT).unwrap();
    let muted = RoleId::new(sandbox.role(child, "Muted"));
    asked(&test, child, ConfigMuterole { role: muted, unset: false }, false).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    until_over(&test, "delivery_blocked").await;
    until_over(&test, "guild_unwell").await;
}

#[tokio::test]
async fn a_repaired_part_of_a_guild_is_told_no_more_while_the_rest_stays() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (child, people) = (sandbox.children()[0], sandbox.people());
    let both = permissions::LEAST_FOR_BOT & !permissions::BAN_MEMBERS & !permissions::KICK_MEMBERS;
    people.set_bot_permissions(child, both).unwrap();
    until_raised(&test, "guild_unwell", "Ban Members").await;
    people.set_bot_permissions(child, both | permissions::BAN_MEMBERS).unwrap();
    test.until("the rest", |view| {
        of_kind(view, "guild_unwell").iter().any(|(open, text)| *open && !text.contains("Ban Members"))
    })
    .await;
    until_raised(&test, "guild_unwell", "Kick Members").await;
    people.set_bot_permissions(child, permissions::LEAST_FOR_BOT).unwrap();
    until_over(&test, "guild_unwell").await;
}

#[tokio::test]
async fn alerts_about_holds_end_when_the_last_of_them_is_decided() {
    for decision in ["sync approve", "sync discard"] {
        let sandbox = sandbox(1).await;
        let test = watched(&sandbox).await;
        let main = sandbox.main_guild();
        let bot = sandbox.people().invite_other_bot(main, 0).unwrap();
        test.ban(main, bot).await;
        until_raised(&test, "approval_needed", "about a bot").await;
        ask(&test, main, decision, json!({ "all": true })).await;
        until_over(&test, "approval_needed").await;
    }
}

#[tokio::test]
async fn an_alert_about_failures_ends_with_them() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let broken = sandbox.inject(Injected::Answer { at, status: 503, code: 0, message: String::new() });
    let id = test.ban(main, sandbox.stranger()).await;
    until_raised(&test, "delivery_delayed", "tried again").await;
    sandbox.clear(broken);
    ask(&test, main, "sync retry", json!({})).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    until_over(&test, "delivery_delayed").await;
}

#[tokio::test]
async fn a_log_that_can_be_read_again_and_a_channel_that_answers_end_their_alerts() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    people.set_bot_permissions(child, permissions::LEAST_FOR_BOT & !permissions::VIEW_AUDIT_LOG).unwrap();
    test.systems.ingest.gaps().fill(crate::sync::gap::Which::Guild(guild(child)));
    until_raised(&test, "gap_not_filled", "may not view").await;
    people.set_bot_permissions(child, permissions::LEAST_FOR_BOT).unwrap();
    test.until("the log", move |view| !view.audit_cursor(guild(child)).unwrap().unwrap().unreadable).await;
    test.look().await;
    until_over(&test, "gap_not_filled").await;

    let (channel, own) = (sandbox.log_channel(main), sandbox.role(main, "Wayhaven"));
    ask(&test, main, "config logchannel", json!({ "channel": channel.to_string() })).await;
    people.deny_in_channel(main, sandbox.owner(), channel, own, permissions::SEND_MESSAGES).unwrap();
    raise(&test, "local_override", Severity::Low, Some(main)).await;
    until_raised(&test, "notices_refused", "nothing can be posted").await;
    // The bot's permissions in the guild are what they were, and nobody sets the channel again.
    people.deny_in_channel(main, sandbox.owner(), channel, own, 0).unwrap();
    raise(&test, "local_override", Severity::Low, Some(main)).await;
    until_over(&test, "notices_refused").await;
}

/// Conditions that depend on time or on the connection, each made true by what makes it true in earnest.
#[tokio::test]
async fn alerts_of_the_daemon_itself_end_with_what_they_tell_of() {
    let options = Options { children: 1, global_limit: 0, max_concurrency: 10, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    // It is judged here what is over, and not by the task.
    let pauses = Pauses { alerts: Duration::from_secs(3_600), ..PAUSES };
    let pace = (Clock::default(), pauses);
    let test = TestDaemon::start_paced(&sandbox, Arc::new(home()), pace, |_| {}).await;
    test.link(&sandbox, Mode::Active).await;
    test.until_ready().await;
    // Paused: requests do not leave, so what tells of that stays.
    test.systems.services.rest().budget().pause(Duration::from_secs(3_600));
    let kinds =
        ["edge_refuses", "requests_refused", "event_gap", "schedule_delayed", "identify_budget_spent"];
    for kind in kinds {
        raise(&test, kind, Severity::High, None).await;
    }
    let now = circumstances(&test.systems.services);
    let of_now = now;
    let overdue = test.systems.services.store().write(move |change| {
        let new = crate::store::NewPunishment {
            expires_at: Some(change.now()),
            ..crate::store::NewPunishment::new(
                guild(9_999),
                user(1),
                wayhaven_shared::operations::punishment::Action::Ban,
                wayhaven_shared::operations::punishment::Origin::Command,
            )
        };
        let overdue = change.insert_punishment(&new)?.id;
        // Looked at in the same transaction: the daemon ends what is due at once.
        let filter = AlertFilter { kind: Some("schedule_delayed".into()), ..AlertFilter::default() };
        let alert = change.alerts(&filter, 1)?.pop();
        let over = alert.map(|alert| change.why_over(&alert, &of_now)).transpose()?.flatten();
        Ok((overdue, over.is_some()))
    });
    let (overdue, is_over) = overdue.await.unwrap();
    assert!(!is_over, "something is overdue");
    assert_eq!((now.connected, now.requests), (true, false));
    let over = |kind: &'static str, now: Circumstances| {
        let filter = AlertFilter { kind: Some(kind.to_owned()), ..AlertFilter::default() };
        test.read(move |view| {
            let alert = view.alerts(&filter, 1).unwrap().pop().unwrap();
            view.why_over(&alert, &now).unwrap().is_some()
        })
    };
    let away = Circumstances { connected: false, ..now };
    for kind in ["edge_refuses", "requests_refused"] {
        assert!(
            !over(kind, now).await && over(kind, Circumstances { requests: true, ..now }).await,
            "{kind}"
        );
    }
    assert!(!over("identify_budget_spent", away).await && over("identify_budget_spent", now).await);
    assert!(!over("event_gap", now).await, "nothing was read since");
    test.systems.services.store().write(move |change| Ok(change.mark_reversed(overdue)?)).await.unwrap();
    assert!(over("schedule_delayed", now).await);
    test.advance(&sandbox, "1s").await;
    let (main, child) = (guild(sandbox.main_guild()), guild(sandbox.children()[0]));
    test.systems.services.store().write(move |change| Ok(change.audit_log_was_read(main)?)).await.unwrap();
    assert!(!over("event_gap", now).await, "one of them was not read");
    test.systems.services.store().write(move |change| Ok(change.audit_log_was_read(child)?)).await.unwrap();
    assert!(over("event_gap", now).await);

    raise(&test, "identifies_high", Severity::Medium, None).await;
    let many = test.systems.services.store().write(|change| {
        (0..crate::store::MANY_IDENTIFIES).try_for_each(|_| change.note_identify(0))?;
        Ok(())
    });
    many.await.unwrap();
    assert!(!over("identifies_high", now).await);
    test.advance(&sandbox, "25h").await;
    assert!(over("identifies_high", now).await);
    raise(&test, "delivery_deferred", Severity::Low, Some(sandbox.children()[0])).await;
    assert!(over("delivery_deferred", now).await, "no ban waits");
    raise(&test, "incident", Severity::High, Some(sandbox.main_guild())).await;
    assert!(over("incident", now).await, "none is open");
    for kind in ["local_override", "escalation_refused", "audit_cut"] {
        raise(&test, kind, Severity::High, Some(sandbox.main_guild())).await;
        assert!(!over(kind, now).await, "{kind} is for a person");
    }
}

#[tokio::test]
async fn a_dry_run_raises_no_alert() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let invocation = |operation: &str| {
        let request = json!({ "operation": operation, "arguments": {} });
        by_operator(Role::Owner, Some(child), serde_json::from_value::<Request>(request).unwrap())
    };
    for operation in ["sync freeze", "sync resume"] {
        let dry = crate::invocation::Invocation { dry_run: true, ..invocation(operation) };
        test.ask(dry).await.unwrap_err();
        assert!(test.alerts().await.is_empty(), "{operation}");
    }
    for operation in ["sync freeze", "sync resume"] {
        test.ask(invocation(operation)).await.unwrap_err();
    }
    assert_eq!(test.alerts().await, ["child_reaches_out"; 2]);
}

#[tokio::test]
async fn in_an_outage_nobody_is_unknown() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victim = sandbox.members(main).into_iter().find(|one| sandbox.is_member(child, *one)).unwrap();
    // Discord says that it knows no such guild before it says that there is an outage.
    let at = At::default().guild(child);
    let unknown = sandbox.inject(Injected::Answer { at, status: 404, code: 10_004, message: String::new() });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    sandbox.people().outage(child).unwrap();
    test.until_counted(id, DeliveryState::Pending, 1).await;
    sandbox.clear(unknown);
    sandbox.people().restore(child).unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
}
