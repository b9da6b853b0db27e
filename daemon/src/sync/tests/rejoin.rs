//! Whoever leaves and joins again shakes off no mute and no timeout (FAULTS 38).

use crate::store::{NewPunishment, Settlement, WHEN_THEY_JOIN};
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, by_operator, confirmed, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::Fault;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::PunishmentId;

/// A network whose guilds all have a mute role.
struct Network {
    sandbox: Sandbox,
    test: TestDaemon,
}

impl Network {
    async fn of(children: usize) -> Self {
        let sandbox = sandbox(children).await;
        let test = TestDaemon::start(&sandbox).await;
        let network = Self { sandbox, test };
        for of in network.guilds() {
            network.name_role(of, Some("Muted")).await;
        }
        network
    }

    fn main(&self) -> u64 {
        self.sandbox.main_guild()
    }

    fn child(&self) -> u64 {
        self.sandbox.children()[0]
    }

    fn guilds(&self) -> Vec<u64> {
        self.sandbox.children().into_iter().chain([self.main()]).collect()
    }

    async fn ask(&self, of: u64, operation: &str, arguments: Value) {
        let request = serde_json::from_value(json!({ "operation": operation, "arguments": arguments }));
        self.test.ask(confirmed(by_operator(Role::Owner, Some(of), request.unwrap()))).await.unwrap();
    }

    async fn name_role(&self, of: u64, role: Option<&str>) {
        let arguments = match role {
            Some(role) => json!({ "role": self.sandbox.role(of, role).to_string() }),
            None => json!({ "unset": true }),
        };
        self.ask(of, "config muterole", arguments).await;
    }

    /// Somebody who is a member of these guilds.
    fn member_of(&self, guilds: &[u64]) -> u64 {
        let member = self.sandbox.stranger();
        guilds.iter().for_each(|of| self.sandbox.people().had_joined(*of, member).unwrap());
        member
    }

    async fn punish(&self, of: u64, operation: &str, whom: u64, span: Option<&str>) -> PunishmentId {
        let mut arguments = json!({ "user": whom.to_string() });
        if let Some(span) = span {
            arguments["for"] = span.into();
        }
        let request = json!({ "operation": operation, "arguments": arguments });
        let id = self.test.punish(of, request).await.punishment.unwrap().id;
        self.test.systems.engine.drain().await;
        self.test.systems.services.store().write(|_| Ok(())).await.unwrap();
        id
    }

    fn rejoin(&self, of: u64, whom: u64) {
        self.sandbox.people().leave(of, whom).unwrap();
        self.sandbox.people().join(of, whom).unwrap();
    }

    /// Waits until everything that happened in the guild so far is taken in and carried out.
    async fn settled(&self, of: u64) {
        let behind = self.sandbox.stranger();
        let by = if of == self.main() { self.sandbox.moderator() } else { self.sandbox.child_moderator(of) };
        self.sandbox.people().ban(of, by, behind, None).unwrap();
        self.test.until_audited("what is behind", move |entry| entry.target == Some(user(behind))).await;
        self.test.systems.engine.drain().await;
        self.test.systems.services.store().write(|_| Ok(())).await.unwrap();
    }

    fn has(&self, of: u64, whom: u64, role: &str) -> bool {
        let role = self.sandbox.role(of, role);
        self.sandbox
            .read(|world| world.guilds[&of].members.get(&whom).is_some_and(|one| one.roles.contains(&role)))
    }

    fn muted(&self, of: u64, whom: u64) -> bool {
        self.has(of, whom, "Muted")
    }

    /// The requests that changed something about a user in a guild.
    fn requests(&self, of: u64, whom: u64) -> usize {
        self.sandbox.effects_in(of).iter().filter(|effect| effect.user == Some(whom)).count()
    }
}

