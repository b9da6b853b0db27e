//! What is another way with kicks, mutes and timeouts than with bans.

use crate::discord::directory::Presence;
use crate::network::Freeze;
use crate::store::{Change, NewPunishment};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::config::{ConfigMuterole, GuildConfig};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::mute::Mute;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::timeout::Timeout;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::{PunishmentId, RoleId, Timestamp};

/// Somebody who is a member of the main and of all children.
fn member(sandbox: &Sandbox) -> u64 {
    let whom = sandbox.stranger();
    for place in sandbox.children().into_iter().chain([sandbox.main_guild()]) {
        sandbox.people().had_joined(place, whom).unwrap();
    }
    whom
}

async fn punished(test: &TestDaemon, of: u64, dry_run: bool, request: Request) -> Punished {
    let asked = by_operator(Role::Owner, Some(of), request);
    match test.ask(crate::invocation::Invocation { dry_run, ..asked }).await.unwrap() {
        Reply::Kick(punished) | Reply::Mute(punished) | Reply::Timeout(punished) => punished,
        other => panic!("{other:?}"),
    }
}

async fn ask(test: &TestDaemon, of: u64, request: Request) -> PunishmentId {
    punished(test, of, false, request).await.punishment.unwrap().id
}

/// Mutes by the role `Muted`, in these guilds.
async fn mutes(test: &TestDaemon, sandbox: &Sandbox, guilds: &[u64]) {
    for place in guilds {
        let (place, role) = (guild(*place), RoleId::new(sandbox.role(*place, "Muted")));
        let set = move |change: &Change<'_>| {
            let config = change.config(place)?;
            Ok(change.configure(place, &GuildConfig { mute_role_id: role, ..config })?)
        };
        test.systems.services.store().write(set).await.unwrap();
    }
}

fn mute(whom: u64) -> Request {
    Mute { user: user(whom), span: None, reason: None, evidence: None }.into()
}

fn kick(whom: u64) -> Request {
    Kick { user: user(whom), reason: None, evidence: None }.into()
}

fn timeout(whom: u64) -> Request {
    Timeout { user: user(whom), span: "1h".parse().unwrap(), reason: None, evidence: None }.into()
}

#[tokio::test]
async fn a_plan_knows_who_is_no_member_here_and_says_what_becomes_of_it_in_the_children() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    mutes(&test, &sandbox, &[main, sandbox.children()[0], sandbox.children()[1]]).await;
    let (present, absent) = (member(&sandbox), sandbox.stranger());
    let questions = || sandbox.log().iter().filter(|one| one.path.contains("/members/")).count();
    for (request, there) in
        [(kick as fn(u64) -> Request, "is skipped"), (mute, "when they join"), (timeout, "when they join")]
    {
        let before = questions();
        let plan = punished(&test, main, true, request(present)).await;
        assert_eq!((plan.origin.state, plan.deliveries.pending), (DeliveryState::Pending, 2));
        let fields = plan.report().fields;
        let absent_there = fields.iter().find(|(name, _)| name == "Absent").map(|(_, cell)| cell.text.line());
        assert!(absent_there.is_some_and(|text| text.ends_with(there)), "{fields:?}");

        let plan = punished(&test, main, true, request(absent)).await;
        assert_eq!((plan.origin.state, plan.deliveries.skipped), (DeliveryState::Skipped, 2));
        assert_eq!(questions(), before + 6, "one question to each guild");
        // The plan of the guild itself is what happens there.
        let id = ask(&test, main, request(absent)).await;
        test.until("what happens here", move |view| {
            view.origin_of(id).unwrap().is_some_and(|origin| origin.state.is_final())
        })
        .await;
        let origin = test.read(move |view| view.origin_of(id).unwrap().unwrap()).await;
        assert_eq!((origin.state, origin.reason), (plan.origin.state, plan.origin.reason));
        // The children follow the main: none of their requests is counted in the next round.
        test.systems.engine.drain().await;
    }
}

#[tokio::test]
async fn a_plan_says_that_the_bot_may_not_do_it_here() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    sandbox
        .people()
        .set_bot_permissions(main, permissions::LEAST_FOR_BOT & !permissions::KICK_MEMBERS)
        .unwrap();
    // Discord's word on it comes by the gateway, and makes no event of ours.
    let known = async {
        while test.systems.services.directory().may(guild(main), Action::Kick) != Some(false) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.unwrap();
    let plan = punished(&test, main, true, kick(member(&sandbox))).await;
    assert_eq!(plan.origin.state, DeliveryState::Blocked);
    assert_eq!(plan.origin.reason.as_deref(), Some("missing permission Kick Members"));
    assert_eq!((plan.deliveries.held, plan.deliveries.pending), (1, 0), "the child waits for the main");
    assert_eq!(plan.plan[0].reason.as_deref(), Some("the main could not do it itself"));
}

