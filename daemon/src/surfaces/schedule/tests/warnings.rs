//! Warnings that escalate.

use super::{configure, end};
use crate::clock::Clock;
use crate::failpoint::{Point, arm};
use crate::store::{NewPunishment, Store};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, by_operator, guild, prepare, sandbox, user};
use serde_json::{Value, json};
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};

fn warn(whom: u64) -> Value {
    json!({ "operation": "warn", "arguments": { "user": whom.to_string(), "reason": "spam" } })
}

async fn steps(test: &TestDaemon, of: u64, arguments: Value) {
    configure(test, of, "config warnings", arguments).await;
}

/// What the reply says of warnings.
fn said(punished: &Punished) -> Option<String> {
    let fields = punished.report().fields;
    fields.into_iter().find(|(name, _)| name == "Warnings").map(|(_, cell)| cell.text.line())
}

/// What was decided about a user, oldest first.
async fn actions(test: &TestDaemon, of: u64) -> Vec<Action> {
    test.history(of).await.into_iter().map(|(action, _)| action).collect()
}

#[tokio::test]
async fn warnings_lead_to_nothing_where_nobody_has_set_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    for _ in 0..5 {
        assert_eq!(said(&test.punish(main, warn(victim)).await), None);
    }
    assert!(test.read(|view| view.escalations(None, 9).unwrap().is_empty()).await);
    assert_eq!(actions(&test, victim).await, [Action::Warn; 5]);
}

#[tokio::test]
async fn a_warning_that_reaches_a_step_exactly_leads_to_what_the_step_says_in_the_whole_network() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    for of in sandbox.children().into_iter().chain([main]) {
        sandbox.people().had_joined(of, victim).unwrap();
    }
    steps(&test, main, json!({ "steps": "2:timeout:1h,3:ban:3d" })).await;
    assert_eq!(said(&test.punish(main, warn(victim)).await).as_deref(), Some("1 of 2"));
    let second = test.punish(main, warn(victim)).await;
    assert_eq!(said(&second).as_deref(), Some("2 of 2: timed out for 1h"));
    let timeout = test.punishment(victim, 3).await;
    test.until_counted(timeout, DeliveryState::Applied, 2).await;
    let stored = test.read(move |view| view.punishment(timeout).unwrap().unwrap()).await;
    assert_eq!(
        (stored.action, stored.origin, stored.because),
        (Action::Timeout, Origin::System, second.punishment.map(|warning| warning.id))
    );
    assert_eq!(stored.reason.unwrap().raw(), "2 warnings: spam");
    let third = test.punish(main, warn(victim)).await;
    assert_eq!(said(&third).as_deref(), Some("3 of 3: banned for 3d"));
    let ban = test.punishment(victim, 5).await;
    test.until_counted(ban, DeliveryState::Applied, 2).await;
    let stored = test.read(move |view| view.punishment(ban).unwrap().unwrap()).await;
    let span = stored.expires_at.unwrap().millis() - stored.created_at.millis();
    assert!((259_190_000..=259_200_000).contains(&span), "{span}");
    assert_eq!(said(&test.punish(main, warn(victim)).await).as_deref(), Some("4"), "there is no step beyond");
    assert!(test.read(|view| view.escalations(None, 9).unwrap().is_empty()).await);
    let entry = test.until_audited("the ban", |entry| entry.operation == "ban").await;
    assert_eq!((entry.surface.as_str(), entry.result), ("scheduler", AuditResult::Success));
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effect_count(), 6);
}

#[tokio::test]
async fn only_warnings_within_the_span_count() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    steps(&test, main, json!({ "steps": "2:ban", "within": "1d" })).await;
    test.punish(main, warn(victim)).await;
    test.advance(&sandbox, "25h").await;
    assert_eq!(said(&test.punish(main, warn(victim)).await).as_deref(), Some("1 of 2"));
    test.advance(&sandbox, "23h").await;
    assert_eq!(said(&test.punish(main, warn(victim)).await).as_deref(), Some("2 of 2: banned"));
    test.punishment(victim, 4).await;
}

#[tokio::test]
async fn a_childs_warnings_escalate_by_its_own_steps_and_there_only() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    steps(&test, main, json!({ "steps": "1:ban" })).await;
    steps(&test, child, json!({ "steps": "2:ban" })).await;
    test.punish(child, warn(victim)).await;
    assert_eq!(said(&test.punish(child, warn(victim)).await).as_deref(), Some("2 of 2: banned"));
    let ban = test.punishment(victim, 3).await;
    test.until("the child's ban", move |view| {
        view.origin_of(ban).unwrap().is_some_and(|origin| origin.state == DeliveryState::Applied)
    })
    .await;
    test.systems.engine.drain().await;
    assert!(sandbox.is_banned(child, victim));
    assert_eq!(sandbox.effect_count(), 1, "in no other guild");
}

