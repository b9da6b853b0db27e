//! What is propagated beyond a budget is held, until somebody approves or discards it.

mod edges;
mod elsewhere;
mod maximum;
mod seen;

use super::hand::by_hand;
use crate::invocation::{Actor, Invocation};
use crate::network::{Budget, Budgets};
use crate::testing::{TestDaemon, asked, by_member, confirmed, guild, sandbox, unconfirmed, user};
use std::sync::Arc;
use tempfile::TempDir;
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::hold::{Hold, HoldKind, HoldsDecided, SyncApprove, SyncDiscard, SyncHolds};
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::{HoldId, PunishmentId, RoleId};

/// So many a minute for a moderator, so many in five for a network.
fn budgets(moderator: u32, network: u32) -> Budgets {
    Budgets {
        moderator: Budget { most: moderator, seconds: 60 },
        network: Budget { most: network, seconds: 300 },
    }
}

/// A daemon whose main has all the children, with these budgets.
async fn started(sandbox: &Sandbox, moderator: u32, network: u32) -> TestDaemon {
    TestDaemon::start_with(sandbox, |settings| settings.network.budgets = budgets(moderator, network)).await
}

/// The next life of a daemon in that home.
async fn again(sandbox: &Sandbox, home: Arc<TempDir>, moderator: u32, network: u32) -> TestDaemon {
    let set =
        |settings: &mut crate::settings::Settings| settings.network.budgets = budgets(moderator, network);
    let test = TestDaemon::start_in(sandbox, home, set).await;
    test.until_ready().await;
    test
}

/// What a moderator of the main asks for, and what Wayhaven stored.
async fn by(test: &TestDaemon, sandbox: &Sandbox, who: u64, request: Request) -> Punished {
    let main = sandbox.main_guild();
    let asked = by_member(who, main, permissions::ADMINISTRATOR, request);
    let roles = RoleId::new(sandbox.role(main, "Moderator")).into_iter().collect();
    let (user, permissions, resolved) = (user(who), permissions::ADMINISTRATOR, Vec::new());
    let actor = Actor::Member { user, roles, permissions, resolved };
    test.ask(Invocation { actor, ..asked }).await.unwrap().punished().cloned().unwrap()
}

async fn ban(test: &TestDaemon, sandbox: &Sandbox, who: u64, whom: u64) -> PunishmentId {
    by(test, sandbox, who, Ban::new(user(whom)).into()).await.punishment.unwrap().id
}

async fn unban(test: &TestDaemon, sandbox: &Sandbox, who: u64, whom: u64) -> PunishmentId {
    let unban = Unban { user: user(whom), reason: None };
    by(test, sandbox, who, unban.into()).await.punishment.unwrap().id
}

async fn holds(test: &TestDaemon, sandbox: &Sandbox) -> Vec<Hold> {
    asked(test, sandbox.main_guild(), SyncHolds {}, false).await.unwrap().holds
}

async fn approve(test: &TestDaemon, sandbox: &Sandbox, id: HoldId) -> HoldsDecided {
    asked(test, sandbox.main_guild(), SyncApprove { id: Some(id), all: false }, false).await.unwrap()
}

async fn discard(test: &TestDaemon, sandbox: &Sandbox, id: HoldId) -> HoldsDecided {
    asked(test, sandbox.main_guild(), SyncDiscard { id: Some(id), all: false }, false).await.unwrap()
}

fn strangers(sandbox: &Sandbox, count: usize) -> Vec<u64> {
    (0..count).map(|_| sandbox.stranger()).collect()
}

/// How many of them are banned in every one of these guilds, and how many in any.
fn banned(sandbox: &Sandbox, guilds: &[u64], whom: &[u64]) -> (usize, usize) {
    let count = |user: &u64| sandbox.banned_in(guilds, *user);
    let everywhere = whom.iter().filter(|user| count(user) == guilds.len()).count();
    (everywhere, whom.iter().filter(|user| count(user) > 0).count())
}

