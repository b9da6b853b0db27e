//! Timeouts that last longer than Discord takes at once.

use super::{configure, end};
use crate::clock::Clock;
use crate::testing::{PATIENCE, TestDaemon, sandbox};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::PunishmentId;

fn timeout(whom: u64, span: &str) -> Value {
    json!({ "operation": "timeout", "arguments": { "user": whom.to_string(), "for": span } })
}

/// A daemon whose main has one child, with somebody who is a member of both and timed out for so long.
async fn timed_out(sandbox: &Sandbox, span: &str) -> (TestDaemon, u64, PunishmentId) {
    let test = TestDaemon::start(sandbox).await;
    let victim = sandbox.stranger();
    for of in [sandbox.main_guild(), sandbox.children()[0]] {
        sandbox.people().had_joined(of, victim).unwrap();
    }
    let id = test.punish(sandbox.main_guild(), timeout(victim, span)).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    (test, victim, id)
}

/// When the timeout ends by Discord's clock, from now, in hours.
fn hours_left(sandbox: &Sandbox, of: u64, whom: u64) -> u64 {
    sandbox.read(|world| {
        let until = world.guilds[&of].members[&whom].timeout_ms.unwrap();
        until.saturating_sub(world.clock.unix_ms()).div_ceil(3_600_000)
    })
}

async fn requests(sandbox: &Sandbox, count: usize) {
    let there = sandbox.wait_until(|sandbox| sandbox.effect_count() >= count, PATIENCE).await;
    assert!(there.is_ok(), "{} requests, not {count}", sandbox.effect_count());
}

#[tokio::test]
async fn a_timeout_past_28_days_is_renewed_in_the_main_and_the_child_until_it_ends() {
    let sandbox = sandbox(1).await;
    let (test, victim, id) = timed_out(&sandbox, "60d").await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    assert_eq!((hours_left(&sandbox, main, victim), sandbox.effect_count()), (28 * 24, 2));
    test.advance(&sandbox, "26d").await;
    test.look().await;
    assert_eq!(sandbox.effect_count(), 2, "more than a day is left");
    test.advance(&sandbox, "1d").await;
    requests(&sandbox, 4).await;
    test.systems.engine.drain().await;
    for of in [main, child] {
        assert_eq!(hours_left(&sandbox, of, victim), 28 * 24, "{of}");
    }
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.advance(&sandbox, "27d").await;
    requests(&sandbox, 6).await;
    test.systems.engine.drain().await;
    for of in [main, child] {
        assert_eq!(hours_left(&sandbox, of, victim), 6 * 24, "{of}: the rest of 60 days");
    }
    test.advance(&sandbox, "7d").await;
    test.until_audited("its end", |entry| entry.operation == "untimeout").await;
    assert_eq!(test.history(victim).await, [(Action::Timeout, "expired".to_owned())]);
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effect_count(), 6, "no more than that");
}

#[tokio::test]
async fn a_restart_neither_forgets_a_renewal_nor_doubles_it() {
    let sandbox = sandbox(1).await;
    let (test, victim, _) = timed_out(&sandbox, "40d").await;
    let home = end(&sandbox, test).await;
    let later = Clock::default();
    later.shift(27 * 86_400_000 + 60_000);
    sandbox.advance(Duration::from_secs(27 * 86_400 + 60));
    let test = TestDaemon::start_then(&sandbox, home, later.clone(), |_| {}).await;
    requests(&sandbox, 4).await;
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
    let home = end(&sandbox, test).await;
    let test = TestDaemon::start_then(&sandbox, home, later, |_| {}).await;
    test.until_ready().await;
    test.look().await;
    test.systems.engine.drain().await;
    assert_eq!((sandbox.effect_count(), hours_left(&sandbox, sandbox.children()[0], victim)), (4, 13 * 24));
}

#[tokio::test]
async fn what_was_taken_back_or_replaced_is_not_renewed() {
    let sandbox = sandbox(1).await;
    let (test, lifted, _) = timed_out(&sandbox, "60d").await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (shorter, by_staff) = (sandbox.stranger(), sandbox.stranger());
    for whom in [shorter, by_staff] {
        for of in [main, child] {
            sandbox.people().had_joined(of, whom).unwrap();
        }
        let id = test.punish(main, timeout(whom, "60d")).await.punishment.unwrap().id;
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    let undo = json!({ "operation": "untimeout", "arguments": { "user": lifted.to_string() } });
    let undone = test.punish(main, undo).await.punishment.unwrap().id;
    let replaced = test.punish(main, timeout(shorter, "20d")).await.punishment.unwrap().id;
    for id in [undone, replaced] {
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    // The child's own staff end it: they have the last word there.
    sandbox.people().timeout(child, sandbox.child_moderator(child), by_staff, None, None).unwrap();
    test.until("the override", |view| {
        view.events_after(0, usize::MAX).unwrap().0.iter().any(|event| {
            matches!(&event.change, wayhaven_shared::event::Change::Alert { kind, .. } if kind == "local_override")
        })
    })
    .await;
    test.systems.engine.drain().await;
    let (all, theirs) = (sandbox.effect_count(), sandbox.effects_in(child).len());
    test.advance(&sandbox, "27d").await;
    requests(&sandbox, all + 1).await;
    test.systems.engine.drain().await;
    assert_eq!(
        (sandbox.effect_count(), sandbox.effects_in(child).len()),
        (all + 1, theirs),
        "the main's own of the third alone"
    );
}

#[tokio::test]
async fn a_renewal_passes_the_gates_and_waits_for_one_that_is_shut() {
    let sandbox = sandbox(1).await;
    let (test, victim, id) = timed_out(&sandbox, "60d").await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let mode = async |mode: &str| {
        configure(&test, main, "setup mode", json!({ "child": child.to_string(), "mode": mode })).await;
    };
    mode("monitor").await;
    test.advance(&sandbox, "27d1h").await;
    requests(&sandbox, 3).await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.effects_in(child).len(), 1, "monitor mode sends nothing");
    test.until_counted(id, DeliveryState::Applied, 1).await;
    mode("active").await;
    configure(&test, main, "sync freeze", json!({})).await;
    test.advance(&sandbox, "61m").await;
    test.until_counted(id, DeliveryState::Held, 1).await;
    configure(&test, main, "sync resume", json!({})).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert_eq!((sandbox.effects_in(child).len(), hours_left(&sandbox, child, victim)), (2, 28 * 24));
}
