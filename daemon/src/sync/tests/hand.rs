//! What a person does in Discord's own UI comes to the same as what they ask of Wayhaven.

use crate::invocation::{Actor, Invocation};
use crate::testing::{TestDaemon, by_member, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::fault::EventFate;
use wayhaven_sandbox::{Fault, Sandbox};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};
use wayhaven_shared::value::{Untrusted, UserId};

const HOUR: Duration = Duration::from_secs(3_600);

/// The role that mutes in a guild of the sandbox.
pub(super) fn muted(sandbox: &Sandbox, guild: u64) -> u64 {
    let role = |world: &wayhaven_sandbox::world::World| {
        world.guilds[&guild].roles.values().find(|role| role.name == "Muted").map(|role| role.id)
    };
    sandbox.read(role).unwrap()
}

/// Sets the mute role of every guild.
pub(super) async fn set_mute_roles(sandbox: &Sandbox, test: &TestDaemon) {
    let guilds = std::iter::once(sandbox.main_guild()).chain(sandbox.children());
    let roles: Vec<_> = guilds.map(|of| (guild(of), muted(sandbox, of))).collect();
    let set = move |change: &crate::store::Change<'_>| {
        for (guild, role) in roles {
            let mut config = change.config(guild)?;
            config.mute_role_id = wayhaven_shared::value::RoleId::new(role);
            change.configure(guild, &config)?;
        }
        Ok(())
    };
    test.systems.services.store().write(set).await.unwrap();
}

/// Does it in the guild's own UI; what Discord says where it does not.
pub(super) fn by_hand(sandbox: &Sandbox, of: u64, by: u64, whom: u64, action: Action) -> Result<(), String> {
    let people = sandbox.people();
    match action {
        Action::Ban => people.ban(of, by, whom, Some("why")),
        Action::Unban => people.unban(of, by, whom, Some("why")),
        Action::Kick => people.kick(of, by, whom, Some("why")),
        Action::Mute => people.add_role(of, by, whom, muted(sandbox, of)),
        Action::Unmute => people.remove_role(of, by, whom, muted(sandbox, of)),
        Action::Timeout => people.timeout(of, by, whom, Some(HOUR), Some("why")),
        Action::Untimeout => people.timeout(of, by, whom, None, Some("why")),
        Action::Warn => Err("nobody warns by hand".to_owned()),
    }
}

/// What is asked of Wayhaven for the same. Roles are changed without a reason in Discord's own UI.
pub(super) fn request(whom: UserId, action: Action) -> Request {
    let reason = || Some(Untrusted::clipped("why"));
    let span = || "1h".parse().unwrap();
    match action {
        Action::Ban => Ban { reason: reason(), ..Ban::new(whom) }.into(),
        Action::Unban => Unban { user: whom, reason: reason() }.into(),
        Action::Kick => Kick { user: whom, reason: reason(), evidence: None }.into(),
        Action::Mute => Mute { user: whom, span: None, reason: None, evidence: None }.into(),
        Action::Unmute => Unmute { user: whom, reason: None }.into(),
        Action::Timeout => Timeout { user: whom, span: span(), reason: reason(), evidence: None }.into(),
        Action::Untimeout => Untimeout { user: whom, reason: reason() }.into(),
        Action::Warn => panic!("nobody warns by hand"),
    }
}

/// The same, asked by the main's moderator by slash command.
fn by_command(sandbox: &Sandbox, whom: u64, action: Action) -> Invocation {
    let (main, moderator) = (sandbox.main_guild(), sandbox.moderator());
    let roles = sandbox.read(|world| world.guilds[&main].members[&moderator].roles.clone());
    let roles = roles.into_iter().filter_map(wayhaven_shared::value::RoleId::new).collect();
    let actor = Actor::Member { user: user(moderator), roles, permissions: u64::MAX, resolved: Vec::new() };
    Invocation { actor, ..by_member(moderator, main, u64::MAX, request(user(whom), action)) }
}