#[tokio::test]
async fn fault_38_a_muted_user_who_leaves_and_joins_again_is_muted_again_once_and_there_only() {
    let network = Network::of(2).await;
    let victim = network.member_of(&network.guilds());
    let id = network.punish(network.main(), "mute", victim, None).await;
    for of in [network.child(), network.main()] {
        network.rejoin(of, victim);
        assert!(!network.muted(of, victim));
        network.settled(of).await;
        assert!(network.muted(of, victim));
        assert_eq!(network.requests(of, victim), 2);
        network.rejoin(of, victim);
        network.settled(of).await;
        assert!(network.muted(of, victim), "and every time");
    }
    assert_eq!(network.requests(network.sandbox.children()[1], victim), 1, "they never left this one");
    assert_eq!(network.test.punishment(victim, 1).await, id, "nothing was decided anew");
}

#[tokio::test]
async fn fault_38_whoever_was_no_member_is_muted_when_they_join() {
    let network = Network::of(1).await;
    let victim = network.sandbox.stranger();
    let id = network.punish(network.main(), "mute", victim, None).await;
    let delivery = network.test.delivery(id, network.child().to_owned()).await;
    assert_eq!((delivery.state, delivery.reason.as_deref()), (DeliveryState::Skipped, Some(WHEN_THEY_JOIN)));
    for of in [network.main(), network.child()] {
        network.sandbox.people().join(of, victim).unwrap();
        network.settled(of).await;
        assert!(network.muted(of, victim), "{of}");
    }
    network.test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn fault_38_a_mute_made_by_hand_in_the_main_is_done_again_there_too() {
    let network = Network::of(1).await;
    let (main, child) = (network.main(), network.child());
    let victim = network.member_of(&[main, child]);
    let role = network.sandbox.role(main, "Muted");
    network.sandbox.people().add_role(main, network.sandbox.moderator(), victim, role).unwrap();
    network.settled(main).await;
    assert!(network.muted(child, victim), "it is delivered");
    for times in 1..=2 {
        network.rejoin(main, victim);
        network.settled(main).await;
        assert!(network.muted(main, victim));
        assert_eq!(network.requests(main, victim), times);
    }
    // Taken by hand, it is over.
    network.sandbox.people().remove_role(main, network.sandbox.moderator(), victim, role).unwrap();
    network.settled(main).await;
    network.rejoin(main, victim);
    network.rejoin(child, victim);
    network.settled(main).await;
    network.settled(child).await;
    assert!(!network.muted(main, victim) && !network.muted(child, victim));
}

#[tokio::test]
async fn fault_38_a_timeout_is_done_again_with_the_end_it_had() {
    let network = Network::of(1).await;
    let child = network.child();
    let victim = network.member_of(&network.guilds());
    network.punish(network.main(), "timeout", victim, Some("2h")).await;
    let until = || network.sandbox.read(|world| world.guilds[&child].members[&victim].timeout_ms);
    let before = until();
    assert!(before.is_some());
    network.rejoin(child, victim);
    network.settled(child).await;
    assert_eq!(until(), before);
}

#[tokio::test]
async fn fault_38_what_was_taken_back_has_ended_or_was_let_go_is_not_done_again() {
    let network = Network::of(1).await;
    let (main, child) = (network.main(), network.child());
    let [undone, ended, let_go, stays] = [(); 4].map(|()| network.member_of(&[main, child]));
    for whom in [undone, let_go, stays] {
        network.punish(main, "mute", whom, None).await;
    }
    network.punish(main, "timeout", ended, Some("1h")).await;
    network.punish(main, "unmute", undone, None).await;
    // The child's own staff have the last word there.
    let role = network.sandbox.role(child, "Muted");
    network
        .sandbox
        .people()
        .remove_role(child, network.sandbox.child_moderator(child), let_go, role)
        .unwrap();
    network.settled(child).await;
    network.test.advance(&network.sandbox, "2h").await;
    network.test.until_audited("its end", |entry| entry.operation == "untimeout").await;
    for whom in [undone, ended, let_go, stays] {
        network.rejoin(child, whom);
    }
    network.settled(child).await;
    for (whom, requests) in [(undone, 2), (ended, 1), (let_go, 1), (stays, 2)] {
        assert_eq!(network.requests(child, whom), requests, "{whom}");
    }
    assert!(!network.muted(child, let_go) && network.muted(child, stays));
}

#[tokio::test]
async fn fault_38_a_freeze_holds_it_and_a_link_that_is_gone_does_nothing() {
    let network = Network::of(2).await;
    let (main, child, gone) = (network.main(), network.child(), network.sandbox.children()[1]);
    let victim = network.member_of(&network.guilds());
    let id = network.punish(main, "mute", victim, None).await;
    network.ask(main, "sync freeze", json!({})).await;
    network.ask(main, "setup remove-child", json!({ "child": gone.to_string() })).await;
    for of in [child, gone] {
        network.rejoin(of, victim);
    }
    network.settled(child).await;
    network.test.until_counted(id, DeliveryState::Held, 1).await;
    assert!(!network.muted(child, victim));
    network.ask(main, "sync resume", json!({})).await;
    network.test.until_counted(id, DeliveryState::Applied, 2).await;
    network.test.systems.engine.drain().await;
    assert!(network.muted(child, victim));
    assert_eq!(network.requests(gone, victim), 1);
}

#[tokio::test]
async fn fault_38_of_two_mains_the_one_whose_mute_stands_has_it_done_again() {
    let network = Network::of(2).await;
    let (first, shared, second) = (network.main(), network.child(), network.sandbox.children()[1]);
    let made = network.test.systems.services.store().write(move |change| {
        let link = change.link(guild(first), guild(second))?.unwrap();
        change.close_link(link.id, guild(first), guild(second))?;
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(shared), Mode::Active)?)
    });
    made.await.unwrap();
    let victim = network.member_of(&network.guilds());
    for main in [first, second] {
        network.punish(main, "mute", victim, None).await;
    }
    network.punish(first, "unmute", victim, None).await;
    assert!(network.muted(shared, victim), "the second's stands");
    network.rejoin(shared, victim);
    network.settled(shared).await;
    assert!(network.muted(shared, victim));
    assert_eq!(network.requests(shared, victim), 3, "one of each main, and one again");
}

