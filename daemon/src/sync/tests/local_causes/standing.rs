//! What stands is left: nothing that is older than it, and nothing that Wayhaven did, ends it.

use super::*;
use crate::discord::event::{GatewayEvent, MemberFacts};
use crate::store::{Echo, ShownMember};
use Action::{Ban, Mute, Timeout};
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
    let joined = network.test.daemon.clock().now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    for action in [Mute, Timeout] {
        network.local(action, victim, 5 * HOUR).await;
    }
    let facts = MemberFacts { joined_at: Some(joined), timeout: Some(None) };
    let (of, whom) = (guild(child), user(victim));
    let daemon = &network.test.daemon;
    for event in [
        GatewayEvent::Joined { guild: of, user: whom, roles: Vec::new(), facts },
        GatewayEvent::Member { guild: of, user: whom, roles: Vec::new(), facts },
    ] {
        let taken = daemon.ingest().take(event).await;
        daemon.ingest().follow(taken.committed().await);
    }
    network.settled().await;
    let shown =
        ShownMember { roles: Vec::new(), joined_at: Some(joined), timeout: Some(None), as_of: joined };
    daemon.store().write(move |change| Ok(change.take_in_member(of, whom, &shown)?)).await.unwrap();
    for action in [Mute, Timeout] {
        assert!(network.is_local(action, victim).await, "{action}");
    }
}

#[tokio::test]
async fn of_two_entries_that_come_in_any_order_the_later_tells_whose_it_is() {
    let network = Network::start(true).await;
    let (main, child) = (network.main(), network.child());
    let [late, later] = [(); 2].map(|()| network.member());
    for (whom, before) in [(late, true), (later, false)] {
        network.by_main(false, Mute, whom, HOUR).await;
        let entry = network.test.daemon.clock().skew().first_snowflake(Timestamp::from_millis(
            network.test.daemon.clock().now().millis() + if before { -60_000 } else { 60_000 },
        ));
        let told = Echo::of_entry(guild(child), user(whom), Mute, entry);
        let note = move |change: &crate::store::Change<'_>| Ok(change.note_local_cause(told, None, None)?);
        network.test.daemon.store().write(note).await.unwrap();
        assert_eq!(network.is_local(Mute, whom).await, !before);
    }
    // The role that Wayhaven gave after the staff's mute had ended is taken.
    network.by_main(false, Action::Unmute, late, HOUR).await;
    assert!(!network.shows(Mute, late));
    let _ = main;
}
