//! What stops one of them, or all, before they leave; and what a kill leaves.

use super::*;
use serde_json::json;
use wayhaven_shared::operations::Request;

async fn ask(test: &TestDaemon, main: u64, operation: &str) {
    let request: Request =
        serde_json::from_value(json!({ "operation": operation, "arguments": {} })).unwrap();
    test.ask(by_operator(Role::Operator, Some(main), request)).await.unwrap();
}

#[tokio::test]
async fn a_link_that_is_removed_while_a_batch_waits_for_its_slot_stops_all_of_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.systems.services.rest().budget().pause(Duration::from_secs(3));
    let victims: [u64; 3] = strangers(&sandbox);
    let ids = ban_all(&test, main, &victims).await;
    // Only the gates know: what is open along it stays open in the store.
    let close = test.systems.services.store().write(move |change| {
        let link = change.link(guild(main), guild(child))?.unwrap();
        Ok(change.close_link(link.id, guild(main), guild(child))?)
    });
    close.await.unwrap();
    until_all(&test, &ids, Skipped, 1).await;
    until_all(&test, &ids, Applied, 1).await;
    assert!(requests(&sandbox, child).is_empty());
    assert_eq!(requests(&sandbox, sandbox.children()[1]).len(), 1);
}

#[tokio::test]
async fn one_whose_gate_is_shut_stays_behind_and_the_others_go() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    // A second main of the same child, which is no main's child itself.
    let (main, other) = (sandbox.main_guild(), sandbox.children()[1]);
    let child = sandbox.children()[0];
    let make = test.systems.services.store().write(move |change| {
        let link = change.link(guild(main), guild(other))?.unwrap();
        change.close_link(link.id, guild(main), guild(other))?;
        change.make_main(guild(other))?;
        Ok(change.activate_link(
            guild(other),
            guild(child),
            wayhaven_shared::operations::setup::Mode::Active,
        )?)
    });
    make.await.unwrap();
    let hang = held_up(&sandbox, &test, child).await;
    let [first, second, third] = strangers(&sandbox);
    let stays = test.ban(other, first).await;
    let goes = ban_all(&test, main, &[second, third]).await;
    until_in_lanes(&test, &[stays]).await;
    until_in_lanes(&test, &goes).await;
    let frozen = test.systems.services.store().write(move |change| {
        // As in the moment between a freeze and the lane's hearing of it: the rows are as they were.
        Ok(change.set_freeze(guild(other), Some(crate::network::Freeze::Everything))?)
    });
    frozen.await.unwrap();
    sandbox.clear(hang);
    until_all(&test, &goes, Applied, 1).await;
    test.until_counted(stays, Held, 1).await;
    assert_eq!(requests(&sandbox, child)[1..], [(true, vec![second, third], 200)]);
    assert!(!sandbox.is_banned(child, first));
}

#[tokio::test]
async fn a_freeze_holds_what_waits_together_and_lets_it_go_together() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    ask(&test, main, "sync freeze").await;
    sandbox.clear(hang);
    until_all(&test, &ids, Held, 1).await;
    test.systems.engine.drain().await;
    assert_eq!(requests(&sandbox, child).len(), 1, "the one that had left");
    ask(&test, main, "sync resume").await;
    until_all(&test, &ids, Applied, 1).await;
    assert!(victims.iter().all(|victim| sandbox.is_banned(child, *victim)));
    let after = requests(&sandbox, child);
    assert!(after[1..].iter().map(|(_, users, _)| users.len()).sum::<usize>() == 3, "each once: {after:?}");
}

#[tokio::test]
async fn an_unban_takes_its_user_out_of_what_waits_for_its_slot() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.systems.services.rest().budget().pause(Duration::from_secs(3));
    let [pardoned, banned, also] = strangers(&sandbox);
    let ids = ban_all(&test, main, &[pardoned, banned, also]).await;
    let unban = test.unban(main, pardoned).await;
    until_all(&test, &ids[1..], Applied, 1).await;
    test.until_counted(ids[0], Superseded, 1).await;
    test.until_counted(unban, Skipped, 1).await;
    assert_eq!(requests(&sandbox, child), [(true, vec![banned, also], 200)]);
}

#[tokio::test]
async fn a_daemon_that_dies_before_discord_has_looked_sends_it_again() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    let whole = sandbox.inject(Fault::Hang { at: bulk(child).times(1) });
    sandbox.clear(hang);
    let left = move |sandbox: &wayhaven_sandbox::Discord| sandbox.effects_in(child).len() == 2;
    sandbox.wait_until(left, PATIENCE).await.unwrap();
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    until_all(&next, &ids, Applied, 1).await;
    sandbox.clear(whole);
    assert!(victims.iter().all(|victim| sandbox.is_banned(child, *victim)));
    // Before Discord has told what the bot may do there, they go one by one.
    let after: Vec<u64> =
        requests(&sandbox, child)[2..].iter().flat_map(|(_, users, _)| users.clone()).collect();
    assert!(victims.iter().all(|victim| after.contains(victim)));
}

#[tokio::test]
async fn a_daemon_that_dies_after_discord_has_done_it_counts_it_as_its_own() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    let whole = sandbox.inject(Fault::HangAfterHeaders { at: bulk(child).times(1) });
    sandbox.clear(hang);
    let there = move |sandbox: &wayhaven_sandbox::Discord| sandbox.banned_in(&[child], victims[2]) == 1;
    sandbox.wait_until(there, PATIENCE).await.unwrap();
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    until_all(&next, &ids, Applied, 1).await;
    sandbox.clear(whole);
    // What may be ours counts as ours.
    let unban = next.unban(main, victims[0]).await;
    next.until_counted(unban, Applied, 1).await;
}
