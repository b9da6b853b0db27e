//! A kick is done once: what is not known of it is settled from the guild's audit log and from who is a member.

use crate::store::View;
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::{At, Fault, Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::PunishmentId;

const KICK: &str = "/guilds/{guild_id}/members/{user_id}";
const LOG: &str = "/guilds/{guild_id}/audit-logs";

fn kicks(of: u64) -> At {
    At::route("DELETE", KICK).guild(of)
}

async fn kick(test: &TestDaemon, of: u64, whom: u64) -> PunishmentId {
    let request = Kick { user: user(whom), reason: None, evidence: None }.into();
    match test.ask(by_operator(Role::Owner, Some(of), request)).await.unwrap() {
        Reply::Kick(done) => done.punishment.unwrap().id,
        other => panic!("{other:?}"),
    }
}

/// A member of the main and of all its children.
fn member(sandbox: &Sandbox) -> u64 {
    let whom = sandbox.members(sandbox.main_guild())[0];
    for child in sandbox.children() {
        if !sandbox.is_member(child, whom) {
            sandbox.people().join(child, whom).unwrap();
        }
    }
    whom
}

/// How often the guild's audit log tells that somebody was kicked.
fn kicked(sandbox: &Sandbox, of: u64, whom: u64) -> usize {
    let target = whom.to_string();
    let entries = sandbox.audit_log(of);
    entries.iter().filter(|one| one["action_type"] == 20 && one["target_id"] == target.as_str()).count()
}

/// Where the delivery to a guild stands, the guild where it was decided among them.
fn state_in(view: &View<'_>, id: PunishmentId, of: u64) -> Option<DeliveryState> {
    let origin = view.origin_of(id).unwrap().filter(|one| one.guild_id == guild(of));
    let children = view.deliveries_of(id).unwrap();
    origin.into_iter().chain(children).find(|one| one.guild_id == guild(of)).map(|one| one.state)
}

async fn until(test: &TestDaemon, id: PunishmentId, of: u64, state: DeliveryState) {
    test.until(&format!("{state} in {of}"), move |view| state_in(view, id, of) == Some(state)).await;
}

#[tokio::test]
async fn fault_2_a_kick_whose_answer_was_lost_is_not_repeated() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let whom = member(&sandbox);
    let guilds = [sandbox.main_guild(), sandbox.children()[0]];
    for of in guilds {
        sandbox.inject(Fault::CutAfter { at: kicks(of).times(1) });
    }
    let id = kick(&test, guilds[0], whom).await;
    for of in guilds {
        until(&test, id, of, DeliveryState::Applied).await;
        assert_eq!((kicked(&sandbox, of, whom), sandbox.effects_in(of).len()), (1, 1));
    }
}

#[tokio::test]
async fn fault_2_who_has_joined_again_since_is_not_kicked_twice() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let whom = member(&sandbox);
    let guilds = [sandbox.main_guild(), sandbox.children()[0]];
    let hangs = guilds.map(|of| {
        sandbox.inject(Fault::CutAfter { at: kicks(of).times(1) });
        // It is not asked about before they are back.
        sandbox.inject(Fault::Hang { at: At::route("GET", LOG).guild(of) })
    });
    let id = kick(&test, guilds[0], whom).await;
    for of in guilds {
        sandbox.wait_until(|sandbox| !sandbox.is_member(of, whom), PATIENCE).await.unwrap();
        sandbox.people().join(of, whom).unwrap();
    }
    for hang in hangs {
        sandbox.clear(hang);
    }
    for of in guilds {
        until(&test, id, of, DeliveryState::Applied).await;
        assert_eq!((kicked(&sandbox, of, whom), sandbox.effects_in(of).len()), (1, 1));
        assert!(sandbox.is_member(of, whom));
    }
}

#[tokio::test]
async fn fault_2_without_the_audit_log_who_is_back_is_left_in_peace() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], member(&sandbox));
    let may = permissions::LEAST_FOR_BOT & !permissions::VIEW_AUDIT_LOG;
    sandbox.people().set_bot_permissions(child, may).unwrap();
    sandbox.inject(Fault::CutAfter { at: kicks(child).times(1) });
    let hang = sandbox.inject(Fault::Hang { at: At::route("GET", LOG).guild(child) });
    let id = kick(&test, main, whom).await;
    sandbox.wait_until(|sandbox| !sandbox.is_member(child, whom), PATIENCE).await.unwrap();
    sandbox.people().join(child, whom).unwrap();
    sandbox.clear(hang);
    until(&test, id, child, DeliveryState::Skipped).await;
    let reason = test.delivery(id, child).await.reason.unwrap();
    assert!(reason.contains("not kicked twice"), "{reason}");
    assert_eq!(sandbox.effects_in(child).len(), 1);
}

