//! This machine's clock and Discord's differ: ends, entries and ids are Discord's, stored times are ours.

use crate::clock::Clock;
use crate::store::AlertFilter;
use crate::testing::{self, TestDaemon, sandbox, user};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::fault::EventFate;
use wayhaven_sandbox::{Fault, Sandbox};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::Mode;

const HOUR_MS: i64 = 3_600_000;

/// How exact an end is, in milliseconds: the difference of clocks is measured to a second, what lasts 28 days is sent a
/// minute shorter, and tests take time.
const EXACT_MS: i64 = 100_000;

/// A daemon whose machine's clock is that far ahead of Discord's.
async fn ahead(sandbox: &Sandbox, millis: i64) -> TestDaemon {
    let clock = Clock::default();
    clock.shift(millis);
    let test = TestDaemon::start_then(sandbox, Arc::new(testing::home()), clock, |_| {}).await;
    test.link(sandbox, Mode::Active).await;
    test.until_ready().await;
    test
}

/// Somebody who is in the main and the first child.
fn member(sandbox: &Sandbox) -> u64 {
    let whom = sandbox.stranger();
    for of in [sandbox.main_guild(), sandbox.children()[0]] {
        sandbox.people().had_joined(of, whom).unwrap();
    }
    whom
}

/// By how much the end of their timeout differs from that length, by Discord's clock; nothing where there is none.
fn off(sandbox: &Sandbox, of: u64, whom: u64, length_ms: i64) -> Option<i64> {
    sandbox.read(|world| {
        let until = world.guilds[&of].members[&whom].timeout_ms?;
        let left = i64::try_from(until).unwrap() - i64::try_from(world.clock.unix_ms()).unwrap();
        Some(left - length_ms)
    })
}

#[tokio::test]
async fn a_timeout_has_its_length_however_far_the_clocks_are_apart() {
    let spans = [("28d", 28 * 24 * HOUR_MS), ("10m", HOUR_MS / 6)];
    for shift in [120_000, -120_000, HOUR_MS, -HOUR_MS] {
        let sandbox = sandbox(1).await;
        let test = ahead(&sandbox, shift).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        for (span, length) in spans {
            let whom = member(&sandbox);
            let request =
                json!({"operation": "timeout", "arguments": {"user": whom.to_string(), "for": span}});
            let id = test.punish(main, request).await.punishment.unwrap().id;
            test.until_counted(id, DeliveryState::Applied, 1).await;
            test.systems.engine.drain().await;
            for of in [main, child] {
                let off = off(&sandbox, of, whom, length).unwrap();
                assert!(off.abs() < EXACT_MS, "{shift} {span}: {off}");
            }
            // What is stored is this machine's time.
            let now = test.systems.services.clock().now().millis();
            let end = test.read(move |view| view.punishment(id).unwrap().unwrap().expires_at).await;
            assert!((end.unwrap().millis() - now - length).abs() < EXACT_MS, "{shift} {span}");
            // Its echoes were taken for nothing new.
            test.until_worked_off().await;
            test.punishment(whom, 1).await;
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_set_in_the_middle_costs_no_timeout() {
    // The first request does not know of it yet. Discord takes an end that has passed and shows no
    // timeout, and refuses one that is further away than 28 days.
    for (shift, span, length) in [(-HOUR_MS, "10m", HOUR_MS / 6), (HOUR_MS, "28d", 28 * 24 * HOUR_MS)] {
        let sandbox = sandbox(1).await;
        let test = ahead(&sandbox, 0).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        test.systems.services.clock().shift(shift);
        let whom = member(&sandbox);
        let request = json!({"operation": "timeout", "arguments": {"user": whom.to_string(), "for": span}});
        let id = test.punish(main, request).await.punishment.unwrap().id;
        test.until_counted(id, DeliveryState::Applied, 1).await;
        test.until("the origin", move |view| {
            let origin = view.origin_of(id).unwrap();
            origin.is_some_and(|origin| origin.state == DeliveryState::Applied)
        })
        .await;
        for of in [main, child] {
            let off = off(&sandbox, of, whom, length).unwrap();
            assert!(off.abs() < EXACT_MS, "{span}: {off}");
        }
    }
}

#[tokio::test]
async fn a_timeout_by_hand_is_seen_and_delivered_with_its_end() {
    for shift in [HOUR_MS, -HOUR_MS] {
        let sandbox = sandbox(1).await;
        let test = ahead(&sandbox, shift).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        let whom = member(&sandbox);
        let length = Duration::from_secs(600);
        sandbox.people().timeout(main, sandbox.moderator(), whom, Some(length), None).unwrap();
        let id = test.punishment(whom, 1).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
        let off = off(&sandbox, child, whom, HOUR_MS / 6).unwrap();
        assert!(off.abs() < EXACT_MS, "{shift}: {off}");
        let now = test.systems.services.clock().now().millis();
        let end = test.read(move |view| view.punishment(id).unwrap().unwrap().expires_at).await;
        assert!((end.unwrap().millis() - now - HOUR_MS / 6).abs() < EXACT_MS, "{shift}");
    }
}

#[tokio::test]
async fn a_ban_whose_entry_was_lost_is_found_in_the_log_with_its_moderator() {
    for shift in [HOUR_MS, -HOUR_MS] {
        let sandbox = sandbox(1).await;
        let test = ahead(&sandbox, shift).await;
        let (main, whom) = (sandbox.main_guild(), sandbox.stranger());
        let name = Some("GUILD_AUDIT_LOG_ENTRY_CREATE".to_owned());
        sandbox.inject(Fault::Events { name, guild: Some(main), times: Some(1), fate: EventFate::Drop });
        sandbox.people().ban(main, sandbox.moderator(), whom, Some("spam")).unwrap();
        let id = test.punishment(whom, 1).await;
        test.until_worked_off().await;
        let found = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
        assert_eq!(
            (found.action, found.moderator_id),
            (Action::Ban, Some(user(sandbox.moderator()))),
            "{shift}"
        );
    }
}

#[tokio::test]
async fn what_a_childs_staff_undo_is_an_override_however_far_the_clocks_are_apart() {
    for shift in [HOUR_MS, -HOUR_MS] {
        let sandbox = sandbox(1).await;
        let test = ahead(&sandbox, shift).await;
        let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
        // A difference that is measured to a second must not decide which of two moments came first.
        test.advance(&sandbox, "1m").await;
        let id = test.ban(main, whom).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
        test.systems.engine.drain().await;
        sandbox.people().unban(child, sandbox.child_moderator(child), whom, None).unwrap();
        test.until("the alert", |view| {
            let alerts = view.alerts(&AlertFilter::default(), 100).unwrap();
            alerts.iter().any(|alert| alert.kind == "local_override")
        })
        .await;
        assert_eq!(test.alerts().await, ["local_override"], "{shift}");
        // And the main's own undo leaves it alone.
        test.unban(main, whom).await;
        test.until_worked_off().await;
        assert!(!sandbox.is_banned(child, whom));
    }
}