#[tokio::test]
async fn fault_20_a_thousand_bans_in_a_minute_are_held_beyond_the_budget_and_approved_in_one_step() {
    let sandbox = sandbox(2).await;
    let test = started(&sandbox, 30, 100).await;
    let (children, victims) = (sandbox.children(), strangers(&sandbox, 1_000));
    for victim in &victims {
        by_hand(&sandbox, sandbox.main_guild(), sandbox.moderator(), *victim, Action::Ban).unwrap();
    }
    test.until("all of them", |view| view.number("SELECT count(*) FROM punishments").unwrap() == 1_000).await;
    test.settled().await;
    assert_eq!(
        banned(&sandbox, &children, &victims),
        (30, 30),
        "within the budget they leave, beyond it none does"
    );
    assert_eq!(banned(&sandbox, &children, &victims[..30]).0, 30, "and those are the first");
    let held = holds(&test, &sandbox).await;
    let [hold] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!((hold.kind, hold.moderator_id), (HoldKind::Moderator, Some(user(sandbox.moderator()))));
    assert_eq!((hold.users, hold.guilds, hold.deliveries), (970, 2, 1_940));
    assert_eq!(hold.whom, victims[30..35].iter().map(|whom| user(*whom)).collect::<Vec<_>>());
    assert_eq!(test.alerts().await, ["budget_exceeded"], "one alert for all of it");

    // A restart sends nothing of it.
    let home = test.home();
    drop(test);
    let test = again(&sandbox, home, 30, 100).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &victims), (30, 30));
    assert_eq!(holds(&test, &sandbox).await, held);

    let decided = approve(&test, &sandbox, hold.id).await;
    assert_eq!((decided.holds, decided.frozen), (held, false));
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &victims), (1_000, 1_000), "none is lost");
    assert_eq!(sandbox.violations(), Vec::<String>::new());
    assert!(holds(&test, &sandbox).await.is_empty());
    let held = "SELECT count(*) FROM deliveries WHERE state <> 'applied'";
    assert_eq!(test.read(|view| view.number(held).unwrap()).await, 0);
}

#[tokio::test]
async fn fault_20_a_thousand_bans_in_a_minute_are_discarded_in_one_step_and_stand_in_the_main() {
    let sandbox = sandbox(2).await;
    let test = started(&sandbox, 30, 100).await;
    let (children, victims) = (sandbox.children(), strangers(&sandbox, 1_000));
    for victim in &victims {
        ban(&test, &sandbox, sandbox.admin(), *victim).await;
    }
    test.settled().await;
    let held = holds(&test, &sandbox).await;
    let decided = discard(&test, &sandbox, held[0].id).await;
    assert!(!decided.approved && decided.holds[0].deliveries == 1_940, "{decided:?}");
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &victims), (30, 30));
    assert_eq!(banned(&sandbox, &[sandbox.main_guild()], &victims).0, 1_000, "in the main it is done");
    let active = "SELECT count(*) FROM punishments WHERE status = 'active'";
    assert_eq!(test.read(|view| view.number(active).unwrap()).await, 1_000);
    // And after a restart it is still not sent.
    let home = test.home();
    drop(test);
    let test = again(&sandbox, home, 30, 100).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &victims), (30, 30));
}

#[tokio::test]
async fn a_moderator_spends_only_their_own_budget_and_the_window_moves_on() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 2, 100).await;
    let (children, victims) = (sandbox.children(), strangers(&sandbox, 6));
    let (first, second) = (sandbox.moderator(), sandbox.admin());
    for victim in &victims[..3] {
        ban(&test, &sandbox, first, *victim).await;
    }
    ban(&test, &sandbox, second, victims[3]).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &victims).0, 3);
    assert!(!sandbox.is_banned(children[0], victims[2]), "the third is one too many");
    assert!(sandbox.is_banned(children[0], victims[3]), "another moderator has a budget of their own");
    test.advance(&sandbox, "59s").await;
    ban(&test, &sandbox, first, victims[4]).await;
    test.advance(&sandbox, "1m1s").await;
    ban(&test, &sandbox, first, victims[5]).await;
    test.settled().await;
    assert!(!sandbox.is_banned(children[0], victims[4]), "within the minute");
    assert!(sandbox.is_banned(children[0], victims[5]), "a minute later they may again");
    let held = holds(&test, &sandbox).await;
    assert_eq!((held.len(), held[0].users), (1, 2), "what is held meanwhile joins one hold: {held:?}");
}