#[tokio::test]
async fn fault_2_a_kick_that_was_lost_before_it_was_done_is_done_once() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let whom = member(&sandbox);
    let guilds = [sandbox.main_guild(), sandbox.children()[0]];
    for of in guilds {
        sandbox.inject(Fault::CutBefore { at: kicks(of).times(1) });
    }
    let id = kick(&test, guilds[0], whom).await;
    for of in guilds {
        until(&test, id, of, DeliveryState::Applied).await;
        assert_eq!((kicked(&sandbox, of, whom), sandbox.effects_in(of).len()), (1, 2));
    }
}

#[tokio::test]
async fn fault_2_a_kick_of_a_moment_ago_is_not_taken_for_the_one_that_was_lost() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], member(&sandbox));
    let first = kick(&test, main, whom).await;
    until(&test, first, child, DeliveryState::Applied).await;
    until(&test, first, main, DeliveryState::Applied).await;
    for of in [main, child] {
        sandbox.people().join(of, whom).unwrap();
    }
    sandbox.inject(Fault::CutBefore { at: kicks(child).times(1) });
    let second = kick(&test, main, whom).await;
    until(&test, second, child, DeliveryState::Applied).await;
    assert_eq!(kicked(&sandbox, child, whom), 2);
    assert!(!sandbox.is_member(child, whom));
}

#[tokio::test]
async fn fault_2_a_kick_that_was_marked_and_never_left_is_done_by_the_next_daemon() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, whom) = (sandbox.main_guild(), member(&sandbox));
    let by_hand = sandbox.stranger();
    for of in sandbox.children().into_iter().chain([main]) {
        sandbox.people().had_joined(of, by_hand).unwrap();
    }
    // Marked, and no slot before the daemon is gone. The children wait for the main, but for what was done there by hand.
    test.systems.services.rest().budget().pause(Duration::from_secs(600));
    let id = kick(&test, main, whom).await;
    until(&test, id, main, DeliveryState::Sending).await;
    sandbox.people().kick(main, sandbox.owner(), by_hand, None).unwrap();
    let done = test.punishment(by_hand, 1).await;
    for of in sandbox.children() {
        until(&test, done, of, DeliveryState::Sending).await;
    }
    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    for of in sandbox.children() {
        until(&next, done, of, DeliveryState::Applied).await;
        until(&next, id, of, DeliveryState::Applied).await;
        assert_eq!((kicked(&sandbox, of, whom), kicked(&sandbox, of, by_hand)), (1, 1));
        assert_eq!(sandbox.effects_in(of).len(), 2);
    }
    until(&next, id, main, DeliveryState::Applied).await;
    assert_eq!((kicked(&sandbox, main, whom), sandbox.effects_in(main).len()), (1, 1));
}

#[tokio::test]
async fn fault_2_a_kick_that_discord_carried_out_before_the_crash_is_only_noted_by_the_next_daemon() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, whom) = (sandbox.main_guild(), member(&sandbox));
    // Done, and the answer on its way for longer than the daemon lives.
    let slow = sandbox.inject(Fault::Latency { at: At::route("DELETE", KICK), by: 2 * PATIENCE });
    let id = kick(&test, main, whom).await;
    let guilds: Vec<u64> = sandbox.children().into_iter().chain([main]).collect();
    for of in &guilds {
        let of = *of;
        sandbox.wait_until(move |sandbox| !sandbox.is_member(of, whom), PATIENCE).await.unwrap();
        // They come back before anybody asks.
        sandbox.people().join(of, whom).unwrap();
    }
    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    sandbox.clear(slow);
    for of in guilds {
        until(&next, id, of, DeliveryState::Applied).await;
        assert_eq!((kicked(&sandbox, of, whom), sandbox.effects_in(of).len()), (1, 1));
        assert!(sandbox.is_member(of, whom), "nobody is kicked twice");
    }
}

#[tokio::test]
async fn who_is_no_member_of_a_child_is_not_kicked_there() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let whom = sandbox.stranger();
    sandbox.people().join(main, whom).unwrap();
    let id = kick(&test, main, whom).await;
    until(&test, id, main, DeliveryState::Applied).await;
    until(&test, id, child, DeliveryState::Skipped).await;
    let actions = test.read(move |view| view.deliveries_of(id).unwrap()).await;
    assert!(actions.iter().all(|one| one.action == Action::Kick));
}
