//! What stands is left: nothing that is older than it, and nothing that Wayhaven did, ends it.

use super::*;
use crate::discord::event::{GatewayEvent, MemberFacts};
use crate::store::{Echo, ShownMember};
use Action::{Ban, Mute, Timeout};
use wayhaven_sandbox::permissions;
use wayhaven_shared::value::Timestamp;

async fn is_left(by_hand: bool, restart: bool) {
    let mut network = Network::start(true).await;
    let cases = [Ban, Mute, Timeout].map(|action| (action, network.member()));
    for (action, whom) in cases {
        network.local(action, whom, 5 * HOUR).await;
    }
    network.advance(A_WHILE).await;
    // A timeout goes on for whoever joins again.
    network.rejoin(network.child(), cases[2].1);
    for (action, whom) in cases {
        network.by_main(by_hand, action, whom, 10 * HOUR).await;
    }
    if restart {
        network = network.restart(|_| {}).await;
    }
    for (action, whom) in cases {
        network.by_main(by_hand, action.undo().unwrap(), whom, HOUR).await;
        assert!(network.shows(action, whom), "{action} by the child's staff");
        assert!(network.is_local(action, whom).await, "{action}");
    }
}

#[tokio::test]
async fn what_the_staff_did_and_stands_is_left_by_an_undo_by_command() {
    is_left(false, false).await;
    is_left(false, true).await;
}

#[tokio::test]
async fn what_the_staff_did_and_stands_is_left_by_an_undo_by_hand() {
    is_left(true, false).await;
    is_left(true, true).await;
}

#[tokio::test]
async fn whoever_is_muted_again_after_they_joined_again_stays_muted() {
    let network = Network::start(true).await;
    let (child, victim) = (network.child(), network.member());
    network.local(Mute, victim, HOUR).await;
    network.rejoin(child, victim);
    network.settled().await;
    assert!(!network.is_local(Mute, victim).await);
    network.local(Mute, victim, HOUR).await;
    network.by_main(false, Mute, victim, HOUR).await;
    network.by_main(false, Action::Unmute, victim, HOUR).await;
    assert!(network.shows(Mute, victim));
}

#[tokio::test]
async fn what_is_shown_from_before_the_staffs_act_ends_nothing() {
    let network = Network::start(true).await;
    let (child, victim) = (network.child(), network.member());
    let joined = network.test.systems.services.clock().now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    for action in [Mute, Timeout] {
        network.local(action, victim, 5 * HOUR).await;
    }
    let facts = MemberFacts { joined_at: Some(joined), timeout: Some(None) };
    let (of, whom) = (guild(child), user(victim));
    let systems = &network.test.systems;
    for event in [
        GatewayEvent::Joined { guild: of, user: whom, roles: Vec::new(), facts },
        GatewayEvent::Member { guild: of, user: whom, roles: Vec::new(), facts },
    ] {
        let taken = systems.ingest.take(event).await;
        systems.ingest.follow(taken.committed().await);
    }
    network.settled().await;
    let shown =
        ShownMember { roles: Vec::new(), joined_at: Some(joined), timeout: Some(None), as_of: joined };
    systems.services.store().write(move |change| Ok(change.take_in_member(of, whom, &shown)?)).await.unwrap();
    for action in [Mute, Timeout] {
        assert!(network.is_local(action, victim).await, "{action}");
    }
}

/// An entry that is so many seconds later than now.
fn entry_in(network: &Network, seconds: i64) -> u64 {
    let clock = network.test.systems.services.clock();
    clock.skew().first_snowflake(Timestamp::from_millis(clock.now().millis() + seconds * 1_000))
}

/// Takes in late, or early, that the child's staff muted somebody.
async fn note_mute(network: &Network, whom: u64, entry: u64) {
    let told = Echo::of_entry(guild(network.child()), user(whom), Mute, entry);
    let note = move |change: &crate::store::Change<'_>| Ok(change.note_local_cause(told, None, None)?);
    network.test.systems.services.store().write(note).await.unwrap();
}

