//! Backfills and comparisons in trouble: guilds that are away, permissions that are missing, clocks that are set.

use super::backfill::accepted;
use super::{compared_by_itself, decided, unlinked, until_over, until_waits};
use crate::discord::directory::Presence;
use crate::testing::{TestDaemon, guild, sandbox};
use std::sync::Arc;
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::operations::job::{JobKind, JobState};
use wayhaven_shared::operations::setup::Mode;

async fn until_presence(test: &TestDaemon, of: u64, presence: Presence) {
    let systems = Arc::clone(&test.systems);
    test.until("how the guild stands", move |_| {
        systems.services.directory().presence(guild(of)) == Some(presence)
    })
    .await;
}

/// Waits until something that the gateway tells is known. Nothing of it need be stored.
async fn until_known(test: &TestDaemon, holds: impl Fn(&crate::discord::directory::Directory) -> bool) {
    let known = async {
        while !holds(test.systems.services.directory()) {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(crate::testing::PATIENCE, known).await.is_ok(), "it is never known");
}

fn few(test: &TestDaemon, bans: u64) {
    let mut settings = (*test.systems.services.settings()).clone();
    settings.network.nonmember_bans_per_day = bans;
    test.systems.reload.put(settings);
}

/// A backfill that waits after two of six bans.
async fn halfway(sandbox: &Sandbox) -> (TestDaemon, wayhaven_shared::value::JobId, Vec<u64>) {
    let test = unlinked(sandbox).await;
    few(&test, 2);
    let users: Vec<u64> = (0..6).map(|_| sandbox.stranger()).collect();
    decided(&test, sandbox.main_guild(), &users).await;
    let job = accepted(&test, sandbox).await;
    until_waits(&test, job, "were sent within a day").await;
    test.settled().await;
    (test, job, users)
}

#[tokio::test]
async fn fault_10_a_backfill_of_a_guild_that_removed_the_bot_is_suspended_until_it_is_back() {
    let sandbox = sandbox(1).await;
    let child = sandbox.children()[0];
    let (test, job, users) = halfway(&sandbox).await;
    sandbox.people().remove_bot(child).unwrap();
    until_presence(&test, child, Presence::Absent).await;
    few(&test, 900);
    test.look().await;
    until_waits(&test, job, "the bot is not in the guild").await;
    let asked = sandbox.log().len();
    test.look().await;
    test.settled().await;
    let to_it = sandbox.log()[asked..].iter().filter(|one| one.guild == Some(child)).count();
    assert_eq!(to_it, 0, "it is left alone");
    sandbox.people().invite_bot(child).unwrap();
    let over = until_over(&test, job).await;
    assert_eq!((over.state, over.done), (JobState::Done, 6), "{over:?}");
    assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
}

#[tokio::test]
async fn fault_10_a_backfill_goes_on_after_an_outage_of_the_guild() {
    let sandbox = sandbox(1).await;
    let child = sandbox.children()[0];
    let (test, job, users) = halfway(&sandbox).await;
    sandbox.people().outage(child).unwrap();
    until_presence(&test, child, Presence::Outage).await;
    few(&test, 900);
    test.look().await;
    until_waits(&test, job, "an outage").await;
    sandbox.people().restore(child).unwrap();
    assert_eq!(until_over(&test, job).await.state, JobState::Done);
    assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
    assert_eq!(sandbox.effects_in(child).len(), 6);
}

#[tokio::test]
async fn fault_21_a_clock_that_is_set_a_day_either_way_neither_loses_nor_repeats_a_backfill() {
    for day in [86_400_000, -86_400_000] {
        let sandbox = sandbox(1).await;
        let child = sandbox.children()[0];
        let (test, job, users) = halfway(&sandbox).await;
        test.systems.services.clock().shift(day);
        test.look().await;
        let banned = async |count: usize| {
            let there = |sandbox: &wayhaven_sandbox::Discord| sandbox.effects_in(child).len() >= count;
            sandbox.wait_until(there, crate::testing::PATIENCE).await.unwrap();
            until_waits(&test, job, "were sent within a day").await;
            test.settled().await;
            assert_eq!(sandbox.effects_in(child).len(), count);
        };
        // A day that is over gives its budget back, and one that comes again takes none.
        banned(if day > 0 { 4 } else { 2 }).await;
        if day < 0 {
            test.advance(&sandbox, "49h").await;
            banned(4).await;
        }
        test.advance(&sandbox, "49h").await;
        let over = until_over(&test, job).await;
        assert_eq!((over.state, over.done), (JobState::Done, 6), "{over:?}");
        assert!(users.iter().all(|user| sandbox.is_banned(child, *user)));
        assert_eq!(sandbox.effects_in(child).len(), 6, "nobody twice");
    }
}

#[tokio::test]
async fn what_the_bot_may_not_read_is_waited_for_and_asked_for_once() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().set_bot_permissions(child, permissions::VIEW_AUDIT_LOG).unwrap();
    let ban = wayhaven_shared::operations::punishment::Action::Ban;
    until_known(&test, |directory| directory.may(guild(child), ban) == Some(false)).await;
    decided(&test, main, &[victim]).await;
    let job = accepted(&test, &sandbox).await;
    until_waits(&test, job, "setup doctor").await;
    // By itself a comparison fails there, and is left for an hour.
    let soon = move |change: &crate::store::Change<'_>| Ok(change.reconcile_soon(guild(child))?);
    test.systems.services.store().write(soon).await.unwrap();
    let failed = move |view: &crate::store::View<'_>| {
        let jobs = view.jobs(Some(guild(child)), false, 20).unwrap();
        jobs.iter().filter(|job| job.kind == JobKind::Reconcile && job.state == JobState::Failed).count()
    };
    test.until("a comparison that failed", move |view| failed(view) == 1).await;
    test.look().await;
    assert_eq!(test.read(failed).await, 1);
    // The permission is back: neither waits any longer.
    sandbox.people().set_bot_permissions(child, permissions::LEAST_FOR_BOT).unwrap();
    assert_eq!(until_over(&test, job).await.state, JobState::Done);
    assert!(sandbox.is_banned(child, victim));
    test.until("compared by itself", move |view| {
        let jobs = view.jobs(Some(guild(child)), false, 20).unwrap();
        jobs.iter().any(|job| job.kind == JobKind::Reconcile && job.state == JobState::Done)
    })
    .await;
}

#[tokio::test]
async fn a_gap_that_the_log_does_not_fill_has_the_guild_compared() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    test.link(&sandbox, Mode::Active).await;
    sandbox.people().set_bot_permissions(child, permissions::BAN_MEMBERS).unwrap();
    until_known(&test, |directory| directory.shows_log(guild(child)) == Some(false)).await;
    test.systems.ingest.gaps().fill(crate::sync::gap::Which::Guild(guild(child)));
    test.until("compared by itself", move |view| {
        let jobs = view.jobs(Some(guild(child)), false, 20).unwrap();
        jobs.iter().any(|job| job.asked_by == "wayhaven" && job.state == JobState::Done)
    })
    .await;
}

#[tokio::test]
async fn what_was_said_while_a_guild_was_compared_is_not_forgotten_with_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    compared_by_itself(&test, child).await;
    let began = test.systems.services.clock().now();
    let later = move |change: &crate::store::Change<'_>| {
        change.reconcile_soon(guild(child))?;
        change.note_reconciled(guild(child), began)?;
        Ok(change.reconciled()?)
    };
    let reconciled = test.systems.services.store().write(later).await.unwrap();
    assert!(reconciled.iter().any(|(of, _, due)| *of == guild(child) && *due), "{reconciled:?}");
}