#[tokio::test]
async fn all_moderators_together_spend_the_networks_budget() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 10, 3).await;
    let victims = strangers(&sandbox, 4);
    for (victim, who) in victims.iter().zip([sandbox.moderator(), sandbox.admin(), 91, 92]) {
        ban(&test, &sandbox, who, *victim).await;
    }
    test.settled().await;
    assert_eq!(banned(&sandbox, &sandbox.children(), &victims).0, 3);
    let held = holds(&test, &sandbox).await;
    assert_eq!((held.len(), held[0].kind, held[0].moderator_id), (1, HoldKind::Network, None));
}

#[tokio::test]
async fn a_command_and_a_hand_in_the_main_spend_the_same_budget() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 2, 100).await;
    let victims = strangers(&sandbox, 3);
    let who = sandbox.moderator();
    ban(&test, &sandbox, who, victims[0]).await;
    by_hand(&sandbox, sandbox.main_guild(), who, victims[1], Action::Ban).unwrap();
    test.punishment(victims[1], 1).await;
    let third = ban(&test, &sandbox, who, victims[2]).await;
    test.settled().await;
    assert_eq!(test.delivery(third, sandbox.children()[0]).await.state, DeliveryState::Held);
    assert_eq!(banned(&sandbox, &sandbox.children(), &victims).0, 2);
}

#[tokio::test]
async fn what_is_approved_leaves_in_its_order_and_passes_every_gate() {
    let sandbox = sandbox(3).await;
    let test = started(&sandbox, 1, 100).await;
    let (main, children, victims) = (sandbox.main_guild(), sandbox.children(), strangers(&sandbox, 4));
    let mut ids = Vec::new();
    for victim in &victims {
        ids.push(ban(&test, &sandbox, sandbox.moderator(), *victim).await);
    }
    test.settled().await;
    let hold = holds(&test, &sandbox).await.remove(0);
    // Meanwhile a link is gone, and another only looks on.
    let close = move |change: &crate::store::Change<'_>| {
        let link = change.link(guild(main), guild(children[1]))?.unwrap();
        change.stop_link(link.id)?;
        change.close_link(link.id, guild(main), guild(children[1]))?;
        change.activate_link(guild(main), guild(children[2]), Mode::Monitor)?;
        Ok(())
    };
    test.systems.services.store().write(close).await.unwrap();
    let children = sandbox.children();
    approve(&test, &sandbox, hold.id).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &children[..1], &victims).0, 4);
    assert_eq!(banned(&sandbox, &children[1..], &victims[1..]).1, 0);
    let state = async |id, child| test.delivery(id, child).await.reason.unwrap_or_default();
    assert_eq!(state(ids[1], children[1]).await, "the link was removed while it was held");
    assert_eq!(state(ids[1], children[2]).await, "monitor mode");
    let effects = sandbox.effects_in(children[0]);
    let order: Vec<_> = effects.iter().filter_map(|effect| effect.user).collect();
    assert_eq!(order, victims, "in the order in which they were decided");
}

#[tokio::test]
async fn a_dry_run_of_approve_and_discard_shows_what_they_would_do_and_does_nothing() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 1, 100).await;
    let (main, victims) = (sandbox.main_guild(), strangers(&sandbox, 3));
    for victim in &victims {
        ban(&test, &sandbox, sandbox.moderator(), *victim).await;
    }
    let held = holds(&test, &sandbox).await;
    let id = Some(held[0].id);
    let approved = asked(&test, main, SyncApprove { id, all: false }, true).await.unwrap();
    let discarded = asked(&test, main, SyncDiscard { id: None, all: true }, true).await.unwrap();
    assert!(approved.approved && !discarded.approved && approved.dry_run && discarded.dry_run);
    assert_eq!((&approved.holds, &discarded.holds), (&held, &held));
    assert!(approved.report().title.contains("2 deliveries would be sent"), "{:?}", approved.report().title);
    test.settled().await;
    assert_eq!((holds(&test, &sandbox).await, banned(&sandbox, &sandbox.children(), &victims).0), (held, 1));
}