#[tokio::test]
async fn fault_38_the_end_of_a_childs_own_mute_lets_its_mains_be_done_again() {
    let network = Network::of(1).await;
    let child = network.child();
    let victim = network.member_of(&network.guilds());
    network.punish(child, "mute", victim, Some("1h")).await;
    network.punish(network.main(), "mute", victim, None).await;
    network.test.advance(&network.sandbox, "2h").await;
    // It is recorded, and takes no role that the main's mute needs.
    network.test.punishment(victim, 3).await;
    network.rejoin(child, victim);
    network.settled(child).await;
    assert!(network.muted(child, victim));
    assert_eq!(network.requests(child, victim), 3);
}

#[tokio::test]
async fn fault_38_a_mute_that_remains_after_a_newer_one_was_reverted_is_done_again() {
    let network = Network::of(1).await;
    let (main, child) = (network.main(), network.child());
    let [commanded, by_hand, own] = [(); 3].map(|()| network.member_of(&[main, child]));
    network.punish(main, "mute", commanded, None).await;
    let role = network.sandbox.role(main, "Muted");
    network.sandbox.people().add_role(main, network.sandbox.moderator(), by_hand, role).unwrap();
    network.settled(main).await;
    for whom in [commanded, by_hand] {
        let newer = network.punish(main, "mute", whom, None).await;
        network.ask(main, "punishment revert", json!({ "punishments": [newer.to_string()] })).await;
    }
    // The child's own, which has ended beside its main's.
    network.punish(main, "mute", own, None).await;
    network.punish(child, "mute", own, Some("1h")).await;
    network.test.advance(&network.sandbox, "2h").await;
    network.test.punishment(own, 3).await;
    for whom in [commanded, by_hand, own] {
        network.rejoin(child, whom);
        network.rejoin(main, whom);
    }
    network.settled(child).await;
    network.settled(main).await;
    for whom in [commanded, by_hand, own] {
        assert!(network.muted(child, whom), "{whom} in the child");
        assert!(network.muted(main, whom), "{whom} in the main");
    }
}