#[tokio::test]
async fn of_two_entries_that_come_in_any_order_the_later_tells_whose_it_is() {
    let network = Network::start(true).await;
    let child = network.child();
    let [ours_first, theirs_first, theirs_later] = [(); 3].map(|()| network.member());
    network.by_main(false, Mute, ours_first, HOUR).await;
    network.by_main(false, Mute, theirs_later, HOUR).await;
    // The entry of the staff is read after ours, or before it, and is older: the role was gone when ours was given.
    note_mute(&network, ours_first, entry_in(&network, -60)).await;
    note_mute(&network, theirs_later, entry_in(&network, 60)).await;
    let lost = Fault::Events { name: None, guild: Some(child), times: None, fate: EventFate::Drop };
    let lost = network.sandbox.inject(lost);
    let before = entry_in(&network, -60);
    let mute = json!({ "user": theirs_first.to_string() });
    network.ask(network.main(), "mute", mute).await;
    network.test.settled().await;
    note_mute(&network, theirs_first, before).await;
    assert!(network.is_local(Mute, theirs_first).await, "our own entry was not heard");
    network.sandbox.clear(lost);
    assert!(!network.is_local(Mute, ours_first).await);
    assert!(network.is_local(Mute, theirs_later).await);
    for whom in [ours_first, theirs_first, theirs_later] {
        network.by_main(false, Action::Unmute, whom, HOUR).await;
    }
    assert!(!network.shows(Mute, ours_first));
    assert!(!network.shows(Mute, theirs_first), "the guild's log was asked");
    assert!(network.shows(Mute, theirs_later));
}

#[tokio::test]
async fn our_own_entry_ends_what_is_older_and_nothing_that_is_later() {
    let network = Network::start(true).await;
    let (of, older, later) = (guild(network.child()), network.member(), network.member());
    let ours = entry_in(&network, 0);
    note_mute(&network, older, entry_in(&network, -60)).await;
    note_mute(&network, later, entry_in(&network, 60)).await;
    let hear = move |change: &crate::store::Change<'_>| {
        for whom in [older, later] {
            change.note_echo(Echo::of_entry(of, user(whom), Mute, ours))?;
        }
        Ok(())
    };
    network.test.systems.services.store().write(hear).await.unwrap();
    assert!(!network.is_local(Mute, older).await);
    assert!(network.is_local(Mute, later).await);
}

#[tokio::test]
async fn where_the_log_is_hidden_discord_is_asked_before_the_main_bans_whom_the_staff_had_banned() {
    let mut network = Network::start(true).await;
    let (child, gone, stays) = (network.child(), network.member(), network.member());
    for whom in [gone, stays] {
        network.local(Ban, whom, HOUR).await;
    }
    network.advance(A_WHILE).await;
    let hidden = permissions::LEAST_FOR_BOT & !permissions::VIEW_AUDIT_LOG;
    network.sandbox.people().set_bot_permissions(child, hidden).unwrap();
    let systems = std::sync::Arc::clone(&network.test.systems);
    network
        .test
        .until("a hidden log", move |_| systems.services.directory().shows_log(guild(child)) == Some(false))
        .await;
    network.unheard(None, || network.by_hand(child, Action::Unban, gone, HOUR));
    let main = network.main();
    for (whom, left) in [(gone, false), (stays, true)] {
        for action in [Ban, Action::Unban] {
            network.ask(main, action.word(), json!({ "user": whom.to_string() })).await;
            network.test.settled().await;
        }
        assert_eq!(network.shows(Ban, whom), left);
    }
}

#[tokio::test]
async fn a_timeout_that_is_left_to_the_staff_ends_with_theirs() {
    for (by_hand, restart) in [(false, false), (true, false), (false, true)] {
        let mut network = Network::start(true).await;
        let (victim, again) = (network.member(), network.member());
        for whom in [victim, again] {
            network.local(Timeout, whom, HOUR).await;
            network.by_main(by_hand, Timeout, whom, 10 * HOUR).await;
            network.by_main(by_hand, Action::Untimeout, whom, HOUR).await;
            assert!(network.shows(Timeout, whom), "it is the staff's for now");
        }
        network.by_main(by_hand, Timeout, again, 10 * HOUR).await;
        if restart {
            network = network.restart(|_| {}).await;
        }
        network.advance(HOUR + A_WHILE).await;
        let child = network.child();
        network
            .test
            .until("the undo is done", move |view| {
                let of = |one: &crate::store::Queued| one.guild == guild(child) && one.user == user(victim);
                !view.open_deliveries().unwrap().iter().any(of)
                    && view.due_renewals(Timestamp::from_millis(i64::MAX), 10).unwrap().is_empty()
            })
            .await;
        network.settled().await;
        assert!(!network.shows(Timeout, victim), "by hand: {by_hand}, restart: {restart}");
        assert!(network.shows(Timeout, again), "what the main did since stands");
    }
}
