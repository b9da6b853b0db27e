//! Bans of a guild that leave as one request, against a sandbox Discord: each has its own gates and its own outcome.

use crate::discord::accounts::Account;
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, user};
use std::time::Duration;
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::record::Effect;
use wayhaven_sandbox::{At, Changes, EventFate, Fault, FaultId, Options, RouteWindow, Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::punishment::DeliveryState::{
    self, Applied, Held, Pending, Skipped, Superseded,
};
use wayhaven_shared::value::PunishmentId;

mod answers;
mod gates;
mod restarts;

/// A sandbox without limits in which the bot may ban many at once. What its entries tell of the actor is another test's.
async fn sandbox(children: usize) -> Sandbox {
    Sandbox::start(Options { children, global_limit: 0, ..options() }).await.unwrap()
}

fn options() -> Options {
    let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
    Options { bot_permissions, ..Options::default() }
}

fn single() -> At {
    At::route("PUT", "/guilds/{guild_id}/bans/{user_id}")
}

/// In this guild: the main's own bans leave together too, where it is slow.
fn bulk(guild: u64) -> At {
    At::route("POST", "/guilds/{guild_id}/bulk-ban").guild(guild)
}

/// Everything that changed the guild, or was to: whom, and with which answer.
fn requests(sandbox: &Sandbox, guild: u64) -> Vec<(bool, Vec<u64>, u16)> {
    let together = |effect: &Effect| effect.route.ends_with("/bulk-ban");
    sandbox.effects_in(guild).into_iter().map(|one| (together(&one), one.users, one.status)).collect()
}

/// One ban that is on its way to a child and gets no answer: what is decided meanwhile waits in that child's lane.
async fn held_up(sandbox: &Sandbox, test: &TestDaemon, child: u64) -> FaultId {
    let before = sandbox.effects_in(child).len();
    let hang = sandbox.inject(Fault::Hang { at: single().guild(child).times(1) });
    test.ban(sandbox.main_guild(), sandbox.stranger()).await;
    let left = move |sandbox: &wayhaven_sandbox::Discord| sandbox.effects_in(child).len() > before;
    sandbox.wait_until(left, PATIENCE).await.unwrap();
    hang
}

/// Bans these in the main, one after the other.
async fn ban_all(test: &TestDaemon, main: u64, victims: &[u64]) -> Vec<PunishmentId> {
    let mut ids = Vec::new();
    // Otherwise Discord is asked whether they are bots, one after the other.
    for victim in victims {
        let account = Account { id: user(*victim), bot: false, name: None };
        test.systems.services.directory().accounts().learn(account);
    }
    for victim in victims {
        ids.push(test.ban(main, *victim).await);
    }
    ids
}

/// Three bans that wait in a child's lane behind one that gets no answer: they leave together once that fault is cleared.
async fn three(sandbox: &Sandbox, test: &TestDaemon, child: u64) -> (FaultId, [u64; 3], Vec<PunishmentId>) {
    let hang = held_up(sandbox, test, child).await;
    let victims = strangers(sandbox);
    let ids = ban_all(test, sandbox.main_guild(), &victims).await;
    until_in_lanes(test, &ids).await;
    (hang, victims, ids)
}

/// Children get a ban once the main's own is answered: then it waits in their lanes.
async fn until_in_lanes(test: &TestDaemon, ids: &[PunishmentId]) {
    for id in ids.iter().copied() {
        test.until("the main's own ban", move |view| {
            view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
        })
        .await;
    }
}

async fn until_all(test: &TestDaemon, ids: &[PunishmentId], state: DeliveryState, count: usize) {
    for id in ids {
        test.until_counted(*id, state, count).await;
    }
}

fn strangers<const N: usize>(sandbox: &Sandbox) -> [u64; N] {
    std::array::from_fn(|_| sandbox.stranger())
}

/// How many deliveries to the child are known to be ours: the user was not banned there before.
async fn known_ours(test: &TestDaemon, child: u64, users: &[u64]) -> i64 {
    let users: Vec<String> = users.iter().map(u64::to_string).collect();
    let sql = format!(
        "SELECT count(*) FROM deliveries WHERE guild_id = {child} AND was_there = 0 AND target_user IN ({})",
        users.join(", ")
    );
    test.read(move |view| view.number(&sql).unwrap()).await
}

#[tokio::test]
async fn bans_that_wait_in_a_guild_leave_by_one_request() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let hang = held_up(&sandbox, &test, child).await;
    let victims: [u64; 5] = strangers(&sandbox);
    let ids = ban_all(&test, main, &victims).await;
    until_in_lanes(&test, &ids).await;
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let told = requests(&sandbox, child);
    assert_eq!(told[1..], [(true, victims.to_vec(), 200)]);
    assert_eq!(
        known_ours(&test, child, &victims).await,
        5,
        "Discord has told that they were not banned before"
    );
    assert!(victims.iter().all(|victim| sandbox.is_banned(child, *victim)));
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn bans_that_are_decided_while_a_slot_is_waited_for_leave_with_it() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    test.systems.services.rest().budget().pause(Duration::from_secs(3));
    let victims: [u64; 4] = strangers(&sandbox);
    let ids = ban_all(&test, main, &victims).await;
    until_all(&test, &ids, Applied, 3).await;
    test.systems.engine.drain().await;
    for guild in sandbox.children().into_iter().chain([main]) {
        assert_eq!(requests(&sandbox, guild), [(true, victims.to_vec(), 200)]);
    }
}

#[tokio::test]
async fn a_main_s_own_two_hundred_bans_leave_together_too() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let hang = held_up(&sandbox, &test, main).await;
    let victims: [u64; 200] = strangers(&sandbox);
    let asked =
        victims.map(|victim| test.ask(by_operator(Role::Owner, Some(main), Ban::new(user(victim)).into())));
    for banned in futures::future::join_all(asked).await {
        banned.unwrap();
    }
    sandbox.clear(hang);
    test.systems.engine.drain().await;
    let told = requests(&sandbox, main);
    assert_eq!(told.len(), 2, "the one before, and one for all");
    assert_eq!((told[1].0, told[1].1.len(), told[1].2), (true, 200, 200));
    assert!(victims.iter().all(|victim| sandbox.is_banned(main, *victim)));
}

#[tokio::test]
async fn without_the_permission_for_it_bans_go_one_by_one() {
    let options = Options {
        children: 2,
        global_limit: 0,
        without_permission: vec![(0, permissions::MANAGE_GUILD)],
        ..options()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    test.systems.services.rest().budget().pause(Duration::from_secs(3));
    let victims: [u64; 3] = strangers(&sandbox);
    let ids = ban_all(&test, main, &victims).await;
    until_all(&test, &ids, Applied, 2).await;
    let [without, with] = sandbox.children()[..] else { panic!("two children") };
    assert_eq!(requests(&sandbox, without), victims.map(|victim| (false, vec![victim], 204)));
    assert_eq!(requests(&sandbox, with), [(true, victims.to_vec(), 200)]);
    assert!(test.alerts().await.is_empty());
}