/// Waits until a user has so many punishments and nothing of them is open.
pub(super) async fn until_settled(test: &TestDaemon, whom: u64, count: usize) {
    test.punishment(whom, count).await;
    test.until("everything is done", move |view| {
        let open = view.open_deliveries().unwrap();
        open.iter().all(|delivery| delivery.user != user(whom))
    })
    .await;
}

/// What became of a user in the whole network, without their name and without when.
async fn outcome(sandbox: &Sandbox, test: &TestDaemon, whom: u64) -> Vec<String> {
    let all = test.read(move |view| view.punishments(None, Some(user(whom)), None, 50).unwrap()).await;
    let mut lines = Vec::new();
    for punishment in all.into_iter().rev() {
        let (id, action) = (punishment.id, punishment.action);
        let ends = punishment.expires_at.is_some();
        let reason = punishment.reason.as_ref().map(|reason| reason.raw().to_owned());
        let moderator = punishment.moderator_id;
        lines.push(format!("{action} by {moderator:?}: {reason:?}, ends: {ends}, {}", punishment.status));
        for delivery in test.read(move |view| view.deliveries_of(id).unwrap()).await {
            let (to, state, reason) = (delivery.guild_id, delivery.state, delivery.reason);
            lines.push(format!("  {} to {to}: {state} {reason:?}", delivery.action));
        }
    }
    for child in sandbox.children() {
        for effect in sandbox.effects_in(child).iter().filter(|effect| effect.user == Some(whom)) {
            let (method, route, reason) = (&effect.method, &effect.route, &effect.reason);
            lines.push(format!("{child}: {method} {route} {} {reason:?}", effect.status));
        }
    }
    lines
}

#[tokio::test]
async fn every_action_by_hand_in_the_main_comes_to_the_same_as_by_command_once() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, moderator, children) = (sandbox.main_guild(), sandbox.moderator(), sandbox.children());
    let (linked, elsewhere) = (children[0], children[2]);
    // A child that has not agreed, and the second, of which nobody punished is a member.
    test.propose(main, elsewhere).await;
    let cases: [&[Action]; 7] = [
        &[Action::Ban],
        &[Action::Ban, Action::Unban],
        &[Action::Kick],
        &[Action::Mute],
        &[Action::Mute, Action::Unmute],
        &[Action::Timeout],
        &[Action::Timeout, Action::Untimeout],
    ];
    for actions in cases {
        let (hand, command) = (sandbox.stranger(), sandbox.stranger());
        for place in [main, linked, elsewhere] {
            for whom in [hand, command] {
                sandbox.people().had_joined(place, whom).unwrap();
            }
        }
        for (count, action) in (1..).zip(actions.iter().copied()) {
            by_hand(&sandbox, main, moderator, hand, action).unwrap();
            until_settled(&test, hand, count).await;
            test.ask(by_command(&sandbox, command, action)).await.unwrap();
            until_settled(&test, command, count).await;
        }
        let (by_hand, by_command) =
            (outcome(&sandbox, &test, hand).await, outcome(&sandbox, &test, command).await);
        assert_eq!(by_hand, by_command, "{actions:?}");
        let requests = |of: u64, whom: u64| {
            sandbox.effects_in(of).iter().filter(|effect| effect.user == Some(whom)).count()
        };
        assert_eq!(requests(linked, hand), actions.len(), "{actions:?}: once each\n{by_hand:#?}");
        assert_eq!(requests(main, hand), 0, "{actions:?}: it is done there already");
        assert_eq!(requests(main, command), actions.len(), "{actions:?}");
        assert_eq!(requests(elsewhere, hand) + requests(elsewhere, command), 0, "{actions:?}");

        // Whatever comes back is behind this in the stream, and made no second punishment.
        let marker = sandbox.stranger();
        sandbox.people().ban(main, moderator, marker, None).unwrap();
        until_settled(&test, marker, 1).await;
        for whom in [hand, command] {
            test.punishment(whom, actions.len()).await;
        }
    }
    assert_eq!(test.alerts().await, Vec::<String>::new());
    assert!(!test.told().await.iter().any(|change| matches!(change, Change::Contained { .. })));
    let audited = test.audit().await;
    let seen: Vec<_> = audited.iter().filter(|row| row.surface == "gateway").collect();
    // Ten acts by hand, and a marker behind each case.
    assert_eq!(seen.len(), 10 + cases.len(), "each is audited once");
    assert!(
        seen.iter().all(|row| row.actor.as_ref().is_some_and(|by| by.raw().contains(&moderator.to_string())))
    );
}