#[tokio::test]
async fn a_child_without_a_mute_role_is_foreseen_blocks_mutes_alone_and_goes_on_when_it_has_one() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bare) = (sandbox.main_guild(), sandbox.children()[1]);
    mutes(&test, &sandbox, &[main, sandbox.children()[0]]).await;
    let whom = member(&sandbox);

    let foreseen = punished(&test, main, true, mute(whom)).await;
    let planned = foreseen.plan.iter().find(|one| one.guild_id == guild(bare)).unwrap();
    assert_eq!(planned.state, DeliveryState::Blocked);
    assert!(planned.reason.as_deref().unwrap().contains("config muterole"), "{planned:?}");

    let muted = ask(&test, main, mute(whom)).await;
    test.until_counted(muted, DeliveryState::Blocked, 1).await;
    test.until_counted(muted, DeliveryState::Applied, 1).await;
    let kicked = ask(&test, main, kick(sandbox_member(&sandbox, bare))).await;
    test.until("the kick", move |view| {
        view.deliveries_of(kicked)
            .unwrap()
            .iter()
            .any(|one| one.guild_id == guild(bare) && one.state == DeliveryState::Applied)
    })
    .await;

    let role = RoleId::new(sandbox.role(bare, "Muted"));
    let set = ConfigMuterole { role, unset: false }.into();
    test.ask(by_operator(Role::Owner, Some(bare), set)).await.unwrap();
    test.until_counted(muted, DeliveryState::Applied, 2).await;
    let held = sandbox.role(bare, "Muted");
    assert!(sandbox.read(|world| world.guilds[&bare].members[&whom].roles.contains(&held)));
}

/// Somebody who is a member of that guild only.
fn sandbox_member(sandbox: &Sandbox, place: u64) -> u64 {
    let whom = sandbox.stranger();
    sandbox.people().had_joined(place, whom).unwrap();
    whom
}

#[tokio::test]
async fn fault_8_a_missing_permission_to_kick_blocks_kicks_and_nothing_else_until_it_is_given() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let before = permissions::LEAST_FOR_BOT;
    sandbox.people().set_bot_permissions(child, before & !permissions::KICK_MEMBERS).unwrap();
    // What the bot may do makes no event, so it is looked at again and again.
    while test.systems.services.directory().may(guild(child), Action::Kick) != Some(false) {
        tokio::task::yield_now().await;
    }

    let first = ask(&test, main, kick(member(&sandbox))).await;
    let second = ask(&test, main, kick(member(&sandbox))).await;
    for kicked in [first, second] {
        test.until_counted(kicked, DeliveryState::Blocked, 1).await;
    }
    let ban = test.ban(main, member(&sandbox)).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let refused = sandbox.effects_in(child).iter().filter(|effect| effect.status == 403).count();
    assert_eq!(refused, 1, "Discord counts refusals, and one tells");
    assert_eq!(test.alerts().await, ["delivery_blocked"]);

    sandbox.people().set_bot_permissions(child, before).unwrap();
    for kicked in [first, second] {
        test.until_counted(kicked, DeliveryState::Applied, 1).await;
    }
}

#[tokio::test]
async fn a_timeout_that_has_ended_while_it_was_held_is_not_sent() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], member(&sandbox));
    let of = guild(main);
    let store = test.systems.services.store();
    store.write(move |change| Ok(change.set_freeze(of, Some(Freeze::Everything))?)).await.unwrap();
    let own = Duration::from_secs(3_600);
    sandbox.people().timeout(child, sandbox.owner(), whom, Some(own), None).unwrap();
    let recorded = store.write(move |change| {
        let mut new = NewPunishment::new(of, user(whom), Action::Timeout, Origin::Operator);
        new.expires_at = Some(Timestamp::from_millis(change.now().millis() + 1));
        Ok(record(change, &new, AtOrigin::Done)?.punishment.id)
    });
    let id = recorded.await.unwrap();
    test.until_counted(id, DeliveryState::Held, 1).await;
    let resumed = store.write(move |change| {
        let moved = change.moved_by_freeze(of, None)?;
        change.set_freeze(of, None)?;
        Ok(moved.into_iter().try_for_each(|step| step.apply(change))?)
    });
    resumed.await.unwrap();
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    assert_eq!(sandbox.effect_count(), 0);
    assert!(sandbox.read(|world| world.guilds[&child].members[&whom].timeout_ms.is_some()), "its own stands");
}

#[tokio::test]
async fn measures_of_one_user_stand_beside_each_other() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], member(&sandbox));
    mutes(&test, &sandbox, &[main, child]).await;
    sandbox.people().outage(child).unwrap();
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the outage", move |_| {
        systems.services.directory().presence(guild(child)) == Some(Presence::Outage)
    })
    .await;
    let muted = ask(&test, main, mute(whom)).await;
    let span = "1h".parse().unwrap();
    let timed =
        ask(&test, main, Timeout { user: user(whom), span, reason: None, evidence: None }.into()).await;
    let kicked = ask(&test, main, kick(whom)).await;
    sandbox.people().restore(child).unwrap();
    for id in [muted, timed, kicked] {
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    let gone = move |sandbox: &wayhaven_sandbox::Discord| {
        sandbox.read(|world| !world.guilds[&child].members.contains_key(&whom))
    };
    sandbox.wait_until(gone, PATIENCE).await.unwrap();
    let order: Vec<String> = sandbox.effects_in(child).iter().map(|effect| effect.method.clone()).collect();
    assert_eq!(order, ["PUT", "PATCH", "DELETE"], "in the order in which they were decided");
}
