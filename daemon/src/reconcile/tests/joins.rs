//! Whoever joins a child and is banned there by decision is banned at the door.

use super::{decided, unlinked};
use crate::clock::Clock;
use crate::network::Freeze;
use crate::store::tests::data_version;
use crate::store::{Change, DeliveryFilter, NewProtection};
use crate::systems::Pauses;
use crate::testing::{PATIENCE, PAUSES, TestDaemon, asked, guild, home, sandbox, user};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::operations::protect::{ProtectRemove, Protected};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::Mode;

/// Waits until everything that came by the gateway so far is taken in: this ban came behind it.
async fn until_heard(sandbox: &Sandbox, test: &TestDaemon) {
    let marker = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), marker, None).unwrap();
    test.punishment(marker, 1).await;
    test.settled().await;
}

#[tokio::test]
async fn one_who_waits_for_the_guilds_budget_is_banned_when_they_join() {
    let options = Options { children: 1, non_member_bans: 1, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start_with(&sandbox, |settings| settings.discord.requests_per_second = 49).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..3).map(|_| sandbox.stranger()).collect();
    let last = decided(&test, main, &users).await[2];
    test.until("the last is deferred", move |view| {
        let of = view.deliveries_of(last).unwrap();
        of.iter().any(|one| one.reason.as_deref().is_some_and(|reason| reason.contains("non-members")))
    })
    .await;
    sandbox.people().join(child, users[2]).unwrap();
    test.until_counted(last, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, users[2]) && !sandbox.is_banned(child, users[1]));
}

#[tokio::test]
async fn behind_a_shut_gate_nobody_is_banned_at_the_door() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let [stranger, monitored, frozen, excepted, protected] = [0; 5].map(|_| sandbox.stranger());
    decided(&test, main, &[stranger, monitored, frozen, excepted, protected]).await;
    sandbox.people().join(child, stranger).unwrap();
    until_heard(&sandbox, &test).await;
    test.link(&sandbox, Mode::Monitor).await;
    sandbox.people().join(child, monitored).unwrap();
    until_heard(&sandbox, &test).await;
    test.link(&sandbox, Mode::Active).await;
    let prepare = move |change: &Change<'_>| {
        change.except(guild(child), user(excepted), Action::Ban, "a friend", None)?;
        let protected = Protected::User(user(protected));
        change.protect(&NewProtection { guild: guild(child), protected, note: None, by: None })?;
        Ok(())
    };
    test.systems.services.store().write(prepare).await.unwrap();
    for one in [excepted, protected] {
        sandbox.people().join(child, one).unwrap();
    }
    until_heard(&sandbox, &test).await;
    for one in [stranger, monitored, excepted, protected] {
        assert!(!sandbox.is_banned(child, one));
    }
    // What was not delivered because of the list stays undelivered when the line is removed.
    let named = ProtectRemove { user: Some(user(protected)), role: None };
    assert_eq!(asked(&test, child, named, false).await.unwrap().undelivered, 1);
    test.settled().await;
    assert!(!sandbox.is_banned(child, protected));
    let freeze = move |change: &Change<'_>| Ok(change.set_freeze(guild(main), Some(Freeze::Everything))?);
    test.systems.services.store().write(freeze).await.unwrap();
    sandbox.people().join(child, frozen).unwrap();
    test.until("it is held", move |view| {
        let held = DeliveryFilter {
            child: Some(guild(child)),
            state: Some(DeliveryState::Held),
            ..Default::default()
        };
        view.deliveries(&held, 10).unwrap().len() == 1
    })
    .await;
    assert!(!sandbox.is_banned(child, frozen));
}

#[tokio::test]
async fn a_raid_of_strangers_writes_nothing() {
    let sandbox = sandbox(1).await;
    // Their names are stored together, every few seconds.
    let pauses = Pauses { names: Duration::from_secs(3_600), ..PAUSES };
    let pace = (Clock::default(), pauses);
    let test = TestDaemon::start_paced(&sandbox, Arc::new(home()), pace, |_| {}).await;
    test.link(&sandbox, Mode::Active).await;
    test.until_ready().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let wanted = sandbox.stranger();
    test.link(&sandbox, Mode::Monitor).await;
    decided(&test, main, &[wanted]).await;
    test.link(&sandbox, Mode::Active).await;
    until_heard(&sandbox, &test).await;
    // What is written by itself once there are links is written by then.
    let noted = async {
        while !test.read(|view| view.reconciled().unwrap()).await.iter().any(|(of, ..)| *of == guild(child)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noted).await.unwrap();
    let epoch = test.systems.services.store().epoch().to_owned();
    test.until("notices have read all of it", move |view| {
        view.notice_cursor().unwrap() == Some(view.notice_cursor_now(&epoch).unwrap())
    })
    .await;
    let reader = data_version(&test.systems.services.layout().store());
    let before = (reader(), *test.systems.services.store().sequence().borrow());
    let role = sandbox.role(child, "Regular");
    for bits in [1 << 41, 1 << 42, 1 << 41, 1 << 42, 1 << 41] {
        for _ in 0..1_000 {
            sandbox.people().join(child, sandbox.stranger()).unwrap();
        }
        // What comes behind them is known without being written: so they were all taken in.
        sandbox.people().set_role_permissions(child, role, bits).unwrap();
        let (systems, role) =
            (std::sync::Arc::clone(&test.systems), wayhaven_shared::value::RoleId::new(role).unwrap());
        let known = async {
            let told = || systems.services.directory().permissions(guild(child), user(1), &[role]);
            while told().is_none_or(|now| now & (3 << 41) != bits) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.unwrap();
        test.systems.services.store().write(|_| Ok(())).await.unwrap();
    }
    assert_eq!((reader(), *test.systems.services.store().sequence().borrow()), before);
    // And who is wanted is found among them.
    sandbox.people().join(child, wanted).unwrap();
    sandbox.wait_until(|sandbox| sandbox.is_banned(child, wanted), PATIENCE).await.unwrap();
    assert_ne!(reader(), before.0);
}

#[tokio::test]
async fn without_the_members_intent_a_backfill_bans_everybody_as_others() {
    let options = Options { children: 1, global_limit: 0, members_intent: false, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..60).map(|_| sandbox.stranger()).collect();
    sandbox.people().had_joined(child, users[50]).unwrap();
    decided(&test, main, &users).await;
    let job = super::backfill::accepted(&test, &sandbox).await;
    let over = super::until_over(&test, job).await;
    assert_eq!((over.state, over.done), (wayhaven_shared::operations::job::JobState::Done, 60), "{over:?}");
    assert!(users.iter().all(|one| sandbox.is_banned(child, *one)));
}