#[tokio::test]
async fn fault_38_whoever_joins_while_it_is_on_its_way_gets_it_all_the_same() {
    let network = Network::of(1).await;
    let (main, child, victim) =
        (guild(network.main()), guild(network.child()), user(network.sandbox.stranger()));
    let (tell, told) = tokio::sync::oneshot::channel();
    // Taken back at the end, so that no request leaves: the order of what is stored is what counts.
    let work = move |change: &crate::store::Change<'_>| {
        let new = NewPunishment::new(main, victim, Action::Mute, Origin::Operator);
        let id = record(change, &new, AtOrigin::Done)?.punishment.id;
        let delivery = change.deliveries_of(id)?[0].id;
        let skipped = Settlement {
            state: DeliveryState::Skipped,
            reason: Some(WHEN_THEY_JOIN.to_owned()),
            attempts: 1,
            wait: None,
            was_there: None,
        };
        change.joined(child, victim)?;
        change.settle(delivery, &skipped)?;
        let first = change.deliveries_of(id)?[0].state;
        change.settle(delivery, &skipped)?;
        tell.send((first, change.deliveries_of(id)?[0].state)).unwrap();
        Err::<(), _>(Fault::usage("taken back"))
    };
    network.test.systems.services.store().write(work).await.unwrap_err();
    assert_eq!(
        told.await.unwrap(),
        (DeliveryState::Pending, DeliveryState::Skipped),
        "once more, and no more"
    );
}

#[tokio::test]
async fn fault_38_whoever_joins_and_is_held_to_nothing_costs_no_write() {
    let network = Network::of(1).await;
    let child = network.child();
    let other = network.member_of(&network.guilds());
    network.punish(network.main(), "mute", other, None).await;
    network.settled(child).await;
    let before = *network.test.systems.services.store().sequence().borrow();
    let joined: Vec<u64> = (0..50).map(|_| network.member_of(&[child])).collect();
    network.settled(child).await;
    let (events, _) = network.test.read(move |view| view.events_after(before, usize::MAX).unwrap()).await;
    assert_eq!(events.len(), 1, "the ban behind them: {events:?}");
    assert!(joined.iter().all(|whom| network.requests(child, *whom) == 0));
}

#[tokio::test]
async fn an_unmute_takes_the_role_that_was_given_after_the_guild_named_another() {
    let network = Network::of(1).await;
    let (main, child) = (network.main(), network.child());
    let [commanded, by_hand, unset] = [(); 3].map(|()| network.member_of(&[main, child]));
    for whom in [commanded, unset] {
        network.punish(main, "mute", whom, None).await;
    }
    let role = network.sandbox.role(main, "Muted");
    network.sandbox.people().add_role(main, network.sandbox.moderator(), by_hand, role).unwrap();
    network.settled(main).await;
    for of in [main, child] {
        network.name_role(of, Some("Regular")).await;
    }
    let later = network.member_of(&[main, child]);
    network.punish(main, "mute", later, None).await;
    for of in [main, child] {
        assert!(network.has(of, later, "Regular") && !network.muted(of, later), "the role of now");
        assert!(network.muted(of, commanded) && network.muted(of, by_hand), "they keep the one they have");
    }
    for whom in [commanded, by_hand, later] {
        network.punish(main, "unmute", whom, None).await;
        for of in [main, child] {
            assert!(!network.muted(of, whom) && !network.has(of, whom, "Regular"), "{whom} in {of}");
        }
    }
    assert_eq!(network.requests(child, later), 2, "no request for a role they never had");
    // Also where there is no mute role any more.
    for of in [main, child] {
        network.name_role(of, None).await;
    }
    network.punish(main, "unmute", unset, None).await;
    assert!(!network.muted(main, unset) && !network.muted(child, unset));
    // What was taken is forgotten.
    for of in [main, child] {
        let left =
            move |view: &crate::store::View<'_>| view.former_mute_roles(guild(of), user(commanded)).unwrap();
        assert!(network.test.read(left).await.is_empty());
    }
}
