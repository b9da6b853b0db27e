//! What a child's own staff take back: respected, or applied again, as the main's security level says.

use crate::store::tests::shell;
use crate::testing::{PATIENCE, TestDaemon, asked, guild, sandbox, user};
use wayhaven_sandbox::{At, Fault as Trouble, Sandbox};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::{SecurityLevel, SetupSecurityLevel};

async fn until_excepted(test: &TestDaemon, child: u64, whom: u64, is: bool) {
    test.until("an exception, or its end", move |view| {
        view.exception(guild(child), user(whom), Action::Ban).unwrap().is_some() == is
    })
    .await;
}

/// Waits until it is told that so many overrides were seen.
pub(super) async fn until_overridden(test: &TestDaemon, times: u64) {
    test.until("overrides", move |view| {
        let (events, _) = view.events_after(0, usize::MAX).unwrap();
        events.iter().any(|event| {
            matches!(&event.change, Changed::Alert { kind, count, .. } if kind == "local_override" && *count == times)
        })
    })
    .await;
}

fn last_alert(test: &TestDaemon) -> (String, String) {
    let sql = "SELECT severity, details FROM security_alerts WHERE alert_type = 'local_override'";
    shell(test.systems.services.store()).query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn lift(sandbox: &Sandbox, child: u64, whom: u64) {
    sandbox.people().unban(child, sandbox.child_moderator(child), whom, None).unwrap();
}

#[tokio::test]
async fn at_the_standard_level_it_is_respected_from_then_on_until_they_do_it_themselves() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let by = sandbox.child_moderator(child);
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    lift(&sandbox, child, victim);
    until_excepted(&test, child, victim, true).await;
    until_overridden(&test, 1).await;
    let exception =
        test.read(move |view| view.exception(guild(child), user(victim), Action::Ban).unwrap()).await;
    let exception = exception.unwrap();
    assert_eq!((exception.by, exception.until), (Some(user(by)), None));
    let (severity, details) = last_alert(&test);
    assert!(severity == "medium" && details.contains("respected"), "{severity}: {details}");

    // Not delivered there again, and everywhere else as ever.
    let preview =
        asked(&test, main, wayhaven_shared::operations::ban::Ban::new(user(victim)), true).await.unwrap();
    assert_eq!((preview.deliveries.skipped, preview.deliveries.pending), (1, 1), "the plan says so");
    let again = test.ban(main, victim).await;
    test.until_counted(again, DeliveryState::Applied, 1).await;
    let skipped = test.delivery(again, child).await;
    assert_eq!(skipped.state, DeliveryState::Skipped);
    assert!(skipped.reason.unwrap().contains("exception"));
    // Another user, and what is no ban, are none of it.
    let other = test.ban(main, sandbox.stranger()).await;
    test.until_counted(other, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, victim));
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;

    sandbox.people().ban(child, by, victim, Some("ours now")).unwrap();
    until_excepted(&test, child, victim, false).await;
    let third = test.ban(main, victim).await;
    test.until_counted(third, DeliveryState::Applied, 2).await;
}

#[tokio::test]
async fn an_exception_that_comes_while_a_ban_waits_stops_it_at_the_door() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at });
    test.ban(main, sandbox.stranger()).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
    let waiting = test.ban(main, victim).await;
    assert_eq!(test.delivery(waiting, child).await.state, DeliveryState::Pending);
    let except = |change: &crate::store::Change<'_>, child, victim| {
        Ok(change.except(guild(child), user(victim), Action::Ban, "for a test", None)?)
    };
    test.systems.services.store().write(move |change| except(change, child, victim)).await.unwrap();
    sandbox.clear(hang);
    test.until_counted(waiting, DeliveryState::Skipped, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, victim));
    assert_eq!(sandbox.effects_in(child).len(), 1);
}

#[tokio::test]
async fn at_a_high_level_it_is_applied_again_and_not_for_ever() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    asked(&test, main, SetupSecurityLevel { level: SecurityLevel::High }, false).await.unwrap();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    for times in 1..=3 {
        lift(&sandbox, child, victim);
        until_overridden(&test, times).await;
        sandbox.wait_until(|sandbox| sandbox.is_banned(child, victim), PATIENCE).await.unwrap();
        test.systems.engine.drain().await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        let (severity, details) = last_alert(&test);
        assert!(severity == "medium" && details.contains(&format!("{times} of 3")), "{severity}: {details}");
    }
    until_excepted(&test, child, victim, false).await;
    lift(&sandbox, child, victim);
    until_excepted(&test, child, victim, true).await;
    until_overridden(&test, 4).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, victim), "two sides do not fight for ever");
    let (severity, details) = last_alert(&test);
    assert!(severity == "high" && details.contains("stays so"), "{severity}: {details}");
    let again = test.ban(main, victim).await;
    test.until_counted(again, DeliveryState::Skipped, 1).await;
    assert!(sandbox.is_banned(sandbox.children()[1], victim));
}

#[tokio::test]
async fn what_is_applied_again_passes_the_gates() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    asked(&test, main, SetupSecurityLevel { level: SecurityLevel::High }, false).await.unwrap();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let freeze = |on: bool| {
        let freeze = on.then_some(crate::network::Freeze::Everything);
        test.systems.services.store().write(move |change| {
            let moved = change.moved_by_freeze(guild(main), freeze)?;
            change.set_freeze(guild(main), freeze)?;
            moved.into_iter().try_for_each(|step| step.apply(change)).map_err(Into::into)
        })
    };
    freeze(true).await.unwrap();
    lift(&sandbox, child, victim);
    test.until_counted(id, DeliveryState::Held, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, victim));
    freeze(false).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_childs_unban_by_command_is_an_override_like_one_by_hand_and_its_ban_ends_the_exception() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, first, second) =
        (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger(), sandbox.stranger());
    let id = test.ban(main, first).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.unban(child, first).await;
    until_excepted(&test, child, first, true).await;
    until_overridden(&test, 1).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, first));
    test.ban(child, first).await;
    until_excepted(&test, child, first, false).await;

    asked(&test, main, SetupSecurityLevel { level: SecurityLevel::High }, false).await.unwrap();
    let id = test.ban(main, second).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.unban(child, second).await;
    until_overridden(&test, 2).await;
    test.systems.engine.drain().await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, second), "behind their own unban it is applied again");
}