#[tokio::test]
async fn a_preview_of_a_warning_says_what_would_follow_and_nothing_does() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    steps(&test, main, json!({ "steps": "1:ban" })).await;
    let request = serde_json::from_value(warn(victim)).unwrap();
    let asked =
        crate::invocation::Invocation { dry_run: true, ..by_operator(Role::Operator, Some(main), request) };
    let Reply::Warn(preview) = test.ask(asked).await.unwrap() else { panic!("another reply") };
    assert_eq!(said(&preview).as_deref(), Some("1 of 1: banned"));
    assert!(test.read(|view| view.escalations(None, 9).unwrap().is_empty()).await);
    assert_eq!(actions(&test, victim).await, []);
}

#[tokio::test]
async fn what_is_refused_is_audited_and_raises_an_alert_once_and_is_not_asked_again() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    // There is no mute role.
    steps(&test, main, json!({ "steps": "1:mute:1h" })).await;
    test.punish(main, warn(victim)).await;
    test.until("the alert", |view| view.open_alerts(None).unwrap() > 0).await;
    assert_eq!(test.alerts().await, ["escalation_refused"]);
    let refused = |entry: &wayhaven_shared::operations::audit::AuditEntry| {
        (entry.surface.as_str(), entry.result) == ("scheduler", AuditResult::Error)
    };
    test.until_audited("the refusal", refused).await;
    test.advance(&sandbox, "1h").await;
    // What is due behind it is done, so it was looked for what is due.
    steps(&test, main, json!({ "steps": "1:ban" })).await;
    let behind = sandbox.stranger();
    test.punish(main, warn(behind)).await;
    test.punishment(behind, 2).await;
    assert_eq!(test.audit().await.into_iter().filter(refused).count(), 1);
    assert_eq!(test.alerts().await, ["escalation_refused"]);
    assert!(test.read(|view| view.escalations(None, 9).unwrap().is_empty()).await);
}

#[tokio::test]
async fn a_kill_between_a_warning_and_what_follows_it_loses_nothing_and_doubles_nothing() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    steps(&test, main, json!({ "steps": "1:ban" })).await;
    let home = end(&sandbox, test).await;
    // What the warning's transaction leaves behind, and no scheduler that has seen it.
    let store = Store::open(&prepare(&sandbox, home.path()).1.store(), Clock::default()).unwrap();
    let committed = store.write(move |change| {
        let new = NewPunishment::new(guild(main), user(victim), Action::Warn, Origin::Operator);
        let warning = record(change, &new, AtOrigin::ToDo)?.punishment.id;
        Ok(change.owe_escalation(warning, 1, "1:ban".parse().unwrap())?)
    });
    committed.await.unwrap();
    drop(store);
    let test = TestDaemon::start_at(&sandbox, home).await;
    let ban = test.punishment(victim, 2).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    let test = TestDaemon::start_at(&sandbox, end(&sandbox, test).await).await;
    test.until_ready().await;
    test.look().await;
    test.systems.engine.drain().await;
    assert_eq!(test.punishment(victim, 2).await, ban);
    assert_eq!(sandbox.effect_count(), 2);
}

#[tokio::test]
async fn a_defect_as_it_is_carried_out_takes_it_back_whole_and_it_is_done_again_once() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    steps(&test, main, json!({ "steps": "1:ban" })).await;
    arm(Point::Expiry, user(victim));
    test.punish(main, warn(victim)).await;
    test.punishment(victim, 2).await;
    test.until_audited("its success", move |entry| {
        (entry.surface.as_str(), entry.result) == ("scheduler", AuditResult::Success)
    })
    .await;
    let outcomes: Vec<_> =
        test.audit().await.into_iter().filter(|entry| entry.surface == "scheduler").collect();
    assert_eq!(outcomes.len(), 2, "one try failed: {outcomes:?}");
    assert_eq!(actions(&test, victim).await, [Action::Warn, Action::Ban]);
}

#[tokio::test]
async fn a_warning_that_was_taken_back_leads_to_nothing() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (guild(sandbox.main_guild()), user(sandbox.stranger()));
    let written = test.systems.services.store().write(move |change| {
        let new = NewPunishment::new(main, victim, Action::Warn, Origin::Operator);
        let warning = record(change, &new, AtOrigin::ToDo)?.punishment.id;
        change.owe_escalation(warning, 1, "1:ban".parse().unwrap())?;
        change.mark_expired(warning)?;
        let listed = change.escalations(None, 9)?.len();
        Ok((listed, change.settle_escalation(warning)?, change.warnings(main, victim, None)?))
    });
    assert_eq!(written.await.unwrap(), (0, false, 0));
}