#[tokio::test]
async fn a_timeout_whose_end_is_changed_by_hand_has_the_new_end_everywhere() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    for place in [main, child] {
        sandbox.people().had_joined(place, victim).unwrap();
    }
    let end = |of: u64| sandbox.member(of, victim)["communication_disabled_until"].clone();
    test.ask(by_command(&sandbox, victim, Action::Timeout)).await.unwrap();
    until_settled(&test, victim, 1).await;
    assert_eq!(end(main), end(child), "what was asked for ends at one time everywhere");
    for (count, length) in [(2, 2 * HOUR), (3, HOUR / 2)] {
        sandbox.people().timeout(main, sandbox.moderator(), victim, Some(length), Some("why")).unwrap();
        until_settled(&test, victim, count).await;
        assert_eq!(end(main), end(child));
    }
    sandbox.people().timeout(main, sandbox.moderator(), victim, None, None).unwrap();
    until_settled(&test, victim, 4).await;
    assert!(end(child).is_null(), "{}", end(child));
}

#[tokio::test]
async fn a_kick_by_hand_after_one_of_ours_is_another_one() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let rejoin = || {
        for place in [main, child] {
            sandbox.people().had_joined(place, victim).unwrap();
        }
    };
    rejoin();
    test.ask(by_command(&sandbox, victim, Action::Kick)).await.unwrap();
    until_settled(&test, victim, 1).await;
    for count in 2..4 {
        rejoin();
        sandbox.people().kick(main, sandbox.moderator(), victim, None).unwrap();
        until_settled(&test, victim, count).await;
        assert!(!sandbox.is_member(child, victim));
    }
    let all = test.read(move |view| view.punishments(None, Some(user(victim)), None, 50).unwrap()).await;
    let origins: Vec<_> = all.iter().rev().map(|punishment| punishment.origin).collect();
    assert_eq!(origins, [Origin::Command, Origin::Guild, Origin::Guild]);
    assert_eq!(sandbox.effects_in(child).len(), 3);
    assert_eq!(sandbox.effects_in(main).len(), 1);
}

#[tokio::test]
async fn a_timeout_that_came_and_went_while_nobody_listened_is_audited_and_nothing_else() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().had_joined(main, victim).unwrap();
    // Its event is lost, and the log is read an hour after its end.
    let name = Some("GUILD_AUDIT_LOG_ENTRY_CREATE".to_owned());
    let lost = sandbox.inject(Fault::Events { name, guild: Some(main), times: None, fate: EventFate::Drop });
    by_hand(&sandbox, main, sandbox.moderator(), victim, Action::Timeout).unwrap();
    sandbox.clear(lost);
    test.advance(&sandbox, "2h").await;
    test.systems.ingest.gaps().catch_up();
    test.systems.ingest.gaps().idle().await;
    let marker = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), marker, None).unwrap();
    let id = test.punishment(marker, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(
        test.read(move |view| view.punishments(None, Some(user(victim)), None, 9).unwrap()).await.is_empty()
    );
    assert!(test.audit().await.iter().any(|row| row.operation == "timeout" && row.surface == "gateway"));
}