#[tokio::test]
async fn only_an_administrator_of_the_main_decides_and_what_is_not_there_is_told() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 1, 100).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    for victim in strangers(&sandbox, 2) {
        ban(&test, &sandbox, sandbox.moderator(), victim).await;
    }
    let held = holds(&test, &sandbox).await;
    let id = Some(held[0].id);
    let request = || Request::from(SyncApprove { id, all: false });
    let banning = by_member(7, main, permissions::BAN_MEMBERS, request());
    assert_eq!(test.ask(confirmed(banning)).await.unwrap_err().kind, FaultKind::Denied);
    let of_child = by_member(7, child, permissions::ADMINISTRATOR, request());
    assert_eq!(test.ask(confirmed(of_child)).await.unwrap_err().kind, FaultKind::Denied, "not a child's");
    assert_eq!(test.alerts().await.last().map(String::as_str), Some("child_reaches_out"));
    let bare = by_member(7, main, permissions::MANAGE_GUILD, request());
    assert_eq!(test.ask(unconfirmed(bare)).await.unwrap_err().kind, FaultKind::Declined);
    let approved = by_member(7, main, permissions::MANAGE_GUILD, request());
    let Reply::SyncApprove(done) = test.ask(confirmed(approved)).await.unwrap() else { panic!("another") };
    assert_eq!(done.holds.len(), 1);
    let twice = asked(&test, main, SyncDiscard { id, all: false }, false).await.unwrap_err();
    assert_eq!(twice.kind, FaultKind::Conflict);
    assert!(twice.message.contains("approved by user 7"), "{twice}");
    let unknown = SyncApprove { id: HoldId::new(99), all: false };
    let fault = asked(&test, main, unknown, false).await.unwrap_err();
    assert!(fault.kind == FaultKind::NotFound && !fault.hints.is_empty(), "{fault}");
    let audited = test.until_audited("the approval", |entry| entry.operation == "sync approve").await;
    assert_eq!(audited.guild_id, Some(guild(main)));
}

#[tokio::test]
async fn what_was_asked_for_says_that_it_is_held_and_its_plan_says_it_before() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 1, 100).await;
    let victims = strangers(&sandbox, 2);
    ban(&test, &sandbox, sandbox.moderator(), victims[0]).await;
    let request: Request = Ban::new(user(victims[1])).into();
    let main = sandbox.main_guild();
    let asked = by_member(sandbox.moderator(), main, permissions::ADMINISTRATOR, request.clone());
    let plan = test.ask(Invocation { dry_run: true, ..asked }).await.unwrap();
    let plan = plan.punished().unwrap();
    assert_eq!((plan.deliveries.held, plan.deliveries.total()), (1, 1));
    assert!(plan.plan[0].reason.as_ref().unwrap().contains("over the moderator's budget"), "{plan:?}");
    assert!(holds(&test, &sandbox).await.is_empty(), "a plan opens no hold");
    let done = by(&test, &sandbox, sandbox.moderator(), request).await;
    let id = holds(&test, &sandbox).await[0].id;
    assert_eq!((done.hold, done.deliveries.held), (Some(id), 1));
    let hint = format!("sync approve {id}");
    assert!(done.report().hints.iter().any(|told| told.contains(&hint)), "{:?}", done.report().hints);
    let delivery = test.delivery(done.punishment.unwrap().id, sandbox.children()[0]).await;
    assert!(delivery.reason.unwrap().contains(&hint));
}

#[tokio::test]
async fn budgets_that_are_set_anew_hold_at_once() {
    let sandbox = sandbox(1).await;
    let test = started(&sandbox, 1, 100).await;
    let victims = strangers(&sandbox, 3);
    for victim in &victims[..2] {
        ban(&test, &sandbox, sandbox.moderator(), *victim).await;
    }
    let mut settings = (*test.systems.services.settings()).clone();
    settings.network.budgets = budgets(10, 100);
    test.systems.reload.put(settings);
    ban(&test, &sandbox, sandbox.moderator(), victims[2]).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &sandbox.children(), &victims).0, 2);
    assert!(!sandbox.is_banned(sandbox.children()[0], victims[1]), "what was held waits for its approval");
}
