//! A daemon that ends with a message on its way, and the next one on the same store.

use super::{OPEN, POST, ban, kick, places, punish, start, told, warn};
use crate::testing::{PATIENCE, TestDaemon, prepare, sandbox};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::{At, Fault, Sandbox};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::told::{Told, ToldState};

/// The next daemon on the store of this one, which is gone.
async fn restarted(sandbox: &Sandbox, test: TestDaemon) -> TestDaemon {
    let home = test.home();
    // With it ends what sends messages; deliveries that wait for one never come to its engine.
    test.systems.services.lifecycle().close();
    let next =
        TestDaemon::start_in(sandbox, home, |settings| settings.moderation.direct_messages = true).await;
    drop(test);
    next
}

#[tokio::test]
async fn fault_2_a_message_that_discord_took_before_the_crash_is_repeated_by_its_nonce() {
    let sandbox = sandbox(2).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    // Taken, and the answer on its way for longer than the daemon lives.
    let slow = sandbox.inject(Fault::Latency { at: At::route("POST", POST), by: 2 * PATIENCE });
    let id = punish(&test, main, ban(victim)).await;
    let taken = |sandbox: &wayhaven_sandbox::Discord| sandbox.direct_messages(victim).len() == 1;
    sandbox.wait_until(taken, PATIENCE).await.unwrap();
    let next = restarted(&sandbox, test).await;
    sandbox.clear(slow);
    assert_eq!(told(&next, id).await, Told::new(ToldState::Told, None));
    next.until_counted(id, DeliveryState::Applied, 2).await;
    assert_eq!(sandbox.direct_messages(victim).len(), 1);
    let log = sandbox.log();
    let nonces: Vec<_> = places(&sandbox, "POST", POST)
        .into_iter()
        .map(|at| log[at].body.as_ref().unwrap()["nonce"].clone())
        .collect();
    assert_eq!(nonces.len(), 2);
    assert_eq!(nonces[0], nonces[1], "Discord knows it again by that");
}

#[tokio::test]
async fn fault_2_a_message_that_was_marked_and_never_left_is_sent_by_the_next_daemon() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    // No slot is given out before the daemon is gone.
    test.systems.services.rest().budget().pause(Duration::from_secs(600));
    let id = punish(&test, main, kick(victim)).await;
    test.systems.services.lifecycle().close();
    let mark = move |change: &crate::store::Change<'_>| Ok(change.mark_direct_message(id)?);
    assert!(test.systems.services.store().write(mark).await.unwrap().is_some());
    let next = restarted(&sandbox, test).await;
    assert_eq!(told(&next, id).await.state, ToldState::Told);
    assert_eq!(sandbox.direct_messages(victim).len(), 1);
    sandbox.wait_until(|sandbox| !sandbox.is_member(main, victim), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn fault_2_a_message_of_long_ago_is_not_repeated_and_the_ban_is_made() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    test.systems.services.rest().budget().pause(Duration::from_secs(600));
    // The next daemon starts ten minutes later.
    test.systems.services.clock().shift(-600_000);
    let id = punish(&test, main, ban(victim)).await;
    test.systems.services.lifecycle().close();
    let mark = move |change: &crate::store::Change<'_>| Ok(change.mark_direct_message(id)?);
    assert!(test.systems.services.store().write(mark).await.unwrap().is_some());
    let next = restarted(&sandbox, test).await;
    next.until_counted(id, DeliveryState::Applied, 1).await;
    let reason = "nobody knows whether it arrived, and it is not sent twice";
    assert_eq!(told(&next, id).await, Told::new(ToldState::Failed, Some(reason)));
    assert!(places(&sandbox, "POST", POST).is_empty() && places(&sandbox, "POST", OPEN).is_empty());
}

#[tokio::test]
async fn fault_2_what_had_not_left_is_told_after_the_restart_and_done_after_that() {
    let sandbox = sandbox(2).await;
    let test = start(&sandbox).await;
    let (main, members) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild()));
    test.systems.services.rest().budget().pause(Duration::from_secs(600));
    // Who the warned one is, is asked for in vain first: longer than a message keeps a ban.
    let warned = punish(&test, main, warn(members[1])).await;
    let banned = punish(&test, main, ban(members[0])).await;
    let next = restarted(&sandbox, test).await;
    for id in [banned, warned] {
        assert_eq!(told(&next, id).await.state, ToldState::Told);
    }
    next.until_counted(banned, DeliveryState::Applied, 2).await;
    assert_eq!(
        (sandbox.direct_messages(members[0]).len(), sandbox.direct_messages(members[1]).len()),
        (1, 1)
    );
    let sent = places(&sandbox, "POST", POST);
    let bans = places(&sandbox, "PUT", super::BAN);
    assert_eq!(bans.len(), 3);
    assert!(sent[0] < bans[0] && sent[0] < bans[1] && sent[0] < bans[2], "{sent:?} {bans:?}");
}

#[tokio::test]
async fn turned_off_before_the_restart_what_waits_goes_on_untold() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    test.systems.services.rest().budget().pause(Duration::from_secs(600));
    let id = punish(&test, main, ban(victim)).await;
    let home: Arc<_> = test.home();
    test.systems.services.lifecycle().close();
    let (settings, _) = prepare(&sandbox, home.path());
    assert!(!settings.moderation.direct_messages);
    let next = TestDaemon::start_at(&sandbox, home).await;
    drop(test);
    next.until_counted(id, DeliveryState::Applied, 1).await;
    let expected = Told::new(ToldState::NotTold, Some("direct messages are turned off"));
    assert_eq!(told(&next, id).await, expected);
    assert!(places(&sandbox, "POST", OPEN).is_empty());
}
